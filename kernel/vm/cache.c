/* An object's pages by index, and its mappings by interval. See cache.h. */
#include <core/init.h>
#include "vm.h"
#include "cache.h"

/* Lookups go on in a node that was freed until the grace period has ended. */
static struct slab_cache g_node_cache = {.name = "xa_node", .align = 8};

static struct rcu_head *head_of(void *node)
{
	return (struct rcu_head *)((char *)node + xa_node_size);
}

static void *node_alloc(u32 gfp)
{
	return slab_alloc(&g_node_cache, gfp | GFP_ZERO);
}

static void node_free_rcu(struct rcu_head *head)
{
	slab_free(&g_node_cache, (char *)head - xa_node_size);
}

static void node_free(void *node)
{
	rcu_call(head_of(node), node_free_rcu);
}

static int cache_memory_init(void)
{
	static const struct xa_ops ops = {node_alloc, node_free};

	g_node_cache.size = xa_node_size + sizeof(struct rcu_head);
	xarray_set_ops(&ops);
	return 0;
}
INIT_HOOK(INIT_MEMORY, cache_memory_init);

void cache_init(struct vm_object *o)
{
	xa_init(&o->pages);
}

void cache_destroy(struct vm_object *o)
{
	xa_destroy(&o->pages);
}

struct page *cache_load(struct vm_object *o, u64 index)
{
	return xa_load(&o->pages, index);
}

struct page *cache_next(struct vm_object *o, u64 *index, u64 last)
{
	return xa_find(&o->pages, index, last);
}

struct page *cache_next_marked(struct vm_object *o, u64 *index, u64 last, enum xa_mark mark)
{
	return xa_find_mark(&o->pages, index, last, mark);
}

/* Nodes are allocated under the lock, so without sleeping; when that fails, reclaim and retry. */
int cache_insert(struct vm_object *o, u64 index, struct page *p)
{
	int err = 0;

	for (int tries = 0; tries < 2; tries++) {
		struct page *help;

		spin_lock(&o->lock);
		err = xa_load(&o->pages, index) ? -EEXIST
						: xa_store(&o->pages, index, p, GFP_ATOMIC);
		if (!err)
			o->nr_pages++;
		spin_unlock(&o->lock);
		if (err != -ENOMEM)
			return err;
		help = page_alloc(GFP_USER | o->gfp); /* sleeps until there is memory again */
		if (!help)
			return -ENOMEM;
		put_page(help);
	}
	return err;
}

void cache_remove(struct vm_object *o, u64 index)
{
	spin_lock(&o->lock);
	if (xa_erase(&o->pages, index))
		o->nr_pages--;
	spin_unlock(&o->lock);
}

void cache_mark_dirty(struct vm_object *o, u64 index)
{
	spin_lock(&o->lock);
	xa_set_mark(&o->pages, index, XA_DIRTY);
	spin_unlock(&o->lock);
}

/* ---- mappings --------------------------------------------------------------------------------- */

#define region_of(n)                                                   \
	({                                                             \
		struct itree_node *_n = (n);                           \
		_n ? container_of(_n, struct region, map_link) : NULL; \
	})

void mapping_insert(struct vm_object *o, struct region *r)
{
	r->map_link.start = r->pgoff;
	r->map_link.last = r->pgoff + region_pages(r) - 1;
	itree_insert(&o->mappings, &r->map_link);
}

void mapping_remove(struct vm_object *o, struct region *r)
{
	itree_remove(&o->mappings, &r->map_link);
}

struct region *mapping_first(struct vm_object *o, u64 first, u64 last)
{
	return region_of(itree_first(&o->mappings, first, last));
}

struct region *mapping_next(struct region *r, u64 first, u64 last)
{
	return region_of(itree_next(&r->map_link, first, last));
}

bool mapping_none(const struct vm_object *o)
{
	return itree_empty(&o->mappings);
}
