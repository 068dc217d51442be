/*
 * Hardware queues: chains of bios wait here for a tag, become requests, and are handed to the
 * driver. Each CPU has a queue of its own if the device has enough of them.
 *
 * Reads and what somebody waits for are served first; after ASYNC_TURN of them one chain of the
 * others has its turn. One thread at a time hands requests of a queue to the driver, without the
 * queue's lock; others leave theirs on the pending list and go on.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/bitmap.h>
#include <lib/string.h>
#include "blk.h"

#define ASYNC_TURN      8u
#define DEFAULT_TIMEOUT (30 * NS_PER_SEC)

static struct hw_queue *my_queue(struct disk_impl *i)
{
	return &i->queues[(u32)cpu_id() % i->nr_queues];
}

static struct chain_list *pending_of(struct hw_queue *q, const struct bio *b)
{
	bool sync = b->op == BIO_READ || b->op == BIO_FLUSH || (b->flags & (BIO_SYNC | BIO_META));

	return &q->pending[sync ? PENDING_SYNC : PENDING_ASYNC];
}

/* Which list is next; NULL: none. */
static struct chain_list *next_list(struct hw_queue *q)
{
	struct chain_list *sync = &q->pending[PENDING_SYNC], *async = &q->pending[PENDING_ASYNC];

	if (!sync->first)
		return async->first ? async : NULL;
	if (async->first && ++q->starved > ASYNC_TURN) {
		q->starved = 0;
		return async;
	}
	return sync;
}

/* A request for the next pending chain; NULL: nothing to do, or no tag. Lock held. */
static struct request *next_request(struct hw_queue *q)
{
	struct chain_list *l;
	struct request *rq;
	struct bio *b;
	u32 tag;

	spin_assert_held(&q->lock);
	if (q->busy || !q->nr_free)
		return NULL;
	l = next_list(q);
	if (!l)
		return NULL;
	b = chain_pop(l);
	while (l->first && chain_can_merge(b, l->first))
		chain_merge(b, chain_pop(l));
	tag = (u32)bitmap_next_set(q->free_tags, q->disk->disk->depth, 0);
	bitmap_clear(q->free_tags, tag);
	q->nr_free--;
	rq = q->requests[tag];
	rq->op = b->op;
	rq->flags = b->flags & ~(BIO_RESERVED | BIO_REMAPPED | BIO_PREFLUSH);
	rq->sector = bio_disk_sector(b);
	rq->nr_sectors = b->chain.sectors;
	rq->first = b;
	rq->last = b->chain.last;
	rq->nr_segs = b->chain.segs;
	return rq;
}

/* The request's tag is free again; its bios are the caller's. Lock held. */
static void release_tag(struct hw_queue *q, struct request *rq)
{
	rq->first = rq->last = NULL;
	bitmap_set(q->free_tags, rq->tag);
	q->nr_free++;
}

static void end_bios(struct bio *b, int status)
{
	while (b) {
		struct bio *next = b->next;

		bio_end(b, status);
		b = next;
	}
}

static void arm_timer(struct disk_impl *i)
{
	/* A look each half time limit is enough: it is no exact measure. */
	if (i->disk->ops->timeout && !timer_pending(&i->timer))
		timer_arm(&i->timer, deadline_after((s64)i->disk->request_timeout_ns / 2));
}

static void start_request(struct hw_queue *q, struct request *rq, bool last, unsigned long *flags)
{
	struct disk_impl *i = q->disk;
	struct bio *bios = rq->first;
	int err;

	rq->deadline_ns = (u64)clock_mono_ns() + i->disk->request_timeout_ns;
	__atomic_fetch_add(&i->in_flight, 1, __ATOMIC_RELAXED);
	store_release(&rq->state, RQ_STARTED);
	spin_unlock_irqrestore(&q->lock, *flags);
	err = READ_ONCE(i->gone) ? -ENXIO : i->disk->ops->queue(i->disk, rq, last);
	if (!err) {
		arm_timer(i);
	} else if (err != -EBUSY) {
		request_done(rq, err);
	}
	*flags = spin_lock_irqsave(&q->lock);
	if (err != -EBUSY)
		return;
	/* Not taken: it waits at the head of its list. */
	rq->state = RQ_FREE;
	release_tag(q, rq);
	bios->chain.next_chain = pending_of(q, bios)->first;
	if (!bios->chain.next_chain)
		pending_of(q, bios)->last = bios;
	pending_of(q, bios)->first = bios;
	pending_of(q, bios)->count++;
	__atomic_fetch_sub(&i->in_flight, 1, __ATOMIC_RELAXED);
	/* A completion that came meanwhile has asked to look again: there may be room. */
	if (q->again)
		return;
	q->busy = true;
	if (q->nr_free == i->disk->depth)
		work_queue(&q->retry);
}

/* Hand pending requests to the driver. Lock held; is given up in between. */
static void dispatch(struct hw_queue *q, unsigned long *flags)
{
	struct request *rq;

	if (q->dispatching) {
		q->again = true;
		return;
	}
	q->dispatching = true;
	do {
		q->again = false;
		while ((rq = next_request(q))) {
			bool more = q->nr_free &&
				(q->pending[PENDING_SYNC].first || q->pending[PENDING_ASYNC].first);

			start_request(q, rq, !more, flags);
		}
	} while (q->again);
	q->dispatching = false;
}

void queue_submit_chains(struct disk_impl *i, struct chain_list *list)
{
	struct hw_queue *q = my_queue(i);
	unsigned long flags = spin_lock_irqsave(&q->lock);
	struct bio *b;

	while ((b = chain_pop(list))) {
		struct chain_list *l = pending_of(q, b);

		if (l->first && chain_can_merge(l->last, b))
			chain_merge(l->last, b);
		else
			chain_push(l, b);
	}
	dispatch(q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
}

void blk_queue_run(struct disk *d, u32 queue)
{
	struct hw_queue *q = &disk_impl(d)->queues[queue];
	unsigned long flags = spin_lock_irqsave(&q->lock);

	q->busy = false;
	dispatch(q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
}

static void retry(struct work *w)
{
	struct hw_queue *q = container_of(w, struct hw_queue, retry);

	sleep_ns(1000000);
	blk_queue_run(q->disk->disk, q->index);
}

struct request *disk_request(struct disk *d, u32 queue, u32 tag)
{
	struct disk_impl *i = disk_impl(d);
	struct request *rq;

	if (queue >= i->nr_queues || tag >= d->depth)
		return NULL;
	rq = i->queues[queue].requests[tag];
	return load_acquire(&rq->state) == RQ_FREE ? NULL : rq;
}

static void finish(struct hw_queue *q, struct request *rq, struct bio *bios, int status)
{
	struct disk_impl *i = q->disk;
	unsigned long flags;

	flags = spin_lock_irqsave(&q->lock);
	release_tag(q, rq);
	store_release(&rq->state, RQ_FREE);
	q->busy = false;
	spin_unlock_irqrestore(&q->lock, flags);
	end_bios(bios, status);
	/* The next requests start after the bios have ended: their owners may have more to add. */
	flags = spin_lock_irqsave(&q->lock);
	if (q->pending[PENDING_SYNC].first || q->pending[PENDING_ASYNC].first || q->dispatching)
		dispatch(q, &flags);
	spin_unlock_irqrestore(&q->lock, flags);
	if (__atomic_sub_fetch(&i->in_flight, 1, __ATOMIC_SEQ_CST) == 0 && READ_ONCE(i->gone))
		wake_up_all(&i->drained);
}

/* At most LOG_BURST lines in a second. */
#define LOG_BURST 10u

static void report_error(const struct request *rq, int status)
{
	static s64 second;
	static u32 lines; /* both: a race costs a line */
	s64 now = clock_mono_ns() / NS_PER_SEC;

	if (READ_ONCE(second) != now) {
		WRITE_ONCE(second, now);
		WRITE_ONCE(lines, 0);
	}
	if (lines >= LOG_BURST || READ_ONCE(disk_impl(rq->disk)->gone))
		return;
	WRITE_ONCE(lines, lines + 1);
	log_err("%s: error %s, operation %d, sector %llu, %llu sectors", rq->disk->name,
		errno_name(status), rq->op, (unsigned long long)rq->sector,
		(unsigned long long)rq->nr_sectors);
}

void request_done(struct request *rq, int status)
{
	struct hw_queue *q = &disk_impl(rq->disk)->queues[rq->queue];
	struct bio *bios = rq->first;
	u32 state = RQ_STARTED;

	if (unlikely(status && status != -EOPNOTSUPP))
		report_error(rq, status);
	/* With a time-out being handled the tag stays taken until the handler is through. */
	if (unlikely(!try_cmpxchg(&rq->state, &state, RQ_EXPIRED_DONE))) {
		rq->first = NULL; /* from then on the handler may give the request to others */
		store_release(&rq->state, RQ_EXPIRED_DONE);
		end_bios(bios, status);
		return;
	}
	finish(q, rq, bios, status);
}

/* ---- time limits --------------------------------------------------------------------------------
 */

void disk_timer(struct timer *t)
{
	struct disk_impl *i = container_of(t, struct disk_impl, timer);

	work_queue(&i->expire);
}

static void expire_one(struct hw_queue *q, struct request *rq)
{
	struct disk *d = q->disk->disk;
	u32 state = RQ_STARTED;

	if (!try_cmpxchg(&rq->state, &state, RQ_EXPIRED))
		return; /* it has just ended */
	log_err("%s: request %u of queue %u has not ended in %llu s", d->name, rq->tag, q->index,
		(unsigned long long)(d->request_timeout_ns / NS_PER_SEC));
	d->ops->timeout(d, rq);
	rq->deadline_ns = (u64)clock_mono_ns() + d->request_timeout_ns;
	state = RQ_EXPIRED;
	if (!try_cmpxchg(&rq->state, &state, RQ_STARTED))
		finish(q, rq, NULL, 0);
}

void disk_expire(struct work *w)
{
	struct disk_impl *i = container_of(w, struct disk_impl, expire);
	u64 now = (u64)clock_mono_ns();
	bool any = false;

	for (u32 n = 0; n < i->nr_queues; n++)
		for (u32 tag = 0; tag < i->disk->depth; tag++) {
			struct request *rq = i->queues[n].requests[tag];

			if (load_acquire(&rq->state) != RQ_STARTED)
				continue;
			any = true;
			if (rq->deadline_ns <= now)
				expire_one(&i->queues[n], rq);
		}
	if (any && !READ_ONCE(i->gone))
		arm_timer(i);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static int queue_create(struct disk_impl *i, struct hw_queue *q, u32 index)
{
	u32 depth = i->disk->depth;

	spin_init(&q->lock, RANK_BLOCK);
	work_init(&q->retry, retry);
	q->disk = i;
	q->index = index;
	q->free_tags = kcalloc(BITMAP_WORDS(depth), sizeof(u64), GFP_KERNEL);
	q->requests = kcalloc(depth, sizeof(*q->requests), GFP_KERNEL | GFP_ZERO);
	if (!q->free_tags || !q->requests)
		return -ENOMEM;
	for (u32 tag = 0; tag < depth; tag++) {
		struct request *rq = kzalloc(sizeof(*rq) + i->disk->request_size, GFP_KERNEL);

		if (!rq)
			return -ENOMEM;
		rq->disk = i->disk;
		rq->queue = index;
		rq->tag = tag;
		rq->driver = rq + 1;
		q->requests[tag] = rq;
	}
	memset(q->free_tags, 0, BITMAP_WORDS(depth) * sizeof(u64));
	bitmap_set_range(q->free_tags, 0, depth);
	q->nr_free = depth;
	return 0;
}

int queues_create(struct disk_impl *i)
{
	if (!i->disk->request_timeout_ns)
		i->disk->request_timeout_ns = DEFAULT_TIMEOUT;
	for (u32 n = 0; n < i->nr_queues; n++) {
		int err = queue_create(i, &i->queues[n], n);

		if (err)
			return err;
	}
	return 0;
}

void queues_destroy(struct disk_impl *i)
{
	for (u32 n = 0; n < i->nr_queues; n++) {
		struct hw_queue *q = &i->queues[n];

		for (u32 tag = 0; q->requests && tag < i->disk->depth; tag++)
			kfree(q->requests[tag]);
		kfree(q->requests);
		kfree(q->free_tags);
	}
}

void queues_drain(struct disk_impl *i)
{
	for (u32 n = 0; n < i->nr_queues; n++)
		blk_queue_run(i->disk, n); /* what waits fails now: gone is set */
	wait_event(&i->drained, !READ_ONCE(i->in_flight));
	for (u32 n = 0; n < i->nr_queues; n++)
		work_cancel_sync(&i->queues[n].retry);
	rcu_synchronize(); /* who has ended the last request has left finish() */
	timer_cancel_sync(&i->timer);
	work_cancel_sync(&i->expire);
}
