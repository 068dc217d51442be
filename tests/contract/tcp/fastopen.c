/* SPDX-License-Identifier: MIT */
/* Fast open: data with the SYN. tcp(7), ip-sysctl, RFC 7413. */
#include "contract.h"
#include "tcp.h"

#ifndef TCP_FASTOPEN_CONNECT
#define TCP_FASTOPEN_CONNECT 30
#endif
#ifndef TCP_FASTOPEN_KEY
#define TCP_FASTOPEN_KEY 33
#endif
#ifndef TCP_FASTOPEN_NO_COOKIE
#define TCP_FASTOPEN_NO_COOKIE 34
#endif
#define SYSCTL   "/proc/sys/net/ipv4/tcp_fastopen"
#define KEY      "/proc/sys/net/ipv4/tcp_fastopen_key"

#define SYN_DATA 32 /* TCPI_OPT_SYN_DATA */

static struct tcp_info info_of(int s)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);

	memset(&i, 0, sizeof(i));
	OK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
	return i;
}

static void both_on(void)
{
	tcp_lo_up();
	write_file(SYSCTL, "3");
}

static int fast_listener(int family, int most)
{
	int l = tcp_listener(family, 16);

	OK(tcp_set(l, TCP_FASTOPEN, most));
	return l;
}

static ssize_t send_fast(int s, int l, int family, const char *data, int flags)
{
	struct sockaddr_storage a;
	socklen_t n = tcp_name(&a, family, tcp_port(l));

	return sendto(s, data, strlen(data), MSG_FASTOPEN | flags, (void *)&a, n);
}

static void expect_data(int s, const char *data)
{
	char buf[64] = "";

	CHECK_EQ(recv(s, buf, strlen(data), MSG_WAITALL), (ssize_t)strlen(data));
	CHECK_STR(buf, data);
}

/* The client has a cookie for its own address after this; forget: so that no test depends on those
 * before it. */
static void get_cookie(int l, int family)
{
	int c = OK(socket(family, SOCK_STREAM, 0)), s;

	CHECK_EQ(send_fast(c, l, family, "first", 0), 5);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "first");
	OK(close(c));
	OK(close(s));
}

/* A key that nobody has had: cookies that clients keep are void. */
static void new_key(int l)
{
	static unsigned char key[16];

	for (int i = 0; i < 16; i++)
		key[i] = (unsigned char)(now_ns(CLOCK_MONOTONIC) >> (i % 8) * 4 ^ i * 29);
	OK(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, sizeof(key)));
}

TEST(the_option_is_the_queues_length_and_within_somaxconn)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0)), c;

	tcp_lo_up();
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN), 0);
	CHECK_ERR(tcp_set(s, TCP_FASTOPEN, -1), EINVAL);
	OK(tcp_set(s, TCP_FASTOPEN, 7));
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN), 7);
	OK(tcp_set(s, TCP_FASTOPEN, 1000000));
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN), atoi(read_text("/proc/sys/net/core/somaxconn")));
	OK(listen(s, 3));
	OK(tcp_set(s, TCP_FASTOPEN, 0));
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN), 0);
	c = tcp_connect_to(s, AF_INET);
	CHECK_ERR(tcp_set(c, TCP_FASTOPEN, 5), EINVAL);
	CHECK_ERR(tcp_set(c, TCP_FASTOPEN_CONNECT, 1), EINVAL);
	CHECK_ERR(tcp_set(c, TCP_FASTOPEN_NO_COOKIE, 1), EINVAL);
}

TEST(options_of_the_client_are_switches)
{
	int s = OK(socket(AF_INET6, SOCK_STREAM, 0));

	tcp_lo_up();
	write_file(SYSCTL, "1");
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN_CONNECT), 0);
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN_NO_COOKIE), 0);
	CHECK_ERR(tcp_set(s, TCP_FASTOPEN_CONNECT, 2), EINVAL);
	CHECK_ERR(tcp_set(s, TCP_FASTOPEN_CONNECT, -1), EINVAL);
	CHECK_ERR(tcp_set(s, TCP_FASTOPEN_NO_COOKIE, 2), EINVAL);
	OK(tcp_set(s, TCP_FASTOPEN_CONNECT, 1));
	OK(tcp_set(s, TCP_FASTOPEN_NO_COOKIE, 1));
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN_CONNECT), 1);
	CHECK_EQ(tcp_opt(s, TCP_FASTOPEN_NO_COOKIE), 1);
	write_file(SYSCTL, "0");
	CHECK_ERR(tcp_set(s, TCP_FASTOPEN_CONNECT, 0), EOPNOTSUPP);
	write_file(SYSCTL, "1");
}

TEST(keys_are_sixteen_bytes_or_two_of_them)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0));
	unsigned char key[33], got[40];
	socklen_t n = sizeof(got);

	for (int i = 0; i < 33; i++)
		key[i] = (unsigned char)(i + 1);
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 15), EINVAL);
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 33), EINVAL);
	CHECK_ERR(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, NULL, 16), EFAULT);
	OK(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 16));
	OK(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n));
	CHECK_EQ(n, 16);
	CHECK_EQ(memcmp(got, key, 16), 0);
	OK(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32));
	n = sizeof(got);
	OK(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n));
	CHECK_EQ(n, 32);
	CHECK_EQ(memcmp(got, key, 32), 0);
}

TEST(the_systems_key_is_words_in_hex)
{
	int s = OK(socket(AF_INET, SOCK_STREAM, 0)), fd;
	unsigned char got[40];
	socklen_t n = sizeof(got);

	write_file(KEY, "00010203-04050607-08090a0b-0c0d0e0f");
	CHECK_STR(read_text(KEY), "00010203-04050607-08090a0b-0c0d0e0f\n");
	OK(getsockopt(s, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, &n));
	CHECK_EQ(n, 0); /* a socket tells its own only */
	write_file(KEY, "1-2-3-4,a-b-c-d\n");
	CHECK_STR(read_text(KEY),
		"00000001-00000002-00000003-00000004,0000000a-0000000b-0000000c-0000000d\n");
	fd = OK(open(KEY, O_WRONLY));
	CHECK_ERR(write(fd, "1-2-3", 5), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EINVAL);
	OK(close(fd));
}

TEST(the_second_connection_carries_data_in_its_syn)
{
	both_on();
	EACH_FAMILY(f)
	{
		long long active, passive, asked;
		int l = fast_listener(f, 8), c, s;

		new_key(l);
		asked = tcp_counter("TCPFastOpenCookieReqd") +
			tcp_counter("TCPFastOpenPassiveFail");
		get_cookie(l, f);
		CHECK_EQ(tcp_counter("TCPFastOpenCookieReqd") +
				tcp_counter("TCPFastOpenPassiveFail"),
			asked + 1);
		active = tcp_counter("TCPFastOpenActive");
		passive = tcp_counter("TCPFastOpenPassive");
		c = OK(socket(f, SOCK_STREAM, 0));
		CHECK_EQ(send_fast(c, l, f, "hello", 0), 5);
		s = OK(accept(l, NULL, NULL));
		expect_data(s, "hello");
		CHECK_EQ(tcp_counter("TCPFastOpenActive"), active + 1);
		CHECK_EQ(tcp_counter("TCPFastOpenPassive"), passive + 1);
		CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
		CHECK_EQ(info_of(s).tcpi_options & SYN_DATA, SYN_DATA);
		CHECK_EQ(info_of(c).tcpi_total_retrans, 0);
		CHECK_EQ(send(s, "answer", 6, 0), 6);
		expect_data(c, "answer");
		CHECK_EQ(send(c, "more", 4, 0), 4);
		expect_data(s, "more");
		OK(close(c));
		CHECK_EQ(recv(s, &c, 1, 0), 0);
		OK(close(s));
		OK(close(l));
	}
	write_file(SYSCTL, "1");
}

TEST(without_a_cookie_a_nonblocking_send_only_begins)
{
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET, 8);
	new_key(l);
	get_cookie(l, AF_INET);
	c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK_EQ(send_fast(c, l, AF_INET, "now", 0), 3); /* with one the data is on its way */
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "now");
	CHECK_EQ(send_fast(c, l, AF_INET, "x", 0),
		1); /* the connect that had begun has ended well */
	CHECK_ERR(send_fast(c, l, AF_INET, "x", 0), EISCONN);
	OK(close(c));
	OK(close(s));
	OK(close(l));
	/* To another address there is none. */
	l = OK(socket(AF_INET, SOCK_STREAM, 0));
	{
		struct sockaddr_in a = {.sin_family = AF_INET};
		socklen_t n = sizeof(a);

		a.sin_addr.s_addr = htonl(0x7f000000 | ((uint32_t)getpid() & 0xffff) << 4 | 9);
		OK(bind(l, (void *)&a, n));
		OK(listen(l, 4));
		OK(getsockname(l, (void *)&a, &n));
		c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
		CHECK_ERR(sendto(c, "x", 1, MSG_FASTOPEN, (void *)&a, n), EINPROGRESS);
	}
	CHECK_EQ(tcp_poll_for(c, POLLOUT), POLLOUT);
	CHECK_EQ(send(c, "later", 5, 0), 5);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "later");
	write_file(SYSCTL, "1");
}

TEST(what_cannot_be_opened_fast_is_refused)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l, c;

	both_on();
	l = tcp_listener(AF_INET, 4);
	n = tcp_name(&a, AF_INET, tcp_port(l));
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	write_file(SYSCTL, "2");
	CHECK_ERR(sendto(c, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&a, n), EOPNOTSUPP);
	write_file(SYSCTL, "3");
	a.ss_family = AF_UNSPEC;
	CHECK_ERR(sendto(c, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&a, n), EOPNOTSUPP);
	a.ss_family = AF_INET;
	OK(close(l));
	CHECK_ERR(sendto(c, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (void *)&a, n), ECONNREFUSED);
	write_file(SYSCTL, "1");
}

TEST(a_listener_that_does_not_take_it_gets_the_data_after_the_handshake)
{
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET, 8);
	new_key(l);
	get_cookie(l, AF_INET);
	OK(tcp_set(l, TCP_FASTOPEN, 0));
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQ(send_fast(c, l, AF_INET, "hello", 0), 5);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "hello");
	CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, 0);
	CHECK_EQ(info_of(s).tcpi_options & SYN_DATA, 0);
	write_file(SYSCTL, "1");
}

TEST(a_wrong_cookie_is_replaced)
{
	long long bad;
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET, 8);
	new_key(l);
	get_cookie(l, AF_INET);
	new_key(l);
	bad = tcp_counter("TCPFastOpenPassiveFail");
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQ(send_fast(c, l, AF_INET, "one", 0), 3);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "one");
	CHECK_EQ(tcp_counter("TCPFastOpenPassiveFail"), bad + 1);
	CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, 0);
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQ(send_fast(c, l, AF_INET, "two", 0), 3);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "two");
	CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
	write_file(SYSCTL, "1");
}

TEST(an_old_key_is_good_as_the_second_one)
{
	unsigned char key[48];
	long long alt;
	int l, c, s;

	both_on();
	for (int i = 0; i < 48; i++)
		key[i] = (unsigned char)(now_ns(CLOCK_MONOTONIC) >> i % 8 ^ i * 31);
	l = fast_listener(AF_INET, 8);
	OK(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key + 16, 16));
	get_cookie(l, AF_INET);
	OK(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32));
	alt = tcp_counter("TCPFastOpenPassiveAltKey");
	for (int i = 0; i < 2; i++) {
		c = OK(socket(AF_INET, SOCK_STREAM, 0));
		CHECK_EQ(send_fast(c, l, AF_INET, "data", 0), 4);
		s = OK(accept(l, NULL, NULL));
		expect_data(s, "data");
		CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
		/* The first came with the old one and was given a new one. */
		CHECK_EQ(tcp_counter("TCPFastOpenPassiveAltKey"), alt + 1);
	}
	write_file(SYSCTL, "1");
}

TEST(connect_leaves_the_syn_to_the_first_write)
{
	struct sockaddr_storage a;
	char buf[8];
	socklen_t n;
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET, 8);
	new_key(l);
	get_cookie(l, AF_INET);
	n = tcp_name(&a, AF_INET, tcp_port(l));
	c = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	OK(tcp_set(c, TCP_FASTOPEN_CONNECT, 1));
	CHECK_EQ(connect(c, (void *)&a, n), 0);
	CHECK_EQ(tcp_poll_now(l, POLLIN), 0);
	CHECK_EQ(tcp_poll_now(c, POLL_ALL), POLLOUT);
	CHECK_EQ(info_of(c).tcpi_state, TCP_SYN_SENT);
	CHECK_ERR(connect(c, (void *)&a, n), EISCONN);
	CHECK_ERR(recv(c, buf, 1, 0), EAGAIN);
	CHECK_ERR(getpeername(c, (void *)&a, &n), ENOTCONN);
	CHECK_ERR(tcp_set(c, TCP_FASTOPEN_CONNECT, 0), EINVAL);
	CHECK_EQ(write(c, "hello", 5), 5);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "hello");
	CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
	OK(close(c));
	/* It may be given up as well. */
	n = tcp_name(&a, AF_INET, tcp_port(l));
	for (int how = 0; how < 3; how++) {
		c = OK(socket(AF_INET, SOCK_STREAM, 0));
		OK(tcp_set(c, TCP_FASTOPEN_CONNECT, 1));
		CHECK_EQ(connect(c, (void *)&a, n), 0);
		if (how == 1) {
			OK(shutdown(c, SHUT_RDWR));
		} else if (how == 2) {
			struct sockaddr none = {.sa_family = AF_UNSPEC};

			OK(connect(c, &none, sizeof(none)));
		}
		OK(close(c));
	}
	CHECK_EQ(tcp_poll_now(l, POLLIN), 0);
	write_file(SYSCTL, "1");
}

TEST(with_connect_option_and_no_cookie_connect_asks_for_one)
{
	struct sockaddr_storage a;
	socklen_t n;
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET6, 8);
	new_key(l);
	n = tcp_name(&a, AF_INET6, tcp_port(l));
	for (int i = 0; i < 3; i++) {
		c = OK(socket(AF_INET6, SOCK_STREAM, 0));
		OK(tcp_set(c, TCP_FASTOPEN_CONNECT, 1));
		CHECK_EQ(connect(c, (void *)&a, n), 0);
		CHECK_EQ(send(c, "data", 4, 0), 4);
		s = OK(accept(l, NULL, NULL));
		expect_data(s, "data");
		if (i == 2)
			CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
		OK(close(c));
		OK(close(s));
	}
	write_file(SYSCTL, "1");
}

TEST(without_cookies_where_both_say_so)
{
	int l, c, s;

	both_on();
	EACH_FAMILY(f)
	{
		l = fast_listener(f, 8);
		new_key(l);
		OK(tcp_set(l, TCP_FASTOPEN_NO_COOKIE, 1));
		c = OK(socket(f, SOCK_STREAM, 0));
		OK(tcp_set(c, TCP_FASTOPEN_NO_COOKIE, 1));
		CHECK_EQ(send_fast(c, l, f, "hello", 0), 5);
		s = OK(accept(l, NULL, NULL));
		expect_data(s, "hello");
		CHECK_EQ(info_of(c).tcpi_options & SYN_DATA, SYN_DATA);
		OK(close(c));
		OK(close(s));
		OK(close(l));
	}
	/* And for the whole system, without an option of the listener: 0x4, 0x200, 0x400. */
	write_file(SYSCTL, "1543");
	l = tcp_listener(AF_INET, 8);
	c = OK(socket(AF_INET, SOCK_STREAM, 0));
	CHECK_EQ(send_fast(c, l, AF_INET, "all", 0), 3);
	s = OK(accept(l, NULL, NULL));
	expect_data(s, "all");
	CHECK_EQ(info_of(s).tcpi_options & SYN_DATA, SYN_DATA);
	write_file(SYSCTL, "1");
}

TEST(more_than_the_syn_holds_follows)
{
	enum { BIG = 300000 };
	static char out[BIG], in[BIG];
	struct sockaddr_storage a;
	pid_t pid;
	socklen_t n;
	int l, c, s;

	both_on();
	l = fast_listener(AF_INET, 8);
	new_key(l);
	get_cookie(l, AF_INET);
	for (int i = 0; i < BIG; i++)
		out[i] = (char)(i * 7 + i / 251);
	n = tcp_name(&a, AF_INET, tcp_port(l));
	pid = OK(fork());
	if (!pid) {
		c = OK(socket(AF_INET, SOCK_STREAM, 0));
		CHECK_EQ(sendto(c, out, BIG, MSG_FASTOPEN, (void *)&a, n), BIG);
		_exit(0);
	}
	s = OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, in, BIG, MSG_WAITALL), BIG);
	CHECK_EQ(memcmp(in, out, BIG), 0);
	CHECK_EQ(recv(s, in, 1, 0), 0);
	CHECK_EQ(waitpid(pid, &c, 0), pid);
	CHECK_EQ(c, 0);
	write_file(SYSCTL, "1");
}
