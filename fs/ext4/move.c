/*
 * EXT4_IOC_MOVE_EXT: a file gets the blocks of another one, the donor, which gets the file's.
 *
 * In pieces: what the file has in a piece is written to the donor's blocks, and when it has arrived
 * one transaction exchanges the blocks. The commit's flush comes after the data, so a crash leaves
 * the file with the same content in either place. The file's pages are locked meanwhile; the
 * donor's are dropped. What the donor has got reads as zeroes.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include "extents.h"

#define PIECE 32u /* pages locked at once */

struct piece {
	struct inode *orig, *donor;
	ext4_lblk lblk, donor_lblk;
	u32 len;
	struct ext4_map from, to; /* as they were found: one run each */
	struct page *pages[PIECE];
	u32 nr_pages;
};

/* ---- the exchange, in one handle --------------------------------------------------------------- */

/* The extent that is exactly [lblk, lblk + len), of the run that was found. 1: it isn't any more. */
static int find_exact(struct handle *h, struct inode *i, ext4_lblk lblk, const struct ext4_map *run,
	struct ext_tree *t)
{
	struct ext_path *leaf;
	struct ext4_extent *x;
	int err = ext_find(i, lblk, t);

	if (err)
		return err;
	leaf = &t->path[t->depth];
	x = leaf->at < 0 ? NULL : ext_at(leaf->eh, (u32)leaf->at);
	if (!x || x->ee_block != lblk || ext_len(x) != run->len || ext_start(x) != run->block ||
		ext_unwritten(x) != !!(run->flags & EXT4_MAP_UNWRITTEN))
		err = 1;
	else
		err = ext_begin_change(h, t, t->depth);
	if (err)
		ext_path_put(t);
	return err;
}

static int finish(struct handle *h, struct inode *i, struct ext_tree *t)
{
	struct ext_path *leaf = &t->path[t->depth];
	int err;

	(void)ext_try_merge(leaf->eh, (u32)leaf->at);
	if (leaf->at > 0)
		(void)ext_try_merge(leaf->eh, (u32)leaf->at - 1);
	err = ext_end_change(h, i, t, t->depth);
	ext_path_put(t);
	return err;
}

/* data_sem of both held. */
static int exchange(struct handle *h, struct piece *p)
{
	struct ext_tree a, b;
	struct ext4_extent *x, *y;
	int err = ext_split_at(h, p->orig, p->lblk), e;

	if (!err)
		err = ext_split_at(h, p->orig, p->lblk + p->len);
	if (!err)
		err = ext_split_at(h, p->donor, p->donor_lblk);
	if (!err)
		err = ext_split_at(h, p->donor, p->donor_lblk + p->len);
	if (!err)
		err = find_exact(h, p->orig, p->lblk, &p->from, &a);
	if (err)
		return err;
	err = find_exact(h, p->donor, p->donor_lblk, &p->to, &b);
	if (err) {
		ext_path_put(&a);
		return err;
	}
	x = ext_at(a.path[a.depth].eh, (u32)a.path[a.depth].at);
	y = ext_at(b.path[b.depth].eh, (u32)b.path[b.depth].at);
	ext_set_start(x, p->to.block);
	ext_set_start(y, p->from.block);
	ext_set_len(y, p->len, true);
	err = finish(h, p->orig, &a);
	e = finish(h, p->donor, &b);
	return err ? err : e;
}

static int exchange_in_handle(struct piece *p)
{
	struct inode *first = min(p->orig, p->donor), *second = max(p->orig, p->donor);
	struct inode *both[2] = {p->orig, p->donor};
	struct handle *h = ext4_begin(
		ext4_of(p->orig), ext4_map_credits(p->orig, 2) + ext4_map_credits(p->donor, 2) + 8);
	int err;

	if (is_err(h))
		return ptr_err(h);
	rwsem_write_lock(&ext4_info(first)->data_sem);
	rwsem_write_lock_nested(&ext4_info(second)->data_sem); /* by address */
	err = exchange(h, p);
	for (u32 k = 0; k < 2; k++) {
		struct ext4_inode_info *n = ext4_info(both[k]);

		n->last_alloc = 0;
		ext4_map_cache_drop(both[k]);
		WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
	}
	rwsem_write_unlock(&ext4_info(second)->data_sem);
	rwsem_write_unlock(&ext4_info(first)->data_sem);
	for (u32 k = 0; k < 2; k++) {
		int e = ext4_mark_inode_dirty(h, both[k]);

		err = err ? err : e;
	}
	return err > 0 ? (ext4_end(h, 0) ?: err) : ext4_end(h, err);
}

/* ---- the content ------------------------------------------------------------------------------- */

static u32 blocks_per_page(const struct ext4 *fs)
{
	return (u32)(PAGE_SIZE >> fs->block_bits);
}

/* The file's pages of the piece, locked, uptodate, at rest. 1: they aren't all there any more. */
static int lock_pages(struct piece *p)
{
	for (u32 k = 0; k < p->nr_pages; k++) {
		struct page *page = p->pages[k];

		page_lock(page); /* lower index before higher */
		if (page->object == &p->orig->object && page_test(page, PG_UPTODATE)) {
			page_wait_writeback(page);
			continue;
		}
		for (u32 done = 0; done <= k; done++)
			page_unlock(p->pages[done]);
		return 1;
	}
	return 0;
}

static void unlock_pages(struct piece *p)
{
	for (u32 k = 0; k < p->nr_pages; k++)
		page_unlock(p->pages[k]);
}

static void put_pages(struct piece *p)
{
	for (u32 k = 0; k < p->nr_pages; k++)
		put_page(p->pages[k]);
	p->nr_pages = 0;
}

static int get_pages(struct piece *p)
{
	u32 per = blocks_per_page(ext4_of(p->orig));
	u64 first = p->lblk / per, last = ((u64)p->lblk + p->len - 1) / per;

	for (u64 index = first; index <= last; index++) {
		struct page *page = object_get_page(&p->orig->object, index, OBJ_WITHIN);

		if (is_err(page)) {
			put_pages(p);
			return ptr_err(page);
		}
		p->pages[p->nr_pages++] = page;
	}
	return 0;
}

/* The content goes to the donor's blocks, and has arrived when this returns. */
static int copy(struct piece *p)
{
	struct ext4 *fs = ext4_of(p->orig);
	u32 per = blocks_per_page(fs), k = p->lblk % per, done = 0;
	struct bio *bio = bio_alloc(fs->dev, (u16)p->nr_pages, BIO_WRITE,
		p->to.block * fs->sectors_per_block, 0, GFP_NOFS);
	int err = 0;

	if (!bio)
		return -ENOMEM;
	for (u32 n = 0; n < p->nr_pages && !err; n++, k = 0) {
		u32 part = min(per - k, p->len - done);

		if (!bio_add_page(bio, p->pages[n], k << fs->block_bits, part << fs->block_bits))
			err = -EIO;
		done += part;
	}
	if (!err)
		err = bio_submit_wait(bio);
	bio_free(bio);
	return err;
}

/* No page of the donor's piece is in memory; invalidate_lock held for writing. -EBUSY. */
static int drop_donor(struct piece *p)
{
	struct vm_object *o = &p->donor->object;
	u32 per = blocks_per_page(ext4_of(p->donor));
	u64 first = p->donor_lblk / per, last = ((u64)p->donor_lblk + p->len - 1) / per;

	for (int tries = 0; tries < 3; tries++) {
		int err;

		object_unmap(o, first, last, false);
		err = object_write_range(
			o, first << PAGE_SHIFT, ((last + 1) << PAGE_SHIFT) - 1, true);
		if (err)
			return err;
		object_drop_clean(o, first, last);
		if (!object_has_pages(o, first, last))
			return 0;
	}
	return -EBUSY; /* somebody keeps using it */
}

/* 1: something has changed, look again. */
static int move_piece(struct piece *p)
{
	bool data = p->from.flags & EXT4_MAP_MAPPED;
	int err = data ? get_pages(p) : 0;

	if (err)
		return err;
	rwsem_write_lock(&p->donor->object.invalidate_lock);
	err = drop_donor(p);
	if (!err)
		err = lock_pages(p);
	if (!err) {
		if (data)
			err = copy(p);
		if (!err)
			err = exchange_in_handle(p);
		unlock_pages(p);
	}
	rwsem_write_unlock(&p->donor->object.invalidate_lock);
	put_pages(p);
	return err;
}

/* ---- ranges ------------------------------------------------------------------------------------ */

/* i_rwsem of both held for writing. */
static int move_range(
	struct inode *orig, struct inode *donor, u64 at, u64 donor_at, u64 len, u64 *moved)
{
	struct piece *p = kmalloc(sizeof(*p), GFP_KERNEL | GFP_ZERO);
	u32 per = blocks_per_page(ext4_of(orig)), tries = 0;
	int err = p ? 0 : -ENOMEM;

	while (len && !err) {
		u32 most = (u32)min_t(u64, len, PIECE * per - at % per);
		u32 n;

		p->orig = orig;
		p->donor = donor;
		p->lblk = (ext4_lblk)at;
		p->donor_lblk = (ext4_lblk)donor_at;
		p->from = (struct ext4_map){.lblk = p->lblk, .len = most};
		p->to = (struct ext4_map){.lblk = p->donor_lblk, .len = most};
		err = ext4_map_blocks(NULL, orig, &p->from, 0);
		if (!err)
			err = ext4_map_blocks(NULL, donor, &p->to, 0);
		if (err)
			break;
		n = min(p->from.len, p->to.len);
		p->len = p->from.len = p->to.len = n;
		if (p->from.block && p->to.block) {
			err = move_piece(p);
			if (err == 1 && ++tries < 10) {
				err = 0;
				continue;
			}
			err = err == 1 ? -EBUSY : err;
			*moved += err ? 0 : n;
		}
		tries = 0;
		at += n;
		donor_at += n;
		len -= n;
		if (!err && signal_interrupts(current_thread(), THREAD_KILLABLE))
			err = -EINTR;
		cond_resched();
	}
	kfree(p);
	return err;
}

static int check(struct inode *orig, struct inode *donor, u64 at, u64 donor_at, u64 *len)
{
	struct ext4 *fs = ext4_of(orig);
	u32 per = blocks_per_page(fs);
	u64 end = div_round_up(orig->object.size, (u64)fs->block_size);
	u64 donor_end = div_round_up(donor->object.size, (u64)fs->block_size);

	if (donor->mode & (S_ISUID | S_ISGID))
		return -EINVAL;
	if (donor->flags & (INODE_IMMUTABLE | INODE_APPEND))
		return -EPERM;
	if (!(ext4_info(orig)->flags & ext4_info(donor)->flags & EXT4_EXTENTS_FL) ||
		ext4_data_in_journal(orig) || ext4_data_in_journal(donor))
		return -EOPNOTSUPP;
	if (!end || !donor_end || at % per != donor_at % per)
		return -EINVAL;
	if (at >= EXT4_LBLK_END || donor_at >= EXT4_LBLK_END || *len > EXT4_LBLK_END ||
		at + *len > EXT4_LBLK_END || donor_at + *len > EXT4_LBLK_END)
		return -EINVAL;
	if (at >= end)
		return -ENODATA;
	if (donor_at >= donor_end)
		return -EINVAL;
	*len = min(*len, min(end - at, donor_end - donor_at));
	return 0;
}

int ext4_move_extents(struct file *f, struct file *from, u64 at, u64 donor_at, u64 len, u64 *moved)
{
	struct inode *orig = f->inode, *donor = from->inode;
	struct inode *first = min(orig, donor), *second = max(orig, donor);
	const struct ext4_extent_header *root = (const void *)ext4_info(orig)->data;
	int err;

	if (orig == donor || !S_ISREG(orig->mode) || !S_ISREG(donor->mode))
		return -EINVAL;
	rwsem_write_lock(&first->rwsem);
	rwsem_write_lock_nested(&second->rwsem); /* by address */
	err = check(orig, donor, at, donor_at, &len);
	if (!err && !root->eh_entries)
		err = -ENODATA;
	if (!err)
		err = object_write_range(&orig->object, 0, U64_MAX, true);
	if (!err)
		err = object_write_range(&donor->object, 0, U64_MAX, true);
	if (!err)
		err = move_range(orig, donor, at, donor_at, len, moved);
	rwsem_write_unlock(&second->rwsem);
	rwsem_write_unlock(&first->rwsem);
	return err;
}
