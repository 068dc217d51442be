/* Directories inside: entries in blocks (dir.c), the hash index over the blocks (htree.c). */
#ifndef FS_EXT4_NAMES_H
#define FS_EXT4_NAMES_H

#include "ext4.h"

/* Where an entry stands. The block's reference belongs to whoever asked. */
struct ext4_place {
	struct block_ref ref;
	u32 at, prev; /* offsets in the block; prev ~0u: first entry of the block */
	u32 nr;       /* block of the directory */
};
#define EXT4_NO_PREV ~0u

static inline struct ext4_dir_entry *ext4_entry(const struct block_ref *r, u32 at)
{
	return (struct ext4_dir_entry *)((u8 *)r->data + at);
}
/* rec_len of blocks of 64 KiB doesn't fit into 16 bits. */
static inline u32 ext4_rec_len_in(u16 raw, u32 block_size)
{
	if (block_size < 65536)
		return raw;
	return raw == 65535 || raw == 0 ? 65536u : (raw & 65532u) | (raw & 3u) << 16;
}
static inline u16 ext4_rec_len_out(u32 len, u32 block_size)
{
	if (block_size < 65536)
		return (u16)len;
	return len == 65536 ? 65535 : (u16)((len & 65532u) | (len >> 16 & 3u));
}
static inline bool ext4_is_dot(const char *name, u32 len)
{
	return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}
/* Bytes of a leaf that hold entries: all but the checksum's tail. */
static inline u32 ext4_leaf_size(const struct ext4 *fs)
{
	return fs->block_size - (fs->has_csum ? (u32)sizeof(struct ext4_dir_entry_tail) : 0);
}
static inline u32 ext4_dir_blocks(const struct inode *dir)
{
	return (u32)(dir->object.size >> ext4_of(dir)->block_bits);
}
static inline bool ext4_is_indexed(const struct inode *dir)
{
	return ext4_of(dir)->has_dir_index && (ext4_info(dir)->flags & EXT4_INDEX_FL);
}
u8 ext4_file_type(const struct ext4 *fs, kmode_t mode);

/* ---- dir.c ---- */

/* An entry at `at` of a block of the directory: its length, or 0 when it is impossible. */
u32 ext4_entry_len(const struct ext4 *fs, const struct block_ref *r, u32 at);
enum ext4_dirblock { EXT4_LEAF, EXT4_DX, EXT4_ANY };
/* Read a block, checked with its checksum. A hole: -EFSCORRUPTED. */
int ext4_dir_read(
	struct inode *dir, u32 nr, enum ext4_dirblock kind, struct block_ref *out) must_check;
/* Search one leaf: 1 found, 0 not there, error. p->ref is the block's. */
int ext4_leaf_find(struct inode *dir, const struct qstr *name, struct ext4_place *p) must_check;
/* Into one leaf: -ENOSPC: no room. The handle may write the block already (leaf_get_write). */
int ext4_leaf_insert(struct handle *h, struct inode *dir, struct block_ref *leaf,
	const struct qstr *name, u32 ino, u8 type) must_check;
/* An empty leaf: one free entry, and the tail. */
void ext4_leaf_init(struct inode *dir, void *block);
/* Checksum and journal_dirty. */
int ext4_leaf_dirty(struct handle *h, struct inode *dir, struct block_ref *leaf) must_check;
/* The entry with this name: 0, -ENOENT, error. Directory locked, at least for reading. */
int ext4_find_entry(struct inode *dir, const struct qstr *name, struct ext4_place *out) must_check;
/* Locked for writing; the name isn't there. The directory's inode isn't marked dirty, times and
 * version are the caller's; size and flags may change. -ENOSPC -EFSCORRUPTED ... */
#define EXT4_ADD_ENTRY_CREDITS 32u /* splits at each level, new blocks, super block */
int ext4_add_entry(
	struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type) must_check;
int ext4_delete_entry(struct handle *h, struct inode *dir, struct ext4_place *p) must_check;
/* The entry names another inode from now on. */
int ext4_set_entry(
	struct handle *h, struct inode *dir, struct ext4_place *p, u32 ino, u8 type) must_check;
/* One more block, zeroed. -ENOSPC also when the directory is as large as it may be. */
int ext4_dir_append(struct handle *h, struct inode *dir, u32 *nr, struct block_ref *out) must_check;
/* First block of a new directory. */
int ext4_make_empty(struct handle *h, struct inode *dir, u64 parent) must_check;
/* ".." of a directory: found, and changed. */
int ext4_find_parent(struct inode *dir, struct ext4_place *out) must_check;
/* 1: only "." and ".."; 0: more; error. */
int ext4_dir_is_empty(struct inode *dir) must_check;

/* ---- namei.c ---- */

/* A subdirectory more or less: its link count, as far as the field can count. */
void ext4_dir_gain(struct inode *dir);
void ext4_dir_lose(struct inode *dir);

/* ---- htree.c ---- */

/* The index leads nowhere sensible: the caller searches all blocks instead. */
#define EXT4_BAD_INDEX (-EBADSLT)
int ext4_dx_find(struct inode *dir, const struct qstr *name, struct ext4_place *out) must_check;
int ext4_dx_insert(
	struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type) must_check;
/* The only block, which is full, becomes an index over two. The name still has to be inserted. */
int ext4_dx_make(struct handle *h, struct inode *dir) must_check;
/* The leaf for hash position *hash, and the first hash that isn't in it any more (0: the last
 * leaf). more: the next leaf has names with a hash of this one, too. Cursor: see htree.c. */
struct ext4_dx_leaf {
	u32 nr;    /* block */
	u32 next;  /* first hash of the next leaf, 0: none */
	bool more; /* names with hash `next` are in this leaf, too */
};
int ext4_dx_leaf_at(struct inode *dir, u32 hash, u32 skip, struct ext4_dx_leaf *out) must_check;
int ext4_dx_version(struct inode *dir, u8 *version) must_check; /* of hashes in its index */

/* ---- symlink.c ---- */

/* A new symbolic link gets its target, shorter than a block, and its operations. */
int ext4_symlink_fill(struct handle *h, struct inode *i, const char *target) must_check;

#endif
