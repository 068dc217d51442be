// SPDX-License-Identifier: MIT
/* Mappings and page faults. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define PAGE 4096L

static char *g_area;
static int g_fd;

static void *map_anonymous(long bytes)
{
	return MUST_MAP(
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static void touch_run(long pages)
{
	volatile char *p = map_anonymous(pages * PAGE);

	for (long i = 0; i < pages; i++)
		p[i * PAGE] = 1;
	g_area = (char *)p;
}

static void unmap_area(long pages)
{
	munmap(g_area, pages * PAGE);
}

static void map_unmap_run(long n)
{
	while (n--) {
		volatile char *p = map_anonymous(65536);

		p[0] = 1;
		munmap((char *)p, 65536);
	}
}

static void fill_file(long pages)
{
	static char page[PAGE];

	g_fd = MUST(open(WORK "/mapped", O_RDWR | O_CREAT, 0644));
	for (long i = 0; i < pages; i++)
		MUST(pwrite(g_fd, page, PAGE, i * PAGE));
}

static void touch_file_run(long pages)
{
	volatile char *p = MUST_MAP(mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, g_fd, 0));
	long sum = 0;

	for (long i = 0; i < pages; i++)
		sum += p[i * PAGE];
	(void)sum;
	g_area = (char *)p;
}

static void drop_file(long pages)
{
	unmap_area(pages);
	close(g_fd);
	unlink(WORK "/mapped");
}

/* The child writes to every page that it shares with its parent, and times that. */
static long long cow_time(long pages)
{
	long long *shared = MUST_MAP(
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	volatile char *p = map_anonymous(pages * PAGE);
	long long ns;
	pid_t pid;

	MUST(madvise((char *)p, pages * PAGE, MADV_NOHUGEPAGE) + 1);
	for (long i = 0; i < pages; i++)
		p[i * PAGE] = 1;
	pid = MUST(fork());
	if (pid == 0) {
		long long start = now_ns();

		for (long i = 0; i < pages; i++)
			p[i * PAGE] = 2;
		*shared = now_ns() - start;
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	ns = *shared;
	munmap((char *)p, pages * PAGE);
	munmap(shared, PAGE);
	return ns;
}

static void protect_before(long n)
{
	(void)n;
	g_area = map_anonymous(4 * PAGE);
	memset(g_area, 1, 4 * PAGE);
}

/* One operation: a page becomes read-only, or writable again and is written to. */
static void protect_run(long n)
{
	volatile char *page = g_area + PAGE;

	for (long i = 0; i < n; i += 2) {
		MUST(mprotect((char *)page, PAGE, PROT_READ));
		MUST(mprotect((char *)page, PAGE, PROT_READ | PROT_WRITE));
		page[0] = 1;
	}
}

static void protect_after(long n)
{
	(void)n;
	munmap(g_area, 4 * PAGE);
}

static const struct row rows[] = {
	{"mmap16M_touch_4k", "ns", 4096, .run = touch_run, .after = unmap_area},
	{"mmap_munmap_64k", "ns", 1000, .run = map_unmap_run},
	{"mmap_file_touch_tmpfs", "ns", 2048, fill_file, touch_file_run, drop_file},
	{"cow_fault", "ns", 1024, .self_timed = cow_time},
	{"mprotect_1page", "ns", 2000, protect_before, protect_run, protect_after},
};
const struct rows memory_rows = ROWS(rows);
