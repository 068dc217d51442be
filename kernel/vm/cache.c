/* An object's pages by index, and its mappings by interval. See cache.h. */
#include <core/init.h>
#include "vm.h"
#include "cache.h"

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
		help = page_alloc(GFP_USER); /* sleeps until there is memory again */
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
