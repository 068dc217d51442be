/* SPDX-License-Identifier: MIT */
/* Clocks, sleeping, interval timers and POSIX timers, CPU time accounting. */
#include "contract.h"
#include <time.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/timex.h>

static volatile sig_atomic_t g_count;

static void count(int sig)
{
	(void)sig;
	g_count++;
}

static void burn(long long ns)
{
	long long end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ns;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		continue;
}

TEST(clocks_move_forward)
{
	static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,
		CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_TAI};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(clocks[0]); i++) {
		long long last = now_ns(clocks[i]);

		for (int k = 0; k < 1000; k++) {
			long long now = now_ns(clocks[i]);

			CHECK(now >= last);
			last = now;
		}
	}
}

TEST(clocks_agree)
{
	long long coarse = now_ns(CLOCK_MONOTONIC_COARSE), mono = now_ns(CLOCK_MONOTONIC);
	long long sys;
	struct timespec ts;

	CHECK(mono >= coarse);
	CHECK(mono - coarse < SEC);
	OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts));
	sys = ts.tv_sec * SEC + ts.tv_nsec;
	CHECK(sys >= mono && sys - mono < SEC);
	struct timeval tv;
	OK(gettimeofday(&tv, NULL));
	long long real = now_ns(CLOCK_REALTIME);
	CHECK(real >= tv.tv_sec * SEC && real - tv.tv_sec * SEC < 3 * SEC);
	CHECK(real / SEC - time(NULL) <= 1);
	CHECK(now_ns(CLOCK_BOOTTIME) >= mono);
}

TEST(clock_getres_and_errors)
{
	struct timespec ts;

	OK(clock_getres(CLOCK_MONOTONIC, &ts));
	CHECK_EQ(ts.tv_sec, 0);
	CHECK_EQ(ts.tv_nsec, 1);
	OK(clock_getres(CLOCK_MONOTONIC_COARSE, &ts));
	CHECK(ts.tv_nsec >= 1000000);
	CHECK_ERR(clock_getres(99, &ts), EINVAL);
	CHECK_ERR(clock_gettime(99, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD_PTR), EFAULT);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
}

TEST(nanosleep_sleeps_at_least_as_long)
{
	struct timespec ts = ts_of(25 * MSEC), bad = {0, SEC}, neg = {-1, 0};
	long long start = now_ns(CLOCK_MONOTONIC);

	OK(nanosleep(&ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 25 * MSEC);
	CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
	CHECK_ERR(nanosleep(&neg, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_nanosleep, BAD_PTR, NULL), EFAULT);
}

TEST(clock_nanosleep_absolute)
{
	long long until = now_ns(CLOCK_MONOTONIC) + 25 * MSEC;
	struct timespec ts = ts_of(until), past = {0, 0};

	CHECK_PT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	CHECK(now_ns(CLOCK_MONOTONIC) >= until);
	CHECK_PT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &past, NULL));
	until = now_ns(CLOCK_REALTIME) + 25 * MSEC;
	ts = ts_of(until);
	CHECK_PT(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL));
	CHECK(now_ns(CLOCK_REALTIME) >= until);
	CHECK_EQ(clock_nanosleep(99, 0, &past, NULL), EINVAL);
	CHECK_ERR(
		syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &past, NULL), EOPNOTSUPP);
}

TEST(cpu_clocks_count_only_running_time)
{
	long long before = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	sleep_ns(100 * MSEC);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - before < 90 * MSEC);
	before = now_ns(CLOCK_THREAD_CPUTIME_ID);
	burn(10 * MSEC);
	CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - before >= 9 * MSEC);
}

TEST(cpu_clock_of_another_process)
{
	struct gate g = gate_make();
	pid_t pid = FORK();
	clockid_t clock;
	struct timespec ts;

	if (!pid) {
		burn(20 * MSEC);
		gate_open(g);
		for (;;)
			pause();
	}
	gate_wait(g);
	CHECK_PT(clock_getcpuclockid(pid, &clock));
	OK(clock_gettime(clock, &ts));
	CHECK(ts.tv_sec * SEC + ts.tv_nsec >= 19 * MSEC);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(clock_gettime(clock, &ts), EINVAL);
}

TEST(alarm_signals_and_returns_the_rest)
{
	CHECK_EQ(alarm(100), 0);
	unsigned left = alarm(0);
	CHECK(left >= 99 && left <= 100);
	on_signal(SIGALRM, count, 0);
	struct itimerval it = {.it_value = {0, 20000}};
	OK(setitimer(ITIMER_REAL, &it, NULL));
	CHECK_ERR(pause(), EINTR);
	CHECK_EQ(g_count, 1);
}

TEST(interval_timer_repeats_and_reads_back)
{
	struct itimerval it = {{0, 5000}, {0, 5000}}, old;

	on_signal(SIGALRM, count, SA_RESTART);
	OK(setitimer(ITIMER_REAL, &it, NULL));
	while (g_count < 4)
		pause();
	OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_interval.tv_usec, 5000);
	memset(&it, 0, sizeof(it));
	OK(setitimer(ITIMER_REAL, &it, &old));
	OK(getitimer(ITIMER_REAL, &old));
	CHECK_EQ(old.it_value.tv_usec, 0);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	CHECK_ERR(setitimer(9, &it, NULL), EINVAL);
}

TEST(ITIMER_VIRTUAL_and_PROF_count_cpu_time)
{
	struct itimerval it = {.it_value = {0, 20000}};

	on_signal(SIGVTALRM, count, 0);
	on_signal(SIGPROF, count, 0);
	OK(setitimer(ITIMER_VIRTUAL, &it, NULL));
	OK(setitimer(ITIMER_PROF, &it, NULL));
	sleep_ns(60 * MSEC);
	CHECK_EQ(g_count, 0);
	while (g_count < 2)
		for (volatile int i = 0; i < 1000; i++)
			continue;
}

TEST(timers_survive_exec_but_not_fork)
{
	struct itimerval it = {.it_value = {100, 0}};

	OK(setitimer(ITIMER_REAL, &it, NULL));
	pid_t pid = FORK();
	if (!pid) {
		OK(getitimer(ITIMER_REAL, &it));
		_exit(it.it_value.tv_sec ? 1 : 0);
	}
	expect_exit(pid, 0);
	pid = FORK();
	if (!pid) {
		OK(setitimer(ITIMER_REAL, &it, NULL));
		exec_helper("itimer_left", NULL);
		_exit(99);
	}
	expect_exit(pid, 5);
}

HELPER(itimer_left)
{
	struct itimerval it;

	OK(getitimer(ITIMER_REAL, &it));
	return it.it_value.tv_sec > 50 ? 5 : 6;
}

static int make_timer(clockid_t clock, int notify, int sig)
{
	struct {
		union sigval value;
		int signo, notify, tid;
		char pad[64];
	} sev = {.value.sival_int = 77, .signo = sig, .notify = notify, .tid = gettid_raw()};
	int id;

	OK(syscall(SYS_timer_create, clock, &sev, &id));
	return id;
}

static void arm(int id, int flags, long long first, long long interval)
{
	struct itimerspec its = {ts_of(interval), ts_of(first)};

	OK(syscall(SYS_timer_settime, id, flags, &its, NULL));
}

TEST(posix_timer_queues_its_signal_with_the_value)
{
	int id;
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN);
	arm(id, 0, 10 * MSEC, 0);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGRTMIN);
	CHECK_EQ(si.si_code, SI_TIMER);
	CHECK_EQ(si.si_value.sival_int, 77);
	CHECK_EQ(si.si_timerid, id);
	OK(syscall(SYS_timer_delete, id));
	CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
}

TEST(posix_timer_overrun_counts_what_was_not_delivered)
{
	int id;
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1);
	arm(id, 0, 5 * MSEC, 5 * MSEC);
	sleep_ns(60 * MSEC);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
	CHECK(si.si_overrun >= 9);
	CHECK(OK(syscall(SYS_timer_getoverrun, id)) >= 9);
}

TEST(posix_timer_for_a_thread_and_without_signal)
{
	int id;
	sigset_t set;
	struct itimerspec its;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	id = make_timer(CLOCK_MONOTONIC, 4 /* SIGEV_THREAD_ID */, SIGUSR1);
	arm(id, 0, 5 * MSEC, 0);
	CHECK_EQ(sigwaitinfo(&set, NULL), SIGUSR1);
	id = make_timer(CLOCK_MONOTONIC, SIGEV_NONE, 0);
	arm(id, TIMER_ABSTIME, now_ns(CLOCK_MONOTONIC) + 100 * SEC, 0);
	OK(syscall(SYS_timer_gettime, id, &its));
	CHECK(its.it_value.tv_sec >= 90 && its.it_value.tv_sec <= 100);
}

TEST(posix_timer_errors)
{
	struct itimerspec its = {.it_value = {0, -1}};
	int id = make_timer(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1), out;

	CHECK_ERR(syscall(SYS_timer_settime, id, 0, &its, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_settime, 999, 0, &its, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_timer_create, 99, NULL, &out), EINVAL);
	struct {
		union sigval value;
		int signo, notify;
		char pad[64];
	} bad = {.signo = 99, .notify = SIGEV_SIGNAL};
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &bad, &out), EINVAL);
	bad.signo = SIGUSR1;
	bad.notify = 55;
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &bad, &out), EINVAL);
}

TEST(cpu_time_timer_fires_after_cpu_time)
{
	on_signal(SIGUSR1, count, 0);
	int id = make_timer(CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1);
	arm(id, 0, 20 * MSEC, 0);
	sleep_ns(50 * MSEC);
	CHECK_EQ(g_count, 0);
	long long start = now_ns(CLOCK_MONOTONIC);
	while (!g_count && now_ns(CLOCK_MONOTONIC) - start < 8 * SEC)
		continue;
	CHECK_EQ(g_count, 1);
}

TEST(times_and_getrusage_count)
{
	struct tms tms;
	struct rusage ru;

	burn(50 * MSEC);
	CHECK(times(&tms) > 0);
	CHECK(tms.tms_utime + tms.tms_stime >= 2);
	OK(getrusage(RUSAGE_SELF, &ru));
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec + ru.ru_stime.tv_sec * 1000000 +
			ru.ru_stime.tv_usec >=
		40000);
	CHECK(ru.ru_minflt > 0);
	OK(getrusage(RUSAGE_THREAD, &ru));
	CHECK_ERR(getrusage(99, &ru), EINVAL);
	CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, BAD_PTR), EFAULT);
	long nvcsw = ru.ru_nvcsw;
	sleep_ns(20 * MSEC);
	OK(getrusage(RUSAGE_THREAD, &ru));
	CHECK(ru.ru_nvcsw > nvcsw);
}

TEST(clock_settime_steps_the_real_time_clock)
{
	long long offset = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	struct timespec ts = ts_of(now_ns(CLOCK_REALTIME) + 1000 * SEC);
	int set = clock_settime(CLOCK_REALTIME, &ts);

	CHECK_EQ(set, 0);
	long long moved = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC) - offset;
	ts = ts_of(now_ns(CLOCK_MONOTONIC) + offset);
	OK(clock_settime(CLOCK_REALTIME, &ts));
	CHECK(moved > 999 * SEC && moved < 1001 * SEC);
}

TEST(adjtimex_reads)
{
	struct timex tx = {0};

	CHECK(OK(adjtimex(&tx)) >= 0);
	CHECK(tx.tick > 9000 && tx.tick < 11000);
}

TEST(adjtimex_moves_the_clock_and_tells_it_in_either_unit)
{
	struct timex tx = {.modes = ADJ_SETOFFSET, .time = {100, 500000}};
	long long before = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC), after;

	CHECK_EQ(OK(adjtimex(&tx)), TIME_ERROR);
	CHECK(!(tx.status & STA_NANO) && tx.time.tv_usec < 1000000);
	after = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	CHECK(after - before > 100490 * MSEC && after - before < 100510 * MSEC);
	tx = (struct timex){.modes = ADJ_SETOFFSET | ADJ_NANO, .time = {-101, 500000000}};
	CHECK_EQ(OK(clock_adjtime(CLOCK_REALTIME, &tx)), TIME_ERROR);
	CHECK_EQ(tx.status & STA_NANO, STA_NANO);
	CHECK_EQ(tx.modes, ADJ_SETOFFSET | ADJ_NANO);
	after = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_MONOTONIC);
	CHECK(llabs(after - before) < 10 * MSEC);
	tx = (struct timex){.modes = ADJ_MICRO};
	CHECK_EQ(OK(adjtimex(&tx)), TIME_ERROR);
	CHECK_EQ(tx.status & STA_NANO, 0);
	tx = (struct timex){.modes = ADJ_SETOFFSET, .time = {0, 1000000}};
	CHECK_ERR(adjtimex(&tx), EINVAL);
	tx = (struct timex){.modes = ADJ_SETOFFSET, .time = {0, -1}};
	CHECK_ERR(adjtimex(&tx), EINVAL);
}

TEST(adjtimex_that_changes_needs_a_capability)
{
	pid_t pid = FORK();

	if (!pid) {
		struct timex tx = {0};

		become_user(1000, 1000);
		OK(adjtimex(&tx));
		tx = (struct timex){.modes = ADJ_OFFSET_SS_READ};
		OK(adjtimex(&tx));
		CHECK_EQ(tx.offset, 0);
		tx = (struct timex){.modes = ADJ_SETOFFSET};
		CHECK_ERR(adjtimex(&tx), EPERM);
		tx = (struct timex){.modes = ADJ_MICRO};
		CHECK_ERR(adjtimex(&tx), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(timers_count_as_pending_signals)
{
	struct rlimit lim = {40, 40};
	int n = 0, err = 0;
	timer_t t;

	OK(setrlimit(RLIMIT_SIGPENDING, &lim));
	while (n < 100) {
		struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};

		if (timer_create(CLOCK_MONOTONIC, &ev, &t) != 0) {
			err = errno;
			break;
		}
		n++;
	}
	CHECK_EQ(err, EAGAIN);
	CHECK(n > 0 && n <= 40);
}
