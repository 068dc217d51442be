/* mprotect: new rights for regions and for the leaves that are there. */
#include "vm.h"

struct reprotect {
	struct pt_walk w;
	struct gather g; /* only for its range: nothing is freed */
	struct region *r;
	u32 prot;
};

/* Did the hardware have a right that it loses? Then TLBs must forget; a gained one may fault. */
static bool loses(pte_t old, pte_t new)
{
	if (!pte_accessible(old))
		return false;
	return !pte_accessible(new) || (pte_is_writable(old) && !pte_is_writable(new)) ||
		(pte_is_exec(old) && !pte_is_exec(new));
}

/*
 * A leaf becomes writable without a fault only where a fault would do no more than that: a private
 * page of our own, or a shared page that was writable already (its owner agreed).
 */
static bool may_write(const struct reprotect *x, pte_t e)
{
	const struct page *p;

	if (pte_special(e) || !(x->prot & MMU_WRITE))
		return false;
	if (region_shared(x->r))
		return pte_is_writable(e);
	p = phys_to_page(pte_phys(e));
	return page_test(p, PG_ANON) && READ_ONCE(p->refs) == 1;
}

static void change(
	struct reprotect *x, pte_t *p, pte_t e, unsigned long addr, unsigned long size, bool write)
{
	pte_t new;

	do {
		new = pte_with_prot(e, write ? x->prot : x->prot & ~MMU_WRITE);
		if (new == e)
			return;
	} while (!__atomic_compare_exchange_n(
			 p, &e, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) &&
		!pte_none(e));
	if (!pte_none(e) && loses(e, new))
		gather_range(&x->g, addr, addr + size);
}

static int protect_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct reprotect *x = container_of(w, struct reprotect, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t e = pte_read(p);

		if (!pte_none(e))
			change(x, p, e, addr, PAGE_SIZE, may_write(x, e));
	}
	return 0;
}

static int protect_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct reprotect *x = container_of(w, struct reprotect, w);
	pte_t e = pte_read(pmd);

	/* Writing again is left to the fault, which knows whether the memory is shared. */
	change(x, pmd, e, round_down(addr, HUGE_SIZE), HUGE_SIZE, pte_is_writable(e));
	return 0;
}

static void change_leaves(struct region *r)
{
	struct reprotect x = {
		.w = {r->mm, protect_ptes, protect_huge},
		.r = r,
		.prot = region_prot(r->flags),
	};

	gather_init(&x.g, r->mm, false);
	pt_walk(&x.w, r->start, r->end);
	gather_flush(&x.g);
}

static int check(struct region *r, u32 prot, u32 flags)
{
	if (prot & ~((r->flags >> 4) & PROT_BITS)) /* REG_MAY* are REG_* << 4 */
		return -EACCES;
	if (r->ops && r->ops->may_mprotect && !r->ops->may_mprotect(r, prot))
		return -EACCES;
	if (flags_are_data(flags) && !flags_are_data(r->flags) &&
		r->mm->data_pages + region_pages(r) > vm_limit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	return 0;
}

/* One region, already cut to the range. Returns the region that covers it afterwards. */
static struct region *protect_one(struct region *r, u32 prot)
{
	u32 flags = (r->flags & ~PROT_BITS) | prot;
	int err;

	if (flags == r->flags)
		return r;
	err = check(r, prot, flags);
	if (err)
		return err_ptr(err);
	if (flags_accountable(flags) && !(flags & REG_ACCOUNT)) {
		err = commit_charge(r->mm, region_pages(r));
		if (err)
			return err_ptr(err);
		flags |= REG_ACCOUNT;
	}
	region_freeze(r);
	region_set_flags(r, flags);
	change_leaves(r);
	return region_merge(r);
}

/* The part of r inside [start, end) as a region of its own. */
static struct region *cut(struct region *r, unsigned long start, unsigned long end)
{
	struct mm *mm = r->mm;
	int err;

	if (r->start < start || r->end > end)
		region_freeze(r);
	if (r->start < start) {
		err = huge_split_at(mm, start);
		if (err)
			return err_ptr(err);
		r = region_split(r, start);
		if (is_err(r))
			return r;
	}
	if (r->end > end) {
		struct region *rest;

		err = huge_split_at(mm, end);
		if (err)
			return err_ptr(err);
		rest = region_split(r, end);
		if (is_err(rest))
			return rest;
	}
	return r;
}

static int protect_locked(struct mm *mm, unsigned long start, unsigned long end, u32 prot)
{
	struct region *r = mm_find_region(mm, start);
	unsigned long at = start;

	while (at < end) {
		if (!r || r->start > at)
			return -ENOMEM;
		if (((r->flags ^ prot) & PROT_BITS) != 0) {
			int err = check(r, prot, r->flags & ~(PROT_BITS | REG_WRITE));

			if (err)
				return err;
			r = cut(r, at, end);
			if (is_err(r))
				return ptr_err(r);
			r = protect_one(r, prot);
			if (is_err(r))
				return ptr_err(r);
		}
		at = r->end;
		r = region_next(r);
	}
	return 0;
}

int mm_protect(
	struct mm *mm, unsigned long addr, size_t len, u32 prot, bool growsdown, bool growsup)
{
	unsigned long end;
	int err;

	len = round_up(len, PAGE_SIZE);
	if (!is_aligned(addr, PAGE_SIZE) || (growsdown && growsup) || (prot & ~PROT_BITS))
		return -EINVAL;
	if (len == 0)
		return 0;
	end = addr + len;
	if (end <= addr || end > USER_END)
		return -ENOMEM;
	if (mm_write_lock(mm))
		return -EINTR;
	if (growsdown || growsup) {
		struct region *r = mm_find_region(mm, addr);

		err = -ENOMEM;
		if (!r || r->start >= end)
			goto out;
		err = -EINVAL;
		if (growsup || !(r->flags & REG_GROWSDOWN))
			goto out;
		addr = r->start;
	}
	err = protect_locked(mm, addr, end, prot);
out:
	mm_write_unlock(mm);
	return err;
}
