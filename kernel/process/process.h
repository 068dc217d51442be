/*
 * Inside kernel/process: what its files share. Public: include/process.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <process/task.h>
#include <process/signal.h>
#include <core/log.h>
#include <lib/err.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/personality.h>
#include <arch/uaccess.h>

/* ---- pid.c ---- */
/* A fresh number (want 0) or exactly want; not attached yet. -EAGAIN -EEXIST -ENOMEM */
struct pid *pid_alloc(s32 want) must_check;
void pid_release_number(struct pid *p); /* one that was never attached */
void pid_attach(struct pid *p);         /* tasklist lock */
void pid_detach(struct pid *p);         /* tasklist lock; the last use frees the number */
struct pid *pid_find_next(s32 after);   /* RCU held; the next number in use */

/* ---- task.c ---- */
extern struct list_head g_processes; /* tasklist lock */
extern const struct process_tty_ops
	*g_process_tty; /* NULL: no terminals; immutable after start-up */
extern const struct process_sysv_ops *g_process_sysv; /* immutable after start-up */
struct process *process_alloc(void) must_check;       /* refs 1; NULL */
/* NULL: no memory. entry NULL: the caller makes it a fork of parent. */
struct task *task_alloc(
	struct process *p, const struct task *parent, void (*entry)(void *), void *arg) must_check;
void task_free_unstarted(struct task *t); /* a task that was never made visible */
void get_sighand(struct sighand *s);
void put_sighand(struct sighand *s);
struct sighand *sighand_alloc(void) must_check;
struct session *session_alloc(struct pid *sid) must_check;
void task_charge_user(struct task *t, struct user_account *u); /* NULL: uncharge */
bool task_over_nproc(const struct cred *c);
void task_swap_fs(struct task *t, struct fs_context *fs); /* own or unseen; leaves the old one */
void task_work_run(struct task *t);
void task_work_close(struct task *t);

#define for_each_thread(t, p) list_for_each_entry(t, &(p)->threads, thread_link)

/* ---- signal.c: under siglock ---- */
int signal_send_locked(
	struct process *p, struct task *target, int sig, const siginfo_t *info, bool force);
/* A timer's preallocated entry. -EALREADY: it is queued yet; -ENOENT: ignored. */
int signal_queue_timer_locked(
	struct process *p, struct task *target, struct sigqueue *q) must_check;
void signal_recalc(struct task *t);           /* siglock; set WORK_SIGNAL if there is something */
void signal_recalc_own(void);                 /* siglock; current: set or clear */
void signal_wake(struct task *t, bool fatal); /* siglock */
sigset_t signal_deliverable(const struct task *t);
int signal_dequeue_locked(struct task *t, sigset_t set, siginfo_t *info);
void signal_flush(struct sigpending *q, sigset_t mask); /* siglock */
void signal_kill_others_locked(struct process *p, struct task *except);
void signal_start_group_exit_locked(struct process *p, int status);
bool signal_handler_ignored(const struct process *p, int sig);
void signal_fill_user(siginfo_t *info, int sig, int code);
bool signal_is_core(int sig);
bool signal_is_ignored_by_default(int sig);
void signal_set_blocked_locked(sigset_t mask); /* siglock; current */
void signal_retarget_locked(struct task *leaving, sigset_t set);
void signal_force_segv(int failed_sig);
void signal_force_fatal(int sig); /* default action, whatever was set */

/* ---- stop.c ---- */
void stop_notify_parent(struct process *p, int cause); /* no locks held */
bool stop_counts_locked(struct process *p); /* one thread more has stopped; true: the last one */
bool stop_begin_locked(struct task *t, int sig);
void stop_participate(struct task *t); /* siglock held on entry, dropped */
void stop_continue_locked(struct process *p);
bool stop_thread_leaves_locked(struct task *t);
bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *ignored);
void pgrp_orphan_check_locked(struct process *p, struct process *old_parent, bool leaving);

/* ---- exit.c ---- */
/* Reaped: nobody finds it any more. Returns the leader, to be given to process_put_released after
 * the lock is dropped. tasklist lock. */
struct task *process_release_locked(struct process *p) must_check;
void process_put_released(struct task *leader);
void task_release_locked(struct task *t); /* unlink a dead thread; tasklist lock */
void task_put_released(struct task *t);   /* the list's reference and the NPROC charge; no lock */
void task_mm_release(struct task *t, struct mm *mm);
void task_leave_mm(struct task *t, struct mm *mm);
bool process_is_zombie(const struct process *p); /* tasklist lock */
/* Tell the parent; true: nobody will wait, reap it. tasklist lock. */
bool process_notify_parent_locked(struct process *p);
void process_own_times(struct process *p, u64 *utime_ns, u64 *stime_ns); /* siglock or tasklist */

/* ---- rusage.c ---- */
void rusage_fill_locked(struct process *p, int who, struct rusage *ru); /* tasklist lock */
u64 mm_resident(const struct mm *mm);                                   /* pages */

/* ---- futex_robust.c ---- */
void robust_list_exit(struct task *t);

/* ---- cputime.c ---- */
#define IGNORED_REARM_NS NS_PER_MS /* shortest period of a timer whose signal nobody takes */
void cpu_timers_init(struct process *p);
void cpu_timers_stop(struct process *p); /* last thread has gone */
/* Expire what is due, which sends signals, and set the timer for the rest. Not from where signals
 * are taken or flushed: there, pull. siglock. */
void cpu_timers_update_locked(struct process *p);
/* Something new expires when left_ns more CPU time is used (0: has): look at it by then. siglock. */
void cpu_timers_pull_locked(struct process *p, u64 left_ns);
void real_timer_fired(struct timer *t);
void real_timer_taken_locked(struct process *p); /* SIGALRM left p->pending */

/* ---- posix_timer.c ---- */
void posix_timers_exit(struct process *p);
void posix_timer_dequeued_locked(struct sigqueue *q, siginfo_t *info);
void posix_timer_flushed_locked(struct sigqueue *q);
/* Expire what is due at these times of p; ns of CPU time until the next one. siglock. */
u64 posix_cpu_timers_check_locked(struct process *p, u64 utime_ns, u64 stime_ns);

/* ---- rseq.c ---- */
void rseq_fix(struct task *t, struct pt_regs *regs, bool signal);
void rseq_fork(struct task *child, u64 clone_flags, const struct task *parent);
void rseq_exec(struct task *t);

/* ---- pidfd.c ---- */
int pidfd_reserve(struct pid *pid, struct file **f) must_check; /* descriptor, to be installed */

/* ---- coredump.c ---- */
/* While another thread of the process writes a core file, which shows this one. */
void core_park(struct task *t);
bool coredump_write(int sig, const siginfo_t *info, struct pt_regs *regs);

/* ---- clone.c ---- */
void fork_set_child_tid(struct task *t);

#endif
