/* SPDX-License-Identifier: MIT */
/* Process groups, sessions, the controlling terminal, and job control. */
#include "contract.h"
#include <dirent.h>
#include <termios.h>

static pid_t sleeper(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

static void nothing(int sig)
{
	(void)sig;
}

/* Opens a new pty and makes its slave the controlling terminal of the calling session leader. */
static int take_terminal(int *master)
{
	char path[32];
	int n, zero = 0;

	*master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(*master, TIOCSPTLCK, &zero));
	OK(ioctl(*master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	int slave = OK(open(path, O_RDWR | O_NOCTTY));
	OK(ioctl(slave, TIOCSCTTY, 0));
	return slave;
}

TEST(setsid_makes_a_leader_of_both)
{
	pid_t pid = FORK();

	if (!pid) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERR(setsid(), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(setpgid_moves_a_child_between_groups)
{
	pid_t a = sleeper(), b = sleeper();

	OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	OK(setpgid(b, getpgrp()));
	CHECK_EQ(getpgid(b), getpgrp());
}

TEST(setpgid_errors)
{
	pid_t a = sleeper();

	CHECK_ERR(setpgid(a, -1), EINVAL);
	CHECK_ERR(setpgid(1, 0), ESRCH);
	CHECK_ERR(setpgid(a, 0x3ffffff), EPERM);
	CHECK_ERR(setpgid(0, a), EPERM); /* a session leader may not move */
	CHECK_ERR(getpgid(0x3ffffff), ESRCH);
	CHECK_ERR(getsid(0x3ffffff), ESRCH);
}

HELPER(wait_stdin)
{
	char c;

	return read(0, &c, 1) == 1 ? 0 : 1;
}

TEST(setpgid_of_a_child_after_its_exec_is_EACCES)
{
	int p[2], ready[2];
	char c;

	OK(pipe(p));
	OK(pipe2(ready, O_CLOEXEC));
	pid_t pid = FORK();
	if (!pid) {
		OK(dup2(p[0], 0));
		exec_helper("wait_stdin", NULL);
		_exit(99);
	}
	OK(close(ready[1]));
	CHECK_EQ(read(ready[0], &c, 1), 0); /* its copy was closed by exec */
	CHECK_ERR(setpgid(pid, pid), EACCES);
	CHECK_EQ(write(p[1], "x", 1), 1);
	expect_exit(pid, 0);
}

TEST(setpgid_into_another_session_is_EPERM)
{
	struct gate g = gate_make();
	pid_t a = FORK();

	if (!a) {
		setsid();
		gate_open(g);
		for (;;)
			pause();
	}
	gate_wait(g);
	pid_t b = sleeper();
	CHECK_ERR(setpgid(b, a), EPERM);
	CHECK_ERR(setpgid(a, 0), EPERM);
}

TEST(kill_of_a_group_reaches_all_members)
{
	pid_t a = sleeper(), b = sleeper();

	OK(setpgid(a, a));
	OK(setpgid(b, a));
	OK(kill(-a, SIGTERM));
	expect_signal(a, SIGTERM);
	expect_signal(b, SIGTERM);
	CHECK_ERR(kill(-a, 0), ESRCH);
}

TEST(tcsetpgrp_sets_the_foreground_group)
{
	int master, tty = take_terminal(&master);
	pid_t a = sleeper(), pgrp;

	CHECK_EQ(tcgetpgrp(tty), getpgrp());
	CHECK_EQ(tcgetsid(tty), getsid(0));
	OK(setpgid(a, a));
	OK(tcsetpgrp(tty, a));
	OK(ioctl(master, TIOCGPGRP, &pgrp));
	CHECK_EQ(pgrp, a);
	on_signal(SIGTTOU, SIG_IGN, 0);
	CHECK_ERR(tcsetpgrp(tty, 0x3ffffff), ESRCH);
	CHECK_ERR(tcsetpgrp(0, a), ENOTTY);
	OK(tcsetpgrp(tty, getpgrp()));
}

TEST(tcsetpgrp_from_the_background_stops_with_SIGTTOU)
{
	int master, tty = take_terminal(&master);
	siginfo_t si;
	pid_t a = FORK();

	if (!a) {
		OK(setpgid(0, 0));
		OK(tcsetpgrp(tty, getpgrp()));
		_exit(0);
	}
	OK(waitid(P_PID, a, &si, WSTOPPED));
	CHECK_EQ(si.si_status, SIGTTOU);
	OK(tcsetpgrp(tty, a));
	OK(kill(a, SIGCONT));
	expect_exit(a, 0);
}

TEST(background_read_stops_with_SIGTTIN)
{
	int master, tty = take_terminal(&master);
	siginfo_t si;
	pid_t a = FORK();

	if (!a) {
		char buf[8];

		OK(setpgid(0, 0));
		CHECK_EQ(read(tty, buf, sizeof(buf)), 3);
		_exit(0);
	}
	OK(waitid(P_PID, a, &si, WSTOPPED));
	CHECK_EQ(si.si_status, SIGTTIN);
	CHECK_EQ(write(master, "hi\n", 3), 3);
	OK(tcsetpgrp(tty, a));
	OK(kill(a, SIGCONT));
	expect_exit(a, 0);
}

TEST(background_read_with_SIGTTIN_ignored_is_EIO)
{
	int master, tty = take_terminal(&master);
	pid_t a = FORK();

	if (!a) {
		char c;

		OK(setpgid(0, 0));
		on_signal(SIGTTIN, SIG_IGN, 0);
		CHECK_ERR(read(tty, &c, 1), EIO);
		_exit(0);
	}
	expect_exit(a, 0);
}

TEST(background_write_stops_only_with_TOSTOP)
{
	int master, tty = take_terminal(&master);
	struct termios t;
	siginfo_t si;
	pid_t a = FORK();

	if (!a) {
		OK(setpgid(0, 0));
		CHECK_EQ(write(tty, "a", 1), 1);
		_exit(0);
	}
	expect_exit(a, 0);
	OK(tcgetattr(tty, &t));
	t.c_lflag |= TOSTOP;
	OK(tcsetattr(tty, TCSANOW, &t));
	a = FORK();
	if (!a) {
		OK(setpgid(0, 0));
		CHECK_EQ(write(tty, "a", 1), 1);
		_exit(0);
	}
	OK(waitid(P_PID, a, &si, WSTOPPED));
	CHECK_EQ(si.si_status, SIGTTOU);
	OK(kill(a, SIGKILL));
}

TEST(interrupt_character_signals_the_foreground_group)
{
	int master, tty = take_terminal(&master);
	pid_t a = sleeper(), b = sleeper();

	OK(setpgid(a, a));
	OK(setpgid(b, a));
	OK(tcsetpgrp(tty, a));
	CHECK_EQ(write(master, "\003", 1), 1);
	expect_signal(a, SIGINT);
	expect_signal(b, SIGINT);
}

TEST(suspend_character_stops_and_quit_kills)
{
	int master, tty = take_terminal(&master);
	pid_t a = sleeper();
	siginfo_t si;

	OK(setpgid(a, a));
	OK(tcsetpgrp(tty, a));
	CHECK_EQ(write(master, "\032", 1), 1);
	OK(waitid(P_PID, a, &si, WSTOPPED));
	CHECK_EQ(si.si_status, SIGTSTP);
	OK(kill(a, SIGCONT));
	OK(waitid(P_PID, a, &si, WCONTINUED));
	CHECK_EQ(write(master, "\034", 1), 1);
	expect_signal(a, SIGQUIT);
}

TEST(SIGTSTP_in_an_orphaned_group_is_discarded)
{
	struct gate orphaned = gate_make();
	int done[2];
	char c;

	OK(pipe(done));
	pid_t middle = FORK();
	if (!middle) {
		setsid();
		pid_t leaf = FORK();

		if (!leaf) {
			OK(setpgid(0, 0));
			gate_wait(orphaned);
			OK(raise(SIGTSTP));
			OK(raise(SIGTTIN));
			CHECK_EQ(write(done[1], "d", 1), 1);
			_exit(0);
		}
		_exit(0);
	}
	expect_exit(middle, 0);
	gate_open(orphaned);
	CHECK_EQ(read(done[0], &c, 1), 1);
}

TEST(newly_orphaned_stopped_group_gets_HUP_and_CONT)
{
	int out[2];
	char buf[2];

	OK(pipe(out));
	pid_t middle = FORK();
	if (!middle) {
		setsid();
		pid_t leaf = FORK();
		siginfo_t si;

		if (!leaf) {
			OK(setpgid(0, 0));
			sigset_t set;

			sigemptyset(&set);
			sigaddset(&set, SIGHUP);
			OK(sigprocmask(SIG_BLOCK, &set, NULL));
			OK(raise(SIGSTOP));
			CHECK_EQ(sigwaitinfo(&set, NULL), SIGHUP);
			CHECK_EQ(write(out[1], "h", 1), 1);
			_exit(0);
		}
		OK(waitid(P_PID, leaf, &si, WSTOPPED));
		_exit(0);
	}
	expect_exit(middle, 0);
	CHECK_EQ(read(out[0], buf, 1), 1);
}

TEST(leader_exit_hangs_up_the_foreground_group)
{
	struct gate ready = gate_make();
	int status_pipe[2];
	char c;

	OK(pipe(status_pipe));
	pid_t leader = FORK();
	if (!leader) {
		int master, tty;
		sigset_t set;

		setsid();
		tty = take_terminal(&master);
		(void)tty;
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		OK(sigprocmask(SIG_BLOCK, &set, NULL));
		if (!FORK()) {
			gate_open(ready);
			CHECK_EQ(sigwaitinfo(&set, NULL), SIGHUP);
			CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
			CHECK_EQ(write(status_pipe[1], "h", 1), 1);
			_exit(0);
		}
		gate_wait(ready);
		_exit(0);
	}
	expect_exit(leader, 0);
	CHECK_EQ(read(status_pipe[0], &c, 1), 1);
}

TEST(master_close_sends_HUP_to_the_session_leader)
{
	pid_t pid = FORK();

	if (!pid) {
		int master;

		setsid();
		take_terminal(&master);
		close(master);
		for (;;)
			pause();
	}
	expect_signal(pid, SIGHUP);
}

TEST(dev_tty_is_the_controlling_terminal_or_ENXIO)
{
	int master, tty;

	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
	tty = take_terminal(&master);
	int fd = OK(open("/dev/tty", O_RDWR));
	CHECK_EQ(tcgetpgrp(fd), tcgetpgrp(tty));
	on_signal(SIGHUP, nothing, 0);
	OK(ioctl(tty, TIOCNOTTY));
	CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
}

TEST(opening_a_terminal_without_NOCTTY_takes_it)
{
	int master, n, zero = 0;
	char path[32];

	master = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY));
	OK(ioctl(master, TIOCSPTLCK, &zero));
	OK(ioctl(master, TIOCGPTN, &n));
	snprintf(path, sizeof(path), "/dev/pts/%d", n);
	int a = OK(open(path, O_RDWR | O_NOCTTY));
	CHECK_ERR(tcgetpgrp(a), ENOTTY);
	int b = OK(open(path, O_RDWR));
	CHECK_EQ(tcgetpgrp(b), getpgrp());
}

TEST(only_a_session_leader_takes_a_terminal)
{
	int master, tty = take_terminal(&master);
	pid_t pid = FORK();

	if (!pid) {
		pid_t inner;

		setsid();
		inner = FORK();
		if (!inner) {
			CHECK_ERR(ioctl(tty, TIOCSCTTY, 0), EPERM);
			_exit(0);
		}
		expect_exit(inner, 0);
		CHECK_ERR(tcgetpgrp(tty), ENOTTY);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(job_signals_stop_every_thread_and_CONT_resumes)
{
	pid_t pid = sleeper();
	siginfo_t si;
	/* In a group of its own, so that its group is not orphaned. */
	OK(setpgid(pid, pid));
	static const int stops[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};

	for (int i = 0; i < 4; i++) {
		OK(kill(pid, stops[i]));
		OK(waitid(P_PID, pid, &si, WSTOPPED));
		CHECK_EQ(si.si_status, stops[i]);
		await_state(pid, 'T');
		OK(kill(pid, SIGCONT));
		OK(waitid(P_PID, pid, &si, WCONTINUED));
	}
}

static void *spin(void *arg)
{
	for (;;)
		__asm__ volatile("pause");
	return arg;
}

/* Letters of the states of all threads. */
static void thread_states(pid_t pid, char *out)
{
	char path[300];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	CHECK(d = opendir(path));
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/stat", pid, e->d_name);
		*out++ = strrchr(read_text(path), ')')[2];
	}
	*out = 0;
	OK(closedir(d));
}

TEST(a_stop_that_follows_CONT_at_once_stops_every_thread)
{
	struct gate ready = gate_make();
	pid_t pid = FORK();
	char states[16];

	if (!pid) {
		pthread_t t;

		for (int i = 0; i < 3; i++)
			CHECK_PT(pthread_create(&t, NULL, spin, NULL));
		gate_open(ready);
		spin(NULL);
	}
	gate_wait(ready);
	for (int i = 0; i < 20; i++) {
		OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
		OK(kill(pid, SIGCONT));
		OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, NULL, WUNTRACED), pid);
		thread_states(pid, states);
		CHECK_STR(states, "TTTT");
		OK(kill(pid, SIGCONT));
	}
	OK(kill(pid, SIGKILL));
	wait_status(pid);
}
