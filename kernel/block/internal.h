/* Shared inside kernel/block. */
#ifndef BLOCK_INTERNAL_H
#define BLOCK_INTERNAL_H

#include <block/block.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <vfs/file.h>
#include <vm/writeback.h>

/* One hardware queue of a disk. */
struct hw_queue {
	struct spinlock lock;     /* RANK_BLOCK, interrupts off: all below */
	struct list_head pending; /* requests for the driver, in order */
	struct list_head free;    /* requests not in use */
	struct request **by_tag;  /* immutable */
	u32 in_flight;            /* taken from free */
	bool running;             /* somebody hands requests to the driver */
	bool stopped;             /* the driver had no room */
	bool again;               /* a completion came while it was running */
	struct wait_queue wait;   /* for a free request */
	struct block_stats {
		u64 ios[2], merges[2], sectors[2], ns[2]; /* read, write */
		u64 discards, discard_sectors, flushes;
	} stats;
};

struct disk_state { /* disk->impl */
	struct disk *disk;
	struct block_device *whole;
	struct hw_queue *queues;
	bool gone; /* atomic */
	struct list_head link;
};

/* What the core keeps in a request besides the driver's view. */
enum { STAGE_PLAIN, STAGE_PREFLUSH, STAGE_DATA, STAGE_POSTFLUSH };

static inline struct disk_state *state_of(const struct disk *d)
{
	return d->impl;
}

int queues_create(struct disk_state *s) must_check;
void queues_destroy(struct disk_state *s);
/* All requests have ended. Sleeps. */
void queues_drain(struct disk_state *s);
/* Bios in order of submission, same thread; may sleep. */
void queue_bios(struct bio *first);
void bio_end(struct bio *b, int status);

/* bdev.c */
struct block_device *bdev_create(
	struct disk *d, u32 part, u64 start, u64 sectors, kdev_t dev, const char *name) must_check;
void bdev_destroy(struct block_device *b);
void bdev_cache_init(struct block_device *b, struct vm_object *o);

#endif
