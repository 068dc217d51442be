/* SPDX-License-Identifier: MIT */
/* Shared by the tests of ptrace: system calls by hand, children to trace. */
#pragma once
#include "contract.h"
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif

/* As the kernel has it: PEEK* store where data points. */
static inline long pt(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

#define PT(request, pid, addr, data) \
	OK(pt(request, pid, (unsigned long)(addr), (unsigned long)(data)))

static inline long peek(pid_t pid, volatile void *addr)
{
	long v;

	PT(PTRACE_PEEKDATA, pid, addr, &v);
	return v;
}

/* The tracee's next stop: its wait status. */
static inline int wait_stop(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	if (!WIFSTOPPED(status))
		FAIL("expected a stop, got wait status %#x", status);
	return status >> 8;
}

#define EXPECT_STOP(pid, code)                                                       \
	do {                                                                         \
		int code_ = wait_stop(pid);                                          \
		if (code_ != (code))                                                 \
			FAIL("%s: expected stop %#x, got %#x", #pid, (code), code_); \
	} while (0)

#define EVENT(e) (SIGTRAP | (e) << 8)

static inline struct user_regs_struct regs_of(pid_t pid)
{
	struct user_regs_struct r;

	PT(PTRACE_GETREGS, pid, 0, &r);
	return r;
}

/* Without what C libraries do around it: musl blocks signals meanwhile. */
static inline void raise_raw(int sig)
{
	OK(syscall(SYS_tgkill, getpid(), gettid_raw(), sig));
}

/* A child that has called TRACEME and stopped itself; it goes on with fn. */
static inline pid_t traced_child(void (*fn)(void))
{
	pid_t pid = FORK();

	if (!pid) {
		PT(PTRACE_TRACEME, 0, 0, 0);
		raise_raw(SIGSTOP);
		fn();
		_exit(0);
	}
	EXPECT_STOP(pid, SIGSTOP);
	return pid;
}

static inline void do_nothing(void)
{
}

static inline void sleep_forever(void)
{
	for (;;)
		pause();
}

/* One that knows nothing of being traced. */
static inline pid_t sleeper(void)
{
	pid_t pid = FORK();

	if (!pid)
		sleep_forever();
	await_sleep(pid);
	return pid;
}

static inline void kill_tracee(pid_t pid)
{
	OK(kill(pid, SIGKILL));
	expect_signal(pid, SIGKILL);
}
