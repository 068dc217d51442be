/* SPDX-License-Identifier: MIT */
/* A file system that is nearly full: what fits is not refused, whatever others do meanwhile. */
#include "fixture.h"

#define BLOCK 4096
#define SMALL 4   /* blocks that one wants again and again */
#define LARGE 512 /* blocks that the other writes and has allocated */
#define SLACK 64  /* for what both need beside their data, and have freed without a commit */

static char g_data[LARGE * BLOCK];
static int g_stop;

/* Blocks for anybody shrink to room. */
static void fill(int room)
{
	int fd = OK(open("mnt/filler", O_RDWR | O_CREAT, 0600));
	struct statfs st;
	off_t end = 0;

	OK(statfs("mnt", &st));
	while ((int)st.f_bavail > room) {
		off_t n = ((off_t)st.f_bavail - room) * BLOCK;

		CHECK_EQ(fallocate(fd, 0, end, n), 0);
		end += n;
		OK(statfs("mnt", &st));
	}
	close(fd);
	sync();
}

static void *write_little(void *arg)
{
	int fd = OK(open("mnt/little", O_RDWR | O_CREAT, 0600)), n = 0;

	for (; !__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE); n++) {
		CHECK_EQ(pwrite(fd, g_data, SMALL * BLOCK, 0), SMALL * BLOCK);
		CHECK_EQ(ftruncate(fd, 0), 0);
	}
	CHECK(n > 0);
	close(fd);
	return arg;
}

TEST(a_write_that_fits_is_not_refused_while_another_files_data_gets_its_blocks)
{
	struct volume v;
	pthread_t t;
	int fd;

	volume_mount(&v, "plain", 0, NULL);
	fill(LARGE + SMALL + SLACK);
	fd = OK(open("mnt/large", O_RDWR | O_CREAT, 0600));
	g_stop = 0;
	CHECK_PT(pthread_create(&t, NULL, write_little, NULL));
	for (int i = 0; i < 200; i++) {
		CHECK_EQ(pwrite(fd, g_data, sizeof(g_data), 0), sizeof(g_data));
		CHECK_EQ(fsync(fd), 0);
		CHECK_EQ(ftruncate(fd, 0), 0);
		CHECK_EQ(fsync(fd), 0); /* frees them */
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	CHECK_PT(pthread_join(t, NULL));
	close(fd);
	volume_unmount(&v, "mnt");
}

static long room_left(void)
{
	struct statfs st;

	OK(statfs("mnt", &st));
	return (long)st.f_bfree;
}

static long sectors_of(const char *path)
{
	struct stat st;

	OK(stat(path, &st));
	return (long)st.st_blocks;
}

/* Before anything has been written out: an installation of many small files must fit. */
TEST(data_takes_no_more_blocks_than_it_has_when_they_are_smaller_than_a_page)
{
	struct volume v;
	char name[32];
	long before;
	int fd;

	volume_mount(&v, "1k", 0, NULL);
	before = room_left();
	for (int i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "mnt/f%d", i);
		fd = OK(open(name, O_WRONLY | O_CREAT, 0600));
		CHECK_EQ(write(fd, g_data, 700), 700);
		CHECK_EQ(sectors_of(name), 2);
		close(fd);
	}
	CHECK(before - room_left() >= 400);
	CHECK(before - room_left() < 500); /* the directory has some */
	fd = OK(open("mnt/late", O_RDWR | O_CREAT, 0600));
	CHECK_EQ(pwrite(fd, "x", 1, 3500), 1);
	CHECK_EQ(sectors_of("mnt/late"), 2);
	CHECK_EQ(pwrite(fd, "y", 1, 100), 1);
	CHECK_EQ(sectors_of("mnt/late"), 4);
	CHECK_EQ(pwrite(fd, "z", 1, 3600), 1);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(sectors_of("mnt/late"), 4);
	CHECK_EQ(pwrite(fd, "w", 1, 1024), 1);
	CHECK_EQ(sectors_of("mnt/late"), 6);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 2048);
	close(fd);
	OK(umount("mnt"));
	OK(mount(v.device, "mnt", "ext4", 0, NULL));
	fd = OK(open("mnt/late", O_RDONLY));
	CHECK_EQ(pread(fd, g_data, 4096, 0), 3601);
	CHECK(g_data[100] == 'y' && g_data[1024] == 'w' && g_data[3500] == 'x' &&
		g_data[3600] == 'z' && !g_data[2048]);
	close(fd);
	volume_unmount(&v, "mnt");
}
