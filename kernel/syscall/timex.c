/*
 * adjtimex, clock_adjtime: the wall clock can be moved and told in either unit. Nothing steers its
 * rate: what would is refused, and the status says that it isn't synchronised.
 */
#include <lib/string.h>
#include <linux/timex.h>
#include <process/task.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

#define DONE_HERE (ADJ_SETOFFSET | ADJ_NANO | ADJ_MICRO)

static bool g_nano; /* STA_NANO: the unit of tx.time, for all; atomic */

/* tx.time as ns; false: tv_usec isn't below a second. */
static bool take_offset(const struct __kernel_timex *tx, s64 *ns)
{
	s64 unit = tx->modes & ADJ_NANO ? 1 : NS_PER_US, whole;

	if (tx->time.tv_usec < 0 || tx->time.tv_usec >= NS_PER_SEC / unit)
		return false;
	return !__builtin_mul_overflow(tx->time.tv_sec, NS_PER_SEC, &whole) &&
		!__builtin_add_overflow(whole, tx->time.tv_usec * unit, ns);
}

static int change(const struct __kernel_timex *tx)
{
	s64 by, to;

	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tx->modes & ~(u32)DONE_HERE) {
		syscall_log_unknown("adjtimex(modes)", tx->modes);
		return -EINVAL;
	}
	if (tx->modes & ADJ_SETOFFSET) {
		if (!take_offset(tx, &by) || __builtin_add_overflow(clock_real_ns(), by, &to) ||
			to < 0 || to >= CLOCK_SET_MAX_NS || clock_set_real_ns(to))
			return -EINVAL;
	}
	if (tx->modes & (ADJ_NANO | ADJ_MICRO))
		WRITE_ONCE(g_nano, (tx->modes & ADJ_NANO) != 0);
	return 0;
}

static long adjust(void __user *to)
{
	struct __kernel_timex tx;
	bool nano;
	s64 now;
	int err;

	if (copy_from_user(&tx, to, sizeof(tx)))
		return -EFAULT;
	/* What is left of an adjtime(3): nothing, as none is ever begun. */
	err = tx.modes && tx.modes != ADJ_OFFSET_SS_READ ? change(&tx) : 0;
	if (err)
		return err;
	nano = READ_ONCE(g_nano);
	now = clock_real_ns();
	tx = (struct __kernel_timex){
		.modes = tx.modes,
		.status = STA_UNSYNC | (nano ? STA_NANO : 0),
		.maxerror = 16000000, /* us; as large as Linux lets it grow */
		.esterror = 16000000,
		.constant = 2,
		.precision = 1,
		.tolerance = 32768000, /* 500 ppm */
		.tick = 10000,
		.time = {now / NS_PER_SEC, now % NS_PER_SEC / (nano ? 1 : NS_PER_US)},
	};
	return copy_to_user(to, &tx, sizeof(tx)) ? -EFAULT : TIME_ERROR;
}

long sys_adjtimex(void __user *tx)
{
	return adjust(tx);
}

long sys_clock_adjtime(int clock, void __user *tx)
{
	struct __kernel_timex t;
	s64 ns;

	if (clock == CLOCK_REALTIME)
		return adjust(tx);
	if (copy_from_user(&t, tx, sizeof(t)))
		return -EFAULT;
	return clock_get(clock, &ns) ? -EINVAL : -EOPNOTSUPP;
}
