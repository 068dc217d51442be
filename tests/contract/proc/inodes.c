/* SPDX-License-Identifier: MIT */
/* Inode numbers of /proc and /sys, by which programs that walk trees know where they are. */
#include "contract.h"
#include <ctype.h>
#include <dirent.h>

static ino_t inode_of(const char *path)
{
	struct stat st;

	OK(lstat(path, &st));
	return st.st_ino;
}

TEST(inode_numbers_stay_the_same)
{
	static const char *const paths[] = {"/proc/meminfo", "/proc/sys/kernel/ostype",
		"/proc/sys/vm", "/proc/self", "/sys/kernel", "/sys/class/mem",
		"/sys/devices/system/cpu/online"};
	ino_t first[sizeof(paths) / sizeof(*paths)];

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		first[i] = inode_of(paths[i]);
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		CHECK_EQ(inode_of(paths[i]), first[i]);
		for (size_t j = 0; j < i; j++)
			CHECK(first[i] != first[j] || strncmp(paths[i], paths[j], 5));
	}
	CHECK_EQ(inode_of("/proc"), 1);
	CHECK_EQ(inode_of("/sys"), 1);
}

/* Other processes may have gone by the second look, and /proc/self/fd/.. is /proc/PID. */
static void numbers_agree(const char *folder)
{
	DIR *d = opendir(folder);
	int seen = 0;

	CHECK(d);
	for (struct dirent *e; (e = readdir(d));) {
		char path[PATH_MAX];

		if (!strcmp(e->d_name, "..") || (isdigit(*e->d_name) && !strcmp(folder, "/proc")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		CHECK_EQ(inode_of(path), e->d_ino);
		seen++;
	}
	closedir(d);
	CHECK(seen > 2);
}

TEST(getdents_and_stat_agree_on_inode_numbers)
{
	static const char *const folders[] = {"/proc", "/proc/sys/kernel", "/proc/self",
		"/proc/self/fd", "/sys", "/sys/class", "/sys/class/mem", "/sys/devices/system/cpu"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		numbers_agree(folders[i]);
}
