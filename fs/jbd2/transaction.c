/* Handles: joining the running transaction, and the blocks and revokes in it. */
#include "internal.h"

/* RCU finders may look at a block that was freed and used again: they check what they found. */
static SLAB_CACHE_FLAGS(g_jblocks, struct jblock, SLAB_RCU);
static SLAB_CACHE(g_handles, struct handle_state);

/* ---- blocks -------------------------------------------------------------------------------------
 */

struct jblock *jblock_find(struct journal *j, u64 block)
{
	return xa_load(&j->blocks, block);
}

void jblock_put_unused_locked(struct journal *j, struct jblock *b)
{
	spin_assert_held(&j->lock);
	if (b->running || b->committing || b->checkpoint || b->going_home)
		return;
	xa_erase(&j->blocks, b->block);
	j->nr_jblocks--;
	put_page(b->page);
	kfree(b->frozen);
	b->page = NULL;
	slab_free(&g_jblocks, b);
}

/* Log blocks that t may need when `more` further blocks join it. */
u32 space_for(const struct journal *j, const struct transaction *t, u32 more)
{
	u32 blocks = more + (t ? t->reserved : 0), revokes = t ? t->nr_revokes : 0;

	if (t && t->state >= T_COMMITTING)
		blocks = t->nr_blocks;
	/* Without memory each descriptor has few blocks: see begin_descriptor. */
	return blocks + blocks / min(j->tags_per_block, JOURNAL_RESERVE - 2) + 2 +
		revokes / j->revokes_per_block + 1 + j->slack + 1;
}

/* ---- starting -----------------------------------------------------------------------------------
 */

struct handle *journal_current(void)
{
	return current_thread()->journal;
}

static struct transaction *new_transaction(struct journal *j)
{
	struct transaction *t = kzalloc(sizeof(*t), GFP_NOFS);

	if (!t)
		return NULL;
	t->j = j;
	list_init(&t->blocks);
	list_init(&t->logged);
	list_init(&t->callbacks);
	list_init(&t->checkpoint);
	list_init(&t->link);
	xa_init(&t->revokes);
	t->started_ns = clock_mono_ns();
	return t;
}

void transaction_free(struct transaction *t)
{
	xa_destroy(&t->revokes);
	kfree(t);
}

/* Lock, as the transaction may be gone at any time. */
static bool can_start(struct journal *j)
{
	bool r;

	spin_lock(&j->lock);
	r = journal_error(j) || !j->running || j->running->state == T_RUNNING;
	spin_unlock(&j->lock);
	return r;
}

static bool joinable(struct journal *j, journal_tid tid)
{
	bool r;

	spin_lock(&j->lock);
	r = !journal_error(j) && j->running && j->running->tid == tid &&
		j->running->state == T_RUNNING;
	spin_unlock(&j->lock);
	return r;
}

/* Join the running transaction with so many blocks promised. */
static int join(struct journal *j, u32 credits, struct transaction **out)
{
	struct transaction *spare = NULL, *t;
	int err = 0;

	for (;;) {
		u32 need;

		if (!READ_ONCE(j->running) && !spare) {
			spare = new_transaction(j);
			if (!spare)
				return -ENOMEM;
		}
		spin_lock(&j->lock);
		err = READ_ONCE(j->error) ? -EROFS : 0;
		if (err)
			break;
		t = j->running;
		if (!t && spare) {
			t = j->running = spare;
			spare = NULL;
			t->tid = j->next_tid++;
		}
		if (!t) {
			spin_unlock(&j->lock);
			continue;
		}
		if (t->state != T_RUNNING) {
			spin_unlock(&j->lock);
			wait_event(&j->wait, can_start(j));
			continue;
		}
		if (t->reserved && t->reserved + credits > j->max_credits) {
			journal_tid tid = t->tid;

			spin_unlock(&j->lock);
			journal_commit_start(j, tid);
			wait_event(&j->wait, !joinable(j, tid));
			continue;
		}
		need = space_for(j, t, credits) +
			(j->committing ? space_for(j, j->committing, 0) : 0);
		if (need > j->free) {
			spin_unlock(&j->lock);
			err = checkpoint_for(j, need);
			if (err == 1) { /* what holds the log is in newer transactions */
				spin_lock(&j->lock);
				t = j->committing ? j->committing : j->running;
				if (t) {
					journal_tid tid = t->tid;

					spin_unlock(&j->lock);
					err = journal_commit_wait(j, tid, false);
				} else {
					spin_unlock(&j->lock);
					err = 0;
				}
			}
			if (err) {
				err = READ_ONCE(j->error) ? -EROFS : err;
				if (spare)
					transaction_free(spare);
				return err;
			}
			continue;
		}
		t->updates++;
		t->reserved += credits;
		*out = t;
		break;
	}
	spin_unlock(&j->lock);
	if (spare)
		transaction_free(spare);
	return err;
}

struct handle *journal_start(struct journal *j, struct block_device *dev, u32 credits)
{
	struct thread *self = current_thread();
	struct handle *h = self->journal;
	struct handle_state *s;
	int err = 0;

	if (h && h->journal == j && h->dev == dev) {
		h->depth++;
		if (j && h->credits < credits)
			(void)!journal_extend(h, credits - h->credits);
		return h;
	}
	if (j && j->c.read_only)
		return err_ptr(-EROFS);
	if (j && credits > j->max_credits)
		return err_ptr(-ENOSPC);
	s = slab_alloc(&g_handles, GFP_NOFS | GFP_ZERO);
	if (!s)
		return err_ptr(-ENOMEM);
	s->h = (struct handle){.journal = j, .dev = dev, .credits = credits, .depth = 1};
	if (j)
		err = join(j, credits, &s->h.transaction);
	if (err) {
		slab_free(&g_handles, s);
		return err_ptr(err);
	}
	s->outer = h;
	s->gfp_scope = self->gfp_scope;
	self->gfp_scope |= GFP_NOFS | GFP_NOFAIL;
	self->journal = &s->h;
	return &s->h;
}

static void leave(struct handle *h)
{
	struct journal *j = h->journal;
	struct transaction *t = h->transaction;
	bool last;

	spin_lock(&j->lock);
	t->reserved -= h->credits;
	last = --t->updates == 0 && t->state == T_LOCKED;
	j->stat_handles++;
	spin_unlock(&j->lock);
	h->credits = 0;
	h->transaction = NULL;
	if (last)
		wake_up_all(&j->wait);
}

int journal_stop(struct handle *h)
{
	struct handle_state *s = container_of(h, struct handle_state, h);
	struct thread *self = current_thread();
	struct journal *j = h->journal;
	journal_tid tid = 0;
	int err = h->err;

	if (--h->depth)
		return err;
	BUG_ON(self->journal != h);
	if (h->transaction) {
		tid = h->transaction->tid;
		leave(h);
	}
	self->journal = s->outer;
	self->gfp_scope = s->gfp_scope;
	if (j && !err && journal_error(j))
		err = -EROFS;
	if (j && h->sync && !err)
		err = journal_commit_wait(j, tid, false);
	slab_free(&g_handles, s);
	return err;
}

int journal_extend(struct handle *h, u32 credits)
{
	struct journal *j = h->journal;
	struct transaction *t = h->transaction;
	int err = 1;

	if (!j)
		return 0;
	if (!t || journal_error(j))
		return -EROFS;
	spin_lock(&j->lock);
	if (t->reserved + credits <= j->max_credits &&
		space_for(j, t, credits) + (j->committing ? space_for(j, j->committing, 0) : 0) <=
			j->free) {
		t->reserved += credits;
		h->credits += credits;
		err = 0;
	}
	spin_unlock(&j->lock);
	return err;
}

int journal_restart(struct handle *h, u32 credits)
{
	struct journal *j = h->journal;
	int err;

	if (!j)
		return 0;
	if (h->whole)
		return -ENOSPC;
	if (h->transaction)
		leave(h);
	err = join(j, credits, &h->transaction);
	h->credits = err ? 0 : credits;
	if (err)
		h->err = h->err ? h->err : err;
	return err;
}

int journal_ensure(struct handle *h, u32 credits)
{
	int err;

	if (!h->journal || h->credits >= credits)
		return 0;
	err = journal_extend(h, credits - h->credits);
	if (err <= 0)
		return err;
	err = journal_restart(h, credits);
	return err ? err : 1;
}

journal_tid journal_handle_tid(const struct handle *h)
{
	return h->transaction ? h->transaction->tid : 0;
}

/* ---- blocks of a handle ----------------------------------------------------------------------- */

/* Wait until what stands in the way of changing b is gone. j->lock held; may be dropped. True: it
 * was, look again. */
static bool wait_for_block(struct journal *j, struct jblock *b, void **copy)
{
	u64 block = b->block;

	if (b->going_home) {
		spin_unlock(&j->lock);
		wait_event(&j->wait, ({
			struct jblock *now;
			bool home;

			spin_lock(&j->lock);
			now = jblock_find(j, block);
			home = !now || !now->going_home;
			spin_unlock(&j->lock);
			home;
		}));
		spin_lock(&j->lock);
		return true;
	}
	/* The log hasn't got the committing transaction's content yet: keep a copy for it. */
	if (b->committing && !b->copied && !b->frozen && b->c_dirty && !b->c_forget) {
		if (!*copy) {
			spin_unlock(&j->lock);
			*copy = kmalloc(j->c.block_size, GFP_NOFS);
			if (!*copy)
				sleep_ns(1000000); /* the commit will have copied it soon */
			spin_lock(&j->lock);
			return true;
		}
		memcpy(*copy, b->data, j->c.block_size);
		b->frozen = *copy;
		*copy = NULL;
	}
	return false;
}

static void cancel_revoke_locked(struct transaction *t, u64 block)
{
	if (t->nr_revokes && xa_erase(&t->revokes, block))
		t->nr_revokes--;
}

/* One log block more for h's transaction. Handles that asked for too few live on a small reserve.
 * j->lock held. */
static bool take_credit(struct handle *h)
{
	struct transaction *t = h->transaction;

	if (likely(h->credits)) {
		h->credits--;
		return true;
	}
	if (t->extra >= h->journal->slack)
		return false;
	t->extra++;
	return true;
}

static int add_block(struct handle *h, struct block_ref *r)
{
	struct journal *j = h->journal;
	struct transaction *t = h->transaction;
	struct jblock *b, *fresh = NULL;
	void *copy = NULL;
	int err = 0;

	for (;;) {
		spin_lock(&j->lock);
		b = jblock_find(j, r->block);
		if (!b && !fresh) {
			spin_unlock(&j->lock);
			fresh = slab_alloc(&g_jblocks, GFP_NOFS);
			if (!fresh) {
				err = -ENOMEM;
				goto out;
			}
			memset(fresh, 0, sizeof(*fresh));
			list_init(&fresh->run_link);
			list_init(&fresh->com_link);
			list_init(&fresh->cp_link);
			continue;
		}
		if (!b) {
			b = fresh;
			b->block = r->block;
			b->page = r->page;
			b->data = r->data;
			err = xa_store(&j->blocks, b->block, b, GFP_ATOMIC);
			if (err) {
				spin_unlock(&j->lock);
				sleep_ns(
					1000000); /* memory is short: nodes come from the reserve */
				continue;
			}
			get_page(b->page);
			fresh = NULL;
			j->nr_jblocks++;
			break;
		}
		if (!wait_for_block(j, b, &copy))
			break;
		spin_unlock(&j->lock);
	}
	/* Whoever wants it again has allocated it anew. */
	cancel_revoke_locked(t, r->block);
	if (b->page != r->page) { /* it was freed meanwhile, and its page went */
		get_page(r->page);
		put_page(b->page);
		b->page = r->page;
	}
	b->data = r->data;
	if (b->running == t && b->paid) {
		b->forget = false;
	} else if (take_credit(h)) {
		if (b->running != t)
			list_add_tail(&b->run_link, &t->blocks);
		b->running = t;
		b->dirty = b->forget = false;
		b->paid = true;
		t->nr_blocks++;
	} else {
		err = -ENOSPC;
		jblock_put_unused_locked(j, b);
	}
	spin_unlock(&j->lock);
out:
	kfree(copy);
	if (fresh)
		slab_free(&g_jblocks, fresh);
	return err;
}

/* Already in this handle's transaction: it stays there, because we hold the transaction open. */
static bool has_block(struct handle *h, const struct block_ref *r)
{
	struct jblock *b;
	bool has;

	rcu_read_lock();
	b = jblock_find(h->journal, r->block);
	has = b && READ_ONCE(b->running) == h->transaction && b->block == r->block &&
		!READ_ONCE(b->forget);
	rcu_read_unlock();
	return has;
}

int journal_get_write(struct handle *h, struct block_ref *r)
{
	if (!h->journal)
		return 0;
	if (!h->transaction || unlikely(journal_error(h->journal)))
		return -EROFS;
	return likely(has_block(h, r)) ? 0 : add_block(h, r);
}

int journal_get_create(struct handle *h, struct block_ref *r)
{
	return journal_get_write(h, r); /* joining anew cancels the revoke */
}

int journal_dirty(struct handle *h, struct block_ref *r)
{
	struct journal *j = h->journal;
	struct jblock *b;

	if (!j) {
		bdev_mark_block_dirty(h->dev, r);
		return 0;
	}
	if (!h->transaction || unlikely(journal_error(j)))
		return -EROFS;
	rcu_read_lock();
	b = jblock_find(j, r->block);
	if (likely(b && READ_ONCE(b->running) == h->transaction)) {
		if (!READ_ONCE(b->dirty))
			WRITE_ONCE(b->dirty, true);
		rcu_read_unlock();
		return 0;
	}
	rcu_read_unlock();
	log_warn_at(__FILE__, __LINE__, "journal_dirty of a block that is not in the handle");
	return -EINVAL;
}

int journal_revoke(struct handle *h, u64 block, u32 count)
{
	int err = 0;

	while (count-- && !err)
		err = journal_forget(h, block++);
	return err;
}

int journal_forget(struct handle *h, u64 block)
{
	struct journal *j = h->journal;
	struct transaction *t = h->transaction;
	void *copy = NULL;
	struct jblock *b;
	int err;

	if (!j)
		return 0;
	if (!t || unlikely(journal_error(j)))
		return -EROFS;
	for (;;) {
		spin_lock(&j->lock);
		b = jblock_find(j, block);
		if (!b || !wait_for_block(j, b, &copy))
			break;
		spin_unlock(&j->lock);
	}
	if (b && b->running != t) {
		b->running = t;
		b->dirty = b->paid = false; /* takes no log block */
		list_add_tail(&b->run_link, &t->blocks);
	}
	if (b)
		b->forget = true;
	for (;;) {
		bool there = xa_load(&t->revokes, block);

		/* Each revoke block is one of the log: `charged` of them are paid for. */
		err = 0;
		if (!there && t->nr_revokes >= t->charged * j->revokes_per_block) {
			err = take_credit(h) ? 0 : -ENOSPC;
			t->charged += !err;
		}
		if (!err && !there)
			err = xa_store(&t->revokes, block, xa_value(1), GFP_ATOMIC);
		if (!err && !there)
			t->nr_revokes++;
		if (err != -ENOMEM)
			break;
		spin_unlock(&j->lock);
		sleep_ns(1000000);
		spin_lock(&j->lock);
	}
	spin_unlock(&j->lock);
	kfree(copy);
	return err;
}

/* ---- file data that is in the log ------------------------------------------------------------- */

bool journal_holds(struct journal *j, u64 block, u64 count)
{
	bool found;

	rcu_read_lock();
	found = count && xa_find(&j->blocks, &block, block + count - 1);
	rcu_read_unlock();
	return found;
}

bool journal_copy_block(struct journal *j, u64 block, void *buf)
{
	struct jblock *b;

	spin_lock(&j->lock);
	b = jblock_find(j, block);
	if (b)
		memcpy(buf, b->data, j->c.block_size);
	spin_unlock(&j->lock);
	return b != NULL;
}

/* ---- ordered data, callbacks ------------------------------------------------------------------- */

struct transaction *journal_ordered_begin(struct handle *h)
{
	struct transaction *t = h->transaction;

	if (t)
		__atomic_fetch_add(&t->ordered, 1, __ATOMIC_RELAXED);
	return t;
}

void journal_ordered_end(struct transaction *t, int err)
{
	struct journal *j = t ? t->j : NULL;

	/* t may be gone with the last one; j waits for a grace period before it goes. */
	if (t && __atomic_sub_fetch(&t->ordered, 1, __ATOMIC_ACQ_REL) == 0)
		wake_up_all(&j->wait);
}

void journal_on_commit(struct handle *h, struct journal_callback *cb)
{
	struct journal *j = h->journal;

	if (!j) {
		cb->fn(cb, true); /* without a journal nothing can bring the old state back */
		return;
	}
	spin_lock(&j->lock);
	/* A handle that lost its transaction to an abort: the caller's locks forbid a call here. */
	list_add_tail(&cb->link, h->transaction ? &h->transaction->callbacks : &j->late);
	spin_unlock(&j->lock);
	if (!h->transaction)
		wake_up(&j->cp_work);
}

/* ---- commits asked for
 * ----------------------------------------------------------------------------- */

void journal_commit_start(struct journal *j, journal_tid tid)
{
	spin_lock(&j->lock);
	if (journal_tid_after(tid, j->request))
		j->request = tid;
	spin_unlock(&j->lock);
	wake_up(&j->work);
}

int journal_commit_wait(struct journal *j, journal_tid tid, bool need_flush)
{
	u64 flush;
	bool known, done;

	if (j->c.read_only)
		return 0;
	spin_lock(&j->lock);
	flush = j->flushes_begun;
	known = journal_tid_after(j->next_tid, tid); /* else it isn't one of ours */
	spin_unlock(&j->lock);
	if (known && journal_tid_after(tid, READ_ONCE(j->done))) {
		journal_commit_start(j, tid);
		wait_event(
			&j->wait, !journal_tid_after(tid, READ_ONCE(j->done)) || journal_error(j));
	}
	if (journal_error(j))
		return -EIO;
	/* A flush that began after we came and has ended covers what was written before. */
	spin_lock(&j->lock);
	done = j->flushes_done > flush;
	spin_unlock(&j->lock);
	return need_flush && !done && READ_ONCE(j->c.barriers) ? bdev_flush(j->c.fs_dev) : 0;
}

int journal_commit_all(struct journal *j, bool wait)
{
	journal_tid tid;

	spin_lock(&j->lock);
	tid = j->running ? j->running->tid : j->committing ? j->committing->tid : j->done;
	spin_unlock(&j->lock);
	if (!wait) {
		journal_commit_start(j, tid);
		return journal_error(j) ? -EROFS : 0;
	}
	return journal_commit_wait(j, tid, true);
}
