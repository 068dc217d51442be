/* epoll, eventfd, timerfd, signalfd, pipe. */
#include <ipc/ipc.h>
#include <ipc/pipe.h>
#include <linux/eventpoll.h>
#include <linux/signalfd.h>
#include <linux/timerfd.h>
#include <process/signal.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

/* eventfd(2): values of the man page, which the ABI headers don't carry. */
#define EFD_SEMAPHORE 1
#define EFD_CLOEXEC   O_CLOEXEC
#define EFD_NONBLOCK  O_NONBLOCK

static long open_fd(struct file *f, u32 flags)
{
	if (is_err(f))
		return ptr_err(f);
	return fd_open(current_task()->files, f, (flags & O_CLOEXEC) != 0);
}

/* ---- epoll --------------------------------------------------------------------------------------
 */

long sys_epoll_create1(int flags)
{
	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	return open_fd(epoll_create_file(0), (u32)flags);
}

long sys_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : sys_epoll_create1(0);
}

long sys_epoll_ctl(int epfd, int op, int fd, struct epoll_event __user *event)
{
	struct fd_table *t = current_task()->files;
	struct epoll_event ev = {0};
	struct file *ep, *target;
	bool put_ep, put_target;
	long r = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&ev, event, sizeof(ev)))
		return -EFAULT;
	ep = fd_get_light(t, epfd, &put_ep);
	if (!ep)
		return -EBADF;
	target = fd_get_light(t, fd, &put_target);
	if (target) {
		r = epoll_control(ep, op, target, fd, &ev);
		fd_put_light(target, put_target);
	}
	fd_put_light(ep, put_ep);
	return r;
}

static long do_epoll_wait(int epfd, struct epoll_event __user *events, int max, s64 deadline)
{
	struct file *ep;
	bool need_put;
	long r;

	if (max <= 0 || max > INT_MAX / (int)sizeof(struct epoll_event))
		return -EINVAL;
	if (!user_range_ok((unsigned long)events, sizeof(*events) * (size_t)max))
		return -EFAULT;
	ep = fd_get_light(current_task()->files, epfd, &need_put);
	if (!ep)
		return -EBADF;
	r = epoll_wait_events(ep, events, max, deadline);
	fd_put_light(ep, need_put);
	return r;
}

static s64 deadline_of_ms(int timeout)
{
	return timeout < 0 ? TIME_NEVER : timeout == 0 ? 0 : deadline_after(timeout * NS_PER_MS);
}

long sys_epoll_wait(int epfd, struct epoll_event __user *events, int maxevents, int timeout)
{
	return do_epoll_wait(epfd, events, maxevents, deadline_of_ms(timeout));
}

static long epoll_wait_masked(int epfd, struct epoll_event __user *events, int max, s64 deadline,
	const sigset_t __user *set, size_t size)
{
	long r;

	if (set) {
		int err = task_set_temp_mask(set, size);

		if (err)
			return err;
	}
	r = do_epoll_wait(epfd, events, max, deadline);
	if (set)
		task_restore_mask(r == -EINTR);
	return r;
}

long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int maxevents, int timeout,
	const sigset_t __user *set, size_t sigsetsize)
{
	return epoll_wait_masked(epfd, events, maxevents, deadline_of_ms(timeout), set, sigsetsize);
}

long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int maxevents,
	const struct __kernel_timespec __user *timeout, const sigset_t __user *set,
	size_t sigsetsize)
{
	s64 deadline = TIME_NEVER, ns;
	struct __kernel_timespec ts;

	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ns_from_timespec(&ts, &ns))
			return -EINVAL;
		deadline = ns == 0 ? 0 : deadline_after(ns);
	}
	return epoll_wait_masked(epfd, events, maxevents, deadline, set, sigsetsize);
}

/* ---- eventfd, signalfd
 * --------------------------------------------------------------------------- */

long sys_eventfd2(unsigned int count, int flags)
{
	if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	return open_fd(eventfd_create(count, (flags & EFD_SEMAPHORE) != 0, (u32)flags & O_NONBLOCK),
		(u32)flags);
}

long sys_eventfd(unsigned int count)
{
	return sys_eventfd2(count, 0);
}

long sys_signalfd4(int fd, const sigset_t __user *umask, size_t size, int flags)
{
	sigset_t mask;
	struct file *f;
	bool need_put;
	long r;

	if (size != sizeof(mask) || (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)))
		return -EINVAL;
	if (copy_from_user(&mask, umask, sizeof(mask)))
		return -EFAULT;
	if (fd == -1)
		return open_fd(signalfd_create(mask, (u32)flags & O_NONBLOCK), (u32)flags);
	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	r = signalfd_set_mask(f, mask);
	fd_put_light(f, need_put);
	return r ? r : fd;
}

long sys_signalfd(int fd, const sigset_t __user *mask, size_t size)
{
	return sys_signalfd4(fd, mask, size, 0);
}

/* ---- timerfd
 * ------------------------------------------------------------------------------------- */

long sys_timerfd_create(int clock, int flags)
{
	if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	return open_fd(timerfd_create(clock, (u32)flags & O_NONBLOCK), (u32)flags);
}

static int get_timer_value(const struct __kernel_itimerspec __user *u, struct timer_value *v)
{
	struct __kernel_itimerspec its;

	if (copy_from_user(&its, u, sizeof(its)))
		return -EFAULT;
	if (ns_from_timespec(&its.it_value, &v->value_ns) ||
		ns_from_timespec(&its.it_interval, &v->interval_ns))
		return -EINVAL;
	return 0;
}

static int put_timer_value(struct __kernel_itimerspec __user *u, const struct timer_value *v)
{
	struct __kernel_itimerspec its = {
		ns_to_timespec(v->interval_ns), ns_to_timespec(v->value_ns)};

	return copy_to_user(u, &its, sizeof(its));
}

long sys_timerfd_settime(int fd, int flags, const struct __kernel_itimerspec __user *new,
	struct __kernel_itimerspec __user *old)
{
	struct timer_value value, before;
	struct file *f;
	bool need_put;
	long r = get_timer_value(new, &value);

	if (r)
		return r;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	r = timerfd_set(f, flags, &value, &before);
	fd_put_light(f, need_put);
	if (!r && old)
		r = put_timer_value(old, &before);
	return r;
}

long sys_timerfd_gettime(int fd, struct __kernel_itimerspec __user *cur)
{
	struct timer_value v;
	struct file *f;
	bool need_put;
	long r;

	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	r = timerfd_get(f, &v);
	fd_put_light(f, need_put);
	return r ? r : put_timer_value(cur, &v);
}

/* ---- pipe
 * ---------------------------------------------------------------------------------------- */

long sys_pipe2(int __user *fds, int flags)
{
	struct fd_table *t = current_task()->files;
	struct file *r, *w;
	int fd[2], err;
	bool cloexec = (flags & O_CLOEXEC) != 0;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_create(&r, &w, (u32)flags);
	if (err)
		return err;
	fd[0] = fd_reserve(t, 0, cloexec);
	err = fd[0];
	if (fd[0] < 0)
		goto out;
	fd[1] = fd_reserve(t, 0, cloexec);
	err = fd[1];
	if (fd[1] < 0)
		goto out_first;
	err = -EFAULT;
	if (copy_to_user(fds, fd, sizeof(fd)))
		goto out_second;
	fd_install(t, fd[0], r);
	fd_install(t, fd[1], w);
	return 0;
out_second:
	fd_unreserve(t, fd[1]);
out_first:
	fd_unreserve(t, fd[0]);
out:
	put_file(r);
	put_file(w);
	return err;
}

long sys_pipe(int __user *fds)
{
	return sys_pipe2(fds, 0);
}
