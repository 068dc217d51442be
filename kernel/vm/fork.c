/*
 * Copying an address space. Anonymous pages are shared copy-on-write: the leaf of each goes into
 * the child's tables, write-protected on both sides. Pages that the child can fault in again from
 * an object are left out. All parent regions stay frozen until the parent's TLBs were flushed: a
 * fault in between could copy a page that another CPU still writes through a stale translation.
 */
#include <lib/string.h>
#include <core/trace.h>
#include "vm.h"

struct copy {
	struct pt_walk w; /* of the parent */
	struct mm *child;
	bool shared_object; /* the region has an object: only its anonymous copies */
	bool wipe_writes;   /* parent's leaves were write-protected: flush */
	s64 anon;
};

static int copy_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct copy *c = container_of(w, struct copy, w);
	pte_t *to = NULL;

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);
		struct page *page = NULL;

		if (pte_none(e))
			continue;
		if (!pte_special(e)) {
			page = phys_to_page(pte_phys(e));
			if (!page_test(page, PG_ANON))
				continue;
		} else if (c->shared_object) {
			continue;
		}
		if (!to) {
			bool leaf;

			to = pt_make(c->child, addr, &leaf);
			if (!to)
				return -ENOMEM;
			to -= pt_index(addr, 0);
		}
		if (page) {
			/* The hardware may set young and dirty, nothing else changes. */
			while (pte_is_writable(e) && !pte_cas(p, e, pte_wrprotect(e)))
				e = pte_read(p);
			if (pte_is_writable(e)) {
				e = pte_wrprotect(e);
				c->wipe_writes = true;
			}
			get_page(page);
			c->anon++;
		}
		/* The child doesn't run yet: a plain store. */
		to[pt_index(addr, 0)] = e;
	}
	return 0;
}

static int copy_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct copy *c = container_of(w, struct copy, w);
	pte_t e = pte_read(pmd), *to = pt_make_pmd(c->child, addr);

	if (!to)
		return -ENOMEM;
	while (pte_is_writable(e) && !pte_cas(pmd, e, pte_wrprotect(e)))
		e = pte_read(pmd);
	if (pte_is_writable(e)) {
		e = pte_wrprotect(e);
		c->wipe_writes = true;
	}
	huge_get(phys_to_page(pte_phys(e)));
	c->anon += PT_ENTRIES;
	*to = e;
	return 0;
}

static int copy_region(struct copy *c, struct region *r)
{
	struct region *n = region_dup(r, c->child);
	int err = 0;

	if (!n)
		return -ENOMEM;
	n->flags &= ~(REG_LOCKED | REG_LOCKONFAULT);
	if (n->flags & REG_ACCOUNT) {
		err = commit_charge(c->child, region_pages(n));
		if (err) {
			n->flags &= ~REG_ACCOUNT;
			region_release(n);
			return err;
		}
	}
	region_insert(n);
	if (!r->has_anon || (r->flags & REG_WIPEFORK))
		return 0;
	n->has_anon = true;
	c->shared_object = r->object;
	/* Truncation must find the copies too, or not have begun. */
	if (r->object)
		rwsem_read_lock(&r->object->map_lock);
	err = pt_walk(&c->w, r->start, r->end);
	if (r->object)
		rwsem_read_unlock(&r->object->map_lock);
	return err;
}

static void copy_layout(struct mm *to, const struct mm *from)
{
	to->mmap_top = from->mmap_top;
	to->start_code = from->start_code;
	to->end_code = from->end_code;
	to->start_data = from->start_data;
	to->end_data = from->end_data;
	to->start_brk = from->start_brk;
	to->brk = from->brk;
	to->start_stack = from->start_stack;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->vdso = from->vdso;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->dumpable = from->dumpable;
	to->dump_filter = from->dump_filter;
	to->no_huge = from->no_huge;
	to->oom_score_adj = from->oom_score_adj;
	to->membarrier_state = from->membarrier_state;
}

struct mm *mm_fork(struct mm *parent)
{
	struct mm *mm = mm_create();
	struct copy c = {.w = {parent, copy_ptes, copy_huge}, .child = mm};
	int err;

	if (is_err(mm))
		return mm;
	err = mm_write_lock(parent);
	if (err) {
		put_mm_users(mm);
		return err_ptr(err);
	}
	mm_write_lock_always_nested(mm); /* nobody else knows it */
	copy_layout(mm, parent);
	for (struct region *r = mm_first_region(parent); r && !err; r = region_next(r)) {
		region_freeze(r);
		if (!(r->flags & REG_DONTFORK))
			err = copy_region(&c, r);
		cond_resched();
	}
	if (c.wipe_writes)
		arch_tlb_flush_all(&parent->arch);
	atomic_set(&mm->anon_pages, c.anon);
	mem_count(MEM_ANON, c.anon);
	mm_write_unlock(mm);
	mm_write_unlock(parent);
	if (err) {
		put_mm_users(mm);
		return err_ptr(err);
	}
	return mm;
}
