/* tmpfs: super blocks, options, inodes' life. */
#include <core/init.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <vfs/rootfs.h>
#include <linux/magic.h>
#include <linux/fcntl.h>
#include "tmpfs.h"

static SLAB_CACHE(g_node_cache, struct tmpfs_node);
static struct tmpfs *g_rootfs; /* immutable once made; never unmounted */

/* ---- accounting
 * ------------------------------------------------------------------------------------ */

static int charge(s64 *counter, s64 n, u64 max)
{
	if (__atomic_add_fetch(counter, n, __ATOMIC_RELAXED) > (s64)max && max) {
		__atomic_fetch_sub(counter, n, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	return 0;
}

int tmpfs_charge_page(struct inode *i, u64 index)
{
	struct tmpfs *t = tmpfs_of(i);
	int err = charge(&t->used_pages, 1, t->max_pages);

	if (err || index < node_of(i)->promised)
		return err;
	if (vm_commit_pages(1)) {
		__atomic_fetch_sub(&t->used_pages, 1, __ATOMIC_RELAXED);
		return -ENOSPC;
	}
	return 0;
}

void tmpfs_uncharge_page(struct inode *i, u64 index)
{
	__atomic_fetch_sub(&tmpfs_of(i)->used_pages, 1, __ATOMIC_RELAXED);
	if (index >= node_of(i)->promised)
		vm_uncommit_pages(1);
}

/* ---- inodes
 * ----------------------------------------------------------------------------------------- */

int tmpfs_charge_inodes(struct tmpfs *t, s64 n)
{
	return charge(&t->used_inodes, n, t->max_inodes);
}

void tmpfs_uncharge_inodes(struct tmpfs *t, s64 n)
{
	__atomic_fetch_sub(&t->used_inodes, n, __ATOMIC_RELAXED);
}

static void set_ops(struct inode *i)
{
	switch (i->mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &g_tmpfs_dir_ops;
		i->fops = &g_tmpfs_dir_fops;
		i->nlink = 2;
		break;
	case S_IFREG:
		i->ops = &g_tmpfs_file_ops;
		i->fops = &g_tmpfs_file_fops;
		i->object.ops = &g_tmpfs_object_ops;
		i->object.unevictable = true;
		break;
	case S_IFLNK:
		i->ops = &g_tmpfs_link_ops;
		break;
	default:
		i->ops = &g_tmpfs_special_ops;
		break;
	}
}

struct inode *tmpfs_inode(
	struct super *s, struct inode *dir, kmode_t mode, kdev_t rdev, const struct cred *c)
{
	struct tmpfs *t = s->priv;
	struct tmpfs_node *n;
	struct inode *i;

	int err = tmpfs_charge_inodes(t, 1);

	if (err)
		return err_ptr(err);
	n = slab_alloc(&g_node_cache, GFP_KERNEL | GFP_ZERO);
	i = n ? inode_alloc(s) : NULL;
	if (!i) {
		slab_free(&g_node_cache, n);
		tmpfs_uncharge_inodes(t, 1);
		return err_ptr(-ENOMEM);
	}
	inode_init_owner(i, dir, mode, c);
	list_init(&n->xattrs);
	spin_init(&n->xattr_lock, RANK_INODE_SPIN);
	n->next_cookie = 2;
	n->seals = F_SEAL_SEAL; /* only memfd_create makes files that can be sealed */
	i->priv = n;
	i->rdev = rdev;
	set_ops(i);
	err = tmpfs_init_acl(i, dir);
	if (err) {
		put_inode(i);
		return err_ptr(err);
	}
	return i;
}

static void tmpfs_evict(struct inode *i)
{
	struct tmpfs *t = tmpfs_of(i);
	struct tmpfs_node *n = node_of(i);

	if (!n)
		return;
	if (S_ISREG(i->mode))
		object_truncate(&i->object, 0); /* gives the pages back to the account */
	tmpfs_free_xattrs(i);
	tmpfs_free_target(i);
	vm_uncommit_pages((s64)n->promised);
	slab_free(&g_node_cache, n);
	i->priv = NULL;
	tmpfs_uncharge_inodes(t, 1);
}

/* ---- options
 * ------------------------------------------------------------------------------------------ */

u64 half_of_memory(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	return m.total / 2;
}

static int parse_option(struct tmpfs *t, char *opt)
{
	char *value = strchr(opt, '=');
	const char *end;
	u64 v;

	if (!value)
		return -EINVAL;
	*value++ = 0;
	if (strcmp(opt, "mode") == 0) {
		if (parse_u64(value, 8, &v))
			return -EINVAL;
		t->mode = (kmode_t)v & 07777;
		return 0;
	}
	if (parse_size(value, &v, &end))
		return -EINVAL;
	if (strcmp(opt, "size") == 0) {
		if (*end == '%') {
			v = v * half_of_memory() * 2 / 100 * PAGE_SIZE;
			end++;
		}
		t->max_pages = div_round_up(v, PAGE_SIZE);
	} else if (strcmp(opt, "nr_blocks") == 0) {
		t->max_pages = v;
	} else if (strcmp(opt, "nr_inodes") == 0) {
		t->max_inodes = v;
	} else if (strcmp(opt, "uid") == 0 && v <= U32_MAX) {
		t->uid = (kuid_t)v;
	} else if (strcmp(opt, "gid") == 0 && v <= U32_MAX) {
		t->gid = (kgid_t)v;
	} else {
		return -EINVAL;
	}
	return *end ? -EINVAL : 0;
}

static int parse_options(struct tmpfs *t, const char *data)
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
		if (*at && strcmp(at, "inode64") != 0 && strcmp(at, "inode32") != 0)
			err = parse_option(t, at);
		at = comma;
	}
	kfree(copy);
	return err;
}

static void tmpfs_show_options(struct seq_buf *out, struct super *s)
{
	struct tmpfs *t = s->priv;

	if (t->max_pages && t->max_pages != half_of_memory())
		seq_printf(out, ",size=%lluk",
			(unsigned long long)(t->max_pages * (PAGE_SIZE / 1024)));
	if (t->max_inodes && t->max_inodes != half_of_memory())
		seq_printf(out, ",nr_inodes=%llu", (unsigned long long)t->max_inodes);
	if (t->mode != 01777)
		seq_printf(out, ",mode=%03o", t->mode);
	if (t->uid)
		seq_printf(out, ",uid=%u", t->uid);
	if (t->gid)
		seq_printf(out, ",gid=%u", t->gid);
	seq_puts(out, ",inode64");
}

static int tmpfs_remount(struct super *s, u32 flags, const char *data)
{
	struct tmpfs *t = s->priv, new = *t;
	int err = parse_options(&new, data);

	if (err)
		return err;
	if ((new.max_pages && (s64) new.max_pages < t->used_pages) ||
		(new.max_inodes && (s64) new.max_inodes < t->used_inodes))
		return -EINVAL;
	if ((new.max_pages && !t->max_pages) || (new.max_inodes && !t->max_inodes))
		return -EINVAL; /* no way from unlimited to limited */
	t->max_pages = new.max_pages;
	t->max_inodes = new.max_inodes;
	return 0;
}

static int tmpfs_statfs(struct super *s, struct kstatfs *st)
{
	struct tmpfs *t = s->priv;

	st->type = TMPFS_MAGIC;
	st->bsize = PAGE_SIZE;
	st->namelen = NAME_MAX;
	if (t->max_pages) {
		st->blocks = t->max_pages;
		st->bfree = st->bavail = t->max_pages - (u64)READ_ONCE(t->used_pages);
	}
	if (t->max_inodes) {
		st->files = t->max_inodes;
		st->ffree = t->max_inodes - (u64)READ_ONCE(t->used_inodes);
	}
	return 0;
}

/*
 * Entries keep their dentries: let go of all of them before the dentry cache is emptied. Goes down
 * to a directory without subdirectories, empties it, and starts again: no recursion.
 */
static void tmpfs_empty(struct super *s)
{
	struct dentry *at = s->root;

	while (at) {
		struct tmpfs_node *n = node_of(at->inode);
		struct rb_node *rb = rb_first(&n->entries);
		struct tmpfs_entry *e;

		if (!rb) {
			at = at == s->root ? NULL : at->parent;
			continue;
		}
		e = rb_entry(rb, struct tmpfs_entry, node);
		if (S_ISDIR(e->dentry->inode->mode) &&
			!rb_empty(&node_of(e->dentry->inode)->entries)) {
			at = e->dentry;
			continue;
		}
		rb_erase(&n->entries, rb);
		put_dentry(e->dentry);
		kfree(e);
	}
}

static void tmpfs_put_super(struct super *s)
{
	kfree(s->priv);
}

const struct super_ops g_tmpfs_super_ops = {
	.evict_inode = tmpfs_evict,
	.statfs = tmpfs_statfs,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
	.empty = tmpfs_empty,
	.put_super = tmpfs_put_super,
};

struct super *tmpfs_make(const struct fs_type *type, u32 flags, const char *data, kmode_t root_mode,
	u64 max_pages, u64 max_inodes)
{
	struct tmpfs *t = kzalloc(sizeof(*t), GFP_KERNEL);
	struct super *s = t ? super_alloc(type, &g_tmpfs_super_ops) : NULL;
	struct inode *root;
	int err;

	if (!s) {
		kfree(t);
		return err_ptr(-ENOMEM);
	}
	s->priv = t;
	s->magic = TMPFS_MAGIC;
	s->flags = flags;
	t->super = s;
	t->mode = root_mode;
	t->uid = current_cred()->fsuid;
	t->gid = current_cred()->fsgid;
	t->max_pages = max_pages;
	t->max_inodes = max_inodes;
	err = parse_options(t, data);
	if (err)
		goto fail;
	root = tmpfs_inode(s, NULL, S_IFDIR | t->mode, 0, current_cred());
	err = is_err(root) ? ptr_err(root) : 0;
	if (err)
		goto fail;
	root->uid = t->uid;
	root->gid = t->gid;
	s->root = dentry_make_root(root);
	err = -ENOMEM;
	if (!s->root)
		goto fail;
	return s;
fail:
	put_super(s);
	return err_ptr(err);
}

static struct super *tmpfs_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	return tmpfs_make(t, flags, data, 01777, half_of_memory(), half_of_memory());
}

static struct super *rootfs_make(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	struct super *s = tmpfs_make(t, flags, data, 0755, 0, 0);

	if (!is_err(s))
		g_rootfs = s->priv;
	return s;
}

/* The initramfs was unpacked without limits: it must fit, however small the machine. */
void rootfs_limit(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	g_rootfs->max_pages = (u64)g_rootfs->used_pages + m.free / 2;
	g_rootfs->max_inodes = (u64)g_rootfs->used_inodes + m.free / 2;
}

static struct fs_type g_tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};
static struct fs_type g_rootfs_type = {.name = "rootfs", .mount = rootfs_make};

static int tmpfs_init(void)
{
	int err = fs_type_register(&g_tmpfs_type);

	return err ? err : fs_type_register(&g_rootfs_type);
}
INIT_HOOK(INIT_CORE, tmpfs_init);
