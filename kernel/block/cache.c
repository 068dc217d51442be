/*
 * The page cache of a device. Which 512-byte sectors of a page are dirty stands in page->private,
 * bits 0..7; bits 8..15 count the writes of the page that are under way (its runs of dirty sectors).
 */
#include "internal.h"

#define DIRTY_MASK 0xffull
#define RUN_ONE    0x100ull
#define RUN_MASK   0xff00ull

static struct block_device *bdev_of(struct vm_object *o)
{
	return o->owner;
}

/* Bytes of the page at index that are inside the device. */
static u32 bytes_inside(const struct block_device *b, u64 index)
{
	u64 size = bdev_bytes(b), at = index << PAGE_SHIFT;

	return at >= size ? 0 : (u32)min(size - at, PAGE_SIZE);
}

static void end_read(struct bio *bio)
{
	bool ok = !bio->status;

	for (u32 i = 0; i < bio->nr_vecs; i++)
		page_end_read(bio->vecs[i].page, ok);
	bio_free(bio);
}

static int cache_fill(struct vm_object *o, struct page *p)
{
	struct block_device *b = bdev_of(o);
	u32 n = bytes_inside(b, p->index);
	struct bio *bio;
	int err = 0;

	p->private = 0;
	if (n < PAGE_SIZE)
		memset((char *)page_address(p) + n, 0, PAGE_SIZE - n);
	if (!n)
		return 0;
	bio = bio_alloc(
		b, 1, BIO_READ, p->index << (PAGE_SHIFT - SECTOR_SHIFT), BIO_META, GFP_NOFS);
	if (!bio_add_page(bio, p, 0, n))
		err = -EIO;
	if (!err)
		err = bio_submit_wait(bio);
	bio_free(bio);
	return err ? -EIO : 0;
}

static void cache_read_pages(struct vm_object *o, struct page **pages, u32 n)
{
	struct block_device *b = bdev_of(o);
	struct blk_plug plug;
	struct bio *bio = NULL;

	blk_plug_start(&plug);
	for (u32 i = 0; i < n; i++) {
		struct page *p = pages[i];

		p->private = 0;
		if (bytes_inside(b, p->index) < PAGE_SIZE) { /* the end: the slow way knows how */
			page_end_read(p, false);
			continue;
		}
		if (!bio || !bio_add_page(bio, p, 0, PAGE_SIZE)) {
			if (bio)
				bio_submit(bio);
			bio = bio_alloc(b, 32, BIO_READ, p->index << (PAGE_SHIFT - SECTOR_SHIFT),
				BIO_RAHEAD, GFP_NOFS);
			bio->end_io = end_read;
			(void)!bio_add_page(bio, p, 0, PAGE_SIZE);
		}
	}
	if (bio)
		bio_submit(bio);
	blk_plug_finish(&plug);
}

static int cache_make_writable(struct vm_object *o, struct page *p)
{
	if (bdev_read_only(bdev_of(o)))
		return -EROFS;
	__atomic_fetch_or(&p->private, DIRTY_MASK, __ATOMIC_RELAXED);
	return 0;
}

static void end_run(struct page *p)
{
	u64 left = __atomic_sub_fetch(&p->private, RUN_ONE, __ATOMIC_ACQ_REL);

	if (!(left & RUN_MASK))
		page_end_writeback(p);
}

static void end_write(struct bio *bio)
{
	for (u32 i = 0; i < bio->nr_vecs; i++) {
		struct page *p = bio->vecs[i].page;

		if (bio->status)
			object_set_wb_error(p->object, bio->status == -ENOSPC ? -ENOSPC : -EIO);
		end_run(p);
	}
	bio_free(bio);
}

struct write_run {
	struct bio *bio;
	u64 next; /* sector that would continue it */
};

static void add_run(
	struct block_device *b, struct write_run *w, struct page *p, u32 first, u32 count)
{
	u64 sector = (p->index << (PAGE_SHIFT - SECTOR_SHIFT)) + first;

	if (w->bio &&
		(w->next != sector ||
			!bio_add_page(w->bio, p, first << SECTOR_SHIFT, count << SECTOR_SHIFT))) {
		bio_submit(w->bio);
		w->bio = NULL;
	} else if (w->bio) {
		w->next = sector + count;
		return;
	}
	w->bio = bio_alloc(b, 32, BIO_WRITE, sector, BIO_META, GFP_NOFS);
	w->bio->end_io = end_write;
	(void)!bio_add_page(w->bio, p, first << SECTOR_SHIFT, count << SECTOR_SHIFT);
	w->next = sector + count;
}

/* p is locked and dirty. */
static void write_page(struct block_device *b, struct write_run *w, struct page *p)
{
	u32 inside = bytes_inside(b, p->index) >> SECTOR_SHIFT;
	u32 mask;

	page_begin_writeback(p);
	/* A hold of one run for ourselves: the page stays under writeback until all have begun. */
	__atomic_fetch_add(&p->private, RUN_ONE, __ATOMIC_RELAXED);
	mask = (u32)(__atomic_fetch_and(&p->private, ~DIRTY_MASK, __ATOMIC_ACQ_REL) & DIRTY_MASK);
	mask &= (u32)((1ull << inside) - 1);
	for (u32 i = 0; i < 8;) {
		u32 n = 0;

		while (i + n < 8 && (mask >> (i + n) & 1))
			n++;
		if (n) {
			__atomic_fetch_add(&p->private, RUN_ONE, __ATOMIC_RELAXED);
			add_run(b, w, p, i, n);
		}
		i += n + 1;
	}
	end_run(p);
}

static int cache_writeback(struct vm_object *o, struct wb_control *wbc)
{
	struct block_device *b = bdev_of(o);
	struct write_run w = {};
	struct blk_plug plug;
	struct page *p;

	blk_plug_start(&plug);
	for (u64 index = wbc->start; (p = object_next_dirty(o, &index, wbc)); index++) {
		write_page(b, &w, p);
		page_unlock(p);
		put_page(p);
		wbc->nr--;
	}
	if (w.bio)
		bio_submit(w.bio);
	blk_plug_finish(&plug);
	return 0;
}

static const struct vm_object_ops g_cache_ops = {
	.fill = cache_fill,
	.read_pages = cache_read_pages,
	.make_writable = cache_make_writable,
	.writeback = cache_writeback,
};

void bdev_cache_init(struct block_device *b, struct vm_object *o)
{
	object_init(o, &g_cache_ops, b);
	o->gfp = GFP_NOFS;
	o->size = bdev_bytes(b);
	o->wb = b->wb;
}

/* ---- blocks -------------------------------------------------------------------------------------
 */

static int get_block(struct block_device *b, u64 block, u32 size, u32 flags, struct block_ref *out)
{
	u64 at;
	struct page *p;

	*out = (struct block_ref){};
	if (__builtin_mul_overflow(block, (u64)size, &at) || at >= bdev_bytes(b) ||
		size > bdev_bytes(b) - at)
		return -EIO;
	p = object_get_page(b->object, at >> PAGE_SHIFT, flags);
	if (is_err(p))
		return (int)ptr_err(p) == -EINTR ? -EIO : (int)ptr_err(p);
	*out = (struct block_ref){.page = p,
		.data = (char *)page_address(p) + (at & ~PAGE_MASK),
		.block = block,
		.size = size};
	return 0;
}

int bdev_read_block(struct block_device *b, u64 block, u32 size, struct block_ref *out)
{
	return get_block(b, block, size, 0, out);
}

int bdev_new_block(struct block_device *b, u64 block, u32 size, struct block_ref *out)
{
	int err = get_block(b, block, size, size == PAGE_SIZE ? OBJ_NOFILL : OBJ_LOCK, out);

	if (err)
		return err;
	if (!page_test(out->page, PG_UPTODATE)) {
		out->page->private = 0;
		memset(out->data, 0, size);
		page_set(out->page, PG_UPTODATE);
	} else {
		page_wait_writeback(out->page);
		memset(out->data, 0, size);
	}
	page_unlock(out->page);
	return 0;
}

void bdev_readahead(struct block_device *b, u64 block, u32 size, u32 count)
{
	u64 first = block * size >> PAGE_SHIFT, last = ((block + count) * size - 1) >> PAGE_SHIFT;

	if (count)
		object_readahead(b->object, first, last - first + 1);
}

static u64 sectors_mask(const struct block_ref *r)
{
	u32 first = (u32)(((uintptr_t)r->data & ~PAGE_MASK) >> SECTOR_SHIFT);
	u32 count = r->size >> SECTOR_SHIFT;

	return ((1ull << count) - 1) << first;
}

void bdev_mark_block_dirty(struct block_device *b, const struct block_ref *r)
{
	__atomic_fetch_or(&r->page->private, sectors_mask(r), __ATOMIC_RELEASE);
	page_mark_dirty(r->page);
}

int bdev_write_block(struct block_device *b, const struct block_ref *r, u32 bio_flags)
{
	struct bio *bio;
	int err;

	page_wait_writeback(r->page);
	__atomic_fetch_and(&r->page->private, ~sectors_mask(r), __ATOMIC_ACQ_REL);
	bio = bio_alloc(b, 1, BIO_WRITE, r->block * (r->size >> SECTOR_SHIFT), bio_flags | BIO_META,
		GFP_NOFS);
	(void)!bio_add_page(bio, r->page, (u32)((uintptr_t)r->data & ~PAGE_MASK), r->size);
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

void bdev_forget_blocks(struct block_device *b, u64 block, u64 count, u32 size)
{
	u64 at = block * size, end = at + count * size;

	while (at < end) {
		u64 stop = min(end, (at | ~PAGE_MASK) + 1);
		struct page *p = object_find(b->object, at >> PAGE_SHIFT);

		if (p) {
			struct block_ref part = {.page = p,
				.data = (char *)page_address(p) + (at & ~PAGE_MASK),
				.size = (u32)(stop - at)};

			/* The mark first: a writer that starts later leaves these sectors out. */
			__atomic_fetch_and(&p->private, ~sectors_mask(&part), __ATOMIC_SEQ_CST);
			page_wait_writeback(p);
			put_page(p);
		}
		at = stop;
	}
}

int bdev_sync(struct block_device *b)
{
	u32 since = object_sample_wb_error(b->object);
	int err = object_write_range(b->object, 0, U64_MAX, true), wb;

	wb = object_check_wb_error(b->object, &since);
	return err ? err : wb;
}
