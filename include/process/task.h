/*
 * Tasks and processes. A task is one thread of execution with its own tid; a process (thread
 * group) is what shares pid, signals' disposition and exit. Every other resource is a pointer of
 * the task that one clone flag shares or copies (process/clone.c's table).
 *
 * Life of a task: created by task_clone -> runs -> task_exit (drops resources, becomes ZOMBIE as
 * leader, or is released at once) -> reaped by wait or auto-reaped -> freed with the last reference
 * after a grace period.
 *
 * Locks: g_tasklist_lock (RANK_TASKLIST; readers use RCU) for parent/children, groups, sessions;
 * process->siglock (RANK_SIGHAND, interrupts off) for signal state; task->lock (RANK_TASK) for
 * pointers to shared resources when read by others (procfs).
 */
#ifndef PROCESS_TASK_H
#define PROCESS_TASK_H

#include <sched/thread.h>
#include <sched/timer.h>
#include <vm/mm.h>
#include <cred/cred.h>
#include <vfs/file.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/resource.h>
#include <linux/rseq.h>
#include <linux/futex.h>

struct process;
struct session;
struct tty;

/* A number that names a task, process, group or session; lives while any of them uses it. */
struct pid {
	struct refcount refs;
	s32 nr;
	struct task *task;	/* RCU; NULL when reaped */
	struct process *process; /* RCU: thread group with this id, or NULL */
	struct list_head group_members;	  /* processes with this pgrp; tasklist lock */
	struct list_head session_members; /* processes with this session; tasklist lock */
	struct wait_queue exit_wait; /* pidfd poll, woken when the process exits */
	struct rcu_head rcu;
};
struct pid *pid_find(s32 nr);		/* RCU held; NULL */
struct pid *pid_get(s32 nr);		/* referenced or NULL */
static inline void get_pid(struct pid *p)
{
	ref_get(&p->refs);
}
void put_pid(struct pid *p);

struct sigqueue { /* one queued siginfo */
	struct list_head link;
	siginfo_t info;
	struct user_account *user; /* charged; NULL: preallocated (timers) */
	bool prealloc;
};
struct sigpending {
	struct list_head queue;
	sigset_t set;
};

struct sighand { /* dispositions; shared by CLONE_SIGHAND */
	struct refcount refs;
	struct spinlock lock;	   /* RANK_SIGHAND */
	struct sigaction action[64]; /* index signal - 1 */
};

struct itimer_state {
	s64 value_ns, interval_ns;
};

struct process {
	struct refcount refs;
	struct pid *pid;		/* thread group id; immutable */
	struct task *leader;		/* tasklist lock */
	struct list_head threads;	/* task.thread_link; tasklist lock, RCU readers */
	s32 nr_threads, live_threads;	/* tasklist lock */
	struct process *parent;		/* real parent; tasklist lock, RCU */
	struct list_head children, sibling;
	struct pid *pgrp;		/* tasklist lock */
	struct list_head pgrp_link, session_link;
	struct session *session;	/* tasklist lock to change, referenced */
	bool session_leader;

	struct sigpending pending;	/* shared; siglock = sighand->lock of leader (see process/signal.h) */
	struct wait_queue signalfd_wait;
	u32 flags;			/* PROC_*; siglock */
	int exit_status;		/* wait status when group exit is set; siglock */
	bool group_exit, exec_in_progress, group_stopped, stop_reported, continued_reported;
	int stop_sig;			/* siglock */
	s32 stop_count;
	struct task *group_exec_task;
	struct wait_queue wait_child;	/* wait4 of any of our threads */
	int exit_signal;		/* what the parent gets: SIGCHLD or clone's choice */
	bool child_subreaper, has_child_subreaper, dumped_core;
	s32 pdeath_unused;

	struct limits limits;		/* limits_lock to write */
	struct spinlock limits_lock;
	struct timer real_timer;	/* ITIMER_REAL */
	s64 real_interval_ns;
	struct itimer_state virt_timer, prof_timer;
	struct list_head posix_timers;	/* timer_create; siglock */
	u32 next_timer_id;

	/* accounts of dead threads, and of waited-for children; siglock */
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns, nvcsw, nivcsw, minflt, majflt, cminflt, cmajflt;
	u64 maxrss_pages, cmaxrss_pages, in_bytes, out_bytes;
	u64 start_ns;
	struct user_account *unused_user;
	s16 oom_score_adj, oom_score_adj_min;
	struct rcu_head rcu;
};

struct task {
	struct thread thread;	/* first */
	struct process *process; /* immutable */
	struct pid *pid;	/* thread id; own or exec's leader swap under tasklist lock */
	struct list_head thread_link, all_link;
	u32 state_flags;	/* TASK_* below; tasklist lock */
	int exit_code;		/* wait status of this task */

	struct spinlock lock;	/* RANK_TASK: pointers below when others look */
	struct mm *mm;		/* NULL: kernel thread, or exited */
	struct fd_table *files;
	struct fs_context *fs;
	struct sighand *sighand; /* RCU readers take sighand lock and re-check */
	const struct cred *real_cred; /* what others see; thread.cred is the effective one */

	sigset_t blocked, saved_mask, real_blocked; /* sighand lock; own thread reads freely */
	bool restore_saved_mask; /* sigsuspend, ppoll: saved_mask is restored when no handler runs */
	struct sigpending pending; /* sighand lock */
	stack_t altstack;	/* own thread */
	struct restart_block {
		long (*fn)(struct restart_block *rb); /* NULL: none */
		u64 arg[6];
	} restart;		/* own thread; process/signal.h */
	int pdeath_signal;
	int __user *clear_child_tid;
	int __user *set_child_tid;
	struct robust_list_head __user *robust_list;
	struct rseq __user *rseq;
	u32 rseq_len, rseq_sig;
	struct completion *vfork_done;
	u32 personality;	/* atomic */
	bool no_new_privs, did_exec, in_execve, dumpable_unused;
	u8 keep_caps_unused;
	u64 minflt, majflt;
	u64 io_read_bytes, io_write_bytes, io_syscr, io_syscw;
	u64 timer_slack_unused;
	void (*work_fn_unused)(void);
	struct list_head work;	/* struct task_work; WORK_NOTIFY */
	struct spinlock work_lock;
	u32 trace_flags;	/* --trace, logging once per program */
	u64 logged_calls[8];	/* unknown calls already logged for this program */
	struct rcu_head rcu;
};
#define TASK_ZOMBIE 1u
#define TASK_DEAD   2u

struct session {
	struct refcount refs;
	struct pid *sid;
	struct tty *tty;	/* controlling terminal; tasklist lock */
	struct pid *tty_old_pgrp;
};

static inline struct task *current_task(void) /* only in threads that run user programs */
{
	return container_of(current_thread(), struct task, thread);
}
bool thread_is_task(const struct thread *t);
static inline struct process *current_process(void)
{
	return current_task()->process;
}
static inline struct vfs_env current_env(void)
{
	struct task *t = current_task();
	return (struct vfs_env){ .cred = t->thread.cred, .fs = t->fs, .task = t };
}
static inline s32 task_tid(const struct task *t)
{
	return t->pid->nr;
}
static inline s32 process_pid(const struct process *p)
{
	return p->pid->nr;
}
void get_task(struct task *t);
void put_task(struct task *t);
void get_process(struct process *p);
void put_process(struct process *p);
struct task *task_find(s32 tid);       /* referenced or NULL */
struct process *process_find(s32 pid); /* referenced or NULL; zombies included */

/* Iterate: next live-or-zombie process with pid > *pid, referenced; NULL at the end. O(log n). */
struct process *process_next(s32 *pid);
struct task *process_thread_next(struct process *p, s32 after_tid); /* referenced; NULL at the end */

/* The resources of another task, referenced, or NULL once it has exited. */
struct mm *task_get_mm(struct task *t);
struct fd_table *task_get_files(struct task *t);
struct fs_context *task_get_fs(struct task *t);
const struct cred *task_get_cred(struct task *t);

struct task_work {
	struct list_head link;
	void (*fn)(struct task_work *w);
};
int task_work_add(struct task *t, struct task_work *w) must_check; /* -ESRCH: it has exited */

/* ---- creation, exec, exit --------------------------------------------------------------------- */
struct clone_args_k { /* clone3's arguments after checking */
	u64 flags;
	int __user *pidfd;
	int __user *child_tid, *parent_tid;
	int exit_signal;
	unsigned long stack, stack_size, tls;
	s32 set_tid[1];
	u32 set_tid_count;
};
long task_clone(const struct clone_args_k *args) must_check; /* child's pid, or error */

/* Create process 1 in a thread of its own; it runs start() inside the kernel (which ends in
 * process_exec_kernel) and, when that returned 0, enters user mode. Returns at once: 0, -ENOMEM. */
int process_start_init(int (*start)(void)) must_check;

/* execve: f is the opened program or NULL to open by name. argv/envp user pointers. */
int process_exec(const struct path *base, const char *name, struct file *f, int at_flags,
	const char __user *const __user *argv, const char __user *const __user *envp) must_check;
int process_exec_kernel(const char *path, const char *const *argv, const char *const *envp) must_check;

noreturn void task_exit(int code);	     /* this thread; code is a wait status */
noreturn void process_group_exit(int code); /* all threads */

/* wait4/waitid core */
struct wait_request {
	int type;	  /* P_ALL, P_PID, P_PGID, P_PIDFD resolved to P_PID */
	struct pid *pid;  /* referenced by caller */
	int options;	  /* WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, __WCLONE, __WNOTHREAD */
	/* results */
	s32 found;	  /* 0 with WNOHANG and nothing there */
	int status;	  /* wait4's status */
	int cause, si_status; /* CLD_*, waitid */
	kuid_t uid;
	struct rusage ru;
};
int process_wait(struct wait_request *rq) must_check; /* 0, -ECHILD, -ERESTARTSYS */

void process_get_rusage(struct process *p, int who, struct rusage *ru);
u64 process_limit(const struct process *p, int resource); /* rlim_cur */
static inline u64 rlimit(int resource)
{
	return process_limit(current_process(), resource);
}

/* Permission to act on another (ptrace-style access: procfs, process_vm_*, pidfd_getfd, futex lists). */
bool task_may_access(struct task *t, bool attach, bool real_creds) must_check;

#define PROC_NR_MAX_DEFAULT 32768 /* pid_max */
extern s32 g_pid_max;

#endif
