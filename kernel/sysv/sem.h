/*
 * Semaphore sets. A semop(2) call's operations are performed all at once or not at all; a call that
 * has to wait leaves a struct sem_waiter, and who changes values performs the waiters' operations
 * in their stead and wakes them with the result. So an order among waiters is kept, and a value
 * that was given to a waiter can't be taken by somebody else before it runs.
 *
 * Where waiters stand (all under the set's lock):
 *   sem->zero     one operation, wait for zero
 *   set->zeros    several operations, none of which changes a value
 *   sem->takers   one operation, which takes from the semaphore; while no waiter has several
 *   set->queue    all that change a value, in order of arrival; while one of them has several
 * So a change looks at those only that wait for its semaphores, unless calls wait for several at
 * once. Those that only look go first.
 */
#ifndef SYSV_SEM_H
#define SYSV_SEM_H

#include <sysv/sysv.h>
#include "table.h"

struct task;
struct thread;

struct semaphore {
	s32 value; /* 0..SEMVMX; set's lock, as all of it */
	s32 pid;   /* process that changed it last */
	u32 ncnt;  /* calls that wait for a larger value; counted where each is stuck */
	u32 zcnt;  /* calls that wait for zero */
	struct list_head zero, takers;
};

struct sem_set {
	struct ipc_object ipc; /* first */
	u32 nr;                /* semaphores; immutable */
	struct semaphore *sems;
	s64 otime, ctime;              /* seconds since 1970; ipc.lock */
	struct list_head zeros, queue; /* ipc.lock */
	u32 nr_several;                /* waiters in queue with several operations; ipc.lock */
	struct list_head undos;        /* sem_undo.set_link; ipc.lock */
};

/* What one process has to give back to one set at its end. */
struct sem_undo {
	struct list_head set_link; /* set->undos; set's lock */
	struct rb_node node;       /* list->undos, by set; list->lock */
	struct sem_set *set;       /* immutable; lives while this is in list->undos */
	struct sem_undo_list *list;
	s16 adjust[]; /* added to the semaphores; set's lock */
};

/* All of a process, or of tasks that share it by CLONE_SYSVSEM. */
struct sem_undo_list {
	struct refcount refs;
	struct spinlock lock; /* RANK_IPC_UNDO */
	struct rb_root undos; /* lock */
};

struct sem_waiter {
	struct list_head link;
	struct sembuf *ops;
	u32 nr;
	bool changes;            /* an operation changes a value */
	struct semaphore *stuck; /* what it waits for, counted there; NULL: not counted */
	bool stuck_zero;
	s32 pid;
	struct sem_undo *undo; /* NULL: nothing to undo */
	struct thread *thread;
	int result; /* SEM_WAITS, or what the call returns; set's lock */
};
#define SEM_WAITS 1

extern struct ipc_table g_sem_table;
extern u32 g_sem_total; /* semaphores of all sets; atomic */

static inline struct sem_set *sem_of(struct ipc_object *o)
{
	return container_of(o, struct sem_set, ipc);
}
/* Values have changed: perform what waits and can be done now. ops: of which semaphores; NULL: any.
 * Lock held. */
void sem_changed(struct sem_set *set, const struct sembuf *ops, u32 nr);
/* Everybody who waits returns err. Lock held. */
void sem_wake_all(struct sem_set *set, int err);

/* sem_undo.c */
/* The current task's record for the set, NULL: none yet. Set's lock held. */
struct sem_undo *sem_undo_find(struct sem_set *set);
/* Make one, for sem_undo_enter; takes no lock. Error pointer -ENOMEM. */
struct sem_undo *sem_undo_make(struct sem_set *set) must_check;
void sem_undo_enter(struct sem_set *set, struct sem_undo *u); /* set's lock held */
/* The set goes: nothing is left to be undone. Lock held. */
void sem_undo_forget(struct sem_set *set);
/* Values were set: nr's adjustment is gone, all of them for nr < 0. Lock held. */
void sem_undo_clear(struct sem_set *set, int nr);

/* What process calls: kernel/process's clone, unshare and exit. */
int sem_clone(struct task *child, struct task *parent) must_check; /* CLONE_SYSVSEM; -ENOMEM */
void sem_exit(struct task *t);

#endif
