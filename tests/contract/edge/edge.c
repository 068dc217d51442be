/* SPDX-License-Identifier: MIT */
/* The files and the memory that the tables speak of, and the making of the calls. */
#include "edge.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#define SECONDS     10 /* for one call; one that sleeps longer is killed by SIGALRM */

#define MAX_RESULTS 2000

static struct {
	pid_t thread;
	size_t next; /* call to make */
	long results[MAX_RESULTS];
} * g_shared; /* by all processes */
static pid_t g_other;

static void map_at(long addr, size_t len, int prot, int flags, int fd)
{
	void *p = mmap((void *)addr, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0);

	CHECK_EQ((long)p, addr);
}

static void put(int fd, int number)
{
	CHECK(fd >= 0);
	OK(dup2(fd, number));
	OK(close(fd));
}

static void nonblock(int fd)
{
	OK(fcntl(fd, F_SETFL, OK(fcntl(fd, F_GETFL)) | O_NONBLOCK));
}

static void open_sockets(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int fds[2];

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	put(fds[0], SOCK_FD);
	put(fds[1], SOCK_FD + 100); /* so that the pair lives */
	put(socket(AF_UNIX, SOCK_STREAM, 0), LISTEN_FD);
	OK(bind(LISTEN_FD, (void *)&name, sizeof(name)));
	OK(listen(LISTEN_FD, 1));
}

static void open_events(void)
{
	sigset_t usr1;
	int fds[2];

	OK(pipe(fds));
	put(fds[0], PIPE_R);
	put(fds[1], PIPE_W);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	put(eventfd(0, 0), EVENT_FD);
	put(timerfd_create(CLOCK_MONOTONIC, 0), TIMER_FD);
	put(signalfd(-1, &usr1, 0), SIGNAL_FD);
	put(epoll_create1(0), EPOLL_FD);
	put(inotify_init(), INOTIFY_FD);
	put((int)syscall(SYS_pidfd_open, 1, 0), PID_FD);
}

static void open_files(void)
{
	static const char zeros[5000];
	int master, fd = new_file("file", O_RDWR, 0644);

	CHECK_EQ(write(fd, zeros, sizeof(zeros)), (ssize_t)sizeof(zeros));
	OK(lseek(fd, 0, SEEK_SET));
	put(fd, FILE_FD);
	put(open("file", O_RDONLY), FILE_RO);
	put(open("file", O_WRONLY), FILE_WO);
	put(open("file", O_RDWR | O_APPEND), FILE_AP);
	put(open(".", O_RDONLY | O_DIRECTORY), DIR_FD);
	put(open("file", O_PATH), PATH_FD);
	put(open(".", O_PATH), PATH_DIR);
	put(memfd_create("memfd", MFD_ALLOW_SEALING), MEM_FD);
	put(open("/dev/null", O_RDWR), NULL_FD);
	put(open("/proc/self/status", O_RDONLY), PROC_FD);
	master = OK(posix_openpt(O_RDWR | O_NOCTTY));
	OK(grantpt(master));
	OK(unlockpt(master));
	put(open(ptsname(master), O_RDWR | O_NOCTTY), SLAVE_FD);
	put(master, MASTER_FD);
	open_events();
	open_sockets();
	for (fd = PIPE_R; fd < CLOSED_FD; fd++)
		nonblock(fd);
}

static void fill_args(void)
{
	struct edge_args *a = ARGS;

	a->ms.tv_nsec = 1000000;
	a->ns_too_big.tv_nsec = 1000000000;
	a->ns_negative.tv_nsec = -1;
	a->sec_negative.tv_sec = -1;
	a->bad_times[0].tv_nsec = 5000000000;
	a->usec_too_big.tv_usec = 1000000;
	a->its_ns_too_big.it_value.tv_nsec = 2000000000;
	a->itv_usec_too_big.it_value.tv_usec = 1000000;
	a->iov = (struct iovec){(void *)BUF, 16};
	a->iov_bad = (struct iovec){(void *)BAD, 16};
	a->iov_huge[0] = a->iov_huge[1] = (struct iovec){(void *)BUF, LONG_MAX};
	a->iov_negative = (struct iovec){(void *)BUF, (size_t)-1};
	a->pollfd = (struct pollfd){.fd = NULL_FD, .events = POLLIN};
	a->lock = (struct flock){.l_type = F_WRLCK};
	a->lock_type = (struct flock){.l_type = 9};
	a->lock_whence = (struct flock){.l_type = F_WRLCK, .l_whence = 7};
	a->lock_negative = (struct flock){.l_type = F_WRLCK, .l_start = -5};
	a->lock_overflow = (struct flock){.l_type = F_WRLCK, .l_start = LONG_MAX, .l_len = 2};
	a->rlimit = (struct rlimit){1024, 1024};
	a->rlimit_turned = (struct rlimit){2, 1};
	a->prio1.sched_priority = 1;
	a->prio100.sched_priority = 100;
	sigaddset(&a->usr1_set, SIGUSR1);
	a->stack_small = (stack_t){.ss_sp = (void *)BUF, .ss_size = 100};
	a->stack_flag = (stack_t){.ss_sp = (void *)BUF, .ss_size = 8192, .ss_flags = 4};
	a->open_how_flag[0] = 1ul << 40;
	a->open_how_mode[1] = 0644;
	a->open_how_resolve[2] = 0x100;
	a->one = 1;
	a->minus_one = ~0ul;
	a->max_offset = LONG_MAX;
	a->epoll_in[0] = EPOLLIN;
	a->epoll_exclusive_oneshot[0] = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	a->minus = -1;
	a->cap_v3[0] = a->cap_negative[0] = 0x20080522;
	a->cap_bad[0] = 0x1234;
	a->cap_negative[1] = ~0u;
	memset(a->long_name, 'n', 256);
	for (int i = 0; i < 4096; i += 2)
		memcpy(a->long_path + i, "./", 2);
}

static __attribute__((noreturn)) void *be_a_thread(void *unused)
{
	(void)unused;
	__atomic_store_n(&g_shared->thread, gettid_raw(), __ATOMIC_RELEASE);
	for (;;)
		pause();
}

static void start_other(void)
{
	g_other = FORK();
	if (!g_other) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CHECK_PT(pthread_create(&t, NULL, be_a_thread, NULL));
		for (;;)
			pause();
	}
	while (!__atomic_load_n(&g_shared->thread, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void make_names(void)
{
	int fd = new_file("file", O_RDWR, 0644);

	OK(ftruncate(fd, 5000));
	OK(close(fd));
	OK(mkdir("sub", 0755));
	OK(mkdir("full", 0755));
	OK(mkdir("full/x", 0755));
	OK(symlink("file", "link"));
	OK(symlink("nowhere", "dangling"));
	OK(symlink("loop", "loop"));
}

/* Thousands of processes, one after the other: handing over between CPUs would cost most. */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	OK(sched_setaffinity(0, sizeof(one), &one));
}

static void edge_prepare(void)
{
	stay_on_one_cpu();
	umask(022);
	open_files();
	map_at(BUF, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at(RO_PAGE, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at(FILE_MAP, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, FILE_FD);
	map_at(LAST_BYTE & -4096l, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	map_at((long)ARGS, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	fill_args();
	g_shared = mmap(
		NULL, sizeof(*g_shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(g_shared != MAP_FAILED);
	start_other();
}

static long argument(long a, long axis_value)
{
	switch (a) {
	case AXIS:
		return axis_value;
	case SELF:
		return getpid();
	case THREAD:
		return g_shared->thread;
	default:
		return a;
	}
}

/* One that sleeps for ever need not be waited for long. */
static bool sleeps(const struct edge_call *c, size_t i)
{
	for (int k = 0; k < EDGE_ANSWERS; k++)
		if (c->is[k].of != EDGE_REST && (c->is[k].of >> i & 1))
			return c->is[k].want == KILLED(SIGALRM);
	return false;
}

static long make(const struct edge_call *c, size_t value, long axis_value)
{
	long v[6], r;

	alarm(sleeps(c, value) ? 1 : SECONDS);
	for (int i = 0; i < 6; i++)
		v[i] = argument(c->args[i], axis_value);
	errno = 0;
	r = syscall(c->nr, v[0], v[1], v[2], v[3], v[4], v[5]);
	return r == -1 && errno ? -errno : r;
}

/* Numbers that a program sees only as success: descriptors, addresses. */
static bool is_success(long r)
{
	return (r <= -4096 || r >= 0) && r < KILLED(64);
}

/* A place of its own for each process that makes calls: what one changes the next doesn't see. */
static void enter_new_directory(void)
{
	char name[32];

	snprintf(name, sizeof(name), "at%zu", g_shared->next);
	OK(mkdir(name, 0755));
	OK(chdir(name));
	make_names();
}

/* A call that failed has changed nothing: the next one can be made by the same process. */
static void make_until_success(const struct edge_table *t)
{
	enter_new_directory();
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	while (g_shared->next < t->nr * t->values) {
		size_t i = g_shared->next;
		long r = make(
			&t->calls[i / t->values], i % t->values, t->axis[i % t->values].value);

		g_shared->results[i] = r;
		g_shared->next = i + 1;
		if (is_success(r))
			break;
	}
	_exit(0);
}

const long *edge_make(const struct edge_table *t)
{
	CHECK(t->nr * t->values <= MAX_RESULTS);
	edge_prepare();
	while (g_shared->next < t->nr * t->values) {
		int status;
		pid_t pid = FORK();

		if (!pid)
			make_until_success(t);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFSIGNALED(status))
			g_shared->results[g_shared->next++] = KILLED(WTERMSIG(status));
	}
	OK(kill(g_other, SIGKILL));
	expect_signal(g_other, SIGKILL);
	return g_shared->results;
}

static const char *name_of(long r)
{
	static char text[2][32];
	static int turn;
	char *t = text[turn ^= 1];

	if (r == SOME)
		return "success";
	if (r < 0 && r > -4096)
		return errno_name((int)-r);
	snprintf(t, 32, is_success(r) ? "%ld" : "signal %ld", is_success(r) ? r : SOME - 1 - r);
	return t;
}

/* The answer for value i of the axis. */
static long wanted(const struct edge_call *c, size_t i)
{
	const struct edge_is *found = NULL, *rest = NULL;

	for (int k = 0; k < EDGE_ANSWERS; k++) {
		const struct edge_is *is = &c->is[k];

		if (is->of == EDGE_REST)
			rest = is;
		if (!(is->of >> i & 1) || is->of == EDGE_REST)
			continue;
		if (found)
			FAIL("%s: two answers for one value", c->text);
		found = is;
	}
	if (!found && !rest)
		FAIL("%s: no answer for a value", c->text);
	return found ? found->want : rest->want;
}

void edge_check(const struct edge_table *t)
{
	const long *results = edge_make(t);
	char report[900];
	size_t len = 0;

	for (size_t i = 0; i < t->nr * t->values && len < sizeof(report); i++) {
		const struct edge_call *call = &t->calls[i / t->values];
		const char *of = t->axis[i % t->values].name;
		long want = wanted(call, i % t->values), got = results[i];

		if (want == ANYTHING || got == want || (want == SOME && is_success(got)))
			continue;
		len += (size_t)snprintf(report + len, sizeof(report) - len,
			"%s%s%s: expected %s, got %s; ", call->text, *of ? " " : "", of,
			name_of(want), name_of(got));
	}
	if (len)
		FAIL("%s", report);
}
