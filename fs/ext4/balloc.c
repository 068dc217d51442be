/*
 * Blocks: promised, allocated, freed.
 *
 * A group in use has a bitmap in memory (busy) of what can't be allocated: the bits of the bitmap
 * on disk, and blocks freed in a transaction that hasn't committed: were they given out before, a
 * crash would leave the old file with the new file's data. Searches look at busy only.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/mutex.h>
#include "ext4.h"

/* ---- promises ---------------------------------------------------------------------------------- */

static s64 add(s64 *counter, s64 n)
{
	return __atomic_add_fetch(counter, n, __ATOMIC_RELAXED);
}

static bool may_use_reserve(const struct ext4 *fs)
{
	const struct cred *c = current_cred();

	return c->fsuid == fs->opt.resuid || cred_capable(c, CAP_SYS_RESOURCE) ||
		(fs->opt.resgid && cred_in_group(c, fs->opt.resgid));
}

/*
 * Of the unpromised blocks *n, or as many as there are, but at least one, become the caller's; with
 * all: all or none. Who gets none has changed nothing, not even for a moment. -ENOSPC.
 */
static int claim(struct ext4 *fs, u32 *n, bool all, u32 flags)
{
	s64 keep = 0, had = __atomic_load_n(&fs->unpromised, __ATOMIC_RELAXED);
	u32 got;

	if (!(flags & EXT4_ALLOC_META))
		keep = (s64)(fs->pool +
			((flags & EXT4_ALLOC_ROOT_OK) || may_use_reserve(fs) ? 0
									     : fs->root_reserved));
	do {
		if (had - keep < (all ? (s64)*n : 1))
			return -ENOSPC;
		got = (u32)min_t(s64, *n, had - keep);
	} while (!__atomic_compare_exchange_n(
		&fs->unpromised, &had, had - got, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	*n = got;
	return 0;
}

bool ext4_retry_nospace(struct ext4 *fs, int *tries)
{
	if (!fs->journal || ++*tries > 3 || journal_current())
		return false;
	if (__atomic_load_n(&fs->pending_free, __ATOMIC_ACQUIRE) > 0)
		return !journal_commit_all(fs->journal, true);
	/* A commit may have ended since the caller looked: only a look after this one counts. */
	*tries = 3;
	return true;
}

/* Under data_sem, so that the owner doesn't change between the quota and the count. */
static int promise(struct inode *i, u32 n, bool force)
{
	struct ext4_inode_info *info = ext4_info(i);
	int err = 0;

	if (ext4_of(i)->quota) {
		err = ext4_quota_promise(i, 0, false); /* brings them in, perhaps from the disk */
		if (err)
			return err;
		if (!force)
			rwsem_read_lock(&info->data_sem); /* who forces has it */
		err = ext4_quota_promise(i, n, force);
	}
	if (!err) {
		spin_lock(&i->spin);
		info->reserved += n;
		spin_unlock(&i->spin);
	}
	if (ext4_of(i)->quota && !force)
		rwsem_read_unlock(&info->data_sem);
	return err;
}

int ext4_reserve(struct inode *i, u32 n)
{
	struct ext4 *fs = ext4_of(i);
	int err, tries = 0;
	u32 want = n;

	do
		err = claim(fs, &want, true, 0);
	while (err == -ENOSPC && ext4_retry_nospace(fs, &tries));
	if (err)
		return err;
	err = promise(i, n, false);
	if (err)
		add(&fs->unpromised, n);
	return err;
}

void ext4_repromise(struct inode *i, u32 n)
{
	add(&ext4_of(i)->unpromised, -(s64)n);
	if (promise(i, n, true))
		WARN_ON(true);
}

/* n promised blocks of i are promised no longer: how many really were, which the caller has now. */
static u32 end_promise(struct inode *i, u32 n)
{
	struct ext4_inode_info *info = ext4_info(i);

	spin_lock(&i->spin);
	if (WARN_ON(info->reserved < n))
		n = info->reserved;
	info->reserved -= n;
	spin_unlock(&i->spin);
	return n;
}

void ext4_unreserve(struct inode *i, u32 n)
{
	struct ext4_inode_info *info = ext4_info(i);
	bool quota = ext4_of(i)->quota != NULL;

	if (quota)
		rwsem_read_lock(&info->data_sem);
	add(&ext4_of(i)->unpromised, end_promise(i, n));
	if (quota && ext4_quota_promise(i, -(s64)n, true))
		WARN_ON(true);
	if (quota)
		rwsem_read_unlock(&info->data_sem);
}

void ext4_count_blocks(struct inode *i, s64 n)
{
	struct ext4_inode_info *info = ext4_info(i);

	spin_lock(&i->spin);
	info->nr_blocks = n < 0 && info->nr_blocks < (u64)-n ? 0 : info->nr_blocks + (u64)n;
	i->blocks = info->nr_blocks * ext4_of(i)->sectors_per_block;
	spin_unlock(&i->spin);
}

/* ---- bitmaps ----------------------------------------------------------------------------------- */

static void group_is_bad(struct ext4 *fs, u32 n, struct ext4_group *g, const char *why)
{
	if (!g->bad_blocks) {
		add(&fs->free_blocks, -(s64)g->free_blocks);
		add(&fs->unpromised, -(s64)g->free_blocks);
	}
	g->bad_blocks = true;
	(void)ext4_corrupt(
		fs, 0, ext4_desc_block_bitmap(fs, g->desc), "block bitmap of group %u: %s", n, why);
}

static bool is_uninit(const struct ext4 *fs, const struct ext4_group *g)
{
	return (fs->has_csum || fs->has_gdt_csum) && (g->desc->bg_flags & EXT4_BG_BLOCK_UNINIT);
}

/* As mke2fs would have written it: the file system's own blocks, and the padding. */
static void fresh_bitmap(struct ext4 *fs, u32 n, u64 *bits)
{
	u32 blocks = ext4_group_blocks(fs, n);

	memset(bits, 0, fs->block_size);
	ext4_group_mark_own(fs, n, bits);
	bitmap_set_range(bits, blocks, fs->block_size * 8 - blocks);
}

/* g->lock held. The bitmap's block; with the first use busy is made and the content checked. */
static int load_bitmap(struct ext4 *fs, u32 n, struct ext4_group *g, struct block_ref *ref)
{
	u32 blocks = ext4_group_blocks(fs, n);
	u64 *own;
	int err;

	ref->page = NULL;
	if (g->bad_blocks)
		return -EFSCORRUPTED;
	if (!is_uninit(fs, g)) {
		err = ext4_read_block(fs, ext4_desc_block_bitmap(fs, g->desc), ref);
		if (err || g->busy)
			return err;
	} else if (g->busy) {
		return 0;
	}
	g->busy = kvmalloc(fs->block_size, GFP_NOFS);
	own = kvmalloc(fs->block_size, GFP_NOFS);
	err = g->busy && own ? 0 : -ENOMEM;
	if (!err)
		fresh_bitmap(fs, n, own);
	if (!err && ref->page) {
		bool own_set = true;

		memcpy(g->busy, ref->data, fs->block_size);
		for (u32 k = 0; k < fs->block_size / 8 && own_set; k++) {
			u64 mask = k * 64 + 64 <= blocks ? ~0ull
				: k * 64 >= blocks       ? 0
							 : (1ull << (blocks % 64)) - 1;

			own_set = !(own[k] & mask & ~g->busy[k]);
		}
		bitmap_set_range(g->busy, blocks, fs->block_size * 8 - blocks);
		if (!ext4_block_bitmap_csum_ok(fs, n, ref->data)) {
			group_is_bad(fs, n, g, "bad checksum");
			err = -EFSBADCRC;
		} else if (!own_set) {
			group_is_bad(fs, n, g, "metadata isn't marked");
			err = -EFSCORRUPTED;
		}
	} else if (!err) {
		memcpy(g->busy, own, fs->block_size);
	}
	if (!err && blocks - bitmap_count(g->busy, blocks) != g->free_blocks) {
		group_is_bad(fs, n, g, "free blocks are miscounted");
		err = -EFSCORRUPTED;
	}
	kvfree(own);
	if (err) {
		block_ref_put(ref);
		kvfree(g->busy);
		g->busy = NULL;
	}
	return err;
}

/* The bitmap and the descriptor are going to change; an uninitialised bitmap gets content. */
static int begin_change(
	struct handle *h, struct ext4 *fs, u32 n, struct ext4_group *g, struct block_ref *ref)
{
	int err = journal_get_write(h, &g->desc_ref);

	if (err)
		return err;
	if (!is_uninit(fs, g))
		return journal_get_write(h, ref);
	err = ext4_new_block_ref(fs, ext4_desc_block_bitmap(fs, g->desc), ref);
	if (!err)
		err = journal_get_create(h, ref);
	if (err)
		return err;
	fresh_bitmap(fs, n, ref->data);
	ext4_block_bitmap_csum_set(fs, n, ref->data);
	g->desc->bg_flags &= (u16)~EXT4_BG_BLOCK_UNINIT;
	return 0;
}

/* Bits [start, start + count) have been inverted. */
static int end_change(struct handle *h, struct ext4 *fs, u32 n, struct ext4_group *g,
	struct block_ref *ref, u32 start, u32 count)
{
	int err;

	if (count)
		ext4_block_bitmap_csum_flip(fs, n, start, count);
	ASSERT(ext4_block_bitmap_csum_ok(fs, n, ref->data));
	ext4_group_counts_set(fs, n, g);
	err = journal_dirty(h, ref);
	return err ? err : journal_dirty(h, &g->desc_ref);
}

/* ---- search ------------------------------------------------------------------------------------ */

struct run {
	u32 start, len;
};

/* From bit start on: the first run of want blocks, else the longest. */
static struct run find_run(const u64 *busy, u32 blocks, u32 start, u32 want)
{
	struct run best = {};
	u32 at = start;

	while (at < blocks) {
		u32 from = (u32)bitmap_next_clear(busy, blocks, at), to;

		if (from >= blocks)
			break;
		to = (u32)bitmap_next_set(busy, min(blocks, from + want), from);
		if (to - from >= want)
			return (struct run){from, want};
		if (to - from > best.len)
			best = (struct run){from, to - from};
		at = to + 1;
	}
	return best;
}

/*
 * A run in group n: at goal (a bit; ~0: anywhere), of want blocks, at least least. On success the
 * bits are taken. -ENOSPC.
 */
static int take_in_group(
	struct handle *h, struct ext4 *fs, u32 n, u32 goal, u32 want, u32 least, struct run *out)
{
	struct ext4_group *g = ext4_group(fs, n);
	u32 blocks = ext4_group_blocks(fs, n);
	struct block_ref ref;
	struct run r = {};
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(fs, n, g, &ref);
	if (err)
		goto out;
	if (goal < blocks && !bitmap_test(g->busy, goal)) {
		r.start = goal;
		r.len = (u32)bitmap_next_set(g->busy, min(blocks, goal + want), goal) - goal;
	}
	if (r.len < min(want, 8u) && r.len < want) {
		struct run f = find_run(g->busy, blocks, goal < blocks ? goal : 0, want);

		if (f.len < want && goal < blocks)
			f = find_run(g->busy, blocks, 0, want);
		if (f.len > r.len)
			r = f;
		if (r.len < want)
			WRITE_ONCE(g->largest_free, r.len);
	}
	err = r.len < least || !r.len ? -ENOSPC : 0;
	if (!err)
		err = begin_change(h, fs, n, g, &ref);
	if (err)
		goto out;
	bitmap_set_range(g->busy, r.start, r.len);
	bitmap_set_range(ref.data, r.start, r.len);
	WRITE_ONCE(g->free_blocks, g->free_blocks - r.len);
	add(&fs->free_blocks, -(s64)r.len);
	err = end_change(h, fs, n, g, &ref, r.start, r.len);
	*out = r;
out:
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

static bool worth_a_look(struct ext4_group *g, u32 least)
{
	return !g->bad_blocks && READ_ONCE(g->free_blocks) - READ_ONCE(g->pending) >= least &&
		READ_ONCE(g->free_blocks) && READ_ONCE(g->largest_free) >= least;
}

static int search_once(
	struct handle *h, struct ext4 *fs, ext4_block goal, u32 want, struct run *r, u32 *group)
{
	u32 nr = fs->nr_groups, first, bit, least[] = {want, max(want / 8, 1u), 1};
	int err;

	if (goal < fs->es->s_first_data_block || goal >= fs->blocks_count)
		goal = fs->es->s_first_data_block;
	first = (u32)((goal - fs->es->s_first_data_block) / fs->blocks_per_group);
	bit = (u32)((goal - fs->es->s_first_data_block) % fs->blocks_per_group);
	*group = first;
	if (READ_ONCE(ext4_group(fs, first)->free_blocks)) {
		err = take_in_group(h, fs, first, bit, want, min(want, 8u), r);
		if (!err || (err != -ENOSPC && err != -EFSCORRUPTED && err != -EFSBADCRC))
			return err;
	}
	for (u32 pass = 0; pass < ARRAY_SIZE(least); pass++)
		for (u32 k = 0; k < nr; k++) {
			u32 n = (first + k) % nr;

			if (!worth_a_look(ext4_group(fs, n), least[pass]))
				continue;
			*group = n;
			err = take_in_group(h, fs, n, ~0u, want, least[pass], r);
			if (!err || (err != -ENOSPC && err != -EFSCORRUPTED && err != -EFSBADCRC))
				return err;
			cond_resched();
		}
	return -ENOSPC;
}

/* Who searches owns as many blocks: there are some, but FITRIM may hold them for the moment. */
static int search(
	struct handle *h, struct ext4 *fs, ext4_block goal, u32 want, struct run *r, u32 *group)
{
	int err = search_once(h, fs, goal, want, r, group);

	if (err == -ENOSPC) {
		mutex_lock(&fs->trim_lock);
		err = search_once(h, fs, goal, want, r, group);
		mutex_unlock(&fs->trim_lock);
	}
	return err;
}

int ext4_alloc_blocks(struct handle *h, struct ext4_alloc *a, ext4_block *out)
{
	struct inode *i = a->inode;
	struct ext4 *fs = ext4_of(i);
	bool delayed = a->flags & EXT4_ALLOC_DELAYED;
	u32 claimed = min(max(a->len, 1u), fs->blocks_per_group), group = 0;
	struct run r = {};
	int err = 0;

	if (!delayed) {
		err = claim(fs, &claimed, false, a->flags);
		if (err)
			return err;
		err = ext4_quota_blocks(i, claimed);
		if (err) {
			add(&fs->unpromised, claimed);
			return err;
		}
	}
	err = search(h, fs, a->goal, claimed, &r, &group);
	if (!err) {
		*out = ext4_group_first(fs, group) + r.start;
		a->len = r.len;
		if (!ext4_blocks_valid(fs, *out, r.len))
			err = ext4_corrupt(fs, i->ino, *out, "the bitmap gave metadata away");
		else if (!(ext4_info(i)->flags & EXT4_EXTENTS_FL) && *out + r.len > U32_MAX)
			err = -ENOSPC;
	}
	if (delayed) {
		if (!err) {
			end_promise(i, r.len);
			err = ext4_quota_claim(i, r.len);
		} else {
			add(&fs->unpromised, -(s64)r.len); /* taken, but nobody's */
		}
	} else {
		add(&fs->unpromised, (s64)claimed - r.len);
		if (claimed > r.len && ext4_quota_blocks(i, -(s64)(claimed - r.len)))
			err = err ? err : -EIO;
	}
	if (!err)
		ext4_count_blocks(i, r.len);
	return err;
}

/* ---- freeing ----------------------------------------------------------------------------------- */

struct freed { /* waits for its transaction */
	struct journal_callback cb;
	struct ext4 *fs;
	u32 group, start, count;
};

static void release(struct ext4 *fs, u32 group, u32 start, u32 count)
{
	struct ext4_group *g = ext4_group(fs, group);

	mutex_lock(&g->lock);
	if (g->busy)
		bitmap_clear_range(g->busy, start, count);
	WRITE_ONCE(g->pending, g->pending - count);
	WRITE_ONCE(g->largest_free, ~0u);
	mutex_unlock(&g->lock);
	add(&fs->unpromised, count);
	__atomic_sub_fetch(&fs->pending_free, count, __ATOMIC_RELEASE); /* ext4_retry_nospace */
}

static void freed_for_good(struct journal_callback *cb, bool committed)
{
	struct freed *f = container_of(cb, struct freed, cb);
	struct ext4 *fs = f->fs;

	if (committed) {
		if (fs->opt.discard)
			(void)!bdev_discard(fs->dev,
				(ext4_group_first(fs, f->group) + f->start) * fs->sectors_per_block,
				(u64)f->count * fs->sectors_per_block);
		release(fs, f->group, f->start, f->count);
	}
	kfree(f);
}

static int free_in_group(
	struct handle *h, struct inode *i, struct ext4 *fs, u32 n, u32 start, u32 count)
{
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref;
	struct freed *f = kmalloc(sizeof(*f), GFP_NOFS);
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(fs, n, g, &ref);
	if (!err &&
		(!ref.page || bitmap_next_clear(ref.data, start + count, start) < start + count))
		err = ext4_corrupt(fs, i->ino, ext4_group_first(fs, n) + start,
			"frees blocks that are free (%u)", count);
	if (!err)
		err = begin_change(h, fs, n, g, &ref);
	if (!err) {
		bitmap_clear_range(ref.data, start, count);
		WRITE_ONCE(g->free_blocks, g->free_blocks + count);
		WRITE_ONCE(g->pending, g->pending + count);
		add(&fs->free_blocks, count);
		add(&fs->pending_free, count);
		err = end_change(h, fs, n, g, &ref, start, count);
	} else {
		kfree(f);
		f = NULL;
	}
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	if (err) {
		kfree(f);
		return err;
	}
	if (!h->journal) {
		kfree(f);
		release(fs, n, start, count);
	} else if (f) { /* without memory for it they stay unusable until the next mount */
		*f = (struct freed){.cb.fn = freed_for_good,
			.fs = fs,
			.group = n,
			.start = start,
			.count = count};
		list_init(&f->cb.link);
		journal_on_commit(h, &f->cb);
	}
	return 0;
}

int ext4_free_blocks(struct handle *h, struct inode *i, ext4_block b, u32 count, u32 flags)
{
	struct ext4 *fs = ext4_of(i);
	int err = 0;

	if (!ext4_blocks_valid(fs, b, count))
		return ext4_corrupt(fs, i->ino, b, "frees %u blocks that aren't a file's", count);
	/* Directories and long links, too: their blocks are metadata, an old copy of which in the
	 * log must never land on the next owner's. */
	if (ext4_data_in_journal(i))
		flags |= EXT4_FREE_META;
	for (u32 done = 0; done < count && !err;) {
		u64 off = b + done - fs->es->s_first_data_block;
		u32 n = (u32)(off / fs->blocks_per_group), bit = (u32)(off % fs->blocks_per_group);
		u32 part = min(count - done, fs->blocks_per_group - bit);

		if ((flags & EXT4_FREE_META) && !h->journal)
			bdev_forget_blocks(fs->dev, b + done, part, fs->block_size);
		for (u32 k = 0; (flags & EXT4_FREE_META) && k < part && !err; k++)
			err = journal_forget(h, b + done + k);
		if (!err)
			err = free_in_group(h, i, fs, n, bit, part);
		if (!err) {
			ext4_count_blocks(i, -(s64)part);
			if (!(flags & EXT4_FREE_NOQUOTA))
				err = ext4_quota_blocks(i, -(s64)part);
		}
		done += part;
	}
	return err;
}

/* ---- given blocks ------------------------------------------------------------------------------ */

static int claim_in_group(
	struct handle *h, struct inode *i, struct ext4 *fs, u32 n, u32 start, u32 count)
{
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref;
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(fs, n, g, &ref);
	if (!err && ref.page && bitmap_next_set(ref.data, start + count, start) < start + count)
		err = ext4_corrupt(fs, i->ino, ext4_group_first(fs, n) + start,
			"blocks of a fast commit are in use");
	if (!err)
		err = begin_change(h, fs, n, g, &ref);
	if (!err) {
		bitmap_set_range(g->busy, start, count);
		bitmap_set_range(ref.data, start, count);
		WRITE_ONCE(g->free_blocks, g->free_blocks - count);
		add(&fs->free_blocks, -(s64)count);
		add(&fs->unpromised, -(s64)count);
		err = end_change(h, fs, n, g, &ref, start, count);
	}
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

static int hold_in_group(struct ext4 *fs, u32 n, u32 start, u32 count)
{
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref;
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(fs, n, g, &ref);
	if (!err)
		bitmap_set_range(g->busy, start, count);
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

int ext4_claim_blocks(struct handle *h, struct inode *i, ext4_block b, u32 count)
{
	struct ext4 *fs = ext4_of(i);
	int err = 0;

	if (!ext4_blocks_valid(fs, b, count))
		return ext4_corrupt(
			fs, i->ino, b, "claims %u blocks that can't be a file's", count);
	while (count && !err) {
		u64 off = b - fs->es->s_first_data_block;
		u32 n = (u32)(off / fs->blocks_per_group), bit = (u32)(off % fs->blocks_per_group);
		u32 part = min(count, fs->blocks_per_group - bit);

		err = claim_in_group(h, i, fs, n, bit, part);
		if (!err) {
			ext4_count_blocks(i, part);
			err = ext4_quota_blocks(i, part);
		}
		b += part;
		count -= part;
	}
	return err;
}

int ext4_hold_blocks(struct ext4 *fs, ext4_block b, u32 count)
{
	int err = 0;

	if (!ext4_blocks_valid(fs, b, count))
		return -EFSCORRUPTED;
	while (count && !err) {
		u64 off = b - fs->es->s_first_data_block;
		u32 n = (u32)(off / fs->blocks_per_group), bit = (u32)(off % fs->blocks_per_group);
		u32 part = min(count, fs->blocks_per_group - bit);

		err = hold_in_group(fs, n, bit, part);
		b += part;
		count -= part;
	}
	return err;
}

/* ---- growing ----------------------------------------------------------------------------------- */

int ext4_group_lengthen(struct handle *h, struct ext4 *fs, u32 n, u32 from, u32 to)
{
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref;
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(fs, n, g, &ref);
	if (!err)
		err = begin_change(h, fs, n, g, &ref);
	if (!err) {
		bitmap_clear_range(g->busy, from, to - from);
		bitmap_clear_range(ref.data, from, to - from);
		WRITE_ONCE(g->free_blocks, g->free_blocks + (to - from));
		WRITE_ONCE(g->largest_free, ~0u);
		/* What the bits behind the end were was nobody's business. */
		ext4_block_bitmap_csum_set(fs, n, ref.data);
		err = end_change(h, fs, n, g, &ref, from, 0);
	}
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

/* ---- FITRIM ------------------------------------------------------------------------------------ */

/* Free runs are held busy while the device works on them, with the group unlocked. */
static int trim_group(struct ext4 *fs, u32 n, u32 from, u32 to, u32 least, u64 *trimmed)
{
	struct ext4_group *g = ext4_group(fs, n);
	int err = 0;

	for (u32 at = from; at < to && !err;) {
		struct block_ref ref;
		u32 start, end;

		mutex_lock(&fs->trim_lock);
		mutex_lock(&g->lock);
		err = load_bitmap(fs, n, g, &ref);
		start = err ? to : (u32)bitmap_next_clear(g->busy, to, at);
		end = start >= to ? to : (u32)bitmap_next_set(g->busy, to, start);
		if (start < to && end - start >= least)
			bitmap_set_range(g->busy, start, end - start);
		block_ref_put(&ref);
		mutex_unlock(&g->lock);
		if (start < to && end - start >= least) {
			err = bdev_discard(fs->dev,
				(ext4_group_first(fs, n) + start) * fs->sectors_per_block,
				(u64)(end - start) * fs->sectors_per_block);
			mutex_lock(&g->lock);
			bitmap_clear_range(g->busy, start, end - start);
			WRITE_ONCE(g->largest_free, ~0u);
			mutex_unlock(&g->lock);
			if (!err)
				*trimmed += (u64)(end - start) << fs->block_bits;
		}
		mutex_unlock(&fs->trim_lock);
		at = end + 1;
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return -ERESTARTSYS;
		cond_resched();
	}
	return err;
}

int ext4_trim(struct ext4 *fs, u64 start, u64 len, u64 minlen, u64 *trimmed)
{
	u64 first = max_t(u64, start >> fs->block_bits, fs->es->s_first_data_block);
	u64 end = start + len < start ? U64_MAX : start + len;
	u64 least = max_t(u64, minlen >> fs->block_bits, 1);
	int err = 0;

	*trimmed = 0;
	end = min_t(u64, end >> fs->block_bits, fs->blocks_count);
	if (start >> fs->block_bits >= fs->blocks_count || least > fs->blocks_per_group ||
		len < fs->block_size)
		return -EINVAL;
	while (first < end && !err) {
		u64 off = first - fs->es->s_first_data_block;
		u32 n = (u32)(off / fs->blocks_per_group), bit = (u32)(off % fs->blocks_per_group);
		u32 to = (u32)min_t(u64, ext4_group_blocks(fs, n), bit + (end - first));

		if (READ_ONCE(ext4_group(fs, n)->free_blocks) >= least)
			err = trim_group(fs, n, bit, to, (u32)least, trimmed);
		if (err == -EFSCORRUPTED || err == -EFSBADCRC)
			err = 0;
		first += to - bit;
	}
	return err;
}
