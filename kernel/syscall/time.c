/* Clocks: reading, setting, sleeping on them. Interval and POSIX timers are in itimer.c. */
#include <linux/timex.h>
#include <process/signal.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

#define USEC_PER_SEC (NS_PER_SEC / NS_PER_US)

static int read_clock(int clock, s64 *ns)
{
	return clock_is_cpu(clock) ? clock_cpu_get(clock, ns) : clock_get(clock, ns);
}

static int export_timespec(struct __kernel_timespec __user *to, s64 ns)
{
	struct __kernel_timespec ts = ns_to_timespec(ns);

	return copy_to_user(to, &ts, sizeof(ts)) ? -EFAULT : 0;
}

long sys_clock_gettime(int clock, struct __kernel_timespec __user *tp)
{
	s64 ns;
	int err = read_clock(clock, &ns);

	return err ? err : export_timespec(tp, ns);
}

long sys_clock_getres(int clock, struct __kernel_timespec __user *tp)
{
	bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	s64 ns;
	int err = read_clock(clock, &ns);

	if (err)
		return err;
	return tp ? export_timespec(tp, coarse ? COARSE_TICK_NS : 1) : 0;
}

static long set_real(s64 ns)
{
	if (ns < 0 || ns >= CLOCK_SET_MAX_NS)
		return -EINVAL;
	return capable(CAP_SYS_TIME) ? clock_set_real_ns(ns) : -EPERM;
}

long sys_clock_settime(int clock, const struct __kernel_timespec __user *utp)
{
	struct __kernel_timespec ts;
	s64 ns;

	if (clock != CLOCK_REALTIME && clock >= 0)
		return -EINVAL;
	if (copy_from_user(&ts, utp, sizeof(ts)))
		return -EFAULT;
	if (clock < 0)
		return clock_cpu_get(clock, &ns) ? -EINVAL : -EPERM;
	if (ns_from_timespec(&ts, &ns))
		return -EINVAL;
	return set_real(ns);
}

/* The time zone that settimeofday was told: kept for gettimeofday, and nothing else. */
static struct timezone g_zone; /* each field atomic */

long sys_gettimeofday(struct __kernel_old_timeval __user *utv, struct timezone __user *utz)
{
	s64 ns = clock_real_ns();
	struct __kernel_old_timeval tv = {ns / NS_PER_SEC, ns % NS_PER_SEC / NS_PER_US};
	struct timezone zone = {READ_ONCE(g_zone.tz_minuteswest), READ_ONCE(g_zone.tz_dsttime)};

	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	return utz && copy_to_user(utz, &zone, sizeof(zone)) ? -EFAULT : 0;
}

/* The first call without a time says that the clock has been local time so far. */
static int set_zone(const struct timezone *tz, bool alone)
{
	static u32 told;

	if (tz->tz_minuteswest > 15 * 60 || tz->tz_minuteswest < -15 * 60)
		return -EINVAL;
	WRITE_ONCE(g_zone.tz_minuteswest, tz->tz_minuteswest);
	WRITE_ONCE(g_zone.tz_dsttime, tz->tz_dsttime);
	if (__atomic_exchange_n(&told, 1, __ATOMIC_RELAXED) || !alone || !tz->tz_minuteswest)
		return 0;
	return clock_set_real_ns(clock_real_ns() + tz->tz_minuteswest * 60 * NS_PER_SEC);
}

long sys_settimeofday(
	const struct __kernel_old_timeval __user *utv, const struct timezone __user *utz)
{
	struct __kernel_old_timeval tv;
	struct timezone tz;
	s64 ns = 0;
	int err = 0;

	if (utv) {
		if (copy_from_user(&tv, utv, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_usec < 0 || tv.tv_usec >= USEC_PER_SEC)
			return -EINVAL;
	}
	if (utz && copy_from_user(&tz, utz, sizeof(tz)))
		return -EFAULT;
	if (utv) {
		struct __kernel_timespec ts = {tv.tv_sec, tv.tv_usec * NS_PER_US};

		if (ns_from_timespec(&ts, &ns) || ns >= CLOCK_SET_MAX_NS)
			return -EINVAL;
	}
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (utz)
		err = set_zone(&tz, !utv);
	return err || !utv ? err : set_real(ns);
}

long sys_time(void __user *tloc)
{
	s64 seconds = clock_real_ns() / NS_PER_SEC;

	if (tloc && put_user(seconds, (s64 __user *)tloc))
		return -EFAULT;
	return seconds;
}

/* ---- sleeping ---- */

/* A sleep that a signal interrupted goes on until the same deadline, and reports what is left. */
static long relative_sleep(s64 deadline, struct __kernel_timespec __user *rem);

static long sleep_restart(struct restart_block *rb)
{
	return relative_sleep((s64)rb->arg[0], (struct __kernel_timespec __user *)rb->arg[1]);
}

static long relative_sleep(s64 deadline, struct __kernel_timespec __user *rem)
{
	s64 left;

	if (!sleep_until(deadline))
		return 0;
	left = deadline - clock_mono_ns();
	if (left <= 0)
		return 0;
	if (rem && export_timespec(rem, left))
		return -EFAULT;
	return restart_set(sleep_restart, (u64)deadline, (u64)(uintptr_t)rem, 0, 0, 0);
}

static int import_timespec(const struct __kernel_timespec __user *from, s64 *ns)
{
	struct __kernel_timespec ts;

	if (copy_from_user(&ts, from, sizeof(ts)))
		return -EFAULT;
	return ns_from_timespec(&ts, ns);
}

/* Timer slack may delay a wake-up; 0 returns at once. */
long sys_nanosleep(
	const struct __kernel_timespec __user *ureq, struct __kernel_timespec __user *rem)
{
	s64 ns;
	int err = import_timespec(ureq, &ns);

	return err ? err : relative_sleep(deadline_after(ns), rem);
}

static long absolute_sleep(int clock, s64 until)
{
	struct deadline d;
	int err = deadline_on(clock, until, &d);

	if (err)
		return err;
	return sleep_until_deadline(d) ? -ERESTARTNOHAND : 0;
}

/*
 * CLOCK_PROCESS_CPUTIME_ID and relatives: no timer wakes for them but a look from time to time. 0,
 * or -ERESTARTSYS with *left_ns still to go.
 */
static int wait_cpu_time(int clock, s64 until, s64 *left_ns)
{
	for (;;) {
		s64 now;
		int err = clock_cpu_get(clock, &now);

		if (err)
			return err;
		*left_ns = until - now;
		if (now >= until)
			return 0;
		err = sleep_until(deadline_after(max(*left_ns / g_nr_cpus, NS_PER_MS)));
		if (err)
			return err;
	}
}

static long relative_cpu_sleep(int clock, s64 until, struct __kernel_timespec __user *rem);

static long cpu_sleep_restart(struct restart_block *rb)
{
	return relative_cpu_sleep(
		(int)rb->arg[0], (s64)rb->arg[1], (struct __kernel_timespec __user *)rb->arg[2]);
}

static long relative_cpu_sleep(int clock, s64 until, struct __kernel_timespec __user *rem)
{
	s64 left;
	int err = wait_cpu_time(clock, until, &left);

	if (err != -ERESTARTSYS)
		return err;
	if (rem && export_timespec(rem, left))
		return -EFAULT;
	return restart_set(cpu_sleep_restart, (u64)clock, (u64)until, (u64)(uintptr_t)rem, 0, 0);
}

static long cpu_sleep(int clock, bool absolute, s64 ns, struct __kernel_timespec __user *rem)
{
	s64 now, left;
	int err;

	if (clock_is_own_thread(clock))
		return -EINVAL; /* it would wait for itself */
	err = clock_cpu_get(clock, &now);
	if (err)
		return err;
	if (!absolute)
		return relative_cpu_sleep(
			clock, ns > TIME_NEVER - now ? TIME_NEVER : now + ns, rem);
	err = wait_cpu_time(clock, ns, &left);
	return err == -ERESTARTSYS ? -ERESTARTNOHAND : err;
}

long sys_clock_nanosleep(int clock, int flags, const struct __kernel_timespec __user *ureq,
	struct __kernel_timespec __user *rem)
{
	bool absolute = flags & TIMER_ABSTIME;
	s64 ns, now;
	int err;

	if (clock == CLOCK_THREAD_CPUTIME_ID || clock_is_fd(clock))
		return -EOPNOTSUPP; /* the thread would wait for itself */
	/* Whether there is a process with the id of a CPU clock is asked last. */
	err = clock >= 0 ? read_clock(clock, &now) : 0;
	if (err)
		return err;
	switch (clock) {
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	}
	err = import_timespec(ureq, &ns);
	if (err)
		return err;
	if (clock_is_cpu(clock))
		return cpu_sleep(clock, absolute, ns, rem);
	if (absolute)
		return absolute_sleep(clock, ns);
	return relative_sleep(deadline_after(ns), rem);
}
