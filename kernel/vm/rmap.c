/*
 * From an object's pages to the page tables that map them: object->mappings is an interval tree of
 * regions by page index. Reclaim only tries object->map_lock, because it may run in an allocation
 * that was made under it.
 */
#include "vm.h"
#include "cache.h"

static bool is_writer(u32 flags)
{
	return (flags & (REG_SHARED | REG_MAYWRITE)) == (REG_SHARED | REG_MAYWRITE);
}

void object_count_writable(struct region *r, int n)
{
	if (is_writer(r->flags))
		__atomic_fetch_add(&r->object->writable_maps, n, __ATOMIC_RELAXED);
}

int object_admit_writer(struct vm_object *o, u32 flags)
{
	s32 n;

	if (!o || !is_writer(flags))
		return 0;
	n = __atomic_load_n(&o->writable_maps, __ATOMIC_RELAXED);
	do
		if (n < 0)
			return -EPERM;
	while (!__atomic_compare_exchange_n(
		&o->writable_maps, &n, n + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return 0;
}

void object_admit_done(struct vm_object *o, u32 flags)
{
	if (o && is_writer(flags))
		__atomic_fetch_sub(&o->writable_maps, 1, __ATOMIC_RELEASE);
}

int object_deny_writers(struct vm_object *o)
{
	s32 n = 0;

	/* A region may go as well as come: only none at all, or denied before, will do. */
	return __atomic_compare_exchange_n(
		       &o->writable_maps, &n, -1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
			n < 0
		? 0
		: -EBUSY;
}

void object_map_region(struct region *r)
{
	struct vm_object *o = r->object;

	rwsem_write_lock(&o->map_lock);
	mapping_insert(o, r);
	object_count_writable(r, 1);
	rwsem_write_unlock(&o->map_lock);
}

void object_unmap_region(struct region *r)
{
	struct vm_object *o = r->object;

	rwsem_write_lock(&o->map_lock);
	mapping_remove(o, r);
	object_count_writable(r, -1);
	rwsem_write_unlock(&o->map_lock);
}

struct unmap {
	struct pt_walk w;
	struct gather g;
	struct region *r;
	bool even_cows;
};

static int unmap_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct unmap *u = container_of(w, struct unmap, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		while (!pte_none(e)) {
			bool anon = !pte_special(e) &&
				page_test(phys_to_page(pte_phys(e)), PG_ANON);

			if (anon && !u->even_cows)
				break;
			if (pte_cas(p, e, 0)) {
				zap_leaf(&u->g, u->r, e, addr);
				break;
			}
			e = pte_read(p);
		}
	}
	return 0;
}

static int unmap_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	return 0; /* objects' regions have none */
}

static void unmap_region(struct region *r, u64 first, u64 last, bool even_cows)
{
	struct unmap u = {.w = {r->mm, unmap_ptes, unmap_huge}, .r = r, .even_cows = even_cows};
	u64 r_last = r->pgoff + region_pages(r) - 1;

	if (r->flags & REG_SPECIAL)
		return;
	first = max(first, r->pgoff);
	last = min(last, r_last);
	gather_init(&u.g, r->mm, false);
	pt_walk(&u.w, r->start + ((first - r->pgoff) << PAGE_SHIFT),
		r->start + ((last - r->pgoff + 1) << PAGE_SHIFT));
	gather_flush(&u.g);
}

static void unmap_all(struct vm_object *o, u64 first, u64 last, bool even_cows)
{
	struct region *r = mapping_first(o, first, last);

	for (; r; r = mapping_next(r, first, last))
		unmap_region(r, first, last, even_cows);
}

void object_unmap(struct vm_object *o, u64 first, u64 last, bool even_cows)
{
	if (mapping_none(o))
		return;
	/* Exclusive where private copies go: mm_fork must not copy them meanwhile. */
	if (even_cows)
		rwsem_write_lock(&o->map_lock);
	else
		rwsem_read_lock(&o->map_lock);
	unmap_all(o, first, last, even_cows);
	if (even_cows)
		rwsem_write_unlock(&o->map_lock);
	else
		rwsem_read_unlock(&o->map_lock);
}

static int protect_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct unmap *u = container_of(w, struct unmap, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		while (pte_present(e) && (pte_is_writable(e) || pte_is_dirty(e)) &&
			!pte_special(e) && !page_test(phys_to_page(pte_phys(e)), PG_ANON)) {
			if (pte_cas(p, e, pte_mkclean(pte_wrprotect(e)))) {
				gather_range(&u->g, addr, addr + PAGE_SIZE);
				break;
			}
			e = pte_read(p);
		}
	}
	return 0;
}

void object_write_protect(struct vm_object *o, u64 index)
{
	if (mapping_none(o))
		return;
	rwsem_read_lock(&o->map_lock);
	for (struct region *r = mapping_first(o, index, index); r;
		r = mapping_next(r, index, index)) {
		struct unmap u = {.w = {r->mm, protect_ptes, unmap_huge}, .r = r};

		if (!region_shared(r) || (r->flags & REG_SPECIAL))
			continue;
		gather_init(&u.g, r->mm, false);
		pt_walk(&u.w, r->start + ((index - r->pgoff) << PAGE_SHIFT),
			r->start + ((index - r->pgoff + 1) << PAGE_SHIFT));
		gather_flush(&u.g);
	}
	rwsem_read_unlock(&o->map_lock);
}

bool object_try_unmap_page(struct vm_object *o, u64 index)
{
	bool locked = false;

	if (!rwsem_read_trylock(&o->map_lock))
		return false;
	for (struct region *r = mapping_first(o, index, index); r && !locked;
		r = mapping_next(r, index, index))
		locked = READ_ONCE(r->flags) & REG_LOCKED;
	if (!locked)
		unmap_all(o, index, index, false);
	rwsem_read_unlock(&o->map_lock);
	return !locked;
}
