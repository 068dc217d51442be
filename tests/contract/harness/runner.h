/* SPDX-License-Identifier: MIT */
/* Between the runner and the checks: how a test's process reports. */
#pragma once

/* The write end of the report pipe in a test's process. */
#define REPORT_FD 200
/* Exit status of a test that does not apply here. */
#define EXIT_SKIP 77

/* Leak accounting (counters.c): what /proc/aramid/counters said at one moment. */
#define COUNTERS_MAX 256
struct counters {
	int nr;
	struct {
		char name[48];
		long value;
	} entry[COUNTERS_MAX];
};

/* False when this kernel has no counters. */
int counters_read(struct counters *c);
/* The kernel has complained since. */
int counters_warned(const struct counters *before);
/* Writes the first leak to text and returns 1, or returns 0. */
int counters_leak(
	const struct counters *before, const struct counters *after, char *text, size_t len);
