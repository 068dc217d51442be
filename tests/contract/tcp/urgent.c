/* SPDX-License-Identifier: MIT */
/* Urgent data: SIGURG, the mark in the stream, poll (tcp(7), socket(7)). */
#include "contract.h"
#include "tcp.h"
#include <linux/sockios.h>
#include <sys/epoll.h>

static volatile int g_urgent, g_io;

static void on_urg(int sig)
{
	if (sig == SIGURG)
		g_urgent++;
	else
		g_io++;
}

static void await(volatile int *count, int n)
{
	for (int i = 0; *count < n && i < 5000; i++)
		sleep_ns(MSEC);
	CHECK_EQ(*count, n);
}

static int at_mark(int s)
{
	int v = -1;

	OK(ioctl(s, SIOCATMARK, &v));
	return v;
}

TEST(the_owner_gets_sigurg_without_asking_for_signals)
{
	int end[2];

	tcp_lo_up();
	on_signal(SIGURG, on_urg, 0);
	EACH_FAMILY(f)
	{
		g_urgent = 0;
		tcp_pair(f, end);
		OK(fcntl(end[1], F_SETOWN, getpid()));
		CHECK_EQ(send(end[0], "ab", 2, 0), 2);
		CHECK_EQ(send(end[0], "cU", 2, MSG_OOB), 2);
		await(&g_urgent, 1);
		CHECK_EQ(tcp_poll_for(end[1], POLLPRI), POLLPRI);
		close(end[0]);
		close(end[1]);
	}
}

TEST(an_owner_is_set_by_ioctl_too_and_a_group_is_negative)
{
	int end[2], who = 0;

	tcp_lo_up();
	on_signal(SIGURG, on_urg, 0);
	tcp_pair(AF_INET, end);
	who = -getpgrp();
	OK(ioctl(end[1], SIOCSPGRP, &who));
	who = 0;
	OK(ioctl(end[1], FIOGETOWN, &who));
	CHECK_EQ(who, -getpgrp());
	CHECK_EQ(send(end[0], "U", 1, MSG_OOB), 1);
	await(&g_urgent, 1);
	who = getpid();
	OK(ioctl(end[1], FIOSETOWN, &who));
	who = 0;
	OK(ioctl(end[1], SIOCGPGRP, &who));
	CHECK_EQ(who, getpid());
	CHECK_EQ(fcntl(end[1], F_GETOWN), getpid());
	CHECK_EQ(send(end[0], "U", 1, MSG_OOB), 1);
	await(&g_urgent, 2);
	CHECK_ERR(ioctl(end[1], SIOCSPGRP, BAD_PTR), EFAULT);
	int fds[2];
	OK(pipe(fds));
	CHECK_ERR(ioctl(fds[0], SIOCSPGRP, &who), ENOTTY);
}

TEST(an_asynchronous_socket_gets_sigio_for_urgent_data_as_well)
{
	int end[2];

	tcp_lo_up();
	on_signal(SIGURG, on_urg, 0);
	on_signal(SIGRTMIN, on_urg, 0);
	tcp_pair(AF_INET, end);
	OK(fcntl(end[1], F_SETOWN, getpid()));
	OK(fcntl(end[1], F_SETSIG, SIGRTMIN));
	OK(fcntl(end[1], F_SETFL, O_ASYNC));
	CHECK_EQ(send(end[0], "U", 1, MSG_OOB), 1);
	await(&g_urgent, 1);
	for (int i = 0; !g_io && i < 5000; i++)
		sleep_ns(MSEC);
	CHECK(g_io >= 1);
}

TEST(nobody_is_signalled_without_an_owner)
{
	int end[2];
	char c;

	tcp_lo_up();
	on_signal(SIGURG, on_urg, 0);
	tcp_pair(AF_INET, end);
	CHECK_EQ(send(end[0], "U", 1, MSG_OOB), 1);
	CHECK_EQ(tcp_poll_for(end[1], POLLPRI), POLLPRI);
	CHECK_EQ(recv(end[1], &c, 1, MSG_OOB), 1);
	CHECK_EQ(g_urgent, 0);
}

TEST(reads_stop_at_the_mark_and_the_mark_is_told)
{
	int end[2];
	char buf[16];

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	CHECK_EQ(at_mark(end[1]), 0);
	CHECK_EQ(send(end[0], "abc", 3, 0), 3);
	CHECK_EQ(send(end[0], "dU", 2, MSG_OOB), 2);
	CHECK_EQ(send(end[0], "xyz", 3, 0), 3);
	CHECK_EQ(tcp_poll_for(end[1], POLLPRI), POLLPRI);
	while (OK(ioctl(end[1], SIOCINQ, buf)) == 0 && *(int *)buf < 4)
		sleep_ns(MSEC);
	CHECK_EQ(at_mark(end[1]), 0);
	CHECK_EQ(recv(end[1], buf, sizeof(buf), 0), 4);
	CHECK_EQ(memcmp(buf, "abcd", 4), 0);
	CHECK_EQ(at_mark(end[1]), 1);
	CHECK_EQ(recv(end[1], buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'U');
	CHECK_ERR(recv(end[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_EQ(recv(end[1], buf, 3, MSG_WAITALL), 3);
	CHECK_EQ(memcmp(buf, "xyz", 3), 0);
	CHECK_EQ(at_mark(end[1]), 0);
}

TEST(inline_the_octet_is_read_in_its_place_after_a_stop)
{
	int end[2], on = 1;
	char buf[16];

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	OK(setsockopt(end[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)));
	CHECK_EQ(send(end[0], "abcU", 4, MSG_OOB), 4);
	CHECK_EQ(tcp_poll_for(end[1], POLLPRI), POLLPRI);
	CHECK_EQ(recv(end[1], buf, sizeof(buf), 0), 3);
	CHECK_EQ(at_mark(end[1]), 1);
	CHECK_ERR(recv(end[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_EQ(recv(end[1], buf, sizeof(buf), 0), 1);
	CHECK_EQ(buf[0], 'U');
	CHECK_EQ(at_mark(end[1]), 0);
}

TEST(a_later_urgent_octet_replaces_one_that_was_not_read)
{
	int end[2];
	char buf[16];

	tcp_lo_up();
	on_signal(SIGURG, on_urg, 0);
	tcp_pair(AF_INET, end);
	OK(fcntl(end[1], F_SETOWN, getpid()));
	CHECK_EQ(send(end[0], "1", 1, MSG_OOB), 1);
	await(&g_urgent, 1);
	CHECK_EQ(send(end[0], "2", 1, MSG_OOB), 1);
	await(&g_urgent, 2);
	while (recv(end[1], buf, 1, MSG_OOB | MSG_PEEK) != 1 || buf[0] != '2')
		sleep_ns(MSEC);
	CHECK_EQ(recv(end[1], buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], '2');
	CHECK_ERR(recv(end[1], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN); /* the first is lost */
}

TEST(epoll_tells_urgent_data_at_its_edge)
{
	struct epoll_event e = {.events = EPOLLPRI | EPOLLET};
	int end[2], ep = OK(epoll_create1(0));

	tcp_lo_up();
	tcp_pair(AF_INET, end);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, end[1], &e));
	CHECK_EQ(send(end[0], "plain", 5, 0), 5);
	CHECK_EQ(epoll_wait(ep, &e, 1, 50), 0);
	CHECK_EQ(send(end[0], "U", 1, MSG_OOB), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 10000), 1);
	CHECK_EQ(e.events, EPOLLPRI);
}
