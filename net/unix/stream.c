/* Connections of AF_UNIX: listen, connect, accept; the bytes of SOCK_STREAM. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "unix.h"

#define CHUNK 32768u /* bytes of a stream that travel in one message */

static int stream_listen(struct sock *sk, int backlog)
{
	struct usock *u = usock_of(sk);
	struct unix_peercred mine = {NULL, NULL}, old;
	int err = 0;

	unix_set_cred(&mine);
	spin_lock(&sk->lock);
	if (!u->addr || u->ustate == UNIX_CONNECTED) {
		err = -EINVAL;
		old = mine;
	} else {
		u->backlog = (u32)backlog;
		u->ustate = UNIX_LISTEN;
		old = u->cred;
		u->cred = mine;
	}
	spin_unlock(&sk->lock);
	unix_put_cred(&old);
	if (!err)
		sock_wake_all(sk, EPOLLOUT); /* who waits for room in the backlog */
	return err;
}

/*
 * Queue conn (already made up) at the listener o for u. 0; -EAGAIN: the backlog is full;
 * -ECONNREFUSED; errors of u's own state.
 */
static int try_connect(struct usock *u, struct usock *o, struct usock *conn)
{
	struct unix_peercred cred;
	int err = 0;

	unix_lock_two(u, o);
	if (o->dead || o->ustate != UNIX_LISTEN || o->sk.shutdown & SHUTDOWN_RCV)
		err = -ECONNREFUSED;
	else if (o->nr_accepts > o->backlog)
		err = -EAGAIN;
	else if (u->ustate == UNIX_CONNECTED)
		err = -EISCONN;
	else if (u->ustate == UNIX_LISTEN || u == o)
		err = -EINVAL;
	if (err)
		goto out;
	conn->peer = u;
	get_sock(&u->sk);
	conn->ustate = UNIX_CONNECTED;
	conn->addr = o->addr;
	ref_get(&o->addr->refs);
	cred = o->cred; /* the listener's, for SO_PEERCRED of the client */
	get_pid(cred.pid);
	get_cred(cred.cred);
	u->cred = cred;
	u->peer = conn;
	get_sock(&conn->sk);
	u->ustate = UNIX_CONNECTED;
	list_add_tail(&conn->accept_link, &o->accepts); /* with its first reference */
	o->nr_accepts++;
out:
	unix_unlock_two(u, o);
	return err;
}

static int stream_connect(
	struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len, u32 o_flags)
{
	struct usock *u = usock_of(sk), *o, *conn;
	struct sockaddr_un name;
	s64 deadline = sock_snd_deadline(sk, o_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	int err;

	if (len > sizeof(name))
		return -EINVAL;
	memset(&name, 0, sizeof(name));
	memcpy(&name, addr, len);
	err = unix_check_addr(&name, &len);
	if (err)
		return err;
	if (sock_opt(sk, SKO_PASSCRED) && !READ_ONCE(u->addr)) {
		err = unix_autobind(u);
		if (err)
			return err;
	}
	conn = unix_alloc(sk->type);
	if (!conn)
		return -ENOMEM;
	unix_set_cred(&conn->cred);
	for (;;) {
		o = unix_find(&name, len, sk->type);
		if (is_err(o)) {
			err = ptr_err(o);
			break;
		}
		conn->sk.sndbuf = o->sk.sndbuf;
		conn->sk.rcvbuf = o->sk.rcvbuf;
		conn->sk.options = o->sk.options & (1u << SKO_PASSCRED);
		conn->sk.uid = o->sk.uid;
		err = try_connect(u, o, conn);
		if (err == -EAGAIN) {
			err = sock_wait(&o->sk,
				READ_ONCE(o->nr_accepts) <= READ_ONCE(o->backlog) ||
					READ_ONCE(o->dead) || READ_ONCE(o->ustate) != UNIX_LISTEN,
				deadline);
			put_sock(&o->sk);
			if (err)
				break;
			continue;
		}
		if (!err) {
			sock_wake(&o->sk, EPOLLIN | EPOLLRDNORM);
			sock_signal(&o->sk, POLL_IN);
		}
		put_sock(&o->sk);
		break;
	}
	if (err)
		put_sock(&conn->sk);
	return err;
}

static struct sock *stream_accept(struct sock *sk, u32 o_flags)
{
	struct usock *u = usock_of(sk), *c;
	s64 deadline = sock_rcv_deadline(sk, o_flags & O_NONBLOCK ? MSG_DONTWAIT : 0);

	for (;;) {
		bool more, was_full;
		int err;

		if (READ_ONCE(u->ustate) != UNIX_LISTEN)
			return err_ptr(-EINVAL);
		spin_lock(&sk->lock);
		c = list_first_entry_or_null(&u->accepts, struct usock, accept_link);
		was_full = u->nr_accepts > u->backlog;
		if (c) {
			list_del(&c->accept_link);
			u->nr_accepts--;
		}
		more = !list_empty(&u->accepts);
		spin_unlock(&sk->lock);
		if (c) {
			if (was_full)
				sock_wake_all(sk, EPOLLOUT);
			if (more) /* an exclusive waiter passes on what it leaves */
				sock_wake(sk, EPOLLIN | EPOLLRDNORM);
			return &c->sk;
		}
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
			return err_ptr(-EINVAL);
		err = sock_wait(sk,
			!list_empty(&u->accepts) || READ_ONCE(sk->shutdown) & SHUTDOWN_RCV,
			deadline);
		if (err)
			return err_ptr(err);
	}
}

/* ---- bytes ------------------------------------------------------------------------------------- */

/* Hand msg to the peer. -EPIPE: it takes no more. */
static int queue_at(struct usock *u, struct usock *peer, struct umsg *msg)
{
	umsg_add_cred(msg, u, peer);
	spin_lock(&peer->sk.lock);
	if (peer->dead || peer->sk.shutdown & SHUTDOWN_RCV) {
		spin_unlock(&peer->sk.lock);
		return -EPIPE;
	}
	list_add_tail(&msg->link, &peer->queue);
	peer->queued++;
	peer->queued_bytes += msg->len;
	if (msg->oob)
		peer->oob = msg;
	spin_unlock(&peer->sk.lock);
	sock_wake(&peer->sk, msg->oob ? EPOLLIN | EPOLLRDNORM | EPOLLPRI : EPOLLIN | EPOLLRDNORM);
	sock_signal(&peer->sk, POLL_IN);
	return 0;
}

static int wait_room(struct usock *u, s64 deadline)
{
	struct sock *sk = &u->sk;

	if (READ_ONCE(u->wmem) < READ_ONCE(sk->sndbuf))
		return 0;
	return sock_wait(sk,
		READ_ONCE(u->wmem) < READ_ONCE(sk->sndbuf) ||
			READ_ONCE(sk->shutdown) & SHUTDOWN_SND || READ_ONCE(sk->err),
		deadline);
}

static ssize_t stream_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct usock *u = usock_of(sk), *peer;
	s64 deadline = sock_snd_deadline(sk, m->flags);
	size_t chunk = min_t(size_t, CHUNK, (size_t)max(sk->sndbuf / 2 - 64, 1));
	bool oob = (m->flags & MSG_OOB) != 0, first = true;
	ssize_t done = 0;
	int err = 0;

	if (oob && (m->iter.count == 0 || sk->type != SOCK_STREAM))
		return -EOPNOTSUPP;
	if (m->name_len)
		return READ_ONCE(u->ustate) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (READ_ONCE(u->ustate) != UNIX_CONNECTED)
		return -ENOTCONN;
	peer = unix_get_peer(u);
	if (!peer)
		return -ENOTCONN;
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND)
		err = -EPIPE;
	while (!err && m->iter.count) {
		size_t n = min(chunk, m->iter.count);
		struct umsg *msg;

		if (oob) /* all but the last byte, then that one */
			n = m->iter.count == 1 ? 1 : min(n, m->iter.count - 1);
		err = wait_room(u, deadline);
		if (err)
			break;
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND) {
			err = -EPIPE;
			break;
		}
		msg = umsg_make(u, m, n, first);
		if (is_err(msg)) {
			err = ptr_err(msg);
			break;
		}
		msg->oob = oob && m->iter.count == 0;
		err = queue_at(u, peer, msg);
		if (err) {
			umsg_free(msg);
			break;
		}
		first = false;
		done += (ssize_t)n;
	}
	put_sock(&peer->sk);
	if (done)
		return done;
	if (err == -EPIPE && !(m->flags & MSG_NOSIGNAL))
		vfs_broken_pipe();
	return err;
}

/* May b's bytes follow a's in one read? Credentials that the reader asked for must be the same. */
static bool glues(const struct usock *u, const struct umsg *a, const struct umsg *b)
{
	return !sock_opt(&u->sk, SKO_PASSCRED) ||
		(a->pid == b->pid && a->uid == b->uid && a->gid == b->gid);
}

static ssize_t recv_oob(struct usock *u, struct sock_msg *m)
{
	struct umsg *msg;
	bool peek = (m->flags & MSG_PEEK) != 0;
	u8 byte = 0;

	if (sock_opt(&u->sk, SKO_OOBINLINE))
		return -EINVAL;
	mutex_lock(&u->read_lock);
	spin_lock(&u->sk.lock);
	msg = u->oob;
	if (msg) {
		byte = (u8)msg->data[0];
		if (!peek) {
			u->oob = NULL;
			list_del(&msg->link);
			u->queued--;
			u->queued_bytes -= msg->len;
		}
	}
	spin_unlock(&u->sk.lock);
	mutex_unlock(&u->read_lock);
	if (!msg)
		return -EINVAL;
	if (!peek)
		umsg_free(msg);
	m->out_flags |= MSG_OOB;
	if (m->iter.count == 0) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	return iter_put(&m->iter, &byte, 1) == 1 ? 1 : -EFAULT;
}

/* The first message that an ordinary read may take from; the urgent byte is not inline. */
static struct umsg *first_message(struct usock *u, bool got_some)
{
	struct umsg *msg;

	spin_lock(&u->sk.lock);
	msg = list_first_entry_or_null(&u->queue, struct umsg, link);
	if (msg && msg->oob && !sock_opt(&u->sk, SKO_OOBINLINE)) {
		if (got_some || msg != u->oob) {
			msg = got_some ? NULL : msg;
		} else {
			/* A read that starts at the mark drops the urgent byte. */
			u->oob = NULL;
			list_del(&msg->link);
			u->queued--;
			u->queued_bytes -= msg->len;
			spin_unlock(&u->sk.lock);
			umsg_free(msg);
			return first_message(u, false);
		}
	}
	spin_unlock(&u->sk.lock);
	return msg;
}

static struct umsg *message_after(struct usock *u, struct umsg *msg)
{
	struct umsg *n = NULL;

	spin_lock(&u->sk.lock);
	if (!list_is_last(&msg->link, &u->queue))
		n = list_next_entry(msg, link);
	if (n && n->oob && !sock_opt(&u->sk, SKO_OOBINLINE))
		n = NULL;
	spin_unlock(&u->sk.lock);
	return n;
}

static void drop_message(struct usock *u, struct umsg *msg)
{
	spin_lock(&u->sk.lock);
	list_del(&msg->link);
	if (u->oob == msg)
		u->oob = NULL;
	u->queued--;
	spin_unlock(&u->sk.lock);
	umsg_free(msg);
}

static ssize_t stream_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct usock *u = usock_of(sk);
	s64 deadline = sock_rcv_deadline(sk, m->flags);
	size_t want = m->iter.count;
	/* Also a call for no bytes waits until there is something. */
	ssize_t target = max_t(ssize_t,
		m->flags & MSG_WAITALL ? (ssize_t)want
				       : min_t(ssize_t, (ssize_t)want, sk->rcvlowat),
		1);
	ssize_t done = 0;
	bool peek = (m->flags & MSG_PEEK) != 0;
	size_t skip = peek && sk->peek_off > 0 ? (size_t)sk->peek_off : 0;
	struct umsg *last = NULL, *msg;
	struct umsg like = {0}; /* credentials of what was delivered */
	bool have = false;
	int err = 0;

	if (m->flags & MSG_OOB)
		return recv_oob(u, m);
	if (READ_ONCE(u->ustate) != UNIX_CONNECTED)
		return -EINVAL;
	mutex_lock(&u->read_lock);
	while (m->iter.count || want == 0) {
		size_t n, got;

		msg = last && peek ? message_after(u, last) : first_message(u, done > 0);
		if (!msg) {
			if (done >= target)
				break;
			err = sock_take_error(sk);
			if (err || READ_ONCE(sk->shutdown) & SHUTDOWN_RCV)
				break;
			if (peek && done)
				break;
			mutex_unlock(&u->read_lock);
			err = sock_wait(sk,
				!list_empty(&u->queue) || READ_ONCE(sk->err) ||
					READ_ONCE(sk->shutdown) & SHUTDOWN_RCV,
				deadline);
			mutex_lock(&u->read_lock);
			if (err)
				break;
			continue;
		}
		n = msg->len - msg->off;
		if (skip >= n && peek && skip) {
			skip -= n;
			last = msg;
			continue;
		}
		if (have && !glues(u, &like, msg))
			break;
		n = min(n - skip, m->iter.count);
		got = iter_put(&m->iter, msg->data + msg->off + skip, n);
		if (got < n && got == 0 && n) {
			err = -EFAULT;
			break;
		}
		if (!have) {
			umsg_copy_addr(msg->addr, m);
			like.pid = msg->pid;
			like.uid = msg->uid;
			like.gid = msg->gid;
			if (like.pid)
				get_pid(like.pid);
			have = true;
		}
		done += (ssize_t)got;
		skip = 0;
		if (peek) {
			if (msg->fds) {
				umsg_deliver_control(u, msg, m, true);
				goto delivered;
			}
			last = msg;
		} else {
			bool had_fds = msg->fds != NULL, whole;

			msg->off += (u32)got;
			spin_lock(&sk->lock);
			u->queued_bytes -= got;
			spin_unlock(&sk->lock);
			whole = msg->off == msg->len;
			if (had_fds) {
				umsg_deliver_control(u, msg, m, false);
				if (whole)
					drop_message(u, msg);
				goto delivered;
			}
			if (whole)
				drop_message(u, msg);
		}
		if (got < n || want == 0)
			break;
	}
	if (have) /* credentials of plain data */
		umsg_deliver_control(u, &like, m, peek);
delivered:
	mutex_unlock(&u->read_lock);
	put_pid(like.pid);
	if (peek && sk->peek_off >= 0 && done > 0)
		__atomic_fetch_add(&sk->peek_off, (s32)done, __ATOMIC_RELAXED);
	else if (!peek && sk->peek_off > 0 && done > 0)
		WRITE_ONCE(sk->peek_off, max(sk->peek_off - (s32)done, 0));
	return done ? done : err;
}

static u32 stream_poll(struct sock *sk)
{
	struct usock *u = usock_of(sk);
	u32 mask = unix_poll_common(u);

	if (READ_ONCE(u->ustate) == UNIX_NEW)
		mask |= EPOLLHUP;
	if (READ_ONCE(u->oob))
		mask |= EPOLLPRI;
	if (READ_ONCE(u->ustate) != UNIX_LISTEN && unix_writable(u))
		mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
	return mask;
}

const struct sock_ops g_unix_stream_ops = {
	.bind = unix_bind,
	.connect = stream_connect,
	.pair = unix_pair,
	.accept = stream_accept,
	.listen = stream_listen,
	.getname = unix_getname,
	.sendmsg = stream_sendmsg,
	.recvmsg = stream_recvmsg,
	.shutdown = unix_shutdown,
	.poll = stream_poll,
	.ioctl = unix_ioctl,
	.getsockopt = unix_getsockopt,
	.close = unix_close,
	.destroy = unix_destroy,
};

/* ---- SOCK_SEQPACKET: connections whose messages keep their bounds
 * -------------------------------- */

static u32 seqpacket_poll(struct sock *sk)
{
	return stream_poll(sk);
}

static ssize_t seqpacket_sendmsg(struct sock *sk, struct sock_msg *m)
{
	int err = sock_take_error(sk);

	if (err)
		return err;
	if (READ_ONCE(usock_of(sk)->ustate) != UNIX_CONNECTED)
		return -ENOTCONN;
	m->name = NULL;
	m->name_len = 0;
	return g_unix_dgram_ops.sendmsg(sk, m);
}

static ssize_t seqpacket_recvmsg(struct sock *sk, struct sock_msg *m)
{
	if (READ_ONCE(usock_of(sk)->ustate) != UNIX_CONNECTED)
		return -ENOTCONN;
	return g_unix_dgram_ops.recvmsg(sk, m);
}

const struct sock_ops g_unix_seqpacket_ops = {
	.bind = unix_bind,
	.connect = stream_connect,
	.pair = unix_pair,
	.accept = stream_accept,
	.listen = stream_listen,
	.getname = unix_getname,
	.sendmsg = seqpacket_sendmsg,
	.recvmsg = seqpacket_recvmsg,
	.shutdown = unix_shutdown,
	.poll = seqpacket_poll,
	.ioctl = unix_ioctl,
	.getsockopt = unix_getsockopt,
	.close = unix_close,
	.destroy = unix_destroy,
};
