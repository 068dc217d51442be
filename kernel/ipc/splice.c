/*
 * splice, tee and vmsplice: pages move between pipes and page caches by reference; files without a
 * page cache are read and written through a page of the pipe.
 */
#include <kmem/slab.h>
#include <ipc/splice.h>
#include <asm/siginfo.h>
#include <sched/wait.h>
#include "pipe.h"

static bool nonblocking(struct file *pipe, u32 flags)
{
	return (flags & SPLICE_F_NONBLOCK) || (pipe->flags & O_NONBLOCK);
}

static void push(struct pipe *p, struct page *page, u32 offset, u32 len)
{
	*pipe_at(p, p->head) = (struct pipe_buf){.page = page, .offset = offset, .len = len};
	WRITE_ONCE(p->head, p->head + 1);
}

/* The file's cached page as a buffer; bytes or error, 0 at the end. *pos moves. */
static ssize_t push_cached(struct pipe *p, struct file *in, off64_t *pos, size_t len)
{
	struct vm_object *o = &in->inode->object;
	u64 size = READ_ONCE(o->size);
	u32 offset = (u32)(*pos & (off64_t)(PAGE_SIZE - 1));
	struct page *page;

	if ((u64)*pos >= size)
		return 0;
	len = min_t(size_t, len, PAGE_SIZE - offset);
	len = min_t(size_t, len, size - (u64)*pos);
	page = object_get_page(o, (u64)*pos >> PAGE_SHIFT, o->unevictable ? OBJ_EXISTING : 0);
	if (!page) { /* a hole takes no memory of the file system */
		page = page_alloc(GFP_KERNEL | GFP_ZERO);
		if (!page)
			return -ENOMEM;
	}
	if (is_err(page))
		return ptr_err(page);
	push(p, page, offset, (u32)len);
	*pos += (off64_t)len;
	return (ssize_t)len;
}

/*
 * One page of what the source gives, as a buffer. The source may block for long, so it is read
 * without the lock; the buffer is reserved before, so that nothing read is ever without a place.
 * Lock held at entry and exit, room was seen.
 */
static ssize_t push_read(struct pipe *p, struct file *in, off64_t *pos, size_t len)
{
	struct page *page = page_alloc(GFP_KERNEL);
	struct iter it;
	ssize_t n;

	if (!page)
		return -ENOMEM;
	it = iter_kernel(page_address(page), min_t(size_t, len, PAGE_SIZE));
	p->reserved++;
	mutex_unlock(&p->lock);
	n = vfs_read(in, &it, pos);
	mutex_lock(&p->lock);
	WRITE_ONCE(p->reserved, p->reserved - 1);
	if (n <= 0) {
		put_page(page);
		return n;
	}
	push(p, page, 0, (u32)n);
	pipe_at(p, p->head - 1)->merge = true;
	return n;
}

ssize_t pipe_splice_from_file(
	struct file *in, off64_t *pos, struct file *out, size_t len, u32 flags)
{
	struct pipe *p = file_pipe(out);
	bool cached = in->ops->read == file_object_read;
	off64_t local = pos ? *pos : in->pos;
	ssize_t done = 0, n = 0;
	bool waited = false;
	int err;

	mutex_lock(&p->lock);
	err = pipe_wait_room(p, nonblocking(out, flags), &waited);
	if (err > 0 && len && !cached) { /* a stream gives what it has */
		n = push_read(p, in, pos ? &local : NULL, len);
		done = max_t(ssize_t, n, 0);
	}
	while (cached && err > 0 && len && !pipe_full(p)) {
		n = push_cached(p, in, &local, len);
		if (n <= 0)
			break;
		done += n;
		len -= (size_t)n;
	}
	mutex_unlock(&p->lock);
	if (err == 0) {
		vfs_broken_pipe();
		return -EPIPE;
	}
	if ((waited || !cached) &&
		!pipe_full(
			p)) /* what was reserved, or the wake-up that came to us, is for others */
		pipe_woke_writers(p);
	if (done) {
		pipe_woke_readers(p);
		fasync_notify(&p->async, POLL_IN);
		if (pos)
			*pos = local;
		else if (cached)
			in->pos = local;
	}
	return done ? done : n < 0 ? n : min(err, 0);
}

/* Write up to len bytes of the tail buffer, without the lock; other readers wait meanwhile, so what
 * is not taken keeps its place. *want: what was offered. Lock held at entry and exit. */
static ssize_t write_tail(struct pipe *p, struct file *out, off64_t *pos, size_t len, ssize_t *want)
{
	struct pipe_buf *b = pipe_at(p, p->tail);
	struct page *page = b->page;
	struct iter it;
	ssize_t n;

	*want = (ssize_t)min_t(size_t, b->len, len);
	it = iter_kernel((char *)page_address(page) + b->offset, (size_t)*want);
	p->taken = true;
	mutex_unlock(&p->lock);
	n = vfs_write(out, &it, pos);
	mutex_lock(&p->lock);
	b = pipe_at(p, p->tail); /* the ring may have been resized */
	if (n > 0) {
		b->offset += (u32)n;
		b->len -= (u32)n;
		if (b->len == 0)
			pipe_drop_buf(p);
	}
	pipe_give_back(p);
	return n;
}

ssize_t pipe_splice_to_file(struct file *in, struct file *out, off64_t *pos, size_t len, u32 flags)
{
	struct pipe *p = file_pipe(in);
	ssize_t done = 0, n = 0, want = 0;
	bool waited = false, more;
	int err;

	mutex_lock(&p->lock);
	err = pipe_wait_data(p, nonblocking(in, flags), &waited);
	while (err > 0 && len && !p->taken && pipe_used(p)) {
		n = write_tail(p, out, pos, len, &want);
		done += max_t(ssize_t, n, 0);
		if (n < want)
			break;
		len -= (size_t)n;
	}
	more = pipe_used(p) != 0;
	mutex_unlock(&p->lock);
	if (more && waited)
		pipe_woke_readers(p); /* the wake-up that came to us is for others, too */
	if (done) {
		pipe_woke_writers(p);
		fasync_notify(&p->async, POLL_OUT);
	}
	return done ? done : n < 0 ? n : min(err, 0);
}

/* Lock two pipes in address order. */
static void lock_both(struct pipe *a, struct pipe *b)
{
	if (a > b)
		swap(a, b);
	mutex_lock(&a->lock);
	mutex_lock_nested(&b->lock);
}

/* Move (tee: copy references of) up to len bytes; waits as the flags say. */
static ssize_t pipe_to_pipe(struct file *fin, struct file *fout, size_t len, u32 flags, bool copy)
{
	struct pipe *in = file_pipe(fin), *out = file_pipe(fout);
	ssize_t done = 0;
	bool waited = false, waited_room = false;
	u32 at;
	int err;

	if (in == out)
		return -EINVAL;
	for (;;) {
		mutex_lock(&in->lock);
		err = pipe_wait_data(in, nonblocking(fin, flags), &waited);
		mutex_unlock(&in->lock);
		if (err <= 0)
			goto out;
		mutex_lock(&out->lock);
		err = pipe_wait_room(out, nonblocking(fout, flags), &waited_room);
		mutex_unlock(&out->lock);
		if (err < 0)
			goto out;
		lock_both(in, out);
		if (out->readers == 0) {
			mutex_unlock(&in->lock);
			mutex_unlock(&out->lock);
			vfs_broken_pipe();
			err = -EPIPE;
			goto out;
		}
		if (!in->taken && pipe_used(in) && !pipe_full(out))
			break;
		mutex_unlock(&in->lock);
		mutex_unlock(&out->lock);
	}
	at = in->tail;
	while (len && at != in->head && !pipe_full(out)) {
		struct pipe_buf *b = pipe_at(in, at);
		u32 n = (u32)min_t(size_t, len, b->len);

		get_page(b->page);
		push(out, b->page, b->offset, n);
		b->merge = false; /* shared from now on */
		done += n;
		len -= n;
		at++;
		if (!copy) {
			b->offset += n;
			b->len -= n;
			if (b->len)
				break;
			pipe_drop_buf(in);
		}
	}
	mutex_unlock(&in->lock);
	mutex_unlock(&out->lock);
	pipe_woke_readers(out);
	fasync_notify(&out->async, POLL_IN);
	if (!copy) {
		pipe_woke_writers(in);
		fasync_notify(&in->async, POLL_OUT);
	}
out:
	/* Wake-ups came to us alone: what is left of data and room is for others. */
	if (waited && pipe_used(in))
		pipe_woke_readers(in);
	if (waited_room && !pipe_full(out))
		pipe_woke_writers(out);
	return done ? done : err;
}

ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t len, u32 flags)
{
	return pipe_to_pipe(in, out, len, flags, false);
}

ssize_t pipe_tee(struct file *in, struct file *out, size_t len, u32 flags)
{
	return pipe_to_pipe(in, out, len, flags, true);
}

ssize_t pipe_vmsplice(struct file *f, struct iter *it, u32 flags)
{
	struct file *end = f;
	u32 had = f->flags;
	ssize_t n;

	/* User memory is copied: what the caller changes later is not seen by the other end. */
	if (f->mode & FMODE_WRITE) {
		if ((flags & SPLICE_F_NONBLOCK) && !(had & O_NONBLOCK)) {
			struct pipe *p = file_pipe(f);
			bool waited;

			mutex_lock(&p->lock);
			n = pipe_wait_room(p, true, &waited);
			if (n > 0)
				it->count = min_t(
					size_t, it->count, (p->ring - pipe_used(p)) * PAGE_SIZE);
			mutex_unlock(&p->lock);
			if (n < 0)
				return n;
		}
		return end->ops->write(end, it, NULL);
	}
	if ((flags & SPLICE_F_NONBLOCK) && pipe_used(file_pipe(f)) == 0 &&
		READ_ONCE(file_pipe(f)->writers))
		return -EAGAIN;
	return end->ops->read(end, it, NULL);
}
