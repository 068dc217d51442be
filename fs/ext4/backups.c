/* Copies of the super block and of descriptors, which only e2fsck reads. */
#include <kmem/slab.h>
#include <lib/string.h>
#include "resize.h"

/* One block, in a transaction of its own. The copied bytes may change meanwhile: what is stale here
 * e2fsck makes good, as it does with all counts. */
static int put_copy(struct ext4 *fs, ext4_block at, const void *data, u32 n)
{
	struct handle *h = ext4_begin(fs, 1);
	struct block_ref ref = {};
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = ext4_read_block(fs, at, &ref);
	if (!err)
		err = journal_get_write(h, &ref);
	if (!err) {
		memcpy(ref.data, data, n);
		memset((u8 *)ref.data + n, 0, fs->block_size - n);
		err = journal_dirty(h, &ref);
	}
	block_ref_put(&ref);
	return ext4_end(h, err);
}

int ext4_backup_supers(struct ext4 *fs)
{
	struct ext4_super_block *copy = kmalloc(sizeof(*copy), GFP_KERNEL);
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (u32 n = 1; n < fs->nr_groups && !err; n++) {
		if (!ext4_group_has_super(fs, n))
			continue;
		mutex_lock(&fs->error_lock);
		memcpy(copy, fs->es, sizeof(*copy));
		mutex_unlock(&fs->error_lock);
		copy->s_block_group_nr = (u16)n;
		copy->s_state &= (u16)~EXT4_VALID_FS;
		copy->s_feature_incompat &= ~(u32)EXT4_INCOMPAT_RECOVER;
		copy->s_feature_ro_compat &= ~(u32)EXT4_RO_COMPAT_ORPHAN_PRESENT;
		copy->s_checksum = fs->has_csum
			? ext4_csum(~0u, copy, offsetof(struct ext4_super_block, s_checksum))
			: copy->s_checksum;
		err = put_copy(fs, ext4_group_first(fs, n), copy, sizeof(*copy));
	}
	kfree(copy);
	return err;
}

static int copy_descs(struct ext4 *fs, u32 nr, ext4_block at)
{
	struct ext4_group *g = ext4_group(fs, nr * fs->descs_per_block);

	return put_copy(fs, at, g->desc_ref.data, fs->block_size);
}

int ext4_backup_descs(struct ext4 *fs, u32 nr)
{
	u32 first = nr * fs->descs_per_block, last = first + fs->descs_per_block - 1;
	int err = 0;

	if (ext4_has_incompat(fs, META_BG) && nr >= fs->es->s_first_meta_bg) {
		if (first + 1 < fs->nr_groups)
			err = copy_descs(fs, nr,
				ext4_group_first(fs, first + 1) +
					ext4_group_has_super(fs, first + 1));
		if (!err && last > first + 1 && last < fs->nr_groups)
			err = copy_descs(fs, nr,
				ext4_group_first(fs, last) + ext4_group_has_super(fs, last));
		return err;
	}
	for (u32 n = 1; n < fs->nr_groups && !err; n++)
		if (ext4_group_has_super(fs, n))
			err = copy_descs(fs, nr, ext4_group_first(fs, n) + 1 + nr);
	return err;
}
