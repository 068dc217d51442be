/*
 * Terminals as files: creation, open and close, hang-up, /dev/tty and /dev/console.
 *
 * An open file remembers the terminal's hang-up generation; after a hang-up it reads as ended,
 * writes fail with EIO. Files opened as /dev/console outlive hang-ups. The line discipline is N_TTY
 * always.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/major.h>
#include <process/signal.h>
#include "n_tty.h"

struct tty_file { /* file->priv */
	struct tty *tty;
	u32 hangups; /* generation at open */
	bool console;
};

static struct tty *g_console; /* set at start-up */

const struct ktermios g_tty_std_termios = {
	.c_iflag = ICRNL | IXON,
	.c_oflag = OPOST | ONLCR,
	.c_cflag = B38400 | CS8 | CREAD | HUPCL,
	.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.c_cc = {[VINTR] = 3,
		[VQUIT] = 28,
		[VERASE] = 127,
		[VKILL] = 21,
		[VEOF] = 4,
		[VMIN] = 1,
		[VSTART] = 17,
		[VSTOP] = 19,
		[VSUSP] = 26,
		[VREPRINT] = 18,
		[VDISCARD] = 15,
		[VWERASE] = 23,
		[VLNEXT] = 22},
	.c_ispeed = 38400,
	.c_ospeed = 38400,
};

static void receive_work(struct work *w)
{
	struct tty *t = container_of(w, struct tty, receive_work);

	n_tty_receive_queued(t);
	n_tty_flush_echo(t);
	n_tty_announce_room(t);
}

struct tty *tty_create(const struct tty_ops *ops, const char *name, kdev_t dev, void *driver_data)
{
	struct tty *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return NULL;
	t->ld = kvmalloc(sizeof(*t->ld), GFP_KERNEL | GFP_ZERO);
	if (!t->ld) {
		kfree(t);
		return NULL;
	}
	ref_init(&t->refs, 1);
	t->ops = ops;
	t->driver_data = driver_data;
	t->dev = dev;
	(void)str_copy(t->name, name, sizeof(t->name));
	mutex_init(&t->lock, RANK_TTY);
	mutex_init(&t->ld->read_lock, RANK_TTY_READ);
	mutex_init(&t->ld->write_lock, RANK_TTY_WRITE);
	mutex_init(&t->ld->in_lock, RANK_TTY_INPUT);
	mutex_init(&t->ld->out_lock, RANK_TTY_OUTPUT);
	spin_init(&t->spin, RANK_TTY_SPIN);
	wait_queue_init(&t->read_wait);
	fasync_list_init(&t->async);
	wait_queue_init(&t->write_wait);
	work_init(&t->receive_work, receive_work);
	t->termios = g_tty_std_termios;
	return t;
}

void get_tty(struct tty *t)
{
	ref_get(&t->refs);
}

void put_tty(struct tty *t)
{
	if (!ref_put(&t->refs))
		return;
	work_cancel_sync(&t->receive_work);
	if (t->ops->free)
		t->ops->free(t);
	if (t->pgrp)
		put_pid(t->pgrp);
	kvfree(t->ld);
	kfree(t);
}

/* ---- device numbers -> terminals ------------------------------------------------------------- */

#define NR_SERIAL 32                    /* ttyS0.. at TTY_MAJOR, 64 */
static struct tty *g_serial[NR_SERIAL]; /* published once, never removed */

int tty_register(struct tty *t)
{
	u32 minor = dev_minor(t->dev);
	int err;

	if (dev_major(t->dev) != TTY_MAJOR || minor < 64 || minor >= 64 + NR_SERIAL)
		return -EINVAL;
	if (g_serial[minor - 64])
		return -EBUSY;
	get_tty(t);
	rcu_publish(g_serial[minor - 64], t);
	err = chrdev_register(TTY_MAJOR, minor, 1, "ttyS", &g_tty_fops);
	if (err)
		return err;
	return devtmpfs_add(t->name, S_IFCHR | 0600, t->dev);
}

void tty_set_console(struct tty *t)
{
	WRITE_ONCE(g_console, t);
}

struct tty *tty_console(void)
{
	return READ_ONCE(g_console);
}

/* Referenced terminal for a device number; error pointer. */
static struct tty *find_tty(kdev_t dev)
{
	struct tty *t = NULL;

	if (dev == dev_make(TTYAUX_MAJOR, 0)) {
		t = tty_of_current();
		return t ? t : err_ptr(-ENXIO);
	}
	if (dev == dev_make(TTYAUX_MAJOR, 1) || dev == dev_make(TTY_MAJOR, 0))
		t = tty_console();
	else if (dev_major(dev) == TTY_MAJOR && dev_minor(dev) >= 64 &&
		dev_minor(dev) < 64 + NR_SERIAL)
		t = rcu_load(g_serial[dev_minor(dev) - 64]);
	if (!t)
		return err_ptr(-ENODEV);
	get_tty(t);
	return t;
}

/* ---- files ------------------------------------------------------------------------------------- */

struct tty *file_tty(struct file *f)
{
	return f->ops == &g_tty_fops ? ((struct tty_file *)f->priv)->tty : NULL;
}

bool tty_hung_up(struct file *f)
{
	struct tty_file *tf = f->priv;

	return !tf->console && tf->hangups != READ_ONCE(tf->tty->hangups);
}

/* Bind an open file to a terminal; consumes the reference to t, also on failure. */
int tty_file_open(struct file *f, struct tty *t, bool console)
{
	struct tty_file *tf = kmalloc(sizeof(*tf), GFP_KERNEL);
	int err = 0;

	if (!tf) {
		put_tty(t);
		return -ENOMEM;
	}
	mutex_lock(&t->lock);
	if (t->exclusive && t->open_count && !cred_capable(f->cred, CAP_SYS_ADMIN))
		err = -EBUSY;
	else if (t->other_closed)
		err = -EIO;
	else if (t->open_count == 0 && t->ops->open)
		err = t->ops->open(t);
	if (!err) {
		t->open_count++;
		t->console_count += console;
	}
	tf->tty = t;
	tf->console = console;
	tf->hangups = t->hangups;
	mutex_unlock(&t->lock);
	if (err) {
		kfree(tf);
		put_tty(t);
		return err;
	}
	f->priv = tf;
	return 0;
}

static int tty_open(struct inode *inode, struct file *f)
{
	struct tty *t = find_tty(inode->rdev);
	int err;

	if (is_err(t))
		return ptr_err(t);
	get_tty(t);
	err = tty_file_open(f, t, inode->rdev == dev_make(TTYAUX_MAJOR, 1));
	if (!err && inode->rdev != dev_make(TTYAUX_MAJOR, 1) &&
		inode->rdev != dev_make(TTYAUX_MAJOR, 0))
		tty_open_acquire(t, f);
	put_tty(t);
	return err;
}

static void tty_release(struct file *f)
{
	struct tty_file *tf = f->priv;
	struct tty *t = tf->tty;

	mutex_lock(&t->lock);
	t->console_count -= tf->console;
	/* A hang-up counted the others off already; a pty has no line and stays open. */
	if ((!tty_hung_up(f) || t->pty) && --t->open_count == 0) {
		t->exclusive = false;
		if (t->ops->close)
			t->ops->close(t);
	}
	mutex_unlock(&t->lock);
	kfree(tf);
	put_tty(t);
}

static ssize_t tty_read(struct file *f, struct iter *to, off64_t *pos)
{
	if (tty_hung_up(f))
		return 0;
	return n_tty_read(file_tty(f), f, to);
}

static ssize_t tty_write(struct file *f, struct iter *from, off64_t *pos)
{
	if (tty_hung_up(f))
		return -EIO;
	return n_tty_write(file_tty(f), f, from);
}

static u32 tty_poll(struct file *f, struct poll_table *pt)
{
	return n_tty_poll(file_tty(f), f, pt);
}

/* The foreground group hears of it, unless somebody was named. */
int tty_default_owner(struct tty *t, struct file *f)
{
	int kind = F_OWNER_PGRP;
	struct pid *pid;

	spin_lock_irq(&t->spin);
	pid = t->pgrp;
	if (pid)
		get_pid(pid);
	spin_unlock_irq(&t->spin);
	if (!pid) {
		kind = F_OWNER_PID;
		pid = current_process()->pid;
		get_pid(pid);
	}
	return file_set_owner(f, kind, pid, false);
}

static int tty_fasync(struct file *f, struct fasync_list **l)
{
	struct tty *t = file_tty(f);

	*l = &t->async;
	return f->flags & FASYNC ? 0 : tty_default_owner(t, f);
}

const struct file_ops g_tty_fops = {
	.fasync = tty_fasync,
	.open = tty_open,
	.release = tty_release,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_ioctl,
};

/* ---- hang-up ------------------------------------------------------------------------------------
 */

void tty_hangup(struct tty *t)
{
	struct ktermios fresh = g_tty_std_termios;

	mutex_lock(&t->lock);
	t->hangups++; /* files open now are dead, but the console's */
	if (t->pty) {
		fresh.c_cflag = t->termios.c_cflag;
	} else {
		if (t->open_count && !t->console_count && t->ops->close)
			t->ops->close(t);
		t->open_count = t->console_count;
	}
	t->exclusive = false;
	n_tty_set_termios(t, &fresh);
	t->held = t->stopped = false;
	n_tty_flush_input(t);
	mutex_unlock(&t->lock);
	tty_hangup_session(t);
	wake_up_key(&t->read_wait, INT_MAX, EPOLLIN | EPOLLHUP | EPOLLERR);
	wake_up_key(&t->write_wait, INT_MAX, EPOLLOUT | EPOLLHUP | EPOLLERR);
}

static const struct process_tty_ops g_process_ops = {tty_disassociate, tty_process_info};

static int tty_init(void)
{
	int err = chrdev_register(TTYAUX_MAJOR, 0, 1, "/dev/tty", &g_tty_fops);

	err = err ?: devtmpfs_add("tty", S_IFCHR | 0666, dev_make(TTYAUX_MAJOR, 0));
	err = err ?: chrdev_register(TTYAUX_MAJOR, 1, 1, "/dev/console", &g_tty_fops);
	err = err ?: devtmpfs_add("console", S_IFCHR | 0600, dev_make(TTYAUX_MAJOR, 1));
	process_set_tty_ops(&g_process_ops);
	return err;
}
INIT_HOOK(INIT_FS, tty_init);
