/*
 * Taking leaves out of page tables. The caller excludes new leaves: the region is frozen or
 * detached, or the address space is dead.
 */
#include "vm.h"

void page_mapped(struct page *p)
{
	if (__atomic_fetch_add(&p->mapcount, 1, __ATOMIC_SEQ_CST) == 0)
		mem_count(MEM_MAPPED, 1);
}

void page_unmapped(struct page *p)
{
	if (__atomic_fetch_sub(&p->mapcount, 1, __ATOMIC_SEQ_CST) == 1)
		mem_count(MEM_MAPPED, -1);
}

void zap_leaf(struct gather *g, struct region *r, pte_t e, unsigned long addr)
{
	struct page *p;

	if (pte_accessible(e))
		gather_range(g, addr, addr + PAGE_SIZE);
	if (pte_special(e))
		return;
	p = phys_to_page(pte_phys(e));
	leaf_goes(r, p);
	if (page_test(p, PG_ANON)) {
		g->anon++;
	} else {
		struct vm_object *o = r->object;

		if (o && o->unevictable) {
			g->shmem++;
		} else {
			g->file++;
			/* A writable leaf's page is dirty already (shared_write). */
			if (pte_is_young(e) && !page_test(p, PG_REFERENCED))
				page_set(p, PG_REFERENCED);
		}
		page_unmapped(p);
	}
	gather_add(g, p);
}

struct zap {
	struct pt_walk w;
	struct gather *g;
	struct region *r;
};

static int zap_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct zap *z = container_of(w, struct zap, w);
	bool dead = z->g->dead;

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		if (pte_none(e))
			continue;
		/* A dead address space keeps its stale entries: its tables go next. */
		if (!dead)
			e = pte_take(p);
		if (likely(!pte_none(e)))
			zap_leaf(z->g, z->r, e, addr);
	}
	return 0;
}

static int zap_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct zap *z = container_of(w, struct zap, w);
	pte_t e = pte_take(pmd);

	gather_range(z->g, round_down(addr, HUGE_SIZE), round_down(addr, HUGE_SIZE) + HUGE_SIZE);
	z->g->anon += PT_ENTRIES;
	huge_put(z->g, z->r, phys_to_page(pte_phys(e)));
	return 0;
}

void zap_range(struct gather *g, struct region *r, unsigned long start, unsigned long end)
{
	struct zap z = {.w = {g->mm, zap_ptes, zap_huge}, .g = g, .r = r};

	pt_walk(&z.w, start, end);
}
