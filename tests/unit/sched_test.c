/* Threads, wait queues, timers in virtual time, sleeping locks, futexes, work, RCU. */
#include <core/counters.h>
#include <core/log.h>
#include <core/rcu.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/sched.h>
#include <sched/futex.h>
#include <sched/mutex.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include <sched/work.h>
#include "unit.h"

static char g_trace[256]; /* who ran, in order */

static void note(char c)
{
	size_t n = strlen(g_trace);

	if (n < sizeof(g_trace) - 1) {
		g_trace[n] = c;
		g_trace[n + 1] = '\0';
	}
}

static void start_notes(void)
{
	memset(g_trace, 0, sizeof(g_trace));
}

/* ---- threads ---- */

static void yielder(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note(*(char *)arg);
		sched_yield_now();
	}
}

UNIT(threads_that_yield_take_turns)
{
	static char a = 'a', b = 'b';

	start_notes();
	EXPECT(!is_err(kthread_run(yielder, &a, "a")));
	EXPECT(!is_err(kthread_run(yielder, &b, "b")));
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "ababab");
}

static void spinner(void *arg)
{
	u64 *ran = arg;
	s64 end = clock_mono_ns() + NS_PER_SEC;

	while (clock_mono_ns() < end) {
		cpu_relax();
		cond_resched();
	}
	thread_times(current_thread(), &ran[0], &ran[1]);
}

UNIT(nice_divides_the_cpu_by_weight)
{
	static u64 high[2], low[2];
	struct thread *h = kthread_create(spinner, high, "high");
	struct thread *l = kthread_create(spinner, low, "low");

	EXPECT_EQ(thread_set_policy(l, SCHED_NORMAL, 0, 5), 0);
	thread_wake(h);
	thread_wake(l);
	sleep_ns(2 * NS_PER_SEC);
	u64 sum_h = high[0] + high[1], sum_l = low[0] + low[1];

	/* weights 1024 : 335 */
	EXPECT(sum_h * 100 > sum_l * 270 && sum_h * 100 < sum_l * 340);
}

static void fifo_noter(void *arg)
{
	note(*(char *)arg);
	sched_yield_now();
	note(*(char *)arg);
}

UNIT(fifo_threads_run_by_priority_before_normal_ones)
{
	static char lo = 'l', hi = 'h', no = 'n';
	struct thread *n = kthread_create(fifo_noter, &no, "n");
	struct thread *l = kthread_create(fifo_noter, &lo, "l");
	struct thread *h = kthread_create(fifo_noter, &hi, "h");

	start_notes();
	EXPECT_EQ(thread_set_policy(l, SCHED_FIFO, 10, 0), 0);
	EXPECT_EQ(thread_set_policy(h, SCHED_FIFO, 50, 0), 0);
	EXPECT_EQ(thread_set_policy(h, SCHED_FIFO, 100, 0), -EINVAL);
	thread_wake(n);
	thread_wake(l);
	thread_wake(h);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "hhllnn");
}

static void nothing(void *arg)
{
}

UNIT(threads_leave_nothing_behind)
{
	struct mem_stats before, after;

	for (int round = 0; round < 2; round++) {
		counters_quiesce();
		mem_get_stats(round ? &after : &before);
		for (int i = 0; i < 50 && !round; i++)
			EXPECT(!is_err(kthread_run(nothing, NULL, "t%d", i)));
		sleep_ns(NS_PER_MS);
	}
	EXPECT_EQ(after.free, before.free);
	EXPECT_EQ(after.kernel_stacks, before.kernel_stacks);
}

/* ---- timers ---- */

struct test_timer {
	struct timer timer;
	char name;
	s64 at;
};

static void timer_note(struct timer *t)
{
	struct test_timer *x = container_of(t, struct test_timer, timer);

	note(x->name);
	x->at = clock_mono_ns();
}

UNIT(timers_fire_in_order_of_their_deadlines)
{
	struct test_timer t[3] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}};
	s64 now = clock_mono_ns();

	start_notes();
	for (int i = 0; i < 3; i++)
		timer_init(&t[i].timer, timer_note);
	timer_arm(&t[0].timer, now + 30 * NS_PER_MS);
	timer_arm(&t[1].timer, now + 10 * NS_PER_MS);
	timer_arm(&t[2].timer, now + 20 * NS_PER_MS);
	timer_arm(&t[2].timer, now + 40 * NS_PER_MS);
	sleep_ns(100 * NS_PER_MS);
	EXPECT_STR(g_trace, "bac");
	EXPECT(t[1].at >= now + 10 * NS_PER_MS && t[1].at < now + 11 * NS_PER_MS);
}

UNIT(a_cancelled_timer_does_not_fire)
{
	struct test_timer t = {.name = 'x'};

	start_notes();
	timer_init(&t.timer, timer_note);
	timer_arm(&t.timer, deadline_after(NS_PER_MS));
	EXPECT(timer_pending(&t.timer));
	EXPECT(timer_cancel_sync(&t.timer));
	EXPECT(!timer_cancel(&t.timer));
	sleep_ns(5 * NS_PER_MS);
	EXPECT_STR(g_trace, "");
}

UNIT(an_hour_of_sleep_takes_an_hour_of_virtual_time)
{
	s64 before = clock_mono_ns();

	sleep_ns(3600 * NS_PER_SEC);
	EXPECT(clock_mono_ns() - before >= 3600 * NS_PER_SEC);
	EXPECT(clock_mono_ns() - before < 3601 * NS_PER_SEC);
}

UNIT(setting_the_wall_clock_leaves_the_monotonic_one_alone)
{
	s64 mono = clock_mono_ns(), t;

	EXPECT(clock_set_real_ns(5000 * NS_PER_SEC) == 0);
	EXPECT_EQ(clock_real_ns() / NS_PER_SEC, 5000);
	EXPECT(clock_mono_ns() - mono < NS_PER_MS);
	EXPECT_EQ(clock_wall_to_mono_ns(TIME_NEVER), TIME_NEVER);
	EXPECT_EQ(clock_wall_to_mono_ns(-1), 0);
	EXPECT_EQ(clock_get(77, &t), -EINVAL);
}

UNIT(timers_on_the_wall_clock_follow_its_settings)
{
	struct test_timer near = {.name = 'n'}, far = {.name = 'f'}, mono = {.name = 'm'};
	s64 hour = 3600 * NS_PER_SEC, start = clock_mono_ns();

	start_notes();
	EXPECT(clock_set_real_ns(5000 * NS_PER_SEC) == 0);
	timer_init(&near.timer, timer_note);
	timer_init(&far.timer, timer_note);
	timer_init(&mono.timer, timer_note);
	timer_arm_deadline(
		&near.timer, (struct deadline){.ns = clock_real_ns() + hour, .wall = true});
	timer_arm_deadline(
		&far.timer, (struct deadline){.ns = clock_real_ns() + 4 * hour, .wall = true});
	timer_arm(&mono.timer, start + hour);
	EXPECT(clock_set_real_ns(clock_real_ns() + 2 * hour) == 0);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "n");
	EXPECT(clock_set_real_ns(clock_real_ns() - 2 * hour) == 0); /* four hours are left again */
	sleep_ns(3 * hour);
	EXPECT_STR(g_trace, "nm");
	sleep_ns(hour);
	EXPECT_STR(g_trace, "nmf");
}

/* ---- wait queues ---- */

static struct wait_queue g_queue = WAIT_QUEUE_INIT(g_queue);
static bool g_open;

static void exclusive_waiter(void *arg)
{
	EXPECT_EQ(wait_event_interruptible_exclusive(&g_queue, g_open), 0);
	note(*(char *)arg);
}

UNIT(exclusive_waiters_are_woken_one_by_one_in_order)
{
	static char names[] = "abc";

	start_notes();
	g_open = false;
	for (int i = 0; i < 3; i++) {
		EXPECT(!is_err(kthread_run(exclusive_waiter, &names[i], "w")));
		sleep_ns(NS_PER_MS);
	}
	g_open = true;
	wake_up(&g_queue);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "a");
	wake_up_all(&g_queue);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "abc");
}

UNIT(a_wait_with_deadline_ends_there)
{
	s64 start = clock_mono_ns();

	g_open = false;
	EXPECT_EQ(wait_event_deadline(&g_queue, g_open, start + 7 * NS_PER_MS), -ETIMEDOUT);
	EXPECT(clock_mono_ns() >= start + 7 * NS_PER_MS);
	EXPECT(list_empty(&g_queue.waiters));
}

static struct thread *g_sleeper;
static int g_result;

static void interruptible(void *arg)
{
	g_sleeper = current_thread();
	g_result = wait_event_interruptible(&g_queue, g_open);
}

UNIT(a_signal_ends_an_interruptible_wait_only)
{
	g_open = false;
	g_result = 1;
	EXPECT(!is_err(kthread_run(interruptible, NULL, "i")));
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(g_result, 1);
	thread_interrupt(g_sleeper, WORK_SIGNAL, false);
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(g_result, -ERESTARTSYS);
}

static struct completion g_completion;

static void completer(void *arg)
{
	note('c');
	complete(&g_completion);
}

UNIT(a_completion_waits_for_the_event)
{
	start_notes();
	completion_init(&g_completion);
	EXPECT(!is_err(kthread_run(completer, NULL, "c")));
	wait_for_completion(&g_completion);
	note('w');
	EXPECT_STR(g_trace, "cw");
}

/* ---- sleeping locks ---- */

static struct mutex g_mutex = MUTEX_INIT(g_mutex, RANK_MUTEX_LEAF);

static void mutex_user(void *arg)
{
	for (int i = 0; i < 2; i++) {
		mutex_lock(&g_mutex);
		note(*(char *)arg);
		sleep_ns(NS_PER_MS);
		note((char)(*(char *)arg - 'a' + 'A'));
		mutex_unlock(&g_mutex);
	}
}

UNIT(a_mutex_has_one_owner_and_is_fair)
{
	static char names[] = "ab";

	start_notes();
	EXPECT(!is_err(kthread_run(mutex_user, &names[0], "a")));
	EXPECT(!is_err(kthread_run(mutex_user, &names[1], "b")));
	sleep_ns(20 * NS_PER_MS);
	EXPECT_STR(g_trace, "aAbBaAbB");
	EXPECT_EQ(g_mutex.owner, 0);
}

static void mutex_interrupted(void *arg)
{
	g_sleeper = current_thread();
	g_result = mutex_lock_interruptible(&g_mutex);
}

UNIT(waiting_for_a_mutex_can_be_interrupted)
{
	mutex_lock(&g_mutex);
	g_result = 1;
	EXPECT(!is_err(kthread_run(mutex_interrupted, NULL, "m")));
	sleep_ns(NS_PER_MS);
	thread_interrupt(g_sleeper, WORK_SIGNAL, false);
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(g_result, -ERESTARTSYS);
	mutex_unlock(&g_mutex);
	EXPECT_EQ(g_mutex.owner, 0);
}

static struct rwsem g_rwsem;

static void reader(void *arg)
{
	rwsem_read_lock(&g_rwsem);
	note('r');
	sleep_ns(10 * NS_PER_MS);
	note('R');
	rwsem_read_unlock(&g_rwsem);
}

static void writer(void *arg)
{
	rwsem_write_lock(&g_rwsem);
	note('w');
	sleep_ns(10 * NS_PER_MS);
	note('W');
	rwsem_write_unlock(&g_rwsem);
}

UNIT(readers_share_and_a_waiting_writer_blocks_new_ones)
{
	start_notes();
	rwsem_init(&g_rwsem, RANK_INODE);
	EXPECT(!is_err(kthread_run(reader, NULL, "r1")));
	EXPECT(!is_err(kthread_run(reader, NULL, "r2")));
	sleep_ns(NS_PER_MS);
	EXPECT(!is_err(kthread_run(writer, NULL, "w")));
	sleep_ns(NS_PER_MS);
	EXPECT(!rwsem_read_trylock(&g_rwsem));
	EXPECT(!is_err(kthread_run(reader, NULL, "r3")));
	sleep_ns(50 * NS_PER_MS);
	EXPECT_STR(g_trace, "rrRRwWrR");
	EXPECT_EQ(g_rwsem.count, 0);
}

/* ---- futexes ---- */

static u32 g_word;

static const struct deadline g_no_deadline = {.ns = TIME_NEVER};

static void futex_waiter(void *arg)
{
	struct futex_key k = {.a = 1, .b = (u64)&g_word};

	g_result = futex_wait(k, &g_word, 7, ~0u, g_no_deadline);
	note('w');
}

UNIT(futex_wait_sleeps_only_on_the_expected_value)
{
	struct futex_key k = {.a = 1, .b = (u64)&g_word};

	g_word = 8;
	EXPECT_EQ(futex_wait(k, &g_word, 7, ~0u, g_no_deadline), -EAGAIN);
	EXPECT_EQ(futex_wait(k, (u32 *)8, 7, ~0u, g_no_deadline), -EFAULT);
	struct deadline soon = {.ns = deadline_after(NS_PER_MS)};

	EXPECT_EQ(futex_wait(k, &g_word, 8, ~0u, soon), -ETIMEDOUT);
	EXPECT_EQ(futex_wake(k, 1, ~0u), 0);
}

UNIT(futex_requeue_moves_waiters_to_the_other_word)
{
	struct futex_key k = {.a = 1, .b = (u64)&g_word}, to = {.a = 1, .b = 4096};
	u32 seven = 7, eight = 8;

	start_notes();
	g_word = 7;
	for (int i = 0; i < 3; i++)
		EXPECT(!is_err(kthread_run(futex_waiter, NULL, "f")));
	sleep_ns(NS_PER_MS);
	EXPECT_EQ(futex_requeue(k, to, 1, 5, &g_word, &eight), -EAGAIN);
	EXPECT_EQ(futex_requeue(k, to, 1, 5, &g_word, &seven), 3);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "w");
	EXPECT_EQ(futex_wake(k, 5, ~0u), 0);
	EXPECT_EQ(futex_wake(to, 5, ~0u), 2);
	sleep_ns(NS_PER_MS);
	EXPECT_STR(g_trace, "www");
	EXPECT_EQ(g_result, 0);
}

/* ---- work and RCU ---- */

static void work_note(struct work *w)
{
	sleep_ns(NS_PER_MS);
	note('k');
}

UNIT(work_runs_once_per_queueing_and_drain_waits_for_it)
{
	struct work w;

	start_notes();
	work_init(&w, work_note);
	EXPECT(work_queue(&w));
	EXPECT(!work_queue(&w));
	work_drain();
	EXPECT_STR(g_trace, "k");
	EXPECT(work_queue(&w));
	EXPECT(work_cancel_sync(&w));
	EXPECT_STR(g_trace, "k");
}

struct rcu_thing {
	struct rcu_head head;
};

static void rcu_note(struct rcu_head *h)
{
	note('f');
}

UNIT(rcu_callbacks_run_after_a_grace_period)
{
	struct rcu_thing t;

	start_notes();
	rcu_call(&t.head, rcu_note);
	EXPECT_STR(g_trace, "");
	sleep_ns(100 * NS_PER_MS);
	EXPECT_STR(g_trace, "f");
	rcu_call(&t.head, rcu_note);
	rcu_barrier();
	EXPECT_STR(g_trace, "ff");
	EXPECT_EQ(rcu_pending_count(), 0);
	rcu_synchronize();
}

/* ---- the hung-task watcher ---- */

static void wait_for(void *arg)
{
	wait_for_completion(arg);
}

static int reports_since(u64 seq, const char *name)
{
	struct log_record r;
	u64 missed = 0;
	int n = 0;

	while (log_read(&seq, &r, &missed))
		n += strstr(r.text, "blocked for more than") && strstr(r.text, name);
	return n;
}

UNIT(a_thread_that_waits_too_long_is_logged)
{
	static struct completion c;
	u64 seq = log_next_seq();

	g_hung_task_warnings = 10; /* threads that other tests left may have used them up */
	completion_init(&c);
	EXPECT(!is_err(kthread_run(wait_for, &c, "stuck")));
	sleep_ns(100 * NS_PER_SEC);
	EXPECT_EQ(reports_since(seq, "stuck"), 0);
	sleep_ns(100 * NS_PER_SEC);
	EXPECT_EQ(reports_since(seq, "stuck"), 1);
	complete(&c);
	sleep_ns(NS_PER_MS);
	seq = log_next_seq();
	sleep_ns(300 * NS_PER_SEC);
	EXPECT_EQ(reports_since(seq, "stuck"), 0);
}
