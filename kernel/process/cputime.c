/*
 * CPU time: clocks of processes and threads, ITIMER_VIRTUAL and ITIMER_PROF, RLIMIT_CPU. While
 * something waits for CPU time, one timer per process looks at the clocks; it is set for the
 * earliest moment at which the process could have used up what is left, on as many CPUs as it has
 * threads or as there are.
 */
#include "process.h"
#include <process/timer.h>

#define CHECK_MIN_NS NS_PER_MS
#define CLOCK_VIRT   1 /* type bits of a CPU clock's id: 0 user + system, 1 user, 2 scheduler's */
#define CLOCK_FD     3

/* ---- clocks ---- */

bool clock_is_cpu(int clockid)
{
	return clockid < 0 || clockid == CLOCK_PROCESS_CPUTIME_ID ||
		clockid == CLOCK_THREAD_CPUTIME_ID;
}

bool clock_is_fd(int clockid)
{
	return clockid < 0 && (clockid & 7) == CLOCK_FD;
}

bool clock_is_own_thread(int clockid)
{
	s32 nr = ~(clockid >> 3);

	return clockid == CLOCK_THREAD_CPUTIME_ID ||
		(clockid < 0 && (clockid & 4) && (!nr || nr == task_tid(current_task())));
}

static s64 read_times(u64 u, u64 s, int clockid)
{
	return (s64)((clockid & 3) == CLOCK_VIRT && clockid < 0 ? u : u + s);
}

static int thread_clock(struct task *t, int clockid, s64 *ns)
{
	u64 u, s;

	if (t->process != current_process())
		return -EINVAL;
	thread_times(&t->thread, &u, &s);
	*ns = read_times(u, s, clockid);
	return 0;
}

static int process_clock(struct process *p, int clockid, s64 *ns)
{
	u64 u, s;

	spin_lock_irq(&p->siglock);
	process_own_times(p, &u, &s);
	spin_unlock_irq(&p->siglock);
	*ns = read_times(u, s, clockid);
	return 0;
}

int clock_cpu_get(int clockid, s64 *ns)
{
	s32 nr = ~(clockid >> 3);
	int err = -EINVAL;

	if (clockid == CLOCK_PROCESS_CPUTIME_ID)
		return process_clock(current_process(), clockid, ns);
	if (clockid == CLOCK_THREAD_CPUTIME_ID)
		return thread_clock(current_task(), clockid, ns);
	if (clockid >= 0 || (clockid & 3) == CLOCK_FD)
		return -EINVAL;
	if (clockid & 4) { /* a thread's */
		struct task *t = nr ? task_find(nr) : NULL;

		if (!nr)
			return thread_clock(current_task(), clockid, ns);
		if (t) {
			err = thread_clock(t, clockid, ns);
			put_task(t);
		}
	} else {
		struct process *p = nr ? process_find(nr) : NULL;

		if (!nr)
			return process_clock(current_process(), clockid, ns);
		if (p) {
			err = process_clock(p, clockid, ns);
			put_process(p);
		}
	}
	return err;
}

/* ---- expiry ---- */

static u64 left_until(u64 expires, u64 now)
{
	return expires > now ? expires - now : 0;
}

static u64 check_itimer(struct process *p, struct cpu_itimer *it, u64 now, int sig)
{
	if (!it->expires_ns)
		return U64_MAX;
	if (now >= it->expires_ns) {
		it->expires_ns = it->interval_ns
			? min(it->expires_ns + it->interval_ns, (u64)TIME_NEVER)
			: 0;
		(void)signal_send_locked(p, NULL, sig, NULL, true);
		if (!it->expires_ns)
			return U64_MAX;
	}
	return left_until(it->expires_ns, now);
}

static u64 check_rlimit(struct process *p, u64 now)
{
	struct rlimit64 *lim = &p->limits.lim[RLIMIT_CPU];
	u64 soft = READ_ONCE(lim->rlim_cur), hard = READ_ONCE(lim->rlim_max);
	u64 secs = now / NS_PER_SEC;

	if (soft == RLIM64_INFINITY)
		return U64_MAX;
	if (secs >= hard) {
		(void)signal_send_locked(p, NULL, SIGKILL, NULL, false); /* init goes on */
		return U64_MAX;
	}
	if (secs >= soft) {
		(void)signal_send_locked(p, NULL, SIGXCPU, NULL, true);
		soft = secs + 1; /* again after another second */
		WRITE_ONCE(lim->rlim_cur, min(soft, hard));
	}
	soft = min(soft, hard);
	return soft > U64_MAX / NS_PER_SEC ? U64_MAX : left_until(soft * NS_PER_SEC, now);
}

void cpu_timers_pull_locked(struct process *p, u64 left)
{
	s64 at;

	if (left == U64_MAX || p->live_threads == 0)
		return;
	if (left)
		left = max(left / min((u64)p->live_threads, (u64)g_nr_cpus), (u64)CHECK_MIN_NS);
	at = deadline_after((s64)min(left, (u64)S64_MAX));
	if (!timer_pending(&p->cpu_timer) || at < p->cpu_timer.deadline_ns)
		timer_arm(&p->cpu_timer, at);
}

void cpu_timers_update_locked(struct process *p)
{
	u64 u, s, left;

	if (p->live_threads == 0)
		return;
	process_own_times(p, &u, &s);
	timer_cancel(&p->cpu_timer); /* what begins anew while signals are sent pulls it again */
	left = check_itimer(p, &p->virt_timer, u, SIGVTALRM);
	left = min(left, check_itimer(p, &p->prof_timer, u + s, SIGPROF));
	left = min(left, check_rlimit(p, u + s));
	left = min(left, posix_cpu_timers_check_locked(p, u, s));
	cpu_timers_pull_locked(p, max(left, 1ull));
}

static void cpu_timer_fired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, cpu_timer);
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	cpu_timers_update_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void cpu_timers_init(struct process *p)
{
	timer_init(&p->cpu_timer, cpu_timer_fired);
}

void cpu_timers_stop(struct process *p)
{
	timer_cancel_sync(&p->cpu_timer);
}

/* ---- interval timers ---- */

static void next_period_locked(struct process *p, s64 now)
{
	p->real_waits = false;
	(void)timer_forward(&p->real_deadline_ns, p->real_interval_ns, now);
	timer_arm(&p->real_timer, p->real_deadline_ns);
}

/* However short the period, the process is interrupted only as often as it takes the signal. */
void real_timer_taken_locked(struct process *p)
{
	spin_assert_held(&p->siglock);
	if (p->real_waits && p->live_threads)
		next_period_locked(p, clock_mono_ns());
}

void real_timer_fired(struct timer *timer)
{
	struct process *p = container_of(timer, struct process, real_timer);
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	if (!timer_wanted(timer)) {
		spin_unlock_irqrestore(&p->siglock, flags);
		return;
	}
	(void)signal_send_locked(p, NULL, SIGALRM, NULL, true);
	if (!p->real_interval_ns || !p->live_threads)
		p->real_deadline_ns = 0;
	else if (p->pending.set & sig_bit(SIGALRM))
		p->real_waits = true;
	else /* ignored: nobody will take it */
		next_period_locked(p, deadline_after(IGNORED_REARM_NS));
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void get_real(struct process *p, s64 *value, s64 *interval)
{
	*interval = p->real_interval_ns;
	*value = p->real_deadline_ns && !p->real_waits
		? max(p->real_deadline_ns - clock_mono_ns(), (s64)1)
		: 0;
}

static void get_cpu(
	struct process *p, const struct cpu_itimer *it, bool virt, s64 *value, s64 *interval)
{
	u64 u, s, now;

	process_own_times(p, &u, &s);
	now = virt ? u : u + s;
	*interval = (s64)it->interval_ns;
	*value = it->expires_ns ? (s64)max(left_until(it->expires_ns, now), (u64)1) : 0;
}

static void get_locked(struct process *p, int which, s64 *value, s64 *interval)
{
	if (which == ITIMER_REAL)
		get_real(p, value, interval);
	else
		get_cpu(p, which == ITIMER_VIRTUAL ? &p->virt_timer : &p->prof_timer,
			which == ITIMER_VIRTUAL, value, interval);
}

int process_get_itimer(struct process *p, int which, s64 *value_ns, s64 *interval_ns)
{
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	spin_lock_irq(&p->siglock);
	get_locked(p, which, value_ns, interval_ns);
	spin_unlock_irq(&p->siglock);
	return 0;
}

static void set_cpu(struct process *p, struct cpu_itimer *it, bool virt, s64 value, s64 interval)
{
	u64 u, s;

	process_own_times(p, &u, &s);
	it->interval_ns = (u64)interval;
	it->expires_ns = value ? min((virt ? u : u + s) + (u64)value, (u64)TIME_NEVER) : 0;
	cpu_timers_update_locked(p);
}

int process_set_itimer(
	struct process *p, int which, s64 value, s64 interval, s64 *old_value, s64 *old_interval)
{
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	spin_lock_irq(&p->siglock);
	get_locked(p, which, old_value, old_interval);
	if (which == ITIMER_REAL) {
		p->real_waits = false;
		p->real_interval_ns = value ? interval : 0;
		p->real_deadline_ns = value ? deadline_after(value) : 0;
		if (value)
			timer_arm(&p->real_timer, p->real_deadline_ns);
		else
			timer_cancel(&p->real_timer);
	} else {
		set_cpu(p, which == ITIMER_VIRTUAL ? &p->virt_timer : &p->prof_timer,
			which == ITIMER_VIRTUAL, value, interval);
	}
	spin_unlock_irq(&p->siglock);
	return 0;
}
