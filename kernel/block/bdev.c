/* Block devices: the list of them, opening, disks coming and going. */
#include <core/init.h>
#include <device/device.h>
#include <linux/major.h>
#include "internal.h"

#define BLKEXT_MAJOR 259

static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_MUTEX_LEAF);
static LIST_HEAD(g_bdevs); /* g_lock */
static u32 g_next_ext;     /* g_lock: minor numbers of BLKEXT_MAJOR */

struct bdev { /* what a block_device is part of */
	struct block_device b;
	struct vm_object object;
};

struct block_device *bdev_create(
	struct disk *d, u32 part, u64 start, u64 sectors, kdev_t dev, const char *name)
{
	struct bdev *v = kzalloc(sizeof(*v), GFP_KERNEL);
	struct block_device *b = &v->b;

	if (!v)
		return NULL;
	ref_init(&b->refs, 1);
	b->disk = d;
	b->part = part;
	b->start = start;
	b->sectors = sectors;
	(void)str_copy(b->name, name, sizeof(b->name));
	mutex_init(&b->open_lock, RANK_MUTEX_LEAF);
	/* One flusher for a disk: partitions share its heads. */
	b->wb = part ? state_of(d)->whole->wb : writeback_create(b->name);
	if (!b->wb) {
		kfree(v);
		return NULL;
	}
	b->object = &v->object;
	bdev_cache_init(b, b->object);
	mutex_lock(&g_lock);
	b->dev = dev ? dev : dev_make(BLKEXT_MAJOR, g_next_ext++);
	list_add_tail(&b->link, &g_bdevs);
	mutex_unlock(&g_lock);
	if (devtmpfs_add(b->name, S_IFBLK | 0660, b->dev))
		log_warn("%s: no device node", b->name);
	return b;
}

/* Off the list; lives on until the last reference goes. */
void bdev_destroy(struct block_device *b)
{
	devtmpfs_remove(b->name);
	mutex_lock(&g_lock);
	list_del(&b->link);
	mutex_unlock(&g_lock);
	object_leave_writeback(b->object);
	put_bdev(b);
}

void get_bdev(struct block_device *b)
{
	ref_get(&b->refs);
}

void put_bdev(struct block_device *b)
{
	if (!ref_put(&b->refs))
		return;
	object_destroy(b->object);
	kfree(container_of(b, struct bdev, b));
}

static struct block_device *find(
	bool (*match)(const struct block_device *b, const void *key), const void *key)
{
	struct block_device *b;

	mutex_lock(&g_lock);
	list_for_each_entry(b, &g_bdevs, link) {
		if (match(b, key) && ref_get_unless_zero(&b->refs)) {
			mutex_unlock(&g_lock);
			return b;
		}
	}
	mutex_unlock(&g_lock);
	return NULL;
}

static bool has_number(const struct block_device *b, const void *key)
{
	return b->dev == *(const kdev_t *)key;
}

static bool has_name(const struct block_device *b, const void *key)
{
	return !strcmp(b->name, key);
}

static bool has_uuid(const struct block_device *b, const void *key)
{
	return b->uuid[0] && !strcmp(b->uuid, key);
}

struct block_device *bdev_find(kdev_t dev)
{
	return find(has_number, &dev);
}

struct block_device *bdev_find_name(const char *name)
{
	if (!strncmp(name, "PARTUUID=", 9))
		return find(has_uuid, name + 9);
	if (!strncmp(name, "/dev/", 5))
		name += 5;
	return find(has_name, name);
}

bool bdev_read_only(const struct block_device *b)
{
	return READ_ONCE(b->read_only) || READ_ONCE(b->disk->read_only);
}

u32 bdev_logical_block_size(const struct block_device *b)
{
	return b->disk->limits.logical_block;
}

int bdev_open(struct block_device *b, bool write, void *holder)
{
	int err = 0;

	if (READ_ONCE(state_of(b->disk)->gone))
		return -ENXIO;
	if (write && bdev_read_only(b))
		return -EROFS;
	mutex_lock(&b->open_lock);
	if (holder && b->holder && b->holder != holder)
		err = -EBUSY;
	else if (holder)
		b->holder = holder;
	if (!err)
		b->openers++;
	mutex_unlock(&b->open_lock);
	if (!err)
		get_bdev(b);
	return err;
}

void bdev_close(struct block_device *b, void *holder)
{
	bool last;

	mutex_lock(&b->open_lock);
	last = b->openers == 1;
	mutex_unlock(&b->open_lock);
	if (last)
		(void)!bdev_sync(b); /* who cared for errors has called fsync */
	mutex_lock(&b->open_lock);
	b->openers--;
	if (holder && b->holder == holder)
		b->holder = NULL;
	mutex_unlock(&b->open_lock);
	put_bdev(b);
}

/* ---- disks --------------------------------------------------------------------------------------
 */

int disk_add(struct disk *d)
{
	struct disk_state *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->disk = d;
	d->impl = s;
	err = queues_create(s);
	if (!err) {
		s->whole = bdev_create(d, 0, 0, d->sectors, d->first_dev, d->name);
		err = s->whole ? 0 : -ENOMEM;
	}
	if (err) {
		queues_destroy(s);
		kfree(s);
		d->impl = NULL;
	}
	return err;
}

void disk_remove(struct disk *d)
{
	struct disk_state *s = state_of(d);
	struct writeback *wb = s->whole->wb;

	WRITE_ONCE(s->gone, true);
	queues_drain(s);
	bdev_destroy(s->whole);
	writeback_destroy(wb);
	queues_destroy(s);
	kfree(s);
	d->impl = NULL;
}

void disk_resize(struct disk *d, u64 sectors)
{
	struct block_device *b = state_of(d)->whole;

	d->sectors = sectors;
	WRITE_ONCE(b->sectors, sectors);
	WRITE_ONCE(b->object->size, bdev_bytes(b));
}
