/*
 * What goes out: new data by window, Nagle and silly-window rules, what was lost, ACKs, SYN, RST.
 * RFC 9293 3.8.6, RFC 1122 4.2.3.4, RFC 896 with Minshall's change.
 */
#include <lib/err.h>
#include "machine.h"

u32 tcp_current_mss(const struct tcp_conn *c)
{
	u32 n = c->nr_sacks + c->dsack_due;

	if (likely(!n))
		return c->mss;
	return c->mss - (4 + 8 * min_t(u32, n, c->ts_on ? 3 : 4));
}

static u32 make_options(struct tcp_conn *c, u8 *o, s64 now)
{
	struct seq_range r[TCP_MAX_SACKS + 1];
	u32 n = 0, nr = 0;

	if (c->ts_on)
		n = tcp_options_ts(o, ts_now(c->ts_off, now), c->ts_recent);
	if (likely(!c->nr_sacks && !c->dsack_due))
		return n;
	if (c->dsack_due)
		r[nr++] = c->dsack;
	for (u32 i = 0; i < c->nr_sacks; i++)
		r[nr++] = c->sacks[i];
	return n + tcp_options_sack(o + n, r, min_t(u32, nr, c->ts_on ? 3 : 4));
}

/* Header, window, acknowledgement: all that leaves in a synchronised state. */
static void emit(struct tcp_conn *c, struct packet *p, u32 seq, u32 flags, bool ect, s64 now)
{
	u32 wnd = tcp_new_window(c), urg = 0, n;
	u8 o[TCP_MAX_OPTIONS];

	n = make_options(c, o, now);
	if (unlikely(c->urg_mode) && seq_before(seq, c->snd_up)) {
		urg = min(c->snd_up - seq, 0xffffu);
		flags |= TCPF_URG;
	}
	if (c->ecn_ece_send)
		flags |= TCPF_ECE;
	tcp_push_header(p, c->sport, c->dport, seq, c->rcv_nxt, flags | TCPF_ACK, wnd, urg, o, n);
	c->last_ack_sent = c->rcv_nxt;
	c->ack_pending = 0;
	c->ack_bytes = 0;
	c->delack_ns = TIME_NEVER;
	c->dsack_due = false;
	if (c->quick_acks)
		c->quick_acks--;
	c->segs_out += max_t(u32, p->gso_segs, 1);
	c->ops->transmit(c, p, ect);
}

void tcp_send_ack(struct tcp_conn *c, s64 now)
{
	struct packet *p;

	if (!tcp_synchronised(c))
		return;
	p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!p) { /* later, then */
		c->ack_pending = TCP_ACK_LATER;
		c->delack_ns = now + TCP_DELACK_MAX_NS;
		return;
	}
	emit(c, p, c->snd_nxt, 0, false, now);
}

/* RFC 5961 7: such answers are limited, here for each connection by itself. */
void tcp_challenge(struct tcp_conn *c, s64 now)
{
	if (now - c->challenge_ns < TCP_INVALID_ACK_NS)
		return;
	c->challenge_ns = now;
	tcp_count(c, TCPC_CHALLENGE_ACK, 1);
	tcp_send_ack(c, now);
}

void tcp_send_probe_octetless(struct tcp_conn *c, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);

	if (p)
		emit(c, p, c->snd_una - 1, 0, false, now);
}

void tcp_send_reset(struct tcp_conn *c, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);

	if (!p)
		return;
	tcp_count(c, TCPC_OUT_RST, 1);
	emit(c, p, c->snd_nxt, TCPF_RST, false, now);
}

/* ---- SYN
 * ----------------------------------------------------------------------------------------- */

u32 tcp_syn_room(const struct tcp_conn *c)
{
	u32 mss = min(c->path_mss, c->peer_mss);

	return max(mss, TCP_MIN_MSS) - TCP_MAX_OPTIONS; /* a peer may say anything */
}

/* Put as much of the queue as one segment holds behind the SYN (RFC 7413). */
static struct packet *syn_data(struct tcp_conn *c, s64 now)
{
	struct packet *data, *q;
	u32 room = tcp_syn_room(c);

	if (list_empty(&c->unsent.list))
		return NULL;
	data = packet_queue_first(&c->unsent);
	if (data->len > room && !tcp_split_unsent(c, data, room))
		return NULL;
	q = packet_clone(data, GFP_ATOMIC);
	if (!q)
		return NULL;
	tcp_rtx_add(c, data, now);
	tcp_rate_sent(c, data, now);
	c->data_segs_out++;
	c->bytes_sent += data->len;
	return q;
}

/* The SYN, or SYN-ACK when both sides opened; first time (p unsent) or again. */
void tcp_send_syn(struct tcp_conn *c, struct packet *p, s64 now)
{
	bool first = tcp_cb(p)->where == TCP_UNSENT, answer = c->state == TCP_SYN_RECV;
	struct tcp_syn_options w = {
		.mss = c->user_mss ? min(c->advmss, c->user_mss) : c->advmss,
		.ts = c->ts_on,
		.ts_val = ts_now(c->ts_off, now),
		.ts_ecr = c->ts_recent,
		.sack = c->sack_on,
		.wscale = answer && !c->wscale_on ? 0xff : c->rcv_wscale,
		.fo_len = first || answer ? c->fo_len : -1,
		.fo_cookie = c->fo_cookie,
	};
	u32 flags = TCPF_SYN | (answer ? TCPF_ACK : 0), wnd, n;
	u8 o[TCP_MAX_OPTIONS];
	struct packet *q;

	if (c->ecn_on && (first || answer))
		flags |= answer ? TCPF_ECE : TCPF_ECE | TCPF_CWR;
	if (first) {
		tcp_rtx_add(c, p, now);
		tcp_rate_sent(c, p, now);
	} else {
		tcp_rtx_resent(c, p, now);
		c->total_retrans++;
		tcp_count(c, TCPC_RETRANS, 1);
	}
	q = first && !answer && c->fo_data ? syn_data(c, now) : NULL;
	if (q)
		c->fo_tried = true;
	else
		q = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	c->segs_out++;
	if (q) { /* else as if it had been lost */
		n = tcp_options_syn(o, &w);
		wnd = min(tcp_window_space(c), 65535u);
		if (answer && seq_after(c->rcv_nxt + wnd, c->rcv_right))
			c->rcv_right = c->rcv_nxt + wnd;
		c->syn_wnd = (u16)wnd;
		tcp_push_header(q, c->sport, c->dport, c->iss, answer ? c->rcv_nxt : 0, flags, wnd,
			0, o, n);
		c->ops->transmit(c, q, false);
	}
	tcp_arm_rtx(c, now);
}

/* ---- data
 * ------------------------------------------------------------------------------------------ */

static void send_clone(
	struct tcp_conn *c, struct packet *q, const struct packet *p, bool again, s64 now)
{
	const struct tcp_cb *cb = tcp_cb(p);
	u32 flags = cb->flags & (TCPF_FIN | TCPF_PSH), mss = tcp_current_mss(c);
	u32 segs = 1;

	if (p->len > mss) {
		segs = (p->len + mss - 1) / mss;
		q->gso_size = (u16)mss;
		q->gso_segs = (u16)segs;
	}
	c->data_segs_out += segs;
	c->bytes_sent += p->len;
	if (c->ecn_cwr_send && !again && p->len) {
		flags |= TCPF_CWR;
		c->ecn_cwr_send = false;
	}
	if (c->max_pacing_rate != ~0ull)
		c->pace_next_ns = max(c->pace_next_ns, now) +
			(s64)((u64)p->len * NS_PER_SEC / max(c->max_pacing_rate, 1ull));
	emit(c, q, cb->seq, flags, c->ecn_on && !again && p->len, now);
}

/* Send p again, or the first part of it that quota has room for. */
bool tcp_resend(struct tcp_conn *c, struct packet *p, u32 quota, s64 now)
{
	u32 mss = tcp_current_mss(c), most = max(mss, min(quota, c->gso_max) / mss * mss);
	struct tcp_cb *cb = tcp_cb(p);
	struct packet *q;

	if (cb->flags & TCPF_SYN) {
		tcp_send_syn(c, p, now);
		return true;
	}
	if (p->len < mss && cb->where == TCP_LOST)
		tcp_rtx_collapse(c, p, mss);
	if (p->len > most && !tcp_rtx_split(c, p, cb->seq + most))
		return false;
	q = p->len ? packet_clone(p, GFP_ATOMIC) : packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!q)
		return false;
	if (cb->retrans && cb->where == TCP_LOST)
		tcp_count(c, TCPC_LOST_RETRANSMIT, 1);
	tcp_rtx_resent(c, p, now);
	tcp_rate_sent(c, p, now);
	if (c->undo_on && c->undo_retrans >= 0) {
		if (!c->undo_retrans && !c->undo_ts)
			c->undo_ts = ts_now(c->ts_off, now) ?: 1;
		c->undo_retrans += (s32)(cb->end - cb->seq);
	}
	c->prr_out += cb->end - cb->seq;
	c->total_retrans += tcp_segments(c, p->len) ?: 1;
	c->bytes_retrans += p->len;
	tcp_count(c, TCPC_RETRANS, tcp_segments(c, p->len) ?: 1);
	send_clone(c, q, p, true, now);
	return true;
}

/* May the partial segment at the end of the queue go? */
static bool nagle_allows(const struct tcp_conn *c, const struct packet *p, bool push)
{
	if (push || !list_is_last(&p->link, &c->unsent.list) || tcp_cb(p)->flags & TCPF_FIN ||
		c->nagle & TCP_NAGLE_PUSH)
		return true;
	if (c->nagle & TCP_NAGLE_CORK || c->more)
		return false;
	if (c->nagle & TCP_NAGLE_OFF || c->urg_mode)
		return true;
	return !seq_after(c->snd_sml, c->snd_una);
}

/* How much of the first unsent packet may go now; -1: nothing. */
static s32 how_much(struct tcp_conn *c, const struct packet *p, u32 quota, bool push, bool probe)
{
	u32 seq = tcp_cb(p)->seq, right = tcp_wnd_right(c), mss = tcp_current_mss(c);
	u32 room = seq_after(right, seq) ? right - seq : 0, limit, tail;

	if (!p->len) /* a FIN alone */
		return seq_after(seq, right) ? -1 : 0;
	if (probe)
		room = max(room, 1u);
	limit = min(min(p->len, room), c->gso_max >= mss ? c->gso_max / mss * mss : mss);
	if (limit > quota) {
		c->cwnd_limited = true;
		limit = quota;
		if (limit < min(p->len, mss))
			return -1;
	}
	if (!limit)
		return -1;
	if (limit < p->len) {
		if (limit >= mss)
			return (s32)(limit / mss * mss);
		/* Less than a segment fits the window: RFC 1122 4.2.3.4. */
		return probe || push || limit >= c->max_wnd / 2 ? (s32)limit : -1;
	}
	tail = limit >= mss ? limit % mss : limit;
	if (tail && !nagle_allows(c, p, push))
		return limit == tail ? -1 : (s32)(limit - tail);
	return (s32)limit;
}

/* Send from the head of the queue, at most one packet. push: against Nagle; probe: against the
 * window. */
bool tcp_send_new(struct tcp_conn *c, u32 quota, bool push, bool probe, s64 now)
{
	struct packet *p = packet_queue_first(&c->unsent), *q;
	s32 n = p ? how_much(c, p, quota, push, probe) : -1;

	if (n < 0)
		return false;
	if ((u32)n < p->len && !tcp_split_unsent(c, p, (u32)n))
		return false;
	q = n ? packet_clone(p, GFP_ATOMIC) : packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	if (!q)
		return false;
	if (list_is_last(&p->link, &c->unsent.list) || seq_after(c->push_seq, c->snd_nxt))
		tcp_cb(p)->flags |= TCPF_PSH;
	if ((u32)n % tcp_current_mss(c))
		c->snd_sml = tcp_cb(p)->end;
	if (!c->flight && c->cc->restart && now - c->last_send_ns > c->rto_ns &&
		c->cfg->slow_start_after_idle)
		c->cc->restart(c, now - c->last_send_ns);
	tcp_rtx_add(c, p, now);
	tcp_rate_sent(c, p, now);
	c->prr_out += tcp_cb(p)->end - tcp_cb(p)->seq;
	c->last_send_ns = now;
	if (now - c->last_recv_ns < c->ato_ns) /* an answer: ACKs can travel with such */
		c->pingpong = true;
	send_clone(c, q, p, false, now);
	return true;
}

static bool paced(struct tcp_conn *c, s64 now)
{
	if (likely(c->max_pacing_rate == ~0ull) || now >= c->pace_next_ns)
		return false;
	c->pace_ns = c->pace_next_ns;
	return true;
}

static bool send_lost(struct tcp_conn *c, s64 now)
{
	struct packet *p;
	bool any = false;

	while ((p = list_first_entry_or_null(&c->lost_list, struct packet, link))) {
		u32 quota = tcp_send_quota(c);

		if (quota < min(max(p->len, 1u), c->mss) || paced(c, now)) {
			c->cwnd_limited = true;
			break;
		}
		/* What lies beyond a window that the peer took back waits for it, but for the head.
		 */
		if (p != tcp_rtx_first(c) && seq_after(tcp_cb(p)->end, tcp_wnd_right(c)))
			break;
		if (!tcp_resend(c, p, quota, now))
			break;
		any = true;
	}
	return any;
}

void tcp_output(struct tcp_conn *c, s64 now)
{
	bool any = false;

	if (c->state == TCP_CLOSE)
		return;
	if (unlikely(c->fin_retry))
		c->fin_retry = !tcp_queue_fin(c);
	if (tcp_open_enough(c->state, c->fo_passive)) {
		if (unlikely(!list_empty(&c->lost_list)))
			any = send_lost(c, now);
		while (!list_empty(&c->unsent.list)) {
			u32 quota;

			/* Lost data first, unless F-RTO asks what new data brings. */
			if (!list_empty(&c->lost_list) && c->frto != 2)
				break;
			quota = tcp_send_quota(c);
			if (!quota)
				c->cwnd_limited = true;
			if ((!quota && packet_queue_first(&c->unsent)->len) || paced(c, now) ||
				!tcp_send_new(c, quota, false, false, now))
				break;
			any = true;
			if (c->flight > c->max_flight) {
				c->max_flight = c->flight;
				c->max_flight_seq = c->snd_nxt;
			}
		}
		if (list_empty(&c->unsent.list)) {
			c->nagle &= (u8)~TCP_NAGLE_PUSH;
			if (c->delivered_bytes + c->flight > c->app_limited && !c->cwnd_limited)
				c->app_limited = (u32)(c->delivered_bytes + c->flight) ?: 1;
		}
		tcp_arm_after_send(c, any ? now : TIME_NEVER, now);
	}
	if (c->ack_pending == TCP_ACK_NOW)
		tcp_send_ack(c, now);
}
