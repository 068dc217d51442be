/* Mount and unmount: the super block read and doubted, features, the journal. */
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "super.h"

#define POOL_MAX 4096 /* blocks; 2% of the file system if that is less (reserved_clusters) */

static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_INODE_DIR);
static LIST_HEAD(g_mounted); /* g_lock */

/* ---- the super block --------------------------------------------------------------------------- */

static int refuse(struct ext4 *fs, const char *why)
{
	log_err("ext4: %s: %s", fs->super->id, why);
	return -EINVAL;
}

static int check_features(struct ext4 *fs, const struct fs_type *t, bool ro)
{
	u32 incompat = fs->feature_incompat, ro_compat = fs->feature_ro_compat;

	if (incompat & ~EXT4_INCOMPAT_KNOWN)
		return refuse(fs, "unknown incompatible features");
	if ((ro_compat & ~EXT4_RO_COMPAT_KNOWN) && !ro)
		return refuse(fs, "features that allow only to read");
	if ((ro_compat & EXT4_RO_COMPAT_GDT_CSUM) && (ro_compat & EXT4_RO_COMPAT_METADATA_CSUM))
		return refuse(fs, "both kinds of checksums");
	if (strcmp(t->name, "ext4") != 0) {
		if ((incompat & ~EXT3_INCOMPAT) || (!ro && (ro_compat & ~EXT3_RO_COMPAT)))
			return refuse(fs, "has features of ext4");
		if (!strcmp(t->name, "ext2") && (incompat & EXT4_INCOMPAT_RECOVER))
			return refuse(fs, "the journal must be replayed");
		if (!strcmp(t->name, "ext3") && !ext4_has_compat(fs, HAS_JOURNAL))
			return refuse(fs, "no journal");
	}
	return 0;
}

/* Every number that something is computed from, before it is. */
static int check_geometry(struct ext4 *fs)
{
	const struct ext4_super_block *es = fs->es;
	u64 groups;

	if (es->s_log_block_size > 2 || es->s_log_cluster_size != es->s_log_block_size)
		return refuse(fs, "block size");
	fs->block_bits = 10 + es->s_log_block_size;
	fs->block_size = 1u << fs->block_bits;
	fs->sectors_per_block = fs->block_size / SECTOR_SIZE;
	if (fs->block_size < bdev_logical_block_size(fs->dev))
		return refuse(fs, "blocks are smaller than the device's");
	if (es->s_first_data_block != (fs->block_size == EXT4_SUPER_OFFSET))
		return refuse(fs, "first data block");
	fs->inode_size = es->s_rev_level ? es->s_inode_size : EXT4_GOOD_OLD_INODE_SIZE;
	fs->first_ino = es->s_rev_level ? es->s_first_ino : EXT4_FIRST_INO_OLD;
	if (!is_power_of_2(fs->inode_size) || fs->inode_size < EXT4_GOOD_OLD_INODE_SIZE ||
		fs->inode_size > fs->block_size)
		return refuse(fs, "inode size");
	fs->desc_size = ext4_has_incompat(fs, 64BIT) ? es->s_desc_size : 32;
	if (fs->desc_size < 32 || fs->desc_size > fs->block_size || !is_power_of_2(fs->desc_size) ||
		(ext4_has_incompat(fs, 64BIT) && fs->desc_size < sizeof(struct ext4_group_desc)))
		return refuse(fs, "descriptor size");
	fs->descs_per_block = fs->block_size / fs->desc_size;
	fs->inodes_per_block = fs->block_size / fs->inode_size;
	fs->inodes_per_group = es->s_inodes_per_group;
	fs->blocks_per_group = es->s_blocks_per_group;
	if (!fs->inodes_per_group || fs->inodes_per_group > fs->block_size * 8 ||
		fs->inodes_per_group < fs->inodes_per_block || (fs->inodes_per_group & 7))
		return refuse(fs, "inodes per group");
	if (fs->blocks_per_group < 256 || fs->blocks_per_group > fs->block_size * 8 ||
		(fs->blocks_per_group & 7) || es->s_clusters_per_group != fs->blocks_per_group)
		return refuse(fs, "blocks per group");
	fs->itable_blocks = div_round_up(fs->inodes_per_group, fs->inodes_per_block);
	fs->blocks_count = es->s_blocks_count_lo |
		(ext4_has_incompat(fs, 64BIT) ? (u64)es->s_blocks_count_hi << 32 : 0);
	if (fs->blocks_count <= es->s_first_data_block + 1 ||
		fs->blocks_count > bdev_bytes(fs->dev) >> fs->block_bits)
		return refuse(fs, "more blocks than the device has");
	groups = div_round_up(fs->blocks_count - es->s_first_data_block, fs->blocks_per_group);
	if (!groups || groups > S32_MAX / 64)
		return refuse(fs, "number of groups");
	fs->nr_groups = (u32)groups;
	fs->inodes_count = es->s_inodes_count;
	if (groups * fs->inodes_per_group != fs->inodes_count ||
		fs->first_ino < EXT4_FIRST_INO_OLD || fs->first_ino > fs->inodes_per_group)
		return refuse(fs, "number of inodes");
	if (ext4_has_incompat(fs, META_BG) &&
		es->s_first_meta_bg > div_round_up(fs->nr_groups, fs->descs_per_block))
		return refuse(fs, "first meta group");
	if (es->s_reserved_gdt_blocks > fs->block_size / 4 || es->s_log_groups_per_flex > 31)
		return refuse(fs, "room for descriptors");
	fs->flex_bits = ext4_has_incompat(fs, FLEX_BG) ? es->s_log_groups_per_flex : 0;
	return 0;
}

static void set_features(struct ext4 *fs)
{
	const struct ext4_super_block *es = fs->es;
	u32 unsigned_hash = es->s_flags & EXT4_FLAGS_UNSIGNED_HASH;

	fs->has_extents = ext4_has_incompat(fs, EXTENTS);
	fs->has_csum = ext4_has_ro_compat(fs, METADATA_CSUM);
	fs->has_gdt_csum = ext4_has_ro_compat(fs, GDT_CSUM);
	fs->has_huge_file = ext4_has_ro_compat(fs, HUGE_FILE);
	fs->has_large_file = ext4_has_ro_compat(fs, LARGE_FILE);
	fs->has_dir_index = ext4_has_compat(fs, DIR_INDEX);
	fs->has_filetype = ext4_has_incompat(fs, FILETYPE);
	fs->has_extra_isize = ext4_has_ro_compat(fs, EXTRA_ISIZE);
	fs->csum_seed = ext4_has_incompat(fs, CSUM_SEED)
		? es->s_checksum_seed
		: ext4_csum(~0u, es->s_uuid, sizeof(es->s_uuid));
	memcpy(fs->hash_seed, es->s_hash_seed, sizeof(fs->hash_seed));
	fs->hash_version = es->s_def_hash_version;
	if (unsigned_hash && fs->hash_version <= EXT4_HASH_TEA)
		fs->hash_version += EXT4_HASH_LEGACY_UNSIGNED - EXT4_HASH_LEGACY;
	if (fs->inode_size > EXT4_GOOD_OLD_INODE_SIZE) {
		u32 room = fs->inode_size - EXT4_GOOD_OLD_INODE_SIZE;

		fs->want_extra_isize = (u16)(sizeof(struct ext4_inode) - EXT4_GOOD_OLD_INODE_SIZE);
		fs->want_extra_isize = (u16)max(fs->want_extra_isize, es->s_want_extra_isize);
		fs->want_extra_isize = (u16)max(fs->want_extra_isize, es->s_min_extra_isize);
		if (fs->want_extra_isize > room || (fs->want_extra_isize & 3))
			fs->want_extra_isize = (u16)min_t(u32, 32, room);
	}
}

static void read_features(struct ext4 *fs)
{
	const struct ext4_super_block *es = fs->es;

	fs->feature_compat = es->s_rev_level ? es->s_feature_compat : 0;
	fs->feature_incompat = es->s_rev_level ? es->s_feature_incompat : 0;
	fs->feature_ro_compat = es->s_rev_level ? es->s_feature_ro_compat : 0;
}

static int read_super(struct ext4 *fs, const struct fs_type *t, bool ro)
{
	u32 offset;
	int err = bdev_read_block(fs->dev, 1, EXT4_SUPER_OFFSET, &fs->sb_ref);

	if (err)
		return err;
	fs->es = fs->sb_ref.data;
	if (fs->es->s_magic != EXT4_SUPER_MAGIC)
		return -EINVAL;
	read_features(fs);
	if (fs->es->s_rev_level > 1 || fs->es->s_creator_os == 1 /* Hurd */)
		return refuse(fs, "revision");
	err = check_features(fs, t, ro);
	if (err)
		return err;
	if ((fs->feature_ro_compat & EXT4_RO_COMPAT_METADATA_CSUM) && fs->es->s_checksum_type != 1)
		return refuse(fs, "unknown kind of checksum");
	if (!ext4_super_csum_ok(fs->es)) {
		(void)refuse(fs, "bad checksum of the super block");
		return -EFSBADCRC;
	}
	err = check_geometry(fs);
	if (err)
		return err;
	/* As a block of the file system: that is what the journal deals in. */
	block_ref_put(&fs->sb_ref);
	err = bdev_read_block(
		fs->dev, EXT4_SUPER_OFFSET / fs->block_size, fs->block_size, &fs->sb_ref);
	if (err)
		return err;
	offset = EXT4_SUPER_OFFSET % fs->block_size;
	fs->es = (void *)((u8 *)fs->sb_ref.data + offset);
	set_features(fs);
	return 0;
}

static void set_limits(struct ext4 *fs)
{
	struct super *s = fs->super;
	u64 n = fs->block_size / sizeof(u32), blocks = EXT4_LBLK_END;

	if (!fs->has_extents)
		blocks = min(12 + n + n * n + n * n * n, blocks);
	s->max_size = blocks << fs->block_bits;
	if (!fs->has_huge_file) /* i_blocks has 32 bits of sectors */
		s->max_size = min(s->max_size, (u64)U32_MAX << SECTOR_SHIFT);
	s->magic = EXT4_SUPER_MAGIC;
	s->blksize = fs->block_size;
	s->time_min = S32_MIN;
	if (fs->inode_size > EXT4_GOOD_OLD_INODE_SIZE) {
		s->time_max = S32_MAX + (3ll << 32); /* 2446: two more bits in i_[amc]time_extra */
	} else {
		s->time_max = S32_MAX;
		s->time_gran_ns = NS_PER_SEC;
	}
}

static void set_reserves(struct ext4 *fs)
{
	u64 journal = 0;

	fs->root_reserved = ext4_super_reserved(fs);
	fs->pool = fs->resv_pool = fs->has_extents ? min_t(u64, fs->blocks_count / 50, POOL_MAX)
						   : 0;
	if (fs->journal_inode)
		journal = fs->journal_inode->object.size >> fs->block_bits;
	fs->overhead = fs->es->s_overhead_clusters;
	if (!fs->overhead || fs->overhead > fs->blocks_count)
		fs->overhead = ext4_calc_overhead(fs) + journal;
	fs->overhead = min(fs->overhead, fs->blocks_count);
}

/* ---- the journal ------------------------------------------------------------------------------- */

static int map_log(void *owner, u64 log_block, u64 *dev_block)
{
	struct ext4 *fs = owner;
	struct ext4_map m = {.lblk = (ext4_lblk)log_block, .len = 1};
	int err = ext4_map_blocks(NULL, fs->journal_inode, &m, 0);

	if (err || !(m.flags & EXT4_MAP_MAPPED))
		return -EIO;
	*dev_block = m.block;
	return 0;
}

static int internal_journal(struct ext4 *fs, struct journal_config *c)
{
	struct inode *i = ext4_iget(fs->super, fs->es->s_journal_inum, EXT4_IGET_SPECIAL);

	if (is_err(i))
		return ptr_err(i);
	fs->journal_inode = i;
	c->dev = fs->dev;
	c->nr_blocks = i->object.size >> fs->block_bits;
	c->map = map_log;
	if (!S_ISREG(i->mode) || !i->nlink || c->nr_blocks < 1024 || c->nr_blocks > U32_MAX)
		return refuse(fs, "invalid journal inode");
	return 0;
}

static int external_journal(struct ext4 *fs, struct journal_config *c, kdev_t dev)
{
	struct ext4_super_block *es;
	struct block_ref ref;
	int err;

	fs->journal_dev = bdev_find(dev);
	if (!fs->journal_dev)
		return refuse(fs, "the journal's device isn't there");
	err = bdev_open(fs->journal_dev, !c->read_only, fs);
	if (err) {
		put_bdev(fs->journal_dev);
		fs->journal_dev = NULL;
		return err;
	}
	err = bdev_read_block(fs->journal_dev, 1, EXT4_SUPER_OFFSET, &ref);
	if (err)
		return err;
	es = ref.data;
	c->dev = fs->journal_dev;
	c->dev_start = fs->block_size == EXT4_SUPER_OFFSET ? 2 : 1;
	c->nr_blocks = es->s_blocks_count_lo;
	if (es->s_magic != EXT4_SUPER_MAGIC ||
		!(es->s_feature_incompat & EXT4_INCOMPAT_JOURNAL_DEV) ||
		memcmp(es->s_uuid, fs->es->s_journal_uuid, sizeof(es->s_uuid)) != 0 ||
		c->nr_blocks > bdev_bytes(fs->journal_dev) >> fs->block_bits ||
		c->nr_blocks < 1024 + c->dev_start)
		err = refuse(fs, "that isn't its journal");
	block_ref_put(&ref);
	return err;
}

static int load_journal(struct ext4 *fs, kdev_t dev)
{
	struct journal_config c = {
		.fs_dev = fs->dev,
		.block_size = fs->block_size,
		.owner = fs,
		.commit_interval_ns = (u64)fs->opt.commit_s * NS_PER_SEC,
		.barriers = fs->opt.barrier,
		.checksum_v3 = fs->has_csum,
		.read_only = bdev_read_only(fs->dev),
		.aborted = ext4_journal_aborted,
	};
	bool recovered = false;
	int err;

	if (fs->no_journal_type || !ext4_has_compat(fs, HAS_JOURNAL) || fs->opt.noload)
		return 0;
	if (!dev && fs->es->s_journal_dev) {
		u32 d = fs->es->s_journal_dev;

		dev = dev_make(d >> 8 & 0xfff, (d & 0xff) | (d >> 12 & 0xfff00));
	}
	if (!dev && !fs->es->s_journal_inum)
		return refuse(fs, "the journal is neither inside nor outside");
	err = dev ? external_journal(fs, &c, dev) : internal_journal(fs, &c);
	if (err)
		return err;
	fs->journal = journal_load(&c, &recovered);
	if (is_err(fs->journal)) {
		err = ptr_err(fs->journal);
		fs->journal = NULL;
		return err;
	}
	if (recovered)
		log_info("ext4: %s: the journal was replayed", fs->super->id);
	if (journal_stored_error(fs->journal)) {
		log_warn("ext4: %s: the journal recorded an error", fs->super->id);
		fs->es->s_state |= EXT4_ERROR_FS;
		ext4_super_csum_set(fs);
		if (!bdev_read_only(fs->dev) && !bdev_write_block(fs->dev, &fs->sb_ref, 0))
			(void)!journal_clear_error(fs->journal);
	}
	return 0;
}

/* What the journal has brought back may differ from what was read before. */
static int reread(struct ext4 *fs, const struct fs_type *t, bool ro)
{
	int err;

	if (fs->es->s_magic != EXT4_SUPER_MAGIC || !ext4_super_csum_ok(fs->es) ||
		fs->es->s_blocks_per_group != fs->blocks_per_group ||
		fs->es->s_inodes_per_group != fs->inodes_per_group)
		return refuse(fs, "the super block after the replay");
	read_features(fs);
	err = check_features(fs, t, ro);
	if (!err)
		err = check_geometry(fs);
	if (err)
		return err;
	ext4_groups_unload(fs);
	return ext4_groups_load(fs, true);
}

/* ---- in use ------------------------------------------------------------------------------------ */

/* Marks on the disk that it is mounted for writing. Nothing is in the journal yet. */
int ext4_start_writing(struct ext4 *fs)
{
	struct ext4_super_block *es = fs->es;
	u64 now = (u64)(clock_real_ns() / NS_PER_SEC);
	bool had_orphans = es->s_feature_ro_compat & EXT4_RO_COMPAT_ORPHAN_PRESENT;
	int err;

	if (es->s_state & EXT4_ERROR_FS)
		log_warn("ext4: %s: has errors: e2fsck is advised", fs->super->id);
	mutex_lock(&fs->error_lock);
	fs->mount_state = es->s_state;
	es->s_mnt_count++;
	es->s_mtime = (u32)now;
	es->s_mtime_hi = (u8)(now >> 32);
	mutex_unlock(&fs->error_lock);
	err = ext4_mark_in_use(fs);
	if (err)
		return err;
	fs->writing = true;
	if (!fs->orphans_done)
		ext4_orphan_recover(fs, had_orphans);
	fs->orphans_done = true;
	return 0;
}

int ext4_mark_in_use(struct ext4 *fs)
{
	struct ext4_super_block *es = fs->es;

	mutex_lock(&fs->error_lock);
	if (!fs->journal)
		es->s_state &= (u16)~EXT4_VALID_FS;
	if (fs->journal)
		es->s_feature_incompat |= EXT4_INCOMPAT_RECOVER;
	if (fs->orphan_file)
		es->s_feature_ro_compat |= EXT4_RO_COMPAT_ORPHAN_PRESENT;
	fs->feature_incompat = es->s_rev_level ? es->s_feature_incompat : 0;
	fs->feature_ro_compat = es->s_rev_level ? es->s_feature_ro_compat : 0;
	ext4_super_csum_set(fs);
	mutex_unlock(&fs->error_lock);
	/* Before the first transaction: RECOVER is looked for in the block itself. */
	return bdev_write_block(fs->dev, &fs->sb_ref, fs->opt.barrier ? BIO_FUA : 0);
}

/* The journal is empty: the marks go. */
int ext4_stop_writing(struct ext4 *fs)
{
	struct ext4_super_block *es = fs->es;

	mutex_lock(&fs->error_lock);
	es->s_feature_incompat &= ~(u32)EXT4_INCOMPAT_RECOVER;
	if (!fs->nr_orphans)
		es->s_feature_ro_compat &= ~(u32)EXT4_RO_COMPAT_ORPHAN_PRESENT;
	fs->feature_incompat = es->s_rev_level ? es->s_feature_incompat : 0;
	fs->feature_ro_compat = es->s_rev_level ? es->s_feature_ro_compat : 0;
	es->s_state |= fs->mount_state & EXT4_VALID_FS;
	ext4_super_csum_set(fs);
	mutex_unlock(&fs->error_lock);
	return 0;
}

static int open_orphan_file(struct ext4 *fs)
{
	struct inode *i;

	if (!ext4_has_compat(fs, ORPHAN_FILE))
		return 0;
	i = ext4_iget(fs->super, fs->es->s_orphan_file_inum, EXT4_IGET_SPECIAL);
	if (is_err(i))
		return ptr_err(i);
	fs->orphan_file = i;
	if (!S_ISREG(i->mode) || i->object.size < fs->block_size)
		return refuse(fs, "orphan file");
	return 0;
}

static int open_root(struct ext4 *fs)
{
	struct inode *root = ext4_iget(fs->super, EXT4_ROOT_INO, 0);

	if (is_err(root))
		return ptr_err(root) == -ESTALE ? -EFSCORRUPTED : ptr_err(root);
	if (!S_ISDIR(root->mode)) {
		put_inode(root);
		return refuse(fs, "the root isn't a directory");
	}
	fs->super->root = dentry_make_root(root);
	return fs->super->root ? 0 : -ENOMEM;
}

/* Options of the journal don't fit a mount without one. */
static int check_options(struct ext4 *fs)
{
	struct ext4_options def;

	if ((fs->opt.usrquota || fs->opt.grpquota || fs->opt.prjquota) &&
		!ext4_has_ro_compat(fs, QUOTA))
		return refuse(
			fs, "quotas without the feature: files of the user's own aren't done");
	if (fs->opt.prjquota && !ext4_has_ro_compat(fs, PROJECT))
		return refuse(fs, "quotas of projects without the feature project");
	if (fs->journal)
		return 0;
	ext4_default_options(fs, &def);
	if (fs->opt.data != def.data)
		return refuse(fs, "data= without a journal");
	if (fs->opt.commit_s)
		return refuse(fs, "commit= without a journal");
	if (fs->opt.journal_checksum || fs->opt.journal_async_commit)
		return refuse(fs, "options of the journal without one");
	return 0;
}

static int fill_super(struct ext4 *fs, const struct fs_type *t, char *data)
{
	struct super *s = fs->super;
	bool ro = s->flags & MS_RDONLY, given = false;
	kdev_t journal_dev = 0;
	int err = read_super(fs, t, ro);

	if (err)
		return err;
	ext4_default_options(fs, &fs->opt);
	err = ext4_parse_options(&fs->opt, data, &given, &journal_dev);
	if (err)
		return refuse(fs, "unknown mount option");
	fs->no_journal_type = !strcmp(t->name, "ext2");
	if (fs->opt.noload && !ro && ext4_has_incompat(fs, RECOVER))
		return refuse(fs, "norecovery needs ro");
	if (!(fs->es->s_flags & (EXT4_FLAGS_SIGNED_HASH | EXT4_FLAGS_UNSIGNED_HASH)) &&
		fs->hash_version <= EXT4_HASH_TEA && (char)-1 > 0)
		fs->hash_version += EXT4_HASH_LEGACY_UNSIGNED;
	set_limits(fs);
	err = ext4_groups_load(fs, false);
	if (!err)
		err = ext4_mmp_start(fs);
	if (!err)
		err = load_journal(fs, journal_dev);
	if (!err)
		err = check_options(fs);
	if (!err)
		err = reread(fs, t, ro);
	if (err)
		return err;
	set_reserves(fs);
	err = open_orphan_file(fs);
	if (!err)
		err = ext4_quota_load(fs);
	if (!err)
		err = ext4_fast_commits_replay(fs);
	if (!err)
		err = open_root(fs);
	if (err)
		return err;
	fs->mounted = true;
	return ro ? 0 : ext4_start_writing(fs);
}

/* ---- the VFS's side ---------------------------------------------------------------------------- */

static void release(struct ext4 *fs)
{
	bool writes = fs->mounted && !(fs->super->flags & MS_RDONLY);
	int err = 0;

	ext4_ea_reap(fs);
	fs->gone = true;
	ext4_quota_unload(fs);
	if (fs->orphan_file)
		put_inode(fs->orphan_file);
	if (writes && !READ_ONCE(fs->aborted))
		err = writeback_sync(fs->wb, true);
	work_flush(&fs->failed_work);
	if (fs->mounted)
		work_flush(&fs->error_work);
	if (fs->journal) {
		/* Its last transaction has the counts as they are. */
		if (writes && !READ_ONCE(fs->aborted))
			(void)!ext4_write_super(fs, true);
		if (journal_close(fs->journal) && !err)
			err = -EIO;
		fs->journal = NULL;
	}
	if (writes && !READ_ONCE(fs->aborted) && !err) {
		err = bdev_sync(fs->dev);
		if (!err)
			err = ext4_stop_writing(fs);
		if (!err)
			err = ext4_write_super(fs, true);
	}
	if (err)
		log_err("ext4: %s: unmounted with error %s", fs->super->id, errno_name(err));
	if (fs->mounted)
		work_flush(&fs->error_work);
	ext4_mmp_stop(fs);
	if (fs->journal_inode)
		put_inode(fs->journal_inode);
	ext4_groups_unload(fs);
	block_ref_put(&fs->sb_ref);
	if (fs->journal_dev)
		bdev_close(fs->journal_dev, fs);
	bdev_close(fs->dev, fs);
	put_bdev(fs->dev);
	rcu_barrier(); /* inodes' memory */
	kfree(fs);
}

static void ext4_put_super(struct super *s)
{
	struct ext4 *fs = s->priv;

	if (!list_empty(&fs->link)) { /* else mount_device has failed, and holds the lock */
		mutex_lock(&g_lock);
		list_del(&fs->link);
		mutex_unlock(&g_lock);
	}
	release(fs);
	s->priv = NULL;
}

static int to_read_only(struct ext4 *fs)
{
	int err;

	WRITE_ONCE(fs->going_ro, true);
	err = ext4_sync(fs->super, true);
	if (!err && fs->journal)
		err = journal_flush(fs->journal);
	if (!err)
		err = ext4_stop_writing(fs);
	if (!err && !fs->journal)
		err = ext4_write_super(fs, true);
	if (!err && fs->journal) {
		/* The empty journal's block goes home the plain way. */
		err = bdev_write_block(fs->dev, &fs->sb_ref, BIO_FUA);
	}
	if (err && !READ_ONCE(fs->aborted))
		ext4_back_in_use(fs);
	WRITE_ONCE(fs->going_ro, false);
	if (!err) {
		ext4_mmp_stop(fs);
		fs->writing = false;
	}
	return err;
}

static int ext4_remount(struct super *s, u32 flags, const char *data)
{
	struct ext4 *fs = s->priv;
	struct ext4_options old = fs->opt, new = fs->opt;
	bool given = false, was_ro;
	char *copy = data ? kstrdup(data, GFP_KERNEL) : NULL;
	kdev_t dev;
	int err;

	if (data && !copy)
		return -ENOMEM;
	err = ext4_parse_options(&new, copy, &given, &dev);
	kfree(copy);
	if (err || new.data != old.data || new.noload != old.noload)
		return -EINVAL;
	if (READ_ONCE(fs->aborted) && !(flags & MS_RDONLY))
		return -EROFS;
	/* The VFS has set MS_RDONLY before it asked. */
	was_ro = !fs->writing;
	fs->opt = new;
	if (fs->journal) {
		journal_set_commit_interval(fs->journal, (u64) new.commit_s *NS_PER_SEC);
		journal_set_barriers(fs->journal, new.barrier);
	}
	if ((flags & MS_RDONLY) && !was_ro) {
		if (READ_ONCE(fs->aborted))
			fs->writing = false;
		else
			err = to_read_only(fs);
	} else if (!(flags & MS_RDONLY) && was_ro) {
		if (bdev_read_only(fs->dev))
			err = -EROFS;
		else if ((fs->feature_ro_compat & ~EXT4_RO_COMPAT_KNOWN) || new.noload)
			err = refuse(fs, "features that allow only to read");
		if (!err)
			err = ext4_mmp_start(fs);
		if (!err)
			err = ext4_start_writing(fs);
	}
	if (err)
		fs->opt = old;
	ext4_quota_enforce(fs);
	return err;
}

const struct super_ops g_ext4_super_ops = {
	.evict_inode = ext4_evict_inode,
	.free_inode = ext4_free_info,
	.dirty_inode = ext4_dirty_inode,
	.statfs = ext4_statfs,
	.statfs_dir = ext4_quota_statfs,
	.sync = ext4_sync,
	.freeze = ext4_freeze,
	.thaw = ext4_thaw,
	.remount = ext4_remount,
	.show_options = ext4_show_options,
	.put_super = ext4_put_super,
};

static const struct super_ops g_no_ops; /* of a mount that failed early */

static struct ext4 *fs_alloc(struct super *s, struct block_device *dev)
{
	struct ext4 *fs = kzalloc(sizeof(*fs), GFP_KERNEL);

	if (!fs)
		return NULL;
	fs->super = s;
	fs->dev = dev;
	fs->wb = dev->wb;
	mutex_init(&fs->sb_lock, RANK_FS_SUPER);
	mutex_init(&fs->orphan_lock, RANK_FS_ORPHAN);
	mutex_init(&fs->trim_lock, RANK_FS_TRIM);
	ext4_error_init(fs);
	ext4_writeback_init(fs);
	list_init(&fs->orphans);
	list_init(&fs->link);
	fs->next_generation = (u32)random_u64();
	s->priv = fs;
	s->dev = dev->dev;
	(void)str_copy(s->id, dev->name, sizeof(s->id));
	return fs;
}

/* The same device once more: the same super block. g_lock held. */
static struct super *find_mounted(
	const struct fs_type *t, const struct block_device *dev, u32 flags)
{
	struct ext4 *fs;

	list_for_each_entry(fs, &g_mounted, link) {
		if (fs->dev != dev)
			continue;
		if (fs->super->type != t || ((fs->super->flags ^ flags) & MS_RDONLY))
			return err_ptr(-EBUSY);
		return ref_get_unless_zero(&fs->super->refs) ? fs->super : err_ptr(-EBUSY);
	}
	return NULL;
}

static struct super *mount_device(
	const struct fs_type *t, struct block_device *dev, u32 flags, char *data)
{
	struct super *s = find_mounted(t, dev, flags);
	struct ext4 *fs;
	int err;

	if (s) {
		put_bdev(dev);
		return s;
	}
	s = super_alloc(t, &g_ext4_super_ops);
	fs = s ? fs_alloc(s, dev) : NULL;
	if (!fs) {
		if (s) {
			s->ops = &g_no_ops;
			put_super(s);
		}
		put_bdev(dev);
		return err_ptr(-ENOMEM);
	}
	s->flags = flags;
	if (bdev_read_only(dev) && !(flags & MS_RDONLY))
		err = -EROFS;
	else
		err = bdev_open(dev, !bdev_read_only(dev), fs);
	if (err) {
		s->ops = &g_no_ops;
		s->priv = NULL;
		put_super(s);
		put_bdev(dev);
		kfree(fs);
		return err_ptr(err);
	}
	err = fill_super(fs, t, data);
	if (err) {
		put_super(s); /* with put_super's release */
		return err_ptr(err);
	}
	list_add_tail(&fs->link, &g_mounted);
	return s;
}

static struct super *ext4_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct block_device *dev;
	struct super *s;
	char *copy = NULL;

	if (!source || !*source)
		return err_ptr(-EINVAL);
	dev = bdev_find_name(source);
	if (!dev)
		return err_ptr(str_has_prefix(source, "/") ? -ENOENT : -ENOTBLK);
	if (data) {
		copy = kstrdup(data, GFP_KERNEL);
		if (!copy) {
			put_bdev(dev);
			return err_ptr(-ENOMEM);
		}
	}
	mutex_lock(&g_lock);
	s = mount_device(t, dev, flags, copy);
	mutex_unlock(&g_lock);
	kfree(copy);
	return s;
}

static struct fs_type g_types[] = {
	{.name = "ext4", .flags = FS_REQUIRES_DEV, .mount = ext4_mount},
	{.name = "ext3", .flags = FS_REQUIRES_DEV, .mount = ext4_mount},
	{.name = "ext2", .flags = FS_REQUIRES_DEV, .mount = ext4_mount},
};

static int ext4_init(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(g_types); k++) {
		int err = fs_type_register(&g_types[k]);

		if (err)
			return err;
	}
	return 0;
}
INIT_HOOK(INIT_FS, ext4_init);
