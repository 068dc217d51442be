/* What is found by four names and is no socket: the table of requests, and TIME_WAIT. */
#include "sock.h"

struct mini_bucket {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head list;
};
struct tcp_mini_table {
	u32 mask;
	struct mini_bucket *buckets;
};

static SLAB_CACHE(g_wait_cache, struct tcp_wait);
static SLAB_CACHE(g_half_cache, struct tcp_half);

struct tcp_half *tcp_half_alloc(void)
{
	return slab_alloc(&g_half_cache, GFP_ATOMIC | GFP_ZERO);
}

struct tcp_mini_table *tcp_mini_table_new(void)
{
	struct tcp_mini_table *t = kzalloc(sizeof(*t), GFP_KERNEL);
	u64 want = clamp(READ_ONCE(g_nr_frames) / 64, 256ull, 65536ull);
	u32 n = 1u << ilog2(want);

	if (!t)
		return NULL;
	t->mask = n - 1;
	t->buckets = kvmalloc(n * sizeof(*t->buckets), GFP_KERNEL | GFP_ZERO);
	if (!t->buckets) {
		kfree(t);
		return NULL;
	}
	for (u32 i = 0; i < n; i++)
		spin_init(&t->buckets[i].lock, RANK_SOCKET_LEAF);
	return t;
}

void tcp_mini_table_free(struct tcp_mini_table *t)
{
	if (t)
		kvfree(t->buckets);
	kfree(t);
}

static u32 names_hash(
	const struct inet_addr *local, u16 lport, const struct inet_addr *remote, u16 rport)
{
	struct {
		struct inet_addr a, b;
		u64 ports;
	} key = {*local, *remote, 3ull << 32 | (u64)lport << 16 | rport};

	return (u32)siphash(&key, sizeof(key), &g_net_secret);
}

struct tcp_mini *tcp_mini_find(struct tcp_mini_table *t, const struct inet_lookup *l)
{
	u32 h = names_hash(&l->local, l->lport, &l->remote, l->rport);
	struct tcp_mini *m;

	hlist_for_each_entry(m, &t->buckets[h & t->mask].list, link)
		if (m->hash == h && m->lport == l->lport && m->rport == l->rport &&
			addr_eq(&m->remote, &l->remote) && addr_eq(&m->local, &l->local) &&
			(!m->ifindex || !l->ifindex || (u32)m->ifindex == l->ifindex))
			return m;
	return NULL;
}

void tcp_mini_add(struct tcp_mini_table *t, struct tcp_mini *m)
{
	struct mini_bucket *b;

	m->hash = names_hash(&m->local, m->lport, &m->remote, m->rport);
	b = &t->buckets[m->hash & t->mask];
	spin_lock(&b->lock);
	m->hashed = true;
	hlist_add_head(&m->link, &b->list);
	spin_unlock(&b->lock);
}

bool tcp_mini_remove(struct tcp_mini_table *t, struct tcp_mini *m)
{
	struct mini_bucket *b = &t->buckets[m->hash & t->mask];
	bool was;

	spin_lock(&b->lock);
	was = m->hashed;
	m->hashed = false;
	if (was)
		hlist_del(&m->link);
	spin_unlock(&b->lock);
	return was;
}

bool tcp_mini_each(
	struct tcp_mini_table *t, u32 *pos, bool (*fn)(struct tcp_mini *m, void *arg), void *arg)
{
	for (; *pos <= t->mask; (*pos)++) {
		struct tcp_mini *m;

		hlist_for_each_entry(m, &t->buckets[*pos].list, link)
			if (!fn(m, arg))
				return false;
	}
	return true;
}

static void mini_free(struct rcu_head *head)
{
	struct tcp_mini *m = container_of(head, struct tcp_mini, rcu);

	if (m->kind == TCP_MINI_WAIT) {
		slab_free(&g_wait_cache, container_of(m, struct tcp_wait, mini));
	} else {
		struct tcp_half *h = container_of(m, struct tcp_half, mini);

		put_sock(&h->listener->inet.sk);
		slab_free(&g_half_cache, h);
	}
}

void tcp_mini_put(struct tcp_mini *m)
{
	if (ref_put(&m->refs))
		rcu_call(&m->rcu, mini_free);
}

/* ---- TIME_WAIT ----------------------------------------------------------------------------------
 */

void tcp_wait_end(struct tcp_wait *w)
{
	struct tcp_net *tn = tcp_net(w->mini.net);

	if (!tcp_mini_remove(tn->minis, &w->mini))
		return;
	port_drop(&w->port);
	__atomic_fetch_sub(&tn->nr_tw, 1, __ATOMIC_RELAXED);
	if (net_timer_cancel(&w->mini.timer))
		tcp_mini_put(&w->mini);
	tcp_mini_put(&w->mini);
}

static void wait_fired(struct net_timer *timer)
{
	struct tcp_wait *w = container_of(timer, struct tcp_wait, mini.timer);
	s64 deadline;

	spin_lock(&w->lock);
	deadline = w->tw.deadline_ns;
	spin_unlock(&w->lock);
	if (READ_ONCE(w->mini.hashed) && clock_mono_ns() < deadline) {
		if (net_timer_arm(timer, deadline))
			ref_get(&w->mini.refs);
	} else {
		tcp_wait_end(w);
	}
	tcp_mini_put(&w->mini);
}

void tcp_wait_make(struct tcp_sock *t, s64 now)
{
	struct inet_sock *s = &t->inet;
	struct tcp_net *tn = tcp_net(s->sk.net);
	struct tcp_wait *w;

	w = READ_ONCE(tn->nr_tw) < READ_ONCE(tn->max_tw_buckets)
		? slab_alloc(&g_wait_cache, GFP_ATOMIC | GFP_ZERO)
		: NULL;
	if (!w) {
		inet_count_tcp(tn->net, TCPM_TIME_WAIT_OVERFLOW, 1);
		return;
	}
	__atomic_fetch_add(&tn->nr_tw, 1, __ATOMIC_RELAXED);
	w->mini.kind = TCP_MINI_WAIT;
	w->mini.net = tn->net;
	w->mini.local = s->local;
	w->mini.remote = s->remote;
	w->mini.lport = s->lport;
	w->mini.rport = s->rport;
	w->mini.ifindex = addr_needs_scope(&s->remote) ? s->remote_scope : 0;
	w->mini.tos = inet_is_v4(s) ? s->tos : s->tclass;
	w->uid = s->sk.uid;
	spin_init(&w->lock, RANK_SOCKET);
	tcp_tw_init(&w->tw, &t->c, now);
	if (!inet_flag(s, INF_BOUND_PORT) || sock_opt(&s->sk, SKO_DEAD))
		port_give(s, &w->port);
	ref_init(&w->mini.refs, 1);
	net_timer_init(&w->mini.timer, wait_fired);
	if (net_timer_arm(&w->mini.timer, w->tw.deadline_ns))
		ref_get(&w->mini.refs);
	tcp_mini_add(tn->minis, &w->mini); /* before the connection leaves its table */
}

bool tcp_wait_reuse(struct tcp_wait *w, u32 *iss)
{
	struct tcp_net *tn = tcp_net(w->mini.net);
	s32 mode = READ_ONCE(tn->tw_reuse);
	bool ok;

	spin_lock_nested(&w->lock);
	ok = (mode == 1 || (mode == 2 && addr_is_loopback(&w->mini.remote))) && w->tw.ts_on &&
		clock_mono_ns() - w->tw.ts_recent_ns > NS_PER_SEC;
	*iss = w->tw.snd_nxt + 65535 + 2;
	spin_unlock(&w->lock);
	return ok;
}

static void answer(struct tcp_wait *w, struct packet *p)
{
	if (p)
		tcp_send_bare(w->mini.net, NULL, p, &w->mini.local, &w->mini.remote,
			w->mini.ifindex, w->mini.tos);
}

void tcp_wait_input(struct tcp_wait *w, struct tcp_in *in)
{
	struct net *net = w->mini.net;
	struct tcp_net *tn = tcp_net(net);
	struct inet_sock *s;
	enum tcp_verdict v;
	u32 iss;

	spin_lock(&w->lock);
	v = tcp_tw_input(&w->tw, &in->seg, READ_ONCE(tn->rfc1337), in->now);
	iss = w->tw.snd_nxt + 65535 + 2;
	if (v == TCP_ACK)
		answer(w, tcp_tw_ack(&w->tw, in->now));
	spin_unlock(&w->lock);
	if (v == TCP_GONE)
		tcp_wait_end(w);
	if (v == TCP_NEW_SYN) {
		s = inet_table_bound(tn->table, &in->l);
		if (s) {
			tcp_wait_end(w);
			tcp_listen_input(tcp_sk(&s->sk), in, iss ?: 1);
			return;
		}
		tcp_answer_reset(net, in);
	}
	packet_free(in->p);
}
