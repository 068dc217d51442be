/* Tracing inside kernel/process. */
#ifndef KERNEL_PROCESS_PTRACE_H
#define KERNEL_PROCESS_PTRACE_H

#include <process/ptrace.h>
#include "process.h"

void ptrace_init_task(struct task *t);
/* The state word that a tracer's request changes. siglock. */
void ptrace_set_mode_locked(struct task *t, enum ptrace_mode mode);
/* t is traced no more. tasklist lock and siglock; credentials to be put by the caller. */
const struct cred *ptrace_unlink_locked(struct task *t) must_check;
/* A new task becomes a tracee of its parent's tracer. tasklist lock, both siglocks as one needs. */
void ptrace_inherit_locked(struct task *child, struct task *parent);
/* Is the process's leader traced by somebody else's process than its parent? tasklist lock. */
bool ptrace_reparented(const struct task *t);

/* Stop the current task for its tracer, if it has one and isn't killed. No lock held. */
void ptrace_stop(int code, int cause, unsigned long message, siginfo_t *info);
/* A signal was taken: ask the tracer. The one to deliver, *info is its; 0: none. No lock held. */
int ptrace_signal(struct task *t, int sig, siginfo_t *info);
/* The stop of a group, or INTERRUPT's. No lock held. */
void ptrace_trap(struct task *t);
/* Something happened to the group stop: a seized tracee tells it. siglock. */
void ptrace_renotify_locked(struct task *t);
/* PTRACE_EVENT_*; ptrace_event_wanted: would it stop? */
bool ptrace_event_wanted(const struct task *t, int event);
void ptrace_event(int event, unsigned long message);
void ptrace_exec_event(s32 old_tid);
/* Which event is a clone with these flags? 0: none that is wanted. */
int ptrace_clone_event(const struct task *t, u64 flags, int exit_signal);
/* A handler's frame is made while the tracer steps. */
void ptrace_handler_begins(struct task *t, struct pt_regs *regs);
void ptrace_handler_set_up(struct task *t); /* the step ends at its first instruction */
/* On the way back to user mode: a call was left without telling its exit. */
void ptrace_exit_work(struct pt_regs *regs);
/* The current task ends: its tracees are free. Zombies among them are to be put by the caller. */
void ptrace_exit_tracer(struct task *t);
/* Tell who waits for t that its stop or end is there. tasklist lock. */
void ptrace_notify_tracer_locked(struct task *t, int cause, int status);

#endif
