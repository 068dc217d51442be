/* TCP sockets: life, what follows each call of the state machine, segments on their way down. */
#include "sock.h"
#include <core/init.h>
#include <linux/tcp.h>
#include <sched/timer.h>

int g_tcp_slot;

static SLAB_CACHE(g_tcp_cache, struct tcp_sock);

/* ---- secrets ------------------------------------------------------------------------------------
 */

/* RFC 6528: a clock of 64 ns and a keyed hash of the four names. */
u32 tcp_new_iss(const struct inet_addr *local, u16 lport, const struct inet_addr *remote, u16 rport,
	s64 now)
{
	struct {
		struct inet_addr a, b;
		u64 ports;
	} key = {*local, *remote, 1ull << 32 | (u64)lport << 16 | rport};

	return (u32)siphash(&key, sizeof(key), &g_net_secret) + (u32)(now >> 6);
}

/* The same for a pair of hosts, so that timestamps go up over successive connections (PAWS). */
u32 tcp_new_ts_off(const struct inet_addr *local, const struct inet_addr *remote)
{
	struct {
		struct inet_addr a, b;
		u64 what;
	} key = {*local, *remote, 2ull << 32};

	return (u32)siphash(&key, sizeof(key), &g_net_secret);
}

/* ---- down to IP ---------------------------------------------------------------------------------
 */

static void finish_packet(
	struct packet *p, const struct inet_addr *src, const struct inet_addr *dst, u32 hash)
{
	u16 sum = ip_pseudo_partial(src, dst, IPPROTO_TCP, p->len);

	p->trans_off = p->data;
	p->csum_state = CSUM_PARTIAL;
	p->csum_start = p->trans_off;
	p->csum_offset = 16;
	memcpy(packet_data(p) + 16, &sum, 2);
	p->hash = hash;
	p->gso = p->gso_segs <= 1 ? GSO_NONE : addr_is_v4(dst) ? GSO_TCP4 : GSO_TCP6;
}

/* ---- what has not left this machine yet --------------------------------------------------------
 */

/* A device has sent p, or a queue dropped it: its data, and all before it, is on the network. */
static void has_left(struct packet *p)
{
	struct tcp_sock *t = tcp_sk(p->sk);
	const struct tcphdr *h = (const void *)(p->linear + p->trans_off);
	u32 payload = p->len - (p->trans_off - p->data) - h->doff * 4u;
	u32 end = ntohl(h->seq) + payload + h->fin, was = READ_ONCE(t->left_seq);

	while (seq_before(was, end) &&
		!__atomic_compare_exchange_n(
			&t->left_seq, &was, end, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	if (!__atomic_sub_fetch(&t->nr_waiting, 1, __ATOMIC_RELEASE))
		put_sock(&t->inet.sk);
}

/* sk.lock. */
static void watch(struct tcp_sock *t, struct packet *p)
{
	if (!__atomic_fetch_add(&t->nr_waiting, 1, __ATOMIC_ACQUIRE)) {
		get_sock(&t->inet.sk);
		/* It keeps what is known of data under way, and nothing older. */
		if (READ_ONCE(t->left_seq) - t->c.snd_una > t->c.snd_nxt - t->c.snd_una)
			WRITE_ONCE(t->left_seq, t->c.snd_una);
	}
	p->sk = &t->inet.sk;
	p->released = has_left;
}

static bool waiting(struct tcp_conn *c, u32 end)
{
	const struct tcp_sock *t = tcp_of(c);

	return READ_ONCE(t->nr_waiting) && seq_before(READ_ONCE(t->left_seq), end);
}

/* tcp_ops.transmit: sk.lock and RCU are held by whoever called the machine. */
static void transmit(struct tcp_conn *c, struct packet *p, bool ect)
{
	struct tcp_sock *t = tcp_of(c);
	struct inet_sock *s = &t->inet;
	struct ip_path *path;
	struct ip_tx tx;

	u32 header = ((const struct tcphdr *)packet_data(p))->doff * 4u;

	inet_count_tcp(s->sk.net, TCPM_OUT_SEGS, max_t(u32, p->gso_segs, 1));
	if (inet_sock_path(s, &path)) {
		packet_free(p); /* as if it had been lost: a route may come back */
		return;
	}
	inet_tx_init(s, path, &s->remote, &tx);
	tx.tos = (u8)((tx.tos & ~3) | (ect ? 2 : 0));
	p->mark = s->sk.mark;
	p->priority = s->sk.priority;
	finish_packet(p, &tx.src, &tx.dst, s->by_peer.hash);
	if (unlikely(p->len + ip_header_len(&tx) > PACKET_MAX_LEN)) { /* options came to be set */
		packet_free(p);
		return;
	}
	if (p->len > header && path->rt->dev->nr_queues)
		watch(t, p);
	(void)ip_send(s->sk.net, path, &tx, p); /* a drop is a loss */
}

void tcp_send_bare(struct net *net, struct inet_sock *s, struct packet *p,
	const struct inet_addr *local, const struct inet_addr *remote, s32 oif, u8 tos)
{
	struct flow f = {.local = *local, .remote = *remote, .oif = oif, .proto = IPPROTO_TCP};
	struct ip_tx tx = {.src = *local, .dst = *remote, .proto = IPPROTO_TCP, .df = true};
	struct ip_path path;

	inet_count_tcp(net, TCPM_OUT_SEGS, 1);
	f.tos = tos;
	if (s) {
		f.mark = s->sk.mark;
		f.uid = s->sk.uid;
		if (s->sk.bound_dev)
			f.oif = s->sk.bound_dev;
	}
	if (route_lookup(net, &f, &path)) {
		packet_free(p);
		return;
	}
	if (s)
		inet_tx_init(s, &path, remote, &tx);
	else
		tx.ttl = path.rt->hoplimit
			? (u8)path.rt->hoplimit
			: (u8)(addr_is_v4(remote) ? inet_limits(net)->default_ttl
						  : inet_limits(net)->default_hoplimit);
	tx.src = *local;
	tx.tos = (u8)(tos & ~3);
	p->mark = f.mark;
	finish_packet(p, local, remote, 0);
	(void)ip_send(net, &path, &tx, p);
}

/* What the machine counts, as /proc/net names it. */
static const u16 g_counts[NR_TCP_COUNTS] = {
	[TCPC_RETRANS] = TCPM_RETRANS_SEGS,
	[TCPC_OUT_RST] = TCPM_OUT_RSTS,
	[TCPC_TIMEOUTS] = TCPM_TIMEOUTS,
	[TCPC_LOSS_PROBES] = TCPM_LOSS_PROBES,
	[TCPC_FAST_RETRANS] = TCPM_FAST_RETRANS,
	[TCPC_SLOW_START_RETRANS] = TCPM_SLOW_START_RETRANS,
	[TCPC_LOST_RETRANSMIT] = TCPM_LOST_RETRANSMIT,
	[TCPC_SACK_RECOVERY] = TCPM_SACK_RECOVERY,
	[TCPC_RENO_RECOVERY] = TCPM_RENO_RECOVERY,
	[TCPC_SACK_RENEGING] = TCPM_SACK_RENEGING,
	[TCPC_TS_REORDER] = TCPM_TS_REORDER,
	[TCPC_SPURIOUS_RTO] = TCPM_SPURIOUS_RTOS,
	[TCPC_SPURIOUS_RTX] = TCPM_SPURIOUS_RTX_HOST_QUEUES,
	[TCPC_FULL_UNDO] = TCPM_FULL_UNDO,
	[TCPC_DSACK_UNDO] = TCPM_DSACK_UNDO,
	[TCPC_DSACK_SENT] = TCPM_DSACK_OLD_SENT,
	[TCPC_DSACK_OFO_SENT] = TCPM_DSACK_OFO_SENT,
	[TCPC_DSACK_RECV] = TCPM_DSACK_RECV,
	[TCPC_DELAYED_ACKS] = TCPM_DELAYED_ACKS,
	[TCPC_CHALLENGE_ACK] = TCPM_CHALLENGE_ACK,
	[TCPC_SYN_CHALLENGE] = TCPM_SYN_CHALLENGE,
	[TCPC_PAWS] = TCPM_PAWS_ESTAB,
	[TCPC_OFO_QUEUE] = TCPM_OFO_QUEUE,
	[TCPC_OFO_DROP] = TCPM_OFO_DROP,
	[TCPC_OFO_PRUNED] = TCPM_OFO_PRUNED,
	[TCPC_RCV_QDROP] = TCPM_RCV_QDROP,
	[TCPC_ZERO_WINDOW_DROP] = TCPM_ZERO_WINDOW_DROP,
	[TCPC_TO_ZERO_WINDOW] = TCPM_TO_ZERO_WINDOW_ADV,
	[TCPC_FROM_ZERO_WINDOW] = TCPM_FROM_ZERO_WINDOW_ADV,
	[TCPC_WIN_PROBE] = TCPM_WIN_PROBE,
	[TCPC_KEEPALIVE] = TCPM_KEEP_ALIVE,
	[TCPC_ABORT_TIMEOUT] = TCPM_ABORT_ON_TIMEOUT,
	[TCPC_ABORT_DATA] = TCPM_ABORT_ON_DATA,
	[TCPC_ESTAB_RESETS] = TCPM_ESTAB_RESETS,
	[TCPC_ATTEMPT_FAILS] = TCPM_ATTEMPT_FAILS,
	[TCPC_FASTOPEN_ACTIVE] = TCPM_FAST_OPEN_ACTIVE,
	[TCPC_FASTOPEN_ACTIVE_FAIL] = TCPM_FAST_OPEN_ACTIVE_FAIL,
};
static void count(struct tcp_conn *c, enum tcp_count what, u32 n)
{
	inet_count_tcp(tcp_of(c)->inet.sk.net, (enum inet_tcp_count)g_counts[what], n);
}
static const struct tcp_ops g_conn_ops = {.transmit = transmit, .count = count, .waiting = waiting};

void tcp_fit_path(struct tcp_sock *t, s64 now)
{
	u32 room = inet_sock_room(&t->inet), mss;

	mss = room > TCP_HEADER_LEN + TCP_MIN_MSS ? room - TCP_HEADER_LEN : TCP_MIN_MSS;
	mss = min(mss, 65535u - 60 - TCP_HEADER_LEN);
	t->path_mtu = t->inet.path.rt ? t->inet.path.mtu : 0;
	tcp_set_mss(&t->c, mss, max(TCP_GSO_MAX, mss), now);
}

/* ---- what is ready ------------------------------------------------------------------------------
 */

static bool unsent_allows(const struct tcp_sock *t)
{
	u32 limit = READ_ONCE(t->notsent_lowat);

	return tcp_unsent(&t->c) < (limit ? limit : READ_ONCE(t->c.cfg->notsent_lowat));
}

/* Memory of all sockets is used up: each may have one packet on its way. */
static bool memory_allows(const struct tcp_sock *t)
{
	return likely(inet_mem_level(INET_MEM_TCP) < INET_MEM_OVER) || !READ_ONCE(t->c.wmem);
}

bool tcp_has_room(const struct tcp_sock *t)
{
	return memory_allows(t) && READ_ONCE(t->c.wmem) < (u32)READ_ONCE(t->inet.sk.sndbuf) &&
		unsent_allows(t);
}

bool tcp_writable(const struct tcp_sock *t)
{
	u32 used = READ_ONCE(t->c.wmem);

	return used + used / 2 <= (u32)READ_ONCE(t->inet.sk.sndbuf) && unsent_allows(t) &&
		memory_allows(t);
}

bool tcp_readable(const struct tcp_sock *t)
{
	const struct tcp_conn *c = &t->c;
	u32 n = tcp_unread(c), want = (u32)READ_ONCE(t->inet.sk.rcvlowat);

	if (c->urg_state == TCP_URG_HERE && c->rcv_up == c->copied_seq &&
		!sock_opt(&t->inet.sk, SKO_OOBINLINE))
		want++; /* the urgent octet is there, but not for read */
	/* More than fits will never come. */
	return (s32)n > 0 && (n >= want || (s64)c->rmem * 2 > c->rcvbuf);
}

/* ---- after each call ----------------------------------------------------------------------------
 */

void tcp_hash(struct tcp_sock *t)
{
	t->hashed = true;
	get_sock(&t->inet.sk);
}

void tcp_unhash(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;

	if (!t->hashed)
		return;
	t->hashed = false;
	inet_table_disconnect(tcp_net(sk->net)->table, &t->inet);
	put_sock(sk);
}

static void not_orphaned(struct tcp_sock *t)
{
	if (t->orphaned)
		__atomic_fetch_sub(&tcp_net(t->inet.sk.net)->nr_orphans, 1, __ATOMIC_RELAXED);
	t->orphaned = false;
}

/* The connection is over. What was received can still be read. */
static void closed(struct tcp_sock *t, bool time_wait, s64 now)
{
	struct sock *sk = &t->inet.sk;

	if (t->c.error)
		sock_set_error(sk, t->c.error);
	WRITE_ONCE(sk->shutdown, SHUTDOWN_RCV | SHUTDOWN_SND);
	if (time_wait)
		tcp_wait_make(t, now);
	not_orphaned(t);
	if (!inet_flag(&t->inet, INF_BOUND_PORT) || sock_opt(sk, SKO_DEAD))
		port_release(&t->inet);
	t->armed_ns = TIME_NEVER;
	if (net_timer_cancel(&t->timer))
		put_sock(sk);
	tcp_unhash(t);
}

static void grow_sndbuf(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;
	s32 want;

	if (sk->buf_lock & SOCK_SNDBUF_LOCK || t->c.mem_level)
		return;
	want = (s32)min(tcp_wanted_sndbuf(&t->c), (u32)INT_MAX);
	if (want > sk->sndbuf)
		WRITE_ONCE(sk->sndbuf, want);
}

static u32 handle_events(struct tcp_sock *t, s64 now)
{
	struct tcp_conn *c = &t->c;
	struct sock *sk = &t->inet.sk;
	u16 ev = c->events;
	u32 mask = 0;

	c->events = 0;
	if (unlikely(t->fo_listener) && ev & (TCPE_CONNECTED | TCPE_CLOSED))
		tcp_fo_ended(t, !(ev & TCPE_CONNECTED) && c->error == ECONNRESET, now);
	if (unlikely(c->fo_got_len > 0) && ev & TCPE_CONNECTED)
		tcp_fo_keep_cookie(t);
	if (ev & TCPE_READABLE && tcp_readable(t))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (ev & (TCPE_CONNECTED | TCPE_WRITABLE)) {
		grow_sndbuf(t);
		if (READ_ONCE(t->nospace) && tcp_writable(t)) {
			WRITE_ONCE(t->nospace, false);
			mask |= EPOLLOUT | EPOLLWRNORM;
		}
	}
	if (ev & TCPE_CONNECTED)
		mask |= EPOLLOUT | EPOLLWRNORM;
	if (ev & TCPE_URGENT)
		mask |= TCP_TELL_URGENT;
	if (ev & TCPE_URGENT_HERE)
		mask |= EPOLLPRI;
	if (ev & TCPE_FIN) {
		WRITE_ONCE(sk->shutdown, sk->shutdown | SHUTDOWN_RCV);
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	}
	if (ev & TCPE_SENT_ALL) /* who lingers in close waits for this */
		mask |= EPOLLOUT;
	if (unlikely(ev & TCPE_DOUBT) && t->inet.path.rt) {
		ip_path_doubt(sk->net, &t->inet.path);
		inet_sock_path_reset(&t->inet); /* another way may have come */
	}
	if (ev & TCPE_CLOSED) {
		closed(t, ev & TCPE_TIME_WAIT, now);
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLOUT | EPOLLWRNORM | EPOLLHUP |
			(c->error ? EPOLLERR : 0);
	}
	return mask;
}

static void state_changed(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;
	bool up = t->c.state == TCP_ESTABLISHED || t->c.state == TCP_CLOSE_WAIT;

	WRITE_ONCE(sk->state, t->c.state);
	if (up != t->counted)
		inet_count_tcp(sk->net, TCPM_CURR_ESTAB, up ? 1 : -1);
	t->counted = up;
}

static void charge(struct tcp_sock *t, u32 bytes)
{
	if (bytes != t->charged)
		inet_mem_add(INET_MEM_TCP, (s64)bytes - t->charged);
	t->charged = bytes;
}

u32 tcp_settle(struct tcp_sock *t)
{
	struct tcp_conn *c = &t->c;
	struct sock *sk = &t->inet.sk;
	s64 now = clock_mono_ns(), deadline;
	u32 mask = 0;

	spin_assert_held(&sk->lock);
	charge(t, c->wmem + c->rmem);
	if (unlikely(t->inet.path.rt && t->path_mtu && t->inet.path.mtu != t->path_mtu))
		tcp_fit_path(t, now);
	if (c->events)
		mask = handle_events(t, now);
	if (unlikely(READ_ONCE(sk->state) != c->state))
		state_changed(t);
	if (c->state != TCP_LISTEN)
		WRITE_ONCE(sk->rcvbuf, c->rcvbuf);
	deadline = tcp_deadline(c);
	if (deadline < t->armed_ns) {
		t->armed_ns = deadline;
		if (net_timer_arm(&t->timer, deadline))
			get_sock(sk);
	}
	if (mask & (EPOLLHUP | EPOLLRDHUP))
		sock_wake_all(sk, mask);
	else if (mask & ~TCP_TELL_URGENT)
		sock_wake(sk, mask & ~TCP_TELL_URGENT);
	return mask;
}

void tcp_signal(struct tcp_sock *t, u32 mask)
{
	if (mask & TCP_TELL_URGENT)
		sock_signal_urgent(&t->inet.sk);
	if (mask & (EPOLLIN | EPOLLHUP))
		sock_signal(&t->inet.sk, POLL_IN);
	if (mask & EPOLLOUT)
		sock_signal(&t->inet.sk, POLL_OUT);
}

void tcp_unlock(struct tcp_sock *t)
{
	u32 mask = tcp_settle(t);

	/* Under RCU its memory is there even if that was the last reference. */
	spin_unlock(&t->inet.sk.lock);
	if (mask)
		tcp_signal(t, mask);
	rcu_read_unlock();
}

static void timer_fired(struct net_timer *timer)
{
	struct tcp_sock *t = container_of(timer, struct tcp_sock, timer);
	s64 now;

	tcp_lock(t);
	t->armed_ns = TIME_NEVER;
	now = clock_mono_ns();
	if (now >= tcp_deadline(&t->c))
		tcp_timer(&t->c, now);
	tcp_unlock(t);
	put_sock(&t->inet.sk);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static int get_port(struct inet_sock *s, u16 port)
{
	return port_bind(tcp_net(s->sk.net)->ports, s, port, NULL);
}

/* The address of a bound socket has changed, as connect chose one. */
static void rehash(struct inet_sock *s)
{
	if (s->port && port_move(s))
		return; /* no memory: it is counted under the address it had */
}
static const struct inet_ops g_inet_ops = {.get_port = get_port, .rehash = rehash};

/* What a user has set outlives a connection that failed or was given up. */
struct kept {
	const struct tcp_cc_ops *cc;
	s64 user_timeout_ns, keep_idle_ns, keep_intvl_ns, linger2_ns;
	u64 max_pacing_rate;
	u32 user_mss, window_clamp, cwnd_clamp;
	s32 rcvbuf;
	u8 nagle, syn_retries, keep_cnt;
	bool keepalive, rcvbuf_locked;
};

void tcp_start(struct tcp_sock *t, s64 now)
{
	struct tcp_conn *c = &t->c;
	bool first = !c->ops;
	struct kept k = {c->cc, c->user_timeout_ns, c->keep_idle_ns, c->keep_intvl_ns,
		c->linger2_ns, c->max_pacing_rate, c->user_mss, c->window_clamp, c->cwnd_clamp,
		c->rcvbuf, c->nagle & (TCP_NAGLE_OFF | TCP_NAGLE_CORK), c->syn_retries, c->keep_cnt,
		c->keepalive, c->rcvbuf_locked};

	tcp_conn_init(c, &g_conn_ops, &tcp_net(t->inet.sk.net)->config, now,
		tcp_new_ts_off(&t->inet.local, &t->inet.remote));
	c->urg_inline = sock_opt(&t->inet.sk, SKO_OOBINLINE);
	if (first)
		return;
	c->cc = k.cc;
	c->user_timeout_ns = k.user_timeout_ns;
	c->keep_idle_ns = k.keep_idle_ns;
	c->keep_intvl_ns = k.keep_intvl_ns;
	c->linger2_ns = k.linger2_ns;
	c->max_pacing_rate = k.max_pacing_rate;
	c->user_mss = k.user_mss;
	c->window_clamp = k.window_clamp;
	c->cwnd_clamp = k.cwnd_clamp;
	c->rcvbuf = k.rcvbuf;
	c->nagle = k.nagle;
	c->syn_retries = k.syn_retries;
	c->keep_cnt = k.keep_cnt;
	c->keepalive = k.keepalive;
	c->rcvbuf_locked = k.rcvbuf_locked;
}

static int tcp_getname(struct sock *sk, struct __kernel_sockaddr_storage *a, bool peer)
{
	u8 state = READ_ONCE(sk->state);

	if (peer && (state == TCP_CLOSE || state == TCP_SYN_SENT))
		return -ENOTCONN;
	return inet_getname(sk, a, peer);
}

static u32 tcp_poll(struct sock *sk)
{
	struct tcp_sock *t = tcp_sk(sk);
	u8 down = READ_ONCE(sk->shutdown), state = READ_ONCE(sk->state);
	u32 mask = 0;

	if (state == TCP_LISTEN)
		return READ_ONCE(t->nr_accepts) ? EPOLLIN | EPOLLRDNORM : 0;
	if (unlikely(READ_ONCE(t->fo_deferred))) /* a write is what it waits for */
		return EPOLLOUT | EPOLLWRNORM | (READ_ONCE(sk->err) ? EPOLLERR : 0);
	if (down == (SHUTDOWN_RCV | SHUTDOWN_SND) || state == TCP_CLOSE)
		mask |= EPOLLHUP;
	if (down & SHUTDOWN_RCV)
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (tcp_open_enough(state, READ_ONCE(t->c.fo_passive))) {
		if (tcp_readable(t))
			mask |= EPOLLIN | EPOLLRDNORM;
		if (down & SHUTDOWN_SND || tcp_writable(t)) {
			mask |= EPOLLOUT | EPOLLWRNORM;
		} else {
			__atomic_store_n(&t->nospace, true, __ATOMIC_SEQ_CST);
			if (tcp_writable(t)) /* it came meanwhile, and nobody was to be told */
				mask |= EPOLLOUT | EPOLLWRNORM;
		}
		if (t->c.urg_state == TCP_URG_HERE)
			mask |= EPOLLPRI;
	}
	if (READ_ONCE(sk->err) || READ_ONCE(t->inet.errors.count))
		mask |= EPOLLERR;
	return mask;
}

static void tcp_free(struct rcu_head *head)
{
	struct tcp_sock *t = container_of(head, struct tcp_sock, inet.sk.rcu);

	__atomic_fetch_sub(&tcp_net(t->inet.sk.net)->nr_socks, 1, __ATOMIC_RELAXED);
	charge(t, 0);
	tcp_conn_deinit(&t->c);
	inet_sock_destroy(&t->inet);
	kfree(t->fast);
	slab_free(&g_tcp_cache, t);
}

static void tcp_destroy(struct sock *sk)
{
	rcu_call(&sk->rcu, tcp_free);
}

static const struct sock_ops g_tcp_ops = {
	.bind = inet_bind,
	.connect = tcp_connect,
	.accept = tcp_accept,
	.listen = tcp_listen,
	.getname = tcp_getname,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.shutdown = tcp_shutdown,
	.poll = tcp_poll,
	.ioctl = tcp_ioctl,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.option_changed = tcp_option_changed,
	.close = tcp_close,
	.destroy = tcp_destroy,
};

struct tcp_sock *tcp_alloc(int family, u32 gfp)
{
	struct tcp_sock *t = slab_alloc(&g_tcp_cache, gfp | GFP_ZERO);
	struct tcp_net *tn;

	if (!t)
		return NULL;
	inet_sock_init(&t->inet, &g_tcp_ops, &g_inet_ops, family, SOCK_STREAM, IPPROTO_TCP);
	tn = tcp_net(t->inet.sk.net);
	__atomic_fetch_add(&tn->nr_socks, 1, __ATOMIC_RELAXED);
	net_timer_init(&t->timer, timer_fired);
	t->armed_ns = TIME_NEVER;
	mutex_init(&t->send_lock, RANK_SOCKET_CALL);
	mutex_init(&t->recv_lock, RANK_SOCKET_CALL);
	list_init(&t->accepts);
	list_init(&t->requests);
	tcp_start(t, clock_mono_ns());
	t->inet.sk.state = TCP_CLOSE;
	t->inet.sk.sndbuf = READ_ONCE(tn->config.wmem[1]);
	t->inet.sk.rcvbuf = READ_ONCE(tn->config.rmem[1]);
	return t;
}

static struct sock *tcp_create(int family, int type, int protocol)
{
	struct tcp_sock *t = tcp_alloc(family, GFP_KERNEL);

	return t ? &t->inet.sk : err_ptr(-ENOBUFS);
}

/* ---- start-up -----------------------------------------------------------------------------------
 */

static int net_come(struct net *net, int slot)
{
	struct tcp_net *tn = kzalloc(sizeof(*tn), GFP_KERNEL);

	g_tcp_slot = slot;
	if (!tn)
		return -ENOMEM;
	tn->net = net;
	tn->config = g_tcp_config_default;
	tn->max_orphans = tn->max_tw_buckets = (s32)clamp(
		READ_ONCE(g_nr_frames) / 32, 1024ull, 65536ull);
	tn->max_syn_backlog = (s32)clamp(READ_ONCE(g_nr_frames) / 512, 128ull, 4096ull);
	tn->tw_reuse = 2;
	tn->syncookies = 1;
	tn->fastopen = TFO_CLIENT_ENABLE;
	spin_init(&tn->fo_lock, RANK_SOCKET_LEAF);
	tn->ports = port_table_new(net, true);
	tn->table = inet_table_new(net);
	tn->minis = tcp_mini_table_new();
	tn->fo_cache = tcp_fo_cache_new();
	net->slots[slot] = tn;
	return tn->ports && tn->table && tn->minis && tn->fo_cache ? 0 : -ENOMEM;
}
static void net_go(struct net *net, int slot)
{
	struct tcp_net *tn = net->slots[slot];

	port_table_free(tn->ports);
	inet_table_free(tn->table);
	tcp_mini_table_free(tn->minis);
	tcp_fo_cache_free(tn->fo_cache);
	kfree(tn);
}
static const struct net_module g_module = {"tcp", net_come, net_go};

static int tcp_init(void)
{
	static const struct inet_protocol proto = {IPPROTO_TCP, tcp_rx, tcp_error, tcp_gro};
	static struct inet_kind kind = {.type = SOCK_STREAM,
		.protocol = IPPROTO_TCP,
		.v4 = true,
		.v6 = true,
		.create = tcp_create};

	net_module_register(&g_module);
	inet_protocol_register(&proto);
	inet_kind_register(&kind);
	return 0;
}
INIT_HOOK(INIT_FS, tcp_init);
