/* A disk in memory that logs writes and flushes, and fails on request. */
#include "crash.h"
#include <arch/host.h>
#include <lib/string.h>

static void log_add(struct crash_disk *d, struct log_entry e)
{
	if (d->nr_log == d->max_log) {
		struct log_entry *bigger = os_alloc(sizeof(*bigger) * (d->max_log * 2 + 64));

		if (d->nr_log)
			memcpy(bigger, d->log, sizeof(*bigger) * d->nr_log);
		os_free(d->log);
		d->log = bigger;
		d->max_log = d->max_log * 2 + 64;
	}
	d->log[d->nr_log++] = e;
}

static void transfer(struct crash_disk *d, struct request *rq)
{
	const u64 from = rq->sector << SECTOR_SHIFT, len = rq->nr_sectors << SECTOR_SHIFT;
	u64 at = from;
	u8 *copy;

	request_for_each_vec(rq, b, v)
	{
		u8 *mem = (u8 *)page_address(v->page) + v->offset;

		if (rq->op == BIO_READ)
			memcpy(mem, d->media->bytes + at, v->len);
		else
			media_write(d->media, at >> SECTOR_SHIFT, mem, v->len >> SECTOR_SHIFT);
		at += v->len;
	}
	if (rq->op == BIO_READ || !d->logging)
		return;
	copy = os_alloc(len);
	memcpy(copy, d->media->bytes + from, len);
	log_add(d,
		(struct log_entry){.kind = LOG_WRITE,
			.fua = rq->flags & BIO_FUA,
			.sector = rq->sector,
			.sectors = (u32)rq->nr_sectors,
			.data = copy});
}

static int disk_queue(struct disk *disk, struct request *rq, bool last)
{
	struct crash_disk *d = disk->driver;
	u64 n = ++d->requests;

	if (d->fail_from && n >= d->fail_from && n - d->fail_from < d->fail_count &&
		(d->fail_reads || rq->op != BIO_READ)) {
		d->failed = true;
		request_done(rq, -EIO);
		return 0;
	}
	switch (rq->op) {
	case BIO_READ:
	case BIO_WRITE:
		transfer(d, rq);
		break;
	case BIO_FLUSH:
		if (d->logging)
			log_add(d, (struct log_entry){.kind = LOG_FLUSH});
		break;
	default:
		request_done(rq, -EOPNOTSUPP);
		return 0;
	}
	request_done(rq, 0);
	return 0;
}

static void disk_release(struct disk *disk)
{
	struct crash_disk *d = disk->driver;

	complete(&d->released);
}

static const struct disk_ops g_ops = {.queue = disk_queue, .release = disk_release};

struct crash_disk *crash_disk_create(const char *name, struct media *media)
{
	struct crash_disk *d = os_alloc(sizeof(*d));

	d->media = media;
	completion_init(&d->released);
	(void)str_copy(d->disk.name, name, sizeof(d->disk.name));
	d->disk.ops = &g_ops;
	d->disk.driver = d;
	d->disk.sectors = media->size >> SECTOR_SHIFT;
	d->disk.nr_queues = 1;
	d->disk.depth = 32;
	d->disk.no_partitions = true;
	d->disk.limits = (struct disk_limits){.logical_block = 512,
		.physical_block = 512,
		.max_segs = 64,
		.max_sectors = 1024,
		.write_cache = true,
		.fua = true};
	if (disk_add(&d->disk)) {
		os_free(d);
		return NULL;
	}
	return d;
}

void crash_disk_log(struct crash_disk *d)
{
	d->logging = true;
}

bool crash_disk_failed(const struct crash_disk *d)
{
	return d->failed || (d->fail_memory && host_alloc_failed());
}

void crash_disk_destroy(struct crash_disk *d)
{
	disk_remove(&d->disk);
	wait_for_completion(&d->released);
	for (u32 i = 0; i < d->nr_log; i++)
		os_free(d->log[i].data);
	os_free(d->log);
	os_free(d);
}
