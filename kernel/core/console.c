/*
 * Consoles follow the log: whoever adds a record prints what is new, unless somebody is printing
 * already, who then prints this too. So printing never waits, in any context.
 */
#include "log.h"
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/string.h>

#define LOGLEVEL_DEFAULT 7 /* everything but debug messages */
#define LOGLEVEL_QUIET   4 /* errors and worse */
#define LOGLEVEL_DEBUG   8

int g_console_loglevel = LOGLEVEL_DEFAULT;

static void early_write(struct console *c, const char *s, size_t n)
{
	while (n--)
		arch_early_putc(*s++);
}
static struct console g_early = {.name = "early", .write = early_write};

static DEFINE_SPINLOCK(g_list_lock, RANK_CONSOLE);
static struct console *g_consoles = &g_early; /* g_list_lock to change; read without */
static u32 g_busy;                            /* atomic: somebody prints */
static u64 g_seq;                             /* who holds g_busy: next record to print */
static u64 g_missed;                          /* the same */
static struct log_record g_record;            /* the same */
static bool g_cmdline_seen;                   /* the same */

void console_register(struct console *c)
{
	unsigned long flags = spin_lock_irqsave(&g_list_lock);

	c->next = g_consoles == &g_early ? NULL : g_consoles;
	store_release(&g_consoles, c);
	spin_unlock_irqrestore(&g_list_lock, flags);
}

void console_unregister(struct console *c)
{
	unsigned long flags = spin_lock_irqsave(&g_list_lock);
	struct console **p = &g_consoles;

	while (*p && *p != c)
		p = &(*p)->next;
	if (*p)
		store_release(p, c->next);
	spin_unlock_irqrestore(&g_list_lock, flags);
}

static void write_all(const char *s, size_t n)
{
	for (struct console *c = load_acquire(&g_consoles); c; c = load_acquire(&c->next))
		c->write(c, s, n);
}

static void print_record(const struct log_record *r)
{
	char prefix[32];
	u64 us = r->time_ns / 1000;
	int n = kscnprintf(prefix, sizeof(prefix), "[%5llu.%06llu] ", us / 1000000, us % 1000000);
	const char *p = r->text, *end = r->text + r->len;

	do { /* each line of a record gets the prefix */
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		size_t len = (size_t)((eol ? eol : end) - p);

		write_all(prefix, (size_t)n);
		write_all(p, len);
		write_all("\n", 1);
		p += len + 1;
	} while (p < end);
}

/* "quiet" and "loglevel=" count from the first message on, long before options are parsed. */
static void look_at_cmdline(void)
{
	const char *p = g_boot_info.cmdline;

	if (g_cmdline_seen || !p)
		return;
	g_cmdline_seen = true;
	while (*p) {
		size_t n = strcspn(p, " ");

		if (n == 5 && !memcmp(p, "quiet", 5))
			g_console_loglevel = LOGLEVEL_QUIET;
		else if (n == 5 && !memcmp(p, "debug", 5))
			g_console_loglevel = LOGLEVEL_DEBUG;
		else if (n == 10 && !memcmp(p, "loglevel=", 9) && p[9] >= '0' && p[9] <= '8')
			g_console_loglevel = p[9] - '0';
		p += n;
		p += strspn(p, " ");
	}
}

void log_flush_consoles(bool force)
{
	do {
		if (xchg(&g_busy, 1) && !force)
			return;
		look_at_cmdline();
		while (log_read(&g_seq, &g_record, &g_missed))
			if ((g_record.prio & 7) < READ_ONCE(g_console_loglevel))
				print_record(&g_record);
		store_release(&g_busy, 0);
		smp_mb(); /* a record added while we finished: its writer saw us busy */
	} while (!force && log_ready(g_seq));
}

static int option_quiet(const char *value)
{
	g_console_loglevel = LOGLEVEL_QUIET;
	return 0;
}
INIT_OPTION("quiet", option_quiet);

static int option_debug(const char *value)
{
	g_console_loglevel = LOGLEVEL_DEBUG;
	return 0;
}
INIT_OPTION("debug", option_debug);

static int option_loglevel(const char *value)
{
	u64 n;

	if (parse_u64(value, 10, &n) || n > 15)
		return -EINVAL;
	g_console_loglevel = (int)min_t(u64, n, LOGLEVEL_DEBUG);
	return 0;
}
INIT_OPTION("loglevel", option_loglevel);
