/*
 * The tick: every TICK_NS while a CPU runs threads. It samples what the CPU was doing for the
 * user/system split, ends slices, and balances. An idle CPU has no
 * tick; a tick that is still programmed when the CPU goes idle comes once for nothing.
 *
 * Times of a CPU are exact in sum: each time, everything since the last time is put down to what
 * the sample shows.
 */
#include <sched/softirq.h>
#include <sched/wait.h>
#include "sched.h"
#include <lib/atomic.h>
#include <sched/timer.h>

#define LOAD_PERIOD_NS 5000000000ll /* the averages are over 1, 5 and 15 minutes */
#define LOAD_SHIFT     11
#define LOAD_ONE       (1ull << LOAD_SHIFT)

/* e^(-5 s / 1, 5, 15 min) in fixed point */
static const u64 g_decay[3] = {1884, 2014, 2037};
static u64 g_load[3]; /* written by one CPU's timer */
static struct timer g_load_timer;
static s64 g_load_next;

DEFINE_PER_CPU(u8, g_sched_in_softirq);

void account(struct run_queue *rq, s64 now, bool sampled)
{
	struct thread *t = rq->curr;
	u64 delta = (u64)max(now - rq->accounted_ns, 0ll);

	rq->accounted_ns = now;
	if (t == rq->idle) {
		*(READ_ONCE(rq->nr_iowait) > 0 ? &rq->iowait_ns : &rq->idle_ns) += delta;
		return;
	}
	if (!sampled || !arch_irq_from_user()) {
		*(sampled && this_cpu_read(g_sched_in_softirq) ? &rq->softirq_ns
							       : &rq->system_ns) += delta;
		if (sampled)
			t->stime_ns += TICK_NS;
		return;
	}
	t->utime_ns += TICK_NS;
	if (t->nice > 0)
		rq->nice_ns += delta;
	else
		rq->user_ns += delta;
}

static void (*g_rt_hook)(struct thread *t, u64 run_ns);
static void (*g_tick_hook)(struct thread *t);

void sched_set_rt_hook(void (*fn)(struct thread *t, u64 run_ns))
{
	g_rt_hook = fn;
}

void sched_set_tick_hook(void (*fn)(struct thread *t))
{
	g_tick_hook = fn;
}

/* Somebody waits here while cpu is idle: it shall come and take it. */
static void call_idle_cpu(int cpu)
{
	__atomic_fetch_or(&cpu_rq(cpu)->idle->arch.work, WORK_RESCHED, __ATOMIC_SEQ_CST);
	arch_ipi_send(cpu, IPI_RESCHED);
}

/* Interrupts off, in the timer interrupt. */
void tick(struct run_queue *rq, s64 now)
{
	struct thread *t = rq->curr;
	u64 rt_run = 0;
	int idle_cpu = -1;

	account(rq, now, true);
	if (t == rq->idle && !rq->rt_throttled)
		return;
	rq->tick_ns = now + TICK_NS;
	spin_lock(&rq->lock);
	if (t == rq->idle) { /* held back: when may they go on? */
		rt_tick(rq, now);
		spin_unlock(&rq->lock);
		return;
	}
	update_curr(rq);
	if (t->policy == SCHED_RR && t->se.sum_exec_ns >= (u64)t->se.slice_end_ns)
		resched(rq);
	if (rq->rt_used_ns || rq->rt_throttled)
		rt_tick(rq, now);
	if (is_rt(t))
		rt_run = t->se.sum_exec_ns - t->se.rt_since_ns;
	if (g_nr_cpus > 1) {
		idle_cpu = idle_cpu_for_waiting(rq);
		balance_tick(rq, now);
	}
	spin_unlock(&rq->lock);
	if (unlikely(rt_run) && g_rt_hook)
		g_rt_hook(t, rt_run);
	if (g_tick_hook)
		g_tick_hook(t);
	if (idle_cpu >= 0)
		call_idle_cpu(idle_cpu);
	if (rcu_waits_for_us())
		__atomic_fetch_or(&t->arch.work, WORK_RESCHED, __ATOMIC_RELAXED);
	if (rq->rcu_due_ns && now >= rq->rcu_due_ns) {
		rq->rcu_due_ns = 0;
		rcu_thread_kick(rq->cpu);
	}
	kswapd_tick();
}

void tick_start(struct run_queue *rq)
{
	account(rq, rq->clock_ns, false);
	if (rq->tick_ns <= rq->clock_ns)
		rq->tick_ns = rq->clock_ns + TICK_NS;
	timer_program_tick(rq->tick_ns);
}

bool idle_prepare(struct run_queue *rq)
{
	if (has_work(rq) || (READ_ONCE(rq->idle->arch.work) & WORK_RESCHED))
		return false;
	if (rq->rcu_due_ns) { /* idle time is the best time for it */
		rq->rcu_due_ns = 0;
		rcu_thread_kick(rq->cpu);
		return false;
	}
	return true;
}

noreturn void sched_idle_loop(void)
{
	for (;;) {
		struct run_queue *rq;

		irq_disable();
		rq = this_rq();
		if (idle_prepare(rq)) {
			rcu_idle_enter();
			cpu_idle(); /* returns with interrupts on */
			irq_disable();
			rcu_idle_exit();
		}
		if (has_work(rq) || (rq->idle->arch.work & WORK_RESCHED))
			schedule_idle();
		irq_enable();
	}
}

void sched_tick_ipi(void)
{
	rcu_irq_enter();
	/* The work bits tell the rest. A grace period may wait for a CPU that stays in user mode. */
	if (rcu_waits_for_us())
		__atomic_fetch_or(&this_rq()->curr->arch.work, WORK_RESCHED, __ATOMIC_RELAXED);
}

void sched_irq_exit(void)
{
}

static void load_update(struct timer *timer)
{
	s64 active = 0;

	for_each_online_cpu(cpu) {
		struct run_queue *rq = cpu_rq(cpu);

		active += READ_ONCE(rq->nr_running) + READ_ONCE(rq->nr_uninterruptible);
	}
	active = max(active, 0ll);
	for (int i = 0; i < 3; i++) {
		u64 l = g_load[i] * g_decay[i] + (u64)active * LOAD_ONE * (LOAD_ONE - g_decay[i]);

		if ((u64)active * LOAD_ONE > g_load[i])
			l += LOAD_ONE - 1; /* rounds towards the number of active ones */
		WRITE_ONCE(g_load[i], l >> LOAD_SHIFT);
	}
	g_load_next += LOAD_PERIOD_NS;
	timer_arm(timer, g_load_next);
}

void load_start(void)
{
	timer_init(&g_load_timer, load_update);
	g_load_next = clock_mono_ns() + LOAD_PERIOD_NS;
	timer_arm(&g_load_timer, g_load_next);
}

void sched_get_stats(struct sched_stats *s)
{
	*s = (struct sched_stats){.threads = threads_count(), .forks = threads_created()};
	for_each_online_cpu(cpu) {
		struct run_queue *rq = cpu_rq(cpu);

		s->context_switches += READ_ONCE(rq->nr_switches);
		s->running += READ_ONCE(rq->nr_running);
		s->blocked += (u32)READ_ONCE(rq->nr_uninterruptible);
	}
	if ((s32)s->blocked < 0)
		s->blocked = 0;
	for (int i = 0; i < 3; i++)
		s->load_avg[i] = READ_ONCE(g_load[i]);
}

int io_wait_begin(void)
{
	struct run_queue *rq = this_rq();

	current_thread()->nr_io_waits++;
	__atomic_fetch_add(&rq->nr_iowait, 1, __ATOMIC_RELAXED);
	return rq->cpu;
}

void io_wait_end(int cpu)
{
	__atomic_fetch_sub(&cpu_rq(cpu)->nr_iowait, 1, __ATOMIC_RELAXED);
}

void sched_cpu_times(int cpu, struct cpu_times *t)
{
	struct run_queue *rq = cpu_rq(cpu);
	s64 now = clock_mono_ns();

	*t = (struct cpu_times){
		.user_ns = READ_ONCE(rq->user_ns),
		.nice_ns = READ_ONCE(rq->nice_ns),
		.system_ns = READ_ONCE(rq->system_ns),
		.idle_ns = READ_ONCE(rq->idle_ns),
		.iowait_ns = READ_ONCE(rq->iowait_ns),
		.softirq_ns = READ_ONCE(rq->softirq_ns),
	};
	if (READ_ONCE(rq->curr) == rq->idle)
		t->idle_ns += (u64)max(now - READ_ONCE(rq->accounted_ns), 0ll);
}
