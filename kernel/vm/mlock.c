/*
 * Counting locked pages: those that a region with REG_LOCKED maps. Each page counts the leaves of
 * such regions, so a page that two processes lock is one page; a whole 2 MiB block counts at its
 * head (huge.c).
 *
 * What keeps the counts right: a leaf of a region is counted if and only if the region has
 * REG_LOCKED. That flag changes with the region frozen and object->map_lock held for writing, so
 * neither faults nor truncation install or take leaves meanwhile. A leaf is counted before it is
 * visible.
 */
#include "vm.h"

static void count(const struct region *r, const struct page *p, long pages)
{
	mem_count(MEM_MLOCKED, pages);
	if (!page_test(p, PG_ANON) && !r->object->unevictable)
		mem_count(MEM_MLOCKED_FILE, pages);
}

void page_mlocked(const struct region *r, struct page *p, long pages)
{
	if (__atomic_fetch_add(&p->flags, PAGE_MLOCK_ONE, __ATOMIC_RELAXED) < PAGE_MLOCK_ONE)
		count(r, p, pages);
}

void page_munlocked(const struct region *r, struct page *p, long pages)
{
	unsigned long old = __atomic_fetch_sub(&p->flags, PAGE_MLOCK_ONE, __ATOMIC_RELAXED);

	ASSERT(old >= PAGE_MLOCK_ONE);
	if (old < 2 * PAGE_MLOCK_ONE)
		count(r, p, -pages);
}

struct locking {
	struct pt_walk w;
	const struct region *r;
	bool lock;
};

static int count_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct locking *l = container_of(w, struct locking, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		if (pte_none(e) || pte_special(e))
			continue;
		if (l->lock)
			page_mlocked(l->r, phys_to_page(pte_phys(e)), 1);
		else
			page_munlocked(l->r, phys_to_page(pte_phys(e)), 1);
	}
	return 0;
}

static int count_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct locking *l = container_of(w, struct locking, w);

	huge_mlock(l->r, phys_to_page(pte_phys(pte_read(pmd))), l->lock);
	return 0;
}

void region_set_locked(struct region *r, u32 flags)
{
	struct locking l = {
		.w = {r->mm, count_ptes, count_huge}, .r = r, .lock = flags & REG_LOCKED};

	if (r->object)
		rwsem_write_lock(&r->object->map_lock);
	region_set_flags(r, flags);
	pt_walk(&l.w, r->start, r->end);
	if (r->object)
		rwsem_write_unlock(&r->object->map_lock);
}
