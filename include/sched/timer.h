/*
 * Timers: per-CPU ordered trees of absolute deadlines; callbacks run in interrupt context with
 * interrupts off. Periodic ones re-arm themselves from the callback. While a callback waits for a
 * lock, its timer may be cancelled or armed anew under that lock: then it has nothing to do, which
 * timer_wanted() tells.
 */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include <lib/rbtree.h>
#include <core/spinlock.h>
#include <linux/time.h>
#include <linux/time_types.h>

/* A moment on CLOCK_MONOTONIC, or on the wall clock: then it follows the clock's settings. */
struct deadline {
	s64 ns; /* TIME_NEVER: none */
	bool wall;
};

struct timer {
	struct rb_node node;
	s64 deadline_ns; /* not later: orders the tree, sets the hardware */
	s64 earliest_ns; /* from then on it may run together with others */
	void (*fn)(struct timer *t);
	int cpu;   /* whose tree; timer base lock */
	u8 state;  /* idle, queued, running */
	bool wall; /* deadline_ns is on the wall clock; timer base lock */
};
void timer_init(struct timer *t, void (*fn)(struct timer *));
/* (Re-)arm for an absolute monotonic time; replaces an earlier one. Any context, also from fn. */
void timer_arm(struct timer *t, s64 deadline_ns);
void timer_arm_deadline(struct timer *t, struct deadline d);
/* The same, but it may be up to slack_ns late if that saves an interrupt. */
void timer_arm_slack(struct timer *t, struct deadline d, s64 slack_ns);
/* True when it was pending. After _sync the callback is not running anywhere (not from fn itself). */
bool timer_cancel(struct timer *t);
bool timer_cancel_sync(struct timer *t);
bool timer_pending(const struct timer *t);
/* For callbacks, under the lock under which t is armed and cancelled: neither was done since t
 * fired. */
bool timer_wanted(const struct timer *t);
/* Move *expires_ns behind now_ns by whole intervals (> 0 ns), TIME_NEVER at most. How many: 0 when
 * it is behind now_ns already. */
s64 timer_forward(s64 *expires_ns, s64 interval_ns, s64 now_ns);
void timer_interrupt(void);       /* arch upcall */
void timers_wall_clock_set(void); /* every CPU looks at its timers again; interrupts on */

/* Clocks. All ns in s64. */
static inline s64 clock_mono_ns(void); /* CLOCK_MONOTONIC, since boot; does not sleep */
s64 clock_real_ns(void);               /* CLOCK_REALTIME */
s64 clock_coarse_mono_ns(void), clock_coarse_real_ns(void);
s64 clock_real_offset_ns(void); /* realtime - monotonic, atomic */
/* Set the wall clock: its timers fire when it shows their time. Calls the change hooks. Sleeps.
 * -EINVAL: the machine runs for longer than that. Callers keep ns below CLOCK_SET_MAX_NS, so that
 * 30 years later it still fits. */
int clock_set_real_ns(s64 ns) must_check;
#define CLOCK_SET_MAX_NS ((TIME_NEVER / NS_PER_SEC - 30ll * 365 * 24 * 3600) * NS_PER_SEC)
void clock_add_set_hook(void (*fn)(void)); /* at most 8, at init */
#define COARSE_TICK_NS 4000000ll           /* resolution of the coarse clocks (250 Hz) */

/* Any CLOCK_* id that does not need a task (process adds CPU-time clocks): -EINVAL otherwise. */
int clock_get(int clockid, s64 *ns) must_check;
/* A moment of any of these clocks; -EINVAL. */
int deadline_on(int clockid, s64 t, struct deadline *d) must_check;
bool clock_is_wall(int clockid); /* one that can be set */
s64 clock_wall_to_mono_ns(
	s64 wall_ns); /* by the current offset; before boot: 0; TIME_NEVER stays */
bool deadline_passed(struct deadline d);

/* timespec/timeval <-> ns; -EINVAL when negative or tv_nsec out of range; saturate at TIME_NEVER. */
int ns_from_timespec(const struct __kernel_timespec *ts, s64 *ns) must_check;
struct __kernel_timespec ns_to_timespec(s64 ns);
/* now + ns, saturating. */
s64 deadline_after(s64 ns);

/* Sleep; 0, or -ERESTARTSYS with a signal pending (state INTERRUPTIBLE). */
int sleep_until(s64 deadline_mono_ns) must_check;
int sleep_until_deadline(struct deadline d) must_check;
void sleep_ns(s64 ns); /* uninterruptible */

#include <arch/platform.h>
static inline s64 clock_mono_ns(void)
{
	return (s64)arch_clock_ns();
}
/* The vDSO's data: called (any context) whenever clock parameters change; set once by vdso. */
struct clock_params {
	s64 real_offset_ns;
	s64 coarse_mono_ns, coarse_real_ns;
};
void clock_set_vdso_hook(void (*fn)(const struct clock_params *p));

#endif
