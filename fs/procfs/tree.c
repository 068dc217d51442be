/*
 * The tree: inodes from tables and generated names, lookup, directory reading, mounting.
 * Directory cookies: 0 ".", 1 "..", from 2 the table, from DYNAMIC_BASE generated names.
 */
#include "procfs.h"
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/hash.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <sched/timer.h>

#define DYNAMIC_BASE  256
#define ROOT_INO      1
#define LINK_SIZE     160 /* text of the longest link */
#define TYPE_OF(mode) ((u8)(((mode)&S_IFMT) >> 12))

static SLAB_CACHE(g_node_cache, struct proc_node);
static const struct inode_ops g_dir_ops, g_fds_dir_ops, g_sysfs_dir_ops, g_file_ops;
static const struct file_ops g_dir_fops;

struct task *node_task(const struct proc_node *n)
{
	struct task *t;

	if (!n->pid)
		return NULL;
	rcu_read_lock();
	t = rcu_load(n->pid->task);
	if (t && !ref_get_unless_zero(&t->thread.refs))
		t = NULL;
	rcu_read_unlock();
	return t;
}

/* ---- inodes ---- */

void proc_inode_refresh(struct inode *i)
{
	struct proc_node *n = i->priv;
	struct task *t = node_task(n);
	const struct cred *c;
	struct mm *mm;

	if (!t)
		return;
	c = task_get_cred(t);
	mm = task_get_mm(t);
	/* Only directories that everybody may list keep the owner of an undumpable process. */
	if ((mm && READ_ONCE(mm->dumpable) == 1) || i->mode == (S_IFDIR | 0555)) {
		i->uid = c->euid;
		i->gid = c->egid;
	} else {
		i->uid = 0;
		i->gid = 0;
	}
	if (mm)
		put_mm(mm);
	put_cred(c);
	put_task(t);
}

static struct inode *make_inode(struct super *s, const struct proc_node *from)
{
	struct inode *i = inode_alloc(s);
	const struct proc_entry *e = from->entry;
	struct proc_node *n;

	if (!i)
		return NULL;
	n = slab_alloc(&g_node_cache, GFP_KERNEL);
	if (!n) {
		put_inode(i);
		return NULL;
	}
	*n = *from;
	n->inherited |= e->flags & PROC_INHERITED;
	i->priv = n;
	i->mode = e->mode;
	i->nlink = S_ISDIR(e->mode) ? 2 : 1;
	for (const struct proc_entry *c = e->children; c && c->name; c++)
		i->nlink += S_ISDIR(c->mode);
	inode_init_times(i, vfs_time_from_ns(clock_real_ns()));
	i->btime = (struct vfs_time){0};
	if (S_ISDIR(e->mode)) {
		i->ops = s->magic == SYSFS_MAGIC                         ? &g_sysfs_dir_ops
			: e->dir == &g_fd_dir || e->dir == &g_fdinfo_dir ? &g_fds_dir_ops
									 : &g_dir_ops;
		i->fops = &g_dir_fops;
	} else if (S_ISLNK(e->mode)) {
		i->ops = e->jump ? &g_proc_link_ops : &g_file_ops;
		i->object.size = e->flags & PROC_FD_LINK ? 64 : 0;
	} else {
		i->ops = &g_file_ops;
		i->fops = e->fops ? e->fops : e->changes ? &g_gen_poll_fops : &g_gen_fops;
	}
	if (n->pid)
		proc_inode_refresh(i);
	return i;
}

static void evict(struct inode *i)
{
	struct proc_node *n = i->priv;

	if (!n)
		return;
	if (n->pid)
		put_pid(n->pid);
	slab_free(&g_node_cache, n);
}

/* ---- lookup ---- */

/* Inode numbers follow from the path alone: inodes come and go with their lookups, and getdents
 * must agree with stat. */
static u64 name_ino(const struct inode *dir, const char *name, size_t len)
{
	u64 h = dir->ino * 0x9e3779b97f4a7c15ull;

	while (len--)
		h = (h ^ (u8)*name++) * 0x100000001b3ull;
	return h >> 16;
}

static bool name_is(const char *entry, const char *name, size_t len)
{
	return strlen(entry) == len && memcmp(entry, name, len) == 0;
}

static int find(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	for (const struct proc_entry *e = dir->entry->children; e && e->name; e++)
		if (name_is(e->name, name, len)) {
			*out = (struct proc_node){.entry = e,
				.pid = dir->pid,
				.thread = dir->thread,
				.key = dir->key,
				.inherited = dir->inherited};
			if (out->pid)
				get_pid(out->pid);
			return 0;
		}
	return dir->entry->dir ? dir->entry->dir->find(dir, name, len, out) : -ENOENT;
}

static bool node_alive(const struct proc_node *n)
{
	return !n->pid || rcu_load(n->pid->task);
}

static int lookup(struct inode *dir, struct dentry *d)
{
	struct proc_node *n = dir->priv, child;
	struct inode *i = NULL;
	int err = -ENOENT;

	d->flags |= DENTRY_NOCACHE;
	if (node_alive(n))
		err = find(n, d->name.name, d->name.len, &child);
	if (!err) {
		i = make_inode(dir->super, &child);
		if (!i) {
			if (child.pid)
				put_pid(child.pid);
			return -ENOMEM;
		}
		i->ino = name_ino(dir, d->name.name, d->name.len);
	}
	dentry_instantiate(d, i);
	return 0;
}

static bool revalidate(struct dentry *d)
{
	struct inode *i = d->inode;
	struct proc_node *n = i ? i->priv : NULL, child;

	if (!n || !node_alive(n))
		return false;
	if (n->pid)
		proc_inode_refresh(i);
	if (n->entry->jump && n->pid && d->parent->inode) {
		/* A descriptor may have been closed, or be another file with another mode by now. */
		struct proc_node *dir = d->parent->inode->priv;

		if (dir->entry->dir == &g_fd_dir) {
			if (g_fd_dir.find(dir, d->name.name, d->name.len, &child))
				return false;
			put_pid(child.pid);
			return child.entry == n->entry;
		}
	}
	return true;
}

/* ---- directories ---- */

static int emit_dots(struct file *f, struct dir_context *ctx)
{
	if (ctx->pos == 0) {
		if (!ctx->emit(ctx, ".", 1, f->inode->ino, TYPE_OF(S_IFDIR)))
			return 0;
		ctx->pos = 1;
	}
	if (ctx->pos == 1) {
		if (!ctx->emit(ctx, "..", 2, f->path.dentry->parent->inode->ino, TYPE_OF(S_IFDIR)))
			return 0;
		ctx->pos = 2;
	}
	return 1;
}

static int iterate(struct file *f, struct dir_context *ctx)
{
	struct proc_node *n = f->inode->priv;
	const struct proc_entry *e = n->entry->children;
	u64 i = 2;

	if (!node_alive(n))
		return -ENOENT;
	if (!emit_dots(f, ctx))
		return 0;
	for (; e && e->name; e++, i++) {
		size_t len = strlen(e->name);

		if ((u64)ctx->pos > i)
			continue;
		if (!ctx->emit(
			    ctx, e->name, len, name_ino(f->inode, e->name, len), TYPE_OF(e->mode)))
			return 0;
		ctx->pos = (off64_t)(i + 1);
	}
	if (!n->entry->dir)
		return 0;
	if (ctx->pos < DYNAMIC_BASE)
		ctx->pos = DYNAMIC_BASE;
	for (;;) {
		u64 cookie = (u64)ctx->pos - DYNAMIC_BASE;
		char name[64];
		u8 type;
		int len = n->entry->dir->next(n, &cookie, name, sizeof(name), &type);

		if (len <= 0)
			return len;
		ctx->pos = (off64_t)(cookie + DYNAMIC_BASE);
		if (!ctx->emit(ctx, name, (size_t)len, name_ino(f->inode, name, (size_t)len), type))
			return 0;
		ctx->pos++;
	}
}

/* ---- links, attributes ---- */

static const char *get_link(struct inode *i, bool *must_free)
{
	struct proc_node *n = i->priv;
	char *buf;
	int err;

	if (!n->entry->text)
		return err_ptr(-EINVAL);
	buf = kmalloc(LINK_SIZE, GFP_KERNEL);
	if (!buf)
		return err_ptr(-ENOMEM);
	err = n->entry->text(n, buf, LINK_SIZE);
	if (err) {
		kfree(buf);
		return err_ptr(err);
	}
	*must_free = true;
	return buf;
}

static int jump(struct inode *i, const struct cred *c, struct path *out)
{
	struct proc_node *n = i->priv;
	struct task *t = node_task(n);
	int err;

	if (!t)
		return -ENOENT;
	if (c && (n->entry->flags & PROC_FOLLOW_ADMIN) && !cred_capable(c, CAP_SYS_ADMIN) &&
		!cred_capable(c, CAP_CHECKPOINT_RESTORE)) {
		put_task(t);
		return -EPERM;
	}
	for (;;) {
		struct task_access a;

		err = task_access_begin(&a, t, false) ? n->entry->jump(n, out) : -EACCES;
		if (task_access_end(&a))
			break;
		if (!err)
			put_path(out);
		cond_resched();
	}
	put_task(t);
	return err;
}

static int setattr(struct inode *i, const struct iattr *a)
{
	/* Truncation by O_TRUNC is harmless; names and modes are not to be changed. */
	return a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

/* Names in /proc come from the kernel only; Linux answers as if the directory were not there. */
static int no_create(struct inode *dir, struct dentry *d, kmode_t mode, const struct cred *c)
{
	return -ENOENT;
}

/* fd: a process sees its own whatever it has become (not dumpable: the folder is root's then).
 * fdinfo: what others have open is told to who may look into them. */
static int fds_permission(struct inode *i, int mask, const struct cred *c)
{
	struct proc_node *n = i->priv;
	struct task *t = node_task(n);
	int err = inode_generic_permission(i, mask, c);

	if (!t)
		return -ESRCH;
	if (t->process == current_process()) {
		err = mask & MAY_WRITE ? err : 0;
	} else if (!err && n->entry->dir == &g_fdinfo_dir) {
		struct mm *mm = task_access_mm(t, false);

		if (is_err(mm))
			err = -EACCES;
		else if (mm)
			put_mm(mm);
	}
	put_task(t);
	return err;
}

static const struct inode_ops g_fds_dir_ops = {
	.lookup = lookup,
	.create = no_create,
	.mkdir = no_create,
	.revalidate = revalidate,
	.permission = fds_permission,
	.setattr = setattr,
};
static const struct inode_ops g_dir_ops = {
	.lookup = lookup,
	.create = no_create,
	.mkdir = no_create,
	.revalidate = revalidate,
	.setattr = setattr,
};
static const struct inode_ops g_sysfs_dir_ops = {
	.lookup = lookup, .revalidate = revalidate, .setattr = setattr};
static const struct inode_ops g_file_ops = {
	.revalidate = revalidate, .setattr = setattr, .get_link = get_link};
const struct inode_ops g_proc_link_ops = {
	.revalidate = revalidate, .setattr = setattr, .jump = jump};
static const struct file_ops g_dir_fops = {.iterate = iterate, .seek = file_generic_seek};

/* ---- mounting ---- */

static int tree_statfs(struct super *s, struct kstatfs *st)
{
	st->type = s->magic;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops g_super_ops = {.evict_inode = evict, .statfs = tree_statfs};

struct super *proc_tree_mount(
	const struct fs_type *t, u32 flags, u64 magic, const struct proc_entry *top)
{
	struct proc_node node = {.entry = top};
	struct super *s = super_alloc(t, &g_super_ops);
	struct inode *root;

	if (!s)
		return err_ptr(-ENOMEM);
	s->magic = magic;
	s->blksize = 1024;
	s->flags = flags;
	root = make_inode(s, &node);
	if (root) {
		root->ino = ROOT_INO;
		s->root = dentry_make_root(root);
	}
	if (!s->root) {
		put_super(s);
		return err_ptr(-ENOMEM);
	}
	return s;
}

static const struct proc_entry g_root = {
	.mode = S_IFDIR | 0555, .children = g_root_entries, .dir = &g_pids_dir};

/* hidepid= and gid= would hide processes: not there, so refused. */
static struct super *proc_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	if (data && *data)
		return err_ptr(-EINVAL);
	return proc_tree_mount(t, flags, PROC_SUPER_MAGIC, &g_root);
}

static struct fs_type g_proc_type = {.name = "proc", .mount = proc_mount};

static int proc_init(void)
{
	return fs_type_register(&g_proc_type);
}
INIT_HOOK(INIT_FS, proc_init);
