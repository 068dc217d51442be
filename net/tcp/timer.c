/*
 * Timers: retransmission and loss probe (one deadline, of one kind at a time), window probes,
 * delayed ACKs, keepalive and the end of orphans. RFC 6298, 8985 7, 9293 3.8.6.1, 1122 4.2.3.6,
 * 5482.
 */
#include <lib/err.h>
#include "machine.h"

#define CORK_NS        (200 * NS_PER_MS) /* tcp(7): a corked partial segment waits no longer */
#define ORPHAN_RETRIES 8u                /* net.ipv4.tcp_orphan_retries 0 */
#define MAX_BACKOFF    30

static s64 backed_off(s64 ns, u32 shift, s64 most)
{
	return shift >= 20 || ns << shift > most ? most : ns << shift;
}

static s64 rto(const struct tcp_conn *c)
{
	return backed_off(c->rto_ns, c->backoff, TCP_RTO_MAX_NS);
}

static void arm(struct tcp_conn *c, enum tcp_timer_kind kind, s64 deadline)
{
	c->timer_kind = (u8)kind;
	c->timer_ns = deadline;
}

static bool tlp_possible(const struct tcp_conn *c)
{
	return c->sack_on && c->cfg->early_retrans >= 3 && c->ca_state == TCP_CA_Open && !c->lost &&
		!c->sacked && !c->tlp_out && !c->retries && c->srtt_ns &&
		c->state != TCP_SYN_SENT && c->state != TCP_SYN_RECV;
}

void tcp_arm_rtx(struct tcp_conn *c, s64 now)
{
	s64 pto, end = now + rto(c);

	if (!c->rtx_first) {
		arm(c, TCP_TIMER_NONE, TIME_NEVER);
		return;
	}
	if (!tlp_possible(c)) {
		arm(c, TCP_TIMER_RTO, end);
		return;
	}
	pto = 2 * c->srtt_ns;
	pto += c->flight <= c->mss ? TCP_RTO_MIN_NS : 2 * NS_PER_MS;
	arm(c, now + pto < end ? TCP_TIMER_TLP : TCP_TIMER_RTO, min(now + pto, end));
}

/* After output: sent_at TIME_NEVER when nothing was sent. */
void tcp_arm_after_send(struct tcp_conn *c, s64 sent_at, s64 now)
{
	if (c->rtx_first) {
		if (c->timer_kind == TCP_TIMER_NONE || c->timer_kind == TCP_TIMER_PERSIST ||
			(c->timer_kind == TCP_TIMER_TLP && sent_at != TIME_NEVER))
			tcp_arm_rtx(c, now);
		return;
	}
	if (list_empty(&c->unsent.list) && !c->fin_retry) {
		if (c->timer_kind == TCP_TIMER_PERSIST)
			arm(c, TCP_TIMER_NONE, TIME_NEVER);
		return;
	}
	/* Nothing is out that an ACK could answer: a closed window, a cork, or no memory. */
	if (c->timer_kind == TCP_TIMER_PERSIST)
		return;
	if (seq_after(tcp_wnd_right(c), c->snd_nxt))
		arm(c, TCP_TIMER_PERSIST, now + CORK_NS);
	else
		arm(c, TCP_TIMER_PERSIST, now + backed_off(c->rto_ns, c->backoff, TCP_RTO_MAX_NS));
}

/* The time that `limit` retransmissions would take with the least RTO: ip-sysctl, tcp_retries2. */
static s64 model_time(u32 limit, s64 base)
{
	s64 sum = 0, step = base;

	for (u32 i = 0; i <= limit; i++) {
		sum += step;
		step = min(2 * step, TCP_RTO_MAX_NS);
	}
	return sum;
}

bool tcp_retries_over(struct tcp_conn *c, u32 limit, s64 now)
{
	s64 since = c->first_retrans_ns;

	if (!c->retries || !since)
		return false;
	if (c->user_timeout_ns && c->state != TCP_SYN_SENT)
		return now - since >= c->user_timeout_ns;
	return now - since >= model_time(limit, TCP_RTO_MIN_NS);
}

static void timed_out(struct tcp_conn *c)
{
	tcp_count(c, TCPC_ABORT_TIMEOUT, 1);
	tcp_done(c, c->soft_error ?: ETIMEDOUT);
}

/* p is still in this machine, as when the hypervisor stands still, or was when the timer was armed:
 * another copy would only wait behind it, and its answer may be on the way. */
static bool still_here(struct tcp_conn *c, const struct packet *p)
{
	bool was = c->waited;

	c->waited = c->ops->waiting && c->ops->waiting(c, tcp_cb(p)->end);
	if (c->waited)
		tcp_count(c, TCPC_SPURIOUS_RTX, 1);
	return c->waited || was;
}

static void rto_expired(struct tcp_conn *c, s64 now)
{
	bool opening = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV;
	struct packet *head = tcp_rtx_first(c);
	bool closed_window = !c->snd_wnd && !opening && now - c->last_ack_ns < TCP_RTO_MAX_NS;
	bool over, waited = false;

	if (opening)
		over = c->retries >= (c->state == TCP_SYN_RECV        ? c->cfg->synack_retries
						     : c->syn_retries ? c->syn_retries
								      : c->cfg->syn_retries);
	else
		over = !closed_window &&
			tcp_retries_over(c,
				c->orphan ? c->cfg->orphan_retries ?: ORPHAN_RETRIES
					  : c->cfg->retries2,
				now);
	if (opening && c->user_timeout_ns && c->first_retrans_ns &&
		now - c->first_retrans_ns >= c->user_timeout_ns)
		over = true;
	if (over) {
		timed_out(c);
		return;
	}
	tcp_count(c, TCPC_TIMEOUTS, 1);
	if (!c->first_retrans_ns)
		c->first_retrans_ns = tcp_cb(head)->sent_ns ?: 1;
	if (opening) {
		/* Data that went with the SYN waits for the answer: middleboxes (RFC 7413 4.2.1). */
		c->ecn_on = c->ecn_on && c->state == TCP_SYN_RECV;
		tcp_send_syn(c, head, now);
	} else if (still_here(c, head)) {
		waited = true;
	} else {
		tcp_enter_loss(c, now);
		head = tcp_rtx_first(c);
		if (tcp_cb(head)->where == TCP_LOST) {
			(void)!tcp_resend(c, head, c->mss, now);
			tcp_count(c, TCPC_SLOW_START_RETRANS, 1);
		}
	}
	if (c->retries < 255)
		c->retries++;
	if (!opening && c->retries == c->cfg->retries1)
		c->events |= TCPE_DOUBT;         /* RFC 1122 4.2.3.5: R1 */
	if (c->backoff < MAX_BACKOFF && !waited) /* the network has shown no sign of congestion */
		c->backoff++;
	tcp_arm_rtx(c, now);
	if (c->user_timeout_ns && c->first_retrans_ns)
		c->timer_ns = min(c->timer_ns,
			max(c->first_retrans_ns + c->user_timeout_ns, now + NS_PER_MS));
}

/* Tail loss probe: new data when there is some, else the last segment again (RFC 8985 7.3). */
static void tlp_expired(struct tcp_conn *c, s64 now)
{
	struct packet *last = tcp_packet(c->rtx_last);

	c->tlp_retrans = false;
	if (still_here(c, last)) {
		arm(c, TCP_TIMER_RTO, now + rto(c));
		return;
	}
	if (!tcp_send_new(c, c->mss, true, false, now)) {
		if (last->len > c->mss &&
			tcp_rtx_split(c, last,
				tcp_cb(last)->end - c->mss - (tcp_cb(last)->flags & TCPF_FIN)))
			last = tcp_packet(c->rtx_last);
		if (tcp_cb(last)->where == TCP_FLIGHT && tcp_resend(c, last, c->mss, now))
			c->tlp_retrans = true;
	}
	tcp_count(c, TCPC_LOSS_PROBES, 1);
	c->tlp_out = true;
	c->tlp_end = c->snd_nxt;
	arm(c, TCP_TIMER_RTO, now + rto(c));
}

static void persist_expired(struct tcp_conn *c, s64 now)
{
	u32 limit = c->orphan ? c->cfg->orphan_retries ?: ORPHAN_RETRIES : c->cfg->retries2;
	bool open = seq_after(tcp_wnd_right(c), c->snd_nxt);

	arm(c, TCP_TIMER_NONE, TIME_NEVER);
	if (list_empty(&c->unsent.list))
		return; /* output tries again for the FIN */
	if (open && tcp_send_new(c, max(tcp_send_quota(c), c->mss), true, false, now))
		return;
	if (!c->probe_since_ns)
		c->probe_since_ns = now;
	if (c->user_timeout_ns ? now - c->probe_since_ns >= c->user_timeout_ns
			       : c->probes_out >= limit) {
		timed_out(c);
		return;
	}
	tcp_count(c, TCPC_WIN_PROBE, 1);
	tcp_send_probe_octetless(c, now);
	if (c->probes_out < 255)
		c->probes_out++;
	if (c->backoff < MAX_BACKOFF)
		c->backoff++;
	arm(c, TCP_TIMER_PERSIST, now + rto(c));
}

static void delack_expired(struct tcp_conn *c, s64 now)
{
	c->delack_ns = TIME_NEVER;
	if (!c->ack_pending)
		return;
	/* The answer that it waited for didn't come. */
	if (c->pingpong) {
		c->pingpong = false;
		c->ato_ns = TCP_DELACK_MIN_NS;
	} else {
		c->ato_ns = min(2 * c->ato_ns, min(c->rto_ns, TCP_DELACK_MAX_NS));
	}
	tcp_count(c, TCPC_DELAYED_ACKS, 1);
	tcp_send_ack(c, now);
}

static void keep_expired(struct tcp_conn *c, s64 now)
{
	s64 idle = c->keep_idle_ns ?: c->cfg->keepalive_time_s * NS_PER_SEC;
	s64 every = c->keep_intvl_ns ?: c->cfg->keepalive_intvl_s * NS_PER_SEC;
	u32 most = c->keep_cnt ?: c->cfg->keepalive_probes;
	s64 since = max(c->last_recv_ns, c->last_ack_ns);
	bool over;

	c->keep_ns = TIME_NEVER;
	if (c->orphan) {
		if (c->state == TCP_FIN_WAIT2)
			tcp_done(c, 0);
		return;
	}
	if (!c->keepalive)
		return;
	if (c->rtx_first || !list_empty(&c->unsent.list)) { /* other timers look after the peer */
		c->keep_ns = now + idle;
		return;
	}
	if (now - since < idle) {
		c->keep_ns = since + idle;
		return;
	}
	over = c->user_timeout_ns ? now - since >= c->user_timeout_ns && c->probes_out
				  : c->probes_out >= most;
	if (over) {
		tcp_count(c, TCPC_ABORT_TIMEOUT, 1);
		tcp_send_reset(c, now);
		tcp_done(c, c->soft_error ?: ETIMEDOUT);
		return;
	}
	tcp_count(c, TCPC_KEEPALIVE, 1);
	tcp_send_probe_octetless(c, now);
	c->probes_out++;
	c->keep_ns = now + every;
}

void tcp_timer(struct tcp_conn *c, s64 now)
{
	if (now >= c->timer_ns) {
		enum tcp_timer_kind kind = c->timer_kind;

		switch (kind) {
		case TCP_TIMER_RTO:
			rto_expired(c, now);
			break;
		case TCP_TIMER_TLP:
			tlp_expired(c, now);
			break;
		case TCP_TIMER_REO:
			arm(c, TCP_TIMER_NONE, TIME_NEVER);
			tcp_rack_timeout(c, now);
			if (c->timer_kind == TCP_TIMER_NONE)
				tcp_arm_rtx(c, now);
			break;
		case TCP_TIMER_PERSIST:
			persist_expired(c, now);
			break;
		case TCP_TIMER_NONE:
			break;
		}
	}
	if (now >= c->delack_ns)
		delack_expired(c, now);
	if (now >= c->keep_ns)
		keep_expired(c, now);
	if (now >= c->pace_ns)
		c->pace_ns = TIME_NEVER;
	tcp_output(c, now);
}

s64 tcp_deadline(const struct tcp_conn *c)
{
	return min(min(c->timer_ns, c->delack_ns), min(c->keep_ns, c->pace_ns));
}
