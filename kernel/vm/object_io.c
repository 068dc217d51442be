/* Reading, writing and resizing objects through the page cache. */
#include <lib/string.h>
#include <core/log.h>
#include "vm.h"
#include "cache.h"

/* A hole of an object without backing store reads as zero and stays a hole. */
static struct page *page_for_read(struct vm_object *o, u64 index)
{
	struct page *p = object_find(o, index);

	if (p && likely(page_test(p, PG_UPTODATE))) {
		if (!o->unevictable && !page_test(p, PG_REFERENCED))
			page_set(p, PG_REFERENCED);
		return p;
	}
	if (p)
		put_page(p);
	else if (!o->ops->fill)
		return NULL;
	return object_get_page(o, index, OBJ_WITHIN);
}

ssize_t object_read(struct vm_object *o, struct iter *to, off64_t *pos)
{
	size_t done = 0;

	while (to->count) {
		u64 size = READ_ONCE(o->size), at = (u64)*pos;
		size_t off = at & ~PAGE_MASK, n, got;
		struct page *p;

		if (at >= size)
			break;
		n = min(min(PAGE_SIZE - off, to->count), (size_t)(size - at));
		p = page_for_read(o, at >> PAGE_SHIFT);
		if (p == err_ptr(-ENXIO))
			continue; /* truncated meanwhile: look at the size again */
		if (is_err(p))
			return done ? (ssize_t)done : ptr_err(p);
		got = p ? iter_put(to, (char *)page_address(p) + off, n) : iter_zero(to, n);
		if (p)
			put_page(p);
		*pos += got;
		done += got;
		if (got < n)
			return done ? (ssize_t)done : -EFAULT;
		cond_resched();
	}
	return (ssize_t)done;
}

/* Copy up to n bytes into the page at pos. Bytes, or an error; 0: fault the source in again. */
static ssize_t write_page(struct vm_object *o, struct iter *from, u64 pos, size_t n)
{
	size_t off = pos & ~PAGE_MASK;
	bool whole = n == PAGE_SIZE;
	struct page *p = object_get_page(o, pos >> PAGE_SHIFT, whole ? OBJ_NOFILL : OBJ_LOCK);
	size_t got;
	int err = 0;

	if (is_err(p))
		return ptr_err(p);
	page_wait_writeback(p);
	if (o->ops->make_writable)
		err = o->ops->make_writable(o, p, (u32)off, (u32)(off + n));
	if (err) {
		page_unlock(p);
		put_page(p);
		return err;
	}
	got = iter_get_nofault(from, (char *)page_address(p) + off, n);
	if (!page_test(p, PG_UPTODATE)) {
		if (got < n && !o->ops->fill) {
			memset((char *)page_address(p) + got, 0, PAGE_SIZE - got);
		} else if (got < n) {
			iter_revert(from, got); /* the rest must come from below first */
			got = 0;
		}
		if (got || !o->ops->fill)
			page_set(p, PG_UPTODATE);
	}
	/* Also when nothing was copied: the owner has reserved for a dirty page. */
	if (page_test(p, PG_UPTODATE))
		page_mark_dirty(p);
	if (got && pos + got > o->size)
		WRITE_ONCE(o->size, pos + got);
	page_unlock(p);
	put_page(p);
	return (ssize_t)got;
}

ssize_t object_write(struct vm_object *o, struct iter *from, off64_t *pos)
{
	size_t done = 0;
	ssize_t got = 0;
	bool part = false; /* a whole page had a fault in its middle: go by what is accessible */

	while (from->count) {
		size_t n = min(PAGE_SIZE - ((size_t)*pos & ~PAGE_MASK), from->count);

		if (part && n == PAGE_SIZE)
			n = PAGE_SIZE / 2;
		/* No fault may be taken under the page lock: the source may be this very page. */
		got = iter_fault_in(from, n, false);
		if (got)
			break;
		got = write_page(o, from, (u64)*pos, n);
		if (got < 0)
			break;
		part = got == 0;
		*pos += got;
		done += (size_t)got;
		cond_resched();
		if (signal_interrupts(current_thread(), THREAD_KILLABLE)) {
			got = -EINTR;
			break;
		}
	}
	return done ? (ssize_t)done : got;
}

/* Clear [from, to) of the page at index, if there is one. */
static void clear_part(struct vm_object *o, u64 index, size_t from, size_t to)
{
	struct page *p = object_find(o, index);

	if (!p)
		return;
	page_lock(p);
	/* Without backing store a clean page is a hole's: zero, and nothing was reserved for it. */
	if (p->object == o && page_test(p, PG_UPTODATE) &&
		(o->ops->fill || page_test(p, PG_DIRTY))) {
		memset((char *)page_address(p) + from, 0, to - from);
		page_mark_dirty(p);
	}
	page_unlock(p);
	put_page(p);
}

void object_truncate(struct vm_object *o, u64 new_size)
{
	u64 old = o->size, first = div_round_up(new_size, PAGE_SIZE);

	WRITE_ONCE(o->size, new_size);
	/* At the same size there may be pages beyond it: fallocate makes some ahead of a file's
	 * growth. */
	if (new_size > old || (new_size == old && !object_has_pages(o, first, OBJECT_LAST_INDEX)))
		return;
	smp_mb(); /* faults read the size before they look for pages */
	object_unmap(o, first, OBJECT_LAST_INDEX, true);
	object_drop_pages(o, first, OBJECT_LAST_INDEX);
	/* Private copies made meanwhile: their makers held locks of pages that are gone now. */
	object_unmap(o, first, OBJECT_LAST_INDEX, true);
	if (new_size & ~PAGE_MASK)
		clear_part(o, new_size >> PAGE_SHIFT, new_size & ~PAGE_MASK, PAGE_SIZE);
}

int object_punch(struct vm_object *o, u64 start, u64 end)
{
	u64 first = div_round_up(start, PAGE_SIZE), last = end >> PAGE_SHIFT;

	if (start >= end)
		return 0;
	if (start >> PAGE_SHIFT == (end - 1) >> PAGE_SHIFT && first >= last) {
		clear_part(
			o, start >> PAGE_SHIFT, start & ~PAGE_MASK, ((end - 1) & ~PAGE_MASK) + 1);
		return 0;
	}
	if (start & ~PAGE_MASK)
		clear_part(o, start >> PAGE_SHIFT, start & ~PAGE_MASK, PAGE_SIZE);
	if (end & ~PAGE_MASK)
		clear_part(o, end >> PAGE_SHIFT, 0, end & ~PAGE_MASK);
	if (first < last) {
		object_unmap(o, first, last - 1, false);
		object_drop_pages(o, first, last - 1);
	}
	return 0;
}

off64_t object_seek(struct vm_object *o, off64_t from, bool data)
{
	u64 size = READ_ONCE(o->size), index = (u64)from >> PAGE_SHIFT;
	u64 last = div_round_up(size, PAGE_SIZE) - 1;
	struct page *p;

	if (from < 0 || (u64)from >= size)
		return -ENXIO;
	if (data) {
		p = object_find_next(o, &index, last);
		if (!p)
			return -ENXIO;
		put_page(p);
		return max(from, (off64_t)(index << PAGE_SHIFT));
	}
	for (u64 want = index; want <= last; want++) {
		index = want;
		p = object_find_next(o, &index, last);
		if (p)
			put_page(p);
		if (!p || index != want)
			return max(from, (off64_t)(want << PAGE_SHIFT));
	}
	return (off64_t)size;
}
