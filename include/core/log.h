/*
 * The kernel log: a ring of records (sequence, time, level, text) that /dev/kmsg, syslog(2) and
 * the console read. Any context, including NMI and panic. Level numbers as syslog(2).
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#define LOG_EMERG  0
#define LOG_ERR    3
#define LOG_WARN   4
#define LOG_NOTICE 5
#define LOG_INFO   6
#define LOG_DEBUG  7

void log_print(int level, const char *fmt, ...) printf_like(2, 3);
#define log_err(...)   log_print(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_print(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_print(LOG_DEBUG, __VA_ARGS__)
/* For what users can cause: of one place at most 10 records in 5 seconds, then how many were left
 * out comes with the next that is let through. Any context. */
struct log_limit {
	u64 since_ns; /* atomic: start of the present 5 seconds; 0: none yet */
	u32 count;    /* atomic: records asked for since then */
};
bool log_allowed(struct log_limit *l, const char *place);
#define log_limited(level, ...)                          \
	do {                                             \
		static struct log_limit limit_;          \
		if (log_allowed(&limit_, __func__))      \
			log_print((level), __VA_ARGS__); \
	} while (0)
/* Write one record from user space (/dev/kmsg) with its facility and level. */
void log_user(int prio, const char *text, size_t len);

/* Records are delivered by callback. Copies the first record with sequence >= *seq into buf as
 * text; *seq becomes the next to ask for. Returns bytes, 0 when there is none yet; *missed counts
 * records that were overwritten. Any context. */
struct log_record {
	u64 seq, time_ns;
	int prio; /* facility << 3 | level */
	u16 len;
	char text[976];
};
bool log_read(u64 *seq, struct log_record *rec, u64 *missed);
u64 log_first_seq(void), log_next_seq(void);
struct wait_queue;
/* Hook that core calls (any context) after a record was added; set once by sched's log waiter. */
void log_set_notify(void (*fn)(void));

/* Consoles: called with each line, any context, must not sleep. level >= console loglevel are left
 * out. */
struct console {
	const char *name;
	void (*write)(struct console *c, const char *s, size_t n);
	struct console *next;
};
void console_register(struct console *c);
void console_unregister(struct console *c);
extern int g_console_loglevel; /* 1..8: records below it are shown; atomic */

/* Stop all CPUs, print message, registers and backtrace of the call (or of the exception that led
 * to it), every CPU's thread, the user registers that it came in with, and its last trace events;
 * then arch_panic_exit() or wait/reboot as panic= says. Any context. */
noreturn void panic(const char *fmt, ...) printf_like(1, 2);
/* Before the machine is left: the other CPUs stand still when it returns, and interrupts are off.
 * The second to call it doesn't come back. */
void stop_other_cpus(void);
noreturn void panic_main(const char *fmt, ...) printf_like(1, 2); /* arch's panic() jumps here */
void panic_set_thread_hook(void (*fn)(void)); /* logs this CPU's thread; set by sched */
void panic_stop_cpu(void); /* upcall for IPI_STOP: prints this CPU's thread and halts it */
#define BUG_ON(cond)                                                   \
	do {                                                           \
		if (unlikely(cond))                                    \
			panic("%s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)
/* kernel.panic and kernel.panic_on_warn; atomic. */
extern int g_panic_timeout, g_panic_on_warn;
/* Prints a warning with backtrace once per place, goes on; counted in /proc/aramid/counters. */
#define WARN_ON(cond)                                           \
	({                                                      \
		bool _c = !!(cond);                             \
		if (unlikely(_c))                               \
			log_warn_at(__FILE__, __LINE__, #cond); \
		unlikely(_c);                                   \
	})
void log_warn_at(const char *file, int line, const char *what);
#if DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond)                  \
	do {                          \
		if (0)                \
			(void)(cond); \
	} while (0)
#endif

#endif
