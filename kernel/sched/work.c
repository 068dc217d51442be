/*
 * Deferred work: one list, first in first out, and a few threads that take from it, so that an item
 * that sleeps does not hold up the others. Items are numbered as they are queued; "everything
 * before N is done" when neither the list nor a worker has a smaller number.
 */
#include "sched.h"
#include <core/counters.h>
#include <core/init.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <lib/seq_buf.h>
#include <sched/wait.h>
#include <sched/work.h>

#define NR_WORKERS 4

struct worker {
	struct thread *thread;
	struct work *current; /* g_lock; the item may be gone already, only compared */
	u64 nr;               /* g_lock: current's number */
	bool again;           /* g_lock: current was queued meanwhile */
};

static DEFINE_SPINLOCK(g_lock, RANK_WORK);
static LIST_HEAD(g_list);  /* g_lock */
static u64 g_next_nr = 1;  /* g_lock */
static u64 g_first_nr = 1; /* g_lock: number of the first on the list, g_next_nr if empty */
static struct worker g_workers[NR_WORKERS];
static struct wait_queue g_more = WAIT_QUEUE_INIT(g_more);
static struct wait_queue g_done = WAIT_QUEUE_INIT(g_done);

void work_init(struct work *w, void (*fn)(struct work *))
{
	list_init(&w->link);
	w->fn = fn;
	w->state = 0;
}

bool work_queue(struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool fresh = !w->state;

	if (fresh) {
		w->state = 1;
		list_add_tail(&w->link, &g_list);
		g_next_nr++;
	}
	spin_unlock_irqrestore(&g_lock, flags);
	if (fresh)
		wake_up(&g_more);
	return fresh;
}

static struct worker *runner_locked(const struct work *w)
{
	for (int i = 0; i < NR_WORKERS; i++)
		if (g_workers[i].current == w)
			return &g_workers[i];
	return NULL;
}

/* An item never runs twice at a time: the worker that has it runs it again. */
static struct work *take(struct worker *self)
{
	struct work *w = NULL;
	unsigned long flags = spin_lock_irqsave(&g_lock);

	while (!w && !list_empty(&g_list)) {
		struct worker *runner;

		w = list_first_entry(&g_list, struct work, link);
		list_del(&w->link);
		w->state = 0; /* from here it may be queued again, or freed by its function */
		runner = runner_locked(w);
		if (runner) {
			runner->again = true;
			g_first_nr++;
			w = NULL;
			continue;
		}
		self->current = w;
		self->nr = g_first_nr++;
	}
	spin_unlock_irqrestore(&g_lock, flags);
	return w;
}

/* False: the item is to run once more. */
static bool finish(struct worker *self)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool done = !self->again;

	self->again = false;
	if (done)
		self->current = NULL;
	spin_unlock_irqrestore(&g_lock, flags);
	if (done)
		wake_up_all(&g_done);
	return done;
}

static void worker_main(void *arg)
{
	struct worker *self = arg;

	for (;;) {
		struct work *w;

		(void)!wait_event_interruptible_exclusive(&g_more, (w = take(self)) != NULL);
		do
			w->fn(w);
		while (!finish(self));
		cond_resched();
	}
}

static bool running_locked(const struct work *w)
{
	for (int i = 0; i < NR_WORKERS; i++)
		if (g_workers[i].current == w && g_workers[i].thread != current_thread())
			return true;
	return false;
}

static bool idle_work(const struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool idle = !w->state && !running_locked(w);

	spin_unlock_irqrestore(&g_lock, flags);
	return idle;
}

void work_flush(struct work *w)
{
	wait_event(&g_done, idle_work(w));
}

bool work_cancel_sync(struct work *w)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool queued = w->state;

	if (queued) {
		/* Numbers are positions: one less on the list. */
		list_del(&w->link);
		w->state = 0;
		g_first_nr++;
	}
	spin_unlock_irqrestore(&g_lock, flags);
	work_flush(w);
	return queued;
}

static bool done_before(u64 nr)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool done = g_first_nr >= nr;

	for (int i = 0; i < NR_WORKERS && done; i++)
		if (g_workers[i].current && g_workers[i].nr < nr &&
			g_workers[i].thread != current_thread())
			done = false;
	spin_unlock_irqrestore(&g_lock, flags);
	return done;
}

void work_drain(void)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	u64 nr = g_next_nr;

	spin_unlock_irqrestore(&g_lock, flags);
	wait_event(&g_done, done_before(nr));
}

static int work_module_init(void)
{
	for (int i = 0; i < NR_WORKERS; i++) {
		struct thread *t = kthread_run(worker_main, &g_workers[i], "kworker/%d", i);

		if (is_err(t))
			return ptr_err(t);
		g_workers[i].thread = t;
	}
	return counters_add_quiesce(QUIESCE_WORK, work_drain);
}
INIT_HOOK(INIT_SCHED, work_module_init);
