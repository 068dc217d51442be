/*
 * Wait queues. The waiter's default function wakes the thread first and then marks the waiter as
 * not queued: a sleeper that still sees itself queued takes the queue's lock to get out, so the
 * waiter (on its stack) and the thread live until the waker is done with them.
 */
#include "sched.h"
#include <lib/atomic.h>
#include <sched/timer.h>
#include <sched/wait.h>

static bool (*g_fatal_hook)(const struct thread *t);

void wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock, RANK_WAITQUEUE);
	list_init(&q->waiters);
}

static bool wake_default(struct waiter *w, unsigned long key)
{
	/* One that isn't asleep stays: it may be between queueing and its last look. */
	if (!thread_wake(w->thread))
		return false;
	list_del(&w->link);
	store_release(&w->queue, NULL);
	return true;
}

/* q is locked, interrupts off. */
static void wake_locked(struct wait_queue *q, int nr_exclusive, unsigned long key)
{
	struct waiter *w, *next;

	list_for_each_entry_safe(w, next, &q->waiters, link) {
		bool exclusive = w->exclusive;

		if (w->fn(w, key) && exclusive && --nr_exclusive <= 0)
			break;
	}
}

void wake_up_key(struct wait_queue *q, int nr_exclusive, unsigned long key)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	wake_locked(q, nr_exclusive, key);
	spin_unlock_irqrestore(&q->lock, flags);
}

void wake_up_key_nested(struct wait_queue *q, int nr_exclusive, unsigned long key)
{
	unsigned long flags = irq_save();

	spin_lock_nested(&q->lock);
	wake_locked(q, nr_exclusive, key);
	spin_unlock(&q->lock);
	irq_restore(flags);
}

void waiter_init(struct waiter *w)
{
	w->thread = current_thread();
	w->fn = wake_default;
	w->exclusive = false;
	w->queue = NULL;
}

/* Always under the lock: a waker that has just woken us may still be about to take w off. */
static void add(struct wait_queue *q, struct waiter *w, bool exclusive)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	if (!w->queue) {
		w->exclusive = exclusive;
		w->queue = q;
		if (exclusive) /* shared ones come first and are all woken */
			list_add_tail(&w->link, &q->waiters);
		else
			list_add(&w->link, &q->waiters);
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_add(struct wait_queue *q, struct waiter *w)
{
	add(q, w, w->exclusive);
}

void wait_remove(struct waiter *w)
{
	struct wait_queue *q;
	unsigned long flags;

	rcu_read_lock(); /* q may be retired meanwhile */
	q = load_acquire(&w->queue);
	if (q) {
		flags = spin_lock_irqsave(&q->lock);
		if (w->queue) {
			list_del(&w->link);
			w->queue = NULL;
		}
		spin_unlock_irqrestore(&q->lock, flags);
	}
	rcu_read_unlock();
}

void wait_queue_retire(struct wait_queue *q)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);

	while (!list_empty(&q->waiters)) {
		struct waiter *w = list_first_entry(&q->waiters, struct waiter, link);

		list_del(&w->link);
		store_release(&w->queue, NULL);
	}
	spin_unlock_irqrestore(&q->lock, flags);
}

void wait_prepare(struct wait_queue *q, struct waiter *w, u32 state)
{
	add(q, w, false);
	thread_set_state(state);
}

void wait_prepare_exclusive(struct wait_queue *q, struct waiter *w, u32 state)
{
	add(q, w, true);
	thread_set_state(state);
}

void wait_finish(struct waiter *w)
{
	WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
	wait_remove(w);
}

bool signal_interrupts(const struct thread *t, u32 state)
{
	if (likely(!thread_has_work(t, WORK_SIGNAL)))
		return false;
	if (state & THREAD_INTERRUPTIBLE)
		return true;
	return (state & THREAD_KILLABLE) && g_fatal_hook && g_fatal_hook(t);
}

void sched_set_fatal_hook(bool (*fn)(const struct thread *t))
{
	g_fatal_hook = fn;
}

/* ---- sleeping with a deadline ---- */

struct sleeper {
	struct timer timer;
	struct thread *thread;
	bool fired;
};

static void sleeper_fire(struct timer *t)
{
	struct sleeper *s = container_of(t, struct sleeper, timer);

	s->fired = true;
	thread_wake(s->thread);
}

bool sched_block_until_deadline(struct deadline d)
{
	struct sleeper s;

	if (d.ns == TIME_NEVER) {
		sched_block();
		return false;
	}
	if (deadline_passed(d)) {
		WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
		return true;
	}
	timer_init(&s.timer, sleeper_fire);
	s.thread = current_thread();
	s.fired = false;
	timer_arm_slack(&s.timer, d, is_rt(s.thread) ? 0 : s.thread->timer_slack_ns);
	sched_block();
	timer_cancel_sync(&s.timer);
	return s.fired;
}

bool sched_block_until(s64 deadline)
{
	return sched_block_until_deadline((struct deadline){.ns = deadline});
}

int sleep_until_deadline(struct deadline d)
{
	while (!deadline_passed(d)) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE)) {
			WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
			return -ERESTARTSYS;
		}
		if (sched_block_until_deadline(d))
			break;
	}
	return 0;
}

int sleep_until(s64 deadline)
{
	return sleep_until_deadline((struct deadline){.ns = deadline});
}

void sleep_ns(s64 ns)
{
	s64 deadline = deadline_after(ns);

	while (clock_mono_ns() < deadline) {
		thread_set_state(THREAD_SLEEPING);
		sched_block_until(deadline);
	}
}

/* ---- completions ---- */

#define DONE_ALL U32_MAX

void completion_init(struct completion *c)
{
	c->done = 0;
	wait_queue_init(&c->wait);
}

/* The lock is held over the wake-up, so that a completion on the waiter's stack lives as long. */
void complete(struct completion *c)
{
	unsigned long flags = spin_lock_irqsave(&c->wait.lock);

	if (c->done != DONE_ALL)
		c->done++;
	if (!list_empty(&c->wait.waiters)) {
		struct waiter *w = list_first_entry(&c->wait.waiters, struct waiter, link);

		w->fn(w, 0);
	}
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

void complete_all(struct completion *c)
{
	unsigned long flags = spin_lock_irqsave(&c->wait.lock);
	struct waiter *w, *next;

	c->done = DONE_ALL;
	list_for_each_entry_safe(w, next, &c->wait.waiters, link)
		w->fn(w, 0);
	spin_unlock_irqrestore(&c->wait.lock, flags);
}

static bool take_done(struct completion *c)
{
	unsigned long flags = spin_lock_irqsave(&c->wait.lock);
	bool done = c->done;

	if (done && c->done != DONE_ALL)
		c->done--;
	spin_unlock_irqrestore(&c->wait.lock, flags);
	return done;
}

void wait_for_completion(struct completion *c)
{
	wait_event(&c->wait, take_done(c));
}

int wait_for_completion_killable(struct completion *c)
{
	return wait_event_killable(&c->wait, take_done(c));
}
