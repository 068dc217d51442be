/* Inside net/inet: the state of a namespace and what the files show each other. */
#ifndef INET_PRIVATE_H
#define INET_PRIVATE_H

#include <core/counters.h>
#include <core/init.h>
#include <core/log.h>
#include <inet/addr.h>
#include <inet/inet.h>
#include <inet/ip.h>
#include <inet/route.h>
#include <inet/sock.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/netif.h>
#include <sched/work.h>

struct seq_buf;
struct fib_net;
struct neigh;
struct neigh_net;
struct frag_net;

/* Variables of /proc/sys/net/ipv[46]/conf/DEV; atomic ints. */
struct inet_conf {
	s32 forwarding, rp_filter, accept_local, route_localnet, arp_ignore, arp_announce,
		arp_notify, promote_secondaries, force_igmp_version;
	s32 forwarding6, disable6, accept_ra, accept_ra_defrtr, accept_ra_pinfo, accept_ra_mtu,
		autoconf, accept_dad, dad_transmits, hop_limit, mtu6, router_solicitations,
		router_solicitation_interval_s, router_solicitation_delay_s, max_addresses,
		force_mld_version, keep_addr_on_down;
};
#define CONF_DEFAULTS                                                                              \
	{                                                                                          \
		.accept_ra = 1, .accept_ra_defrtr = 1, .accept_ra_pinfo = 1, .accept_ra_mtu = 1,   \
		.autoconf = 1, .accept_dad = 1, .dad_transmits = 1, .hop_limit = 64, .mtu6 = 1280, \
		.router_solicitations = -1, .router_solicitation_interval_s = 4,                   \
		.router_solicitation_delay_s = 1, .max_addresses = 16                              \
	}
/* Of /proc/sys/net/ipv[46]/neigh/DEV. */
struct neigh_conf {
	s32 mcast_solicit, ucast_solicit, unres_qlen_bytes;
	s32 retrans_ms, base_reachable_ms, delay_first_probe_s, gc_stale_s;
};

#define IPTOS_RT_MASK  0x1cu /* bits of the TOS byte that routes look at */
#define ADDR_HASH_BITS 8
#define PMTU_HASH_BITS 8

struct inet_net {
	struct net *net;
	u32 gen; /* atomic: see route_gen */
	struct inet_limits limits;
	u64 *reserved_ports; /* 65536 bits, or NULL; RCU; config lock */
	struct fib_net *fib;
	struct neigh_net *neigh;
	struct frag_net *frag;
	struct hlist_head addrs[1 << ADDR_HASH_BITS]; /* RCU; config lock to write */
	struct hlist_head pmtu[1 << PMTU_HASH_BITS];  /* RCU; pmtu_lock */
	struct spinlock pmtu_lock;                    /* RANK_SOCKET_LEAF */
	u32 nr_pmtu;
	struct route *local_route; /* RTN_LOCAL by the loopback device */
	struct inet_conf conf_all, conf_default;
	struct neigh_conf neigh_default[2]; /* v4, v6 */
	s32 min_pmtu, pmtu_expires_s;
	s32 icmp_echo_ignore_all, icmp_echo_ignore_broadcasts, icmp_ratelimit_ms, icmp_ratemask,
		icmp_msgs_per_sec, icmp_msgs_burst, icmp6_ratelimit_ms, icmp6_echo_ignore_all;
	s32 ping_lo, ping_hi; /* ping_group_range */
	s32 igmp_max_memberships, igmp_max_msf, mld_max_msf, igmp_qrv, mld_qrv;
	s32 ip_forward_use_pmtu;
	struct inet_mib *mib;   /* one per possible CPU */
	struct packet_queue ra; /* router advertisements to be looked at; ra_lock */
	struct spinlock ra_lock;
	struct work ra_work;
};
extern int g_inet_slot; /* set at start-up */
static inline struct inet_net *inet_net(const struct net *net)
{
	return net->slots[g_inet_slot];
}

/* ---- interfaces and their addresses (dev.c, ifaddr.c) ----------------------------------------- */

struct ifaddr {
	struct hlist_node hash; /* RCU; config lock */
	struct list_head link;  /* in dev->addrs: RCU; config lock */
	struct inet_dev *dev;   /* one reference */
	struct inet_addr addr;  /* IFA_LOCAL */
	struct inet_addr peer;  /* IFA_ADDRESS; of the prefix */
	struct inet_addr broadcast;
	u8 prefix; /* bits of 32 or 128 */
	u8 scope;  /* RT_SCOPE_* */
	u8 proto;  /* IFAPROT_* */
	u32 flags; /* IFA_F_*; atomic */
	u32 metric;
	char label[IFNAMSIZ];
	s64 created_ns, updated_ns; /* monotonic */
	s64 preferred_ns, valid_ns; /* absolute; TIME_NEVER */
	u32 dad_left;               /* probes; config lock */
	s64 dad_next_ns;            /* when the next one, or the end */
	u8 dad_nonce[6];            /* RFC 7527: our own probes that come back */
	struct refcount refs;
	struct rcu_head rcu;
};

struct inet_dev {
	struct netif *dev; /* no reference: the netif holds us until it is gone */
	struct inet_net *in;
	struct list_head addrs[2]; /* v4, v6; RCU; config lock to write */
	struct inet_conf conf;
	struct neigh_conf neigh[2];
	u64 own[4]; /* by enum inet_dev_group, bits of variables that were set here; config lock */
	struct route *onlink; /* anything on this link; one reference */
	struct mc_dev *mc;    /* mcast.c */
	bool dead;            /* config lock */
	/* router discovery; config lock */
	s32 rs_sent;
	s64 rs_next_ns, rs_wait_ns; /* TIME_NEVER: not soliciting */
	struct work addr_work;      /* DAD, lifetimes, router solicitations */
	struct timer addr_timer;
	struct refcount refs;
	struct rcu_head rcu;
};
static inline struct inet_dev *inet_dev(const struct netif *n)
{
	return rcu_load(n->proto[NETIF_IPV4]);
}
static inline bool inet_dev_v6(const struct inet_dev *d)
{
	return !READ_ONCE(d->conf.disable6) && !READ_ONCE(d->in->conf_all.disable6) &&
		d->dev->mtu >= 1280;
}
static inline int fam(const struct inet_addr *a) /* index of the family: 0 v4, 1 v6 */
{
	return !addr_is_v4(a);
}
static inline u32 addr_hash(const struct inet_addr *a)
{
	return (u32)hash_u64(a->q[0] * 3 ^ a->q[1]);
}
void get_inet_dev(struct inet_dev *d);
/* Whether IPv6 runs on the interface may have changed: MTU, disable_ipv6. Config lock. */
void inet_dev_v6_changed(struct inet_dev *d);
/* conf_all.forwarding has a new value: each interface follows. Sleeps. */
void inet_ip_forward_changed(struct inet_net *in);
void put_inet_dev(struct inet_dev *d);

/* The address a on interface ifindex (0: any), tentative ones included. RCU or config lock. */
struct ifaddr *ifaddr_find(struct inet_net *in, const struct inet_addr *a, int ifindex);
/* Config lock held; -EEXIST -EINVAL -ENOBUFS. ia is from ifaddr_new and is consumed. */
struct ifaddr *ifaddr_new(struct inet_dev *d, const struct inet_addr *a, u8 prefix) must_check;
int ifaddr_add(struct ifaddr *ia) must_check;
void ifaddr_remove(struct ifaddr *ia);
void ifaddr_routes(struct ifaddr *ia);  /* the interface is up: put them in again */
void ifaddr_changed(struct ifaddr *ia); /* flags, lifetimes: tell, and set the timer */
void put_ifaddr(struct ifaddr *ia);
u8 ifaddr_scope(const struct inet_addr *a); /* RT_SCOPE_* that suits a */
/* Source addresses. scope: the widest allowed. RCU. */
bool ifaddr_source4(struct inet_net *in, struct netif *dev, const struct inet_addr *dst, u8 scope,
	struct inet_addr *out);
bool ifaddr_source6(struct inet_net *in, struct netif *dev, const struct inet_addr *dst, u16 prefs,
	struct inet_addr *out);
int inet_dev_init(void);

/* addrconf.c: IPv6 configures itself. Config lock held. */
void addrconf_up(struct inet_dev *d);
void addrconf_down(struct inet_dev *d);
void addrconf_start_dad(struct ifaddr *ia);
void addrconf_dad_failed(struct ifaddr *ia);
void addrconf_arm(struct inet_dev *d); /* set the timer to the next thing to do */
void addrconf_init_net(struct inet_net *in);
void addrconf_init_dev(struct inet_dev *d);
void addrconf_stop(struct inet_dev *d); /* for good */
/* A router advertisement (ICMPv6 message at data), and the like. Packet context; consumes p. */
void addrconf_ra(struct packet *p);
/* Somebody else uses or claims the tentative address. Packet context. */
void addrconf_conflict(struct inet_net *in, const struct inet_addr *a, int ifindex);

/* ---- routing tables (trie.c, fib.c, rule.c, route.c) ------------------------------------------ */

struct trie_node {
	struct inet_addr key;
	u8 len; /* bits of 128 */
	struct trie_node *child[2];
	struct list_head routes; /* struct fib_route; empty in a mere fork; RCU */
	struct rcu_head rcu;
};
struct trie {
	struct trie_node *root;
};
/* The longest prefix of a with routes, at most limit bits. RCU or config lock. */
struct trie_node *trie_match(const struct trie *t, const struct inet_addr *a, int limit);
struct trie_node *trie_find(const struct trie *t, const struct inet_addr *key, u8 len);
/* The node for key/len, made if missing; NULL: no memory. Config lock. */
struct trie_node *trie_insert(struct trie *t, const struct inet_addr *key, u8 len) must_check;
/* Take out a node without routes. Config lock. */
void trie_remove(struct trie *t, struct trie_node *n);
/* The first node with routes after (key, len) in order; key NULL: the first. */
struct trie_node *trie_next(const struct trie *t, const struct inet_addr *key, u8 len);

#define FIB_MAX_HOPS 64
struct fib_hop {
	struct route *rt;
	u16 weight;            /* 1..256 */
	u8 flags;              /* RTNH_F_DEAD, RTNH_F_LINKDOWN, RTNH_F_ONLINK; atomic */
	bool has_gateway6_via; /* RTA_VIA: IPv4 by an IPv6 neighbour */
};
struct fib_route {
	struct list_head link; /* node->routes, by tos then priority; RCU */
	struct trie_node *node;
	struct inet_addr dst; /* masked */
	u8 len;               /* bits of 32 or 128 */
	u8 tos, type, proto, scope, flags /* RTM_F_* kept */;
	u32 priority, table;
	struct inet_addr prefsrc;
	s64 expires_ns; /* TIME_NEVER */
	u64 order;      /* of insertion */
	u8 pref;        /* ICMPV6_ROUTER_PREF_* */
	u32 metrics[RTAX_MAX + 1];
	u32 nr_hops;
	struct fib_hop hops[]; /* at least one, also for refusals */
};
struct fib_table {
	struct hlist_node hash; /* RCU; config lock */
	u32 id;
	u32 count[2];
	struct trie trie[2];
};
struct fib_rule {
	struct list_head link;       /* by priority; RCU; config lock */
	u32 priority, table, target; /* target: FR_ACT_GOTO */
	u8 action, tos, proto;       /* FR_ACT_*; TOS or traffic class; of IP */
	u8 origin;                   /* RTPROT_*: who made it */
	bool resolved;               /* FR_ACT_GOTO: the target is there */
	u8 src_len, dst_len;         /* of 128 */
	struct inet_addr src, dst;
	char iif[IFNAMSIZ], oif[IFNAMSIZ];
	u32 mark, mark_mask, flags; /* FIB_RULE_INVERT... */
	kuid_t uid_lo, uid_hi;
	bool has_uid;
	s32 suppress_prefixlen;                     /* -1: none */
	u16 sport_lo, sport_hi, dport_lo, dport_hi; /* host order; 0: any */
	struct rcu_head rcu;
};
#define TABLE_HASH 64
struct fib_net {
	struct hlist_head tables[TABLE_HASH];
	struct fib_table *local, *main; /* never freed: the usual two */
	struct list_head rules[2];
	bool usual_rules[2]; /* local, main, default and nothing else: look at two tables */
	bool port_rules[2];  /* some ask for protocol or ports */
	u64 order;
	u32 nr_expiring;
};
struct fib_result {
	const struct fib_route *route;
	const struct fib_hop *hop;
};
/* RCU. 0, or the errors of route_lookup. */
int fib_lookup(struct inet_net *in, const struct flow *f, struct fib_result *out) must_check;
int fib_table_lookup(struct fib_table *t, const struct flow *f, const struct fib_rule *rule,
	struct fib_result *out) must_check;                   /* -EAGAIN: not in this table */
struct fib_table *fib_table_get(struct inet_net *in, u32 id); /* NULL */
struct fib_table *fib_table_make(struct inet_net *in, u32 id) must_check;
int fib_net_init(struct inet_net *in) must_check;
void fib_net_exit(struct inet_net *in);

/* A route as users give it. */
struct fib_hop_spec {
	int ifindex;
	struct inet_addr gateway; /* any: none */
	u16 weight;
	u8 flags;
};
struct fib_spec {
	struct inet_addr dst;
	u8 len, tos, type, proto, scope;
	bool has_priority, has_dst;
	u32 priority, table;
	struct inet_addr prefsrc; /* any: none */
	u32 metrics[RTAX_MAX + 1];
	s64 expires_ns;
	u8 pref;
	u32 nr_hops;
	struct fib_hop_spec hops[FIB_MAX_HOPS];
	const char *why; /* out: the extended ack of an error */
};
/* nlflags: NLM_F_*. Config lock. -EEXIST -ENOENT -EINVAL -ENETUNREACH -ENODEV -ENETDOWN -ENOMEM */
int fib_add(struct inet_net *in, struct fib_spec *s, u16 nlflags) must_check;
int fib_delete(struct inet_net *in, struct fib_spec *s) must_check; /* -ESRCH */
void fib_spec_init(struct fib_spec *s, int family);
/* Routes that the kernel keeps with an address or an interface. */
void fib_add_kernel(struct inet_net *in, u32 table, u8 type, const struct inet_addr *dst, u8 len,
	int ifindex, const struct inet_addr *prefsrc, u32 priority, u8 scope);
void fib_del_kernel(struct inet_net *in, u32 table, u8 type, const struct inet_addr *dst, u8 len,
	int ifindex, u32 priority);
void fib_dev_down(struct inet_net *in, struct netif *dev, int families, bool gone);
/* Routes with several hops use those by dev again. */
void fib_dev_up(struct inet_net *in, const struct netif *dev);
void fib_source_gone(struct inet_net *in, const struct inet_addr *a);
void fib_expire(struct inet_net *in, s64 now);
/* Each route of a table in order from *pos on; config lock. fn false: stop. */
void fib_each(struct fib_table *t, int family_index, bool (*fn)(struct fib_route *r, void *arg),
	void *arg);
/* rule.c */
int fib_rule_lookup(struct inet_net *in, const struct flow *f, struct fib_result *out) must_check;
int fib_rules_init(struct inet_net *in) must_check;
int fib_rule_add(struct inet_net *in, int family, struct fib_rule *r, bool excl) must_check;
/* The first rule that has all that want says; NULL. */
struct fib_rule *fib_rule_find(struct inet_net *in, int family, const struct fib_rule *want);
void fib_rule_remove(struct inet_net *in, int family, struct fib_rule *r);
/* Told to rtnetlink (nl_*.c); config lock. */
struct route_events {
	void (*route)(struct inet_net *in, const struct fib_route *r, bool del);
	void (*addr)(struct ifaddr *ia, bool del);
	void (*rule)(struct inet_net *in, int family, const struct fib_rule *r, bool del);
	void (*neigh)(struct net *net, struct neigh *n, bool del);
};
extern struct route_events g_route_events;
struct route *route_new(struct netif *dev, u8 type, int err) must_check;

/* What input does with a packet: RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST, RTN_UNICAST (forward
 * along *out), or an error. RCU. */
int route_input(struct inet_net *in, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 tos, struct ip_path *out) must_check;
void route_pmtu_exit(struct inet_net *in);
u32 route_pmtu(struct inet_net *in, const struct inet_addr *remote, u32 mtu);

/* ---- neighbours (neigh.c, arp.c, ndp.c) ------------------------------------------------------- */

#define NEIGH_QUEUE_BYTES 212992
struct neigh {
	struct hlist_node hash; /* RCU; table lock */
	struct list_head link;  /* all; table lock */
	struct netif *dev;      /* one reference */
	struct inet_addr addr;  /* immutable */
	struct spinlock lock;   /* RANK_SOCKET_LEAF: all below */
	u8 state;               /* NUD_*; read without the lock too */
	u8 hw[NETIF_ADDR_MAX];
	struct seqcount seq; /* hw changes */
	u8 flags;            /* NTF_* */
	u8 probes;
	bool dead, router;
	s64 confirmed_ns, used_ns, updated_ns;
	struct packet_queue queue; /* waiting for an answer */
	u32 queue_truesize;
	struct net_timer timer;
	struct refcount refs;
	struct rcu_head rcu;
};
int neigh_net_init(struct inet_net *in) must_check;
void neigh_net_exit(struct inet_net *in);
/* RCU; without a reference. create: NULL when the table is full or no memory. */
struct neigh *neigh_lookup(
	struct inet_net *in, struct netif *dev, const struct inet_addr *a, bool create);
/* Send p (network header at data) to nexthop on dev; consumes. */
int neigh_send(
	struct inet_net *in, struct netif *dev, const struct inet_addr *nexthop, struct packet *p);
/* An answer or a claim. flags: NEIGH_*. */
#define NEIGH_OVERRIDE     1u
#define NEIGH_SOLICITED    2u
#define NEIGH_ROUTER       4u
#define NEIGH_ISROUTER_SET 8u /* the router flag is meant */
#define NEIGH_ADMIN        16u
void neigh_update(struct neigh *n, const u8 *hw, u8 state, u32 flags);
int neigh_admin_add(struct inet_net *in, struct netif *dev, const struct inet_addr *a, const u8 *hw,
	u16 state, u8 ntf, u16 nlflags) must_check;
int neigh_admin_del(struct inet_net *in, struct netif *dev, const struct inet_addr *a) must_check;
void neigh_dev_down(struct inet_net *in, struct netif *dev, bool keep_permanent);
/* Each, with a reference held and no lock. */
void neigh_each(struct inet_net *in, int family, bool (*fn)(struct neigh *n, void *arg), void *arg);
void put_neigh(struct neigh *n);
/* hw address for output: false when it isn't known. */
bool neigh_hw(struct neigh *n, u8 *hw);
struct neigh_counts {
	s32 gc_thresh1, gc_thresh2, gc_thresh3, gc_interval_s;
};
struct neigh_counts *neigh_counts(struct inet_net *in, int family_index);
u32 neigh_entries(struct inet_net *in, int family_index);
/* Ask for n on the link: arp.c, ndp.c. src: the source of the packet that waits, or NULL. */
void arp_solicit(struct neigh *n, bool unicast, const u8 *hw, const struct inet_addr *src);
void ndp_solicit(struct neigh *n, bool unicast, const u8 *hw, const struct inet_addr *src);
void arp_announce(struct inet_dev *d, const struct inet_addr *a);
/* hw NULL: by the destination, a group. nonce: 6 bytes or NULL. */
void ndp_send_ns(struct inet_dev *d, const struct inet_addr *target, const struct inet_addr *src,
	const struct inet_addr *dst, const u8 *hw, const u8 *nonce);
void ndp_send_rs(struct inet_dev *d);
void ndp_announce(struct inet_dev *d, const struct inet_addr *a);
void ndp_input(struct packet *p); /* ICMPv6 133..137; checked sum; consumes */
int arp_init(void);
/* Link address of a multicast or broadcast destination. */
void mc_link_addr(const struct netif *dev, const struct inet_addr *a, u8 *hw);

struct ip_options { /* as they stand in a header, padded */
	struct rcu_head rcu;
	u8 len;
	u8 data[40];
};
/* record.c: us (network byte order) and the time go where record route and timestamp options of a
 * header want them. received: not sent by us. Options that don't fit have been refused. */
void ip_options_record(u8 *o, u32 len, u32 us, bool received);
/* What an answer carries of a request's options. */
void ip_options_echo(struct ip_options *out, u8 *o, u32 len);
struct ip6_headers { /* each complete but for its next header */
	struct rcu_head rcu;
	u16 hop_len, dst0_len, rt_len, dst_len;
	u8 data[]; /* in this order */
};

/* For timers of what is never freed: no reference stands for them. */
static inline void timer_arm_forever(struct net_timer *t, s64 deadline_ns)
{
	bool was_idle = net_timer_arm(t, deadline_ns);

	(void)was_idle;
}

/* ---- packets ----------------------------------------------------------------------------------- */

/* Transport input, raw sockets first: data at the transport header, ip_rx filled. Consumes p. */
void inet_deliver(struct packet *p);
/* Send p, whose IP header is at data, along path: copies to ourselves, then the neighbour. mtu 0:
 * it is short enough or not to be cut. Consumes p. RCU. */
int ip_emit(struct inet_net *in, const struct ip_path *path, struct packet *p, bool loop);
/* Cut the packet (IP header at data) into pieces of at most mtu bytes and emit each. */
int ip4_fragment(
	struct inet_net *in, const struct ip_path *path, struct packet *p, u32 mtu, bool loop);
int ip6_fragment(
	struct inet_net *in, const struct ip_path *path, struct packet *p, u32 mtu, bool loop);
/* Add a fragment: the whole packet when it was the last, else NULL. Consumes p. RCU. */
struct packet *ip4_reassemble(struct inet_net *in, struct packet *p);
/* off: of the fragment header from data (network header). next_at: where the number of the fragment
 * header stands. */
struct packet *ip6_reassemble(struct inet_net *in, struct packet *p, u32 off, u32 next_at);
int frag_net_init(struct inet_net *in) must_check;
void frag_net_exit(struct inet_net *in);
s64 frag_memory(struct inet_net *in, int family_index);
s32 frag_queues(struct inet_net *in, int family_index);
struct frag_limits {
	s32 high, time_s; /* bytes; seconds */
};
struct frag_limits *frag_limits(struct inet_net *in, int family_index);
bool mc_is_member(struct inet_dev *d, const struct inet_addr *group);

/* A packet of ours that stays on the link: IPv6 header, then out. p: from the next header on. hw
 * NULL: dst is a group. Consumes p. */
void ip6_link_send(struct inet_dev *d, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 hops, u8 proto, const u8 *hw);
void icmp6_csum(struct packet *p, const struct inet_addr *src, const struct inet_addr *dst);
struct inet_addr addr_solicited(const struct inet_addr *a); /* its solicited-node group */
void icmp4_input(struct packet *p);
void icmp6_input(struct packet *p);
void icmp4_send(struct packet *p, u8 type, u8 code, u32 info);
void icmp6_send(struct packet *p, u8 type, u8 code, u32 info);
bool icmp_rate_ok(struct inet_net *in, const struct inet_addr *to, u8 type);
void transport_error(struct net *net, const struct icmp_event *e, u8 proto);
/* The first max bytes of p from its network header on, behind what is in q; false: no memory. */
bool transport_quote(struct packet *q, struct packet *p, u32 max) must_check;
/* The bytes [off, off + len) of p as a packet of its own, with room for headers. NULL: no memory. */
struct packet *packet_with_room(const struct packet *p, u32 off, u32 len) must_check;
extern const struct inet_raw_hooks *g_raw_hooks; /* NULL until set */
u16 ip4_next_id(const struct inet_addr *src, const struct inet_addr *dst, u8 proto);
int ip4_init(void), ip6_init(void);

/* ---- multicast (mc_dev.c, mc_sock.c, igmp.c, mld.c) ------------------------------------------- */

struct mc_source {
	struct mc_source *next;
	struct inet_addr addr;
	u32 include, exclude; /* sockets that do */
};
struct mc_group {               /* on an interface */
	struct hlist_node hash; /* RCU; mc->lock to write */
	struct inet_addr addr;
	u32 exclude_users, include_users; /* sockets (and the machine itself) by mode */
	struct mc_source *sources;
	s64 report_ns; /* when to report: TIME_NEVER */
	u32 changes;   /* reports of a change to be sent yet */
	bool reporter; /* the last report of it was ours (IGMPv2 3) */
	struct rcu_head rcu;
};
#define MC_HASH 64
struct mc_family { /* what is the same for IGMP and MLD */
	struct hlist_head groups[MC_HASH];
	u32 count;
	s64 old_until[2]; /* queriers of version 1 and 2 (MLD: 1) have been heard */
	s64 general_ns;   /* when to answer a general query */
	struct net_timer timer;
};
struct mc_dev {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct inet_dev *d;
	struct mc_family f[2];
	bool up;
};
int mc_dev_init(struct inet_dev *d) must_check;
void mc_dev_free(struct inet_dev *d);
void mc_dev_announce(
	struct inet_dev *d); /* a link-local address is good now: report groups from it */
void mc_dev_up(struct inet_dev *d);
void mc_dev_down(struct inet_dev *d);
/* A group for the machine itself (all hosts, solicited nodes); config lock. */
int mc_join_dev(struct inet_dev *d, const struct inet_addr *group) must_check;
void mc_leave_dev(struct inet_dev *d, const struct inet_addr *group);
/* A socket's interest: mode MCAST_INCLUDE or MCAST_EXCLUDE with sources. Config lock. */
int mc_dev_add(struct inet_dev *d, const struct inet_addr *group, u32 mode, u32 nr,
	const struct inet_addr *sources) must_check;
void mc_dev_remove(struct inet_dev *d, const struct inet_addr *group, u32 mode, u32 nr,
	const struct inet_addr *sources);
bool mc_is_member(struct inet_dev *d, const struct inet_addr *group); /* RCU */
struct mc_group *mc_find(struct mc_dev *mc, const struct inet_addr *group);
/* mode and sources that the interface as a whole wants; *nr: room in, number out. mc->lock. */
u32 mc_effective(const struct mc_group *g, struct inet_addr *sources, u32 *nr);
/* Somebody asked: answer within max_ns at random; group NULL: about all. Somebody else reported. */
void mc_query(struct inet_dev *d, int f, const struct inet_addr *group, s64 max_ns);
void mc_heard_report(struct inet_dev *d, int f, const struct inet_addr *group);
bool mc_reported(const struct inet_addr *group); /* all-hosts and interface scope never are */
/* Send reports; no lock. change: it changed; else an answer. leave: nobody wants it any more. */
struct mc_record {
	struct inet_addr group;
	u32 mode, nr;
	bool change, leave;
	struct inet_addr sources[32];
};
void igmp_report(struct inet_dev *d, const struct mc_record *r, u32 version);
void mld_report(struct inet_dev *d, const struct mc_record *r, u32 version);
void igmp_input(struct packet *p);
void mld_input(struct packet *p); /* ICMPv6 130..132, 143 */
/* sockopt: MCAST_JOIN_GROUP and its like, all forms brought to this one. Sleeps. */
struct mc_request {
	struct inet_addr group, source;
	int ifindex; /* 0: by route */
};
enum mc_op { MC_JOIN, MC_LEAVE, MC_JOIN_SOURCE, MC_LEAVE_SOURCE, MC_BLOCK, MC_UNBLOCK };
int mc_sock_change(struct inet_sock *s, enum mc_op op, struct mc_request *r) must_check;
int mc_sock_set_filter(struct inet_sock *s, struct mc_request *r, u32 mode, u32 count,
	const struct inet_addr *sources) must_check;
/* *count: room in, number out. */
int mc_sock_get_filter(struct inet_sock *s, struct mc_request *r, u32 *mode, u32 *count,
	struct inet_addr *sources) must_check;
void mc_sock_leave_all(struct inet_sock *s);

/* ---- options (option4.c, option6.c) ------------------------------------------------------------ */

int ip_set_option(struct inet_sock *s, int name, const void __user *val, u32 len) must_check;
int ip_get_option(struct inet_sock *s, int name, void __user *val, u32 *len) must_check;
int mc_set_option(struct inet_sock *s, int name, const void __user *val, u32 len) must_check;
int ip_options_fill(struct ip_options *o, const u8 *data, u32 len) must_check; /* -EINVAL */
int ip6_headers_set(struct ip6_headers **out, const struct ip6_headers *old, int name,
	const void *data, u32 len) must_check;
int inet_family_init(void);
int inet_ioctl_init(void);

/* ---- rtnetlink (nl_*.c) ------------------------------------------------------------------------ */

struct nl_request;
struct nl_buf;
extern const struct nl_request *g_rtnl_request; /* config lock: whose change is being made; NULL */
bool nl_put_addr(struct nl_buf *b, u16 type, const struct inet_addr *a) must_check;
void nl_addr_init(void), nl_neigh_init(void), nl_rule_init(void);

/* ---- counters (mib.c) -------------------------------------------------------------------------- */

enum mib { /* order of /proc/net/snmp, netstat, snmp6: see mib.c */
#define MIB(id, name) MIB_##id,
#include "mib.def"
#undef MIB
	NR_MIBS
};
struct inet_mib {
	u64 n[NR_MIBS]; /* own CPU */
} __aligned(64);
static inline void mib_add(struct inet_net *in, enum mib m, u64 n)
{
	in->mib[cpu_id()].n[m] += n;
}
static inline void mib_inc(struct inet_net *in, enum mib m)
{
	mib_add(in, m, 1);
}
static inline void mib_inc2(struct inet_net *in, enum mib v4, bool is_v4, enum mib v6)
{
	mib_add(in, is_v4 ? v4 : v6, 1);
}
u64 mib_sum(struct inet_net *in, enum mib m);

#endif
