/* fallocate(2): blocks ahead of data, holes, zeroes, and ranges taken out or put in. */
#include <linux/falloc.h>
#include "ext4.h"

/* Room for [off, end), reading as zeroes. Ends early with what fits when space runs out. */
static int preallocate(struct inode *i, u64 off, u64 end)
{
	struct ext4 *fs = ext4_of(i);
	u64 at = off >> fs->block_bits, last = div_round_up(end, (u64)fs->block_size);
	int err = 0, tries = 0;

	while (at < last && !err) {
		struct ext4_map m = {.lblk = (ext4_lblk)at,
			.len = (u32)min_t(u64, last - at, EXT4_EXT_UNWRITTEN_MAX_LEN)};
		struct handle *h = ext4_begin(fs, ext4_map_credits(i, 1));

		if (is_err(h))
			return ptr_err(h);
		err = ext4_map_blocks(h, i, &m, EXT4_GET_CREATE | EXT4_GET_UNWRITTEN);
		err = ext4_end(h, err);
		if (err == -ENOSPC && ext4_retry_nospace(fs, &tries)) {
			err = 0;
			continue;
		}
		at += err ? 0 : m.len;
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return -EINTR;
		cond_resched();
	}
	return err;
}

/* Times and, if not 0, the size; with O_SYNC durable by the caller. */
static int finish(struct inode *i, u64 size)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct handle *h = ext4_begin(ext4_of(i), 4);
	int err;

	if (is_err(h))
		return ptr_err(h);
	inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	if (size) {
		WRITE_ONCE(i->object.size, size);
		rwsem_write_lock(&n->data_sem);
		n->disk_size = size;
		rwsem_write_unlock(&n->data_sem);
	}
	WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
	err = ext4_mark_inode_dirty(h, i);
	return ext4_end(h, err);
}

static int allocate(struct inode *i, int mode, u64 off, u64 end)
{
	u64 old = i->object.size;
	bool grow = !(mode & FALLOC_FL_KEEP_SIZE) && end > old;
	int err = grow ? ext4_zero_tail(i, old) : 0;

	if (!err)
		err = preallocate(i, off, end);
	return err ? err : finish(i, grow ? end : 0);
}

/* Free the whole blocks of [off, end) and clear the rest. */
static int punch(struct inode *i, u64 off, u64 end)
{
	struct ext4 *fs = ext4_of(i);
	u64 first, last;
	struct handle *h;
	int err;

	end = min_t(u64, end, i->super->max_size);
	first = div_round_up(off, (u64)fs->block_size);
	last = end >> fs->block_bits;
	err = ext4_drop_range(i, off, end);
	if (err || first >= last)
		return err;
	rwsem_write_lock(&i->object.invalidate_lock);
	err = object_punch(&i->object, first << fs->block_bits, last << fs->block_bits);
	/* Pages of which only some blocks go. */
	ext4_forget_places(i, first << fs->block_bits >> PAGE_SHIFT);
	ext4_forget_places(i, last << fs->block_bits >> PAGE_SHIFT);
	if (!err) {
		h = ext4_begin(fs, EXT4_REMOVE_CREDITS);
		err = is_err(h) ? ptr_err(h) : 0;
		if (!err) {
			err = ext4_remove_range(h, i, (ext4_lblk)first, (ext4_lblk)(last - 1));
			err = ext4_end(h, err);
		}
	}
	rwsem_write_unlock(&i->object.invalidate_lock);
	return err;
}

static int zero_range(struct inode *i, int mode, u64 off, u64 end)
{
	u64 old = i->object.size;
	bool grow = !(mode & FALLOC_FL_KEEP_SIZE) && end > old;
	int err = grow ? ext4_zero_tail(i, old) : 0;

	if (!err)
		err = punch(i, off, end);
	if (!err)
		err = preallocate(i, off, end);
	return err ? err : finish(i, grow ? end : 0);
}

/* Everything from off on is on the disk and in no page. invalidate_lock held for writing. */
static int flush_from(struct inode *i, u64 off)
{
	struct vm_object *o = &i->object;
	u64 start = round_down(off, PAGE_SIZE), end = round_up(o->size, PAGE_SIZE);
	int err;

	if (start >= end)
		return 0;
	object_unmap(o, start >> PAGE_SHIFT, (end >> PAGE_SHIFT) - 1, false);
	err = object_write_range(o, start, U64_MAX, true);
	return err ? err : object_punch(o, start, end);
}

static int collapse(struct inode *i, u64 off, u64 end)
{
	struct ext4 *fs = ext4_of(i);
	u64 size = i->object.size, len = end - off;
	ext4_lblk first = (ext4_lblk)(off >> fs->block_bits),
		  behind = (ext4_lblk)(end >> fs->block_bits);
	struct handle *h;
	int err;

	if ((off | len) & (fs->block_size - 1) || end >= size)
		return -EINVAL;
	rwsem_write_lock(&i->object.invalidate_lock);
	err = flush_from(i, off);
	if (!err) {
		h = ext4_begin(fs, EXT4_REMOVE_CREDITS);
		err = is_err(h) ? ptr_err(h) : 0;
		if (!err) {
			err = ext4_remove_range(h, i, first, behind - 1);
			if (!err)
				err = ext4_shift_range(h, i, behind, -(s64)(behind - first));
			err = ext4_end(h, err);
		}
	}
	if (!err)
		err = finish(i, size - len);
	rwsem_write_unlock(&i->object.invalidate_lock);
	return err;
}

static int insert(struct inode *i, u64 off, u64 end)
{
	struct ext4 *fs = ext4_of(i);
	u64 size = i->object.size, len = end - off;
	ext4_lblk first = (ext4_lblk)(off >> fs->block_bits);
	struct handle *h;
	int err;

	if ((off | len) & (fs->block_size - 1) || off >= size)
		return -EINVAL;
	if (size + len < size || size + len > i->super->max_size)
		return -EFBIG;
	rwsem_write_lock(&i->object.invalidate_lock);
	err = flush_from(i, off);
	if (!err)
		err = finish(i, size + len); /* no block ever stands behind the end */
	if (!err) {
		h = ext4_begin(fs, EXT4_REMOVE_CREDITS);
		err = is_err(h) ? ptr_err(h) : 0;
		if (!err) {
			err = ext4_shift_range(h, i, first, (s64)(len >> fs->block_bits));
			err = ext4_end(h, err);
		}
	}
	rwsem_write_unlock(&i->object.invalidate_lock);
	return err;
}

int ext4_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	u64 end = off + len;
	int err;

	if (mode & FALLOC_FL_UNSHARE_RANGE)
		return -EOPNOTSUPP;
	if ((mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) &&
		(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!(ext4_info(i)->flags & EXT4_EXTENTS_FL) &&
		(mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE) || !mode ||
			mode == FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->rwsem);
	err = inode_shed_privileges_now(i, current_cred());
	if (err) {
		rwsem_write_unlock(&i->rwsem);
		return err;
	}
	switch (mode & ~FALLOC_FL_KEEP_SIZE) {
	case 0:
		err = allocate(i, mode, off, end);
		break;
	case FALLOC_FL_PUNCH_HOLE:
		err = punch(i, off, end);
		if (!err)
			err = finish(i, 0);
		break;
	case FALLOC_FL_ZERO_RANGE:
		err = zero_range(i, mode, off, end);
		break;
	case FALLOC_FL_COLLAPSE_RANGE:
		err = collapse(i, off, end);
		break;
	case FALLOC_FL_INSERT_RANGE:
		err = insert(i, off, end);
		break;
	default:
		err = -EOPNOTSUPP;
	}
	rwsem_write_unlock(&i->rwsem);
	if (!err && (f->flags & (O_SYNC | O_DSYNC)))
		err = ext4_fsync(f, 0, S64_MAX, true);
	return err;
}
