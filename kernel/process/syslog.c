/*
 * The kernel log for syslog(2): text lines "<prio>[seconds.micros] text". One position for the
 * calls that consume (READ, SIZE_UNREAD), one for what CLEAR has hidden from READ_ALL.
 */
#include <arch/uaccess.h>
#include <core/log.h>
#include <cred/cred.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <process/uts.h>
#include <sched/mutex.h>
#include <sched/timer.h>

#define LINE_MAX    1100 /* a record's text with its prefix */
#define BUFFER_SIZE (64 << 10)
#define POLL_NS     (NS_PER_SEC / 5) /* how often a blocked READ looks: records come from any context */

enum {
	ACTION_CLOSE,
	ACTION_OPEN,
	ACTION_READ,
	ACTION_READ_ALL,
	ACTION_READ_CLEAR,
	ACTION_CLEAR,
	ACTION_CONSOLE_OFF,
	ACTION_CONSOLE_ON,
	ACTION_CONSOLE_LEVEL,
	ACTION_SIZE_UNREAD,
	ACTION_SIZE_BUFFER,
};

static struct mutex g_syslog_lock = MUTEX_INIT(g_syslog_lock, RANK_FILE_POS);
static u64 g_read_seq, g_clear_seq; /* g_syslog_lock */
static int g_saved_level = -1;      /* g_syslog_lock: CONSOLE_OFF's, or -1 */
int g_dmesg_restrict;

int syslog_may(int type)
{
	if (type < ACTION_CLOSE || type > ACTION_SIZE_BUFFER)
		return -EINVAL;
	if (!READ_ONCE(g_dmesg_restrict) && (type == ACTION_READ_ALL || type == ACTION_SIZE_BUFFER))
		return 0;
	return capable(CAP_SYSLOG) || capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

struct reader {
	struct log_record rec;
	char line[LINE_MAX];
};

static size_t format_line(struct reader *r)
{
	u64 us = r->rec.time_ns / 1000;
	size_t n = (size_t)kscnprintf(r->line, sizeof(r->line), "<%d>[%5llu.%06llu] ", r->rec.prio,
		(unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000));

	memcpy(r->line + n, r->rec.text, r->rec.len);
	n += r->rec.len;
	if (r->line[n - 1] != '\n')
		r->line[n++] = '\n';
	return n;
}

/* Lines from *seq on into buf while they fit whole; *seq is then the first that was not copied. */
static long copy_lines(struct reader *r, u64 *seq, char __user *buf, size_t len)
{
	size_t done = 0;
	u64 missed = 0;

	for (;;) {
		u64 next = *seq;
		size_t n;

		if (!log_read(&next, &r->rec, &missed))
			break;
		n = format_line(r);
		if (done + n > len)
			break;
		if (copy_to_user(buf + done, r->line, n))
			return done ? (long)done : -EFAULT;
		done += n;
		*seq = next;
	}
	return (long)done;
}

static size_t text_size(struct reader *r, u64 seq)
{
	size_t n = 0;
	u64 missed = 0;

	while (log_read(&seq, &r->rec, &missed))
		n += format_line(r);
	return n;
}

/* The last lines that fit into len. */
static long read_all(struct reader *r, char __user *buf, size_t len, bool clear)
{
	u64 seq = max(g_clear_seq, log_first_seq()), missed = 0;
	size_t size = text_size(r, seq);
	long n;

	while (size > len && log_read(&seq, &r->rec, &missed))
		size -= format_line(r);
	n = copy_lines(r, &seq, buf, len);
	if (n >= 0 && clear)
		g_clear_seq = log_next_seq();
	return n;
}

static long read_next(struct reader *r, char __user *buf, size_t len)
{
	for (;;) {
		long n;

		mutex_lock(&g_syslog_lock);
		n = copy_lines(r, &g_read_seq, buf, len);
		mutex_unlock(&g_syslog_lock);
		if (n)
			return n;
		if (sleep_until(deadline_after(POLL_NS)))
			return -ERESTARTSYS;
	}
}

static long set_console(int type, int level)
{
	switch (type) {
	case ACTION_CONSOLE_OFF:
		if (g_saved_level < 0)
			g_saved_level = READ_ONCE(g_console_loglevel);
		WRITE_ONCE(g_console_loglevel, 1);
		return 0;
	case ACTION_CONSOLE_ON:
		if (g_saved_level >= 0)
			WRITE_ONCE(g_console_loglevel, g_saved_level);
		g_saved_level = -1;
		return 0;
	default:
		if (level < 1 || level > 8)
			return -EINVAL;
		WRITE_ONCE(g_console_loglevel, level);
		g_saved_level = -1;
		return 0;
	}
}

static long act_locked(struct reader *r, int type, char __user *buf, int len)
{
	switch (type) {
	case ACTION_READ_ALL:
	case ACTION_READ_CLEAR:
		return read_all(r, buf, (size_t)len, type == ACTION_READ_CLEAR);
	case ACTION_CLEAR:
		g_clear_seq = log_next_seq();
		return 0;
	case ACTION_SIZE_UNREAD:
		return (long)text_size(r, max(g_read_seq, log_first_seq()));
	default:
		return set_console(type, len);
	}
}

long syslog_action(int type, char __user *buf, int len)
{
	struct reader *r;
	long ret;

	switch (type) {
	case ACTION_CLOSE:
	case ACTION_OPEN:
		return 0;
	case ACTION_SIZE_BUFFER:
		return BUFFER_SIZE;
	case ACTION_READ:
	case ACTION_READ_ALL:
	case ACTION_READ_CLEAR:
		if (!buf || len < 0)
			return -EINVAL;
		if (!len)
			return 0;
	}
	r = kmalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	if (type == ACTION_READ) {
		ret = read_next(r, buf, (size_t)len);
	} else {
		mutex_lock(&g_syslog_lock);
		ret = act_locked(r, type, buf, len);
		mutex_unlock(&g_syslog_lock);
	}
	kfree(r);
	return ret;
}
