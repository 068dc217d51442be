/* ICMPv6: RFC 4443. Neighbour discovery is ndp.c's, group reports mld.c's. */
#include "inet.h"
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/ipv6.h>

#define ERROR_MAX 1280u /* bytes of an error with its IPv6 header: RFC 4443 2.4 c */

static void xmit(struct inet_net *in, struct packet *p, const struct inet_addr *src,
	const struct inet_addr *dst, u8 tclass, u32 flowlabel, int oif)
{
	struct flow f = {.local = *src,
		.remote = *dst,
		.mark = p->mark,
		.tos = tclass,
		.oif = oif,
		.proto = IPPROTO_ICMPV6};
	struct ip_tx tx = {.dst = *dst,
		.proto = IPPROTO_ICMPV6,
		.tos = tclass,
		.local_frag = true,
		.flowlabel = flowlabel};
	struct inet_dev *d;
	struct ip_path path;

	if (route_lookup(in->net, &f, &path)) {
		mib_inc(in, MIB_IP6_OUTNOROUTES);
		packet_free(p);
		return;
	}
	d = inet_dev(path.rt->dev);
	tx.ttl = (u8)(path.rt->hoplimit ? path.rt->hoplimit : d ? (u32)d->conf.hop_limit : 64);
	tx.src = path.source;
	icmp6_csum(p, &tx.src, &tx.dst);
	p->csum_state = CSUM_NONE;
	p->gso = GSO_NONE;
	p->trans_off = p->data;
	p->flags &= (u8) ~(PKT_LOOPED | PKT_FORWARD);
	mib_inc(in, MIB_ICMP6_OUTMSGS);
	(void)ip_send(in->net, &path, &tx, p);
}

/* The transport of the packet whose IPv6 header is at net_off: number and offset from there; false:
 * not in the linear area. */
static bool find_transport(struct packet *p, u32 have, u8 *proto, u32 *at, bool *later_fragment)
{
	const u8 *h = p->linear + p->net_off;

	*proto = h[6];
	*at = 40;
	*later_fragment = false;
	for (int i = 0; i < 8; i++) {
		u32 len;

		switch (*proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return true;
		}
		if (*at + 8 > have)
			return false;
		if (*proto == IPPROTO_FRAGMENT) {
			*later_fragment = get_be16(h + *at + 2) & 0xfff8;
			len = 8;
		} else {
			len = (h[*at + 1] + 1u) * 8;
		}
		*proto = h[*at];
		*at += len;
	}
	return false;
}

static bool may_report(struct inet_net *in, struct packet *p, u8 type, u8 code)
{
	struct ipv6hdr *h = (struct ipv6hdr *)(p->linear + p->net_off);
	struct inet_addr src = addr_v6(&h->saddr), dst = addr_v6(&h->daddr);
	u32 have = p->data + p->linear_len - p->net_off, at;
	bool group_ok = type == ICMPV6_PKT_TOOBIG ||
		(type == ICMPV6_PARAMPROB && code == ICMPV6_UNK_OPTION);
	bool later;
	u8 proto;

	if (addr_is_any(&src) || addr_is_multicast(&src))
		return false;
	if ((addr_is_multicast(&dst) || p->pkt_type != PACKET_HOST) && !group_ok)
		return false;
	if (!find_transport(p, have, &proto, &at, &later))
		return true;
	if (later)
		return false;
	if (proto == IPPROTO_ICMPV6) /* unreadable or an error: none about it */
		return at < have && h && (p->linear[p->net_off + at] & 0x80);
	return true;
}

void icmp6_send(struct packet *p, u8 type, u8 code, u32 info)
{
	struct ipv6hdr *h = (struct ipv6hdr *)(p->linear + p->net_off);
	struct inet_net *in = inet_net(p->dev->net);
	struct inet_addr dst = addr_v6(&h->saddr), src = addr_v6(&h->daddr);
	int oif = addr_needs_scope(&dst) ? p->dev->ifindex : 0;
	struct packet *q;
	u8 *m;

	if (!may_report(in, p, type, code))
		return;
	if (!(p->dev->flags & IFF_LOOPBACK) && !icmp_rate_ok(in, &dst, type))
		return;
	q = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!q)
		return;
	m = packet_put(q, 8);
	m[0] = type;
	m[1] = code;
	m[2] = m[3] = 0;
	put_be32(m + 4, info);
	q->mark = p->mark;
	if (!transport_quote(q, p, ERROR_MAX - 48)) {
		packet_free(q);
		return;
	}
	if (!addr_is_ours(in->net, &src, addr_is_v6_link_local(&src) ? p->dev->ifindex : 0))
		src = addr_any(AF_INET6);
	xmit(in, q, &src, &dst, 0, 0, oif);
}

static void echo(struct inet_net *in, struct packet *p)
{
	struct ip_rx rx = *ip_rx(p);
	struct inet_addr src = rx.flags & IP_RX_MULTICAST ? addr_any(AF_INET6) : rx.dst;
	int oif = addr_needs_scope(&rx.src) ? p->dev->ifindex : 0;
	struct packet *q = p;

	if (READ_ONCE(in->icmp6_echo_ignore_all)) {
		packet_free(p);
		return;
	}
	if (packet_headroom(p) < 60) {
		q = packet_with_room(p, 0, p->len);
		if (q)
			q->mark = p->mark;
		packet_free(p);
		if (!q)
			return;
	}
	packet_data(q)[0] = ICMPV6_ECHO_REPLY;
	xmit(in, q, &src, &rx.src, rx.tos, 0, oif);
}

static void error(struct inet_net *in, struct packet *p, u8 type, u8 code, u32 word)
{
	struct icmp_event e = {.p = p, .type = type, .code = code, .ifindex = (int)p->ifindex};
	u32 at, saved_net = p->net_off;
	struct ipv6hdr *h;
	bool later;
	u8 proto;

	packet_pull(p, 8);
	if (p->len < 48 || !packet_need(p, 48))
		return;
	h = (struct ipv6hdr *)packet_data(p);
	if (h->version != 6)
		return;
	e.local = addr_v6(&h->saddr);
	e.remote = addr_v6(&h->daddr);
	if (addr_is_v4(&e.remote))
		return;
	e.offender = ip_rx(p)->src;
	e.err = icmp_errno(false, type, code, &e.hard);
	e.info = word;
	p->net_off = p->data;
	if (find_transport(p, p->linear_len, &proto, &at, &later) && !later && at <= p->len &&
		packet_need(p, at + 8)) {
		packet_pull(p, at);
		p->trans_off = p->data;
		if (proto == IPPROTO_ICMPV6 && g_raw_hooks) {
			if (packet_data(p)[0] == ICMPV6_ECHO_REQUEST)
				g_raw_hooks->ping_error(in->net, &e);
			g_raw_hooks->error(in->net, &e, proto);
		} else {
			transport_error(in->net, &e, proto);
		}
	}
	p->net_off = (u16)saved_net;
}

void icmp6_input(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);
	struct ip_rx *rx = ip_rx(p);
	u8 *m;

	mib_inc(in, MIB_ICMP6_INMSGS);
	if (!packet_need(p, 8))
		goto bad;
	if (!packet_csum_ok(p, ip_pseudo_sum(&rx->src, &rx->dst, IPPROTO_ICMPV6, p->len))) {
		mib_inc(in, MIB_ICMP6_INCSUMERRORS);
		goto bad;
	}
	m = packet_data(p);
	switch (m[0]) {
	case ICMPV6_ECHO_REQUEST:
		echo(in, p);
		return;
	case ICMPV6_ECHO_REPLY:
		if (g_raw_hooks) {
			g_raw_hooks->ping(p);
			return;
		}
		break;
	case ICMPV6_DEST_UNREACH:
	case ICMPV6_PKT_TOOBIG:
	case ICMPV6_TIME_EXCEED:
	case ICMPV6_PARAMPROB:
		error(in, p, m[0], m[1], get_be32(m + 4));
		break;
	case 130:
	case 131:
	case 132:
	case 143:
		mld_input(p);
		return;
	case 133:
	case 134:
	case 135:
	case 136:
	case 137:
		ndp_input(p);
		return;
	}
	packet_free(p);
	return;
bad:
	mib_inc(in, MIB_ICMP6_INERRORS);
	packet_free(p);
}
