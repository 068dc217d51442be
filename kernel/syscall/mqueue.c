/* POSIX message queues. */
#include "path.h"
#include <arch/uaccess.h>
#include <lib/err.h>
#include <linux/mqueue.h>
#include <mqueue/mqueue.h>
#include <netlink/netlink.h>
#include <process/signal.h>
#include <socket/socket.h>
#include <syscall/syscall.h>

long sys_mq_open(const char __user *uname, int flags, kmode_t mode, const void __user *uattr)
{
	struct mq_attr attr;
	struct upath name;
	struct file *f;
	int err;

	if (uattr && copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	err = upath_get(&name, uname, false);
	if (err)
		return err;
	f = mq_open_file(name.text, flags, mode, uattr ? &attr : NULL);
	upath_put(&name);
	return is_err(f) ? ptr_err(f) : fd_open(current_task()->files, f, true);
}

long sys_mq_unlink(const char __user *uname)
{
	struct upath name;
	int err = upath_get(&name, uname, false);

	if (err)
		return err;
	err = mq_unlink_name(name.text);
	upath_put(&name);
	return err;
}

static int read_deadline(const struct __kernel_timespec __user *from, struct deadline *d)
{
	struct __kernel_timespec ts;
	int err;

	*d = (struct deadline){.ns = TIME_NEVER};
	if (!from)
		return 0;
	if (copy_from_user(&ts, from, sizeof(ts)))
		return -EFAULT;
	err = ns_from_timespec(&ts, &d->ns);
	d->wall = d->ns != TIME_NEVER;
	return err;
}

long sys_mq_timedsend(int fd, const void __user *text, size_t len, u32 priority,
	const struct __kernel_timespec __user *utime)
{
	struct deadline d;
	struct file *f;
	bool put;
	long r = read_deadline(utime, &d);

	if (r)
		return r;
	if (priority >= MQ_PRIO_MAX)
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &put);
	if (!f)
		return -EBADF;
	r = mq_send(f, text, len, priority, d);
	fd_put_light(f, put);
	return r;
}

long sys_mq_timedreceive(int fd, void __user *text, size_t len, u32 __user *upriority,
	const struct __kernel_timespec __user *utime)
{
	struct deadline d;
	u32 priority;
	struct file *f;
	bool put;
	long r = read_deadline(utime, &d);

	if (r)
		return r;
	f = fd_get_light(current_task()->files, fd, &put);
	if (!f)
		return -EBADF;
	r = mq_receive(f, text, len, &priority, d);
	fd_put_light(f, put);
	return r >= 0 && upriority && put_user(priority, upriority) ? -EFAULT : r;
}

/* The socket that SIGEV_THREAD names, referenced, and the cookie that it is to get. */
static struct file *read_socket(const struct sigevent *ev, u8 *cookie)
{
	const void __user *from = (const void __user *)(unsigned long)ev->sigev_value.sival_ptr;
	struct file *f;
	int r;

	if (copy_from_user(cookie, from, NOTIFY_COOKIE_LEN))
		return err_ptr(-EFAULT);
	f = fd_get(current_task()->files, ev->sigev_signo);
	if (!f)
		return err_ptr(-EBADF);
	if (netlink_is_socket(f))
		return f;
	r = file_sock(f) ? -EINVAL : -ENOTSOCK;
	put_file(f);
	return err_ptr(r);
}

static int check_event(const struct sigevent *ev)
{
	switch (ev->sigev_notify) {
	case SIGEV_NONE:
	case SIGEV_THREAD:
		return 0;
	case SIGEV_SIGNAL:
		return ev->sigev_signo < 0 || ev->sigev_signo > NR_SIGNALS ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static long notify_by(int fd, const struct sigevent *ev, struct file *socket, const u8 *cookie)
{
	struct file *f;
	bool put;
	long r;

	f = fd_get_light(current_task()->files, fd, &put);
	if (!f)
		return -EBADF;
	r = ev ? mq_notify_set(f, ev, socket, cookie) : mq_notify_clear(f);
	fd_put_light(f, put);
	return r;
}

/* What the event names is looked at before the queue. */
long sys_mq_notify(int fd, const void __user *uev)
{
	u8 cookie[NOTIFY_COOKIE_LEN];
	struct file *socket = NULL;
	struct sigevent ev;
	long r;

	if (!uev)
		return notify_by(fd, NULL, NULL, NULL);
	if (copy_from_user(&ev, uev, sizeof(ev)))
		return -EFAULT;
	r = check_event(&ev);
	if (r)
		return r;
	if (ev.sigev_notify == SIGEV_THREAD) {
		socket = read_socket(&ev, cookie);
		if (is_err(socket))
			return ptr_err(socket);
	}
	r = notify_by(fd, &ev, socket, cookie);
	if (r && socket)
		put_file(socket);
	return r;
}

long sys_mq_getsetattr(int fd, const void __user *unew, void __user *uold)
{
	struct mq_attr new_attr, old;
	struct file *f;
	bool put;
	long r;

	if (unew && copy_from_user(&new_attr, unew, sizeof(new_attr)))
		return -EFAULT;
	if (unew && (new_attr.mq_flags & ~(long)O_NONBLOCK))
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &put);
	if (!f)
		return -EBADF;
	r = mq_attr(f, unew ? &new_attr : NULL, uold ? &old : NULL);
	fd_put_light(f, put);
	return !r && uold && copy_to_user(uold, &old, sizeof(old)) ? -EFAULT : r;
}
