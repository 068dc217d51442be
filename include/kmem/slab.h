/*
 * Slab allocator: typed caches with per-CPU free lists, and kmalloc on top of it. DEBUG: poison,
 * red zones, double-free and use-after-free checks, owner backtrace.
 */
#ifndef KMEM_SLAB_H
#define KMEM_SLAB_H

#include <kmem/page.h>

struct slab_cache;
struct seq_buf;

/* Statically declared caches are set up on first use: SLAB_CACHE(g_inode_cache, struct inode). */
struct slab_cache {
	const char *name;
	u32 size, align;
	u32 flags;  /* SLAB_RCU: memory is not given back before a grace period (type-stable) */
	void *impl; /* allocator's own state, built on first use */
	struct list_head link;
};
#define SLAB_RCU              1u
#define SLAB_RECLAIMABLE      2u
#define SLAB_CACHE(var, type) SLAB_CACHE_FLAGS(var, type, 0)
#define SLAB_CACHE_FLAGS(var, type, flags_) \
	struct slab_cache var = {           \
		.name = #type, .size = sizeof(type), .align = __alignof__(type), .flags = flags_}

void *slab_alloc(struct slab_cache *c, u32 gfp) must_check; /* NULL: no memory */
void slab_free(struct slab_cache *c, void *obj);            /* NULL allowed; any context */
u64 slab_in_use(const struct slab_cache *c);                /* objects allocated now, about */

/* Up to 4 MiB, physically contiguous; NULL: no memory. size 0 gives a unique pointer. */
void *kmalloc(size_t size, u32 gfp) must_check __attribute__((malloc));
static inline void *must_check kzalloc(size_t size, u32 gfp)
{
	return kmalloc(size, gfp | GFP_ZERO);
}
void *kcalloc(size_t n, size_t size, u32 gfp) must_check; /* NULL also on overflow */
void *krealloc(void *p, size_t size, u32 gfp) must_check; /* p stays valid on NULL */
void kfree(const void *p);                                /* NULL allowed; any context */
size_t kmalloc_usable(const void *p);
char *kstrdup(const char *s, u32 gfp) must_check;
void *kmemdup(const void *p, size_t n, u32 gfp) must_check;

/* Virtually contiguous, with guard page; may sleep. NULL: no memory. */
void *vmalloc(size_t size, u32 gfp) must_check;
void vfree(const void *p);
/* kmalloc for small, vmalloc for large sizes. */
void *kvmalloc(size_t size, u32 gfp) must_check;
void kvfree(const void *p);
/* A kernel stack of KSTACK_SIZE with a guard page below; cached. */
void *kstack_alloc(void) must_check;
void kstack_free(void *stack);

void slab_show(struct seq_buf *s);     /* /proc/slabinfo */
void slab_counters(struct seq_buf *s); /* "slab.NAME inuse" lines */

/* A seq_buf whose memory grows with kvmalloc. */
void seq_kinit(struct seq_buf *s);
void seq_kfree(struct seq_buf *s);

#endif
