/* A disk's partitions follow its table. */
#include <block/partition.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include "blk.h"

struct source {
	struct part_source s;
	struct block_device *whole;
	struct block_ref at;
};

/* Through the cache: what a program has just written there counts. */
static const u8 *read_block(struct part_source *s, u64 block)
{
	struct source *src = container_of(s, struct source, s);

	block_ref_put(&src->at);
	return bdev_read_block(src->whole, block, s->block, &src->at) ? NULL : src->at.data;
}

int disk_scan(struct disk_impl *i)
{
	struct part_table *t = kvmalloc(sizeof(*t), GFP_KERNEL);
	struct source src = {.whole = i->parts[0]};
	int err;

	if (!t)
		return -ENOMEM;
	src.s.block = i->disk->limits.logical_block;
	src.s.blocks = i->disk->sectors / (src.s.block / SECTOR_SIZE);
	src.s.read = read_block;
	err = partitions_parse(&src.s, t);
	block_ref_put(&src.at);
	for (u32 n = 0; !err && n < t->count; n++) {
		const struct part_entry *e = &t->parts[n];

		err = part_add(i, e->number, e->start, e->sectors, e->uuid);
		if (err == -EBUSY || err == -EINVAL) {
			log_warn("%s: partition %u of the table is unusable", i->disk->name,
				e->number);
			err = 0;
		}
	}
	kvfree(t);
	return err;
}

int disk_rescan(struct disk_impl *i)
{
	bool busy = false;

	mutex_lock(&i->lock);
	for (u32 n = 1; n < DISK_MAX_PARTS; n++)
		busy |= i->parts[n] && i->parts[n]->openers;
	mutex_unlock(&i->lock);
	if (busy)
		return -EBUSY;
	for (u32 n = 1; n < DISK_MAX_PARTS; n++)
		if (i->parts[n])
			(void)!part_remove(i, n, false);
	return disk_scan(i);
}

int disk_partitions(struct disk *d)
{
	struct disk_impl *i = disk_impl(d);
	int err;

	mutex_lock(&i->scan_lock);
	err = disk_rescan(i);
	mutex_unlock(&i->scan_lock);
	return err;
}
