/* SPDX-License-Identifier: MIT */
/* Tracees with several threads; signals that a tracer sends along. */
#include "trace.h"

static unsigned long message_of(pid_t pid)
{
	unsigned long v;

	PT(PTRACE_GETEVENTMSG, pid, 0, &v);
	return v;
}

HELPER(exit_eight)
{
	return 8;
}

static void *sleeping_thread(void *arg)
{
	(void)arg;
	sleep_forever();
	return NULL;
}

static void *exec_thread(void *arg)
{
	(void)arg;
	exec_helper("exit_eight", NULL);
	_exit(99);
}

static void exec_in_a_thread(void)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, sleeping_thread, NULL));
	CHECK_PT(pthread_create(&t, NULL, exec_thread, NULL));
	sleep_forever();
}

/* Goes on until the tracee has cloned; the new thread is stopped at its beginning. */
static pid_t next_thread(pid_t pid)
{
	pid_t tid;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_CLONE));
	tid = message_of(pid);
	EXPECT_STOP(tid, SIGSTOP);
	return tid;
}

TEST(exec_of_a_thread_takes_over_the_process_s_number)
{
	pid_t pid = traced_child(exec_in_a_thread), sleeping, execing;
	int status;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
	sleeping = next_thread(pid);
	execing = next_thread(pid);
	PT(PTRACE_CONT, pid, 0, 0);
	PT(PTRACE_CONT, sleeping, 0, 0);
	PT(PTRACE_CONT, execing, 0, 0);
	/* The other thread's end is told, the old leader's isn't. */
	expect_exit(sleeping, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message_of(pid), execing);
	CHECK_ERR(pt(PTRACE_CONT, execing, 0, 0), ESRCH);
	CHECK_ERR(waitpid(execing, &status, __WALL | WNOHANG), ECHILD);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 8);
}

static struct gate leader_gone;

static void *outlives(void *arg)
{
	(void)arg;
	gate_wait(leader_gone);
	_exit(6);
}

static void leader_exits(void)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, outlives, NULL));
	syscall(SYS_exit, 3);
}

TEST(leader_s_end_is_told_after_its_threads)
{
	pid_t pid, tid;
	int status;

	leader_gone = gate_make();
	pid = traced_child(leader_exits);
	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	tid = next_thread(pid);
	PT(PTRACE_CONT, tid, 0, 0);
	PT(PTRACE_CONT, pid, 0, 0);
	await_state(pid, 'Z');
	CHECK_EQ(waitpid(pid, &status, __WALL | WNOHANG), 0);
	gate_open(leader_gone);
	expect_exit(tid, 6);
	expect_exit(pid, 6);
}

static void two_threads(void)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, sleeping_thread, NULL));
	sleep_forever();
}

TEST(group_stop_stops_every_traced_thread)
{
	pid_t pid = traced_child(two_threads), tid;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	tid = next_thread(pid);
	PT(PTRACE_CONT, tid, 0, 0);
	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(pid);
	await_sleep(tid);
	OK(syscall(SYS_tgkill, pid, tid, SIGSTOP));
	EXPECT_STOP(tid, SIGSTOP);
	PT(PTRACE_CONT, tid, 0, SIGSTOP);
	EXPECT_STOP(tid, SIGSTOP);
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_CONT, tid, 0, 0);
	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(tid);
	kill_tracee(tid);
	expect_signal(pid, SIGKILL);
}

TEST(kill_ends_all_stopped_threads)
{
	pid_t pid = traced_child(two_threads), tid;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	tid = next_thread(pid);
	OK(kill(pid, SIGKILL));
	expect_signal(tid, SIGKILL);
	expect_signal(pid, SIGKILL);
}

static void call_getppid(void)
{
	for (;;)
		syscall(SYS_getppid);
}

TEST(signal_sent_along_at_a_system_call_stops_again)
{
	pid_t pid = traced_child(call_getppid);

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP | 0x80);
	PT(PTRACE_CONT, pid, 0, SIGUSR1);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, SIGUSR1);
	expect_signal(pid, SIGUSR1);
}

TEST(exit_event_of_a_signal)
{
	pid_t pid = traced_child(call_getppid);

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	PT(PTRACE_CONT, pid, 0, SIGTERM);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message_of(pid), SIGTERM);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_signal(pid, SIGTERM);
}

TEST(WNOTHREAD_waits_for_the_own_thread_s_tracees_only)
{
	pid_t pid = sleeper();
	int status;

	PT(PTRACE_SEIZE, pid, 0, 0);
	PT(PTRACE_INTERRUPT, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &status, __WALL | __WNOTHREAD), pid);
	CHECK_EQ(status >> 8, EVENT(PTRACE_EVENT_STOP));
	kill_tracee(pid);
}

/* Execs beside attaches: whoever comes first, the program runs to its end. */
TEST(attach_and_exec_race)
{
	for (int i = 0; i < 20; i++) {
		struct gate go = gate_make();
		pid_t pid = FORK();
		int status;

		if (!pid) {
			gate_wait(go);
			exec_helper("exit_eight", NULL);
			_exit(99);
		}
		gate_open(go);
		if (i & 1)
			sched_yield();
		if (pt(PTRACE_SEIZE, pid, 0, 0) == 0) {
			if (pt(PTRACE_INTERRUPT, pid, 0, 0) == 0) {
				CHECK_EQ(waitpid(pid, &status, __WALL), pid);
				if (WIFSTOPPED(status)) {
					PT(PTRACE_DETACH, pid, 0, 0);
					CHECK_EQ(waitpid(pid, &status, __WALL), pid);
				}
			} else {
				CHECK_EQ(waitpid(pid, &status, __WALL), pid);
			}
			CHECK_EQ(status, 8 << 8);
		} else {
			expect_exit(pid, 8);
		}
		close(go.r);
		close(go.w);
	}
}
