/*
 * Spinlocks: one compare-exchange takes the lock when it is free; unlock is a plain store. There is
 * no queue on purpose: in a virtual machine the CPU whose turn it is may not be running, and then
 * all behind it would wait for the host's scheduler (measured with four CPUs on a busy host: a
 * third of all time). Who waits looks less and less often, so a storm of waiters stays harmless.
 */
#ifndef CORE_SPINLOCK_IMPL_H
#define CORE_SPINLOCK_IMPL_H

void spin_wait(struct spinlock *l); /* contended: returns with the lock taken */
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
	u32 free = 0;

	if (unlikely(!__atomic_compare_exchange_n(
		    &l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
		spin_wait(l);
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
	u32 free = 0;

	if (!__atomic_compare_exchange_n(
		    &l->word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	spin_debug_locked(l);
	return true;
}

static inline void spin_unlock(struct spinlock *l)
{
	spin_debug_unlock(l);
	__atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0;
}

static inline void spin_assert_held(const struct spinlock *l)
{
#if DEBUG
	if (unlikely(!spin_is_locked(l) || l->owner_cpu != cpu_id()))
		spin_debug_not_held(l);
#endif
}

#endif
