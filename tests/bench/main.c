// SPDX-License-Identifier: MIT
/* Runs the benchmark rows and prints `BENCH name median min max unit` for each, or
 * `BENCH name - - - reason`. Arguments: the number of samples, then names (none: all). */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define MAX_SAMPLES 64
#define ROW_SECONDS 300

static const char *g_row;

long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

void cannot(const char *format, ...)
{
	va_list ap;

	printf("BENCH %s - - - ", g_row);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	_exit(0);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double sample(const struct row *r)
{
	long long ns;

	if (r->before)
		r->before(r->count);
	if (r->self_timed) {
		ns = r->self_timed(r->count);
	} else {
		long long start = now_ns();

		r->run(r->count);
		ns = now_ns() - start;
	}
	if (r->after)
		r->after(r->count);
	if (ns <= 0)
		ns = 1;
	if (strcmp(r->unit, "MiB/s") == 0)
		return (double)r->count / (1 << 20) * 1e9 / ns;
	return (double)ns / r->count;
}

static void run_row(const struct row *r, int samples)
{
	double values[MAX_SAMPLES];
	double median;

	g_row = r->name;
	alarm(ROW_SECONDS);
	sample(r); /* caches, lazily made page tables, the emulator's translation */
	for (int i = 0; i < samples; i++)
		values[i] = sample(r);
	qsort(values, samples, sizeof(values[0]), by_value);
	median = values[samples / 2];
	printf("BENCH %s %.1f %.1f %.1f %s\n", r->name, median, values[0], values[samples - 1],
		r->unit);
	fflush(stdout);
}

static void run_in_child(const struct row *r, int samples)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		run_row(r, samples);
		exit(0);
	}
	if (pid < 0) {
		printf("BENCH %s - - - fork: %s\n", r->name, strerror(errno));
		return;
	}
	waitpid(pid, &status, 0);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		printf("BENCH %s - - - ended with wait status 0x%x\n", r->name, status);
	fflush(stdout);
}

static int wanted(const char *name, char **names)
{
	if (!*names)
		return 1;
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	static const struct rows *const in_memory[] = {
		&call_rows, &ipc_rows, &memory_rows, &process_rows, &file_rows, NULL};
	static const struct rows *const on_disk[] = {&storage_rows, NULL};
	struct statfs fs;
	/* A root on a disk is there for the rows about disks. */
	const struct rows *const *all = statfs("/", &fs) == 0 && fs.f_type == EXT4_SUPER_MAGIC
		? on_disk
		: in_memory;
	int samples = argc > 1 ? atoi(argv[1]) : 7;

	if (samples < 1 || samples > MAX_SAMPLES)
		samples = 7;
	signal(SIGPIPE, SIG_IGN);
	mkdir(WORK, 0755);
	for (; *all; all++)
		for (int k = 0; k < (*all)->count; k++)
			if (wanted((*all)->rows[k].name, argv + (argc > 1 ? 2 : 1)))
				run_in_child(&(*all)->rows[k], samples);
	printf("BENCH-END\n");
	return 0;
}
