/* /proc/PID/maps, smaps, smaps_rollup. */
#include "procfs.h"
#include <kmem/slab.h>
#include <lib/string.h>

#define NAME_COLUMN 73 /* where a region's name begins */

static struct mm *locked_mm(struct proc_node *n, int *err)
{
	struct task *t = node_task(n);
	struct mm *mm;

	*err = -ESRCH;
	if (!t)
		return NULL;
	mm = task_get_mm(t);
	put_task(t);
	*err = 0;
	if (mm && rwsem_read_lock_killable(&mm->map_lock)) {
		put_mm(mm);
		*err = -EINTR;
		return NULL;
	}
	return mm;
}

static void unlock_mm(struct mm *mm)
{
	rwsem_read_unlock(&mm->map_lock);
	put_mm(mm);
}

static const char *special_name(struct region *r)
{
	struct mm *mm = r->mm;

	if (r->ops && r->ops->name)
		return r->ops->name(r);
	if (r->file)
		return NULL;
	if (r->start <= mm->start_stack && mm->start_stack < r->end)
		return "[stack]";
	if (r->start < mm->brk && r->end > mm->start_brk)
		return "[heap]";
	return NULL;
}

static void show_head(struct seq_buf *s, struct region *r, char *path)
{
	struct file *f = r->file;
	const char *name = special_name(r);
	size_t begin = s->len;
	kdev_t dev = f && f->inode->super ? f->inode->super->dev : 0;

	seq_printf(s, "%08lx-%08lx %c%c%c%c %08llx %02x:%02x %llu ", r->start, r->end,
		r->flags & REG_READ ? 'r' : '-', r->flags & REG_WRITE ? 'w' : '-',
		r->flags & REG_EXEC ? 'x' : '-', r->flags & REG_SHARED ? 's' : 'p',
		f ? (unsigned long long)r->pgoff << PAGE_SHIFT : 0ull, dev_major(dev),
		dev_minor(dev), f ? (unsigned long long)f->inode->ino : 0ull);
	if (!name && f) {
		name = path_format(&f->path, NULL, path, PATH_MAX);
		if (is_err(name))
			name = "?";
	}
	if (name) {
		while (s->len - begin < NAME_COLUMN && !s->overflow)
			seq_putc(s, ' ');
		seq_escape(s, name, "\n");
	}
	seq_putc(s, '\n');
}

int pid_show_maps(struct seq_buf *s, struct proc_node *n)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	struct mm *mm;
	int err;

	if (!path)
		return -ENOMEM;
	mm = locked_mm(n, &err);
	if (mm) {
		for (struct region *r = mm_first_region(mm); r; r = mm_next_region(r))
			show_head(s, r, path);
		unlock_mm(mm);
	}
	kfree(path);
	return err;
}

static void show_stats(struct seq_buf *s, const struct region_stats *st, u64 locked)
{
	const struct {
		const char *name;
		u64 bytes;
	} rows[] = {
		{"Rss", st->rss},
		{"Pss", st->pss},
		{"Shared_Clean", st->shared_clean},
		{"Shared_Dirty", st->shared_dirty},
		{"Private_Clean", st->private_clean},
		{"Private_Dirty", st->private_dirty},
		{"Referenced", st->referenced},
		{"Anonymous", st->anonymous},
		{"AnonHugePages", st->huge},
		{"Swap", 0},
		{"Locked", locked},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t begin = s->len;

		seq_printf(s, "%s:", rows[i].name);
		while (s->len - begin < 16 && !s->overflow)
			seq_putc(s, ' ');
		seq_printf(s, "%8llu kB\n", (unsigned long long)rows[i].bytes >> 10);
	}
}

int pid_show_smaps(struct seq_buf *s, struct proc_node *n)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	struct mm *mm;
	int err;

	if (!path)
		return -ENOMEM;
	mm = locked_mm(n, &err);
	if (mm) {
		for (struct region *r = mm_first_region(mm); r; r = mm_next_region(r)) {
			struct region_stats st;

			region_get_stats(r, &st);
			show_head(s, r, path);
			seq_printf(s,
				"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
				(r->end - r->start) >> 10);
			show_stats(s, &st, r->flags & REG_LOCKED ? st.pss : 0);
		}
		unlock_mm(mm);
	}
	kfree(path);
	return err;
}

int pid_show_rollup(struct seq_buf *s, struct proc_node *n)
{
	struct region_stats sum = {0}, st;
	unsigned long first = 0, last = 0;
	u64 locked = 0;
	struct mm *mm;
	size_t begin;
	int err;

	mm = locked_mm(n, &err);
	if (!mm)
		return err ? err : -ESRCH;
	for (struct region *r = mm_first_region(mm); r; r = mm_next_region(r)) {
		region_get_stats(r, &st);
		first = first ? first : r->start;
		last = r->end;
		sum.rss += st.rss;
		sum.pss += st.pss;
		sum.shared_clean += st.shared_clean;
		sum.shared_dirty += st.shared_dirty;
		sum.private_clean += st.private_clean;
		sum.private_dirty += st.private_dirty;
		sum.referenced += st.referenced;
		sum.anonymous += st.anonymous;
		sum.huge += st.huge;
		locked += r->flags & REG_LOCKED ? st.pss : 0;
	}
	unlock_mm(mm);
	begin = s->len;
	seq_printf(s, "%08lx-%08lx ---p 00000000 00:00 0 ", first, last);
	while (s->len - begin < NAME_COLUMN && !s->overflow)
		seq_putc(s, ' ');
	seq_puts(s, "[rollup]\n");
	show_stats(s, &sum, locked);
	return 0;
}
