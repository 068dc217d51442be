/*
 * Opening FIFOs (fifo(7)): the inode's pipe exists while somebody has it open; an open for reading
 * waits for a writer and the other way round, unless O_NONBLOCK.
 */
#include <core/init.h>
#include <linux/magic.h>
#include <sched/wait.h>
#include "pipe.h"

/* The inode's pipe with a reference for this file; the inode itself holds one more. Error pointer. */
static struct pipe *get_fifo_pipe(struct inode *inode)
{
	struct pipe *p, *fresh = NULL;

	for (;;) {
		spin_lock(&inode->spin);
		p = inode->pipe;
		if (!p && fresh) {
			p = inode->pipe = fresh; /* the inode's reference */
			fresh = NULL;
		}
		if (p) {
			ref_get(&p->refs);
			p->files++;
		}
		spin_unlock(&inode->spin);
		if (p)
			break;
		fresh = pipe_alloc();
		if (is_err(fresh))
			return fresh;
	}
	if (fresh)
		put_pipe(fresh);
	return p;
}

static int wait_other_end(struct pipe *p, const u32 *counter, u32 before, const u32 *present)
{
	int err = 0;

	if (*present)
		return 0;
	mutex_unlock(&p->lock);
	err = wait_event_interruptible(&p->rd_wait, READ_ONCE(*counter) != before);
	mutex_lock(&p->lock);
	return err;
}

static int fifo_open(struct inode *inode, struct file *f)
{
	struct pipe *p = get_fifo_pipe(inode);
	/* One made by pipe(2), opened again through /proc/N/fd: its ends were there, nobody waits. */
	bool anonymous = inode->super->magic == PIPEFS_MAGIC;
	u32 r_before, w_before;
	int err = 0;

	if (is_err(p))
		return ptr_err(p);
	f->ops = &g_pipe_fops;
	f->priv = p;
	f->mode |= FMODE_STREAM;
	f->mode &= ~FMODE_LSEEK;
	mutex_lock(&p->lock);
	if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE && (f->flags & O_NONBLOCK) &&
		p->readers == 0 && !anonymous) {
		/* Not counted even for a moment: a reader that opens now must go on waiting. */
		mutex_unlock(&p->lock);
		pipe_forget(p, inode);
		return -ENXIO;
	}
	pipe_count_open(p, f);
	r_before = p->r_opens;
	w_before = p->w_opens;
	f->readahead.start = w_before; /* see pipe_poll */
	if (f->mode & FMODE_WRITE)
		f->readahead.start = U32_MAX;
	else if (p->writers || anonymous)
		f->readahead.start = U32_MAX;
	mutex_unlock(&p->lock);
	wake_up_all(&p->rd_wait); /* openers of the other end wait here */
	mutex_lock(&p->lock);
	if (!(f->flags & O_NONBLOCK) && !anonymous) {
		if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_READ) {
			err = wait_other_end(p, &p->w_opens, w_before, &p->writers);
			f->readahead.start = U32_MAX;
		} else if ((f->mode & (FMODE_READ | FMODE_WRITE)) == FMODE_WRITE) {
			err = wait_other_end(p, &p->r_opens, r_before, &p->readers);
		}
	}
	mutex_unlock(&p->lock);
	if (err)
		g_pipe_fops.release(f);
	return err;
}

static const struct file_ops g_fifo_fops = {.open = fifo_open};

static int fifo_init(void)
{
	vfs_set_fifo_ops(&g_fifo_fops);
	return 0;
}
INIT_HOOK(INIT_CORE, fifo_init);
