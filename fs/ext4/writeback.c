/*
 * File pages to and from the disk.
 *
 * A dirty page has promises (ext4_reserve) for those of its blocks that have no place yet: a bit
 * each in page->private. Writeback gives them places, and in the same handle submits their content;
 * the handle's transaction can't commit before it has arrived (journal_ordered_*), so that no crash
 * shows what stood there before. A hole without promise in a dirty page holds zeroes: it stays one.
 *
 * Data that goes through the journal (data=journal, chattr +j) is copied into the device's page
 * cache and joins the handle's transaction there, as metadata does; the file's page is clean then.
 * Until the checkpoint has brought it home, reads of such a file take it from there
 * (journal_copy_block).
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include "ext4.h"

/* page->private of a file's page; page lock, or writeback which excludes all others */
#define PROMISED(k) (1ull << (k))       /* block k of the page has a promise */
#define PLACED(k)   (1ull << (8 + (k))) /* ... a place, as far as the cache knows */
#define PART_SHIFT  16                  /* atomic: parts of the page under way */
#define BATCH       256                 /* pages that one handle brings out */
#define BATCH_SMALL 16
#define LOGGED_RUN  64 /* blocks of data that enter the journal with one wish for credits */

static u32 blocks_per_page(const struct ext4 *fs)
{
	return (u32)(PAGE_SIZE >> fs->block_bits);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* What lies behind the end of the file reads as zero, whatever the disk has. */
static void clear_tail(struct vm_object *o, struct page *p)
{
	u64 size = READ_ONCE(o->size), start = p->index << PAGE_SHIFT;

	if (size < start + PAGE_SIZE) {
		u32 off = size <= start ? 0 : (u32)(size - start);

		memset((char *)page_address(p) + off, 0, PAGE_SIZE - off);
	}
}

/* The caller holds the page lock, which excludes the page's writeback. */
static bool held_by_journal(struct inode *i, ext4_block b, u32 n)
{
	struct journal *j = ext4_of(i)->journal;

	return READ_ONCE(ext4_info(i)->data_logged) && j && journal_holds(j, b, n);
}

static int read_part(struct ext4 *fs, struct page *p, u32 k, ext4_block b, u32 n)
{
	struct bio *bio = bio_alloc(fs->dev, 1, BIO_READ, b * fs->sectors_per_block, 0, GFP_NOFS);
	int err;

	if (!bio)
		return -ENOMEM;
	if (!bio_add_page(bio, p, k << fs->block_bits, n << fs->block_bits))
		err = -EIO;
	else
		err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

/* Some of the blocks are in the journal, others, perhaps, have come home. */
static int read_logged(struct ext4 *fs, struct page *p, u32 k, ext4_block b, u32 n)
{
	int err = 0;

	for (; n && !err; n--, k++, b++)
		if (!journal_copy_block(
			    fs->journal, b, (char *)page_address(p) + (k << fs->block_bits)))
			err = read_part(fs, p, k, b, 1);
	return err;
}

static int fill(struct vm_object *o, struct page *p)
{
	struct inode *i = o->owner;
	struct ext4 *fs = ext4_of(i);
	u32 nr = blocks_per_page(fs);
	u64 first = p->index * nr;

	for (u32 k = 0; k < nr;) {
		struct ext4_map m = {.lblk = (ext4_lblk)(first + k), .len = nr - k};
		int err = first + nr > EXT4_LBLK_END ? -EFBIG : ext4_map_blocks(NULL, i, &m, 0);

		if (err)
			return err;
		if ((m.flags & EXT4_MAP_MAPPED) && held_by_journal(i, m.block, m.len))
			err = read_logged(fs, p, k, m.block, m.len);
		else if (m.flags & EXT4_MAP_MAPPED)
			err = read_part(fs, p, k, m.block, m.len);
		else
			memset((char *)page_address(p) + (k << fs->block_bits), 0,
				m.len << fs->block_bits);
		if (err)
			return err;
		k += m.len;
	}
	clear_tail(o, p);
	return 0;
}

static void read_done(struct bio *b)
{
	for (u32 k = 0; k < b->nr_vecs; k++) {
		struct page *p = b->vecs[k].page;

		if (!b->status)
			clear_tail(b->private, p);
		page_end_read(p, !b->status);
	}
	bio_free(b);
}

static void read_pages(struct vm_object *o, struct page **pages, u32 n)
{
	struct inode *i = o->owner;
	struct ext4 *fs = ext4_of(i);
	u32 per = blocks_per_page(fs);
	struct bio *bio = NULL;

	for (u32 at = 0; at < n;) {
		struct ext4_map m = {
			.lblk = (ext4_lblk)(pages[at]->index * per), .len = (n - at) * per};
		int err = ext4_map_blocks(NULL, i, &m, 0);
		u32 whole = err ? 0 : m.len / per;

		if (whole && (m.flags & EXT4_MAP_MAPPED) && held_by_journal(i, m.block, m.len))
			whole = 0;
		if (!whole) { /* pieces */
			err = fill(o, pages[at]);
			page_end_read(pages[at++], !err);
			continue;
		}
		for (u32 k = 0; k < whole; k++, at++) {
			struct page *p = pages[at];
			u64 sector = (m.block + (u64)k * per) * fs->sectors_per_block;

			if (!(m.flags & EXT4_MAP_MAPPED)) {
				memset(page_address(p), 0, PAGE_SIZE);
				page_end_read(p, true);
				continue;
			}
			if (bio &&
				(bio_end_sector(bio) != sector ||
					!bio_add_page(bio, p, 0, PAGE_SIZE))) {
				bio_submit(bio);
				bio = NULL;
			} else if (bio) {
				continue;
			}
			bio = bio_alloc(
				fs->dev, (u16)min(n - at, 32u), BIO_READ, sector, 0, GFP_NOFS);
			if (bio && !bio_add_page(bio, p, 0, PAGE_SIZE)) {
				bio_free(bio);
				bio = NULL;
			}
			if (!bio) {
				page_end_read(p, false);
				continue;
			}
			bio->end_io = read_done;
			bio->private = o;
		}
	}
	if (bio)
		bio_submit(bio);
}

/* ---- promises ---------------------------------------------------------------------------------- */

/* Blocks that nobody writes get no promise: they would take room that others could have. */
static int make_writable(struct vm_object *o, struct page *p, u32 from, u32 to)
{
	struct inode *i = o->owner;
	struct ext4 *fs = ext4_of(i);
	u32 nr = blocks_per_page(fs), last = (to - 1) >> fs->block_bits, need = 0;
	u64 first = p->index * nr, placed = 0, promised = 0;
	int err;

	if (first + nr > EXT4_LBLK_END)
		return -EFBIG;
	for (u32 k = from >> fs->block_bits; k <= last; k++) {
		struct ext4_map m = {.lblk = (ext4_lblk)(first + k), .len = 1};

		if (p->private & (PROMISED(k) | PLACED(k)))
			continue;
		err = ext4_map_blocks(NULL, i, &m, 0);
		if (err)
			return err;
		if (m.flags & (EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN)) {
			placed |= PLACED(k);
		} else {
			promised |= PROMISED(k);
			need++;
		}
	}
	err = need ? ext4_reserve(i, need) : 0;
	if (!err)
		p->private |= placed | promised;
	return err;
}

/* Promises of blocks [from, nr) of the page end. */
static void break_promises(struct inode *i, struct page *p, u32 from)
{
	u32 nr = blocks_per_page(ext4_of(i)), n = 0;

	for (u32 k = from; k < nr; k++)
		if (p->private & PROMISED(k))
			n++;
	for (u32 k = from; k < nr; k++)
		__atomic_fetch_and(&p->private, ~(PROMISED(k) | PLACED(k)), __ATOMIC_RELAXED);
	if (n)
		ext4_unreserve(i, n);
}

static void page_gone(struct vm_object *o, struct page *p)
{
	break_promises(o->owner, p, 0);
}

void ext4_forget_places(struct inode *i, u64 index)
{
	struct page *p = object_find(&i->object, index);

	if (!p)
		return;
	page_lock(p);
	if (p->object == &i->object) {
		page_wait_writeback(p);
		for (u32 k = 0; k < blocks_per_page(ext4_of(i)); k++)
			p->private &= ~PLACED(k);
	}
	page_unlock(p);
	put_page(p);
}

/* ---- writing ----------------------------------------------------------------------------------- */

struct out { /* one batch on its way */
	struct inode *inode;
	struct ext4 *fs;
	struct handle *h;
	struct bio *bio;
	struct page **pages;
	u32 nr;   /* pages, consecutive */
	u64 size; /* of the file when they were taken */
	u32 io_flags;
	bool logged; /* the content goes through the journal */
};

static void part_done(struct page *p)
{
	if (!(__atomic_sub_fetch(&p->private, 1ull << PART_SHIFT, __ATOMIC_ACQ_REL) >> PART_SHIFT))
		page_end_writeback(p);
}

static void parts_done(struct bio *b)
{
	for (u32 k = 0; k < b->nr_vecs; k++)
		part_done(b->vecs[k].page);
	bio_free(b);
}

/* Data of i is lost: fsync and syncfs tell. */
static void lost(struct inode *i, int err)
{
	err = err == -ENOSPC || err == -EDQUOT ? err : -EIO;
	object_set_wb_error(&i->object, err);
	errseq_set(&i->super->wb_err, err);
}

static void note_error(struct bio *b)
{
	if (b->status && b->nr_vecs)
		lost(b->vecs[0].page->object->owner, b->status);
}

static void write_done(struct bio *b)
{
	note_error(b);
	parts_done(b);
}

/* The blocks of one piece that has not arrived are taken out of the file: a hole reads as zero. */
static int drop_blocks(const struct bio_vec *v)
{
	struct inode *i = v->page->object->owner;
	struct ext4 *fs = ext4_of(i);
	u32 k = v->offset >> fs->block_bits, n = v->len >> fs->block_bits;
	ext4_lblk first = (ext4_lblk)(v->page->index * blocks_per_page(fs) + k);
	struct handle *h = ext4_begin(fs, EXT4_REMOVE_CREDITS);
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = ext4_end(h, ext4_remove_range(h, i, first, first + n - 1));
	for (u32 end = k + n; !err && k < end; k++)
		__atomic_fetch_and(&v->page->private, ~PLACED(k), __ATOMIC_RELAXED);
	return err;
}

/*
 * New blocks whose content has not arrived must not show what stood there before. Their pages are
 * under writeback until this is done: who syncs, truncates or unmounts waits.
 */
static void failed_work(struct work *w)
{
	struct ext4 *fs = container_of(w, struct ext4, failed_work);

	for (struct bio *b = xchg(&fs->failed_bios, NULL), *next; b; b = next) {
		int err = 0;

		next = b->next;
		for (u32 k = 0; k < b->nr_vecs && !err; k++)
			err = drop_blocks(&b->vecs[k]);
		if (err)
			log_err("ext4: %s: blocks without their data stay in a file: error %s",
				fs->super->id, errno_name(err));
		parts_done(b);
	}
}

void ext4_writeback_init(struct ext4 *fs)
{
	work_init(&fs->failed_work, failed_work);
}

/* As write_done, for blocks that are new to their file. */
static void write_new_done(struct bio *b)
{
	struct transaction *t = b->private;
	struct ext4 *fs;

	note_error(b);
	if (t) /* at once: the work may have to wait for its commit */
		journal_ordered_end(t, b->status);
	if (!b->status || !b->nr_vecs) {
		parts_done(b);
		return;
	}
	fs = ext4_of(b->vecs[0].page->object->owner);
	b->next = READ_ONCE(fs->failed_bios);
	while (!try_cmpxchg(&fs->failed_bios, &b->next, b))
		;
	work_queue(&fs->failed_work);
}

static void send(struct out *w)
{
	if (w->bio)
		bio_submit(w->bio);
	w->bio = NULL;
}

static bool promised(const struct out *w, u32 per, u32 b)
{
	return w->pages[b / per]->private & PROMISED(b % per);
}

/* Blocks [b, b + n) of the batch stand at place from now on: into bios. */
static void add_blocks(struct out *w, u32 b, u32 n, ext4_block place, bool fresh)
{
	struct ext4 *fs = w->fs;
	u32 per = blocks_per_page(fs);
	bool ordered = fresh && fs->journal && fs->opt.data == EXT4_DATA_ORDERED;
	void (*done)(struct bio *) = fresh ? write_new_done : write_done;

	while (n) {
		struct page *p = w->pages[b / per];
		u32 k = b % per, part = min(n, per - k);
		u64 sector = place * fs->sectors_per_block;

		__atomic_fetch_add(&p->private, 1ull << PART_SHIFT, __ATOMIC_RELAXED);
		if (w->bio &&
			(bio_end_sector(w->bio) != sector || w->bio->end_io != done ||
				!bio_add_page(
					w->bio, p, k << fs->block_bits, part << fs->block_bits)))
			send(w);
		else if (w->bio)
			goto added;
		w->bio = bio_alloc(fs->dev, 32, BIO_WRITE, sector, w->io_flags, GFP_NOFS);
		if (!w->bio ||
			!bio_add_page(w->bio, p, k << fs->block_bits, part << fs->block_bits)) {
			if (w->bio)
				bio_free(w->bio);
			w->bio = NULL;
			lost(w->inode, -EIO);
			part_done(p);
			goto added;
		}
		w->bio->end_io = done;
		w->bio->private = ordered && w->h ? journal_ordered_begin(w->h) : NULL;
added:
		b += part;
		n -= part;
		place += part;
	}
}

/* Enough credits for one more run, whose first `logged` blocks go to the journal. What was added
 * before belongs to the old transaction. */
static int want_credits(struct out *w, u32 logged)
{
	u32 credits = ext4_map_credits(w->inode, 1) + 3 + logged;
	int err;

	if (w->h) {
		err = journal_extend(w->h, credits);
		if (err <= 0)
			return err;
		send(w);
		return journal_restart(w->h, credits);
	}
	w->h = ext4_begin(w->fs, credits + ext4_map_credits(w->inode, 1) + 3);
	if (is_err(w->h)) {
		err = ptr_err(w->h);
		w->h = NULL;
		return err;
	}
	return 0;
}

static int stop(struct out *w, int err)
{
	struct handle *h = w->h;

	send(w);
	w->h = NULL;
	return h ? ext4_end(h, err) : err;
}

/* A place for the run of blocks from b on, up to n. *n: of how many. *place 0: none needed. */
static int place_run(struct out *w, u64 first, u32 b, u32 *n, ext4_block *place, bool *fresh)
{
	struct ext4 *fs = w->fs;
	u32 per = blocks_per_page(fs), len = 1;
	bool want = promised(w, per, b);
	struct ext4_map m = {.lblk = (ext4_lblk)(first + b)};
	int err, tries = 0;

	while (len < *n && promised(w, per, b + len) == want)
		len++;
	m.len = len;
	*fresh = false;
	if (!want) {
		err = ext4_map_blocks(NULL, w->inode, &m, 0);
		if (err || !(m.flags & EXT4_MAP_UNWRITTEN))
			goto out;
	}
	do {
		u32 get = want ? EXT4_GET_CREATE | EXT4_GET_CONVERT | EXT4_GET_DELAYED
			       : EXT4_GET_CONVERT;

		m = (struct ext4_map){.lblk = (ext4_lblk)(first + b), .len = len};
		err = want_credits(w, w->logged ? len : 0);
		if (!err)
			err = ext4_map_blocks(w->h, w->inode, &m, get);
		if (err == -ENOSPC) {
			int e = stop(w, 0);

			err = e ? e : err;
		}
	} while (err == -ENOSPC && ext4_retry_nospace(fs, &tries));
	*fresh = true;
	if (!err && want &&
		!(m.flags & EXT4_MAP_NEW)) /* fallocate was here: no need of a promise */
		ext4_unreserve(w->inode, m.len);
	for (u32 k = 0; !err && k < m.len; k++) {
		struct page *p = w->pages[(b + k) / per];

		/* Parts of it that are under way count down in the same word. */
		__atomic_fetch_and(&p->private, ~PROMISED((b + k) % per), __ATOMIC_RELAXED);
		__atomic_fetch_or(&p->private, PLACED((b + k) % per), __ATOMIC_RELAXED);
	}
out:
	*n = m.len;
	*place = err ? 0 : m.block;
	return err;
}

/* The size on disk follows what has been written. */
static int grow_disk_size(struct out *w)
{
	struct inode *i = w->inode;
	struct ext4_inode_info *n = ext4_info(i);
	u64 end = (w->pages[0]->index + w->nr) << PAGE_SHIFT, size;
	int err = 0;

	if (READ_ONCE(n->disk_size) >= min(end, w->size))
		return 0;
	if (!w->h)
		err = want_credits(w, 0);
	if (err)
		return err;
	rwsem_write_lock(&n->data_sem);
	size = min(min(end, w->size), READ_ONCE(i->object.size)); /* truncated meanwhile? */
	if (size > n->disk_size)
		n->disk_size = size;
	WRITE_ONCE(n->datasync_tid, journal_handle_tid(w->h));
	rwsem_write_unlock(&n->data_sem);
	return ext4_mark_inode_dirty(w->h, i);
}

/* ---- data through the journal ------------------------------------------------------------------ */

bool ext4_journals_data(const struct inode *i)
{
	const struct ext4 *fs = ext4_of(i);

	return S_ISREG(i->mode) && fs->journal &&
		(fs->opt.data == EXT4_DATA_JOURNAL ||
			(READ_ONCE(ext4_info(i)->flags) & EXT4_JOURNAL_DATA_FL));
}

/* fsync(2) has to wait for this transaction. */
static void note_transaction(struct out *w)
{
	struct ext4_inode_info *n = ext4_info(w->inode);
	journal_tid tid = journal_handle_tid(w->h);

	WRITE_ONCE(n->sync_tid, tid);
	WRITE_ONCE(n->datasync_tid, tid);
	WRITE_ONCE(w->fs->last_tid, tid); /* for who forgets the inode and reads it again */
}

/* Blocks [b, b + n) of the batch, which stand at place, join the handle's transaction. */
static int log_blocks(struct out *w, u32 b, u32 n, ext4_block place)
{
	struct ext4 *fs = w->fs;
	u32 per = blocks_per_page(fs);
	int err = 0;

	WRITE_ONCE(ext4_info(w->inode)->data_logged, true);
	for (u32 k = 0; k < n && !err; k++) {
		u32 at = b + k;
		struct block_ref ref;

		err = bdev_new_block(fs->dev, place + k, fs->block_size, &ref);
		if (err)
			break;
		err = journal_get_create(w->h, &ref);
		if (!err) {
			memcpy(ref.data,
				(char *)page_address(w->pages[at / per]) +
					(at % per << fs->block_bits),
				fs->block_size);
			err = journal_dirty(w->h, &ref);
		}
		block_ref_put(&ref);
	}
	note_transaction(w);
	return err;
}

/* A run as place_run found it. What an earlier mode left in the journal goes on going through it:
 * else its checkpoint would land on newer content. */
static int bring_out(struct out *w, u32 b, u32 n, ext4_block place, bool fresh)
{
	int err = 0;

	if (!w->logged && !held_by_journal(w->inode, place, n)) {
		add_blocks(w, b, n, place, fresh);
		return 0;
	}
	for (u32 done = 0; done < n && !err;) {
		u32 part = min(n - done, (u32)LOGGED_RUN);

		/* A fresh run has its credits: it mustn't be in another transaction than its map. */
		if (!w->logged || !fresh)
			err = want_credits(w, part);
		if (!err)
			err = log_blocks(w, b + done, part, place + done);
		done += part;
	}
	return err;
}

/* The pages are under writeback and unlocked; one part of each is the caller's. */
static int write_batch(struct out *w)
{
	struct ext4 *fs = w->fs;
	u32 per = blocks_per_page(fs), nr = w->nr * per;
	u64 first = w->pages[0]->index * per;
	u64 blocks = div_round_up(w->size, fs->block_size);
	int err = 0, e;

	w->logged = ext4_journals_data(w->inode);
	if (first >= blocks)
		nr = 0;
	else
		nr = (u32)min_t(u64, nr, blocks - first);
	for (u32 b = 0; b < nr && !err;) {
		u32 n = w->logged ? min(nr - b, (u32)LOGGED_RUN) : nr - b;
		ext4_block place;
		bool fresh;

		err = place_run(w, first, b, &n, &place, &fresh);
		if (!err && place)
			err = bring_out(w, b, n, place, fresh);
		b += n;
	}
	if (!err)
		err = grow_disk_size(w);
	e = stop(w, err == -ENOSPC ? 0 : err);
	err = err ? err : e;
	if (err)
		lost(w->inode, err);
	for (u32 k = 0; k < w->nr; k++) {
		struct page *p = w->pages[k];
		u64 behind = blocks > p->index * per ? blocks - p->index * per : 0;

		break_promises(w->inode, p, err ? 0 : (u32)min_t(u64, behind, per));
		part_done(p);
		put_page(p);
	}
	return err;
}

/* Locked pages from *index on, without gaps. */
static u32 collect(
	struct vm_object *o, struct wb_control *wbc, u64 *index, struct page **pages, u32 max)
{
	u32 n = 0;
	struct page *p = object_next_dirty(o, index, wbc);

	while (p) {
		struct wb_control next = {.nr = 1, .sync = wbc->sync};

		pages[n++] = p;
		++*index;
		if (n == max || n >= wbc->nr || *index > wbc->end)
			break;
		next.start = next.end = *index;
		p = object_next_dirty(o, &(u64){*index}, &next);
	}
	return n;
}

static int writeback(struct vm_object *o, struct wb_control *wbc)
{
	struct inode *i = o->owner;
	struct ext4 *fs = ext4_of(i);
	struct page *small[BATCH_SMALL], **pages = kmalloc(BATCH * sizeof(*pages), GFP_NOFS);
	u32 max = pages ? BATCH : BATCH_SMALL;
	u64 index = wbc->start;
	int err = 0;

	while (wbc->nr > 0 && index <= wbc->end) {
		struct out w = {.inode = i, .fs = fs, .pages = pages ? pages : small};
		int e;

		w.nr = collect(o, wbc, &index, w.pages, max);
		if (!w.nr)
			break;
		w.io_flags = wbc->sync ? BIO_SYNC : 0;
		w.size = READ_ONCE(o->size);
		for (u32 k = 0; k < w.nr; k++) {
			clear_tail(o, w.pages[k]);
			page_begin_writeback(w.pages[k]);
			__atomic_fetch_add(
				&w.pages[k]->private, 1ull << PART_SHIFT, __ATOMIC_RELAXED);
			page_unlock(w.pages[k]);
		}
		wbc->nr -= w.nr;
		e = write_batch(&w);
		err = err ? err : e;
		cond_resched();
	}
	kfree(pages);
	return err;
}

static bool hold(struct vm_object *o)
{
	return ref_get_unless_zero(&((struct inode *)o->owner)->refs);
}

static void unhold(struct vm_object *o)
{
	put_inode(o->owner);
}

const struct vm_object_ops g_ext4_object_ops = {
	.fill = fill,
	.read_pages = read_pages,
	.make_writable = make_writable,
	.page_gone = page_gone,
	.writeback = writeback,
	.hold = hold,
	.unhold = unhold,
};
