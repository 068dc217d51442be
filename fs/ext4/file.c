/* Regular files: reading, writing, seeking, fsync. */
#include <lib/string.h>
#include <linux/fs.h>
#include "ext4.h"

/* ---- limits of block maps ---------------------------------------------------------------------- */

static u64 max_size(const struct inode *i)
{
	const struct ext4 *fs = ext4_of(i);
	u64 n = fs->block_size / sizeof(u32), blocks;

	if (ext4_info(i)->flags & EXT4_EXTENTS_FL)
		return i->super->max_size;
	blocks = min(12 + n + n * n + n * n * n, (u64)EXT4_LBLK_END);
	return min(blocks << fs->block_bits, i->super->max_size);
}

static bool is_sync(const struct file *f)
{
	return (f->flags & (O_SYNC | O_DSYNC)) || (f->inode->super->flags & MS_SYNCHRONOUS) ||
		(ext4_info(f->inode)->flags & EXT4_SYNC_FL);
}

/* ---- direct transfers -------------------------------------------------------------------------- */

static void direct_zero(struct page **pages, size_t off, size_t bytes)
{
	while (bytes) {
		size_t in = off & ~PAGE_MASK, n = min(bytes, PAGE_SIZE - in);

		memset((char *)page_address(pages[off >> PAGE_SHIFT]) + in, 0, n);
		off += n;
		bytes -= n;
	}
}

/* Room for a write: unwritten until the data is there. */
static int direct_map(struct inode *i, struct ext4_map *m, u32 want)
{
	struct ext4 *fs = ext4_of(i);
	u32 get = EXT4_GET_CREATE |
		(ext4_info(i)->flags & EXT4_EXTENTS_FL ? EXT4_GET_UNWRITTEN : 0);
	struct handle *h;
	int err, tries = 0;

	do {
		h = ext4_begin(fs, ext4_map_credits(i, 1));
		if (is_err(h))
			return ptr_err(h);
		m->len = want;
		err = ext4_end(h, ext4_map_blocks(h, i, m, get));
	} while (err == -ENOSPC && ext4_retry_nospace(fs, &tries));
	return err;
}

/* Data has arrived: it becomes visible, and the size on disk covers it. */
static int direct_finish(struct inode *i, struct ext4_map m, u64 end)
{
	struct ext4_inode_info *n = ext4_info(i);
	bool convert = m.flags & EXT4_MAP_UNWRITTEN;
	struct handle *h;
	int err = 0;

	if (!convert && READ_ONCE(n->disk_size) >= end)
		return 0;
	h = ext4_begin(ext4_of(i), ext4_map_credits(i, 2) + 3);
	if (is_err(h))
		return ptr_err(h);
	while (convert && m.len && !err) {
		struct ext4_map part = m;

		err = ext4_map_blocks(h, i, &part, EXT4_GET_CONVERT);
		m.lblk += part.len;
		m.len -= min(part.len, m.len);
	}
	if (!err && n->disk_size < end) {
		rwsem_write_lock(&n->data_sem);
		n->disk_size = max(n->disk_size, end);
		rwsem_write_unlock(&n->data_sem);
		WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
		err = ext4_mark_inode_dirty(h, i);
	}
	return ext4_end(h, err);
}

static int direct_io(struct inode *i, bool write, u64 pos, struct page **pages, size_t bytes)
{
	struct ext4 *fs = ext4_of(i);

	for (size_t off = 0; off < bytes;) {
		u32 want = (u32)((bytes - off) >> fs->block_bits);
		struct ext4_map m = {
			.lblk = (ext4_lblk)((pos + off) >> fs->block_bits), .len = want};
		size_t n;
		int err = write ? direct_map(i, &m, want) : ext4_map_blocks(NULL, i, &m, 0);

		if (err)
			return err;
		n = (size_t)m.len << fs->block_bits;
		if (write || (m.flags & EXT4_MAP_MAPPED))
			err = bdev_rw_pages(fs->dev, write ? BIO_WRITE : BIO_READ,
				m.block * fs->sectors_per_block, pages, off, n);
		else
			direct_zero(pages, off, n);
		if (!err && write)
			err = direct_finish(i, m, pos + off + n);
		if (err)
			return err;
		off += n;
	}
	return 0;
}

/* ---- reading and writing ----------------------------------------------------------------------- */

static ssize_t ext4_file_read(struct file *f, struct iter *to, off64_t *pos)
{
	if ((f->flags & O_DIRECT) && to->count && !ext4_data_in_journal(f->inode)) {
		ssize_t n = file_direct_read(f, to, pos, ext4_of(f->inode)->block_size, direct_io);

		if (n != -EINVAL)
			return n;
		/* Not aligned to blocks: through the cache, as for files that can't do it. */
	}
	return file_object_read(f, to, pos);
}

static ssize_t direct_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	rwsem_write_lock(&i->rwsem);
	if ((f->flags & O_APPEND) || from->append)
		*pos = (off64_t)i->object.size;
	n = inode_shed_privileges_now(i, current_cred());
	if (!n) {
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
		ext4_dirty_inode(i);
		n = file_direct_write(f, from, pos, ext4_of(i)->block_size, direct_io);
	}
	rwsem_write_unlock(&i->rwsem);
	if (n > 0 && is_sync(f)) {
		int err = ext4_fsync(f, 0, S64_MAX, !(f->flags & (O_SYNC & ~O_DSYNC)));

		n = err ? err : n;
	}
	return n;
}

static bool may_go_direct(struct file *f, const struct iter *from, off64_t pos)
{
	u64 end = (u64)pos + from->count;

	return (f->flags & O_DIRECT) && from->count && end <= max_size(f->inode) &&
		!ext4_data_in_journal(f->inode) &&
		!((u64)pos & (ext4_of(f->inode)->block_size - 1)) &&
		!(from->count & (ext4_of(f->inode)->block_size - 1));
}

static ssize_t ext4_file_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct inode *i = f->inode;
	struct ext4 *fs = ext4_of(i);
	u64 limit = max_size(i), size = READ_ONCE(i->object.size);
	ssize_t n;
	int err;

	if (READ_ONCE(fs->aborted) || (i->super->flags & MS_RDONLY))
		return -EROFS;
	if (i->flags & INODE_IMMUTABLE)
		return -EPERM;
	if ((u64)*pos >= limit && from->count)
		return -EFBIG;
	from->count = min_t(size_t, from->count, limit - (u64)*pos);
	/* A write behind the end: what lies between reads as zero. */
	if ((u64)*pos > size && !(f->flags & O_APPEND) && !from->append) {
		rwsem_write_lock(&i->rwsem);
		size = i->object.size;
		err = (u64)*pos > size ? ext4_zero_tail(i, size) : 0;
		rwsem_write_unlock(&i->rwsem);
		if (err)
			return err;
	}
	if (may_go_direct(f, from, *pos)) {
		n = direct_write(f, from, pos);
		if (n != -ENOTBLK && n != -EINVAL)
			return n;
	}
	n = file_object_write(f, from, pos);
	if (n > 0 && is_sync(f) && !(f->flags & (O_SYNC | O_DSYNC))) {
		err = ext4_fsync(f, (u64)(*pos - n), (u64)*pos, false);
		n = err ? err : n;
	}
	return n;
}

/* ---- SEEK_DATA, SEEK_HOLE ---------------------------------------------------------------------- */

/* First byte >= from of a dirty page in [from, end): data that has no place yet. U64_MAX: none. */
static u64 next_dirty(struct vm_object *o, u64 from, u64 end)
{
	u64 index = from >> PAGE_SHIFT;
	struct page *p;

	rcu_read_lock();
	p = xa_find_mark(&o->pages, &index, (end - 1) >> PAGE_SHIFT, XA_DIRTY);
	if (!p) {
		index = from >> PAGE_SHIFT;
		p = xa_find_mark(&o->pages, &index, (end - 1) >> PAGE_SHIFT, XA_WRITEBACK);
	}
	rcu_read_unlock();
	return p ? max(from, index << PAGE_SHIFT) : U64_MAX;
}

static bool page_dirty_at(struct vm_object *o, u64 pos)
{
	struct page *p = object_find(o, pos >> PAGE_SHIFT);
	bool r = p && (page_test(p, PG_DIRTY) || page_test(p, PG_WRITEBACK));

	if (p)
		put_page(p);
	return r;
}

static off64_t seek_map(struct inode *i, u64 from, bool data)
{
	struct ext4 *fs = ext4_of(i);
	u64 size = i->object.size, at = from;

	if (from >= size)
		return -ENXIO;
	while (at < size) {
		struct ext4_map m = {.lblk = (ext4_lblk)(at >> fs->block_bits)};
		u64 end, d;
		int err;

		m.len = (u32)min_t(u64, div_round_up(size, (u64)fs->block_size) - m.lblk, U32_MAX);
		err = ext4_map_blocks(NULL, i, &m, 0);
		if (err)
			return err;
		end = min(((u64)m.lblk + m.len) << fs->block_bits, size);
		if (m.flags & EXT4_MAP_MAPPED) {
			if (data)
				return (off64_t)at;
			at = end;
		} else if (data) {
			d = next_dirty(&i->object, at, end);
			if (d != U64_MAX)
				return (off64_t)d;
			at = end;
		} else {
			if (!page_dirty_at(&i->object, at))
				return (off64_t)at;
			at = min((at & PAGE_MASK) + PAGE_SIZE, end);
		}
		cond_resched();
	}
	return data ? -ENXIO : (off64_t)size;
}

static off64_t ext4_file_seek(struct file *f, off64_t off, int whence)
{
	struct inode *i = f->inode;
	off64_t r;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_generic_seek(f, off, whence);
	if (off < 0)
		return -ENXIO;
	rwsem_read_lock(&i->rwsem);
	r = seek_map(i, (u64)off, whence == SEEK_DATA);
	rwsem_read_unlock(&i->rwsem);
	return r < 0 ? r : file_generic_seek(f, r, SEEK_SET);
}

/* ---- durability -------------------------------------------------------------------------------- */

/* Without a journal: everything that leads to the file. */
static int sync_plain(struct ext4 *fs, struct inode *i)
{
	int err = bdev_sync(fs->dev);

	return err || !fs->opt.barrier ? err : bdev_flush(fs->dev);
}

int ext4_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct inode *i = f->inode;
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	journal_tid tid;
	int err;

	if (READ_ONCE(fs->aborted))
		return -EROFS;
	if (i->super->flags & MS_RDONLY)
		return 0;
	err = S_ISREG(i->mode) ? object_write_range(&i->object, start, end, true) : 0;
	if (err)
		return err;
	if (!fs->journal)
		return sync_plain(fs, i);
	/* Who syncs a directory means the names, and a rename has changed another one, too. */
	if (S_ISDIR(i->mode))
		tid = READ_ONCE(fs->last_tid);
	else
		tid = datasync ? READ_ONCE(n->datasync_tid) : READ_ONCE(n->sync_tid);
	return journal_commit_wait(fs->journal, tid, fs->opt.barrier);
}

/* ---- opening ----------------------------------------------------------------------------------- */

/* tune2fs -l shows where it was mounted. */
static void note_mountpoint(struct ext4 *fs, struct file *f)
{
	struct path at = {f->path.mnt, f->path.mnt->root}, root;
	char buf[sizeof(fs->es->s_last_mounted)], *text;
	struct handle *h;
	int err;

	if (READ_ONCE(fs->sampled) || (fs->super->flags & MS_RDONLY) ||
		__atomic_exchange_n(&fs->sampled, true, __ATOMIC_RELAXED))
		return;
	root = (struct path){g_init_mount_ns->root, g_init_mount_ns->root->root};
	text = path_format(&at, &root, buf, sizeof(buf));
	if (is_err(text))
		return;
	if (!super_try_begin(fs->super, FREEZE_WRITES))
		return;
	h = ext4_begin(fs, 1);
	err = is_err(h) ? ptr_err(h) : journal_get_write(h, &fs->sb_ref);
	if (!err) {
		mutex_lock(&fs->error_lock);
		memset(fs->es->s_last_mounted, 0, sizeof(fs->es->s_last_mounted));
		(void)str_copy(fs->es->s_last_mounted, text, sizeof(fs->es->s_last_mounted));
		ext4_super_csum_set(fs);
		mutex_unlock(&fs->error_lock);
		err = journal_dirty(h, &fs->sb_ref);
	}
	if (!is_err(h))
		(void)!ext4_end(h, err);
	super_end(fs->super, FREEZE_WRITES);
}

static int ext4_file_open(struct inode *i, struct file *f)
{
	struct ext4 *fs = ext4_of(i);

	if (READ_ONCE(fs->aborted) && (f->mode & FMODE_WRITE))
		return -EROFS;
	if ((f->mode & FMODE_WRITE) && !(f->flags & O_LARGEFILE) && i->object.size > S32_MAX)
		return -EOVERFLOW;
	note_mountpoint(fs, f);
	return 0;
}

const struct file_ops g_ext4_file_fops = {
	.read = ext4_file_read,
	.write = ext4_file_write,
	.seek = ext4_file_seek,
	.mmap = file_object_mmap,
	.open = ext4_file_open,
	.fsync = ext4_fsync,
	.fallocate = ext4_fallocate,
	.ioctl = ext4_ioctl,
	.direct = true,
};

const struct inode_ops g_ext4_file_ops = {
	.permission = ext4_permission,
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.listxattr = ext4_listxattr,
};
