/*
 * mmap and munmap: choosing the address, checking limits, making and taking away regions.
 */
#include <cred/cred.h>
#include <core/trace.h>
#include "cache.h"
#include "vm.h"

/* MAP_32BIT: where Linux puts it. */
#define LOW_FLOOR   0x40000000ul
#define LOW_CEILING 0x80000000ul

static int (*g_shared_anon)(size_t size, struct map_request *rq); /* immutable after init */

void vm_set_shared_anon_hook(int (*fn)(size_t size, struct map_request *rq))
{
	g_shared_anon = fn;
}

int vm_shared_anon(size_t size, struct map_request *rq)
{
	return g_shared_anon ? g_shared_anon(size, rq) : -ENODEV;
}

static unsigned long find_gap(
	struct mm *mm, size_t len, unsigned long floor, unsigned long top, unsigned long align)
{
	unsigned long a = 0;

	if (align > PAGE_SIZE)
		a = region_find_gap(mm, len, floor, top, align);
	return a ? a : region_find_gap(mm, len, floor, top, PAGE_SIZE);
}

/* An address for len bytes, or a negative errno. */
unsigned long choose_address(struct mm *mm, const struct map_request *rq, size_t len)
{
	unsigned long addr = rq->addr, align = rq->align;

	if (len > USER_END - USER_START)
		return -ENOMEM;
	if (rq->fixed) {
		if (!is_aligned(addr, PAGE_SIZE))
			return -EINVAL;
		if (addr > USER_END - len)
			return -ENOMEM;
		if (addr < USER_START && !capable(CAP_SYS_RAWIO))
			return -EPERM;
		return addr;
	}
	addr = round_down(addr, PAGE_SIZE); /* a hint, as Linux rounds it */
	if (rq->bit32) {
		if (addr >= USER_START && addr < LOW_CEILING && len <= LOW_CEILING - addr &&
			region_range_free(mm, addr, addr + len))
			return addr;
		addr = find_gap(mm, len, LOW_FLOOR, LOW_CEILING, align);
		return addr ? addr : -ENOMEM;
	}
	if (addr >= USER_START && addr <= USER_END - len && region_range_free(mm, addr, addr + len))
		return addr;
	if (!align && !rq->object && len >= HUGE_SIZE && g_huge_policy)
		align = HUGE_SIZE;
	addr = find_gap(mm, len, USER_START, mm->mmap_top, align);
	if (!addr)
		addr = find_gap(mm, len, USER_START, USER_END, align);
	return addr ? addr : -ENOMEM;
}

static u64 mapped_pages(struct mm *mm, unsigned long start, unsigned long end)
{
	u64 n = 0;

	for (struct region *r = mm_find_region(mm, start); r && r->start < end; r = region_next(r))
		n += (min(r->end, end) - max(r->start, start)) >> PAGE_SHIFT;
	return n;
}

/* Anonymous memory next to an equal region: that region grows. */
static bool extend_neighbour(
	struct mm *mm, const struct map_request *rq, u32 flags, unsigned long addr, size_t len)
{
	struct region *next = mm_find_region(mm, addr);
	struct region *prev = next ? region_prev(next) : mm_last_region(mm);

	if (rq->object || rq->ops || rq->priv || (flags & (REG_SPECIAL | REG_GROWSDOWN)))
		return false;
	if (prev && prev->end == addr && region_is_plain(prev, flags)) {
		region_resize(prev, prev->start, addr + len);
		region_merge(prev);
		return true;
	}
	if (next && next->start == addr + len && region_is_plain(next, flags)) {
		region_resize(next, addr, next->end);
		return true;
	}
	return false;
}

/* addr was chosen; flags are final. All checks done here, then nothing fails half-way. */
long map_locked(struct mm *mm, const struct map_request *rq, unsigned long addr, size_t len)
{
	u32 flags = rq->flags & ~REG_ACCOUNT; /* decided here */
	u64 pages = len >> PAGE_SHIFT;
	struct region *r;
	int err;

	if (!rq->object && !(flags & REG_SPECIAL))
		flags &= ~REG_SHARED;
	if (READ_ONCE(g_overcommit_memory) == 2)
		flags &= ~REG_NORESERVE;
	if (!(flags & REG_SPECIAL))
		flags |= mm->def_flags;
	err = limits_check(
		mm, rq->fixed ? pages - mapped_pages(mm, addr, addr + len) : pages, flags);
	if (err)
		return err;
	if ((flags & REG_LOCKED) && memlock_check(mm, pages))
		return -EAGAIN;
	if (flags & REG_SPECIAL) /* never goes away anyway, and isn't counted */
		flags &= ~(REG_LOCKED | REG_LOCKONFAULT);
	err = object_admit_writer(rq->object, flags);
	if (err)
		return err;
	if (flags_accountable(flags)) {
		err = commit_charge(mm, pages);
		if (err)
			goto refuse;
		flags |= REG_ACCOUNT;
	}
	err = rq->fixed ? unmap_locked(mm, addr, addr + len) : 0;
	if (err)
		goto uncharge;
	if (extend_neighbour(mm, rq, flags, addr, len))
		return addr;
	r = region_alloc(mm);
	err = -ENOMEM;
	if (!r)
		goto uncharge;
	r->start = addr;
	r->end = addr + len;
	r->flags = flags;
	r->object = rq->object;
	r->pgoff = rq->object || rq->ops ? rq->offset >> PAGE_SHIFT : addr >> PAGE_SHIFT;
	r->file = rq->file;
	r->ops = rq->ops;
	r->priv = rq->priv;
	region_insert(r);
	object_admit_done(rq->object, flags);
	region_merge(r);
	return addr;
uncharge:
	if (flags & REG_ACCOUNT)
		commit_uncharge(mm, pages);
refuse:
	object_admit_done(rq->object, flags);
	return err;
}

void mm_map_abort(const struct map_request *rq)
{
	struct region r = {
		.flags = rq->flags,
		.object = rq->object,
		.file = rq->file,
		.ops = rq->ops,
		.priv = rq->priv,
	};

	if (r.ops && r.ops->close)
		r.ops->close(&r);
}

long mm_map(struct mm *mm, const struct map_request *rq)
{
	size_t len = round_up(rq->len, PAGE_SIZE);
	unsigned long addr;
	long ret;

	if (rq->len == 0)
		return -EINVAL;
	if (len == 0)
		return -ENOMEM;
	if ((rq->offset >> PAGE_SHIFT) + (len >> PAGE_SHIFT) < rq->offset >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (mm_write_lock(mm))
		return -EINTR;
	addr = choose_address(mm, rq, len);
	if ((long)addr < 0) {
		mm_write_unlock(mm);
		return (long)addr;
	}
	if (rq->noreplace && mapped_pages(mm, addr, addr + len)) {
		mm_write_unlock(mm);
		return -EEXIST;
	}
	ret = map_locked(mm, rq, addr, len);
	bool locked = (rq->flags | mm->def_flags) & REG_LOCKED;
	bool onfault = (rq->flags | mm->def_flags) & REG_LOCKONFAULT;
	mm_write_unlock(mm);
	/* As Linux: a populate that fails half-way doesn't undo the mapping. */
	if (ret >= 0 && (rq->populate || (locked && !onfault)))
		(void)!mm_populate(mm, ret, len);
	return ret;
}

int cut_edges(struct mm *mm, struct region *first, unsigned long start, unsigned long end)
{
	struct region *r = first, *last;
	int err;

	if (r->start < start && r->end > end && regions_full(mm, 1))
		return -ENOMEM;
	if (r->start < start) {
		region_freeze(r);
		err = huge_split_at(mm, start);
		if (err)
			return err;
		r = region_split_always(r, start);
		if (is_err(r))
			return ptr_err(r);
	}
	last = mm_find_region(mm, end - 1);
	if (last && last->start < end && last->end > end) {
		region_freeze(last);
		err = huge_split_at(mm, end);
		if (err)
			return err;
		last = region_split_always(last, end);
		if (is_err(last))
			return ptr_err(last);
	}
	return 0;
}

int unmap_locked(struct mm *mm, unsigned long start, unsigned long end)
{
	struct region *r = mm_find_region(mm, start), *next, *prev, *gone = NULL;
	struct gather g;
	int err;

	if (!r || r->start >= end)
		return 0;
	err = cut_edges(mm, r, start, end);
	if (err)
		return err;
	r = mm_find_region(mm, start);
	prev = region_prev(r);
	mm_update_hiwater(mm);
	gather_init(&g, mm, false);
	for (; r && r->start < end; r = next) {
		next = region_next(r);
		region_freeze(r);
		region_remove(r);
		zap_range(&g, r, r->start, r->end);
		r->next_gone = gone;
		gone = r;
		cond_resched();
	}
	pt_free_range(&g, start, end, prev ? prev->end : 0, r ? r->start : USER_END);
	gather_flush(&g);
	while (gone) {
		r = gone;
		gone = r->next_gone;
		region_release(r);
		cond_resched();
	}
	return 0;
}

int mm_unmap(struct mm *mm, unsigned long addr, size_t len)
{
	unsigned long end;
	int err;

	len = round_up(len, PAGE_SIZE);
	if (!is_aligned(addr, PAGE_SIZE) || len == 0 || len > USER_END || addr > USER_END - len)
		return -EINVAL;
	end = addr + len;
	if (mm_write_lock(mm))
		return -EINTR;
	err = unmap_locked(mm, addr, end);
	mm_write_unlock(mm);
	return err;
}

/* Does r show its object at the place where a mapping at addr would? */
static bool stands_at(const struct region *r, unsigned long addr, const struct region_ops *ops)
{
	return r->ops == ops && (r->start - addr) >> PAGE_SHIFT == r->pgoff;
}

static int unmap_attached_locked(struct mm *mm, unsigned long addr, const struct region_ops *ops)
{
	struct region *r = mm_find_region(mm, addr), *next;
	struct vm_object *o;
	unsigned long end;
	int err = 0;

	while (r && (r->start < addr || !stands_at(r, addr, ops)))
		r = region_next(r);
	if (!r)
		return -EINVAL;
	o = r->object;
	end = addr + round_up(READ_ONCE(o->size), PAGE_SIZE);
	for (; r && r->start < end && !err; r = next) {
		next = region_next(r);
		if (r->object == o && stands_at(r, addr, ops))
			err = unmap_locked(mm, r->start, r->end);
	}
	return err;
}

int mm_unmap_attached(struct mm *mm, unsigned long addr, const struct region_ops *ops)
{
	int err;

	if (mm_write_lock(mm))
		return -EINTR;
	err = unmap_attached_locked(mm, addr, ops);
	mm_write_unlock(mm);
	return err;
}
