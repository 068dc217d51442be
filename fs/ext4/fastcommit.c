/*
 * Replay of fast commits (filesystems/ext4/journal, "Fast commits"): what another kernel changed
 * after its last full commit, as operations on files, in their order. All of it goes into one
 * transaction, which takes the place of the one that those changes would have been in.
 *
 * An INODE has everything of an inode but its map, which the ranges make; names come with CREAT,
 * LINK and UNLINK; the counts of links of directories, and their content, follow from those.
 */
#include <abi/jbd2.h>
#include <core/log.h>
#include <lib/string.h>
#include "names.h"

#define REPLAY_CREDITS 64u /* of one tag, at least */

struct replay {
	struct ext4 *fs;
	struct handle *h;
	u32 tags, left_out;
};

typedef int tag_fn(struct replay *r, u16 tag, const u8 *v, u32 len);

/* fn for each tag with its value, len bytes at v. The journal has checked the lengths. */
static int walk(struct replay *r, const u8 *area, size_t bytes, tag_fn *fn)
{
	u32 bs = r->fs->block_size;
	int err = 0;

	for (size_t block = 0; block < bytes && !err; block += bs) {
		struct jbd2_fc_tl tl;

		for (u32 pos = 0; pos + sizeof(tl) <= bs && !err; pos += sizeof(tl) + tl.fc_len) {
			memcpy(&tl, area + block + pos, sizeof(tl));
			if (tl.fc_tag == JBD2_FC_TAG_TAIL)
				break; /* the rest of its block is padding */
			err = fn(r, tl.fc_tag, area + block + pos + sizeof(tl), tl.fc_len);
		}
		cond_resched();
	}
	return err;
}

/* The inode, or NULL when there is none with that number: a later tag has removed it. */
static struct inode *find(struct replay *r, u32 ino)
{
	struct inode *i;

	if (ino < r->fs->first_ino && ino != EXT4_ROOT_INO)
		return err_ptr(-EFSCORRUPTED);
	i = ext4_iget(r->fs->super, ino, EXT4_IGET_SPECIAL);
	if (!is_err(i) || ptr_err(i) != -ESTALE)
		return i;
	r->left_out++;
	return NULL;
}

/* ---- ranges ------------------------------------------------------------------------------------ */

static int parse_add(const u8 *v, u32 len, u32 *ino, struct ext4_map *m)
{
	struct jbd2_fc_add_range a;
	struct ext4_extent x;
	u32 n;

	if (len < sizeof(a))
		return -EFSCORRUPTED;
	memcpy(&a, v, sizeof(a));
	memcpy(&x, a.fc_ex, sizeof(x));
	n = x.ee_len > EXT4_EXT_INIT_MAX_LEN ? x.ee_len - EXT4_EXT_INIT_MAX_LEN : x.ee_len;
	*ino = a.fc_ino;
	*m = (struct ext4_map){.lblk = x.ee_block,
		.len = n,
		.block = x.ee_start_lo | (u64)x.ee_start_hi << 32,
		.flags = x.ee_len > EXT4_EXT_INIT_MAX_LEN ? EXT4_MAP_UNWRITTEN : EXT4_MAP_MAPPED};
	return n && (u64)m->lblk + n <= EXT4_LBLK_END ? 0 : -EFSCORRUPTED;
}

/* Before the replay: blocks that later tags name aren't given to what the replay itself allocates. */
static int hold_range(struct replay *r, u16 tag, const u8 *v, u32 len)
{
	struct ext4_map m;
	u32 ino;
	int err;

	if (tag != JBD2_FC_TAG_ADD_RANGE)
		return 0;
	err = parse_add(v, len, &ino, &m);
	return err ? err : ext4_hold_blocks(r->fs, m.block, m.len);
}

static int insert_run(struct replay *r, struct inode *i, const struct ext4_map *m)
{
	struct ext4_inode_info *n = ext4_info(i);
	int err = ext4_claim_blocks(r->h, i, m->block, m->len);

	if (err)
		return err;
	rwsem_write_lock(&n->data_sem);
	err = ext4_ext_insert(r->h, i, m);
	ext4_map_cache_drop(i);
	rwsem_write_unlock(&n->data_sem);
	return err ? err : ext4_mark_inode_dirty(r->h, i);
}

/* The run as the disk has it, want as it shall be; both begin with the same block. */
static int mend_run(struct replay *r, struct inode *i, struct ext4_map have, struct ext4_map want)
{
	bool there = have.flags & (EXT4_MAP_MAPPED | EXT4_MAP_UNWRITTEN);
	int err;

	if (there && have.block == want.block) {
		if (!((have.flags ^ want.flags) & EXT4_MAP_UNWRITTEN))
			return 0;
		if (!(want.flags & EXT4_MAP_UNWRITTEN))
			return ext4_map_blocks(r->h, i, &have, EXT4_GET_CONVERT);
	}
	if (there) {
		err = ext4_remove_range(r->h, i, want.lblk, want.lblk + want.len - 1);
		if (err)
			return err;
	}
	return insert_run(r, i, &want);
}

static int add_range(struct replay *r, const u8 *v, u32 len)
{
	struct ext4_map m;
	struct inode *i;
	u32 ino;
	int err = parse_add(v, len, &ino, &m);

	if (err)
		return err;
	i = find(r, ino);
	if (is_err_or_null(i))
		return i ? ptr_err(i) : 0;
	if (!(ext4_info(i)->flags & EXT4_EXTENTS_FL))
		err = -EOPNOTSUPP;
	while (m.len && !err) {
		struct ext4_map have = {.lblk = m.lblk, .len = m.len}, want = m;

		err = min(journal_ensure(r->h, REPLAY_CREDITS), 0);
		if (!err)
			err = ext4_map_blocks(NULL, i, &have, 0);
		if (err)
			break;
		want.len = have.len;
		err = mend_run(r, i, have, want);
		m.lblk += want.len;
		m.block += want.len;
		m.len -= want.len;
	}
	put_inode(i);
	return err;
}

static int del_range(struct replay *r, const u8 *v, u32 len)
{
	struct jbd2_fc_del_range d;
	struct inode *i;
	u64 last;
	int err = 0;

	if (len < sizeof(d))
		return -EFSCORRUPTED;
	memcpy(&d, v, sizeof(d));
	last = min_t(u64, (u64)d.fc_lblk + d.fc_len, EXT4_LBLK_END);
	i = find(r, d.fc_ino);
	if (is_err_or_null(i))
		return i ? ptr_err(i) : 0;
	if (d.fc_lblk < last)
		err = ext4_remove_range(r->h, i, d.fc_lblk, (ext4_lblk)(last - 1));
	put_inode(i);
	return err;
}

/* ---- inodes ------------------------------------------------------------------------------------ */

static void empty_root(struct ext4_inode *raw)
{
	struct ext4_extent_header *eh = (void *)raw->i_block;

	memset(raw->i_block, 0, sizeof(raw->i_block));
	eh->eh_magic = EXT4_EXT_MAGIC;
	eh->eh_max = (sizeof(raw->i_block) - sizeof(*eh)) / sizeof(struct ext4_extent);
}

/* What the disk has stays where the tag can't know better: the map, with its count of blocks, and
 * all that follows from the content of a directory. */
static void merge(struct ext4 *fs, struct ext4_inode *raw, const u8 *v, u32 len, bool fresh)
{
	struct ext4_inode old = {};
	u32 keep = EXT4_INDEX_FL | EXT4_EXTENTS_FL;
	bool dir, map;

	memcpy(&old, raw, min_t(u32, sizeof(old), fs->inode_size));
	if (fresh)
		memset(raw, 0, fs->inode_size);
	memcpy(raw, v, len);
	dir = S_ISDIR(raw->i_mode);
	map = S_ISREG(raw->i_mode) || dir || (raw->i_flags & EXT4_EXTENTS_FL);
	if (!map)
		return;
	if (fresh) {
		raw->i_blocks_lo = 0;
		raw->i_blocks_high = 0;
		if (raw->i_flags & EXT4_EXTENTS_FL)
			empty_root(raw);
		else
			memset(raw->i_block, 0, sizeof(raw->i_block));
		raw->i_flags &= ~(u32)EXT4_INDEX_FL;
		return;
	}
	memcpy(raw->i_block, old.i_block, sizeof(raw->i_block));
	raw->i_blocks_lo = old.i_blocks_lo;
	raw->i_blocks_high = old.i_blocks_high;
	raw->i_flags = (raw->i_flags & ~keep) | (old.i_flags & keep);
	if (dir) {
		raw->i_size_lo = old.i_size_lo;
		raw->i_size_high = old.i_size_high;
		raw->i_links_count = old.i_links_count;
	}
}

static int write_inode(struct replay *r, u32 ino, const u8 *v, u32 len, bool fresh)
{
	struct ext4 *fs = r->fs;
	u32 at = (u32)((ino - 1) % fs->inodes_per_group);
	struct ext4_group *g = ext4_group(fs, (u32)((ino - 1) / fs->inodes_per_group));
	struct block_ref ref;
	struct ext4_inode *raw;
	int err = ext4_read_block(
		fs, ext4_desc_inode_table(fs, g->desc) + at / fs->inodes_per_block, &ref);

	if (err)
		return err;
	raw = (void *)((u8 *)ref.data + at % fs->inodes_per_block * fs->inode_size);
	err = journal_get_write(r->h, &ref);
	if (!err) {
		merge(fs, raw, v, len, fresh);
		ext4_inode_csum_set(fs, ino, raw);
		err = journal_dirty(r->h, &ref);
	}
	block_ref_put(&ref);
	return err;
}

/* Quotas follow: one more inode, or one with other owners. raw: as the tag has it, before (not
 * fresh) or after (fresh) it is written. */
static int charge(struct replay *r, u32 ino, const struct ext4_inode *raw, bool fresh)
{
	struct iattr a = {.valid = ATTR_UID | ATTR_GID,
		.uid = raw->i_uid | (u32)raw->i_uid_high << 16,
		.gid = raw->i_gid | (u32)raw->i_gid_high << 16};
	struct inode *i;
	int err;

	if (!r->fs->quota)
		return 0;
	i = find(r, ino);
	if (is_err_or_null(i))
		return i ? ptr_err(i) : 0;
	err = fresh ? ext4_quota_inode(i, 1) : ext4_quota_transfer(r->h, i, &a);
	if (!err && !fresh && ext4_has_ro_compat(r->fs, PROJECT))
		err = ext4_quota_project(i, raw->i_projid);
	put_inode(i);
	return err;
}

static int put_inode_tag(struct replay *r, const u8 *v, u32 len)
{
	struct ext4 *fs = r->fs;
	struct jbd2_fc_inode head;
	struct ext4_inode raw = {};
	struct inode *i;
	int fresh, err;

	if (len < sizeof(head) + EXT4_GOOD_OLD_INODE_SIZE || len - sizeof(head) > fs->inode_size)
		return -EFSCORRUPTED;
	memcpy(&head, v, sizeof(head));
	v += sizeof(head);
	len -= (u32)sizeof(head);
	memcpy(&raw, v, min_t(u32, len, sizeof(raw)));
	if (head.fc_ino == EXT4_ROOT_INO)
		fresh = 0;
	else
		fresh = ext4_claim_inode(r->h, fs, head.fc_ino, S_ISDIR(raw.i_mode));
	if (fresh < 0)
		return fresh;
	err = fresh ? 0 : charge(r, head.fc_ino, &raw, false);
	if (!err)
		err = write_inode(r, head.fc_ino, v, len, fresh);
	if (!err && fresh)
		err = charge(r, head.fc_ino, &raw, true);
	if (err || raw.i_links_count)
		return err;
	/* Nobody has it open any more: it goes with this reference. */
	i = find(r, head.fc_ino);
	if (is_err_or_null(i))
		return i ? ptr_err(i) : 0;
	put_inode(i);
	return 0;
}

/* ---- names ------------------------------------------------------------------------------------- */

struct naming {
	struct inode *dir, *inode; /* NULL: isn't there */
	struct qstr name;
	u32 ino;
};

static int begin_naming(struct replay *r, const u8 *v, u32 len, struct naming *n)
{
	struct jbd2_fc_dentry d;

	*n = (struct naming){};
	if (len <= sizeof(d) || len - sizeof(d) > NAME_MAX)
		return -EFSCORRUPTED;
	memcpy(&d, v, sizeof(d));
	n->name = (struct qstr){.len = len - (u32)sizeof(d), .name = (const char *)v + sizeof(d)};
	if (memchr(n->name.name, 0, n->name.len) || memchr(n->name.name, '/', n->name.len) ||
		ext4_is_dot(n->name.name, n->name.len))
		return -EFSCORRUPTED;
	n->ino = d.fc_ino;
	n->dir = find(r, d.fc_parent_ino);
	if (is_err(n->dir))
		return ptr_err(n->dir);
	if (n->dir && !S_ISDIR(n->dir->mode)) {
		put_inode(n->dir);
		return -EFSCORRUPTED;
	}
	n->inode = find(r, d.fc_ino);
	if (is_err(n->inode)) {
		if (n->dir)
			put_inode(n->dir);
		return ptr_err(n->inode);
	}
	return min(journal_ensure(r->h, REPLAY_CREDITS), 0);
}

/* With an inode that has lost its last name all of it goes. */
static int end_naming(struct replay *r, struct naming *n, int err)
{
	if (!err && n->dir)
		err = ext4_mark_inode_dirty(r->h, n->dir);
	if (!err && n->inode)
		err = ext4_mark_inode_dirty(r->h, n->inode);
	if (n->dir)
		put_inode(n->dir);
	if (n->inode)
		put_inode(n->inode);
	return err;
}

/* 1: the name is there and means ino; 0: not there; -EFSCORRUPTED: means another one. */
static int has_name(struct naming *n, struct ext4_place *p)
{
	int err = ext4_find_entry(n->dir, &n->name, p);

	if (err == -ENOENT)
		return 0;
	if (err)
		return err;
	if (ext4_entry(&p->ref, p->at)->inode == n->ino)
		return 1;
	block_ref_put(&p->ref);
	return -EFSCORRUPTED;
}

static int add_name(struct replay *r, struct naming *n, bool link)
{
	struct ext4_place p;
	int err = has_name(n, &p);

	if (err) {
		if (err > 0)
			block_ref_put(&p.ref);
		return min(err, 0);
	}
	err = ext4_add_entry(r->h, n->dir, &n->name, n->ino, ext4_file_type(r->fs, n->inode->mode));
	if (!err && S_ISDIR(n->inode->mode))
		ext4_dir_gain(n->dir);
	else if (!err && link)
		n->inode->nlink++;
	return err;
}

static int creat(struct replay *r, const u8 *v, u32 len)
{
	struct naming n;
	int err = begin_naming(r, v, len, &n);

	if (err || !n.dir || !n.inode)
		return end_naming(r, &n, err);
	if (S_ISDIR(n.inode->mode) && !ext4_info(n.inode)->nr_blocks) {
		n.inode->object.size = ext4_info(n.inode)->disk_size = 0;
		n.inode->nlink = 2;
		err = ext4_make_empty(r->h, n.inode, n.dir->ino);
	}
	if (!err)
		err = add_name(r, &n, false);
	return end_naming(r, &n, err);
}

static int link(struct replay *r, const u8 *v, u32 len)
{
	struct naming n;
	int err = begin_naming(r, v, len, &n);

	if (!err && n.dir && n.inode) /* a directory that moves isn't logged in this way */
		err = S_ISDIR(n.inode->mode) ? -EOPNOTSUPP : add_name(r, &n, true);
	return end_naming(r, &n, err);
}

static int unlink(struct replay *r, const u8 *v, u32 len)
{
	struct ext4_place p;
	struct naming n;
	int err = begin_naming(r, v, len, &n);

	if (!err && n.dir)
		err = has_name(&n, &p);
	if (err <= 0 || !n.dir)
		return end_naming(r, &n, err);
	err = ext4_delete_entry(r->h, n.dir, &p);
	block_ref_put(&p.ref);
	if (!err && n.inode && S_ISDIR(n.inode->mode)) {
		ext4_dir_lose(n.dir);
		n.inode->nlink = 0;
	} else if (!err && n.inode && n.inode->nlink) {
		n.inode->nlink--;
	}
	return end_naming(r, &n, err);
}

/* ---- all of it --------------------------------------------------------------------------------- */

static int replay_tag(struct replay *r, u16 tag, const u8 *v, u32 len)
{
	static int (*const fns[])(struct replay * r, const u8 *v, u32 len) = {
		[JBD2_FC_TAG_ADD_RANGE] = add_range,
		[JBD2_FC_TAG_DEL_RANGE] = del_range,
		[JBD2_FC_TAG_CREAT] = creat,
		[JBD2_FC_TAG_LINK] = link,
		[JBD2_FC_TAG_UNLINK] = unlink,
		[JBD2_FC_TAG_INODE] = put_inode_tag,
	};
	int err;

	if (tag >= ARRAY_SIZE(fns) || !fns[tag])
		return 0;
	r->tags++;
	err = min(journal_ensure(r->h, REPLAY_CREDITS), 0);
	if (!err)
		err = fns[tag](r, v, len);
	if (err)
		log_err("ext4: %s: fast commit, change %u (tag %u): error %s", r->fs->super->id,
			r->tags, tag, errno_name(err));
	return err;
}

int ext4_fast_commits_replay(struct ext4 *fs)
{
	size_t bytes = 0;
	const u8 *area = fs->journal ? journal_fast_commits(fs->journal, &bytes) : NULL;
	struct replay r = {.fs = fs};
	int err;

	if (!area)
		return 0;
	fs->recovering = true;
	r.h = ext4_begin(fs, REPLAY_CREDITS);
	err = is_err(r.h) ? ptr_err(r.h) : 0;
	if (!err) {
		r.h->whole = r.h->sync = true;
		err = walk(&r, area, bytes, hold_range);
		if (!err)
			err = walk(&r, area, bytes, replay_tag);
		if (err) /* none of it: e2fsck finds it as we did */
			journal_abort(fs->journal, err);
		err = ext4_end(r.h, err);
	}
	fs->recovering = false;
	if (err)
		return err;
	journal_fast_commits_done(fs->journal);
	log_info("ext4: %s: %u changes of fast commits replayed, %u of inodes that went later",
		fs->super->id, r.tags, r.left_out);
	/* Without the holds, and with what the transaction has freed. */
	ext4_groups_unload(fs);
	return ext4_groups_load(fs, true);
}
