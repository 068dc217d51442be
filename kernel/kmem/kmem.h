/* Between the files of kernel/kmem. */
#ifndef KERNEL_KMEM_H
#define KERNEL_KMEM_H

#include <core/spinlock.h>
#include <kmem/page.h>
#include <kmem/slab.h>

/* page->flags of kmem's own, above enum page_flag_bits */
#define PG_FRESH 30 /* head of a free block of MAX_ORDER whose other struct pages are not set up */

/* buddy.c */
struct page *buddy_alloc(int order, u64 reserve); /* NULL if fewer than reserve pages would stay */
void buddy_free(struct page *p, int order);
u64 buddy_free_pages(void);
void buddy_add_range(u64 first, u64 end); /* frames; boot: gives them to the allocator */
struct page *buddy_alloc_locked(int order, u64 reserve);
void buddy_free_locked(struct page *p, int order);
extern struct spinlock g_buddy_lock;

#define NOFAIL_ORDER 3 /* blocks up to this are found in the end; larger ones may never be */

/* page.c */
/* Must the current thread get a block, whatever it waits for? See GFP_NOFAIL. */
bool alloc_must_succeed(int order, u32 gfp);
void page_drain_cpu(void *unused); /* this CPU's lists back to the buddy allocator */
void page_set_watermarks(u64 total_pages);
u64 page_low_watermark(void), page_high_watermark(void);
u64 mem_total_pages(void);

/* reclaim.c */
bool reclaim_doomed(void);                            /* the current thread has been killed */
bool reclaim_direct(int order, u32 gfp, int attempt); /* true: worth another try */
void reclaim_wake(void);
u32 reclaim_scope(void);  /* GFP_* that the current thread adds */
void reclaim_pause(void); /* sleeps a little; only where there is a scope */
unsigned long shrinkers_scan(unsigned long nr, u32 gfp);

/* slab.c */
void slab_drain_all(void);
/* kstack.c */
unsigned long kstack_trim(unsigned long nr); /* pages given back; sleeps */
void kstack_flush_cpu(void *unused);         /* this CPU's to the common pool; interrupts off */

#endif
