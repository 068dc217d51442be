/*
 * The namespaces as files, for /proc/PID/ns: there is one of each kind, for all processes. Numbers
 * are those that Linux gives the first ones; programs know them.
 */
#include <core/init.h>
#include <lib/string.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <vfs/nsfs.h>
#include "internal.h"

static const struct {
	const char *name;
	u64 ino;
	u32 type;  /* what clone calls it */
	bool tree; /* such namespaces have parents */
} g_kinds[NR_NS_KINDS] = {
	[NS_CGROUP] = {"cgroup:", 4026531835, CLONE_NEWCGROUP, false},
	[NS_IPC] = {"ipc:", 4026531839, CLONE_NEWIPC, false},
	[NS_MNT] = {"mnt:", 4026531841, CLONE_NEWNS, false},
	[NS_NET] = {"net:", 4026531840, CLONE_NEWNET, false},
	[NS_PID] = {"pid:", 4026531836, CLONE_NEWPID, true},
	[NS_TIME] = {"time:", 4026531834, CLONE_NEWTIME, false},
	[NS_USER] = {"user:", 4026531837, CLONE_NEWUSER, true},
	[NS_UTS] = {"uts:", 4026531838, CLONE_NEWUTS, false},
};

static struct mount *g_mount;               /* immutable after start-up */
static struct dentry *g_files[NR_NS_KINDS]; /* the same */

static enum ns_kind kind_of(const struct file *f)
{
	enum ns_kind k = 0;

	while (g_kinds[k].ino != f->inode->ino)
		k++;
	return k;
}

/* ioctl_ns(2). The owner and the parent are beyond what these are for: EPERM, as of the first
 * user namespace. */
static long ns_ioctl(struct file *f, u32 cmd, unsigned long arg)
{
	enum ns_kind k = kind_of(f);

	switch (cmd) {
	case NS_GET_NSTYPE:
		return (long)g_kinds[k].type;
	case NS_GET_PARENT:
		return g_kinds[k].tree ? -EPERM : -EINVAL;
	case NS_GET_OWNER_UID:
		return k == NS_USER ? put_user(0u, (u32 __user *)arg) : -EINVAL;
	default:
		return -ENOIOCTLCMD;
	}
}

static const struct file_ops g_ns_fops = {.ioctl = ns_ioctl};
static const struct inode_ops g_ns_inode_ops = {0};

static int ns_statfs(struct super *s, struct kstatfs *st)
{
	st->type = s->magic;
	st->bsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	return 0;
}

static const struct super_ops g_ns_super_ops = {.statfs = ns_statfs};

void ns_path(enum ns_kind k, struct path *out)
{
	*out = (struct path){g_mount, g_files[k]};
	get_path(out);
}

static struct inode *make_inode(struct super *s, kmode_t mode, const struct file_ops *fops)
{
	struct inode *i = inode_alloc(s);

	if (i) {
		i->mode = mode;
		i->ops = &g_ns_inode_ops;
		i->fops = fops;
	}
	return i;
}

static struct dentry *make_file(enum ns_kind k)
{
	struct qstr q = {0, (u32)strlen(g_kinds[k].name), g_kinds[k].name};
	struct inode *i = make_inode(g_mount->super, S_IFREG | 0444, &g_ns_fops);
	struct dentry *d = i ? dentry_alloc(g_mount->root, &q) : NULL;

	if (d) {
		i->ino = g_kinds[k].ino;
		dentry_instantiate(d, i);
	}
	return d;
}

static struct super *ns_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct super *s = super_alloc(t, &g_ns_super_ops);
	struct inode *root;

	if (!s)
		return err_ptr(-ENOMEM);
	s->magic = NSFS_MAGIC;
	root = make_inode(s, S_IFDIR | 0555, NULL);
	if (root)
		s->root = dentry_make_root(root);
	if (!s->root) {
		put_super(s);
		return err_ptr(-ENOMEM);
	}
	return s;
}

/* Not registered: it can't be mounted. */
static const struct fs_type g_ns_type = {.name = "nsfs", .mount = ns_mount};

static int nsfs_init(void)
{
	g_mount = kern_mount(&g_ns_type, NULL, NULL);
	if (is_err(g_mount))
		return ptr_err(g_mount);
	for (enum ns_kind k = 0; k < NR_NS_KINDS; k++) {
		g_files[k] = make_file(k);
		if (!g_files[k])
			return -ENOMEM;
	}
	return 0;
}
INIT_HOOK(INIT_CORE, nsfs_init);
