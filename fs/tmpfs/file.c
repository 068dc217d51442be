/* tmpfs: regular files and their accounting; memfd seals. */
#include <kmem/slab.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <vfs/posix_acl.h>
#include "tmpfs.h"

/*
 * A page counts against the file system, and is dirty, from the moment it is there: holes that are
 * read through mappings take memory, too. read(2) and splice(2) of a hole make none.
 */
static int tmpfs_make_writable(struct vm_object *o, struct page *p, u32 from, u32 to)
{
	struct inode *i = o->owner;
	int err;

	if (likely(page_test(p, PG_DIRTY)))
		return 0;
	err = tmpfs_charge_page(i, p->index);
	if (err)
		return err;
	spin_lock(&i->spin);
	i->blocks += PAGE_SIZE / 512;
	spin_unlock(&i->spin);
	return 0;
}

static void tmpfs_page_gone(struct vm_object *o, struct page *p)
{
	struct inode *i = o->owner;

	if (!page_test(p, PG_DIRTY))
		return;
	tmpfs_uncharge_page(i, p->index);
	spin_lock(&i->spin);
	i->blocks -= PAGE_SIZE / 512;
	spin_unlock(&i->spin);
}

const struct vm_object_ops g_tmpfs_object_ops = {
	.make_writable = tmpfs_make_writable,
	.page_gone = tmpfs_page_gone,
};

/* ---- seals
 * ------------------------------------------------------------------------------------------- */

static int tmpfs_check_write(struct file *f, struct iter *from, off64_t pos)
{
	u32 seals = node_of(f->inode)->seals;

	if (likely(!seals || seals == F_SEAL_SEAL))
		return 0;
	if (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (seals & F_SEAL_GROW) {
		u64 size = f->inode->object.size;

		if ((u64)pos >= size)
			return -EPERM;
		from->count = min_t(size_t, from->count, size - (u64)pos);
	}
	return 0;
}

int tmpfs_setattr(struct inode *i, const struct iattr *a)
{
	int err;

	if (a->valid & ATTR_SIZE) {
		u32 seals = node_of(i)->seals;

		if ((a->size < i->object.size && (seals & F_SEAL_SHRINK)) ||
			(a->size > i->object.size && (seals & F_SEAL_GROW)))
			return -EPERM;
	}
	err = inode_apply_attr(i, a);
	return err || !(a->valid & ATTR_MODE) ? err : tmpfs_acl_chmod(i);
}

static int tmpfs_mmap(struct file *f, struct map_request *rq)
{
	u32 seals = READ_ONCE(node_of(f->inode)->seals);

	if ((rq->flags & REG_SHARED) && (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))) {
		if (rq->flags & REG_WRITE)
			return -EPERM;
		rq->flags &= ~REG_MAYWRITE;
	}
	return file_object_mmap(f, rq);
}

static int tmpfs_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0; /* memory is as stable as it gets */
}

/* ---- fallocate
 * ------------------------------------------------------------------------------------------ */

/* Pages that weren't there before are taken away again when it can't be completed: added tells
 * them. But mappings may have stored into them meanwhile. */
static int preallocate(struct inode *i, u64 off, u64 end)
{
	u64 first = off >> PAGE_SHIFT, n = div_round_up(end, PAGE_SIZE) - first, at;
	struct mem_stats m;
	u64 *added;
	int err = 0;

	mem_get_stats(&m);
	if (n > m.total || (tmpfs_of(i)->max_pages && n > tmpfs_of(i)->max_pages))
		return -ENOSPC;
	added = kvmalloc(div_round_up(n, 64) * 8, GFP_KERNEL | GFP_ZERO);
	if (!added)
		return -ENOMEM;
	for (at = 0; at < n && !err; at++) {
		struct page *p = object_find(&i->object, first + at);
		bool had = p;

		if (p)
			put_page(p);
		p = object_get_page(&i->object, first + at, OBJ_LOCK);
		if (is_err(p)) {
			err = (int)ptr_err(p);
			break;
		}
		if (!had)
			added[at / 64] |= 1ull << (at % 64);
		page_unlock(p);
		put_page(p);
		if (!err && signal_interrupts(current_thread(), THREAD_INTERRUPTIBLE))
			err = -EINTR;
		cond_resched();
	}
	for (u64 k = 0; err && k < at; k++)
		if (added[k / 64] >> (k % 64) & 1)
			object_drop_zero(&i->object, first + k);
	kvfree(added);
	return err;
}

static int tmpfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	u64 end = off + len;
	u32 seals;
	int err;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->rwsem);
	seals = node_of(i)->seals;
	err = inode_shed_privileges_now(i, current_cred());
	if (err) {
		/* nothing is changed */
	} else if (mode & FALLOC_FL_PUNCH_HOLE) {
		err = seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
			? -EPERM
			: object_punch(&i->object, off, end);
	} else if ((seals & F_SEAL_GROW) && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->object.size) {
		err = -EPERM;
	} else {
		err = preallocate(i, off, end);
		if (!err && !(mode & FALLOC_FL_KEEP_SIZE) && end > i->object.size)
			WRITE_ONCE(i->object.size, end);
	}
	if (!err)
		inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	rwsem_write_unlock(&i->rwsem);
	return err;
}

const struct file_ops g_tmpfs_file_fops = {
	.read = file_object_read,
	.write = file_object_write,
	.check_write = tmpfs_check_write,
	.seek = file_object_seek,
	.mmap = tmpfs_mmap,
	.fsync = tmpfs_fsync,
	.fallocate = tmpfs_fallocate,
};

const struct inode_ops g_tmpfs_file_ops = {
	.permission = posix_acl_permission,
	.setattr = tmpfs_setattr,
	.getxattr = tmpfs_getxattr,
	.setxattr = tmpfs_setxattr,
	.removexattr = tmpfs_removexattr,
	.listxattr = tmpfs_listxattr,
};
