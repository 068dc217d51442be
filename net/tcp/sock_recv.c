/*
 * recvmsg(2) of TCP. Whole packets are taken off the queue under sk.lock and copied without it;
 * what was not used of the last one goes back to the front. One reader at a time (recv_lock), but
 * not while it waits.
 */
#include "sock.h"
#include <sched/timer.h>

#define TAKE_MAX (256u << 10) /* bytes copied before the window is looked at again */

/* What one pass gets. */
struct taken {
	struct packet_queue q;
	u32 len;  /* bytes that may be used */
	u32 skip; /* of the first packet: peeked at before */
};

/* ---- urgent data --------------------------------------------------------------------------------
 */

static bool at_mark(const struct tcp_conn *c, u32 seq)
{
	return c->urg_state != TCP_URG_NONE && c->rcv_up == seq;
}

static ssize_t recv_urgent(struct tcp_sock *t, struct sock_msg *m)
{
	struct tcp_conn *c = &t->c;
	struct sock *sk = &t->inet.sk;
	u8 octet = 0;
	ssize_t r = 1;

	if (sock_opt(sk, SKO_OOBINLINE))
		return -EINVAL;
	tcp_lock(t);
	if (c->urg_state == TCP_URG_NONE || c->urg_state == TCP_URG_TAKEN) {
		r = -EINVAL;
	} else if (c->urg_state == TCP_URG_COMING) {
		r = c->state == TCP_CLOSE || sk->shutdown & SHUTDOWN_RCV ? 0 : -EAGAIN;
	} else {
		octet = c->urg_byte;
		if (!(m->flags & MSG_PEEK))
			c->urg_state = TCP_URG_TAKEN;
	}
	tcp_unlock(t);
	if (r != 1)
		return r;
	m->out_flags |= MSG_OOB;
	if (!m->iter.count) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	if (!(m->flags & MSG_TRUNC) && iter_put(&m->iter, &octet, 1) != 1)
		return -EFAULT;
	return 1;
}

/* ---- off the queue and back ---------------------------------------------------------------------
 */

/* Up to want bytes, but not over the mark of urgent data. sk.lock. */
static void take(struct tcp_sock *t, u32 want, struct taken *out)
{
	struct tcp_conn *c = &t->c;
	struct packet *p;
	u32 have = 0;

	if (c->urg_state != TCP_URG_NONE && seq_after(c->rcv_up, c->copied_seq))
		want = min(want, c->rcv_up - c->copied_seq);
	while (have < want && (p = packet_queue_take(&c->receive))) {
		packet_queue_add(&out->q, p);
		have += p->len;
	}
	out->len = min(have, want);
}

/* The same for MSG_PEEK: copies of the packets' heads, from skip bytes on. -ENOBUFS. */
static int look(struct tcp_sock *t, u32 skip, u32 want, struct taken *out)
{
	struct tcp_conn *c = &t->c;
	u32 have = 0, seq = c->copied_seq + skip;
	struct packet *p;

	if (c->urg_state != TCP_URG_NONE && seq_after(c->rcv_up, seq))
		want = min(want, c->rcv_up - seq);
	list_for_each_entry(p, &c->receive.list, link) {
		struct packet *copy;

		if (have >= want)
			break;
		if (skip >= p->len) {
			skip -= p->len;
			continue;
		}
		copy = packet_clone(p, GFP_ATOMIC);
		if (!copy)
			return have ? 0 : -ENOBUFS;
		if (!have)
			out->skip = skip;
		packet_queue_add(&out->q, copy);
		have += p->len - skip;
		skip = 0;
		out->len = min(have, want);
	}
	return 0;
}

/* used bytes were copied: account for them, give the rest back. */
static void give_back(struct tcp_sock *t, struct taken *k, u32 used)
{
	struct tcp_conn *c = &t->c;
	struct packet_queue done;
	struct packet *p;
	u32 truesize = 0, left = used;

	packet_queue_init(&done);
	while ((p = packet_queue_first(&k->q)) && p->len <= left) {
		packet_queue_remove(&k->q, p);
		left -= p->len;
		truesize += p->truesize;
		packet_queue_add(&done, p);
	}
	if (p && left) {
		packet_drop_front(p, left);
		tcp_cb(p)->seq += left;
		k->q.bytes -= left;
	}
	tcp_lock(t);
	while (!list_empty(&k->q.list)) {
		p = list_last_entry(&k->q.list, struct packet, link);
		packet_queue_remove(&k->q, p);
		list_add(&p->link, &c->receive.list);
		c->receive.count++;
		c->receive.bytes += p->len;
	}
	tcp_consumed(c, used, truesize, clock_mono_ns());
	if (c->urg_state != TCP_URG_NONE && seq_after(c->copied_seq, c->rcv_up))
		c->urg_state = TCP_URG_NONE;
	tcp_unlock(t);
	packet_queue_purge(&done);
}

/* Bytes that reached the program (fewer than k->len: a bad address). */
static u32 copy_out(struct taken *k, struct sock_msg *m)
{
	u32 done = 0, off = k->skip;
	struct packet *p;

	if (m->flags & MSG_TRUNC)
		return k->len;
	list_for_each_entry(p, &k->q.list, link) {
		u32 n = min(p->len - off, k->len - done);
		u32 got = (u32)packet_to_iter(p, off, &m->iter, n);

		done += got;
		off = 0;
		if (got < n || done == k->len)
			break;
	}
	return done;
}

/* ---- one pass -----------------------------------------------------------------------------------
 */

struct pass {
	size_t want; /* bytes left of the call */
	u32 peeked;  /* MSG_PEEK: bytes seen already */
	bool mark;   /* stopped at urgent data */
	bool any;    /* something was given */
};

/* Bytes; 0: nothing there; -EFAULT, -ENOBUFS. recv_lock. */
static ssize_t one_pass(struct tcp_sock *t, struct sock_msg *m, struct pass *ps)
{
	struct tcp_conn *c = &t->c;
	bool peek = m->flags & MSG_PEEK, inlined = sock_opt(&t->inet.sk, SKO_OOBINLINE);
	u32 want = (u32)min_t(size_t, ps->want, TAKE_MAX), used;
	struct taken k = {.len = 0};
	int err = 0;

	packet_queue_init(&k.q);
	tcp_lock(t);
	if (unlikely(at_mark(c, c->copied_seq + ps->peeked) && tcp_unread(c) > ps->peeked)) {
		if (ps->any) {
			ps->mark = true;
			want = 0;
		} else if (!inlined && peek) {
			ps->peeked++;
		} else if (!inlined) {
			tcp_skip_urgent(c, clock_mono_ns());
			c->urg_state = TCP_URG_NONE;
		}
	}
	if (want && peek)
		err = look(t, ps->peeked, want, &k);
	else if (want)
		take(t, want, &k);
	tcp_unlock(t);
	if (!k.len)
		return err;
	used = copy_out(&k, m);
	err = used < k.len ? -EFAULT : 0;
	if (peek) {
		packet_queue_purge(&k.q);
		ps->peeked += used;
	} else {
		give_back(t, &k, used);
	}
	return used ? (ssize_t)used : err;
}

/* There is nothing to give: 0 (end), -EAGAIN (wait), or the call's error. */
static int why_nothing(struct tcp_sock *t)
{
	struct sock *sk = &t->inet.sk;
	int err = sock_take_error(sk);

	if (err)
		return err;
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
		return 0;
	return READ_ONCE(t->c.state) == TCP_CLOSE && !READ_ONCE(t->fo_deferred) ? -ENOTCONN
										: -EAGAIN;
}

static bool ended(const struct tcp_sock *t)
{
	const struct sock *sk = &t->inet.sk;

	return READ_ONCE(sk->err) || READ_ONCE(sk->shutdown) & SHUTDOWN_RCV ||
		(READ_ONCE(t->c.state) == TCP_CLOSE && !READ_ONCE(t->fo_deferred));
}

static ssize_t recv_bytes(struct tcp_sock *t, struct sock_msg *m)
{
	struct sock *sk = &t->inet.sk;
	s64 deadline = sock_rcv_deadline(sk, m->flags);
	size_t len = m->iter.count, done = 0, target;
	struct pass ps = {.want = len};
	int err;

	target = m->flags & MSG_WAITALL ? len : min_t(size_t, len, (u32)READ_ONCE(sk->rcvlowat));
	for (;;) {
		ssize_t r;

		ps.want = len - done;
		ps.any = done;
		r = ps.want ? one_pass(t, m, &ps) : 0;
		if (r > 0) {
			done += (size_t)r;
			continue;
		}
		if (r < 0)
			return done ? (ssize_t)done : r;
		if (ps.mark || (done && done >= target) || !len)
			break;
		if (done) {
			if (ended(t))
				break;
		} else {
			err = why_nothing(t);
			if (err != -EAGAIN)
				return err;
		}
		mutex_unlock(&t->recv_lock);
		net_run();
		err = sock_wait(sk, tcp_unread(&t->c) > ps.peeked || ended(t), deadline);
		mutex_lock(&t->recv_lock);
		if (err)
			return done ? (ssize_t)done : err;
	}
	return (ssize_t)done;
}

ssize_t tcp_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_sk(sk);
	ssize_t r;

	if (m->flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, m);
	m->name_len = 0;
	if (READ_ONCE(t->c.state) == TCP_LISTEN)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return recv_urgent(t, m);
	mutex_lock(&t->recv_lock);
	r = recv_bytes(t, m);
	mutex_unlock(&t->recv_lock);
	if (r >= 0 && t->recv_inq) {
		s32 n = (s32)tcp_unread(&t->c);

		/* At the end of the stream a read would not wait either. */
		if (!n && READ_ONCE(t->c.fin_rcvd))
			n = 1;
		cmsg_put(m, SOL_TCP, TCP_CM_INQ, &n, sizeof(n));
	}
	return r;
}
