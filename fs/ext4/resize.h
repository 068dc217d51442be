/* Growing the file system, and the copies of its super block and descriptors. */
#ifndef FS_EXT4_RESIZE_H
#define FS_EXT4_RESIZE_H

#include "ext4.h"

struct ext4_new_group { /* argument of EXT4_IOC_GROUP_ADD */
	u32 group;
	u64 block_bitmap, inode_bitmap, inode_table; /* blocks */
	u32 blocks_count;
	u16 reserved_blocks, unused;
};
static_assert(sizeof(struct ext4_new_group) == 40, "ext4_new_group");

/* ---- resize.c ---- */

/* One at a time: -EBUSY; who may: -EPERM; which file system: -EOPNOTSUPP, -EPERM (has errors). */
int ext4_resize_begin(struct ext4 *fs) must_check;
void ext4_resize_end(struct ext4 *fs);
/* Between begin and end. To so many blocks, or a few less when the last group would be too short.
 * -EINVAL: fewer than now; -ENOSPC: none, or more than the device has. */
int ext4_resize(struct ext4 *fs, u64 blocks) must_check;
/* Only the last group grows, to its full length at most. */
int ext4_resize_last(struct ext4 *fs, u64 blocks) must_check;
int ext4_resize_add(struct ext4 *fs, const struct ext4_new_group *in) must_check;

/* ---- backups.c ---- */

/* The super block's copies become like it; those of one block of descriptors. */
int ext4_backup_supers(struct ext4 *fs) must_check;
int ext4_backup_descs(struct ext4 *fs, u32 nr) must_check;

#endif
