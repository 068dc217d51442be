/*
 * What is about a process's memory as such: mem, pagemap, clear_refs, coredump_filter.
 *
 * /proc/PID/mem: the memory of a process, by address. The address space is the one of the time of
 * the open. As a debugger sees it: also what the process itself may not read, and its private pages
 * that it may not write.
 */
#include "procfs.h"
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/fs.h>
#include <vm/pagemap.h>

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
		n = mm_access(
			mm, (unsigned long)*pos, page, len, MM_FORCE | (write ? MM_WRITE : 0));
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

/* ---- pagemap: 8 bytes a page, by page number ---- */

#define PAGEMAP_END (1ul << 56) /* addresses up to there can be asked for, though none is in use */

static bool may_see_frames(const struct file *f)
{
	return cred_capable(f->cred, CAP_SYS_ADMIN);
}

static ssize_t pagemap_read(struct file *f, struct iter *to, off64_t *pos)
{
	struct mm *mm = f->priv;
	ssize_t done = 0;
	int err = 0;
	u64 *page;

	if (*pos < 0 || *pos % sizeof(u64) || to->count % sizeof(u64))
		return -EINVAL;
	if (!mm || to->count == 0)
		return 0;
	page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	while (to->count && (u64)*pos / sizeof(u64) < PAGEMAP_END >> PAGE_SHIFT) {
		u64 first = (u64)*pos / sizeof(u64);
		size_t n = min(to->count, PAGE_SIZE) / sizeof(u64), got;

		n = min_t(size_t, n, (PAGEMAP_END >> PAGE_SHIFT) - first);
		err = mm_pagemap(mm, first << PAGE_SHIFT, n, may_see_frames(f), page);
		if (err)
			break;
		got = iter_put(to, page, n * sizeof(u64));
		*pos += (off64_t)got;
		done += (ssize_t)got;
		if (got < n * sizeof(u64)) {
			err = -EFAULT;
			break;
		}
		cond_resched();
	}
	kfree(page);
	return done ? done : err;
}

const struct file_ops g_pid_pagemap_fops = {
	.open = mem_open,
	.release = mem_release,
	.read = pagemap_read,
	.seek = mem_seek,
};

/* ---- clear_refs ---- */

enum { CLEAR_ALL = 1, CLEAR_ANON, CLEAR_FILES, CLEAR_SOFT_DIRTY, CLEAR_PEAK };

/* There are no soft-dirty bits, so they aren't cleared either. */
int pid_store_clear_refs(struct proc_node *n, char *text, size_t len)
{
	struct task *t;
	struct mm *mm;
	s64 what;
	int err = parse_s64(proc_trim(text), 10, &what);

	if (err || what < CLEAR_ALL || what > CLEAR_PEAK || what == CLEAR_SOFT_DIRTY)
		return -EINVAL;
	t = node_task(n);
	if (!t)
		return -ESRCH;
	mm = task_get_mm(t);
	put_task(t);
	if (!mm)
		return 0;
	if (what == CLEAR_PEAK)
		mm_reset_hiwater(mm);
	else
		err = mm_clear_references(mm, what != CLEAR_FILES, what != CLEAR_ANON);
	put_mm(mm);
	return err;
}

/* ---- coredump_filter ---- */

int pid_show_dump_filter(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct mm *mm;

	if (!t)
		return -ESRCH;
	mm = task_get_mm(t);
	put_task(t);
	if (mm) {
		seq_printf(s, "%08x\n", READ_ONCE(mm->dump_filter));
		put_mm(mm);
	}
	return 0;
}

int pid_store_dump_filter(struct proc_node *n, char *text, size_t len)
{
	struct task *t;
	struct mm *mm;
	u64 v;
	int err = parse_u64(text, 0, &v);

	if (err || v > U32_MAX)
		return err ? err : -ERANGE;
	t = node_task(n);
	if (!t)
		return -ESRCH;
	mm = task_get_mm(t);
	put_task(t);
	if (!mm)
		return -ESRCH;
	WRITE_ONCE(mm->dump_filter, (u32)v & MM_DUMP_ALL);
	put_mm(mm);
	return 0;
}
