/* Round-trip times: RFC 6298 with Linux's floor of 200 ms for the variance; the receiver's
 * estimate. */
#include "machine.h"

#define MIN_RTT_LIFE_NS (300 * NS_PER_SEC) /* net.ipv4.tcp_min_rtt_wlen */

void tcp_set_rto(struct tcp_conn *c)
{
	c->rto_ns = min(c->srtt_ns + max(4 * c->rttvar_ns, TCP_RTO_MIN_NS), TCP_RTO_MAX_NS);
}

void tcp_rtt_sample(struct tcp_conn *c, s64 rtt, s64 now)
{
	rtt = max(rtt, 1000ll);
	if (!c->srtt_ns) {
		c->srtt_ns = rtt;
		c->rttvar_ns = rtt / 2;
	} else {
		s64 off = rtt - c->srtt_ns;

		c->rttvar_ns += ((off < 0 ? -off : off) - c->rttvar_ns) / 4;
		c->srtt_ns += off / 8;
	}
	if (!c->min_rtt_ns || rtt <= c->min_rtt_ns || now - c->min_rtt_at_ns > MIN_RTT_LIFE_NS) {
		c->min_rtt_ns = rtt;
		c->min_rtt_at_ns = now;
	}
	tcp_set_rto(c);
}

static void receiver_sample(struct tcp_conn *c, s64 rtt)
{
	rtt = max(rtt, NS_PER_MS);
	/* Without timestamps a sample is an upper bound: take the least, forget it slowly. */
	if (!c->rcv_rtt_ns)
		c->rcv_rtt_ns = rtt;
	else if (c->ts_on)
		c->rcv_rtt_ns += (rtt - c->rcv_rtt_ns) / 8;
	else
		c->rcv_rtt_ns = min(rtt, c->rcv_rtt_ns + c->rcv_rtt_ns / 8);
}

/* How long a window's worth takes to come, for a host that only receives. */
void tcp_receiver_rtt(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	if (c->ts_on) {
		if (s->has_ts && s->ts_ecr && s->len >= c->rcv_mss) {
			u32 ms = ts_now(c->ts_off, now) - s->ts_ecr;

			if (ms < 100000)
				receiver_sample(c, ms * NS_PER_MS);
		}
		return;
	}
	if (c->rcv_rtt_at_ns && seq_before(c->rcv_nxt, c->rcv_rtt_seq))
		return;
	if (c->rcv_rtt_at_ns)
		receiver_sample(c, now - c->rcv_rtt_at_ns);
	c->rcv_rtt_seq = c->rcv_right;
	c->rcv_rtt_at_ns = now;
}
