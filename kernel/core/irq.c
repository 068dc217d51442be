/* Device interrupts: who listens on which line, and how often it came. */
#include <arch/platform.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/rcu.h>
#include <core/spinlock.h>
#include <core/trace.h>
#include <lib/err.h>
#include <lib/list.h>
#include <lib/seq_buf.h>

#define MAX_ACTIONS   128  /* handlers at a time: a few per device */
#define MAX_UNHANDLED 1000 /* interrupts in a row that nobody claimed before a line is turned off */

struct irq_action {
	struct list_head link; /* RCU */
	irq_handler fn;
	void *arg;
	const char *name;
};

struct irq_line {
	struct list_head actions; /* g_lock to change; RCU to read */
	u32 unhandled;            /* the CPU that gets the interrupt */
	bool used;                /* actions is set up; g_lock */
};
static struct irq_line g_lines[NR_IRQS];
static struct irq_action g_actions[MAX_ACTIONS]; /* free: fn is NULL; g_lock */
static DEFINE_SPINLOCK(g_lock, RANK_DEVICE);
static DEFINE_PER_CPU(u32, g_counts[NR_IRQS]);

static struct irq_action *free_action_locked(void)
{
	spin_assert_held(&g_lock);
	for (int i = 0; i < MAX_ACTIONS; i++)
		if (!g_actions[i].fn)
			return &g_actions[i];
	return NULL;
}

int irq_request(int irq, irq_handler fn, void *arg, const char *name, bool level, bool active_low)
{
	struct irq_action *a;
	struct irq_line *line;
	unsigned long flags;
	bool first;
	int err = 0;

	if (irq < 0 || irq >= NR_IRQS)
		return -EINVAL;
	line = &g_lines[irq];
	flags = spin_lock_irqsave(&g_lock);
	a = free_action_locked();
	if (!a) {
		spin_unlock_irqrestore(&g_lock, flags);
		return -ENOMEM;
	}
	*a = (struct irq_action){.fn = fn, .arg = arg, .name = name};
	if (!line->used)
		list_init(&line->actions);
	line->used = true;
	first = list_empty(&line->actions);
	list_add_tail(&a->link, &line->actions);
	spin_unlock_irqrestore(&g_lock, flags);
	if (first)
		err = arch_irq_enable(irq, level, active_low);
	if (err)
		irq_release(irq, arg);
	return err;
}

void irq_release(int irq, void *arg)
{
	struct irq_action *a, *found = NULL;
	struct irq_line *line = &g_lines[irq];
	unsigned long flags = spin_lock_irqsave(&g_lock);
	bool last = false;

	if (line->used) {
		list_for_each_entry(a, &line->actions, link) {
			if (a->arg == arg) {
				found = a;
				break;
			}
		}
	}
	if (found) {
		list_del_rcu(&found->link);
		last = list_empty(&line->actions);
	}
	spin_unlock_irqrestore(&g_lock, flags);
	if (!found)
		return;
	if (last)
		arch_irq_disable(irq);
	rcu_synchronize(); /* a running handler is a reader: its CPU does not switch threads */
	WRITE_ONCE(found->fn, NULL); /* free again */
}

void irq_dispatch(int irq)
{
	struct irq_line *line = &g_lines[irq];
	struct irq_action *a;
	bool handled = false;

	trace_event(TRACE_IRQ, (u64)irq, 0);
	rcu_irq_enter();
	this_cpu_add(g_counts[irq], 1);
	if (likely(READ_ONCE(line->used)))
		list_for_each_entry_rcu(a, &line->actions, link)
			handled |= a->fn(irq, a->arg);
	if (likely(handled)) {
		line->unhandled = 0;
	} else if (++line->unhandled == MAX_UNHANDLED) {
		log_err("irq %d: nobody cares, turned off", irq);
		arch_irq_disable(irq);
	}
}

void irq_show(struct seq_buf *s)
{
	seq_puts(s, "     ");
	for_each_online_cpu(cpu)
		seq_printf(s, "      CPU%-2d", cpu);
	seq_putc(s, '\n');
	for (int irq = 0; irq < NR_IRQS; irq++) {
		struct irq_action *a;
		bool first = true;

		rcu_read_lock();
		if (!READ_ONCE(g_lines[irq].used) || list_empty(&g_lines[irq].actions)) {
			rcu_read_unlock();
			continue;
		}
		seq_printf(s, "%4d:", irq);
		for_each_online_cpu(cpu)
			seq_printf(s, " %10u", READ_ONCE((*per_cpu_ptr(&g_counts, cpu))[irq]));
		list_for_each_entry_rcu(a, &g_lines[irq].actions, link) {
			seq_printf(s, "%s%s", first ? "  " : ", ", a->name);
			first = false;
		}
		rcu_read_unlock();
		seq_putc(s, '\n');
	}
}

static u64 line_count(int irq)
{
	u64 n = 0;

	for_each_online_cpu(cpu)
		n += READ_ONCE((*per_cpu_ptr(&g_counts, cpu))[irq]);
	return n;
}

void irq_show_counts(struct seq_buf *s)
{
	int last = -1;

	for (int irq = 0; irq < NR_IRQS; irq++)
		if (READ_ONCE(g_lines[irq].used))
			last = irq;
	for (int irq = 0; irq <= last; irq++)
		seq_printf(s, " %llu", line_count(irq));
}

u64 irq_count(void)
{
	u64 n = 0;

	for (int irq = 0; irq < NR_IRQS; irq++)
		n += line_count(irq);
	return n;
}
