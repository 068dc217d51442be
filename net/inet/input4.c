/* IPv4 input and forwarding: RFC 791, 1122 3.2, 1812 5. */
#include "inet.h"
#include <linux/icmp.h>
#include <linux/if_packet.h>
#include <linux/ip.h>

static void drop(struct inet_net *in, struct packet *p, enum mib why)
{
	mib_inc(in, why);
	packet_free(p);
}

/* Bad options are answered; source routes are refused (accept_source_route is off). False: drop. */
static bool options_ok(struct packet *p, const struct iphdr *h, u32 hl)
{
	const u8 *o = (const u8 *)h;

	for (u32 i = 20; i < hl;) {
		u32 n;

		if (o[i] == 0)
			return true;
		if (o[i] == 1) {
			i++;
			continue;
		}
		n = i + 1 < hl ? o[i + 1] : 0;
		if (n < 2 || n > hl - i) {
			icmp_send(p, ICMP_PARAMETERPROB, 0, i << 24);
			return false;
		}
		if (o[i] == 131 || o[i] == 137) /* loose, strict source route */
			return false;
		i += n;
	}
	return true;
}

static void count_in(struct inet_net *in, const struct packet *p, const struct iphdr *h)
{
	static const enum mib ecn[] = {
		MIB_IPX_INNOECTPKTS, MIB_IPX_INECT1PKTS, MIB_IPX_INECT0PKTS, MIB_IPX_INCEPKTS};

	mib_inc(in, MIB_IP_INRECEIVES);
	mib_add(in, MIB_IPX_INOCTETS, p->len);
	mib_add(in, ecn[h->tos & 3], p->gso_segs ? p->gso_segs : 1);
	if ((ntohl(h->daddr) & 0xf0000000) == 0xe0000000) {
		mib_inc(in, MIB_IPX_INMCASTPKTS);
		mib_add(in, MIB_IPX_INMCASTOCTETS, p->len);
	} else if (p->pkt_type == PACKET_BROADCAST) {
		mib_inc(in, MIB_IPX_INBCASTPKTS);
		mib_add(in, MIB_IPX_INBCASTOCTETS, p->len);
	}
}

static void forward(struct inet_net *in, struct packet *p, struct ip_path *path)
{
	struct iphdr *h = (struct iphdr *)packet_data(p);
	u32 mtu = in->ip_forward_use_pmtu ? path->mtu
		: path->rt->mtu           ? path->rt->mtu
					  : path->rt->dev->mtu;

	if (p->pkt_type != PACKET_HOST) {
		packet_free(p);
		return;
	}
	if (h->ttl <= 1) {
		icmp_send(p, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
		drop(in, p, MIB_IP_INHDRERRORS);
		return;
	}
	if (p->gso == GSO_NONE && p->len > mtu && h->frag_off & htons(0x4000)) {
		mib_inc(in, MIB_IP_FRAGFAILS);
		icmp_send(p, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
		packet_free(p);
		return;
	}
	mib_inc(in, MIB_IP_FORWDATAGRAMS);
	h->check = checksum_replace(h->check, *(u16 *)&h->ttl, (u16)(*(u16 *)&h->ttl - 1));
	h->ttl--;
	p->flags |= PKT_FORWARD;
	if (p->csum_state == CSUM_GOOD || p->csum_state == CSUM_COMPLETE)
		p->csum_state = CSUM_NONE;
	if (p->gso == GSO_NONE && p->len > mtu)
		(void)ip4_fragment(in, path, p, mtu, false);
	else
		(void)ip_emit(in, path, p, false);
}

static void no_route(struct inet_net *in, struct packet *p, int err)
{
	switch (err) {
	case -ENETUNREACH:
		icmp_send(p, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
		drop(in, p, MIB_IPX_INNOROUTES);
		return;
	case -EHOSTUNREACH:
		icmp_send(p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
		break;
	case -EACCES:
		icmp_send(p, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, 0);
		break;
	}
	drop(in, p, MIB_IP_INADDRERRORS);
}

/* It is for us: whole packets go up. */
static void local(struct inet_net *in, struct packet *p, u8 rx_flags)
{
	struct iphdr *h = (struct iphdr *)packet_data(p);
	struct ip_rx rx = {.flags = rx_flags};
	u32 hl;

	if (h->frag_off & htons(0x3fff)) {
		p = ip4_reassemble(in, p);
		if (!p)
			return;
		h = (struct iphdr *)packet_data(p);
		rx.flags |= IP_RX_FRAGMENTS;
	}
	hl = h->ihl * 4u;
	rx.src = addr_v4(h->saddr);
	rx.dst = addr_v4(h->daddr);
	rx.ttl = h->ttl;
	rx.tos = h->tos;
	rx.proto = h->protocol;
	if (hl > 20)
		rx.flags |= IP_RX_OPTIONS;
	memcpy(p->cb, &rx, sizeof(rx));
	p->net_off = p->data;
	p->net_len = (u8)hl;
	packet_pull(p, hl);
	p->trans_off = p->data;
	inet_deliver(p);
}

/* The header is sound and the packet has the header's length. */
static bool header_ok(struct inet_net *in, struct packet *p)
{
	struct iphdr *h;
	u32 hl, len;

	if (!packet_need(p, 20))
		return false;
	h = (struct iphdr *)packet_data(p);
	hl = h->ihl * 4u;
	if (h->version != 4 || hl < 20 || !packet_need(p, hl))
		return false;
	h = (struct iphdr *)packet_data(p);
	if (!(p->flags & PKT_LOOPED) && checksum_fold(checksum_add(0, h, hl))) {
		mib_inc(in, MIB_IPX_INCSUMERRORS);
		return false;
	}
	len = ntohs(h->tot_len);
	if (len < hl)
		return false;
	if (p->len < len) {
		mib_inc(in, MIB_IPX_INTRUNCATEDPKTS);
		return false;
	}
	if (p->len > len) { /* Ethernet's padding */
		packet_trim(p, len);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	return true;
}

static void ip4_input(struct packet *p)
{
	struct inet_net *in = inet_net(p->dev->net);
	struct inet_dev *d = inet_dev(p->dev);
	struct inet_addr src, dst;
	struct ip_path path;
	struct iphdr *h;
	int type;

	if (p->pkt_type == PACKET_OTHERHOST || !d) {
		packet_free(p);
		return;
	}
	if (!header_ok(in, p)) {
		mib_inc(in, MIB_IP_INRECEIVES);
		drop(in, p, MIB_IP_INHDRERRORS);
		return;
	}
	h = (struct iphdr *)packet_data(p);
	p->net_off = p->data;
	p->net_len = (u8)(h->ihl * 4);
	count_in(in, p, h);
	if (h->ihl > 5 && !options_ok(p, h, h->ihl * 4u)) {
		drop(in, p, MIB_IP_INHDRERRORS);
		return;
	}
	src = addr_v4(h->saddr);
	dst = addr_v4(h->daddr);
	type = route_input(in, p, &src, &dst, h->tos, &path);
	switch (type) {
	case RTN_LOCAL:
		if (h->ihl > 5)
			ip_options_record((u8 *)(h + 1), h->ihl * 4u - 20, h->daddr, true);
		local(in, p, 0);
		return;
	case RTN_BROADCAST:
		local(in, p, IP_RX_BROADCAST);
		return;
	case RTN_MULTICAST:
		local(in, p, IP_RX_MULTICAST);
		return;
	case RTN_UNICAST:
		if (READ_ONCE(d->conf.forwarding)) {
			forward(in, p, &path);
			return;
		}
		drop(in, p, MIB_IP_INADDRERRORS);
		return;
	default:
		if (type < 0 && READ_ONCE(d->conf.forwarding))
			no_route(in, p, type);
		else
			drop(in, p, MIB_IP_INADDRERRORS);
	}
}

/* Can p follow held? Same flow and fields, no options, no fragments. RFC-less, as devices do it. */
static bool ip4_gro(struct packet *held, struct packet *p)
{
	const struct inet_protocol *proto;
	struct iphdr *a = (struct iphdr *)packet_data(held), *b;
	u32 len;

	if (!packet_need(p, 20) || held->linear_len < 20)
		return false;
	b = (struct iphdr *)packet_data(p);
	len = ntohs(b->tot_len);
	if (b->version != 4 || b->ihl != 5 || a->ihl != 5 || a->version != 4 || len < 20 ||
		p->len < len)
		return false;
	if (a->saddr != b->saddr || a->daddr != b->daddr || a->protocol != b->protocol ||
		a->tos != b->tos || a->ttl != b->ttl ||
		(a->frag_off | b->frag_off) & htons(0x3fff) || a->frag_off != b->frag_off)
		return false;
	if (checksum_fold(checksum_add(0, b, 20)) || held->len != ntohs(a->tot_len))
		return false;
	proto = inet_protocol_get(b->protocol);
	if (!proto || !proto->gro || held->len + len > PACKET_MAX_LEN)
		return false;
	if (p->len > len) {
		packet_trim(p, len);
		if (p->csum_state == CSUM_COMPLETE)
			p->csum_state = CSUM_NONE;
	}
	held->net_off = held->data;
	held->trans_off = (u16)(held->data + 20);
	p->net_off = p->data;
	p->trans_off = (u16)(p->data + 20);
	if (!proto->gro(held, p))
		return false;
	a->check = checksum_replace(a->check, a->tot_len, htons(held->len));
	a->tot_len = htons(held->len);
	return true;
}

int ip4_init(void)
{
	static const struct net_protocol proto = {
		.type = ETH_P_IP, .input = ip4_input, .gro = ip4_gro};

	net_protocol_register(&proto);
	return 0;
}
