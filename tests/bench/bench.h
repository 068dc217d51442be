/*
 * A benchmark row: one operation's cost, or one transfer's rate.
 *
 * Each row runs in a process of its own. A sample is `count` operations, timed as a whole; `before`
 * and `after` are not timed. The counts are fixed, so that two runs do the same work.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>

struct row {
	const char *name;
	const char *unit; /* "ns": cost of one operation; "MiB/s": rate, count are bytes */
	long count;
	void (*before)(long count); /* NULL: nothing to prepare */
	void (*run)(long count);
	void (*after)(long count);
	long long (*self_timed)(long count); /* instead of run: returns the ns itself */
};

struct rows {
	const struct row *rows;
	int count;
};
#define ROWS(array)                                       \
	{                                                 \
		array, sizeof(array) / sizeof((array)[0]) \
	}

extern const struct rows call_rows, ipc_rows, memory_rows, process_rows, file_rows, storage_rows;

/* Where the files of a row are made: an empty folder on a tmpfs. */
#define WORK "/dev/shm/bench"

long long now_ns(void);

/* Ends the row: it cannot be measured here, and why. */
void __attribute__((noreturn, format(printf, 1, 2))) cannot(const char *format, ...);

/* For calls that must succeed for the row to mean anything. */
#define MUST(call)                               \
	({                                       \
		__auto_type _r = (call);         \
		if (_r < 0)                      \
			cannot("%s: %m", #call); \
		_r;                              \
	})
#define MUST_MAP(call)                           \
	({                                       \
		void *_p = (call);               \
		if (_p == MAP_FAILED)            \
			cannot("%s: %m", #call); \
		_p;                              \
	})

#endif
