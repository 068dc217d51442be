/* Block devices: the registry, openers, claims. */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <vfs/file.h>
#include "blk.h"

static DEFINE_SPINLOCK(g_lock, RANK_BLOCK);
static struct xarray g_by_number; /* kdev_t -> bdev, one reference each; g_lock, RCU */

struct block_device *bdev_create(
	struct disk_impl *i, u32 part, u64 start, u64 sectors, const char *name, kdev_t dev)
{
	struct block_device *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return NULL;
	ref_init(&b->refs, 1);
	b->disk = i->disk;
	b->part = part;
	b->start = start;
	b->sectors = sectors;
	b->dev = dev;
	b->wb = i->wb;
	b->soft_block_size = PAGE_SIZE;
	(void)!str_copy(b->name, name, sizeof(b->name));
	b->stats = stats_create();
	b->inode = b->stats ? inode_alloc_anon(S_IFBLK | 0600) : NULL;
	if (!b->inode) {
		stats_destroy(b->stats);
		kfree(b);
		return NULL;
	}
	b->inode->rdev = dev;
	b->inode->priv = b;
	b->object = &b->inode->object;
	bdev_object_init(b);
	/* Partitions keep the whole disk's alive, for statistics. */
	if (part)
		get_bdev(i->parts[0]);
	else
		ref_get(&i->refs);
	return b;
}

int bdev_publish(struct block_device *b)
{
	int err;

	spin_lock(&g_lock);
	err = xa_load(&g_by_number, b->dev) ? -EBUSY
					    : xa_store(&g_by_number, b->dev, b, GFP_ATOMIC);
	spin_unlock(&g_lock);
	return err;
}

void bdev_unpublish(struct block_device *b)
{
	spin_lock(&g_lock);
	if (xa_load(&g_by_number, b->dev) == b)
		xa_erase(&g_by_number, b->dev);
	spin_unlock(&g_lock);
	put_bdev(b);
}

void get_bdev(struct block_device *b)
{
	ref_get(&b->refs);
}

void put_bdev(struct block_device *b)
{
	struct disk_impl *i = disk_impl(b->disk);
	bool part = b->part;

	if (!ref_put(&b->refs))
		return;
	object_end_leaving(b->object, object_begin_leaving(b->object));
	put_inode(b->inode); /* drops the pages */
	stats_destroy(b->stats);
	rcu_kfree(b, rcu);
	if (part)
		put_bdev(i->parts[0]);
	else
		put_disk_impl(i);
}

struct block_device *bdev_find(kdev_t dev)
{
	struct block_device *b;

	rcu_read_lock();
	b = xa_load(&g_by_number, dev);
	if (b && !ref_get_unless_zero(&b->refs))
		b = NULL;
	rcu_read_unlock();
	return b;
}

struct block_device *bdev_next(kdev_t *dev)
{
	struct block_device *b;

	rcu_read_lock();
	while ((b = xa_find(&g_by_number, dev, U64_MAX)) && !ref_get_unless_zero(&b->refs))
		++*dev;
	rcu_read_unlock();
	return b;
}

struct block_device *bdev_whole(struct block_device *b)
{
	return b->part ? disk_impl(b->disk)->parts[0] : b;
}

u64 bdev_disk_seq(const struct block_device *b)
{
	return disk_impl(b->disk)->seq;
}

void bdevs_for_each(void (*fn)(struct block_device *b, void *arg), void *arg)
{
	struct block_device *b;

	for (kdev_t dev = 0; (b = bdev_next(&dev)); dev++) {
		fn(b, arg);
		put_bdev(b);
	}
}

static bool same_uuid(const char *a, const char *b)
{
	for (; *a || *b; a++, b++) {
		char x = *a >= 'A' && *a <= 'Z' ? *a + 32 : *a;
		char y = *b >= 'A' && *b <= 'Z' ? *b + 32 : *b;

		if (x != y)
			return false;
	}
	return true;
}

/* "8:1", as root= takes it, too. */
static bool parse_number(const char *s, kdev_t *dev)
{
	u32 n[2] = {0, 0};
	int which = 0, digits = 0;

	for (; *s; s++) {
		if (*s == ':' && !which && digits) {
			which = 1;
			digits = 0;
		} else if (*s >= '0' && *s <= '9' && ++digits < 8) {
			n[which] = n[which] * 10 + (u32)(*s - '0');
		} else {
			return false;
		}
	}
	*dev = dev_make(n[0], n[1]);
	return which && digits;
}

/* Used at start-up and by hand, so that a walk over all of them will do. */
struct block_device *bdev_find_name(const char *name)
{
	bool uuid = strncmp(name, "PARTUUID=", 9) == 0;
	struct block_device *b;
	kdev_t number;

	if (uuid)
		name += 9;
	else if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	if (!*name)
		return NULL;
	if (!uuid && parse_number(name, &number))
		return bdev_find(number);
	for (kdev_t dev = 0; (b = bdev_next(&dev)); dev++) {
		if (uuid ? same_uuid(b->uuid, name) : strcmp(b->name, name) == 0)
			return b;
		put_bdev(b);
	}
	return NULL;
}

bool bdev_read_only(const struct block_device *b)
{
	return READ_ONCE(b->read_only) || READ_ONCE(b->disk->read_only);
}

u32 bdev_logical_block_size(const struct block_device *b)
{
	return b->disk->limits.logical_block;
}

/* May holder claim b? Lock held. The whole disk and its partitions exclude each other. */
static bool may_claim(struct disk_impl *i, const struct block_device *b, const void *holder)
{
	if (b->holder && b->holder != holder)
		return false;
	if (b->part)
		return !i->parts[0]->holder || i->parts[0]->holder == holder;
	for (u32 n = 1; n < DISK_MAX_PARTS; n++)
		if (i->parts[n] && i->parts[n]->holder && i->parts[n]->holder != holder)
			return false;
	return true;
}

int bdev_open(struct block_device *b, bool write, void *holder)
{
	struct disk_impl *i = disk_impl(b->disk);
	int err = 0;

	mutex_lock(&i->lock);
	if (READ_ONCE(b->gone))
		err = -ENXIO;
	else if (write && bdev_read_only(b))
		err = -EROFS;
	else if (holder && !may_claim(i, b, holder))
		err = -EBUSY;
	else if (b->disk->ops->open)
		err = b->disk->ops->open(b->disk);
	if (!err) {
		get_bdev(b);
		b->openers++;
		if (holder) {
			b->holder = holder;
			b->holders++;
		}
	}
	mutex_unlock(&i->lock);
	return err;
}

void bdev_close(struct block_device *b, void *holder)
{
	struct disk_impl *i = disk_impl(b->disk);
	bool last;

	/* Written before the lock: others may want to open it meanwhile. A failure is remembered in
	 * the object. */
	if (READ_ONCE(b->openers) == 1)
		(void)!object_write_range(b->object, 0, U64_MAX, true);
	mutex_lock(&i->lock);
	if (holder && --b->holders == 0)
		b->holder = NULL;
	last = --b->openers == 0;
	if (last && object_is_dirty(b->object))
		(void)!object_write_range(b->object, 0, U64_MAX, true);
	if (b->disk->ops->close)
		b->disk->ops->close(b->disk);
	mutex_unlock(&i->lock);
	/* The next user may come after a write through another device of the same disk. */
	if (last)
		bdev_drop_pages(b);
	put_bdev(b);
}
