/* The simulated disk: requests. See <block/simdisk.h>. */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include "simdisk.h"

static u32 g_next;

u64 sim_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void *log_alloc(struct simdisk *s, size_t n)
{
	return s->config.alloc ? s->config.alloc(n) : kmalloc(n, GFP_ATOMIC);
}

static void log_free(struct simdisk *s, void *p)
{
	if (s->config.free)
		s->config.free(p);
	else if (!s->config.alloc)
		kfree(p);
}

struct simdisk_entry *sim_entry(const struct simdisk *s, u32 n)
{
	return &s->log[n / LOG_CHUNK][n % LOG_CHUNK];
}

/* NULL: not logging, or no memory: then the log is worthless. */
static struct simdisk_entry *log_add(struct simdisk *s, u32 kind)
{
	struct simdisk_entry *e;
	u32 chunk = s->nr_log / LOG_CHUNK;

	if (!s->logging)
		return NULL;
	if (chunk < LOG_CHUNKS && !s->log[chunk])
		s->log[chunk] = log_alloc(s, LOG_CHUNK * sizeof(*e));
	if (chunk >= LOG_CHUNKS || !s->log[chunk])
		panic("simdisk: the log is full");
	e = sim_entry(s, s->nr_log++);
	*e = (struct simdisk_entry){.kind = kind};
	return e;
}

static void log_write(struct simdisk *s, const struct request *rq)
{
	struct simdisk_entry *e = log_add(s, SIM_WRITE);

	if (!e)
		return;
	e->sector = rq->sector;
	e->nr_sectors = rq->nr_sectors;
	e->durable = s->config.no_cache || (rq->flags & BIO_FUA);
	if (rq->op != BIO_WRITE)
		return;
	e->data = log_alloc(s, rq->nr_sectors << SECTOR_SHIFT);
	if (!e->data)
		panic("simdisk: no memory for the log");
	memcpy(e->data, s->memory + (rq->sector << SECTOR_SHIFT), rq->nr_sectors << SECTOR_SHIFT);
}

/* Does this request fail? */
static int fault_of(struct simdisk *s, const struct request *rq)
{
	const struct simdisk_fault *f = &s->fault;
	u64 n;

	if (!f->nth || !(f->ops >> rq->op & 1))
		return 0;
	if (f->nr_sectors &&
		(rq->sector >= f->first_sector + f->nr_sectors ||
			rq->sector + rq->nr_sectors <= f->first_sector))
		return 0;
	n = ++s->counted;
	if (n == f->nth || (f->period && n > f->nth && (n - f->nth) % f->period == 0))
		return f->status ? f->status : -EIO;
	return 0;
}

static int perform(struct simdisk *s, const struct request *rq, u32 covers)
{
	u8 *at = s->memory + (rq->sector << SECTOR_SHIFT);
	int err = fault_of(s, rq);
	struct simdisk_entry *e;
	u64 bytes = 0;

	if (err)
		return err;
	switch (rq->op) {
	case BIO_READ:
	case BIO_WRITE:
		request_for_each_vec(rq, b, v)
		{
			u8 *p = (u8 *)page_address(v->page) + v->offset;

			if (rq->op == BIO_READ)
				memcpy(p, at + bytes, v->len);
			else
				memcpy(at + bytes, p, v->len);
			bytes += v->len;
		}
		if (bytes != rq->nr_sectors << SECTOR_SHIFT)
			panic("simdisk: request of %llu sectors with %llu bytes",
				(unsigned long long)rq->nr_sectors, (unsigned long long)bytes);
		if (rq->op == BIO_WRITE)
			log_write(s, rq);
		return 0;
	case BIO_FLUSH:
		e = log_add(s, SIM_FLUSH);
		if (e)
			e->covers = covers;
		return 0;
	case BIO_DISCARD:
	case BIO_WRITE_ZEROES:
		memset(at, 0, rq->nr_sectors << SECTOR_SHIFT);
		log_write(s, rq);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

/* Its time limit ends one that hangs. */
static void end(struct simdisk *s, struct request *rq, u32 covers)
{
	int err = perform(s, rq, covers);

	if (err != -ETIMEDOUT)
		request_done(rq, err);
}

static void sim_timeout(struct disk *d, struct request *rq)
{
	request_done(rq, -ETIMEDOUT);
}

static void work(struct work *w)
{
	struct simdisk *s = container_of(w, struct simdisk, work);

	while (s->nr_waiting) {
		u32 n = (u32)(sim_random(&s->random) % s->nr_waiting);
		struct request *rq = s->waiting[n];
		u32 covers = s->flush_covers[n];

		s->nr_waiting--;
		s->waiting[n] = s->waiting[s->nr_waiting];
		s->flush_covers[n] = s->flush_covers[s->nr_waiting];
		end(s, rq, covers);
	}
}

static int sim_queue(struct disk *d, struct request *rq, bool last)
{
	struct simdisk *s = d->driver;

	if (rq->sector + rq->nr_sectors > d->sectors)
		return -EIO;
	if (!s->config.async) {
		end(s, rq, s->nr_log);
		return 0;
	}
	s->waiting[s->nr_waiting] = rq;
	s->flush_covers[s->nr_waiting++] = s->nr_log;
	work_queue(&s->work);
	return 0;
}

static void sim_release(struct disk *d)
{
	struct simdisk *s = d->driver;

	complete(&s->released);
}

static const struct disk_ops g_sim_ops = {
	.queue = sim_queue, .timeout = sim_timeout, .release = sim_release};

static void destroy_memory(struct simdisk *s)
{
	simdisk_log_stop(s);
	if (s->own_memory)
		vfree(s->memory);
	kfree(s->waiting);
	kfree(s->flush_covers);
	kfree(s);
}

struct simdisk *simdisk_create(const struct simdisk_config *c)
{
	struct simdisk *s = kzalloc(sizeof(*s), GFP_KERNEL);
	struct disk *d;

	if (!s)
		return NULL;
	s->config = *c;
	s->random = c->seed;
	work_init(&s->work, work);
	completion_init(&s->released);
	d = &s->disk;
	d->ops = &g_sim_ops;
	d->driver = s;
	d->sectors = c->bytes >> SECTOR_SHIFT;
	d->nr_queues = c->nr_queues ? c->nr_queues : 1;
	d->depth = c->depth ? c->depth : 32;
	d->read_only = c->read_only;
	d->no_partitions = !c->partitions;
	d->limits.logical_block = c->logical_block;
	d->limits.write_cache = !c->no_cache;
	d->limits.fua = c->fua;
	if (c->discard) {
		d->limits.max_discard_sectors = d->limits.max_zeroes_sectors = 1 << 16;
		d->limits.discard_granularity = SECTOR_SIZE;
	}
	if (c->name)
		(void)!str_copy(d->name, c->name, sizeof(d->name));
	else
		ksnprintf(d->name, sizeof(d->name), "sim%u", g_next++);
	s->memory = c->memory;
	if (!s->memory) {
		s->memory = vmalloc(c->bytes, GFP_KERNEL);
		s->own_memory = s->memory != NULL;
		if (s->memory)
			memset(s->memory, 0, c->bytes);
	}
	s->waiting = kcalloc(d->nr_queues * d->depth, sizeof(*s->waiting), GFP_KERNEL);
	s->flush_covers = kcalloc(d->nr_queues * d->depth, sizeof(u32), GFP_KERNEL);
	if (!s->memory || !s->waiting || !s->flush_covers || disk_add(d)) {
		destroy_memory(s);
		return NULL;
	}
	return s;
}

void simdisk_destroy(struct simdisk *s)
{
	disk_remove(&s->disk);
	wait_for_completion(&s->released);
	work_cancel_sync(&s->work);
	destroy_memory(s);
}

struct block_device *simdisk_bdev(struct simdisk *s)
{
	struct block_device *b = bdev_find(s->disk.first_dev);

	put_bdev(b); /* the registry has one until simdisk_destroy */
	return b;
}

struct disk *simdisk_disk(struct simdisk *s)
{
	return &s->disk;
}

void *simdisk_memory(struct simdisk *s)
{
	return s->memory;
}

void simdisk_set_fault(struct simdisk *s, const struct simdisk_fault *f)
{
	s->fault = *f;
	s->counted = 0;
}

u64 simdisk_requests(const struct simdisk *s)
{
	return s->counted;
}

int simdisk_log_start(struct simdisk *s)
{
	simdisk_log_stop(s);
	s->base = s->config.alloc ? s->config.alloc(s->config.bytes)
				  : vmalloc(s->config.bytes, GFP_KERNEL);
	if (!s->base)
		return -ENOMEM;
	memcpy(s->base, s->memory, s->config.bytes);
	s->logging = true;
	return 0;
}

void simdisk_log_stop(struct simdisk *s)
{
	for (u32 n = 0; n < s->nr_log; n++)
		if (sim_entry(s, n)->data)
			log_free(s, sim_entry(s, n)->data);
	for (u32 n = 0; n < LOG_CHUNKS && s->log[n]; n++) {
		log_free(s, s->log[n]);
		s->log[n] = NULL;
	}
	if (s->base && s->config.alloc)
		log_free(s, s->base);
	else if (s->base)
		vfree(s->base);
	s->base = NULL;
	s->nr_log = 0;
	s->logging = false;
}

u32 simdisk_log_count(const struct simdisk *s)
{
	return s->nr_log;
}

void simdisk_mark(struct simdisk *s, u64 id)
{
	struct simdisk_entry *e = log_add(s, SIM_MARK);

	if (e)
		e->id = id;
}

const struct simdisk_entry *simdisk_log_entry(const struct simdisk *s, u32 n)
{
	return n < s->nr_log ? sim_entry(s, n) : NULL;
}
