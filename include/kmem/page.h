/*
 * Physical memory: one struct page per frame, buddy allocator with per-CPU lists.
 *
 * A page has one owner kind at a time: free, slab, page table, kernel, anonymous user memory, or
 * a vm_object's page cache. refs counts users of the frame; 0 means free to the allocator.
 */
#ifndef KMEM_PAGE_H
#define KMEM_PAGE_H

#include <lib/list.h>
#include <lib/atomic.h>
#include <arch/mmu.h>

enum page_flag_bits {
	PG_LOCKED,   /* page lock: I/O or truncate in progress; wait with page_lock (vm) */
	PG_UPTODATE, /* content valid */
	PG_DIRTY,
	PG_WRITEBACK,
	PG_ERROR,
	PG_LRU, /* on an LRU list */
	PG_ACTIVE,
	PG_REFERENCED,
	PG_UNEVICTABLE, /* tmpfs, mlocked: reclaim leaves it alone */
	PG_ANON,        /* anonymous user page: object is NULL */
	PG_SLAB,
	PG_TABLE, /* page table */
	PG_BUDDY, /* free, head of a block of 1 << order */
	PG_HEAD,  /* head of a compound allocation of 1 << order pages */
	PG_TAIL,
	PG_RESERVED,
	PG_WAITERS, /* someone sleeps on this page */
};
/* The upper half of page->flags counts the leaves of locked regions (mlock) that map the page. */
#define PAGE_MLOCK_SHIFT 32
#define PAGE_MLOCK_ONE   (1ul << PAGE_MLOCK_SHIFT)
#define PAGE_MLOCK_MASK  (~0ul << PAGE_MLOCK_SHIFT)

struct vm_object;
struct slab_cache;

struct page {
	unsigned long flags; /* PG_* bits and PAGE_MLOCK_*, atomic */
	u32 refs;            /* atomic; users of the frame */
	s32 mapcount;        /* atomic; leaves that map it; anonymous: 2 MiB leaves (vm/huge.c) */
	union {
		struct { /* page cache; guarded by object->lock, stable while locked */
			struct vm_object *object;
			u64 index; /* offset in object / PAGE_SIZE */
		};
		struct { /* slab */
			struct slab_cache *cache;
			void *freelist;
		};
		struct { /* tail of a compound */
			struct page *head;
		};
		struct {                /* page table */
			u32 table_lock; /* word of a struct spinlock in release builds */
			u32 table_used;
		};
	};
	struct list_head lru; /* LRU, buddy or slab list; its owner's lock */
	union {
		u64 private; /* owner's: buddy and compound order, fs blocks */
		struct {
			u32 order;     /* low half of private */
			u32 slab_used; /* slab: objects taken; cache's lock */
		};
	};
};
static_assert(sizeof(struct page) <= 64, "struct page must fit a cache line");

extern struct page *g_pages; /* indexed by frame number */
extern u64 g_nr_frames;      /* frames covered by g_pages */

static inline struct page *phys_to_page(u64 phys)
{
	return &g_pages[phys >> PAGE_SHIFT];
}
static inline u64 page_to_phys(const struct page *p)
{
	return (u64)(p - g_pages) << PAGE_SHIFT;
}
static inline void *page_address(const struct page *p)
{
	return phys_to_virt(page_to_phys(p));
}
static inline struct page *virt_to_page(const void *v)
{
	return phys_to_page(virt_to_phys(v));
}
static inline bool page_test(const struct page *p, enum page_flag_bits b)
{
	return (READ_ONCE(p->flags) >> b) & 1;
}
static inline void page_set(struct page *p, enum page_flag_bits b)
{
	__atomic_fetch_or(&p->flags, 1ul << b, __ATOMIC_RELEASE);
}
static inline void page_clear(struct page *p, enum page_flag_bits b)
{
	__atomic_fetch_and(&p->flags, ~(1ul << b), __ATOMIC_RELEASE);
}

/* Allocation flags, for pages and slabs alike. */
#define GFP_KERNEL  0x00u /* may sleep, reclaim and wait for the OOM killer */
#define GFP_ATOMIC  0x01u /* never sleeps; may use the reserve */
#define GFP_ZERO    0x02u /* cleared */
#define GFP_NORETRY 0x04u /* fail early rather than kill somebody */
#define GFP_USER    0x08u /* charged as user memory; interruptible by a fatal signal */
#define GFP_NOWAIT  0x20u /* fail rather than reclaim or use the reserve: an optimisation's memory */
#define GFP_NOFS    0x10u /* reclaim must not enter a file system */
#define GFP_NOFAIL \
	0x40u /* of a thread's scope: a change is under way that has no way back, so it waits */

#define MAX_ORDER 10 /* largest block: 4 MiB */

/* 1 << order contiguous pages with refs == 1 on the head; order > 0 makes a compound. NULL on
 * failure. GFP_KERNEL sleeps. */
struct page *pages_alloc(int order, u32 gfp) must_check;
static inline struct page *page_alloc(u32 gfp)
{
	return pages_alloc(0, gfp);
}
void get_page(struct page *p);
void put_page(struct page *p); /* frees at zero; any context */
/* Turn a compound of 1 << order pages into single pages, each with the head's reference count and
 * PG_ANON, PG_UPTODATE and mlock state. The caller excludes changes of the count. Any context. */
void page_split(struct page *head, int order);
/* Only for the holder of the sole reference of kernel memory: */
void pages_free(struct page *p, int order);

struct mem_stats {
	u64 total, free; /* pages */
	u64 slab, slab_reclaimable, page_tables, kernel_stacks, vmalloc, anon, cached, mapped,
		shmem, dirty, writeback, percpu, kernel_image, mlocked, mlocked_file, anon_huge;
};
void mem_get_stats(struct mem_stats *s);
/* vm.min_free_kbytes: what ordinary allocations leave. */
u64 page_min_free_kib(void);
void page_set_min_free_kib(u64 kib);
u64 page_low_watermark(void); /* pages; below it kswapd is woken */
/* Statistics kept by other levels; per-CPU, summed on read. */
enum mem_counter {
	MEM_ANON,
	MEM_CACHED,
	MEM_MAPPED,
	MEM_SHMEM,
	MEM_DIRTY,
	MEM_WRITEBACK,
	MEM_PAGE_TABLES,
	MEM_KERNEL_STACKS,
	MEM_SLAB,
	MEM_SLAB_RECLAIMABLE,
	MEM_VMALLOC,
	MEM_MLOCKED,      /* distinct pages that locked regions map */
	MEM_MLOCKED_FILE, /* of these, pages of files that storage has a copy of */
	MEM_ANON_HUGE,    /* in blocks that have a 2 MiB leaf somewhere */
	NR_MEM_COUNTERS,
};
void mem_count(enum mem_counter c, long pages);

/*
 * Reclaim: shrinkers registered by higher levels, asked when free memory falls below the low
 * watermark (kswapd thread) or an allocation fails (direct). Return pages freed.
 */
struct shrinker {
	const char *name;
	unsigned long (*count)(void);                     /* pages it could give back */
	unsigned long (*scan)(unsigned long nr, u32 gfp); /* try to free nr pages */
	bool page_cache;                                  /* holds the content of files */
	struct list_head link;
};
void shrinker_register(struct shrinker *s);
/* /proc/sys/vm/drop_caches: everything that can be given back of page caches (what & 1) and of
 * other caches (what & 2). Sleeps. */
void mem_drop_caches(u32 what);
/* Hook for the OOM killer: free memory by killing; true when somebody was or is being killed. */
void mem_set_oom_hook(bool (*fn)(u32 gfp));

void kmem_boot_init(void); /* from g_boot_info; before anything allocates */
/* Give a boot range (initrd) back to the allocator. */
void kmem_free_boot_range(u64 start, u64 len);

#endif
