/*
 * Inode numbers. Directories are spread over the groups, so that their files find room near them;
 * files go to the group of their directory.
 */
#include <core/log.h>
#include <lib/string.h>
#include <sched/timer.h>
#include "ext4.h"

#define INHERITED                                                                           \
	(EXT4_SECRM_FL | EXT4_UNRM_FL | EXT4_COMPR_FL | EXT4_SYNC_FL | EXT4_NODUMP_FL |     \
		EXT4_NOATIME_FL | EXT4_JOURNAL_DATA_FL | EXT4_NOTAIL_FL | EXT4_DIRSYNC_FL | \
		EXT4_PROJINHERIT_FL)

static void add(s64 *counter, s64 n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static bool has_csums(const struct ext4 *fs)
{
	return fs->has_csum || fs->has_gdt_csum;
}

/* ---- bitmaps ----------------------------------------------------------------------------------- */

/* g->lock held. Content when the group has none yet. */
static void fresh_bitmap(const struct ext4 *fs, u64 *bits)
{
	memset(bits, 0, fs->block_size);
	bitmap_set_range(bits, fs->inodes_per_group, fs->block_size * 8 - fs->inodes_per_group);
}

static int bad_group(struct ext4 *fs, u32 n, struct ext4_group *g)
{
	if (!g->bad_inodes)
		add(&fs->free_inodes, -(s64)g->free_inodes);
	g->bad_inodes = true;
	return ext4_corrupt(
		fs, 0, ext4_desc_inode_bitmap(fs, g->desc), "inode bitmap of group %u", n);
}

/* For a change: the handle may write it and the descriptor. */
static int load_bitmap(
	struct handle *h, struct ext4 *fs, u32 n, struct ext4_group *g, struct block_ref *ref)
{
	ext4_block b = ext4_desc_inode_bitmap(fs, g->desc);
	int err;

	ref->page = NULL;
	if (g->bad_inodes)
		return -EFSCORRUPTED;
	err = journal_get_write(h, &g->desc_ref);
	if (err)
		return err;
	if (has_csums(fs) && (g->desc->bg_flags & EXT4_BG_INODE_UNINIT)) {
		err = ext4_new_block_ref(fs, b, ref);
		if (!err)
			err = journal_get_create(h, ref);
		if (err)
			return err;
		fresh_bitmap(fs, ref->data);
		ext4_inode_bitmap_csum_set(fs, n, ref->data);
		g->desc->bg_flags &= (u16)~EXT4_BG_INODE_UNINIT;
		g->inode_bitmap_ok = true;
		return 0;
	}
	err = ext4_read_block(fs, b, ref);
	if (err)
		return err;
	if (!g->inode_bitmap_ok) {
		if (!ext4_inode_bitmap_csum_ok(fs, n, ref->data) ||
			fs->inodes_per_group - bitmap_count(ref->data, fs->inodes_per_group) !=
				g->free_inodes)
			return bad_group(fs, n, g);
		g->inode_bitmap_ok = true;
	}
	return journal_get_write(h, ref);
}

/* One bit has been inverted. */
static int end_change(struct handle *h, struct ext4 *fs, u32 n, struct ext4_group *g,
	struct block_ref *ref, u32 bit)
{
	int err;

	ext4_inode_bitmap_csum_flip(fs, n, bit);
	ASSERT(ext4_inode_bitmap_csum_ok(fs, n, ref->data));
	ext4_group_counts_set(fs, n, g);
	err = journal_dirty(h, ref);
	return err ? err : journal_dirty(h, &g->desc_ref);
}

/* ---- which group ------------------------------------------------------------------------------- */

static u32 group_of(const struct ext4 *fs, u64 ino)
{
	return (u32)((ino - 1) / fs->inodes_per_group);
}

static bool has_room(struct ext4 *fs, u32 n, u64 inodes, u64 blocks)
{
	struct ext4_group *g = ext4_group(fs, n);

	return !g->bad_inodes && READ_ONCE(g->free_inodes) > inodes &&
		READ_ONCE(g->free_blocks) >= blocks;
}

static u32 group_for_dir(struct ext4 *fs, struct inode *parent)
{
	u32 nr = fs->nr_groups, start, best = ~0u;
	u64 inodes = (u64)READ_ONCE(fs->free_inodes) / nr;
	u64 blocks = (u64)max_t(s64, READ_ONCE(fs->free_blocks), 0) / nr;

	if (parent->ino == EXT4_ROOT_INO || (ext4_info(parent)->flags & EXT4_TOPDIR_FL)) {
		/* Apart from each other: above the average in room, few directories. */
		start = __atomic_fetch_add(&fs->spread, 1, __ATOMIC_RELAXED) % nr;
		for (u32 k = 0; k < min(nr, 1024u); k++) {
			u32 n = (start + k) % nr;
			struct ext4_group *g = ext4_group(fs, n);

			if (has_room(fs, n, inodes ? inodes - 1 : 0, blocks) &&
				(best == ~0u || g->used_dirs < ext4_group(fs, best)->used_dirs))
				best = n;
		}
		if (best != ~0u)
			return best;
	}
	start = group_of(fs, parent->ino) % nr;
	for (u32 k = 0; k < nr; k++)
		if (has_room(fs, (start + k) % nr, inodes / 2, blocks / 2))
			return (start + k) % nr;
	return start;
}

/* ---- allocation -------------------------------------------------------------------------------- */

/* The table's block was never used: it is made here, not read. */
static int fresh_table_block(struct handle *h, struct ext4 *fs, struct ext4_group *g, u32 bit)
{
	struct block_ref ref;
	int err = ext4_new_block_ref(
		fs, ext4_desc_inode_table(fs, g->desc) + bit / fs->inodes_per_block, &ref);

	if (!err)
		err = journal_get_create(h, &ref);
	if (!err)
		err = journal_dirty(h, &ref);
	block_ref_put(&ref);
	return err;
}

/* -ENOSPC: none here. */
static int take_in_group(struct handle *h, struct ext4 *fs, u32 n, bool dir, u64 *ino)
{
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref = {};
	u32 bit, from = 0, used;
	int err = -ENOSPC;

	if (!READ_ONCE(g->free_inodes) || g->bad_inodes)
		return -ENOSPC;
	if (group_of(fs, fs->first_ino - 1) == n)
		from = (fs->first_ino - 1) % fs->inodes_per_group;
	mutex_lock(&g->lock);
	if (g->free_inodes)
		err = load_bitmap(h, fs, n, g, &ref);
	if (err)
		goto out;
	bit = (u32)bitmap_next_clear(ref.data, fs->inodes_per_group, from);
	if (bit >= fs->inodes_per_group) {
		err = from ? -ENOSPC : bad_group(fs, n, g);
		goto out;
	}
	if (has_csums(fs)) {
		used = fs->inodes_per_group - ext4_desc_itable_unused(fs, g->desc);
		if (bit >= used) {
			/* bit is the lowest free one: all in between are in blocks in use. */
			if (round_down(bit, fs->inodes_per_block) >= used)
				err = fresh_table_block(h, fs, g, bit);
			if (!err)
				ext4_desc_set_itable_unused(
					fs, g->desc, fs->inodes_per_group - bit - 1);
		}
	}
	if (err)
		goto out;
	bitmap_set(ref.data, bit);
	g->free_inodes--;
	add(&fs->free_inodes, -1);
	if (dir) {
		g->used_dirs++;
		add(&fs->used_dirs, 1);
	}
	*ino = (u64)n * fs->inodes_per_group + bit + 1;
	err = end_change(h, fs, n, g, &ref, bit);
out:
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

int ext4_claim_inode(struct handle *h, struct ext4 *fs, u64 ino, bool dir)
{
	u32 n = group_of(fs, ino), bit = (u32)((ino - 1) % fs->inodes_per_group);
	struct ext4_group *g;
	struct block_ref ref;
	u32 used;
	int err;

	if (ino < fs->first_ino || n >= fs->nr_groups)
		return ext4_corrupt(fs, ino, 0, "no inode of a file has this number");
	g = ext4_group(fs, n);
	mutex_lock(&g->lock);
	err = load_bitmap(h, fs, n, g, &ref);
	if (err || bitmap_test(ref.data, bit))
		goto out;
	used = fs->inodes_per_group - ext4_desc_itable_unused(fs, g->desc);
	if (has_csums(fs) && bit >= used) {
		/* All blocks of the table up to this one. */
		for (u32 at = round_up(used, fs->inodes_per_block); at <= bit && !err;
			at += fs->inodes_per_block)
			err = fresh_table_block(h, fs, g, at);
		if (!err)
			ext4_desc_set_itable_unused(fs, g->desc, fs->inodes_per_group - bit - 1);
	}
	if (err)
		goto out;
	bitmap_set(ref.data, bit);
	g->free_inodes--;
	add(&fs->free_inodes, -1);
	if (dir) {
		g->used_dirs++;
		add(&fs->used_dirs, 1);
	}
	err = end_change(h, fs, n, g, &ref, bit);
	err = err ? err : 1;
out:
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err;
}

static void inherit(struct inode *i, struct inode *dir)
{
	struct ext4_inode_info *n = ext4_info(i), *p = ext4_info(dir);
	u32 flags = READ_ONCE(p->flags) & INHERITED;

	if (S_ISREG(i->mode))
		flags &= ~(u32)EXT4_DIRSYNC_FL;
	else if (!S_ISDIR(i->mode))
		flags &= EXT4_NODUMP_FL | EXT4_NOATIME_FL;
	n->flags = flags;
	if (p->flags & EXT4_PROJINHERIT_FL)
		n->projid = p->projid;
	ext4_apply_flags(i);
}

/* Number ino is free from now on. An error has stopped the file system. */
static int give_back(struct handle *h, struct ext4 *fs, u64 ino, bool dir)
{
	u32 n = group_of(fs, ino), bit = (u32)((ino - 1) % fs->inodes_per_group);
	struct ext4_group *g = ext4_group(fs, n);
	struct block_ref ref;
	int err;

	mutex_lock(&g->lock);
	err = load_bitmap(h, fs, n, g, &ref);
	if (!err && !bitmap_test(ref.data, bit))
		err = ext4_corrupt(fs, ino, 0, "a free inode is freed");
	if (!err) {
		bitmap_clear(ref.data, bit);
		g->free_inodes++;
		add(&fs->free_inodes, 1);
		if (dir && g->used_dirs) {
			g->used_dirs--;
			add(&fs->used_dirs, -1);
		}
		err = end_change(h, fs, n, g, &ref, bit);
	}
	block_ref_put(&ref);
	mutex_unlock(&g->lock);
	return err && err != -EFSCORRUPTED ? ext4_fatal(fs, err, "freeing an inode") : err;
}

/* A number, and the inode in memory; the caller sets it up, then inode_cache_ready. */
static struct inode *take_inode(struct handle *h, struct inode *dir, bool is_dir, u64 goal)
{
	struct ext4 *fs = ext4_of(dir);
	struct inode *i;
	u32 start, nr = fs->nr_groups;
	u64 ino = 0;
	int err = -ENOSPC;

	if (goal && goal <= fs->inodes_count)
		start = group_of(fs, goal);
	else
		start = is_dir ? group_for_dir(fs, dir) : group_of(fs, dir->ino) % nr;
	for (u32 k = 0; k < nr && (err == -ENOSPC || err == -EFSCORRUPTED); k++)
		err = take_in_group(h, fs, (start + k) % nr, is_dir, &ino);
	if (err)
		return err_ptr(err);
	i = ext4_inode_insert(dir->super, ino);
	if (is_err(i)) {
		err = give_back(h, fs, ino, is_dir);
		return err ? err_ptr(err) : i;
	}
	ext4_info(i)->new_inode = true;
	ext4_info(i)->generation = __atomic_fetch_add(&fs->next_generation, 1, __ATOMIC_RELAXED);
	ext4_info(i)->extra_isize = fs->want_extra_isize;
	return i;
}

struct inode *ext4_new_ea_inode(struct handle *h, struct inode *owner)
{
	struct inode *ea = take_inode(h, owner, false, 0);

	if (is_err(ea))
		return ea;
	inode_init_owner(ea, NULL, S_IFREG | 0600, current_cred());
	ea->uid = owner->uid;
	ea->gid = owner->gid;
	ext4_info(ea)->flags = EXT4_EA_INODE_FL;
	ext4_info(ea)->no_quota = true;
	ext4_map_init(ea);
	ext4_set_ops(ea);
	inode_cache_ready(ea);
	return ea;
}

struct inode *ext4_new_inode(
	struct handle *h, struct inode *dir, kmode_t mode, const struct cred *c, u64 goal)
{
	struct inode *i = take_inode(h, dir, S_ISDIR(mode), goal);
	struct ext4_inode_info *n;
	int err;

	if (is_err(i))
		return i;
	n = ext4_info(i);
	inode_init_owner(i, dir, mode, c);
	if (ext4_of(dir)->opt.grpid)
		i->gid = dir->gid;
	inherit(i, dir);
	ext4_map_init(i);
	ext4_set_ops(i);
	inode_cache_ready(i);
	err = ext4_quota_inode(i, 1);
	n->no_quota = n->no_quota || err; /* what wasn't charged isn't given back */
	if (!err)
		err = ext4_init_acl(h, i, dir);
	if (err) {
		i->nlink = 0;
		n->deleted = true; /* given back here */
		ext4_xattr_delete(h, i);
		ext4_free_inode(h, i);
		put_inode(i);
		return err_ptr(err);
	}
	return i;
}

void ext4_free_inode(struct handle *h, struct inode *i)
{
	struct ext4 *fs = ext4_of(i);

	if (i->ino < fs->first_ino || group_of(fs, i->ino) >= fs->nr_groups) {
		(void)ext4_corrupt(fs, i->ino, 0, "a reserved inode is freed");
		return;
	}
	inode_cache_remove(i); /* its number may be given out at once */
	if (give_back(h, fs, i->ino, S_ISDIR(i->mode)))
		return;
	if (ext4_quota_inode(i, -1))
		WARN_ON(true);
}
