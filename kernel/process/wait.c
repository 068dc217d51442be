/*
 * wait4 and waitid: find a child whose state changed, take the change (or only look, WNOWAIT).
 * Everything happens under the tasklist lock, so two waiters cannot take the same child.
 */
#include "ptrace.h"

/* What was released, to be put without locks. */
struct reaped {
	struct task *leader, *thread;
};

/* Is this child one of the waiter's tracees? Then its kind doesn't matter. */
static bool traced_by_us(const struct process *child)
{
	const struct task *tracer = child->leader ? child->leader->pt.tracer : NULL;

	return tracer && tracer->process == current_process();
}

static bool eligible(const struct process *child, const struct wait_request *rq)
{
	bool clone = child->exit_signal != SIGCHLD;

	if (rq->type == P_PGID && child->pgrp != rq->pid)
		return false;
	if ((rq->options & __WNOTHREAD) && child->parent_task != current_task())
		return false;
	return (rq->options & __WALL) || traced_by_us(child) || clone == !!(rq->options & __WCLONE);
}

static void set_task_result(
	struct wait_request *rq, struct task *t, int cause, int value, int status)
{
	rq->found = task_tid(t);
	rq->cause = cause;
	rq->child_status = value;
	rq->status = status;
	rq->uid = t->thread.cred->uid;
}

static void set_result(struct wait_request *rq, struct process *p, int cause, int value, int status)
{
	set_task_result(rq, p->leader, cause, value, status);
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

static void set_ended(struct wait_request *rq, struct task *t, int status)
{
	if (status & 0x7f)
		set_task_result(
			rq, t, status & 0x80 ? CLD_DUMPED : CLD_KILLED, status & 0x7f, status);
	else
		set_task_result(rq, t, CLD_EXITED, (status >> 8) & 0xff, status);
}

static int end_status(const struct process *p)
{
	return p->flags & PROC_GROUP_EXIT ? p->exit_status : p->leader->exit_code;
}

static bool take_zombie(struct process *p, struct wait_request *rq, struct reaped *reaped)
{
	/* Somebody else traces it, and has to see its end first. */
	if (!(rq->options & WEXITED) || !process_is_zombie(p) || ptrace_reparented(p->leader))
		return false;
	set_ended(rq, p->leader, end_status(p));
	rusage_fill_locked(p, RUSAGE_BOTH, &rq->ru);
	if (!(rq->options & WNOWAIT)) {
		inherit_accounts(current_process(), p);
		reaped->leader = process_release_locked(p);
	}
	return true;
}

static bool take_stop(struct process *p, struct wait_request *rq)
{
	bool take = !(rq->options & WNOWAIT), found = false;

	if (traced_by_us(p))
		return false; /* its stops are told as a tracee's */

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

/* ---- tracees ---- */

static bool tracee_eligible(const struct task *t, const struct wait_request *rq)
{
	return rq->type != P_PGID || t->process->pgrp == rq->pid;
}

static bool take_trace_stop(struct task *t, struct wait_request *rq)
{
	struct process *p = t->process;
	bool found;

	spin_lock(&p->siglock);
	found = t->pt.stopped && t->pt.waitable && !t->pt.listening;
	if (found) {
		set_task_result(rq, t, t->pt.cause == CLD_STOPPED ? CLD_STOPPED : CLD_TRAPPED,
			t->pt.code, t->pt.code << 8 | 0x7f);
		if (!(rq->options & WNOWAIT)) {
			t->pt.waitable = false;
			t->pt.resume_signal = 0; /* it is up to the tracer now */
		}
	}
	spin_unlock(&p->siglock);
	return found;
}

/* The end of a thread, or of a process of which we aren't the parent: it is that one's from now on.
 */
static bool take_trace_end(struct task *t, struct wait_request *rq, struct reaped *reaped)
{
	struct process *p = t->process;
	const struct cred *c;

	if (!(rq->options & WEXITED) || !(t->state_flags & TASK_ZOMBIE))
		return false;
	if (t == p->leader && (!process_is_zombie(p) || !ptrace_reparented(t)))
		return false;
	set_ended(rq, t, t == p->leader ? end_status(p) : t->exit_code);
	if (rq->options & WNOWAIT)
		return true;
	if (t == p->leader) {
		spin_lock(&p->siglock);
		c = ptrace_unlink_locked(t);
		spin_unlock(&p->siglock);
		put_cred(c);
	} else {
		task_release_locked(t);
		reaped->thread = t;
	}
	if (process_is_zombie(p) && process_notify_parent_locked(p))
		reaped->leader = process_release_locked(p);
	return true;
}

static bool has_ended(const struct task *t)
{
	return t == t->process->leader ? process_is_zombie(t->process)
				       : (t->state_flags & TASK_ZOMBIE) != 0;
}

/* As take_child. */
static int take_tracee(struct task *t, struct wait_request *rq, struct reaped *reaped)
{
	if (!take_trace_stop(t, rq) && !take_trace_end(t, rq, reaped))
		return !(rq->options & WEXITED) && has_ended(t) ? -ECHILD : 0;
	rusage_fill_locked(t->process, RUSAGE_BOTH, &rq->ru);
	return 1;
}

/* As scan. */
static int scan_tracees(struct wait_request *rq, struct reaped *reaped)
{
	struct process *self = current_process();
	struct task *tracer, *t;
	int ret = -ECHILD;

	if (rq->type == P_PID) {
		t = rq->pid ? rq->pid->task : NULL;
		tracer = t ? t->pt.tracer : NULL;
		if (!tracer || tracer->process != self ||
			((rq->options & __WNOTHREAD) && tracer != current_task()))
			return -ECHILD;
		return take_tracee(t, rq, reaped);
	}
	if (!self->nr_tracees)
		return -ECHILD; /* no need to look at each thread */
	for_each_thread(tracer, self)
	{
		if ((rq->options & __WNOTHREAD) && tracer != current_task())
			continue;
		list_for_each_entry(t, &tracer->pt.tracees, pt.link) {
			if (!tracee_eligible(t, rq))
				continue;
			ret = max(ret, take_tracee(t, rq, reaped));
			if (ret > 0)
				return ret;
		}
	}
	return ret;
}

/* What p tells, if anything. Without WEXITED a zombie will never tell anything. */
static int take_child(struct process *p, struct wait_request *rq, struct reaped *reaped)
{
	if (take_zombie(p, rq, reaped) || take_stop(p, rq))
		return 1;
	return !(rq->options & WEXITED) && process_is_zombie(p) && !ptrace_reparented(p->leader)
		? -ECHILD
		: 0;
}

/* 1 taken, 0 there are children to wait for, -ECHILD. */
static int scan_children(struct wait_request *rq, struct reaped *reaped)
{
	struct process *self = current_process(), *p;
	int ret = -ECHILD;

	if (rq->type == P_PID) {
		p = rq->pid ? rq->pid->process : NULL;
		if (p && p->parent == self && eligible(p, rq))
			ret = take_child(p, rq, reaped);
		return ret;
	}
	list_for_each_entry(p, &self->children, sibling) {
		if (!eligible(p, rq))
			continue;
		ret = max(ret, take_child(p, rq, reaped));
		if (ret > 0)
			break;
	}
	return ret;
}

static int scan(struct wait_request *rq, struct reaped *reaped)
{
	int ret, traced;

	spin_lock_irq(&g_tasklist_lock);
	ret = scan_children(rq, reaped);
	if (ret <= 0) {
		traced = scan_tracees(rq, reaped);
		ret = max(ret, traced);
	}
	spin_unlock_irq(&g_tasklist_lock);
	return ret;
}

int process_wait(struct wait_request *rq)
{
	struct process *self = current_process();
	struct reaped reaped = {0};
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
	if (reaped.thread)
		task_put_released(reaped.thread);
	if (reaped.leader)
		process_put_released(reaped.leader);
	return min(ret, 0);
}
