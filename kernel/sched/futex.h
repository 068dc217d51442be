/* Inside kernel/sched: buckets and waiters of futexes, shared by futex.c and futex_pi.c. */
#ifndef KERNEL_SCHED_FUTEX_H
#define KERNEL_SCHED_FUTEX_H

#include <core/spinlock.h>
#include <lib/rbtree.h>
#include <sched/futex.h>

struct futex_bucket {
	struct spinlock lock;
	struct list_head waiters;   /* lock */
	struct list_head pi_states; /* futex_pi.c's lock */
} cacheline_aligned;

struct futex_waiter {
	struct list_head link;       /* bucket's lock */
	struct futex_bucket *bucket; /* NULL: woken or moved to a PI lock; written under the lock of
					the bucket it names */
	struct futex_key key;        /* the same */
	u32 bitset;
	struct thread *thread;
	struct pi_waiter *pi; /* FUTEX_WAIT_REQUEUE_PI: moves on to this; NULL: an ordinary waiter */
};

struct futex_bucket *futex_bucket_of(struct futex_key k);
/* Queue w unless the word differs. 0, -EAGAIN, -EFAULT. */
int futex_queue(struct futex_waiter *w, u32 __user *uaddr, u32 expected) must_check;
/* Off its queue, wherever a requeue has put it. True when it was still queued. */
bool futex_unqueue(struct futex_waiter *w);

/* futex_pi.c: t's own priority has changed. */
void futex_pi_reorder(struct thread *t);

#endif
