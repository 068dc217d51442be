/* SPDX-License-Identifier: MIT */
/* FIFREEZE and FITHAW: a file system stands still, and its device is as after an unmount. */
#include "fixture.h"

#define FEATURE_INCOMPAT 0x60
#define RECOVER          4

static int freeze_fd(int fd)
{
	return ioctl(fd, FIFREEZE, 0);
}

static int thaw_fd(int fd)
{
	return ioctl(fd, FITHAW, 0);
}

/* In the child of the test: does what has to wait. */
static pid_t start(void (*fn)(void))
{
	pid_t pid = FORK();

	if (!pid) {
		fn();
		_exit(0);
	}
	return pid;
}

static void expect_wait_until_thawed(int root, void (*fn)(void))
{
	pid_t pid = start(fn);
	int status;

	await_state(pid, 'D');
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(thaw_fd(root), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(freeze_fd(root), 0);
}

TEST(freezing_twice_and_thawing_twice)
{
	struct volume v;
	int fd;

	volume_mount(&v, "plain", 0, NULL);
	fd = OK(open("mnt", O_RDONLY));
	CHECK_ERR(thaw_fd(fd), EINVAL);
	CHECK_EQ(freeze_fd(fd), 0);
	CHECK_ERR(freeze_fd(fd), EBUSY);
	CHECK_EQ(thaw_fd(fd), 0);
	CHECK_ERR(thaw_fd(fd), EINVAL);
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(freezing_is_for_the_administrator)
{
	struct volume v;
	int fd, status;
	pid_t pid;

	volume_mount(&v, "plain", 0, NULL);
	fd = OK(open("mnt", O_RDONLY));
	pid = FORK();
	if (!pid) {
		become_user(1000, 1000);
		CHECK_ERR(freeze_fd(fd), EPERM);
		CHECK_ERR(thaw_fd(fd), EPERM);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(not_every_file_system_can_be_frozen)
{
	int fd = OK(open(".", O_RDONLY)), proc = OK(open("/proc", O_RDONLY));

	CHECK_ERR(freeze_fd(fd), EOPNOTSUPP);
	CHECK_ERR(thaw_fd(fd), EINVAL);
	CHECK_ERR(freeze_fd(proc), EOPNOTSUPP);
	close(fd);
	close(proc);
}

TEST(frozen_image_is_clean_and_whole)
{
	struct volume v, w;
	struct stat st;
	char *map;
	int fd;

	volume_mount(&v, "plain", 0, NULL);
	CHECK(super_word("image", FEATURE_INCOMPAT) & RECOVER);
	write_file("mnt/file", "content");
	fd = OK(open("mnt/mapped", O_RDWR | O_CREAT, 0644));
	OK(ftruncate(fd, 8192));
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	strcpy(map + 5000, "stored");
	CHECK_EQ(freeze_fd(fd), 0);
	CHECK_EQ(super_word("image", FEATURE_INCOMPAT) & RECOVER, 0);
	copy_file("image", "copy");
	CHECK_EQ(thaw_fd(fd), 0);
	CHECK(super_word("image", FEATURE_INCOMPAT) & RECOVER);
	munmap(map, 8192);
	close(fd);
	volume_unmount(&v, "mnt");

	volume_mount_copy(&w, "old");
	OK(stat("old/file", &st));
	CHECK_EQ(st.st_size, 7);
	fd = OK(open("old/mapped", O_RDONLY));
	char text[7];
	CHECK_EQ(pread(fd, text, 7, 5000), 7);
	CHECK_STR(text, "stored");
	close(fd);
	volume_unmount(&w, "old");
}

static int g_fd;
static char *g_map;

static void do_write(void)
{
	CHECK_EQ(pwrite(g_fd, "new", 3, 0), 3);
}

static void do_truncate(void)
{
	CHECK_EQ(ftruncate(g_fd, 100), 0);
}

static void do_allocate(void)
{
	CHECK_EQ(fallocate(g_fd, 0, 0, 8192), 0);
}

static void do_mkdir(void)
{
	OK(mkdir("mnt/dir", 0755));
}

static void do_create(void)
{
	close(OK(open("mnt/other", O_RDWR | O_CREAT, 0644)));
}

static void do_chmod(void)
{
	OK(chmod("mnt/file", 0600));
}

static void do_unlink(void)
{
	OK(unlink("mnt/other"));
}

static void do_store(void)
{
	g_map[0] = 'x';
}

TEST(what_changes_a_frozen_file_system_waits)
{
	struct volume v;
	int root;

	volume_mount(&v, "plain", 0, NULL);
	root = OK(open("mnt", O_RDONLY));
	write_file("mnt/file", "old");
	g_fd = OK(open("mnt/file", O_RDWR));
	OK(ftruncate(g_fd, 4096));
	g_map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, g_fd, 0);
	CHECK(g_map != MAP_FAILED);
	g_map[1] = 'y';
	CHECK_EQ(freeze_fd(root), 0);
	expect_wait_until_thawed(root, do_write);
	expect_wait_until_thawed(root, do_truncate);
	expect_wait_until_thawed(root, do_allocate);
	expect_wait_until_thawed(root, do_mkdir);
	expect_wait_until_thawed(root, do_create);
	expect_wait_until_thawed(root, do_chmod);
	expect_wait_until_thawed(root, do_unlink);
	expect_wait_until_thawed(root, do_store);
	CHECK_EQ(g_map[0], 'x');
	CHECK_EQ(thaw_fd(root), 0);
	munmap(g_map, 4096);
	close(g_fd);
	close(root);
	volume_unmount(&v, "mnt");
}

TEST(killed_writer_ends_when_thawed)
{
	struct volume v;
	int root, status;
	pid_t pid;

	volume_mount(&v, "plain", 0, NULL);
	root = OK(open("mnt", O_RDONLY));
	CHECK_EQ(freeze_fd(root), 0);
	pid = start(do_mkdir);
	await_state(pid, 'D');
	OK(kill(pid, SIGKILL));
	usleep(50000); /* time to end by mistake: that it goes on waiting has no event */
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(thaw_fd(root), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	close(root);
	volume_unmount(&v, "mnt");
}

TEST(reading_a_frozen_file_system)
{
	struct volume v;
	int root, fd;
	struct stat before, after;
	char c;

	volume_mount(&v, "plain", MS_STRICTATIME, NULL);
	root = OK(open("mnt", O_RDONLY));
	write_file("mnt/file", "x");
	OK(stat("mnt/file", &before));
	usleep(20000);
	CHECK_EQ(freeze_fd(root), 0);
	fd = OK(open("mnt/file", O_RDWR)); /* to open it changes nothing */
	CHECK_EQ(read(fd, &c, 1), 1);
	OK(fstat(fd, &after));
	CHECK_EQ(after.st_atim.tv_nsec, before.st_atim.tv_nsec);
	OK(fsync(fd));
	OK(syncfs(fd));
	sync();
	CHECK_EQ(thaw_fd(root), 0);
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	OK(fstat(fd, &after));
	CHECK(after.st_atim.tv_nsec != before.st_atim.tv_nsec);
	close(fd);
	close(root);
	volume_unmount(&v, "mnt");
}

static void do_close(void)
{
	close(g_fd);
}

TEST(last_close_of_a_removed_file_waits)
{
	struct volume v;
	int root;

	volume_mount(&v, "plain", 0, NULL);
	root = OK(open("mnt", O_RDONLY));
	g_fd = OK(open("mnt/file", O_RDWR | O_CREAT, 0644));
	CHECK_EQ(write(g_fd, "x", 1), 1);
	OK(unlink("mnt/file"));
	CHECK_EQ(freeze_fd(root), 0);
	pid_t pid = start(do_close);
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid); /* not the last one */
	pid = FORK();
	if (!pid) {
		/* The parent's descriptor goes first. */
		usleep(200000);
		close(g_fd);
		_exit(0);
	}
	close(g_fd);
	await_state(pid, 'D');
	CHECK_EQ(thaw_fd(root), 0);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(root);
	volume_unmount(&v, "mnt");
}

TEST(frozen_file_system_is_not_remounted)
{
	struct volume v;
	int root;

	volume_mount(&v, "plain", 0, NULL);
	root = OK(open("mnt", O_RDONLY));
	CHECK_EQ(freeze_fd(root), 0);
	CHECK_ERR(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	CHECK_EQ(thaw_fd(root), 0);
	close(root);
	CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	volume_unmount(&v, "mnt");
}

TEST(frozen_file_system_stays_frozen_without_a_mount)
{
	struct volume v;
	int root;

	volume_mount(&v, "plain", 0, NULL);
	root = OK(open("mnt", O_RDONLY));
	CHECK_EQ(freeze_fd(root), 0);
	close(root);
	CHECK_EQ(umount("mnt"), 0);
	CHECK_EQ(mount(v.device, "mnt", "ext4", 0, NULL), 0);
	root = OK(open("mnt", O_RDONLY));
	CHECK_ERR(freeze_fd(root), EBUSY);
	CHECK_EQ(thaw_fd(root), 0);
	close(root);
	volume_unmount(&v, "mnt");
}

TEST(freezing_what_is_mounted_read_only)
{
	struct volume v;
	int root;

	volume_mount(&v, "plain", MS_RDONLY, NULL);
	root = OK(open("mnt", O_RDONLY));
	CHECK_EQ(freeze_fd(root), 0);
	CHECK_ERR(mkdir("mnt/dir", 0755), EROFS);
	CHECK_ERR(freeze_fd(root), EBUSY);
	CHECK_EQ(thaw_fd(root), 0);
	close(root);
	volume_unmount(&v, "mnt");
}
