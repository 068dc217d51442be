/*
 * Inside kernel/sched: run queues.
 *
 * A thread that is RUNNING is on exactly one CPU's run queue (on_rq), counted in nr_running; the
 * one that runs there is rq->curr and not linked anywhere. The queue's lock is held across the
 * switch and released by the next thread, so whoever gets the lock of a thread's queue sees it
 * either running or completely switched out.
 *
 * Waking: the waker moves state from a sleeping one to RUNNING by compare-exchange, and alone may
 * then put the thread on a queue. The sleeper, in schedule() under its queue's lock, goes off the
 * queue only if its state is still a sleeping one.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <arch/platform.h>
#include <core/log.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <linux/sched.h>
#include <sched/thread.h>

#define TICK_NS        4000000ll /* while a CPU isn't idle */
#define SLICE_NS       3000000ll /* of a normal thread of nice 0 */
#define NR_RT          100       /* priorities 1..99 */
#define NICE_0_LOAD    1024u
#define SHORT_BURST_NS 60000u /* a thread that blocks this soon wakes others on its own CPU */

struct fair_queue {
	struct rb_root tree; /* by deadline; the running thread is not in it */
	s64 base_ns;         /* vruntimes are summed relative to this */
	s64 sum;             /* over the tree: weight * (vruntime - base) */
	u64 weight;          /* over the tree */
};

struct run_queue {
	struct spinlock lock; /* guards everything here unless said otherwise */
	int cpu;
	u32 nr_running; /* on_rq, curr included, idle not; read freely */
	struct thread *curr, *idle;
	struct thread *prev; /* during a switch */
	struct thread *push; /* the same: prev must go to another CPU */
	struct fair_queue fair;
	u64 rt_bits[2]; /* bit per priority */
	u32 nr_rt;      /* linked in rt */
	struct list_head rt[NR_RT];
	/* Real-time threads of the kernel itself: after those of programs, before normal ones, and
	 * never held back. */
	struct list_head rt_kernel;
	u32 nr_rt_kernel;
	struct list_head movable; /* of those linked, who may run on other CPUs; real-time first */
	s64 clock_ns;             /* of the last update */
	u64 nr_switches;
	s64 nr_uninterruptible; /* sum over CPUs is the number; may be negative on one */
	bool yield;             /* curr gives way to its equals */
	/* What real-time threads ran here since the period began, and by how much it was too much
	 * before; throttled: all they may have, none runs until the period ends. */
	s64 rt_used_ns, rt_period_end_ns;
	bool rt_throttled;
	u64 load;          /* sum of weights, average over the last ticks; read freely */
	s64 balance_ns;    /* when to compare it with the others' */
	u32 uneven_rounds; /* in a row that found more elsewhere and took nothing */
	/* own CPU, interrupts off: */
	s64 tick_ns;      /* next tick, when not idle */
	s64 accounted_ns; /* times are distributed up to here */
	s32 nr_iowait;    /* threads that went to sleep here to wait for storage; atomic */
	u64 user_ns, nice_ns, system_ns, idle_ns, iowait_ns, softirq_ns;
	s64 rcu_due_ns; /* 0: no callbacks waiting for their delay */
};
DECLARE_PER_CPU(struct run_queue, g_rq);

static inline struct run_queue *this_rq(void)
{
	return this_cpu_ptr(&g_rq);
}
static inline struct run_queue *cpu_rq(int cpu)
{
	return per_cpu_ptr(&g_rq, cpu);
}
static inline bool is_rt(const struct thread *t)
{
	return t->eff_priority != 0;
}
/* May the idle thread give the CPU to somebody? Own CPU, which idles: nobody else runs there. */
static inline bool has_work(const struct run_queue *rq)
{
	return READ_ONCE(rq->nr_running) > (READ_ONCE(rq->rt_throttled) ? READ_ONCE(rq->nr_rt) : 0);
}
static inline s64 rr_slice_ns(void)
{
	return READ_ONCE(g_sched_rr_timeslice_ms) * 1000000ll;
}
static inline bool is_kernel_rt(const struct thread *t)
{
	return is_rt(t) && !t->mm;
}
static inline bool is_idle_thread(const struct thread *t)
{
	return t == cpu_rq(READ_ONCE(t->cpu))->idle;
}

/* fair.c: all with the queue's lock */
void fair_enqueue(struct run_queue *rq, struct thread *t); /* into the tree */
void fair_dequeue(struct run_queue *rq, struct thread *t);
void fair_place(struct run_queue *rq, struct thread *t, bool fresh); /* vruntime on arrival */
void fair_leave(struct run_queue *rq, struct thread *t);             /* remember the lag */
struct thread *fair_pick(struct run_queue *rq, struct thread *prev, bool yield);
bool fair_preempts(struct run_queue *rq, const struct thread *t);
void fair_charge(struct run_queue *rq, struct thread *t, s64 delta_ns);
void fair_set_weight(struct thread *t);

/* core.c */
void update_curr(struct run_queue *rq); /* charge the running thread up to now */
void resched(struct run_queue *rq);     /* lock held: curr is to be replaced soon */
void enqueue(struct run_queue *rq, struct thread *t, bool fresh);
void arrive(struct run_queue *rq, struct thread *t, bool fresh);
void movable_update(struct run_queue *rq, struct thread *t); /* linked; affinity changed */
void dequeue(struct run_queue *rq, struct thread *t);        /* not running; stays RUNNING */
struct run_queue *lock_thread_rq(struct thread *t, unsigned long *flags);
int choose_cpu(struct thread *t, bool fork);
void move_to_allowed(struct thread *t); /* affinity changed */
void schedule_idle(void);

/* balance.c: with the queue's lock */
bool steal_one(struct run_queue *rq); /* idle: take a thread from a busy CPU. True: got one */
int idle_cpu_for_waiting(struct run_queue *rq);   /* that may take a thread that waits here; -1 */
void balance_tick(struct run_queue *rq, s64 now); /* more than one CPU; not idle */

/* rt.c: the share of real-time threads; with the queue's lock */
void rt_tick(struct run_queue *rq, s64 now);

/* tick.c */
void tick_start(struct run_queue *rq); /* the CPU left idle; interrupts off */
void tick(struct run_queue *rq, s64 now);
void account(struct run_queue *rq, s64 now, bool tick);
bool idle_prepare(struct run_queue *rq); /* about to idle; false: there is something to do */

void load_start(void);

/* timer.c */
void timer_program_tick(s64 deadline_ns); /* interrupts off: at the latest then */
void timer_init_cpu(int cpu);

/* rcu_thread.c */
void rcu_thread_create(int cpu);
void rcu_thread_kick(int cpu);

/* kswapd.c */
void kswapd_tick(void);

/* thread.c */
void thread_reap(struct thread *t); /* switched out for the last time */
void thread_register(struct thread *t);
u32 threads_count(void);
u64 threads_created(void);

/* lockrank.c */
#if DEBUG
void rank_acquire(u16 rank, bool nested);
void rank_release(u16 rank);
#else
static inline void rank_acquire(u16 rank, bool nested)
{
}
static inline void rank_release(u16 rank)
{
}
#endif
#if DEBUG
#define lock_rank_of(l) ((l)->rank)
#else
#define lock_rank_of(l) 0
#endif

#endif
