/* Trace events: a ring per CPU, written by its own CPU in any context. See core/trace.h. */
#include <arch/platform.h>
#include <core/log.h>
#include <core/trace.h>
#include <lib/printf.h>

DEFINE_PER_CPU(struct trace_entry, g_trace_ring[TRACE_EVENTS]);
DEFINE_PER_CPU(u32, g_trace_next);
static const char *(*g_call_name)(u32 nr);

void trace_event(enum trace_kind kind, u64 a, u64 b)
{
	struct trace_entry *e = trace_slot();

	e->kind = kind;
	e->a = a;
	e->b = b;
	e->time_ns = arch_clock_ns();
}

void trace_set_call_names(const char *(*name)(u32 nr))
{
	g_call_name = name;
}

const char *trace_call_name(u32 nr)
{
	const char *name = g_call_name ? g_call_name(nr) : NULL;

	return name ? name : "?";
}

static void format_event(const struct trace_entry *e, char *text, size_t size)
{
	switch (e->kind) {
	case TRACE_SWITCH: {
		u64 name[2] = {e->a, e->b};

		kscnprintf(text, size, "switch to %.16s", (const char *)name);
		break;
	}
	case TRACE_FAULT:
		kscnprintf(text, size, "page fault at %#llx, ip %#llx", e->a, e->b);
		break;
	case TRACE_EXCEPTION:
		kscnprintf(text, size, "exception, signal %llu, ip %#llx", e->a, e->b);
		break;
	case TRACE_IRQ:
		kscnprintf(text, size, "interrupt %llu", e->a);
		break;
	case TRACE_FORK:
		kscnprintf(text, size, "new thread %llu of process %llu", e->a, e->b);
		break;
	case TRACE_EXEC:
		kscnprintf(text, size, "exec by process %llu", e->a);
		break;
	case TRACE_EXIT:
		kscnprintf(text, size, "thread %llu ends, status %#llx", e->a, e->b);
		break;
	case TRACE_SIGNAL:
		kscnprintf(text, size, "signal %llu to %llu", e->a, e->b);
		break;
	default:
		kscnprintf(text, size, "system call %u %s", e->kind, trace_call_name(e->kind));
		break;
	}
}

void trace_dump(int cpu, int count)
{
	const struct trace_entry *ring = *per_cpu_ptr(&g_trace_ring, cpu);
	u32 next = READ_ONCE(*per_cpu_ptr(&g_trace_next, cpu));
	u32 n = min_t(u32, (u32)count, min_t(u32, next, TRACE_EVENTS));

	log_err("CPU %d: last %u trace events", cpu, n);
	for (u32 i = next - n; i != next; i++) {
		const struct trace_entry *e = &ring[i % TRACE_EVENTS];
		char text[96];

		format_event(e, text, sizeof(text));
		if (e->kind < TRACE_SWITCH)
			log_err("                %s", text);
		else
			log_err("  %6llu.%06llu %s", e->time_ns / NS_PER_SEC,
				e->time_ns % NS_PER_SEC / NS_PER_US, text);
	}
}
