/*
 * Quotas in hidden files (feature quota): the files are metadata, changed through the journal in
 * the transaction that makes the change of usage.
 *
 * An inode finds its dquots when it is first charged. Who charges holds data_sem, or for what is
 * promised takes it for reading: then a change of owner can't come in between.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <quota/v2.h>
#include "ext4.h"

#define KIND_CREDITS 3u /* an entry; for a new one the reserve of the transaction helps */
#define NEW_CREDITS  12u

struct file_of_kind {
	struct quota_v2_file v2;
	struct inode *inode; /* NULL: off */
};

struct ext4_quota {
	struct quota q;
	struct ext4 *fs;
	struct file_of_kind files[NR_QUOTAS];
};

static struct ext4_quota *quota_of(const struct ext4 *fs)
{
	return fs->quota;
}

/* ---- bytes of a quota file --------------------------------------------------------------------- */

static struct inode *inode_of(struct quota_v2_file *f)
{
	return container_of(f, struct file_of_kind, v2)->inode;
}

static int file_read(struct quota_v2_file *f, u64 off, void *buf, u32 n)
{
	struct inode *i = inode_of(f);
	struct ext4 *fs = ext4_of(i);
	struct block_ref ref;
	int err = ext4_read_file_block(i, (ext4_lblk)(off >> fs->block_bits), &ref);

	if (err)
		return err;
	if (ref.page)
		memcpy(buf, (u8 *)ref.data + (off & (fs->block_size - 1)), n);
	else
		memset(buf, 0, n);
	block_ref_put(&ref);
	return 0;
}

/* The file's size counts blocks of 1 KiB, which may be less than the file system's. */
static int cover(struct handle *h, struct inode *i, u64 size)
{
	struct ext4_inode_info *n = ext4_info(i);

	if (size <= i->object.size)
		return 0;
	WRITE_ONCE(i->object.size, size);
	rwsem_write_lock(&n->data_sem);
	n->disk_size = size;
	rwsem_write_unlock(&n->data_sem);
	return ext4_mark_inode_dirty(h, i);
}

static int file_write(struct quota_v2_file *f, u64 off, const void *buf, u32 n)
{
	struct inode *i = inode_of(f);
	struct ext4 *fs = ext4_of(i);
	struct handle *h = journal_current();
	u64 end = round_up(i->object.size, (u64)fs->block_size);
	struct block_ref ref;
	ext4_lblk lblk;
	int err;

	if (!h)
		return -EROFS;
	err = cover(h, i, min(off + n, end));
	if (err)
		return err;
	if (off >= end) {
		err = ext4_append_block(h, i, &lblk, &ref);
		if (!err && lblk != off >> fs->block_bits) {
			block_ref_put(&ref);
			err = -EFSCORRUPTED;
		}
	} else {
		err = ext4_read_file_block(i, (ext4_lblk)(off >> fs->block_bits), &ref);
		if (!err && !ref.page)
			err = -EFSCORRUPTED;
	}
	if (err)
		return err;
	err = journal_get_write(h, &ref);
	if (!err) {
		memcpy((u8 *)ref.data + (off & (fs->block_size - 1)), buf, n);
		err = journal_dirty(h, &ref);
	}
	block_ref_put(&ref);
	return err;
}

/* ---- what the core asks for -------------------------------------------------------------------- */

static struct ext4_quota *of(struct quota *q)
{
	return container_of(q, struct ext4_quota, q);
}

static int begin(struct quota *q)
{
	struct ext4 *fs = of(q)->fs;
	struct handle *h;

	if ((fs->super->flags & MS_RDONLY) && !fs->recovering && !journal_current())
		return 0; /* what is there can be read */
	h = ext4_begin(fs, NEW_CREDITS);
	return is_err(h) ? ptr_err(h) : 0;
}

static int end(struct quota *q, int err)
{
	struct handle *h = journal_current();

	return h ? ext4_end(h, err) : err;
}

static int read_dquot(struct dquot *d)
{
	struct file_of_kind *f = &of(d->quota)->files[d->type];
	struct ext4 *fs = ext4_of(f->inode);
	u8 entry[QUOTA_V2_ENTRY];
	struct ext4_map m;
	u64 off;
	int err = quota_v2_find(&f->v2, d->id, &off);

	if (!err && !off)
		err = journal_current() ? quota_v2_insert(&f->v2, d->id, &off) : -ESRCH;
	if (!err)
		err = file_read(&f->v2, off, entry, sizeof(entry));
	if (err)
		return err == -EUCLEAN ? ext4_corrupt(fs, f->inode->ino, 0, "quota file") : err;
	quota_v2_decode(entry, &d->v);
	/* Blocks of the file stay where they are. */
	m = (struct ext4_map){.lblk = (ext4_lblk)(off >> fs->block_bits), .len = 1};
	err = ext4_map_blocks(NULL, f->inode, &m, 0);
	if (!err && !(m.flags & EXT4_MAP_MAPPED))
		err = -EFSCORRUPTED;
	d->place = (m.block << fs->block_bits) + (off & (fs->block_size - 1));
	return err;
}

static int write_dquot(struct dquot *d)
{
	struct ext4 *fs = of(d->quota)->fs;
	struct handle *h = journal_current();
	struct block_ref ref;
	int err;

	if (!h)
		return -EROFS;
	err = ext4_read_block(fs, d->place >> fs->block_bits, &ref);
	if (err)
		return err;
	err = journal_get_write(h, &ref);
	if (!err) {
		spin_lock(&d->lock);
		quota_v2_encode((u8 *)ref.data + (d->place & (fs->block_size - 1)), d->id, &d->v);
		spin_unlock(&d->lock);
		err = journal_dirty(h, &ref);
	}
	block_ref_put(&ref);
	return err;
}

static int next_id(struct quota *q, u32 type, u32 *id)
{
	return quota_v2_next(&of(q)->files[type].v2, id);
}

static int write_info(struct quota *q, u32 type)
{
	struct quota_v2_file *f = &of(q)->files[type].v2;

	f->space_grace = q->kinds[type].space_grace;
	f->inodes_grace = q->kinds[type].inodes_grace;
	return quota_v2_write_info(f);
}

static const struct quota_ops g_ops = {
	.begin = begin,
	.end = end,
	.read = read_dquot,
	.write = write_dquot,
	.next = next_id,
	.write_info = write_info,
};

/* ---- charges ----------------------------------------------------------------------------------- */

static u32 id_of(const struct inode *i, u32 type)
{
	return type == QUOTA_USER ? i->uid : type == QUOTA_GROUP ? i->gid : ext4_info(i)->projid;
}

/* Its dquots, all that are on. */
static int find_dquots(struct inode *i)
{
	struct ext4_quota *eq = quota_of(ext4_of(i));
	struct ext4_inode_info *n = ext4_info(i);

	for (u32 t = 0; t < NR_QUOTAS; t++) {
		struct dquot *d, *none = NULL;

		if (!eq->q.kinds[t].on || READ_ONCE(n->dquots[t]))
			continue;
		d = dquot_get(&eq->q, t, id_of(i, t));
		if (is_err(d))
			return ptr_err(d);
		if (!__atomic_compare_exchange_n(
			    &n->dquots[t], &none, d, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
			dquot_put(d);
	}
	return 0;
}

static bool counts(const struct inode *i)
{
	const struct ext4 *fs = ext4_of(i);

	return fs->quota && !ext4_info(i)->no_quota &&
		(i->ino >= fs->first_ino || i->ino == EXT4_ROOT_INO);
}

static s64 bytes(const struct inode *i, s64 blocks)
{
	return blocks * (s64)ext4_of(i)->block_size;
}

int ext4_quota_blocks(struct inode *i, s64 blocks)
{
	int err = blocks && counts(i) ? find_dquots(i) : 0;

	if (err || !blocks || !counts(i))
		return err;
	return quota_charge(ext4_info(i)->dquots, bytes(i, blocks), 0, 0);
}

int ext4_quota_promise(struct inode *i, s64 blocks, bool force)
{
	int err = counts(i) ? find_dquots(i) : 0;

	if (err || !counts(i))
		return err;
	return quota_charge(ext4_info(i)->dquots, bytes(i, blocks), 0,
		QUOTA_PROMISE | (force ? QUOTA_FORCE : 0));
}

int ext4_quota_claim(struct inode *i, u32 blocks)
{
	if (!counts(i))
		return 0;
	return quota_claim(ext4_info(i)->dquots, (u64)bytes(i, blocks));
}

int ext4_quota_inode(struct inode *i, int n)
{
	int err = counts(i) ? find_dquots(i) : 0;

	if (err || !counts(i))
		return err;
	return quota_charge(ext4_info(i)->dquots, 0, n, 0);
}

static int transfer(struct inode *i, const u32 *ids[NR_QUOTAS])
{
	struct ext4_quota *eq = quota_of(ext4_of(i));
	struct ext4_inode_info *n = ext4_info(i);
	struct dquot *new[NR_QUOTAS] = {};
	u32 values = 0;
	int err = find_dquots(i);

	if (!err)
		err = ext4_xattr_values(i, &values);
	for (u32 t = 0; t < NR_QUOTAS && !err; t++)
		if (ids[t] && eq->q.kinds[t].on) {
			new[t] = dquot_get(&eq->q, t, *ids[t]);
			err = is_err(new[t]) ? ptr_err(new[t]) : 0;
			new[t] = err ? NULL : new[t];
		}
	if (!err) {
		struct dquot *to[NR_QUOTAS];
		u64 space, promised;

		rwsem_write_lock(&n->data_sem);
		for (u32 t = 0; t < NR_QUOTAS; t++)
			to[t] = new[t] ? new[t] : n->dquots[t];
		spin_lock(&i->spin);
		space = (u64)bytes(i, (s64)n->nr_blocks);
		promised = (u64)bytes(i, n->reserved);
		spin_unlock(&i->spin);
		err = quota_transfer(n->dquots, to, space, promised, 1 + values);
		for (u32 t = 0; t < NR_QUOTAS && !err; t++)
			if (new[t]) {
				to[t] = n->dquots[t];
				n->dquots[t] = new[t];
				new[t] = to[t]; /* to be put */
			}
		rwsem_write_unlock(&n->data_sem);
	}
	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (new[t])
			dquot_put(new[t]);
	return err;
}

int ext4_quota_transfer(struct handle *h, struct inode *i, const struct iattr *a)
{
	const u32 *ids[NR_QUOTAS] = {
		a->valid & ATTR_UID ? &a->uid : NULL, a->valid & ATTR_GID ? &a->gid : NULL};

	(void)h; /* the caller's, so that all of it is one transaction */
	return counts(i) ? transfer(i, ids) : 0;
}

int ext4_quota_project(struct inode *i, u32 projid)
{
	const u32 *ids[NR_QUOTAS] = {[QUOTA_PROJECT] = &projid};

	return counts(i) ? transfer(i, ids) : 0;
}

void ext4_quota_drop(struct inode *i)
{
	struct ext4_inode_info *n = ext4_info(i);

	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (n->dquots[t]) {
			dquot_put(n->dquots[t]);
			n->dquots[t] = NULL;
		}
}

/* ---- statfs(2) of a project's directory -------------------------------------------------------- */

static void cap(u64 limit, u64 used, u64 *total, u64 *free, u64 *avail)
{
	u64 left = limit > used ? limit - used : 0;

	if (!limit || *total <= limit)
		return;
	*total = limit;
	*free = min(*free, left);
	*avail = min(*avail, left);
}

void ext4_quota_statfs(struct inode *i, struct kstatfs *st)
{
	struct ext4 *fs = ext4_of(i);
	struct ext4_quota *eq = quota_of(fs);
	struct quota_values v;
	u64 none = U64_MAX;

	if (!eq || !(READ_ONCE(ext4_info(i)->flags) & EXT4_PROJINHERIT_FL) ||
		!READ_ONCE(eq->q.kinds[QUOTA_PROJECT].enforced) ||
		quota_get_values(&eq->q, QUOTA_PROJECT, ext4_info(i)->projid, &v))
		return;
	cap((v.space_soft ? v.space_soft : v.space_hard) >> fs->block_bits,
		v.space >> fs->block_bits, &st->blocks, &st->bfree, &st->bavail);
	cap(v.inodes_soft ? v.inodes_soft : v.inodes_hard, v.inodes, &st->files, &st->ffree, &none);
}

/* ---- mount ------------------------------------------------------------------------------------- */

static int load_kind(struct ext4_quota *eq, u32 type, u32 ino)
{
	struct file_of_kind *f = &eq->files[type];
	struct quota_kind *k = &eq->q.kinds[type];
	struct inode *i;
	int err;

	if (!ino)
		return 0;
	i = ext4_iget(eq->fs->super, ino, EXT4_IGET_SPECIAL);
	if (is_err(i))
		return ptr_err(i);
	if (!S_ISREG(i->mode)) {
		put_inode(i);
		return -EFSCORRUPTED;
	}
	ext4_info(i)->no_quota = true;
	/* Its map is looked at below all that charges. */
	rwsem_init(&ext4_info(i)->data_sem, RANK_FS_QUOTA_MAP);
	f->inode = i;
	f->v2 = (struct quota_v2_file){
		.read = file_read, .write = file_write, .bytes = i->object.size};
	err = quota_v2_load(&f->v2, type);
	k->space_grace = f->v2.space_grace;
	k->inodes_grace = f->v2.inodes_grace;
	k->on = !err;
	return err;
}

void ext4_quota_enforce(struct ext4 *fs)
{
	const bool want[NR_QUOTAS] = {fs->opt.usrquota, fs->opt.grpquota, fs->opt.prjquota};

	for (u32 t = 0; fs->quota && t < NR_QUOTAS; t++)
		WRITE_ONCE(
			quota_of(fs)->q.kinds[t].enforced, want[t] && quota_of(fs)->q.kinds[t].on);
}

int ext4_quota_load(struct ext4 *fs)
{
	const u32 inos[NR_QUOTAS] = {fs->es->s_usr_quota_inum, fs->es->s_grp_quota_inum,
		ext4_has_ro_compat(fs, PROJECT) ? fs->es->s_prj_quota_inum : 0};
	struct ext4_quota *eq;
	int err = 0;

	if (!ext4_has_ro_compat(fs, QUOTA))
		return 0;
	eq = kzalloc(sizeof(*eq), GFP_KERNEL);
	if (!eq)
		return -ENOMEM;
	eq->fs = fs;
	quota_init(&eq->q, fs->super, &g_ops);
	fs->quota = eq;
	for (u32 t = 0; t < NR_QUOTAS && !err; t++) {
		err = load_kind(eq, t, inos[t]);
		if (err)
			log_err("ext4: %s: quota file %u: error %s", fs->super->id, t,
				errno_name(err));
		fs->quota_credits += eq->q.kinds[t].on ? KIND_CREDITS : 0;
	}
	ext4_quota_enforce(fs);
	if (!err)
		fs->super->quota = &eq->q;
	return err;
}

void ext4_quota_unload(struct ext4 *fs)
{
	struct ext4_quota *eq = quota_of(fs);

	if (!eq)
		return;
	fs->super->quota = NULL;
	for (u32 t = 0; t < NR_QUOTAS; t++)
		if (eq->files[t].inode)
			put_inode(eq->files[t].inode);
	fs->quota = NULL;
	quota_destroy(&eq->q);
	kfree(eq);
}
