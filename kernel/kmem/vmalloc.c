/*
 * Virtually contiguous memory. Addresses come from a tree of free ranges, ordered by address, each
 * node knowing the largest range in its subtree: the lowest range that fits is found in O(log n),
 * so addresses, and with them page tables of the kernel half, are reused. Every area is followed by
 * an unmapped page.
 */
#include "kmem.h"
#include <core/log.h>
#include <lib/rbtree.h>
#include <lib/string.h>

struct range { /* g_lock; free, or in use with its pages */
	struct rb_node node;
	unsigned long start;
	size_t size;        /* bytes, guard page included */
	size_t subtree_max; /* free tree: largest size at or below this node */
	struct list_head pages;
};

static SLAB_CACHE(g_range_cache, struct range);
static DEFINE_SPINLOCK(g_lock, RANK_VMALLOC);
static struct rb_root g_free_tree = RB_ROOT; /* g_lock */
static struct rb_root g_used_tree = RB_ROOT; /* g_lock */
static bool g_ready;                         /* g_lock: the first free range was made */

static struct range *range_of(struct rb_node *n)
{
	return rb_entry(n, struct range, node);
}

static void update_max(struct rb_node *n)
{
	struct range *r = range_of(n);
	size_t m = r->size;

	if (n->left)
		m = max(m, range_of(n->left)->subtree_max);
	if (n->right)
		m = max(m, range_of(n->right)->subtree_max);
	r->subtree_max = m;
}

static void insert(struct rb_root *root, struct range *r, rb_update_fn update)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->start < range_of(parent)->start ? &parent->left : &parent->right;
	}
	rb_insert_augmented(root, &r->node, parent, link, update);
}

static struct range *lowest_fit(size_t size)
{
	struct rb_node *n = g_free_tree.node;

	if (!n || range_of(n)->subtree_max < size)
		return NULL;
	for (;;) {
		if (n->left && range_of(n->left)->subtree_max >= size)
			n = n->left;
		else if (range_of(n)->size >= size)
			return range_of(n);
		else
			n = n->right;
	}
}

/* Takes size bytes for r, which is not in a tree. unused[0]: a node for the first free range; nodes
 * that are left in unused are the caller's to free. */
static bool take_locked(struct range *r, size_t size, struct range *unused[2])
{
	struct range *f;

	spin_assert_held(&g_lock);
	if (!g_ready) {
		g_ready = true;
		f = unused[0];
		unused[0] = NULL;
		f->start = VMALLOC_START;
		f->size = VMALLOC_END - VMALLOC_START;
		insert(&g_free_tree, f, update_max);
	}
	f = lowest_fit(size);
	if (!f)
		return false;
	r->start = f->start;
	r->size = size;
	f->start += size;
	f->size -= size;
	if (f->size) {
		rb_propagate(&f->node, update_max);
	} else {
		rb_erase_augmented(&g_free_tree, &f->node, update_max);
		unused[1] = f;
	}
	insert(&g_used_tree, r, NULL);
	return true;
}

/* r becomes free, joined with its neighbours; up to two nodes are left over. */
static void give_locked(struct range *r, struct range *unused[2])
{
	struct rb_node *n = g_free_tree.node;
	struct range *prev = NULL, *next = NULL;

	spin_assert_held(&g_lock);
	while (n) {
		struct range *x = range_of(n);

		if (x->start < r->start) {
			prev = x;
			n = n->right;
		} else {
			next = x;
			n = n->left;
		}
	}
	unused[0] = unused[1] = NULL;
	if (prev && prev->start + prev->size == r->start) {
		prev->size += r->size;
		unused[0] = r;
		r = prev;
	} else {
		insert(&g_free_tree, r, update_max);
	}
	if (next && r->start + r->size == next->start) {
		rb_erase_augmented(&g_free_tree, &next->node, update_max);
		r->size += next->size;
		unused[1] = next;
	}
	rb_propagate(&r->node, update_max);
}

static void free_pages(struct range *r)
{
	while (!list_empty(&r->pages)) {
		struct page *p = list_first_entry(&r->pages, struct page, lru);

		list_del(&p->lru);
		put_page(p);
		mem_count(MEM_VMALLOC, -1);
	}
}

static void free_nodes(struct range *unused[2])
{
	slab_free(&g_range_cache, unused[0]);
	slab_free(&g_range_cache, unused[1]);
}

static void release(struct range *r)
{
	struct range *unused[2];
	unsigned long flags;

	arch_kunmap_range(r->start, r->size - PAGE_SIZE);
	free_pages(r);
	flags = spin_lock_irqsave(&g_lock);
	rb_erase(&g_used_tree, &r->node);
	give_locked(r, unused);
	spin_unlock_irqrestore(&g_lock, flags);
	free_nodes(unused);
}

static int map_pages(struct range *r, u32 gfp)
{
	size_t bytes = r->size - PAGE_SIZE;

	for (size_t at = 0; at < bytes; at += PAGE_SIZE) {
		struct page *p = page_alloc(gfp);
		int err;

		if (!p)
			return -ENOMEM;
		mem_count(MEM_VMALLOC, 1);
		list_add(&p->lru, &r->pages);
		err = arch_kmap_page(
			r->start + at, page_to_phys(p), MMU_READ | MMU_WRITE | MMU_DIRTY);
		if (err)
			return err;
	}
	return 0;
}

void *vmalloc(size_t size, u32 gfp)
{
	struct range *r, *unused[2] = {NULL, NULL};
	unsigned long flags;
	bool ok;

	if (!size || size > VMALLOC_END - VMALLOC_START - PAGE_SIZE)
		return NULL;
	size = round_up(size, PAGE_SIZE) + PAGE_SIZE;
	r = slab_alloc(&g_range_cache, gfp & ~GFP_ZERO);
	unused[0] = slab_alloc(&g_range_cache, gfp & ~GFP_ZERO);
	if (!r || !unused[0])
		goto none;
	list_init(&r->pages);
	flags = spin_lock_irqsave(&g_lock);
	ok = take_locked(r, size, unused);
	spin_unlock_irqrestore(&g_lock, flags);
	if (!ok)
		goto none;
	free_nodes(unused);
	if (map_pages(r, gfp)) {
		release(r);
		return NULL;
	}
	return (void *)r->start;
none:
	slab_free(&g_range_cache, r);
	free_nodes(unused);
	return NULL;
}

void vfree(const void *p)
{
	struct rb_node *n;
	unsigned long flags;

	if (!p)
		return;
	flags = spin_lock_irqsave(&g_lock);
	n = g_used_tree.node;
	while (n && range_of(n)->start != (unsigned long)p)
		n = (unsigned long)p < range_of(n)->start ? n->left : n->right;
	spin_unlock_irqrestore(&g_lock, flags);
	if (!n)
		panic("vfree: %p was not allocated", p);
	release(range_of(n));
}
