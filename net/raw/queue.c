/* What raw and ping sockets share: queues, send buffers, destinations. */
#include "raw.h"
#include <asm/ioctls.h>

static SLAB_CACHE(g_raw_cache, struct raw_sock);

/* ---- life ---------------------------------------------------------------------------------------
 */

struct raw_sock *raw_alloc(
	const struct sock_ops *ops, const struct inet_ops *iops, int family, int type, int protocol)
{
	struct raw_sock *r = slab_alloc(&g_raw_cache, GFP_KERNEL | GFP_ZERO);

	if (!r)
		return NULL;
	inet_sock_init(&r->inet, ops, iops, family, type, protocol);
	packet_queue_init(&r->rx);
	r->csum_offset = -1;
	return r;
}

static void raw_free(struct rcu_head *head)
{
	struct raw_sock *r = container_of(head, struct raw_sock, inet.sk.rcu);

	packet_queue_purge(&r->rx); /* what came after close */
	inet_sock_destroy(&r->inet);
	slab_free(&g_raw_cache, r);
}
void raw_destroy(struct sock *sk)
{
	rcu_call(&sk->rcu, raw_free);
}

void raw_purge(struct raw_sock *r)
{
	struct packet_queue q;
	struct packet *p;

	packet_queue_init(&q);
	spin_lock(&r->inet.sk.lock);
	while ((p = packet_queue_take(&r->rx)))
		packet_queue_add(&q, p);
	spin_unlock(&r->inet.sk.lock);
	packet_queue_purge(&q);
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

void raw_enqueue(struct raw_sock *r, struct packet *p)
{
	struct sock *sk = &r->inet.sk;

	if (!inet_filter(sk, p)) {
		packet_free(p);
		return;
	}
	spin_lock(&sk->lock);
	if (r->rx_truesize > (u32)READ_ONCE(sk->rcvbuf) || sock_opt(sk, SKO_DEAD)) {
		r->drops++;
		spin_unlock(&sk->lock);
		packet_free(p);
		return;
	}
	packet_queue_add(&r->rx, p);
	r->rx_truesize += p->truesize;
	sock_wake(sk, EPOLLIN | EPOLLRDNORM | EPOLLRDBAND);
	spin_unlock(&sk->lock);
	sock_signal(sk, POLL_IN);
}

static struct packet *take(struct raw_sock *r, bool peek)
{
	struct packet *p;

	spin_lock(&r->inet.sk.lock);
	p = packet_queue_first(&r->rx);
	if (p && peek) {
		struct packet *copy = packet_clone(p, GFP_ATOMIC);

		if (copy) {
			copy->ifindex = p->ifindex;
			memcpy(copy->cb, p->cb, sizeof(copy->cb));
		}
		p = copy;
	} else if (p) {
		packet_queue_remove(&r->rx, p);
		r->rx_truesize -= p->truesize;
	}
	spin_unlock(&r->inet.sk.lock);
	return p;
}

static void put_controls(struct raw_sock *r, struct sock_msg *m, struct packet *p)
{
	struct sock *sk = &r->inet.sk;

	if (m->name) {
		struct inet_name n = {.addr = ip_rx(p)->src, .scope = (s32)p->ifindex};

		m->name_len = inet_name_out(sk->family, &n, m->name);
	}
	cmsg_put_timestamp(sk, m, p->stamp_ns ? (s64)p->stamp_ns : clock_real_ns());
	if (sock_opt(sk, SKO_RXQ_OVFL))
		cmsg_put(m, SOL_SOCKET, SO_RXQ_OVFL, &r->drops, sizeof(r->drops));
	if (sock_opt(sk, SKO_RCVMARK))
		cmsg_put(m, SOL_SOCKET, SO_MARK, &p->mark, sizeof(p->mark));
	inet_cmsg_recv(&r->inet, m, p);
}

ssize_t raw_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct raw_sock *r = raw_sk(sk);
	s64 deadline = sock_rcv_deadline(sk, m->flags);
	size_t want = m->iter.count, n;
	struct packet *p;
	ssize_t got;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, m);
	for (;;) {
		int err = sock_take_error(sk);

		if (err)
			return err;
		p = take(r, m->flags & MSG_PEEK);
		if (p)
			break;
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV) {
			m->name_len = 0;
			return 0;
		}
		err = sock_wait(sk,
			READ_ONCE(r->rx.count) || READ_ONCE(sk->err) ||
				READ_ONCE(sk->shutdown) & SHUTDOWN_RCV,
			deadline);
		if (err)
			return err;
	}
	n = min_t(size_t, want, p->len);
	got = (ssize_t)n;
	if (packet_to_iter(p, 0, &m->iter, n) != n) {
		got = -EFAULT;
	} else {
		put_controls(r, m, p);
		if (p->len > want)
			m->out_flags |= MSG_TRUNC;
		if (m->flags & MSG_TRUNC)
			got = (ssize_t)p->len;
	}
	packet_free(p);
	return got;
}

u32 raw_poll(struct sock *sk)
{
	struct raw_sock *r = raw_sk(sk);
	u8 down = READ_ONCE(sk->shutdown);
	u32 mask = 0;

	if (READ_ONCE(sk->err) || READ_ONCE(r->inet.errors.count))
		mask |= EPOLLERR | (sock_opt(sk, SKO_SELECT_ERR) ? EPOLLPRI : 0);
	if (down & SHUTDOWN_RCV)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (down == (SHUTDOWN_RCV | SHUTDOWN_SND))
		mask |= EPOLLHUP;
	if (READ_ONCE(r->rx.count))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(r->wmem) < READ_ONCE(sk->sndbuf) / 2)
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

long raw_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	struct raw_sock *r = raw_sk(sk);
	struct packet *p;
	int v;

	switch (cmd) {
	case TIOCOUTQ:
		return put_user((int)READ_ONCE(r->wmem), (int __user *)arg);
	case FIONREAD:
		spin_lock(&sk->lock);
		p = packet_queue_first(&r->rx);
		v = p ? (int)p->len : 0;
		spin_unlock(&sk->lock);
		return put_user(v, (int __user *)arg);
	default:
		return inet_ioctl(sk, cmd, arg);
	}
}

int raw_shutdown(struct sock *sk, int how)
{
	int err;

	spin_lock(&sk->lock);
	err = sk->state ? 0 : -ENOTCONN; /* and yet it is done: as Linux */
	WRITE_ONCE(sk->shutdown, sk->shutdown | (u8)(how + 1));
	spin_unlock(&sk->lock);
	sock_wake_all(sk, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLOUT);
	return err;
}

int raw_connect(struct sock *sk, struct __kernel_sockaddr_storage *a, u32 len, u32 o_flags)
{
	struct inet_sock *s = inet_sk(sk);
	struct inet_name n;
	int err;

	if (len < sizeof(a->ss_family))
		return -EINVAL;
	if (a->ss_family == AF_UNSPEC) {
		spin_lock(&sk->lock);
		inet_forget_peer(s);
		sk->state = 0;
		spin_unlock(&sk->lock);
		return 0;
	}
	if (a->ss_family != sk->family)
		return -EAFNOSUPPORT;
	err = inet_name_in(s, a, len, true, &n);
	if (err)
		return err;
	rcu_read_lock();
	spin_lock(&sk->lock);
	err = inet_autobind(s);
	if (!err)
		err = inet_set_peer(s, &n);
	if (!err)
		sk->state = 1;
	spin_unlock(&sk->lock);
	rcu_read_unlock();
	return err;
}

void raw_error_to(struct raw_sock *r, const struct icmp_event *e, u32 payload_off)
{
	struct inet_sock *s = &r->inet;
	bool v4 = addr_is_v4(&e->remote), wants = inet_wants_errors(s, v4), hard = e->hard;
	u8 mode = v4 ? s->pmtudisc : s->pmtudisc6;

	if (e->err == EMSGSIZE) {
		if (mode != IP_PMTUDISC_INTERFACE && mode != IP_PMTUDISC_OMIT)
			route_set_pmtu(s->sk.net, &e->remote, s->sk.bound_dev, e->info);
		hard = mode != IP_PMTUDISC_DONT;
	}
	if (wants)
		inet_error_icmp(s, e, 0, payload_off);
	else if (!hard || !s->sk.state)
		return;
	sock_set_error(&s->sk, e->err);
	sock_wake_all(&s->sk, EPOLLERR | EPOLLIN | EPOLLOUT);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static void released(struct packet *p)
{
	struct raw_sock *r = raw_sk(p->sk);
	s32 now = __atomic_sub_fetch(&r->wmem, (s32)p->truesize, __ATOMIC_SEQ_CST);

	if (now + (s32)p->truesize >= READ_ONCE(r->inet.sk.sndbuf) / 2)
		sock_wake_all(&r->inet.sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	put_sock(&r->inet.sk);
}

void raw_charge(struct raw_sock *r, struct packet *p)
{
	__atomic_fetch_add(&r->wmem, (s32)p->truesize, __ATOMIC_RELAXED);
	get_sock(&r->inet.sk);
	p->sk = &r->inet.sk;
	p->released = released;
}

struct packet *raw_packet(struct raw_sock *r, struct sock_msg *m)
{
	struct sock *sk = &r->inet.sk;
	struct packet *p;
	int err = 0;

	if (READ_ONCE(r->wmem) >= READ_ONCE(sk->sndbuf))
		err = sock_wait(sk,
			READ_ONCE(r->wmem) < READ_ONCE(sk->sndbuf) || READ_ONCE(sk->err) ||
				READ_ONCE(sk->shutdown) & SHUTDOWN_SND,
			sock_snd_deadline(sk, m->flags));
	if (!err)
		err = sock_take_error(sk);
	if (err)
		return err_ptr(err);
	p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	return p ? p : err_ptr(-ENOBUFS);
}

static int destination(struct raw_sock *r, struct sock_msg *m, struct raw_message *msg)
{
	struct inet_sock *s = &r->inet;
	struct inet_name n;
	int err;

	if (m->name &&
		!(s->sk.family == AF_INET6 && m->name_len >= 2 &&
			m->name->ss_family == AF_UNSPEC)) {
		if (s->sk.family == AF_INET6 && m->name_len >= 2 && m->name->ss_family != AF_INET6)
			return -EAFNOSUPPORT;
		err = inet_name_in(s, m->name, m->name_len, true, &n);
		if (err)
			return err;
		if (s->sk.family == AF_INET6 && addr_is_v4(&n.addr))
			return -EINVAL;
		msg->dst = n.addr;
		msg->scope = n.scope;
		msg->port = n.port;
		return 0;
	}
	spin_lock(&s->sk.lock);
	msg->connected = s->sk.state;
	msg->dst = s->remote;
	msg->scope = s->remote_scope;
	spin_unlock(&s->sk.lock);
	return msg->connected ? 0 : -EDESTADDRREQ;
}

int raw_prepare(struct raw_sock *r, struct sock_msg *m, struct raw_message *msg)
{
	struct inet_sock *s = &r->inet;
	struct flow f;
	int err;

	memset(msg, 0, sizeof(*msg));
	if (READ_ONCE(s->sk.shutdown) & SHUTDOWN_SND)
		return -EPIPE;
	err = destination(r, m, msg);
	if (!err)
		err = inet_send_parse(s, m, addr_is_v4(&msg->dst), &msg->send);
	if (err)
		return err;
	rcu_read_lock();
	spin_lock(&s->sk.lock);
	err = inet_autobind(s);
	if (!err) {
		inet_send_flow(s, &msg->send, &msg->dst, 0, msg->scope, &f);
		if (m->flags & MSG_DONTROUTE)
			f.flags |= FLOW_DONTROUTE;
		err = route_lookup(s->sk.net, &f, &msg->path);
	}
	if (!err && msg->path.type == RTN_BROADCAST && !sock_opt(&s->sk, SKO_BROADCAST))
		err = -EACCES;
	if (!err)
		get_route(msg->path.rt);
	spin_unlock(&s->sk.lock);
	rcu_read_unlock();
	if (err)
		inet_send_done(&msg->send);
	return err;
}

void raw_done(struct raw_message *msg)
{
	put_route(msg->path.rt);
	inet_send_done(&msg->send);
}
