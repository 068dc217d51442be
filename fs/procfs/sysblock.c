/* Block devices in sysfs: linux-doc ABI/stable/sysfs-block; lsblk, iostat and udev read them. */
#include "procfs.h"
#include <block/block.h>
#include <lib/printf.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <vm/writeback.h>

/* What a figure is made of; entry->data says which. */
enum figure {
	DEV,
	SIZE,
	RO,
	REMOVABLE,
	STAT,
	INFLIGHT,
	UEVENT,
	SEQ,
	START,
	PARTITION,
	SERIAL,
	ZERO,
	ONE,
	RANGE,
	EXT_RANGE,
	NONE,
	LOGICAL,
	PHYSICAL,
	ROTATIONAL,
	MAX_KB,
	MAX_SEGS,
	MAX_SEG_SIZE,
	DEPTH,
	READ_AHEAD,
	GRANULARITY,
	DISCARD_MAX,
	ZEROES_MAX,
	WRITE_CACHE,
	FUA,
	SCHEDULER,
};

static void show_uevent(struct seq_buf *s, struct block_device *b)
{
	seq_printf(s, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\nDISKSEQ=%llu\n",
		dev_major(b->dev), dev_minor(b->dev), b->name, b->part ? "partition" : "disk",
		(unsigned long long)bdev_disk_seq(b));
	if (b->part)
		seq_printf(s, "PARTN=%u\n", b->part);
	if (b->uuid[0])
		seq_printf(s, "PARTUUID=%s\n", b->uuid);
}

/* Figures that are one number. */
static u64 number(struct block_device *b, enum figure what)
{
	const struct disk_limits *l = &b->disk->limits;

	switch (what) {
	case SIZE:
		return READ_ONCE(b->sectors);
	case RO:
		return bdev_read_only(b);
	case REMOVABLE:
		return b->disk->removable;
	case SEQ:
		return bdev_disk_seq(b);
	case START:
		return b->start;
	case PARTITION:
		return b->part;
	case ONE:
		return 1;
	case RANGE:
		return b->disk->major ? 16 : 1;
	case EXT_RANGE:
		return b->disk->no_partitions ? 1 : 256;
	case LOGICAL:
		return l->logical_block;
	case PHYSICAL:
		return l->physical_block;
	case ROTATIONAL:
		return l->rotational;
	case MAX_KB:
		return l->max_sectors / 2;
	case MAX_SEGS:
		return l->max_segs;
	case MAX_SEG_SIZE:
		return l->max_seg_bytes ? l->max_seg_bytes : ~0u;
	case DEPTH:
		return b->disk->depth;
	case READ_AHEAD:
		return (u64)READ_ONCE(b->wb->ra_pages) * (PAGE_SIZE / 1024);
	case GRANULARITY:
		return l->max_discard_sectors ? l->discard_granularity : 0;
	case DISCARD_MAX:
		return l->max_discard_sectors << SECTOR_SHIFT;
	case ZEROES_MAX:
		return l->max_zeroes_sectors << SECTOR_SHIFT;
	case FUA:
		return l->fua;
	default:
		return 0;
	}
}

static int show(struct seq_buf *s, struct proc_node *n)
{
	enum figure what = (enum figure)(uintptr_t)n->entry->data;
	struct block_device *b = bdev_find(n->key);
	u64 busy[2];

	if (!b)
		return -ENODEV;
	switch (what) {
	case DEV:
		seq_printf(s, "%u:%u\n", dev_major(b->dev), dev_minor(b->dev));
		break;
	case STAT:
		bdev_stat_show(b, s);
		break;
	case INFLIGHT:
		bdev_in_flight(b, busy);
		seq_printf(s, "%8llu %8llu\n", (unsigned long long)busy[0],
			(unsigned long long)busy[1]);
		break;
	case UEVENT:
		show_uevent(s, b);
		break;
	case SERIAL:
		seq_printf(s, "%s", b->disk->serial);
		break;
	case NONE:
		seq_puts(s, "none\n");
		break;
	case SCHEDULER:
		seq_puts(s, "[none]\n");
		break;
	case WRITE_CACHE:
		seq_puts(s, b->disk->limits.write_cache ? "write back\n" : "write through\n");
		break;
	default:
		seq_printf(s, "%llu\n", (unsigned long long)number(b, what));
		break;
	}
	put_bdev(b);
	return 0;
}

static int store_read_ahead(struct proc_node *n, char *text, size_t len)
{
	struct block_device *b;
	u64 kib;

	if (parse_u64(text, 10, &kib))
		return -EINVAL;
	b = bdev_find(n->key);
	if (!b)
		return -ENODEV;
	WRITE_ONCE(b->wb->ra_pages, (u32)min(kib / (PAGE_SIZE / 1024), (u64)1 << 16));
	put_bdev(b);
	return 0;
}

static int subsystem_text(struct proc_node *n, char *buf, size_t size)
{
	struct block_device *b = bdev_find(n->key);

	if (!b)
		return -ENOENT;
	ksnprintf(buf, size, "../../../../%sclass/block", b->part ? "../" : "");
	put_bdev(b);
	return 0;
}

#define FILE(name_, what)                                                                   \
	{                                                                                   \
		.name = name_, .mode = S_IFREG | 0444, .show = show, .data = (void *)(what) \
	}
#define EMPTY(name_)                                  \
	{                                             \
		.name = name_, .mode = S_IFDIR | 0755 \
	}
#define COMMON                                                                                    \
	FILE("alignment_offset", ZERO), FILE("dev", DEV), FILE("discard_alignment", ZERO),        \
		EMPTY("holders"), FILE("inflight", INFLIGHT), FILE("ro", RO), FILE("size", SIZE), \
		FILE("stat", STAT), FILE("uevent", UEVENT),                                       \
	{                                                                                         \
		.name = "subsystem", .mode = S_IFLNK | 0777, .text = subsystem_text               \
	}

static const struct proc_entry g_queue[] = {
	FILE("add_random", ZERO),
	FILE("dax", ZERO),
	FILE("discard_granularity", GRANULARITY),
	FILE("discard_max_bytes", DISCARD_MAX),
	FILE("discard_max_hw_bytes", DISCARD_MAX),
	FILE("discard_zeroes_data", ZERO),
	FILE("fua", FUA),
	FILE("hw_sector_size", LOGICAL),
	FILE("iostats", ONE),
	FILE("logical_block_size", LOGICAL),
	FILE("max_hw_sectors_kb", MAX_KB),
	FILE("max_sectors_kb", MAX_KB),
	FILE("max_segment_size", MAX_SEG_SIZE),
	FILE("max_segments", MAX_SEGS),
	FILE("minimum_io_size", PHYSICAL),
	FILE("nomerges", ZERO),
	FILE("nr_requests", DEPTH),
	FILE("optimal_io_size", ZERO),
	FILE("physical_block_size", PHYSICAL),
	{.name = "read_ahead_kb",
		.mode = S_IFREG | 0644,
		.show = show,
		.store = store_read_ahead,
		.data = (void *)READ_AHEAD},
	FILE("rotational", ROTATIONAL),
	FILE("scheduler", SCHEDULER),
	FILE("write_cache", WRITE_CACHE),
	FILE("write_zeroes_max_bytes", ZEROES_MAX),
	FILE("zoned", NONE),
	{0},
};
static const struct proc_entry g_disk_files[] = {
	COMMON,
	FILE("capability", ZERO),
	FILE("diskseq", SEQ),
	FILE("ext_range", EXT_RANGE),
	FILE("hidden", ZERO),
	{.name = "queue", .mode = S_IFDIR | 0755, .children = g_queue},
	FILE("range", RANGE),
	FILE("removable", REMOVABLE),
	FILE("serial", SERIAL),
	EMPTY("slaves"),
	{0},
};
static const struct proc_entry g_part_files[] = {
	COMMON, FILE("partition", PARTITION), FILE("start", START), {0}};

/* ---- directories --------------------------------------------------------------------------------
 */

/* The device of that name, referenced; NULL: none. */
static struct block_device *by_name(const char *name, size_t len)
{
	char text[32];

	if (len >= sizeof(text))
		return NULL;
	memcpy(text, name, len);
	text[len] = 0;
	return strchr(text, ':') || strchr(text, '/') ? NULL : bdev_find_name(text);
}

/* The next device that filter accepts: its name, as next() returns it. */
static int next_device(u64 *cookie, char *name, size_t size, bool numbers,
	bool (*filter)(const struct block_device *b, u64 key), u64 key)
{
	struct block_device *b;
	int len = 0;

	for (; !len && (b = bdev_next(cookie)); *cookie += !len) {
		if (filter(b, key))
			len = numbers ? ksnprintf(name, size, "%u:%u", dev_major(b->dev),
						dev_minor(b->dev))
				      : ksnprintf(name, size, "%s", b->name);
		put_bdev(b);
	}
	return len;
}

static bool any(const struct block_device *b, u64 key)
{
	return true;
}

static bool is_whole(const struct block_device *b, u64 key)
{
	return !b->part;
}

static bool is_part_of(const struct block_device *b, u64 key)
{
	return b->part && bdev_whole((struct block_device *)b)->dev == key;
}

/* ---- a driver's folder ---- */

/* Text of the attribute of that number, or only whether there is one. */
static int attr_show(kdev_t dev, u32 which, struct seq_buf *s)
{
	struct block_device *b = bdev_find(dev);
	int err;

	if (!b)
		return -ENODEV;
	err = b->disk->ops->attrs ? b->disk->ops->attrs->show(b->disk, which, s) : -ENODEV;
	put_bdev(b);
	return err;
}

static int show_attr(struct seq_buf *s, struct proc_node *n)
{
	return attr_show(n->key, (u32)n->fd, s);
}

static const struct proc_entry g_attr_entry = {.mode = S_IFREG | 0444, .show = show_attr};

static const struct disk_attrs *attrs_of(kdev_t dev)
{
	struct block_device *b = bdev_find(dev);
	const struct disk_attrs *a = b ? b->disk->ops->attrs : NULL;

	if (b)
		put_bdev(b);
	return a;
}

static int find_attr(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	const struct disk_attrs *a = attrs_of(dir->key);

	for (u32 n = 0; a && a->names[n]; n++)
		if (strlen(a->names[n]) == len && memcmp(a->names[n], name, len) == 0) {
			*out = (struct proc_node){
				.entry = &g_attr_entry, .key = dir->key, .fd = (int)n};
			return 0;
		}
	return -ENOENT;
}

static int next_attr(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	const struct disk_attrs *a = attrs_of(dir->key);

	*type = S_IFREG >> 12;
	for (u64 n = 0; a && a->names[n]; n++)
		if (n == *cookie)
			return ksnprintf(name, size, "%s", a->names[n]);
	return 0;
}

static const struct proc_dir_ops g_attrs_dir = {.find = find_attr, .next = next_attr};
static const struct proc_entry g_attrs_entry = {.mode = S_IFDIR | 0755, .dir = &g_attrs_dir};

/* The folder is there while the driver has something to say. */
static bool has_attrs(kdev_t dev)
{
	struct seq_buf s;
	int err;

	seq_kinit(&s);
	err = attr_show(dev, 0, &s);
	seq_kfree(&s);
	return !err;
}

static const struct proc_entry g_part_entry = {.mode = S_IFDIR | 0755, .children = g_part_files};

static int find_part(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	const struct disk_attrs *a = attrs_of(dir->key);
	struct block_device *b;
	int err;

	if (a && strlen(a->dir) == len && memcmp(a->dir, name, len) == 0) {
		if (!has_attrs(dir->key))
			return -ENOENT;
		*out = (struct proc_node){.entry = &g_attrs_entry, .key = dir->key};
		return 0;
	}
	b = by_name(name, len);
	err = b && is_part_of(b, dir->key) ? 0 : -ENOENT;

	if (!err)
		*out = (struct proc_node){.entry = &g_part_entry, .key = b->dev};
	if (b)
		put_bdev(b);
	return err;
}

static int next_part(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	const struct disk_attrs *a = attrs_of(dir->key);

	*type = S_IFDIR >> 12;
	if (*cookie == 0 && a && has_attrs(dir->key))
		return ksnprintf(name, size, "%s", a->dir); /* no device has the number 0 */
	return next_device(cookie, name, size, false, is_part_of, dir->key);
}

static const struct proc_dir_ops g_parts_dir = {.find = find_part, .next = next_part};
static const struct proc_entry g_disk_entry = {
	.mode = S_IFDIR | 0755, .children = g_disk_files, .dir = &g_parts_dir};

static int find_disk(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	struct block_device *b = by_name(name, len);
	int err = b && !b->part ? 0 : -ENOENT;

	if (!err)
		*out = (struct proc_node){.entry = &g_disk_entry, .key = b->dev};
	if (b)
		put_bdev(b);
	return err;
}

static int next_disk(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFDIR >> 12;
	return next_device(cookie, name, size, false, is_whole, 0);
}

const struct proc_dir_ops g_disks_dir = {.find = find_disk, .next = next_disk};

/* ---- links to them ---- */

static int link_text(struct proc_node *n, char *buf, size_t size)
{
	struct block_device *b = bdev_find(n->key);

	if (!b)
		return -ENOENT;
	ksnprintf(buf, size, "%sdevices/virtual/block/%s%s%s", (const char *)n->entry->data,
		bdev_whole(b)->name, b->part ? "/" : "", b->part ? b->name : "");
	put_bdev(b);
	return 0;
}

#define LINK(up)                                                                \
	{                                                                       \
		.mode = S_IFLNK | 0777, .text = link_text, .data = (void *)(up) \
	}
static const struct proc_entry g_near_link = LINK("../"), g_far_link = LINK("../../");

static int find_link(struct block_device *b, const struct proc_entry *e, struct proc_node *out)
{
	if (!b)
		return -ENOENT;
	*out = (struct proc_node){.entry = e, .key = b->dev};
	put_bdev(b);
	return 0;
}

static int find_block(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	struct block_device *b = by_name(name, len);

	if (b && b->part) {
		put_bdev(b);
		b = NULL;
	}
	return find_link(b, &g_near_link, out);
}

static int find_class(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	return find_link(by_name(name, len), &g_far_link, out);
}

static int find_number(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	char text[32];

	if (len >= sizeof(text) || !memchr(name, ':', len))
		return -ENOENT;
	memcpy(text, name, len);
	text[len] = 0;
	return find_link(bdev_find_name(text), &g_far_link, out);
}

static int next_link(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFLNK >> 12;
	return next_device(cookie, name, size, dir->entry->dir == &g_dev_block_links,
		dir->entry->dir == &g_block_links ? is_whole : any, 0);
}

const struct proc_dir_ops g_block_links = {.find = find_block, .next = next_link};
const struct proc_dir_ops g_class_block_links = {.find = find_class, .next = next_link};
const struct proc_dir_ops g_dev_block_links = {.find = find_number, .next = next_link};
