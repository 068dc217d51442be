/*
 * Checkpoints: committed blocks are written to their places, oldest transactions first, and the log
 * space before the oldest that is left is free again.
 *
 * A block whose page has newer, uncommitted content is passed over: that transaction's commit takes
 * it along.
 */
#include "internal.h"

#define BATCH    64
#define IDLE_AGE (30 * NS_PER_SEC) /* transactions older than that go home without need */
#define PERIOD   (5 * NS_PER_SEC)

struct home {
	struct jblock *b[BATCH];
	u32 n;
	struct journal *j;
	s32 pending, error; /* atomic */
};

static void end_home(struct bio *bio)
{
	struct home *h = bio->private;
	struct journal *j = h->j;

	if (bio->status)
		__atomic_store_n(&h->error, bio->status, __ATOMIC_RELAXED);
	bio_free(bio);
	rcu_read_lock(); /* h may be gone after this; j goes after a grace period */
	if (!__atomic_sub_fetch(&h->pending, 1, __ATOMIC_ACQ_REL))
		wake_up_all(&j->io_wait);
	rcu_read_unlock();
}

/* Take blocks of t that can go; each is looked at once per round (*left counts down). */
static void collect(struct journal *j, struct transaction *t, struct home *h, u32 *left)
{
	h->n = 0;
	spin_lock(&j->lock);
	while (*left && h->n < BATCH && !list_empty(&t->checkpoint)) {
		struct jblock *b = list_first_entry(&t->checkpoint, struct jblock, cp_link);

		--*left;
		list_move_tail(&b->cp_link, &t->checkpoint);
		if (b->running || b->committing || b->going_home)
			continue;
		b->going_home = true;
		h->b[h->n++] = b;
	}
	spin_unlock(&j->lock);
}

static void sort_by_block(struct home *h)
{
	for (u32 i = 1; i < h->n; i++) {
		struct jblock *b = h->b[i];
		u32 k = i;

		for (; k && h->b[k - 1]->block > b->block; k--)
			h->b[k] = h->b[k - 1];
		h->b[k] = b;
	}
}

static int write_home(struct journal *j, struct home *h)
{
	u32 size = j->c.block_size;
	struct blk_plug plug;

	sort_by_block(h);
	h->error = 0;
	h->pending = (s32)h->n;
	h->j = j;
	blk_plug_start(&plug);
	for (u32 i = 0; i < h->n; i++) {
		struct jblock *b = h->b[i];
		struct bio *bio = bio_alloc(j->c.fs_dev, 1, BIO_WRITE,
			b->block * (size >> SECTOR_SHIFT), BIO_META, GFP_NOFS);

		(void)!bio_add_page(bio, b->page, (u32)((uintptr_t)b->data & ~PAGE_MASK), size);
		bio->end_io = end_home;
		bio->private = h;
		bio_submit(bio);
	}
	blk_plug_finish(&plug);
	wait_event(&j->io_wait, !__atomic_load_n(&h->pending, __ATOMIC_ACQUIRE));
	spin_lock(&j->lock);
	for (u32 i = 0; i < h->n; i++) {
		struct jblock *b = h->b[i];

		b->going_home = false;
		if (!h->error && b->checkpoint) {
			list_del(&b->cp_link);
			b->checkpoint = NULL;
		}
		jblock_put_unused_locked(j, b);
	}
	spin_unlock(&j->lock);
	wake_up_all(&j->wait);
	return h->error;
}

/* Drop transactions at the log's beginning that have nothing left to bring home. */
static int advance_tail(struct journal *j)
{
	u32 tail, freed = 0;
	LIST_HEAD(gone);
	int err;

	spin_lock(&j->lock);
	while (!list_empty(&j->committed)) {
		struct transaction *t = list_first_entry(&j->committed, struct transaction, link);

		if (!list_empty(&t->checkpoint))
			break;
		freed += t->log_blocks;
		list_move_tail(&t->link, &gone);
	}
	if (!list_empty(&gone)) {
		struct transaction *t = list_empty(&j->committed)
			? NULL
			: list_first_entry(&j->committed, struct transaction, link);

		tail = t ? t->log_start : j->uncommitted;
		j->tail_tid = t ? t->tid : j->done + 1;
		j->tail = tail;
	}
	spin_unlock(&j->lock);
	if (list_empty(&gone))
		return 0;
	err = j->c.dev != j->c.fs_dev && READ_ONCE(j->c.barriers) ? bdev_flush(j->c.fs_dev) : 0;
	if (!err)
		err = tail_write(j);
	while (!list_empty(&gone)) {
		struct transaction *t = list_first_entry(&gone, struct transaction, link);

		list_del(&t->link);
		transaction_free(t);
	}
	if (err)
		return err;
	spin_lock(&j->lock);
	j->free += freed;
	spin_unlock(&j->lock);
	wake_up_all(&j->wait);
	return 0;
}

int checkpoint_for(struct journal *j, u32 want_free)
{
	struct home *h = kmalloc(sizeof(*h), GFP_NOFS);
	bool did = false;
	int err = 0;

	if (!h)
		return -ENOMEM;
	mutex_lock(&j->checkpoint_lock);
	while (!err && READ_ONCE(j->free) < want_free) {
		struct transaction *t = NULL;
		bool wrote = false;
		u32 left = 0;

		if (journal_error(j)) {
			err = -EROFS;
			break;
		}
		/* Only we take transactions off the list. */
		spin_lock(&j->lock);
		if (!list_empty(&j->committed)) {
			t = list_first_entry(&j->committed, struct transaction, link);
			left = t->nr_checkpoint;
		}
		spin_unlock(&j->lock);
		if (!t)
			break;
		for (collect(j, t, h, &left); h->n && !err; collect(j, t, h, &left)) {
			err = write_home(j, h);
			wrote = true;
		}
		if (err) {
			journal_abort(j, err);
			break;
		}
		spin_lock(&j->lock);
		wrote = wrote || list_empty(&t->checkpoint);
		spin_unlock(&j->lock);
		if (!wrote)
			break;
		did = true;
		err = advance_tail(j);
		if (err)
			journal_abort(j, err);
	}
	mutex_unlock(&j->checkpoint_lock);
	kfree(h);
	return err ? err : did || READ_ONCE(j->free) >= want_free ? 0 : 1;
}

void checkpoint_wake(struct journal *j)
{
	WRITE_ONCE(j->cp_wanted, true);
	wake_up(&j->cp_work);
}

static bool old_ones(struct journal *j)
{
	bool old;

	spin_lock(&j->lock);
	old = !list_empty(&j->committed) &&
		clock_mono_ns() -
				list_first_entry(&j->committed, struct transaction, link)
					->started_ns >
			IDLE_AGE;
	spin_unlock(&j->lock);
	return old;
}

void checkpoint_thread(void *arg)
{
	struct journal *j = arg;

	current_thread()->gfp_scope |= GFP_NOFS;
	while (!READ_ONCE(j->stopping)) {
		bool work = READ_ONCE(j->committed.next) != &j->committed;

		(void)!wait_event_full(&j->cp_work,
			READ_ONCE(j->stopping) || READ_ONCE(j->cp_wanted) ||
				!list_empty(&j->late) || (journal_error(j) && !j->error_stored),
			THREAD_INTERRUPTIBLE, deadline_after(work ? PERIOD : 6 * PERIOD),
			wait_prepare);
		abort_finish(j);
		run_late_callbacks(j);
		if (READ_ONCE(j->stopping))
			continue;
		if (journal_error(j)) {
			WRITE_ONCE(j->cp_wanted, false);
			continue;
		}
		if (READ_ONCE(j->cp_wanted)) {
			WRITE_ONCE(j->cp_wanted, false);
			(void)!checkpoint_for(j, (j->last - j->first) / 4 * 3);
		} else if (old_ones(j)) {
			(void)!checkpoint_for(j, j->last - j->first);
		}
	}
	abort_finish(j);
	run_late_callbacks(j);
	complete(&j->ended[1]);
}
