/*
 * Controlling terminals and job control.
 *
 * A session has at most one controlling terminal and a terminal at most one session: both pointers
 * change together under g_tasklist_lock and tty->spin. Each side holds a reference on the other's
 * object while they are bound. The foreground group is a referenced struct pid.
 *
 * A process has the terminal of its session if it is the leader that took it, or was forked by one
 * that had it, and has not given it up since: its tty_binding is the number of the session's.
 */
#include <process/signal.h>
#include <linux/capability.h>
#include "n_tty.h"

static struct session *current_session(void)
{
	return current_process()->session;
}

/* The controlling terminal of p, or NULL. g_tasklist_lock keeps the answer true. */
static struct tty *terminal_of(const struct process *p)
{
	const struct session *s = READ_ONCE(p->session);

	if (!s || READ_ONCE(s->tty_binding) != READ_ONCE(p->tty_binding))
		return NULL;
	return READ_ONCE(s->tty);
}

struct tty *tty_of_current(void)
{
	struct tty *t;

	spin_lock_irq(&g_tasklist_lock);
	t = terminal_of(current_process());
	if (t)
		get_tty(t);
	spin_unlock_irq(&g_tasklist_lock);
	return t;
}

static bool is_my_terminal(struct tty *t)
{
	return terminal_of(current_process()) == t;
}

/* Foreground group, referenced, or NULL. */
static struct pid *foreground(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->spin);
	struct pid *p = t->pgrp;

	if (p)
		get_pid(p);
	spin_unlock_irqrestore(&t->spin, flags);
	return p;
}

static int check_group(struct tty *t, int sig)
{
	struct pid *fg;
	int err;

	if (!is_my_terminal(t))
		return 0;
	fg = foreground(t);
	if (!fg)
		return 0;
	err = tty_check_job(fg, sig);
	put_pid(fg);
	return err;
}

int tty_check_change(struct tty *t)
{
	return check_group(t, SIGTTOU);
}

int tty_check_read(struct tty *t)
{
	return check_group(t, SIGTTIN);
}

void tty_signal_foreground(struct tty *t, int sig)
{
	struct pid *fg = foreground(t);

	if (!fg)
		return;
	(void)signal_send_pgrp(fg, sig, NULL);
	put_pid(fg);
}

/* Replace the foreground group; takes over the reference. */
static void set_foreground(struct tty *t, struct pid *pgrp)
{
	unsigned long flags = spin_lock_irqsave(&t->spin);
	struct pid *old = t->pgrp;

	t->pgrp = pgrp;
	spin_unlock_irqrestore(&t->spin, flags);
	if (old)
		put_pid(old);
}

/* Bind t and the current session. g_tasklist_lock held; neither is bound. */
static void bind_locked(struct tty *t)
{
	struct session *s = current_session();
	struct pid *pgrp = current_process()->pgrp;

	get_tty(t);
	s->tty = t;
	current_process()->tty_binding = ++s->tty_binding;
	WRITE_ONCE(t->session, s);
	get_pid(pgrp);
	set_foreground(t, pgrp);
}

/* Unbind t from whatever session it has. g_tasklist_lock held. The session's reference to t is the
 * caller's to put; false when there was none. */
static bool unbind_locked(struct tty *t)
{
	struct session *s = t->session;

	if (!s)
		return false;
	s->tty = NULL;
	WRITE_ONCE(t->session, NULL);
	return true;
}

void tty_open_acquire(struct tty *t, struct file *f)
{
	struct process *p = current_process();

	if ((f->flags & O_NOCTTY) || !(f->mode & FMODE_READ))
		return;
	spin_lock_irq(&g_tasklist_lock);
	if (p->session_leader && p->session && !p->session->tty && !t->session)
		bind_locked(t);
	spin_unlock_irq(&g_tasklist_lock);
}

static long take_terminal(struct tty *t, struct file *f, unsigned long steal)
{
	struct process *p = current_process();
	bool unbound = false;
	long err = 0;

	spin_lock_irq(&g_tasklist_lock);
	if (p->session_leader && p->session == t->session)
		goto out;
	if (!p->session_leader || p->session->tty) {
		err = -EPERM;
		goto out;
	}
	if (t->session) {
		if (steal != 1 || !capable(CAP_SYS_ADMIN)) {
			err = -EPERM;
			goto out;
		}
		unbound = unbind_locked(t);
	}
	if (!(f->mode & FMODE_READ) && !capable(CAP_SYS_ADMIN)) {
		err = -EPERM;
		goto out;
	}
	bind_locked(t);
out:
	spin_unlock_irq(&g_tasklist_lock);
	if (unbound)
		put_tty(t);
	return err;
}

void tty_disassociate(struct session *s, bool exiting)
{
	struct pid *fg = NULL;
	struct tty *t;

	spin_lock_irq(&g_tasklist_lock);
	t = s->tty;
	if (t) {
		fg = foreground(t);
		unbind_locked(t);
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (!t)
		return;
	set_foreground(t, NULL);
	if (fg) {
		(void)signal_send_pgrp(fg, SIGHUP, NULL);
		if (!exiting || !t->pty)
			(void)signal_send_pgrp(fg, SIGCONT, NULL);
		put_pid(fg);
	}
	/* A leader's death hangs its terminal up, unless it is one side of a pty. */
	if (exiting && !t->pty)
		tty_hangup(t);
	put_tty(t);
}

/* Part of a hang-up: the session loses its terminal, its leader and the foreground hear of it. */
void tty_hangup_session(struct tty *t)
{
	struct process *leader = NULL;
	struct pid *fg;
	bool bound;

	spin_lock_irq(&g_tasklist_lock);
	fg = foreground(t);
	if (t->session)
		leader = process_find(t->session->sid->nr);
	bound = unbind_locked(t);
	spin_unlock_irq(&g_tasklist_lock);
	if (leader) {
		(void)signal_send_process(leader, SIGHUP, NULL);
		(void)signal_send_process(leader, SIGCONT, NULL);
		put_process(leader);
	}
	if (fg) {
		if (bound) {
			(void)signal_send_pgrp(fg, SIGHUP, NULL);
			(void)signal_send_pgrp(fg, SIGCONT, NULL);
		}
		put_pid(fg);
	}
	set_foreground(t, NULL);
	if (bound)
		put_tty(t);
}

/* A leader gives it up for the whole session, others for themselves. */
static long give_up_terminal(struct tty *t)
{
	struct process *p = current_process();

	if (!is_my_terminal(t))
		return -ENOTTY;
	if (p->session_leader)
		tty_disassociate(p->session, false);
	spin_lock_irq(&g_tasklist_lock);
	p->tty_binding = 0;
	spin_unlock_irq(&g_tasklist_lock);
	return 0;
}

static long get_foreground(struct tty *t, int __user *out)
{
	struct pid *fg;
	int nr;

	/* The master of a pty may ask for the slave's group; others only for their own terminal's. */
	if (!is_my_terminal(t))
		return -ENOTTY;
	fg = foreground(t);
	nr = fg ? fg->nr : 0;
	if (fg)
		put_pid(fg);
	return put_user(nr, out);
}

static long change_foreground(struct tty *t, const int __user *in)
{
	struct process *p;
	struct pid *pgrp;
	int nr, err;

	err = tty_check_change(t);
	if (err == -EIO)
		return -ENOTTY;
	if (err)
		return err;
	if (!is_my_terminal(t))
		return -ENOTTY;
	if (get_user(nr, in))
		return -EFAULT;
	if (nr < 0)
		return -EINVAL;
	pgrp = pid_get(nr);
	if (!pgrp)
		return -ESRCH;
	spin_lock_irq(&g_tasklist_lock);
	err = -ESRCH;
	if (!list_empty(&pgrp->group_members)) {
		p = list_first_entry(&pgrp->group_members, struct process, pgrp_link);
		err = p->session == current_session() ? 0 : -EPERM;
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (err) {
		put_pid(pgrp);
		return err;
	}
	set_foreground(t, pgrp);
	return 0;
}

static long get_session_id(struct tty *t, int __user *out)
{
	int nr = 0;

	spin_lock_irq(&g_tasklist_lock);
	if (t->session)
		nr = t->session->sid->nr;
	spin_unlock_irq(&g_tasklist_lock);
	if (!nr || !is_my_terminal(t))
		return -ENOTTY;
	return put_user(nr, out);
}

long tty_job_ioctl(struct tty *t, struct file *f, u32 cmd, unsigned long arg)
{
	int __user *ip = (int __user *)arg;

	switch (cmd) {
	case TIOCSCTTY:
		return take_terminal(t, f, arg);
	case TIOCNOTTY:
		return give_up_terminal(t);
	case TIOCGPGRP:
		return get_foreground(t, ip);
	case TIOCSPGRP:
		return change_foreground(t, ip);
	case TIOCGSID:
		return get_session_id(t, ip);
	default:
		return -ENOIOCTLCMD;
	}
}

void tty_process_info(struct process *p, u32 *tty_nr, s32 *tpgid)
{
	struct pid *fg = NULL;
	struct tty *t;

	*tty_nr = 0;
	*tpgid = -1;
	spin_lock_irq(&g_tasklist_lock);
	t = terminal_of(p);
	if (t) {
		*tty_nr = (u32)((dev_minor(t->dev) & 0xff) | dev_major(t->dev) << 8 |
			(dev_minor(t->dev) & ~0xffu) << 12);
		fg = foreground(t);
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (fg) {
		*tpgid = fg->nr;
		put_pid(fg);
	}
}
