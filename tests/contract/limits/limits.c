/* SPDX-License-Identifier: MIT */
/* Resource limits: each one really limits. */
#include "contract.h"
#include <signal.h>
#include <sys/statvfs.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/mount.h>

static void limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit rl = {soft, hard};

	OK(setrlimit(what, &rl));
}

TEST(getrlimit_returns_what_was_set_and_fork_inherits)
{
	struct rlimit rl;

	limit(RLIMIT_CORE, 1000, 2000);
	pid_t pid = FORK();
	if (!pid) {
		OK(getrlimit(RLIMIT_CORE, &rl));
		CHECK_EQ(rl.rlim_cur, 1000);
		CHECK_EQ(rl.rlim_max, 2000);
		_exit(0);
	}
	expect_exit(pid, 0);
	rl = (struct rlimit){3000, 2000};
	CHECK_ERR(setrlimit(RLIMIT_CORE, &rl), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, 99, &rl), EINVAL);
	CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_CORE, BAD_PTR), EFAULT);
}

TEST(users_lower_but_do_not_raise_hard_limits)
{
	become_user(1000, 1000);
	limit(RLIMIT_CORE, 10, 20);
	limit(RLIMIT_CORE, 20, 20);
	struct rlimit rl = {20, 30};
	CHECK_ERR(setrlimit(RLIMIT_CORE, &rl), EPERM);
}

TEST(prlimit_works_on_another_process)
{
	pid_t pid = FORK();

	if (!pid)
		for (;;)
			pause();
	struct rlimit rl = {55, 66}, old;
	OK(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &rl, NULL));
	OK(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &old));
	CHECK_EQ(old.rlim_cur, 55);
	CHECK_ERR(syscall(SYS_prlimit64, 0x3ffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
	pid_t user = FORK();
	if (!user) {
		become_user(1000, 1000);
		CHECK_ERR(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &old), EPERM);
		_exit(0);
	}
	expect_exit(user, 0);
}

TEST(NOFILE_is_EMFILE)
{
	int p[2];

	limit(RLIMIT_NOFILE, 20, 20);
	while (dup(0) >= 0)
		continue;
	CHECK_ERR(dup(0), EMFILE);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(pipe(p), EMFILE);
	CHECK_ERR(fcntl(0, F_DUPFD, 20), EINVAL);
	CHECK_ERR(dup2(0, 20), EBADF);
	OK(close(19));
	CHECK_ERR(pipe(p), EMFILE);
	CHECK_EQ(dup(0), 19);
	struct rlimit rl = {1 << 30, 1 << 30};
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &rl), EPERM);
}

TEST(FSIZE_signals_and_is_EFBIG)
{
	int fd = new_file("f", O_RDWR, 0600);
	char buf[200] = "";

	limit(RLIMIT_FSIZE, 100, 1000);
	CHECK_EQ(write(fd, buf, 200), 100);
	pid_t pid = FORK();
	if (!pid) {
		ssize_t n = write(fd, buf, 1);

		(void)n;
		_exit(0);
	}
	expect_signal(pid, SIGXFSZ);
	on_signal(SIGXFSZ, SIG_IGN, 0);
	CHECK_ERR(write(fd, buf, 1), EFBIG);
	CHECK_ERR(ftruncate(fd, 101), EFBIG);
	CHECK_ERR(pwrite(fd, buf, 1, 500), EFBIG);
	CHECK_EQ(pwrite(fd, buf, 10, 95), 5);
	OK(ftruncate(fd, 50));
	int p[2];
	OK(pipe(p));
	CHECK_EQ(write(p[1], buf, 200), 200);
}

TEST(AS_limits_address_space)
{
	limit(RLIMIT_AS, 64 << 20, 64 << 20);
	CHECK_ERR(mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		ENOMEM);
	OK(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	char *p = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_ERR(mremap(p, 4096, 128 << 20, MREMAP_MAYMOVE), ENOMEM);
}

TEST(DATA_limits_brk)
{
	char *now = (char *)syscall(SYS_brk, 0);

	limit(RLIMIT_DATA, 1 << 20, 1 << 20);
	CHECK((char *)syscall(SYS_brk, now + (4 << 20)) == now);
}

TEST(STACK_limit_stops_growth)
{
	pid_t pid = FORK();

	if (!pid) {
		limit(RLIMIT_STACK, 512 << 10, 512 << 10);
		volatile char *here = __builtin_frame_address(0);

		for (long off = 4096; off < 4 << 20; off += 4096)
			here[-off] = 1;
		_exit(0);
	}
	expect_signal(pid, SIGSEGV);
}

TEST(NPROC_limits_a_users_processes)
{
	pid_t pid = FORK();

	if (!pid) {
		limit(RLIMIT_NPROC, 3, 3);
		become_user(31337, 31337);
		pid_t kids[2];
		for (int i = 0; i < 2; i++) {
			kids[i] = FORK();
			if (!kids[i])
				for (;;)
					pause();
		}
		CHECK_ERR(fork(), EAGAIN);
		OK(kill(kids[0], SIGKILL));
		expect_signal(kids[0], SIGKILL);
		pid_t again = FORK();
		if (!again)
			_exit(0);
		expect_exit(again, 0);
		OK(kill(kids[1], SIGKILL));
		_exit(0);
	}
	expect_exit(pid, 0);
}

static volatile sig_atomic_t g_xcpu;

static void count(int sig)
{
	(void)sig;
	g_xcpu++;
}

TEST(CPU_limit_signals_then_kills)
{
	pid_t pid = FORK();

	if (!pid) {
		on_signal(SIGXCPU, count, 0);
		limit(RLIMIT_CPU, 1, 2);
		while (!g_xcpu)
			continue;
		for (;;)
			continue;
	}
	expect_signal(pid, SIGKILL);
}

TEST(MSGQUEUE_NICE_and_RTPRIO_defaults)
{
	struct rlimit rl;

	OK(getrlimit(RLIMIT_NICE, &rl));
	CHECK_EQ(rl.rlim_cur, 0);
	OK(getrlimit(RLIMIT_RTPRIO, &rl));
	CHECK_EQ(rl.rlim_cur, 0);
	OK(getrlimit(RLIMIT_STACK, &rl));
	CHECK_EQ(rl.rlim_cur, 8 << 20);
	OK(getrlimit(RLIMIT_CPU, &rl));
	CHECK_EQ(rl.rlim_cur, RLIM_INFINITY);
}

TEST(NICE_limit_lets_users_raise_priority_that_far)
{
	limit(RLIMIT_NICE, 25, 25); /* down to nice -5 */
	become_user(1000, 1000);
	OK(setpriority(PRIO_PROCESS, 0, -5));
	CHECK_ERR(setpriority(PRIO_PROCESS, 0, -6), EACCES);
}

TEST(names_on_tmpfs_count_against_its_inodes)
{
	int made = 0, err = 0;
	char name[32];

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, "nr_inodes=10"));
	OK(close(new_file("t/f", O_WRONLY, 0600)));
	for (; made < 100; made++) {
		snprintf(name, sizeof(name), "t/l%d", made);
		if (link("t/f", name) != 0) {
			err = errno;
			break;
		}
	}
	CHECK_EQ(err, ENOSPC);
	CHECK_EQ(made, 8);
	while (made--) {
		snprintf(name, sizeof(name), "t/l%d", made);
		OK(unlink(name));
	}
	OK(link("t/f", "t/again"));
	OK(umount("t"));
	OK(rmdir("t"));
}

TEST(fallocate_that_does_not_fit_leaves_nothing)
{
	struct rlimit lim = {4096, 4096};
	struct statvfs before, after;
	int fd;

	OK(mkdir("t", 0755));
	OK(mount("t", "t", "tmpfs", 0, "size=4m"));
	fd = new_file("t/f", O_RDWR, 0600);
	OK(statvfs("t", &before));
	CHECK_ERR(fallocate(fd, 0, 0, 16 << 20), ENOSPC);
	OK(statvfs("t", &after));
	CHECK_EQ(after.f_bfree, before.f_bfree);
	signal(SIGXFSZ, SIG_IGN);
	OK(setrlimit(RLIMIT_FSIZE, &lim));
	CHECK_ERR(fallocate(fd, 0, 0, 1 << 20), EFBIG);
	OK(close(fd));
	OK(umount("t"));
	OK(rmdir("t"));
}

TEST(a_seal_against_growth_holds_for_appending)
{
	int fd = OK(memfd_create("m", MFD_ALLOW_SEALING));

	CHECK_EQ(write(fd, "0123456789", 10), 10);
	OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	OK(fcntl(fd, F_SETFL, O_APPEND));
	OK(lseek(fd, 0, SEEK_SET));
	CHECK_ERR(write(fd, "more", 4), EPERM);
	OK(close(fd));
}
