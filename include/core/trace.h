/*
 * Trace events: per-CPU rings of fixed-size records written without locks, printed on panic and
 * by /proc/aramid/trace. fmt must be a string literal; up to four long arguments.
 */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

void trace_event(const char *fmt, long a, long b, long c, long d);
void trace_dump(int cpu, int count); /* last count events to the log, any context */
extern bool g_trace_enabled;
#define trace(fmt, a, b, c, d)                                                        \
	do {                                                                          \
		if (unlikely(READ_ONCE(g_trace_enabled)))                             \
			trace_event(fmt, (long)(a), (long)(b), (long)(c), (long)(d)); \
	} while (0)

/* Kernel random numbers: ChaCha20 keyed from hardware, interrupts and the boot environment. Any
 * context. */
void random_bytes(void *buf, size_t n);
u64 random_u64(void);
void random_add_entropy(u64 sample);
bool random_ready(void);

#endif
