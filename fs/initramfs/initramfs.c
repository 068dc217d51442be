/* Unpacking the initramfs. */
#include <arch/platform.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/cpio.h>
#include <lib/inflate.h>
#include <lib/rbtree.h>
#include <lib/string.h>
#include <vfs/file.h>
#include <vfs/initramfs.h>
#include <vfs/rootfs.h>

struct hard_link { /* first name of an inode with several */
	struct rb_node node;
	u64 dev;
	u32 ino;
	char name[];
};

struct unpack {
	struct cpio cpio;
	struct vfs_env env;
	struct file *file; /* open regular file, or NULL */
	char *target;      /* symlink being collected */
	u32 target_len;
	struct rb_root links;
	const char *start; /* of the initrd, in memory */
	u64 freed;         /* bytes given back */
	u64 files;
};

/* ---- hard links
 * -------------------------------------------------------------------------------------- */

static struct hard_link *find_link(struct unpack *u, const struct cpio_entry *e, bool add)
{
	struct rb_node **link = &u->links.node, *parent = NULL;
	u64 dev = (u64)e->major << 32 | e->minor;
	struct hard_link *h;

	while (*link) {
		parent = *link;
		h = rb_entry(parent, struct hard_link, node);
		if (h->ino == e->ino && h->dev == dev)
			return h;
		link = e->ino < h->ino || (e->ino == h->ino && dev < h->dev) ? &parent->left
									     : &parent->right;
	}
	if (!add)
		return NULL;
	h = kmalloc(sizeof(*h) + strlen(e->name) + 1, GFP_KERNEL);
	if (!h)
		return NULL;
	h->dev = dev;
	h->ino = e->ino;
	memcpy(h->name, e->name, strlen(e->name) + 1);
	rb_insert(&u->links, &h->node, parent, link);
	return h;
}

static int forget_links(void *ctx)
{
	struct unpack *u = ctx;
	struct rb_node *n;

	while ((n = rb_first(&u->links))) {
		rb_erase(&u->links, n);
		kfree(rb_entry(n, struct hard_link, node));
	}
	return 0;
}

/* ---- entries
 * --------------------------------------------------------------------------------------------- */

static int set_owner(struct unpack *u, const struct cpio_entry *e)
{
	struct iattr a = {.valid = ATTR_UID | ATTR_GID, .uid = e->uid, .gid = e->gid};
	struct path p;
	int err = vfs_lookup(&u->env, NULL, e->name, 0, &p);

	if (err)
		return err;
	err = vfs_setattr(&u->env, &p, &a);
	if (!err && !S_ISLNK(e->mode)) {
		a = (struct iattr){.valid = ATTR_MODE, .mode = e->mode & 07777};
		err = vfs_setattr(&u->env, &p, &a);
	}
	if (!err) {
		a = (struct iattr){
			.valid = ATTR_ATIME | ATTR_MTIME | ATTR_ATIME_SET | ATTR_MTIME_SET,
			.times.atime = {e->mtime, 0},
			.times.mtime = {e->mtime, 0}};
		err = vfs_setattr(&u->env, &p, &a);
	}
	put_path(&p);
	return err;
}

/* Make room for a name that is there already with another type. */
static void remove_old(struct unpack *u, const struct cpio_entry *e)
{
	struct path p;
	kmode_t mode;

	if (vfs_lookup(&u->env, NULL, e->name, 0, &p))
		return;
	mode = p.dentry->inode->mode;
	put_path(&p);
	if ((mode & S_IFMT) == (e->mode & S_IFMT) && !S_ISLNK(mode))
		return;
	if (S_ISDIR(mode))
		(void)!vfs_rmdir(&u->env, NULL, e->name);
	else
		(void)!vfs_unlink(&u->env, NULL, e->name);
}

static int begin_file(struct unpack *u, const struct cpio_entry *e)
{
	struct hard_link *h = NULL;
	struct file *f;

	if (e->nlink > 1) {
		h = find_link(u, e, true);
		if (!h)
			return -ENOMEM;
		if (strcmp(h->name, e->name) != 0) {
			int err = vfs_link(&u->env, NULL, h->name, NULL, e->name, 0);

			if (err == -EEXIST && !vfs_unlink(&u->env, NULL, e->name))
				err = vfs_link(&u->env, NULL, h->name, NULL, e->name, 0);
			if (err || e->size == 0)
				return err;
		}
	}
	f = vfs_open(&u->env, NULL, e->name, O_WRONLY | O_CREAT | O_TRUNC | O_LARGEFILE,
		e->mode & 07777, 0);
	if (is_err(f))
		return ptr_err(f);
	u->file = f;
	return 0;
}

static int begin(void *ctx, const struct cpio_entry *e)
{
	struct unpack *u = ctx;
	int err;

	u->files++;
	remove_old(u, e);
	switch (e->mode & S_IFMT) {
	case S_IFREG:
		return begin_file(u, e);
	case S_IFDIR:
		err = vfs_mkdir(&u->env, NULL, e->name, e->mode & 07777);
		return err == -EEXIST ? 0 : err;
	case S_IFLNK:
		if (e->size == 0 || e->size >= PATH_MAX)
			return -ENAMETOOLONG;
		u->target_len = 0;
		return 0;
	default:
		err = vfs_mknod(&u->env, NULL, e->name, e->mode, dev_make(e->rmajor, e->rminor));
		return err == -EEXIST ? 0 : err;
	}
}

static int take_data(void *ctx, const u8 *data, size_t n)
{
	struct unpack *u = ctx;

	if (u->file) {
		while (n) {
			ssize_t w = kernel_write(u->file, data, n, NULL);

			if (w <= 0)
				return w < 0 ? (int)w : -EIO;
			data += w;
			n -= (size_t)w;
		}
	} else if (S_ISLNK(u->cpio.e.mode)) {
		memcpy(u->target + u->target_len, data, n);
		u->target_len += (u32)n;
	}
	return 0;
}

static int end(void *ctx)
{
	struct unpack *u = ctx;
	const struct cpio_entry *e = &u->cpio.e;
	int err = 0;

	if (u->file) {
		put_file(u->file);
		u->file = NULL;
	}
	if (S_ISLNK(e->mode)) {
		u->target[u->target_len] = 0;
		err = vfs_symlink(&u->env, NULL, e->name, u->target);
	}
	return err ? err : set_owner(u, e);
}

/* ---- input
 * ---------------------------------------------------------------------------------------------------
 */

/* Give back what lies before "at": it has been unpacked. */
static void release_until(struct unpack *u, const u8 *at)
{
	u64 done = round_down((u64)((const char *)at - u->start), PAGE_SIZE);

	if (done <= u->freed)
		return;
	kmem_free_boot_range(virt_to_phys(u->start) + u->freed, done - u->freed);
	u->freed = done;
}

static int write_inflated(void *ctx, const u8 *data, size_t n)
{
	return cpio_push(&((struct unpack *)ctx)->cpio, data, n);
}

static int unpack_gzip(struct unpack *u, const u8 *data, size_t len, size_t *used_len)
{
	struct inflate *s = kvmalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	s->write = write_inflated;
	s->ctx = u;
	u->cpio.what = NULL;
	err = inflate_gzip(s, data, len, used_len);
	if (err == -EINVAL && !u->cpio.what)
		u->cpio.what = "the gzip data is broken or cut short";
	kvfree(s);
	return err;
}

#define PIECE (64u << 10) /* plain archives are fed and given back in pieces of this size */

static int unpack_all(struct unpack *u, const u8 *data, size_t len, const u8 **at)
{
	const u8 *stop = data + len;
	int err = 0;

	for (*at = data; *at < stop && !err;) {
		size_t n = min_t(size_t, (size_t)(stop - *at), PIECE);

		if (cpio_at_boundary(&u->cpio) && stop - *at > 2 && (*at)[0] == 0x1f &&
			(*at)[1] == 0x8b) {
			err = unpack_gzip(u, *at, (size_t)(stop - *at), &n);
		} else if (cpio_at_boundary(&u->cpio) && **at == 0) {
			for (n = 0; *at + n < stop && (*at)[n] == 0; n++)
				; /* padding, behind which anything may come */
			u->cpio.offset = round_up(u->cpio.offset, 4ull);
		} else {
			err = cpio_push(&u->cpio, *at, n);
		}
		if (!err) {
			*at += n;
			release_until(u, *at);
		}
	}
	return err ? err : cpio_finish(&u->cpio);
}

int initramfs_unpack(void)
{
	const struct boot_range *r = &g_boot_info.initrd;
	struct unpack *u;
	const u8 *at = NULL;
	int err;

	if (!r->len)
		return 0;
	u = kvmalloc(sizeof(*u), GFP_KERNEL | GFP_ZERO);
	if (!u)
		return -ENOMEM;
	u->target = kmalloc(PATH_MAX, GFP_KERNEL);
	u->env = (struct vfs_env){.cred = &g_init_cred, .fs = g_init_fs};
	u->start = phys_to_virt(r->start);
	u->cpio.begin = begin;
	u->cpio.data = take_data;
	u->cpio.end = end;
	u->cpio.archive_end = forget_links;
	u->cpio.ctx = u;
	at = (const u8 *)u->start;
	err = u->target ? unpack_all(u, (const u8 *)u->start, r->len, &at) : -ENOMEM;
	if (err) {
		if (u->file)
			put_file(u->file);
		log_err("initramfs: %s (error %s, at byte %llu of %llu, entry \"%s\")",
			u->cpio.what ? u->cpio.what : "an entry cannot be made", errno_name(err),
			(unsigned long long)((const char *)at - u->start),
			(unsigned long long)r->len, u->cpio.e.name ? u->cpio.e.name : "");
	} else {
		log_info("initramfs: %llu files", (unsigned long long)u->files);
		if (u->freed < r->len)
			kmem_free_boot_range(r->start + u->freed, r->len - u->freed);
	}
	(void)forget_links(u);
	kfree(u->target);
	kvfree(u);
	return err;
}
