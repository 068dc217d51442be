/* What a packet socket gets. */
#include "pkt.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/if_ether.h>

static bool load(const void *pkt, u32 off, void *to, u32 n)
{
	const struct packet *p = pkt;

	if (off > p->len || n > p->len - off)
		return false;
	packet_copy_out(p, off, to, n);
	return true;
}

/* Bytes that the socket's filter wants; 0: not this packet. RCU; data at what the program sees. */
static u32 filter(const struct pkt_sock *s, struct packet *p, const struct netif *n, u8 pkt_type)
{
	const struct sock_filter_prog *prog = rcu_load(s->sk.filter);
	struct filter_input in = {.pkt = p,
		.len = p->len,
		.load = load,
		.protocol = __builtin_bswap16(p->protocol),
		.pkt_type = pkt_type,
		.ifindex = (u32)n->ifindex,
		.mark = p->mark,
		.queue = p->queue,
		.hatype = n->type,
		.hash = p->hash,
		.cpu = (u32)cpu_id(),
		.net_off = (u32)(p->net_off - p->data)};

	return prog ? min(filter_run(prog, &in), p->len) : p->len;
}

static void fill_cb(struct pkt_cb *cb, struct packet *p, const struct netif *n, u8 pkt_type)
{
	*cb = (struct pkt_cb){.orig_len = p->len,
		.hatype = n->type,
		.protocol = p->protocol,
		.pkt_type = pkt_type,
		.ifindex = n->ifindex};
	if (n->type == ARPHRD_ETHER || n->type == ARPHRD_LOOPBACK) {
		cb->halen = ETH_ALEN;
		memcpy(cb->addr, ((struct ethhdr *)(p->linear + p->mac_off))->h_source, ETH_ALEN);
	}
}

static bool has_room(const struct pkt_sock *s)
{
	return READ_ONCE(s->queued) <= (u32)max(s->sk.rcvbuf, 0);
}

/* For the queue. NULL: no room, or no memory. */
static struct packet *copy_of(
	const struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb)
{
	struct packet *c = has_room(s) ? packet_clone(p, GFP_ATOMIC) : NULL;

	if (!c)
		return NULL;
	packet_trim(c, snap);
	*pkt_cb(c) = *cb;
	if (!c->stamp_ns)
		c->stamp_ns = (u64)clock_real_ns();
	return c;
}

/* sk.lock */
static void add(struct pkt_sock *s, struct packet *c)
{
	packet_queue_add(&s->queue, c);
	s->queued += c->truesize;
}

static bool queue(struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb)
{
	struct packet *c = copy_of(s, p, snap, cb);
	bool room;

	spin_lock(&s->sk.lock);
	room = c && has_room(s);
	if (room)
		add(s, c);
	s->packets += room;
	s->drops += !room;
	spin_unlock(&s->sk.lock);
	if (!room)
		packet_free(c);
	return room;
}

static bool into_ring(
	struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb, u32 mac_len)
{
	struct packet *whole = NULL;
	bool ok = false;

	spin_lock(&s->sk.lock);
	if (s->ring) {
		if (s->copy_whole && pkt_ring_cuts(s, snap, mac_len))
			whole = copy_of(s, p, snap, cb);
		ok = pkt_ring_put(s, p, snap, cb, mac_len, whole);
		if (ok && whole) {
			add(s, whole);
			whole = NULL;
		}
	}
	s->packets += ok;
	s->drops += !ok;
	spin_unlock(&s->sk.lock);
	packet_free(whole);
	return ok;
}

static void deliver(struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb)
{
	u32 mac_len = s->sk.type == SOCK_RAW ? (u32)(p->net_off - p->data) : 0;
	bool ok;

	ok = READ_ONCE(s->ring) ? into_ring(s, p, snap, cb, mac_len) : queue(s, p, snap, cb);
	if (ok) {
		sock_wake(&s->sk, EPOLLIN | EPOLLRDNORM);
		sock_signal(&s->sk, POLL_IN);
	}
}

/* RCU. p is ours for the time of the call: its start is moved to what the program sees, and back. */
void pkt_tap(struct net_tap *t, struct packet *p, struct netif *n, bool outgoing)
{
	struct pkt_sock *s = container_of(t, struct pkt_sock, tap);
	u32 want = s->sk.type == SOCK_RAW ? p->mac_off : p->net_off, was = p->data;
	u8 pkt_type = outgoing ? PACKET_OUTGOING : p->pkt_type;
	struct pkt_cb cb;
	u32 snap;

	if (outgoing && (s->ignore_outgoing || p->sk == &s->sk))
		return;
	if (want < was)
		packet_push(p, was - want);
	else
		packet_pull(p, want - was);
	fill_cb(&cb, p, n, pkt_type);
	snap = filter(s, p, n, pkt_type);
	if (snap)
		deliver(s, p, snap, &cb);
	if (want < was)
		packet_pull(p, was - want);
	else
		packet_push(p, want - was);
}

void pkt_to_address(const struct pkt_cb *cb, struct sockaddr_ll *ll)
{
	*ll = (struct sockaddr_ll){.sll_family = AF_PACKET,
		.sll_protocol = cb->protocol,
		.sll_ifindex = cb->ifindex,
		.sll_hatype = cb->hatype,
		.sll_pkttype = cb->pkt_type,
		.sll_halen = cb->halen};
	memcpy(ll->sll_addr, cb->addr, sizeof(ll->sll_addr));
}

void pkt_aux(const struct packet *p, struct tpacket_auxdata *aux)
{
	const struct pkt_cb *cb = (const struct pkt_cb *)p->cb;

	*aux = (struct tpacket_auxdata){.tp_status = TP_STATUS_USER,
		.tp_len = cb->orig_len,
		.tp_snaplen = p->len,
		.tp_net = (u16)(p->net_off - p->data)};
	if (p->csum_state == CSUM_PARTIAL)
		aux->tp_status |= TP_STATUS_CSUMNOTREADY;
	else if (p->csum_state == CSUM_GOOD && cb->pkt_type != PACKET_OUTGOING)
		aux->tp_status |= TP_STATUS_CSUM_VALID;
}

static struct packet *take(struct pkt_sock *s, bool peek)
{
	struct packet *p;

	spin_lock(&s->sk.lock);
	p = packet_queue_first(&s->queue);
	if (p && peek) {
		p = packet_clone(p, GFP_ATOMIC);
	} else if (p) {
		packet_queue_remove(&s->queue, p);
		s->queued -= p->truesize;
	}
	spin_unlock(&s->sk.lock);
	return p;
}

static struct packet *wait_packet(struct pkt_sock *s, u32 flags)
{
	s64 deadline = sock_rcv_deadline(&s->sk, flags);

	for (;;) {
		int err = sock_take_error(&s->sk);
		struct packet *p;

		if (err)
			return err_ptr(err);
		p = take(s, flags & MSG_PEEK);
		if (p)
			return p;
		err = sock_wait(
			&s->sk, READ_ONCE(s->queue.count) || READ_ONCE(s->sk.err), deadline);
		if (err)
			return err_ptr(err);
	}
}

ssize_t pkt_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct pkt_sock *s = pkt_of(sk);
	struct packet *p;
	size_t n;
	ssize_t r;

	if (m->flags &
		~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_ERRQUEUE | MSG_CMSG_CLOEXEC |
			MSG_WAITFORONE | MSG_NOSIGNAL))
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN; /* nothing is ever put there */
	p = wait_packet(s, m->flags);
	if (is_err(p))
		return ptr_err(p);
	n = min_t(size_t, p->len, m->iter.count);
	if (n < p->len)
		m->out_flags |= MSG_TRUNC;
	r = m->flags & MSG_TRUNC ? (ssize_t)p->len : (ssize_t)n;
	if (packet_to_iter(p, 0, &m->iter, n) != n)
		r = -EFAULT;
	if (r >= 0 && m->name) {
		pkt_to_address(pkt_cb(p), (struct sockaddr_ll *)m->name);
		m->name_len = sizeof(struct sockaddr_ll);
	}
	if (r >= 0) {
		cmsg_put_timestamp(sk, m, (s64)p->stamp_ns);
		if (s->auxdata) {
			struct tpacket_auxdata aux;

			pkt_aux(p, &aux);
			cmsg_put(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
		}
	}
	packet_free(p);
	return r;
}
