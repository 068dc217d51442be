/*
 * io_submit(2) and its family. A request is done before io_submit returns, as Linux does those that
 * need the page cache; its event then waits to be taken. So nothing is ever there to be cancelled.
 */
#include <ipc/aio.h>
#include <ipc/ipc.h>
#include <linux/time_types.h>
#include <process/signal.h>
#include <sched/timer.h>
#include <syscall/syscall.h>
#include "file.h"
#include "sched.h"

#define FAST_IOV  8
#define KIOCB_KEY 0u /* what a request that was submitted has in aio_key */

struct aio_sigset { /* io_pgetevents(2) */
	const sigset_t __user *mask;
	size_t size;
};

long sys_io_setup(unsigned int nr_events, void __user *ctxp)
{
	unsigned long id;
	int err;

	if (get_user(id, (unsigned long __user *)ctxp))
		return -EFAULT;
	if (id)
		return -EINVAL;
	err = aio_setup(nr_events, &id);
	if (err)
		return err;
	if (put_user(id, (unsigned long __user *)ctxp)) {
		(void)!aio_destroy(id);
		return -EFAULT;
	}
	return 0;
}

long sys_io_destroy(unsigned long ctx)
{
	return aio_destroy(ctx);
}

/* ---- requests ------------------------------------------------------------------------------- */

/* The checks that io_submit itself answers for, in their order. */
static int check_transfer(const struct file *f, const struct iocb *cb, bool write)
{
	int err = cb->aio_flags & IOCB_FLAG_IOPRIO ? ioprio_check((u16)cb->aio_reqprio) : 0;

	if (!err)
		err = transfer_flags_check(cb->aio_rw_flags);
	if (err)
		return err;
	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	return (write ? f->ops->write : f->ops->read) ? 0 : -EINVAL;
}

static int start_transfer(struct file *f, const struct iocb *cb, bool write, bool vector, s64 *res)
{
	struct iovec fast[FAST_IOV], *iov = fast;
	off64_t pos = cb->aio_offset, end;
	struct iter it;
	ssize_t n = check_transfer(f, cb, write);

	if (n)
		return (int)n;
	if (vector) {
		n = iter_import(&it, (const struct iovec __user *)cb->aio_buf, cb->aio_nbytes, fast,
			FAST_IOV, &iov);
		if (n < 0)
			return (int)n;
	} else {
		it = iter_user((void __user *)cb->aio_buf, min(cb->aio_nbytes, MAX_RW_COUNT));
		if (!user_range_ok(cb->aio_buf, it.count))
			return -EFAULT;
	}
	n = -EINVAL;
	if (pos >= 0 && !__builtin_add_overflow(pos, it.count, &end)) {
		*res = transfer(
			f, &it, f->mode & FMODE_STREAM ? NULL : &pos, cb->aio_rw_flags, write);
		n = 0;
	}
	if (vector)
		iov_free(iov, fast);
	return (int)n;
}

static int start_sync(struct file *f, const struct iocb *cb, bool datasync, s64 *res)
{
	if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !f->ops->fsync)
		return -EINVAL;
	*res = vfs_fsync(f, 0, S64_MAX, datasync);
	return 0;
}

static int start(struct file *f, const struct iocb *cb, s64 *res)
{
	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV:
		return start_transfer(f, cb, false, cb->aio_lio_opcode == IOCB_CMD_PREADV, res);
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV:
		return start_transfer(f, cb, true, cb->aio_lio_opcode == IOCB_CMD_PWRITEV, res);
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC:
		return start_sync(f, cb, cb->aio_lio_opcode == IOCB_CMD_FDSYNC, res);
	default:
		return -EINVAL;
	}
}

/* *event: the eventfd to be told, referenced, or NULL. */
static int get_event_file(const struct iocb *cb, struct file **event)
{
	struct file *f;

	*event = NULL;
	if (!(cb->aio_flags & IOCB_FLAG_RESFD))
		return 0;
	f = fd_get(current_task()->files, (int)cb->aio_resfd);
	if (!f)
		return -EBADF;
	if (!file_is_eventfd(f)) {
		put_file(f);
		return -EINVAL;
	}
	*event = f;
	return 0;
}

/* A slot is reserved; 0: it was used. */
static int submit_reserved(struct aio_context *c, struct iocb __user *u, const struct iocb *cb)
{
	struct io_event e = {.data = cb->aio_data, .obj = (u64)(uintptr_t)u};
	struct file *f = fd_get(current_task()->files, (int)cb->aio_fildes), *event;
	s64 res = 0;
	int err;

	if (!f)
		return -EBADF;
	err = get_event_file(cb, &event);
	if (err)
		goto out;
	err = put_user(KIOCB_KEY, &u->aio_key) ? -EFAULT : start(f, cb, &res);
	if (!err) {
		/* Nobody could start it again. */
		if (res == -ERESTARTSYS || res == -ERESTARTNOINTR || res == -ERESTARTNOHAND)
			res = -EINTR;
		e.res = res;
		aio_complete(c, &e);
		if (event)
			eventfd_add(event, 1);
	}
	if (event)
		put_file(event);
out:
	put_file(f);
	return err;
}

static int submit(struct aio_context *c, struct iocb __user *u)
{
	struct iocb cb;
	int err;

	if (copy_from_user(&cb, u, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || (s64)cb.aio_nbytes < 0)
		return -EINVAL;
	err = aio_reserve(c);
	if (err)
		return err;
	err = submit_reserved(c, u, &cb);
	if (err)
		aio_unreserve(c);
	return err;
}

long sys_io_submit(unsigned long ctx, long nr, void __user *iocbpp)
{
	struct iocb __user *__user *list = iocbpp;
	struct aio_context *c;
	long done, err = 0;

	if (nr < 0)
		return -EINVAL;
	c = aio_get(ctx);
	if (!c)
		return -EINVAL;
	nr = min(nr, (long)aio_size(c));
	for (done = 0; done < nr; done++) {
		unsigned long at;

		err = get_user(at, (unsigned long __user *)(list + done)) ? -EFAULT : 0;
		if (!err)
			err = submit(c, (struct iocb __user *)at);
		if (err)
			break;
		cond_resched();
	}
	aio_put(c);
	return done ? done : err;
}

long sys_io_cancel(unsigned long ctx, void __user *iocb, void __user *result)
{
	u32 key;

	if (copy_from_user(&key, &((struct iocb __user *)iocb)->aio_key, sizeof(key)))
		return -EFAULT;
	return -EINVAL; /* no such context, or the request isn't under way any more */
}

/* ---- events --------------------------------------------------------------------------------- */

static int import_timeout(const struct __kernel_timespec __user *u, s64 *deadline)
{
	struct __kernel_timespec ts;
	s64 ns;

	*deadline = TIME_NEVER;
	if (!u)
		return 0;
	if (copy_from_user(&ts, u, sizeof(ts)))
		return -EFAULT;
	if (__builtin_mul_overflow(ts.tv_sec, NS_PER_SEC, &ns) ||
		__builtin_add_overflow(ns, ts.tv_nsec, &ns))
		ns = S64_MAX;
	/* A negative time is no limit, as on Linux. */
	*deadline = ns == 0 ? 0 : ns < 0 ? TIME_NEVER : deadline_after(ns);
	return 0;
}

static long get_events(unsigned long ctx, long min, long nr, void __user *events, s64 deadline)
{
	struct aio_context *c = aio_get(ctx);
	long r = -EINVAL;

	if (!c)
		return -EINVAL;
	if (min >= 0 && min <= nr)
		r = aio_get_events(c, min, nr, events, deadline);
	aio_put(c);
	return r;
}

long sys_io_getevents(unsigned long ctx, long min, long nr, void __user *events,
	const struct __kernel_timespec __user *timeout)
{
	s64 deadline;
	int err = import_timeout(timeout, &deadline);

	return err ? err : get_events(ctx, min, nr, events, deadline);
}

long sys_io_pgetevents(unsigned long ctx, long min, long nr, void __user *events,
	const struct __kernel_timespec __user *timeout, const void __user *usig)
{
	struct aio_sigset set = {0};
	s64 deadline;
	long r;
	int err = import_timeout(timeout, &deadline);

	if (err)
		return err;
	if (usig && copy_from_user(&set, usig, sizeof(set)))
		return -EFAULT;
	if (set.mask) {
		err = task_set_temp_mask(set.mask, set.size);
		if (err)
			return err;
	}
	r = get_events(ctx, min, nr, events, deadline);
	if (set.mask)
		task_restore_mask(r == -EINTR);
	return r == -EINTR ? -ERESTARTNOHAND : r;
}
