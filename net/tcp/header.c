/* TCP headers and options, both ways. RFC 9293 3.1, 7323, 2018, 7413. */
#include <lib/string.h>
#include "machine.h"

#define OPT_END      0
#define OPT_NOP      1
#define OPT_MSS      2
#define OPT_WSCALE   3
#define OPT_SACK_OK  4
#define OPT_SACK     5
#define OPT_TS       8
#define OPT_FASTOPEN 34
#define HEADER_LEN   20u

static u32 get32(const u8 *b)
{
	u32 v;

	memcpy(&v, b, 4);
	return __builtin_bswap32(v);
}

static u16 get16(const u8 *b)
{
	return (u16)(b[0] << 8 | b[1]);
}

static void parse_option(struct tcp_seg *s, const u8 *o, u32 len)
{
	bool syn = s->flags & TCPF_SYN;

	switch (o[0]) {
	case OPT_MSS:
		if (len == 4 && syn)
			s->mss = get16(o + 2);
		break;
	case OPT_WSCALE:
		if (len == 3 && syn)
			s->wscale = min_t(u8, o[2], TCP_MAX_WSCALE);
		break;
	case OPT_SACK_OK:
		if (len == 2 && syn)
			s->sack_ok = true;
		break;
	case OPT_SACK:
		if (len < 10 || (len - 2) % 8 || syn)
			break;
		s->nr_sacks = (u8)min_t(u32, (len - 2) / 8, TCP_MAX_SACKS);
		for (u32 i = 0; i < s->nr_sacks; i++)
			s->sacks[i] = (struct seq_range){
				get32(o + 2 + 8 * i), get32(o + 6 + 8 * i)};
		break;
	case OPT_TS:
		if (len == 10) {
			s->has_ts = true;
			s->ts_val = get32(o + 2);
			s->ts_ecr = get32(o + 6);
		}
		break;
	case OPT_FASTOPEN:
		if (syn && (len == 2 || (len >= 6 && len <= 2 + TCP_FASTOPEN_MAX && !(len & 1)))) {
			s->fo_len = (s8)(len - 2);
			memcpy(s->fo_cookie, o + 2, len - 2);
		}
		break;
	}
}

/* A malformed option ends the list; what came before it counts (as Linux has it). */
static void parse_options(struct tcp_seg *s, const u8 *o, u32 n)
{
	while (n) {
		if (*o == OPT_END)
			return;
		if (*o == OPT_NOP) {
			o++;
			n--;
			continue;
		}
		if (n < 2 || o[1] < 2 || o[1] > n)
			return;
		parse_option(s, o, o[1]);
		n -= o[1];
		o += o[1];
	}
}

int tcp_parse(struct packet *p, struct tcp_seg *s)
{
	u32 header, opt;
	const u8 *h;

	if (p->len < HEADER_LEN || !packet_need(p, HEADER_LEN))
		return -EINVAL;
	header = (packet_data(p)[12] >> 4) * 4u;
	if (header < HEADER_LEN || header > p->len || !packet_need(p, header))
		return -EINVAL;
	h = packet_data(p);
	s->sport = get16(h);
	s->dport = get16(h + 2);
	s->seq = get32(h + 4);
	s->ack = get32(h + 8);
	s->flags = h[13];
	s->wnd = get16(h + 14);
	s->urg = get16(h + 18);
	s->len = p->len - header;
	s->ce = s->has_ts = s->sack_ok = false;
	s->wscale = 0xff;
	s->mss = 0;
	s->nr_sacks = 0;
	s->fo_len = -1;
	opt = header - HEADER_LEN;
	/* What nearly all segments have: NOP NOP TS. */
	if (opt == 12 && get32(h + 20) == (OPT_NOP << 24 | OPT_NOP << 16 | OPT_TS << 8 | 10)) {
		s->has_ts = true;
		s->ts_val = get32(h + 24);
		s->ts_ecr = get32(h + 28);
	} else if (opt) {
		parse_options(s, h + HEADER_LEN, opt);
	}
	packet_pull(p, header);
	return 0;
}

void tcp_push_header(struct packet *p, u16 sport, u16 dport, u32 seq, u32 ack, u32 flags, u32 wnd,
	u32 urg, const u8 *options, u32 options_len)
{
	u8 *h = packet_push(p, HEADER_LEN + options_len);
	u16 half[2] = {__builtin_bswap16(sport), __builtin_bswap16(dport)};
	u32 word;

	memcpy(h, half, 4);
	word = __builtin_bswap32(seq);
	memcpy(h + 4, &word, 4);
	word = __builtin_bswap32(ack);
	memcpy(h + 8, &word, 4);
	h[12] = (u8)((HEADER_LEN + options_len) / 4 << 4);
	h[13] = (u8)flags;
	half[0] = __builtin_bswap16((u16)wnd);
	half[1] = 0;
	memcpy(h + 14, half, 4);
	half[0] = __builtin_bswap16((u16)urg);
	memcpy(h + 18, half, 2);
	if (options_len)
		memcpy(h + HEADER_LEN, options, options_len);
}

u32 tcp_options_ts(u8 *o, u32 val, u32 ecr)
{
	const u8 head[4] = {OPT_NOP, OPT_NOP, OPT_TS, 10};

	val = __builtin_bswap32(val);
	ecr = __builtin_bswap32(ecr);
	memcpy(o, head, 4);
	memcpy(o + 4, &val, 4);
	memcpy(o + 8, &ecr, 4);
	return 12;
}

u32 tcp_options_sack(u8 *o, const struct seq_range *r, u32 n)
{
	o[0] = o[1] = OPT_NOP;
	o[2] = OPT_SACK;
	o[3] = (u8)(2 + 8 * n);
	for (u32 i = 0; i < n; i++) {
		u32 edge[2] = {__builtin_bswap32(r[i].start), __builtin_bswap32(r[i].end)};

		memcpy(o + 4 + 8 * i, edge, 8);
	}
	return 4 + 8 * n;
}

u32 tcp_options_syn(u8 *o, const struct tcp_syn_options *w)
{
	u32 n = 4;

	o[0] = OPT_MSS;
	o[1] = 4;
	o[2] = (u8)(w->mss >> 8);
	o[3] = (u8)w->mss;
	if (w->ts) {
		tcp_options_ts(o + n, w->ts_val, w->ts_ecr);
		if (w->sack) { /* in place of the two NOPs */
			o[n] = OPT_SACK_OK;
			o[n + 1] = 2;
		}
		n += 12;
	} else if (w->sack) {
		const u8 sack[4] = {OPT_NOP, OPT_NOP, OPT_SACK_OK, 2};

		memcpy(o + n, sack, 4);
		n += 4;
	}
	if (w->wscale != 0xff) {
		const u8 scale[4] = {OPT_NOP, OPT_WSCALE, 3, w->wscale};

		memcpy(o + n, scale, 4);
		n += 4;
	}
	if (w->fo_len >= 0 && n + 2 + (u32)w->fo_len <= TCP_MAX_OPTIONS) {
		o[n] = OPT_FASTOPEN;
		o[n + 1] = (u8)(2 + w->fo_len);
		memcpy(o + n + 2, w->fo_cookie, (u32)w->fo_len);
		n += 2 + (u32)w->fo_len;
		while (n % 4)
			o[n++] = OPT_NOP;
	}
	return n;
}

struct packet *tcp_make_reset(const struct tcp_seg *s)
{
	struct packet *p;

	if (s->flags & TCPF_RST)
		return NULL;
	p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!p)
		return NULL;
	if (s->flags & TCPF_ACK)
		tcp_push_header(p, s->dport, s->sport, s->ack, 0, TCPF_RST, 0, 0, NULL, 0);
	else
		tcp_push_header(
			p, s->dport, s->sport, 0, seg_end(s), TCPF_RST | TCPF_ACK, 0, 0, NULL, 0);
	return p;
}
