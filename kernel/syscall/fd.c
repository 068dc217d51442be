/* Descriptors: dup, close_range, fcntl. */
#include "fd.h"
#include <ipc/pipe.h>
#include <kmem/slab.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <process/signal.h>
#include <syscall/syscall.h>
#include <vfs/memfd.h>

long sys_dup(int fd)
{
	struct fd_table *t = current_task()->files;
	struct file *f = fd_get_any(t, fd);

	return f ? fd_open(t, f, false) : -EBADF;
}

long sys_dup3(int oldfd, int newfd, int flags)
{
	if ((flags & ~O_CLOEXEC) || oldfd == newfd)
		return -EINVAL;
	return fd_dup2(current_task()->files, oldfd, newfd, (flags & O_CLOEXEC) != 0);
}

long sys_dup2(int oldfd, int newfd)
{
	struct fd_table *t = current_task()->files;

	if (oldfd == newfd)
		return fd_get_cloexec(t, oldfd) < 0 ? -EBADF : newfd;
	return fd_dup2(t, oldfd, newfd, false);
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) || first > last)
		return -EINVAL;
	if (flags & CLOSE_RANGE_UNSHARE) {
		long err = task_unshare(CLONE_FILES);

		if (err)
			return err;
	}
	return fd_close_range(
		current_task()->files, first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

/* ---- fcntl: record locks
 * -------------------------------------------------------------------------- */

/* Another thread closed the descriptor while the lock was being set: the close didn't see it. */
static bool closed_meanwhile(struct fd_table *t, int fd, const struct file *f)
{
	struct file *now = fd_get_any(t, fd); /* whoever closed it may have left the table by now */

	if (now)
		put_file(now);
	return now != f;
}

static long do_lock(struct file *f, int fd, u32 cmd, struct flock __user *ufl)
{
	struct fd_table *t = current_task()->files;
	bool posix = cmd == F_GETLK || cmd == F_SETLK || cmd == F_SETLKW;
	void *owner = posix ? (void *)t : f;
	struct flock fl;
	long r;

	if (copy_from_user(&fl, ufl, sizeof(fl)))
		return -EFAULT;
	r = lock_posix(f, (int)cmd, &fl, owner, process_pid(current_process()));
	if (r)
		return r;
	if (cmd == F_GETLK || cmd == F_OFD_GETLK)
		return copy_to_user(ufl, &fl, sizeof(fl));
	if (posix && fl.l_type != F_UNLCK && closed_meanwhile(t, fd, f)) {
		locks_release_posix(f, owner);
		return -EBADF;
	}
	return 0;
}

/* ---- fcntl: flags and owner
 * ------------------------------------------------------------------------- */

#define SETFL_MASK ((u32)(O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME))

static long set_flags(struct file *f, int fd, u32 flags)
{
	struct inode *i = f->inode;
	long r;

	if (((flags ^ f->flags) & O_APPEND) && (i->flags & INODE_APPEND))
		return -EPERM;
	if ((flags & ~f->flags & O_NOATIME) && !inode_owner_or_capable(i, current_cred()))
		return -EPERM;
	/* For pipes the flag means packets. */
	if ((flags & O_DIRECT) && !S_ISFIFO(i->mode) && !f->ops->direct)
		return -EINVAL;
	if (f->ops->set_flags) {
		r = f->ops->set_flags(f, flags);
		if (r)
			return r;
	}
	if (((flags ^ f->flags) & FASYNC) && f->ops->fasync) {
		r = file_set_async(f, fd, (flags & FASYNC) != 0);
		if (r)
			return r;
	}
	spin_lock_irq(&f->lock);
	f->flags = (f->flags & ~SETFL_MASK) | (flags & SETFL_MASK);
	spin_unlock_irq(&f->lock);
	return 0;
}

static long set_owner(struct file *f, int kind, s32 nr)
{
	struct pid *pid = NULL;

	if (nr) {
		pid = pid_get(nr);
		if (!pid)
			return -ESRCH;
	}
	return file_set_owner(f, kind, pid, true);
}

static struct file_owner get_owner(struct file *f, s32 *nr)
{
	struct file_owner copy = {.kind = F_OWNER_PID};

	spin_lock_irq(&f->lock);
	if (f->owner)
		copy = *f->owner;
	*nr = file_owner_alive(&copy) ? copy.pid->nr : 0;
	spin_unlock_irq(&f->lock);
	return copy;
}

static long set_owner_ex(struct file *f, const struct f_owner_ex __user *u)
{
	struct f_owner_ex ex;

	if (copy_from_user(&ex, u, sizeof(ex)))
		return -EFAULT;
	if (ex.type != F_OWNER_TID && ex.type != F_OWNER_PID && ex.type != F_OWNER_PGRP)
		return -EINVAL;
	return set_owner(f, ex.type, ex.pid);
}

static long get_owner_ex(struct file *f, struct f_owner_ex __user *u)
{
	struct f_owner_ex ex;

	ex.type = get_owner(f, &ex.pid).kind;

	return copy_to_user(u, &ex, sizeof(ex));
}

static long get_owner_uids(struct file *f, u32 __user *u)
{
	s32 nr;
	struct file_owner o = get_owner(f, &nr);
	u32 ids[2] = {o.uid, o.euid};

	return copy_to_user(u, ids, sizeof(ids));
}

long fd_set_owner(struct file *f, int who)
{
	if (who == INT_MIN)
		return -EINVAL;
	return who < 0 ? set_owner(f, F_OWNER_PGRP, -who) : set_owner(f, F_OWNER_PID, who);
}

long fd_get_owner(struct file *f)
{
	s32 nr;

	return get_owner(f, &nr).kind == F_OWNER_PGRP ? -nr : nr;
}

static long set_signal(struct file *f, unsigned long sig)
{
	struct file_owner *o;

	if (sig > NR_SIGNALS)
		return -EINVAL;
	o = file_owner(f);
	if (!o)
		return -ENOMEM;
	WRITE_ONCE(o->sig, (int)sig);
	return 0;
}

/* How long the data will live: nothing here makes use of it, but it can be read back. */
static long set_write_hint(struct inode *i, const u64 __user *u)
{
	u64 hint;

	if (get_user(hint, u))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	WRITE_ONCE(i->write_hint, (u8)hint);
	return 0;
}

/* ---- fcntl
 * --------------------------------------------------------------------------------------------- */

static long dup_from(struct file *f, unsigned long from, bool cloexec)
{
	struct fd_table *t = current_task()->files;
	int fd;

	if (from >= rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	fd = fd_reserve(t, (int)from, cloexec);
	if (fd >= 0) {
		get_file(f);
		fd_install(t, fd, f);
	}
	return fd;
}

/* The commands that also an O_PATH descriptor knows. */
static bool is_path_command(u32 cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD ||
		cmd == F_GETFL;
}

static long do_fcntl(struct file *f, int fd, u32 cmd, unsigned long arg)
{
	struct fd_table *t = current_task()->files;
	s32 nr;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		return dup_from(f, arg, cmd == F_DUPFD_CLOEXEC);
	case F_GETFD:
		return fd_get_cloexec(t, fd);
	case F_SETFD:
		return fd_set_cloexec(t, fd, (arg & FD_CLOEXEC) != 0);
	case F_GETFL:
		return READ_ONCE(f->flags);
	case F_SETFL:
		return set_flags(f, fd, (u32)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return do_lock(f, fd, cmd, (struct flock __user *)arg);
	case F_GETOWN:
		return fd_get_owner(f);
	case F_SETOWN:
		return fd_set_owner(f, (int)arg);
	case F_GETOWN_EX:
		return get_owner_ex(f, (struct f_owner_ex __user *)arg);
	case F_SETOWN_EX:
		return set_owner_ex(f, (const struct f_owner_ex __user *)arg);
	case F_GETOWNER_UIDS:
		return get_owner_uids(f, (u32 __user *)arg);
	case F_GETSIG:
		return get_owner(f, &nr).sig;
	case F_SETSIG:
		return set_signal(f, arg);
	case F_GETLEASE:
		return F_UNLCK; /* leases can't be taken: F_SETLEASE is -EINVAL */
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
		return file_pipe(f) ? pipe_fcntl(f, cmd, arg) : -EBADF;
	case F_GET_RW_HINT:
		return put_user((u64)READ_ONCE(f->inode->write_hint), (u64 __user *)arg);
	case F_SET_RW_HINT:
		return set_write_hint(f->inode, (const u64 __user *)arg);
	case F_ADD_SEALS:
		return arg > U32_MAX ? -EINVAL : memfd_add_seals(f, (u32)arg);
	case F_GET_SEALS:
		return memfd_get_seals(f);
	default:
		return -EINVAL;
	}
}

long sys_fcntl(int fd, unsigned int cmd, unsigned long arg)
{
	/* Waiting for a lock must not rely on a descriptor that other threads may close. */
	struct file *f = fd_get_any(current_task()->files, fd);
	long r = -EBADF;

	if (!f)
		return -EBADF;
	if (!(f->mode & FMODE_PATH) || is_path_command(cmd))
		r = do_fcntl(f, fd, cmd, arg);
	put_file(f);
	return r;
}

/* ---- memfd_create
 * -------------------------------------------------------------------------------------- */

#define MEMFD_NAME_MAX (NAME_MAX - 6) /* "memfd:" in front */

long sys_memfd_create(const char __user *uname, unsigned int flags)
{
	char name[MEMFD_NAME_MAX + 1];
	struct file *f;
	ssize_t n;

	if (flags & ~(unsigned int)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL; /* MFD_HUGETLB: there are no reserved huge pages */
	n = strncpy_from_user(name, uname, sizeof(name));
	if (n < 0)
		return n;
	if ((size_t)n >= sizeof(name))
		return -EINVAL;
	f = memfd_create_file(name, flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL, 0);
	if (is_err(f))
		return ptr_err(f);
	f->flags |= O_LARGEFILE;
	return fd_open(current_task()->files, f, (flags & MFD_CLOEXEC) != 0);
}
