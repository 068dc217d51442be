/*
 * Directories as lists of entries in blocks: each entry says how far the next one is, a free one
 * has inode 0, the last 12 bytes of a block are a checksum in the guise of a free entry.
 *
 * The content of a directory changes under its i_rwsem held for writing. A block is checked wholly
 * when it comes into memory; each entry again where it is used, since on a corrupt image the block
 * may have a second owner.
 */
#include <lib/string.h>
#include <sched/thread.h>
#include "names.h"

#define MIN_REC_LEN 12u         /* of a name of one byte, and of the checksum */
#define MAX_BLOCKS  0x0fffffffu /* block numbers of an index have 28 bits */

u8 ext4_file_type(const struct ext4 *fs, kmode_t mode)
{
	static const u8 types[16] = {[S_IFREG >> 12] = EXT4_FT_REG_FILE,
		[S_IFDIR >> 12] = EXT4_FT_DIR,
		[S_IFCHR >> 12] = EXT4_FT_CHRDEV,
		[S_IFBLK >> 12] = EXT4_FT_BLKDEV,
		[S_IFIFO >> 12] = EXT4_FT_FIFO,
		[S_IFSOCK >> 12] = EXT4_FT_SOCK,
		[S_IFLNK >> 12] = EXT4_FT_SYMLINK};

	return fs->has_filetype ? types[mode >> 12 & 15] : 0;
}

/* ---- reading ----------------------------------------------------------------------------------- */

u32 ext4_entry_len(const struct ext4 *fs, const struct block_ref *r, u32 at)
{
	const struct ext4_dir_entry *e = ext4_entry(r, at);
	u32 len;

	if (at + MIN_REC_LEN > fs->block_size)
		return 0;
	len = ext4_rec_len_in(READ_ONCE(e->rec_len), fs->block_size);
	if (len < MIN_REC_LEN || (len & 3) || len > fs->block_size - at ||
		len < EXT4_DIR_REC_LEN(e->name_len) || e->inode > fs->inodes_count)
		return 0;
	return len;
}

static int corrupt_entry(struct inode *dir, u32 nr, u32 at)
{
	return ext4_corrupt(ext4_of(dir), dir->ino, nr, "bad directory entry at %u", at);
}

static int check_leaf(struct inode *dir, u32 nr, const struct block_ref *r)
{
	struct ext4 *fs = ext4_of(dir);
	u32 at = 0, len, end = ext4_leaf_size(fs);

	if (ext4_checked(r, EXT4_KIND_DIR))
		return 0;
	if (!ext4_dirblock_csum_ok(dir, r->data)) {
		(void)ext4_corrupt(fs, dir->ino, nr, "bad checksum of a directory's block");
		return -EFSBADCRC;
	}
	for (; at < end; at += len) {
		len = ext4_entry_len(fs, r, at);
		if (!len)
			return corrupt_entry(dir, nr, at);
	}
	if (at != end)
		return corrupt_entry(dir, nr, at);
	ext4_set_checked(r, EXT4_KIND_DIR);
	return 0;
}

static int check_dx(struct inode *dir, u32 nr, const struct block_ref *r)
{
	if (ext4_checked(r, EXT4_KIND_DX))
		return 0;
	if (!ext4_dx_csum_ok(dir, r->data)) {
		(void)ext4_corrupt(
			ext4_of(dir), dir->ino, nr, "bad checksum of a directory's index");
		return -EFSBADCRC;
	}
	ext4_set_checked(r, EXT4_KIND_DX);
	return 0;
}

/* An index block looks like one free entry, the root's like "." and "..". */
static bool looks_like_dx(struct inode *dir, u32 nr, const struct block_ref *r)
{
	struct ext4 *fs = ext4_of(dir);
	const struct ext4_dir_entry *e = ext4_entry(r, 0);

	if (!ext4_is_indexed(dir))
		return false;
	return nr == 0 ||
		(!e->inode && ext4_rec_len_in(e->rec_len, fs->block_size) == fs->block_size);
}

int ext4_dir_read(struct inode *dir, u32 nr, enum ext4_dirblock kind, struct block_ref *out)
{
	int err = ext4_read_file_block(dir, nr, out);

	if (err)
		return err;
	if (!out->page)
		return ext4_corrupt(ext4_of(dir), dir->ino, nr, "a hole in a directory");
	if (kind == EXT4_DX || (kind == EXT4_ANY && looks_like_dx(dir, nr, out)))
		err = check_dx(dir, nr, out);
	else
		err = check_leaf(dir, nr, out);
	if (err)
		block_ref_put(out);
	return err;
}

int ext4_leaf_find(struct inode *dir, const struct qstr *name, struct ext4_place *p)
{
	struct ext4 *fs = ext4_of(dir);
	u32 at, len, prev = EXT4_NO_PREV, end = ext4_leaf_size(fs);

	for (at = 0; at < end; prev = at, at += len) {
		const struct ext4_dir_entry *e = ext4_entry(&p->ref, at);

		len = ext4_entry_len(fs, &p->ref, at);
		if (unlikely(!len))
			return corrupt_entry(dir, p->nr, at);
		if (e->inode && e->name_len == name->len &&
			memcmp(e->name, name->name, name->len) == 0) {
			p->at = at;
			p->prev = prev;
			return 1;
		}
	}
	return 0;
}

static int find_in_block(struct inode *dir, u32 nr, const struct qstr *name, struct ext4_place *out)
{
	int err = ext4_dir_read(dir, nr, EXT4_ANY, &out->ref);

	if (err)
		return err;
	out->nr = nr;
	err = ext4_leaf_find(dir, name, out);
	if (err == 1)
		return 0;
	block_ref_put(&out->ref);
	return err ? err : -ENOENT;
}

static int find_linear(struct inode *dir, const struct qstr *name, struct ext4_place *out)
{
	u32 nr = ext4_dir_blocks(dir);
	int err = -ENOENT;

	for (u32 b = 0; b < nr && err == -ENOENT; b++) {
		err = find_in_block(dir, b, name, out);
		cond_resched();
	}
	return err;
}

int ext4_find_entry(struct inode *dir, const struct qstr *name, struct ext4_place *out)
{
	int err;

	out->ref.page = NULL;
	if (ext4_is_dot(name->name, name->len))
		return find_in_block(dir, 0, name, out);
	if (!ext4_is_indexed(dir))
		return find_linear(dir, name, out);
	err = ext4_dx_find(dir, name, out);
	return err == EXT4_BAD_INDEX ? find_linear(dir, name, out) : err;
}

int ext4_find_parent(struct inode *dir, struct ext4_place *out)
{
	static const struct qstr dotdot = {0, 2, ".."};
	int err = find_in_block(dir, 0, &dotdot, out);

	if (err == -ENOENT)
		return ext4_corrupt(ext4_of(dir), dir->ino, 0, "a directory without \"..\"");
	return err;
}

static int block_is_empty(struct inode *dir, u32 nr, const struct block_ref *r)
{
	struct ext4 *fs = ext4_of(dir);
	u32 end = ext4_leaf_size(fs), len;

	for (u32 at = 0; at < end; at += len) {
		const struct ext4_dir_entry *e = ext4_entry(r, at);

		len = ext4_entry_len(fs, r, at);
		if (!len)
			return corrupt_entry(dir, nr, at);
		if (e->inode && e->name_len && !(nr == 0 && ext4_is_dot(e->name, e->name_len)))
			return 0;
	}
	return 1;
}

int ext4_dir_is_empty(struct inode *dir)
{
	u32 nr = ext4_dir_blocks(dir);
	int empty = 1;

	for (u32 b = 0; b < nr && empty == 1; b++) {
		struct block_ref r;
		int err = ext4_dir_read(dir, b, EXT4_ANY, &r);

		if (err)
			return err;
		empty = block_is_empty(dir, b, &r);
		block_ref_put(&r);
		cond_resched();
	}
	return empty;
}

/* ---- changing ---------------------------------------------------------------------------------- */

static void put_tail(struct inode *dir, void *block)
{
	struct ext4 *fs = ext4_of(dir);
	struct ext4_dir_entry_tail *t = (void *)((u8 *)block + ext4_leaf_size(fs));

	if (!fs->has_csum)
		return;
	memset(t, 0, sizeof(*t));
	t->det_rec_len = sizeof(*t);
	t->det_reserved_ft = EXT4_FT_DIR_CSUM;
}

void ext4_leaf_init(struct inode *dir, void *block)
{
	struct ext4 *fs = ext4_of(dir);
	struct ext4_dir_entry *e = block;

	memset(block, 0, fs->block_size);
	e->rec_len = ext4_rec_len_out(ext4_leaf_size(fs), fs->block_size);
	put_tail(dir, block);
}

int ext4_leaf_dirty(struct handle *h, struct inode *dir, struct block_ref *leaf)
{
	ext4_dirblock_csum_set(dir, leaf->data);
	ext4_set_checked(leaf, EXT4_KIND_DIR);
	return journal_dirty(h, leaf);
}

/* The entry's block is a leaf, or the root of the index, whose checksum stands elsewhere. */
static int entry_dirty(struct handle *h, struct inode *dir, struct ext4_place *p)
{
	if (p->nr || !ext4_is_indexed(dir))
		return ext4_leaf_dirty(h, dir, &p->ref);
	ext4_dx_csum_set(dir, p->ref.data);
	return journal_dirty(h, &p->ref);
}

static void fill_entry(struct ext4 *fs, struct ext4_dir_entry *e, u32 len, const struct qstr *name,
	u32 ino, u8 type)
{
	e->inode = ino;
	e->rec_len = ext4_rec_len_out(len, fs->block_size);
	e->name_len = (u8)name->len;
	e->file_type = type;
	memcpy(e->name, name->name, name->len);
}

/* With the leaf's checksum. */
static void set_rec_len(struct inode *dir, void *block, u32 at, u32 len)
{
	struct ext4_dir_entry *e = (void *)((u8 *)block + at);
	struct ext4_patch patch;

	ext4_dirblock_patch_begin(&patch, block, at, EXT4_DIR_ENTRY_HEAD);
	e->rec_len = ext4_rec_len_out(len, ext4_of(dir)->block_size);
	ext4_dirblock_patch_end(&patch, dir, block);
}

int ext4_leaf_insert(struct handle *h, struct inode *dir, struct block_ref *leaf,
	const struct qstr *name, u32 ino, u8 type)
{
	struct ext4 *fs = ext4_of(dir);
	u32 need = EXT4_DIR_REC_LEN(name->len), end = ext4_leaf_size(fs), len, used = 0, at;
	struct ext4_patch patch;
	int err;

	for (at = 0; at < end; at += len) {
		const struct ext4_dir_entry *e = ext4_entry(leaf, at);

		len = ext4_entry_len(fs, leaf, at);
		if (!len || len > end - at)
			return corrupt_entry(dir, 0, at);
		used = e->inode ? EXT4_DIR_REC_LEN(e->name_len) : 0;
		if (len - used >= need)
			break;
	}
	if (at >= end)
		return -ENOSPC;
	err = journal_get_write(h, leaf);
	if (err)
		return err;
	if (used) {
		set_rec_len(dir, leaf->data, at, used);
		at += used;
	}
	ext4_dirblock_patch_begin(&patch, leaf->data, at, need);
	fill_entry(fs, ext4_entry(leaf, at), len - used, name, ino, type);
	ext4_dirblock_patch_end(&patch, dir, leaf->data);
	return journal_dirty(h, leaf);
}

int ext4_delete_entry(struct handle *h, struct inode *dir, struct ext4_place *p)
{
	struct ext4 *fs = ext4_of(dir);
	struct ext4_dir_entry *e = ext4_entry(&p->ref, p->at);
	u32 len = ext4_entry_len(fs, &p->ref, p->at);
	int err = journal_get_write(h, &p->ref);
	struct ext4_patch patch;

	if (err)
		return err;
	if (!len)
		return corrupt_entry(dir, p->nr, p->at);
	ext4_dirblock_patch_begin(&patch, p->ref.data, p->at, EXT4_DIR_REC_LEN(e->name_len));
	memset(e, 0, patch.n);
	if (p->prev == EXT4_NO_PREV)
		e->rec_len = ext4_rec_len_out(len, fs->block_size);
	ext4_dirblock_patch_end(&patch, dir, p->ref.data);
	if (p->prev != EXT4_NO_PREV)
		set_rec_len(dir, p->ref.data, p->prev, p->at - p->prev + len);
	return journal_dirty(h, &p->ref);
}

int ext4_set_entry(struct handle *h, struct inode *dir, struct ext4_place *p, u32 ino, u8 type)
{
	struct ext4_dir_entry *e = ext4_entry(&p->ref, p->at);
	int err = journal_get_write(h, &p->ref);

	if (err)
		return err;
	e->inode = ino;
	e->file_type = type;
	return entry_dirty(h, dir, p);
}

int ext4_dir_append(struct handle *h, struct inode *dir, u32 *nr, struct block_ref *out)
{
	struct ext4 *fs = ext4_of(dir);

	out->page = NULL;
	if (ext4_dir_blocks(dir) >= MAX_BLOCKS ||
		(fs->opt.max_dir_size_kb && dir->object.size >> 10 >= fs->opt.max_dir_size_kb) ||
		(dir->object.size + fs->block_size > S32_MAX && !ext4_has_incompat(fs, LARGEDIR)))
		return -ENOSPC;
	return ext4_append_block(h, dir, nr, out);
}

int ext4_make_empty(struct handle *h, struct inode *dir, u64 parent)
{
	static const struct qstr dot = {0, 1, "."}, dotdot = {0, 2, ".."};
	struct ext4 *fs = ext4_of(dir);
	u8 type = ext4_file_type(fs, S_IFDIR);
	struct block_ref r;
	u32 nr;
	int err = ext4_dir_append(h, dir, &nr, &r);

	if (err)
		return err;
	ext4_leaf_init(dir, r.data);
	fill_entry(fs, ext4_entry(&r, 0), MIN_REC_LEN, &dot, (u32)dir->ino, type);
	fill_entry(fs, ext4_entry(&r, MIN_REC_LEN), ext4_leaf_size(fs) - MIN_REC_LEN, &dotdot,
		(u32)parent, type);
	err = ext4_leaf_dirty(h, dir, &r);
	block_ref_put(&r);
	return err;
}

/* Into the first block that has room. -ENOSPC: none has. */
static int add_linear(
	struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type)
{
	u32 nr = ext4_dir_blocks(dir);
	int err = -ENOSPC;

	for (u32 b = 0; b < nr && err == -ENOSPC; b++) {
		struct block_ref r;

		err = ext4_dir_read(dir, b, EXT4_LEAF, &r);
		if (err)
			return err;
		err = ext4_leaf_insert(h, dir, &r, name, ino, type);
		block_ref_put(&r);
		cond_resched();
	}
	return err;
}

static int add_in_new_block(
	struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type)
{
	struct block_ref r;
	u32 nr;
	int err = ext4_dir_append(h, dir, &nr, &r);

	if (err)
		return err;
	ext4_leaf_init(dir, r.data);
	err = ext4_leaf_dirty(h, dir, &r);
	if (!err)
		err = ext4_leaf_insert(h, dir, &r, name, ino, type);
	block_ref_put(&r);
	return err;
}

int ext4_add_entry(struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type)
{
	struct ext4 *fs = ext4_of(dir);
	bool given_up = false;
	int err;

	if (ext4_is_indexed(dir)) {
		err = ext4_dx_insert(h, dir, name, ino, type);
		if (err != EXT4_BAD_INDEX)
			return err;
		/* Without its index the directory is an ordinary one; index blocks have no room for
		 * the checksum of a leaf, though. */
		if (fs->has_csum)
			return -EFSCORRUPTED;
		ext4_info(dir)->flags &= ~(u32)EXT4_INDEX_FL;
		err = ext4_mark_inode_dirty(h, dir);
		if (err)
			return err;
		given_up = true;
	}
	err = add_linear(h, dir, name, ino, type);
	if (err != -ENOSPC)
		return err;
	if (ext4_dir_blocks(dir) == 1 && fs->has_dir_index && !given_up) {
		err = ext4_dx_make(h, dir);
		return err ? err : ext4_dx_insert(h, dir, name, ino, type);
	}
	return add_in_new_block(h, dir, name, ino, type);
}
