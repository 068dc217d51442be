/*
 * Look-up tables of sockets: see <inet/table.h>. A reader that stands on a node which moves to
 * another bucket notices by the node's hash and starts again: a node's hash changes before its
 * link. In a bucket of bound sockets those bound to a device come first, then the latest bound: the
 * first match is the best.
 */
#include "inet.h"
#include <inet/table.h>
#include <kmem/page.h>

struct table_bucket {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head list;
};
struct inet_table {
	struct net *net;
	u32 mask;
	struct table_bucket *bound, *peers; /* mask + 1 each */
};

/* Sockets that share address and port (SO_REUSEPORT): the flow's hash says which one. Bucket lock
 * to write. Readers see a count and then an element: both valid for a grace period. */
struct reuse_group {
	struct rcu_head rcu;
	u32 count, room;
	struct inet_sock *socks[];
};

struct inet_table *inet_table_new(struct net *net)
{
	struct inet_table *t = kzalloc(sizeof(*t), GFP_KERNEL);
	u64 want = clamp(READ_ONCE(g_nr_frames) / 64, 256ull, 65536ull);
	u32 n = 1u << ilog2(want);

	if (!t)
		return NULL;
	t->net = net;
	t->mask = n - 1;
	t->bound = kvmalloc(n * sizeof(*t->bound), GFP_KERNEL | GFP_ZERO);
	t->peers = kvmalloc(n * sizeof(*t->peers), GFP_KERNEL | GFP_ZERO);
	if (!t->bound || !t->peers) {
		inet_table_free(t);
		return NULL;
	}
	for (u32 i = 0; i < n; i++) {
		spin_init(&t->bound[i].lock, RANK_SOCKET_LEAF);
		spin_init(&t->peers[i].lock, RANK_SOCKET_LEAF);
	}
	return t;
}

void inet_table_free(struct inet_table *t)
{
	kvfree(t->bound);
	kvfree(t->peers);
	kfree(t);
}

static u32 bound_hash(const struct inet_addr *a, u16 lport)
{
	struct {
		struct inet_addr a;
		u64 port;
	} key = {*a, lport};

	return (u32)siphash(&key, sizeof(key), &g_net_secret);
}
static u32 peer_hash(
	const struct inet_addr *local, u16 lport, const struct inet_addr *remote, u16 rport)
{
	struct {
		struct inet_addr a, b;
		u64 ports;
	} key = {*local, *remote, (u64)lport << 16 | rport};

	return (u32)siphash(&key, sizeof(key), &g_net_secret);
}

static void node_add(struct inet_node *n, struct hlist_head *h, u32 hash)
{
	store_release(&n->hash, hash); /* pairs with the check in the look-ups */
	hlist_add_head(&n->link, h);
}

/* ---- groups -------------------------------------------------------------------------------------
 */

static void group_free(struct rcu_head *head)
{
	kfree(container_of(head, struct reuse_group, rcu));
}

static bool same_group(const struct inet_sock *a, const struct inet_sock *b)
{
	return sock_opt(&a->sk, SKO_REUSEPORT) && a->lport == b->lport &&
		addr_eq(&a->local, &b->local) && a->sk.bound_dev == b->sk.bound_dev &&
		inet_flag(a, INF_V6ONLY) == inet_flag(b, INF_V6ONLY) && a->sk.uid == b->sk.uid;
}

/* Bucket lock. */
static int group_join(struct table_bucket *b, struct inet_sock *s)
{
	struct reuse_group *old = NULL, *g;
	struct inet_sock *o;
	u32 count;

	if (!sock_opt(&s->sk, SKO_REUSEPORT))
		return 0;
	hlist_for_each_entry(o, &b->list, by_port.link)
		if (o->group && same_group(o, s)) {
			old = o->group;
			break;
		}
	count = old ? old->count : 0;
	if (old && count < old->room) {
		old->socks[count] = s;
		store_release(&old->count, count + 1);
		s->group = old;
		return 0;
	}
	g = kmalloc(sizeof(*g) + max(count * 2, 4u) * sizeof(g->socks[0]), GFP_ATOMIC);
	if (!g)
		return -ENOMEM;
	g->room = max(count * 2, 4u);
	for (u32 i = 0; i < count; i++) {
		g->socks[i] = old->socks[i];
		rcu_publish(old->socks[i]->group, g);
	}
	g->socks[count] = s;
	g->count = count + 1;
	s->group = g;
	if (old)
		rcu_call(&old->rcu, group_free);
	return 0;
}

static void group_leave(struct inet_sock *s)
{
	struct reuse_group *g = s->group;

	if (!g)
		return;
	for (u32 i = 0; i < g->count; i++)
		if (g->socks[i] == s) {
			WRITE_ONCE(g->socks[i], g->socks[g->count - 1]);
			WRITE_ONCE(g->count, g->count - 1);
			break;
		}
	rcu_publish(s->group, NULL);
	if (!g->count)
		rcu_call(&g->rcu, group_free);
}

static struct inet_sock *group_choose(struct inet_sock *s, const struct inet_lookup *l)
{
	struct reuse_group *g = rcu_load(s->group);
	u32 n, h;

	if (!g)
		return s;
	n = load_acquire(&g->count);
	if (!n)
		return s;
	h = peer_hash(&l->local, l->lport, &l->remote, l->rport);
	return READ_ONCE(g->socks[(u64)h * n >> 32]);
}

/* ---- bound --------------------------------------------------------------------------------------
 */

int inet_table_bind(struct inet_table *t, struct inet_sock *s)
{
	u32 h = bound_hash(&s->local, s->lport);
	struct table_bucket *b = &t->bound[h & t->mask];
	struct inet_sock *o, *after = NULL;
	int err;

	spin_lock(&b->lock);
	err = group_join(b, s);
	if (!err) {
		store_release(&s->by_port.hash, h);
		if (!s->sk.bound_dev)
			hlist_for_each_entry(o, &b->list, by_port.link) {
				if (!o->sk.bound_dev)
					break;
				after = o;
			}
		if (after)
			hlist_add_behind(&s->by_port.link, &after->by_port.link);
		else
			hlist_add_head(&s->by_port.link, &b->list);
	}
	spin_unlock(&b->lock);
	return err;
}

void inet_table_unbind(struct inet_table *t, struct inet_sock *s)
{
	struct table_bucket *b = &t->bound[s->by_port.hash & t->mask];

	if (hlist_unhashed(&s->by_port.link))
		return;
	spin_lock(&b->lock);
	hlist_del(&s->by_port.link);
	group_leave(s);
	spin_unlock(&b->lock);
}

static struct inet_sock *find_bound(struct inet_table *t, const struct inet_addr *local,
	const struct inet_lookup *l, bool dual_only)
{
	u32 h = bound_hash(local, l->lport);
	struct inet_sock *s;

again:
	hlist_for_each_entry(s, &t->bound[h & t->mask].list, by_port.link) {
		if (unlikely((load_acquire(&s->by_port.hash) ^ h) & t->mask))
			goto again; /* it moved under us */
		if (s->lport != l->lport || !addr_eq(&s->local, local) ||
			!inet_dev_ok(s, l->ifindex))
			continue;
		if (dual_only && inet_flag(s, INF_V6ONLY))
			continue;
		return s;
	}
	return NULL;
}

struct inet_sock *inet_table_bound(struct inet_table *t, const struct inet_lookup *l)
{
	struct inet_addr any4 = addr_any(AF_INET), any6 = addr_any(AF_INET6);
	bool v4 = addr_is_v4(&l->local);
	struct inet_sock *s = find_bound(t, &l->local, l, false);

	if (!s && v4)
		s = find_bound(t, &any4, l, false);
	if (!s)
		s = find_bound(t, &any6, l, v4);
	return s ? group_choose(s, l) : NULL;
}

void inet_table_each_port(struct inet_table *t, const struct inet_addr *local, u16 lport,
	bool (*fn)(struct inet_sock *s, void *arg), void *arg)
{
	u32 h = bound_hash(local, lport);
	struct inet_sock *s;

	hlist_for_each_entry(s, &t->bound[h & t->mask].list, by_port.link)
		if (s->lport == lport && addr_eq(&s->local, local) && !fn(s, arg))
			return;
}

/* ---- connected ----------------------------------------------------------------------------------
 */

static bool peers_match(const struct inet_sock *s, const struct inet_lookup *l)
{
	return s->lport == l->lport && s->rport == l->rport && addr_eq(&s->remote, &l->remote) &&
		addr_eq(&s->local, &l->local);
}

void inet_table_connect(struct inet_table *t, struct inet_sock *s)
{
	u32 h = peer_hash(&s->local, s->lport, &s->remote, s->rport);
	struct table_bucket *b = &t->peers[h & t->mask];

	spin_lock(&b->lock);
	node_add(&s->by_peer, &b->list, h);
	spin_unlock(&b->lock);
}

bool inet_table_connect_unique(struct inet_table *t, struct inet_sock *s)
{
	struct inet_lookup l = {s->local, s->remote, s->lport, s->rport, 0};
	u32 h = peer_hash(&s->local, s->lport, &s->remote, s->rport);
	struct table_bucket *b = &t->peers[h & t->mask];
	struct inet_sock *o;
	bool unique = true;

	spin_lock(&b->lock);
	hlist_for_each_entry(o, &b->list, by_peer.link)
		if (peers_match(o, &l) &&
			(!o->sk.bound_dev || !s->sk.bound_dev ||
				o->sk.bound_dev == s->sk.bound_dev))
			unique = false;
	if (unique)
		node_add(&s->by_peer, &b->list, h);
	spin_unlock(&b->lock);
	return unique;
}

void inet_table_disconnect(struct inet_table *t, struct inet_sock *s)
{
	struct table_bucket *b = &t->peers[s->by_peer.hash & t->mask];

	if (hlist_unhashed(&s->by_peer.link))
		return;
	spin_lock(&b->lock);
	hlist_del(&s->by_peer.link);
	spin_unlock(&b->lock);
}

struct inet_sock *inet_table_connected(struct inet_table *t, const struct inet_lookup *l)
{
	u32 h = peer_hash(&l->local, l->lport, &l->remote, l->rport);
	struct inet_sock *s;

again:
	hlist_for_each_entry(s, &t->peers[h & t->mask].list, by_peer.link) {
		u32 now = load_acquire(&s->by_peer.hash);

		if (unlikely((now ^ h) & t->mask))
			goto again;
		if (now == h && peers_match(s, l) && inet_dev_ok(s, l->ifindex))
			return s;
	}
	return NULL;
}

bool inet_table_each(struct inet_table *t, bool connected, u32 *pos,
	bool (*fn)(struct inet_sock *s, void *arg), void *arg)
{
	for (; *pos <= t->mask; (*pos)++) {
		struct inet_sock *s;

		if (connected) {
			hlist_for_each_entry(s, &t->peers[*pos].list, by_peer.link)
				if (!fn(s, arg))
					return false;
		} else {
			hlist_for_each_entry(s, &t->bound[*pos].list, by_port.link)
				if (!fn(s, arg))
					return false;
		}
	}
	return true;
}

struct count {
	int family;
	u32 n;
};

static bool count_one(struct inet_sock *s, void *arg)
{
	struct count *c = arg;

	c->n += s->sk.family == c->family;
	return true;
}

u32 inet_table_count(struct inet_table *t, int family)
{
	struct count c = {.family = family};

	for (int connected = 0; connected < 2; connected++) {
		u32 pos = 0;

		(void)inet_table_each(t, connected, &pos, count_one, &c);
	}
	return c.n;
}
