/* SPDX-License-Identifier: MIT */
/* O_ASYNC, F_SETOWN, F_SETSIG: signals when a file becomes ready. */
#include "contract.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <termios.h>

static volatile sig_atomic_t g_count, g_code, g_fd, g_sig;
static volatile long g_band;

static void heard(int sig, siginfo_t *info, void *ctx)
{
	(void)ctx;
	g_sig = sig;
	g_code = info->si_code;
	g_fd = info->si_fd;
	g_band = info->si_band;
	g_count++;
}

static void listen_for(int sig)
{
	struct sigaction sa = {.sa_sigaction = heard, .sa_flags = SA_SIGINFO};

	OK(sigaction(sig, &sa, NULL));
}

static void await_count(int n)
{
	for (int i = 0; g_count < n && i < 2000; i++)
		usleep(1000);
	CHECK_EQ(g_count, n);
}

static void make_async(int fd, pid_t owner)
{
	OK(fcntl(fd, F_SETOWN, owner));
	OK(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC));
	CHECK(fcntl(fd, F_GETFL) & O_ASYNC);
}

TEST(data_in_a_pipe_sends_SIGIO_to_the_owner)
{
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	make_async(p[0], getpid());
	CHECK_EQ(write(p[1], "x", 1), 1);
	await_count(1);
	CHECK_EQ(g_code, SI_KERNEL);
	CHECK_EQ(write(p[1], "x", 1), 1);
	await_count(2);
}

TEST(nobody_named_gets_no_SIGIO_from_a_pipe)
{
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(p[1], "x", 1), 1);
	usleep(20000);
	CHECK_EQ(g_count, 0);
}

TEST(room_in_a_pipe_sends_SIGIO_to_the_writer)
{
	static char buf[65536];
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	CHECK_EQ(write(p[1], buf, sizeof(buf)), sizeof(buf));
	make_async(p[1], getpid());
	CHECK_EQ(read(p[0], buf, sizeof(buf)), sizeof(buf));
	await_count(1);
}

TEST(a_closed_other_end_sends_SIGIO)
{
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	make_async(p[0], getpid());
	OK(close(p[1]));
	await_count(1);
}

TEST(F_SETSIG_chooses_the_signal_and_fills_si_fd_and_si_band)
{
	int p[2];

	listen_for(SIGRTMIN);
	OK(pipe(p));
	OK(fcntl(p[0], F_SETSIG, SIGRTMIN));
	make_async(p[0], getpid());
	CHECK_EQ(write(p[1], "x", 1), 1);
	await_count(1);
	CHECK_EQ(g_code, POLL_IN);
	CHECK_EQ(g_fd, p[0]);
	CHECK_EQ(g_band, POLLIN | POLLRDNORM);
}

TEST(without_O_ASYNC_no_signal_comes)
{
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	make_async(p[0], getpid());
	OK(fcntl(p[0], F_SETFL, 0));
	CHECK_EQ(write(p[1], "x", 1), 1);
	usleep(20000);
	CHECK_EQ(g_count, 0);
}

TEST(FIOASYNC_sets_and_clears_O_ASYNC)
{
	int p[2], on = 1;

	OK(pipe(p));
	OK(ioctl(p[0], FIOASYNC, &on));
	CHECK(fcntl(p[0], F_GETFL) & O_ASYNC);
	on = 0;
	OK(ioctl(p[0], FIOASYNC, &on));
	CHECK(!(fcntl(p[0], F_GETFL) & O_ASYNC));
}

TEST(eventfd_and_timerfd_have_no_O_ASYNC)
{
	int fds[] = {OK(eventfd(0, 0)), OK(timerfd_create(CLOCK_MONOTONIC, 0))}, on = 1;

	for (int i = 0; i < 2; i++) {
		OK(fcntl(fds[i], F_SETFL, O_ASYNC));
		CHECK(!(fcntl(fds[i], F_GETFL) & O_ASYNC));
		CHECK_ERR(ioctl(fds[i], FIOASYNC, &on), ENOTTY);
	}
}

TEST(inotify_events_send_SIGIO)
{
	int fd = OK(inotify_init());

	listen_for(SIGIO);
	OK(inotify_add_watch(fd, ".", IN_CREATE));
	make_async(fd, getpid());
	close(new_file("made", O_WRONLY, 0600));
	await_count(1);
}

TEST(a_FIFO_sends_SIGIO)
{
	int r, w;

	listen_for(SIGIO);
	OK(mkfifo("fifo", 0600));
	r = OK(open("fifo", O_RDONLY | O_NONBLOCK));
	w = OK(open("fifo", O_WRONLY));
	make_async(r, getpid());
	CHECK_EQ(write(w, "x", 1), 1);
	await_count(1);
}

TEST(a_process_group_can_own_a_file)
{
	struct gate ready = gate_make(), done = gate_make();
	pid_t pid;
	int p[2];

	OK(pipe(p));
	listen_for(SIGIO);
	pid = FORK();
	if (!pid) {
		gate_open(ready);
		await_count(1);
		gate_open(done);
		_exit(0);
	}
	gate_wait(ready);
	make_async(p[0], -getpgrp());
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
	CHECK_EQ(write(p[1], "x", 1), 1);
	await_count(1);
	gate_wait(done);
	expect_exit(pid, 0);
}

TEST(F_SETOWN_EX_names_a_thread)
{
	struct f_owner_ex ex = {F_OWNER_TID, gettid_raw()}, got;
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	OK(fcntl(p[0], F_SETOWN_EX, &ex));
	OK(fcntl(p[0], F_GETOWN_EX, &got));
	CHECK_EQ(got.type, F_OWNER_TID);
	CHECK_EQ(got.pid, ex.pid);
	OK(fcntl(p[0], F_SETFL, O_ASYNC));
	CHECK_EQ(write(p[1], "x", 1), 1);
	await_count(1);
	ex.type = F_OWNER_PGRP;
	ex.pid = getpgrp();
	OK(fcntl(p[0], F_SETOWN_EX, &ex));
	CHECK_EQ(fcntl(p[0], F_GETOWN), -getpgrp());
}

TEST(an_owner_that_is_gone_reads_as_0)
{
	pid_t pid = FORK();
	int p[2];

	if (!pid) {
		pause();
		_exit(0);
	}
	OK(pipe(p));
	make_async(p[0], pid);
	CHECK_EQ(fcntl(p[0], F_GETOWN), pid);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_EQ(fcntl(p[0], F_GETOWN), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
}

TEST(an_owner_without_permission_gets_no_SIGIO)
{
	struct gate ready = gate_make(), done = gate_make();
	pid_t pid, self = getpid();
	int p[2];

	listen_for(SIGIO);
	OK(pipe(p));
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		make_async(p[0], self);
		gate_open(ready);
		gate_wait(done);
		_exit(0);
	}
	gate_wait(ready);
	CHECK_EQ(write(p[1], "x", 1), 1);
	usleep(20000);
	CHECK_EQ(g_count, 0);
	gate_open(done);
	expect_exit(pid, 0);
}

static int open_pty(int *slave)
{
	int m = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), zero = 0, nr;
	struct termios t;
	char name[32];

	OK(ioctl(m, TIOCSPTLCK, &zero));
	OK(ioctl(m, TIOCGPTN, &nr));
	snprintf(name, sizeof(name), "/dev/pts/%d", nr);
	*slave = OK(open(name, O_RDWR | O_NOCTTY));
	OK(tcgetattr(*slave, &t));
	t.c_lflag &= ~(tcflag_t)ECHO;
	OK(tcsetattr(*slave, TCSANOW, &t));
	return m;
}

TEST(a_line_on_a_terminal_sends_SIGIO)
{
	int s, m = open_pty(&s);

	listen_for(SIGIO);
	OK(fcntl(s, F_SETFL, O_ASYNC));
	CHECK_EQ(fcntl(s, F_GETOWN), getpid());
	CHECK_EQ(write(m, "par", 3), 3);
	usleep(20000);
	CHECK_EQ(g_count, 0);
	CHECK_EQ(write(m, "t\n", 2), 2);
	await_count(1);
}

TEST(a_byte_on_a_raw_terminal_sends_SIGIO)
{
	int s, m = open_pty(&s);
	struct termios t;

	listen_for(SIGIO);
	OK(tcgetattr(s, &t));
	t.c_lflag &= ~(tcflag_t)ICANON;
	OK(tcsetattr(s, TCSANOW, &t));
	make_async(s, getpid());
	CHECK_EQ(write(m, "x", 1), 1);
	await_count(1);
}

TEST(output_of_a_pty_sends_SIGIO_to_its_master)
{
	int s, m = open_pty(&s);

	listen_for(SIGIO);
	make_async(m, getpid());
	CHECK_EQ(write(s, "x", 1), 1);
	await_count(1);
}

/* ---- many files on one pipe ---- */

/* A file of its own on the read end of p, with notices by sig to owner. */
static int another_reader(const int *p, int sig, pid_t owner)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	fd = OK(open(path, O_RDONLY | O_NONBLOCK));
	OK(fcntl(fd, F_SETSIG, sig));
	make_async(fd, owner);
	return fd;
}

static volatile int g_stop;

static void *come_and_go(void *arg)
{
	while (!g_stop)
		OK(close(another_reader(arg, SIGRTMIN + 1, getpid())));
	return NULL;
}

TEST(each_file_hears_once_while_others_come_and_go)
{
	enum { FILES = 50, ROUNDS = 40 };
	struct timespec no_time = {0};
	int fd[FILES], p[2], heard_of[1024] = {0};
	sigset_t both, mine;
	pthread_t thread;
	siginfo_t info;
	char c;

	sigemptyset(&mine);
	sigaddset(&mine, SIGRTMIN);
	both = mine;
	sigaddset(&both, SIGRTMIN + 1);
	sigaddset(&both, SIGIO); /* in place of what finds its queue full */
	OK(sigprocmask(SIG_BLOCK, &both, NULL));
	OK(pipe(p));
	for (int i = 0; i < FILES; i++)
		fd[i] = another_reader(p, SIGRTMIN, getpid());
	g_stop = 0;
	CHECK_PT(pthread_create(&thread, NULL, come_and_go, p));
	for (int r = 0; r < ROUNDS; r++) {
		memset(heard_of, 0, sizeof(heard_of));
		CHECK_EQ(write(p[1], "x", 1), 1);
		while (sigtimedwait(&mine, &info, &no_time) == SIGRTMIN)
			heard_of[info.si_fd]++;
		for (int i = 0; i < FILES; i++)
			CHECK_EQ(heard_of[fd[i]], 1);
		CHECK_EQ(read(p[0], &c, 1), 1);
		while (sigtimedwait(&both, &info, &no_time) > 0)
			;
	}
	g_stop = 1;
	CHECK_PT(pthread_join(thread, NULL));
	for (int i = 0; i < FILES; i++)
		OK(close(fd[i]));
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	OK(sched_setaffinity(0, sizeof(set), &set));
}

static struct gate g_watching;
static volatile long long g_expired_at;

static void *await_timer(void *arg)
{
	struct pollfd p = {.fd = *(int *)arg, .events = POLLIN};

	pin(1);
	gate_open(g_watching);
	CHECK_EQ(poll(&p, 1, 60000), 1);
	g_expired_at = now_ns(CLOCK_MONOTONIC);
	return NULL;
}

static bool timer_expires_during_write(int fd, int timer)
{
	struct itimerspec in_20_ms = {.it_value.tv_nsec = 20 * MSEC};
	long long start, end;
	pthread_t watcher;

	g_watching = gate_make();
	CHECK_PT(pthread_create(&watcher, NULL, await_timer, &timer));
	gate_wait(g_watching);
	pin(0);
	OK(timerfd_settime(timer, 0, &in_20_ms, NULL));
	start = now_ns(CLOCK_MONOTONIC);
	CHECK_EQ(write(fd, "x", 1), 1);
	end = now_ns(CLOCK_MONOTONIC);
	CHECK_PT(pthread_join(watcher, NULL));
	/* A write of a fast machine is too short to tell. */
	return end - start < 100 * MSEC || g_expired_at - start < (end - start) / 2;
}

/*
 * A write that tells many files, each of a group of many: a timer of the same processor expires in
 * the middle of it, not at its end. The watcher's processor may stand still on a busy host, so one
 * time of several will do: with interrupts off all along there would be none.
 */
TEST(timers_expire_while_many_files_are_told)
{
	enum { FILES = 2000, MEMBERS = 150 };
	struct rlimit files = {4096, 4096};
	int p[2], timer = OK(timerfd_create(CLOCK_MONOTONIC, 0)), fd[FILES];
	pid_t child[MEMBERS];
	bool seen = false;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip_test("nobody else could look");
	OK(setrlimit(RLIMIT_NOFILE, &files));
	signal(SIGIO, SIG_IGN);
	for (int i = 0; i < MEMBERS; i++) { /* in our group: the test is alone in its session */
		child[i] = FORK();
		if (!child[i])
			for (;;)
				pause();
	}
	OK(pipe(p));
	for (int i = 0; i < FILES; i++)
		fd[i] = another_reader(p, 0, -getpgrp());
	for (int round = 0; round < 5 && !seen; round++)
		seen = timer_expires_during_write(p[1], timer);
	CHECK(seen);
	for (int i = 0; i < MEMBERS; i++) {
		OK(kill(child[i], SIGKILL));
		expect_signal(child[i], SIGKILL);
	}
	for (int i = 0; i < FILES; i++)
		OK(close(fd[i]));
}
