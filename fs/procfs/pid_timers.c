/* /proc/PID/timers: the timers of timer_create(2), as proc(5) describes them. */
#include "procfs.h"
#include <process/timer.h>

static const char *how(int notify)
{
	switch (notify & ~SIGEV_THREAD_ID) {
	case SIGEV_SIGNAL:
		return "signal";
	case SIGEV_NONE:
		return "none";
	default:
		return "thread";
	}
}

int pid_show_timers(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct posix_timer_info i;
	s32 id = s->at > INT_MAX ? INT_MAX : (s32)s->at;

	if (!t)
		return -ESRCH;
	for (; posix_timer_next(t->process, &id, &i); id++) {
		seq_printf(s, "ID: %d\nsignal: %d/%016llx\nnotify: %s/%s.%d\nClockID: %d\n", id,
			i.signo, (unsigned long long)i.value, how(i.notify),
			i.notify & SIGEV_THREAD_ID ? "tid" : "pid", i.target, i.clockid);
		if (id == INT_MAX || seq_pause(s, (u64)id + 1))
			break;
	}
	put_task(t);
	return 0;
}
