/*
 * Pseudo-terminals: the slave's driver, and the master's file operations.
 */
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/capability.h>
#include <linux/major.h>
#include <process/signal.h>
#include <tty/pty.h>
#include "n_tty.h"

static u32 ring_used(const struct tty_pty *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

/* ---- the slave's driver ------------------------------------------------------------------------ */

static size_t slave_write(struct tty *t, const u8 *buf, size_t n)
{
	struct tty_pty *p = t->pty;
	unsigned long flags = spin_lock_irqsave(&p->lock);
	size_t room = PTY_RING - ring_used(p), i;

	if (READ_ONCE(t->other_closed))
		room = n; /* nobody will read it */
	n = min(n, room);
	for (i = 0; i < n && !t->other_closed; i++)
		p->ring[p->head++ % PTY_RING] = buf[i];
	spin_unlock_irqrestore(&p->lock, flags);
	if (n) {
		poll_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM);
		fasync_notify(&p->async, POLL_IN);
	}
	return n;
}

static size_t slave_write_room(struct tty *t)
{
	return READ_ONCE(t->other_closed) ? PTY_RING : PTY_RING - ring_used(t->pty);
}

static size_t slave_chars(struct tty *t)
{
	return 0; /* what reached the ring has left the terminal, as on Linux */
}

static int slave_open(struct tty *t)
{
	WRITE_ONCE(t->pty->slave_opened, true);
	WRITE_ONCE(t->pty->slave_closed, false);
	return 0;
}

static void slave_close(struct tty *t)
{
	WRITE_ONCE(t->pty->slave_closed, true);
	wake_up_key(&t->pty->read_wait, INT_MAX, EPOLLIN | EPOLLHUP);
	wake_up_key(&t->pty->write_wait, INT_MAX, EPOLLOUT | EPOLLHUP);
}

static void slave_flush(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->pty->lock);

	t->pty->tail = t->pty->head;
	spin_unlock_irqrestore(&t->pty->lock, flags);
	pty_flushed(t, TIOCPKT_FLUSHWRITE);
}

static void slave_set_termios(struct tty *t, const struct ktermios *old)
{
	bool was = (old->c_iflag & IXON) && old->c_cc[VSTOP] == 023 && old->c_cc[VSTART] == 021;
	bool is = I_FLAG(t, IXON) && CC(t, VSTOP) == 023 && CC(t, VSTART) == 021;

	/* A pty has no line: bits that only hardware could honour read back as Linux gives them. */
	t->termios.c_cflag = (t->termios.c_cflag & ~(CSIZE | PARENB)) | CS8 | CREAD;
	if (!t->pty->packet)
		return;
	if (was != is)
		pty_flushed(t, is ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
	if ((old->c_lflag ^ t->termios.c_lflag) & EXTPROC || L_FLAG(t, EXTPROC))
		pty_flushed(t, TIOCPKT_IOCTL);
}

static void slave_free(struct tty *t)
{
	kfree(t->pty->ring);
	kfree(t->pty);
}

static long slave_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	return cmd == TIOCSBRK || cmd == TIOCCBRK ? 0 : -ENOIOCTLCMD; /* no line to break */
}

static const struct tty_ops g_slave_ops = {
	.write = slave_write,
	.write_room = slave_write_room,
	.chars_in_buffer = slave_chars,
	.set_termios = slave_set_termios,
	.open = slave_open,
	.close = slave_close,
	.flush = slave_flush,
	.ioctl = slave_ioctl,
	.free = slave_free,
};

/* Something that the master may wait for happened: bits for packet mode, room for its writers. */
void pty_flushed(struct tty *slave, u8 bits)
{
	struct tty_pty *p = slave->pty;

	if (bits && READ_ONCE(p->packet)) {
		unsigned long flags = spin_lock_irqsave(&p->lock);

		if (bits & (TIOCPKT_STOP | TIOCPKT_START))
			p->packet_bits &= ~(TIOCPKT_STOP | TIOCPKT_START);
		if (bits & (TIOCPKT_DOSTOP | TIOCPKT_NOSTOP))
			p->packet_bits &= ~(TIOCPKT_DOSTOP | TIOCPKT_NOSTOP);
		p->packet_bits |= bits;
		spin_unlock_irqrestore(&p->lock, flags);
		wake_up_key(&p->read_wait, 1, EPOLLPRI | EPOLLIN | EPOLLRDNORM);
	}
	poll_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
}

int pty_open_slave(struct tty_pty *p, struct file *f)
{
	int err;

	if (READ_ONCE(p->locked) || READ_ONCE(p->slave->other_closed))
		return -EIO;
	get_tty(p->slave);
	err = tty_file_open(f, p->slave, false);
	if (!err)
		tty_open_acquire(p->slave, f);
	return err;
}

/* ---- the master
 * ----------------------------------------------------------------------------------- */

struct tty_pty *pty_open_master(struct file *f, int index, void *owner)
{
	struct tty_pty *p = kzalloc(sizeof(*p), GFP_KERNEL);
	char name[16];

	if (!p)
		return err_ptr(-ENOMEM);
	p->ring = kmalloc(PTY_RING, GFP_KERNEL);
	ksnprintf(name, sizeof(name), "pts/%d", index);
	if (p->ring)
		p->slave = tty_create(
			&g_slave_ops, name, dev_make(UNIX98_PTY_SLAVE_MAJOR, index), p);
	if (!p->slave) {
		kfree(p->ring);
		kfree(p);
		return err_ptr(-ENOMEM);
	}
	p->slave->pty = p;
	p->slave->no_drain = true;
	p->slave->termios.c_cflag = B38400 | CS8 | CREAD; /* no line to hang up */
	p->locked = true;
	p->index = index;
	p->owner = owner;
	spin_init(&p->lock, RANK_DEVICE);
	mutex_init(&p->read_lock, RANK_TTY_READ);
	mutex_init(&p->write_lock, RANK_TTY_WRITE);
	wait_queue_init(&p->read_wait);
	fasync_list_init(&p->async);
	wait_queue_init(&p->write_wait);
	f->priv = p;
	return p;
}

static void master_release(struct file *f)
{
	struct tty_pty *p = f->priv;
	struct tty *slave = p->slave;

	if (p->gone)
		p->gone(p);
	WRITE_ONCE(slave->other_closed, true);
	tty_hangup(slave);
	put_tty(slave); /* frees p with the last user of the slave */
}

static bool master_readable(struct tty_pty *p)
{
	return ring_used(p) || (READ_ONCE(p->packet) && READ_ONCE(p->packet_bits));
}

/*
 * Take what there is: in packet mode the pending bits, or bytes behind a 0. What a reader gets is
 * decided by what it finds under the lock, not by an earlier look: a flush may come in between. 0:
 * nothing.
 */
static u32 master_take(struct tty_pty *p, u8 *out, size_t max, bool *data_packet)
{
	unsigned long flags = spin_lock_irqsave(&p->lock);
	u32 n = 0;

	if (p->packet_bits && p->packet && !*data_packet) {
		out[n++] = p->packet_bits;
		p->packet_bits = 0;
	} else if (ring_used(p)) {
		if (p->packet && !*data_packet) {
			out[n++] = TIOCPKT_DATA;
			*data_packet = true;
		}
		while (n < max && ring_used(p))
			out[n++] = p->ring[p->tail++ % PTY_RING];
	}
	spin_unlock_irqrestore(&p->lock, flags);
	return n;
}

static ssize_t master_read_locked(struct tty_pty *p, struct file *f, struct iter *to)
{
	bool data_packet = false;
	u8 bytes[256];
	ssize_t done = 0;
	int err;

	while (to->count && !READ_ONCE(p->hung)) {
		u32 n = master_take(
			p, bytes, min_t(size_t, sizeof(bytes), to->count), &data_packet);

		if (n) {
			if (iter_put(to, bytes, n) < n)
				return done ? done : -EFAULT;
			done += n;
			if (READ_ONCE(p->packet) && !data_packet)
				break; /* bits stand alone */
			continue;
		}
		if (done)
			break;
		if (READ_ONCE(p->slave_closed))
			return -EIO;
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_event_interruptible(&p->read_wait,
			master_readable(p) || READ_ONCE(p->slave_closed) || READ_ONCE(p->hung));
		if (err)
			return err;
	}
	return done;
}

static ssize_t master_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct tty_pty *p = f->priv;
	ssize_t ret;
	int err;

	if (to->count == 0)
		return 0;
	err = tty_call_begin(&p->read_lock, f);
	if (err)
		return err;
	ret = master_read_locked(p, f, to);
	mutex_unlock(&p->read_lock);
	if (ret > 0)
		tty_wakeup(p->slave);
	return ret;
}

static bool master_may_send(struct tty_pty *p)
{
	return !READ_ONCE(p->stopped);
}

static ssize_t master_write_locked(struct tty_pty *p, struct file *f, struct iter *from)
{
	struct tty *slave = p->slave;
	ssize_t done = 0;
	int err = 0;

	while (from->count && !err) {
		u8 bytes[256];
		size_t want = min_t(size_t, from->count, sizeof(bytes)), at = 0;
		size_t n = iter_get(from, bytes, want);

		if (n < want)
			return done ? done : -EFAULT;
		while (at < n) {
			size_t took = master_may_send(p)
				? tty_receive_direct(slave, bytes + at, n - at)
				: 0;

			at += took;
			if (took)
				continue;
			if (READ_ONCE(p->hung))
				err = -EIO;
			else if (f->flags & O_NONBLOCK)
				err = -EAGAIN;
			else
				err = wait_event_interruptible(&p->write_wait,
					(master_may_send(p) && n_tty_takes_input(slave)) ||
						READ_ONCE(p->hung));
			if (err)
				break;
		}
		done += (ssize_t)at;
		if (at < n)
			iter_revert(from, n - at);
		cond_resched(); /* a line without an end takes all there is */
		if (!err && signal_is_pending())
			err = -ERESTARTSYS;
	}
	return done ? done : err;
}

static ssize_t master_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct tty_pty *p = f->priv;
	ssize_t ret;
	int err = tty_call_begin(&p->write_lock, f);

	if (err)
		return err;
	ret = READ_ONCE(p->hung) ? -EIO : master_write_locked(p, f, from);
	mutex_unlock(&p->write_lock);
	return ret;
}

static u32 master_poll(struct file *f, struct poll_table *pt)
{
	struct tty_pty *p = f->priv;
	u32 mask = 0;

	poll_wait(f, &p->read_wait, pt);
	poll_wait(f, &p->write_wait, pt);
	if (READ_ONCE(p->hung))
		return EPOLLIN | EPOLLRDNORM | EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP;
	if (master_readable(p))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(p->packet) && READ_ONCE(p->packet_bits))
		mask |= EPOLLPRI;
	if (READ_ONCE(p->slave_closed))
		mask |= EPOLLHUP;
	if (master_may_send(p) && n_tty_takes_input(p->slave))
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}

static long master_signal(struct tty_pty *p, unsigned long sig)
{
	if (sig != SIGINT && sig != SIGQUIT && sig != SIGTSTP)
		return -EINVAL;
	tty_signal_foreground(p->slave, (int)sig);
	return 0;
}

static long set_packet(struct tty_pty *p, int on)
{
	unsigned long flags = spin_lock_irqsave(&p->lock);

	if (on && !p->packet)
		p->packet_bits = 0;
	p->packet = on != 0;
	spin_unlock_irqrestore(&p->lock, flags);
	return 0;
}

/* The slave's foreground group, as seen from the master: no session check. */
static long slave_group(struct tty_pty *p, int __user *out)
{
	unsigned long flags = spin_lock_irqsave(&p->slave->spin);
	int nr = p->slave->pgrp ? p->slave->pgrp->nr : 0;

	spin_unlock_irqrestore(&p->slave->spin, flags);
	return put_user(nr, out);
}

static long open_peer(struct tty_pty *p, struct file *master, u32 flags)
{
	struct fd_table *files = current_task()->files;
	struct file *f;

	if (!p->open_peer)
		return -EIO;
	f = p->open_peer(p, master, flags);
	if (is_err(f))
		return ptr_err(f);
	return fd_open(files, f, (flags & O_CLOEXEC) != 0);
}

/* The master's own flow control: what it writes waits; characters go to the slave. */
static long master_flow(struct tty_pty *p, unsigned long how)
{
	u8 c;

	switch (how) {
	case TCOOFF:
	case TCOON:
		WRITE_ONCE(p->stopped, how == TCOOFF);
		poll_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM);
		return 0;
	case TCIOFF:
	case TCION:
		c = how == TCIOFF ? g_tty_std_termios.c_cc[VSTOP] : g_tty_std_termios.c_cc[VSTART];
		(void)tty_receive_direct(p->slave, &c, 1);
		return 0;
	default:
		return -EINVAL;
	}
}

/* The master's file ends: it reads as ended and takes nothing more. The slave isn't told. */
static long master_hang_up(struct tty_pty *p)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	WRITE_ONCE(p->hung, true);
	poll_wake(&p->read_wait, EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP);
	poll_wake(&p->write_wait, EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP);
	return 0;
}

/* As if it had been typed at the master: the master reads it. */
static long master_insert(struct tty_pty *p, const u8 __user *from)
{
	u8 c;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, from))
		return -EFAULT;
	(void)slave_write(p->slave, &c, 1);
	return 0;
}

static long master_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct tty_pty *p = f->priv;
	int __user *ip = (int __user *)arg;
	int v;

	if (READ_ONCE(p->hung))
		return -EIO;
	switch (cmd) {
	case TIOCVHANGUP:
		return master_hang_up(p);
	case TIOCGPTN:
		return put_user((u32)p->index, (u32 __user *)arg);
	case TIOCSPTLCK:
		if (get_user(v, ip))
			return -EFAULT;
		WRITE_ONCE(p->locked, v != 0);
		return 0;
	case TIOCGPTLCK:
		return put_user((int)p->locked, ip);
	case TIOCPKT:
		if (get_user(v, ip))
			return -EFAULT;
		return set_packet(p, v);
	case TIOCGPKT:
		return put_user((int)p->packet, ip);
	case TIOCSIG:
		return master_signal(p, arg);
	case TIOCGPTPEER:
		return open_peer(p, f, (u32)arg);
	case FIONREAD:
		return put_user((int)ring_used(p), ip);
	case TIOCOUTQ:
		return put_user((int)n_tty_readable(p->slave), ip);
	case TIOCGPGRP:
		return slave_group(p, ip);
	case TIOCGSID: {
		struct session *s;

		spin_lock_irq(&g_tasklist_lock);
		s = p->slave->session;
		v = s ? s->sid->nr : 0;
		spin_unlock_irq(&g_tasklist_lock);
		return v ? put_user(v, ip) : -ENOTTY;
	}
	case TCFLSH:
		if (arg > TCIOFLUSH)
			return -EINVAL;
		if (arg != TCIFLUSH) /* the master's output is the slave's input */
			n_tty_flush_input(p->slave);
		if (arg != TCOFLUSH) {
			slave_flush(p->slave);
			tty_wakeup(p->slave);
		}
		return 0;
	case TCXONC:
		return master_flow(p, arg);
	case TCSBRK:
	case TCSBRKP:
	case TIOCSBRK:
	case TIOCCBRK:
		return 0; /* nothing to drain, and no line to break */
	case TIOCSTI:
		return master_insert(p, (const u8 __user *)arg);
	case TIOCEXCL: /* kept and shown: every open of ptmx makes another master */
	case TIOCNXCL:
		p->exclusive = cmd == TIOCEXCL;
		return 0;
	case TIOCGEXCL:
		return put_user((int)p->exclusive, ip);
	case TIOCSCTTY:
	case TIOCNOTTY:
	case TIOCSPGRP:
		return -ENOTTY;
	default:
		return tty_ioctl_on(p->slave, cmd, arg); /* the settings are shared */
	}
}

static int master_fasync(struct file *f, struct fasync_list **l)
{
	struct tty_pty *p = f->priv;

	*l = &p->async;
	return f->flags & FASYNC ? 0 : tty_default_owner(p->slave, f);
}

const struct file_ops g_pty_master_fops = {
	.fasync = master_fasync,
	.release = master_release,
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
};
