/* Policies, affinity and times of threads. */
#include "futex.h"
#include "sched.h"
#include <arch/mmu.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/timer.h>

int g_sched_rr_timeslice_ms = 100;

struct parameters {
	int policy, rt_priority, nice;
};

/* Change t's own parameters (p, or NULL), or what it inherits (or -1), while it is on no queue.
 * True: another priority counts now. */
static bool change(struct thread *t, const struct parameters *p, int inherited)
{
	unsigned long flags;
	struct run_queue *rq = lock_thread_rq(t, &flags);
	bool queued = t->on_rq, running = rq->curr == t, was_rt = is_rt(t), changed;
	u8 old = t->eff_priority;

	update_curr(rq);
	if (queued && !running) {
		dequeue(rq, t);
	} else if (queued && !is_rt(t)) {
		fair_leave(rq, t);
		t->on_rq = false; /* for the average; curr is in no tree */
	} else if (queued) {
		t->on_rq = false;
	}
	if (p) {
		t->policy = (u8)p->policy;
		t->rt_priority = (u8)p->rt_priority;
		t->nice = (s8)p->nice;
		fair_set_weight(t);
	}
	if (inherited >= 0)
		t->pi_priority = (u8)inherited;
	t->eff_priority = max(t->rt_priority, t->pi_priority);
	changed = t->eff_priority != old;
	if (!was_rt)
		t->se.rt_since_ns = t->se.sum_exec_ns;
	if (p && p->policy == SCHED_RR)
		t->se.slice_end_ns = (s64)t->se.sum_exec_ns + rr_slice_ns();
	if (queued && !running) {
		enqueue(rq, t, false);
	} else if (queued) {
		if (!is_rt(t))
			fair_place(rq, t, false);
		t->on_rq = true;
		resched(rq);
	}
	spin_unlock_irqrestore(&rq->lock, flags);
	return changed;
}

int thread_set_policy(struct thread *t, int policy, int rt_priority, int nice)
{
	bool rt = policy == SCHED_FIFO || policy == SCHED_RR;

	if (!rt && policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	if (rt ? rt_priority < 1 || rt_priority >= NR_RT : rt_priority != 0)
		return -EINVAL;
	if (nice < -20 || nice > 19)
		return -EINVAL;
	/* Whether t is beginning to wait for a PI lock is known under that code's lock only. */
	if (change(t, &(struct parameters){policy, rt_priority, nice}, -1))
		futex_pi_reorder(t);
	return 0;
}

void thread_set_inherited(struct thread *t, int rt_priority)
{
	(void)change(t, NULL, rt_priority);
}

int thread_set_affinity(struct thread *t, u64 mask)
{
	unsigned long flags;
	struct run_queue *rq;
	bool elsewhere;

	if (!(mask & READ_ONCE(g_cpus_online_mask)))
		return -EINVAL;
	rq = lock_thread_rq(t, &flags);
	for (;;) {
		WRITE_ONCE(t->affinity, mask);
		smp_mb(); /* before rq is read; pairs with place */
		if (likely(READ_ONCE(t->rq) == rq))
			break;
		/* A waker has just sent it to another queue, and may have seen the old mask. */
		spin_unlock_irqrestore(&rq->lock, flags);
		rq = lock_thread_rq(t, &flags);
	}
	elsewhere = t->on_rq && !(mask >> rq->cpu & 1);
	if (elsewhere && rq->curr == t)
		resched(rq);
	else if (t->on_rq && rq->curr != t)
		movable_update(rq, t);
	spin_unlock_irqrestore(&rq->lock, flags);
	if (!elsewhere)
		return 0;
	if (t == current_thread())
		sched_resched();
	else
		move_to_allowed(t);
	return 0;
}

/* What part of total ns was user time, by the ticks' samples. */
static u64 user_part(const struct thread *t, u64 total)
{
	u64 u = READ_ONCE(t->utime_ns), s = READ_ONCE(t->stime_ns);

	if (!u && !s)
		return t->mm ? total : 0;
	while ((u + s) >> 32) {
		u >>= 1;
		s >>= 1;
	}
	return total / (u + s) * u + total % (u + s) * u / (u + s);
}

/*
 * The exact sum, split as the ticks saw it. Later samples shift the split of what has long been
 * told: only what came since the last answer is handed out, so neither part ever shrinks.
 */
void thread_times(struct thread *t, u64 *utime_ns, u64 *stime_ns)
{
	unsigned long flags;
	struct run_queue *rq = lock_thread_rq(t, &flags);
	u64 total = t->se.sum_exec_ns, growth, user;

	if (rq->curr == t)
		total += (u64)max(clock_mono_ns() - (s64)t->se.exec_start_ns, 0ll);
	total = max(total, t->told_utime_ns + t->told_stime_ns);
	growth = total - t->told_utime_ns - t->told_stime_ns;
	user = clamp(user_part(t, total), t->told_utime_ns, t->told_utime_ns + growth);
	*utime_ns = t->told_utime_ns = user;
	*stime_ns = t->told_stime_ns = total - user;
	spin_unlock_irqrestore(&rq->lock, flags);
}

s64 sched_rr_interval_ns(const struct thread *t)
{
	switch (t->policy) {
	case SCHED_FIFO:
		return 0;
	case SCHED_RR:
		return rr_slice_ns();
	default:
		return SLICE_NS;
	}
}

void thread_use_mm(struct arch_mm *mm)
{
	struct thread *t = current_thread();

	irq_disable();
	t->mm = mm;
	arch_mm_activate(mm);
	irq_enable();
}
