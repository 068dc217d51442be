/* Bios: allocation with a reserve for writeback, submission, plugs, the end. */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include "blk.h"

#define RESERVE      64u /* bios that writeback can always count on */
#define RESERVE_VECS 32u
#define PLUG_MAX     64u /* chains in a plug before it is emptied */

static DEFINE_SPINLOCK(g_reserve_lock, RANK_BLOCK);
static struct bio *g_reserve; /* free ones, by next; g_reserve_lock, interrupts off */
static struct wait_queue g_reserve_wait = WAIT_QUEUE_INIT(g_reserve_wait);

static size_t bio_bytes(u32 vecs)
{
	return sizeof(struct bio) + vecs * sizeof(struct bio_vec);
}

static struct bio *reserve_take(void)
{
	unsigned long flags = spin_lock_irqsave(&g_reserve_lock);
	struct bio *b = g_reserve;

	if (b)
		g_reserve = b->next;
	spin_unlock_irqrestore(&g_reserve_lock, flags);
	return b;
}

struct bio *bio_alloc(
	struct block_device *b, u16 max_vecs, enum bio_op op, u64 sector, u32 flags, u32 gfp)
{
	bool sure = (gfp & GFP_NOFS) && max_vecs <= RESERVE_VECS;
	struct bio *bio;

	if (max_vecs > BIO_MAX_VECS)
		return NULL;
	bio = kmalloc(bio_bytes(max_vecs), sure ? gfp | GFP_NORETRY : gfp);
	if (!bio && sure) {
		wait_event(&g_reserve_wait, (bio = reserve_take()) != NULL);
		flags |= BIO_RESERVED;
	}
	if (!bio)
		return NULL;
	memset(bio, 0, sizeof(*bio));
	bio->bdev = b;
	bio->sector = sector;
	bio->op = op;
	bio->flags = flags;
	bio->max_vecs = max_vecs;
	return bio;
}

void bio_free(struct bio *b)
{
	unsigned long flags;

	if (!b)
		return;
	if (!(b->flags & BIO_RESERVED)) {
		kfree(b);
		return;
	}
	flags = spin_lock_irqsave(&g_reserve_lock);
	b->next = g_reserve;
	g_reserve = b;
	spin_unlock_irqrestore(&g_reserve_lock, flags);
	if (wait_queue_active(&g_reserve_wait))
		wake_up(&g_reserve_wait);
}

bool bio_add_page(struct bio *b, struct page *p, u32 offset, u32 len)
{
	const struct disk_limits *l = &b->bdev->disk->limits;
	const struct bio_vec *before = b->nr_vecs ? &b->vecs[b->nr_vecs - 1] : NULL;
	bool joins = before && !l->max_seg_bytes &&
		page_to_phys(before->page) + before->offset + before->len ==
			page_to_phys(p) + offset;

	if (b->nr_vecs >= b->max_vecs || (!joins && b->nr_segs >= l->max_segs))
		return false;
	if (l->max_seg_bytes && len > l->max_seg_bytes)
		return false;
	if (b->nr_sectors + (len >> SECTOR_SHIFT) > l->max_sectors && b->nr_vecs)
		return false;
	b->vecs[b->nr_vecs++] = (struct bio_vec){p, offset, len};
	b->nr_segs += !joins;
	b->nr_sectors += len >> SECTOR_SHIFT;
	return true;
}

/* ---- chains ----------------------------------------------------------------------------------- */

void chain_start(struct bio *b)
{
	b->next = NULL;
	b->chain.last = b;
	b->chain.next_chain = NULL;
	b->chain.sectors = b->nr_sectors;
	b->chain.segs = b->nr_segs;
}

bool chain_can_merge(const struct bio *head, const struct bio *more)
{
	const struct disk_limits *l = &head->bdev->disk->limits;

	return head->bdev == more->bdev && head->op == more->op &&
		(head->op == BIO_READ || head->op == BIO_WRITE) &&
		!((head->flags | more->flags) & (BIO_NOMERGE | BIO_FUA | BIO_PREFLUSH)) &&
		!((head->flags ^ more->flags) & BIO_REMAPPED) &&
		head->sector + head->chain.sectors == more->sector &&
		head->chain.sectors + more->chain.sectors <= l->max_sectors &&
		head->chain.segs + more->chain.segs <= l->max_segs;
}

void chain_merge(struct bio *head, struct bio *more)
{
	head->chain.last->next = more;
	head->chain.last = more->chain.last;
	head->chain.sectors += more->chain.sectors;
	head->chain.segs += more->chain.segs;
	head->flags |= more->flags & BIO_SYNC;
	stats_merge(more);
}

/* ---- plugs ------------------------------------------------------------------------------------- */

static void unplug(struct blk_plug *p)
{
	struct bio *b = p->first;

	/* Emptied first: a bio that ends at once may be followed by another in its end_io. */
	p->first = p->last = NULL;
	p->count = 0;
	while (b) {
		/* Runs of chains for one disk go together. */
		struct disk_impl *i = disk_impl(b->bdev->disk);
		struct chain_list l = {0};

		while (b && disk_impl(b->bdev->disk) == i) {
			struct bio *next = b->chain.next_chain;

			chain_push(&l, b);
			b = next;
		}
		queue_submit_chains(i, &l);
	}
}

static void unplug_thread(struct thread *t)
{
	struct blk_plug *p = t->plug;

	if (p->first)
		unplug(p);
}

void blk_plug_start(struct blk_plug *p)
{
	struct thread *t = current_thread();

	*p = (struct blk_plug){.nested = t->plug != NULL};
	if (!p->nested)
		t->plug = p;
}

void blk_plug_finish(struct blk_plug *p)
{
	if (p->nested)
		return;
	current_thread()->plug = NULL;
	unplug(p);
}

/* Into the plug: behind the chain that it continues, if that is among the last few. */
static void plug_add(struct blk_plug *p, struct bio *b)
{
	if (p->last && chain_can_merge(p->last, b)) {
		chain_merge(p->last, b);
		return;
	}
	if (p->count >= PLUG_MAX)
		unplug(p);
	b->chain.next_chain = NULL;
	if (p->first)
		p->last->chain.next_chain = b;
	else
		p->first = b;
	p->last = b;
	p->count++;
}

/* ---- submission and end -------------------------------------------------------------------------
 */

void bio_end(struct bio *b, int status)
{
	b->status = status;
	if (unlikely(b->stage != STAGE_LAST)) {
		flush_step_done(b);
		return;
	}
	if (b->start_ns)
		stats_end(b);
	b->end_io(b);
}

/* 0 or the error that the bio ends with. */
static int check(const struct bio *b)
{
	struct block_device *d = b->bdev;
	u64 size = READ_ONCE(d->sectors);
	const struct disk_limits *l = &d->disk->limits;

	if (READ_ONCE(d->gone))
		return -ENXIO;
	if (b->op != BIO_READ && b->op != BIO_FLUSH && bdev_read_only(d))
		return -EROFS;
	if (b->sector > size || b->nr_sectors > size - b->sector)
		return -EIO;
	if ((b->sector | b->nr_sectors) & ((l->logical_block >> SECTOR_SHIFT) - 1))
		return -EIO;
	if (b->op == BIO_DISCARD && (b->nr_sectors > l->max_discard_sectors || !b->nr_sectors))
		return -EOPNOTSUPP;
	if (b->op == BIO_WRITE_ZEROES && (b->nr_sectors > l->max_zeroes_sectors || !b->nr_sectors))
		return -EOPNOTSUPP;
	return 0;
}

void bio_submit(struct bio *b)
{
	struct disk_impl *i = disk_impl(b->bdev->disk);
	const struct disk_limits *l = &b->bdev->disk->limits;
	struct blk_plug *plug;
	struct chain_list list = {0};
	int err = check(b);

	b->status = 0;
	b->stage = STAGE_LAST;
	b->start_ns = 0;
	if (!l->write_cache) {
		b->flags &= ~(BIO_FUA | BIO_PREFLUSH);
		if (b->op == BIO_FLUSH && !err) {
			b->end_io(b);
			return;
		}
	}
	if (err || (!b->nr_sectors && b->op != BIO_FLUSH && !(b->flags & BIO_PREFLUSH))) {
		b->status = err;
		b->end_io(b);
		return;
	}
	stats_start(b);
	chain_start(b);
	if (b->op == BIO_READ && irqs_enabled())
		current_thread()->io_read += b->nr_sectors << SECTOR_SHIFT;
	if (b->op == BIO_FLUSH || (b->flags & BIO_PREFLUSH) || ((b->flags & BIO_FUA) && !l->fua)) {
		flush_submit(b);
		return;
	}
	plug = irqs_enabled() ? current_thread()->plug : NULL;
	if (plug) {
		plug_add(plug, b);
		return;
	}
	chain_push(&list, b);
	queue_submit_chains(i, &list);
}

static void wake_waiter(struct bio *b)
{
	complete(b->private);
}

int bio_submit_wait(struct bio *b)
{
	struct completion done;
	int cpu;

	completion_init(&done);
	b->private = &done;
	b->end_io = wake_waiter;
	b->flags |= BIO_SYNC;
	bio_submit(b);
	cpu = io_wait_begin();
	wait_for_completion(&done);
	io_wait_end(cpu);
	return b->status;
}

static int bio_init(void)
{
	sched_set_unplug_hook(unplug_thread);
	for (u32 n = 0; n < RESERVE; n++) {
		struct bio *b = kmalloc(bio_bytes(RESERVE_VECS), GFP_KERNEL);

		if (!b)
			return -ENOMEM;
		b->next = g_reserve;
		g_reserve = b;
	}
	return 0;
}
INIT_HOOK(INIT_CORE, bio_init);
