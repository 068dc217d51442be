/*
 * Disk quotas: what users, groups and projects have of a file system, and how much they may have
 * (quotactl(2)). The core keeps one dquot in memory for each id in use and judges; the file system
 * keeps them on its disk, each change in the transaction that makes it.
 *
 * A file system with quotas sets super->quota. A charge names the dquots of an inode, one for each
 * kind or NULL. Space that is only promised (delayed allocation) counts against the limits but
 * isn't on the disk until it is claimed.
 *
 * Order: the transaction (ops->begin), quota->lock (RANK_FS_QUOTA), then the file's own locks;
 * dquot->lock (RANK_INODE_SPIN) is innermost.
 */
#ifndef VFS_QUOTA_H
#define VFS_QUOTA_H

#include <lib/xarray.h>
#include <vfs/vfs.h>

enum { QUOTA_USER, QUOTA_GROUP, QUOTA_PROJECT, NR_QUOTAS };

struct quota_values { /* space in bytes; limits 0: none; times: seconds since 1970, 0: not above
			 soft */
	u64 space, space_soft, space_hard;
	u64 inodes, inodes_soft, inodes_hard;
	s64 space_time, inodes_time;
};

struct dquot {
	struct quota *quota; /* immutable, as type, id */
	u32 type, id;
	u32 refs;  /* quota->ids_lock */
	u64 place; /* file system's: where it stands; immutable after ops->read */
	struct spinlock lock;
	struct quota_values v; /* lock */
	u64 reserved;          /* lock: promised bytes */
};

struct quota_kind {
	bool on;                       /* usage is kept; immutable after set-up */
	bool enforced;                 /* limits count; atomic */
	u64 space_grace, inodes_grace; /* seconds; quota->lock for writers */
	struct xarray ids;             /* id -> dquot; ids_lock */
	void *priv;                    /* file system's */
};

struct quota {
	struct super *super;
	const struct quota_ops *ops;
	struct mutex lock;        /* RANK_FS_QUOTA: dquots are brought in; the files' structure */
	struct spinlock ids_lock; /* RANK_INODE_SPIN */
	struct quota_kind kinds[NR_QUOTAS];
};

struct quota_ops {
	/* A transaction for what follows, nested in the caller's if there is one. */
	int (*begin)(struct quota *q);
	int (*end)(struct quota *q, int err);
	/* d->v and d->place of its id, which gets a place if it has none. quota->lock, transaction.
	 */
	int (*read)(struct dquot *d);
	/* d->v to its place. Transaction. */
	int (*write)(struct dquot *d);
	/* The smallest id >= *id that has a place: -ENOENT none. quota->lock. */
	int (*next)(struct quota *q, u32 type, u32 *id);
	int (*write_info)(struct quota *q, u32 type); /* graces. quota->lock, transaction */
};

void quota_init(struct quota *q, struct super *s, const struct quota_ops *ops);
void quota_destroy(struct quota *q); /* no dquot is in use */

/* Referenced. Error pointer -ESRCH (kind is off) -ENOMEM -EIO -ENOSPC. Sleeps. */
struct dquot *dquot_get(struct quota *q, u32 type, u32 id) must_check;
void dquot_put(struct dquot *d); /* any lock */

#define QUOTA_PROMISE 1u /* space is promised, not taken */
#define QUOTA_FORCE   2u /* limits don't count */
/* So many bytes and inodes more (or less, negative: never refused). -EDQUOT; errors of writing. In
 * a transaction, but with PROMISE. */
int quota_charge(struct dquot *const d[NR_QUOTAS], s64 space, s64 inodes, u32 flags) must_check;
/* Promised bytes are taken. In a transaction. */
int quota_claim(struct dquot *const d[NR_QUOTAS], u64 space) must_check;
/* An inode with so much goes from the dquots in old to those in new where they differ. In a
 * transaction. -EDQUOT: nothing has changed. */
int quota_transfer(struct dquot *const old[NR_QUOTAS], struct dquot *const new[NR_QUOTAS],
	u64 space, u64 promised, u64 inodes) must_check;

/* /proc/sys/fs/quota, which quota tools look for; atomic, each on its own. */
struct quota_stats {
	u64 lookups, drops, reads, writes, cache_hits, allocated, free,
		syncs; /* free: none is kept without use */
};
extern struct quota_stats g_quota_stats;

/* ---- quotactl(2) --------------------------------------------------------------------------------
 */

/* Which of the values a SET changes. */
#define QUOTA_SET_SPACE_LIMITS 1u
#define QUOTA_SET_SPACE        2u
#define QUOTA_SET_INODE_LIMITS 4u
#define QUOTA_SET_INODES       8u
#define QUOTA_SET_SPACE_TIME   16u
#define QUOTA_SET_INODE_TIME   32u
int quota_get_values(struct quota *q, u32 type, u32 id, struct quota_values *out) must_check;
/* The same of the next id >= *id. -ENOENT */
int quota_get_next(struct quota *q, u32 type, u32 *id, struct quota_values *out) must_check;
int quota_set_values(
	struct quota *q, u32 type, u32 id, const struct quota_values *v, u32 what) must_check;
int quota_set_graces(struct quota *q, u32 type, const u64 *space, const u64 *inodes) must_check;

#endif
