/* SPDX-License-Identifier: MIT */
/* clone, clone3, fork and vfork: what each flag shares, and the flags that do not go together. */
#include "contract.h"
#include <linux/sched.h>
#include <sys/wait.h>

#define STACK (64 * 1024)

struct shared {
	volatile int value;
	int fd;
	struct gate gate;
};

static char *new_stack(void)
{
	char *p = OK(mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	return p + STACK;
}

static pid_t spawn(int (*fn)(void *), int flags, void *arg)
{
	return OK(clone(fn, new_stack(), flags | SIGCHLD, arg));
}

static int set_value(void *arg)
{
	((struct shared *)arg)->value = 5;
	return 3;
}

TEST(clone_vm_shares_memory)
{
	struct shared s = {0};

	expect_exit(spawn(set_value, CLONE_VM, &s), 3);
	CHECK_EQ(s.value, 5);
}

TEST(without_clone_vm_memory_is_copied)
{
	struct shared s = {0};

	expect_exit(spawn(set_value, 0, &s), 3);
	CHECK_EQ(s.value, 0);
}

static int open_file(void *arg)
{
	((struct shared *)arg)->fd = OK(open("/dev/null", O_RDONLY));
	return 0;
}

TEST(clone_files_shares_the_table)
{
	struct shared s = {0};

	expect_exit(spawn(open_file, CLONE_VM | CLONE_FILES, &s), 0);
	OK(fcntl(s.fd, F_GETFD));
	expect_exit(spawn(open_file, CLONE_VM, &s), 0);
	CHECK_ERR(fcntl(s.fd, F_GETFD), EBADF);
}

static int change_dir(void *arg)
{
	(void)arg;
	OK(chdir("/"));
	umask(0123);
	return 0;
}

TEST(clone_fs_shares_cwd_and_umask)
{
	char cwd[PATH_MAX];
	mode_t old = umask(022);

	expect_exit(spawn(change_dir, 0, NULL), 0);
	CHECK_EQ(umask(022), 022);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/"));
	expect_exit(spawn(change_dir, CLONE_FS, NULL), 0);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_STR(cwd, "/");
	CHECK_EQ(umask(old), 0123);
}

static void nothing(int sig)
{
	(void)sig;
}

static int set_handler(void *arg)
{
	(void)arg;
	on_signal(SIGUSR1, nothing, 0);
	return 0;
}

TEST(clone_sighand_shares_handlers)
{
	struct sigaction sa;

	expect_exit(spawn(set_handler, CLONE_VM, NULL), 0);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	expect_exit(spawn(set_handler, CLONE_VM | CLONE_SIGHAND, NULL), 0);
	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == nothing);
}

TEST(clear_sighand_resets_handlers_but_keeps_ignored)
{
	struct clone_args args = {.flags = CLONE_CLEAR_SIGHAND, .exit_signal = SIGCHLD};

	on_signal(SIGUSR1, nothing, 0);
	on_signal(SIGUSR2, SIG_IGN, 0);
	pid_t pid = OK(syscall(SYS_clone3, &args, sizeof(args)));
	if (!pid) {
		struct sigaction sa;

		OK(sigaction(SIGUSR1, NULL, &sa));
		CHECK(sa.sa_handler == SIG_DFL);
		OK(sigaction(SIGUSR2, NULL, &sa));
		CHECK(sa.sa_handler == SIG_IGN);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static long raw_clone(unsigned long flags)
{
	return syscall(SYS_clone, flags, 0, NULL, NULL, 0);
}

TEST(flags_that_need_others_are_EINVAL)
{
	CHECK_ERR(raw_clone(CLONE_SIGHAND | SIGCHLD), EINVAL);
	CHECK_ERR(raw_clone(CLONE_THREAD | SIGCHLD), EINVAL);
	CHECK_ERR(raw_clone(CLONE_THREAD | CLONE_SIGHAND | SIGCHLD), EINVAL);
	CHECK_ERR(raw_clone(CLONE_FS | CLONE_NEWNS | SIGCHLD), EINVAL);
	CHECK_ERR(raw_clone(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD), EINVAL);
	CHECK_ERR(raw_clone(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD), EINVAL);
}

TEST(clone_parent_gives_a_sibling)
{
	pid_t parent = getpid(), child = FORK();

	if (!child) {
		pid_t pid = raw_clone(CLONE_PARENT | SIGCHLD);

		if (!pid)
			_exit(getppid() == parent ? 8 : 9);
		CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
		_exit(0);
	}
	expect_exit(child, 0);
	int status;
	OK(waitpid(-1, &status, 0));
	CHECK_EQ(WEXITSTATUS(status), 8);
}

TEST(parent_settid_and_child_settid)
{
	volatile int ptid = 0;
	int ctid = 0;
	pid_t pid = OK(syscall(
		SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ptid, &ctid, 0));

	if (!pid)
		_exit(ctid == getpid() ? 0 : 1);
	CHECK_EQ(ptid, pid);
	CHECK_EQ(ctid, 0);
	expect_exit(pid, 0);
}

static int exit_at_once(void *arg)
{
	(void)arg;
	return 0;
}

TEST(child_cleartid_clears_and_wakes)
{
	static int tid = 77;
	pid_t pid = OK(clone(exit_at_once, new_stack(), CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD,
		NULL, NULL, NULL, &tid));

	while (__atomic_load_n(&tid, __ATOMIC_ACQUIRE) == 77)
		syscall(SYS_futex, &tid, 0 /* FUTEX_WAIT */, 77, NULL, NULL, 0);
	CHECK_EQ(tid, 0);
	expect_exit(pid, 0);
}

TEST(exit_signal_is_chosen_by_the_caller)
{
	sigset_t set;
	siginfo_t si;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	pid_t pid = OK(raw_clone(SIGUSR1));
	if (!pid)
		_exit(4);
	CHECK_EQ(sigwaitinfo(&set, &si), SIGUSR1);
	CHECK_EQ(si.si_pid, pid);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_EQ(waitpid(pid, NULL, __WCLONE), pid);
}

TEST(exit_signal_0_sends_none_and_needs_WALL)
{
	pid_t pid = OK(raw_clone(0));

	if (!pid)
		_exit(0);
	CHECK_ERR(waitpid(pid, NULL, 0), ECHILD);
	CHECK_EQ(waitpid(pid, NULL, __WALL), pid);
}

TEST(clone_pidfd_returns_a_descriptor)
{
	int fd = -1;
	siginfo_t si;
	pid_t pid = OK(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, NULL, 0));

	if (!pid)
		_exit(2);
	CHECK(fd >= 0);
	OK(waitid(3 /* P_PIDFD */, fd, &si, WEXITED));
	CHECK_EQ(si.si_pid, pid);
}

TEST(clone3_rejects_bad_sizes_and_bits)
{
	struct {
		struct clone_args args;
		unsigned long long extra;
	} a = {.args = {.exit_signal = SIGCHLD}};

	CHECK_ERR(syscall(SYS_clone3, &a, 63), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, 1 << 20), E2BIG);
	a.extra = 1;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a)), E2BIG);
	a.args.exit_signal = 65;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a.args)), EINVAL);
	a.args.exit_signal = SIGCHLD;
	a.args.flags = CLONE_DETACHED;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a.args)), EINVAL);
	a.args.flags = 0;
	a.args.stack = 4096;
	CHECK_ERR(syscall(SYS_clone3, &a, sizeof(a.args)), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, BAD_PTR, sizeof(a.args)), EFAULT);
}

TEST(clone3_set_tid_picks_the_pid)
{
	pid_t want = 4321;
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&want, .set_tid_size = 1};
	pid_t pid = OK(syscall(SYS_clone3, &args, sizeof(args)));

	if (!pid)
		_exit(getpid() == 4321 ? 0 : 1);
	CHECK_EQ(pid, 4321);
	CHECK_ERR(syscall(SYS_clone3, &args, sizeof(args)), EEXIST);
	expect_exit(pid, 0);
}

TEST(vfork_suspends_the_parent_until_exec_or_exit)
{
	static volatile int order;
	pid_t pid = vfork();

	if (!pid) {
		for (volatile int i = 0; i < 100000; i++)
			continue;
		order = 1;
		_exit(0);
	}
	CHECK_EQ(order, 1);
	expect_exit(pid, 0);
}

HELPER(exit_9)
{
	return 9;
}

TEST(vfork_then_exec_leaves_parent_memory_alone)
{
	volatile char text[16] = "before";
	char *argv[] = {self_path, "--helper", "exit_9", NULL};
	pid_t pid = vfork();

	if (!pid) {
		execv(self_path, argv);
		_exit(99);
	}
	CHECK_STR((char *)text, "before");
	expect_exit(pid, 9);
}

TEST(fork_child_has_own_pid_and_cleared_state)
{
	sigset_t set, pending;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	OK(sigprocmask(SIG_BLOCK, &set, NULL));
	OK(raise(SIGUSR1));
	alarm(100);
	pid_t parent = getpid(), pid = FORK();
	if (!pid) {
		CHECK(getpid() != parent);
		CHECK_EQ(getppid(), parent);
		OK(sigpending(&pending));
		CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
		CHECK_EQ(alarm(0), 0);
		OK(sigprocmask(SIG_BLOCK, NULL, &set));
		CHECK_EQ(sigismember(&set, SIGUSR1), 1);
		struct rusage ru;
		OK(getrusage(RUSAGE_CHILDREN, &ru));
		CHECK_EQ(ru.ru_utime.tv_sec, 0);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(fork_shares_file_offsets)
{
	int fd = new_file("f", O_RDWR, 0600);
	pid_t pid = FORK();

	if (!pid) {
		CHECK_EQ(write(fd, "12345", 5), 5);
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
}

static int thread_tid(void *arg)
{
	struct shared *s = arg;

	CHECK_EQ(getpid(), s->value);
	CHECK(gettid_raw() != getpid());
	s->fd = 1;
	gate_open(s->gate);
	syscall(SYS_exit, 0);
	return 0;
}

TEST(clone_thread_has_the_same_pid_and_is_not_waitable)
{
	struct shared s = {.value = getpid(), .gate = gate_make()};
	pid_t tid = OK(clone(thread_tid, new_stack(),
		CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, &s));

	gate_wait(s.gate);
	CHECK_EQ(s.fd, 1);
	CHECK_ERR(waitpid(tid, NULL, __WALL), ECHILD);
}

TEST(unshare_files_gives_an_own_table)
{
	struct shared s = {0};
	pid_t pid = FORK();

	if (!pid) {
		pid_t p2 = spawn(open_file, CLONE_VM | CLONE_FILES, &s);

		expect_exit(p2, 0);
		OK(fcntl(s.fd, F_GETFD));
		OK(unshare(CLONE_FILES));
		OK(fcntl(s.fd, F_GETFD));
		_exit(0);
	}
	expect_exit(pid, 0);
	CHECK_ERR(unshare(0x1), EINVAL);
	CHECK_ERR(unshare(CLONE_PARENT), EINVAL);
}

TEST(a_chain_of_100_forks_and_waits)
{
	for (int i = 0; i < 100; i++) {
		pid_t pid = FORK();

		if (!pid)
			_exit(i);
		expect_exit(pid, i);
	}
}
