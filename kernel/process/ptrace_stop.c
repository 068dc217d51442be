/* What a tracee does: stops, and asks its tracer about signals. */
#include "ptrace.h"
#include <linux/ptrace.h>
#include <arch/platform.h>

/* ---- the stop ---- */

void ptrace_notify_tracer_locked(struct task *t, int cause, int status)
{
	struct process *tracer = t->pt.tracer->process;
	siginfo_t info = {.si_signo = SIGCHLD, .si_code = cause};
	struct sigaction *sa;
	u64 utime, stime;

	thread_times(&t->thread, &utime, &stime);
	info.si_pid = task_tid(t);
	info.si_uid = t->thread.cred->uid;
	info.si_utime = (long)(utime / (NS_PER_SEC / 100));
	info.si_stime = (long)(stime / (NS_PER_SEC / 100));
	info.si_status = status;
	if (tracer == t->process)
		return;
	spin_lock(&tracer->siglock);
	sa = &tracer->sighand->action[SIGCHLD - 1];
	if (tracer->leader && sa->sa_handler != SIG_IGN && !(sa->sa_flags & SA_NOCLDSTOP))
		(void)signal_send_locked(tracer, NULL, SIGCHLD, &info, true);
	spin_unlock(&tracer->siglock);
	wake_up_all(&tracer->wait_child);
}

/* Sleep until somebody ends the stop. */
static void sleep_stopped(struct task *t)
{
	struct process *p = t->process;

	for (;;) {
		spin_lock_irq(&p->siglock);
		if (t->pt.stopped && signal_fatal_pending(t) && !t->pt.busy)
			t->pt.stopped = t->pt.waitable = t->pt.listening = false;
		if (!t->pt.stopped)
			break;
		thread_set_state(THREAD_STOPPED);
		spin_unlock_irq(&p->siglock);
		sched_block();
	}
	t->pt.info = NULL;
	t->pt.group_stop = false;
	t->pt.call_op = PTRACE_SYSCALL_INFO_NONE;
	signal_recalc(t); /* sets only: a call that was interrupted has yet to be restarted */
	spin_unlock_irq(&p->siglock);
	arch_regs_changed();
}

/* Is the stop's code a signal that was taken, for which the tracer decides? */
static bool takes_signal(int code, int cause)
{
	return cause == CLD_TRAPPED && code <= NR_SIGNALS;
}

void ptrace_stop(int code, int cause, unsigned long message, siginfo_t *info)
{
	struct task *t = current_task();
	struct process *p = t->process;
	bool last = false, tell_parent;

	if (t->pt.stepping)
		arch_step_end(arch_user_regs(t->thread.stack));
	t->pt.stepping = false;
	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	if (!t->pt.tracer || signal_fatal_pending(t)) {
		t->pt.resume_signal = takes_signal(code, cause) ? code : 0;
		t->pt.group_stop = false;
		spin_unlock(&p->siglock);
		spin_unlock_irq(&g_tasklist_lock);
		return;
	}
	t->pt.code = code;
	t->pt.cause = cause;
	t->pt.message = message;
	t->pt.info = info;
	t->pt.resume_signal = takes_signal(code, cause) ? code : 0;
	t->pt.stopped = t->pt.waitable = true;
	t->pt.listening = false;
	if (t->stop_pending) { /* it stands still: that is what the group stop wants of it */
		t->stop_pending = false;
		last = stop_counts_locked(p);
	}
	thread_set_state(THREAD_STOPPED);
	spin_unlock(&p->siglock);
	tell_parent = last && ptrace_reparented(t);
	ptrace_notify_tracer_locked(t, cause, code);
	spin_unlock_irq(&g_tasklist_lock);
	if (tell_parent)
		stop_notify_parent(p, CLD_STOPPED);
	sleep_stopped(t);
}

/* A stop that tells itself by a siginfo of its own. */
static void notify(int code, int cause, unsigned long message)
{
	siginfo_t info;

	signal_fill_user(&info, code & 0x7f, code);
	ptrace_stop(code, cause, message, &info);
}

void ptrace_trap(struct task *t)
{
	struct process *p = t->process;
	int sig;
	bool seized;

	spin_lock_irq(&p->siglock);
	t->pt.trap = false;
	seized = t->pt.seized;
	t->pt.group_stop = true;
	sig = p->stop_sig;
	if (seized && !(p->flags & PROC_STOPPED) && !p->stop_count)
		sig = SIGTRAP;
	spin_unlock_irq(&p->siglock);
	if (seized)
		notify(sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0);
	else
		ptrace_stop(sig, CLD_STOPPED, 0, NULL);
}

/* ---- signals ---- */

int ptrace_signal(struct task *t, int sig, siginfo_t *info)
{
	struct process *p = t->process;
	int now;

	/* Whether a stop counts is up to SIGCONTs from now on. */
	spin_lock_irq(&p->siglock);
	t->stop_dequeued = true;
	spin_unlock_irq(&p->siglock);
	ptrace_stop(sig, CLD_TRAPPED, 0, info);
	spin_lock_irq(&p->siglock);
	now = t->pt.resume_signal; /* the same one, if the tracer ended without looking */
	t->pt.resume_signal = 0;
	if (now && now != sig) {
		*info = (siginfo_t){.si_signo = now, .si_code = SI_USER};
		if (t->pt.tracer) {
			info->si_pid = process_pid(t->pt.tracer->process);
			info->si_uid = t->pt.tracer->thread.cred->uid;
		}
	}
	if (now && (t->blocked & sig_bit(now))) {
		(void)signal_send_locked(p, t, now, info, true);
		now = 0;
	}
	spin_unlock_irq(&p->siglock);
	return now;
}

/* ---- events ---- */

bool ptrace_event_wanted(const struct task *t, int event)
{
	return READ_ONCE(t->pt.tracer) && (READ_ONCE(t->pt.options) & (1u << event));
}

void ptrace_event(int event, unsigned long message)
{
	struct task *t = current_task();

	if (!ptrace_event_wanted(t, event))
		return;
	notify(SIGTRAP | event << 8, CLD_TRAPPED, message);
	/* A call that began unwatched: its exit was asked for meanwhile. */
	if (t->pt.mode != PTRACE_RUN && !t->pt.watched)
		__atomic_fetch_or(&t->thread.arch.work, WORK_TRACE_EXIT, __ATOMIC_RELAXED);
}

void ptrace_exec_event(s32 old_tid)
{
	struct task *t = current_task();

	if (ptrace_event_wanted(t, PTRACE_EVENT_EXEC)) {
		ptrace_event(PTRACE_EVENT_EXEC, (unsigned long)old_tid);
	} else if (READ_ONCE(t->pt.tracer) && !READ_ONCE(t->pt.seized)) {
		siginfo_t info;

		signal_fill_user(&info, SIGTRAP, SI_USER);
		(void)signal_send_task(t, SIGTRAP, &info);
	}
}

int ptrace_clone_event(const struct task *t, u64 flags, int exit_signal)
{
	int event = flags & CLONE_VFORK  ? PTRACE_EVENT_VFORK
		: exit_signal != SIGCHLD ? PTRACE_EVENT_CLONE
					 : PTRACE_EVENT_FORK;

	return !(flags & CLONE_UNTRACED) && ptrace_event_wanted(t, event) ? event : 0;
}

/* ---- system calls and steps ---- */

/* The only stop but a signal's for whose end the tracer may have a signal. */
static void call_stop(struct task *t, u8 op)
{
	unsigned long message = op == PTRACE_SYSCALL_INFO_ENTRY ? PTRACE_EVENTMSG_SYSCALL_ENTRY
								: PTRACE_EVENTMSG_SYSCALL_EXIT;
	bool good = READ_ONCE(t->pt.options) & PTRACE_O_TRACESYSGOOD;
	int sig;

	if (good) /* else nobody could tell it from a SIGTRAP */
		t->pt.call_op = op;
	notify(SIGTRAP | (good ? 0x80 : 0), CLD_TRAPPED, message);
	sig = t->pt.resume_signal;
	t->pt.resume_signal = 0;
	if (sig)
		(void)signal_send_task(t, sig, NULL);
}

bool ptrace_call_enter(struct pt_regs *regs)
{
	struct task *t = current_task();

	t->pt.watched = true;
	if (READ_ONCE(t->pt.tracer) && READ_ONCE(t->pt.mode) == PTRACE_CALLS)
		call_stop(t, PTRACE_SYSCALL_INFO_ENTRY);
	return !signal_fatal_pending(t);
}

void ptrace_call_exit(struct pt_regs *regs)
{
	struct task *t = current_task();

	t->pt.watched = false;
	if (!READ_ONCE(t->pt.tracer))
		return;
	if (READ_ONCE(t->pt.mode) == PTRACE_CALLS)
		call_stop(t, PTRACE_SYSCALL_INFO_EXIT);
	else if (READ_ONCE(t->pt.mode) == PTRACE_STEP)
		/* The call was the step: the trap flag counts from the next instruction on. */
		signal_force(SIGTRAP, TRAP_BRKPT, regs_ip(regs));
}

void ptrace_exit_work(struct pt_regs *regs)
{
	if (regs_syscall_nr(regs) != -1)
		ptrace_call_exit(regs);
}

void ptrace_handler_begins(struct task *t, struct pt_regs *regs)
{
	arch_step_end(regs); /* the frame is not to have it */
}

void ptrace_handler_set_up(struct task *t)
{
	t->pt.stepping = false;
	notify(SIGTRAP, CLD_TRAPPED, 0);
}
