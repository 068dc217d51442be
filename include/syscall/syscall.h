/*
 * System calls: dispatch and tracing. Handlers are sys_NAME(typed arguments), prototypes generated
 * from kernel/syscall/table.def. They copy in, validate, call down, copy out; they keep no state.
 */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include <arch/thread.h>
#include <syscall_kinds.h>

struct syscall_desc {
	const char *name;
	long (*call)(const struct pt_regs *regs);
	u8 nr_args;
	u8 kinds[6]; /* enum syscall_arg_kind */
};

extern const struct syscall_desc g_syscalls[SYSCALL_NR_MAX + 1];

/* Arch upcall: run the call that regs describe and set its return value. Interrupts on. */
void syscall_dispatch(struct pt_regs *regs);

/* Tracing (trace=syscalls): one line per call to the log, as strace prints it. */
void syscall_trace_enter(const struct pt_regs *regs);
void syscall_trace_exit(const struct pt_regs *regs, long nr, long ret);

/* A traced task ends inside a call: free its line. */
struct task;
extern const struct process_trace g_syscall_process_trace; /* signals and ends */
void syscall_trace_forget(struct task *t);

/* Log once per program that it used something this kernel doesn't have. what: a short name, the
 * number distinguishes within it. */
void syscall_log_unknown(const char *what, unsigned long number);

#include <syscalls.h>
#endif
