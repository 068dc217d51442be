/*
 * Before and after a connection: a request that a listener holds between SYN and ACK, and what is
 * left of a connection in TIME_WAIT. Both are small, so that many cost little. RFC
 * 9293 3.6.1, 3.10.7.2, RFC 6191, RFC 1337, RFC 7323.
 */
#include <lib/string.h>
#include "machine.h"

void tcp_request_init(struct tcp_request *rq, const struct tcp_seg *syn,
	const struct tcp_config *cfg, u32 advmss, s32 rcvbuf, u32 iss, u32 ts_off, s64 now)
{
	memset(rq, 0, sizeof(*rq));
	rq->irs = syn->seq;
	rq->iss = iss;
	rq->ts_off = ts_off;
	rq->mss = max_t(u16, syn->mss ? syn->mss : TCP_MSS_DEFAULT, TCP_MIN_MSS);
	rq->advmss = (u16)min(advmss, 65535u);
	rq->sport = syn->dport;
	rq->dport = syn->sport;
	rq->rcv_wnd = (u16)min_t(u32, (u32)max(rcvbuf, 0) / 2, 65535);
	rq->ts_on = cfg->timestamps && syn->has_ts;
	rq->ts_recent = rq->ts_on ? syn->ts_val : 0;
	rq->sack_on = cfg->sack && syn->sack_ok;
	rq->ecn_on = cfg->ecn && syn->flags & TCPF_ECE && syn->flags & TCPF_CWR;
	rq->snd_wscale = rq->rcv_wscale = 0xff;
	if (syn->wscale != 0xff && cfg->window_scaling) {
		rq->snd_wscale = syn->wscale;
		rq->rcv_wscale = tcp_choose_wscale(cfg, rcvbuf, 0);
	}
	rq->fo_len = -1;
	rq->sent_ns = now;
}

struct packet *tcp_request_synack(const struct tcp_request *rq, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	struct tcp_syn_options w = {
		.mss = rq->advmss,
		.ts = rq->ts_on,
		.ts_val = ts_now(rq->ts_off, now),
		.ts_ecr = rq->ts_recent,
		.sack = rq->sack_on,
		.wscale = rq->rcv_wscale,
		.fo_len = rq->fo_len,
		.fo_cookie = rq->fo_cookie,
	};
	u8 o[TCP_MAX_OPTIONS];
	u32 n;

	if (!p)
		return NULL;
	n = tcp_options_syn(o, &w);
	tcp_push_header(p, rq->sport, rq->dport, rq->iss, rq->irs + 1,
		TCPF_SYN | TCPF_ACK | (rq->ecn_on ? TCPF_ECE : 0), rq->rcv_wnd, 0, o, n);
	return p;
}

static struct packet *bare_ack(u16 sport, u16 dport, u32 seq, u32 ack, u32 wnd, bool ts_on,
	u32 ts_off, u32 ts_recent, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	u8 o[12];

	if (p)
		tcp_push_header(p, sport, dport, seq, ack, TCPF_ACK, wnd, 0, o,
			ts_on ? tcp_options_ts(o, ts_now(ts_off, now), ts_recent) : 0);
	return p;
}

struct packet *tcp_request_ack(const struct tcp_request *rq, s64 now)
{
	u32 shift = rq->rcv_wscale == 0xff ? 0 : rq->rcv_wscale;

	return bare_ack(rq->sport, rq->dport, rq->iss + 1, rq->irs + 1, rq->rcv_wnd >> shift,
		rq->ts_on, rq->ts_off, rq->ts_recent, now);
}

enum tcp_verdict tcp_request_input(struct tcp_request *rq, const struct tcp_seg *s, s64 now)
{
	bool paws = rq->ts_on && s->has_ts && !(s->flags & TCPF_RST) &&
		seq_before(s->ts_val, rq->ts_recent);

	/* The SYN again: our answer may be lost. */
	if ((s->flags & (TCPF_SYN | TCPF_ACK | TCPF_RST)) == TCPF_SYN && s->seq == rq->irs && !paws)
		return TCP_RESEND;
	/* RFC 9293 3.10.7.4: first the ACK, since a reset that answers a bad one needs no window. */
	if (s->flags & TCPF_ACK && s->ack != rq->iss + 1)
		return s->flags & TCPF_RST ? TCP_DROP : TCP_REFUSE;
	if (paws || seq_before(seg_end(s), rq->irs + 1) ||
		seq_after(s->seq, rq->irs + 1 + rq->rcv_wnd))
		return s->flags & TCPF_RST ? TCP_DROP : TCP_ACK;
	if (s->flags & TCPF_RST)
		return s->seq == rq->irs + 1 ? TCP_GONE : TCP_ACK;
	if (s->flags & TCPF_SYN)
		return TCP_ACK;
	if (!(s->flags & TCPF_ACK))
		return TCP_DROP;
	if (rq->ts_on && s->has_ts && !seq_after(s->seq, rq->irs + 1))
		rq->ts_recent = s->ts_val;
	return TCP_ACCEPT;
}

void tcp_tw_init(struct tcp_tw *tw, const struct tcp_conn *c, s64 now)
{
	*tw = (struct tcp_tw){
		.rcv_nxt = c->rcv_nxt,
		.snd_nxt = c->snd_nxt,
		.rcv_wnd = seq_after(c->rcv_right, c->rcv_nxt) ? c->rcv_right - c->rcv_nxt : 0,
		.ts_recent = c->ts_recent,
		.ts_recent_ns = c->ts_recent_ns,
		.ts_off = c->ts_off,
		.sport = c->sport,
		.dport = c->dport,
		.ts_on = c->ts_on,
		.rcv_wscale = c->rcv_wscale,
		.deadline_ns = now + TCP_TIMEWAIT_NS,
	};
}

struct packet *tcp_tw_ack(const struct tcp_tw *tw, s64 now)
{
	return bare_ack(tw->sport, tw->dport, tw->snd_nxt, tw->rcv_nxt,
		tw->rcv_wnd >> tw->rcv_wscale, tw->ts_on, tw->ts_off, tw->ts_recent, now);
}

enum tcp_verdict tcp_tw_input(struct tcp_tw *tw, const struct tcp_seg *s, bool rfc1337, s64 now)
{
	bool paws = false;

	if (tw->ts_on && s->has_ts)
		paws = seq_before(s->ts_val, tw->ts_recent) &&
			now - tw->ts_recent_ns < TCP_PAWS_OLD_NS;
	if (!paws && s->seq == tw->rcv_nxt && (s->seq == seg_end(s) || s->flags & TCPF_RST)) {
		if (s->flags & TCPF_RST)
			return rfc1337 ? TCP_DROP : TCP_GONE;
		tw->deadline_ns = now + TCP_TIMEWAIT_NS;
		if (s->has_ts) {
			tw->ts_recent = s->ts_val;
			tw->ts_recent_ns = now;
		}
		return TCP_DROP;
	}
	/* A new connection whose numbers can't be mixed up with the old one's (RFC 6191 2). */
	if ((s->flags & (TCPF_SYN | TCPF_RST | TCPF_ACK)) == TCPF_SYN && !paws &&
		(seq_after(s->seq, tw->rcv_nxt) ||
			(tw->ts_on && s->has_ts && seq_after(s->ts_val, tw->ts_recent))))
		return TCP_NEW_SYN;
	if (s->flags & TCPF_RST)
		return TCP_DROP;
	/* The FIN again, or a stray: a FIN starts the time anew. */
	if (paws || s->flags & TCPF_ACK)
		tw->deadline_ns = now + TCP_TIMEWAIT_NS;
	/* Two that are both past their end must not answer each other without end. */
	if (s->seq == seg_end(s)) {
		if (tw->answered_ns && now - tw->answered_ns < TCP_INVALID_ACK_NS)
			return TCP_DROP;
		tw->answered_ns = now;
	}
	return TCP_ACK;
}
