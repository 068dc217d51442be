/*
 * Threads: what the scheduler runs. A user task (process/task.h) embeds one as its first member.
 *
 * States: RUNNING (on a CPU or a run queue), SLEEPING (woken by anything that names it),
 * INTERRUPTIBLE and KILLABLE (also woken by thread_interrupt, see there), STOPPED (job control;
 * only thread_wake_state with that bit), DEAD. One function decides whether a thread may be woken:
 * thread_wake_state().
 *
 * A sleeper's sequence: wait_prepare (sets the state), re-check the condition, sched_block, finish.
 * Most code uses the wait_event macros of sched/wait.h.
 */
#ifndef SCHED_THREAD_H
#define SCHED_THREAD_H

#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <arch/thread.h>
#include <core/refcount.h>
#include <core/rcu.h>
#include <core/spinlock.h>

#define THREAD_RUNNING       0u
#define THREAD_SLEEPING      1u
#define THREAD_INTERRUPTIBLE 2u
#define THREAD_KILLABLE      4u
#define THREAD_STOPPED       8u
#define THREAD_DEAD          16u

/* arch_thread.work bits (atomic, tested on every return to user mode). */
#define WORK_RESCHED    1u  /* sched: another thread should run */
#define WORK_SIGNAL     2u  /* process: look for deliverable signals, stop, exit */
#define WORK_NOTIFY     4u  /* process: task work (rseq, deferred fput, cred update) */
#define WORK_TRACE_EXIT 8u  /* syscall: trace or special handling at system call entry/exit */
#define WORK_RSEQ       16u /* process: rseq critical section to fix after a switch or signal */

struct cred;
struct arch_mm;
struct run_queue;

struct sched_entity { /* guarded by the run queue's lock */
	struct rb_node node;
	s64 vruntime_ns, deadline_ns;
	s64 min_vruntime_ns; /* least vruntime of the subtree at node */
	s64 lag_ns;          /* while not queued: how far behind the average it left */
	s64 slice_end_ns;    /* RR: sum_exec_ns at which the slice is used up */
	u32 weight;          /* from nice */
	u32 burst_ns;        /* running average: from switched in to blocked */
	u64 switched_in_ns;  /* sum_exec_ns then */
	u64 exec_start_ns, sum_exec_ns;
	struct list_head rt_link;
	struct list_head movable_link; /* in the queue's list, or empty */
	u64 rt_since_ns;           /* sum_exec_ns when it last went to sleep or became real-time */
	u64 queued_at_ns, wait_ns; /* when it began to wait for a CPU, and all such waits so far */
};

struct thread {
	struct arch_thread arch; /* first: assembly reaches it */
	u32 state;               /* THREAD_*; own thread sets, wakers clear (cmpxchg) */
	void *stack;             /* KSTACK_SIZE; immutable */
	struct refcount refs;
	struct run_queue *rq; /* where queued or last run; run queue lock */
	int cpu;              /* atomic read; run queue lock to change */
	bool on_cpu, on_rq;   /* run queue lock */
	u8 policy;            /* SCHED_NORMAL, FIFO, RR, BATCH, IDLE, DEADLINE (linux/sched.h) */
	s8 nice;              /* -20..19 */
	u8 rt_priority;       /* 1..99 for FIFO and RR */
	u8 eff_priority;      /* the own or the inherited one, which counts; 0: not real-time */
	bool reset_on_fork;
	u64 affinity; /* CPU mask; run queue lock */
	struct sched_entity se;
	u64 nvcsw, nivcsw;                /* own CPU */
	u64 utime_ns, stime_ns;           /* what ticks saw; read with thread_times */
	u64 told_utime_ns, told_stime_ns; /* thread_times' last answer; run queue lock */
	bool in_reclaim;                  /* own thread: no reclaim inside reclaim */
	u32 gfp_scope;                    /* GFP_* added to all its allocations; own thread */
	void *journal;                    /* jbd2: the open handle; own thread */
	struct blk_plug *plug;            /* block layer: bios held back; own thread */
	u32 nr_dirtied;                   /* pages since balance_dirty looked; own thread */
	bool cleans_pages; /* dirty pages of others get clean by it: balance_dirty doesn't hold it
			      up; own thread */
	u64 nr_io_waits;   /* sleeps that waited for storage; own thread */
	u64 io_read, io_written; /* bytes from and to storage; own thread */
	u64 start_ns;            /* monotonic; immutable */
	const struct cred *cred; /* effective credentials (cred/cred.h), referenced; own
				   thread changes; NULL, as in kernel threads: the first */
	struct arch_mm *mm; /* user address space or NULL; changed by own thread in thread_use_mm */
	/* WORK_* to set when the thread is switched in, having been interrupted in user mode or on
	 * another CPU than worked_cpu, where it was set last; own thread */
	u32 switch_work;
	int worked_cpu; /* -1: at the next switch; own thread, or who switches to it */
	s64 timer_slack_ns;
	/* Priority inheritance: futex_pi.c's lock */
	u8 pi_priority;               /* inherited; 0: none */
	bool pi_dead;                 /* dying: owns no PI lock any more */
	struct rb_root pi_owned;      /* contended locks it owns */
	struct pi_waiter *pi_blocked; /* it waits for a PI lock */
	s64 hung_since_ns;            /* hung-task watcher: seen waiting since; 0: not */
	u64 hung_switches;            /* and its switches then */
	char name[16];                /* comm; task->lock to write, readers may see a torn name */
	struct list_head all_link;    /* list of all threads (sched/debug) */
	struct rcu_head rcu;
#if DEBUG
	u32 locks_held; /* sleeping locks */
	u16 lock_ranks[16];
#endif
	void (*entry)(void *); /* thread_prepare */
	void *arg;
	void (*free)(struct thread *t); /* last reference gone; set by who created it */
};

DECLARE_PER_CPU(struct thread *, g_current_thread);
static inline struct thread *current_thread(void)
{
	return this_cpu_read(g_current_thread);
}

/* Kernel thread, runnable after thread_wake(). Name as printf. Error pointer -ENOMEM. */
struct thread *kthread_create(void (*fn)(void *), void *arg, const char *fmt, ...) must_check
	printf_like(3, 4);
struct thread *kthread_run(void (*fn)(void *), void *arg, const char *fmt, ...) must_check
	printf_like(3, 4);
/* Kernel threads may simply return from fn, or call: */
noreturn void thread_exit(void); /* also used by process: the thread's last act */

/* For process: set up the scheduler's part of a zeroed thread embedded in a task (state RUNNING but
 * not queued; inherits policy, nice, affinity from parent). free is called when refs drop to 0. */
int thread_init(
	struct thread *t, const struct thread *parent, void (*free)(struct thread *)) must_check;
/* The thread will start in entry(arg), which may return. For others than kthread_create's. */
void thread_prepare(struct thread *t, void (*entry)(void *), void *arg);
/* First thing a forked child does (arch_upcalls.fork_child): completes the switch to it. */
void thread_fork_begin(void);
void thread_deinit(struct thread *t); /* undo thread_init for one that never ran */
void thread_start(struct thread *t);  /* first time on a run queue, places it */
void thread_log_current(void);        /* this CPU's thread and its user registers, any context */
static inline void get_thread(struct thread *t)
{
	ref_get(&t->refs);
}
void put_thread(struct thread *t);

/*
 * Wake t if its state is in mask (THREAD_*). True when it was made runnable by this call. Any
 * context, any lock below RANK_RUNQUEUE. Full barrier before the state is read.
 */
bool thread_wake_state(struct thread *t, u32 mask);
static inline bool thread_wake(struct thread *t)
{
	return thread_wake_state(t, THREAD_SLEEPING | THREAD_INTERRUPTIBLE | THREAD_KILLABLE);
}
/* Signal code: set work bits, wake from INTERRUPTIBLE (and KILLABLE when fatal), or kick the CPU so
 * that the bits are seen soon. */
void thread_interrupt(struct thread *t, u32 work, bool fatal);
void thread_set_work(
	struct thread *t, u32 work); /* atomic or; kicks the CPU if it runs elsewhere */
static inline bool thread_has_work(const struct thread *t, u32 work)
{
	return (__atomic_load_n(&t->arch.work, __ATOMIC_RELAXED) & work) != 0;
}

/* Called when a thread with a plug is about to sleep; must not sleep itself. Set once. */
void sched_set_unplug_hook(void (*fn)(struct thread *t));
/*
 * Work that code on this CPU has put off without waking anybody (the network's packets): while
 * g_sched_deferred is set, run() is called before the current thread sleeps, no spinlock held, and
 * hand_over() before any switch of threads, interrupts off: it wakes who does the work. Set once.
 */
DECLARE_PER_CPU(u8, g_sched_deferred);
void sched_set_deferred_hooks(void (*run)(void), void (*hand_over)(void));
/* Give up the CPU in the state set before (thread_set_state or wait_prepare). Returns when woken. */
void sched_block(void);
/* The same with an absolute monotonic deadline in ns; true when it returned because of the
 * deadline. */
bool sched_block_until(s64 deadline_ns);
struct deadline; /* sched/timer.h: also one on the wall clock */
bool sched_block_until_deadline(struct deadline d);
void thread_set_state(u32 state); /* of current; full barrier after */
void sched_yield_now(void);       /* sched_yield(2) */
/* In long kernel loops, no locks held: let others run when due. */
void sched_resched(void);
static inline void cond_resched(void)
{
	if (unlikely(thread_has_work(current_thread(), WORK_RESCHED)))
		sched_resched();
}
bool sched_can_sleep(void); /* interrupts on, no spinlock, not in RCU (DEBUG knows all of it) */
#if DEBUG
void might_sleep_at(const char *file, int line);
#define might_sleep() might_sleep_at(__FILE__, __LINE__)
#else
#define might_sleep() \
	do {          \
	} while (0)
#endif

/* Policy changes; permission was checked by the caller. -EINVAL. */
/* t runs with at least this real-time priority (0: its own), as who holds a PI futex that somebody
 * more urgent waits for; the next call takes its place. Any lock but run queues'. */
void thread_set_inherited(struct thread *t, int rt_priority);
int thread_set_policy(struct thread *t, int policy, int rt_priority, int nice) must_check;
int thread_set_affinity(
	struct thread *t, u64 mask) must_check; /* -EINVAL: no online CPU; moves it */
/* CPU time used so far. Neither part is ever less than in an earlier answer. */
void thread_times(struct thread *t, u64 *utime_ns, u64 *stime_ns);
s64 sched_rr_interval_ns(const struct thread *t);
extern int g_sched_rr_timeslice_ms; /* kernel.sched_rr_timeslice_ms; > 0 */
/* In each period real-time threads leave period - runtime of every CPU to others that want it;
 * runtime -1: nothing. kernel.sched_rt_*_us; 0, -EINVAL: runtime > period, period < 1. */
extern int g_sched_rt_runtime_us, g_sched_rt_period_us;
int sched_set_rt_share(int runtime_us, int period_us) must_check;
/* Called by each tick that finds a real-time thread running, which has run for that long since it
 * last slept. Interrupts off, no locks. Set once at start-up. */
void sched_set_rt_hook(void (*fn)(struct thread *t, u64 run_ns));
/* Called at every tick of a running thread, in the timer interrupt. */
void sched_set_tick_hook(void (*fn)(struct thread *t));
/* User/kernel time accounting at system call and exception boundaries costs instructions, so time
 * is attributed by sampling at ticks and precise in total (sum_exec_ns). */

/* Current thread takes/leaves an address space (exec, exit). NULL: none. Interrupts on. */
void thread_use_mm(struct arch_mm *mm);

/* sched start-up and figures */
void sched_init_cpu(int cpu);
noreturn void sched_idle_loop(void); /* this CPU's boot context becomes its idle thread */
void sched_tick_ipi(void);           /* IPI_RESCHED */
void sched_irq_exit(void);
/* kernel.hung_task_timeout_secs (0: off) and _warnings (left to print; -1: without end). */
extern int g_hung_task_timeout_secs, g_hung_task_warnings;
extern int g_hung_task_panic; /* kernel.hung_task_panic: the first report is a panic */
void hung_task_restart(void); /* the timeout was changed */
struct sched_stats {
	u64 context_switches, forks;
	u32 running, blocked, threads;
	u64 load_avg[3]; /* fixed point, 11 fractional bits */
};
void sched_get_stats(struct sched_stats *s);
struct cpu_times {
	u64 user_ns, nice_ns, system_ns, idle_ns, iowait_ns, irq_ns, softirq_ns;
};
void sched_cpu_times(int cpu, struct cpu_times *t);
void threads_for_each(void (*fn)(struct thread *t, void *arg), void *arg); /* under RCU */

/* inspect.c: other threads, from outside. t is referenced. */
/* fn looks at t, which sleeps and is kept so: interrupts off, its run queue locked. False: it runs,
 * wants to or is dead, fn wasn't called. */
bool thread_if_blocked(struct thread *t, void (*fn)(struct thread *t, void *arg), void *arg);
/* Return addresses on the stack of a thread that sleeps, innermost first; -1: it doesn't. */
int thread_blocked_at(struct thread *t, unsigned long *at, int max);
struct thread_run_stats {
	u64 run_ns, wait_ns, periods; /* on CPUs, waiting for one, and how often it got one */
	u64 exec_start_ns;
	s64 vruntime_ns;
	u32 weight;
};
void thread_get_run_stats(struct thread *t, struct thread_run_stats *s);

#endif
