/* RLIMIT_RTTIME: how long a real-time thread may run without sleeping (getrlimit(2)). */
#include "process.h"
#include <core/init.h>

static void check(struct thread *th, u64 run_ns)
{
	u64 us = run_ns / NS_PER_US, soft, hard;
	struct rlimit64 *lim;
	struct process *p;
	unsigned long flags;
	struct task *t;

	if (!thread_is_task(th))
		return;
	t = container_of(th, struct task, thread);
	p = t->process;
	lim = &p->limits.lim[RLIMIT_RTTIME];
	soft = READ_ONCE(lim->rlim_cur);
	hard = READ_ONCE(lim->rlim_max);
	if (likely(us < soft && us < hard))
		return;
	flags = spin_lock_irqsave(&p->siglock);
	if (us >= hard) {
		(void)signal_send_locked(p, t, SIGKILL, NULL, false); /* init goes on */
	} else {
		(void)signal_send_locked(p, t, SIGXCPU, NULL, true);
		/* Again after another second. */
		WRITE_ONCE(lim->rlim_cur, min(soft + NS_PER_SEC / NS_PER_US, hard));
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

static int rttime_init(void)
{
	sched_set_rt_hook(check);
	return 0;
}
INIT_HOOK(INIT_CORE, rttime_init);
