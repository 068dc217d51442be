/*
 * Names come and go. The VFS has checked permissions and holds the i_rwsem of every directory
 * involved for writing; dentries follow the disk and are never pinned.
 *
 * Each operation is one journal handle: after a crash it has happened or not. An inode without a
 * name stands on the orphan list from the moment it loses the last one, so that its space comes
 * back whatever happens.
 */
#include <lib/string.h>
#include "names.h"

#define LINK_MAX_EXT4 65000u

static void touch_dir(struct inode *dir)
{
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	ext4_info(dir)->version++;
}

/* ---- links ------------------------------------------------------------------------------------- */

/* A directory with 1 link has more subdirectories than the field can count. */
static bool dir_is_full(const struct inode *dir)
{
	return dir->nlink >= LINK_MAX_EXT4 &&
		!(ext4_has_ro_compat(ext4_of(dir), DIR_NLINK) && ext4_is_indexed(dir));
}

void ext4_dir_gain(struct inode *dir)
{
	spin_lock(&dir->spin);
	if (dir->nlink != 1)
		dir->nlink = dir->nlink + 1 >= LINK_MAX_EXT4 && !dir_is_full(dir) &&
				ext4_is_indexed(dir)
			? 1
			: dir->nlink + 1;
	spin_unlock(&dir->spin);
}

void ext4_dir_lose(struct inode *dir)
{
	spin_lock(&dir->spin);
	if (dir->nlink > 2)
		dir->nlink--;
	spin_unlock(&dir->spin);
}

static void set_nlink(struct inode *i, u32 n)
{
	spin_lock(&i->spin);
	i->nlink = n;
	spin_unlock(&i->spin);
}

/* One name less. The inode goes to the orphans with the last; dirty afterwards. */
static int lose_link(struct handle *h, struct inode *i, bool all)
{
	int err = 0;

	set_nlink(i, all || i->nlink <= 1 ? 0 : i->nlink - 1);
	inode_touch(i, ATTR_CTIME);
	if (!i->nlink)
		err = ext4_orphan_add(h, i);
	return err ? err : ext4_mark_inode_dirty(h, i);
}

static struct handle *begin(struct inode *dir, u32 credits)
{
	struct handle *h = ext4_begin(ext4_of(dir), credits);

	if (!is_err(h) &&
		((ext4_info(dir)->flags & (EXT4_SYNC_FL | EXT4_DIRSYNC_FL)) ||
			(dir->super->flags & (MS_SYNCHRONOUS | MS_DIRSYNC))))
		h->sync = true;
	return h;
}

/* ---- lookup ------------------------------------------------------------------------------------ */

/* A directory has one name. A second one makes a loop, or lets two paths lock in opposite order. */
static bool is_elsewhere(struct inode *i, const struct inode *dir)
{
	struct dentry *d;
	bool found = false;

	if (i == i->super->root->inode)
		return true;
	spin_lock(&i->spin);
	list_for_each_entry(d, &i->dentries, alias)
		if (!(READ_ONCE(d->flags) & DENTRY_UNHASHED) && d->parent->inode != dir)
			found = true;
	spin_unlock(&i->spin);
	return found;
}

static int ext4_lookup(struct inode *dir, struct dentry *d)
{
	struct ext4 *fs = ext4_of(dir);
	struct ext4_place p;
	struct inode *i;
	u32 ino;
	int err = ext4_find_entry(dir, &d->name, &p);

	if (err)
		return err == -ENOENT ? 0 : err;
	ino = ext4_entry(&p.ref, p.at)->inode;
	block_ref_put(&p.ref);
	if (ino == dir->ino || (ino < fs->first_ino && ino != EXT4_ROOT_INO))
		return ext4_corrupt(fs, dir->ino, p.nr, "an entry names inode %u", ino);
	i = ext4_iget(dir->super, ino, 0);
	if (is_err(i)) {
		if (ptr_err(i) == -ESTALE)
			return ext4_corrupt(
				fs, dir->ino, p.nr, "an entry names inode %u, which is free", ino);
		return ptr_err(i);
	}
	if (S_ISDIR(i->mode) && is_elsewhere(i, dir)) {
		put_inode(i);
		return ext4_corrupt(fs, dir->ino, p.nr, "directory %u has two names", ino);
	}
	dentry_instantiate(d, i);
	return 0;
}

/* The entry of d, which must name its inode. */
static int find_known(struct inode *dir, struct dentry *d, struct ext4_place *p)
{
	int err = ext4_find_entry(dir, &d->name, p);

	if (err == -ENOENT)
		return ext4_corrupt(ext4_of(dir), dir->ino, 0, "a name has gone");
	if (!err && ext4_entry(&p->ref, p->at)->inode != d->inode->ino) {
		block_ref_put(&p->ref);
		err = ext4_corrupt(ext4_of(dir), dir->ino, p->nr, "a name has changed its inode");
	}
	return err;
}

/* ---- creating ---------------------------------------------------------------------------------- */

#define CREATE_CREDITS \
	(EXT4_NEW_INODE_CREDITS + EXT4_ADD_ENTRY_CREDITS + 2 * EXT4_XATTR_CREDITS + 12)

struct creation {
	kmode_t mode;
	kdev_t rdev;
	const char *target; /* of a symbolic link */
};

/* A new inode that won't be: its space comes back when the reference goes, after the handle. */
static void abandon(struct handle *h, struct inode *i)
{
	int err;

	set_nlink(i, 0);
	err = ext4_orphan_add(h, i);
	if (!err)
		err = ext4_mark_inode_dirty(h, i);
	if (err)
		(void)ext4_fatal(ext4_of(i), err, "taking back a new inode");
}

static int fill_new(struct handle *h, struct inode *i, struct inode *dir, const struct creation *c)
{
	int err = 0;

	i->rdev = c->rdev;
	if (S_ISDIR(c->mode)) {
		set_nlink(i, 2);
		err = ext4_make_empty(h, i, dir->ino);
	} else if (c->target) {
		err = ext4_symlink_fill(h, i, c->target);
	}
	return err ? err : ext4_mark_inode_dirty(h, i);
}

static int create_once(
	struct inode *dir, struct dentry *d, const struct creation *c, const struct cred *cred)
{
	struct ext4 *fs = ext4_of(dir);
	struct handle *h = begin(dir, CREATE_CREDITS);
	struct inode *i;
	int err;

	if (is_err(h))
		return ptr_err(h);
	i = ext4_new_inode(h, dir, c->mode, cred, 0);
	if (is_err(i))
		return ext4_end(h, ptr_err(i));
	err = fill_new(h, i, dir, c);
	if (!err)
		err = ext4_add_entry(h, dir, &d->name, (u32)i->ino, ext4_file_type(fs, c->mode));
	if (err) {
		abandon(h, i);
	} else {
		if (S_ISDIR(c->mode))
			ext4_dir_gain(dir);
		touch_dir(dir);
		err = ext4_mark_inode_dirty(h, dir);
	}
	err = ext4_end(h, err);
	if (err)
		put_inode(i);
	else
		dentry_instantiate(d, i);
	return err;
}

static int create_any(
	struct inode *dir, struct dentry *d, const struct creation *c, const struct cred *cred)
{
	int tries = 0, err;

	do
		err = create_once(dir, d, c, cred);
	while (err == -ENOSPC && ext4_retry_nospace(ext4_of(dir), &tries));
	return err;
}

static int ext4_mknod(
	struct inode *dir, struct dentry *d, kmode_t mode, kdev_t rdev, const struct cred *cred)
{
	return create_any(dir, d, &(struct creation){.mode = mode, .rdev = rdev}, cred);
}

static int ext4_create(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *cred)
{
	return create_any(dir, d, &(struct creation){.mode = mode}, cred);
}

static int ext4_mkdir(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *cred)
{
	if (dir_is_full(dir))
		return -EMLINK;
	return create_any(dir, d, &(struct creation){.mode = mode | S_IFDIR}, cred);
}

static int ext4_symlink(
	struct inode *dir, struct dentry *d, const char *target, const struct cred *cred)
{
	if (strlen(target) + 1 > ext4_of(dir)->block_size)
		return -ENAMETOOLONG;
	return create_any(
		dir, d, &(struct creation){.mode = S_IFLNK | 0777, .target = target}, cred);
}

static int ext4_tmpfile(struct inode *dir, struct inode **out, kmode_t mode, const struct cred *c)
{
	struct handle *h = begin(dir, CREATE_CREDITS);
	struct inode *i;
	int err;

	if (is_err(h))
		return ptr_err(h);
	i = ext4_new_inode(h, dir, mode, c, 0);
	if (is_err(i))
		return ext4_end(h, ptr_err(i));
	set_nlink(i, 0);
	err = ext4_orphan_add(h, i);
	if (!err)
		err = ext4_mark_inode_dirty(h, i);
	err = ext4_end(h, err);
	if (err)
		put_inode(i);
	else
		*out = i;
	return err;
}

/* Files don't leave a tree that counts for a project. */
static bool other_project(const struct inode *dir, const struct inode *i)
{
	return (ext4_info(dir)->flags & EXT4_PROJINHERIT_FL) &&
		ext4_info(dir)->projid != ext4_info(i)->projid;
}

static int link_once(struct inode *dir, struct dentry *d, struct inode *i)
{
	struct handle *h = begin(dir, EXT4_ADD_ENTRY_CREDITS + 8);
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = ext4_add_entry(h, dir, &d->name, (u32)i->ino, ext4_file_type(ext4_of(dir), i->mode));
	if (!err) {
		set_nlink(i, i->nlink + 1);
		inode_touch(i, ATTR_CTIME);
		if (i->nlink == 1) /* an O_TMPFILE gets its name */
			err = ext4_orphan_del(h, i);
		if (!err)
			err = ext4_mark_inode_dirty(h, i);
		touch_dir(dir);
		if (!err)
			err = ext4_mark_inode_dirty(h, dir);
	}
	return ext4_end(h, err);
}

static int ext4_link(struct inode *dir, struct dentry *d, struct inode *i)
{
	int tries = 0, err;

	if (i->nlink >= LINK_MAX_EXT4)
		return -EMLINK;
	if (other_project(dir, i))
		return -EXDEV;
	rwsem_write_lock(&i->rwsem); /* its links may be removed elsewhere meanwhile */
	if (!i->nlink && !(i->flags & INODE_UNHASHED)) {
		err = -ENOENT;
	} else {
		do
			err = link_once(dir, d, i);
		while (err == -ENOSPC && ext4_retry_nospace(ext4_of(dir), &tries));
	}
	if (!err)
		__atomic_fetch_and(&i->flags, ~INODE_UNHASHED, __ATOMIC_RELAXED);
	rwsem_write_unlock(&i->rwsem);
	if (!err) {
		get_inode(i);
		dentry_instantiate(d, i);
	}
	return err;
}

/* ---- removing ---------------------------------------------------------------------------------- */

#define REMOVE_CREDITS 12u

static int remove(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;
	bool is_dir = S_ISDIR(i->mode);
	struct handle *h = begin(dir, REMOVE_CREDITS);
	struct ext4_place p;
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = find_known(dir, d, &p);
	if (err)
		return ext4_end(h, err);
	err = ext4_delete_entry(h, dir, &p);
	block_ref_put(&p.ref);
	if (!err) {
		if (is_dir)
			ext4_dir_lose(dir);
		touch_dir(dir);
		err = ext4_mark_inode_dirty(h, dir);
	}
	if (!err)
		err = lose_link(h, i, is_dir);
	return ext4_end(h, err);
}

static int ext4_unlink(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;
	int err;

	rwsem_write_lock(&i->rwsem); /* a file below a locked directory */
	err = remove(dir, d);
	rwsem_write_unlock(&i->rwsem);
	return err;
}

static int ext4_rmdir(struct inode *dir, struct dentry *d)
{
	int empty = ext4_dir_is_empty(d->inode);

	if (empty < 0)
		return empty;
	return empty ? remove(dir, d) : -ENOTEMPTY;
}

/* ---- renaming ---------------------------------------------------------------------------------- */

struct rename {
	struct inode *odir, *ndir;
	struct dentry *od, *nd;
	struct inode *white;            /* takes the old place; NULL: nobody */
	struct ext4_place old, new, up; /* up: ".." of a directory that moves */
	bool moves_dir;
};

static void rename_end(struct rename *r)
{
	block_ref_put(&r->old.ref);
	block_ref_put(&r->new.ref);
	block_ref_put(&r->up.ref);
}

/* ".." of i, which must lead to dir. */
static int find_up(struct inode *i, struct inode *dir, struct ext4_place *p)
{
	int err = ext4_find_parent(i, p);

	if (!err && ext4_entry(&p->ref, p->at)->inode != dir->ino)
		err = ext4_corrupt(ext4_of(i), i->ino, 0, "\"..\" leads elsewhere");
	return err;
}

static int set_up(struct handle *h, struct inode *i, struct ext4_place *p, struct inode *dir)
{
	return ext4_set_entry(h, i, p, (u32)dir->ino, ext4_file_type(ext4_of(i), S_IFDIR));
}

static int set_name(struct handle *h, struct inode *dir, struct ext4_place *p, struct inode *i)
{
	return ext4_set_entry(h, dir, p, (u32)i->ino, ext4_file_type(ext4_of(i), i->mode));
}

/* The new name comes to life. */
static int take_new_name(struct handle *h, struct rename *r)
{
	struct inode *i = r->od->inode;

	if (r->nd->inode)
		return set_name(h, r->ndir, &r->new, i);
	return ext4_add_entry(
		h, r->ndir, &r->nd->name, (u32)i->ino, ext4_file_type(ext4_of(i), i->mode));
}

/* The old one goes. Found again: the new name may have moved it. */
static int leave_old_name(struct handle *h, struct rename *r)
{
	int err;

	block_ref_put(&r->old.ref);
	err = find_known(r->odir, r->od, &r->old);
	if (err)
		return err;
	return r->white ? set_name(h, r->odir, &r->old, r->white)
			: ext4_delete_entry(h, r->odir, &r->old);
}

static int rename_commit(struct handle *h, struct rename *r)
{
	struct inode *i = r->od->inode, *victim = r->nd->inode;
	int err = take_new_name(h, r);

	if (err)
		return err; /* nothing has changed yet but free room in the directory */
	err = leave_old_name(h, r);
	if (!err && r->moves_dir)
		err = set_up(h, i, &r->up, r->ndir);
	inode_touch(i, ATTR_CTIME);
	if (!err)
		err = ext4_mark_inode_dirty(h, i);
	if (!err && victim)
		err = lose_link(h, victim, S_ISDIR(victim->mode));
	if (S_ISDIR(i->mode)) {
		if (victim)
			ext4_dir_lose(r->ndir);
		if (r->moves_dir) {
			ext4_dir_lose(r->odir);
			ext4_dir_gain(r->ndir);
		}
	}
	touch_dir(r->odir);
	if (r->ndir != r->odir)
		touch_dir(r->ndir);
	if (!err)
		err = ext4_mark_inode_dirty(h, r->odir);
	if (!err && r->ndir != r->odir)
		err = ext4_mark_inode_dirty(h, r->ndir);
	return err;
}

static int rename_prepare(struct rename *r)
{
	struct inode *i = r->od->inode, *victim = r->nd->inode;
	int err = find_known(r->odir, r->od, &r->old);

	if (!err && victim)
		err = find_known(r->ndir, r->nd, &r->new);
	if (!err && r->moves_dir)
		err = find_up(i, r->odir, &r->up);
	if (!err && victim && S_ISDIR(victim->mode)) {
		int empty = ext4_dir_is_empty(victim);

		if (empty != 1)
			err = empty ? empty : -ENOTEMPTY;
	} else if (!err && r->moves_dir && dir_is_full(r->ndir)) {
		err = -EMLINK;
	}
	return err;
}

static int rename_once(struct rename *r, u32 flags, const struct cred *c)
{
	struct handle *h = begin(r->odir,
		EXT4_ADD_ENTRY_CREDITS + 24 + (flags & RENAME_WHITEOUT ? CREATE_CREDITS : 0));
	int err;

	if (is_err(h))
		return ptr_err(h);
	r->old.ref.page = r->new.ref.page = r->up.ref.page = NULL;
	r->white = NULL;
	err = rename_prepare(r);
	if (!err && (flags & RENAME_WHITEOUT)) {
		struct inode *w = ext4_new_inode(h, r->odir, S_IFCHR, c, 0);

		err = is_err(w) ? ptr_err(w) : 0;
		if (!err) {
			r->white = w;
			err = ext4_mark_inode_dirty(h, w);
		}
	}
	if (!err)
		err = rename_commit(h, r);
	if (err && r->white)
		abandon(h, r->white);
	rename_end(r);
	err = ext4_end(h, err);
	if (r->white)
		put_inode(r->white);
	return err;
}

static int rename_over(struct rename *r, u32 flags, const struct cred *c)
{
	struct inode *victim = r->nd->inode;
	int tries = 0, err;

	if (victim && !S_ISDIR(victim->mode))
		rwsem_write_lock(&victim->rwsem); /* its last link may go */
	do
		err = rename_once(r, flags, c);
	while (err == -ENOSPC && ext4_retry_nospace(ext4_of(r->odir), &tries));
	if (victim && !S_ISDIR(victim->mode))
		rwsem_write_unlock(&victim->rwsem);
	return err;
}

/* ---- exchanging -------------------------------------------------------------------------------- */

struct exchange {
	struct rename r;
	struct ext4_place other_up; /* ".." of the second one */
	bool other_moves_dir;
};

static int exchange_prepare(struct exchange *x)
{
	struct rename *r = &x->r;
	int err = find_known(r->odir, r->od, &r->old);

	if (!err)
		err = find_known(r->ndir, r->nd, &r->new);
	if (!err && r->moves_dir)
		err = find_up(r->od->inode, r->odir, &r->up);
	if (!err && x->other_moves_dir)
		err = find_up(r->nd->inode, r->ndir, &x->other_up);
	if (!err && r->moves_dir && !x->other_moves_dir && dir_is_full(r->ndir))
		err = -EMLINK;
	if (!err && !r->moves_dir && x->other_moves_dir && dir_is_full(r->odir))
		err = -EMLINK;
	return err;
}

static int exchange_commit(struct handle *h, struct exchange *x)
{
	struct rename *r = &x->r;
	struct inode *a = r->od->inode, *b = r->nd->inode;
	struct inode *const changed[] = {a, b, r->odir, r->ndir};
	int err = set_name(h, r->ndir, &r->new, a);

	if (!err)
		err = set_name(h, r->odir, &r->old, b);
	if (!err && r->moves_dir)
		err = set_up(h, a, &r->up, r->ndir);
	if (!err && x->other_moves_dir)
		err = set_up(h, b, &x->other_up, r->odir);
	if (r->moves_dir && !x->other_moves_dir) {
		ext4_dir_lose(r->odir);
		ext4_dir_gain(r->ndir);
	} else if (!r->moves_dir && x->other_moves_dir) {
		ext4_dir_lose(r->ndir);
		ext4_dir_gain(r->odir);
	}
	inode_touch(a, ATTR_CTIME);
	inode_touch(b, ATTR_CTIME);
	touch_dir(r->odir);
	touch_dir(r->ndir);
	for (u32 k = 0; !err && k < ARRAY_SIZE(changed); k++)
		err = ext4_mark_inode_dirty(h, changed[k]);
	return err;
}

static int exchange_names(struct exchange *x)
{
	struct handle *h = begin(x->r.odir, 24);
	int err;

	if (is_err(h))
		return ptr_err(h);
	err = exchange_prepare(x);
	if (!err)
		err = exchange_commit(h, x);
	rename_end(&x->r);
	block_ref_put(&x->other_up.ref);
	return ext4_end(h, err);
}

static int ext4_rename(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd,
	u32 flags, const struct cred *c)
{
	struct exchange x = {.r = {.odir = odir, .ndir = ndir, .od = od, .nd = nd}};
	bool across = odir != ndir;

	x.r.moves_dir = across && S_ISDIR(od->inode->mode);
	if (other_project(ndir, od->inode))
		return -EXDEV;
	if (!(flags & RENAME_EXCHANGE))
		return rename_over(&x.r, flags, c);
	if (other_project(odir, nd->inode))
		return -EXDEV;
	x.other_moves_dir = across && S_ISDIR(nd->inode->mode);
	return exchange_names(&x);
}

const struct inode_ops g_ext4_dir_ops = {
	.lookup = ext4_lookup,
	.create = ext4_create,
	.mkdir = ext4_mkdir,
	.mknod = ext4_mknod,
	.symlink = ext4_symlink,
	.link = ext4_link,
	.unlink = ext4_unlink,
	.rmdir = ext4_rmdir,
	.rename = ext4_rename,
	.tmpfile = ext4_tmpfile,
	.permission = ext4_permission,
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.listxattr = ext4_listxattr,
};

const struct inode_ops g_ext4_special_ops = {
	.permission = ext4_permission,
	.setattr = ext4_setattr,
	.getattr = ext4_getattr,
	.getxattr = ext4_getxattr,
	.setxattr = ext4_setxattr,
	.removexattr = ext4_removexattr,
	.listxattr = ext4_listxattr,
};
