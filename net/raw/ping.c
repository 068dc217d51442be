/*
 * Ping sockets: ICMP echo for programs without privileges, socket(AF_INET, SOCK_DGRAM,
 * IPPROTO_ICMP): icmp(7). The echo's identifier is the socket's port.
 */
#include "raw.h"
#include <lib/seq_buf.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <raw/raw.h>

#define PING_HASH 64

static struct hlist_head g_pings[PING_HASH]; /* by identifier, all namespaces: RCU; g_lock */
static DEFINE_SPINLOCK(g_lock, RANK_SOCKET_LEAF);

static struct hlist_head *bucket(u16 ident)
{
	return &g_pings[ident % PING_HASH];
}

/* ---- identifiers --------------------------------------------------------------------------------
 */

static bool overlaps(const struct inet_sock *a, const struct inet_sock *b)
{
	return a->sk.net == b->sk.net && a->sk.family == b->sk.family &&
		(addr_is_any(&a->local) || addr_is_any(&b->local) ||
			addr_eq(&a->local, &b->local)) &&
		(!a->sk.bound_dev || !b->sk.bound_dev || a->sk.bound_dev == b->sk.bound_dev);
}

/* g_lock. */
static bool is_free(struct inet_sock *s, u16 ident)
{
	struct raw_sock *o;

	hlist_for_each_entry(o, bucket(ident), link)
		if (o->inet.lport == htons(ident) && &o->inet != s && overlaps(&o->inet, s) &&
			!(sock_opt(&o->inet.sk, SKO_REUSEADDR) && sock_opt(&s->sk, SKO_REUSEADDR)))
			return false;
	return true;
}

static int get_port(struct inet_sock *s, u16 port)
{
	static u16 next;
	int err = -EADDRINUSE;

	spin_lock(&g_lock);
	if (port) {
		err = is_free(s, port) ? 0 : -EADDRINUSE;
	} else {
		for (u32 i = 0; i < 65536 && err; i++) {
			port = ++next;
			if (port && is_free(s, port))
				err = 0;
		}
	}
	if (!err) {
		s->lport = htons(port);
		hlist_add_head(&container_of(s, struct raw_sock, inet)->link, bucket(port));
	}
	spin_unlock(&g_lock);
	return err;
}

static const struct inet_ops g_inet_ops = {.get_port = get_port};

/* ---- input --------------------------------------------------------------------------------------
 */

static struct raw_sock *find(
	struct net *net, u16 ident_be, const struct inet_addr *local, u32 ifindex)
{
	struct raw_sock *r;

	hlist_for_each_entry(r, bucket(ntohs(ident_be)), link) {
		struct inet_sock *s = &r->inet;

		if (s->lport == ident_be && s->sk.net == net &&
			(s->sk.family == AF_INET) == addr_is_v4(local) && inet_dev_ok(s, ifindex) &&
			(addr_is_any(&s->local) || addr_eq(&s->local, local)))
			return r;
	}
	return NULL;
}

void ping_input(struct packet *p)
{
	u16 ident;
	struct raw_sock *r;

	memcpy(&ident, packet_data(p) + 4, 2);
	r = find(p->dev->net, ident, &ip_rx(p)->dst, p->ifindex);
	if (r) {
		packet_csum_finish(p);
		raw_enqueue(r, p);
	} else {
		packet_free(p);
	}
}

void ping_error(struct net *net, const struct icmp_event *e)
{
	u16 ident;
	struct raw_sock *r;

	memcpy(&ident, packet_data(e->p) + 4, 2);
	r = find(net, ident, &e->local, (u32)e->ifindex);
	if (r)
		raw_error_to(r, e, 0);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

static bool is_request(const u8 *m, bool v4)
{
	return m[0] == (v4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST) && m[1] == 0;
}

static int transmit(struct raw_sock *r, struct packet *p, struct raw_message *msg)
{
	struct inet_sock *s = &r->inet;
	bool v4 = s->sk.family == AF_INET;
	u8 *m = packet_data(p);
	struct ip_tx tx;
	u16 sum;
	int err;

	rcu_read_lock();
	inet_send_tx(s, &msg->send, &msg->path, &msg->dst, &tx);
	memcpy(m + 4, &s->lport, 2);
	m[2] = m[3] = 0;
	sum = checksum_fold(packet_checksum(
		p, 0, p->len, v4 ? 0 : ip_pseudo_sum(&tx.src, &tx.dst, IPPROTO_ICMPV6, p->len)));
	memcpy(m + 2, &sum, 2);
	p->csum_state = CSUM_NONE;
	p->trans_off = p->data;
	p->mark = msg->send.has_mark ? msg->send.mark : s->sk.mark;
	p->priority = s->sk.priority;
	raw_charge(r, p);
	inet_count_icmp_out(s->sk.net, v4, m[0]);
	err = ip_send(s->sk.net, &msg->path, &tx, p);
	if (err == -EMSGSIZE)
		inet_error_local(s, EMSGSIZE, &msg->dst, 0, msg->path.mtu);
	else if (err == -ENOBUFS && !inet_wants_errors(s, v4))
		err = 0;
	rcu_read_unlock();
	return err;
}

static ssize_t ping_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct raw_sock *r = raw_sk(sk);
	size_t n = m->iter.count;
	struct raw_message msg;
	struct packet *p;
	int err;

	if (n > 65535)
		return -EMSGSIZE;
	if (n < 8)
		return -EINVAL;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = raw_prepare(r, m, &msg);
	if (err)
		return err;
	p = raw_packet(r, m);
	err = is_err(p) ? ptr_err(p) : packet_from_iter(p, &m->iter, n);
	if (!err && (!packet_need(p, 8) || !is_request(packet_data(p), sk->family == AF_INET)))
		err = -EINVAL;
	if (!err)
		err = transmit(r, p, &msg);
	else if (!is_err(p))
		packet_free(p);
	raw_done(&msg);
	return err ? err : (ssize_t)n;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void ping_close(struct sock *sk)
{
	struct raw_sock *r = raw_sk(sk);

	inet_sock_close(&r->inet);
	spin_lock(&g_lock);
	hlist_del(&r->link);
	spin_unlock(&g_lock);
	raw_purge(r);
}

static int ping_getname(struct sock *sk, struct __kernel_sockaddr_storage *a, bool peer)
{
	return peer && !sk->state ? -ENOTCONN : inet_getname(sk, a, peer);
}

static const struct sock_ops g_ping_ops = {
	.bind = inet_bind,
	.connect = raw_connect,
	.getname = ping_getname,
	.sendmsg = ping_sendmsg,
	.recvmsg = raw_recvmsg,
	.shutdown = raw_shutdown,
	.poll = raw_poll,
	.ioctl = raw_ioctl,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.close = ping_close,
	.destroy = raw_destroy,
};

static struct sock *ping_create(int family, int type, int protocol)
{
	struct raw_sock *r;

	if (!inet_ping_allowed(net_current()))
		return err_ptr(-EACCES);
	r = raw_alloc(&g_ping_ops, &g_inet_ops, family, type, protocol);
	return r ? &r->inet.sk : err_ptr(-ENOBUFS);
}

void ping_show(struct net *net, struct seq_buf *s, bool v6)
{
	seq_puts(s,
		v6 ? "  sl  local_address                         remote_address                        "
		     "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
		   : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		     "uid  timeout inode ref pointer drops\n");
	rcu_read_lock();
	for (u32 b = 0; b < PING_HASH; b++) {
		struct raw_sock *r;

		hlist_for_each_entry(r, &g_pings[b], link) {
			struct inet_sock *i = &r->inet;
			const struct inet_addr *a = &i->local, *o = &i->remote;

			if (i->sk.net != net || (i->sk.family == AF_INET6) != v6)
				continue;
			if (v6)
				seq_printf(s, "%5u: %08X%08X%08X%08X:%04X %08X%08X%08X%08X:%04X",
					ntohs(i->lport) % PING_HASH, a->w[0], a->w[1], a->w[2],
					a->w[3], ntohs(i->lport), o->w[0], o->w[1], o->w[2],
					o->w[3], 0);
			else
				seq_printf(s, "%5u: %08X:%04X %08X:%04X",
					ntohs(i->lport) % PING_HASH, a->w[3], ntohs(i->lport),
					o->w[3], 0);
			seq_printf(s,
				" %02X %08X:%08X 00:00000000 00000000 %5u        0 %llu %d %p %u\n",
				i->sk.state ? 1 : 7, READ_ONCE(r->wmem), r->rx_truesize, i->sk.uid,
				i->sk.ino, (int)ref_read(&i->sk.refs), NULL, r->drops);
		}
	}
	rcu_read_unlock();
}

void ping_init(void)
{
	static struct inet_kind v4 = {
		.type = SOCK_DGRAM, .protocol = IPPROTO_ICMP, .v4 = true, .create = ping_create};
	static struct inet_kind v6 = {
		.type = SOCK_DGRAM, .protocol = IPPROTO_ICMPV6, .v6 = true, .create = ping_create};

	inet_kind_register(&v4);
	inet_kind_register(&v6);
}
