/* SPDX-License-Identifier: MIT */
/* Calls whose structures --trace decodes; test_trace.py has what strace prints of them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void handler(int sig)
{
	(void)sig;
}

static void times_and_signals(void)
{
	struct timespec ts = {0, 1000}, two[2] = {{1, 2}, {3, 4}};
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct itimerval it = {{0, 0}, {5, 0}};
	struct itimerspec its = {{1, 0}, {2, 3}};
	sigset_t set, old;
	int fd;

	syscall(SYS_nanosleep, &ts, &ts);
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8);
	sigaddset(&sa.sa_mask, SIGUSR1);
	sigaction(SIGINT, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, &old);
	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, &old);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(fd, 0, &its, NULL);
	close(fd);
	utimensat(AT_FDCWD, "/nonexistent", two, 0);
}

static void files(int p[2])
{
	struct iovec in[2], out[2] = {{"ab", 2}, {"cd", 2}}, many[40];
	struct epoll_event ev = {EPOLLIN | EPOLLET, {.u64 = 7}}, got[4];
	struct pollfd f[2];
	char buf[64];
	struct stat sb;
	int n, e;

	for (n = 0; n < 40; n++)
		many[n] = (struct iovec){"x", 1};
	(void)!pipe2(p, O_CLOEXEC);
	f[0] = (struct pollfd){p[0], POLLIN, 0};
	f[1] = (struct pollfd){p[1], POLLOUT | POLLPRI, 0};
	(void)!write(p[1], "hello\n", 6);
	poll(f, 2, 10);
	in[0] = (struct iovec){buf, 3};
	in[1] = (struct iovec){buf + 10, 20};
	(void)!readv(p[0], in, 2);
	(void)!writev(p[1], out, 2);
	ioctl(p[0], FIONREAD, &n);
	poll(NULL, 0, 1);
	e = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev);
	epoll_wait(e, got, 4, 0);
	syscall(SYS_stat, "/nonexistent", &sb);
	syscall(SYS_fstat, p[0], &sb);
	(void)!writev(p[1], many, 40);
	close(e);
}

static void sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(4321)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_port = htons(99)};
	struct sockaddr_un un = {AF_UNIX, "/nosock"};
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK};
	struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
	struct msghdr mh = {.msg_iov = v, .msg_iovlen = 2};
	struct sockaddr_in name[2];
	socklen_t len = 4;
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, pair[2];

	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, 4);
	getsockopt(s, SOL_SOCKET, SO_ERROR, &one, &len);
	inet_pton(AF_INET, "127.0.0.1", &a.sin_addr);
	bind(s, (void *)&a, sizeof(a));
	len = 26;
	getsockname(s, (void *)name, &len);
	close(s);
	s = socket(AF_INET6, SOCK_DGRAM, 0);
	inet_pton(AF_INET6, "::1:0:0:5", &a6.sin6_addr);
	connect(s, (void *)&a6, sizeof(a6));
	close(s);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	connect(s, (void *)&un, sizeof(un));
	un.sun_path[0] = 0;
	connect(s, (void *)&un, 9);
	close(s);
	s = socket(AF_NETLINK, SOCK_RAW, 0);
	bind(s, (void *)&nl, sizeof(nl));
	close(s);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	sendmsg(pair[0], &mh, MSG_NOSIGNAL);
}

static void processes(void)
{
	struct rlimit rl;
	int status;

	prctl(PR_SET_NAME, "abc");
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, RLIM_INFINITY});
	getrlimit(RLIMIT_CORE, &rl);
	if (!fork())
		_exit(3);
	syscall(SYS_wait4, -1, &status, 0, NULL);
	if (!fork())
		raise(SIGKILL);
	syscall(SYS_wait4, -1, &status, 0, NULL);
	syscall(SYS_wait4, -1, &status, WNOHANG, NULL);
}

int main(void)
{
	int p[2];

	times_and_signals();
	files(p);
	sockets();
	processes();
	syscall(SYS_write, 1, 8, 5);
	syscall(SYS_rt_sigaction, SIGINT, 8, 0, 8);
	syscall(SYS_poll, 8, 1, 0);
	syscall(SYS_writev, p[1], 8, 2);
	return 0;
}
