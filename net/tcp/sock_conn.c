/* connect(2), shutdown(2), close(2) of TCP, and giving a connection up. tcp(7), RFC 9293 3.10. */
#include "sock.h"
#include <sched/timer.h>

/* ---- connect ------------------------------------------------------------------------------------
 */

/* Take the four names with this port: nobody else has them, nor had until just now. */
static bool claim(struct inet_sock *s, u16 port)
{
	struct tcp_net *tn = tcp_net(s->sk.net);
	struct inet_lookup l = {s->local, s->remote, htons(port), s->rport,
		addr_needs_scope(&s->remote) ? (u32)s->remote_scope : 0};
	struct tcp_sock *t = tcp_sk(&s->sk);
	struct tcp_mini *m;
	u32 iss = 0;

	s->lport = htons(port);
	if (!inet_table_connect_unique(tn->table, s))
		return false;
	m = tcp_mini_find(tn->minis, &l);
	if (m) {
		struct tcp_wait *w = container_of(m, struct tcp_wait, mini);

		if (m->kind != TCP_MINI_WAIT || !tcp_wait_reuse(w, &iss)) {
			inet_table_disconnect(tn->table, s);
			return false;
		}
		tcp_wait_end(w);
	}
	t->new_iss = iss;
	tcp_hash(t);
	return true;
}

static void set_buffers(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;

	t->c.rcvbuf = READ_ONCE(sk->rcvbuf);
	t->c.rcvbuf_locked = sk->buf_lock & SOCK_RCVBUF_LOCK;
	t->c.keepalive = sock_opt(sk, SKO_KEEPALIVE);
	t->c.max_pacing_rate = sk->max_pacing;
}

int tcp_open_now(struct tcp_sock *t, s64 now)
{
	struct inet_sock *s = &t->inet;
	u32 iss = t->new_iss ?: tcp_new_iss(&s->local, s->lport, &s->remote, s->rport, now);
	int err = tcp_open(&t->c, iss, now);

	if (!err) {
		t->ustate = TCPU_CONNECTING;
		inet_count_tcp(s->sk.net, TCPM_ACTIVE_OPENS, 1);
	}
	return err;
}

/* fast: data may go with the SYN, which is then deferred. sk.lock, RCU. */
static int start_connect(struct tcp_sock *t, const struct inet_name *n, bool fast)
{
	struct inet_sock *s = &t->inet;
	s64 now = clock_mono_ns();
	bool had_port = s->lport != 0;
	int err;

	if (addr_is_multicast(&n->addr) || addr_is_limited_broadcast(&n->addr))
		return -ENETUNREACH;
	err = inet_set_peer(s, n);
	if (err)
		return err == -EACCES ? -ENETUNREACH : err;
	if (s->path.type == RTN_BROADCAST || s->path.type == RTN_MULTICAST) {
		err = -ENETUNREACH;
		goto fail;
	}
	if (had_port)
		err = claim(s, ntohs(s->lport)) ? 0 : -EADDRNOTAVAIL;
	else
		err = port_connect(tcp_net(s->sk.net)->ports, s, claim);
	if (err)
		goto fail;
	tcp_conn_deinit(&t->c);
	tcp_start(t, now);
	WRITE_ONCE(s->sk.shutdown, 0);
	set_buffers(t);
	t->c.sport = ntohs(s->lport);
	t->c.dport = ntohs(s->rport);
	tcp_fit_path(t, now);
	t->c.advmss = t->c.path_mss;
	if (s->path.rt->advmss)
		t->c.advmss = min(t->c.advmss, s->path.rt->advmss);
	if (fast)
		tcp_fo_prepare(t);
	if (t->c.fo_data) {
		t->fo_deferred = true;
		t->ustate = TCPU_CONNECTED; /* as far as connect is concerned */
		return 0;
	}
	err = tcp_open_now(t, now);
	if (!err)
		return 0;
	tcp_unhash(t);
fail:
	if (!had_port) {
		port_release(s);
		s->lport = 0;
	}
	inet_forget_peer(s);
	return err;
}

/* A user's address for connect; 0, or what the call returns. */
static int connect_name(
	struct inet_sock *s, struct __kernel_sockaddr_storage *a, u32 len, struct inet_name *n)
{
	int err;

	if (s->sk.family == AF_INET && len >= sizeof(struct sockaddr_in) && a->ss_family != AF_INET)
		return -EAFNOSUPPORT;
	if (s->sk.family == AF_INET6 && len >= 24 && a->ss_family != AF_INET6)
		return -EAFNOSUPPORT;
	err = inet_name_in(s, a, len, true, n);
	return err;
}

/* The attempt has ended or must be waited for: what does connect(2) say? */
static int connect_result(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;
	int err = 0;

	tcp_lock(t);
	if (t->c.state == TCP_CLOSE) {
		err = sock_take_error(sk);
		if (!err)
			err = -ECONNABORTED;
		tcp_disconnect(t, clock_mono_ns());
	} else {
		t->ustate = TCPU_CONNECTED;
	}
	tcp_unlock(t);
	return err;
}

static bool opening(const struct tcp_sock *t)
{
	u8 state = READ_ONCE(t->c.state);

	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

/* What connect(2) begins with. again: an attempt is on its way. */
static int begin(
	struct tcp_sock *t, struct __kernel_sockaddr_storage *a, u32 len, bool fast, bool *again)
{
	struct inet_name n;
	int err;

	*again = false;
	tcp_lock(t);
	if (t->ustate == TCPU_CONNECTED) {
		err = -EISCONN;
	} else if (t->ustate == TCPU_CONNECTING) {
		err = 0;
		*again = true;
	} else if (t->c.state != TCP_CLOSE) {
		err = -EISCONN;
	} else {
		err = connect_name(&t->inet, a, len, &n);
		if (!err)
			err = start_connect(t, &n, fast || t->fo_connect);
	}
	tcp_unlock(t);
	return err;
}

int tcp_fo_connect(struct tcp_sock *t, struct __kernel_sockaddr_storage *a, u32 len, bool *again)
{
	s32 mode = READ_ONCE(tcp_net(t->inet.sk.net)->fastopen);

	if (!(mode & TFO_CLIENT_ENABLE) || !a || len < sizeof(a->ss_family) ||
		a->ss_family == AF_UNSPEC)
		return -EOPNOTSUPP;
	return begin(t, a, len, true, again);
}

int tcp_connect_wait(struct tcp_sock *t, s64 deadline, bool again)
{
	int err = 0, not_yet = again ? -EALREADY : -EINPROGRESS;

	net_run();
	/* However quick the first try was (loopback), programs poll. */
	if (!deadline && (!again || opening(t)))
		return not_yet;
	if (opening(t))
		err = sock_wait(&t->inet.sk, !opening(t), deadline);
	if (err)
		return err == -EAGAIN ? not_yet : err;
	return connect_result(t);
}

int tcp_connect(struct sock *sk, struct __kernel_sockaddr_storage *a, u32 len, u32 o_flags)
{
	struct tcp_sock *t = tcp_sk(sk);
	s64 deadline = sock_snd_deadline(sk, o_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	bool again;
	int err;

	if (len < sizeof(a->ss_family))
		return -EINVAL;
	if (a->ss_family == AF_UNSPEC) {
		tcp_lock(t);
		tcp_disconnect(t, clock_mono_ns());
		tcp_unlock(t);
		return 0;
	}
	err = begin(t, a, len, false, &again);
	if (err || READ_ONCE(t->fo_deferred))
		return err;
	return tcp_connect_wait(t, deadline, again);
}

/* ---- giving up ----------------------------------------------------------------------------------
 */

void tcp_disconnect(struct tcp_sock *t, s64 now)
{
	struct inet_sock *s = &t->inet;
	struct list_head children = LIST_INIT(children);
	struct tcp_conn *c = &t->c;

	spin_assert_held(&s->sk.lock);
	if (c->state == TCP_LISTEN) {
		tcp_unlisten(t, &children);
		c->state = TCP_CLOSE;
	} else if (c->state != TCP_CLOSE) {
		tcp_abort(c, ECONNRESET, now);
	}
	WRITE_ONCE(t->fo_deferred, false); /* who is woken asks it */
	sock_wake_all(&s->sk, (u32)tcp_settle(t));
	tcp_unhash(t);
	tcp_conn_deinit(c);
	tcp_start(t, now);
	if (!inet_flag(s, INF_BOUND_PORT)) {
		port_release(s);
		s->lport = 0;
	}
	s->rport = 0;
	inet_forget_peer(s);
	WRITE_ONCE(s->sk.shutdown, 0);
	t->ustate = TCPU_UNCONNECTED;
	/* Lists of children are dropped by callers that may; here there is a lock held. */
	while (!list_empty(&children)) {
		struct tcp_sock *child = list_first_entry(&children, struct tcp_sock, accept_link);

		list_del(&child->accept_link);
		spin_lock_nested(&child->inet.sk.lock);
		child->inet.sk.options |= 1u << SKO_DEAD;
		tcp_abort(&child->c, 0, now);
		(void)!tcp_settle(child);
		spin_unlock(&child->inet.sk.lock);
		put_sock(&child->inet.sk);
	}
}

int tcp_shutdown(struct sock *sk, int how)
{
	struct tcp_sock *t = tcp_sk(sk);
	u8 bits = (u8)(how + 1);
	s64 now = clock_mono_ns();
	int err = 0;

	tcp_lock(t);
	switch (t->fo_deferred ? TCP_SYN_SENT : t->c.state) {
	case TCP_CLOSE:
		err = -ENOTCONN;
		WRITE_ONCE(sk->shutdown, sk->shutdown | bits);
		break;
	case TCP_LISTEN:
		if (bits & SHUTDOWN_RCV)
			tcp_disconnect(t, now);
		break;
	case TCP_SYN_SENT:
		tcp_disconnect(t, now);
		break;
	default:
		WRITE_ONCE(sk->shutdown, sk->shutdown | bits);
		if (bits & SHUTDOWN_RCV)
			t->c.shut_rcv = true;
		if (bits & SHUTDOWN_SND)
			tcp_finish(&t->c, now);
	}
	tcp_unlock(t);
	sock_wake_all(sk, EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLOUT | EPOLLWRNORM);
	return err;
}

/* ---- close --------------------------------------------------------------------------------------
 */

static bool closing(const struct tcp_sock *t)
{
	u8 state = READ_ONCE(t->c.state);

	return state == TCP_FIN_WAIT1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* FIN or RST: RFC 2525 2.17, a reset tells the peer that data was not read. True: wait for it. */
static bool start_close(struct tcp_sock *t, s64 now)
{
	struct sock *sk = &t->inet.sk;
	struct tcp_conn *c = &t->c;

	WRITE_ONCE(sk->shutdown, SHUTDOWN_RCV | SHUTDOWN_SND);
	c->shut_rcv = true;
	if (t->fo_deferred)
		tcp_disconnect(t, now);
	if (c->state == TCP_CLOSE)
		return false;
	if (tcp_unread(c) && c->state != TCP_SYN_SENT) {
		inet_count_tcp(sk->net, TCPM_ABORT_ON_CLOSE, 1);
		tcp_abort(c, 0, now);
	} else if (sock_opt(sk, SKO_LINGER) && !sk->linger_s) {
		inet_count_tcp(sk->net, TCPM_ABORT_ON_DATA, 1);
		tcp_abort(c, 0, now);
	} else {
		tcp_finish(c, now);
	}
	return sock_opt(sk, SKO_LINGER) && sk->linger_s && closing(t);
}

static void leave_orphan(struct tcp_sock *t, s64 now)
{
	struct tcp_net *tn = tcp_net(t->inet.sk.net);

	if (t->c.state == TCP_CLOSE)
		return;
	if (__atomic_fetch_add(&tn->nr_orphans, 1, __ATOMIC_RELAXED) >=
			READ_ONCE(tn->max_orphans) ||
		(t->c.mem_level == INET_MEM_OVER && t->c.wmem)) {
		__atomic_fetch_sub(&tn->nr_orphans, 1, __ATOMIC_RELAXED);
		inet_count_tcp(tn->net, TCPM_ABORT_ON_MEMORY, 1);
		tcp_abort(&t->c, 0, now);
		return;
	}
	t->orphaned = true;
	tcp_orphan(&t->c, now);
}

void tcp_close(struct sock *sk)
{
	struct tcp_sock *t = tcp_sk(sk);
	struct list_head children = LIST_INIT(children);
	s64 deadline;
	bool wait = false;

	inet_sock_close(&t->inet);
	tcp_lock(t);
	if (t->c.state == TCP_LISTEN) {
		tcp_unlisten(t, &children);
		t->c.state = TCP_CLOSE;
	} else {
		wait = start_close(t, clock_mono_ns());
	}
	tcp_unlock(t);
	tcp_drop_children(&children);
	if (wait) {
		deadline = deadline_after((s64)sk->linger_s * NS_PER_SEC);
		net_run();
		(void)!sock_wait(sk, !closing(t), deadline);
	}
	tcp_lock(t);
	leave_orphan(t, clock_mono_ns());
	if (t->c.state == TCP_CLOSE)
		port_release(&t->inet);
	tcp_unlock(t);
}
