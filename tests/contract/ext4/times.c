/* SPDX-License-Identifier: MIT */
/* Times of files beyond what 32 bits of seconds, or 64 of nanoseconds, can hold. */
#include "fixture.h"
#include <linux/stat.h>

#define YEAR_2200 7258118400ll
#define YEAR_2300 10413792000ll
#define LAST_2446 15032385535ll /* 2446-05-10 22:38:55, what 34 bits from 1901 on end with */
#define MIN_1901  (-2147483648ll)
#define MAX_2038  2147483647ll

static void set(const char *path, long long atime, long long mtime, long nsec)
{
	struct timespec t[2] = {{atime, nsec}, {mtime, nsec}};

	CHECK_EQ(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* By stat and by statx. */
static void expect(const char *path, long long atime, long ansec, long long mtime, long mnsec)
{
	struct statx x;
	struct stat st;

	OK(stat(path, &st));
	CHECK_EQ(st.st_atim.tv_sec, atime);
	CHECK_EQ(st.st_atim.tv_nsec, ansec);
	CHECK_EQ(st.st_mtim.tv_sec, mtime);
	CHECK_EQ(st.st_mtim.tv_nsec, mnsec);
	OK(syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_atime.tv_sec, atime);
	CHECK_EQ(x.stx_atime.tv_nsec, ansec);
	CHECK_EQ(x.stx_mtime.tv_sec, mtime);
	CHECK_EQ(x.stx_mtime.tv_nsec, mnsec);
}

/* What is in memory goes; what is on the disk comes back. */
static void mount_again(struct volume *v)
{
	CHECK_EQ(umount("mnt"), 0);
	CHECK_EQ(mount(v->device, "mnt", "ext4", MS_NOATIME, NULL), 0);
}

TEST(tmpfs_keeps_any_time)
{
	write_file("file", "");
	set("file", YEAR_2200, YEAR_2300, 987654321);
	expect("file", YEAR_2200, 987654321, YEAR_2300, 987654321);
	set("file", LAST_2446 + 1, 1ll << 60, 1);
	expect("file", LAST_2446 + 1, 1, 1ll << 60, 1);
	set("file", MIN_1901 - 5, -(1ll << 60), 999999999);
	expect("file", MIN_1901 - 5, 999999999, -(1ll << 60), 999999999);
}

TEST(ext4_keeps_times_to_2446)
{
	struct volume v;

	volume_mount(&v, "plain", MS_NOATIME, NULL);
	write_file("mnt/a", "");
	write_file("mnt/b", "");
	write_file("mnt/c", "");
	set("mnt/a", YEAR_2200, YEAR_2300, 987654321);
	set("mnt/b", MAX_2038, MAX_2038 + 1, 999999999);
	set("mnt/c", -1, LAST_2446 - 1, 5);
	for (int round = 0; round < 2; round++) {
		expect("mnt/a", YEAR_2200, 987654321, YEAR_2300, 987654321);
		expect("mnt/b", MAX_2038, 999999999, MAX_2038 + 1, 999999999);
		expect("mnt/c", -1, 5, LAST_2446 - 1, 5);
		mount_again(&v);
	}
	volume_unmount(&v, "mnt");
}

TEST(ext4_limits_times_to_1901_and_2446)
{
	struct volume v;

	volume_mount(&v, "plain", MS_NOATIME, NULL);
	write_file("mnt/a", "");
	write_file("mnt/b", "");
	write_file("mnt/c", "");
	set("mnt/a", MIN_1901, LAST_2446, 77);
	set("mnt/b", MIN_1901 - 1, LAST_2446 + 1, 77);
	set("mnt/c", -(1ll << 60), 1ll << 60, 77);
	for (int round = 0; round < 2; round++) {
		expect("mnt/a", MIN_1901, 0, LAST_2446, 0);
		expect("mnt/b", MIN_1901, 0, LAST_2446, 0);
		expect("mnt/c", MIN_1901, 0, LAST_2446, 0);
		mount_again(&v);
	}
	volume_unmount(&v, "mnt");
}

TEST(ext4_with_small_inodes_keeps_seconds_to_2038)
{
	struct volume v;
	struct statx x;
	struct stat st;

	volume_mount(&v, "small", MS_NOATIME, NULL);
	write_file("mnt/a", "");
	set("mnt/a", 1000, MAX_2038 + 1, 999999999);
	for (int round = 0; round < 2; round++) {
		expect("mnt/a", 1000, 0, MAX_2038, 0);
		OK(stat("mnt/a", &st));
		CHECK_EQ(st.st_ctim.tv_nsec, 0);
		OK(syscall(SYS_statx, AT_FDCWD, "mnt/a", 0, STATX_BASIC_STATS | STATX_BTIME, &x));
		CHECK_EQ(x.stx_mask & STATX_BTIME, 0);
		mount_again(&v);
	}
	volume_unmount(&v, "mnt");
}

TEST(ext4_has_birth_times)
{
	struct volume v;
	struct statx x;
	struct stat st;

	volume_mount(&v, "plain", MS_NOATIME, NULL);
	write_file("mnt/a", "");
	OK(stat("mnt/a", &st));
	set("mnt/a", YEAR_2200, YEAR_2200, 0);
	mount_again(&v);
	OK(syscall(SYS_statx, AT_FDCWD, "mnt/a", 0, STATX_BTIME, &x));
	CHECK(x.stx_mask & STATX_BTIME);
	CHECK(llabs(x.stx_btime.tv_sec - st.st_ctim.tv_sec) <= 1);
	volume_unmount(&v, "mnt");
}

static void age(const char *path)
{
	struct timespec t[2] = {{1000, 0}, {2000, 0}};

	CHECK_EQ(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

static long long atime_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_atim.tv_sec;
}

static void list(const char *path)
{
	int fd = OK(open(path, O_RDONLY | O_DIRECTORY));
	char buf[1024];

	OK(syscall(SYS_getdents64, fd, buf, sizeof(buf)));
	close(fd);
}

TEST(listing_and_following_change_access_times)
{
	char buf[16];

	OK(mkdir("dir", 0755));
	write_file("dir/file", "x");
	OK(symlink("dir", "link"));
	age("dir");
	list("dir");
	CHECK(atime_of("dir") > 2000);
	age("link");
	OK(readlink("link", buf, sizeof(buf)));
	CHECK(atime_of("link") > 2000);
	age("link");
	OK(access("link/file", F_OK));
	CHECK(atime_of("link") > 2000);
	age("dir/file");
	OK(access("dir/file", F_OK));
	CHECK_EQ(atime_of("dir/file"), 1000);
}

TEST(nodiratime_is_for_directories)
{
	struct volume v;
	char c;
	int fd;

	volume_mount(&v, "plain", MS_NODIRATIME, NULL);
	write_file("mnt/file", "x");
	age("mnt/file");
	age("mnt");
	list("mnt");
	CHECK_EQ(atime_of("mnt"), 1000);
	fd = OK(open("mnt/file", O_RDONLY));
	CHECK_EQ(read(fd, &c, 1), 1);
	close(fd);
	CHECK(atime_of("mnt/file") > 2000);
	volume_unmount(&v, "mnt");
}

TEST(chattr_A_keeps_the_access_time)
{
	struct volume v;
	int fd, flags;
	char c;

	volume_mount(&v, "plain", 0, NULL);
	write_file("mnt/file", "x");
	fd = OK(open("mnt/file", O_RDONLY));
	OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	flags |= FS_NOATIME_FL;
	OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	age("mnt/file");
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(atime_of("mnt/file"), 1000);
	close(fd);
	volume_unmount(&v, "mnt");
}
