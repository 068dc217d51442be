/*
 * The hung-task watcher: a thread that has waited without a break, and that no signal can wake, for
 * longer than kernel.hung_task_timeout_secs is logged with where it waits.
 */
#include "sched.h"
#include <core/init.h>
#include <core/log.h>
#include <core/symbols.h>
#include <sched/timer.h>
#include <sched/work.h>

#define LOOKS      4 /* per timeout */
#define MAX_FRAMES 24

int g_hung_task_timeout_secs = 120; /* 0: off */
int g_hung_task_warnings = 10;      /* so many more; -1: without end */
int g_hung_task_panic;

static struct timer g_timer;
static struct work g_work;

struct look {
	s64 now, limit_ns;
	int due; /* still to be reported in this round */
};

struct place {
	u64 switches;
	unsigned long at[MAX_FRAMES];
	int n;
};

static void note_place(struct thread *t, void *arg)
{
	struct place *p = arg;

	if (t->state == THREAD_SLEEPING && t->nvcsw + t->nivcsw == p->switches)
		p->n = arch_thread_backtrace(&t->arch, p->at, MAX_FRAMES);
}

static void look_at(struct thread *t, void *arg)
{
	struct look *l = arg;
	u64 switches = READ_ONCE(t->nvcsw) + READ_ONCE(t->nivcsw);
	struct place p = {.switches = switches};

	if (READ_ONCE(t->state) != THREAD_SLEEPING) {
		t->hung_since_ns = 0;
		return;
	}
	if (!t->hung_since_ns || t->hung_switches != switches) {
		t->hung_since_ns = l->now;
		t->hung_switches = switches;
		return;
	}
	if (l->now - t->hung_since_ns < l->limit_ns || !l->due)
		return;
	thread_if_blocked(t, note_place, &p); /* woken meanwhile: no place */
	t->hung_since_ns = l->now;            /* again after another timeout */
	if (l->due > 0)
		l->due--;
	log_err("INFO: task %s (%p) blocked for more than %lld seconds.", t->name, t,
		(long long)(l->limit_ns / NS_PER_SEC));
	log_addresses(LOG_ERR, p.at, p.n);
	if (READ_ONCE(g_hung_task_panic))
		panic("hung_task: blocked tasks");
}

static void look(struct work *w)
{
	int secs = READ_ONCE(g_hung_task_timeout_secs);
	struct look l = {
		.now = clock_mono_ns(),
		.limit_ns = secs * NS_PER_SEC,
		.due = READ_ONCE(g_hung_task_warnings),
	};

	if (!secs)
		return;
	threads_for_each(look_at, &l);
	WRITE_ONCE(g_hung_task_warnings, l.due);
}

static void fired(struct timer *t)
{
	int secs = READ_ONCE(g_hung_task_timeout_secs);

	work_queue(&g_work);
	timer_arm(t, deadline_after((secs ? secs : 120) * NS_PER_SEC / LOOKS));
}

void hung_task_restart(void)
{
	timer_cancel(&g_timer);
	fired(&g_timer);
}

static int hung_init(void)
{
	work_init(&g_work, look);
	timer_init(&g_timer, fired);
	timer_arm(&g_timer, deadline_after(g_hung_task_timeout_secs * NS_PER_SEC / LOOKS));
	return 0;
}
INIT_HOOK(INIT_SMP, hung_init);
