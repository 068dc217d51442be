/* SPDX-License-Identifier: MIT */
/* Descriptors and credentials in messages. */
#include "contract.h"
#include "unix.h"

TEST(a_descriptor_arrives_as_the_same_open_file)
{
	int s[2], p[2], fd = -1, flags;
	char c = 0;

	unix_pair(SOCK_STREAM, s);
	OK(pipe(p));
	CHECK_EQ(send_fds(s[0], &p[1], 1), 1);
	OK(close(p[1]));
	CHECK_EQ(recv_fds(s[1], &fd, 1, 0, &flags), 1);
	CHECK_EQ(flags, 0);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	CHECK_EQ(write(fd, "k", 1), 1);
	OK(close(fd));
	CHECK_EQ(read(p[0], &c, 1), 1);
	CHECK_EQ(read(p[0], &c, 1), 0);
}

TEST(cmsg_cloexec_and_too_little_room)
{
	int s[2], fds[4] = {0, 1, 2, 0}, got[4], flags;

	unix_pair(SOCK_DGRAM, s);
	OK(send_fds(s[0], fds, 1));
	CHECK_EQ(recv_fds(s[1], got, 1, MSG_CMSG_CLOEXEC, &flags), 1);
	CHECK_EQ(flags, MSG_CMSG_CLOEXEC);
	CHECK_EQ(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	OK(send_fds(s[0], fds, 3));
	CHECK_EQ(recv_fds(s[1], got, 2, 0, &flags), 2);
	CHECK_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
	OK(send_fds(s[0], fds, 3));
	CHECK_EQ(recv_fds(s[1], got, 0, 0, &flags), 0);
	CHECK_EQ(flags & MSG_CTRUNC, MSG_CTRUNC);
}

TEST(limits_of_a_message_with_descriptors)
{
	int s[2], fds[254], got[254];

	unix_pair(SOCK_DGRAM, s);
	for (int i = 0; i < 254; i++)
		fds[i] = s[0];
	CHECK_ERR(send_fds(s[0], fds, 254), EINVAL);
	CHECK_EQ(send_fds(s[0], fds, 253), 1);
	CHECK_EQ(recv_fds(s[1], got, 253, 0, NULL), 253);
	fds[0] = 9999;
	CHECK_ERR(send_fds(s[0], fds, 1), EBADF);
}

TEST(peek_copies_the_descriptors)
{
	int s[2], a = -1, b = -1, fd = new_file("f", O_RDWR, 0600);

	unix_pair(SOCK_STREAM, s);
	OK(send_fds(s[0], &fd, 1));
	CHECK_EQ(recv_fds(s[1], &a, 1, MSG_PEEK, NULL), 1);
	CHECK_EQ(recv_fds(s[1], &b, 1, 0, NULL), 1);
	CHECK(a != b);
	OK(write(a, "x", 1));
	CHECK_EQ(lseek(b, 0, SEEK_CUR), 1);
}

TEST(a_stream_read_stops_at_descriptors)
{
	int s[2], fd = -1;
	char buf[16];

	unix_pair(SOCK_STREAM, s);
	OK(write(s[0], "aa", 2));
	OK(send_fds(s[0], &s[0], 1));
	OK(write(s[0], "bb", 2));
	struct iovec v = {buf, sizeof(buf)};
	char ctl[64];
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};
	CHECK_EQ(recvmsg(s[1], &m, 0), 3); /* up to and with the byte that carries them */
	CHECK_EQ(m.msg_controllen, CMSG_SPACE(sizeof(int)));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	OK(close(fd));
	CHECK_EQ(read(s[1], buf, sizeof(buf)), 2);
}

TEST(unreceived_descriptors_are_closed_with_the_socket)
{
	int s[2], p[2];
	char c;

	unix_pair(SOCK_DGRAM, s);
	OK(pipe(p));
	OK(send_fds(s[0], &p[1], 1));
	OK(close(p[1]));
	set_nonblock(p[0]);
	CHECK_ERR(read(p[0], &c, 1), EAGAIN);
	OK(close(s[0]));
	OK(close(s[1]));
	CHECK_EQ(read(p[0], &c, 1), 0);
}

/* Sockets that lie only in each other's queues are found and closed: the pipe's end goes with them.
 */
TEST(cycles_of_descriptors_are_collected)
{
	int p[2];
	char c;

	OK(pipe(p));
	for (int i = 0; i < 50; i++) {
		int a[2], b[2];

		unix_pair(SOCK_DGRAM, a);
		unix_pair(SOCK_STREAM, b);
		OK(send_fds(a[0], &b[0], 1));
		OK(send_fds(a[0], &b[1], 1));
		OK(send_fds(b[0], &a[0], 1));
		OK(send_fds(b[0], &a[1], 1));
		OK(send_fds(b[1], &p[1], 1));
		OK(close(a[0]));
		OK(close(a[1]));
		OK(close(b[0]));
		OK(close(b[1]));
	}
	OK(close(p[1]));
	int t[2];
	unix_pair(SOCK_DGRAM, t); /* closing a socket starts a collection */
	OK(close(t[0]));
	OK(close(t[1]));
	CHECK_EQ(read(p[0], &c, 1), 0); /* waits for it */
}

TEST(a_reachable_socket_in_flight_is_kept)
{
	int a[2], b[2], fd = -1;
	char buf[8] = "";

	unix_pair(SOCK_DGRAM, a);
	unix_pair(SOCK_STREAM, b);
	OK(write(b[0], "keep", 4));
	OK(send_fds(a[0], &b[1], 1));
	OK(close(b[1]));
	for (int i = 0; i < 20; i++) {
		int t[2];

		unix_pair(SOCK_DGRAM, t);
		OK(close(t[0]));
		OK(close(t[1]));
	}
	CHECK_EQ(recv_fds(a[1], &fd, 1, 0, NULL), 1);
	CHECK_EQ(read(fd, buf, 8), 4);
	CHECK_STR(buf, "keep");
}

static int recv_cred(int s, struct ucred *uc)
{
	char c, ctl[64];
	struct iovec v = {&c, 1};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)};

	OK(recvmsg(s, &m, 0));
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	if (!h)
		return 0;
	CHECK_EQ(h->cmsg_type, SCM_CREDENTIALS);
	CHECK_EQ(h->cmsg_len, CMSG_LEN(sizeof(*uc)));
	memcpy(uc, CMSG_DATA(h), sizeof(*uc));
	return 1;
}

TEST(passcred_tells_who_sent)
{
	int s[2];
	struct ucred uc = {-1, 9, 9};

	unix_pair(SOCK_DGRAM, s);
	OK(write(s[0], "x", 1));
	CHECK_EQ(recv_cred(s[1], &uc), 0);
	OK(write(s[0], "x", 1)); /* nobody asked then: it carries none */
	set_int(s[1], SO_PASSCRED, 1);
	CHECK_EQ(recv_cred(s[1], &uc), 1);
	CHECK_EQ(uc.pid, 0);
	CHECK_EQ(uc.uid, 65534);
	pid_t p = FORK();
	if (!p) {
		become_user(1000, 1001);
		OK(write(s[0], "x", 1));
		_exit(0);
	}
	expect_exit(p, 0);
	CHECK_EQ(recv_cred(s[1], &uc), 1);
	CHECK_EQ(uc.pid, p);
	CHECK_EQ(uc.uid, 1000);
	CHECK_EQ(uc.gid, 1001);
}

static ssize_t send_cred(int s, struct ucred uc)
{
	char c = 'c';
	struct iovec v = {&c, 1};
	union {
		char buf[CMSG_SPACE(sizeof(uc))];
		struct cmsghdr h;
	} u = {.h = {.cmsg_level = SOL_SOCKET,
		       .cmsg_type = SCM_CREDENTIALS,
		       .cmsg_len = CMSG_LEN(sizeof(uc))}};
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = sizeof(u.buf)};

	memcpy(CMSG_DATA(&u.h), &uc, sizeof(uc));
	return sendmsg(s, &m, 0);
}

TEST(credentials_may_not_be_forged)
{
	int s[2];
	struct ucred uc;

	unix_pair(SOCK_DGRAM, s);
	set_int(s[1], SO_PASSCRED, 1);
	CHECK_EQ(send_cred(s[0], (struct ucred){getpid(), 42, 43}), 1); /* root may */
	CHECK_EQ(recv_cred(s[1], &uc), 1);
	CHECK_EQ(uc.uid, 42);
	CHECK_ERR(send_cred(s[0], (struct ucred){999999, 0, 0}), ESRCH);
	pid_t p = FORK();
	if (!p) {
		become_user(1000, 1000);
		CHECK_ERR(send_cred(s[0], (struct ucred){getpid(), 0, 1000}), EPERM);
		CHECK_ERR(send_cred(s[0], (struct ucred){getppid(), 1000, 1000}), EPERM);
		CHECK_EQ(send_cred(s[0], (struct ucred){getpid(), 1000, 1000}), 1);
		_exit(0);
	}
	expect_exit(p, 0);
	CHECK_EQ(recv_cred(s[1], &uc), 1);
	CHECK_EQ(uc.uid, 1000);
}

TEST(peercred_is_who_connected_and_who_listened)
{
	int l = unix_listener(SOCK_STREAM, "l", 5);
	struct ucred uc;
	socklen_t n = sizeof(uc);

	OK(chmod(".", 0777));
	OK(chmod("l", 0777));
	int c0 = OK(socket(AF_UNIX, SOCK_STREAM, 0));
	OK(getsockopt(c0, SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK_EQ(uc.pid, 0);
	CHECK_EQ(uc.uid, (uid_t)-1);
	pid_t me = getpid(), p = FORK();
	if (!p) {
		become_user(1000, 1001);
		int c = OK(unix_try_connect(SOCK_STREAM, "l"));

		OK(getsockopt(c, SOL_SOCKET, SO_PEERCRED, &uc, &n));
		CHECK_EQ(uc.pid, me);
		CHECK_EQ(uc.uid, 0);
		_exit(0);
	}
	int s = OK(accept(l, NULL, NULL));
	OK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK_EQ(uc.pid, p);
	CHECK_EQ(uc.uid, 1000);
	CHECK_EQ(uc.gid, 1001);
	expect_exit(p, 0);
	int pair[2];
	unix_pair(SOCK_STREAM, pair);
	OK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &uc, &n));
	CHECK_EQ(uc.pid, getpid());
}
