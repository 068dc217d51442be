/*
 * The packet context: where packets are handled. One per CPU, on a stack of its own, with
 * interrupts on, never sleeping, in rounds with a budget. It runs
 *  - in the thread "net/N" of its CPU, woken by interrupts, timers and other CPUs;
 *  - at the end of a system call on a socket (net_run), which handles at once what the call itself
 *    queued on this CPU: a loopback request reaches its receiver without a thread switch.
 * The kernel isn't preemptible, so on one CPU a round excludes all other kernel code but
 * interrupts: the per-CPU queues below need no lock against anything but those.
 *
 * Spinlocks that packets need (RANK_SOCKET and up) are plain ones, never taken in an interrupt.
 */
#ifndef NET_CONTEXT_H
#define NET_CONTEXT_H

#include <lib/list.h>
#include <sched/timer.h>

struct packet;

/* Something to do in the packet context. Queued once; fn may queue it again or free it. */
struct net_task {
	struct net_task *next;
	void (*fn)(struct net_task *t);
	u32 queued; /* atomic */
};
static inline void net_task_init(struct net_task *t, void (*fn)(struct net_task *))
{
	t->next = NULL;
	t->fn = fn;
	t->queued = 0;
}
/* On this CPU; false: was already queued. Any context, any lock below RANK_WORK. */
bool net_task_queue(struct net_task *t);
bool net_task_queue_on(struct net_task *t, int cpu);

/*
 * A timer whose function runs in the packet context of the CPU that armed it (moved to a later
 * time, it stays where it is). The owner must hold a reference for an armed timer; net_timer_cancel
 * tells whether that reference is the caller's again (true). False: it wasn't armed, or the
 * function has yet to run, though cancelled, and will put it. Re-arming an armed timer moves it:
 * that is cheap when the new time is later.
 */
struct net_timer {
	struct timer timer;
	struct net_task task;
	void (*fn)(struct net_timer *t);
	struct spinlock lock; /* RANK_NET_TIMER, interrupts off */
	s64 deadline_ns;      /* lock */
	bool armed, fired;    /* lock: a reference is held; the task is queued */
};
void net_timer_init(struct net_timer *t, void (*fn)(struct net_timer *));
/* Arm and cancel are serialised by the owner (its lock). Packet context or thread, spinlocks below
 * RANK_NET_TIMER allowed. True: it was idle before (take a reference). */
bool net_timer_arm(struct net_timer *t, s64 deadline_ns) must_check;
bool net_timer_cancel(struct net_timer *t) must_check;

/*
 * A source of packets: a device's receive queue. Its interrupt calls net_poll_schedule and stays
 * off until poll has emptied the queue: under load there are no interrupts.
 */
struct net_poll {
	struct net_task task;
	/* Handle up to budget packets (net_receive); returns how many. It has called net_poll_done
	 * when it is done; else it is called again. */
	int (*poll)(struct net_poll *p, int budget);
	int cpu;   /* whose packet context polls */
	u32 state; /* atomic */
};
void net_poll_init(struct net_poll *p, int (*poll)(struct net_poll *, int), int cpu);
void net_poll_schedule(struct net_poll *p); /* any context */
/* Done: the source may interrupt again. False: it was scheduled meanwhile, poll will be called
 * again. */
bool net_poll_done(struct net_poll *p) must_check;
void net_poll_stop(struct net_poll *p); /* not running and never again; sleeps */

/* A frame from a device, from poll only: link header at data. Consumes it. GRO, taps, protocols. */
void net_receive(struct packet *p);
/* From now on (or no more: a count) packets carry the time of their arrival. */
void net_want_stamps(bool on);
/* A packet that this machine sends to itself: to this CPU's backlog. Consumes it; false when the
 * backlog (net.core.netdev_max_backlog) is full: dropped. Thread or packet context. */
bool net_loop(struct packet *p);

/* End of a socket call: handle what is queued on this CPU. No lock held, not in the packet context.
 */
void net_run(void);
bool net_in_context(void); /* are we in it? */
/* Wait until every CPU has ended the round it is in: a grace period of RCU. Sleeps. */
void net_synchronize(void);
/* Wait until all tasks and looped packets that are queued now have been handled. Sleeps. */
void net_drain(void);

/* Figures of /proc/net/softnet_stat; own CPU. */
struct net_cpu_stats {
	u64 processed, dropped, squeezed; /* packets; packets; rounds that ended with work left */
	u64 rounds;
};
const struct net_cpu_stats *net_cpu_stats(int cpu);

#endif
