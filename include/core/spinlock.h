/*
 * Spinlocks, never recursive. Holding one forbids sleeping. A lock that an
 * interrupt handler takes must be taken with interrupts off everywhere: use the _irq or _irqsave
 * forms. Statistics by rank (DEBUG): acquisitions, contended, in /proc/aramid/locks.
 */
#ifndef CORE_SPINLOCK_H
#define CORE_SPINLOCK_H

#include <arch/cpu.h>
#include <core/lockrank.h>
#include <lib/atomic.h>

struct spinlock {
	u32 word; /* implementation's */
#if DEBUG
	u16 rank;
	s16 owner_cpu; /* -1: free */
	const char *name;
	u8 usage; /* USED_*, lock.c; atomic */
#endif
};

#if DEBUG
#define SPINLOCK_INIT(rank_)                                     \
	{                                                        \
		.rank = (rank_), .owner_cpu = -1, .name = #rank_ \
	}
#else
#define SPINLOCK_INIT(rank_) \
	{                    \
		0            \
	}
#endif
#define DEFINE_SPINLOCK(name, rank_) struct spinlock name = SPINLOCK_INIT(rank_)

/* A macro for the sake of the rank's name. */
#define spin_init(l, rank_) ((void)(*(l) = (struct spinlock)SPINLOCK_INIT(rank_)))
struct seq_buf;
void lock_stats_show(struct seq_buf *s); /* one line per rank; empty in release builds */
static inline void spin_lock(struct spinlock *l);
static inline bool spin_trylock(struct spinlock *l) must_check;
static inline void spin_unlock(struct spinlock *l);
/* Second lock of the same rank; the caller's comment names the order. */
static inline void spin_lock_nested(struct spinlock *l);
static inline void spin_assert_held(
	const struct spinlock *l); /* DEBUG: panics when not held here */

static inline void spin_lock_irq(struct spinlock *l)
{
	irq_disable();
	spin_lock(l);
}

static inline void spin_unlock_irq(struct spinlock *l)
{
	spin_unlock(l);
	irq_enable();
}

static inline unsigned long must_check spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();
	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

/* Sequence counter: writers serialised by a lock; readers retry. */
struct seqcount {
	u32 seq;
};
static inline u32 seq_read_begin(const struct seqcount *s)
{
	u32 v;
	while ((v = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE)) & 1)
		cpu_relax();
	return v;
}
static inline bool must_check seq_read_retry(const struct seqcount *s, u32 v)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&s->seq, __ATOMIC_RELAXED) != v;
}
static inline void seq_write_begin(struct seqcount *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}
static inline void seq_write_end(struct seqcount *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

#include <core/spinlock_impl.h>
#endif
