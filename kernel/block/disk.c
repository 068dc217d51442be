/* Disks come, grow, and go. */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/idalloc.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <vfs/file.h>
#include "blk.h"

#define EXT_MINORS (1u << 16)
#define OWN_MINORS 16u /* of a driver with a major: the disk and fifteen partitions */

static DEFINE_SPINLOCK(g_lock, RANK_BLOCK);
static struct idalloc g_ext_minors; /* g_lock */
static atomic64_t g_seq = ATOMIC_INIT(0);

static int ext_number(kdev_t *dev)
{
	int n;

	spin_lock(&g_lock);
	if (!g_ext_minors.limit)
		idalloc_init(&g_ext_minors, EXT_MINORS);
	n = idalloc_lowest(&g_ext_minors, 0);
	spin_unlock(&g_lock);
	if (n < 0)
		return -ENOSPC;
	*dev = dev_make(EXT_MAJOR, (u32)n);
	return 0;
}

static void number_free(kdev_t dev)
{
	if (dev_major(dev) != EXT_MAJOR)
		return;
	spin_lock(&g_lock);
	idalloc_free(&g_ext_minors, dev_minor(dev));
	spin_unlock(&g_lock);
}

static void release(struct work *w)
{
	struct disk_impl *i = container_of(w, struct disk_impl, release);
	struct disk *d = i->disk;

	rcu_synchronize(); /* whoever ended the last bio has left queue.c */
	if (i->wb)
		writeback_destroy(i->wb);
	queues_destroy(i);
	flush_destroy(i);
	kfree(i);
	d->impl = NULL;
	if (d->ops->release)
		d->ops->release(d);
}

void put_disk_impl(struct disk_impl *i)
{
	/* The flusher may be who holds the last reference, so another thread ends it. */
	if (ref_put(&i->refs))
		work_queue(&i->release);
}

static struct disk_impl *impl_create(struct disk *d)
{
	struct disk_impl *i;

	if (!d->nr_queues)
		d->nr_queues = 1;
	if (!d->depth)
		d->depth = 1;
	i = kzalloc(sizeof(*i) + d->nr_queues * sizeof(i->queues[0]), GFP_KERNEL);
	if (!i)
		return NULL;
	ref_init(&i->refs, 1);
	i->disk = d;
	i->nr_queues = d->nr_queues;
	i->seq = (u64)atomic_add_return(&g_seq, 1);
	mutex_init(&i->scan_lock, RANK_DISK);
	mutex_init(&i->lock, RANK_DISK_OPEN);
	wait_queue_init(&i->drained);
	timer_init(&i->timer, disk_timer);
	work_init(&i->expire, disk_expire);
	work_init(&i->release, release);
	if (queues_create(i) || flush_create(i) || !(i->wb = writeback_create(d->name))) {
		queues_destroy(i);
		flush_destroy(i);
		kfree(i);
		return NULL;
	}
	d->impl = i;
	return i;
}

static void default_limits(struct disk_limits *l)
{
	l->logical_block = l->logical_block ? l->logical_block : SECTOR_SIZE;
	l->physical_block = max(l->physical_block, l->logical_block);
	l->max_segs = l->max_segs ? l->max_segs : 128;
	l->max_sectors = l->max_sectors ? l->max_sectors : 2048;
	l->max_sectors -= l->max_sectors % (u32)(PAGE_SIZE >> SECTOR_SHIFT);
	l->max_sectors = max(l->max_sectors, (u32)(PAGE_SIZE >> SECTOR_SHIFT));
}

/* Visible from now on. Consumes b's reference on failure. */
static int announce(struct block_device *b)
{
	int err = bdev_publish(b);

	if (err) {
		put_bdev(b);
		return err;
	}
	err = devtmpfs_add(b->name, S_IFBLK | 0600, b->dev);
	if (err)
		log_warn("%s: no node in /dev: error %s", b->name, errno_name(err));
	return 0;
}

int disk_add(struct disk *d)
{
	struct disk_impl *i;
	struct block_device *b;
	int err = 0;

	default_limits(&d->limits);
	i = impl_create(d);
	if (!i)
		return -ENOMEM;
	if (!d->first_dev)
		err = ext_number(&d->first_dev);
	b = err ? NULL : bdev_create(i, 0, 0, d->sectors, d->name, d->first_dev);
	if (!b) {
		put_disk_impl(i);
		return err ? err : -ENOMEM;
	}
	mutex_lock(&i->scan_lock);
	i->parts[0] = b;
	err = announce(b);
	if (!err && !d->no_partitions && disk_scan(i)) /* the disk is usable all the same */
		log_warn("%s: its partition table cannot be read", d->name);
	mutex_unlock(&i->scan_lock);
	if (err) {
		number_free(d->first_dev);
		put_disk_impl(i);
		return err;
	}
	if (d->sectors)
		log_info("%s: %llu sectors of 512 bytes%s", d->name, (unsigned long long)d->sectors,
			d->read_only ? ", read-only" : "");
	return 0;
}

static void forget(struct block_device *b)
{
	kdev_t dev = b->dev;

	WRITE_ONCE(b->gone, true);
	devtmpfs_remove(b->name);
	bdev_unpublish(b);
	number_free(dev);
}

void disk_remove(struct disk *d)
{
	struct disk_impl *i = disk_impl(d);

	mutex_lock(&i->scan_lock);
	mutex_lock(&i->lock);
	for (u32 n = 0; n < DISK_MAX_PARTS; n++)
		if (i->parts[n])
			WRITE_ONCE(i->parts[n]->gone, true);
	WRITE_ONCE(i->gone, true);
	mutex_unlock(&i->lock);
	queues_drain(i);
	for (u32 n = DISK_MAX_PARTS; n-- > 1;)
		if (i->parts[n])
			(void)!part_remove(i, n, true);
	forget(i->parts[0]);
	mutex_unlock(&i->scan_lock);
	put_disk_impl(i);
}

void disk_resize(struct disk *d, u64 sectors)
{
	struct block_device *b = disk_impl(d)->parts[0];
	u64 old = READ_ONCE(d->sectors);

	WRITE_ONCE(d->sectors, sectors);
	WRITE_ONCE(b->sectors, sectors);
	WRITE_ONCE(b->object->size, sectors << SECTOR_SHIFT);
	if (sectors != old)
		bdev_drop_pages(b); /* the last one may be longer or shorter now */
}

/* ---- partitions ----------------------------------------------------------------------------------
 */

static void part_name(const struct disk *d, u32 n, char *name, size_t size)
{
	size_t len = strlen(d->name);
	bool digit = len && d->name[len - 1] >= '0' && d->name[len - 1] <= '9';

	ksnprintf(name, size, "%s%s%u", d->name, digit ? "p" : "", n);
}

int part_add(struct disk_impl *i, u32 n, u64 start, u64 sectors, const char *uuid)
{
	struct disk *d = i->disk;
	struct block_device *b;
	char name[32];
	kdev_t dev;
	int err = 0;

	if (!n || n >= DISK_MAX_PARTS || !sectors || start >= d->sectors ||
		sectors > d->sectors - start)
		return -EINVAL;
	if (i->parts[n])
		return -EBUSY;
	part_name(d, n, name, sizeof(name));
	if (d->major && n < OWN_MINORS)
		dev = d->first_dev + n;
	else
		err = ext_number(&dev);
	if (err)
		return err;
	b = bdev_create(i, n, start, sectors, name, dev);
	if (!b) {
		number_free(dev);
		return -ENOMEM;
	}
	(void)!str_copy(b->uuid, uuid, sizeof(b->uuid));
	err = announce(b);
	if (err) {
		number_free(dev);
		return err;
	}
	mutex_lock(&i->lock);
	i->parts[n] = b;
	mutex_unlock(&i->lock);
	return 0;
}

int part_remove(struct disk_impl *i, u32 n, bool force)
{
	struct block_device *b = n && n < DISK_MAX_PARTS ? i->parts[n] : NULL;

	if (!b)
		return -ENXIO;
	mutex_lock(&i->lock);
	if (b->openers && !force) {
		mutex_unlock(&i->lock);
		return -EBUSY;
	}
	WRITE_ONCE(b->gone, true);
	i->parts[n] = NULL;
	mutex_unlock(&i->lock);
	forget(b);
	return 0;
}
