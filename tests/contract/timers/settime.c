/* SPDX-License-Identifier: MIT */
/*
 * Setting the wall clock: what waits for a moment of it ends when the clock shows it, what waits
 * for a span of time doesn't notice.
 */
#include "contract.h"
#include <linux/futex.h>
#include <sys/timerfd.h>

#define HOUR (3600 * SEC)

static long long g_real, g_mono; /* what the clocks showed at the start */

static void set_real(long long ns)
{
	struct timespec ts = ts_of(ns);

	OK(clock_settime(CLOCK_REALTIME, &ts));
}

static void put_back(void)
{
	set_real(g_real + now_ns(CLOCK_MONOTONIC) - g_mono);
}

static void remember(void)
{
	g_mono = now_ns(CLOCK_MONOTONIC);
	g_real = now_ns(CLOCK_REALTIME);
}

static void jump(long long by)
{
	set_real(now_ns(CLOCK_REALTIME) + by);
}

struct sleeper {
	int (*sleep)(const struct timespec *until);
	long long until;
	pid_t tid;
	int result;
	bool done;
};

static void *run_sleeper(void *arg)
{
	struct sleeper *s = arg;
	struct timespec ts = ts_of(s->until);

	__atomic_store_n(&s->tid, gettid_raw(), __ATOMIC_RELEASE);
	s->result = s->sleep(&ts);
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static pthread_t start(struct sleeper *s)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, run_sleeper, s));
	while (!__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	await_sleep(s->tid);
	return t;
}

static uint32_t g_word;

static int sleep_in_nanosleep(const struct timespec *until)
{
	return clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, until, NULL);
}

static int sleep_in_futex(const struct timespec *until)
{
	long r = syscall(SYS_futex, &g_word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, until,
		NULL, FUTEX_BITSET_MATCH_ANY);

	return r ? errno : 0;
}

/* Forward past the deadline: the sleep ends at once. */
static void check_forward(int (*sleep)(const struct timespec *), int result)
{
	struct sleeper s = {.sleep = sleep};
	pthread_t t;

	remember();
	s.until = g_real + HOUR;
	t = start(&s);
	jump(2 * HOUR);
	CHECK_PT(pthread_join(t, NULL));
	put_back();
	CHECK_EQ(s.result, result);
	CHECK(now_ns(CLOCK_MONOTONIC) - g_mono < 10 * SEC);
}

/*
 * Back: the sleep goes on until the clock shows the time again. The clock is set to just before the
 * moment, then back; on a machine too slow to do both in time the sleep is simply over.
 */
static void check_back(int (*sleep)(const struct timespec *), int result)
{
	struct sleeper s = {.sleep = sleep};
	pthread_t t;
	long long near, back;

	remember();
	s.until = g_real + HOUR;
	t = start(&s);
	set_real(s.until - 2 * SEC);
	near = now_ns(CLOCK_MONOTONIC);
	jump(-HOUR);
	back = now_ns(CLOCK_MONOTONIC);
	sleep_ns(2200 * MSEC);
	if (back - near < 2 * SEC)
		CHECK(!__atomic_load_n(&s.done, __ATOMIC_ACQUIRE));
	jump(2 * HOUR);
	CHECK_PT(pthread_join(t, NULL));
	put_back();
	CHECK_EQ(s.result, result);
}

TEST(clock_set_forward_ends_an_absolute_sleep)
{
	check_forward(sleep_in_nanosleep, 0);
}

TEST(clock_set_back_prolongs_an_absolute_sleep)
{
	check_back(sleep_in_nanosleep, 0);
}

TEST(clock_set_forward_ends_a_futex_wait)
{
	check_forward(sleep_in_futex, ETIMEDOUT);
}

TEST(clock_set_back_prolongs_a_futex_wait)
{
	check_back(sleep_in_futex, ETIMEDOUT);
}

static int sleep_relative(const struct timespec *unused)
{
	struct timespec ts = ts_of(3 * SEC);

	(void)unused;
	return clock_nanosleep(CLOCK_REALTIME, 0, &ts, NULL);
}

TEST(setting_the_clock_leaves_a_relative_sleep_alone)
{
	struct sleeper s = {.sleep = sleep_relative};
	pthread_t t;
	long long took;

	for (int i = 0; i < 2; i++) {
		remember();
		s.tid = 0;
		t = start(&s);
		jump(i ? -HOUR : HOUR);
		CHECK_PT(pthread_join(t, NULL));
		took = now_ns(CLOCK_MONOTONIC) - g_mono;
		put_back();
		CHECK(took >= 3 * SEC && took < 20 * SEC);
	}
}

static int readable(int fd, int ms)
{
	struct pollfd p = {fd, POLLIN, 0};

	return OK(poll(&p, 1, ms));
}

TEST(timerfd_follows_the_clock_only_when_absolute)
{
	struct itimerspec its = {.it_value = ts_of(now_ns(CLOCK_REALTIME) + HOUR)}, left;
	int abs_fd = OK(timerfd_create(CLOCK_REALTIME, 0));
	int rel_fd = OK(timerfd_create(CLOCK_REALTIME, 0));

	remember();
	OK(timerfd_settime(abs_fd, TFD_TIMER_ABSTIME, &its, NULL));
	its.it_value = ts_of(HOUR);
	OK(timerfd_settime(rel_fd, 0, &its, NULL));
	jump(-HOUR);
	OK(timerfd_gettime(abs_fd, &left));
	CHECK(left.it_value.tv_sec > 7000);
	OK(timerfd_gettime(rel_fd, &left));
	CHECK(left.it_value.tv_sec > 3500 && left.it_value.tv_sec <= 3600);
	jump(3 * HOUR);
	CHECK_EQ(readable(abs_fd, 5000), 1);
	CHECK_EQ(readable(rel_fd, 0), 0);
	OK(timerfd_gettime(rel_fd, &left));
	CHECK(left.it_value.tv_sec > 3500 && left.it_value.tv_sec <= 3600);
	put_back();
	OK(close(abs_fd));
	OK(close(rel_fd));
}

TEST(posix_timer_follows_the_clock_only_when_absolute)
{
	struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec its = {.it_value = ts_of(now_ns(CLOCK_REALTIME) + HOUR)}, left;
	struct timespec wait = {10, 0};
	timer_t abs_id, rel_id;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(timer_create(CLOCK_REALTIME, &ev, &abs_id));
	ev.sigev_signo = SIGUSR2;
	OK(timer_create(CLOCK_REALTIME, &ev, &rel_id));
	remember();
	OK(timer_settime(abs_id, TIMER_ABSTIME, &its, NULL));
	its.it_value = ts_of(HOUR);
	OK(timer_settime(rel_id, 0, &its, NULL));
	jump(2 * HOUR);
	CHECK_EQ(sigtimedwait(&set, NULL, &wait), SIGUSR1);
	OK(timer_gettime(rel_id, &left));
	CHECK(left.it_value.tv_sec > 3500 && left.it_value.tv_sec <= 3600);
	put_back();
	OK(timer_delete(abs_id));
	OK(timer_delete(rel_id));
}

TEST(timers_on_every_cpu_follow_the_clock)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t t[8];
	struct sleeper s[8] = {{0}};
	cpu_set_t all, one;

	OK(sched_getaffinity(0, sizeof(all), &all));
	remember();
	cpus = cpus > 8 ? 8 : cpus;
	for (int i = 0; i < cpus; i++) {
		s[i].sleep = sleep_in_nanosleep;
		s[i].until = g_real + HOUR;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		OK(sched_setaffinity(0, sizeof(one), &one));
		t[i] = start(&s[i]);
	}
	OK(sched_setaffinity(0, sizeof(all), &all));
	jump(2 * HOUR);
	for (int i = 0; i < cpus; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	put_back();
	CHECK(now_ns(CLOCK_MONOTONIC) - g_mono < 10 * SEC);
}

static struct itimerspec cancel_in(time_t seconds, long interval_ns)
{
	return (struct itimerspec){.it_value.tv_sec = seconds, .it_interval.tv_nsec = interval_ns};
}

static int set_cancel(int fd, const struct itimerspec *its)
{
	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, its, NULL);
}

TEST(a_clock_that_is_set_cancels_a_timerfd_once)
{
	struct itimerspec far = cancel_in(2000000000, 0);
	int fd = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t n;

	OK(set_cancel(fd, &far));
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	jump(SEC);
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	CHECK_ERR(read(fd, &n, 8), ECANCELED);
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
	jump(-SEC);
	CHECK_ERR(set_cancel(fd, &far), ECANCELED); /* told here, and set all the same */
	CHECK_EQ(poll(&pfd, 1, 0), 0);
	OK(timerfd_gettime(fd, &far));
	CHECK(far.it_value.tv_sec > 0);
}

TEST(a_cancelled_periodic_timerfd_that_has_fired_stays_off)
{
	struct itimerspec past = cancel_in(1, MSEC);
	int fd = OK(timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK));
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	uint64_t n;

	OK(set_cancel(fd, &past));
	CHECK_EQ(poll(&pfd, 1, -1), 1);
	jump(SEC);
	jump(-SEC);
	CHECK_ERR(read(fd, &n, 8), ECANCELED);
	sleep_ns(20 * MSEC);
	CHECK_ERR(read(fd, &n, 8), EAGAIN);
}

#define LAST_SETTABLE (INT64_MAX / 1000000000 - 30ll * 365 * 24 * 3600)

static long set_to(long long seconds)
{
	struct timespec ts = {seconds, 0};

	return clock_settime(CLOCK_REALTIME, &ts);
}

TEST(the_clock_is_set_to_what_30_years_later_still_fits)
{
	struct timespec before, up;
	struct timeval tv = {1, 0};

	OK(clock_gettime(CLOCK_REALTIME, &before));
	OK(clock_gettime(CLOCK_MONOTONIC, &up));
	CHECK_ERR(set_to(LAST_SETTABLE), EINVAL);
	CHECK_ERR(set_to(INT64_MAX / 1000000000), EINVAL);
	CHECK_ERR(set_to(INT64_MAX), EINVAL);
	CHECK_ERR(set_to(-1), EINVAL);
	if (up.tv_sec > 1) {
		CHECK_ERR(set_to(1), EINVAL); /* before the machine was started */
		CHECK_ERR(settimeofday(&tv, NULL), EINVAL);
	}
	OK(set_to(LAST_SETTABLE - 3600));
	OK(clock_settime(CLOCK_REALTIME, &before));
}

TEST(time_zones_are_kept)
{
	struct timezone tz = {0, 1}, got;

	OK(syscall(SYS_settimeofday, NULL, &tz)); /* the first: nothing to correct in UTC */
	tz.tz_minuteswest = 60;
	OK(syscall(SYS_settimeofday, NULL, &tz));
	OK(syscall(SYS_gettimeofday, NULL, &got));
	CHECK_EQ(got.tz_minuteswest, 60);
	CHECK_EQ(got.tz_dsttime, 1);
	tz.tz_minuteswest = 15 * 60 + 1;
	CHECK_ERR(syscall(SYS_settimeofday, NULL, &tz), EINVAL);
	tz = (struct timezone){0, 0};
	OK(syscall(SYS_settimeofday, NULL, &tz));
}
