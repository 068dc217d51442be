/* A journal as a whole: its super block, where its blocks are, load and close. */
#include "internal.h"

#define KNOWN_INCOMPAT                                                             \
	(JBD2_INCOMPAT_REVOKE | JBD2_INCOMPAT_64BIT | JBD2_INCOMPAT_ASYNC_COMMIT | \
		JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3 | JBD2_INCOMPAT_FAST_COMMIT)
#define MIN_BLOCKS       1024 /* JBD2_MIN_JOURNAL_BLOCKS of the documentation */
#define DEFAULT_INTERVAL (5 * NS_PER_SEC)

int log_map(const struct journal *j, u32 log_block, u64 *sector)
{
	u32 low = 0, high = j->nr_map;

	while (low < high) {
		u32 mid = (low + high) / 2;
		const struct map_run *r = &j->map[mid];

		if (log_block < r->first) {
			high = mid;
		} else if (log_block - r->first >= r->count) {
			low = mid + 1;
		} else {
			*sector = (r->dev_block + (log_block - r->first)) *
				(j->c.block_size >> SECTOR_SHIFT);
			return 0;
		}
	}
	return -EIO;
}

int log_rw(struct journal *j, enum bio_op op, u32 log_block, void *buf, u32 flags)
{
	u64 sector;
	int err = log_map(j, log_block, &sector);

	return err ? err : bdev_rw(j->c.dev, op, sector, buf, j->c.block_size, flags | BIO_META);
}

u32 log_next(const struct journal *j, u32 log_block, u32 n)
{
	u64 at = (u64)log_block + n;

	return (u32)(at >= j->last ? at - (j->last - j->first) : at);
}

int super_write(struct journal *j, u32 flags)
{
	if (j->has_csum)
		j->sb->s_checksum = be32(super_csum(j->sb));
	return bdev_write_block(
		j->c.dev, &j->sb_ref, BIO_SYNC | (READ_ONCE(j->c.barriers) ? flags : 0));
}

int tail_write_locked(struct journal *j)
{
	u32 tail;
	journal_tid tid;

	spin_lock(&j->lock);
	tail = j->tail;
	tid = j->tail_tid;
	spin_unlock(&j->lock);
	j->sb->s_start = be32(tail);
	j->sb->s_sequence = be32(tid);
	return super_write(j, BIO_PREFLUSH | BIO_FUA);
}

int tail_write(struct journal *j)
{
	int err;

	mutex_lock(&j->sb_lock);
	err = tail_write_locked(j);
	mutex_unlock(&j->sb_lock);
	return err;
}

static int read_super(struct journal *j)
{
	u64 at = j->c.dev_start;
	int err = j->c.map ? j->c.map(j->c.owner, 0, &at) : 0;

	if (!err)
		err = bdev_read_block(j->c.dev, at, j->c.block_size, &j->sb_ref);
	if (!err)
		j->sb = j->sb_ref.data;
	return err;
}

/* An external journal's log blocks are numbered as its device's blocks. */
static bool log_block_mapped(const struct journal *j, u64 n)
{
	return j->c.map || n > j->c.dev_start;
}

/* Collect where the log's blocks are, in runs. */
static int load_map(struct journal *j)
{
	u32 room = 0;

	for (u32 n = 0; n < j->c.nr_blocks; n++) {
		struct map_run *r = j->nr_map ? &j->map[j->nr_map - 1] : NULL;
		u64 at = n;
		int err = j->c.map ? j->c.map(j->c.owner, n, &at) : 0;

		if (!log_block_mapped(j, n))
			continue;
		if (err || !at || at >= bdev_bytes(j->c.dev) / j->c.block_size)
			return err ? err : -EINVAL;
		cond_resched();
		if (r && r->dev_block + r->count == at) {
			r->count++;
			continue;
		}
		if (j->nr_map == room) {
			struct map_run *more = krealloc(
				j->map, (room * 2 + 8) * sizeof(*more), GFP_KERNEL);

			if (!more)
				return -ENOMEM;
			j->map = more;
			room = room * 2 + 8;
		}
		j->map[j->nr_map++] = (struct map_run){n, 1, at};
	}
	return 0;
}

/* An external journal names the file systems that it serves. */
static int check_user(const struct journal *j)
{
	u32 n = min(be32(j->sb->s_nr_users), 48u);

	if (!j->c.fs_uuid || j->c.map)
		return 0;
	for (u32 i = 0; i < n; i++)
		if (!memcmp(&j->sb->s_users[i * 16], j->c.fs_uuid, 16))
			return 0;
	log_err("jbd2: %s: the external journal belongs to another file system", j->c.dev->name);
	return -EINVAL;
}

static int check_super(struct journal *j)
{
	struct jbd2_super *s = j->sb;
	u32 type = be32(s->s_header.h_blocktype), fc = 0;

	if (be32(s->s_header.h_magic) != JBD2_MAGIC ||
		(type != JBD2_SUPERBLOCK_V1 && type != JBD2_SUPERBLOCK_V2) ||
		be32(s->s_blocksize) != j->c.block_size)
		return -EINVAL;
	if (type == JBD2_SUPERBLOCK_V1) {
		/* Nothing behind s_errno counts; from its next write on it is a version 2. */
		memset(&s->s_feature_compat, 0,
			sizeof(*s) - offsetof(struct jbd2_super, s_feature_compat));
		s->s_header.h_blocktype = be32(JBD2_SUPERBLOCK_V2);
		s->s_nr_users = be32(1);
	} else {
		j->features = be32(s->s_feature_incompat);
		if ((j->features & ~KNOWN_INCOMPAT) || s->s_feature_ro_compat) {
			log_warn("jbd2: unknown features %#x", j->features & ~KNOWN_INCOMPAT);
			return -EOPNOTSUPP;
		}
	}
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V2) && journal_has(j, JBD2_INCOMPAT_CSUM_V3))
		return -EINVAL;
	j->has_csum = journal_has(j, JBD2_INCOMPAT_CSUM_V2 | JBD2_INCOMPAT_CSUM_V3);
	j->csum1 = type == JBD2_SUPERBLOCK_V2 && s->s_feature_compat & be32(JBD2_COMPAT_CHECKSUM);
	if (j->has_csum && j->csum1)
		return -EINVAL;
	if (j->has_csum &&
		(s->s_checksum_type != JBD2_CHKSUM_CRC32C || be32(s->s_checksum) != super_csum(s)))
		return -EINVAL;
	if (journal_has(j, JBD2_INCOMPAT_FAST_COMMIT))
		fc = s->s_num_fc_blks ? be32(s->s_num_fc_blks) : JBD2_FC_DEFAULT_BLOCKS;
	if (be32(s->s_maxlen) > j->c.nr_blocks || be32(s->s_maxlen) < MIN_BLOCKS ||
		fc > be32(s->s_maxlen) / 2)
		return -EINVAL;
	j->first = be32(s->s_first);
	j->last = be32(s->s_maxlen) - fc;
	if (!j->first || j->first >= j->last || j->last - j->first < MIN_BLOCKS / 4 ||
		!log_block_mapped(j, j->first))
		return -EINVAL;
	if (s->s_start && (be32(s->s_start) < j->first || be32(s->s_start) >= j->last))
		return -EINVAL;
	return check_user(j);
}

/* What follows from the features. */
static void set_layout(struct journal *j)
{
	u32 tail = j->has_csum ? sizeof(struct jbd2_tail) : 0;
	bool wide = journal_has(j, JBD2_INCOMPAT_64BIT);

	j->csum_seed = crc32c_update(~0u, j->sb->s_uuid, 16);
	if (journal_has(j, JBD2_INCOMPAT_CSUM_V3))
		j->tag_bytes = sizeof(struct jbd2_tag3);
	else
		j->tag_bytes = (wide ? 12 : 8) + (journal_has(j, JBD2_INCOMPAT_CSUM_V2) ? 2 : 0);
	j->tags_per_block = (j->c.block_size - (u32)sizeof(struct jbd2_header) - 16 - tail) /
		j->tag_bytes;
	j->revokes_per_block = (j->c.block_size - (u32)sizeof(struct jbd2_revoke) - tail) /
		(wide ? 8 : 4);
}

/* The log is empty, and the format may be brought up to what we write. The disk learns of it with
 * the first commit, but after a recovery at once. With fast commits the super block doesn't call it
 * empty: they count until a transaction with the number tid has committed. */
static int start_fresh(struct journal *j, journal_tid tid, bool recovered)
{
	struct jbd2_super *s = j->sb;
	int err = 0;

	mutex_lock(&j->sb_lock);
	{
		s->s_feature_compat &= ~be32(JBD2_COMPAT_CHECKSUM);
		j->features |= JBD2_INCOMPAT_REVOKE;
		if (j->c.checksum_v3 && !j->has_csum) {
			j->features |= JBD2_INCOMPAT_CSUM_V3;
			j->has_csum = true;
			s->s_checksum_type = JBD2_CHKSUM_CRC32C;
		}
		if (bdev_bytes(j->c.fs_dev) / j->c.block_size > U32_MAX)
			j->features |= JBD2_INCOMPAT_64BIT;
		j->features &= ~JBD2_INCOMPAT_ASYNC_COMMIT;
		s->s_feature_incompat = be32(j->features);
	}
	set_layout(j);
	s->s_sequence = be32(tid);
	s->s_start = j->fc ? be32(j->first) : 0;
	j->empty = !j->fc;
	if (recovered)
		err = super_write(j, BIO_PREFLUSH | BIO_FUA);
	mutex_unlock(&j->sb_lock);
	j->head = j->tail = j->uncommitted = j->first;
	j->tail_tid = j->next_tid = tid;
	j->done = j->request = tid - 1;
	j->free = j->last - j->first;
	return err;
}

static void free_journal(struct journal *j)
{
	rcu_synchronize(); /* journal_ordered_end may still be waking us */
	xa_destroy(&j->blocks);
	kvfree(j->fc);
	kfree(j->map);
	block_ref_put(&j->sb_ref);
	for (u32 i = 0; i < JOURNAL_RESERVE; i++)
		if (j->reserve[i])
			put_page(j->reserve[i]);
	kfree(j);
}

static int start_threads(struct journal *j)
{
	struct thread *t = kthread_run(commit_thread, j, "jbd2/%s", j->c.fs_dev->name);

	if (is_err(t))
		return (int)ptr_err(t);
	t = kthread_run(checkpoint_thread, j, "jbd2-cp/%s", j->c.fs_dev->name);
	if (!is_err(t))
		return 0;
	j->stopping = true;
	wake_up_all(&j->work);
	wait_for_completion(&j->ended[0]);
	return (int)ptr_err(t);
}

struct journal *journal_load(const struct journal_config *c, bool *recovered)
{
	struct journal *j = kzalloc(sizeof(*j), GFP_KERNEL);
	journal_tid next;
	struct mem_stats m;
	int err = -ENOMEM;

	*recovered = false;
	if (!j)
		return err_ptr(-ENOMEM);
	j->c = *c;
	if (!j->c.commit_interval_ns)
		j->c.commit_interval_ns = DEFAULT_INTERVAL;
	spin_init(&j->lock, RANK_JOURNAL);
	xa_init(&j->blocks);
	list_init(&j->committed);
	list_init(&j->late);
	mutex_init(&j->sb_lock, RANK_FS_META);
	mutex_init(&j->checkpoint_lock, RANK_JOURNAL_CHECKPOINT);
	wait_queue_init(&j->wait);
	wait_queue_init(&j->work);
	wait_queue_init(&j->cp_work);
	wait_queue_init(&j->io_wait);
	completion_init(&j->ended[0]);
	completion_init(&j->ended[1]);
	for (u32 i = 0; i < JOURNAL_RESERVE; i++) {
		j->reserve[i] = page_alloc(GFP_KERNEL);
		if (!j->reserve[i])
			goto fail;
	}
	err = -EINVAL;
	if (c->block_size < 1024 || c->block_size > PAGE_SIZE || c->nr_blocks < MIN_BLOCKS ||
		c->nr_blocks > U32_MAX)
		goto fail;
	err = load_map(j);
	if (!err)
		err = read_super(j);
	if (!err)
		err = check_super(j);
	if (err)
		goto fail;
	set_layout(j);
	next = be32(j->sb->s_sequence);
	if (j->sb->s_start) {
		err = c->read_only ? -EROFS : journal_recover(j, &next);
		if (err)
			goto fail;
		*recovered = true;
	}
	if (!next)
		next = 1;
	if (!c->read_only) {
		err = start_fresh(j, next, *recovered);
		if (err)
			goto fail;
	} else {
		j->head = j->tail = j->first;
		j->next_tid = next;
		j->done = j->request = next - 1;
		j->free = j->last - j->first;
	}
	mem_get_stats(&m);
	j->max_credits = (j->last - j->first) / 4;
	j->max_credits = (u32)min(
		(u64)j->max_credits, max(m.total * PAGE_SIZE / 16 / c->block_size, 256ul));
	j->slack = (j->last - j->first) / 64 + 8;
	err = c->read_only ? 0 : start_threads(j);
	if (!err)
		return j;
fail:
	free_journal(j);
	return err_ptr(err);
}

void run_late_callbacks(struct journal *j)
{
	for (;;) {
		struct journal_callback *cb;

		spin_lock(&j->lock);
		cb = list_first_entry_or_null(&j->late, struct journal_callback, link);
		if (cb)
			list_del(&cb->link);
		spin_unlock(&j->lock);
		if (!cb)
			return;
		cb->fn(cb, false);
	}
}

/* Forget every block and transaction: after an abort nothing is written any more. */
static void discard_transaction(struct transaction *t)
{
	while (!list_empty(&t->callbacks)) {
		struct journal_callback *cb = list_first_entry(
			&t->callbacks, struct journal_callback, link);

		list_del(&cb->link);
		cb->fn(cb, false);
	}
	transaction_free(t);
}

static void discard_all(struct journal *j)
{
	struct transaction *t;
	u64 index;
	struct jblock *b;

	spin_lock(&j->lock);
	xa_for_each(&j->blocks, index, b) {
		list_del(&b->run_link);
		list_del(&b->com_link);
		list_del(&b->cp_link);
		b->running = b->committing = b->checkpoint = NULL;
		jblock_put_unused_locked(j, b);
	}
	while (!list_empty(&j->committed)) {
		t = list_first_entry(&j->committed, struct transaction, link);
		list_del(&t->link);
		spin_unlock(&j->lock);
		transaction_free(t);
		spin_lock(&j->lock);
	}
	t = j->running;
	j->running = NULL;
	spin_unlock(&j->lock);
	if (t)
		discard_transaction(t);
}

/* Everything is home: the log counts as empty, unless a commit has begun meanwhile. */
static int mark_empty(struct journal *j)
{
	bool empty;
	int err = 0;

	mutex_lock(&j->checkpoint_lock);
	mutex_lock(&j->sb_lock);
	spin_lock(&j->lock);
	empty = !j->committing && list_empty(&j->committed) && !j->empty;
	if (empty) {
		/* A commit that begins now waits for sb_lock and then says where its log starts. */
		j->empty = true;
		j->sb->s_start = 0;
		j->sb->s_sequence = be32(j->done + 1);
	}
	spin_unlock(&j->lock);
	if (empty)
		err = super_write(j, BIO_PREFLUSH | BIO_FUA);
	mutex_unlock(&j->sb_lock);
	mutex_unlock(&j->checkpoint_lock);
	return err;
}

int journal_flush(struct journal *j)
{
	int err = j->c.read_only ? 0 : journal_commit_all(j, true);

	if (j->c.read_only)
		return 0;

	while (!err && !list_empty(&j->committed)) {
		err = checkpoint_for(j, U32_MAX);
		if (err == 1)
			err = journal_commit_all(j, true);
	}
	if (err)
		return err;
	return mark_empty(j);
}

/* Whoever reads the device later (e2fsck) shall not see old pages of the log. */
static void drop_log_pages(struct journal *j)
{
	for (u32 i = 0; i < j->nr_map; i++) {
		struct map_run *r = &j->map[i];

		object_drop_clean(j->c.dev->object, r->dev_block * j->c.block_size >> PAGE_SHIFT,
			((r->dev_block + r->count) * j->c.block_size - 1) >> PAGE_SHIFT);
	}
}

int journal_close(struct journal *j)
{
	int err = journal_flush(j);

	if (!j->c.read_only) {
		WRITE_ONCE(j->stopping, true);
		wake_up_all(&j->work);
		wake_up_all(&j->cp_work);
		wait_for_completion(&j->ended[0]);
		wait_for_completion(&j->ended[1]);
	}
	discard_all(j);
	drop_log_pages(j);
	free_journal(j);
	return err;
}

void journal_abort(struct journal *j, int err)
{
	int none = 0;

	if (!err)
		err = -EIO;
	if (!__atomic_compare_exchange_n(
		    &j->error, &none, err, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	log_err("jbd2: %s: journal aborted: %d", j->c.fs_dev->name, err);
	wake_up_all(&j->wait);
	wake_up_all(&j->work);
	wake_up_all(&j->cp_work);
}

void abort_finish(struct journal *j)
{
	int err = journal_error(j);

	if (!err || j->error_stored)
		return;
	j->error_stored = true;
	mutex_lock(&j->sb_lock);
	j->sb->s_errno = be32((u32)err);
	if (super_write(j, BIO_FUA))
		log_err("jbd2: %s: the error could not be stored", j->c.dev->name);
	mutex_unlock(&j->sb_lock);
	if (j->c.aborted)
		j->c.aborted(j->c.owner, err);
}

int journal_error(const struct journal *j)
{
	return READ_ONCE(j->error);
}

int journal_stored_error(const struct journal *j)
{
	return (int)be32(j->sb->s_errno);
}

int journal_clear_error(struct journal *j)
{
	int err;

	if (j->c.read_only)
		return -EROFS;
	mutex_lock(&j->sb_lock);
	j->sb->s_errno = 0;
	err = super_write(j, BIO_FUA);
	mutex_unlock(&j->sb_lock);
	return err;
}

void journal_set_commit_interval(struct journal *j, u64 ns)
{
	WRITE_ONCE(j->c.commit_interval_ns, ns ? ns : DEFAULT_INTERVAL);
}

void journal_set_barriers(struct journal *j, bool on)
{
	WRITE_ONCE(j->c.barriers, on);
}

u32 journal_max_credits(const struct journal *j)
{
	return j->max_credits;
}

void journal_show(struct journal *j, struct seq_buf *s)
{
	seq_printf(s, "%llu transactions, %llu blocks, %llu handles\n",
		(unsigned long long)j->stat_commits, (unsigned long long)j->stat_blocks,
		(unsigned long long)j->stat_handles);
	seq_printf(s, "log: %u blocks, %u free; %u blocks in memory\n", j->last - j->first,
		READ_ONCE(j->free), READ_ONCE(j->nr_jblocks));
}
