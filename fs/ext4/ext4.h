/*
 * ext4 in memory, and what its files offer to each other. On disk: abi/ext4.h.
 *
 * Metadata blocks live in the device's page cache (block_ref) and change only inside a journal
 * handle: journal_get_write, change, checksum, journal_dirty. File data lives in inode->object and
 * is written by writeback.c.
 *
 * Locks, outermost first: directory and file i_rwsem (VFS), object->invalidate_lock, page lock,
 * journal handle, info->data_sem (block map of an inode), info->xattr_sem, group->lock (bitmaps and
 * counts of a group), then spinlocks.
 */
#ifndef FS_EXT4_H
#define FS_EXT4_H

#include <abi/ext4.h>
#include <block/block.h>
#include <jbd2/journal.h>
#include <lib/rbtree.h>
#include <lib/xarray.h>
#include <vfs/file.h>
#include <vm/writeback.h>
#include <core/rcu.h>
#include <sched/work.h>
#include <lib/bitmap.h>
#include <lib/err.h>

typedef u64 ext4_block;       /* on the device, in file system blocks */
typedef u32 ext4_lblk;        /* in a file */
#define EXT4_LBLK_END U32_MAX /* no file has that many blocks */

enum ext4_data_mode { EXT4_DATA_ORDERED, EXT4_DATA_WRITEBACK, EXT4_DATA_JOURNAL };

struct ext4_options {
	enum ext4_data_mode data;
	u16 errors;   /* EXT4_ERRORS_* */
	u32 commit_s; /* 0: default */
	bool barrier, delalloc, discard, acl, user_xattr, noload, grpid, minixdf, nombcache;
	bool journal_checksum, journal_async_commit, data_err_abort, auto_da_alloc, block_validity;
	bool dioread_nolock, init_itable, nouid32, usrquota, grpquota, prjquota;
	kuid_t resuid;
	kgid_t resgid;
	u32 stripe, inode_readahead_blks, max_batch_time_us, min_batch_time_us, max_dir_size_kb;
};

/* One block group. Read from its descriptor at mount; the descriptor's block stays in memory. */
struct ext4_group {
	struct mutex lock;         /* RANK_FS_GROUP: bitmaps, counts, descriptor */
	struct block_ref desc_ref; /* descriptor block; referenced while mounted */
	struct ext4_group_desc *desc;
	u32 free_blocks, free_inodes, used_dirs; /* as in the descriptor */
	u32 largest_free; /* blocks of the largest free run, a hint; ~0u: not known yet */
	bool block_bitmap_ok, inode_bitmap_ok; /* checked since mount */
	bool bad_blocks, bad_inodes;           /* bitmap corrupt: not allocated from */
	u64 *busy;   /* bits of blocks that can't be allocated: the bitmap and freed ones whose
		      * transaction hasn't committed; NULL: not loaded (balloc.c) */
	u32 pending; /* blocks of freed extents not committed yet */
};

struct ext4 { /* super->priv */
	struct super *super;
	struct block_device *dev, *journal_dev;
	struct journal *journal; /* NULL: none */
	struct writeback *wb;    /* the device's */
	struct block_ref sb_ref;
	struct ext4_super_block *es; /* inside sb_ref; sb_lock for the fields that change */
	struct mutex sb_lock;        /* RANK_FS_SUPER */
	struct ext4_options opt;

	/* geometry, immutable but for resize (ext4_resize publishes groups, then counts) */
	u32 block_size, block_bits; /* bytes, log2 */
	u32 sectors_per_block;      /* of 512 bytes */
	u32 inode_size, inodes_per_group, blocks_per_group, inodes_per_block, itable_blocks;
	u32 desc_size, descs_per_block, nr_groups, flex_bits, first_ino, cluster_bits;
	u64 blocks_count, overhead; /* blocks; overhead: what statfs doesn't count */
	u32 inodes_count;
	u32 feature_compat, feature_incompat, feature_ro_compat;
	bool has_extents, has_csum, has_gdt_csum, has_huge_file, has_large_file, has_dir_index,
		has_filetype, has_extra_isize;
	u32 csum_seed; /* crc32c of the UUID, or s_checksum_seed */
	u32 hash_seed[4];
	u8 hash_version; /* EXT4_HASH_*, with the UNSIGNED variant applied */
	u16 want_extra_isize;
	struct ext4_group **groups; /* RCU: replaced when the file system grows */

	s64 free_blocks;            /* atomic: not allocated */
	s64 unpromised;             /* atomic: of them, neither promised to delayed allocations or
				     * to somebody who searches now, nor pending. One number, so that
				     * a promise that becomes a block changes nothing here. */
	s64 free_inodes, used_dirs; /* atomic */
	u64 root_reserved;          /* blocks that only root (resuid, resgid) may take */

	struct mutex orphan_lock; /* RANK_FS_ORPHAN: list on disk and in memory */
	struct list_head orphans;
	struct inode *orphan_file;
	journal_tid last_tid;     /* atomic: of the last change of an inode */
	u32 next_generation;      /* atomic */
	u32 error_flags;          /* atomic */
	bool aborted;             /* atomic: read-only after an error */
	void *quota, *resize;     /* of their files */
	u32 quota_credits;        /* what a handle needs for them */
	struct ext4_zones *zones; /* blocks of the file system itself; RCU: replaced by resize */
	u64 pool;                 /* blocks that only metadata and promised data may take */
	u64 resv_pool;            /* what statfs leaves out of f_bavail: the same */
	s64 pending_free;         /* atomic: freed, but not allocatable before a commit */
	struct mutex trim_lock;   /* RANK_FS_TRIM: FITRIM holds free blocks back */
	u32 hint_group;           /* atomic: where a run was found last */
	u32 spread;               /* atomic: next group for a directory of the root */
	u32 bdev_opens;           /* put_super's: what to close */
	struct mutex error_lock;  /* RANK_MUTEX_LEAF: content of *es and its checksum */
	u64 mounted_kbytes;       /* s_kbytes_written at mount */
	struct ext4_mmp_state *mmp;
	u32 groups_room;      /* length of the array groups; resizing */
	bool resizing;        /* atomic: one resize at a time */
	bool no_journal_type; /* mounted as ext2 */
	bool gone;            /* unmounted: what is left in memory isn't written */
	bool writing;         /* marked as mounted for writing; namespace lock */
	bool mounted;         /* errors are recorded from now on */
	bool going_ro;        /* remount: what is dirty goes out before */
	bool sampled;         /* atomic: s_last_mounted is set */
	u16 mount_state;      /* s_state as found: what a clean unmount leaves */
	struct inode *journal_inode;
	struct work error_work;
	struct work failed_work; /* for new blocks whose content has not arrived */
	struct bio *failed_bios; /* atomic: a stack of them, by next */
	struct ea_gone *ea_gone; /* atomic: a stack of inodes to be deleted (ea_inode.c) */
	u32 nr_orphans;          /* orphan_lock */
	bool orphans_done;       /* those of before the mount */
	u32 orphan_hint;         /* block of the orphan file with room; orphan_lock */
	bool recovering;         /* orphans are processed, also on a read-only mount */
	struct list_head link;
};

/* A run of a file's blocks. */
struct ext4_map {
	ext4_lblk lblk;
	u32 len;          /* in: wanted; out: of this run (hole runs, too) */
	ext4_block block; /* 0: hole */
	u32 flags;        /* EXT4_MAP_* */
};
#define EXT4_MAP_CACHE 4

struct ext4_inode_info { /* inode->priv */
	struct inode *vfs;
	u32 flags;             /* EXT4_*_FL; i_rwsem, read atomically */
	u32 data[15];          /* i_block: extent root, block map, short symlink; data_sem */
	struct rwsem data_sem; /* RANK_FS_MAP: block map */
	u64 disk_size;       /* i_size on disk; data_sem. <= object.size while writes are delayed */
	u64 nr_blocks;       /* allocated, in file system blocks incl. metadata; vfs->spin */
	u32 reserved;        /* delayed blocks of this inode; vfs->spin */
	ext4_block file_acl; /* attribute block; xattr_sem */
	struct rwsem xattr_sem; /* RANK_FS_XATTR */
	u32 generation, projid, dtime;
	u16 extra_isize;
	u64 version;
	journal_tid sync_tid, datasync_tid; /* last transaction with changes of it; atomic */
	bool orphan;                        /* orphan_lock */
	struct list_head orphan_link;
	u32 orphan_slot;
	ext4_lblk last_alloc_lblk;
	ext4_block last_alloc;   /* allocation goal; data_sem */
	struct dquot *dquots[3]; /* set once each, changed under data_sem; quota.c */
	bool no_quota;           /* a file of the file system's own */
	u32 dir_goal;            /* directory: group where its children go */
	bool precached;          /* atomic: EXT4_IOC_PRECACHE_EXTENTS was here */
	bool data_logged; /* atomic: content may be in the journal, and not yet at its place */
	bool inline_xattr_bad, new_inode;
	bool deleted; /* evict_inode has given everything back */
	/* RANK_FS_META: the inode in the table's block, from its change to its checksum. Order:
	 * journal_get_write, raw_lock, change, ext4_inode_csum_set, unlock, journal_dirty. */
	struct mutex raw_lock;
	struct spinlock cache_lock; /* RANK_INODE_SPIN: recently used runs (map.c) */
	struct ext4_map cache[EXT4_MAP_CACHE];
	u32 cache_next, cache_gen;
	struct rcu_head rcu;
};

static inline struct ext4 *ext4_of(const struct inode *i)
{
	return i->super->priv;
}
static inline struct ext4_inode_info *ext4_info(const struct inode *i)
{
	return i->priv;
}
#define ext4_has_compat(fs, f)    (((fs)->feature_compat & EXT4_COMPAT_##f) != 0)
#define ext4_has_incompat(fs, f)  (((fs)->feature_incompat & EXT4_INCOMPAT_##f) != 0)
#define ext4_has_ro_compat(fs, f) (((fs)->feature_ro_compat & EXT4_RO_COMPAT_##f) != 0)

/* ---- super.c: mount, errors
 * ------------------------------------------------------------------------- */

/* The disk says something impossible. Logs once per place, records it in the super block, acts as
 * errors= says. Returns -EUCLEAN (EFSCORRUPTED) for the caller. Any lock below sb_lock. */
int ext4_corrupt(struct ext4 *fs, u64 ino, u64 block, const char *fmt, ...) printf_like(4, 5);
#define EFSCORRUPTED EUCLEAN
#define EFSBADCRC    EBADMSG
/* An I/O error of metadata that can't be undone: same, returns err. */
int ext4_fatal(struct ext4 *fs, int err, const char *what);
/* Read a metadata block: checked to lie inside the file system. */
int ext4_read_block(struct ext4 *fs, ext4_block b, struct block_ref *out) must_check;
int ext4_new_block_ref(struct ext4 *fs, ext4_block b, struct block_ref *out) must_check;
/* May [b, b+n) hold a file's blocks (inside, not the super block, descriptors, bitmaps, tables)? */
bool ext4_blocks_valid(struct ext4 *fs, ext4_block b, u32 n);
/* Content checks that needn't be made again while the block stays in memory, by kind: a block that
 * a corrupt image uses as two kinds is checked as each. */
enum ext4_kind { EXT4_KIND_EXTENT, EXT4_KIND_DIR, EXT4_KIND_DX, EXT4_KIND_XATTR };
bool ext4_checked(const struct block_ref *r, enum ext4_kind k);
void ext4_set_checked(const struct block_ref *r, enum ext4_kind k);
/* An operation outside of any handle failed with -ENOSPC: true when blocks freed meanwhile may have
 * become allocatable (waits for a commit), so that it is worth another try. *tries starts at 0. */
bool ext4_retry_nospace(struct ext4 *fs, int *tries);
struct handle *ext4_begin(struct ext4 *fs, u32 credits) must_check; /* journal_start; -EROFS */
struct handle *ext4_start(struct ext4 *fs, u32 credits) must_check; /* also on MS_RDONLY */
int ext4_end(struct handle *h, int err) must_check; /* journal_stop; the first error */
int ext4_freeze(struct super *s);
void ext4_thaw(struct super *s);

/* groups.c: geometry */
/* all: with checksums and sums; without, the journal hasn't been replayed yet. */
int ext4_groups_load(struct ext4 *fs, bool all) must_check;
void ext4_groups_unload(struct ext4 *fs);
/* Group n read and checked from its descriptor (resize). Error pointer. */
struct ext4_group *ext4_group_read(struct ext4 *fs, u32 n) must_check;
/* Bits of the file system's own blocks in a bitmap of the group. */
void ext4_group_mark_own(struct ext4 *fs, u32 group, u64 *bitmap);
/* Of the groups [0, nr_groups), also of those that a resize is going to add. */
int ext4_zones_build(struct ext4 *fs, u32 nr_groups) must_check;
int ext4_groups_room(struct ext4 *fs, u32 nr) must_check; /* fs->groups has room for nr */
/* Blocks at the start of a group: super block, descriptors, room for more of them. */
u32 ext4_group_base(const struct ext4 *fs, u32 group);
bool ext4_group_has_super(const struct ext4 *fs, u32 group);
ext4_block ext4_group_first(const struct ext4 *fs, u32 group);
u32 ext4_group_blocks(const struct ext4 *fs, u32 group);           /* the last may be short */
ext4_block ext4_desc_block(const struct ext4 *fs, u32 desc_block); /* of the nth block of them */
u64 ext4_calc_overhead(struct ext4 *fs);
static inline struct ext4_group *ext4_group(const struct ext4 *fs, u32 n)
{
	return rcu_load(((struct ext4 *)fs)->groups)[n];
}
ext4_block ext4_desc_block_bitmap(const struct ext4 *fs, const struct ext4_group_desc *d);
ext4_block ext4_desc_inode_bitmap(const struct ext4 *fs, const struct ext4_group_desc *d);
ext4_block ext4_desc_inode_table(const struct ext4 *fs, const struct ext4_group_desc *d);
/* group->lock held: counts of g into its descriptor, with its checksum. */
void ext4_group_counts_set(struct ext4 *fs, u32 n, struct ext4_group *g);
u32 ext4_desc_itable_unused(const struct ext4 *fs, const struct ext4_group_desc *d);
void ext4_desc_set_itable_unused(const struct ext4 *fs, struct ext4_group_desc *d, u32 n);

/* options.c */
int ext4_parse_options(struct ext4_options *o, char *data, bool *journal_dev_given,
	kdev_t *journal_dev) must_check;
void ext4_default_options(struct ext4 *fs, struct ext4_options *o);
void ext4_show_options(struct seq_buf *out, struct super *s);

/* mmp.c: multiple mount protection. 0, -EBUSY in use elsewhere, -EIO. */
int ext4_mmp_start(struct ext4 *fs) must_check;
void ext4_mmp_stop(struct ext4 *fs);

/* sync.c */
int ext4_start_writing(struct ext4 *fs) must_check;
int ext4_stop_writing(struct ext4 *fs) must_check;
/* The super block says, on the disk: mounted for writing, the journal has content. */
int ext4_mark_in_use(struct ext4 *fs) must_check;
/* The same after ext4_stop_writing, or it is read-only: without the marks on the disk a crash would
 * lose what is committed. */
void ext4_back_in_use(struct ext4 *fs);
int ext4_write_super(struct ext4 *fs, bool wait) must_check; /* counts, times, now */
void ext4_super_counts_set(struct ext4 *fs);                 /* into *es; error_lock held */
/* Blocks kept for root as the super block has it now: tune2fs changes it on a mounted device. */
u64 ext4_super_reserved(const struct ext4 *fs);
int ext4_sync(struct super *s, bool wait);
int ext4_statfs(struct super *s, struct kstatfs *st);
void ext4_error_init(struct ext4 *fs);
void ext4_journal_aborted(void *owner, int err);

/* ---- csum.c: checksums; no-ops (set) and true (ok) without METADATA_CSUM
 * --------------------------------- */

u32 ext4_csum(u32 seed, const void *data, size_t n) pure_fn;
void ext4_super_csum_set(struct ext4 *fs);
/* One word before s_snapshot_list changes, with the checksum; error_lock held. */
void ext4_super_set_word(struct ext4 *fs, u32 *field, u32 value);
bool ext4_super_csum_ok(const struct ext4_super_block *es);
void ext4_group_csum_set(struct ext4 *fs, u32 group); /* also crc16 of GDT_CSUM */
bool ext4_group_csum_ok(struct ext4 *fs, u32 group);
void ext4_block_bitmap_csum_set(struct ext4 *fs, u32 group, const void *bitmap);
/* Bits were inverted: the checksum, which was right, is again. Costs nothing that grows with the
 * bitmap. */
void ext4_block_bitmap_csum_flip(struct ext4 *fs, u32 group, u32 bit, u32 count);
void ext4_inode_bitmap_csum_flip(struct ext4 *fs, u32 group, u32 bit);
bool ext4_block_bitmap_csum_ok(struct ext4 *fs, u32 group, const void *bitmap);
void ext4_inode_bitmap_csum_set(struct ext4 *fs, u32 group, const void *bitmap);
bool ext4_inode_bitmap_csum_ok(struct ext4 *fs, u32 group, const void *bitmap);
void ext4_inode_csum_set(struct ext4 *fs, u64 ino, struct ext4_inode *raw);
bool ext4_inode_csum_ok(struct ext4 *fs, u64 ino, struct ext4_inode *raw);
u32 ext4_inode_seed(const struct inode *i); /* crc32c of seed, number, generation */
void ext4_extent_csum_set(const struct inode *i, struct ext4_extent_header *eh);
bool ext4_extent_csum_ok(const struct inode *i, struct ext4_extent_header *eh);
void ext4_dirblock_csum_set(const struct inode *dir, void *block); /* leaf with a tail */
/* The same for a change of n bytes of a leaf whose checksum is right, made between the two. */
struct ext4_patch {
	u32 at, n;
	u8 bytes[EXT4_DIR_REC_LEN(NAME_MAX)];
};
void ext4_dirblock_patch_begin(struct ext4_patch *p, const void *block, u32 at, u32 n);
void ext4_dirblock_patch_end(struct ext4_patch *p, const struct inode *dir, void *block);
bool ext4_dirblock_csum_ok(const struct inode *dir, void *block);
void ext4_dx_csum_set(const struct inode *dir, void *block); /* index block or root */
bool ext4_dx_csum_ok(const struct inode *dir, void *block);
void ext4_xattr_csum_set(const struct inode *i, ext4_block b, struct ext4_xattr_header *h);
bool ext4_xattr_csum_ok(const struct inode *i, ext4_block b, struct ext4_xattr_header *h);

/* ---- inode.c
 * ---------------------------------------------------------------------------------------- */

/* In memory by number, read if need be; referenced. Error pointer -ESTALE (free inode),
 * -EFSCORRUPTED, -EIO -ENOMEM. SPECIAL: reserved numbers are fine, too. */
#define EXT4_IGET_SPECIAL 1u
#define EXT4_IGET_EA      2u /* only one that holds an attribute's value */
struct inode *ext4_iget(struct super *s, u64 ino, u32 flags) must_check;
/* A just allocated inode enters the table of inodes (ialloc.c). -ENOMEM. */
struct inode *ext4_inode_insert(struct super *s, u64 ino) must_check;
/* The VFS inode and info go to the inode table's block, inside h. All changes of size, mode, links,
 * times, flags, map root end with it. */
int ext4_mark_inode_dirty(struct handle *h, struct inode *i) must_check;
/* The raw inode inside the inode table (for attributes in it): put the ref after. For changes:
 * journal_get_write(h, ref) first, then ext4_inode_csum_set, journal_dirty. */
int ext4_inode_ref(struct inode *i, struct block_ref *ref, struct ext4_inode **raw) must_check;
void ext4_free_info(struct inode *i);
void ext4_dirty_inode(struct inode *i);
void ext4_set_ops(struct inode *i);     /* by mode */
void ext4_apply_flags(struct inode *i); /* info->flags to inode->flags (INODE_IMMUTABLE...) */
int ext4_setattr(struct inode *i, const struct iattr *a);
int ext4_getattr(struct inode *i, struct kstat *st);
extern const struct vm_object_ops g_ext4_object_ops;

/* ---- ialloc.c
 * --------------------------------------------------------------------------------------- */

/* A new inode for dir in h: allocated, in memory, owner and mode set (inode_init_owner), nlink 1,
 * not yet dirty on disk until the caller's ext4_mark_inode_dirty. goal 0: by the rules. -ENOSPC
 * -EDQUOT. */
struct inode *ext4_new_inode(struct handle *h, struct inode *dir, kmode_t mode,
	const struct cred *c, u64 goal) must_check;
/* One for a value of an attribute of owner: without quota, ACL, inherited flags. */
struct inode *ext4_new_ea_inode(struct handle *h, struct inode *owner) must_check;
void ext4_free_inode(struct handle *h, struct inode *i); /* bitmap and counts */
/* This number is in use from now on: 1; it was: 0; error. For the replay of fast commits. credits 4
 */
int ext4_claim_inode(struct handle *h, struct ext4 *fs, u64 ino, bool dir) must_check;
#define EXT4_NEW_INODE_CREDITS 12 /* bitmap, descriptor, table, super block, ACL block ... */

/* ---- balloc.c
 * --------------------------------------------------------------------------------------- */

struct ext4_alloc { /* a wish */
	struct inode *inode;
	ext4_lblk lblk;  /* where in the file */
	ext4_block goal; /* 0: chosen */
	u32 len;         /* blocks wanted; result: got, at least 1 */
	u32 flags;
};
#define EXT4_ALLOC_META    1u
#define EXT4_ALLOC_DELAYED 2u /* was reserved: its blocks are claimed */
#define EXT4_ALLOC_ROOT_OK 4u /* may use root's reserve */
/* Contiguous blocks, as many of len as one run gives. -ENOSPC -EDQUOT -EIO. In h: credits 4. */
int ext4_alloc_blocks(struct handle *h, struct ext4_alloc *a, ext4_block *out) must_check;
#define EXT4_FREE_META    1u /* forget and revoke: they may be in the journal */
#define EXT4_FREE_NOQUOTA 2u
/* Allocatable again after h's transaction has committed. credits: 3 per group touched. */
int ext4_free_blocks(
	struct handle *h, struct inode *i, ext4_block b, u32 count, u32 flags) must_check;
/* For the replay of fast commits: these blocks become i's, which were free; -EFSCORRUPTED when they
 * weren't. credits: 2 per group. */
int ext4_claim_blocks(struct handle *h, struct inode *i, ext4_block b, u32 count) must_check;
/* Until the groups are loaded anew no search finds these blocks. */
int ext4_hold_blocks(struct ext4 *fs, ext4_block b, u32 count) must_check;
/* The last group's blocks [from, to) begin to exist: free. resizing; in h: credits 2. */
int ext4_group_lengthen(struct handle *h, struct ext4 *fs, u32 n, u32 from, u32 to) must_check;
void ext4_count_blocks(struct inode *i, s64 n); /* st_blocks and i_blocks */
/* Delayed allocation: promise n blocks for inode; root's reserve respected. -ENOSPC -EDQUOT. */
int ext4_reserve(struct inode *i, u32 n) must_check;
void ext4_unreserve(struct inode *i, u32 n);
void ext4_repromise(struct inode *i, u32 n); /* an allocation with DELAYED was taken back */
int ext4_trim(struct ext4 *fs, u64 start, u64 len, u64 minlen, u64 *trimmed) must_check; /* bytes */

/* ---- map.c, extents.c, indirect.c
 * --------------------------------------------------------------------- */

#define EXT4_MAP_MAPPED    1u
#define EXT4_MAP_UNWRITTEN 2u /* allocated, reads as zero */
#define EXT4_MAP_NEW       4u
/* wishes */
#define EXT4_GET_CREATE    1u  /* allocate holes (written) */
#define EXT4_GET_UNWRITTEN 2u  /* with CREATE: as unwritten */
#define EXT4_GET_CONVERT   4u  /* unwritten to written */
#define EXT4_GET_DELAYED   8u  /* was reserved */
#define EXT4_GET_META      16u /* directory and so on: metadata */
/* Map the run at m->lblk. h only for CREATE/CONVERT; takes data_sem. 0; errors. */
int ext4_map_blocks(struct handle *h, struct inode *i, struct ext4_map *m, u32 get) must_check;
u32 ext4_map_credits(const struct inode *i, u32 runs); /* to create so many runs */
/* Free all blocks from lblk on (to last inclusive), in as many transactions as it takes; h may be
 * restarted: the inode is on the orphan list or the punched range is consistent in between. */
int ext4_remove_range(
	struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last) must_check;
/* COLLAPSE and INSERT: move everything from lblk on by shift blocks. */
int ext4_shift_range(struct handle *h, struct inode *i, ext4_lblk from, s64 shift) must_check;
void ext4_map_init(struct inode *i);            /* empty map of a new inode */
int ext4_map_check(struct inode *i) must_check; /* root valid? -EFSCORRUPTED */
/* Both kinds of map, data_sem held (write for all but lookup): */
int ext4_ext_lookup(struct inode *i, struct ext4_map *m) must_check;
int ext4_ext_insert(struct handle *h, struct inode *i, const struct ext4_map *m) must_check;
int ext4_ext_convert(struct handle *h, struct inode *i, ext4_lblk lblk, u32 len) must_check;
int ext4_ext_remove(struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last) must_check;
int ext4_ext_shift(struct handle *h, struct inode *i, ext4_lblk from, s64 shift, u64 *cursor,
	bool first) must_check;
int ext4_ind_lookup(struct inode *i, struct ext4_map *m) must_check;
int ext4_ind_create(struct handle *h, struct inode *i, struct ext4_map *m, u32 get) must_check;
int ext4_ind_remove(struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last) must_check;
void ext4_map_cache_drop(struct inode *i);
ext4_block ext4_alloc_goal(struct inode *i, ext4_lblk lblk); /* data_sem */
/* Credits for one step of removing: extents, bitmaps, the inode. */
#define EXT4_REMOVE_CREDITS 28u
void ext4_map_forget(struct inode *i); /* caches, before the inode goes */

/* A block of a directory or another file kept as metadata; hole: out->page NULL, returns 0. */
int ext4_read_file_block(struct inode *i, ext4_lblk lblk, struct block_ref *out) must_check;
/* One more block at the end: allocated, zeroed, in h (journal_get_create done), size grown. */
int ext4_append_block(
	struct handle *h, struct inode *i, ext4_lblk *lblk, struct block_ref *out) must_check;

/* ---- file.c, writeback.c, truncate.c, fallocate.c, fiemap.c
 * ------------------------------------------------- */

void ext4_writeback_init(struct ext4 *fs);
extern const struct file_ops g_ext4_file_fops;
extern const struct inode_ops g_ext4_file_ops;
int ext4_fsync(struct file *f, u64 start, u64 end, bool datasync);
/* object.size was or becomes size; frees blocks beyond. i_rwsem held for writing. */
int ext4_truncate(struct inode *i, u64 size) must_check;
void ext4_evict_inode(struct inode *i);
/* The last block of a file of size bytes is cleared behind it, in the cache and later on the disk,
 * before the file grows. i_rwsem held for writing. */
int ext4_zero_tail(struct inode *i, u64 size) must_check;
int ext4_setsize(struct inode *i, u64 size) must_check; /* truncate or extend */
int ext4_fallocate(struct file *f, int mode, u64 off, u64 len);
/* Cut a range out of the cache, for who frees or moves its blocks: written back where partial. */
int ext4_drop_range(struct inode *i, u64 start, u64 end) must_check;
/* Blocks of the page at index may have been freed under it. */
void ext4_forget_places(struct inode *i, u64 index);
/* Does the content of i go through the journal (data=journal, chattr +j)? */
bool ext4_journals_data(const struct inode *i);
/* May blocks of its content be in the journal? Then they are freed as metadata is. */
static inline bool ext4_data_in_journal(const struct inode *i)
{
	return !S_ISREG(i->mode) || READ_ONCE(ext4_info(i)->data_logged) || ext4_journals_data(i) ||
		(READ_ONCE(ext4_info(i)->flags) & EXT4_EA_INODE_FL);
}
/* Cut for one step of removing, so that the revokes of logged data fit its credits. */
#define EXT4_LOGGED_STEP 1024u
int ext4_fiemap(struct file *f, unsigned long arg); /* ioctl FS_IOC_FIEMAP; -EFAULT ... */

/* move.c: EXT4_IOC_MOVE_EXT. *moved blocks, also on errors. -EINVAL -EPERM -EOPNOTSUPP -ENODATA
 * (the file has no extents) -EBUSY -EIO -ENOSPC -EINTR */
int ext4_move_extents(
	struct file *f, struct file *donor, u64 at, u64 donor_at, u64 len, u64 *moved) must_check;

/* ---- orphan.c
 * ---------------------------------------------------------------------------------------- */

int ext4_orphan_add(struct handle *h, struct inode *i) must_check; /* credits 2 */
int ext4_orphan_del(struct handle *h, struct inode *i) must_check; /* h NULL: memory only */
/* At mount, after the journal. file: the orphan file may have entries. */
void ext4_orphan_recover(struct ext4 *fs, bool file);

/* fastcommit.c: at mount, after the journal; nothing else has changed yet. Errors leave all as it
 * was. */
int ext4_fast_commits_replay(struct ext4 *fs) must_check;

/* ---- dir.c, htree.c, hash.c, namei.c, symlink.c
 * ------------------------------------------------------------ */

extern const struct file_ops g_ext4_dir_fops;
extern const struct inode_ops g_ext4_dir_ops, g_ext4_link_ops, g_ext4_fast_link_ops,
	g_ext4_special_ops;
int ext4_dir_hash(const struct ext4 *fs, u8 version, const char *name, size_t len, u32 *major,
	u32 *minor) must_check; /* -EINVAL: unknown version */

/* ---- xattr.c, acl.c
 * ------------------------------------------------------------------------------------- */

ssize_t ext4_getxattr(struct inode *i, const char *name, void *buf, size_t size);
int ext4_setxattr(struct inode *i, const char *name, const void *val, size_t len, int flags);
int ext4_removexattr(struct inode *i, const char *name);
ssize_t ext4_listxattr(struct inode *i, char *buf, size_t size);
/*
 * ea_inode.c: values in inodes of their own, by number. create: one reference, the new attribute's;
 * credits ext4_ea_credits. get and put count another attribute in and out, in the handle that
 * changes it; credits 4 for put. read: -ESTALE when it is not (any more) what the attribute says.
 */
struct inode *ext4_ea_create(
	struct handle *h, struct inode *owner, const void *val, u32 len) must_check;
u32 ext4_ea_credits(const struct ext4 *fs, u32 len);
u32 ext4_ea_hash(const struct inode *ea); /* what entries' hashes are made of */
int ext4_ea_read(struct inode *owner, u32 ino, u32 len, u8 *buf) must_check;
int ext4_ea_get(struct handle *h, struct inode *owner, u32 ino) must_check;
int ext4_ea_put(struct handle *h, struct inode *owner, u32 ino) must_check;
void ext4_ea_reap(struct ext4 *fs); /* after the handle: deletes what nothing refers to */
/* The owner pays for its values: n 1 or -1. -EDQUOT. */
int ext4_ea_charge(struct inode *owner, u32 len, int n) must_check;
/* By index and bare name, inside h (for ACL inheritance, inode creation). xattr_sem taken. */
ssize_t ext4_xattr_get(struct inode *i, int index, const char *name, void *buf, size_t size);
int ext4_xattr_set(struct handle *h, struct inode *i, int index, const char *name, const void *val,
	size_t len, int flags) must_check;
#define EXT4_XATTR_CREDITS 10
void ext4_xattr_delete(struct handle *h, struct inode *i); /* inode goes: drop its block */
/* How many of i's values have inodes of their own. i_rwsem held. */
int ext4_xattr_values(struct inode *i, u32 *nr) must_check;
/* Has the inode no ACL at all? Then INODE_NO_ACL says so from now on. */
void ext4_note_acl(struct inode *i);
/* The lists in the form of getxattr and setxattr; index: EXT4_XATTR_INDEX_POSIX_ACL_*. */
ssize_t ext4_get_acl(struct inode *i, int index, void *buf, size_t size);
int ext4_set_acl(struct handle *h, struct inode *i, const char *name, int index, const void *val,
	size_t len, int flags) must_check;
/* New inode in dir: default ACL applied to mode, ACLs written. */
int ext4_init_acl(struct handle *h, struct inode *i, struct inode *dir) must_check;
int ext4_permission(struct inode *i, int mask, const struct cred *c); /* mode bits and ACL */
int ext4_acl_chmod(struct handle *h, struct inode *i) must_check;     /* mode changed: mask entry */

/* ---- ioctl.c, quota.c, show.c
 * ----------------------------------------------------------------------- */

long ext4_ioctl(struct file *f, u32 cmd, unsigned long arg);
long ext4_admin_ioctl(struct file *f, u32 cmd, unsigned long arg); /* admin.c: size, UUID ... */
/* Space and inodes of the owner, group and project of i; no-ops without quota. -EDQUOT. */
int ext4_quota_blocks(struct inode *i, s64 blocks) must_check;
/* Blocks that are promised, then claimed when they are allocated; force: limits don't count. */
int ext4_quota_promise(struct inode *i, s64 blocks, bool force) must_check;
int ext4_quota_claim(struct inode *i, u32 blocks) must_check;
int ext4_quota_inode(struct inode *i, int n) must_check;
int ext4_quota_transfer(struct handle *h, struct inode *i, const struct iattr *a) must_check;
int ext4_quota_project(struct inode *i, u32 projid) must_check; /* in a handle */
void ext4_quota_drop(struct inode *i);                          /* the inode leaves memory */
void ext4_quota_statfs(struct inode *i, struct kstatfs *st);
void ext4_quota_enforce(struct ext4 *fs); /* as the options say */
int ext4_quota_load(struct ext4 *fs) must_check;
void ext4_quota_unload(struct ext4 *fs);

#endif
