/* Bios: allocation with a reserve, submission, plugs, and the waiting forms. */
#include <core/init.h>
#include "internal.h"

/*
 * The reserve keeps writeback going when memory is short: these bios come back when their transfer
 * has ended, whatever else happens.
 */
#define RESERVE      32
#define RESERVE_VECS 32
#define PLUG_MAX     64

static struct bio *g_reserve; /* g_reserve_lock */
static DEFINE_SPINLOCK(g_reserve_lock, RANK_BLOCK);
static struct wait_queue g_reserve_wait = WAIT_QUEUE_INIT(g_reserve_wait);
#define BIO_RESERVED 0x80000000u /* in flags: goes back to the reserve */

static size_t bio_bytes(u16 vecs)
{
	return sizeof(struct bio) + vecs * sizeof(struct bio_vec);
}

static int bio_init(void)
{
	for (int i = 0; i < RESERVE; i++) {
		struct bio *b = kmalloc(bio_bytes(RESERVE_VECS), GFP_KERNEL);

		if (!b)
			return -ENOMEM;
		b->next = g_reserve;
		g_reserve = b;
	}
	return 0;
}
INIT_HOOK(INIT_CORE, bio_init);

static struct bio *from_reserve(void)
{
	unsigned long flags = spin_lock_irqsave(&g_reserve_lock);
	struct bio *b = g_reserve;

	if (b)
		g_reserve = b->next;
	spin_unlock_irqrestore(&g_reserve_lock, flags);
	return b;
}

struct bio *bio_alloc(
	struct block_device *bdev, u16 max_vecs, enum bio_op op, u64 sector, u32 flags, u32 gfp)
{
	bool sure = (gfp & GFP_NOFS) && max_vecs <= RESERVE_VECS;
	struct bio *b = kmalloc(bio_bytes(max_vecs), sure ? GFP_NOWAIT : gfp);

	if (!b && sure) {
		wait_event(&g_reserve_wait, (b = from_reserve()) != NULL);
		flags |= BIO_RESERVED;
	}
	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	b->bdev = bdev;
	b->op = op;
	b->flags = flags;
	b->sector = sector;
	b->max_vecs = max_vecs;
	return b;
}

void bio_free(struct bio *b)
{
	unsigned long flags;

	if (!b || !(b->flags & BIO_RESERVED)) {
		kfree(b);
		return;
	}
	flags = spin_lock_irqsave(&g_reserve_lock);
	b->next = g_reserve;
	g_reserve = b;
	spin_unlock_irqrestore(&g_reserve_lock, flags);
	wake_up(&g_reserve_wait);
}

bool bio_add_page(struct bio *b, struct page *p, u32 offset, u32 len)
{
	const struct disk_limits *l = &b->bdev->disk->limits;
	u64 sectors = b->nr_sectors + (len >> SECTOR_SHIFT);

	if (b->nr_vecs == b->max_vecs || b->nr_vecs >= l->max_segs || sectors > l->max_sectors)
		return false;
	b->vecs[b->nr_vecs++] = (struct bio_vec){.page = p, .offset = offset, .len = len};
	b->nr_sectors = sectors;
	return true;
}

void bio_end(struct bio *b, int status)
{
	b->status = status;
	b->end_io(b);
}

/* Why the device can't take it, or 0. */
static int check(const struct bio *b)
{
	const struct block_device *d = b->bdev;
	u64 size = READ_ONCE(d->sectors);

	if (READ_ONCE(state_of(d->disk)->gone))
		return -ENXIO;
	if (b->op == BIO_FLUSH)
		return 0;
	if (b->sector > size || b->nr_sectors > size - b->sector)
		return -EIO;
	if (b->op != BIO_READ && bdev_read_only(d))
		return -EROFS;
	if (!b->nr_sectors ||
		((b->sector | b->nr_sectors) & (d->disk->limits.logical_block / 512 - 1)))
		return -EINVAL;
	if ((b->op == BIO_DISCARD && !d->disk->limits.max_discard_sectors) ||
		(b->op == BIO_WRITE_ZEROES && !d->disk->limits.max_zeroes_sectors))
		return -EOPNOTSUPP;
	return 0;
}

void bio_submit(struct bio *b)
{
	struct blk_plug *plug = current_thread()->plug;
	int err = check(b);

	b->next = NULL;
	if (err) {
		bio_end(b, err);
		return;
	}
	if (!b->bdev->disk->limits.write_cache) {
		b->flags &= ~(BIO_PREFLUSH | BIO_FUA);
		if (b->op == BIO_FLUSH) {
			bio_end(b, 0);
			return;
		}
	}
	b->start_ns = (u64)clock_mono_ns();
	if (!plug) {
		queue_bios(b);
		return;
	}
	if (plug->last)
		plug->last->next = b;
	else
		plug->first = b;
	plug->last = b;
	if (++plug->count >= PLUG_MAX) {
		b = plug->first;
		plug->first = plug->last = NULL;
		plug->count = 0;
		queue_bios(b);
	}
}

void blk_plug_start(struct blk_plug *p)
{
	struct thread *t = current_thread();

	*p = (struct blk_plug){.nested = t->plug != NULL};
	if (!p->nested)
		t->plug = p;
}

void blk_plug_finish(struct blk_plug *p)
{
	if (p->nested)
		return;
	current_thread()->plug = NULL;
	if (p->first)
		queue_bios(p->first);
}

/* Before this thread waits for I/O: what it has plugged must be on its way. */
static void unplug(void)
{
	struct blk_plug *p = current_thread()->plug;
	struct bio *b;

	if (!p || !p->first)
		return;
	b = p->first;
	p->first = p->last = NULL;
	p->count = 0;
	queue_bios(b);
}

static void end_wait(struct bio *b)
{
	complete(b->private);
}

int bio_submit_wait(struct bio *b)
{
	struct completion done;

	completion_init(&done);
	b->end_io = end_wait;
	b->private = &done;
	b->flags |= BIO_SYNC;
	bio_submit(b);
	unplug();
	wait_for_completion(&done);
	return b->status;
}

/* ---- whole operations -------------------------------------------------------------------------- */

int bdev_flush(struct block_device *bdev)
{
	struct bio *b;
	int err;

	if (!bdev->disk->limits.write_cache)
		return 0;
	b = bio_alloc(bdev, 0, BIO_FLUSH, 0, 0, GFP_NOFS);
	if (!b)
		return -ENOMEM;
	err = bio_submit_wait(b);
	bio_free(b);
	return err;
}

static int ranged(struct block_device *bdev, enum bio_op op, u64 sector, u64 count, u64 most)
{
	while (count) {
		u64 n = min(count, most);
		struct bio *b = bio_alloc(bdev, 0, op, sector, 0, GFP_NOFS);
		int err;

		if (!b)
			return -ENOMEM;
		b->nr_sectors = n;
		err = bio_submit_wait(b);
		bio_free(b);
		if (err)
			return err;
		sector += n;
		count -= n;
	}
	return 0;
}

int bdev_discard(struct block_device *b, u64 sector, u64 count)
{
	u64 most = b->disk->limits.max_discard_sectors;

	return most ? ranged(b, BIO_DISCARD, sector, count, most) : -EOPNOTSUPP;
}

int bdev_zeroout(struct block_device *b, u64 sector, u64 count)
{
	u64 most = b->disk->limits.max_zeroes_sectors;
	struct page *zero;
	int err;

	if (most) {
		err = ranged(b, BIO_WRITE_ZEROES, sector, count, most);
		if (err != -EOPNOTSUPP)
			return err;
	}
	zero = page_alloc(GFP_NOFS | GFP_ZERO);
	if (!zero)
		return -ENOMEM;
	for (err = 0; count && !err;) {
		struct bio *bio = bio_alloc(b, 32, BIO_WRITE, sector, 0, GFP_NOFS);

		while (bio->nr_sectors < count &&
			bio_add_page(bio, zero, 0,
				(u32)min((count - bio->nr_sectors) << SECTOR_SHIFT, PAGE_SIZE)))
			;
		sector += bio->nr_sectors;
		count -= bio->nr_sectors;
		err = bio_submit_wait(bio);
		bio_free(bio);
	}
	put_page(zero);
	return err;
}

int bdev_rw(struct block_device *b, enum bio_op op, u64 sector, void *buf, u32 bytes, u32 flags)
{
	char *at = buf;

	while (bytes) {
		struct bio *bio = bio_alloc(b, 32, op, sector, flags, GFP_NOFS);
		int err;

		while (bytes) {
			u32 offset = (u32)((uintptr_t)at & ~PAGE_MASK);
			u32 n = (u32)min((u64)bytes, PAGE_SIZE - offset);

			if (!bio_add_page(bio, virt_to_page(at), offset, n))
				break;
			at += n;
			bytes -= n;
		}
		sector += bio->nr_sectors;
		err = bio_submit_wait(bio);
		bio_free(bio);
		if (err)
			return err;
	}
	return 0;
}
