/* Interval timers and POSIX timers of processes. All times in ns. */
#ifndef PROCESS_TIMER_H
#define PROCESS_TIMER_H

#include <process/task.h>

struct sigevent;

/* getitimer/setitimer: which is ITIMER_*; value 0: off. -EINVAL. */
int process_get_itimer(struct process *p, int which, s64 *value_ns, s64 *interval_ns) must_check;
int process_set_itimer(struct process *p, int which, s64 value, s64 interval, s64 *old_value,
	s64 *old_interval) must_check;

/* timer_create(2) and relatives for the current process. ev NULL: SIGALRM. -EINVAL -EAGAIN -ENOMEM */
int posix_timer_create(int clockid, const struct sigevent *ev, s32 *id) must_check;
int posix_timer_set(s32 id, bool absolute, s64 value, s64 interval, s64 *old_value,
	s64 *old_interval) must_check;
int posix_timer_get(s32 id, s64 *value, s64 *interval) must_check;
int posix_timer_overrun(s32 id) must_check;
int posix_timer_delete(s32 id) must_check;

struct posix_timer_info {           /* of any process, for /proc */
	int signo, notify, clockid; /* notify: SIGEV_* */
	u64 value;                  /* what the signal carries */
	s32 target;                 /* process or, with SIGEV_THREAD_ID, thread */
};
/* The timer with the lowest id >= *id, which becomes its id. False: none. */
bool posix_timer_next(struct process *p, s32 *id, struct posix_timer_info *info) must_check;

#endif
