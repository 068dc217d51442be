/*
 * Loss and congestion: what is lost (RACK, RFC 8985; duplicate ACKs without SACK, RFC 6582), the
 * states open, disorder, CWR, recovery and loss, how much may be sent in each (PRR, RFC 6937), and
 * taking it back when it was a mistake (D-SACK, Eifel by timestamps, F-RTO).
 */
#include "machine.h"

static bool sent_after(s64 t1, u32 end1, s64 t2, u32 end2)
{
	return t1 > t2 || (t1 == t2 && seq_after(end1, end2));
}

void tcp_rack_update(struct tcp_conn *c, const struct packet *p, const struct tcp_seg *s, s64 now)
{
	const struct tcp_cb *cb = tcp_cb(p);
	s64 rtt = now - cb->sent_ns;

	if (cb->retrans) { /* which of the copies was it? */
		if (c->ts_on && s->has_ts && seq_before(s->ts_ecr, ts_now(c->ts_off, cb->sent_ns)))
			return;
		if (rtt < c->min_rtt_ns)
			return;
	}
	c->rack_rtt_ns = rtt;
	if (sent_after(cb->sent_ns, cb->end, c->rack_sent_ns, c->rack_end)) {
		c->rack_sent_ns = cb->sent_ns;
		c->rack_end = cb->end;
	}
}

s64 tcp_rack_window(const struct tcp_conn *c)
{
	if (!c->reordering_seen &&
		(c->ca_state >= TCP_CA_Recovery || tcp_segments(c, c->sacked) >= c->reordering))
		return 0;
	return min(c->rack_reo_mult * c->min_rtt_ns / 4, c->srtt_ns);
}

/* Mark what was sent long enough before something that arrived. Octets; arms the timer for the
 * rest. */
u32 tcp_rack_detect(struct tcp_conn *c, s64 now)
{
	s64 window = tcp_rack_window(c), wait = 0;
	struct packet *p, *next;
	u32 lost = 0;

	if (!c->sack_on || !c->rack_sent_ns)
		return 0;
	list_for_each_entry_safe(p, next, &c->flight_list, link) {
		struct tcp_cb *cb = tcp_cb(p);
		s64 left;

		if (cb->sent_ns > c->rack_sent_ns)
			break;
		if (!sent_after(c->rack_sent_ns, c->rack_end, cb->sent_ns, cb->end))
			continue;
		left = cb->sent_ns + c->rack_rtt_ns + window - now;
		if (left <= 0) {
			lost += cb->end - cb->seq;
			tcp_rtx_mark(c, p, TCP_LOST);
		} else {
			wait = max(wait, left);
		}
	}
	if (wait) {
		c->timer_kind = TCP_TIMER_REO;
		c->timer_ns = now + wait + NS_PER_US;
	} else if (c->timer_kind == TCP_TIMER_REO) {
		c->timer_kind = TCP_TIMER_NONE;
		tcp_arm_rtx(c, now);
	}
	return lost;
}

/* ---- states
 * ---------------------------------------------------------------------------------------- */

static void save_for_undo(struct tcp_conn *c)
{
	c->prior_cwnd = c->cwnd;
	c->prior_ssthresh = c->ssthresh;
	c->undo_on = true;
	c->undo_marker = c->snd_una;
	c->undo_retrans = 0;
	c->undo_ts = 0;
}

static void start_reduction(struct tcp_conn *c)
{
	c->high_seq = c->snd_nxt;
	c->recover_fs = max(c->snd_nxt - c->snd_una, c->mss);
	c->prr_delivered = c->prr_out = 0;
	c->ssthresh = max(c->cc->ssthresh(c), 2 * c->mss);
	if (c->ecn_on)
		c->ecn_cwr_send = true;
}

void tcp_enter_cwr(struct tcp_conn *c, s64 now)
{
	if (c->ca_state >= TCP_CA_CWR)
		return;
	c->undo_on = false;
	start_reduction(c);
	c->ca_state = TCP_CA_CWR;
}

static void enter_recovery(struct tcp_conn *c)
{
	tcp_count(c, c->sack_on ? TCPC_SACK_RECOVERY : TCPC_RENO_RECOVERY, 1);
	if (c->ca_state < TCP_CA_CWR) {
		save_for_undo(c);
		start_reduction(c);
	} else { /* already reduced in this round */
		c->high_seq = c->snd_nxt;
		c->undo_on = false;
	}
	c->ca_state = TCP_CA_Recovery;
}

static void reno_mark_head(struct tcp_conn *c)
{
	struct packet *p = tcp_rtx_first(c);

	if (!p || tcp_cb(p)->where != TCP_FLIGHT)
		return;
	if (p->len > c->mss && !tcp_rtx_split(c, p, tcp_cb(p)->seq + c->mss))
		return;
	tcp_rtx_mark(c, p, TCP_LOST);
}

/* RTO: RFC 6298 5.4 and on, RFC 5681 3.1 (4), RFC 8985 6.3. */
void tcp_enter_loss(struct tcp_conn *c, s64 now)
{
	bool fresh = c->ca_state <= TCP_CA_Disorder || !seq_after(c->high_seq, c->snd_una) ||
		(c->ca_state == TCP_CA_Loss && !c->retries);
	struct packet *p, *next, *head = tcp_rtx_first(c);
	s64 window = tcp_rack_window(c);

	if (tcp_cb(head)->where == TCP_SACKED) {
		tcp_count(c, TCPC_SACK_RENEGING, 1);
		tcp_sack_forget(c);
	}
	if (fresh) {
		save_for_undo(c);
		start_reduction(c);
	}
	c->frto = c->cfg->frto && (fresh || c->ca_state != TCP_CA_Loss) && !c->retries;
	list_for_each_entry_safe(p, next, &c->flight_list, link)
		if (p == head || !c->sack_on || tcp_cb(p)->sent_ns + c->rack_rtt_ns + window <= now)
			tcp_rtx_mark(c, p, TCP_LOST);
	c->cwnd = c->mss;
	c->dup_bytes = 0;
	c->dupacks = 0;
	c->tlp_out = false;
	c->high_seq = c->snd_nxt;
	c->ca_state = TCP_CA_Loss;
}

static void undo(struct tcp_conn *c, enum tcp_count why)
{
	tcp_count(c, why, 1);
	/* prior_cwnd is of a smaller segment size, perhaps. */
	c->cwnd = min(max(max(c->cwnd, c->prior_cwnd), c->mss), c->cwnd_clamp);
	c->ssthresh = max(c->ssthresh, c->prior_ssthresh);
	if (c->cc->undo)
		c->cc->undo(c);
	tcp_rtx_unmark_lost(c);
	c->undo_on = false;
	c->frto = 0;
	c->ecn_cwr_send = false;
	c->ca_state = c->sacked ? TCP_CA_Disorder : TCP_CA_Open;
}

/* True: the reduction was a mistake and has been taken back. */
static bool try_undo(struct tcp_conn *c, const struct tcp_seg *s, const struct tcp_ack *a)
{
	if (!c->undo_on || !c->undo_ts)
		return false;
	if (a->una_moved && c->ts_on && s->has_ts && s->ts_ecr && a->retrans_acked &&
		seq_before(s->ts_ecr, c->undo_ts)) {
		undo(c, c->ca_state == TCP_CA_Loss ? TCPC_SPURIOUS_RTO : TCPC_FULL_UNDO);
		return true;
	}
	if (a->dsack && !c->undo_retrans) {
		undo(c, TCPC_DSACK_UNDO);
		return true;
	}
	return false;
}

static void end_recovery(struct tcp_conn *c)
{
	if (c->rack_reo_persist && !--c->rack_reo_persist)
		c->rack_reo_mult = 1;
	if (c->ca_state != TCP_CA_Loss)
		c->cwnd = min(c->cwnd_clamp, max(c->ssthresh, 2 * c->mss));
	c->frto = 0;
	c->ca_state = c->sacked || c->dupacks ? TCP_CA_Disorder : TCP_CA_Open;
}

/* RFC 5682. True: the time-out was spurious. */
static bool frto_ack(struct tcp_conn *c, const struct tcp_ack *a)
{
	if (!c->frto)
		return false;
	if (a->old_acked) {
		undo(c, TCPC_SPURIOUS_RTO);
		return true;
	}
	if (c->frto == 1 && a->una_moved && !list_empty(&c->unsent.list) &&
		seq_after(tcp_wnd_right(c), c->snd_nxt)) {
		c->frto = 2;
		c->high_seq = c->snd_nxt;
		c->cwnd = max(c->cwnd, tcp_in_network(c) + 2 * c->mss);
	} else if (a->una_moved || !a->delivered) {
		c->frto = 0;
	}
	return false;
}

/* RFC 6937 3.1, with the newer reduction bound (RFC 9937) of progress without further loss. */
static void prr(struct tcp_conn *c, const struct tcp_ack *a)
{
	u32 pipe = tcp_in_network(c);
	u32 delivered = a->delivered ?: c->sack_on ? 0 : c->mss;
	s64 send;

	if (!delivered)
		return;
	c->prr_delivered += delivered;
	if (pipe > c->ssthresh) {
		send = (s64)(((u64)c->prr_delivered * c->ssthresh + c->recover_fs - 1) /
			       c->recover_fs) -
			c->prr_out;
	} else {
		s64 limit = max((s64)c->prr_delivered - c->prr_out, (s64)delivered);

		if (a->una_moved && !a->lost)
			limit += c->mss;
		send = min((s64)(c->ssthresh - pipe), limit);
	}
	if (!c->prr_out)
		send = max(send, (s64)c->mss);
	c->cwnd = pipe + (u32)max(send, 0ll);
}

static void grow(struct tcp_conn *c, const struct tcp_ack *a)
{
	bool limited = c->cwnd_limited || c->round_limited ||
		(c->cwnd < c->ssthresh && c->cwnd < 2 * c->max_flight);

	if (!seq_before(c->snd_una, c->max_flight_seq)) { /* a round is over */
		c->round_limited = c->cwnd_limited;
		c->cwnd_limited = false;
		c->max_flight = c->flight;
		c->max_flight_seq = c->snd_nxt;
	}
	if (limited && a->delivered)
		c->cc->grow(c, a);
	c->cwnd = min(c->cwnd, c->cwnd_clamp);
}

static void ecn_ack(struct tcp_conn *c, const struct tcp_ack *a)
{
	if (a->ece && c->ca_state < TCP_CA_CWR && c->flight + a->delivered)
		tcp_enter_cwr(c, a->now);
}

static void step(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	switch (c->ca_state) {
	case TCP_CA_Recovery:
		if (try_undo(c, s, a))
			return;
		if (!seq_before(c->snd_una, c->high_seq)) {
			end_recovery(c);
			return;
		}
		if (!c->sack_on && a->una_moved) /* a partial ACK: the next hole (RFC 6582 3.2) */
			reno_mark_head(c);
		return;
	case TCP_CA_Loss:
		if (frto_ack(c, a) || try_undo(c, s, a))
			return;
		if (!seq_before(c->snd_una, c->high_seq))
			end_recovery(c);
		return;
	case TCP_CA_CWR:
		if (!seq_before(c->snd_una, c->high_seq))
			end_recovery(c);
		break;
	default:
		if (a->dsack)
			(void)!try_undo(c, s, a);
		c->ca_state = c->sacked || c->dupacks ? TCP_CA_Disorder : TCP_CA_Open;
		break;
	}
	if (c->lost)
		enter_recovery(c);
}

void tcp_recovery_ack(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	u8 before = c->ca_state;

	if (unlikely(c->sacked || c->lost || a->sacked || c->timer_kind == TCP_TIMER_REO ||
		    c->reordering_seen || c->ca_state != TCP_CA_Open))
		a->lost = tcp_rack_detect(c, a->now);
	if (unlikely(!c->sack_on && c->dupacks >= DUP_THRESH && c->ca_state < TCP_CA_Recovery)) {
		reno_mark_head(c);
		a->lost = c->lost;
	}
	if (unlikely(a->ece))
		ecn_ack(c, a);
	if (unlikely(c->ca_state != TCP_CA_Open || c->lost || c->sacked || c->dupacks || a->dsack))
		step(c, s, a);
	if (c->ca_state == TCP_CA_Recovery || c->ca_state == TCP_CA_CWR)
		prr(c, a);
	else if (before < TCP_CA_CWR || before == TCP_CA_Loss)
		grow(c, a);
}

/* RACK's timer: what it waited for hasn't come. */
void tcp_rack_timeout(struct tcp_conn *c, s64 now)
{
	struct tcp_ack a = {.now = now, .rtt_ns = -1};

	a.lost = tcp_rack_detect(c, now);
	if (!a.lost)
		return;
	if (c->ca_state < TCP_CA_Recovery) {
		enter_recovery(c);
		c->cwnd = max(min(c->cwnd, tcp_in_network(c) + c->mss), c->mss);
	}
}

u32 tcp_send_quota(const struct tcp_conn *c)
{
	u32 used = tcp_in_network(c), cwnd = c->cwnd;

	/* Limited transmit (RFC 3042): the first two duplicate ACKs let new data out. */
	if (!c->sack_on && c->ca_state == TCP_CA_Disorder && c->dupacks <= 2)
		used = c->flight > c->dupacks * c->mss ? c->flight - c->dupacks * c->mss : 0;
	return cwnd > used ? cwnd - used : 0;
}
