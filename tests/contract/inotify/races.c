/* SPDX-License-Identifier: MIT */
/* Events beside renames. */
#include "contract.h"

#define ROUNDS 3000

static int g_stop;

static void *read_again_and_again(void *arg)
{
	int fd = *(int *)arg;
	char c;

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		CHECK_EQ(pread(fd, &c, 1, 0), 1);
	return NULL;
}

TEST(a_file_is_read_while_it_leaves_directories_that_go)
{
	pthread_t readers[3];
	int fd;

	OK(mkdir("stays", 0755));
	write_file("stays/f", "x");
	fd = OK(open("stays/f", O_RDONLY));
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_create(&readers[i], NULL, read_again_and_again, &fd));
	for (int i = 0; i < ROUNDS; i++) {
		OK(mkdir("goes", 0755));
		OK(rename("stays/f", "goes/f"));
		OK(rename("goes/f", "stays/f"));
		OK(rmdir("goes"));
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(readers[i], NULL));
	close(fd);
}
