// SPDX-License-Identifier: MIT
/* Between threads and processes: futexes, pipes, sockets on this machine, yielding, epoll. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

/* ---- futexes ------------------------------------------------------------------------------ */

static uint32_t g_word;

static long futex(uint32_t *word, int op, uint32_t value)
{
	return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void futex_wake_run(long n)
{
	while (n--)
		MUST(futex(&g_word, FUTEX_WAKE, 1));
}

static void wait_for(uint32_t value)
{
	uint32_t seen;

	while ((seen = __atomic_load_n(&g_word, __ATOMIC_ACQUIRE)) != value)
		futex(&g_word, FUTEX_WAIT, seen);
}

static void set_and_wake(uint32_t value)
{
	__atomic_store_n(&g_word, value, __ATOMIC_RELEASE);
	MUST(futex(&g_word, FUTEX_WAKE, 1));
}

static void *futex_partner(void *count)
{
	for (long n = (long)count; n--;) {
		wait_for(1);
		set_and_wake(0);
	}
	return NULL;
}

static void futex_rt_run(long n)
{
	pthread_t partner;

	if (pthread_create(&partner, NULL, futex_partner, (void *)n) != 0)
		cannot("pthread_create: %m");
	while (n--) {
		set_and_wake(1);
		wait_for(0);
	}
	pthread_join(partner, NULL);
}

/* ---- a partner process behind two descriptors --------------------------------------------- */

static int g_ours[2]; /* read here, write here */
static pid_t g_partner;

static void start_partner(int in, int out, int close1, int close2, void (*job)(int in, int out))
{
	g_partner = MUST(fork());
	if (g_partner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(close1);
		if (close2 != close1)
			close(close2);
		job(in, out);
		_exit(0);
	}
	close(in);
	if (out != in)
		close(out);
}

static void end_partner(long n)
{
	(void)n;
	close(g_ours[1]);
	if (g_ours[0] != g_ours[1])
		close(g_ours[0]);
	waitpid(g_partner, NULL, 0);
}

static void echo_bytes(int in, int out)
{
	char c;

	while (read(in, &c, 1) == 1 && write(out, &c, 1) == 1)
		;
}

static char g_block[65536];

static void swallow(int in, int out)
{
	(void)out;
	while (read(in, g_block, sizeof(g_block)) > 0)
		;
}

static void round_trips(long n)
{
	char c = 0;

	while (n--) {
		MUST(write(g_ours[1], &c, 1));
		if (read(g_ours[0], &c, 1) != 1)
			cannot("the partner has ended");
	}
}

static void pour(long bytes)
{
	while (bytes > 0)
		bytes -= MUST(write(g_ours[1], g_block, sizeof(g_block)));
}

static void pipe_partner(void (*job)(int, int))
{
	int there[2], back[2];

	MUST(pipe(there));
	MUST(pipe(back));
	g_ours[0] = back[0];
	g_ours[1] = there[1];
	start_partner(there[0], back[1], back[0], there[1], job);
}

static void pipe_echo(long n)
{
	(void)n;
	pipe_partner(echo_bytes);
}

static void pipe_sink(long n)
{
	(void)n;
	pipe_partner(swallow);
}

static void unix_partner(void (*job)(int, int))
{
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	g_ours[0] = g_ours[1] = pair[0];
	start_partner(pair[1], pair[1], pair[0], pair[0], job);
}

static void unix_echo(long n)
{
	(void)n;
	unix_partner(echo_bytes);
}

static void unix_sink(long n)
{
	(void)n;
	unix_partner(swallow);
}

/* ---- loopback ----------------------------------------------------------------------------- */

static int loopback_socket(int type, struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = MUST(socket(AF_INET, type, 0));

	*addr = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	MUST(bind(fd, (struct sockaddr *)addr, sizeof(*addr)));
	MUST(getsockname(fd, (struct sockaddr *)addr, &len));
	return fd;
}

static void udp_echo(long n)
{
	struct sockaddr_in a, b;
	int one = loopback_socket(SOCK_DGRAM, &a), two = loopback_socket(SOCK_DGRAM, &b);

	(void)n;
	MUST(connect(one, (struct sockaddr *)&b, sizeof(b)));
	MUST(connect(two, (struct sockaddr *)&a, sizeof(a)));
	g_ours[0] = g_ours[1] = one;
	start_partner(two, two, one, one, echo_bytes);
}

static void end_udp(long n)
{
	(void)n;
	kill(g_partner, SIGKILL); /* a datagram socket has no end of file */
	end_partner(0);
}

static void tcp_partner(void (*job)(int, int))
{
	struct sockaddr_in addr;
	int listener = loopback_socket(SOCK_STREAM, &addr), one, two, on = 1;

	MUST(listen(listener, 1));
	one = MUST(socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(one, (struct sockaddr *)&addr, sizeof(addr)));
	two = MUST(accept(listener, NULL, NULL));
	MUST(setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	MUST(setsockopt(two, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)));
	close(listener);
	g_ours[0] = g_ours[1] = one;
	start_partner(two, two, one, one, job);
}

static void tcp_echo(long n)
{
	(void)n;
	tcp_partner(echo_bytes);
}

static void tcp_sink(long n)
{
	(void)n;
	tcp_partner(swallow);
}

static void tcp_connect_run(long n)
{
	struct sockaddr_in addr;
	int listener = loopback_socket(SOCK_STREAM, &addr);

	MUST(listen(listener, 16));
	while (n--) {
		int one = MUST(socket(AF_INET, SOCK_STREAM, 0)), two;

		MUST(connect(one, (struct sockaddr *)&addr, sizeof(addr)));
		two = MUST(accept(listener, NULL, NULL));
		close(one);
		close(two);
	}
	close(listener);
}

/* ---- yielding ----------------------------------------------------------------------------- */

static void yield_run(long n)
{
	while (n--)
		sched_yield();
}

/*
 * Two processes on one CPU pass a number back and forth and yield until the other has answered, so
 * that each round takes a switch there and one back: a yield that does not switch answers nothing.
 */
struct rally {
	long served, returned;
	int stop;
};
static volatile struct rally *g_rally;

static void rally_run(long n)
{
	while (n--) {
		long ball = g_rally->served + 1;

		g_rally->served = ball;
		while (g_rally->returned != ball)
			sched_yield();
	}
}

#define RALLY_WARM_UP 2000 /* until a new process has its fair share */

static void start_rally(long n)
{
	cpu_set_t first;

	(void)n;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	MUST(sched_setaffinity(0, sizeof(first), &first));
	g_rally = MUST_MAP(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	g_partner = MUST(fork());
	if (g_partner == 0) {
		while (!g_rally->stop) {
			g_rally->returned = g_rally->served;
			sched_yield();
		}
		_exit(0);
	}
	rally_run(RALLY_WARM_UP);
}

static void end_rally(long n)
{
	(void)n;
	g_rally->stop = 1;
	waitpid(g_partner, NULL, 0);
	munmap((void *)g_rally, 4096);
}

/* ---- epoll -------------------------------------------------------------------------------- */

#define WATCHED 1000

static int g_epoll;
static int g_events[WATCHED];

static void watch_idle(long n)
{
	struct rlimit limit = {WATCHED + 64, WATCHED + 64};
	struct epoll_event e = {.events = EPOLLIN};

	(void)n;
	setrlimit(RLIMIT_NOFILE, &limit);
	g_epoll = MUST(epoll_create1(0));
	for (int i = 0; i < WATCHED; i++) {
		g_events[i] = MUST(eventfd(0, EFD_NONBLOCK));
		e.data.u32 = i;
		MUST(epoll_ctl(g_epoll, EPOLL_CTL_ADD, g_events[i], &e));
	}
}

static void watch_one_ready(long n)
{
	uint64_t one = 1;

	watch_idle(n);
	MUST(write(g_events[WATCHED / 2], &one, sizeof(one)));
}

static void unwatch(long n)
{
	(void)n;
	close(g_epoll);
	for (int i = 0; i < WATCHED; i++)
		close(g_events[i]);
}

static void epoll_run(long n)
{
	struct epoll_event e[8];

	while (n--)
		MUST(epoll_wait(g_epoll, e, 8, 0));
}

static const struct row rows[] = {
	{"futex_wake_none", "ns", 20000, .run = futex_wake_run},
	{"futex_rt_threads", "ns", 2000, .run = futex_rt_run},
	{"pipe_rt", "ns", 1000, pipe_echo, round_trips, end_partner},
	{"unix_rt", "ns", 1000, unix_echo, round_trips, end_partner},
	{"udp_rt", "ns", 500, udp_echo, round_trips, end_udp},
	{"tcp_rt", "ns", 500, tcp_echo, round_trips, end_partner},
	{"tcp_connect_close", "ns", 100, .run = tcp_connect_run},
	{"pipe_bw_64k", "MiB/s", 16 << 20, pipe_sink, pour, end_partner},
	{"unix_bw_64k", "MiB/s", 16 << 20, unix_sink, pour, end_partner},
	{"tcp_bw_64k", "MiB/s", 16 << 20, tcp_sink, pour, end_partner},
	{"ctxsw_yield_samecpu", "ns", 3000, start_rally, rally_run, end_rally},
	{"sched_yield_solo", "ns", 5000, .run = yield_run},
	{"epoll_1000fds_1ready", "ns", 5000, watch_one_ready, epoll_run, unwatch},
	{"epoll_1000fds_idle", "ns", 10000, watch_idle, epoll_run, unwatch},
};
const struct rows ipc_rows = ROWS(rows);
