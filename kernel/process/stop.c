/*
 * Job-control stops. A stop signal's default action asks every thread of the process to stop; the
 * last one to do so reports CLD_STOPPED to the parent. SIGCONT undoes it when it is sent, not when
 * it is delivered. A process group whose members have no parent in another group of the session is
 * orphaned: nobody could continue it, so terminal stops are ignored there.
 */
#include "ptrace.h"

/* siglock held. Ask all threads; false: a SIGCONT came since the signal was taken. */
bool stop_begin_locked(struct task *t, int sig)
{
	struct process *p = t->process;
	struct task *i;

	if (!t->stop_dequeued || (p->flags & PROC_GROUP_EXIT) || signal_fatal_pending(t))
		return false;
	t->stop_dequeued = false;
	p->stop_sig = (u8)sig;
	p->stop_count = 0;
	for_each_thread(i, p)
	{
		if (i->exiting || i->stopped)
			continue;
		i->stop_pending = true;
		p->stop_count++;
		if (i == t)
			continue;
		signal_wake(i, false);
		ptrace_renotify_locked(i);
	}
	return true;
}

/* siglock held. One thread fewer to wait for; true: the process is stopped as a whole now. */
bool stop_counts_locked(struct process *p)
{
	if (p->stop_count <= 0 || --p->stop_count > 0)
		return false;
	if (p->flags & PROC_STOPPED)
		return false;
	p->flags |= PROC_STOPPED;
	p->stop_waitable = true;
	p->cont_waitable = false;
	return true;
}

/* siglock held on entry, dropped on return. Sleeps until continued or killed. */
void stop_participate(struct task *t)
{
	struct process *p = t->process;
	bool last;

	t->stop_pending = false;
	if (unlikely(t->pt.tracer)) {
		bool tell;

		last = stop_counts_locked(p);
		spin_unlock_irq(&p->siglock);
		spin_lock_irq(&g_tasklist_lock);
		tell = last && ptrace_reparented(t);
		spin_unlock_irq(&g_tasklist_lock);
		if (tell)
			stop_notify_parent(p, CLD_STOPPED);
		ptrace_trap(t);
		return;
	}
	t->stopped = true;
	last = stop_counts_locked(p);
	thread_set_state(THREAD_STOPPED);
	spin_unlock_irq(&p->siglock);
	if (last)
		stop_notify_parent(p, CLD_STOPPED);
	sched_block();
	spin_lock_irq(&p->siglock);
	t->stopped = false;
	signal_recalc_own();
	spin_unlock_irq(&p->siglock);
}

/* An exiting thread no longer counts. siglock held; the caller reports if true. */
bool stop_thread_leaves_locked(struct task *t)
{
	if (!t->stop_pending)
		return false;
	t->stop_pending = false;
	return stop_counts_locked(t->process);
}

void stop_continue_locked(struct process *p)
{
	int cause = 0;
	struct task *t;

	if (p->flags & PROC_STOPPED)
		cause = CLD_CONTINUED;
	else if (p->stop_count)
		cause = CLD_STOPPED;
	for_each_thread(t, p)
	{
		t->stop_pending = false;
		t->stop_dequeued = false;
		ptrace_renotify_locked(t);
	}
	p->stop_count = 0;
	p->flags &= ~PROC_STOPPED;
	if (cause) {
		p->notify_parent = (u8)cause;
		p->stop_waitable = false;
		p->cont_waitable = cause == CLD_CONTINUED;
	}
	/* Not stopped from now on, though they have yet to run: a stop that comes first counts
	 * them. */
	for_each_thread(t, p)
	{
		if (!t->stopped)
			continue;
		t->stopped = false;
		thread_wake_state(&t->thread, THREAD_STOPPED);
	}
}

static void child_info_locked(struct process *p, int cause, siginfo_t *info)
{
	u64 utime, stime;

	*info = (siginfo_t){.si_signo = SIGCHLD, .si_code = cause};
	info->si_pid = process_pid(p);
	info->si_uid = p->leader->thread.cred->uid;
	process_own_times(p, &utime, &stime);
	info->si_utime = (long)(utime / (NS_PER_SEC / 100));
	info->si_stime = (long)(stime / (NS_PER_SEC / 100));
	info->si_status = cause == CLD_CONTINUED ? SIGCONT : p->stop_sig;
}

void stop_notify_parent(struct process *p, int cause)
{
	struct process *parent;
	siginfo_t info;

	spin_lock_irq(&g_tasklist_lock);
	parent = p->parent;
	if (parent && p->leader) {
		struct sigaction *sa;

		child_info_locked(p, cause, &info);
		spin_lock(&parent->siglock);
		sa = &parent->sighand->action[SIGCHLD - 1];
		if (parent->leader && sa->sa_handler != SIG_IGN && !(sa->sa_flags & SA_NOCLDSTOP))
			(void)signal_send_locked(parent, NULL, SIGCHLD, &info, true);
		spin_unlock(&parent->siglock);
		wake_up_all(&parent->wait_child);
	}
	spin_unlock_irq(&g_tasklist_lock);
}

/* ---- orphaned groups ---- */

bool pgrp_is_orphaned_locked(struct pid *pgrp, const struct process *ignored)
{
	struct process *p;

	spin_assert_held(&g_tasklist_lock);
	list_for_each_entry(p, &pgrp->group_members, pgrp_link) {
		if (p == ignored || process_is_zombie(p) || !p->parent ||
			process_pid(p->parent) == 1)
			continue;
		if (p->parent->pgrp != pgrp && p->parent->session == p->session)
			return false;
	}
	return true;
}

bool process_is_orphaned_pgrp(struct pid *pgrp)
{
	bool r;
	unsigned long flags = spin_lock_irqsave(&g_tasklist_lock);

	r = pgrp_is_orphaned_locked(pgrp, NULL);
	spin_unlock_irqrestore(&g_tasklist_lock, flags);
	return r;
}

static bool has_stopped_member(struct pid *pgrp)
{
	struct process *p;

	list_for_each_entry(p, &pgrp->group_members, pgrp_link)
		if (READ_ONCE(p->flags) & PROC_STOPPED)
			return true;
	return false;
}

/*
 * p leaves (leaving: p itself counts no more) or gets a new parent: if that makes its group
 * orphaned while a member is stopped, the group gets SIGHUP and SIGCONT. old_parent: who stood
 * between the group and being orphaned.
 */
void pgrp_orphan_check_locked(struct process *p, struct process *old_parent, bool leaving)
{
	struct pid *pgrp = p->pgrp;

	spin_assert_held(&g_tasklist_lock);
	if (!old_parent || old_parent->pgrp == pgrp || old_parent->session != p->session)
		return;
	if (!pgrp_is_orphaned_locked(pgrp, leaving ? p : NULL) || !has_stopped_member(pgrp))
		return;
	list_for_each_entry(p, &pgrp->group_members, pgrp_link) {
		(void)signal_send_process(p, SIGHUP, NULL);
		(void)signal_send_process(p, SIGCONT, NULL);
	}
}
