/* SPDX-License-Identifier: MIT */
/* Limits and settings that are easily accepted and forgotten: each one bites. */
#include "contract.h"
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#ifndef RLIMIT_RTTIME
#define RLIMIT_RTTIME 15
#endif

static long number(const char *path)
{
	return atol(read_text(path));
}

static void set_number(const char *path, long v)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", v);
	write_file(path, text);
}

static int in_child(int (*fn)(void))
{
	pid_t pid = FORK();

	if (!pid)
		_exit(fn());
	return wait_status(pid);
}

static int burn(void)
{
	for (;;)
		continue;
	return 0;
}

/* ---- CPU time ---- */

TEST(CPU_limit_is_inherited_and_counts_from_nothing_in_the_child)
{
	struct rlimit rl = {1, 2};
	long long start;
	int st;

	OK(setrlimit(RLIMIT_CPU, &rl));
	start = now_ns(CLOCK_MONOTONIC);
	st = in_child(burn);
	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGXCPU);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 900 * MSEC);
}

/* ---- open files ---- */

static int open_many_as_user(void)
{
	struct rlimit rl = {4096, 4096};
	int n = 0;

	OK(setrlimit(RLIMIT_NOFILE, &rl));
	become_user(1000, 1000);
	while (open("/dev/null", O_RDONLY) >= 0)
		if (++n > 1000)
			return 1;
	return errno == ENFILE && n > 10 ? 0 : 2;
}

/* The file comes before the name: nothing is looked up, created or cut. */
static int create_beyond_the_limit(void)
{
	int r = open_many_as_user();

	if (r)
		return r;
	CHECK_ERR(open("d/new", O_RDWR | O_CREAT, 0600), ENFILE);
	CHECK_ERR(access("d/new", F_OK), ENOENT);
	CHECK_ERR(open("d/old", O_RDWR | O_TRUNC), ENFILE);
	CHECK_ERR(open("d", O_RDWR | O_TMPFILE, 0600), ENFILE);
	CHECK_ERR(open("missing/new", O_RDONLY), ENFILE);
	return 0;
}

static int open_many_as_root(void)
{
	struct rlimit rl = {4096, 4096};

	OK(setrlimit(RLIMIT_NOFILE, &rl));
	for (int i = 0; i < 600; i++)
		OK(open("/dev/null", O_RDONLY));
	return 0;
}

TEST(file_max_limits_open_files_of_users)
{
	long was = number("/proc/sys/fs/file-max"), used = number("/proc/sys/fs/file-nr");

	set_number("/proc/sys/fs/file-max", used + 200);
	CHECK_EQ(in_child(open_many_as_user), 0);
	CHECK_EQ(in_child(open_many_as_root), 0);
	set_number("/proc/sys/fs/file-max", was);
}

TEST(an_open_beyond_file_max_creates_nothing)
{
	long was = number("/proc/sys/fs/file-max"), used = number("/proc/sys/fs/file-nr");
	struct stat st;

	OK(mkdir("d", 0777));
	OK(chmod("d", 0777));
	write_file("d/old", "kept");
	OK(chmod("d/old", 0666));
	set_number("/proc/sys/fs/file-max", used + 200);
	int status = in_child(create_beyond_the_limit);
	set_number("/proc/sys/fs/file-max", was);
	CHECK_EQ(status, 0);
	OK(stat("d/old", &st));
	CHECK_EQ(st.st_size, 4);
}

TEST(nr_open_limits_RLIMIT_NOFILE)
{
	long was = number("/proc/sys/fs/nr_open");
	struct rlimit rl = {4096, 4096};

	set_number("/proc/sys/fs/nr_open", 2048);
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
	rl = (struct rlimit){2048, 2048};
	OK(setrlimit(RLIMIT_NOFILE, &rl));
	CHECK_ERR(fcntl(0, F_DUPFD, 2048), EINVAL);
	set_number("/proc/sys/fs/nr_open", was);
}

/* ---- real-time threads ---- */

static void become_rt(int policy)
{
	struct sched_param sp = {.sched_priority = 50};

	OK(syscall(SYS_sched_setscheduler, 0, policy, &sp));
}

static int burn_rt(void)
{
	become_rt(SCHED_FIFO);
	return burn();
}

static int limited_rt(rlim_t soft, rlim_t hard)
{
	struct rlimit rl = {soft, hard};

	OK(setrlimit(RLIMIT_RTTIME, &rl));
	return in_child(burn_rt);
}

TEST(RTTIME_limit_signals_then_kills)
{
	int st = limited_rt(300000, 10000000);

	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGXCPU);
	signal(SIGXCPU, SIG_IGN);
	st = limited_rt(200000, 400000);
	CHECK(WIFSIGNALED(st));
	CHECK_EQ(WTERMSIG(st), SIGKILL);
}

static int sleep_between(void)
{
	long long end = now_ns(CLOCK_MONOTONIC) + 1500 * MSEC;

	become_rt(SCHED_FIFO);
	while (now_ns(CLOCK_MONOTONIC) < end) {
		long long pause_at = now_ns(CLOCK_THREAD_CPUTIME_ID) + 50 * MSEC;

		while (now_ns(CLOCK_THREAD_CPUTIME_ID) < pause_at)
			continue;
		sleep_ns(MSEC);
	}
	return 0;
}

TEST(RTTIME_counts_only_time_without_sleep)
{
	struct rlimit rl = {600000, 600000};

	OK(setrlimit(RLIMIT_RTTIME, &rl));
	CHECK_EQ(in_child(sleep_between), 0);
}

static long long idle_of_cpu0(void)
{
	long long user, nice, system, idle;

	CHECK_EQ(sscanf(strstr(read_text("/proc/stat"), "cpu0 "), "cpu0 %lld %lld %lld %lld", &user,
			 &nice, &system, &idle),
		4);
	return idle * (SEC / sysconf(_SC_CLK_TCK));
}

static int burn_half(void)
{
	long long start = now_ns(CLOCK_MONOTONIC), idle = idle_of_cpu0(), ran, took;

	become_rt(SCHED_FIFO);
	while (now_ns(CLOCK_MONOTONIC) - start < 2500 * MSEC)
		continue;
	ran = now_ns(CLOCK_THREAD_CPUTIME_ID);
	took = now_ns(CLOCK_MONOTONIC) - start;
	CHECK(ran < took * 3 / 4);
	CHECK(idle_of_cpu0() - idle > took / 5);
	return 0;
}

TEST(realtime_threads_are_held_back_on_a_processor_that_nobody_wants)
{
	long was = number("/proc/sys/kernel/sched_rt_runtime_us");
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	set_number("/proc/sys/kernel/sched_rt_runtime_us", 500000);
	int status = in_child(burn_half);
	set_number("/proc/sys/kernel/sched_rt_runtime_us", was);
	CHECK_EQ(status, 0);
}

TEST(realtime_threads_leave_a_share_to_the_others)
{
	cpu_set_t one;
	long long start, ran = 0;
	int period = (int)number("/proc/sys/kernel/sched_rt_period_us");
	pid_t pid;

	CHECK_EQ(period, 1000000);
	CHECK_EQ(number("/proc/sys/kernel/sched_rt_runtime_us"), 950000);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	pid = FORK();
	if (!pid)
		burn_rt();
	start = now_ns(CLOCK_MONOTONIC);
	while (now_ns(CLOCK_MONOTONIC) < start + 5 * SEC) {
		struct timespec t;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
		ran++;
	}
	CHECK(ran > 1);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(the_share_of_realtime_threads_can_be_set)
{
	static const char *const runtime = "/proc/sys/kernel/sched_rt_runtime_us";
	int fd = OK(open(runtime, O_WRONLY));
	cpu_set_t one;
	long long start, cpu;
	pid_t pid;

	CHECK_ERR(write(fd, "2000000", 7), EINVAL); /* more than the period */
	CHECK_ERR(write(fd, "-2", 2), EINVAL);
	close(fd);
	set_number(runtime, 500000);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
	pid = FORK();
	if (!pid)
		burn_rt();
	sleep_ns(100 * MSEC);
	start = now_ns(CLOCK_MONOTONIC);
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
	while (now_ns(CLOCK_MONOTONIC) < start + 3 * SEC)
		continue;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	set_number(runtime, 950000);
	CHECK(cpu >= 600 * MSEC && cpu <= 2400 * MSEC);
}

TEST(the_round_robin_slice_can_be_set)
{
	static const char *const slice = "/proc/sys/kernel/sched_rr_timeslice_ms";
	struct timespec t;
	long was = number(slice);

	CHECK_EQ(was, 100);
	become_rt(SCHED_RR);
	set_number(slice, 20);
	OK(syscall(SYS_sched_rr_get_interval, 0, &t));
	CHECK_EQ(t.tv_sec, 0);
	CHECK(t.tv_nsec >= 16 * MSEC && t.tv_nsec <= 24 * MSEC);
	set_number(slice, was);
}

/* ---- timer slack ---- */

static long long slept(void)
{
	long long start = now_ns(CLOCK_MONOTONIC);

	sleep_ns(MSEC);
	return now_ns(CLOCK_MONOTONIC) - start;
}

static long long polled(void)
{
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_EQ(poll(NULL, 0, 1), 0);
	return now_ns(CLOCK_MONOTONIC) - start;
}

/* Slack lets sleeps end late, together with something else that is due, were it the tick. On a
 * quiet machine there is nothing else, so that of a few at least one is late indeed. */
TEST(timer_slack_lets_sleeps_be_late)
{
	long long sleeps = 0, polls = 0, prompt = SEC;

	OK(prctl(PR_SET_TIMERSLACK, 200 * MSEC));
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 200 * MSEC);
	for (int i = 0; i < 6; i++) {
		long long s = slept(), p = polled();

		CHECK(s >= MSEC && p >= MSEC);
		sleeps = s > sleeps ? s : sleeps;
		polls = p > polls ? p : polls;
	}
	CHECK(sleeps >= 3 * MSEC && polls >= 3 * MSEC);
	OK(prctl(PR_SET_TIMERSLACK, 0)); /* the default again */
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 50000);
	for (int i = 0; i < 6; i++) {
		long long s = slept();

		prompt = s < prompt ? s : prompt;
	}
	CHECK(prompt >= MSEC && prompt < sleeps);
}

TEST(timer_slack_of_realtime_threads_is_nothing)
{
	become_rt(SCHED_FIFO);
	OK(prctl(PR_SET_TIMERSLACK, 500 * MSEC));
	CHECK(slept() < 300 * MSEC);
}

static int put(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY)), err = write(fd, text, strlen(text)) < 0 ? errno : 0;

	OK(close(fd));
	return err;
}

static void expect_number(const char *path, const char *text, int want)
{
	CHECK_EQ(put(path, text), 0);
	CHECK_EQ(atoi(read_text(path)), want);
}

TEST(numbers_are_taken_with_blanks_prefixes_and_what_follows)
{
	static const char path[] = "/proc/sys/vm/overcommit_ratio",
			  adj[] = "/proc/self/oom_score_adj";
	int before = atoi(read_text(path));
	char text[16];

	expect_number(path, " 41 \n", 41);
	expect_number(path, "0x2a\n", 42);
	expect_number(path, "43\t", 43);
	expect_number(path, "44 99\n", 44);
	expect_number(path, "055", 45);
	CHECK_EQ(put(path, "+46\n"), EINVAL);
	CHECK_EQ(put(path, "47x\n"), EINVAL);
	CHECK_EQ(put(path, "x"), EINVAL);
	snprintf(text, sizeof(text), "%d\n", before);
	expect_number(path, text, before);
	expect_number(adj, " 5 \n", 5);
	expect_number(adj, "0x10", 16);
	expect_number(adj, "+7\n", 7);
	CHECK_EQ(put(adj, "5 6\n"), EINVAL);
	CHECK_EQ(put(adj, "1001"), EINVAL);
}
