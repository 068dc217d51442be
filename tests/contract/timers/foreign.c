/* SPDX-License-Identifier: MIT */
/* CPU clocks of other processes, and timers on them. */
#include "contract.h"

static int g_expired; /* atomic */

static void expired(int sig)
{
	(void)sig;
	__atomic_fetch_add(&g_expired, 1, __ATOMIC_SEQ_CST);
}

static long ns_of(clockid_t clock)
{
	struct timespec t;

	OK(clock_gettime(clock, &t));
	return t.tv_sec * 1000000000l + t.tv_nsec;
}

static pid_t burn(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			;
	return pid;
}

TEST(a_timer_on_another_process_counts_its_cpu_time)
{
	struct sigaction sa = {.sa_handler = expired};
	struct itimerspec its = {.it_value.tv_nsec = 50000000}, left;
	pid_t pid = burn();
	clockid_t clock;
	timer_t timer;

	OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_PT(clock_getcpuclockid(pid, &clock));
	OK(timer_create(clock, NULL, &timer));
	long from = ns_of(clock);
	OK(timer_settime(timer, 0, &its, NULL));
	OK(timer_gettime(timer, &left));
	CHECK(left.it_value.tv_nsec > 0 && left.it_value.tv_nsec <= 50000000);
	while (!__atomic_load_n(&g_expired, __ATOMIC_SEQ_CST))
		usleep(1000);
	CHECK(ns_of(clock) - from >= 50000000);
	CHECK_EQ(g_expired, 1);
	OK(timer_delete(timer));
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(timer_create(clock, NULL, &timer), EINVAL);
}

TEST(a_timer_on_a_process_that_sleeps_does_not_expire)
{
	struct sigaction sa = {.sa_handler = expired};
	struct itimerspec its = {.it_value.tv_nsec = 20000000};
	clockid_t clock;
	timer_t timer;
	pid_t pid = FORK();

	if (!pid) {
		pause();
		_exit(0);
	}
	await_sleep(pid);
	OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_PT(clock_getcpuclockid(pid, &clock));
	OK(timer_create(clock, NULL, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	usleep(200000);
	CHECK_EQ(g_expired, 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(timer_delete(timer));
}

TEST(two_processes_may_time_each_other)
{
	struct sigaction sa = {.sa_handler = expired};
	struct itimerspec its = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
	pid_t parent = getpid();
	clockid_t clock;
	timer_t timer;

	OK(sigaction(SIGALRM, &sa, NULL));
	pid_t pid = FORK();
	CHECK_PT(clock_getcpuclockid(pid ? pid : parent, &clock));
	OK(timer_create(clock, NULL, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	while (__atomic_load_n(&g_expired, __ATOMIC_SEQ_CST) < 20)
		;
	if (!pid)
		for (;;)
			;
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(timer_delete(timer));
}

TEST(many_timers_on_one_clock_expire_once_each)
{
	enum { TIMERS = 100 };
	struct sigaction sa = {.sa_handler = expired};
	clockid_t clock;
	timer_t timer[TIMERS];
	pid_t pid = burn();

	OK(sigaction(SIGALRM, &sa, NULL));
	OK(sigaction(SIGRTMIN, &sa, NULL));
	CHECK_PT(clock_getcpuclockid(pid, &clock));
	for (int i = 0; i < TIMERS; i++) {
		struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
		struct itimerspec its = {.it_value.tv_nsec = 1000000 * (1 + i % 30)};

		OK(timer_create(clock, &ev, &timer[i]));
		OK(timer_settime(timer[i], 0, &its, NULL));
	}
	while (__atomic_load_n(&g_expired, __ATOMIC_SEQ_CST) < TIMERS)
		usleep(1000);
	for (int i = 0; i < TIMERS; i++)
		OK(timer_delete(timer[i]));
	CHECK_EQ(g_expired, TIMERS);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(a_timer_outlives_the_process_whose_time_it_waits_for)
{
	struct itimerspec its = {.it_value.tv_sec = 100}, left;
	pid_t pid = burn();
	clockid_t clock;
	timer_t timer;

	CHECK_PT(clock_getcpuclockid(pid, &clock));
	OK(timer_create(clock, NULL, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	OK(timer_gettime(timer, &left));
	OK(timer_delete(timer));
}

TEST(a_process_may_exit_with_timers_on_a_busy_one)
{
	struct itimerspec its = {.it_value.tv_nsec = 3000000, .it_interval.tv_nsec = 1000000};
	pid_t busy = burn();

	for (int i = 0; i < 20; i++) {
		pid_t pid = FORK();

		if (!pid) {
			clockid_t clock;
			timer_t timer;

			signal(SIGALRM, SIG_IGN);
			CHECK_PT(clock_getcpuclockid(busy, &clock));
			OK(timer_create(clock, NULL, &timer));
			OK(timer_settime(timer, 0, &its, NULL));
			usleep(5000 + 1000 * i); /* some expirations, then an exit at any time */
			_exit(0);
		}
		expect_exit(pid, 0);
	}
	OK(kill(busy, SIGKILL));
	expect_signal(busy, SIGKILL);
}
