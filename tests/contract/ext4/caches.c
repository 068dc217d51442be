/* SPDX-License-Identifier: MIT */
/* Caches are dropped (proc(5), drop_caches) beside those who use what is in them. */
#include "fixture.h"

#define FILES   16
#define ROUNDS  6000
#define WATCHES 3

static int g_stop;

static void *drop_again_and_again(void *arg)
{
	int fd = OK(open("/proc/sys/vm/drop_caches", O_WRONLY));

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		CHECK_EQ(write(fd, "2", 1), 1);
	close(fd);
	return arg;
}

static void *look_again_and_again(void *arg)
{
	struct stat st;
	char path[32];

	for (int i = 0; i < ROUNDS * FILES; i++) {
		snprintf(path, sizeof(path), "mnt/file%d", i % FILES);
		CHECK_EQ(stat(path, &st), 0);
	}
	return arg;
}

TEST(files_are_found_while_names_are_dropped_from_the_cache)
{
	pthread_t looking[WATCHES], dropping;
	struct volume v;
	char path[32];

	volume_mount(&v, "plain", 0, NULL);
	for (int i = 0; i < FILES; i++) {
		snprintf(path, sizeof(path), "mnt/file%d", i);
		write_file(path, "");
	}
	sync();
	g_stop = 0;
	CHECK_PT(pthread_create(&dropping, NULL, drop_again_and_again, NULL));
	for (int i = 0; i < WATCHES; i++)
		CHECK_PT(pthread_create(&looking[i], NULL, look_again_and_again, NULL));
	for (int i = 0; i < WATCHES; i++)
		CHECK_PT(pthread_join(looking[i], NULL));
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	CHECK_PT(pthread_join(dropping, NULL));
	volume_unmount(&v, "mnt");
}

static void *mount_and_unmount(void *arg)
{
	struct stat st;
	char path[32];

	for (int i = 0; i < 200; i++) {
		CHECK_EQ(mount("none", "passing", "tmpfs", 0, NULL), 0);
		for (int k = 0; k < 100; k++) { /* names that stay in the cache as missing */
			snprintf(path, sizeof(path), "passing/missing%d", k);
			CHECK_ERR(stat(path, &st), ENOENT);
		}
		CHECK_EQ(umount("passing"), 0);
	}
	return arg;
}

/* The kernel's warning of inodes in use after an unmount would fail it. */
TEST(a_file_system_ends_while_its_names_are_dropped_from_the_cache)
{
	pthread_t mounting, dropping[2];

	OK(mkdir("passing", 0755));
	g_stop = 0;
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&dropping[i], NULL, drop_again_and_again, NULL));
	CHECK_PT(pthread_create(&mounting, NULL, mount_and_unmount, NULL));
	CHECK_PT(pthread_join(mounting, NULL));
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(dropping[i], NULL));
}

#define CHANGED 1000
#define CHANGES 12

static void *flush_again_and_again(void *device)
{
	int fd = OK(open(device, O_RDONLY));

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		OK(ioctl(fd, BLKFLSBUF, 0));
	close(fd);
	return NULL;
}

struct changer {
	int first, round;
};

static mode_t mode_of(int round, int file)
{
	return (mode_t)(round * 7 + file) & 0777;
}

static void *change_every_second(void *arg)
{
	struct changer *c = arg;
	char path[32];

	for (int i = c->first; i < CHANGED; i += 2) {
		snprintf(path, sizeof(path), "mnt/file%d", i);
		OK(chmod(path, mode_of(c->round, i)));
	}
	return NULL;
}

/* What was changed is on the disk, though its block left the cache just before or after. */
TEST(inodes_keep_changes_while_their_blocks_are_dropped_from_the_cache)
{
	pthread_t changing[2], flushing;
	struct volume v;
	struct stat st;
	char path[32];

	volume_mount(&v, "plain", 0, NULL);
	for (int i = 0; i < CHANGED; i++) {
		snprintf(path, sizeof(path), "mnt/file%d", i);
		write_file(path, "");
	}
	for (int round = 1; round <= CHANGES; round++) {
		struct changer c[2] = {{0, round}, {1, round}};

		g_stop = 0;
		CHECK_PT(pthread_create(&flushing, NULL, flush_again_and_again, v.device));
		for (int i = 0; i < 2; i++)
			CHECK_PT(pthread_create(&changing[i], NULL, change_every_second, &c[i]));
		for (int i = 0; i < 2; i++)
			CHECK_PT(pthread_join(changing[i], NULL));
		__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
		CHECK_PT(pthread_join(flushing, NULL));
		OK(umount("mnt"));
		OK(mount(v.device, "mnt", "ext4", 0, NULL));
		for (int i = 0; i < CHANGED; i++) {
			snprintf(path, sizeof(path), "mnt/file%d", i);
			OK(stat(path, &st));
			CHECK_EQ(st.st_mode & 0777, mode_of(round, i));
		}
	}
	volume_unmount(&v, "mnt");
}
