/* An acknowledgement: RFC 9293 3.10.7.4 fifth check, then what it means for the window and the
 * timers. */
#include "machine.h"

/* RFC 9293: SND.WL1, SND.WL2. True when the window changed. */
static bool update_window(struct tcp_conn *c, const struct tcp_seg *s)
{
	u32 wnd = (u32)s->wnd << (s->flags & TCPF_SYN ? 0 : c->snd_wscale);
	bool changed;

	if (!seq_after(s->ack, c->snd_una) && !seq_after(s->seq, c->snd_wl1) &&
		!(s->seq == c->snd_wl1 && wnd > c->snd_wnd))
		return false;
	changed = wnd != c->snd_wnd;
	c->snd_wl1 = s->seq;
	c->snd_wnd = wnd;
	c->max_wnd = max(c->max_wnd, wnd);
	return changed;
}

static void una_moved(struct tcp_conn *c, const struct tcp_ack *a)
{
	c->bytes_acked += a->acked - (a->syn_acked ? 1 : 0);
	c->retries = c->backoff = 0;
	c->first_retrans_ns = 0;
	c->waited = false;
	c->events |= TCPE_WRITABLE;
	if (c->urg_mode && !seq_before(c->snd_una, c->snd_up))
		c->urg_mode = false;
	if (seq_before(c->snd_up, c->snd_una))
		c->snd_up = c->snd_una;
	if (seq_before(c->snd_sml, c->snd_una))
		c->snd_sml = c->snd_una;
	if (seq_before(c->push_seq, c->snd_una))
		c->push_seq = c->snd_una;
	if (c->snd_una == c->write_seq && c->fin_sent)
		c->events |= TCPE_SENT_ALL;
}

/* RFC 8985 7.4: was the probe a repair, and so a loss that the window has to know of? */
static void tlp_ack(struct tcp_conn *c, const struct tcp_seg *s, const struct tcp_ack *a)
{
	if (!c->tlp_out || seq_before(s->ack, c->tlp_end))
		return;
	if (!c->tlp_retrans || a->dsack) {
		c->tlp_out = false;
	} else if (seq_after(s->ack, c->tlp_end)) {
		c->tlp_out = false;
		if (c->ca_state < TCP_CA_CWR) {
			tcp_enter_cwr(c, a->now);
			c->cwnd = min(c->cwnd, c->ssthresh);
			c->ca_state = TCP_CA_Open;
		}
	} else if (!a->una_moved && !s->len) {
		c->tlp_out = false; /* both copies arrived */
	}
}

static void measure(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a)
{
	/* RFC 7323 4.3: an echo is of use when it acknowledges something new. */
	if (a->rtt_ns < 0 && a->una_moved && c->ts_on && s->has_ts && s->ts_ecr) {
		u32 ms = ts_now(c->ts_off, a->now) - s->ts_ecr;

		if (ms < 200000)
			a->rtt_ns = max((s64)ms, 1ll) * NS_PER_MS;
	}
	if (a->rtt_ns < 0)
		return;
	tcp_rtt_sample(c, a->rtt_ns, a->now);
	if (c->cc->rtt)
		c->cc->rtt(c, a);
}

/* Without SACK a duplicate ACK says that one segment left the network (RFC 5681 2). */
static void count_duplicates(
	struct tcp_conn *c, const struct tcp_seg *s, const struct tcp_ack *a, bool window)
{
	if (a->una_moved) {
		c->dupacks = 0;
		c->dup_bytes = 0;
	} else if (!c->sack_on && !s->len && !window && !(s->flags & (TCPF_SYN | TCPF_FIN)) &&
		c->flight) {
		if (c->dupacks < 255)
			c->dupacks++;
		c->dup_bytes = min((u32)c->dupacks * c->mss, c->flight);
	}
}

void tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	struct tcp_ack a = {.now = now, .rtt_ns = -1, .prior_flight = tcp_in_network(c)};
	bool window = false;

	c->last_ack_ns = now;
	c->soft_error = 0;
	c->probes_out = 0;
	c->probe_since_ns = 0;
	if (unlikely(c->passive_syn) && seq_after(s->ack, c->iss)) {
		c->passive_syn = false;
		c->snd_una = c->iss + 1;
	}
	a.ece = c->ecn_on && s->flags & TCPF_ECE && !(s->flags & TCPF_SYN);
	if (!seq_before(s->ack, c->snd_una)) {
		window = update_window(c, s);
		a.una_moved = seq_after(s->ack, c->snd_una);
	}
	if (a.una_moved) {
		tcp_clean_rtx(c, s, &a);
		una_moved(c, &a);
	}
	/* After what is below: in one ACK the lower numbers haven't come later (reordering). */
	if (unlikely(s->nr_sacks) && c->sack_on)
		tcp_sack_input(c, s, &a);
	if (window && c->timer_kind == TCP_TIMER_PERSIST) {
		c->timer_kind = TCP_TIMER_NONE;
		c->timer_ns = TIME_NEVER;
		c->backoff = 0;
	}
	count_duplicates(c, s, &a, window);
	if (a.delivered)
		measure(c, s, &a);
	tlp_ack(c, s, &a);
	tcp_recovery_ack(c, s, &a);
	/* The timer of what is still out starts again with progress; RACK's own comes first. */
	if (c->timer_kind != TCP_TIMER_REO && c->timer_kind != TCP_TIMER_PERSIST &&
		(a.una_moved || a.sacked))
		tcp_arm_rtx(c, now);
}
