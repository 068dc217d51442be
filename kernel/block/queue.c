/*
 * Requests: bios merged, handed to the driver queue by queue, and ended.
 *
 * A hardware queue has one list of requests for the driver. Who finds nobody at it hands them over,
 * outside the lock, until none is left or the driver has no room; a completion then goes on. So the
 * order within a queue is kept and a driver's queue operation is never entered twice at a time.
 *
 * A write that demands a flush before it, or durability that the disk cannot give with it, goes
 * through stages in one request: PREFLUSH, DATA, POSTFLUSH.
 */
#include "internal.h"

/* The core's part in front of each request. */
struct core_request {
	u32 stage, stages_left;
	u64 start_ns;
	enum bio_op op; /* of the data stage */
	struct request rq;
};

static struct core_request *core_of(struct request *rq)
{
	return container_of(rq, struct core_request, rq);
}

static struct hw_queue *hw_of(struct request *rq)
{
	return &state_of(rq->disk)->queues[rq->queue];
}

int queues_create(struct disk_state *s)
{
	struct disk *d = s->disk;

	s->queues = kcalloc(d->nr_queues, sizeof(*s->queues), GFP_KERNEL);
	if (!s->queues)
		return -ENOMEM;
	for (u32 i = 0; i < d->nr_queues; i++) {
		struct hw_queue *q = &s->queues[i];

		spin_init(&q->lock, RANK_BLOCK);
		list_init(&q->pending);
		list_init(&q->free);
		wait_queue_init(&q->wait);
		q->by_tag = kcalloc(d->depth, sizeof(*q->by_tag), GFP_KERNEL);
		for (u32 t = 0; q->by_tag && t < d->depth; t++) {
			struct core_request *c = kzalloc(sizeof(*c) + d->request_size, GFP_KERNEL);

			if (!c)
				return -ENOMEM;
			c->rq.disk = d;
			c->rq.queue = i;
			c->rq.tag = t;
			c->rq.driver = c + 1;
			q->by_tag[t] = &c->rq;
			list_add_tail(&c->rq.link, &q->free);
		}
		if (!q->by_tag)
			return -ENOMEM;
	}
	return 0;
}

void queues_destroy(struct disk_state *s)
{
	for (u32 i = 0; s->queues && i < s->disk->nr_queues; i++) {
		struct hw_queue *q = &s->queues[i];

		for (u32 t = 0; q->by_tag && t < s->disk->depth; t++)
			if (q->by_tag[t])
				kfree(core_of(q->by_tag[t]));
		kfree(q->by_tag);
	}
	kfree(s->queues);
}

void queues_drain(struct disk_state *s)
{
	for (u32 i = 0; i < s->disk->nr_queues; i++)
		wait_event(&s->queues[i].wait, !READ_ONCE(s->queues[i].in_flight));
}

struct request *disk_request(struct disk *d, u32 queue, u32 tag)
{
	return queue < d->nr_queues && tag < d->depth ? state_of(d)->queues[queue].by_tag[tag]
						      : NULL;
}

/* ---- handing over ------------------------------------------------------------------------------ */

/* q->lock held with interrupts off (flags); returns the same way. */
static void run_queue(struct disk *d, struct hw_queue *q, unsigned long *flags)
{
	if (q->running) {
		q->again = true;
		return;
	}
	q->running = true;
	do {
		q->again = false;
		while (!list_empty(&q->pending)) {
			struct request *rq = list_first_entry(&q->pending, struct request, link);
			bool last;
			int err;

			list_del(&rq->link);
			last = list_empty(&q->pending);
			spin_unlock_irqrestore(&q->lock, *flags);
			err = d->ops->queue(d, rq, last);
			if (err && err != -EBUSY)
				request_done(rq, err);
			*flags = spin_lock_irqsave(&q->lock);
			if (err == -EBUSY) {
				list_add(&rq->link, &q->pending);
				if (!q->again) {
					q->running = false;
					return; /* a completion, or blk_queue_run, goes on */
				}
				q->again = false;
			}
		}
	} while (q->again);
	q->running = false;
}

void blk_queue_run(struct disk *d, u32 queue)
{
	struct hw_queue *q = &state_of(d)->queues[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);

	run_queue(d, q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void enqueue(struct request *rq)
{
	struct hw_queue *q = hw_of(rq);
	unsigned long flags = spin_lock_irqsave(&q->lock);

	list_add_tail(&rq->link, &q->pending);
	run_queue(rq->disk, q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* ---- taking a request, merging
 * -------------------------------------------------------------------- */

static struct request *try_take(struct hw_queue *q)
{
	unsigned long flags = spin_lock_irqsave(&q->lock);
	struct request *rq = NULL;

	if (!list_empty(&q->free)) {
		rq = list_first_entry(&q->free, struct request, link);
		list_del(&rq->link);
		q->in_flight++;
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return rq;
}

static struct request *take(struct disk *d)
{
	struct hw_queue *q = &state_of(d)->queues[(u32)cpu_id() % d->nr_queues];
	struct request *rq = try_take(q);

	if (!rq)
		wait_event(&q->wait, (rq = try_take(q)) != NULL);
	return rq;
}

static u64 absolute(const struct bio *b)
{
	return b->op == BIO_FLUSH ? 0 : b->bdev->start + b->sector;
}

static bool can_merge(const struct request *rq, const struct bio *b)
{
	const struct disk_limits *l = &rq->disk->limits;

	return b->bdev->disk == rq->disk && b->op == rq->op &&
		(b->op == BIO_READ || b->op == BIO_WRITE) &&
		!((b->flags | rq->flags) & (BIO_PREFLUSH | BIO_FUA | BIO_NOMERGE)) &&
		absolute(b) == rq->sector + rq->nr_sectors &&
		rq->nr_segs + b->nr_vecs <= l->max_segs &&
		rq->nr_sectors + b->nr_sectors <= l->max_sectors;
}

static void start(struct request *rq)
{
	struct core_request *c = core_of(rq);

	rq->deadline_ns = (u64)clock_mono_ns() +
		(rq->disk->request_timeout_ns ? rq->disk->request_timeout_ns : 30 * NS_PER_SEC);
	c->stage = STAGE_PLAIN;
	if (rq->flags & BIO_PREFLUSH)
		c->stage = STAGE_PREFLUSH;
	else if ((rq->flags & BIO_FUA) && !rq->disk->limits.fua)
		c->stage = STAGE_DATA;
	if (c->stage == STAGE_PREFLUSH)
		rq->op = BIO_FLUSH;
	enqueue(rq);
}

static void fill_request(struct request *rq, struct bio *b)
{
	struct core_request *c = core_of(rq);

	c->op = rq->op = b->op;
	c->start_ns = b->start_ns;
	rq->flags = b->flags;
	rq->sector = absolute(b);
	rq->nr_sectors = b->nr_sectors;
	rq->first = rq->last = b;
	rq->nr_segs = b->nr_vecs;
}

void queue_bios(struct bio *b)
{
	struct request *rq = NULL;
	u64 merged[2] = {};

	while (b) {
		struct bio *next = b->next;

		b->next = NULL;
		if (rq && can_merge(rq, b)) {
			rq->last->next = b;
			rq->last = b;
			rq->nr_segs += b->nr_vecs;
			rq->nr_sectors += b->nr_sectors;
			rq->flags |= b->flags;
			merged[b->op == BIO_WRITE]++;
		} else {
			if (rq)
				start(rq);
			rq = take(b->bdev->disk);
			fill_request(rq, b);
		}
		b = next;
	}
	if (rq) {
		struct hw_queue *q = hw_of(rq);

		__atomic_fetch_add(&q->stats.merges[0], merged[0], __ATOMIC_RELAXED);
		__atomic_fetch_add(&q->stats.merges[1], merged[1], __ATOMIC_RELAXED);
		start(rq);
	}
}

/* ---- ending
 * -------------------------------------------------------------------------------------- */

static void count_locked(struct hw_queue *q, const struct core_request *c)
{
	const struct request *rq = &c->rq;
	bool write = c->op == BIO_WRITE || c->op == BIO_WRITE_ZEROES;

	if (c->op == BIO_FLUSH) {
		q->stats.flushes++;
	} else if (c->op == BIO_DISCARD) {
		q->stats.discards++;
		q->stats.discard_sectors += rq->nr_sectors;
	} else {
		q->stats.ios[write]++;
		q->stats.sectors[write] += rq->nr_sectors;
		q->stats.ns[write] += (u64)clock_mono_ns() - c->start_ns;
	}
}

/* Is there a further stage? Then it is under way. */
static bool next_stage(struct request *rq)
{
	struct core_request *c = core_of(rq);
	bool post = (rq->flags & BIO_FUA) && !rq->disk->limits.fua;

	if (c->stage == STAGE_PREFLUSH && c->op != BIO_FLUSH) {
		c->stage = STAGE_DATA;
		rq->op = c->op;
	} else if (c->stage == STAGE_DATA && post) {
		c->stage = STAGE_POSTFLUSH;
		rq->op = BIO_FLUSH;
	} else {
		return false;
	}
	enqueue(rq);
	return true;
}

/* A broken disk fails thousands of requests: ten lines in five seconds tell enough. */
static void log_failure(const struct request *rq, int status)
{
	static s64 window_ns;
	static u32 lines; /* both: a lost update costs or saves a line */
	s64 now = clock_mono_ns();

	if (now - READ_ONCE(window_ns) > 5 * NS_PER_SEC) {
		WRITE_ONCE(window_ns, now);
		WRITE_ONCE(lines, 0);
	}
	if (__atomic_fetch_add(&lines, 1, __ATOMIC_RELAXED) < 10)
		log_err("%s: %s error %d, sector %llu, %llu sectors", rq->disk->name,
			rq->op == BIO_READ ? "read" : "write", status,
			(unsigned long long)rq->sector, (unsigned long long)rq->nr_sectors);
}

void request_done(struct request *rq, int status)
{
	struct hw_queue *q = hw_of(rq);
	struct disk *d = rq->disk;
	struct bio *b = rq->first, *next;
	unsigned long flags;

	if (!status && next_stage(rq))
		return;
	if (status && status != -EOPNOTSUPP && status != -ENXIO)
		log_failure(rq, status);
	flags = spin_lock_irqsave(&q->lock);
	count_locked(q, core_of(rq));
	spin_unlock_irqrestore(&q->lock, flags);
	for (; b; b = next) {
		next = b->next;
		b->next = NULL;
		bio_end(b, status);
	}
	flags = spin_lock_irqsave(&q->lock);
	rq->first = rq->last = NULL;
	list_add(&rq->link, &q->free);
	q->in_flight--;
	run_queue(d, q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
	wake_up_all(&q->wait);
}
