/*
 * Datagrams of AF_UNIX, and what sequenced packets share with them. A receiver whose queue is full
 * holds senders back: they stand in its list "blocked" and are woken when it takes a message.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <unix/af_unix.h>
#include "unix.h"

s32 g_unix_max_dgram_qlen = 10; /* net.unix.max_dgram_qlen: messages */

static bool queue_full(const struct usock *o)
{
	u32 limit = o->sk.type == SOCK_DGRAM ? (u32)g_unix_max_dgram_qlen : o->backlog;

	return READ_ONCE(o->queued) > (limit ? limit : (u32)g_unix_max_dgram_qlen);
}

/* Does the length of o's queue hold u back? Not between two that are each other's peer. */
static bool held_back(const struct usock *u, const struct usock *o)
{
	return o != u && READ_ONCE(o->peer) != u && queue_full(o);
}

/* Everybody in u's list may try again. */
void unix_wake_blocked(struct usock *u)
{
	while (READ_ONCE(u->blocked.next) != &u->blocked) {
		struct usock *s;

		spin_lock(&u->sk.lock);
		s = list_first_entry_or_null(&u->blocked, struct usock, blocked_link);
		if (s) {
			list_del(&s->blocked_link);
			s->blocked_on = NULL;
		}
		spin_unlock(&u->sk.lock);
		if (!s)
			return;
		sock_wake_all(&s->sk, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
		sock_signal(&s->sk, POLL_OUT);
		put_sock(&s->sk); /* the list's */
		put_sock(&u->sk); /* blocked_on's */
	}
}

/* u wants to be woken when o has room. False: it already has, or is gone. */
static bool block_on(struct usock *u, struct usock *o)
{
	struct usock *old;

	for (;;) { /* it may still stand in another's list */
		spin_lock(&u->sk.lock);
		old = u->blocked_on;
		if (old)
			get_sock(&old->sk);
		spin_unlock(&u->sk.lock);
		if (!old || old == o)
			break;
		spin_lock(&old->sk.lock);
		if (u->blocked_on == old) {
			list_del(&u->blocked_link);
			u->blocked_on = NULL;
			spin_unlock(&old->sk.lock);
			put_sock(&u->sk);
			put_sock(&old->sk);
		} else {
			spin_unlock(&old->sk.lock);
		}
		put_sock(&old->sk);
	}
	if (old)
		put_sock(&old->sk);
	unix_lock_two(u, o);
	if (!o->dead && queue_full(o)) {
		if (!u->blocked_on) {
			get_sock(&o->sk);
			get_sock(&u->sk);
			u->blocked_on = o;
			list_add_tail(&u->blocked_link, &o->blocked);
		}
		unix_unlock_two(u, o);
		return true;
	}
	unix_unlock_two(u, o);
	return false;
}

static int dgram_connect(
	struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len, u32 o_flags)
{
	struct usock *u = usock_of(sk), *o = NULL, *old;
	struct sockaddr_un name;
	int err;

	if (len < sizeof(name.sun_family))
		return -EINVAL;
	if (addr->ss_family != AF_UNSPEC) {
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
		o = unix_find(&name, len, sk->type);
		if (is_err(o))
			return ptr_err(o);
	}
	unix_lock_two(u, o ? o : u);
	err = o && o->dead ? -ECONNREFUSED : o && o->peer && o->peer != u && o != u ? -EPERM : 0;
	old = u->peer;
	if (!err)
		u->peer = o;
	unix_unlock_two(u, o ? o : u);
	if (err) {
		put_sock(&o->sk);
		return err;
	}
	if (old) {
		if (old != o) { /* what the former peer sent doesn't belong to the new one */
			struct umsg *msg, *next;
			LIST_HEAD(gone);

			spin_lock(&sk->lock);
			list_splice_tail(&u->queue, &gone);
			u->queued = 0;
			u->queued_bytes = 0;
			spin_unlock(&sk->lock);
			list_for_each_entry_safe(msg, next, &gone, link)
				umsg_free(msg);
		}
		put_sock(&old->sk);
	}
	sock_wake_all(sk, EPOLLOUT | EPOLLWRNORM);
	return 0;
}

/* Who gets it: referenced, or an error pointer. */
static struct usock *destination(struct usock *u, struct sock_msg *m)
{
	struct usock *o;

	if (m->name && m->name_len) {
		struct sockaddr_un name;
		u32 len = m->name_len;
		int err;

		if (len > sizeof(name))
			return err_ptr(-EINVAL);
		memset(&name, 0, sizeof(name));
		memcpy(&name, m->name, len);
		err = unix_check_addr(&name, &len);
		return err ? err_ptr(err) : unix_find(&name, len, u->sk.type);
	}
	o = unix_get_peer(u);
	return o ? o : err_ptr(-ENOTCONN);
}

/* The connected peer was closed: it is forgotten. */
static int forget_dead(struct usock *u, struct usock *o)
{
	bool was_peer = false;

	spin_lock(&u->sk.lock);
	if (u->peer == o) {
		u->peer = NULL;
		was_peer = true;
	}
	spin_unlock(&u->sk.lock);
	if (was_peer) {
		sock_wake_all(&u->sk, EPOLLOUT | EPOLLWRNORM);
		put_sock(&o->sk);
	}
	return -ECONNREFUSED;
}

static int try_queue(struct usock *u, struct usock *o, struct umsg *msg, bool named)
{
	int err = 0;

	spin_lock(&o->sk.lock);
	if (o->dead)
		err = u->sk.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
	else if (u->sk.type == SOCK_DGRAM && o->peer && o->peer != u && o != u)
		err = -EPERM;
	else if (o->sk.shutdown & SHUTDOWN_RCV)
		err = -EPIPE;
	else if (held_back(u, o))
		err = -EAGAIN;
	if (!err) {
		list_add_tail(&msg->link, &o->queue);
		o->queued++;
		o->queued_bytes += msg->len;
	}
	spin_unlock(&o->sk.lock);
	return err;
}

static ssize_t dgram_sendmsg(struct sock *sk, struct sock_msg *m)
{
	struct usock *u = usock_of(sk), *o;
	s64 deadline = sock_snd_deadline(sk, m->flags);
	size_t n = m->iter.count;
	struct umsg *msg;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	o = destination(u, m);
	if (is_err(o))
		return ptr_err(o);
	if (sock_opt(sk, SKO_PASSCRED) && !READ_ONCE(u->addr)) {
		err = unix_autobind(u);
		if (err)
			goto out;
	}
	err = -EMSGSIZE;
	if ((s64)n > (s64)READ_ONCE(sk->sndbuf) - 32)
		goto out;
	err = 0;
	if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND)
		err = -EPIPE;
	if (!err && READ_ONCE(u->wmem) >= READ_ONCE(sk->sndbuf))
		err = sock_wait(sk,
			READ_ONCE(u->wmem) < READ_ONCE(sk->sndbuf) || READ_ONCE(sk->err) ||
				READ_ONCE(sk->shutdown) & SHUTDOWN_SND,
			deadline);
	if (err)
		goto out;
	msg = umsg_make(u, m, n, true);
	if (is_err(msg)) {
		err = ptr_err(msg);
		goto out;
	}
	msg->eor = (m->flags & MSG_EOR) != 0;
	umsg_add_cred(msg, u, o);
	if (sock_opt(&o->sk, SKO_RCVTSTAMP) || sock_opt(&o->sk, SKO_RCVTSTAMPNS))
		msg->real_ns = clock_real_ns();
	for (;;) {
		err = try_queue(u, o, msg, m->name_len != 0);
		if (err != -EAGAIN || !deadline)
			break;
		if (block_on(u, o)) {
			err = sock_wait(sk,
				!queue_full(o) || READ_ONCE(o->dead) ||
					READ_ONCE(sk->shutdown) & SHUTDOWN_SND,
				deadline);
			if (err)
				break;
		}
		if (READ_ONCE(sk->shutdown) & SHUTDOWN_SND) {
			err = -EPIPE;
			break;
		}
	}
	if (err) {
		umsg_free(msg);
		if (err == -ECONNREFUSED)
			err = forget_dead(u, o);
		else if (err == -EPIPE && sk->type == SOCK_SEQPACKET && !(m->flags & MSG_NOSIGNAL))
			vfs_broken_pipe();
		goto out;
	}
	sock_wake(&o->sk, EPOLLIN | EPOLLRDNORM);
	sock_signal(&o->sk, POLL_IN);
	put_sock(&o->sk);
	return (ssize_t)n;
out:
	put_sock(&o->sk);
	return err;
}

/* The message that MSG_PEEK looks at (*skip bytes into it), or that is taken; NULL: none. */
static struct umsg *next_message(struct usock *u, bool peek, size_t *skip)
{
	struct umsg *msg = NULL, *it;

	spin_lock(&u->sk.lock);
	list_for_each_entry(it, &u->queue, link) {
		if (peek && *skip && *skip >= it->len) {
			*skip -= it->len;
			continue;
		}
		msg = it;
		break;
	}
	if (msg && !peek) {
		list_del(&msg->link);
		u->queued--;
		u->queued_bytes -= msg->len;
	}
	spin_unlock(&u->sk.lock);
	return msg;
}

static ssize_t dgram_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct usock *u = usock_of(sk);
	s64 deadline = sock_rcv_deadline(sk, m->flags);
	bool peek = (m->flags & MSG_PEEK) != 0;
	size_t skip, n, got;
	struct umsg *msg;
	ssize_t r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	mutex_lock(&u->read_lock); /* a message that is peeked at stays meanwhile */
	for (;;) {
		int err;

		skip = peek && READ_ONCE(sk->peek_off) > 0 ? (size_t)sk->peek_off : 0;
		msg = next_message(u, peek, &skip);
		if (msg)
			break;
		err = sock_take_error(sk);
		if (!err && READ_ONCE(sk->shutdown) & SHUTDOWN_RCV &&
			(deadline || sk->type == SOCK_SEQPACKET)) {
			mutex_unlock(&u->read_lock);
			return 0;
		}
		mutex_unlock(&u->read_lock);
		if (!err)
			err = sock_wait(sk,
				!list_empty(&u->queue) || READ_ONCE(sk->err) ||
					READ_ONCE(sk->shutdown) & SHUTDOWN_RCV,
				deadline);
		if (err)
			return err;
		mutex_lock(&u->read_lock);
	}
	umsg_copy_addr(msg->addr, m);
	n = min(msg->len - skip, m->iter.count);
	got = iter_put(&m->iter, msg->data + skip, n);
	if (n < msg->len - skip)
		m->out_flags |= MSG_TRUNC;
	if (got < n) {
		r = -EFAULT;
	} else {
		r = (ssize_t)(m->flags & MSG_TRUNC ? msg->len - skip : n);
		if (sk->type == SOCK_SEQPACKET && msg->eor)
			m->out_flags |= MSG_EOR;
		umsg_deliver_control(u, msg, m, peek);
	}
	if (peek && r >= 0 && READ_ONCE(sk->peek_off) >= 0)
		__atomic_fetch_add(&sk->peek_off, (s32)n, __ATOMIC_RELAXED);
	else if (!peek && READ_ONCE(sk->peek_off) > 0)
		WRITE_ONCE(sk->peek_off, max(sk->peek_off - (s32)msg->len, 0));
	mutex_unlock(&u->read_lock);
	if (!peek) {
		umsg_free(msg);
		unix_wake_blocked(u);
	}
	return r;
}

static u32 dgram_poll(struct sock *sk)
{
	struct usock *u = usock_of(sk), *o;
	u32 mask = unix_poll_common(u);

	if (!unix_writable(u))
		return mask;
	o = unix_get_peer(u);
	if (o) {
		bool blocked = held_back(u, o) && block_on(u, o);

		put_sock(&o->sk);
		if (blocked)
			return mask;
	}
	return mask | EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
}

static int dgram_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	return unix_getsockopt(sk, level, name, val, len);
}

const struct sock_ops g_unix_dgram_ops = {
	.bind = unix_bind,
	.connect = dgram_connect,
	.pair = unix_pair,
	.getname = unix_getname,
	.sendmsg = dgram_sendmsg,
	.recvmsg = dgram_recvmsg,
	.shutdown = unix_shutdown,
	.poll = dgram_poll,
	.ioctl = unix_ioctl,
	.getsockopt = dgram_getsockopt,
	.close = unix_close,
	.destroy = unix_destroy,
};
