/* Neighbour discovery: RFC 4861; probes for duplicate addresses: RFC 4862, nonces: RFC 7527. */
#include "inet.h"
#include <linux/if_packet.h>
#include <linux/icmpv6.h>
#include <linux/ipv6.h>

#define ND_RS         133
#define ND_RA         134
#define ND_NS         135
#define ND_NA         136
#define ND_REDIRECT   137
#define OPT_SOURCE_HW 1
#define OPT_TARGET_HW 2
#define OPT_NONCE     14

static const struct inet_addr g_all_nodes = {.b = {0xff, 2, [15] = 1}};
static const struct inet_addr g_all_routers = {.b = {0xff, 2, [15] = 2}};

struct inet_addr addr_solicited(const struct inet_addr *a)
{
	struct inet_addr group = {.b = {0xff, 2, [11] = 1, [12] = 0xff}};

	memcpy(group.b + 13, a->b + 13, 3);
	return group;
}

/* ---- sending ------------------------------------------------------------------------------------
 */

void icmp6_csum(struct packet *p, const struct inet_addr *src, const struct inet_addr *dst)
{
	struct icmp6hdr *h = (struct icmp6hdr *)packet_data(p);

	h->icmp6_cksum = 0;
	h->icmp6_cksum = checksum_fold(
		packet_checksum(p, 0, p->len, ip_pseudo_sum(src, dst, IPPROTO_ICMPV6, p->len)));
}

void mc_link_addr(const struct netif *dev, const struct inet_addr *a, u8 *hw)
{
	memcpy(hw, dev->broadcast, NETIF_ADDR_MAX);
	if (dev->type != ARPHRD_ETHER || addr_is_limited_broadcast(a) || !addr_is_multicast(a))
		return;
	if (addr_is_v4(a)) { /* RFC 1112 6.4 */
		hw[0] = 1;
		hw[1] = 0;
		hw[2] = 0x5e;
		hw[3] = a->b[13] & 0x7f;
		hw[4] = a->b[14];
		hw[5] = a->b[15];
	} else { /* RFC 2464 7 */
		hw[0] = hw[1] = 0x33;
		memcpy(hw + 2, a->b + 12, 4);
	}
}

void ip6_link_send(struct inet_dev *d, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 hops, u8 proto, const u8 *hw)
{
	u8 group_hw[NETIF_ADDR_MAX];
	u32 len = p->len;
	struct ipv6hdr *h = (struct ipv6hdr *)packet_push(p, sizeof(*h));

	memset(h, 0, 4);
	h->version = 6;
	h->payload_len = htons(len);
	h->nexthdr = proto;
	h->hop_limit = hops;
	memcpy(&h->saddr, src, 16);
	memcpy(&h->daddr, dst, 16);
	p->dev = d->dev;
	p->net_off = p->data;
	p->protocol = htons(ETH_P_IPV6);
	mib_inc(d->in, MIB_IP6_OUTREQUESTS);
	if (!hw) {
		mc_link_addr(d->dev, dst, group_hw);
		hw = group_hw;
	}
	(void)netif_send_to(p, ETH_P_IPV6, hw); /* lost ones are sent again */
}

static void put_hw_option(struct packet *p, const struct netif *dev, u8 type)
{
	u8 *o = packet_put(p, 8);

	o[0] = type;
	o[1] = 1;
	memcpy(o + 2, dev->addr, 6);
}

static struct packet *nd_packet(u8 type, u32 word, const struct inet_addr *target)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	u8 *m;

	if (!p)
		return NULL;
	m = packet_put(p, target ? 24 : 8);
	memset(m, 0, 8);
	m[0] = type;
	put_be32(m + 4, word);
	if (target)
		memcpy(m + 8, target, 16);
	return p;
}

static void nd_send(struct inet_dev *d, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, const u8 *hw)
{
	icmp6_csum(p, src, dst);
	mib_inc(d->in, MIB_ICMP6_OUTMSGS);
	ip6_link_send(d, p, src, dst, 255, IPPROTO_ICMPV6, hw);
}

void ndp_send_ns(struct inet_dev *d, const struct inet_addr *target, const struct inet_addr *src,
	const struct inet_addr *dst, const u8 *hw, const u8 *nonce)
{
	struct packet *p = nd_packet(ND_NS, 0, target);

	if (!p)
		return;
	if (!addr_is_any(src) && d->dev->addr_len == 6)
		put_hw_option(p, d->dev, OPT_SOURCE_HW);
	if (nonce) {
		u8 *o = packet_put(p, 8);

		o[0] = OPT_NONCE;
		o[1] = 1;
		memcpy(o + 2, nonce, 6);
	}
	nd_send(d, p, src, dst, hw);
}

static void send_na(struct inet_dev *d, const struct inet_addr *target, const struct inet_addr *dst,
	bool solicited, bool override, const u8 *hw)
{
	u32 flags = (d->conf.forwarding6 ? 1u << 31 : 0) | (solicited ? 1u << 30 : 0) |
		(override ? 1u << 29 : 0);
	struct packet *p = nd_packet(ND_NA, flags, target);

	if (!p)
		return;
	if (d->dev->addr_len == 6)
		put_hw_option(p, d->dev, OPT_TARGET_HW);
	nd_send(d, p, target, dst, hw);
}

void ndp_announce(struct inet_dev *d, const struct inet_addr *a)
{
	send_na(d, a, &g_all_nodes, false, true, NULL);
}

void ndp_send_rs(struct inet_dev *d)
{
	struct packet *p = nd_packet(ND_RS, 0, NULL);
	struct inet_addr src = addr_any(AF_INET6);

	if (!p)
		return;
	rcu_read_lock();
	if (ifaddr_source6(d->in, d->dev, &g_all_routers, 0, &src) && d->dev->addr_len == 6)
		put_hw_option(p, d->dev, OPT_SOURCE_HW);
	nd_send(d, p, &src, &g_all_routers, NULL);
	rcu_read_unlock();
}

void ndp_solicit(struct neigh *n, bool unicast, const u8 *hw, const struct inet_addr *src)
{
	struct inet_dev *d = inet_dev(n->dev);
	struct inet_addr group = addr_solicited(&n->addr), from;

	if (!d || n->dev->flags & IFF_NOARP)
		return;
	if (src && addr_is_ours(n->dev->net, src, n->dev->ifindex))
		from = *src;
	else if (!ifaddr_source6(d->in, n->dev, &n->addr, 0, &from))
		return;
	ndp_send_ns(d, &n->addr, &from, unicast ? &n->addr : &group, unicast ? hw : NULL, NULL);
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

struct nd_options {
	const u8 *source_hw, *target_hw, *nonce;
};

/* Options of the message m from at on; false: malformed (RFC 4861 6.1, 7.1: drop all of it). */
static bool parse(const u8 *m, u32 at, u32 len, struct nd_options *o)
{
	memset(o, 0, sizeof(*o));
	while (at < len) {
		u32 n;

		if (len - at < 2)
			return false;
		n = m[at + 1] * 8u;
		if (!n || n > len - at)
			return false;
		if (m[at] == OPT_SOURCE_HW && n == 8)
			o->source_hw = m + at + 2;
		else if (m[at] == OPT_TARGET_HW && n == 8)
			o->target_hw = m + at + 2;
		else if (m[at] == OPT_NONCE && n == 8)
			o->nonce = m + at + 2;
		at += n;
	}
	return true;
}

static void handle_ns(struct inet_dev *d, struct packet *p, const u8 *m, u32 len)
{
	struct ip_rx *rx = ip_rx(p);
	struct inet_addr target;
	struct nd_options o;
	struct ifaddr *ia;
	bool probe = addr_is_any(&rx->src), to_group = addr_is_multicast(&rx->dst);
	struct neigh *n;

	if (len < 24 || !parse(m, 24, len, &o))
		return;
	target = addr_v6(m + 8);
	if (addr_is_multicast(&target) || (probe && (o.source_hw || rx->dst.b[11] != 1)))
		return;
	ia = ifaddr_find(d->in, &target, d->dev->ifindex);
	if (!ia)
		return;
	if (ia->flags & (IFA_F_TENTATIVE | IFA_F_OPTIMISTIC)) {
		/* Somebody else probes for the same address; our own echo has our nonce. */
		if (probe && !(o.nonce && !memcmp(o.nonce, ia->dad_nonce, 6)))
			addrconf_conflict(d->in, &target, d->dev->ifindex);
		if (ia->flags & IFA_F_TENTATIVE)
			return;
	}
	if (probe) {
		send_na(d, &target, &g_all_nodes, false, true, NULL);
		return;
	}
	if (addr_is_ours(d->in->net, &rx->src, 0))
		return;
	n = neigh_lookup(d->in, d->dev, &rx->src, o.source_hw || !to_group);
	if (n && o.source_hw)
		neigh_update(n, o.source_hw, NUD_STALE, NEIGH_OVERRIDE);
	if (!n || o.source_hw)
		send_na(d, &target, &rx->src, true, true, o.source_hw);
	else {
		u8 hw[NETIF_ADDR_MAX];

		if (neigh_hw(n, hw))
			send_na(d, &target, &rx->src, true, true, hw);
		else
			ndp_solicit(n, false, NULL, &target); /* it will ask again */
	}
}

static void handle_na(struct inet_dev *d, struct packet *p, const u8 *m, u32 len)
{
	struct ip_rx *rx = ip_rx(p);
	struct inet_addr target;
	struct nd_options o;
	struct ifaddr *ia;
	struct neigh *n;
	bool solicited = len >= 24 && m[4] & 0x40;

	if (len < 24 || !parse(m, 24, len, &o))
		return;
	target = addr_v6(m + 8);
	if (addr_is_multicast(&target) || (addr_is_multicast(&rx->dst) && solicited))
		return;
	ia = ifaddr_find(d->in, &target, d->dev->ifindex);
	if (ia) {
		if (ia->flags & IFA_F_TENTATIVE)
			addrconf_conflict(d->in, &target, d->dev->ifindex);
		return;
	}
	n = neigh_lookup(d->in, d->dev, &target, false);
	if (!n ||
		(!o.target_hw &&
			!(READ_ONCE(n->state) &
				(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))))
		return;
	neigh_update(n, o.target_hw, solicited ? NUD_REACHABLE : NUD_STALE,
		(m[4] & 0x20 ? NEIGH_OVERRIDE : 0) | NEIGH_SOLICITED | NEIGH_ISROUTER_SET |
			(m[4] & 0x80 ? NEIGH_ROUTER : 0));
}

static void handle_rs(struct inet_dev *d, struct packet *p, const u8 *m, u32 len)
{
	struct ip_rx *rx = ip_rx(p);
	struct nd_options o;
	struct neigh *n;

	if (!d->conf.forwarding6 || len < 8 || !parse(m, 8, len, &o) || !o.source_hw ||
		addr_is_any(&rx->src))
		return;
	n = neigh_lookup(d->in, d->dev, &rx->src, true);
	if (n)
		neigh_update(n, o.source_hw, NUD_STALE, NEIGH_OVERRIDE | NEIGH_ISROUTER_SET);
}

/* Messages are small; what is longer than the linear area has more options than we know. */
void ndp_input(struct packet *p)
{
	struct inet_dev *d = inet_dev(p->dev);
	struct ip_rx *rx = ip_rx(p);
	u32 len = p->len;
	const u8 *m;

	if (!d || rx->ttl != 255 || len < 8 || p->dev->flags & IFF_LOOPBACK ||
		!packet_need(p, min(len, 8u)))
		goto drop;
	m = packet_data(p);
	if (m[1] != 0)
		goto drop;
	if (m[0] == ND_RA) {
		if (addr_is_v6_link_local(&rx->src)) {
			addrconf_ra(p);
			return;
		}
		goto drop;
	}
	if (!packet_need(p, len))
		goto drop;
	m = packet_data(p);
	switch (m[0]) {
	case ND_NS:
		handle_ns(d, p, m, len);
		break;
	case ND_NA:
		handle_na(d, p, m, len);
		break;
	case ND_RS:
		handle_rs(d, p, m, len);
		break;
	}
drop:
	packet_free(p);
}
