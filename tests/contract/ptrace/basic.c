/* SPDX-License-Identifier: MIT */
/* Attaching, stopping, going on, signals. */
#include "trace.h"

TEST(traceme_stops_at_signals)
{
	pid_t pid = traced_child(do_nothing);

	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(traceme_twice_is_EPERM)
{
	pid_t pid = FORK();

	if (!pid) {
		PT(PTRACE_TRACEME, 0, 0, 0);
		CHECK_ERR(pt(PTRACE_TRACEME, 0, 0, 0), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(attach_stops_with_SIGSTOP)
{
	pid_t pid = sleeper();

	PT(PTRACE_ATTACH, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	PT(PTRACE_DETACH, pid, 0, 0);
	await_sleep(pid);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	kill_tracee(pid);
}

TEST(attach_errors)
{
	pid_t pid = sleeper();

	CHECK_ERR(pt(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(pt(PTRACE_ATTACH, 0, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_ATTACH, -1, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_ERR(pt(PTRACE_SEIZE, pid, 0, 1ul << 30), EIO);
	pid_t other = FORK();
	if (!other) {
		become_user(1000, 1000);
		CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
		_exit(0);
	}
	expect_exit(other, 0);
	kill_tracee(pid);
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), ESRCH);
}

TEST(attach_to_a_zombie_is_EPERM)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid)
		_exit(3);
	OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	CHECK_ERR(pt(PTRACE_ATTACH, pid, 0, 0), EPERM);
	expect_exit(pid, 3);
}

TEST(status_shows_tracer_and_state)
{
	pid_t pid = sleeper();
	char path[64], want[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	CHECK(strstr(read_text(path), "TracerPid:\t0\n"));
	PT(PTRACE_ATTACH, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	snprintf(want, sizeof(want), "TracerPid:\t%d\n", getpid());
	CHECK(strstr(read_text(path), want));
	CHECK(strstr(read_text(path), "State:\tt (tracing stop)\n"));
	kill_tracee(pid);
}

static volatile int handled;

static void handler(int sig)
{
	handled = sig;
}

static void raise_usr1(void)
{
	on_signal(SIGUSR1, handler, 0);
	on_signal(SIGUSR2, handler, 0);
	raise_raw(SIGUSR1);
	_exit(handled);
}

TEST(tracer_passes_a_signal_on)
{
	pid_t pid = traced_child(raise_usr1);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, SIGUSR1);
	expect_exit(pid, SIGUSR1);
}

TEST(tracer_suppresses_a_signal)
{
	pid_t pid = traced_child(raise_usr1);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(tracer_changes_a_signal)
{
	pid_t pid = traced_child(raise_usr1);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 65), EIO);
	PT(PTRACE_CONT, pid, 0, SIGUSR2);
	expect_exit(pid, SIGUSR2);
}

TEST(tracer_delivers_a_deadly_signal)
{
	pid_t pid = traced_child(raise_usr1);

	PT(PTRACE_CONT, pid, 0, SIGTERM);
	expect_signal(pid, SIGTERM);
}

static void raise_ignored(void)
{
	raise_raw(SIGWINCH);
	signal(SIGTERM, SIG_IGN);
	raise_raw(SIGTERM);
	_exit(0);
}

TEST(ignored_signals_are_seen)
{
	pid_t pid = traced_child(raise_ignored);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGWINCH);
	PT(PTRACE_CONT, pid, 0, SIGWINCH);
	EXPECT_STOP(pid, SIGTERM);
	PT(PTRACE_CONT, pid, 0, SIGTERM);
	expect_exit(pid, 0);
}

TEST(siginfo_can_be_read_and_changed)
{
	pid_t pid = traced_child(raise_usr1);
	siginfo_t si;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	CHECK_EQ(si.si_signo, SIGUSR1);
	CHECK_EQ(si.si_code, SI_TKILL);
	CHECK_EQ(si.si_pid, pid);
	si.si_code = SI_QUEUE;
	PT(PTRACE_SETSIGINFO, pid, 0, &si);
	memset(&si, 0, sizeof(si));
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	CHECK_EQ(si.si_code, SI_QUEUE);
	kill_tracee(pid);
}

static void block_and_queue(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, SIGUSR2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	raise_raw(SIGUSR1);
	kill(getpid(), SIGUSR2);
	raise_raw(SIGSTOP);
	_exit(0);
}

TEST(masks_and_queued_signals)
{
	pid_t pid = traced_child(block_and_queue);
	struct ptrace_peeksiginfo_args a = {.nr = 5};
	unsigned long mask, want = 1ul << (SIGUSR1 - 1) | 1ul << (SIGUSR2 - 1);
	siginfo_t si[5];

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_GETSIGMASK, pid, 8, &mask);
	CHECK_EQ(mask, want);
	CHECK_ERR(pt(PTRACE_GETSIGMASK, pid, 4, (unsigned long)&mask), EINVAL);
	CHECK_EQ(PT(PTRACE_PEEKSIGINFO, pid, &a, si), 1);
	CHECK_EQ(si[0].si_signo, SIGUSR1);
	a.flags = PTRACE_PEEKSIGINFO_SHARED;
	CHECK_EQ(PT(PTRACE_PEEKSIGINFO, pid, &a, si), 1);
	CHECK_EQ(si[0].si_signo, SIGUSR2);
	mask = 1ul << (SIGUSR2 - 1);
	PT(PTRACE_SETSIGMASK, pid, 8, &mask);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(kill_ends_a_stopped_tracee)
{
	pid_t pid = traced_child(do_nothing);

	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	pid = traced_child(do_nothing);
	PT(PTRACE_KILL, pid, 0, 0);
	expect_signal(pid, SIGKILL);
}

TEST(wait_takes_a_stop_once_and_WNOWAIT_does_not)
{
	pid_t pid = FORK();
	siginfo_t si;
	int status;

	if (!pid) {
		PT(PTRACE_TRACEME, 0, 0, 0);
		raise_raw(SIGSTOP);
		_exit(0);
	}
	OK(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT | __WALL));
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	CHECK_EQ(si.si_pid, pid);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(tracer_gets_SIGCHLD_at_stops)
{
	sigset_t set;
	siginfo_t si;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	pid = FORK();
	if (!pid) {
		PT(PTRACE_TRACEME, 0, 0, 0);
		raise_raw(SIGUSR1);
		_exit(0);
	}
	CHECK_EQ(sigwaitinfo(&set, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_TRAPPED);
	CHECK_EQ(si.si_status, SIGUSR1);
	CHECK_EQ(si.si_pid, pid);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(tracees_run_on_when_the_tracer_ends)
{
	pid_t pid = sleeper();
	struct gate ended = gate_make();
	pid_t tracer = FORK();

	if (!tracer) {
		PT(PTRACE_ATTACH, pid, 0, 0);
		EXPECT_STOP(pid, SIGSTOP);
		gate_open(ended);
		_exit(0);
	}
	gate_wait(ended);
	expect_exit(tracer, 0);
	await_sleep(pid);
	kill_tracee(pid);
}

TEST(exitkill_kills_tracees)
{
	pid_t pid = sleeper();
	pid_t tracer = FORK();

	if (!tracer) {
		PT(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL);
		_exit(0);
	}
	expect_exit(tracer, 0);
	expect_signal(pid, SIGKILL);
}

TEST(parent_waits_behind_the_tracer)
{
	pid_t pid = sleeper(), tracer;
	struct gate attached = gate_make(), go = gate_make();
	siginfo_t si;
	int status;

	tracer = FORK();
	if (!tracer) {
		PT(PTRACE_SEIZE, pid, 0, 0);
		gate_open(attached);
		EXPECT_STOP(pid, SIGTERM);
		PT(PTRACE_CONT, pid, 0, SIGTERM);
		OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT | __WALL));
		gate_open(attached);
		gate_wait(go);
		expect_signal(pid, SIGTERM); /* it is ours first */
		_exit(0);
	}
	gate_wait(attached);
	OK(kill(pid, SIGTERM));
	gate_wait(attached);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	gate_open(go);
	expect_exit(tracer, 0);
	expect_signal(pid, SIGTERM);
}

TEST(signal_goes_through_when_the_tracer_ends_without_looking)
{
	pid_t pid = sleeper(), tracer;
	struct gate attached = gate_make();

	tracer = FORK();
	if (!tracer) {
		PT(PTRACE_SEIZE, pid, 0, 0);
		gate_open(attached);
		sleep_forever();
	}
	gate_wait(attached);
	OK(kill(pid, SIGTERM));
	await_state(pid, 't');
	OK(kill(tracer, SIGKILL));
	expect_signal(tracer, SIGKILL);
	expect_signal(pid, SIGTERM);
}

static void *other_thread(void *arg)
{
	struct gate *g = arg;

	gate_open(g[0]);
	gate_wait(g[1]);
	return NULL;
}

TEST(attach_is_to_a_thread)
{
	struct gate ready = gate_make();
	pid_t pid = FORK(), tid;
	int status;

	if (!pid) {
		struct gate g[2] = {ready, gate_make()};
		pthread_t t;

		CHECK_PT(pthread_create(&t, NULL, other_thread, g));
		sleep_forever();
	}
	gate_wait(ready);
	tid = pid + 1;
	PT(PTRACE_ATTACH, tid, 0, 0);
	EXPECT_STOP(tid, SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	PT(PTRACE_DETACH, tid, 0, 0);
	await_sleep(tid);
	kill_tracee(pid);
}
