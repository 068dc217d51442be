/*
 * Terminal ioctls: termios in its three layouts, flow control, queues, window size.
 */
#include <lib/string.h>
#include <process/signal.h>
#include <linux/capability.h>
#include "n_tty.h"

/* The three forms in which programs pass terminal settings. */
static int termios_to_user(struct tty *t, u32 cmd, void __user *to)
{
	struct ktermios k;

	mutex_lock(&t->lock);
	k = t->termios;
	mutex_unlock(&t->lock);
	if (cmd == TCGETS2) {
		struct termios2 t2 = {k.c_iflag, k.c_oflag, k.c_cflag, k.c_lflag, k.c_line};

		memcpy(t2.c_cc, k.c_cc, sizeof(t2.c_cc));
		t2.c_ispeed = k.c_ispeed;
		t2.c_ospeed = k.c_ospeed;
		return copy_to_user(to, &t2, sizeof(t2));
	}
	if (cmd == TCGETA) {
		struct termio old = {(unsigned short)k.c_iflag, (unsigned short)k.c_oflag,
			(unsigned short)k.c_cflag, (unsigned short)k.c_lflag, k.c_line};

		memcpy(old.c_cc, k.c_cc, NCC);
		return copy_to_user(to, &old, sizeof(old));
	} else {
		struct termios t1 = {k.c_iflag, k.c_oflag, k.c_cflag, k.c_lflag, k.c_line};

		memcpy(t1.c_cc, k.c_cc, sizeof(t1.c_cc));
		return copy_to_user(to, &t1, sizeof(t1));
	}
}

static const u32 g_speeds[] = {
	0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400};
static const u32 g_high_speeds[] = {57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000,
	1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};

static u32 speed_of(u32 cbaud, u32 other)
{
	if (cbaud == BOTHER)
		return other;
	if (cbaud & CBAUDEX) {
		u32 i = (cbaud & ~CBAUDEX) - 1;

		return i < ARRAY_SIZE(g_high_speeds) ? g_high_speeds[i] : 38400;
	}
	return g_speeds[cbaud & 017];
}

static int termios_from_user(struct ktermios *k, u32 form, const void __user *from)
{
	if (form == TCSETS2) {
		struct termios2 t2;

		if (copy_from_user(&t2, from, sizeof(t2)))
			return -EFAULT;
		k->c_iflag = t2.c_iflag, k->c_oflag = t2.c_oflag;
		k->c_cflag = t2.c_cflag, k->c_lflag = t2.c_lflag, k->c_line = t2.c_line;
		memcpy(k->c_cc, t2.c_cc, sizeof(t2.c_cc));
		k->c_ispeed = t2.c_ispeed, k->c_ospeed = t2.c_ospeed;
	} else if (form == TCSETA) {
		struct termio old;

		if (copy_from_user(&old, from, sizeof(old)))
			return -EFAULT;
		k->c_iflag = (k->c_iflag & 0xffff0000) | old.c_iflag;
		k->c_oflag = (k->c_oflag & 0xffff0000) | old.c_oflag;
		k->c_cflag = (k->c_cflag & 0xffff0000) | old.c_cflag;
		k->c_lflag = (k->c_lflag & 0xffff0000) | old.c_lflag;
		k->c_line = old.c_line;
		memcpy(k->c_cc, old.c_cc, NCC);
	} else {
		struct termios t1;

		if (copy_from_user(&t1, from, sizeof(t1)))
			return -EFAULT;
		k->c_iflag = t1.c_iflag, k->c_oflag = t1.c_oflag;
		k->c_cflag = t1.c_cflag, k->c_lflag = t1.c_lflag, k->c_line = t1.c_line;
		memcpy(k->c_cc, t1.c_cc, sizeof(t1.c_cc));
	}
	k->c_ospeed = speed_of(k->c_cflag & CBAUD, k->c_ospeed);
	k->c_ispeed = speed_of((k->c_cflag >> IBSHIFT) & CBAUD, k->c_ispeed) ?: k->c_ospeed;
	return 0;
}

int tty_wait_sent(struct tty *t)
{
	if (t->no_drain)
		return 0;
	return wait_event_interruptible(
		&t->write_wait, t->ops->chars_in_buffer(t) == 0 || READ_ONCE(t->other_closed));
}

static u32 mix(u32 new, u32 old, u32 locked)
{
	return (new & ~locked) | (old & locked);
}

/* What TIOCSLCKTRMIOS locked stays as it was. */
static void keep_locked(
	struct ktermios *new, const struct ktermios *old, const struct ktermios *locked)
{
	new->c_iflag = mix(new->c_iflag, old->c_iflag, locked->c_iflag);
	new->c_oflag = mix(new->c_oflag, old->c_oflag, locked->c_oflag);
	new->c_cflag = mix(new->c_cflag, old->c_cflag, locked->c_cflag);
	new->c_lflag = mix(new->c_lflag, old->c_lflag, locked->c_lflag);
	for (int i = 0; i < NCCS; i++)
		if (locked->c_cc[i])
			new->c_cc[i] = old->c_cc[i];
}

static long get_locked(struct tty *t, struct termios __user *to)
{
	struct termios out = {0};

	mutex_lock(&t->lock);
	out.c_iflag = t->locked.c_iflag, out.c_oflag = t->locked.c_oflag;
	out.c_cflag = t->locked.c_cflag, out.c_lflag = t->locked.c_lflag;
	out.c_line = t->locked.c_line;
	memcpy(out.c_cc, t->locked.c_cc, sizeof(out.c_cc));
	mutex_unlock(&t->lock);
	return copy_to_user(to, &out, sizeof(out));
}

static long set_locked(struct tty *t, const struct termios __user *from)
{
	struct termios in;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&in, from, sizeof(in)))
		return -EFAULT;
	mutex_lock(&t->lock);
	t->locked.c_iflag = in.c_iflag, t->locked.c_oflag = in.c_oflag;
	t->locked.c_cflag = in.c_cflag, t->locked.c_lflag = in.c_lflag;
	t->locked.c_line = in.c_line;
	memcpy(t->locked.c_cc, in.c_cc, sizeof(in.c_cc));
	mutex_unlock(&t->lock);
	return 0;
}

/* form: TCSETS, TCSETA or TCSETS2; how: 0 at once, 1 after output, 2 after output and flush input */
static long set_termios(struct tty *t, u32 form, int how, const void __user *from)
{
	struct ktermios new, old;
	int err = tty_check_change(t);

	if (err)
		return err;
	mutex_lock(&t->lock);
	new = t->termios;
	mutex_unlock(&t->lock);
	err = termios_from_user(&new, form, from);
	if (err)
		return err;
	if (how) {
		err = tty_wait_sent(t);
		if (err)
			return err;
	}
	if (how == 2)
		n_tty_flush_input(t);
	mutex_lock(&t->lock);
	old = t->termios;
	new.c_line = old.c_line; /* N_TTY is the only line discipline */
	keep_locked(&new, &old, &t->locked);
	n_tty_set_termios(t, &new);
	if (t->ops->set_termios)
		t->ops->set_termios(t, &old);
	mutex_unlock(&t->lock);
	if ((old.c_iflag & IXON) && !(new.c_iflag &IXON))
		n_tty_set_stopped(t, false);
	return 0;
}

static long flush_queues(struct tty *t, unsigned long which)
{
	if (which > TCIOFLUSH)
		return -EINVAL;
	if (which != TCOFLUSH)
		n_tty_flush_input(t);
	if (which != TCIFLUSH) {
		if (t->ops->flush)
			t->ops->flush(t);
		wake_up_all(&t->write_wait);
	}
	return 0;
}

static long flow_control(struct tty *t, unsigned long how)
{
	u8 c;

	switch (how) {
	case TCOOFF:
		WRITE_ONCE(t->held, true);
		n_tty_set_stopped(t, true);
		return 0;
	case TCOON:
		if (xchg(&t->held, false))
			n_tty_set_stopped(t, false);
		return 0;
	case TCIOFF:
	case TCION:
		c = CC(t, how == TCIOFF ? VSTOP : VSTART);
		if (c)
			(void)t->ops->write(t, &c, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

static long get_winsize(struct tty *t, void __user *to)
{
	unsigned long flags = spin_lock_irqsave(&t->spin);
	struct winsize w = t->winsize;

	spin_unlock_irqrestore(&t->spin, flags);
	return copy_to_user(to, &w, sizeof(w));
}

static long set_winsize(struct tty *t, const void __user *from)
{
	struct winsize w;
	unsigned long flags;
	bool changed;

	if (copy_from_user(&w, from, sizeof(w)))
		return -EFAULT;
	flags = spin_lock_irqsave(&t->spin);
	changed = memcmp(&w, &t->winsize, sizeof(w)) != 0;
	t->winsize = w;
	spin_unlock_irqrestore(&t->spin, flags);
	if (changed)
		tty_signal_foreground(t, SIGWINCH);
	return 0;
}

static long queue_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	int __user *ip = (int __user *)arg;
	int err;

	switch (cmd) {
	case TCXONC:
		err = tty_check_change(t);
		return err ? err : flow_control(t, arg);
	case TCFLSH:
		err = tty_check_change(t);
		return err ? err : flush_queues(t, arg);
	case TCSBRK:
	case TCSBRKP:
		err = tty_check_change(t);
		return err ? err
			   : tty_wait_sent(t); /* sending a break is the driver's; a pty has none */
	case FIONREAD:
		return put_user((int)n_tty_readable(t), ip);
	case TIOCOUTQ:
		return put_user((int)t->ops->chars_in_buffer(t), ip);
	default:
		return -ENOIOCTLCMD;
	}
}

static long mode_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	int __user *ip = (int __user *)arg;

	switch (cmd) {
	case TIOCEXCL:
		t->exclusive = true;
		return 0;
	case TIOCNXCL:
		t->exclusive = false;
		return 0;
	case TIOCGEXCL:
		return put_user((int)t->exclusive, ip);
	case TIOCSTI: {
		u8 c;

		if (!capable(CAP_SYS_ADMIN)) {
			struct tty *mine = tty_of_current();
			bool ok = mine == t;

			if (mine)
				put_tty(mine);
			if (!ok)
				return -EPERM;
		}
		if (get_user(c, (u8 __user *)arg))
			return -EFAULT;
		(void)tty_receive_direct(t, &c, 1);
		return 0;
	}
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hangup(t);
		return 0;
	default:
		return -ENOIOCTLCMD;
	}
}

/* What applies to both sides of a pty alike: settings and window size. */
long tty_ioctl_on(struct tty *t, u32 cmd, unsigned long arg)
{
	void __user *p = (void __user *)arg;
	int __user *ip = p;
	int v;

	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCGETA:
		return termios_to_user(t, cmd, p);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return set_termios(t, TCSETS, (int)(cmd - TCSETS), p);
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
		return set_termios(t, TCSETS2, (int)(cmd - TCSETS2), p);
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set_termios(t, TCSETA, (int)(cmd - TCSETA), p);
	case TIOCGWINSZ:
		return get_winsize(t, p);
	case TIOCSWINSZ:
		return set_winsize(t, p);
	case TIOCGLCKTRMIOS:
		return get_locked(t, p);
	case TIOCSLCKTRMIOS:
		return set_locked(t, p);
	case TIOCGETD:
		return put_user(0, ip); /* N_TTY */
	case TIOCSETD:
		if (get_user(v, ip))
			return -EFAULT;
		return v == 0 ? 0 : -EINVAL;
	case TIOCGSOFTCAR:
		return put_user((t->termios.c_cflag & CLOCAL) ? 1 : 0, ip);
	case TIOCSSOFTCAR:
		if (get_user(v, ip))
			return -EFAULT;
		mutex_lock(&t->lock);
		t->termios.c_cflag = (t->termios.c_cflag & ~CLOCAL) | (v ? CLOCAL : 0);
		mutex_unlock(&t->lock);
		return 0;
	case TIOCGDEV:
		return put_user(
			(u32)(dev_major(t->dev) << 8 | dev_minor(t->dev)), (u32 __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

long tty_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct tty *t = file_tty(f);
	long r;

	if (tty_hung_up(f))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	r = tty_ioctl_on(t, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = tty_job_ioctl(t, f, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = queue_ioctl(t, cmd, arg);
	if (r == -ENOIOCTLCMD)
		r = mode_ioctl(t, cmd, arg);
	if (r == -ENOIOCTLCMD && t->ops->ioctl)
		r = t->ops->ioctl(t, cmd, arg);
	return r;
}
