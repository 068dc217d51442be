/* SPDX-License-Identifier: MIT */
/* Calls whose structures --trace decodes; test_trace.py has what strace prints of them. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/securebits.h>
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

static void about_itself(void)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct some[2] = {
		{1 << CAP_CHOWN | 1 << CAP_NET_RAW, 1 << CAP_CHOWN | 1 << CAP_NET_RAW, 0},
		{1 << (CAP_SYSLOG - 32), 1 << (CAP_SYSLOG - 32), 0}};
	unsigned long cpus = 1, got[16];
	char name[16];
	int v;

	syscall(SYS_sched_setaffinity, 0, 8, &cpus);
	syscall(SYS_sched_getaffinity, 0, 128, got);
	syscall(SYS_sched_getaffinity, 0, 8, 8);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_GET_PDEATHSIG, &v);
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_DUMPABLE, 1);
	prctl(PR_GET_DUMPABLE);
	prctl(PR_SET_NAME, "xyz");
	prctl(PR_GET_NAME, name);
	prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN);
	prctl(PR_CAPBSET_DROP, 99);
	prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_GET_CHILD_SUBREAPER, &v);
	prctl(PR_SET_TIMERSLACK, 60000);
	prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (!fork()) {
		syscall(SYS_capset, &head, some);
		syscall(SYS_capget, &head, some);
		_exit(0);
	}
	wait(NULL);
}

static void entries_and_control(void)
{
	union {
		struct cmsghdr c;
		char room[128];
	} control;
	struct iovec v = {"hi", 2};
	struct msghdr mh = {.msg_iov = &v,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(2 * sizeof(int))};
	int fd, pair[2], one = 1, fds[2] = {0, 1};
	char buf[1024];

	mkdir("/traced.d", 0755);
	close(open("/traced.d/a", O_CREAT | O_WRONLY, 0600));
	fd = open("/traced.d", O_RDONLY | O_DIRECTORY);
	syscall(SYS_getdents64, fd, buf, sizeof(buf));
	syscall(SYS_getdents64, fd, buf, sizeof(buf));
	close(fd);
	(void)!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	control.c = (struct cmsghdr){CMSG_LEN(sizeof(fds)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.c), fds, sizeof(fds));
	sendmsg(pair[0], &mh, 0);
	v = (struct iovec){buf, 16};
	mh.msg_controllen = sizeof(control);
	recvmsg(pair[1], &mh, MSG_DONTWAIT);
}

static void info_handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static void signals_and_ends(void)
{
	struct sigaction sa = {.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO};
	struct clone_args ca = {.flags = CLONE_PARENT_SETTID, .exit_signal = SIGCHLD};
	struct itimerval soon = {{0, 0}, {0, 1000}};
	volatile unsigned long nowhere = 8;
	sigset_t mask;
	int tid;

	if (!syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))
		_exit(2);
	wait(NULL);
	sigaction(SIGRTMIN + 1, &sa, NULL);
	signal(SIGUSR1, handler);
	signal(SIGALRM, handler);
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 77});
	kill(getpid(), SIGWINCH);
	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	sigemptyset(&mask);
	sigsuspend(&mask);
	ca.parent_tid = (unsigned long)&tid;
	if (!syscall(SYS_clone3, &ca, sizeof(ca)))
		kill(getpid(), SIGKILL);
	wait(NULL);
	if (!fork())
		*(volatile int *)nowhere = 1;
	wait(NULL);
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
	about_itself();
	entries_and_control();
	signals_and_ends();
	return 7;
}
