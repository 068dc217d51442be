/*
 * Timers of the packet context. The hardware timer's callback queues a task; what the owner wants
 * is in `armed` and `deadline_ns`, so moving a timer to later costs a store: it fires early and is
 * armed again.
 */
#include "core.h"

/* The timer's interrupt. */
static void expired(struct timer *timer)
{
	struct net_timer *t = container_of(timer, struct net_timer, timer);
	bool queue = false;

	spin_lock(&t->lock);
	if (t->armed && !t->fired) {
		if (clock_mono_ns() < t->deadline_ns)
			timer_arm(timer, t->deadline_ns);
		else
			queue = t->fired = true;
	}
	spin_unlock(&t->lock);
	if (queue)
		net_task_queue(&t->task);
}

static void run(struct net_task *task)
{
	struct net_timer *t = container_of(task, struct net_timer, task);
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool due = clock_mono_ns() >= t->deadline_ns;

	t->fired = false;
	if (due)
		t->armed = false;
	else /* moved since it fired */
		timer_arm(&t->timer, t->deadline_ns);
	spin_unlock_irqrestore(&t->lock, flags);
	if (due)
		t->fn(t);
}

void net_timer_init(struct net_timer *t, void (*fn)(struct net_timer *))
{
	timer_init(&t->timer, expired);
	net_task_init(&t->task, run);
	spin_init(&t->lock, RANK_NET_TIMER);
	t->fn = fn;
	t->deadline_ns = TIME_NEVER;
	t->armed = t->fired = false;
}

bool net_timer_arm(struct net_timer *t, s64 deadline_ns)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool was_idle = !t->armed;

	t->armed = true;
	t->deadline_ns = deadline_ns;
	/* One that is in the tree for an earlier time fires and looks again. */
	if (!t->fired && !(timer_pending(&t->timer) && t->timer.deadline_ns <= deadline_ns))
		timer_arm(&t->timer, deadline_ns);
	spin_unlock_irqrestore(&t->lock, flags);
	return was_idle;
}

bool net_timer_cancel(struct net_timer *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool cancelled = t->armed && !t->fired;

	if (t->fired)
		t->deadline_ns = 0; /* the task is queued: it can't be taken back */
	else
		t->armed = false;
	spin_unlock_irqrestore(&t->lock, flags);
	/* The caller may free t: the interrupt must be through with it. It waits for no lock but
	 * t->lock. */
	if (cancelled)
		timer_cancel_sync(&t->timer);
	return cancelled;
}
