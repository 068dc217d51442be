#include <arch/platform.h>
#include <arch/uaccess.h>
#include <core/init.h>
#include <cred/cred.h>
#include <lib/calendar.h>
#include <linux/rtc.h>
#include <sched/mutex.h>
#include <sched/wait.h>
#include <vfs/file.h>

#define RTC_MAJOR  254 /* the first that Linux gives out */
#define DAY        86400
#define FIRST_YEAR 1970 /* what the registers and arch_rtc_set can tell */
#define LAST_YEAR  2099

static struct mutex g_lock; /* the registers */
static bool g_open;         /* atomic */
static struct wait_queue g_never;

static void to_fields(s64 seconds, struct rtc_time *t)
{
	s64 days = seconds / DAY, year;
	u32 rest = (u32)(seconds % DAY), month, day;

	calendar_date(days, &year, &month, &day);
	*t = (struct rtc_time){
		.tm_sec = (int)(rest % 60),
		.tm_min = (int)(rest / 60 % 60),
		.tm_hour = (int)(rest / 3600),
		.tm_mday = (int)day,
		.tm_mon = (int)month - 1,
		.tm_year = (int)year - 1900,
		.tm_wday = (int)((days + 4) % 7),
		.tm_yday = (int)(days - calendar_days(year, 1, 1)),
	};
}

static bool within(int v, int low, int high)
{
	return v >= low && v <= high;
}

/* -EINVAL: no such time. -ERANGE: the clock can't hold it. */
static int to_seconds(const struct rtc_time *t, s64 *seconds)
{
	s64 year = (s64)t->tm_year + 1900, days, y;
	u32 month, day;

	if (t->tm_year < 70 || !within(t->tm_mon, 0, 11) || !within(t->tm_mday, 1, 31) ||
		!within(t->tm_hour, 0, 23) || !within(t->tm_min, 0, 59) ||
		!within(t->tm_sec, 0, 59))
		return -EINVAL;
	days = calendar_days(year, (u32)t->tm_mon + 1, (u32)t->tm_mday);
	calendar_date(days, &y, &month, &day);
	if (day != (u32)t->tm_mday)
		return -EINVAL;
	if (year < FIRST_YEAR || year > LAST_YEAR)
		return -ERANGE;
	*seconds = ((days * 24 + t->tm_hour) * 60 + t->tm_min) * 60 + t->tm_sec;
	return 0;
}

static int read_time(struct rtc_time __user *out)
{
	struct rtc_time t;
	s64 seconds;

	mutex_lock(&g_lock);
	seconds = arch_rtc_seconds();
	mutex_unlock(&g_lock);
	if (!seconds)
		return -EIO;
	to_fields(seconds, &t);
	return copy_to_user(out, &t, sizeof(t)) ? -EFAULT : 0;
}

static int set_time(const struct rtc_time __user *from)
{
	struct rtc_time t;
	s64 seconds;
	int err;

	if (!capable(CAP_SYS_TIME))
		return -EACCES;
	if (copy_from_user(&t, from, sizeof(t)))
		return -EFAULT;
	err = to_seconds(&t, &seconds);
	if (err)
		return err;
	mutex_lock(&g_lock);
	arch_rtc_set(seconds);
	mutex_unlock(&g_lock);
	return 0;
}

static long rtc_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	switch (cmd) {
	case RTC_RD_TIME:
		return read_time((struct rtc_time __user *)arg);
	case RTC_SET_TIME:
		return set_time((const struct rtc_time __user *)arg);
	case RTC_UIE_ON:
	case RTC_AIE_ON:
	case RTC_PIE_ON:
	case RTC_ALM_READ:
	case RTC_ALM_SET:
	case RTC_WKALM_RD:
	case RTC_WKALM_SET:
	case RTC_IRQP_READ:
	case RTC_IRQP_SET:
		return -EINVAL;
	default:
		return -ENOIOCTLCMD;
	}
}

static int rtc_open(struct inode *i, struct file *f)
{
	return __atomic_exchange_n(&g_open, true, __ATOMIC_ACQUIRE) ? -EBUSY : 0;
}

static void rtc_release(struct file *f)
{
	__atomic_store_n(&g_open, false, __ATOMIC_RELEASE);
}

/* What interrupts have told since the last read; there are none. */
static ssize_t rtc_read(struct file *f, struct iter *to, off64_t *pos)
{
	if (to->count < sizeof(u32))
		return -EINVAL;
	if (f->flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible(&g_never, false);
}

static u32 rtc_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, &g_never, pt);
	return 0;
}

static const struct file_ops g_rtc_fops = {
	.open = rtc_open,
	.release = rtc_release,
	.read = rtc_read,
	.poll = rtc_poll,
	.ioctl = rtc_ioctl,
	.seek = file_no_seek,
};

static int rtc_init(void)
{
	int err;

	mutex_init(&g_lock, RANK_FILE_POS);
	wait_queue_init(&g_never);
	if (!arch_rtc_seconds())
		return 0;
	err = chrdev_register(RTC_MAJOR, 0, 1, "rtc", &g_rtc_fops);
	return err ?: devtmpfs_add("rtc0", S_IFCHR | 0600, dev_make(RTC_MAJOR, 0));
}
INIT_HOOK(INIT_FS, rtc_init);
