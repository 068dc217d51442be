/*
 * The fast path walk: cached names only, under RCU, without a lock or a reference on the way.
 *
 * It stands on dentries, inodes and mounts whose memory RCU keeps, and takes references on nothing
 * but the result. Names, parents and mounts change only while g_rename_seq is odd, so if the count
 * is the same at the end every step was true; a name that is removed meanwhile was there when we
 * came by. Whatever is not simple (a name that isn't cached, symlinks, "..", file systems with
 * rules of their own, openat2's restrictions) answers -EAGAIN: the ordinary walk starts from the
 * beginning.
 */
#include "internal.h"
#include "name_hash.h"

#define FAST_FLAGS (LOOKUP_FOLLOW | LOOKUP_DIRECTORY | LOOKUP_EMPTY | LOOKUP_NO_MOUNT)

struct fast {
	const struct cred *cred;
	struct mount *mnt;     /* where we stand; RCU */
	struct dentry *dentry; /* the same */
	struct inode *dir;     /* of the final component */
	const char *last;      /* final component */
	size_t last_len;
	u32 last_hash;
	bool slash; /* behind it */
	u32 seq;
};

static void cross_mounts(struct fast *f)
{
	while (unlikely(READ_ONCE(f->dentry->flags) & DENTRY_MOUNTED)) {
		struct mount *m = mount_find_rcu(f->mnt, f->dentry);

		if (!m)
			return;
		f->mnt = m;
		f->dentry = m->root;
	}
}

/* Step to the cached child; f->dentry may be negative afterwards. */
static int step(struct fast *f, const char *name, size_t len, u32 hash)
{
	struct dentry *d = dcache_find_rcu(f->dentry, name, len, hash);
	const struct inode_ops *ops;
	struct inode *i;

	if (unlikely(!d))
		return -EAGAIN;
	i = READ_ONCE(d->inode);
	ops = i ? i->ops : f->dir->ops;
	if (unlikely(ops && ops->revalidate))
		return -EAGAIN;
	f->dentry = d;
	return 0;
}

/* From where we stand to the directory of the final component. */
static int walk_dirs_rcu(struct fast *f, const char *name)
{
	for (;;) {
		const char *end;
		struct inode *dir;
		size_t len;
		int err;

		while (*name == '/')
			name++;
		len = name_scan(name, &f->last_hash);
		end = name + len;
		dir = READ_ONCE(f->dentry->inode);
		if (unlikely(!dir || !S_ISDIR(dir->mode) || !dir->ops ||
			    (dir->ops->permission && !(READ_ONCE(dir->flags) & INODE_NO_ACL))))
			return -EAGAIN; /* also symlinks: the link's own name was the component
					   before */
		if (unlikely(len == 0 ||
			    (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))))
			return -EAGAIN;
		if (unlikely(len > NAME_MAX))
			return -EAGAIN;
		/* What everyone may search needs no look at who asks. */
		if ((dir->mode & 0111) != 0111 &&
			unlikely(inode_permission(dir, MAY_EXEC, f->cred)))
			return -EAGAIN;
		f->dir = dir;
		f->last = name;
		f->last_len = len;
		f->slash = *end == '/';
		for (; *end == '/'; end++)
			;
		if (!*end)
			return 0;
		err = step(f, name, len, f->last_hash);
		if (unlikely(err))
			return err;
		cross_mounts(f);
		name = end;
	}
}

static int start(
	struct fast *f, const struct vfs_env *env, const struct path *base, const char *name)
{
	struct path from;

	f->cred = env->cred;
	spin_lock(&env->fs->lock);
	from = name[0] == '/' ? env->fs->root : base ? *base : env->fs->cwd;
	spin_unlock(&env->fs->lock);
	f->mnt = from.mnt;
	f->dentry = from.dentry;
	f->seq = READ_ONCE(g_rename_seq.seq);
	smp_rmb();
	return f->seq & 1 ? -EAGAIN : 0;
}

/* References on where we stand, if all was true up to now. Gives up the RCU read section. */
static int arrive_unlock(struct fast *f, struct path *out)
{
	struct path p = {f->mnt, f->dentry};
	bool live, valid;

	if (unlikely(!ref_get_unless_zero(&p.mnt->refs))) {
		rcu_read_unlock();
		return -EAGAIN;
	}
	live = dentry_get_live(p.dentry);
	valid = !seq_read_retry(&g_rename_seq, f->seq);
	rcu_read_unlock();
	if (likely(live && valid)) {
		*out = p;
		return 0;
	}
	if (live)
		put_dentry(p.dentry);
	put_mount(p.mnt);
	return -EAGAIN;
}

int rcu_lookup(const struct vfs_env *env, const struct path *base, const char *name, u32 flags,
	struct path *out)
{
	struct fast f;
	struct inode *i;
	int err;

	if ((flags & ~(u32)FAST_FLAGS) || !*name)
		return -EAGAIN;
	rcu_read_lock();
	err = start(&f, env, base, name);
	if (!err)
		err = walk_dirs_rcu(&f, name);
	if (!err)
		err = step(&f, f.last, f.last_len, f.last_hash);
	if (err)
		goto out;
	if (!(flags & LOOKUP_NO_MOUNT))
		cross_mounts(&f);
	i = READ_ONCE(f.dentry->inode);
	if (!i) {
		smp_rmb(); /* pairs with a kill's store_release: what memory pressure took is no
			      answer */
		err = seq_read_retry(&g_rename_seq, f.seq) ||
				(READ_ONCE(f.dentry->flags) & DENTRY_DEAD)
			? -EAGAIN
			: -ENOENT;
		goto out;
	}
	err = -EAGAIN;
	if (S_ISLNK(i->mode) && ((flags & LOOKUP_FOLLOW) || f.slash))
		goto out;
	if ((f.slash || (flags & LOOKUP_DIRECTORY)) && !S_ISDIR(i->mode))
		goto out;
	return arrive_unlock(&f, out);
out:
	rcu_read_unlock();
	return err;
}

int rcu_walk_begin(
	struct walk *w, const struct vfs_env *env, const struct path *base, const char *name)
{
	struct fast f;
	int err;

	if ((w->flags & ~(u32)FAST_FLAGS) || !*name)
		return -EAGAIN;
	rcu_read_lock();
	err = start(&f, env, base, name);
	if (!err)
		err = walk_dirs_rcu(&f, name);
	if (err) {
		rcu_read_unlock();
		return err;
	}
	err = arrive_unlock(&f, &w->path);
	if (err)
		return err;
	w->last = f.last;
	w->last_len = f.last_len;
	w->last_type = LAST_NORM;
	w->slash = f.slash;
	w->rest = f.last + f.last_len;
	return 0;
}
