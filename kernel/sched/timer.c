/*
 * Timers: a tree per CPU, the hardware timer set to the earliest of the tree's first deadline and
 * the tick. A timer that was cancelled leaves the hardware alone: the interrupt comes for nothing
 * and sets the next one.
 *
 * timer->cpu names the base whose lock guards the timer; it changes only while the timer is neither
 * queued nor running.
 */
#include "sched.h"
#include <lib/atomic.h>
#include <sched/timer.h>

enum { TIMER_IDLE, TIMER_QUEUED };

struct timer_base {
	struct spinlock lock;
	struct rb_root tree;   /* lock; by deadline */
	struct rb_node *first; /* lock */
	struct timer *running; /* lock: its callback is being run by this CPU */
	s64 programmed_ns;     /* own CPU, interrupts off: what the hardware is set to */
	bool in_interrupt;     /* own CPU */
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

static void insert(struct timer_base *b, struct timer *t)
{
	struct rb_node **link = &b->tree.node, *parent = NULL;
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
	rb_insert(&b->tree, &t->node, parent, link);
	if (leftmost)
		b->first = &t->node;
	t->state = TIMER_QUEUED;
}

static void take_out(struct timer_base *b, struct timer *t)
{
	if (b->first == &t->node)
		b->first = rb_next(&t->node);
	rb_erase(&b->tree, &t->node);
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
}

void timer_arm(struct timer *t, s64 deadline)
{
	unsigned long flags;
	struct timer_base *b = lock_base(t, &flags), *own = this_cpu_ptr(&g_base);

	if (t->state == TIMER_QUEUED)
		take_out(b, t);
	/* A running one stays with the CPU that runs it, which looks at its tree again afterwards. */
	if (b != own && b->running != t) {
		WRITE_ONCE(t->cpu, cpu_id());
		spin_unlock(&b->lock);
		b = own;
		spin_lock(&b->lock);
	}
	t->deadline_ns = deadline;
	insert(b, t);
	if (b == own && b->first == &t->node)
		program(b, deadline);
	spin_unlock_irqrestore(&b->lock, flags);
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

/* The hardware timer fired. Interrupts off. */
void timer_interrupt(void)
{
	struct timer_base *b = this_cpu_ptr(&g_base);
	struct run_queue *rq = this_rq();
	s64 now = clock_mono_ns(), next;

	rcu_irq_enter();
	b->in_interrupt = true;
	spin_lock(&b->lock);
	while (b->first && timer_of(b->first)->deadline_ns <= now) {
		struct timer *t = timer_of(b->first);

		take_out(b, t);
		b->running = t;
		spin_unlock(&b->lock);
		t->fn(t);
		spin_lock(&b->lock);
		b->running = NULL;
		now = clock_mono_ns();
	}
	spin_unlock(&b->lock);
	if (now >= rq->tick_ns)
		tick(rq, now);
	spin_lock(&b->lock);
	next = b->first ? timer_of(b->first)->deadline_ns : TIME_NEVER;
	spin_unlock(&b->lock);
	if (rq->curr != rq->idle) /* leaving idle starts the tick by itself */
		next = min(next, rq->tick_ns);
	b->in_interrupt = false;
	b->programmed_ns = next;
	arch_timer_arm(next);
}
