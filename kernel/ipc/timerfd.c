/*
 * timerfd_create(2). An absolute time on CLOCK_REALTIME follows the settings of the wall clock;
 * what is relative counts on the monotonic one.
 */
#include <core/init.h>
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <linux/ioctl.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include <process/signal.h>
#include <sched/timer.h>

struct timerfd {
	struct timer timer;
	struct wait_queue wait;
	struct spinlock lock; /* RANK_DEVICE, interrupts off: all below */
	int clockid;          /* immutable */
	bool on_wall;         /* the deadline is one of the wall clock */
	s64 deadline_ns;      /* 0: disarmed */
	s64 interval_ns;
	u64 ticks; /* expirations not read yet */
	int flags; /* TFD_TIMER_* of the last setting */
	bool cancel_on_set;
	u32 wall_settings;     /* g_wall_settings when somebody was told last */
	struct list_head link; /* g_lock: all timerfds on the wall clock */
};

static DEFINE_SPINLOCK(g_lock, RANK_FLOCK);
static LIST_HEAD(g_wall_timers);
static u32 g_wall_settings; /* how often the wall clock was set; atomic */
static const struct file_ops g_timerfd_fops;

static bool is_wall(int clockid)
{
	return clockid == CLOCK_REALTIME || clockid == CLOCK_REALTIME_ALARM;
}

static s64 clock_now(const struct timerfd *t)
{
	return t->on_wall ? clock_real_ns() : clock_mono_ns();
}

static void arm_locked(struct timerfd *t)
{
	if (t->deadline_ns)
		timer_arm_deadline(
			&t->timer, (struct deadline){.ns = t->deadline_ns, .wall = t->on_wall});
}

/*
 * Count what has expired by now and move the deadline on. A periodic timer that has fired stays off
 * until somebody asks for its ticks: they are computed then, however short the interval is.
 */
static void advance_locked(struct timerfd *t)
{
	s64 now = clock_now(t);

	if (t->deadline_ns == 0 || now < t->deadline_ns)
		return;
	if (t->interval_ns == 0) {
		t->ticks++;
		t->deadline_ns = 0;
	} else {
		t->ticks += (u64)timer_forward(&t->deadline_ns, t->interval_ns, now);
	}
}

static void timerfd_fired(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	unsigned long flags = spin_lock_irqsave(&t->lock);
	bool wake = timer_wanted(timer);

	if (wake)
		advance_locked(t);
	spin_unlock_irqrestore(&t->lock, flags);
	if (wake)
		poll_wake(&t->wait, EPOLLIN | EPOLLRDNORM);
}

static bool cancelled(const struct timerfd *t)
{
	return READ_ONCE(t->cancel_on_set) &&
		READ_ONCE(t->wall_settings) != READ_ONCE(g_wall_settings);
}

/* Was the clock set since the last time that this was asked with this answer? */
static bool take_cancel_locked(struct timerfd *t)
{
	bool yes = cancelled(t);

	if (yes)
		WRITE_ONCE(t->wall_settings, READ_ONCE(g_wall_settings));
	return yes;
}

static void wall_clock_set(void)
{
	struct timerfd *t;

	__atomic_fetch_add(&g_wall_settings, 1, __ATOMIC_SEQ_CST);
	spin_lock(&g_lock);
	list_for_each_entry(t, &g_wall_timers, link)
		if (READ_ONCE(t->cancel_on_set))
			poll_wake(&t->wait, EPOLLIN | EPOLLRDNORM);
	spin_unlock(&g_lock);
}

static ssize_t timerfd_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;

	if (to->count < sizeof(ticks))
		return -EINVAL;
	for (;;) {
		bool cancel;
		int err;

		spin_lock_irq(&t->lock);
		cancel = take_cancel_locked(t);
		if (t->ticks && cancel) { /* it has fired, and stays off until it is set */
			t->deadline_ns = 0;
		} else if (t->ticks) { /* it has fired: count on, and go on */
			advance_locked(t);
			arm_locked(t);
		}
		ticks = t->ticks;
		t->ticks = 0;
		spin_unlock_irq(&t->lock);
		if (cancel)
			return -ECANCELED;
		if (ticks)
			break;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&t->wait, READ_ONCE(t->ticks) != 0 || cancelled(t));
		if (err)
			return err;
	}
	return iter_put(to, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
								    : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(f, &t->wait, pt);
	return READ_ONCE(t->ticks) || cancelled(t) ? EPOLLIN : 0;
}

static long timerfd_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct timerfd *t = f->priv;
	u64 ticks;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOIOCTLCMD;
	if (copy_from_user(&ticks, (void __user *)arg, sizeof(ticks)))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	spin_lock_irq(&t->lock);
	t->ticks = ticks;
	spin_unlock_irq(&t->lock);
	poll_wake(&t->wait, EPOLLIN | EPOLLRDNORM);
	return 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	if (is_wall(t->clockid)) {
		spin_lock(&g_lock);
		list_del(&t->link);
		spin_unlock(&g_lock);
	}
	spin_lock_irq(&t->lock);
	t->deadline_ns = 0;
	spin_unlock_irq(&t->lock);
	(void)timer_cancel_sync(&t->timer);
	kfree(t);
}

static s64 remaining_locked(struct timerfd *t)
{
	return t->deadline_ns ? max_t(s64, t->deadline_ns - clock_now(t), 1) : 0;
}

static void timerfd_fdinfo(struct file *f, struct seq_buf *s)
{
	struct timerfd *t = f->priv;
	s64 left, interval;
	u64 ticks;
	int flags;

	spin_lock_irq(&t->lock);
	flags = t->flags;
	left = remaining_locked(t);
	interval = t->interval_ns;
	ticks = t->ticks;
	spin_unlock_irq(&t->lock);
	seq_printf(s, "clockid: %d\nticks: %llu\nsettime flags: 0%o\n", t->clockid,
		(unsigned long long)ticks, (unsigned int)flags);
	seq_printf(s, "it_value: (%lld, %lld)\nit_interval: (%lld, %lld)\n",
		(long long)(left / NS_PER_SEC), (long long)(left % NS_PER_SEC),
		(long long)(interval / NS_PER_SEC), (long long)(interval % NS_PER_SEC));
}

static const struct file_ops g_timerfd_fops = {
	.seek = file_noop_seek,
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.release = timerfd_release,
	.show_fdinfo = timerfd_fdinfo,
};

struct file *timerfd_create(int clockid, u32 o_flags)
{
	struct timerfd *t;
	struct file *f;

	switch (clockid) {
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		if (!capable(CAP_WAKE_ALARM))
			return err_ptr(-EPERM);
		break;
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
		break;
	default:
		return err_ptr(-EINVAL);
	}
	t = kzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return err_ptr(-ENOMEM);
	timer_init(&t->timer, timerfd_fired);
	wait_queue_init(&t->wait);
	spin_init(&t->lock, RANK_DEVICE);
	t->clockid = clockid;
	t->wall_settings = READ_ONCE(g_wall_settings);
	list_init(&t->link);
	f = file_anon("[timerfd]", &g_timerfd_fops, t, O_RDWR | o_flags);
	if (is_err(f)) {
		kfree(t);
		return f;
	}
	if (is_wall(clockid)) {
		spin_lock(&g_lock);
		list_add_tail(&t->link, &g_wall_timers);
		spin_unlock(&g_lock);
	}
	return f;
}

/* Only what has fired is counted on: a tick that is due has its own wake-up before it. */
static void get_locked(struct timerfd *t, struct timer_value *v)
{
	if (t->ticks)
		advance_locked(t);
	v->value_ns = remaining_locked(t);
	v->interval_ns = t->interval_ns;
}

int timerfd_set(struct file *f, int flags, const struct timer_value *new, struct timer_value *old)
{
	struct timerfd *t = f->priv;
	struct timer_value before;
	bool absolute = flags & TFD_TIMER_ABSTIME, cancel;

	if (f->ops != &g_timerfd_fops || (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
		return -EINVAL;
	(void)timer_cancel_sync(&t->timer);
	spin_lock_irq(&t->lock);
	get_locked(t, &before);
	t->flags = flags;
	WRITE_ONCE(t->cancel_on_set,
		is_wall(t->clockid) && absolute && (flags & TFD_TIMER_CANCEL_ON_SET));
	/* A relative alarm is one of the alarm's clock, other relative times are not on the wall's.
	 */
	t->on_wall = is_wall(t->clockid) && (absolute || t->clockid == CLOCK_REALTIME_ALARM);
	t->ticks = 0;
	t->interval_ns = new->interval_ns;
	t->deadline_ns = new->value_ns;
	if (new->value_ns && !absolute &&
		__builtin_add_overflow(new->value_ns, clock_now(t), &t->deadline_ns))
		t->deadline_ns = TIME_NEVER;
	arm_locked(t);
	/* It is set all the same; the caller's idea of the time may be the old one. */
	cancel = new->value_ns &&take_cancel_locked(t);
	spin_unlock_irq(&t->lock);
	if (old)
		*old = before;
	return cancel ? -ECANCELED : 0;
}

int timerfd_get(struct file *f, struct timer_value *cur)
{
	struct timerfd *t = f->priv;

	if (f->ops != &g_timerfd_fops)
		return -EINVAL;
	spin_lock_irq(&t->lock);
	get_locked(t, cur);
	arm_locked(t);
	spin_unlock_irq(&t->lock);
	return 0;
}

static int timerfd_init(void)
{
	clock_add_set_hook(wall_clock_set);
	return 0;
}
INIT_HOOK(INIT_CORE, timerfd_init);
