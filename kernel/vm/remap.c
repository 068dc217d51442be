/* mremap and brk: changing the size or the place of what is mapped. */
#include "vm.h"

struct move {
	struct pt_walk w;
	struct mm *mm;
	unsigned long delta; /* new - old, modulo 2^64 */
	bool dry;            /* only make the tables */
	struct gather g;
};

static int move_ptes(struct pt_walk *w, pte_t *p, unsigned long addr, unsigned long end)
{
	struct move *m = container_of(w, struct move, w);

	for (; addr < end; addr += PAGE_SIZE, p++) {
		pte_t *to;
		bool leaf;

		if (pte_none(pte_read(p)))
			continue;
		to = pt_make(m->mm, addr + m->delta, &leaf);
		if (!to)
			return -ENOMEM;
		if (m->dry) {
			/* One table reached per target table is enough: skip to its end. */
			unsigned long next = round_down(addr + m->delta, HUGE_SIZE) + HUGE_SIZE;
			unsigned long skip = next - m->delta - addr - PAGE_SIZE;

			skip = min(skip, end - addr - PAGE_SIZE);
			addr += skip;
			p += skip >> PAGE_SHIFT;
			continue;
		}
		__atomic_store_n(to, pte_take(p), __ATOMIC_RELEASE);
		gather_range(&m->g, addr, addr + PAGE_SIZE);
	}
	return 0;
}

static int move_huge(struct pt_walk *w, pte_t *pmd, unsigned long addr, unsigned long end)
{
	struct move *m = container_of(w, struct move, w);
	pte_t *to;
	int err;

	if (m->dry && is_aligned(m->delta, HUGE_SIZE))
		return pt_make_pmd(m->mm, addr + m->delta) ? 0 : -ENOMEM;
	if (m->dry) {
		err = huge_split(m->mm, pmd, addr);
		if (err)
			return err;
		return move_ptes(w, pt_of(pte_read(pmd)) + pt_index(addr, 0), addr, end);
	}
	to = pt_make_pmd(m->mm, addr + m->delta);
	if (!to || pte_present(pte_read(to)))
		return -ENOMEM; /* not after the dry run, which split where a table is in the way */
	__atomic_store_n(to, pte_take(pmd), __ATOMIC_RELEASE);
	gather_range(&m->g, addr, end);
	return 0;
}

/* Leaves of [old, old + len) go to new. Both regions are frozen; the tables are made first. */
static int move_leaves(struct region *r, unsigned long old, unsigned long new, size_t len)
{
	struct move m = {
		.w = {r->mm, move_ptes, move_huge}, .mm = r->mm, .delta = new - old, .dry = true};
	int err;

	gather_init(&m.g, r->mm, false);
	err = pt_walk(&m.w, old, old + len);
	if (err)
		return err;
	m.dry = false;
	/* object_unmap must not look at the new place before and at the old one after. */
	if (r->object)
		rwsem_write_lock(&r->object->map_lock);
	err = pt_walk(&m.w, old, old + len);
	if (r->object)
		rwsem_write_unlock(&r->object->map_lock);
	gather_flush(&m.g);
	BUG_ON(err);
	return 0;
}

/* Give up the tables under a free range. */
static void free_tables(struct mm *mm, unsigned long start, unsigned long end)
{
	struct region *next = mm_find_region(mm, start);
	struct region *prev = next ? region_prev(next) : mm_last_region(mm);
	struct gather g;

	gather_init(&g, mm, false);
	pt_free_range(&g, start, end, prev ? prev->end : 0, next ? next->start : USER_END);
	gather_flush(&g);
}

/* A copy of [old, old + old_len) of r at new with new_len bytes; its leaves move over. */
static long move_region(struct region *r, unsigned long old, size_t old_len, unsigned long new,
	size_t new_len, u32 flags)
{
	struct mm *mm = r->mm;
	u64 pages = new_len >> PAGE_SHIFT, peak = mm->peak_pages;
	struct region *n;
	int err;

	/* The new one and two cuts, with one to spare, as Linux counts. */
	if (regions_full(mm, 3))
		return -ENOMEM;
	/* Afterwards the old range is a region of its own: taking it away cannot fail. */
	err = old_len ? cut_edges(mm, r, old, old + old_len) : 0;
	if (err)
		return err;
	r = mm_find_region(mm, old);
	if ((r->flags & REG_ACCOUNT) && commit_charge(mm, pages))
		return -ENOMEM;
	n = region_dup(r, mm);
	if (!n) {
		if (r->flags & REG_ACCOUNT)
			commit_uncharge(mm, pages);
		return -ENOMEM;
	}
	n->pgoff = region_index(r, old);
	n->has_anon = r->has_anon;
	n->start = new;
	n->end = new + new_len;
	region_freeze(r);
	region_freeze(
		n); /* before it can be found: its place is empty until the leaves are there */
	region_insert(n);
	err = old_len ? move_leaves(r, old, new, old_len) : 0;
	if (err) {
		region_remove(n); /* uncharges */
		free_tables(mm, new, new + new_len);
		region_release(n);
		region_merge(r);
		WRITE_ONCE(mm->peak_pages, peak);
		return err;
	}
	if (flags & MREMAP_DONTUNMAP)
		region_set_flags(r, r->flags & ~(REG_LOCKED | REG_LOCKONFAULT));
	else if (old_len)
		BUG_ON(unmap_locked(mm, old, old + old_len));
	/* A moment with both is no peak. */
	WRITE_ONCE(mm->peak_pages, max(peak, mm->total_pages));
	region_merge(n);
	return (long)new;
}

static long check_old(struct mm *mm, struct region *r, unsigned long old, size_t old_len,
	size_t new_len, u32 flags)
{
	u64 more = new_len > old_len ? (new_len - old_len) >> PAGE_SHIFT : 0;

	if (!r || r->start > old)
		return -EFAULT;
	if (!old_len && !(r->flags & REG_SHARED))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && (r->flags & (REG_DONTEXPAND | REG_SPECIAL)))
		return -EINVAL;
	if (old_len > r->end - old)
		return -EFAULT;
	if (new_len > old_len && (r->flags & (REG_DONTEXPAND | REG_SPECIAL)))
		return -EFAULT;
	if (region_index(r, old) + (new_len >> PAGE_SHIFT) < region_index(r, old))
		return -EINVAL;
	if ((r->flags & REG_LOCKED) && more && memlock_check(mm, more))
		return -EAGAIN;
	return limits_check(mm, flags & MREMAP_DONTUNMAP ? new_len >> PAGE_SHIFT : more, r->flags);
}

static bool grow_in_place(struct region *r, unsigned long old, size_t old_len, size_t new_len)
{
	struct mm *mm = r->mm;
	unsigned long end = old + new_len;

	if (old + old_len != r->end || end > USER_END || end < old ||
		!region_range_free(mm, r->end, end))
		return false;
	if ((r->flags & REG_ACCOUNT) && commit_charge(mm, (end - r->end) >> PAGE_SHIFT))
		return false;
	region_freeze(r);
	region_resize(r, r->start, end);
	region_merge(r);
	return true;
}

static long remap_locked(struct mm *mm, unsigned long old, size_t old_len, size_t new_len,
	u32 flags, unsigned long new)
{
	struct region *r;
	long ret;

	if (flags & MREMAP_FIXED) {
		if (new_len > USER_END || new > USER_END - new_len || !is_aligned(new, PAGE_SIZE) ||
			new < USER_START)
			return -EINVAL;
		if (old + old_len > new &&new + new_len > old)
			return -EINVAL;
	}
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old_len >= new_len && old_len) {
		r = mm_find_region(mm, old);
		if (!r || r->start > old)
			return -EFAULT;
		ret = old_len > new_len ? unmap_locked(mm, old + new_len, old + old_len) : 0;
		return ret ? ret : (long)old;
	}
	if ((flags & MREMAP_FIXED) && old_len > new_len) {
		ret = unmap_locked(mm, old + new_len, old + old_len);
		if (ret)
			return ret;
		old_len = new_len;
	}
	r = mm_find_region(mm, old);
	ret = check_old(mm, r, old, old_len, new_len, flags);
	if (ret)
		return ret;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && grow_in_place(r, old, old_len, new_len))
		return (long)old;
	if (!(flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (flags & MREMAP_FIXED) {
		ret = unmap_locked(mm, new, new + new_len);
		if (ret)
			return ret;
		r = mm_find_region(mm, old);
	} else {
		struct map_request rq = {.addr = new, .object = r->object};

		new = choose_address(mm, &rq, new_len);
		if ((long)new < 0)
			return (long)new;
	}
	return move_region(r, old, old_len, new, new_len, flags);
}

long mm_remap(struct mm *mm, unsigned long old, size_t old_len, size_t new_len, u32 flags,
	unsigned long new)
{
	long ret;
	bool locked;

	if (flags & ~(u32)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && old_len != new_len)
		return -EINVAL;
	old_len = round_up(old_len, PAGE_SIZE);
	new_len = round_up(new_len, PAGE_SIZE);
	if (!is_aligned(old, PAGE_SIZE) || !new_len)
		return -EINVAL;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		new = 0;
	if (old_len > USER_END || old > USER_END - old_len)
		return -EFAULT;
	if (mm_write_lock(mm))
		return -EINTR;
	ret = remap_locked(mm, old, old_len, new_len, flags, new);
	locked = ret >= 0 &&
		(mm_find_region(mm, ret)->flags & (REG_LOCKED | REG_LOCKONFAULT)) == REG_LOCKED;
	mm_write_unlock(mm);
	if (locked && new_len > old_len)
		(void)!mm_populate(mm, ret + old_len, new_len - old_len);
	return ret;
}

unsigned long mm_brk(struct mm *mm, unsigned long brk)
{
	const u32 flags = REG_READ | REG_WRITE | REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC;
	unsigned long old_end, new_end, ret;
	bool locked = false;

	if (mm_write_lock(mm))
		return READ_ONCE(mm->brk);
	ret = mm->brk;
	old_end = round_up(mm->brk, PAGE_SIZE);
	new_end = round_up(brk, PAGE_SIZE);
	if (brk < mm->start_brk || brk > USER_END - PAGE_SIZE)
		goto out;
	if (brk - mm->start_brk + (mm->end_data - mm->start_data) > vm_limit(RLIMIT_DATA))
		goto out;
	if (new_end < old_end) {
		if (unmap_locked(mm, new_end, old_end))
			goto out;
	} else if (new_end > old_end) {
		struct map_request rq = {.flags = flags};
		struct region *next = mm_find_region(mm, old_end);

		if (next && region_low(next) < new_end + PAGE_SIZE)
			goto out;
		if (map_locked(mm, &rq, old_end, new_end - old_end) < 0)
			goto out;
		locked = (mm->def_flags & (REG_LOCKED | REG_LOCKONFAULT)) == REG_LOCKED;
	}
	mm->brk = ret = brk;
out:
	mm_write_unlock(mm);
	if (locked)
		(void)!mm_populate(mm, old_end, new_end - old_end);
	return ret;
}
