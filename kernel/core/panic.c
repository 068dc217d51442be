/*
 * Panic: the first CPU that gets here stops the others one after another (each prints its thread
 * and backtrace), prints everything known, and leaves the machine as panic= says.
 */
#include "log.h"
#include <arch/platform.h>
#include <arch/thread.h>
#include <core/counters.h>
#include <core/init.h>
#include <core/log.h>
#include <core/symbols.h>
#include <core/trace.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

#define STOP_WAIT_NS (100 * NS_PER_MS) /* for one CPU to print and halt */
#define SHOWN_EVENTS 32                /* of each CPU */

static int g_panic_cpu = -1; /* atomic */
static u64 g_stopped;        /* atomic: CPUs that have printed and halted */
int g_panic_timeout = -1;    /* seconds until the machine is left; 0: never, less: at once */
int g_panic_on_warn;
static void (*g_thread_hook)(void);
static u64 g_warnings;      /* atomic */
static char g_message[512]; /* of the panicking CPU */

void panic_set_thread_hook(void (*fn)(void))
{
	g_thread_hook = fn;
}

static void print_cpu(void)
{
	if (g_thread_hook)
		g_thread_hook();
	else
		log_err("CPU %d", cpu_id());
}

static bool g_quiet; /* the others are stopped without a panic */

static void stop_others(void)
{
	u64 mask = READ_ONCE(g_cpus_online_mask) & ~(1ull << cpu_id());

	for (; mask; mask &= mask - 1) {
		int cpu = __builtin_ctzll(mask);
		u64 end;

		arch_ipi_send(cpu, IPI_STOP);
		end = arch_clock_ns() + STOP_WAIT_NS;
		while (!(load_acquire(&g_stopped) >> cpu & 1) && arch_clock_ns() < end)
			cpu_relax();
		if (!(load_acquire(&g_stopped) >> cpu & 1))
			log_err("CPU %d does not stop", cpu);
	}
}

static noreturn void leave(void)
{
	int timeout = READ_ONCE(g_panic_timeout);

	if (timeout == 0)
		arch_halt();
	if (timeout > 0) {
		u64 end = arch_clock_ns() + (u64)timeout * NS_PER_SEC;

		while (arch_clock_ns() < end)
			cpu_relax();
	}
	arch_panic_exit();
}

/* panic() itself is in assembly, which keeps the registers of the call (arch_dump_panic). */
noreturn void panic_main(const char *fmt, ...)
{
	int nobody = -1;
	va_list ap;

	irq_disable();
	if (!__atomic_compare_exchange_n(
		    &g_panic_cpu, &nobody, cpu_id(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		if (nobody != cpu_id())
			panic_stop_cpu();
		/* A panic while printing one: say it without the log's machinery, and leave. */
		for (const char *p = "\npanic while panicking\n"; *p; p++)
			arch_early_putc(*p);
		arch_panic_exit();
	}
	g_console_loglevel = 8;
	va_start(ap, fmt);
	kvsnprintf(g_message, sizeof(g_message), fmt, ap);
	log_print(LOG_EMERG, "Kernel panic - not syncing: %s", g_message);
	va_end(ap);
	log_flush_consoles(true);
	arch_dump_panic();
	print_cpu();
	log_flush_consoles(true);
	stop_others();
	for_each_online_cpu(cpu)
		trace_dump(cpu, SHOWN_EVENTS);
	log_print(LOG_EMERG, "---[ end of panic ]---");
	log_flush_consoles(true);
	leave();
}

void panic_stop_cpu(void)
{
	static u32 printing;

	irq_disable();
	if (READ_ONCE(g_quiet)) {
		__atomic_fetch_or(&g_stopped, 1ull << cpu_id(), __ATOMIC_SEQ_CST);
	} else if (!(load_acquire(&g_stopped) >> cpu_id() & 1)) {
		while (xchg(&printing, 1))
			cpu_relax();
		print_cpu();
		log_backtrace(LOG_ERR, (unsigned long)__builtin_frame_address(0));
		log_flush_consoles(true);
		store_release(&printing, 0);
		__atomic_fetch_or(&g_stopped, 1ull << cpu_id(), __ATOMIC_SEQ_CST);
	}
	arch_halt();
}

void stop_other_cpus(void)
{
	int nobody = -1;

	irq_disable();
	if (!__atomic_compare_exchange_n(
		    &g_panic_cpu, &nobody, cpu_id(), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		panic_stop_cpu(); /* somebody else does it */
	WRITE_ONCE(g_quiet, true);
	stop_others();
	log_flush_consoles(true);
}

void log_warn_at(const char *file, int line, const char *what)
{
	__atomic_fetch_add(&g_warnings, 1, __ATOMIC_RELAXED);
	log_print(LOG_WARN, "WARNING: %s:%d: %s", file, line, what);
	if (READ_ONCE(g_panic_on_warn))
		panic("panic_on_warn is set");
	print_cpu();
	log_backtrace(LOG_WARN, (unsigned long)__builtin_frame_address(0));
}

static void warning_counters(struct seq_buf *s)
{
	seq_printf(s, "warnings %llu\n", READ_ONCE(g_warnings));
}

static int panic_init(void)
{
	return counters_register("core", warning_counters);
}
INIT_HOOK(INIT_MEMORY, panic_init);

static int option_panic(const char *value)
{
	s64 n;

	if (parse_s64(value, 10, &n) || n > S32_MAX || n < -1)
		return -EINVAL;
	g_panic_timeout = (int)n;
	return 0;
}
INIT_OPTION("panic", option_panic);
