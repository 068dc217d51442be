/* SPDX-License-Identifier: MIT */
/* Which error comes first where several things are wrong. */
#include "contract.h"
#include <linux/futex.h>
#include <sys/mman.h>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#define NOBODY  99999
#define BAD_SIG 65

TEST(a_receiver_that_is_missing_comes_before_a_bad_signal)
{
	siginfo_t info = {.si_code = SI_QUEUE};
	pid_t self = getpid();

	CHECK_ERR(kill(NOBODY, BAD_SIG), ESRCH);
	CHECK_ERR(kill(-NOBODY, BAD_SIG), ESRCH);
	CHECK_ERR(kill(NOBODY, -1), ESRCH);
	CHECK_ERR(syscall(SYS_tkill, NOBODY, BAD_SIG), ESRCH);
	CHECK_ERR(syscall(SYS_tgkill, self, NOBODY, BAD_SIG), ESRCH);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, NOBODY, BAD_SIG, &info), ESRCH);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, NOBODY, NOBODY, BAD_SIG, &info), ESRCH);
	CHECK_ERR(kill(self, BAD_SIG), EINVAL);
	CHECK_ERR(kill(self, -1), EINVAL);
	CHECK_ERR(kill(0, BAD_SIG), EINVAL);
	CHECK_ERR(syscall(SYS_tkill, self, BAD_SIG), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, self, self, BAD_SIG), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, 0, NOBODY, BAD_SIG), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, self, BAD_SIG, &info), EINVAL);
}

static long map(size_t len, int flags, int fd, unsigned long off)
{
	return syscall(SYS_mmap, NULL, len, PROT_READ | PROT_WRITE, flags, fd, off);
}

TEST(mmap_looks_at_the_descriptor_then_the_length_the_offset_the_flags)
{
	const unsigned long last = 0x7ffffffffffff000; /* a page here ends beyond any file */
	int fd = new_file("f", O_RDWR, 0600), zero = OK(open("/dev/zero", O_RDWR));

	CHECK_ERR(map(4096, MAP_SHARED, -1, 1), EINVAL);
	CHECK_ERR(map(4096, 0, -1, 0), EBADF);
	CHECK_ERR(map(0, MAP_SHARED, -1, 0), EBADF);
	CHECK_ERR(map((size_t)-1, MAP_SHARED, -1, 0), EBADF);
	CHECK_ERR(map(4096, MAP_SHARED_VALIDATE | MAP_SYNC, -1, 0), EBADF);
	CHECK_ERR(map((size_t)-1, MAP_SHARED, fd, 0), ENOMEM);
	CHECK_ERR(map((size_t)-4096, MAP_SHARED, fd, 0), ENOMEM);
	CHECK_ERR(map((size_t)-4096, 4, fd, last), ENOMEM);
	CHECK_ERR(map(1ul << 50, MAP_SHARED, fd, last - 4096), ENOMEM);
	CHECK_ERR(map(1, MAP_SHARED, fd, last), EOVERFLOW);
	CHECK_ERR(map(4096, 4, fd, last), EOVERFLOW);
	CHECK_ERR(map(8192, MAP_SHARED, fd, last - 4096), EOVERFLOW);
	OK(map(4096, MAP_SHARED, fd, last - 4096));
	CHECK_ERR(map(4096, MAP_SHARED, zero, 0xfffffffffffff000), EOVERFLOW);
	CHECK_ERR(map(4096, 4, fd, 0), EINVAL);
	CHECK_ERR(map(4096, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
	OK(map(4096, MAP_SHARED_VALIDATE | 21 << 26, fd, 0)); /* a size of huge pages is known */
	CHECK_ERR(map(4096, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
}

TEST(DONTNEED_LOCKED_drops_locked_pages_too)
{
	char *p = OK(mmap(
		NULL, 2 * page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(p, 1, 2 * page_size());
	OK(madvise(p, page_size(), MADV_DONTNEED_LOCKED));
	CHECK_EQ(p[0], 0);
	OK(mlock(p, 2 * page_size()));
	p[0] = 1;
	CHECK_ERR(madvise(p, page_size(), MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p + 1, page_size(), MADV_DONTNEED_LOCKED), EINVAL);
	OK(madvise(p, page_size(), MADV_DONTNEED_LOCKED));
	CHECK_EQ(p[0], 0);
	CHECK_EQ(p[page_size()], 1);
	OK(munmap(p, 2 * page_size()));
}

static long nap(clockid_t clock, const void *t)
{
	return syscall(SYS_clock_nanosleep, clock, 0, t, NULL);
}

TEST(clock_nanosleep_reads_the_time_before_it_looks_for_the_clocks_process)
{
	struct timespec none = {.tv_sec = 0};

	CHECK_ERR(nap(-1, BAD_PTR), EFAULT);
	CHECK_ERR(nap(-10, BAD_PTR), EFAULT);
	CHECK_ERR(nap(-1, &none), EINVAL);
	CHECK_ERR(nap(CLOCK_THREAD_CPUTIME_ID, BAD_PTR), EOPNOTSUPP);
	CHECK_ERR(nap(CLOCK_MONOTONIC_RAW, BAD_PTR), EOPNOTSUPP);
	CHECK_ERR(nap(99, BAD_PTR), EINVAL);
}

/* The machine has a clock that could wake it; it doesn't sleep. */
TEST(timers_on_the_alarm_clocks_expire)
{
	const clockid_t clocks[] = {8 /* CLOCK_REALTIME_ALARM */, 9 /* CLOCK_BOOTTIME_ALARM */};

	for (int k = 0; k < 2; k++) {
		struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
		struct itimerspec soon = {.it_value = {.tv_nsec = 5 * MSEC}};
		siginfo_t info;
		sigset_t set;
		int id;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		OK(syscall(SYS_timer_create, clocks[k], &ev, &id));
		OK(syscall(SYS_timer_settime, id, 0, &soon, NULL));
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_code, SI_TIMER);
		OK(syscall(SYS_timer_delete, id));
	}
	become_user(1000, 1000);
	int id;
	CHECK_ERR(syscall(SYS_timer_create, clocks[0], NULL, &id), EPERM);
}

struct attr { /* struct sched_attr, whose name C libraries may use */
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

TEST(sched_setattr_needs_the_size_that_utilization_takes)
{
	for (uint64_t flag = 0x20; flag <= 0x40; flag <<= 1) { /* SCHED_FLAG_UTIL_CLAMP_MIN, _MAX */
		struct attr a = {.size = 48, .flags = flag};

		CHECK_ERR(syscall(SYS_sched_setattr, 0, &a, 0), EINVAL);
		a.size = sizeof(a);
		CHECK_ERR(syscall(SYS_sched_setattr, NOBODY, &a, 0), ESRCH);
	}
}

static long futex(void *word, int op, const void *timeout)
{
	return syscall(SYS_futex, word, op, 0, timeout, NULL, 0);
}

TEST(futex_reads_the_timeout_before_it_refuses_the_clock)
{
	struct timespec wrong = {.tv_nsec = 2 * SEC}, right = {.tv_nsec = 1};
	uint32_t word = 0;

	CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, BAD_PTR), EFAULT);
	CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, &wrong), EINVAL);
	CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, &right), ENOSYS);
	CHECK_ERR(futex(&word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, BAD_PTR), EFAULT);
	CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, BAD_PTR), ENOSYS);
}

TEST(who_unlocks_a_lock_of_somebody_else_learns_just_that)
{
	char *p = OK(mmap(
		NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	uint32_t self = (uint32_t)gettid_raw();

	CHECK_ERR(futex(p + 1, FUTEX_UNLOCK_PI, NULL), EPERM);
	memcpy(p + 1, &self, sizeof(self));
	CHECK_ERR(futex(p + 1, FUTEX_UNLOCK_PI, NULL), EINVAL);
	memset(p, 0, 8);
	OK(mprotect(p, page_size(), PROT_READ));
	CHECK_ERR(futex(p, FUTEX_UNLOCK_PI_PRIVATE, NULL), EPERM);
	CHECK_ERR(futex(BAD_PTR, FUTEX_UNLOCK_PI, NULL), EFAULT);
	CHECK_ERR(futex((char *)BAD_PTR + 1, FUTEX_UNLOCK_PI, NULL), EFAULT);
	OK(munmap(p, page_size()));
}

static long set_ioprio(int class, int data)
{
	return syscall(SYS_ioprio_set, 1, 0, class << 13 | data);
}

TEST(an_io_priority_is_checked_by_its_level_and_kept_as_it_is)
{
	for (int class = 1; class <= 3; class ++) {
		OK(set_ioprio(class, 8));
		CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), class << 13 | 8);
		OK(set_ioprio(class, 19));
		CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), class << 13 | 19);
	}
	OK(set_ioprio(0, 8));
	CHECK_EQ(syscall(SYS_ioprio_get, 1, 0), 8);
	CHECK_ERR(set_ioprio(0, 7), EINVAL);
	CHECK_ERR(set_ioprio(0, 9), EINVAL);
	CHECK_ERR(set_ioprio(4, 0), EINVAL);
	OK(set_ioprio(0, 0));
}
