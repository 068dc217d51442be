/* SPDX-License-Identifier: MIT */
/*
 * Timers whose signals flush those of other timers: SIGCONT takes stop signals off the queue and
 * the other way round.
 */
#include "contract.h"

static sigset_t g_all;

static timer_t cpu_timer(int sig)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig};
	timer_t t;

	OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &t));
	return t;
}

static void set(timer_t t, long ns, long period_ns)
{
	struct itimerspec its = {ts_of(period_ns), ts_of(ns)};

	OK(timer_settime(t, 0, &its, NULL));
}

static void burn(long long ns)
{
	long long end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		;
}

static void block_all(void)
{
	OK(sigfillset(&g_all));
	OK(sigprocmask(SIG_BLOCK, &g_all, NULL));
}

static void take_all(void)
{
	struct timespec no_time = {0, 0};
	siginfo_t si;

	while (sigtimedwait(&g_all, &si, &no_time) > 0)
		;
}

TEST(flushing_the_signals_of_fast_cpu_timers_ends)
{
	timer_t a, b;

	block_all();
	a = cpu_timer(SIGCONT);
	b = cpu_timer(SIGCONT);
	set(a, 1, 1);
	set(b, 1, 1);
	burn(20 * 1000000);
	OK(kill(getpid(), SIGTSTP));
	burn(5 * 1000000);
	OK(timer_delete(a));
	OK(timer_delete(b));
	take_all();
}

TEST(cpu_timers_may_flush_each_others_signals)
{
	block_all();
	for (int round = 0; round < 60; round++) {
		timer_t a = cpu_timer(SIGCONT), b = cpu_timer(SIGCONT);
		timer_t c = cpu_timer(round & 1 ? SIGCONT : SIGUSR1), d = cpu_timer(SIGTSTP);

		set(a, 1000, SEC);
		set(b, 2000, SEC);
		burn(3 * 1000000);
		set(c, 30000, 0);
		set(d, 31000, 0);
		burn(400000 + round % 20 * 20000);
		OK(kill(getpid(), SIGTSTP));
		take_all();
		OK(timer_delete(a));
		OK(timer_delete(b));
		OK(timer_delete(c));
		OK(timer_delete(d));
		take_all();
	}
}

/* An unread signal of an earlier setting doesn't switch the new one off. */
TEST(a_timer_set_anew_expires_after_its_old_signal_is_taken)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct timespec long_time = {5, 0};
	struct itimerspec left;
	siginfo_t si;
	timer_t t;

	block_all();
	OK(timer_create(CLOCK_MONOTONIC, &ev, &t));
	set(t, 1, 0);
	usleep(20000);
	set(t, SEC / 2, 0);
	CHECK_EQ(sigtimedwait(&g_all, &si, &long_time), SIGUSR1);
	OK(timer_gettime(t, &left));
	CHECK(left.it_value.tv_nsec > 0);
	CHECK_EQ(sigtimedwait(&g_all, &si, &long_time), SIGUSR1);
	OK(timer_delete(t));
}

static void *sleep_for_ever(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int g_fired; /* atomic */

static void fired(int sig)
{
	(void)sig;
	__atomic_fetch_add(&g_fired, 1, __ATOMIC_SEQ_CST);
}

/* The last to be set is the first to expire, however many wait. */
TEST(many_cpu_timers_of_many_threads_expire_in_order)
{
	pthread_t threads[50];
	timer_t timers[400], soon, own;
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};

	CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	CHECK(signal(SIGUSR2, fired) != SIG_ERR);
	for (int i = 0; i < 50; i++)
		CHECK_PT(pthread_create(&threads[i], NULL, sleep_for_ever, NULL));
	for (int i = 0; i < 400; i++) {
		timers[i] = cpu_timer(SIGUSR1);
		set(timers[i], 1000 * SEC - i, 0);
	}
	soon = cpu_timer(SIGUSR2);
	OK(timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &own));
	long long from = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	set(soon, 20 * 1000000, 0);
	set(own, 20 * 1000000, 0);
	while (__atomic_load_n(&g_fired, __ATOMIC_SEQ_CST) < 2)
		;
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - from >= 20 * 1000000);
	for (int i = 0; i < 400; i++)
		OK(timer_delete(timers[i]));
	OK(timer_delete(soon));
	OK(timer_delete(own));
}
