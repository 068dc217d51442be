/* Trace events: a ring per CPU, written by its own CPU in any context. */
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <lib/printf.h>

#define NR_EVENTS 128 /* per CPU, a power of two */

struct event {
	u64 time_ns;
	const char *fmt;
	long arg[4];
};

struct ring {
	u32 next; /* own CPU; an interrupt takes its own number */
	struct event event[NR_EVENTS];
};
static DEFINE_PER_CPU(struct ring, g_ring);

bool g_trace_enabled = DEBUG;

void trace_event(const char *fmt, long a, long b, long c, long d)
{
	unsigned long flags = irq_save();
	struct ring *r = this_cpu_ptr(&g_ring);

	r->event[r->next % NR_EVENTS] = (struct event){arch_clock_ns(), fmt, {a, b, c, d}};
	r->next++;
	irq_restore(flags);
}

void trace_dump(int cpu, int count)
{
	const struct ring *r = per_cpu_ptr(&g_ring, cpu);
	u32 next = READ_ONCE(r->next), n = min_t(u32, (u32)count, min_t(u32, next, NR_EVENTS));

	if (n)
		log_err("CPU %d: last %u trace events", cpu, n);
	for (u32 i = next - n; i != next; i++) {
		const struct event *e = &r->event[i % NR_EVENTS];
		char text[128];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		kscnprintf(text, sizeof(text), e->fmt, e->arg[0], e->arg[1], e->arg[2], e->arg[3]);
#pragma GCC diagnostic pop
		log_err("  %llu.%06llu %s", e->time_ns / NS_PER_SEC,
			e->time_ns % NS_PER_SEC / NS_PER_US, text);
	}
}

static int option_trace(const char *value)
{
	g_trace_enabled = true;
	return 0;
}
INIT_OPTION("ktrace", option_trace);
