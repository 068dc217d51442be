/* /proc/PID/fd and fdinfo. */
#include "procfs.h"
#include <lib/printf.h>
#include <lib/string.h>

static int parse_number(const char *name, size_t len)
{
	int v = 0;

	if (!len || len > 9 || (name[0] == '0' && len > 1))
		return -1;
	while (len--) {
		if (*name < '0' || *name > '9')
			return -1;
		v = v * 10 + (*name++ - '0');
	}
	return v;
}

/* of: the table, only to be compared, not referenced. cloexec and of: NULL: not wanted. */
static struct file *node_file(struct proc_node *n, int fd, bool *cloexec, void **of)
{
	struct task *t = node_task(n);
	struct fd_table *files = t ? task_get_files(t) : NULL;
	struct file *f = files ? fd_get_any(files, fd) : NULL;

	if (f && cloexec)
		*cloexec = fd_get_cloexec(files, fd) > 0;
	if (of)
		*of = files;
	if (files)
		fd_table_unhold(files);
	if (t)
		put_task(t);
	return f;
}

static int jump_fd(struct proc_node *n, struct path *out)
{
	struct file *f = node_file(n, n->fd, NULL, NULL);

	if (!f)
		return -ENOENT;
	*out = f->path;
	get_path(out);
	put_file(f);
	return 0;
}

static int show_fdinfo(struct seq_buf *s, struct proc_node *n)
{
	bool cloexec = false;
	void *files;
	struct file *f = node_file(n, n->fd, &cloexec, &files);
	u32 flags;

	if (!f)
		return -ENOENT;
	flags = READ_ONCE(f->flags) & ~(u32)O_CLOEXEC;
	seq_printf(s, "pos:\t%lli\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
		(long long)READ_ONCE(f->pos), flags | (cloexec ? O_CLOEXEC : 0), f->path.mnt->id,
		(unsigned long long)f->inode->ino);
	locks_show_fdinfo(f, files, s);
	if (f->ops->show_fdinfo)
		f->ops->show_fdinfo(f, s);
	put_file(f);
	return 0;
}

/* A link's mode shows how the file is open. */
static const struct proc_entry g_links[] = {
	{.mode = S_IFLNK | 0100, .jump = jump_fd, .flags = PROC_FD_LINK},
	{.mode = S_IFLNK | 0500, .jump = jump_fd, .flags = PROC_FD_LINK},
	{.mode = S_IFLNK | 0300, .jump = jump_fd, .flags = PROC_FD_LINK},
	{.mode = S_IFLNK | 0700, .jump = jump_fd, .flags = PROC_FD_LINK},
};
static const struct proc_entry g_info = {
	.mode = S_IFREG | 0444, .show = show_fdinfo, .flags = PROC_PTRACE};

static int find_file(struct proc_node *dir, const char *name, size_t len,
	const struct proc_entry *fixed, struct proc_node *out)
{
	int fd = parse_number(name, len);
	struct file *f = fd < 0 ? NULL : node_file(dir, fd, NULL, NULL);

	if (!f)
		return -ENOENT;
	*out = (struct proc_node){
		.entry = fixed ? fixed : &g_links[f->mode & (FMODE_READ | FMODE_WRITE)],
		.pid = dir->pid,
		.thread = dir->thread,
		.fd = fd};
	get_pid(out->pid);
	put_file(f);
	return 0;
}

static int find_fd(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	return find_file(dir, name, len, NULL, out);
}

static int find_info(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	return find_file(dir, name, len, &g_info, out);
}

static int next_number(struct proc_node *dir, u64 *cookie, char *name, size_t size)
{
	struct task *t = node_task(dir);
	struct fd_table *files = t ? task_get_files(t) : NULL;
	int fd = files && *cookie < INT_MAX ? fd_next(files, (int)*cookie) : -1;

	if (files)
		fd_table_unhold(files);
	if (t)
		put_task(t);
	if (fd < 0)
		return 0;
	*cookie = (u64)fd;
	return ksnprintf(name, size, "%d", fd);
}

static int next_fd(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFLNK >> 12;
	return next_number(dir, cookie, name, size);
}

static int next_info(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFREG >> 12;
	return next_number(dir, cookie, name, size);
}

const struct proc_dir_ops g_fd_dir = {.find = find_fd, .next = next_fd};
const struct proc_dir_ops g_fdinfo_dir = {.find = find_info, .next = next_info};
