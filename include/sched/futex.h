/*
 * Futex core: hashed buckets, keys given by the caller (process/futex glue makes keys out of
 * addresses: private = (mm, address), shared = (object or inode, offset)).
 * Every wait re-reads the user word under the bucket lock through a _nofault load.
 */
#ifndef SCHED_FUTEX_H
#define SCHED_FUTEX_H

#include <sched/timer.h>
#include <sched/wait.h>

struct futex_key {
	u64 a; /* mm pointer, or object id */
	u64 b; /* address or offset, in bytes; bit 0 set for shared keys */
};
static inline bool futex_key_equal(struct futex_key x, struct futex_key y)
{
	return x.a == y.a && x.b == y.b;
}

/* load(ctx, &val): 0 or -EFAULT without sleeping (user_load32_nofault). Returns 0 woken, -EAGAIN
 * value differs, -ETIMEDOUT, -ERESTARTSYS signal, -EFAULT from load (caller faults in, retries). */
int futex_wait(struct futex_key key, u32 __user *uaddr, u32 expected, u32 bitset,
	struct deadline deadline) must_check;
int futex_wake(struct futex_key key, int nr, u32 bitset); /* number woken */
/* FUTEX_REQUEUE/CMP_REQUEUE: cmp NULL for no compare; -EAGAIN differs, -EFAULT, else woken + moved.
 */
int futex_requeue(struct futex_key from, struct futex_key to, int nr_wake, int nr_move,
	const u32 __user *uaddr, const u32 *cmp) must_check;
/* Woken on 1 plus, if the op's comparison holds, on 2. -EFAULT, -ENOSYS. encoded: linux/futex.h */
int futex_wake_op(struct futex_key k1, struct futex_key k2, u32 __user *uaddr2, int nr1, int nr2,
	u32 encoded) must_check;
/* futex_waitv: waits for any of n (at most 128); index of the woken one, or errors as futex_wait. */
struct futex_multi {
	struct futex_key key;
	u32 __user *uaddr;
	u32 expected;
};
int futex_wait_many(struct futex_multi *v, int n, struct deadline deadline) must_check;

/*
 * Priority inheritance (futex_pi.c). tid: the caller's, as the word has it. -EFAULT everywhere: the
 * page must be brought in for writing, then again.
 *
 * lock: 0 owned, -EAGAIN (only_try) owned by another, -EDEADLK, -ESRCH no such owner, -EINVAL the
 * word contradicts what the kernel knows, -ETIMEDOUT, -ERESTARTNOINTR, -ENOMEM.
 * unlock: -EPERM not the owner.
 * wait_requeue: waits on the first word to be moved to the second, which is then owned: -EAGAIN the
 * word differs, or a signal came after the move; -ETIMEDOUT, -ERESTARTNOINTR, -EDEADLK.
 * cmp_requeue: number moved, the first of which may have got the lock; -EAGAIN, -EINVAL others wait
 * there, -ESRCH, -EDEADLK.
 */
int futex_lock_pi(struct futex_key key, u32 __user *uaddr, u32 tid, struct deadline deadline,
	bool only_try) must_check;
int futex_unlock_pi(struct futex_key key, u32 __user *uaddr, u32 tid) must_check;
int futex_wait_requeue_pi(struct futex_key key, u32 __user *uaddr, u32 expected,
	struct futex_key target, u32 __user *uaddr2, u32 tid, struct deadline deadline) must_check;
int futex_cmp_requeue_pi(struct futex_key from, struct futex_key to, int nr_move, u32 __user *uaddr,
	u32 cmp, u32 __user *uaddr2) must_check;
/* The thread's locks go to their first waiters: it dies (then nobody queues up behind it any more)
 * or leaves its address space. */
void futex_pi_release(struct thread *t, bool dying);
/* How to find a living user thread by its id; RCU held. NULL: none. Set once. */
void futex_pi_set_find(struct thread *(*find)(u32 tid));

#endif
