/* Changes of a file's size, and what stands behind its end. */
#include "ext4.h"
#include <lib/string.h>

/*
 * Clear bytes [from, to) of one block, in the cache and, if it has a place, later on the disk. A
 * hole's needn't be written. i_rwsem held for writing.
 */
static int zero_part(struct inode *i, u64 from, u64 to)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_map m = {.lblk = (ext4_lblk)(from >> fs->block_bits), .len = 1};
	struct page *p;
	int err;

	if (from == to)
		return 0;
	err = ext4_map_blocks(NULL, i, &m, 0);
	if (err)
		return err;
	p = object_get_page(&i->object, from >> PAGE_SHIFT,
		OBJ_LOCK | (m.flags & EXT4_MAP_MAPPED ? 0 : OBJ_EXISTING));
	if (is_err_or_null(p))
		return p ? ptr_err(p) : 0;
	page_wait_writeback(p);
	memset((char *)page_address(p) + (from & ~PAGE_MASK), 0, to - from);
	if (m.flags & EXT4_MAP_MAPPED)
		page_mark_dirty(p);
	page_unlock(p);
	put_page(p);
	return 0;
}

int ext4_zero_tail(struct inode *i, u64 size)
{
	return zero_part(i, size, round_up(size, (u64)ext4_of(i)->block_size));
}

int ext4_drop_range(struct inode *i, u64 start, u64 end)
{
	u64 bs = ext4_of(i)->block_size;
	int err = 0;

	if (start / bs == end / bs)
		return zero_part(i, start, end);
	err = zero_part(i, start, round_up(start, bs));
	return err ? err : zero_part(i, round_down(end, bs), end);
}

static void set_disk_size(struct inode *i, u64 size)
{
	struct ext4_inode_info *n = ext4_info(i);

	rwsem_write_lock(&n->data_sem);
	n->disk_size = size;
	rwsem_write_unlock(&n->data_sem);
}

/* The new size, durable with h; shrinking: before any block is freed. */
static int put_size(struct inode *i, u64 size, bool orphan)
{
	struct handle *h = ext4_begin(ext4_of(i), 8);
	int err = 0;

	if (is_err(h))
		return ptr_err(h);
	if (orphan)
		err = ext4_orphan_add(h, i);
	if (!err) {
		set_disk_size(i, size);
		WRITE_ONCE(ext4_info(i)->datasync_tid, journal_handle_tid(h));
		err = ext4_mark_inode_dirty(h, i);
	}
	return ext4_end(h, err);
}

/* Free what stands behind size; the inode is an orphan meanwhile. */
static int free_behind(struct inode *i, u64 size)
{
	struct ext4 *fs = ext4_of(i);
	u64 first = div_round_up(size, (u64)fs->block_size);
	struct handle *h = ext4_begin(fs, EXT4_REMOVE_CREDITS + 6);
	int err = 0;

	if (is_err(h))
		return ptr_err(h);
	if (first < EXT4_LBLK_END)
		err = ext4_remove_range(h, i, (ext4_lblk)first, EXT4_LBLK_END - 1);
	if (!err) {
		err = journal_ensure(h, 6);
		err = err > 0 ? 0 : err;
	}
	if (!err)
		err = ext4_orphan_del(h, i);
	if (!err)
		err = ext4_mark_inode_dirty(h, i);
	return ext4_end(h, err);
}

int ext4_truncate(struct inode *i, u64 size)
{
	int err;

	/* With no link left it is on the list anyway. */
	err = put_size(i, size, i->nlink != 0);
	if (err)
		return err;
	object_truncate(&i->object, size);
	/* Writeback of the last page may still look for places behind the end. */
	ext4_forget_places(i, size >> PAGE_SHIFT);
	if (!i->nlink) {
		struct ext4 *fs = ext4_of(i);
		u64 first = div_round_up(size, (u64)fs->block_size);
		struct handle *h = ext4_begin(fs, EXT4_REMOVE_CREDITS);

		if (is_err(h))
			return ptr_err(h);
		if (first < EXT4_LBLK_END)
			err = ext4_remove_range(h, i, (ext4_lblk)first, EXT4_LBLK_END - 1);
		return ext4_end(h, err);
	}
	return free_behind(i, size);
}

int ext4_setsize(struct inode *i, u64 size)
{
	u64 old = i->object.size;
	int err;

	if (size > old) {
		err = ext4_zero_tail(i, old);
		if (err)
			return err;
		err = put_size(i, size, false);
		if (!err)
			WRITE_ONCE(i->object.size, size);
		return err;
	}
	err = ext4_zero_tail(i, size);
	if (err)
		return err;
	rwsem_write_lock(&i->object.invalidate_lock);
	err = ext4_truncate(i, size);
	rwsem_write_unlock(&i->object.invalidate_lock);
	return err;
}
