/*
 * Inside the block layer.
 *
 * The way of a bio: bio_submit checks it and adds the partition's start; with a plug it is
 * collected in chains of neighbours; a chain goes to the pending list of a hardware queue (queue.c)
 * and becomes a request when a tag is free. Bios with PREFLUSH or FUA for a device with a volatile
 * cache take a detour through flush.c. request_done ends each bio.
 */
#ifndef KERNEL_BLOCK_BLK_H
#define KERNEL_BLOCK_BLK_H

#include <block/block.h>
#include <core/rcu.h>
#include <lib/xarray.h>
#include <sched/timer.h>
#include <sched/work.h>
#include <vfs/vfs.h>
#include <vm/writeback.h>

#define BIO_RESERVED   (1u << 31) /* bio->flags: from the reserve */
#define BIO_REMAPPED   (1u << 30) /* sector is the disk's: a bio of the layer's own */

#define EXT_MAJOR      259 /* numbers that no driver has: handed out one by one */
#define DISK_MAX_PARTS 256

/* bio->stage: what remains to be done when the present step has ended */
enum { STAGE_LAST, STAGE_PREFLUSH, STAGE_DATA, STAGE_POSTFLUSH };

enum { PENDING_SYNC, PENDING_ASYNC, NR_PENDING };

struct chain_list {
	struct bio *first, *last;
	u32 count;
};

/* request->state */
enum { RQ_FREE, RQ_STARTED, RQ_EXPIRED, RQ_EXPIRED_DONE };

struct hw_queue {
	struct spinlock lock;                  /* RANK_BLOCK, interrupts off */
	struct chain_list pending[NR_PENDING]; /* lock */
	u64 *free_tags;                        /* bitmap; lock */
	u32 nr_free;                           /* lock */
	u32 starved;                           /* sync chains served while async ones wait; lock */
	bool dispatching;                      /* somebody is in dispatch(); lock */
	bool again;                            /* ... and shall look once more; lock */
	bool busy;                             /* the driver had no room; lock */
	struct request **requests;             /* by tag; immutable */
	struct disk_impl *disk;
	u32 index;
	struct work retry; /* after -EBUSY with nothing under way */
} __aligned(64);

struct disk_impl {
	struct refcount refs; /* one for being added, one for each bdev */
	struct disk *disk;
	struct mutex scan_lock; /* RANK_DISK: parts come and go */
	struct mutex lock;      /* RANK_DISK_OPEN: openers and holders of all parts */
	struct block_device *parts[DISK_MAX_PARTS]; /* both locks to change; [0]: the whole */
	struct writeback *wb;
	u64 seq;       /* unique number of this disk; immutable */
	bool gone;     /* atomic */
	u32 in_flight; /* requests; atomic */
	struct wait_queue drained;
	struct timer timer; /* next look at deadlines */
	struct work expire;
	/* flush.c; flush_lock (RANK_BLOCK, interrupts off) */
	struct spinlock flush_lock;
	struct chain_list flush_waiting, flush_running;
	bool flush_busy;
	struct bio *flush_bio;
	struct work release; /* last reference gone */
	u32 nr_queues;
	struct hw_queue queues[];
};

static inline struct disk_impl *disk_impl(const struct disk *d)
{
	return d->impl;
}
static inline u64 bio_disk_sector(const struct bio *b)
{
	return b->flags & BIO_REMAPPED ? b->sector : b->bdev->start + b->sector;
}
static inline void chain_push(struct chain_list *l, struct bio *head)
{
	head->chain.next_chain = NULL;
	if (l->first)
		l->last->chain.next_chain = head;
	else
		l->first = head;
	l->last = head;
	l->count++;
}
static inline struct bio *chain_pop(struct chain_list *l)
{
	struct bio *b = l->first;

	if (b) {
		l->first = b->chain.next_chain;
		l->count--;
	}
	return b;
}

/* bio.c */
void bio_end(struct bio *b, int status); /* the bio's own step has ended */
/* Can tail's chain be continued by the chain at head? */
bool chain_can_merge(const struct bio *head, const struct bio *more);
void chain_merge(struct bio *head, struct bio *more);
void chain_start(struct bio *b); /* a chain of one */

/* queue.c */
int queues_create(struct disk_impl *i) must_check;
void queues_destroy(struct disk_impl *i);
void queue_submit_chains(struct disk_impl *i, struct chain_list *l); /* any context */
void disk_timer(struct timer *t);
void disk_expire(struct work *w);
void queues_drain(struct disk_impl *i); /* gone is set: fail what waits, wait for the rest */

/* flush.c */
int flush_create(struct disk_impl *i) must_check;
void flush_destroy(struct disk_impl *i);
/* b needs a flush before or after it. Any context. */
void flush_submit(struct bio *b);
void flush_step_done(struct bio *b); /* data of a bio with a flush to follow is written */

/* stats.c */
enum { STAT_READ, STAT_WRITE, STAT_DISCARD, STAT_FLUSH, NR_STATS };
struct bdev_figures {
	u64 ios[NR_STATS], merges[NR_STATS], sectors[NR_STATS], ns[NR_STATS];
	s64 in_flight[2]; /* reads, writes: started less ended */
};
struct bdev_stats {
	u64 busy_stamp_ms; /* last time at which the device was seen busy; atomic */
	u64 busy_ms;       /* atomic */
	s64 in_flight;     /* atomic */
	struct bdev_figures *cpus;
};
struct bdev_stats *stats_create(void) must_check;
void stats_destroy(struct bdev_stats *s);
void stats_start(struct bio *b);
void stats_merge(struct bio *b);
void stats_end(struct bio *b);
void stats_sum(const struct block_device *b, struct bdev_figures *f);
u64 stats_busy_ms(const struct block_device *b);

/* bdev.c */
struct block_device *bdev_create(struct disk_impl *i, u32 part, u64 start, u64 sectors,
	const char *name, kdev_t dev) must_check; /* not yet visible; NULL: no memory */
int bdev_publish(struct block_device *b) must_check;
void bdev_unpublish(struct block_device *b); /* takes the registry's reference away */
void bdevs_for_each(void (*fn)(struct block_device *b, void *arg), void *arg); /* sleeps allowed */
void put_disk_impl(struct disk_impl *i);

/* cache.c */
extern const struct vm_object_ops g_bdev_object_ops;
void bdev_object_init(struct block_device *b);
void bdev_drop_pages(struct block_device *b); /* clean ones */

/* file.c, ioctl.c */
struct block_device *bdev_of_file(struct file *f);
long blk_ioctl(struct file *f, u32 cmd, unsigned long arg);
/* Bytes [start, start + len), whole blocks: zeroed or discarded, and out of the cache. */
int bdev_clear_range(struct block_device *b, u64 start, u64 len, bool discard) must_check;

/* BLKRRPART: the table anew; -EBUSY: a partition is in use. scan_lock held */
int disk_rescan(struct disk_impl *i) must_check;
/* partition.c: make the parts what the table says; scan_lock held */
int disk_scan(struct disk_impl *i) must_check;
/* disk.c; scan_lock held */
int part_add(struct disk_impl *i, u32 n, u64 start, u64 sectors, const char *uuid) must_check;
/* -ENXIO: none such; -EBUSY: in use and not forced. */
int part_remove(struct disk_impl *i, u32 n, bool force) must_check;

#endif
