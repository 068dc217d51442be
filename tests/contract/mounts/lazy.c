/* SPDX-License-Identifier: MIT */
/* umount2(2) with MNT_DETACH, beside those who stand in the mount. */
#include "contract.h"
#include <sys/mount.h>

#define ROUNDS 5000

static int g_stop;

/* A thread shares the directory that it asks for. */
static void *ask_again_and_again(void *arg)
{
	char at[PATH_MAX];

	while (!__atomic_load_n(&g_stop, __ATOMIC_ACQUIRE))
		CHECK(syscall(SYS_getcwd, at, sizeof(at)) > 1);
	return arg;
}

TEST(a_directory_has_a_name_while_its_mount_is_detached)
{
	pthread_t asking[3];
	char home[PATH_MAX];

	CHECK(getcwd(home, sizeof(home)));
	OK(mkdir("m", 0755));
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_create(&asking[i], NULL, ask_again_and_again, NULL));
	for (int i = 0; i < ROUNDS; i++) {
		OK(mount("test", "m", "tmpfs", 0, NULL));
		OK(chdir("m"));
		OK(umount2(".", MNT_DETACH));
		OK(chdir(home));
	}
	__atomic_store_n(&g_stop, 1, __ATOMIC_RELEASE);
	for (int i = 0; i < 3; i++)
		CHECK_PT(pthread_join(asking[i], NULL));
}
