/*
 * Interfaces. Drivers fill a struct netif and register it; protocols hang their configuration on it
 * and are told of changes. Names, flags, numbers and statistics are those of rtnetlink(7).
 *
 * Life: netif_register publishes it; netif_unregister takes it down, tells the listeners (who drop
 * routes, neighbours, queued packets), takes it out of the tables, waits for a grace period and a
 * round of every packet context, and drops the table's reference. In the packet context and under
 * rcu_read_lock() a pointer from a table or a packet is valid; what keeps one longer takes a
 * reference, or keeps the number.
 *
 * Sending: netif_send picks a transmit queue by CPU or flow, segments and sums what the device
 * can't, and calls ops->xmit under that queue's lock. A device whose ring is full stops the queue;
 * packets then wait in the queue's FIFO (tx_queue_len), and netif_wake_queue sends on. A device
 * with no queues (nr_queues 0: loopback) has its xmit called without a lock on any CPU at once.
 */
#ifndef NET_NETIF_H
#define NET_NETIF_H

#include <core/refcount.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/context.h>
#include <net/net.h>
#include <net/packet.h>
#include <sched/work.h>

#define NETIF_ADDR_MAX 32 /* MAX_ADDR_LEN */

/* What a device does itself. */
#define NETIF_F_SG      1u /* fragments */
#define NETIF_F_CSUM    2u /* CSUM_PARTIAL of TCP and UDP, both families */
#define NETIF_F_TSO4    4u
#define NETIF_F_TSO6    8u
#define NETIF_F_TSO_ECN 16u
#define NETIF_F_USO     32u
#define NETIF_F_RXCSUM  64u
#define NETIF_F_GRO     128u /* merge what comes in, in software */
#define NETIF_F_LRO     256u /* the device merges (guest TSO) */

struct netif_ops {
	/* ndo: -errno. Config lock held, may sleep. NULL slots: nothing to do, or EOPNOTSUPP for
	 * set_*. */
	int (*open)(struct netif *n);
	void (*stop)(struct netif *n);
	int (*set_mtu)(struct netif *n, u32 mtu);
	int (*set_address)(struct netif *n, const u8 *addr);
	void (*set_rx_mode)(
		struct netif *n); /* promiscuity, all-multicast or the filter lists changed */
	int (*set_features)(struct netif *n, u32 features);
	/* Send p (link header in place, features obeyed): consumes it and returns true; false: no
	 * room, the queue has been stopped, p stays the caller's. Queue lock held; never sleeps.
	 * more: another one follows at once, the doorbell may wait. */
	bool (*xmit)(struct netif *n, struct packet *p, u32 queue, bool more);
	/* Link header for the packet; dst NULL: broadcast. -errno. NULL: no link header. */
	int (*header)(
		struct netif *n, struct packet *p, u16 protocol, const u8 *dst, const u8 *src);
	void (*stats)(struct netif *n, struct rtnl_link_stats64 *s); /* adds the device's own */
	void (*info)(
		struct netif *n, char driver[32], char version[32], char bus[32]); /* ethtool -i */
	void (*free)(struct netif *n); /* last reference */
};

struct netif_queue {
	struct spinlock lock; /* RANK_NETIF_QUEUE */
	struct packet_queue fifo;
	bool stopped;                /* atomic */
	u64 packets, bytes, dropped; /* lock */
	struct netif *netif;         /* immutable */
	struct net_task wake;        /* sends the FIFO on */
} __aligned(64);

struct netif_cpu_stats { /* own CPU */
	u64 rx_packets, rx_bytes, rx_dropped, rx_nohandler, multicast;
	u64 tx_packets, tx_bytes; /* of devices without queues */
};

enum netif_proto { NETIF_IPV4, NETIF_IPV6, NETIF_PACKET, NR_NETIF_PROTOS };

struct hw_addr { /* a unicast or multicast filter entry */
	struct list_head link;
	u8 addr[NETIF_ADDR_MAX];
	u32 users;
};

struct netif {
	/* what each packet reads */
	const struct netif_ops *ops; /* immutable */
	struct net *net;             /* immutable */
	int ifindex;                 /* immutable; > 0 */
	u32 flags;                   /* IFF_*; config lock to write */
	u32 told_flags;              /* in the last event of rtnetlink; config lock */
	u32 mtu;                     /* bytes of the network layer; config lock to write */
	u32 features, hw_features;   /* NETIF_F_*; on, and possible */
	u16 type;                    /* ARPHRD_* */
	u16 header_len;              /* link header bytes */
	u8 addr_len;
	u8 addr[NETIF_ADDR_MAX]; /* RCU: readers may see a torn one only while down */
	u8 broadcast[NETIF_ADDR_MAX];
	u8 perm_addr[NETIF_ADDR_MAX];
	u32 nr_queues;
	struct netif_queue *queues;
	void *proto[NR_NETIF_PROTOS]; /* RCU; config lock to write */
	struct list_head taps;        /* AF_PACKET: RCU; g_taps_lock */
	/* configuration: net->config_lock */
	char name[IFNAMSIZ];
	char alias[IFALIASZ];
	u32 min_mtu, max_mtu, tx_queue_len;
	u32 promiscuity, allmulti;           /* users */
	struct list_head unicast, multicast; /* struct hw_addr */
	u32 nr_unicast, nr_multicast;
	u8 operstate;   /* IF_OPER_* while it is up: netif_operstate */
	u32 user_flags; /* IFF_PROMISC, IFF_ALLMULTI as programs asked for them */
	bool carrier;   /* atomic */
	u32 carrier_changes, group, num_rx_queues, speed_mbps;
	u8 duplex;
	struct work link_work;             /* tells of a change of carrier */
	bool listed;                       /* config lock: registered and not yet gone */
	struct rtnl_link_stats64 totals;   /* of queues and CPUs that are gone */
	struct netif_cpu_stats *cpu_stats; /* one per possible CPU */
	struct refcount refs;
	struct list_head name_link; /* hash of names: RCU; config lock */
	void *priv;                 /* driver's */
};

/* A netif with nr_queues transmit queues, mtu and names set to Ethernet's defaults; name "eth%d".
 * NULL. */
struct netif *netif_alloc(const struct netif_ops *ops, const char *name, u32 nr_queues) must_check;
void netif_setup_ether(struct netif *n, const u8 addr[6]);
int netif_register(
	struct net *net, struct netif *n) must_check; /* -EEXIST -ENOMEM -EINVAL; sleeps */
void netif_unregister(struct netif *n);               /* sleeps */
static inline void get_netif(struct netif *n)
{
	ref_get(&n->refs);
}
void put_netif(struct netif *n);

/* Tables, under RCU. */
struct netif *netif_by_index(struct net *net, int ifindex);
struct netif *netif_by_name(struct net *net, const char *name);
struct netif *netif_next(struct net *net, int after_ifindex); /* in order of number; NULL: end */
/* The first three sleep; config lock held. Errors as netdevice(7). */
int netif_set_flags(struct netif *n, u32 flags, u32 mask) must_check; /* IFF_UP opens or stops */
int netif_set_mtu(struct netif *n, u32 mtu) must_check;
int netif_set_name(struct netif *n, const char *name) must_check;
int netif_set_address(struct netif *n, const u8 *addr) must_check;
void netif_set_promiscuity(struct netif *n, int change);
void netif_set_allmulti(struct netif *n, int change);
int netif_filter_add(struct netif *n, const u8 *addr, bool multicast) must_check;
void netif_filter_remove(struct netif *n, const u8 *addr, bool multicast);
void netif_get_stats(struct netif *n, struct rtnl_link_stats64 *s);
static inline bool netif_running(const struct netif *n)
{
	return READ_ONCE(n->flags) & IFF_UP;
}
u8 netif_operstate(const struct netif *n);
u32 netif_user_flags(
	const struct netif *n); /* with IFF_RUNNING and IFF_LOWER_UP, as programs see them */

/* Send p as it is (link header at data; dev, protocol and the offsets of its headers set). Consumes
 * it. 0, -ENOBUFS when dropped, -ENETDOWN. Thread or packet context. */
int netif_send(struct packet *p);
/* Link header in front of the network header at data, then send. dst NULL: broadcast. */
int netif_send_to(struct packet *p, u16 protocol, const u8 *dst);
/* Drivers: queue q has room again; carrier came or went. Any context. */
void netif_stop_queue(struct netif *n, u32 q);
void netif_wake_queue(struct netif *n, u32 q);
void netif_carrier(struct netif *n, bool on);

/* What happened to an interface. Config lock held; may sleep. Listeners run in order of
 * registration. */
enum netif_event {
	NETIF_REGISTERED,
	NETIF_UP,
	NETIF_DOWN,    /* going: still known */
	NETIF_CHANGED, /* flags, carrier, name, ... */
	NETIF_MTU,
	NETIF_ADDRESS,
	NETIF_GONE,
};
struct netif_listener {
	struct list_head link;
	void (*fn)(struct netif *n, enum netif_event e);
};
void netif_listen(struct netif_listener *l); /* also told of those that are there */

/* Protocols by Ethernet type (host order), at start-up. Packet context, RCU held: data at the
 * network header. Consumes p. */
struct net_protocol {
	u16 type;
	void (*input)(struct packet *p);
	/* GRO: can p follow held? Merge p into it and return true. NULL: never. */
	bool (*gro)(struct packet *held, struct packet *p);
};
void net_protocol_register(const struct net_protocol *proto);
/* Ethernet's link header: for ops->header. */
int ether_header(
	struct netif *n, struct packet *p, u16 protocol, const u8 *dst, const u8 *src) must_check;
/* Can it be an interface's address? -EADDRNOTAVAIL: zero or a group's. */
int ether_check_address(const u8 *addr) must_check;
/* A tap: is shown all that comes and goes on n (NULL: everywhere); type ETH_P_ALL or one. */
struct net_tap {
	struct list_head link;
	u16 type; /* host order */
	struct netif *netif;
	/* RCU; p stays the caller's, with the link header at mac_off */
	void (*fn)(struct net_tap *t, struct packet *p, struct netif *n, bool outgoing);
};
void net_tap_add(struct net *net, struct net_tap *t);
void net_tap_remove(struct net_tap *t); /* sleeps until nobody is in fn */

extern u32 g_netdev_max_backlog, g_netdev_budget; /* packets */

#endif
