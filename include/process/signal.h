/*
 * Signals. signal_send_* queue; one function (signal_deliverable) decides what the current task
 * would take next; the return to user mode delivers. KILL and STOP are stripped wherever a mask is
 * stored (signal_set_blocked_locked is the only writer of task->blocked).
 */
#ifndef PROCESS_SIGNAL_H
#define PROCESS_SIGNAL_H

#include <process/task.h>
#include <arch/platform.h>
#include <linux/signal.h>

#define NR_SIGNALS   64
#define SIG_RT_FIRST 32 /* SIGRTMIN as the kernel counts */
#define sig_bit(sig) (1ul << ((sig)-1))
#define SIG_SYNC_MASK                                                              \
	(sig_bit(SIGSEGV) | sig_bit(SIGBUS) | sig_bit(SIGILL) | sig_bit(SIGTRAP) | \
		sig_bit(SIGFPE) | sig_bit(SIGSYS))
#define SIG_STOP_MASK (sig_bit(SIGSTOP) | sig_bit(SIGTSTP) | sig_bit(SIGTTIN) | sig_bit(SIGTTOU))

/* Queue info for one thread or for the process. 0, -EAGAIN (real-time queue full: SI_QUEUE etc.),
 * -ESRCH. Any context below RANK_SIGHAND. info NULL: SI_KERNEL. */
int signal_send_task(struct task *t, int sig, const siginfo_t *info);
int signal_send_process(struct process *p, int sig, const siginfo_t *info);
int signal_send_pgrp(struct pid *pgrp, int sig, const siginfo_t *info); /* -ESRCH when empty */
/* A fault of the current task: forced (unblocked, and default action if it was blocked or ignored).
 */
void signal_force(int sig, int code, unsigned long addr);
void signal_force_info(const siginfo_t *info);
/* kill(2): number, 0, -1, group; sig 0 only checks. -EINVAL -ESRCH -EPERM. */
int signal_kill(s32 nr, int sig) must_check;
/* tgkill(2); tgid 0: tkill. info describes the sender. */
int signal_kill_thread(s32 tgid, s32 tid, int sig, const siginfo_t *info) must_check;
/* With permission check; sig 0 only checks. */
int signal_queue_info(struct process *p, int sig, const siginfo_t *info) must_check;
/* sigaltstack(2): either may be NULL; sp: the user's stack pointer. -EPERM -EINVAL -ENOMEM. */
int signal_set_altstack(const stack_t *new_stack, stack_t *old, unsigned long sp) must_check;
/* sigaction(2); either may be NULL. -EINVAL. */
int signal_set_action(int sig, const struct sigaction *act, struct sigaction *old) must_check;
/* sigtimedwait: the signal's number, -EAGAIN at the deadline, -EINTR. */
int signal_wait(sigset_t set, siginfo_t *info, s64 deadline_ns) must_check;
long signal_return(void); /* rt_sigreturn(2) */
/* May the current task send sig to p (kill(2) rules)? 0 or -EPERM. */
int signal_may_send(struct process *p, int sig) must_check;

static inline bool signal_is_pending(void)
{
	return thread_has_work(current_thread(), WORK_SIGNAL);
}
bool signal_fatal_pending(const struct task *t);

/* Set the current task's mask (KILL and STOP stripped), recompute pending work. */
void task_set_blocked(sigset_t mask);
/* Temporary mask of ppoll, pselect, sigsuspend, epoll_pwait: set, and restore on return to user. */
int task_set_temp_mask(const sigset_t __user *mask, size_t size) must_check;
void task_restore_mask(bool interrupted); /* interrupted: leave for delivery */

/* Take the next signal of set for sigwait/signalfd without delivery: number or 0. Own task. */
int signal_dequeue(struct task *t, sigset_t set, siginfo_t *info);
sigset_t signal_pending_set(struct task *t);
/* Copy siginfo in the layout user space expects. */
int siginfo_to_user(siginfo_t __user *to, const siginfo_t *from) must_check;

/* Upcall work: on return to user mode. */
void process_exit_to_user(struct pt_regs *regs);
void process_user_exception(struct pt_regs *regs, int sig, int code, unsigned long addr);
bool process_page_fault(struct pt_regs *regs, const struct fault_info *fi);
void process_fork_child(void);

/* Arrange that restart_syscall(2) calls fn; returns -ERESTART_RESTARTBLOCK. */
long restart_set(long (*fn)(struct restart_block *), u64 a0, u64 a1, u64 a2, u64 a3, u64 a4);

/* Does who F_SETOWN named still exist? file->lock or a copy. */
struct file_owner;
bool file_owner_alive(const struct file_owner *o);

/* Job control for terminals: */
bool process_is_orphaned_pgrp(struct pid *pgrp);
int tty_check_job(struct pid *fg, int sig); /* SIGTTIN/TTOU rules: 0 go on, -EIO, -ERESTARTSYS */

#endif
