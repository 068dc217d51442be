/*
 * POSIX timers. Each has its own queue entry for its signal, so expiry cannot fail for lack of
 * memory. A periodic timer is set again when its signal is taken: what was missed meanwhile is the
 * overrun count. Everything is guarded by the process's siglock.
 *
 * Timers on CPU clocks that may expire are in trees by expiry, one for each clock; an expired one
 * is outside until its signal is taken. Only cputime.c's timer expires them.
 *
 * A timer on another process's clock waits in a tree of that process. The ticks of its running
 * threads find what is due and set the CPU timer of the timer's own process, which expires it: a
 * process that sleeps costs nothing. To look takes time for each of its threads, so a tick does it
 * only when all CPUs together could have used up what was left at the last look. g_foreign_lock
 * guards those trees and the lists of what is due; it comes after any siglock, as two processes may
 * wait for each other's time.
 */
#include "process.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <process/timer.h>

#define FOREIGN_BATCH   64              /* timers on a process's clock that one tick finds due */
#define FOREIGN_NEW_NS  (NS_PER_MS / 2) /* so long another process's time counts as seen just now */
#define FOREIGN_LOOK_NS ((u64)NS_PER_SEC) /* ticks look at a process's time at least so often */

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
	struct rb_node node;      /* in the tree of its CPU clock, or rb_is_out */
	struct list_head foreign; /* process->foreign_due; g_foreign_lock */
	s64 due_at_ns;            /* what the other's clock was then; g_foreign_lock */
	s64 expires_ns;           /* on its clock; 0: not set */
	s64 interval_ns;          /* 0: once */
	s64 overrun, last_overrun;
	bool on_wall; /* expires_ns is on the wall clock and follows its settings, else monotonic */
	bool begins_anew; /* the queued signal is this setting's: taking it begins the next period */
	bool deleted;     /* lives only until its signal is taken */
};

static SLAB_CACHE(g_timer_cache, struct posix_timer);
static DEFINE_SPINLOCK(g_foreign_lock, RANK_FOREIGN_CLOCK); /* interrupts off */

static bool is_cpu(const struct posix_timer *pt)
{
	return clock_is_cpu(pt->clockid);
}

static bool is_user_time(const struct posix_timer *pt)
{
	return pt->clockid < 0 && (pt->clockid & 3) == 1;
}

static void see_foreign_locked(struct posix_timer *pt, u64 u, u64 s)
{
	pt->clock_seen_ns = max(pt->clock_seen_ns, (s64)(is_user_time(pt) ? u : u + s));
}

/*
 * The times of another process while our own siglock is held: what has been seen lately, so that
 * many timers don't cost many looks at all its threads. Two processes may look at each other's
 * clocks at once, so this tries once; if in vain, the clock stands still until the next look.
 */
static s64 foreign_now_locked(struct posix_timer *pt)
{
	struct process *p = pt->clock_process;
	s64 mono = clock_mono_ns();

	if (spin_trylock(&p->siglock)) {
		if (!p->seen_at_ns || mono - p->seen_at_ns >= FOREIGN_NEW_NS) {
			process_own_times(p, &p->seen_utime_ns, &p->seen_stime_ns);
			p->seen_at_ns = mono;
		}
		see_foreign_locked(pt, p->seen_utime_ns, p->seen_stime_ns);
		spin_unlock(&p->siglock);
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
	return (s64)(is_user_time(pt) ? u : u + s);
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

/* ---- waiting for CPU time ---- */

static struct rb_root *tree_of(struct posix_timer *pt)
{
	int kind = is_user_time(pt);

	if (pt->clock_process)
		return &pt->clock_process->foreign_waiting[kind];
	return pt->clock_task ? &pt->clock_task->cpu_waiting[kind]
			      : &pt->process->cpu_waiting[kind];
}

static void take_out(struct posix_timer *pt)
{
	if (rb_is_out(&pt->node))
		return;
	rb_erase(tree_of(pt), &pt->node);
	rb_mark_out(&pt->node);
	if (pt->clock_task)
		pt->process->nr_thread_waiting--;
}

static void stop_waiting_locked(struct posix_timer *pt)
{
	if (pt->clock_process)
		spin_lock(&g_foreign_lock);
	list_del(&pt->foreign);
	take_out(pt);
	if (pt->clock_process)
		spin_unlock(&g_foreign_lock);
}

static void insert_locked(struct rb_root *root, struct posix_timer *pt)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = pt->expires_ns < rb_entry(parent, struct posix_timer, node)->expires_ns
			? &parent->left
			: &parent->right;
	}
	rb_insert(root, &pt->node, parent, link);
}

static u64 left_of(const struct posix_timer *pt, s64 now)
{
	return pt->expires_ns > now ? (u64)(pt->expires_ns - now) : 0;
}

/* For the process's CPU timer to expire. g_foreign_lock held. */
static void make_due(struct posix_timer *pt, s64 now)
{
	pt->due_at_ns = now;
	list_add_tail(&pt->foreign, &pt->process->foreign_due);
	timer_arm(&pt->process->cpu_timer, clock_mono_ns());
}

static void wait_for_foreign_locked(struct posix_timer *pt, s64 now)
{
	spin_lock(&g_foreign_lock);
	if (left_of(pt, now)) {
		insert_locked(tree_of(pt), pt);
		WRITE_ONCE(pt->clock_process->foreign_look_ns, 0);
	} else {
		make_due(pt, now);
	}
	spin_unlock(&g_foreign_lock);
}

static void wait_for_cpu_time_locked(struct posix_timer *pt, s64 now)
{
	stop_waiting_locked(pt);
	if (pt->notify == SIGEV_NONE)
		return;
	if (pt->clock_process) {
		wait_for_foreign_locked(pt, now);
		return;
	}
	insert_locked(tree_of(pt), pt);
	if (pt->clock_task)
		pt->process->nr_thread_waiting++;
	cpu_timers_pull_locked(pt->process, left_of(pt, now));
}

static bool is_waited_for(struct process *p)
{
	return READ_ONCE(p->foreign_waiting[0].node) || READ_ONCE(p->foreign_waiting[1].node);
}

/* A thread of p ran until now. In the timer interrupt. */
static void foreign_tick(struct thread *thread)
{
	u32 most = FOREIGN_BATCH; /* the rest at the next tick */
	u64 u, s, left = U64_MAX;
	struct process *p;
	s64 mono;

	if (!thread_is_task(thread))
		return;
	p = container_of(thread, struct task, thread)->process;
	if (likely(!is_waited_for(p)))
		return;
	mono = clock_mono_ns();
	if (mono < READ_ONCE(p->foreign_look_ns))
		return;
	spin_lock(&p->siglock);
	process_own_times(p, &u, &s);
	spin_unlock(&p->siglock);
	spin_lock(&g_foreign_lock);
	for (int kind = 0; kind < 2; kind++) {
		s64 now = (s64)(kind ? u : u + s);
		struct rb_node *n;

		while (most && (n = rb_first(&p->foreign_waiting[kind]))) {
			struct posix_timer *pt = rb_entry(n, struct posix_timer, node);

			if (left_of(pt, now)) {
				left = min(left, left_of(pt, now));
				break;
			}
			take_out(pt);
			make_due(pt, now);
			most--;
		}
	}
	if (most && left != U64_MAX)
		WRITE_ONCE(p->foreign_look_ns,
			mono + (s64)min(left / (u64)g_nr_cpus, FOREIGN_LOOK_NS));
	spin_unlock(&g_foreign_lock);
}

static int foreign_init(void)
{
	sched_set_tick_hook(foreign_tick);
	return 0;
}
INIT_HOOK(INIT_CORE, foreign_init);

/* ---- expiry ---- */

/* Sends nothing, also when the time has come: it is called where signals are taken. */
static void arm_locked(struct posix_timer *pt, s64 now)
{
	if (is_cpu(pt))
		wait_for_cpu_time_locked(pt, now);
	else
		timer_arm_deadline(
			&pt->timer, (struct deadline){.ns = pt->expires_ns, .wall = pt->on_wall});
}

static void expire_locked(struct posix_timer *pt)
{
	s64 now;
	int err;

	if (pt->notify == SIGEV_NONE)
		return;
	err = signal_queue_timer_locked(pt->process, pt->target, &pt->queue);
	if (err != -ENOENT) {
		pt->overrun = err ? pt->overrun + 1 : 0;
		pt->begins_anew = true;
		return;
	}
	/* ignored: go on without anybody taking it */
	if (!pt->interval_ns) {
		pt->expires_ns = 0;
		return;
	}
	now = now_locked(pt);
	(void)timer_forward(&pt->expires_ns, pt->interval_ns, now + IGNORED_REARM_NS);
	arm_locked(pt, now);
}

static void posix_timer_fired(struct timer *timer)
{
	struct posix_timer *pt = container_of(timer, struct posix_timer, timer);
	unsigned long flags = spin_lock_irqsave(&pt->process->siglock);

	if (timer_wanted(timer))
		expire_locked(pt);
	spin_unlock_irqrestore(&pt->process->siglock, flags);
}

/* Each expires at most once: what waits again afterwards does so for a moment after now. */
static u64 check_tree_locked(struct rb_root *root, s64 now)
{
	struct rb_node *n;

	while ((n = rb_first(root))) {
		struct posix_timer *pt = rb_entry(n, struct posix_timer, node);

		if (pt->expires_ns > now)
			return left_of(pt, now);
		stop_waiting_locked(pt);
		expire_locked(pt);
	}
	return U64_MAX;
}

static u64 check_clocks_locked(struct rb_root *roots, u64 u, u64 s)
{
	u64 left = check_tree_locked(&roots[0], (s64)(u + s));

	return min(left, check_tree_locked(&roots[1], (s64)u));
}

static u64 check_threads_locked(struct process *p)
{
	struct task *t;
	u64 left = U64_MAX, u, s;

	if (!p->nr_thread_waiting)
		return U64_MAX;
	for_each_thread(t, p)
	{
		if (rb_empty(&t->cpu_waiting[0]) && rb_empty(&t->cpu_waiting[1]))
			continue;
		thread_times(&t->thread, &u, &s);
		left = min(left, check_clocks_locked(t->cpu_waiting, u, s));
	}
	return left;
}

/* The next of p's timers that another process's time has reached, off the list, or NULL. */
static struct posix_timer *pop_due_locked(struct process *p)
{
	struct posix_timer *pt;

	spin_lock(&g_foreign_lock);
	pt = list_first_entry_or_null(&p->foreign_due, struct posix_timer, foreign);
	if (pt) {
		list_del(&pt->foreign);
		pt->clock_seen_ns = max(pt->clock_seen_ns, pt->due_at_ns);
	}
	spin_unlock(&g_foreign_lock);
	return pt;
}

static void expire_foreign_locked(struct process *p)
{
	struct posix_timer *pt;

	while ((pt = pop_due_locked(p)))
		expire_locked(pt);
}

u64 posix_cpu_timers_check_locked(struct process *p, u64 u, u64 s)
{
	u64 left = check_clocks_locked(p->cpu_waiting, u, s);

	expire_foreign_locked(p);
	return min(left, check_threads_locked(p));
}

/* The signal is taken: the overrun count, and the next period begins. True: free the timer. */
void posix_timer_dequeued_locked(struct sigqueue *q, siginfo_t *info)
{
	struct posix_timer *pt = q->timer;

	if (pt->deleted) {
		timer_free(pt);
		return;
	}
	if (pt->begins_anew && pt->interval_ns && pt->expires_ns) {
		s64 now = now_locked(pt);
		s64 n = timer_forward(&pt->expires_ns, pt->interval_ns, now);

		pt->overrun += n ? n - 1 : 0;
		arm_locked(pt, now);
	} else if (pt->begins_anew) {
		pt->expires_ns = 0;
	}
	pt->begins_anew = false;
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
	case CLOCK_REALTIME_ALARM: /* the machine never sleeps: nothing has to wake it */
	case CLOCK_BOOTTIME_ALARM:
		return capable(CAP_WAKE_ALARM) ? clock_get(clockid, &ns) : -EPERM;
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
	list_init(&pt->foreign);
	rb_mark_out(&pt->node);
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

/* The timer with siglock held, or NULL. Another process's clock is read first, exactly, as nobody
 * may wait for two siglocks: *foreign is to be put after siglock, if not NULL. */
static struct posix_timer *find_and_lock(struct process *p, s32 id, struct process **foreign)
{
	struct posix_timer *pt;
	u64 u, s;

	*foreign = NULL;
	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id);
	if (!pt || !pt->clock_process)
		return pt;
	*foreign = pt->clock_process;
	get_process(*foreign);
	spin_unlock_irq(&p->siglock);
	process_get_times(*foreign, &u, &s);
	spin_lock_irq(&p->siglock);
	pt = find_locked(p, id); /* it may be another one now */
	if (pt && pt->clock_process == *foreign)
		see_foreign_locked(pt, u, s);
	return pt;
}

static void unlock(struct process *p, struct process *foreign)
{
	spin_unlock_irq(&p->siglock);
	if (foreign)
		put_process(foreign);
}

static void get_locked(struct posix_timer *pt, s64 now, s64 *value, s64 *interval)
{
	*interval = pt->interval_ns;
	*value = 0;
	if (!pt->expires_ns)
		return;
	if (pt->interval_ns && pt->notify == SIGEV_NONE)
		(void)timer_forward(&pt->expires_ns, pt->interval_ns, now);
	if (pt->expires_ns > now)
		*value = pt->expires_ns - now;
	else if (pt->interval_ns) /* expired, signal not taken: the next period's end */
		*value = pt->interval_ns - (now - pt->expires_ns) % pt->interval_ns;
	else if (pt->notify != SIGEV_NONE && list_empty(&pt->queue.link))
		*value = 1;
}

int posix_timer_get(s32 id, s64 *value, s64 *interval)
{
	struct process *p = current_process(), *foreign;
	struct posix_timer *pt = find_and_lock(p, id, &foreign);

	if (pt)
		get_locked(pt, now_locked(pt), value, interval);
	unlock(p, foreign);
	return pt ? 0 : -EINVAL;
}

int posix_timer_set(
	s32 id, bool absolute, s64 value, s64 interval, s64 *old_value, s64 *old_interval)
{
	struct process *p = current_process(), *foreign;
	struct posix_timer *pt = find_and_lock(p, id, &foreign);
	s64 now;

	if (!pt) {
		unlock(p, foreign);
		return -EINVAL;
	}
	now = now_locked(pt);
	get_locked(pt, now, old_value, old_interval);
	timer_cancel(&pt->timer);
	stop_waiting_locked(pt);
	pt->begins_anew = false;
	pt->overrun = pt->last_overrun = 0;
	pt->interval_ns = value ? interval : 0;
	pt->expires_ns = 0;
	pt->on_wall = absolute && clock_is_wall(pt->clockid);
	if (value) {
		s64 base = absolute ? 0 : now_locked(pt);

		pt->expires_ns = value > S64_MAX - base ? S64_MAX : max(base + value, (s64)1);
		arm_locked(pt, now);
	}
	unlock(p, foreign);
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
	stop_waiting_locked(pt);
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

bool posix_timer_next(struct process *p, s32 *id, struct posix_timer_info *info)
{
	u64 index = (u64)*id;
	struct posix_timer *pt;

	spin_lock_irq(&p->siglock);
	pt = xa_find(&p->posix_timer_ids, &index, INT_MAX);
	if (pt) {
		*id = (s32)index;
		*info = (struct posix_timer_info){
			.signo = pt->queue.info.si_signo,
			.notify = pt->notify,
			.clockid = pt->clockid,
			.value = (u64)(uintptr_t)pt->queue.info.si_ptr,
			.target = pt->target ? task_tid(pt->target) : process_pid(p),
		};
	}
	spin_unlock_irq(&p->siglock);
	return pt;
}
