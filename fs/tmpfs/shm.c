/* The internal tmpfs: memfd_create, shared anonymous memory, System V segments. */
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/memfd.h>
#include <vfs/memfd.h>
#include "tmpfs.h"

static struct mount *g_shm_mount; /* immutable after start-up */

static struct file *make_file(const char *name, kmode_t mode, u64 size, u32 o_flags)
{
	struct super *s = g_shm_mount->super;
	struct inode *i = tmpfs_inode(s, NULL, S_IFREG | mode, 0, current_cred());
	struct file *f;

	if (is_err(i))
		return err_ptr(ptr_err(i));
	i->nlink = 0;
	i->object.size = size;
	f = file_from_inode(i, name, &g_tmpfs_file_fops, o_flags | O_RDWR);
	if (is_err(f))
		put_inode(i);
	return f;
}

struct file *memfd_create_file(const char *name, u32 seals, u32 o_flags)
{
	char full[NAME_MAX + 1];
	struct file *f;

	ksnprintf(full, sizeof(full), "memfd:%s", name);
	f = make_file(full, 0777, 0, o_flags);
	if (!is_err(f))
		node_of(f->inode)->seals = seals;
	return f;
}

static struct tmpfs_node *sealable(struct file *f)
{
	return f->ops == &g_tmpfs_file_fops ? node_of(f->inode) : NULL;
}

long memfd_add_seals(struct file *f, u32 seals)
{
	struct tmpfs_node *n = sealable(f);
	long r = 0;

	if (!(f->mode & FMODE_WRITE))
		return -EPERM;
	if (!n ||
		(seals &
			~(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				F_SEAL_FUTURE_WRITE)))
		return -EINVAL;
	rwsem_write_lock(&f->inode->rwsem);
	if (n->seals & F_SEAL_SEAL)
		r = -EPERM;
	else if (seals & F_SEAL_WRITE)
		r = object_deny_writers(&f->inode->object);
	if (!r)
		WRITE_ONCE(n->seals, n->seals | seals);
	rwsem_write_unlock(&f->inode->rwsem);
	return r;
}

long memfd_get_seals(struct file *f)
{
	struct tmpfs_node *n = sealable(f);

	return n ? (long)n->seals : -EINVAL;
}

/* ---- shared anonymous memory
 * ------------------------------------------------------------------------- */

static void shm_open(struct region *r)
{
	get_file(r->file);
}

static void shm_close(struct region *r)
{
	put_file(r->file);
}

static const struct region_ops g_shm_region_ops = {.open = shm_open, .close = shm_close};

struct file *shm_create_file(const char *name, u64 size, bool noreserve)
{
	u64 pages = div_round_up(size, PAGE_SIZE);
	struct file *f;

	if (noreserve && READ_ONCE(g_overcommit_memory) != OVERCOMMIT_NEVER)
		return make_file(name, 0777, size, 0);
	if (vm_commit_pages((s64)pages))
		return err_ptr(-ENOMEM);
	f = make_file(name, 0777, size, 0);
	if (is_err(f))
		vm_uncommit_pages((s64)pages);
	else
		node_of(f->inode)->promised = pages;
	return f;
}

static int shared_anon(size_t size, struct map_request *rq)
{
	struct file *f = shm_create_file(
		"dev/zero", round_up(size, PAGE_SIZE), rq->flags & REG_NORESERVE);

	if (is_err(f))
		return ptr_err(f);
	rq->object = &f->inode->object;
	rq->file = f; /* the request carries the reference */
	rq->ops = &g_shm_region_ops;
	rq->offset = 0;
	return 0;
}

static int shm_init(void)
{
	g_shm_mount = vfs_kern_mount("rootfs", "tmpfs", NULL);
	if (is_err(g_shm_mount))
		return ptr_err(g_shm_mount);
	vm_set_shared_anon_hook(shared_anon);
	return 0;
}
INIT_HOOK(INIT_FS, shm_init);
