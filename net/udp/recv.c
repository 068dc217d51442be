/* Receiving: recvmsg(2) of UDP. */
#include "udp.h"

/* The datagram that the call gets: taken off, or for MSG_PEEK a copy, from *skip bytes into it. */
static struct packet *take(struct udp_sock *u, bool peek, u32 *skip)
{
	struct sock *sk = &u->inet.sk;
	struct packet *p;
	s32 off = READ_ONCE(sk->peek_off);

	*skip = 0;
	spin_lock(&sk->lock);
	p = packet_queue_first(&u->rx);
	if (peek && off > 0) {
		*skip = (u32)off;
		while (p && *skip >= p->len && (*skip || !p->len)) {
			*skip -= p->len;
			p = p->link.next == &u->rx.list
				? NULL
				: container_of(p->link.next, struct packet, link);
		}
	}
	if (p && peek) {
		struct packet *copy = packet_clone(p, GFP_ATOMIC);

		if (copy) {
			copy->ifindex = p->ifindex;
			memcpy(copy->cb, p->cb, sizeof(copy->cb));
		}
		p = copy;
	} else if (p) {
		packet_queue_remove(&u->rx, p);
		u->rx_truesize -= p->truesize;
		inet_mem_add(INET_MEM_UDP, -(s64)p->truesize);
	}
	spin_unlock(&sk->lock);
	return p;
}

static void put_name(struct sock *sk, struct sock_msg *m, struct packet *p)
{
	struct inet_name n = {.addr = ip_rx(p)->src, .scope = (s32)p->ifindex};

	memcpy(&n.port, p->linear + p->trans_off, 2);
	m->name_len = inet_name_out(sk->family, &n, m->name);
}

static void put_controls(struct udp_sock *u, struct sock_msg *m, struct packet *p)
{
	struct sock *sk = &u->inet.sk;

	cmsg_put_timestamp(sk, m, p->stamp_ns ? (s64)p->stamp_ns : clock_real_ns());
	if (sock_opt(sk, SKO_RXQ_OVFL))
		cmsg_put(m, SOL_SOCKET, SO_RXQ_OVFL, &u->drops, sizeof(u->drops));
	if (sock_opt(sk, SKO_RCVMARK))
		cmsg_put(m, SOL_SOCKET, SO_MARK, &p->mark, sizeof(p->mark));
	if (u->gro && p->gso != GSO_NONE) {
		s32 size = p->gso_size;

		cmsg_put(m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	}
	inet_cmsg_recv(&u->inet, m, p);
}

static int wait_for_data(struct udp_sock *u, s64 deadline)
{
	struct sock *sk = &u->inet.sk;

	return sock_wait(sk,
		READ_ONCE(u->rx.count) || READ_ONCE(sk->err) ||
			READ_ONCE(sk->shutdown) & SHUTDOWN_RCV,
		deadline);
}

ssize_t udp_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct udp_sock *u = udp_sk(sk);
	bool peek = m->flags & MSG_PEEK;
	s64 deadline = sock_rcv_deadline(sk, m->flags);
	size_t want = m->iter.count, n;
	struct packet *p;
	ssize_t r;
	u32 skip;

	if (m->flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, m);
	for (;;) {
		int err = sock_take_error(sk);

		if (err)
			return err;
		p = take(u, peek, &skip);
		if (p)
			break;
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV) {
			m->name_len = 0;
			return 0;
		}
		err = wait_for_data(u, deadline);
		if (err)
			return err;
	}
	n = min_t(size_t, want, p->len - skip);
	r = (ssize_t)n;
	if (packet_to_iter(p, skip, &m->iter, n) != n) {
		r = -EFAULT;
	} else {
		if (p->len - skip > want)
			m->out_flags |= MSG_TRUNC;
		if (m->name)
			put_name(sk, m, p);
		put_controls(u, m, p);
		if (m->flags & MSG_TRUNC)
			r = (ssize_t)(p->len - skip);
		if (sk->peek_off >= 0) {
			spin_lock(&sk->lock);
			sk->peek_off = peek ? sk->peek_off + (s32)n
					    : max(sk->peek_off - (s32)p->len, 0);
			spin_unlock(&sk->lock);
		}
	}
	packet_free(p);
	return r;
}
