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

/* The regions are shown by their addresses; a piece ends behind one. */
static struct region *first_left(struct seq_buf *s, struct mm *mm)
{
	return mm_find_region(mm, s->at);
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
		for (struct region *r = first_left(s, mm); r; r = mm_next_region(r)) {
			show_head(s, r, path);
			if (seq_pause(s, r->end))
				break;
		}
		unlock_mm(mm);
	}
	kfree(path);
	return err;
}

static void show_kb(struct seq_buf *s, const char *name, u64 bytes)
{
	size_t begin = s->len;

	seq_printf(s, "%s:", name);
	while (s->len - begin < 16 && !s->overflow)
		seq_putc(s, ' ');
	seq_printf(s, "%8llu kB\n", (unsigned long long)bytes >> 10);
}

/* Rows that are 0: pages given up with MADV_FREE go at once, only anonymous memory has huge pages
 * in page tables, and there is neither hugetlbfs nor swap. */
static void show_stats(struct seq_buf *s, const struct region_stats *st, u64 locked, bool sum)
{
	show_kb(s, "Rss", st->rss);
	show_kb(s, "Pss", st->pss);
	show_kb(s, "Pss_Dirty", st->pss_dirty);
	if (sum) {
		show_kb(s, "Pss_Anon", st->pss_anon);
		show_kb(s, "Pss_File", st->pss - st->pss_anon - st->pss_shmem);
		show_kb(s, "Pss_Shmem", st->pss_shmem);
	}
	show_kb(s, "Shared_Clean", st->shared_clean);
	show_kb(s, "Shared_Dirty", st->shared_dirty);
	show_kb(s, "Private_Clean", st->private_clean);
	show_kb(s, "Private_Dirty", st->private_dirty);
	show_kb(s, "Referenced", st->referenced);
	show_kb(s, "Anonymous", st->anonymous);
	show_kb(s, "LazyFree", 0);
	show_kb(s, "AnonHugePages", st->huge);
	show_kb(s, "ShmemPmdMapped", 0);
	show_kb(s, "FilePmdMapped", 0);
	show_kb(s, "Shared_Hugetlb", 0);
	show_kb(s, "Private_Hugetlb", 0);
	show_kb(s, "Swap", 0);
	show_kb(s, "SwapPss", 0);
	show_kb(s, "Locked", locked);
}

/* proc(5) has the letters. */
static void show_flags(struct seq_buf *s, u32 flags)
{
	static const struct {
		u32 flag;
		char letters[3];
	} names[] = {{REG_READ, "rd"}, {REG_WRITE, "wr"}, {REG_EXEC, "ex"}, {REG_SHARED, "sh"},
		{REG_MAYREAD, "mr"}, {REG_MAYWRITE, "mw"}, {REG_MAYEXEC, "me"},
		{REG_SHARED | REG_MAYWRITE, "ms"}, {REG_GROWSDOWN, "gd"}, {REG_LOCKED, "lo"},
		{REG_SEQ_READ, "sr"}, {REG_RAND_READ, "rr"}, {REG_DONTFORK, "dc"},
		{REG_DONTEXPAND, "de"}, {REG_ACCOUNT, "ac"}, {REG_NORESERVE, "nr"},
		{REG_WIPEFORK, "wf"}, {REG_DONTDUMP, "dd"}, {REG_HUGE, "hg"}, {REG_NOHUGE, "nh"}};

	seq_puts(s, "VmFlags: ");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if ((flags & names[i].flag) == names[i].flag)
			seq_printf(s, "%s ", names[i].letters);
	seq_putc(s, '\n');
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
		for (struct region *r = first_left(s, mm); r; r = mm_next_region(r)) {
			struct region_stats st;

			region_get_stats(r, &st);
			show_head(s, r, path);
			seq_printf(s,
				"Size:           %8lu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
				(r->end - r->start) >> 10);
			show_stats(s, &st, r->flags & REG_LOCKED ? st.pss : 0, false);
			seq_printf(s, "THPeligible:    %d\n", st.huge_eligible);
			show_flags(s, r->flags);
			if (seq_pause(s, r->end))
				break;
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
		sum.pss_dirty += st.pss_dirty;
		sum.pss_anon += st.pss_anon;
		sum.pss_shmem += st.pss_shmem;
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
	show_stats(s, &sum, locked, true);
	return 0;
}
