/*
 * A TCP connection as a pure state machine. It knows no clock, no socket, no lock, no address and
 * no global: time comes in as an argument, segments and timer events too, and what it wants to send
 * goes out through ops->transmit. The owner serialises all calls on one connection (sk->lock), and
 * after each of them
 *   - looks at c->events (what a user wants to hear of) and clears it,
 *   - arms one timer for tcp_deadline().
 *
 * Sources: RFC 9293 (TCP), 7323 (window scale, timestamps, PAWS), 2018 + 2883 (SACK, D-SACK), 6675
 * and 8985 (loss detection by RACK and TLP), 6937 (PRR), 5681 + 6582 (NewReno), 9438 (CUBIC), 9406
 * (HyStart++), 3168 (ECN), 5682 (F-RTO), 3522 + 4015 (Eifel), 5961 (blind attacks), 6298 (RTO),
 * 7413 (fast open), 1122. Figures where those leave a choice are Linux's, from tcp(7) and
 * ip-sysctl.
 *
 * Sequence space, sender:
 *
 *      snd_una            snd_nxt             write_seq
 *   -----|===== rtx tree =====|==== unsent ======|        una <= nxt <= write (mod 2^32)
 *
 *  - The tree "rtx" has the packets with an octet in [snd_una, snd_nxt), in order, without gaps or
 *    overlaps; "unsent" the rest, in order. SYN and FIN take one number each and belong to a
 * packet.
 *  - Each packet of rtx is in exactly one state, and its octets count in one sum:
 *      in flight   on the list "flight", in order of (sent_ns, end)      c->flight
 *      lost        on the list "lost", waiting to be sent again          c->lost
 *      SACKed      on no list                                            c->sacked
 *    flight + lost + sacked == snd_nxt - snd_una (but for the SYN of a passive open, which has no
 *    packet).
 *  - Nothing beyond snd_una + snd_wnd is sent, but for window probes.
 *  - In recovery high_seq is snd_nxt as it was when recovery began.
 *
 * Receiver:
 *
 *     copied_seq       rcv_nxt            rcv_right
 *   -----|=== receive ====|... ooo tree .....|            copied <= nxt <= right
 *
 *  - "receive" has what is in order, not yet read; the octets of a FIN and of urgent data out of
 *    band count in the numbers, but aren't in the packets of the user.
 *  - Packets of ooo are beyond rcv_nxt, don't overlap and don't go over rcv_right.
 *  - rcv_right, what has been promised to the peer, never goes back.
 *  - rmem is the truesize of all packets in both.
 *
 * tcp_check() asserts all of this; tests call it after each step.
 *
 * Memory: the only allocations are packets (a clone to send, a split, a pure ACK). Each may fail:
 * what could not be sent counts as not sent, and a timer comes back to it.
 */
#ifndef NET_TCP_CONN_H
#define NET_TCP_CONN_H

#include <lib/rbtree.h>
#include <linux/tcp.h>
#include <net/packet.h>

/* Linux's numbers: /proc/net/tcp and TCP_INFO show them. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

#define TCPF_FIN           0x01u
#define TCPF_SYN           0x02u
#define TCPF_RST           0x04u
#define TCPF_PSH           0x08u
#define TCPF_ACK           0x10u
#define TCPF_URG           0x20u
#define TCPF_ECE           0x40u
#define TCPF_CWR           0x80u

#define TCP_MAX_SACKS      4
#define TCP_MAX_WSCALE     14
#define TCP_MAX_OPTIONS    40
#define TCP_FASTOPEN_MAX   16 /* bytes of a cookie; 4 at least */
#define TCP_MIN_MSS        48u
#define TCP_INIT_CWND      10u /* segments, RFC 6928 */
#define TCP_RTO_INIT_NS    NS_PER_SEC
#define TCP_RTO_MIN_NS     (200 * NS_PER_MS)
#define TCP_RTO_MAX_NS     (120 * NS_PER_SEC)
#define TCP_DELACK_MIN_NS  (40 * NS_PER_MS)
#define TCP_DELACK_MAX_NS  (200 * NS_PER_MS)
#define TCP_TIMEWAIT_NS    (60 * NS_PER_SEC)
#define TCP_QUICK_ACKS     16
#define TCP_PAWS_OLD_NS    (24ll * 24 * 3600 * NS_PER_SEC) /* a timestamp this old says nothing */
#define TCP_INVALID_ACK_NS (500 * NS_PER_MS) /* answers to bad segments: one in this time */
#define TCP_CC_WORDS       12
#define TCP_SSTHRESH_INF   0x7fffffffu

static inline bool seq_before(u32 a, u32 b)
{
	return (s32)(a - b) < 0;
}
static inline bool seq_after(u32 a, u32 b)
{
	return (s32)(b - a) < 0;
}
static inline u32 seq_max(u32 a, u32 b)
{
	return seq_before(a, b) ? b : a;
}
static inline u32 seq_min(u32 a, u32 b)
{
	return seq_before(a, b) ? a : b;
}

struct seq_range {
	u32 start, end;
};

/* A segment that came in, without its payload. */
struct tcp_seg {
	u32 seq, ack;
	u32 len; /* bytes of payload */
	u16 wnd, urg;
	u16 sport, dport; /* host order */
	u8 flags;
	bool ce; /* the IP header says: congestion experienced. Set by the caller */
	bool has_ts, sack_ok;
	u8 wscale; /* 0xff: none */
	u16 mss;   /* 0: none */
	u32 ts_val, ts_ecr;
	u8 nr_sacks;
	s8 fo_len; /* fast open cookie: -1 no option, 0 a request */
	u8 fo_cookie[TCP_FASTOPEN_MAX];
	struct seq_range sacks[TCP_MAX_SACKS];
};
/* End of the segment in sequence space. */
static inline u32 seg_end(const struct tcp_seg *s)
{
	return s->seq + s->len + (s->flags >> 1 & 1) + (s->flags & 1);
}

/* Of a packet in one of the queues (packet->cb). */
struct tcp_cb {
	struct rb_node node; /* rtx or ooo */
	u32 seq, end;
	s64 sent_ns; /* sender: its last transmission */
	u8 where;    /* enum tcp_where */
	u8 flags;    /* TCPF_* that go with it */
	u8 retrans;  /* times; saturates */
	u8 app_limited;
	/* rate sample: what had been delivered, when, when it was sent */
	u32 delivered;
	u32 delivered_us, first_us;
};
enum tcp_where { TCP_UNSENT, TCP_FLIGHT, TCP_LOST, TCP_SACKED };
static_assert(sizeof(struct tcp_cb) <= sizeof(((struct packet *)0)->cb), "fits a packet");
static inline struct tcp_cb *tcp_cb(const struct packet *p)
{
	return (struct tcp_cb *)p->cb;
}
static inline struct packet *tcp_packet(const struct rb_node *n)
{
	return n ? (struct packet *)((char *)n - offsetof(struct packet, cb)) : NULL;
}

/* What happened, for mibs. Names as in /proc/net/netstat and snmp. */
enum tcp_count {
	TCPC_RETRANS,              /* RetransSegs */
	TCPC_OUT_RST,              /* OutRsts */
	TCPC_TIMEOUTS,             /* TCPTimeouts */
	TCPC_LOSS_PROBES,          /* TCPLossProbes */
	TCPC_FAST_RETRANS,         /* TCPFastRetrans */
	TCPC_SLOW_START_RETRANS,   /* TCPSlowStartRetrans */
	TCPC_LOST_RETRANSMIT,      /* TCPLostRetransmit */
	TCPC_SACK_RECOVERY,        /* TCPSackRecovery */
	TCPC_RENO_RECOVERY,        /* TCPRenoRecovery */
	TCPC_SACK_RENEGING,        /* TCPSACKReneging */
	TCPC_TS_REORDER,           /* TCPTSReorder */
	TCPC_SPURIOUS_RTO,         /* TCPSpuriousRTOs */
	TCPC_SPURIOUS_RTX,         /* TCPSpuriousRtxHostQueues */
	TCPC_FULL_UNDO,            /* TCPFullUndo */
	TCPC_DSACK_UNDO,           /* TCPDSACKUndo */
	TCPC_DSACK_SENT,           /* TCPDSACKOldSent */
	TCPC_DSACK_OFO_SENT,       /* TCPDSACKOfoSent */
	TCPC_DSACK_RECV,           /* TCPDSACKRecv */
	TCPC_DELAYED_ACKS,         /* DelayedACKs */
	TCPC_CHALLENGE_ACK,        /* TCPChallengeACK */
	TCPC_SYN_CHALLENGE,        /* TCPSYNChallenge */
	TCPC_PAWS,                 /* PAWSEstab */
	TCPC_OFO_QUEUE,            /* TCPOFOQueue */
	TCPC_OFO_DROP,             /* TCPOFODrop */
	TCPC_OFO_PRUNED,           /* OfoPruned */
	TCPC_RCV_QDROP,            /* TCPRcvQDrop */
	TCPC_ZERO_WINDOW_DROP,     /* TCPZeroWindowDrop */
	TCPC_TO_ZERO_WINDOW,       /* TCPToZeroWindowAdv */
	TCPC_FROM_ZERO_WINDOW,     /* TCPFromZeroWindowAdv */
	TCPC_WIN_PROBE,            /* TCPWinProbe */
	TCPC_KEEPALIVE,            /* TCPKeepAlive */
	TCPC_ABORT_TIMEOUT,        /* TCPAbortOnTimeout */
	TCPC_ABORT_DATA,           /* TCPAbortOnData */
	TCPC_ESTAB_RESETS,         /* EstabResets */
	TCPC_ATTEMPT_FAILS,        /* AttemptFails */
	TCPC_FASTOPEN_ACTIVE,      /* TCPFastOpenActive */
	TCPC_FASTOPEN_ACTIVE_FAIL, /* TCPFastOpenActiveFail */
	NR_TCP_COUNTS,
};

struct tcp_conn;
struct tcp_cc_ops;

struct tcp_ops {
	/* p has the TCP header with ports at data, its checksum field 0, and gso_size/gso_segs when
	 * it stands for several segments; add what is below and send. Consumes p. ect: data that a
	 * router may mark instead of dropping (RFC 3168). */
	void (*transmit)(struct tcp_conn *c, struct packet *p, bool ect);
	void (*count)(struct tcp_conn *c, enum tcp_count what, u32 n);
	/* Data up to end waits in a queue of this machine: it can't have been lost yet. NULL:
	 * never. */
	bool (*waiting)(struct tcp_conn *c, u32 end);
};

/* net.ipv4.tcp_*: read at each use. */
struct tcp_config {
	u8 window_scaling, timestamps, sack, dsack, ecn, frto, early_retrans;
	u8 slow_start_after_idle, retries1, retries2, syn_retries, synack_retries, orphan_retries;
	u8 moderate_rcvbuf, stdurg, keepalive_probes;
	s32 keepalive_time_s, keepalive_intvl_s, fin_timeout_s;
	s32 rmem[3], wmem[3]; /* bytes: least, initial, most */
	u32 notsent_lowat;    /* bytes */
};
extern const struct tcp_config g_tcp_config_default;

enum tcp_event {
	TCPE_CONNECTED = 1u, /* synchronised: SYN was acknowledged */
	TCPE_READABLE = 2u,
	TCPE_WRITABLE = 4u,      /* octets were acknowledged */
	TCPE_FIN = 8u,           /* the peer sends no more */
	TCPE_CLOSED = 16u,       /* state is TCP_CLOSE; c->error says why (0: in order) */
	TCPE_TIME_WAIT = 32u,    /* with CLOSED: the owner keeps a struct tcp_tw in its place */
	TCPE_URGENT = 64u,       /* urgent data is announced */
	TCPE_SENT_ALL = 128u,    /* everything incl. FIN was acknowledged */
	TCPE_URGENT_HERE = 512u, /* its octet has come */
	TCPE_DOUBT = 256u,       /* tcp_retries1 time-outs in a row: is the way still there? */
};

enum tcp_timer_kind {
	TCP_TIMER_NONE,
	TCP_TIMER_RTO,
	TCP_TIMER_TLP,
	TCP_TIMER_REO,
	TCP_TIMER_PERSIST
};

/* TCP_NODELAY and TCP_CORK */
#define TCP_NAGLE_OFF  1u
#define TCP_NAGLE_CORK 2u
#define TCP_NAGLE_PUSH 4u /* once: send what there is */

struct tcp_conn {
	/* what every segment touches */
	const struct tcp_ops *ops;
	const struct tcp_config *cfg;
	const struct tcp_cc_ops *cc;
	u8 state, ca_state;
	u8 nagle;
	u16 events;                        /* TCPE_* */
	bool ts_on, sack_on, ecn_on, more; /* more: MSG_MORE at the end of the queue */
	bool wscale_on;
	u8 snd_wscale, rcv_wscale;
	u16 sport, dport;
	u32 mss; /* payload of a full segment that we send, options without SACK taken off */

	/* sender */
	u32 snd_una, snd_nxt, write_seq;
	u32 snd_wnd, snd_wl1, max_wnd;
	u32 snd_sml;  /* end of the last partial segment (Minshall) */
	u32 snd_up;   /* urgent pointer: one beyond the urgent octet */
	u32 push_seq; /* PSH up to here */
	u32 iss;
	bool urg_mode, fin_wanted, fin_sent; /* fin_sent: a FIN is in rtx or unsent */
	bool fin_retry;                      /* there was no memory for the FIN */
	bool passive_syn; /* SYN_RECV from a request: snd_una is our SYN's number, without a packet */
	struct rb_root rtx;
	struct rb_node *rtx_first, *rtx_last;
	/* of packets, aligned like them */
	struct list_head flight_list __aligned(16), lost_list __aligned(16);
	struct packet_queue unsent;
	u32 wmem; /* truesize of all packets of rtx and unsent */
	u32 flight, lost, sacked;
	u32 retrans_flight; /* octets of flight that were sent more than once */
	u32 dup_bytes;      /* without SACK: what duplicate ACKs say has left the network */
	u32 nr_rtx;         /* packets in rtx */
	u32 gso_max;        /* bytes of payload in one packet, at least mss */
	u32 advmss, path_mss,
		peer_mss; /* what we told; what the route carries; what the peer told */
	u32 user_mss;     /* TCP_MAXSEG; 0: none */

	/* congestion control: octets */
	u32 cwnd, ssthresh;
	u32 cwnd_clamp;
	u32 prior_cwnd, prior_ssthresh;
	u32 high_seq;
	u32 undo_marker;  /* snd_una when the window was cut */
	s32 undo_retrans; /* octets sent again since and not yet D-SACKed; -1: can't be undone */
	bool undo_on;
	u32 undo_ts;       /* our timestamp clock when the first of them was sent again */
	bool cwnd_limited; /* output stopped because of cwnd since the last ACK */
	u32 max_flight, max_flight_seq; /* most in flight in this round, RFC 7661 */
	bool round_limited;
	u32 prr_delivered, prr_out, recover_fs;
	u8 dupacks;
	u8 frto; /* 0: off, 1: the head was sent again, 2: new data followed */
	bool ecn_cwr_send, ecn_ece_send; /* answer to ECE; CE was seen, CWR not yet */
	bool ecn_seen;
	u32 ecn_cwr_seq; /* one reduction up to here */
	u64 cc_priv[TCP_CC_WORDS];

	/* RACK, TLP */
	s64 rack_sent_ns, rack_rtt_ns;
	u32 rack_end, rack_fack;
	u32 rack_dsack_round;
	u32 reordering; /* segments that may come before an older one: so far, at least DUP_THRESH */
	u8 rack_reo_mult, rack_reo_persist;
	bool reordering_seen, rack_dsack_round_on, rack_fack_set;
	bool tlp_out, tlp_retrans;
	u32 tlp_end;
	struct seq_range sack_cache[TCP_MAX_SACKS]; /* octets known to be SACKed; sorted */
	u8 nr_sack_cache;

	/* time: ns */
	s64 srtt_ns, rttvar_ns, rto_ns, mdev_ns;
	s64 min_rtt_ns, min_rtt_at_ns;
	u8 backoff, retries, probes_out, syn_retries; /* syn_retries: TCP_SYNCNT, 0: default */
	bool waited; /* when the timer was armed, what it is about had not left this machine */
	u8 timer_kind;
	s64 timer_ns, delack_ns, keep_ns, pace_ns;   /* deadlines; TIME_NEVER: off */
	s64 first_retrans_ns;                        /* of the present row of time-outs; 0: none */
	s64 last_send_ns, last_recv_ns, last_ack_ns; /* data sent; data came; ACK came */
	s64 probe_since_ns;                          /* first window probe of this row */
	s64 user_timeout_ns;                         /* 0: none */
	s64 keep_idle_ns, keep_intvl_ns;             /* 0: the default */
	u8 keep_cnt;
	bool keepalive;
	s64 linger2_ns;      /* life of an orphan in FIN_WAIT2; < 0: none */
	u64 max_pacing_rate; /* bytes per second; ~0: not paced */
	s64 pace_next_ns;    /* nothing is sent before */
	s64 created_ns;

	/* receiver */
	u32 rcv_nxt, rcv_right, copied_seq, irs;
	u32 last_ack_sent;
	u32 rcv_mss; /* estimate of the peer's full segment */
	u32 ts_recent;
	s64 ts_recent_ns;
	u32 ts_off; /* of this connection's timestamp clock */
	u32 window_clamp;
	u32 rcv_up;
	u8 urg_state; /* enum tcp_urg; rcv_up is the number of the urgent octet itself */
	u8 urg_byte;
	bool urg_inline; /* SO_OOBINLINE: it is read with the rest */
	bool fin_rcvd, orphan, shut_rcv;
	u8 ack_pending; /* 0, TCP_ACK_LATER, TCP_ACK_NOW */
	u8 quick_acks;
	bool pingpong, quickack_user; /* interactive: ACKs travel with data */
	u32 ack_bytes;                /* in order since the last ACK went */
	s64 ato_ns;
	struct packet_queue receive;
	struct rb_root ooo;
	struct rb_node *ooo_last;
	u32 ooo_bytes;
	u32 rmem; /* truesize of receive and ooo, and what the owner took off and has not freed */
	s32 rcvbuf;
	bool rcvbuf_locked;
	u8 mem_level; /* the owner says: 0, 1 all sockets have much: don't grow, 2 too much */
	u32 rcv_space, rcv_space_copied; /* per round trip; copied_seq when it began */
	s64 rcv_space_ns, rcv_rtt_ns;
	u32 rcv_rtt_seq;
	s64 rcv_rtt_at_ns;
	u16 syn_wnd; /* window in our SYN */
	u8 nr_sacks;
	struct seq_range sacks[TCP_MAX_SACKS]; /* newest first */
	bool dsack_due;
	struct seq_range dsack;
	s64 challenge_ns; /* last answer to an invalid segment */

	/* fast open. Client: cookie to send or ask with; server: one to give with the SYN-ACK */
	s8 fo_len;     /* -1: no option */
	bool fo_data;  /* client: what is queued goes with the SYN */
	bool fo_tried; /* it did */
	bool fo_data_acked;
	bool fo_passive; /* opened by a SYN's data or cookie: in SYN_RECV data flows both ways */
	u8 fo_fail;      /* enum tcp_fastopen_client_fail */
	u8 fo_cookie[TCP_FASTOPEN_MAX];
	s8 fo_got_len; /* cookie from the peer's SYN-ACK; -1: none */
	u8 fo_got[TCP_FASTOPEN_MAX];

	int error; /* positive errno */
	int soft_error;

	/* figures of TCP_INFO */
	u64 bytes_acked, bytes_received, bytes_sent, bytes_retrans;
	u32 segs_in, segs_out, data_segs_in, data_segs_out, total_retrans, dsack_dups, reord_seen;
	u32 rcv_ooo;
	u64 delivered_bytes;
	u32 delivered, delivered_ce; /* segments */
	s64 delivered_ns, first_sent_ns;
	u64 rate_bytes;
	s64 rate_interval_ns;
	bool rate_app_limited;
	u32 app_limited; /* delivered_bytes at which the present bubble ends; 0: none */
	s64 busy_since_ns, busy_ns, rwnd_limited_ns, sndbuf_limited_ns;
};
/* Urgent data: none, announced, there (urg_byte), taken by the user. */
enum tcp_urg { TCP_URG_NONE, TCP_URG_COMING, TCP_URG_HERE, TCP_URG_TAKEN };
#define TCP_ACK_LATER 1u
#define TCP_ACK_NOW   2u

/* One ACK's result, for congestion control. */
struct tcp_ack {
	s64 now;
	u32 acked;        /* octets newly acknowledged in sequence */
	u32 sacked;       /* octets newly SACKed */
	u32 delivered;    /* both */
	u32 lost;         /* octets newly marked lost */
	u32 prior_flight; /* in flight before */
	s64 rtt_ns;       /* sample; -1: none */
	bool ece, dsack, una_moved, retrans_acked, syn_acked;
	bool old_acked; /* something that was sent once, before high_seq was set (F-RTO) */
	u32 dsack_bytes;
};

/* Congestion control. State in c->cc_priv. Window arithmetic in octets. */
struct tcp_cc_ops {
	const char *name; /* TCP_CONGESTION */
	void (*init)(struct tcp_conn *c);
	u32 (*ssthresh)(struct tcp_conn *c); /* on congestion: the new one. >= 2 mss */
	/* In open or disordered state, the window being the limit: grow. */
	void (*grow)(struct tcp_conn *c, const struct tcp_ack *a);
	void (*rtt)(struct tcp_conn *c, const struct tcp_ack *a); /* each sample; NULL: nothing */
	/* Sending starts again after idle_ns. NULL: nothing */
	void (*restart)(struct tcp_conn *c, s64 idle_ns);
	/* Congestion was not real: the window is being restored. NULL: nothing */
	void (*undo)(struct tcp_conn *c);
};
extern const struct tcp_cc_ops tcp_cubic, tcp_newreno;
const struct tcp_cc_ops *tcp_cc_find(const char *name); /* NULL */
/* Slow start by acked octets, up to ssthresh: what is left over for congestion avoidance. */
u32 tcp_slow_start(struct tcp_conn *c, u32 acked);

/* ---- life ------------------------------------------------------------------------------------ */
/* Zeroes c. ts_off: random for the pair of addresses. */
void tcp_conn_init(struct tcp_conn *c, const struct tcp_ops *ops, const struct tcp_config *cfg,
	s64 now, u32 ts_off);
void tcp_conn_deinit(struct tcp_conn *c); /* frees what is queued */
/* What the route carries in one segment (MTU less IP and TCP header); gso_max: payload of one
 * packet. */
void tcp_set_mss(struct tcp_conn *c, u32 path_mss, u32 gso_max, s64 now);
/* Active open: sends the SYN (with what is queued when fo_data). Path and buffers are set.
 * -ENOBUFS. */
int tcp_open(struct tcp_conn *c, u32 iss, s64 now) must_check;
struct tcp_request;
/* Passive open: c in SYN_RECV, as if our SYN-ACK of rq had just been sent. The segment that
 * completed the handshake goes to tcp_input next. */
void tcp_open_passive(struct tcp_conn *c, const struct tcp_request *rq, s64 now);
/* Passive open by fast open (RFC 7413): the SYN's data is taken, the SYN-ACK goes out, and both
 * sides may send before it is acknowledged. rq->fo_len: a cookie that goes with it. Consumes p
 * unless it fails: -ENOBUFS, and c is as before. */
int tcp_open_fast(struct tcp_conn *c, const struct tcp_request *rq, const struct tcp_seg *syn,
	struct packet *p, s64 now) must_check;
/* A segment for this connection; consumes p (payload at data). */
void tcp_input(struct tcp_conn *c, const struct tcp_seg *s, struct packet *p, s64 now);
/* The end of any call: send what may be sent, and ACKs that are due. tcp_input does it itself. */
void tcp_output(struct tcp_conn *c, s64 now);
s64 tcp_deadline(const struct tcp_conn *c);  /* TIME_NEVER: none */
void tcp_timer(struct tcp_conn *c, s64 now); /* a deadline may have come */
/* FIN after what is queued (shutdown, close). Idempotent. */
void tcp_finish(struct tcp_conn *c, s64 now);
/* Nobody reads any more: data is answered with a reset; FIN_WAIT2 ends by itself. */
void tcp_orphan(struct tcp_conn *c, s64 now);
/* RST to the peer where the state wants one; state CLOSE. error: for the user, 0 none. */
void tcp_abort(struct tcp_conn *c, int error, s64 now);
/* ICMP: hard errors end a connection attempt, others are kept for the time-out (RFC 1122, 5927). */
void tcp_icmp_error(struct tcp_conn *c, int error, u32 seq, bool hard, s64 now);

/* ---- user's side ------------------------------------------------------------------------------- */
/* Payload at the end of the queue; takes over p (no headers; len > 0). */
void tcp_queue(struct tcp_conn *c, struct packet *p);
/* The last unsent packet, to append to it (then tcp_queued); NULL: none, or full. */
struct packet *tcp_queue_tail(struct tcp_conn *c);
void tcp_queued(
	struct tcp_conn *c, struct packet *p, u32 n, u32 truesize); /* by how much it grew */
void tcp_mark_urgent(struct tcp_conn *c);          /* the octet queued last is urgent */
void tcp_skip_urgent(struct tcp_conn *c, s64 now); /* the next octet is urgent and not for read */
static inline u32 tcp_unsent(const struct tcp_conn *c)
{
	return c->write_seq - c->snd_nxt;
}
static inline u32 tcp_unread(const struct tcp_conn *c) /* in order and not yet read */
{
	return c->rcv_nxt - c->copied_seq - (c->fin_rcvd ? 1 : 0);
}
/* The user took n octets (packets with truesize were freed): the window may open. */
void tcp_consumed(struct tcp_conn *c, u32 n, u32 truesize, s64 now);
void tcp_set_keepalive(struct tcp_conn *c, bool on, s64 now);
void tcp_set_quickack(struct tcp_conn *c, bool on, s64 now);
u32 tcp_syn_room(const struct tcp_conn *c); /* bytes of data that fit the SYN */
/* May data be sent and received? */
static inline bool tcp_open_enough(u8 state, bool fo_passive)
{
	return state != TCP_SYN_SENT && (state != TCP_SYN_RECV || fo_passive);
}
u32 tcp_wanted_sndbuf(const struct tcp_conn *c); /* bytes that keep the pipe full */

/* ---- a connection being opened to us (request.c)
 * ------------------------------------------------- */
struct tcp_request {
	u32 irs, iss, ts_recent, ts_off;
	u16 mss;                   /* the peer's, 536 when it didn't say */
	u16 advmss;                /* ours */
	u16 sport, dport;          /* ours, theirs */
	u16 rcv_wnd;               /* as sent, not scaled */
	u8 snd_wscale, rcv_wscale; /* 0xff: no scaling */
	bool ts_on, sack_on, ecn_on;
	s8 fo_len; /* fast open cookie to give; -1 none */
	u8 fo_cookie[TCP_FASTOPEN_MAX];
	u8 retries;
	s64 sent_ns; /* first SYN-ACK */
};
enum tcp_verdict {
	TCP_DROP,    /* nothing */
	TCP_RESEND,  /* the SYN-ACK again */
	TCP_ACCEPT,  /* complete: make a connection */
	TCP_REFUSE,  /* answer with a reset */
	TCP_ACK,     /* out of order: answer with an ACK */
	TCP_GONE,    /* the peer reset it: forget it */
	TCP_NEW_SYN, /* a new connection may take its place (TIME_WAIT) */
};
void tcp_request_init(struct tcp_request *rq, const struct tcp_seg *syn,
	const struct tcp_config *cfg, u32 advmss, s32 rcvbuf, u32 iss, u32 ts_off, s64 now);
/* Shift for the windows that we announce; 0xff: scaling is off. clamp 0: none. */
u8 tcp_choose_wscale(const struct tcp_config *cfg, s32 rcvbuf, u32 clamp);
struct packet *tcp_request_synack(const struct tcp_request *rq, s64 now) must_check; /* NULL */
struct packet *tcp_request_ack(const struct tcp_request *rq, s64 now) must_check;    /* NULL */
enum tcp_verdict tcp_request_input(struct tcp_request *rq, const struct tcp_seg *s, s64 now);

/* ---- after the end: TIME_WAIT
 * -------------------------------------------------------------------- */
struct tcp_tw {
	u32 rcv_nxt, snd_nxt, rcv_wnd, ts_recent, ts_off;
	s64 ts_recent_ns, deadline_ns, answered_ns;
	u16 sport, dport;
	bool ts_on;
	u8 rcv_wscale;
};
void tcp_tw_init(struct tcp_tw *tw, const struct tcp_conn *c, s64 now);
enum tcp_verdict tcp_tw_input(struct tcp_tw *tw, const struct tcp_seg *s, bool rfc1337, s64 now);
struct packet *tcp_tw_ack(const struct tcp_tw *tw, s64 now) must_check; /* NULL */

/* ---- headers
 * ------------------------------------------------------------------------------------- */
/* p at its TCP header (which may be in fragments): fills s, takes the header off. -EINVAL. */
int tcp_parse(struct packet *p, struct tcp_seg *s) must_check;
void tcp_push_header(struct packet *p, u16 sport, u16 dport, u32 seq, u32 ack, u32 flags, u32 wnd,
	u32 urg, const u8 *options, u32 options_len);
/* The reset that answers s when there is no connection (RFC 9293 3.10.7.1); NULL: s is a reset
 * itself, or no memory. */
struct packet *tcp_make_reset(const struct tcp_seg *s) must_check;

/* Asserts what stands at the top of this file; NULL, or what is wrong. For tests. */
const char *tcp_check(const struct tcp_conn *c);

#endif
