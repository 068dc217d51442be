/*
 * Page-table walking. Tables have PT_ENTRIES entries; the root is arch_mm.root. Entries are read
 * and changed with single atomic accesses only: the hardware sets young and dirty at any time.
 *
 * Who may walk: a holder of the region's lock or of mm->map_lock (tables that cover a live region
 * are never freed), or of object->map_lock for a region on object->mappings.
 */
#ifndef VM_PT_H
#define VM_PT_H

#include <vm/mm.h>

static inline pte_t pte_read(const pte_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline bool must_check pte_cas(pte_t *p, pte_t old, pte_t new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static inline pte_t pte_take(pte_t *p)
{
	return __atomic_exchange_n(p, 0, __ATOMIC_SEQ_CST);
}

static inline pte_t *pt_of(pte_t table)
{
	return phys_to_virt(pte_phys(table));
}

/*
 * The lowest existing entry for addr: level 0, or level 1 when that holds a 2 MiB leaf. NULL when
 * a table on the way is missing. *value: the entry as it was read; a second look may find a table
 * where a 2 MiB leaf was, which the level wouldn't tell.
 */
static inline pte_t *pt_find(struct mm *mm, unsigned long addr, int *level, pte_t *value)
{
	pte_t *t = (pte_t *)mm->arch.root;

	for (int l = PT_LEVELS - 1; l > 0; l--) {
		pte_t *p = t + pt_index(addr, l), e = pte_read(p);

		if (!pte_present(e))
			return NULL;
		if (l == 1 && pte_is_leaf(e, 1)) {
			*level = 1;
			*value = e;
			return p;
		}
		t = pt_of(e);
	}
	*level = 0;
	t += pt_index(addr, 0);
	*value = pte_read(t);
	return t;
}

/* The entry of addr at level 1 (NULL: not even that table exists). */
pte_t *pt_find_pmd(struct mm *mm, unsigned long addr);
/* The same, with the tables above made. NULL: no memory. */
pte_t *pt_make_pmd(struct mm *mm, unsigned long addr) must_check;
/* The level-0 entry, tables made. NULL: no memory, or a 2 MiB leaf is in the way (*leaf). */
pte_t *pt_make(struct mm *mm, unsigned long addr, bool *leaf) must_check;
/*
 * Walk what exists of [start, end): ptes is called for runs of level-0 entries that share a table,
 * huge for 2 MiB leaves (the part of the range that the leaf covers). Nonzero ends the walk. May
 * sleep between tables.
 */
struct pt_walk {
	struct mm *mm;
	int (*ptes)(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end);
	int (*huge)(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end);
};
int pt_walk(struct pt_walk *w, unsigned long start, unsigned long end);
/* A cleared table page not yet linked; and its release. Counted as page tables of mm. */
pte_t *pt_alloc_table(struct mm *mm) must_check;
void pt_free_table(struct mm *mm, pte_t *table);

struct gather;
/*
 * Free the tables that cover only addresses in [floor, ceiling) and touch [start, end). No region
 * is left there, and map_lock is held for writing. The pages go into g.
 */
void pt_free_range(struct gather *g, unsigned long start, unsigned long end, unsigned long floor,
	unsigned long ceiling);

#endif
