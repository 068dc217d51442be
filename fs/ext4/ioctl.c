/* ioctl(2) on ext4's files: flags and attributes of inodes, the file system as a whole. */
#include <core/log.h>
#include <lib/string.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <vm/mm.h>
#include "ext4.h"

/* ioctl_ext4 commands that no ABI header has. */
#define IOC_GETVERSION       _IOR('f', 3, long)
#define IOC_SETVERSION       _IOW('f', 4, long)
#define IOC_ALLOC_DA_BLKS    _IO('f', 12)
#define IOC_MOVE_EXT         _IOWR('f', 15, struct move_extent)
#define IOC_PRECACHE_EXTENTS _IO('f', 18)
#define IOC_CLEAR_ES_CACHE   _IO('f', 40)
#define IOC_GETSTATE         _IOW('f', 41, u32)
#define STATE_PRECACHED      1u /* of GETSTATE */
#define STATE_NEW            2u
#define IOC_CHECKPOINT       _IOW('f', 43, u32)
#define IOC_SHUTDOWN         _IOR('X', 125, u32)
#define CHECKPOINT_DISCARD   1u
#define CHECKPOINT_ZEROOUT   2u
#define CHECKPOINT_DRY_RUN   4u
#define SHUTDOWN_FLUSH       0u /* everything is written first */
#define SHUTDOWN_LOG_FLUSH   1u /* only the journal */
#define SHUTDOWN_NOLOG_FLUSH 2u

struct move_extent {
	u32 reserved, donor_fd;
	u64 orig_start, donor_start, len, moved_len; /* blocks */
};

/* chattr(1): what lsattr shows, and what may be changed. */
#define FLAGS_VISIBLE    0x705bdfffu
#define FLAGS_MODIFIABLE 0x604bc0ffu

/* fsxattr has names of its own for the flags. */
static const struct {
	u32 fl, x;
} xflags[] = {
	{EXT4_SYNC_FL, FS_XFLAG_SYNC},
	{EXT4_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE},
	{EXT4_APPEND_FL, FS_XFLAG_APPEND},
	{EXT4_NODUMP_FL, FS_XFLAG_NODUMP},
	{EXT4_NOATIME_FL, FS_XFLAG_NOATIME},
	{EXT4_PROJINHERIT_FL, FS_XFLAG_PROJINHERIT},
};

/* ---- of an inode ------------------------------------------------------------------------------- */

/* Flags and project change in one handle. i_rwsem held for writing. */
static int apply_flags(struct inode *i, u32 flags, const u32 *projid)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct handle *h = ext4_begin(ext4_of(i), 3);
	int err;

	if (is_err(h))
		return ptr_err(h);
	if (i->super->flags & MS_SYNCHRONOUS)
		h->sync = true;
	if (projid && *projid != n->projid) {
		err = ext4_quota_project(i, *projid);
		if (err)
			return ext4_end(h, err);
	}
	WRITE_ONCE(n->flags, flags);
	if (projid)
		n->projid = *projid;
	ext4_apply_flags(i);
	inode_touch(i, ATTR_CTIME);
	err = ext4_mark_inode_dirty(h, i);
	return ext4_end(h, err);
}

/* May the caller, and can we, go from the old flags to the new ones? */
static int check_flags(struct inode *i, u32 old, u32 new)
{
	struct ext4 *fs = ext4_of(i);
	u32 changed = old ^ new;

	if (!inode_owner_or_capable(i, current_cred()))
		return -EACCES;
	if ((changed & (EXT4_IMMUTABLE_FL | EXT4_APPEND_FL)) && !capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	if ((changed & EXT4_JOURNAL_DATA_FL) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (changed & (EXT4_EXTENTS_FL | EXT4_CASEFOLD_FL))
		return -EOPNOTSUPP;
	if ((changed & new &EXT4_PROJINHERIT_FL) && !ext4_has_ro_compat(fs, PROJECT))
		return -EOPNOTSUPP;
	return 0;
}

/* Flags, when the content's way to the disk changes: what went the old way has arrived before
 * anything goes the new one. i_rwsem held for writing. */
static int apply_data_mode(struct inode *i, u32 flags)
{
	struct journal *j = ext4_of(i)->journal;
	int err = object_write_range(&i->object, 0, U64_MAX, true);

	if (!err)
		err = apply_flags(i, flags, NULL);
	if (err || (flags & EXT4_JOURNAL_DATA_FL))
		return err;
	/* Pages that a mapping has made dirty meanwhile; see bring_out for those that come later. */
	err = object_write_range(&i->object, 0, U64_MAX, true);
	return err ? err : journal_flush(j);
}

static u32 mask_flags(const struct inode *i, u32 flags)
{
	if (S_ISDIR(i->mode))
		return flags;
	if (S_ISREG(i->mode))
		return flags & ~(u32)(EXT4_DIRSYNC_FL | EXT4_TOPDIR_FL);
	return flags & (EXT4_NODUMP_FL | EXT4_NOATIME_FL);
}

static int set_flags(struct file *f, u32 flags)
{
	struct inode *i = f->inode;
	u32 old, new;
	int err;

	if (flags & ~FLAGS_VISIBLE)
		return -EOPNOTSUPP;
	if (mask_flags(i, flags) != flags)
		return -EOPNOTSUPP;
	err = mount_want_write(f->path.mnt);
	if (err)
		return err;
	rwsem_write_lock(&i->rwsem);
	old = ext4_info(i)->flags;
	new = (old & ~FLAGS_MODIFIABLE) | (flags & FLAGS_MODIFIABLE);
	/* What is shown but can't be changed is taken as it comes; the format of the map isn't. */
	if ((flags ^ old) & EXT4_EXTENTS_FL)
		err = -EOPNOTSUPP;
	if (!err)
		err = check_flags(i, old, new);
	if (!ext4_of(i)->journal &&
		S_ISREG(i->mode)) /* there is nothing that it could go through */
		new = (new & ~(u32)EXT4_JOURNAL_DATA_FL) | (old & EXT4_JOURNAL_DATA_FL);
	if (!err && ((old ^ new) & EXT4_JOURNAL_DATA_FL) && S_ISREG(i->mode))
		err = apply_data_mode(i, new);
	else if (!err && old != new)
		err = apply_flags(i, new, NULL);
	rwsem_write_unlock(&i->rwsem);
	mount_end_write(f->path.mnt);
	return err;
}

static int get_fsxattr(struct inode *i, struct fsxattr __user *out)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct fsxattr x = {};

	for (u32 k = 0; k < ARRAY_SIZE(xflags); k++)
		if (n->flags & xflags[k].fl)
			x.fsx_xflags |= xflags[k].x;
	if (ext4_has_ro_compat(ext4_of(i), PROJECT))
		x.fsx_projid = n->projid;
	return copy_to_user(out, &x, sizeof(x)) ? -EFAULT : 0;
}

static int check_project(struct inode *i, u32 projid)
{
	if (projid == ext4_info(i)->projid)
		return 0;
	if (!ext4_has_ro_compat(ext4_of(i), PROJECT))
		return projid ? -EOPNOTSUPP : 0;
	return inode_owner_or_capable(i, current_cred()) ? 0 : -EPERM;
}

static int set_fsxattr(struct file *f, const struct fsxattr __user *in)
{
	struct inode *i = f->inode;
	struct fsxattr x;
	u32 flags = 0, known = 0, new;
	int err;

	if (copy_from_user(&x, in, sizeof(x)))
		return -EFAULT;
	for (u32 k = 0; k < ARRAY_SIZE(xflags); k++) {
		known |= xflags[k].x;
		if (x.fsx_xflags & xflags[k].x)
			flags |= xflags[k].fl;
	}
	if ((x.fsx_xflags & ~known) || mask_flags(i, flags) != flags)
		return -EOPNOTSUPP;
	err = mount_want_write(f->path.mnt);
	if (err)
		return err;
	rwsem_write_lock(&i->rwsem);
	new = ext4_info(i)->flags;
	for (u32 k = 0; k < ARRAY_SIZE(xflags); k++)
		new &= ~xflags[k].fl;
	new |= flags;
	err = check_flags(i, ext4_info(i)->flags, new);
	if (!err)
		err = check_project(i, x.fsx_projid);
	if (!err)
		err = apply_flags(i, new, &x.fsx_projid);
	rwsem_write_unlock(&i->rwsem);
	mount_end_write(f->path.mnt);
	return err;
}

static int set_version(struct file *f, int __user *in)
{
	struct inode *i = f->inode;
	struct handle *h;
	int err, generation;

	if (!inode_owner_or_capable(i, current_cred()))
		return -EPERM;
	/* The generation is part of every checksum of the inode's blocks. */
	if (ext4_of(i)->has_csum)
		return -ENOTTY;
	err = get_user(generation, in);
	if (!err)
		err = mount_want_write(f->path.mnt);
	if (err)
		return err;
	rwsem_write_lock(&i->rwsem);
	h = ext4_begin(ext4_of(i), 3);
	err = is_err(h) ? ptr_err(h) : 0;
	if (!err) {
		ext4_info(i)->generation = (u32)generation;
		inode_touch(i, ATTR_CTIME);
		err = ext4_end(h, ext4_mark_inode_dirty(h, i));
	}
	rwsem_write_unlock(&i->rwsem);
	mount_end_write(f->path.mnt);
	return err;
}

/* Where one block of the file stands; 0: a hole. For old boot loaders. */
static int bmap(struct inode *i, int __user *arg)
{
	struct ext4_map m = {.len = 1};
	int block, err;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	err = get_user(block, arg);
	if (err)
		return err;
	if (block < 0)
		return -EINVAL;
	err = object_write_range(&i->object, 0, U64_MAX, true); /* delayed blocks get a place */
	if (err)
		return err;
	if (ext4_data_in_journal(i) && ext4_of(i)->journal) {
		err = journal_flush(ext4_of(i)->journal); /* whoever asks is going to read there */
		if (err)
			return err;
	}
	m.lblk = (ext4_lblk)block;
	err = ext4_map_blocks(NULL, i, &m, 0);
	if (err)
		return err;
	if (!(m.flags & EXT4_MAP_MAPPED))
		m.block = 0;
	if (m.block > INT_MAX)
		return put_user(0, arg) ? -EFAULT : -ERANGE;
	return put_user((int)m.block, arg);
}

/* Every block of the file's map is brought into memory, where it stays while there is room. */
static int precache(struct inode *i)
{
	struct ext4 *fs = ext4_of(i);
	u64 at = 0, end = div_round_up(i->object.size, (u64)fs->block_size);

	if (!(READ_ONCE(ext4_info(i)->flags) & EXT4_EXTENTS_FL))
		return 0;
	while (at < min_t(u64, end, EXT4_LBLK_END)) {
		struct ext4_map m = {
			.lblk = (ext4_lblk)at, .len = (u32)min_t(u64, end - at, U32_MAX)};
		int err = ext4_map_blocks(NULL, i, &m, 0);

		if (err)
			return err;
		at += m.len;
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return -EINTR;
		cond_resched();
	}
	WRITE_ONCE(ext4_info(i)->precached, true);
	return 0;
}

static int clear_cache(struct inode *i)
{
	if (!inode_owner_or_capable(i, current_cred()))
		return -EACCES;
	ext4_map_cache_drop(i);
	WRITE_ONCE(ext4_info(i)->precached, false);
	return 0;
}

static int alloc_delayed(struct inode *i)
{
	if (!inode_owner_or_capable(i, current_cred()))
		return -EACCES;
	if (!S_ISREG(i->mode) || !READ_ONCE(ext4_info(i)->reserved))
		return 0;
	return object_write_range(&i->object, 0, U64_MAX, false);
}

static int get_state(const struct ext4_inode_info *n, u32 __user *out)
{
	u32 state = (READ_ONCE(n->precached) ? STATE_PRECACHED : 0) |
		(READ_ONCE(n->new_inode) ? STATE_NEW : 0);

	return put_user(state, out);
}

/* ---- of the file system ------------------------------------------------------------------------ */

static int trim(struct ext4 *fs, struct fstrim_range __user *arg)
{
	struct fstrim_range r;
	u64 done, least;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!fs->dev->disk->limits.max_discard_sectors)
		return -EOPNOTSUPP;
	if (fs->journal && fs->opt.noload)
		return -EROFS;
	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	least = max_t(u64, r.minlen, fs->dev->disk->limits.discard_granularity);
	err = ext4_trim(fs, r.start, r.len, least, &done);
	if (err)
		return err;
	r.len = done;
	return copy_to_user(arg, &r, sizeof(r)) ? -EFAULT : 0;
}

static int get_label(struct ext4 *fs, char __user *out)
{
	char label[sizeof(fs->es->s_volume_name) + 1] = {};

	mutex_lock(&fs->error_lock);
	memcpy(label, fs->es->s_volume_name, sizeof(fs->es->s_volume_name));
	mutex_unlock(&fs->error_lock);
	return copy_to_user(out, label, sizeof(label)) ? -EFAULT : 0;
}

static int set_label(struct file *f, const char __user *in)
{
	struct ext4 *fs = ext4_of(f->inode);
	char label[sizeof(fs->es->s_volume_name) + 1];
	struct handle *h;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(label, in, sizeof(label)))
		return -EFAULT;
	if (strnlen(label, sizeof(label)) == sizeof(label))
		return -EINVAL;
	err = mount_want_write(f->path.mnt);
	if (err)
		return err;
	h = ext4_begin(fs, 1);
	err = is_err(h) ? ptr_err(h) : 0;
	if (!err) {
		err = journal_get_write(h, &fs->sb_ref);
		if (!err) {
			mutex_lock(&fs->error_lock);
			memset(fs->es->s_volume_name, 0, sizeof(fs->es->s_volume_name));
			memcpy(fs->es->s_volume_name, label, strlen(label));
			ext4_super_csum_set(fs);
			mutex_unlock(&fs->error_lock);
			err = journal_dirty(h, &fs->sb_ref);
		}
		h->sync = true;
		err = ext4_end(h, err);
	}
	mount_end_write(f->path.mnt);
	return err;
}

/* Everything in the journal goes home. */
static int checkpoint(struct ext4 *fs, u32 __user *arg)
{
	u32 flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(flags, arg))
		return -EFAULT;
	if ((flags & ~(CHECKPOINT_DISCARD | CHECKPOINT_ZEROOUT | CHECKPOINT_DRY_RUN)) ||
		((flags & CHECKPOINT_DISCARD) && (flags & CHECKPOINT_ZEROOUT)))
		return -EINVAL;
	if (!fs->journal)
		return -ENODEV;
	if (flags & (CHECKPOINT_DISCARD | CHECKPOINT_ZEROOUT))
		return -EOPNOTSUPP;
	return flags & CHECKPOINT_DRY_RUN ? 0 : journal_flush(fs->journal);
}

static int shut_down(struct ext4 *fs, u32 __user *arg)
{
	u32 how;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(how, arg))
		return -EFAULT;
	if (how > SHUTDOWN_NOLOG_FLUSH)
		return -EINVAL;
	err = how == SHUTDOWN_FLUSH ? ext4_sync(fs->super, true) : 0;
	if (!err && how == SHUTDOWN_LOG_FLUSH && fs->journal)
		err = journal_commit_all(fs->journal, true);
	if (err)
		return err;
	log_info("ext4: %s: shut down", fs->super->id);
	if (fs->journal)
		journal_abort(fs->journal, -ESHUTDOWN);
	WRITE_ONCE(fs->aborted, true);
	return 0;
}

static int move_extents(struct file *f, struct move_extent __user *arg)
{
	struct move_extent m;
	struct file *donor;
	int err;

	if (!(f->mode & FMODE_READ) || !(f->mode & FMODE_WRITE))
		return -EBADF;
	if (copy_from_user(&m, arg, sizeof(m)))
		return -EFAULT;
	donor = vfs_current_file((int)m.donor_fd);
	if (!donor)
		return -EBADF;
	err = donor->mode & FMODE_WRITE ? 0 : -EBADF;
	if (!err && donor->inode->super != f->inode->super)
		err = -EXDEV;
	if (!err)
		err = mount_want_write(f->path.mnt);
	if (!err) {
		m.moved_len = 0;
		err = ext4_move_extents(f, donor, m.orig_start, m.donor_start, m.len, &m.moved_len);
		mount_end_write(f->path.mnt);
		if (copy_to_user(arg, &m, sizeof(m)))
			err = -EFAULT;
	}
	put_file(donor);
	return err;
}

long ext4_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct inode *i = f->inode;
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4 *fs = ext4_of(i);
	void __user *user = (void __user *)arg;
	int value;

	switch (cmd) {
	case FS_IOC_FIEMAP:
		return S_ISREG(i->mode) || S_ISDIR(i->mode) ? ext4_fiemap(f, arg) : -EOPNOTSUPP;
	case FS_IOC_GETFLAGS:
		return put_user((int)(READ_ONCE(n->flags) & FLAGS_VISIBLE), (int __user *)user);
	case FS_IOC_SETFLAGS:
		return get_user(value, (int __user *)user) ? -EFAULT : set_flags(f, (u32)value);
	case FS_IOC_FSGETXATTR:
		return get_fsxattr(i, user);
	case FS_IOC_FSSETXATTR:
		return set_fsxattr(f, user);
	case FS_IOC_GETVERSION:
	case IOC_GETVERSION:
		return put_user((int)n->generation, (int __user *)user);
	case FS_IOC_SETVERSION:
	case IOC_SETVERSION:
		return set_version(f, user);
	case FIBMAP:
		return S_ISREG(i->mode) ? bmap(i, user) : -ENOTTY;
	case FITRIM:
		return trim(fs, user);
	case FS_IOC_GETFSLABEL:
		return get_label(fs, user);
	case FS_IOC_SETFSLABEL:
		return set_label(f, user);
	case IOC_CHECKPOINT:
		return checkpoint(fs, user);
	case IOC_SHUTDOWN:
		return shut_down(fs, user);
	case IOC_PRECACHE_EXTENTS:
		return S_ISREG(i->mode) || S_ISDIR(i->mode) ? precache(i) : 0;
	case IOC_CLEAR_ES_CACHE:
		return clear_cache(i);
	case IOC_ALLOC_DA_BLKS:
		return alloc_delayed(i);
	case IOC_MOVE_EXT:
		return move_extents(f, user);
	case IOC_GETSTATE:
		return get_state(n, user);
	default:
		return ext4_admin_ioctl(f, cmd, arg);
	}
}
