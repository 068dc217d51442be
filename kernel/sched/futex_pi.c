/*
 * Futexes with priority inheritance (futex(2), "Priority-inheritance futexes").
 *
 * The word holds the owner's thread id. While threads wait in the kernel there is a pi_state for
 * the lock: it names the owner, has the waiters in the order of their priorities, and hangs in the
 * owner's tree of contended locks. An owner runs at the priority of the first waiter of any of its
 * locks, if that is higher than its own; if it waits for a lock itself it takes its new place there,
 * and so on along the chain. Chains have no cycles: who would close one gets EDEADLK instead.
 *
 * g_lock guards all of it. It is taken in contended calls only and no user page is waited for under
 * it. Giving up a contended lock hands it to the first waiter, word included. A dying owner hands
 * on its locks without touching the words; the heir writes the word itself, and until it has the
 * state stays, so that those who read the dead owner's id meanwhile queue up behind it.
 */
#include "futex.h"
#include "sched.h"
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <linux/futex.h>
#include <sched/timer.h>

#define MAX_CHAIN 1024 /* as Linux's kernel.max_lock_depth; longer counts as a deadlock */

static DEFINE_SPINLOCK(g_lock, RANK_FUTEX_PI); /* inside a bucket's */

struct pi_state {
	struct list_head link; /* bucket's */
	struct futex_key key;
	struct thread *owner; /* alive: it lets go of its locks before it dies */
	struct rb_node owned; /* in owner->pi_owned, by top, highest first */
	u8 top;               /* priority of the first waiter; 0: not real-time */
	struct rb_root waiters;
	u32 users; /* waiters, and heirs that have not written the word yet */
};

/* Lives on its thread's stack until "granted", or until the thread takes it off. */
struct pi_waiter {
	struct rb_node node;
	struct thread *thread;
	u32 tid;
	struct pi_state *state; /* that it waits for, or is the heir of; NULL: none */
	u8 prio;
	bool heir;               /* the owner died */
	bool granted;            /* the lock is ours; release/acquire */
	struct futex_key target; /* of a waiter to be requeued */
};

static struct thread *(*g_find_thread)(u32 tid); /* set once at start-up */

void futex_pi_set_find(struct thread *(*find)(u32 tid))
{
	g_find_thread = find;
}

/* ---- order ------------------------------------------------------------------------------------- */

/* Behind its equals: who came first goes first. */
static void insert_waiter(struct pi_state *s, struct pi_waiter *w)
{
	struct rb_node **link = &s->waiters.node, *parent = NULL;

	w->prio = w->thread->eff_priority;
	while (*link) {
		parent = *link;
		link = w->prio > rb_entry(parent, struct pi_waiter, node)->prio ? &parent->left
										: &parent->right;
	}
	rb_insert(&s->waiters, &w->node, parent, link);
}

static struct pi_waiter *first_waiter(const struct pi_state *s)
{
	struct rb_node *n = rb_first(&s->waiters);

	return n ? rb_entry(n, struct pi_waiter, node) : NULL;
}

static void own(struct pi_state *s, struct thread *t)
{
	struct rb_node **link = &t->pi_owned.node, *parent = NULL;
	struct pi_waiter *w = first_waiter(s);

	s->owner = t;
	s->top = w ? w->prio : 0;
	while (*link) {
		parent = *link;
		link = s->top > rb_entry(parent, struct pi_state, owned)->top ? &parent->left
									      : &parent->right;
	}
	rb_insert(&t->pi_owned, &s->owned, parent, link);
}

static void disown(struct pi_state *s)
{
	rb_erase(&s->owner->pi_owned, &s->owned);
}

/* t's locks or their waiters have changed. The state whose order changes in turn, or NULL. */
static struct pi_state *inherit(struct thread *t)
{
	struct rb_node *n = rb_first(&t->pi_owned);
	u8 prio = n ? rb_entry(n, struct pi_state, owned)->top : 0;
	struct pi_waiter *w = t->pi_blocked;

	if (prio != t->pi_priority)
		thread_set_inherited(t, prio);
	if (!w || w->prio == t->eff_priority)
		return NULL;
	rb_erase(&w->state->waiters, &w->node);
	insert_waiter(w->state, w);
	return w->state;
}

static void propagate(struct pi_state *s)
{
	while (s) {
		struct thread *t = s->owner;

		disown(s);
		own(s, t);
		s = inherit(t);
	}
}

static bool would_deadlock(const struct pi_state *s, const struct thread *me)
{
	for (int depth = 0; depth < MAX_CHAIN; depth++) {
		if (s->owner == me)
			return true;
		if (!s->owner->pi_blocked)
			return false;
		s = s->owner->pi_blocked->state;
	}
	return true;
}

/* ---- states
 * -------------------------------------------------------------------------------------- */

static struct pi_state *find_state(struct futex_key key)
{
	struct pi_state *s;

	list_for_each_entry(s, &futex_bucket_of(key)->pi_states, link)
		if (futex_key_equal(s->key, key))
			return s;
	return NULL;
}

static void unuse(struct pi_state *s)
{
	if (--s->users)
		return;
	disown(s);
	(void)inherit(
		s->owner); /* changes no order: the owner's own place is propagated by callers */
	list_del(&s->link);
	kfree(s);
}

static void enqueue_waiter(struct pi_state *s, struct pi_waiter *w)
{
	w->state = s;
	s->users++;
	insert_waiter(s, w);
	w->thread->pi_blocked = w;
	propagate(s);
}

static void dequeue_waiter(struct pi_waiter *w)
{
	rb_erase(&w->state->waiters, &w->node);
	w->thread->pi_blocked = NULL;
}

/* A waiter that gives up. */
static void leave(struct pi_waiter *w)
{
	struct pi_state *s = w->state;

	dequeue_waiter(w);
	propagate(s);
	unuse(s);
}

/* The first waiter becomes the owner and wakes up. */
static void hand_over(struct pi_state *s, struct pi_waiter *w, bool died)
{
	struct thread *old = s->owner, *t = w->thread;

	dequeue_waiter(w);
	disown(s);
	(void)inherit(old); /* it runs: it waits for nothing */
	own(s, t);
	(void)inherit(t); /* neither does this one any more */
	w->heir = died;
	if (!died)
		unuse(s);
	store_release(&w->granted, true); /* w may be gone now */
	thread_wake(t);
}

/*
 * Take the lock for w if it is free, else queue w. *fresh is a state that may be used up. 1: taken,
 * 0: queued, -EFAULT: the page must be brought in, -EDEADLK, -ESRCH: no such owner, -EINVAL: the
 * word contradicts the state, -EAGAIN: owned, and only a try.
 */
static int take_or_queue(struct futex_key key, u32 __user *uaddr, struct pi_waiter *w,
	struct pi_state **fresh, bool only_try)
{
	struct pi_state *s;
	struct thread *owner;
	u32 v, prev;

	for (;;) {
		if (user_load32_nofault(&v, uaddr))
			return -EFAULT;
		if ((v & FUTEX_TID_MASK) == w->tid)
			return -EDEADLK;
		s = find_state(key);
		if (s && !(v & (FUTEX_TID_MASK | FUTEX_OWNER_DIED)))
			return -EINVAL;
		if (s)
			break;
		if (!(v & FUTEX_TID_MASK)) {
			if (user_cmpxchg32_nofault(
				    uaddr, v, w->tid | (v & FUTEX_OWNER_DIED), &prev))
				return -EFAULT;
			if (prev == v)
				return 1;
			continue;
		}
		rcu_read_lock();
		owner = g_find_thread(v & FUTEX_TID_MASK);
		if (owner && owner->pi_dead)
			owner = NULL;
		rcu_read_unlock(); /* alive, and has to take g_lock before it dies */
		/* Marked in any case, as on Linux; and if it is still the owner now, it was then. */
		if (user_cmpxchg32_nofault(uaddr, v, v | FUTEX_WAITERS, &prev))
			return -EFAULT;
		if (prev != v)
			continue;
		if (!owner)
			return -ESRCH;
		if (only_try)
			return -EAGAIN;
		s = *fresh;
		*fresh = NULL;
		*s = (struct pi_state){.key = key};
		list_add(&s->link, &futex_bucket_of(key)->pi_states);
		own(s, owner);
		break;
	}
	if (only_try)
		return -EAGAIN;
	s->users++; /* while we look */
	if (would_deadlock(s, w->thread)) {
		unuse(s);
		return -EDEADLK;
	}
	enqueue_waiter(s, w);
	s->users--;
	return 0;
}

/* ---- calls
 * --------------------------------------------------------------------------------------- */

/* The heir of a dead owner writes its id into the word; then the state is no longer needed. */
static int take_over(struct pi_waiter *w, u32 __user *uaddr)
{
	u32 v, prev;
	int err = get_user(v, uaddr) ? -EFAULT : 0;

	while (!err) {
		if (user_cmpxchg32(uaddr, v, w->tid | FUTEX_WAITERS | FUTEX_OWNER_DIED, &prev))
			err = -EFAULT;
		else if (prev == v)
			break;
		v = prev;
	}
	spin_lock(&g_lock);
	unuse(w->state);
	spin_unlock(&g_lock);
	return err;
}

/* Sleep until the lock is granted. True: the time was up first, unless it was granted since. */
static bool wait_granted(struct pi_waiter *w, struct deadline deadline)
{
	bool late = false;

	for (;;) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (load_acquire(&w->granted) || late ||
			signal_interrupts(w->thread, THREAD_INTERRUPTIBLE))
			break;
		late = sched_block_until_deadline(deadline);
	}
	WRITE_ONCE(w->thread->state, THREAD_RUNNING);
	return late;
}

/* Stop waiting. True: the lock was granted meanwhile. */
static bool stop_waiting(struct pi_waiter *w)
{
	bool granted;

	if (load_acquire(&w->granted))
		return true;
	spin_lock(&g_lock);
	granted = w->granted;
	if (!granted)
		leave(w);
	spin_unlock(&g_lock);
	return granted;
}

int futex_lock_pi(
	struct futex_key key, u32 __user *uaddr, u32 tid, struct deadline deadline, bool only_try)
{
	struct pi_waiter w = {.thread = current_thread(), .tid = tid};
	struct pi_state *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
	bool late;
	int r;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&g_lock);
	r = take_or_queue(key, uaddr, &w, &fresh, only_try);
	spin_unlock(&g_lock);
	kfree(fresh);
	if (r)
		return min(r, 0);
	late = wait_granted(&w, deadline);
	if (!stop_waiting(&w))
		return late ? -ETIMEDOUT : -ERESTARTNOINTR;
	return w.heir ? take_over(&w, uaddr) : 0;
}

static int unlock_locked(struct futex_key key, u32 __user *uaddr, u32 tid)
{
	for (;;) {
		struct pi_state *s = find_state(key);
		struct pi_waiter *w = s ? first_waiter(s) : NULL;
		u32 v, prev;

		if (user_load32_nofault(&v, uaddr))
			return -EFAULT;
		if ((v & FUTEX_TID_MASK) != tid)
			return -EPERM;
		if (s && s->owner != current_thread())
			return -EINVAL;
		if (user_cmpxchg32_nofault(uaddr, v, w ? w->tid | FUTEX_WAITERS : 0, &prev))
			return -EFAULT;
		if (prev != v)
			continue;
		if (w)
			hand_over(s, w, false);
		return 0;
	}
}

int futex_unlock_pi(struct futex_key key, u32 __user *uaddr, u32 tid)
{
	int err;

	spin_lock(&g_lock);
	err = unlock_locked(key, uaddr, tid);
	spin_unlock(&g_lock);
	return err;
}

int futex_wait_requeue_pi(struct futex_key key, u32 __user *uaddr, u32 expected,
	struct futex_key target, u32 __user *uaddr2, u32 tid, struct deadline deadline)
{
	struct thread *t = current_thread();
	struct pi_waiter pi = {.thread = t, .tid = tid, .target = target};
	struct futex_waiter w = {
		.key = key, .bitset = FUTEX_BITSET_MATCH_ANY, .thread = t, .pi = &pi};
	bool late;
	int err = futex_queue(&w, uaddr, expected);

	if (err)
		return err;
	late = wait_granted(&pi, deadline);
	if (futex_unqueue(&w)) /* never moved */
		return late ? -ETIMEDOUT : -ERESTARTNOINTR;
	if (!stop_waiting(&pi)) /* the first wait is over: no restart of the whole */
		return late ? -ETIMEDOUT : -EAGAIN;
	return pi.heir ? take_over(&pi, uaddr2) : 0;
}

/* Move one waiter on: it gets the lock and wakes up, or waits for it. Both locks are held. */
static int move_on(
	struct futex_waiter *w, struct futex_key to, u32 __user *uaddr2, struct pi_state **fresh)
{
	struct pi_waiter *pi = w->pi;
	struct thread *t = w->thread;
	int r;

	if (!pi || !futex_key_equal(pi->target, to))
		return -EINVAL;
	r = take_or_queue(to, uaddr2, pi, fresh, false);
	if (r < 0)
		return r;
	list_del(&w->link);
	store_release(&w->bucket, NULL);
	if (r == 0)
		return 0;
	store_release(&pi->granted, true); /* w and pi may be gone now */
	thread_wake(t);
	return 0;
}

int futex_cmp_requeue_pi(struct futex_key from, struct futex_key to, int nr_move, u32 __user *uaddr,
	u32 cmp, u32 __user *uaddr2)
{
	struct pi_state *fresh = kmalloc(sizeof(*fresh), GFP_KERNEL);
	struct futex_bucket *b = futex_bucket_of(from);
	struct futex_waiter *w, *next;
	int err, moved = 0;
	u32 v;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&b->lock);
	spin_lock(&g_lock);
	err = user_load32_nofault(&v, uaddr) ? -EFAULT : v != cmp ? -EAGAIN : 0;
	if (!err)
		list_for_each_entry_safe(w, next, &b->waiters, link) {
			if (!futex_key_equal(w->key, from))
				continue;
			if (moved > nr_move) /* one that may wake up, and nr_move */
				break;
			err = move_on(w, to, uaddr2, &fresh);
			if (err)
				break;
			moved++;
		}
	spin_unlock(&g_lock);
	spin_unlock(&b->lock);
	kfree(fresh);
	return moved ? moved : err;
}

/* ---- changes from outside
 * ------------------------------------------------------------------------ */

void futex_pi_reorder(struct thread *t)
{
	spin_lock(&g_lock);
	propagate(inherit(t));
	spin_unlock(&g_lock);
}

void futex_pi_release(struct thread *t, bool dying)
{
	struct rb_node *n;

	spin_lock(&g_lock);
	t->pi_dead = dying;
	while ((n = rb_first(&t->pi_owned))) {
		struct pi_state *s = rb_entry(n, struct pi_state, owned);

		/* There is a waiter: an heir would be t itself. */
		hand_over(s, first_waiter(s), true);
		spin_unlock(&g_lock);
		cond_resched();
		spin_lock(&g_lock);
	}
	spin_unlock(&g_lock);
}
