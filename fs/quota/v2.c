/* Quota files of version 2: see quota/v2.h. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <quota/v2.h>

#define BLOCK       1024u
#define REFS        256u /* references in a block of the tree */
#define DEPTH       4u
#define ROOT        1u /* block of the tree's root */
#define HEAD        16u
#define PER_BLOCK   ((BLOCK - HEAD) / QUOTA_V2_ENTRY)
#define VERSION     1u
#define INFO_OFFSET 8u
#define SPACE_UNIT  1024u /* of limits; usage is in bytes */

static const u32 g_magics[NR_QUOTAS] = {0xd9c01f11, 0xd9c01927, 0xd9c03f14};

struct header {
	u32 magic, version;
};
struct info {
	u32 space_grace, inodes_grace, flags, blocks, free_block, free_entry;
};
struct leaf_head { /* lists: of free blocks, or of leaves with room */
	u32 next, prev;
	u16 entries, pad1;
	u32 pad2;
};
struct entry {
	u32 id, pad;
	u64 inodes_hard, inodes_soft, inodes, space_hard, space_soft, space, space_time,
		inodes_time;
};
static_assert(sizeof(struct entry) == QUOTA_V2_ENTRY, "an entry");
static_assert(sizeof(struct leaf_head) == HEAD, "head of a leaf");

struct leaf {
	struct leaf_head h;
	struct entry e[PER_BLOCK];
};

void quota_v2_decode(const void *entry, struct quota_values *v)
{
	const struct entry *e = entry;

	*v = (struct quota_values){
		.space = e->space,
		.space_soft = e->space_soft * SPACE_UNIT,
		.space_hard = e->space_hard * SPACE_UNIT,
		.inodes = e->inodes,
		.inodes_soft = e->inodes_soft,
		.inodes_hard = e->inodes_hard,
		.space_time = (s64)e->space_time,
		.inodes_time = (s64)e->inodes_time,
	};
	/* Of an entry that is zero otherwise: see encode. */
	if (!e->id && !e->inodes_hard && !e->inodes_soft && !e->inodes && !e->space_hard &&
		!e->space_soft && !e->space && !e->space_time && e->inodes_time == 1)
		v->inodes_time = 0;
}

void quota_v2_encode(void *entry, u32 id, const struct quota_values *v)
{
	static const struct entry zero;
	struct entry *e = entry;

	*e = (struct entry){
		.id = id,
		.inodes_hard = v->inodes_hard,
		.inodes_soft = v->inodes_soft,
		.inodes = v->inodes,
		.space_hard = div_round_up(v->space_hard, (u64)SPACE_UNIT),
		.space_soft = div_round_up(v->space_soft, (u64)SPACE_UNIT),
		.space = v->space,
		.space_time = (u64)v->space_time,
		.inodes_time = (u64)v->inodes_time,
	};
	if (!memcmp(e, &zero, sizeof(zero))) /* else it would be a free place */
		e->inodes_time = 1;
}

int quota_v2_load(struct quota_v2_file *f, u32 type)
{
	struct header h;
	struct info i;
	int err = f->read(f, 0, &h, sizeof(h));

	if (!err)
		err = f->read(f, INFO_OFFSET, &i, sizeof(i));
	if (err)
		return err;
	if (h.magic != g_magics[type] || h.version != VERSION || i.blocks <= ROOT ||
		(u64)i.blocks * BLOCK > round_up(f->bytes, 4096ul) || i.free_block >= i.blocks ||
		i.free_entry >= i.blocks)
		return -EINVAL;
	f->space_grace = i.space_grace;
	f->inodes_grace = i.inodes_grace;
	f->blocks = i.blocks;
	f->free_block = i.free_block;
	f->free_entry = i.free_entry;
	return 0;
}

int quota_v2_write_info(struct quota_v2_file *f)
{
	struct info i = {.space_grace = (u32)f->space_grace,
		.inodes_grace = (u32)f->inodes_grace,
		.blocks = f->blocks,
		.free_block = f->free_block,
		.free_entry = f->free_entry};

	return f->write(f, INFO_OFFSET, &i, sizeof(i));
}

static u32 slot_of(u32 id, u32 level)
{
	return id >> 8 * (DEPTH - 1 - level) & (REFS - 1);
}

static int read_ref(struct quota_v2_file *f, u32 block, u32 slot, u32 *ref)
{
	int err = f->read(f, (u64)block * BLOCK + slot * sizeof(u32), ref, sizeof(u32));

	return err ? err : *ref >= f->blocks ? -EUCLEAN : 0;
}

int quota_v2_find(struct quota_v2_file *f, u32 id, u64 *off)
{
	u32 block = ROOT;
	int err;

	*off = 0;
	for (u32 level = 0; level < DEPTH; level++) {
		err = read_ref(f, block, slot_of(id, level), &block);
		if (err || !block)
			return err;
	}
	for (u32 k = 0; k < PER_BLOCK; k++) {
		static const struct entry zero;
		u64 at = (u64)block * BLOCK + HEAD + k * QUOTA_V2_ENTRY;
		struct entry e;

		err = f->read(f, at, &e, sizeof(e));
		if (err)
			return err;
		if (e.id == id && (id || memcmp(&e, &zero, sizeof(e)) != 0)) {
			*off = at;
			return 0;
		}
	}
	return -EUCLEAN; /* the tree leads to a leaf without it */
}

/* ---- inserting --------------------------------------------------------------------------------- */

/* A zeroed block; the caller writes the info. */
static int new_block(struct quota_v2_file *f, u32 *out)
{
	u8 *zero = kzalloc(BLOCK, GFP_NOFS);
	struct leaf_head h;
	int err = zero ? 0 : -ENOMEM;

	*out = f->free_block ? f->free_block : f->blocks;
	if (!err && f->free_block) {
		err = f->read(f, (u64)*out * BLOCK, &h, sizeof(h));
		if (!err && h.next >= f->blocks)
			err = -EUCLEAN;
	}
	if (!err)
		err = f->write(f, (u64)*out * BLOCK, zero, BLOCK);
	if (!err && f->free_block)
		f->free_block = h.next;
	else if (!err)
		f->blocks++;
	kfree(zero);
	return err;
}

/* A leaf that has become full leaves the list of those with room; it was its head. */
static int unlist(struct quota_v2_file *f, struct leaf_head *h)
{
	u32 next = h->next;
	int err = 0;

	if (next >= f->blocks)
		return -EUCLEAN;
	if (next) {
		struct leaf_head n;

		err = f->read(f, (u64)next * BLOCK, &n, sizeof(n));
		n.prev = 0;
		if (!err)
			err = f->write(f, (u64)next * BLOCK, &n, sizeof(n));
	}
	f->free_entry = next;
	h->next = h->prev = 0;
	return err;
}

/* A free entry, taken by id. */
static int take_entry(struct quota_v2_file *f, u32 id, u32 *block, u64 *off)
{
	static const struct quota_values none;
	static const struct entry zero;
	struct leaf *l = kzalloc(sizeof(*l), GFP_NOFS);
	int err = l ? 0 : -ENOMEM;
	u32 k = 0;

	if (!err && f->free_entry) {
		*block = f->free_entry;
		err = f->read(f, (u64)*block * BLOCK, l, sizeof(*l));
	} else if (!err) {
		err = new_block(f, block);
		f->free_entry = err ? 0 : *block;
	}
	while (!err && k < PER_BLOCK && memcmp(&l->e[k], &zero, sizeof(zero)) != 0)
		k++;
	if (!err && k == PER_BLOCK)
		err = -EUCLEAN;
	if (!err) {
		quota_v2_encode(&l->e[k], id, &none);
		*off = (u64)*block * BLOCK + HEAD + k * QUOTA_V2_ENTRY;
		if (++l->h.entries == PER_BLOCK)
			err = unlist(f, &l->h);
	}
	if (!err)
		err = f->write(f, (u64)*block * BLOCK, l, sizeof(*l));
	kfree(l);
	return err;
}

int quota_v2_insert(struct quota_v2_file *f, u32 id, u64 *off)
{
	u32 block = ROOT, leaf = 0, ref;
	int err = take_entry(f, id, &leaf, off);

	for (u32 level = 0; level < DEPTH && !err; level++) {
		u32 slot = slot_of(id, level);

		err = read_ref(f, block, slot, &ref);
		if (!err && !ref) {
			if (level == DEPTH - 1)
				ref = leaf;
			else
				err = new_block(f, &ref);
			if (!err)
				err = f->write(f, (u64)block * BLOCK + slot * sizeof(u32), &ref,
					sizeof(ref));
		} else if (!err && level == DEPTH - 1) {
			err = -EUCLEAN;
		}
		block = ref;
	}
	return err ? err : quota_v2_write_info(f);
}

/* ---- walking ----------------------------------------------------------------------------------- */

int quota_v2_next(struct quota_v2_file *f, u32 *id)
{
	u64 at = *id;

	/* At each id the walk stops at the level where nothing is, and goes on behind that part. */
	while (at <= U32_MAX) {
		u32 block = ROOT, level, ref = 0;

		for (level = 0; level < DEPTH; level++) {
			int err = read_ref(f, block, slot_of((u32)at, level), &ref);

			if (err)
				return err;
			if (!ref)
				break;
			block = ref;
		}
		if (level == DEPTH) {
			*id = (u32)at;
			return 0;
		}
		at = ((at >> 8 * (DEPTH - 1 - level)) + 1) << 8 * (DEPTH - 1 - level);
	}
	return -ENOENT;
}
