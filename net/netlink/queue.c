/* Receive queues: messages in, events to many, recvmsg. */
#include "nl.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>

#define OVERHEAD 512u /* a message counts that much more against SO_RCVBUF */

struct nl_bytes *nl_bytes_from(struct nl_buf *b)
{
	struct nl_bytes *s = b->data ? kmalloc(sizeof(*s), GFP_ATOMIC) : NULL;

	if (!s) {
		nl_free(b);
		return NULL;
	}
	ref_init(&s->refs, 1);
	s->data = b->data;
	s->len = b->len;
	b->data = NULL;
	return s;
}

void put_nl_bytes(struct nl_bytes *b)
{
	if (!ref_put(&b->refs))
		return;
	kfree(b->data);
	kfree(b);
}

static void lost(struct nl_sock *s)
{
	bool tell;

	spin_lock(&s->sk.lock);
	s->congested = true;
	s->drops++;
	tell = !(s->flags >> NLF_NO_ENOBUFS & 1);
	if (tell)
		sock_set_error(&s->sk, ENOBUFS);
	spin_unlock(&s->sk.lock);
	if (tell)
		sock_wake_all(&s->sk, EPOLLIN | EPOLLERR);
}

int nl_queue(struct nl_sock *s, struct nl_bytes *b, const struct nl_item *from)
{
	struct nl_item *item = kmalloc(sizeof(*item), GFP_ATOMIC);
	bool full;

	if (!item) {
		lost(s);
		return -ENOBUFS;
	}
	*item = *from;
	item->bytes = b;
	spin_lock(&s->sk.lock);
	full = s->congested || s->queued_bytes > (u32)max(s->sk.rcvbuf, 0);
	if (!full) {
		ref_get(&b->refs);
		list_add_tail(&item->link, &s->queue);
		s->queued_bytes += b->len + OVERHEAD;
	}
	spin_unlock(&s->sk.lock);
	if (full) {
		kfree(item);
		lost(s);
		return -ENOBUFS;
	}
	sock_wake(&s->sk, EPOLLIN | EPOLLRDNORM);
	sock_signal(&s->sk, POLL_IN);
	return 0;
}

static void free_item(struct nl_item *item)
{
	put_nl_bytes(item->bytes);
	kfree(item);
}

/* sk.lock. */
static void unlink_item(struct nl_sock *s, struct nl_item *item)
{
	list_del(&item->link);
	s->queued_bytes -= item->bytes->len + OVERHEAD;
	if (list_empty(&s->queue))
		s->congested = false;
}

void nl_queue_purge(struct nl_sock *s)
{
	struct nl_item *item, *next;

	list_for_each_entry_safe(item, next, &s->queue, link) {
		unlink_item(s, item);
		free_item(item);
	}
}

/* The first message, with a reference on its bytes; out of the queue unless peek. */
static bool first(struct nl_sock *s, bool peek, struct nl_item *out)
{
	struct nl_item *item;

	spin_lock(&s->sk.lock);
	item = list_first_entry_or_null(&s->queue, struct nl_item, link);
	if (item) {
		*out = *item;
		if (peek)
			ref_get(&item->bytes->refs);
		else
			unlink_item(s, item);
	}
	spin_unlock(&s->sk.lock);
	if (item && !peek)
		kfree(item);
	return item;
}

static int wait_first(struct nl_sock *s, u32 flags, struct nl_item *out)
{
	struct sock *sk = &s->sk;
	s64 deadline = sock_rcv_deadline(sk, flags);

	for (;;) {
		int err = sock_take_error(sk);

		if (err)
			return err;
		if (first(s, flags & MSG_PEEK, out))
			return 0;
		if (sk->shutdown & SHUTDOWN_RCV)
			return -EAGAIN;
		err = sock_wait(sk, !list_empty(&s->queue) || READ_ONCE(sk->err), deadline);
		if (err)
			return err;
	}
}

static void put_name(struct sock_msg *m, const struct nl_item *item)
{
	struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_pid = item->portid};

	if (item->group && item->group <= 32)
		a.nl_groups = 1u << (item->group - 1);
	if (m->name) {
		memcpy(m->name, &a, sizeof(a));
		m->name_len = sizeof(a);
	}
}

static void put_control(struct nl_sock *s, struct sock_msg *m, const struct nl_item *item)
{
	if (READ_ONCE(s->flags) >> NLF_PKTINFO & 1) {
		struct nl_pktinfo info = {.group = item->group};

		cmsg_put(m, SOL_NETLINK, NETLINK_PKTINFO, &info, sizeof(info));
	}
	if (sock_opt(&s->sk, SKO_PASSCRED)) {
		struct ucred uc = {item->pid, item->uid, item->gid};

		cmsg_put(m, SOL_SOCKET, SCM_CREDENTIALS, &uc, sizeof(uc));
	}
}

ssize_t nl_recvmsg(struct sock *sk, struct sock_msg *m)
{
	struct nl_sock *s = nl_of(sk);
	struct nl_item item;
	size_t n;
	ssize_t r;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->iter.count > s->max_read)
		WRITE_ONCE(s->max_read, (u32)min_t(size_t, m->iter.count, KiB(32)));
	if (list_empty(&s->queue))
		nl_dump_go_on(s); /* its last piece may have found no memory */
	r = wait_first(s, m->flags, &item);
	if (r)
		return r;
	n = min_t(size_t, item.bytes->len, m->iter.count);
	if (n < item.bytes->len)
		m->out_flags |= MSG_TRUNC;
	if (iter_put(&m->iter, item.bytes->data, n) != n) {
		r = -EFAULT;
	} else {
		r = m->flags & MSG_TRUNC ? (ssize_t)item.bytes->len : (ssize_t)n;
		put_name(m, &item);
		put_control(s, m, &item);
	}
	put_nl_bytes(item.bytes);
	nl_dump_go_on(s);
	return r;
}

int nl_broadcast(struct net *net, int protocol, u32 group, struct nl_bytes *b,
	const struct nl_item *from, u32 exclude)
{
	struct nl_item item = *from;
	struct nl_sock *s;
	int err = -ESRCH;

	item.group = group;
	rcu_read_lock();
	list_for_each_entry_rcu(s, &g_nl_protocols[protocol].listeners, listen) {
		if (s->sk.net != net || s->portid == exclude || !nl_in_group(s, group))
			continue;
		if (nl_queue(s, b, &item) == 0)
			err = 0;
	}
	rcu_read_unlock();
	return err;
}

bool nl_has_listeners(struct net *net, int protocol, u32 group)
{
	struct nl_sock *s;
	bool any = false;

	rcu_read_lock();
	list_for_each_entry_rcu(s, &g_nl_protocols[protocol].listeners, listen)
		any |= s->sk.net == net && nl_in_group(s, group);
	rcu_read_unlock();
	return any;
}

void nl_multicast(struct net *net, int protocol, u32 group, struct nl_buf *b, u32 exclude)
{
	struct nl_item kernel = {.portid = 0};
	struct nl_bytes *bytes = nl_bytes_from(b);
	struct nl_sock *s;

	if (bytes) {
		nl_broadcast(net, protocol, group, bytes, &kernel, exclude);
		put_nl_bytes(bytes);
		return;
	}
	/* No memory for the event: its listeners must know that they missed one. */
	rcu_read_lock();
	list_for_each_entry_rcu(s, &g_nl_protocols[protocol].listeners, listen)
		if (s->sk.net == net && nl_in_group(s, group))
			lost(s);
	rcu_read_unlock();
}

bool netlink_is_socket(struct file *f)
{
	struct sock *sk = file_sock(f);

	return sk && sk->family == AF_NETLINK;
}

void netlink_send_to_file(struct file *f, const void *data, u32 len)
{
	struct nl_sock *s = nl_of(file_sock(f));
	const struct nl_item from = {0};
	struct nl_bytes *bytes;
	struct nl_buf b = nl_alloc(len, GFP_KERNEL);

	if (b.data) {
		memcpy(b.data, data, len);
		b.len = len;
	}
	bytes = nl_bytes_from(&b);
	if (!bytes) {
		lost(s);
		return;
	}
	(void)nl_queue(s, bytes, &from); /* the socket keeps the error */
	put_nl_bytes(bytes);
}
