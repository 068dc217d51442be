/*
 * Local ports. A hash by port number; each bucket has the uses of its ports: (port, address,
 * device). A use counts sockets by the four things that conflicts depend on. <inet/ports.h>.
 */
#include "inet.h"
#include <core/trace.h>
#include <inet/ports.h>

#define PORT_BUCKETS 1024

/* What a socket counts as: bits of port_flags, index into counts. */
#define PF_REUSEADDR 1u
#define PF_REUSEPORT 2u
#define PF_LISTEN    4u
#define PF_SHARED    8u /* chosen by connect: others may choose it too */
#define PF_KINDS     16u

struct port_use {
	struct hlist_node link; /* bucket lock */
	struct port_table *table;
	struct inet_addr addr;
	s32 dev;
	u16 port;
	bool v6only;    /* of an address :: */
	bool mixed_uid; /* owners of SO_REUSEPORT sockets differ */
	kuid_t uid;
	u32 total, counts[PF_KINDS]; /* sockets */
};
static SLAB_CACHE(g_use_cache, struct port_use);
struct port_bucket {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head uses;
};
struct port_table {
	struct inet_net *in;
	bool tcp;
	u32 perturb[256]; /* atomic: RFC 6056, algorithm 4 */
	struct port_bucket buckets[PORT_BUCKETS];
};

struct port_table *port_table_new(struct net *net, bool tcp)
{
	struct port_table *t = kvmalloc(sizeof(*t), GFP_KERNEL | GFP_ZERO);

	if (!t)
		return NULL;
	t->in = inet_net(net);
	t->tcp = tcp;
	random_bytes(t->perturb, sizeof(t->perturb));
	for (u32 i = 0; i < PORT_BUCKETS; i++)
		spin_init(&t->buckets[i].lock, RANK_SOCKET_LEAF);
	return t;
}

void port_table_free(struct port_table *t)
{
	kvfree(t);
}

static struct port_bucket *bucket(struct port_table *t, u16 port)
{
	return &t->buckets[port % PORT_BUCKETS];
}

static u8 flags_of(const struct inet_sock *s)
{
	return (sock_opt(&s->sk, SKO_REUSEADDR) ? PF_REUSEADDR : 0) |
		(sock_opt(&s->sk, SKO_REUSEPORT) ? PF_REUSEPORT : 0);
}

static bool v6only_of(const struct inet_sock *s)
{
	return !addr_is_v4(&s->local) && inet_flag(s, INF_V6ONLY);
}

/* Can one packet be for both? The wildcard :: of a dual-stack socket stands for IPv4 too. */
static bool overlaps(const struct port_use *u, const struct inet_sock *s)
{
	bool u4 = addr_is_v4(&u->addr), s4 = addr_is_v4(&s->local);
	bool u_any = addr_is_any(&u->addr), s_any = addr_is_any(&s->local);

	if (u->dev && s->sk.bound_dev && u->dev != s->sk.bound_dev)
		return false;
	if (u4 != s4) {
		if (u4)
			return s_any && !v6only_of(s);
		return u_any && !u->v6only;
	}
	return u_any || s_any || addr_eq(&u->addr, &s->local);
}

/* strict: an ephemeral port is wanted: share with nobody. */
static bool conflicts(const struct port_table *t, const struct port_use *u,
	const struct inet_sock *s, bool strict)
{
	u8 mine = flags_of(s);

	for (u32 k = 0; k < PF_KINDS; k++) {
		if (!u->counts[k])
			continue;
		if (strict)
			return true;
		if (mine & k & PF_REUSEADDR && !(t->tcp && (k & PF_LISTEN)))
			continue;
		if (mine & k & PF_REUSEPORT && !u->mixed_uid && u->uid == s->sk.uid)
			continue;
		return true;
	}
	return false;
}

static bool port_conflicts(struct port_table *t, struct port_bucket *b, const struct inet_sock *s,
	u16 port, bool strict)
{
	struct port_use *u;

	hlist_for_each_entry(u, &b->uses, link)
		if (u->port == port && overlaps(u, s) && conflicts(t, u, s, strict))
			return true;
	return false;
}

/* Count s in the use for its names. Bucket lock; -ENOMEM. */
static int enter(
	struct port_table *t, struct port_bucket *b, struct inet_sock *s, u16 port, u8 flags)
{
	struct port_use *u;
	bool only = v6only_of(s);

	hlist_for_each_entry(u, &b->uses, link)
		if (u->port == port && u->dev == s->sk.bound_dev && u->v6only == only &&
			addr_eq(&u->addr, &s->local))
			goto found;
	u = slab_alloc(&g_use_cache, GFP_ATOMIC | GFP_ZERO);
	if (!u)
		return -ENOMEM;
	u->table = t;
	u->addr = s->local;
	u->dev = s->sk.bound_dev;
	u->port = port;
	u->v6only = only;
	u->uid = s->sk.uid;
	hlist_add_head(&u->link, &b->uses);
found:
	if (flags & PF_REUSEPORT && u->uid != s->sk.uid)
		u->mixed_uid = true;
	u->total++;
	u->counts[flags]++;
	s->port = u;
	s->port_flags = flags;
	s->lport = htons(port);
	return 0;
}

/* Bucket lock. */
static void leave(struct port_use *u, u8 flags)
{
	u->counts[flags]--;
	if (--u->total)
		return;
	hlist_del(&u->link);
	slab_free(&g_use_cache, u);
}

void port_give(struct inet_sock *s, struct port_hold *to)
{
	*to = (struct port_hold){s->port, s->port_flags};
	s->port = NULL;
}

void port_drop(struct port_hold *h)
{
	struct port_bucket *b;

	if (!h->use)
		return;
	b = bucket(h->use->table, h->use->port);
	spin_lock(&b->lock);
	leave(h->use, h->flags);
	spin_unlock(&b->lock);
	h->use = NULL;
}

void port_release(struct inet_sock *s)
{
	struct port_hold h;

	port_give(s, &h);
	port_drop(&h);
}

static int try_port(struct port_table *t, struct inet_sock *s, u16 port, bool strict)
{
	struct port_bucket *b = bucket(t, port);
	int err = -EADDRINUSE;

	spin_lock(&b->lock);
	if (!port_conflicts(t, b, s, port, strict))
		err = enter(t, b, s, port, flags_of(s));
	spin_unlock(&b->lock);
	return err;
}

int port_bind(struct port_table *t, struct inet_sock *s, u16 port,
	bool (*taken)(struct inet_sock *s, u16 port))
{
	struct inet_limits *l = &t->in->limits;
	u32 lo = (u32)READ_ONCE(l->port_lo), n = (u32)READ_ONCE(l->port_hi) - lo + 1, first;

	if (port)
		return try_port(t, s, port, false);
	first = (u32)(random_u64() % n);
	for (u32 i = 0; i < n; i++) {
		u16 p = (u16)(lo + (first + i) % n);
		int err;

		if (inet_port_reserved(t->in->net, p) || (taken && taken(s, p)))
			continue;
		err = try_port(t, s, p, true);
		if (err != -EADDRINUSE)
			return err;
	}
	return -EADDRINUSE;
}

/* May a connection have the port too? Only with others that chose it in the same way. */
static int try_shared(struct port_table *t, struct inet_sock *s, u16 port)
{
	struct port_bucket *b = bucket(t, port);
	struct port_use *u;
	int err = 0;

	spin_lock(&b->lock);
	hlist_for_each_entry(u, &b->uses, link)
		if (u->port == port && overlaps(u, s))
			for (u32 k = 0; k < PF_KINDS; k++)
				if (u->counts[k] && !(k & PF_SHARED))
					err = -EADDRINUSE;
	if (!err)
		err = enter(t, b, s, port, (u8)(flags_of(s) | PF_SHARED));
	spin_unlock(&b->lock);
	return err;
}

int port_connect(
	struct port_table *t, struct inet_sock *s, bool (*claim)(struct inet_sock *s, u16 port))
{
	struct inet_limits *l = &t->in->limits;
	u32 lo = (u32)READ_ONCE(l->port_lo), n = (u32)READ_ONCE(l->port_hi) - lo + 1;
	struct {
		struct inet_addr a, b;
		u64 port;
	} key = {s->local, s->remote, s->rport};
	u64 h = siphash(&key, sizeof(key), &g_net_secret);
	u32 *count = &t->perturb[h >> 56];
	u32 first = (u32)h + __atomic_fetch_add(count, 2, __ATOMIC_RELAXED);

	/* Even distances first: odd ports are left for bind, as long as there are others. */
	for (u32 pass = 0; pass < 2; pass++)
		for (u32 i = pass; i < n; i += 2) {
			u16 p = (u16)(lo + ((first & ~1u) + i) % n);

			if (inet_port_reserved(t->in->net, p) || try_shared(t, s, p))
				continue;
			if (claim(s, p))
				return 0;
			port_release(s);
			s->lport = 0;
		}
	return -EADDRNOTAVAIL;
}

int port_inherit(struct inet_sock *child, const struct inet_sock *listener)
{
	struct port_table *t = listener->port->table;
	u16 port = listener->port->port;
	struct port_bucket *b = bucket(t, port);
	int err;

	spin_lock(&b->lock);
	err = enter(t, b, child, port, flags_of(child));
	spin_unlock(&b->lock);
	return err;
}

/* Count s by other flags; the caller has checked. Bucket lock. */
static void recount(struct inet_sock *s, u8 flags)
{
	s->port->counts[s->port_flags]--;
	s->port->counts[flags]++;
	s->port_flags = flags;
}

int port_listen(struct inet_sock *s)
{
	struct port_table *t = s->port->table;
	struct port_bucket *b = bucket(t, s->port->port);
	struct port_use *u;
	u8 mine = flags_of(s);
	int err = 0;

	spin_lock(&b->lock);
	recount(s, mine | PF_LISTEN);
	s->port->counts[s->port_flags]--; /* not against itself */
	hlist_for_each_entry(u, &b->uses, link) {
		if (u->port != s->port->port || !overlaps(u, s))
			continue;
		for (u32 k = 0; k < PF_KINDS; k++)
			if (u->counts[k] && k & PF_LISTEN &&
				!(mine & k & PF_REUSEPORT && !u->mixed_uid && u->uid == s->sk.uid))
				err = -EADDRINUSE;
	}
	s->port->counts[s->port_flags]++;
	if (err)
		recount(s, mine);
	spin_unlock(&b->lock);
	return err;
}

void port_unlisten(struct inet_sock *s)
{
	struct port_bucket *b = bucket(s->port->table, s->port->port);

	spin_lock(&b->lock);
	recount(s, s->port_flags & (u8)~PF_LISTEN);
	spin_unlock(&b->lock);
}

int port_move(struct inet_sock *s)
{
	struct port_use *old = s->port;
	struct port_table *t = old->table;
	struct port_bucket *b = bucket(t, old->port);
	u8 flags = s->port_flags;
	int err;

	spin_lock(&b->lock);
	err = enter(t, b, s, old->port, flags);
	if (!err)
		leave(old, flags);
	spin_unlock(&b->lock);
	return err;
}

void port_options(struct inet_sock *s)
{
	struct port_bucket *b;

	if (!s->port)
		return;
	b = bucket(s->port->table, s->port->port);
	spin_lock(&b->lock);
	if (s->port->dev != s->sk.bound_dev) {
		spin_unlock(&b->lock);
		if (port_move(s))
			return; /* without memory it stays where it was */
		spin_lock(&b->lock);
	}
	recount(s, (s->port_flags & (PF_LISTEN | PF_SHARED)) | flags_of(s));
	spin_unlock(&b->lock);
}
