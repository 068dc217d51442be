/*
 * open(2): finding or creating the inode, checks, and making the file.
 */
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/inotify.h>
#include "internal.h"

int g_protected_fifos, g_protected_regular;

bool path_noexec(const struct path *p)
{
	return (p->mnt->flags & MS_NOEXEC) != 0;
}

struct open_how_k { /* what o_flags mean */
	u32 flags;  /* for the file */
	u32 mode;   /* FMODE_* */
	int access; /* MAY_* */
	u32 lookup;
};

static void decode_flags(u32 o_flags, struct open_how_k *h)
{
	u32 acc = o_flags & O_ACCMODE;

	*h = (struct open_how_k){.flags = o_flags};
	if (o_flags & O_PATH) {
		h->flags = o_flags & (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC);
		h->mode = FMODE_PATH;
	} else {
		if (acc != O_WRONLY)
			h->mode |= FMODE_READ;
		if (acc == O_WRONLY || acc == O_RDWR)
			h->mode |= FMODE_WRITE;
		if (acc == 3) { /* "3": neither read nor write, for ioctl only; both are checked */
			h->mode = 0;
			h->access = MAY_READ | MAY_WRITE;
		}
		if (h->mode & FMODE_READ)
			h->access |= MAY_READ;
		if (h->mode & FMODE_WRITE)
			h->access |= MAY_WRITE;
		if (o_flags & O_TRUNC)
			h->access |= MAY_WRITE;
		if (o_flags & O_APPEND)
			h->access |= MAY_APPEND;
	}
	if (!(o_flags & O_NOFOLLOW))
		h->lookup |= LOOKUP_FOLLOW;
	if (o_flags & O_DIRECTORY)
		h->lookup |= LOOKUP_DIRECTORY;
}

/* fs.protected_fifos and protected_regular: O_CREAT on somebody else's file in a sticky directory. */
static int may_create_in_sticky(const struct vfs_env *env, struct inode *dir, struct inode *i)
{
	kuid_t me = env->cred->fsuid;
	int level = S_ISFIFO(i->mode) ? g_protected_fifos
		: S_ISREG(i->mode)    ? g_protected_regular
				      : 0;

	if (!level || !(dir->mode & S_ISVTX) || i->uid == dir->uid || i->uid == me)
		return 0;
	if ((dir->mode & 02) || ((dir->mode & 020) && level >= 2))
		return -EACCES;
	return 0;
}

/* May the resolved file be opened so? */
static int check_open(const struct path *p, const struct open_how_k *h, const struct cred *c)
{
	struct inode *i = p->dentry->inode;
	int err;

	switch (i->mode & S_IFMT) {
	case S_IFLNK:
		return -ELOOP;
	case S_IFDIR:
		if (h->access & MAY_WRITE)
			return -EISDIR;
		break;
	case S_IFCHR:
	case S_IFBLK:
		if (p->mnt->flags & MS_NODEV)
			return -EACCES;
		break;
	default:
		break;
	}
	err = inode_permission(i, h->access & 7, c);
	if (err)
		return err;
	if (i->flags & INODE_APPEND) {
		if ((h->mode & FMODE_WRITE) && !(h->flags & O_APPEND))
			return -EPERM;
		if (h->flags & O_TRUNC)
			return -EPERM;
	}
	if ((h->flags & O_NOATIME) && !inode_owner_or_capable(i, c))
		return -EPERM;
	return 0;
}

/* The file's operations by type of inode. NULL: none. */
static const struct file_ops *ops_for(struct inode *i)
{
	if (i->fops)
		return i->fops;
	if (S_ISCHR(i->mode))
		return chrdev_find(i->rdev);
	if (S_ISFIFO(i->mode))
		return g_fifo_open_ops;
	if (S_ISBLK(i->mode))
		return g_block_open_ops;
	return NULL;
}

/* Fill in f for the inode at p and call its open. f->flags and f->mode are set. */
int file_finish_open(struct file *f, const struct path *p, const struct cred *c)
{
	struct inode *i = p->dentry->inode;
	int err;

	get_path(p);
	f->path = *p;
	f->inode = i;
	if (f->mode & FMODE_PATH) {
		f->ops = &g_path_fops;
		return 0;
	}
	f->ops = ops_for(i);
	if (!f->ops) {
		f->ops = &g_path_fops;
		return -ENXIO;
	}
	if (S_ISREG(i->mode) && (f->mode & FMODE_WRITE)) {
		err = inode_want_write(i);
		if (err)
			goto fail;
		err = mount_get_writer(p->mnt);
		if (err) {
			inode_end_write(i);
			goto fail;
		}
		f->mode |= FMODE_WRITER;
	}
	f->wb_err = object_sample_wb_error(&i->object);
	f->super_wb_err = i->super ? errseq_sample(&i->super->wb_err) : 0;
	f->mode |= FMODE_LSEEK;
	if (f->ops->open) {
		err = f->ops->open(i, f);
		if (err) {
			if (f->mode & FMODE_WRITER) {
				inode_end_write(i);
				mount_put_writer(p->mnt);
				f->mode &= ~FMODE_WRITER;
			}
			goto fail;
		}
	}
	if (!f->ops->seek)
		f->mode &= ~FMODE_LSEEK;
	if ((f->flags & O_DIRECT) && !f->ops->direct && (S_ISREG(i->mode) || S_ISBLK(i->mode)))
		return -EINVAL; /* the caller's put_file releases it */
	return 0;
fail:
	f->ops = &g_path_fops; /* nothing to release */
	return err;
}

/* Open what p names as f. On failure nothing of f is undone: end_open does that. */
static int open_at(struct file *f, const struct vfs_env *env, const struct path *p,
	const struct open_how_k *h, bool created)
{
	struct inode *i = p->dentry->inode;
	bool truncate = (h->flags & O_TRUNC) && S_ISREG(i->mode) && !created &&
		!(h->mode & FMODE_PATH);
	int err = 0;

	if (!created && !(h->mode & FMODE_PATH)) {
		err = check_open(p, h, env->cred);
		if (err)
			return err;
	}
	if (truncate) {
		err = mount_want_write(p->mnt);
		if (err)
			return err;
	}
	if (!S_ISBLK(i->mode))
		f->flags &= ~(u32)O_EXCL;
	f->cred = get_cred(env->cred);
	err = file_finish_open(f, p, env->cred);
	f->flags &= ~(u32)O_EXCL; /* a block device has been claimed now */
	if (!err && truncate) {
		err = inode_want_write(i);
		if (!err) {
			err = inode_truncate(i, p->dentry, env->cred, 0, ATTR_OPEN);
			inode_end_write(i);
		}
	}
	if (!err)
		f->flags &= ~(u32)(O_NOCTTY | O_CLOEXEC);
	if (!err && !(h->mode & FMODE_PATH))
		notify_child(p->dentry, IN_OPEN, 0);
	if (truncate)
		mount_end_write(p->mnt);
	return err;
}

/* The file comes first: where there can't be one more, nothing is created or truncated. */
static struct file *begin_open(const struct open_how_k *h)
{
	struct file *f = file_alloc(h->flags & ~(u32)(O_CREAT | O_TRUNC));

	if (!is_err(f))
		f->mode = h->mode;
	return f;
}

static struct file *end_open(struct file *f, int err)
{
	if (!err)
		return f;
	if (f->inode)
		put_file(f);
	else
		file_discard(f);
	return err_ptr(err);
}

static int open_tmpfile(struct file *f, const struct vfs_env *env, const struct path *base,
	const char *name, const struct open_how_k *h, kmode_t mode)
{
	struct path dir, p;
	struct inode *di, *i;
	char text[24];
	struct qstr qname = {.name = text};
	int err;

	if (!(h->access & MAY_WRITE))
		return -EINVAL;
	err = vfs_lookup(env, base, name, h->lookup | LOOKUP_DIRECTORY, &dir);
	if (err)
		return err;
	di = dir.dentry->inode;
	err = mount_want_write(dir.mnt);
	if (err)
		goto out;
	err = inode_permission(di, MAY_WRITE | MAY_EXEC, env->cred);
	if (!err && !di->ops->tmpfile)
		err = -EOPNOTSUPP;
	if (!err)
		err = di->ops->tmpfile(
			di, &i, S_IFREG | (creation_mode(env, di, mode & 07777)), env->cred);
	if (err)
		goto out_write;
	qname.len = (u32)ksnprintf(text, sizeof(text), "#%llu", (unsigned long long)i->ino);
	p.mnt = dir.mnt;
	p.dentry = dentry_alloc(dir.dentry, &qname);
	if (!p.dentry) {
		put_inode(i);
		err = -ENOMEM;
		goto out_write;
	}
	i->flags |= h->flags & O_EXCL ? 0 : INODE_UNHASHED; /* O_EXCL: may not be linked later */
	dentry_instantiate(p.dentry, i);
	err = open_at(f, env, &p, h, true);
	put_dentry(p.dentry);
out_write:
	mount_end_write(dir.mnt);
out:
	put_path(&dir);
	return err;
}

/*
 * The final component with O_CREAT: look it up under the directory's lock and create what is
 * missing. *p gets the result; *created says which.
 */
static int lookup_or_create(
	struct walk *w, u32 o_flags, kmode_t mode, struct path *p, bool *created)
{
	struct inode *dir = w->path.dentry->inode;
	const struct vfs_env *env = w->env;
	struct dentry *d;
	int err = 0, write;

	*created = false;
	if (w->last_type != LAST_NORM)
		return o_flags & O_EXCL ? -EEXIST : -EISDIR;
	if (w->slash)
		return -EISDIR;
	write = mount_want_write(w->path.mnt);
	rwsem_write_lock(&dir->rwsem);
	d = dentry_lookup(w->path.dentry, w->last, w->last_len);
	if (is_err(d)) {
		err = ptr_err(d);
	} else if (!d->inode) {
		err = write ? write : may_create(env, dir);
		if (!err && !dir->ops->create)
			err = -EACCES;
		if (!err)
			err = dir->ops->create(
				dir, d, S_IFREG | creation_mode(env, dir, mode & 07777), env->cred);
		*created = !err;
		if (err)
			put_dentry(d);
	}
	rwsem_write_unlock(&dir->rwsem);
	if (!write)
		mount_end_write(w->path.mnt);
	if (err)
		return err;
	get_mount(w->path.mnt);
	*p = (struct path){w->path.mnt, d};
	if (*created)
		notify_child(d, IN_CREATE, 0);
	return 0;
}

static int open_create(struct file *f, const struct vfs_env *env, const struct path *base,
	const char *name, const struct open_how_k *h, kmode_t mode)
{
	u32 lookup = h->lookup;
	struct path p;
	struct walk w;
	bool created;
	int err = walk_begin(&w, env, base, name, lookup);

	if (err)
		return err;
	for (;;) {
		struct inode *i;

		err = lookup_or_create(&w, h->flags, mode, &p, &created);
		if (err)
			break;
		if (created)
			break;
		if (h->flags & O_EXCL) {
			put_path(&p);
			err = -EEXIST;
			break;
		}
		err = path_follow_mounts(&p, lookup);
		if (err) {
			put_path(&p);
			break;
		}
		i = p.dentry->inode;
		if (S_ISLNK(i->mode) && (lookup & LOOKUP_FOLLOW)) {
			struct path jumped;

			err = walk_follow(&w, &p, &jumped);
			if (err == 0)
				continue;
			if (err < 0)
				break;
			p = jumped;
			i = p.dentry->inode;
			err = 0;
		} else {
			err = may_create_in_sticky(env, w.path.dentry->inode, i);
		}
		if (!err && S_ISDIR(i->mode))
			err = -EISDIR;
		if (err)
			put_path(&p);
		break;
	}
	if (!err) {
		err = open_at(f, env, &p, h, created);
		put_path(&p);
	}
	walk_end(&w);
	return err;
}

static int open_existing(struct file *f, const struct vfs_env *env, const struct path *base,
	const char *name, const struct open_how_k *h)
{
	struct path p;
	int err = vfs_lookup(env, base, name, h->lookup, &p);

	if (err)
		return err;
	err = open_at(f, env, &p, h, false);
	put_path(&p);
	return err;
}

struct file *vfs_open(const struct vfs_env *env, const struct path *base, const char *name,
	u32 o_flags, kmode_t mode, u32 lookup_flags)
{
	bool create = (o_flags & O_CREAT) && !(o_flags & O_PATH);
	struct open_how_k h;
	struct file *f;
	int err;

	decode_flags(o_flags, &h);
	h.lookup |= lookup_flags;
	if ((o_flags & O_TMPFILE) != O_TMPFILE && create && (o_flags & O_DIRECTORY))
		return err_ptr(-EINVAL);
	f = begin_open(&h);
	if (is_err(f))
		return f;
	if ((o_flags & O_TMPFILE) == O_TMPFILE && !(o_flags & O_PATH)) {
		err = open_tmpfile(f, env, base, name, &h, mode);
	} else if (create) {
		if (o_flags & O_EXCL)
			h.lookup &= ~LOOKUP_FOLLOW;
		err = open_create(f, env, base, name, &h, mode);
	} else {
		err = open_existing(f, env, base, name, &h);
	}
	return end_open(f, err);
}

struct file *vfs_open_path(const struct vfs_env *env, const struct path *p, u32 o_flags)
{
	struct open_how_k h;
	struct file *f;

	decode_flags(o_flags & ~(u32)(O_CREAT | O_EXCL), &h);
	if ((o_flags & O_DIRECTORY) && !S_ISDIR(p->dentry->inode->mode))
		return err_ptr(-ENOTDIR);
	f = begin_open(&h);
	return is_err(f) ? f : end_open(f, open_at(f, env, p, &h, false));
}

struct file *vfs_open_created(const struct vfs_env *env, const struct path *p, u32 o_flags)
{
	struct open_how_k h;
	struct file *f;

	decode_flags(o_flags & ~(u32)(O_CREAT | O_EXCL | O_TRUNC), &h);
	f = begin_open(&h);
	return is_err(f) ? f : end_open(f, open_at(f, env, p, &h, true));
}
