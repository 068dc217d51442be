/* Between the files of the state machine. What each does stands at its definition's file head. */
#ifndef NET_TCP_MACHINE_H
#define NET_TCP_MACHINE_H

#include "conn.h"

#define TCP_MEM_OVER   2u /* mem_level */
#define TCP_MEM_WINDOW 4u /* segments that are asked for when memory is short */
#define DUP_THRESH     3u
#define MAX_REORDERING 300u /* more says nothing about the network */

static inline u32 ts_now(u32 ts_off, s64 now) /* the timestamp clock: 1 ms */
{
	return (u32)((u64)now / 1000000) + ts_off;
}
static inline void tcp_count(struct tcp_conn *c, enum tcp_count what, u32 n)
{
	c->ops->count(c, what, n);
}
static inline bool tcp_synchronised(const struct tcp_conn *c)
{
	return c->state != TCP_CLOSE && c->state != TCP_SYN_SENT && c->state != TCP_LISTEN;
}
/* Octets that fill the network at present. */
static inline u32 tcp_in_network(const struct tcp_conn *c)
{
	return c->flight > c->dup_bytes ? c->flight - c->dup_bytes : 0;
}
static inline u32 tcp_segments(const struct tcp_conn *c, u32 bytes)
{
	return bytes <= c->mss ? bytes != 0 : (bytes + c->mss - 1) / c->mss;
}
static inline u32 tcp_wnd_right(const struct tcp_conn *c)
{
	return c->snd_una + c->snd_wnd;
}

/* header.c: options; each returns its bytes, a multiple of 4 */
struct tcp_syn_options {
	u32 mss, ts_val, ts_ecr;
	bool ts, sack;
	u8 wscale; /* 0xff: none */
	s8 fo_len; /* -1: none */
	const u8 *fo_cookie;
};
u32 tcp_options_ts(u8 *o, u32 val, u32 ecr);
u32 tcp_options_sack(u8 *o, const struct seq_range *r, u32 n);
u32 tcp_options_syn(u8 *o, const struct tcp_syn_options *w);

/* queue.c: packets of the sender and their states */
void tcp_rtx_add(struct tcp_conn *c, struct packet *p, s64 now); /* UNSENT -> FLIGHT */
void tcp_rtx_mark(struct tcp_conn *c, struct packet *p, enum tcp_where to);
void tcp_rtx_resent(
	struct tcp_conn *c, struct packet *p, s64 now); /* LOST/FLIGHT -> FLIGHT again */
void tcp_rtx_remove(struct tcp_conn *c, struct packet *p);
void tcp_rtx_trim(struct tcp_conn *c, struct packet *p, u32 n); /* the first n octets are done */
/* Cut so that p ends at seq; both halves keep p's state. False: no memory. */
bool tcp_rtx_split(struct tcp_conn *c, struct packet *p, u32 seq) must_check;
struct packet *tcp_rtx_find(const struct tcp_conn *c, u32 seq); /* has seq, or is the next after */
static inline struct packet *tcp_rtx_first(const struct tcp_conn *c)
{
	return tcp_packet(c->rtx_first);
}
static inline struct packet *tcp_rtx_next(const struct packet *p)
{
	return tcp_packet(rb_next(&tcp_cb(p)->node));
}
void tcp_rtx_collapse(struct tcp_conn *c, struct packet *p, u32 mss);
void tcp_free_sent(struct tcp_conn *c, struct packet *p);
bool tcp_split_unsent(struct tcp_conn *c, struct packet *p, u32 n) must_check;
void tcp_rtx_unmark_lost(struct tcp_conn *c); /* all of LOST -> FLIGHT, as it was */

/* sack.c */
void tcp_sack_input(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a);
void tcp_sack_forget(struct tcp_conn *c);
void tcp_clean_rtx(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a);
void tcp_delivered_one(
	struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, u32 n, struct tcp_ack *a);
void tcp_rate_sent(struct tcp_conn *c, struct packet *p, s64 now);

/* ack.c */
void tcp_ack_input(struct tcp_conn *c, const struct tcp_seg *s, s64 now);

/* recovery.c */
void tcp_recovery_ack(struct tcp_conn *c, const struct tcp_seg *s, struct tcp_ack *a);
void tcp_enter_loss(struct tcp_conn *c, s64 now);
void tcp_enter_cwr(struct tcp_conn *c, s64 now);
void tcp_rack_update(struct tcp_conn *c, const struct packet *p, const struct tcp_seg *s, s64 now);
u32 tcp_rack_detect(struct tcp_conn *c, s64 now);
s64 tcp_rack_window(const struct tcp_conn *c);
void tcp_rack_timeout(struct tcp_conn *c, s64 now);
u32 tcp_send_quota(const struct tcp_conn *c);

/* rtt.c */
void tcp_rtt_sample(struct tcp_conn *c, s64 rtt_ns, s64 now);
void tcp_set_rto(struct tcp_conn *c);
void tcp_receiver_rtt(struct tcp_conn *c, const struct tcp_seg *s, s64 now);

/* receive.c, reassembly.c */
void tcp_data_input(struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now);
void tcp_ooo_insert(struct tcp_conn *c, struct packet *p, s64 now);
void tcp_ooo_deliver(struct tcp_conn *c, s64 now);
void tcp_ooo_purge(struct tcp_conn *c);
/* Free packets beyond seq, from the far end, until truesize more fits into limit. */
bool tcp_ooo_prune(struct tcp_conn *c, u32 seq, u32 truesize, s64 limit) must_check;
void tcp_take_in_order(struct tcp_conn *c, struct packet *p, s64 now);
void tcp_window_opened(struct tcp_conn *c, s64 now);
u32 tcp_window_space(const struct tcp_conn *c);
u32 tcp_new_window(struct tcp_conn *c); /* moves rcv_right; what to put in the header */
void tcp_dsack_set(struct tcp_conn *c, u32 start, u32 end, bool ooo);
void tcp_space_adjust(struct tcp_conn *c, s64 now);
void tcp_fin_input(struct tcp_conn *c, s64 now);

/* output.c */
void tcp_send_ack(struct tcp_conn *c, s64 now);
void tcp_send_syn(struct tcp_conn *c, struct packet *p, s64 now);
void tcp_send_probe_octetless(
	struct tcp_conn *c, s64 now);            /* an old number: the peer must answer */
void tcp_challenge(struct tcp_conn *c, s64 now); /* limited */
bool tcp_resend(struct tcp_conn *c, struct packet *p, u32 quota, s64 now);
bool tcp_send_new(struct tcp_conn *c, u32 quota, bool push, bool probe, s64 now);
void tcp_send_reset(struct tcp_conn *c, s64 now);
u32 tcp_current_mss(const struct tcp_conn *c);

/* timer.c */
void tcp_arm_rtx(struct tcp_conn *c, s64 now); /* RTO or TLP from now; off when nothing is out */
void tcp_arm_after_send(struct tcp_conn *c, s64 sent_at, s64 now);
bool tcp_retries_over(struct tcp_conn *c, u32 limit, s64 now);

/* conn.c */
void tcp_done(struct tcp_conn *c, int error); /* state CLOSE */
void tcp_enter_time_wait(struct tcp_conn *c);
void tcp_established(struct tcp_conn *c, s64 now);
void tcp_set_state(struct tcp_conn *c, u8 state);
void tcp_update_mss(struct tcp_conn *c);
void tcp_take_syn_options(struct tcp_conn *c, const struct tcp_seg *s, s64 now);
bool tcp_queue_fin(struct tcp_conn *c);

#endif
