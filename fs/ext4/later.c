/* Placeholders that the files of directories and attributes replace. */
#include <lib/string.h>
#include "ext4.h"

static int find(struct inode *dir, const struct qstr *name, u32 *ino)
{
	struct ext4 *fs = ext4_of(dir);
	u32 nr = (u32)(dir->object.size >> fs->block_bits);

	for (u32 b = 0; b < nr; b++) {
		struct block_ref ref;
		int err = ext4_read_file_block(dir, b, &ref);

		if (err)
			return err;
		if (!ref.page)
			continue;
		for (u32 at = 0; at + 12 <= fs->block_size;) {
			struct ext4_dir_entry *e = (void *)((u8 *)ref.data + at);

			if (e->rec_len < 12 || at + e->rec_len > fs->block_size)
				break;
			if (e->inode && e->name_len == name->len &&
				e->name_len + 8u <= e->rec_len &&
				!memcmp(e->name, name->name, name->len)) {
				*ino = e->inode;
				block_ref_put(&ref);
				return 0;
			}
			at += e->rec_len;
		}
		block_ref_put(&ref);
	}
	return -ENOENT;
}

static int lookup(struct inode *dir, struct dentry *d)
{
	struct inode *i;
	u32 ino;
	int err = find(dir, &d->name, &ino);

	if (err)
		return err == -ENOENT ? 0 : err;
	i = ext4_iget(dir->super, ino, 0);
	if (is_err(i))
		return ptr_err(i);
	dentry_instantiate(d, i);
	return 0;
}

__weak const struct file_ops g_ext4_dir_fops = {.fsync = ext4_fsync};
__weak const struct inode_ops g_ext4_dir_ops = {.lookup = lookup, .getattr = ext4_getattr};
__weak const struct inode_ops g_ext4_link_ops = {.getattr = ext4_getattr};
__weak const struct inode_ops g_ext4_fast_link_ops = {.getattr = ext4_getattr};
__weak const struct inode_ops g_ext4_special_ops = {.getattr = ext4_getattr};
__weak ssize_t ext4_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return -EOPNOTSUPP;
}
__weak int ext4_setxattr(struct inode *i, const char *name, const void *v, size_t len, int flags)
{
	return -EOPNOTSUPP;
}
__weak int ext4_removexattr(struct inode *i, const char *name)
{
	return -EOPNOTSUPP;
}
__weak ssize_t ext4_listxattr(struct inode *i, char *buf, size_t size)
{
	return -EOPNOTSUPP;
}
__weak void ext4_xattr_delete(struct handle *h, struct inode *i)
{
}
__weak int ext4_init_acl(struct handle *h, struct inode *i, struct inode *dir)
{
	return 0;
}
__weak int ext4_permission(struct inode *i, int mask, const struct cred *c)
{
	return inode_generic_permission(i, mask, c);
}
__weak int ext4_acl_chmod(struct handle *h, struct inode *i)
{
	return 0;
}
__weak long ext4_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	return -ENOIOCTLCMD;
}
__weak int ext4_quota_blocks(struct inode *i, s64 blocks)
{
	return 0;
}
__weak int ext4_quota_inode(struct inode *i, int n)
{
	return 0;
}
__weak int ext4_quota_transfer(struct handle *h, struct inode *i, const struct iattr *a)
{
	return 0;
}
__weak int ext4_quota_load(struct ext4 *fs)
{
	return 0;
}
__weak void ext4_quota_unload(struct ext4 *fs)
{
}
