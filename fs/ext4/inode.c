/* Inodes: from the table into memory and back, attributes, their end. */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "ext4.h"

#define FAST_LINK_MAX 60

static SLAB_CACHE(g_info_cache, struct ext4_inode_info);

/* ---- memory ------------------------------------------------------------------------------------ */

static int info_alloc(struct inode *i)
{
	struct ext4_inode_info *n = slab_alloc(&g_info_cache, GFP_NOFS | GFP_ZERO);

	if (!n)
		return -ENOMEM;
	n->vfs = i;
	rwsem_init(&n->data_sem, RANK_FS_MAP);
	rwsem_init(&n->xattr_sem, RANK_FS_XATTR);
	mutex_init(&n->raw_lock, RANK_FS_META);
	spin_init(&n->cache_lock, RANK_INODE_SPIN);
	list_init(&n->orphan_link);
	i->priv = n;
	return 0;
}

static void info_free_rcu(struct rcu_head *head)
{
	slab_free(&g_info_cache, container_of(head, struct ext4_inode_info, rcu));
}

void ext4_free_info(struct inode *i)
{
	if (i->priv) /* path walks under RCU may look at its attributes */
		rcu_call(&ext4_info(i)->rcu, info_free_rcu);
}

/* ---- times ------------------------------------------------------------------------------------- */

/* 34 bits of seconds since 1901, 30 of nanoseconds. */
static struct vfs_time time_in(u32 seconds, u32 extra, bool has_extra)
{
	struct vfs_time t = {.sec = (s32)seconds};

	if (!has_extra)
		return t;
	t.sec += (s64)(extra & 3) << 32;
	if (extra >> 2 < NS_PER_SEC)
		t.nsec = extra >> 2;
	return t;
}

static u32 time_out(struct vfs_time t, bool has_extra)
{
	return (u32)(has_extra ? t.sec : clamp(t.sec, (s64)S32_MIN, (s64)S32_MAX));
}

static u32 extra_out(struct vfs_time t)
{
	return (u32)(((t.sec - (s32)(u32)t.sec) >> 32) & 3) | t.nsec << 2;
}

#define FITS(n, field)                                  \
	(EXT4_GOOD_OLD_INODE_SIZE + (n)->extra_isize >= \
		offsetof(struct ext4_inode, field) + sizeof(u32))

/* ---- the table --------------------------------------------------------------------------------- */

static int table_ref(struct ext4 *fs, u64 ino, struct block_ref *ref, struct ext4_inode **raw)
{
	u64 nr = ino - 1;
	u32 group = (u32)(nr / fs->inodes_per_group), at = (u32)(nr % fs->inodes_per_group);
	int err;

	ref->page = NULL;
	if (group >= fs->nr_groups)
		return -EFSCORRUPTED;
	err = ext4_read_block(fs,
		ext4_desc_inode_table(fs, ext4_group(fs, group)->desc) + at / fs->inodes_per_block,
		ref);
	if (!err)
		*raw = (void *)((u8 *)ref->data + at % fs->inodes_per_block * fs->inode_size);
	return err;
}

int ext4_inode_ref(struct inode *i, struct block_ref *ref, struct ext4_inode **raw)
{
	return table_ref(ext4_of(i), i->ino, ref, raw);
}

static u64 size_in(struct ext4 *fs, const struct ext4_inode *raw)
{
	if (S_ISREG(raw->i_mode) || (S_ISDIR(raw->i_mode) && ext4_has_incompat(fs, LARGEDIR)))
		return raw->i_size_lo | (u64)raw->i_size_high << 32;
	return raw->i_size_lo;
}

static kdev_t rdev_in(const struct ext4_inode *raw)
{
	u32 old = raw->i_block[0], new = raw->i_block[1];

	if (old)
		return dev_make(old >> 8 & 0xff, old & 0xff);
	return dev_make((new & 0xfff00) >> 8, (new & 0xff) | ((new >> 12) & 0xfff00));
}

static void rdev_out(kdev_t dev, u32 block[15])
{
	u32 major = dev_major(dev), minor = dev_minor(dev);

	if (major < 256 && minor < 256)
		block[0] = major << 8 | minor;
	else
		block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static void read_times(struct inode *i, struct ext4_inode_info *n, const struct ext4_inode *raw)
{
	i->times.atime = time_in(raw->i_atime, raw->i_atime_extra, FITS(n, i_atime_extra));
	i->times.mtime = time_in(raw->i_mtime, raw->i_mtime_extra, FITS(n, i_mtime_extra));
	i->times.ctime = time_in(raw->i_ctime, raw->i_ctime_extra, FITS(n, i_ctime_extra));
	if (FITS(n, i_crtime_extra))
		i->btime = time_in(raw->i_crtime, raw->i_crtime_extra, true);
}

static bool is_fast_link(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	u64 acl = n->file_acl ? 1 : 0;

	return S_ISLNK(i->mode) && n->nr_blocks <= acl && i->object.size < FAST_LINK_MAX &&
		i->object.size;
}

static int check_inode(struct inode *i, const struct ext4_inode *raw)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	u64 size = i->object.size;

	if (size > i->super->max_size)
		return ext4_corrupt(fs, i->ino, 0, "size %llu", (unsigned long long)size);
	if (n->file_acl && !ext4_blocks_valid(fs, n->file_acl, 1))
		return ext4_corrupt(fs, i->ino, n->file_acl, "attribute block");
	if (n->flags & (EXT4_INLINE_DATA_FL | EXT4_ENCRYPT_FL | EXT4_VERITY_FL | EXT4_CASEFOLD_FL))
		return ext4_corrupt(fs, i->ino, 0, "flags %x of a feature that isn't on", n->flags);
	if (S_ISDIR(i->mode) && (size & (fs->block_size - 1) || !size))
		return ext4_corrupt(
			fs, i->ino, 0, "directory of %llu bytes", (unsigned long long)size);
	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		if (is_fast_link(i)) {
			if (strnlen((const char *)n->data, FAST_LINK_MAX) != size)
				return ext4_corrupt(fs, i->ino, 0, "short symbolic link");
			return 0;
		}
		if (!size || size > PATH_MAX)
			return ext4_corrupt(fs, i->ino, 0, "symbolic link of %llu bytes",
				(unsigned long long)size);
		fallthrough;
	case S_IFREG:
	case S_IFDIR:
		return ext4_map_check(i);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	}
	return ext4_corrupt(fs, i->ino, 0, "mode %o", raw->i_mode);
}

static int fill_inode(struct inode *i, struct ext4_inode *raw, u32 flags)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	u64 sectors;

	if (fs->inode_size > EXT4_GOOD_OLD_INODE_SIZE) {
		n->extra_isize = raw->i_extra_isize;
		if (EXT4_GOOD_OLD_INODE_SIZE + n->extra_isize > fs->inode_size ||
			(n->extra_isize & 3))
			return ext4_corrupt(fs, i->ino, 0, "extra size %u", n->extra_isize);
	}
	if (!ext4_inode_csum_ok(fs, i->ino, raw)) {
		(void)ext4_corrupt(fs, i->ino, 0, "bad checksum of an inode");
		return -EFSBADCRC;
	}
	if (!raw->i_links_count && (!raw->i_mode || !(flags & EXT4_IGET_SPECIAL)))
		return -ESTALE;
	i->mode = raw->i_mode;
	i->nlink = raw->i_links_count;
	i->uid = raw->i_uid | (fs->opt.nouid32 ? 0 : (u32)raw->i_uid_high << 16);
	i->gid = raw->i_gid | (fs->opt.nouid32 ? 0 : (u32)raw->i_gid_high << 16);
	i->object.size = n->disk_size = size_in(fs, raw);
	n->flags = raw->i_flags;
	n->generation = raw->i_generation;
	n->dtime = raw->i_dtime;
	n->file_acl = raw->i_file_acl_lo |
		(ext4_has_incompat(fs, 64BIT) ? (u64)raw->i_file_acl_high << 32 : 0);
	memcpy(n->data, raw->i_block, sizeof(n->data));
	sectors = raw->i_blocks_lo;
	if (fs->has_huge_file)
		sectors |= (u64)raw->i_blocks_high << 32;
	n->nr_blocks = fs->has_huge_file && (n->flags & EXT4_HUGE_FILE_FL)
		? sectors
		: sectors / fs->sectors_per_block;
	i->blocks = n->nr_blocks * fs->sectors_per_block;
	n->version = raw->i_version | (FITS(n, i_version_hi) ? (u64)raw->i_version_hi << 32 : 0);
	if (FITS(n, i_projid) && ext4_has_ro_compat(fs, PROJECT))
		n->projid = raw->i_projid;
	read_times(i, n, raw);
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode))
		i->rdev = rdev_in(raw);
	ext4_apply_flags(i);
	n->no_quota = n->flags & EXT4_EA_INODE_FL; /* the owner of the attribute has paid */
	n->data_logged = ext4_journals_data(
		i); /* what was logged may outlive the inode in memory */
	return check_inode(i, raw);
}

/* The parts of a VFS inode that the file system sets once. */
void ext4_set_ops(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &g_ext4_file_ops;
		i->fops = &g_ext4_file_fops;
		i->object.ops = &g_ext4_object_ops;
		i->object.wb = ext4_of(i)->wb;
		break;
	case S_IFDIR:
		i->ops = &g_ext4_dir_ops;
		i->fops = &g_ext4_dir_fops;
		break;
	case S_IFLNK:
		i->ops = is_fast_link(i) ? &g_ext4_fast_link_ops : &g_ext4_link_ops;
		break;
	default:
		i->ops = &g_ext4_special_ops;
		break;
	}
}

void ext4_apply_flags(struct inode *i)
{
	u32 f = ext4_info(i)->flags, on = 0;

	on |= f & EXT4_IMMUTABLE_FL ? INODE_IMMUTABLE : 0;
	on |= f & EXT4_APPEND_FL ? INODE_APPEND : 0;
	on |= f & EXT4_NOATIME_FL ? INODE_NOATIME : 0;
	__atomic_fetch_or(&i->flags, on, __ATOMIC_RELAXED);
	__atomic_fetch_and(&i->flags, ~(INODE_IMMUTABLE | INODE_APPEND | INODE_NOATIME) | on,
		__ATOMIC_RELAXED);
}

static int read_inode(struct inode *i, u32 flags)
{
	struct ext4_inode *raw;
	struct block_ref ref;
	int err = info_alloc(i);

	if (!err)
		err = ext4_inode_ref(i, &ref, &raw);
	if (err)
		return err;
	err = fill_inode(i, raw, flags);
	block_ref_put(&ref);
	if (err)
		return err;
	if (S_ISDIR(i->mode))
		rwsem_init(&i->rwsem, RANK_INODE_DIR);
	ext4_set_ops(i);
	/* It may have been changed, and forgotten, in a transaction that hasn't committed. */
	ext4_info(i)->sync_tid = ext4_info(i)->datasync_tid = READ_ONCE(ext4_of(i)->last_tid);
	return 0;
}

/* By the table: a file that somebody evicts, who may wait for us, isn't waited for. */
static int is_value(struct ext4 *fs, u64 ino)
{
	struct ext4_inode *raw;
	struct block_ref ref;
	int err = table_ref(fs, ino, &ref, &raw);

	if (!err)
		err = (raw->i_flags & EXT4_EA_INODE_FL) != 0;
	block_ref_put(&ref);
	return err;
}

/* Values of attributes are nobody's files. Puts i when it is of the wrong kind. */
static struct inode *check_kind(struct inode *i, u32 flags)
{
	bool ea = READ_ONCE(ext4_info(i)->flags) & EXT4_EA_INODE_FL;
	int err;

	if ((flags & EXT4_IGET_SPECIAL) || ea == !!(flags & EXT4_IGET_EA))
		return i;
	/* An attribute that is being removed while it is read may lead to any inode. */
	err = ea ? ext4_corrupt(ext4_of(i), i->ino, 0, "is an attribute's value") : -ESTALE;
	put_inode(i);
	return err_ptr(err);
}

struct inode *ext4_iget(struct super *s, u64 ino, u32 flags)
{
	struct ext4 *fs = s->priv;
	struct inode *i;
	bool is_new;
	int err;

	if (!ino || ino > fs->inodes_count ||
		(ino < fs->first_ino && ino != EXT4_ROOT_INO && !(flags & EXT4_IGET_SPECIAL))) {
		(void)ext4_corrupt(fs, ino, 0, "no inode has this number");
		return err_ptr(-EFSCORRUPTED);
	}
	if (flags & EXT4_IGET_EA) {
		err = is_value(fs, ino);
		if (err <= 0)
			return err_ptr(err ? err : -ESTALE);
	}
	i = inode_cache_get(s, ino, &is_new);
	if (is_err(i))
		return i;
	if (!is_new)
		return check_kind(i, flags);
	err = read_inode(i, flags);
	if (err) {
		if (i->priv)
			ext4_info(i)->deleted = true; /* nothing of it is to be written */
		inode_cache_fail(i);
		return err_ptr(err);
	}
	inode_cache_ready(i);
	return check_kind(i, flags);
}

struct inode *ext4_inode_insert(struct super *s, u64 ino)
{
	bool is_new;
	struct inode *i = inode_cache_get(s, ino, &is_new);
	int err;

	if (is_err(i))
		return i;
	if (!is_new) {
		put_inode(i);
		return err_ptr(ext4_corrupt(s->priv, ino, 0, "an inode in use was free"));
	}
	err = info_alloc(i);
	if (err) {
		inode_cache_fail(i);
		return err_ptr(err);
	}
	return i;
}

/* ---- back to the table ------------------------------------------------------------------------- */

static void write_times(
	const struct inode *i, const struct ext4_inode_info *n, struct ext4_inode *raw)
{
	struct inode_times t;

	inode_get_times(i, &t);
	raw->i_atime = time_out(t.atime, FITS(n, i_atime_extra));
	raw->i_mtime = time_out(t.mtime, FITS(n, i_mtime_extra));
	raw->i_ctime = time_out(t.ctime, FITS(n, i_ctime_extra));
	if (FITS(n, i_ctime_extra))
		raw->i_ctime_extra = extra_out(t.ctime);
	if (FITS(n, i_mtime_extra))
		raw->i_mtime_extra = extra_out(t.mtime);
	if (FITS(n, i_atime_extra))
		raw->i_atime_extra = extra_out(t.atime);
	if (FITS(n, i_crtime_extra)) {
		raw->i_crtime = time_out(i->btime, true);
		raw->i_crtime_extra = extra_out(i->btime);
	}
}

static void write_blocks(struct ext4 *fs, struct ext4_inode_info *n, struct ext4_inode *raw)
{
	u64 sectors = n->nr_blocks * fs->sectors_per_block;

	n->flags &= ~(u32)EXT4_HUGE_FILE_FL;
	if (sectors > 0xffffffffffffull) {
		n->flags |= EXT4_HUGE_FILE_FL;
		sectors = n->nr_blocks;
	}
	raw->i_blocks_lo = (u32)sectors;
	if (fs->has_huge_file)
		raw->i_blocks_high = (u16)(sectors >> 32);
}

static void write_data(struct inode *i, struct ext4_inode_info *n, struct ext4_inode *raw)
{
	if (S_ISCHR(i->mode) || S_ISBLK(i->mode)) {
		memset(raw->i_block, 0, sizeof(raw->i_block));
		rdev_out(i->rdev, raw->i_block);
	} else {
		memcpy(raw->i_block, n->data, sizeof(raw->i_block));
	}
}

/* raw_lock held. */
static void write_raw(struct inode *i, struct ext4_inode *raw)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	u64 size = n->disk_size;

	if (n->new_inode)
		memset(raw, 0, fs->inode_size);
	n->new_inode = false;
	raw->i_mode = (u16)i->mode;
	raw->i_uid = (u16)i->uid;
	raw->i_gid = (u16)i->gid;
	if (!fs->opt.nouid32) {
		raw->i_uid_high = (u16)(i->uid >> 16);
		raw->i_gid_high = (u16)(i->gid >> 16);
	}
	raw->i_links_count = (u16)i->nlink;
	if (S_ISDIR(i->mode) && i->nlink > 65000)
		raw->i_links_count = 1; /* DIR_NLINK: too many to count */
	raw->i_size_lo = (u32)size;
	if (S_ISREG(i->mode) || S_ISDIR(i->mode))
		raw->i_size_high = (u32)(size >> 32);
	write_blocks(fs, n, raw);
	raw->i_flags = n->flags;
	raw->i_dtime = n->dtime;
	raw->i_generation = n->generation;
	raw->i_file_acl_lo = (u32)n->file_acl;
	if (ext4_has_incompat(fs, 64BIT))
		raw->i_file_acl_high = (u16)(n->file_acl >> 32);
	write_data(i, n, raw);
	raw->i_version = (u32)n->version;
	if (fs->inode_size > EXT4_GOOD_OLD_INODE_SIZE) {
		raw->i_extra_isize = n->extra_isize;
		if (FITS(n, i_version_hi))
			raw->i_version_hi = (u32)(n->version >> 32);
		if (FITS(n, i_projid) && ext4_has_ro_compat(fs, PROJECT))
			raw->i_projid = n->projid;
	}
	write_times(i, n, raw);
	ext4_inode_csum_set(fs, i->ino, raw);
}

/* The first file beyond 2 GiB: old drivers must not write here any more. */
static int want_large_file(struct handle *h, struct ext4 *fs)
{
	int err;

	if (fs->has_large_file)
		return 0;
	err = journal_get_write(h, &fs->sb_ref);
	if (err)
		return err;
	mutex_lock(&fs->error_lock);
	fs->has_large_file = true;
	fs->feature_ro_compat |= EXT4_RO_COMPAT_LARGE_FILE;
	fs->es->s_feature_ro_compat |= EXT4_RO_COMPAT_LARGE_FILE;
	ext4_super_csum_set(fs);
	mutex_unlock(&fs->error_lock);
	return journal_dirty(h, &fs->sb_ref);
}

int ext4_mark_inode_dirty(struct handle *h, struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4_inode *raw;
	struct block_ref ref;
	int err;

	if (!h)
		return -EROFS;
	err = ext4_inode_ref(i, &ref, &raw);
	if (err)
		return err;
	err = journal_get_write(h, &ref);
	if (!err && n->disk_size > S32_MAX && S_ISREG(i->mode))
		err = want_large_file(h, ext4_of(i));
	if (!err) {
		inode_times_stored(
			i); /* before: times that change from here on are remembered anew */
		mutex_lock(&n->raw_lock);
		write_raw(i, raw);
		mutex_unlock(&n->raw_lock);
		WRITE_ONCE(n->sync_tid, journal_handle_tid(h));
		WRITE_ONCE(ext4_of(i)->last_tid, n->sync_tid);
		err = journal_dirty(h, &ref);
	}
	block_ref_put(&ref);
	return err;
}

void ext4_dirty_inode(struct inode *i)
{
	struct handle *h;
	int err;

	if ((i->super->flags & MS_RDONLY) && !READ_ONCE(ext4_of(i)->going_ro))
		return;
	h = ext4_begin(ext4_of(i), 3);
	if (is_err(h))
		return;
	err = ext4_mark_inode_dirty(h, i);
	if (ext4_end(h, err))
		log_warn("ext4: %s: inode %llu isn't written", i->super->id,
			(unsigned long long)i->ino);
}

/* ---- attributes -------------------------------------------------------------------------------- */

int ext4_getattr(struct inode *i, struct kstat *st)
{
	static const struct {
		u32 flag;
		u64 attr;
	} attrs[] = {{EXT4_COMPR_FL, STATX_ATTR_COMPRESSED}, {EXT4_NODUMP_FL, STATX_ATTR_NODUMP},
		{EXT4_ENCRYPT_FL, STATX_ATTR_ENCRYPTED}, {EXT4_VERITY_FL, STATX_ATTR_VERITY}};
	struct ext4_inode_info *n = ext4_info(i);

	inode_fill_stat(i, st);
	st->blocks += (u64)READ_ONCE(n->reserved) * ext4_of(i)->sectors_per_block;
	if (FITS(n, i_crtime_extra))
		st->result_mask |= STATX_BTIME;
	else
		st->result_mask &= ~(u32)STATX_BTIME;
	for (u32 k = 0; k < ARRAY_SIZE(attrs); k++) {
		if (n->flags & attrs[k].flag)
			st->attributes |= attrs[k].attr;
		st->attributes_mask |= attrs[k].attr;
	}
	return 0;
}

int ext4_setattr(struct inode *i, const struct iattr *a)
{
	struct ext4 *fs = ext4_of(i);
	struct iattr rest = *a;
	struct handle *h;
	int err;

	if (i->super->flags & MS_RDONLY)
		return -EROFS;
	if ((a->valid & ATTR_SIZE) && S_ISREG(i->mode)) {
		err = ext4_setsize(i, a->size);
		if (err)
			return err;
	}
	rest.valid &= ~ATTR_SIZE;
	h = ext4_begin(fs, 3 + EXT4_XATTR_CREDITS);
	if (is_err(h))
		return ptr_err(h);
	err = a->valid & (ATTR_UID | ATTR_GID) ? ext4_quota_transfer(h, i, a) : 0;
	if (!err)
		err = inode_apply_attr(i, &rest);
	if (!err && (a->valid & ATTR_MODE))
		err = ext4_acl_chmod(h, i);
	if (!err)
		err = ext4_mark_inode_dirty(h, i);
	err = ext4_end(h, err);
	ext4_ea_reap(fs);
	return err;
}

/* ---- the end ----------------------------------------------------------------------------------- */

static bool can_write(struct inode *i)
{
	struct ext4 *fs = ext4_of(i);

	return !READ_ONCE(fs->aborted) && !fs->gone && !bdev_read_only(fs->dev) &&
		(!(i->super->flags & MS_RDONLY) || fs->recovering);
}

static void delete_inode(struct inode *i)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	bool has_map = S_ISREG(i->mode) || S_ISDIR(i->mode) ||
		(S_ISLNK(i->mode) && i->ops != &g_ext4_fast_link_ops);
	struct handle *h = ext4_start(
		fs, EXT4_REMOVE_CREDITS + EXT4_XATTR_CREDITS + 6 + fs->quota_credits);
	int err = 0;

	if (is_err(h))
		return; /* on the orphan list: the next mount does it */
	if (has_map)
		err = ext4_remove_range(h, i, 0, EXT4_LBLK_END - 1);
	if (!err)
		err = min(journal_ensure(h, EXT4_XATTR_CREDITS + 8), 0);
	if (!err) {
		ext4_xattr_delete(h, i);
		i->object.size = n->disk_size = 0;
		err = ext4_orphan_del(h, i);
	}
	if (!err) {
		n->dtime = (u32)(clock_coarse_real_ns() / NS_PER_SEC);
		if (!n->dtime)
			n->dtime = 1;
		err = ext4_mark_inode_dirty(h, i);
	}
	if (!err)
		ext4_free_inode(h, i);
	if (ext4_end(h, err))
		log_warn("ext4: %s: inode %llu isn't freed: error %s", i->super->id,
			(unsigned long long)i->ino, errno_name(err));
	if (!(n->flags & EXT4_EA_INODE_FL)) /* that is what reaping does */
		ext4_ea_reap(fs);
}

void ext4_evict_inode(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);
	int leaving;

	if (!n)
		return;
	leaving = object_begin_leaving(&i->object);
	if (!n->deleted && can_write(i)) {
		if (!i->nlink) {
			object_end_leaving(
				&i->object, leaving); /* nothing that a sync has to wait for */
			leaving = NOT_LEAVING;
			object_truncate(&i->object, 0);
			delete_inode(i);
		} else if (S_ISREG(i->mode) && object_is_dirty(&i->object)) {
			(void)!object_write_range(&i->object, 0, U64_MAX, true);
			/* Where that failed it is on the list again. */
			object_end_leaving(&i->object, object_begin_leaving(&i->object));
		}
		/* Who reads it again wouldn't know that the journal has newer content. */
		if (i->nlink && n->data_logged && S_ISREG(i->mode) && !ext4_journals_data(i) &&
			journal_flush(ext4_of(i)->journal))
			log_warn("ext4: %s: inode %llu isn't at its place", i->super->id,
				(unsigned long long)i->ino);
	}
	object_end_leaving(&i->object, leaving);
	object_truncate(&i->object, 0); /* promises of pages that weren't written end */
	if (!list_empty(&n->orphan_link) && ext4_orphan_del(NULL, i))
		WARN_ON(true);
	ext4_map_forget(i);
	ext4_quota_drop(i);
}
