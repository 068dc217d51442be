/*
 * Segmentation by software: what the device can't do. Headers are copied to each segment, payload
 * is shared. Sums are left to be finished (CSUM_PARTIAL): the device may do that much.
 */
#include "core.h"
#include <lib/checksum.h>
#include <lib/err.h>
#include <lib/string.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/packet.h>

static inline u16 be16(u32 v)
{
	return __builtin_bswap16((u16)v);
}

static bool is_v4(const struct packet *p)
{
	return p->gso == GSO_TCP4 || p->gso == GSO_UDP4;
}

static bool is_tcp(const struct packet *p)
{
	return p->gso == GSO_TCP4 || p->gso == GSO_TCP6;
}

/* The partial sum's pseudo header has the length in it. */
static void fix_partial_sum(u16 *field, u32 old_len, u32 new_len)
{
	*field = (u16)~checksum_fold((u64)*field + (u16)~be16(old_len) + be16(new_len));
}

/* s is p's segment at payload offset off: make its headers say so. */
static void fix_headers(struct packet *s, const struct packet *p, u32 nr, u32 off, bool last)
{
	u32 trans_len = s->len - (s->trans_off - s->data);
	u32 old_len = p->len - (p->trans_off - p->data);

	if (is_v4(p)) {
		struct iphdr *ip = (void *)(s->linear + s->net_off);

		ip->tot_len = be16(s->len - (s->net_off - s->data));
		ip->id = be16(be16(ip->id) + nr);
		ip->check = 0;
		ip->check = checksum_fold(checksum_add(0, ip, ip->ihl * 4));
	} else {
		struct ipv6hdr *ip6 = (void *)(s->linear + s->net_off);

		ip6->payload_len = be16(s->len - (s->net_off - s->data) - sizeof(*ip6));
	}
	if (is_tcp(p)) {
		struct tcphdr *th = (void *)(s->linear + s->trans_off);

		th->seq = __builtin_bswap32(__builtin_bswap32(th->seq) + off);
		if (!last)
			th->fin = th->psh = 0;
		if (nr)
			th->cwr = 0;
		fix_partial_sum(&th->check, old_len, trans_len);
	} else {
		struct udphdr *uh = (void *)(s->linear + s->trans_off);

		uh->len = be16(trans_len);
		fix_partial_sum(&uh->check, old_len, trans_len);
	}
}

static struct packet *make_segment(const struct packet *p, u32 head, u32 off, u32 n)
{
	struct packet *s = packet_slice(p, head + off, n, GFP_ATOMIC);
	u32 small;

	if (!s)
		return NULL;
	/* Headers go in front, at the same place as in p: the offsets stay true. */
	small = s->linear_len;
	if (p->data + head + small > PACKET_LINEAR) {
		packet_free(s);
		return NULL;
	}
	memmove(s->linear + p->data + head, packet_data(s), small);
	memcpy(s->linear + p->data, p->linear + p->data, head);
	s->data = p->data;
	s->linear_len = (u16)(head + small);
	s->len += head;
	s->mac_off = p->mac_off;
	s->net_off = p->net_off;
	s->trans_off = p->trans_off;
	s->net_len = p->net_len;
	s->queue = p->queue;
	s->vlan = p->vlan;
	s->pkt_type = p->pkt_type;
	s->csum_state = CSUM_PARTIAL;
	s->csum_start = p->csum_start;
	s->csum_offset = p->csum_offset;
	return s;
}

/* Bytes of headers from data on, transport header included; 0: the packet makes no sense. */
static u32 header_len(const struct packet *p)
{
	u32 head = p->trans_off - p->data;

	if (!is_tcp(p))
		return head + sizeof(struct udphdr);
	return head + ((const struct tcphdr *)(p->linear + p->trans_off))->doff * 4u;
}

bool packet_segment(struct packet *p, struct list_head *out)
{
	u32 head = header_len(p), payload, nr = 0;
	struct packet *s = NULL;

	list_init(out);
	if (!p->gso_size || head > p->linear_len || p->csum_state != CSUM_PARTIAL)
		goto fail;
	payload = p->len - head;
	for (u32 off = 0; off < payload; off += p->gso_size, nr++) {
		u32 n = min_t(u32, p->gso_size, payload - off);

		s = make_segment(p, head, off, n);
		if (!s)
			goto fail;
		fix_headers(s, p, nr, off, off + n == payload);
		list_add_tail(&s->link, out);
	}
	if (s) { /* who is charged for the whole is told when its last part has gone */
		s->sk = p->sk;
		s->released = p->released;
		s->truesize = p->truesize;
		p->sk = NULL;
		p->released = NULL;
	}
	packet_free(p);
	return true;
fail:
	while (!list_empty(out)) {
		s = list_first_entry(out, struct packet, link);
		list_del(&s->link);
		packet_free(s);
	}
	packet_free(p);
	return false;
}
