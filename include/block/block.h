/*
 * Block devices: disks, partitions, requests; and the page cache of a device, which is where file
 * systems keep their metadata.
 *
 * Upper side: a bio moves whole sectors between pages and a device. Lower side: a driver registers
 * a disk and gets requests (merged bios) on its hardware queues.
 */
#ifndef BLOCK_BLOCK_H
#define BLOCK_BLOCK_H

#include <lib/list.h>
#include <core/refcount.h>
#include <sched/wait.h>
#include <sched/mutex.h>
#include <kmem/page.h>
#include <vm/object.h>

#define SECTOR_SHIFT 9
#define SECTOR_SIZE  512u

struct disk;
struct request;
struct blk_plug;
struct seq_buf;
struct inode;
struct file;
struct writeback;

/* ---- devices ------------------------------------------------------------------------------------
 */

/* A whole disk (part 0) or one of its partitions. */
struct block_device {
	struct refcount refs;
	struct disk *disk; /* immutable */
	u64 start;         /* first sector on the disk; immutable but for re-reading the table */
	u64 sectors;       /* size; atomic: changes when the disk is resized */
	kdev_t dev;        /* immutable */
	u32 part;          /* 0: whole disk */
	bool read_only;    /* atomic: BLKROSET; the disk's own state counts, too */
	char name[32];     /* "vda", "vda1" */
	char uuid[37];     /* GPT's unique id or MBR's "xxxxxxxx-nn"; "" none; PARTUUID= */
	struct vm_object *object; /* the device's page cache: metadata and open("/dev/vda") alike */
	struct writeback *wb;     /* writes its dirty pages and those of the file system on it */
	void *holder; /* exclusive owner (a mounted super block, O_EXCL), or NULL; disk's lock */
	u32 holders;  /* how often it has claimed; disk's lock */
	u32 openers;  /* disk's lock */
	u32 soft_block_size;      /* bytes: BLKBSZSET; atomic */
	struct inode *inode;      /* internal inode that carries object */
	struct bdev_stats *stats; /* statistics */
	bool gone;                /* atomic: removed; I/O fails with -ENXIO */
	struct rcu_head rcu;
};

/* By number or by name ("vda", "/dev/vda", "PARTUUID=..."): referenced, or NULL. */
struct block_device *bdev_find(kdev_t dev) must_check;
struct block_device *bdev_find_name(const char *name) must_check;
/* The first with a number >= *dev, referenced; *dev becomes its number. NULL: none. */
struct block_device *bdev_next(kdev_t *dev) must_check;
/* A partition's disk; not referenced, lives as long as b. */
struct block_device *bdev_whole(struct block_device *b);
u64 bdev_disk_seq(const struct block_device *b); /* unique number of the disk, from 1 */
void get_bdev(struct block_device *b);
void put_bdev(struct block_device *b);
/* Open for use; holder not NULL: exclusively for it (-EBUSY). write on a read-only one: -EROFS;
 * -ENXIO gone. Sleeps. */
int bdev_open(struct block_device *b, bool write, void *holder) must_check;
void bdev_close(struct block_device *b, void *holder); /* last: dirty pages are written */
static inline u64 bdev_bytes(const struct block_device *b)
{
	return READ_ONCE(b->sectors) << SECTOR_SHIFT;
}
bool bdev_read_only(const struct block_device *b);
u32 bdev_logical_block_size(const struct block_device *b); /* bytes; 512 or 4096 */

/* ---- the device's page cache: blocks of 512 to 4096 bytes
 * ------------------------------------------
 *
 * A block is a part of a page in bdev->object. The page is always wholly valid. Which of its
 * 512-byte sectors are dirty stands in page->private (bits 0..7, atomic; 16..63: the file
 * system's): only those are written, so that a page shared by a metadata block and somebody else's
 * data block never writes the latter. Journaled blocks are not marked dirty here: the journal
 * writes them (jbd2).
 */
struct block_ref {         /* a value: copy freely, release once */
	struct page *page; /* referenced; NULL: empty */
	void *data;        /* the block's first byte */
	u64 block;         /* number, in units of size */
	u32 size;          /* bytes */
};
/* The block's content is being read if it isn't here. -EIO -ENOMEM. Sleeps. */
int bdev_read_block(struct block_device *b, u64 block, u32 size, struct block_ref *out) must_check;
/* For a caller who overwrites all of it: without reading where the block is a whole page; content
 * is zeroed. Sleeps. */
int bdev_new_block(struct block_device *b, u64 block, u32 size, struct block_ref *out) must_check;
/* Ask for blocks that are going to be read; doesn't wait. */
void bdev_readahead(struct block_device *b, u64 block, u32 size, u32 count);
static inline void block_ref_put(struct block_ref *r)
{
	if (r->page)
		put_page(r->page);
	r->page = NULL;
}
static inline struct block_ref block_ref_dup(const struct block_ref *r)
{
	get_page(r->page);
	return *r;
}
/* Written back sooner or later; caller keeps its own lock on the content. Any thread. */
void bdev_mark_block_dirty(struct block_device *b, const struct block_ref *r);
/* Write it now and wait (even if clean); flags BIO_FUA... -EIO. */
int bdev_write_block(struct block_device *b, const struct block_ref *r, u32 bio_flags) must_check;
/* The blocks [block, block + count) are free now: their dirty state is dropped and writes under way
 * are waited for, so that nothing stale lands on the new owner's data. */
void bdev_forget_blocks(struct block_device *b, u64 block, u64 count, u32 size);
/* All dirty pages of the device object, waited for; not a flush. First new error. */
int bdev_sync(struct block_device *b) must_check;

/* ---- bio
 * ------------------------------------------------------------------------------------------
 */

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH, BIO_DISCARD, BIO_WRITE_ZEROES, NR_BIO_OPS };
#define BIO_FUA      1u  /* durable before completion */
#define BIO_PREFLUSH 2u  /* everything completed before is durable first */
#define BIO_SYNC     4u  /* somebody waits for it */
#define BIO_RAHEAD   8u  /* may fail when resources are short */
#define BIO_META     16u /* statistics and order of service only */
#define BIO_NOMERGE  32u
#define BIO_NOUNMAP  64u /* WRITE_ZEROES: keep the space allocated */

struct bio_vec {
	struct page *page;
	u32 offset, len; /* bytes; len a multiple of the logical block size */
};
struct bio {
	struct block_device *bdev;
	u64 sector;     /* first, relative to bdev */
	u64 nr_sectors; /* DISCARD, WRITE_ZEROES: given; else counted by bio_add_page */
	enum bio_op op;
	u32 flags;
	int status; /* at end_io: 0, -EIO, -ENOSPC, -EOPNOTSUPP, -ETIMEDOUT, -EROFS, -ENXIO */
	/* Completion: any context, interrupts may be off, must not sleep, takes interrupt-safe
	 * locks only (atomic page bits, page_unlock, page_end_writeback, wake-ups, work_queue are
	 * fine). Owns the bio from here (bio_free allowed). */
	void (*end_io)(struct bio *b);
	void *private;    /* submitter's */
	struct bio *next; /* block layer's: chain of a request, of a plug */
	u64 start_ns;     /* block layer's: statistics */
	struct {          /* block layer's: head of a chain that waits for a request */
		struct bio *last, *next_chain;
		u64 sectors;
		u32 segs;
	} chain;
	u16 nr_vecs, max_vecs;
	u16 nr_segs; /* runs of vecs that are neighbours in memory; vecs where a segment's size is
			limited */
	u8 stage;    /* block layer's: of a flush sequence */
	struct bio_vec vecs[];
};
/* max_vecs up to BIO_MAX_VECS. NULL: no memory. With GFP_NOFS it always succeeds for
 * max_vecs <= 32, waiting for a reserved one if need be: writeback must make progress. */
#define BIO_MAX_VECS 256
struct bio *bio_alloc(struct block_device *b, u16 max_vecs, enum bio_op op, u64 sector, u32 flags,
	u32 gfp) must_check;
/* False: full, or not contiguous with what the device takes. */
bool bio_add_page(struct bio *b, struct page *p, u32 offset, u32 len) must_check;
static inline u64 bio_end_sector(const struct bio *b)
{
	return b->sector + b->nr_sectors;
}
/* Hand over; end_io comes exactly once, possibly before this returns, also for errors (range,
 * read-only, gone). Doesn't sleep: any context. Ordering between bios: none but by PREFLUSH/FUA and
 * by waiting. */
void bio_submit(struct bio *b);
int bio_submit_wait(struct bio *b) must_check; /* sleeps; returns status; doesn't free */
void bio_free(struct bio *b);

/* Bios of this thread are collected and merged until the plug ends or the thread sleeps. Not
 * nested: an inner start is a no-op. */
struct blk_plug {
	struct bio *first, *last; /* chains, by chain.next_chain */
	u32 count;
	bool nested;
};
void blk_plug_start(struct blk_plug *p);
void blk_plug_finish(struct blk_plug *p);

/* Everything completed so far is durable. 0, -EIO. Devices without a write cache: nothing sent. */
int bdev_flush(struct block_device *b) must_check;
int bdev_discard(struct block_device *b, u64 sector, u64 count) must_check; /* -EOPNOTSUPP */
/* Always works: by the device, else by writing zeroes. */
int bdev_zeroout(struct block_device *b, u64 sector, u64 count) must_check;
/* BIO_READ or BIO_WRITE between the device and memory that starts at off in pages, whole sectors;
 * all parts are under way at once. Sleeps. 0 or the first error: then any part may have been done.
 */
int bdev_rw_pages(struct block_device *b, enum bio_op op, u64 sector, struct page **pages,
	size_t off, size_t bytes) must_check;
/* Synchronous transfer of kernel memory (kmalloc, pages): whole sectors. For mount and tools. */
int bdev_rw(struct block_device *b, enum bio_op op, u64 sector, void *buf, u32 bytes,
	u32 flags) must_check;

/* ---- drivers
 * -----------------------------------------------------------------------------------------
 */

struct request {
	struct disk *disk;
	enum bio_op op;
	u32 flags; /* BIO_* of its bios; PREFLUSH and FUA only if the disk says it can */
	u64 sector, nr_sectors; /* on the disk */
	struct bio *first, *last;
	u32 nr_segs;     /* of all bios */
	u32 tag;         /* unique among the requests under way on one queue, < queue depth */
	u32 queue;       /* hardware queue, < disk->nr_queues */
	u64 deadline_ns; /* time limit */
	u32 state;       /* block layer's: atomic */
	void *driver;    /* disk->request_size bytes behind it, contiguous in memory */
};

struct disk_limits {
	u32 logical_block, physical_block; /* bytes */
	u32 max_segs;                      /* of a request */
	u32 max_seg_bytes;                 /* 0: no limit */
	u32 max_sectors;                   /* of a read or write request */
	u64 max_discard_sectors;           /* 0: can't */
	u32 discard_granularity;           /* bytes */
	u64 max_zeroes_sectors;            /* 0: can't */
	bool write_cache;                  /* volatile: FLUSH is needed and understood */
	bool fua;
	bool rotational;
};

/* Figures of a driver's own: files of the folder dir below the disk's in sysfs. */
struct disk_attrs {
	const char *dir;
	const char *const *names; /* ends with NULL */
	/* Text of names[which]. -ENODEV: not now; the folder is shown only if the first is. */
	int (*show)(struct disk *d, u32 which, struct seq_buf *s);
};

struct disk_ops {
	/* Start it. 0; -EBUSY: no room now, called again after blk_queue_run or any completion;
	 * another error ends it. last: nothing follows at once, notify the device now; -EBUSY:
	 * notify it for those that went before, too. Process or worker context or completion
	 * context, interrupts on or off, must not sleep. One call at a time on each queue. */
	int (*queue)(struct disk *d, struct request *rq, bool last);
	/* Its deadline has passed (request_timeout_ns, default 30 s): make sure that it ends: reset
	 * or abandon, then request_done(-ETIMEDOUT). Worker context. NULL: wait on. */
	void (*timeout)(struct disk *d, struct request *rq);
	int (*open)(struct disk *d);   /* each opener; may refuse it. NULL: nothing to do. Sleeps */
	void (*close)(struct disk *d); /* each close; the device's openers don't change meanwhile */
	/* Commands that the layer doesn't know: -ENOTTY. NULL: none */
	long (*ioctl)(struct disk *d, struct file *f, u32 cmd, unsigned long arg);
	const struct disk_attrs *attrs;  /* NULL: none */
	void (*release)(struct disk *d); /* last reference after disk_remove */
};

struct disk {
	char name[32];
	const struct disk_ops *ops;
	struct disk_limits limits; /* before disk_add */
	u64 sectors;               /* before disk_add; later disk_resize */
	bool read_only, removable, no_partitions;
	u32 nr_queues, depth; /* hardware queues and requests under way on each */
	u32 request_size;     /* bytes of driver data in each request */
	u64 request_timeout_ns;
	kdev_t first_dev; /* 0: given by disk_add (blkext major 259 or the driver's major) */
	u32 major;        /* the driver's; minors: 16 per disk for virtio (vda 254:0, vdb 254:16) */
	char serial[21];
	void *driver;
	void *impl; /* block layer's */
};
/* Makes /dev/NAME, reads the partition table, appears in sysfs and uevents. -ENOMEM -EBUSY. */
int disk_add(struct disk *d) must_check;
/* New requests fail with -ENXIO, those under way are waited for. */
void disk_remove(struct disk *d);
void disk_resize(struct disk *d, u64 sectors);
/* Make the partitions what the table says now. -EBUSY: one is in use. Sleeps. */
int disk_partitions(struct disk *d) must_check;
/* Any context; each request exactly once. */
void request_done(struct request *rq, int status);
/* After -EBUSY: there is room again. Any context. */
void blk_queue_run(struct disk *d, u32 queue);
struct request *disk_request(struct disk *d, u32 queue, u32 tag); /* by tag; NULL: not under way */
/* Iterate the request's segments: fn for each, in order. */
#define request_for_each_vec(rq, b, v)                    \
	for (struct bio *b = (rq)->first; b; b = b->next) \
		for (struct bio_vec *v = b->vecs; v < b->vecs + b->nr_vecs; v++)

/* ---- shown
 * -------------------------------------------------------------------------------------------
 */
void block_sectors(u64 *read, u64 *written);                   /* of all devices since start-up */
void diskstats_show(struct seq_buf *s);                        /* /proc/diskstats */
void partitions_show(struct seq_buf *s);                       /* /proc/partitions */
void bdev_in_flight(const struct block_device *b, u64 out[2]); /* bios: reads, writes */
void bdev_stat_show(const struct block_device *b, struct seq_buf *s); /* /sys/block/NAME/stat */

#endif
