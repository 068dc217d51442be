/*
 * Choosing, switching, waking. See sched.h for the rules.
 *
 * A switch: the queue's lock is taken with interrupts off, the running thread is charged, put back
 * or taken off, the next one is chosen, and the machine context changes. The lock is released on
 * the other side (finish_switch), where also the stack of a dead thread is given back.
 */
#include "sched.h"
#include <arch/mmu.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/atomic.h>
#include <lib/string.h>
#include <sched/timer.h>

DEFINE_PER_CPU(struct run_queue, g_rq);
DEFINE_PER_CPU(struct thread *, g_current_thread);

enum switch_kind { SWITCH_BLOCK, SWITCH_PREEMPT, SWITCH_YIELD };

/* ---- the queue ------------------------------------------------------------------------------ */

void update_curr(struct run_queue *rq)
{
	struct thread *t = rq->curr;
	s64 now = clock_mono_ns(), delta = now - (s64)t->se.exec_start_ns;

	rq->clock_ns = now;
	if (unlikely(delta <= 0))
		return;
	t->se.exec_start_ns = (u64)now;
	t->se.sum_exec_ns += (u64)delta;
	if (unlikely(is_rt(t)))
		rq->rt_used_ns += is_kernel_rt(t) ? 0 : delta;
	else if (t != rq->idle)
		fair_charge(rq, t, delta);
}

void resched(struct run_queue *rq)
{
	struct thread *t = rq->curr;
	u32 old = __atomic_fetch_or(&t->arch.work, WORK_RESCHED, __ATOMIC_SEQ_CST);

	if (!(old & WORK_RESCHED) && rq->cpu != cpu_id())
		arch_ipi_send(rq->cpu, IPI_RESCHED);
}

/* May t, which is linked at rq, run elsewhere? Real-time threads are found first. */
static void movable_in(struct run_queue *rq, struct thread *t)
{
	u64 cpus = t->affinity & g_cpus_online_mask;

	if (!(cpus & (cpus - 1)))
		return;
	if (unlikely(is_rt(t)))
		list_add(&t->se.movable_link, &rq->movable);
	else
		list_add_tail(&t->se.movable_link, &rq->movable);
}

static void movable_out(struct thread *t)
{
	if (!list_empty(&t->se.movable_link))
		list_del(&t->se.movable_link);
}

void movable_update(struct run_queue *rq, struct thread *t)
{
	movable_out(t);
	movable_in(rq, t);
}

/* What a thread of the kernel's own goes before: they stand by priority, and are few. */
static struct list_head *kernel_place(struct run_queue *rq, const struct thread *t, bool front)
{
	struct thread *w;

	list_for_each_entry(w, &rq->rt_kernel, se.rt_link)
		if (w->eff_priority < t->eff_priority ||
			(front && w->eff_priority == t->eff_priority))
			return &w->se.rt_link;
	return &rq->rt_kernel;
}

static void link_in(struct run_queue *rq, struct thread *t, bool front)
{
	struct list_head *to;

	movable_in(rq, t);
	if (likely(!is_rt(t))) {
		fair_enqueue(rq, t);
		return;
	}
	if (is_kernel_rt(t)) {
		list_add_tail(&t->se.rt_link, kernel_place(rq, t, front));
		rq->nr_rt_kernel++;
		return;
	}
	to = &rq->rt[t->eff_priority];
	if (front)
		list_add(&t->se.rt_link, to);
	else
		list_add_tail(&t->se.rt_link, to);
	rq->rt_bits[t->eff_priority / 64] |= 1ull << (t->eff_priority % 64);
	rq->nr_rt++;
}

static void link_out(struct run_queue *rq, struct thread *t)
{
	movable_out(t);
	if (likely(!is_rt(t))) {
		fair_dequeue(rq, t);
		return;
	}
	list_del(&t->se.rt_link);
	if (is_kernel_rt(t)) {
		rq->nr_rt_kernel--;
		return;
	}
	if (list_empty(&rq->rt[t->eff_priority]))
		rq->rt_bits[t->eff_priority / 64] &= ~(1ull << (t->eff_priority % 64));
	rq->nr_rt--;
}

static int top_rt(const struct run_queue *rq)
{
	if (likely(!rq->nr_rt))
		return 0;
	return rq->rt_bits[1] ? 64 + ilog2(rq->rt_bits[1]) : ilog2(rq->rt_bits[0]);
}

/* t, which is RUNNING and on no queue, comes to rq, charged up to now, and replaces nobody. */
void arrive(struct run_queue *rq, struct thread *t, bool fresh)
{
	if (!is_rt(t))
		fair_place(rq, t, fresh);
	t->on_rq = true;
	WRITE_ONCE(rq->nr_running, rq->nr_running + 1);
	link_in(rq, t, false);
}

/* The same; the running thread gives way when t goes first. */
void enqueue(struct run_queue *rq, struct thread *t, bool fresh)
{
	update_curr(rq);
	t->se.queued_at_ns = (u64)rq->clock_ns;
	arrive(rq, t, fresh);
	if (rq->curr == rq->idle)
		resched(rq);
	else if (is_rt(t) ? !is_rt(rq->curr) || rq->curr->eff_priority < t->eff_priority
			  : !is_rt(rq->curr) && fair_preempts(rq, t))
		resched(rq);
}

/* t, queued but not running, leaves rq. */
void dequeue(struct run_queue *rq, struct thread *t)
{
	link_out(rq, t);
	if (!is_rt(t))
		fair_leave(rq, t);
	t->on_rq = false;
	WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
}

struct run_queue *lock_thread_rq(struct thread *t, unsigned long *flags)
{
	for (;;) {
		struct run_queue *rq = READ_ONCE(t->rq);

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq == READ_ONCE(t->rq)))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* ---- which CPU ------------------------------------------------------------------------------ */

static inline bool cpu_is_idle(int cpu)
{
	return !READ_ONCE(cpu_rq(cpu)->nr_running);
}

static int least_loaded(u64 mask)
{
	int best = __builtin_ctzll(mask);

	for (; mask; mask &= mask - 1) {
		int cpu = __builtin_ctzll(mask);

		if (READ_ONCE(cpu_rq(cpu)->nr_running) < READ_ONCE(cpu_rq(best)->nr_running))
			best = cpu;
	}
	return best;
}

/*
 * Where shall t run that wakes up or is new? An idle CPU, its last one if possible. But a thread
 * that is woken by one that itself is about to block (it usually runs only shortly) stays with it:
 * the two take turns, and two CPUs that wake each other would be slower.
 */
int choose_cpu(struct thread *t, bool fork)
{
	int here = cpu_id(), last = t->cpu;
	u64 allowed = READ_ONCE(t->affinity) & READ_ONCE(g_cpus_online_mask);
	const struct thread *curr = current_thread();

	if (!(allowed & (allowed - 1))) /* one at most */
		return allowed ? __builtin_ctzll(allowed) : last;
	if (!fork && (allowed >> here & 1) && READ_ONCE(this_rq()->nr_running) <= 1 &&
		curr->se.burst_ns < SHORT_BURST_NS && curr != this_rq()->idle)
		return here;
	if ((allowed >> last & 1) && cpu_is_idle(last))
		return last;
	if (!fork && last == here && (allowed >> here & 1) && this_rq()->nr_running <= 1)
		return here; /* a tick later an idle CPU takes over if the waker goes on */
	return least_loaded(allowed);
}

/* t is RUNNING, on no queue and switched out: to a CPU of its choice. */
static void place(struct thread *t, bool fork)
{
	for (;;) {
		int cpu = choose_cpu(t, fork);
		struct run_queue *rq = cpu_rq(cpu);

		t->cpu = cpu;
		WRITE_ONCE(t->rq, rq);
		smp_mb(); /* before affinity is read; pairs with thread_set_affinity */
		spin_lock(&rq->lock);
		/* Affinity may have changed since choose_cpu looked. */
		if (likely((t->affinity >> cpu & 1) || !(t->affinity & g_cpus_online_mask))) {
			enqueue(rq, t, fork);
			spin_unlock(&rq->lock);
			return;
		}
		spin_unlock(&rq->lock);
	}
}

/* ---- switching ------------------------------------------------------------------------------ */

/* top: priority of the programs' first real-time thread that waits and may run; 0: none. */
static bool rt_goes_on(const struct run_queue *rq, const struct thread *prev, int top)
{
	if (is_kernel_rt(prev)) {
		if (top)
			return false;
		if (rq->nr_rt_kernel)
			top = list_first_entry(&rq->rt_kernel, struct thread, se.rt_link)
				      ->eff_priority;
	} else if (rq->rt_throttled) {
		return false;
	}
	return top < prev->eff_priority || (top == prev->eff_priority && !rq->yield);
}

static always_inline struct thread *pick(
	struct run_queue *rq, struct thread *prev, enum switch_kind how)
{
	struct thread *t;
	int top = unlikely(rq->rt_throttled) ? 0 : top_rt(rq);

	if (unlikely(prev && is_rt(prev))) {
		if (rt_goes_on(rq, prev, top))
			return prev;
		prev = NULL;
	}
	if (unlikely(top)) {
		t = list_first_entry(&rq->rt[top], struct thread, se.rt_link);
		link_out(rq, t);
		return t;
	}
	if (unlikely(rq->nr_rt_kernel)) {
		t = list_first_entry(&rq->rt_kernel, struct thread, se.rt_link);
		link_out(rq, t);
		return t;
	}
	return fair_pick(rq, prev, how == SWITCH_YIELD);
}

/* In the next thread, on its CPU. Interrupts off. */
static inline void finish_switch(void)
{
	struct run_queue *rq = this_rq();
	struct thread *prev = rq->prev, *push = rq->push;
	bool dead = prev->state == THREAD_DEAD;

	prev->on_cpu = false;
	rq->push = NULL;
	spin_unlock(&rq->lock);
	if (unlikely(dead))
		thread_reap(prev);
	else if (unlikely(push))
		place(push, false);
}

static void trace_switch(const struct thread *next)
{
	u64 name[2];

	static_assert(sizeof(name) == sizeof(next->name), "the event holds the whole name");
	memcpy(name, next->name, sizeof(name));
	trace_event(TRACE_SWITCH, name[0], name[1]);
}

static inline void switch_to(struct run_queue *rq, struct thread *prev, struct thread *next)
{
	movable_out(next);
	trace_switch(next);
	rq->nr_switches++;
	rq->curr = next;
	rq->prev = prev;
	next->on_cpu = true;
	next->se.exec_start_ns = (u64)rq->clock_ns;
	/* Another CPU's clock may have been a little ahead when it came. */
	next->se.wait_ns += (u64)max(rq->clock_ns - (s64)next->se.queued_at_ns, 0ll);
	next->se.switched_in_ns = next->se.sum_exec_ns;
	if (next->switch_work && (next->worked_cpu != rq->cpu || !arch_in_syscall(next->stack))) {
		next->worked_cpu = rq->cpu;
		__atomic_fetch_or(&next->arch.work, next->switch_work, __ATOMIC_RELAXED);
	}
	this_cpu_write(g_current_thread, next);
	if (next->mm)
		arch_mm_activate(next->mm);
	if (prev == rq->idle)
		tick_start(rq);
	arch_switch(&prev->arch, &next->arch);
	finish_switch();
}

static inline void note_burst(struct thread *t)
{
	u64 burst = min(t->se.sum_exec_ns - t->se.switched_in_ns, (u64)U32_MAX);

	t->se.burst_ns = (u32)((3ull * t->se.burst_ns + burst) / 4);
}

DEFINE_PER_CPU(u8, g_sched_deferred);
static void (*g_run_deferred)(void), (*g_hand_over)(void); /* set at start-up */

void sched_set_deferred_hooks(void (*run)(void), void (*hand_over)(void))
{
	g_run_deferred = run;
	g_hand_over = hand_over;
}

/* Interrupts off on entry and return. */
static always_inline void schedule(enum switch_kind how)
{
	struct run_queue *rq = this_rq();
	struct thread *prev = rq->curr, *stays = prev, *next;

	rcu_quiescent();
	if (unlikely(this_cpu_read(g_sched_deferred)))
		g_hand_over();
#if DEBUG
	if (spin_debug_held())
		panic("scheduling with %d spinlocks held", spin_debug_held());
#endif
	spin_lock(&rq->lock);
	update_curr(rq);
	if (prev->arch.work & WORK_RESCHED)
		__atomic_fetch_and(&prev->arch.work, ~WORK_RESCHED, __ATOMIC_RELAXED);
	if (prev == rq->idle) {
		stays = NULL;
	} else if (how == SWITCH_BLOCK && READ_ONCE(prev->state) != THREAD_RUNNING) {
		note_burst(prev);
		prev->se.rt_since_ns = prev->se.sum_exec_ns;
		if (!is_rt(prev))
			fair_leave(rq, prev);
		prev->on_rq = false;
		WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
		if (prev->state == THREAD_SLEEPING)
			rq->nr_uninterruptible++;
		stays = NULL;
	} else if (unlikely(!(prev->affinity >> rq->cpu & 1))) {
		/* It may no longer run here: the next thread puts it onto another queue. */
		if (!is_rt(prev))
			fair_leave(rq, prev);
		prev->on_rq = false;
		WRITE_ONCE(rq->nr_running, rq->nr_running - 1);
		/* About to sleep or not, it counts as woken: nobody else may queue it. */
		(void)xchg(&prev->state, THREAD_RUNNING);
		rq->push = prev;
		stays = NULL;
	} else if (how == SWITCH_YIELD) {
		rq->yield = true;
	}
	next = pick(rq, stays, how);
	if (unlikely(!next)) {
		if (steal_one(rq))
			next = pick(rq, NULL, how);
		if (!next)
			next = rq->idle;
	}
	rq->yield = false;
	if (next == prev) {
		spin_unlock(&rq->lock);
		return;
	}
	if (stays) {
		link_in(rq, stays, how != SWITCH_YIELD);
		stays->se.queued_at_ns = (u64)rq->clock_ns;
		prev->nivcsw++;
	} else {
		prev->nvcsw++;
	}
	switch_to(rq, prev, next);
}

static void (*g_unplug)(struct thread *t); /* set at start-up */

void sched_set_unplug_hook(void (*fn)(struct thread *t))
{
	g_unplug = fn;
}

void sched_block(void)
{
	might_sleep();
	if (unlikely(current_thread()->plug))
		g_unplug(current_thread());
	if (unlikely(this_cpu_read(g_sched_deferred)))
		g_run_deferred();
	irq_disable();
	schedule(SWITCH_BLOCK);
	irq_enable();
}

void sched_yield_now(void)
{
	struct run_queue *rq;

	might_sleep();
	irq_disable();
	rq = this_rq();
	if (rq->nr_running > 1)
		schedule(SWITCH_YIELD);
	else
		rcu_quiescent();
	irq_enable();
}

void sched_resched(void)
{
	might_sleep();
	irq_disable();
	if (is_rt(current_thread()) &&
		current_thread()->se.sum_exec_ns >= (u64)current_thread()->se.slice_end_ns &&
		current_thread()->policy == SCHED_RR) {
		current_thread()->se.slice_end_ns = (s64)current_thread()->se.sum_exec_ns +
			rr_slice_ns();
		schedule(SWITCH_YIELD);
	} else {
		schedule(SWITCH_PREEMPT);
	}
	irq_enable();
}

void schedule_idle(void)
{
	schedule(SWITCH_PREEMPT);
}

/* First code of a thread: it comes out of switch_to with the queue locked. */
static void thread_start_here(void *arg)
{
	struct thread *t = arg;

	finish_switch();
	irq_enable();
	t->entry(t->arg);
	thread_exit();
}

void thread_prepare(struct thread *t, void (*entry)(void *), void *arg)
{
	t->entry = entry;
	t->arg = arg;
	arch_thread_init(&t->arch, t->stack, thread_start_here, t);
}

void thread_fork_begin(void)
{
	finish_switch();
	irq_enable();
}

noreturn void thread_exit(void)
{
	irq_disable();
	current_thread()->state = THREAD_DEAD;
	schedule(SWITCH_BLOCK);
	panic("a dead thread runs again");
}

/* ---- waking --------------------------------------------------------------------------------- */

void thread_set_state(u32 state)
{
	(void)xchg(&current_thread()->state, state); /* full barrier, see wait_prepare */
}

/*
 * The state is taken to RUNNING under the lock of the thread's queue, so it cannot go back to sleep
 * between being woken and being queued; who sees RUNNING leaves it alone. Hence at most one waker
 * queues it, also while it is on the way to another CPU's queue with no lock held.
 */
bool thread_wake_state(struct thread *t, u32 mask)
{
	struct run_queue *rq;
	unsigned long flags;
	u32 old;
	int cpu;

	smp_mb(); /* the condition was changed before; pairs with thread_set_state */
	if (!(READ_ONCE(t->state) & mask))
		return false;
	rq = lock_thread_rq(t, &flags);
	old = READ_ONCE(t->state);
	do {
		if (!(old & mask)) {
			spin_unlock_irqrestore(&rq->lock, flags);
			return false;
		}
	} while (!try_cmpxchg(&t->state, &old, THREAD_RUNNING));
	if (t->on_rq) { /* it has not gone to sleep yet, and won't */
		spin_unlock_irqrestore(&rq->lock, flags);
		return true;
	}
	if (old == THREAD_SLEEPING)
		rq->nr_uninterruptible--;
	cpu = choose_cpu(t, false);
	if (likely(cpu == rq->cpu)) {
		enqueue(rq, t, false);
		spin_unlock_irqrestore(&rq->lock, flags);
		return true;
	}
	spin_unlock(&rq->lock);
	place(t, false);
	irq_restore(flags);
	return true;
}

void thread_start(struct thread *t)
{
	unsigned long flags;

	thread_register(t);
	flags = irq_save();
	t->state = THREAD_RUNNING;
	place(t, true);
	irq_restore(flags);
}

void thread_set_work(struct thread *t, u32 work)
{
	__atomic_fetch_or(&t->arch.work, work, __ATOMIC_SEQ_CST);
	if (READ_ONCE(t->on_cpu) && t != current_thread()) {
		int cpu = READ_ONCE(t->cpu);

		if (cpu != cpu_id())
			arch_ipi_send(cpu, IPI_RESCHED);
	}
}

void thread_interrupt(struct thread *t, u32 work, bool fatal)
{
	__atomic_fetch_or(&t->arch.work, work, __ATOMIC_SEQ_CST);
	if (!thread_wake_state(t, THREAD_INTERRUPTIBLE | (fatal ? THREAD_KILLABLE : 0)))
		thread_set_work(t, work);
}

/* t's affinity was changed and its CPU is no longer allowed. Its queue is not locked. */
void move_to_allowed(struct thread *t)
{
	unsigned long flags;
	struct run_queue *rq = lock_thread_rq(t, &flags);

	if (t->on_rq && !(t->affinity >> rq->cpu & 1) && rq->curr != t) {
		update_curr(rq);
		dequeue(rq, t);
		spin_unlock(&rq->lock);
		place(t, false);
		irq_restore(flags);
		return;
	}
	spin_unlock_irqrestore(&rq->lock, flags);
}
