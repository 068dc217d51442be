/* Looking at threads from outside: where a sleeping one waits, how long one waited for a CPU. */
#include "sched.h"

bool thread_if_blocked(struct thread *t, void (*fn)(struct thread *t, void *arg), void *arg)
{
	unsigned long flags;
	struct run_queue *rq = lock_thread_rq(t, &flags);
	u32 state = READ_ONCE(t->state);
	/* Its run queue's lock keeps it where it is: waking needs it. */
	bool blocked = state != THREAD_RUNNING && state != THREAD_DEAD && !t->on_cpu && !t->on_rq;

	if (blocked)
		fn(t, arg);
	spin_unlock_irqrestore(&rq->lock, flags);
	return blocked;
}

struct walk {
	unsigned long *at;
	int max, n;
};

static void walk_stack(struct thread *t, void *arg)
{
	struct walk *w = arg;

	w->n = arch_thread_backtrace(&t->arch, w->at, w->max);
}

int thread_blocked_at(struct thread *t, unsigned long *at, int max)
{
	struct walk w = {.at = at, .max = max};

	return thread_if_blocked(t, walk_stack, &w) ? w.n : -1;
}

void thread_get_run_stats(struct thread *t, struct thread_run_stats *s)
{
	unsigned long flags;
	struct run_queue *rq = lock_thread_rq(t, &flags);

	if (rq->curr == t)
		update_curr(rq);
	*s = (struct thread_run_stats){
		.run_ns = t->se.sum_exec_ns,
		.wait_ns = t->se.wait_ns,
		.periods = t->nvcsw + t->nivcsw + t->on_cpu,
		.exec_start_ns = t->se.exec_start_ns,
		.vruntime_ns = t->se.vruntime_ns,
		.weight = t->se.weight,
	};
	spin_unlock_irqrestore(&rq->lock, flags);
}
