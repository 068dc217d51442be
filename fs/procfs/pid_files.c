/* /proc/PID/map_files: a link to the file of each mapping of one, by its address range. */
#include "procfs.h"
#include <lib/printf.h>
#include <lib/string.h>

/* The address space of a process that the caller may look into, to be put; NULL: it has exited;
 * error pointer -EACCES. */
static struct mm *node_mm(const struct proc_node *n)
{
	struct task *t = node_task(n);
	struct mm *mm = t ? task_access_mm(t, false) : NULL;

	if (t)
		put_task(t);
	return is_err(mm) ? err_ptr(-EACCES) : mm;
}

static int lock_map(struct mm *mm)
{
	return rwsem_read_lock_killable(&mm->map_lock) ? -EINTR : 0;
}

/* key: where the mapping begins. */
static int jump_map_file(struct proc_node *n, struct path *out)
{
	struct mm *mm = node_mm(n);
	struct region *r;
	int err;

	if (!mm || is_err(mm))
		return mm ? ptr_err(mm) : -ENOENT;
	err = lock_map(mm);
	if (!err) {
		r = mm_find_region(mm, n->key);
		if (r && r->start == n->key && r->file) {
			*out = ((struct file *)r->file)->path;
			get_path(out);
		} else {
			err = -ENOENT;
		}
		rwsem_read_unlock(&mm->map_lock);
	}
	put_mm(mm);
	return err;
}

/* A link's mode shows how the file is open; bit 0: read, bit 1: write. */
static const struct proc_entry g_links[] = {
	{.mode = S_IFLNK, .jump = jump_map_file, .flags = PROC_FOLLOW_ADMIN},
	{.mode = S_IFLNK | 0400, .jump = jump_map_file, .flags = PROC_FOLLOW_ADMIN},
	{.mode = S_IFLNK | 0200, .jump = jump_map_file, .flags = PROC_FOLLOW_ADMIN},
	{.mode = S_IFLNK | 0600, .jump = jump_map_file, .flags = PROC_FOLLOW_ADMIN},
};

static const char *parse_hex(const char *at, const char *end, unsigned long *v)
{
	const char *from = at;

	for (*v = 0; at < end && at - from < 16; at++) {
		int digit = *at >= '0' && *at <= '9' ? *at - '0'
			: *at >= 'a' && *at <= 'f'   ? *at - 'a' + 10
						     : -1;

		if (digit < 0)
			break;
		*v = *v << 4 | (unsigned long)digit;
	}
	return at == from || (*from == '0' && at - from > 1) ? NULL : at;
}

static bool parse_range(const char *name, size_t len, unsigned long *start, unsigned long *end)
{
	const char *last = name + len, *at = parse_hex(name, last, start);

	if (!at || at == last || *at != '-')
		return false;
	return parse_hex(at + 1, last, end) == last;
}

static int find_range(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	unsigned long start, end;
	struct region *r;
	struct file *f;
	struct mm *mm;
	int err;

	if (!parse_range(name, len, &start, &end))
		return -ENOENT;
	mm = node_mm(dir);
	if (!mm || is_err(mm))
		return mm ? ptr_err(mm) : -ENOENT;
	err = lock_map(mm);
	if (!err) {
		r = mm_find_region(mm, start);
		f = r && r->start == start && r->end == end ? r->file : NULL;
		if (f) {
			*out = (struct proc_node){
				.entry = &g_links[f->mode & (FMODE_READ | FMODE_WRITE)],
				.pid = dir->pid,
				.thread = dir->thread,
				.key = start};
			get_pid(out->pid);
		} else {
			err = -ENOENT;
		}
		rwsem_read_unlock(&mm->map_lock);
	}
	put_mm(mm);
	return err;
}

static int next_range(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	struct mm *mm = node_mm(dir);
	struct region *r;
	int len;

	if (!mm || is_err(mm))
		return mm ? ptr_err(mm) : 0;
	len = lock_map(mm);
	if (!len) {
		r = mm_find_region(mm, *cookie);
		while (r && (!r->file || r->start < *cookie))
			r = mm_next_region(r);
		if (r) {
			*cookie = r->start;
			*type = S_IFLNK >> 12;
			len = ksnprintf(name, size, "%lx-%lx", r->start, r->end);
		}
		rwsem_read_unlock(&mm->map_lock);
	}
	put_mm(mm);
	return len;
}

const struct proc_dir_ops g_map_files_dir = {.find = find_range, .next = next_range};
