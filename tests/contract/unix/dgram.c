/* SPDX-License-Identifier: MIT */
/* Datagrams, options, many messages at once. */
#include "contract.h"
#include <sys/epoll.h>
#include "unix.h"

TEST(datagrams_keep_bounds_and_name_their_sender)
{
	int a = unix_bound(SOCK_DGRAM, "a"), b = unix_bound(SOCK_DGRAM, "b");
	struct sockaddr_un to, from;
	socklen_t n = unix_addr(&to, "b"), len = sizeof(from);
	char buf[16] = "";

	CHECK_EQ(sendto(a, "hello", 5, 0, (void *)&to, n), 5);
	CHECK_EQ(sendto(a, "", 0, 0, (void *)&to, n), 0);
	CHECK_EQ(recvfrom(b, buf, 3, 0, (void *)&from, &len), 3);
	CHECK_STR(from.sun_path, "a");
	CHECK_EQ(len, 4);
	CHECK_EQ(recv(b, buf, sizeof(buf), 0), 0);
	CHECK_ERR(recv(b, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	int u = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	OK(sendto(u, "x", 1, 0, (void *)&to, n));
	len = sizeof(from);
	OK(recvfrom(b, buf, 3, 0, (void *)&from, &len));
	CHECK_EQ(len, 0); /* it has no name */
}

TEST(destination_errors)
{
	int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), b = unix_bound(SOCK_DGRAM, "b");
	struct sockaddr_un to;
	socklen_t n;

	CHECK_ERR(send(a, "x", 1, 0), ENOTCONN);
	n = unix_addr(&to, "none");
	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, n), ENOENT);
	n = unix_addr(&to, "b");
	OK(connect(a, (void *)&to, n));
	OK(close(b));
	CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(a, "x", 1, 0), ENOTCONN);
	unix_listener(SOCK_STREAM, "l", 1);
	n = unix_addr(&to, "l");
	CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, n), EPROTOTYPE);
	char *big = calloc(1, 1 << 20);
	int s[2];
	unix_pair(SOCK_DGRAM, s);
	CHECK_ERR(send(s[0], big, 1 << 20, 0), EMSGSIZE);
	CHECK_EQ(send(s[0], big, 100000, 0), 100000);
	CHECK_EQ(recv(s[1], big, 1 << 20, 0), 100000);
}

TEST(only_the_peer_may_send_to_a_connected_socket)
{
	int a = unix_bound(SOCK_DGRAM, "a"), b = unix_bound(SOCK_DGRAM, "b");
	int c = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sockaddr_un to;
	socklen_t n = unix_addr(&to, "a");

	OK(connect(b, (void *)&to, n));
	n = unix_addr(&to, "b");
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&to, n), EPERM);
	CHECK_ERR(connect(c, (void *)&to, n), EPERM);
	CHECK_EQ(sendto(a, "x", 1, 0, (void *)&to, n), 1);
	struct sockaddr un = {.sa_family = AF_UNSPEC};
	OK(connect(b, &un, sizeof(un)));
	CHECK_EQ(sendto(c, "x", 1, 0, (void *)&to, n), 1);
}

TEST(a_full_queue_holds_the_sender_until_room)
{
	int b = unix_bound(SOCK_DGRAM, "b"), a = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sockaddr_un to;
	socklen_t n = unix_addr(&to, "b");
	char c;
	int sent = 0;

	OK(connect(a, (void *)&to, n));
	while (send(a, "x", 1, MSG_DONTWAIT) == 1)
		sent++;
	CHECK_ERR(send(a, "x", 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(sent, 11);
	CHECK_EQ(events_of(a) & POLLOUT, 0);
	pid_t me = getpid(), p = FORK();
	if (!p) {
		await_sleep(me);
		OK(recv(b, &c, 1, 0));
		_exit(0);
	}
	CHECK_EQ(send(a, "y", 1, 0), 1);
	expect_exit(p, 0);
	OK(recv(b, &c, 1, 0));
	OK(recv(b, &c, 1, 0));
	CHECK(events_of(a) & POLLOUT);
	OK(close(b));
	CHECK_ERR(send(a, "x", 1, MSG_DONTWAIT), ECONNREFUSED);
}

TEST(poll_wakes_a_sender_when_there_is_room)
{
	int b = unix_bound(SOCK_DGRAM, "b"), a = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	struct sockaddr_un to;
	socklen_t n = unix_addr(&to, "b");
	struct pollfd pf = {.fd = a, .events = POLLOUT};
	char c;

	OK(connect(a, (void *)&to, n));
	while (send(a, "x", 1, MSG_DONTWAIT) == 1)
		;
	pid_t me = getpid(), p = FORK();
	if (!p) {
		await_sleep(me);
		OK(recv(b, &c, 1, 0));
		_exit(0);
	}
	CHECK_EQ(poll(&pf, 1, 20000), 1);
	CHECK_EQ(pf.revents, POLLOUT);
	expect_exit(p, 0);
}

TEST(mmsg_calls_move_several_messages)
{
	int s[2];
	char data[4][4] = {"a", "bb", "ccc", ""}, got[4][8] = {{0}};
	struct iovec v[4], w[4];
	struct mmsghdr m[4] = {{{0}, 0}}, r[4] = {{{0}, 0}};

	unix_pair(SOCK_DGRAM, s);
	for (int i = 0; i < 4; i++) {
		v[i] = (struct iovec){data[i], strlen(data[i])};
		w[i] = (struct iovec){got[i], 8};
		m[i].msg_hdr.msg_iov = &v[i];
		r[i].msg_hdr.msg_iov = &w[i];
		m[i].msg_hdr.msg_iovlen = r[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK_EQ(sendmmsg(s[0], m, 3, 0), 3);
	CHECK_EQ(m[2].msg_len, 3);
	CHECK_EQ(recvmmsg(s[1], r, 4, MSG_WAITFORONE, NULL), 3);
	CHECK_STR(got[1], "bb");
	CHECK_EQ(r[1].msg_len, 2);
	CHECK_ERR(recvmmsg(s[1], r, 4, MSG_DONTWAIT, NULL), EAGAIN);
}

TEST(buffer_sizes_are_doubled_and_limited)
{
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));

	CHECK_EQ(get_int(s, SO_SNDBUF), 212992);
	CHECK_EQ(get_int(s, SO_RCVBUF), 212992);
	set_int(s, SO_SNDBUF, 10000);
	CHECK_EQ(get_int(s, SO_SNDBUF), 20000);
	set_int(s, SO_SNDBUF, 1);
	CHECK_EQ(get_int(s, SO_SNDBUF), 4608);
	set_int(s, SO_RCVBUF, 1);
	CHECK_EQ(get_int(s, SO_RCVBUF), 2304);
	set_int(s, SO_RCVBUF, 1 << 30);
	CHECK_EQ(get_int(s, SO_RCVBUF), 2 * 212992);
	set_int(s, SO_SNDBUFFORCE, 1 << 20);
	CHECK_EQ(get_int(s, SO_SNDBUF), 2 << 20);
}

TEST(generic_options_are_kept)
{
	int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	struct linger l = {1, 7}, lg = {0, 0};
	socklen_t n = sizeof(lg);
	unsigned long long cookie = 0, cookie2 = 1;

	CHECK_EQ(get_int(s, SO_REUSEADDR), 0);
	set_int(s, SO_REUSEADDR, 5);
	CHECK_EQ(get_int(s, SO_REUSEADDR), 1);
	set_int(s, SO_KEEPALIVE, 1);
	CHECK_EQ(get_int(s, SO_KEEPALIVE), 1);
	set_int(s, SO_PRIORITY, 6);
	CHECK_EQ(get_int(s, SO_PRIORITY), 6);
	CHECK_EQ(get_int(s, SO_DOMAIN), AF_UNIX);
	CHECK_EQ(get_int(s, SO_PROTOCOL), 0);
	CHECK_EQ(get_int(s, SO_TYPE), SOCK_STREAM);
	CHECK_EQ(get_int(s, SO_ERROR), 0);
	CHECK_EQ(get_int(s, SO_ACCEPTCONN), 0);
	CHECK_EQ(get_int(s, SO_RCVLOWAT), 1);
	CHECK_EQ(get_int(s, SO_SNDLOWAT), 1);
	OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	OK(getsockopt(s, SOL_SOCKET, SO_LINGER, &lg, &n));
	CHECK_EQ(lg.l_onoff, 1);
	CHECK_EQ(lg.l_linger, 7);
	n = sizeof(cookie);
	OK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie, &n));
	n = sizeof(cookie2);
	OK(getsockopt(s, SOL_SOCKET, SO_COOKIE, &cookie2, &n));
	CHECK(cookie != 0 && cookie == cookie2);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_TYPE, &(int){1}, sizeof(int)), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, 4711, &(int){1}, sizeof(int)), ENOPROTOOPT);
	CHECK_ERR(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){1}, 2), EINVAL);
	char one = 9;
	n = 1;
	OK(getsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, &n));
	CHECK_EQ(n, 1);
	CHECK_EQ(one, 1);
	OK(close(s));
	s = unix_listener(SOCK_STREAM, "l", 1);
	CHECK_EQ(get_int(s, SO_ACCEPTCONN), 1);
}

TEST(epoll_edge_triggers_on_each_message)
{
	int s[2], ep = OK(epoll_create1(0));
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u32 = 7}, got;

	unix_pair(SOCK_DGRAM, s);
	OK(epoll_ctl(ep, EPOLL_CTL_ADD, s[1], &ev));
	CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		OK(send(s[0], "x", 1, 0));
		CHECK_EQ(epoll_wait(ep, &got, 1, 1000), 1);
		CHECK_EQ(got.events, EPOLLIN);
		CHECK_EQ(epoll_wait(ep, &got, 1, 0), 0);
	}
}
