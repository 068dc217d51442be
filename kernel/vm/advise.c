/* madvise, msync, mlock, mincore, populate: operations over ranges of what is mapped. */
#include <cred/cred.h>
#include <core/trace.h>
#include "vm.h"

/* ---- throwing pages away ------------------------------------------------------------------- */

static int drop_range(struct region *r, unsigned long start, unsigned long end)
{
	struct gather g;
	int err;

	region_freeze(r);
	err = huge_split_at(r->mm, start);
	if (!err)
		err = huge_split_at(r->mm, end);
	if (err)
		return err;
	mm_update_hiwater(r->mm);
	gather_init(&g, r->mm, false);
	zap_range(&g, r, start, end);
	gather_flush(&g);
	return 0;
}

static int may_punch(const struct region *r)
{
	if (r->flags & REG_LOCKED)
		return -EINVAL;
	if (!r->object)
		return -EINVAL;
	return region_shared(r) && (r->flags & REG_WRITE) ? 0 : -EACCES;
}

/* map_lock is given up in between for a file, which may wait for long: r may be gone then. */
static int punch_range(struct region *r, unsigned long start, unsigned long end)
{
	u64 from = region_index(r, start) << PAGE_SHIFT;
	const struct region_ops *ops = r->ops;
	struct mm *mm = r->mm;
	void *file = r->file;
	int err = may_punch(r);

	if (err)
		return err;
	if (!ops || !ops->punch)
		return object_punch(r->object, from, from + (end - start));
	ops->hold(file);
	mm_write_unlock(mm);
	err = ops->punch(file, from, end - start);
	ops->unhold(file);
	mm_write_lock_always(mm);
	return err;
}

/* ---- advice that only changes flags ----------------------------------------------------------- */

static int flags_for(int advice, u32 old, u32 *new)
{
	switch (advice) {
	case MADV_NORMAL:
		*new = old & ~(REG_SEQ_READ | REG_RAND_READ);
		return 0;
	case MADV_SEQUENTIAL:
		*new = (old & ~REG_RAND_READ) | REG_SEQ_READ;
		return 0;
	case MADV_RANDOM:
		*new = (old & ~REG_SEQ_READ) | REG_RAND_READ;
		return 0;
	case MADV_DONTFORK:
		*new = old | REG_DONTFORK;
		return 0;
	case MADV_DOFORK:
		if (old & REG_SPECIAL)
			return -EINVAL;
		*new = old & ~REG_DONTFORK;
		return 0;
	case MADV_WIPEONFORK:
		if (old & REG_SHARED)
			return -EINVAL;
		*new = old | REG_WIPEFORK;
		return 0;
	case MADV_KEEPONFORK:
		*new = old & ~REG_WIPEFORK;
		return 0;
	case MADV_DONTDUMP:
		*new = old | REG_DONTDUMP;
		return 0;
	case MADV_DODUMP:
		if (old & REG_SPECIAL)
			return -EINVAL;
		*new = old & ~REG_DONTDUMP;
		return 0;
	case MADV_HUGEPAGE:
		*new = (old & ~REG_NOHUGE) | REG_HUGE;
		return 0;
	case MADV_NOHUGEPAGE:
		*new = (old & ~REG_HUGE) | REG_NOHUGE;
		return 0;
	default:
		return -EINVAL;
	}
}

/* The part of r inside [start, end), flags changed, joined with equal neighbours. */
static struct region *change_flags(
	struct region *r, unsigned long start, unsigned long end, u32 flags)
{
	struct region *rest;
	int err = 0;

	if (r->flags == flags)
		return r;
	region_freeze(r);
	if (r->start < start) {
		err = huge_split_at(r->mm, start);
		if (!err)
			r = region_split(r, start);
		if (err || is_err(r))
			return err ? err_ptr(err) : r;
	}
	if (r->end > end) {
		err = huge_split_at(r->mm, end);
		rest = err ? err_ptr(err) : region_split(r, end);
		if (is_err(rest))
			return rest;
	}
	if ((r->flags ^ flags) & REG_LOCKED)
		region_set_locked(r, flags);
	else
		region_set_flags(r, flags);
	return region_merge(r);
}

static int advise_region(struct region **rp, unsigned long start, unsigned long end, int advice)
{
	struct region *r = *rp;
	u32 flags;
	int err;

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		if (advice == MADV_FREE && r->object)
			return -EINVAL;
		if ((r->flags & REG_SPECIAL) ||
			((r->flags & REG_LOCKED) && advice != MADV_DONTNEED_LOCKED))
			return -EINVAL;
		return drop_range(r, start, end);
	case MADV_REMOVE:
		return punch_range(r, start, end);
	case MADV_COLD:
	case MADV_PAGEOUT:
		/* Hints about reclaim: there is no swap, and clean file pages go by age. */
		return r->flags & (REG_LOCKED | REG_SPECIAL) ? -EINVAL : 0;
	case MADV_WILLNEED:
		return 0; /* pages of objects in memory are there; fault-around does the rest */
	default:
		if (advice == MADV_WIPEONFORK && r->object)
			return -EINVAL;
		err = flags_for(advice, r->flags, &flags);
		if (err)
			return err;
		r = change_flags(r, start, end, flags);
		if (is_err(r)) /* madvise(2): a resource is temporarily short */
			return ptr_err(r) == -ENOMEM ? -EAGAIN : ptr_err(r);
		*rp = r;
		return 0;
	}
}

static bool advice_known(int advice)
{
	u32 flags;

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
	case MADV_REMOVE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_WILLNEED:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return true;
	default:
		return flags_for(advice, 0, &flags) == 0;
	}
}

static int populate_advice(struct mm *mm, unsigned long start, unsigned long end, bool write);

/* Holes are skipped, and make the result -ENOMEM, as madvise(2) says. */
int mm_advise(struct mm *mm, unsigned long addr, size_t len, int advice)
{
	unsigned long at = addr, end, upto;
	struct region *r;
	int err = 0, hole = 0;

	if (!advice_known(advice) || !is_aligned(addr, PAGE_SIZE))
		return -EINVAL;
	end = addr + round_up(len, PAGE_SIZE);
	if ((len && round_up(len, PAGE_SIZE) == 0) || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	if (advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE)
		return populate_advice(mm, addr, end, advice == MADV_POPULATE_WRITE);
	if (mm_write_lock(mm))
		return -EINTR;
	r = mm_find_region(mm, addr);
	while (!err && at < end) {
		if (!r || r->start >= end) {
			hole = -ENOMEM;
			break;
		}
		if (r->start > at) {
			hole = -ENOMEM;
			at = r->start;
		}
		upto = min(r->end, end);
		err = advise_region(&r, at, upto, advice);
		/* r may have been joined with the next one, or be gone. */
		at = advice == MADV_REMOVE ? upto : r->end;
		r = advice == MADV_REMOVE ? mm_find_region(mm, at) : region_next(r);
	}
	mm_write_unlock(mm);
	return err ? err : hole;
}

/* ---- populate, mlock
 * ----------------------------------------------------------------------------- */

/*
 * Fault the pages of [start, end) in. write: as if written (POPULATE_WRITE); otherwise private
 * writable memory gets its own pages, the rest is read. Stops at the first error.
 */
static int populate_range(
	struct mm *mm, unsigned long start, unsigned long end, int write, bool skip_noaccess)
{
	int err = 0;

	if (rwsem_read_lock_killable(&mm->map_lock))
		return -EINTR;
	for (unsigned long a = start; a < end && !err; a += PAGE_SIZE) {
		struct region *r = mm_find_region(mm, a);
		u32 access = MMU_READ | MMU_USER;
		int level;
		pte_t *p, e;

		if (!r || r->start > a) {
			err = -ENOMEM;
			break;
		}
		if (write > 0 || (write < 0 && (r->flags & (REG_WRITE | REG_SHARED)) == REG_WRITE))
			access |= MMU_WRITE;
		if (!region_allows(r, access) || (!write && !(r->flags & REG_READ))) {
			if (!skip_noaccess)
				err = write >= 0 || (r->flags & REG_SPECIAL) ? -EINVAL : -EFAULT;
			a = min(r->end, end) - PAGE_SIZE;
			continue;
		}
		/* A fault may lose a race and ask to be repeated. */
		while (!err && !signal_interrupts(current_thread(), THREAD_KILLABLE)) {
			p = pt_find(mm, a, &level, &e);
			if (p && pte_accessible(e) && (!(access & MMU_WRITE) || pte_is_writable(e)))
				break;
			err = fault_in_region(r, a, access);
			if (err == -EAGAIN)
				err = 0;
		}
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			err = -EINTR;
		if (!err && thread_has_work(current_thread(), WORK_RESCHED)) {
			rwsem_read_unlock(&mm->map_lock);
			cond_resched();
			rwsem_read_lock(&mm->map_lock);
		}
	}
	rwsem_read_unlock(&mm->map_lock);
	return err;
}

static int populate_advice(struct mm *mm, unsigned long start, unsigned long end, bool write)
{
	int err = populate_range(mm, start, end, write, false);

	return err == -EIO ? -EFAULT : err;
}

int mm_populate(struct mm *mm, unsigned long addr, size_t len)
{
	return populate_range(mm, addr, addr + len, -1, true);
}

static int set_locked(struct mm *mm, unsigned long start, unsigned long end, u32 set)
{
	struct region *r = mm_find_region(mm, start);
	unsigned long at = start;

	while (at < end) {
		if (!r || r->start > at)
			return -ENOMEM;
		if (!(r->flags & REG_SPECIAL)) {
			u32 flags = (r->flags & ~(REG_LOCKED | REG_LOCKONFAULT)) | set;

			r = change_flags(r, at, end, flags);
			if (is_err(r))
				return ptr_err(r);
		}
		at = r->end;
		r = region_next(r);
	}
	return 0;
}

/* Pages of the range that aren't locked yet. */
static u64 count_unlocked(struct mm *mm, unsigned long start, unsigned long end)
{
	u64 n = 0;

	for (struct region *r = mm_find_region(mm, start); r && r->start < end; r = region_next(r))
		if (!(r->flags & REG_LOCKED))
			n += (min(r->end, end) - max(r->start, start)) >> PAGE_SHIFT;
	return n;
}

int mm_lock_range(struct mm *mm, unsigned long addr, size_t len, bool lock, bool onfault)
{
	unsigned long start = round_down(addr, PAGE_SIZE), end;
	u32 set = lock ? REG_LOCKED | (onfault ? REG_LOCKONFAULT : 0) : 0;
	int err;

	len = round_up(len + (addr - start), PAGE_SIZE);
	end = start + len;
	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	if (lock && vm_limit(RLIMIT_MEMLOCK) == 0 && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if (end > USER_END)
		return -ENOMEM;
	if (mm_write_lock(mm))
		return -EINTR;
	err = lock ? memlock_check(mm, count_unlocked(mm, start, end)) : 0;
	if (!err)
		err = set_locked(mm, start, end, set);
	mm_write_unlock(mm);
	if (err || !lock || onfault)
		return err;
	err = populate_range(mm, start, end, -1, false);
	/* mlock(2): pages that can't be there. */
	return err == -EFAULT || err == -EIO ? -ENOMEM : err == -ENOMEM ? -EAGAIN : err;
}

int mm_lock_all(struct mm *mm, int mcl_flags)
{
	u32 set = 0;
	int err = 0;

	if (mcl_flags && vm_limit(RLIMIT_MEMLOCK) == 0 && !capable(CAP_IPC_LOCK))
		return -EPERM;
	if (mm_write_lock(mm))
		return -EINTR;
	if ((mcl_flags & MCL_CURRENT) &&
		memlock_check(mm, mm->total_pages - min(mm->total_pages, mm->locked_pages)))
		err = -ENOMEM;
	if (err)
		goto out;
	if (mcl_flags)
		set = REG_LOCKED | (mcl_flags & MCL_ONFAULT ? REG_LOCKONFAULT : 0);
	mm->def_flags = mcl_flags & MCL_FUTURE ? set : 0;
	if (!mcl_flags || (mcl_flags & MCL_CURRENT)) {
		struct region *r = mm_first_region(mm);

		for (; r; r = region_next(r)) {
			u32 flags = (r->flags & ~(REG_LOCKED | REG_LOCKONFAULT)) | set;

			if (r->flags & REG_SPECIAL)
				continue;
			r = change_flags(r, r->start, r->end, flags);
		}
	}
out:
	mm_write_unlock(mm);
	if (!err && (mcl_flags & MCL_CURRENT) && !(mcl_flags & MCL_ONFAULT)) {
		/* Holes between regions end a populate: go region by region. */
		unsigned long at = 0, end;

		for (;;) {
			struct region *r;

			if (rwsem_read_lock_killable(&mm->map_lock))
				break;
			r = mm_find_region(mm, at);
			at = r ? r->start : 0;
			end = r ? r->end : 0;
			rwsem_read_unlock(&mm->map_lock);
			if (!r || populate_range(mm, at, end, -1, true) == -EINTR)
				break;
			at = end;
		}
	}
	return err;
}

/* ---- msync, mincore
 * ---------------------------------------------------------------------------------- */

int mm_sync(struct mm *mm, unsigned long addr, size_t len, int flags)
{
	unsigned long at = addr, end = addr + round_up(len, PAGE_SIZE);
	int err = 0, hole = 0;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || !is_aligned(addr, PAGE_SIZE) ||
		(flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (end < addr)
		return -ENOMEM;
	while (at < end && !err) {
		const struct region_ops *ops = NULL;
		struct region *r;
		void *file = NULL;
		u64 first = 0, last = 0;

		if (rwsem_read_lock_killable(&mm->map_lock))
			return -EINTR;
		r = mm_find_region(mm, at);
		if (!r || r->start >= end) {
			hole = -ENOMEM;
			rwsem_read_unlock(&mm->map_lock);
			break;
		}
		if (r->start > at) {
			hole = -ENOMEM;
			at = r->start;
		}
		if ((flags & MS_INVALIDATE) && (r->flags & REG_LOCKED))
			err = -EBUSY;
		if (!err && (flags & MS_SYNC) && region_shared(r) && r->ops && r->ops->sync) {
			ops = r->ops;
			file = r->file;
			ops->hold(file);
			first = region_index(r, at) << PAGE_SHIFT;
			last = ((region_index(r, min(r->end, end) - PAGE_SIZE) + 1) << PAGE_SHIFT) -
				1;
		}
		at = r->end;
		rwsem_read_unlock(&mm->map_lock);
		if (file) {
			err = ops->sync(file, first, last);
			ops->unhold(file);
		}
	}
	return err ? err : hole;
}

static bool may_see_cached(struct region *r)
{
	return !r->ops || !r->ops->may_see_cached || r->ops->may_see_cached(r);
}

static bool resident(struct region *r, unsigned long addr)
{
	int level;
	pte_t e, *p = pt_find(r->mm, addr, &level, &e);
	struct page *page;

	if (p && pte_present(e))
		return true;
	if (!r->object)
		return false;
	page = object_find(r->object, region_index(r, addr));
	if (!page)
		return false;
	put_page(page);
	return true;
}

int mm_mincore(struct mm *mm, unsigned long addr, size_t len, unsigned char __user *vec)
{
	unsigned long end = addr + round_up(len, PAGE_SIZE);
	unsigned char buf[128];

	if (!is_aligned(addr, PAGE_SIZE))
		return -EINVAL;
	if (end < addr || end > USER_END)
		return -ENOMEM;
	while (addr < end) {
		size_t n = min((end - addr) >> PAGE_SHIFT, sizeof(buf));
		struct region *r = NULL;
		bool hidden = false;

		if (signal_interrupts(current_thread(), THREAD_KILLABLE) ||
			rwsem_read_lock_killable(&mm->map_lock))
			return -EINTR;
		for (size_t i = 0; i < n; i++, addr += PAGE_SIZE) {
			if (!r || r->end <= addr) {
				r = mm_find_region(mm, addr);
				hidden = r && !may_see_cached(r);
			}
			if (!r || r->start > addr) {
				rwsem_read_unlock(&mm->map_lock);
				return -ENOMEM;
			}
			buf[i] = hidden || resident(r, addr);
		}
		rwsem_read_unlock(&mm->map_lock);
		if (copy_to_user(vec, buf, n))
			return -EFAULT;
		vec += n;
	}
	return 0;
}
