/*
 * Read-copy-update. Readers: rcu_read_lock() ... rcu_read_unlock(), may not sleep in between, cost
 * nothing (the kernel is not preemptible; a context switch, idle and user mode are quiescent).
 */
#ifndef CORE_RCU_H
#define CORE_RCU_H

#include <arch/cpu.h>

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

#if DEBUG
DECLARE_PER_CPU(int, g_rcu_nesting); /* read-side sections this CPU is in: no sleeping */
#endif
static inline void rcu_read_lock(void)
{
#if DEBUG
	this_cpu_add(g_rcu_nesting, 1);
#endif
	barrier();
}
static inline void rcu_read_unlock(void)
{
	barrier();
#if DEBUG
	this_cpu_add(g_rcu_nesting, -1);
#endif
}

/* fn(head) runs after every reader that was running now has ended. Any context, never sleeps. fn
 * runs in a kernel thread of this CPU with interrupts on; it may not sleep. */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
/* kfree(ptr) after a grace period; member is the struct rcu_head inside *ptr. */
#define rcu_kfree(ptr, member) \
	rcu_kfree_offset(&(ptr)->member, offsetof(__typeof__(*(ptr)), member))
void rcu_kfree_offset(struct rcu_head *head, size_t offset);
void rcu_set_kfree(void (*fn)(const void *p)); /* by kmem, once */
/* Wait for a grace period. Sleeps. */
void rcu_synchronize(void);
/* Wait until every rcu_call made before has run. Sleeps. */
void rcu_barrier(void);
/* This CPU is in no read-side section: called by sched at a context switch and in sched_resched. */
DECLARE_PER_CPU(u8, g_rcu_wanted); /* a grace period waits for this CPU; atomic byte */
void rcu_report(void);
static inline void rcu_quiescent(void)
{
	if (unlikely(this_cpu_read(g_rcu_wanted)))
		rcu_report();
}
static inline bool rcu_waits_for_us(void)
{
	return this_cpu_read(g_rcu_wanted);
}
/* Around cpu_idle: an idle CPU counts as quiescent. Interrupts off. Interrupt handlers that use RCU
 * call rcu_irq_enter first. */
DECLARE_PER_CPU(u8, g_rcu_idle);
void rcu_idle_enter(void);
void rcu_idle_exit(void);
static inline void rcu_irq_enter(void)
{
	if (unlikely(this_cpu_read(g_rcu_idle)))
		rcu_idle_exit();
}

/*
 * What sched lends to RCU, set once. Until then callbacks pile up.
 * kick: this CPU's RCU thread shall call rcu_work() at once; any context, no lock held.
 * defer: the same for the own CPU within RCU_DELAY_NS; interrupts off.
 */
struct rcu_ops {
	void (*kick)(int cpu);
	void (*defer)(void);
	void (*synchronize)(void);
	void (*drain)(void);
};
#define RCU_DELAY_NS 10000000ll /* callbacks are collected that long before a grace period starts */
#define RCU_BATCH    512        /* or until this many wait */
void rcu_set_ops(const struct rcu_ops *ops);
/* One round of the thread of this CPU: runs what may run, starts a grace period for the rest. True
 * when a grace period is being waited for (then call rcu_hurry after a while). */
bool rcu_work(void);
void rcu_hurry(void);        /* ask the CPUs that hold up the current grace period */
u64 rcu_pending_count(void); /* callbacks not yet run, all CPUs */

#define rcu_load(p)       (__atomic_load_n(&(p), __ATOMIC_ACQUIRE))
#define rcu_publish(p, v) (__atomic_store_n(&(p), (v), __ATOMIC_RELEASE))

#endif
