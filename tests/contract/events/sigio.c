/* SPDX-License-Identifier: MIT */
/* O_ASYNC, F_SETOWN, F_SETSIG: signals when a file becomes ready. */
#include "contract.h"
#include <sys/eventfd.h>
#include <sys/inotify.h>
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
