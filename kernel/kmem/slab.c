/*
 * Slabs: objects of one size, in pages of their own ("slabs"), behind a free list per CPU.
 *
 * alloc takes from this CPU's list, free puts onto it: no lock, interrupts off for a few
 * instructions. An empty list is refilled with a batch from partly used slabs (cache lock), a long
 * one gives half back. An object on a CPU's list counts as used for its slab.
 *
 * The link of the free list lies in the object's first word, or behind the object where its content
 * must survive (SLAB_RCU: lock-free readers may still look at it; DEBUG: poison).
 *
 * DEBUG layout: object | red zone | link, state, last caller. State says free or used; a free
 * object is filled with POISON, which is checked when it is given out again.
 */
#include "kmem.h"
#include "slab.h"
#include <arch/platform.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/rcu.h>
#include <core/symbols.h>
#include <lib/atomic.h>
#include <lib/kasan.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

#define MAX_SLAB_ORDER 3
#define MIN_OBJECTS    8    /* per slab, unless it would become larger than MAX_SLAB_ORDER */
#define CPU_LIST_BYTES 4096 /* objects a CPU keeps, at most, by size ... */
#define CPU_LIST_MAX   64   /* ... and number */
#define MAX_EMPTY      1    /* empty slabs that a cache keeps */

#define POISON         0x6bu
#define RED_ZONE       0xbbu
#define RED_BYTES      8
#define STATE_USED     0x75736564u
#define STATE_FREE     0x66726565u

static DEFINE_SPINLOCK(g_setup_lock, RANK_SLAB);
static struct slab_impl *g_all;   /* g_setup_lock to add; entries stay */
static u8 *g_spare, *g_spare_end; /* g_setup_lock: memory for slab_impls, never given back */

/* ---- setting up a cache --------------------------------------------------------------------- */

static void *impl_memory_locked(size_t size)
{
	void *p;

	spin_assert_held(&g_setup_lock);
	size = round_up(size, 64);
	if (!g_spare || g_spare + size > g_spare_end) {
		int order = size > PAGE_SIZE ? ilog2(size - 1) + 1 - PAGE_SHIFT : 0;
		struct page *page = pages_alloc(order, GFP_ATOMIC | GFP_ZERO);

		if (!page)
			return NULL;
		mem_count(MEM_SLAB, 1l << order);
		g_spare = page_address(page);
		g_spare_end = g_spare + (PAGE_SIZE << order);
	}
	p = g_spare;
	g_spare += size;
	return p;
}

static void choose_order(struct slab_impl *s)
{
	u32 size = s->stride;

	for (s->order = 0; s->order < MAX_SLAB_ORDER; s->order++) {
		u32 bytes = (u32)PAGE_SIZE << s->order, nr = bytes / size;

		if (nr >= MIN_OBJECTS && (bytes - nr * size) * 8 <= bytes)
			break;
	}
	s->per_slab = ((u32)PAGE_SIZE << s->order) / size;
}

static void lay_out(struct slab_impl *s, const struct slab_cache *c)
{
	u32 align = max_t(u32, c->align, 8), size = round_up(max_t(u32, c->size, 8), 8);

	s->size = size;
	s->link = 0;
#if DEBUG
	size += RED_BYTES;
	s->link = size;
	size += sizeof(struct slab_debug);
#else
	if (c->flags & SLAB_RCU) {
		s->link = size;
		size += sizeof(void *);
	}
#endif
	s->stride = round_up(size, align);
	choose_order(s);
	s->cpu_max = clamp(CPU_LIST_BYTES / s->stride, 4u, (u32)CPU_LIST_MAX);
}

struct slab_impl *slab_set_up(struct slab_cache *c)
{
	unsigned long flags = spin_lock_irqsave(&g_setup_lock);
	struct slab_impl *s = c->impl;

	if (!s) {
		s = impl_memory_locked(sizeof(*s) + (size_t)g_nr_cpus * sizeof(struct slab_cpu));
		if (s) {
			s->cache = c;
			s->flags = c->flags;
			spin_init(&s->lock, RANK_SLAB);
			list_init(&s->partial);
			lay_out(s, c);
			s->next = g_all;
			store_release(&g_all, s);
			store_release(&c->impl, s);
		}
	}
	spin_unlock_irqrestore(&g_setup_lock, flags);
	return s;
}

/* ---- slabs ---------------------------------------------------------------------------------- */

static void **link_of(const struct slab_impl *s, void *obj)
{
	return (void **)((u8 *)obj + s->link);
}

static enum mem_counter counter_of(const struct slab_impl *s)
{
	return s->flags & SLAB_RECLAIMABLE ? MEM_SLAB_RECLAIMABLE : MEM_SLAB;
}

static struct page *slab_of(const void *obj)
{
	struct page *p = virt_to_page(obj);

	return p->flags & 1ul << PG_TAIL ? p->head : p;
}

static struct page *new_slab(struct slab_impl *s, u32 gfp)
{
	struct page *p = pages_alloc((int)s->order, (gfp & ~GFP_ZERO) | GFP_NORETRY * !!s->order);
	u8 *obj;

	if (!p)
		return NULL;
	p->flags |= 1ul << PG_SLAB;
	p->cache = s->cache;
	p->freelist = NULL;
	p->mapcount = 0;
	p->slab_used = 0;
	list_init(&p->lru);
	obj = (u8 *)page_address(p) + (u64)s->stride * (s->per_slab - 1);
	for (u32 i = 0; i < s->per_slab; i++, obj -= s->stride) {
		slab_debug_new(s, obj);
		*link_of(s, obj) = p->freelist;
		p->freelist = obj;
	}
	mem_count(counter_of(s), 1l << s->order);
	return p;
}

static void release_slab(struct page *p)
{
	p->flags &= ~(1ul << PG_SLAB);
	put_page(p);
}

static void release_slab_rcu(struct rcu_head *h)
{
	release_slab(container_of((struct list_head *)h, struct page, lru));
}

/* Empty slabs taken off a cache, to be given back without its lock. */
static void release_slabs(struct slab_impl *s, struct list_head *slabs)
{
	static_assert(sizeof(struct rcu_head) <= sizeof(struct list_head), "shares page->lru");
	while (!list_empty(slabs)) {
		struct page *p = list_first_entry(slabs, struct page, lru);

		list_del(&p->lru);
		mem_count(counter_of(s), -(1l << s->order));
		if (s->flags & SLAB_RCU)
			rcu_call((struct rcu_head *)&p->lru, release_slab_rcu);
		else
			release_slab(p);
	}
}

/* Move up to nr objects from slabs to the CPU's list. */
static void refill_locked(struct slab_impl *s, struct slab_cpu *c, u32 nr)
{
	spin_assert_held(&s->lock);
	while (c->count < nr && !list_empty(&s->partial)) {
		struct page *p = list_first_entry(&s->partial, struct page, lru);

		if (!p->slab_used)
			s->nr_empty--;
		while (p->freelist && c->count < nr) {
			void *obj = p->freelist;

			p->freelist = *link_of(s, obj);
			*link_of(s, obj) = c->first;
			c->first = obj;
			c->count++;
			p->slab_used++;
			s->nr_out++;
		}
		if (!p->freelist)
			list_del(&p->lru);
	}
}

static void give_back_locked(struct slab_impl *s, void *obj, struct list_head *empty)
{
	struct page *p = slab_of(obj);

	spin_assert_held(&s->lock);
	if (!p->freelist)
		list_add(&p->lru, &s->partial);
	*link_of(s, obj) = p->freelist;
	p->freelist = obj;
	s->nr_out--;
	if (--p->slab_used)
		return;
	if (s->nr_empty < MAX_EMPTY) {
		s->nr_empty++;
		list_move_tail(&p->lru, &s->partial);
	} else {
		s->nr_slabs--;
		list_move(&p->lru, empty);
	}
}

/* The CPU's list is empty. Returns one object, or NULL. */
static noinline void *alloc_slow(struct slab_impl *s, u32 gfp)
{
	void *obj = NULL;

	for (;;) {
		unsigned long flags = irq_save();
		struct slab_cpu *c = slab_cpu(s);
		struct page *p;

		if (!c->first) {
			spin_lock(&s->lock);
			refill_locked(s, c, max(s->cpu_max / 2, 1u));
			spin_unlock(&s->lock);
		}
		if (c->first) {
			obj = c->first;
			c->first = *link_of(s, obj);
			c->count--;
		}
		irq_restore(flags);
		if (obj)
			return obj;
		p = new_slab(s, gfp);
		if (!p)
			return NULL;
		flags = spin_lock_irqsave(&s->lock);
		list_add(&p->lru, &s->partial);
		s->nr_slabs++;
		s->nr_empty++;
		spin_unlock_irqrestore(&s->lock, flags);
	}
}

static noinline void flush(struct slab_impl *s, struct slab_cpu *c, u32 keep)
{
	LIST_HEAD(empty);

	spin_lock(&s->lock);
	while (c->count > keep) {
		void *obj = c->first;

		c->first = *link_of(s, obj);
		c->count--;
		give_back_locked(s, obj, &empty);
	}
	spin_unlock(&s->lock);
	release_slabs(s, &empty);
}

void *slab_alloc(struct slab_cache *cache, u32 gfp)
{
	struct slab_impl *s = load_acquire((struct slab_impl **)&cache->impl);
	unsigned long flags;
	struct slab_cpu *c;
	void *obj;

	if (arch_alloc_fails() && !alloc_must_succeed(0, gfp))
		return NULL;
	if (unlikely(!s)) {
		s = slab_set_up(cache);
		if (!s)
			return NULL;
	}
	flags = irq_save();
	c = slab_cpu(s);
	obj = c->first;
	if (likely(obj)) {
		c->first = *link_of(s, obj);
		c->count--;
		irq_restore(flags);
	} else {
		irq_restore(flags);
		obj = alloc_slow(s, gfp);
		if (!obj)
			return NULL;
	}
	slab_debug_alloc(s, obj, (unsigned long)__builtin_return_address(0));
	if (gfp & GFP_ZERO)
		memset(obj, 0, cache->size);
	return obj;
}

void slab_free(struct slab_cache *cache, void *obj)
{
	struct slab_impl *s = cache->impl;
	unsigned long flags;
	struct slab_cpu *c;

	if (unlikely(!obj))
		return;
	slab_debug_free(s, obj, (unsigned long)__builtin_return_address(0));
	flags = irq_save();
	c = slab_cpu(s);
	*link_of(s, obj) = c->first;
	c->first = obj;
	if (unlikely(++c->count > s->cpu_max))
		flush(s, c, s->cpu_max / 2);
	irq_restore(flags);
}

/* ---- maintenance ---------------------------------------------------------------------------- */

static void drain_cpu(void *unused)
{
	unsigned long flags = irq_save();

	for (struct slab_impl *s = load_acquire(&g_all); s; s = s->next) {
		struct slab_cpu *c = slab_cpu(s);

		if (c->count)
			flush(s, c, 0);
	}
	irq_restore(flags);
}

void slab_drain_all(void)
{
	smp_call_mask(READ_ONCE(g_cpus_online_mask), drain_cpu, NULL);
	for (struct slab_impl *s = load_acquire(&g_all); s; s = s->next) {
		LIST_HEAD(empty);
		struct page *p, *n;
		unsigned long flags = spin_lock_irqsave(&s->lock);

		list_for_each_entry_safe(p, n, &s->partial, lru) {
			if (p->slab_used)
				continue;
			s->nr_empty--;
			s->nr_slabs--;
			list_move(&p->lru, &empty);
		}
		spin_unlock_irqrestore(&s->lock, flags);
		release_slabs(s, &empty);
	}
}

static u64 in_use(const struct slab_impl *s)
{
	u64 n = READ_ONCE(s->nr_out);

	for_each_cpu(cpu)
		n -= min_t(u64, n, READ_ONCE(s->cpu[cpu].count));
	return n;
}

u64 slab_in_use(const struct slab_cache *c)
{
	const struct slab_impl *s = load_acquire(&c->impl);

	return s ? in_use(s) : 0;
}

void slab_show(struct seq_buf *b)
{
	seq_puts(b,
		"slabinfo - version: 2.1\n"
		"# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor>"
		" : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (const struct slab_impl *s = load_acquire(&g_all); s; s = s->next) {
		u64 slabs = READ_ONCE(s->nr_slabs);

		seq_printf(b, "%-17s %6llu %6llu %6u %4u %4u", s->cache->name, in_use(s),
			slabs * s->per_slab, s->stride, s->per_slab, 1u << s->order);
		seq_printf(b, " : tunables %4u %4u %4u : slabdata %6llu %6llu %6u\n", s->cpu_max,
			s->cpu_max / 2, 0u, slabs, slabs, 0u);
	}
}

void slab_counters(struct seq_buf *b)
{
	for (const struct slab_impl *s = load_acquire(&g_all); s; s = s->next) {
		const char *name = s->cache->name, *blank = strchr(name, ' ');

		seq_printf(b, "slab.%s %llu\n", blank ? blank + 1 : name, in_use(s));
	}
}

/* ---- DEBUG ---------------------------------------------------------------------------------- */

#if DEBUG
static struct slab_debug *debug_of(const struct slab_impl *s, void *obj)
{
	return (struct slab_debug *)((u8 *)obj + s->link);
}

static noreturn void corrupt(const struct slab_impl *s, void *obj, const char *what)
{
	char name[80];

	log_err("slab %s: object %p, last alloc or free by %s", s->cache->name, obj,
		sym_format(debug_of(s, obj)->caller, name, sizeof(name)));
	panic("slab %s: %s", s->cache->name, what);
}

static bool all_bytes(const u8 *p, u8 v, size_t n)
{
	while (n && *p == v)
		p++, n--;
	return !n;
}

void slab_debug_new(struct slab_impl *s, void *obj)
{
	memset(obj, POISON, s->size);
	memset((u8 *)obj + s->size, RED_ZONE, RED_BYTES);
	*debug_of(s, obj) = (struct slab_debug){.state = STATE_FREE};
	kasan_poison(obj, s->stride, KASAN_FREE_OBJECT);
}

void slab_debug_alloc(struct slab_impl *s, void *obj, unsigned long caller)
{
	struct slab_debug *d = debug_of(s, obj);

	if (d->state != STATE_FREE)
		corrupt(s, obj, "free list is damaged");
	if (!(s->flags & SLAB_RCU) && !all_bytes(obj, POISON, s->size))
		corrupt(s, obj, "object was written after it was freed");
	d->state = STATE_USED;
	d->caller = caller;
	kasan_unpoison(obj, s->cache->size);
}

void slab_debug_free(struct slab_impl *s, void *obj, unsigned long caller)
{
	struct slab_debug *d;
	struct page *p = slab_of(obj);

	if (!s || !(p->flags & 1ul << PG_SLAB) || p->cache != s->cache)
		panic("slab_free: %p is no object of that cache", obj);
	d = debug_of(s, obj);
	if (d->state == STATE_FREE)
		corrupt(s, obj, "object freed twice");
	if (d->state != STATE_USED || !all_bytes((u8 *)obj + s->size, RED_ZONE, RED_BYTES))
		corrupt(s, obj, "bytes behind the object were overwritten");
	if (!(s->flags & SLAB_RCU)) {
		kasan_unpoison(obj, s->size);
		memset(obj, POISON, s->size);
		kasan_poison(obj, s->size, KASAN_FREE_OBJECT);
	}
	d->state = STATE_FREE;
	d->caller = caller;
}

void slab_debug_describe(struct page *p, unsigned long addr)
{
	struct slab_impl *s = p->cache->impl;
	unsigned long base = (unsigned long)page_address(p);
	u8 *obj = (u8 *)(addr - (addr - base) % s->stride);
	const struct slab_debug *d = debug_of(s, obj);
	char name[80];

	log_err("%ld bytes into object %p of slab %s (%u bytes), %s by %s",
		(long)(addr - (unsigned long)obj), obj, s->cache->name, s->cache->size,
		d->state == STATE_USED ? "allocated" : "freed",
		sym_format(d->caller, name, sizeof(name)));
}
#endif
