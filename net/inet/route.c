/*
 * From a flow to a path: the tables' answer, a source address, the path's MTU. RFC 1122 3.3 for
 * IPv4 (weak hosts, as Linux), RFC 6724 for IPv6 sources, RFC 1191 and 8201 for path MTU.
 */
#include "inet.h"
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

u32 route_gen(const struct net *net)
{
	return __atomic_load_n(&inet_net(net)->gen, __ATOMIC_ACQUIRE);
}

void route_gen_bump(struct net *net)
{
	__atomic_fetch_add(&inet_net(net)->gen, 1, __ATOMIC_RELEASE);
}

/* ---- path MTU ---------------------------------------------------------------------------------- */

#define PMTU_MAX 4096 /* destinations; beyond, the oldest of a bucket goes */

struct pmtu {
	struct hlist_node link;
	struct inet_addr addr;
	u32 mtu;
	s64 expires_ns;
	struct rcu_head rcu;
};

static struct hlist_head *pmtu_bucket(struct inet_net *in, const struct inet_addr *a)
{
	u64 h = siphash(a, sizeof(*a), &g_net_secret);

	return &in->pmtu[h >> (64 - PMTU_HASH_BITS)];
}

u32 route_pmtu(struct inet_net *in, const struct inet_addr *remote, u32 mtu)
{
	struct pmtu *e;

	if (likely(!READ_ONCE(in->nr_pmtu)))
		return mtu;
	hlist_for_each_entry(e, pmtu_bucket(in, remote), link)
		if (addr_eq(&e->addr, remote) && e->expires_ns > clock_coarse_mono_ns())
			return min(mtu, READ_ONCE(e->mtu));
	return mtu;
}

void route_set_pmtu(struct net *net, const struct inet_addr *remote, int oif, u32 mtu)
{
	struct inet_net *in = inet_net(net);
	struct hlist_head *bucket = pmtu_bucket(in, remote);
	s64 now = clock_coarse_mono_ns();
	struct pmtu *e, *oldest = NULL, *found = NULL;
	struct flow f = {.remote = *remote, .local = addr_any(addr_family(remote)), .oif = oif};
	struct ip_path path;
	u32 least = addr_is_v4(remote) ? (u32)in->min_pmtu : 1280;

	mtu = max(mtu, least);
	rcu_read_lock();
	if (route_lookup(net, &f, &path) || path.rt->mtu_locked || mtu >= path.mtu) {
		rcu_read_unlock();
		return;
	}
	rcu_read_unlock();
	spin_lock(&in->pmtu_lock);
	hlist_for_each_entry(e, bucket, link) {
		if (addr_eq(&e->addr, remote)) {
			found = e;
			break;
		}
		if (!oldest || e->expires_ns < oldest->expires_ns)
			oldest = e;
	}
	if (!found) {
		if (oldest && (oldest->expires_ns <= now || in->nr_pmtu >= PMTU_MAX)) {
			hlist_del(&oldest->link);
			rcu_kfree(oldest, rcu);
			in->nr_pmtu--;
		}
		found = in->nr_pmtu < PMTU_MAX ? kzalloc(sizeof(*found), GFP_ATOMIC) : NULL;
		if (found) {
			found->addr = *remote;
			found->mtu = mtu;
			found->expires_ns = now + in->pmtu_expires_s * NS_PER_SEC;
			hlist_add_head(&found->link, bucket);
			in->nr_pmtu++;
		}
	} else {
		WRITE_ONCE(found->mtu, mtu);
		WRITE_ONCE(found->expires_ns, now + in->pmtu_expires_s * NS_PER_SEC);
	}
	spin_unlock(&in->pmtu_lock);
	route_gen_bump(net);
}

void inet_route_flush(struct net *net, bool v6)
{
	struct inet_net *in = inet_net(net);

	spin_lock(&in->pmtu_lock);
	for (u32 i = 0; i < 1u << PMTU_HASH_BITS; i++) {
		struct hlist_node *pos = in->pmtu[i].first;

		while (pos) {
			struct pmtu *e = container_of(pos, struct pmtu, link);

			pos = pos->next;
			if (addr_is_v4(&e->addr) == v6)
				continue;
			hlist_del(&e->link);
			rcu_kfree(e, rcu);
			in->nr_pmtu--;
		}
	}
	spin_unlock(&in->pmtu_lock);
	route_gen_bump(net);
}

void route_pmtu_exit(struct inet_net *in)
{
	for (u32 i = 0; i < 1u << PMTU_HASH_BITS; i++)
		while (in->pmtu[i].first) {
			struct pmtu *e = container_of(in->pmtu[i].first, struct pmtu, link);

			hlist_del(&e->link);
			kfree(e);
		}
}

/* ---- what kind of address ---------------------------------------------------------------------- */

u8 addr_type(struct net *net, const struct inet_addr *a, int ifindex)
{
	struct inet_net *in = inet_net(net);
	struct flow f = {.remote = *a, .local = addr_any(addr_family(a)), .oif = ifindex};
	struct fib_result res;
	struct ifaddr *ia;
	u8 type = RTN_UNICAST;

	if (addr_is_multicast(a))
		return RTN_MULTICAST;
	if (addr_is_limited_broadcast(a) || (addr_is_v4(a) && addr_is_any(a)))
		return RTN_BROADCAST;
	rcu_read_lock();
	ia = ifaddr_find(in, a, ifindex);
	if (ia && !(ia->flags & IFA_F_TENTATIVE))
		type = RTN_LOCAL;
	else if (!ia && !fib_table_lookup(in->fib->local, &f, NULL, &res))
		type = res.route->type;
	rcu_read_unlock();
	return type;
}

bool addr_is_ours(struct net *net, const struct inet_addr *a, int ifindex)
{
	return addr_type(net, a, ifindex) == RTN_LOCAL;
}

/* ---- output ------------------------------------------------------------------------------------ */

static u32 path_mtu(struct inet_net *in, const struct route *rt, const struct inet_addr *remote)
{
	u32 mtu = rt->mtu ? rt->mtu : READ_ONCE(rt->dev->mtu);

	if (!addr_is_v4(remote)) {
		struct inet_dev *d = inet_dev(rt->dev);

		if (!rt->mtu && d && d->conf.mtu6 >= 1280)
			mtu = min(mtu, (u32)READ_ONCE(d->conf.mtu6));
	}
	mtu = min(mtu, PACKET_MAX_LEN);
	return rt->mtu_locked ? mtu : route_pmtu(in, remote, mtu);
}

static int done(struct inet_net *in, const struct flow *f, struct route *rt, u8 type,
	const struct inet_addr *source, struct ip_path *out)
{
	out->rt = rt;
	out->type = type;
	out->source = *source;
	out->nexthop = addr_is_any(&rt->gateway) ? f->remote : rt->gateway;
	out->mtu = path_mtu(in, rt, &f->remote);
	out->gen = route_gen(in->net);
	return 0;
}

static bool pick_source(struct inet_net *in, const struct flow *f, struct netif *dev, u8 scope,
	struct inet_addr *out)
{
	if (!addr_is_any(&f->local)) {
		*out = f->local;
		return true;
	}
	if (addr_is_v4(&f->remote))
		return ifaddr_source4(in, dev, &f->remote, scope, out);
	return ifaddr_source6(in, dev, &f->remote, 0, out);
}

/* Straight to the link of dev, without tables: multicast, broadcast, or nothing better. */
static int on_link(
	struct inet_net *in, const struct flow *f, struct netif *dev, u8 type, struct ip_path *out)
{
	struct inet_dev *d = inet_dev(dev);
	struct inet_addr source;

	if (!d || !netif_running(dev))
		return -ENETUNREACH;
	if (!pick_source(in, f, dev, RT_SCOPE_LINK, &source))
		source = addr_any(addr_family(&f->remote));
	return done(in, f, d->onlink, type, &source, out);
}

static int to_this_machine(struct inet_net *in, const struct flow *f,
	const struct inet_addr *prefsrc, struct ip_path *out)
{
	const struct inet_addr *source = !addr_is_any(&f->local) ? &f->local
		: prefsrc && !addr_is_any(prefsrc)               ? prefsrc
								 : &f->remote;

	return done(in, f, in->local_route, RTN_LOCAL, source, out);
}

/* The interface that a multicast or broadcast goes out by, when its source is given. */
static struct netif *dev_of_source(struct inet_net *in, const struct inet_addr *a)
{
	struct ifaddr *ia = ifaddr_find(in, a, 0);

	return ia ? ia->dev->dev : NULL;
}

static int lookup4(struct inet_net *in, const struct flow *f, struct ip_path *out)
{
	bool group = addr_is_multicast(&f->remote), all = addr_is_limited_broadcast(&f->remote);
	struct netif *dev = NULL;
	struct fib_result res;
	struct inet_addr source;
	int err;
	u8 type;

	if (f->oif) {
		dev = netif_by_index(in->net, f->oif);
		if (!dev)
			return -ENODEV;
		if (!netif_running(dev) || !inet_dev(dev))
			return -ENETUNREACH;
	}
	if (!addr_is_any(&f->local)) {
		u8 t = addr_type(in->net, &f->local, 0);

		if (t == RTN_MULTICAST || t == RTN_BROADCAST)
			return -EINVAL;
		if (!dev && (group || all))
			dev = dev_of_source(in, &f->local);
		if (t != RTN_LOCAL && !(f->flags & FLOW_FREE_SOURCE))
			return -EINVAL;
	}
	if (dev && (group || all))
		return on_link(in, f, dev, group ? RTN_MULTICAST : RTN_BROADCAST, out);
	err = fib_lookup(in, f, &res);
	if (err == -ENETUNREACH && dev && !(dev->flags & IFF_LOOPBACK))
		return on_link(in, f, dev, RTN_UNICAST, out);
	if (err)
		return err;
	type = res.route->type;
	if (type == RTN_LOCAL)
		return to_this_machine(in, f, &res.route->prefsrc, out);
	if (group)
		type = RTN_MULTICAST;
	else if (all)
		type = RTN_BROADCAST;
	source = !addr_is_any(&f->local) ? f->local : res.hop->rt->source;
	if (addr_is_any(&source) &&
		!pick_source(in, f, res.hop->rt->dev,
			addr_is_any(&res.hop->rt->gateway) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
			&source))
		source = addr_v4(0);
	return done(in, f, res.hop->rt, type, &source, out);
}

static int lookup6(struct inet_net *in, const struct flow *f, struct ip_path *out)
{
	struct inet_addr source;
	struct fib_result res;
	int err;

	if (f->oif) {
		struct netif *dev = netif_by_index(in->net, f->oif);

		if (!dev)
			return -ENODEV;
		if (!netif_running(dev))
			return -ENETUNREACH;
	}
	if (!addr_is_any(&f->local) && !(f->flags & FLOW_FREE_SOURCE) &&
		!addr_is_ours(in->net, &f->local, addr_is_v6_link_local(&f->local) ? f->oif : 0))
		return -EINVAL;
	err = fib_lookup(in, f, &res);
	if (err)
		return err;
	if (res.route->type == RTN_LOCAL || res.route->type == RTN_ANYCAST)
		return to_this_machine(in, f, NULL, out);
	source = !addr_is_any(&f->local) ? f->local : res.hop->rt->source;
	if (addr_is_any(&source) && !pick_source(in, f, res.hop->rt->dev, 0, &source))
		return -EADDRNOTAVAIL;
	return done(in, f, res.hop->rt, addr_is_multicast(&f->remote) ? RTN_MULTICAST : RTN_UNICAST,
		&source, out);
}

int route_lookup(struct net *net, const struct flow *f, struct ip_path *out)
{
	struct inet_net *in = inet_net(net);
	struct flow mine;

	if (addr_is_any(&f->remote)) { /* "this host" */
		mine = *f;
		if (!addr_is_any(&f->local))
			mine.remote = f->local;
		else if (addr_is_v4(&f->remote))
			mine.remote = addr_v4(htonl(INADDR_LOOPBACK));
		else
			mine.remote.b[15] = 1;
		f = &mine;
	}
	return addr_is_v4(&f->remote) ? lookup4(in, f, out) : lookup6(in, f, out);
}

/* ---- input ------------------------------------------------------------------------------------- */

/* What rules ask for beyond the addresses: only of packets that begin a datagram, and without
 * extension headers. data is at the network header, which is in the linear area. */
static void transport_flow(struct packet *p, bool v4, struct flow *f)
{
	const struct iphdr *h4 = (const void *)packet_data(p);
	const struct ipv6hdr *h6 = (const void *)packet_data(p);
	u32 off = v4 ? h4->ihl * 4u : (u32)sizeof(*h6);
	u16 ports[2];

	f->proto = v4 ? h4->protocol : h6->nexthdr;
	if (v4 && h4->frag_off & htons(0x1fff))
		return;
	if (f->proto != IPPROTO_TCP && f->proto != IPPROTO_UDP && f->proto != IPPROTO_SCTP &&
		f->proto != IPPROTO_DCCP && f->proto != IPPROTO_UDPLITE)
		return;
	if (p->len < off + sizeof(ports))
		return;
	packet_copy_out(p, off, ports, sizeof(ports));
	f->lport = ports[0];
	f->rport = ports[1];
}

/* Is src a source that may come by dev? rp_filter: 1 strict, 2 loose (RFC 3704). */
static bool source_ok(struct inet_net *in, struct packet *p, struct inet_dev *d,
	const struct inet_addr *src, const struct inet_addr *dst, u8 tos)
{
	s32 rp = max(READ_ONCE(d->conf.rp_filter), READ_ONCE(in->conf_all.rp_filter));
	struct flow f = {
		.remote = *src, .local = *dst, .tos = tos, .mark = p->mark, .iif = p->dev->ifindex};
	struct fib_result res;

	if (addr_is_any(src))
		return true; /* 0.0.0.0: checked by the caller */
	if (ifaddr_find(in, src, 0) && !d->conf.accept_local)
		return false;
	if (!rp)
		return true;
	if (fib_lookup(in, &f, &res) || res.route->type != RTN_UNICAST)
		return false;
	return rp == 2 || res.hop->rt->dev == p->dev;
}

static int input_route(struct inet_net *in, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 tos, struct ip_path *out)
{
	struct flow f = {
		.remote = *dst, .local = *src, .tos = tos, .mark = p->mark, .iif = p->dev->ifindex};
	struct fib_result res;
	bool v4 = addr_is_v4(dst);
	int err;

	if (unlikely(READ_ONCE(in->fib->port_rules[!v4])))
		transport_flow(p, v4, &f);
	err = fib_lookup(in, &f, &res);
	if (err)
		return err;
	if (res.route->type != RTN_UNICAST)
		return res.route->type == RTN_ANYCAST ? RTN_LOCAL : res.route->type;
	f.flags |= FLOW_FREE_SOURCE;
	err = done(in, &f, res.hop->rt, RTN_UNICAST, src, out);
	return err ? err : RTN_UNICAST;
}

int route_input(struct inet_net *in, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 tos, struct ip_path *out)
{
	struct inet_dev *d = inet_dev(p->dev);
	bool v4 = addr_is_v4(dst), looped = p->flags & PKT_LOOPED;
	struct ifaddr *ia;

	if (!d)
		return -EINVAL;
	if (addr_is_multicast(src) || addr_is_limited_broadcast(src))
		return -EINVAL;
	if (!looped) {
		bool ours_only = v4 ? !d->conf.route_localnet : true;

		if (ours_only && (addr_is_loopback(src) || addr_is_loopback(dst)))
			return -EINVAL;
		if (v4 && src->b[12] == 0 && !addr_is_any(src))
			return -EINVAL;
		if (v4 && !source_ok(in, p, d, src, dst, tos))
			return -EXDEV;
	}
	if (addr_is_multicast(dst))
		return mc_is_member(d, dst) || looped ? RTN_MULTICAST : -EADDRNOTAVAIL;
	if (addr_is_limited_broadcast(dst))
		return RTN_BROADCAST;
	if (addr_is_any(src) && !looped && v4)
		return -EINVAL;
	ia = ifaddr_find(in, dst, addr_is_v6_link_local(dst) && !looped ? p->dev->ifindex : 0);
	if (ia)
		return ia->flags & IFA_F_TENTATIVE && !(ia->flags & IFA_F_OPTIMISTIC)
			? -EADDRNOTAVAIL
			: RTN_LOCAL;
	return input_route(in, p, src, dst, tos, out);
}
