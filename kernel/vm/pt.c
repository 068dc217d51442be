/* Building and freeing page tables. See pt.h. */
#include <kmem/page.h>
#include "pt.h"
#include "gather.h"

pte_t *pt_alloc_table(struct mm *mm)
{
	struct page *p = page_alloc(GFP_KERNEL | GFP_ZERO);

	if (!p)
		return NULL;
	page_set(p, PG_TABLE);
	atomic_inc(&mm->table_pages);
	mem_count(MEM_PAGE_TABLES, 1);
	return page_address(p);
}

static void uncount_table(struct mm *mm, struct page *p)
{
	page_clear(p, PG_TABLE);
	atomic_dec(&mm->table_pages);
	mem_count(MEM_PAGE_TABLES, -1);
}

void pt_free_table(struct mm *mm, pte_t *table)
{
	struct page *p = virt_to_page(table);

	uncount_table(mm, p);
	put_page(p);
}

pte_t *pt_find_pmd(struct mm *mm, unsigned long addr)
{
	pte_t *t = (pte_t *)mm->arch.root;

	for (int l = PT_LEVELS - 1; l > 1; l--) {
		pte_t e = pte_read(t + pt_index(addr, l));

		if (!pte_present(e))
			return NULL;
		t = pt_of(e);
	}
	return t + pt_index(addr, 1);
}

/* Follow entry p to the next lower table, which is made when missing. */
static pte_t *next_table(struct mm *mm, pte_t *p)
{
	pte_t e = pte_read(p);

	if (unlikely(!pte_present(e))) {
		pte_t *t = pt_alloc_table(mm);

		if (!t)
			return NULL;
		if (pte_cas(p, e, pte_table(virt_to_phys(t))))
			return t;
		pt_free_table(mm, t); /* another fault was faster */
		e = pte_read(p);
	}
	return pt_of(e);
}

pte_t *pt_make_pmd(struct mm *mm, unsigned long addr)
{
	pte_t *t = (pte_t *)mm->arch.root;

	for (int l = PT_LEVELS - 1; l > 1; l--) {
		t = next_table(mm, t + pt_index(addr, l));
		if (!t)
			return NULL;
	}
	return t + pt_index(addr, 1);
}

pte_t *pt_make(struct mm *mm, unsigned long addr, bool *leaf)
{
	pte_t *pmd = pt_make_pmd(mm, addr), e;

	*leaf = false;
	if (!pmd || !next_table(mm, pmd))
		return NULL;
	e = pte_read(pmd);
	if (unlikely(pte_is_leaf(e, 1))) {
		*leaf = true;
		return NULL;
	}
	return pt_of(e) + pt_index(addr, 0);
}

static int walk_table(
	struct pt_walk *w, pte_t *table, int level, unsigned long start, unsigned long end)
{
	unsigned long size = 1ul << PT_SHIFT(level), next;
	int err = 0;

	for (unsigned long a = start; a < end && !err; a = next) {
		pte_t *p = table + pt_index(a, level), e = pte_read(p);

		next = min(round_down(a, size) + size, end);
		if (!pte_present(e))
			continue;
		if (level == 1 && pte_is_leaf(e, 1))
			err = w->huge(w, p, a, next);
		else if (level == 1)
			err = w->ptes(w, pt_of(e) + pt_index(a, 0), a, next);
		else
			err = walk_table(w, pt_of(e), level - 1, a, next);
		if (level == 1) /* ranges are as long as users like */
			cond_resched();
	}
	return err;
}

int pt_walk(struct pt_walk *w, unsigned long start, unsigned long end)
{
	return walk_table(w, (pte_t *)w->mm->arch.root, PT_LEVELS - 1, start, end);
}

struct free_range {
	struct gather *g;
	unsigned long start, end, floor, ceiling;
};

/* table is of the given level (> 0) and covers addresses from base. */
static void free_below(const struct free_range *fr, pte_t *table, int level, unsigned long base)
{
	unsigned long size = 1ul << PT_SHIFT(level);
	int first = fr->start > base ? (fr->start - base) >> PT_SHIFT(level) : 0;

	for (int i = first; i < PT_ENTRIES; i++) {
		unsigned long a = base + i * size;
		pte_t e;

		if (a >= fr->end)
			break;
		e = pte_read(table + i);
		if (!pte_present(e) || pte_is_leaf(e, level))
			continue;
		if (level > 1)
			free_below(fr, pt_of(e), level - 1, a);
		else
			cond_resched();
		if (a < fr->floor || a + size > fr->ceiling)
			continue;
		__atomic_store_n(table + i, 0, __ATOMIC_RELAXED);
		uncount_table(fr->g->mm, virt_to_page(pt_of(e)));
		fr->g->tables = true;
		gather_range(fr->g, a, a + size);
		gather_add(fr->g, virt_to_page(pt_of(e)));
	}
}

void pt_free_range(struct gather *g, unsigned long start, unsigned long end, unsigned long floor,
	unsigned long ceiling)
{
	struct free_range fr = {g, start, end, floor, ceiling};

	/* User space ends a page before its last table does. */
	if (ceiling >= USER_END)
		fr.ceiling = ceiling = round_up(USER_END, 1ul << PT_SHIFT(PT_LEVELS - 1));
	/* Nothing can go when not even one lowest table lies inside: the usual small munmap. */
	if (round_up(floor, HUGE_SIZE) >= round_down(ceiling, HUGE_SIZE))
		return;
	free_below(&fr, (pte_t *)g->mm->arch.root, PT_LEVELS - 1, 0);
}
