/*
 * /proc/PID/mem: the memory of a process, by address. The address space is the one of the time of
 * the open. What the process itself may not read or write is EIO here too: there is no forced
 * access to read-only pages.
 */
#include "procfs.h"
#include <kmem/slab.h>
#include <linux/fs.h>

static int mem_open(struct inode *i, struct file *f)
{
	struct task *t = node_task(i->priv);
	struct mm *mm;

	if (!t)
		return -ESRCH;
	mm = task_access_mm(t, false);
	put_task(t);
	if (is_err(mm))
		return -EACCES;
	f->priv = mm; /* NULL: it has exited, reads give nothing */
	return 0;
}

static void mem_release(struct file *f)
{
	if (f->priv)
		put_mm(f->priv);
}

static ssize_t copy(struct file *f, struct iter *it, off64_t *pos, bool write)
{
	struct mm *mm = f->priv;
	ssize_t done = 0, n = 0;
	char *page;

	if (!mm || it->count == 0)
		return 0;
	page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	while (it->count) {
		size_t len = min_t(size_t, it->count, PAGE_SIZE), got = len;

		if (write && iter_get(it, page, len) < len) {
			n = -EFAULT;
			break;
		}
		n = mm_access(mm, (unsigned long)*pos, page, len, write ? MM_WRITE : 0);
		if (n <= 0) {
			n = n == -EINTR ? n : -EIO;
			break;
		}
		if (!write)
			got = iter_put(it, page, (size_t)n);
		*pos += (off64_t)min((size_t)n, got);
		done += (ssize_t)min((size_t)n, got);
		if (got < (size_t)n) {
			n = -EFAULT;
			break;
		}
		cond_resched();
	}
	kfree(page);
	return done ? done : n;
}

static ssize_t mem_read(struct file *f, struct iter *to, off64_t *pos)
{
	return copy(f, to, pos, false);
}

static ssize_t mem_write(struct file *f, struct iter *from, off64_t *pos)
{
	return copy(f, from, pos, true);
}

/* Any address is a position, also one that looks negative. */
static off64_t mem_seek(struct file *f, off64_t off, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	if (whence == SEEK_CUR)
		off = (off64_t)((u64)off + (u64)f->pos);
	return f->pos = off;
}

const struct file_ops g_pid_mem_fops = {
	.open = mem_open,
	.release = mem_release,
	.read = mem_read,
	.write = mem_write,
	.seek = mem_seek,
};
