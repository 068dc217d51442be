/*
 * SYN cookies: a listener whose queue of requests is full answers a SYN without remembering it. All
 * it needs to know comes back in the ACK. RFC 4987 3.6.
 *
 * Our initial number:  31..27  time in steps of 64 s
 *                      26..24  index of the peer's segment size in g_mss
 *                      23..0   keyed hash of the four names, the peer's initial number and the above
 *
 * With timestamps the low bits of ours, which the peer echoes, have what else a SYN can say; the
 * time in them is then up to 64 ms old, and so never ahead of what follows. They need no hash: a
 * peer that changes them changes its own options only.
 *
 *                      5       it can ECN
 *                      4       it takes SACKs
 *                      3..0    its window scale, 15: none
 */
#include "sock.h"

#define STEP_NS   (64 * NS_PER_SEC)
#define MAX_STEPS 1u /* a cookie is good for 64 to 128 s */
#define HASH_MASK 0xffffffu
#define TS_ECN    32u
#define TS_SACK   16u
#define TS_WSCALE 15u
#define TS_MASK   63u

/* Sizes that paths are made of; what a peer takes is rounded down. */
static const u16 g_mss[8] = {TCP_MIN_MSS, 256, 536, 1024, 1220, 1360, 1440, 1460};

static u32 hash(const struct inet_lookup *l, u32 irs, u32 head)
{
	struct {
		struct inet_addr a, b;
		u64 ports, numbers;
	} key = {l->local, l->remote, 4ull << 32 | (u64)l->lport << 16 | l->rport,
		(u64)irs << 32 | head};

	return (u32)siphash(&key, sizeof(key), &g_net_secret) & HASH_MASK;
}

static u32 step_of(s64 now)
{
	return (u32)(now / STEP_NS) & 31;
}

static u32 mss_index(u32 mss)
{
	u32 i = ARRAY_SIZE(g_mss) - 1;

	while (i && g_mss[i] > mss)
		i--;
	return i;
}

void tcp_cookie_make(struct tcp_request *rq, const struct inet_lookup *l, s64 now)
{
	u32 head = step_of(now) << 3 | mss_index(rq->mss), clock, stamp;

	rq->iss = head << 24 | hash(l, rq->irs, head);
	if (!rq->ts_on) {
		rq->sack_on = rq->ecn_on = false;
		rq->snd_wscale = rq->rcv_wscale = 0xff;
		return;
	}
	clock = (u32)(now / NS_PER_MS) + rq->ts_off;
	stamp = (clock & ~TS_MASK) | (rq->ecn_on ? TS_ECN : 0) | (rq->sack_on ? TS_SACK : 0) |
		(rq->snd_wscale == 0xff ? TS_WSCALE : rq->snd_wscale);
	if (seq_after(stamp, clock))
		stamp -= TS_MASK + 1;
	rq->ts_off += stamp - clock; /* this once */
}

bool tcp_cookie_check(const struct tcp_in *in, struct tcp_seg *syn)
{
	const struct tcp_seg *s = &in->seg;
	u32 iss = s->ack - 1, irs = s->seq - 1, head = iss >> 24;

	if (((step_of(in->now) - (head >> 3)) & 31) > MAX_STEPS ||
		(iss & HASH_MASK) != hash(&in->l, irs, head))
		return false;
	*syn = (struct tcp_seg){.seq = irs,
		.sport = s->sport,
		.dport = s->dport,
		.flags = TCPF_SYN,
		.mss = g_mss[head & 7],
		.wscale = 0xff,
		.fo_len = -1};
	if (s->has_ts) {
		syn->has_ts = true;
		syn->ts_val = s->ts_val;
		syn->sack_ok = s->ts_ecr & TS_SACK;
		if (s->ts_ecr & TS_ECN)
			syn->flags |= TCPF_ECE | TCPF_CWR;
		if ((s->ts_ecr & TS_WSCALE) != TS_WSCALE)
			syn->wscale = s->ts_ecr & TS_WSCALE;
	}
	return true;
}
