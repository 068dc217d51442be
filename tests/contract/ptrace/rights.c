/* SPDX-License-Identifier: MIT */
/* Whose rights count when somebody is traced: programs with more rights than who runs them. */
#include "trace.h"
#include <sys/prctl.h>

#define PROG "./prog"

/* This program, root's, with these mode bits. */
static void copy_self(mode_t mode)
{
	int in = OK(open(self_path, O_RDONLY)), out = new_file(PROG, O_WRONLY, 0755);
	static char buf[65536];
	ssize_t n;

	while ((n = OK(read(in, buf, sizeof(buf)))) > 0)
		CHECK_EQ(write(out, buf, n), n);
	OK(close(in));
	OK(fchmod(out, mode));
	OK(close(out));
	OK(chmod(".", 0755));
}

/* Exit status of a user's process that runs fn. */
static int as_user(void (*fn)(void))
{
	pid_t pid = FORK();
	int status;

	if (!pid) {
		become_user(1000, 1000);
		OK(prctl(PR_SET_DUMPABLE, 1));
		fn();
		_exit(0);
	}
	status = wait_status(pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

HELPER(my_euid)
{
	return geteuid() / 10;
}

static void exec_my_euid(void)
{
	execl(PROG, PROG, "--helper", "my_euid", NULL);
	_exit(99);
}

static void traced_exec(void)
{
	pid_t pid = traced_child(exec_my_euid);

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	PT(PTRACE_CONT, pid, 0, 0);
	_exit(WEXITSTATUS(wait_status(pid)));
}

TEST(traced_setuid_program_gains_nothing)
{
	copy_self(04755);
	CHECK_EQ(as_user(exec_my_euid), 0);
	CHECK_EQ(as_user(traced_exec), 100);
}

/* ---- the tracer has root's rights for a moment, in which it gets a tracee ---- */

static struct gate privileged, linked, unprivileged;

/* argv: what comes next, the tracee's number, descriptors of the gates. */
HELPER(root_for_a_moment)
{
	struct gate p = {-1, atoi(argv[2])}, l = {atoi(argv[3]), -1};

	CHECK_EQ(geteuid(), 0);
	gate_open(p);
	gate_wait(l);
	OK(setresuid(1000, 1000, 1000));
	execl(self_path, self_path, "--helper", argv[0], argv[1], argv[4], NULL);
	return 99;
}

static void go_through_root(const char *then, pid_t tracee)
{
	char num[4][16];

	OK(fcntl(privileged.w, F_SETFD, 0));
	OK(fcntl(linked.r, F_SETFD, 0));
	OK(fcntl(unprivileged.w, F_SETFD, 0));
	snprintf(num[0], 16, "%d", tracee);
	snprintf(num[1], 16, "%d", privileged.w);
	snprintf(num[2], 16, "%d", linked.r);
	snprintf(num[3], 16, "%d", unprivileged.w);
	execl(PROG, PROG, "--helper", "root_for_a_moment", then, num[0], num[1], num[2], num[3],
		NULL);
	_exit(99);
}

static void open_gates(void)
{
	privileged = gate_make();
	linked = gate_make();
	unprivileged = gate_make();
}

/* Lets one tracee go on through all its stops; its exit status. */
HELPER(trace_to_the_end)
{
	struct gate u = {-1, atoi(argv[1])};
	pid_t pid = atoi(argv[0]);
	int status;

	gate_open(u);
	for (;;) {
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		CHECK(WIFSTOPPED(status));
		PT(PTRACE_CONT, pid, 0, 0);
	}
}

static void traceme_below_root(void)
{
	pid_t pid = FORK();

	if (!pid) {
		gate_wait(privileged);
		PT(PTRACE_TRACEME, 0, 0, 0);
		gate_open(linked);
		gate_wait(unprivileged);
		exec_my_euid();
	}
	go_through_root("trace_to_the_end", pid);
}

TEST(traceme_gives_the_tracer_the_caller_s_rights_only)
{
	open_gates();
	copy_self(04755);
	CHECK_EQ(as_user(traceme_below_root), 100);
}

static void fork_below_root(void)
{
	pid_t child;

	gate_wait(privileged);
	child = FORK();
	if (!child) {
		gate_wait(unprivileged);
		exec_my_euid();
	}
	_exit(WEXITSTATUS(wait_status(child)));
}

/* The tracee has forked: its child is traced, too. The child's exit status. */
HELPER(trace_the_child_to_the_end)
{
	pid_t parent = atoi(argv[0]), pid;
	struct gate u = {-1, atoi(argv[1])};
	int status, sig, child_status = -1;

	gate_open(u);
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (!WIFSTOPPED(status)) {
			CHECK(WIFEXITED(status));
			if (pid != parent)
				child_status = WEXITSTATUS(status);
			continue;
		}
		sig = WSTOPSIG(status);
		PT(PTRACE_CONT, pid, 0, sig == SIGTRAP || sig == SIGSTOP ? 0 : sig);
	}
	return child_status;
}

static int told[2];

static void trace_forks_through_root(void)
{
	pid_t pid = traced_child(fork_below_root);

	PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK);
	PT(PTRACE_CONT, pid, 0, 0);
	CHECK_EQ(write(told[1], &pid, sizeof(pid)), sizeof(pid));
	go_through_root("trace_the_child_to_the_end", pid);
}

TEST(child_of_a_tracee_is_traced_with_the_same_rights_as_its_parent)
{
	pid_t pid, tracee;

	open_gates();
	OK(pipe(told));
	copy_self(04755);
	pid = FORK();
	if (!pid)
		_exit(as_user(trace_forks_through_root));
	CHECK_EQ(read(told[0], &tracee, sizeof(tracee)), sizeof(tracee));
	await_state(tracee, 't'); /* it has forked */
	gate_open(linked);
	expect_exit(pid, 100);
}

HELPER(traceme)
{
	CHECK_EQ(geteuid(), 0);
	CHECK_ERR(pt(PTRACE_TRACEME, 0, 0, 0), EPERM);
	OK(seteuid(1000)); /* what it may get back counts, too */
	CHECK_ERR(pt(PTRACE_TRACEME, 0, 0, 0), EPERM);
	OK(setresuid(1000, 1000, 1000));
	PT(PTRACE_TRACEME, 0, 0, 0);
	return 0;
}

static void run_traceme(void)
{
	pid_t pid = FORK();

	if (!pid) {
		execl(PROG, PROG, "--helper", "traceme", NULL);
		_exit(99);
	}
	_exit(WEXITSTATUS(wait_status(pid)));
}

TEST(traceme_below_a_parent_with_fewer_capabilities_is_EPERM)
{
	copy_self(04755);
	CHECK_EQ(as_user(run_traceme), 0);
}

/* ---- memory that was closed since ---- */

static volatile long word = 77;

static void close_and_open(void)
{
	OK(prctl(PR_SET_DUMPABLE, 0));
	raise_raw(SIGSTOP);
	OK(prctl(PR_SET_DUMPABLE, 1));
	raise_raw(SIGSTOP);
}

static void peek_at_closed_memory(void)
{
	pid_t pid = traced_child(close_and_open);
	long v;

	CHECK_EQ(peek(pid, &word), 77);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, (unsigned long)&word, (unsigned long)&v), EIO);
	CHECK_ERR(pt(PTRACE_POKEDATA, pid, (unsigned long)&word, 5), EIO);
	regs_of(pid);
	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_EQ(peek(pid, &word), 77);
	PT(PTRACE_DETACH, pid, 0, 0);
	expect_exit(pid, 0);
}

TEST(memory_of_an_undumpable_tracee_is_closed_to_a_user)
{
	CHECK_EQ(as_user(peek_at_closed_memory), 0);
	pid_t pid = traced_child(close_and_open); /* not to root */

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGSTOP);
	CHECK_EQ(peek(pid, &word), 77);
	kill_tracee(pid);
}

static void peek_at_unreadable(void)
{
	pid_t pid = traced_child(exec_my_euid);
	long v;

	PT(PTRACE_CONT, pid, 0, 0);
	EXPECT_STOP(pid, SIGTRAP);
	CHECK_ERR(pt(PTRACE_PEEKDATA, pid, regs_of(pid).rsp, (unsigned long)&v), EIO);
	PT(PTRACE_CONT, pid, 0, 0);
	expect_exit(pid, 100);
}

TEST(memory_of_an_unreadable_program_is_closed_to_its_tracer)
{
	copy_self(0711);
	CHECK_EQ(as_user(peek_at_unreadable), 0);
}
