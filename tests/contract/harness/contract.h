/* SPDX-License-Identifier: MIT */
/*
 * Contract tests: each TEST is one behaviour that a program may rely on under Linux.
 *
 * A test runs in a fresh process that leads its own session, as root, in an empty directory on
 * tmpfs. It passes when it returns. A failed CHECK anywhere, also in a child or a thread, writes
 * "expected ..., got ..." to the report pipe, ends that process, and fails the test.
 */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test_case {
	const char *name;
	void (*run)(void);
	struct test_case *next;
};

/* A program of its own inside the area's binary: `self --helper NAME ARG...`. */
struct helper_case {
	const char *name;
	int (*run)(int argc, char **argv);
	struct helper_case *next;
};

void test_register(struct test_case *t);
void helper_register(struct helper_case *h);

#define TEST(name_)                                                                \
	static void test_##name_(void);                                            \
	__attribute__((constructor)) static void register_##name_(void)            \
	{                                                                          \
		static struct test_case t = {.name = #name_, .run = test_##name_}; \
		test_register(&t);                                                 \
	}                                                                          \
	static void test_##name_(void)

#define HELPER(name_)                                                                  \
	static int helper_##name_(int argc, char **argv);                              \
	__attribute__((constructor)) static void register_helper_##name_(void)         \
	{                                                                              \
		static struct helper_case h = {.name = #name_, .run = helper_##name_}; \
		helper_register(&h);                                                   \
	}                                                                              \
	static int helper_##name_(                                                     \
		int argc __attribute__((unused)), char **argv __attribute__((unused)))

/* Absolute path of the running binary. */
extern char self_path[PATH_MAX];

/* Exit status of a process whose CHECK failed. */
#define EXIT_CHECK_FAILED 111

void fail_at(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void skip_test(const char *why) __attribute__((noreturn));
const char *errno_name(int err);

#define FAIL(...) fail_at(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		errno = 0;                                                                         \
		if (!(cond))                                                                       \
			FAIL("%s: expected true, got false (errno %s)", #cond, errno_name(errno)); \
	} while (0)

/* Compares as long long; prints both. */
#define CHECK_EQ(got, expected)                                                          \
	do {                                                                             \
		errno = 0;                                                               \
		long long got_ = (long long)(got);                                       \
		int err_ = errno;                                                        \
		long long exp_ = (long long)(expected);                                  \
		if (got_ != exp_)                                                        \
			FAIL("%s: expected %lld, got %lld (errno %s)", #got, exp_, got_, \
				errno_name(err_));                                       \
	} while (0)

#define CHECK_STR(got, expected)                                                   \
	do {                                                                       \
		const char *got_ = (got), *exp_ = (expected);                      \
		if (strcmp(got_, exp_))                                            \
			FAIL("%s: expected \"%s\", got \"%s\"", #got, exp_, got_); \
	} while (0)

/* The call must not return -1; its value is the value of the expression. */
#define OK(call)                                                                        \
	({                                                                              \
		errno = 0;                                                              \
		__typeof__(call) ret_ = (call);                                         \
		if ((long)ret_ == -1)                                                   \
			FAIL("%s: expected success, got %s", #call, errno_name(errno)); \
		ret_;                                                                   \
	})

/* The call must return -1 with errno `err`. */
#define CHECK_ERR(call, err)                                                                       \
	do {                                                                                       \
		errno = 0;                                                                         \
		long ret_ = (long)(call);                                                          \
		int err_ = errno;                                                                  \
		if (ret_ != -1)                                                                    \
			FAIL("%s: expected %s, got %ld", #call, errno_name(err), ret_);            \
		if (err_ != (err))                                                                 \
			FAIL("%s: expected %s, got %s", #call, errno_name(err), errno_name(err_)); \
	} while (0)

/* pthread style: the call returns an error number. */
#define CHECK_PT(call) CHECK_EQ(call, 0)

/* ---- processes ---- */
#define FORK() OK(fork())
int wait_status(pid_t pid); /* status word of a child that must exist */
void expect_exit(pid_t pid, int code);
void expect_signal(pid_t pid, int sig);
/* Waits until the thread sleeps in the kernel (state S) or is stopped (state T). */
void await_state(pid_t tid, char state);
#define await_sleep(tid) await_state(tid, 'S')
/* Fills argv for a helper and execs it; returns only on failure. */
int exec_helper(const char *name, ...) __attribute__((sentinel));
void become_user(uid_t uid, gid_t gid);
pid_t gettid_raw(void);

/* ---- synchronisation by pipe ---- */
struct gate {
	int r, w;
};
struct gate gate_make(void);
void gate_open(struct gate g);
void gate_wait(struct gate g);

/* ---- time ---- */
#define MSEC 1000000ll
#define SEC  1000000000ll
long long now_ns(clockid_t clock);
void sleep_ns(long long ns);
struct timespec ts_of(long long ns);

/* ---- files ---- */
void write_file(const char *path, const char *text);
/* Contents as a string in a static buffer of 256 KiB; -1 from open is a failure. */
char *read_text(const char *path);
int new_file(const char *path, int flags, mode_t mode);
size_t page_size(void);
/* A page that is mapped, followed by one that is not. */
char *guarded_page(void);
/* An address that is never mapped. */
#define BAD_PTR    ((void *)0x10)
#define KERNEL_PTR ((void *)0xffff888000001000ull)
void on_signal(int sig, void (*handler)(int), int flags);
