// SPDX-License-Identifier: MIT
/* Making, listing and removing files on a tmpfs. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define FOLDER WORK "/many"

static void create_files(long n)
{
	char name[64];

	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), FOLDER "/file%ld", i);
		close(MUST(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644)));
	}
}

static void unlink_files(long n)
{
	char name[64];

	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), FOLDER "/file%ld", i);
		MUST(unlink(name));
	}
}

static void make_folder(long n)
{
	(void)n;
	MUST(mkdir(FOLDER, 0755));
}

static void remove_folder(long n)
{
	(void)n;
	MUST(rmdir(FOLDER));
}

static void make_filled(long n)
{
	make_folder(n);
	create_files(n);
}

static void remove_filled(long n)
{
	unlink_files(n);
	remove_folder(n);
}

static void list_run(long n)
{
	DIR *d = opendir(FOLDER);
	long seen = 0;

	if (!d)
		cannot("opendir: %m");
	while (readdir(d))
		seen++;
	closedir(d);
	if (seen != n + 2)
		cannot("%ld entries seen, not %ld", seen, n + 2);
}

static const struct row rows[] = {
	{"creat1000_tmpfs", "ns", 1000, make_folder, create_files, remove_filled},
	{"unlink1000_tmpfs", "ns", 1000, make_filled, unlink_files, remove_folder},
	{"dir10k_create_tmpfs", "ns", 10000, make_folder, create_files, remove_filled},
	{"dir10k_readdir_tmpfs", "ns", 10000, make_filled, list_run, remove_filled},
	{"dir10k_unlink_tmpfs", "ns", 10000, make_filled, unlink_files, remove_folder},
};
const struct rows file_rows = ROWS(rows);
