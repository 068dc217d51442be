/* Loop devices: binding to a file, status, unbinding. loop(4), linux/loop.h. */
#include <arch/uaccess.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <process/task.h>
#include "loop.h"

#define STATUS_FLAGS \
	(LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN | LO_FLAGS_DIRECT_IO)

bool loop_is_free(struct loop *l)
{
	return !READ_ONCE(l->file) && !READ_ONCE(l->dying);
}

/* Sectors that the device has with this binding. */
static u64 capacity(const struct file *f, u64 offset, u64 limit)
{
	u64 size = READ_ONCE(f->inode->object.size);

	size = size > offset ? size - offset : 0;
	if (limit)
		size = min(size, limit);
	return size >> SECTOR_SHIFT;
}

static struct block_device *whole(struct loop *l)
{
	return bdev_find(l->disk.first_dev);
}

/* Everything that the cache has is written and let go: the mapping to the file changes. */
static void sync_and_drop(struct loop *l)
{
	struct block_device *b = whole(l);

	if (!b)
		return;
	(void)!bdev_sync(b); /* remembered in the object */
	object_drop_clean(b->object, 0, U64_MAX >> PAGE_SHIFT);
	put_bdev(b);
}

/* A file of a loop device that leads back to l is refused, and chains have an end. */
static int validate(struct loop *l, struct file *f)
{
	for (int depth = 0; depth < 8; depth++) {
		struct block_device *b;
		struct loop *next;

		if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
			return -EINVAL;
		if (!f->ops->read || !(f->mode & FMODE_READ))
			return -EBADF;
		b = S_ISBLK(f->inode->mode) ? f->inode->priv : NULL;
		if (!b || b->disk->ops != l->disk.ops)
			return 0;
		next = b->disk->driver;
		if (next == l)
			return -EBADF;
		f = READ_ONCE(next->file);
		if (!f)
			return -EINVAL;
	}
	return -ELOOP;
}

static int check_info(const struct loop_info64 *i)
{
	if (i->lo_encrypt_type || i->lo_encrypt_key_size)
		return -EINVAL;
	if (i->lo_offset > (u64)S64_MAX || i->lo_sizelimit > (u64)S64_MAX)
		return -EOVERFLOW;
	return i->lo_offset & (SECTOR_SIZE - 1) ? -EINVAL : 0;
}

static void take_info(struct loop *l, const struct loop_info64 *i, u32 flags)
{
	WRITE_ONCE(l->info.lo_offset, i->lo_offset);
	l->info.lo_sizelimit = i->lo_sizelimit;
	memcpy(l->info.lo_file_name, i->lo_file_name, LO_NAME_SIZE);
	l->info.lo_file_name[LO_NAME_SIZE - 1] = 0;
	l->info.lo_flags = flags;
}

static bool block_size_ok(u32 n)
{
	return n >= 512 && n <= PAGE_SIZE && !(n & (n - 1));
}

static void set_block_size(struct loop *l, u32 n)
{
	WRITE_ONCE(l->disk.limits.logical_block, n);
	WRITE_ONCE(l->disk.limits.physical_block, n);
}

/* Lock held; consumes f when it succeeds. */
static int bind(struct loop *l, struct file *f, bool writable, const struct loop_config *c)
{
	u32 flags = c->info.lo_flags;
	int err;

	if (l->file)
		return -EBUSY;
	if (l->dying)
		return -ENXIO;
	err = validate(l, f);
	if (err)
		return err;
	if ((flags & ~STATUS_FLAGS) || (flags & LO_FLAGS_DIRECT_IO))
		return -EINVAL;
	if (c->block_size && !block_size_ok(c->block_size))
		return -EINVAL;
	err = check_info(&c->info);
	if (err)
		return err;
	if (!(f->mode & FMODE_WRITE) || !f->ops->write || !writable)
		flags |= LO_FLAGS_READ_ONLY;
	take_info(l, &c->info, flags);
	spin_lock_irq(&l->queue_lock);
	l->file = f;
	spin_unlock_irq(&l->queue_lock);
	err = loop_start_thread(l);
	if (err) {
		spin_lock_irq(&l->queue_lock);
		l->file = NULL;
		spin_unlock_irq(&l->queue_lock);
		return err;
	}
	set_block_size(l, c->block_size ? c->block_size : SECTOR_SIZE);
	WRITE_ONCE(l->disk.read_only, (flags & LO_FLAGS_READ_ONLY) != 0);
	l->disk.limits.max_discard_sectors = f->ops->fallocate ? 1u << 21 : 0;
	l->disk.limits.max_zeroes_sectors = l->disk.limits.max_discard_sectors;
	l->disk.no_partitions = !(flags & LO_FLAGS_PARTSCAN);
	sync_and_drop(l);
	disk_resize(&l->disk, capacity(f, l->info.lo_offset, l->info.lo_sizelimit));
	if (flags & LO_FLAGS_PARTSCAN)
		(void)!disk_partitions(&l->disk); /* a bad table is no reason to fail */
	return 0;
}

/* Lock held; bound. */
static void unbind(struct loop *l)
{
	struct file *f = l->file;

	sync_and_drop(l);
	disk_resize(&l->disk, 0);
	if (l->info.lo_flags & LO_FLAGS_PARTSCAN)
		(void)!disk_partitions(&l->disk); /* none are left: it has no sectors */
	loop_stop_thread(l);
	sync_and_drop(l);
	spin_lock_irq(&l->queue_lock);
	l->file = NULL;
	spin_unlock_irq(&l->queue_lock);
	memset(&l->info, 0, sizeof(l->info));
	set_block_size(l, SECTOR_SIZE);
	WRITE_ONCE(l->disk.read_only, false);
	l->disk.no_partitions = true;
	put_file(f);
}

static void clear_work(struct work *w)
{
	struct loop *l = container_of(w, struct loop, clear);

	mutex_lock(&l->lock);
	if (l->file && (l->info.lo_flags & LO_FLAGS_AUTOCLEAR) && !READ_ONCE(l->openers))
		unbind(l);
	mutex_unlock(&l->lock);
}

static int loop_open(struct disk *d)
{
	struct loop *l = d->driver;

	if (READ_ONCE(l->dying))
		return -ENXIO;
	__atomic_fetch_add(&l->openers, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void loop_close(struct disk *d)
{
	struct loop *l = d->driver;

	if (!__atomic_sub_fetch(&l->openers, 1, __ATOMIC_SEQ_CST) &&
		(READ_ONCE(l->info.lo_flags) & LO_FLAGS_AUTOCLEAR))
		work_queue(&l->clear);
}

/* ---- ioctl ---- */

static int get_status(struct loop *l, void __user *out)
{
	struct loop_info64 i = l->info;
	struct kstat st;
	int err;

	err = vfs_getattr(&l->file->path, &st);
	if (err)
		return err;
	i.lo_number = l->number;
	i.lo_device = st.dev;
	i.lo_inode = st.ino;
	i.lo_rdevice = st.rdev;
	return copy_to_user(out, &i, sizeof(i));
}

static int set_status(struct loop *l, const struct loop_info64 *i)
{
	u32 settable = LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN, flags;
	bool scan;
	int err = check_info(i);

	if (err)
		return err;
	flags = (l->info.lo_flags & ~(u32)LO_FLAGS_AUTOCLEAR) | (i->lo_flags & settable);
	scan = (flags & LO_FLAGS_PARTSCAN) && !(l->info.lo_flags & LO_FLAGS_PARTSCAN);
	if (i->lo_offset != l->info.lo_offset || i->lo_sizelimit != l->info.lo_sizelimit)
		sync_and_drop(l);
	take_info(l, i, flags);
	disk_resize(&l->disk, capacity(l->file, i->lo_offset, i->lo_sizelimit));
	if (scan) {
		l->disk.no_partitions = false;
		(void)!disk_partitions(&l->disk);
	}
	return 0;
}

static int change_file(struct loop *l, struct file *f)
{
	struct file *old = l->file;
	int err;

	if (!(l->info.lo_flags & LO_FLAGS_READ_ONLY))
		return -EINVAL;
	err = validate(l, f);
	if (err)
		return err;
	if (f->inode->object.size != old->inode->object.size)
		return -EINVAL;
	spin_lock_irq(&l->queue_lock);
	l->file = f;
	spin_unlock_irq(&l->queue_lock);
	sync_and_drop(l);
	put_file(old);
	return 0;
}

/* Commands for a bound device. */
static long bound_ioctl(
	struct loop *l, u32 cmd, unsigned long arg, struct file *f, const struct loop_info64 *info)
{
	switch (cmd) {
	case LOOP_CLR_FD:
		/* The caller has it open; with others it goes when the last of them does. */
		if (READ_ONCE(l->openers) > 1)
			l->info.lo_flags |= LO_FLAGS_AUTOCLEAR;
		else
			unbind(l);
		return 0;
	case LOOP_GET_STATUS64:
		return get_status(l, (void __user *)arg);
	case LOOP_SET_STATUS64:
		return set_status(l, info);
	case LOOP_SET_CAPACITY:
		disk_resize(&l->disk, capacity(l->file, l->info.lo_offset, l->info.lo_sizelimit));
		return 0;
	case LOOP_SET_DIRECT_IO:
		return arg ? -EINVAL : 0;
	case LOOP_SET_BLOCK_SIZE:
		if (arg > PAGE_SIZE || !block_size_ok((u32)arg))
			return -EINVAL;
		sync_and_drop(l);
		set_block_size(l, (u32)arg);
		return 0;
	case LOOP_CHANGE_FD:
		return change_file(l, f);
	default:
		return -ENOTTY;
	}
}

static bool needs_right(u32 cmd)
{
	return cmd == LOOP_SET_STATUS64 || cmd == LOOP_SET_CAPACITY || cmd == LOOP_SET_DIRECT_IO ||
		cmd == LOOP_SET_BLOCK_SIZE;
}

static bool binds(u32 cmd)
{
	return cmd == LOOP_SET_FD || cmd == LOOP_CONFIGURE;
}

static bool is_known(u32 cmd)
{
	return binds(cmd) || needs_right(cmd) || cmd == LOOP_CLR_FD || cmd == LOOP_GET_STATUS64 ||
		cmd == LOOP_CHANGE_FD;
}

static long loop_ioctl(struct disk *d, struct file *file, u32 cmd, unsigned long arg)
{
	struct loop *l = d->driver;
	struct loop_config c = {.fd = (u32)arg};
	bool writable = (file->mode & FMODE_WRITE) != 0;
	struct file *f = NULL;
	long err;

	if (!is_known(cmd))
		return -EINVAL; /* as Linux answers */
	if (needs_right(cmd) && !writable && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (cmd == LOOP_CONFIGURE && copy_from_user(&c, (const void __user *)arg, sizeof(c)))
		return -EFAULT;
	if (cmd == LOOP_SET_STATUS64 &&
		copy_from_user(&c.info, (const void __user *)arg, sizeof(c.info)))
		return -EFAULT;
	if (binds(cmd) || cmd == LOOP_CHANGE_FD) {
		f = fd_get(current_task()->files, (int)c.fd);
		if (!f)
			return -EBADF;
	}
	err = mutex_lock_killable(&l->lock);
	if (!err) {
		if (binds(cmd))
			err = bind(l, f, writable, &c);
		else
			err = l->file ? bound_ioctl(l, cmd, arg, f, &c.info) : -ENXIO;
		mutex_unlock(&l->lock);
	}
	if (f && err)
		put_file(f);
	return err;
}

/* ---- life ---- */

static void loop_release(struct disk *d)
{
	struct loop *l = d->driver;

	complete(&l->released);
}

static const char *const g_attr_names[] = {
	"backing_file", "offset", "sizelimit", "autoclear", "partscan", "dio", NULL};

static int loop_attr_show(struct disk *d, u32 which, struct seq_buf *s)
{
	struct loop *l = d->driver;
	char *buf, *path;
	struct file *f;
	int err = 0;

	/* Without l->lock, which ranks before the reader's: figures may be of two settings. */
	spin_lock_irq(&l->queue_lock);
	f = l->file;
	if (f)
		get_file(f);
	spin_unlock_irq(&l->queue_lock);
	if (!f)
		return -ENODEV;
	switch (which) {
	case 0:
		buf = kmalloc(PATH_MAX, GFP_KERNEL);
		path = buf ? path_format(&f->path, NULL, buf, PATH_MAX) : err_ptr(-ENOMEM);
		err = is_err(path) ? ptr_err(path) : 0;
		if (!err)
			seq_printf(s, "%s\n", path);
		kfree(buf);
		break;
	case 1:
		seq_printf(s, "%llu\n", (unsigned long long)l->info.lo_offset);
		break;
	case 2:
		seq_printf(s, "%llu\n", (unsigned long long)l->info.lo_sizelimit);
		break;
	case 3:
		seq_printf(s, "%d\n", (l->info.lo_flags & LO_FLAGS_AUTOCLEAR) != 0);
		break;
	case 4:
		seq_printf(s, "%d\n", (l->info.lo_flags & LO_FLAGS_PARTSCAN) != 0);
		break;
	default:
		seq_printf(s, "%d\n", (l->info.lo_flags & LO_FLAGS_DIRECT_IO) != 0);
		break;
	}
	put_file(f);
	return err;
}

static const struct disk_attrs g_loop_attrs = {"loop", g_attr_names, loop_attr_show};

static const struct disk_ops g_loop_ops = {.queue = loop_queue,
	.attrs = &g_loop_attrs,
	.open = loop_open,
	.close = loop_close,
	.ioctl = loop_ioctl,
	.release = loop_release};

struct loop *loop_create(u32 number)
{
	struct loop *l = kzalloc(sizeof(*l), GFP_KERNEL);
	struct disk *d;
	int err = -ENOMEM;

	if (!l)
		return err_ptr(-ENOMEM);
	l->number = number;
	mutex_init(&l->lock, RANK_LOOP);
	spin_init(&l->queue_lock, RANK_DEVICE);
	wait_queue_init(&l->wait);
	work_init(&l->clear, clear_work);
	completion_init(&l->released);
	l->queue = kcalloc(LOOP_DEPTH, sizeof(*l->queue), GFP_KERNEL);
	d = &l->disk;
	d->ops = &g_loop_ops;
	d->driver = l;
	d->nr_queues = 1;
	d->depth = LOOP_DEPTH;
	d->first_dev = dev_make(LOOP_MAJOR, number);
	d->no_partitions = true;
	d->limits.write_cache = true;
	d->limits.discard_granularity = PAGE_SIZE;
	ksnprintf(d->name, sizeof(d->name), "loop%u", number);
	if (l->queue)
		err = disk_add(d);
	if (err) {
		kfree(l->queue);
		kfree(l);
		return err_ptr(err);
	}
	return l;
}

int loop_destroy(struct loop *l)
{
	mutex_lock_nested(&l->lock); /* after the set's */
	if (l->file || READ_ONCE(l->openers)) {
		mutex_unlock(&l->lock);
		return -EBUSY;
	}
	WRITE_ONCE(l->dying, true);
	mutex_unlock(&l->lock);
	disk_remove(&l->disk);
	wait_for_completion(&l->released);
	work_cancel_sync(&l->clear);
	kfree(l->queue);
	kfree(l);
	return 0;
}
