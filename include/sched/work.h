/* Deferred work in kernel threads: per-CPU workers that may sleep. */
#ifndef SCHED_WORK_H
#define SCHED_WORK_H

#include <lib/list.h>
#include <sched/timer.h>

/* One item never runs on two workers at a time; queued while it runs, it runs once more. */
struct work {
	struct list_head link;
	void (*fn)(struct work *w);
	u32 state;
};
void work_init(struct work *w, void (*fn)(struct work *));
bool work_queue(struct work *w); /* any context; false: already queued. fn may requeue or free w */
void work_flush(struct work *w); /* wait until it isn't queued or running; sleeps */
bool work_cancel_sync(struct work *w);
void work_drain(void); /* wait for everything queued before now */

#endif
