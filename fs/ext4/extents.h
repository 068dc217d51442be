/* What the files about extent trees share. */
#ifndef FS_EXT4_EXTENTS_H
#define FS_EXT4_EXTENTS_H

#include "ext4.h"

struct ext_path {
	struct block_ref ref; /* the node's block; none for the root */
	struct ext4_extent_header *eh;
	s32 at; /* entry on the way; in the leaf -1: none starts so early */
};
struct ext_tree { /* the way from the root to a leaf */
	u32 depth;
	struct ext_path path[EXT4_EXT_MAX_DEPTH + 1];
};

static inline struct ext4_extent *ext_at(struct ext4_extent_header *eh, u32 k)
{
	return (struct ext4_extent *)(eh + 1) + k;
}
static inline struct ext4_extent_idx *ext_idx(struct ext4_extent_header *eh, u32 k)
{
	return (struct ext4_extent_idx *)(eh + 1) + k;
}
/* Both kinds of entry begin with it. */
static inline u32 ext_key(struct ext4_extent_header *eh, u32 k)
{
	return ext_at(eh, k)->ee_block;
}
static inline ext4_block ext_leaf(const struct ext4_extent_idx *x)
{
	return x->ei_leaf_lo | (u64)x->ei_leaf_hi << 32;
}
static inline ext4_block ext_start(const struct ext4_extent *x)
{
	return x->ee_start_lo | (u64)x->ee_start_hi << 32;
}
static inline void ext_set_start(struct ext4_extent *x, ext4_block b)
{
	x->ee_start_lo = (u32)b;
	x->ee_start_hi = (u16)(b >> 32);
}
static inline bool ext_unwritten(const struct ext4_extent *x)
{
	return x->ee_len > EXT4_EXT_INIT_MAX_LEN;
}
static inline u32 ext_len(const struct ext4_extent *x)
{
	return ext_unwritten(x) ? x->ee_len - EXT4_EXT_INIT_MAX_LEN : x->ee_len;
}
static inline void ext_set_len(struct ext4_extent *x, u32 len, bool unwritten)
{
	x->ee_len = (u16)(len + (unwritten ? EXT4_EXT_INIT_MAX_LEN : 0));
}

/* extents.c; data_sem held */
u32 ext_node_max(const struct inode *i, u32 level);
/* The way to lblk's leaf. On success ext_path_put must follow. */
int ext_find(struct inode *i, ext4_lblk lblk, struct ext_tree *t) must_check;
void ext_path_put(struct ext_tree *t);
ext4_lblk ext_next_key(struct ext_tree *t);
int ext_begin_change(struct handle *h, struct ext_tree *t, u32 level) must_check;
int ext_end_change(struct handle *h, struct inode *i, struct ext_tree *t, u32 level) must_check;
int ext_fix_keys(struct handle *h, struct inode *i, struct ext_tree *t, u32 level) must_check;
bool ext_try_merge(struct ext4_extent_header *eh, u32 k);
int ext_insert(
	struct handle *h, struct inode *i, const struct ext4_extent *new, bool merge) must_check;
int ext_split_at(struct handle *h, struct inode *i, ext4_lblk lblk) must_check;

#endif
