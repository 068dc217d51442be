/*
 * The way back to user mode: rescheduling, task work, stops, signal delivery, restart of
 * interrupted calls. The loop runs until no work is left, with interrupts on while it works.
 */
#include "ptrace.h"
#include <core/trace.h>
#include <lib/string.h>
#include <vm/writeback.h>
#include <asm/unistd.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

struct delivery {
	int sig;
	siginfo_t info;
	struct sigaction sa;
};

/* A default action that ends the process. Does not return. */
static noreturn void die_of(struct delivery *d, struct pt_regs *regs)
{
	int status = d->sig;

	if (signal_is_core(d->sig) && coredump_write(d->sig, &d->info, regs))
		status |= 0x80;
	process_group_exit(status);
}

static bool stop_default(struct task *t, int sig)
{
	struct process *p = t->process;

	/* siglock held; orphan check needs the tasklist lock, which is outer */
	if (sig != SIGSTOP) {
		bool orphaned;

		spin_unlock_irq(&p->siglock);
		spin_lock_irq(&g_tasklist_lock);
		orphaned = pgrp_is_orphaned_locked(p->pgrp, NULL);
		spin_unlock_irq(&g_tasklist_lock);
		spin_lock_irq(&p->siglock);
		if (orphaned)
			return false;
	}
	return stop_begin_locked(t, sig);
}

/* Group exit, or exec of another thread: this one has to go. */
static noreturn void leave_killed(struct process *p)
{
	int status = p->flags & PROC_GROUP_EXIT ? p->exit_status : SIGKILL;
	bool exec = !(p->flags & PROC_GROUP_EXIT) && (p->flags & PROC_EXECING);

	spin_unlock_irq(&p->siglock);
	if (exec)
		task_exit(0);
	process_group_exit(status);
}

/* The next signal with a handler; default actions happen here. False: nothing left. */
static bool next_signal(struct task *t, struct delivery *d, struct pt_regs *regs)
{
	struct process *p = t->process;

	for (;;) {
		struct sigaction *sa;

		spin_lock_irq(&p->siglock);
		if (p->notify_parent) {
			int cause = p->notify_parent;

			p->notify_parent = 0;
			spin_unlock_irq(&p->siglock);
			stop_notify_parent(p, cause);
			continue;
		}
		if (unlikely(signal_fatal_pending(t)))
			leave_killed(p);
		if (unlikely(t->pt.trap)) {
			spin_unlock_irq(&p->siglock);
			ptrace_trap(t);
			continue;
		}
		if (t->stop_pending) {
			stop_participate(t);
			continue;
		}
		d->sig = signal_dequeue_locked(t, ~t->blocked, &d->info);
		if (!d->sig) {
			signal_recalc_own();
			spin_unlock_irq(&p->siglock);
			return false;
		}
		if (unlikely(g_process_trace) && d->sig != SIGKILL)
			g_process_trace->signal(t, d->sig, &d->info);
		if (unlikely(t->pt.tracer) && d->sig != SIGKILL) {
			spin_unlock_irq(&p->siglock);
			d->sig = ptrace_signal(t, d->sig, &d->info);
			if (!d->sig)
				continue;
			spin_lock_irq(&p->siglock);
		}
		sa = &p->sighand->action[d->sig - 1];
		spin_lock(&p->sighand->lock);
		d->sa = *sa;
		if ((sa->sa_flags & SA_RESETHAND) && sa->sa_handler != SIG_DFL &&
			sa->sa_handler != SIG_IGN)
			sa->sa_handler = SIG_DFL;
		spin_unlock(&p->sighand->lock);
		if (d->sa.sa_handler != SIG_DFL && d->sa.sa_handler != SIG_IGN) {
			spin_unlock_irq(&p->siglock);
			return true;
		}
		if (signal_is_ignored_by_default(d->sig) || d->sa.sa_handler == SIG_IGN ||
			((p->flags & PROC_UNKILLABLE) && d->sig != SIGKILL && d->sig != SIGSTOP)) {
			spin_unlock_irq(&p->siglock);
			continue;
		}
		if (sig_bit(d->sig) & SIG_STOP_MASK) {
			if (stop_default(t, d->sig))
				stop_participate(t);
			else
				spin_unlock_irq(&p->siglock);
			continue;
		}
		spin_unlock_irq(&p->siglock);
		die_of(d, regs);
	}
}

/* Before a handler runs: EINTR, or the call again after it. */
static void restart_with_handler(struct pt_regs *regs, const struct sigaction *sa)
{
	long nr = regs_syscall_nr(regs);

	if (nr < 0)
		return;
	switch (regs_return(regs)) {
	case -ERESTART_RESTARTBLOCK:
	case -ERESTARTNOHAND:
		regs_set_return(regs, -EINTR);
		break;
	case -ERESTARTSYS:
		if (!(sa->sa_flags & SA_RESTART)) {
			regs_set_return(regs, -EINTR);
			break;
		}
		fallthrough;
	case -ERESTARTNOINTR:
		regs_restart_syscall(regs, nr);
		break;
	}
	regs_forget_syscall(regs);
}

static void restart_without_handler(struct pt_regs *regs)
{
	long nr = regs_syscall_nr(regs);

	if (nr < 0)
		return;
	switch (regs_return(regs)) {
	case -ERESTARTNOHAND:
	case -ERESTARTSYS:
	case -ERESTARTNOINTR:
		regs_restart_syscall(regs, nr);
		regs_forget_syscall(regs);
		break;
	case -ERESTART_RESTARTBLOCK:
		regs_restart_syscall(regs, __NR_restart_syscall);
		regs_forget_syscall(regs);
		break;
	}
}

static bool on_altstack(const stack_t *ss, unsigned long sp)
{
	if (ss->ss_flags & SS_AUTODISARM)
		return false;
	return ss->ss_size && sp > (unsigned long)ss->ss_sp &&
		sp - (unsigned long)ss->ss_sp <= ss->ss_size;
}

static void run_handler(struct task *t, struct delivery *d, struct pt_regs *regs)
{
	struct signal_delivery sd = {
		.sig = d->sig,
		.sa = &d->sa,
		.info = &d->info,
		.old_mask = t->restore_saved_mask ? t->saved_mask : t->blocked,
		.altstack = t->altstack,
	};
	sigset_t mask = t->blocked | d->sa.sa_mask;
	bool stepping = t->pt.stepping;

	if (unlikely(stepping))
		ptrace_handler_begins(t, regs);
	restart_with_handler(regs, &d->sa);
	if (t->rseq)
		rseq_fix(t, regs, true);
	sd.on_altstack = (d->sa.sa_flags & SA_ONSTACK) && t->altstack.ss_size &&
		!on_altstack(&t->altstack, regs_sp(regs));
	sd.altstack.ss_flags = (t->altstack.ss_flags & SS_AUTODISARM) |
		(!t->altstack.ss_size                                      ? SS_DISABLE
				: on_altstack(&t->altstack, regs_sp(regs)) ? SS_ONSTACK
									   : 0);
	if (arch_signal_push(regs, &sd)) {
		t->restore_saved_mask = false;
		signal_force_segv(d->sig);
		return;
	}
	if (t->altstack.ss_flags & SS_AUTODISARM)
		t->altstack = (stack_t){.ss_flags = SS_DISABLE};
	if (!(d->sa.sa_flags & SA_NODEFER))
		mask |= sig_bit(d->sig);
	t->restore_saved_mask = false;
	task_set_blocked(mask);
	if (unlikely(stepping))
		ptrace_handler_set_up(t);
}

static void deliver_signals(struct task *t, struct pt_regs *regs)
{
	struct delivery d;

	if (next_signal(t, &d, regs)) {
		run_handler(t, &d, regs);
		return; /* the loop comes back for more */
	}
	restart_without_handler(regs);
	task_restore_mask(false);
}

static void clear_work(struct task *t, u32 bits)
{
	__atomic_fetch_and(&t->thread.arch.work, ~bits, __ATOMIC_ACQUIRE);
}

void process_exit_to_user(struct pt_regs *regs)
{
	struct task *t = current_task();

	for (;;) {
		u32 work = __atomic_load_n(&t->thread.arch.work, __ATOMIC_RELAXED);

		if (!work)
			return;
		irq_enable();
		if (work & WORK_RESCHED)
			sched_resched();
		if (work & WORK_TRACE_EXIT) {
			clear_work(t, WORK_TRACE_EXIT);
			ptrace_exit_work(regs);
		}
		if (work & WORK_NOTIFY) {
			clear_work(t, WORK_NOTIFY);
			task_work_run(t);
		}
		if (work & WORK_SIGNAL)
			deliver_signals(t, regs);
		if (work & WORK_RSEQ) {
			clear_work(t, WORK_RSEQ);
			rseq_fix(t, regs, false);
		}
		irq_disable();
	}
}

void process_fork_child(void)
{
	fork_set_child_tid(current_task());
}

/* ---- faults ---- */

static void log_fault(
	struct task *t, const struct pt_regs *regs, const struct fault_info *fi, int sig)
{
	__sighandler_t h = READ_ONCE(t->process->sighand->action[sig - 1].sa_handler);

	if (h != SIG_DFL && h != SIG_IGN && !(t->blocked & sig_bit(sig)))
		return;
	log_limited(LOG_INFO, "%s[%d]: segfault at %lx ip %lx sp %lx error %d", t->thread.name,
		task_tid(t), fi->addr, regs_ip(regs), regs_sp(regs),
		(fi->present ? 1 : 0) | (fi->write ? 2 : 0) | (fi->user ? 4 : 0) |
			(fi->exec ? 16 : 0));
}

bool process_page_fault(struct pt_regs *regs, const struct fault_info *fi)
{
	struct thread *th = current_thread();
	u32 access = MMU_USER | (fi->exec ? MMU_EXEC : fi->write ? MMU_WRITE : MMU_READ);
	int code = SEGV_MAPERR, err;
	struct task *t;
	u64 io_waits;

	if (!thread_is_task(th))
		return false;
	t = container_of(th, struct task, thread);
	if (!t->mm)
		return false;
	trace_event(TRACE_FAULT, fi->addr, regs_ip(regs));
	io_waits = th->nr_io_waits;
	err = mm_fault(t->mm, fi->addr, access, &code);
	if (likely(err == 0)) {
		if (unlikely(th->nr_io_waits != io_waits))
			t->majflt++; /* it slept until storage had brought the page */
		else
			t->minflt++;
		if (fi->user)
			balance_dirty(NULL); /* a store into a file's page is a write, too */
		else
			balance_dirty_briefly();
		return true;
	}
	if (!fi->user)
		return false;
	switch (err) {
	case -EINTR: /* a fatal signal: the way back to user mode takes it */
		return true;
	case -ENOMEM: /* the OOM killer has been asked; try again after others have run */
		sched_resched();
		return true;
	case -EIO:
		signal_force(SIGBUS, BUS_ADRERR, fi->addr);
		return false;
	default:
		log_fault(t, regs, fi, SIGSEGV);
		signal_force(SIGSEGV, code, fi->addr);
		return false;
	}
}

void process_user_exception(struct pt_regs *regs, int sig, int code, unsigned long addr)
{
	struct task *t = current_task();
	__sighandler_t h = READ_ONCE(t->process->sighand->action[sig - 1].sa_handler);

	trace_event(TRACE_EXCEPTION, (u64)sig, regs_ip(regs));
	if (h == SIG_DFL || h == SIG_IGN)
		log_limited(LOG_INFO, "traps: %s[%d] signal %d ip:%lx sp:%lx", t->thread.name,
			task_tid(t), sig, regs_ip(regs), regs_sp(regs));
	signal_force(sig, code, addr);
}
