/*
 * execve in a process with several threads: the others are killed, and the one that goes on becomes
 * the leader, under the process's number.
 */
#include "exec.h"

static bool alone(const struct process *p, const struct task *t)
{
	if (p->nr_threads == 1)
		return true;
	return p->nr_threads == 2 && t != p->leader && (p->leader->state_flags & TASK_ZOMBIE);
}

/* t takes the zombie leader's place and number; the old leader is released under t's. */
static struct task *take_leadership_locked(struct task *t)
{
	struct process *p = t->process;
	struct task *old = p->leader;
	struct pid *mine = t->pid;

	spin_lock(&p->siglock);
	t->pid = old->pid;
	old->pid = mine;
	rcu_publish(t->pid->task, t);
	rcu_publish(mine->task, old);
	rcu_publish(p->leader, t);
	spin_unlock(&p->siglock);
	task_release_locked(old);
	return old;
}

int exec_dethread(struct task *t)
{
	struct process *p = t->process;
	struct task *old = NULL;
	int err = 0;

	if (READ_ONCE(p->nr_threads) == 1)
		return 0;
	spin_lock_irq(&p->siglock);
	if ((p->flags & (PROC_GROUP_EXIT | PROC_EXECING))) {
		spin_unlock_irq(&p->siglock);
		return -EAGAIN; /* on the way out already */
	}
	p->flags |= PROC_EXECING;
	p->exec_task = t;
	signal_kill_others_locked(p, t);
	spin_unlock_irq(&p->siglock);
	if (wait_event_killable(&p->exec_wait, alone(p, t)))
		err = -EAGAIN;
	spin_lock_irq(&g_tasklist_lock);
	if (!err && t != p->leader)
		old = take_leadership_locked(t);
	spin_lock(&p->siglock);
	p->flags &= ~PROC_EXECING;
	p->exec_task = NULL;
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	if (old)
		task_put_released(old);
	return err;
}
