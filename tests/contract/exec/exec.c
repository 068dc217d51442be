/* SPDX-License-Identifier: MIT */
/* execve: arguments, environment, what survives, scripts, and every way to refuse. */
#include "contract.h"
#include <grp.h>
#include <pthread.h>
#include <linux/auxvec.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

static int exec_in_child(const char *path, char **argv, char **envp)
{
	pid_t pid = FORK();

	if (!pid) {
		execve(path, argv, envp);
		_exit(errno);
	}
	int status = wait_status(pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int exec_plain(const char *path)
{
	char *argv[] = {(char *)path, NULL}, *envp[] = {NULL};

	return exec_in_child(path, argv, envp);
}

static void copy_self(const char *to, mode_t mode)
{
	int in = OK(open(self_path, O_RDONLY)), out = new_file(to, O_WRONLY, 0755);
	char buf[16384];
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		CHECK_EQ(write(out, buf, n), n);
	close(in);
	OK(fchmod(out, mode));
	OK(close(out));
}

HELPER(args)
{
	CHECK_EQ(argc, 3);
	CHECK_STR(argv[0], "one");
	CHECK_STR(argv[1], "");
	CHECK_STR(argv[2], "t h r e e");
	CHECK_STR(getenv("A"), "1");
	CHECK_STR(getenv("EMPTY"), "");
	CHECK(!getenv("PATH"));
	return 17;
}

TEST(arguments_and_environment_arrive)
{
	char *argv[] = {self_path, "--helper", "args", "one", "", "t h r e e", NULL};
	char *envp[] = {"A=1", "EMPTY=", NULL};

	CHECK_EQ(exec_in_child(self_path, argv, envp), 17);
}

HELPER(auxv)
{
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK(getauxval(AT_PHDR) != 0);
	CHECK_EQ(getauxval(AT_PHENT), 56);
	CHECK(getauxval(AT_PHNUM) > 0);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK(getauxval(AT_RANDOM) != 0);
	CHECK_EQ(getauxval(AT_BASE), 0);
	CHECK(getauxval(AT_SYSINFO_EHDR) != 0);
	CHECK_STR((char *)getauxval(AT_EXECFN), argv[0]);
	CHECK_STR((char *)getauxval(AT_PLATFORM), "x86_64");
	CHECK_EQ(getauxval(AT_FLAGS), 0);
	CHECK(getauxval(51 /* AT_MINSIGSTKSZ */) >= 1000);
	CHECK(getauxval(AT_HWCAP) != 0);
	return 0;
}

TEST(auxiliary_vector_is_complete)
{
	char *argv[] = {"x", "--helper", "auxv", self_path, NULL}, *envp[] = {NULL};

	CHECK_EQ(exec_in_child(self_path, argv, envp), 0);
}

HELPER(print_random)
{
	CHECK_EQ(write(atoi(argv[0]), (void *)getauxval(AT_RANDOM), 16), 16);
	return 0;
}

TEST(AT_RANDOM_differs_between_execs)
{
	unsigned char a[32];
	char fd[12];
	int p[2];

	OK(pipe(p));
	snprintf(fd, sizeof(fd), "%d", p[1]);
	for (int i = 0; i < 2; i++) {
		pid_t pid = FORK();

		if (!pid) {
			exec_helper("print_random", fd, NULL);
			_exit(99);
		}
		expect_exit(pid, 0);
		CHECK_EQ(read(p[0], a + 16 * i, 16), 16);
	}
	CHECK(memcmp(a, a + 16, 16));
}

HELPER(fds)
{
	OK(fcntl(atoi(argv[0]), F_GETFD));
	CHECK_ERR(fcntl(atoi(argv[1]), F_GETFD), EBADF);
	return 0;
}

TEST(close_on_exec_closes_only_marked_descriptors)
{
	int keep = OK(open("/dev/null", O_RDONLY)), gone = OK(open("/dev/null", O_CLOEXEC));
	char a[12], b[12];
	pid_t pid = FORK();

	if (!pid) {
		snprintf(a, sizeof(a), "%d", keep);
		snprintf(b, sizeof(b), "%d", gone);
		exec_helper("fds", a, b, NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

static void nothing(int sig)
{
	(void)sig;
}

HELPER(signal_state)
{
	struct sigaction sa;
	sigset_t set;
	stack_t ss;

	OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	OK(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGHUP), 1);
	CHECK_EQ(sigismember(&set, SIGINT), 0);
	OK(sigpending(&set));
	CHECK_EQ(sigismember(&set, SIGHUP), 1);
	OK(sigaltstack(NULL, &ss));
	CHECK_EQ(ss.ss_flags, SS_DISABLE);
	return 0;
}

TEST(exec_resets_handlers_keeps_ignores_mask_and_pending)
{
	pid_t pid = FORK();

	if (!pid) {
		static char stack[16384];
		stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
		sigset_t set;

		OK(sigaltstack(&ss, NULL));
		on_signal(SIGUSR1, nothing, 0);
		on_signal(SIGUSR2, SIG_IGN, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		OK(sigprocmask(SIG_SETMASK, &set, NULL));
		OK(raise(SIGHUP));
		exec_helper("signal_state", NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

HELPER(same_pid)
{
	CHECK_EQ(getpid(), atoi(argv[0]));
	CHECK_EQ(gettid_raw(), atoi(argv[0]));
	return 31;
}

static void *exec_from_thread(void *arg)
{
	exec_helper("same_pid", arg, NULL);
	_exit(99);
}

static void *spin(void *arg)
{
	while (!arg)
		pause();
	return NULL;
}

TEST(exec_in_a_thread_ends_the_others_and_takes_the_pid)
{
	pid_t pid = FORK();

	if (!pid) {
		pthread_t t;
		char text[12];

		snprintf(text, sizeof(text), "%d", getpid());
		for (int i = 0; i < 3; i++)
			CHECK_PT(pthread_create(&t, NULL, spin, NULL));
		CHECK_PT(pthread_create(&t, NULL, exec_from_thread, text));
		spin(NULL);
	}
	expect_exit(pid, 31);
}

TEST(missing_file_ENOENT_and_directory_EACCES)
{
	OK(mkdir("dir", 0755));
	CHECK_EQ(exec_plain("missing"), ENOENT);
	CHECK_EQ(exec_plain(""), ENOENT);
	CHECK_EQ(exec_plain("dir"), EACCES);
	write_file("file", "x");
	CHECK_EQ(exec_plain("file/x"), ENOTDIR);
}

TEST(no_x_bit_is_EACCES_even_for_root)
{
	copy_self("prog", 0644);
	CHECK_EQ(exec_plain("prog"), EACCES);
}

TEST(x_bit_is_checked_against_the_class_of_the_caller)
{
	copy_self("prog", 0710);
	pid_t pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_EQ(exec_plain("prog"), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(unknown_format_is_ENOEXEC)
{
	write_file("text", "hello, this is no program\n");
	OK(chmod("text", 0755));
	CHECK_EQ(exec_plain("text"), ENOEXEC);
	write_file("empty", "");
	OK(chmod("empty", 0755));
	CHECK_EQ(exec_plain("empty"), ENOEXEC);
}

HELPER(script_args)
{
	CHECK_EQ(argc, 2);
	CHECK_STR(argv[0], "a");
	CHECK_STR(argv[1], "b");
	return 44;
}

static void write_script(const char *name, const char *head, const char *tail)
{
	char line[PATH_MAX + 64];

	snprintf(line, sizeof(line), "%s%s", head, tail);
	write_file(name, line);
	OK(chmod(name, 0755));
}

TEST(script_gets_interpreter_argument_path_and_rest)
{
	char *argv[] = {"ignored", "a", "b", NULL}, *envp[] = {NULL};
	char head[PATH_MAX + 4];

	/* argv becomes: interpreter, --helper, the script's path, a, b. */
	snprintf(head, sizeof(head), "#!%s", self_path);
	write_script("script_args", head, " --helper\nrest\n");
	CHECK_EQ(exec_in_child("script_args", argv, envp), 44);
}

TEST(script_argument_is_one_and_trimmed)
{
	char *argv[] = {"x", NULL}, *envp[] = {NULL};
	char head[PATH_MAX + 4];
	int null = OK(open("/dev/null", O_WRONLY));

	OK(dup2(null, 1));
	OK(dup2(null, 2));
	snprintf(head, sizeof(head), "#! \t%s", self_path);
	write_script("one", head, "\t --list \t \nrest\n");
	CHECK_EQ(exec_in_child("./one", argv, envp), 0);
	write_script("two", head, " --list --list\n"); /* the runner refuses it with 2 */
	CHECK_EQ(exec_in_child("./two", argv, envp), 2);
}

TEST(script_interpreter_missing_is_ENOENT)
{
	write_script("s", "#!/no/such/interpreter\n", "");
	CHECK_EQ(exec_plain("./s"), ENOENT);
	write_script("t", "#!\n", "");
	CHECK_EQ(exec_plain("./t"), ENOEXEC);
	write_script("u", "#!   \t \n", "");
	CHECK_EQ(exec_plain("./u"), ENOEXEC);
}

TEST(script_recursion_is_bounded_ELOOP)
{
	char line[64];

	for (int i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "s%d", i);
		if (i)
			snprintf(line, sizeof(line), "#!./s%d\n", i - 1);
		else
			snprintf(line, sizeof(line), "#!/bin/none\n");
		write_script(name, line, "");
	}
	CHECK_EQ(exec_plain("./s3"), ENOENT);
	CHECK_EQ(exec_plain("./s7"), ELOOP);
}

TEST(argument_longer_than_128_KiB_is_E2BIG)
{
	size_t limit = 32 * 4096;
	char *big = malloc(limit + 1), *envp[] = {NULL};
	char *argv[] = {self_path, "--list", big, NULL};

	memset(big, 'a', limit);
	big[limit] = 0;
	CHECK_EQ(exec_in_child(self_path, argv, envp), E2BIG);
}

TEST(arguments_beyond_a_quarter_of_the_stack_limit_are_E2BIG)
{
	struct rlimit rl = {1 << 20, 1 << 20};
	static char text[65536];
	char *argv[10] = {self_path, "--list"}, *envp[] = {NULL};

	memset(text, 'a', sizeof(text) - 1);
	for (int i = 2; i < 7; i++)
		argv[i] = text;
	pid_t pid = FORK();
	if (!pid) {
		OK(setrlimit(RLIMIT_STACK, &rl));
		execve(self_path, argv, envp);
		_exit(errno == E2BIG ? 50 : 51);
	}
	expect_exit(pid, 50);
}

TEST(bad_pointers_are_EFAULT)
{
	char *argv[] = {self_path, BAD_PTR, NULL}, *envp[] = {NULL};

	CHECK_EQ(exec_in_child(BAD_PTR, argv, envp), EFAULT);
	CHECK_EQ(exec_in_child(self_path, argv, envp), EFAULT);
	CHECK_EQ(exec_in_child(self_path, BAD_PTR, envp), EFAULT);
	argv[1] = NULL;
	CHECK_EQ(exec_in_child(self_path, argv, BAD_PTR), EFAULT);
}

/* Arguments are copied before anybody looks for the file. */
TEST(bad_arguments_are_told_before_the_file)
{
	static char long_one[200000];
	char *none[] = {NULL}, *bad[] = {"a", BAD_PTR, NULL}, *big[] = {long_one, NULL};
	static const char *const names[] = {"missing", "plain", "."};

	memset(long_one, 'a', sizeof(long_one) - 1);
	close(new_file("plain", O_RDWR, 0644));
	for (int i = 0; i < 3; i++) {
		CHECK_ERR(syscall(SYS_execve, names[i], BAD_PTR, none), EFAULT);
		CHECK_ERR(syscall(SYS_execve, names[i], none, BAD_PTR), EFAULT);
		CHECK_ERR(syscall(SYS_execve, names[i], bad, none), EFAULT);
		CHECK_ERR(syscall(SYS_execve, names[i], none, bad), EFAULT);
		CHECK_ERR(syscall(SYS_execve, names[i], big, none), E2BIG);
	}
	CHECK_ERR(syscall(SYS_execve, "", BAD_PTR, none), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, -1, "missing", BAD_PTR, none, 0), EFAULT);
	CHECK_ERR(syscall(SYS_execveat, -1, "missing", none, none, 0), EBADF);
}

TEST(execveat_looks_at_flags_after_name_and_arguments)
{
	char *none[] = {NULL};
	int bad = 0x8000;

	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, BAD_PTR, none, none, bad), EFAULT);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "", none, none, bad), ENOENT);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "x", BAD_PTR, none, bad), EFAULT);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "x", none, none, bad), EINVAL);
	CHECK_ERR(syscall(SYS_execveat, -1, "x", none, none, bad), EINVAL);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "", none, none, bad | AT_EMPTY_PATH), EINVAL);
}

TEST(open_for_writing_is_ETXTBSY_both_ways)
{
	copy_self("prog", 0755);
	int fd = OK(open("prog", O_WRONLY));
	CHECK_EQ(exec_plain("./prog"), ETXTBSY);
	OK(close(fd));
	struct gate g = gate_make();
	pid_t pid = FORK();
	if (!pid) {
		OK(dup2(g.r, 0));
		execl("./prog", "prog", "--helper", "wait_stdin", NULL);
		_exit(99);
	}
	/* The exec has happened when comm has changed. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	while (strcmp(read_text(path), "prog\n"))
		sched_yield();
	CHECK_ERR(open("prog", O_WRONLY), ETXTBSY);
	CHECK_ERR(truncate("prog", 0), ETXTBSY);
	gate_open(g);
	expect_exit(pid, 0);
	OK(close(OK(open("prog", O_WRONLY))));
}

HELPER(wait_stdin)
{
	char c;

	return read(0, &c, 1) == 1 ? 0 : 1;
}

TEST(comm_is_the_file_name_cut_to_15)
{
	char name[17];

	copy_self("a_rather_long_program_name", 0755);
	pid_t pid = FORK();
	if (!pid) {
		execl("./a_rather_long_program_name", "other", "--helper", "comm", NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
	OK(prctl(PR_GET_NAME, name));
}

HELPER(comm)
{
	char name[17] = "";

	OK(prctl(PR_GET_NAME, name));
	CHECK_STR(name, "a_rather_long_p");
	return 0;
}

HELPER(ids)
{
	CHECK_EQ(getuid(), 1000);
	CHECK_EQ(geteuid(), atoi(argv[0]));
	CHECK_EQ(getegid(), atoi(argv[1]));
	uid_t r, e, s;
	OK(getresuid(&r, &e, &s));
	CHECK_EQ(s, atoi(argv[0]));
	CHECK_EQ(getauxval(AT_SECURE), atoi(argv[2]));
	return 0;
}

static void exec_ids_as_user(const char *path, char *euid, char *egid, char *secure, bool no_new)
{
	pid_t pid = FORK();

	if (!pid) {
		become_user(1000, 1000);
		if (no_new)
			OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		execl(path, path, "--helper", "ids", euid, egid, secure, NULL);
		_exit(99);
	}
	expect_exit(pid, 0);
}

TEST(setuid_bit_changes_effective_and_saved_uid)
{
	copy_self("prog", 0755);
	OK(chown("prog", 2000, 3000));
	OK(chmod("prog", 04755));
	exec_ids_as_user("./prog", "2000", "1000", "1", false);
}

TEST(setgid_bit_needs_group_x)
{
	copy_self("prog", 0755);
	OK(chown("prog", 2000, 3000));
	OK(chmod("prog", 02755));
	exec_ids_as_user("./prog", "1000", "3000", "1", false);
	OK(chmod("prog", 02745));
	exec_ids_as_user("./prog", "1000", "1000", "0", false);
}

TEST(no_new_privs_disables_setuid)
{
	copy_self("prog", 0755);
	OK(chown("prog", 0, 0));
	OK(chmod("prog", 06755));
	exec_ids_as_user("./prog", "1000", "1000", "0", true);
}

TEST(execveat_by_descriptor)
{
	int fd = OK(open(self_path, O_PATH | O_CLOEXEC));
	char *argv[] = {"x", "--helper", "wait_stdin", NULL}, *envp[] = {NULL};
	pid_t pid = FORK();

	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(99);
	}
	expect_exit(pid, 1);
	pid = FORK();
	if (!pid) {
		syscall(SYS_execveat, fd, "", argv, envp, 0);
		_exit(errno);
	}
	expect_exit(pid, ENOENT);
}

TEST(execveat_does_not_follow_with_NOFOLLOW)
{
	OK(symlink(self_path, "link"));
	char *argv[] = {"x", NULL}, *envp[] = {NULL};
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "link", argv, envp, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERR(syscall(SYS_execveat, 99, "link", argv, envp, 0), EBADF);
	CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "link", argv, envp, 0x1), EINVAL);
}

TEST(fexecve_of_a_cloexec_script_is_ENOENT)
{
	write_script("s", "#!/bin/sh\n", "");
	int fd = OK(open("s", O_RDONLY | O_CLOEXEC));
	char *argv[] = {"x", NULL}, *envp[] = {NULL};

	CHECK_ERR(syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH), ENOENT);
}

/* argv[0]: a file. Does this process hold its lock? */
HELPER(still_locked)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = atoi(argv[0]);
	pid_t pid = FORK();

	if (!pid) {
		if (fcntl(fd, F_GETLK, &fl) != 0)
			_exit(2);
		_exit(fl.l_type != F_WRLCK || fl.l_pid != getppid());
	}
	return WEXITSTATUS(wait_status(pid));
}

static void *sleep_on(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(record_locks_survive_even_when_threads_end)
{
	for (int threads = 0; threads < 2; threads++) {
		pid_t pid = FORK();

		if (!pid) {
			struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
			int fd = new_file("locked", O_RDWR, 0600);
			char text[16];
			pthread_t t;

			CHECK_EQ(fcntl(fd, F_SETFD, 0), 0);
			CHECK_EQ(fcntl(fd, F_SETLK, &fl), 0);
			if (threads)
				CHECK_PT(pthread_create(&t, NULL, sleep_on, NULL));
			snprintf(text, sizeof(text), "%d", fd);
			exec_helper("still_locked", text, NULL);
			_exit(99);
		}
		CHECK_EQ(wait_status(pid), 0);
		OK(unlink("locked"));
	}
}
