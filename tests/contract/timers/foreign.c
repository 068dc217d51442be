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
