/* splice, tee, vmsplice, sendfile, copy_file_range. */
#include <ipc/pipe.h>
#include <ipc/splice.h>
#include <kmem/slab.h>
#include <process/signal.h>
#include <syscall/syscall.h>

#define SPLICE_FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT)

/* Two descriptors of one call; both need the same care. */
struct fd_pair {
	struct file *in, *out;
	bool put_in, put_out;
};

static int pair_get(struct fd_pair *p, int in, int out)
{
	struct fd_table *t = current_task()->files;

	p->in = fd_get_light(t, in, &p->put_in);
	if (!p->in)
		return -EBADF;
	p->out = fd_get_light(t, out, &p->put_out);
	if (!p->out) {
		fd_put_light(p->in, p->put_in);
		return -EBADF;
	}
	return 0;
}

static void pair_put(struct fd_pair *p)
{
	fd_put_light(p->out, p->put_out);
	fd_put_light(p->in, p->put_in);
}

/* ---- copying between files
 * ------------------------------------------------------------------------ */

/* Bytes: the most that kvmalloc gives without mapping it, whose end would stop every CPU. */
#define COPY_CHUNK (4 * PAGE_SIZE)

/*
 * Copy up to len bytes through a kernel buffer. What was read but could not be written is as if it
 * hadn't been read: only for inputs with a position (*ipos); opos NULL for streams. Bytes or error.
 */
static ssize_t copy_through(
	struct file *in, off64_t *ipos, struct file *out, off64_t *opos, size_t len)
{
	size_t chunk = min_t(size_t, len, COPY_CHUNK);
	ssize_t done = 0, n = 0;
	void *buf;

	if (!len)
		return 0;
	buf = kvmalloc(chunk, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	while (len && !(done && signal_is_pending())) {
		off64_t at = *ipos;
		struct iter it = iter_kernel(buf, min(chunk, len));
		size_t got;

		n = vfs_read(in, &it, &at);
		if (n <= 0)
			break;
		got = (size_t)n;
		it = iter_kernel(buf, got);
		n = vfs_write(out, &it, opos);
		if (n <= 0)
			break;
		*ipos += n;
		done += n;
		len -= (size_t)n;
		if ((size_t)n < got)
			break;
		cond_resched();
	}
	kvfree(buf);
	return done ? done : n;
}

/* A copy inside the kernel counts as a read and a write in /proc/PID/io; a splice as neither. */
static void account_both(ssize_t n)
{
	task_account_io(n, false);
	task_account_io(n, true);
}

static bool has_position(const struct file *f)
{
	return !(f->mode & FMODE_STREAM) && (f->mode & FMODE_LSEEK);
}

/* ---- sendfile
 * --------------------------------------------------------------------------------------- */

/* Event descriptors, texts made on the fly and directories can't be spliced from, as on Linux. */
static bool can_splice_from(struct file *f)
{
	if (f->ops->no_splice_read)
		return false;
	if (f->mode & FMODE_STREAM)
		return file_pipe(f) || S_ISSOCK(f->inode->mode);
	return !S_ISDIR(f->inode->mode) && (!S_ISREG(f->inode->mode) || f->inode->object.ops);
}

static bool can_splice_to(struct file *f)
{
	if (f->ops->no_splice_write)
		return false;
	return !(f->mode & FMODE_STREAM) || file_pipe(f) || S_ISSOCK(f->inode->mode);
}

static ssize_t do_sendfile(struct file *out, struct file *in, off64_t *offset, size_t count)
{
	off64_t pos = offset ? *offset : in->pos;
	struct pipe *pipe = file_pipe(out);
	off64_t end;
	ssize_t n;

	if (!(in->mode & FMODE_READ))
		return -EBADF;
	if (offset && !has_position(in))
		return -ESPIPE;
	if (pos < 0 || __builtin_add_overflow(pos, count, &end))
		return -EINVAL;
	if (!(out->mode & FMODE_WRITE))
		return -EBADF;
	if (!(in->mode & FMODE_LSEEK) || (!pipe && (out->flags & O_APPEND)))
		return -EINVAL;
	if (!count)
		return 0;
	count = min_t(size_t, count, MAX_RW_COUNT);
	if (!can_splice_from(in) || !can_splice_to(out))
		n = -EINVAL;
	else if (pipe)
		n = pipe_splice_from_file(in, &pos, out, count, 0);
	else
		n = copy_through(in, &pos, out, NULL, count);
	account_both(n);
	if (n > 0) {
		if (offset)
			*offset = pos;
		else
			in->pos = pos;
	}
	return n;
}

long sys_sendfile(int out, int in, void __user *uoffset, size_t count)
{
	off64_t offset = 0;
	struct fd_pair p;
	long r;

	if (uoffset && get_user(offset, (off64_t __user *)uoffset))
		return -EFAULT;
	r = pair_get(&p, in, out);
	if (r)
		return r;
	r = do_sendfile(p.out, p.in, uoffset ? &offset : NULL, count);
	pair_put(&p);
	if (uoffset && put_user(offset, (off64_t __user *)uoffset))
		return -EFAULT;
	return r;
}

/* ---- copy_file_range
 * -------------------------------------------------------------------------------- */

static int check_copy(struct file *in, struct file *out, off64_t ipos, off64_t opos, size_t *len)
{
	u64 size = READ_ONCE(in->inode->object.size);

	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (in->inode->super != out->inode->super)
		return -EXDEV;
	if (ipos < 0 || opos < 0)
		return -EINVAL;
	*len = (u64)ipos >= size ? 0 : min_t(size_t, *len, size - (u64)ipos);
	if ((u64)opos >= out->inode->super->max_size)
		return -EFBIG;
	*len = min_t(u64, *len, out->inode->super->max_size - (u64)opos);
	if (in->inode == out->inode && ipos < opos + (off64_t)*len && opos < ipos + (off64_t)*len)
		return -EINVAL;
	return 0;
}

static ssize_t do_copy_range(
	struct file *in, off64_t *uipos, struct file *out, off64_t *uopos, size_t len)
{
	off64_t ipos = uipos ? *uipos : in->pos, opos = uopos ? *uopos : out->pos;
	ssize_t n;
	int err;

	len = min_t(size_t, len, MAX_RW_COUNT);
	err = check_copy(in, out, ipos, opos, &len);
	if (err)
		return err;
	n = copy_through(in, &ipos, out, &opos, len);
	account_both(n);
	if (n > 0) {
		*(uipos ? uipos : &in->pos) = ipos;
		*(uopos ? uopos : &out->pos) = opos;
	}
	return n;
}

long sys_copy_file_range(int in, void __user *uoff_in, int out, void __user *uoff_out, size_t len,
	unsigned int flags)
{
	off64_t off_in, off_out;
	struct fd_pair p;
	long r;

	r = pair_get(&p, in, out);
	if (r)
		return r;
	r = -EFAULT;
	if (uoff_in && get_user(off_in, (off64_t __user *)uoff_in))
		goto out;
	if (uoff_out && get_user(off_out, (off64_t __user *)uoff_out))
		goto out;
	r = -EINVAL;
	if (flags)
		goto out;
	r = do_copy_range(p.in, uoff_in ? &off_in : NULL, p.out, uoff_out ? &off_out : NULL, len);
	if (r > 0 && uoff_in && put_user(off_in, (off64_t __user *)uoff_in))
		r = -EFAULT;
	if (r > 0 && uoff_out && put_user(off_out, (off64_t __user *)uoff_out))
		r = -EFAULT;
out:
	pair_put(&p);
	return r;
}

/* ---- splice, tee, vmsplice
 * ----------------------------------------------------------------------------- */

static ssize_t do_splice(
	struct file *in, off64_t *off_in, struct file *out, off64_t *off_out, size_t len, u32 flags)
{
	bool from_pipe = file_pipe(in) != NULL, to_pipe = file_pipe(out) != NULL;

	if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
		return -EBADF;
	if ((from_pipe && off_in) || (to_pipe && off_out))
		return -ESPIPE;
	if (from_pipe && to_pipe)
		return pipe_splice_pipe(in, out, len, flags);
	if (from_pipe) {
		if (off_out && !has_position(out))
			return -EINVAL;
		if ((out->flags & O_APPEND) || !can_splice_to(out) || (off_out && *off_out < 0))
			return -EINVAL;
		if (out->ops->splice_write)
			return out->ops->splice_write(out, off_out, in, len, flags);
		return pipe_splice_to_file(in, out, off_out, len, flags);
	}
	if (!to_pipe)
		return -EINVAL;
	if ((off_in && (!has_position(in) || *off_in < 0)) || !can_splice_from(in))
		return -EINVAL;
	if (in->ops->splice_read)
		return in->ops->splice_read(in, off_in, out, len, flags);
	return pipe_splice_from_file(in, off_in, out, len, flags);
}

long sys_splice(int in, void __user *uoff_in, int out, void __user *uoff_out, size_t len,
	unsigned int flags)
{
	off64_t off_in, off_out;
	struct fd_pair p;
	long r;

	if (!len)
		return 0;
	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	r = pair_get(&p, in, out);
	if (r)
		return r;
	r = -ESPIPE;
	if ((uoff_in && file_pipe(p.in)) || (uoff_out && file_pipe(p.out)))
		goto out;
	r = -EFAULT;
	if (uoff_in && get_user(off_in, (off64_t __user *)uoff_in))
		goto out;
	if (uoff_out && get_user(off_out, (off64_t __user *)uoff_out))
		goto out;
	r = do_splice(p.in, uoff_in ? &off_in : NULL, p.out, uoff_out ? &off_out : NULL,
		min_t(size_t, len, MAX_RW_COUNT), flags);
	if (r > 0 && uoff_in && put_user(off_in, (off64_t __user *)uoff_in))
		r = -EFAULT;
	if (r > 0 && uoff_out && put_user(off_out, (off64_t __user *)uoff_out))
		r = -EFAULT;
out:
	pair_put(&p);
	return r;
}

long sys_tee(int in, int out, size_t len, unsigned int flags)
{
	struct fd_pair p;
	long r;

	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	r = pair_get(&p, in, out);
	if (r)
		return r;
	if (!(p.in->mode & FMODE_READ) || !(p.out->mode & FMODE_WRITE))
		r = -EBADF;
	else if (!file_pipe(p.in) || !file_pipe(p.out))
		r = -EINVAL;
	else
		r = pipe_tee(p.in, p.out, min_t(size_t, len, MAX_RW_COUNT), flags);
	pair_put(&p);
	return r;
}

#define FAST_IOV 8

long sys_vmsplice(int fd, const struct iovec __user *uvec, unsigned long nr, unsigned int flags)
{
	struct iovec fast[FAST_IOV], *vec;
	struct iter it;
	struct file *f;
	bool need_put;
	ssize_t n;

	if (flags & ~SPLICE_FLAGS)
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	n = iter_import(&it, uvec, nr, fast, FAST_IOV, &vec);
	if (n < 0)
		goto out;
	if (n > 0)
		n = file_pipe(f) ? pipe_vmsplice(f, &it, flags) : -EBADF;
	iov_free(vec, fast);
out:
	fd_put_light(f, need_put);
	return n;
}
