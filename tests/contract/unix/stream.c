/* SPDX-License-Identifier: MIT */
/* Streams and sequenced packets. */
#include "contract.h"
#include <linux/sockios.h>
#include "unix.h"

TEST(bytes_go_both_ways_and_messages_melt)
{
	int s[2];
	char buf[16] = "";

	unix_pair(SOCK_STREAM, s);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_EQ(write(s[0], "def", 3), 3);
	CHECK_EQ(read(s[1], buf, 4), 4);
	CHECK_STR(buf, "abcd");
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(send(s[1], "x", 1, 0), 1);
	CHECK_EQ(recv(s[1], buf, sizeof(buf), 0), 2);
	CHECK_STR(buf, "ef");
	CHECK_EQ(recv(s[0], buf, sizeof(buf), MSG_DONTWAIT), 1);
	CHECK_ERR(recv(s[0], buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
}

TEST(peek_leaves_the_bytes_and_waitall_waits_for_all)
{
	int s[2];
	char buf[16] = "";

	unix_pair(SOCK_STREAM, s);
	OK(write(s[0], "abc", 3));
	OK(write(s[0], "def", 3));
	CHECK_EQ(recv(s[1], buf, 5, MSG_PEEK), 5);
	CHECK_EQ(memcmp(buf, "abcde", 5), 0);
	CHECK_EQ(recv(s[1], buf, 2, 0), 2);
	pid_t me = getpid(), p = FORK();
	if (!p) {
		await_sleep(me);
		OK(write(s[0], "gh", 2));
		_exit(0);
	}
	CHECK_EQ(recv(s[1], buf, 6, MSG_WAITALL), 6);
	CHECK_EQ(memcmp(buf, "cdefgh", 6), 0);
	expect_exit(p, 0);
	OK(write(s[0], "12", 2));
	CHECK_EQ(recv(s[1], buf, 6, MSG_WAITALL | MSG_DONTWAIT), 2);
}

TEST(large_writes_arrive_whole)
{
	enum { SIZE = 3 << 20 };
	int s[2];

	unix_pair(SOCK_STREAM, s);
	pid_t p = FORK();
	if (!p) {
		char *b = malloc(SIZE);

		close(s[1]);
		for (int i = 0; i < SIZE; i++)
			b[i] = (char)(i * 7 + (i >> 9));
		CHECK_EQ(write(s[0], b, SIZE), SIZE);
		_exit(0);
	}
	close(s[0]);
	char *b = malloc(SIZE);
	size_t got = 0;
	for (;;) {
		ssize_t n = OK(read(s[1], b + got, 10007 < SIZE - got ? 10007 : SIZE - got));

		if (!n)
			break;
		got += (size_t)n;
	}
	CHECK_EQ(got, SIZE);
	for (int i = 0; i < SIZE; i++)
		if (b[i] != (char)(i * 7 + (i >> 9)))
			FAIL("byte %d differs", i);
	expect_exit(p, 0);
}

TEST(a_full_stream_is_EAGAIN_and_writable_again_after_reading)
{
	int s[2];
	char buf[4096] = "";
	size_t n = 0;

	unix_pair(SOCK_STREAM, s);
	set_nonblock(s[0]);
	CHECK(events_of(s[0]) & POLLOUT);
	for (ssize_t r; (r = write(s[0], buf, sizeof(buf))) > 0;)
		n += (size_t)r;
	CHECK_ERR(write(s[0], buf, 1), EAGAIN);
	CHECK(n >= 65536);
	CHECK_EQ(events_of(s[0]) & POLLOUT, 0);
	int left;
	OK(ioctl(s[1], FIONREAD, &left));
	CHECK_EQ(left, n);
	while (n)
		n -= (size_t)OK(read(s[1], buf, sizeof(buf)));
	CHECK(events_of(s[0]) & POLLOUT);
}

TEST(closing_gives_EOF_then_EPIPE_with_SIGPIPE)
{
	int s[2];
	char c;

	unix_pair(SOCK_STREAM, s);
	OK(write(s[0], "z", 1));
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
	OK(close(s[0]));
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDHUP | POLLHUP | POLLRDNORM | POLLWRNORM);
	CHECK_EQ(read(s[1], &c, 1), 1);
	CHECK_EQ(read(s[1], &c, 1), 0);
	CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	pid_t p = FORK();
	if (!p) {
		signal(SIGPIPE, SIG_DFL);
		(void)!write(s[1], "x", 1);
		_exit(0);
	}
	expect_signal(p, SIGPIPE);
}

TEST(closing_with_unread_data_resets_the_peer)
{
	int s[2];
	char c;

	unix_pair(SOCK_STREAM, s);
	OK(write(s[1], "unread", 6));
	OK(close(s[0]));
	CHECK(events_of(s[1]) & POLLERR);
	CHECK_ERR(read(s[1], &c, 1), ECONNRESET);
	CHECK_EQ(read(s[1], &c, 1), 0);
}

TEST(shutdown_each_direction)
{
	int s[2];
	char c;

	unix_pair(SOCK_STREAM, s);
	OK(shutdown(s[0], SHUT_WR));
	CHECK_EQ(read(s[1], &c, 1), 0);
	CHECK_EQ(events_of(s[1]), POLLIN | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM);
	CHECK_EQ(events_of(s[0]), POLLOUT | POLLWRNORM);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	OK(write(s[1], "y", 1));
	CHECK_EQ(read(s[0], &c, 1), 1);
	OK(shutdown(s[0], SHUT_RD));
	CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(events_of(s[0]) & POLLHUP);
	CHECK_ERR(shutdown(s[0], 3), EINVAL);
	CHECK_EQ(shutdown(OK(socket(AF_UNIX, SOCK_STREAM, 0)), SHUT_RDWR), 0);
}

TEST(an_unconnected_stream_socket)
{
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	char c;

	CHECK_EQ(events_of(s), POLLHUP | POLLOUT | POLLWRNORM);
	CHECK_ERR(send(s, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(recv(s, &c, 1, 0), EINVAL);
	CHECK_ERR(listen(s, 1), EINVAL);
	CHECK_ERR(accept(s, NULL, NULL), EINVAL);
}

TEST(accept_gives_connections_in_order_with_names)
{
	int l = unix_listener(SOCK_STREAM, "l", 5), c[3];
	struct sockaddr_un a;

	CHECK_EQ(events_of(l), 0);
	for (int i = 0; i < 3; i++) {
		c[i] = OK(unix_try_connect(SOCK_STREAM, "l"));
		OK(write(c[i], &(char){(char)('0' + i)}, 1));
	}
	CHECK_EQ(events_of(l), POLLIN | POLLRDNORM);
	for (int i = 0; i < 3; i++) {
		socklen_t n = sizeof(a);
		char ch;
		int s = OK(accept(l, (void *)&a, &n));

		CHECK_EQ(n, 2);
		CHECK_EQ(read(s, &ch, 1), 1);
		CHECK_EQ(ch, '0' + i);
		n = sizeof(a);
		OK(getsockname(s, (void *)&a, &n));
		CHECK_STR(a.sun_path, "l");
		n = sizeof(a);
		OK(getpeername(c[i], (void *)&a, &n));
		CHECK_STR(a.sun_path, "l");
	}
	set_nonblock(l);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK_ERR(syscall(SYS_accept4, l, NULL, NULL, 1), EINVAL);
	OK(unix_try_connect(SOCK_STREAM, "l"));
	int s = OK(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	CHECK_EQ(fcntl(s, F_GETFL), O_RDWR | O_NONBLOCK);
	CHECK_EQ(fcntl(s, F_GETFD), FD_CLOEXEC);
}

TEST(the_backlog_holds_one_more_than_asked_for)
{
	int l = unix_listener(SOCK_STREAM, "l", 1);
	struct sockaddr_un a;
	socklen_t n = unix_addr(&a, "l");

	OK(unix_try_connect(SOCK_STREAM, "l"));
	OK(unix_try_connect(SOCK_STREAM, "l"));
	int s = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	CHECK_ERR(connect(s, (void *)&a, n), EAGAIN);
	pid_t me = getpid(), p = FORK();
	if (!p) {
		await_sleep(me);
		OK(accept(l, NULL, NULL));
		_exit(0);
	}
	OK(fcntl(s, F_SETFL, 0));
	OK(connect(s, (void *)&a, n));
	expect_exit(p, 0);
	OK(accept(l, NULL, NULL));
	CHECK_ERR(connect(s, (void *)&a, n), EISCONN);
}

TEST(closing_a_listener_resets_who_waits_in_it)
{
	int l = unix_listener(SOCK_STREAM, "l", 5);
	int c = OK(unix_try_connect(SOCK_STREAM, "l"));
	char ch;

	OK(close(l));
	CHECK_ERR(recv(c, &ch, 1, 0), ECONNRESET);
	CHECK_ERR(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void nothing(int sig)
{
	(void)sig;
}

TEST(a_signal_interrupts_accept_and_recv)
{
	int l = unix_listener(SOCK_STREAM, "l", 5), s[2];
	pid_t me = getpid(), p;
	struct sigaction sa = {.sa_handler = nothing};
	char c;

	unix_pair(SOCK_STREAM, s);
	OK(sigaction(SIGUSR1, &sa, NULL));
	p = FORK();
	if (!p) {
		await_sleep(me);
		OK(kill(me, SIGUSR1));
		_exit(0);
	}
	CHECK_ERR(accept(l, NULL, NULL), EINTR);
	expect_exit(p, 0);
	p = FORK();
	if (!p) {
		await_sleep(me);
		OK(kill(me, SIGUSR1));
		_exit(0);
	}
	CHECK_ERR(recv(s[0], &c, 1, 0), EINTR);
	expect_exit(p, 0);
}

TEST(receive_timeout)
{
	int s[2];
	struct timeval tv = {0, 50000}, got;
	socklen_t n = sizeof(got);
	char c;

	unix_pair(SOCK_STREAM, s);
	OK(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	OK(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &got, &n));
	CHECK_EQ(n, sizeof(got));
	CHECK_EQ(got.tv_sec, 0);
	CHECK(got.tv_usec >= 48000 && got.tv_usec <= 52000);
	long long t = now_ns(CLOCK_MONOTONIC);
	CHECK_ERR(recv(s[0], &c, 1, 0), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 48 * MSEC);
	tv.tv_usec = 1000000;
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), EDOM);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, 3), EINVAL);
}

TEST(the_urgent_byte_is_read_apart)
{
	int s[2], mark;
	char buf[16] = "";

	unix_pair(SOCK_STREAM, s);
	OK(send(s[0], "abc", 3, 0));
	if (send(s[0], "U", 1, MSG_OOB) < 0 && errno == EOPNOTSUPP)
		skip_test("no urgent data on AF_UNIX here");
	CHECK(events_of(s[1]) & POLLPRI);
	CHECK_EQ(recv(s[1], buf, sizeof(buf), 0), 3);
	OK(ioctl(s[1], SIOCATMARK, &mark));
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(s[1], buf, sizeof(buf), MSG_OOB), 1);
	CHECK_EQ(buf[0], 'U');
	CHECK_ERR(recv(s[1], buf, sizeof(buf), MSG_OOB), EINVAL);
}

TEST(sequenced_packets_keep_their_bounds)
{
	int l = unix_listener(SOCK_SEQPACKET, "l", 5);
	int c = OK(unix_try_connect(SOCK_SEQPACKET, "l")), s = OK(accept(l, NULL, NULL));
	char buf[16] = "";
	struct iovec v = {buf, 3};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	CHECK_EQ(send(c, "first", 5, 0), 5);
	CHECK_EQ(send(c, "second", 6, 0), 6);
	CHECK_EQ(recvmsg(s, &m, 0), 3);
	CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_TRUNC), 6);
	CHECK_ERR(recv(s, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	OK(close(c));
	CHECK_EQ(recv(s, buf, sizeof(buf), 0), 0);
	CHECK_EQ(recv(s, buf, sizeof(buf), MSG_DONTWAIT), 0);
	int u = OK(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	CHECK_ERR(recv(u, buf, 1, 0), ENOTCONN);
	CHECK_ERR(send(u, buf, 1, MSG_NOSIGNAL), ENOTCONN);
}

TEST(wrong_pointers_are_EFAULT_and_lose_nothing)
{
	int s[2];
	char c = 0;

	unix_pair(SOCK_STREAM, s);
	CHECK_ERR(send(s[0], (void *)8, 4, 0), EFAULT);
	CHECK_ERR(recv(s[1], &c, 1, MSG_DONTWAIT), EAGAIN);
	OK(send(s[0], "q", 1, 0));
	CHECK_ERR(recv(s[1], (void *)8, 4, 0), EFAULT);
	CHECK_EQ(recv(s[1], &c, 1, MSG_DONTWAIT), 1);
	CHECK_EQ(c, 'q');
	CHECK_ERR(syscall(SYS_sendmsg, s[0], (void *)8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_recvmsg, s[0], (void *)8, 0), EFAULT);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, (void *)8, 4), EFAULT);
	CHECK_ERR(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &c, (void *)8), EFAULT);
}

TEST(many_readers_lose_and_double_nothing)
{
	enum { READERS = 4, BYTES = 200000 };
	int s[2], sum[2];

	unix_pair(SOCK_STREAM, s);
	OK(pipe(sum));
	for (int i = 0; i < READERS; i++)
		if (!FORK()) {
			char buf[777];
			long n = 0, r;

			close(s[0]);
			while ((r = read(s[1], buf, sizeof(buf))) > 0)
				n += r;
			CHECK_EQ(r, 0);
			OK(write(sum[1], &n, sizeof(n)));
			_exit(0);
		}
	close(s[1]);
	char buf[1000] = "";
	for (int i = 0; i < BYTES / 1000; i++)
		CHECK_EQ(write(s[0], buf, 1000), 1000);
	OK(shutdown(s[0], SHUT_WR));
	long total = 0, n;
	for (int i = 0; i < READERS; i++) {
		CHECK_EQ(read(sum[0], &n, sizeof(n)), sizeof(n));
		total += n;
		wait(NULL);
	}
	CHECK_EQ(total, BYTES);
}
