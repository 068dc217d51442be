/*
 * Which address space each CPU has loaded, and making CPUs forget translations.
 *
 * Every address space counts its changes in tlb_gen. A CPU remembers, per PCID slot, up to which
 * change its TLB is current; loading a slot that is behind flushes it. So only CPUs that have the
 * space loaded right now must be interrupted:
 *
 *	changing CPU: change entries; tlb_gen++; read cpu_mask, lazy		(full barriers
 *	loading CPU:  set own bit in cpu_mask, or lazy = false; read tlb_gen	 in between)
 *
 * One of the two sees the other. A lazy CPU (a kernel thread runs, user addresses are not touched)
 * is interrupted only when page-table pages are to be freed.
 *
 * Shootdown: each CPU has one request of its own; it sets its bit in the pending mask of every
 * target, sends IPIs to those that had none pending, and waits, interrupts on, for the targets to
 * clear their bits in the request. Any number of CPUs can do so at once.
 */
#include "x86.h"
#include <arch/mmu.h>
#include <core/irq.h>
#include <core/log.h>
#include <kmem/page.h>
#include <lib/atomic.h>
#include <lib/string.h>

#define NR_SLOTS         6  /* PCIDs 1..6 */
#define FLUSH_SINGLE_MAX 32 /* pages; beyond, flushing all is cheaper */
#define CR3_NOFLUSH      (1ull << 63)

enum flush_kind { FLUSH_USER, FLUSH_KERNEL, FLUSH_LEAVE };

struct flush_request {
	enum flush_kind kind;
	struct arch_mm *mm;
	unsigned long start, end;
	u64 gen;
	u64 waiting; /* atomic: CPUs that still have to do it */
};

struct tlb_slot {
	u64 id;  /* arch_mm.id, 0: empty */
	u64 gen; /* current up to this change */
};

struct tlb_cpu {
	/* own CPU, interrupts off */
	struct arch_mm *loaded; /* NULL: the kernel's tables */
	u32 slot, next_victim;
	struct tlb_slot slots[NR_SLOTS];
	struct flush_request request; /* own CPU writes while waiting is 0 */
	/* read by others */
	bool lazy;
	/* atomic: whose requests wait for this CPU */
	u64 pending;
};
static DEFINE_PER_CPU(struct tlb_cpu, g_tlb);

static u64 g_next_id; /* atomic */

void x86_tlb_init_cpu(void)
{
	if (g_x86.pcid && g_x86.pge)
		write_cr4(read_cr4() | CR4_PCIDE);
}

static inline void invlpg(unsigned long va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

/* Everything of the loaded space; global kernel entries stay. */
static void flush_loaded(void)
{
	write_cr3(read_cr3()); /* reads as written, without the no-flush bit */
}

static void flush_all_with_global(void)
{
	u64 cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~(u64)CR4_PGE);
		write_cr4(cr4);
	} else {
		flush_loaded();
	}
}

static void load_kernel(struct tlb_cpu *c)
{
	struct arch_mm *old = c->loaded;

	c->loaded = NULL;
	WRITE_ONCE(c->lazy, false);
	write_cr3(virt_to_phys(x86_kernel_root)); /* PCID 0 never has user entries */
	if (old)
		__atomic_fetch_and(&old->cpu_mask, ~(1ull << cpu_id()), __ATOMIC_SEQ_CST);
}

static void catch_up(struct tlb_cpu *c, struct arch_mm *m)
{
	u64 gen = __atomic_load_n(&m->tlb_gen, __ATOMIC_SEQ_CST);

	if (c->slots[c->slot].gen != gen) {
		c->slots[c->slot].gen = gen;
		flush_loaded();
	}
}

void arch_mm_activate(struct arch_mm *m)
{
	struct tlb_cpu *c = this_cpu_ptr(&g_tlb);
	struct arch_mm *old = c->loaded;
	u64 gen, cr3;
	u32 slot;

	if (m == old) {
		if (m && c->lazy) {
			WRITE_ONCE(c->lazy, false);
			smp_mb(); /* pairs with tlb_gen++ in arch_tlb_flush */
			catch_up(c, m);
		}
		return;
	}
	if (!m) {
		load_kernel(c);
		return;
	}
	__atomic_fetch_or(&m->cpu_mask, 1ull << cpu_id(), __ATOMIC_SEQ_CST);
	gen = __atomic_load_n(&m->tlb_gen, __ATOMIC_SEQ_CST);
	cr3 = m->root_phys;
	slot = 0;
	if (g_x86.pcid && g_x86.pge) {
		while (slot < NR_SLOTS && c->slots[slot].id != m->id)
			slot++;
		if (slot == NR_SLOTS)
			slot = c->next_victim++ % NR_SLOTS;
		else if (c->slots[slot].gen == gen)
			cr3 |= CR3_NOFLUSH;
		cr3 |= slot + 1;
	}
	c->slots[slot] = (struct tlb_slot){m->id, gen};
	c->slot = slot;
	c->loaded = m;
	WRITE_ONCE(c->lazy, false);
	write_cr3(cr3);
	if (old)
		__atomic_fetch_and(&old->cpu_mask, ~(1ull << cpu_id()), __ATOMIC_SEQ_CST);
}

void x86_tlb_enter_lazy(void)
{
	WRITE_ONCE(this_cpu_ptr(&g_tlb)->lazy, true);
}

/* Change number gen of m on this CPU. Interrupts off. */
static void flush_user(
	struct tlb_cpu *c, struct arch_mm *m, unsigned long start, unsigned long end, u64 gen)
{
	struct tlb_slot *s = &c->slots[c->slot];

	if (c->loaded != m || s->gen >= gen)
		return; /* not here, or a whole flush came in between */
	if (s->gen + 1 == gen && (end - start) >> PAGE_SHIFT <= FLUSH_SINGLE_MAX) {
		s->gen = gen;
		for (; start < end; start += PAGE_SIZE)
			invlpg(start);
	} else {
		catch_up(c, m);
	}
}

static void flush_kernel(unsigned long start, unsigned long end)
{
	if ((end - start) >> PAGE_SHIFT <= FLUSH_SINGLE_MAX) {
		for (; start < end; start += PAGE_SIZE)
			invlpg(start);
	} else {
		flush_all_with_global();
	}
}

static void carry_out(struct tlb_cpu *c, const struct flush_request *r)
{
	switch (r->kind) {
	case FLUSH_USER:
		flush_user(c, r->mm, r->start, r->end, r->gen);
		break;
	case FLUSH_KERNEL:
		flush_kernel(r->start, r->end);
		break;
	case FLUSH_LEAVE:
		if (c->loaded == r->mm)
			load_kernel(c);
		break;
	}
}

void x86_tlb_ipi(void)
{
	struct tlb_cpu *c = this_cpu_ptr(&g_tlb);
	u64 from = xchg(&c->pending, 0);
	u64 self = 1ull << cpu_id();

	for (; from; from &= from - 1) {
		struct flush_request *r = &per_cpu_ptr(&g_tlb, __builtin_ctzll(from))->request;

		carry_out(c, r);
		__atomic_fetch_and(
			&r->waiting, ~self, __ATOMIC_RELEASE); /* r is not ours any more */
	}
}

/* Have the CPUs of mask (not this one) carry out r, this CPU's request. */
static void send_and_wait(struct flush_request *r, u64 mask)
{
	u64 self = 1ull << cpu_id(), kick = 0;

	smp_assert_may_wait();
	mask &= READ_ONCE(g_cpus_online_mask) & ~self;
	if (!mask)
		return;
	if (unlikely(!irqs_enabled()))
		panic("TLB shootdown with interrupts off");
	__atomic_store_n(&r->waiting, mask, __ATOMIC_RELEASE);
	for (u64 m = mask; m; m &= m - 1) {
		int cpu = __builtin_ctzll(m);

		if (!__atomic_fetch_or(&per_cpu_ptr(&g_tlb, cpu)->pending, self, __ATOMIC_SEQ_CST))
			kick |= 1ull << cpu;
	}
	x86_lapic_ipi_mask(kick, VEC_TLB);
	while (load_acquire(&r->waiting))
		cpu_relax();
}

static u64 without_lazy(u64 mask)
{
	u64 out = mask;

	for (u64 m = mask; m; m &= m - 1) {
		int cpu = __builtin_ctzll(m);

		if (READ_ONCE(per_cpu_ptr(&g_tlb, cpu)->lazy))
			out &= ~(1ull << cpu);
	}
	return out;
}

void arch_tlb_flush(struct arch_mm *m, unsigned long start, unsigned long end, bool tables)
{
	struct tlb_cpu *c = this_cpu_ptr(&g_tlb);
	struct flush_request *r = &c->request;
	unsigned long flags;
	u64 mask, gen;

	if (!m) {
		flush_kernel(start, end);
		r->kind = FLUSH_KERNEL;
		r->start = start;
		r->end = end;
		send_and_wait(r, U64_MAX);
		return;
	}
	gen = __atomic_add_fetch(&m->tlb_gen, 1, __ATOMIC_SEQ_CST);
	mask = __atomic_load_n(&m->cpu_mask, __ATOMIC_SEQ_CST);
	flags = irq_save();
	flush_user(c, m, start, end, gen);
	irq_restore(flags);
	if (!(mask & ~(1ull << cpu_id())))
		return;
	if (!tables)
		mask = without_lazy(mask);
	r->kind = FLUSH_USER;
	r->mm = m;
	r->start = start;
	r->end = end;
	r->gen = gen;
	send_and_wait(r, mask);
}

void arch_tlb_flush_all(struct arch_mm *m)
{
	arch_tlb_flush(m, 0, m ? USER_END : ULONG_MAX, false);
}

void arch_tlb_flush_local(struct arch_mm *m, unsigned long va)
{
	unsigned long flags = irq_save();

	if (!m || this_cpu_ptr(&g_tlb)->loaded == m)
		invlpg(va);
	irq_restore(flags);
}

void arch_mm_leave(struct arch_mm *m)
{
	struct tlb_cpu *c = this_cpu_ptr(&g_tlb);
	unsigned long flags = irq_save();

	if (c->loaded == m)
		load_kernel(c);
	irq_restore(flags);
	c->request.kind = FLUSH_LEAVE;
	c->request.mm = m;
	send_and_wait(&c->request, __atomic_load_n(&m->cpu_mask, __ATOMIC_SEQ_CST));
}

void arch_sync_core_local(void)
{
	cpuid(0, 0);
}

int arch_mm_init(struct arch_mm *m)
{
	struct page *p = page_alloc(GFP_KERNEL | GFP_ZERO);

	if (!p)
		return -ENOMEM;
	m->root_phys = page_to_phys(p);
	m->root = page_address(p);
	memcpy(m->root + PT_ENTRIES / 2, x86_kernel_root + PT_ENTRIES / 2,
		PAGE_SIZE / 2); /* complete since boot: later kernel mappings are below it */
	m->id = __atomic_add_fetch(&g_next_id, 1, __ATOMIC_RELAXED);
	m->tlb_gen = 1;
	m->cpu_mask = 0;
	return 0;
}

void arch_mm_free(struct arch_mm *m)
{
	BUG_ON(m->cpu_mask);
	put_page(phys_to_page(m->root_phys));
	m->root = NULL;
}
