/* /proc/sys: variables of the modules, each with its range. */
#include "procfs.h"
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <ipc/aio.h>
#include <ipc/ipc.h>
#include <ipc/pipe.h>
#include <kmem/page.h>
#include <mqueue/mqueue.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <process/uts.h>
#include <tty/sysrq.h>
#include <sysv/sysv.h>
#include <vfs/inotify.h>
#include <vfs/quota.h>
#include <vm/writeback.h>

#define NGROUPS_MAX 65536
#define OVERFLOW_ID 65534

/* ---- numbers ---- */

int proc_show_int(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\n", READ_ONCE(*(int *)n->entry->data));
	return 0;
}

int proc_store_int(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, n->entry->min, n->entry->max, &v);

	if (used <= 0)
		return used;
	WRITE_ONCE(*(int *)n->entry->data, (int)v);
	return used;
}

static int show_u64(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%llu\n", (unsigned long long)READ_ONCE(*(u64 *)n->entry->data));
	return 0;
}

static int store_u64(struct proc_node *n, char *text, size_t len)
{
	u64 v;
	int used = proc_one_u64(text, len, &v);

	if (used > 0)
		WRITE_ONCE(*(u64 *)n->entry->data, v);
	return used;
}

/* Whole pages, a power of two of them. */
static int store_pipe_size(struct proc_node *n, char *text, size_t len)
{
	u64 v;
	int used = proc_one_u64(text, len, &v);

	if (used <= 0)
		return used;
	if (v > PIPE_MAX_SIZE_LIMIT)
		return -EINVAL;
	v = max_t(u64, v, PAGE_SIZE);
	if (!is_power_of_2(v))
		v = 2ull << ilog2(v);
	WRITE_ONCE(g_pipe_max_size, (int)v);
	return used;
}

/* A number that cannot be changed: in max. */
static int show_const(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%lld\n", (long long)n->entry->max);
	return 0;
}

/* ---- strings ---- */

static int show_string(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%s\n", (const char *)n->entry->data);
	return 0;
}

static int show_hostname(struct seq_buf *s, struct proc_node *n)
{
	struct new_utsname u;

	uts_get(&u);
	seq_printf(s, "%s\n", n->entry->data ? u.domainname : u.nodename);
	return 0;
}

static int store_hostname(struct proc_node *n, char *text, size_t len)
{
	len = strcspn(text, "\n");
	if (len > __NEW_UTS_LEN)
		len = __NEW_UTS_LEN;
	if (n->entry->data)
		uts_set_domainname(text, len);
	else
		uts_set_nodename(text, len);
	return 0;
}

static int store_core_pattern(struct proc_node *n, char *text, size_t len)
{
	text[strcspn(text, "\n")] = 0;
	(void)str_copy(g_core_pattern, text, sizeof(g_core_pattern));
	return 0;
}

/* ---- others ---- */

/* The console's level is the only one that changes: messages have levels of their own. */
static const int g_other_levels[] = {4, 1, 7};

static int show_printk(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\t%d\t%d\t%d\n", READ_ONCE(g_console_loglevel), g_other_levels[0],
		g_other_levels[1], g_other_levels[2]);
	return 0;
}

static int store_printk(struct proc_node *n, char *text, size_t len)
{
	const char *at = text, *end = text + len;
	s64 level = READ_ONCE(g_console_loglevel), v;

	for (u32 i = 0; i <= ARRAY_SIZE(g_other_levels) && at != end; i++) {
		if (proc_take_s64(&at, end, i ? &v : &level) || level != (int)level)
			return -EINVAL;
		if (i && v != g_other_levels[i - 1])
			return -EINVAL;
	}
	WRITE_ONCE(g_console_loglevel, (int)level);
	return (int)(at - text);
}

static void show_random_uuid(struct seq_buf *s, const u8 *b)
{
	for (int i = 0; i < 16; i++)
		seq_printf(s, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", b[i]);
	seq_putc(s, '\n');
}

static void make_uuid(u8 *b)
{
	random_bytes(b, 16);
	b[6] = (b[6] & 0x0f) | 0x40; /* version 4 */
	b[8] = (b[8] & 0x3f) | 0x80;
}

static int show_uuid(struct seq_buf *s, struct proc_node *n)
{
	u8 b[16];

	make_uuid(b);
	show_random_uuid(s, b);
	return 0;
}

static u8 g_boot_id[16]; /* immutable after start-up */

static int boot_id_init(void)
{
	make_uuid(g_boot_id);
	return 0;
}
INIT_HOOK(INIT_LATE, boot_id_init);

static int show_boot_id(struct seq_buf *s, struct proc_node *n)
{
	show_random_uuid(s, g_boot_id);
	return 0;
}

static int show_entropy(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\n", random_ready() ? 256 : 0);
	return 0;
}

static int show_aio_nr(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%llu\n", (unsigned long long)aio_nr());
	return 0;
}

static int show_file_nr(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%lld\t0\t%llu\n", (long long)files_open(), (unsigned long long)g_max_files);
	return 0;
}

/* The shares of real-time threads are checked against each other. */
static int store_rt_share(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, INT_MIN, INT_MAX, &v), err;

	if (used <= 0)
		return used;
	if (n->entry->data == &g_sched_rt_period_us)
		err = sched_set_rt_share(READ_ONCE(g_sched_rt_runtime_us), (int)v);
	else
		err = sched_set_rt_share((int)v, READ_ONCE(g_sched_rt_period_us));
	return err ? err : used;
}

#define RR_TIMESLICE_MS 100

/* Nothing or less: the default again. */
static int store_rr_timeslice(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, INT_MIN, INT_MAX, &v);

	if (used <= 0)
		return used;
	WRITE_ONCE(g_sched_rr_timeslice_ms, v > 0 ? (int)v : RR_TIMESLICE_MS);
	return used;
}

static int show_min_free(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%llu\n", (unsigned long long)page_min_free_kib());
	return 0;
}

static int store_min_free(struct proc_node *n, char *text, size_t len)
{
	s64 kib;
	int used = proc_one_within(text, len, 0, INT_MAX, &kib);

	if (used > 0)
		page_set_min_free_kib((u64)kib);
	return used;
}

/* The limit is a share of memory or a number: setting one clears the other. */
static int store_overcommit(struct proc_node *n, char *text, size_t len)
{
	u64 v;
	int used = proc_one_u64(text, len, &v);

	if (used <= 0)
		return used;
	if (n->entry->data == &g_overcommit_kbytes) {
		WRITE_ONCE(g_overcommit_kbytes, v);
		WRITE_ONCE(g_overcommit_ratio, 0);
		return used;
	}
	if (v > INT_MAX)
		return -EINVAL;
	WRITE_ONCE(g_overcommit_ratio, (int)v);
	WRITE_ONCE(g_overcommit_kbytes, 0);
	return used;
}

static int show_last_pid(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\n", READ_ONCE(g_last_pid));
	return 0;
}

/* For who restores processes with the numbers that they had. */
static int store_last_pid(struct proc_node *n, char *text, size_t len)
{
	s64 nr;
	int used;

	if (!capable(CAP_SYS_ADMIN) && !capable(CAP_CHECKPOINT_RESTORE))
		return -EPERM;
	used = proc_one_within(text, len, 0, READ_ONCE(g_pid_max), &nr);
	if (used > 0)
		pid_set_last((s32)nr);
	return used;
}

/* Inodes that nobody uses don't stay: names keep those that are worth it. */
static int show_inode_nr(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%llu\t0\n", (unsigned long long)inodes_allocated());
	return 0;
}

static int show_inode_state(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%llu\t0\t0\t0\t0\t0\t0\n", (unsigned long long)inodes_allocated());
	return 0;
}

#define DENTRY_AGE_LIMIT 45 /* a number that Linux shows and doesn't use, either */

static int show_dentry_state(struct seq_buf *s, struct proc_node *n)
{
	u64 all, unused, negative;

	dcache_get_stats(&all, &unused, &negative);
	seq_printf(s, "%llu\t%llu\t%d\t0\t%llu\t0\n", (unsigned long long)all,
		(unsigned long long)unused, DENTRY_AGE_LIMIT, (unsigned long long)negative);
	return 0;
}

#define INT(name_, var, min_, max_)                                               \
	{                                                                         \
		.name = name_, .mode = S_IFREG | 0644, .show = proc_show_int,     \
		.store = proc_store_int, .data = &(var), .min = min_, .max = max_ \
	}
#define CONST(name_, value)                                                             \
	{                                                                               \
		.name = name_, .mode = S_IFREG | 0444, .show = show_const, .max = value \
	}
#define STRING(name_, text)                                                                        \
	{                                                                                          \
		.name = name_, .mode = S_IFREG | 0444, .show = show_string, .data = (void *)(text) \
	}
#define SHOW(name_, fn)                                           \
	{                                                         \
		.name = name_, .mode = S_IFREG | 0444, .show = fn \
	}
#define DIR(name_, list)                                                \
	{                                                               \
		.name = name_, .mode = S_IFDIR | 0555, .children = list \
	}

#define U64(name_, var)                                                                      \
	{                                                                                    \
		.name = name_, .mode = S_IFREG | 0644, .show = show_u64, .store = store_u64, \
		.data = &(var)                                                               \
	}

static const struct proc_entry g_random_entries[] = {
	SHOW("boot_id", show_boot_id),
	SHOW("entropy_avail", show_entropy),
	CONST("poolsize", 256),
	SHOW("uuid", show_uuid),
	{0},
};

static const struct proc_entry g_pty_entries[] = {CONST("max", 4096), {0}};

static int store_hung_timeout(struct proc_node *n, char *text, size_t len)
{
	int used = proc_store_int(n, text, len);

	if (used > 0)
		hung_task_restart();
	return used;
}

static const struct proc_entry g_kernel_entries[] = {
	STRING("arch", "x86_64"),
	CONST("cap_last_cap", CAP_LAST_CAP),
	{.name = "core_pattern",
		.mode = S_IFREG | 0644,
		.show = show_string,
		.store = store_core_pattern,
		.data = g_core_pattern},
	INT("core_uses_pid", g_core_uses_pid, INT_MIN, INT_MAX),
	INT("dmesg_restrict", g_dmesg_restrict, 0, 1),
	{.name = "domainname",
		.mode = S_IFREG | 0644,
		.show = show_hostname,
		.store = store_hostname,
		.data = "domain"},
	{.name = "hostname", .mode = S_IFREG | 0644, .show = show_hostname, .store = store_hostname},
	INT("hung_task_panic", g_hung_task_panic, 0, 1),
	{.name = "hung_task_timeout_secs",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_hung_timeout,
		.data = &g_hung_task_timeout_secs,
		.min = 0,
		.max = INT_MAX / 4},
	INT("hung_task_warnings", g_hung_task_warnings, -1, INT_MAX),
	INT("msgmax", g_msg_max, 0, INT_MAX),
	INT("msgmnb", g_msg_mnb, 0, INT_MAX),
	INT("msgmni", g_msg_mni, 0, SYSV_IPC_MNI),
	CONST("ngroups_max", NGROUPS_MAX),
	{.name = "ns_last_pid",
		.mode = S_IFREG | 0666,
		.show = show_last_pid,
		.store = store_last_pid},
	STRING("osrelease", UTS_RELEASE),
	STRING("ostype", "Linux"),
	CONST("overflowgid", OVERFLOW_ID),
	CONST("overflowuid", OVERFLOW_ID),
	INT("panic", g_panic_timeout, INT_MIN, INT_MAX),
	INT("panic_on_warn", g_panic_on_warn, 0, 1),
	INT("pid_max", g_pid_max, 301, PROC_NR_MAX_LIMIT),
	{.name = "printk", .mode = S_IFREG | 0644, .show = show_printk, .store = store_printk},
	DIR("pty", g_pty_entries),
	DIR("random", g_random_entries),
	INT("randomize_va_space", g_randomize_va_space, INT_MIN, INT_MAX),
	INT("sysrq", g_sysrq, INT_MIN, INT_MAX),
	CONST("tainted", 0),
	{.name = "sched_rr_timeslice_ms",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_rr_timeslice,
		.data = &g_sched_rr_timeslice_ms},
	{.name = "sched_rt_period_us",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_rt_share,
		.data = &g_sched_rt_period_us},
	{.name = "sched_rt_runtime_us",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_rt_share,
		.data = &g_sched_rt_runtime_us},
	{.name = "sem",
		.mode = S_IFREG | 0644,
		.show = proc_show_sem_limits,
		.store = proc_store_sem_limits},
	{.name = "shm_rmid_forced",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = proc_store_shm_forced,
		.data = &g_shm_forced,
		.min = 0,
		.max = 1},
	U64("shmall", g_shm_all),
	U64("shmmax", g_shm_max),
	INT("shmmni", g_shm_mni, 0, SYSV_IPC_MNI),
	INT("threads-max", g_threads_max, 20, 0x3fffffff),
	STRING("version", UTS_VERSION),
	{0},
};

static int store_drop_caches(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int used = proc_one_within(text, len, 1, 4, &v);

	if (used <= 0)
		return used;
	mem_drop_caches((u32)v);
	return used;
}

/* Setting bytes clears the ratio and the other way round, as both name one limit. */
static int store_dirty(struct proc_node *n, char *text, size_t len)
{
	u64 v;
	int used = proc_one_u64(text, len, &v);

	if (used <= 0)
		return used;
	if (n->entry->data == &g_dirty_bytes || n->entry->data == &g_dirty_background_bytes) {
		bool limit = n->entry->data == &g_dirty_bytes;

		if (v < 2 * PAGE_SIZE && limit)
			return -EINVAL;
		WRITE_ONCE(*(u64 *)n->entry->data, v);
		WRITE_ONCE(*(limit ? &g_dirty_ratio : &g_dirty_background_ratio), 0);
		return used;
	}
	if (v > 100)
		return -EINVAL;
	WRITE_ONCE(*(u32 *)n->entry->data, (u32)v);
	if (n->entry->data == &g_dirty_ratio)
		WRITE_ONCE(g_dirty_bytes, 0);
	else
		WRITE_ONCE(g_dirty_background_bytes, 0);
	return used;
}

#define DIRTY(name_, var, show_)                                                            \
	{                                                                                   \
		.name = name_, .mode = S_IFREG | 0644, .show = show_, .store = store_dirty, \
		.data = &(var)                                                              \
	}

static const struct proc_entry g_vm_entries[] = {
	U64("admin_reserve_kbytes", g_admin_reserve_kbytes),
	DIRTY("dirty_background_bytes", g_dirty_background_bytes, show_u64),
	DIRTY("dirty_background_ratio", g_dirty_background_ratio, proc_show_int),
	DIRTY("dirty_bytes", g_dirty_bytes, show_u64),
	INT("dirty_expire_centisecs", g_dirty_expire_centisecs, 0, INT_MAX),
	DIRTY("dirty_ratio", g_dirty_ratio, proc_show_int),
	INT("dirty_writeback_centisecs", g_dirty_writeback_centisecs, 0, INT_MAX),
	{.name = "drop_caches", .mode = S_IFREG | 0200, .store = store_drop_caches},
	INT("max_map_count", g_max_map_count, 0, INT_MAX),
	{.name = "min_free_kbytes",
		.mode = S_IFREG | 0644,
		.show = show_min_free,
		.store = store_min_free},
	CONST("mmap_min_addr", USER_START),
	INT("oom_kill_allocating_task", g_oom_kill_allocating_task, INT_MIN, INT_MAX),
	{.name = "overcommit_kbytes",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_overcommit,
		.data = &g_overcommit_kbytes},
	INT("overcommit_memory", g_overcommit_memory, 0, 2),
	{.name = "overcommit_ratio",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_overcommit,
		.data = &g_overcommit_ratio},
	INT("panic_on_oom", g_panic_on_oom, 0, 2),
	CONST("swappiness", 0), /* there is no swap */
	U64("user_reserve_kbytes", g_user_reserve_kbytes),
	INT("vfs_cache_pressure", g_vfs_cache_pressure, 0, INT_MAX),
	{0},
};

static const struct proc_entry g_epoll_entries[] = {
	{.name = "max_user_watches",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_u64,
		.data = &g_epoll_max_watches},
	{0},
};

static const struct proc_entry g_inotify_entries[] = {
	INT("max_queued_events", g_inotify_max_events, 0, INT_MAX),
	INT("max_user_instances", g_inotify_max_instances, 0, INT_MAX),
	INT("max_user_watches", g_inotify_max_watches, 0, INT_MAX),
	{0},
};

#define QUOTA_STAT(title, field)                                           \
	{                                                                  \
		.name = (title), .mode = S_IFREG | 0444, .show = show_u64, \
		.data = &g_quota_stats.field                               \
	}

static const struct proc_entry g_quota_entries[] = {
	QUOTA_STAT("allocated_dquots", allocated),
	QUOTA_STAT("cache_hits", cache_hits),
	QUOTA_STAT("drops", drops),
	QUOTA_STAT("free_dquots", free),
	QUOTA_STAT("lookups", lookups),
	QUOTA_STAT("reads", reads),
	QUOTA_STAT("syncs", syncs),
	QUOTA_STAT("writes", writes),
	{0},
};

static const struct proc_entry g_mqueue_entries[] = {
	INT("msg_default", g_mq_msg_default, 1, MQ_HARD_MSG_MAX),
	INT("msg_max", g_mq_msg_max, 1, MQ_HARD_MSG_MAX),
	INT("msgsize_default", g_mq_size_default, MQ_MIN_SIZE_MAX, MQ_HARD_SIZE_MAX),
	INT("msgsize_max", g_mq_size_max, MQ_MIN_SIZE_MAX, MQ_HARD_SIZE_MAX),
	INT("queues_max", g_mq_queues_max, INT_MIN, INT_MAX),
	{0},
};

static const struct proc_entry g_fs_entries[] = {
	{.name = "aio-max-nr",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_u64,
		.data = &g_aio_max_nr},
	SHOW("aio-nr", show_aio_nr),
	SHOW("dentry-state", show_dentry_state),
	DIR("epoll", g_epoll_entries),
	{.name = "file-max",
		.mode = S_IFREG | 0644,
		.show = show_u64,
		.store = store_u64,
		.data = &g_max_files},
	SHOW("file-nr", show_file_nr),
	SHOW("inode-nr", show_inode_nr),
	SHOW("inode-state", show_inode_state),
	DIR("inotify", g_inotify_entries),
	INT("mount-max", g_mount_max, 1, INT_MAX),
	DIR("mqueue", g_mqueue_entries),
	INT("nr_open", g_nr_open_max, 64, 1 << 20),
	CONST("overflowgid", OVERFLOW_ID),
	CONST("overflowuid", OVERFLOW_ID),
	{.name = "pipe-max-size",
		.mode = S_IFREG | 0644,
		.show = proc_show_int,
		.store = store_pipe_size,
		.data = &g_pipe_max_size},
	INT("pipe-user-pages-hard", g_pipe_user_pages_hard, 0, INT_MAX),
	INT("pipe-user-pages-soft", g_pipe_user_pages_soft, 0, INT_MAX),
	INT("protected_fifos", g_protected_fifos, 0, 2),
	INT("protected_hardlinks", g_protected_hardlinks, 0, 1),
	INT("protected_regular", g_protected_regular, 0, 2),
	INT("protected_symlinks", g_protected_symlinks, 0, 1),
	DIR("quota", g_quota_entries),
	INT("suid_dumpable", g_suid_dumpable, 0, 2),
	{0},
};

const struct proc_entry g_sys_entries[] = {
	DIR("fs", g_fs_entries),
	DIR("kernel", g_kernel_entries),
	DIR("net", g_sys_net_entries),
	DIR("vm", g_vm_entries),
	{0},
};
