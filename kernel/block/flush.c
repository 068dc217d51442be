/*
 * Volatile write caches: a bio with PREFLUSH waits until the device's cache has been flushed, one
 * with FUA on a device that can't do that is followed by a flush. One flush at a time is under way;
 * all bios that came before it started share it, those that come later share the next.
 */
#include <kmem/slab.h>
#include "blk.h"

static void flush_ended(struct bio *f);

/* Begin a flush for those that wait. Lock held; true: submit flush_bio. */
static bool begin_locked(struct disk_impl *i)
{
	spin_assert_held(&i->flush_lock);
	if (i->flush_busy || !i->flush_waiting.first)
		return false;
	i->flush_busy = true;
	i->flush_running = i->flush_waiting;
	i->flush_waiting = (struct chain_list){0};
	return true;
}

static void send(struct disk_impl *i)
{
	struct bio *f = i->flush_bio;
	struct chain_list l = {0};

	f->bdev = i->parts[0];
	f->op = BIO_FLUSH;
	f->flags = BIO_SYNC | BIO_REMAPPED | BIO_NOMERGE;
	f->end_io = flush_ended;
	f->private = i;
	f->stage = STAGE_LAST;
	f->start_ns = 0;
	chain_start(f);
	chain_push(&l, f);
	queue_submit_chains(i, &l);
}

static void wait_for_flush(struct disk_impl *i, struct bio *b)
{
	unsigned long flags = spin_lock_irqsave(&i->flush_lock);
	bool begin;

	chain_push(&i->flush_waiting, b);
	begin = begin_locked(i);
	spin_unlock_irqrestore(&i->flush_lock, flags);
	if (begin)
		send(i);
}

static void send_data(struct disk_impl *i, struct bio *b)
{
	struct chain_list l = {0};
	bool post = (b->flags & BIO_FUA) && !i->disk->limits.fua;

	b->flags = (b->flags | BIO_NOMERGE | BIO_SYNC) & ~BIO_PREFLUSH;
	if (post)
		b->flags &= ~BIO_FUA;
	b->stage = post ? STAGE_POSTFLUSH : STAGE_LAST;
	chain_start(b);
	chain_push(&l, b);
	queue_submit_chains(i, &l);
}

/* Its flush has ended. */
static void advance(struct disk_impl *i, struct bio *b, int status)
{
	if (status || b->stage == STAGE_POSTFLUSH || !b->nr_sectors) {
		b->stage = STAGE_LAST;
		bio_end(b, status);
		return;
	}
	send_data(i, b);
}

static void flush_ended(struct bio *f)
{
	struct disk_impl *i = f->private;
	int status = f->status;
	struct chain_list done;
	unsigned long flags;
	struct bio *b;
	bool begin;

	flags = spin_lock_irqsave(&i->flush_lock);
	done = i->flush_running;
	i->flush_busy = false;
	begin = begin_locked(i);
	spin_unlock_irqrestore(&i->flush_lock, flags);
	if (begin)
		send(i);
	while ((b = chain_pop(&done)))
		advance(i, b, status);
}

void flush_submit(struct bio *b)
{
	struct disk_impl *i = disk_impl(b->bdev->disk);

	if (b->op == BIO_FLUSH || (b->flags & BIO_PREFLUSH)) {
		b->stage = STAGE_PREFLUSH;
		wait_for_flush(i, b);
	} else {
		send_data(i, b);
	}
}

void flush_step_done(struct bio *b)
{
	if (b->status) {
		b->stage = STAGE_LAST;
		bio_end(b, b->status);
		return;
	}
	wait_for_flush(disk_impl(b->bdev->disk), b);
}

int flush_create(struct disk_impl *i)
{
	spin_init(&i->flush_lock, RANK_BLOCK);
	i->flush_bio = kzalloc(sizeof(*i->flush_bio), GFP_KERNEL);
	return i->flush_bio ? 0 : -ENOMEM;
}

void flush_destroy(struct disk_impl *i)
{
	kfree(i->flush_bio);
}
