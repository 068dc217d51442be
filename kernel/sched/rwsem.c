/*
 * Reader-writer semaphores: count holds WRITER (bit 0), WAITERS (bit 1) and the readers from bit 2
 * on. With WAITERS set nobody gets in by the short way; the queue (s->lock) is first come, first
 * served: a release hands the semaphore to the first writer, or to all readers before the next
 * writer.
 */
#include "sched.h"
#include <lib/atomic.h>
#include <lib/err.h>
#include <sched/mutex.h>

#define WRITER  1ll
#define WAITERS 2ll
#define READER  4ll

struct rwsem_waiter {
	struct list_head link; /* s->lock */
	struct thread *thread;
	bool write, granted; /* granted: s->lock */
};

void rwsem_init(struct rwsem *s, enum lock_rank rank)
{
	*s = (struct rwsem){.lock = SPINLOCK_INIT(RANK_WAITQUEUE)};
	list_init(&s->waiters);
#if DEBUG
	s->rank = (u16)rank;
#endif
}

static inline bool try_read(struct rwsem *s)
{
	s64 v = READ_ONCE(s->count);

	do {
		if (v & (WRITER | WAITERS))
			return false;
	} while (!__atomic_compare_exchange_n(
		&s->count, &v, v + READER, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

static inline bool try_write(struct rwsem *s)
{
	s64 v = 0;

	if (!__atomic_compare_exchange_n(
		    &s->count, &v, WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	WRITE_ONCE(s->owner, current_thread());
	return true;
}

/* Hand out what is free. */
static void grant_locked(struct rwsem *s)
{
	spin_assert_held(&s->lock);
	while (!list_empty(&s->waiters)) {
		struct rwsem_waiter *w = list_first_entry(&s->waiters, struct rwsem_waiter, link);
		s64 v = READ_ONCE(s->count);
		struct thread *t = w->thread;

		/* WAITERS is set, so only releases change the count beside us. */
		if ((v & WRITER) || (w->write && v >= READER))
			return;
		__atomic_fetch_add(&s->count, w->write ? WRITER : READER, __ATOMIC_ACQUIRE);
		if (w->write)
			WRITE_ONCE(s->owner, t);
		list_del(&w->link);
		w->granted = true;
		thread_wake(t); /* needs s->lock to go on */
	}
	__atomic_fetch_and(&s->count, ~WAITERS, __ATOMIC_RELAXED);
}

static noinline int lock_slow(struct rwsem *s, bool write, u32 state)
{
	struct rwsem_waiter w = {.thread = current_thread(), .write = write};
	unsigned long flags = spin_lock_irqsave(&s->lock);
	int err = 0;

	__atomic_fetch_or(&s->count, WAITERS, __ATOMIC_RELAXED);
	list_add_tail(&w.link, &s->waiters);
	grant_locked(s); /* it may have become free before WAITERS was set */
	for (;;) {
		thread_set_state(state);
		if (w.granted)
			break;
		if (signal_interrupts(w.thread, state)) {
			err = -ERESTARTSYS;
			break;
		}
		spin_unlock_irqrestore(&s->lock, flags);
		sched_block();
		flags = spin_lock_irqsave(&s->lock);
	}
	WRITE_ONCE(w.thread->state, THREAD_RUNNING);
	if (err) {
		list_del(&w.link);
		grant_locked(s); /* those behind may get in now; clears WAITERS */
	}
	spin_unlock_irqrestore(&s->lock, flags);
	return err;
}

static inline int read_lock(struct rwsem *s, u32 state)
{
	int err = 0;

	might_sleep();
	cond_resched();
	rank_acquire(lock_rank_of(s), false);
	if (unlikely(!try_read(s)))
		err = lock_slow(s, false, state);
	if (err)
		rank_release(lock_rank_of(s));
	return err;
}

static inline int write_lock(struct rwsem *s, u32 state, bool nested)
{
	int err = 0;

	might_sleep();
	cond_resched();
	rank_acquire(lock_rank_of(s), nested);
	if (unlikely(!try_write(s)))
		err = lock_slow(s, true, state);
	if (err)
		rank_release(lock_rank_of(s));
	return err;
}

void rwsem_read_lock(struct rwsem *s)
{
	(void)!read_lock(s, THREAD_SLEEPING);
}

int rwsem_read_lock_killable(struct rwsem *s)
{
	return read_lock(s, THREAD_KILLABLE);
}

bool rwsem_read_trylock(struct rwsem *s)
{
	if (!try_read(s))
		return false;
	rank_acquire(lock_rank_of(s), true);
	return true;
}

void rwsem_write_lock(struct rwsem *s)
{
	(void)!write_lock(s, THREAD_SLEEPING, false);
}

void rwsem_write_lock_nested(struct rwsem *s)
{
	(void)!write_lock(s, THREAD_SLEEPING, true);
}

int rwsem_write_lock_killable(struct rwsem *s)
{
	return write_lock(s, THREAD_KILLABLE, false);
}

bool rwsem_write_trylock(struct rwsem *s)
{
	if (!try_write(s))
		return false;
	rank_acquire(lock_rank_of(s), true);
	return true;
}

static noinline void released(struct rwsem *s)
{
	unsigned long flags = spin_lock_irqsave(&s->lock);

	grant_locked(s);
	spin_unlock_irqrestore(&s->lock, flags);
}

/* After the count no longer shows us, the semaphore's memory may go away unless there are waiters:
 * they keep it. */
void rwsem_read_unlock(struct rwsem *s)
{
	s64 v;

	rank_release(lock_rank_of(s));
	v = __atomic_sub_fetch(&s->count, READER, __ATOMIC_RELEASE);
	ASSERT(v >= 0);
	if (unlikely(v == WAITERS))
		released(s);
}

void rwsem_write_unlock(struct rwsem *s)
{
	s64 v;

	ASSERT(s->owner == current_thread());
	rank_release(lock_rank_of(s));
	WRITE_ONCE(s->owner, NULL);
	v = __atomic_sub_fetch(&s->count, WRITER, __ATOMIC_RELEASE);
	if (unlikely(v & WAITERS))
		released(s);
}

void rwsem_downgrade(struct rwsem *s)
{
	s64 v;

	WRITE_ONCE(s->owner, NULL);
	v = __atomic_add_fetch(&s->count, READER - WRITER, __ATOMIC_RELEASE);
	if (v & WAITERS)
		released(s);
}
