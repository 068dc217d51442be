/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select and pselect6. */
#include "contract.h"
#include <sys/select.h>

static volatile sig_atomic_t g_count;

static void count(int sig)
{
	(void)sig;
	g_count++;
}

TEST(poll_reports_each_kind)
{
	int p[2], file = new_file("f", O_RDWR, 0600);

	OK(pipe(p));
	struct pollfd fds[] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {file, POLLIN | POLLOUT, 0},
		{150, POLLIN, 0}, {-1, POLLIN, 99}};

	CHECK_EQ(poll(fds, 5, 0), 3);
	CHECK_EQ(fds[0].revents, 0);
	CHECK_EQ(fds[1].revents, POLLOUT);
	CHECK_EQ(fds[2].revents, POLLIN | POLLOUT);
	CHECK_EQ(fds[3].revents, POLLNVAL);
	CHECK_EQ(fds[4].revents, 0);
}

TEST(poll_timeout_and_errors)
{
	struct pollfd pfd = {0};
	long long start = now_ns(CLOCK_MONOTONIC);
	struct timespec bad = {0, -5};
	struct rlimit rl;

	CHECK_EQ(poll(NULL, 0, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MSEC);
	CHECK_ERR(syscall(SYS_poll, BAD_PTR, 1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_ppoll, &pfd, 0, &bad, NULL, 8), EINVAL);
	CHECK_ERR(syscall(SYS_ppoll, &pfd, 0, NULL, &pfd, 4), EINVAL);
	OK(getrlimit(RLIMIT_NOFILE, &rl));
	CHECK_ERR(syscall(SYS_poll, &pfd, rl.rlim_cur + 1, 0), EINVAL);
}

TEST(poll_same_descriptor_twice)
{
	int p[2];

	OK(pipe(p));
	CHECK_EQ(write(p[1], "x", 1), 1);
	struct pollfd fds[] = {{p[0], POLLIN, 0}, {p[0], POLLIN, 0}};
	CHECK_EQ(poll(fds, 2, -1), 2);
}

TEST(poll_wakes_on_any_of_many)
{
	struct pollfd fds[20];
	int last[2];
	pid_t parent = getpid();

	for (int i = 0; i < 20; i++) {
		OK(pipe(last));
		fds[i] = (struct pollfd){last[0], POLLIN, 0};
	}
	if (!FORK()) {
		await_sleep(parent);
		CHECK_EQ(write(last[1], "x", 1), 1);
		_exit(0);
	}
	CHECK_EQ(poll(fds, 20, -1), 1);
	CHECK_EQ(fds[19].revents, POLLIN);
}

TEST(ppoll_updates_the_remaining_time)
{
	struct timespec ts = ts_of(30 * MSEC);

	CHECK_EQ(syscall(SYS_ppoll, NULL, 0, &ts, NULL, 8), 0);
	CHECK_EQ(ts.tv_sec, 0);
	CHECK_EQ(ts.tv_nsec, 0);
}

TEST(ppoll_delivers_a_signal_that_its_mask_lets_through)
{
	sigset_t set, none;
	struct timespec ts = {5, 0};

	on_signal(SIGUSR1, count, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(raise(SIGUSR1));
	CHECK_ERR(ppoll(NULL, 0, &ts, &none), EINTR);
	CHECK_EQ(g_count, 1);
	OK(sigprocmask(SIG_BLOCK, NULL, &none));
	CHECK_EQ(sigismember(&none, SIGUSR1), 1);
}

TEST(select_marks_ready_descriptors)
{
	int p[2];
	fd_set r, w, e;

	OK(pipe(p));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	FD_SET(p[0], &e);
	struct timeval tv = {0, 0};
	CHECK_EQ(select(p[1] + 1, &r, &w, &e, &tv), 1);
	CHECK(!FD_ISSET(p[0], &r));
	CHECK(FD_ISSET(p[1], &w));
	CHECK(!FD_ISSET(p[0], &e));
}

TEST(select_errors)
{
	fd_set r;
	struct timeval tv = {0, 0}, bad = {-1, 0};

	FD_ZERO(&r);
	FD_SET(150, &r);
	CHECK_ERR(select(151, &r, NULL, NULL, &tv), EBADF);
	CHECK_ERR(syscall(SYS_select, -1, NULL, NULL, NULL, &tv), EINVAL);
	CHECK_ERR(syscall(SYS_select, 0, NULL, NULL, NULL, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_select, 10, BAD_PTR, NULL, NULL, &tv), EFAULT);
}

TEST(select_timeout_is_written_back)
{
	struct timeval tv = {0, 30000};
	long long start = now_ns(CLOCK_MONOTONIC);

	CHECK_EQ(syscall(SYS_select, 0, NULL, NULL, NULL, &tv), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 30 * MSEC);
	CHECK_EQ(tv.tv_sec * 1000000 + tv.tv_usec, 0);
	int p[2];
	fd_set w;
	OK(pipe(p));
	FD_ZERO(&w);
	FD_SET(p[1], &w);
	tv = (struct timeval){100, 0};
	CHECK_EQ(syscall(SYS_select, p[1] + 1, NULL, &w, NULL, &tv), 1);
	CHECK(tv.tv_sec >= 90 && tv.tv_sec <= 100);
}

TEST(pselect_applies_its_mask_only_while_waiting)
{
	sigset_t set, none;
	struct timespec ts = {5, 0};

	on_signal(SIGUSR1, count, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(raise(SIGUSR1));
	CHECK_ERR(pselect(0, NULL, NULL, NULL, &ts, &none), EINTR);
	CHECK_EQ(g_count, 1);
}

TEST(select_with_end_of_file_is_readable)
{
	int p[2];
	fd_set r;
	struct timeval tv = {0, 0};

	OK(pipe(p));
	OK(close(p[1]));
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK_EQ(select(p[0] + 1, &r, NULL, NULL, &tv), 1);
}

struct closing {
	int waited[2], other[2];
	pid_t waiter;
};

static void *close_then_write(void *arg)
{
	struct closing *c = arg;

	await_sleep(c->waiter);
	close(c->waited[0]);
	CHECK_EQ(write(c->other[1], "x", 1), 1);
	return NULL;
}

/* It is open when the wait begins; another thread closes it; the other one becomes ready. */
TEST(select_finds_a_descriptor_ready_that_was_closed_while_it_waited)
{
	for (int sets = 1; sets < 8; sets++) {
		struct closing c = {.waiter = gettid_raw()};
		fd_set in[3];
		pthread_t t;

		OK(pipe(c.waited));
		OK(pipe(c.other));
		for (int k = 0; k < 3; k++) {
			FD_ZERO(&in[k]);
			if (sets >> k & 1)
				FD_SET(c.waited[0], &in[k]);
		}
		FD_SET(c.other[0], &in[0]);
		CHECK_PT(pthread_create(&t, NULL, close_then_write, &c));
		CHECK_EQ(select(c.other[0] + 1, &in[0], &in[1], &in[2], NULL),
			__builtin_popcount((unsigned int)sets) + 1);
		for (int k = 0; k < 3; k++)
			CHECK_EQ(!!FD_ISSET(c.waited[0], &in[k]), sets >> k & 1);
		CHECK(FD_ISSET(c.other[0], &in[0]));
		CHECK_PT(pthread_join(t, NULL));
		OK(close(c.waited[1]));
		OK(close(c.other[0]));
		OK(close(c.other[1]));
	}
}
