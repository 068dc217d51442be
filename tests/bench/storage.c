// SPDX-License-Identifier: MIT
/* Files on the root disk (ext4): data buffered and direct, cached and not; many small files; trees.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define DISK   "/bench"
#define BIG    DISK "/big"
#define MIB    (1 << 20)
#define SIZE   (32 * MIB) /* of the file that is read and written */
#define LARGE  100000     /* names in the large folder */
#define SPREAD 50         /* files in each folder of a tree */

static char *g_buf;

static void start(void)
{
	mkdir(DISK, 0755);
	if (!g_buf)
		g_buf = aligned_alloc(4096, MIB);
	memset(g_buf, 'x', MIB);
}

static void drop_caches(void)
{
	int fd = MUST(open("/proc/sys/vm/drop_caches", O_WRONLY));

	sync();
	MUST(write(fd, "3", 1));
	close(fd);
}

/* ---- data -------------------------------------------------------------------------------------- */

static void no_big(long n)
{
	(void)n;
	start();
	unlink(BIG);
	sync();
}

static void write_big(int flags, long unit, long n)
{
	int fd = MUST(open(BIG, O_WRONLY | O_CREAT | flags, 0644));

	for (long at = 0; at < n; at += unit)
		if (pwrite(fd, g_buf, unit, at) != unit)
			cannot("pwrite: %m");
	close(fd);
}

static void have_big(long n)
{
	struct stat st;

	(void)n;
	start();
	if (stat(BIG, &st) || st.st_size != SIZE)
		write_big(O_TRUNC, MIB, SIZE);
	sync();
}

static void have_big_cached(long n)
{
	int fd;

	have_big(n);
	fd = MUST(open(BIG, O_RDONLY));
	for (long at = 0; at < SIZE; at += MIB)
		MUST(pread(fd, g_buf, MIB, at));
	close(fd);
}

static void have_big_cold(long n)
{
	have_big(n);
	drop_caches();
}

static void read_big(int flags, long unit, long n)
{
	int fd = MUST(open(BIG, O_RDONLY | flags));

	for (long at = 0; at < n; at += unit)
		if (pread(fd, g_buf, unit, at) != unit)
			cannot("pread: %m");
	close(fd);
}

static unsigned int g_seed;

static long somewhere(void)
{
	g_seed = g_seed * 1103515245 + 12345;
	return (g_seed >> 8) % (SIZE / 4096) * 4096l;
}

static void random_big(int flags, int writes, int syncs, long n)
{
	int fd = MUST(open(BIG, O_RDWR | flags));

	g_seed = 1;
	for (long i = 0; i < n; i++) {
		long at = somewhere();

		if ((writes ? pwrite(fd, g_buf, 4096, at) : pread(fd, g_buf, 4096, at)) != 4096)
			cannot("4 KiB: %m");
		if (syncs)
			MUST(fdatasync(fd));
	}
	close(fd);
}

static void write_1m(long n)
{
	write_big(0, MIB, n);
}

static void write_4k(long n)
{
	write_big(0, 4096, n);
}

static void write_1m_fsync(long n)
{
	int fd;

	write_big(0, MIB, n);
	fd = MUST(open(BIG, O_RDONLY));
	MUST(fsync(fd));
	close(fd);
}

static void write_1m_direct(long n)
{
	write_big(O_DIRECT, MIB, n);
}

static void read_1m(long n)
{
	read_big(0, MIB, n);
}

static void read_4k(long n)
{
	read_big(0, 4096, n);
}

static void read_1m_direct(long n)
{
	read_big(O_DIRECT, MIB, n);
}

static void random_read(long n)
{
	random_big(0, 0, 0, n);
}

static void random_write(long n)
{
	random_big(0, 1, 0, n);
}

static void random_read_direct(long n)
{
	random_big(O_DIRECT, 0, 0, n);
}

static void random_write_direct(long n)
{
	random_big(O_DIRECT, 1, 0, n);
}

static void random_write_sync(long n)
{
	random_big(0, 1, 1, n);
}

static void append_fsync(long n)
{
	int fd = MUST(open(DISK "/log", O_WRONLY | O_CREAT | O_APPEND, 0644));

	for (long i = 0; i < n; i++) {
		MUST(write(fd, g_buf, 4096));
		MUST(fsync(fd));
	}
	close(fd);
}

/* ---- many files -------------------------------------------------------------------------------- */

static void file_name(char *name, const char *folder, long i)
{
	sprintf(name, DISK "/%s/file%ld", folder, i);
}

static void each_file(const char *folder, long n, void (*fn)(const char *))
{
	char name[80];

	for (long i = 0; i < n; i++) {
		file_name(name, folder, i);
		fn(name);
	}
}

static void create_one(const char *name)
{
	int fd = MUST(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644));

	MUST(write(fd, g_buf, 1000));
	close(fd);
}

static void stat_one(const char *name)
{
	struct stat st;

	MUST(stat(name, &st));
}

static void read_one(const char *name)
{
	int fd = MUST(open(name, O_RDONLY));

	MUST(read(fd, g_buf, 4096));
	close(fd);
}

static void unlink_one(const char *name)
{
	MUST(unlink(name));
}

static void many_folder(long n)
{
	(void)n;
	start();
	MUST(mkdir(DISK "/many", 0755));
}

static void many_create(long n)
{
	each_file("many", n, create_one);
}

static void many_stat(long n)
{
	each_file("many", n, stat_one);
}

static void many_read(long n)
{
	each_file("many", n, read_one);
}

static void many_unlink(long n)
{
	each_file("many", n, unlink_one);
}

static void many_filled(long n)
{
	many_folder(n);
	many_create(n);
}

static void many_gone(long n)
{
	many_unlink(n);
	MUST(rmdir(DISK "/many"));
}

static void many_folder_gone(long n)
{
	(void)n;
	MUST(rmdir(DISK "/many"));
}

/* Ten times the names cost the same per name: a folder of 1,000, 10,000 and 100,000. */
static void large_filled(long names)
{
	char name[80], folder[20];
	struct stat st;

	start();
	sprintf(folder, "large%ld", names);
	file_name(name, folder, names - 1);
	if (stat(name, &st) == 0)
		return;
	sprintf(name, DISK "/%s", folder);
	MUST(mkdir(name, 0755));
	for (long i = 0; i < names; i++) {
		file_name(name, folder, i);
		MUST(mknod(name, S_IFREG | 0644, 0));
	}
	sync();
}

static void large_use(long names, long n)
{
	char name[80], folder[20];
	struct stat st;

	sprintf(folder, "large%ld", names);
	for (long i = 0; i < n; i++) {
		file_name(name, folder, names + i);
		MUST(mknod(name, S_IFREG | 0644, 0));
		MUST(stat(name, &st));
		MUST(unlink(name));
	}
}

static void large_1(long n)
{
	(void)n;
	large_filled(LARGE / 100);
}

static void large_10(long n)
{
	(void)n;
	large_filled(LARGE / 10);
}

static void large_100(long n)
{
	(void)n;
	large_filled(LARGE);
}

static void large_use_1(long n)
{
	large_use(LARGE / 100, n);
}

static void large_use_10(long n)
{
	large_use(LARGE / 10, n);
}

static void large_use_100(long n)
{
	large_use(LARGE, n);
}

/* ---- trees ------------------------------------------------------------------------------------- */

static long g_trees;

static void tree_make(long n)
{
	char name[100];

	sprintf(name, DISK "/tree%ld", ++g_trees);
	MUST(mkdir(name, 0755));
	for (long i = 0; i < n; i++) {
		int fd;

		sprintf(name, DISK "/tree%ld/d%ld", g_trees, i / SPREAD);
		if (i % SPREAD == 0)
			MUST(mkdir(name, 0755));
		sprintf(name, DISK "/tree%ld/d%ld/source%ld.c", g_trees, i / SPREAD, i % SPREAD);
		fd = MUST(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600));
		MUST(write(fd, g_buf, 500 + i * 7919 % 12000));
		MUST(fchmod(fd, 0644));
		MUST(futimens(fd, NULL));
		close(fd);
	}
}

static long walk(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	struct stat st;
	char child[600];
	long n = 0;

	if (!d)
		cannot("opendir %s: %m", path);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		MUST(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
		n++;
		if (S_ISDIR(st.st_mode)) {
			snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
			n += walk(child);
		}
	}
	closedir(d);
	return n;
}

static void tree_before(long n)
{
	(void)n;
	start();
}

static void tree_there(long n)
{
	start();
	if (access(DISK "/tree1", F_OK)) /* another row's process may have made it */
		tree_make(n);
	walk(DISK "/tree1");
}

static void tree_there_cold(long n)
{
	tree_there(n);
	drop_caches();
}

static void tree_walk(long n)
{
	if (walk(DISK "/tree1") != n + n / SPREAD)
		cannot("the tree isn't whole");
}

static const struct row rows[] = {
	{"disk_write_1m", "MiB/s", SIZE, no_big, write_1m},
	{"disk_write_4k", "MiB/s", SIZE, no_big, write_4k},
	{"disk_write_1m_fsync", "MiB/s", SIZE, no_big, write_1m_fsync},
	{"disk_write_1m_direct", "MiB/s", SIZE, have_big, write_1m_direct},
	{"disk_rewrite_4k_cached", "MiB/s", SIZE, have_big_cached, write_4k},
	{"disk_read_1m_cold", "MiB/s", SIZE, have_big_cold, read_1m},
	{"disk_read_4k_cold", "MiB/s", SIZE, have_big_cold, read_4k},
	{"disk_read_1m_cached", "MiB/s", SIZE, have_big_cached, read_1m},
	{"disk_read_4k_cached", "MiB/s", SIZE, have_big_cached, read_4k},
	{"disk_read_1m_direct", "MiB/s", SIZE, have_big, read_1m_direct},
	{"disk_randread_4k_cached", "ns", 4000, have_big_cached, random_read},
	{"disk_randread_4k_cold", "ns", 1000, have_big_cold, random_read},
	{"disk_randread_4k_direct", "ns", 1000, have_big, random_read_direct},
	{"disk_randwrite_4k", "ns", 4000, have_big_cached, random_write},
	{"disk_randwrite_4k_direct", "ns", 1000, have_big, random_write_direct},
	{"disk_randwrite_4k_fdatasync", "ns", 200, have_big_cached, random_write_sync},
	{"disk_append_4k_fsync", "ns", 200, no_big, append_fsync},
	{"files10k_create", "ns", 10000, many_folder, many_create, many_gone},
	{"files10k_stat", "ns", 10000, many_filled, many_stat, many_gone},
	{"files10k_read", "ns", 10000, many_filled, many_read, many_gone},
	{"files10k_unlink", "ns", 10000, many_filled, many_unlink, many_folder_gone},
	{"dir1k_create_stat_unlink", "ns", 2000, large_1, large_use_1},
	{"dir10k_create_stat_unlink", "ns", 2000, large_10, large_use_10},
	{"dir100k_create_stat_unlink", "ns", 2000, large_100, large_use_100},
	{"tree20k_untar", "ns", 20000, tree_before, tree_make},
	{"tree20k_find_warm", "ns", 20000, tree_there, tree_walk},
	{"tree20k_find_cold", "ns", 20000, tree_there_cold, tree_walk},
};
const struct rows storage_rows = ROWS(rows);
