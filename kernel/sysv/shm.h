/* Shared memory segments. */
#ifndef SYSV_SHM_H
#define SYSV_SHM_H

#include <sysv/sysv.h>
#include <vfs/file.h>
#include "table.h"

struct task;

struct shm_segment {
	struct ipc_object ipc;   /* first */
	struct file *file;       /* the pages: an unlinked file of the internal tmpfs; immutable */
	size_t size;             /* bytes, as asked for; immutable */
	u64 pages;               /* immutable */
	u64 attached;            /* regions that map it, and shmat calls under way; ipc.lock */
	s64 atime, dtime, ctime; /* seconds since 1970; ipc.lock */
	s32 cpid, lpid;          /* processes; ipc.lock */
	struct user_account *lock_owner; /* SHM_LOCK: charged there, referenced; ipc.lock */
	struct list_head created;        /* its creator's task.shm_created; g_shm_creators */
};

extern struct ipc_table g_shm_table;
extern struct spinlock g_shm_creators; /* RANK_IPC_UNDO */

static inline struct shm_segment *shm_of(struct ipc_object *o)
{
	return container_of(o, struct shm_segment, ipc);
}
/* Nobody uses it and nobody is to: ipc.lock held. */
bool shm_is_done(const struct shm_segment *s) must_check;
/* Remove it if that still holds. The caller has a reference and no lock. */
void shm_remove_done(struct shm_segment *s);
/* The task ends: what it made has no creator from now on. */
void shm_exit(struct task *t);

#endif
