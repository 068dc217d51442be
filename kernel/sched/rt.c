/*
 * Real-time threads don't starve the rest: in each period a CPU gives them sched_rt_runtime_us
 * (sched(7), "Limiting the CPU usage of real-time and deadline processes"). The rest of the period
 * is for others; a CPU that nobody else wants idles then, as on Linux.
 */
#include "sched.h"
#include <lib/err.h>
#include <sched/timer.h>

int g_sched_rt_runtime_us = 950000, g_sched_rt_period_us = 1000000;

int sched_set_rt_share(int runtime_us, int period_us)
{
	if (period_us < 1 || runtime_us < -1 || runtime_us > period_us)
		return -EINVAL;
	WRITE_ONCE(g_sched_rt_period_us, period_us);
	WRITE_ONCE(g_sched_rt_runtime_us, runtime_us);
	return 0;
}

void rt_tick(struct run_queue *rq, s64 now)
{
	s64 period = READ_ONCE(g_sched_rt_period_us) * 1000ll;
	s64 runtime = READ_ONCE(g_sched_rt_runtime_us) * 1000ll;

	if (now >= rq->rt_period_end_ns) {
		s64 ended = (now - rq->rt_period_end_ns) / period + 1;

		if (runtime < 0 || ended > rq->rt_used_ns / max(runtime, 1ll))
			rq->rt_used_ns = 0;
		else
			rq->rt_used_ns = min(rq->rt_used_ns - ended * runtime, TICK_NS);
		rq->rt_period_end_ns = now + period - (now - rq->rt_period_end_ns) % period;
	}
	if (rq->rt_throttled != (runtime >= 0 && runtime < period && rq->rt_used_ns >= runtime)) {
		rq->rt_throttled = !rq->rt_throttled;
		resched(rq);
	}
}
