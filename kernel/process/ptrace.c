/* Tracing: who traces whom, and what tracers ask for. The essay is in process/ptrace.h. */
#include "ptrace.h"
#include <linux/ptrace.h>
#include <lib/string.h>

u32 g_ptrace_watching;

/* There is no seccomp to be suspended: as where it isn't configured. */
#define OPTIONS (PTRACE_O_MASK & ~PTRACE_O_SUSPEND_SECCOMP)

void ptrace_init_task(struct task *t)
{
	list_init(&t->pt.link);
	list_init(&t->pt.tracees);
}

/* ---- links ---- */

void ptrace_set_mode_locked(struct task *t, enum ptrace_mode mode)
{
	if ((mode != PTRACE_RUN) != (t->pt.mode != PTRACE_RUN)) {
		if (mode != PTRACE_RUN)
			__atomic_fetch_add(&g_ptrace_watching, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_sub(&g_ptrace_watching, 1, __ATOMIC_SEQ_CST);
	}
	t->pt.mode = (u8)mode;
}

/* cred: the rights of who asked for it; the reference is taken over. */
static void link_locked(
	struct task *t, struct task *tracer, const struct cred *cred, bool seized, u32 options)
{
	t->pt.tracer = tracer;
	t->pt.seized = seized;
	t->pt.options = options;
	t->pt.tracer_cred = cred;
	list_add_tail(&t->pt.link, &tracer->pt.tracees);
	tracer->process->nr_tracees++;
}

/* Out of a stop, whatever it was for. siglock. */
static void wake_locked(struct task *t)
{
	t->pt.stopped = t->pt.waitable = t->pt.listening = false;
	thread_wake_state(&t->thread, THREAD_STOPPED);
}

const struct cred *ptrace_unlink_locked(struct task *t)
{
	const struct cred *c = t->pt.tracer_cred;
	struct process *p = t->process;

	if (!t->pt.tracer)
		return NULL;
	list_del(&t->pt.link);
	t->pt.tracer->process->nr_tracees--;
	t->pt.tracer = NULL;
	t->pt.tracer_cred = NULL;
	t->pt.trap = t->pt.seized = false;
	t->pt.options = 0;
	ptrace_set_mode_locked(t, PTRACE_RUN);
	/* It ran while its process is stopped, or stopped in our way: it stops in the usual one. */
	if (!t->exiting && ((p->flags & PROC_STOPPED) || p->stop_count))
		t->stop_pending = true;
	if (t->pt.stopped)
		wake_locked(t);
	else if (t->stop_pending)
		signal_wake(t, false);
	return c;
}

void ptrace_inherit_locked(struct task *child, struct task *parent)
{
	if (!parent->pt.tracer)
		return;
	/* The tracer didn't ask now, and may just have other rights than when it did. */
	link_locked(child, parent->pt.tracer, get_cred(parent->pt.tracer_cred), parent->pt.seized,
		parent->pt.options);
	if (parent->pt.seized)
		child->pt.trap = true;
	else
		child->pending.set |= sig_bit(SIGSTOP);
	__atomic_fetch_or(&child->thread.arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
}

bool ptrace_reparented(const struct task *t)
{
	return t->pt.tracer && t->pt.tracer->process != t->process->parent;
}

bool ptrace_is_tracer(struct task *t)
{
	return READ_ONCE(t->pt.tracer) == current_task();
}

s32 task_tracer_tid(struct task *t)
{
	s32 tid;

	spin_lock_irq(&g_tasklist_lock);
	tid = t->pt.tracer ? task_tid(t->pt.tracer) : 0;
	spin_unlock_irq(&g_tasklist_lock);
	return tid;
}

/* ---- beginning ---- */

/* Does a tracer with these rights get no more by tracing who has those? RCU held. */
static bool gains_nothing(const struct cred *tracer, const struct cred *tracee)
{
	return !(tracee->cap_permitted & ~tracer->cap_permitted) ||
		cred_capable(tracer, CAP_SYS_PTRACE);
}

/* The parent doesn't ask: what it may do now, perhaps for a moment, is not what is remembered. */
int ptrace_traceme(void)
{
	const struct cred *own = current_cred();
	struct task *t = current_task();
	struct process *p = t->process;
	int err = -EPERM;

	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	rcu_read_lock();
	if (!t->pt.tracer && p->parent_task && p->parent_task->process == p->parent &&
		!p->parent_task->exiting &&
		gains_nothing(rcu_load(p->parent_task->thread.cred), own)) {
		link_locked(t, p->parent_task, get_cred(own), false, 0);
		err = 0;
	}
	rcu_read_unlock();
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	return err;
}

/* The process's credentials don't change by exec, and the judgement was yes. */
static int attach_judged(struct task *t, bool seize, u32 options)
{
	struct process *p = t->process;
	int err = 0;

	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	if (t->exiting || (t->state_flags & (TASK_ZOMBIE | TASK_DEAD)) || t->pt.tracer) {
		err = -EPERM;
	} else {
		link_locked(t, current_task(), get_cred(current_cred()), seize, options);
		if (!seize) {
			const siginfo_t info = {.si_signo = SIGSTOP, .si_code = SI_KERNEL};

			(void)signal_send_locked(p, t, SIGSTOP, &info, true);
		}
		/* Stopped with its group: it stops anew, for the tracer to see. */
		if (t->stopped) {
			t->stopped = false;
			t->pt.trap = true;
			__atomic_fetch_or(&t->thread.arch.work, WORK_SIGNAL, __ATOMIC_RELAXED);
			thread_wake_state(&t->thread, THREAD_STOPPED);
		}
	}
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	return err;
}

int ptrace_attach(struct task *t, bool seize, unsigned long options)
{
	struct task_access a;
	int err;

	if (options & ~(unsigned long)PTRACE_O_MASK)
		return -EIO;
	if (options & ~(unsigned long)OPTIONS)
		return -EINVAL;
	if (t->process == current_process())
		return -EPERM;
	if (mutex_lock_interruptible(&t->process->exec_lock))
		return -ERESTARTNOINTR;
	err = task_access_begin(&a, t, true) ? attach_judged(t, seize, (u32)options) : -EPERM;
	(void)!task_access_end(&a); /* exec_lock is held: it is the same program */
	mutex_unlock(&t->process->exec_lock);
	return err;
}

/* ---- holding a stopped tracee ---- */

int ptrace_hold(struct task *t)
{
	struct process *p = t->process;
	int err = -ESRCH;

	spin_lock_irq(&p->siglock);
	if (t->pt.tracer == current_task() && t->pt.stopped && !t->pt.listening &&
		!signal_fatal_pending(t)) {
		t->pt.busy = true;
		err = 0;
	}
	spin_unlock_irq(&p->siglock);
	/* It is about to leave its CPU, which saves what is in registers. */
	while (!err && __atomic_load_n(&t->thread.on_cpu, __ATOMIC_ACQUIRE))
		cpu_relax();
	return err;
}

void ptrace_release(struct task *t)
{
	struct process *p = t->process;

	spin_lock_irq(&p->siglock);
	t->pt.busy = false;
	if (signal_fatal_pending(t))
		thread_wake_state(&t->thread, THREAD_STOPPED);
	spin_unlock_irq(&p->siglock);
}

/* ---- going on ---- */

int ptrace_resume(struct task *t, enum ptrace_mode mode, unsigned long sig)
{
	struct process *p = t->process;

	if (sig > NR_SIGNALS) {
		ptrace_release(t);
		return -EIO;
	}
	if (mode == PTRACE_STEP)
		t->pt.stepping = arch_step_begin(arch_user_regs(t->thread.stack));
	spin_lock_irq(&p->siglock);
	t->pt.busy = false;
	t->pt.resume_signal = (int)sig;
	ptrace_set_mode_locked(t, mode);
	wake_locked(t);
	spin_unlock_irq(&p->siglock);
	return 0;
}

int ptrace_detach(struct task *t, unsigned long sig)
{
	struct process *p = t->process;
	const struct cred *c;

	if (sig > NR_SIGNALS) {
		ptrace_release(t);
		return -EIO;
	}
	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	t->pt.busy = false;
	t->pt.resume_signal = (int)sig;
	c = ptrace_unlink_locked(t);
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	if (c)
		put_cred(c);
	return 0;
}

int ptrace_set_options(struct task *t, unsigned long options)
{
	if (options & ~(unsigned long)OPTIONS)
		return -EINVAL;
	spin_lock_irq(&t->process->siglock);
	t->pt.options = (u32)options;
	spin_unlock_irq(&t->process->siglock);
	return 0;
}

int ptrace_kill(struct task *t)
{
	if (!ptrace_is_tracer(t))
		return -ESRCH;
	(void)signal_send_task(t, SIGKILL, NULL);
	return 0;
}

int ptrace_interrupt(struct task *t)
{
	struct process *p = t->process;
	int err = -ESRCH;

	spin_lock_irq(&p->siglock);
	if (t->pt.tracer == current_task() && !t->exiting) {
		err = t->pt.seized ? 0 : -EIO;
		if (!err) {
			t->pt.trap = true;
			if (t->pt.stopped && t->pt.listening)
				wake_locked(t);
			else if (!t->pt.stopped)
				signal_wake(t, false);
		}
	}
	spin_unlock_irq(&p->siglock);
	return err;
}

void ptrace_renotify_locked(struct task *t)
{
	if (!t->pt.tracer || !t->pt.seized)
		return;
	t->pt.trap = true;
	if (t->pt.stopped && t->pt.listening)
		wake_locked(t);
	else if (!t->pt.stopped)
		signal_wake(t, false);
}

int ptrace_listen(struct task *t)
{
	struct process *p = t->process;
	int err = -EIO;

	spin_lock_irq(&p->siglock);
	if (t->pt.seized && t->pt.group_stop) {
		err = 0;
		t->pt.listening = true;
		/* Something came since the stop began. */
		if (t->pt.trap)
			wake_locked(t);
	}
	t->pt.busy = false;
	spin_unlock_irq(&p->siglock);
	return err;
}

/* ---- signals ---- */

int ptrace_get_siginfo(struct task *t, siginfo_t *out)
{
	if (!t->pt.info)
		return -EINVAL;
	*out = *t->pt.info;
	return 0;
}

int ptrace_set_siginfo(struct task *t, const siginfo_t *in)
{
	if (!t->pt.info)
		return -EINVAL;
	*t->pt.info = *in;
	return 0;
}

int ptrace_peek_siginfo(struct task *t, bool shared, u64 n, siginfo_t *out)
{
	struct process *p = t->process;
	struct sigpending *pending = shared ? &p->pending : &t->pending;
	struct sigqueue *q;
	int found = 0;

	spin_lock_irq(&p->siglock);
	list_for_each_entry(q, &pending->queue, link) {
		if (n--)
			continue;
		*out = q->info;
		found = 1;
		break;
	}
	spin_unlock_irq(&p->siglock);
	return found;
}

void ptrace_set_mask(struct task *t, sigset_t mask)
{
	spin_lock_irq(&t->process->siglock);
	t->blocked = mask & ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	signal_recalc(t);
	spin_unlock_irq(&t->process->siglock);
}

/* ---- memory ---- */

ssize_t ptrace_access(struct task *t, unsigned long addr, void *buf, size_t len, bool write)
{
	struct mm *mm = task_get_mm(t);
	ssize_t n = -EIO;

	if (!mm)
		return -EIO;
	/* What it got since it was attached may be closed to the tracer: an unreadable program. */
	if (READ_ONCE(mm->dumpable) == 1 || cred_capable(t->pt.tracer_cred, CAP_SYS_PTRACE))
		n = mm_access(mm, addr, buf, len, MM_FORCE | (write ? MM_WRITE : 0));
	put_mm(mm);
	return n;
}

/* ---- the tracer's end ---- */

/* The first tracee is free. False: there is none. */
static bool free_one(struct task *t)
{
	struct task *tracee, *reaped = NULL, *leader = NULL;
	const struct cred *c;
	struct process *p;

	spin_lock_irq(&g_tasklist_lock);
	tracee = list_first_entry_or_null(&t->pt.tracees, struct task, pt.link);
	if (!tracee) {
		spin_unlock_irq(&g_tasklist_lock);
		return false;
	}
	p = tracee->process;
	get_process(p);
	spin_lock(&p->siglock);
	if (tracee->pt.options & PTRACE_O_EXITKILL)
		(void)signal_send_locked(p, tracee, SIGKILL, NULL, true);
	tracee->pt.busy = false;
	c = ptrace_unlink_locked(tracee);
	spin_unlock(&p->siglock);
	if (tracee->state_flags & TASK_ZOMBIE) {
		if (tracee != p->leader) {
			task_release_locked(tracee);
			reaped = tracee;
		}
		if (process_is_zombie(p) && process_notify_parent_locked(p))
			leader = process_release_locked(p);
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (reaped)
		task_put_released(reaped);
	if (leader)
		process_put_released(leader);
	put_cred(c);
	put_process(p);
	return true;
}

void ptrace_exit_tracer(struct task *t)
{
	while (free_one(t))
		cond_resched();
}
