/*
 * devpts: names of pseudo-terminal slaves, and /dev/ptmx.
 */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <process/task.h>
#include <tty/pty.h>

#define MAX_PTYS         4096       /* per system, as kernel.pty.max */
#define NR_NUMBERS       (1u << 20) /* minors */
#define PTMX_INO         2
#define SLAVE_INO(index) ((u64)(index) + 3)

struct devpts { /* one instance: super->priv */
	struct super *super;
	struct mutex lock; /* RANK_MUTEX_LEAF: slaves */
	struct slave {
		struct tty_pty *pty;
		struct inode *inode; /* referenced: keeps owner and mode */
		struct mount
			*mnt; /* through which it was made, referenced: TIOCGPTPEER opens there */
	} * slaves;
	int nr; /* slots in slaves */
	struct inode *ptmx;
	kuid_t uid;
	kgid_t gid;
	bool set_uid, set_gid;
	kmode_t mode, ptmx_mode;
	int max;
};

static const struct file_ops g_ptmx_fops;
static const struct file_ops g_slave_fops;

static struct devpts *devpts_of(struct super *s)
{
	return s->priv;
}

/* ---- directory --------------------------------------------------------------------------------- */

/* Inode of a name, referenced, or NULL. */
static struct inode *find_entry(struct devpts *d, const char *name, size_t len)
{
	struct inode *i = NULL;
	u64 nr = 0;

	if (len == 4 && memcmp(name, "ptmx", 4) == 0) {
		get_inode(d->ptmx);
		return d->ptmx;
	}
	if (len == 0 || len > 7 || (name[0] == '0' && len > 1))
		return NULL;
	for (size_t k = 0; k < len; k++) {
		if (name[k] < '0' || name[k] > '9')
			return NULL;
		nr = nr * 10 + (u64)(name[k] - '0');
	}
	mutex_lock(&d->lock);
	if (nr < (u64)d->nr && d->slaves[nr].inode) {
		i = d->slaves[nr].inode;
		get_inode(i);
	}
	mutex_unlock(&d->lock);
	return i;
}

static int devpts_lookup(struct inode *dir, struct dentry *dentry)
{
	struct inode *i = find_entry(devpts_of(dir->super), dentry->name.name, dentry->name.len);

	dentry_instantiate(dentry, i);
	return 0;
}

static bool devpts_revalidate(struct dentry *dentry)
{
	struct inode *i = find_entry(devpts_of(dentry->super), dentry->name.name, dentry->name.len);
	bool same = i && i == dentry->inode;

	if (i)
		put_inode(i);
	return same;
}

static int devpts_iterate(struct file *f, struct dir_context *ctx)
{
	struct devpts *d = devpts_of(f->inode->super);

	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, f->inode->ino, 4))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, f->path.dentry->parent->inode->ino, 4))
			return 0;
		ctx->pos = 2;
	}
	if (ctx->pos == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, PTMX_INO, 2))
			return 0;
		ctx->pos = 3;
	}
	for (;; ctx->pos++) {
		off64_t index = ctx->pos - 3; /* the position is the user's choice */
		char name[12];
		bool there;
		int len;

		mutex_lock(&d->lock);
		if (index >= d->nr) {
			mutex_unlock(&d->lock);
			return 0;
		}
		there = d->slaves[index].inode;
		mutex_unlock(&d->lock);
		if (!there)
			continue;
		len = ksnprintf(name, sizeof(name), "%d", (int)index);
		if (!ctx->emit(ctx, name, (size_t)len, SLAVE_INO((int)index), 2))
			return 0;
	}
}

static const struct inode_ops g_dir_ops = {
	.lookup = devpts_lookup,
	.revalidate = devpts_revalidate,
};
static const struct inode_ops g_node_ops = {
	.revalidate = devpts_revalidate,
};
static const struct file_ops g_dir_fops = {
	.iterate = devpts_iterate,
	.seek = file_generic_seek,
};

static struct inode *make_inode(struct devpts *d, u64 ino, kmode_t mode, kdev_t rdev)
{
	struct inode *i = inode_alloc(d->super);

	if (!i)
		return NULL;
	i->ino = ino;
	i->mode = mode;
	i->rdev = rdev;
	i->nlink = S_ISDIR(mode) ? 2 : 1;
	inode_init_times(i, vfs_time_from_ns(clock_real_ns()));
	return i;
}

/* ---- pairs
 * ---------------------------------------------------------------------------------------- */

static void slave_gone(struct tty_pty *p)
{
	struct devpts *d = p->owner;
	struct mount *mnt;
	struct inode *i;

	mutex_lock(&d->lock);
	i = d->slaves[p->index].inode;
	mnt = d->slaves[p->index].mnt;
	d->slaves[p->index] = (struct slave){NULL, NULL, NULL};
	i->priv = NULL; /* slave_open takes its reference on the terminal under the same lock */
	mutex_unlock(&d->lock);
	i->nlink = 0;
	put_inode(i);
	put_super(d->super);
	put_mount(mnt);
}

static int grow_slots(struct devpts *d)
{
	int nr = d->nr ? d->nr * 2 : 16;
	struct slave *s = krealloc(d->slaves, sizeof(*s) * (size_t)nr, GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	memset(s + d->nr, 0, sizeof(*s) * (size_t)(nr - d->nr));
	d->slaves = s;
	d->nr = nr;
	return 0;
}

static struct file *slave_open_peer(struct tty_pty *p, struct file *master, u32 o_flags)
{
	struct devpts *d = p->owner;
	struct vfs_env env = current_env();
	struct path root = {NULL, d->super->root}, out;
	struct file *f;
	char name[12];
	int err;

	mutex_lock(&d->lock); /* the table may move; what is in it stays: the master is open */
	root.mnt = d->slaves[p->index].mnt;
	mutex_unlock(&d->lock);
	if (o_flags & ~(u32)(O_ACCMODE | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))
		return err_ptr(-EINVAL);
	ksnprintf(name, sizeof(name), "%d", p->index);
	err = vfs_lookup(&env, &root, name, 0, &out);
	if (err)
		return err_ptr(err);
	f = vfs_open_path(&env, &out, o_flags);
	put_path(&out);
	return f;
}

static int make_pair(struct devpts *d, struct file *f, struct mount *mnt)
{
	const struct cred *c = current_cred();
	struct tty_pty *p;
	struct inode *i;
	int index, err = 0;

	mutex_lock(&d->lock);
	for (index = 0; index < d->nr && d->slaves[index].inode; index++)
		;
	if (index >= d->max)
		err = -ENOSPC;
	else if (index == d->nr)
		err = grow_slots(d);
	if (err)
		goto out;
	err = -ENOMEM;
	i = make_inode(
		d, SLAVE_INO(index), S_IFCHR | d->mode, dev_make(UNIX98_PTY_SLAVE_MAJOR, index));
	if (!i)
		goto out;
	p = pty_open_master(f, index, d);
	if (is_err(p)) {
		err = ptr_err(p);
		put_inode(i);
		goto out;
	}
	p->gone = slave_gone;
	p->open_peer = slave_open_peer;
	i->uid = d->set_uid ? d->uid : c->fsuid;
	i->gid = d->set_gid ? d->gid : c->fsgid;
	i->ops = &g_node_ops;
	i->fops = &g_slave_fops;
	i->priv = p;
	ref_get(&d->super->refs);
	get_mount(mnt);
	d->slaves[index] = (struct slave){p, i, mnt};
	f->ops = &g_pty_master_fops;
	err = 0;
out:
	mutex_unlock(&d->lock);
	return err;
}

static int slave_open(struct inode *i, struct file *f)
{
	struct devpts *d = devpts_of(i->super);
	struct tty *slave = NULL;
	struct tty_pty *p;
	int err = -EIO;

	mutex_lock(&d->lock);
	p = i->priv;
	if (p) {
		slave = p->slave;
		get_tty(slave); /* keeps p alive */
	}
	mutex_unlock(&d->lock);
	if (!slave)
		return -EIO;
	f->ops = &g_tty_fops;
	err = pty_open_slave(p, f);
	put_tty(slave);
	return err;
}
static const struct file_ops g_slave_fops = {.open = slave_open};

/* The instance behind an opened ptmx: its own file system, or that mounted on "pts" beside it. */
static int ptmx_open(struct inode *inode, struct file *f)
{
	struct vfs_env env = current_env();
	struct path dir = {f->path.mnt, f->path.dentry->parent}, pts;
	int err;

	if (strcmp(f->path.dentry->super->type->name, "devpts") == 0)
		return make_pair(devpts_of(f->path.dentry->super), f, f->path.mnt);
	err = vfs_lookup(&env, &dir, "pts", LOOKUP_FOLLOW, &pts);
	if (err)
		return err;
	if (strcmp(pts.dentry->super->type->name, "devpts") != 0 ||
		pts.dentry != pts.dentry->super->root)
		err = -ENODEV;
	else
		err = make_pair(devpts_of(pts.dentry->super), f, pts.mnt);
	put_path(&pts);
	return err;
}
static const struct file_ops g_ptmx_fops = {.open = ptmx_open};

/* ---- mounting
 * ------------------------------------------------------------------------------------- */

static int parse_option(struct devpts *d, char *opt)
{
	char *value = strchr(opt, '=');
	u64 v = 0;

	if (strcmp(opt, "newinstance") == 0)
		return 0;
	if (!value)
		return -EINVAL;
	*value++ = 0;
	if (strcmp(opt, "mode") == 0 || strcmp(opt, "ptmxmode") == 0) {
		if (parse_u64(value, 8, &v) || v > 07777)
			return -EINVAL;
		if (opt[0] == 'm')
			d->mode = (kmode_t)v;
		else
			d->ptmx_mode = (kmode_t)v;
		return 0;
	}
	if (parse_u64(value, 10, &v) || v > U32_MAX)
		return -EINVAL;
	if (strcmp(opt, "uid") == 0) {
		d->uid = (kuid_t)v;
		d->set_uid = true;
	} else if (strcmp(opt, "gid") == 0) {
		d->gid = (kgid_t)v;
		d->set_gid = true;
	} else if (strcmp(opt, "max") == 0 && v <= MAX_PTYS) {
		d->max = (int)v;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int parse_options(struct devpts *d, const char *data)
{
	char *copy, *at;
	int err = 0;

	if (!data || !*data)
		return 0;
	copy = kstrdup(data, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	for (at = copy; at && !err;) {
		char *comma = strchr(at, ',');

		if (comma)
			*comma++ = 0;
		if (*at)
			err = parse_option(d, at);
		at = comma;
	}
	kfree(copy);
	return err;
}

static void devpts_show_options(struct seq_buf *out, struct super *s)
{
	struct devpts *d = devpts_of(s);

	if (d->set_uid)
		seq_printf(out, ",uid=%u", d->uid);
	if (d->set_gid)
		seq_printf(out, ",gid=%u", d->gid);
	seq_printf(out, ",mode=%03o,ptmxmode=%03o", d->mode, d->ptmx_mode);
	if (d->max < MAX_PTYS)
		seq_printf(out, ",max=%d", d->max);
}

static int devpts_remount(struct super *s, u32 flags, const char *data)
{
	struct devpts *d = devpts_of(s);
	int err = parse_options(d, data);

	if (!err && d->ptmx)
		d->ptmx->mode = S_IFCHR | d->ptmx_mode;
	return err;
}

static void devpts_put_super(struct super *s)
{
	struct devpts *d = devpts_of(s);

	if (d->ptmx)
		put_inode(d->ptmx);
	kfree(d->slaves);
	kfree(d);
}

static int devpts_statfs(struct super *s, struct kstatfs *st)
{
	st->type = DEVPTS_SUPER_MAGIC;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops g_devpts_super_ops = {
	.statfs = devpts_statfs,
	.remount = devpts_remount,
	.show_options = devpts_show_options,
	.put_super = devpts_put_super,
};

static struct super *devpts_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct devpts *d = kzalloc(sizeof(*d), GFP_KERNEL);
	struct super *s = d ? super_alloc(t, &g_devpts_super_ops) : NULL;
	struct inode *root;
	int err = -ENOMEM;

	if (!s) {
		kfree(d);
		return err_ptr(-ENOMEM);
	}
	s->priv = d;
	s->magic = DEVPTS_SUPER_MAGIC;
	s->blksize = 1024;
	s->flags = flags;
	d->super = s;
	d->mode = 0600;
	d->max = MAX_PTYS;
	mutex_init(&d->lock, RANK_MUTEX_LEAF);
	err = parse_options(d, data);
	if (err)
		goto fail;
	err = -ENOMEM;
	d->ptmx = make_inode(d, PTMX_INO, S_IFCHR | d->ptmx_mode, dev_make(TTYAUX_MAJOR, 2));
	root = make_inode(d, 1, S_IFDIR | 0755, 0);
	if (!d->ptmx || !root) {
		if (root)
			put_inode(root);
		goto fail;
	}
	d->ptmx->ops = &g_node_ops;
	d->ptmx->fops = &g_ptmx_fops;
	root->ops = &g_dir_ops;
	root->fops = &g_dir_fops;
	s->root = dentry_make_root(root);
	if (!s->root)
		goto fail;
	return s;
fail:
	put_super(s);
	return err_ptr(err);
}

/* Nodes of these numbers outside of devpts: no pair belongs to them. */
static int no_pty_open(struct inode *i, struct file *f)
{
	return -EIO;
}

static const struct file_ops g_no_pty_fops = {.open = no_pty_open};

static struct fs_type g_devpts_type = {.name = "devpts", .mount = devpts_mount};

static int devpts_init(void)
{
	int err = fs_type_register(&g_devpts_type);

	err = err ?: chrdev_register(TTYAUX_MAJOR, 2, 1, "/dev/ptmx", &g_ptmx_fops);
	err = err ?: devtmpfs_add("ptmx", S_IFCHR | 0666, dev_make(TTYAUX_MAJOR, 2));
	err = err ?: chrdev_register(UNIX98_PTY_MASTER_MAJOR, 0, NR_NUMBERS, "ptm", &g_no_pty_fops);
	return err ?: chrdev_register(UNIX98_PTY_SLAVE_MAJOR, 0, NR_NUMBERS, "pts", &g_no_pty_fops);
}
INIT_HOOK(INIT_FS, devpts_init);
