/*
 * The index of a large directory: a tree of fixed depth over its blocks, by hash of the name. Block
 * 0 is the root, hidden in the room behind ".."; below it up to two levels of index blocks, then
 * leaves, which are ordinary blocks of entries.
 *
 * Index entries are sorted by hash; each covers the hashes from its own to the next entry's. When
 * names of equal hash were divided over two leaves, the second leaf's hash has bit 0 set. The first
 * entry of a block has no hash: count and limit are stored in its place.
 *
 * Whatever the index says is checked before use; if it can't be right the callers get
 * EXT4_BAD_INDEX and search all blocks.
 */
#include <kmem/slab.h>
#include <lib/sort.h>
#include <lib/string.h>
#include "names.h"

#define ROOT_INFO  24u /* behind "." and "..", 12 bytes each */
#define NODE_START 8u
#define BLOCK_MASK 0x0fffffffu
#define MAX_LEVELS 3
#define FLAG_HASH  1u /* unused_flags: not known */

struct level {
	struct block_ref ref;
	struct ext4_dx_entry *entries; /* [0] has no hash */
	u32 nr, at;                    /* block; the entry taken */
};
struct probe {
	struct level level[MAX_LEVELS];
	u32 depth; /* levels in use */
	u8 version;
};

static struct ext4_dx_countlimit *counts(const struct level *l)
{
	return (struct ext4_dx_countlimit *)l->entries;
}
static u32 count_of(const struct level *l)
{
	return counts(l)->count;
}
static bool is_full(const struct level *l)
{
	return count_of(l) >= counts(l)->limit;
}
static u32 block_at(const struct level *l, u32 at)
{
	return l->entries[at].block & BLOCK_MASK;
}

static u32 capacity(const struct ext4 *fs, u32 start)
{
	u32 room = fs->block_size - start - (fs->has_csum ? (u32)sizeof(struct ext4_dx_tail) : 0);

	return room / (u32)sizeof(struct ext4_dx_entry);
}

static u32 max_levels(const struct ext4 *fs)
{
	return ext4_has_incompat(fs, LARGEDIR) ? MAX_LEVELS : MAX_LEVELS - 1;
}

static struct ext4_dx_root_info *root_info(const struct block_ref *r)
{
	return (struct ext4_dx_root_info *)((u8 *)r->data + ROOT_INFO);
}

static int bad_index(struct inode *dir, u32 nr, const char *what)
{
	(void)ext4_corrupt(ext4_of(dir), dir->ino, nr, "directory index: %s", what);
	return EXT4_BAD_INDEX;
}

/* ---- walking ----------------------------------------------------------------------------------- */

static void probe_end(struct probe *p)
{
	for (u32 k = 0; k < p->depth; k++)
		block_ref_put(&p->level[k].ref);
	p->depth = 0;
}

static int check_counts(struct inode *dir, struct level *l, u32 start)
{
	if (counts(l)->limit != capacity(ext4_of(dir), start))
		return bad_index(dir, l->nr, "limit");
	if (!count_of(l) || count_of(l) > counts(l)->limit)
		return bad_index(dir, l->nr, "count");
	return 0;
}

static int open_root(struct inode *dir, struct probe *p, u32 *levels)
{
	struct ext4 *fs = ext4_of(dir);
	struct level *l = &p->level[0];
	const struct ext4_dx_root_info *info;
	int err = ext4_dir_read(dir, 0, EXT4_DX, &l->ref);

	p->depth = 0;
	if (err)
		return err == -EFSBADCRC || err == -EFSCORRUPTED ? EXT4_BAD_INDEX : err;
	p->depth = 1;
	l->nr = 0;
	info = root_info(&l->ref);
	if (ext4_entry_len(fs, &l->ref, 0) != 12 ||
		ext4_entry_len(fs, &l->ref, 12) != fs->block_size - 12)
		return bad_index(dir, 0, "\".\" and \"..\"");
	if (info->reserved_zero || info->info_length != sizeof(*info) ||
		(info->unused_flags & FLAG_HASH) || info->hash_version > EXT4_HASH_TEA)
		return bad_index(dir, 0, "root");
	if (info->indirect_levels >= max_levels(fs))
		return bad_index(dir, 0, "depth");
	l->entries = (void *)((u8 *)l->ref.data + ROOT_INFO + info->info_length);
	p->version = info->hash_version;
	if (fs->hash_version >= EXT4_HASH_LEGACY_UNSIGNED)
		p->version += EXT4_HASH_LEGACY_UNSIGNED;
	*levels = info->indirect_levels;
	return check_counts(dir, l, ROOT_INFO + sizeof(*info));
}

static int open_node(struct inode *dir, struct probe *p, u32 nr)
{
	struct ext4 *fs = ext4_of(dir);
	struct level *l = &p->level[p->depth];
	int err;

	if (!nr || nr >= ext4_dir_blocks(dir))
		return bad_index(dir, nr, "block number");
	err = ext4_dir_read(dir, nr, EXT4_DX, &l->ref);
	if (err)
		return err == -EFSBADCRC || err == -EFSCORRUPTED ? EXT4_BAD_INDEX : err;
	p->depth++;
	l->nr = nr;
	l->at = 0;
	l->entries = (void *)((u8 *)l->ref.data + NODE_START);
	if (ext4_entry(&l->ref, 0)->inode || ext4_entry_len(fs, &l->ref, 0) != fs->block_size)
		return bad_index(dir, nr, "node");
	return check_counts(dir, l, NODE_START);
}

/* The last entry whose hash is not above. */
static u32 search(const struct level *l, u32 hash)
{
	u32 lo = 1, hi = count_of(l);

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (l->entries[mid].hash > hash)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo - 1;
}

/* From the root to the index block over the leaf for hash. The hash may be the name's: computed
 * here, since the root says how. After an error nothing is held. */
static int probe_to(struct inode *dir, const struct qstr *name, u32 *hash, struct probe *p)
{
	u32 levels, minor;
	int err = open_root(dir, p, &levels);

	if (!err && name &&
		ext4_dir_hash(ext4_of(dir), p->version, name->name, name->len, hash, &minor))
		err = bad_index(dir, 0, "hash version");
	if (!err)
		p->level[0].at = search(&p->level[0], *hash);
	for (u32 k = 0; !err && k < levels; k++) {
		err = open_node(dir, p, block_at(&p->level[k], p->level[k].at));
		if (!err)
			p->level[k + 1].at = search(&p->level[k + 1], *hash);
	}
	if (err)
		probe_end(p);
	return err;
}

/* The entry behind the one p is at, at the lowest level: its hash in *hash, 0 when there is none. */
static void next_hash(const struct probe *p, u32 *hash)
{
	*hash = 0;
	for (u32 k = p->depth; k-- > 0;) {
		const struct level *l = &p->level[k];

		if (l->at + 1 < count_of(l)) {
			*hash = l->entries[l->at + 1].hash;
			return;
		}
	}
}

/* To the next leaf: 1, 0 when p was at the last, error. */
static int advance(struct inode *dir, struct probe *p)
{
	u32 depth = p->depth, k = depth;
	int err = 0;

	while (k > 0 && p->level[k - 1].at + 1 >= count_of(&p->level[k - 1]))
		k--;
	if (k == 0)
		return 0;
	p->level[k - 1].at++;
	for (u32 drop = k; drop < depth; drop++)
		block_ref_put(&p->level[drop].ref);
	p->depth = k;
	while (!err && p->depth < depth)
		err = open_node(
			dir, p, block_at(&p->level[p->depth - 1], p->level[p->depth - 1].at));
	return err ? err : 1;
}

static int read_leaf(struct inode *dir, const struct probe *p, u32 *nr, struct block_ref *out)
{
	const struct level *l = &p->level[p->depth - 1];

	*nr = block_at(l, l->at);
	if (!*nr || *nr >= ext4_dir_blocks(dir))
		return bad_index(dir, l->nr, "leaf number");
	return ext4_dir_read(dir, *nr, EXT4_LEAF, out);
}

int ext4_dx_find(struct inode *dir, const struct qstr *name, struct ext4_place *out)
{
	struct probe p;
	u32 hash = 0, next;
	int err = probe_to(dir, name, &hash, &p);

	if (err)
		return err;
	for (;;) {
		err = read_leaf(dir, &p, &out->nr, &out->ref);
		if (err)
			break;
		err = ext4_leaf_find(dir, name, out);
		if (err == 1) {
			err = 0;
			break;
		}
		block_ref_put(&out->ref);
		if (err)
			break;
		err = -ENOENT;
		next_hash(&p, &next);
		if (!(next & 1) || (next & ~1u) != hash)
			break;
		err = advance(dir, &p);
		if (err != 1) {
			err = err ? err : -ENOENT;
			break;
		}
	}
	probe_end(&p);
	return err;
}

int ext4_dx_leaf_at(struct inode *dir, u32 hash, u32 skip, struct ext4_dx_leaf *out)
{
	struct probe p;
	int err = probe_to(dir, NULL, &hash, &p);

	if (err)
		return err;
	for (err = 1; skip && err == 1; skip--)
		err = advance(dir, &p);
	if (err == 1) {
		const struct level *l = &p.level[p.depth - 1];

		out->nr = block_at(l, l->at);
		next_hash(&p, &out->next);
		out->more = out->next & 1;
		err = out->nr && out->nr < ext4_dir_blocks(dir)
			? 0
			: bad_index(dir, l->nr, "leaf number");
	} else if (!err) {
		err = bad_index(dir, 0, "end");
	}
	probe_end(&p);
	return err;
}

int ext4_dx_version(struct inode *dir, u8 *version)
{
	struct probe p;
	u32 levels;
	int err = open_root(dir, &p, &levels);

	*version = p.version;
	probe_end(&p);
	return err;
}

/* ---- changing the index ------------------------------------------------------------------------ */

static int dx_dirty(struct handle *h, struct inode *dir, struct block_ref *r)
{
	ext4_dx_csum_set(dir, r->data);
	ext4_set_checked(r, EXT4_KIND_DX);
	return journal_dirty(h, r);
}

/* Behind the entry that l is at. There is room. */
static void insert_index(struct level *l, u32 hash, u32 block)
{
	struct ext4_dx_entry *e = &l->entries[l->at + 1];

	memmove(e + 1, e, (count_of(l) - l->at - 1) * sizeof(*e));
	e->hash = hash;
	e->block = block;
	counts(l)->count++;
}

static struct ext4_dx_entry *node_init(struct ext4 *fs, void *block)
{
	struct ext4_dir_entry *e = block;

	memset(block, 0, fs->block_size);
	e->rec_len = ext4_rec_len_out(fs->block_size, fs->block_size);
	return (void *)((u8 *)block + NODE_START);
}

/* n entries from src become the node's. */
static void node_fill(
	struct ext4 *fs, struct ext4_dx_entry *to, const struct ext4_dx_entry *src, u32 n)
{
	struct ext4_dx_countlimit *c = (void *)to;

	memcpy(to, src, n * sizeof(*to));
	c->limit = (u16)capacity(fs, NODE_START);
	c->count = (u16)n;
}

/* The root is full: all of its entries go into a new node, the only entry from then on. */
static int add_level(struct handle *h, struct inode *dir, struct probe *p)
{
	struct ext4 *fs = ext4_of(dir);
	struct level *root = &p->level[0];
	struct block_ref r;
	u32 nr;
	int err;

	if (p->depth >= max_levels(fs))
		return -ENOSPC;
	err = journal_get_write(h, &root->ref);
	if (!err)
		err = ext4_dir_append(h, dir, &nr, &r);
	if (err)
		return err;
	node_fill(fs, node_init(fs, r.data), root->entries, count_of(root));
	counts(root)->count = 1;
	root->entries[0].block = nr;
	root_info(&root->ref)->indirect_levels++;
	err = dx_dirty(h, dir, &r);
	if (!err)
		err = dx_dirty(h, dir, &root->ref);
	block_ref_put(&r);
	return err;
}

/* Level k is full, the one above isn't: half of its entries go to a new node. */
static int split_node(struct handle *h, struct inode *dir, struct probe *p, u32 k)
{
	struct ext4 *fs = ext4_of(dir);
	struct level *l = &p->level[k], *up = &p->level[k - 1];
	u32 keep = count_of(l) / 2, nr, hash = l->entries[keep].hash;
	struct block_ref r;
	int err = journal_get_write(h, &l->ref);

	if (!err)
		err = journal_get_write(h, &up->ref);
	if (!err)
		err = ext4_dir_append(h, dir, &nr, &r);
	if (err)
		return err;
	node_fill(fs, node_init(fs, r.data), l->entries + keep, count_of(l) - keep);
	counts(l)->count = (u16)keep;
	insert_index(up, hash, nr);
	err = dx_dirty(h, dir, &r);
	if (!err)
		err = dx_dirty(h, dir, &l->ref);
	if (!err)
		err = dx_dirty(h, dir, &up->ref);
	block_ref_put(&r);
	return err;
}

/* Make the lowest index block have room for one more, or change the tree so that it comes nearer
 * to that. 1: the tree has changed, probe anew. */
static int make_room(struct handle *h, struct inode *dir, struct probe *p)
{
	u32 k = p->depth - 1;
	int err;

	if (!is_full(&p->level[k]))
		return 0;
	while (k > 0 && is_full(&p->level[k]))
		k--;
	err = is_full(&p->level[k]) ? add_level(h, dir, p) : split_node(h, dir, p, k + 1);
	return err ? err : 1;
}

/* ---- splitting leaves -------------------------------------------------------------------------- */

struct item {
	u32 hash, at, size; /* offset of the entry in the leaf; bytes it needs */
};
struct items {
	u32 n, bytes;
	struct item v[];
};

static int by_hash(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static int collect(
	struct inode *dir, u8 version, const struct block_ref *leaf, u32 nr, struct items *out)
{
	struct ext4 *fs = ext4_of(dir);
	u32 end = ext4_leaf_size(fs), len, minor;

	out->n = out->bytes = 0;
	for (u32 at = 0; at < end; at += len) {
		const struct ext4_dir_entry *e = ext4_entry(leaf, at);
		struct item *i = &out->v[out->n];

		len = ext4_entry_len(fs, leaf, at);
		if (!len)
			return ext4_corrupt(fs, dir->ino, nr, "bad directory entry at %u", at);
		if (!e->inode || !e->name_len)
			continue;
		i->at = at;
		i->size = EXT4_DIR_REC_LEN(e->name_len);
		if (ext4_dir_hash(fs, version, e->name, e->name_len, &i->hash, &minor))
			return -EFSCORRUPTED;
		out->bytes += i->size;
		out->n++;
	}
	return 0;
}

/* The items [from, to), copied from old, become a leaf's whole content. */
static void pack(struct inode *dir, const void *old, const struct item *from, const struct item *to,
	void *leaf)
{
	struct ext4 *fs = ext4_of(dir);
	u32 at = 0, end = ext4_leaf_size(fs);

	ext4_leaf_init(dir, leaf);
	for (const struct item *i = from; i < to; i++) {
		struct ext4_dir_entry *e = (void *)((u8 *)leaf + at);
		u32 len = i + 1 == to ? end - at : i->size;

		memcpy(e, (const u8 *)old + i->at,
			EXT4_DIR_ENTRY_HEAD +
				((const struct ext4_dir_entry *)((const u8 *)old + i->at))
					->name_len);
		e->rec_len = ext4_rec_len_out(len, fs->block_size);
		at += i->size;
	}
}

/* How many of the sorted items stay in the first half. */
static u32 split_point(const struct items *it)
{
	u32 k = it->n, bytes = 0;

	while (k > 1 && bytes + it->v[k - 1].size / 2 <= it->bytes / 2)
		bytes += it->v[--k].size;
	return k < it->n ? k : it->n - 1;
}

/* A leaf without room for the name. 0: the caller tries again, -ENOSPC, error. */
static int split_leaf(struct handle *h, struct inode *dir, struct probe *p, struct block_ref *leaf,
	u32 nr, struct items *it, void *old, u32 need)
{
	struct ext4 *fs = ext4_of(dir);
	struct level *l = &p->level[p->depth - 1];
	struct block_ref r;
	u32 keep, new_nr, hash;
	int err = collect(dir, p->version, leaf, nr, it);

	if (!err)
		err = journal_get_write(h, leaf);
	if (err)
		return err;
	memcpy(old, leaf->data, fs->block_size);
	if (it->bytes + need <= ext4_leaf_size(fs)) { /* room enough, but in pieces */
		pack(dir, old, it->v, it->v + it->n, leaf->data);
		return ext4_leaf_dirty(h, dir, leaf);
	}
	if (it->n < 2)
		return ext4_corrupt(fs, dir->ino, nr, "a full leaf with %u entries", it->n);
	sort_array(it->v, it->n, sizeof(it->v[0]), by_hash);
	err = journal_get_write(h, &l->ref);
	if (!err)
		err = ext4_dir_append(h, dir, &new_nr, &r);
	if (err)
		return err;
	keep = split_point(it);
	hash = it->v[keep].hash;
	if (hash == it->v[keep - 1].hash)
		hash |= 1;
	pack(dir, old, it->v, it->v + keep, leaf->data);
	pack(dir, old, it->v + keep, it->v + it->n, r.data);
	insert_index(l, hash, new_nr);
	err = ext4_leaf_dirty(h, dir, &r);
	if (!err)
		err = ext4_leaf_dirty(h, dir, leaf);
	if (!err)
		err = dx_dirty(h, dir, &l->ref);
	block_ref_put(&r);
	return err;
}

static int make_room_in_leaf(struct handle *h, struct inode *dir, struct probe *p,
	struct block_ref *leaf, u32 nr, u32 need)
{
	struct ext4 *fs = ext4_of(dir);
	size_t max = fs->block_size / EXT4_DIR_REC_LEN(1) + 1;
	struct items *it = kmalloc(sizeof(*it) + max * sizeof(it->v[0]), GFP_NOFS);
	void *old = kmalloc(fs->block_size, GFP_NOFS);
	int err = it && old ? make_room(h, dir, p) : -ENOMEM;

	if (!err)
		err = split_leaf(h, dir, p, leaf, nr, it, old, need);
	kfree(it);
	kfree(old);
	return err;
}

int ext4_dx_insert(struct handle *h, struct inode *dir, const struct qstr *name, u32 ino, u8 type)
{
	/* Each turn that finds no room changes the tree: one for each level, one for a new one, one
	 * for the leaf; names of equal hash may need more. */
	for (int turn = 0; turn < 16; turn++) {
		struct block_ref leaf;
		struct probe p;
		u32 hash = 0, nr;
		int err = probe_to(dir, name, &hash, &p);

		if (err)
			return err;
		err = read_leaf(dir, &p, &nr, &leaf);
		if (err) {
			probe_end(&p);
			return err;
		}
		err = ext4_leaf_insert(h, dir, &leaf, name, ino, type);
		if (err == -ENOSPC) {
			err = make_room_in_leaf(h, dir, &p, &leaf, nr, EXT4_DIR_REC_LEN(name->len));
			if (err == 0)
				err = 1;
		}
		block_ref_put(&leaf);
		probe_end(&p);
		if (err != 1)
			return err;
	}
	return -ENOSPC;
}

/* ---- the first index --------------------------------------------------------------------------- */

int ext4_dx_make(struct handle *h, struct inode *dir)
{
	struct ext4 *fs = ext4_of(dir);
	size_t max = fs->block_size / EXT4_DIR_REC_LEN(1) + 1;
	struct items *it = kmalloc(sizeof(*it) + max * sizeof(it->v[0]), GFP_NOFS);
	struct block_ref root = {}, leaf = {};
	struct level l = {};
	struct ext4_dx_root_info *info;
	struct ext4_dir_entry *e;
	u32 nr;
	int err = it ? ext4_dir_read(dir, 0, EXT4_LEAF, &root) : -ENOMEM;

	if (!err &&
		(ext4_entry_len(fs, &root, 0) != 12 ||
			!ext4_is_dot(ext4_entry(&root, 0)->name, 1) ||
			ext4_entry(&root, 0)->name_len != 1 ||
			ext4_entry(&root, 12)->name_len != 2 ||
			!ext4_is_dot(ext4_entry(&root, 12)->name, 2)))
		err = ext4_corrupt(fs, dir->ino, 0, "\".\" and \"..\" aren't where they belong");
	if (!err)
		err = collect(dir, fs->hash_version, &root, 0, it);
	if (!err && it->n < 3)
		err = ext4_corrupt(fs, dir->ino, 0, "a full directory without names");
	if (!err)
		err = journal_get_write(h, &root);
	if (!err)
		err = ext4_dir_append(h, dir, &nr, &leaf);
	if (err)
		goto out;
	pack(dir, root.data, it->v + 2, it->v + it->n, leaf.data); /* without the dots */
	e = ext4_entry(&root, 12);
	e->rec_len = ext4_rec_len_out(fs->block_size - 12, fs->block_size);
	memset((u8 *)root.data + ROOT_INFO, 0, fs->block_size - ROOT_INFO);
	info = root_info(&root);
	info->hash_version = fs->hash_version % EXT4_HASH_LEGACY_UNSIGNED;
	info->info_length = sizeof(*info);
	l.entries = (void *)(info + 1);
	counts(&l)->limit = (u16)capacity(fs, ROOT_INFO + sizeof(*info));
	counts(&l)->count = 1;
	l.entries[0].block = nr;
	ext4_info(dir)->flags |= EXT4_INDEX_FL;
	err = ext4_leaf_dirty(h, dir, &leaf);
	if (!err)
		err = dx_dirty(h, dir, &root);
	if (!err)
		err = ext4_mark_inode_dirty(h, dir);
out:
	block_ref_put(&leaf);
	block_ref_put(&root);
	kfree(it);
	return err;
}
