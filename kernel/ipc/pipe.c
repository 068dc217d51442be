/*
 * Pipes: a ring of page references. A write of at most PIPE_BUF bytes is atomic because the lock is
 * held over it and it starts only when it fits whole. Readers are woken when the pipe stops being
 * empty, writers when it stops being full; the wait conditions are looked at again under the lock.
 */
#include <asm/ioctls.h>
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <asm/siginfo.h>
#include <sched/wait.h>
#include "pipe.h"

static SLAB_CACHE(g_pipe_cache, struct pipe);

int g_pipe_max_size = 1 << 20;
int g_pipe_user_pages_soft = 16384;
int g_pipe_user_pages_hard;

/* ---- pages of a user ---- */

/* The user's pages after the change; the caller takes it back if that is too much. */
static s64 charge(struct user_account *u, s64 pages)
{
	return __atomic_add_fetch(&u->pipe_pages, pages, __ATOMIC_RELAXED);
}

static bool over_limit(s64 pages, const int *limit)
{
	int most = READ_ONCE(*limit);

	return most && pages > most && !capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN);
}

/* Charge a new pipe of *ring buffers, or of fewer when the user has many. -ENFILE. */
static int charge_new(struct user_account *u, u32 *ring)
{
	s64 pages = charge(u, *ring);

	if (over_limit(pages, &g_pipe_user_pages_soft)) {
		pages = charge(u, (s64)PIPE_MIN_BUFFERS - *ring);
		*ring = PIPE_MIN_BUFFERS;
	}
	if (!over_limit(pages, &g_pipe_user_pages_hard))
		return 0;
	charge(u, -(s64)*ring);
	return -ENFILE;
}

struct pipe *pipe_alloc(void)
{
	static u64 next_ino;
	struct user_account *u = current_cred()->user;
	struct pipe *p;
	u32 ring = PIPE_DEF_BUFFERS;
	int err = charge_new(u, &ring);

	if (err)
		return err_ptr(err);
	p = slab_alloc(&g_pipe_cache, GFP_KERNEL | GFP_ZERO);
	if (p)
		p->bufs = kcalloc(ring, sizeof(*p->bufs), GFP_KERNEL);
	if (!p || !p->bufs) {
		if (p)
			slab_free(&g_pipe_cache, p);
		charge(u, -(s64)ring);
		return err_ptr(-ENOMEM);
	}
	get_user_account(u);
	p->user = u;
	ref_init(&p->refs, 1);
	mutex_init(&p->lock, RANK_PIPE);
	p->ring = ring;
	wait_queue_init(&p->rd_wait);
	wait_queue_init(&p->wr_wait);
	fasync_list_init(&p->async);
	p->ino = __atomic_add_fetch(&next_ino, 1, __ATOMIC_RELAXED);
	return p;
}

void put_pipe(struct pipe *p)
{
	if (!ref_put(&p->refs))
		return;
	while (p->head != p->tail)
		pipe_drop_buf(p);
	if (p->spare)
		put_page(p->spare);
	charge(p->user, -(s64)p->ring);
	put_user_account(p->user);
	kfree(p->bufs);
	slab_free(&g_pipe_cache, p);
}

void pipe_drop_buf(struct pipe *p)
{
	struct pipe_buf *b = pipe_at(p, p->tail);

	if (!p->spare && b->merge && READ_ONCE(b->page->refs) == 1)
		p->spare = b->page;
	else
		put_page(b->page);
	b->page = NULL;
	WRITE_ONCE(p->tail, p->tail + 1);
}

void pipe_woke_readers(struct pipe *p)
{
	poll_wake(&p->rd_wait, EPOLLIN | EPOLLRDNORM);
}

void pipe_woke_writers(struct pipe *p)
{
	poll_wake(&p->wr_wait, EPOLLOUT | EPOLLWRNORM);
}

void pipe_count_open(struct pipe *p, struct file *f)
{
	if (f->mode & FMODE_READ) {
		p->readers++;
		p->r_opens++;
	}
	if (f->mode & FMODE_WRITE) {
		p->writers++;
		p->w_opens++;
	}
}

void pipe_give_back(struct pipe *p)
{
	WRITE_ONCE(p->taken, false);
	wake_up_all(&p->rd_wait);
}

int pipe_wait_data(struct pipe *p, bool nonblock, bool *waited)
{
	int err;

	while (p->taken || pipe_used(p) == 0) {
		if (!p->taken && p->writers == 0)
			return 0;
		if (nonblock && !p->taken) /* a splice's turn is like a lock: poll says ready */
			return -EAGAIN;
		*waited = true;
		mutex_unlock(&p->lock);
		err = wait_event_interruptible_exclusive(&p->rd_wait,
			!READ_ONCE(p->taken) && (pipe_used(p) != 0 || READ_ONCE(p->writers) == 0));
		mutex_lock(&p->lock);
		if (err)
			return err;
	}
	return 1;
}

int pipe_wait_room(struct pipe *p, bool nonblock, bool *waited)
{
	int err;

	for (;;) {
		if (p->readers == 0)
			return 0;
		if (!pipe_full(p))
			return 1;
		if (nonblock)
			return -EAGAIN;
		*waited = true;
		mutex_unlock(&p->lock);
		err = wait_event_interruptible_exclusive(
			&p->wr_wait, !pipe_full(p) || READ_ONCE(p->readers) == 0);
		mutex_lock(&p->lock);
		if (err)
			return err;
	}
}

static ssize_t pipe_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct pipe *p = f->priv;
	ssize_t done = 0;
	bool was_full, waited = false, more;
	int err;

	if (to->count == 0)
		return 0;
	mutex_lock(&p->lock);
	err = pipe_wait_data(p, (f->flags & O_NONBLOCK) != 0, &waited);
	was_full = pipe_full(p);
	while (err > 0 && to->count && pipe_used(p)) {
		struct pipe_buf *b = pipe_at(p, p->tail);
		size_t want = min_t(size_t, b->len, to->count);
		size_t n = iter_put(to, (char *)page_address(b->page) + b->offset, want);
		bool packet = b->packet;

		if (n < want) { /* nothing of a faulting buffer is consumed, as on Linux */
			err = -EFAULT;
			break;
		}
		done += (ssize_t)n;
		b->offset += (u32)n;
		b->len -= (u32)n;
		if (b->len == 0 || packet)
			pipe_drop_buf(p); /* the rest of a packet is lost, as pipe(2) says */
		if (packet)
			break;
	}
	more = pipe_used(p) != 0;
	mutex_unlock(&p->lock);
	if (was_full && !pipe_full(p))
		pipe_woke_writers(p);
	if (more && waited)
		pipe_woke_readers(
			p); /* an exclusive waiter that leaves data passes the wake-up on */
	if (done)
		fasync_notify(&p->async, POLL_OUT);
	return done ? done : min(err, 0);
}

/* Append to the last buffer where a small write fits; bytes taken. */
static size_t merge_into_last(struct pipe *p, struct iter *from, size_t n)
{
	struct pipe_buf *b;
	size_t got;

	if (pipe_used(p) == 0 || n == 0)
		return 0;
	b = pipe_at(p, p->head - 1);
	if (!b->merge || b->packet || b->offset + b->len + n > PAGE_SIZE)
		return 0;
	got = iter_get(from, (char *)page_address(b->page) + b->offset + b->len, n);
	if (got < n) {
		iter_revert(from, got);
		return 0; /* the next buffer's fault is the answer */
	}
	b->len += (u32)got;
	return got;
}

/* One new buffer of up to a page; bytes taken or an error. */
static ssize_t add_buffer(struct pipe *p, struct iter *from, bool packet)
{
	struct page *page = p->spare;
	struct pipe_buf *b;
	size_t want = min_t(size_t, from->count, PAGE_SIZE), got;

	if (page)
		p->spare = NULL;
	else
		page = page_alloc(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	got = iter_get(from, page_address(page), want);
	if (got < want) { /* nothing of a faulting page is written, as on Linux */
		iter_revert(from, got);
		p->spare = page;
		return -EFAULT;
	}
	b = pipe_at(p, p->head);
	*b = (struct pipe_buf){.page = page, .len = (u32)got, .merge = true, .packet = packet};
	WRITE_ONCE(p->head, p->head + 1);
	return (ssize_t)got;
}

static ssize_t pipe_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct pipe *p = f->priv;
	bool nonblock = (f->flags & O_NONBLOCK) != 0, packet = (f->flags & O_DIRECT) != 0;
	bool was_empty, waited = false;
	ssize_t done = 0;
	int err = 1;

	if (from->count == 0)
		return 0;
	mutex_lock(&p->lock);
	was_empty = pipe_used(p) == 0;
	if (p->readers == 0)
		err = 0;
	else if (!packet)
		done = (ssize_t)merge_into_last(p, from, from->count % PAGE_SIZE);
	while (err > 0 && from->count) {
		ssize_t n;

		if (pipe_full(p)) {
			if (done)
				pipe_woke_readers(p);
			err = pipe_wait_room(p, nonblock, &waited);
			if (err <= 0)
				break;
			was_empty = pipe_used(p) == 0;
		}
		n = add_buffer(p, from, packet);
		if (n < 0) {
			err = (int)n;
			break;
		}
		done += n;
	}
	if (p->readers == 0)
		err = 0;
	if (was_empty && done)
		pipe_woke_readers(p);
	mutex_unlock(&p->lock);
	if (done && !was_empty && wait_queue_active(&p->rd_wait))
		pipe_woke_readers(p); /* edge-triggered watchers hear of every write */
	if (waited && !pipe_full(p)) /* the wake-up came to us alone: the room is for others, too */
		pipe_woke_writers(p);
	if (done)
		fasync_notify(&p->async, POLL_IN);
	if (err == 0 && !done) {
		vfs_broken_pipe();
		return -EPIPE;
	}
	return done ? done : err;
}

static u32 pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = f->priv;
	u32 mask = 0;

	if (f->mode & FMODE_READ)
		poll_wait(f, &p->rd_wait, pt);
	if (f->mode & FMODE_WRITE)
		poll_wait(f, &p->wr_wait, pt);
	if (f->mode & FMODE_READ) {
		if (pipe_used(p))
			mask |= EPOLLIN | EPOLLRDNORM;
		/* A FIFO that never had a writer since this open is not hung up. */
		if (READ_ONCE(p->writers) == 0 &&
			(u32)(uintptr_t)f->readahead.start != READ_ONCE(p->w_opens))
			mask |= EPOLLHUP;
	}
	if (f->mode & FMODE_WRITE) {
		if (!pipe_full(p))
			mask |= EPOLLOUT | EPOLLWRNORM;
		if (READ_ONCE(p->readers) == 0)
			mask |= EPOLLERR;
	}
	return mask;
}

static long pipe_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct pipe *p = f->priv;
	size_t n = 0;

	if (cmd != FIONREAD)
		return -ENOIOCTLCMD;
	mutex_lock(&p->lock);
	for (u32 i = p->tail; i != p->head; i++)
		n += pipe_at(p, i)->len;
	mutex_unlock(&p->lock);
	return put_user((int)n, (int __user *)arg);
}

void pipe_forget(struct pipe *p, struct inode *inode)
{
	bool last;

	spin_lock(&inode->spin);
	last = --p->files == 0;
	if (last)
		inode->pipe = NULL;
	spin_unlock(&inode->spin);
	if (last)
		put_pipe(p); /* the inode's reference */
	put_pipe(p);
}

static void pipe_release(struct file *f)
{
	struct pipe *p = f->priv;
	struct inode *inode = f->inode;
	bool one_end;

	mutex_lock(&p->lock);
	if (f->mode & FMODE_READ)
		p->readers--;
	if (f->mode & FMODE_WRITE)
		p->writers--;
	one_end = !p->readers != !p->writers;
	mutex_unlock(&p->lock);
	wake_up_key(&p->rd_wait, INT_MAX, EPOLLIN | EPOLLRDNORM | EPOLLHUP);
	wake_up_key(&p->wr_wait, INT_MAX, EPOLLOUT | EPOLLWRNORM | EPOLLERR);
	if (one_end) {
		fasync_notify(&p->async, POLL_IN);
		fasync_notify(&p->async, POLL_OUT);
	}
	pipe_forget(p, inode);
}

static int pipe_fasync(struct file *f, struct fasync_list **l)
{
	*l = &((struct pipe *)f->priv)->async;
	return 0;
}

const struct file_ops g_pipe_fops = {
	.fasync = pipe_fasync,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

struct pipe *file_pipe(struct file *f)
{
	return f->ops == &g_pipe_fops ? f->priv : NULL;
}

static struct file *open_end(struct pipe *p, struct inode *inode, u32 flags)
{
	struct file *f;

	get_inode(inode);
	f = file_from_inode(inode, "pipe:", &g_pipe_fops, flags);
	if (is_err(f)) {
		put_inode(inode);
		return f;
	}
	ref_get(&p->refs);
	spin_lock(&inode->spin);
	p->files++;
	spin_unlock(&inode->spin);
	f->priv = p;
	f->mode |= FMODE_STREAM;
	f->mode &= ~FMODE_LSEEK;
	f->readahead.start = U32_MAX; /* see pipe_poll: an end of file counts at once */
	return f;
}

int pipe_create(struct file **read_end, struct file **write_end, u32 o_flags)
{
	struct inode *inode = inode_alloc_anon(S_IFIFO | 0600);
	struct pipe *p;
	int err = -ENOMEM;

	if (!inode)
		return -ENOMEM;
	p = pipe_alloc();
	if (is_err(p)) {
		err = ptr_err(p);
		goto out_inode;
	}
	p->readers = p->writers = p->r_opens = p->w_opens = 1;
	inode->pipe =
		p; /* so that /proc/PID/fd/N can open it again; the first reference is the inode's */
	*read_end = open_end(p, inode, O_RDONLY | (o_flags & (O_NONBLOCK | O_DIRECT)));
	if (is_err(*read_end)) {
		err = ptr_err(*read_end);
		inode->pipe = NULL;
		put_pipe(p);
		goto out_inode;
	}
	*write_end = open_end(p, inode, O_WRONLY | (o_flags & (O_NONBLOCK | O_DIRECT)));
	if (is_err(*write_end)) {
		err = ptr_err(*write_end);
		put_file(*read_end); /* the last file takes the inode's reference with it */
		goto out_inode;
	}
	err = 0;
out_inode:
	put_inode(inode);
	return err;
}

/* Change the number of buffers to hold at least "size" bytes. lock held. */
static long resize(struct pipe *p, unsigned long size)
{
	u32 nr = (u32)(round_up(max(size, PAGE_SIZE), PAGE_SIZE) / PAGE_SIZE);
	struct pipe_buf *bufs;
	u32 used_now = pipe_used(p);
	s64 more, pages;
	int err;

	if (!is_power_of_2(nr))
		nr = 2u << ilog2(nr);
	if (nr > p->ring && (u64)nr * PAGE_SIZE > (u64)READ_ONCE(g_pipe_max_size) &&
		!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	more = (s64)nr - p->ring;
	pages = charge(p->user, more);
	bufs = NULL;
	err = -EPERM;
	if (more > 0 &&
		(over_limit(pages, &g_pipe_user_pages_soft) ||
			over_limit(pages, &g_pipe_user_pages_hard)))
		goto fail;
	err = -EBUSY;
	if (nr < used_now + p->reserved)
		goto fail;
	err = -ENOMEM;
	bufs = kcalloc(nr, sizeof(*bufs), GFP_KERNEL);
	if (!bufs)
		goto fail;
	for (u32 i = 0; i < used_now; i++)
		bufs[i] = *pipe_at(p, p->tail + i);
	kfree(p->bufs);
	p->bufs = bufs;
	p->tail = 0;
	p->head = used_now;
	p->ring = nr;
	return (long)(nr * PAGE_SIZE);
fail:
	charge(p->user, -more);
	return err;
}

long pipe_fcntl(struct file *f, u32 cmd, unsigned long arg)
{
	struct pipe *p = file_pipe(f);
	long r;

	if (!p)
		return -EBADF;
	mutex_lock(&p->lock);
	if (cmd == F_GETPIPE_SZ)
		r = (long)(p->ring * PAGE_SIZE);
	else if (arg > (1ul << 31))
		r = -EINVAL;
	else
		r = resize(p, arg);
	mutex_unlock(&p->lock);
	if (cmd == F_SETPIPE_SZ && r > 0)
		wake_up_all(&p->wr_wait);
	return r;
}
