/*
 * Pages for everybody: per-CPU lists of single pages in front of the buddy allocator, watermarks,
 * references, statistics.
 *
 * Watermarks, in free pages: below low kswapd reclaims until high; below min only GFP_ATOMIC gets
 * more, down to a quarter of it.
 */
#include "kmem.h"
#include <arch/platform.h>
#include <core/counters.h>
#include <core/init.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/rcu.h>
#include <lib/kasan.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

#define BATCH_MAX   32 /* pages moved between a CPU's list and the buddy allocator */
#define POISON_FREE 0x6b
#define BAD_ON_FREE                                                                       \
	(1ul << PG_LOCKED | 1ul << PG_WRITEBACK | 1ul << PG_LRU | 1ul << PG_SLAB |        \
		1ul << PG_TABLE | 1ul << PG_BUDDY | 1ul << PG_TAIL | 1ul << PG_RESERVED | \
		PAGE_MLOCK_MASK)

struct page_list { /* own CPU, interrupts off; linked through lru.next */
	struct page *first;
	u32 count;
};
static DEFINE_PER_CPU(struct page_list, g_list);
static DEFINE_PER_CPU(long, g_counters[NR_MEM_COUNTERS]);
static u64 g_min, g_low, g_high; /* vm.min_free_kbytes; atomic */
static u32 g_batch = 1;

void page_set_watermarks(u64 total)
{
	g_min = clamp(total / 256, 32ull, 4096ull);
	g_low = g_min + g_min / 2;
	g_high = g_min * 2;
	g_batch = (u32)clamp(total / 1024 / (u64)g_nr_cpus, 4ull, (u64)BATCH_MAX);
}

u64 page_min_free_kib(void)
{
	return READ_ONCE(g_min) << (PAGE_SHIFT - 10);
}

void page_set_min_free_kib(u64 kib)
{
	u64 pages = kib >> (PAGE_SHIFT - 10);

	WRITE_ONCE(g_min, pages);
	WRITE_ONCE(g_low, pages + pages / 2);
	WRITE_ONCE(g_high, pages * 2);
	reclaim_wake();
}

u64 page_low_watermark(void)
{
	return g_low;
}

u64 page_high_watermark(void)
{
	return g_high;
}

static inline struct page *pop(struct page_list *l)
{
	struct page *p = l->first;

	l->first = (struct page *)p->lru.next;
	l->count--;
	return p;
}

static inline void push(struct page_list *l, struct page *p)
{
	p->lru.next = (struct list_head *)l->first;
	l->first = p;
	l->count++;
}

/* Interrupts off. What comes out as neighbours is handed out in that order: buffers of neighbouring
 * pages are few segments to a device. */
static bool refill(struct page_list *l, u64 reserve)
{
	struct page *pages[BATCH_MAX];
	u32 n = 0;

	spin_lock(&g_buddy_lock);
	while (n < g_batch && (pages[n] = buddy_alloc_locked(0, reserve)))
		n++;
	spin_unlock(&g_buddy_lock);
	while (n)
		push(l, pages[--n]);
	return l->first;
}

static noinline void spill(struct page_list *l, u32 keep)
{
	spin_lock(&g_buddy_lock);
	while (l->count > keep)
		buddy_free_locked(pop(l), 0);
	spin_unlock(&g_buddy_lock);
}

void page_drain_cpu(void *unused)
{
	unsigned long flags = irq_save();

	spill(this_cpu_ptr(&g_list), 0);
	irq_restore(flags);
}

#if DEBUG
static void poison(struct page *p, int order)
{
	kasan_unpoison(page_address(p), PAGE_SIZE << order);
	memset(page_address(p), POISON_FREE, PAGE_SIZE << order);
	kasan_poison(page_address(p), PAGE_SIZE << order, KASAN_FREE_PAGE);
}
#endif

static void make_compound(struct page *p, int order)
{
	p->flags = 1ul << PG_HEAD;
	p->private = (u64)order;
	for (u32 i = 1; i < 1u << order; i++) {
		p[i].flags = 1ul << PG_TAIL;
		p[i].head = p;
	}
}

static struct page *try_alloc(int order, u32 gfp)
{
	u64 reserve = gfp & GFP_ATOMIC ? g_min / 4 : g_min;
	struct page *p;

	if (likely(order == 0)) {
		unsigned long flags = irq_save();
		struct page_list *l = this_cpu_ptr(&g_list);

		p = likely(l->first) || refill(l, reserve) ? pop(l) : NULL;
		irq_restore(flags);
		if (unlikely(!p))
			return NULL;
		p->flags = 0;
	} else {
		p = buddy_alloc(order, reserve);
		if (!p)
			return NULL;
		make_compound(p, order);
	}
	p->refs = 1;
	p->mapcount = 0;
	p->object = NULL;
	kasan_unpoison(page_address(p), PAGE_SIZE << order);
	return p;
}

bool alloc_must_succeed(int order, u32 gfp)
{
	return order <= NOFAIL_ORDER && !(gfp & (GFP_ATOMIC | GFP_NOWAIT | GFP_NORETRY)) &&
		(reclaim_scope() & GFP_NOFAIL);
}

static noinline struct page *alloc_slow(int order, u32 gfp)
{
	static u32 complained;
	struct page *p = NULL;

	reclaim_wake();
	if (!(gfp & (GFP_ATOMIC | GFP_NOWAIT))) {
		for (int attempt = 0; !p && reclaim_direct(order, gfp, attempt); attempt++)
			p = try_alloc(order, gfp);
	}
	while (!p && alloc_must_succeed(order, gfp)) {
		p = try_alloc(order, gfp | GFP_ATOMIC);
		if (!p)
			reclaim_pause();
	}
	/* A killed task on its way out may use what is kept for interrupts. */
	if (!p && !(gfp & (GFP_ATOMIC | GFP_NOWAIT | GFP_USER)) && reclaim_doomed())
		return try_alloc(order, gfp | GFP_ATOMIC);
	if (!p && !(gfp & (GFP_NORETRY | GFP_NOWAIT)) &&
		!__atomic_fetch_add(&complained, 1, __ATOMIC_RELAXED))
		log_warn("memory: no block of %lu KiB (%llu KiB free)", 4ul << order,
			buddy_free_pages() * (PAGE_SIZE >> 10));
	return p;
}

struct page *pages_alloc(int order, u32 gfp)
{
	struct page *p;

	if (unlikely(order > MAX_ORDER))
		return NULL;
	if (arch_alloc_fails() && !alloc_must_succeed(order, gfp))
		return NULL;
	p = try_alloc(order, gfp);
	if (unlikely(!p)) {
		p = alloc_slow(order, gfp);
		if (!p)
			return NULL;
	} else if (unlikely(buddy_free_pages() < g_low)) {
		reclaim_wake();
	}
	if (gfp & GFP_ZERO)
		for (u32 i = 0; i < 1u << order; i++)
			clear_page((u8 *)page_address(p) + ((u64)i << PAGE_SHIFT));
	return p;
}

static void free_compound(struct page *p, int order)
{
	for (u32 i = 0; i < 1u << order; i++) {
		p[i].flags = 0;
		p[i].refs = 0;
		p[i].mapcount = 0;
	}
	buddy_free(p, order);
}

void page_split(struct page *p, int order)
{
	const unsigned long keep = 1ul << PG_ANON | 1ul << PG_UPTODATE | PAGE_MLOCK_MASK;

	ASSERT(page_test(p, PG_HEAD) && p->private == (u64)order);
	for (u32 i = 1; i < 1u << order; i++) {
		p[i].flags = p->flags & keep;
		p[i].refs = p->refs;
		p[i].mapcount = 0;
		p[i].object = NULL;
	}
	page_clear(p, PG_HEAD);
}

static inline void free_page(struct page *p)
{
	unsigned long flags;
	struct page_list *l;

	if (unlikely(p->flags & 1ul << PG_HEAD)) {
#if DEBUG
		poison(p, (int)p->order);
#endif
		free_compound(p, (int)p->order);
		return;
	}
#if DEBUG
	if ((p->flags & BAD_ON_FREE) || p->mapcount)
		panic("page %#llx freed in use: flags %#lx mapcount %d", page_to_phys(p), p->flags,
			p->mapcount);
	poison(p, 0);
#endif
	flags = irq_save();
	l = this_cpu_ptr(&g_list);
	push(l, p);
	if (unlikely(l->count > 2 * g_batch))
		spill(l, g_batch);
	irq_restore(flags);
}

void get_page(struct page *p)
{
	ASSERT(!(p->flags & 1ul << PG_TAIL));
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}

void put_page(struct page *p)
{
	u32 old = __atomic_fetch_sub(&p->refs, 1, __ATOMIC_ACQ_REL);

	if (unlikely(old == 0 || old > 0x7fffffff))
		panic("page %#llx: put of a free page", page_to_phys(p));
	if (old == 1)
		free_page(p);
}

void pages_free(struct page *p, int order)
{
	ASSERT(p->refs == 1 && (order == 0 || p->order == (u32)order));
	p->refs = 0;
	free_page(p);
}

void mem_count(enum mem_counter c, long pages)
{
	this_cpu_add(g_counters[c], pages);
}

static u64 counter_sum(enum mem_counter c)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE((*per_cpu_ptr(&g_counters, cpu))[c]);
	return (u64)max(sum, 0l);
}

void mem_get_stats(struct mem_stats *s)
{
	*s = (struct mem_stats){
		.total = mem_total_pages(),
		.free = buddy_free_pages(),
		.slab = counter_sum(MEM_SLAB),
		.slab_reclaimable = counter_sum(MEM_SLAB_RECLAIMABLE),
		.page_tables = counter_sum(MEM_PAGE_TABLES),
		.kernel_stacks = counter_sum(MEM_KERNEL_STACKS),
		.vmalloc = counter_sum(MEM_VMALLOC),
		.anon = counter_sum(MEM_ANON),
		.cached = counter_sum(MEM_CACHED),
		.mapped = counter_sum(MEM_MAPPED),
		.shmem = counter_sum(MEM_SHMEM),
		.dirty = counter_sum(MEM_DIRTY),
		.writeback = counter_sum(MEM_WRITEBACK),
		.mlocked = counter_sum(MEM_MLOCKED),
		.mlocked_file = counter_sum(MEM_MLOCKED_FILE),
		.anon_huge = counter_sum(MEM_ANON_HUGE),
		.kernel_image = g_nr_frames - mem_total_pages(),
	};
	for_each_cpu(cpu)
		s->free += READ_ONCE(per_cpu_ptr(&g_list, cpu)->count);
}

static void quiesce(void)
{
	smp_call_mask(READ_ONCE(g_cpus_online_mask), kstack_flush_cpu, NULL);
	kstack_trim(ULONG_MAX);
	slab_drain_all();
	smp_call_mask(READ_ONCE(g_cpus_online_mask), page_drain_cpu, NULL);
}

static void show_counters(struct seq_buf *s)
{
	struct mem_stats m;
	s64 counted;

	mem_get_stats(&m);
	/* Kernel stacks are vmalloc's. */
	counted = (s64)(m.free + m.anon + m.cached + m.page_tables + m.slab + m.slab_reclaimable +
		m.vmalloc);
	/* Buffers of pipes, rings of drivers ... */
	seq_printf(s, "mem.other %lld\n", (s64)m.total - counted);
	seq_printf(s, "mem.free %llu\nmem.anon %llu\nmem.cached %llu\nmem.page_tables %llu\n",
		m.free, m.anon, m.cached, m.page_tables);
	seq_printf(s, "mem.kernel_stacks %llu\nmem.slab %llu\nmem.vmalloc %llu\n", m.kernel_stacks,
		m.slab, m.vmalloc);
	slab_counters(s);
}

static int page_init(void)
{
	int err = counters_add_quiesce(QUIESCE_CACHE, quiesce);

	rcu_set_kfree(kfree);
	return err ? err : counters_register("kmem", show_counters);
}
INIT_HOOK(INIT_MEMORY, page_init);
