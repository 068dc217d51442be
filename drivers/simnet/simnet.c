/* See <net/simnet.h>. */
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/context.h>
#include <net/simnet.h>

#define MILLION      1000000u
#define FRAME_OFFSET 2 /* so that the network header is aligned */

struct line { /* one direction */
	struct simnet_end *from, *to;
	struct spinlock lock;    /* RANK_DEVICE */
	struct packet_queue way; /* lock; by arrival, which is in stamp_ns */
	struct net_timer timer;  /* armed while way isn't empty */
	s64 free_ns;             /* lock: the bottleneck has sent everything */
	s64 last_ns;             /* lock: the latest arrival of those that don't overtake */
	u64 random, seed;        /* lock; the state, and the seed that it came from */
};
struct sim {
	struct simnet_pair pair;
	struct line line[2];
};

static u64 next_random(struct line *l) /* splitmix64 */
{
	u64 z;

	if (l->seed != l->from->rules.seed)
		l->seed = l->random = l->from->rules.seed;
	z = l->random += 0x9e3779b97f4a7c15ull;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static bool chance(struct line *l, u32 ppm)
{
	return ppm && next_random(l) % MILLION < ppm;
}

/* The frame as the other end gets it: bytes and nothing else, but a large packet stays one. */
static struct packet *receive_copy(const struct packet *p)
{
	struct packet *c = packet_clone(p, GFP_ATOMIC); /* headers stay aligned as they were */

	if (!c)
		return NULL;
	c->flags = 0;
	c->hash = c->mark = c->priority = 0;
	c->csum_state = CSUM_NONE;
	if (p->gso != GSO_NONE) {
		c->gso = p->gso;
		c->gso_size = p->gso_size;
		c->gso_segs = p->gso_segs;
		c->csum_state = CSUM_GOOD;
	}
	return c;
}

/* Flip one bit, in memory of the frame's own. */
static struct packet *corrupt(struct line *l, struct packet *p)
{
	u64 bit = next_random(l) % ((u64)p->len * 8);
	u8 *bytes = kmalloc(p->len, GFP_ATOMIC);
	struct packet *c = packet_alloc(FRAME_OFFSET, GFP_ATOMIC);

	if (bytes && c) {
		packet_copy_out(p, 0, bytes, p->len);
		bytes[bit / 8] ^= (u8)(1u << bit % 8);
		if (packet_append(c, bytes, p->len, GFP_ATOMIC)) {
			packet_free(c);
			c = NULL;
		}
	}
	kfree(bytes);
	packet_free(p);
	return c;
}

/* Lock. */
static void put_on_way(struct line *l, struct packet *p, s64 arrival)
{
	struct list_head *at = l->way.list.prev;

	p->stamp_ns = (u64)arrival;
	while (at != &l->way.list && (s64)container_of(at, struct packet, link)->stamp_ns > arrival)
		at = at->prev;
	list_add(&p->link, at);
	l->way.count++;
	l->way.bytes += p->len;
}

/* Lock. When the bottleneck has sent a frame of len bytes; -1: its queue is full. */
static s64 through_bottleneck(struct line *l, u32 len)
{
	const struct simnet_rules *r = &l->from->rules;
	s64 now = clock_mono_ns(), start = max(now, l->free_ns);

	if (!r->rate_bps)
		return now;
	if (r->queue_bytes &&
		(u64)(start - now) * r->rate_bps / (8 * NS_PER_SEC) + len > r->queue_bytes)
		return -1;
	l->free_ns = start + (s64)((u64)len * 8 * NS_PER_SEC / r->rate_bps);
	return l->free_ns;
}

/* Lock. Puts p (and its double) on the way. */
static void travel(struct line *l, struct packet *p, s64 sent)
{
	const struct simnet_rules *r = &l->from->rules;
	struct simnet_stats *st = &l->from->stats;
	s64 arrival = sent + r->delay_ns;
	struct packet *twin = NULL;

	if (r->jitter_ns)
		arrival += (s64)(next_random(l) % (u64)r->jitter_ns);
	if (chance(l, r->reorder_ppm)) {
		arrival += r->reorder_ns;
		st->reordered++;
	} else {
		arrival = l->last_ns = max(arrival, l->last_ns);
	}
	if (chance(l, r->duplicate_ppm)) {
		twin = receive_copy(p);
		st->duplicated += twin ? 1 : 0;
	}
	if (chance(l, r->corrupt_ppm)) {
		p = corrupt(l, p);
		st->corrupted++;
	}
	if (p)
		put_on_way(l, p, arrival);
	if (twin)
		put_on_way(l, twin, arrival);
}

/* Lock. */
static void arm(struct line *l)
{
	const struct packet *first = packet_queue_first(&l->way);

	if (first)
		(void)!net_timer_arm(&l->timer, (s64)first->stamp_ns);
}

static bool simnet_xmit(struct netif *n, struct packet *p, u32 queue, bool more)
{
	struct line *l = n->priv;
	const struct simnet_rules *r = &l->from->rules;
	struct simnet_stats *st = &l->from->stats;
	struct packet *c = NULL;
	s64 sent;

	if (p->gso == GSO_NONE)
		packet_csum_finish(p);
	spin_lock(&l->lock);
	st->sent++;
	sent = through_bottleneck(l, p->len);
	if (sent < 0)
		st->overflow++;
	else if (chance(l, r->loss_ppm) || (r->pass && !r->pass(r->arg, p)))
		st->lost++;
	else
		c = receive_copy(p);
	if (c)
		travel(l, c, sent);
	arm(l);
	spin_unlock(&l->lock);
	packet_free(p);
	return true;
}

static struct packet *arrived(struct line *l)
{
	struct packet *p;

	spin_lock(&l->lock);
	p = packet_queue_first(&l->way);
	if (p && (s64)p->stamp_ns <= clock_mono_ns()) {
		packet_queue_remove(&l->way, p);
	} else {
		p = NULL;
		arm(l);
	}
	spin_unlock(&l->lock);
	return p;
}

static void deliver(struct net_timer *t)
{
	struct line *l = container_of(t, struct line, timer);
	struct packet *p;

	while ((p = arrived(l))) {
		p->dev = l->to->netif;
		p->stamp_ns = 0; /* it was the time of arrival on the line */
		l->from->stats.delivered++;
		l->from->stats.delivered_bytes += p->len;
		net_receive(p);
	}
}

static int simnet_set_address(struct netif *n, const u8 *addr)
{
	return 0;
}

static const struct netif_ops g_simnet_ops = {
	.xmit = simnet_xmit,
	.header = ether_header,
	.set_address = simnet_set_address,
};

static int add_end(struct sim *s, int i, struct net *net, u32 features)
{
	static u8 g_next = 1; /* tests run one after the other */
	u8 mac[6] = {2, 0x51, 0, 0, 0, g_next++};
	struct netif *n = netif_alloc(&g_simnet_ops, "sim%d", 1);
	int err;

	if (!n)
		return -ENOMEM;
	netif_setup_ether(n, mac);
	n->features = n->hw_features = features;
	n->priv = &s->line[i];
	s->pair.end[i].netif = n;
	err = netif_register(net, n);
	if (err) {
		put_netif(n);
		s->pair.end[i].netif = NULL;
	}
	return err;
}

void simnet_destroy(struct simnet_pair *pair)
{
	struct sim *s = container_of(pair, struct sim, pair);

	for (int i = 0; i < 2; i++)
		if (pair->end[i].netif)
			netif_unregister(pair->end[i].netif);
	for (int i = 0; i < 2; i++) {
		(void)!net_timer_cancel(&s->line[i].timer);
		net_drain();
		packet_queue_purge(&s->line[i].way);
	}
	kfree(s);
}

struct simnet_pair *simnet_create(
	struct net *net[2], const struct simnet_rules *rules, u32 features)
{
	struct sim *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return err_ptr(-ENOMEM);
	for (int i = 0; i < 2; i++) {
		struct line *l = &s->line[i];

		l->from = &s->pair.end[i];
		l->to = &s->pair.end[1 - i];
		l->from->rules = *rules;
		spin_init(&l->lock, RANK_DEVICE);
		packet_queue_init(&l->way);
		net_timer_init(&l->timer, deliver);
		l->from->rules.seed += (u64)i;
	}
	for (int i = 0; i < 2; i++) {
		int err = add_end(s, i, net[i], features);

		if (err) {
			simnet_destroy(&s->pair);
			return err_ptr(err);
		}
	}
	return &s->pair;
}
