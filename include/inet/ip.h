/*
 * What transports see of IP. Input: the packet context calls inet_protocol.input with the transport
 * header at data and struct ip_rx in cb. Output: a transport makes its header, and ip_send puts the
 * IP header before it, cuts it into fragments where it may, finds the neighbour and sends.
 */
#ifndef INET_IP_H
#define INET_IP_H

#include <inet/addr.h>
#include <inet/route.h>
#include <lib/checksum.h>
#include <net/packet.h>

/* packet->cb while a transport's input has it; 16 bytes behind it are the transport's. */
struct ip_rx {
	struct inet_addr src, dst;
	u8 ttl, tos;
	u8 flags; /* IP_RX_* */
	u8 proto;
	u32 flowinfo; /* IPv6: version, class and label in network byte order */
};
#define IP_RX_BROADCAST 1u
#define IP_RX_MULTICAST 2u
#define IP_RX_FRAGMENTS 4u /* was put together */
#define IP_RX_OPTIONS   8u /* the header has options or extension headers */
static_assert(sizeof(struct ip_rx) <= 40, "transports use the rest of cb");
static inline struct ip_rx *ip_rx(struct packet *p)
{
	return (struct ip_rx *)p->cb;
}

/* An error that came back, or arose here, about a packet that we sent. */
struct icmp_event {
	struct packet
		*p; /* the ICMP packet: data at the quoted transport header; >= 8 bytes linear */
	struct inet_addr local, remote; /* source and destination of the quoted packet */
	struct inet_addr offender;      /* who reports */
	int ifindex;                    /* where it came in */
	u8 type, code;                  /* ICMP or ICMPv6, by the family of remote */
	bool hard;                      /* a connected socket fails with err; else only told */
	int err;                        /* positive errno */
	u32 info;                       /* MTU, or the pointer */
};

struct inet_protocol {
	u8 proto;
	/* Packet context, RCU. Consumes p. */
	void (*input)(struct packet *p);
	/* Packet context, RCU. NULL: not interested. */
	void (*error)(struct net *net, const struct icmp_event *e);
	/* Can p follow held, transport headers at trans_off of both, same addresses and IP fields?
	 * Merge it into held (packet_join) and return true. NULL: never. */
	bool (*gro)(struct packet *held, struct packet *p);
};
void inet_protocol_register(const struct inet_protocol *proto); /* at start-up */
const struct inet_protocol *inet_protocol_get(u8 proto);        /* NULL: none */

/* Sum of the pseudo header, for checksum_add's successors. len: transport header and payload. */
static inline u64 ip_pseudo_sum(
	const struct inet_addr *src, const struct inet_addr *dst, u8 proto, u32 len)
{
	u64 sum = (u64)htonl(len) + htonl(proto);

	if (addr_is_v4(dst))
		return sum + src->w[3] + dst->w[3];
	for (int i = 0; i < 4; i++)
		sum += (u64)src->w[i] + dst->w[i];
	return sum;
}
/* The folded pseudo sum as CSUM_PARTIAL wants it in the checksum field. */
static inline u16 ip_pseudo_partial(
	const struct inet_addr *src, const struct inet_addr *dst, u8 proto, u32 len)
{
	return (u16)~checksum_fold(ip_pseudo_sum(src, dst, proto, len));
}

struct ip_options;  /* IPv4 options to send, RFC 791 form; RCU */
struct ip6_headers; /* extension headers to send; RCU */

/* What goes into the IP header of one packet. */
struct ip_tx {
	struct inet_addr src, dst;
	u8 proto, ttl, tos;
	bool df;         /* IPv4: don't fragment; a packet that we cut ourselves goes without */
	bool local_frag; /* we may cut it; else -EMSGSIZE when too long */
	bool mc_loop;    /* a multicast packet also goes to members on this machine */
	u32 flowlabel;   /* network byte order, 20 bits */
	u32 mtu;         /* 0: the path's; else at most this, whatever was discovered */
	const struct ip_options *opt;
	const struct ip6_headers *ext;
};

/*
 * Send p (transport header at data, trans_off set, checksum in or CSUM_PARTIAL, gso fields set if
 * it is to be cut into segments, mark and priority set) along path. Consumes p. RCU held. 0;
 * -EMSGSIZE (longer than the MTU and may not be cut), -ENOBUFS (dropped by the device or no
 * memory). Packets to ourselves and copies of multicast loop back.
 */
int ip_send(struct net *net, const struct ip_path *path, const struct ip_tx *tx, struct packet *p);
/* The same for a packet that has its IP header (at data, net_off), as raw sockets make them. */
int ip_send_raw(struct net *net, const struct ip_path *path, struct packet *p, bool mc_loop);
/* What was sent along path has not been answered for long: its next hop is asked again. RCU. */
void ip_path_doubt(struct net *net, const struct ip_path *path);
/* Bytes of IP header that ip_send will add. */
u32 ip_header_len(const struct ip_tx *tx);

/* Report an error about p (network header at net_off) to its sender, within the rate limits. p
 * stays the caller's. type and code of p's family. */
void icmp_send(struct packet *p, u8 type, u8 code, u32 info);
/* "No such port": for UDP and unknown protocols. */
void icmp_port_unreachable(struct packet *p);

/* net.ipv4.* and net.ipv6.* that transports need; atomic. */
struct inet_limits {
	s32 port_lo, port_hi; /* ip_local_port_range, both included */
	s32 default_ttl, default_hoplimit;
	s32 no_pmtu_disc;
	s32 nonlocal_bind, nonlocal_bind6;
	s32 unprivileged_port; /* ip_unprivileged_port_start */
	s32 autobind_reuse;
	s32 bindv6only;
	s32 auto_flowlabels;
};
struct inet_limits *inet_limits(struct net *net);
bool inet_port_reserved(struct net *net, u16 port); /* ip_local_reserved_ports; host order */

#endif
