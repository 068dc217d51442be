/*
 * Extent trees: the root in the inode, inner nodes and leaves in blocks of their own. A leaf has
 * extents sorted by file block, which don't overlap; an inner entry's ei_block is the first block
 * of the first entry below it. Every node but an empty root has entries.
 *
 * Changes are made in steps after each of which the tree is valid, each within one transaction.
 */
#include <lib/string.h>
#include "extents.h"

/* ---- nodes ------------------------------------------------------------------------------------- */

u32 ext_node_max(const struct inode *i, u32 level)
{
	u32 size = level ? ext4_of(i)->block_size : sizeof(ext4_info(i)->data);

	return (size - sizeof(struct ext4_extent_header)) / sizeof(struct ext4_extent);
}

/* Cheap, at each use: nothing below reads outside of the node. */
static bool node_sane(
	const struct inode *i, const struct ext4_extent_header *eh, u32 level, u32 depth)
{
	u32 max = ext_node_max(i, level);

	return eh->eh_magic == EXT4_EXT_MAGIC && eh->eh_depth == depth && eh->eh_max &&
		eh->eh_max <= max && eh->eh_entries <= eh->eh_max && (eh->eh_entries || !level);
}

/* The content: order, lengths, places. */
static bool node_valid(struct inode *i, struct ext4_extent_header *eh)
{
	struct ext4 *fs = ext4_of(i);
	bool special = i->ino == EXT4_RESIZE_INO || i->ino == EXT4_JOURNAL_INO;
	u64 next = 0;

	for (u32 k = 0; k < eh->eh_entries; k++) {
		if (eh->eh_depth) {
			struct ext4_extent_idx *x = ext_idx(eh, k);

			if (x->ei_block < next || !ext4_blocks_valid(fs, ext_leaf(x), 1))
				return false;
			next = (u64)x->ei_block + 1;
		} else {
			struct ext4_extent *x = ext_at(eh, k);

			if (!x->ee_len || x->ee_block < next ||
				(!special && !ext4_blocks_valid(fs, ext_start(x), ext_len(x))))
				return false;
			next = (u64)x->ee_block + ext_len(x);
			if (next > (u64)EXT4_LBLK_END + 1)
				return false;
		}
	}
	return true;
}

static int bad_node(struct inode *i, ext4_block b)
{
	return ext4_corrupt(ext4_of(i), i->ino, b, "invalid extent tree");
}

static int read_node(
	struct inode *i, ext4_block b, u32 level, u32 depth, u32 min_lblk, struct ext_path *p)
{
	int err;

	if (!ext4_blocks_valid(ext4_of(i), b, 1))
		return bad_node(i, b);
	err = ext4_read_block(ext4_of(i), b, &p->ref);
	if (err)
		return err;
	p->eh = p->ref.data;
	if (!node_sane(i, p->eh, level, depth))
		return bad_node(i, b);
	if (!ext4_checked(&p->ref, EXT4_KIND_EXTENT)) {
		if (!ext4_extent_csum_ok(i, p->eh)) {
			(void)bad_node(i, b);
			return -EFSBADCRC;
		}
		if (!node_valid(i, p->eh))
			return bad_node(i, b);
		ext4_set_checked(&p->ref, EXT4_KIND_EXTENT);
	}
	if (ext_key(p->eh, 0) < min_lblk)
		return bad_node(i, b);
	return 0;
}

int ext4_map_check(struct inode *i)
{
	struct ext4_extent_header *eh = (void *)ext4_info(i)->data;

	if (!(ext4_info(i)->flags & EXT4_EXTENTS_FL))
		return 0;
	if (eh->eh_depth > EXT4_EXT_MAX_DEPTH || !node_sane(i, eh, 0, eh->eh_depth) ||
		(eh->eh_depth && !eh->eh_entries) || !node_valid(i, eh))
		return bad_node(i, 0);
	return 0;
}

/* ---- paths ------------------------------------------------------------------------------------- */

void ext_path_put(struct ext_tree *t)
{
	for (u32 k = 1; k <= t->depth; k++)
		block_ref_put(&t->path[k].ref);
	t->depth = 0;
}

/* Last entry that starts at or before lblk; -1: none. */
static s32 search(struct ext4_extent_header *eh, ext4_lblk lblk)
{
	u32 lo = 0, hi = eh->eh_entries;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (ext_key(eh, mid) <= lblk)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (s32)lo - 1;
}

int ext_find(struct inode *i, ext4_lblk lblk, struct ext_tree *t)
{
	struct ext4_extent_header *eh = (void *)ext4_info(i)->data;
	u32 depth = eh->eh_depth;
	int err;

	t->depth = 0;
	if (depth > EXT4_EXT_MAX_DEPTH || !node_sane(i, eh, 0, depth))
		return bad_node(i, 0);
	t->path[0].ref.page = NULL;
	t->path[0].eh = eh;
	for (u32 level = 0;; level++) {
		struct ext_path *p = &t->path[level];
		struct ext4_extent_idx *x;

		p->at = search(p->eh, lblk);
		if (level == depth)
			return 0;
		p->at = max(p->at, 0);
		if (!p->eh->eh_entries) {
			ext_path_put(t);
			return bad_node(i, 0);
		}
		x = ext_idx(p->eh, (u32)p->at);
		t->path[level + 1].ref.page = NULL;
		t->depth = level + 1;
		err = read_node(i, ext_leaf(x), level + 1, depth - level - 1, x->ei_block,
			&t->path[level + 1]);
		if (err) {
			ext_path_put(t);
			return err;
		}
	}
}

/* First key behind what the path points to; EXT4_LBLK_END: nothing follows. */
ext4_lblk ext_next_key(struct ext_tree *t)
{
	for (s32 level = (s32)t->depth; level >= 0; level--) {
		struct ext_path *p = &t->path[level];

		if (p->at + 1 < (s32)p->eh->eh_entries)
			return ext_key(p->eh, (u32)(p->at + 1));
	}
	return EXT4_LBLK_END;
}

int ext4_ext_lookup(struct inode *i, struct ext4_map *m)
{
	struct ext_tree t;
	struct ext_path *leaf;
	int err = ext_find(i, m->lblk, &t);

	if (err)
		return err;
	leaf = &t.path[t.depth];
	if (leaf->at >= 0) {
		struct ext4_extent *x = ext_at(leaf->eh, (u32)leaf->at);
		u32 off = m->lblk - x->ee_block;

		if (off < ext_len(x)) {
			m->block = ext_start(x) + off;
			m->len = ext_len(x) - off;
			m->flags = ext_unwritten(x) ? EXT4_MAP_UNWRITTEN : EXT4_MAP_MAPPED;
			ext_path_put(&t);
			return 0;
		}
	}
	m->len = ext_next_key(&t) - m->lblk;
	ext_path_put(&t);
	return 0;
}

/* ---- changes ----------------------------------------------------------------------------------- */

int ext_begin_change(struct handle *h, struct ext_tree *t, u32 level)
{
	return level ? journal_get_write(h, &t->path[level].ref) : 0;
}

/* The root is written with the inode by who started the change. */
int ext_end_change(struct handle *h, struct inode *i, struct ext_tree *t, u32 level)
{
	if (!level)
		return 0;
	ext4_extent_csum_set(i, t->path[level].eh);
	return journal_dirty(h, &t->path[level].ref);
}

/* The first key of the leaf, or of the node at level, has changed: so do the ones above. */
int ext_fix_keys(struct handle *h, struct inode *i, struct ext_tree *t, u32 level)
{
	for (; level > 0; level--) {
		struct ext_path *p = &t->path[level - 1];
		u32 key = ext_key(t->path[level].eh, 0);
		int err;

		if (ext_key(p->eh, (u32)p->at) == key)
			return 0;
		err = ext_begin_change(h, t, level - 1);
		if (err)
			return err;
		ext_idx(p->eh, (u32)p->at)->ei_block = key;
		err = ext_end_change(h, i, t, level - 1);
		if (err)
			return err;
		if (p->at)
			return 0;
	}
	return 0;
}

static bool can_merge(const struct ext4_extent *a, const struct ext4_extent *b)
{
	u32 max = ext_unwritten(a) ? EXT4_EXT_UNWRITTEN_MAX_LEN : EXT4_EXT_INIT_MAX_LEN;

	return ext_unwritten(a) == ext_unwritten(b) && a->ee_block + ext_len(a) == b->ee_block &&
		ext_start(a) + ext_len(a) == ext_start(b) && ext_len(a) + ext_len(b) <= max;
}

/* Entry k takes in the one behind it. The leaf is being changed. */
bool ext_try_merge(struct ext4_extent_header *eh, u32 k)
{
	struct ext4_extent *a = ext_at(eh, k), *b = a + 1;

	if (k + 1 >= eh->eh_entries || !can_merge(a, b))
		return false;
	ext_set_len(a, ext_len(a) + ext_len(b), ext_unwritten(a));
	memmove(b, b + 1, (eh->eh_entries - k - 2) * sizeof(*b));
	eh->eh_entries--;
	return true;
}

static int new_node(
	struct handle *h, struct inode *i, struct ext_tree *t, ext4_block *b, struct block_ref *ref)
{
	struct ext4_alloc a = {.inode = i, .len = 1, .flags = EXT4_ALLOC_META};
	int err;

	a.goal = t->depth ? t->path[t->depth].ref.block : ext4_alloc_goal(i, 0);
	err = ext4_alloc_blocks(h, &a, b);
	if (err)
		return err;
	err = ext4_new_block_ref(ext4_of(i), *b, ref);
	if (!err)
		err = journal_get_create(h, ref);
	if (err) {
		int e = ext4_free_blocks(h, i, *b, 1, EXT4_FREE_META);

		block_ref_put(ref);
		return e ? e : err;
	}
	return 0;
}

/* Fill a new node with entries from elsewhere; consumes ref. */
static int fill_node(struct handle *h, struct inode *i, struct block_ref *ref, u32 depth,
	const void *entries, u32 nr)
{
	struct ext4_extent_header *eh = ref->data;
	int err;

	*eh = (struct ext4_extent_header){.eh_magic = EXT4_EXT_MAGIC,
		.eh_entries = (u16)nr,
		.eh_max = (u16)ext_node_max(i, 1),
		.eh_depth = (u16)depth};
	memcpy(ext_at(eh, 0), entries, nr * sizeof(struct ext4_extent));
	ext4_extent_csum_set(i, eh);
	err = journal_dirty(h, ref);
	block_ref_put(ref);
	return err;
}

/* The root's entries go to a block of their own, one level deeper. */
static int grow_root(struct handle *h, struct inode *i, struct ext_tree *t)
{
	struct ext4_extent_header *eh = t->path[0].eh;
	struct block_ref ref;
	ext4_block b;
	u32 key;
	int err;

	if (eh->eh_depth >= EXT4_EXT_MAX_DEPTH)
		return -EFBIG;
	err = new_node(h, i, t, &b, &ref);
	if (err)
		return err;
	key = ext_key(eh, 0);
	err = fill_node(h, i, &ref, eh->eh_depth, ext_at(eh, 0), eh->eh_entries);
	eh->eh_depth++;
	eh->eh_entries = 1;
	*ext_idx(eh, 0) = (struct ext4_extent_idx){
		.ei_block = key, .ei_leaf_lo = (u32)b, .ei_leaf_hi = (u16)(b >> 32)};
	return err;
}

/* The node at level is full, its parent has room: its upper part goes to a new node. */
static int split_node(struct handle *h, struct inode *i, struct ext_tree *t, u32 level)
{
	struct ext_path *p = &t->path[level], *up = &t->path[level - 1];
	u32 nr = p->eh->eh_entries, keep, key;
	struct ext4_extent_idx *x;
	struct block_ref ref;
	ext4_block b;
	int err;

	/* A file that grows at its end leaves full nodes behind. */
	keep = p->at + 1 >= (s32)nr ? nr - 1 : nr / 2;
	if (!keep)
		return bad_node(i, p->ref.block);
	err = ext_begin_change(h, t, level);
	if (!err)
		err = ext_begin_change(h, t, level - 1);
	if (!err)
		err = new_node(h, i, t, &b, &ref);
	if (err)
		return err;
	key = ext_key(p->eh, keep);
	err = fill_node(h, i, &ref, p->eh->eh_depth, ext_at(p->eh, keep), nr - keep);
	if (err)
		return err;
	p->eh->eh_entries = (u16)keep;
	x = ext_idx(up->eh, (u32)up->at + 1);
	memmove(x + 1, x, (up->eh->eh_entries - (u32)up->at - 1) * sizeof(*x));
	*x = (struct ext4_extent_idx){
		.ei_block = key, .ei_leaf_lo = (u32)b, .ei_leaf_hi = (u16)(b >> 32)};
	up->eh->eh_entries++;
	err = ext_end_change(h, i, t, level);
	return err ? err : ext_end_change(h, i, t, level - 1);
}

static int make_room(struct handle *h, struct inode *i, struct ext_tree *t)
{
	for (s32 level = (s32)t->depth - 1; level >= 0; level--)
		if (t->path[level].eh->eh_entries < t->path[level].eh->eh_max)
			return split_node(h, i, t, (u32)level + 1);
	return grow_root(h, i, t);
}

/* Into the leaf of the path; 1: it is full. */
static int insert_in_leaf(struct handle *h, struct inode *i, struct ext_tree *t,
	const struct ext4_extent *new, bool merge)
{
	struct ext_path *leaf = &t->path[t->depth];
	struct ext4_extent_header *eh = leaf->eh;
	u32 at = (u32)(leaf->at + 1);
	struct ext4_extent *x = ext_at(eh, at);
	bool left, right;
	int err;

	if ((leaf->at >= 0 && x[-1].ee_block + (u64)ext_len(x - 1) > new->ee_block) ||
		ext_next_key(t) < new->ee_block + (u64)ext_len(new))
		return bad_node(i, 0); /* overlaps */
	left = merge && leaf->at >= 0 && can_merge(x - 1, new);
	right = merge && at < eh->eh_entries && can_merge(new, x);
	if (!left && !right && eh->eh_entries >= eh->eh_max)
		return 1;
	err = ext_begin_change(h, t, t->depth);
	if (err)
		return err;
	if (left) {
		ext_set_len(x - 1, ext_len(x - 1) + ext_len(new), ext_unwritten(new));
		(void)ext_try_merge(eh, at - 1);
	} else if (right) {
		u32 len = ext_len(x) + ext_len(new);

		*x = *new;
		ext_set_len(x, len, ext_unwritten(new));
	} else {
		memmove(x + 1, x, (eh->eh_entries - at) * sizeof(*x));
		*x = *new;
		eh->eh_entries++;
	}
	err = ext_end_change(h, i, t, t->depth);
	return err || at ? err : ext_fix_keys(h, i, t, t->depth);
}

int ext_insert(struct handle *h, struct inode *i, const struct ext4_extent *new, bool merge)
{
	for (int tries = 0; tries < 2 * EXT4_EXT_MAX_DEPTH + 4; tries++) {
		struct ext_tree t;
		int err = ext_find(i, new->ee_block, &t);

		if (err)
			return err;
		err = insert_in_leaf(h, i, &t, new, merge);
		if (err == 1)
			err = make_room(h, i, &t) ?: 1;
		ext_path_put(&t);
		if (err <= 0)
			return err;
	}
	return bad_node(i, 0);
}

int ext4_ext_insert(struct handle *h, struct inode *i, const struct ext4_map *m)
{
	struct ext4_extent new = {.ee_block = m->lblk,
		.ee_start_lo = (u32)m->block,
		.ee_start_hi = (u16)(m->block >> 32)};

	ext_set_len(&new, m->len, m->flags & EXT4_MAP_UNWRITTEN);
	return ext_insert(h, i, &new, true);
}

/* The length of the extent that starts at lblk. */
static int set_len(struct handle *h, struct inode *i, ext4_lblk lblk, u32 len)
{
	struct ext_tree t;
	struct ext_path *leaf;
	int err = ext_find(i, lblk, &t);

	if (err)
		return err;
	leaf = &t.path[t.depth];
	if (leaf->at < 0 || ext_key(leaf->eh, (u32)leaf->at) != lblk)
		err = bad_node(i, 0);
	if (!err)
		err = ext_begin_change(h, &t, t.depth);
	if (!err) {
		struct ext4_extent *x = ext_at(leaf->eh, (u32)leaf->at);

		ext_set_len(x, len, ext_unwritten(x));
		err = ext_end_change(h, i, &t, t.depth);
	}
	ext_path_put(&t);
	return err;
}

/* If an extent lies across lblk, make two of it that meet there. */
int ext_split_at(struct handle *h, struct inode *i, ext4_lblk lblk)
{
	struct ext4_extent right, *x;
	struct ext_path *leaf;
	struct ext_tree t;
	u32 len, off, start;
	int err = ext_find(i, lblk, &t);

	if (err)
		return err;
	leaf = &t.path[t.depth];
	x = leaf->at < 0 ? NULL : ext_at(leaf->eh, (u32)leaf->at);
	off = x ? lblk - x->ee_block : 0;
	if (!off || off >= ext_len(x)) {
		ext_path_put(&t);
		return 0;
	}
	len = ext_len(x);
	start = x->ee_block;
	right = *x;
	right.ee_block = lblk;
	ext_set_start(&right, ext_start(x) + off);
	ext_set_len(&right, len - off, ext_unwritten(x));
	err = ext_begin_change(h, &t, t.depth);
	if (!err) {
		ext_set_len(x, off, ext_unwritten(x));
		err = ext_end_change(h, i, &t, t.depth);
	}
	ext_path_put(&t);
	if (err)
		return err;
	err = ext_insert(h, i, &right, false);
	if (err && set_len(h, i, start, len))
		return -EIO;
	return err;
}

int ext4_ext_convert(struct handle *h, struct inode *i, ext4_lblk lblk, u32 len)
{
	struct ext_path *leaf;
	struct ext4_extent *x;
	struct ext_tree t;
	int err = ext_split_at(h, i, lblk);

	if (!err)
		err = ext_split_at(h, i, lblk + len);
	if (!err)
		err = ext_find(i, lblk, &t);
	if (err)
		return err;
	leaf = &t.path[t.depth];
	x = leaf->at < 0 ? NULL : ext_at(leaf->eh, (u32)leaf->at);
	if (!x || x->ee_block != lblk || ext_len(x) != len)
		err = bad_node(i, 0);
	if (!err)
		err = ext_begin_change(h, &t, t.depth);
	if (!err) {
		ext_set_len(x, len, false);
		(void)ext_try_merge(leaf->eh, (u32)leaf->at);
		if (leaf->at > 0)
			(void)ext_try_merge(leaf->eh, (u32)leaf->at - 1);
		err = ext_end_change(h, i, &t, t.depth);
	}
	ext_path_put(&t);
	return err;
}
