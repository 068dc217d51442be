/*
 * What an ACK says was delivered: the scoreboard. RFC 2018, 2883; the rate sample follows
 * draft-cheng-iccrg-delivery-rate-estimation.
 */
#include "machine.h"

#define MAX_RTX_PACKETS 8192u /* beyond, SACKs no longer cut packets: a peer must not cost more */

void tcp_rate_sent(struct tcp_conn *c, struct packet *p, s64 now)
{
	struct tcp_cb *cb = tcp_cb(p);

	if (c->flight == cb->end - cb->seq) /* it is the only one out: a new flight begins */
		c->first_sent_ns = c->delivered_ns = now;
	cb->delivered = (u32)c->delivered_bytes;
	cb->delivered_us = (u32)(c->delivered_ns / 1000);
	cb->first_us = (u32)(c->first_sent_ns / 1000);
	cb->app_limited = c->app_limited != 0;
}

static void rate_sample(struct tcp_conn *c, const struct packet *p, s64 now)
{
	const struct tcp_cb *cb = tcp_cb(p);
	u32 bytes = (u32)c->delivered_bytes - cb->delivered;
	u32 snd_us = (u32)(cb->sent_ns / 1000) - cb->first_us;
	u32 ack_us = (u32)(now / 1000) - cb->delivered_us;
	s64 interval = max(snd_us, ack_us) * NS_PER_US;

	c->first_sent_ns = cb->sent_ns;
	if (interval <= 0 || interval < c->min_rtt_ns)
		return;
	if (!cb->app_limited || !c->rate_interval_ns ||
		(u64)bytes * (u64)c->rate_interval_ns >= c->rate_bytes * (u64)interval) {
		c->rate_bytes = bytes;
		c->rate_interval_ns = interval;
		c->rate_app_limited = cb->app_limited;
	}
}

/* n octets of p (all, or its front) have reached the peer and weren't known to. */
void tcp_delivered_one(
	struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, u32 n, struct tcp_ack *a)
{
	struct tcp_cb *cb = tcp_cb(p);
	u32 segs = tcp_segments(c, n);
	u32 end = cb->seq + n;

	a->delivered += n;
	c->delivered_bytes += n;
	c->delivered += segs;
	if (a->ece)
		c->delivered_ce += segs;
	if (c->app_limited && seq_after((u32)c->delivered_bytes, c->app_limited))
		c->app_limited = 0;
	if (cb->retrans) {
		a->retrans_acked = true;
	} else {
		if (a->rtt_ns < 0)
			a->rtt_ns = a->now - cb->sent_ns;
		if (c->rack_fack_set && seq_before(end, c->rack_fack) && cb->where != TCP_LOST) {
			u32 late = tcp_segments(c, c->rack_fack - cb->seq);

			c->reordering_seen = true;
			c->reordering = clamp(late, c->reordering, MAX_REORDERING);
			c->reord_seen++;
		}
		if (!seq_after(end, c->high_seq))
			a->old_acked = true;
	}
	if (!c->rack_fack_set || seq_after(end, c->rack_fack)) {
		c->rack_fack = end;
		c->rack_fack_set = true;
	}
	tcp_rack_update(c, p, s, a->now);
	c->delivered_ns = a->now;
	rate_sample(c, p, a->now);
}

static bool may_cut(const struct tcp_conn *c)
{
	return c->nr_rtx < MAX_RTX_PACKETS;
}

/*
 * Octets [start, end) have been SACKed. Packets are only cut between segments, so that strange
 * blocks can't make crumbs.
 */
static void mark_range(
	struct tcp_conn *c, const struct tcp_seg *s, u32 start, u32 end, struct tcp_ack *a)
{
	struct packet *p = tcp_rtx_find(c, start);

	for (; p && seq_before(tcp_cb(p)->seq, end); p = tcp_rtx_next(p)) {
		struct tcp_cb *cb = tcp_cb(p);

		if (cb->where == TCP_SACKED || cb->flags & TCPF_SYN)
			continue;
		if (seq_before(cb->seq, start)) {
			u32 off = start - cb->seq;

			off = (off + c->mss - 1) / c->mss * c->mss;
			if (off >= p->len || !may_cut(c) || !tcp_rtx_split(c, p, cb->seq + off))
				continue;
			continue; /* with the second half */
		}
		if (seq_after(cb->end, end)) {
			u32 off = (end - cb->seq) / c->mss * c->mss;

			if (!off || off >= p->len || !may_cut(c) ||
				!tcp_rtx_split(c, p, cb->seq + off))
				return;
		}
		a->sacked += cb->end - cb->seq;
		tcp_delivered_one(c, s, p, cb->end - cb->seq, a);
		tcp_rtx_mark(c, p, TCP_SACKED);
	}
}

/* Only what earlier ACKs haven't said: a long row of ACKs must not walk the same packets again. */
static void mark_new(
	struct tcp_conn *c, const struct tcp_seg *s, struct seq_range r, struct tcp_ack *a)
{
	u32 pos = r.start;

	for (u32 i = 0; i < c->nr_sack_cache && seq_before(pos, r.end); i++) {
		struct seq_range *k = &c->sack_cache[i];

		if (!seq_after(k->end, pos))
			continue;
		if (!seq_before(k->start, r.end))
			break;
		if (seq_before(pos, k->start))
			mark_range(c, s, pos, k->start, a);
		pos = seq_max(pos, k->end);
	}
	if (seq_before(pos, r.end))
		mark_range(c, s, pos, r.end, a);
}

/* The first block may tell of octets that came twice (RFC 2883 4). */
static bool is_dsack(const struct tcp_seg *s)
{
	const struct seq_range *b = s->sacks;

	if (!seq_before(b[0].start, b[0].end))
		return false;
	if (seq_before(b[0].start, s->ack))
		return true;
	return s->nr_sacks > 1 && !seq_before(b[0].start, b[1].start) &&
		!seq_after(b[0].end, b[1].end);
}

static void dsack_input(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	u32 n = s->sacks[0].end - s->sacks[0].start;

	if (seq_after(s->sacks[0].end, c->snd_nxt) || n > c->max_wnd)
		return;
	a->dsack = true;
	a->dsack_bytes = n;
	c->dsack_dups++;
	tcp_count(c, TCPC_DSACK_RECV, 1);
	if (c->undo_on && c->undo_retrans > 0 && !seq_before(s->sacks[0].start, c->undo_marker))
		c->undo_retrans = max(c->undo_retrans - (s32)n, 0);
	if (!c->rack_dsack_round_on) { /* RFC 8985 6.2 step 4 */
		c->rack_dsack_round_on = true;
		c->rack_dsack_round = c->snd_nxt;
		if (c->rack_reo_mult < 255)
			c->rack_reo_mult++;
		c->rack_reo_persist = 16;
	}
}

void tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	struct seq_range r[TCP_MAX_SACKS];
	u32 n = 0, from = 0;

	if (c->rack_dsack_round_on && !seq_before(c->snd_una, c->rack_dsack_round))
		c->rack_dsack_round_on = false;
	if (is_dsack(s)) {
		dsack_input(c, s, a);
		from = 1;
	}
	for (u32 i = from; i < s->nr_sacks; i++) {
		struct seq_range b = s->sacks[i];
		u32 at = n;

		if (!seq_before(b.start, b.end) || seq_after(b.end, c->snd_nxt) ||
			!seq_after(b.end, c->snd_una) || seq_before(b.start, s->ack))
			continue;
		b.start = seq_max(b.start, c->snd_una);
		for (; at && seq_before(b.start, r[at - 1].start); at--)
			r[at] = r[at - 1];
		r[at] = b;
		n++;
	}
	for (u32 i = 0; i < n; i++)
		mark_new(c, s, r[i], a);
	if (n) {
		for (u32 i = 0; i < n; i++)
			c->sack_cache[i] = r[i];
		c->nr_sack_cache = (u8)n;
	}
}

/* The peer may have thrown away what it SACKed (RFC 2018 8): ask for all of it again. */
void tcp_sack_forget(struct tcp_conn *c)
{
	struct packet *p = tcp_rtx_first(c);

	for (; p; p = tcp_rtx_next(p))
		if (tcp_cb(p)->where == TCP_SACKED)
			tcp_rtx_mark(c, p, TCP_LOST);
	c->nr_sack_cache = 0;
}

/* Everything before ack has arrived. */
void tcp_clean_rtx(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	struct packet *p;

	while ((p = tcp_rtx_first(c)) && seq_before(tcp_cb(p)->seq, s->ack)) {
		struct tcp_cb *cb = tcp_cb(p);
		u32 n = seq_min(cb->end, s->ack) - cb->seq;

		if (cb->where != TCP_SACKED)
			tcp_delivered_one(c, s, p, n, a);
		if (cb->flags & TCPF_SYN)
			a->syn_acked = true;
		if (seq_before(s->ack, cb->end)) {
			tcp_rtx_trim(c, p, n);
			break;
		}
		tcp_rtx_remove(c, p);
		tcp_free_sent(c, p);
	}
	a->acked = s->ack - c->snd_una;
	c->snd_una = s->ack;
}
