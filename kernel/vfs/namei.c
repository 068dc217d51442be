/*
 * Path resolution.
 *
 * A walk holds references on where it stands. It goes component by component; a symlink's target
 * is put in front of what is left in a fresh buffer, so nesting costs no stack. The final component
 * is left to the caller (walk_last), who may want to create, remove or follow it.
 */
#include <kmem/slab.h>
#include <lib/string.h>
#include "internal.h"

int g_protected_symlinks = 1; /* fs.protected_*: what Debian's kernel starts with */

void get_path(const struct path *p)
{
	get_mount(p->mnt);
	get_dentry(p->dentry);
}

void put_path(const struct path *p)
{
	put_dentry(p->dentry);
	put_mount(p->mnt);
}

/* Replace *at by new (reference handed over). */
static void move_to(struct path *at, struct path new)
{
	put_path(at);
	*at = new;
}

int path_follow_mounts(struct path *p, u32 flags)
{
	while (READ_ONCE(p->dentry->flags) & DENTRY_MOUNTED) {
		struct mount *m = mount_lookup(p->mnt, p->dentry);

		if (!m)
			return 0;
		if (flags & LOOKUP_NO_XDEV) {
			put_mount(m);
			return -EXDEV;
		}
		get_dentry(m->root);
		move_to(p, (struct path){m, m->root});
	}
	return 0;
}

/* w->path becomes the directory above, as the tree is now. */
static int step_up(struct walk *w)
{
	struct path p = w->path;

	if (path_equal(&p, &w->root)) /* ".." at the root stays */
		return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
	if ((w->flags & LOOKUP_BENEATH) && path_equal(&p, &w->base))
		return -EXDEV;
	/* At the root of a mount: continue at its mountpoint. */
	while (p.dentry == p.mnt->root) {
		struct path up;

		rwsem_read_lock(&g_namespace_lock);
		up = (struct path){p.mnt->parent, p.mnt->mountpoint};
		if (!up.mnt || up.mnt == p.mnt) {
			rwsem_read_unlock(&g_namespace_lock);
			return path_follow_mounts(&w->path, w->flags); /* top of the tree */
		}
		get_path(&up);
		rwsem_read_unlock(&g_namespace_lock);
		if (w->flags & LOOKUP_NO_XDEV) {
			put_path(&up);
			return -EXDEV;
		}
		move_to(&w->path, up);
		p = w->path;
		if (path_equal(&p, &w->root))
			return 0;
	}
	rcu_read_lock();
	for (;;) {
		struct dentry *parent = READ_ONCE(p.dentry->parent);
		u32 old = ref_read(&parent->refs);

		/* A parent is pinned by its child, so the count is not zero while p.dentry is held.
		 */
		if (old && try_cmpxchg(&parent->refs.n, &old, old + 1)) {
			rcu_read_unlock();
			get_mount(p.mnt);
			move_to(&w->path, (struct path){p.mnt, parent});
			break;
		}
	}
	return path_follow_mounts(&w->path, w->flags);
}

/*
 * ".." of a walk that has to stay below a directory is only compared with that directory: as long
 * as nothing in the tree moved since the walk began, every way up passes it. When something did, we
 * may stand outside by now, and the step is not taken to be safe (openat2(2): EAGAIN).
 */
static int go_up(struct walk *w)
{
	int err = step_up(w);

	if (!err && (w->flags & LOOKUP_SCOPED) && seq_read_retry(&g_rename_seq, w->tree_seq))
		err = -EAGAIN;
	return err;
}

/* Child "name" of where we stand, referenced, mounts not followed. */
static int lookup_child(struct walk *w, const char *name, size_t len, struct path *out)
{
	struct dentry *parent = w->path.dentry, *d;
	struct inode *dir = parent->inode;
	const struct inode_ops *ops;

	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	d = dcache_find(parent, name, len);
	if (d) {
		ops = d->inode ? d->inode->ops : dir->ops;
		if (unlikely(ops && ops->revalidate) && !ops->revalidate(d)) {
			put_dentry(d);
			d = NULL;
		}
	}
	if (!d) {
		rwsem_write_lock(&dir->rwsem);
		d = dentry_lookup(parent, name, len);
		rwsem_write_unlock(&dir->rwsem);
		if (is_err(d))
			return ptr_err(d);
	}
	get_mount(w->path.mnt);
	*out = (struct path){w->path.mnt, d};
	return 0;
}

/* Cut the next component off w->rest: its length, 0 at the end. *final: nothing but slashes follow.
 */
static size_t next_component(struct walk *w, const char **name, bool *final, bool *slash)
{
	const char *p = w->rest, *end;

	while (*p == '/')
		p++;
	for (end = p; *end && *end != '/'; end++)
		;
	*name = p;
	*slash = *end == '/';
	w->rest = end;
	while (*end == '/')
		end++;
	*final = *end == 0;
	return (size_t)(w->rest - p);
}

static enum last_type type_of(const char *name, size_t len)
{
	if (len == 1 && name[0] == '.')
		return LAST_DOT;
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return LAST_DOTDOT;
	return LAST_NORM;
}

static int may_search(struct walk *w)
{
	struct inode *dir = w->path.dentry->inode;

	if (!dir || !S_ISDIR(dir->mode))
		return -ENOTDIR;
	return inode_permission(dir, MAY_EXEC, w->env->cred);
}

/* fs.protected_symlinks: in a sticky world-writable directory only the owner's or the directory
 * owner's links are followed. */
static int may_follow(struct walk *w, struct inode *link)
{
	struct inode *dir = w->path.dentry->inode;

	if (!g_protected_symlinks || w->env->cred->fsuid == link->uid)
		return 0;
	if ((dir->mode & (S_ISVTX | 02)) != (S_ISVTX | 02) || dir->uid == link->uid)
		return 0;
	return -EACCES;
}

/* Put target in front of what is left. */
static int splice_target(struct walk *w, const char *target)
{
	size_t tlen = strlen(target), rlen = strlen(w->rest);
	char *fresh;

	if (tlen == 0)
		return -ENOENT;
	fresh = kmalloc(tlen + rlen + 1, GFP_KERNEL);
	if (!fresh)
		return -ENOMEM;
	memcpy(fresh, target, tlen);
	memcpy(fresh + tlen, w->rest, rlen + 1);
	kfree(w->buffer);
	w->buffer = fresh;
	w->rest = fresh;
	return 0;
}

static int jump_root(struct walk *w)
{
	if (w->flags & LOOKUP_BENEATH)
		return -EXDEV;
	if ((w->flags & LOOKUP_NO_XDEV) && w->path.mnt != w->root.mnt)
		return -EXDEV;
	get_path(&w->root);
	move_to(&w->path, w->root);
	return 0;
}

/* Consume link (a symlink found in w->path): prepare to go on with its target. 1: jumped to *out. */
static int take_link(struct walk *w, struct path *link, struct path *out)
{
	struct inode *i = link->dentry->inode;
	const char *target;
	bool must_free = false;
	int err;

	if (w->links++ >= SYMLINK_MAX_DEPTH || (w->flags & LOOKUP_NO_SYMLINKS)) {
		err = -ELOOP;
		goto out;
	}
	err = may_follow(w, i);
	if (err)
		goto out;
	if (i->ops->jump) {
		err = -ELOOP;
		if (w->flags & LOOKUP_NO_MAGIC)
			goto out;
		err = -EXDEV;
		if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
			goto out;
		err = i->ops->jump(i, w->env->cred, out);
		if (!err && (w->flags & LOOKUP_NO_XDEV) && out->mnt != w->path.mnt) {
			put_path(out);
			err = -EXDEV;
		}
		if (!err)
			err = 1;
		goto out;
	}
	path_accessed(link);
	target = i->ops->get_link(i, &must_free);
	if (is_err(target)) {
		err = ptr_err(target);
		goto out;
	}
	err = splice_target(w, target);
	if (must_free)
		kfree(target);
	if (!err && w->rest[0] == '/')
		err = jump_root(w);
out:
	put_path(link);
	return err;
}

/* From where we stand through w->rest up to the directory of the final component. */
static int walk_dirs(struct walk *w)
{
	for (;;) {
		const char *name;
		bool final, slash;
		size_t len = next_component(w, &name, &final, &slash);
		enum last_type type = type_of(name, len);
		struct path child, jumped;
		int err;

		if (len == 0) { /* only slashes: the root, or where a link ended */
			w->last = "";
			w->last_len = 0;
			w->last_type = LAST_ROOT;
			w->slash = true;
			return 0;
		}
		err = may_search(w);
		if (err)
			return err;
		if (final) {
			w->last = name;
			w->last_len = len;
			w->last_type = type;
			w->slash = slash;
			return 0;
		}
		if (type == LAST_DOT)
			continue;
		if (type == LAST_DOTDOT) {
			err = go_up(w);
			if (err)
				return err;
			continue;
		}
		err = lookup_child(w, name, len, &child);
		if (err)
			return err;
		err = path_follow_mounts(&child, w->flags);
		if (err || !child.dentry->inode) {
			put_path(&child);
			return err ? err : -ENOENT;
		}
		if (!S_ISLNK(child.dentry->inode->mode)) {
			move_to(&w->path, child);
			continue;
		}
		err = take_link(w, &child, &jumped);
		if (err < 0)
			return err;
		if (err == 1)
			move_to(&w->path, jumped);
	}
}

int walk_begin(struct walk *w, const struct vfs_env *env, const struct path *base, const char *name,
	u32 flags)
{
	int err = 0;

	*w = (struct walk){.env = env, .flags = flags, .rest = name};
	if (flags & LOOKUP_SCOPED)
		w->tree_seq = seq_read_begin(&g_rename_seq);
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (likely(rcu_walk_begin(w, env, base, name) == 0))
		return 0;
	spin_lock(&env->fs->lock);
	w->path = base ? *base : env->fs->cwd;
	w->root = env->fs->root;
	if (flags & LOOKUP_IN_ROOT)
		w->root = w->path;
	w->base = w->path;
	if (*name == '/')
		w->path = w->root;
	get_path(&w->path);
	get_path(&w->root);
	get_path(&w->base);
	spin_unlock(&env->fs->lock);
	if (*name == '/' && (flags & LOOKUP_BENEATH))
		err = -EXDEV;
	if (!err)
		err = walk_dirs(w);
	if (err)
		walk_end(w);
	return err;
}

void walk_end(struct walk *w)
{
	put_path(&w->path);
	if (w->root.mnt)
		put_path(&w->root);
	if (w->base.mnt)
		put_path(&w->base);
	if (w->buffer)
		kfree(w->buffer);
}

int walk_last(struct walk *w, struct path *out)
{
	int err;

	switch (w->last_type) {
	case LAST_NORM:
		return lookup_child(w, w->last, w->last_len, out);
	case LAST_DOTDOT:
		err = go_up(w);
		if (err)
			return err;
		break;
	case LAST_DOT:
	case LAST_ROOT:
		break;
	}
	*out = w->path;
	get_path(out);
	return 0;
}

int walk_follow(struct walk *w, struct path *link, struct path *out)
{
	int err;

	if (!w->root.mnt) { /* the fast walk came without */
		spin_lock(&w->env->fs->lock);
		w->root = w->env->fs->root;
		get_path(&w->root);
		spin_unlock(&w->env->fs->lock);
	}
	w->rest = w->slash ? "/" : ""; /* a slash behind a link: its target must be a directory */
	err = take_link(w, link, out);
	return err ? err : walk_dirs(w);
}

int vfs_lookup(const struct vfs_env *env, const struct path *base, const char *name, u32 flags,
	struct path *out)
{
	struct walk w;
	struct path p;
	int err;

	if (!*name && (flags & LOOKUP_EMPTY)) {
		spin_lock(&env->fs->lock);
		*out = base ? *base : env->fs->cwd;
		get_path(out);
		spin_unlock(&env->fs->lock);
		return 0;
	}
	err = rcu_lookup(env, base, name, flags, out);
	if (likely(err != -EAGAIN))
		return err;
	err = walk_begin(&w, env, base, name, flags);
	if (err)
		return err;
	for (;;) {
		struct inode *i;

		err = walk_last(&w, &p);
		if (err)
			break;
		if (w.last_type == LAST_NORM && !(flags & LOOKUP_NO_MOUNT)) {
			err = path_follow_mounts(&p, flags);
			if (err) {
				put_path(&p);
				break;
			}
		}
		i = READ_ONCE(p.dentry->inode);
		if (!i) {
			put_path(&p);
			err = -ENOENT;
			break;
		}
		if (S_ISLNK(i->mode) && ((flags & LOOKUP_FOLLOW) || w.slash)) {
			err = walk_follow(&w, &p, out);
			if (err == 1) {
				p = *out;
				err = 0;
				i = p.dentry->inode;
			} else if (err) {
				break;
			} else {
				continue;
			}
		}
		if ((w.slash || (flags & LOOKUP_DIRECTORY)) && w.last_type == LAST_NORM &&
			!S_ISDIR(i->mode)) {
			put_path(&p);
			err = -ENOTDIR;
			break;
		}
		*out = p;
		break;
	}
	walk_end(&w);
	return err;
}
