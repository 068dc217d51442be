/*
 * The ordered tree of regions. Each node also knows where its subtree begins and ends and the
 * largest gap between two of its regions, so that a free range is found in O(log n). Readers
 * without map_lock validate with mm->tree_seq and then lock and check the region they found.
 */
#include <core/trace.h>
#include "vm.h"
#include "cache.h"

static SLAB_CACHE(g_region_cache, struct region);

#define of_node(n) container_of(n, struct region, node)

/* ---- the tree itself -------------------------------------------------------------------------- */

static void update_node(struct rb_node *n)
{
	struct region *r = of_node(n);
	unsigned long first = region_low(r), last = r->end, gap = 0;

	if (n->left) {
		struct region *l = of_node(n->left);

		gap = max(l->subtree_gap, first > l->subtree_last ? first - l->subtree_last : 0);
		first = l->subtree_first;
	}
	if (n->right) {
		struct region *g = of_node(n->right);

		gap = max(gap, g->subtree_gap);
		if (g->subtree_first > r->end)
			gap = max(gap, g->subtree_first - r->end);
		last = g->subtree_last;
	}
	r->subtree_first = first;
	r->subtree_last = last;
	r->subtree_gap = gap;
}

static void tree_insert(struct mm *mm, struct region *r)
{
	struct rb_node **link = &mm->regions.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = r->start < of_node(parent)->start ? &parent->left : &parent->right;
	}
	seq_write_begin(&mm->tree_seq);
	rb_insert_augmented(&mm->regions, &r->node, parent, link, update_node);
	seq_write_end(&mm->tree_seq);
	mm->nr_regions++;
}

static void tree_remove(struct mm *mm, struct region *r)
{
	seq_write_begin(&mm->tree_seq);
	rb_erase_augmented(&mm->regions, &r->node, update_node);
	seq_write_end(&mm->tree_seq);
	mm->nr_regions--;
}

struct region *mm_first_region(struct mm *mm)
{
	struct rb_node *n = rb_first(&mm->regions);

	return n ? of_node(n) : NULL;
}

struct region *mm_last_region(struct mm *mm)
{
	struct rb_node *n = rb_last(&mm->regions);

	return n ? of_node(n) : NULL;
}

struct region *region_next(const struct region *r)
{
	struct rb_node *n = rb_next(&r->node);

	return n ? of_node(n) : NULL;
}

struct region *region_prev(const struct region *r)
{
	struct rb_node *n = rb_prev(&r->node);

	return n ? of_node(n) : NULL;
}

struct region *mm_next_region(struct region *r)
{
	return region_next(r);
}

struct region *mm_find_region(struct mm *mm, unsigned long addr)
{
	struct region *best = NULL;

	for (struct rb_node *n = mm->regions.node; n;) {
		struct region *r = of_node(n);

		if (addr < r->end) {
			best = r;
			if (addr >= r->start)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

/* More steps than the deepest tree of 2^31 regions has: a tree in rotation. */
#define MAX_STEPS 64

struct region *region_find_rcu(struct mm *mm, unsigned long addr)
{
	for (;;) {
		struct region *best = NULL;
		u32 seq = seq_read_begin(&mm->tree_seq);
		struct rb_node *n = READ_ONCE(mm->regions.node);

		for (int i = 0; n && i < MAX_STEPS; i++) {
			struct region *r = of_node(n);

			if (addr < READ_ONCE(r->end)) {
				best = r;
				if (addr >= READ_ONCE(r->start))
					break;
				n = READ_ONCE(n->left);
			} else {
				n = READ_ONCE(n->right);
			}
		}
		if (likely(!seq_read_retry(&mm->tree_seq, seq)))
			return best;
	}
}

/* ---- free space
 * ----------------------------------------------------------------------------------- */

struct gap_search {
	size_t len;
	unsigned long floor, limit, align;
};

/* The highest fitting address between after (end of what is left of n) and before. */
static unsigned long search_gap(
	const struct gap_search *s, struct rb_node *n, unsigned long after, unsigned long before)
{
	unsigned long lo = max(after, s->floor), hi = min(before, s->limit), a;
	struct region *r;

	if (hi <= lo || hi - lo < s->len)
		return 0;
	if (!n) {
		a = round_down(hi - s->len, s->align);
		return a >= lo ? a : 0;
	}
	r = of_node(n);
	if (r->subtree_gap < s->len &&
		(r->subtree_first <= after || r->subtree_first - after < s->len) &&
		(before <= r->subtree_last || before - r->subtree_last < s->len))
		return 0;
	a = search_gap(s, n->right, r->end, before);
	return a ? a : search_gap(s, n->left, after, region_low(r));
}

unsigned long region_find_gap(
	struct mm *mm, size_t len, unsigned long floor, unsigned long limit, unsigned long align)
{
	struct gap_search s = {len, floor, limit, align};

	return search_gap(&s, mm->regions.node, 0, USER_END);
}

bool region_range_free(struct mm *mm, unsigned long start, unsigned long end)
{
	struct region *r = mm_find_region(mm, start);

	return !r || region_low(r) >= end;
}

/* ---- objects
 * ----------------------------------------------------------------------------------------- */

struct region *region_alloc(struct mm *mm)
{
	struct region *r = slab_alloc(&g_region_cache, GFP_KERNEL | GFP_ZERO);

	if (r) {
		r->mm = mm;
		rwsem_init(&r->lock, RANK_REGION);
	}
	return r;
}

struct region *region_dup(const struct region *r, struct mm *mm)
{
	struct region *n = region_alloc(mm);

	if (!n)
		return NULL;
	n->start = r->start;
	n->end = r->end;
	n->flags = r->flags;
	n->object = r->object;
	n->pgoff = r->pgoff;
	n->file = r->file;
	n->ops = r->ops;
	n->priv = r->priv;
	if (n->ops && n->ops->open)
		n->ops->open(n);
	return n;
}

static void free_rcu(struct rcu_head *head)
{
	slab_free(&g_region_cache, container_of(head, struct region, rcu));
}

void region_release(struct region *r)
{
	if (r->ops && r->ops->close)
		r->ops->close(r);
	rcu_call(&r->rcu, free_rcu);
}

/* ---- page counts of the address space
 * ---------------------------------------------------------------- */

static void count(struct mm *mm, u32 flags, s64 pages)
{
	mm->total_pages += pages;
	WRITE_ONCE(mm->peak_pages, max(mm->peak_pages, mm->total_pages));
	if (flags & REG_LOCKED)
		mm->locked_pages += pages;
	if (flags_are_data(flags))
		mm->data_pages += pages;
	if (flags & REG_STACK)
		mm->stack_pages += pages;
	else if ((flags & (REG_EXEC | REG_WRITE)) == REG_EXEC)
		mm->exec_pages += pages;
}

void region_set_flags(struct region *r, u32 flags)
{
	count(r->mm, r->flags, -(s64)region_pages(r));
	WRITE_ONCE(r->flags, flags);
	count(r->mm, flags, (s64)region_pages(r));
}

/* ---- changes
 * ------------------------------------------------------------------------------------------- */

void region_freeze(struct region *r)
{
	struct mm *mm = r->mm;

	if (r->frozen == mm->map_gen)
		return;
	if (ref_read(&mm->users) == 1 && current_mm() == mm) {
		r->frozen = mm->map_gen; /* nobody else can be in a fault */
		return;
	}
	rwsem_write_lock(&r->lock);
	r->frozen = mm->map_gen;
	rwsem_write_unlock(&r->lock);
}

void region_insert(struct region *r)
{
	tree_insert(r->mm, r);
	count(r->mm, r->flags, (s64)region_pages(r));
	if (r->object)
		object_map_region(r);
}

void region_remove(struct region *r)
{
	struct mm *mm = r->mm;

	r->detached = true;
	if (r->object)
		object_unmap_region(r);
	tree_remove(mm, r);
	count(mm, r->flags, -(s64)region_pages(r));
	if (r->flags & REG_ACCOUNT)
		commit_uncharge(mm, (s64)region_pages(r));
}

/* New bounds in the tree. No neighbour is crossed. */
static void set_bounds(struct region *r, unsigned long start, unsigned long end)
{
	seq_write_begin(&r->mm->tree_seq);
	if (r->object || r->ops)
		r->pgoff += (s64)(start - r->start) >> PAGE_SHIFT;
	WRITE_ONCE(r->start, start);
	WRITE_ONCE(r->end, end);
	rb_propagate(&r->node, update_node);
	seq_write_end(&r->mm->tree_seq);
}

/* o->mappings is changed as a whole under its lock: object_unmap sees every page of it once. */
static struct vm_object *lock_mappings(struct region *r)
{
	if (r->object)
		rwsem_write_lock(&r->object->map_lock);
	return r->object;
}

void region_resize(struct region *r, unsigned long start, unsigned long end)
{
	struct vm_object *o = lock_mappings(r);
	s64 before = (s64)region_pages(r);

	if (o)
		mapping_remove(o, r);
	set_bounds(r, start, end);
	count(r->mm, r->flags, (s64)region_pages(r) - before);
	if (o) {
		mapping_insert(o, r);
		rwsem_write_unlock(&o->map_lock);
	}
}

struct region *region_split(struct region *r, unsigned long addr)
{
	return regions_full(r->mm, 1) ? err_ptr(-ENOMEM) : region_split_always(r, addr);
}

struct region *region_split_always(struct region *r, unsigned long addr)
{
	struct region *n = region_dup(r, r->mm);
	unsigned long end = r->end;
	struct vm_object *o;

	if (!n)
		return err_ptr(-ENOMEM);
	n->start = addr;
	n->pgoff = region_index(r, addr);
	n->has_anon = r->has_anon;
	n->frozen = r->frozen;
	o = lock_mappings(r);
	if (o)
		mapping_remove(o, r);
	set_bounds(r, r->start, addr);
	n->end = end;
	tree_insert(r->mm, n);
	if (o) {
		mapping_insert(o, r);
		mapping_insert(o, n);
		object_count_writable(n, 1);
		rwsem_write_unlock(&o->map_lock);
	}
	return n;
}

static bool mergeable(const struct region *a, const struct region *b)
{
	return a->end == b->start && a->flags == b->flags && a->object == b->object &&
		a->file == b->file && a->ops == b->ops && !a->priv && !b->priv &&
		!(a->flags & (REG_SPECIAL | REG_GROWSDOWN)) &&
		(!a->object || a->pgoff + region_pages(a) == b->pgoff);
}

bool region_is_plain(const struct region *r, u32 flags)
{
	return r->flags == flags && !r->object && !r->ops && !r->file && !r->priv;
}

/* b goes, a takes over its range. */
static void absorb(struct region *a, struct region *b)
{
	unsigned long end = b->end;
	struct vm_object *o;

	region_freeze(a);
	region_freeze(b);
	o = lock_mappings(a);
	if (o) {
		mapping_remove(o, a);
		mapping_remove(o, b);
		object_count_writable(b, -1);
	}
	b->detached = true;
	if (b->has_anon)
		a->has_anon = true;
	tree_remove(a->mm, b);
	set_bounds(a, a->start, end);
	if (o) {
		mapping_insert(o, a);
		rwsem_write_unlock(&o->map_lock);
	}
	region_release(b);
}

struct region *region_merge(struct region *r)
{
	struct region *prev = region_prev(r), *next;

	if (prev && mergeable(prev, r)) {
		absorb(prev, r);
		r = prev;
	}
	next = region_next(r);
	if (next && mergeable(r, next))
		absorb(r, next);
	return r;
}
