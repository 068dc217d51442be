/*
 * The buddy allocator: free blocks of 1 << order frames, one list per order. Two free halves of a
 * block are joined at once.
 *
 * A struct page of a free block: PG_BUDDY on the head, its order in private; the others are not
 * looked at. Large free blocks are "fresh" at boot: only the head's struct page is set up, the
 * others when the block is split or given out for the first time. So start-up does not touch the
 * array of struct pages, which is 1.4% of RAM.
 */
#include "kmem.h"
#include <core/log.h>
#include <lib/string.h>

#define NR_ORDERS (MAX_ORDER + 1)

DEFINE_SPINLOCK(g_buddy_lock, RANK_ZONE);
static struct list_head g_free[NR_ORDERS]; /* g_buddy_lock */
static u32 g_orders;                       /* g_buddy_lock: bit per order that has free blocks */
static u64 g_free_pages;                   /* g_buddy_lock to write */

static void list_block(struct page *p, int order)
{
	p->private = (u64)order;
	p->flags |= 1ul << PG_BUDDY;
	if (!g_free[order].next)
		list_init(&g_free[order]);
	list_add(&p->lru, &g_free[order]);
	g_orders |= 1u << order;
}

static void unlist_block(struct page *p, int order)
{
	list_del_rcu(&p->lru);
	p->flags &= ~(1ul << PG_BUDDY);
	if (list_empty(&g_free[order]))
		g_orders &= ~(1u << order);
}

static void set_up_fresh(struct page *p)
{
	memset(p, 0, sizeof(*p) << MAX_ORDER);
}

struct page *buddy_alloc_locked(int order, u64 reserve)
{
	u32 fit = g_orders >> order;
	struct page *p;
	int have;

	spin_assert_held(&g_buddy_lock);
	if (!fit || g_free_pages < reserve + (1ull << order))
		return NULL;
	have = order + __builtin_ctz(fit);
	p = list_first_entry(&g_free[have], struct page, lru);
	unlist_block(p, have);
	if (p->flags & 1ul << PG_FRESH)
		set_up_fresh(p);
	while (have > order) {
		have--;
		list_block(p + (1ul << have), have);
	}
	WRITE_ONCE(g_free_pages, g_free_pages - (1ull << order));
	return p;
}

void buddy_free_locked(struct page *p, int order)
{
	u64 frame = (u64)(p - g_pages);

	spin_assert_held(&g_buddy_lock);
	ASSERT(is_aligned(frame, 1ull << order) && !(p->flags & 1ul << PG_BUDDY));
	WRITE_ONCE(g_free_pages, g_free_pages + (1ull << order));
	for (; order < MAX_ORDER; order++) {
		u64 other = frame ^ 1ull << order;
		struct page *b = &g_pages[other];

		if (other >= g_nr_frames || !(b->flags & 1ul << PG_BUDDY) ||
			b->private != (u64)order)
			break;
		unlist_block(b, order);
		frame &= other;
	}
	list_block(&g_pages[frame], order);
}

struct page *buddy_alloc(int order, u64 reserve)
{
	unsigned long flags = spin_lock_irqsave(&g_buddy_lock);
	struct page *p = buddy_alloc_locked(order, reserve);

	spin_unlock_irqrestore(&g_buddy_lock, flags);
	return p;
}

void buddy_free(struct page *p, int order)
{
	unsigned long flags = spin_lock_irqsave(&g_buddy_lock);

	buddy_free_locked(p, order);
	spin_unlock_irqrestore(&g_buddy_lock, flags);
}

u64 buddy_free_pages(void)
{
	return READ_ONCE(g_free_pages);
}

void buddy_add_range(u64 first, u64 end)
{
	unsigned long flags = spin_lock_irqsave(&g_buddy_lock);

	while (first < end) {
		int order = first ? min(__builtin_ctzll(first), MAX_ORDER) : MAX_ORDER;

		while (first + (1ull << order) > end)
			order--;
		if (order == MAX_ORDER) {
			struct page *p = &g_pages[first];

			memset(p, 0, sizeof(*p));
			p->flags = 1ul << PG_FRESH;
			list_block(p, order);
			WRITE_ONCE(g_free_pages, g_free_pages + (1ull << order));
		} else {
			memset(&g_pages[first], 0, sizeof(struct page) << order);
			buddy_free_locked(&g_pages[first], order);
		}
		first += 1ull << order;
	}
	spin_unlock_irqrestore(&g_buddy_lock, flags);
}
