/* A slab cache's inside. */
#ifndef KERNEL_KMEM_SLAB_H
#define KERNEL_KMEM_SLAB_H

#include <core/spinlock.h>
#include <kmem/slab.h>

struct slab_cpu { /* own CPU, interrupts off */
	void *first;
	u32 count;
} cacheline_aligned;

struct slab_impl {
	struct slab_cache *cache;
	struct slab_impl *next; /* all caches; immutable */
	u32 flags;              /* this and the next ones: immutable */
	u32 size;               /* bytes of an object, rounded up */
	u32 stride;             /* from one object to the next */
	u32 link;               /* offset of the free list's link */
	u32 order, per_slab;
	u32 cpu_max; /* objects on a CPU's list */
	struct spinlock lock;
	u32 nr_empty;             /* lock: slabs on partial without a used object */
	struct list_head partial; /* lock: slabs with free objects, through page->lru */
	u64 nr_slabs;             /* lock */
	u64 nr_out;               /* lock: objects not free in their slab */
	struct slab_cpu cpu[];
} cacheline_aligned;

struct slab_debug {
	void *link;
	u32 state, unused;
	unsigned long caller;
};

static inline struct slab_cpu *slab_cpu(struct slab_impl *s)
{
	return &s->cpu[cpu_id()];
}

struct slab_impl *slab_set_up(struct slab_cache *c); /* NULL: no memory */

#if DEBUG
void slab_debug_new(struct slab_impl *s, void *obj);
void slab_debug_alloc(struct slab_impl *s, void *obj, unsigned long caller);
void slab_debug_free(struct slab_impl *s, void *obj, unsigned long caller);
/* Logs which object of the slab p an address belongs to. */
void slab_debug_describe(struct page *p, unsigned long addr);
#else
static inline void slab_debug_new(struct slab_impl *s, void *obj)
{
}
static inline void slab_debug_alloc(struct slab_impl *s, void *obj, unsigned long caller)
{
}
static inline void slab_debug_free(struct slab_impl *s, void *obj, unsigned long caller)
{
}
#endif

#endif
