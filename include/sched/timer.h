/*
 * Timers: per-CPU ordered trees of absolute monotonic ns deadlines; callbacks run in interrupt
 * context with interrupts off. Periodic ones re-arm themselves from the callback.
 */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include <lib/rbtree.h>
#include <core/spinlock.h>
#include <linux/time.h>
#include <linux/time_types.h>

struct timer {
	struct rb_node node;
	s64 deadline_ns;
	void (*fn)(struct timer *t);
	int cpu;  /* whose tree; timer base lock */
	u8 state; /* idle, queued, running */
};
void timer_init(struct timer *t, void (*fn)(struct timer *));
/* (Re-)arm for an absolute monotonic time; replaces an earlier one. Any context, also from fn. */
void timer_arm(struct timer *t, s64 deadline_ns);
/* True when it was pending. After _sync the callback is not running anywhere (not from fn itself). */
bool timer_cancel(struct timer *t);
bool timer_cancel_sync(struct timer *t);
bool timer_pending(const struct timer *t);
void timer_interrupt(void); /* arch upcall */

/* Clocks. All ns in s64. */
static inline s64 clock_mono_ns(void); /* CLOCK_MONOTONIC, since boot; does not sleep */
s64 clock_real_ns(void);               /* CLOCK_REALTIME */
s64 clock_coarse_mono_ns(void), clock_coarse_real_ns(void);
s64 clock_real_offset_ns(void); /* realtime - monotonic, atomic */
/* Set the wall clock; calls the change hooks (timers on CLOCK_REALTIME, TFD_TIMER_CANCEL_ON_SET). */
void clock_set_real_ns(s64 ns);
void clock_add_set_hook(void (*fn)(void)); /* at most 8, at init */
#define COARSE_TICK_NS 4000000ll           /* resolution of the coarse clocks (250 Hz) */

/* Any CLOCK_* id that does not need a task (process adds CPU-time clocks): -EINVAL otherwise. */
int clock_get(int clockid, s64 *ns) must_check;
/* Deadline on a clock to monotonic ns (realtime deadlines follow the current offset). Saturates. */
int clock_to_mono(int clockid, s64 t, s64 *mono) must_check;

/* timespec/timeval <-> ns; -EINVAL when negative or tv_nsec out of range; saturate at TIME_NEVER. */
int ns_from_timespec(const struct __kernel_timespec *ts, s64 *ns) must_check;
struct __kernel_timespec ns_to_timespec(s64 ns);
/* now + ns, saturating. */
s64 deadline_after(s64 ns);

/* Sleep; 0, or -ERESTARTSYS with a signal pending (state INTERRUPTIBLE). */
int sleep_until(s64 deadline_mono_ns) must_check;
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
