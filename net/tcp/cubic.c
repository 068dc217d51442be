/* CUBIC (RFC 9438) with HyStart++ (RFC 9406). Windows in octets, times in ms. */
#include <lib/string.h>
#include "machine.h"

#define MAX_DISTANCE_MS 300000u /* of t from K: keeps the cube in 64 bits */
#define RTT_SAMPLES     8u      /* N_RTT_SAMPLE */
#define CSS_ROUNDS      5u
#define CSS_DIVISOR     4u

struct cubic {
	s64 epoch_ns; /* start of congestion avoidance; 0: none */
	u32 w_max, cwnd_prior, w_est;
	u32 k_ms, origin; /* the plateau */
	u32 est_rest;     /* octets acknowledged, not yet in w_est */
	u32 last_max;     /* w_max before the present reduction, for undo */
	/* HyStart++ */
	u32 round_end;
	u16 samples;
	u8 css_rounds;
	bool css, round_on;
	s64 last_min_ns, cur_min_ns, css_base_ns;
};
static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_conn *)0)->cc_priv), "fits");

static struct cubic *priv(struct tcp_conn *c)
{
	return (struct cubic *)c->cc_priv;
}

static void init(struct tcp_conn *c)
{
	memset(c->cc_priv, 0, sizeof(c->cc_priv));
	priv(c)->last_min_ns = priv(c)->cur_min_ns = TIME_NEVER;
}

static u32 cube_root(u64 v)
{
	u64 r = 0;

	for (int bit = 21; bit >= 0; bit--) {
		u64 t = r | 1ull << bit;

		if (t * t * t <= v)
			r = t;
	}
	return (u32)r;
}

/* W_cubic(t), C = 0.4 segments per s^3. */
static u32 w_cubic(const struct cubic *q, u32 mss, u64 t_ms)
{
	bool before = t_ms < q->k_ms;
	u64 d = min(before ? q->k_ms - t_ms : t_ms - q->k_ms, (u64)MAX_DISTANCE_MS);
	u64 octets = (d * d * d >> 10) * mss / (2500000000ull >> 10);

	if (before)
		return q->origin > octets ? q->origin - (u32)octets : 0;
	return (u32)min((u64)q->origin + octets, (u64)TCP_SSTHRESH_INF);
}

static void start_epoch(struct tcp_conn *c, s64 now)
{
	struct cubic *q = priv(c);

	q->epoch_ns = now;
	q->w_est = c->cwnd;
	q->est_rest = 0;
	if (c->cwnd < q->w_max) {
		q->k_ms = cube_root((u64)(q->w_max - c->cwnd) * 2500000000ull / c->mss);
		q->origin = q->w_max;
	} else {
		q->k_ms = 0;
		q->origin = c->cwnd;
	}
}

/* Octets of Reno-friendly growth: alpha segments for each window, alpha = 3(1-b)/(1+b) = 9/17,
 * or 1. */
static void grow_estimate(struct tcp_conn *c, struct cubic *q, u32 acked)
{
	bool fast = q->w_est >= q->cwnd_prior;
	u64 add = (u64)acked * c->mss * (fast ? 17 : 9) / 17 + q->est_rest;

	q->w_est += (u32)(add / c->cwnd);
	q->est_rest = (u32)(add % c->cwnd);
}

static void avoid(struct tcp_conn *c, u32 acked, s64 now)
{
	struct cubic *q = priv(c);
	u64 t;
	u32 target;

	if (!q->epoch_ns)
		start_epoch(c, now);
	grow_estimate(c, q, acked);
	t = (u64)(now - q->epoch_ns) / 1000000;
	if (w_cubic(q, c->mss, t) < q->w_est) {
		c->cwnd = max(c->cwnd, q->w_est);
		return;
	}
	target = w_cubic(q, c->mss, t + (u64)c->srtt_ns / 1000000);
	target = clamp(target, c->cwnd, c->cwnd + c->cwnd / 2);
	c->cwnd += (u32)((u64)(target - c->cwnd) * acked / c->cwnd);
}

static void grow(struct tcp_conn *c, const struct tcp_ack *a)
{
	struct cubic *q = priv(c);
	u32 left = a->delivered;

	if (c->cwnd < c->ssthresh) {
		left = tcp_slow_start(c, q->css ? left / CSS_DIVISOR : left);
		if (!left)
			return;
	}
	avoid(c, left, a->now);
}

static u32 ssthresh(struct tcp_conn *c)
{
	struct cubic *q = priv(c);

	q->epoch_ns = 0;
	q->css = false;
	q->last_max = q->w_max;
	q->cwnd_prior = c->cwnd;
	/* Fast convergence: a flow that had more leaves room. */
	q->w_max = c->cwnd < q->w_max ? (u32)((u64)c->cwnd * 17 / 20) : c->cwnd;
	return max((u32)((u64)c->cwnd * 7 / 10), 2 * c->mss);
}

static void hystart_round(struct tcp_conn *c, struct cubic *q)
{
	q->last_min_ns = q->cur_min_ns;
	q->cur_min_ns = TIME_NEVER;
	q->samples = 0;
	q->round_end = c->snd_nxt;
	q->round_on = true;
	if (q->css && ++q->css_rounds >= CSS_ROUNDS) {
		c->ssthresh = c->cwnd;
		q->css = false;
	}
}

static void rtt(struct tcp_conn *c, const struct tcp_ack *a)
{
	struct cubic *q = priv(c);
	s64 thresh;

	if (c->cwnd >= c->ssthresh)
		return;
	if (!q->round_on || !seq_before(c->snd_una, q->round_end))
		hystart_round(c, q);
	q->cur_min_ns = min(q->cur_min_ns, a->rtt_ns);
	if (++q->samples < RTT_SAMPLES || q->last_min_ns == TIME_NEVER)
		return;
	if (q->css) {
		if (q->cur_min_ns < q->css_base_ns)
			q->css = false;
		return;
	}
	thresh = clamp(q->last_min_ns / 8, 4 * NS_PER_MS, 16 * NS_PER_MS);
	if (q->cur_min_ns >= q->last_min_ns + thresh) {
		q->css = true;
		q->css_rounds = 0;
		q->css_base_ns = q->cur_min_ns;
	}
}

static void restart(struct tcp_conn *c, s64 idle_ns)
{
	struct cubic *q = priv(c);

	if (q->epoch_ns)
		q->epoch_ns += idle_ns;
	tcp_newreno.restart(c, idle_ns);
}

static void undo(struct tcp_conn *c)
{
	priv(c)->w_max = max(priv(c)->w_max, priv(c)->last_max);
	priv(c)->epoch_ns = 0;
}

const struct tcp_cc_ops tcp_cubic = {
	.name = "cubic",
	.init = init,
	.ssthresh = ssthresh,
	.grow = grow,
	.rtt = rtt,
	.restart = restart,
	.undo = undo,
};
