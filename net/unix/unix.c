/* AF_UNIX: what streams, datagrams and sequenced packets have in common. unix(7). */
#include <asm/ioctls.h>
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/string.h>
#include "unix.h"

#define ALL_BUCKETS 64u

static SLAB_CACHE(g_usock_cache, struct usock);
static struct {               /* every socket, for /proc/net/unix and diag */
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct list_head list;
} g_all[ALL_BUCKETS];

static u32 all_bucket(const struct usock *u)
{
	return (u32)(hash_ptr(u) % ALL_BUCKETS);
}

/* Those of one bucket, referenced; *n of them. NULL: none, or no memory (*n is -ENOMEM then). */
static struct usock **snapshot(u32 bucket, int *n)
{
	struct usock **all = NULL, *u;
	int room = 0;

	for (;;) {
		int count = 0;

		spin_lock(&g_all[bucket].lock);
		list_for_each_entry(u, &g_all[bucket].list, all_link) {
			if (count < room && ref_get_unless_zero(&u->sk.refs))
				all[count++] = u;
			else if (count >= room)
				break;
		}
		spin_unlock(&g_all[bucket].lock);
		*n = count;
		if (count < room || (!room && list_empty(&g_all[bucket].list)))
			return all;
		for (int i = 0; i < count; i++)
			put_sock(&all[i]->sk);
		kvfree(all);
		room = max(room * 2, 64);
		all = kvmalloc((size_t)room * sizeof(*all), GFP_KERNEL);
		if (!all) {
			*n = -ENOMEM;
			return NULL;
		}
	}
}

int unix_for_each(u32 *bucket, bool (*fn)(struct usock *u, void *arg), void *arg)
{
	for (; *bucket < ALL_BUCKETS; (*bucket)++) {
		bool more = true;
		int n;
		struct usock **all = snapshot(*bucket, &n);

		for (int i = 0; i < n; i++) {
			more = more && fn(all[i], arg);
			put_sock(&all[i]->sk);
		}
		kvfree(all);
		if (n < 0)
			return n;
		if (!more)
			break;
	}
	return 0;
}

struct usock *unix_alloc(int type)
{
	struct usock *u = slab_alloc(&g_usock_cache, GFP_KERNEL | GFP_ZERO);
	u32 b;

	if (!u)
		return NULL;
	sock_init(&u->sk,
		type == SOCK_STREAM          ? &g_unix_stream_ops
			: type == SOCK_DGRAM ? &g_unix_dgram_ops
					     : &g_unix_seqpacket_ops,
		AF_UNIX, type, 0);
	list_init(&u->queue);
	list_init(&u->blocked);
	list_init(&u->blocked_link);
	list_init(&u->accepts);
	list_init(&u->accept_link);
	list_init(&u->inflight_link);
	mutex_init(&u->read_lock, RANK_PIPE);
	mutex_init(&u->bind_lock, RANK_PIPE);
	b = all_bucket(u);
	spin_lock(&g_all[b].lock);
	list_add(&u->all_link, &g_all[b].list);
	spin_unlock(&g_all[b].lock);
	return u;
}

static void free_usock(struct rcu_head *head)
{
	slab_free(&g_usock_cache, container_of(head, struct usock, sk.rcu));
}

void unix_destroy(struct sock *sk)
{
	struct usock *u = usock_of(sk);
	u32 b = all_bucket(u);

	spin_lock(&g_all[b].lock);
	list_del(&u->all_link);
	spin_unlock(&g_all[b].lock);
	put_unix_addr(u->addr);
	unix_put_cred(&u->cred);
	sock_deinit(sk);
	rcu_call(&sk->rcu, free_usock);
}

void unix_set_cred(struct unix_peercred *c)
{
	struct unix_peercred old = *c;

	get_pid(current_process()->pid);
	c->pid = current_process()->pid;
	c->cred = get_cred(current_cred());
	unix_put_cred(&old);
}

void unix_put_cred(struct unix_peercred *c)
{
	put_pid(c->pid);
	if (c->cred)
		put_cred(c->cred);
	c->pid = NULL;
	c->cred = NULL;
}

void unix_lock_two(struct usock *a, struct usock *b)
{
	spin_lock(a < b ? &a->sk.lock : &b->sk.lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->sk.lock : &a->sk.lock);
}

void unix_unlock_two(struct usock *a, struct usock *b)
{
	spin_unlock(&a->sk.lock);
	if (a != b)
		spin_unlock(&b->sk.lock);
}

struct usock *unix_get_peer(struct usock *u)
{
	struct usock *p;

	spin_lock(&u->sk.lock);
	p = u->peer;
	if (p)
		get_sock(&p->sk);
	spin_unlock(&u->sk.lock);
	return p;
}

int unix_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer)
{
	struct usock *u = usock_of(sk);
	struct unix_addr *a;
	u32 len = sizeof(u->addr->name.sun_family);

	if (peer) {
		u = unix_get_peer(u);
		if (!u)
			return -ENOTCONN;
	}
	a = rcu_load(u->addr);
	addr->ss_family = AF_UNIX;
	if (a) {
		len = a->len;
		memcpy(addr, &a->name, min_t(u32, len, sizeof(*addr)));
	}
	if (peer)
		put_sock(&u->sk);
	return (int)len;
}

int unix_pair(struct sock *sa, struct sock *sb)
{
	struct usock *a = usock_of(sa), *b = usock_of(sb);

	get_sock(sa);
	get_sock(sb);
	a->peer = b;
	b->peer = a;
	unix_set_cred(&a->cred);
	unix_set_cred(&b->cred);
	if (sa->type != SOCK_DGRAM)
		a->ustate = b->ustate = UNIX_CONNECTED;
	return 0;
}

static void wake_state(struct usock *u)
{
	sock_wake_all(&u->sk,
		EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLHUP | EPOLLRDHUP | EPOLLERR);
	sock_signal(&u->sk, POLL_IN);
}

int unix_shutdown(struct sock *sk, int how)
{
	struct usock *u = usock_of(sk), *peer = NULL;
	u8 mine = (u8)(how + 1), theirs = 0; /* SHUT_* + 1 are the SHUTDOWN_* bits */

	if (mine & SHUTDOWN_RCV)
		theirs |= SHUTDOWN_SND;
	if (mine & SHUTDOWN_SND)
		theirs |= SHUTDOWN_RCV;
	spin_lock(&sk->lock);
	sk->shutdown |= mine;
	if (u->peer && sk->type != SOCK_DGRAM) {
		peer = u->peer;
		get_sock(&peer->sk);
	}
	spin_unlock(&sk->lock);
	wake_state(u);
	if (peer) {
		spin_lock(&peer->sk.lock);
		peer->sk.shutdown |= theirs;
		spin_unlock(&peer->sk.lock);
		wake_state(peer);
		put_sock(&peer->sk);
	}
	return 0;
}

u32 unix_poll_common(struct usock *u)
{
	u8 shut = READ_ONCE(u->sk.shutdown);
	u32 mask = 0;

	if (READ_ONCE(u->sk.err))
		mask |= EPOLLERR;
	if (shut == (SHUTDOWN_RCV | SHUTDOWN_SND))
		mask |= EPOLLHUP;
	if (shut & SHUTDOWN_RCV)
		mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
	if (!list_empty(&u->queue) || !list_empty(&u->accepts))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

long unix_ioctl(struct sock *sk, u32 cmd, unsigned long arg)
{
	struct usock *u = usock_of(sk);
	struct umsg *msg;
	int n = 0;

	switch (cmd) {
	case FIONREAD:
		if (u->ustate == UNIX_LISTEN)
			return -EINVAL;
		spin_lock(&sk->lock);
		msg = list_first_entry_or_null(&u->queue, struct umsg, link);
		if (sk->type == SOCK_DGRAM)
			n = msg ? (int)msg->len : 0;
		else
			n = (int)min_t(u64, u->queued_bytes, INT_MAX);
		spin_unlock(&sk->lock);
		return put_user(n, (int __user *)arg);
	case TIOCOUTQ:
		return put_user(READ_ONCE(u->wmem), (int __user *)arg);
	case SIOCATMARK:
		spin_lock(&sk->lock);
		msg = list_first_entry_or_null(&u->queue, struct umsg, link);
		n = msg && msg == u->oob;
		spin_unlock(&sk->lock);
		return put_user(n, (int __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

/* A connection that nobody accepted, or the closed socket itself: tell the peer. */
static void drop_peer(struct usock *u, bool reset)
{
	struct usock *peer;

	spin_lock(&u->sk.lock);
	u->dead = true;
	u->sk.shutdown = SHUTDOWN_RCV | SHUTDOWN_SND;
	peer = u->peer;
	u->peer = NULL;
	spin_unlock(&u->sk.lock);
	if (!peer)
		return;
	if (u->sk.type != SOCK_DGRAM) {
		spin_lock(&peer->sk.lock);
		peer->sk.shutdown = SHUTDOWN_RCV | SHUTDOWN_SND;
		if (reset)
			sock_set_error(&peer->sk, ECONNRESET);
		spin_unlock(&peer->sk.lock);
		wake_state(peer);
	}
	put_sock(&peer->sk);
}

static void drop_queue(struct usock *u)
{
	struct umsg *msg, *next;
	LIST_HEAD(gone);

	spin_lock(&u->sk.lock);
	list_splice_tail(&u->queue, &gone);
	u->oob = NULL;
	u->queued = 0;
	u->queued_bytes = 0;
	spin_unlock(&u->sk.lock);
	list_for_each_entry_safe(msg, next, &gone, link)
		umsg_free(msg);
}

static void leave_blocked(struct usock *u)
{
	struct usock *on;

	spin_lock(&u->sk.lock);
	on = u->blocked_on;
	if (on)
		get_sock(&on->sk);
	spin_unlock(&u->sk.lock);
	if (!on)
		return;
	spin_lock(&on->sk.lock);
	if (u->blocked_on == on) {
		list_del(&u->blocked_link);
		u->blocked_on = NULL;
		spin_unlock(&on->sk.lock);
		put_sock(&u->sk);  /* the list's */
		put_sock(&on->sk); /* blocked_on's */
	} else {
		spin_unlock(&on->sk.lock);
	}
	put_sock(&on->sk);
}

void unix_close(struct sock *sk)
{
	struct usock *u = usock_of(sk), *c, *next;
	LIST_HEAD(accepts);
	bool unread;

	unix_unbind(u);
	leave_blocked(u);
	spin_lock(&sk->lock);
	unread = !list_empty(&u->queue);
	list_splice_tail(&u->accepts, &accepts);
	u->nr_accepts = 0;
	spin_unlock(&sk->lock);
	drop_peer(u, unread);
	wake_state(u);
	list_for_each_entry_safe(c, next, &accepts, accept_link) {
		list_del(&c->accept_link);
		drop_peer(c, true);
		drop_queue(c);
		put_sock(&c->sk);
	}
	drop_queue(u);
	unix_wake_blocked(u);
	unix_collect_soon();
}

int unix_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len)
{
	struct usock *u = usock_of(sk);
	struct unix_peercred c = {NULL, NULL};
	struct ucred uc = {0, (u32)-1, (u32)-1};
	int err = -ENOPROTOOPT;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	spin_lock(&sk->lock);
	if (u->cred.cred) {
		c.pid = u->cred.pid;
		get_pid(c.pid);
		c.cred = get_cred(u->cred.cred);
	}
	spin_unlock(&sk->lock);
	switch (name) {
	case SO_ACCEPTCONN:
		err = sockopt_put_int(val, len, u->ustate == UNIX_LISTEN);
		break;
	case SO_PEERCRED:
		if (c.cred)
			uc = (struct ucred){(u32)c.pid->nr, c.cred->euid, c.cred->egid};
		err = sockopt_put(val, len, &uc, sizeof(uc));
		break;
	case SO_PEERGROUPS: {
		u32 n = c.cred && c.cred->groups ? (u32)c.cred->groups->count : 0;

		err = -ENODATA;
		if (!c.cred)
			break;
		if (*len < n * sizeof(u32)) {
			*len = n * (u32)sizeof(u32);
			err = -ERANGE;
			break;
		}
		*len = n * (u32)sizeof(u32);
		err = n && copy_to_user(val, c.cred->groups->gid, *len) ? -EFAULT : 0;
		break;
	}
	case SO_PEERNAME: {
		struct __kernel_sockaddr_storage addr;
		int n = unix_getname(sk, &addr, true);

		err = -ENOTCONN;
		if (n < 0)
			break;
		err = -EINVAL;
		if (*len > (u32)n)
			break;
		err = copy_to_user(val, &addr, *len) ? -EFAULT : 0;
		break;
	}
	}
	unix_put_cred(&c);
	return err;
}

static struct sock *unix_create(int type, int protocol)
{
	struct usock *u;

	if (protocol && protocol != AF_UNIX)
		return err_ptr(-EPROTONOSUPPORT);
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return err_ptr(-ESOCKTNOSUPPORT);
	u = unix_alloc(type);
	return u ? &u->sk : err_ptr(-ENOMEM);
}

static const struct net_family g_unix_family = {.family = AF_UNIX, .create = unix_create};

static int unix_init(void)
{
	for (u32 i = 0; i < ALL_BUCKETS; i++) {
		spin_init(&g_all[i].lock, RANK_SOCKET_LEAF);
		list_init(&g_all[i].list);
	}
	net_family_register(&g_unix_family);
	return 0;
}
INIT_HOOK(INIT_CORE, unix_init);
