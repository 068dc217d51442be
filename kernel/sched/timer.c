/*
 * Timers: two trees per CPU, one for each clock, the hardware timer set to the earliest of the
 * trees' first deadlines and the tick. A timer that was cancelled leaves the hardware alone: the
 * interrupt comes for nothing and sets the next one.
 *
 * Deadlines on the wall clock stay what they are when the clock is set; only the hardware timers
 * have to be set anew then, by each CPU (timers_wall_clock_set).
 *
 * timer->cpu names the base whose lock guards the timer; it changes only while the timer is neither
 * queued nor running.
 */
#include "sched.h"
#include <core/irq.h>
#include <lib/atomic.h>
#include <sched/timer.h>

#define MAX_CALLBACKS \
	256 /* of one interrupt; what else is due gets the next, which comes at once */

enum { TIMER_IDLE, TIMER_QUEUED };

struct timer_tree {
	struct rb_root root; /* by deadline */
	struct rb_node *first;
};

struct timer_base {
	struct spinlock lock;
	struct timer_tree mono, wall; /* lock */
	struct timer *running;        /* lock: its callback is being run by this CPU */
	s64 programmed_ns; /* own CPU, interrupts off: what the hardware is set to, monotonic */
	bool in_interrupt; /* own CPU */
};
static DEFINE_PER_CPU(struct timer_base, g_base);

void timer_init_cpu(int cpu)
{
	struct timer_base *b = per_cpu_ptr(&g_base, cpu);

	spin_init(&b->lock, RANK_TIMER);
	b->programmed_ns = TIME_NEVER;
}

/* Own CPU, interrupts off. */
static void program(struct timer_base *b, s64 deadline)
{
	if (deadline >= b->programmed_ns)
		return;
	b->programmed_ns = deadline;
	if (!b->in_interrupt) /* its end programs what is due then */
		arch_timer_arm(deadline);
}

void timer_program_tick(s64 deadline)
{
	program(this_cpu_ptr(&g_base), deadline);
}

static struct timer *timer_of(struct rb_node *n)
{
	return rb_entry(n, struct timer, node);
}

static struct timer_tree *tree_of(struct timer_base *b, const struct timer *t)
{
	return t->wall ? &b->wall : &b->mono;
}

static s64 first_ns(const struct timer_tree *tree)
{
	return tree->first ? timer_of(tree->first)->deadline_ns : TIME_NEVER;
}

/* When the base's next timer is due, monotonic. Its lock held. */
static s64 next_ns(const struct timer_base *b)
{
	return min(first_ns(&b->mono), clock_wall_to_mono_ns(first_ns(&b->wall)));
}

/* One that may run now. Where its time has come, but it stands behind one whose time hasn't, it
 * waits: it isn't late yet. */
static struct timer *first_due(const struct timer_base *b, s64 now)
{
	struct timer *mono = b->mono.first ? timer_of(b->mono.first) : NULL;
	struct timer *wall = b->wall.first ? timer_of(b->wall.first) : NULL;

	if (mono && mono->earliest_ns <= now)
		return mono;
	if (wall && clock_wall_to_mono_ns(wall->earliest_ns) <= now)
		return wall;
	return NULL;
}

static void insert(struct timer_base *b, struct timer *t)
{
	struct timer_tree *tree = tree_of(b, t);
	struct rb_node **link = &tree->root.node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (t->deadline_ns < timer_of(parent)->deadline_ns) {
			link = &parent->left;
		} else {
			link = &parent->right;
			leftmost = false;
		}
	}
	rb_insert(&tree->root, &t->node, parent, link);
	if (leftmost)
		tree->first = &t->node;
	t->state = TIMER_QUEUED;
}

static void take_out(struct timer_base *b, struct timer *t)
{
	struct timer_tree *tree = tree_of(b, t);

	if (tree->first == &t->node)
		tree->first = rb_next(&t->node);
	rb_erase(&tree->root, &t->node);
	t->state = TIMER_IDLE;
}

static struct timer_base *lock_base(const struct timer *t, unsigned long *flags)
{
	for (;;) {
		int cpu = READ_ONCE(t->cpu);
		struct timer_base *b = per_cpu_ptr(&g_base, cpu);

		*flags = spin_lock_irqsave(&b->lock);
		if (likely(cpu == READ_ONCE(t->cpu)))
			return b;
		spin_unlock_irqrestore(&b->lock, *flags);
	}
}

void timer_init(struct timer *t, void (*fn)(struct timer *))
{
	t->fn = fn;
	t->state = TIMER_IDLE;
	t->cpu = cpu_id();
	t->deadline_ns = TIME_NEVER;
	t->wall = false;
}

void timer_arm_deadline(struct timer *t, struct deadline d)
{
	timer_arm_slack(t, d, 0);
}

void timer_arm_slack(struct timer *t, struct deadline d, s64 slack)
{
	unsigned long flags;
	struct timer_base *b, *own;

	for (;;) {
		b = lock_base(t, &flags);
		own = this_cpu_ptr(&g_base);
		if (t->state == TIMER_QUEUED)
			take_out(b, t);
		/* A running one stays with the CPU that runs it, which looks at its tree again. */
		if (b == own || b->running == t)
			break;
		/* Between the locks somebody else may arm or move it: look again. */
		WRITE_ONCE(t->cpu, cpu_id());
		spin_unlock_irqrestore(&b->lock, flags);
	}
	t->deadline_ns = d.ns > TIME_NEVER - slack ? TIME_NEVER : d.ns + slack;
	t->earliest_ns = d.ns;
	t->wall = d.wall;
	insert(b, t);
	if (b == own && tree_of(b, t)->first == &t->node)
		program(b, next_ns(b));
	spin_unlock_irqrestore(&b->lock, flags);
}

void timer_arm(struct timer *t, s64 deadline)
{
	timer_arm_deadline(t, (struct deadline){.ns = deadline});
}

bool timer_cancel(struct timer *t)
{
	unsigned long flags;
	struct timer_base *b;
	bool pending;

	b = lock_base(t, &flags);
	pending = t->state == TIMER_QUEUED;
	if (pending)
		take_out(b, t);
	t->deadline_ns = TIME_NEVER;
	spin_unlock_irqrestore(&b->lock, flags);
	return pending;
}

bool timer_cancel_sync(struct timer *t)
{
	bool pending = false;

	for (;;) {
		unsigned long flags;
		struct timer_base *b = lock_base(t, &flags);
		bool running = b->running == t;

		if (t->state == TIMER_QUEUED) {
			take_out(b, t);
			pending = true;
		}
		t->deadline_ns = TIME_NEVER;
		spin_unlock_irqrestore(&b->lock, flags);
		if (!running)
			return pending;
		cpu_relax();
	}
}

bool timer_pending(const struct timer *t)
{
	return READ_ONCE(t->state) == TIMER_QUEUED;
}

bool timer_wanted(const struct timer *t)
{
	return READ_ONCE(t->state) != TIMER_QUEUED && READ_ONCE(t->deadline_ns) != TIME_NEVER;
}

s64 timer_forward(s64 *expires, s64 interval, s64 now)
{
	s64 n, by;

	if (now < *expires)
		return 0;
	n = (now - *expires) / interval + 1;
	if (__builtin_mul_overflow(n, interval, &by) ||
		__builtin_add_overflow(*expires, by, expires))
		*expires = TIME_NEVER;
	return n;
}

static void program_again(void *unused)
{
	struct timer_base *b = this_cpu_ptr(&g_base);

	spin_lock(&b->lock);
	program(b, next_ns(b));
	spin_unlock(&b->lock);
}

void timers_wall_clock_set(void)
{
	smp_call_mask(READ_ONCE(g_cpus_online_mask), program_again, NULL);
}

/*
 * The hardware timer fired. Interrupts off. What is due is what was due at the start, so that a
 * timer that arms itself again has its turn in a later interrupt.
 */
void timer_interrupt(void)
{
	struct timer_base *b = this_cpu_ptr(&g_base);
	struct run_queue *rq = this_rq();
	s64 now = clock_mono_ns(), next;
	struct timer *t;

	rcu_irq_enter();
	b->in_interrupt = true;
	/* Before the callbacks: sleepers that they wake would be seen as load at every tick. */
	if (now >= rq->tick_ns)
		tick(rq, now);
	spin_lock(&b->lock);
	for (int n = 0; n < MAX_CALLBACKS && (t = first_due(b, now)); n++) {
		take_out(b, t);
		b->running = t;
		spin_unlock(&b->lock);
		t->fn(t);
		spin_lock(&b->lock);
		b->running = NULL;
	}
	next = next_ns(b);
	spin_unlock(&b->lock);
	if (rq->curr != rq->idle || rq->rt_throttled) /* leaving idle starts the tick by itself */
		next = min(next, rq->tick_ns);
	b->in_interrupt = false;
	b->programmed_ns = next;
	arch_timer_arm(next);
}
