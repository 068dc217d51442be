/*
 * Kernel mappings: x86_map fills tables at boot; arch_kmap_page and arch_ioremap work in the
 * vmalloc area, whose tables are made on demand and stay. Missing tables are installed by
 * compare-exchange, so no lock is needed: two CPUs never map the same address.
 */
#include "image.h"
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <kmem/page.h>
#include <lib/seq_buf.h>

u64 x86_pte_nx;
static u64 g_direct[3]; /* bytes of the direct map in 4 KiB, 2 MiB, 1 GiB pages; immutable after
			   boot */

static u64 *next_table_early(u64 *entry)
{
	if (!*entry)
		*entry = pte_table(virt_to_phys(x86_early_alloc(PAGE_SIZE, PAGE_SIZE))) & ~PTE_U;
	BUG_ON(*entry & PTE_PS);
	return phys_to_virt(pte_phys(*entry));
}

/* Boot only: map [va, va+len) to phys with the largest pages that fit. All page aligned. */
void x86_map(u64 *root, unsigned long va, u64 phys, size_t len, u32 prot)
{
	while (len) {
		u64 *pdpt = next_table_early(&root[pt_index(va, 3)]);
		size_t step = PAGE_SIZE;
		int size = 0;

		if (g_x86.gbpages && is_aligned(va | phys, GiB(1)) && len >= GiB(1)) {
			step = GiB(1);
			size = 2;
			pdpt[pt_index(va, 2)] = pte_leaf_huge(phys, prot);
		} else {
			u64 *pd = next_table_early(&pdpt[pt_index(va, 2)]);

			if (is_aligned(va | phys, HUGE_SIZE) && len >= HUGE_SIZE) {
				step = HUGE_SIZE;
				size = 1;
				pd[pt_index(va, 1)] = pte_leaf_huge(phys, prot);
			} else {
				u64 *pt = next_table_early(&pd[pt_index(va, 1)]);

				pt[pt_index(va, 0)] = pte_leaf(phys, prot);
			}
		}
		if (va >= DIRECT_MAP && va < VMALLOC_START)
			g_direct[size] += step;
		va += step;
		phys += step;
		len -= step;
	}
}

void arch_show_meminfo(struct seq_buf *s)
{
	seq_printf(s, "DirectMap4k:    %8llu kB\nDirectMap2M:    %8llu kB\n", g_direct[0] >> 10,
		g_direct[1] >> 10);
	if (g_x86.gbpages)
		seq_printf(s, "DirectMap1G:    %8llu kB\n", g_direct[2] >> 10);
}

static u64 *next_table(u64 *entry, bool early)
{
	u64 e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

	if (!e) {
		struct page *p;
		u64 fresh;

		if (early)
			return next_table_early(entry);
		p = page_alloc(GFP_KERNEL | GFP_ZERO);
		if (!p)
			return NULL;
		fresh = pte_table(page_to_phys(p)) & ~PTE_U;
		if (__atomic_compare_exchange_n(
			    entry, &e, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			e = fresh;
		else
			put_page(p); /* another CPU was first; e is its entry */
	}
	return phys_to_virt(pte_phys(e));
}

/* The level-0 entry for va in the vmalloc area; NULL without memory. */
static u64 *kernel_entry(unsigned long va, bool early)
{
	u64 *table = phys_to_virt(pte_phys(x86_kernel_root[pt_index(va, 3)]));

	for (int level = 2; level >= 1; level--) {
		table = next_table(&table[pt_index(va, level)], early);
		if (!table)
			return NULL;
	}
	return &table[pt_index(va, 0)];
}

static int kmap_one(unsigned long va, u64 phys, u32 prot, bool early)
{
	u64 *entry = kernel_entry(va, early);

	if (!entry)
		return -ENOMEM;
	WRITE_ONCE(*entry, pte_leaf(phys, (prot & ~MMU_USER) | MMU_GLOBAL));
	return 0;
}

int arch_kmap_page(unsigned long va, u64 phys, u32 prot)
{
	return kmap_one(va, phys, prot, false);
}

void arch_kunmap_range(unsigned long va, size_t len)
{
	for (unsigned long at = va; at < va + len; at += PAGE_SIZE) {
		u64 *table = phys_to_virt(pte_phys(x86_kernel_root[pt_index(at, 3)]));

		for (int level = 2; level >= 1 && table; level--) {
			u64 e = table[pt_index(at, level)];

			table = e ? phys_to_virt(pte_phys(e)) : NULL;
		}
		if (table)
			WRITE_ONCE(table[pt_index(at, 0)], 0);
	}
	arch_tlb_flush(NULL, va, va + len, false);
}

static DEFINE_SPINLOCK(g_ioremap_lock, RANK_VMALLOC);
static unsigned long g_ioremap_next = IOREMAP_START; /* g_ioremap_lock */

static void *ioremap(u64 phys, size_t len, bool early)
{
	u64 offset = phys & (PAGE_SIZE - 1);
	unsigned long va;

	if (!len || phys + len < phys)
		return err_ptr(-EINVAL);
	len = round_up(len + offset, PAGE_SIZE);
	unsigned long flags = spin_lock_irqsave(&g_ioremap_lock);
	va = g_ioremap_next;
	if (len > IOREMAP_END - va) {
		spin_unlock_irqrestore(&g_ioremap_lock, flags);
		return err_ptr(-ENOMEM);
	}
	g_ioremap_next += len + PAGE_SIZE; /* an unmapped page between neighbours */
	spin_unlock_irqrestore(&g_ioremap_lock, flags);
	for (size_t done = 0; done < len; done += PAGE_SIZE)
		if (kmap_one(va + done, phys - offset + done,
			    MMU_READ | MMU_WRITE | MMU_NOCACHE | MMU_DIRTY, early))
			return err_ptr(-ENOMEM);
	return (void *)(va + offset);
}

void *arch_ioremap(u64 phys, size_t len)
{
	return ioremap(phys, len, false);
}

void *x86_ioremap_early(u64 phys, size_t len)
{
	return ioremap(phys, len, true);
}
