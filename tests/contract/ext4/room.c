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
