/* SPDX-License-Identifier: MIT */
/*
 * Many processes and threads at once, for a few seconds per test, all of the checks being that
 * nothing fails that may not, nothing hangs, and (by the runner's counters) nothing leaks.
 */
#include "contract.h"
#include <dirent.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define RUN_NS (3 * SEC)

static long long g_end;

static void start_clock(void)
{
	g_end = now_ns(CLOCK_MONOTONIC) + RUN_NS;
}

static bool time_left(void)
{
	return now_ns(CLOCK_MONOTONIC) < g_end;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Runs fn(index) in `nr` processes and expects all of them to exit with 0. */
static void in_processes(int nr, void (*fn)(int))
{
	pid_t pids[256];

	start_clock();
	for (int i = 0; i < nr; i++) {
		pids[i] = FORK();
		if (!pids[i]) {
			fn(i);
			_exit(0);
		}
	}
	for (int i = 0; i < nr; i++)
		expect_exit(pids[i], 0);
}

TEST(three_hundred_processes_live_at_once)
{
	struct gate go = gate_make();
	int done[2];
	char c;

	OK(pipe2(done, O_CLOEXEC));
	for (int i = 0; i < 300; i++) {
		if (FORK())
			continue;
		OK(close(done[0]));
		gate_wait(go);
		CHECK_EQ(write(done[1], "x", 1), 1);
		_exit(7);
	}
	for (int i = 0; i < 300; i++)
		gate_open(go);
	OK(close(done[1]));
	for (int i = 0; i < 300; i++) {
		int status;

		OK(wait(&status));
		CHECK_EQ(WEXITSTATUS(status), 7);
	}
	for (int i = 0; i < 300; i++)
		CHECK_EQ(read(done[0], &c, 1), 1);
	CHECK_EQ(read(done[0], &c, 1), 0);
}

static void fork_trees(int index)
{
	(void)index;
	while (time_left()) {
		pid_t pid = FORK();

		if (!pid) {
			pid_t inner = FORK();

			if (!inner)
				_exit(1);
			expect_exit(inner, 1);
			_exit(2);
		}
		expect_exit(pid, 2);
	}
}

TEST(fork_and_exit_on_all_cpus)
{
	in_processes(8, fork_trees);
}

HELPER(exit_5)
{
	return 5;
}

static void exec_loop(int index)
{
	(void)index;
	while (time_left()) {
		pid_t pid = FORK();

		if (!pid) {
			exec_helper("exit_5", NULL);
			_exit(99);
		}
		expect_exit(pid, 5);
	}
}

TEST(exec_on_all_cpus)
{
	in_processes(6, exec_loop);
}

static volatile sig_atomic_t g_signals;

static void count(int sig)
{
	(void)sig;
	g_signals++;
}

static void signal_storm(int index)
{
	uint32_t state = index + 1;
	pid_t group = getpgrp();

	while (time_left()) {
		int sig = next_random(&state) % 2 ? SIGUSR1 : SIGRTMIN + next_random(&state) % 4;

		if (next_random(&state) % 16 == 0)
			OK(kill(-group, sig));
		else
			OK(kill(getpid(), sig));
		struct timespec ts = ts_of(next_random(&state) % 100000);
		nanosleep(&ts, NULL);
	}
}

TEST(signals_between_many_processes)
{
	on_signal(SIGUSR1, count, SA_RESTART);
	for (int i = 0; i < 4; i++)
		on_signal(SIGRTMIN + i, count, SA_RESTART | (i % 2 ? SA_NODEFER : 0));
	in_processes(12, signal_storm);
}

static void stop_continue(int index)
{
	(void)index;
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			sched_yield();
	while (time_left()) {
		siginfo_t si;

		OK(kill(pid, SIGSTOP));
		OK(waitid(P_PID, pid, &si, WSTOPPED));
		OK(kill(pid, SIGCONT));
		OK(waitid(P_PID, pid, &si, WCONTINUED));
	}
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(stop_and_continue_many)
{
	in_processes(6, stop_continue);
}

static char *g_area;

static void *map_thread(void *arg)
{
	uint32_t state = (uint32_t)(uintptr_t)arg + 7;

	while (time_left()) {
		size_t pages = 1 + next_random(&state) % 64;
		char *p = OK(mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

		for (size_t i = 0; i < pages; i += 3)
			p[i * 4096] = (char)i;
		OK(mprotect(p, 4096, PROT_READ));
		for (size_t i = 0; i < pages; i += 3)
			CHECK_EQ(p[i * 4096], (char)i);
		OK(madvise(p + pages / 2 * 4096, 4096, MADV_DONTNEED));
		OK(munmap(p, pages * 4096));
		g_area[next_random(&state) % 64 * 4096 + (uintptr_t)arg]++;
		if (next_random(&state) % 32 == 0) {
			pid_t pid = FORK();

			if (!pid) {
				memset(g_area, 1, 64 * 4096);
				_exit(0);
			}
			expect_exit(pid, 0);
		}
	}
	return NULL;
}

TEST(threads_map_fault_and_fork_in_one_address_space)
{
	pthread_t t[6];

	start_clock();
	g_area = OK(
		mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (long i = 0; i < 6; i++)
		CHECK_PT(pthread_create(&t[i], NULL, map_thread, (void *)i));
	for (int i = 0; i < 6; i++)
		CHECK_PT(pthread_join(t[i], NULL));
}

static void *short_thread(void *arg)
{
	return arg;
}

static void thread_loop(int index)
{
	pthread_t t[8];
	void *ret;

	(void)index;
	while (time_left()) {
		for (long i = 0; i < 8; i++)
			CHECK_PT(pthread_create(&t[i], NULL, short_thread, (void *)i));
		for (long i = 0; i < 8; i++) {
			CHECK_PT(pthread_join(t[i], &ret));
			CHECK_EQ((long)ret, i);
		}
	}
}

TEST(threads_start_and_end_in_several_processes)
{
	in_processes(4, thread_loop);
}

static void *spin_thread(void *arg)
{
	for (;;)
		sched_yield();
	return arg;
}

static void killed_groups(int index)
{
	(void)index;
	while (time_left()) {
		pid_t pid = FORK();

		if (!pid) {
			pthread_t t;

			for (int i = 0; i < 4; i++)
				CHECK_PT(pthread_create(&t, NULL, spin_thread, NULL));
			for (;;)
				pause();
		}
		sleep_ns(MSEC);
		OK(kill(pid, SIGKILL));
		expect_signal(pid, SIGKILL);
	}
}

TEST(multithreaded_processes_are_killed_while_running)
{
	in_processes(4, killed_groups);
}

static void *exec_thread(void *arg)
{
	exec_helper("exit_5", NULL);
	return arg;
}

static void exec_from_threads(int index)
{
	(void)index;
	while (time_left()) {
		pid_t pid = FORK();

		if (!pid) {
			pthread_t t;

			CHECK_PT(pthread_create(&t, NULL, spin_thread, NULL));
			/* Two at once: one of them wins, perhaps before the second starts. */
			pthread_create(&t, NULL, exec_thread, NULL);
			pthread_create(&t, NULL, exec_thread, NULL);
			for (;;)
				pause();
		}
		expect_exit(pid, 5);
	}
}

TEST(exec_races_between_threads)
{
	in_processes(4, exec_from_threads);
}

TEST(a_token_goes_round_a_hundred_pipes)
{
	int first[2], in, p[2];
	char c = 'a';

	OK(pipe(first));
	in = first[0];
	for (int i = 0; i < 100; i++) {
		OK(pipe(p));
		pid_t pid = FORK();

		if (!pid) {
			OK(close(first[1]));
			OK(close(p[0]));
			while (read(in, &c, 1) == 1)
				CHECK_EQ(write(p[1], &c, 1), 1);
			_exit(0);
		}
		OK(close(in));
		OK(close(p[1]));
		in = p[0];
	}
	for (int round = 0; round < 20; round++) {
		CHECK_EQ(write(first[1], &c, 1), 1);
		CHECK_EQ(read(in, &c, 1), 1);
	}
	OK(close(first[1]));
	CHECK_EQ(read(in, &c, 1), 0);
	for (int i = 0; i < 100; i++)
		OK(wait(NULL));
}

static void file_churn(int index)
{
	uint32_t state = index + 100;
	char a[32], b[32];

	while (time_left()) {
		snprintf(a, sizeof(a), "d%d/f%d", next_random(&state) % 3, next_random(&state) % 8);
		snprintf(b, sizeof(b), "d%d/f%d", next_random(&state) % 3, next_random(&state) % 8);
		switch (next_random(&state) % 8) {
		case 0:
		case 1: {
			int fd = open(a, O_CREAT | O_RDWR | O_CLOEXEC, 0644);

			if (fd >= 0) {
				CHECK_EQ(write(fd, a, sizeof(a)), sizeof(a));
				close(fd);
			}
			break;
		}
		case 2:
			unlink(a);
			break;
		case 3:
			rename(a, b);
			break;
		case 4:
			link(a, b);
			break;
		case 5: {
			DIR *dir = opendir("d1");

			while (dir && readdir(dir))
				continue;
			if (dir)
				closedir(dir);
			break;
		}
		case 6:
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2);
			break;
		default:
			truncate(a, next_random(&state) % 20000);
		}
	}
}

static void churn_files_in(int processes, void (*fn)(int))
{
	char name[16];

	for (int d = 0; d < 3; d++) {
		snprintf(name, sizeof(name), "d%d", d);
		OK(mkdir(name, 0755));
	}
	in_processes(processes, fn);
	for (int d = 0; d < 3; d++) {
		for (int f = 0; f < 8; f++) {
			snprintf(name, sizeof(name), "d%d/f%d", d, f);
			unlink(name);
		}
		snprintf(name, sizeof(name), "d%d", d);
		OK(rmdir(name));
	}
}

TEST(files_are_created_renamed_and_removed_by_many)
{
	churn_files_in(6, file_churn);
}

static volatile int g_alarms;

static void count_alarm(int sig)
{
	(void)sig;
	g_alarms++;
}

static void file_churn_with_alarms(int index)
{
	struct itimerval often = {{0, 200}, {0, 200}}, never = {0};

	on_signal(SIGALRM, count_alarm, SA_RESTART);
	OK(setitimer(ITIMER_REAL, &often, NULL));
	file_churn(index);
	OK(setitimer(ITIMER_REAL, &never, NULL));
	CHECK(g_alarms > 10);
}

TEST(timers_fire_amid_changes_of_files)
{
	churn_files_in(4, file_churn_with_alarms);
}

static int g_events, g_epoll;

static void epoll_churn(int index)
{
	struct epoll_event ev = {.events = EPOLLIN | (index % 2 ? EPOLLET : 0)};
	uint64_t one = 1;

	while (time_left()) {
		int fd = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));

		OK(epoll_ctl(g_epoll, EPOLL_CTL_ADD, fd, &ev));
		CHECK_EQ(write(fd, &one, 8), 8);
		CHECK_EQ(write(g_events, &one, 8), 8);
		struct epoll_event out[4];
		OK(epoll_wait(g_epoll, out, 4, 0));
		OK(close(fd));
	}
}

TEST(one_epoll_used_by_many)
{
	struct epoll_event ev = {.events = EPOLLIN};

	g_epoll = OK(epoll_create1(EPOLL_CLOEXEC));
	g_events = OK(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	OK(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_events, &ev));
	in_processes(6, epoll_churn);
}

static int *g_lock;

static void futex_lock_loop(int index)
{
	(void)index;
	while (time_left()) {
		while (__atomic_exchange_n(g_lock, 2, __ATOMIC_ACQUIRE))
			syscall(SYS_futex, g_lock, FUTEX_WAIT, 2, NULL, NULL, 0);
		CHECK_EQ(__atomic_fetch_add(g_lock + 1, 1, __ATOMIC_RELAXED), 0);
		__atomic_fetch_sub(g_lock + 1, 1, __ATOMIC_RELAXED);
		__atomic_store_n(g_lock, 0, __ATOMIC_RELEASE);
		syscall(SYS_futex, g_lock, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
}

TEST(a_futex_lock_between_processes_holds)
{
	g_lock = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	in_processes(8, futex_lock_loop);
}

static void mixed_sleep(int index)
{
	uint32_t state = index;

	while (time_left()) {
		long long ns = next_random(&state) % (3 * MSEC), start = now_ns(CLOCK_MONOTONIC);

		sleep_ns(ns);
		CHECK(now_ns(CLOCK_MONOTONIC) - start >= ns);
	}
}

TEST(a_hundred_sleepers_wake_in_time)
{
	in_processes(100, mixed_sleep);
}

static void read_proc(int index)
{
	(void)index;
	while (time_left()) {
		DIR *dir = opendir("/proc");
		struct dirent *de;

		CHECK(dir);
		while ((de = readdir(dir))) {
			char path[300], buf[4096];
			static const char *const files[] = {"stat", "status", "maps", "cmdline"};

			if (de->d_name[0] < '1' || de->d_name[0] > '9')
				continue;
			for (int f = 0; f < 4; f++) {
				snprintf(path, sizeof(path), "/proc/%s/%s", de->d_name, files[f]);
				int fd = open(path, O_RDONLY | O_CLOEXEC);
				if (fd < 0)
					continue;
				while (read(fd, buf, sizeof(buf)) > 0)
					continue;
				close(fd);
			}
		}
		closedir(dir);
	}
}

static void proc_and_forks(int index)
{
	if (index % 2)
		read_proc(index);
	else
		fork_trees(index);
}

TEST(proc_is_read_while_processes_come_and_go)
{
	in_processes(6, proc_and_forks);
}
