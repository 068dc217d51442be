/*
 * sendmsg(2) of TCP. Data is copied once, into packets that nobody else sees yet, without the
 * spinlock; then they are queued, joined to what is not sent yet. One sender at a time, but not
 * while it waits.
 */
#include "sock.h"
#include <sched/timer.h>

static bool established(const struct tcp_sock *t)
{
	u8 state = READ_ONCE(t->c.state);

	return state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT ||
		(state == TCP_SYN_RECV && READ_ONCE(t->c.fo_passive));
}

static bool opening(const struct tcp_sock *t)
{
	u8 state = READ_ONCE(t->c.state);

	return state == TCP_SYN_SENT || state == TCP_SYN_RECV;
}

static bool broken(const struct tcp_sock *t)
{
	return READ_ONCE(t->inet.sk.err) || READ_ONCE(t->inet.sk.shutdown) & SHUTDOWN_SND;
}

/* send_lock is held, and given up while it waits. */
static int wait_connected(struct tcp_sock *t, s64 deadline)
{
	struct sock *sk = &t->inet.sk;
	int err;

	while (!established(t)) {
		err = sock_take_error(sk);
		if (err)
			return err;
		if (!opening(t))
			return -EPIPE;
		mutex_unlock(&t->send_lock);
		net_run();
		err = sock_wait(sk, !opening(t) || READ_ONCE(sk->err), deadline);
		mutex_lock(&t->send_lock);
		if (err)
			return err;
	}
	return 0;
}

/* Looked at by who waits: says first that room is wanted, since a wake-up takes that back. */
static bool room_or_want(struct tcp_sock *t)
{
	__atomic_store_n(&t->nospace, true, __ATOMIC_SEQ_CST);
	return tcp_has_room(t) || broken(t);
}

static int wait_for_room(struct tcp_sock *t, s64 deadline)
{
	struct sock *sk = &t->inet.sk;
	int err;

	/* What was kept back for more to come must go now, or room may never come. */
	tcp_lock(t);
	t->c.more = false;
	tcp_output(&t->c, clock_mono_ns());
	tcp_unlock(t);
	mutex_unlock(&t->send_lock);
	net_run();
	err = room_or_want(t) ? 0 : sock_wait(sk, room_or_want(t), deadline);
	mutex_lock(&t->send_lock);
	return err;
}

/* sk.lock. Consumes p. */
static void queue(struct tcp_conn *c, struct packet *p)
{
	struct packet *tail = tcp_queue_tail(c);
	u32 n = p->len, before;

	if (tail && tail->len + n <= c->gso_max) {
		before = tail->truesize;
		if (packet_join(tail, p)) {
			tcp_queued(c, tail, n, tail->truesize - before);
			return;
		}
	}
	tcp_queue(c, p);
}

/* The next n bytes of the message; last: nothing follows at once. */
static int send_some(struct tcp_sock *t, struct sock_msg *m, size_t n, bool last)
{
	struct tcp_conn *c = &t->c;
	struct packet *p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	bool urgent = last && m->flags & MSG_OOB;
	int err;

	if (!p)
		return -ENOBUFS;
	err = packet_from_iter(p, &m->iter, n);
	if (err) {
		packet_free(p);
		return err == -ENOMEM ? -ENOBUFS : err;
	}
	tcp_lock(t);
	if (unlikely(broken(t) || !established(t))) {
		packet_free(p);
		err = -EPIPE;
	} else {
		queue(c, p);
		c->more = !last || m->flags & MSG_MORE;
		if (urgent)
			tcp_mark_urgent(c);
		if (last && !(m->flags & MSG_MORE))
			c->push_seq = c->write_seq;
		tcp_output(c, clock_mono_ns());
	}
	tcp_unlock(t);
	return err;
}

/* The head of the message with the SYN (fast open). Bytes that went so; or an error. */
static ssize_t send_first(struct tcp_sock *t, struct sock_msg *m, s64 deadline)
{
	struct packet *p = NULL;
	size_t n;
	int err = -EPIPE;

	tcp_lock(t);
	n = min_t(size_t, m->iter.count, tcp_syn_room(&t->c));
	tcp_unlock(t);
	if (n)
		p = packet_alloc(PACKET_HEADROOM, GFP_KERNEL);
	if (p && packet_from_iter(p, &m->iter, n)) {
		packet_free(p); /* the SYN goes alone, and who sends on will see why */
		p = NULL;
	}
	n = p ? p->len : 0;
	tcp_lock(t);
	if (t->fo_deferred) /* nobody has disconnected it meanwhile */
		err = tcp_fo_open(t, p, clock_mono_ns());
	else
		packet_free(p);
	tcp_unlock(t);
	if (err)
		return err;
	mutex_unlock(&t->send_lock);
	err = tcp_connect_wait(t, deadline, false);
	mutex_lock(&t->send_lock);
	return err && !(n && err == -EINPROGRESS) ? err : (ssize_t)n;
}

/* MSG_FASTOPEN, or the first write after a connect that left the SYN to it. */
static ssize_t send_opening(struct tcp_sock *t, struct sock_msg *m, s64 deadline)
{
	bool again = false;
	int err = m->flags & MSG_FASTOPEN ? tcp_fo_connect(t, m->name, m->name_len, &again) : 0;

	if (err && !(err == -EISCONN && READ_ONCE(t->fo_deferred)))
		return err;
	if (READ_ONCE(t->fo_deferred))
		return send_first(t, m, deadline);
	mutex_unlock(&t->send_lock);
	err = tcp_connect_wait(t, deadline, again);
	mutex_lock(&t->send_lock);
	return err;
}

static ssize_t send_all(struct tcp_sock *t, struct sock_msg *m)
{
	struct sock *sk = &t->inet.sk;
	s64 deadline = sock_snd_deadline(sk, m->flags);
	ssize_t done = 0;
	int err;

	if (unlikely(m->flags & MSG_FASTOPEN || READ_ONCE(t->fo_deferred))) {
		done = send_opening(t, m, deadline);
		if (done < 0 || (done && !m->iter.count) || (done && !deadline))
			return done;
	}
	err = wait_connected(t, deadline);
	while (!err && m->iter.count) {
		size_t n = min_t(size_t, m->iter.count, READ_ONCE(t->c.gso_max));

		if (broken(t)) {
			err = -EPIPE;
		} else if (!tcp_has_room(t)) {
			err = wait_for_room(t, deadline);
		} else {
			err = send_some(t, m, n, n == m->iter.count);
			if (!err)
				done += (ssize_t)n;
		}
	}
	if (done)
		return done;
	if (!err && broken(t)) /* an empty message too finds out */
		err = -EPIPE;
	return err;
}

ssize_t tcp_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_sk(sk);
	bool zerocopy = m->flags & MSG_ZEROCOPY && sock_opt(sk, SKO_ZEROCOPY) && m->iter.count;
	ssize_t r;

	mutex_lock(&t->send_lock);
	r = send_all(t, m);
	if (zerocopy && r > 0) {
		u32 key = t->zerocopy_key++;

		/* The copy is made: the program may have its memory back. */
		inet_error_zerocopy(&t->inet, key, key, true);
		sock_wake(sk, EPOLLERR);
	}
	mutex_unlock(&t->send_lock);
	if (r == -EPIPE) {
		r = sock_take_error(sk) ?: -EPIPE;
		if (r == -EPIPE && !(m->flags & MSG_NOSIGNAL))
			vfs_broken_pipe();
	}
	return r;
}
