/*
 * Who may send what to whom, and the ways to name a receiver: thread, process, group, everybody,
 * the current task by a fault.
 */
#include "process.h"
#include <lib/string.h>

int signal_send_task(struct task *t, int sig, const siginfo_t *info)
{
	struct process *p = t->process;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	int err = t->state_flags & TASK_DEAD ? -ESRCH : signal_send_locked(p, t, sig, info, false);

	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

int signal_send_process(struct process *p, int sig, const siginfo_t *info)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	int err = p->leader ? signal_send_locked(p, NULL, sig, info, !info || info->si_code > 0)
			    : -ESRCH;

	spin_unlock_irqrestore(&p->siglock, flags);
	return err;
}

int signal_send_pgrp(struct pid *pgrp, int sig, const siginfo_t *info)
{
	unsigned long flags = spin_lock_irqsave(&g_tasklist_lock);
	int err = -ESRCH;
	struct process *p;

	list_for_each_entry(p, &pgrp->group_members, pgrp_link) {
		int e = signal_send_process(p, sig, info);

		if (err)
			err = e;
	}
	spin_unlock_irqrestore(&g_tasklist_lock, flags);
	return err;
}

void signal_fill_user(siginfo_t *info, int sig, int code)
{
	*info = (siginfo_t){.si_signo = sig, .si_code = code};
	info->si_pid = process_pid(current_process());
	info->si_uid = current_cred()->uid;
}

/* kill(2), "PERMISSIONS"; a bad number counts only once there is somebody to send it to. RCU or a
 * reference keeps p's leader. */
static int may_send_rcu(struct process *p, int sig)
{
	const struct cred *c = current_cred(), *to;
	struct process *self = current_process();
	struct task *leader = rcu_load(p->leader);

	if ((unsigned int)sig > NR_SIGNALS)
		return -EINVAL;
	if (p == self)
		return 0;
	if (!leader)
		return -ESRCH;
	to = rcu_load(leader->thread.cred);
	if (c->euid == to->suid || c->euid == to->uid || c->uid == to->suid || c->uid == to->uid)
		return 0;
	if (cred_capable(c, CAP_KILL))
		return 0;
	if (sig == SIGCONT && rcu_load(p->session) == rcu_load(self->session))
		return 0;
	return -EPERM;
}

int signal_may_send(struct process *p, int sig)
{
	int err;

	rcu_read_lock();
	err = may_send_rcu(p, sig);
	rcu_read_unlock();
	return err;
}

static int send_checked(struct process *p, int sig, const siginfo_t *info)
{
	int err = signal_may_send(p, sig);

	if (err || sig == 0)
		return err;
	return signal_send_process(p, sig, info);
}

static int kill_pgrp(struct pid *pgrp, int sig, const siginfo_t *info)
{
	int err = -ESRCH;
	bool success = false;
	struct process *p;

	spin_lock_irq(&g_tasklist_lock);
	list_for_each_entry(p, &pgrp->group_members, pgrp_link) {
		int e = send_checked(p, sig, info);

		success |= !e;
		err = e;
	}
	spin_unlock_irq(&g_tasklist_lock);
	return success ? 0 : err;
}

static int kill_everybody(int sig, const siginfo_t *info)
{
	struct process *p, *self = current_process();
	int err = 0;
	bool any = false;

	spin_lock_irq(&g_tasklist_lock);
	list_for_each_entry(p, &g_processes, all_link) {
		int e;

		if (p == self || process_pid(p) <= 1)
			continue;
		e = send_checked(p, sig, info);
		any = true;
		if (e != -EPERM)
			err = e;
	}
	spin_unlock_irq(&g_tasklist_lock);
	return any ? err : -ESRCH;
}

int signal_kill(s32 nr, int sig)
{
	siginfo_t info;
	struct process *p;
	struct pid *pgrp;
	int err;

	signal_fill_user(&info, sig, SI_USER);
	if (nr > 0) {
		rcu_read_lock();
		pgrp = pid_find(nr);
		p = pgrp ? rcu_load(pgrp->process) : NULL;
		/* a thread's number names its process too */
		if (!p && pgrp) {
			struct task *t = rcu_load(pgrp->task);

			p = t ? t->process : NULL;
		}
		err = p ? send_checked(p, sig, &info) : -ESRCH;
		rcu_read_unlock();
		return err;
	}
	if (nr == -1)
		return kill_everybody(sig, &info);
	if (nr == INT_MIN)
		return -ESRCH;
	rcu_read_lock();
	pgrp = nr ? pid_find(-nr) : rcu_load(current_process()->pgrp);
	err = pgrp ? kill_pgrp(pgrp, sig, &info) : -ESRCH;
	rcu_read_unlock();
	return err;
}

int signal_kill_thread(s32 tgid, s32 tid, int sig, const siginfo_t *info)
{
	struct task *t = task_find(tid);
	int err = -ESRCH;

	if (!t)
		return -ESRCH;
	if ((!tgid || process_pid(t->process) == tgid) && !(t->state_flags & TASK_DEAD)) {
		err = signal_may_send(t->process, sig);
		if (!err && sig)
			err = signal_send_task(t, sig, info);
		if (err == -ESRCH && (t->state_flags & TASK_ZOMBIE))
			err = 0;
	}
	put_task(t);
	return err;
}

int signal_queue_info(struct process *p, int sig, const siginfo_t *info)
{
	return send_checked(p, sig, info);
}

/* ---- faults ---- */

static void force_locked(struct task *t, const siginfo_t *info, bool to_default)
{
	struct process *p = t->process;
	struct sigaction *sa = &p->sighand->action[info->si_signo - 1];
	sigset_t bit = sig_bit(info->si_signo);
	bool blocked = t->blocked & bit;

	spin_lock(&p->sighand->lock);
	if (blocked || to_default || sa->sa_handler == SIG_IGN)
		sa->sa_handler = SIG_DFL;
	if (sa->sa_handler == SIG_DFL)
		p->flags &= ~PROC_UNKILLABLE; /* init cannot go on either */
	spin_unlock(&p->sighand->lock);
	signal_set_blocked_locked(t->blocked & ~bit);
	(void)signal_send_locked(p, t, info->si_signo, info, true);
	signal_recalc_own();
}

void signal_force_info(const siginfo_t *info)
{
	struct task *t = current_task();

	spin_lock_irq(&t->process->siglock);
	force_locked(t, info, false);
	spin_unlock_irq(&t->process->siglock);
}

void signal_force(int sig, int code, unsigned long addr)
{
	siginfo_t info = {.si_signo = sig, .si_code = code};

	info.si_addr = (void *)addr;
	signal_force_info(&info);
}

/* The signal's frame could not be written (or read back): the handler gets no second chance. */
void signal_force_segv(int failed_sig)
{
	struct task *t = current_task();
	siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

	spin_lock_irq(&t->process->siglock);
	force_locked(t, &info, failed_sig == SIGSEGV);
	spin_unlock_irq(&t->process->siglock);
}

void signal_force_fatal(int sig)
{
	struct task *t = current_task();
	siginfo_t info = {.si_signo = sig, .si_code = SI_KERNEL};

	spin_lock_irq(&t->process->siglock);
	force_locked(t, &info, true);
	spin_unlock_irq(&t->process->siglock);
}
