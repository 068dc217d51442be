/* SPDX-License-Identifier: MIT */
/* Connecting, data, ends, readiness, errors, options. */
#include "contract.h"
#include "tcp.h"
#include <linux/sockios.h>
#include <signal.h>
#include <sys/time.h>

TEST(a_fresh_socket_is_ready_and_hung_up)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int s = OK(socket(f, SOCK_STREAM, 0));
		char c;

		CHECK_EQ(tcp_poll_now(s, POLL_ALL), POLLOUT | POLLHUP);
		CHECK_ERR(recv(s, &c, 1, MSG_DONTWAIT), ENOTCONN);
		CHECK_ERR(send(s, "a", 1, MSG_NOSIGNAL), EPIPE);
		CHECK_ERR(shutdown(s, SHUT_WR), ENOTCONN);
		CHECK_ERR(accept(s, NULL, NULL), EINVAL);
		OK(close(s));
	}
}

TEST(both_ends_name_each_other)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int l = tcp_listener(f, 1), c = tcp_connect_to(l, f);
		struct sockaddr_storage a, b;
		socklen_t n = sizeof(a), m = sizeof(b);
		int s = OK(accept(l, (void *)&a, &n));

		OK(getsockname(c, (void *)&b, &m));
		CHECK_EQ(n, m);
		CHECK_EQ(memcmp(&a, &b, n), 0);
		CHECK_EQ(tcp_port(s), tcp_port(l));
		n = sizeof(a);
		OK(getpeername(c, (void *)&a, &n));
		CHECK_EQ(ntohs(((struct sockaddr_in *)&a)->sin_port), tcp_port(l));
		CHECK_EQ(tcp_poll_now(c, POLL_ALL), POLLOUT);
		CHECK_ERR(connect(c, (void *)&a, n), EISCONN);
		OK(close(c));
		OK(close(s));
		OK(close(l));
	}
}

TEST(a_port_without_listener_refuses)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int b = tcp_bound(f), s = OK(socket(f, SOCK_STREAM, 0));
		struct sockaddr_storage a;
		socklen_t n = tcp_name(&a, f, tcp_port(b));

		CHECK_ERR(connect(s, (void *)&a, n), ECONNREFUSED);
		CHECK_EQ(tcp_error_of(s), 0);
		OK(fcntl(s, F_SETFL, O_NONBLOCK));
		CHECK_ERR(connect(s, (void *)&a, n), EINPROGRESS);
		CHECK_EQ(tcp_poll_for(s, POLLOUT), POLLOUT | POLLERR | POLLHUP);
		CHECK_EQ(tcp_error_of(s), ECONNREFUSED);
		OK(close(s));
		OK(close(b));
	}
}

TEST(nonblocking_connect_is_told_by_poll)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int l = tcp_listener(f, 1), s = OK(socket(f, SOCK_STREAM | SOCK_NONBLOCK, 0));
		struct sockaddr_storage a;
		socklen_t n = tcp_name(&a, f, tcp_port(l));

		CHECK_ERR(connect(s, (void *)&a, n), EINPROGRESS);
		CHECK_EQ(tcp_poll_for(s, POLLOUT), POLLOUT);
		CHECK_EQ(tcp_error_of(s), 0);
		CHECK_EQ(connect(s, (void *)&a, n), 0);
		CHECK_ERR(connect(s, (void *)&a, n), EISCONN);
		OK(close(s));
		OK(close(l));
	}
}

TEST(data_ends_with_half_close)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int e[2];
		char buf[16];

		tcp_pair(f, e);
		CHECK_EQ(send(e[0], "hello", 5, 0), 5);
		CHECK_EQ(recv(e[1], buf, 2, MSG_PEEK), 2);
		CHECK_EQ(recv(e[1], buf, 3, MSG_TRUNC), 3);
		CHECK_EQ(recv(e[1], buf, 16, 0), 2);
		CHECK_EQ(memcmp(buf, "lo", 2), 0);
		OK(shutdown(e[0], SHUT_WR));
		CHECK_EQ(tcp_poll_for(e[1], POLL_ALL & ~POLLOUT), POLLIN | POLLRDHUP);
		CHECK_EQ(recv(e[1], buf, 16, 0), 0);
		CHECK_EQ(send(e[1], "back", 4, 0), 4);
		CHECK_EQ(recv(e[0], buf, 4, MSG_WAITALL), 4);
		CHECK_ERR(send(e[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		OK(shutdown(e[1], SHUT_WR));
		CHECK_EQ(tcp_poll_for(e[0], POLLHUP) & POLLHUP, POLLHUP);
		OK(close(e[0]));
		OK(close(e[1]));
	}
}

TEST(unread_data_at_close_resets_the_peer)
{
	tcp_lo_up();
	EACH_FAMILY(f)
	{
		int e[2];
		char c;

		tcp_pair(f, e);
		CHECK_EQ(send(e[0], "a", 1, 0), 1);
		CHECK_EQ(tcp_poll_for(e[1], POLLIN), POLLIN);
		OK(close(e[1]));
		CHECK_EQ(tcp_poll_for(e[0], POLL_ALL),
			POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
		CHECK_ERR(recv(e[0], &c, 1, 0), ECONNRESET);
		CHECK_EQ(recv(e[0], &c, 1, 0), 0);
		CHECK_ERR(send(e[0], "a", 1, MSG_NOSIGNAL), EPIPE);
		OK(close(e[0]));
	}
}

TEST(linger_of_zero_resets)
{
	tcp_lo_up();
	struct linger l = {1, 0};
	int e[2];
	char c;

	tcp_pair(AF_INET, e);
	OK(setsockopt(e[1], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	OK(close(e[1]));
	CHECK_ERR(recv(e[0], &c, 1, 0), ECONNRESET);
	OK(close(e[0]));
}

TEST(urgent_data_is_apart_unless_inline)
{
	tcp_lo_up();
	int e[2], at = -1;
	char buf[8];

	tcp_pair(AF_INET, e);
	CHECK_EQ(send(e[0], "abc", 3, MSG_OOB), 3);
	CHECK_EQ(tcp_poll_for(e[1], POLLPRI), POLLPRI);
	CHECK_EQ(recv(e[1], buf, 8, 0), 2);
	OK(ioctl(e[1], SIOCATMARK, &at));
	CHECK_EQ(at, 1);
	CHECK_EQ(recv(e[1], buf, 1, MSG_OOB), 1);
	CHECK_EQ(buf[0], 'c');
	CHECK_ERR(recv(e[1], buf, 1, MSG_OOB), EINVAL);
	CHECK_ERR(recv(e[1], buf, 8, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(send(e[0], "de", 2, 0), 2);
	CHECK_EQ(recv(e[1], buf, 2, MSG_WAITALL), 2);
	OK(close(e[0]));
	OK(close(e[1]));
}

TEST(a_time_limit_ends_a_read)
{
	tcp_lo_up();
	struct timeval tv = {0, 50000};
	int e[2];
	char c;

	tcp_pair(AF_INET6, e);
	OK(setsockopt(e[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_ERR(recv(e[0], &c, 1, 0), EAGAIN);
	OK(close(e[0]));
	OK(close(e[1]));
}

TEST(options_are_given_back)
{
	static const struct {
		int name, value;
	} set[] = {{TCP_NODELAY, 1}, {TCP_CORK, 1}, {TCP_KEEPIDLE, 100}, {TCP_KEEPINTVL, 7},
		{TCP_KEEPCNT, 4}, {TCP_SYNCNT, 3}, {TCP_LINGER2, 9}, {TCP_DEFER_ACCEPT, 7},
		{TCP_USER_TIMEOUT, 1234}, {TCP_NOTSENT_LOWAT, 5000}};
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	char name[16] = "";
	socklen_t n = sizeof(name);

	CHECK_EQ(tcp_opt(s, TCP_NODELAY), 0);
	CHECK_EQ(tcp_opt(s, TCP_MAXSEG), 536);
	CHECK_EQ(tcp_opt(s, TCP_KEEPIDLE), 7200);
	for (unsigned i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		OK(tcp_set(s, set[i].name, set[i].value));
		CHECK_EQ(tcp_opt(s, set[i].name), set[i].value);
	}
	CHECK_ERR(tcp_set(s, TCP_KEEPCNT, 128), EINVAL);
	CHECK_ERR(tcp_set(s, TCP_MAXSEG, 87), EINVAL);
	CHECK_ERR(tcp_set(s, 1000, 1), ENOPROTOOPT);
	OK(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	OK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, name, &n));
	CHECK_STR(name, "reno");
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), ENOENT);
	OK(close(s));
}

TEST(info_counts_what_was_sent)
{
	tcp_lo_up();
	struct tcp_info i;
	socklen_t n = sizeof(i);
	int e[2], v = -1;
	char buf[100];

	tcp_pair(AF_INET, e);
	memset(buf, 'x', sizeof(buf));
	CHECK_EQ(send(e[0], buf, 100, 0), 100);
	OK(ioctl(e[1], FIONREAD, &v));
	CHECK_EQ(tcp_poll_for(e[1], POLLIN), POLLIN);
	OK(ioctl(e[1], FIONREAD, &v));
	CHECK_EQ(v, 100);
	CHECK_EQ(recv(e[1], buf, 100, MSG_WAITALL), 100);
	OK(getsockopt(e[0], IPPROTO_TCP, TCP_INFO, &i, &n));
	CHECK_EQ(i.tcpi_state, TCP_ESTABLISHED);
	CHECK(i.tcpi_snd_cwnd >= 10);
	CHECK_EQ(i.tcpi_total_retrans, 0);
	OK(close(e[0]));
	OK(close(e[1]));
}

TEST(a_listening_port_is_taken_and_time_wait_lets_reuse)
{
	tcp_lo_up();
	struct sockaddr_storage a;
	int l = tcp_listener(AF_INET, 1), one = 1, s, t, c;
	socklen_t n = tcp_name(&a, AF_INET, tcp_port(l));
	char buf;

	t = OK(socket(AF_INET, SOCK_STREAM, 0));
	OK(setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_ERR(bind(t, (void *)&a, n), EADDRINUSE);
	c = tcp_connect_to(l, AF_INET);
	s = OK(accept(l, NULL, NULL));
	OK(close(l));
	OK(close(s)); /* this side ends first: TIME_WAIT is here */
	CHECK_EQ(recv(c, &buf, 1, 0), 0);
	OK(close(c));
	OK(close(t));
	t = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_ERR(bind(t, (void *)&a, n), EADDRINUSE);
	OK(close(t));
}
