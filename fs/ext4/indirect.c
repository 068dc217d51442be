/*
 * Block maps of ext2 and ext3: twelve blocks in the inode, then blocks of block numbers, one, two
 * and three levels deep. data_sem is held.
 */
#include <lib/string.h>
#include "ext4.h"

#define NR_DIRECT  12
#define MAX_LEVELS 4

static u32 addr_bits(const struct ext4 *fs)
{
	return fs->block_bits - 2;
}

/* Slots on the way to lblk, from the inode's on; their number, 0: too large. */
static u32 way_to(const struct ext4 *fs, ext4_lblk lblk, u32 slots[MAX_LEVELS])
{
	u32 bits = addr_bits(fs), mask = (1u << bits) - 1;
	u64 n = lblk;

	if (n < NR_DIRECT) {
		slots[0] = (u32)n;
		return 1;
	}
	n -= NR_DIRECT;
	for (u32 levels = 1; levels < MAX_LEVELS; levels++) {
		if (n < 1ull << (bits * levels)) {
			slots[0] = NR_DIRECT + levels - 1;
			for (u32 k = 1; k <= levels; k++)
				slots[k] = (u32)(n >> (bits * (levels - k))) & mask;
			return levels + 1;
		}
		n -= 1ull << (bits * levels);
	}
	return 0;
}

static int bad_map(struct inode *i, u32 b)
{
	return ext4_corrupt(ext4_of(i), i->ino, b, "invalid block map");
}

static int read_slots(struct inode *i, u32 b, struct block_ref *ref)
{
	if (!ext4_blocks_valid(ext4_of(i), b, 1))
		return bad_map(i, b);
	return ext4_read_block(ext4_of(i), b, ref);
}

/* Consecutive slots that go on as slots[at] begins: a run of blocks, or of holes. */
static u32 run_len(const u32 *slots, u32 at, u32 end, u32 max)
{
	u32 n = 1, b = slots[at];

	while (n < max && at + n < end && slots[at + n] == (b ? b + n : 0))
		n++;
	return n;
}

int ext4_ind_lookup(struct inode *i, struct ext4_map *m)
{
	const struct ext4 *fs = ext4_of(i);
	struct block_ref ref = {};
	u32 way[MAX_LEVELS], levels = way_to(fs, m->lblk, way);
	const u32 *slots = ext4_info(i)->data;
	u32 end = NR_DIRECT;

	if (!levels)
		return -EFBIG;
	for (u32 k = 0; k + 1 < levels; k++) {
		u32 b = slots[way[k]];
		int err;

		block_ref_put(&ref);
		if (!b) { /* a hole up to the end of what would stand below */
			u64 below = (u64)1 << (addr_bits(fs) * (levels - 1 - k)), at = 0;

			for (u32 j = k + 1; j < levels; j++)
				at |= (u64)way[j] << (addr_bits(fs) * (levels - 1 - j));
			m->len = (u32)min_t(u64, m->len, below - at);
			return 0;
		}
		err = read_slots(i, b, &ref);
		if (err)
			return err;
		slots = ref.data;
		end = fs->block_size / sizeof(u32);
	}
	m->block = slots[way[levels - 1]];
	m->len = run_len(slots, way[levels - 1], end, m->len);
	m->flags = m->block ? EXT4_MAP_MAPPED : 0;
	block_ref_put(&ref);
	return 0;
}

/* A new block of block numbers for the slot. */
static int new_slots(struct handle *h, struct inode *i, ext4_block goal, struct block_ref *ref)
{
	struct ext4_alloc a = {.inode = i, .len = 1, .goal = goal, .flags = EXT4_ALLOC_META};
	ext4_block b;
	int err = ext4_alloc_blocks(h, &a, &b);

	if (err)
		return err;
	err = ext4_new_block_ref(ext4_of(i), b, ref);
	if (!err)
		err = journal_get_create(h, ref);
	if (!err)
		err = journal_dirty(h, ref);
	if (err) {
		block_ref_put(ref);
		if (ext4_free_blocks(h, i, b, 1, EXT4_FREE_META))
			return -EIO;
	}
	return err;
}

/* m->lblk is a hole: blocks for it and for holes right behind it. */
int ext4_ind_create(struct handle *h, struct inode *i, struct ext4_map *m, u32 get)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	struct block_ref ref = {}, next;
	u32 way[MAX_LEVELS], levels = way_to(fs, m->lblk, way), end = NR_DIRECT;
	u32 *slots = n->data, last;
	struct ext4_alloc a = {.inode = i, .lblk = m->lblk, .goal = ext4_alloc_goal(i, m->lblk)};
	ext4_block b;
	int err = 0;

	if (get & EXT4_GET_UNWRITTEN)
		return -EOPNOTSUPP;
	if (!levels)
		return -EFBIG;
	for (u32 k = 0; k + 1 < levels; k++) {
		u32 at = way[k];

		if (slots[at]) {
			err = read_slots(i, slots[at], &next);
		} else {
			err = new_slots(h, i, a.goal, &next);
			if (!err && ref.page)
				err = journal_get_write(h, &ref);
			if (!err) {
				slots[at] = (u32)next.block;
				if (ref.page)
					err = journal_dirty(h, &ref);
			}
		}
		block_ref_put(&ref);
		if (err)
			return err;
		ref = next;
		slots = ref.data;
		end = fs->block_size / sizeof(u32);
	}
	last = way[levels - 1];
	a.len = run_len(slots, last, end, m->len);
	a.flags = (get & EXT4_GET_META ? EXT4_ALLOC_META : 0) |
		(get & EXT4_GET_DELAYED ? EXT4_ALLOC_DELAYED : 0);
	err = ref.page ? journal_get_write(h, &ref) : 0;
	if (!err)
		err = ext4_alloc_blocks(h, &a, &b);
	if (err) {
		block_ref_put(&ref);
		return err;
	}
	for (u32 k = 0; k < a.len; k++)
		slots[last + k] = (u32)(b + k);
	if (ref.page)
		err = journal_dirty(h, &ref);
	block_ref_put(&ref);
	m->block = b;
	m->len = a.len;
	m->flags = EXT4_MAP_MAPPED | EXT4_MAP_NEW;
	n->last_alloc = b + a.len;
	n->last_alloc_lblk = m->lblk + a.len;
	return err;
}

/* ---- removal ----------------------------------------------------------------------------------- */

struct range {
	u64 first, last;
};

/* Slots of one block, or the inode's, and what they stand for. */
struct slots {
	struct block_ref *ref; /* NULL: the inode's */
	u32 *slot;
	u32 nr, level; /* level 0: blocks of data */
	u64 base;      /* file block of the first */
};

static int begin(struct handle *h, struct slots *s)
{
	return s->ref ? journal_get_write(h, s->ref) : 0;
}

static int end(struct handle *h, struct slots *s)
{
	return s->ref ? journal_dirty(h, s->ref) : 0;
}

/* The run of blocks that ends with slot k, within one group. */
static int remove_run(
	struct handle *h, struct inode *i, struct slots *s, u32 k, const struct range *r)
{
	struct ext4 *fs = ext4_of(i);
	u32 last = s->slot[k], nr = 1;
	int err;

	if (!ext4_blocks_valid(fs, last, 1))
		return bad_map(i, last);
	while (nr <= k && s->slot[k - nr] == last - nr && s->base + k - nr >= r->first &&
		(last - nr + 1 - fs->es->s_first_data_block) % fs->blocks_per_group)
		nr++;
	err = begin(h, s);
	if (err)
		return err;
	memset(&s->slot[k + 1 - nr], 0, nr * sizeof(u32));
	err = end(h, s);
	if (!err)
		err = ext4_free_blocks(
			h, i, last + 1 - nr, nr, S_ISREG(i->mode) ? 0 : EXT4_FREE_META);
	return err ? err : 1;
}

static bool all_zero(const u32 *slots, u32 n)
{
	for (u32 k = 0; k < n; k++)
		if (slots[k])
			return false;
	return true;
}

/* One piece from the end of the range. Recursion: three levels. 1: did one; 0: nothing left. */
static int remove_step(struct handle *h, struct inode *i, struct slots *s, const struct range *r)
{
	struct ext4 *fs = ext4_of(i);
	u32 bits = addr_bits(fs);
	u64 span = 1ull << (bits * s->level);

	for (u32 k = s->nr; k-- > 0;) {
		u64 base = s->base + k * span;
		struct block_ref ref;
		struct slots below;
		u32 b = s->slot[k];
		int err;

		if (!b || base > r->last)
			continue;
		if (base + span <= r->first)
			return 0;
		if (!s->level)
			return remove_run(h, i, s, k, r);
		err = read_slots(i, b, &ref);
		if (err)
			return err;
		below = (struct slots){.ref = &ref,
			.slot = ref.data,
			.nr = 1u << bits,
			.level = s->level - 1,
			.base = base};
		err = remove_step(h, i, &below, r);
		if (err || !all_zero(ref.data, 1u << bits)) {
			block_ref_put(&ref);
			if (err)
				return err;
			continue;
		}
		block_ref_put(&ref);
		err = begin(h, s);
		if (!err) {
			s->slot[k] = 0;
			err = end(h, s);
		}
		if (!err)
			err = ext4_free_blocks(h, i, b, 1, EXT4_FREE_META);
		return err ? err : 1;
	}
	return 0;
}

int ext4_ind_remove(struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last)
{
	struct ext4 *fs = ext4_of(i);
	struct range r = {first, last};
	u32 *data = ext4_info(i)->data, bits = addr_bits(fs);
	u64 base = NR_DIRECT;
	struct slots top[MAX_LEVELS] = {{.slot = data, .nr = NR_DIRECT}};

	for (u32 k = 1; k < MAX_LEVELS; k++) {
		top[k] = (struct slots){
			.slot = data + NR_DIRECT + k - 1, .nr = 1, .level = k, .base = base};
		base += 1ull << (bits * k);
	}
	for (u32 k = MAX_LEVELS; k-- > 0;) {
		int err = remove_step(h, i, &top[k], &r);

		if (err)
			return err;
	}
	return 0;
}
