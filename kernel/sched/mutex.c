/*
 * Mutexes: owner is the owning thread with WAITERS in bit 0. Free: 0. Taking a free one and giving
 * up one that nobody waits for are one compare-exchange each. With waiters, unlock hands the mutex
 * to the first of them (m->lock guards the queue and the bit), so nobody starves.
 */
#include "sched.h"
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/mutex.h>

#define WAITERS     1ul
#define SPIN_ROUNDS 2000

struct mutex_waiter {
	struct list_head link; /* m->lock; empty: it has been given the mutex */
	struct thread *thread;
};

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	*m = (struct mutex){.lock = SPINLOCK_INIT(RANK_WAITQUEUE)};
	list_init(&m->waiters);
#if DEBUG
	m->rank = (u16)rank;
#endif
}

static inline struct thread *owner_of(unsigned long v)
{
	return (struct thread *)(v & ~WAITERS);
}

static inline bool try_take(struct mutex *m)
{
	unsigned long nobody = 0;

	return __atomic_compare_exchange_n(&m->owner, &nobody, (unsigned long)current_thread(),
		false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* While the owner runs on another CPU it will be done soon. The owner's structure cannot go away
 * meanwhile: threads are freed after a grace period, and this CPU is not quiescent here. */
static bool spin_on_owner(struct mutex *m)
{
	if (g_nr_cpus == 1)
		return false;
	for (int i = 0; i < SPIN_ROUNDS; i++) {
		unsigned long v = READ_ONCE(m->owner);
		struct thread *t = owner_of(v);

		if (!v && try_take(m))
			return true;
		if ((v & WAITERS) || (t && !READ_ONCE(t->on_cpu)) ||
			thread_has_work(current_thread(), WORK_RESCHED))
			return false;
		cpu_relax();
	}
	return false;
}

/* Take it, or queue with the WAITERS bit set. m->lock held. */
static bool take_or_queue_locked(struct mutex *m, struct mutex_waiter *w)
{
	unsigned long v = READ_ONCE(m->owner);

	spin_assert_held(&m->lock);
	for (;;) {
		if (!v) {
			if (try_take(m))
				return true;
			v = READ_ONCE(m->owner);
		} else if (__atomic_compare_exchange_n(&m->owner, &v, v | WAITERS, false,
				   __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
			list_add_tail(&w->link, &m->waiters);
			return false;
		}
	}
}

static noinline int lock_slow(struct mutex *m, u32 state)
{
	struct mutex_waiter w = {.thread = current_thread()};
	unsigned long flags;
	int err = 0;

	if (spin_on_owner(m))
		return 0;
	list_init(&w.link);
	flags = spin_lock_irqsave(&m->lock);
	if (take_or_queue_locked(m, &w)) {
		spin_unlock_irqrestore(&m->lock, flags);
		return 0;
	}
	for (;;) {
		thread_set_state(state);
		if (owner_of(READ_ONCE(m->owner)) == w.thread)
			break;
		if (signal_interrupts(w.thread, state)) {
			err = -ERESTARTSYS;
			break;
		}
		spin_unlock_irqrestore(&m->lock, flags);
		sched_block();
		flags = spin_lock_irqsave(&m->lock);
	}
	WRITE_ONCE(w.thread->state, THREAD_RUNNING);
	if (err) {
		list_del(&w.link);
		if (list_empty(&m->waiters))
			__atomic_fetch_and(&m->owner, ~WAITERS, __ATOMIC_RELAXED);
	}
	spin_unlock_irqrestore(&m->lock, flags);
	return err;
}

static inline int lock(struct mutex *m, u32 state, bool nested)
{
	int err;

	might_sleep();
	cond_resched();
	rank_acquire(lock_rank_of(m), nested);
	if (likely(try_take(m)))
		return 0;
#if DEBUG
	if (mutex_is_mine(m))
		panic("mutex %p taken twice by one thread", m);
#endif
	err = lock_slow(m, state);
	if (err)
		rank_release(lock_rank_of(m));
	return err;
}

void mutex_lock(struct mutex *m)
{
	(void)!lock(m, THREAD_SLEEPING, false);
}

void mutex_lock_nested(struct mutex *m)
{
	(void)!lock(m, THREAD_SLEEPING, true);
}

int mutex_lock_killable(struct mutex *m)
{
	return lock(m, THREAD_KILLABLE, false);
}

int mutex_lock_interruptible(struct mutex *m)
{
	return lock(m, THREAD_INTERRUPTIBLE, false);
}

bool mutex_trylock(struct mutex *m)
{
	if (!try_take(m))
		return false;
	rank_acquire(lock_rank_of(m), true); /* a try cannot deadlock */
	return true;
}

static noinline void unlock_slow(struct mutex *m)
{
	unsigned long flags = spin_lock_irqsave(&m->lock);

	if (list_empty(&m->waiters)) {
		store_release(&m->owner, 0);
	} else {
		struct mutex_waiter *w = list_first_entry(&m->waiters, struct mutex_waiter, link);
		struct thread *t = w->thread;

		list_del(&w->link);
		store_release(
			&m->owner, (unsigned long)t | (list_empty(&m->waiters) ? 0 : WAITERS));
		/* Under the lock: t needs it before it can go on, and w with it. */
		thread_wake(t);
	}
	spin_unlock_irqrestore(&m->lock, flags);
}

void mutex_unlock(struct mutex *m)
{
	unsigned long mine = (unsigned long)current_thread();

	ASSERT(mutex_is_mine(m));
	rank_release(lock_rank_of(m));
	if (unlikely(!__atomic_compare_exchange_n(
		    &m->owner, &mine, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)))
		unlock_slow(m);
}

bool mutex_is_mine(const struct mutex *m)
{
	return owner_of(READ_ONCE(m->owner)) == current_thread();
}
