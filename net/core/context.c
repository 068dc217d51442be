/*
 * The packet context. See <net/context.h>.
 *
 * Work is a stack of tasks per CPU, pushed without a lock by anybody, and the backlog of looped
 * packets. A round takes all tasks, runs them in the order they came, then the backlog, again and
 * again until both are empty or the budget is used up.
 *
 * No wake-up is lost:
 *  - on the own CPU in thread context nobody is woken: g_sched_deferred is set, and net_run, or the
 *    scheduler before this thread sleeps or another runs, sees it.
 *  - from interrupts and other CPUs the CPU's thread is woken, unless a round is running there: it
 *    clears `running` before it looks at the tasks a last time, who pushes reads `running` after.
 */
#include "core.h"
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <linux/sched.h>
#include <sched/mutex.h>
#include <sched/softirq.h>
#include <sched/thread.h>

#define ROUND_NS    2000000ll /* a round ends after that long */
#define POLL_BUDGET 64        /* packets of one source or the backlog in turn */
#define RUN_BUDGET  256       /* packets at the end of a system call; the thread does the rest */
#define FIFO_PRIO   1         /* of the threads, while they keep up */

struct net_cpu {
	struct net_task *tasks;      /* atomic: the newest; linked backwards */
	struct packet_queue backlog; /* own CPU, not in interrupts */
	struct thread *thread;       /* NULL until created */
	void *stack;                 /* of net_run's rounds */
	u32 running;                 /* own CPU writes: in a round */
	int budget;                  /* own CPU: packets left in this round */
	struct net_cpu_stats stats;
};

static DEFINE_PER_CPU(struct net_cpu, g_cpu);

u32 g_netdev_max_backlog = 1000, g_netdev_budget = 300;

bool net_in_context(void)
{
	return this_cpu_ptr(&g_cpu)->running;
}

const struct net_cpu_stats *net_cpu_stats(int cpu)
{
	return &per_cpu_ptr(&g_cpu, cpu)->stats;
}

static bool has_work(const struct net_cpu *c)
{
	return READ_ONCE(c->tasks) || c->backlog.count;
}

static void wake_thread(struct net_cpu *c)
{
	struct thread *t = READ_ONCE(c->thread);

	if (t)
		thread_wake(t);
}

/* Work was added on this CPU. */
static void raise_local(struct net_cpu *c)
{
	if (READ_ONCE(c->running))
		return;
	if (irqs_enabled())
		this_cpu_write(g_sched_deferred, 1);
	else
		wake_thread(c);
}

static void push(struct net_cpu *c, struct net_task *t)
{
	t->next = READ_ONCE(c->tasks);
	while (!__atomic_compare_exchange_n(
		&c->tasks, &t->next, t, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

bool net_task_queue(struct net_task *t)
{
	struct net_cpu *c;
	unsigned long flags;

	if (__atomic_exchange_n(&t->queued, 1, __ATOMIC_SEQ_CST))
		return false;
	flags = irq_save(); /* an interrupt may queue as well, and a thread must stay here */
	c = this_cpu_ptr(&g_cpu);
	push(c, t);
	irq_restore(flags);
	raise_local(c);
	return true;
}

bool net_task_queue_on(struct net_task *t, int cpu)
{
	struct net_cpu *c = per_cpu_ptr(&g_cpu, cpu);

	if (cpu == cpu_id())
		return net_task_queue(t);
	if (__atomic_exchange_n(&t->queued, 1, __ATOMIC_SEQ_CST))
		return false;
	push(c, t);
	if (!__atomic_load_n(&c->running, __ATOMIC_SEQ_CST))
		wake_thread(c);
	return true;
}

bool net_loop(struct packet *p)
{
	struct net_cpu *c = this_cpu_ptr(&g_cpu);

	if (c->backlog.count >= READ_ONCE(g_netdev_max_backlog)) {
		c->stats.dropped++;
		packet_free(p);
		return false;
	}
	packet_queue_add(&c->backlog, p);
	raise_local(c);
	return true;
}

/* ---- rounds ---- */

static void run_tasks(struct net_cpu *c)
{
	struct net_task *t, *next, *in_order = NULL;

	if (!READ_ONCE(c->tasks))
		return;
	t = __atomic_exchange_n(&c->tasks, NULL, __ATOMIC_SEQ_CST);
	for (; t; t = next) {
		next = t->next;
		t->next = in_order;
		in_order = t;
	}
	for (t = in_order; t; t = next) {
		next = t->next;
		__atomic_store_n(&t->queued, 0, __ATOMIC_SEQ_CST);
		t->fn(t);
	}
}

static void run_backlog(struct net_cpu *c)
{
	struct packet *p;

	for (int n = POLL_BUDGET; n && (p = packet_queue_take(&c->backlog)); n--) {
		c->budget--;
		c->stats.processed++;
		input_frame(p);
	}
}

/* Until there is nothing to do (true), or packets or time are used up. */
static bool round_run(struct net_cpu *c, int budget)
{
	s64 end = 0;
	bool done = false;

	WRITE_ONCE(c->running, 1);
	this_cpu_write(g_sched_in_softirq, 1);
	rcu_read_lock();
	c->stats.rounds++;
	c->budget = budget;
	for (;;) {
		run_tasks(c);
		run_backlog(c);
		input_flush();
		if (!has_work(c)) {
			__atomic_store_n(&c->running, 0, __ATOMIC_SEQ_CST);
			done = !has_work(c);
			if (done)
				break;
			WRITE_ONCE(c->running, 1);
		}
		if (!end)
			end = deadline_after(ROUND_NS);
		if (c->budget <= 0 || clock_mono_ns() > end) {
			c->stats.squeezed++;
			break;
		}
	}
	rcu_read_unlock();
	this_cpu_write(g_sched_in_softirq, 0);
	WRITE_ONCE(c->running, 0);
	return done;
}

static void run_here(void *arg)
{
	struct net_cpu *c = arg;

	if (!round_run(c, RUN_BUDGET))
		wake_thread(c);
}

void net_run(void)
{
	struct net_cpu *c = this_cpu_ptr(&g_cpu);

	if (!this_cpu_read(g_sched_deferred) || c->running || !c->stack)
		return;
	this_cpu_write(g_sched_deferred, 0);
	if (has_work(c))
		arch_call_on_stack(run_here, c, c->stack);
}

/* Another thread is about to run, interrupts off. */
static void hand_over(void)
{
	struct net_cpu *c = this_cpu_ptr(&g_cpu);

	this_cpu_write(g_sched_deferred, 0);
	if (has_work(c))
		wake_thread(c);
}

void net_synchronize(void)
{
	rcu_synchronize();
}

/* ---- waiting for queues to be empty ---- */

static DEFINE_PER_CPU(struct net_task, g_drain);
static struct mutex g_drain_lock = MUTEX_INIT(g_drain_lock, RANK_MUTEX_LEAF);
static struct wait_queue g_drained = WAIT_QUEUE_INIT(g_drained);
static int g_draining; /* atomic: CPUs that have not answered */

static void drain_task(struct net_task *t)
{
	/* The backlog is handled after the tasks of its pass: when it is empty. */
	if (this_cpu_ptr(&g_cpu)->backlog.count) {
		net_task_queue(t);
		return;
	}
	if (!__atomic_sub_fetch(&g_draining, 1, __ATOMIC_SEQ_CST))
		wake_up_all(&g_drained);
}

void net_drain(void)
{
	mutex_lock(&g_drain_lock);
	__atomic_store_n(&g_draining, g_nr_cpus, __ATOMIC_SEQ_CST);
	for_each_cpu(cpu) {
		struct net_task *t = per_cpu_ptr(&g_drain, cpu);

		net_task_init(t, drain_task);
		net_task_queue_on(t, cpu);
	}
	wait_event(&g_drained, !__atomic_load_n(&g_draining, __ATOMIC_SEQ_CST));
	mutex_unlock(&g_drain_lock);
	net_synchronize();
}

/*
 * The thread is ahead of all ordinary ones while it empties its queue at each wake-up. When packets
 * come faster than it handles them, it takes its fair share like everybody else until it has caught
 * up.
 */
static void thread_main(void *arg)
{
	struct net_cpu *c = this_cpu_ptr(&g_cpu); /* this thread never leaves its CPU */
	bool ahead = false;

	for (;;) {
		bool done = round_run(c, (int)READ_ONCE(g_netdev_budget));

		if (ahead != done &&
			!thread_set_policy(current_thread(), done ? SCHED_FIFO : SCHED_NORMAL,
				done ? FIFO_PRIO : 0, 0))
			ahead = done;
		if (!done) {
			cond_resched();
			continue;
		}
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (has_work(c)) {
			WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
			continue;
		}
		sched_block();
	}
}

static int context_init(void)
{
	for_each_cpu(cpu) {
		struct net_cpu *c = per_cpu_ptr(&g_cpu, cpu);
		struct thread *t = kthread_create(thread_main, NULL, "net/%d", cpu);

		if (is_err(t))
			return ptr_err(t);
		c->stack = kstack_alloc();
		if (!c->stack)
			return -ENOMEM;
		t->affinity = 1ull << cpu;
		WRITE_ONCE(c->thread, t);
		thread_wake(t);
	}
	return 0;
}
INIT_HOOK(INIT_CORE, context_init);

/* Before anything queues. */
static int context_early(void)
{
	for_each_cpu(cpu)
		packet_queue_init(&per_cpu_ptr(&g_cpu, cpu)->backlog);
	sched_set_deferred_hooks(net_run, hand_over);
	return 0;
}
INIT_HOOK(INIT_SCHED, context_early);

/* ---- sources of packets ---- */

enum { POLL_SCHEDULED = 1, POLL_AGAIN = 2, POLL_STOPPED = 4 };

static void poll_task(struct net_task *t)
{
	struct net_poll *p = container_of(t, struct net_poll, task);
	struct net_cpu *c = this_cpu_ptr(&g_cpu);
	int n;

	if (READ_ONCE(p->state) & POLL_STOPPED)
		return;
	__atomic_fetch_and(&p->state, ~(u32)POLL_AGAIN, __ATOMIC_SEQ_CST);
	n = p->poll(p, POLL_BUDGET);
	c->budget -= n;
	c->stats.processed += (u64)n;
	if (READ_ONCE(p->state) & POLL_SCHEDULED)
		net_task_queue(t);
}

void net_poll_init(struct net_poll *p, int (*poll)(struct net_poll *, int), int cpu)
{
	net_task_init(&p->task, poll_task);
	p->poll = poll;
	p->cpu = cpu;
	p->state = 0;
}

void net_poll_schedule(struct net_poll *p)
{
	u32 old = __atomic_fetch_or(&p->state, POLL_SCHEDULED | POLL_AGAIN, __ATOMIC_SEQ_CST);

	if (!(old & (POLL_SCHEDULED | POLL_STOPPED)))
		net_task_queue_on(&p->task, p->cpu);
}

bool net_poll_done(struct net_poll *p)
{
	u32 old = POLL_SCHEDULED;

	return __atomic_compare_exchange_n(
		       &p->state, &old, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
		old & POLL_STOPPED;
}

void net_poll_stop(struct net_poll *p)
{
	__atomic_fetch_or(&p->state, POLL_STOPPED, __ATOMIC_SEQ_CST);
	net_synchronize(); /* who didn't see it has queued the task again, or not */
	while (READ_ONCE(p->task.queued))
		sleep_ns(NS_PER_MS); /* its turn comes: it returns at once */
	net_synchronize();
}
