/* Shared inside fs/jbd2. */
#ifndef JBD2_INTERNAL_H
#define JBD2_INTERNAL_H

#include <abi/jbd2.h>
#include <core/log.h>
#include <jbd2/journal.h>
#include <kmem/slab.h>
#include <lib/crc32.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <lib/xarray.h>
#include <sched/timer.h>

#define JOURNAL_RESERVE 16u

enum tstate { T_RUNNING, T_LOCKED, T_COMMITTING, T_DONE };

struct revoke_entry {
	u64 block_plus1; /* 0: empty */
	u32 tid;
	bool live; /* false: cancelled */
};
/* Block numbers with the last transaction that revoked them: open addressing. */
struct revoke_table {
	struct revoke_entry *slots;
	u32 size;  /* power of two, or 0 */
	u32 count; /* used slots, with the cancelled */
};

struct transaction {
	journal_tid tid;   /* immutable */
	enum tstate state; /* j->lock, as all that has no other note */
	u32 updates;       /* open handles */
	u32 reserved;      /* blocks in it and promised to open handles */
	u32 nr_blocks;
	u32 extra;               /* of j->slack, used */
	u32 charged;             /* revoke blocks that are paid for */
	struct journal *j;       /* immutable */
	struct list_head blocks; /* jblock.run_link */
	struct list_head logged; /* jblock.com_link, once it is committing */
	struct xarray revokes;   /* block -> tid value; revoked in this one */
	u32 nr_revokes;
	struct list_head callbacks;
	s32 ordered;    /* atomic: data writes that must end before the commit; wakes j->wait */
	s64 started_ns; /* immutable */
	u32 log_start;  /* log block of its first block; once committed */
	u32 log_blocks; /* that it takes in the log */
	struct list_head checkpoint; /* jblock.cp_link: not home yet */
	u32 nr_checkpoint;           /* as many have been on it */
	struct list_head link;       /* j->committed, oldest first */
};

/* A block in some transaction. Freed when it is in none; memory is type-stable (SLAB_RCU). */
struct jblock {
	u64 block;
	struct page *page; /* referenced */
	void *data;
	struct transaction *running, *committing, *checkpoint; /* where it is */
	bool dirty;             /* running: journal_dirty was called */
	bool forget;            /* running: freed in it */
	bool paid;              /* running: has a log block of the transaction's */
	bool c_dirty, c_forget; /* the same of the committing transaction */
	bool copied;            /* committing: the log has its copy already */
	bool going_home;        /* being written to its place */
	void *frozen;           /* committing: its content, as the page has newer one */
	struct list_head run_link, com_link, cp_link;
};

struct handle_state {
	struct handle h;
	struct handle *outer; /* of another journal */
	u32 gfp_scope;        /* before */
};

struct map_run {
	u32 first, count; /* log blocks */
	u64 dev_block;
};

struct journal {
	struct journal_config c; /* immutable but barriers, commit_interval_ns (atomic) */
	struct spinlock lock;    /* RANK_JOURNAL: all below without other note */
	struct xarray blocks;    /* block -> jblock; read under RCU */
	struct transaction *running, *committing;
	struct list_head committed;          /* transactions with log space in use */
	journal_tid next_tid, request, done; /* commit asked for; last that has committed */
	u32 first, last;                     /* log blocks in use: [first, last); immutable */
	u32 head, tail;                      /* next to write; oldest in use */
	u32 uncommitted;                     /* where the first transaction after `done` begins */
	u32 free;                            /* log blocks */
	journal_tid tail_tid;
	u32 max_credits, nr_jblocks;
	u32 slack;    /* log blocks of each transaction for revokes and what asked for too little */
	int error;    /* why it was aborted, or 0; atomic */
	u32 features; /* incompat */
	u32 csum_seed, tag_bytes, tags_per_block, revokes_per_block;
	bool has_csum, csum1, stopping; /* csum1: the log may have COMPAT_CHECKSUM */
	bool empty;                     /* the super block says so: commit thread, journal_flush */
	struct block_ref sb_ref;        /* in c.dev's cache: whoever reads the device sees it */
	struct jbd2_super *sb;          /* its content; sb_lock */
	struct mutex sb_lock;           /* RANK_FS_META */
	struct mutex checkpoint_lock;   /* RANK_FS_JOURNAL */
	struct map_run *map;            /* immutable */
	u32 nr_map;
	struct wait_queue wait;    /* anything changed */
	struct wait_queue work;    /* commit thread */
	struct wait_queue cp_work; /* checkpoint thread */
	struct wait_queue io_wait; /* bios of commits and checkpoints have ended */
	bool cp_wanted;
	bool error_stored;               /* checkpoint thread */
	struct list_head late;           /* callbacks of handles without transaction */
	u64 flushes_begun, flushes_done; /* of commits: numbers of the last ones; lock */
	struct completion ended[2];
	/* Commit thread: pages for when memory is out. */
	struct page *reserve[JOURNAL_RESERVE];
	u32 reserve_used;
	u8 *fc; /* valid fast commits, until they are replayed */
	size_t fc_bytes;
	u64 stat_commits, stat_blocks, stat_handles;
	struct list_head link;
};

static inline u32 be32(u32 v)
{
	return __builtin_bswap32(v);
}
static inline u16 be16(u16 v)
{
	return __builtin_bswap16(v);
}
static inline u64 be64(u64 v)
{
	return __builtin_bswap64(v);
}
static inline bool journal_has(const struct journal *j, u32 incompat)
{
	return (j->features & incompat) != 0;
}

/* journal.c */
int log_map(const struct journal *j, u32 log_block, u64 *sector) must_check;
int log_rw(struct journal *j, enum bio_op op, u32 log_block, void *buf, u32 flags) must_check;
int super_write(struct journal *j, u32 flags) must_check; /* sb_lock held */
u32 log_next(const struct journal *j, u32 log_block, u32 n);
/* Publish the tail: everything before it is home and durable. */
int tail_write(struct journal *j) must_check;
int tail_write_locked(struct journal *j) must_check; /* sb_lock held */
/* After an abort: store the error, tell the owner. Once, without locks. */
void abort_finish(struct journal *j);
void run_late_callbacks(struct journal *j);

/* csum.c */
u32 block_csum(const struct journal *j, const void *block, u32 *field);
u32 tag_csum(const struct journal *j, u32 sequence, const void *data);
u32 super_csum(const struct jbd2_super *sb);

u32 crc32_be(u32 crc, const void *data, size_t n); /* of the old checksum of whole transactions */

/* revoke.c */
int revoke_insert(struct revoke_table *r, u64 block, journal_tid tid, bool *added) must_check;
struct revoke_entry *revoke_find(const struct revoke_table *r, u64 block);
void revoke_free(struct revoke_table *r);

/* recover.c: replay; *next is the tid to go on with. -EIO -EINVAL -EOPNOTSUPP -ENOMEM */
int journal_recover(struct journal *j, journal_tid *next) must_check;
int log_read_blocks(struct journal *j, u32 log_block, void *buf, u32 n) must_check;

/* fastcommit.c */
/* The valid fast commits on top of the last full one into j->fc. -EIO -ENOMEM */
int fast_commit_load(struct journal *j, journal_tid next) must_check;

/* transaction.c */
struct jblock *jblock_find(struct journal *j, u64 block);           /* lock held or RCU */
void jblock_put_unused_locked(struct journal *j, struct jblock *b); /* frees it when in nothing */
u32 space_for(const struct journal *j, const struct transaction *t, u32 more); /* log blocks */

/* commit.c */
void commit_thread(void *arg);
void transaction_free(struct transaction *t);

/* checkpoint.c */
void checkpoint_thread(void *arg);
/* Write the oldest transactions home until so many log blocks are free or nothing is left that can
 * go. 0: did something; 1: nothing to do; error. Sleeps. */
int checkpoint_for(struct journal *j, u32 want_free) must_check;
void checkpoint_wake(struct journal *j);

#endif
