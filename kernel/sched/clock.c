/* Clocks on top of arch_clock_ns. */
#include "sched.h"
#include <core/init.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/timer.h>

#define MAX_HOOKS   8
#define MAX_SECONDS (S64_MAX / NS_PER_SEC)

static s64 g_real_offset; /* atomic */
static DEFINE_SPINLOCK(g_set_lock, RANK_DEVICE);
static void (*g_set_hooks[MAX_HOOKS])(void); /* at init */
static int g_nr_hooks;
static void (*g_vdso_hook)(const struct clock_params *p);

s64 clock_real_offset_ns(void)
{
	return __atomic_load_n(&g_real_offset, __ATOMIC_RELAXED);
}

s64 clock_real_ns(void)
{
	return clock_mono_ns() + clock_real_offset_ns();
}

/* Coarse clocks step with monotonic time, so that they never disagree about order. */
s64 clock_coarse_mono_ns(void)
{
	s64 now = clock_mono_ns();

	return now - now % COARSE_TICK_NS;
}

s64 clock_coarse_real_ns(void)
{
	return clock_coarse_mono_ns() + clock_real_offset_ns();
}

static void tell_vdso(void)
{
	void (*fn)(const struct clock_params *) = load_acquire(&g_vdso_hook);
	struct clock_params p = {
		.real_offset_ns = clock_real_offset_ns(),
		.coarse_mono_ns = clock_coarse_mono_ns(),
		.coarse_real_ns = clock_coarse_real_ns(),
	};

	if (fn)
		fn(&p);
}

void clock_set_vdso_hook(void (*fn)(const struct clock_params *p))
{
	store_release(&g_vdso_hook, fn);
	tell_vdso();
}

void clock_add_set_hook(void (*fn)(void))
{
	BUG_ON(g_nr_hooks == MAX_HOOKS);
	g_set_hooks[g_nr_hooks++] = fn;
}

int clock_set_real_ns(s64 ns)
{
	unsigned long flags = spin_lock_irqsave(&g_set_lock);
	s64 offset = ns - clock_mono_ns();

	if (offset >= 0) {
		__atomic_store_n(&g_real_offset, offset, __ATOMIC_RELAXED);
		tell_vdso();
	}
	spin_unlock_irqrestore(&g_set_lock, flags);
	if (offset < 0)
		return -EINVAL;
	timers_wall_clock_set();
	for (int i = 0; i < g_nr_hooks; i++)
		g_set_hooks[i]();
	return 0;
}

int clock_get(int clockid, s64 *ns)
{
	switch (clockid) {
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_mono_ns();
		return 0;
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = clock_real_ns();
		return 0;
	case CLOCK_MONOTONIC_COARSE:
		*ns = clock_coarse_mono_ns();
		return 0;
	case CLOCK_REALTIME_COARSE:
		*ns = clock_coarse_real_ns();
		return 0;
	default:
		return -EINVAL;
	}
}

bool clock_is_wall(int clockid)
{
	return clockid == CLOCK_REALTIME || clockid == CLOCK_REALTIME_COARSE ||
		clockid == CLOCK_REALTIME_ALARM || clockid == CLOCK_TAI;
}

s64 clock_wall_to_mono_ns(s64 wall_ns)
{
	s64 mono;

	if (wall_ns == TIME_NEVER || __builtin_sub_overflow(wall_ns, clock_real_offset_ns(), &mono))
		return wall_ns > 0 ? TIME_NEVER : 0;
	return max(mono, 0ll);
}

int deadline_on(int clockid, s64 t, struct deadline *d)
{
	s64 now;

	*d = (struct deadline){.ns = t, .wall = clock_is_wall(clockid)};
	return clock_get(clockid, &now);
}

bool deadline_passed(struct deadline d)
{
	return d.ns != TIME_NEVER && (d.wall ? clock_real_ns() : clock_mono_ns()) >= d.ns;
}

int ns_from_timespec(const struct __kernel_timespec *ts, s64 *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NS_PER_SEC)
		return -EINVAL;
	*ns = ts->tv_sec >= MAX_SECONDS ? TIME_NEVER : ts->tv_sec * NS_PER_SEC + ts->tv_nsec;
	return 0;
}

struct __kernel_timespec ns_to_timespec(s64 ns)
{
	struct __kernel_timespec ts = {.tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC};

	if (ts.tv_nsec < 0) {
		ts.tv_sec--;
		ts.tv_nsec += NS_PER_SEC;
	}
	return ts;
}

s64 deadline_after(s64 ns)
{
	s64 sum;

	return __builtin_add_overflow(clock_mono_ns(), ns, &sum) ? TIME_NEVER : sum;
}

static int clock_init(void)
{
	g_real_offset = arch_rtc_seconds() * NS_PER_SEC - clock_mono_ns();
	return 0;
}
INIT_HOOK(INIT_SCHED, clock_init);
