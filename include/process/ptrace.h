/*
 * ptrace(2). A thread (tracee) is traced by one thread (tracer) of another process, from TRACEME,
 * ATTACH, SEIZE, or being born by a tracee, until DETACH, its own end, or its tracer's.
 *
 * States of a tracee:
 *
 *   running: pt.stopped is false. It runs, sleeps in a call, or is on its way to a stop.
 *
 *   stopped: pt.stopped is true, in ptrace_stop(), which only it enters: at a signal, at a system
 * call, at an event, for a group stop, for INTERRUPT. It stays until the tracer resumes it, or
 * leaves it, or SIGKILL comes. waitable: wait has not yet told the tracer.
 *
 *   listening: stopped and LISTENed. There is no stop to be waited for, but SIGCONT or INTERRUPT
 * make one anew.
 *
 *   held: stopped, and busy. The tracer looks into it or changes it; SIGKILL has to wait then.
 *
 * What could go wrong, and what keeps it from it:
 *
 *   A tracer dies: its exit takes all its tracees off its list under the tasklist lock; those in a
 *   stop run on, into the group stop if there is one, or die (EXITKILL).
 *
 *   exec beside attach: exec holds process->exec_lock from reading the credentials on until it is
 *   done, attach holds it while it judges and links. So attach judges what it gets, and a traced
 *   exec knows that it is traced and gains no rights.
 *
 *   SIGKILL beside a stop: a stop is entered under siglock after a look for SIGKILL, and SIGKILL is
 *   sent under it, so one sees the other. No request can stop a killed task again.
 *
 *   A stop lost beside CONT: the tracer's resume and the tracee's stop both change pt.stopped under
 *   siglock; a resume finds a stop or is refused with ESRCH. The state THREAD_STOPPED is set under
 *   siglock before stopped can be seen.
 *
 *   Registers read while they change: a request waits until the tracee has left its CPU, which it
 * is about to do once stopped is set.
 *
 * Locks: the link (pt.tracer, pt.link, pt.tracees) changes under the tasklist lock and the tracee's
 * siglock, and is read under either; the rest under the tracee's siglock, unless it says otherwise.
 */
#ifndef PROCESS_PTRACE_H
#define PROCESS_PTRACE_H

#include <core/refcount.h>
#include <lib/list.h>
#include <asm/siginfo.h>
#include <asm/signal.h>

struct cred;
struct pt_regs;
struct task;

enum ptrace_mode { PTRACE_RUN, PTRACE_CALLS, PTRACE_STEP }; /* CONT, SYSCALL, SINGLESTEP */

struct ptrace_state {
	struct task *tracer; /* NULL: not traced; not referenced: its exit ends it */
	struct list_head link;
	struct list_head tracees;       /* of this task; tasklist lock */
	const struct cred *tracer_cred; /* who asked for it, as it was then; referenced */
	u32 options;                    /* PTRACE_O_* */
	bool seized;
	u8 mode;      /* enum ptrace_mode */
	bool stopped; /* the states above */
	bool waitable, listening, busy;
	bool trap;             /* is to stop for a group stop or INTERRUPT */
	bool group_stop;       /* this stop is one of those */
	int code, cause;       /* of the stop: bits 8.. of wait's status; CLD_* */
	int resume_signal;     /* what the tracer wants delivered */
	unsigned long message; /* GETEVENTMSG */
	siginfo_t *info;       /* of the stop, on the tracee's stack; NULL: there is none */
	u8 call_op;            /* PTRACE_SYSCALL_INFO_* of the stop */
	/* own thread */
	bool stepping; /* the trap flag is set for the tracer; also its, while it is stopped */
	bool watched;  /* inside a system call that tells its exit itself */
};

/* Number of tasks that trace system calls or step: others needn't look. Atomic. */
extern u32 g_ptrace_watching;

/* ---- requests of tracers; all for the current task ---- */
int ptrace_traceme(void) must_check;
/* -EPERM, -ESRCH, -ERESTARTNOINTR, -EINVAL -EIO options. */
int ptrace_attach(struct task *t, bool seize, unsigned long options) must_check;
/* The tracee is the current task's, stopped, and stays so until ptrace_release. -ESRCH. any: also
 * when it isn't stopped; then it isn't held, and *held says so. */
int ptrace_hold(struct task *t) must_check;
void ptrace_release(struct task *t);
/* The tracee, held, goes on with sig (0: none); it is released. -EIO: no such signal. */
int ptrace_resume(struct task *t, enum ptrace_mode mode, unsigned long sig) must_check;
int ptrace_detach(struct task *t, unsigned long sig) must_check;          /* the same */
int ptrace_set_options(struct task *t, unsigned long options) must_check; /* held; -EINVAL */
int ptrace_kill(struct task *t) must_check;
int ptrace_interrupt(struct task *t) must_check; /* -EIO: not seized */
int ptrace_listen(struct task *t) must_check;    /* held; -EIO: no group stop of a seized one */
int ptrace_get_siginfo(struct task *t, siginfo_t *out) must_check;      /* held; -EINVAL */
int ptrace_set_siginfo(struct task *t, const siginfo_t *in) must_check; /* held; -EINVAL */
/* The n'th queued signal: 0 none, 1 found. */
int ptrace_peek_siginfo(struct task *t, bool shared, u64 n, siginfo_t *out) must_check;
void ptrace_set_mask(struct task *t, sigset_t mask); /* held */
bool ptrace_is_tracer(struct task *t) must_check;    /* the current task of t */
/* Bytes of the tracee's memory, also where it may not write itself. Held. -EIO: none, or closed to
 * the tracer. */
ssize_t ptrace_access(
	struct task *t, unsigned long addr, void *buf, size_t len, bool write) must_check;

/* ---- what happens to tracees; all for the current task ---- */
/* Entry of a system call. False: killed, it must not be made. */
bool ptrace_call_enter(struct pt_regs *regs) must_check;
void ptrace_call_exit(struct pt_regs *regs);
s32 task_tracer_tid(struct task *t); /* 0: none */

#endif
