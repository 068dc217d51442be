/*
 * The end of threads and processes. A thread gives back its resources, then: a thread other than
 * the leader is released at once; the leader stays as zombie until its last sibling is gone, and
 * then until its parent has waited (or is not interested).
 */
#include "ptrace.h"
#include <linux/ptrace.h>
#include <core/trace.h>
#include <sched/futex.h>
#include <lib/string.h>

bool process_is_zombie(const struct process *p)
{
	return p->nr_threads == 1 && p->leader && (p->leader->state_flags & TASK_ZOMBIE);
}

void process_own_times(struct process *p, u64 *utime_ns, u64 *stime_ns)
{
	struct task *t;

	*utime_ns = p->utime_ns;
	*stime_ns = p->stime_ns;
	for_each_thread(t, p)
	{
		u64 u, s;

		thread_times(&t->thread, &u, &s);
		*utime_ns += u;
		*stime_ns += s;
	}
}

void process_get_times(struct process *p, u64 *utime_ns, u64 *stime_ns)
{
	spin_lock_irq(&p->siglock);
	process_own_times(p, utime_ns, stime_ns);
	spin_unlock_irq(&p->siglock);
}

/* ---- leaving the address space ---- */

static void clear_tid(struct task *t, struct mm *mm)
{
	int __user *tidp = t->clear_child_tid;
	u64 a, b;

	t->clear_child_tid = NULL;
	if (!tidp || ref_read(&mm->users) <= 1)
		return;
	if (put_user(0, tidp))
		return;
	if (mm_futex_key(mm, (unsigned long)tidp, true, &a, &b) == 0)
		(void)futex_wake((struct futex_key){a, b}, 1, FUTEX_BITSET_MATCH_ANY);
}

/* What user space must learn before the thread leaves mm, by exit or exec. */
void task_mm_release(struct task *t, struct mm *mm)
{
	robust_list_exit(t);
	futex_pi_release(&t->thread, t->exiting);
	clear_tid(t, mm);
	if (!t->vfork_done)
		return;
	spin_lock_irq(&t->lock);
	if (t->vfork_done)
		complete(t->vfork_done);
	t->vfork_done = NULL;
	spin_unlock_irq(&t->lock);
}

/* The current task's mm becomes mm_new's business or nobody's; t->mm was changed already. */
void task_leave_mm(struct task *t, struct mm *mm)
{
	struct process *p = t->process;
	u64 rss = max(mm->hiwater_rss, mm_resident(mm));

	spin_lock_irq(&p->siglock);
	p->maxrss_pages = max(p->maxrss_pages, rss);
	spin_unlock_irq(&p->siglock);
	put_mm_users(mm);
}

static void exit_mm(struct task *t)
{
	struct mm *mm = t->mm;

	if (!mm)
		return;
	task_mm_release(t, mm);
	spin_lock_irq(&t->lock);
	t->mm = NULL;
	spin_unlock_irq(&t->lock);
	thread_use_mm(NULL);
	task_leave_mm(t, mm);
}

static void exit_files(struct task *t)
{
	struct fd_table *files;

	spin_lock_irq(&t->lock);
	files = t->files;
	t->files = NULL;
	spin_unlock_irq(&t->lock);
	if (files)
		put_fd_table(files);
	if (t->fs)
		task_swap_fs(t, NULL);
}

/* ---- release ---- */

static void add_thread_accounts(struct process *p, struct task *t)
{
	u64 u, s;

	thread_times(&t->thread, &u, &s);
	p->utime_ns += u;
	p->stime_ns += s;
	p->nvcsw += t->thread.nvcsw;
	p->nivcsw += t->thread.nivcsw;
	p->minflt += t->minflt;
	p->majflt += t->majflt;
	p->io_read_bytes += t->io_read_bytes;
	p->io_write_bytes += t->io_write_bytes;
	p->io_disk_read += t->thread.io_read;
	p->io_disk_written += t->thread.io_written;
	p->io_syscr += t->io_syscr;
	p->io_syscw += t->io_syscw;
}

void task_release_locked(struct task *t)
{
	struct process *p = t->process;
	const struct cred *tracer_cred;

	spin_assert_held(&g_tasklist_lock);
	spin_lock(&p->siglock);
	tracer_cred = ptrace_unlink_locked(t);
	if (tracer_cred)
		put_cred(tracer_cred);
	add_thread_accounts(p, t);
	signal_flush(&t->pending, ~0ul);
	if (p->signal_target == t)
		p->signal_target = NULL;
	list_del_rcu(&t->thread_link);
	p->nr_threads--;
	t->state_flags = (t->state_flags & ~TASK_ZOMBIE) | TASK_DEAD;
	spin_unlock(&p->siglock);
	rcu_publish(t->pid->task, NULL);
	pid_detach(t->pid);
	wake_up_all(&p->exec_wait);
}

void task_put_released(struct task *t)
{
	task_charge_user(t, NULL);
	put_task(t);
}

struct task *process_release_locked(struct process *p)
{
	struct task *leader = p->leader;

	task_release_locked(leader);
	rcu_publish(p->pid->process, NULL);
	list_del(&p->sibling);
	list_del(&p->all_link);
	list_del(&p->pgrp_link);
	list_del(&p->session_link);
	pid_detach(p->session->sid);
	pid_detach(p->pgrp);
	/* They may go: who still has a reference to p must not look. */
	rcu_publish(p->pgrp, NULL);
	rcu_publish(p->parent, NULL);
	p->parent_task = NULL;
	spin_lock(&p->siglock);
	rcu_publish(p->leader, NULL);
	signal_flush(&p->pending, ~0ul);
	spin_unlock(&p->siglock);
	return leader;
}

void process_put_released(struct task *leader)
{
	struct process *p = leader->process;

	task_put_released(leader);
	put_process(p); /* the number's */
}

/* ---- telling the parent ---- */

static void exit_info(struct process *p, siginfo_t *info)
{
	int status = p->flags & PROC_GROUP_EXIT ? p->exit_status : p->leader->exit_code;
	u64 utime, stime;

	*info = (siginfo_t){.si_code = CLD_EXITED};
	info->si_pid = process_pid(p);
	info->si_uid = p->leader->thread.cred->uid;
	process_own_times(p, &utime, &stime);
	info->si_utime = (long)(utime / (NS_PER_SEC / 100));
	info->si_stime = (long)(stime / (NS_PER_SEC / 100));
	info->si_status = (status >> 8) & 0xff;
	if (status & 0x7f) {
		info->si_code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
		info->si_status = status & 0x7f;
	}
}

/* CLD_* and its value of a wait status. */
static int cause_of(int status, int *value)
{
	*value = status & 0x7f ? status & 0x7f : (status >> 8) & 0xff;
	return !(status & 0x7f) ? CLD_EXITED : status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

/* A tracee has ended. True: its tracer doesn't want to know. */
static bool notify_tracer(struct task *t, int status)
{
	const struct sigaction *sa = &t->pt.tracer->process->sighand->action[SIGCHLD - 1];
	int value, cause = cause_of(status, &value);
	bool ignored = READ_ONCE(sa->sa_handler) == SIG_IGN ||
		(READ_ONCE(sa->sa_flags) & SA_NOCLDWAIT);

	ptrace_notify_tracer_locked(t, cause, value);
	return ignored;
}

/* The leader's tracer is told first; its parent, once that has waited for it. */
static bool tracer_goes_first(struct process *p)
{
	struct task *leader = p->leader;
	const struct cred *c;

	if (!ptrace_reparented(leader))
		return false;
	if (!notify_tracer(leader, p->flags & PROC_GROUP_EXIT ? p->exit_status : leader->exit_code))
		return true;
	spin_lock(&p->siglock);
	c = ptrace_unlink_locked(leader);
	spin_unlock(&p->siglock);
	put_cred(c);
	return false;
}

bool process_notify_parent_locked(struct process *p)
{
	struct process *parent = p->parent;
	int sig = p->exit_signal;
	bool reap = false;
	struct sigaction *sa;
	siginfo_t info;

	poll_wake(&p->pid->exit_wait, EPOLLIN | EPOLLRDNORM);
	if (!parent || tracer_goes_first(p))
		return false;
	if (sig != SIGCHLD && p->parent_exec_id != parent->exec_id)
		sig = p->exit_signal = SIGCHLD;
	exit_info(p, &info);
	info.si_signo = sig;
	spin_lock(&parent->siglock);
	sa = &parent->sighand->action[SIGCHLD - 1];
	if (sig == SIGCHLD && (sa->sa_handler == SIG_IGN || (sa->sa_flags & SA_NOCLDWAIT))) {
		reap = true;
		if (sa->sa_handler == SIG_IGN)
			sig = 0;
	}
	if (sig > 0 && sig <= NR_SIGNALS && parent->leader)
		(void)signal_send_locked(parent, NULL, sig, &info, true);
	spin_unlock(&parent->siglock);
	wake_up_all(&parent->wait_child);
	return reap;
}

/* ---- children get another parent ---- */

static u32 g_nr_subreapers; /* living ones; tasklist lock */

static void set_subreaper_locked(struct process *p, bool on)
{
	g_nr_subreapers += (u32)on - (u32)p->child_subreaper;
	p->child_subreaper = on;
}

static struct process *find_reaper_locked(struct process *dying)
{
	if (g_nr_subreapers)
		for (struct process *p = dying->parent; p && p->parent; p = p->parent)
			if (p->child_subreaper && READ_ONCE(p->live_threads) > 0)
				return p;
	rcu_read_lock();
	{
		struct pid *one = pid_find(1);
		struct process *init = one ? rcu_load(one->process) : NULL;

		rcu_read_unlock();
		return init;
	}
}

void process_set_subreaper(bool on)
{
	spin_lock_irq(&g_tasklist_lock);
	set_subreaper_locked(current_process(), on);
	spin_unlock_irq(&g_tasklist_lock);
}

/* It is the parent's signal, so the parent must have been allowed to send it. */
static void send_pdeath(struct process *child)
{
	siginfo_t info;
	struct task *t;

	for_each_thread(t, child)
	{
		int sig = READ_ONCE(t->pdeath_signal);

		if (!sig || signal_may_send(child, sig) != 0)
			continue;
		signal_fill_user(&info, sig, SI_USER);
		(void)signal_send_process(child, sig, &info);
	}
}

/* One child of a dead process. Zombies may be of no interest to the new parent: onto dead. */
static void reparent_locked(
	struct process *child, struct process *from, struct process *to, struct list_head *dead)
{
	child->parent = to;
	child->parent_task = to->leader;
	child->exit_signal = SIGCHLD;
	list_move_tail(&child->sibling, &to->children);
	send_pdeath(child);
	if (process_is_zombie(child) && process_notify_parent_locked(child)) {
		child->reaped_leader = process_release_locked(child);
		list_add_tail(&child->sibling, dead);
		return;
	}
	pgrp_orphan_check_locked(child, from, false);
}

static void forget_children_locked(
	struct process *p, struct task *t, bool group_dead, struct list_head *dead)
{
	struct process *child, *n, *to;
	struct task *heir = NULL, *i;

	if (list_empty(&p->children))
		return;
	if (group_dead) {
		to = find_reaper_locked(p);
		list_for_each_entry_safe(child, n, &p->children, sibling)
			reparent_locked(child, p, to, dead);
		return;
	}
	for_each_thread(i, p) if (!i->exiting) heir = i;
	list_for_each_entry(child, &p->children, sibling)
		if (child->parent_task == t) {
			child->parent_task = heir ? heir : p->leader;
			send_pdeath(child);
		}
}

static void put_dead(struct list_head *dead)
{
	struct process *p, *n;

	list_for_each_entry_safe(p, n, dead, sibling) {
		list_del(&p->sibling);
		process_put_released(p->reaped_leader);
	}
}

/* The last step in public. */
static void exit_notify(struct task *t, bool group_dead)
{
	struct process *p = t->process;
	struct task *reaped = NULL;
	bool is_leader, kept;
	LIST_HEAD(dead);

	spin_lock_irq(&g_tasklist_lock);
	is_leader = t == p->leader;
	if (group_dead)
		set_subreaper_locked(p, false);
	forget_children_locked(p, t, group_dead, &dead);
	if (group_dead)
		pgrp_orphan_check_locked(p, p->parent, true);
	kept = is_leader || (t->pt.tracer && !notify_tracer(t, t->exit_code));
	if (kept)
		t->state_flags |= TASK_ZOMBIE;
	else
		task_release_locked(t);
	if (process_is_zombie(p) && process_notify_parent_locked(p))
		reaped = process_release_locked(p);
	else
		wake_up_all(&p->exec_wait);
	spin_unlock_irq(&g_tasklist_lock);
	put_dead(&dead);
	if (!kept)
		task_put_released(t);
	if (reaped)
		process_put_released(reaped);
}

/* ---- the exits ---- */

static void group_is_dead(struct process *p, int code)
{
	int status = p->flags & PROC_GROUP_EXIT ? p->exit_status : code;

	if (process_pid(p) == 1)
		panic("Attempted to kill init! exitcode=0x%08x", status);
	timer_cancel_sync(&p->real_timer);
	posix_timers_exit(p); /* first: those on other processes' clocks set the CPU timer */
	cpu_timers_stop(p);
}

/* Not where the memory is wanted back: a stop lasts as long as the tracer likes. */
static void stop_at_exit(struct task *t, int code)
{
	struct process *p = t->process;
	bool oom;

	spin_lock_irq(&p->siglock);
	oom = p->flags & PROC_OOM_VICTIM;
	if (!oom)
		t->pending.set &= ~sig_bit(SIGKILL); /* taken */
	spin_unlock_irq(&p->siglock);
	if (!oom)
		ptrace_event(PTRACE_EVENT_EXIT, (unsigned long)code);
}

noreturn void task_exit(int code)
{
	struct task *t = current_task();
	struct process *p = t->process;
	bool group_dead, stopped, dumping;

	trace_event(TRACE_EXIT, (u64)task_tid(t), (u64)code);
	if (unlikely(g_process_trace))
		g_process_trace->exit(t, code);
	if (unlikely(ptrace_event_wanted(t, PTRACE_EVENT_EXIT)))
		stop_at_exit(t, code);
	spin_lock_irq(&p->siglock);
	t->exiting = true;
	t->exit_code = code;
	t->pending.set &= ~sig_bit(SIGKILL); /* taken: what exit waits for is not given up */
	stopped = stop_thread_leaves_locked(t);
	signal_retarget_locked(t, ~t->blocked);
	group_dead = --p->live_threads == 0;
	dumping = p->flags & PROC_DUMPING;
	t->core_parked = dumping;
	if (dumping)
		wake_up_all(&p->exec_wait);
	spin_unlock_irq(&p->siglock);
	if (stopped)
		stop_notify_parent(p, CLD_STOPPED);
	if (dumping)
		core_park(t);
	if (group_dead)
		group_is_dead(p, code);
	exit_mm(t);
	g_process_sysv->exit(t);
	exit_files(t);
	if (group_dead && p->session_leader && g_process_tty)
		g_process_tty->disassociate(p->session, true);
	task_work_close(t);
	ptrace_exit_tracer(t);
	exit_notify(t, group_dead);
	thread_exit();
}

noreturn void process_group_exit(int code)
{
	struct task *t = current_task();
	struct process *p = t->process;

	spin_lock_irq(&p->siglock);
	if (p->flags & PROC_GROUP_EXIT) {
		code = p->exit_status;
	} else if (p->flags & PROC_EXECING) {
		code = 0; /* another thread is in execve and gets rid of us */
	} else {
		p->flags = (p->flags & ~PROC_STOPPED) | PROC_GROUP_EXIT;
		p->exit_status = code;
		signal_kill_others_locked(p, t);
	}
	spin_unlock_irq(&p->siglock);
	task_exit(code);
}
