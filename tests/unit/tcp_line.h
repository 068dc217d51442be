/*
 * Pairs of TCP connections (net/tcp's pure state machine) over a simulated line in virtual time:
 * rate, delay, a queue that drops at its end or marks, loss, reordering, duplication. Nothing here
 * is random but by the seed, and nothing takes real time. Each step is followed by tcp_check().
 *
 * Users write a stream whose octet at offset n is line_octet(flow, side, n), so the reader knows
 * what has to come.
 */
#ifndef TESTS_TCP_LINE_H
#define TESTS_TCP_LINE_H

#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include "../../net/tcp/conn.h"
#include "unit.h"

#define LINE_FLOWS  16
#define IP_OVERHEAD 58 /* Ethernet, IPv4 and what the wire adds; for the rate */

struct line_params {
	u64 rate;     /* bytes per second, 0: endless */
	s64 delay_ns; /* one way */
	u32 queue;    /* bytes; 0: endless */
	u32 mark;     /* bytes in the queue beyond which ECT segments are marked; 0: never */
	u32 loss, dup, reorder; /* parts per million */
	s64 reorder_ns;         /* at most, later than due */
	s64 jitter_ns;
	u32 mss, gso;
	bool black;   /* everything is lost */
	s64 still_ns; /* the sender's device takes nothing before; what is sent waits there */
};

enum side { CLIENT, SERVER };

struct line_host {
	struct tcp_conn c;
	bool alive; /* c is a connection, or was one till the user saw its end */
	struct tcp_request rq;
	bool rq_on, tw_on;
	s64 rq_deadline;
	struct tcp_tw tw;
	/* user */
	u64 to_send, sent, received;
	u32 write_most, read_most, sndbuf; /* write_most 0: as much as there is room for */
	bool close_when_sent, closed, reading, got_fin, stop_reading;
	s64 read_every_ns, next_read_ns;
	int error;
	bool done;  /* state CLOSE was reported */
	bool waits; /* since waits_seq, for params.still_ns */
	u32 waits_seq;
};

struct line_flow {
	struct line *line;
	u32 nr;
	struct line_host h[2];
	s64 start_ns;
	bool open;
	/* fast open: the client has a cookie and sends data with its SYN; the server takes it, or
	 * answers as one that doesn't know of it */
	bool fast, fast_taken;
	bool lose_synack; /* the first one */
};

struct line_event {
	s64 at;
	u64 order;
	struct line_flow *flow;
	u8 to;
	struct tcp_seg s;
	struct packet *p;
};

struct line {
	struct line_params params[2]; /* by sender's side */
	struct tcp_config cfg;
	const struct tcp_cc_ops *cc;
	s64 now;
	s64 busy[2]; /* the wire is taken until then */
	u64 random, order;
	struct line_event *heap;
	u32 nr_heap, max_heap;
	struct line_flow flow[LINE_FLOWS];
	u32 nr_flows;
	u64 steps, drops, segments, checks;
	const char *broken;
	bool check; /* tcp_check after each step */
};

static u64 line_random(struct line *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random * 0x2545f4914f6cdd1dull >> 11;
}

static u64 line_below(struct line *l, u64 n)
{
	return n ? line_random(l) % n : 0;
}

static bool line_chance(struct line *l, u32 ppm)
{
	return ppm && line_below(l, 1000000) < ppm;
}

static u8 line_octet(u32 flow, u32 side, u64 n)
{
	return (u8)(((n ^ n >> 8 ^ n >> 19) * 167) ^ (flow * 31 + side * 101));
}

/* ---- events: a heap by time
 * ------------------------------------------------------------------------ */

static bool event_before(const struct line_event *a, const struct line_event *b)
{
	return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void line_push(struct line *l, struct line_event e)
{
	u32 i = l->nr_heap++;

	if (l->nr_heap > l->max_heap) {
		u32 most = l->max_heap ? 2 * l->max_heap : 1024;
		struct line_event *h = unit_alloc(most * sizeof(*h));

		if (l->max_heap)
			memcpy(h, l->heap, l->max_heap * sizeof(*h));
		unit_free(l->heap);
		l->heap = h;
		l->max_heap = most;
	}
	e.order = l->order++;
	for (; i && event_before(&e, &l->heap[(i - 1) / 2]); i = (i - 1) / 2)
		l->heap[i] = l->heap[(i - 1) / 2];
	l->heap[i] = e;
}

static struct line_event line_pop(struct line *l)
{
	struct line_event top = l->heap[0], last = l->heap[--l->nr_heap];
	u32 i = 0;

	for (;;) {
		u32 k = 2 * i + 1;

		if (k >= l->nr_heap)
			break;
		if (k + 1 < l->nr_heap && event_before(&l->heap[k + 1], &l->heap[k]))
			k++;
		if (!event_before(&l->heap[k], &last))
			break;
		l->heap[i] = l->heap[k];
		i = k;
	}
	l->heap[i] = last;
	return top;
}

/* ---- the wire
 * -------------------------------------------------------------------------------------- */

static void wire_one(
	struct line_flow *f, u32 from, const struct tcp_seg *s, struct packet *p, bool ect)
{
	struct line *l = f->line;
	const struct line_params *w = &l->params[from];
	u32 bytes = s->len + 20 + IP_OVERHEAD;
	s64 due;
	struct line_event e = {.flow = f, .to = (u8)!from, .s = *s, .p = p};

	l->segments++;
	if (f->lose_synack && s->flags & TCPF_SYN && s->flags & TCPF_ACK) {
		f->lose_synack = false;
		goto lost;
	}
	if (w->black || line_chance(l, w->loss))
		goto lost;
	due = max(max(l->now, l->busy[from]), w->still_ns);
	if (l->now < w->still_ns && s->len && !f->h[from].waits) {
		f->h[from].waits = true;
		f->h[from].waits_seq = s->seq;
	}
	if (w->rate) {
		u64 waiting = (u64)(due - l->now) * w->rate / NS_PER_SEC;

		if (w->queue && waiting + bytes > w->queue)
			goto lost;
		if (w->mark && waiting > w->mark && ect)
			e.s.ce = true;
		due += (s64)(bytes * (u64)NS_PER_SEC / w->rate);
		l->busy[from] = due;
	}
	e.at = due + w->delay_ns + (s64)line_below(l, (u64)w->jitter_ns);
	if (line_chance(l, w->reorder))
		e.at += (s64)line_below(l, (u64)w->reorder_ns);
	if (line_chance(l, w->dup)) {
		struct line_event again = e;

		again.p = packet_slice(p, 0, p->len, GFP_ATOMIC);
		again.at += (s64)line_below(l, (u64)NS_PER_MS * 20);
		if (again.p)
			line_push(l, again);
	}
	line_push(l, e);
	return;
lost:
	l->drops++;
	packet_free(p);
}

/* Consumes p, which has its TCP header. Segments leave one by one, as a device would cut them. */
static void wire_send(struct line_flow *f, u32 from, struct packet *p, bool ect)
{
	u32 size = p->gso_size, off = 0;
	struct tcp_seg s;

	if (tcp_parse(p, &s)) {
		f->line->broken = "a header that we made can't be read";
		packet_free(p);
		return;
	}
	if (!size || s.len <= size) {
		wire_one(f, from, &s, p, ect);
		return;
	}
	while (off < p->len) {
		struct tcp_seg part = s;
		u32 n = min(size, p->len - off);
		bool last = off + n == p->len;
		struct packet *q = packet_slice(p, off, n, GFP_ATOMIC);

		part.seq = s.seq + off;
		part.len = n;
		if (!last)
			part.flags &= (u8) ~(TCPF_FIN | TCPF_PSH);
		if (off)
			part.flags &= (u8)~TCPF_CWR;
		off += n;
		if (q)
			wire_one(f, from, &part, q, ect);
	}
	packet_free(p);
}

static u32 side_of(const struct line_flow *f, const struct tcp_conn *c)
{
	return c == &f->h[SERVER].c;
}

static struct line *g_line; /* whose flows they are: ops have no argument for it */

static struct line_flow *flow_of(const struct tcp_conn *c)
{
	for (u32 i = 0; i < g_line->nr_flows; i++)
		if (c == &g_line->flow[i].h[0].c || c == &g_line->flow[i].h[1].c)
			return &g_line->flow[i];
	return NULL;
}

static void conn_transmit(struct tcp_conn *c, struct packet *p, bool ect)
{
	struct line_flow *f = flow_of(c);

	wire_send(f, side_of(f, c), p, ect);
}

static u64 g_line_counts[NR_TCP_COUNTS];
static u32 g_line_doubts; /* TCPE_DOUBT of all connections since the last line_new */
static void conn_count(struct tcp_conn *c, enum tcp_count what, u32 n)
{
	g_line_counts[what] += n;
}

static bool conn_waiting(struct tcp_conn *c, u32 end)
{
	struct line_flow *f = flow_of(c);
	struct line_host *h = &f->h[side_of(f, c)];

	h->waits = h->waits && f->line->now < f->line->params[side_of(f, c)].still_ns;
	return h->waits && seq_after(end, h->waits_seq);
}

static const struct tcp_ops line_ops = {
	.transmit = conn_transmit, .count = conn_count, .waiting = conn_waiting};

/* ---- users
 * ------------------------------------------------------------------------------------------ */

static void host_start(struct line_flow *f, u32 side)
{
	struct line *l = f->line;
	struct line_host *h = &f->h[side];

	tcp_conn_init(&h->c, &line_ops, &l->cfg, l->now, (u32)line_random(l));
	h->c.sport = (u16)(1000 + side);
	h->c.dport = (u16)(1000 + !side);
	h->c.cc = l->cc;
	h->c.keepalive = true; /* a peer that gave up is noticed */
	h->c.advmss = l->params[side].mss;
	tcp_set_mss(&h->c, l->params[side].mss, l->params[side].gso, l->now);
	h->alive = true;
}

static void user_write(struct line_flow *f, u32 side)
{
	struct line_host *h = &f->h[side];
	struct line *l = f->line;

	for (u32 writes = 0; h->sent < h->to_send && !h->closed && (!h->write_most || writes < 16);
		writes++) {
		struct tcp_conn *c = &h->c;
		u32 used = c->write_seq - c->snd_una,
		    room = used < h->sndbuf ? h->sndbuf - used : 0, n, grown;
		u8 buf[4096];
		struct packet *p;

		if (c->state != TCP_ESTABLISHED && c->state != TCP_CLOSE_WAIT &&
			!(c->state == TCP_SYN_RECV && c->fo_passive) &&
			!(f->fast && !f->open && side == CLIENT))
			return;
		n = (u32)min(min((u64)room, h->to_send - h->sent), (u64)sizeof(buf));
		if (h->write_most)
			n = min(n, 1 + (u32)line_below(l, h->write_most));
		if (!n)
			return;
		for (u32 i = 0; i < n; i++)
			buf[i] = line_octet(f->nr, side, h->sent + i);
		p = tcp_queue_tail(c);
		grown = p ? p->truesize : 0;
		if (p && p->len + n <= c->gso_max && p->nr_frags < 8 &&
			!packet_append(p, buf, n, GFP_ATOMIC)) {
			tcp_queued(c, p, n, p->truesize - grown);
		} else {
			p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
			if (!p || packet_append(p, buf, n, GFP_ATOMIC)) {
				packet_free(p);
				return;
			}
			tcp_queue(c, p);
		}
		h->sent += n;
		if (f->fast && !f->open && side == CLIENT)
			return; /* the SYN takes it along */
		tcp_output(c, l->now);
	}
	if (h->sent == h->to_send && h->close_when_sent && !h->closed &&
		h->c.state != TCP_SYN_SENT && h->c.state != TCP_CLOSE) {
		h->closed = true;
		tcp_finish(&h->c, l->now);
	}
}

static void user_end(struct line_flow *f, u32 side)
{
	struct line_host *h = &f->h[side];

	if (!h->c.fin_rcvd || !list_empty(&h->c.receive.list) || h->got_fin)
		return;
	h->got_fin = true;
	if (h->received != f->h[!side].to_send)
		f->line->broken = "end of stream came too early";
}

static void user_read(struct line_flow *f, u32 side)
{
	struct line_host *h = &f->h[side];
	struct line *l = f->line;
	u32 most = h->read_most ? 1 + (u32)line_below(l, h->read_most) : U32_MAX, took = 0, mem = 0;
	struct packet *p;

	user_end(f, side);
	if (h->stop_reading || (h->read_every_ns && l->now < h->next_read_ns))
		return;
	h->next_read_ns = l->now + h->read_every_ns;
	while (most && (p = packet_queue_first(&h->c.receive))) {
		u32 n = min(p->len, most);
		static u8 buf[70000];

		packet_copy_out(p, 0, buf, n);
		for (u32 i = 0; i < n; i++)
			if (buf[i] != line_octet(f->nr, !side, h->received + i)) {
				l->broken = "wrong octet";
				return;
			}
		h->received += n;
		took += n;
		most -= n;
		if (n == p->len) {
			packet_queue_remove(&h->c.receive, p);
			mem += p->truesize;
			packet_free(p);
		} else {
			packet_drop_front(p, n);
			h->c.receive.bytes -= n;
		}
	}
	if (took)
		tcp_consumed(&h->c, took, mem, l->now);
	user_end(f, side);
}

static void host_events(struct line_flow *f, u32 side)
{
	struct line_host *h = &f->h[side];
	u16 ev;

	while (h->alive && (ev = h->c.events)) {
		h->c.events = 0;
		g_line_doubts += (ev & TCPE_DOUBT) != 0;
		if (ev & TCPE_CLOSED) {
			h->done = true;
			h->error = h->c.error;
			if (ev & TCPE_TIME_WAIT) {
				tcp_tw_init(&h->tw, &h->c, f->line->now);
				h->tw_on = true;
			}
		}
		user_read(f, side);
		user_write(f, side);
	}
	user_read(f, side);
}

static void host_check(struct line_flow *f, u32 side)
{
	struct line *l = f->line;

	if (l->broken || !f->h[side].alive)
		return;
	l->checks++;
	if (l->check || l->checks % 64 == 0)
		l->broken = tcp_check(&f->h[side].c);
}

/* ---- steps
 * ------------------------------------------------------------------------------------------ */

static void send_made(struct line_flow *f, u32 from, struct packet *p)
{
	if (p)
		wire_send(f, from, p, false);
}

static void listener_input(struct line_flow *f, const struct tcp_seg *s, struct packet *p)
{
	struct line *l = f->line;
	struct line_host *h = &f->h[SERVER];

	if (!h->rq_on) {
		if ((s->flags & (TCPF_SYN | TCPF_ACK | TCPF_RST)) == TCPF_SYN) {
			tcp_request_init(&h->rq, s, &l->cfg, l->params[SERVER].mss, l->cfg.rmem[1],
				(u32)line_random(l), (u32)line_random(l), l->now);
			if (f->fast_taken && s->fo_len > 0) {
				host_start(f, SERVER);
				if (tcp_open_fast(&h->c, &h->rq, s, p, l->now))
					l->broken = "no memory";
				host_events(f, SERVER);
				return;
			}
			h->rq_on = true;
			h->rq_deadline = l->now + NS_PER_SEC;
			send_made(f, SERVER, tcp_request_synack(&h->rq, l->now));
		} else {
			send_made(f, SERVER, tcp_make_reset(s));
		}
		packet_free(p);
		return;
	}
	switch (tcp_request_input(&h->rq, s, l->now)) {
	case TCP_ACCEPT:
		h->rq_on = false;
		host_start(f, SERVER);
		tcp_open_passive(&h->c, &h->rq, l->now);
		tcp_input(&h->c, s, p, l->now);
		host_events(f, SERVER);
		return;
	case TCP_RESEND:
		send_made(f, SERVER, tcp_request_synack(&h->rq, l->now));
		break;
	case TCP_REFUSE:
		send_made(f, SERVER, tcp_make_reset(s));
		break;
	case TCP_ACK:
		send_made(f, SERVER, tcp_request_ack(&h->rq, l->now));
		break;
	case TCP_GONE:
		h->rq_on = false;
		break;
	default:
		break;
	}
	packet_free(p);
}

static void line_deliver(struct line *l, struct line_event e)
{
	struct line_host *h = &e.flow->h[e.to];

	if (h->alive && h->c.state != TCP_CLOSE) {
		tcp_input(&h->c, &e.s, e.p, l->now);
		host_events(e.flow, e.to);
	} else if (h->tw_on) {
		switch (tcp_tw_input(&h->tw, &e.s, false, l->now)) {
		case TCP_ACK:
			send_made(e.flow, e.to, tcp_tw_ack(&h->tw, l->now));
			break;
		case TCP_GONE:
			h->tw_on = false;
			break;
		default:
			break;
		}
		packet_free(e.p);
	} else if (e.to == SERVER && !h->alive) {
		listener_input(e.flow, &e.s, e.p);
	} else {
		send_made(e.flow, e.to, tcp_make_reset(&e.s));
		packet_free(e.p);
	}
	host_check(e.flow, e.to);
}

static s64 host_deadline(const struct line_host *h)
{
	s64 d = TIME_NEVER;

	if (h->alive) {
		if (h->c.state != TCP_CLOSE)
			d = tcp_deadline(&h->c);
		if (h->read_every_ns && !h->stop_reading && !list_empty(&h->c.receive.list))
			d = min(d, h->next_read_ns);
	}
	if (h->rq_on)
		d = min(d, h->rq_deadline);
	if (h->tw_on)
		d = min(d, h->tw.deadline_ns);
	return d;
}

static void host_timer(struct line_flow *f, u32 side)
{
	struct line *l = f->line;
	struct line_host *h = &f->h[side];

	if (h->tw_on && l->now >= h->tw.deadline_ns)
		h->tw_on = false;
	if (h->rq_on && l->now >= h->rq_deadline) {
		if (++h->rq.retries > l->cfg.synack_retries) {
			h->rq_on = false;
		} else {
			h->rq_deadline = l->now + (NS_PER_SEC << h->rq.retries);
			send_made(f, side, tcp_request_synack(&h->rq, l->now));
		}
	}
	if (!h->alive)
		return;
	if (h->c.state != TCP_CLOSE && l->now >= tcp_deadline(&h->c))
		tcp_timer(&h->c, l->now);
	host_events(f, side);
	host_check(f, side);
}

/* One event or timer; false: nothing is left to happen before the deadline. */
static bool line_step(struct line *l, s64 until)
{
	s64 next = l->nr_heap ? l->heap[0].at : TIME_NEVER;
	struct line_flow *who = NULL;
	u32 side = 0;

	for (u32 i = 0; i < l->nr_flows; i++) {
		struct line_flow *f = &l->flow[i];

		if (!f->open && f->start_ns <= next) {
			next = f->start_ns;
			who = f;
			side = 2;
		}
		for (u32 k = 0; k < 2; k++) {
			s64 d = host_deadline(&f->h[k]);

			if (d < next) {
				next = d;
				who = f;
				side = k;
			}
		}
	}
	if (next >= until || l->broken) {
		l->now = max(l->now, min(until, next));
		return false;
	}
	l->now = max(l->now, next);
	l->steps++;
	if (!who) {
		line_deliver(l, line_pop(l));
	} else if (side == 2) {
		host_start(who, CLIENT);
		if (who->fast) {
			who->h[CLIENT].c.fo_len = 8;
			who->h[CLIENT].c.fo_data = true;
			who->h[CLIENT].c.peer_mss = l->params[SERVER].mss;
			user_write(who, CLIENT);
		}
		who->open = true;
		if (tcp_open(&who->h[CLIENT].c, (u32)line_random(l), l->now))
			l->broken = "no memory";
	} else {
		host_timer(who, side);
	}
	return true;
}

static void line_run(struct line *l, s64 until)
{
	while (line_step(l, until))
		;
}

/* Until all flows have ended on both sides (or time is up). */
static bool line_finish(struct line *l, s64 until)
{
	for (;;) {
		bool busy = false;

		for (u32 i = 0; i < l->nr_flows; i++) {
			struct line_flow *f = &l->flow[i];

			busy |= !f->open || !f->h[CLIENT].done ||
				(f->h[SERVER].alive && !f->h[SERVER].done) || f->h[SERVER].rq_on;
			for (u32 k = 0; k < 2; k++)
				busy |= f->h[k].alive && !list_empty(&f->h[k].c.receive.list);
		}
		if (!busy)
			return true;
		if (!line_step(l, until))
			return false;
	}
}

static struct line *line_new(u64 seed)
{
	struct line *l = unit_alloc(sizeof(*l));

	g_line_doubts = 0;
	l->random = seed * 0x9e3779b97f4a7c15ull + 1;
	l->cfg = g_tcp_config_default;
	l->cc = &tcp_cubic;
	l->now = 1000 * NS_PER_SEC;
	l->check = true;
	for (u32 i = 0; i < 2; i++)
		l->params[i] = (struct line_params){
			.delay_ns = 10 * NS_PER_MS, .mss = 1460, .gso = 65160};
	g_line = l;
	return l;
}

static struct line_flow *line_flow_new(struct line *l, u64 up, u64 down)
{
	struct line_flow *f = &l->flow[l->nr_flows];

	f->line = l;
	f->nr = l->nr_flows++;
	f->start_ns = l->now;
	f->h[CLIENT].to_send = up;
	f->h[SERVER].to_send = down;
	for (u32 i = 0; i < 2; i++) {
		f->h[i].sndbuf = 1 << 20;
		f->h[i].close_when_sent = true;
	}
	return f;
}

static void line_free(struct line *l)
{
	while (l->nr_heap)
		packet_free(line_pop(l).p);
	for (u32 i = 0; i < l->nr_flows; i++)
		for (u32 k = 0; k < 2; k++)
			if (l->flow[i].h[k].alive)
				tcp_conn_deinit(&l->flow[i].h[k].c);
	unit_free(l->heap);
	unit_free(l);
	g_line = NULL;
}

#endif
