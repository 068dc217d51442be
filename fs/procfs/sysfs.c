/*
 * sysfs: CPUs, the character devices that are always there, and the directories that programs
 * expect. There is no device model behind it yet: a bus or a driver adds its entries here.
 */
#include "procfs.h"
#include <core/init.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/magic.h>

#define FILE(name_, show_, data_)                                                             \
	{                                                                                     \
		.name = name_, .mode = S_IFREG | 0444, .show = show_, .data = (void *)(data_) \
	}
#define DIR(name_, list)                                                \
	{                                                               \
		.name = name_, .mode = S_IFDIR | 0755, .children = list \
	}
#define GENERATED(name_, ops)                                        \
	{                                                            \
		.name = name_, .mode = S_IFDIR | 0755, .dir = &(ops) \
	}
#define EMPTY(name_)                                  \
	{                                             \
		.name = name_, .mode = S_IFDIR | 0755 \
	}

static int show_text(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%s\n", (const char *)n->entry->data);
	return 0;
}

/* ---- processors ---- */

static int show_cpus(struct seq_buf *s, struct proc_node *n)
{
	show_cpu_list(s, online_mask());
	seq_putc(s, '\n');
	return 0;
}

static const struct proc_entry g_cpu_entry = {.mode = S_IFDIR | 0755};

static int find_cpu(struct proc_node *dir, const char *name, size_t len, struct proc_node *out)
{
	char digits[8];
	u64 nr;

	if (len < 4 || len > 8 || memcmp(name, "cpu", 3) != 0 || (len > 4 && name[3] == '0'))
		return -ENOENT;
	memcpy(digits, name + 3, len - 3);
	digits[len - 3] = 0;
	if (parse_u64(digits, 10, &nr) || nr >= (u64)g_nr_cpus)
		return -ENOENT;
	*out = (struct proc_node){.entry = &g_cpu_entry};
	return 0;
}

static int next_cpu(struct proc_node *dir, u64 *cookie, char *name, size_t size, u8 *type)
{
	*type = S_IFDIR >> 12;
	return *cookie < (u64)g_nr_cpus ? ksnprintf(name, size, "cpu%d", (int)*cookie) : 0;
}

static const struct proc_dir_ops g_cpus_dir = {.find = find_cpu, .next = next_cpu};
static const struct proc_entry g_cpu_files[] = {
	FILE("online", show_cpus, NULL),
	FILE("possible", show_cpus, NULL),
	FILE("present", show_cpus, NULL),
	{0},
};
static const struct proc_entry g_system[] = {
	{.name = "cpu", .mode = S_IFDIR | 0755, .children = g_cpu_files, .dir = &g_cpus_dir}, {0}};
static const struct proc_entry g_virtual[] = {
	GENERATED("block", g_disks_dir), GENERATED("net", g_netifs_dir), {0}};
static const struct proc_entry g_devices[] = {
	DIR("system", g_system), DIR("virtual", g_virtual), {0}};

/* ---- classes ---- */

#define DEVICE(id, name_, numbers)                      \
	static const struct proc_entry g_dev_##id[] = { \
		FILE("dev", show_text, numbers), FILE("uevent", show_text, "DEVNAME=" name_), {0}}

DEVICE(null, "null", "1:3");
DEVICE(zero, "zero", "1:5");
DEVICE(full, "full", "1:7");
DEVICE(random, "random", "1:8");
DEVICE(urandom, "urandom", "1:9");
DEVICE(kmsg, "kmsg", "1:11");
DEVICE(tty, "tty", "5:0");
DEVICE(console, "console", "5:1");
DEVICE(ptmx, "ptmx", "5:2");
DEVICE(ttyS0, "ttyS0", "4:64");

static const struct proc_entry g_mem_class[] = {DIR("full", g_dev_full), DIR("kmsg", g_dev_kmsg),
	DIR("null", g_dev_null), DIR("random", g_dev_random), DIR("urandom", g_dev_urandom),
	DIR("zero", g_dev_zero), {0}};
static const struct proc_entry g_tty_class[] = {DIR("console", g_dev_console),
	DIR("ptmx", g_dev_ptmx), DIR("tty", g_dev_tty), DIR("ttyS0", g_dev_ttyS0), {0}};
static const struct proc_entry g_class[] = {GENERATED("block", g_class_block_links),
	DIR("mem", g_mem_class), GENERATED("net", g_class_net_links), DIR("tty", g_tty_class), {0}};
static const struct proc_entry g_dev[] = {
	GENERATED("block", g_dev_block_links), EMPTY("char"), {0}};

/* ---- kernel ---- */

static int show_huge(struct seq_buf *s, struct proc_node *n)
{
	static const char *const text[] = {
		"always madvise [never]\n", "always [madvise] never\n", "[always] madvise never\n"};

	seq_puts(s, text[READ_ONCE(g_huge_policy) % 3]);
	return 0;
}

static int store_huge(struct proc_node *n, char *text, size_t len)
{
	static const char *const names[] = {"never", "madvise", "always"};

	text[strcspn(text, "\n")] = 0;
	for (int i = 0; i < 3; i++)
		if (strcmp(text, names[i]) == 0) {
			WRITE_ONCE(g_huge_policy, i);
			return 0;
		}
	return -EINVAL;
}

static const struct proc_entry g_thp[] = {
	{.name = "enabled", .mode = S_IFREG | 0644, .show = show_huge, .store = store_huge},
	FILE("hpage_pmd_size", show_text, "2097152"),
	{0},
};
static const struct proc_entry g_mm[] = {DIR("transparent_hugepage", g_thp), {0}};
static const struct proc_entry g_kernel[] = {DIR("mm", g_mm), {0}};

static const struct proc_entry g_top[] = {GENERATED("block", g_block_links), EMPTY("bus"),
	DIR("class", g_class), DIR("dev", g_dev), DIR("devices", g_devices), EMPTY("firmware"),
	EMPTY("fs"), DIR("kernel", g_kernel), EMPTY("module"), EMPTY("power"), {0}};
static const struct proc_entry g_sysfs_root = {.mode = S_IFDIR | 0555, .children = g_top};

static struct mount *g_mount; /* holds the one instance; immutable after init */

static struct super *sysfs_mount(
	const struct fs_type *t, const char *source, u32 flags, const char *data)
{
	if (data && *data)
		return err_ptr(-EINVAL);
	if (!g_mount)
		return proc_tree_mount(t, flags, SYSFS_MAGIC, &g_sysfs_root);
	ref_get(&g_mount->super->refs);
	return g_mount->super;
}

static struct fs_type g_sysfs_type = {.name = "sysfs", .mount = sysfs_mount};

static int sysfs_init(void)
{
	int err = fs_type_register(&g_sysfs_type);
	struct mount *m;

	if (err)
		return err;
	m = vfs_kern_mount("sysfs", "sysfs", NULL);
	if (is_err(m))
		return ptr_err(m);
	g_mount = m;
	return 0;
}
INIT_HOOK(INIT_FS, sysfs_init);
