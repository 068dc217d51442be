/* Placeholders that the files of directories and attributes replace. */
#include <lib/string.h>
#include "ext4.h"

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
