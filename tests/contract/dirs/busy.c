/* SPDX-License-Identifier: MIT */
/* Removing directories whose files are still open, and that were looked for many names. */
#include "contract.h"

#define NAMES 10000 /* that aren't there: the kernel remembers them */
#define FILES 3000

/* CPU time of rmdir, after "files" open files were removed from the directory and NAMES looked up. */
static long long cost_of_rmdir(const char *dir, int files)
{
	int fds[FILES];
	char name[64];
	struct stat st;
	long long start;

	OK(mkdir(dir, 0755));
	for (int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "%s/f%d", dir, i);
		fds[i] = new_file(name, O_RDWR, 0600);
	}
	for (int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "%s/f%d", dir, i);
		OK(unlink(name));
	}
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%s/n%d", dir, i);
		CHECK_ERR(stat(name, &st), ENOENT);
	}
	start = now_ns(CLOCK_THREAD_CPUTIME_ID);
	OK(rmdir(dir));
	start = now_ns(CLOCK_THREAD_CPUTIME_ID) - start;
	for (int i = 0; i < files; i++)
		OK(close(fds[i]));
	return start;
}

TEST(rmdir_costs_no_product_of_open_files_and_remembered_names)
{
	struct rlimit r = {FILES + 100, FILES + 100};
	long long without, with;

	OK(setrlimit(RLIMIT_NOFILE, &r));
	without = cost_of_rmdir("a", 0);
	with = cost_of_rmdir("b", FILES);
	if (with > 8 * without + 100 * MSEC)
		FAIL("rmdir: expected a cost near %lld us, got %lld us", without / 1000,
			with / 1000);
}
