/*
 * What the three kinds of objects have in common: a table for each kind gives out ids, finds
 * objects by id and by key, and judges who may use them.
 *
 * Life of an object: made by its kind, entered with ipc_get -> found by id -> removed: out of the
 * table, "removed" set -> freed when its last reference goes. The table holds a reference until the
 * removal, and so does who sleeps on an object or has it mapped.
 *
 * An id is (sequence << 15) + index. Indexes are given out one after the other, in a window that
 * grows with the number of objects; the sequence counts the turns, so an old id stays wrong for
 * long.
 *
 * Locks: table->lock (RANK_MUTEX_LEAF) for keys and indexes; object->lock (RANK_IPC, interrupts
 * stay on) for all else of an object. Looking up an id takes no lock but the object's own.
 */
#ifndef SYSV_TABLE_H
#define SYSV_TABLE_H

#include <core/rcu.h>
#include <core/refcount.h>
#include <cred/cred.h>
#include <lib/bitmap.h>
#include <lib/rbtree.h>
#include <lib/xarray.h>
#include <sched/mutex.h>
#include <sysv/sysv.h>

struct ipc_object {
	struct spinlock lock; /* RANK_IPC */
	struct refcount refs;
	bool removed; /* lock: whoever finds it answers EIDRM */
	bool has_key; /* table lock: key_node stands in table->keys */
	s32 id;       /* immutable once entered */
	s32 key;      /* table lock and lock to change */
	kuid_t uid;   /* this and what follows: lock */
	kgid_t gid;
	kuid_t cuid; /* immutable */
	kgid_t cgid;
	kmode_t mode; /* permission bits, and SHM_DEST, SHM_LOCKED */
	struct rb_node key_node;
	struct rcu_head rcu;
};

struct ipc_table {
	struct rwsem lock;
	struct xarray objects; /* index -> object; lock to change, RCU to read */
	struct rb_root keys;   /* objects with a key; lock */
	u64 *used;             /* bitmap of indexes; made with the first object; lock */
	u32 count;             /* objects; lock to change */
	u32 next;              /* index to try first; lock */
	u32 sequence;          /* lock */
	const int *limit;      /* the most objects: a sysctl; atomic */
	/* The last reference is gone. The object's own memory after a grace period. May sleep. */
	void (*free)(struct ipc_object *o);
};
void ipc_table_init(struct ipc_table *t, const int *limit, void (*free)(struct ipc_object *o));

/* Bits for ipc_permits. */
#define IPC_MODE  0777
#define IPC_READ  0444
#define IPC_WRITE 0222
#define IPC_RUN   0111

/* What xxxget(2) does with an existing object, and how it makes a new one. */
struct ipc_maker {
	size_t size; /* asked for */
	int flags;
	int (*check)(struct ipc_object *o, const struct ipc_maker *m);  /* lock held */
	struct ipc_object *(*make)(s32 key, const struct ipc_maker *m); /* error pointer */
	void (*entered)(struct ipc_object *o); /* it can be found from now on; lock held; or NULL */
};
long ipc_get(struct ipc_table *t, s32 key, const struct ipc_maker *m) must_check;
void ipc_init(struct ipc_object *o, s32 key, int flags); /* the current task's, one reference */

/* The object, locked; error pointer -EINVAL -EIDRM. It lives while it is locked: a removal needs
 * the lock. */
struct ipc_object *ipc_lock(struct ipc_table *t, s32 id) must_check;
/* The same for the xxxctl calls that look; by index: the sequence isn't compared. -EACCES. */
struct ipc_object *ipc_lock_stat(struct ipc_table *t, s32 id, enum sysv_by by) must_check;
/* The same for IPC_SET and IPC_RMID, with the table's lock held for writing. -EPERM. */
struct ipc_object *ipc_lock_owned(struct ipc_table *t, s32 id) must_check;
/* Lock again what the caller has a reference to: -EIDRM, not locked then. */
int ipc_relock(struct ipc_object *o) must_check;
/* May the caller use it so? bits: IPC_READ and so on, or a mode's bits as they are. Lock held. */
bool ipc_permits(const struct ipc_object *o, int bits) must_check;
bool ipc_is_owner(const struct ipc_object *o) must_check;
/* IPC_SET's part for all kinds; lock held. -EINVAL. */
int ipc_change(struct ipc_object *o, const struct sysv_change *c) must_check;
void ipc_fill_perm(const struct ipc_object *o, struct ipc64_perm *p);
/* It keeps its id, but no key leads to it. Table lock (writing) and lock held. */
void ipc_forget_key(struct ipc_table *t, struct ipc_object *o);
/* Out of the table; the table's reference is the caller's to put. Both locks held. */
void ipc_remove(struct ipc_table *t, struct ipc_object *o);
static inline void get_ipc(struct ipc_object *o)
{
	ref_get(&o->refs);
}
void put_ipc(struct ipc_table *t, struct ipc_object *o);
/* Highest used index, 0: none. */
long ipc_highest(struct ipc_table *t);
/* The first object at or behind *index, locked; *index becomes its own. NULL: none. */
struct ipc_object *ipc_lock_next(struct ipc_table *t, u64 *index);
s32 ipc_current_pid(void); /* process number; 0 in a kernel thread */
s64 ipc_now(void);         /* seconds since 1970 */

#endif
