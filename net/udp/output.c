/*
 * Sending: sendmsg(2) of UDP. The route is asked for before the data is copied, so that its errors
 * come first; the copy sleeps, so the route is referenced meanwhile. A message is one packet, which
 * IP cuts into fragments without copying again; with UDP_SEGMENT the packet is a train of datagrams.
 */
#include "udp.h"
#include <lib/checksum.h>

/* ---- the send buffer ----------------------------------------------------------------------------
 */

s32 udp_writable(const struct udp_sock *u)
{
	return READ_ONCE(u->inet.sk.sndbuf) / 2 - READ_ONCE(u->wmem);
}

static void released(struct packet *p)
{
	struct udp_sock *u = udp_sk(p->sk);
	s32 limit = READ_ONCE(u->inet.sk.sndbuf) / 2;
	s32 now = __atomic_sub_fetch(&u->wmem, (s32)p->truesize, __ATOMIC_SEQ_CST);

	/* Below half nobody waits (poll's limit); above it some may. */
	if (now + (s32)p->truesize >= limit)
		sock_wake_all(&u->inet.sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
	put_sock(&u->inet.sk);
}

static void charge(struct udp_sock *u, struct packet *p)
{
	__atomic_fetch_add(&u->wmem, (s32)p->truesize, __ATOMIC_RELAXED);
	get_sock(&u->inet.sk);
	p->sk = &u->inet.sk;
	p->released = released;
}

static int wait_for_room(struct udp_sock *u, u32 flags)
{
	struct sock *sk = &u->inet.sk;

	if (likely(READ_ONCE(u->wmem) < READ_ONCE(sk->sndbuf)))
		return 0;
	return sock_wait(sk,
		READ_ONCE(u->wmem) < READ_ONCE(sk->sndbuf) || READ_ONCE(sk->err) ||
			READ_ONCE(sk->shutdown) & SHUTDOWN_SND,
		sock_snd_deadline(sk, flags));
}

/* ---- one packet ---------------------------------------------------------------------------------
 */

struct message {
	struct inet_addr dst;
	u16 port;
	s32 scope;
	bool connected; /* to the socket's peer */
	struct inet_send send;
	struct ip_path path; /* one reference on path.rt */
	u32 flags;
};

/* 0 and a referenced path, or the error of the call. */
static int find_path(struct udp_sock *u, struct message *msg)
{
	struct inet_sock *s = &u->inet;
	struct ip_path *cached;
	struct flow f;
	int err;

	rcu_read_lock();
	spin_lock(&s->sk.lock);
	err = inet_autobind(s);
	if (!err && msg->connected && addr_is_any(&msg->send.source) && !msg->send.oif &&
		!msg->send.has_mark && !(msg->flags & MSG_DONTROUTE) && msg->send.tos < 0) {
		err = inet_sock_path(s, &cached);
		if (!err)
			msg->path = *cached;
	} else if (!err) {
		inet_send_flow(s, &msg->send, &msg->dst, msg->port, msg->scope, &f);
		if (msg->flags & MSG_DONTROUTE)
			f.flags |= FLOW_DONTROUTE;
		err = route_lookup(s->sk.net, &f, &msg->path);
	}
	if (!err && msg->path.type == RTN_BROADCAST && !sock_opt(&s->sk, SKO_BROADCAST))
		err = -EACCES;
	if (!err)
		get_route(msg->path.rt);
	spin_unlock(&s->sk.lock);
	rcu_read_unlock();
	return err;
}

static bool without_sum(const struct udp_sock *u, bool v4)
{
	return v4 ? sock_opt(&u->inet.sk, SKO_NO_CHECK) : u->no_check6_tx;
}

/* Fields of a train of datagrams; -EINVAL: too many, or they don't fit the path. */
static int set_segments(struct udp_sock *u, struct packet *p, const struct message *msg,
	const struct ip_tx *tx, u32 payload)
{
	bool v4 = addr_is_v4(&msg->dst);
	u32 size = msg->send.gso_size ? msg->send.gso_size : READ_ONCE(u->gso_size);
	u32 mtu = tx->mtu ? min(tx->mtu, msg->path.rt->dev->mtu) : msg->path.mtu;

	if (!size || payload <= size)
		return 0;
	if (udp_is_lite(u))
		return -EIO;
	if (size + 8 + ip_header_len(tx) > mtu || payload > size * UDP_MAX_SEGMENTS ||
		without_sum(u, v4))
		return -EINVAL;
	p->gso = v4 ? GSO_UDP4 : GSO_UDP6;
	p->gso_size = (u16)size;
	p->gso_segs = (u16)div_round_up(payload, size);
	return 0;
}

/* The checksum of UDP-Lite over what the user wants covered, which the header tells (RFC 3828 3.1).
 */
static void lite_sum(struct udp_sock *u, struct packet *p, const struct ip_tx *tx)
{
	struct udphdr *h = (struct udphdr *)packet_data(p);
	u32 cov = p->len, want = READ_ONCE(u->send_cov);
	u64 sum = ip_pseudo_sum(&tx->src, &tx->dst, IPPROTO_UDPLITE, p->len);

	if (READ_ONCE(u->send_cov_set) && want < cov) {
		h->len = htons((u16)want);
		cov = want ? want : cov;
	}
	h->check = 0;
	h->check = checksum_fold(packet_checksum(p, 0, cov, sum)) ?: 0xffff;
	p->csum_state = CSUM_NONE;
}

/* Header in front of the payload in p, and off. Consumes p. */
static int transmit(struct udp_sock *u, struct packet *p, struct message *msg)
{
	struct inet_sock *s = &u->inet;
	bool v4 = addr_is_v4(&msg->dst);
	u32 payload = p->len;
	struct udphdr *h;
	struct ip_tx tx;
	int err;

	rcu_read_lock();
	inet_send_tx(s, &msg->send, &msg->path, &msg->dst, &tx);
	err = set_segments(u, p, msg, &tx, payload);
	if (err) {
		packet_free(p);
		goto out;
	}
	h = (struct udphdr *)packet_push(p, 8);
	h->source = s->lport;
	h->dest = msg->port;
	h->len = htons(payload + 8);
	p->trans_off = p->data;
	p->mark = msg->send.has_mark ? msg->send.mark : s->sk.mark;
	p->priority = s->sk.priority;
	if (udp_is_lite(u)) {
		lite_sum(u, p, &tx);
	} else if (without_sum(u, v4)) {
		h->check = 0;
		p->csum_state = CSUM_NONE;
	} else {
		h->check = ip_pseudo_partial(&tx.src, &tx.dst, IPPROTO_UDP, payload + 8);
		p->csum_state = CSUM_PARTIAL;
		p->csum_start = p->trans_off;
		p->csum_offset = 6;
	}
	charge(u, p);
	err = ip_send(s->sk.net, &msg->path, &tx, p);
	if (err == -EMSGSIZE) {
		inet_error_local(s, EMSGSIZE, &msg->dst, msg->port,
			tx.mtu ? min(tx.mtu, msg->path.rt->dev->mtu) : msg->path.mtu);
	} else if (err == -ENOBUFS && !inet_wants_errors(s, v4)) {
		inet_count_udp(s->sk.net, s->sk.protocol, v4, UDP_SNDBUF_ERRORS);
		err = 0;
	}
	if (!err)
		inet_count_udp(s->sk.net, s->sk.protocol, v4, UDP_OUT);
out:
	rcu_read_unlock();
	return err;
}

/* ---- corking ------------------------------------------------------------------------------------
 */

void udp_cork_drop(struct udp_sock *u)
{
	packet_free(u->cork.p);
	u->cork.p = NULL;
	inet_send_done(&u->cork.send);
}

int udp_push(struct udp_sock *u)
{
	struct message msg = {.dst = u->cork.dst, .port = u->cork.port, .scope = u->cork.scope};
	struct packet *p = u->cork.p;
	int err;

	if (!p)
		return 0;
	msg.send = u->cork.send;
	u->cork.p = NULL;
	u->cork.send.opt = NULL;
	u->cork.send.ext = NULL;
	err = find_path(u, &msg);
	if (err) {
		packet_free(p);
	} else {
		err = transmit(u, p, &msg);
		put_route(msg.path.rt);
	}
	inet_send_done(&msg.send);
	return err;
}

static ssize_t append(struct udp_sock *u, struct sock_msg *m, bool more)
{
	size_t n = m->iter.count;
	int err;

	if (u->cork.p->len + n > 65535 - 8 - 20)
		err = -EMSGSIZE;
	else
		err = packet_from_iter(u->cork.p, &m->iter, n);
	if (err) {
		udp_cork_drop(u);
		return err;
	}
	if (!more && !u->corking)
		err = udp_push(u);
	return err ? err : (ssize_t)n;
}

/* The first part of a corked message: it keeps where it goes. */
static ssize_t start_cork(struct udp_sock *u, struct sock_msg *m, struct message *msg)
{
	u->cork.p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	if (!u->cork.p)
		return -ENOBUFS;
	u->cork.dst = msg->dst;
	u->cork.port = msg->port;
	u->cork.scope = msg->scope;
	u->cork.send = msg->send;
	msg->send.opt = NULL;
	msg->send.ext = NULL;
	return append(u, m, true);
}

/* ---- sendmsg ------------------------------------------------------------------------------------
 */

static int find_destination(struct udp_sock *u, struct sock_msg *m, struct message *msg)
{
	struct inet_sock *s = &u->inet;
	struct inet_name n;
	int err;

	if (m->name &&
		!(s->sk.family == AF_INET6 && m->name_len >= 2 &&
			m->name->ss_family == AF_UNSPEC)) {
		err = inet_name_in(s, m->name, m->name_len, true, &n);
		if (err)
			return err;
		if (!n.port)
			return -EINVAL;
		if (!addr_is_any(&s->source) && addr_is_v4(&s->source) != addr_is_v4(&n.addr))
			return addr_is_v4(&n.addr) ? -ENETUNREACH : -EINVAL;
		msg->dst = n.addr;
		msg->port = n.port;
		msg->scope = n.scope;
		return 0;
	}
	spin_lock(&s->sk.lock);
	msg->dst = s->remote;
	msg->port = s->rport;
	msg->scope = s->remote_scope;
	spin_unlock(&s->sk.lock);
	msg->connected = true;
	return msg->port ? 0 : -EDESTADDRREQ;
}

static ssize_t send_now(struct udp_sock *u, struct sock_msg *m, struct message *msg)
{
	size_t n = m->iter.count;
	struct packet *p;
	int err = find_path(u, msg);

	if (err)
		return err;
	if (m->flags & MSG_PROBE) {
		put_route(msg->path.rt);
		return (ssize_t)n;
	}
	err = wait_for_room(u, m->flags);
	if (!err)
		err = sock_take_error(&u->inet.sk);
	p = err ? NULL : packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	if (!err && !p)
		err = -ENOBUFS;
	if (!err) {
		err = packet_from_iter(p, &m->iter, n);
		if (err)
			packet_free(p);
		else
			err = transmit(u, p, msg);
	}
	put_route(msg->path.rt);
	return err ? err : (ssize_t)n;
}

ssize_t udp_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct udp_sock *u = udp_sk(sk);
	struct message msg = {.flags = m->flags};
	bool more = m->flags & MSG_MORE || READ_ONCE(u->corking);
	ssize_t r;
	int err;

	if (m->iter.count > 65535)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND)
		return -EPIPE;
	if (unlikely(more || READ_ONCE(u->cork.p))) {
		mutex_lock(&u->call_lock);
		if (u->cork.p) {
			r = append(u, m, m->flags & MSG_MORE);
			mutex_unlock(&u->call_lock);
			return r;
		}
		mutex_unlock(&u->call_lock);
	}
	err = find_destination(u, m, &msg);
	if (err)
		return err;
	if (m->iter.count > 65535u - 8 - (addr_is_v4(&msg.dst) ? 20 : 0))
		return -EMSGSIZE;
	err = inet_send_parse(&u->inet, m, addr_is_v4(&msg.dst), &msg.send);
	if (err)
		return err;
	if (unlikely(more)) {
		mutex_lock(&u->call_lock);
		r = u->cork.p ? append(u, m, m->flags & MSG_MORE) : start_cork(u, m, &msg);
		mutex_unlock(&u->call_lock);
	} else {
		r = send_now(u, m, &msg);
	}
	inet_send_done(&msg.send);
	return r;
}
