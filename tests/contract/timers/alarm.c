/* SPDX-License-Identifier: MIT */
/* Switching a timer off while it fires. */
#include "contract.h"

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
