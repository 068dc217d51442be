/* Raw sockets: raw(7), RFC 3542 3. Every packet of the protocol, before its own handler gets it. */
#include "raw.h"
#include <core/init.h>
#include <core/trace.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <lib/seq_buf.h>
#include <raw/raw.h>

static struct hlist_head g_socks[256]; /* by protocol, all namespaces: RCU; g_lock */
static DEFINE_SPINLOCK(g_lock, RANK_SOCKET_LEAF);

/* ---- input --------------------------------------------------------------------------------------
 */

static bool type_wanted(const struct raw_sock *r, u8 type, bool v4)
{
	if (v4)
		return type > 31 || !(r->filter[0] >> type & 1);
	return !(r->filter[type / 32] >> type % 32 & 1);
}

static bool matches(struct raw_sock *r, struct packet *p)
{
	struct inet_sock *s = &r->inet;
	struct ip_rx *rx = ip_rx(p);
	bool v4 = addr_is_v4(&rx->dst);

	if (s->sk.net != p->dev->net || (s->sk.family == AF_INET) != v4 ||
		!inet_dev_ok(s, p->ifindex))
		return false;
	if (!addr_is_any(&s->local) && !addr_eq(&s->local, &rx->dst))
		return false;
	if (s->sk.state && !addr_eq(&s->remote, &rx->src))
		return false;
	if (rx->flags & IP_RX_MULTICAST && !inet_mc_allowed(s, &rx->dst, &rx->src, p->ifindex))
		return false;
	if (rx->proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) && p->len) {
		u8 type;

		packet_copy_out(p, 0, &type, 1);
		return type_wanted(r, type, v4);
	}
	return true;
}

/* The sum of an IPv6 packet, where the socket says one is (ICMPv6: always). */
static bool sum_ok(struct raw_sock *r, struct packet *p)
{
	struct ip_rx *rx = ip_rx(p);

	if (addr_is_v4(&rx->dst) || r->csum_offset < 0)
		return true;
	return packet_csum_ok(p, ip_pseudo_sum(&rx->src, &rx->dst, rx->proto, p->len));
}

bool raw_input(struct packet *p)
{
	bool v4 = addr_is_v4(&ip_rx(p)->dst), taken = false;
	struct raw_sock *r;

	hlist_for_each_entry(r, &g_socks[ip_rx(p)->proto], link) {
		struct packet *copy;

		if (!matches(r, p))
			continue;
		taken = true;
		copy = packet_clone(p, GFP_ATOMIC);
		if (!copy)
			continue;
		copy->dev = p->dev;
		copy->ifindex = p->ifindex;
		memcpy(copy->cb, p->cb, sizeof(copy->cb));
		if (!sum_ok(r, copy)) {
			packet_free(copy);
			continue;
		}
		packet_csum_finish(copy);
		if (v4) /* with the IP header */
			packet_push(copy, copy->data - copy->net_off);
		raw_enqueue(r, copy);
	}
	return taken;
}

void raw_error(struct net *net, const struct icmp_event *e, u8 proto)
{
	struct raw_sock *r;

	hlist_for_each_entry(r, &g_socks[proto], link) {
		struct inet_sock *s = &r->inet;

		if (s->sk.net != net || (s->sk.family == AF_INET) != addr_is_v4(&e->remote))
			continue;
		if (!addr_is_any(&s->local) && !addr_eq(&s->local, &e->local))
			continue;
		if (s->sk.state && !addr_eq(&s->remote, &e->remote))
			continue;
		raw_error_to(r, e, 0);
	}
}

/* ---- sending ------------------------------------------------------------------------------------
 */

/* The program's own IPv4 header: what it left open is filled in. */
static int fill_header(struct packet *p, const struct ip_path *path)
{
	struct iphdr *h;
	u32 hl;

	if (!packet_need(p, 20))
		return -EINVAL;
	h = (struct iphdr *)packet_data(p);
	hl = h->ihl * 4u;
	if (hl < 20 || !packet_need(p, hl))
		return -EINVAL;
	h = (struct iphdr *)packet_data(p);
	if (!h->saddr)
		h->saddr = path->source.w[3];
	h->tot_len = htons(p->len);
	if (!h->id)
		h->id = (u16)random_u64();
	h->check = 0;
	h->check = checksum_fold(checksum_add(0, h, hl));
	return 0;
}

static int put_sum(struct raw_sock *r, struct packet *p, const struct ip_tx *tx)
{
	u32 off = (u32)r->csum_offset;
	u16 sum;

	if (r->csum_offset < 0)
		return 0;
	if (off + 2 > p->len || !packet_need(p, off + 2))
		return -EINVAL;
	put_be16(packet_data(p) + off, 0);
	sum = checksum_fold(packet_checksum(
		p, 0, p->len, ip_pseudo_sum(&tx->src, &tx->dst, tx->proto, p->len)));
	if (!sum && tx->proto == IPPROTO_UDP)
		sum = 0xffff;
	memcpy(packet_data(p) + off, &sum, 2);
	return 0;
}

static int transmit(struct raw_sock *r, struct packet *p, struct raw_message *msg, bool own_header)
{
	struct inet_sock *s = &r->inet;
	struct ip_tx tx;
	int err;

	rcu_read_lock();
	inet_send_tx(s, &msg->send, &msg->path, &msg->dst, &tx);
	p->mark = msg->send.has_mark ? msg->send.mark : s->sk.mark;
	p->priority = s->sk.priority;
	p->csum_state = CSUM_NONE;
	p->trans_off = p->data;
	if (s->sk.family == AF_INET6 && s->sk.protocol == IPPROTO_RAW && msg->port)
		tx.proto = (u8)ntohs(msg->port);
	if (own_header) {
		p->net_off = p->data;
		p->protocol = s->sk.family == AF_INET ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
		err = s->sk.family == AF_INET ? fill_header(p, &msg->path) : 0;
		if (!err && p->len > msg->path.rt->dev->mtu)
			err = -EMSGSIZE;
		if (err) {
			packet_free(p);
			goto out;
		}
		raw_charge(r, p);
		err = ip_send_raw(s->sk.net, &msg->path, p, tx.mc_loop);
	} else {
		err = s->sk.family == AF_INET6 ? put_sum(r, p, &tx) : 0;
		if (err) {
			packet_free(p);
			goto out;
		}
		raw_charge(r, p);
		err = ip_send(s->sk.net, &msg->path, &tx, p);
	}
	if (err == -EMSGSIZE)
		inet_error_local(s, EMSGSIZE, &msg->dst, msg->port, msg->path.mtu);
	else if (err == -ENOBUFS && !inet_wants_errors(s, s->sk.family == AF_INET))
		err = 0;
out:
	rcu_read_unlock();
	return err;
}

static ssize_t raw_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct raw_sock *r = raw_sk(sk);
	size_t n = m->iter.count;
	struct raw_message msg;
	struct packet *p;
	bool own = inet_flag(&r->inet, sk->family == AF_INET ? INF_HDRINCL : INF_HDRINCL6);
	int err;

	if (n > 65535)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	err = raw_prepare(r, m, &msg);
	if (err)
		return err;
	if (!(m->flags & MSG_PROBE)) {
		p = raw_packet(r, m);
		err = is_err(p) ? ptr_err(p) : packet_from_iter(p, &m->iter, n);
		if (err && !is_err(p))
			packet_free(p);
		else if (!err)
			err = transmit(r, p, &msg, own);
	}
	raw_done(&msg);
	return err ? err : (ssize_t)n;
}

/* ---- options ------------------------------------------------------------------------------------
 */

static int set_checksum(struct raw_sock *r, const void __user *val, u32 len)
{
	int v, err = sockopt_int(val, len, &v);

	if (err)
		return err;
	if (r->inet.sk.protocol == IPPROTO_ICMPV6)
		return v == 2 ? 0 : -EINVAL;
	if (v > 0 && v & 1)
		return -EINVAL;
	r->csum_offset = v < 0 ? -1 : v;
	return 0;
}

static bool is_checksum(const struct sock *sk, int level, int name)
{
	return sk->family == AF_INET6 && (level == SOL_RAW || level == SOL_IPV6) &&
		name == IPV6_CHECKSUM;
}
/* Bytes of the filter that (level, name) sets; 0: it is none, or not of this socket. */
static u32 filter_size(const struct sock *sk, int level, int name)
{
	if (level == SOL_RAW && name == 1 && sk->family == AF_INET && sk->protocol == IPPROTO_ICMP)
		return 4; /* ICMP_FILTER */
	if (level == SOL_ICMPV6 && name == 1 && sk->family == AF_INET6 &&
		sk->protocol == IPPROTO_ICMPV6)
		return 32; /* ICMPV6_FILTER */
	return 0;
}

static int raw_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	struct raw_sock *r = raw_sk(sk);
	u32 size = filter_size(sk, level, name), filter[8];

	if (is_checksum(sk, level, name))
		return set_checksum(r, val, len);
	if (size) {
		memcpy(filter, r->filter, sizeof(filter));
		if (copy_from_user(filter, val, min(len, size)))
			return -EFAULT;
		spin_lock(&sk->lock);
		memcpy(r->filter, filter, sizeof(filter));
		spin_unlock(&sk->lock);
		return 0;
	}
	if (level == SOL_RAW && sk->family == AF_INET && name == 1)
		return -EOPNOTSUPP;
	return inet_setsockopt(sk, level, name, val, len);
}

static int raw_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct raw_sock *r = raw_sk(sk);
	u32 size = filter_size(sk, level, name);

	if (is_checksum(sk, level, name))
		return sockopt_put_int(val, len, r->csum_offset);
	if (size)
		return sockopt_put(val, len, r->filter, size);
	if (level == SOL_RAW && sk->family == AF_INET && name == 1)
		return -EOPNOTSUPP;
	return inet_getsockopt(sk, level, name, val, len);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static int raw_getname(struct sock *sk, struct __kernel_sockaddr_storage *a, bool peer)
{
	int len;

	if (peer && !sk->state)
		return -ENOTCONN;
	len = inet_getname(sk, a, peer);
	if (len == (int)sizeof(struct sockaddr_in) && !peer)
		((struct sockaddr_in *)a)->sin_port = htons(sk->protocol);
	else if (len > 0 && !peer)
		((struct sockaddr_in6 *)a)->sin6_port = htons(sk->protocol);
	return len;
}

static void raw_close(struct sock *sk)
{
	struct raw_sock *r = raw_sk(sk);

	inet_sock_close(&r->inet);
	spin_lock(&g_lock);
	hlist_del(&r->link);
	spin_unlock(&g_lock);
	raw_purge(r);
}

static const struct inet_ops g_inet_ops = {NULL, NULL};
static const struct sock_ops g_raw_ops = {
	.bind = inet_bind,
	.connect = raw_connect,
	.getname = raw_getname,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.shutdown = raw_shutdown,
	.poll = raw_poll,
	.ioctl = raw_ioctl,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.close = raw_close,
	.destroy = raw_destroy,
};

static struct sock *raw_create(int family, int type, int protocol)
{
	struct raw_sock *r;

	if (!capable(CAP_NET_RAW))
		return err_ptr(-EPERM);
	if (protocol > 255)
		return err_ptr(-EPROTONOSUPPORT);
	r = raw_alloc(&g_raw_ops, &g_inet_ops, family, type, protocol);
	if (!r)
		return err_ptr(-ENOBUFS);
	if (protocol == IPPROTO_RAW)
		inet_flag_set(&r->inet, family == AF_INET ? INF_HDRINCL : INF_HDRINCL6, true);
	if (family == AF_INET6 && protocol == IPPROTO_ICMPV6)
		r->csum_offset = 2;
	spin_lock(&g_lock);
	hlist_add_head(&r->link, &g_socks[protocol]);
	spin_unlock(&g_lock);
	return &r->inet.sk;
}

/* ---- /proc/net/raw ------------------------------------------------------------------------------
 */

void raw_show_sockstat(struct net *net, struct seq_buf *s, bool v6)
{
	struct raw_sock *r;
	u32 n = 0;

	rcu_read_lock();
	for (u32 proto = 0; proto < 256; proto++)
		hlist_for_each_entry(r, &g_socks[proto], link)
			n += r->inet.sk.net == net && (r->inet.sk.family == AF_INET6) == v6;
	rcu_read_unlock();
	seq_printf(s, "%s: inuse %u\n", v6 ? "RAW6" : "RAW", n);
}

void raw_show(struct net *net, struct seq_buf *s, bool v6)
{
	seq_puts(s,
		v6 ? "  sl  local_address                         remote_address                        "
		     "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
		   : "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   "
		     "uid  timeout inode ref pointer drops\n");
	rcu_read_lock();
	for (u32 proto = 0; proto < 256; proto++) {
		struct raw_sock *r;

		hlist_for_each_entry(r, &g_socks[proto], link) {
			struct inet_sock *i = &r->inet;
			const struct inet_addr *a = &i->local, *b = &i->remote;

			if (i->sk.net != net || (i->sk.family == AF_INET6) != v6)
				continue;
			if (v6)
				seq_printf(s, "%4u: %08X%08X%08X%08X:%04X %08X%08X%08X%08X:%04X",
					proto, a->w[0], a->w[1], a->w[2], a->w[3], proto, b->w[0],
					b->w[1], b->w[2], b->w[3], 0);
			else
				seq_printf(s, "%4u: %08X:%04X %08X:%04X", proto, a->w[3], proto,
					b->w[3], 0);
			seq_printf(s,
				" %02X %08X:%08X 00:00000000 00000000 %5u        0 %llu %d %p %u\n",
				i->sk.state ? 1 : 7, READ_ONCE(r->wmem), r->rx_truesize, i->sk.uid,
				i->sk.ino, (int)ref_read(&i->sk.refs), NULL, r->drops);
		}
	}
	rcu_read_unlock();
}

static int init(void)
{
	static struct inet_kind kind = {.type = SOCK_RAW,
		.protocol = IPPROTO_IP,
		.v4 = true,
		.v6 = true,
		.create = raw_create};
	static const struct inet_raw_hooks hooks = {raw_input, raw_error, ping_input, ping_error};

	inet_kind_register(&kind);
	ping_init();
	inet_set_raw_hooks(&hooks);
	return 0;
}
INIT_HOOK(INIT_DEVICE, init);
