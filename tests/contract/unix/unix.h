/* SPDX-License-Identifier: MIT */
#pragma once
#include <sys/socket.h>
#include <sys/un.h>

static inline socklen_t unix_addr(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strcpy(a->sun_path, path);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
}

static inline socklen_t unix_abstract(struct sockaddr_un *a, const char *name, size_t len)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path + 1, name, len);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

static inline int unix_bound(int type, const char *path)
{
	struct sockaddr_un a;
	socklen_t n = unix_addr(&a, path);
	int s = OK(socket(AF_UNIX, type, 0));

	OK(bind(s, (struct sockaddr *)&a, n));
	return s;
}

static inline int unix_listener(int type, const char *path, int backlog)
{
	int s = unix_bound(type, path);

	OK(listen(s, backlog));
	return s;
}

/* A connected socket, or -1 with errno. */
static inline int unix_try_connect(int type, const char *path)
{
	struct sockaddr_un a;
	socklen_t n = unix_addr(&a, path);
	int s = OK(socket(AF_UNIX, type, 0)), err;

	if (connect(s, (struct sockaddr *)&a, n) == 0)
		return s;
	err = errno;
	close(s);
	errno = err;
	return -1;
}

static inline void unix_pair(int type, int fds[2])
{
	OK(socketpair(AF_UNIX, type, 0, fds));
}

static inline void set_nonblock(int fd)
{
	OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK));
}

static inline void set_int(int fd, int name, int v)
{
	OK(setsockopt(fd, SOL_SOCKET, name, &v, sizeof(v)));
}

static inline int get_int(int fd, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	OK(getsockopt(fd, SOL_SOCKET, name, &v, &n));
	CHECK_EQ(n, sizeof(v));
	return v;
}

static inline int events_of(int fd)
{
	struct pollfd p = {.fd = fd,
		.events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM};

	OK(poll(&p, 1, 0));
	return p.revents;
}

/* One data byte with the descriptors. */
static inline ssize_t send_fds(int s, const int *fds, int n)
{
	char c = 'f';
	struct iovec v = {&c, 1};
	union {
		char buf[CMSG_SPACE(sizeof(int) * 256)];
		struct cmsghdr align;
	} u;
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n)};
	struct cmsghdr *h = (struct cmsghdr *)u.buf;

	memset(&u, 0, sizeof(u));
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
	memcpy(CMSG_DATA(h), fds, sizeof(int) * (size_t)n);
	return syscall(SYS_sendmsg, s, &m, 0); /* musl copies to a small buffer */
}

/* Number of descriptors that came with one byte; room: for how many. */
static inline int recv_fds(int s, int *fds, int room, int flags, int *out_flags)
{
	char c;
	struct iovec v = {&c, 1};
	union {
		char buf[CMSG_SPACE(sizeof(int) * 256)];
		struct cmsghdr align;
	} u;
	struct msghdr m = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = u.buf,
		.msg_controllen = room ? CMSG_LEN(sizeof(int) * (size_t)room) : 0};
	struct cmsghdr *h;
	int n = 0;

	OK(recvmsg(s, &m, flags));
	if (out_flags)
		*out_flags = m.msg_flags;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
		n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(h), sizeof(int) * (size_t)n);
	}
	return n;
}
