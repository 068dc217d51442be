/* SPDX-License-Identifier: MIT */
/* Switching a timer off while it fires. */
#include "contract.h"
#include <sys/timerfd.h>

static volatile int g_go, g_armed, g_stop;

static void *arm_on_demand(void *unused)
{
	(void)unused;
	for (int i = 1;; i++) {
		struct itimerval soon = {.it_value = {0, 60}};

		while (g_go != i && !g_stop)
			sched_yield();
		if (g_stop)
			return NULL;
		OK(setitimer(ITIMER_REAL, &soon, NULL));
		g_armed = i;
	}
}

static bool alarm_pending(void)
{
	sigset_t set;

	OK(sigpending(&set));
	return sigismember(&set, SIGALRM);
}

TEST(no_SIGALRM_comes_after_setitimer_has_switched_it_off)
{
	sigset_t set;
	struct itimerval off = {{0, 0}, {0, 0}};
	struct timespec no_time = {0, 0};
	long long end = now_ns(CLOCK_MONOTONIC) + 3 * SEC;
	pthread_t t;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_PT(pthread_create(&t, NULL, arm_on_demand, NULL));
	for (int i = 1; now_ns(CLOCK_MONOTONIC) < end; i++) {
		long long wait = 20000 + rand() % 80000, start;

		g_go = i;
		while (g_armed != i)
			sched_yield();
		start = now_ns(CLOCK_MONOTONIC);
		while (now_ns(CLOCK_MONOTONIC) - start < wait)
			continue;
		OK(setitimer(ITIMER_REAL, &off, NULL));
		if (!alarm_pending()) {
			for (volatile int k = 0; k < 3000; k++)
				continue;
			CHECK(!alarm_pending());
		}
		(void)sigtimedwait(&set, NULL, &no_time);
	}
	g_stop = 1;
	CHECK_PT(pthread_join(t, NULL));
}

static volatile int g_alarms;

static void count_alarm(int sig)
{
	(void)sig;
	g_alarms++;
}

/* A period whose end no clock can show: it expires once. */
TEST(an_interval_timer_with_a_huge_period_expires_once)
{
	struct itimerval it = {.it_interval = {LONG_MAX, 0}, .it_value = {0, 1}};
	long long end = now_ns(CLOCK_MONOTONIC) + SEC / 2;

	CHECK(signal(SIGALRM, count_alarm) != SIG_ERR);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	while (now_ns(CLOCK_MONOTONIC) < end)
		;
	CHECK_EQ(g_alarms, 1);
}

TEST(a_posix_timer_with_a_huge_period_expires_once)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	struct itimerspec its = {.it_interval = {LONG_MAX, 0}, .it_value = {0, 1}};
	long long end = now_ns(CLOCK_MONOTONIC) + SEC / 2;
	timer_t timer;

	CHECK(signal(SIGALRM, count_alarm) != SIG_ERR);
	OK(timer_create(CLOCK_MONOTONIC, &ev, &timer));
	OK(timer_settime(timer, 0, &its, NULL));
	while (now_ns(CLOCK_MONOTONIC) < end)
		;
	CHECK_EQ(g_alarms, 1);
	CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR);
	OK(timer_settime(timer, 0, &its, NULL));
	usleep(10000);
	OK(timer_delete(timer));
}

TEST(a_timerfd_with_a_huge_period_expires_once)
{
	struct itimerspec its = {.it_interval = {LONG_MAX, 0}, .it_value = {0, 1}};
	int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
	uint64_t ticks;

	OK(timerfd_settime(fd, 0, &its, NULL));
	usleep(10000);
	CHECK_EQ(read(fd, &ticks, sizeof(ticks)), sizeof(ticks));
	CHECK_EQ(ticks, 1);
	usleep(10000);
	CHECK_ERR(read(fd, &ticks, sizeof(ticks)), EAGAIN);
}

/* However short the period and whatever becomes of the signal, the process goes on. */
TEST(interval_timers_of_a_microsecond_let_the_process_run)
{
	struct itimerval it = {.it_interval = {0, 1}, .it_value = {0, 1}}, left;
	long long end;
	sigset_t set;

	CHECK(signal(SIGALRM, count_alarm) != SIG_ERR);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(setitimer(ITIMER_REAL, &it, NULL));
	while (!alarm_pending())
		;
	OK(getitimer(ITIMER_REAL, &left));
	CHECK_EQ(left.it_value.tv_usec, 0);
	CHECK_EQ(left.it_interval.tv_usec, 1);
	OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
	for (end = now_ns(CLOCK_MONOTONIC) + SEC / 4; now_ns(CLOCK_MONOTONIC) < end;)
		;
	CHECK(g_alarms > 1);
	CHECK(signal(SIGALRM, SIG_IGN) != SIG_ERR);
	for (end = now_ns(CLOCK_MONOTONIC) + SEC / 4; now_ns(CLOCK_MONOTONIC) < end;)
		;
}
