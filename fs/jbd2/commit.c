/*
 * The commit thread: closes the running transaction, copies its blocks to the log, and makes it
 * durable with one block at the end.
 */
#include "internal.h"

#define IN_FLIGHT 256 /* log blocks being written at a time */

struct batch { /* of log writes; the commit thread's */
	struct journal *j;
	struct bio *bio;        /* being filled */
	u64 next_sector;        /* that would continue it */
	s32 pending;            /* atomic: bios */
	s32 error;              /* atomic */
	u32 buffers;            /* since the last wait */
	struct list_head pages; /* page.lru: the buffers; freed after a wait */
};

static void end_log_write(struct bio *b)
{
	struct batch *k = b->private;
	struct journal *j = k->j;

	if (b->status)
		__atomic_store_n(&k->error, b->status, __ATOMIC_RELAXED);
	bio_free(b);
	rcu_read_lock(); /* k may be gone after this; j goes after a grace period */
	if (!__atomic_sub_fetch(&k->pending, 1, __ATOMIC_ACQ_REL))
		wake_up_all(&j->io_wait);
	rcu_read_unlock();
}

static void batch_submit(struct batch *k)
{
	struct bio *b = k->bio;

	if (!b)
		return;
	k->bio = NULL;
	__atomic_fetch_add(&k->pending, 1, __ATOMIC_RELAXED);
	bio_submit(b);
}

/* A page of those kept for this; the journal keeps its own reference. */
static struct page *from_reserve(struct journal *j)
{
	struct page *p;

	if (j->reserve_used == JOURNAL_RESERVE)
		return NULL;
	p = j->reserve[j->reserve_used++];
	return p;
}

static void batch_wait(struct batch *k)
{
	batch_submit(k);
	wait_event(&k->j->io_wait, !__atomic_load_n(&k->pending, __ATOMIC_ACQUIRE));
	while (!list_empty(&k->pages)) {
		struct page *p = list_first_entry(&k->pages, struct page, lru);

		list_del(&p->lru);
		put_page(p);
	}
	k->buffers = 0;
	k->j->reserve_used = 0;
}

/* data: at the beginning of a page. */
static void batch_write(struct batch *k, u32 log_block, void *data)
{
	struct journal *j = k->j;
	u32 size = j->c.block_size;
	u64 sector;

	if (log_map(j, log_block, &sector)) {
		k->error = -EIO;
		return;
	}
	if (k->bio &&
		(k->next_sector != sector || !bio_add_page(k->bio, virt_to_page(data), 0, size)))
		batch_submit(k);
	if (!k->bio) {
		k->bio = bio_alloc(j->c.dev, 32, BIO_WRITE, sector, BIO_META | BIO_SYNC, GFP_NOFS);
		k->bio->end_io = end_log_write;
		k->bio->private = k;
		(void)!bio_add_page(k->bio, virt_to_page(data), 0, size); /* the first fits */
	}
	k->next_sector = sector + (size >> SECTOR_SHIFT);
}

/* Memory for one log block: a page, as bios take whole sectors; free again after a wait. NULL: all
 * of the reserve is under way; after a wait it isn't. */
static void *batch_buffer(struct batch *k)
{
	struct page *p = page_alloc(GFP_NOFS | GFP_NORETRY);

	if (p)
		list_add(&p->lru, &k->pages);
	else
		p = from_reserve(k->j);
	if (!p)
		return NULL;
	k->buffers++;
	return page_address(p);
}

/* The same where nothing unfinished is in a buffer: may wait. */
static void *batch_buffer_wait(struct batch *k)
{
	void *p = batch_buffer(k);

	if (!p) {
		batch_wait(k);
		p = batch_buffer(k);
	}
	return p;
}

static u32 take_log_block(struct journal *j, struct transaction *t)
{
	u32 at = j->head;

	spin_lock(&j->lock);
	BUG_ON(!j->free); /* each transaction's space was there when its handles started */
	j->head = log_next(j, j->head, 1);
	j->free--;
	t->log_blocks++;
	spin_unlock(&j->lock);
	return at;
}

static void set_header(struct jbd2_header *h, u32 type, journal_tid tid)
{
	h->h_magic = be32(JBD2_MAGIC);
	h->h_blocktype = be32(type);
	h->h_sequence = be32(tid);
}

static void seal(struct journal *j, void *block)
{
	u32 *tail = (u32 *)((char *)block + j->c.block_size) - 1;

	if (j->has_csum)
		*tail = be32(block_csum(j, block, tail));
}

/* ---- revoke blocks -------------------------------------------------------------------------- */

static void end_revokes(
	struct journal *j, struct transaction *t, struct batch *k, struct jbd2_revoke *r, u32 bytes)
{
	r->r_count = be32((u32)sizeof(*r) + bytes);
	seal(j, r);
	batch_write(k, take_log_block(j, t), r);
}

static void write_revokes(struct journal *j, struct transaction *t, struct batch *k)
{
	u32 n = 0, width = journal_has(j, JBD2_INCOMPAT_64BIT) ? 8 : 4;
	struct jbd2_revoke *r = NULL;
	u64 block;
	void *e;

	xa_for_each(&t->revokes, block, e) {
		u64 v = width == 8 ? be64(block) : be32((u32)block);

		if (!r) {
			if (k->buffers >= IN_FLIGHT)
				batch_wait(k);
			r = batch_buffer_wait(k);
			memset(r, 0, j->c.block_size);
			set_header(&r->h, JBD2_REVOKE_BLOCK, t->tid);
			n = 0;
		}
		memcpy((char *)(r + 1) + n * width, &v, width);
		if (++n == j->revokes_per_block) {
			end_revokes(j, t, k, r, n * width);
			r = NULL;
		}
	}
	if (r)
		end_revokes(j, t, k, r, n * width);
}

/* ---- descriptor and data blocks ---------------------------------------------------------------- */

static void put_tag(struct journal *j, void *at, u64 block, u32 flags, u32 csum)
{
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V3)) {
		struct jbd2_tag3 t = {
			be32((u32)block), be32(flags), be32((u32)(block >> 32)), be32(csum)};

		memcpy(at, &t, sizeof(t));
	} else {
		struct jbd2_tag t = {be32((u32)block), be16((u16)csum), be16((u16)flags),
			be32((u32)(block >> 32))};

		memcpy(at, &t, min(j->tag_bytes, (u32)sizeof(t)));
	}
}

/* The content that the transaction has for b, into a log buffer. */
static void copy_block(struct journal *j, struct jblock *b, void *to, u32 *flags)
{
	u32 first;

	spin_lock(&j->lock);
	memcpy(to, b->frozen ? b->frozen : b->data, j->c.block_size);
	b->copied = true;
	kfree(b->frozen);
	b->frozen = NULL;
	spin_unlock(&j->lock);
	wake_up_all(&j->wait);
	memcpy(&first, to, 4);
	if (first == be32(JBD2_MAGIC)) {
		memset(to, 0, 4);
		*flags |= JBD2_TAG_ESCAPE;
	}
}

struct descriptor {
	char *block;
	u32 log_block, n, offset;
	char *last_tag;
};

static void begin_descriptor(
	struct journal *j, struct transaction *t, struct batch *k, struct descriptor *d)
{
	/* With the whole reserve behind it, so that many blocks share it even without memory. */
	if (k->buffers + 2 > IN_FLIGHT || j->reserve_used)
		batch_wait(k);
	d->block = batch_buffer_wait(k);
	memset(d->block, 0, j->c.block_size);
	set_header((struct jbd2_header *)d->block, JBD2_DESCRIPTOR_BLOCK, t->tid);
	d->log_block = take_log_block(j, t);
	d->offset = sizeof(struct jbd2_header);
}

static void end_descriptor(struct journal *j, struct batch *k, struct descriptor *d)
{
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V3)) {
		((struct jbd2_tag3 *)d->last_tag)->t_flags |= be32(JBD2_TAG_LAST);
	} else {
		char *at = d->last_tag + offsetof(struct jbd2_tag, t_flags);
		u16 flags;

		memcpy(&flags, at, 2);
		flags |= be16(JBD2_TAG_LAST);
		memcpy(at, &flags, 2);
	}
	seal(j, d->block);
	batch_write(k, d->log_block, d->block);
	d->n = 0;
}

static void write_blocks(struct journal *j, struct transaction *t, struct batch *k)
{
	struct descriptor d = {};
	struct jblock *b;

	/* Only we change the list: handles can't join a transaction that is committing. */
	list_for_each_entry(b, &t->logged, com_link) {
		u32 flags = 0;
		void *data;

		if (!b->c_dirty)
			continue;
		/* A wait frees the buffers: the descriptor must be written before it. */
		if (d.n && k->buffers + 1 > IN_FLIGHT)
			end_descriptor(j, k, &d);
		if (!d.n)
			begin_descriptor(j, t, k, &d);
		else
			flags |= JBD2_TAG_SAME_UUID;
		data = batch_buffer(k);
		if (!data) { /* a new descriptor finds the whole reserve */
			end_descriptor(j, k, &d);
			batch_wait(k);
			begin_descriptor(j, t, k, &d);
			flags = 0;
			data = batch_buffer(k);
		}
		copy_block(j, b, data, &flags);
		d.last_tag = d.block + d.offset;
		put_tag(j, d.last_tag, b->block, flags,
			j->has_csum ? tag_csum(j, t->tid, data) : 0);
		d.offset += j->tag_bytes;
		if (!(flags & JBD2_TAG_SAME_UUID)) {
			memcpy(d.block + d.offset, j->sb->s_uuid, 16);
			d.offset += 16;
		}
		d.n++;
		j->stat_blocks++;
		batch_write(k, take_log_block(j, t), data);
		if (d.n == j->tags_per_block)
			end_descriptor(j, k, &d);
	}
	if (d.n)
		end_descriptor(j, k, &d);
}

static int write_commit(struct journal *j, struct transaction *t)
{
	struct jbd2_commit *c = page_address(j->reserve[0]);
	s64 now = clock_real_ns();

	memset(c, 0, j->c.block_size);
	set_header(&c->h, JBD2_COMMIT_BLOCK, t->tid);
	c->h_commit_sec = be64((u64)(now / NS_PER_SEC));
	c->h_commit_nsec = be32((u32)(now % NS_PER_SEC));
	if (j->has_csum)
		c->h_chksum[0] = be32(block_csum(j, c, &c->h_chksum[0]));
	return log_rw(j, BIO_WRITE, take_log_block(j, t), c,
		READ_ONCE(j->c.barriers) ? BIO_PREFLUSH | BIO_FUA : 0);
}

/* ---- one commit
 * ------------------------------------------------------------------------------------ */

/* Nobody may join any more; those who are in it finish. */
static void close_transaction(struct journal *j, struct transaction *t)
{
	struct jblock *b, *next;

	spin_lock(&j->lock);
	t->state = T_LOCKED;
	spin_unlock(&j->lock);
	wait_event(&j->wait, !READ_ONCE(t->updates));
	spin_lock(&j->lock);
	t->state = T_COMMITTING;
	list_for_each_entry_safe(b, next, &t->blocks, run_link) {
		list_del(&b->run_link);
		b->running = NULL;
		b->committing = t;
		b->c_forget = b->forget;
		b->c_dirty = b->dirty && !b->forget;
		b->dirty = b->forget = b->copied = false;
		list_add_tail(&b->com_link, &t->logged);
	}
	j->committing = t;
	j->running = NULL;
	spin_unlock(&j->lock);
	wake_up_all(&j->wait);
}

/* Its blocks wait for their way home now; those that it superseded don't any more. */
static void file_blocks(struct journal *j, struct transaction *t, bool ok)
{
	struct jblock *b, *next;

	spin_lock(&j->lock);
	list_for_each_entry_safe(b, next, &t->logged, com_link) {
		list_del(&b->com_link);
		b->committing = NULL;
		kfree(b->frozen);
		b->frozen = NULL;
		if (ok && (b->c_dirty || b->c_forget) && b->checkpoint) {
			list_del(&b->cp_link);
			b->checkpoint = NULL;
		}
		if (ok && b->c_dirty) {
			b->checkpoint = t;
			list_add_tail(&b->cp_link, &t->checkpoint);
			t->nr_checkpoint++;
		}
		jblock_put_unused_locked(j, b);
	}
	spin_unlock(&j->lock);
}

/* Those who wait for it go on; its log space waits for its checkpoint. */
static void publish(struct journal *j, struct transaction *t, bool ok)
{
	spin_lock(&j->lock);
	t->state = T_DONE;
	j->committing = NULL;
	j->uncommitted = j->head;
	if (ok) {
		j->done = t->tid;
		j->flushes_done = j->flushes_begun;
		list_add_tail(&t->link, &j->committed);
	}
	j->stat_commits++;
	spin_unlock(&j->lock);
	wake_up_all(&j->wait);
}

static int write_transaction(struct journal *j, struct transaction *t)
{
	struct batch k = {.j = j};
	int err = 0;

	list_init(&k.pages);
	mutex_lock(&j->sb_lock);
	if (j->empty) {
		spin_lock(&j->lock);
		j->tail = j->head;
		j->tail_tid = t->tid;
		j->uncommitted = j->head;
		spin_unlock(&j->lock);
		err = tail_write_locked(j);
		j->empty = err;
	}
	mutex_unlock(&j->sb_lock);
	if (err)
		return err;
	t->log_start = j->head;
	write_revokes(j, t, &k);
	write_blocks(j, t, &k);
	batch_wait(&k);
	if (k.error)
		return k.error;
	spin_lock(&j->lock);
	j->flushes_begun++;
	spin_unlock(&j->lock);
	/* Data that this transaction refers to must be as durable as it will be. */
	if (j->c.dev != j->c.fs_dev && READ_ONCE(j->c.barriers)) {
		err = bdev_flush(j->c.fs_dev);
		if (err)
			return err;
	}
	return write_commit(j, t);
}

static bool has_work(const struct transaction *t)
{
	return !list_empty(&t->blocks) || t->nr_revokes || !list_empty(&t->callbacks);
}

static void commit(struct journal *j, struct transaction *t)
{
	struct journal_callback *cb;
	LIST_HEAD(callbacks);
	int err;

	close_transaction(j, t);
	wait_event(&j->wait, !__atomic_load_n(&t->ordered, __ATOMIC_ACQUIRE));
	err = journal_error(j);
	if (!err)
		err = write_transaction(j, t);
	if (err)
		journal_abort(j, err);
	list_splice_tail(&t->callbacks, &callbacks);
	file_blocks(j, t, !err);
	while (!list_empty(&callbacks)) {
		cb = list_first_entry(&callbacks, struct journal_callback, link);
		list_del(&cb->link);
		cb->fn(cb, !err);
	}
	/* After the callbacks: who waits for the commit may want the blocks that they release. */
	publish(j, t, !err);
	if (err)
		transaction_free(t);
	else if (READ_ONCE(j->free) < (j->last - j->first) / 2 ||
		READ_ONCE(j->nr_jblocks) > 2 * j->max_credits)
		checkpoint_wake(j);
}

/* The running transaction, if its commit is due; else *deadline, when it will be. */
static struct transaction *due(struct journal *j, s64 *deadline)
{
	struct transaction *t;

	*deadline = TIME_NEVER;
	spin_lock(&j->lock);
	t = j->running;
	if (!t)
		j->request = j->done; /* whatever was asked for has been committed */
	if (t && !journal_tid_after(j->request, j->done)) {
		*deadline = t->started_ns + (s64)j->c.commit_interval_ns;
		if (clock_mono_ns() < *deadline) {
			t = NULL;
		} else if (!has_work(t) && !t->updates) {
			t->started_ns = clock_mono_ns();
			*deadline = t->started_ns + (s64)j->c.commit_interval_ns;
			t = NULL;
		}
	}
	spin_unlock(&j->lock);
	return t;
}

void commit_thread(void *arg)
{
	struct journal *j = arg;

	/* Reclaim must not come back to wait for us. */
	current_thread()->gfp_scope |= GFP_NOFS;
	while (!READ_ONCE(j->stopping)) {
		s64 deadline = TIME_NEVER;
		struct transaction *t = journal_error(j) ? NULL : due(j, &deadline);
		bool running;

		if (t) {
			commit(j, t);
			continue;
		}
		running = READ_ONCE(j->running) != NULL;
		(void)!wait_event_full(&j->work,
			READ_ONCE(j->stopping) ||
				(!journal_error(j) &&
					(journal_tid_after(
						 READ_ONCE(j->request), READ_ONCE(j->done)) ||
						running != (READ_ONCE(j->running) != NULL))),
			THREAD_INTERRUPTIBLE, deadline, wait_prepare);
	}
	complete(&j->ended[0]);
}
