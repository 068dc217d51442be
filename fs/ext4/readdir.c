/*
 * Reading directories. Where the file system indexes its directories, entries come in the order of
 * their hash, and the position is the hash: 31 bits of the major one, 32 of the minor one. So a
 * position stays valid while names come and go and blocks are split. Positions 0 and 1 are "." and
 * "..". Without index the position is the byte offset of the entry.
 *
 * Entries with the same position are ordered by name; the file remembers the last one it delivered.
 */
#include <kmem/slab.h>
#include <lib/sort.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <sched/thread.h>
#include "names.h"

#define POS_FIRST  2
#define POS_END    0x7fffffff00000000ll
#define MAX_LEAVES 64u /* of names with equal hash; beyond that positions aren't unique */

struct cursor { /* file->priv; file->pos_lock */
	off64_t pos;
	u32 len; /* 0: nothing delivered at pos */
	char name[NAME_MAX];
};

struct item {
	u64 pos;
	const char *name; /* in its block */
	u32 ino;
	u8 len, type;
};

/* The entries of one leaf, or of several that share a hash. */
struct batch {
	struct item *items;
	u32 n, max;
	struct block_ref leaves[MAX_LEAVES];
	u32 nr_leaves;
};

static u8 to_dtype(u8 type)
{
	static const u8 map[] = {0, 8, 4, 2, 6, 1, 12, 10};

	return type < ARRAY_SIZE(map) ? map[type] : 0;
}

static u64 pos_of(u32 major, u32 minor)
{
	return max((u64)(major >> 1) << 32 | minor, (u64)POS_FIRST);
}

static int compare_names(const char *a, u32 a_len, const char *b, u32 b_len)
{
	int order = memcmp(a, b, min(a_len, b_len));

	return order ? order : (int)a_len - (int)b_len;
}

static int by_pos(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	return compare_names(x->name, x->len, y->name, y->len);
}

static int grow(struct batch *b)
{
	u32 max = b->max ? b->max * 2 : 256;
	struct item *items = kvmalloc(max * sizeof(*items), GFP_KERNEL);

	if (!items)
		return -ENOMEM;
	if (b->n)
		memcpy(items, b->items, b->n * sizeof(*items));
	kvfree(b->items);
	b->items = items;
	b->max = max;
	return 0;
}

/* Entries of block nr at or behind pos. */
static int collect(struct inode *dir, u32 nr, u8 version, u64 pos, struct batch *b)
{
	struct ext4 *fs = ext4_of(dir);
	struct block_ref *r = &b->leaves[b->nr_leaves];
	u32 end = ext4_leaf_size(fs), len;
	int err = ext4_dir_read(dir, nr, EXT4_LEAF, r);

	if (err)
		return err;
	b->nr_leaves++;
	for (u32 at = 0; at < end; at += len) {
		const struct ext4_dir_entry *e = ext4_entry(r, at);
		struct item i = {.name = e->name, .len = e->name_len, .ino = e->inode};
		u32 major, minor;

		len = ext4_entry_len(fs, r, at);
		if (!len || at + EXT4_DIR_ENTRY_HEAD + i.len > fs->block_size)
			return ext4_corrupt(fs, dir->ino, nr, "bad directory entry at %u", at);
		if (!i.ino || !i.len || ext4_is_dot(i.name, i.len))
			continue;
		if (ext4_dir_hash(fs, version, i.name, i.len, &major, &minor))
			return -EFSCORRUPTED;
		i.pos = pos_of(major, minor);
		if (i.pos < pos)
			continue;
		i.type = fs->has_filetype ? to_dtype(e->file_type) : 0;
		if (b->n == b->max) {
			err = grow(b);
			if (err)
				return err;
		}
		b->items[b->n++] = i;
	}
	return 0;
}

static void batch_clear(struct batch *b)
{
	while (b->nr_leaves)
		block_ref_put(&b->leaves[--b->nr_leaves]);
	b->n = 0;
}

static void remember(struct cursor *c, const struct item *i)
{
	if (!c)
		return;
	c->pos = (off64_t)i->pos;
	c->len = i->len;
	memcpy(c->name, i->name, i->len);
}

/* Deliver the sorted batch; false: the reader's buffer is full. */
static bool deliver(struct dir_context *ctx, struct cursor *c, const struct batch *b)
{
	u64 skip = c && c->len && c->pos == ctx->pos ? (u64)c->pos : 0;

	for (u32 k = 0; k < b->n; k++) {
		const struct item *i = &b->items[k];

		if (i->pos == skip && compare_names(i->name, i->len, c->name, c->len) <= 0)
			continue;
		if (c && c->len && (u64)c->pos != i->pos)
			c->len = 0;
		ctx->pos = (off64_t)i->pos;
		if (!ctx->emit(ctx, i->name, i->len, i->ino, i->type))
			return false;
		remember(c, i);
	}
	return true;
}

/* All leaves for the hash position, as far as names of equal hash go on. *next: where the rest of
 * the directory begins; 0: nowhere. */
static int fill_batch(struct inode *dir, u8 version, u64 pos, struct batch *b, u32 *next)
{
	u32 major = (u32)(pos >> 32) << 1;
	struct ext4_dx_leaf leaf = {};
	int err;

	*next = 0;
	if (!ext4_is_indexed(dir))
		return collect(dir, 0, version, pos, b);
	do {
		err = ext4_dx_leaf_at(dir, major, b->nr_leaves, &leaf);
		if (!err)
			err = collect(dir, leaf.nr, version, pos, b);
		cond_resched();
	} while (!err && leaf.more && b->nr_leaves < MAX_LEAVES);
	*next = leaf.next & ~1u;
	if (!err && leaf.next && *next <= major && !(leaf.more && b->nr_leaves == MAX_LEAVES))
		return EXT4_BAD_INDEX;
	if (!err && leaf.next && *next <= major)
		*next = major + 2;
	return err;
}

static int iterate_hashed(struct file *f, struct dir_context *ctx, u8 version, struct batch *b)
{
	struct inode *dir = f->inode;
	bool more = true;
	int err = 0;

	while (!err && more && ctx->pos < POS_END) {
		u32 next;

		batch_clear(b);
		err = fill_batch(dir, version, (u64)ctx->pos, b, &next);
		if (err)
			break;
		sort_array(b->items, b->n, sizeof(b->items[0]), by_pos);
		more = deliver(ctx, f->priv, b);
		if (more)
			ctx->pos = next ? (off64_t)pos_of(next, 0) : POS_END;
	}
	batch_clear(b);
	return err;
}

/* In the order of the blocks. */
static int iterate_linear(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	struct ext4 *fs = ext4_of(dir);

	while ((u64)ctx->pos < dir->object.size) {
		u32 nr = (u32)((u64)ctx->pos >> fs->block_bits), at = 0, len;
		u64 start = (u64)nr << fs->block_bits;
		struct block_ref r;
		int err = ext4_dir_read(dir, nr, EXT4_ANY, &r);

		if (err)
			return err;
		for (; at < fs->block_size; at += len) {
			const struct ext4_dir_entry *e = ext4_entry(&r, at);
			u8 type = fs->has_filetype ? to_dtype(e->file_type) : 0;

			len = ext4_entry_len(fs, &r, at);
			if (!len) {
				block_ref_put(&r);
				return ext4_corrupt(
					fs, dir->ino, nr, "bad directory entry at %u", at);
			}
			/* The position may be inside an entry by now: the next one follows it. */
			if (start + at < (u64)ctx->pos || !e->inode || !e->name_len ||
				ext4_is_dot(e->name, e->name_len))
				continue;
			ctx->pos = (off64_t)(start + at);
			if (!ctx->emit(ctx, e->name, e->name_len, e->inode, type)) {
				block_ref_put(&r);
				return 0;
			}
		}
		block_ref_put(&r);
		ctx->pos = (off64_t)(start + fs->block_size);
		cond_resched();
	}
	return 0;
}

static int emit_dots(struct inode *dir, struct dir_context *ctx)
{
	struct ext4_place p;
	bool fits;
	int err;

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, dir->ino, 4))
			return 1;
		ctx->pos = 1;
	}
	err = ext4_find_parent(dir, &p);
	if (err)
		return err;
	fits = ctx->emit(ctx, "..", 2, ext4_entry(&p.ref, p.at)->inode, 4);
	block_ref_put(&p.ref);
	if (!fits)
		return 1;
	ctx->pos = POS_FIRST;
	return 0;
}

static bool is_hashed(struct inode *dir)
{
	return ext4_is_indexed(dir) || (ext4_of(dir)->has_dir_index && ext4_dir_blocks(dir) == 1);
}

static int ext4_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *dir = f->inode;
	u8 version = ext4_of(dir)->hash_version;
	struct batch *b;
	int err = 0;

	if (dir->flags & INODE_DELETED)
		return 0;
	if (ctx->pos < POS_FIRST) {
		err = emit_dots(dir, ctx);
		if (err)
			return err < 0 ? err : 0;
	}
	if (!is_hashed(dir))
		return iterate_linear(f, ctx);
	if (ext4_is_indexed(dir))
		err = ext4_dx_version(dir, &version);
	if (!err) {
		b = kzalloc(sizeof(*b), GFP_KERNEL);
		if (!b)
			return -ENOMEM;
		err = iterate_hashed(f, ctx, version, b);
		kvfree(b->items);
		kfree(b);
	}
	return err == EXT4_BAD_INDEX ? iterate_linear(f, ctx) : err;
}

static int ext4_dir_open(struct inode *i, struct file *f)
{
	f->priv = kzalloc(sizeof(struct cursor), GFP_KERNEL);
	return f->priv ? 0 : -ENOMEM;
}

static void ext4_dir_release(struct file *f)
{
	kfree(f->priv);
}

static off64_t ext4_dir_seek(struct file *f, off64_t off, int whence)
{
	struct cursor *c = f->priv;

	if (whence == SEEK_CUR)
		off += f->pos;
	else if (whence == SEEK_END)
		off += is_hashed(f->inode) ? POS_END : (off64_t)f->inode->object.size;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (off < 0 || off > POS_END + U32_MAX)
		return -EINVAL;
	if (c && (whence != SEEK_CUR || off != f->pos))
		c->len = 0;
	f->pos = off;
	return off;
}

const struct file_ops g_ext4_dir_fops = {
	.iterate = ext4_iterate,
	.seek = ext4_dir_seek,
	.open = ext4_dir_open,
	.release = ext4_dir_release,
	.ioctl = ext4_ioctl,
	.fsync = ext4_fsync,
};
