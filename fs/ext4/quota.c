/*
 * Quotas aren't kept: a file system with the QUOTA feature is mounted read-only (super.h), so that
 * its quota files stay true. On all others nobody has a limit, which is what stands here.
 */
#include "ext4.h"

int ext4_quota_blocks(struct inode *i, s64 blocks)
{
	return 0;
}

int ext4_quota_inode(struct inode *i, int n)
{
	return 0;
}

int ext4_quota_transfer(struct handle *h, struct inode *i, const struct iattr *a)
{
	return 0;
}

int ext4_quota_load(struct ext4 *fs)
{
	return 0;
}

void ext4_quota_unload(struct ext4 *fs)
{
}
