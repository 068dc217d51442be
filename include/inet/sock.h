/*
 * Sockets of AF_INET and AF_INET6. One type for both: an AF_INET6 socket that talks to a mapped
 * address is an IPv4 one in everything but how addresses are shown.
 *
 * Locks: sk.lock guards names, options and the cached path. Ports and tables have leaf locks
 * (RANK_SOCKET_LEAF) inside it.
 */
#ifndef INET_SOCK_H
#define INET_SOCK_H

#include <inet/addr.h>
#include <inet/ip.h>
#include <inet/route.h>
#include <net/net.h>
#include <socket/socket.h>

struct inet_sock;
struct port_use;
struct reuse_group;
struct mc_member;

/* What a kind of internet socket does beyond sock_ops. */
struct inet_ops {
	/* Take port (host order; 0: choose one) with s->local; -EADDRINUSE -ENOMEM. sk.lock held.
	 * NULL: the kind has no ports. */
	int (*get_port)(struct inet_sock *s, u16 port);
	/* s->local has changed after get_port (connect, disconnect): find it anew in tables. */
	void (*rehash)(struct inet_sock *s);
};

/* Options that are on or off: bits of inet_sock.flags, sk.lock to write. */
enum inet_flag {
	/* IPv4 */
	INF_RECVERR,
	INF_RECVERR_RFC4884,
	INF_PKTINFO,
	INF_RECVTTL,
	INF_RECVTOS,
	INF_RECVOPTS,
	INF_RETOPTS,
	INF_PASSSEC,
	INF_RECVORIGDSTADDR,
	INF_CHECKSUM,
	INF_RECVFRAGSIZE,
	INF_HDRINCL,
	INF_FREEBIND,
	INF_TRANSPARENT,
	INF_NODEFRAG,
	INF_BIND_NO_PORT,
	INF_MC_LOOP,
	INF_MC_ALL,
	/* IPv6 */
	INF_V6ONLY,
	INF_RECVERR6,
	INF_RECVERR6_RFC4884,
	INF_RECVPKTINFO6,
	INF_RECVHOPLIMIT,
	INF_RECVTCLASS,
	INF_RECVHOPOPTS,
	INF_RECVDSTOPTS,
	INF_RECVRTHDR,
	INF_RECVPATHMTU,
	INF_RECVORIGDSTADDR6,
	INF_RECVFRAGSIZE6,
	INF_2292PKTINFO,
	INF_2292HOPLIMIT,
	INF_2292HOPOPTS,
	INF_2292DSTOPTS,
	INF_2292RTHDR,
	INF_FLOWINFO,
	INF_FLOWINFO_SEND,
	INF_DONTFRAG,
	INF_AUTOFLOWLABEL,
	INF_AUTOFLOWLABEL_SET,
	INF_MC_LOOP6,
	INF_MC_ALL6,
	INF_HDRINCL6,
	/* state */
	INF_BOUND_ADDR, /* bind gave an address (SOCK_BINDADDR_LOCK) */
	INF_BOUND_PORT, /* bind gave a port */
};

/* A place in a table (table.h). */
struct inet_node {
	struct hlist_node link;
	u32 hash; /* bucket lock to write; readers see moves by it */
};

struct inet_sock {
	struct sock sk; /* first */
	const struct inet_ops *iops;
	/* names: what packets come to and go out with; any: not bound, not connected */
	struct inet_addr local;  /* packets must be for it; any: all of ours */
	struct inet_addr source; /* packets go out with it; any: by route */
	struct inet_addr remote;
	u16 lport, rport;          /* network byte order, 0: none */
	s32 remote_scope;          /* IPv6: interface of a link-local remote */
	struct inet_node by_port;  /* table.h: bound */
	struct inet_node by_peer;  /* table.h: connected */
	struct port_use *port;     /* ports.h; sk.lock */
	u8 port_flags;             /* what was counted there */
	struct reuse_group *group; /* RCU; bucket lock to write */

	struct ip_path path; /* cached; one reference on path.rt; sk.lock */

	/* options */
	u64 flags;           /* 1 << INF_* */
	s16 ttl, hoplimit;   /* -1: the default */
	s16 mc_ttl, mc_hops; /* -1: 1 */
	u8 tos, tclass;
	u8 pmtudisc, pmtudisc6; /* IP_PMTUDISC_*, IPV6_PMTUDISC_* */
	u8 min_ttl, min_hops;
	u16 srcprefs;  /* IPV6_PREFER_SRC_* */
	u32 flowlabel; /* network byte order, as connect or send gave it */
	s32 mc_if, mc_if6, unicast_if, unicast_if6; /* interface indexes, 0: none */
	u32 mc_source;          /* IP_MULTICAST_IF's address, network byte order */
	u32 mtu6;               /* IPV6_MTU, 0: none */
	struct ip_options *opt; /* RCU; sk.lock to write */
	struct ip6_headers *ext;
	struct mc_member *members; /* multicast groups; sk.lock, RCU readers */

	struct packet_queue errors; /* MSG_ERRQUEUE; sk.lock */
	u32 errors_truesize;
};

static inline struct inet_sock *inet_sk(struct sock *sk)
{
	return container_of(sk, struct inet_sock, sk);
}
static inline bool inet_flag(const struct inet_sock *s, enum inet_flag f)
{
	return READ_ONCE(s->flags) >> f & 1;
}
static inline void inet_flag_set(struct inet_sock *s, enum inet_flag f, bool on)
{
	s->flags = on ? s->flags | 1ull << f : s->flags & ~(1ull << f);
}
/* Does it talk IPv4 (a mapped peer included)? */
static inline bool inet_is_v4(const struct inet_sock *s)
{
	return addr_is_v4(&s->remote);
}

/* ---- life -------------------------------------------------------------------------------------- */

/* A kind of socket that socket(2) can make in both families. */
struct inet_kind {
	struct list_head link;
	u16 type;     /* SOCK_* */
	u16 protocol; /* the one it is, IPPROTO_IP: any (raw) */
	bool v4, v6;  /* families that have it */
	/* As net_family.create; protocol 0 has become the kind's. */
	struct sock *(*create)(int family, int type, int protocol);
};
void inet_kind_register(struct inet_kind *k); /* at start-up; first of a type is its default */

/* For create: a zeroed inet_sock (or what embeds it first). */
void inet_sock_init(struct inet_sock *s, const struct sock_ops *ops, const struct inet_ops *iops,
	int family, int type, int protocol);
/* The same as listener's, for a connection it accepted: options are inherited, names are not. */
void inet_sock_inherit(struct inet_sock *child, struct inet_sock *listener);
/* From ops->close: leaves multicast groups, sleeps. From ops->destroy: the rest; then free after a
 * grace period (rcu_call on sk.rcu). */
void inet_sock_close(struct inet_sock *s);
void inet_sock_destroy(struct inet_sock *s);

/* ---- names ------------------------------------------------------------------------------------- */

struct inet_name {
	struct inet_addr addr;
	u16 port; /* network byte order */
	s32 scope;
	u32 flowinfo;
};
/* A user's sockaddr for s: -EINVAL (short), -EAFNOSUPPORT, -ENETUNREACH (mapped, but v6 only; for
 * connect and send), -EINVAL (link-local without interface is the caller's look-out). :: becomes
 * the loopback address with to_peer, as connect(2) takes it. */
int inet_name_in(const struct inet_sock *s, const struct __kernel_sockaddr_storage *a, u32 len,
	bool to_peer, struct inet_name *out) must_check;
/* The sockaddr that a program of family sees; returns its length. */
u32 inet_name_out(
	int family, const struct inet_name *n, struct __kernel_sockaddr_storage *a) must_check;

/* sock_ops that every kind shares. */
int inet_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len);
int inet_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer);
/* Levels SOL_IP, SOL_IPV6, and SO_BINDTODEVICE; -ENOPROTOOPT for others. All IP_* and IPV6_* are
 * applied here. */
int inet_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len);
int inet_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len);
long inet_ioctl(struct sock *sk, u32 cmd, unsigned long arg); /* -ENOIOCTLCMD */
/* Choose an ephemeral port unless there is one; sk.lock held. */
int inet_autobind(struct inet_sock *s) must_check;
/* Set the peer, source and path of a socket that connects; sk.lock and RCU held. Errors of
 * route_lookup; -EACCES: broadcast without SO_BROADCAST. */
int inet_set_peer(struct inet_sock *s, const struct inet_name *n) must_check;
void inet_forget_peer(struct inet_sock *s); /* connect to AF_UNSPEC; sk.lock */

/* ---- sending ----------------------------------------------------------------------------------- */

/* The path to the socket's peer, cached: sk.lock and RCU held; errors of route_lookup. */
int inet_sock_path(struct inet_sock *s, struct ip_path **out) must_check;
/* Forget the cached one: it doesn't seem to work. sk.lock. */
void inet_sock_path_reset(struct inet_sock *s);
/* Fields of the IP header by the socket's options, for its peer or for dst. */
void inet_tx_init(struct inet_sock *s, const struct ip_path *path, const struct inet_addr *dst,
	struct ip_tx *tx);
/* Send p to the peer: inet_sock_path, inet_tx_init, ip_send. Consumes p. sk.lock and RCU held. */
int inet_sock_send(struct inet_sock *s, struct packet *p);
/* Largest transport segment (header and payload) towards the peer that needs no fragments: the path
 * MTU less IP headers. sk.lock, RCU. */
u32 inet_sock_room(struct inet_sock *s);
/* The flow of the socket towards dst. */
void inet_flow(const struct inet_sock *s, const struct inet_addr *dst, u16 rport, struct flow *f);

/* Does the socket take packets from interface ifindex (SO_BINDTODEVICE)? */
static inline bool inet_dev_ok(const struct inet_sock *s, u32 ifindex)
{
	s32 dev = READ_ONCE(s->sk.bound_dev);

	return !dev || (u32)dev == ifindex;
}
/* Run the socket's filter over p, from the transport header on; false: drop it. May trim it. RCU. */
bool inet_filter(struct sock *sk, struct packet *p) must_check;

/* ---- errors ------------------------------------------------------------------------------------ */

/* Does the program read errors from the queue (IP_RECVERR of the family that e is of)? */
bool inet_wants_errors(const struct inet_sock *s, bool v4);
/* Queue an event (no wake-up). RCU. sk.lock not held. */
void inet_error_icmp(struct inet_sock *s, const struct icmp_event *e, u16 rport, u32 payload_off);
/* An error that arose here (EMSGSIZE and its like): to, port: where it was to go. */
void inet_error_local(struct inet_sock *s, int err, const struct inet_addr *to, u16 port, u32 info);
/* Zero-copy sends lo..hi (of the socket's counter) are done; copied: they were copied after all. */
void inet_error_zerocopy(struct inet_sock *s, u32 lo, u32 hi, bool copied);
/* A send's time stamp: copy is a packet of the data; consumed. */
void inet_error_stamp(struct inet_sock *s, struct packet *copy, u32 tsinfo, u32 key, s64 real_ns);
/* recvmsg with MSG_ERRQUEUE: -EAGAIN when empty. */
ssize_t inet_recv_error(struct sock *sk, struct sock_msg *m);
/* ICMP's answer as an errno for a v4 or v6 event: *hard as in icmp_event. */
int icmp_errno(bool v4, u8 type, u8 code, bool *hard);

/* ---- sending one message ------------------------------------------------------------------------
 */

/* What control messages of a send say, on top of the socket's options. */
struct inet_send {
	struct inet_addr source; /* any: not said */
	int oif;                 /* 0: not said */
	s32 ttl, tos, dontfrag;  /* -1: not said */
	u32 mark;
	bool has_mark;
	u16 gso_size; /* UDP_SEGMENT; 0: not said */
	u32 flowlabel;
	struct ip_options *opt; /* owned: inet_send_done */
	struct ip6_headers *ext;
};
/* -EINVAL, -EPERM, -ENOMEM. v4: where the message goes. */
int inet_send_parse(
	struct inet_sock *s, const struct sock_msg *m, bool v4, struct inet_send *out) must_check;
void inet_send_done(struct inet_send *c);
/* The flow and the header's fields for a message to dst. RCU. */
void inet_send_flow(const struct inet_sock *s, const struct inet_send *c,
	const struct inet_addr *dst, u16 rport, s32 scope, struct flow *f);
void inet_send_tx(struct inet_sock *s, const struct inet_send *c, const struct ip_path *path,
	const struct inet_addr *dst, struct ip_tx *tx);

/* ---- control messages -------------------------------------------------------------------------- */

/* IP_PKTINFO, IP_TTL, IPV6_HOPLIMIT, ... for a received packet with ip_rx. */
void inet_cmsg_recv(struct inet_sock *s, struct sock_msg *m, struct packet *p);

#endif
