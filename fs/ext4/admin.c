/* ioctl(2) commands about the file system as a whole that change its shape or its name. */
#include <lib/string.h>
#include <linux/fs.h>
#include "resize.h"

/* ioctl_ext4 commands that no ABI header of this version has. */
#define IOC_GROUP_EXTEND _IOW('f', 7, unsigned long)
#define IOC_GROUP_ADD    _IOW('f', 8, struct ext4_new_group)
#define IOC_RESIZE_FS    _IOW('f', 16, u64)
#define IOC_GETFSUUID    _IOR('f', 44, struct fsuuid)
#define IOC_SETFSUUID    _IOW('f', 44, struct fsuuid)

struct fsuuid {
	u32 len, flags;
	u8 uuid[];
};
#define UUID_LEN 16u

/* ---- size -------------------------------------------------------------------------------------- */

static int resize_fs(struct file *f, const void __user *arg)
{
	struct ext4 *fs = ext4_of(f->inode);
	u64 blocks;
	int err;

	if (copy_from_user(&blocks, arg, sizeof(blocks)))
		return -EFAULT;
	err = ext4_resize_begin(fs);
	if (err)
		return err;
	err = mount_want_write(f->path.mnt);
	if (!err) {
		err = ext4_resize(fs, blocks);
		mount_end_write(f->path.mnt);
	}
	ext4_resize_end(fs);
	return err;
}

static int group_extend(struct file *f, u32 __user *arg)
{
	struct ext4 *fs = ext4_of(f->inode);
	u32 blocks;
	int err = ext4_resize_begin(fs);

	if (err)
		return err;
	err = get_user(blocks, arg) ? -EFAULT : mount_want_write(f->path.mnt);
	if (!err) {
		err = ext4_resize_last(fs, blocks);
		mount_end_write(f->path.mnt);
	}
	ext4_resize_end(fs);
	return err;
}

static int group_add(struct file *f, const void __user *arg)
{
	struct ext4 *fs = ext4_of(f->inode);
	struct ext4_new_group in;
	int err;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	err = ext4_resize_begin(fs);
	if (err)
		return err;
	err = mount_want_write(f->path.mnt);
	if (!err) {
		err = ext4_resize_add(fs, &in);
		mount_end_write(f->path.mnt);
	}
	ext4_resize_end(fs);
	return err;
}

/* ---- UUID -------------------------------------------------------------------------------------- */

static int get_uuid(struct ext4 *fs, struct fsuuid __user *out)
{
	struct fsuuid head;
	u8 uuid[UUID_LEN];

	if (copy_from_user(&head, out, sizeof(head)))
		return -EFAULT;
	if (!head.len) { /* how long is it? */
		head.len = UUID_LEN;
		return copy_to_user(out, &head, sizeof(head)) ? -EFAULT : 0;
	}
	if (head.len < UUID_LEN || head.flags)
		return -EINVAL;
	mutex_lock(&fs->error_lock);
	memcpy(uuid, fs->es->s_uuid, UUID_LEN);
	mutex_unlock(&fs->error_lock);
	head.len = UUID_LEN;
	if (copy_to_user(out, &head, sizeof(head)) || copy_to_user(out->uuid, uuid, UUID_LEN))
		return -EFAULT;
	return 0;
}

static int put_uuid(struct ext4 *fs, const u8 *uuid)
{
	struct handle *h = ext4_begin(fs, 1);
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = journal_get_write(h, &fs->sb_ref);
	if (!err) {
		mutex_lock(&fs->error_lock);
		memcpy(fs->es->s_uuid, uuid, UUID_LEN);
		ext4_super_csum_set(fs);
		mutex_unlock(&fs->error_lock);
		err = journal_dirty(h, &fs->sb_ref);
	}
	h->sync = true;
	return ext4_end(h, err);
}

static int set_uuid(struct file *f, const struct fsuuid __user *in)
{
	struct ext4 *fs = ext4_of(f->inode);
	struct fsuuid head;
	u8 uuid[UUID_LEN];
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	/* Checksums are made from the UUID unless their seed is kept apart. */
	if (((fs->has_csum || fs->has_gdt_csum) && !ext4_has_incompat(fs, CSUM_SEED)) ||
		ext4_has_compat(fs, STABLE_INODES))
		return -EOPNOTSUPP;
	if (copy_from_user(&head, in, sizeof(head)))
		return -EFAULT;
	if (head.len != UUID_LEN || head.flags)
		return -EINVAL;
	if (copy_from_user(uuid, in->uuid, UUID_LEN))
		return -EFAULT;
	err = mount_want_write(f->path.mnt);
	if (err)
		return err;
	err = put_uuid(fs, uuid);
	if (!err)
		err = ext4_backup_supers(fs);
	mount_end_write(f->path.mnt);
	return err;
}

long ext4_admin_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case IOC_RESIZE_FS:
		return resize_fs(f, user);
	case IOC_GROUP_EXTEND:
		return group_extend(f, user);
	case IOC_GROUP_ADD:
		return group_add(f, user);
	case IOC_GETFSUUID:
		return get_uuid(ext4_of(f->inode), user);
	case IOC_SETFSUUID:
		return set_uuid(f, user);
	default:
		return -ENOIOCTLCMD;
	}
}
