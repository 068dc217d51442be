/* IPv6 input and forwarding: RFC 8200; options and headers: 4.2 to 4.7. */
#include "inet.h"
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <linux/ipv6.h>

#define MAX_EXT_HEADERS 8

static void drop(struct inet_net *in, struct packet *p, enum mib why)
{
	mib_inc(in, why);
	packet_free(p);
}

static void count_in(struct inet_net *in, const struct packet *p, const struct ipv6hdr *h)
{
	static const enum mib ecn[] = {
		MIB_IP6_INNOECTPKTS, MIB_IP6_INECT1PKTS, MIB_IP6_INECT0PKTS, MIB_IP6_INCEPKTS};

	mib_inc(in, MIB_IP6_INRECEIVES);
	mib_add(in, MIB_IP6_INOCTETS, p->len);
	mib_add(in, ecn[(get_be16(h) >> 4) & 3], p->gso_segs ? p->gso_segs : 1);
	if (h->daddr.in6_u.u6_addr8[0] == 0xff) {
		mib_inc(in, MIB_IP6_INMCASTPKTS);
		mib_add(in, MIB_IP6_INMCASTOCTETS, p->len);
	}
}

/* A parameter problem at byte off of the packet (data at the network header). */
static bool problem(struct packet *p, u8 code, u32 off)
{
	icmp_send(p, ICMPV6_PARAMPROB, code, off);
	return false;
}

/* Options of a hop-by-hop or destination header [at, at + len). False: drop (answered). */
static bool options_ok(struct packet *p, u32 at, u32 len)
{
	const u8 *h = packet_data(p);

	for (u32 i = at + 2; i < at + len;) {
		u32 n;

		if (h[i] == 0) { /* Pad1 */
			i++;
			continue;
		}
		if (i + 1 >= at + len)
			return false;
		n = h[i + 1] + 2u;
		if (n > at + len - i)
			return false;
		if (h[i] != 1 && h[i] != 5) /* PadN, router alert */
			switch (h[i] >> 6) {
			case 1:
				return false;
			case 3:
				if (h[24] == 0xff)
					return false;
				fallthrough;
			case 2:
				return problem(p, ICMPV6_UNK_OPTION, i);
			}
		i += n;
	}
	return true;
}

struct walk {
	u32 at;      /* of the next header, from the network header */
	u32 next_at; /* where its number stands */
	u8 next;
	bool options;
};

/*
 * Extension headers up to the transport, one after the other. *p may be replaced by the whole
 * packet it completes, and is NULL when it waits for more or is dropped: then false.
 */
static bool walk_headers(struct inet_net *in, struct packet **pp, struct walk *w, u8 *rx_flags)
{
	for (int i = 0; i < MAX_EXT_HEADERS; i++) {
		struct packet *p = *pp;
		u32 len;
		u8 *h;

		switch (w->next) {
		case IPPROTO_HOPOPTS:
			if (w->at != 40) {
				(void)problem(p, ICMPV6_UNK_NEXTHDR, w->next_at);
				goto bad;
			}
			break;
		case IPPROTO_DSTOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_FRAGMENT:
			break;
		default:
			return true;
		}
		if (!packet_need(p, w->at + 8))
			goto bad;
		h = packet_data(p);
		len = w->next == IPPROTO_FRAGMENT ? 8 : (h[w->at + 1] + 1u) * 8;
		if (!packet_need(p, w->at + len))
			goto bad;
		w->options = true;
		if (w->next == IPPROTO_FRAGMENT) {
			if (!(get_be16(h + w->at + 2) & 0xfff9)) { /* atomic: RFC 6946 */
				*rx_flags |= IP_RX_FRAGMENTS;
			} else {
				*pp = p = ip6_reassemble(in, p, w->at, w->next_at);
				if (!p)
					return false;
				*rx_flags |= IP_RX_FRAGMENTS;
				/* From the beginning, without that header. */
				h = packet_data(p);
				w->at = 40;
				w->next = h[6];
				w->next_at = 6;
				continue;
			}
		} else if (w->next == IPPROTO_ROUTING) {
			if (h[w->at + 3] != 0) { /* segments left, of a type we don't do */
				(void)problem(p, ICMPV6_HDR_FIELD, w->at + 2);
				goto bad;
			}
		} else if (!options_ok(p, w->at, len)) {
			goto bad;
		}
		w->next = h[w->at];
		w->next_at = w->at;
		w->at += len;
	}
bad:
	drop(in, *pp, MIB_IP6_INHDRERRORS);
	*pp = NULL;
	return false;
}

static void local(struct inet_net *in, struct packet *p, u8 rx_flags)
{
	struct ipv6hdr *h = (struct ipv6hdr *)packet_data(p);
	struct walk w = {40, 6, h->nexthdr, false};
	struct ip_rx rx = {.flags = 0};

	if (!walk_headers(in, &p, &w, &rx_flags))
		return;
	h = (struct ipv6hdr *)packet_data(p);
	rx.src = addr_v6(&h->saddr);
	rx.dst = addr_v6(&h->daddr);
	rx.ttl = h->hop_limit;
	rx.tos = (u8)(get_be16(h) >> 4);
	rx.flowinfo = *(u32 *)h;
	rx.proto = w.next;
	rx.flags = rx_flags | (w.options ? IP_RX_OPTIONS : 0);
	if (w.next == IPPROTO_NONE) {
		packet_free(p);
		return;
	}
	memcpy(p->cb, &rx, sizeof(rx));
	p->net_off = p->data;
	p->net_len = (u8)min(w.at, 255u);
	if (w.at > p->linear_len || w.at > p->len) {
		drop(in, p, MIB_IP6_INTRUNCATEDPKTS);
		return;
	}
	packet_pull(p, w.at);
	p->trans_off = p->data;
	inet_deliver(p);
}

static void forward(struct inet_net *in, struct packet *p, struct ip_path *path)
{
	struct ipv6hdr *h = (struct ipv6hdr *)packet_data(p);
	u32 mtu = path->rt->mtu ? path->rt->mtu : path->mtu;

	if (p->pkt_type != PACKET_HOST) {
		packet_free(p);
		return;
	}
	if (h->hop_limit <= 1) {
		icmp_send(p, ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0);
		drop(in, p, MIB_IP6_INHDRERRORS);
		return;
	}
	if (p->gso == GSO_NONE && p->len > mtu) {
		icmp_send(p, ICMPV6_PKT_TOOBIG, 0, mtu);
		mib_inc(in, MIB_IP6_INTOOBIGERRORS);
		drop(in, p, MIB_IP6_FRAGFAILS);
		return;
	}
	h->hop_limit--;
	mib_inc(in, MIB_IP6_OUTFORWDATAGRAMS);
	p->flags |= PKT_FORWARD;
	if (p->csum_state == CSUM_GOOD || p->csum_state == CSUM_COMPLETE)
		p->csum_state = CSUM_NONE;
	(void)ip_emit(in, path, p, false);
}

static void no_route(struct inet_net *in, struct packet *p, int err)
{
	u8 code = err == -EACCES ? ICMPV6_ADM_PROHIBITED : ICMPV6_NOROUTE;

	if (err == -ENETUNREACH || err == -EACCES)
		icmp_send(p, ICMPV6_DEST_UNREACH, code, 0);
	drop(in, p, MIB_IP6_INNOROUTES);
}

static bool header_ok(struct inet_net *in, struct packet *p)
{
	struct ipv6hdr *h;
	u32 len;

	if (!packet_need(p, 40))
		return false;
	h = (struct ipv6hdr *)packet_data(p);
	if (h->version != 6)
		return false;
	len = ntohs(h->payload_len) + 40u;
	/* A payload length of 0 is that of a jumbogram or of merged segments. */
	if (!h->payload_len && p->gso != GSO_NONE)
		len = p->len;
	if (p->len < len) {
		mib_inc(in, MIB_IP6_INTRUNCATEDPKTS);
		return false;
	}
	if (p->len > len) {
		packet_trim(p, len);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	return true;
}

static bool addresses_ok(
	const struct packet *p, const struct inet_addr *src, const struct inet_addr *dst)
{
	if (addr_is_v4(src) || addr_is_v4(dst) || addr_is_multicast(src))
		return false; /* mapped addresses are never on a wire */
	/* ff00::/16 is reserved; scope 1 doesn't leave an interface. */
	if (dst->b[0] == 0xff &&
		((dst->b[1] & 0xf) == 0 || ((dst->b[1] & 0xf) == 1 && !(p->flags & PKT_LOOPED))))
		return false;
	return !addr_is_any(dst);
}

static void ip6_input(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);
	struct inet_dev *d = inet_dev(p->dev);
	struct inet_addr src, dst;
	struct ip_path path;
	struct ipv6hdr *h;
	int type;

	if (p->pkt_type == PACKET_OTHERHOST || !d) {
		packet_free(p);
		return;
	}
	if (!inet_dev_v6(d)) {
		drop(in, p, MIB_IP6_INDISCARDS);
		return;
	}
	if (!header_ok(in, p)) {
		mib_inc(in, MIB_IP6_INRECEIVES);
		drop(in, p, MIB_IP6_INHDRERRORS);
		return;
	}
	h = (struct ipv6hdr *)packet_data(p);
	p->net_off = p->data;
	p->net_len = 40;
	count_in(in, p, h);
	src = addr_v6(&h->saddr);
	dst = addr_v6(&h->daddr);
	if (!addresses_ok(p, &src, &dst)) {
		drop(in, p, MIB_IP6_INADDRERRORS);
		return;
	}
	type = route_input(in, p, &src, &dst, (u8)(get_be16(h) >> 4), &path);
	switch (type) {
	case RTN_LOCAL:
		local(in, p, 0);
		return;
	case RTN_MULTICAST:
		local(in, p, IP_RX_MULTICAST);
		return;
	case RTN_UNICAST:
		if (READ_ONCE(d->conf.forwarding6) && !addr_needs_scope(&dst) &&
			!addr_needs_scope(&src) && !addr_is_any(&src)) {
			forward(in, p, &path);
			return;
		}
		/* RFC 4007 9: it can't go on in its zone. */
		if (READ_ONCE(d->conf.forwarding6) && !addr_needs_scope(&dst) &&
			addr_is_v6_link_local(&src))
			icmp_send(p, ICMPV6_DEST_UNREACH, ICMPV6_NOT_NEIGHBOUR, 0);
		break;
	default:
		if (type < 0 && type != -EADDRNOTAVAIL && READ_ONCE(d->conf.forwarding6)) {
			no_route(in, p, type);
			return;
		}
	}
	drop(in, p, MIB_IP6_INADDRERRORS);
}

static bool ip6_gro(struct packet *held, struct packet *p)
{
	struct ipv6hdr *a = (struct ipv6hdr *)packet_data(held), *b;
	const struct inet_protocol *proto;
	u32 len;

	if (!packet_need(p, 40) || held->linear_len < 40)
		return false;
	b = (struct ipv6hdr *)packet_data(p);
	len = ntohs(b->payload_len) + 40u;
	if (*(u32 *)a != *(u32 *)b || b->version != 6 || a->nexthdr != b->nexthdr ||
		a->hop_limit != b->hop_limit || memcmp(&a->saddr, &b->saddr, 32) || p->len < len ||
		held->len != ntohs(a->payload_len) + 40u)
		return false;
	proto = inet_protocol_get(b->nexthdr);
	if (!proto || !proto->gro || held->len + len > PACKET_MAX_LEN)
		return false;
	if (p->len > len) {
		packet_trim(p, len);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	held->net_off = held->data;
	held->trans_off = (u16)(held->data + 40);
	p->net_off = p->data;
	p->trans_off = (u16)(p->data + 40);
	if (!proto->gro(held, p))
		return false;
	a->payload_len = htons(held->len - 40);
	return true;
}

int ip6_init(void)
{
	static const struct net_protocol proto = {
		.type = ETH_P_IPV6, .input = ip6_input, .gro = ip6_gro};

	net_protocol_register(&proto);
	return 0;
}
