/*
 * A simulated disk of the host build: memory, errors on demand, a volatile write cache, and the
 * image that a power cut would leave.
 *
 *	struct simdisk *s = simdisk_create(&(struct simdisk_config){.bytes = 8 << 20});
 *	simdisk_log_start(s);
 *	... mount, work, each promise kept noted with simdisk_mark(s, id) ...
 *	for (u32 point = 0; point <= simdisk_log_count(s); point++)
 *		simdisk_crash_image(s, point, &(struct simdisk_crash){.seed = n}, image);
 */
#ifndef BLOCK_SIMDISK_H
#define BLOCK_SIMDISK_H

#include <block/block.h>

struct simdisk_config {
	const char *name;  /* NULL: "sim0", "sim1", ... */
	u64 bytes;         /* a multiple of 512 */
	void *memory;      /* of bytes, the caller's; NULL: own, zeroed */
	u64 seed;          /* order of completion */
	u32 logical_block; /* 0: 512 */
	bool no_cache;     /* nothing is volatile */
	bool fua;          /* FUA is understood */
	bool discard;      /* and write-zeroes */
	bool async;        /* requests end later, from a worker, in random order */
	bool read_only, partitions;
	u32 nr_queues, depth; /* 0: 1, 32 */
	/* Memory for the log (large); NULL: kmalloc. */
	void *(*alloc)(size_t n);
	void (*free)(void *p);
};
struct simdisk;
struct simdisk *simdisk_create(const struct simdisk_config *c) must_check; /* NULL: no memory */
/* Nobody has it open. Sleeps. */
void simdisk_destroy(struct simdisk *s);
struct block_device *simdisk_bdev(struct simdisk *s); /* not referenced: lives with s */
struct disk *simdisk_disk(struct simdisk *s);
void *simdisk_memory(struct simdisk *s); /* what a read sees */

/* Errors: requests of the operations in ops (bits 1 << BIO_*) are counted from this call on; the
 * nth (from 1) fails with status, and every further one when period is 0 < n, each period later.
 * nth 0: no errors. With status -ETIMEDOUT the request never ends by itself. */
struct simdisk_fault {
	u32 ops;
	u64 nth, period;
	int status;                   /* 0: -EIO */
	u64 first_sector, nr_sectors; /* only requests that touch these; nr 0: all */
};
void simdisk_set_fault(struct simdisk *s, const struct simdisk_fault *f);
u64 simdisk_requests(const struct simdisk *s); /* counted by the fault so far */

/* The log: every write, flush and mark from the call on. */
int simdisk_log_start(struct simdisk *s) must_check; /* -ENOMEM */
void simdisk_log_stop(struct simdisk *s);
u32 simdisk_log_count(const struct simdisk *s);
void simdisk_mark(struct simdisk *s, u64 id); /* an entry of its own */
struct simdisk_entry {
	enum { SIM_WRITE, SIM_FLUSH, SIM_MARK } kind;
	u64 sector, nr_sectors;
	u64 id;       /* SIM_MARK */
	u32 covers;   /* SIM_FLUSH: entries before this one are durable */
	bool durable; /* SIM_WRITE with FUA */
	u8 *data;     /* NULL: zeroes */
};
const struct simdisk_entry *simdisk_log_entry(const struct simdisk *s, u32 n);

enum simdisk_loss {
	SIM_LOSE_SOME, /* each sector of a write not yet durable is there or not, by chance */
	SIM_LOSE_ALL,  /* nothing of what isn't durable */
	SIM_LOSE_NONE, /* the cache was written just in time */
	SIM_LOSE_WHOLE /* each write wholly there or not, by chance */
};
struct simdisk_crash {
	enum simdisk_loss loss;
	u64 seed;
};
/* The disk after a power cut when the first `point` entries of the log had ended, into out. */
void simdisk_crash_image(
	const struct simdisk *s, u32 point, const struct simdisk_crash *c, void *out);

#endif
