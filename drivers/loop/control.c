/* /dev/loop-control: loop devices by number. */
#include <core/init.h>
#include <lib/xarray.h>
#include <linux/capability.h>
#include "loop.h"

#define MISC_MAJOR    10
#define CONTROL_MINOR 237
#define LOOPS_MAX     (1u << 16)

static struct mutex g_loops_lock = MUTEX_INIT(g_loops_lock, RANK_LOOP);
static struct xarray g_loops; /* by number; g_loops_lock */
static u32 g_nr_loops;        /* numbers below it have been given; g_loops_lock */

/* Lock held. */
static struct loop *add(u32 number)
{
	struct loop *l = loop_create(number);
	int err;

	if (is_err(l))
		return l;
	err = xa_store(&g_loops, number, l, GFP_KERNEL);
	if (err) {
		(void)!loop_destroy(l); /* opened in between: it stays without a way to remove it */
		return err_ptr(err);
	}
	g_nr_loops = max(g_nr_loops, number + 1);
	return l;
}

static long get_free(void)
{
	struct loop *l;
	u32 n;

	for (n = 0; n < g_nr_loops; n++) {
		l = xa_load(&g_loops, n);
		if (!l)
			break;
		if (loop_is_free(l))
			return n;
	}
	if (n >= LOOPS_MAX)
		return -ENOSPC;
	l = add(n);
	return is_err(l) ? ptr_err(l) : (long)n;
}

static long remove(u32 n)
{
	struct loop *l = n < LOOPS_MAX ? xa_load(&g_loops, n) : NULL;
	int err;

	if (!l)
		return -ENODEV;
	err = loop_destroy(l);
	if (!err)
		xa_erase(&g_loops, n);
	return err;
}

static long control_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct loop *l;
	long r;

	r = mutex_lock_killable(&g_loops_lock);
	if (r)
		return r;
	switch (cmd) {
	case LOOP_CTL_GET_FREE:
		r = get_free();
		break;
	case LOOP_CTL_ADD:
		if (arg >= LOOPS_MAX) {
			r = -EINVAL;
		} else if (xa_load(&g_loops, arg)) {
			r = -EEXIST;
		} else {
			l = add((u32)arg);
			r = is_err(l) ? ptr_err(l) : (long)arg;
		}
		break;
	case LOOP_CTL_REMOVE:
		r = arg >= LOOPS_MAX ? -EINVAL : remove((u32)arg);
		break;
	default:
		r = -ENOSYS; /* as Linux answers */
		break;
	}
	mutex_unlock(&g_loops_lock);
	return r;
}

static const struct file_ops g_control_fops = {.ioctl = control_ioctl, .seek = file_no_seek};

static int loop_init(void)
{
	int err;

	block_major_add(LOOP_MAJOR, "loop");
	err = chrdev_register(MISC_MAJOR, CONTROL_MINOR, 1, "misc", &g_control_fops);

	if (!err)
		err = devtmpfs_add(
			"loop-control", S_IFCHR | 0600, dev_make(MISC_MAJOR, CONTROL_MINOR));
	return err;
}
INIT_HOOK(INIT_DEVICE, loop_init);
