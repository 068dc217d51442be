/*
 * Files of block devices: open("/dev/vda"). The file's inode is the device's own, whichever node it
 * was opened by, so that all of them see one cache.
 */
#include <core/init.h>
#include <kmem/slab.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <vfs/file.h>
#include "blk.h"

#define ZERO_MODES (FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE)
#define HOLE_MODES (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)

struct block_device *bdev_of_file(struct file *f)
{
	return f->inode->priv;
}

static int blk_open(struct inode *node, struct file *f)
{
	struct block_device *b = bdev_find(node->rdev);
	int err;

	if (!b)
		return -ENXIO;
	/* A read-only device may be opened for writing: it is the write that fails. */
	err = bdev_open(b, false, f->flags & O_EXCL ? f : NULL);
	if (err) {
		put_bdev(b);
		return err;
	}
	f->inode = b->inode;
	f->priv = b; /* the reference of bdev_find */
	f->wb_err = object_sample_wb_error(b->object);
	return 0;
}

static void blk_release(struct file *f)
{
	struct block_device *b = f->priv;

	if (!b)
		return;
	bdev_close(b, b->holder == f ? f : NULL);
	put_bdev(b);
}

/* O_DIRECT: bytes between the device and pages. Waits. */
static int direct_io(struct inode *i, bool write, u64 pos, struct page **pages, size_t bytes)
{
	int err = bdev_rw_pages(
		i->priv, write ? BIO_WRITE : BIO_READ, pos >> SECTOR_SHIFT, pages, 0, bytes);

	if (write && !err)
		current_thread()->io_written += bytes;
	return err;
}

static ssize_t blk_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct block_device *b = bdev_of_file(f);

	if (READ_ONCE(b->gone))
		return -ENXIO;
	if (f->flags & O_DIRECT)
		return file_direct_read(f, to, pos, bdev_logical_block_size(b), direct_io);
	return object_read_stream(b->object, to, pos, &f->readahead);
}

static int blk_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct block_device *b = bdev_of_file(f);
	int err = object_write_range(b->object, start, end, true), flush;

	flush = bdev_flush(b);
	return err ? err : flush;
}

static ssize_t blk_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct block_device *b = bdev_of_file(f);
	u64 size = bdev_bytes(b);
	ssize_t n = -ENOTBLK;
	int err;

	if (READ_ONCE(b->gone))
		return -ENXIO;
	if (bdev_read_only(b))
		return -EPERM;
	if (!from->count)
		return 0;
	if ((f->flags & O_APPEND) || from->append)
		*pos = (off64_t)size;
	if ((u64)*pos >= size)
		return -ENOSPC;
	from->count = min(from->count, (size_t)(size - (u64)*pos));
	rwsem_write_lock(&f->inode->rwsem);
	if (f->flags & O_DIRECT)
		n = file_direct_write(f, from, pos, bdev_logical_block_size(b), direct_io);
	if (n == -ENOTBLK)
		n = object_write(b->object, from, pos);
	rwsem_write_unlock(&f->inode->rwsem);
	balance_dirty(b->object->wb);
	if (n > 0 && (f->flags & (O_DSYNC | O_SYNC))) {
		err = vfs_fsync(f, (u64)(*pos - n), (u64)*pos - 1, true);
		if (err)
			n = err;
	}
	return n;
}

static off64_t blk_seek(struct file *f, off64_t off, int whence)
{
	off64_t size = (off64_t)bdev_bytes(bdev_of_file(f));

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow(off, f->pos, &off))
			return -EINVAL;
		break;
	case SEEK_END:
		if (__builtin_add_overflow(off, size, &off))
			return -EINVAL;
		break;
	case SEEK_DATA: /* no holes that anybody could know of */
	case SEEK_HOLE:
		if (off < 0 || off >= size)
			return -ENXIO;
		off = whence == SEEK_HOLE ? size : off;
		break;
	default:
		return -EINVAL;
	}
	if (off < 0 || off > size)
		return -EINVAL;
	f->pos = off;
	return off;
}

int bdev_clear_range(struct block_device *b, u64 start, u64 len, bool discard)
{
	u64 first = start >> PAGE_SHIFT, last = (start + len - 1) >> PAGE_SHIFT;
	int err;

	rwsem_write_lock(&b->inode->rwsem);
	/* What the cache holds of it goes first, so that it doesn't come after. */
	err = object_write_range(b->object, start, start + len - 1, true);
	rwsem_write_lock(&b->object->invalidate_lock);
	object_unmap(b->object, first, last, false);
	object_drop_clean(b->object, first, last);
	if (!err && discard)
		err = bdev_discard(b, start >> SECTOR_SHIFT, len >> SECTOR_SHIFT);
	else if (!err)
		err = bdev_zeroout(b, start >> SECTOR_SHIFT, len >> SECTOR_SHIFT);
	rwsem_write_unlock(&b->object->invalidate_lock);
	rwsem_write_unlock(&b->inode->rwsem);
	return err;
}

static int blk_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct block_device *b = bdev_of_file(f);
	u64 size = bdev_bytes(b);
	bool discard = mode == (HOLE_MODES | FALLOC_FL_NO_HIDE_STALE);

	if (mode != ZERO_MODES && mode != FALLOC_FL_ZERO_RANGE && mode != HOLE_MODES && !discard)
		return -EOPNOTSUPP;
	if (off >= size)
		return -EINVAL;
	if (len > size - off) {
		if (!(mode & FALLOC_FL_KEEP_SIZE))
			return -EINVAL;
		len = size - off;
	}
	if ((off | len) & (bdev_logical_block_size(b) - 1))
		return -EINVAL;
	if (bdev_read_only(b))
		return -EPERM;
	return bdev_clear_range(b, off, len, discard);
}

static const struct file_ops g_block_fops = {
	.open = blk_open,
	.release = blk_release,
	.read = blk_read,
	.write = blk_write,
	.seek = blk_seek,
	.ioctl = blk_ioctl,
	.mmap = file_object_mmap,
	.fsync = blk_fsync,
	.fallocate = blk_fallocate,
	.direct = true,
};

/* ---- sync(2) ----------------------------------------------------------------------------------- */

static void sync_device(struct block_device *b, void *arg)
{
	if (!object_is_dirty(b->object) && !READ_ONCE(b->object->nr_writeback))
		return;
	(void)!bdev_sync(b); /* sync(2) has no way to fail; fsync reports it */
	(void)!bdev_flush(b);
}

static void sync_devices(void)
{
	bdevs_for_each(sync_device, NULL);
}

static int block_files_init(void)
{
	vfs_set_block_ops(&g_block_fops);
	vfs_set_device_sync(sync_devices);
	block_major_add(EXT_MAJOR, "blkext");
	return 0;
}
INIT_HOOK(INIT_CORE, block_files_init);
