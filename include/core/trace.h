/*
 * Trace events: what each CPU did last, always recorded, printed by a panic. One ring per CPU,
 * written by its own CPU without locks in any context: a system call costs some seven
 * instructions, every other event about thirty. The threads that system calls belong to follow
 * from the switches between them.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include <arch/cpu.h>

/* A number below is that of a system call. One line for each in trace.c says how it is printed. */
enum trace_kind {
	TRACE_SWITCH = 0x8000, /* to a thread: its name, 16 bytes */
	TRACE_FAULT,           /* page fault: address, ip */
	TRACE_EXCEPTION,       /* in user mode: signal, ip */
	TRACE_IRQ,             /* device interrupt: line */
	TRACE_FORK,            /* thread id, process id of the child */
	TRACE_EXEC,            /* process id */
	TRACE_EXIT,            /* thread id, wait status */
	TRACE_SIGNAL,          /* signal, thread or process id that gets it */
	TRACE_KIND_END,
};

#define TRACE_EVENTS 128 /* per CPU, a power of two */

struct trace_entry {
	u64 time_ns; /* not of system calls */
	u32 kind;
	u64 a, b;
};
DECLARE_PER_CPU(struct trace_entry, g_trace_ring[TRACE_EVENTS]);
DECLARE_PER_CPU(u32, g_trace_next); /* an interrupt takes a number of its own */

static inline struct trace_entry *trace_slot(void)
{
	u32 i = this_cpu_fetch_add(g_trace_next, 1) % TRACE_EVENTS;

	return &(*this_cpu_ptr(&g_trace_ring))[i];
}

/* A system call; the clock isn't read. */
static inline void trace_call(u32 nr)
{
	trace_slot()->kind = nr;
}

void trace_event(enum trace_kind kind, u64 a, u64 b);
/* The last count events to the log; what system calls are called comes from the hook. */
void trace_dump(int cpu, int count);
void trace_set_call_names(const char *(*name)(u32 nr)); /* NULL: none; set once at start-up */
const char *trace_call_name(u32 nr);

/* Kernel random numbers: ChaCha20 keyed from hardware, interrupts and the boot environment. Any
 * context. */
void random_bytes(void *buf, size_t n);
u64 random_u64(void);
void random_add_entropy(u64 sample);
bool random_ready(void);

#endif
