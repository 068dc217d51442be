/* SPDX-License-Identifier: MIT */
/* Events, system calls, group stops, SEIZE. */
#include "trace.h"
#include <sys/sysinfo.h>
#include <sys/wait.h>

static unsigned long message_of(pid_t pid)
{
	unsigned long v;

	PT(PTRACE_GETEVENTMSG, pid, 0, &v);
	return v;
}

static void fork_and_wait(void)
{
	pid_t pid = FORK();

	if (!pid)
		_exit(5);
	expect_exit(pid, 5);
	_exit(0);
}

TEST(fork_event_and_the_traced_child)
{
	pid_t pid = traced_child(fork_and_wait), child;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK);
	CHECK_ERR(pt(PTRACE_SETOPTIONS, pid, 0, 1ul << 30), EINVAL);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_FORK));
	child = message_of(pid);
	EXPECT_STOP(child, SIGSTOP);
	PT(PTRACE_CONT, child, 0, 0);
	expect_exit(child, 5);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGCHLD);
	PT(PTRACE_CONT, pid, 0, SIGCHLD);
	expect_exit(pid, 0);
}

static void vfork_and_exit(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	_exit(0);
}

TEST(vfork_events)
{
	pid_t pid = traced_child(vfork_and_exit), child;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_VFORK));
	child = message_of(pid);
	EXPECT_STOP(child, SIGSTOP);
	PT(PTRACE_CONT, pid, 0, 0);
	PT(PTRACE_CONT, child, 0, 0);
	expect_exit(child, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_VFORK_DONE));
	CHECK_EQ(message_of(pid), child);
	PT(PTRACE_DETACH, pid, 0, 0);
	expect_exit(pid, 0);
}

/* The event's new child, once it has stopped. */
static pid_t new_child(pid_t pid)
{
	pid_t child = (pid_t)message_of(pid);

	EXPECT_STOP(child, SIGSTOP);
	return child;
}

static void call_and_fork(void)
{
	pid_t pid;

	syscall(SYS_getppid);
	pid = (pid_t)syscall(SYS_fork);
	if (!pid)
		_exit(0);
	syscall(SYS_wait4, pid, NULL, 0, NULL);
	_exit(4);
}

/* What the tracer gives with CONT counts after some stops only. */
TEST(a_signal_given_at_an_event_is_ignored_and_at_a_system_call_comes)
{
	pid_t pid = traced_child(call_and_fork);
	struct ptrace_syscall_info info;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK);
	do {
		PT(PTRACE_SYSCALL, pid, 0, 0);
		EXPECT_STOP(pid, SIGTRAP);
	} while (regs_of(pid).orig_rax != SYS_getppid);
	CHECK_EQ(PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 24);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_NONE); /* as TRACESYSGOOD isn't set */
	PT(PTRACE_CONT, pid, 0, SIGUSR1);
	EXPECT_STOP(pid, SIGUSR1);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_FORK));
	PT(PTRACE_DETACH, new_child(pid), 0, 0);
	PT(PTRACE_CONT, pid, 0, SIGUSR2);
	EXPECT_STOP(pid, SIGCHLD);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 4);
}

static void *thread(void *arg)
{
	return arg;
}

static struct gate thread_told;

static void make_thread(void)
{
	pthread_t t;

	CHECK_PT(pthread_create(&t, NULL, thread, NULL));
	CHECK_PT(pthread_join(t, NULL));
	gate_wait(thread_told); /* joined, it may still have its end before it */
	_exit(3);
}

TEST(clone_event_and_the_thread_s_end)
{
	pid_t pid, tid;

	thread_told = gate_make();
	pid = traced_child(make_thread);
	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_CLONE));
	tid = message_of(pid);
	EXPECT_STOP(tid, SIGSTOP);
	PT(PTRACE_CONT, pid, 0, 0);
	PT(PTRACE_CONT, tid, 0, 0);
	expect_exit(tid, 0); /* waited for as a tracee */
	gate_open(thread_told);
	expect_exit(pid, 3);
}

HELPER(exit_with)
{
	return atoi(argv[0]);
}

static void do_exec(void)
{
	exec_helper("exit_with", "6", NULL);
	_exit(99);
}

TEST(exec_event)
{
	pid_t pid = traced_child(do_exec);

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message_of(pid), pid);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 6);
}

TEST(exec_without_the_option_is_SIGTRAP)
{
	pid_t pid = traced_child(do_exec);
	siginfo_t si;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	CHECK_EQ(si.si_code, SI_USER);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 6);
}

static void exit_nine(void)
{
	_exit(9);
}

TEST(exit_event_tells_the_status)
{
	pid_t pid = traced_child(exit_nine);

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message_of(pid), 9 << 8);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 9);
}

static void call_getppid(void)
{
	syscall(SYS_getppid);
	syscall(SYS_close, -1);
	_exit(0);
}

TEST(system_calls_stop_at_entry_and_exit)
{
	pid_t pid = traced_child(call_getppid);
	struct ptrace_syscall_info info;
	struct user_regs_struct r;

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	CHECK_EQ(PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 24);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_NONE);
	for (;;) {
		PT(PTRACE_SYSCALL, pid, 0, 0);
		EXPECT_STOP(pid, SIGTRAP | 0x80);
		r = regs_of(pid);
		if (r.orig_rax == SYS_getppid)
			break;
	}
	CHECK_EQ((long)r.rax, -ENOSYS);
	CHECK_EQ(message_of(pid), PTRACE_EVENTMSG_SYSCALL_ENTRY);
	CHECK_EQ(PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 80);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_ENTRY);
	CHECK_EQ(info.arch, 0xc000003e);
	CHECK_EQ(info.entry.nr, SYS_getppid);
	CHECK_EQ(info.instruction_pointer, r.rip);
	CHECK_EQ(info.stack_pointer, r.rsp);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP | 0x80);
	CHECK_EQ(message_of(pid), PTRACE_EVENTMSG_SYSCALL_EXIT);
	CHECK_EQ(regs_of(pid).rax, getpid());
	CHECK_EQ(regs_of(pid).orig_rax, SYS_getppid);
	CHECK_EQ(PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info), 33);
	CHECK_EQ(info.op, PTRACE_SYSCALL_INFO_EXIT);
	CHECK_EQ(info.exit.rval, getpid());
	CHECK_EQ(info.exit.is_error, 0);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP | 0x80);
	CHECK_EQ(regs_of(pid).rdi, -1u);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP | 0x80);
	PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
	CHECK_EQ(info.exit.rval, -EBADF);
	CHECK_EQ(info.exit.is_error, 1);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 0);
}

static void exit_getppid(void)
{
	_exit(syscall(SYS_getppid) == 1234 ? 11 : 12);
}

TEST(tracer_replaces_a_system_call)
{
	pid_t pid = traced_child(exit_getppid);
	struct user_regs_struct r;

	do {
		PT(PTRACE_SYSCALL, pid, 0, 0);
		EXPECT_STOP(pid, SIGTRAP);
		r = regs_of(pid);
	} while (r.orig_rax != SYS_getppid);
	r.orig_rax = -1;
	PT(PTRACE_SETREGS, pid, 0, &r);
	PT(PTRACE_SYSCALL, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	r = regs_of(pid);
	CHECK_EQ((long)r.rax, -ENOSYS);
	r.rax = 1234;
	PT(PTRACE_SETREGS, pid, 0, &r);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 11);
}

TEST(seize_does_not_stop_and_interrupt_does)
{
	pid_t pid = sleeper();
	siginfo_t si;
	int status;

	PT(PTRACE_SEIZE, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	await_sleep(pid);
	PT(PTRACE_INTERRUPT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	CHECK_EQ(si.si_code, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(pid);
	PT(PTRACE_INTERRUPT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_DETACH, pid, 0, 0);
	await_sleep(pid);
	kill_tracee(pid);
	pid = sleeper();
	PT(PTRACE_ATTACH, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	CHECK_ERR(pt(PTRACE_LISTEN, pid, 0, 0), EIO);
	kill_tracee(pid);
}

TEST(group_stop_of_an_attached_tracee)
{
	pid_t pid = traced_child(sleep_forever);
	siginfo_t si;

	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(pid);
	OK(kill(pid, SIGSTOP));
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_GETSIGINFO, pid, 0, &si);
	PT(PTRACE_CONT, pid, 0, SIGSTOP);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_GETSIGINFO, pid, 0, (unsigned long)&si), EINVAL);
	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(pid);
	kill_tracee(pid);
}

TEST(group_stop_of_a_seized_tracee_and_listen)
{
	pid_t pid = sleeper();
	int status;

	PT(PTRACE_SEIZE, pid, 0, 0);
	OK(kill(pid, SIGSTOP));
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_CONT, pid, 0, SIGSTOP);
	EXPECT_STOP(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	PT(PTRACE_LISTEN, pid, 0, 0);
	CHECK_EQ(waitpid(pid, &status, WNOHANG | __WALL), 0);
	CHECK_ERR(pt(PTRACE_CONT, pid, 0, 0), ESRCH);
	OK(kill(pid, SIGCONT));
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGCONT);
	PT(PTRACE_CONT, pid, 0, SIGCONT);
	await_sleep(pid);
	kill_tracee(pid);
}

TEST(attach_to_a_stopped_process)
{
	pid_t pid = sleeper();

	OK(kill(pid, SIGSTOP));
	await_state(pid, 'T');
	PT(PTRACE_ATTACH, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP); /* one is the group's stop, one ATTACH's */
	PT(PTRACE_CONT, pid, 0, 0);
	await_sleep(pid);
	kill_tracee(pid);
}

TEST(detach_leaves_a_stopped_process_stopped)
{
	pid_t pid = sleeper();

	PT(PTRACE_SEIZE, pid, 0, 0);
	OK(kill(pid, SIGSTOP));
	EXPECT_STOP(pid, SIGSTOP);
	PT(PTRACE_CONT, pid, 0, SIGSTOP);
	EXPECT_STOP(pid, SIGSTOP | PTRACE_EVENT_STOP << 8);
	PT(PTRACE_DETACH, pid, 0, 0);
	await_state(pid, 'T');
	OK(kill(pid, SIGCONT));
	await_sleep(pid);
	kill_tracee(pid);
}

TEST(seized_fork_child_stops_with_an_event)
{
	struct gate go = gate_make();
	pid_t pid = FORK(), child;

	if (!pid) {
		gate_wait(go);
		fork_and_wait();
	}
	PT(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK);
	gate_open(go);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_FORK));
	child = message_of(pid);
	EXPECT_STOP(child, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_CONT, child, 0, 0);
	expect_exit(child, 5);
	PT(PTRACE_DETACH, pid, 0, 0);
	expect_exit(pid, 0);
}

static void sleep_and_exit(void)
{
	struct timespec t = {0, 300 * MSEC};

	_exit(syscall(SYS_nanosleep, &t, NULL) ? errno : 0);
}

TEST(interrupted_call_goes_on_after_detach_at_its_exit)
{
	struct gate go = gate_make();
	pid_t pid = FORK();

	if (!pid) {
		gate_wait(go);
		sleep_and_exit();
	}
	PT(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD);
	PT(PTRACE_INTERRUPT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_STOP));
	PT(PTRACE_SYSCALL, pid, 0, 0);
	gate_open(go);
	for (;;) {
		int code = wait_stop(pid);

		if (code == (SIGTRAP | 0x80) && regs_of(pid).orig_rax == SYS_nanosleep)
			break;
		PT(PTRACE_SYSCALL, pid, 0, 0);
	}
	PT(PTRACE_SYSCALL, pid, 0, 0);
	await_sleep(pid);
	PT(PTRACE_INTERRUPT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP | 0x80);
	CHECK_EQ((long)regs_of(pid).rax, -516); /* to be restarted */
	PT(PTRACE_DETACH, pid, 0, 0);
	expect_exit(pid, 0);
}

/* strace -f of a shell in small: all calls of a tree of processes. */
static void small_tree(void)
{
	for (int i = 0; i < 3; i++) {
		pid_t pid = FORK();

		if (!pid) {
			pid_t grand = FORK();

			if (!grand)
				exec_helper("exit_with", "1", NULL);
			wait_status(grand);
			_exit(2);
		}
	}
	while (wait(NULL) > 0)
		;
	_exit(4);
}

TEST(tree_of_processes_is_followed_to_its_end)
{
	pid_t first = traced_child(small_tree);
	int ends = 0, execs = 0, entries = 0, exits = 0, status;

	PT(PTRACE_SETOPTIONS, first, 0,
		PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE |
			PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);
	PT(PTRACE_SYSCALL, first, 0, 0);
	while (ends < 7) {
		pid_t pid = OK(waitpid(-1, &status, __WALL));
		struct ptrace_syscall_info info;
		int sig = 0;

		if (!WIFSTOPPED(status)) {
			CHECK(WIFEXITED(status));
			ends++;
			continue;
		}
		if (status >> 8 == (SIGTRAP | 0x80)) {
			PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
			CHECK(info.op == PTRACE_SYSCALL_INFO_ENTRY ||
				info.op == PTRACE_SYSCALL_INFO_EXIT);
			*(info.op == PTRACE_SYSCALL_INFO_ENTRY ? &entries : &exits) += 1;
		} else if (status >> 16 == PTRACE_EVENT_EXEC) {
			execs++;
		} else if (!(status >> 16) && WSTOPSIG(status) != SIGSTOP) {
			sig = WSTOPSIG(status);
		}
		PT(PTRACE_SYSCALL, pid, 0, sig);
	}
	CHECK_EQ(execs, 3);
	/* Each of the seven ends in exit_group, which doesn't return. */
	CHECK_EQ(entries - exits, 7);
	CHECK_ERR(waitpid(-1, &status, __WALL), ECHILD);
}

/* Attach, detach and kill beside each other. */
TEST(attach_and_kill_race)
{
	for (int i = 0; i < 30; i++) {
		pid_t pid = FORK(), killer;

		if (!pid)
			sleep_forever();
		killer = FORK();
		if (!killer) {
			if (i & 1)
				sched_yield();
			kill(pid, SIGKILL);
			_exit(0);
		}
		if (pt(PTRACE_ATTACH, pid, 0, 0) == 0) {
			int status;

			CHECK_EQ(waitpid(pid, &status, __WALL), pid);
			if (WIFSTOPPED(status)) {
				pt(PTRACE_CONT, pid, 0, 0);
				CHECK_EQ(waitpid(pid, &status, __WALL), pid);
			}
			CHECK(WIFSIGNALED(status));
		} else {
			expect_signal(pid, SIGKILL);
		}
		expect_exit(killer, 0);
	}
}

/* ---- memory that is wanted back ---- */

#define HOG_SIZE (48l << 20)

static void hog(void)
{
	char *p = OK(
		mmap(NULL, HOG_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(p, 1, HOG_SIZE);
	write_file("/proc/self/oom_score_adj", "1000");
	_exit(0);
}

/* KiB of memory that pid has; 0 once it has ended. */
static long resident(pid_t pid)
{
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	at = strstr(read_text(path), "VmRSS:");
	return at ? atol(at + 6) : 0;
}

TEST(tracer_does_not_keep_the_memory_of_the_OOM_killer_s_victim)
{
	struct sysinfo si;
	pid_t pid;

	OK(sysinfo(&si));
	if (si.totalram * si.mem_unit > 1ul << 30)
		skip_test("kills by the whole machine's OOM killer");
	pid = traced_child(hog);
	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, EVENT(PTRACE_EVENT_EXIT));
	CHECK(resident(pid) > HOG_SIZE / 1024);
	write_file("/proc/sysrq-trigger", "f");
	for (int i = 0; i < 500 && resident(pid) > HOG_SIZE / 1024 / 2; i++)
		usleep(20000);
	CHECK(resident(pid) < HOG_SIZE / 1024 / 2);
	(void)pt(PTRACE_CONT, pid, 0, 0); /* it may have left the stop, or not */
	wait_status(pid);
}
