/*
 * Segments from a hostile peer, in any state of a connection: each input is a configuration and a
 * list of steps (a segment with numbers near those that matter, a call of the user, time). After
 * each step the rules of net/tcp/conn.h hold; at the end no packet and no page is left.
 */
#include <lib/err.h>
#include <lib/string.h>
#include "../../net/tcp/conn.h"
#include "fuzz.h"

int puts(const char *s);
int fflush(void *file);

static struct input {
	const u8 *at, *end;
} g_in;

static u32 byte(void)
{
	return g_in.at < g_in.end ? *g_in.at++ : 0;
}

static u32 word(void)
{
	u32 hi = byte();

	return hi << 8 | byte();
}

static u64 g_sent;

static void transmit(struct tcp_conn *c, struct packet *p, bool ect)
{
	struct tcp_seg s;

	/* What we make must be readable, and lie within what may be sent. */
	must_hold(!tcp_parse(p, &s));
	must_hold(p->len == s.len);
	if (!(s.flags & (TCPF_SYN | TCPF_RST)))
		must_hold(!seq_after(s.seq + s.len, c->write_seq));
	g_sent++;
	packet_free(p);
}

static void count(struct tcp_conn *c, enum tcp_count what, u32 n)
{
}

static const struct tcp_ops ops = {.transmit = transmit, .count = count};

/* A number near one of those that decide. */
static u32 near(const struct tcp_conn *c, u32 kind)
{
	const u32 bases[] = {c->rcv_nxt, c->rcv_right, c->copied_seq, c->snd_una, c->snd_nxt,
		c->write_seq, c->irs, c->iss};
	s32 off = (s32)(s8)byte();

	return bases[kind & 7] + (u32)(kind & 8 ? off * 200 : off);
}

static void read_segment(struct tcp_conn *c, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	u8 data[1500] = {0}, o[TCP_MAX_OPTIONS];
	u32 kind = byte(), flags = byte(), more = byte(), len, n;
	u32 seq = kind & 0x80 ? near(c, kind) : c->rcv_nxt;
	u32 ack = kind & 0x40 ? near(c, kind >> 2) : c->snd_una + byte();
	struct tcp_seg s;

	if (!p)
		return;
	len = more & 3 ? (more & 2 ? word() % 1400 : byte()) : 0;
	/* Options are taken from the input as they are. */
	n = (more >> 4) * 4;
	n = min(n, TCP_MAX_OPTIONS + 0u);
	for (u32 i = 0; i < n; i++)
		o[i] = (u8)byte();
	if (more & 4 && n >= 12) { /* SACK blocks that mean something */
		o[0] = o[1] = 1;
		o[2] = 5;
		o[3] = (u8)((n - 4) / 8 * 8 + 2);
		for (u32 i = 0; i + 4 < n; i += 4) {
			u32 v = __builtin_bswap32(near(c, byte() | 8));

			if (i + 8 <= n)
				memcpy(o + 4 + i, &v, 4);
		}
	} else if (more & 8 && n >= 12) {
		u32 v = __builtin_bswap32(c->ts_recent + (u32)(s32)(s8)o[4]);
		u32 e = __builtin_bswap32((u32)(now / 1000000) + c->ts_off - o[5]);

		memcpy(o, "\x01\x01\x08\x0a", 4);
		memcpy(o + 4, &v, 4);
		memcpy(o + 8, &e, 4);
	}
	must_hold(!packet_append(p, data, len, GFP_ATOMIC));
	tcp_push_header(p, 1, 2, seq, ack, flags, kind & 0x20 ? word() : 4000,
		flags & TCPF_URG ? byte() : 0, o, n);
	must_hold(!tcp_parse(p, &s));
	s.ce = kind & 0x10;
	must_hold(s.len == p->len);
	tcp_input(c, &s, p, now);
}

static void user_write(struct tcp_conn *c, u32 n, s64 now)
{
	static const u8 zeroes[3000];
	struct packet *p;

	if ((c->state != TCP_ESTABLISHED && c->state != TCP_CLOSE_WAIT) || !n || c->wmem > 400000)
		return;
	p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	must_hold(p && !packet_append(p, zeroes, n % sizeof(zeroes) + 1, GFP_ATOMIC));
	tcp_queue(c, p);
	c->more = n & 1;
	tcp_output(c, now);
}

static void user_read(struct tcp_conn *c, s64 now)
{
	struct packet *p = packet_queue_take(&c->receive);
	u32 n, mem;

	if (!p)
		return;
	n = p->len;
	mem = p->truesize;
	packet_free(p);
	tcp_consumed(c, n, mem, now);
}

static void user(struct tcp_conn *c, s64 now)
{
	u32 what = byte();

	switch (what % 14) {
	case 0:
	case 1:
		user_write(c, word(), now);
		break;
	case 2:
	case 3:
		user_read(c, now);
		break;
	case 4:
		tcp_finish(c, now);
		break;
	case 5:
		c->shut_rcv = true;
		tcp_finish(c, now);
		tcp_orphan(c, now);
		break;
	case 6:
		if (c->state != TCP_CLOSE)
			tcp_set_mss(c, 40 + word() % 1500, what & 64 ? 65000 : 0, now);
		break;
	case 7:
		c->nagle = (u8)(what >> 4 & 3);
		tcp_output(c, now);
		break;
	case 8:
		tcp_set_keepalive(c, what & 16, now);
		break;
	case 9:
		if (c->unsent.count || c->rtx_first)
			tcp_mark_urgent(c);
		break;
	case 10:
		tcp_set_quickack(c, what & 16, now);
		break;
	case 11:
		tcp_icmp_error(c, EHOSTUNREACH, near(c, what), what & 16, now);
		break;
	case 12:
		c->rcvbuf = 2304 + (s32)word();
		break;
	case 13:
		if (what & 128)
			tcp_abort(c, ECONNABORTED, now);
		break;
	}
}

static void rules_hold(const struct tcp_conn *c)
{
	const char *bad = tcp_check(c);

	if (bad) {
		puts(bad);
		fflush(NULL);
	}
	must_hold(!bad);
}

static void start(struct tcp_conn *c, struct tcp_config *cfg, s64 now)
{
	u32 bits = word();
	struct tcp_seg syn = {.seq = word() << 16, .flags = TCPF_SYN, .wscale = 0xff, .fo_len = -1};
	struct tcp_request rq;

	*cfg = g_tcp_config_default;
	cfg->timestamps = bits & 1;
	cfg->sack = bits >> 1 & 1;
	cfg->window_scaling = bits >> 2 & 1;
	cfg->ecn = bits >> 3 & 1;
	cfg->frto = bits >> 4 & 1;
	if (bits & 0x20)
		cfg->rmem[1] = 4000;
	tcp_conn_init(c, &ops, cfg, now, word());
	c->cc = bits & 0x40 ? &tcp_newreno : &tcp_cubic;
	c->advmss = 1460;
	tcp_set_mss(c, 1460, bits & 0x80 ? 65160 : 0, now);
	if (bits & 0x100) {
		must_hold(!tcp_open(c, word() << 16, now));
		return;
	}
	syn.has_ts = bits >> 9 & 1;
	syn.sack_ok = bits >> 10 & 1;
	syn.wscale = bits & 0x800 ? 7 : 0xff;
	syn.mss = (u16)(byte() * 8);
	if (bits & 0x1000)
		syn.flags |= TCPF_ECE | TCPF_CWR;
	tcp_request_init(&rq, &syn, cfg, 1460, cfg->rmem[1], word() << 16, word(), now);
	tcp_open_passive(c, &rq, now);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static struct tcp_conn c;
	struct tcp_config cfg;
	s64 now = 1000 * NS_PER_SEC;

	fuzz_memory_start();
	g_in = (struct input){data, data + n};
	start(&c, &cfg, now);
	while (g_in.at < g_in.end) {
		u32 op = byte();
		s64 deadline = tcp_deadline(&c);

		if (op < 0x90)
			read_segment(&c, now);
		else if (op < 0xd0)
			user(&c, now);
		else if (op < 0xe8)
			now += (s64)word() * NS_PER_US * 100;
		else if (deadline != TIME_NEVER && c.state != TCP_CLOSE)
			now = max(now, deadline);
		if (c.state != TCP_CLOSE && now >= tcp_deadline(&c))
			tcp_timer(&c, now);
		c.events = 0;
		rules_hold(&c);
		/* One packet may come on top of a full buffer. */
		must_hold((s64)c.rmem <= max(c.rcvbuf, 65536 * 4));
	}
	tcp_conn_deinit(&c);
	must_hold(!g_fuzz_objects && !fuzz_frames_used() && !c.rmem && !c.wmem);
	return 0;
}
