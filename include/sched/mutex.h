/*
 * Sleeping locks. Owner-only unlock, not recursive, FIFO hand-over under contention, spin briefly
 * while the owner runs. Never in interrupt context. Taking one lets others run that are due, so
 * that loops which take one in each round need no cond_resched. _killable/_interruptible: 0 or
 * -ERESTARTSYS.
 */
#ifndef SCHED_MUTEX_H
#define SCHED_MUTEX_H

#include <sched/wait.h>

struct mutex {
	unsigned long owner; /* struct thread *, low bit: waiters */
	struct spinlock lock;
	struct list_head waiters;
#if DEBUG
	u16 rank;
#endif
};
void mutex_init(struct mutex *m, enum lock_rank rank);
#if DEBUG
#define MUTEX_INIT(m, rank_)                                                              \
	{                                                                                 \
		.lock = SPINLOCK_INIT(RANK_WAITQUEUE), .waiters = LIST_INIT((m).waiters), \
		.rank = (rank_)                                                           \
	}
#else
#define MUTEX_INIT(m, rank_)                                                             \
	{                                                                                \
		.lock = SPINLOCK_INIT(RANK_WAITQUEUE), .waiters = LIST_INIT((m).waiters) \
	}
#endif
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m); /* same rank held; the caller's comment names the order */
int mutex_lock_killable(struct mutex *m) must_check;
int mutex_lock_interruptible(struct mutex *m) must_check;
bool mutex_trylock(struct mutex *m) must_check;
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);

/* Reader-writer; writers are not starved: a waiting writer blocks new readers. */
struct rwsem {
	s64 count; /* implementation's */
	struct spinlock lock;
	struct list_head waiters;
	struct thread *owner; /* writer, for DEBUG and spinning */
#if DEBUG
	u16 rank;
#endif
};
void rwsem_init(struct rwsem *s, enum lock_rank rank);
void rwsem_read_lock(struct rwsem *s);
int rwsem_read_lock_killable(struct rwsem *s) must_check;
bool rwsem_read_trylock(struct rwsem *s) must_check;
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_lock_nested(struct rwsem *s);
int rwsem_write_lock_killable(struct rwsem *s) must_check;
bool rwsem_write_trylock(struct rwsem *s) must_check;
void rwsem_write_unlock(struct rwsem *s);
void rwsem_downgrade(struct rwsem *s); /* write -> read */

#endif
