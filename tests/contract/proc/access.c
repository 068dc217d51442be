/* SPDX-License-Identifier: MIT */
/* Who may see which descriptors a process has. */
#include "contract.h"
#include <dirent.h>

static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -1;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

TEST(descriptors_of_others_are_not_told)
{
	pid_t pid = FORK();

	if (!pid) {
		char path[64], below[80];
		struct stat st;

		become_user(1000, 1000);
		snprintf(path, sizeof(path), "/proc/%d/fdinfo", getppid());
		snprintf(below, sizeof(below), "%s/0", path);
		OK(stat(path, &st));
		CHECK_ERR(open(path, O_RDONLY | O_DIRECTORY), EACCES);
		CHECK_ERR(stat(below, &st), EACCES);
		CHECK_ERR(open(below, O_RDONLY), EACCES);
		snprintf(path, sizeof(path), "/proc/%d/fd", getppid());
		CHECK_ERR(open(path, O_RDONLY | O_DIRECTORY), EACCES);
		_exit(0);
	}
	expect_exit(pid, 0);
}

/* A change of ids without exec makes it not dumpable: the folder is root's then. */
TEST(a_process_sees_its_own_descriptors_whatever_it_has_become)
{
	pid_t pid = FORK();

	if (!pid) {
		struct stat st;
		int fd;

		become_user(1000, 1000);
		OK(stat("/proc/self/fd", &st));
		CHECK_EQ(st.st_uid, 0);
		CHECK(count_names("/proc/self/fd") > 2);
		CHECK(count_names("/proc/self/fdinfo") > 2);
		OK(stat("/proc/self/fd/0", &st));
		fd = OK(open("/dev/fd/0", O_RDONLY));
		close(fd);
		_exit(0);
	}
	expect_exit(pid, 0);
}
