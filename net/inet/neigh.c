/*
 * Neighbours: who on a link has which link address. One table per family: a hash read under RCU, a
 * list for dumps and for making room. States and times as RFC 4861 7.3 has them, for ARP too.
 *
 *              unknown: INCOMPLETE --answer--> REACHABLE --time--> STALE --use--> DELAY --> PROBE
 *                  `--no answer--> FAILED                           ^ claims by others        `-->
 * FAILED
 *
 * The table's lock and an entry's lock are never held together. An armed timer holds a reference.
 * Solicitations are sent after the entry's lock was dropped.
 */
#include "inet.h"
#include <core/trace.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/neighbour.h>

#define NEIGH_HASH_BITS 10
#define NUD_VALID       (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)
#define NUD_CONNECTED   (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)
#define GC_SCAN         256 /* entries looked at to make room for one */

struct neigh_table {
	struct hlist_head hash[1 << NEIGH_HASH_BITS];
	struct list_head all; /* oldest first */
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	u32 count;            /* without permanent ones */
	s64 last_gc_ns;
	struct neigh_counts limits;
	struct net_timer timer;
	bool timer_on;
};
struct neigh_net {
	struct neigh_table t[2];
};

static struct neigh_table *table_of(struct inet_net *in, const struct inet_addr *a)
{
	return &in->neigh->t[fam(a)];
}
struct neigh_counts *neigh_counts(struct inet_net *in, int f)
{
	return &in->neigh->t[f].limits;
}
u32 neigh_entries(struct inet_net *in, int f)
{
	return READ_ONCE(in->neigh->t[f].count);
}

static const struct neigh_conf *conf_of(const struct neigh *n)
{
	struct inet_dev *d = inet_dev(n->dev);

	return d ? &d->neigh[fam(&n->addr)] : &inet_net(n->dev->net)->neigh_default[fam(&n->addr)];
}
/* Between half and one and a half of the base, other for each entry. */
static s64 reachable_ns(const struct neigh *n)
{
	s64 base = conf_of(n)->base_reachable_ms * NS_PER_MS;

	return base / 2 + (s64)(hash_ptr(n) % 1024) * (base / 1024);
}

static struct hlist_head *bucket(
	struct neigh_table *t, const struct inet_addr *a, const struct netif *dev)
{
	u64 key[3] = {a->q[0], a->q[1], (u64)(u32)dev->ifindex};

	return &t->hash[siphash(key, sizeof(key), &g_net_secret) >> (64 - NEIGH_HASH_BITS)];
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void neigh_free(struct rcu_head *head)
{
	struct neigh *n = container_of(head, struct neigh, rcu);

	put_netif(n->dev);
	kfree(n);
}

void put_neigh(struct neigh *n)
{
	if (ref_put(&n->refs))
		rcu_call(&n->rcu, neigh_free);
}

static void arm(struct neigh *n, s64 deadline)
{
	spin_assert_held(&n->lock);
	if (net_timer_arm(&n->timer, deadline))
		ref_get(&n->refs);
}

/* Take the waiting packets; the caller tells their senders or sends them. n->lock. */
static void take_queue(struct neigh *n, struct packet_queue *out)
{
	packet_queue_init(out);
	list_splice_tail(&n->queue.list, &out->list);
	out->count = n->queue.count;
	packet_queue_init(&n->queue);
	n->queue_truesize = 0;
}

/* It has left the table: nobody finds it any more. */
static void retire(struct neigh *n)
{
	struct packet_queue q;
	bool put;

	spin_lock(&n->lock);
	n->dead = true;
	WRITE_ONCE(n->state, NUD_FAILED);
	take_queue(n, &q);
	put = net_timer_cancel(&n->timer);
	spin_unlock(&n->lock);
	packet_queue_purge(&q);
	if (put)
		put_neigh(n);
	put_neigh(n);
}

static bool counts(const struct neigh *n)
{
	return !(n->state & NUD_PERMANENT);
}

/* Table lock held. */
static void unlink_neigh(struct neigh_table *t, struct neigh *n)
{
	hlist_del(&n->hash);
	list_del(&n->link);
	t->count--;
}

static bool idle(const struct neigh *n, s64 now, s64 grace)
{
	u8 state = READ_ONCE(n->state);

	if (state & (NUD_PERMANENT | NUD_NOARP | NUD_DELAY | NUD_PROBE | NUD_INCOMPLETE))
		return false;
	if (READ_ONCE(n->flags) & NTF_EXT_LEARNED)
		return false;
	return state == NUD_FAILED || now - READ_ONCE(n->used_ns) > grace;
}

/* Make room: entries that nobody needs. True when there is some. */
static bool make_room(struct neigh_table *t, s64 now)
{
	struct list_head out = LIST_INIT(out);
	struct neigh *n, *next;
	u32 seen = 0, taken = 0;

	spin_lock(&t->lock);
	list_for_each_entry_safe(n, next, &t->all, link) {
		if (++seen > GC_SCAN)
			break;
		if (idle(n, now, 5 * NS_PER_SEC)) {
			unlink_neigh(t, n);
			list_add(&n->link, &out);
			taken++;
		} else {
			list_move_tail(&n->link, &t->all); /* others are looked at next time */
		}
	}
	t->last_gc_ns = now;
	spin_unlock(&t->lock);
	list_for_each_entry_safe(n, next, &out, link) {
		list_init(&n->link);
		retire(n);
	}
	return taken > 0;
}

static void table_timer(struct net_timer *timer)
{
	struct neigh_table *t = container_of(timer, struct neigh_table, timer);
	struct list_head out = LIST_INIT(out);
	struct neigh *n, *next;
	s64 now = clock_coarse_mono_ns();

	spin_lock(&t->lock);
	t->timer_on = t->count > 0;
	if (t->count > (u32)t->limits.gc_thresh1)
		list_for_each_entry_safe(n, next, &t->all, link)
			if (idle(n, now, conf_of(n)->gc_stale_s * NS_PER_SEC)) {
				unlink_neigh(t, n);
				list_add(&n->link, &out);
			}
	if (t->timer_on)
		timer_arm_forever(timer, now + t->limits.gc_interval_s * NS_PER_SEC);
	spin_unlock(&t->lock);
	list_for_each_entry_safe(n, next, &out, link) {
		list_init(&n->link);
		retire(n);
	}
}

static void neigh_timer(struct net_timer *t);

static struct neigh *create(
	struct inet_net *in, struct neigh_table *t, struct netif *dev, const struct inet_addr *a)
{
	s64 now = clock_coarse_mono_ns();
	struct hlist_head *b = bucket(t, a, dev);
	struct neigh *n, *e;

	if ((READ_ONCE(t->count) >= (u32)t->limits.gc_thresh3 ||
		    (READ_ONCE(t->count) >= (u32)t->limits.gc_thresh2 &&
			    now - t->last_gc_ns > 5 * NS_PER_SEC)) &&
		!make_room(t, now) && READ_ONCE(t->count) >= (u32)t->limits.gc_thresh3)
		return NULL;
	n = kzalloc(sizeof(*n), GFP_ATOMIC);
	if (!n)
		return NULL;
	ref_init(&n->refs, 1);
	spin_init(&n->lock, RANK_SOCKET_LEAF);
	get_netif(dev);
	n->dev = dev;
	n->addr = *a;
	n->state = NUD_NONE;
	n->used_ns = n->updated_ns = n->confirmed_ns = now;
	packet_queue_init(&n->queue);
	net_timer_init(&n->timer, neigh_timer);
	if (dev->flags & (IFF_NOARP | IFF_LOOPBACK)) {
		n->state = NUD_NOARP;
		memcpy(n->hw, dev->addr, dev->addr_len);
	}
	spin_lock(&t->lock);
	hlist_for_each_entry(e, b, hash)
		if (e->dev == dev && addr_eq(&e->addr, a)) {
			spin_unlock(&t->lock);
			put_neigh(n);
			return e;
		}
	hlist_add_head(&n->hash, b);
	list_add_tail(&n->link, &t->all);
	t->count++;
	if (!t->timer_on) {
		t->timer_on = true;
		timer_arm_forever(&t->timer, now + t->limits.gc_interval_s * NS_PER_SEC);
	}
	spin_unlock(&t->lock);
	return n;
}

struct neigh *neigh_lookup(
	struct inet_net *in, struct netif *dev, const struct inet_addr *a, bool make)
{
	struct neigh_table *t = table_of(in, a);
	struct neigh *n;

	hlist_for_each_entry(n, bucket(t, a, dev), hash)
		if (n->dev == dev && addr_eq(&n->addr, a))
			return n;
	return make ? create(in, t, dev, a) : NULL;
}

/* ---- the state machine --------------------------------------------------------------------------
 */

static void tell(struct neigh *n, bool del)
{
	if (g_route_events.neigh)
		g_route_events.neigh(n->dev->net, n, del);
}

static void set_state(struct neigh *n, u8 state, s64 now)
{
	spin_assert_held(&n->lock);
	WRITE_ONCE(n->state, state);
	n->updated_ns = now;
}

struct probe {
	bool ask, unicast, failed, told;
	u8 hw[NETIF_ADDR_MAX];
	struct inet_addr source;
	bool has_source;
	struct packet_queue dropped;
};

static void solicit(struct neigh *n, const struct probe *p)
{
	if (addr_is_v4(&n->addr))
		arp_solicit(n, p->unicast, p->hw, p->has_source ? &p->source : NULL);
	else
		ndp_solicit(n, p->unicast, p->hw, p->has_source ? &p->source : NULL);
}

/* The senders of what waited hear that there is nobody. */
static void report_dropped(struct neigh *n, struct packet_queue *q)
{
	bool v4 = addr_is_v4(&n->addr);
	struct packet *p;

	while ((p = packet_queue_take(q))) {
		if (v4)
			icmp_send(p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
		else
			icmp_send(p, ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0);
		packet_free(p);
	}
}

static struct inet_addr source_of(struct packet *p, bool v4)
{
	const u8 *h = packet_data(p);

	return v4 ? addr_v4(htonl(get_be32(h + 12))) : addr_v6(h + 8);
}

/* Next probe, or the end of it. n->lock held. */
static void next_probe(struct neigh *n, s64 now, struct probe *p)
{
	const struct neigh_conf *c = conf_of(n);
	s32 limit = n->state == NUD_PROBE ? c->ucast_solicit : c->ucast_solicit + c->mcast_solicit;

	if (n->state == NUD_INCOMPLETE)
		limit = c->mcast_solicit;
	if (n->probes >= limit) {
		set_state(n, NUD_FAILED, now);
		take_queue(n, &p->dropped);
		p->failed = p->told = true;
		return;
	}
	n->probes++;
	p->ask = true;
	p->unicast = n->state == NUD_PROBE;
	memcpy(p->hw, n->hw, sizeof(p->hw));
	if (packet_queue_first(&n->queue)) {
		p->source = source_of(packet_queue_first(&n->queue), addr_is_v4(&n->addr));
		p->has_source = true;
	}
	arm(n, now + c->retrans_ms * NS_PER_MS);
}

static void neigh_timer(struct net_timer *t)
{
	struct neigh *n = container_of(t, struct neigh, timer);
	struct probe p = {.ask = false};
	s64 now = clock_mono_ns();
	s64 delay;

	rcu_read_lock();
	packet_queue_init(&p.dropped);
	spin_lock(&n->lock);
	delay = conf_of(n)->delay_first_probe_s * NS_PER_SEC;
	if (n->dead)
		goto out;
	switch (n->state) {
	case NUD_REACHABLE:
		if (now < n->confirmed_ns + reachable_ns(n)) {
			arm(n, n->confirmed_ns + reachable_ns(n));
		} else if (now < n->used_ns + delay) {
			set_state(n, NUD_DELAY, now);
			arm(n, now + delay);
			p.told = true;
		} else {
			set_state(n, NUD_STALE, now);
			p.told = true;
		}
		break;
	case NUD_DELAY:
		p.told = true;
		if (now < n->confirmed_ns + delay) {
			set_state(n, NUD_REACHABLE, now);
			arm(n, n->confirmed_ns + reachable_ns(n));
			break;
		}
		set_state(n, NUD_PROBE, now);
		n->probes = 0;
		next_probe(n, now, &p);
		break;
	case NUD_PROBE:
	case NUD_INCOMPLETE:
		next_probe(n, now, &p);
		break;
	}
out:
	spin_unlock(&n->lock);
	if (p.ask)
		solicit(n, &p);
	report_dropped(n, &p.dropped);
	if (p.told)
		tell(n, false);
	rcu_read_unlock();
	put_neigh(n);
}

/* ---- output -------------------------------------------------------------------------------------
 */

static void read_hw(struct neigh *n, u8 *hw)
{
	u32 seq;

	do {
		seq = seq_read_begin(&n->seq);
		memcpy(hw, n->hw, NETIF_ADDR_MAX);
	} while (seq_read_retry(&n->seq, seq));
}

bool neigh_hw(struct neigh *n, u8 *hw)
{
	if (!(READ_ONCE(n->state) & NUD_VALID))
		return false;
	read_hw(n, hw);
	return true;
}

/* Not known (well) yet: start asking; the packet waits when there is no address at all. Returns
 * true when hw is good to send to now. */
static bool resolve(struct neigh *n, struct packet *p, u8 *hw, struct packet **dropped)
{
	s64 now = clock_mono_ns();
	struct probe pr = {.ask = false};
	bool usable = true, told = false;

	packet_queue_init(&pr.dropped);
	spin_lock(&n->lock);
	n->used_ns = now;
	switch (n->state) {
	case NUD_STALE:
		set_state(n, NUD_DELAY, now);
		arm(n, now + conf_of(n)->delay_first_probe_s * NS_PER_SEC);
		told = true;
		break;
	case NUD_NONE:
	case NUD_FAILED:
	case NUD_INCOMPLETE:
		usable = false;
		if (n->dead) {
			*dropped = p;
			break;
		}
		/* The oldest gives way (RFC 4861 7.2.2: the latest are kept). */
		while (n->queue.count &&
			n->queue_truesize + p->truesize > (u32)conf_of(n)->unres_qlen_bytes) {
			struct packet *old = packet_queue_take(&n->queue);

			n->queue_truesize -= min(old->truesize, n->queue_truesize);
			packet_queue_add(&pr.dropped, old);
		}
		packet_queue_add(&n->queue, p);
		n->queue_truesize += p->truesize;
		if (n->state != NUD_INCOMPLETE) {
			set_state(n, NUD_INCOMPLETE, now);
			n->probes = 0;
			next_probe(n, now, &pr);
			told = true;
		}
		break;
	}
	if (usable)
		memcpy(hw, n->hw, NETIF_ADDR_MAX);
	spin_unlock(&n->lock);
	packet_queue_purge(&pr.dropped);
	if (pr.ask)
		solicit(n, &pr);
	if (told)
		tell(n, false);
	return usable;
}

int neigh_send(
	struct inet_net *in, struct netif *dev, const struct inet_addr *nexthop, struct packet *p)
{
	struct packet *dropped = NULL;
	u8 hw[NETIF_ADDR_MAX];
	struct neigh *n;
	u8 state;

	p->dev = dev;
	if (!dev->ops->header)
		return netif_send(p);
	n = neigh_lookup(in, dev, nexthop, true);
	if (unlikely(!n)) {
		mib_inc2(in, MIB_IP_OUTDISCARDS, addr_is_v4(nexthop), MIB_IP6_OUTDISCARDS);
		packet_free(p);
		return -ENOBUFS;
	}
	state = READ_ONCE(n->state);
	if (likely(state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE))) {
		s64 now = clock_coarse_mono_ns();

		if (READ_ONCE(n->used_ns) != now)
			WRITE_ONCE(n->used_ns, now);
		read_hw(n, hw);
	} else if (!resolve(n, p, hw, &dropped)) {
		packet_free(dropped);
		return dropped ? -EHOSTUNREACH : 0;
	}
	return netif_send_to(p, ntohs(p->protocol), hw);
}

void ip_path_doubt(struct net *net, const struct ip_path *path)
{
	struct neigh *n = neigh_lookup(inet_net(net), path->rt->dev, &path->nexthop, false);
	bool was;

	if (!n)
		return;
	spin_lock(&n->lock);
	was = n->state == NUD_REACHABLE;
	if (was)
		set_state(n, NUD_STALE, clock_mono_ns());
	spin_unlock(&n->lock);
	if (was)
		tell(n, false);
}

/* ---- what others say ----------------------------------------------------------------------------
 */

static void set_hw(struct neigh *n, const u8 *hw)
{
	seq_write_begin(&n->seq);
	memcpy(n->hw, hw, n->dev->addr_len);
	seq_write_end(&n->seq);
}

/* The new state for an answer or claim; returns false when it is to be ignored. n->lock. */
static bool apply(struct neigh *n, const u8 *hw, u8 state, u32 flags, s64 now)
{
	bool known = n->state & NUD_VALID;
	bool differs = hw && (!known || memcmp(n->hw, hw, n->dev->addr_len));

	if (n->dead || (!(flags & NEIGH_ADMIN) && n->state & (NUD_PERMANENT | NUD_NOARP)))
		return false;
	if (!hw && !known && state & NUD_VALID)
		return false; /* nothing to be valid with */
	if (flags & NEIGH_ISROUTER_SET)
		n->router = flags & NEIGH_ROUTER;
	if (known && differs && !(flags & NEIGH_OVERRIDE)) {
		/* RFC 4861 7.2.5: not to be believed, but doubt what we have. */
		if (n->state == NUD_REACHABLE)
			set_state(n, NUD_STALE, now);
		return false;
	}
	if (differs)
		set_hw(n, hw);
	else if (known && state == NUD_STALE && n->state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE))
		return false; /* nothing new */
	if (state & NUD_CONNECTED)
		n->confirmed_ns = now;
	set_state(n, state, now);
	return true;
}

void neigh_update(struct neigh *n, const u8 *hw, u8 state, u32 flags)
{
	s64 now = clock_mono_ns();
	struct packet_queue ready;
	struct inet_net *in = inet_net(n->dev->net);
	struct packet *p;
	u8 before;
	bool changed, put = false;

	packet_queue_init(&ready);
	spin_lock(&n->lock);
	before = n->state;
	changed = apply(n, hw, state, flags, now) && before != n->state;
	if (n->state == NUD_REACHABLE)
		arm(n, now + reachable_ns(n));
	else if (n->state == NUD_DELAY || n->state == NUD_PROBE || n->state == NUD_INCOMPLETE)
		; /* its timer goes on */
	else
		put = net_timer_cancel(&n->timer);
	if (n->state & NUD_VALID || n->state == NUD_FAILED)
		take_queue(n, &ready);
	state = n->state;
	spin_unlock(&n->lock);
	if (put)
		put_neigh(n);
	if (state & NUD_VALID)
		while ((p = packet_queue_take(&ready)))
			(void)neigh_send(in, n->dev, &n->addr, p);
	else
		report_dropped(n, &ready);
	if (changed)
		tell(n, false);
}

/* ---- by hand, and all of an interface -----------------------------------------------------------
 */

int neigh_admin_add(struct inet_net *in, struct netif *dev, const struct inet_addr *a, const u8 *hw,
	u16 state, u8 ntf, u16 nlflags)
{
	struct neigh *n;
	int err = 0;

	rcu_read_lock();
	n = neigh_lookup(in, dev, a, false);
	if (n && nlflags & NLM_F_EXCL)
		err = -EEXIST;
	else if (!n && !(nlflags & NLM_F_CREATE))
		err = -ENOENT;
	else if (!n && state & NUD_VALID && !hw && !(dev->flags & IFF_NOARP))
		err = -EINVAL;
	if (!err && !n) {
		n = neigh_lookup(in, dev, a, true);
		if (!n)
			err = -ENOBUFS;
	}
	if (!err) {
		WRITE_ONCE(n->flags, ntf);
		if (state == NUD_NONE)
			state = hw ? NUD_STALE : NUD_INCOMPLETE;
		neigh_update(n, hw, (u8)state,
			NEIGH_ADMIN |
				(nlflags & NLM_F_REPLACE || !(n->state & NUD_VALID) ? NEIGH_OVERRIDE
										    : 0) |
				NEIGH_ISROUTER_SET | (ntf & NTF_ROUTER ? NEIGH_ROUTER : 0));
	}
	rcu_read_unlock();
	return err;
}

static void remove_neigh(struct neigh_table *t, struct neigh *n)
{
	bool mine;

	spin_lock(&t->lock);
	mine = !hlist_unhashed(&n->hash);
	if (mine)
		unlink_neigh(t, n);
	spin_unlock(&t->lock);
	if (mine) {
		tell(n, true);
		retire(n);
	}
}

int neigh_admin_del(struct inet_net *in, struct netif *dev, const struct inet_addr *a)
{
	struct neigh *n;

	rcu_read_lock();
	n = neigh_lookup(in, dev, a, false);
	if (n)
		remove_neigh(table_of(in, a), n);
	rcu_read_unlock();
	return n ? 0 : -ENOENT;
}

void neigh_dev_down(struct inet_net *in, struct netif *dev, bool keep_permanent)
{
	for (int f = 0; f < 2; f++) {
		struct neigh_table *t = &in->neigh->t[f];
		struct list_head out = LIST_INIT(out);
		struct neigh *n, *next;

		spin_lock(&t->lock);
		list_for_each_entry_safe(n, next, &t->all, link)
			if (n->dev == dev && (!keep_permanent || counts(n))) {
				unlink_neigh(t, n);
				list_add(&n->link, &out);
			}
		spin_unlock(&t->lock);
		list_for_each_entry_safe(n, next, &out, link) {
			list_init(&n->link);
			retire(n);
		}
	}
}

/* The list may change between two steps: go by position among those that are there. */
void neigh_each(struct inet_net *in, int f, bool (*fn)(struct neigh *n, void *arg), void *arg)
{
	struct neigh_table *t = &in->neigh->t[f];

	for (u32 b = 0; b < 1u << NEIGH_HASH_BITS; b++) {
		struct neigh *n;
		bool go = true;

		rcu_read_lock();
		hlist_for_each_entry(n, &t->hash[b], hash) {
			go = fn(n, arg);
			if (!go)
				break;
		}
		rcu_read_unlock();
		if (!go)
			return;
	}
}

int neigh_net_init(struct inet_net *in)
{
	in->neigh = kvmalloc(sizeof(*in->neigh), GFP_KERNEL | GFP_ZERO);
	if (!in->neigh)
		return -ENOMEM;
	for (int f = 0; f < 2; f++) {
		struct neigh_table *t = &in->neigh->t[f];

		list_init(&t->all);
		spin_init(&t->lock, RANK_SOCKET_LEAF);
		t->limits = (struct neigh_counts){128, 512, 1024, 30};
		net_timer_init(&t->timer, table_timer);
		in->neigh_default[f] = (struct neigh_conf){.mcast_solicit = 3,
			.ucast_solicit = 3,
			.unres_qlen_bytes = NEIGH_QUEUE_BYTES,
			.retrans_ms = 1000,
			.base_reachable_ms = 30000,
			.delay_first_probe_s = 5,
			.gc_stale_s = 60};
	}
	return 0;
}

void neigh_net_exit(struct inet_net *in)
{
	for (int f = 0; f < 2; f++) {
		bool was = net_timer_cancel(&in->neigh->t[f].timer);

		(void)was; /* no reference stands for it */
	}
}
