/* The super block's changing fields, errors, sync, statfs. */
#include <core/log.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "ext4.h"

/* ---- the super block --------------------------------------------------------------------------- */

static u64 positive(const s64 *counter)
{
	return (u64)max_t(s64, READ_ONCE(*counter), 0);
}

u64 ext4_super_reserved(const struct ext4 *fs)
{
	const struct ext4_super_block *es = fs->es;
	u64 n = READ_ONCE(es->s_r_blocks_count_lo);

	if (ext4_has_incompat(fs, 64BIT))
		n |= (u64)READ_ONCE(es->s_r_blocks_count_hi) << 32;
	return min(n, fs->blocks_count);
}

void ext4_super_counts_set(struct ext4 *fs)
{
	struct ext4_super_block *es = fs->es;
	u64 free = positive(&fs->free_blocks), now = (u64)(clock_real_ns() / NS_PER_SEC);

	es->s_free_blocks_count_lo = (u32)free;
	if (ext4_has_incompat(fs, 64BIT))
		es->s_free_blocks_count_hi = (u32)(free >> 32);
	es->s_free_inodes_count = (u32)positive(&fs->free_inodes);
	es->s_wtime = (u32)now;
	es->s_wtime_hi = (u8)(now >> 32);
	ext4_super_csum_set(fs);
}

/* A handle; the outermost counts as a change, so that freezing waits for it and it for thawing
 * (or, without wait, -EBUSY). */
static struct handle *start(struct ext4 *fs, u32 credits, bool wait)
{
	struct handle *h = journal_current();

	if (h && h->journal == fs->journal && h->dev == fs->dev)
		return journal_start(fs->journal, fs->dev, credits);
	if (wait)
		super_begin(fs->super, FREEZE_CHANGES);
	else if (!super_try_begin(fs->super, FREEZE_CHANGES))
		return err_ptr(-EBUSY);
	h = journal_start(fs->journal, fs->dev, credits);
	if (is_err(h))
		super_end(fs->super, FREEZE_CHANGES);
	else
		h->counted = fs->super;
	return h;
}

int ext4_write_super(struct ext4 *fs, bool wait)
{
	struct handle *h;
	int err;

	if (bdev_read_only(fs->dev))
		return -EROFS;
	if (fs->journal && !READ_ONCE(fs->aborted)) {
		h = start(fs, 1, false);
		if (is_err(h)) /* frozen: thawing does it */
			return h == err_ptr(-EBUSY) ? 0 : ptr_err(h);
		err = journal_get_write(h, &fs->sb_ref);
		if (!err) {
			mutex_lock(&fs->error_lock);
			ext4_super_counts_set(fs);
			mutex_unlock(&fs->error_lock);
			err = journal_dirty(h, &fs->sb_ref);
		}
		return ext4_end(h, err);
	}
	mutex_lock(&fs->error_lock);
	ext4_super_counts_set(fs);
	mutex_unlock(&fs->error_lock);
	if (!wait) {
		bdev_mark_block_dirty(fs->dev, &fs->sb_ref);
		return 0;
	}
	return bdev_write_block(fs->dev, &fs->sb_ref, fs->opt.barrier ? BIO_FUA : 0);
}

/* ---- errors ------------------------------------------------------------------------------------ */

static void go_read_only(struct ext4 *fs)
{
	WRITE_ONCE(fs->aborted, true);
	__atomic_fetch_or(&fs->super->flags, MS_RDONLY, __ATOMIC_RELAXED);
}

/* Where locks don't matter: the journal is told, the super block written. */
static void error_work(struct work *w)
{
	struct ext4 *fs = container_of(w, struct ext4, error_work);

	if (READ_ONCE(fs->aborted) && fs->journal)
		journal_abort(fs->journal, -EIO);
	if (ext4_write_super(fs, true))
		log_warn("ext4: %s: the error isn't recorded", fs->super->id);
}

void ext4_error_init(struct ext4 *fs)
{
	mutex_init(&fs->error_lock, RANK_MUTEX_LEAF);
	work_init(&fs->error_work, error_work);
}

static void record(struct ext4 *fs, int err, u64 ino, u64 block, const char *what)
{
	struct ext4_super_block *es = fs->es;
	u32 now = (u32)(clock_real_ns() / NS_PER_SEC);
	u8 code = err == -EFSCORRUPTED ? 14 : err == -EFSBADCRC ? 13 : err == -ENOMEM ? 3 : 2;

	mutex_lock(&fs->error_lock);
	es->s_state |= EXT4_ERROR_FS;
	es->s_last_error_time = now;
	es->s_last_error_ino = (u32)ino;
	es->s_last_error_block = block;
	es->s_last_error_line = 0;
	es->s_last_error_errcode = code;
	memset(es->s_last_error_func, 0, sizeof(es->s_last_error_func));
	(void)str_copy((char *)es->s_last_error_func, what, sizeof(es->s_last_error_func));
	if (!es->s_first_error_time) {
		es->s_first_error_time = now;
		es->s_first_error_ino = (u32)ino;
		es->s_first_error_block = block;
		es->s_first_error_line = 0;
		es->s_first_error_errcode = code;
		memcpy(es->s_first_error_func, es->s_last_error_func,
			sizeof(es->s_first_error_func));
	}
	es->s_error_count++;
	ext4_super_csum_set(fs);
	mutex_unlock(&fs->error_lock);
}

static void act(struct ext4 *fs, int err, u64 ino, u64 block, const char *what)
{
	if (!fs->mounted || (fs->super->flags & MS_RDONLY))
		return; /* nothing is written; the caller fails */
	record(fs, err, ino, block, what);
	if (fs->opt.errors == EXT4_ERRORS_PANIC)
		panic("ext4: %s: %s", fs->super->id, what);
	if (fs->opt.errors == EXT4_ERRORS_RO) {
		log_err("ext4: %s: remounting read-only", fs->super->id);
		go_read_only(fs);
	}
	work_queue(&fs->error_work);
}

#define MAX_LOGGED 64 /* lines of one mount: a bad image has no end of them */

int ext4_corrupt(struct ext4 *fs, u64 ino, u64 block, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	va_start(ap, fmt);
	kvsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (__atomic_fetch_add(&fs->error_flags, 1, __ATOMIC_RELAXED) < MAX_LOGGED)
		log_err("ext4: %s: inode %llu, block %llu: %s", fs->super->id,
			(unsigned long long)ino, (unsigned long long)block, text);
	act(fs, -EFSCORRUPTED, ino, block, text);
	return -EFSCORRUPTED;
}

int ext4_fatal(struct ext4 *fs, int err, const char *what)
{
	log_err("ext4: %s: error %s: %s", fs->super->id, errno_name(err), what);
	act(fs, err, 0, 0, what);
	return err;
}

void ext4_journal_aborted(void *owner, int err)
{
	struct ext4 *fs = owner;

	if (READ_ONCE(fs->aborted))
		return;
	if (!fs->mounted) { /* the mount fails: nothing is written */
		WRITE_ONCE(fs->aborted, true);
		return;
	}
	log_err("ext4: %s: the journal has stopped: error %s", fs->super->id, errno_name(err));
	record(fs, err, 0, 0, "journal");
	go_read_only(fs);
	work_queue(&fs->error_work);
}

/* ---- frozen ------------------------------------------------------------------------------------ */

void ext4_back_in_use(struct ext4 *fs)
{
	int err = ext4_mark_in_use(fs);

	if (err && fs->journal)
		ext4_journal_aborted(fs, err);
	else if (err)
		(void)ext4_fatal(fs, err, "can't be marked as in use");
}

int ext4_freeze(struct super *s)
{
	struct ext4 *fs = s->priv;
	int err;

	if (READ_ONCE(fs->aborted))
		return 0;
	err = fs->journal ? journal_flush(fs->journal) : bdev_sync(fs->dev);
	if (!err)
		err = ext4_stop_writing(fs);
	if (err)
		return err;
	mutex_lock(&fs->error_lock);
	ext4_super_counts_set(fs);
	mutex_unlock(&fs->error_lock);
	err = bdev_write_block(fs->dev, &fs->sb_ref, fs->opt.barrier ? BIO_FUA : 0);
	if (err)
		ext4_back_in_use(fs);
	return err;
}

void ext4_thaw(struct super *s)
{
	struct ext4 *fs = s->priv;

	if (!READ_ONCE(fs->aborted))
		ext4_back_in_use(fs);
}

/* ---- handles ----------------------------------------------------------------------------------- */

struct handle *ext4_begin(struct ext4 *fs, u32 credits)
{
	if (READ_ONCE(fs->aborted))
		return err_ptr(-EROFS);
	if ((READ_ONCE(fs->super->flags) & MS_RDONLY) && !fs->recovering && !journal_current() &&
		!READ_ONCE(fs->going_ro))
		return err_ptr(-EROFS);
	return ext4_start(fs, credits + 2 * fs->quota_credits);
}

struct handle *ext4_start(struct ext4 *fs, u32 credits)
{
	return start(fs, credits, true);
}

int ext4_end(struct handle *h, int err)
{
	struct super *s = h->depth == 1 ? h->counted : NULL;
	int e = journal_stop(h);

	if (s)
		super_end(s, FREEZE_CHANGES);
	return err ? err : e;
}

/* ---- sync, statfs ------------------------------------------------------------------------------ */

int ext4_sync(struct super *s, bool wait)
{
	struct ext4 *fs = s->priv;
	int err = 0, e;

	if (READ_ONCE(fs->aborted))
		return -EROFS;
	if ((s->flags & MS_RDONLY) && !READ_ONCE(fs->going_ro))
		return 0;
	if (super_is_frozen(s))
		return 0;
	super_store_times(s);
	if (wait)
		err = writeback_sync(fs->wb, true);
	else
		writeback_start(fs->wb);
	e = ext4_write_super(fs, false);
	err = err ? err : e;
	if (fs->journal)
		e = journal_commit_all(fs->journal, wait);
	else
		e = wait ? bdev_sync(fs->dev) : 0;
	err = err ? err : e;
	if (wait && fs->opt.barrier) {
		e = bdev_flush(fs->dev);
		err = err ? err : e;
	}
	return err;
}

int ext4_statfs(struct super *s, struct kstatfs *st)
{
	struct ext4 *fs = s->priv;
	u64 kept = fs->root_reserved + fs->resv_pool, a, b;
	s64 free = READ_ONCE(fs->unpromised) + READ_ONCE(fs->pending_free);

	st->type = EXT4_SUPER_MAGIC;
	st->bsize = st->frsize = fs->block_size;
	st->blocks = fs->blocks_count - (fs->opt.minixdf ? 0 : fs->overhead);
	st->bfree = (u64)max_t(s64, free, 0);
	st->bavail = st->bfree > kept ? st->bfree - kept : 0;
	st->files = fs->inodes_count;
	st->ffree = positive(&fs->free_inodes);
	st->namelen = NAME_MAX;
	memcpy(&a, fs->es->s_uuid, sizeof(a));
	memcpy(&b, fs->es->s_uuid + sizeof(a), sizeof(b));
	st->fsid = a ^ b;
	return 0;
}
