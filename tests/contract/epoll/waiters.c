/* SPDX-License-Identifier: MIT */
/* epoll: several waiters on one instance, and instances that watch instances. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int g_ep, g_event;

static void watch(int ep, int fd, unsigned events)
{
	struct epoll_event ev = {.events = events};

	OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

static void setup(unsigned events)
{
	g_ep = OK(epoll_create1(0));
	g_event = OK(eventfd(0, EFD_NONBLOCK));
	watch(g_ep, g_event, events);
}

static void raise_event(int fd)
{
	uint64_t one = 1;

	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
}

static void start_waiters(pid_t *pid, int n)
{
	for (int i = 0; i < n; i++) {
		pid[i] = FORK();
		if (!pid[i]) {
			struct epoll_event ev;

			CHECK_EQ(epoll_wait(g_ep, &ev, 1, -1), 1);
			_exit(0);
		}
		await_sleep(pid[i]);
	}
}

TEST(a_level_triggered_event_wakes_one_waiter_after_the_other)
{
	pid_t pid[3];

	setup(EPOLLIN);
	start_waiters(pid, 3);
	raise_event(g_event);
	for (int i = 0; i < 3; i++)
		expect_exit(pid[i], 0);
}

TEST(events_beyond_a_waiters_room_wake_the_next)
{
	int second = OK(eventfd(0, EFD_NONBLOCK));
	pid_t pid[2];

	setup(EPOLLIN | EPOLLET);
	watch(g_ep, second, EPOLLIN | EPOLLET);
	start_waiters(pid, 2);
	raise_event(g_event);
	raise_event(second);
	expect_exit(pid[0], 0);
	expect_exit(pid[1], 0);
}

static volatile bool g_stop;

static void *collect_always(void *arg)
{
	struct epoll_event ev;

	(void)arg;
	while (!g_stop)
		(void)!epoll_wait(g_ep, &ev, 1, 0);
	return NULL;
}

/* Whoever collects takes level-triggered items off the list for a moment: nobody may see that. */
TEST(what_is_ready_stays_ready_while_others_collect)
{
	struct pollfd pfd;
	int outer = OK(epoll_create1(0));
	pthread_t t;

	setup(EPOLLIN);
	raise_event(g_event);
	watch(outer, g_ep, EPOLLIN);
	CHECK_PT(pthread_create(&t, NULL, collect_always, NULL));
	for (int i = 0; i < 3000; i++) {
		struct epoll_event ev;

		pfd = (struct pollfd){.fd = g_ep, .events = POLLIN};
		CHECK_EQ(poll(&pfd, 1, 0), 1);
		CHECK_EQ(epoll_wait(outer, &ev, 1, 0), 1);
	}
	g_stop = true;
	CHECK_PT(pthread_join(t, NULL));
}

#define TURNS 3000

static int g_ping, g_pong;

static void await_by_poll(int fd)
{
	struct pollfd pfd[2] = {{.fd = fd, .events = POLLIN}, {.fd = g_ep, .events = POLLOUT}};
	uint64_t n;

	CHECK_EQ(poll(pfd, 2, -1), 1); /* an instance is never writable */
	CHECK_EQ(read(fd, &n, sizeof(n)), sizeof(n));
}

static void *answer(void *arg)
{
	(void)arg;
	for (int i = 0; i < TURNS; i++) {
		await_by_poll(g_ping);
		raise_event(g_pong);
	}
	return NULL;
}

TEST(poll_loses_no_wake_up)
{
	pthread_t t;

	setup(EPOLLIN);
	g_ping = OK(eventfd(0, EFD_NONBLOCK));
	g_pong = OK(eventfd(0, EFD_NONBLOCK));
	CHECK_PT(pthread_create(&t, NULL, answer, NULL));
	for (int i = 0; i < TURNS; i++) {
		raise_event(g_ping);
		await_by_poll(g_pong);
	}
	CHECK_PT(pthread_join(t, NULL));
}

static void set_watches(const char *text)
{
	write_file("/proc/sys/fs/epoll/max_user_watches", text);
}

static int add_two(void)
{
	int ep = OK(epoll_create1(0)), a = OK(eventfd(0, 0)), b = OK(eventfd(0, 0));
	struct epoll_event ev = {.events = EPOLLIN};

	become_user(4321, 4321);
	ep = OK(epoll_create1(0));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, a, &ev));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev), ENOSPC);
	OK(epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL));
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, b, &ev));
	return 0;
}

TEST(max_user_watches_limits_the_entries_of_a_user)
{
	char was[32];
	int status;

	snprintf(was, sizeof(was), "%s", read_text("/proc/sys/fs/epoll/max_user_watches"));
	CHECK(atoi(was) > 100);
	set_watches("1");
	pid_t pid = FORK();
	if (!pid)
		_exit(add_two());
	status = wait_status(pid);
	set_watches(was);
	CHECK_EQ(status, 0);
}

/* Instances that watch the event come and go, as fast as they can. */
static void *watch_and_close(void *arg)
{
	while (!g_stop) {
		int ep = OK(epoll_create1(0));

		watch(ep, *(int *)arg, EPOLLIN);
		OK(close(ep));
	}
	return NULL;
}

TEST(nesting_is_judged_right_while_other_instances_come_and_go)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int event = OK(eventfd(0, EFD_NONBLOCK)), level[6];
	pthread_t thread[2];

	g_stop = false;
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&thread[i], NULL, watch_and_close, &event));
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 6; i++)
			level[i] = OK(epoll_create1(0));
		watch(level[0], event, EPOLLIN);
		for (int i = 1; i < 5; i++) /* upwards, with whoever watches below */
			watch(level[i], level[i - 1], EPOLLIN);
		CHECK_ERR(epoll_ctl(level[5], EPOLL_CTL_ADD, level[4], &ev), ELOOP);
		CHECK_ERR(epoll_ctl(level[0], EPOLL_CTL_ADD, level[3], &ev), ELOOP);
		for (int i = 0; i < 6; i++)
			OK(close(level[(i + round) % 6]));
	}
	g_stop = true;
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(thread[i], NULL));
}

/* Removed from under it, and closed from above: a file with many watchers. */
TEST(a_file_forgets_many_watchers_when_it_closes)
{
	enum { MANY = 500 };
	int event = OK(eventfd(1, EFD_NONBLOCK)), ep[MANY];
	struct epoll_event ev;

	for (int i = 0; i < MANY; i++) {
		ep[i] = OK(epoll_create1(0));
		watch(ep[i], event, EPOLLIN);
	}
	CHECK_EQ(epoll_wait(ep[MANY - 1], &ev, 1, 0), 1);
	OK(close(event));
	for (int i = 0; i < MANY; i++) {
		CHECK_EQ(epoll_wait(ep[i], &ev, 1, 0), 0);
		OK(close(ep[i]));
	}
}
