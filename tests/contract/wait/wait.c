/* SPDX-License-Identifier: MIT */
/* wait4, waitid: which child, which event, and how its end is described. */
#include "contract.h"
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static pid_t sleeper(void)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	return pid;
}

TEST(exit_status_is_low_8_bits)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(0x1234);
	int status = wait_status(pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 0x34);
	CHECK_EQ(status, 0x3400);
}

TEST(signal_death_without_core_bit)
{
	pid_t pid = sleeper();

	OK(kill(pid, SIGTERM));
	CHECK_EQ(wait_status(pid), SIGTERM);
}

TEST(signal_death_core_limit_zero_has_no_core_bit)
{
	pid_t pid = FORK();

	if (!pid) {
		struct rlimit none = {0, 0};

		OK(setrlimit(RLIMIT_CORE, &none));
		OK(kill(getpid(), SIGQUIT));
		pause();
	}
	CHECK_EQ(wait_status(pid), SIGQUIT);
}

TEST(no_child_is_ECHILD)
{
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, WNOHANG), ECHILD);
	CHECK_ERR(waitpid(1, NULL, WNOHANG), ECHILD);
}

TEST(wnohang_with_running_child_is_0)
{
	pid_t pid = sleeper();

	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
	CHECK_ERR(waitpid(pid, NULL, WNOHANG), ECHILD);
}

TEST(bad_options_are_EINVAL)
{
	CHECK_ERR(waitpid(-1, NULL, 0x100), EINVAL);
	siginfo_t si;
	CHECK_ERR(waitid(P_ALL, 0, &si, 0), EINVAL);
	CHECK_ERR(waitid(P_ALL, 0, &si, 0x100 | WEXITED), EINVAL);
	CHECK_ERR(waitid(99, 0, &si, WEXITED), EINVAL);
	CHECK_ERR(waitid(P_PID, 0, &si, WEXITED), EINVAL);
	CHECK_ERR(waitpid(INT_MIN, NULL, 0), ESRCH);
}

TEST(status_to_bad_pointer_is_EFAULT_and_child_is_reaped)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	CHECK_ERR(syscall(SYS_wait4, pid, BAD_PTR, 0, NULL), EFAULT);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
}

TEST(stop_and_continue_are_reported)
{
	pid_t pid = sleeper();
	int status;

	OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK_EQ(status, 0xffff);
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(stopped_child_not_reported_without_WUNTRACED)
{
	pid_t pid = sleeper();
	siginfo_t si;

	OK(kill(pid, SIGSTOP));
	OK(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}

TEST(waitid_fills_siginfo_for_exit)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid)
		_exit(7);
	memset(&si, 0xee, sizeof(si));
	OK(waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_signo, SIGCHLD);
	CHECK_EQ(si.si_errno, 0);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_uid, 0);
	CHECK_EQ(si.si_status, 7);
}

TEST(waitid_fills_siginfo_for_kill_and_stop)
{
	pid_t pid = sleeper();
	siginfo_t si;

	OK(kill(pid, SIGSTOP));
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	CHECK_EQ(si.si_code, CLD_STOPPED);
	CHECK_EQ(si.si_status, SIGSTOP);
	OK(kill(pid, SIGCONT));
	OK(waitid(P_PID, pid, &si, WCONTINUED));
	CHECK_EQ(si.si_code, CLD_CONTINUED);
	CHECK_EQ(si.si_status, SIGCONT);
	OK(kill(pid, SIGUSR1));
	OK(waitid(P_PID, pid, &si, WEXITED));
	CHECK_EQ(si.si_code, CLD_KILLED);
	CHECK_EQ(si.si_status, SIGUSR1);
}

TEST(waitid_wnohang_without_event_zeroes_pid_and_signo)
{
	pid_t pid = sleeper();
	siginfo_t si;

	memset(&si, 0xee, sizeof(si));
	CHECK_EQ(waitid(P_PID, pid, &si, WEXITED | WNOHANG), 0);
	CHECK_EQ(si.si_pid, 0);
	CHECK_EQ(si.si_signo, 0);
}

TEST(wnowait_leaves_the_zombie)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid)
		_exit(3);
	for (int i = 0; i < 3; i++) {
		OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
		CHECK_EQ(si.si_status, 3);
	}
	expect_exit(pid, 3);
}

TEST(wait_selects_by_process_group)
{
	pid_t a = FORK();

	if (!a) {
		OK(setpgid(0, 0));
		_exit(1);
	}
	pid_t b = FORK();
	if (!b)
		_exit(2);
	setpgid(a, a);
	int status;
	CHECK_EQ(waitpid(-a, &status, 0), a);
	CHECK_EQ(waitpid(0, &status, 0), b);
	CHECK_ERR(waitpid(-a, NULL, 0), ECHILD);
}

TEST(waitid_P_PGID_0_is_own_group)
{
	pid_t a = FORK();
	siginfo_t si;

	if (!a)
		_exit(5);
	OK(waitid(P_PGID, 0, &si, WEXITED));
	CHECK_EQ(si.si_pid, a);
}

TEST(rusage_of_the_child_is_returned)
{
	pid_t pid = FORK();
	struct rusage ru;

	if (!pid) {
		long long end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + 30 * MSEC;

		while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
			continue;
		_exit(0);
	}
	memset(&ru, 0, sizeof(ru));
	CHECK_EQ(wait4(pid, NULL, 0, &ru), pid);
	long long us = (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000ll + ru.ru_utime.tv_usec +
		ru.ru_stime.tv_usec;
	CHECK(us >= 20000);
	struct rusage children;
	OK(getrusage(RUSAGE_CHILDREN, &children));
	CHECK(children.ru_utime.tv_sec * 1000000ll + children.ru_utime.tv_usec +
			children.ru_stime.tv_sec * 1000000ll + children.ru_stime.tv_usec >=
		20000);
}

TEST(ignored_SIGCHLD_reaps_by_itself)
{
	on_signal(SIGCHLD, SIG_IGN, 0);
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_ERR(kill(pid, 0), ESRCH);
}

TEST(SA_NOCLDWAIT_reaps_by_itself)
{
	on_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
}

TEST(orphan_goes_to_the_subreaper)
{
	struct gate orphaned = gate_make(), pids = gate_make();

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	pid_t middle = FORK();
	if (!middle) {
		pid_t leaf = FORK();

		if (!leaf) {
			gate_wait(orphaned);
			_exit(getppid() == 1 ? 1 : 9);
		}
		CHECK_EQ(write(pids.w, &leaf, sizeof(leaf)), sizeof(leaf));
		_exit(0);
	}
	pid_t leaf;
	CHECK_EQ(read(pids.r, &leaf, sizeof(leaf)), sizeof(leaf));
	expect_exit(middle, 0);
	gate_open(orphaned);
	expect_exit(leaf, 9);
}

TEST(subreaper_attribute_is_not_inherited)
{
	int v = 7;

	OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	OK(prctl(PR_GET_CHILD_SUBREAPER, &v));
	CHECK_EQ(v, 1);
	pid_t pid = FORK();
	if (!pid) {
		OK(prctl(PR_GET_CHILD_SUBREAPER, &v));
		_exit(v);
	}
	expect_exit(pid, 0);
}

static void *thread_forks(void *arg)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(4);
	*(pid_t *)arg = pid;
	return NULL;
}

TEST(any_thread_may_wait_for_a_threads_child)
{
	pthread_t t;
	pid_t pid;

	CHECK_PT(pthread_create(&t, NULL, thread_forks, &pid));
	CHECK_PT(pthread_join(t, NULL));
	expect_exit(pid, 4);
}

static void *thread_waits_nothread(void *arg)
{
	CHECK_ERR(syscall(SYS_wait4, *(pid_t *)arg, NULL, 0x20000000 /* __WNOTHREAD */, NULL),
		ECHILD);
	return NULL;
}

TEST(WNOTHREAD_sees_only_own_children)
{
	pthread_t t;
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	CHECK_PT(pthread_create(&t, NULL, thread_waits_nothread, &pid));
	CHECK_PT(pthread_join(t, NULL));
	expect_exit(pid, 0);
}

static void ignore(int sig)
{
	(void)sig;
}

TEST(signal_interrupts_wait_with_EINTR)
{
	on_signal(SIGUSR1, ignore, 0);
	pid_t parent = getpid(), pid = FORK();
	if (!pid) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		for (;;)
			pause();
	}
	CHECK_ERR(waitpid(pid, NULL, 0), EINTR);
}

TEST(SA_RESTART_restarts_wait)
{
	on_signal(SIGUSR1, ignore, SA_RESTART);
	pid_t parent = getpid(), pid = FORK();
	if (!pid) {
		await_sleep(parent);
		OK(kill(parent, SIGUSR1));
		_exit(6);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(WEXITSTATUS(status), 6);
}

TEST(SIGCHLD_carries_child_information)
{
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid_t pid = FORK();
	if (!pid)
		_exit(21);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_EXITED);
	CHECK_EQ(si.si_pid, pid);
	CHECK_EQ(si.si_status, 21);
	expect_exit(pid, 21);
}

TEST(SA_NOCLDSTOP_suppresses_stop_signals)
{
	sigset_t set;
	siginfo_t si;
	struct timespec none = {0, 0};

	on_signal(SIGCHLD, ignore, SA_NOCLDSTOP);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid_t pid = sleeper();
	OK(kill(pid, SIGSTOP));
	OK(waitid(P_PID, pid, &si, WSTOPPED));
	CHECK_ERR(sigtimedwait(&set, &si, &none), EAGAIN);
	OK(kill(pid, SIGKILL));
	CHECK_EQ(sigwaitinfo(&set, &si), SIGCHLD);
	CHECK_EQ(si.si_code, CLD_KILLED);
	expect_signal(pid, SIGKILL);
}

TEST(zombie_can_be_signalled_and_keeps_its_pid)
{
	pid_t pid = FORK();
	siginfo_t si;

	if (!pid)
		_exit(0);
	OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	OK(kill(pid, 0));
	OK(kill(pid, SIGKILL));
	CHECK_EQ(getpgid(pid), getpgrp());
	expect_exit(pid, 0);
	CHECK_ERR(kill(pid, 0), ESRCH);
}

static void expect_no_stops(pid_t pid)
{
	int only[] = {WSTOPPED, WCONTINUED, WSTOPPED | WCONTINUED};
	siginfo_t si;

	OK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT));
	for (int i = 0; i < 3; i++) {
		CHECK_ERR(waitid(P_PID, pid, &si, only[i] | WNOHANG), ECHILD);
		CHECK_ERR(waitid(P_PID, pid, &si, only[i]), ECHILD);
		CHECK_ERR(waitid(P_ALL, 0, &si, only[i]), ECHILD);
		CHECK_ERR(waitid(P_PGID, getpgrp(), &si, only[i]), ECHILD);
	}
	expect_exit(pid, 0);
}

TEST(a_zombie_has_no_stops_to_wait_for)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(0);
	expect_no_stops(pid);
	pid = FORK();
	if (!pid) {
		OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		_exit(0);
	}
	expect_no_stops(pid);
}
