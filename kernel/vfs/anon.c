/*
 * Files without a name in any directory: an internal file system with one inode shared by all event
 * descriptors, and inodes of their own for pipes and memory files. Also the text of magic links.
 */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/magic.h>
#include "internal.h"

static struct mount *g_anon_mount;   /* immutable after start-up */
static struct mount *g_pipe_mount;   /* "pipefs": the same for pipes */
static struct mount *g_sock_mount;   /* "sockfs" */
static struct inode *g_shared_inode; /* the same */

static int anon_statfs(struct super *s, struct kstatfs *st)
{
	st->type = s->magic;
	st->bsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops g_anon_super_ops = {.statfs = anon_statfs};
static const struct inode_ops g_anon_inode_ops = {0};

static struct super *anon_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct super *s = super_alloc(t, &g_anon_super_ops);
	struct inode *root;

	if (!s)
		return err_ptr(-ENOMEM);
	s->magic = strcmp(t->name, "pipefs") == 0 ? PIPEFS_MAGIC
		: strcmp(t->name, "sockfs") == 0  ? SOCKFS_MAGIC
						  : ANON_INODE_FS_MAGIC;
	root = inode_alloc(s);
	if (root) {
		root->mode = S_IFDIR | 0555;
		root->ops = &g_anon_inode_ops;
		s->root = dentry_make_root(root);
	}
	if (!s->root) {
		put_super(s);
		return err_ptr(-ENOMEM);
	}
	return s;
}

static struct fs_type g_anon_type = {.name = "anon_inodefs", .mount = anon_mount};
static struct fs_type g_pipe_type = {.name = "pipefs", .mount = anon_mount};
static struct fs_type g_sock_type = {.name = "sockfs", .mount = anon_mount};

static struct mount *mount_for(kmode_t mode)
{
	return S_ISFIFO(mode) ? g_pipe_mount : S_ISSOCK(mode) ? g_sock_mount : g_anon_mount;
}

struct inode *inode_alloc_anon(kmode_t mode)
{
	struct inode *i = inode_alloc(mount_for(mode)->super);

	if (!i)
		return NULL;
	inode_init_owner(i, NULL, mode, current_cred());
	i->ops = &g_anon_inode_ops;
	return i;
}

struct file *file_from_inode(
	struct inode *i, const char *name, const struct file_ops *ops, u32 o_flags)
{
	struct qstr q = {0, (u32)strlen(name), name};
	struct mount *m = mount_for(i->mode);
	struct dentry *d = dentry_alloc(m->root, &q);
	struct file *f;
	u32 acc = o_flags & O_ACCMODE;

	if (!d)
		return err_ptr(-ENOMEM);
	f = file_alloc(o_flags & ~(u32)O_CLOEXEC);
	if (is_err(f)) {
		put_dentry(d);
		return f;
	}
	dentry_instantiate(d, i);
	get_mount(m);
	f->path = (struct path){m, d};
	f->inode = i;
	f->ops = ops;
	f->cred = get_cred(current_cred());
	f->mode = (acc != O_WRONLY ? FMODE_READ : 0) | (acc != O_RDONLY ? FMODE_WRITE : 0);
	if (ops->seek)
		f->mode |= FMODE_LSEEK;
	return f;
}

struct file *file_anon(const char *name, const struct file_ops *ops, void *priv, u32 o_flags)
{
	struct file *f;

	get_inode(g_shared_inode);
	f = file_from_inode(g_shared_inode, name, ops, o_flags);
	if (is_err(f)) {
		put_inode(g_shared_inode);
		return f;
	}
	f->priv = priv;
	f->mode |= FMODE_STREAM;
	return f;
}

/* "pipe:[7]", "net:[9]", "anon_inode:[eventfd]", "/memfd:x (deleted)" or a path. */
char *link_text(const struct path *p, const struct path *root, char *buf, size_t size)
{
	struct dentry *d = p->dentry;
	const char *prefix = "anon_inode:";
	size_t len;

	if (p->mnt != g_anon_mount && p->mnt != g_pipe_mount && p->mnt != g_sock_mount &&
		p->mnt->super->magic != NSFS_MAGIC)
		return path_format(p, root, buf, size);
	if (p->mnt != g_anon_mount) {
		ksnprintf(buf, size, "%s[%llu]", d->name.name, (unsigned long long)d->inode->ino);
		return buf;
	}
	if (d->inode != g_shared_inode)
		prefix = "/";
	len = strlen(prefix);
	memcpy(buf, prefix, len);
	(void)str_copy(buf + len, d->name.name, size - len);
	if (d->inode != g_shared_inode && strlen(buf) + 11 < size)
		memcpy(buf + strlen(buf), " (deleted)", 11);
	return buf;
}

static int anon_init(void)
{
	int err = fs_type_register(&g_anon_type);

	if (err)
		return err;
	g_anon_mount = vfs_kern_mount("anon_inodefs", NULL, NULL);
	if (is_err(g_anon_mount))
		return ptr_err(g_anon_mount);
	err = fs_type_register(&g_pipe_type);
	if (err)
		return err;
	g_pipe_mount = vfs_kern_mount("pipefs", NULL, NULL);
	if (is_err(g_pipe_mount))
		return ptr_err(g_pipe_mount);
	err = fs_type_register(&g_sock_type);
	if (err)
		return err;
	g_sock_mount = vfs_kern_mount("sockfs", NULL, NULL);
	if (is_err(g_sock_mount))
		return ptr_err(g_sock_mount);
	g_shared_inode = inode_alloc_anon(0600);
	return g_shared_inode ? 0 : -ENOMEM;
}
INIT_HOOK(INIT_CORE, anon_init);
