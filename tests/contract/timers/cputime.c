/* SPDX-License-Identifier: MIT */
/* CPU time never runs backwards, and sleeping on it goes on after a stop. */
#include "contract.h"
#include <sys/times.h>

static long long us(struct timeval t)
{
	return t.tv_sec * 1000000ll + t.tv_usec;
}

static void expect_growth(const struct rusage *a, const struct rusage *b)
{
	if (us(b->ru_utime) < us(a->ru_utime))
		FAIL("user time: expected at least %lld us, got %lld", us(a->ru_utime),
			us(b->ru_utime));
	if (us(b->ru_stime) < us(a->ru_stime))
		FAIL("system time: expected at least %lld us, got %lld", us(a->ru_stime),
			us(b->ru_stime));
}

static void *use_cpu(void *stop)
{
	while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED))
		continue;
	return NULL;
}

/* Phases of user and of system time, so that the ratio of the two changes all the time. */
static void check_growth(int who)
{
	static char buf[65536];
	int zero = OK(open("/dev/zero", O_RDONLY));
	long long end = now_ns(CLOCK_MONOTONIC) + 3 * SEC;
	struct rusage last, now;

	OK(getrusage(who, &last));
	for (int i = 0; now_ns(CLOCK_MONOTONIC) < end; i++) {
		if (i & 32)
			OK(read(zero, buf, sizeof(buf)));
		else
			for (volatile int k = 0; k < 20000; k++)
				continue;
		OK(getrusage(who, &now));
		expect_growth(&last, &now);
		last = now;
	}
	OK(close(zero));
}

TEST(cpu_times_of_a_process_never_shrink)
{
	int stop = 0;
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, use_cpu, &stop));
	check_growth(RUSAGE_SELF);
	stop = 1;
	CHECK_PT(pthread_join(t, NULL));
}

TEST(cpu_times_of_a_thread_never_shrink)
{
	check_growth(1 /* RUSAGE_THREAD */);
}

static void *exit_at_once(void *unused)
{
	for (volatile int k = 0; k < 20000; k++)
		continue;
	return unused;
}

TEST(cpu_times_do_not_shrink_when_threads_exit)
{
	struct rusage last, now;
	long long clock = 0;

	OK(getrusage(RUSAGE_SELF, &last));
	for (int i = 0; i < 200; i++) {
		pthread_t t;
		long long c;

		CHECK_PT(pthread_create(&t, NULL, exit_at_once, NULL));
		CHECK_PT(pthread_join(t, NULL));
		OK(getrusage(RUSAGE_SELF, &now));
		expect_growth(&last, &now);
		last = now;
		c = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		CHECK(c >= clock);
		clock = c;
	}
}

/* The clock is the sum of both times. */
TEST(cpu_clock_and_rusage_agree)
{
	for (int i = 0; i < 2000; i++) {
		long long before = now_ns(CLOCK_PROCESS_CPUTIME_ID), after, sum;
		struct rusage ru;

		OK(getrusage(RUSAGE_SELF, &ru));
		after = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		sum = us(ru.ru_utime) + us(ru.ru_stime);
		CHECK(sum >= before / 1000 - 2 && sum <= after / 1000);
	}
}

/* A signal without handler does not end a relative sleep on a CPU clock, which nobody advances. */
TEST(sleep_on_a_cpu_clock_goes_on_after_a_stop)
{
	struct timespec ts = ts_of(5 * SEC);
	int status;
	pid_t pid = FORK();

	if (!pid)
		_exit(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &ts, NULL));
	await_sleep(pid);
	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	await_sleep(pid);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(sleep_on_the_own_thread_clock_is_refused)
{
	struct timespec ts = {0, 0};

	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EOPNOTSUPP);
	for (int clock = -4; clock <= -2; clock++)
		for (int flags = 0; flags <= TIMER_ABSTIME; flags++)
			CHECK_ERR(syscall(SYS_clock_nanosleep, clock, flags, &ts, NULL), EINVAL);
}
