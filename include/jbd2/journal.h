/*
 * The journal: groups of changed metadata blocks reach the disk together or not at all. On-disk
 * format: jbd2 (linux-doc filesystems/ext4/journal). Block content lives in the device's page cache
 * (block/block.h); the journal keeps a record (struct jblock) for each block in a transaction and
 * holds its page. A journaled block is never marked dirty in the cache: after commit the journal
 * itself writes it home (checkpoint).
 *
 * One transaction is running, at most one is committing; committed ones wait for their checkpoint.
 *
 * Rules for callers: journal_get_write before the first change to a block in a handle, then change
 * under the file system's own lock, then journal_dirty. Handles don't span user copies, page locks
 * taken after, or waits for a commit. Order: page lock, then journal_start, then RANK_FS_META.
 * A file system without journal passes j == NULL: then all of this degrades to
 * bdev_mark_block_dirty, with the same calls.
 */
#ifndef JBD2_JOURNAL_H
#define JBD2_JOURNAL_H

#include <block/block.h>

struct journal;
struct transaction;

typedef u32 journal_tid; /* compare with journal_tid_after */
static inline bool journal_tid_after(journal_tid a, journal_tid b)
{
	return (s32)(a - b) > 0;
}

struct handle {
	struct journal *journal;         /* NULL: file system without journal */
	struct block_device *dev;        /* the file system's */
	struct transaction *transaction; /* NULL without journal or after abort */
	u32 credits;                     /* blocks it may still add */
	u32 depth;                       /* journal_start inside journal_start gives the same */
	bool sync;                       /* commit at stop and wait */
	void *counted;                   /* the file system's: what ends with the handle */
	bool whole;                      /* stays in one transaction: a restart fails, -ENOSPC */
	int err;
};

struct journal_config {
	struct block_device *fs_dev,
		*dev; /* dev: where the log is; == fs_dev for an internal one */
	u32 block_size;
	u64 nr_blocks; /* of the log */
	/* Log block to device block; internal journals live in an inode. 0 or -EIO. Called in
	 * journal_load only. NULL: external, log blocks are numbered as the device's. */
	int (*map)(void *owner, u64 log_block, u64 *dev_block);
	void *owner;            /* of map and the callbacks */
	u64 dev_start;          /* external journal: block of its journal superblock */
	const u8 *fs_uuid;      /* external journal: must be among its users; NULL: not checked */
	u64 commit_interval_ns; /* 0: 5 s */
	bool barriers;          /* flush/FUA around commits */
	bool checksum_v3;       /* for a journal without features yet on metadata_csum */
	bool read_only; /* device can't be written: recovery is refused, -EROFS, if needed */
	void (*aborted)(void *owner, int err); /* the file system goes read-only; no lock held */
};

/* Read the journal superblock, recover if needed (*recovered), ready for use. -EIO -EINVAL
 * (corrupt) -EOPNOTSUPP (unknown feature) -EROFS -ENOMEM. Error pointer. */
struct journal *journal_load(const struct journal_config *c, bool *recovered) must_check;
/*
 * Fast commits that were found behind the last transaction, with their checksums right: whole
 * blocks of tags (abi/jbd2.h), *bytes of them. NULL: none. The file system replays them before
 * anything else, in one transaction (handle->whole): once that has committed they are void, and
 * until then the next mount finds them again. Then journal_fast_commits_done.
 */
const u8 *journal_fast_commits(const struct journal *j, size_t *bytes);
void journal_fast_commits_done(struct journal *j);
/* Commit, checkpoint everything, mark the log empty. Journal is gone after, also on error. */
int journal_close(struct journal *j) must_check;
/* Same, but stays usable: FIFREEZE, remount ro, data=journal bmap. */
int journal_flush(struct journal *j) must_check;
/* Options after load */
void journal_set_commit_interval(struct journal *j, u64 ns);
void journal_set_barriers(struct journal *j, bool on);
u32 journal_max_credits(const struct journal *j); /* of one handle */

/*
 * Start a handle that may add up to credits blocks to the running transaction; waits while that one
 * is locked for commit or the log is full. Nested calls in one thread give the same handle with
 * depth+1 (credits must suffice: they are extended if possible). Error pointer -EROFS (aborted),
 * -ENOMEM, -ENOSPC (more credits than the log has). Sleeps.
 */
struct handle *journal_start(struct journal *j, struct block_device *dev, u32 credits) must_check;
/* Outermost stop lets the transaction commit; sync handles wait for it. Returns the handle's error
 * or -EROFS/-EIO after an abort. */
int journal_stop(struct handle *h) must_check;
struct handle *journal_current(void); /* this thread's, or NULL */
/* More credits in the same transaction: 0, or 1 when there is no room (then restart). */
int journal_extend(struct handle *h, u32 credits) must_check;
/* End this transaction's part and go on in a new one; everything changed so far must be consistent
 * by itself (or protected by the orphan list). Locks that a commit needs must not be held. */
int journal_restart(struct handle *h, u32 credits) must_check;
/* Extend or restart so that at least credits are there. 1: restarted; 0; error. */
int journal_ensure(struct handle *h, u32 credits) must_check;

/* Before changing an existing block. -ENOMEM -EIO -EROFS. Waits for its write home under way. */
int journal_get_write(struct handle *h, struct block_ref *r) must_check;
/* The same for a block just allocated (bdev_new_block): cancels a pending revoke. */
int journal_get_create(struct handle *h, struct block_ref *r) must_check;
/* After changing; contents incl. checksum are final for now. May be called again. */
int journal_dirty(struct handle *h, struct block_ref *r) must_check;
/* A metadata block is freed: it leaves the transaction, is not written home, and is revoked so that
 * recovery doesn't write an old copy over its next use. Without a journal nothing happens: the
 * caller uses bdev_forget_blocks. */
int journal_forget(struct handle *h, u64 block) must_check;
/* File data in the journal: is any of [block, block + count) not at its place yet, so that who
 * reads the device sees older content? A snapshot: the caller excludes writers of these blocks. */
bool journal_holds(struct journal *j, u64 block, u64 count);
/* The newest content of such a block into buf. False: it is at its place. */
bool journal_copy_block(struct journal *j, u64 block, void *buf);
/* For many blocks without their refs (truncate of metadata). */
int journal_revoke(struct handle *h, u64 block, u32 count) must_check;

/*
 * Ordered data: bios that were submitted while h is open and must be on disk before its
 * transaction commits. begin before bio_submit, end from end_io (any context; err recorded: the
 * commit goes on, the object has the error). Token holds the transaction.
 */
struct transaction *journal_ordered_begin(struct handle *h); /* NULL without journal */
void journal_ordered_end(struct transaction *t, int err);

/* Run fn after h's transaction has committed (or the journal aborted: committed false): freed
 * blocks become allocatable. Process context, may sleep. */
struct journal_callback {
	struct list_head link;
	void (*fn)(struct journal_callback *cb, bool committed);
};
void journal_on_commit(struct handle *h, struct journal_callback *cb);

journal_tid journal_handle_tid(const struct handle *h);
/* Everything up to tid is durable when this returns. Also when it has committed already: with a
 * flush if the commit's own flush came before data written later (need_flush). 0 -EIO -EROFS. */
int journal_commit_wait(struct journal *j, journal_tid tid, bool need_flush) must_check;
void journal_commit_start(struct journal *j, journal_tid tid);   /* doesn't wait */
int journal_commit_all(struct journal *j, bool wait) must_check; /* sync(2) */
/* The file system found corruption or lost a write it can't live without. */
void journal_abort(struct journal *j, int err);
int journal_error(const struct journal *j); /* 0 or why it was aborted */
/* errno kept in the journal superblock from an earlier mount; clear after fsck. */
int journal_stored_error(const struct journal *j);
int journal_clear_error(struct journal *j) must_check;
struct seq_buf;
void journal_show(struct journal *j, struct seq_buf *s); /* /proc/fs/jbd2/DEV/info */

#endif
