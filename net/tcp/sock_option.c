/* Options and ioctls of TCP sockets: tcp(7). */
#include "sock.h"
#include <asm/ioctls.h>
#include <sched/timer.h>

#define USER_MSS_MIN  88
#define USER_MSS_MAX  32767
#define KEEP_MAX      32767 /* seconds */
#define COUNT_MAX     127
#define LINGER2_MAX_S 120
#define CLAMP_MIN     1152 /* half of the least SO_RCVBUF */
#define CC_NAME_MAX   16   /* with its end */
#define DEFER_MAX     255

/* How many SYN-ACKs go out within so many seconds, and back. */
static u32 seconds_to_retries(s32 seconds)
{
	s32 step = 1, sum = 1;
	u32 n = 1;

	if (seconds <= 0)
		return 0;
	for (; seconds > sum && n < DEFER_MAX; n++) {
		step = min(step * 2, (s32)(TCP_RTO_MAX_NS / NS_PER_SEC));
		sum += step;
	}
	return n;
}
static s32 retries_to_seconds(u32 n)
{
	s32 step = 1, sum = n ? 1 : 0;

	for (; n > 1; n--) {
		step = min(step * 2, (s32)(TCP_RTO_MAX_NS / NS_PER_SEC));
		sum += step;
	}
	return sum;
}

/* ---- set ----------------------------------------------------------------------------------------
 */

static void set_nagle(struct tcp_conn *c, u8 bit, bool on, s64 now)
{
	if (on)
		c->nagle |= bit;
	else
		c->nagle &= (u8)~bit;
	if (on == (bit == TCP_NAGLE_OFF) && !list_empty(&c->unsent.list)) {
		/* What it kept back goes now, but not out of a cork. */
		if (!(c->nagle & TCP_NAGLE_CORK))
			c->nagle |= TCP_NAGLE_PUSH;
		tcp_output(c, now);
	}
}

static bool in_range(int v, int lo, int hi)
{
	return v >= lo && v <= hi;
}

static int set_int_locked(struct tcp_sock *t, int name, int v, s64 now)
{
	struct tcp_conn *c = &t->c;

	switch (name) {
	case TCP_NODELAY:
		set_nagle(c, TCP_NAGLE_OFF, v != 0, now);
		return 0;
	case TCP_CORK:
		set_nagle(c, TCP_NAGLE_CORK, v != 0, now);
		return 0;
	case TCP_MAXSEG:
		if (v && !in_range(v, USER_MSS_MIN, USER_MSS_MAX))
			return -EINVAL;
		c->user_mss = (u32)v;
		return 0;
	case TCP_KEEPIDLE:
		if (!in_range(v, 1, KEEP_MAX))
			return -EINVAL;
		c->keep_idle_ns = v * NS_PER_SEC;
		if (c->keepalive)
			tcp_set_keepalive(c, true, now);
		return 0;
	case TCP_KEEPINTVL:
		if (!in_range(v, 1, KEEP_MAX))
			return -EINVAL;
		c->keep_intvl_ns = v * NS_PER_SEC;
		return 0;
	case TCP_KEEPCNT:
		if (!in_range(v, 1, COUNT_MAX))
			return -EINVAL;
		c->keep_cnt = (u8)v;
		return 0;
	case TCP_SYNCNT:
		if (!in_range(v, 1, COUNT_MAX))
			return -EINVAL;
		c->syn_retries = (u8)v;
		return 0;
	case TCP_LINGER2:
		c->linger2_ns = v < 0 ? -1 : min(v, LINGER2_MAX_S) * NS_PER_SEC;
		return 0;
	case TCP_DEFER_ACCEPT:
		t->defer_accept = seconds_to_retries(v);
		return 0;
	case TCP_WINDOW_CLAMP:
		if (!v && c->state != TCP_CLOSE)
			return -EINVAL;
		c->window_clamp = v ? (u32)max(v, CLAMP_MIN) : 0;
		return 0;
	case TCP_QUICKACK:
		if (c->state != TCP_LISTEN)
			tcp_set_quickack(c, v & 1, now);
		return 0;
	case TCP_USER_TIMEOUT:
		if (v < 0)
			return -EINVAL;
		c->user_timeout_ns = v * NS_PER_MS;
		return 0;
	case TCP_NOTSENT_LOWAT:
		WRITE_ONCE(t->notsent_lowat, (u32)v);
		sock_wake(&t->inet.sk, EPOLLOUT | EPOLLWRNORM);
		return 0;
	case TCP_INQ:
		if (!in_range(v, 0, 1))
			return -EINVAL;
		t->recv_inq = v;
		return 0;
	case TCP_FASTOPEN:
	case TCP_FASTOPEN_CONNECT:
	case TCP_FASTOPEN_NO_COOKIE:
		return tcp_fo_set(t, name, v);
	default:
		return -ENOPROTOOPT;
	}
}

static int set_congestion(struct tcp_sock *t, const void __user *val, u32 len)
{
	char name[CC_NAME_MAX] = "";
	const struct tcp_cc_ops *cc;

	if (len < 1)
		return -EINVAL;
	if (copy_from_user(name, val, min(len, CC_NAME_MAX - 1u)))
		return -EFAULT;
	cc = tcp_cc_find(name);
	if (!cc)
		return -ENOENT;
	tcp_lock(t);
	if (t->c.cc != cc) {
		t->c.cc = cc;
		if (t->c.state != TCP_CLOSE && t->c.state != TCP_LISTEN)
			cc->init(&t->c);
	}
	tcp_unlock(t);
	return 0;
}

int tcp_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len)
{
	struct tcp_sock *t = tcp_sk(sk);
	int v, err;

	if (level != SOL_TCP)
		return inet_setsockopt(sk, level, name, val, len);
	if (name == TCP_CONGESTION)
		return set_congestion(t, val, len);
	if (name == TCP_FASTOPEN_KEY)
		return tcp_fo_set_key(t, val, len);
	err = sockopt_int(val, len, &v);
	if (err)
		return err;
	tcp_lock(t);
	err = set_int_locked(t, name, v, clock_mono_ns());
	tcp_unlock(t);
	return err;
}

void tcp_option_changed(struct sock *sk, int name)
{
	struct tcp_sock *t = tcp_sk(sk);

	tcp_lock(t);
	switch (name) {
	case SO_KEEPALIVE:
		tcp_set_keepalive(&t->c, sock_opt(sk, SKO_KEEPALIVE), clock_mono_ns());
		break;
	case SO_OOBINLINE:
		t->c.urg_inline = sock_opt(sk, SKO_OOBINLINE);
		break;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		t->c.rcvbuf = READ_ONCE(sk->rcvbuf);
		t->c.rcvbuf_locked = true;
		break;
	case SO_BUF_LOCK:
		t->c.rcvbuf_locked = sk->buf_lock & SOCK_RCVBUF_LOCK;
		break;
	case SO_MAX_PACING_RATE:
		t->c.max_pacing_rate = sk->max_pacing;
		break;
	case SO_RCVLOWAT:
		if (tcp_readable(t))
			sock_wake(sk, EPOLLIN | EPOLLRDNORM);
		break;
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_BINDTOIFINDEX:
	case SO_MARK:
		port_options(&t->inet);
		inet_sock_path_reset(&t->inet);
		break;
	}
	tcp_unlock(t);
}

/* ---- get ----------------------------------------------------------------------------------------
 */

static u32 ms(s64 ns)
{
	return (u32)(ns / NS_PER_MS);
}
static u32 us(s64 ns)
{
	return (u32)(ns / NS_PER_US);
}
static u32 segments(const struct tcp_conn *c, u32 bytes)
{
	return div_round_up(bytes, max(c->mss, 1u));
}

static void info_state(const struct tcp_sock *t, struct tcp_info *i)
{
	const struct tcp_conn *c = &t->c;

	i->tcpi_state = t->fo_deferred ? TCP_SYN_SENT : c->state;
	i->tcpi_ca_state = c->ca_state;
	i->tcpi_retransmits = c->retries;
	i->tcpi_probes = c->probes_out;
	i->tcpi_backoff = c->backoff;
	i->tcpi_options = (u8)((c->ts_on ? TCPI_OPT_TIMESTAMPS : 0) |
		(c->sack_on ? TCPI_OPT_SACK : 0) | (c->wscale_on ? TCPI_OPT_WSCALE : 0) |
		(c->ecn_on ? TCPI_OPT_ECN : 0) | (c->ecn_seen ? TCPI_OPT_ECN_SEEN : 0) |
		(c->fo_data_acked ? TCPI_OPT_SYN_DATA : 0));
	if (c->wscale_on) {
		i->tcpi_snd_wscale = c->snd_wscale & 0xf;
		i->tcpi_rcv_wscale = c->rcv_wscale & 0xf;
	}
	i->tcpi_delivery_rate_app_limited = c->rate_app_limited;
	i->tcpi_fastopen_client_fail = c->fo_fail & 3;
	i->tcpi_rto = us(c->rto_ns);
	i->tcpi_ato = us(c->ato_ns);
	i->tcpi_snd_mss = c->mss;
	i->tcpi_rcv_mss = c->rcv_mss;
	i->tcpi_unacked = segments(c, c->flight + c->lost + c->sacked);
	i->tcpi_sacked = segments(c, c->sacked);
	i->tcpi_lost = segments(c, c->lost);
	i->tcpi_retrans = segments(c, c->retrans_flight);
}

/* A listener has no connection: its queue, and what its connections begin with. */
static void info_listener(const struct tcp_sock *t, struct tcp_info *i)
{
	i->tcpi_state = TCP_LISTEN;
	i->tcpi_unacked = t->nr_accepts;
	i->tcpi_sacked = t->backlog;
	i->tcpi_snd_cwnd = TCP_INIT_CWND;
	i->tcpi_reordering = t->c.reordering;
}

static void info_path(const struct tcp_sock *t, struct tcp_info *i, s64 now)
{
	const struct tcp_conn *c = &t->c;

	i->tcpi_last_data_sent = ms(now - c->last_send_ns);
	i->tcpi_last_data_recv = ms(now - c->last_recv_ns);
	i->tcpi_last_ack_recv = ms(now - c->last_ack_ns);
	i->tcpi_pmtu = t->path_mtu;
	i->tcpi_rcv_ssthresh = c->window_clamp ? min(c->window_clamp, (u32)c->rcvbuf / 2)
					       : (u32)c->rcvbuf / 2;
	i->tcpi_rtt = us(c->srtt_ns);
	i->tcpi_rttvar = us(c->rttvar_ns);
	i->tcpi_snd_ssthresh = c->ssthresh >= TCP_SSTHRESH_INF ? TCP_SSTHRESH_INF
							       : segments(c, c->ssthresh);
	i->tcpi_snd_cwnd = segments(c, c->cwnd);
	i->tcpi_advmss = c->advmss;
	i->tcpi_reordering = c->reordering;
	i->tcpi_rcv_rtt = us(c->rcv_rtt_ns);
	i->tcpi_rcv_space = c->rcv_space;
	i->tcpi_max_pacing_rate = c->max_pacing_rate;
	i->tcpi_pacing_rate = c->max_pacing_rate; /* what it is paced at; ~0: it isn't */
	i->tcpi_min_rtt = c->min_rtt_ns ? us(c->min_rtt_ns) : U32_MAX;
	if (c->rate_interval_ns > 0)
		i->tcpi_delivery_rate = c->rate_bytes * (u64)NS_PER_SEC / (u64)c->rate_interval_ns;
	i->tcpi_snd_wnd = c->snd_wnd;
}

static void info_sums(const struct tcp_conn *c, struct tcp_info *i, s64 now)
{
	i->tcpi_total_retrans = c->total_retrans;
	i->tcpi_bytes_acked = c->bytes_acked;
	i->tcpi_bytes_received = c->bytes_received;
	i->tcpi_segs_out = c->segs_out;
	i->tcpi_segs_in = c->segs_in;
	i->tcpi_notsent_bytes = tcp_unsent(c);
	i->tcpi_data_segs_in = c->data_segs_in;
	i->tcpi_data_segs_out = c->data_segs_out;
	i->tcpi_busy_time = (u64)(c->busy_ns + (c->busy_since_ns ? now - c->busy_since_ns : 0)) /
		NS_PER_US;
	i->tcpi_rwnd_limited = (u64)c->rwnd_limited_ns / NS_PER_US;
	i->tcpi_sndbuf_limited = (u64)c->sndbuf_limited_ns / NS_PER_US;
	i->tcpi_delivered = c->delivered;
	i->tcpi_delivered_ce = c->delivered_ce;
	i->tcpi_bytes_sent = c->bytes_sent;
	i->tcpi_bytes_retrans = c->bytes_retrans;
	i->tcpi_dsack_dups = c->dsack_dups;
	i->tcpi_reord_seen = c->reord_seen;
	i->tcpi_rcv_ooopack = c->rcv_ooo;
}

void tcp_get_info(const struct tcp_sock *t, struct tcp_info *i)
{
	s64 now = clock_mono_ns();

	memset(i, 0, sizeof(*i));
	if (t->c.state == TCP_LISTEN) {
		info_listener(t, i);
		return;
	}
	info_state(t, i);
	info_path(t, i, now);
	info_sums(&t->c, i, now);
}

static int get_int(struct tcp_sock *t, int name, int *v)
{
	const struct tcp_conn *c = &t->c;
	bool idle = c->state == TCP_CLOSE || c->state == TCP_LISTEN;

	switch (name) {
	case TCP_NODELAY:
		*v = (c->nagle & TCP_NAGLE_OFF) != 0;
		return 0;
	case TCP_CORK:
		*v = (c->nagle & TCP_NAGLE_CORK) != 0;
		return 0;
	case TCP_MAXSEG:
		*v = (int)(idle && c->user_mss ? c->user_mss : c->mss);
		return 0;
	case TCP_KEEPIDLE:
		*v = c->keep_idle_ns ? (int)(c->keep_idle_ns / NS_PER_SEC)
				     : c->cfg->keepalive_time_s;
		return 0;
	case TCP_KEEPINTVL:
		*v = c->keep_intvl_ns ? (int)(c->keep_intvl_ns / NS_PER_SEC)
				      : c->cfg->keepalive_intvl_s;
		return 0;
	case TCP_KEEPCNT:
		*v = c->keep_cnt ?: c->cfg->keepalive_probes;
		return 0;
	case TCP_SYNCNT:
		*v = c->syn_retries ?: c->cfg->syn_retries;
		return 0;
	case TCP_LINGER2:
		*v = c->linger2_ns < 0  ? -1
			: c->linger2_ns ? (int)(c->linger2_ns / NS_PER_SEC)
					: c->cfg->fin_timeout_s;
		return 0;
	case TCP_DEFER_ACCEPT:
		*v = retries_to_seconds(t->defer_accept);
		return 0;
	case TCP_WINDOW_CLAMP:
		*v = (int)c->window_clamp;
		return 0;
	case TCP_QUICKACK:
		*v = !c->pingpong;
		return 0;
	case TCP_USER_TIMEOUT:
		*v = (int)(c->user_timeout_ns / NS_PER_MS);
		return 0;
	case TCP_NOTSENT_LOWAT:
		*v = (int)t->notsent_lowat;
		return 0;
	case TCP_INQ:
		*v = t->recv_inq;
		return 0;
	case TCP_FASTOPEN:
		*v = t->fast ? (int)t->fast->backlog : 0;
		return 0;
	case TCP_FASTOPEN_CONNECT:
		*v = t->fo_connect;
		return 0;
	case TCP_FASTOPEN_NO_COOKIE:
		*v = t->fo_no_cookie;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int tcp_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct tcp_sock *t = tcp_sk(sk);
	int v, err;

	if (level == SOL_SOCKET && name == SO_ACCEPTCONN)
		return sockopt_put_int(val, len, READ_ONCE(t->c.state) == TCP_LISTEN);
	if (level != SOL_TCP)
		return inet_getsockopt(sk, level, name, val, len);
	if (name == TCP_INFO) {
		struct tcp_info info;

		spin_lock(&sk->lock);
		tcp_get_info(t, &info);
		spin_unlock(&sk->lock);
		return sockopt_put(val, len, &info, sizeof(info));
	}
	if (name == TCP_CONGESTION) {
		char text[CC_NAME_MAX] = "";

		str_copy(text, READ_ONCE(t->c.cc)->name, sizeof(text));
		return sockopt_put(val, len, text, sizeof(text));
	}
	if (name == TCP_FASTOPEN_KEY)
		return tcp_fo_get_key(t, val, len);
	spin_lock(&sk->lock);
	err = get_int(t, name, &v);
	spin_unlock(&sk->lock);
	return err ? err : sockopt_put_int(val, len, v);
}

/* ---- ioctl --------------------------------------------------------------------------------------
 */

static int unread(const struct tcp_sock *t)
{
	const struct tcp_conn *c = &t->c;

	if (c->urg_state != TCP_URG_NONE && !sock_opt(&t->inet.sk, SKO_OOBINLINE) &&
		!seq_before(c->rcv_up, c->copied_seq) && seq_before(c->rcv_up, c->rcv_nxt))
		return (int)(c->rcv_up - c->copied_seq);
	return (int)tcp_unread(c);
}

long tcp_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	struct tcp_sock *t = tcp_sk(sk);
	struct tcp_conn *c = &t->c;
	int v = 0, err = 0;
	bool opening;

	if (cmd != SIOCINQ && cmd != SIOCATMARK && cmd != SIOCOUTQ && cmd != SIOCOUTQNSD)
		return inet_ioctl(sk, cmd, arg);
	spin_lock(&sk->lock);
	opening = c->state == TCP_SYN_SENT || c->state == TCP_SYN_RECV;
	if (cmd == SIOCATMARK)
		v = c->urg_state != TCP_URG_NONE && c->rcv_up == c->copied_seq;
	else if (c->state == TCP_LISTEN)
		err = -EINVAL;
	else if (!opening && cmd == SIOCINQ)
		v = unread(t);
	else if (!opening)
		v = (int)(c->write_seq - (cmd == SIOCOUTQ ? c->snd_una : c->snd_nxt));
	spin_unlock(&sk->lock);
	return err ? err : put_user(v, (int __user *)arg);
}
