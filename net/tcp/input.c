/* Segments that arrive: RFC 9293 3.10.7, in its order, with RFC 5961 and PAWS (RFC 7323 5). */
#include <lib/err.h>
#include "machine.h"

static bool paws_rejects(const struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	return c->ts_on && s->has_ts && !(s->flags & TCPF_RST) &&
		seq_before(s->ts_val, c->ts_recent) && now - c->ts_recent_ns < TCP_PAWS_OLD_NS;
}

/* A duplicate or something from outside the window: tell the peer where we are. */
static void answer_stale(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	if (s->flags & TCPF_RST)
		return;
	if (s->len && !(s->flags & TCPF_SYN)) {
		tcp_dsack_set(c, s->seq, seg_end(s), false);
		c->ack_pending = TCP_ACK_NOW;
		return;
	}
	if (s->flags & TCPF_SYN) {
		tcp_challenge(c, now);
	} else if (now - c->challenge_ns >= TCP_INVALID_ACK_NS) {
		c->challenge_ns = now;
		c->ack_pending = TCP_ACK_NOW;
	}
}

static void reset_received(struct tcp_conn *c)
{
	int error = ECONNRESET;

	if (c->state == TCP_SYN_SENT ||
		(c->state == TCP_SYN_RECV && !c->passive_syn && !c->fo_passive))
		error = ECONNREFUSED;
	else if (c->state == TCP_CLOSE_WAIT)
		error = EPIPE;
	if (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT)
		tcp_count(c, TCPC_ESTAB_RESETS, 1);
	tcp_done(c, error);
}

/* Checks one to four: sequence number, RST, SYN. True: go on with the ACK. */
static bool acceptable(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	if (unlikely(paws_rejects(c, s, now))) {
		tcp_count(c, TCPC_PAWS, 1);
		answer_stale(c, s, now);
		return false;
	}
	if (unlikely(seq_before(seg_end(s), c->rcv_nxt) || seq_after(s->seq, c->rcv_right))) {
		/* The other side of a simultaneous open, or our SYN-ACK got lost. */
		if (c->state == TCP_SYN_RECV && s->flags & TCPF_SYN && c->rtx_first) {
			tcp_send_syn(c, tcp_rtx_first(c), now);
			return false;
		}
		answer_stale(c, s, now);
		return false;
	}
	if (unlikely(s->flags & TCPF_RST)) {
		if (s->seq == c->rcv_nxt)
			reset_received(c);
		else
			tcp_challenge(c, now);
		return false;
	}
	if (unlikely(s->flags & TCPF_SYN)) {
		if (c->state == TCP_SYN_RECV && s->seq == c->irs && !c->passive_syn) {
			if (s->flags & TCPF_ACK)
				return true;
			if (c->rtx_first)
				tcp_send_syn(c, tcp_rtx_first(c), now);
			return false;
		}
		tcp_count(c, TCPC_SYN_CHALLENGE, 1);
		tcp_challenge(c, now);
		return false;
	}
	return s->flags & TCPF_ACK;
}

static void answer_reset(struct tcp_conn *c, const struct tcp_seg *s)
{
	struct packet *p = tcp_make_reset(s);

	if (!p)
		return;
	tcp_count(c, TCPC_OUT_RST, 1);
	c->ops->transmit(c, p, false);
}

/* Fifth check. False: the segment is to be dropped. */
static bool ack_acceptable(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	if (c->state == TCP_SYN_RECV) {
		if (!seq_after(s->ack, c->snd_una) || seq_after(s->ack, c->snd_nxt)) {
			answer_reset(c, s);
			return false;
		}
		return true;
	}
	if (likely(!seq_after(s->ack, c->snd_nxt) && !seq_before(s->ack, c->snd_una - c->max_wnd)))
		return true;
	tcp_challenge(c, now);
	return false;
}

/* Our FIN has been acknowledged. */
static void fin_acked(struct tcp_conn *c, s64 now)
{
	switch (c->state) {
	case TCP_FIN_WAIT1:
		tcp_set_state(c, TCP_FIN_WAIT2);
		if (c->orphan)
			tcp_orphan(c, now);
		break;
	case TCP_CLOSING:
		tcp_set_state(c, TCP_TIME_WAIT);
		break;
	case TCP_LAST_ACK:
		tcp_done(c, 0);
		break;
	}
}

static void take_timestamp(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	if (c->ts_on && s->has_ts && !seq_before(s->ts_val, c->ts_recent) &&
		!seq_after(s->seq, c->last_ack_sent)) {
		c->ts_recent = s->ts_val;
		c->ts_recent_ns = now;
	}
}

static void take_ecn(struct tcp_conn *c, const struct tcp_seg *s)
{
	if (s->flags & TCPF_CWR)
		c->ecn_ece_send = false;
	if (s->ce && s->len) {
		c->ecn_ece_send = c->ecn_seen = true;
		c->ack_pending = TCP_ACK_NOW;
	}
}

/* Consumes p. */
static void synchronised_input(
	struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now)
{
	if (!acceptable(c, s, now) || !ack_acceptable(c, s, now)) {
		packet_free(p);
		return;
	}
	take_timestamp(c, s, now);
	if (unlikely(c->ecn_on))
		take_ecn(c, s);
	if (unlikely(c->state == TCP_SYN_RECV)) {
		c->snd_wl1 = s->seq - 1; /* so that the window is taken */
		tcp_ack_input(c, s, now);
		tcp_established(c, now);
		if (c->fin_wanted) /* close came first */
			tcp_finish(c, now);
	} else {
		tcp_ack_input(c, s, now);
	}
	if (unlikely(c->fin_sent && c->snd_una == c->write_seq))
		fin_acked(c, now);
	if (c->state == TCP_CLOSE) {
		packet_free(p);
		return;
	}
	if (s->len || s->flags & (TCPF_FIN | TCPF_URG))
		tcp_data_input(c, s, p, now);
	else
		packet_free(p);
}

static void take_cookie(struct tcp_conn *c, const struct tcp_seg *s)
{
	c->fo_got_len = s->fo_len > 0 ? s->fo_len : -1;
	if (s->fo_len > 0)
		__builtin_memcpy(c->fo_got, s->fo_cookie, sizeof(c->fo_got));
}

/* Data that went with the SYN and wasn't taken goes again, at once and without a sign of
 * congestion. */
static void syn_data_answer(struct tcp_conn *c)
{
	struct packet *p, *next;

	c->fo_data_acked = seq_after(c->snd_una, c->iss + 1);
	if (!c->fo_data_acked)
		c->fo_fail = c->total_retrans ? TFO_SYN_RETRANSMITTED : TFO_DATA_NOT_ACKED;
	tcp_count(c, c->fo_data_acked ? TCPC_FASTOPEN_ACTIVE : TCPC_FASTOPEN_ACTIVE_FAIL, 1);
	list_for_each_entry_safe(p, next, &c->flight_list, link)
		tcp_rtx_mark(c, p, TCP_LOST);
}

/* Consumes p. RFC 9293 3.10.7.3. */
static void syn_sent_input(struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now)
{
	bool ack = s->flags & TCPF_ACK;

	if (ack && (!seq_after(s->ack, c->iss) || seq_after(s->ack, c->snd_nxt))) {
		answer_reset(c, s);
		goto out;
	}
	if (ack && c->ts_on && s->has_ts && s->ts_ecr &&
		seq_after(s->ts_ecr, ts_now(c->ts_off, now))) {
		answer_reset(c, s); /* an echo of what we never sent */
		goto out;
	}
	if (s->flags & TCPF_RST) {
		if (ack)
			reset_received(c);
		goto out;
	}
	if (!(s->flags & TCPF_SYN))
		goto out;
	tcp_take_syn_options(c, s, now);
	c->snd_wl1 = s->seq - 1;
	if (!ack) { /* both opened at once */
		c->ecn_on = c->cfg->ecn && s->flags & TCPF_ECE && s->flags & TCPF_CWR;
		c->snd_wnd = s->wnd;
		tcp_set_state(c, TCP_SYN_RECV);
		tcp_send_syn(c, tcp_rtx_first(c), now);
		goto out;
	}
	c->ecn_on = c->ecn_on && s->flags & TCPF_ECE && !(s->flags & TCPF_CWR);
	take_cookie(c, s);
	tcp_ack_input(c, s, now);
	tcp_established(c, now);
	if (c->fo_tried)
		syn_data_answer(c);
	c->ack_pending = TCP_ACK_NOW;
	if (s->len || s->flags & TCPF_FIN) {
		struct tcp_seg data = *s;

		data.seq++;
		data.flags &= (u8)~TCPF_SYN;
		tcp_data_input(c, &data, p, now);
		return;
	}
out:
	packet_free(p);
}

void tcp_input(struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now)
{
	c->segs_in += max_t(u32, p->gso_segs, 1);
	switch (c->state) {
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_TIME_WAIT:
		packet_free(p);
		return;
	case TCP_SYN_SENT:
		syn_sent_input(c, s, p, now);
		break;
	default:
		synchronised_input(c, s, p, now);
		break;
	}
	tcp_output(c, now);
	if (unlikely(c->state == TCP_TIME_WAIT))
		tcp_enter_time_wait(c);
}
