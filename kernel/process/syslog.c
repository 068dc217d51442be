/*
 * The kernel log for syslog(2): text lines "<prio>[seconds.micros] text". One position for the
 * calls that consume (READ, SIZE_UNREAD), one for what CLEAR has hidden from READ_ALL.
 */
#include <arch/uaccess.h>
#include <core/init.h>
#include <core/log.h>
#include <cred/cred.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <process/uts.h>
#include <vfs/file.h>
#include <vm/iter.h>
#include <sched/mutex.h>
#include <sched/timer.h>
#include <sched/wait.h>

#define LINE_MAX    1100 /* a record's text with its prefix */
#define BUFFER_SIZE (64 << 10)
#define POLL_NS     (NS_PER_SEC / 5) /* how often a blocked READ looks: not every context can wake it */

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
static size_t g_read_part;          /* g_syslog_lock: bytes of g_read_seq's line that were read */
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

int syslog_may_read(void)
{
	return syslog_may(ACTION_READ_ALL);
}

static struct wait_queue g_wait = WAIT_QUEUE_INIT(g_wait);

/* Log records can be added anywhere, also under the locks that waking takes: a timer wakes readers.
 */
static struct timer g_wake_timer;
static bool g_wake_pending; /* atomic */

static void wake_readers(struct timer *t)
{
	WRITE_ONCE(g_wake_pending, false);
	poll_wake(&g_wait, EPOLLIN | EPOLLRDNORM);
}

static void log_grew(void)
{
	if (list_empty(&g_wait.waiters) || xchg(&g_wake_pending, true))
		return;
	/* From inside the scheduler's or timers' own locks this must not arm a timer: DEBUG's rank
	 * check would tell; log calls there are errors already. */
	timer_arm(&g_wake_timer, 0);
}

struct wait_queue *log_wait_queue(void)
{
	return &g_wait;
}

static int syslog_init(void)
{
	timer_init(&g_wake_timer, wake_readers);
	log_set_notify(log_grew);
	return 0;
}
INIT_HOOK(INIT_FS, syslog_init);

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

/* Unread lines, the last one cut where the reader's room ends. Lock held. */
static ssize_t take_lines(struct reader *r, struct iter *to)
{
	ssize_t done = 0;
	u64 missed = 0;

	if (g_read_seq < log_first_seq()) {
		g_read_seq = log_first_seq();
		g_read_part = 0;
	}
	while (to->count) {
		u64 next = g_read_seq;
		size_t n, part;

		if (!log_read(&next, &r->rec, &missed))
			break;
		n = format_line(r);
		part = min(n - g_read_part, to->count);
		if (iter_put(to, r->line + g_read_part, part) < part)
			return done ? done : -EFAULT;
		done += (ssize_t)part;
		g_read_part += part;
		if (g_read_part == n) {
			g_read_seq = next;
			g_read_part = 0;
		}
	}
	return done;
}

static ssize_t read_next(struct reader *r, struct iter *to, bool nonblock)
{
	for (;;) {
		ssize_t n;

		mutex_lock(&g_syslog_lock);
		n = take_lines(r, to);
		mutex_unlock(&g_syslog_lock);
		if (n)
			return n;
		if (nonblock)
			return -EAGAIN;
		n = wait_event_deadline(&g_wait, syslog_unread(), deadline_after(POLL_NS));
		if (n && n != -ETIMEDOUT)
			return n;
	}
}

ssize_t syslog_read(struct iter *to, bool nonblock)
{
	struct reader *r;
	ssize_t n;

	if (!to->count)
		return 0;
	r = kmalloc(sizeof(*r), GFP_KERNEL);
	n = r ? read_next(r, to, nonblock) : -ENOMEM;
	kfree(r);
	return n;
}

bool syslog_unread(void)
{
	return log_next_seq() > READ_ONCE(g_read_seq);
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
		return (long)(text_size(r, max(g_read_seq, log_first_seq())) -
			(g_read_seq < log_first_seq() ? 0 : g_read_part));
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
		struct iter to = iter_user(buf, (size_t)len);

		ret = read_next(r, &to, false);
	} else {
		mutex_lock(&g_syslog_lock);
		ret = act_locked(r, type, buf, len);
		mutex_unlock(&g_syslog_lock);
	}
	kfree(r);
	return ret;
}
