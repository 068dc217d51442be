/* ptrace(2): one small function for each kind of request. */
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <linux/audit.h>
#include <linux/elf.h>
#include <linux/ptrace.h>
#include <process/ptrace.h>
#include <process/signal.h>
#include <syscall/syscall.h>

#define REGS_SIZE   (27 * sizeof(u64))
#define FPREGS_SIZE 512ul

static struct pt_regs *regs_of(struct task *t)
{
	return arch_user_regs(t->thread.stack);
}

/* ---- words ---- */

static long peek_memory(struct task *t, unsigned long addr, unsigned long data)
{
	u64 v;

	if (ptrace_access(t, addr, &v, sizeof(v), false) != sizeof(v))
		return -EIO;
	return put_user(v, (u64 __user *)data);
}

static long poke_memory(struct task *t, unsigned long addr, u64 v)
{
	return ptrace_access(t, addr, &v, sizeof(v), true) == sizeof(v) ? 0 : -EIO;
}

static long peek_user(struct task *t, unsigned long addr, unsigned long data)
{
	u64 v;
	int err = arch_peek_user(&t->thread.arch, regs_of(t), addr, &v);

	return err ? err : put_user(v, (u64 __user *)data);
}

/* ---- register sets ---- */

static long get_regs(struct task *t, void __user *to, size_t len)
{
	u64 regs[REGS_SIZE / sizeof(u64)];

	arch_core_regs(&t->thread.arch, regs_of(t), regs);
	return copy_to_user(to, regs, min(len, sizeof(regs))) ? -EFAULT : 0;
}

static long set_regs(struct task *t, const void __user *from, size_t len)
{
	u64 regs[REGS_SIZE / sizeof(u64)];

	len = min(len, sizeof(regs));
	if (copy_from_user(regs, from, len))
		return -EFAULT;
	return arch_set_user_regs(&t->thread.arch, regs_of(t), regs, (u32)(len / sizeof(u64)));
}

static size_t state_size(void)
{
	return max(arch_core_fpu_size(), FPREGS_SIZE);
}

static long get_state(struct task *t, void __user *to, size_t len)
{
	void *state = kzalloc(state_size(), GFP_KERNEL);
	long r;

	if (!state)
		return -ENOMEM;
	arch_core_fpu(&t->thread.arch, state);
	r = copy_to_user(to, state, len) ? -EFAULT : 0;
	kfree(state);
	return r;
}

/* The legacy part, or with whole all of it, as NT_X86_XSTATE has it. */
static long set_state(struct task *t, const void __user *from, size_t len, bool whole)
{
	void *state = kzalloc(state_size(), GFP_KERNEL);
	long r;

	if (!state)
		return -ENOMEM;
	arch_core_fpu(&t->thread.arch, state); /* for what isn't given */
	if (copy_from_user(state, from, len))
		r = -EFAULT;
	else if (whole)
		r = arch_set_xstate(&t->thread.arch, state);
	else
		r = arch_set_fpregs(&t->thread.arch, state);
	kfree(state);
	return r;
}

static long regset(struct task *t, unsigned long type, struct iovec __user *uiov, bool set)
{
	void __user *base;
	struct iovec iov;
	size_t size;
	long r;

	if (copy_from_user(&iov, uiov, sizeof(iov)))
		return -EFAULT;
	base = (void __user *)(unsigned long)iov.iov_base;
	switch (type) {
	case NT_PRSTATUS:
		size = REGS_SIZE;
		break;
	case NT_PRFPREG:
		size = FPREGS_SIZE;
		break;
	case NT_X86_XSTATE:
		if (!arch_core_has_xstate())
			return -ENODEV;
		size = arch_core_fpu_size();
		break;
	default:
		return -EINVAL;
	}
	if (iov.iov_len % sizeof(u64))
		return -EINVAL;
	iov.iov_len = min(iov.iov_len, size);
	if (type == NT_PRSTATUS)
		r = set ? set_regs(t, base, iov.iov_len) : get_regs(t, base, iov.iov_len);
	else if (!set)
		r = get_state(t, base, iov.iov_len);
	else if (type == NT_X86_XSTATE && iov.iov_len < size)
		r = -EFAULT;
	else
		r = set_state(t, base, iov.iov_len, type == NT_X86_XSTATE);
	return r ? r : put_user(iov.iov_len, &uiov->iov_len);
}

/* ---- signals ---- */

static long get_siginfo(struct task *t, siginfo_t __user *to)
{
	siginfo_t info;
	int err = ptrace_get_siginfo(t, &info);

	return err ? err : siginfo_to_user(to, &info);
}

static long set_siginfo(struct task *t, const siginfo_t __user *from)
{
	siginfo_t info;

	if (copy_from_user(&info, from, sizeof(info)))
		return -EFAULT;
	return ptrace_set_siginfo(t, &info);
}

static long peek_siginfo(struct task *t, const void __user *uargs, siginfo_t __user *to)
{
	struct ptrace_peeksiginfo_args a;
	siginfo_t info;
	long n;

	if (copy_from_user(&a, uargs, sizeof(a)))
		return -EFAULT;
	if ((a.flags & ~(u32)PTRACE_PEEKSIGINFO_SHARED) || a.nr < 0)
		return -EINVAL;
	for (n = 0; n < a.nr; n++) {
		if (!ptrace_peek_siginfo(
			    t, a.flags & PTRACE_PEEKSIGINFO_SHARED, a.off + (u64)n, &info))
			break;
		if (siginfo_to_user(&to[n], &info))
			return n ? n : -EFAULT;
		if (signal_is_pending())
			return n + 1;
		cond_resched();
	}
	return n;
}

static long mask(struct task *t, unsigned long size, sigset_t __user *u, bool set)
{
	sigset_t m = t->blocked;

	if (size != sizeof(m))
		return -EINVAL;
	if (!set)
		return copy_to_user(u, &m, sizeof(m)) ? -EFAULT : 0;
	if (copy_from_user(&m, u, sizeof(m)))
		return -EFAULT;
	ptrace_set_mask(t, m);
	return 0;
}

/* ---- where it stopped ---- */

static long get_syscall_info(struct task *t, unsigned long size, void __user *to)
{
	const struct pt_regs *regs = regs_of(t);
	struct ptrace_syscall_info info = {
		.op = t->pt.call_op,
		.arch = AUDIT_ARCH_X86_64,
		.instruction_pointer = regs_ip(regs),
		.stack_pointer = regs_sp(regs),
	};
	size_t len = offsetof(struct ptrace_syscall_info, entry);
	long ret;

	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		info.entry.nr = (u64)regs_syscall_nr(regs);
		for (int i = 0; i < 6; i++)
			info.entry.args[i] = regs_arg(regs, i);
		len += sizeof(info.entry);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		ret = regs_return(regs);
		info.exit.rval = ret;
		info.exit.is_error = is_err((void *)ret);
		len = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
	}
	return copy_to_user(to, &info, min(len, (size_t)size)) ? -EFAULT : (long)len;
}

/* ---- the call ---- */

/* Requests of a tracee that is held. Those that let it go release it themselves. */
static long on_held(struct task *t, long request, unsigned long addr, unsigned long data)
{
	void __user *user = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek_memory(t, addr, data);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke_memory(t, addr, data);
	case PTRACE_PEEKUSR:
		return peek_user(t, addr, data);
	case PTRACE_POKEUSR:
		return arch_poke_user(&t->thread.arch, regs_of(t), addr, data);
	case PTRACE_GETREGS:
		return get_regs(t, user, REGS_SIZE);
	case PTRACE_SETREGS:
		return set_regs(t, user, REGS_SIZE);
	case PTRACE_GETFPREGS:
		return get_state(t, user, FPREGS_SIZE);
	case PTRACE_SETFPREGS:
		return set_state(t, user, FPREGS_SIZE, false);
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		return regset(t, addr, user, request == PTRACE_SETREGSET);
	case PTRACE_OLDSETOPTIONS:
	case PTRACE_SETOPTIONS:
		return ptrace_set_options(t, data);
	case PTRACE_GETEVENTMSG:
		return put_user(t->pt.message, (unsigned long __user *)data);
	case PTRACE_GETSIGINFO:
		return get_siginfo(t, user);
	case PTRACE_SETSIGINFO:
		return set_siginfo(t, user);
	case PTRACE_PEEKSIGINFO:
		return peek_siginfo(t, (const void __user *)addr, user);
	case PTRACE_GETSIGMASK:
	case PTRACE_SETSIGMASK:
		return mask(t, addr, user, request == PTRACE_SETSIGMASK);
	case PTRACE_GET_SYSCALL_INFO:
		return get_syscall_info(t, addr, user);
	default:
		return -EIO;
	}
}

static long on_tracee(struct task *t, long request, unsigned long addr, unsigned long data)
{
	long r;

	if (request == PTRACE_KILL)
		return ptrace_kill(t);
	if (request == PTRACE_INTERRUPT)
		return ptrace_interrupt(t);
	r = ptrace_hold(t);
	if (r)
		return r;
	switch (request) {
	case PTRACE_CONT:
		return ptrace_resume(t, PTRACE_RUN, data);
	case PTRACE_SYSCALL:
		return ptrace_resume(t, PTRACE_CALLS, data);
	case PTRACE_SINGLESTEP:
		return ptrace_resume(t, PTRACE_STEP, data);
	case PTRACE_DETACH:
		return ptrace_detach(t, data);
	case PTRACE_LISTEN:
		return ptrace_listen(t);
	default:
		r = on_held(t, request, addr, data);
		ptrace_release(t);
		return r;
	}
}

long sys_ptrace(long request, long pid, unsigned long addr, unsigned long data)
{
	struct task *t;
	long r;

	if (request == PTRACE_TRACEME)
		return ptrace_traceme();
	t = task_find((s32)pid);
	if (!t)
		return -ESRCH;
	if (request == PTRACE_ATTACH)
		r = ptrace_attach(t, false, 0);
	else if (request == PTRACE_SEIZE)
		r = addr ? -EIO : ptrace_attach(t, true, data);
	else
		r = on_tracee(t, request, addr, data);
	put_task(t);
	return r;
}
