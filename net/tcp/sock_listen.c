/* listen(2), accept(2), and what comes to a listener: requests between SYN and ACK. RFC
 * 9293 3.10.7.2. */
#include "sock.h"
#include <core/log.h>
#include <sched/timer.h>

#define SYNACK_FIRST_NS NS_PER_SEC         /* RFC 6298: the initial RTO; doubles */
#define COOKIES_GOOD_NS (128 * NS_PER_SEC) /* ACKs are taken for cookies' after the last one */

/* ---- listen -------------------------------------------------------------------------------------
 */

static int start_listen(struct tcp_sock *t)
{
	struct inet_sock *s = &t->inet;
	int err = inet_autobind(s);

	if (err)
		return err == -EAGAIN ? -EADDRINUSE : err;
	err = s->port ? port_listen(s) : -EADDRINUSE;
	if (err)
		return err;
	err = inet_table_bind(tcp_net(s->sk.net)->table, s);
	if (err) {
		port_unlisten(s);
		return err;
	}
	t->c.state = TCP_LISTEN;
	WRITE_ONCE(s->sk.state, TCP_LISTEN);
	return 0;
}

int tcp_listen(struct sock *sk, int backlog)
{
	struct tcp_sock *t = tcp_sk(sk);
	int err = 0;

	tcp_lock(t);
	if (t->ustate != TCPU_UNCONNECTED || (t->c.state != TCP_CLOSE && t->c.state != TCP_LISTEN))
		err = -EINVAL;
	else if (t->c.state == TCP_CLOSE)
		err = start_listen(t);
	if (!err)
		t->backlog = (u32)backlog;
	if (!err)
		tcp_fo_listen(t);
	tcp_unlock(t);
	return err;
}

/* ---- accept -------------------------------------------------------------------------------------
 */

struct sock *tcp_accept(struct sock *sk, u32 o_flags)
{
	struct tcp_sock *t = tcp_sk(sk), *child = NULL;
	s64 deadline = sock_rcv_deadline(sk, o_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	int err;

	for (;;) {
		spin_lock(&sk->lock);
		err = t->c.state == TCP_LISTEN ? 0 : -EINVAL;
		if (!err && t->nr_accepts) {
			child = list_first_entry(&t->accepts, struct tcp_sock, accept_link);
			list_del(&child->accept_link);
			WRITE_ONCE(t->nr_accepts, t->nr_accepts - 1);
		}
		spin_unlock(&sk->lock);
		if (err)
			return err_ptr(err);
		if (child)
			return &child->inet.sk;
		net_run();
		err = sock_wait(sk, READ_ONCE(t->nr_accepts) || READ_ONCE(t->c.state) != TCP_LISTEN,
			deadline);
		if (err)
			return err_ptr(err);
	}
}

/* ---- requests -----------------------------------------------------------------------------------
 */

/* Listener's sk.lock. */
static void forget(struct tcp_sock *l, struct tcp_half *h)
{
	if (list_empty(&h->link))
		return;
	list_del(&h->link);
	l->nr_requests--;
	if (net_timer_cancel(&h->mini.timer))
		tcp_mini_put(&h->mini);
	if (tcp_mini_remove(tcp_net(l->inet.sk.net)->minis, &h->mini))
		tcp_mini_put(&h->mini);
}

static void send_synack(struct tcp_half *h, s64 now)
{
	struct packet *p = tcp_request_synack(&h->rq, now);

	if (p)
		tcp_send_bare(h->mini.net, &h->listener->inet, p, &h->mini.local, &h->mini.remote,
			h->mini.ifindex, h->mini.tos);
}

static void arm(struct tcp_half *h, s64 now)
{
	s64 wait = min(SYNACK_FIRST_NS << min(h->rq.retries, (u8)10), TCP_RTO_MAX_NS);

	if (net_timer_arm(&h->mini.timer, now + wait))
		ref_get(&h->mini.refs);
}

static void half_fired(struct net_timer *timer)
{
	struct tcp_half *h = container_of(timer, struct tcp_half, mini.timer);
	struct tcp_sock *l = h->listener;
	s64 now = clock_mono_ns();
	u32 most;

	rcu_read_lock();
	spin_lock(&l->inet.sk.lock);
	most = l->c.syn_retries ? l->c.syn_retries : READ_ONCE(l->c.cfg->synack_retries);
	if (list_empty(&h->link)) {
		;
	} else if (h->rq.retries >= max(most, h->acked ? l->defer_accept : 0)) {
		forget(l, h);
		inet_count_tcp(h->mini.net, TCPM_TIMEOUTS, 1);
	} else {
		h->rq.retries++;
		/* A peer whose ACK came is asked again only when its time for data is over. */
		if (!h->acked || h->rq.retries >= l->defer_accept) {
			send_synack(h, now);
			inet_count_tcp(h->mini.net, TCPM_RETRANS_SEGS, 1);
		}
		arm(h, now);
	}
	spin_unlock(&l->inet.sk.lock);
	rcu_read_unlock();
	tcp_mini_put(&h->mini);
}

void tcp_unlisten(struct tcp_sock *t, struct list_head *children)
{
	spin_assert_held(&t->inet.sk.lock);
	inet_table_unbind(tcp_net(t->inet.sk.net)->table, &t->inet);
	if (t->inet.port)
		port_unlisten(&t->inet);
	while (!list_empty(&t->requests))
		forget(t, list_first_entry(&t->requests, struct tcp_half, link));
	list_splice_tail(&t->accepts, children);
	list_init(&t->accepts);
	t->nr_accepts = 0;
}

void tcp_drop_children(struct list_head *children)
{
	while (!list_empty(children)) {
		struct tcp_sock *t = list_first_entry(children, struct tcp_sock, accept_link);

		list_del(&t->accept_link);
		tcp_lock(t);
		t->inet.sk.options |= 1u << SKO_DEAD;
		tcp_abort(&t->c, 0, clock_mono_ns());
		tcp_unlock(t);
		put_sock(&t->inet.sk);
	}
}

/* What the route to the peer carries, as we announce it. */
static u32 advertised_mss(struct tcp_sock *l, const struct inet_lookup *n, s32 oif)
{
	struct flow f;
	struct ip_path path;
	u32 headers = (addr_is_v4(&n->remote) ? 20u : 40u) + TCP_HEADER_LEN, mss = TCP_MSS_DEFAULT;

	inet_flow(&l->inet, &n->remote, n->rport, &f);
	f.local = n->local;
	if (oif)
		f.oif = oif;
	if (!route_lookup(l->inet.sk.net, &f, &path)) {
		mss = min(path.mtu, 65535u - 60) - headers;
		if (path.rt->advmss)
			mss = min(mss, path.rt->advmss);
	}
	return l->c.user_mss ? min(mss, l->c.user_mss) : mss;
}

static bool queue_full(const struct tcp_sock *l)
{
	return l->nr_accepts > l->backlog;
}

/* Link-local peers are where their segment came from. */
static s32 interface_of(const struct inet_lookup *n)
{
	return addr_needs_scope(&n->remote) ? (s32)n->ifindex : 0;
}

static u8 tos_to(const struct tcp_sock *l, const struct inet_addr *remote)
{
	return addr_is_v4(remote) ? l->inet.tos : l->inet.tclass;
}

static void fill_request(struct tcp_sock *l, const struct tcp_in *in, const struct tcp_seg *syn,
	u32 iss, struct tcp_request *rq)
{
	const struct inet_lookup *n = &in->l;

	tcp_request_init(rq, syn, l->c.cfg, advertised_mss(l, n, interface_of(n)),
		READ_ONCE(l->inet.sk.rcvbuf), iss, tcp_new_ts_off(&n->local, &n->remote), in->now);
}

/* Answer a SYN and forget it. Listener's sk.lock. */
static void send_cookie(struct tcp_sock *l, const struct tcp_in *in)
{
	struct net *net = l->inet.sk.net;
	const struct inet_lookup *n = &in->l;
	struct tcp_request rq;
	struct packet *p;

	if (!l->cookie_ns && READ_ONCE(tcp_net(net)->syncookies) == 1)
		log_warn("tcp: the queue of port %u is full: a SYN flood? Sending cookies.",
			ntohs(l->inet.lport));
	fill_request(l, in, &in->seg, 0, &rq);
	tcp_cookie_make(&rq, n, in->now);
	p = tcp_request_synack(&rq, in->now);
	if (!p)
		return;
	l->cookie_ns = in->now;
	inet_count_tcp(net, TCPM_SYNCOOKIES_SENT, 1);
	tcp_send_bare(
		net, &l->inet, p, &n->local, &n->remote, interface_of(n), tos_to(l, &n->remote));
}

/* ---- a connection -------------------------------------------------------------------------------
 */

static void inherit(struct tcp_sock *t, struct tcp_sock *l)
{
	struct sock *sk = &t->inet.sk, *from = &l->inet.sk;

	if (sk->net != from->net) { /* made in the packet context, which belongs to none */
		__atomic_fetch_sub(&tcp_net(sk->net)->nr_socks, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&tcp_net(from->net)->nr_socks, 1, __ATOMIC_RELAXED);
		put_net(sk->net);
		get_net(from->net);
		sk->net = from->net;
	}
	sk->options = from->options & ~(1u << SKO_DEAD);
	if (sock_wants_stamps(sk))
		net_want_stamps(true);
	sk->sndbuf = from->sndbuf;
	sk->rcvbuf = from->rcvbuf;
	sk->buf_lock = from->buf_lock;
	sk->rcvlowat = from->rcvlowat;
	sk->rcvtimeo_ns = from->rcvtimeo_ns;
	sk->sndtimeo_ns = from->sndtimeo_ns;
	sk->linger_s = from->linger_s;
	sk->priority = from->priority;
	sk->mark = from->mark;
	sk->bound_dev = from->bound_dev;
	sk->max_pacing = from->max_pacing;
	sk->uid = from->uid;
	inet_sock_inherit(&t->inet, &l->inet);
	t->notsent_lowat = l->notsent_lowat;
	t->recv_inq = l->recv_inq;
	t->c.urg_inline = sock_opt(from, SKO_OOBINLINE);
	t->c.cfg = l->c.cfg;
	t->c.cc = l->c.cc;
	t->c.nagle = l->c.nagle;
	t->c.user_mss = l->c.user_mss;
	t->c.user_timeout_ns = l->c.user_timeout_ns;
	t->c.keep_idle_ns = l->c.keep_idle_ns;
	t->c.keep_intvl_ns = l->c.keep_intvl_ns;
	t->c.keep_cnt = l->c.keep_cnt;
	t->c.keepalive = sock_opt(from, SKO_KEEPALIVE);
	t->c.linger2_ns = l->c.linger2_ns;
	t->c.window_clamp = l->c.window_clamp;
	t->c.max_pacing_rate = from->max_pacing;
	t->c.rcvbuf = from->rcvbuf;
	t->c.rcvbuf_locked = from->buf_lock & SOCK_RCVBUF_LOCK;
}

/* A connection in the listener's queue: the handshake is complete, or (fast) its SYN is enough.
 * Listener's sk.lock, RCU. NULL: no memory, or the names are taken. in->p is consumed unless NULL. */
static struct tcp_sock *make_child(
	struct tcp_sock *l, const struct tcp_request *rq, struct tcp_in *in, bool fast)
{
	const struct inet_lookup *n = &in->l;
	struct tcp_sock *t = tcp_alloc(l->inet.sk.family, GFP_ATOMIC);
	struct inet_sock *s;

	if (!t)
		return NULL;
	s = &t->inet;
	inherit(t, l);
	s->local = s->source = n->local;
	s->remote = n->remote;
	s->lport = n->lport;
	s->rport = n->rport;
	if (addr_needs_scope(&n->remote)) {
		s->remote_scope = (s32)n->ifindex;
		s->sk.bound_dev = (s32)n->ifindex;
	}
	spin_lock_nested(&s->sk.lock);
	if (!l->inet.port || !sock_inherit_filter(&s->sk, &l->inet.sk) ||
		port_inherit(s, &l->inet) ||
		!inet_table_connect_unique(tcp_net(s->sk.net)->table, s))
		goto fail;
	tcp_hash(t);
	t->ustate = TCPU_CONNECTED;
	tcp_fit_path(t, in->now);
	if (!fast) {
		tcp_open_passive(&t->c, rq, in->now);
		tcp_input(&t->c, &in->seg, in->p, in->now);
	} else if (tcp_open_fast(&t->c, rq, &in->seg, in->p, in->now)) {
		tcp_unhash(t);
		goto fail;
	} else {
		tcp_fo_begun(t, l);
	}
	in->p = NULL;
	(void)!tcp_settle(t); /* nobody listens to it yet */
	spin_unlock(&s->sk.lock);
	inet_count_tcp(s->sk.net, TCPM_PASSIVE_OPENS, 1);
	list_add_tail(&t->accept_link, &l->accepts);
	WRITE_ONCE(l->nr_accepts, l->nr_accepts + 1);
	sock_wake(&l->inet.sk, EPOLLIN | EPOLLRDNORM);
	return t;
fail:
	port_release(s);
	spin_unlock(&s->sk.lock);
	put_sock(&s->sk);
	return NULL;
}

/* The ACK that completes h. True: the listener has a connection more. */
static bool complete_request(struct tcp_sock *l, struct tcp_half *h, struct tcp_in *in, bool *reset)
{
	struct net *net = l->inet.sk.net;

	if (h->rq.retries < l->defer_accept && !in->seg.len && !(in->seg.flags & TCPF_FIN)) {
		h->acked = true;
		inet_count_tcp(net, TCPM_DEFER_ACCEPT_DROP, 1);
		return false;
	}
	if (queue_full(l)) {
		inet_count_tcp(net, TCPM_LISTEN_OVERFLOWS, 1);
		inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
		if (READ_ONCE(tcp_net(net)->abort_on_overflow)) {
			*reset = true;
			forget(l, h);
		} else {
			h->acked = true; /* the SYN-ACK goes again, and with luck there is room */
		}
		return false;
	}
	if (!make_child(l, &h->rq, in, false)) {
		inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
		return false;
	}
	forget(l, h);
	return true;
}

bool tcp_half_input(struct tcp_half *h, struct tcp_in *in)
{
	struct tcp_sock *l = h->listener;
	struct net *net = l->inet.sk.net;
	bool reset = false, accepted = false;
	struct packet *p;

	spin_lock(&l->inet.sk.lock);
	if (list_empty(&h->link)) { /* completed or given up meanwhile */
		spin_unlock(&l->inet.sk.lock);
		return false;
	}
	switch (tcp_request_input(&h->rq, &in->seg, in->now)) {
	case TCP_ACCEPT:
		accepted = complete_request(l, h, in, &reset);
		break;
	case TCP_RESEND:
		send_synack(h, in->now);
		break;
	case TCP_ACK:
		p = tcp_request_ack(&h->rq, in->now);
		if (p)
			tcp_send_bare(net, &l->inet, p, &h->mini.local, &h->mini.remote,
				h->mini.ifindex, h->mini.tos);
		break;
	case TCP_REFUSE:
		reset = true;
		break;
	case TCP_GONE:
		forget(l, h);
		inet_count_tcp(net, TCPM_ATTEMPT_FAILS, 1);
		break;
	case TCP_DROP:
	case TCP_NEW_SYN:
		break;
	}
	spin_unlock(&l->inet.sk.lock);
	if (reset)
		tcp_answer_reset(net, in);
	packet_free(in->p);
	if (accepted)
		sock_signal(&l->inet.sk, POLL_IN);
	return true;
}

/* A SYN for which there is room: make a request and answer, or a connection at once (fast open,
 * in->p is NULL then). False: no memory. Listener's sk.lock. */
static bool take_syn(struct tcp_sock *l, struct tcp_in *in, u32 iss)
{
	struct net *net = l->inet.sk.net;
	const struct inet_lookup *n = &in->l;
	struct tcp_request rq;
	struct tcp_half *h;

	fill_request(l, in, &in->seg,
		iss ?: tcp_new_iss(&n->local, n->lport, &n->remote, n->rport, in->now), &rq);
	if (tcp_fo_judge(l, in, &rq)) {
		if (make_child(l, &rq, in, true))
			return true;
		inet_count_tcp(net, TCPM_FAST_OPEN_PASSIVE_FAIL, 1);
	}
	h = tcp_half_alloc();
	if (!h)
		return false;
	h->mini.kind = TCP_MINI_REQUEST;
	h->mini.net = net;
	h->mini.local = n->local;
	h->mini.remote = n->remote;
	h->mini.lport = n->lport;
	h->mini.rport = n->rport;
	h->mini.ifindex = interface_of(n);
	h->mini.tos = tos_to(l, &n->remote);
	ref_init(&h->mini.refs, 1);
	net_timer_init(&h->mini.timer, half_fired);
	h->listener = l;
	get_sock(&l->inet.sk);
	h->rq = rq;
	list_add_tail(&h->link, &l->requests);
	l->nr_requests++;
	tcp_mini_add(tcp_net(net)->minis, &h->mini);
	arm(h, in->now);
	send_synack(h, in->now);
	return true;
}

/* A SYN. iss 0: to be chosen. Listener's sk.lock. */
static void new_request(struct tcp_sock *l, struct tcp_in *in, u32 iss)
{
	struct net *net = l->inet.sk.net;
	struct tcp_net *tn = tcp_net(net);
	u32 most = min(max(l->backlog, 1u), (u32)READ_ONCE(tn->max_syn_backlog));
	s32 cookies = iss ? 0 : READ_ONCE(tn->syncookies);

	if (queue_full(l)) {
		inet_count_tcp(net, TCPM_LISTEN_OVERFLOWS, 1);
		inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
		return;
	}
	if (cookies != 2 && l->nr_requests < most && take_syn(l, in, iss))
		return;
	if (cookies) {
		if (cookies == 1)
			inet_count_tcp(net, TCPM_REQ_QFULL_DO_COOKIES, 1);
		send_cookie(l, in);
		return;
	}
	inet_count_tcp(net, TCPM_REQ_QFULL_DROP, 1);
	inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
}

/* An ACK for which nothing is remembered: of a cookie? True: it was, and is dealt with (in->p is
 * NULL when there is a connection of it). Listener's sk.lock. */
static bool accept_cookie(struct tcp_sock *l, struct tcp_in *in)
{
	struct net *net = l->inet.sk.net;
	s32 mode = READ_ONCE(tcp_net(net)->syncookies);
	struct tcp_request rq;
	struct tcp_seg syn;

	/* Without a flood nobody may guess: what has not been sent is not taken. */
	if (!mode || !l->cookie_ns || in->now - l->cookie_ns > COOKIES_GOOD_NS)
		return false;
	if (!tcp_cookie_check(in, &syn)) {
		inet_count_tcp(net, TCPM_SYNCOOKIES_FAILED, 1);
		return false;
	}
	inet_count_tcp(net, TCPM_SYNCOOKIES_RECV, 1);
	if (queue_full(l)) {
		inet_count_tcp(net, TCPM_LISTEN_OVERFLOWS, 1);
		inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
		return true;
	}
	fill_request(l, in, &syn, in->seg.ack - 1, &rq);
	rq.sent_ns = 0; /* not known: no round-trip time */
	if (!make_child(l, &rq, in, false))
		inet_count_tcp(net, TCPM_LISTEN_DROPS, 1);
	return true;
}

void tcp_listen_input(struct tcp_sock *l, struct tcp_in *in, u32 iss)
{
	const struct tcp_seg *s = &in->seg;
	bool reset = false, accepted = false;

	spin_lock(&l->inet.sk.lock);
	if (l->c.state != TCP_LISTEN)
		reset = true;
	else if (s->flags & TCPF_RST)
		;
	else if (s->flags & TCPF_ACK)
		reset = s->flags & TCPF_SYN || !accept_cookie(l, in);
	else if (s->flags & TCPF_SYN && !(s->flags & TCPF_FIN))
		new_request(l, in, iss);
	accepted = !in->p;
	spin_unlock(&l->inet.sk.lock);
	if (reset)
		tcp_answer_reset(l->inet.sk.net, in);
	packet_free(in->p);
	if (accepted)
		sock_signal(&l->inet.sk, POLL_IN);
}
