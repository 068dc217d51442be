/* Threads' lives: creation, the list of all, death, start-up of CPUs. */
#include "sched.h"
#include <arch/mmu.h>
#include <core/counters.h>
#include <core/init.h>
#include <core/symbols.h>
#include <kmem/slab.h>
#include <lib/atomic.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <sched/timer.h>

static SLAB_CACHE(g_thread_cache, struct thread);
static DEFINE_PER_CPU(struct thread, g_idle_thread);
static DEFINE_SPINLOCK(g_list_lock, RANK_WORK);
static LIST_HEAD(g_threads); /* g_list_lock to change, RCU to read */
static u32 g_nr_threads;     /* g_list_lock */
static u64 g_created;        /* g_list_lock */

int thread_init(struct thread *t, const struct thread *parent, void (*free)(struct thread *))
{
	t->stack = kstack_alloc();
	if (!t->stack)
		return -ENOMEM;
	arch_thread_init(&t->arch, t->stack, NULL, NULL);
	t->state = THREAD_RUNNING;
	ref_init(&t->refs, 1);
	t->cpu = cpu_id();
	t->rq = cpu_rq(t->cpu);
	t->on_cpu = t->on_rq = false;
	t->nice = parent->nice;
	t->policy = parent->policy;
	t->rt_priority = parent->rt_priority;
	t->affinity = parent->affinity;
	if (parent->reset_on_fork) {
		if (parent->rt_priority) {
			t->policy = SCHED_NORMAL;
			t->rt_priority = 0;
		}
		t->nice = max(t->nice, (s8)0);
	}
	t->eff_priority = t->rt_priority; /* what the parent inherits isn't inherited */
	t->reset_on_fork = false;
	t->se = (struct sched_entity){
		.burst_ns = parent->se.burst_ns, .slice_end_ns = rr_slice_ns()};
	fair_set_weight(t);
	t->timer_slack_ns = parent->timer_slack_ns;
	t->start_ns = (u64)clock_mono_ns();
	t->free = free;
	memcpy(t->name, parent->name, sizeof(t->name));
	list_init(&t->all_link);
	list_init(&t->se.rt_link);
	list_init(&t->se.movable_link);
	return 0;
}

void thread_deinit(struct thread *t)
{
	kstack_free(t->stack);
	t->stack = NULL;
}

void thread_register(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&g_list_lock);

	list_add_tail(&t->all_link, &g_threads);
	g_nr_threads++;
	g_created++;
	spin_unlock_irqrestore(&g_list_lock, flags);
}

void thread_reap(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&g_list_lock);

	list_del_rcu(&t->all_link);
	g_nr_threads--;
	spin_unlock_irqrestore(&g_list_lock, flags);
	kstack_free(t->stack);
	put_thread(t);
}

void put_thread(struct thread *t)
{
	if (ref_put(&t->refs))
		t->free(t);
}

u32 threads_count(void)
{
	return READ_ONCE(g_nr_threads);
}

u64 threads_created(void)
{
	return READ_ONCE(g_created);
}

void threads_for_each(void (*fn)(struct thread *t, void *arg), void *arg)
{
	struct thread *t;

	rcu_read_lock();
	list_for_each_entry_rcu(t, &g_threads, all_link)
		fn(t, arg);
	rcu_read_unlock();
}

/* ---- kernel threads ---- */

static void kthread_free_rcu(struct rcu_head *h)
{
	slab_free(&g_thread_cache, container_of(h, struct thread, rcu));
}

static void kthread_free(struct thread *t)
{
	rcu_call(&t->rcu, kthread_free_rcu); /* lock-free wakers may still look at it */
}

static struct thread *create(void (*fn)(void *), void *arg, const char *fmt, va_list ap)
{
	static const struct thread defaults = {
		.policy = SCHED_NORMAL, .affinity = ~0ull, .timer_slack_ns = 50000};
	struct thread *t = slab_alloc(&g_thread_cache, GFP_KERNEL | GFP_ZERO);

	if (!t)
		return err_ptr(-ENOMEM);
	if (thread_init(t, &defaults, kthread_free)) {
		slab_free(&g_thread_cache, t);
		return err_ptr(-ENOMEM);
	}
	kvsnprintf(t->name, sizeof(t->name), fmt, ap);
	thread_prepare(t, fn, arg);
	return t;
}

static void not_started(struct thread *t)
{
	t->state = THREAD_SLEEPING; /* until thread_wake: it is on no queue */
	thread_register(t);
}

struct thread *kthread_create(void (*fn)(void *), void *arg, const char *fmt, ...)
{
	struct thread *t;
	va_list ap;

	va_start(ap, fmt);
	t = create(fn, arg, fmt, ap);
	va_end(ap);
	if (!is_err(t)) {
		unsigned long flags;
		struct run_queue *rq = lock_thread_rq(t, &flags);

		rq->nr_uninterruptible++; /* waking counts it off */
		spin_unlock_irqrestore(&rq->lock, flags);
		not_started(t);
	}
	return t;
}

struct thread *kthread_run(void (*fn)(void *), void *arg, const char *fmt, ...)
{
	struct thread *t;
	va_list ap;

	va_start(ap, fmt);
	t = create(fn, arg, fmt, ap);
	va_end(ap);
	if (!is_err(t))
		thread_start(t);
	return t;
}

/* ---- CPUs ---- */

static void prepare_cpu(int cpu)
{
	struct run_queue *rq = cpu_rq(cpu);
	struct thread *t = per_cpu_ptr(&g_idle_thread, cpu);

	spin_init(&rq->lock, RANK_RUNQUEUE);
	rq->cpu = cpu;
	for (int i = 0; i < NR_RT; i++)
		list_init(&rq->rt[i]);
	list_init(&rq->rt_kernel);
	list_init(&rq->movable);
	timer_init_cpu(cpu);
	ref_init(&t->refs, 1);
	t->rq = rq;
	t->cpu = cpu;
	t->on_cpu = true;
	t->affinity = 1ull << cpu;
	t->policy = SCHED_NORMAL;
	t->se.burst_ns = U32_MAX; /* "wake here" is not for the idle thread */
	list_init(&t->all_link);
	list_init(&t->se.movable_link);
	kscnprintf(t->name, sizeof(t->name), "idle/%d", cpu);
	fair_set_weight(t);
	rq->idle = rq->curr = t;
}

void sched_init_cpu(int cpu)
{
	struct run_queue *rq = cpu_rq(cpu);

	if (!rq->idle)
		prepare_cpu(cpu);
	rq->clock_ns = rq->accounted_ns = clock_mono_ns();
	rq->idle->se.exec_start_ns = (u64)rq->clock_ns;
	this_cpu_write(g_current_thread, rq->idle);
}

static void prepare_secondary(int cpu)
{
	prepare_cpu(cpu);
	rcu_thread_create(cpu);
}

static int smp_init(void)
{
	int nr = arch_cpus_start(prepare_secondary);

	log_info("smp: %d of %d CPUs run", nr, g_nr_cpus);
	return 0;
}
INIT_HOOK(INIT_SMP, smp_init);

void thread_log_current(void)
{
	const struct thread *t = current_thread();
	const struct pt_regs *regs;

	if (!t) {
		log_err("CPU %d: before the scheduler", cpu_id());
		return;
	}
	log_err("CPU %d: thread %.16s (%p), stack %p", cpu_id(), t->name, t, t->stack);
	regs = t->mm ? arch_user_regs(t->stack) : NULL;
	if (regs && regs_user_mode(regs))
		arch_dump_regs(regs); /* what the system call or interrupt came from */
}

static void show_counters(struct seq_buf *s)
{
	seq_printf(s, "threads %u\nrcu.pending %llu\n", threads_count(), rcu_pending_count());
}

static int thread_module_init(void)
{
	panic_set_thread_hook(thread_log_current);
	rcu_thread_create(0);
	load_start();
	return counters_register("sched", show_counters);
}
INIT_HOOK(INIT_SCHED, thread_module_init);
