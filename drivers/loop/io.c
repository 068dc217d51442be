/* Requests of a loop device, served by its thread. */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/falloc.h>
#include <vm/writeback.h>
#include "loop.h"

int loop_queue(struct disk *d, struct request *rq, bool last)
{
	struct loop *l = d->driver;
	unsigned long flags = spin_lock_irqsave(&l->queue_lock);
	bool ok = l->thread && !l->stop;

	if (ok)
		l->queue[(l->head + l->count++) % LOOP_DEPTH] = rq;
	spin_unlock_irqrestore(&l->queue_lock, flags);
	if (!ok)
		return -EIO;
	wake_up(&l->wait);
	return 0;
}

/* One part of a request, in memory that is mapped always. */
static int transfer(struct file *f, bool write, void *buf, u32 len, off64_t pos)
{
	u32 done = 0;

	while (done < len) {
		ssize_t n = write ? kernel_write(f, (char *)buf + done, len - done, &pos)
				  : kernel_read(f, (char *)buf + done, len - done, &pos);

		if (n < 0)
			return n == -ENOSPC ? -ENOSPC : -EIO;
		if (!n)
			break;
		done += (u32)n;
	}
	if (write)
		return done < len ? -EIO : 0;
	memset((char *)buf + done, 0, len - done); /* the file has become shorter */
	return 0;
}

static int clear(struct file *f, const struct request *rq, u64 pos)
{
	int mode = FALLOC_FL_PUNCH_HOLE, err;

	if (rq->op == BIO_WRITE_ZEROES && (rq->flags & BIO_NOUNMAP))
		mode = FALLOC_FL_ZERO_RANGE;
	err = vfs_fallocate(f, mode | FALLOC_FL_KEEP_SIZE, pos, rq->nr_sectors << SECTOR_SHIFT);
	return err && err != -EOPNOTSUPP && err != -ENOSPC ? -EIO : err;
}

static int serve(struct file *f, const struct request *rq, u64 pos)
{
	u64 start;
	int err = 0;

	switch (rq->op) {
	case BIO_READ:
	case BIO_WRITE:
		start = pos;
		request_for_each_vec(rq, b, v)
		{
			err = transfer(f, rq->op == BIO_WRITE,
				(char *)page_address(v->page) + v->offset, v->len, (off64_t)pos);
			if (err)
				return err;
			pos += v->len;
		}
		/* It doesn't wait as other writers do, for pages that may be its own device's. */
		if (rq->op == BIO_WRITE && f->inode->object.wb && dirty_over_limit())
			err = object_write_range(&f->inode->object, start, pos - 1, true);
		return err;
	case BIO_FLUSH:
		err = vfs_fsync(f, 0, S64_MAX, true);
		return err && err != -EINVAL ? -EIO : 0; /* -EINVAL: nothing to sync, as tmpfs */
	default:
		return clear(f, rq, pos);
	}
}

static void run(void *arg)
{
	struct loop *l = arg;

	/* What it allocates may be what a writer of the device waits for. */
	current_thread()->gfp_scope |= GFP_NOFS;
	current_thread()->cleans_pages = true;
	for (;;) {
		struct request *rq = NULL;
		struct file *f = NULL;
		bool stop;

		wait_event(&l->wait, READ_ONCE(l->count) || READ_ONCE(l->stop));
		spin_lock_irq(&l->queue_lock);
		stop = l->stop && !l->count;
		if (l->count) {
			rq = l->queue[l->head];
			l->head = (l->head + 1) % LOOP_DEPTH;
			l->count--;
			f = l->file;
			get_file(f);
		}
		spin_unlock_irq(&l->queue_lock);
		if (stop)
			break;
		if (!rq)
			continue;
		request_done(rq,
			serve(f, rq, READ_ONCE(l->info.lo_offset) + (rq->sector << SECTOR_SHIFT)));
		put_file(f);
		cond_resched();
	}
	complete(&l->stopped);
}

int loop_start_thread(struct loop *l)
{
	struct thread *t;

	l->stop = false;
	completion_init(&l->stopped);
	t = kthread_create(run, l, "loop%u", l->number);
	if (is_err(t))
		return ptr_err(t);
	spin_lock_irq(&l->queue_lock);
	l->thread = t;
	spin_unlock_irq(&l->queue_lock);
	thread_wake(t);
	return 0;
}

void loop_stop_thread(struct loop *l)
{
	spin_lock_irq(&l->queue_lock);
	l->stop = true;
	spin_unlock_irq(&l->queue_lock);
	wake_up(&l->wait);
	wait_for_completion(&l->stopped);
	spin_lock_irq(&l->queue_lock);
	l->thread = NULL;
	spin_unlock_irq(&l->queue_lock);
}
