// SPDX-License-Identifier: MIT
/* Single system calls, the vDSO, signals. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

static void getpid_run(long n)
{
	while (n--)
		syscall(SYS_getpid);
}

static void clock_vdso_run(long n)
{
	struct timespec t;

	while (n--)
		clock_gettime(CLOCK_MONOTONIC, &t);
}

static void clock_call_run(long n)
{
	struct timespec t;

	while (n--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
}

static int g_fd = -1;

static void open_zero(long n)
{
	(void)n;
	g_fd = MUST(open("/dev/zero", O_RDONLY));
}

static void open_null(long n)
{
	(void)n;
	g_fd = MUST(open("/dev/null", O_WRONLY));
}

static void close_fd(long n)
{
	(void)n;
	close(g_fd);
}

static void read1_run(long n)
{
	char c;

	while (n--)
		MUST(read(g_fd, &c, 1));
}

static void write1_run(long n)
{
	char c = 0;

	while (n--)
		MUST(write(g_fd, &c, 1));
}

static void make_file(long n)
{
	static char page[4096];

	(void)n;
	g_fd = MUST(open(WORK "/file", O_RDWR | O_CREAT, 0644));
	MUST(pwrite(g_fd, page, sizeof(page), 0));
}

static void pread4k_run(long n)
{
	static char page[4096];

	while (n--)
		MUST(pread(g_fd, page, sizeof(page), 0));
}

static void open_close_run(long n)
{
	while (n--)
		close(MUST(open(WORK "/file", O_RDONLY)));
}

static void make_deep(long n)
{
	(void)n;
	mkdir(WORK "/a", 0755);
	mkdir(WORK "/a/b", 0755);
	mkdir(WORK "/a/b/c", 0755);
	close(MUST(open(WORK "/a/b/c/file", O_RDWR | O_CREAT, 0644)));
}

/* dev, shm, bench, a, b, c before the file's name would be six: from inside /dev it is five. */
static void stat_deep_run(long n)
{
	struct stat st;

	MUST(chdir("/dev"));
	while (n--)
		MUST(stat("shm/bench/a/b/c/file", &st));
}

static void on_signal(int sig)
{
	(void)sig;
}

static void sigaction_run(long n)
{
	struct sigaction sa = {.sa_handler = on_signal};

	while (n--)
		MUST(sigaction(SIGUSR1, &sa, NULL));
}

static void signal_self_run(long n)
{
	pid_t pid = getpid();

	while (n--)
		MUST(kill(pid, SIGUSR1));
}

static void set_handler(long n)
{
	(void)n;
	sigaction_run(1);
}

static const struct row rows[] = {
	{"getpid", "ns", 20000, .run = getpid_run},
	{"clock_gettime_vdso", "ns", 20000, .run = clock_vdso_run},
	{"clock_gettime_syscall", "ns", 20000, .run = clock_call_run},
	{"read1_devzero", "ns", 20000, open_zero, read1_run, close_fd},
	{"write1_devnull", "ns", 20000, open_null, write1_run, close_fd},
	{"pread4k_tmpfs", "ns", 10000, make_file, pread4k_run, close_fd},
	{"open_close_tmpfs", "ns", 5000, make_file, open_close_run, close_fd},
	{"stat_5deep_tmpfs", "ns", 5000, make_deep, stat_deep_run},
	{"sigaction", "ns", 20000, .run = sigaction_run},
	{"signal_self", "ns", 5000, set_handler, signal_self_run},
};
const struct rows call_rows = ROWS(rows);
