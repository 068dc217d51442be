/*
 * Ticket locks: the upper half of the word is the next ticket to give out, the lower half the one
 * that holds the lock. One atomic add takes the lock when it is free; unlock is a plain store.
 */
#ifndef CORE_SPINLOCK_IMPL_H
#define CORE_SPINLOCK_IMPL_H

#define SPIN_TICKET 0x10000u

void spin_wait(struct spinlock *l, u16 ticket); /* contended: until it is the ticket's turn */
#if DEBUG
void spin_debug_before(struct spinlock *l, bool nested); /* rank and recursion */
void spin_debug_locked(struct spinlock *l);
void spin_debug_unlock(struct spinlock *l);
int spin_debug_held(void); /* spinlocks that this CPU holds */
void spin_debug_not_held(const struct spinlock *l);
#else
static inline void spin_debug_before(struct spinlock *l, bool nested)
{
}
static inline void spin_debug_locked(struct spinlock *l)
{
}
static inline void spin_debug_unlock(struct spinlock *l)
{
}
#endif

static always_inline void spin_take(struct spinlock *l)
{
	u32 old = __atomic_fetch_add(&l->word, SPIN_TICKET, __ATOMIC_ACQUIRE);

	if (unlikely((u16)old != (u16)(old >> 16)))
		spin_wait(l, (u16)(old >> 16));
}

static inline void spin_lock(struct spinlock *l)
{
	spin_debug_before(l, false);
	spin_take(l);
	spin_debug_locked(l);
}

static inline void spin_lock_nested(struct spinlock *l)
{
	spin_debug_before(l, true);
	spin_take(l);
	spin_debug_locked(l);
}

static inline bool spin_trylock(struct spinlock *l)
{
	u32 old = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	if ((u16)old != (u16)(old >> 16) ||
		!__atomic_compare_exchange_n(&l->word, &old, old + SPIN_TICKET, false,
			__ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	spin_debug_locked(l);
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
	u16 *turn = (u16 *)&l->word; /* little endian; only the holder writes this half */

	spin_debug_unlock(l);
	__atomic_store_n(turn, (u16)(*turn + 1), __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	u32 v = __atomic_load_n(&l->word, __ATOMIC_RELAXED);

	return (u16)v != (u16)(v >> 16);
}

static inline void spin_assert_held(const struct spinlock *l)
{
#if DEBUG
	if (unlikely(!spin_is_locked(l) || l->owner_cpu != cpu_id()))
		spin_debug_not_held(l);
#endif
}

#endif
