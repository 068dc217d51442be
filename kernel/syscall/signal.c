/* Signals: dispositions, masks, sending, waiting, return from handlers. */
#include <process/signal.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

long sys_rt_sigaction(int sig, const struct sigaction __user *act, struct sigaction __user *old,
	size_t sigsetsize)
{
	struct sigaction new_sa, old_sa;
	int err;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (act && copy_from_user(&new_sa, act, sizeof(new_sa)))
		return -EFAULT;
	err = signal_set_action(sig, act ? &new_sa : NULL, old ? &old_sa : NULL);
	if (err)
		return err;
	return old && copy_to_user(old, &old_sa, sizeof(old_sa)) ? -EFAULT : 0;
}

long sys_rt_sigprocmask(
	int how, const sigset_t __user *set, sigset_t __user *old, size_t sigsetsize)
{
	sigset_t before = current_task()->blocked, mask;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (set) {
		if (get_user(mask, set))
			return -EFAULT;
		switch (how) {
		case SIG_BLOCK:
			mask |= before;
			break;
		case SIG_UNBLOCK:
			mask = before & ~mask;
			break;
		case SIG_SETMASK:
			break;
		default:
			return -EINVAL;
		}
		task_set_blocked(mask);
	}
	return old && put_user(before, old) ? -EFAULT : 0;
}

long sys_rt_sigreturn(void)
{
	return signal_return();
}

long sys_restart_syscall(void)
{
	struct restart_block *rb = &current_task()->restart;

	return rb->fn ? rb->fn(rb) : -EINTR;
}

long sys_rt_sigpending(sigset_t __user *set, size_t sigsetsize)
{
	struct task *t = current_task();
	sigset_t pending = signal_pending_set(t) & t->blocked;

	if (sigsetsize > sizeof(sigset_t))
		return -EINVAL;
	return copy_to_user(set, &pending, sigsetsize) ? -EFAULT : 0;
}

long sys_rt_sigtimedwait(const sigset_t __user *uset, siginfo_t __user *uinfo,
	const struct __kernel_timespec __user *timeout, size_t sigsetsize)
{
	s64 deadline = TIME_NEVER, ns;
	struct __kernel_timespec ts;
	siginfo_t info;
	sigset_t set;
	int sig;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (get_user(set, uset))
		return -EFAULT;
	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (ns_from_timespec(&ts, &ns))
			return -EINVAL;
		deadline = ns ? deadline_after(ns) : 0;
	}
	sig = signal_wait(set, &info, deadline);
	if (sig > 0 && uinfo && siginfo_to_user(uinfo, &info))
		return -EFAULT;
	return sig;
}

static long wait_for_any(void)
{
	thread_set_state(THREAD_INTERRUPTIBLE);
	while (!signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE)) {
		sched_block();
		thread_set_state(THREAD_INTERRUPTIBLE);
	}
	thread_set_state(THREAD_RUNNING);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	return wait_for_any();
}

long sys_rt_sigsuspend(const sigset_t __user *set, size_t sigsetsize)
{
	struct task *t = current_task();
	sigset_t mask;

	if (sigsetsize != sizeof(sigset_t))
		return -EINVAL;
	if (get_user(mask, set))
		return -EFAULT;
	t->saved_mask = t->blocked;
	task_set_blocked(mask);
	wait_for_any();
	t->restore_saved_mask = true; /* after the handler has run */
	return -ERESTARTNOHAND;
}

long sys_sigaltstack(const stack_t __user *ss, stack_t __user *old)
{
	unsigned long sp = regs_sp(arch_user_regs(current_thread()->stack));
	stack_t new_stack, old_stack;
	int err;

	if (ss && copy_from_user(&new_stack, ss, sizeof(new_stack)))
		return -EFAULT;
	err = signal_set_altstack(ss ? &new_stack : NULL, &old_stack, sp);
	if (err)
		return err;
	return old && copy_to_user(old, &old_stack, sizeof(old_stack)) ? -EFAULT : 0;
}

long sys_kill(int pid, int sig)
{
	return signal_kill(pid, sig);
}

static long kill_thread(int tgid, int tid, int sig)
{
	siginfo_t info = {.si_signo = sig, .si_code = SI_TKILL};

	info.si_pid = process_pid(current_process());
	info.si_uid = current_cred()->uid;
	return signal_kill_thread(tgid, tid, sig, &info);
}

long sys_tkill(int tid, int sig)
{
	return tid <= 0 ? -EINVAL : kill_thread(0, tid, sig);
}

long sys_tgkill(int tgid, int tid, int sig)
{
	return tid <= 0 || tgid <= 0 ? -EINVAL : kill_thread(tgid, tid, sig);
}

/* What a program may claim about a signal that it sends to pid, which may be another thread of its
 * own. */
static int import_info(siginfo_t *info, const siginfo_t __user *uinfo, int sig, int pid)
{
	if (copy_from_user(info, uinfo, sizeof(*info)))
		return -EFAULT;
	info->si_signo = sig;
	if ((info->si_code >= 0 || info->si_code == SI_TKILL) && pid != task_tid(current_task()))
		return -EPERM;
	return 0;
}

/* Any thread's number names its process. Referenced or NULL. */
static struct process *find_by_thread(int pid)
{
	struct process *p = process_find(pid);
	struct task *t = p ? NULL : task_find(pid);

	if (t) {
		p = t->process;
		get_process(p);
		put_task(t);
	}
	return p;
}

long sys_rt_sigqueueinfo(int pid, int sig, siginfo_t __user *uinfo)
{
	struct process *p;
	siginfo_t info;
	long err = import_info(&info, uinfo, sig, pid);

	if (err)
		return err;
	p = find_by_thread(pid);
	if (!p)
		return -ESRCH;
	err = signal_queue_info(p, sig, &info);
	put_process(p);
	return err;
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, int sig, siginfo_t __user *uinfo)
{
	siginfo_t info;
	long err;

	if (tgid <= 0 || tid <= 0)
		return -EINVAL;
	err = import_info(&info, uinfo, sig, tid);
	return err ? err : signal_kill_thread(tgid, tid, sig, &info);
}
