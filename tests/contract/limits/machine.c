/* SPDX-License-Identifier: MIT */
/* Settings of the whole machine in /proc/sys: what is written there is what happens. */
#include "setting.h"
#include <sys/mount.h>

#define KIB 1024l
#define MIB (1024 * KIB)

static int try_write(const char *path, const char *text)
{
	int fd = OK(open(path, O_WRONLY)), err = 0;

	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	OK(close(fd));
	return err;
}

static void takes(const char *path, const char *value, int err)
{
	char was[128], want[128];
	int got;

	snprintf(was, sizeof(was), "%s", read_text(path));
	got = try_write(path, value);
	snprintf(want, sizeof(want), "%s", err ? was : value);
	if (got != err)
		FAIL("%s to %s: expected %s, got %s", value, path, errno_name(err),
			errno_name(got));
	if (!err && want[strlen(want) - 1] != '\n')
		strcat(want, "\n");
	CHECK_STR(read_text(path), want);
	write_file(path, was);
}

TEST(settings_take_what_they_can_mean)
{
	takes("/proc/sys/kernel/panic", "-2", 0);
	takes("/proc/sys/kernel/panic", "30", 0);
	takes("/proc/sys/kernel/panic", "5000000000", EINVAL);
	takes("/proc/sys/kernel/panic_on_warn", "1", 0);
	takes("/proc/sys/kernel/panic_on_warn", "2", EINVAL);
	takes("/proc/sys/kernel/hung_task_panic", "1", 0);
	takes("/proc/sys/kernel/hung_task_panic", "-1", EINVAL);
	takes("/proc/sys/kernel/sysrq", "0", 0);
	takes("/proc/sys/kernel/sysrq", "511", 0);
	takes("/proc/sys/vm/panic_on_oom", "2", 0);
	takes("/proc/sys/vm/panic_on_oom", "3", EINVAL);
	takes("/proc/sys/vm/oom_kill_allocating_task", "1", 0);
	takes("/proc/sys/vm/vfs_cache_pressure", "200", 0);
	takes("/proc/sys/vm/vfs_cache_pressure", "-1", EINVAL);
	takes("/proc/sys/vm/min_free_kbytes", "-1", EINVAL);
	takes("/proc/sys/vm/admin_reserve_kbytes", "5000000000", 0);
	takes("/proc/sys/vm/user_reserve_kbytes", "1", 0);
	takes("/proc/sys/vm/user_reserve_kbytes", "-1", EINVAL);
	takes("/proc/sys/fs/mount-max", "1000", 0);
	takes("/proc/sys/fs/mount-max", "-1", EINVAL);
}

static long meminfo(const char *name)
{
	char *at = strstr(read_text("/proc/meminfo"), name);

	CHECK(at);
	return atol(at + strlen(name) + 1) * KIB;
}

TEST(min_free_kbytes_is_not_available)
{
	long was = atol(read_text("/proc/sys/vm/min_free_kbytes")), before, after;
	char text[32];

	CHECK(was > 0);
	before = meminfo("MemAvailable");
	snprintf(text, sizeof(text), "%ld", was + 32 * 1024);
	write_file("/proc/sys/vm/min_free_kbytes", text);
	CHECK_EQ(atol(read_text("/proc/sys/vm/min_free_kbytes")), was + 32 * 1024);
	after = meminfo("MemAvailable");
	snprintf(text, sizeof(text), "%ld", was);
	write_file("/proc/sys/vm/min_free_kbytes", text);
	CHECK(after < before - 24 * MIB);
	CHECK(meminfo("MemAvailable") > after + 24 * MIB);
}

static long commit_limit(void)
{
	return meminfo("CommitLimit");
}

TEST(overcommit_by_ratio_or_by_kbytes)
{
	long ratio = atol(read_text("/proc/sys/vm/overcommit_ratio")), limit = commit_limit();
	char text[32];

	CHECK_STR(read_text("/proc/sys/vm/overcommit_kbytes"), "0\n");
	write_file("/proc/sys/vm/overcommit_kbytes", "40960");
	CHECK_EQ(commit_limit(), 40 * MIB);
	CHECK_STR(read_text("/proc/sys/vm/overcommit_ratio"), "0\n");
	snprintf(text, sizeof(text), "%ld", ratio);
	write_file("/proc/sys/vm/overcommit_ratio", text);
	CHECK_STR(read_text("/proc/sys/vm/overcommit_kbytes"), "0\n");
	CHECK_EQ(commit_limit(), limit);
}

static char *reserve(size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* What can be had, in MiB. */
static long largest(void)
{
	for (long mib = 4096; mib > 0; mib--) {
		char *p = reserve(mib * MIB);

		if (p) {
			OK(munmap(p, mib * MIB));
			return mib;
		}
	}
	return 0;
}

static void reserve_for_admin(void)
{
	long root = largest(), user;

	write_file("/proc/sys/vm/admin_reserve_kbytes", "65536");
	become_user(1000, 1000);
	user = largest();
	CHECK(root - user >= 62 && root - user <= 66);
}

TEST(admin_reserve_is_left_to_administrators)
{
	char was[32];

	snprintf(was, sizeof(was), "%s", read_text("/proc/sys/vm/admin_reserve_kbytes"));
	with("vm/overcommit_memory", "2", reserve_for_admin);
	write_file("/proc/sys/vm/admin_reserve_kbytes", was);
}

static void mount_too_many(void)
{
	OK(mkdir("m", 0755));
	for (int i = 0; i < 30; i++)
		if (mount("none", "m", "tmpfs", 0, NULL)) {
			int err = errno;

			while (i--)
				OK(umount("m"));
			CHECK_EQ(err, ENOSPC);
			return;
		}
	FAIL("30 mounts: expected ENOSPC, got none");
}

TEST(mount_max_limits_mounts)
{
	with("fs/mount-max", "20", mount_too_many);
}

TEST(ns_last_pid_is_where_the_next_number_is_looked_for)
{
	char text[32];
	pid_t pid;

	write_file("/proc/sys/kernel/ns_last_pid", "20000");
	pid = FORK();
	if (!pid)
		_exit(0);
	expect_exit(pid, 0);
	CHECK(pid > 20000 && pid < 20100);
	snprintf(text, sizeof(text), "%d\n", pid);
	CHECK(atol(read_text("/proc/sys/kernel/ns_last_pid")) >= pid);
	CHECK_EQ(try_write("/proc/sys/kernel/ns_last_pid", "-1"), EINVAL);
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_EQ(try_write("/proc/sys/kernel/ns_last_pid", "20000"), EPERM);
		_exit(0);
	}
	expect_exit(pid, 0);
}

static void crash_here(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	char name[32];
	pid_t pid;
	int st;

	write_file("/proc/sys/kernel/core_pattern", "core");
	pid = FORK();
	if (!pid) {
		OK(setrlimit(RLIMIT_CORE, &unlimited));
		OK(raise(SIGABRT));
	}
	st = wait_status(pid);
	CHECK(WIFSIGNALED(st) && WCOREDUMP(st));
	snprintf(name, sizeof(name), "core.%d", pid);
	OK(unlink(name));
	CHECK_ERR(access("core", F_OK), ENOENT);
}

TEST(core_uses_pid_adds_the_number)
{
	with("kernel/core_uses_pid", "1", crash_here);
}

TEST(inodes_and_dentries_are_counted)
{
	long inodes, more, dentries, unused, negative, rest[5];
	char name[32];

	CHECK_EQ(sscanf(read_text("/proc/sys/fs/inode-nr"), "%ld %ld\n", &inodes, rest), 2);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		OK(close(new_file(name, O_WRONLY | O_CREAT, 0600)));
	}
	CHECK_EQ(sscanf(read_text("/proc/sys/fs/inode-nr"), "%ld %ld\n", &more, rest), 2);
	CHECK(more >= inodes + 400 && more <= inodes + 700);
	CHECK_EQ(sscanf(read_text("/proc/sys/fs/inode-state"), "%ld %ld %ld %ld %ld %ld %ld\n",
			 &more, rest, rest + 1, rest + 2, rest + 3, rest + 4, rest + 4),
		7);
	CHECK(more >= inodes + 400);
	CHECK_EQ(sscanf(read_text("/proc/sys/fs/dentry-state"), "%ld %ld %ld %ld %ld %ld\n",
			 &dentries, &unused, rest, rest + 1, &negative, rest + 2),
		6);
	CHECK(dentries >= 500 && unused >= 0 && unused <= dentries && negative <= unused);
	CHECK_EQ(rest[0], 45);
}
