/* ioctl: the commands that every file knows; the rest is the file's. */
#include "fd.h"
#include <asm/ioctls.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <process/task.h>
#include <socket/socket.h>
#include <syscall/syscall.h>

static long set_flag(struct file *f, u32 flag, int __user *arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	spin_lock_irq(&f->lock);
	if (on)
		f->flags |= flag;
	else
		f->flags &= ~flag;
	spin_unlock_irq(&f->lock);
	return 0;
}

static long set_async(struct file *f, int fd, const int __user *arg)
{
	int on;

	if (get_user(on, arg))
		return -EFAULT;
	if (!on == !(f->flags & FASYNC))
		return 0;
	return f->ops->fasync ? file_set_async(f, fd, on) : -ENOTTY;
}

static long regular_file(struct file *f, u32 cmd, unsigned long arg)
{
	s64 left;

	switch (cmd) {
	case FIONREAD:
		left = (s64)READ_ONCE(f->inode->object.size) - f->pos;
		return put_user((int)clamp(left, 0ll, (s64)INT_MAX), (int __user *)arg);
	default:
		return -ENOTTY;
	}
}

/* netdevice(7), socket(7): as F_SETOWN and F_GETOWN, for sockets only. */
static long owner(struct file *f, u32 cmd, int __user *arg)
{
	int who;

	if (!file_sock(f))
		return -ENOTTY;
	if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
		return put_user((int)fd_get_owner(f), arg);
	if (get_user(who, arg))
		return -EFAULT;
	return fd_set_owner(f, who);
}

static long do_ioctl(struct file *f, int fd, u32 cmd, unsigned long arg)
{
	struct fd_table *files = current_task()->files;
	long r;

	switch (cmd) {
	case FIOCLEX:
		return fd_set_cloexec(files, fd, true);
	case FIONCLEX:
		return fd_set_cloexec(files, fd, false);
	case FIONBIO:
		return set_flag(f, O_NONBLOCK, (int __user *)arg);
	case FIOASYNC:
		return set_async(f, fd, (const int __user *)arg);
	case FIOSETOWN:
	case SIOCSPGRP:
	case FIOGETOWN:
	case SIOCGPGRP:
		return owner(f, cmd, (int __user *)arg);
	case FIOQSIZE:
		if (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) || S_ISLNK(f->inode->mode))
			return put_user((s64)f->inode->object.size, (s64 __user *)arg);
		return -ENOTTY;
	case FIFREEZE:
		return capable(CAP_SYS_ADMIN) ? super_freeze(f->inode->super) : -EPERM;
	case FITHAW:
		return capable(CAP_SYS_ADMIN) ? super_thaw(f->inode->super) : -EPERM;
	case FIGETBSZ:
		return put_user((int)f->inode->super->blksize, (int __user *)arg);
	default:
		break;
	}
	if (!f->ops->ioctl)
		return S_ISREG(f->inode->mode) ? regular_file(f, cmd, arg) : -ENOTTY;
	r = f->ops->ioctl(f, cmd, arg);
	return r == -ENOIOCTLCMD ? -ENOTTY : r;
}

long sys_ioctl(int fd, unsigned int cmd, unsigned long arg)
{
	bool need_put;
	struct file *f = fd_get_light(current_task()->files, fd, &need_put);
	long r;

	if (!f)
		return -EBADF;
	r = do_ioctl(f, fd, cmd, arg);
	fd_put_light(f, need_put);
	return r;
}
