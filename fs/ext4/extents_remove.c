/* Extent trees: removal of ranges and shifting, in steps that fit a transaction. */
#include <lib/string.h>
#include "extents.h"

static void remove_entry(struct ext4_extent_header *eh, u32 at)
{
	struct ext4_extent *x = ext_at(eh, at);

	memmove(x, x + 1, (eh->eh_entries - at - 1) * sizeof(*x));
	eh->eh_entries--;
}

/* The leaf has lost an entry: empty nodes go, keys above follow. */
static int after_removal(struct handle *h, struct inode *i, struct ext_tree *t)
{
	u32 level = t->depth;
	int err;

	while (level && !t->path[level].eh->eh_entries) {
		ext4_block b = t->path[level].ref.block;

		err = ext_begin_change(h, t, level - 1);
		if (err)
			return err;
		block_ref_put(&t->path[level].ref);
		remove_entry(t->path[level - 1].eh, (u32)t->path[level - 1].at);
		err = ext4_free_blocks(h, i, b, 1, EXT4_FREE_META);
		level--;
		if (err)
			return err;
		if (t->path[level].eh->eh_entries || !level) {
			err = ext_end_change(h, i, t, level);
			if (err)
				return err;
		}
	}
	if (!level && !t->path[0].eh->eh_entries) {
		t->path[0].eh->eh_depth = 0;
		return 0;
	}
	return ext_fix_keys(h, i, t, level);
}

/* A root with one child whose entries fit into it takes them over. */
static int shrink_root(struct handle *h, struct inode *i)
{
	struct ext4_extent_header *eh = (void *)ext4_info(i)->data, *child;

	while (eh->eh_depth && eh->eh_entries == 1) {
		struct ext_tree t;
		ext4_block b;
		int err = ext_find(i, 0, &t);

		if (err)
			return err;
		child = t.path[1].eh;
		if (child->eh_entries > eh->eh_max) {
			ext_path_put(&t);
			return 0;
		}
		b = t.path[1].ref.block;
		memcpy(ext_at(eh, 0), ext_at(child, 0),
			child->eh_entries * sizeof(struct ext4_extent));
		eh->eh_entries = child->eh_entries;
		eh->eh_depth--;
		ext_path_put(&t);
		err = ext4_free_blocks(h, i, b, 1, EXT4_FREE_META);
		if (err)
			return err;
	}
	return 0;
}

/* Cut [lo, hi) out of the extent that the path points to, and free it. */
static int cut(struct handle *h, struct inode *i, struct ext_tree *t, ext4_lblk lo, u64 hi)
{
	struct ext_path *leaf = &t->path[t->depth];
	struct ext4_extent *x = ext_at(leaf->eh, (u32)leaf->at);
	u64 end = (u64)x->ee_block + ext_len(x);
	ext4_block b = ext_start(x) + (lo - x->ee_block);
	bool unwritten = ext_unwritten(x);
	int err = ext_begin_change(h, t, t->depth);

	if (err)
		return err;
	if (lo == x->ee_block && hi == end) {
		remove_entry(leaf->eh, (u32)leaf->at);
	} else if (lo == x->ee_block) {
		ext_set_start(x, ext_start(x) + (hi - lo));
		ext_set_len(x, (u32)(end - hi), unwritten);
		x->ee_block = (u32)hi;
	} else {
		ext_set_len(x, lo - x->ee_block, unwritten); /* hi == end: see step */
	}
	/* An empty node is on its way out. */
	if (leaf->eh->eh_entries || !t->depth)
		err = ext_end_change(h, i, t, t->depth);
	if (!err && !leaf->at)
		err = after_removal(h, i, t);
	if (!err)
		err = ext4_free_blocks(h, i, b, (u32)(hi - lo), 0);
	return err;
}

/* One piece, within one group, from the end. 1: there may be more; 0: done. */
int ext4_ext_remove(struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last)
{
	struct ext4 *fs = ext4_of(i);
	struct ext_path *leaf;
	struct ext4_extent *x;
	struct ext_tree t;
	ext4_block b, group_start;
	ext4_lblk lo;
	u64 end, hi;
	int err = ext_find(i, last, &t);

	if (err)
		return err;
	leaf = &t.path[t.depth];
	x = leaf->at < 0 ? NULL : ext_at(leaf->eh, (u32)leaf->at);
	end = x ? (u64)x->ee_block + ext_len(x) : 0;
	if (end <= first) {
		ext_path_put(&t);
		return shrink_root(h, i);
	}
	hi = min_t(u64, (u64)last + 1, end);
	lo = max(first, x->ee_block);
	if (hi < end && lo > x->ee_block) { /* a piece out of the middle */
		ext_path_put(&t);
		err = ext_split_at(h, i, (ext4_lblk)hi);
		return err ? err : 1;
	}
	b = ext_start(x) + (lo - x->ee_block);
	group_start = b + (hi - lo) - 1;
	group_start -= (group_start - fs->es->s_first_data_block) % fs->blocks_per_group;
	if (group_start > b && hi == end)
		lo += (ext4_lblk)(group_start - b);
	else if (group_start > b) /* the front stays: cut from the front, group by group */
		hi = lo +
			min_t(u64, hi - lo,
				fs->blocks_per_group -
					(b - fs->es->s_first_data_block) % fs->blocks_per_group);
	if (ext4_data_in_journal(i) && hi - lo > EXT4_LOGGED_STEP) {
		if (hi == end)
			lo = (ext4_lblk)(hi - EXT4_LOGGED_STEP);
		else
			hi = (u64)lo + EXT4_LOGGED_STEP;
	}
	err = cut(h, i, &t, lo, hi);
	ext_path_put(&t);
	return err ? err : 1;
}

/* ---- shifting ---------------------------------------------------------------------------------- */

/*
 * One leaf. *cursor: next file block to look at, from `from` upwards for a shift to the left, from
 * the end downwards for one to the right. 1: more to do.
 */
int ext4_ext_shift(
	struct handle *h, struct inode *i, ext4_lblk from, s64 shift, u64 *cursor, bool first)
{
	struct ext4_extent_header *eh;
	struct ext_path *leaf;
	struct ext_tree t;
	bool leftmost = true;
	ext4_lblk next;
	s32 lo, hi;
	int err = first && shift > 0 ? ext_split_at(h, i, from) : 0;

	if (!err)
		err = ext_find(i, (ext4_lblk)*cursor, &t);
	if (err)
		return err;
	leaf = &t.path[t.depth];
	eh = leaf->eh;
	lo = 0;
	while (lo < (s32)eh->eh_entries && ext_key(eh, (u32)lo) < from)
		lo++;
	hi = (s32)eh->eh_entries;
	if (shift < 0) {
		while (lo < hi && ext_key(eh, (u32)lo) < *cursor)
			lo++;
		leaf->at = hi - 1; /* what follows the leaf */
		next = ext_next_key(&t);
	} else {
		next = hi ? ext_key(eh, 0) : 0;
		if (hi &&
			(u64)ext_key(eh, (u32)hi - 1) + ext_len(ext_at(eh, (u32)hi - 1)) +
					(u64)shift >
				EXT4_LBLK_END &&
			first) {
			ext_path_put(&t);
			return -EINVAL;
		}
	}
	for (u32 level = 0; level < t.depth; level++)
		leftmost = leftmost && !t.path[level].at;
	if (lo < hi) {
		err = ext_begin_change(h, &t, t.depth);
		if (err)
			goto out;
		for (s32 k = lo; k < hi; k++)
			ext_at(eh, (u32)k)->ee_block = (u32)(ext_key(eh, (u32)k) + shift);
		err = ext_end_change(h, i, &t, t.depth);
		if (!err && !lo)
			err = ext_fix_keys(h, i, &t, t.depth);
		if (err)
			goto out;
	}
	if (shift < 0) {
		*cursor = next;
		err = next != EXT4_LBLK_END;
	} else {
		*cursor = next ? next - 1 : 0;
		err = lo == 0 && next > from && !leftmost;
	}
out:
	ext_path_put(&t);
	return err;
}
