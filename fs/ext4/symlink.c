/* Symbolic links: short targets stand in the inode, others in a block. */
#include <kmem/slab.h>
#include <lib/string.h>
#include "names.h"

#define FAST_MAX 60u /* bytes of i_block, with the final 0 */

int ext4_symlink_fill(struct handle *h, struct inode *i, const char *target)
{
	struct ext4_inode_info *n = ext4_info(i);
	size_t len = strlen(target);
	struct block_ref r;
	u32 nr;
	int err = 0;

	if (len < FAST_MAX) {
		i->ops = &g_ext4_fast_link_ops;
		n->flags &= ~(u32)EXT4_EXTENTS_FL;
		memset(n->data, 0, sizeof(n->data));
		memcpy(n->data, target, len);
	} else {
		i->ops = &g_ext4_link_ops;
		err = ext4_append_block(h, i, &nr, &r);
		if (err)
			return err;
		memcpy(r.data, target, len);
		err = journal_dirty(h, &r);
		block_ref_put(&r);
	}
	i->object.size = n->disk_size = len;
	return err;
}

static const char *fast_get_link(struct inode *i, bool *must_free)
{
	return (const char *)ext4_info(i)->data; /* ends with 0: checked when it was read */
}

static const char *slow_get_link(struct inode *i, bool *must_free)
{
	size_t len = i->object.size;
	struct block_ref r;
	char *copy;
	int err = ext4_read_file_block(i, 0, &r);

	if (err)
		return err_ptr(err);
	if (!r.page || len >= ext4_of(i)->block_size) {
		block_ref_put(&r);
		return err_ptr(ext4_corrupt(ext4_of(i), i->ino, 0, "symbolic link"));
	}
	copy = kmalloc(len + 1, GFP_KERNEL);
	if (copy) {
		memcpy(copy, r.data, len);
		copy[len] = 0;
		*must_free = true;
	}
	block_ref_put(&r);
	return copy ? copy : err_ptr(-ENOMEM);
}

const struct inode_ops g_ext4_fast_link_ops = {
	.get_link = fast_get_link,
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.listxattr = ext4_listxattr,
};

const struct inode_ops g_ext4_link_ops = {
	.get_link = slow_get_link,
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.listxattr = ext4_listxattr,
};
