/* /proc/PID, /proc/PID/task/TID, and what is small in them. */
#include "procfs.h"
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <process/signal.h>

#define LINK_BUF 64

/* ---- text from the process's memory ---- */

/*
 * Where the command line ends. A program that overwrote the last NUL of its arguments has written a
 * title (setproctitle), which may run on into the environment: to its NUL, within a page.
 */
static unsigned long title_end(struct mm *mm)
{
	unsigned long limit = mm->arg_start + PAGE_SIZE, at = mm->arg_start;
	char last = 0, part[128];

	if (mm->arg_end <= mm->arg_start || mm_access(mm, mm->arg_end - 1, &last, 1, 0) != 1 ||
		!last)
		return mm->arg_end;
	if (mm->env_start == mm->arg_end && mm->env_end >= mm->env_start)
		limit = min(limit, mm->env_end);
	else
		limit = min(limit, mm->arg_end);
	while (at < limit) {
		ssize_t n = mm_access(mm, at, part, min(limit - at, sizeof(part)), 0);
		size_t len = n > 0 ? strnlen(part, (size_t)n) : 0;

		if (n <= 0 || len < (size_t)n)
			return at + len + (n > 0);
		at += (size_t)n;
	}
	return limit;
}

static int show_memory(struct seq_buf *s, struct proc_node *n, bool environment)
{
	struct task *t = node_task(n);
	struct mm *mm = t ? task_get_mm(t) : NULL;
	unsigned long first, at, end;
	char *buf;

	if (t)
		put_task(t);
	else
		return -ESRCH;
	if (!mm)
		return 0;
	first = at = environment ? mm->env_start : mm->arg_start;
	end = environment ? mm->env_end : title_end(mm);
	at += s->at; /* places are offsets */
	buf = kmalloc(PAGE_SIZE, GFP_KERNEL);
	while (buf && at < end) {
		ssize_t got = mm_access(mm, at, buf, min(end - at, PAGE_SIZE), 0);

		if (got <= 0)
			break;
		seq_write(s, buf, (size_t)got);
		at += (unsigned long)got;
		if (seq_pause(s, at - first))
			break;
	}
	put_mm(mm);
	kfree(buf);
	return buf ? 0 : -ENOMEM;
}

static int show_cmdline(struct seq_buf *s, struct proc_node *n)
{
	return show_memory(s, n, false);
}

static int show_environ(struct seq_buf *s, struct proc_node *n)
{
	return show_memory(s, n, true);
}

static int show_auxv(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct mm *mm = t ? task_get_mm(t) : NULL;
	size_t words = 0;

	if (t)
		put_task(t);
	if (!mm)
		return t ? 0 : -ESRCH;
	while (words + 2 < ARRAY_SIZE(mm->auxv) && mm->auxv[words])
		words += 2;
	seq_write(s, mm->auxv, (words + 2) * sizeof(mm->auxv[0]));
	put_mm(mm);
	return 0;
}

/* ---- names ---- */

static int show_comm(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%.15s\n", t->thread.name);
	put_task(t);
	return 0;
}

static int store_comm(struct proc_node *n, char *text, size_t len)
{
	struct task *t = node_task(n);
	int err = 0;

	if (!t)
		return -ESRCH;
	if (t->process != current_process())
		err = -EINVAL;
	else
		task_set_name(t, text);
	put_task(t);
	return err;
}

/* ---- links ---- */

static int jump_exe(struct proc_node *n, struct path *out)
{
	struct task *t = node_task(n);
	struct mm *mm = t ? task_get_mm(t) : NULL;
	struct file *f = mm ? mm_get_exe_file(mm) : NULL;

	if (f) {
		*out = f->path;
		get_path(out);
		put_file(f);
	}
	if (mm)
		put_mm(mm);
	if (t)
		put_task(t);
	return f ? 0 : -ENOENT;
}

static int jump_fs(struct proc_node *n, struct path *out, bool root)
{
	struct task *t = node_task(n);
	struct fs_context *fs = t ? task_get_fs(t) : NULL;

	if (t)
		put_task(t);
	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*out = root ? fs->root : fs->cwd;
	get_path(out);
	spin_unlock(&fs->lock);
	put_fs_context(fs);
	return 0;
}

static int jump_cwd(struct proc_node *n, struct path *out)
{
	return jump_fs(n, out, false);
}

static int jump_root(struct proc_node *n, struct path *out)
{
	return jump_fs(n, out, true);
}

/* ---- mounts ---- */

static int show_mounts_as(struct seq_buf *s, struct proc_node *n, int style)
{
	struct task *t = node_task(n);
	struct fs_context *fs = t ? task_get_fs(t) : NULL;
	struct path root;

	if (t)
		put_task(t);
	if (!fs)
		return t ? -EINVAL : -ESRCH;
	spin_lock(&fs->lock);
	root = fs->root;
	get_path(&root);
	spin_unlock(&fs->lock);
	mounts_show(s, fs->ns, &root, style);
	put_path(&root);
	put_fs_context(fs);
	return 0;
}

static int show_mounts(struct seq_buf *s, struct proc_node *n)
{
	return show_mounts_as(s, n, 0);
}

static int show_mountinfo(struct seq_buf *s, struct proc_node *n)
{
	return show_mounts_as(s, n, 1);
}

static int show_mountstats(struct seq_buf *s, struct proc_node *n)
{
	return show_mounts_as(s, n, 2);
}

static u64 mount_changes(struct wait_queue **wait)
{
	*wait = mount_ns_wait(g_init_mount_ns);
	return READ_ONCE(g_init_mount_ns->event);
}

/* ---- figures ---- */

static const struct {
	const char *name, *unit;
} g_limit_names[RLIM_NLIMITS] = {
	[RLIMIT_CPU] = {"Max cpu time", "seconds"},
	[RLIMIT_FSIZE] = {"Max file size", "bytes"},
	[RLIMIT_DATA] = {"Max data size", "bytes"},
	[RLIMIT_STACK] = {"Max stack size", "bytes"},
	[RLIMIT_CORE] = {"Max core file size", "bytes"},
	[RLIMIT_RSS] = {"Max resident set", "bytes"},
	[RLIMIT_NPROC] = {"Max processes", "processes"},
	[RLIMIT_NOFILE] = {"Max open files", "files"},
	[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
	[RLIMIT_AS] = {"Max address space", "bytes"},
	[RLIMIT_LOCKS] = {"Max file locks", "locks"},
	[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
	[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
	[RLIMIT_NICE] = {"Max nice priority", NULL},
	[RLIMIT_RTPRIO] = {"Max realtime priority", NULL},
	[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
};

static void show_limit(struct seq_buf *s, u64 v)
{
	if (v == RLIM64_INFINITY)
		seq_printf(s, "%-20s ", "unlimited");
	else
		seq_printf(s, "%-20llu ", (unsigned long long)v);
}

static int show_limits(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct limits lim;

	if (!t)
		return -ESRCH;
	spin_lock_irq(&t->process->limits_lock);
	lim = t->process->limits;
	spin_unlock_irq(&t->process->limits_lock);
	put_task(t);
	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		seq_printf(s, "%-25s ", g_limit_names[i].name);
		show_limit(s, lim.lim[i].rlim_cur);
		show_limit(s, lim.lim[i].rlim_max);
		if (g_limit_names[i].unit)
			seq_printf(s, "%-10s", g_limit_names[i].unit);
		seq_putc(s, '\n');
	}
	return 0;
}

static int show_oom_adj(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%d\n", READ_ONCE(t->process->oom_score_adj));
	put_task(t);
	return 0;
}

#define OOM_TEXT_MAX 12 /* bytes of one write that count, as Linux has it */
#define OOM_MAX      1000
#define OOM_OLD_MAX  15 /* of the old scale, whose -17 means never */
#define OOM_OLD_MIN  (-17)

static int set_oom_adj(struct proc_node *n, s64 v)
{
	struct task *t = node_task(n);
	struct mm *mm;
	int err = 0;

	if (!t)
		return -ESRCH;
	if (v < READ_ONCE(t->process->oom_score_adj_min) && !capable(CAP_SYS_RESOURCE)) {
		err = -EACCES;
	} else {
		WRITE_ONCE(t->process->oom_score_adj, (s16)v);
		if (capable(CAP_SYS_RESOURCE))
			WRITE_ONCE(t->process->oom_score_adj_min, (s16)v);
		mm = task_get_mm(t);
		if (mm) {
			WRITE_ONCE(mm->oom_score_adj, (s16)v);
			put_mm(mm);
		}
	}
	put_task(t);
	return err;
}

/* The number that is written. -EINVAL, -ERANGE: no int. */
static int take_oom_number(char *text, size_t len, s64 min, s64 max, s64 *v)
{
	int err;

	if (len > OOM_TEXT_MAX)
		text[OOM_TEXT_MAX] = 0;
	err = parse_s64(proc_trim(text), 0, v);
	if (!err && (*v < INT_MIN || *v > INT_MAX))
		err = -ERANGE;
	return err ? err : *v < min || *v > max ? -EINVAL : 0;
}

static int store_oom_adj(struct proc_node *n, char *text, size_t len)
{
	int used = (int)min_t(size_t, len, OOM_TEXT_MAX), err;
	s64 v;

	err = take_oom_number(text, len, -OOM_MAX, OOM_MAX, &v);
	err = err ? err : set_oom_adj(n, v);
	return err ? err : used;
}

/* The old scale (linux-doc: filesystems/proc.rst): 15 and 1000 are the same, the rest is in
 * proportion to 17. */
static int show_oom_old(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	int v;

	if (!t)
		return -ESRCH;
	v = READ_ONCE(t->process->oom_score_adj);
	put_task(t);
	seq_printf(s, "%d\n", v == OOM_MAX ? OOM_OLD_MAX : v * -OOM_OLD_MIN / OOM_MAX);
	return 0;
}

static int store_oom_old(struct proc_node *n, char *text, size_t len)
{
	int used = (int)min_t(size_t, len, OOM_TEXT_MAX), err;
	s64 v;

	err = take_oom_number(text, len, OOM_OLD_MIN, OOM_OLD_MAX, &v);
	err = err ? err : set_oom_adj(n, v == OOM_OLD_MAX ? OOM_MAX : v * OOM_MAX / -OOM_OLD_MIN);
	return err ? err : used;
}

static int show_oom_score(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct mm *mm = t ? task_get_mm(t) : NULL;
	struct mem_stats mem;
	s64 score = 0;

	if (!t)
		return -ESRCH;
	mem_get_stats(&mem);
	if (mm) {
		score = (s64)(mm_badness_pages(mm) * 1000 / max(mem.total, (u64)1));
		put_mm(mm);
	}
	/* As Linux shows it: 0 to 2000, two thirds of which are the adjustment's range. */
	score = (1000 + max(score + READ_ONCE(t->process->oom_score_adj), (s64)-1000)) * 2 / 3;
	seq_printf(s, "%lld\n", (long long)max(score, (s64)0));
	put_task(t);
	return 0;
}

static int show_io(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n), *i;
	u64 r = 0, w = 0, cr = 0, cw = 0, disk_read = 0, disk_written = 0;
	struct process *p;

	if (!t)
		return -ESRCH;
	p = t->process;
	spin_lock_irq(&p->siglock);
	if (!n->thread) {
		r = p->io_read_bytes;
		w = p->io_write_bytes;
		disk_read = p->io_disk_read;
		disk_written = p->io_disk_written;
		cr = p->io_syscr;
		cw = p->io_syscw;
	}
	list_for_each_entry(i, &p->threads, thread_link) {
		if (n->thread && i != t)
			continue;
		r += i->io_read_bytes;
		w += i->io_write_bytes;
		disk_read += i->thread.io_read;
		disk_written += i->thread.io_written;
		cr += i->io_syscr;
		cw += i->io_syscw;
	}
	spin_unlock_irq(&p->siglock);
	put_task(t);
	seq_printf(s,
		"rchar: %llu\nwchar: %llu\nsyscr: %llu\nsyscw: %llu\nread_bytes: %llu\nwrite_bytes: %llu\ncancelled_write_bytes: 0\n",
		(unsigned long long)r, (unsigned long long)w, (unsigned long long)cr,
		(unsigned long long)cw, (unsigned long long)disk_read,
		(unsigned long long)disk_written);
	return 0;
}

static int show_personality(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);

	if (!t)
		return -ESRCH;
	seq_printf(s, "%08x\n", READ_ONCE(t->personality));
	put_task(t);
	return 0;
}

static int show_cgroup(struct seq_buf *s, struct proc_node *n)
{
	seq_puts(s, "0::/\n");
	return 0;
}

/* Of this thread, by number. */
static int show_children(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	s32 nr = s->at > INT_MAX ? INT_MAX : (s32)s->at;
	struct process *p;

	if (!t)
		return -ESRCH;
	while ((p = process_next(&nr))) {
		bool mine = process_is_child(p, t);

		put_process(p);
		if (mine)
			seq_printf(s, "%d ", nr);
		if (seq_pause(s, (u64)nr))
			break;
		cond_resched();
	}
	put_task(t);
	return 0;
}

/* ---- the directories ---- */

#define FILE(name_, mode_, show_, store_)                                                \
	{                                                                                \
		.name = name_, .mode = S_IFREG | (mode_), .show = show_, .store = store_ \
	}
#define SECRET(name_, show_)                                                               \
	{                                                                                  \
		.name = name_, .mode = S_IFREG | 0400, .show = show_, .flags = PROC_PTRACE \
	}
#define LINK(name_, jump_)                                           \
	{                                                            \
		.name = name_, .mode = S_IFLNK | 0777, .jump = jump_ \
	}
#define COMMON                                                                                    \
	{.name = "attr", .mode = S_IFDIR | 0555, .children = g_attr_entries},                     \
		{.name = "auxv",                                                                  \
			.mode = S_IFREG | 0400,                                                   \
			.show = show_auxv,                                                        \
			.flags = PROC_PTRACE | PROC_SNAPSHOT | PROC_PLAIN},                       \
		FILE("cgroup", 0444, show_cgroup, NULL),                                          \
		FILE("clear_refs", 0200, NULL, pid_store_clear_refs),                             \
		{.name = "cmdline",                                                               \
			.mode = S_IFREG | 0444,                                                   \
			.show = show_cmdline,                                                     \
			.flags = PROC_PLAIN},                                                     \
		FILE("comm", 0644, show_comm, store_comm), LINK("cwd", jump_cwd),                 \
		{.name = "environ",                                                               \
			.mode = S_IFREG | 0400,                                                   \
			.show = show_environ,                                                     \
			.flags = PROC_PTRACE | PROC_MM | PROC_PLAIN},                             \
		LINK("exe", jump_exe), {.name = "fd", .mode = S_IFDIR | 0500, .dir = &g_fd_dir},  \
		{.name = "fdinfo", .mode = S_IFDIR | 0555, .dir = &g_fdinfo_dir},                 \
		FILE("gid_map", 0644, pid_show_id_map, pid_store_refused), SECRET("io", show_io), \
		FILE("limits", 0444, show_limits, NULL),                                          \
		{.name = "maps",                                                                  \
			.mode = S_IFREG | 0444,                                                   \
			.show = pid_show_maps,                                                    \
			.flags = PROC_PTRACE | PROC_MM},                                          \
		{.name = "mem", .mode = S_IFREG | 0600, .fops = &g_pid_mem_fops},                 \
		{.name = "mountinfo",                                                             \
			.mode = S_IFREG | 0444,                                                   \
			.show = show_mountinfo,                                                   \
			.changes = mount_changes},                                                \
		{.name = "mounts",                                                                \
			.mode = S_IFREG | 0444,                                                   \
			.show = show_mounts,                                                      \
			.changes = mount_changes},                                                \
		{.name = "net",                                                                   \
			.mode = S_IFDIR | 0555,                                                   \
			.children = g_net_entries,                                                \
			.flags = PROC_REFUSE},                                                    \
		{.name = "ns", .mode = S_IFDIR | 0511, .children = g_ns_entries},                 \
		FILE("oom_adj", 0644, show_oom_old, store_oom_old),                               \
		FILE("oom_score", 0444, show_oom_score, NULL),                                    \
		{.name = "oom_score_adj",                                                         \
			.mode = S_IFREG | 0644,                                                   \
			.show = show_oom_adj,                                                     \
			.store = store_oom_adj,                                                   \
			.flags = PROC_PLAIN},                                                     \
		{.name = "pagemap", .mode = S_IFREG | 0400, .fops = &g_pid_pagemap_fops},         \
		SECRET("personality", show_personality),                                          \
		FILE("projid_map", 0644, pid_show_id_map, pid_store_refused),                     \
		LINK("root", jump_root), FILE("sched", 0644, pid_show_sched, NULL),               \
		FILE("schedstat", 0444, pid_show_schedstat, NULL),                                \
		FILE("setgroups", 0644, pid_show_setgroups, pid_store_refused),                   \
		{.name = "smaps",                                                                 \
			.mode = S_IFREG | 0444,                                                   \
			.show = pid_show_smaps,                                                   \
			.flags = PROC_PTRACE | PROC_MM},                                          \
		{.name = "smaps_rollup",                                                          \
			.mode = S_IFREG | 0444,                                                   \
			.show = pid_show_rollup,                                                  \
			.flags = PROC_PTRACE | PROC_MM},                                          \
		SECRET("stack", pid_show_stack), FILE("stat", 0444, pid_show_stat, NULL),         \
		FILE("statm", 0444, pid_show_statm, NULL),                                        \
		FILE("status", 0444, pid_show_status, NULL), SECRET("syscall", pid_show_syscall), \
		FILE("uid_map", 0644, pid_show_id_map, pid_store_refused),                        \
		FILE("wchan", 0444, pid_show_wchan, NULL)

static const struct proc_entry g_tid_entries[] = {
	COMMON, FILE("children", 0444, show_children, NULL), {0}};
static const struct proc_entry g_pid_entries[] = {
	COMMON,
	FILE("coredump_filter", 0644, pid_show_dump_filter, pid_store_dump_filter),
	{.name = "map_files", .mode = S_IFDIR | 0500, .dir = &g_map_files_dir},
	{.name = "mountstats", .mode = S_IFREG | 0400, .show = show_mountstats},
	{.name = "task", .mode = S_IFDIR | 0555, .dir = &g_tasks_dir},
	FILE("timens_offsets", 0644, pid_show_time_offsets, pid_store_time_offsets),
	FILE("timers", 0444, pid_show_timers, NULL),
	FILE("timerslack_ns", 0666, pid_show_slack, pid_store_slack),
	{0},
};
const struct proc_entry g_pid_entry = {.mode = S_IFDIR | 0555, .children = g_pid_entries};
const struct proc_entry g_tid_entry = {.mode = S_IFDIR | 0555, .children = g_tid_entries};

/* ---- names of processes and threads ---- */

static s32 parse_nr(const char *name, size_t len)
{
	s32 v = 0;

	if (!len || len > 7 || name[0] == '0')
		return 0;
	while (len--) {
		if (*name < '0' || *name > '9')
			return 0;
		v = v * 10 + (*name++ - '0');
	}
	return v;
}

/* A thread's number leads to a directory too, as on Linux, though it is not listed. */
static int find_pid(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	struct pid *pid = pid_get(parse_nr(name, len));

	if (!pid)
		return -ENOENT;
	if (!rcu_load(pid->task)) {
		put_pid(pid);
		return -ENOENT;
	}
	*out = (struct proc_node){.entry = &g_pid_entry, .pid = pid};
	return 0;
}

static int next_pid(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	s32 nr = *cookie > INT_MAX ? INT_MAX : (s32)*cookie - 1;
	struct process *p = process_next(&nr);

	if (!p)
		return 0;
	put_process(p);
	*cookie = (u64)nr;
	*type = S_IFDIR >> 12;
	return ksnprintf(name, size, "%d", nr);
}

static int find_tid(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	struct task *leader = node_task(dir), *t;
	s32 nr = parse_nr(name, len);
	int err = -ENOENT;

	if (!leader)
		return -ENOENT;
	t = nr ? task_find(nr) : NULL;
	if (t && t->process == leader->process) {
		get_pid(t->pid);
		*out = (struct proc_node){.entry = &g_tid_entry, .pid = t->pid, .thread = true};
		err = 0;
	}
	if (t)
		put_task(t);
	put_task(leader);
	return err;
}

static int next_tid(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	struct task *leader = node_task(dir), *t;
	s32 nr;

	if (!leader)
		return 0;
	t = process_thread_next(leader->process, *cookie > INT_MAX ? INT_MAX : (s32)*cookie - 1);
	put_task(leader);
	if (!t)
		return 0;
	nr = task_tid(t);
	put_task(t);
	*cookie = (u64)nr;
	*type = S_IFDIR >> 12;
	return ksnprintf(name, size, "%d", nr);
}

const struct proc_dir_ops g_pids_dir = {.find = find_pid, .next = next_pid};
const struct proc_dir_ops g_tasks_dir = {.find = find_tid, .next = next_tid};
