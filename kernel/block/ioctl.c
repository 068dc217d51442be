/* ioctl of block devices: linux/fs.h, linux/blkpg.h, linux/hdreg.h; block ioctls of util-linux. */
#include <arch/uaccess.h>
#include <linux/blkpg.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <vfs/file.h>
#include "blk.h"

#ifndef BLKGETDISKSEQ
#define BLKGETDISKSEQ _IOR(0x12, 128, __u64)
#endif

#define user(type) ((type __user *)arg)

/* A byte range {start, length} from the user, checked against the device. */
static int get_range(struct block_device *b, struct file *f, unsigned long arg, u64 range[2])
{
	u64 size = bdev_bytes(b);

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (copy_from_user(range, (const void __user *)arg, 2 * sizeof(u64)))
		return -EFAULT;
	if ((range[0] | range[1]) & (bdev_logical_block_size(b) - 1))
		return -EINVAL;
	if (!range[1] || range[0] > size || range[1] > size - range[0])
		return -EINVAL;
	return bdev_read_only(b) ? -EPERM : 0;
}

static long clear_range(struct block_device *b, struct file *f, u32 cmd, unsigned long arg)
{
	u64 range[2];
	int err;

	if (cmd == BLKDISCARD && !b->disk->limits.max_discard_sectors)
		return f->mode & FMODE_WRITE ? -EOPNOTSUPP : -EBADF;
	err = get_range(b, f, arg, range);
	return err ? err : bdev_clear_range(b, range[0], range[1], cmd == BLKDISCARD);
}

static long set_block_size(struct block_device *b, unsigned long arg)
{
	int n;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (!arg)
		return -EINVAL;
	if (get_user(n, user(int)))
		return -EFAULT;
	if (n < (int)bdev_logical_block_size(b) || n > (int)PAGE_SIZE || (n & (n - 1)))
		return -EINVAL;
	WRITE_ONCE(b->soft_block_size, (u32)n);
	return 0;
}

static long set_read_only(struct block_device *b, unsigned long arg)
{
	int n;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (get_user(n, user(int)))
		return -EFAULT;
	WRITE_ONCE(b->read_only, n != 0);
	return 0;
}

static long flush_buffers(struct block_device *b)
{
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	err = bdev_sync(b);
	bdev_drop_pages(b);
	return err;
}

static long reread_table(struct block_device *b)
{
	if (b->part || b->disk->no_partitions)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	return disk_partitions(b->disk);
}

static bool overlaps(struct disk_impl *i, u32 but, u64 start, u64 sectors)
{
	for (u32 n = 1; n < DISK_MAX_PARTS; n++) {
		const struct block_device *p = i->parts[n];

		if (p && n != but && start < p->start + p->sectors && p->start < start + sectors)
			return true;
	}
	return false;
}

static int resize_part(struct disk_impl *i, u32 n, u64 start, u64 sectors)
{
	struct block_device *p = i->parts[n];

	if (!p)
		return -ENXIO;
	if (p->start != start)
		return -EINVAL;
	if (overlaps(i, n, start, sectors))
		return -EBUSY;
	if (sectors > i->disk->sectors || start > i->disk->sectors - sectors)
		return -EINVAL;
	WRITE_ONCE(p->sectors, sectors);
	WRITE_ONCE(p->object->size, sectors << SECTOR_SHIFT);
	bdev_drop_pages(p);
	return 0;
}

static long edit_partitions(struct block_device *b, unsigned long arg)
{
	struct disk_impl *i = disk_impl(b->disk);
	struct blkpg_ioctl_arg a;
	struct blkpg_partition p;
	u64 start, sectors;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	if (copy_from_user(&a, user(void), sizeof(a)) ||
		copy_from_user(&p, (const void __user *)a.data, sizeof(p)))
		return -EFAULT;
	if (b->part)
		return -EINVAL;
	if (p.pno <= 0 || p.pno >= DISK_MAX_PARTS)
		return -EINVAL;
	start = (u64)p.start >> SECTOR_SHIFT;
	sectors = (u64)p.length >> SECTOR_SHIFT;
	if (a.op != BLKPG_DEL_PARTITION &&
		(p.start < 0 || p.length <= 0 ||
			((p.start | p.length) & (bdev_logical_block_size(b) - 1))))
		return -EINVAL;
	mutex_lock(&i->scan_lock);
	switch (a.op) {
	case BLKPG_ADD_PARTITION:
		err = overlaps(i, 0, start, sectors) ? -EBUSY
						     : part_add(i, (u32)p.pno, start, sectors, "");
		break;
	case BLKPG_DEL_PARTITION:
		err = part_remove(i, (u32)p.pno, false);
		break;
	case BLKPG_RESIZE_PARTITION:
		err = resize_part(i, (u32)p.pno, start, sectors);
		break;
	default:
		err = -EINVAL;
		break;
	}
	mutex_unlock(&i->scan_lock);
	return err;
}

static long get_geometry(struct block_device *b, unsigned long arg)
{
	/* Nothing turns: 64 heads and 32 sectors, as other virtual disks say. */
	struct hd_geometry g = {.heads = 64, .sectors = 32};

	if (!arg)
		return -EINVAL;
	g.cylinders = (unsigned short)(b->disk->sectors >> 11);
	g.start = b->start;
	return copy_to_user(user(void), &g, sizeof(g));
}

static long set_readahead(struct block_device *b, unsigned long sectors)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	WRITE_ONCE(b->wb->ra_pages, (u32)min(sectors / (PAGE_SIZE >> SECTOR_SHIFT), 1ul << 16));
	return 0;
}

/* Commands that only tell a figure. -ENOIOCTLCMD: another. */
static long tell(struct block_device *b, u32 cmd, unsigned long arg)
{
	const struct disk_limits *l = &b->disk->limits;

	switch (cmd) {
	case BLKGETSIZE64:
		return put_user(bdev_bytes(b), user(u64));
	case BLKGETSIZE:
		return put_user((unsigned long)READ_ONCE(b->sectors), user(unsigned long));
	case BLKSSZGET:
		return put_user((int)l->logical_block, user(int));
	case BLKPBSZGET:
	case BLKIOMIN:
		return put_user(l->physical_block, user(u32));
	case BLKIOOPT:
	case BLKDISCARDZEROES:
		return put_user(0u, user(u32));
	case BLKALIGNOFF:
		return put_user(0, user(int));
	case BLKBSZGET:
		return put_user((int)READ_ONCE(b->soft_block_size), user(int));
	case BLKROGET:
		return put_user((int)bdev_read_only(b), user(int));
	case BLKSECTGET:
		return put_user((u16)min(l->max_sectors, 65535u), user(u16));
	case BLKROTATIONAL:
		return put_user((u16)l->rotational, user(u16));
	case BLKRAGET:
	case BLKFRAGET:
		return arg ? put_user((long)READ_ONCE(b->wb->ra_pages) *
					     (long)(PAGE_SIZE >> SECTOR_SHIFT),
				     user(long))
			   : -EINVAL;
	case BLKGETDISKSEQ:
		return put_user(disk_impl(b->disk)->seq, user(u64));
	default:
		return -ENOIOCTLCMD;
	}
}

long blk_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	struct block_device *b = bdev_of_file(f);
	long r = tell(b, cmd, arg);

	if (r != -ENOIOCTLCMD)
		return r;
	switch (cmd) {
	case BLKBSZSET:
		return set_block_size(b, arg);
	case BLKROSET:
		return set_read_only(b, arg);
	case BLKFLSBUF:
		return flush_buffers(b);
	case BLKRRPART:
		return reread_table(b);
	case BLKPG:
		return edit_partitions(b, arg);
	case BLKDISCARD:
	case BLKZEROOUT:
		return clear_range(b, f, cmd, arg);
	case BLKSECDISCARD:
		return f->mode & FMODE_WRITE ? -EOPNOTSUPP : -EBADF;
	case BLKRASET:
	case BLKFRASET:
		return set_readahead(b, arg);
	case HDIO_GETGEO:
		return get_geometry(b, arg);
	default:
		return b->disk->ops->ioctl ? b->disk->ops->ioctl(b->disk, f, cmd, arg) : -ENOTTY;
	}
}
