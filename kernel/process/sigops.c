/* What programs ask for about their own signals: dispositions, alternate stack, waiting, return. */
#include "process.h"
#include <lib/string.h>

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif
#ifndef SA_EXPOSE_TAGBITS
#define SA_EXPOSE_TAGBITS 0x00000800
#endif
#define KNOWN_SA_FLAGS                                                                     \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | \
		SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER)
#define MIN_ALTSTACK 2048 /* MINSIGSTKSZ */

int signal_set_action(int sig, const struct sigaction *act, struct sigaction *old)
{
	struct process *p = current_process();
	struct sigaction *sa;
	struct task *t;

	if (sig < 1 || sig > NR_SIGNALS || (act && (sig == SIGKILL || sig == SIGSTOP)))
		return -EINVAL;
	sa = &p->sighand->action[sig - 1];
	if (!act) {
		spin_lock_irq(&p->sighand->lock);
		if (old)
			*old = *sa;
		spin_unlock_irq(&p->sighand->lock);
		return 0;
	}
	spin_lock_irq(&p->siglock);
	spin_lock(&p->sighand->lock);
	if (old)
		*old = *sa;
	*sa = *act;
	sa->sa_flags &= KNOWN_SA_FLAGS; /* so that programs can see what we don't know */
	sa->sa_mask &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	spin_unlock(&p->sighand->lock);
	if (signal_handler_ignored(p, sig)) {
		/* what is pending and now ignored is discarded, blocked or not */
		signal_flush(&p->pending, sig_bit(sig));
		for_each_thread(t, p) signal_flush(&t->pending, sig_bit(sig));
		if (sig == SIGALRM)
			real_timer_taken_locked(p);
	}
	spin_unlock_irq(&p->siglock);
	return 0;
}

static bool on_stack(const stack_t *ss, unsigned long sp)
{
	return !(ss->ss_flags & SS_AUTODISARM) && sp > (unsigned long)ss->ss_sp &&
		sp - (unsigned long)ss->ss_sp <= ss->ss_size;
}

int signal_set_altstack(const stack_t *new_stack, stack_t *old, unsigned long sp)
{
	struct task *t = current_task();
	stack_t *cur = &t->altstack;
	int mode;

	if (old) {
		*old = (stack_t){.ss_sp = cur->ss_sp, .ss_size = cur->ss_size};
		old->ss_flags = (int)(cur->ss_flags & SS_AUTODISARM);
		if (!cur->ss_size)
			old->ss_flags |= SS_DISABLE;
		else if (on_stack(cur, sp))
			old->ss_flags |= SS_ONSTACK;
	}
	if (!new_stack)
		return 0;
	if (cur->ss_size && on_stack(cur, sp))
		return -EPERM;
	mode = new_stack->ss_flags & (int)~SS_AUTODISARM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		*cur = (stack_t){.ss_flags = new_stack->ss_flags};
		return 0;
	}
	if (new_stack->ss_size < MIN_ALTSTACK)
		return -ENOMEM;
	*cur = *new_stack;
	return 0;
}

int signal_wait(sigset_t set, siginfo_t *info, s64 deadline_ns)
{
	struct task *t = current_task();
	struct process *p = t->process;
	bool timed_out = false;
	int sig;

	set &= ~(sig_bit(SIGKILL) | sig_bit(SIGSTOP));
	spin_lock_irq(&p->siglock);
	sig = signal_dequeue_locked(t, set, info);
	if (!sig && deadline_ns > clock_mono_ns()) {
		/* Unblocked meanwhile, so that senders wake us; real_blocked keeps them from
		 * ignoring or killing what we wait for. */
		t->real_blocked = t->blocked;
		signal_set_blocked_locked(t->blocked & ~set);
		spin_unlock_irq(&p->siglock);
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (!signal_interrupts(&t->thread, THREAD_INTERRUPTIBLE))
			timed_out = sched_block_until(deadline_ns);
		thread_set_state(THREAD_RUNNING);
		spin_lock_irq(&p->siglock);
		sig = signal_dequeue_locked(t, set, info);
		signal_set_blocked_locked(t->real_blocked);
		t->real_blocked = 0;
	} else {
		timed_out = true;
		signal_recalc_own();
	}
	spin_unlock_irq(&p->siglock);
	if (sig)
		return sig;
	return timed_out ? -EAGAIN : -EINTR;
}

long signal_return(void)
{
	struct task *t = current_task();
	struct pt_regs *regs = arch_user_regs(t->thread.stack);
	sigset_t mask;
	stack_t alt;

	t->restart.fn = NULL;
	if (arch_signal_return(regs, &mask, &alt)) {
		signal_force(SIGSEGV, SI_KERNEL, 0);
		return 0;
	}
	task_set_blocked(mask);
	if (signal_set_altstack(&alt, NULL, regs_sp(regs)))
		t->restart.fn = NULL; /* Linux ignores a bad setting in the frame */
	regs_forget_syscall(regs);
	return regs_return(regs);
}

long restart_set(long (*fn)(struct restart_block *), u64 a0, u64 a1, u64 a2, u64 a3, u64 a4)
{
	current_task()->restart = (struct restart_block){fn, {a0, a1, a2, a3, a4, 0}};
	return -ERESTART_RESTARTBLOCK;
}

int siginfo_to_user(siginfo_t __user *to, const siginfo_t *from)
{
	return copy_to_user(to, from, sizeof(*from));
}
