/*
 * Restartable sequences: keep cpu_id in the registered area right, and send a thread that was
 * interrupted inside a critical section to the section's abort handler. A critical section makes no
 * system calls (rseq(2)), so one that gave up the CPU in a call needs nothing while it stays on its
 * CPU.
 */
#include "process.h"
#include <process/rseq.h>

#define RSEQ_SIZE 32 /* of the original struct rseq */
#define NO_RESTART                                                                \
	(RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT | RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL | \
		RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE)

static int put_ids(struct rseq __user *r, u32 start, u32 id)
{
	return put_user(start, &r->cpu_id_start) || put_user(id, &r->cpu_id) ? -EFAULT : 0;
}

/* 0, or -EFAULT / -EINVAL: the program broke the rules and gets SIGSEGV. */
static int abort_section(struct task *t, struct pt_regs *regs)
{
	struct rseq_cs cs;
	u32 sig, flags;
	u64 ptr;

	if (get_user(ptr, &t->rseq->rseq_cs))
		return -EFAULT;
	if (!ptr)
		return 0;
	if (copy_from_user(&cs, (void __user *)ptr, sizeof(cs)))
		return -EFAULT;
	if (cs.version > 0 || cs.start_ip >= USER_END || cs.abort_ip >= USER_END ||
		cs.start_ip + cs.post_commit_offset >= USER_END ||
		cs.start_ip + cs.post_commit_offset < cs.start_ip ||
		cs.abort_ip - cs.start_ip < cs.post_commit_offset)
		return -EINVAL;
	if (get_user(sig, (u32 __user *)(cs.abort_ip - sizeof(u32))))
		return -EFAULT;
	if (sig != t->rseq_sig)
		return -EINVAL;
	if (get_user(flags, &t->rseq->flags))
		return -EFAULT;
	if ((flags | cs.flags) & NO_RESTART)
		return -EINVAL; /* no longer supported */
	if (regs_ip(regs) - cs.start_ip >= cs.post_commit_offset)
		return put_user((u64)0, &t->rseq->rseq_cs) ? -EFAULT : 0;
	if (put_user((u64)0, &t->rseq->rseq_cs))
		return -EFAULT;
	regs_set_ip(regs, cs.abort_ip);
	return 0;
}

void rseq_fix(struct task *t, struct pt_regs *regs, bool signal)
{
	u32 cpu = (u32)cpu_id();

	if (!t->rseq)
		return;
	if (abort_section(t, regs) || put_ids(t->rseq, cpu, cpu))
		signal_force(SIGSEGV, SI_KERNEL, 0);
}

void rseq_fork(struct task *child, u64 clone_flags, const struct task *parent)
{
	if (clone_flags & CLONE_VM)
		return; /* another thread of the address space registers its own */
	child->rseq = parent->rseq;
	child->rseq_len = parent->rseq_len;
	child->rseq_sig = parent->rseq_sig;
	child->thread.switch_work = parent->thread.switch_work;
	child->thread.worked_cpu = -1;
	if (child->rseq)
		child->thread.arch.work |= WORK_RSEQ;
}

void rseq_exec(struct task *t)
{
	t->rseq = NULL;
	t->rseq_len = t->rseq_sig = 0;
	t->thread.switch_work &= ~WORK_RSEQ;
}

long rseq_register(struct rseq __user *r, u32 len, int flags, u32 sig)
{
	struct task *t = current_task();

	if (flags & RSEQ_FLAG_UNREGISTER) {
		if (flags & ~RSEQ_FLAG_UNREGISTER)
			return -EINVAL;
		if (t->rseq != r || !t->rseq || t->rseq_len != len)
			return -EINVAL;
		if (t->rseq_sig != sig)
			return -EPERM;
		if (put_ids(r, 0, (u32)RSEQ_CPU_ID_UNINITIALIZED))
			return -EFAULT;
		rseq_exec(t);
		return 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != r || t->rseq_len != len)
			return -EINVAL;
		return t->rseq_sig != sig ? -EPERM : -EBUSY;
	}
	if (!is_aligned((unsigned long)r, RSEQ_SIZE) || len != RSEQ_SIZE)
		return -EINVAL;
	if (!user_range_ok((unsigned long)r, len))
		return -EFAULT;
	t->rseq = r;
	t->rseq_len = len;
	t->rseq_sig = sig;
	t->thread.switch_work |= WORK_RSEQ;
	t->thread.worked_cpu = -1;
	thread_set_work(&t->thread, WORK_RSEQ);
	return 0;
}
