/*
 * Operations on names and attributes, with the checks and their order as Linux has them.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <linux/magic.h>
#include <vfs/inotify.h>
#include <vfs/posix_acl.h>
#include "internal.h"

int g_protected_hardlinks = 1;

/* ---- common checks
 * -------------------------------------------------------------------------------- */

int may_create(const struct vfs_env *env, struct inode *dir)
{
	if (dir->flags & INODE_DELETED)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC, env->cred);
}

static bool sticky_denies(const struct vfs_env *env, struct inode *dir, struct inode *victim)
{
	kuid_t fsuid = env->cred->fsuid;

	if (!(dir->mode & S_ISVTX) || victim->uid == fsuid || dir->uid == fsuid)
		return false;
	return !cred_capable(env->cred, CAP_FOWNER);
}

int may_delete(const struct vfs_env *env, struct inode *dir, struct dentry *victim, bool is_dir)
{
	struct inode *i = victim->inode;
	int err;

	if (!i)
		return -ENOENT;
	err = inode_permission(dir, MAY_WRITE | MAY_EXEC, env->cred);
	if (err)
		return err;
	if (dir->flags & INODE_APPEND)
		return -EPERM;
	if (sticky_denies(env, dir, i) || (i->flags & (INODE_APPEND | INODE_IMMUTABLE)))
		return -EPERM;
	if (is_dir) {
		if (!S_ISDIR(i->mode))
			return -ENOTDIR;
		if (victim == victim->super->root)
			return -EBUSY;
	} else if (S_ISDIR(i->mode)) {
		return -EISDIR;
	}
	if (dir->flags & INODE_DELETED)
		return -ENOENT;
	return 0;
}

/* A creation in progress: directory locked, negative dentry, write access to the mount. */
struct creation {
	struct walk w;
	struct path path;
	struct inode *dir;
};

static int creation_begin(struct creation *c, const struct vfs_env *env, const struct path *base,
	const char *name, bool is_dir)
{
	int err = walk_begin(&c->w, env, base, name, 0), write;

	if (err)
		return err;
	err = -EEXIST;
	if (c->w.last_type != LAST_NORM)
		goto out_walk;
	write = mount_want_write(c->w.path.mnt);
	c->dir = c->w.path.dentry->inode;
	rwsem_write_lock(&c->dir->rwsem);
	c->path.mnt = c->w.path.mnt;
	c->path.dentry = dentry_lookup(c->w.path.dentry, c->w.last, c->w.last_len);
	err = is_err(c->path.dentry) ? ptr_err(c->path.dentry) : 0;
	if (err)
		goto out_unlock;
	err = -EEXIST;
	if (c->path.dentry->inode)
		goto out_dentry;
	err = -ENOENT;
	if (c->w.slash && !is_dir)
		goto out_dentry;
	err = write ? write : may_create(env, c->dir);
	if (err)
		goto out_dentry;
	return 0;
out_dentry:
	put_dentry(c->path.dentry);
out_unlock:
	rwsem_write_unlock(&c->dir->rwsem);
	if (!write)
		mount_end_write(c->w.path.mnt);
out_walk:
	walk_end(&c->w);
	return err;
}

static int creation_end(struct creation *c, int err, u32 event)
{
	rwsem_write_unlock(&c->dir->rwsem);
	if (!err)
		notify_child(c->path.dentry, event, 0);
	put_dentry(c->path.dentry);
	mount_end_write(c->w.path.mnt);
	walk_end(&c->w);
	return err;
}

kmode_t creation_mode(const struct vfs_env *env, struct inode *dir, kmode_t mode)
{
	return posix_acl_has_default(dir) ? mode : mode & ~READ_ONCE(env->fs->umask);
}

/* ---- creating
 * --------------------------------------------------------------------------------------- */

int vfs_mkdir(const struct vfs_env *env, const struct path *base, const char *name, kmode_t mode)
{
	struct creation c;
	int err = creation_begin(&c, env, base, name, true);

	if (err)
		return err;
	if (!c.dir->ops->mkdir)
		err = -EPERM;
	else
		err = c.dir->ops->mkdir(
			c.dir, c.path.dentry, creation_mode(env, c.dir, mode) & 01777, env->cred);
	return creation_end(&c, err, IN_CREATE | IN_ISDIR);
}

int vfs_mknod_check(kmode_t mode)
{
	switch (mode & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int vfs_mknod(const struct vfs_env *env, const struct path *base, const char *name, kmode_t mode,
	kdev_t dev)
{
	struct creation c;
	int err = vfs_mknod_check(mode);

	if (err)
		return err;
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	err = creation_begin(&c, env, base, name, false);
	if (err)
		return err;
	mode = creation_mode(env, c.dir, mode & 07777) | (mode & S_IFMT);
	if ((S_ISCHR(mode) || S_ISBLK(mode)) && !(S_ISCHR(mode) && dev == 0) &&
		!cred_capable(env->cred, CAP_MKNOD))
		err = -EPERM;
	else if (S_ISREG(mode))
		err = c.dir->ops->create ? c.dir->ops->create(c.dir, c.path.dentry, mode, env->cred)
					 : -EACCES;
	else
		err = c.dir->ops->mknod
			? c.dir->ops->mknod(c.dir, c.path.dentry, mode, dev, env->cred)
			: -EPERM;
	return creation_end(&c, err, IN_CREATE);
}

int vfs_symlink(
	const struct vfs_env *env, const struct path *base, const char *name, const char *target)
{
	struct creation c;
	int err;

	if (!*target)
		return -ENOENT;
	err = creation_begin(&c, env, base, name, false);
	if (err)
		return err;
	err = c.dir->ops->symlink ? c.dir->ops->symlink(c.dir, c.path.dentry, target, env->cred)
				  : -EPERM;
	return creation_end(&c, err, IN_CREATE);
}

/* fs.protected_hardlinks: only to what one owns, or may read and write and is an ordinary file. */
static int may_link(const struct vfs_env *env, struct inode *i)
{
	if (!g_protected_hardlinks || inode_owner_or_capable(i, env->cred))
		return 0;
	if (!S_ISREG(i->mode) || (i->mode & S_ISUID) ||
		(i->mode & (S_ISGID | 010)) == (S_ISGID | 010) ||
		inode_permission(i, MAY_READ | MAY_WRITE, env->cred))
		return -EPERM;
	return 0;
}

int vfs_link(const struct vfs_env *env, const struct path *obase, const char *oname,
	const struct path *nbase, const char *nname, int at_flags)
{
	struct path old;
	struct creation c;
	struct inode *i;
	int err;

	if (at_flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((at_flags & AT_EMPTY_PATH) && !cred_capable(env->cred, CAP_DAC_READ_SEARCH) && !*oname)
		return -ENOENT;
	err = vfs_lookup(env, obase, oname,
		(at_flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
			(at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
		&old);
	if (err)
		return err;
	err = creation_begin(&c, env, nbase, nname, false);
	if (err)
		goto out;
	i = old.dentry->inode;
	if (old.mnt != c.path.mnt)
		err = -EXDEV;
	else
		err = may_link(env, i);
	if (err)
		;
	else if (i->flags & (INODE_APPEND | INODE_IMMUTABLE))
		err = -EPERM;
	else if (S_ISDIR(i->mode) || !c.dir->ops->link)
		err = -EPERM;
	else if (i->nlink == 0 && !(i->flags & INODE_UNHASHED))
		err = -ENOENT;
	else
		err = c.dir->ops->link(c.dir, c.path.dentry, i);
	if (!err)
		notify_inode(i, IN_ATTRIB);
	err = creation_end(&c, err, IN_CREATE);
out:
	put_path(&old);
	return err;
}

/* ---- removing
 * ------------------------------------------------------------------------------------------ */

static int remove_name(
	const struct vfs_env *env, const struct path *base, const char *name, bool is_dir)
{
	struct walk w;
	struct inode *dir, *i = NULL;
	struct dentry *d;
	int err = walk_begin(&w, env, base, name, 0);

	if (err)
		return err;
	if (w.last_type != LAST_NORM) {
		err = !is_dir                      ? -EISDIR
			: w.last_type == LAST_DOT  ? -EINVAL
			: w.last_type == LAST_ROOT ? -EBUSY
						   : -ENOTEMPTY;
		goto out_walk;
	}
	err = mount_want_write(w.path.mnt);
	if (err)
		goto out_walk;
	dir = w.path.dentry->inode;
	rwsem_write_lock(&dir->rwsem);
	d = dentry_lookup(w.path.dentry, w.last, w.last_len);
	err = is_err(d) ? ptr_err(d) : 0;
	if (err)
		goto out_unlock;
	i = d->inode;
	if (!i)
		err = -ENOENT;
	else if (w.slash && !is_dir)
		err = S_ISDIR(i->mode) ? -EISDIR : -ENOTDIR;
	else
		err = may_delete(env, dir, d, is_dir);
	if (!err && dentry_is_mountpoint(d))
		err = -EBUSY;
	if (!err) {
		get_inode(i);
		if (is_dir) {
			rwsem_write_lock_nested(&i->rwsem); /* child after its parent */
			err = dir->ops->rmdir ? dir->ops->rmdir(dir, d) : -EPERM;
			if (!err)
				__atomic_fetch_or(&i->flags, INODE_DELETED, __ATOMIC_RELAXED);
			rwsem_write_unlock(&i->rwsem);
		} else {
			err = dir->ops->unlink ? dir->ops->unlink(dir, d) : -EPERM;
		}
		if (!err) {
			if (!is_dir)
				notify_inode(i, IN_ATTRIB);
			notify_directory(d, IN_DELETE | (is_dir ? IN_ISDIR : 0), 0);
			dentry_delete(d);
			if (is_dir)
				dentry_invalidate_tree(d); /* what wasn't found in it */
		}
	} else {
		i = NULL;
	}
	put_dentry(d);
out_unlock:
	rwsem_write_unlock(&dir->rwsem);
	if (!is_err(d) && i)
		put_inode(i); /* the content may go now, with no directory locked */
	mount_end_write(w.path.mnt);
out_walk:
	walk_end(&w);
	return err;
}

int vfs_unlink(const struct vfs_env *env, const struct path *base, const char *name)
{
	return remove_name(env, base, name, false);
}

int vfs_rmdir(const struct vfs_env *env, const struct path *base, const char *name)
{
	return remove_name(env, base, name, true);
}

/* ---- renaming
 * -------------------------------------------------------------------------------------------- */

/*
 * Two directories are locked with the super block's rename lock held, so the tree's shape is
 * stable: an ancestor before its descendant, unrelated ones in address order.
 */
static void lock_parents(struct dentry *a, struct dentry *b)
{
	if (a == b) {
		rwsem_write_lock(&a->inode->rwsem);
		return;
	}
	mutex_lock(&a->super->rename_lock);
	if (dentry_is_ancestor(b, a) || (!dentry_is_ancestor(a, b) && b < a))
		swap(a, b);
	rwsem_write_lock(&a->inode->rwsem);
	rwsem_write_lock_nested(&b->inode->rwsem);
}

static void unlock_parents(struct dentry *a, struct dentry *b)
{
	rwsem_write_unlock(&a->inode->rwsem);
	if (a == b)
		return;
	rwsem_write_unlock(&b->inode->rwsem);
	mutex_unlock(&a->super->rename_lock);
}

static int check_rename(const struct vfs_env *env, struct walk *ow, struct walk *nw,
	struct dentry *od, struct dentry *nd, u32 flags)
{
	struct inode *odir = ow->path.dentry->inode, *ndir = nw->path.dentry->inode;
	struct inode *oi = od->inode, *ni = nd->inode;
	bool is_dir, exchange = flags & RENAME_EXCHANGE;
	int err;

	if ((flags & RENAME_NOREPLACE) && ni)
		return -EEXIST;
	if (exchange && !ni)
		return -ENOENT;
	is_dir = S_ISDIR(oi->mode);
	if (exchange) {
		if (!S_ISDIR(ni->mode) && nw->slash)
			return -ENOTDIR;
	}
	if (!is_dir && (ow->slash || (!exchange && nw->slash)))
		return -ENOTDIR;
	if (dentry_is_ancestor(od, nw->path.dentry))
		return -EINVAL;
	if (!exchange && dentry_is_ancestor(nd, ow->path.dentry))
		return -ENOTEMPTY;
	if (exchange && dentry_is_ancestor(nd, ow->path.dentry))
		return -EINVAL;
	if (oi == ni)
		return 0;
	err = may_delete(env, odir, od, is_dir);
	if (err)
		return err;
	if (!ni)
		err = may_create(env, ndir);
	else
		err = may_delete(env, ndir, nd, exchange ? S_ISDIR(ni->mode) : is_dir);
	if (err)
		return err;
	/* A moved directory's ".." changes: it must be writable itself. */
	if (odir != ndir) {
		if (is_dir)
			err = inode_permission(oi, MAY_WRITE, env->cred);
		if (!err && exchange && S_ISDIR(ni->mode))
			err = inode_permission(ni, MAY_WRITE, env->cred);
	}
	if (!err && (dentry_is_mountpoint(od) || (ni && dentry_is_mountpoint(nd))))
		err = -EBUSY;
	if (!err && !odir->ops->rename)
		err = -EPERM;
	return err;
}

/* The second half of an exchange: other had the name that d has now. */
static void notify_exchanged(struct dentry *d, struct dentry *other)
{
	u32 cookie = notify_cookie();
	u32 dir = S_ISDIR(other->inode->mode) ? IN_ISDIR : 0;

	notify_directory(d, IN_MOVED_FROM | dir, cookie);
	notify_directory(other, IN_MOVED_TO | dir, cookie);
	notify_inode(other->inode, IN_MOVE_SELF);
}

static int do_rename(const struct vfs_env *env, struct walk *ow, struct walk *nw, u32 flags,
	struct inode **victim_out)
{
	struct dentry *op = ow->path.dentry, *np = nw->path.dentry, *od, *nd;
	struct inode *victim = NULL;
	struct inode *moved[2] = {NULL, NULL};
	bool lock_victim;
	int err;

	lock_parents(op, np);
	od = dentry_lookup(op, ow->last, ow->last_len);
	err = is_err(od) ? ptr_err(od) : 0;
	if (err)
		goto out_unlock;
	err = od->inode ? 0 : -ENOENT;
	if (err)
		goto out_old; /* before anything is said about the new name */
	nd = dentry_lookup(np, nw->last, nw->last_len);
	err = is_err(nd) ? ptr_err(nd) : 0;
	if (err)
		goto out_old;
	err = check_rename(env, ow, nw, od, nd, flags);
	if (err || od->inode == nd->inode)
		goto out_both;
	victim = nd->inode;
	if (victim)
		get_inode(victim);
	lock_victim = victim && S_ISDIR(victim->mode) && !(flags & RENAME_EXCHANGE);
	if (lock_victim)
		rwsem_write_lock_nested(&victim->rwsem); /* below its parent, which is locked */
	/* A directory that gets another parent changes itself: its "..". Also below locked parents;
	 * neither is above the other. */
	if (op != np && S_ISDIR(od->inode->mode))
		moved[0] = od->inode;
	if (op != np && (flags & RENAME_EXCHANGE) && S_ISDIR(victim->mode))
		moved[1] = victim;
	for (int k = 0; k < 2; k++)
		if (moved[k])
			rwsem_write_lock_nested(&moved[k]->rwsem);
	err = op->inode->ops->rename(op->inode, od, np->inode, nd, flags, env->cred);
	for (int k = 0; k < 2; k++)
		if (moved[k])
			rwsem_write_unlock(&moved[k]->rwsem);
	if (!err && lock_victim)
		__atomic_fetch_or(&victim->flags, INODE_DELETED, __ATOMIC_RELAXED);
	if (lock_victim)
		rwsem_write_unlock(&victim->rwsem);
	if (!err) {
		u32 cookie = notify_cookie();
		u32 dir = S_ISDIR(od->inode->mode) ? IN_ISDIR : 0;

		notify_child(od, IN_MOVED_FROM | dir, cookie);
		dentry_move(od, nd, (flags & RENAME_EXCHANGE) != 0);
		notify_child(od, IN_MOVED_TO | dir, cookie);
		if (lock_victim)
			dentry_invalidate_tree(nd);
		if (victim && !S_ISDIR(victim->mode) && !(flags & RENAME_EXCHANGE))
			notify_inode(victim, IN_ATTRIB); /* one link less */
		notify_inode(od->inode, IN_MOVE_SELF);
		if (flags & RENAME_EXCHANGE)
			notify_exchanged(od, nd);
	}
out_both:
	put_dentry(nd);
out_old:
	put_dentry(od);
out_unlock:
	unlock_parents(op, np);
	*victim_out = victim;
	return err;
}

int vfs_rename_check(u32 flags)
{
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if ((flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) && (flags & RENAME_EXCHANGE))
		return -EINVAL;
	return 0;
}

int vfs_rename(const struct vfs_env *env, const struct path *obase, const char *oname,
	const struct path *nbase, const char *nname, u32 flags)
{
	struct inode *victim = NULL;
	struct walk ow, nw;
	int err = vfs_rename_check(flags);

	if (err)
		return err;
	if ((flags & RENAME_WHITEOUT) && !cred_capable(env->cred, CAP_MKNOD))
		return -EPERM;
	err = walk_begin(&ow, env, obase, oname, 0);
	if (err)
		return err;
	err = walk_begin(&nw, env, nbase, nname, 0);
	if (err)
		goto out_old;
	err = -EXDEV;
	if (ow.path.mnt != nw.path.mnt)
		goto out_new;
	err = -EBUSY;
	if (ow.last_type != LAST_NORM)
		goto out_new;
	if (nw.last_type != LAST_NORM) {
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
		goto out_new;
	}
	err = mount_want_write(ow.path.mnt);
	if (err)
		goto out_new;
	err = do_rename(env, &ow, &nw, flags, &victim);
	if (victim)
		put_inode(victim);
	mount_end_write(ow.path.mnt);
out_new:
	walk_end(&nw);
out_old:
	walk_end(&ow);
	return err;
}

/* ---- attributes
 * -------------------------------------------------------------------------------------------- */

ssize_t vfs_readlink(const struct vfs_env *env, const struct path *p, char *buf, size_t size)
{
	struct inode *i = p->dentry->inode;
	bool must_free = false;
	const char *target;
	size_t len;

	if (!S_ISLNK(i->mode))
		return -EINVAL;
	path_accessed(p);
	if (i->ops->jump) {
		struct path to;
		char *text, *page;
		int err = i->ops->jump(i, NULL, &to);

		if (err)
			return err;
		page = kmalloc(PATH_MAX, GFP_KERNEL);
		text = page ? link_text(&to, &env->fs->root, page, PATH_MAX) : err_ptr(-ENOMEM);
		put_path(&to);
		if (is_err(text)) {
			kfree(page);
			return ptr_err(text);
		}
		len = min(strlen(text), size);
		memcpy(buf, text, len);
		kfree(page);
		return (ssize_t)len;
	}
	target = i->ops->get_link(i, &must_free);
	if (is_err(target))
		return ptr_err(target);
	len = min(strlen(target), size);
	memcpy(buf, target, len);
	if (must_free)
		kfree(target);
	return (ssize_t)len;
}

/* chown's and chmod's permission rules; may adjust a->mode. */
static int check_setattr(const struct vfs_env *env, struct inode *i, struct iattr *a)
{
	const struct cred *c = env->cred;
	bool owner = c->fsuid == i->uid;

	if ((i->flags & (INODE_IMMUTABLE | INODE_APPEND)) &&
		(a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID | ATTR_ATIME_SET | ATTR_MTIME_SET)))
		return -EPERM;
	if ((a->valid & ATTR_UID) && (!owner || a->uid != i->uid) && !cred_capable(c, CAP_CHOWN))
		return -EPERM;
	if ((a->valid & ATTR_GID) && (!owner || (!cred_in_group(c, a->gid) && a->gid != i->gid)) &&
		!cred_capable(c, CAP_CHOWN))
		return -EPERM;
	if (a->valid & ATTR_MODE) {
		if (!(a->valid & (ATTR_KILL_SUID | ATTR_KILL_SGID)) &&
			!inode_owner_or_capable(i, c))
			return -EPERM;
		/* setgid for a group one isn't in is dropped silently */
		if (!(a->valid & ATTR_KILL_SGID) && (a->mode & S_ISGID) &&
			!cred_in_group(c, a->valid & ATTR_GID ? a->gid : i->gid) &&
			!cred_capable(c, CAP_FSETID))
			a->mode &= ~S_ISGID;
	}
	if ((a->valid & (ATTR_ATIME_SET | ATTR_MTIME_SET)) && !inode_owner_or_capable(i, c))
		return -EPERM;
	if ((a->valid & (ATTR_ATIME | ATTR_MTIME)) &&
		!(a->valid & (ATTR_ATIME_SET | ATTR_MTIME_SET | ATTR_SIZE)) &&
		!inode_owner_or_capable(i, c)) {
		int err = inode_permission(i, MAY_WRITE, c);

		return err;
	}
	return 0;
}

static bool gives_away(const struct inode *i, const struct iattr *a)
{
	return !S_ISDIR(i->mode) && (a->valid & (ATTR_UID | ATTR_GID));
}

/* Bits that a change of owner takes away; updates a. */
static void kill_privileges(struct inode *i, struct iattr *a)
{
	kmode_t mode = a->valid & ATTR_MODE ? a->mode : i->mode;

	if (!gives_away(i, a) || mode == mode_without_set_ids(mode))
		return;
	if (!(a->valid & ATTR_MODE))
		a->valid |= ATTR_KILL_SUID | ATTR_KILL_SGID;
	a->valid |= ATTR_MODE;
	a->mode = mode_without_set_ids(mode);
}

static int apply_locked(struct inode *i, struct iattr *a)
{
	struct vfs_time now = inode_now(i);

	a->valid |= ATTR_CTIME;
	a->times.ctime = now;
	a->times.atime = a->valid & ATTR_ATIME_SET ? vfs_time_fit(i->super, a->times.atime) : now;
	a->times.mtime = a->valid & ATTR_MTIME_SET ? vfs_time_fit(i->super, a->times.mtime) : now;
	return i->ops && i->ops->setattr ? i->ops->setattr(i, a) : inode_apply_attr(i, a);
}

static u32 setattr_events(u32 valid)
{
	u32 mask = 0;

	if (valid & (ATTR_UID | ATTR_GID | ATTR_MODE))
		mask |= IN_ATTRIB;
	if (valid & ATTR_SIZE)
		mask |= IN_MODIFY;
	if ((valid & (ATTR_ATIME | ATTR_MTIME)) == (ATTR_ATIME | ATTR_MTIME))
		mask |= IN_ATTRIB;
	else if (valid & ATTR_ATIME)
		mask |= IN_ACCESS;
	else if ((valid & ATTR_MTIME) && !(valid & ATTR_SIZE))
		mask |= IN_MODIFY;
	return mask;
}

int vfs_setattr(const struct vfs_env *env, const struct path *p, struct iattr *a)
{
	struct inode *i = p->dentry->inode;
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	rwsem_write_lock(&i->rwsem);
	kill_privileges(i, a);
	err = check_setattr(env, i, a);
	if (!err && gives_away(i, a))
		err = inode_remove_caps(i);
	if (!err)
		err = apply_locked(i, a);
	rwsem_write_unlock(&i->rwsem);
	mount_end_write(p->mnt);
	if (!err)
		notify_child(p->dentry, setattr_events(a->valid), 0);
	return err;
}

/* Set the size of an open or permitted file; sheds privileges. i->rwsem not held. */
int inode_truncate(
	struct inode *i, struct dentry *d, const struct cred *c, u64 size, u32 extra_valid)
{
	struct iattr a = {.valid = ATTR_SIZE | ATTR_MTIME | extra_valid, .size = size};
	int err;

	if (size > i->super->max_size)
		return -EFBIG;
	rwsem_write_lock(&i->rwsem);
	err = inode_shed_privileges(i, c, &a);
	if (!err)
		err = apply_locked(i, &a);
	rwsem_write_unlock(&i->rwsem);
	if (!err)
		notify_child(d, IN_MODIFY, 0);
	return err;
}

static int check_fsize(u64 size, u64 old)
{
	if (g_vfs_limits.fsize && size > old && size > g_vfs_limits.fsize()) {
		g_vfs_limits.fsize_exceeded();
		return -EFBIG;
	}
	return 0;
}

int vfs_truncate(const struct vfs_env *env, const struct path *p, u64 size)
{
	struct inode *i = p->dentry->inode;
	int err;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	err = mount_want_write(p->mnt);
	if (err)
		return err;
	err = inode_permission(i, MAY_WRITE, env->cred);
	if (!err && (i->flags & INODE_APPEND))
		err = -EPERM;
	if (!err)
		err = inode_want_write(i);
	if (!err) {
		err = check_fsize(size, i->object.size);
		if (!err)
			err = inode_truncate(i, p->dentry, env->cred, size, 0);
		inode_end_write(i);
	}
	mount_end_write(p->mnt);
	return err;
}

int vfs_ftruncate(struct file *f, u64 size)
{
	struct inode *i = f->inode;
	int err;

	if (!S_ISREG(i->mode) || !(f->mode & FMODE_WRITE))
		return -EINVAL;
	if (i->flags & INODE_APPEND)
		return -EPERM;
	err = check_fsize(size, i->object.size);
	if (err)
		return err;
	super_begin(i->super, FREEZE_WRITES);
	err = inode_truncate(i, f->path.dentry, current_cred(), size, 0);
	super_end(i->super, FREEZE_WRITES);
	return err;
}

int vfs_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = p->dentry->inode;
	int err = 0;

	memset(st, 0, sizeof(*st));
	if (i->ops && i->ops->getattr)
		err = i->ops->getattr(i, st);
	else
		inode_fill_stat(i, st);
	st->mnt_id = p->mnt->id;
	return err;
}

int vfs_access(const struct vfs_env *env, const struct path *p, int mask)
{
	struct inode *i = p->dentry->inode;
	int err;

	if ((mask & MAY_EXEC) && S_ISREG(i->mode) && path_noexec(p))
		return -EACCES;
	err = inode_permission(i, mask, env->cred);
	if (!err && (mask & MAY_WRITE) && !S_ISCHR(i->mode) && !S_ISBLK(i->mode) &&
		!S_ISFIFO(i->mode) && !S_ISSOCK(i->mode) && (p->mnt->flags & MS_RDONLY))
		err = -EROFS;
	return err;
}

int vfs_statfs(const struct path *p, struct kstatfs *st)
{
	struct super *s = p->dentry->super;
	int err;

	memset(st, 0, sizeof(*st));
	if (!s->ops->statfs)
		return -ENOSYS;
	err = s->ops->statfs(s, st);
	if (!err && s->ops->statfs_dir)
		s->ops->statfs_dir(p->dentry->inode, st);
	if (st->type == ANON_INODE_FS_MAGIC && S_ISFIFO(p->dentry->inode->mode))
		st->type = PIPEFS_MAGIC; /* to the user pipes are a file system of their own */
	if (!st->frsize)
		st->frsize = st->bsize;
	if (!st->fsid)
		st->fsid = s->dev;
	st->flags = 0x20; /* ST_VALID */
	if ((s->flags | p->mnt->flags) & MS_RDONLY)
		st->flags |= 1;
	if (p->mnt->flags & MS_NOSUID)
		st->flags |= 2;
	if (p->mnt->flags & MS_NODEV)
		st->flags |= 4;
	if (p->mnt->flags & MS_NOEXEC)
		st->flags |= 8;
	if (p->mnt->flags & MS_NOATIME)
		st->flags |= 0x400;
	if (p->mnt->flags & MS_NODIRATIME)
		st->flags |= 0x800;
	if (p->mnt->flags & MS_RELATIME)
		st->flags |= 0x1000;
	return err;
}
