/*
 * Read-copy-update. Readers: rcu_read_lock() ... rcu_read_unlock(), may not sleep in between, cost
 * nothing (the kernel is not preemptible; a context switch, idle and user mode are quiescent).
 */
#ifndef CORE_RCU_H
#define CORE_RCU_H

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *);
};

static inline void rcu_read_lock(void)
{
	barrier(); /* DEBUG: counts, so that sleeping inside panics (core/rcu_impl.h) */
}
static inline void rcu_read_unlock(void)
{
	barrier();
}

/* fn(head) runs after every reader that was running now has ended. Any context, never sleeps. fn
 * runs in a kernel thread of this CPU with interrupts on; it may not sleep. */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *));
/* kfree(ptr) after a grace period; member is the struct rcu_head inside *ptr. */
#define rcu_kfree(ptr, member) rcu_kfree_offset(&(ptr)->member, offsetof(__typeof__(*(ptr)), member))
void rcu_kfree_offset(struct rcu_head *head, size_t offset);
/* Wait for a grace period. Sleeps. */
void rcu_synchronize(void);
/* Wait until every rcu_call made before has run. Sleeps. */
void rcu_barrier(void);
/* Called by sched: this CPU is quiescent (context switch, idle, return to user from an interrupt). */
void rcu_quiescent(void);

#define rcu_load(p)	(__atomic_load_n(&(p), __ATOMIC_ACQUIRE))
#define rcu_publish(p, v) (__atomic_store_n(&(p), (v), __ATOMIC_RELEASE))

#endif
