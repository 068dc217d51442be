/*
 * Quota files of version 2, revision 1 ("vfsv1"), as e2fsprogs makes them inside ext4 and
 * quota-tools outside: a header, then blocks of 1 KiB that form a tree of four levels over the ids;
 * its leaves hold entries. All little-endian.
 */
#ifndef QUOTA_V2_H
#define QUOTA_V2_H

#include <vfs/quota.h>

struct quota_v2_file {
	/* n bytes at off, in one block. write: in the caller's transaction; the file grows by
	 * blocks at its end. Error. */
	int (*read)(struct quota_v2_file *f, u64 off, void *buf, u32 n);
	int (*write)(struct quota_v2_file *f, u64 off, const void *buf, u32 n);
	u64 bytes;                          /* size when loaded: references are checked */
	u32 blocks, free_block, free_entry; /* of the header; caller's lock */
	u64 space_grace, inodes_grace;
};
#define QUOTA_V2_ENTRY 72u /* bytes */

int quota_v2_load(struct quota_v2_file *f, u32 type) must_check; /* -EINVAL: not such a file */
int quota_v2_write_info(struct quota_v2_file *f) must_check;
/* Where the entry of id stands; 0: it has none. -EUCLEAN -EIO */
int quota_v2_find(struct quota_v2_file *f, u32 id, u64 *off) must_check;
int quota_v2_insert(struct quota_v2_file *f, u32 id, u64 *off) must_check; /* it had none */
/* The smallest id >= *id with an entry: -ENOENT none. */
int quota_v2_next(struct quota_v2_file *f, u32 *id) must_check;
void quota_v2_decode(const void *entry, struct quota_values *v);
void quota_v2_encode(void *entry, u32 id, const struct quota_values *v);

#endif
