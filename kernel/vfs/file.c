/*
 * Open files: life, reading, writing, seeking; building blocks for files whose content is an object.
 */
#include <core/counters.h>
#include <core/init.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/falloc.h>
#include <linux/inotify.h>
#include <linux/fs.h>
#include <sched/timer.h>
#include <sched/work.h>
#include <vm/writeback.h>
#include "internal.h"

static SLAB_CACHE_FLAGS(g_file_cache, struct file, SLAB_RCU);
static bool (*g_defer)(struct file *f);      /* set once at start-up */
static void (*g_epoll_gone)(struct file *f); /* set once at start-up */
struct vfs_limits g_vfs_limits;              /* set once at start-up */
static s64 g_nr_files;                       /* atomic */
u64 g_max_files;                             /* fs.file-max */

const struct file_ops g_path_fops = {0}; /* O_PATH, and files whose open failed */

void file_set_defer_hook(bool (*fn)(struct file *f))
{
	g_defer = fn;
}

const struct file_ops *g_fifo_open_ops;

const struct file_ops *g_block_open_ops;

void vfs_set_block_ops(const struct file_ops *ops)
{
	g_block_open_ops = ops;
}

void vfs_set_fifo_ops(const struct file_ops *ops)
{
	g_fifo_open_ops = ops;
}

void file_set_epoll_hook(void (*fn)(struct file *f))
{
	g_epoll_gone = fn;
}

void vfs_broken_pipe(void)
{
	if (g_vfs_limits.broken_pipe)
		g_vfs_limits.broken_pipe();
}

struct file *vfs_current_file(int fd)
{
	return g_vfs_limits.file ? g_vfs_limits.file(fd) : NULL;
}

void vfs_set_limits_hook(const struct vfs_limits *l)
{
	g_vfs_limits = *l;
}

static void show_counters(struct seq_buf *s)
{
	seq_printf(s, "files %lld\n", (long long)files_open());
}

s64 files_open(void)
{
	return __atomic_load_n(&g_nr_files, __ATOMIC_RELAXED);
}

struct file *file_alloc(u32 flags)
{
	static u64 told; /* for which limit the log has a line */
	u64 limit = READ_ONCE(g_max_files);
	struct file *f;

	if (unlikely((u64)files_open() >= limit) && !capable(CAP_SYS_ADMIN)) {
		if (__atomic_exchange_n(&told, limit, __ATOMIC_RELAXED) != limit)
			log_limited(LOG_INFO, "fs.file-max: limit of %llu open files reached",
				(unsigned long long)limit);
		return err_ptr(-ENFILE);
	}
	f = slab_alloc(&g_file_cache, GFP_KERNEL);
	if (!f)
		return err_ptr(-ENOMEM);
	/* Memory of files is type-stable: a lock-free reader may look at refs at any time. */
	memset((char *)f + sizeof(f->refs), 0, sizeof(*f) - sizeof(f->refs));
	f->flags = flags;
	mutex_init(&f->pos_lock, RANK_FILE_POS);
	spin_init(&f->lock, RANK_FDTABLE);
	list_init(&f->epoll_links);
	list_init(&f->tty_link);
	__atomic_fetch_add(&g_nr_files, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&f->refs.n, 1, __ATOMIC_RELEASE);
	return f;
}

static void free_file(struct file *f)
{
	__atomic_fetch_sub(&g_nr_files, 1, __ATOMIC_RELAXED);
	slab_free(&g_file_cache, f);
}

void file_discard(struct file *f)
{
	if (ref_put(&f->refs))
		free_file(f);
}

/* The last reference is gone: sleeps. */
void file_release(struct file *f)
{
	if (!list_empty(&f->epoll_links) && g_epoll_gone)
		g_epoll_gone(f);
	if (f->inode && !(f->mode & FMODE_PATH)) {
		locks_release_file(f);
		if (f->ops != &g_path_fops && f->path.dentry)
			notify_child(f->path.dentry,
				f->mode & FMODE_WRITE ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE, 0);
	}
	file_end_async(f);
	if (f->ops && f->ops->release)
		f->ops->release(f);
	if (f->mode & FMODE_WRITER) {
		inode_end_write(f->inode);
		mount_put_writer(f->path.mnt);
	}
	if (f->path.dentry)
		put_path(&f->path);
	if (f->cred)
		put_cred(f->cred);
	file_free_owner(f);
	free_file(f);
}

static struct work g_release_work;
static DEFINE_SPINLOCK(g_release_lock, RANK_WORK);
static struct list_head g_release_list = LIST_INIT(g_release_list);

static void release_worker(struct work *w)
{
	for (;;) {
		struct file *f;

		spin_lock_irq(&g_release_lock);
		f = list_first_entry_or_null(&g_release_list, struct file, tty_link);
		if (f)
			list_del(&f->tty_link);
		spin_unlock_irq(&g_release_lock);
		if (!f)
			return;
		file_release(f);
	}
}

void put_file(struct file *f)
{
	unsigned long flags;

	if (!ref_put(&f->refs))
		return;
	if (g_defer && g_defer(f))
		return;
	if (sched_can_sleep()) {
		file_release(f);
		return;
	}
	flags = spin_lock_irqsave(&g_release_lock);
	list_add_tail(&f->tty_link, &g_release_list);
	spin_unlock_irqrestore(&g_release_lock, flags);
	work_queue(&g_release_work);
}

/* ---- reading and writing
 * ---------------------------------------------------------------------------- */

static int check_area(const struct file *f, const off64_t *pos, size_t count)
{
	off64_t end;

	return pos && (*pos < 0 || __builtin_add_overflow(*pos, count, &end)) ? -EINVAL : 0;
}

/* Does this file's own position need the lock? Only one that two descriptors or tasks may share, of
 * files whose reads don't wait for others to do something. */
static bool lock_pos(struct file *f)
{
	if ((f->mode & (FMODE_LSEEK | FMODE_STREAM)) != FMODE_LSEEK || ref_read(&f->refs) <= 1)
		return false;
	if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode))
		return false;
	mutex_lock(&f->pos_lock);
	return true;
}

ssize_t vfs_read(struct file *f, struct iter *to, off64_t *pos)
{
	off64_t *p = pos ? pos : f->mode & FMODE_STREAM ? NULL : &f->pos;
	bool locked;
	ssize_t n;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (!f->ops->read)
		return f->ops->iterate ? -EISDIR : -EINVAL;
	if (to->count > MAX_RW_COUNT)
		to->count = MAX_RW_COUNT;
	locked = !pos && lock_pos(f);
	n = check_area(f, p, to->count);
	if (!n)
		n = f->ops->read(f, to, p);
	if (locked)
		mutex_unlock(&f->pos_lock);
	if (n > 0)
		notify_access(f);
	return n;
}

ssize_t vfs_write(struct file *f, struct iter *from, off64_t *pos)
{
	off64_t *p = pos ? pos : f->mode & FMODE_STREAM ? NULL : &f->pos;
	bool locked;
	ssize_t n;

	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	if (from->count > MAX_RW_COUNT)
		from->count = MAX_RW_COUNT;
	locked = !pos && lock_pos(f);
	n = check_area(f, p, from->count);
	if (!n) {
		if (f->mode & FMODE_WRITER)
			super_begin(f->inode->super, FREEZE_WRITES);
		n = f->ops->write(f, from, p);
		if (f->mode & FMODE_WRITER)
			super_end(f->inode->super, FREEZE_WRITES);
	}
	if (locked)
		mutex_unlock(&f->pos_lock);
	if (n > 0)
		notify_modify(f);
	return n;
}

ssize_t kernel_read(struct file *f, void *buf, size_t n, off64_t *pos)
{
	struct iter it = iter_kernel(buf, n);

	return vfs_read(f, &it, pos);
}

ssize_t kernel_write(struct file *f, const void *buf, size_t n, off64_t *pos)
{
	struct iter it = iter_kernel((void *)buf, n);

	return vfs_write(f, &it, pos);
}

off64_t vfs_seek(struct file *f, off64_t off, int whence)
{
	off64_t r;
	bool locked;

	if (whence < SEEK_SET || whence > SEEK_MAX)
		return -EINVAL;
	if (!(f->mode & FMODE_LSEEK) || !f->ops->seek)
		return -ESPIPE;
	locked = lock_pos(f);
	r = f->ops->seek(f, off, whence);
	if (locked)
		mutex_unlock(&f->pos_lock);
	return r;
}

off64_t file_noop_seek(struct file *f, off64_t off, int whence)
{
	return f->pos;
}

off64_t file_generic_seek(struct file *f, off64_t off, int whence)
{
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		if (__builtin_add_overflow(off, f->pos, &off))
			return -EINVAL;
		break;
	case SEEK_END:
		if (__builtin_add_overflow(off, (off64_t)READ_ONCE(f->inode->object.size), &off))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (off < 0 || (u64)off > f->inode->super->max_size)
		return -EINVAL;
	f->pos = off;
	return off;
}

off64_t file_object_seek(struct file *f, off64_t off, int whence)
{
	struct vm_object *o = &f->inode->object;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return file_generic_seek(f, off, whence);
	if (off < 0 || (u64)off >= READ_ONCE(o->size))
		return -ENXIO;
	rwsem_read_lock(&f->inode->rwsem);
	off = object_seek(o, off, whence == SEEK_DATA);
	rwsem_read_unlock(&f->inode->rwsem);
	if (off >= 0)
		f->pos = off;
	return off;
}

off64_t file_no_seek(struct file *f, off64_t off, int whence)
{
	return f->pos = 0;
}

static void touch_atime(struct file *f)
{
	if (!(f->flags & O_NOATIME))
		path_accessed(&f->path);
}

int vfs_iterate(struct file *f, struct dir_context *ctx)
{
	struct inode *i = f->inode;
	bool locked;
	int err;

	if (!f->ops->iterate)
		return -ENOTDIR;
	locked = lock_pos(f);
	err = rwsem_read_lock_killable(&i->rwsem);
	if (!err) {
		err = -ENOENT;
		if (!(i->flags & INODE_DELETED)) {
			ctx->pos = f->pos;
			err = f->ops->iterate(f, ctx);
			f->pos = ctx->pos;
			touch_atime(f);
		}
		rwsem_read_unlock(&i->rwsem);
	}
	if (locked)
		mutex_unlock(&f->pos_lock);
	if (!err)
		notify_access(f);
	return err;
}

int vfs_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	int err, wb;

	if (!f->ops->fsync)
		return -EINVAL;
	if (!datasync)
		inode_store_times(f->inode);
	err = f->ops->fsync(f, start, end, datasync);
	wb = object_check_wb_error(&f->inode->object, &f->wb_err);
	return err ? err : wb;
}

int vfs_syncfs(struct file *f)
{
	struct super *s = f->inode->super;
	int err, wb;

	if (!s) /* neither file system nor disk */
		return 0;
	err = s->ops->sync ? s->ops->sync(s, true) : 0;
	wb = errseq_check(&s->wb_err, &f->super_wb_err);
	return err ? err : wb;
}

int vfs_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct inode *i = f->inode;
	u64 end;
	int err;

	if ((off64_t)off < 0 || (off64_t)len <= 0)
		return -EINVAL;
	if (mode &
		~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && (mode & FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_COLLAPSE_RANGE) && mode != FALLOC_FL_COLLAPSE_RANGE)
		return -EINVAL;
	if ((mode & FALLOC_FL_INSERT_RANGE) && mode != FALLOC_FL_INSERT_RANGE)
		return -EINVAL;
	if ((mode & FALLOC_FL_UNSHARE_RANGE) &&
		(mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)))
		return -EINVAL;
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if ((mode & ~FALLOC_FL_KEEP_SIZE) && (i->flags & INODE_APPEND))
		return -EPERM;
	if (i->flags & INODE_IMMUTABLE)
		return -EPERM;
	if (S_ISFIFO(i->mode))
		return -ESPIPE;
	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode) && !S_ISBLK(i->mode))
		return -ENODEV;
	if (__builtin_add_overflow(off, len, &end) || end > i->super->max_size)
		return -EFBIG;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && g_vfs_limits.fsize &&
		end > READ_ONCE(i->object.size) && end > g_vfs_limits.fsize()) {
		g_vfs_limits.fsize_exceeded();
		return -EFBIG;
	}
	super_begin(i->super, FREEZE_WRITES);
	err = f->ops->fallocate(f, mode, off, len);
	super_end(i->super, FREEZE_WRITES);
	if (!err)
		notify_modify(f);
	return err;
}

/* ---- object-backed files
 * ------------------------------------------------------------------------------ */

ssize_t file_object_read(struct file *f, struct iter *to, off64_t *pos)
{
	ssize_t n = object_read_stream(&f->inode->object, to, pos, &f->readahead);

	if (n >= 0)
		touch_atime(f);
	return n;
}

int file_limit_size(struct iter *from, off64_t pos)
{
	u64 limit = g_vfs_limits.fsize ? g_vfs_limits.fsize() : RLIM64_INFINITY;

	if ((u64)pos >= limit) {
		g_vfs_limits.fsize_exceeded();
		return -EFBIG;
	}
	from->count = min_t(u64, from->count, limit - (u64)pos);
	return 0;
}

ssize_t file_object_write(struct file *f, struct iter *from, off64_t *pos)
{
	struct inode *i = f->inode;
	u64 limit = i->super->max_size;
	struct vfs_time now;
	ssize_t n;

	if (from->count == 0)
		return 0;
	rwsem_write_lock(&i->rwsem);
	if ((f->flags & O_APPEND) || from->append)
		*pos = (off64_t)i->object.size;
	if (f->ops->check_write) {
		int err = f->ops->check_write(f, from, *pos);

		if (err) {
			rwsem_write_unlock(&i->rwsem);
			return err;
		}
	}
	n = file_limit_size(from, *pos);
	if (n) {
		rwsem_write_unlock(&i->rwsem);
		return n;
	}
	n = -EFBIG;
	if ((u64)*pos < limit) {
		from->count = min_t(size_t, from->count, limit - (u64)*pos);
		n = inode_shed_privileges_now(i, current_cred());
		if (n) {
			rwsem_write_unlock(&i->rwsem);
			return n;
		}
		now = inode_now(i);
		if (!vfs_time_equal(i->times.mtime, now) || !vfs_time_equal(i->times.ctime, now)) {
			inode_set_times(
				i, &(struct inode_times){now, now, now}, ATTR_MTIME | ATTR_CTIME);
			inode_times_changed(i);
		}
		n = object_write(&i->object, from, pos);
	}
	rwsem_write_unlock(&i->rwsem);
	balance_dirty(i->object.wb);
	if (n > 0 && (f->flags & (O_DSYNC | O_SYNC)) && f->ops->fsync) {
		int err = vfs_fsync(
			f, (u64)(*pos - n), (u64)*pos, !(f->flags & (O_SYNC & ~O_DSYNC)));

		if (err)
			n = err;
	}
	return n;
}

/* Every region of the mapping holds a reference to the file. */
static void mapping_open(struct region *r)
{
	get_file(r->file);
}

static void mapping_close(struct region *r)
{
	put_file(r->file);
}

static void mapping_hold(void *file)
{
	get_file(file);
}

static void mapping_unhold(void *file)
{
	put_file(file);
}

static int mapping_sync(void *file, u64 start, u64 end)
{
	return vfs_fsync(file, start, end, false);
}

static int mapping_punch(void *file, u64 start, u64 len)
{
	return vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, len);
}

/* As Linux: who could change the file anyway; others could spy on its readers. */
static bool mapping_may_see_cached(struct region *r)
{
	struct inode *i = ((struct file *)r->file)->inode;

	return inode_owner_or_capable(i, current_cred()) ||
		inode_permission(i, MAY_WRITE, current_cred()) == 0;
}

static void mapping_store_begin(void *file)
{
	super_begin(((struct file *)file)->inode->super, FREEZE_STORES);
}

static void mapping_store_end(void *file)
{
	super_end(((struct file *)file)->inode->super, FREEZE_STORES);
}

static const struct region_ops g_file_mapping_ops = {.open = mapping_open,
	.close = mapping_close,
	.sync = mapping_sync,
	.punch = mapping_punch,
	.hold = mapping_hold,
	.unhold = mapping_unhold,
	.store_begin = mapping_store_begin,
	.store_end = mapping_store_end,
	.may_see_cached = mapping_may_see_cached};

int file_object_mmap(struct file *f, struct map_request *rq)
{
	get_file(f); /* the new region's, or mm_map_abort's */
	rq->file = f;
	rq->ops = &g_file_mapping_ops;
	rq->object = &f->inode->object;
	touch_atime(f);
	return 0;
}

static int file_init(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	g_max_files = max(m.total * PAGE_SIZE / 1024 / 10, 8192ul);
	work_init(&g_release_work, release_worker);
	return counters_register("vfs", show_counters);
}
INIT_HOOK(INIT_SCHED, file_init);
