/*
 * Putting fragments together: RFC 791, RFC 815's bookkeeping by a sorted list, RFC 5722 (overlaps
 * kill the packet, in both families as Linux does it). Memory is bounded: the oldest packet gives
 * way. All under one lock per family; a timer looks at the oldest.
 */
#include "inet.h"
#include <lib/rbtree.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>

#define FRAG_HASH_BITS  6
#define FRAG_MAX_PIECES 8192u /* a packet in pieces of 8 bytes */

struct frag_key {
	struct inet_addr src, dst;
	u32 id;
	u32 proto_dev; /* protocol, and the interface where addresses need it */
};
struct frag_piece { /* in a packet's cb */
	struct rb_node node;
	u32 off, len;      /* payload bytes */
	u16 head, next_at; /* IPv6: the fragment header, and where its number stands */
	u8 ce;             /* of the whole: a piece was marked "congestion experienced" */
};
static_assert(sizeof(struct frag_piece) <= 56, "it has to fit in cb");
struct frag_queue {
	struct hlist_node hash;
	struct list_head link; /* oldest first */
	struct frag_key key;
	struct rb_root pieces; /* by offset */
	u32 have, total;       /* payload bytes; total 0: not known */
	u32 truesize, count;
	bool all_good; /* every checksum vouched for */
	u8 ecn;        /* of all pieces, RFC 3168 5.3 */
	s64 deadline_ns;
};
struct frag_table {
	struct spinlock lock; /* RANK_SOCKET_LEAF */
	struct hlist_head hash[1 << FRAG_HASH_BITS];
	struct list_head queues;
	s64 memory; /* bytes of truesize */
	s32 count;
	struct frag_limits limits;
	struct net_timer timer;
	struct inet_net *in;
};
struct frag_net {
	struct frag_table t[2];
};

static SLAB_CACHE(g_frag_cache, struct frag_queue);

s64 frag_memory(struct inet_net *in, int f)
{
	return READ_ONCE(in->frag->t[f].memory);
}
s32 frag_queues(struct inet_net *in, int f)
{
	return READ_ONCE(in->frag->t[f].count);
}
struct frag_limits *frag_limits(struct inet_net *in, int f)
{
	return &in->frag->t[f].limits;
}

static struct frag_piece *piece_of(struct packet *p)
{
	return (struct frag_piece *)p->cb;
}

static struct packet *packet_at(struct rb_node *n)
{
	struct frag_piece *f = rb_entry(n, struct frag_piece, node);

	return (struct packet *)((u8 *)f - offsetof(struct packet, cb));
}

static struct packet *first_piece(struct frag_queue *q)
{
	struct rb_node *n = rb_first(&q->pieces);

	return n ? packet_at(n) : NULL;
}

static struct packet *take_first(struct frag_queue *q)
{
	struct packet *p = first_piece(q);

	if (p)
		rb_erase(&q->pieces, &piece_of(p)->node);
	return p;
}

static struct hlist_head *bucket(struct frag_table *t, const struct frag_key *k)
{
	return &t->hash[siphash(k, sizeof(*k), &g_net_secret) >> (64 - FRAG_HASH_BITS)];
}

/* Out of the table; the packets stay in q. Lock held. */
static void unlink_queue(struct frag_table *t, struct frag_queue *q)
{
	hlist_del(&q->hash);
	list_del(&q->link);
	t->memory -= q->truesize;
	t->count--;
}

static void free_queue(struct frag_queue *q)
{
	struct packet *p;

	while ((p = take_first(q)))
		packet_free(p);
	slab_free(&g_frag_cache, q);
}

static void arm(struct frag_table *t)
{
	struct frag_queue *oldest = list_first_entry_or_null(&t->queues, struct frag_queue, link);

	if (oldest)
		timer_arm_forever(&t->timer, oldest->deadline_ns);
}

static void report_timeout(struct frag_table *t, struct frag_queue *q)
{
	struct packet *first = first_piece(q);
	bool v4 = t == &t->in->frag->t[0];

	mib_inc2(t->in, MIB_IP_REASMTIMEOUT, v4, MIB_IP6_REASMTIMEOUT);
	mib_inc2(t->in, MIB_IP_REASMFAILS, v4, MIB_IP6_REASMFAILS);
	if (!first || piece_of(first)->off != 0)
		return;
	if (v4)
		icmp_send(first, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
	else
		icmp_send(first, ICMPV6_TIME_EXCEED, ICMPV6_EXC_FRAGTIME, 0);
}

static void frag_timer(struct net_timer *timer)
{
	struct frag_table *t = container_of(timer, struct frag_table, timer);
	s64 now = clock_mono_ns();

	for (;;) {
		struct frag_queue *q;

		spin_lock(&t->lock);
		q = list_first_entry_or_null(&t->queues, struct frag_queue, link);
		if (!q || q->deadline_ns > now) {
			arm(t);
			spin_unlock(&t->lock);
			return;
		}
		unlink_queue(t, q);
		spin_unlock(&t->lock);
		rcu_read_lock();
		report_timeout(t, q);
		rcu_read_unlock();
		free_queue(q);
	}
}

/* Lock held. */
static struct frag_queue *find_or_make(struct frag_table *t, const struct frag_key *k)
{
	struct hlist_head *b = bucket(t, k);
	struct frag_queue *q;

	hlist_for_each_entry(q, b, hash)
		if (!memcmp(&q->key, k, sizeof(*k)))
			return q;
	q = slab_alloc(&g_frag_cache, GFP_ATOMIC | GFP_ZERO);
	if (!q)
		return NULL;
	q->key = *k;
	q->all_good = true;
	q->deadline_ns = clock_mono_ns() + t->limits.time_s * NS_PER_SEC;
	hlist_add_head(&q->hash, b);
	list_add_tail(&q->link, &t->queues);
	t->count++;
	arm(t);
	return q;
}

enum placed { PLACED, DUPLICATE, OVERLAP };

/* Put the piece in order. Lock held. */
static enum placed place(struct frag_queue *q, struct packet *p)
{
	struct frag_piece *n = piece_of(p);
	struct rb_node **link = &q->pieces.node, *parent = NULL;

	while (*link) {
		struct frag_piece *o = rb_entry(*link, struct frag_piece, node);

		parent = *link;
		if (n->off + n->len <= o->off)
			link = &parent->left;
		else if (o->off + o->len <= n->off)
			link = &parent->right;
		else
			return o->off == n->off && o->len == n->len ? DUPLICATE : OVERLAP;
	}
	rb_insert(&q->pieces, &n->node, parent, link);
	q->count++;
	q->have += n->len;
	return PLACED;
}

static bool add(struct frag_table *t, struct frag_queue *q, struct packet *p, bool more)
{
	struct frag_piece *n = piece_of(p);
	u32 end = n->off + n->len;
	enum placed r;

	if (!more) {
		if (q->total && q->total != end)
			return false;
		q->total = end;
	}
	if (q->total && end > q->total)
		return false;
	if (!rb_empty(&q->pieces) && !more) {
		struct frag_piece *last = piece_of(packet_at(rb_last(&q->pieces)));

		if (last->off + last->len > end)
			return false;
	}
	if (q->count >= FRAG_MAX_PIECES)
		return false;
	r = place(q, p);
	if (r == DUPLICATE) {
		packet_free(p);
		return true;
	}
	if (r == OVERLAP)
		return false;
	q->truesize += p->truesize;
	t->memory += p->truesize;
	q->all_good &= p->csum_state == CSUM_GOOD || p->csum_state == CSUM_PARTIAL;
	return true;
}

/* The payload of p (data already behind its headers) at the end of whole. Consumes p. */
static bool append(struct packet *whole, struct packet *p)
{
	u32 len = p->len;

	if (packet_join(whole, p))
		return true;
	/* Too many fragments of pages: copy. */
	for (u32 done = 0; done < len;) {
		u8 part[256];
		u32 n = min(len - done, (u32)sizeof(part));

		packet_copy_out(p, done, part, n);
		if (packet_append(whole, part, n, GFP_ATOMIC)) {
			packet_free(p);
			return false;
		}
		done += n;
	}
	packet_free(p);
	return true;
}

/* All is there and q is out of the table: the first piece with its headers, then the payloads.
 * NULL: no memory. */
static struct packet *join_all(struct frag_queue *q)
{
	struct packet *whole = take_first(q), *p;
	bool ok = true;

	packet_csum_finish(whole);
	while ((p = take_first(q))) {
		u32 payload = piece_of(p)->len;

		if (p->csum_state == CSUM_PARTIAL)
			packet_csum_finish(p);
		packet_drop_front(p, p->len - payload);
		if (ok)
			ok = append(whole, p);
		else
			packet_free(p);
	}
	if (!ok) {
		packet_free(whole);
		return NULL;
	}
	whole->csum_state = q->all_good ? CSUM_GOOD : CSUM_NONE;
	return whole;
}

/* Make room: the oldest others go. Returns them for freeing without the lock. */
static void evict(struct frag_table *t, const struct frag_queue *keep, struct list_head *out)
{
	while (t->memory > t->limits.high) {
		struct frag_queue *q = list_first_entry_or_null(
			&t->queues, struct frag_queue, link);

		if (q == keep && list_is_last(&q->link, &t->queues))
			q = NULL;
		else if (q == keep)
			q = list_next_entry(q, link);
		if (!q)
			return;
		unlink_queue(t, q);
		list_add(&q->link, out);
	}
}

/* p with its piece in cb. The whole packet, or NULL. */
static struct packet *take(
	struct frag_table *t, const struct frag_key *k, struct packet *p, bool more, u8 ecn)
{
	bool v4 = t == &t->in->frag->t[0];
	struct list_head gone = LIST_INIT(gone);
	struct packet *whole = NULL;
	struct frag_queue *q, *next;
	bool complete = false;

	mib_inc2(t->in, MIB_IP_REASMREQDS, v4, MIB_IP6_REASMREQDS);
	spin_lock(&t->lock);
	q = find_or_make(t, k);
	if (!q || !add(t, q, p, more)) {
		if (q) {
			unlink_queue(t, q);
			list_add(&q->link, &gone);
			if (v4)
				mib_inc(t->in, MIB_IPX_REASMOVERLAPS);
		}
		packet_free(p);
		mib_inc2(t->in, MIB_IP_REASMFAILS, v4, MIB_IP6_REASMFAILS);
		q = NULL;
	} else {
		q->ecn |= (u8)(1u << (ecn & 3));
		complete = q->total && q->have == q->total;
		if (complete)
			unlink_queue(t, q);
		else
			evict(t, q, &gone);
	}
	spin_unlock(&t->lock);
	if (complete) {
		u8 marks = q->ecn;

		/* Congestion seen by one piece counts; mixed with not-ECT pieces the packet is
		 * invalid. */
		if (!(marks & 8 && marks & 1))
			whole = join_all(q);
		free_queue(q);
		if (whole && marks & 8)
			piece_of(whole)->ce = 1;
		mib_inc2(t->in, whole ? MIB_IP_REASMOKS : MIB_IP_REASMFAILS, v4,
			whole ? MIB_IP6_REASMOKS : MIB_IP6_REASMFAILS);
	}
	list_for_each_entry_safe(q, next, &gone, link) {
		list_init(&q->link);
		free_queue(q);
	}
	return whole;
}

struct packet *ip4_reassemble(struct inet_net *in, struct packet *p)
{
	struct iphdr *h = (struct iphdr *)packet_data(p);
	u16 off = ntohs(h->frag_off);
	u32 hl = h->ihl * 4u;
	struct frag_piece piece = {.off = (off & 0x1fffu) * 8, .len = p->len - hl};
	struct frag_key k = {addr_v4(h->saddr), addr_v4(h->daddr), h->id, h->protocol};
	bool more = off & 0x2000;

	if (!piece.len || (more && piece.len & 7) || piece.off + piece.len + hl > 65535) {
		mib_inc(in, MIB_IP_REASMFAILS);
		packet_free(p);
		return NULL;
	}
	*piece_of(p) = piece;
	p = take(&in->frag->t[0], &k, p, more, h->tos);
	if (!p)
		return NULL;
	h = (struct iphdr *)packet_data(p);
	if (piece_of(p)->ce)
		h->tos |= 3;
	h->tot_len = htons(p->len);
	h->frag_off = 0;
	h->check = 0;
	h->check = checksum_fold(checksum_add(0, h, h->ihl * 4u));
	return p;
}

struct packet *ip6_reassemble(struct inet_net *in, struct packet *p, u32 off, u32 next_at)
{
	u8 *h = packet_data(p), *f = h + off;
	u16 word = get_be16(f + 2);
	struct frag_piece piece = {.off = word & 0xfff8u,
		.len = p->len - off - 8,
		.head = (u16)off,
		.next_at = (u16)next_at};
	struct frag_key k = {addr_v6(h + 8), addr_v6(h + 24), get_be32(f + 4), 0};
	bool more = word & 1;
	u8 next;

	if (addr_needs_scope(&k.src) || addr_needs_scope(&k.dst))
		k.proto_dev = (u32)p->dev->ifindex << 8;
	if (more && piece.len & 7) {
		/* The length field is what is wrong (RFC 8200 4.5). */
		icmp_send(p, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, 4);
		goto bad;
	}
	if (piece.off + piece.len > 65535) {
		icmp_send(p, ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, off + 2);
		goto bad;
	}
	if (!piece.len)
		goto bad;
	*piece_of(p) = piece;
	p = take(&in->frag->t[1], &k, p, more, (u8)(get_be16(h) >> 4));
	if (!p)
		return NULL;
	h = packet_data(p);
	off = piece_of(p)->head; /* of the first piece */
	next_at = piece_of(p)->next_at;
	next = h[off];
	/* The fragment header goes: what is before it moves up. */
	memmove(h + 8, h, off);
	packet_pull(p, 8);
	h += 8;
	h[next_at] = next;
	p->net_off = p->data;
	put_be16(h + 4, (u16)(p->len - 40));
	if (piece_of(p)->ce)
		h[1] |= 0x30;
	if (p->len - 40 > 65535) {
		packet_free(p);
		return NULL;
	}
	return p;
bad:
	mib_inc(in, MIB_IP6_REASMFAILS);
	packet_free(p);
	return NULL;
}

int frag_net_init(struct inet_net *in)
{
	in->frag = kzalloc(sizeof(*in->frag), GFP_KERNEL);
	if (!in->frag)
		return -ENOMEM;
	for (int f = 0; f < 2; f++) {
		struct frag_table *t = &in->frag->t[f];

		spin_init(&t->lock, RANK_SOCKET_LEAF);
		list_init(&t->queues);
		t->limits = (struct frag_limits){4 << 20, f ? 60 : 30};
		net_timer_init(&t->timer, frag_timer);
		t->in = in;
	}
	return 0;
}

void frag_net_exit(struct inet_net *in)
{
	for (int f = 0; f < 2; f++) {
		struct frag_table *t = &in->frag->t[f];
		bool was = net_timer_cancel(&t->timer);
		struct frag_queue *q;

		(void)was; /* no reference stands for it */
		while ((q = list_first_entry_or_null(&t->queues, struct frag_queue, link))) {
			unlink_queue(t, q);
			free_queue(q);
		}
	}
}
