/* Packets: life, headers, fragments. See <net/packet.h>. */
#include "core.h"
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <net/packet.h>

struct frag_table {
	struct packet_frag frag[PACKET_MAX_FRAGS];
};

static SLAB_CACHE(g_packet_cache, struct packet);
static SLAB_CACHE(g_table_cache, struct frag_table);
static void (*g_put_route)(struct route *r); /* set at start-up */

void packet_set_put_route(void (*fn)(struct route *r))
{
	g_put_route = fn;
}

struct packet *packet_alloc(u32 headroom, u32 gfp)
{
	struct packet *p = slab_alloc(&g_packet_cache, gfp);

	if (!p)
		return NULL;
	memset(p, 0, offsetof(struct packet, own));
	list_init(&p->link);
	p->frags = p->own;
	p->data = (u16)headroom;
	p->truesize = sizeof(*p);
	return p;
}

void packet_orphan(struct packet *p)
{
	if (p->released)
		p->released(p);
	p->released = NULL;
	p->sk = NULL;
}

void packet_drop_route(struct packet *p)
{
	if (p->route)
		g_put_route(p->route);
	p->route = NULL;
}

static void drop_frags(struct packet *p)
{
	for (u32 i = 0; i < p->nr_frags; i++)
		put_page(p->frags[i].page);
	if (p->frags != p->own)
		slab_free(&g_table_cache, (struct frag_table *)p->frags);
	p->frags = p->own;
	p->nr_frags = 0;
}

void packet_free(struct packet *p)
{
	if (!p)
		return;
	packet_orphan(p);
	packet_drop_route(p);
	drop_frags(p);
	slab_free(&g_packet_cache, p);
}

void packet_queue_purge(struct packet_queue *q)
{
	struct packet *p;

	while ((p = packet_queue_take(q)))
		packet_free(p);
}

/* Room for n fragments in p, which has none yet. */
static bool table_for(struct packet *p, u32 n, u32 gfp)
{
	struct frag_table *t;

	if (n <= PACKET_FRAGS)
		return true;
	t = slab_alloc(&g_table_cache, gfp);
	if (!t)
		return false;
	p->frags = t->frag;
	return true;
}

/* The first byte of linear that means something: headers in front of data may be wanted again. */
static u32 linear_start(const struct packet *p)
{
	if (!(p->mac_off | p->net_off | p->trans_off))
		return p->data;
	return min_t(u32, p->mac_off, p->data);
}

/* What a copy of any kind inherits: all that is known about the content, nothing of its owner. */
static void copy_facts(struct packet *to, const struct packet *from)
{
	to->dev = from->dev;
	to->stamp_ns = from->stamp_ns;
	to->ifindex = from->ifindex;
	to->hash = from->hash;
	to->mark = from->mark;
	to->priority = from->priority;
	to->mac_off = from->mac_off;
	to->net_off = from->net_off;
	to->trans_off = from->trans_off;
	to->protocol = from->protocol;
	to->csum_state = from->csum_state;
	to->gso = from->gso;
	to->gso_size = from->gso_size;
	to->gso_segs = from->gso_segs;
	to->csum_start = from->csum_start;
	to->csum_offset = from->csum_offset;
	to->csum = from->csum;
	to->pkt_type = from->pkt_type;
	to->net_len = from->net_len;
	to->queue = from->queue;
	to->vlan = from->vlan;
	to->flags = from->flags;
}

struct packet *packet_clone(const struct packet *p, u32 gfp)
{
	struct packet *c = packet_alloc(p->data, gfp);
	u32 start = linear_start(p);

	if (!c)
		return NULL;
	if (!table_for(c, p->nr_frags, gfp)) {
		packet_free(c);
		return NULL;
	}
	copy_facts(c, p);
	c->flags |= PKT_CLONE;
	c->len = p->len;
	c->linear_len = p->linear_len;
	c->truesize = p->truesize;
	memcpy(c->cb, p->cb, sizeof(c->cb));
	memcpy(c->linear + start, p->linear + start, p->data + p->linear_len - start);
	for (u32 i = 0; i < p->nr_frags; i++) {
		c->frags[i] = p->frags[i];
		get_page(c->frags[i].page);
	}
	c->nr_frags = p->nr_frags;
	return c;
}

bool packet_add_frag(struct packet *p, struct page *page, u32 offset, u32 len)
{
	struct packet_frag *last = &p->frags[p->nr_frags - 1];
	struct frag_table *t;

	if (p->nr_frags && last->page == page && last->offset + last->len == offset) {
		last->len += len;
		put_page(page);
	} else {
		if (p->frags == p->own && p->nr_frags == PACKET_FRAGS) {
			t = slab_alloc(&g_table_cache, GFP_ATOMIC);
			if (!t)
				return false;
			memcpy(t->frag, p->own, sizeof(p->own));
			p->frags = t->frag;
		}
		if (p->nr_frags == PACKET_MAX_FRAGS)
			return false;
		p->frags[p->nr_frags++] = (struct packet_frag){page, offset, len};
	}
	p->len += len;
	p->truesize += len;
	return true;
}

/* Take n bytes off the first fragments. */
static void eat_frags(struct packet *p, u32 n)
{
	u32 gone = 0;

	while (n) {
		struct packet_frag *f = &p->frags[gone];
		u32 part = min(n, f->len);

		f->offset += part;
		f->len -= part;
		n -= part;
		if (f->len)
			break;
		put_page(f->page);
		gone++;
	}
	if (gone) {
		p->nr_frags = (u8)(p->nr_frags - gone);
		memmove(p->frags, p->frags + gone, p->nr_frags * sizeof(*p->frags));
	}
}

bool packet_pull_linear(struct packet *p, u32 n)
{
	u32 more;

	if (n <= p->linear_len)
		return true;
	if (n > p->len || n > PACKET_LINEAR - p->data)
		return false;
	more = n - p->linear_len;
	packet_copy_out(p, p->linear_len, p->linear + p->data + p->linear_len, more);
	eat_frags(p, more);
	p->linear_len = (u16)n;
	return true;
}

void packet_drop_front(struct packet *p, u32 n)
{
	u32 part = min_t(u32, n, p->linear_len);

	p->data = (u16)(p->data + part);
	p->linear_len = (u16)(p->linear_len - part);
	eat_frags(p, n - part);
	p->len -= n;
}

void packet_trim(struct packet *p, u32 n)
{
	u32 keep;

	if (n >= p->len)
		return;
	p->len = n;
	if (p->csum_state == CSUM_COMPLETE)
		p->csum_state = CSUM_NONE; /* the sum covers what is gone */
	if (n <= p->linear_len) {
		p->linear_len = (u16)n;
		drop_frags(p);
		return;
	}
	keep = n - p->linear_len;
	for (u32 i = 0; i < p->nr_frags; i++) {
		struct packet_frag *f = &p->frags[i];

		if (keep) {
			f->len = min(f->len, keep);
			keep -= f->len;
			if (!keep) {
				for (u32 k = i + 1; k < p->nr_frags; k++)
					put_page(p->frags[k].page);
				p->nr_frags = (u8)(i + 1);
			}
		}
	}
}

bool packet_join(struct packet *a, struct packet *b)
{
	u32 was = a->len, true_was = a->truesize, n = b->nr_frags;

	/* One more for b's linear bytes; a fragment that touches a's last one may need none. */
	if (a->nr_frags + n + (b->linear_len ? 1 : 0) > PACKET_MAX_FRAGS)
		return false;
	if (b->linear_len && packet_append(a, packet_data(b), b->linear_len, GFP_ATOMIC))
		return false;
	for (u32 i = 0; i < n; i++) {
		struct packet_frag *f = &b->frags[i];

		get_page(f->page);
		if (!packet_add_frag(a, f->page, f->offset, f->len)) {
			put_page(f->page);
			packet_trim(a, was);
			a->truesize = true_was;
			return false;
		}
	}
	/* b's fragments may stand for more memory than their bytes; its struct goes. */
	a->truesize = true_was + max(a->len - was, b->truesize - (u32)sizeof(*b));
	packet_free(b);
	return true;
}

/* Append the bytes [off, off + len) of p's fragments, shared; off counts from the first of them. */
static bool share_frags(struct packet *s, const struct packet *p, u32 off, u32 len)
{
	for (u32 i = 0; i < p->nr_frags && len; i++) {
		const struct packet_frag *f = &p->frags[i];
		u32 part;

		if (off >= f->len) {
			off -= f->len;
			continue;
		}
		part = min(f->len - off, len);
		get_page(f->page);
		if (!packet_add_frag(s, f->page, f->offset + off, part)) {
			put_page(f->page);
			return false;
		}
		off = 0;
		len -= part;
	}
	return true;
}

struct packet *packet_slice(const struct packet *p, u32 off, u32 len, u32 gfp)
{
	struct packet *s = packet_alloc(PACKET_HEADROOM, gfp);
	u32 linear = off < p->linear_len ? min(p->linear_len - off, len) : 0;

	if (!s)
		return NULL;
	s->dev = p->dev;
	s->stamp_ns = p->stamp_ns;
	s->ifindex = p->ifindex;
	s->hash = p->hash;
	s->mark = p->mark;
	s->priority = p->priority;
	s->protocol = p->protocol;
	s->flags = p->flags | PKT_CLONE;
	if ((linear && packet_append(s, p->linear + p->data + off, linear, gfp)) ||
		!share_frags(s, p, off + linear - p->linear_len, len - linear)) {
		packet_free(s);
		return NULL;
	}
	return s;
}
