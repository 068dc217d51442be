/*
 * Fast open (RFC 7413): data with the SYN, for clients that the server knows by a cookie.
 *
 * A cookie is a keyed hash of the two addresses. Servers remember nothing but the key; clients keep
 * the cookies that they were given, and the segment size that came with them, in a small table:
 * what falls out of it costs a round trip.
 */
#include "sock.h"
#include <core/init.h>
#include <core/trace.h>
#include <sched/timer.h>
#include <tcp/tcp.h>

#define COOKIE_LEN    8 /* bytes of the cookies that we give */
#define CACHE_BUCKETS 64u
#define CACHE_DEPTH   8u /* cookies in a bucket */
#define RESET_SLOT_NS (20 * NS_PER_SEC)
#define RESET_KEEP    3 /* whole slots that a reset counts */

/* ---- keys ---------------------------------------------------------------------------------------
 */

static void net_keys(struct tcp_net *tn, struct tcp_fo_keys *out)
{
	spin_lock(&tn->fo_lock);
	if (!tn->fo_keys.nr) {
		random_bytes(tn->fo_keys.key[0], TCP_FO_KEY_LEN);
		tn->fo_keys.nr = 1;
	}
	*out = tn->fo_keys;
	spin_unlock(&tn->fo_lock);
}

void tcp_fo_net_keys(struct net *net, struct tcp_fo_keys *out)
{
	net_keys(tcp_net(net), out);
}

void tcp_fo_set_net_keys(struct net *net, const struct tcp_fo_keys *keys)
{
	struct tcp_net *tn = tcp_net(net);

	spin_lock(&tn->fo_lock);
	tn->fo_keys = *keys;
	spin_unlock(&tn->fo_lock);
}

static void keys_of(const struct tcp_sock *l, struct tcp_fo_keys *out)
{
	if (l->fast && l->fast->keys.nr)
		*out = l->fast->keys;
	else
		net_keys(tcp_net(l->inet.sk.net), out);
}

static void make_cookie(const u8 *key, const struct inet_lookup *n, u8 out[COOKIE_LEN])
{
	struct inet_addr names[2] = {n->remote, n->local};
	struct siphash_key k;
	u64 cookie;

	memcpy(k.k, key, sizeof(k.k));
	cookie = siphash(names, sizeof(names), &k);
	memcpy(out, &cookie, COOKIE_LEN);
}

static bool cookie_is(const u8 *key, const struct tcp_in *in)
{
	u8 right[COOKIE_LEN];

	make_cookie(key, &in->l, right);
	return in->seg.fo_len == COOKIE_LEN && !memcmp(right, in->seg.fo_cookie, COOKIE_LEN);
}

/* ---- a listener ---------------------------------------------------------------------------------
 */

/* The listener's part of t, made when it is first asked for; sk.lock. NULL: no memory. */
static struct tcp_fast *fast_of(struct tcp_sock *t)
{
	if (!t->fast)
		t->fast = kzalloc(sizeof(*t->fast), GFP_ATOMIC);
	return t->fast;
}

/* Connections that were reset count for a while: else forged SYNs, whose victims answer with
 * resets, would cost nothing (RFC 7413 5.1). */
static void forgive(struct tcp_fast *f, s64 now)
{
	s64 upto = now / RESET_SLOT_NS - RESET_KEEP;

	f->forgiven = max(f->forgiven, upto - (TCP_FO_RESET_SLOTS - RESET_KEEP));
	while (f->forgiven < upto) {
		u32 n, *slot = &f->resets[++f->forgiven % TCP_FO_RESET_SLOTS];

		n = __atomic_exchange_n(slot, 0, __ATOMIC_RELAXED);
		__atomic_fetch_sub(&f->nr_pending, n, __ATOMIC_RELAXED);
	}
}

static bool has_room(struct tcp_sock *l, s64 now)
{
	struct tcp_fast *f = l->fast;

	if (!f || !f->backlog)
		return false;
	if (READ_ONCE(f->nr_pending) >= f->backlog)
		forgive(f, now);
	if (READ_ONCE(f->nr_pending) < f->backlog)
		return true;
	inet_count_tcp(l->inet.sk.net, TCPM_FAST_OPEN_LISTEN_OVERFLOW, 1);
	return false;
}

bool tcp_fo_judge(struct tcp_sock *l, const struct tcp_in *in, struct tcp_request *rq)
{
	struct net *net = l->inet.sk.net;
	s32 mode = READ_ONCE(tcp_net(net)->fastopen);
	const struct tcp_seg *s = &in->seg;
	struct tcp_fo_keys k;
	bool known, spare;

	if (s->fo_len == 0)
		inet_count_tcp(net, TCPM_FAST_OPEN_COOKIE_REQD, 1);
	if (!(mode & TFO_SERVER_ENABLE) || (!s->len && s->fo_len < 0) || !has_room(l, in->now))
		return false;
	if (s->len && (mode & TFO_SERVER_COOKIE_NOT_REQD || l->fo_no_cookie))
		return true;
	if (s->fo_len < 0)
		return false;
	keys_of(l, &k);
	known = s->fo_len && cookie_is(k.key[0], in);
	spare = s->fo_len && !known && k.nr > 1 && cookie_is(k.key[1], in);
	if (!known) { /* one by the present key */
		rq->fo_len = COOKIE_LEN;
		make_cookie(k.key[0], &in->l, rq->fo_cookie);
	}
	if (spare)
		inet_count_tcp(net, TCPM_FAST_OPEN_PASSIVE_ALT_KEY, 1);
	else if (s->fo_len && !known)
		inet_count_tcp(net, TCPM_FAST_OPEN_PASSIVE_FAIL, 1);
	return known || spare;
}

void tcp_fo_begun(struct tcp_sock *t, struct tcp_sock *l)
{
	get_sock(&l->inet.sk);
	__atomic_fetch_add(&l->fast->nr_pending, 1, __ATOMIC_RELAXED);
	t->fo_listener = l;
	inet_count_tcp(l->inet.sk.net, TCPM_FAST_OPEN_PASSIVE, 1);
}

void tcp_fo_ended(struct tcp_sock *t, bool reset, s64 now)
{
	struct tcp_sock *l = t->fo_listener;
	u32 *slot = &l->fast->resets[now / RESET_SLOT_NS % TCP_FO_RESET_SLOTS];

	t->fo_listener = NULL;
	if (reset)
		__atomic_fetch_add(slot, 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_sub(&l->fast->nr_pending, 1, __ATOMIC_RELAXED);
	put_sock(&l->inet.sk);
}

void tcp_fo_listen(struct tcp_sock *t)
{
	s32 mode = READ_ONCE(tcp_net(t->inet.sk.net)->fastopen);

	if (mode & TFO_SERVER_ENABLE && mode & TFO_SERVER_WO_SOCKOPT1 &&
		!(t->fast && t->fast->backlog) && fast_of(t))
		t->fast->backlog = t->backlog;
}

/* ---- a client's cookies -------------------------------------------------------------------------
 */

struct cookie {
	struct hlist_node link; /* the one used last in front */
	struct inet_addr remote, local;
	u16 mss; /* what the peer takes */
	u8 len, bytes[TCP_FASTOPEN_MAX];
};
struct bucket {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head list;
};
struct tcp_fo_cache {
	struct bucket buckets[CACHE_BUCKETS];
};

struct tcp_fo_cache *tcp_fo_cache_new(void)
{
	struct tcp_fo_cache *c = kzalloc(sizeof(*c), GFP_KERNEL);

	for (u32 i = 0; c && i < CACHE_BUCKETS; i++)
		spin_init(&c->buckets[i].lock, RANK_SOCKET_LEAF);
	return c;
}

void tcp_fo_cache_free(struct tcp_fo_cache *c)
{
	for (u32 i = 0; c && i < CACHE_BUCKETS; i++)
		while (c->buckets[i].list.first) {
			struct cookie *k = container_of(
				c->buckets[i].list.first, struct cookie, link);

			hlist_del(&k->link);
			kfree(k);
		}
	kfree(c);
}

static struct bucket *bucket_of(const struct inet_sock *s)
{
	u64 h = siphash(&s->remote, sizeof(s->remote), &g_net_secret);

	return &tcp_net(s->sk.net)->fo_cache->buckets[h % CACHE_BUCKETS];
}

/* The cookie for s's addresses, moved to the front; NULL: none. *oldest: the one to give up when
 * the bucket is full, else NULL. Bucket's lock. */
static struct cookie *find(struct bucket *b, const struct inet_sock *s, struct cookie **oldest)
{
	struct cookie *k, *last = NULL;
	u32 n = 0;

	hlist_for_each_entry(k, &b->list, link) {
		if (addr_eq(&k->remote, &s->remote) && addr_eq(&k->local, &s->local)) {
			hlist_del(&k->link);
			hlist_add_head(&k->link, &b->list);
			return k;
		}
		last = k;
		n++;
	}
	*oldest = n >= CACHE_DEPTH ? last : NULL;
	return NULL;
}

void tcp_fo_keep_cookie(struct tcp_sock *t)
{
	const struct tcp_conn *c = &t->c;
	struct inet_sock *s = &t->inet;
	struct bucket *b = bucket_of(s);
	struct cookie *k, *old = NULL;

	spin_lock(&b->lock);
	k = find(b, s, &old);
	if (!k) {
		k = old ?: kzalloc(sizeof(*k), GFP_ATOMIC);
		if (!k) /* as if it had not been given */
			goto out;
		if (old)
			hlist_del(&old->link);
		k->remote = s->remote;
		k->local = s->local;
		hlist_add_head(&k->link, &b->list);
	}
	k->len = (u8)c->fo_got_len;
	memcpy(k->bytes, c->fo_got, sizeof(k->bytes));
	k->mss = (u16)min(c->peer_mss, 65535u);
out:
	spin_unlock(&b->lock);
}

/* ---- a client -----------------------------------------------------------------------------------
 */

void tcp_fo_prepare(struct tcp_sock *t)
{
	struct tcp_conn *c = &t->c;
	struct bucket *b = bucket_of(&t->inet);
	struct cookie *k, *old;
	s32 mode = READ_ONCE(tcp_net(t->inet.sk.net)->fastopen);

	c->fo_len = 0; /* ask for one */
	spin_lock(&b->lock);
	k = find(b, &t->inet, &old);
	if (k) {
		c->fo_len = (s8)k->len;
		memcpy(c->fo_cookie, k->bytes, sizeof(c->fo_cookie));
		c->peer_mss = k->mss;
	}
	spin_unlock(&b->lock);
	c->fo_data = c->fo_len > 0;
	if (mode & TFO_CLIENT_NO_COOKIE || t->fo_no_cookie) {
		c->fo_len = -1;
		c->fo_data = true;
	}
	if (!c->fo_data)
		c->fo_fail = TFO_COOKIE_UNAVAILABLE;
}

int tcp_fo_open(struct tcp_sock *t, struct packet *p, s64 now)
{
	struct tcp_conn *c = &t->c;
	int err;

	t->fo_deferred = false;
	if (p) {
		tcp_queue(c, p);
		c->push_seq = c->write_seq;
	}
	err = tcp_open_now(t, now);
	if (err)
		tcp_disconnect(t, now);
	return err;
}

/* ---- options ------------------------------------------------------------------------------------
 */

int tcp_fo_set(struct tcp_sock *t, int name, int v)
{
	s32 mode = READ_ONCE(tcp_net(t->inet.sk.net)->fastopen);
	bool idle = t->c.state == TCP_CLOSE && !t->fo_deferred;

	switch (name) {
	case TCP_FASTOPEN:
		if (v < 0 || !(idle || t->c.state == TCP_LISTEN))
			return -EINVAL;
		if (!fast_of(t))
			return -ENOMEM;
		t->fast->backlog = (u32)min(v, READ_ONCE(g_net_core.somaxconn));
		return 0;
	case TCP_FASTOPEN_CONNECT:
		if (v < 0 || v > 1)
			return -EINVAL;
		if (!(mode & TFO_CLIENT_ENABLE))
			return -EOPNOTSUPP;
		if (!idle)
			return -EINVAL;
		t->fo_connect = v;
		return 0;
	default: /* TCP_FASTOPEN_NO_COOKIE */
		if (v < 0 || v > 1 || !(idle || t->c.state == TCP_LISTEN))
			return -EINVAL;
		t->fo_no_cookie = v;
		return 0;
	}
}

int tcp_fo_set_key(struct tcp_sock *t, const void __user *val, u32 len)
{
	u8 key[2 * TCP_FO_KEY_LEN];
	int err = 0;

	if (len != TCP_FO_KEY_LEN && len != 2 * TCP_FO_KEY_LEN)
		return -EINVAL;
	if (copy_from_user(key, val, len))
		return -EFAULT;
	tcp_lock(t);
	if (fast_of(t)) {
		t->fast->keys.nr = (u8)(len / TCP_FO_KEY_LEN);
		memcpy(t->fast->keys.key, key, len);
	} else {
		err = -ENOMEM;
	}
	tcp_unlock(t);
	return err;
}

int tcp_fo_get_key(struct tcp_sock *t, void __user *val, u32 *len)
{
	struct tcp_fo_keys k = {.nr = 0};

	spin_lock(&t->inet.sk.lock);
	if (t->fast)
		k = t->fast->keys;
	spin_unlock(&t->inet.sk.lock);
	return sockopt_put(val, len, k.key, min(*len, k.nr * (u32)TCP_FO_KEY_LEN));
}
