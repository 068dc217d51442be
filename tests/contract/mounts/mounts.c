/* SPDX-License-Identifier: MIT */
/* Mounting, binding, remounting, propagation, pivot_root. */
#include "contract.h"
#include <sys/mount.h>
#include <sys/statfs.h>

/*
 * A private tmpfs as working directory: what is mounted in it stays in it. With mount namespaces
 * the test also gets its own; without, the runner unmounts what it leaves.
 */
static void own_mounts(void)
{
	char cwd[PATH_MAX];

	if (!unshare(CLONE_NEWNS))
		OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK(getcwd(cwd, sizeof(cwd)));
	OK(mount("none", cwd, "tmpfs", 0, "mode=755"));
	OK(mount(NULL, cwd, NULL, MS_PRIVATE, NULL));
	OK(chdir(cwd));
}

static void tmpfs_on(const char *path)
{
	mkdir(path, 0755);
	OK(mount("none", path, "tmpfs", 0, NULL));
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

TEST(a_mount_covers_and_umount_uncovers)
{
	own_mounts();
	OK(mkdir("m", 0755));
	write_file("m/below", "");
	tmpfs_on("m");
	CHECK(!exists("m/below"));
	write_file("m/above", "");
	OK(umount("m"));
	CHECK(exists("m/below"));
	CHECK(!exists("m/above"));
	CHECK_ERR(umount("m"), EINVAL);
}

TEST(mount_errors)
{
	own_mounts();
	write_file("f", "");
	OK(mkdir("m", 0755));
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "nosuchoption=1"), EINVAL);
	CHECK_ERR(umount("missing"), ENOENT);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_ERR(mount("missing", "m", NULL, MS_BIND, NULL), ENOENT);
	CHECK_ERR(mount("f", "m", NULL, MS_BIND, NULL), ENOTDIR);
}

TEST(a_file_system_of_one_instance_is_not_mounted_on_itself)
{
	struct stat a, b;

	own_mounts();
	OK(mkdir("m", 0755));
	OK(mkdir("n", 0755));
	OK(mount("sysfs", "m", "sysfs", MS_NOSUID, NULL));
	CHECK_ERR(mount("sysfs", "m", "sysfs", MS_NOSUID, NULL), EBUSY);
	CHECK_ERR(mount("other", "m", "sysfs", MS_NOEXEC, NULL), EBUSY);
	OK(mount("sysfs", "n", "sysfs", 0, NULL));
	OK(stat("m/kernel", &a));
	OK(stat("n/kernel", &b));
	CHECK_EQ(a.st_dev, b.st_dev);
	CHECK_EQ(a.st_ino, b.st_ino);
	OK(mount("m", "m", NULL, MS_BIND, NULL));
	CHECK_ERR(mount("sysfs", "m", "sysfs", 0, NULL), EBUSY);
	OK(umount("m"));
	OK(umount("n"));
	OK(mount("m/kernel", "n", NULL, MS_BIND, NULL));
	CHECK_ERR(mount("sysfs", "n", "sysfs", 0, NULL), EBUSY);
	OK(umount("m"));
	OK(umount("n"));

	/* These are new with each mount. */
	for (int i = 0; i < 2; i++) {
		OK(mount("proc", "m", "proc", 0, NULL));
		OK(mount("none", "n", "tmpfs", 0, NULL));
	}
	for (int i = 0; i < 2; i++) {
		OK(umount("m"));
		OK(umount("n"));
	}
}

TEST(busy_mounts_are_EBUSY_and_detach_lazily)
{
	own_mounts();
	tmpfs_on("m");
	int fd = OK(open("m/f", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	CHECK_ERR(umount("m"), EBUSY);
	OK(umount2("m", MNT_DETACH));
	CHECK(!exists("m/f"));
	CHECK_EQ(write(fd, "x", 1), 1);
	tmpfs_on("n");
	OK(chdir("n"));
	CHECK_ERR(umount("../n"), EBUSY);
	OK(chdir(".."));
	OK(umount("n"));
}

static bool umounts_done; /* atomic */

static void *try_umount(void *path)
{
	for (int i = 0; i < 2000; i++)
		CHECK_ERR(umount(path), EBUSY);
	return NULL;
}

static void *look_below(void *arg)
{
	struct stat st;

	do {
		CHECK_ERR(stat("m/below", &st), ENOENT);
		OK(stat("m/above", &st));
		OK(stat("m/dir/../above", &st));
	} while (!__atomic_load_n(&umounts_done, __ATOMIC_ACQUIRE));
	return arg;
}

/* What the mount covers is never seen, and what is in it never missed, while umounts are refused. */
TEST(a_refused_umount_uncovers_nothing)
{
	pthread_t lookers[2], unmounters[2];

	own_mounts();
	OK(mkdir("m", 0755));
	write_file("m/below", "");
	tmpfs_on("m");
	write_file("m/above", "");
	OK(mkdir("m/dir", 0755));
	int fd = OK(open("m/above", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 2; i++) {
		CHECK_PT(pthread_create(&lookers[i], NULL, look_below, NULL));
		CHECK_PT(pthread_create(&unmounters[i], NULL, try_umount, "m"));
	}
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(unmounters[i], NULL));
	__atomic_store_n(&umounts_done, true, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(lookers[i], NULL));
	close(fd);
	OK(umount("m"));
	CHECK(exists("m/below"));
}

static void *look_at_moves(void *arg)
{
	struct stat st;

	do {
		/* On b lies another mount: whichever is on top, nobody sees what is below both. */
		CHECK_ERR(stat("b/below", &st), ENOENT);
	} while (!__atomic_load_n(&umounts_done, __ATOMIC_ACQUIRE));
	return arg;
}

TEST(moving_mounts_uncovers_nothing_else)
{
	pthread_t looker;

	own_mounts();
	OK(mkdir("b", 0755));
	write_file("b/below", "");
	tmpfs_on("a");
	tmpfs_on("b");
	CHECK_PT(pthread_create(&looker, NULL, look_at_moves, NULL));
	for (int i = 0; i < 500; i++) {
		OK(mount("a", "b", NULL, MS_MOVE, NULL));
		OK(mount("b", "a", NULL, MS_MOVE, NULL));
	}
	__atomic_store_n(&umounts_done, true, __ATOMIC_RELEASE);
	CHECK_PT(pthread_join(looker, NULL));
	OK(umount("a"));
	OK(umount("b"));
}

TEST(expire_unmounts_what_was_not_used_twice)
{
	struct stat st;

	own_mounts();
	tmpfs_on("m");
	write_file("m/f", "");
	CHECK_ERR(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	int fd = OK(open("m/f", O_RDONLY));
	CHECK_ERR(umount2("m", MNT_EXPIRE), EBUSY);
	close(fd);
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	OK(stat("m/f", &st)); /* a use: the mark is gone */
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	OK(umount2("m", MNT_EXPIRE));
	CHECK(!exists("m/f"));
}

TEST(bind_mounts_show_the_same_tree)
{
	own_mounts();
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	write_file("a/f", "same");
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_STR(read_text("b/f"), "same");
	write_file("b/g", "");
	CHECK(exists("a/g"));
	CHECK_ERR(rename("a/f", "b/f2"), EXDEV);
	CHECK_ERR(link("a/f", "b/f2"), EXDEV);
	CHECK_ERR(rmdir("b"), EBUSY);
	OK(umount("b"));
	CHECK(!exists("b/f"));
}

TEST(bind_mount_of_a_file)
{
	own_mounts();
	write_file("a", "A");
	write_file("b", "B");
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_STR(read_text("b"), "A");
	CHECK_ERR(unlink("b"), EBUSY);
	OK(umount("b"));
	CHECK_STR(read_text("b"), "B");
}

TEST(recursive_bind_takes_submounts)
{
	own_mounts();
	tmpfs_on("a");
	tmpfs_on("a/sub");
	write_file("a/sub/f", "");
	OK(mkdir("b", 0755));
	OK(mkdir("c", 0755));
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK(!exists("b/sub/f"));
	OK(mount("a", "c", NULL, MS_BIND | MS_REC, NULL));
	CHECK(exists("c/sub/f"));
}

TEST(read_only_remount)
{
	own_mounts();
	tmpfs_on("m");
	write_file("m/f", "x");
	int fd = OK(open("m/f", O_RDWR | O_CLOEXEC));
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	OK(close(fd));
	OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(open("m/f", O_WRONLY), EROFS);
	CHECK_ERR(open("m/new", O_CREAT | O_WRONLY, 0600), EROFS);
	CHECK_ERR(mkdir("m/d", 0755), EROFS);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(chmod("m/f", 0600), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	write_file("m/f", "y");
}

TEST(read_only_bind_leaves_the_original_writable)
{
	own_mounts();
	OK(mkdir("a", 0755));
	OK(mkdir("b", 0755));
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	OK(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("b/f", O_CREAT | O_WRONLY, 0600), EROFS);
	write_file("a/f", "");
	CHECK_ERR(unlink("b/f"), EROFS);
}

TEST(noexec_nosuid_and_nodev)
{
	own_mounts();
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", MS_NOEXEC | MS_NODEV | MS_NOSUID, NULL));
	write_file("m/script", "#!/bin/sh\n");
	OK(chmod("m/script", 0755));
	char *argv[] = {"x", NULL};
	CHECK_ERR(execv("m/script", argv), EACCES);
	CHECK_ERR(access("m/script", X_OK), EACCES);
	OK(mknod("m/null", S_IFCHR | 0666, 0x103));
	CHECK_ERR(open("m/null", O_RDWR), EACCES);
	struct statfs sf;
	OK(statfs("m", &sf));
	CHECK_EQ(sf.f_flags & (MS_NOEXEC | MS_NODEV | MS_NOSUID), MS_NOEXEC | MS_NODEV | MS_NOSUID);
	int fd = OK(open("m/script", O_RDONLY));
	CHECK_ERR(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM);
}

TEST(move_mount_takes_it_elsewhere)
{
	own_mounts();
	tmpfs_on("a");
	write_file("a/f", "");
	OK(mkdir("b", 0755));
	OK(mount("a", "b", NULL, MS_MOVE, NULL));
	CHECK(exists("b/f"));
	CHECK(!exists("a/f"));
	OK(mkdir("c", 0755));
	CHECK_ERR(mount("c", "a", NULL, MS_MOVE, NULL), EINVAL);
}

TEST(shared_mounts_propagate_and_private_ones_do_not)
{
	own_mounts();
	tmpfs_on("a");
	OK(mkdir("a/sub", 0755));
	OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	OK(mkdir("b", 0755));
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	OK(mount("none", "a/sub", "tmpfs", 0, NULL));
	write_file("a/sub/f", "");
	CHECK(exists("b/sub/f"));
	OK(umount("b/sub"));
	CHECK(!exists("a/sub/f"));
	OK(mount(NULL, "b", NULL, MS_PRIVATE, NULL));
	OK(mount("none", "a/sub", "tmpfs", 0, NULL));
	write_file("a/sub/f", "");
	CHECK(!exists("b/sub/f"));
}

TEST(slave_mounts_receive_but_do_not_send)
{
	own_mounts();
	tmpfs_on("a");
	OK(mkdir("a/one", 0755));
	OK(mkdir("a/two", 0755));
	OK(mount(NULL, "a", NULL, MS_SHARED, NULL));
	OK(mkdir("b", 0755));
	OK(mount("a", "b", NULL, MS_BIND, NULL));
	OK(mount(NULL, "b", NULL, MS_SLAVE, NULL));
	OK(mount("none", "a/one", "tmpfs", 0, NULL));
	write_file("a/one/f", "");
	CHECK(exists("b/one/f"));
	OK(mount("none", "b/two", "tmpfs", 0, NULL));
	write_file("b/two/f", "");
	CHECK(!exists("a/two/f"));
}

TEST(unbindable_mounts_cannot_be_bound)
{
	own_mounts();
	tmpfs_on("a");
	OK(mkdir("b", 0755));
	OK(mount(NULL, "a", NULL, MS_UNBINDABLE, NULL));
	CHECK_ERR(mount("a", "b", NULL, MS_BIND, NULL), EINVAL);
}

TEST(pivot_root_swaps_the_root)
{
	own_mounts();
	pid_t pid = FORK();
	if (!pid) {
		tmpfs_on("root");
		OK(chroot("root"));
		OK(chdir("/"));
		write_file("/first", "1");
		OK(mkdir("/plain", 0755));
		tmpfs_on("/new");
		OK(mkdir("/new/old", 0755));
		write_file("/new/second", "2");
		CHECK_ERR(syscall(SYS_pivot_root, "/missing", "/new/old"), ENOENT);
		tmpfs_on("/third");
		CHECK_ERR(syscall(SYS_pivot_root, "/plain", "/plain"), EBUSY);
		CHECK_ERR(syscall(SYS_pivot_root, "/new", "/third"), EINVAL);
		CHECK_ERR(syscall(SYS_pivot_root, "/first", "/plain"), ENOTDIR);
		OK(syscall(SYS_pivot_root, "/new", "/new/old"));
		CHECK(exists("/second"));
		CHECK(!exists("/first"));
		CHECK(exists("/old/first"));
		OK(umount2("/old", MNT_DETACH));
		CHECK(!exists("/old/first"));
		_exit(0);
	}
	expect_exit(pid, 0);
}

TEST(tmpfs_options_set_mode_owner_and_size)
{
	struct stat st;
	struct statfs sf;

	own_mounts();
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", 0, "mode=1710,uid=11,gid=12,size=64k,nr_inodes=8"));
	OK(stat("m", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01710);
	CHECK_EQ(st.st_uid, 11);
	CHECK_EQ(st.st_gid, 12);
	OK(statfs("m", &sf));
	CHECK_EQ(sf.f_type, 0x01021994);
	CHECK_EQ(sf.f_blocks * sf.f_bsize, 65536);
	CHECK_EQ(sf.f_files, 8);
	for (int i = 0; i < 7; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m/%d", i);
		write_file(name, "");
	}
	CHECK_ERR(open("m/more", O_CREAT | O_WRONLY, 0600), ENOSPC);
}

TEST(statfs_of_proc_and_pipes)
{
	struct statfs sf;
	int p[2];

	OK(statfs("/proc", &sf));
	CHECK_EQ(sf.f_type, 0x9fa0);
	OK(pipe(p));
	OK(fstatfs(p[0], &sf));
	CHECK_EQ(sf.f_type, 0x50495045);
	CHECK_EQ(sf.f_namelen, 255);
	CHECK_ERR(statfs("none", &sf), ENOENT);
	CHECK_ERR(fstatfs(99, &sf), EBADF);
	CHECK_ERR(syscall(SYS_statfs, "/", BAD_PTR), EFAULT);
}

TEST(mount_namespaces_are_separate)
{
	struct gate done = gate_make(), stay = gate_make();

	OK(mkdir("m", 0755));
	if (unshare(CLONE_NEWNS) && errno == EINVAL)
		skip_test("this kernel has no mount namespaces");
	pid_t pid = FORK();
	if (!pid) {
		OK(unshare(CLONE_NEWNS));
		OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		OK(mount("none", "m", "tmpfs", 0, NULL));
		write_file("m/f", "");
		gate_open(done);
		gate_wait(stay);
		_exit(0);
	}
	gate_wait(done);
	CHECK(!exists("m/f"));
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/cwd/m/f", pid);
	CHECK(exists(path));
	gate_open(stay);
	expect_exit(pid, 0);
}

TEST(mounts_file_escapes_spaces)
{
	own_mounts();
	tmpfs_on("with space");
	CHECK(strstr(read_text("/proc/self/mounts"), "/with\\040space tmpfs rw"));
}

static char *mount_line(const char *dir, const char *options)
{
	static char line[PATH_MAX + 128], cwd[PATH_MAX];

	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(line, sizeof(line), "%s/%.20s tmpfs %.40s,", cwd, dir, options);
	return strstr(read_text("/proc/self/mounts"), line);
}

TEST(remount_keeps_how_access_times_are_kept)
{
	own_mounts();
	OK(mkdir("m", 0755));
	OK(mount("none", "m", "tmpfs", MS_NOATIME | MS_NODIRATIME, NULL));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_NOSUID, NULL));
	CHECK(mount_line("m", "rw,nosuid,noatime,nodiratime"));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK(mount_line("m", "ro,noatime,nodiratime"));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_NODIRATIME, NULL));
	CHECK(mount_line("m", "rw,nodiratime,relatime"));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_STRICTATIME, NULL));
	OK(mount("none", "m", NULL, MS_REMOUNT | MS_NOEXEC, NULL));
	CHECK(mount_line("m", "rw,noexec"));
	CHECK(!mount_line("m", "rw,noexec,relatime"));
}

TEST(nothing_is_moved_to_a_removed_directory)
{
	own_mounts();
	tmpfs_on("m");
	OK(mkdir("gone", 0755));
	int fd = OK(open("gone", O_DIRECTORY));
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(rmdir("gone"));
	CHECK_ERR(mount("m", path, NULL, MS_MOVE, NULL), ENOENT);
	OK(umount("m"));
}

TEST(umount_of_the_root_makes_it_read_only)
{
	own_mounts();
	tmpfs_on("m");
	OK(mkdir("m/d", 0755));
	pid_t pid = FORK();
	if (!pid) {
		OK(chroot("m"));
		OK(chdir("/"));
		CHECK_ERR(umount2("/", MNT_EXPIRE), EINVAL);
		int fd = OK(open("/f", O_RDWR | O_CREAT, 0600));
		CHECK_ERR(umount("/"), EBUSY);
		close(fd);
		OK(umount("/"));
		CHECK_ERR(open("/g", O_RDWR | O_CREAT, 0600), EROFS);
		_exit(0);
	}
	expect_exit(pid, 0);
	OK(umount("m"));
}
