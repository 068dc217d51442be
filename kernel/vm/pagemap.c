/*
 * What /proc/PID/pagemap shows of page tables, and what /proc/PID/clear_refs does to them
 * (linux-doc: admin-guide/mm/pagemap.rst, filesystems/proc.rst).
 */
#include <vm/pagemap.h>
#include "vm.h"

#define PM_EXCLUSIVE (1ull << 56) /* mapped here only */
#define PM_FILE      (1ull << 61) /* of a file or shared memory */
#define PM_PRESENT   (1ull << 63)

struct pagemap {
	struct pt_walk w;
	unsigned long start;
	u64 *out;
	bool frames;
};

static u64 entry_of(const struct pagemap *m, pte_t e, unsigned long offset)
{
	u64 v = PM_PRESENT | (m->frames ? (pte_phys(e) + offset) >> PAGE_SHIFT : 0);
	const struct page *p;

	if (pte_special(e))
		return v;
	p = phys_to_page(pte_phys(e) + offset);
	if (page_test(p, PG_TAIL))
		p = p->head;
	if (page_test(p, PG_ANON))
		return v | (READ_ONCE(p->refs) == 1 ? PM_EXCLUSIVE : 0);
	return v | PM_FILE | (READ_ONCE(p->mapcount) == 1 ? PM_EXCLUSIVE : 0);
}

static int map_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct pagemap *m = container_of(w, struct pagemap, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		if (pte_present(e))
			m->out[(addr - m->start) >> PAGE_SHIFT] = entry_of(m, e, 0);
	}
	return 0;
}

static int map_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct pagemap *m = container_of(w, struct pagemap, w);
	pte_t e = pte_read(pmd);

	if (!pte_is_leaf(e, 1))
		return 0;
	for (; addr < end; addr += PAGE_SIZE)
		m->out[(addr - m->start) >> PAGE_SHIFT] = entry_of(m, e, addr & (HUGE_SIZE - 1));
	return 0;
}

int mm_pagemap(struct mm *mm, unsigned long addr, size_t n, bool frames, u64 *out)
{
	struct pagemap m = {
		.w = {mm, map_ptes, map_huge}, .start = addr, .out = out, .frames = frames};
	unsigned long end = addr + n * PAGE_SIZE;

	for (size_t i = 0; i < n; i++)
		out[i] = 0;
	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	/* Tables exist, and stay, below regions only. */
	for (struct region *r = mm_find_region(mm, addr); r && r->start < end; r = region_next(r))
		pt_walk(&m.w, max(r->start, addr), min(r->end, end));
	rwsem_read_unlock(&mm->map_lock);
	return 0;
}

/* ---- references ------------------------------------------------------------------------------- */

static void forget(pte_t *p, pte_t e)
{
	while (pte_accessible(e) && pte_is_young(e) && !pte_cas(p, e, pte_mkold(e)))
		e = pte_read(p);
}

/* What isn't accessible is being switched by a fault, which owns it. */
static int clear_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);
		struct page *page;

		if (!pte_present(e) || !pte_accessible(e) || pte_special(e))
			continue;
		forget(p, e);
		page = phys_to_page(pte_phys(e));
		if (page_test(page, PG_REFERENCED))
			page_clear(page, PG_REFERENCED);
	}
	return 0;
}

static int clear_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	pte_t e = pte_read(pmd);

	if (pte_is_leaf(e, 1))
		forget(pmd, e);
	return 0;
}

int mm_clear_references(struct mm *mm, bool anonymous, bool files)
{
	struct pt_walk w = {mm, clear_ptes, clear_huge};

	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	for (struct region *r = mm_first_region(mm); r; r = region_next(r))
		if (!(r->flags & REG_SPECIAL) && (r->file ? files : anonymous))
			pt_walk(&w, r->start, r->end);
	arch_tlb_flush_all(&mm->arch); /* what is remembered there doesn't set the bit again */
	rwsem_read_unlock(&mm->map_lock);
	return 0;
}

void mm_reset_hiwater(struct mm *mm)
{
	WRITE_ONCE(mm->hiwater_rss, mm_rss_pages(mm));
}
