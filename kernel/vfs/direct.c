/*
 * O_DIRECT: transfers that leave the page cache out. Data goes through pages of the kernel's own,
 * so that user memory needn't be pinned; what the cache holds of the range is written before and
 * dropped around it, so that cached and direct views agree.
 */
#include <kmem/slab.h>
#include <vm/writeback.h>
#include "internal.h"

#define MAX_PAGES   256 /* of one transfer */
#define BLOCK_ORDER 8   /* largest block of pages asked for: all of them */

static bool aligned(const struct iter *it, off64_t pos, u32 align)
{
	u64 bits = (u64)pos | it->count;
	size_t left = it->count;

	if (it->kind == ITER_UBUF)
		bits |= (uintptr_t)it->ubuf + it->offset;
	else if (it->kind == ITER_IOVEC)
		for (int i = 0; i < it->nr_segs && left; i++) {
			size_t n = min(it->iov[i].iov_len - (i ? 0 : it->offset), left);

			bits |= ((uintptr_t)it->iov[i].iov_base + (i ? 0 : it->offset)) | n;
			left -= n;
		}
	return !(bits & (align - 1));
}

/* Write what the cache holds of [pos, end) and let go of it. False: some of it is in use. */
static bool drop_cached(struct vm_object *o, u64 pos, u64 end, int *err)
{
	u64 first = pos >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;

	*err = object_write_range(o, pos, end - 1, true);
	if (*err)
		return true;
	object_unmap(o, first, last, false);
	object_drop_clean(o, first, last);
	return !object_has_pages(o, first, last);
}

static void free_pages(struct page **pages, u32 n)
{
	while (n--)
		put_page(pages[n]);
}

/* In blocks as large as there are, for few segments. One page is enough: nobody is killed for more.
 */
static u32 alloc_pages(struct page **pages, size_t bytes)
{
	u32 n = 0, want = (u32)min(div_round_up(bytes, PAGE_SIZE), (size_t)MAX_PAGES);
	int order = BLOCK_ORDER;

	while (n < want) {
		struct page *p;

		while (1u << order > want - n)
			order--;
		p = pages_alloc(order,
			order       ? GFP_USER | GFP_NOWAIT
				: n ? GFP_USER | GFP_NORETRY
				    : GFP_USER);
		if (!p && !order)
			break;
		if (!p) {
			order--;
			continue;
		}
		if (order)
			page_split(p, order);
		for (u32 i = 0; i < 1u << order; i++)
			pages[n++] = p + i;
	}
	return n;
}

/* For the largest transfer of so many bytes. NULL: no memory. */
static struct page **array_of_pages(size_t bytes)
{
	size_t n = min(div_round_up(bytes, PAGE_SIZE), (size_t)MAX_PAGES);

	return kmalloc(max(n, (size_t)1) * sizeof(struct page *), GFP_KERNEL);
}

/* Up to bytes between pages and iterator; short on a fault. */
static size_t copy(struct iter *it, struct page **pages, size_t bytes, bool write)
{
	size_t done = 0;

	while (done < bytes) {
		size_t n = min(bytes - done, PAGE_SIZE), got;
		void *p = page_address(pages[done >> PAGE_SHIFT]);

		got = write ? iter_get(it, p, n) : iter_put(it, p, n);
		done += got;
		if (got < n)
			break;
	}
	return done;
}

ssize_t file_direct_read(
	struct file *f, struct iter *to, off64_t *pos, u32 align, file_direct_io *io)
{
	struct vm_object *o = &f->inode->object;
	struct page **pages;
	size_t done = 0;
	int err = 0;

	if (!aligned(to, *pos, align))
		return -EINVAL;
	pages = array_of_pages(to->count);
	if (!pages)
		return -ENOMEM;
	while (to->count && (u64)*pos < READ_ONCE(o->size)) {
		u64 size = READ_ONCE(o->size);
		size_t bytes = min(to->count, (size_t)round_up(size - (u64)*pos, align)), got;
		u32 n = alloc_pages(pages, bytes);

		if (!n) {
			err = -ENOMEM;
			break;
		}
		bytes = min(bytes, (size_t)n << PAGE_SHIFT);
		rwsem_read_lock(&f->inode->rwsem);
		err = object_write_range(o, (u64)*pos, (u64)*pos + bytes - 1, true);
		if (!err)
			err = io(f->inode, false, (u64)*pos, pages, bytes);
		rwsem_read_unlock(&f->inode->rwsem);
		if (err) {
			free_pages(pages, n);
			break;
		}
		bytes = min(bytes, (size_t)(size - (u64)*pos));
		got = copy(to, pages, bytes, false);
		free_pages(pages, n);
		*pos += got;
		done += got;
		if (got < bytes) {
			err = -EFAULT;
			break;
		}
		cond_resched();
	}
	kfree(pages);
	return done ? (ssize_t)done : err;
}

ssize_t file_direct_write(
	struct file *f, struct iter *from, off64_t *pos, u32 align, file_direct_io *io)
{
	struct vm_object *o = &f->inode->object;
	struct page **pages;
	size_t done = 0;
	int err = 0;

	err = file_limit_size(from, *pos);
	if (err)
		return err;
	if (!aligned(from, *pos, align))
		return -EINVAL;
	pages = array_of_pages(from->count);
	if (!pages)
		return -ENOMEM;
	while (from->count && !err) {
		u32 n = alloc_pages(pages, from->count);
		size_t bytes = min(from->count, (size_t)n << PAGE_SHIFT), got;

		if (!n) {
			err = -ENOMEM;
			break;
		}
		got = copy(from, pages, bytes, true);
		if (got < bytes) {
			iter_revert(from, got & (align - 1));
			got &= ~(size_t)(align - 1);
			err = got ? 0 : -EFAULT;
			bytes = got;
		}
		/* A mapping may bring a page back meanwhile; what it sees is as old as the race. */
		if (!err && !drop_cached(o, (u64)*pos, (u64)*pos + bytes, &err) && !err)
			err = done ? -EIO : -ENOTBLK; /* in use: through the cache */
		if (!err)
			err = io(f->inode, true, (u64)*pos, pages, bytes);
		free_pages(pages, n);
		if (err == -ENOTBLK)
			iter_revert(from, bytes);
		if (err)
			break;
		object_unmap(
			o, (u64)*pos >> PAGE_SHIFT, ((u64)*pos + bytes - 1) >> PAGE_SHIFT, false);
		object_drop_clean(
			o, (u64)*pos >> PAGE_SHIFT, ((u64)*pos + bytes - 1) >> PAGE_SHIFT);
		*pos += bytes;
		done += bytes;
		if ((u64)*pos > o->size)
			WRITE_ONCE(o->size, (u64)*pos);
		cond_resched();
	}
	kfree(pages);
	return done ? (ssize_t)done : err;
}
