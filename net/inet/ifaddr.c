/*
 * Addresses of interfaces: a hash of all, a list per interface, the routes that come with each.
 * Config lock to write, RCU to read.
 */
#include "inet.h"
#include <sched/work.h>

void put_ifaddr(struct ifaddr *ia)
{
	if (ref_put(&ia->refs)) {
		put_inet_dev(ia->dev);
		rcu_kfree(ia, rcu);
	}
}

struct ifaddr *ifaddr_find(struct inet_net *in, const struct inet_addr *a, int ifindex)
{
	struct ifaddr *ia;

	hlist_for_each_entry(ia, &in->addrs[addr_hash(a) >> (32 - ADDR_HASH_BITS)], hash)
		if (addr_eq(&ia->addr, a) && (!ifindex || ia->dev->dev->ifindex == ifindex))
			return ia;
	return NULL;
}

u8 ifaddr_scope(const struct inet_addr *a)
{
	if (addr_is_loopback(a))
		return RT_SCOPE_HOST;
	if (addr_is_v4(a))
		return a->b[12] == 169 && a->b[13] == 254 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	if (addr_is_v6_link_local(a))
		return RT_SCOPE_LINK;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? RT_SCOPE_SITE : RT_SCOPE_UNIVERSE;
}

struct ifaddr *ifaddr_new(struct inet_dev *d, const struct inet_addr *a, u8 prefix)
{
	struct ifaddr *ia = kzalloc(sizeof(*ia), GFP_KERNEL);

	if (!ia)
		return NULL;
	ref_init(&ia->refs, 1);
	get_inet_dev(d);
	ia->dev = d;
	ia->addr = ia->peer = *a;
	ia->prefix = prefix;
	ia->broadcast = addr_any(addr_family(a));
	ia->scope = ifaddr_scope(a);
	ia->created_ns = ia->updated_ns = clock_mono_ns();
	ia->preferred_ns = ia->valid_ns = TIME_NEVER;
	return ia;
}

/* ---- the routes of an address -------------------------------------------------------------------
 */

#define V6_KERNEL_METRIC 256

static u32 v4_mask(u8 prefix)
{
	return prefix ? htonl(U32_MAX << (32 - prefix)) : 0;
}

static void routes4(struct ifaddr *ia, bool add, bool prefix_too)
{
	struct inet_net *in = ia->dev->in;
	struct netif *dev = ia->dev->dev;
	u32 mask = v4_mask(ia->prefix), net = ia->peer.w[3] & mask;
	struct inet_addr network = addr_v4(net), last = addr_v4(net | ~mask);
	int i = dev->ifindex;

#define ROUTE(table, type, dst, len, scope)                                      \
	do {                                                                     \
		if (add)                                                         \
			fib_add_kernel(in, table, type, dst, len, i, &ia->addr,  \
				table == RT_TABLE_MAIN ? ia->metric : 0, scope); \
		else                                                             \
			fib_del_kernel(in, table, type, dst, len, i, 0);         \
	} while (0)
	ROUTE(RT_TABLE_LOCAL, RTN_LOCAL, &ia->addr, 32, RT_SCOPE_HOST);
	if (!netif_running(dev) && add)
		return;
	if (!addr_is_any(&ia->broadcast) && ia->broadcast.w[3] != U32_MAX)
		ROUTE(RT_TABLE_LOCAL, RTN_BROADCAST, &ia->broadcast, 32, RT_SCOPE_LINK);
	if (!prefix_too || net == 0 || (ia->prefix == 32 && addr_eq(&ia->peer, &ia->addr)))
		return;
	if (!(ia->flags & IFA_F_NOPREFIXROUTE)) {
		if (dev->flags & IFF_LOOPBACK)
			ROUTE(RT_TABLE_LOCAL, RTN_LOCAL, &network, ia->prefix, RT_SCOPE_HOST);
		else
			ROUTE(RT_TABLE_MAIN, RTN_UNICAST, &network, ia->prefix, RT_SCOPE_LINK);
	}
	if (ia->prefix < 31 && !addr_eq(&last, &ia->broadcast))
		ROUTE(RT_TABLE_LOCAL, RTN_BROADCAST, &last, 32, RT_SCOPE_LINK);
#undef ROUTE
}

static void routes6(struct ifaddr *ia, bool add, bool prefix_too)
{
	struct inet_net *in = ia->dev->in;
	int i = ia->dev->dev->ifindex;
	u32 metric = ia->metric ? ia->metric : V6_KERNEL_METRIC;

	if (add)
		fib_add_kernel(in, RT_TABLE_LOCAL, RTN_LOCAL, &ia->addr, 128, i, NULL, 0, 0);
	else
		fib_del_kernel(in, RT_TABLE_LOCAL, RTN_LOCAL, &ia->addr, 128, i, 0);
	if (!prefix_too || ia->flags & IFA_F_NOPREFIXROUTE)
		return;
	if (!netif_running(ia->dev->dev) && add)
		return;
	if (add)
		fib_add_kernel(
			in, RT_TABLE_MAIN, RTN_UNICAST, &ia->peer, ia->prefix, i, NULL, metric, 0);
	else
		fib_del_kernel(in, RT_TABLE_MAIN, RTN_UNICAST, &ia->peer, ia->prefix, i, metric);
}

/* Does another address of the interface stand for the same prefix? */
static bool prefix_shared(const struct ifaddr *ia)
{
	u32 bits = (addr_is_v4(&ia->addr) ? 96u : 0u) + ia->prefix;
	struct ifaddr *o;

	list_for_each_entry(o, &ia->dev->addrs[fam(&ia->addr)], link)
		if (o != ia && o->prefix == ia->prefix && addr_prefix_eq(&o->peer, &ia->peer, bits))
			return true;
	return false;
}

static void address_routes(struct ifaddr *ia, bool add)
{
	bool prefix = !prefix_shared(ia);

	if (addr_is_v4(&ia->addr))
		routes4(ia, add, add ? prefix || !(ia->flags & IFA_F_SECONDARY) : prefix);
	else
		routes6(ia, add, prefix);
	route_gen_bump(ia->dev->in->net);
}

void ifaddr_routes(struct ifaddr *ia)
{
	if (addr_is_v4(&ia->addr))
		routes4(ia, true, !(ia->flags & IFA_F_SECONDARY));
	else
		routes6(ia, true, true);
	route_gen_bump(ia->dev->in->net);
}

/* ---- coming and going ---------------------------------------------------------------------------
 */

static void tell(struct ifaddr *ia, bool del)
{
	if (g_route_events.addr)
		g_route_events.addr(ia, del);
}

static void join_solicited(struct ifaddr *ia, bool join)
{
	struct inet_addr group = addr_solicited(&ia->addr);
	struct ifaddr *o;

	list_for_each_entry(o, &ia->dev->addrs[1], link)
		if (o != ia && !memcmp(o->addr.b + 13, ia->addr.b + 13, 3))
			return; /* the group is in use by another address */
	if (join && mc_join_dev(ia->dev, &group))
		log_warn("inet: can't join the group of an address");
	else if (!join)
		mc_leave_dev(ia->dev, &group);
}

/* IPv4: a second address of a prefix is secondary to the first. */
static int place4(struct ifaddr *ia)
{
	struct ifaddr *o;

	list_for_each_entry(o, &ia->dev->addrs[0], link) {
		if (o->prefix != ia->prefix ||
			!addr_prefix_eq(&o->peer, &ia->peer, 96u + ia->prefix))
			continue;
		if (addr_eq(&o->addr, &ia->addr))
			return -EEXIST;
		ia->flags |= IFA_F_SECONDARY;
	}
	return 0;
}

int ifaddr_add(struct ifaddr *ia)
{
	struct inet_dev *d = ia->dev;
	bool v4 = addr_is_v4(&ia->addr);
	int err = 0;

	if (d->dead)
		err = -ENODEV;
	else if (v4)
		err = place4(ia);
	else if (ifaddr_find(d->in, &ia->addr, d->dev->ifindex))
		err = -EEXIST;
	if (err) {
		put_ifaddr(ia);
		return err;
	}
	hlist_add_head(&ia->hash, &d->in->addrs[addr_hash(&ia->addr) >> (32 - ADDR_HASH_BITS)]);
	list_add_tail(&ia->link, &d->addrs[!v4]);
	if (v4) /* from now on its variables are its own */
		d->own[INET_CONF4] = d->own[INET_NEIGH4] = U64_MAX;
	if (!v4)
		join_solicited(ia, true);
	if (v4) {
		address_routes(ia, true);
	} else if (netif_running(d->dev)) {
		address_routes(ia, true);
		addrconf_start_dad(ia);
	}
	tell(ia, false);
	if (v4 && netif_running(d->dev) && (d->conf.arp_notify || d->in->conf_all.arp_notify))
		arp_announce(d, &ia->addr);
	addrconf_arm(d);
	return 0;
}

/* The first secondary of a prefix takes the place of the primary that goes. */
static void promote(struct ifaddr *gone)
{
	struct inet_dev *d = gone->dev;
	struct ifaddr *o, *next;
	bool may = d->conf.promote_secondaries || d->in->conf_all.promote_secondaries;

	list_for_each_entry_safe(o, next, &d->addrs[0], link) {
		if (!(o->flags & IFA_F_SECONDARY) || o->prefix != gone->prefix ||
			!addr_prefix_eq(&o->peer, &gone->peer, 96u + gone->prefix))
			continue;
		if (!may) {
			ifaddr_remove(o);
			continue;
		}
		o->flags &= ~(u32)IFA_F_SECONDARY;
		address_routes(o, true);
		tell(o, false);
		return;
	}
}

void ifaddr_remove(struct ifaddr *ia)
{
	struct inet_dev *d = ia->dev;
	bool v4 = addr_is_v4(&ia->addr);

	list_del_rcu(&ia->link);
	hlist_del(&ia->hash);
	if (!v4)
		join_solicited(ia, false);
	address_routes(ia, false);
	if (!ifaddr_find(d->in, &ia->addr, 0))
		fib_source_gone(d->in, &ia->addr);
	tell(ia, true);
	if (v4 && !(ia->flags & IFA_F_SECONDARY))
		promote(ia);
	put_ifaddr(ia);
}

void ifaddr_changed(struct ifaddr *ia)
{
	route_gen_bump(ia->dev->in->net);
	tell(ia, false);
	addrconf_arm(ia->dev);
}

/* ---- source addresses ---------------------------------------------------------------------------
 */

static bool source4_of(
	struct inet_dev *d, const struct inet_addr *dst, u8 scope, struct inet_addr *out)
{
	struct ifaddr *ia;
	bool found = false;

	list_for_each_entry_rcu(ia, &d->addrs[0], link) {
		if (ia->flags & IFA_F_SECONDARY || ia->scope > scope)
			continue;
		if (addr_prefix_eq(&ia->peer, dst, 96u + ia->prefix)) {
			*out = ia->addr;
			return true;
		}
		if (!found) {
			*out = ia->addr;
			found = true;
		}
	}
	return found;
}

bool ifaddr_source4(struct inet_net *in, struct netif *dev, const struct inet_addr *dst, u8 scope,
	struct inet_addr *out)
{
	struct inet_dev *d = inet_dev(dev);

	if (d && source4_of(d, dst, scope, out))
		return true;
	/* Any other interface's, if it is good beyond its link. */
	for (dev = netif_next(in->net, 0); dev; dev = netif_next(in->net, dev->ifindex)) {
		struct ifaddr *ia;

		d = inet_dev(dev);
		if (!d)
			continue;
		list_for_each_entry_rcu(ia, &d->addrs[0], link)
			if (ia->scope != RT_SCOPE_LINK && ia->scope <= scope) {
				*out = ia->addr;
				return true;
			}
	}
	return false;
}

/* RFC 6724, 2.1 (labels) and 3.1 (scopes). */
static u32 label_of(const struct inet_addr *a)
{
	static const struct {
		u8 bytes[4], bits;
		u8 label;
	} table[] = {
		{{0xfc}, 7, 5},
		{{0x20, 0x02}, 16, 2},
		{{0x20, 0x01, 0, 0x10}, 28, 7},
		{{0x20, 0x01, 0, 0}, 32, 6},
	};

	if (addr_is_loopback(a))
		return 0;
	for (u32 i = 0; i < ARRAY_SIZE(table); i++) {
		struct inet_addr key = {.b = {0}};

		memcpy(key.b, table[i].bytes, 4);
		if (addr_prefix_eq(&key, a, table[i].bits))
			return table[i].label;
	}
	return a->q[0] == 0 && a->w[2] == 0 ? 3 : 1;
}
static u32 scope6(const struct inet_addr *a)
{
	if (a->b[0] == 0xff)
		return a->b[1] & 0xf;
	if (addr_is_loopback(a) || addr_is_v6_link_local(a))
		return 2;
	return a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0xc0 ? 5 : 14;
}

/* Rules 1 to 8 as one number: the better candidate has the larger one. */
static u64 source_score(
	const struct ifaddr *ia, const struct netif *dev, const struct inet_addr *dst, u16 prefs)
{
	u32 want = scope6(dst), have = scope6(&ia->addr), same = 0;
	u64 score = 0;
	bool temporary = ia->flags & IFA_F_TEMPORARY;

	while (same < 128 && addr_prefix_eq(&ia->addr, dst, same + 1) && same < ia->prefix)
		same++;
	score |= (u64)addr_eq(&ia->addr, dst) << 60;
	/* Rule 2: the smallest scope that reaches; else the largest. */
	score |= (u64)(have >= want ? 32 + (16 - have) : have) << 50;
	score |= (u64) !(ia->flags & (IFA_F_DEPRECATED | IFA_F_OPTIMISTIC)) << 48;
	score |= (u64)(ia->dev->dev == dev) << 46;
	score |= (u64)(label_of(&ia->addr) == label_of(dst)) << 44;
	score |= (u64)((prefs & IPV6_PREFER_SRC_TMP) ? temporary : !temporary) << 42;
	return score | same;
}

bool ifaddr_source6(struct inet_net *in, struct netif *dev, const struct inet_addr *dst, u16 prefs,
	struct inet_addr *out)
{
	bool this_only = addr_is_multicast(dst) || addr_is_v6_link_local(dst);
	struct netif *n = this_only ? dev : netif_next(in->net, 0);
	u64 best = 0;

	for (; n; n = this_only ? NULL : netif_next(in->net, n->ifindex)) {
		struct inet_dev *d = inet_dev(n);
		struct ifaddr *ia;

		if (!d)
			continue;
		list_for_each_entry_rcu(ia, &d->addrs[1], link) {
			u64 score;

			if (ia->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) &&
				!(ia->flags & IFA_F_OPTIMISTIC))
				continue;
			if (n != dev && scope6(&ia->addr) == 2)
				continue; /* of another link */
			score = source_score(ia, dev, dst, prefs) | 1ull << 62;
			if (score > best) {
				best = score;
				*out = ia->addr;
			}
		}
	}
	return best != 0;
}
