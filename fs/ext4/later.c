/* Placeholders that the files of directories and attributes replace. */
#include <lib/string.h>
#include "ext4.h"

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
