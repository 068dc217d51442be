/* RCU's threads, one per CPU, and its ways of waiting. */
#include "sched.h"
#include <core/counters.h>
#include <core/init.h>
#include <core/irq.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/mutex.h>
#include <sched/timer.h>
#include <sched/wait.h>

#define PATIENCE_NS 2000000ll /* for CPUs to get quiescent by themselves */

static DEFINE_PER_CPU(struct thread *, g_thread); /* NULL until created */
static DEFINE_PER_CPU(u32, g_kicked);             /* atomic */
static u32 g_urgent;                              /* atomic: threads that wait for a grace period */

void rcu_thread_kick(int cpu)
{
	struct thread *t = load_acquire(per_cpu_ptr(&g_thread, cpu));

	__atomic_store_n(per_cpu_ptr(&g_kicked, cpu), 1, __ATOMIC_SEQ_CST);
	if (t)
		thread_wake(t);
}

/* Interrupts off: the tick looks at it, and going idle. */
static void defer(void)
{
	struct run_queue *rq = this_rq();

	if (!rq->rcu_due_ns)
		rq->rcu_due_ns = clock_mono_ns() + RCU_DELAY_NS;
}

static void rcu_main(void *arg)
{
	u32 *kicked = this_cpu_ptr(&g_kicked);

	for (;;) {
		bool waiting = rcu_work();
		bool hurry = waiting && READ_ONCE(g_urgent);

		if (hurry)
			rcu_hurry();
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (__atomic_exchange_n(kicked, 0, __ATOMIC_SEQ_CST)) {
			WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
			cond_resched();
			continue;
		}
		if (sched_block_until(waiting ? deadline_after(PATIENCE_NS) : TIME_NEVER))
			rcu_hurry();
	}
}

void rcu_thread_create(int cpu)
{
	struct thread *t = kthread_create(rcu_main, NULL, "rcu/%d", cpu);

	if (is_err(t))
		panic("no memory for the RCU thread of CPU %d", cpu);
	t->affinity = 1ull << cpu;
	store_release(per_cpu_ptr(&g_thread, cpu), t);
	thread_wake(t);
}

/* ---- waiting ---- */

struct rcu_waiter {
	struct rcu_head head;
	struct completion *done;
	u32 *left; /* atomic; NULL: one */
};

static void waiter_called(struct rcu_head *h)
{
	struct rcu_waiter *w = container_of(h, struct rcu_waiter, head);

	if (!w->left || !__atomic_sub_fetch(w->left, 1, __ATOMIC_SEQ_CST))
		complete(w->done);
}

static void synchronize(void)
{
	u64 online = READ_ONCE(g_cpus_online_mask);
	struct completion done;
	struct rcu_waiter w = {.done = &done};
	int cpu;

	might_sleep();
	/* On one CPU readers can't be running while we are. */
	if (!(online & (online - 1)))
		return;
	completion_init(&done);
	__atomic_fetch_add(&g_urgent, 1, __ATOMIC_SEQ_CST);
	irq_disable();
	cpu = cpu_id();
	rcu_call(&w.head, waiter_called);
	irq_enable();
	rcu_thread_kick(cpu);
	wait_for_completion(&done);
	__atomic_fetch_sub(&g_urgent, 1, __ATOMIC_SEQ_CST);
}

static struct mutex g_drain_mutex = MUTEX_INIT(g_drain_mutex, RANK_RCU_DRAIN);
static DEFINE_PER_CPU(struct rcu_waiter, g_drain_waiter); /* g_drain_mutex */

static void drain_cpu(void *arg)
{
	rcu_call(&this_cpu_ptr(&g_drain_waiter)->head, waiter_called);
}

static void drain(void)
{
	struct completion done;
	u64 online;
	u32 left;

	might_sleep();
	mutex_lock(&g_drain_mutex);
	completion_init(&done);
	online = READ_ONCE(g_cpus_online_mask);
	left = (u32)__builtin_popcountll(online);
	__atomic_fetch_add(&g_urgent, 1, __ATOMIC_SEQ_CST);
	for (u64 m = online; m; m &= m - 1) {
		struct rcu_waiter *w = per_cpu_ptr(&g_drain_waiter, __builtin_ctzll(m));

		w->done = &done;
		w->left = &left;
	}
	smp_call_mask(online, drain_cpu, NULL);
	for (u64 m = online; m; m &= m - 1)
		rcu_thread_kick(__builtin_ctzll(m));
	wait_for_completion(&done);
	__atomic_fetch_sub(&g_urgent, 1, __ATOMIC_SEQ_CST);
	mutex_unlock(&g_drain_mutex);
}

static const struct rcu_ops g_ops = {
	.kick = rcu_thread_kick,
	.defer = defer,
	.synchronize = synchronize,
	.drain = drain,
};

static int rcu_thread_init(void)
{
	rcu_set_ops(&g_ops);
	return counters_add_quiesce(QUIESCE_RCU, rcu_barrier);
}
INIT_HOOK(INIT_SCHED, rcu_thread_init);
