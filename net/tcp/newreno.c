/* Reno's window: RFC 5681 with octet counting (RFC 3465). */
#include "machine.h"

/* private: octets acknowledged towards the next segment of growth */
static void init(struct tcp_conn *c)
{
	c->cc_priv[0] = 0;
}

u32 tcp_slow_start(struct tcp_conn *c, u32 acked)
{
	u32 room = c->ssthresh > c->cwnd ? c->ssthresh - c->cwnd : 0;
	u32 n = min(acked, room);

	c->cwnd += n;
	return acked - n;
}

static void grow(struct tcp_conn *c, const struct tcp_ack *a)
{
	u32 left = a->delivered;

	if (c->cwnd < c->ssthresh) {
		left = tcp_slow_start(c, left);
		if (!left)
			return;
	}
	c->cc_priv[0] += left;
	if (c->cc_priv[0] >= c->cwnd) {
		c->cc_priv[0] -= c->cwnd;
		c->cwnd += c->mss;
	}
}

static u32 ssthresh(struct tcp_conn *c)
{
	return max(c->cwnd / 2, 2 * c->mss);
}

static void restart(struct tcp_conn *c, s64 idle_ns)
{
	u32 least = min(TCP_INIT_CWND * c->mss, c->cwnd);

	/* RFC 2861: half for each RTO of silence. */
	c->ssthresh = max(c->ssthresh, c->cwnd / 4 * 3);
	for (s64 t = idle_ns; t > c->rto_ns && c->cwnd > least; t -= c->rto_ns)
		c->cwnd = max(c->cwnd / 2, least);
}

const struct tcp_cc_ops tcp_newreno = {
	.name = "reno",
	.init = init,
	.ssthresh = ssthresh,
	.grow = grow,
	.restart = restart,
};
