/* The thread that reclaims memory before it is short, and what reclaim needs of threads. */
#include "sched.h"
#include <core/init.h>
#include <kmem/reclaim.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/timer.h>
#include <sched/wait.h>

#define OOM_PAUSE_NS   2000000ll   /* for a victim to get on with dying */
#define RETRY_PAUSE_NS 100000000ll /* after a round that freed nothing */

static struct thread *g_kswapd;
static u32 g_wanted; /* atomic */

/* Called with any lock held: the next tick wakes the thread. */
static void wake(void)
{
	WRITE_ONCE(g_wanted, 1);
}

void kswapd_tick(void)
{
	if (unlikely(READ_ONCE(g_wanted)) && g_kswapd && xchg(&g_wanted, 0))
		thread_wake(g_kswapd);
}

static void kswapd_main(void *arg)
{
	current_thread()->in_reclaim = true;
	for (;;) {
		if (!kmem_balance())
			sleep_ns(RETRY_PAUSE_NS);
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (mem_below_low()) {
			WRITE_ONCE(current_thread()->state, THREAD_RUNNING);
			cond_resched();
		} else {
			sched_block();
		}
	}
}

static bool enter(void)
{
	struct thread *t = current_thread();

	if (!t || t->in_reclaim || !sched_can_sleep())
		return false;
	t->in_reclaim = true;
	return true;
}

static void leave(void)
{
	current_thread()->in_reclaim = false;
}

static void pause(void)
{
	sleep_ns(OOM_PAUSE_NS);
}

static bool doomed(void)
{
	return signal_interrupts(current_thread(), THREAD_KILLABLE);
}

static u32 scope(void)
{
	return current_thread()->gfp_scope;
}

static const struct reclaim_ops g_ops = {
	.wake = wake,
	.enter = enter,
	.leave = leave,
	.pause = pause,
	.doomed = doomed,
	.scope = scope,
};

static int kswapd_init(void)
{
	struct thread *t = kthread_run(kswapd_main, NULL, "kswapd");

	if (is_err(t))
		return ptr_err(t);
	g_kswapd = t;
	reclaim_set_ops(&g_ops);
	return 0;
}
INIT_HOOK(INIT_SCHED, kswapd_init);
