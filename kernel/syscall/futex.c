/* Futexes: keys and timeouts around the core in sched/futex.h; robust lists. */
#include <kmem/slab.h>
#include <linux/futex.h>
#include <process/signal.h>
#include <sched/futex.h>
#include <sched/timer.h>
#include <syscall/syscall.h>

#define WAITV_MAX 128

static int get_key(u32 __user *uaddr, bool shared, struct futex_key *key)
{
	unsigned long a = (unsigned long)uaddr;

	if (!is_aligned(a, sizeof(u32)))
		return -EINVAL;
	if (!user_range_ok(a, sizeof(u32)))
		return -EFAULT;
	return mm_futex_key(current_mm(), a, shared, &key->a, &key->b);
}

/* The core met a page that isn't there. 0: it is now. */
static int fault_in(u32 __user *uaddr, bool write)
{
	u32 v;

	return write ? user_cmpxchg32(uaddr, 0, 0, &v) : get_user(v, uaddr);
}

static int do_wait(u32 __user *uaddr, u32 val, u32 bitset, bool shared, struct deadline deadline)
{
	struct futex_key key;
	int err;

	if (!bitset)
		return -EINVAL;
	do {
		err = get_key(uaddr, shared, &key);
		if (err)
			return err;
		err = futex_wait(key, uaddr, val, bitset, deadline);
	} while (err == -EFAULT && !fault_in(uaddr, false));
	return err;
}

#define WAIT_SHARED 1 /* flags in the restart block */
#define WAIT_WALL   2

static long wait_restart(struct restart_block *rb)
{
	struct deadline d = {.ns = (s64)rb->arg[3], .wall = rb->arg[4] & WAIT_WALL};

	return do_wait((u32 __user *)rb->arg[0], (u32)rb->arg[1], (u32)rb->arg[2],
		rb->arg[4] & WAIT_SHARED, d);
}

static long wait_until(
	u32 __user *uaddr, u32 val, u32 bitset, bool shared, struct deadline deadline)
{
	int err = do_wait(uaddr, val, bitset, shared, deadline);

	/* With a timeout the rest of it counts after the signal, and a handler means EINTR. */
	if (err == -ERESTARTSYS && deadline.ns != TIME_NEVER)
		return restart_set(wait_restart, (u64)(uintptr_t)uaddr, val, bitset,
			(u64)deadline.ns,
			(shared ? WAIT_SHARED : 0) | (deadline.wall ? WAIT_WALL : 0));
	return err;
}

/* FUTEX_WAIT's timeout is relative, the others' absolute on the clock that the op names. */
static int get_deadline(const void __user *utime, int cmd, bool realtime, struct deadline *deadline)
{
	struct __kernel_timespec ts;
	s64 ns;
	int err;

	*deadline = (struct deadline){.ns = TIME_NEVER};
	if (!utime)
		return 0;
	if (copy_from_user(&ts, utime, sizeof(ts)))
		return -EFAULT;
	err = ns_from_timespec(&ts, &ns);
	if (err)
		return err;
	if (cmd == FUTEX_WAIT)
		deadline->ns = deadline_after(ns);
	else
		*deadline = (struct deadline){.ns = ns, .wall = realtime};
	return 0;
}

static long do_wake(u32 __user *uaddr, int nr, u32 bitset, bool shared)
{
	struct futex_key key;
	int err = bitset ? get_key(uaddr, shared, &key) : -EINVAL;

	return err ? err : futex_wake(key, nr, bitset);
}

static long do_requeue(u32 __user *uaddr, u32 __user *uaddr2, int nr_wake, int nr_move,
	const u32 *cmp, bool shared)
{
	struct futex_key from, to;
	int err;

	if (nr_wake < 0 || nr_move < 0)
		return -EINVAL;
	do {
		err = get_key(uaddr, shared, &from);
		if (!err)
			err = get_key(uaddr2, shared, &to);
		if (err)
			return err;
		err = futex_requeue(from, to, nr_wake, nr_move, uaddr, cmp);
	} while (err == -EFAULT && !fault_in(uaddr, false));
	return err;
}

static long do_wake_op(u32 __user *uaddr, u32 __user *uaddr2, int nr1, int nr2, u32 op, bool shared)
{
	struct futex_key k1, k2;
	int err;

	do {
		err = get_key(uaddr, shared, &k1);
		if (!err)
			err = get_key(uaddr2, shared, &k2);
		if (err)
			return err;
		err = futex_wake_op(k1, k2, uaddr2, nr1, nr2, op);
	} while (err == -EFAULT && !fault_in(uaddr2, true));
	return err;
}

/* ---- priority inheritance ---- */

static u32 own_tid(void)
{
	return (u32)task_tid(current_task());
}

static long do_lock_pi(u32 __user *uaddr, bool shared, struct deadline deadline, bool only_try)
{
	struct futex_key key;
	int err;

	do {
		err = get_key(uaddr, shared, &key);
		if (err)
			return err;
		err = futex_lock_pi(key, uaddr, own_tid(), deadline, only_try);
	} while (err == -EFAULT && !fault_in(uaddr, true));
	return err;
}

static long do_unlock_pi(u32 __user *uaddr, bool shared)
{
	struct futex_key key;
	u32 v;
	int err;

	/* Who isn't the owner learns that first, whatever else is wrong with the word. */
	if (get_user(v, uaddr))
		return -EFAULT;
	if ((v & FUTEX_TID_MASK) != own_tid())
		return -EPERM;
	do {
		err = get_key(uaddr, shared, &key);
		if (err)
			return err;
		err = futex_unlock_pi(key, uaddr, own_tid());
	} while (err == -EFAULT && !fault_in(uaddr, true));
	return err;
}

static int two_keys(u32 __user *uaddr, u32 __user *uaddr2, bool shared, struct futex_key *k1,
	struct futex_key *k2)
{
	int err = get_key(uaddr, shared, k1);

	if (!err)
		err = get_key(uaddr2, shared, k2);
	return !err && futex_key_equal(*k1, *k2) ? -EINVAL : err;
}

static int fault_in_both(u32 __user *uaddr, u32 __user *uaddr2)
{
	int err = fault_in(uaddr, false);

	return err ? err : fault_in(uaddr2, true);
}

static long do_wait_requeue_pi(
	u32 __user *uaddr, u32 val, u32 __user *uaddr2, bool shared, struct deadline deadline)
{
	struct futex_key k1, k2;
	int err;

	do {
		err = two_keys(uaddr, uaddr2, shared, &k1, &k2);
		if (err)
			return err;
		err = futex_wait_requeue_pi(k1, uaddr, val, k2, uaddr2, own_tid(), deadline);
	} while (err == -EFAULT && !fault_in_both(uaddr, uaddr2));
	return err;
}

static long do_cmp_requeue_pi(
	u32 __user *uaddr, u32 __user *uaddr2, int nr_wake, int nr_move, u32 cmp, bool shared)
{
	struct futex_key from, to;
	int err;

	if (nr_wake != 1 || nr_move < 0)
		return -EINVAL;
	do {
		err = two_keys(uaddr, uaddr2, shared, &from, &to);
		if (err)
			return err;
		err = futex_cmp_requeue_pi(from, to, nr_move, uaddr, cmp, uaddr2);
	} while (err == -EFAULT && !fault_in_both(uaddr, uaddr2));
	return err;
}

/* Those whose timeout may be on CLOCK_REALTIME. */
static bool may_be_realtime(int cmd)
{
	return cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_WAIT_REQUEUE_PI || cmd == FUTEX_LOCK_PI2;
}

static bool has_timeout(int cmd)
{
	return may_be_realtime(cmd) || cmd == FUTEX_WAIT || cmd == FUTEX_LOCK_PI;
}

long sys_futex(u32 __user *uaddr, int op, unsigned int val, void __user *timeout,
	u32 __user *uaddr2, unsigned int val3)
{
	int cmd = op & FUTEX_CMD_MASK, val2 = (int)(uintptr_t)timeout;
	bool shared = !(op & FUTEX_PRIVATE_FLAG), realtime = op & FUTEX_CLOCK_REALTIME;
	struct deadline deadline;
	int err;

	if (has_timeout(cmd)) {
		err = get_deadline(timeout, cmd, realtime || cmd == FUTEX_LOCK_PI, &deadline);
		if (err)
			return err;
	}
	if (realtime && !may_be_realtime(cmd))
		return -ENOSYS;
	switch (cmd) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		return wait_until(uaddr, val, cmd == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY : val3,
			shared, deadline);
	case FUTEX_WAKE:
		return do_wake(uaddr, (int)val, FUTEX_BITSET_MATCH_ANY, shared);
	case FUTEX_WAKE_BITSET:
		return do_wake(uaddr, (int)val, val3, shared);
	case FUTEX_REQUEUE:
		return do_requeue(uaddr, uaddr2, (int)val, val2, NULL, shared);
	case FUTEX_CMP_REQUEUE:
		return do_requeue(uaddr, uaddr2, (int)val, val2, &val3, shared);
	case FUTEX_WAKE_OP:
		return do_wake_op(uaddr, uaddr2, (int)val, val2, val3, shared);
	case FUTEX_LOCK_PI:
	case FUTEX_LOCK_PI2:
		return do_lock_pi(uaddr, shared, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return do_lock_pi(uaddr, shared, (struct deadline){.ns = TIME_NEVER}, true);
	case FUTEX_UNLOCK_PI:
		return do_unlock_pi(uaddr, shared);
	case FUTEX_WAIT_REQUEUE_PI:
		return do_wait_requeue_pi(uaddr, val, uaddr2, shared, deadline);
	case FUTEX_CMP_REQUEUE_PI:
		return do_cmp_requeue_pi(uaddr, uaddr2, (int)val, val2, val3, shared);
	default:
		syscall_log_unknown("futex", (unsigned long)cmd);
		return -ENOSYS;
	}
}

/* ---- futex_waitv
 * --------------------------------------------------------------------------------- */

static int import_waiters(struct futex_multi *v, const struct futex_waitv __user *waiters, u32 nr)
{
	for (u32 i = 0; i < nr; i++) {
		struct futex_waitv w;

		if (copy_from_user(&w, &waiters[i], sizeof(w)))
			return -EFAULT;
		if ((w.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG)) || w.__reserved ||
			!(w.flags & FUTEX_32))
			return -EINVAL;
		v[i].uaddr = (u32 __user *)(uintptr_t)w.uaddr;
		v[i].expected = (u32)w.val;
		int err = get_key(v[i].uaddr, !(w.flags & FUTEX_PRIVATE_FLAG), &v[i].key);

		if (err)
			return err;
	}
	return 0;
}

static int waitv_deadline(
	const struct __kernel_timespec __user *utime, int clock, struct deadline *deadline)
{
	struct __kernel_timespec ts;
	s64 ns;
	int err;

	*deadline = (struct deadline){.ns = TIME_NEVER};
	if (!utime)
		return 0;
	if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
		return -EINVAL;
	if (copy_from_user(&ts, utime, sizeof(ts)))
		return -EFAULT;
	err = ns_from_timespec(&ts, &ns);
	return err ? err : deadline_on(clock, ns, deadline);
}

/* Every page there, so that the core's loads without sleeping can go on. */
static int fault_in_all(struct futex_multi *v, u32 nr)
{
	for (u32 i = 0; i < nr; i++)
		if (fault_in(v[i].uaddr, false))
			return -EFAULT;
	return 0;
}

long sys_futex_waitv(struct futex_waitv __user *waiters, unsigned int nr, unsigned int flags,
	struct __kernel_timespec __user *timeout, int clock)
{
	struct futex_multi *v;
	struct deadline deadline;
	int err;

	if (flags || !nr || nr > WAITV_MAX || !waiters)
		return -EINVAL;
	err = waitv_deadline(timeout, clock, &deadline);
	if (err)
		return err;
	v = kcalloc(nr, sizeof(*v), GFP_KERNEL);
	if (!v)
		return -ENOMEM;
	do {
		err = import_waiters(v, waiters, nr);
		if (err)
			break;
		err = futex_wait_many(v, (int)nr, deadline);
	} while (err == -EFAULT && !fault_in_all(v, nr));
	kfree(v);
	return err;
}

/* ---- robust lists: process/exit walks them
 * ----------------------------------------------------------- */

long sys_set_robust_list(struct robust_list_head __user *head, size_t len)
{
	if (len != sizeof(*head))
		return -EINVAL;
	current_task()->robust_list = head;
	return 0;
}

long sys_get_robust_list(int pid, void __user *head, void __user *len)
{
	struct robust_list_head __user *list = current_task()->robust_list;
	struct task_access a;
	bool allowed;

	if (pid) {
		struct task *t = task_find(pid);

		if (!t)
			return -ESRCH;
		do {
			allowed = task_access_begin(&a, t, true);
			list = READ_ONCE(t->robust_list);
		} while (!task_access_end(&a));
		put_task(t);
		if (!allowed)
			return -EPERM;
	}
	if (put_user(sizeof(*list), (size_t __user *)len))
		return -EFAULT;
	return put_user((u64)(uintptr_t)list, (u64 __user *)head);
}
