/* poll, select and their relatives. */
#include <ipc/ipc.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/poll.h>
#include <process/signal.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

#define NFDS_ON_STACK 24

static long do_poll(struct pollfd __user *ufds, u32 n, s64 deadline)
{
	struct pollfd small[NFDS_ON_STACK], *fds = small;
	long r;

	if (n > rlimit(RLIMIT_NOFILE))
		return -EINVAL;
	if (n > NFDS_ON_STACK) {
		fds = kvmalloc(sizeof(*fds) * n, GFP_KERNEL);
		if (!fds)
			return -ENOMEM;
	}
	r = -EFAULT;
	if (copy_from_user(fds, ufds, sizeof(*fds) * n))
		goto out;
	r = poll_fds(current_task()->files, fds, n, deadline);
	if (r >= 0)
		for (u32 i = 0; i < n; i++)
			if (put_user(fds[i].revents, &ufds[i].revents)) {
				r = -EFAULT;
				break;
			}
out:
	if (fds != small)
		kvfree(fds);
	return r;
}

static long poll_restart(struct restart_block *rb)
{
	long r = do_poll((struct pollfd __user *)rb->arg[0], (u32)rb->arg[1], (s64)rb->arg[2]);

	return r == -ERESTARTSYS
		? restart_set(poll_restart, rb->arg[0], rb->arg[1], rb->arg[2], 0, 0)
		: r;
}

long sys_poll(struct pollfd __user *fds, unsigned int nfds, int timeout)
{
	s64 deadline = timeout < 0 ? TIME_NEVER
		: timeout == 0     ? 0
				   : deadline_after(timeout * NS_PER_MS);
	long r = do_poll(fds, nfds, deadline);

	if (r == -ERESTARTSYS)
		return restart_set(poll_restart, (u64)(uintptr_t)fds, nfds, (u64)deadline, 0, 0);
	return r;
}

/* A relative timeout in user memory to a deadline: NULL is never, zero doesn't wait. */
static int get_timeout(const struct __kernel_timespec __user *uts, s64 *deadline)
{
	struct __kernel_timespec ts;
	s64 ns;

	*deadline = TIME_NEVER;
	if (!uts)
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if (ns_from_timespec(&ts, &ns))
		return -EINVAL;
	*deadline = ns == 0 ? 0 : deadline_after(ns);
	return 0;
}

static s64 time_left(s64 deadline)
{
	return deadline == 0 ? 0 : max_t(s64, deadline - clock_mono_ns(), 0);
}

/* Linux writes the time that is left; a failure to do so is ignored, as the call has happened. */
static void put_timeout(struct __kernel_timespec __user *uts, s64 deadline)
{
	struct __kernel_timespec ts;

	if (!uts || (current_task()->personality & 0x4000000) /* STICKY_TIMEOUTS */)
		return;
	ts = ns_to_timespec(time_left(deadline));
	if (copy_to_user(uts, &ts, sizeof(ts)))
		return;
}

long sys_ppoll(struct pollfd __user *fds, unsigned int nfds,
	struct __kernel_timespec __user *timeout, const sigset_t __user *set, size_t sigsetsize)
{
	s64 deadline;
	long r;
	int err = get_timeout(timeout, &deadline);

	if (err)
		return err;
	if (set) {
		err = task_set_temp_mask(set, sigsetsize);
		if (err)
			return err;
	}
	r = do_poll(fds, nfds, deadline);
	if (set)
		task_restore_mask(r == -ERESTARTSYS);
	put_timeout(timeout, deadline);
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

/* ---- select ------------------------------------------------------------------------------------ */

#define SELECT_STACK_WORDS 36 /* six sets of 384 descriptors */

static long do_select(int n, void __user *const sets[3], s64 deadline)
{
	unsigned long small[SELECT_STACK_WORDS], *words = small, *in[3], *out[3];
	size_t len, bytes;
	long r;

	if (n < 0)
		return -EINVAL;
	n = (int)min_t(u64, (u64)n, fd_table_size(current_task()->files));
	len = div_round_up((size_t)n, 64);
	bytes = len * sizeof(long);
	if (len * 6 > SELECT_STACK_WORDS) {
		words = kvmalloc(bytes * 6, GFP_KERNEL);
		if (!words)
			return -ENOMEM;
	}
	memset(words, 0, bytes * 6);
	r = -EFAULT;
	for (int k = 0; k < 3; k++) {
		in[k] = words + len * (size_t)k;
		out[k] = words + len * (size_t)(k + 3);
		if (sets[k] && copy_from_user(in[k], sets[k], bytes))
			goto free;
		if (n % 64)
			in[k][len - 1] &= (1ul << (n % 64)) - 1;
	}
	r = select_fds(current_task()->files, n, in, out, deadline);
	if (r >= 0)
		for (int k = 0; k < 3; k++)
			if (sets[k] && copy_to_user(sets[k], out[k], bytes))
				r = -EFAULT;
free:
	if (words != small)
		kvfree(words);
	return r;
}

long sys_select(int n, void __user *in, void __user *out, void __user *ex,
	struct __kernel_old_timeval __user *timeout)
{
	void __user *const sets[3] = {in, out, ex};
	struct __kernel_old_timeval tv;
	s64 deadline = TIME_NEVER;
	long r;

	if (timeout) {
		s64 ns;

		if (copy_from_user(&tv, timeout, sizeof(tv)))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		if (__builtin_add_overflow(tv.tv_sec, tv.tv_usec / 1000000, &ns) ||
			__builtin_mul_overflow(ns, NS_PER_SEC, &ns) ||
			__builtin_add_overflow(ns, tv.tv_usec % 1000000 * NS_PER_US, &ns))
			ns = TIME_NEVER;
		deadline = ns == 0 ? 0 : deadline_after(ns);
	}
	r = do_select(n, sets, deadline);
	if (timeout && !(current_task()->personality & 0x4000000)) {
		s64 left = time_left(deadline);

		tv.tv_sec = left / NS_PER_SEC;
		tv.tv_usec = left % NS_PER_SEC / NS_PER_US;
		if (copy_to_user(timeout, &tv, sizeof(tv)))
			return r == -ERESTARTSYS ? -EINTR : r;
	}
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}

long sys_pselect6(int n, void __user *in, void __user *out, void __user *ex,
	struct __kernel_timespec __user *timeout, void __user *sig)
{
	void __user *const sets[3] = {in, out, ex};
	struct {
		const sigset_t __user *set;
		size_t size;
	} arg = {NULL, 0};
	s64 deadline;
	long r;
	int err;

	if (sig && copy_from_user(&arg, sig, sizeof(arg)))
		return -EFAULT;
	err = get_timeout(timeout, &deadline);
	if (!err && arg.set)
		err = task_set_temp_mask(arg.set, arg.size);
	if (err)
		return err;
	r = do_select(n, sets, deadline);
	if (arg.set)
		task_restore_mask(r == -ERESTARTSYS);
	put_timeout(timeout, deadline);
	return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
}
