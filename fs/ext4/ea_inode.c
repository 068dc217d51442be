/*
 * Values of extended attributes in inodes of their own (feature ea_inode; linux-doc
 * filesystems/ext4/eainode). Such an inode has no name. Its access time is the value's checksum,
 * its change time and version are the upper and the lower half of the number of attributes that
 * refer to it (e2fsck takes them so; the page says the opposite). The value is metadata: its blocks
 * live in the device's page cache and go through the journal; the inode's own object stays empty.
 *
 * The last reference makes it an orphan in the same transaction. Whoever ends the handle then calls
 * ext4_ea_reap, which deletes it in handles of its own.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include "ext4.h"

struct ea_gone { /* no attribute refers to it any more */
	struct ea_gone *next;
	struct inode *inode;
};

static struct mutex g_refs_lock = MUTEX_INIT(g_refs_lock, RANK_MUTEX_LEAF); /* of all of them */

static u32 nr_blocks(const struct ext4 *fs, u32 len)
{
	return (u32)div_round_up(len, fs->block_size);
}

u32 ext4_ea_credits(const struct ext4 *fs, u32 len)
{
	u32 n = nr_blocks(fs, len);

	/* The blocks, in the worst case each in another group; the tree of their extents. */
	return EXT4_NEW_INODE_CREDITS + n + 2 * min(n, fs->nr_groups) + 12;
}

static u32 value_csum(const struct ext4 *fs, const void *val, u32 len)
{
	return ext4_csum(fs->csum_seed, val, len);
}

u32 ext4_ea_hash(const struct inode *ea)
{
	struct inode_times t;

	inode_get_times(ea, &t);
	return (u32)t.atime.sec;
}

/* Change the count by n; what it is then. */
static u64 change_refs(struct inode *ea, s64 n)
{
	struct inode_times t;
	u64 refs;

	mutex_lock(&g_refs_lock);
	inode_get_times(ea, &t);
	refs = ((u64)(u32)t.ctime.sec << 32 | (u32)ext4_info(ea)->version) + (u64)n;
	t.ctime = (struct vfs_time){.sec = (s32)(u32)(refs >> 32)};
	ext4_info(ea)->version = (u32)refs;
	inode_set_times(ea, &t, ATTR_CTIME);
	mutex_unlock(&g_refs_lock);
	return refs;
}

static int write_value(struct handle *h, struct inode *ea, const u8 *val, u32 len)
{
	struct ext4 *fs = ext4_of(ea);
	struct ext4_inode_info *n = ext4_info(ea);
	int err = 0;

	for (u32 at = 0; at < len && !err; at += fs->block_size) {
		struct block_ref ref;
		ext4_lblk lblk;

		err = ext4_append_block(h, ea, &lblk, &ref);
		if (err)
			break;
		memcpy(ref.data, val + at, min(len - at, fs->block_size));
		err = journal_dirty(h, &ref);
		block_ref_put(&ref);
	}
	WRITE_ONCE(ea->object.size, len);
	rwsem_write_lock(&n->data_sem);
	n->disk_size = len;
	rwsem_write_unlock(&n->data_sem);
	return err;
}

struct inode *ext4_ea_create(struct handle *h, struct inode *owner, const void *val, u32 len)
{
	struct ext4 *fs = ext4_of(owner);
	struct inode *ea = ext4_new_ea_inode(h, owner);
	struct inode_times t;
	int err;

	if (is_err(ea))
		return ea;
	inode_get_times(ea, &t);
	t.atime = (struct vfs_time){.sec = (s32)value_csum(fs, val, len)};
	t.ctime = (struct vfs_time){};
	inode_set_times(ea, &t, ATTR_ATIME | ATTR_CTIME);
	(void)change_refs(ea, 1);
	err = ext4_mark_inode_dirty(h, ea);
	if (!err)
		err = write_value(h, ea, val, len);
	if (!err)
		err = ext4_mark_inode_dirty(h, ea);
	if (err) {
		int e = ext4_ea_put(h, owner, (u32)ea->ino);

		put_inode(ea);
		return err_ptr(e && e != -ENOSPC ? e : err);
	}
	return ea;
}

static struct inode *get(struct inode *owner, u32 ino)
{
	return ext4_iget(owner->super, ino, EXT4_IGET_EA);
}

int ext4_ea_read(struct inode *owner, u32 ino, u32 len, u8 *buf)
{
	struct ext4 *fs = ext4_of(owner);
	struct inode *ea = get(owner, ino);
	int err = 0;

	if (is_err(ea))
		return ptr_err(ea);
	if (ea->object.size != len)
		err = -ESTALE;
	for (u32 at = 0; at < len && !err; at += fs->block_size) {
		struct block_ref ref;

		err = ext4_read_file_block(ea, at / fs->block_size, &ref);
		if (!err && !ref.page)
			err = -EFSCORRUPTED;
		if (!err)
			memcpy(buf + at, ref.data, min(len - at, fs->block_size));
		block_ref_put(&ref);
	}
	if (!err && value_csum(fs, buf, len) != ext4_ea_hash(ea))
		err = -ESTALE;
	put_inode(ea);
	return err;
}

int ext4_ea_get(struct handle *h, struct inode *owner, u32 ino)
{
	struct inode *ea = get(owner, ino);
	int err = is_err(ea) ? ptr_err(ea) : journal_extend(h, 2);

	if (is_err(ea))
		return err;
	if (!err) {
		(void)change_refs(ea, 1);
		err = ext4_mark_inode_dirty(h, ea);
	}
	put_inode(ea);
	return err > 0 ? -ENOSPC : err;
}

/* Has been taken from nobody's list: deleted when its handle has ended. */
static void defer(struct inode *ea)
{
	struct ext4 *fs = ext4_of(ea);
	struct ea_gone *g = kmalloc(sizeof(*g), GFP_NOFS), *old;

	if (!g) { /* an orphan: the next mount deletes it */
		put_inode(ea);
		return;
	}
	g->inode = ea;
	old = READ_ONCE(fs->ea_gone);
	do
		g->next = old;
	while (!try_cmpxchg(&fs->ea_gone, &old, g));
}

int ext4_ea_put(struct handle *h, struct inode *owner, u32 ino)
{
	struct inode *ea = get(owner, ino);
	int err;

	if (is_err(ea))
		return ptr_err(ea);
	if (change_refs(ea, -1)) {
		err = ext4_mark_inode_dirty(h, ea);
		put_inode(ea);
		return err;
	}
	ea->nlink = 0;
	err = ext4_orphan_add(h, ea);
	if (!err)
		err = ext4_mark_inode_dirty(h, ea);
	defer(ea);
	return err;
}

void ext4_ea_reap(struct ext4 *fs)
{
	struct ea_gone *g;

	if (likely(!READ_ONCE(fs->ea_gone)) || journal_current())
		return;
	g = xchg(&fs->ea_gone, NULL);
	while (g) {
		struct ea_gone *next = g->next;

		put_inode(g->inode);
		kfree(g);
		g = next;
	}
}

int ext4_ea_charge(struct inode *owner, u32 len, int n)
{
	s64 blocks = (s64)nr_blocks(ext4_of(owner), len) * n;
	int err = ext4_quota_inode(owner, n);

	if (!err)
		err = ext4_quota_blocks(owner, blocks);
	if (!err)
		ext4_count_blocks(owner, blocks);
	else if (n > 0)
		(void)!ext4_quota_inode(owner, -n);
	return err;
}
