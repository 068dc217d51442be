/* SPDX-License-Identifier: MIT */
/* epoll: readiness by level and edge, one-shot, nesting, and what identifies an entry. */
#include "contract.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static int g_ep;

static void add(int fd, unsigned events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	OK(epoll_ctl(g_ep, EPOLL_CTL_ADD, fd, &ev));
}

static void mod(int fd, unsigned events)
{
	struct epoll_event ev = {.events = events, .data.u64 = 7};

	OK(epoll_ctl(g_ep, EPOLL_CTL_MOD, fd, &ev));
}

/* Number of ready entries now; the first one in *ev. */
static int ready(struct epoll_event *ev)
{
	struct epoll_event evs[16];
	int n = OK(epoll_wait(g_ep, evs, 16, 0));

	if (n && ev)
		*ev = evs[0];
	return n;
}

static void setup(int p[2])
{
	g_ep = OK(epoll_create1(EPOLL_CLOEXEC));
	OK(pipe2(p, O_NONBLOCK));
}

static void put(int p[2])
{
	CHECK_EQ(write(p[1], "x", 1), 1);
}

static void get(int p[2])
{
	char c;

	CHECK_EQ(read(p[0], &c, 1), 1);
}

TEST(level_triggered_reports_until_drained)
{
	struct epoll_event ev;
	int p[2];

	setup(p);
	add(p[0], EPOLLIN, 42);
	CHECK_EQ(ready(NULL), 0);
	put(p);
	CHECK_EQ(ready(&ev), 1);
	CHECK_EQ(ev.events, EPOLLIN);
	CHECK_EQ(ev.data.u64, 42);
	CHECK_EQ(ready(NULL), 1);
	get(p);
	CHECK_EQ(ready(NULL), 0);
}

TEST(edge_triggered_reports_once_per_arrival)
{
	int p[2];

	setup(p);
	add(p[0], EPOLLIN | EPOLLET, 1);
	put(p);
	CHECK_EQ(ready(NULL), 1);
	CHECK_EQ(ready(NULL), 0);
	put(p);
	CHECK_EQ(ready(NULL), 1);
	CHECK_EQ(ready(NULL), 0);
	get(p);
	CHECK_EQ(ready(NULL), 0);
}

TEST(edge_triggered_reports_what_was_ready_at_add)
{
	int p[2];

	setup(p);
	put(p);
	add(p[0], EPOLLIN | EPOLLET, 1);
	CHECK_EQ(ready(NULL), 1);
	CHECK_EQ(ready(NULL), 0);
	mod(p[0], EPOLLIN | EPOLLET);
	CHECK_EQ(ready(NULL), 1);
}

TEST(one_shot_disarms_until_MOD)
{
	int p[2];

	setup(p);
	add(p[0], EPOLLIN | EPOLLONESHOT, 1);
	put(p);
	CHECK_EQ(ready(NULL), 1);
	put(p);
	CHECK_EQ(ready(NULL), 0);
	mod(p[0], EPOLLIN | EPOLLONESHOT);
	CHECK_EQ(ready(NULL), 1);
	CHECK_EQ(ready(NULL), 0);
}

TEST(ctl_errors)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int p[2], file = new_file("f", O_RDWR, 0600);

	setup(p);
	add(p[0], EPOLLIN, 1);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_MOD, p[1], &ev), ENOENT);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_DEL, p[1], NULL), ENOENT);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, file, &ev), EPERM);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, 150, &ev), EBADF);
	CHECK_ERR(epoll_ctl(150, EPOLL_CTL_ADD, p[1], &ev), EBADF);
	CHECK_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev), EINVAL);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, g_ep, &ev), EINVAL);
	CHECK_ERR(epoll_ctl(g_ep, 99, p[0], &ev), EINVAL);
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, p[1], BAD_PTR), EFAULT);
	OK(epoll_ctl(g_ep, EPOLL_CTL_DEL, p[0], NULL));
}

TEST(wait_and_create_errors)
{
	struct epoll_event ev[2];
	int p[2];

	setup(p);
	CHECK_ERR(epoll_wait(g_ep, ev, 0, 0), EINVAL);
	CHECK_ERR(epoll_wait(g_ep, ev, -1, 0), EINVAL);
	CHECK_ERR(epoll_wait(p[0], ev, 1, 0), EINVAL);
	CHECK_ERR(epoll_wait(150, ev, 1, 0), EBADF);
	CHECK_ERR(epoll_create1(1), EINVAL);
	CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
	add(p[1], EPOLLOUT, 1);
	CHECK_ERR(syscall(SYS_epoll_wait, g_ep, BAD_PTR, 1, 0), EFAULT);
}

TEST(hang_up_and_error_are_always_reported)
{
	struct epoll_event ev;
	int p[2], q[2];

	setup(p);
	add(p[0], 0, 1);
	OK(close(p[1]));
	CHECK_EQ(ready(&ev), 1);
	CHECK_EQ(ev.events, EPOLLHUP);
	OK(close(p[0]));
	OK(pipe(q));
	add(q[1], 0, 2);
	OK(close(q[0]));
	CHECK_EQ(ready(&ev), 1);
	CHECK_EQ(ev.events, EPOLLERR);
}

TEST(close_of_the_last_descriptor_removes_the_entry)
{
	int p[2], d;

	setup(p);
	put(p);
	add(p[0], EPOLLIN, 1);
	d = OK(dup(p[0]));
	OK(close(p[0]));
	CHECK_EQ(ready(NULL), 1);
	OK(close(d));
	CHECK_EQ(ready(NULL), 0);
}

TEST(a_duplicate_is_a_separate_entry)
{
	int p[2], d;

	setup(p);
	d = OK(dup(p[0]));
	add(p[0], EPOLLIN, 1);
	add(d, EPOLLIN, 2);
	put(p);
	CHECK_EQ(ready(NULL), 2);
}

TEST(maxevents_limits_and_the_rest_comes_next)
{
	struct epoll_event ev[4];
	int fds[4], seen = 0;

	g_ep = OK(epoll_create1(0));
	for (int i = 0; i < 4; i++) {
		fds[i] = OK(eventfd(1, EFD_NONBLOCK));
		add(fds[i], EPOLLIN, 1 << i);
	}
	for (int round = 0; round < 2; round++) {
		CHECK_EQ(epoll_wait(g_ep, ev, 2, 0), 2);
		seen |= ev[0].data.u64 | ev[1].data.u64;
	}
	CHECK_EQ(seen, 15);
}

TEST(nested_epoll_becomes_readable)
{
	int p[2], inner;

	setup(p);
	inner = g_ep;
	add(p[0], EPOLLIN, 1);
	g_ep = OK(epoll_create1(0));
	add(inner, EPOLLIN, 2);
	CHECK_EQ(ready(NULL), 0);
	put(p);
	CHECK_EQ(ready(NULL), 1);
	struct pollfd pfd = {.fd = g_ep, .events = POLLIN};
	CHECK_EQ(poll(&pfd, 1, 0), 1);
	get(p);
	CHECK_EQ(ready(NULL), 0);
	CHECK_EQ(poll(&pfd, 1, 0), 0);
}

TEST(loops_and_deep_nesting_are_ELOOP)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int a = OK(epoll_create1(0)), b = OK(epoll_create1(0));

	OK(epoll_ctl(a, EPOLL_CTL_ADD, b, &ev));
	CHECK_ERR(epoll_ctl(b, EPOLL_CTL_ADD, a, &ev), ELOOP);
	int last = OK(epoll_create1(0));
	int i;
	for (i = 0; i < 8; i++) {
		int next = OK(epoll_create1(0));

		if (epoll_ctl(next, EPOLL_CTL_ADD, last, &ev))
			break;
		last = next;
	}
	CHECK(i < 8);
}

TEST(wait_wakes_when_an_event_arrives)
{
	struct epoll_event ev;
	int p[2];
	pid_t parent = getpid();

	setup(p);
	add(p[0], EPOLLIN, 5);
	if (!FORK()) {
		await_sleep(parent);
		put(p);
		_exit(0);
	}
	CHECK_EQ(epoll_wait(g_ep, &ev, 1, -1), 1);
	CHECK_EQ(ev.data.u64, 5);
}

TEST(entry_added_while_another_thread_waits_is_seen)
{
	struct epoll_event ev;
	int p[2];
	pid_t parent = getpid();

	setup(p);
	put(p);
	pid_t pid = syscall(SYS_clone, 0x400 /* CLONE_FILES */ | SIGCHLD, 0, 0, 0, 0);
	if (!pid) {
		await_sleep(parent);
		add(p[0], EPOLLIN, 5);
		_exit(0);
	}
	CHECK_EQ(epoll_wait(g_ep, &ev, 1, -1), 1);
}

TEST(timeout_is_kept)
{
	struct epoll_event ev;
	long long start = now_ns(CLOCK_MONOTONIC);
	struct timespec ts = ts_of(20 * MSEC), bad = {0, -1};

	g_ep = OK(epoll_create1(0));
	CHECK_EQ(epoll_wait(g_ep, &ev, 1, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MSEC);
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(syscall(SYS_epoll_pwait2, g_ep, &ev, 1, &ts, NULL, 8), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - start >= 20 * MSEC);
	CHECK_ERR(syscall(SYS_epoll_pwait2, g_ep, &ev, 1, &bad, NULL, 8), EINVAL);
}

static volatile sig_atomic_t g_signals;

static void count(int sig)
{
	(void)sig;
	g_signals++;
}

TEST(epoll_pwait_swaps_the_mask)
{
	struct epoll_event ev;
	sigset_t set, none;

	g_ep = OK(epoll_create1(0));
	on_signal(SIGUSR1, count, 0);
	sigemptyset(&none);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(raise(SIGUSR1));
	CHECK_EQ(epoll_pwait(g_ep, &ev, 1, 10, &set), 0);
	CHECK_EQ(g_signals, 0);
	CHECK_ERR(epoll_pwait(g_ep, &ev, 1, -1, &none), EINTR);
	CHECK_EQ(g_signals, 1);
}

TEST(exclusive_wakes_at_least_one_waiter)
{
	int p[2], done[2];
	char c;

	setup(p);
	OK(pipe(done));
	for (int i = 0; i < 3; i++) {
		pid_t pid = FORK();

		if (!pid) {
			struct epoll_event ev;

			g_ep = OK(epoll_create1(0));
			add(p[0], EPOLLIN | EPOLLEXCLUSIVE, 1);
			CHECK_EQ(epoll_wait(g_ep, &ev, 1, -1), 1);
			CHECK_EQ(write(done[1], "d", 1), 1);
			_exit(0);
		}
		await_sleep(pid);
	}
	put(p);
	CHECK_EQ(read(done[0], &c, 1), 1);
	struct epoll_event ev = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	int q[2];
	OK(pipe(q));
	OK(epoll_ctl(g_ep, EPOLL_CTL_ADD, q[0], &ev));
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_MOD, q[0], &ev), EINVAL);
	ev.events |= EPOLLONESHOT;
	CHECK_ERR(epoll_ctl(g_ep, EPOLL_CTL_ADD, q[1], &ev), EINVAL);
}

TEST(fdinfo_lists_the_entries)
{
	int p[2];
	char path[64], want[32];

	setup(p);
	add(p[0], EPOLLIN, 0xabc);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", g_ep);
	snprintf(want, sizeof(want), "tfd: %8d events:", p[0]);
	char *text = read_text(path);
	CHECK(strstr(text, want));
	CHECK(strstr(text, "data:              abc"));
}

TEST(a_signalfd_outlives_the_child_that_watched_it)
{
	for (int i = 0; i < 30; i++) {
		struct epoll_event ev = {.events = EPOLLIN};
		sigset_t set;
		pid_t pid;
		int fd, status;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		g_ep = OK(epoll_create1(0));
		fd = OK(signalfd(-1, &set, 0));
		pid = OK(fork());
		if (!pid)
			_exit(epoll_ctl(g_ep, EPOLL_CTL_ADD, fd, &ev) != 0);
		OK(waitpid(pid, &status, 0));
		CHECK_EQ(status, 0);
		if (i % 10 == 0)
			usleep(50000);
		OK(close(fd));
		OK(close(g_ep));
	}
}

/* 1: as too many paths. */
static int link_refused(int outer, int inner)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int r = epoll_ctl(outer, EPOLL_CTL_ADD, inner, &ev), err = errno;

	if (r != 0)
		CHECK_EQ(err, EINVAL);
	return r != 0;
}

TEST(wake_up_paths_through_nested_instances_are_limited)
{
	int level[4][24], refused = 0, fd = OK(eventfd(0, EFD_NONBLOCK));
	struct epoll_event ev = {.events = EPOLLIN};

	for (int l = 0; l < 4; l++)
		for (int i = 0; i < 24; i++)
			level[l][i] = OK(epoll_create1(EPOLL_CLOEXEC));
	for (int i = 0; i < 24; i++)
		OK(epoll_ctl(level[0][i], EPOLL_CTL_ADD, fd, &ev));
	for (int l = 1; l < 4; l++)
		for (int i = 0; i < 24; i++)
			for (int k = 0; k < 24; k++)
				refused += link_refused(level[l][i], level[l - 1][k]);
	CHECK(refused > 0);
	OK(eventfd_write(fd, 1));
	for (int l = 0; l < 4; l++)
		for (int i = 0; i < 24; i++)
			OK(close(level[l][i]));
	OK(close(fd));
}

TEST(own_writes_to_a_pipe_are_no_edges_of_its_writing_end)
{
	int p[2];

	setup(p);
	add(p[1], EPOLLOUT | EPOLLET, 1);
	CHECK_EQ(ready(NULL), 1);
	for (int i = 0; i < 100; i++) {
		put(p);
		CHECK_EQ(ready(NULL), 0);
	}
}

TEST(a_tee_without_room_is_no_edge_of_its_input)
{
	static char page[4096];
	int p[2], full[2];

	setup(p);
	OK(pipe2(full, O_NONBLOCK));
	while (write(full[1], page, sizeof(page)) > 0)
		;
	put(p);
	add(p[0], EPOLLIN | EPOLLET, 1);
	CHECK_EQ(ready(NULL), 1);
	for (int i = 0; i < 100; i++) {
		CHECK_ERR(tee(p[0], full[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
		CHECK_EQ(ready(NULL), 0);
	}
}
