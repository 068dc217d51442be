/* Sessions and process groups, and the job-control check of terminals. */
#include "process.h"
#include <process/jobs.h>

static void set_pgrp_locked(struct process *p, struct pid *pgrp)
{
	struct pid *old = p->pgrp;

	if (old == pgrp)
		return;
	pid_attach(pgrp);
	list_move_tail(&p->pgrp_link, &pgrp->group_members);
	rcu_publish(p->pgrp, pgrp);
	pid_detach(old);
}

long process_setsid(void)
{
	struct process *p = current_process();
	struct session *s = session_alloc(p->pid), *old = NULL;
	long ret = -EPERM;

	if (!s)
		return -ENOMEM;
	spin_lock_irq(&g_tasklist_lock);
	if (!p->session_leader && list_empty(&p->pid->group_members)) {
		old = p->session;
		pid_attach(p->pid);
		list_move_tail(&p->session_link, &p->pid->session_members);
		rcu_publish(p->session, s);
		pid_detach(old->sid);
		p->session_leader = true;
		p->tty_binding = 0;
		set_pgrp_locked(p, p->pid);
		s = NULL;
		ret = process_pid(p);
	}
	spin_unlock_irq(&g_tasklist_lock);
	put_session(s);
	put_session(old);
	return ret;
}

/* setpgid(2)'s rules about whom; -ESRCH -EACCES -EPERM. */
static int may_move_locked(struct process *p, struct process *self)
{
	if (p != self) {
		if (p->parent != self)
			return -ESRCH;
		if (p->session != self->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	return p->session_leader ? -EPERM : 0;
}

long process_setpgid(s32 nr, s32 pgid)
{
	struct process *self = current_process(), *p;
	struct pid *pid, *pgrp;
	int err;

	if (pgid < 0 || (!pgid && nr < 0))
		return -EINVAL;
	spin_lock_irq(&g_tasklist_lock);
	pid = nr ? pid_find(nr) : self->pid;
	p = pid ? pid->process : NULL;
	if (p)
		err = may_move_locked(p, self);
	else
		err = pid && pid->task ? -EINVAL : -ESRCH; /* a thread that isn't the leader */
	if (!err) {
		pgrp = pgid ? pid_find(pgid) : p->pid;
		if (pgrp != p->pid) { /* join a group of the same session */
			struct process *member = pgrp
				? list_first_entry_or_null(
					  &pgrp->group_members, struct process, pgrp_link)
				: NULL;

			if (!member || member->session != self->session)
				err = -EPERM;
		}
		if (!err)
			set_pgrp_locked(p, pgrp);
	}
	spin_unlock_irq(&g_tasklist_lock);
	return err;
}

static long number_of(s32 nr, bool session)
{
	struct process *p = nr ? process_find_of_thread(nr) : current_process();
	long ret;

	if (!p)
		return -ESRCH;
	spin_lock_irq(&g_tasklist_lock);
	if (!p->pgrp) /* reaped since */
		ret = -ESRCH;
	else
		ret = session ? p->session->sid->nr : p->pgrp->nr;
	spin_unlock_irq(&g_tasklist_lock);
	if (nr)
		put_process(p);
	return ret;
}

long process_getpgid(s32 nr)
{
	return number_of(nr, false);
}

long process_getsid(s32 nr)
{
	return number_of(nr, true);
}

static bool ignores(struct task *t, int sig)
{
	return (t->blocked & sig_bit(sig)) ||
		READ_ONCE(t->process->sighand->action[sig - 1].sa_handler) == SIG_IGN;
}

int tty_check_job(struct pid *fg, int sig)
{
	struct task *t = current_task();
	struct pid *mine = t->process->pgrp;

	if (mine == fg)
		return 0;
	if (ignores(t, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (process_is_orphaned_pgrp(mine))
		return -EIO;
	(void)signal_send_pgrp(mine, sig, NULL);
	return -ERESTARTSYS;
}
