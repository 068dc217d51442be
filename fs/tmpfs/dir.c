/* tmpfs: directories. i_rwsem of every directory involved is held for writing by the VFS. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <vfs/posix_acl.h>
#include "tmpfs.h"

static void touch_dir(struct inode *dir)
{
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

static void set_nlink(struct inode *i, int delta)
{
	spin_lock(&i->spin);
	i->nlink += (u32)delta;
	spin_unlock(&i->spin);
}

/* Each name but the first counts as an inode, so that links can't fill memory (as Linux). */
static int add_name(struct tmpfs *t, struct inode *i, bool *was_unnamed)
{
	int err = 0;

	spin_lock(&i->spin);
	*was_unnamed = i->flags & INODE_UNHASHED;
	if (!i->nlink && !*was_unnamed)
		err = -ENOENT; /* the last name has just gone */
	else if (i->nlink && tmpfs_charge_inodes(t, 1))
		err = -ENOSPC;
	if (!err) {
		i->nlink++;
		__atomic_fetch_and(&i->flags, ~INODE_UNHASHED, __ATOMIC_RELAXED);
	}
	spin_unlock(&i->spin);
	return err;
}

/* unnamed: it may get a name again although it has none. */
static void drop_name(struct tmpfs *t, struct inode *i, bool unnamed)
{
	spin_lock(&i->spin);
	if (--i->nlink)
		tmpfs_uncharge_inodes(t, 1);
	else if (unnamed)
		__atomic_fetch_or(&i->flags, INODE_UNHASHED, __ATOMIC_RELAXED);
	spin_unlock(&i->spin);
}

/* Nothing is found here that isn't in the dentry cache: entries pin their dentries. */
static int tmpfs_lookup(struct inode *dir, struct dentry *d)
{
	return 0;
}

static void insert_entry(struct tmpfs_node *n, struct tmpfs_entry *e)
{
	struct rb_node **link = &n->entries.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = e->cookie < rb_entry(parent, struct tmpfs_entry, node)->cookie
			? &parent->left
			: &parent->right;
	}
	rb_insert(&n->entries, &e->node, parent, link);
}

static int add_entry(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e), GFP_KERNEL);
	struct tmpfs_node *n = node_of(dir);

	if (!e)
		return -ENOMEM;
	e->cookie = n->next_cookie++;
	get_dentry(d);
	e->dentry = d;
	d->priv = e;
	insert_entry(n, e);
	dir->object.size += 20; /* as Linux's tmpfs counts directory entries */
	return 0;
}

static void remove_entry(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = d->priv;

	rb_erase(&node_of(dir)->entries, &e->node);
	d->priv = NULL;
	kfree(e);
	dir->object.size -= 20;
	put_dentry(d); /* never the last: the caller holds one */
}

static int make(struct inode *dir, struct dentry *d, kmode_t mode, kdev_t rdev,
	const struct cred *c, struct inode **out)
{
	struct inode *i = tmpfs_inode(dir->super, dir, mode, rdev, c);
	int err;

	if (is_err(i))
		return ptr_err(i);
	err = add_entry(dir, d);
	if (err) {
		put_inode(i);
		return err;
	}
	touch_dir(dir);
	dentry_instantiate(d, i);
	*out = i;
	return 0;
}

static int tmpfs_mknod(
	struct inode *dir, struct dentry *d, kmode_t mode, kdev_t rdev, const struct cred *c)
{
	struct inode *i;

	return make(dir, d, mode, rdev, c, &i);
}

static int tmpfs_create(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *c)
{
	return tmpfs_mknod(dir, d, mode, 0, c);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *c)
{
	int err = tmpfs_mknod(dir, d, mode | S_IFDIR, 0, c);

	if (!err)
		set_nlink(dir, 1);
	return err;
}

/* A target of up to this size, with its NUL, is part of the inode; a longer one takes a page
 * (Linux). */
#define SHORT_TARGET 128

static bool target_is_long(const struct inode *i)
{
	return i->object.size >= SHORT_TARGET;
}

/* For the inode of a new symlink, which owns it from then on. */
static int set_target(struct inode *i, const char *target)
{
	struct tmpfs_node *n = node_of(i);

	i->object.size = strlen(target);
	if (target_is_long(i) && tmpfs_charge_page(i, 0))
		return -ENOSPC;
	n->target = kstrdup(target, GFP_KERNEL);
	if (!n->target) {
		if (target_is_long(i))
			tmpfs_uncharge_page(i, 0);
		return -ENOMEM;
	}
	if (target_is_long(i))
		i->blocks = PAGE_SIZE / 512;
	return 0;
}

void tmpfs_free_target(struct inode *i)
{
	struct tmpfs_node *n = node_of(i);

	if (n->target && target_is_long(i))
		tmpfs_uncharge_page(i, 0);
	kfree(n->target);
}

static int tmpfs_symlink(
	struct inode *dir, struct dentry *d, const char *target, const struct cred *c)
{
	struct inode *i = tmpfs_inode(dir->super, dir, S_IFLNK | 0777, 0, c);
	int err;

	if (is_err(i))
		return ptr_err(i);
	err = set_target(i, target);
	if (!err)
		err = add_entry(dir, d);
	if (err) {
		put_inode(i);
		return err;
	}
	touch_dir(dir);
	dentry_instantiate(d, i);
	return 0;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	struct tmpfs *t = tmpfs_of(dir);
	bool was_unnamed;
	int err = add_name(t, target, &was_unnamed);

	if (err)
		return err;
	err = add_entry(dir, d);
	if (err) {
		drop_name(t, target, was_unnamed);
		return err;
	}
	get_inode(target);
	inode_touch(target, ATTR_CTIME);
	touch_dir(dir);
	dentry_instantiate(d, target);
	return 0;
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;

	remove_entry(dir, d);
	drop_name(tmpfs_of(dir), i, false);
	inode_touch(i, ATTR_CTIME);
	touch_dir(dir);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	if (!rb_empty(&node_of(d->inode)->entries))
		return -ENOTEMPTY;
	set_nlink(d->inode, -1);
	set_nlink(dir, -1);
	return tmpfs_unlink(dir, d);
}

static int exchange(struct inode *odir, struct dentry *od, struct inode *ndir, struct dentry *nd)
{
	struct tmpfs_entry *oe = od->priv, *ne = nd->priv;
	bool o_is_dir = S_ISDIR(od->inode->mode), n_is_dir = S_ISDIR(nd->inode->mode);

	/* The entries stay where they are; the dentries change places (dentry_move moves the
	 * names). */
	oe->dentry = nd;
	ne->dentry = od;
	od->priv = ne;
	nd->priv = oe;
	if (odir != ndir && o_is_dir != n_is_dir) {
		set_nlink(odir, o_is_dir ? -1 : 1);
		set_nlink(ndir, o_is_dir ? 1 : -1);
	}
	return 0;
}

static int whiteout(
	struct inode *odir, struct dentry *od, const struct cred *c, struct dentry **out)
{
	struct qstr name = od->name;
	struct dentry *w = dentry_alloc(od->parent, &name);
	struct inode *i;
	int err;

	if (!w)
		return -ENOMEM;
	err = make(odir, w, S_IFCHR, 0, c, &i);
	if (err)
		put_dentry(w);
	*out = w;
	return err;
}

static int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir,
	struct dentry *nd, u32 flags, const struct cred *c)
{
	struct inode *i = od->inode, *victim = nd->inode;
	struct dentry *white = NULL;
	struct tmpfs_entry *e = od->priv;
	bool is_dir = S_ISDIR(i->mode);
	int err;

	inode_touch(i, ATTR_CTIME);
	if (flags & RENAME_EXCHANGE) {
		inode_touch(victim, ATTR_CTIME);
		touch_dir(odir);
		touch_dir(ndir);
		return exchange(odir, od, ndir, nd);
	}
	if (victim && is_dir && !rb_empty(&node_of(victim)->entries))
		return -ENOTEMPTY;
	if (flags & RENAME_WHITEOUT) {
		err = whiteout(odir, od, c, &white);
		if (err)
			return err;
	}
	if (victim) {
		if (is_dir) {
			set_nlink(victim, -1);
			set_nlink(ndir, -1);
		}
		(void)tmpfs_unlink(ndir, nd);
	}
	/* The entry moves with its dentry and its reference; a new cookie in the new directory. */
	rb_erase(&node_of(odir)->entries, &e->node);
	odir->object.size -= 20;
	e->cookie = node_of(ndir)->next_cookie++;
	insert_entry(node_of(ndir), e);
	ndir->object.size += 20;
	if (is_dir && odir != ndir) {
		set_nlink(odir, -1);
		set_nlink(ndir, 1);
	}
	touch_dir(odir);
	touch_dir(ndir);
	if (white) {
		dentry_publish(white); /* found under the old name once od has left it */
		put_dentry(white);
	}
	return 0;
}

static int tmpfs_tmpfile(struct inode *dir, struct inode **out, kmode_t mode, const struct cred *c)
{
	struct inode *i = tmpfs_inode(dir->super, dir, mode, 0, c);

	if (is_err(i))
		return ptr_err(i);
	i->nlink = 0;
	*out = i;
	return 0;
}

static u8 type_of(kmode_t mode)
{
	return (mode & S_IFMT) >> 12;
}

/* Entries with cookie >= from, in order. */
static struct rb_node *first_from(const struct tmpfs_node *n, u64 from)
{
	struct rb_node *at = n->entries.node, *best = NULL;

	while (at) {
		if (rb_entry(at, struct tmpfs_entry, node)->cookie >= from) {
			best = at;
			at = at->left;
		} else {
			at = at->right;
		}
	}
	return best;
}

static int tmpfs_iterate(struct file *f, struct dir_context *ctx)
{
	struct tmpfs_node *n = node_of(f->inode);

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, f->inode->ino, 4))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, READ_ONCE(f->path.dentry->parent)->inode->ino, 4))
			return 0;
		ctx->pos = 2;
	}
	for (struct rb_node *rb = first_from(n, (u64)ctx->pos); rb; rb = rb_next(rb)) {
		struct tmpfs_entry *e = rb_entry(rb, struct tmpfs_entry, node);
		struct inode *i = e->dentry->inode;

		ctx->pos = (off64_t)e->cookie;
		if (!ctx->emit(ctx, e->dentry->name.name, e->dentry->name.len, i->ino,
			    type_of(i->mode)))
			return 0;
		ctx->pos = (off64_t)e->cookie + 1;
	}
	return 0;
}

static off64_t tmpfs_dir_seek(struct file *f, off64_t off, int whence)
{
	if (whence == 1)
		off += f->pos;
	else if (whence != 0)
		return -EINVAL;
	if (off < 0)
		return -EINVAL;
	f->pos = off;
	return off;
}

static int tmpfs_dir_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0; /* memory is as stable as it gets */
}

const struct inode_ops g_tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.mknod = tmpfs_mknod,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.permission = posix_acl_permission,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};

static const char *tmpfs_get_link(struct inode *i, bool *must_free)
{
	return node_of(i)->target;
}

const struct inode_ops g_tmpfs_link_ops = {
	.get_link = tmpfs_get_link,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};

const struct inode_ops g_tmpfs_special_ops = {
	.permission = posix_acl_permission,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};

const struct file_ops g_tmpfs_dir_fops = {
	.iterate = tmpfs_iterate,
	.seek = tmpfs_dir_seek,
	.fsync = tmpfs_dir_fsync,
};
