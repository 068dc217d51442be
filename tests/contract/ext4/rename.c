/* SPDX-License-Identifier: MIT */
/* A directory that moves changes itself, while others change it. */
#include "fixture.h"
#include <dirent.h>

#define MOVES 150

static bool g_stop;

static void *make_and_remove(void *at)
{
	char name[2][64];

	snprintf(name[0], sizeof(name[0]), "%s/p/sub/%d", (char *)at, gettid_raw());
	snprintf(name[1], sizeof(name[1]), "%s/q/sub/%d", (char *)at, gettid_raw());
	for (int i = 0; !__atomic_load_n(&g_stop, __ATOMIC_RELAXED); i++) {
		int fd = open(name[i % 2], O_RDWR | O_CREAT, 0600);

		if (fd >= 0)
			close(fd);
		unlink(name[0]);
		unlink(name[1]);
	}
	return NULL;
}

static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	CHECK(dir);
	errno = 0;
	while (readdir(dir))
		n++;
	CHECK_EQ(errno, 0);
	closedir(dir);
	return n;
}

TEST(a_directory_moves_while_others_make_files_in_it)
{
	struct volume v;
	pthread_t t[2];

	volume_mount(&v, "plain", 0, NULL);
	OK(mkdir("mnt/p", 0755));
	OK(mkdir("mnt/q", 0755));
	OK(mkdir("mnt/p/sub", 0755));
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_create(&t[i], NULL, make_and_remove, "mnt"));
	for (int i = 0; i < MOVES; i++) {
		OK(rename("mnt/p/sub", "mnt/q/sub"));
		OK(rename("mnt/q/sub", "mnt/p/sub"));
	}
	__atomic_store_n(&g_stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < 2; i++)
		CHECK_PT(pthread_join(t[i], NULL));
	/* As it is on the disk. */
	OK(umount("mnt"));
	OK(mount(v.device, "mnt", "ext4", 0, NULL));
	CHECK_EQ(count_names("mnt/p/sub"), 2);
	volume_unmount(&v, "mnt");
}
