/*
 * POSIX timers. Each has its own queue entry for its signal, so expiry cannot fail for lack of
 * memory. A periodic timer is set again when its signal is taken: what was missed meanwhile is the
 * overrun count. Everything is guarded by the process's siglock.
 */
#include "process.h"
#include <kmem/slab.h>
#include <lib/string.h>
#include <process/timer.h>

#define FOREIGN_TRIES 10000

struct posix_timer {
	struct list_head link; /* process->posix_timers */
	struct process *process;
	struct user_account *user; /* charged as for a pending signal */
	s32 id;                    /* -1: being deleted */
	int clockid, notify;       /* SIGEV_* */
	struct task *target;       /* SIGEV_THREAD_ID: referenced */
	struct task *clock_task;   /* a thread's CPU clock: referenced */
	/* Another process's CPU clock: referenced; and what it was when last seen. */
	struct process *clock_process;
	s64 clock_seen_ns;
	struct sigqueue queue;
	struct timer timer;
	s64 expires_ns;  /* on its clock; 0: not set */
	s64 interval_ns; /* 0: once */
	s64 overrun, last_overrun;
	bool on_wall; /* expires_ns is on the wall clock and follows its settings, else monotonic */
	bool deleted; /* lives only until its signal is taken */
};

static SLAB_CACHE(g_timer_cache, struct posix_timer);

static bool is_cpu(const struct posix_timer *pt)
{
	return clock_is_cpu(pt->clockid);
}

/*
 * The times of another process while our own siglock is held. Two processes may look at each other's
 * clocks at once, so this tries for a while only; then the clock stands still until the next look.
 */
static s64 foreign_now_locked(struct posix_timer *pt)
{
	struct process *p = pt->clock_process;
	u64 u, s;

	for (int i = 0; i < FOREIGN_TRIES; i++) {
		if (spin_trylock(&p->siglock)) {
			process_own_times(p, &u, &s);
			spin_unlock(&p->siglock);
			pt->clock_seen_ns = (s64)((pt->clockid & 3) == 1 ? u : u + s);
			break;
		}
		cpu_relax();
	}
	return pt->clock_seen_ns;
}

static s64 now_locked(struct posix_timer *pt)
{
	u64 u, s;

	if (pt->clock_process)
		return foreign_now_locked(pt);
	if (pt->clock_task)
		thread_times(&pt->clock_task->thread, &u, &s);
	else if (is_cpu(pt))
		process_own_times(pt->process, &u, &s);
	else
		return pt->on_wall ? clock_real_ns() : clock_mono_ns();
	return (s64)(pt->clockid < 0 && (pt->clockid & 3) == 1 ? u : u + s);
}

static void timer_free(struct posix_timer *pt)
{
	if (pt->user) {
		__atomic_fetch_sub(&pt->user->sigpending, 1, __ATOMIC_RELAXED);
		put_user_account(pt->user);
	}
	if (pt->target)
		put_task(pt->target);
	if (pt->clock_task)
		put_task(pt->clock_task);
	if (pt->clock_process)
		put_process(pt->clock_process);
	slab_free(&g_timer_cache, pt);
}

/* ---- expiry ---- */

static void arm_locked(struct posix_timer *pt)
{
	if (is_cpu(pt))
		cpu_timers_update_locked(pt->process);
	else
		timer_arm_deadline(
			&pt->timer, (struct deadline){.ns = pt->expires_ns, .wall = pt->on_wall});
}

/* Move expires_ns behind now by whole intervals; how many. */
static s64 forward_locked(struct posix_timer *pt)
{
	return timer_forward(&pt->expires_ns, pt->interval_ns, now_locked(pt));
}

static void expire_locked(struct posix_timer *pt)
{
	if (pt->notify == SIGEV_NONE)
		return;
	if (!list_empty(&pt->queue.link)) {
		pt->overrun++;
		return;
	}
	pt->overrun = 0;
	pt->queue.info.si_overrun = 0;
	signal_queue_timer_locked(pt->process, pt->target, &pt->queue);
	if (!list_empty(&pt->queue.link))
		return;
	/* ignored: go on without anybody taking it */
	if (!pt->interval_ns) {
		pt->expires_ns = 0;
		return;
	}
	(void)timer_forward(&pt->expires_ns, pt->interval_ns, now_locked(pt) + IGNORED_REARM_NS);
	if (!is_cpu(pt))
		arm_locked(pt);
}

static void posix_timer_fired(struct timer *timer)
{
	struct posix_timer *pt = container_of(timer, struct posix_timer, timer);
	unsigned long flags = spin_lock_irqsave(&pt->process->siglock);

	if (timer_wanted(timer))
		expire_locked(pt);
	spin_unlock_irqrestore(&pt->process->siglock, flags);
}

/* What is left, in terms of p's own threads. Another process may use it up with more of them, or
 * with none any more. */
static u64 may_expire_in(const struct posix_timer *pt, u64 left, const struct process *p)
{
	s32 threads;

	if (!pt->clock_process)
		return left;
	threads = READ_ONCE(pt->clock_process->live_threads);
	return threads ? max(left / (u64)threads * (u64)max(p->live_threads, 1), 1ull) : U64_MAX;
}

u64 posix_cpu_timers_check_locked(struct process *p)
{
	struct posix_timer *pt;
	u64 left = U64_MAX;

	list_for_each_entry(pt, &p->posix_timers, link) {
		s64 now;

		if (!is_cpu(pt) || !pt->expires_ns || !list_empty(&pt->queue.link))
			continue;
		now = now_locked(pt);
		if (now >= pt->expires_ns)
			expire_locked(pt);
		if (pt->expires_ns > now && list_empty(&pt->queue.link))
			left = min(left, may_expire_in(pt, (u64)(pt->expires_ns - now), p));
	}
	return left;
}

/* The signal is taken: the overrun count, and the next period begins. True: free the timer. */
void posix_timer_dequeued_locked(struct sigqueue *q, siginfo_t *info)
{
	struct posix_timer *pt = q->timer;

	if (pt->deleted) {
		timer_free(pt);
		return;
	}
	if (pt->interval_ns && pt->expires_ns) {
		s64 n = forward_locked(pt);

		pt->overrun += n ? n - 1 : 0;
		arm_locked(pt);
	} else {
		pt->expires_ns = 0;
	}
	pt->last_overrun = min(pt->overrun, (s64)INT_MAX);
	info->si_overrun = (int)pt->last_overrun;
}

/* Discarded without being taken (siglock held). */
void posix_timer_flushed_locked(struct sigqueue *q)
{
	siginfo_t unused_info;

	posix_timer_dequeued_locked(q, &unused_info);
}

/* ---- the calls ---- */

static struct posix_timer *find_locked(struct process *p, s32 id)
{
	return id < 0 ? NULL : xa_load(&p->posix_timer_ids, (u64)id);
}

static int check_clock(int clockid, struct posix_timer *pt)
{
	s64 ns;

	if (clock_is_fd(clockid))
		return -EOPNOTSUPP;
	if (clock_is_cpu(clockid)) {
		s32 nr = clockid < 0 ? ~(clockid >> 3) : 0;

		if (clock_cpu_get(clockid, &ns))
			return -EINVAL;
		if (clockid == CLOCK_THREAD_CPUTIME_ID || (clockid < 0 && (clockid & 4))) {
			pt->clock_task = task_find(nr ? nr : task_tid(current_task()));
			return pt->clock_task ? 0 : -EINVAL;
		}
		if (nr && nr != process_pid(current_process())) {
			pt->clock_process = process_find(nr);
			return pt->clock_process ? 0 : -EINVAL;
		}
		return 0;
	}
	switch (clockid) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
		return clock_get(clockid, &ns);
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		return -EOPNOTSUPP; /* no clock that could wake the machine */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
		return -EOPNOTSUPP;
	default:
		return -EINVAL;
	}
}

static int check_event(const struct sigevent *ev, struct posix_timer *pt)
{
	pt->notify = ev->sigev_notify;
	switch (ev->sigev_notify) {
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		pt->target = task_find(ev->sigev_notify_thread_id);
		if (!pt->target || pt->target->process != current_process())
			return -EINVAL;
		fallthrough;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
		if (ev->sigev_signo <= 0 || ev->sigev_signo > NR_SIGNALS)
			return -EINVAL;
		fallthrough;
	case SIGEV_NONE:
		pt->queue.info.si_signo = ev->sigev_signo;
		pt->queue.info.si_value = ev->sigev_value;
		return 0;
	default:
		return -EINVAL;
	}
}

/* Room for the signal is promised with the timer. False: RLIMIT_SIGPENDING. */
static bool charge(struct posix_timer *pt)
{
	struct user_account *u = current_task()->charged;
	s64 n;

	if (!u)
		return true;
	n = __atomic_add_fetch(&u->sigpending, 1, __ATOMIC_RELAXED);
	if ((u64)n > process_limit(pt->process, RLIMIT_SIGPENDING)) {
		__atomic_fetch_sub(&u->sigpending, 1, __ATOMIC_RELAXED);
		return false;
	}
	ref_get(&u->refs);
	pt->user = u;
	return true;
}

/* The timer's id, or -EAGAIN. Its id is also what its signal carries unless it has a value. */
static s32 link_timer(struct posix_timer *pt, bool has_value)
{
	struct process *p = pt->process;
	int err;

	spin_lock_irq(&p->siglock);
	while (find_locked(p, p->next_timer_id))
		p->next_timer_id = (p->next_timer_id + 1) & INT_MAX;
	err = xa_store(&p->posix_timer_ids, (u64)p->next_timer_id, pt, GFP_ATOMIC);
	if (err) {
		spin_unlock_irq(&p->siglock);
		return -EAGAIN;
	}
	pt->id = p->next_timer_id;
	p->next_timer_id = (p->next_timer_id + 1) & INT_MAX;
	pt->queue.info.si_tid = pt->id;
	if (!has_value)
		pt->queue.info.si_int = pt->id;
	list_add_tail(&pt->link, &p->posix_timers);
	spin_unlock_irq(&p->siglock);
	return pt->id;
}

int posix_timer_create(int clockid, const struct sigevent *ev, s32 *id)
{
	struct posix_timer *pt = slab_alloc(&g_timer_cache, GFP_KERNEL | GFP_ZERO);
	int err;

	if (!pt)
		return -EAGAIN;
	pt->process = current_process();
	pt->clockid = clockid;
	list_init(&pt->queue.link);
	pt->queue.timer = pt;
	timer_init(&pt->timer, posix_timer_fired);
	err = check_clock(clockid, pt);
	if (!err && !charge(pt))
		err = -EAGAIN;
	if (!err && ev) {
		err = check_event(ev, pt);
	} else if (!err) {
		pt->notify = SIGEV_SIGNAL;
		pt->queue.info.si_signo = SIGALRM;
	}
	if (err) {
		timer_free(pt);
		return err;
	}
	pt->queue.info.si_code = SI_TIMER;
	*id = link_timer(pt, ev != NULL);
	if (*id < 0) {
		timer_free(pt);
		return -EAGAIN;
	}
	return 0;
}

static void get_locked(struct posix_timer *pt, s64 *value, s64 *interval)
{
	s64 now = now_locked(pt);

	*interval = pt->interval_ns;
	*value = 0;
	if (!pt->expires_ns)
		return;
	if (pt->interval_ns && pt->notify == SIGEV_NONE)
		(void)forward_locked(pt);
	if (pt->expires_ns > now)
		*value = pt->expires_ns - now;
	else if (pt->interval_ns) /* expired, signal not taken: the next period's end */
		*value = pt->interval_ns - (now - pt->expires_ns) % pt->interval_ns;
	else if (pt->notify != SIGEV_NONE && list_empty(&pt->queue.link))
		*value = 1;
}

int posix_timer_get(s32 id, s64 *value, s64 *interval)
{
	struct process *p = current_process();
	struct posix_timer *pt;

	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id);
	if (pt)
		get_locked(pt, value, interval);
	spin_unlock_irq(&p->siglock);
	return pt ? 0 : -EINVAL;
}

int posix_timer_set(
	s32 id, bool absolute, s64 value, s64 interval, s64 *old_value, s64 *old_interval)
{
	struct process *p = current_process();
	struct posix_timer *pt;

	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id);
	if (!pt) {
		spin_unlock_irq(&p->siglock);
		return -EINVAL;
	}
	get_locked(pt, old_value, old_interval);
	timer_cancel(&pt->timer);
	pt->overrun = pt->last_overrun = 0;
	pt->interval_ns = value ? interval : 0;
	pt->expires_ns = 0;
	pt->on_wall = absolute && clock_is_wall(pt->clockid);
	if (value) {
		s64 base = absolute ? 0 : now_locked(pt);

		pt->expires_ns = value > S64_MAX - base ? S64_MAX : max(base + value, (s64)1);
		arm_locked(pt);
	}
	spin_unlock_irq(&p->siglock);
	return 0;
}

int posix_timer_overrun(s32 id)
{
	struct process *p = current_process();
	struct posix_timer *pt;
	int n = -EINVAL;

	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id);
	if (pt)
		n = (int)pt->last_overrun;
	spin_unlock_irq(&p->siglock);
	return n;
}

/* Off the list. A signal that is still queued is delivered yet: then the entry lives on. */
static void destroy(struct process *p, struct posix_timer *pt)
{
	bool queued;

	spin_lock_irq(&p->siglock);
	list_del(&pt->link);
	pt->expires_ns = 0;
	timer_cancel(&pt->timer);
	spin_unlock_irq(&p->siglock);
	timer_cancel_sync(&pt->timer); /* the callback may be waiting for siglock */
	spin_lock_irq(&p->siglock);
	queued = !list_empty(&pt->queue.link);
	pt->deleted = true;
	spin_unlock_irq(&p->siglock);
	if (!queued)
		timer_free(pt);
}

int posix_timer_delete(s32 id)
{
	struct process *p = current_process();
	struct posix_timer *pt;

	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id);
	if (pt) {
		(void)xa_erase(&p->posix_timer_ids, (u64)id);
		pt->id = -1; /* ours: nobody else finds it */
	}
	spin_unlock_irq(&p->siglock);
	if (!pt)
		return -EINVAL;
	destroy(p, pt);
	return 0;
}

void posix_timers_exit(struct process *p)
{
	/* Nobody else is left to use them. */
	xa_destroy(&p->posix_timer_ids);
	xa_init(&p->posix_timer_ids);
	while (!list_empty(&p->posix_timers))
		destroy(p, list_first_entry(&p->posix_timers, struct posix_timer, link));
}
