/*
 * The file system grows while it is mounted.
 *
 * Groups come in batches. What a batch needs before anyone may look (bitmaps, tables, cleared room
 * for descriptors) lies behind the end of the file system: it is written and flushed first. One
 * transaction then adds descriptors, counts and, for a further block of descriptors, the change of
 * the resize inode: a crash leaves the file system with all of a batch or with none of it. Copies
 * of the super block and of descriptors follow, for e2fsck only.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include "resize.h"

#define BATCH      16u /* groups of one transaction */
#define LAST_LEAST 50u /* blocks a short last group has besides its own, else it isn't made */

struct batch {
	struct ext4 *fs;
	u32 first, nr; /* groups */
	struct new_group {
		struct ext4_group *g;
		struct ext4_group_desc *desc; /* ours, until it is in its block */
		u64 *bits;                    /* the block bitmap */
		u32 blocks;
		ext4_block bitmap, inodes, table;
		bool plain; /* only what stands at its start is its own */
	} groups[BATCH];
	const struct ext4_new_group *given; /* where the parts are to stand; NULL: we choose */
};

static u32 desc_blocks(const struct ext4 *fs)
{
	return div_round_up(fs->nr_groups, fs->descs_per_block);
}

static bool is_meta(const struct ext4 *fs, u32 desc_block)
{
	return ext4_has_incompat(fs, META_BG) && desc_block >= fs->es->s_first_meta_bg;
}

/* ---- a batch in memory ------------------------------------------------------------------------- */

/* A run of len free blocks of the groups [from, to) of the batch becomes used. 0: there is none. */
static ext4_block take(struct batch *b, u32 from, u32 to, u32 len)
{
	for (u32 k = from; k < to; k++) {
		struct new_group *g = &b->groups[k];
		u32 at = 0;

		while (at < g->blocks) {
			u32 start = (u32)bitmap_next_clear(g->bits, g->blocks, at), end;

			if (start + len > g->blocks)
				break;
			end = (u32)bitmap_next_set(g->bits, start + len, start);
			if (end - start == len) {
				bitmap_set_range(g->bits, start, len);
				g->plain = false;
				return ext4_group_first(b->fs, b->first + k) + start;
			}
			at = end + 1;
		}
	}
	return 0;
}

/* The place that the caller of GROUP_ADD gave: inside the group, and free. */
static bool take_given(struct batch *b, ext4_block at, u32 len)
{
	struct new_group *g = &b->groups[0];
	ext4_block first = ext4_group_first(b->fs, b->first);
	u32 bit;

	if (at < first || at - first >= g->blocks || len > g->blocks - (at - first))
		return false;
	bit = (u32)(at - first);
	if (bitmap_next_set(g->bits, bit + len, bit) < bit + len)
		return false;
	bitmap_set_range(g->bits, bit, len);
	g->plain = false;
	return true;
}

static int place_given(struct batch *b)
{
	const struct ext4_new_group *in = b->given;
	struct new_group *g = &b->groups[0];

	if (!take_given(b, in->block_bitmap, 1) || !take_given(b, in->inode_bitmap, 1) ||
		!take_given(b, in->inode_table, b->fs->itable_blocks))
		return -EINVAL;
	g->bitmap = in->block_bitmap;
	g->inodes = in->inode_bitmap;
	g->table = in->inode_table;
	return 0;
}

/* With FLEX_BG the batch's bitmaps and tables stand together, else each in its own group. */
static int place(struct batch *b)
{
	bool flex = ext4_has_incompat(b->fs, FLEX_BG);

	if (b->given)
		return place_given(b);
	for (u32 part = 0; part < 3; part++)
		for (u32 k = 0; k < b->nr; k++) {
			struct new_group *g = &b->groups[k];
			ext4_block *where = part == 0 ? &g->bitmap
				: part == 1           ? &g->inodes
						      : &g->table;

			*where = take(b, flex ? 0 : k, flex ? b->nr : k + 1,
				part == 2 ? b->fs->itable_blocks : 1);
			if (!*where)
				return -ENOSPC;
		}
	return 0;
}

static void fill_desc(struct batch *b, u32 k, bool last)
{
	struct ext4 *fs = b->fs;
	struct new_group *n = &b->groups[k];
	struct ext4_group_desc *d = n->desc;
	bool sums = fs->has_csum || fs->has_gdt_csum;

	d->bg_block_bitmap_lo = (u32)n->bitmap;
	d->bg_inode_bitmap_lo = (u32)n->inodes;
	d->bg_inode_table_lo = (u32)n->table;
	if (fs->desc_size >= sizeof(*d)) {
		d->bg_block_bitmap_hi = (u32)(n->bitmap >> 32);
		d->bg_inode_bitmap_hi = (u32)(n->inodes >> 32);
		d->bg_inode_table_hi = (u32)(n->table >> 32);
	}
	n->g->free_blocks = n->blocks - (u32)bitmap_count(n->bits, n->blocks);
	n->g->free_inodes = fs->inodes_per_group;
	n->plain = n->plain && sums && !last;
	if (!sums)
		return;
	d->bg_flags = EXT4_BG_INODE_ZEROED | EXT4_BG_INODE_UNINIT;
	if (n->plain)
		d->bg_flags |= EXT4_BG_BLOCK_UNINIT;
	ext4_desc_set_itable_unused(fs, d, fs->inodes_per_group);
}

static void batch_free(struct batch *b, bool groups)
{
	for (u32 k = 0; k < b->nr; k++) {
		struct new_group *n = &b->groups[k];

		kvfree(n->bits);
		kfree(n->desc);
		if (groups && n->g) {
			/* Readers don't look behind nr_groups. */
			b->fs->groups[b->first + k] = NULL;
			block_ref_put(&n->g->desc_ref);
			kfree(n->g);
		}
	}
}

/* end: of the file system, when the batch is there. */
static int batch_make(struct batch *b, u64 end)
{
	struct ext4 *fs = b->fs;

	for (u32 k = 0; k < b->nr; k++) {
		struct new_group *n = &b->groups[k];
		ext4_block first = ext4_group_first(fs, b->first + k);

		n->blocks = (u32)min_t(u64, fs->blocks_per_group, end - first);
		n->bits = kvmalloc(fs->block_size, GFP_KERNEL | GFP_ZERO);
		n->desc = kzalloc(max_t(u32, fs->desc_size, sizeof(*n->desc)), GFP_KERNEL);
		n->g = kzalloc(sizeof(*n->g), GFP_KERNEL);
		if (!n->bits || !n->desc || !n->g)
			return -ENOMEM;
		mutex_init(&n->g->lock, RANK_FS_GROUP);
		n->g->largest_free = ~0u;
		n->g->desc = n->desc;
		fs->groups[b->first + k] = n->g;
		n->plain = true;
		if (ext4_group_base(fs, b->first + k) > n->blocks)
			return -ENOSPC;
		bitmap_set_range(n->bits, 0, ext4_group_base(fs, b->first + k));
		bitmap_set_range(n->bits, n->blocks, fs->block_size * 8 - n->blocks);
	}
	return place(b);
}

/* ---- what must be on the disk first ------------------------------------------------------------ */

static int zero_blocks(struct ext4 *fs, ext4_block at, u64 n)
{
	for (u64 k = 0; k < n; k++) {
		struct block_ref ref;
		int err = bdev_new_block(fs->dev, at + k, fs->block_size, &ref);

		if (err)
			return err;
		memset(ref.data, 0, fs->block_size);
		bdev_mark_block_dirty(fs->dev, &ref);
		block_ref_put(&ref);
		if (k % 512 == 511) {
			err = bdev_sync(fs->dev);
			if (err)
				return err;
		}
		cond_resched();
	}
	return 0;
}

static int put_block(struct ext4 *fs, ext4_block at, const void *data)
{
	struct block_ref ref;
	int err = bdev_new_block(fs->dev, at, fs->block_size, &ref);

	if (err)
		return err;
	memcpy(ref.data, data, fs->block_size);
	bdev_mark_block_dirty(fs->dev, &ref);
	block_ref_put(&ref);
	return 0;
}

static int write_inode_bitmap(struct ext4 *fs, u32 group, ext4_block at)
{
	u64 *bits = kvmalloc(fs->block_size, GFP_KERNEL | GFP_ZERO);
	int err;

	if (!bits)
		return -ENOMEM;
	bitmap_set_range(bits, fs->inodes_per_group, fs->block_size * 8 - fs->inodes_per_group);
	ext4_inode_bitmap_csum_set(fs, group, bits);
	err = put_block(fs, at, bits);
	kvfree(bits);
	return err;
}

static int batch_write(struct batch *b, bool last)
{
	struct ext4 *fs = b->fs;
	int err = 0;

	for (u32 k = 0; k < b->nr && !err; k++) {
		struct new_group *n = &b->groups[k];
		u32 group = b->first + k;

		fill_desc(b, k, last && k + 1 == b->nr);
		err = zero_blocks(fs, ext4_group_first(fs, group), ext4_group_base(fs, group));
		if (!err)
			err = zero_blocks(fs, n->table, fs->itable_blocks);
		if (!err && !n->plain) {
			ext4_block_bitmap_csum_set(fs, group, n->bits);
			err = put_block(fs, n->bitmap, n->bits);
		}
		if (!err)
			err = write_inode_bitmap(fs, group, n->inodes);
	}
	if (!err)
		err = bdev_sync(fs->dev);
	return err || !fs->opt.barrier ? err : bdev_flush(fs->dev);
}

/* ---- the resize inode -------------------------------------------------------------------------- */

/* Copies of the super block in groups [1, n). */
static u32 count_backups(const struct ext4 *fs, u32 n)
{
	u32 r = 0;

	for (u32 k = 1; k < n; k++)
		r += ext4_group_has_super(fs, k);
	return r;
}

static void add_blocks(struct inode *i, s64 n)
{
	spin_lock(&i->spin);
	ext4_info(i)->nr_blocks += (u64)n;
	i->blocks = ext4_info(i)->nr_blocks * ext4_of(i)->sectors_per_block;
	spin_unlock(&i->spin);
}

/*
 * Its double indirect block names the blocks that wait behind the descriptors; each of these names
 * its copies in the groups with a super block. One more of them becomes a block of descriptors.
 */
static int take_reserved(struct handle *h, struct inode *ri, u32 nr, struct block_ref *out)
{
	struct ext4 *fs = ext4_of(ri);
	u32 *slot, at = nr % (fs->block_size / sizeof(u32));
	ext4_block b = ext4_desc_block(fs, nr);
	struct block_ref dind;
	int err = ext4_read_block(fs, ext4_info(ri)->data[13], &dind);

	if (err)
		return err;
	slot = (u32 *)dind.data + at;
	if (*slot != b)
		err = ext4_corrupt(fs, ri->ino, b, "isn't kept for descriptors");
	if (!err)
		err = journal_get_write(h, &dind);
	if (!err)
		err = ext4_read_block(fs, b, out);
	if (!err)
		err = journal_get_write(h, out);
	if (!err) {
		memset(out->data, 0, fs->block_size);
		*slot = 0;
		err = journal_dirty(h, &dind);
		add_blocks(ri, -1 - (s64)count_backups(fs, fs->nr_groups));
		mutex_lock(&fs->error_lock);
		fs->es->s_reserved_gdt_blocks--;
		mutex_unlock(&fs->error_lock);
	}
	block_ref_put(&dind);
	return err;
}

/* A new group holds copies: each block kept for descriptors learns of its own. first: of those. */
static int name_copies(struct handle *h, struct inode *ri, u32 group, u32 first)
{
	struct ext4 *fs = ext4_of(ri);
	u32 index = count_backups(fs, group), kept = fs->es->s_reserved_gdt_blocks;
	int err = 0;

	if (index >= fs->block_size / sizeof(u32))
		return -EFBIG;
	for (u32 k = 0; k < kept && !err; k++) {
		ext4_block b = ext4_desc_block(fs, first + k);
		struct block_ref ref;

		err = ext4_read_block(fs, b, &ref);
		if (err)
			break;
		err = journal_get_write(h, &ref);
		if (!err) {
			((u32 *)ref.data)[index] = (u32)(b + (u64)group * fs->blocks_per_group);
			err = journal_dirty(h, &ref);
		}
		block_ref_put(&ref);
	}
	if (!err)
		add_blocks(ri, kept);
	return err;
}

/* From here on blocks of descriptors stand in the groups that they describe. */
static int become_meta_bg(struct ext4 *fs, struct inode *ri)
{
	struct handle *h = ext4_begin(fs, 12);
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = journal_get_write(h, &fs->sb_ref);
	if (!err && ri) {
		struct ext4_inode_info *n = ext4_info(ri);
		ext4_block dind = n->data[13];

		if (dind)
			err = ext4_free_blocks(h, ri, dind, 1, EXT4_FREE_META | EXT4_FREE_NOQUOTA);
		memset(n->data, 0, sizeof(n->data));
		WRITE_ONCE(ri->object.size, 0);
		n->disk_size = 0;
		add_blocks(ri, -(s64)n->nr_blocks);
		if (!err)
			err = ext4_mark_inode_dirty(h, ri);
	}
	if (!err) {
		mutex_lock(&fs->error_lock);
		fs->es->s_feature_incompat |= EXT4_INCOMPAT_META_BG;
		fs->es->s_feature_compat &= ~(u32)EXT4_COMPAT_RESIZE_INODE;
		fs->es->s_first_meta_bg = desc_blocks(fs);
		ext4_super_counts_set(fs);
		fs->feature_incompat |= EXT4_INCOMPAT_META_BG;
		fs->feature_compat &= ~(u32)EXT4_COMPAT_RESIZE_INODE;
		mutex_unlock(&fs->error_lock);
		err = journal_dirty(h, &fs->sb_ref);
	}
	return ext4_end(h, err);
}

/* ---- one transaction --------------------------------------------------------------------------- */

/* The block of descriptors, which the handle may write. */
static int desc_block(struct handle *h, struct batch *b, struct inode *ri, struct block_ref *out)
{
	struct ext4 *fs = b->fs;
	u32 nr = b->first / fs->descs_per_block;
	int err;

	if (b->first % fs->descs_per_block) {
		*out = block_ref_dup(&ext4_group(fs, b->first - 1)->desc_ref);
		return journal_get_write(h, out);
	}
	if (!is_meta(fs, nr))
		return take_reserved(h, ri, nr, out);
	err = bdev_new_block(fs->dev, ext4_desc_block(fs, nr), fs->block_size, out);
	if (!err)
		err = journal_get_create(h, out);
	if (!err)
		memset(out->data, 0, fs->block_size);
	return err;
}

/* Counts that follow the number of groups; then others see them. */
static void publish(struct batch *b, u64 end, u64 kept_for_root)
{
	struct ext4 *fs = b->fs;
	struct ext4_super_block *es = fs->es;
	u64 free = 0, total;

	for (u32 k = 0; k < b->nr; k++)
		free += b->groups[k].g->free_blocks;
	total = ext4_super_reserved(fs) + kept_for_root;
	mutex_lock(&fs->error_lock);
	es->s_blocks_count_lo = (u32)end;
	es->s_r_blocks_count_lo = (u32)total;
	if (ext4_has_incompat(fs, 64BIT)) {
		es->s_blocks_count_hi = (u32)(end >> 32);
		es->s_r_blocks_count_hi = (u32)(total >> 32);
	}
	es->s_inodes_count += b->nr * fs->inodes_per_group;
	WRITE_ONCE(fs->root_reserved, total);
	__atomic_store_n(&fs->blocks_count, end, __ATOMIC_RELEASE);
	WRITE_ONCE(fs->inodes_count, es->s_inodes_count);
	__atomic_store_n(&fs->nr_groups, b->first + b->nr, __ATOMIC_RELEASE);
	WRITE_ONCE(fs->overhead,
		ext4_calc_overhead(fs) +
			(fs->journal_inode ? fs->journal_inode->object.size >> fs->block_bits : 0));
	es->s_overhead_clusters = (u32)fs->overhead;
	__atomic_fetch_add(&fs->free_blocks, (s64)free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fs->unpromised, (s64)free, __ATOMIC_RELAXED);
	__atomic_fetch_add(&fs->free_inodes, (s64)b->nr * fs->inodes_per_group, __ATOMIC_RELAXED);
	ext4_super_counts_set(fs);
	mutex_unlock(&fs->error_lock);
}

static int batch_commit(struct batch *b, struct inode *ri, u64 end, u64 kept_for_root)
{
	struct ext4 *fs = b->fs;
	u32 nr_descs = div_round_up(b->first + b->nr, fs->descs_per_block);
	struct handle *h = ext4_begin(fs, 6 + (ri ? fs->es->s_reserved_gdt_blocks : 0));
	struct block_ref ref = {};
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = journal_get_write(h, &fs->sb_ref);
	if (!err)
		err = desc_block(h, b, ri, &ref);
	for (u32 k = 0; ri && k < b->nr && !err; k++)
		if (ext4_group_has_super(fs, b->first + k))
			err = name_copies(h, ri, b->first + k, nr_descs);
	if (!err && ri)
		err = ext4_mark_inode_dirty(h, ri);
	for (u32 k = 0; k < b->nr && !err; k++) {
		struct ext4_group *g = b->groups[k].g;
		u32 at = (b->first + k) % fs->descs_per_block * fs->desc_size;

		memcpy((u8 *)ref.data + at, g->desc, fs->desc_size);
		g->desc = (void *)((u8 *)ref.data + at);
		g->desc_ref = block_ref_dup(&ref);
		ext4_group_counts_set(fs, b->first + k, g);
	}
	if (!err)
		err = journal_dirty(h, &ref);
	if (!err) {
		publish(b, end, kept_for_root);
		err = journal_dirty(h, &fs->sb_ref);
	}
	block_ref_put(&ref);
	return ext4_end(h, err);
}

/* ---- growing ----------------------------------------------------------------------------------- */

static u64 root_share(const struct ext4 *fs, u64 blocks)
{
	return blocks * (ext4_super_reserved(fs) * 100 / fs->blocks_count) / 100;
}

/* Groups from nr_groups on, up to one that ends the file system at end. */
static int add_groups(struct ext4 *fs, u32 nr, u64 end, bool last,
	const struct ext4_new_group *given, u64 kept_for_root)
{
	struct batch *b = kzalloc(sizeof(*b), GFP_KERNEL);
	struct inode *ri = NULL;
	u32 was = fs->nr_groups, reserved = fs->es->s_reserved_gdt_blocks;
	int err = b ? 0 : -ENOMEM;

	if (!err && ext4_has_compat(fs, RESIZE_INODE)) {
		ri = ext4_iget(fs->super, EXT4_RESIZE_INO, EXT4_IGET_SPECIAL);
		if (is_err(ri)) {
			err = ptr_err(ri);
			ri = NULL;
		}
	}
	if (!err && was % fs->descs_per_block == 0 && !is_meta(fs, was / fs->descs_per_block) &&
		(!ri || !reserved)) {
		err = become_meta_bg(fs, ri);
		if (ri)
			put_inode(ri);
		ri = NULL;
	}
	if (!err)
		err = ext4_groups_room(fs, was + nr);
	if (!err) {
		b->fs = fs;
		b->first = was;
		b->nr = nr;
		b->given = given;
		err = batch_make(b, end);
	}
	if (!err)
		err = batch_write(b, last);
	if (!err)
		err = ext4_zones_build(fs, was + nr);
	if (!err)
		err = batch_commit(b, ri, end, kept_for_root);
	if (b)
		batch_free(b, fs->nr_groups == was);
	kfree(b);
	if (ri)
		put_inode(ri);
	return err ? err : ext4_backup_descs(fs, was / fs->descs_per_block);
}

/* The last group gets longer. */
static int extend_last(struct ext4 *fs, u64 end)
{
	u32 n = fs->nr_groups - 1, from = ext4_group_blocks(fs, n);
	u64 more = end - fs->blocks_count;
	struct handle *h = ext4_begin(fs, 4);
	struct ext4_super_block *es = fs->es;
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = journal_get_write(h, &fs->sb_ref);
	if (!err)
		err = ext4_group_lengthen(h, fs, n, from, from + (u32)more);
	if (!err) {
		mutex_lock(&fs->error_lock);
		es->s_blocks_count_lo = (u32)end;
		if (ext4_has_incompat(fs, 64BIT))
			es->s_blocks_count_hi = (u32)(end >> 32);
		__atomic_store_n(&fs->blocks_count, end, __ATOMIC_RELEASE);
		__atomic_fetch_add(&fs->free_blocks, (s64)more, __ATOMIC_RELAXED);
		__atomic_fetch_add(&fs->unpromised, (s64)more, __ATOMIC_RELAXED);
		ext4_super_counts_set(fs);
		mutex_unlock(&fs->error_lock);
		err = journal_dirty(h, &fs->sb_ref);
	}
	return ext4_end(h, err);
}

/* Where the next batch ends: within its flexible group and its block of descriptors. */
static u32 batch_end(const struct ext4 *fs, u32 first, u32 groups)
{
	u32 flex = min(fs->flex_bits, 30u), end = min(groups, first + BATCH);

	if (ext4_has_incompat(fs, FLEX_BG))
		end = (u32)min_t(u64, end, round_up((u64)first + 1, 1ull << flex));
	return (u32)min_t(u64, end, round_up((u64)first + 1, (u64)fs->descs_per_block));
}

static u64 group_end(const struct ext4 *fs, u32 n, u64 limit)
{
	return min(ext4_group_first(fs, n) + fs->blocks_per_group, limit);
}

/* The blocks that the file system can have: not a last group with no room to speak of. */
static int settle(struct ext4 *fs, u64 *blocks)
{
	u64 first = fs->es->s_first_data_block, groups;
	u32 rest;

	if (!ext4_has_incompat(fs, 64BIT))
		*blocks = min(*blocks, (u64)U32_MAX);
	groups = div_round_up(*blocks - first, fs->blocks_per_group);
	rest = (u32)((*blocks - first) % fs->blocks_per_group);
	if (groups > fs->nr_groups && rest &&
		rest < ext4_group_base(fs, (u32)groups - 1) + 2 + fs->itable_blocks + LAST_LEAST)
		*blocks = first + (groups - 1) * fs->blocks_per_group;
	groups = div_round_up(*blocks - first, fs->blocks_per_group);
	if (groups > S32_MAX / 64 || groups * fs->inodes_per_group > U32_MAX)
		return -EINVAL;
	return 0;
}

static int grow(struct ext4 *fs, u64 blocks)
{
	u64 end = group_end(fs, fs->nr_groups - 1, blocks);
	u32 groups;
	int err = 0;

	groups = (u32)div_round_up(blocks - fs->es->s_first_data_block, fs->blocks_per_group);
	if (end > fs->blocks_count)
		err = extend_last(fs, end); /* root gets no share of these, as with Linux */
	while (!err && fs->nr_groups < groups) {
		u32 to = batch_end(fs, fs->nr_groups, groups);

		end = group_end(fs, to - 1, blocks);
		err = add_groups(fs, to - fs->nr_groups, end, to == groups, NULL,
			root_share(fs, end - fs->blocks_count));
		cond_resched();
	}
	return err;
}

/* The device has so many blocks. */
static bool reaches(const struct ext4 *fs, u64 blocks)
{
	return blocks <= bdev_bytes(fs->dev) >> fs->block_bits;
}

static int finish(struct ext4 *fs, int err)
{
	int e = ext4_backup_supers(fs);

	if (!err && fs->journal)
		err = journal_flush(fs->journal);
	return err ? err : e;
}

int ext4_resize(struct ext4 *fs, u64 blocks)
{
	u64 was = fs->blocks_count;
	int err;

	if (!blocks || !reaches(fs, blocks))
		return -ENOSPC;
	if (blocks < was)
		return -EINVAL;
	err = settle(fs, &blocks);
	if (err || blocks <= was)
		return err;
	err = finish(fs, grow(fs, blocks));
	log_info("ext4: %s: grown from %llu to %llu blocks", fs->super->id, (unsigned long long)was,
		(unsigned long long)fs->blocks_count);
	return err;
}

int ext4_resize_last(struct ext4 *fs, u64 blocks)
{
	u64 end = group_end(fs, fs->nr_groups - 1, blocks);

	if (!blocks)
		return 0;
	if (blocks < fs->blocks_count)
		return -EINVAL;
	if (!reaches(fs, end))
		return -ENOSPC;
	return end == fs->blocks_count ? 0 : finish(fs, extend_last(fs, end));
}

int ext4_resize_add(struct ext4 *fs, const struct ext4_new_group *in)
{
	u32 n = fs->nr_groups, db = n / fs->descs_per_block;
	ext4_block first = ext4_group_first(fs, n);

	if (in->group != n || fs->blocks_count != first || !in->blocks_count ||
		in->blocks_count > fs->blocks_per_group ||
		in->reserved_blocks > in->blocks_count / 5 ||
		!reaches(fs, first + in->blocks_count))
		return -EINVAL;
	if (ext4_group_base(fs, n) + 2 + fs->itable_blocks > in->blocks_count)
		return -EINVAL;
	if ((u64)fs->inodes_count + fs->inodes_per_group > U32_MAX)
		return -EINVAL;
	if (n % fs->descs_per_block == 0 && !is_meta(fs, db) && !fs->es->s_reserved_gdt_blocks)
		return -EPERM; /* only RESIZE_FS goes on without them */
	return finish(
		fs, add_groups(fs, 1, first + in->blocks_count, true, in, in->reserved_blocks));
}

int ext4_resize_begin(struct ext4 *fs)
{
	if (!capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (fs->es->s_reserved_gdt_blocks && !ext4_has_compat(fs, RESIZE_INODE))
		return ext4_corrupt(fs, 0, 0, "room for descriptors without resize inode");
	if (fs->es->s_state & EXT4_ERROR_FS)
		return -EPERM;
	if (ext4_has_compat(fs, SPARSE_SUPER2))
		return -EOPNOTSUPP;
	return __atomic_exchange_n(&fs->resizing, true, __ATOMIC_ACQUIRE) ? -EBUSY : 0;
}

void ext4_resize_end(struct ext4 *fs)
{
	__atomic_store_n(&fs->resizing, false, __ATOMIC_RELEASE);
}
