/* Whole operations for callers that wait: flush, discard, zeroes, kernel memory. */
#include <kmem/slab.h>
#include <lib/string.h>
#include "blk.h"

#define RW_PAGES   16u          /* of one transfer of bdev_rw */
#define ZERO_PAGES 32u          /* of one write of zeroes: the same page each time */
#define PART_VECS  32u          /* of a bio that there is always memory for */
#define MAX_RANGE  (1ull << 21) /* sectors of one discard: others want the device, too */

int bdev_flush(struct block_device *b)
{
	struct bio *bio;
	int err;

	if (!b->disk->limits.write_cache)
		return READ_ONCE(b->gone) ? -ENXIO : 0;
	bio = bio_alloc(b, 0, BIO_FLUSH, 0, 0, GFP_NOFS);
	err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

static int range_op(
	struct block_device *b, enum bio_op op, u64 sector, u64 count, u64 most, u32 flags)
{
	u32 unit = bdev_logical_block_size(b) >> SECTOR_SHIFT;
	int err = 0;

	most = min(most, MAX_RANGE);
	most = max(most - most % unit, (u64)unit);
	while (count && !err) {
		u64 n = min(count, most);
		struct bio *bio = bio_alloc(b, 0, op, sector, flags, GFP_NOFS);

		bio->nr_sectors = n;
		err = bio_submit_wait(bio);
		bio_free(bio);
		sector += n;
		count -= n;
		cond_resched();
	}
	return err;
}

int bdev_discard(struct block_device *b, u64 sector, u64 count)
{
	u64 most = b->disk->limits.max_discard_sectors;

	return most ? range_op(b, BIO_DISCARD, sector, count, most, 0) : -EOPNOTSUPP;
}

static int write_zeroes(struct block_device *b, u64 sector, u64 count)
{
	struct page *zero = page_alloc(GFP_NOFS | GFP_ZERO);
	int err = zero ? 0 : -ENOMEM;

	while (count && !err) {
		struct bio *bio = bio_alloc(b, ZERO_PAGES, BIO_WRITE, sector, 0, GFP_NOFS);

		while (bio->nr_sectors < count) {
			u32 n = (u32)min((count - bio->nr_sectors) << SECTOR_SHIFT, (u64)PAGE_SIZE);

			if (!bio_add_page(bio, zero, 0, n))
				break;
		}
		sector += bio->nr_sectors;
		count -= bio->nr_sectors;
		err = bio->nr_sectors ? bio_submit_wait(bio) : -EIO;
		bio_free(bio);
		cond_resched();
	}
	if (zero)
		put_page(zero);
	return err;
}

int bdev_zeroout(struct block_device *b, u64 sector, u64 count)
{
	u64 most = b->disk->limits.max_zeroes_sectors;
	int err = -EOPNOTSUPP;

	if (most)
		err = range_op(b, BIO_WRITE_ZEROES, sector, count, most, BIO_NOUNMAP);
	return err == -EOPNOTSUPP ? write_zeroes(b, sector, count) : err;
}

/* Up to RW_PAGES pages' worth; *bytes becomes what was done. */
static int rw_part(
	struct block_device *b, enum bio_op op, u64 sector, char *buf, u32 *bytes, u32 flags)
{
	u32 n = min(*bytes, (u32)(RW_PAGES << PAGE_SHIFT)), done = 0;
	struct bio *bio = bio_alloc(b, RW_PAGES, op, sector, flags, GFP_NOFS);
	int err = 0;

	while (done < n) {
		u32 len = min(n - done, (u32)PAGE_SIZE);
		struct page *p = page_alloc(GFP_NOFS);

		if (!p)
			break;
		if (!bio_add_page(bio, p, 0, len)) {
			put_page(p);
			break;
		}
		if (op == BIO_WRITE)
			memcpy(page_address(p), buf + done, len);
		done += len;
	}
	if (done)
		err = bio_submit_wait(bio);
	else
		err = -ENOMEM;
	for (u32 i = 0, at = 0; i < bio->nr_vecs; i++) {
		struct bio_vec *v = &bio->vecs[i];

		if (op == BIO_READ && !err)
			memcpy(buf + at, page_address(v->page), v->len);
		at += v->len;
		put_page(v->page);
	}
	bio_free(bio);
	*bytes = done;
	return err;
}

int bdev_rw(struct block_device *b, enum bio_op op, u64 sector, void *buf, u32 bytes, u32 flags)
{
	char *at = buf;
	int err = 0;

	if ((op != BIO_READ && op != BIO_WRITE) || bytes % SECTOR_SIZE)
		return -EINVAL;
	while (bytes && !err) {
		u32 n = bytes;

		err = rw_part(b, op, sector, at, &n, flags);
		sector += n >> SECTOR_SHIFT;
		at += n;
		bytes -= n;
	}
	return err;
}

/* ---- pages --------------------------------------------------------------------------------------
 */

/* Several bios under way at once. */
struct group {
	atomic_t left; /* and one of who waits */
	int err;       /* the first; atomic */
	struct completion done;
};

static void group_put(struct group *g)
{
	if (atomic_dec_and_test(&g->left))
		complete(&g->done);
}

static void part_ended(struct bio *b)
{
	struct group *g = b->private;
	int none = 0;

	if (b->status)
		(void)!try_cmpxchg(&g->err, &none, b->status);
	bio_free(b);
	group_put(g);
}

/* As large as there is memory for; always one. */
static struct bio *part_alloc(struct block_device *b, enum bio_op op, u64 sector, size_t pages)
{
	u16 n = (u16)min(pages, (size_t)BIO_MAX_VECS);
	struct bio *bio = bio_alloc(
		b, n, op, sector, BIO_SYNC, n <= PART_VECS ? GFP_NOFS : GFP_NOWAIT);

	return bio ? bio : bio_alloc(b, PART_VECS, op, sector, BIO_SYNC, GFP_NOFS);
}

/* Returns how much was taken; 0: the device takes less than a page's part at once. */
static size_t submit_part(struct block_device *b, enum bio_op op, u64 sector, struct page **pages,
	size_t off, size_t bytes, struct group *g)
{
	struct bio *bio = part_alloc(
		b, op, sector, div_round_up((off & ~PAGE_MASK) + bytes, PAGE_SIZE));
	size_t done = 0;

	while (done < bytes) {
		u32 in = (u32)((off + done) & ~PAGE_MASK);
		u32 n = (u32)min(bytes - done, PAGE_SIZE - in);

		if (!bio_add_page(bio, pages[(off + done) >> PAGE_SHIFT], in, n))
			break;
		done += n;
	}
	if (!done) {
		bio_free(bio);
		return 0;
	}
	bio->private = g;
	bio->end_io = part_ended;
	atomic_inc(&g->left);
	bio_submit(bio);
	return done;
}

int bdev_rw_pages(struct block_device *b, enum bio_op op, u64 sector, struct page **pages,
	size_t off, size_t bytes)
{
	struct group g = {.left = ATOMIC_INIT(1)};
	struct blk_plug plug;
	int err = 0, cpu;

	completion_init(&g.done);
	blk_plug_start(&plug);
	while (bytes && !err) {
		size_t n = submit_part(b, op, sector, pages, off, bytes, &g);

		err = n ? 0 : -EIO;
		sector += n >> SECTOR_SHIFT;
		off += n;
		bytes -= n;
	}
	blk_plug_finish(&plug);
	group_put(&g);
	cpu = io_wait_begin();
	wait_for_completion(&g.done);
	io_wait_end(cpu);
	return err ? err : READ_ONCE(g.err);
}
