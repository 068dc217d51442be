/* net/inet for its siblings: raw sockets' hooks, counters, what /proc and rtnetlink show. */
#ifndef INET_INET_H
#define INET_INET_H

#include <inet/sock.h>

struct seq_buf;

/* Raw sockets: called with the transport header at data before a protocol gets the packet, which
 * stays the caller's; true when a socket took a copy. And of errors. Packet context, RCU. */
struct inet_raw_hooks {
	bool (*input)(struct packet *p);
	void (*error)(struct net *net, const struct icmp_event *e, u8 proto);
	/* An echo reply for a ping socket; consumes p. */
	void (*ping)(struct packet *p);
	void (*ping_error)(struct net *net, const struct icmp_event *e);
};
void inet_set_raw_hooks(const struct inet_raw_hooks *h);

/* An ICMP or ICMPv6 message that a socket sends. */
void inet_count_icmp_out(struct net *net, bool v4, u8 type);

/* Counters of UDP and UDP-Lite in /proc/net/snmp and snmp6. */
enum inet_udp_count {
	UDP_IN,
	UDP_NO_PORTS,
	UDP_IN_ERRORS,
	UDP_OUT,
	UDP_RCVBUF_ERRORS,
	UDP_SNDBUF_ERRORS,
	UDP_CSUM_ERRORS,
	UDP_MULTI,
	UDP_MEM_ERRORS,
};
void inet_count_udp(struct net *net, u16 protocol, bool v4, enum inet_udp_count c);

/* Counters of TCP in /proc/net/snmp and netstat. */
enum inet_tcp_count {
#define TCP_MIB(id, name) TCPM_##id,
#include <inet/tcp_mib.def>
#undef TCP_MIB
};
void inet_count_tcp(struct net *net, enum inet_tcp_count c, s64 n);

/* Does the socket want a multicast packet to group from src, that came by ifindex? RCU. */
bool inet_mc_allowed(const struct inet_sock *s, const struct inet_addr *group,
	const struct inet_addr *src, u32 ifindex);
/* May the caller's groups open ping sockets (ping_group_range)? */
bool inet_ping_allowed(struct net *net);

/* Variables of /proc/sys/net: ints, read atomically. Changed: after a new value was stored; sleeps.
 */
enum inet_variable {
	INET_DEFAULT_TTL,
	INET_PORT_LO,
	INET_PORT_HI,
	INET_PING_LO,
	INET_PING_HI,
	INET_UNPRIVILEGED_PORT,
	INET_NONLOCAL_BIND,
	INET_NONLOCAL_BIND6,
	INET_NO_PMTU_DISC,
	INET_MIN_PMTU,
	INET_MTU_EXPIRES,
	INET_ECHO_IGNORE_ALL,
	INET_ECHO_IGNORE_BROADCASTS,
	INET_RATELIMIT,
	INET_RATEMASK,
	INET_MSGS_PER_SEC,
	INET_MSGS_BURST,
	INET_RATELIMIT6,
	INET_ECHO_IGNORE_ALL6,
	INET_IGMP_MAX_MEMBERSHIPS,
	INET_IGMP_MAX_MSF,
	INET_MLD_MAX_MSF,
	INET_FRAG_HIGH,
	INET_FRAG_TIME,
	INET_FRAG_HIGH6,
	INET_FRAG_TIME6,
	INET_FORWARD_USE_PMTU,
	INET_BINDV6ONLY,
	INET_AUTO_FLOWLABELS,
	INET_FORWARDING,
};
s32 *inet_sysctl(struct net *net, enum inet_variable v);
void inet_sysctl_changed(struct net *net, enum inet_variable v);

/* Variables that each interface has: /proc/sys/net/ipv[46]/conf/DEV and neigh/DEV. */
enum inet_dev_group { INET_CONF4, INET_CONF6, INET_NEIGH4, INET_NEIGH6 };
/* Whose: an ifindex, what holds for all (conf only), or what interfaces start with. */
#define INET_CONF_ALL     0
#define INET_CONF_DEFAULT (-1)
/* The name of variable nr of the group, from 0 on without gaps; NULL: there is none. */
const char *inet_dev_variable(enum inet_dev_group g, int whose, u32 nr);
/* nr is one that has a name. -ENODEV: the interface is gone; -EINVAL: out of range. Sleep. */
int inet_dev_sysctl_get(
	struct net *net, enum inet_dev_group g, int whose, u32 nr, s32 *value) must_check;
int inet_dev_sysctl_set(
	struct net *net, enum inet_dev_group g, int whose, u32 nr, s32 value) must_check;

/* Forget what routers said of paths: /proc/sys/net/ipv[46]/route/flush. */
void inet_route_flush(struct net *net, bool v6);

/* /proc/net. */
void inet_show_route(struct net *net, struct seq_buf *s);
void inet_show_route6(struct net *net, struct seq_buf *s);
void inet_show_arp(struct net *net, struct seq_buf *s);
void inet_show_if_inet6(struct net *net, struct seq_buf *s);
void inet_show_fragments(struct net *net, struct seq_buf *s, bool v6); /* the line of sockstat */
void inet_show_snmp(struct net *net, struct seq_buf *s);
void inet_show_snmp6(struct net *net, struct seq_buf *s);
void inet_show_netstat(struct net *net, struct seq_buf *s);
void inet_show_igmp(struct net *net, struct seq_buf *s);
void inet_show_igmp6(struct net *net, struct seq_buf *s);
void inet_show_frag(struct net *net, struct seq_buf *s, bool v6); /* lines of sockstat */

#endif
