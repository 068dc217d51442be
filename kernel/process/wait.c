/*
 * wait4 and waitid: find a child whose state changed, take the change (or only look, WNOWAIT).
 * Everything happens under the tasklist lock, so two waiters cannot take the same child.
 */
#include "process.h"

static bool eligible(const struct process *child, const struct wait_request *rq)
{
	bool clone = child->exit_signal != SIGCHLD;

	if (rq->type == P_PGID && child->pgrp != rq->pid)
		return false;
	if ((rq->options & __WNOTHREAD) && child->parent_task != current_task())
		return false;
	return (rq->options & __WALL) || clone == !!(rq->options & __WCLONE);
}

static void set_result(struct wait_request *rq, struct process *p, int cause, int value, int status)
{
	rq->found = process_pid(p);
	rq->cause = cause;
	rq->child_status = value;
	rq->status = status;
	rq->uid = p->leader->thread.cred->uid;
}

/* The dead child's accounts go to its parent's "children" figures; /proc/PID/io has none of its
 * own. */
static void inherit_accounts(struct process *parent, struct process *p)
{
	u64 utime, stime;

	process_own_times(p, &utime, &stime);
	spin_lock(&parent->siglock);
	parent->cutime_ns += utime + p->cutime_ns;
	parent->cstime_ns += stime + p->cstime_ns;
	parent->cminflt += p->minflt + p->leader->minflt + p->cminflt;
	parent->cmajflt += p->majflt + p->leader->majflt + p->cmajflt;
	parent->cnvcsw += p->nvcsw + p->leader->thread.nvcsw + p->cnvcsw;
	parent->cnivcsw += p->nivcsw + p->leader->thread.nivcsw + p->cnivcsw;
	parent->cmaxrss_pages = max(parent->cmaxrss_pages, max(p->maxrss_pages, p->cmaxrss_pages));
	parent->io_read_bytes += p->io_read_bytes + p->leader->io_read_bytes;
	parent->io_write_bytes += p->io_write_bytes + p->leader->io_write_bytes;
	parent->io_syscr += p->io_syscr + p->leader->io_syscr;
	parent->io_syscw += p->io_syscw + p->leader->io_syscw;
	parent->io_disk_read += p->io_disk_read + p->leader->thread.io_read;
	parent->io_disk_written += p->io_disk_written + p->leader->thread.io_written;
	spin_unlock(&parent->siglock);
}

static bool take_zombie(struct process *p, struct wait_request *rq, struct task **reaped)
{
	int status;

	if (!(rq->options & WEXITED) || !process_is_zombie(p))
		return false;
	status = p->flags & PROC_GROUP_EXIT ? p->exit_status : p->leader->exit_code;
	if (status & 0x7f)
		set_result(rq, p, status & 0x80 ? CLD_DUMPED : CLD_KILLED, status & 0x7f, status);
	else
		set_result(rq, p, CLD_EXITED, (status >> 8) & 0xff, status);
	rusage_fill_locked(p, RUSAGE_BOTH, &rq->ru);
	if (!(rq->options & WNOWAIT)) {
		inherit_accounts(current_process(), p);
		*reaped = process_release_locked(p);
	}
	return true;
}

static bool take_stop(struct process *p, struct wait_request *rq)
{
	bool take = !(rq->options & WNOWAIT), found = false;

	spin_lock(&p->siglock);
	if ((rq->options & WSTOPPED) && p->stop_waitable) {
		set_result(rq, p, CLD_STOPPED, p->stop_sig, (p->stop_sig << 8) | 0x7f);
		p->stop_waitable = !take;
		found = true;
	} else if ((rq->options & WCONTINUED) && p->cont_waitable) {
		set_result(rq, p, CLD_CONTINUED, SIGCONT, 0xffff);
		p->cont_waitable = !take;
		found = true;
	}
	spin_unlock(&p->siglock);
	if (found)
		rusage_fill_locked(p, RUSAGE_BOTH, &rq->ru);
	return found;
}

/* 1 taken, 0 there are children to wait for, -ECHILD. */
static int scan(struct wait_request *rq, struct task **reaped)
{
	struct process *self = current_process(), *p;
	int ret = -ECHILD;

	spin_lock_irq(&g_tasklist_lock);
	if (rq->type == P_PID) {
		p = rq->pid ? rq->pid->process : NULL;
		if (p && p->parent == self && eligible(p, rq))
			ret = take_zombie(p, rq, reaped) || take_stop(p, rq);
	} else {
		list_for_each_entry(p, &self->children, sibling) {
			if (!eligible(p, rq))
				continue;
			ret = take_zombie(p, rq, reaped) || take_stop(p, rq);
			if (ret)
				break;
		}
	}
	spin_unlock_irq(&g_tasklist_lock);
	return ret;
}

int process_wait(struct wait_request *rq)
{
	struct process *self = current_process();
	struct task *reaped = NULL;
	struct waiter w;
	int ret;

	rq->found = 0;
	ret = scan(rq, &reaped);
	if (ret == 0 && !(rq->options & WNOHANG)) {
		waiter_init(&w);
		for (;;) {
			wait_prepare(&self->wait_child, &w, THREAD_INTERRUPTIBLE);
			ret = scan(rq, &reaped);
			if (ret)
				break;
			if (signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE)) {
				ret = -ERESTARTSYS;
				break;
			}
			sched_block();
		}
		wait_finish(&w);
	}
	if (reaped)
		process_put_released(reaped);
	return min(ret, 0);
}
