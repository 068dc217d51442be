/* fork, vfork, clone, clone3, unshare, thread numbers and TLS. */
#include <linux/sched.h>
#include <process/signal.h>
#include <syscall/syscall.h>
#include <kmem/slab.h>
#include <lib/string.h>

#define SET_TID_LEVELS 32 /* nesting of pid namespaces that the ABI allows for */

long sys_fork(void)
{
	return task_clone(&(struct clone_args_k){.exit_signal = SIGCHLD});
}

long sys_vfork(void)
{
	return task_clone(
		&(struct clone_args_k){.flags = CLONE_VFORK | CLONE_VM, .exit_signal = SIGCHLD});
}

long sys_clone(unsigned long flags, unsigned long stack, int __user *parent_tid,
	int __user *child_tid, unsigned long tls)
{
	struct clone_args_k a = {
		.flags = (u32)flags & ~(u32)CSIGNAL,
		.exit_signal = (int)(flags & CSIGNAL),
		.stack = stack,
		.parent_tid = parent_tid,
		.child_tid = child_tid,
		.pidfd = parent_tid,
		.tls = tls,
	};

	if ((a.flags & CLONE_PIDFD) && (a.flags & CLONE_PARENT_SETTID))
		return -EINVAL; /* both want parent_tid */
	return task_clone(&a);
}

/* The extensible structure: missing fields are zero, unknown ones have to be. */
static int import_args(struct clone_args *to, const void __user *from, size_t size)
{
	u8 rest[64];

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	memset(to, 0, sizeof(*to));
	if (copy_from_user(to, from, min(size, sizeof(*to))))
		return -EFAULT;
	for (size_t done = sizeof(*to); done < size; done += sizeof(rest)) {
		size_t n = min(size - done, sizeof(rest));

		if (copy_from_user(rest, (const u8 __user *)from + done, n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (rest[i])
				return -E2BIG;
	}
	return 0;
}

static int check_args(const struct clone_args *u)
{
	if (u->flags & ~(0xfffffffful | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP))
		return -EINVAL;
	if (u->flags & (CLONE_DETACHED | (CSIGNAL & ~(u64)CLONE_NEWTIME)))
		return -EINVAL;
	if ((u->exit_signal & ~(u64)CSIGNAL) || u->exit_signal > NR_SIGNALS)
		return -EINVAL;
	if ((u->flags & (CLONE_THREAD | CLONE_PARENT)) && u->exit_signal)
		return -EINVAL;
	if (!u->stack != !u->stack_size || (u->stack && !user_range_ok(u->stack, u->stack_size)))
		return -EINVAL;
	if (!u->set_tid != !u->set_tid_size || u->set_tid_size > SET_TID_LEVELS)
		return -EINVAL;
	return u->set_tid_size > 1 ? -EINVAL : 0; /* one namespace only */
}

long sys_clone3(struct clone_args __user *args, size_t size)
{
	struct clone_args_k a;
	struct clone_args u;
	int err = import_args(&u, args, size);

	if (!err)
		err = check_args(&u);
	if (err)
		return err;
	a = (struct clone_args_k){
		.flags = u.flags,
		.pidfd = (int __user *)u.pidfd,
		.child_tid = (int __user *)u.child_tid,
		.parent_tid = (int __user *)u.parent_tid,
		.exit_signal = (int)u.exit_signal,
		.stack = u.stack,
		.stack_size = u.stack_size,
		.tls = u.tls,
		.set_tid_count = (u32)u.set_tid_size,
	};
	if (a.set_tid_count && get_user(a.set_tid[0], (s32 __user *)u.set_tid))
		return -EFAULT;
	return task_clone(&a);
}

long sys_unshare(unsigned long flags)
{
	return task_unshare(flags);
}

long sys_set_tid_address(int __user *tidptr)
{
	current_task()->clear_child_tid = tidptr;
	return task_tid(current_task());
}

long sys_arch_prctl(int op, unsigned long addr)
{
	return arch_prctl_call(&current_thread()->arch, op, addr);
}
