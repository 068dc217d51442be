/* FS_IOC_FIEMAP: where a file's content stands. */
#include <arch/uaccess.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include "ext4.h"

struct answer {
	struct fiemap_extent __user *out;
	u32 room, nr;
	struct fiemap_extent last; /* found, not yet written: it may be the last one */
	bool have;
};

static int put_last(struct answer *a)
{
	if (!a->have)
		return 0;
	a->have = false;
	if (a->room) {
		if (a->nr >= a->room)
			return 1; /* full */
		if (copy_to_user(&a->out[a->nr], &a->last, sizeof(a->last)))
			return -EFAULT;
	}
	a->nr++;
	return 0;
}

static int add(struct answer *a, u64 pos, u64 len, u64 phys, u32 flags)
{
	int err = put_last(a);

	if (err)
		return err;
	a->last = (struct fiemap_extent){
		.fe_logical = pos, .fe_physical = phys, .fe_length = len, .fe_flags = flags};
	a->have = true;
	return 0;
}

/* A hole: pages that wait for a place are extents of unknown position. */
static int add_delayed(struct answer *a, struct inode *i, u64 pos, u64 end)
{
	u64 index = pos >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;

	if (!READ_ONCE(ext4_info(i)->reserved))
		return 0;
	while (index <= last) {
		u64 first, n = 1;
		struct page *p;
		int err;

		rcu_read_lock();
		p = xa_find_mark(&i->object.pages, &index, last, XA_DIRTY);
		first = index;
		while (p && first + n <= last && xa_get_mark(&i->object.pages, first + n, XA_DIRTY))
			n++;
		rcu_read_unlock();
		if (!p)
			return 0;
		err = add(a, max(pos, first << PAGE_SHIFT),
			min(end, (first + n) << PAGE_SHIFT) - max(pos, first << PAGE_SHIFT), 0,
			FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_UNKNOWN);
		if (err)
			return err;
		index = first + n;
	}
	return 0;
}

static int walk(struct answer *a, struct inode *i, u64 pos, u64 end)
{
	struct ext4 *fs = ext4_of(i);

	while (pos < end) {
		struct ext4_map m = {.lblk = (ext4_lblk)(pos >> fs->block_bits)};
		u64 start = (u64)m.lblk << fs->block_bits, stop;
		int err;

		m.len = (u32)min_t(u64, div_round_up(end, (u64)fs->block_size) - m.lblk,
			EXT4_LBLK_END - m.lblk);
		err = ext4_map_blocks(NULL, i, &m, 0);
		if (err)
			return err;
		stop = start + ((u64)m.len << fs->block_bits);
		if (m.flags & (EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN))
			err = add(a, start, stop - start, m.block << fs->block_bits,
				m.flags & EXT4_MAP_UNWRITTEN ? FIEMAP_EXTENT_UNWRITTEN : 0);
		else
			err = add_delayed(a, i, start, min(stop, round_up(end, PAGE_SIZE)));
		if (err)
			return err;
		pos = stop;
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int ext4_fiemap(struct file *f, unsigned long arg)
{
	struct fiemap __user *u = (struct fiemap __user *)arg;
	struct inode *i = f->inode;
	struct answer a = {.out = u->fm_extents};
	struct fiemap fm;
	u64 end, limit;
	int err;

	if (copy_from_user(&fm, u, sizeof(fm)))
		return -EFAULT;
	if (fm.fm_extent_count > U32_MAX / sizeof(struct fiemap_extent))
		return -EINVAL;
	if (fm.fm_start > i->super->max_size)
		return -EFBIG;
	if (!fm.fm_length)
		return -EINVAL;
	if (fm.fm_flags & ~(u32)FIEMAP_FLAG_SYNC) {
		fm.fm_flags &= ~(u32)FIEMAP_FLAG_SYNC;
		return copy_to_user(u, &fm, sizeof(fm)) ? -EFAULT : -EBADR;
	}
	a.room = fm.fm_extent_count;
	end = fm.fm_start + min(fm.fm_length, i->super->max_size - fm.fm_start);
	if (fm.fm_flags & FIEMAP_FLAG_SYNC) {
		err = object_write_range(&i->object, fm.fm_start, end, true);
		if (err)
			return err;
	}
	rwsem_read_lock(&i->rwsem);
	limit = (u64)EXT4_LBLK_END << ext4_of(i)->block_bits;
	err = walk(&a, i, fm.fm_start, min(end, limit));
	if (!err && a.have) {
		if (end >= i->object.size)
			a.last.fe_flags |= FIEMAP_EXTENT_LAST;
		err = put_last(&a);
	}
	rwsem_read_unlock(&i->rwsem);
	if (err < 0)
		return err;
	fm.fm_mapped_extents = a.nr;
	return copy_to_user(u, &fm, sizeof(fm)) ? -EFAULT : 0;
}
