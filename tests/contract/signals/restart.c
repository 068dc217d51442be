/* SPDX-License-Identifier: MIT */
/*
 * What an interrupted call does, call by call: EINTR, restart under SA_RESTART, or going on with
 * the remaining time. A child waits until the test sleeps in the call, sends SIGUSR1, and ends
 * the call in a defined way when the test sleeps again.
 */
#include "contract.h"
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/select.h>

static volatile sig_atomic_t g_count;

static void count(int sig)
{
	(void)sig;
	g_count++;
}

static void interrupt_me(int flags)
{
	pid_t parent = getpid();

	on_signal(SIGUSR1, count, flags);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(0);
	}
}

/* Also writes to fd once the caller sleeps again. */
static void interrupt_then_write(int flags, int fd, const void *data, size_t len)
{
	pid_t parent = getpid();

	on_signal(SIGUSR1, count, flags);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		sleep_ns(20 * MSEC);
		await_sleep(parent);
		CHECK_EQ(write(fd, data, len), len);
		_exit(0);
	}
}

TEST(pause_is_EINTR_even_with_SA_RESTART)
{
	interrupt_me(SA_RESTART);
	CHECK_ERR(pause(), EINTR);
	CHECK_EQ(g_count, 1);
}

TEST(poll_is_EINTR_even_with_SA_RESTART)
{
	interrupt_me(SA_RESTART);
	CHECK_ERR(poll(NULL, 0, -1), EINTR);
}

TEST(select_is_EINTR_even_with_SA_RESTART)
{
	interrupt_me(SA_RESTART);
	CHECK_ERR(select(0, NULL, NULL, NULL, NULL), EINTR);
}

TEST(epoll_wait_is_EINTR_even_with_SA_RESTART)
{
	struct epoll_event ev;
	int ep = OK(epoll_create1(0));

	interrupt_me(SA_RESTART);
	CHECK_ERR(epoll_wait(ep, &ev, 1, -1), EINTR);
}

TEST(nanosleep_is_EINTR_and_gives_the_rest)
{
	struct timespec ts = {100, 0}, rem = {0, 0};

	interrupt_me(SA_RESTART);
	CHECK_ERR(nanosleep(&ts, &rem), EINTR);
	CHECK(rem.tv_sec >= 80 && rem.tv_sec < 100);
}

TEST(absolute_clock_nanosleep_leaves_the_rest_alone)
{
	struct timespec ts = ts_of(now_ns(CLOCK_MONOTONIC) + 100 * SEC), rem = {7, 7};

	interrupt_me(SA_RESTART);
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem), EINTR);
	CHECK_EQ(rem.tv_sec, 7);
}

TEST(read_of_eventfd_restarts_with_SA_RESTART_only)
{
	int fd = OK(eventfd(0, 0));
	uint64_t value = 3;

	interrupt_then_write(SA_RESTART, fd, &value, 8);
	value = 0;
	CHECK_EQ(read(fd, &value, 8), 8);
	CHECK_EQ(value, 3);
	CHECK_EQ(g_count, 1);
	OK(wait(NULL));
	interrupt_me(0);
	CHECK_ERR(read(fd, &value, 8), EINTR);
}

TEST(flock_restarts_or_EINTR)
{
	int a = new_file("f", O_RDWR, 0600), b = OK(open("f", O_RDWR));

	OK(flock(a, LOCK_EX));
	interrupt_me(0);
	CHECK_ERR(flock(b, LOCK_EX), EINTR);
}

TEST(fcntl_lock_wait_is_EINTR_without_SA_RESTART)
{
	struct flock fl = {.l_type = F_WRLCK};
	int fd = new_file("f", O_RDWR, 0600);
	struct gate g = gate_make(), hold = gate_make();

	if (!FORK()) {
		OK(fcntl(fd, F_SETLK, &fl));
		gate_open(g);
		gate_wait(hold);
		_exit(0);
	}
	gate_wait(g);
	interrupt_me(0);
	CHECK_ERR(fcntl(fd, F_SETLKW, &fl), EINTR);
	gate_open(hold);
}

TEST(futex_wait_without_timeout_restarts)
{
	static int *word;
	pid_t parent = getpid();

	word = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	on_signal(SIGUSR1, count, SA_RESTART);
	if (!FORK()) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		sleep_ns(20 * MSEC);
		await_sleep(parent);
		CHECK_EQ(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
		_exit(0);
	}
	OK(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0));
	CHECK_EQ(g_count, 1);
}

/* The child sleeps again and again: however late the parent looks, there is a sleep to stop. */
TEST(stop_and_continue_do_not_interrupt_nanosleep)
{
	bool *stopped = OK(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid) {
		struct timespec ts = ts_of(300 * MSEC);

		while (!__atomic_load_n(stopped, __ATOMIC_ACQUIRE)) {
			long long start = now_ns(CLOCK_MONOTONIC);

			OK(nanosleep(&ts, NULL));
			CHECK(now_ns(CLOCK_MONOTONIC) - start >= 300 * MSEC);
		}
		_exit(0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGSTOP));
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	__atomic_store_n(stopped, true, __ATOMIC_RELEASE);
	OK(kill(pid, SIGCONT));
	expect_exit(pid, 0);
}

TEST(stop_and_continue_do_not_interrupt_poll)
{
	struct gate g = gate_make();
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid) {
		struct pollfd pfd = {.fd = g.r, .events = POLLIN};

		CHECK_EQ(poll(&pfd, 1, -1), 1);
		_exit(0);
	}
	await_sleep(pid);
	OK(kill(pid, SIGSTOP));
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	OK(kill(pid, SIGCONT));
	gate_open(g);
	expect_exit(pid, 0);
}

/* The child sleeps until it is told to go on: however late the parent looks, it finds it asleep. */
TEST(ignored_signal_does_not_interrupt)
{
	struct gate g = gate_make(), end = gate_make();
	pid_t pid = FORK();

	if (!pid) {
		struct pollfd pfd = {.fd = end.r, .events = POLLIN};

		on_signal(SIGUSR1, SIG_IGN, 0);
		gate_open(g);
		CHECK_EQ(poll(&pfd, 1, -1), 1);
		_exit(0);
	}
	gate_wait(g);
	OK(kill(pid, SIGUSR1));
	await_sleep(pid);
	OK(kill(pid, SIGUSR1));
	sleep_ns(20 * MSEC); /* for a poll that was interrupted to say so, before there is input */
	gate_open(end);
	expect_exit(pid, 0);
}
