/* A connection's life: making, opening, the states' changes, the end. RFC 9293 3.3.2, 3.10. */
#include <lib/err.h>
#include <lib/string.h>
#include "machine.h"

const struct tcp_config g_tcp_config_default = {
	.window_scaling = 1,
	.timestamps = 1,
	.sack = 1,
	.dsack = 1,
	.ecn = 2, /* when the peer asks for it */
	.frto = 2,
	.early_retrans = 3,
	.slow_start_after_idle = 1,
	.retries1 = 3,
	.retries2 = 15,
	.syn_retries = 6,
	.synack_retries = 5,
	.moderate_rcvbuf = 1,
	.keepalive_probes = 9,
	.keepalive_time_s = 7200,
	.keepalive_intvl_s = 75,
	.fin_timeout_s = 60,
	.rmem = {4096, 131072, 6291456},
	.wmem = {4096, 16384, 4194304},
	.notsent_lowat = U32_MAX,
};

void tcp_conn_init(struct tcp_conn *c, const struct tcp_ops *ops, const struct tcp_config *cfg,
	s64 now, u32 ts_off)
{
	memset(c, 0, sizeof(*c));
	c->ops = ops;
	c->cfg = cfg;
	c->cc = &tcp_cubic;
	c->state = TCP_CLOSE;
	list_init(&c->flight_list);
	list_init(&c->lost_list);
	packet_queue_init(&c->unsent);
	packet_queue_init(&c->receive);
	c->mss = c->peer_mss = c->path_mss = c->advmss = c->gso_max = TCP_MSS_DEFAULT;
	c->ssthresh = TCP_SSTHRESH_INF;
	c->cwnd_clamp = 0x3fffffff;
	c->rto_ns = TCP_RTO_INIT_NS;
	c->timer_ns = c->delack_ns = c->keep_ns = c->pace_ns = TIME_NEVER;
	c->max_pacing_rate = ~0ull;
	c->reordering = DUP_THRESH;
	c->rcvbuf = cfg->rmem[1];
	c->rcv_mss = TCP_MSS_DEFAULT;
	c->ts_off = ts_off;
	c->rack_reo_mult = 1;
	c->fo_len = c->fo_got_len = -1;
	c->ato_ns = TCP_DELACK_MIN_NS;
	c->quick_acks = TCP_QUICK_ACKS;
	c->created_ns = c->last_send_ns = c->last_recv_ns = c->last_ack_ns = now;
	c->challenge_ns = now - TCP_INVALID_ACK_NS;
}

static void free_sender(struct tcp_conn *c)
{
	struct packet *p;

	while ((p = tcp_rtx_first(c))) {
		tcp_rtx_remove(c, p);
		tcp_free_sent(c, p);
	}
	while ((p = packet_queue_take(&c->unsent)))
		tcp_free_sent(c, p);
}

void tcp_conn_deinit(struct tcp_conn *c)
{
	free_sender(c);
	tcp_ooo_purge(c);
	for (struct packet *p; (p = packet_queue_take(&c->receive));) {
		c->rmem -= p->truesize;
		packet_free(p);
	}
}

void tcp_set_state(struct tcp_conn *c, u8 state)
{
	c->state = state;
}

static void timers_off(struct tcp_conn *c)
{
	c->timer_kind = TCP_TIMER_NONE;
	c->timer_ns = c->delack_ns = c->keep_ns = c->pace_ns = TIME_NEVER;
}

/* No more segments; what was received in order can still be read. */
void tcp_done(struct tcp_conn *c, int error)
{
	if (c->state == TCP_CLOSE)
		return;
	if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV)
		tcp_count(c, TCPC_ATTEMPT_FAILS, 1);
	tcp_set_state(c, TCP_CLOSE);
	timers_off(c);
	free_sender(c);
	tcp_ooo_purge(c);
	c->snd_nxt = c->write_seq = c->snd_una;
	c->ack_pending = 0;
	c->fin_retry = false;
	if (error)
		c->error = error;
	c->events |= TCPE_CLOSED | TCPE_WRITABLE | TCPE_READABLE;
}

void tcp_enter_time_wait(struct tcp_conn *c)
{
	u32 una = c->snd_una, nxt = c->snd_nxt;

	if (c->ack_pending) /* the FIN has to be acknowledged by this connection yet */
		tcp_send_ack(c, c->last_recv_ns);
	tcp_done(c, 0);
	c->snd_una = una;
	c->snd_nxt = c->write_seq = nxt;
	c->events |= TCPE_TIME_WAIT;
}

void tcp_update_mss(struct tcp_conn *c)
{
	u32 mss = min(c->path_mss, c->peer_mss);

	if (c->user_mss)
		mss = min(mss, c->user_mss);
	mss = max(mss, TCP_MIN_MSS);
	c->mss = mss - (c->ts_on ? 12 : 0);
	c->gso_max = max(c->gso_max, c->mss);
}

void tcp_set_mss(struct tcp_conn *c, u32 path_mss, u32 gso_max, s64 now)
{
	u32 before = c->mss;

	c->path_mss = path_mss;
	c->gso_max = max(gso_max, TCP_MIN_MSS);
	tcp_update_mss(c);
	if (c->cwnd && c->mss != before) { /* the window is a number of segments to users */
		c->cwnd = max(c->cwnd, c->mss);
		c->ssthresh = max(c->ssthresh, 2 * c->mss);
	}
	/* The path got smaller: what was too long for it has been dropped (RFC 1191, 8899). */
	if (c->mss < before && c->state != TCP_CLOSE && c->state != TCP_SYN_SENT) {
		struct packet *p, *next;

		list_for_each_entry_safe(p, next, &c->flight_list, link)
			if (min(p->len, before) > c->mss)
				tcp_rtx_mark(c, p, TCP_LOST);
		tcp_output(c, now);
	}
}

/* The part of the buffer that is announced at first, and the shift that the largest needs. */
static u8 choose_wscale(const struct tcp_config *cfg, s32 rcvbuf, u32 clamp)
{
	u32 space = (u32)max(rcvbuf, cfg->rmem[2]);
	u8 shift = 0;

	if (clamp)
		space = min(space, clamp);
	while (space > 65535 && shift < TCP_MAX_WSCALE) {
		space >>= 1;
		shift++;
	}
	return shift;
}

u8 tcp_choose_wscale(const struct tcp_config *cfg, s32 rcvbuf, u32 clamp)
{
	return cfg->window_scaling ? choose_wscale(cfg, rcvbuf, clamp) : 0xff;
}

/* Our SYN, with the number iss, at the head of what is not sent. */
static void put_syn(struct tcp_conn *c, struct packet *p, u32 iss)
{
	tcp_cb(p)->seq = iss;
	tcp_cb(p)->end = iss + 1;
	tcp_cb(p)->flags = TCPF_SYN;
	tcp_cb(p)->where = TCP_UNSENT;
	c->wmem += p->truesize;
	list_add(&p->link, &c->unsent.list);
	c->unsent.count++;
}

int tcp_open(struct tcp_conn *c, u32 iss, s64 now)
{
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	u32 queued = (u32)c->unsent.bytes;

	if (!p)
		return -ENOBUFS;
	/* What was queued before (fast open) gets its numbers now, after the SYN. */
	c->iss = iss;
	c->snd_una = c->snd_nxt = iss;
	c->snd_up = c->snd_sml = iss;
	c->write_seq = iss + 1 + queued;
	for (struct list_head *n = c->unsent.list.next; n != &c->unsent.list; n = n->next) {
		struct packet *q = container_of(n, struct packet, link);

		tcp_cb(q)->seq += iss + 1;
		tcp_cb(q)->end += iss + 1;
	}
	put_syn(c, p, iss);
	c->rcv_wscale = tcp_choose_wscale(c->cfg, c->rcvbuf, c->window_clamp);
	c->ts_on = c->cfg->timestamps;
	c->sack_on = c->cfg->sack;
	c->ecn_on = c->cfg->ecn == 1;
	c->state = TCP_SYN_SENT;
	c->retries = 0;
	c->cwnd = c->mss;
	tcp_send_syn(c, p, now);
	return 0;
}

/* Take from the peer's SYN what it wants; what both want stays on. */
void tcp_take_syn_options(struct tcp_conn *c, const struct tcp_seg *s, s64 now)
{
	c->peer_mss = s->mss ? s->mss : TCP_MSS_DEFAULT;
	c->ts_on = c->ts_on && s->has_ts;
	c->sack_on = c->sack_on && s->sack_ok;
	c->wscale_on = c->rcv_wscale != 0xff && s->wscale != 0xff;
	c->snd_wscale = c->wscale_on ? s->wscale : 0;
	if (!c->wscale_on)
		c->rcv_wscale = 0;
	if (c->ts_on) {
		c->ts_recent = s->ts_val;
		c->ts_recent_ns = now;
	}
	c->irs = s->seq;
	c->rcv_nxt = c->copied_seq = c->last_ack_sent = s->seq + 1;
	c->rcv_right = c->rcv_nxt + c->syn_wnd;
	c->rcv_up = c->rcv_nxt;
	tcp_update_mss(c);
	c->rcv_mss = clamp(c->peer_mss, TCP_MIN_MSS, min(c->advmss, TCP_MSS_DEFAULT));
}

static void start_window(struct tcp_conn *c)
{
	c->cwnd = TCP_INIT_CWND * c->mss;
	/* A lost SYN is a sign of congestion: RFC 5681 3.1. */
	if (c->total_retrans > 1)
		c->cwnd = c->mss;
	c->cwnd = min(c->cwnd, c->cwnd_clamp);
	c->cc->init(c);
}

/* Three-way handshake done, either side. */
void tcp_established(struct tcp_conn *c, s64 now)
{
	tcp_set_state(c, TCP_ESTABLISHED);
	c->retries = c->backoff = 0;
	c->first_retrans_ns = 0;
	start_window(c);
	c->last_send_ns = c->last_recv_ns = c->last_ack_ns = now;
	c->rcv_space = min(tcp_window_space(c), TCP_INIT_CWND * c->advmss);
	c->rcv_space_copied = c->copied_seq;
	c->rcv_space_ns = now;
	c->delivered_ns = c->first_sent_ns = now;
	c->events |= TCPE_CONNECTED | TCPE_WRITABLE;
	if (c->keepalive)
		tcp_set_keepalive(c, true, now);
}

void tcp_open_passive(struct tcp_conn *c, const struct tcp_request *rq, s64 now)
{
	c->sport = rq->sport;
	c->dport = rq->dport;
	c->advmss = rq->advmss;
	c->peer_mss = rq->mss;
	c->ts_on = rq->ts_on;
	c->sack_on = rq->sack_on;
	c->ecn_on = rq->ecn_on;
	c->snd_wscale = rq->snd_wscale == 0xff ? 0 : rq->snd_wscale;
	c->rcv_wscale = rq->rcv_wscale == 0xff ? 0 : rq->rcv_wscale;
	c->wscale_on = rq->snd_wscale != 0xff;
	c->ts_off = rq->ts_off;
	c->ts_recent = rq->ts_recent;
	c->ts_recent_ns = now;
	c->iss = rq->iss;
	c->snd_una = c->iss;
	c->snd_nxt = c->write_seq = c->snd_up = c->snd_sml = c->iss + 1;
	/* The SYN's number is the only one in flight, without a packet: see tcp_ack_input. */
	c->irs = rq->irs;
	c->rcv_nxt = c->copied_seq = c->last_ack_sent = c->rcv_up = c->irs + 1;
	c->rcv_right = c->rcv_nxt + rq->rcv_wnd;
	c->snd_wl1 = c->irs;
	c->state = TCP_SYN_RECV;
	c->total_retrans = rq->retries;
	c->passive_syn = true;
	tcp_update_mss(c);
	c->rcv_mss = clamp(c->peer_mss, TCP_MIN_MSS, min(c->advmss, TCP_MSS_DEFAULT));
	c->cwnd = TCP_INIT_CWND * c->mss;
	if (rq->sent_ns && !rq->retries)
		tcp_rtt_sample(c, now - rq->sent_ns, now);
}

int tcp_open_fast(struct tcp_conn *c, const struct tcp_request *rq, const struct tcp_seg *syn,
	struct packet *p, s64 now)
{
	struct packet *answer = packet_alloc(PACKET_HEADROOM, GFP_ATOMIC);
	struct tcp_seg data = *syn;

	if (!answer)
		return -ENOBUFS;
	tcp_open_passive(c, rq, now);
	c->passive_syn = false; /* unlike there, our SYN is a packet that has its timer here */
	c->fo_passive = true;
	c->snd_nxt = c->snd_up = c->snd_sml = c->iss;
	c->snd_wnd = c->max_wnd = syn->wnd;
	start_window(c);
	c->fo_len = rq->fo_len;
	memcpy(c->fo_cookie, rq->fo_cookie, sizeof(c->fo_cookie));
	put_syn(c, answer, c->iss);
	data.seq++;
	data.flags &= (u8) ~(TCPF_SYN | TCPF_FIN); /* a FIN comes again, in its state */
	tcp_data_input(c, &data, p, now);
	c->fo_data_acked = seq_after(c->rcv_nxt, c->irs + 1);
	c->ack_pending = 0; /* the SYN-ACK says it */
	c->delack_ns = TIME_NEVER;
	tcp_send_syn(c, answer, now);
	return 0;
}

void tcp_finish(struct tcp_conn *c, s64 now)
{
	switch (c->state) {
	case TCP_SYN_SENT:
		tcp_done(c, 0);
		return;
	case TCP_SYN_RECV: /* once it is synchronised */
		c->fin_wanted = true;
		return;
	case TCP_ESTABLISHED:
		tcp_set_state(c, TCP_FIN_WAIT1);
		break;
	case TCP_CLOSE_WAIT:
		tcp_set_state(c, TCP_LAST_ACK);
		break;
	default:
		return;
	}
	c->fin_wanted = true;
	c->more = false;
	c->nagle |= TCP_NAGLE_PUSH;
	c->fin_retry = !tcp_queue_fin(c);
	tcp_output(c, now);
}

void tcp_orphan(struct tcp_conn *c, s64 now)
{
	c->orphan = true;
	if (c->state == TCP_FIN_WAIT2) {
		if (c->linger2_ns < 0) {
			tcp_abort(c, 0, now);
			return;
		}
		c->keep_ns = now + (c->linger2_ns ?: c->cfg->fin_timeout_s * NS_PER_SEC);
	}
}

void tcp_abort(struct tcp_conn *c, int error, s64 now)
{
	switch (c->state) {
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSE_WAIT:
		tcp_send_reset(c, now);
		break;
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		if (c->snd_nxt != c->write_seq) /* the FIN isn't out */
			tcp_send_reset(c, now);
		break;
	}
	tcp_done(c, error);
}

void tcp_icmp_error(struct tcp_conn *c, int error, u32 seq, bool hard, s64 now)
{
	if (c->state == TCP_CLOSE)
		return;
	/* Not about anything that is out: a blind attack, or stale (RFC 5927 4.1). */
	if (seq_before(seq, c->snd_una) || seq_after(seq, c->snd_nxt))
		return;
	if (!tcp_open_enough(c->state, c->fo_passive))
		tcp_done(c, error);
	else
		c->soft_error = error;
	(void)hard;
}

void tcp_set_keepalive(struct tcp_conn *c, bool on, s64 now)
{
	s64 idle = c->keep_idle_ns ?: c->cfg->keepalive_time_s * NS_PER_SEC;
	s64 since = max(c->last_recv_ns, c->last_ack_ns);

	c->keepalive = on;
	if (c->state == TCP_CLOSE || c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV ||
		c->orphan)
		return;
	c->keep_ns = on ? max(since + idle, now) : TIME_NEVER;
	c->probes_out = on ? c->probes_out : 0;
}

const struct tcp_cc_ops *tcp_cc_find(const char *name)
{
	static const struct tcp_cc_ops *const all[] = {&tcp_cubic, &tcp_newreno};

	for (u32 i = 0; i < ARRAY_SIZE(all); i++)
		if (!strcmp(all[i]->name, name))
			return all[i];
	return NULL;
}

u32 tcp_wanted_sndbuf(const struct tcp_conn *c)
{
	u64 cwnd = max(c->cwnd, TCP_INIT_CWND * c->mss);

	/* Twice the window, and the packets around it. */
	return (u32)min(2 * cwnd + cwnd * sizeof(struct packet) / c->mss, (u64)c->cfg->wmem[2]);
}
