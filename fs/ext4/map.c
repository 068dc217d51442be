/*
 * The block map of a file, whichever kind it has: a small cache of recently used runs, lookup,
 * allocation, removal.
 */
#include <lib/string.h>
#include "ext4.h"

static bool has_extents(const struct inode *i)
{
	return READ_ONCE(ext4_info(i)->flags) & EXT4_EXTENTS_FL;
}

/* ---- recently used runs ------------------------------------------------------------------------ */

static bool cache_find(struct ext4_inode_info *n, struct ext4_map *m, u32 *gen)
{
	bool found = false;

	spin_lock(&n->cache_lock);
	*gen = n->cache_gen;
	for (u32 k = 0; k < EXT4_MAP_CACHE && !found; k++) {
		const struct ext4_map *c = &n->cache[k];
		u32 off = m->lblk - c->lblk;

		if (m->lblk < c->lblk || off >= c->len)
			continue;
		m->len = min(m->len, c->len - off);
		m->block = c->block ? c->block + off : 0;
		m->flags = c->flags;
		found = true;
	}
	spin_unlock(&n->cache_lock);
	return found;
}

/* gen: of before the lookup; the map may have changed since. */
static void cache_add(struct ext4_inode_info *n, const struct ext4_map *m, u32 gen)
{
	spin_lock(&n->cache_lock);
	if (n->cache_gen == gen)
		n->cache[n->cache_next++ % EXT4_MAP_CACHE] = *m;
	spin_unlock(&n->cache_lock);
}

void ext4_map_cache_drop(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);

	spin_lock(&n->cache_lock);
	n->cache_gen++;
	for (u32 k = 0; k < EXT4_MAP_CACHE; k++)
		n->cache[k].len = 0;
	spin_unlock(&n->cache_lock);
}

void ext4_map_forget(struct inode *i)
{
	ext4_map_cache_drop(i);
}

/* ---- lookup ------------------------------------------------------------------------------------ */

static bool is_special(const struct inode *i)
{
	return i->ino == EXT4_RESIZE_INO || i->ino == EXT4_JOURNAL_INO;
}

/* data_sem held. As long a run as the map tells; m->len isn't respected by lookups. */
static int lookup(struct inode *i, struct ext4_map *m)
{
	struct ext4 *fs = ext4_of(i);
	int err;

	m->block = 0;
	m->flags = 0;
	err = has_extents(i) ? ext4_ext_lookup(i, m) : ext4_ind_lookup(i, m);
	if (err || !m->block)
		return err;
	if (!is_special(i) && !ext4_blocks_valid(fs, m->block, m->len))
		return ext4_corrupt(fs, i->ino, m->block, "file block %u maps to %llu+%u", m->lblk,
			(unsigned long long)m->block, m->len);
	return 0;
}

ext4_block ext4_alloc_goal(struct inode *i, ext4_lblk lblk)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4_map m = {.lblk = lblk ? lblk - 1 : 0, .len = 1};
	u32 group;

	if (n->last_alloc && lblk >= n->last_alloc_lblk && lblk - n->last_alloc_lblk < 65536)
		return n->last_alloc + (lblk - n->last_alloc_lblk);
	if (lblk && !lookup(i, &m) && m.block)
		return m.block + 1;
	/* Near the inode; files of one group spread a little, so that they can grow. */
	group = (u32)((i->ino - 1) / fs->inodes_per_group);
	if (group >= fs->nr_groups)
		group = 0;
	return ext4_group_first(fs, group) + (i->ino % 16) * (fs->blocks_per_group / 16);
}

/* data_sem held for writing; m is a hole. */
static int allocate(struct handle *h, struct inode *i, struct ext4_map *m, u32 get)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4_alloc a = {.inode = i, .lblk = m->lblk, .goal = ext4_alloc_goal(i, m->lblk)};
	ext4_block b;
	int err;

	a.len = min(m->len,
		get & EXT4_GET_UNWRITTEN ? EXT4_EXT_UNWRITTEN_MAX_LEN : EXT4_EXT_INIT_MAX_LEN);
	a.flags = (get & EXT4_GET_META ? EXT4_ALLOC_META : 0) |
		(get & EXT4_GET_DELAYED ? EXT4_ALLOC_DELAYED : 0);
	err = ext4_alloc_blocks(h, &a, &b);
	if (err)
		return err;
	m->block = b;
	m->len = a.len;
	m->flags = (get & EXT4_GET_UNWRITTEN ? EXT4_MAP_UNWRITTEN : EXT4_MAP_MAPPED) | EXT4_MAP_NEW;
	err = ext4_ext_insert(h, i, m);
	if (err) {
		int e = ext4_free_blocks(h, i, b, a.len, 0);

		if (!e && (get & EXT4_GET_DELAYED))
			ext4_repromise(i, a.len);
		m->block = 0;
		m->flags = 0;
		return err;
	}
	n->last_alloc = b + a.len;
	n->last_alloc_lblk = m->lblk + a.len;
	return 0;
}

static int create(struct handle *h, struct inode *i, struct ext4_map *m, u32 get)
{
	struct ext4_inode_info *n = ext4_info(i);
	u32 want = m->len;
	int err = lookup(i, m);

	m->len = min(m->len, want);
	if (err || (m->flags & EXT4_MAP_MAPPED))
		return err;
	if (m->flags & EXT4_MAP_UNWRITTEN) {
		if (!(get & EXT4_GET_CONVERT))
			return 0;
		err = ext4_ext_convert(h, i, m->lblk, m->len);
		if (!err)
			m->flags = EXT4_MAP_MAPPED;
	} else if (get & EXT4_GET_CREATE) {
		err = has_extents(i) ? allocate(h, i, m, get) : ext4_ind_create(h, i, m, get);
	} else {
		return 0;
	}
	WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
	return err;
}

int ext4_map_blocks(struct handle *h, struct inode *i, struct ext4_map *m, u32 get)
{
	struct ext4_inode_info *n = ext4_info(i);
	struct ext4_map found;
	u32 want = m->len, gen;
	int err = 0, e;

	m->flags = 0;
	m->block = 0;
	if (m->lblk == EXT4_LBLK_END || !want)
		return -EFBIG;
	want = m->len = min(want, EXT4_LBLK_END - m->lblk);
	if (!cache_find(n, m, &gen)) {
		found = *m;
		rwsem_read_lock(&n->data_sem);
		err = lookup(i, &found);
		rwsem_read_unlock(&n->data_sem);
		if (err)
			return err;
		cache_add(n, &found, gen);
		*m = found;
		m->len = min(m->len, want);
	}
	if (!(get & (EXT4_GET_CREATE | EXT4_GET_CONVERT)) || (m->flags & EXT4_MAP_MAPPED))
		return 0;
	rwsem_write_lock(&n->data_sem);
	m->len = want;
	err = create(h, i, m, get);
	ext4_map_cache_drop(i);
	rwsem_write_unlock(&n->data_sem);
	e = ext4_mark_inode_dirty(h, i);
	return err ? err : e;
}

u32 ext4_map_credits(const struct inode *i, u32 runs)
{
	/* A run: its bitmap and descriptor; each level of the tree split once: the two halves and
	 * their bitmap and descriptor; the inode. */
	u32 depth = has_extents(i)
		? ((const struct ext4_extent_header *)ext4_info(i)->data)->eh_depth + 2u
		: 3u;

	return runs * (4 + depth * 4) + 4 + ext4_of(i)->quota_credits;
}

/* ---- change of ranges -------------------------------------------------------------------------- */

int ext4_remove_range(struct handle *h, struct inode *i, ext4_lblk first, ext4_lblk last)
{
	struct ext4_inode_info *n = ext4_info(i);
	int err = journal_ensure(h, EXT4_REMOVE_CREDITS);

	while (err >= 0) {
		int r, e;

		rwsem_write_lock(&n->data_sem);
		n->last_alloc = 0;
		r = has_extents(i) ? ext4_ext_remove(h, i, first, last)
				   : ext4_ind_remove(h, i, first, last);
		ext4_map_cache_drop(i);
		WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
		rwsem_write_unlock(&n->data_sem);
		e = ext4_mark_inode_dirty(h, i);
		if (r <= 0 || e)
			return r < 0 ? r : e;
		/* Not under data_sem: a commit waits for handles that may wait for it. */
		err = journal_ensure(h, EXT4_REMOVE_CREDITS);
		cond_resched();
	}
	return err;
}

int ext4_shift_range(struct handle *h, struct inode *i, ext4_lblk from, s64 shift)
{
	struct ext4_inode_info *n = ext4_info(i);
	u64 cursor = shift < 0 ? from : EXT4_LBLK_END;
	int r = journal_ensure(h, EXT4_REMOVE_CREDITS);
	bool first = true;

	if (!has_extents(i))
		return -EOPNOTSUPP;
	while (r >= 0) {
		int e;

		rwsem_write_lock(&n->data_sem);
		n->last_alloc = 0;
		r = ext4_ext_shift(h, i, from, shift, &cursor, first);
		first = false;
		ext4_map_cache_drop(i);
		WRITE_ONCE(n->datasync_tid, journal_handle_tid(h));
		rwsem_write_unlock(&n->data_sem);
		e = ext4_mark_inode_dirty(h, i);
		if (r <= 0 || e)
			return r < 0 ? r : e;
		r = journal_ensure(h, EXT4_REMOVE_CREDITS);
		cond_resched();
	}
	return r;
}

void ext4_map_init(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);

	memset(n->data, 0, sizeof(n->data));
	if (ext4_of(i)->has_extents && (S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode))) {
		struct ext4_extent_header *eh = (void *)n->data;

		n->flags |= EXT4_EXTENTS_FL;
		eh->eh_magic = EXT4_EXT_MAGIC;
		eh->eh_max = (sizeof(n->data) - sizeof(*eh)) / sizeof(struct ext4_extent);
	}
}

/* ---- blocks of directories and the like -------------------------------------------------------- */

int ext4_read_file_block(struct inode *i, ext4_lblk lblk, struct block_ref *out)
{
	struct ext4_map m = {.lblk = lblk, .len = 1};
	int err = ext4_map_blocks(NULL, i, &m, 0);

	out->page = NULL;
	if (err || !(m.flags & EXT4_MAP_MAPPED))
		return err;
	return ext4_read_block(ext4_of(i), m.block, out);
}

int ext4_append_block(struct handle *h, struct inode *i, ext4_lblk *lblk, struct block_ref *out)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_inode_info *n = ext4_info(i);
	u64 at = i->object.size >> fs->block_bits;
	struct ext4_map m = {.lblk = (ext4_lblk)at, .len = 1};
	int err;

	out->page = NULL;
	if (at >= EXT4_LBLK_END)
		return -EFBIG;
	err = ext4_map_blocks(h, i, &m, EXT4_GET_CREATE | EXT4_GET_META);
	if (err)
		return err;
	if (!(m.flags & EXT4_MAP_NEW))
		return ext4_corrupt(fs, i->ino, m.block, "a block behind the end");
	err = ext4_new_block_ref(fs, m.block, out);
	if (!err)
		err = journal_get_create(h, out);
	if (!err)
		err = journal_dirty(h, out);
	if (err) {
		block_ref_put(out);
		return err;
	}
	*lblk = m.lblk;
	WRITE_ONCE(i->object.size, (at + 1) << fs->block_bits);
	rwsem_write_lock(&n->data_sem);
	n->disk_size = i->object.size;
	rwsem_write_unlock(&n->data_sem);
	err = ext4_mark_inode_dirty(h, i);
	if (err)
		block_ref_put(out);
	return err;
}
