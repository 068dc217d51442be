/*
 * The page cache of a device. page->private of its pages: bits 0..7 are the dirty 512-byte sectors,
 * bits 8..15 say how many transfers of the page are under way (more than one only where its dirty
 * sectors don't touch). Bits 16..63 are the file system's; they are 0 when content was read anew.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include "blk.h"

#define PAGE_SECTORS (PAGE_SIZE / SECTOR_SIZE)
#define ALL_SECTORS  ((1ull << PAGE_SECTORS) - 1)
#define ONE_TRANSFER (1ull << PAGE_SECTORS)
#define TRANSFERS    (0xffull << PAGE_SECTORS)
#define WB_VECS      32 /* pages of one bio: what the reserve of bios can give */
#define READ_VECS    64

static struct block_device *bdev_of(const struct vm_object *o)
{
	return o->owner;
}

/* Bytes of the page at index that the device has. */
static u32 page_bytes(const struct block_device *b, u64 index)
{
	u64 size = bdev_bytes(b), at = index << PAGE_SHIFT;

	return at >= size ? 0 : (u32)min(size - at, (u64)PAGE_SIZE);
}

static u64 sector_bits(u32 offset, u32 len)
{
	return ((1ull << (len >> SECTOR_SHIFT)) - 1) << (offset >> SECTOR_SHIFT);
}

/* ---- reading ------------------------------------------------------------------------------------
 */

static int bdev_fill(struct vm_object *o, struct page *p)
{
	struct block_device *b = bdev_of(o);
	u32 bytes = page_bytes(b, p->index);
	struct bio *bio;
	int err = -EIO;

	p->private = 0;
	memset((char *)page_address(p) + bytes, 0, PAGE_SIZE - bytes);
	if (!bytes)
		return 0;
	bio = bio_alloc(b, 1, BIO_READ, p->index * PAGE_SECTORS, BIO_META, GFP_NOFS);
	if (!bio)
		return -ENOMEM;
	if (bio_add_page(bio, p, 0, bytes))
		err = bio_submit_wait(bio);
	bio_free(bio);
	return err ? -EIO : 0;
}

static void read_ended(struct bio *b)
{
	for (u32 n = 0; n < b->nr_vecs; n++)
		page_end_read(b->vecs[n].page, !b->status);
	bio_free(b);
}

static void bdev_read_pages(struct vm_object *o, struct page **pages, u32 n)
{
	struct block_device *b = bdev_of(o);
	struct bio *bio = NULL;
	struct blk_plug plug;

	blk_plug_start(&plug);
	for (u32 i = 0; i < n; i++) {
		struct page *p = pages[i];
		u32 bytes = page_bytes(b, p->index);

		p->private = 0;
		if (bytes < PAGE_SIZE) { /* the end: fill does it */
			page_end_read(p, false);
			continue;
		}
		if (bio && !bio_add_page(bio, p, 0, bytes)) {
			bio_submit(bio);
			bio = NULL;
		} else if (bio) {
			continue;
		}
		bio = bio_alloc(b, (u16)min(n - i, (u32)READ_VECS), BIO_READ,
			p->index * PAGE_SECTORS, BIO_RAHEAD, GFP_KERNEL | GFP_NORETRY | o->gfp);
		if (!bio) {
			page_end_read(p, false);
			continue;
		}
		bio->end_io = read_ended;
		if (!bio_add_page(bio, p, 0, bytes)) {
			page_end_read(p, false);
			bio_free(bio);
			bio = NULL;
		}
	}
	if (bio)
		bio_submit(bio);
	blk_plug_finish(&plug);
}

/* ---- writing ------------------------------------------------------------------------------------
 */

static int bdev_make_writable(struct vm_object *o, struct page *p, u32 from, u32 to)
{
	if (bdev_read_only(bdev_of(o)))
		return -EROFS;
	/* A write through the device's file: which bytes is not known here. */
	if (!page_test(p, PG_UPTODATE))
		p->private = 0;
	__atomic_fetch_or(&p->private, ALL_SECTORS, __ATOMIC_SEQ_CST);
	return 0;
}

static void transfer_ended(struct page *p)
{
	if (!(__atomic_sub_fetch(&p->private, ONE_TRANSFER, __ATOMIC_SEQ_CST) & TRANSFERS))
		page_end_writeback(p);
}

static void write_ended(struct bio *b)
{
	if (b->status)
		object_set_wb_error(b->bdev->object, b->status == -ENOSPC ? -ENOSPC : -EIO);
	for (u32 n = 0; n < b->nr_vecs; n++)
		transfer_ended(b->vecs[n].page);
	bio_free(b);
}

struct writer {
	struct block_device *bdev;
	struct bio *bio;
	u32 flags;
};

static void writer_flush(struct writer *w)
{
	if (w->bio)
		bio_submit(w->bio);
	w->bio = NULL;
}

/* One run of dirty sectors; its transfer is counted already. */
static void writer_add(struct writer *w, struct page *p, u32 offset, u32 len)
{
	u64 sector = p->index * PAGE_SECTORS + (offset >> SECTOR_SHIFT);

	if (w->bio && (bio_end_sector(w->bio) != sector || !bio_add_page(w->bio, p, offset, len)))
		writer_flush(w);
	else if (w->bio)
		return;
	w->bio = bio_alloc(w->bdev, WB_VECS, BIO_WRITE, sector, w->flags, GFP_NOFS);
	w->bio->end_io = write_ended;
	if (!bio_add_page(w->bio, p, offset, len)) {
		/* A device that takes less than a page at once. */
		w->bio->vecs[0] = (struct bio_vec){p, offset, len};
		w->bio->nr_vecs = 1;
		w->bio->status = -EIO;
		write_ended(w->bio);
		w->bio = NULL;
	}
}

/* Dirty sectors, widened to what the device can write. */
static u64 take_dirty(struct block_device *b, struct page *p)
{
	u32 unit = bdev_logical_block_size(b) >> SECTOR_SHIFT;
	u64 bits = __atomic_fetch_and(&p->private, ~ALL_SECTORS, __ATOMIC_SEQ_CST) & ALL_SECTORS;
	u64 wide = 0, end = page_bytes(b, p->index) >> SECTOR_SHIFT;

	for (u32 s = 0; s < PAGE_SECTORS; s += unit)
		if (bits & ((1ull << unit) - 1) << s)
			wide |= ((1ull << unit) - 1) << s;
	return wide & ((1ull << end) - 1);
}

/* p is locked and dirty. It is under writeback afterwards, unless nothing had to be done. */
static void write_page(struct writer *w, struct page *p)
{
	u64 bits, runs;

	page_begin_writeback(p);
	bits = take_dirty(w->bdev, p);
	runs = (u64)__builtin_popcountll(bits & ~(bits << 1));
	/* One more, so that the first transfer doesn't end it while others are to come. */
	__atomic_fetch_add(&p->private, (runs + 1) * ONE_TRANSFER, __ATOMIC_SEQ_CST);
	while (bits) {
		u32 first = (u32)__builtin_ctzll(bits);
		u32 n = (u32)__builtin_ctzll(~(bits >> first));

		writer_add(w, p, first << SECTOR_SHIFT, n << SECTOR_SHIFT);
		bits &= ~(((1ull << n) - 1) << first);
	}
	transfer_ended(p);
}

static int bdev_writeback(struct vm_object *o, struct wb_control *wbc)
{
	struct writer w = {.bdev = bdev_of(o), .flags = BIO_META | (wbc->sync ? BIO_SYNC : 0)};
	struct blk_plug plug;
	u64 index = wbc->start;
	struct page *p;

	blk_plug_start(&plug);
	while ((p = object_next_dirty(o, &index, wbc))) {
		write_page(&w, p);
		page_unlock(p);
		put_page(p);
		wbc->nr--;
		index++;
	}
	writer_flush(&w);
	blk_plug_finish(&plug);
	return 0;
}

static bool bdev_hold(struct vm_object *o)
{
	return ref_get_unless_zero(&bdev_of(o)->refs);
}

static void bdev_unhold(struct vm_object *o)
{
	put_bdev(bdev_of(o));
}

const struct vm_object_ops g_bdev_object_ops = {
	.fill = bdev_fill,
	.read_pages = bdev_read_pages,
	.make_writable = bdev_make_writable,
	.writeback = bdev_writeback,
	.hold = bdev_hold,
	.unhold = bdev_unhold,
};

void bdev_object_init(struct block_device *b)
{
	struct vm_object *o = b->object;

	object_init(o, &g_bdev_object_ops, b);
	/* File systems read their metadata with locks of their own held. */
	rwsem_init(&o->invalidate_lock, RANK_BDEV_INVALIDATE);
	rwsem_init(&o->map_lock, RANK_BDEV_RESIZE);
	o->gfp = GFP_NOFS;
	o->wb = b->wb;
	o->size = bdev_bytes(b);
}

/* ---- blocks -------------------------------------------------------------------------------------
 */

static bool block_ok(const struct block_device *b, u64 block, u32 size)
{
	return block < bdev_bytes(b) / size;
}

static void set_ref(struct block_ref *r, struct page *p, u64 block, u32 size)
{
	u32 offset = (u32)(block * size) & (PAGE_SIZE - 1);

	*r = (struct block_ref){p, (char *)page_address(p) + offset, block, size};
}

int bdev_read_block(struct block_device *b, u64 block, u32 size, struct block_ref *out)
{
	struct page *p;

	*out = (struct block_ref){0};
	if (!block_ok(b, block, size))
		return -EIO;
	p = object_get_page(b->object, block * size >> PAGE_SHIFT, 0);
	if (is_err(p))
		return ptr_err(p) == -EINTR ? -ENOMEM : ptr_err(p);
	set_ref(out, p, block, size);
	return 0;
}

int bdev_new_block(struct block_device *b, u64 block, u32 size, struct block_ref *out)
{
	struct page *p;

	*out = (struct block_ref){0};
	if (!block_ok(b, block, size))
		return -EIO;
	p = object_get_page(
		b->object, block * size >> PAGE_SHIFT, size == PAGE_SIZE ? OBJ_NOFILL : OBJ_LOCK);
	if (is_err(p))
		return ptr_err(p) == -EINTR ? -ENOMEM : ptr_err(p);
	set_ref(out, p, block, size);
	page_wait_writeback(p);
	memset(out->data, 0, size);
	if (!page_test(p, PG_UPTODATE)) {
		p->private = 0;
		page_set(p, PG_UPTODATE);
	}
	page_unlock(p);
	return 0;
}

void bdev_readahead(struct block_device *b, u64 block, u32 size, u32 count)
{
	u64 first = block * size >> PAGE_SHIFT, last;

	if (!count || !block_ok(b, block, size))
		return;
	last = ((block + count) * size - 1) >> PAGE_SHIFT;
	object_readahead(b->object, first, last - first + 1);
}

static u32 ref_offset(const struct block_ref *r)
{
	return (u32)(uintptr_t)r->data & (PAGE_SIZE - 1);
}

void bdev_mark_block_dirty(struct block_device *b, const struct block_ref *r)
{
	u64 bits = sector_bits(ref_offset(r), r->size);

	/* Bits first: take_dirty looks at them after PG_DIRTY is cleared. */
	if ((READ_ONCE(r->page->private) & bits) != bits)
		__atomic_fetch_or(&r->page->private, bits, __ATOMIC_SEQ_CST);
	else
		smp_mb();
	page_mark_dirty(r->page);
}

static void block_written(struct bio *b)
{
	transfer_ended(b->vecs[0].page);
	complete(b->private);
}

int bdev_write_block(struct block_device *b, const struct block_ref *r, u32 bio_flags)
{
	u32 offset = ref_offset(r);
	struct page *p = r->page;
	struct completion done;
	struct bio *bio;
	int err;

	bio = bio_alloc(b, 1, BIO_WRITE, r->block * r->size >> SECTOR_SHIFT,
		bio_flags | BIO_SYNC | BIO_META, GFP_NOFS);
	completion_init(&done);
	bio->private = &done;
	bio->end_io = block_written;
	if (!bio_add_page(bio, p, offset, r->size)) {
		bio_free(bio);
		return -EIO;
	}
	page_lock(p);
	page_wait_writeback(p);
	page_mark_dirty(p);
	page_begin_writeback(p);
	__atomic_fetch_add(&p->private, ONE_TRANSFER, __ATOMIC_SEQ_CST);
	/* Other blocks of the page stay dirty. */
	if (__atomic_and_fetch(&p->private, ~sector_bits(offset, r->size), __ATOMIC_SEQ_CST) &
		ALL_SECTORS)
		page_mark_dirty(p);
	page_unlock(p);
	bio_submit(bio);
	wait_for_completion(&done);
	err = bio->status;
	bio_free(bio);
	return err;
}

void bdev_forget_blocks(struct block_device *b, u64 block, u64 count, u32 size)
{
	u64 at = block * size, end = at + count * size;

	while (at < end) {
		u64 index = at >> PAGE_SHIFT;
		u64 stop = min(end, (index + 1) << PAGE_SHIFT);
		struct page *p = object_find(b->object, index);

		if (p) {
			u64 bits = sector_bits((u32)at & (PAGE_SIZE - 1), (u32)(stop - at));

			page_lock(p);
			page_wait_writeback(p);
			if (p->object == b->object && page_test(p, PG_UPTODATE) &&
				page_test(p, PG_DIRTY) &&
				!(__atomic_and_fetch(&p->private, ~bits, __ATOMIC_SEQ_CST) &
					ALL_SECTORS)) {
				page_clear_dirty(p);
				smp_mb(); /* against bdev_mark_block_dirty of a neighbour */
				if (READ_ONCE(p->private) & ALL_SECTORS)
					page_mark_dirty(p);
			}
			page_unlock(p);
			put_page(p);
		}
		at = stop;
	}
}

int bdev_sync(struct block_device *b)
{
	u32 since = object_sample_wb_error(b->object);
	int err = object_write_range(b->object, 0, U64_MAX, true), late;

	late = object_check_wb_error(b->object, &since);
	return err ? err : late;
}

void bdev_drop_pages(struct block_device *b)
{
	object_drop_clean(b->object, 0, U64_MAX >> PAGE_SHIFT);
}
