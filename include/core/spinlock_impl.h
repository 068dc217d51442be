/* Ticket spinlocks: low half of the word is being served, high half is the next ticket. */
#ifndef CORE_SPINLOCK_IMPL_H
#define CORE_SPINLOCK_IMPL_H

#include <lib/atomic.h>

void spin_lock_slow(u32 *word, u16 ticket); /* waits until served */
#if DEBUG
void spin_debug_acquire(struct spinlock *l, bool nested); /* checks rank and recursion */
void spin_debug_acquired(struct spinlock *l);
void spin_debug_release(struct spinlock *l);
void spin_debug_held(const struct spinlock *l);
#endif

static inline void spin_take(struct spinlock *l)
{
	u32 old = __atomic_fetch_add(&l->word, 1u << 16, __ATOMIC_ACQUIRE);

	if (unlikely((u16)old != (u16)(old >> 16)))
		spin_lock_slow(&l->word, (u16)(old >> 16));
}

static inline void spin_lock(struct spinlock *l)
{
#if DEBUG
	spin_debug_acquire(l, false);
#endif
	spin_take(l);
#if DEBUG
	spin_debug_acquired(l);
#endif
}

static inline void spin_lock_nested(struct spinlock *l)
{
#if DEBUG
	spin_debug_acquire(l, true);
#endif
	spin_take(l);
#if DEBUG
	spin_debug_acquired(l);
#endif
}

static inline bool spin_trylock(struct spinlock *l)
{
	u32 old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	if ((u16)old != (u16)(old >> 16) ||
		!__atomic_compare_exchange_n(&l->word, &old, old + (1u << 16), false,
			__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
#if DEBUG
	spin_debug_acquired(l);
#endif
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
	u16 *serving = (u16 *)&l->word;

#if DEBUG
	spin_debug_release(l);
#endif
	/* Only the holder writes this half. */
	__atomic_store_n(serving, (u16)(*serving + 1), __ATOMIC_RELEASE);
}

static inline void spin_assert_held(const struct spinlock *l)
{
#if DEBUG
	spin_debug_held(l);
#endif
}

#endif
