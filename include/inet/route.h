/*
 * Routes, as senders see them. A look-up by flow gives a path: which interface, which next hop,
 * which source address, how large packets may be. It stays good until the namespace's generation
 * changes (a route, an address, an interface, a discovered path MTU), so a connected socket keeps
 * one and asks again only then.
 *
 * struct route is an immutable hop of the tables (or "this machine", "refused"); freed after a
 * grace period: under rcu_read_lock() a path needs no reference.
 */
#ifndef INET_ROUTE_H
#define INET_ROUTE_H

#include <core/rcu.h>
#include <core/refcount.h>
#include <inet/addr.h>
#include <linux/rtnetlink.h>
#include <net/netif.h>
#include <net/packet.h>

struct flow {
	struct inet_addr local; /* any: to be chosen */
	struct inet_addr remote;
	int oif; /* interface it has to leave by; 0: any */
	int iif; /* for rules; 0: from this machine */
	u32 mark;
	kuid_t uid;
	u16 lport, rport; /* network byte order; for rules and multipath */
	u8 proto;
	u8 tos;   /* IPv4's TOS or IPv6's traffic class */
	u8 flags; /* FLOW_* */
};
#define FLOW_FREE_SOURCE 1u /* local need not be an address of ours (transparent, HDRINCL) */
#define FLOW_DONTROUTE   2u /* on-link destinations only */

struct route {
	struct refcount refs;
	struct rcu_head rcu;
	struct netif *dev;        /* one reference; NULL with an error */
	struct inet_addr gateway; /* any: on link */
	struct inet_addr source;  /* preferred; any: choose */
	u8 type;                  /* RTN_* */
	u8 scope;                 /* RT_SCOPE_* */
	bool onlink;
	int err;         /* RTN_UNREACHABLE and so on: negative errno */
	u32 mtu;         /* 0: the interface's */
	bool mtu_locked; /* no path MTU discovery */
	u32 advmss, hoplimit, window, initcwnd, initrwnd, rto_min_ms, quickack; /* 0: not set */
	u32 features;                                                           /* RTAX_FEATURE_* */
};

struct ip_path {
	struct route *rt;
	struct inet_addr source;  /* the flow's, or chosen */
	struct inet_addr nexthop; /* whom to resolve on rt->dev */
	u32 mtu;                  /* bytes of an IP packet; at least 68 or 1280 */
	u32 gen;                  /* of the namespace when looked up */
	u8 type;                  /* RTN_UNICAST RTN_LOCAL RTN_BROADCAST RTN_MULTICAST */
};

/*
 * Where does the flow go? 0 and *out, good as long as RCU is held (get_route to keep it).
 * -ENETUNREACH (no route), -EHOSTUNREACH, -EACCES (prohibit), -EINVAL (blackhole, or a local
 * address that isn't ours), -ENODEV (oif is gone), -EADDRNOTAVAIL (no source address).
 */
int route_lookup(struct net *net, const struct flow *f, struct ip_path *out) must_check;
static inline void get_route(struct route *rt)
{
	ref_get(&rt->refs);
}
void put_route(struct route *rt); /* any context; NULL allowed */

u32 route_gen(const struct net *net); /* atomic */
void route_gen_bump(struct net *net); /* everything cached is looked up anew */
static inline bool ip_path_good(const struct net *net, const struct ip_path *p)
{
	return p->rt && p->gen == route_gen(net);
}
/* A smaller MTU towards remote was reported. Ignored below 68 (min_pmtu) or 1280, or when locked. */
void route_set_pmtu(struct net *net, const struct inet_addr *remote, int oif, u32 mtu);

/* What is addr here? RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, else RTN_UNICAST. ifindex 0: any. */
u8 addr_type(struct net *net, const struct inet_addr *a, int ifindex);
/* May a socket bind to it? As addr_type but for tentative addresses. RCU. */
bool addr_is_ours(struct net *net, const struct inet_addr *a, int ifindex);

#endif
