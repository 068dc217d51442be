/*
 * Tasks and processes. A task is one thread of execution with its own tid; a process (thread
 * group) is what shares pid, signals' disposition and exit. Every other resource is a pointer of
 * the task that one clone flag shares or copies (process/clone.c's table).
 *
 * Life of a task: created by task_clone -> runs -> task_exit (drops resources, becomes ZOMBIE as
 * leader, or is released at once) -> reaped by wait or auto-reaped -> freed with the last reference
 * after a grace period.
 *
 * Locks: g_tasklist_lock (RANK_TASKLIST, interrupts off; lookups by number use RCU) for
 * parent/children, threads, groups, sessions; process->siglock (RANK_SIGHAND, interrupts off) for
 * signal state; task->lock (RANK_TASK) for pointers to shared resources when read by others.
 */
#ifndef PROCESS_TASK_H
#define PROCESS_TASK_H

#include <sched/thread.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include <vm/mm.h>
#include <cred/cred.h>
#include <vfs/file.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <linux/resource.h>
#include <linux/rseq.h>
#include <linux/futex.h>
#include <process/ptrace.h>

struct process;
struct sem_undo_list;
struct session;
struct tty;

extern struct spinlock g_tasklist_lock;

/* A number that names a task, process, group or session; lives while any of them uses it. */
struct pid {
	struct refcount refs;
	s32 nr;            /* immutable */
	u32 uses;          /* as tid, pgrp, sid; at 0 the number is free again; tasklist lock */
	struct task *task; /* RCU; NULL when reaped */
	struct process *process;          /* RCU: thread group with this id, or NULL */
	struct list_head group_members;   /* processes with this pgrp; tasklist lock */
	struct list_head session_members; /* processes with this session; tasklist lock */
	struct wait_queue exit_wait;      /* pidfd poll, woken when the process exits */
	struct rcu_head rcu;
};
struct pid *pid_find(s32 nr); /* RCU held; NULL */
struct pid *pid_get(s32 nr);  /* referenced or NULL */
static inline void get_pid(struct pid *p)
{
	ref_get(&p->refs);
}
void put_pid(struct pid *p); /* NULL allowed */

struct sigqueue { /* one queued siginfo */
	struct list_head link;
	siginfo_t info;
	struct user_account *user; /* charged; NULL: preallocated (timers) */
	struct posix_timer *timer; /* preallocated by this timer, or NULL */
};
struct sigpending {
	struct list_head queue;
	sigset_t set;
};

struct sighand { /* dispositions; shared by CLONE_SIGHAND */
	struct refcount refs;
	struct spinlock lock;        /* RANK_TASK, inside siglock */
	struct sigaction action[64]; /* index signal - 1; lock */
};

struct cpu_itimer {     /* ITIMER_VIRTUAL, ITIMER_PROF; siglock */
	u64 expires_ns; /* on the process's clock; 0: off */
	u64 interval_ns;
};

struct process {
	struct refcount refs;
	struct pid *pid;          /* thread group id; immutable, holds a reference */
	struct task *leader;      /* tasklist lock to change */
	struct list_head threads; /* task.thread_link; tasklist lock and siglock to change */
	s32 nr_threads;           /* not yet released; tasklist lock */
	s32 live_threads;         /* not yet exiting; atomic */
	struct process *parent;   /* real parent; tasklist lock, RCU */
	struct task
		*parent_task; /* thread that created us (PDEATHSIG, __WNOTHREAD); tasklist lock */
	struct list_head children, sibling; /* tasklist lock */
	struct list_head all_link;          /* g_processes; tasklist lock */
	struct pid *pgrp;                   /* tasklist lock, RCU; NULL: reaped */
	struct list_head pgrp_link, session_link;
	struct session *session;       /* tasklist lock to change, referenced */
	bool session_leader, did_exec; /* tasklist lock */
	u32 tty_binding; /* session->tty is ours, too, while this equals its binding; tasklist lock */

	struct spinlock siglock;    /* RANK_SIGHAND */
	struct sighand *sighand;    /* siglock; own threads read freely */
	struct sigpending pending;  /* shared; siglock */
	struct task *signal_target; /* next thread to try; siglock */
	struct wait_queue signalfd_wait;
	u32 flags;                         /* PROC_*; siglock */
	int exit_status;                   /* wait status when PROC_GROUP_EXIT is set; siglock */
	u8 stop_sig;                       /* signal of the stop in progress or done; siglock */
	bool stop_waitable, cont_waitable; /* wait has not taken it yet; siglock */
	u8 notify_parent; /* CLD_STOPPED/CONTINUED that the next thread reports; siglock */
	s32 stop_count;   /* threads that still have to stop; siglock */
	struct task *reaped_leader;   /* between release and the last put; the releaser's */
	struct task *exec_task;       /* thread that is getting rid of the others; siglock */
	struct wait_queue wait_child; /* wait4 of any of our threads */
	u32 nr_tracees;               /* of all our threads; tasklist lock */
	struct mutex exec_lock; /* RANK_EXEC: execve from its look at the credentials on; attach */
	struct wait_queue exec_wait; /* exec_task, for the others to be released */
	int exit_signal;             /* what the parent gets: SIGCHLD or clone's choice; tasklist */
	/* Which program: exit_signal counts only while they agree, and what asked to be signalled
	 * by a message queue only for the same one. tasklist; own threads read freely. */
	u64 exec_id, parent_exec_id;
	bool child_subreaper; /* adopts what its descendants leave; tasklist lock */

	struct limits limits;                   /* limits_lock to write */
	struct spinlock limits_lock;            /* RANK_TASK */
	struct timer real_timer;                /* ITIMER_REAL */
	s64 real_interval_ns, real_deadline_ns; /* siglock */
	bool real_waits; /* the next period begins when SIGALRM is taken; siglock */
	struct cpu_itimer virt_timer, prof_timer;
	struct timer cpu_timer;        /* polls CPU-time limits and timers while any is set */
	struct xarray posix_timer_ids; /* id -> timer; siglock */
	struct list_head posix_timers; /* timer_create; siglock */
	/* POSIX timers that wait for this process's time, user + system and user only, by expiry;
	 * and how many wait for a thread; siglock. */
	struct rb_root cpu_waiting[2];
	u32 nr_thread_waiting;
	/* Other processes' timers that wait for this one's time, alike; and this one's that
	 * another's time has reached. g_foreign_lock. */
	struct rb_root foreign_waiting[2];
	struct list_head foreign_due;
	s64 foreign_look_ns; /* monotonic; before it none of foreign_waiting can be due; read
				atomically */
	/* This process's times as other processes' timers last saw them; siglock. */
	u64 seen_utime_ns, seen_stime_ns;
	s64 seen_at_ns;
	s32 next_timer_id; /* siglock */

	/* accounts of dead threads, and of waited-for children; siglock */
	u64 utime_ns, stime_ns, cutime_ns, cstime_ns, nvcsw, nivcsw, cnvcsw, cnivcsw;
	u64 minflt, majflt, cminflt, cmajflt, maxrss_pages, cmaxrss_pages;
	u64 io_read_bytes, io_write_bytes, io_syscr, io_syscw;
	u64 io_disk_read, io_disk_written;    /* bytes */
	u64 start_ns;                         /* monotonic; immutable */
	s16 oom_score_adj, oom_score_adj_min; /* atomic */
	s64 oom_victim_ns;                    /* when PROC_OOM_VICTIM was set; siglock */
	struct rcu_head rcu;
};
/* process->flags */
#define PROC_GROUP_EXIT 1u  /* all threads are to exit with exit_status */
#define PROC_STOPPED    2u  /* every thread is stopped */
#define PROC_UNKILLABLE 4u  /* init: signals without handler are ignored, KILL and STOP too */
#define PROC_EXECING    8u  /* exec_task kills the other threads */
#define PROC_DUMPING    16u /* a thread writes a core file, the others wait for it (core_park) */
#define PROC_OOM_VICTIM 32u

struct restart_block {
	long (*fn)(struct restart_block *rb); /* NULL: none */
	u64 arg[6];
};

struct task {
	struct thread thread;    /* first; thread.refs counts the task's users */
	struct process *process; /* immutable, referenced */
	struct pid *pid;         /* thread id; changes only in exec's leader swap; tasklist lock */
	struct list_head thread_link;
	u32 state_flags; /* TASK_*; tasklist lock */
	int exit_code;   /* wait status of this task */

	struct spinlock lock; /* RANK_TASK: pointers below when others look */
	struct mm *mm;        /* NULL: exited */
	struct fd_table *files;
	struct fs_context *fs;

	sigset_t blocked;        /* siglock to write; own thread reads freely */
	sigset_t real_blocked;   /* sigtimedwait: what was blocked before; siglock */
	sigset_t saved_mask;     /* own thread: restored when no handler runs */
	bool restore_saved_mask; /* own thread: sigsuspend, ppoll */
	bool exiting;            /* takes no more signals; siglock */
	bool core_parked;        /* on its way out, waits for a core file to be written; siglock */
	bool stop_pending;       /* has to take part in the stop; siglock */
	bool stopped;            /* sits in the stop loop; siglock */
	bool stop_dequeued;      /* took a stop signal that no SIGCONT has undone; siglock */
	struct sigpending pending;     /* siglock */
	struct rb_root cpu_waiting[2]; /* as the process's, on this thread's clock; siglock */
	stack_t altstack;              /* own thread */
	struct restart_block restart;  /* own thread; process/signal.h */
	int pdeath_signal;             /* atomic */
	int __user *clear_child_tid;
	int __user *set_child_tid;
	struct robust_list_head __user *robust_list;
	struct rseq __user *rseq;
	u32 rseq_len, rseq_sig;
	struct completion *vfork_done;  /* task->lock */
	struct sem_undo_list *sem_undo; /* System V semaphores; NULL: nothing to undo; own thread */
	struct ptrace_state pt;         /* who traces it and whom it traces; its own rules */
	struct list_head shm_created;   /* System V segments it made; kernel/sysv's lock */
	u32 personality;                /* atomic */
	u16 ioprio;                     /* atomic */
	struct user_account *charged;   /* RLIMIT_NPROC: counts there; own thread */
	bool no_new_privs;
	bool nproc_exceeded; /* setuid went over RLIMIT_NPROC: execve refuses; own thread */
	u64 minflt, majflt;  /* own thread */
	/* what read- and write-like calls moved, and how many there were; own thread */
	u64 io_read_bytes, io_write_bytes, io_syscr, io_syscw;
	s64 default_slack_ns;
	struct list_head work; /* struct task_work; WORK_NOTIFY; work_lock */
	struct spinlock work_lock;
	bool work_closed;    /* exited: takes no more; work_lock */
	u64 logged_calls[8]; /* unknown calls already logged for this program */
	void *trace_line;    /* syscall tracer: line of the call in progress, kmalloc memory */
	struct rcu_head rcu;
};
#define TASK_ZOMBIE 1u /* leader waits for its parent */
#define TASK_DEAD   2u /* reaped */

struct session {
	struct refcount refs;
	struct pid *sid;
	struct tty *tty; /* controlling terminal; tasklist lock; referenced by tty's owner rules */
	u32 tty_binding; /* number of the binding to it, for process->tty_binding; the same */
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
/* For /proc/PID/io: one read- or write-like call of the current task that moved n bytes or failed. */
static inline void task_account_io(ssize_t n, bool write)
{
	struct task *t = current_task();

	*(write ? &t->io_syscw : &t->io_syscr) += 1;
	if (n > 0)
		*(write ? &t->io_write_bytes : &t->io_read_bytes) += (u64)n;
}
static inline struct vfs_env current_env(void)
{
	struct task *t = current_task();
	return (struct vfs_env){.cred = t->thread.cred, .fs = t->fs, .task = t};
}
static inline s32 task_tid(const struct task *t)
{
	return t->pid->nr;
}
static inline s32 process_pid(const struct process *p)
{
	return p->pid->nr;
}
static inline void get_task(struct task *t)
{
	get_thread(&t->thread);
}
static inline void put_task(struct task *t)
{
	put_thread(&t->thread);
}
static inline void get_process(struct process *p)
{
	ref_get(&p->refs);
}
void put_process(struct process *p);
void put_session(struct session *s);
struct task *task_find(s32 tid);                 /* referenced or NULL */
struct process *process_find(s32 pid);           /* referenced or NULL; zombies included */
struct process *process_find_of_thread(s32 tid); /* the same, by any thread's number */

/* Iterate: next live-or-zombie process with pid > *pid, referenced; NULL at the end; *pid is set to
 * the one found. Start with 0. */
struct process *process_next(s32 *pid);
bool process_is_child(struct process *p, struct task *of); /* made or adopted by that thread */
struct task *process_thread_next(
	struct process *p, s32 after_tid); /* referenced; NULL at the end */
/* The thread that stands for the process, referenced; NULL once reaped. */
struct task *process_get_leader(struct process *p);

/* The resources of another task, referenced, or NULL once it has exited. */
struct mm *task_get_mm(struct task *t);
struct fd_table *task_get_files(struct task *t);
struct fs_context *task_get_fs(struct task *t);
const struct cred *task_get_cred(struct task *t); /* never NULL */
struct file *mm_get_exe_file(struct mm *mm);      /* the program, referenced; NULL */

/* What /proc/PID/stat and status show about a task besides its memory. */
struct task_info {
	char state; /* R S D T t Z X */
	char name[16];
	s32 tid, pid, ppid, pgrp, sid, tpgid, nr_threads;
	u32 tty_nr;
	u64 minflt, cminflt, majflt, cmajflt, utime_ns, stime_ns, cutime_ns, cstime_ns;
	u64 nvcsw, nivcsw, start_ns;
	int nice, rt_priority, eff_priority, policy, cpu, exit_signal, exit_code;
	u64 affinity;
	sigset_t pending, shared_pending, blocked, ignored, caught;
	u32 queued_signals;
	bool no_new_privs;
};
/* whole: times, faults and switches summed over the process's threads. */
void task_get_info(struct task *t, bool whole, struct task_info *info);

struct task_work {
	struct list_head link;
	void (*fn)(struct task_work *w);
};
int task_work_add(struct task *t, struct task_work *w) must_check; /* -ESRCH: it has exited */

/* How late its sleeps may end; 0, or more than can be: its default again. Any thread. */
void task_set_timer_slack(struct task *t, u64 ns);
/* Rename the task (at most 15 bytes); any thread. */
void task_set_name(struct task *t, const char *name);

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
long task_unshare(unsigned long flags) must_check;

/* Create process 1 in a thread of its own; it runs start() inside the kernel (which ends in
 * process_exec_kernel) and, when that returned 0, enters user mode. Returns at once: 0, -ENOMEM. */
int process_start_init(int (*start)(void)) must_check;

/* execveat: name is a kernel string, argv/envp user pointers. On success the current frame starts
 * the new program. Errors as execve(2). */
int process_exec(int dirfd, const char *name, int at_flags, const char __user *const __user *argv,
	const char __user *const __user *envp) must_check;
int process_exec_kernel(
	const char *path, const char *const *argv, const char *const *envp) must_check;
/* Set by kernel/vdso: map the vdso into a fresh address space, setting mm->vdso. */
void process_set_vdso_hook(int (*map)(struct mm *mm));

noreturn void task_exit(int code);          /* this thread; code is a wait status */
noreturn void process_group_exit(int code); /* all threads */

/* wait4/waitid core */
struct wait_request {
	int type;        /* P_ALL, P_PID, P_PGID; a pidfd is resolved to P_PID */
	struct pid *pid; /* referenced by caller; NULL with P_PID: no such number */
	int options;     /* WNOHANG, WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WALL, __WCLONE,
			    __WNOTHREAD */
	/* results */
	s32 found;               /* 0 with WNOHANG and nothing there */
	int status;              /* wait4's status */
	int cause, child_status; /* CLD_*, waitid */
	kuid_t uid;
	struct rusage ru;
};
int process_wait(struct wait_request *rq) must_check; /* 0, -ECHILD, -ERESTARTSYS */

void process_get_rusage(
	struct process *p, int who, struct rusage *ru);  /* RUSAGE_SELF, CHILDREN, BOTH */
void task_get_rusage(struct task *t, struct rusage *ru); /* RUSAGE_THREAD, own */
static inline u64 process_limit(const struct process *p, int resource) /* rlim_cur */
{
	return READ_ONCE(p->limits.lim[resource].rlim_cur);
}
static inline u64 rlimit(int resource)
{
	return process_limit(current_process(), resource);
}
void process_get_times(
	struct process *p, u64 *utime_ns, u64 *stime_ns); /* all threads, dead ones too */
/* PR_SET_CHILD_SUBREAPER for the current process. */
void process_set_subreaper(bool on);
/* prlimit: either may be NULL. Permission to touch p was checked. -EPERM -EINVAL. */
int process_set_limit(struct process *p, int resource, const struct rlimit64 *new_limit,
	struct rlimit64 *old) must_check;

/*
 * Permission to look into another (ptrace-style access: procfs, process_vm_*, pidfd_getfd, futex
 * lists). An exec may put a program with more rights in the place of the one that was judged, so
 * there is no bare question: the judgement holds for a->mm, and for what is taken between begin and
 * end if end says that there was no exec meanwhile; else drop it and begin again. end is due after
 * begin in any case. real_creds: the caller's real ids count, not those for file access.
 */
struct task_access {
	struct task *task; /* borrowed */
	struct mm *mm;     /* the judged program's, referenced until end; NULL: it has exited */
	bool allowed;
};
bool task_access_begin(struct task_access *a, struct task *t, bool real_creds) must_check;
bool task_access_end(struct task_access *a) must_check;
/* The address space, referenced; NULL: it has exited; error pointer -EPERM. */
struct mm *task_access_mm(struct task *t, bool real_creds) must_check;
/* The file that t's descriptor names, referenced; error pointer -EPERM -EBADF -ESRCH. */
struct file *task_access_file(struct task *t, int fd, bool real_creds) must_check;

/* After cred_commit of other ids: the charge to the user. Called by the calls that set ids. */
void task_creds_changed(const struct cred *new_cred);

/* Terminals register these; process calls them with no lock held. */
struct process_tty_ops {
	/* The session's leader exits (exiting) or gives up its terminal: SIGHUP and SIGCONT to the
	 * foreground group, no controlling terminal any more. */
	void (*disassociate)(struct session *s, bool exiting);
	void (*info)(struct process *p, u32 *tty_nr, s32 *tpgid);
};
void process_set_tty_ops(const struct process_tty_ops *ops);

/* Who prints what processes do (trace=syscalls); set once at start-up. */
struct process_trace {
	/* t takes a signal, or would if it weren't ignored; info: NULL: the kernel's own. siglock. */
	void (*signal)(struct task *t, int sig, const siginfo_t *info);
	void (*exit)(struct task *t, int status); /* the current task ends */
};
extern const struct process_trace *g_process_trace; /* NULL: nobody */
/* System V IPC registers these. */
struct process_sysv_ops {
	/* CLONE_SYSVSEM: the child, not yet seen, shares its parent's list. -ENOMEM. */
	int (*share_undo)(struct task *child, struct task *parent);
	/* The task leaves its list (it may have none); the last one has it undone. Sleeps. */
	void (*drop_undo)(struct task *t);
	void (*exit)(struct task *t); /* the same, and for segments. Sleeps. */
};
void process_set_sysv_ops(const struct process_sysv_ops *ops);

/* pidfds */
struct pid *pidfd_pid(struct file *f); /* NULL: not a pidfd; borrowed from f */
struct file *pidfd_create(struct pid *pid, u32 o_flags) must_check; /* error pointer */

/* CPU-time clocks (clock_getcpuclockid's encoding and CLOCK_*_CPUTIME_ID). -EINVAL: no such. */
bool clock_is_cpu(int clockid);
bool clock_is_fd(int clockid);         /* a clock device's, of which there are none */
bool clock_is_own_thread(int clockid); /* counts only while the current task runs */
int clock_cpu_get(int clockid, s64 *ns) must_check;

#define PROC_NR_MAX_DEFAULT 32768 /* pid_max */
#define PROC_NR_MAX_LIMIT   4194304
extern s32 g_pid_max;
extern s32 g_last_pid;     /* loadavg's last field */
void pid_set_last(s32 nr); /* the next one is above it */
extern s32 g_threads_max;
extern s32 g_nr_tasks;                                 /* atomic */
extern int g_panic_on_oom, g_oom_kill_allocating_task; /* vm.*; atomic */
/* Kill whom the OOM killer would kill, or has begun to. False: nobody may be. */
bool oom_kill_now(void);
extern char g_core_pattern[128];
extern int g_core_uses_pid; /* kernel.core_uses_pid; atomic */
extern int g_suid_dumpable;

#endif
