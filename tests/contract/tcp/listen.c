/* SPDX-License-Identifier: MIT */
/* Listeners: what connections inherit, TCP_DEFER_ACCEPT, groups of SO_REUSEPORT. */
#include "contract.h"
#include "tcp.h"
#include <linux/filter.h>

static void attach(int s, unsigned int keep)
{
	struct sock_filter prog[] = {BPF_STMT(BPF_RET | BPF_K, keep)};
	struct sock_fprog fp = {1, prog};

	OK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &fp, sizeof(fp)));
}

TEST(a_connection_has_its_listeners_filter)
{
	int l, c, s;
	struct sock_filter got[4];
	socklen_t n = 4; /* instructions */
	char buf[8];

	tcp_lo_up();
	l = tcp_listener(AF_INET, 4);
	attach(l, 0xffff);
	c = tcp_connect_to(l, AF_INET);
	s = OK(accept(l, NULL, NULL));
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(got[0].k, 0xffff);
	/* Each has its own: the listener's is gone, the connection's stays. */
	OK(setsockopt(l, SOL_SOCKET, SO_DETACH_FILTER, &l, sizeof(l)));
	n = 4;
	CHECK_EQ(getsockopt(s, SOL_SOCKET, SO_GET_FILTER, got, &n), 0);
	CHECK_EQ(n, 1);
	CHECK_EQ(send(c, "data", 4, 0), 4);
	CHECK_EQ(recv(s, buf, 4, MSG_WAITALL), 4);
}

TEST(a_filter_that_drops_all_keeps_a_listener_quiet_till_it_goes)
{
	int l, c;
	struct sockaddr_storage a;
	socklen_t n;

	tcp_lo_up();
	l = tcp_listener(AF_INET, 4);
	attach(l, 0);
	c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	n = tcp_name(&a, AF_INET, tcp_port(l));
	CHECK_ERR(connect(c, (void *)&a, n), EINPROGRESS);
	CHECK_EQ(tcp_poll_now(l, POLLIN), 0);
	CHECK_EQ(tcp_poll_now(c, POLLOUT), 0);
	OK(setsockopt(l, SOL_SOCKET, SO_DETACH_FILTER, &l, sizeof(l)));
	CHECK_EQ(tcp_poll_for(c, POLLOUT), POLLOUT); /* the SYN goes again after a second */
	CHECK_EQ(tcp_error_of(c), 0);
}

TEST(defer_accept_waits_for_data)
{
	int l, c, s;
	char buf[8];

	tcp_lo_up();
	l = tcp_listener(AF_INET, 4);
	OK(tcp_set(l, TCP_DEFER_ACCEPT, 30));
	CHECK(tcp_opt(l, TCP_DEFER_ACCEPT) >= 30);
	c = tcp_connect_to(l, AF_INET); /* for the client it is open */
	sleep_ns(50 * MSEC);
	CHECK_EQ(tcp_poll_now(l, POLLIN), 0);
	CHECK_EQ(send(c, "hello", 5, 0), 5);
	CHECK_EQ(tcp_poll_for(l, POLLIN), POLLIN);
	s = OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, buf, 5, MSG_DONTWAIT), 5); /* it is there already */
	CHECK_EQ(memcmp(buf, "hello", 5), 0);
}

TEST(defer_accept_gives_a_silent_connection_after_its_time)
{
	int l, c, s;
	long long from;

	tcp_lo_up();
	l = tcp_listener(AF_INET, 4);
	OK(tcp_set(l, TCP_DEFER_ACCEPT, 1));
	from = now_ns(CLOCK_MONOTONIC);
	c = tcp_connect_to(l, AF_INET);
	CHECK_EQ(tcp_poll_now(l, POLLIN), 0);
	CHECK_EQ(tcp_poll_for(l, POLLIN), POLLIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - from >= 900 * MSEC);
	s = OK(accept(l, NULL, NULL));
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(recv(c, &s, 1, 0), 1);
}

/* Connect n times; how many each listener of the group got. */
static void spread(const int *l, int nr, int family, int n, int *got)
{
	struct linger reset = {1, 0};

	for (int i = 0; i < n; i++) {
		struct pollfd p[8];
		int c = tcp_connect_to(l[0], family);

		for (int k = 0; k < nr; k++)
			p[k] = (struct pollfd){.fd = l[k], .events = POLLIN};
		CHECK_EQ(poll(p, (nfds_t)nr, 20000), 1);
		for (int k = 0; k < nr; k++)
			if (p[k].revents) {
				int s = OK(accept(l[k], NULL, NULL));

				setsockopt(c, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
				OK(close(c)); /* nothing stays behind */
				OK(close(s));
				got[k]++;
			}
	}
}

TEST(a_group_shares_its_connections)
{
	int l[4], on = 1;

	tcp_lo_up();
	EACH_FAMILY(f)
	{
		struct sockaddr_storage a;
		socklen_t n;
		int got[4] = {0};

		for (int i = 0; i < 4; i++) {
			l[i] = OK(socket(f, SOCK_STREAM, 0));
			OK(setsockopt(l[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
			n = tcp_name(&a, f, i ? tcp_port(l[0]) : 0);
			OK(bind(l[i], (void *)&a, n));
			OK(listen(l[i], 16));
		}
		spread(l, 4, f, 120, got);
		for (int i = 0; i < 4; i++) /* about 30 each */
			CHECK(got[i] >= 8);
		CHECK_EQ(got[0] + got[1] + got[2] + got[3], 120);
		/* Who leaves gets nothing more, and nothing is lost. */
		OK(close(l[3]));
		memset(got, 0, sizeof(got));
		spread(l, 3, f, 30, got);
		CHECK_EQ(got[0] + got[1] + got[2], 30);
		for (int i = 0; i < 3; i++)
			OK(close(l[i]));
	}
}

TEST(a_group_takes_only_who_asks_for_it_and_has_the_same_user)
{
	int a, b, on = 1;
	struct sockaddr_storage name;
	socklen_t n;

	tcp_lo_up();
	a = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	n = tcp_name(&name, AF_INET, 0);
	OK(bind(a, (void *)&name, n));
	OK(listen(a, 4));
	n = tcp_name(&name, AF_INET, tcp_port(a));
	b = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERR(bind(b, (void *)&name, n), EADDRINUSE);
	OK(setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
	OK(bind(b, (void *)&name, n));
	OK(listen(b, 4));
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		int c = OK(socket(AF_INET, SOCK_STREAM, 0));

		OK(setsockopt(c, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
		CHECK_ERR(bind(c, (void *)&name, n), EADDRINUSE);
		_exit(0);
	}
	expect_exit(pid, 0);
}
