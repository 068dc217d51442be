/*
 * Futexes. Waiters hang in hashed buckets; a bucket's lock guards its list and the waiters' bucket
 * pointers. A waker that changed the user word first looks whether the bucket is empty: the full
 * barrier there pairs with the one between a waiter's queueing and its look at the word, so one of
 * the two sees the other.
 */
#include "futex.h"
#include "sched.h"
#include <arch/uaccess.h>
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/atomic.h>
#include <lib/err.h>
#include <lib/hash.h>
#include <linux/futex.h>
#include <sched/futex.h>
#include <sched/timer.h>

#define MIN_BUCKETS    16u
#define MAX_BUCKETS    16384u
#define RAM_PER_BUCKET MiB(1)

static struct futex_bucket *g_buckets; /* immutable after init */
static u32 g_mask;

struct futex_bucket *futex_bucket_of(struct futex_key k)
{
	return &g_buckets[hash_u64(k.a ^ k.b * 0x9e3779b97f4a7c15ull) & g_mask];
}

static bool nobody(struct futex_bucket *b)
{
	smp_mb(); /* the user's change of the word is before; pairs with futex_queue() */
	return list_empty(&b->waiters);
}

static void queue_locked(struct futex_bucket *b, struct futex_waiter *w)
{
	spin_assert_held(&b->lock);
	w->bucket = b;
	list_add_tail(&w->link, &b->waiters);
	smp_mb(); /* before the word is read; pairs with nobody() */
}

/* The waiter lives on its thread's stack until bucket is NULL. The thread's structure outlives this
 * because threads are freed after a grace period. */
static void wake_locked(struct futex_waiter *w)
{
	struct thread *t = w->thread;

	spin_assert_held(&w->bucket->lock);
	list_del(&w->link);
	store_release(&w->bucket, NULL);
	thread_wake(t);
}

bool futex_unqueue(struct futex_waiter *w)
{
	for (;;) {
		struct futex_bucket *b = load_acquire(&w->bucket);
		bool still;

		if (!b)
			return false;
		spin_lock(&b->lock);
		if (w->bucket && w->bucket != b) { /* requeued meanwhile */
			spin_unlock(&b->lock);
			continue;
		}
		still = w->bucket;
		if (still) {
			list_del(&w->link);
			w->bucket = NULL;
		}
		spin_unlock(&b->lock);
		return still;
	}
}

int futex_queue(struct futex_waiter *w, u32 __user *uaddr, u32 expected)
{
	struct futex_bucket *b = futex_bucket_of(w->key);
	u32 val;
	int err;

	spin_lock(&b->lock);
	queue_locked(b, w);
	err = user_load32_nofault(&val, uaddr);
	if (likely(!err && val == expected)) {
		spin_unlock(&b->lock);
		return 0;
	}
	list_del(&w->link);
	w->bucket = NULL;
	spin_unlock(&b->lock);
	return err ? -EFAULT : -EAGAIN;
}

int futex_wait(
	struct futex_key key, u32 __user *uaddr, u32 expected, u32 bitset, struct deadline deadline)
{
	struct thread *t = current_thread();
	struct futex_waiter w = {.key = key, .bitset = bitset, .thread = t};
	bool late = false;
	int err = futex_queue(&w, uaddr, expected);

	if (err)
		return err;
	for (;;) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (!load_acquire(&w.bucket) || late || signal_interrupts(t, THREAD_INTERRUPTIBLE))
			break;
		late = sched_block_until_deadline(deadline);
	}
	WRITE_ONCE(t->state, THREAD_RUNNING);
	if (!futex_unqueue(&w))
		return 0;
	return late ? -ETIMEDOUT : -ERESTARTSYS;
}

/* One at least, as Linux: the number is looked at after each. -EINVAL: somebody waits for a requeue
 * to a PI lock, which nothing else may wake. */
static int wake_key_locked(struct futex_bucket *b, struct futex_key key, int nr, u32 bitset)
{
	struct futex_waiter *w, *next;
	int woken = 0;

	list_for_each_entry_safe(w, next, &b->waiters, link) {
		if (!futex_key_equal(w->key, key) || !(w->bitset & bitset))
			continue;
		if (w->pi)
			return -EINVAL;
		wake_locked(w);
		if (++woken >= nr)
			break;
	}
	return woken;
}

int futex_wake(struct futex_key key, int nr, u32 bitset)
{
	struct futex_bucket *b = futex_bucket_of(key);
	int woken;

	if (nobody(b))
		return 0;
	spin_lock(&b->lock);
	woken = wake_key_locked(b, key, nr, bitset);
	spin_unlock(&b->lock);
	return woken;
}

/* Two buckets in the order of their addresses. */
static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a > b)
		swap(a, b);
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

int futex_requeue(struct futex_key from, struct futex_key to, int nr_wake, int nr_move,
	const u32 __user *uaddr, const u32 *cmp)
{
	struct futex_bucket *a = futex_bucket_of(from), *b = futex_bucket_of(to);
	struct futex_waiter *w, *next;
	int done = 0, moved = 0;

	lock_two(a, b);
	if (cmp) {
		u32 val;
		int err = user_load32_nofault(&val, uaddr);

		if (err || val != *cmp) {
			unlock_two(a, b);
			return err ? -EFAULT : -EAGAIN;
		}
	}
	list_for_each_entry_safe(w, next, &a->waiters, link) {
		if (!futex_key_equal(w->key, from))
			continue;
		if (w->pi) {
			done = -EINVAL;
			moved = 0;
			break;
		}
		if (done < nr_wake) {
			wake_locked(w);
			done++;
			continue;
		}
		if (moved >= nr_move)
			break;
		w->key = to;
		if (a != b) {
			list_move_tail(&w->link, &b->waiters);
			store_release(&w->bucket, b);
		}
		moved++;
	}
	unlock_two(a, b);
	return done + moved;
}

static bool compare(int op, u32 old, u32 arg)
{
	switch (op) {
	case FUTEX_OP_CMP_EQ:
		return old == arg;
	case FUTEX_OP_CMP_NE:
		return old != arg;
	case FUTEX_OP_CMP_LT:
		return (s32)old < (s32)arg;
	case FUTEX_OP_CMP_LE:
		return (s32)old <= (s32)arg;
	case FUTEX_OP_CMP_GT:
		return (s32)old > (s32)arg;
	default:
		return (s32)old >= (s32)arg;
	}
}

int futex_wake_op(
	struct futex_key k1, struct futex_key k2, u32 __user *uaddr2, int nr1, int nr2, u32 encoded)
{
	struct futex_bucket *a = futex_bucket_of(k1), *b = futex_bucket_of(k2);
	int op = (int)(encoded >> 28 & 0xf), cmp = (int)(encoded >> 24 & 0xf);
	/* Both arguments are 12 bits with sign. */
	int oparg = (s32)(encoded << 8) >> 20, cmparg = (s32)(encoded << 20) >> 20;
	int err, woken;
	u32 prev;

	if (op & FUTEX_OP_OPARG_SHIFT) {
		oparg = (int)(1u << (oparg & 31));
		op &= ~FUTEX_OP_OPARG_SHIFT;
	}
	if (cmp > FUTEX_OP_CMP_GE)
		return -ENOSYS;
	lock_two(a, b);
	err = user_futex_op_nofault(uaddr2, op, oparg, &prev);
	if (err) {
		unlock_two(a, b);
		return err;
	}
	woken = wake_key_locked(a, k1, nr1, FUTEX_BITSET_MATCH_ANY);
	if (woken >= 0 && compare(cmp, prev, (u32)cmparg)) {
		int more = wake_key_locked(b, k2, nr2, FUTEX_BITSET_MATCH_ANY);

		woken = more < 0 ? more : woken + more;
	}
	unlock_two(a, b);
	return woken;
}

/* Take all off again; the index of one that had been woken, or -1. */
static int unqueue_many(struct futex_waiter *w, int n)
{
	int woken = -1;

	for (int i = 0; i < n; i++)
		if (!futex_unqueue(&w[i]) && woken < 0)
			woken = i;
	return woken;
}

static bool any_woken(const struct futex_waiter *w, int n)
{
	for (int i = 0; i < n; i++)
		if (!load_acquire(&w[i].bucket))
			return true;
	return false;
}

int futex_wait_many(struct futex_multi *v, int n, struct deadline deadline)
{
	struct thread *t = current_thread();
	struct futex_waiter *w = kcalloc((size_t)n, sizeof(*w), GFP_KERNEL);
	bool late = false;
	int ret = 0, queued;

	if (!w)
		return -ENOMEM;
	for (queued = 0; queued < n; queued++) {
		w[queued] = (struct futex_waiter){
			.key = v[queued].key, .bitset = FUTEX_BITSET_MATCH_ANY, .thread = t};
		ret = futex_queue(&w[queued], v[queued].uaddr, v[queued].expected);
		if (ret)
			break;
	}
	while (!ret) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (any_woken(w, n) || late || signal_interrupts(t, THREAD_INTERRUPTIBLE))
			break;
		late = sched_block_until_deadline(deadline);
	}
	WRITE_ONCE(t->state, THREAD_RUNNING);
	int woken = unqueue_many(w, queued);

	kfree(w);
	if (woken >= 0)
		return woken;
	return ret ? ret : late ? -ETIMEDOUT : -ERESTARTSYS;
}

static int futex_init(void)
{
	struct mem_stats m;
	u32 nr = MIN_BUCKETS;

	mem_get_stats(&m);
	while (nr < MAX_BUCKETS && nr * RAM_PER_BUCKET < m.total * PAGE_SIZE)
		nr *= 2;
	g_buckets = kmalloc(nr * sizeof(*g_buckets), GFP_KERNEL);
	if (!g_buckets)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		spin_init(&g_buckets[i].lock, RANK_FUTEX);
		list_init(&g_buckets[i].waiters);
		list_init(&g_buckets[i].pi_states);
	}
	g_mask = nr - 1;
	return 0;
}
INIT_HOOK(INIT_SCHED, futex_init);
