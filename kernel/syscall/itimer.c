/* Interval timers and POSIX timers. */
#include <process/timer.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

/* ---- setitimer, alarm ---- */

static int import_timeval(const struct __kernel_old_timeval *tv, s64 *ns)
{
	struct __kernel_timespec ts = {.tv_sec = tv->tv_sec};

	if (tv->tv_usec < 0 || tv->tv_usec >= NS_PER_SEC / NS_PER_US)
		return -EINVAL;
	ts.tv_nsec = tv->tv_usec * NS_PER_US;
	return ns_from_timespec(&ts, ns);
}

static struct __kernel_old_timeval export_timeval(s64 ns)
{
	s64 us = ns / NS_PER_US + (ns % NS_PER_US != 0); /* ns may be TIME_NEVER */
	const s64 per_sec = NS_PER_SEC / NS_PER_US;

	return (struct __kernel_old_timeval){us / per_sec, us % per_sec};
}

static int export_itimer(struct __kernel_old_itimerval __user *to, s64 value, s64 interval)
{
	struct __kernel_old_itimerval v = {
		.it_interval = export_timeval(interval),
		.it_value = export_timeval(value),
	};

	return copy_to_user(to, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_getitimer(int which, struct __kernel_old_itimerval __user *uvalue)
{
	s64 value, interval;
	int err = process_get_itimer(current_process(), which, &value, &interval);

	return err ? err : export_itimer(uvalue, value, interval);
}

long sys_setitimer(int which, const struct __kernel_old_itimerval __user *unew,
	struct __kernel_old_itimerval __user *uold)
{
	struct __kernel_old_itimerval v = {0};
	s64 value, interval, old_value, old_interval;
	int err;

	if (unew && copy_from_user(&v, unew, sizeof(v)))
		return -EFAULT;
	if (import_timeval(&v.it_value, &value) || import_timeval(&v.it_interval, &interval))
		return -EINVAL;
	err = process_set_itimer(
		current_process(), which, value, interval, &old_value, &old_interval);
	if (err)
		return err;
	return uold ? export_itimer(uold, old_value, old_interval) : 0;
}

long sys_alarm(unsigned int seconds)
{
	s64 old, old_interval;

	seconds = min(seconds, (unsigned int)INT_MAX);
	if (process_set_itimer(current_process(), ITIMER_REAL, (s64)seconds * NS_PER_SEC, 0, &old,
		    &old_interval))
		return 0;
	/* rounded, but never to 0 while something is left */
	if (old && old < NS_PER_SEC)
		return 1;
	return old / NS_PER_SEC + (old % NS_PER_SEC >= NS_PER_SEC / 2);
}

/* ---- timer_create ---- */

long sys_timer_create(int clock, struct sigevent __user *uev, void __user *timerid)
{
	struct sigevent ev;
	s32 id;
	int err;

	if (uev && copy_from_user(&ev, uev, sizeof(ev)))
		return -EFAULT;
	err = posix_timer_create(clock, uev ? &ev : NULL, &id);
	if (err)
		return err;
	if (put_user(id, (s32 __user *)timerid)) {
		(void)!posix_timer_delete(id);
		return -EFAULT;
	}
	return 0;
}

static int export_spec(struct __kernel_itimerspec __user *to, s64 value, s64 interval)
{
	struct __kernel_itimerspec v = {
		.it_interval = ns_to_timespec(interval),
		.it_value = ns_to_timespec(value),
	};

	return copy_to_user(to, &v, sizeof(v)) ? -EFAULT : 0;
}

long sys_timer_settime(int id, int flags, const struct __kernel_itimerspec __user *unew,
	struct __kernel_itimerspec __user *uold)
{
	s64 value, interval, old_value, old_interval;
	struct __kernel_itimerspec v;
	int err;

	if (!unew)
		return -EINVAL;
	if (copy_from_user(&v, unew, sizeof(v)))
		return -EFAULT;
	if (ns_from_timespec(&v.it_value, &value) || ns_from_timespec(&v.it_interval, &interval))
		return -EINVAL;
	err = posix_timer_set(
		id, flags & TIMER_ABSTIME, value, interval, &old_value, &old_interval);
	if (err)
		return err;
	return uold ? export_spec(uold, old_value, old_interval) : 0;
}

long sys_timer_gettime(int id, struct __kernel_itimerspec __user *cur)
{
	s64 value, interval;
	int err = posix_timer_get(id, &value, &interval);

	return err ? err : export_spec(cur, value, interval);
}

long sys_timer_getoverrun(int id)
{
	return posix_timer_overrun(id);
}

long sys_timer_delete(int id)
{
	return posix_timer_delete(id);
}
