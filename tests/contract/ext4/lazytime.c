/* SPDX-License-Identifier: MIT */
/* lazytime (mount(8)): times that reads and writes change are stored late. */
#include "fixture.h"

#define OLD 1000

static long long stored_atime(const char *name)
{
	struct volume w;
	struct stat st;
	char path[64];

	copy_file("image", "copy");
	volume_mount_copy(&w, "later");
	snprintf(path, sizeof(path), "later/%s", name);
	OK(stat(path, &st));
	volume_unmount(&w, "later");
	return st.st_atim.tv_sec;
}

static void make(const char *path)
{
	struct timespec t[2] = {{OLD, 0}, {OLD + 1, 0}};

	write_file(path, "x");
	CHECK_EQ(utimensat(AT_FDCWD, path, t, 0), 0);
}

static void read_it(const char *path)
{
	int fd = OK(open(path, O_RDONLY));
	struct stat st;
	char c;

	CHECK_EQ(read(fd, &c, 1), 1);
	OK(fstat(fd, &st));
	CHECK(st.st_atim.tv_sec > OLD);
	close(fd);
}

static void sync_path(const char *path)
{
	int fd = OK(open(path, O_RDWR));

	CHECK_EQ(pwrite(fd, "y", 1, 0), 1);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
}

/* a, and other in another block of the table of inodes. */
static void make_both(void)
{
	char path[32];

	make("mnt/a");
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "mnt/filler%d", i);
		write_file(path, "");
	}
	make("mnt/other");
	sync();
}

TEST(without_lazytime_the_access_time_is_in_the_next_transaction)
{
	struct volume v;

	volume_mount(&v, "plain", MS_STRICTATIME, NULL);
	make_both();
	read_it("mnt/a");
	sync_path("mnt/other");
	CHECK(stored_atime("a") > OLD);
	volume_unmount(&v, "mnt");
}

TEST(with_lazytime_the_access_time_stays_in_memory)
{
	struct volume v;

	volume_mount(&v, "plain", MS_STRICTATIME | MS_LAZYTIME, NULL);
	make_both();
	read_it("mnt/a");
	sync_path("mnt/other");
	CHECK_EQ(stored_atime("a"), OLD);
	volume_unmount(&v, "mnt");
}

TEST(lazytime_is_stored_by_sync_and_syncfs_and_fsync)
{
	struct volume v;
	int fd;

	volume_mount(&v, "plain", MS_STRICTATIME | MS_LAZYTIME, NULL);
	make_both();
	read_it("mnt/a");
	sync();
	CHECK(stored_atime("a") > OLD);

	make("mnt/a");
	fd = OK(open("mnt/a", O_RDONLY));
	read_it("mnt/a");
	OK(syncfs(fd));
	CHECK(stored_atime("a") > OLD);

	make("mnt/a");
	OK(syncfs(fd));
	read_it("mnt/a");
	OK(fsync(fd));
	CHECK(stored_atime("a") > OLD);
	close(fd);
	volume_unmount(&v, "mnt");
}

TEST(lazytime_is_stored_with_other_changes)
{
	struct volume v;

	volume_mount(&v, "plain", MS_STRICTATIME | MS_LAZYTIME, NULL);
	make_both();
	read_it("mnt/a");
	OK(chmod("mnt/a", 0600));
	sync_path("mnt/other");
	CHECK(stored_atime("a") > OLD);
	volume_unmount(&v, "mnt");
}

TEST(lazytime_is_stored_by_unmounting)
{
	struct volume v;

	volume_mount(&v, "plain", MS_STRICTATIME | MS_LAZYTIME, NULL);
	make_both();
	read_it("mnt/a");
	CHECK_EQ(umount("mnt"), 0);
	CHECK(stored_atime("a") > OLD);
	CHECK_EQ(mount(v.device, "mnt", "ext4", 0, NULL), 0);
	volume_unmount(&v, "mnt");
}

TEST(lazytime_is_shown_and_taken_back)
{
	char line[4096];
	struct volume v;
	bool lazy = false;
	FILE *f;

	volume_mount(&v, "plain", MS_STRICTATIME | MS_LAZYTIME, NULL);
	for (int round = 0; round < 2; round++) {
		f = fopen("/proc/self/mountinfo", "r");
		CHECK(f);
		lazy = false;
		while (fgets(line, sizeof(line), f))
			lazy |= strstr(line, v.device) && strstr(line, ",lazytime");
		fclose(f);
		CHECK_EQ(lazy, round == 0);
		make("mnt/a");
		sync();
		if (!round)
			CHECK_EQ(mount(NULL, "mnt", NULL, MS_REMOUNT | MS_STRICTATIME, NULL), 0);
	}
	volume_unmount(&v, "mnt");
}
