/* SPDX-License-Identifier: MIT */
/*
 * A table of system calls with odd arguments and what Linux answers. They are made in processes
 * forked from one that has the files and the memory named here ready, a new one after each success.
 * A call in which AXIS stands is made for every value of its table's axis: kinds of open files,
 * pointers, paths.
 */
#pragma once
#include "contract.h"
#include <sys/timerfd.h>
#include <sys/uio.h>

/* Any result that isn't an error. */
#define SOME LONG_MAX
/* Not tested. */
#define ANYTHING (LONG_MIN + 1)
/* The process was ended by a signal. */
#define KILLED(sig) (LONG_MAX - 1 - (sig))

/* Stand for what is known only when the call is made. */
#define MAGIC      0x0dd0add00dd0a000l
#define AXIS       (MAGIC + 1) /* the value of the axis */
#define SELF       (MAGIC + 2) /* the caller's process number */
#define THREAD     (MAGIC + 3) /* number of another process's thread, not the leader */
#define NO_PROCESS 4190000l

enum {                 /* what is open */
	FILE_FD = 100, /* "file", 5000 bytes, read and write */
	FILE_RO,
	FILE_WO,
	FILE_AP, /* O_APPEND */
	DIR_FD,  /* the working directory */
	PATH_FD, /* "file", O_PATH */
	PATH_DIR,
	PIPE_R, /* empty; non-blocking, as all below that can block */
	PIPE_W,
	EVENT_FD,
	TIMER_FD,
	SIGNAL_FD,
	EPOLL_FD,
	INOTIFY_FD,
	PID_FD, /* of process 1 */
	MEM_FD,
	SOCK_FD,   /* one end of a pair of streams */
	LISTEN_FD, /* a bound socket that listens */
	NULL_FD,   /* /dev/null */
	MASTER_FD, /* pseudo-terminal */
	SLAVE_FD,
	PROC_FD, /* /proc/self/status */
	CLOSED_FD,
};

/* Fixed addresses. */
#define BUF       0x10000000l /* 64 KiB of zeros, readable and writable */
#define RO_PAGE   0x10100000l
#define FILE_MAP  0x10200000l /* the first 8 KiB of "file", shared */
#define LAST_BYTE 0x10300fffl /* the next page isn't there */
#define HOLE      0x10000000000l
#define BAD       0x10l
#define KERNEL    ((long)0xffff888000001000ul)
#define ARGS      ((struct edge_args *)0x10400000l)
#define A(field)  ((long)&ARGS->field)

struct edge_args {
	struct timespec now, ms, ns_too_big, ns_negative, sec_negative;
	struct timespec times[2], bad_times[2];
	struct timeval tv, usec_too_big;
	struct itimerspec its, its_ns_too_big;
	struct itimerval itv, itv_usec_too_big;
	struct iovec iov, iov_bad, iov_huge[2], iov_negative;
	struct pollfd pollfd;
	struct flock lock, lock_type, lock_whence, lock_negative, lock_overflow;
	struct rlimit rlimit, rlimit_turned;
	struct sched_param prio0, prio1, prio100;
	sigset_t empty_set, usr1_set;
	stack_t stack_small, stack_flag;
	uint64_t open_how[4], open_how_flag[4], open_how_mode[4], open_how_resolve[4];
	uint64_t one, minus_one, max_offset;
	uint32_t epoll_in[4], epoll_exclusive_oneshot[4];
	int zero, minus, word;
	uint32_t cap_v3[2], cap_bad[2], cap_negative[2];
	char long_name[300], long_path[5000];
};

struct edge_is {
	long want;
	unsigned long of; /* which values of the axis: bits */
};

#define EDGE_ANSWERS 12 /* different ones of one call */

struct edge_call {
	const char *text;
	long nr;
	long args[6];
	struct edge_is is[EDGE_ANSWERS]; /* no value of the axis twice */
};

struct edge_axis {
	const char *name;
	long value;
};

#define EDGE_ARGS(...) __VA_ARGS__
#define IS(want_, values)                       \
	{                                       \
		.want = (want_), .of = (values) \
	}
/* The answer for all values that aren't named. */
#define EDGE_REST  (1ul << 63)
#define REST(want) IS(want, EDGE_REST)
/* A call along an axis: its answers. */
#define X(name, args, ...)                                                        \
	{                                                                         \
#name #args, SYS_##name, {EDGE_ARGS args }, .is = { __VA_ARGS__ } \
	}
/* A call without an axis. */
#define R(want, name, ...)                                                                   \
	{                                                                                    \
#name "(" #__VA_ARGS__ ")", SYS_##name, {__VA_ARGS__ }, .is = { REST(want) } \
	}

struct edge_table {
	const struct edge_call *calls;
	size_t nr;
	const struct edge_axis *axis;
	size_t values;
};

#define EDGE_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define EDGE_TABLE(calls_, axis_)                                        \
	{                                                                \
		(calls_), EDGE_COUNT(calls_), (axis_), EDGE_COUNT(axis_) \
	}

/* Makes all calls; their results. Once per process. */
const long *edge_make(const struct edge_table *t);
/* Makes all calls and reports the ones that differ. */
void edge_check(const struct edge_table *t);

#define EDGE_TEST(name, calls, axis)                                        \
	TEST(name)                                                          \
	{                                                                   \
		static const struct edge_table t = EDGE_TABLE(calls, axis); \
		edge_check(&t);                                             \
	}
