/* /proc/PID/ns and what else is about namespaces and security modules: there is one namespace of
 * each kind, and no module. */
#include "procfs.h"
#include <vfs/nsfs.h>

/* ---- ns ---- */

static int jump_ns(struct proc_node *n, struct path *out)
{
	struct task *t = node_task(n);

	if (!t)
		return -ENOENT;
	put_task(t);
	ns_path((enum ns_kind)n->entry->max, out);
	return 0;
}

#define NS(name_, kind)                                                                \
	{                                                                              \
		.name = name_, .mode = S_IFLNK | 0777, .jump = jump_ns, .max = (kind), \
	}

const struct proc_entry g_ns_entries[] = {
	NS("cgroup", NS_CGROUP),
	NS("ipc", NS_IPC),
	NS("mnt", NS_MNT),
	NS("net", NS_NET),
	NS("pid", NS_PID),
	NS("pid_for_children", NS_PID),
	NS("time", NS_TIME),
	NS("time_for_children", NS_TIME),
	NS("user", NS_USER),
	NS("uts", NS_UTS),
	{0},
};

/* ---- ids in the first user namespace ---- */

int pid_show_id_map(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%10u %10u %10u\n", 0, 0, U32_MAX); /* all but -1, each as itself */
	return 0;
}

int pid_show_setgroups(struct seq_buf *s, struct proc_node *n)
{
	seq_puts(s, "allow\n");
	return 0;
}

/* What is written once, and was. */
int pid_store_refused(struct proc_node *n, char *text, size_t len)
{
	return -EPERM;
}

/* ---- clocks in the first time namespace ---- */

int pid_show_time_offsets(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%-10s %10d %9d\n%-10s %10d %9d\n", "monotonic", 0, 0, "boottime", 0, 0);
	return 0;
}

int pid_store_time_offsets(struct proc_node *n, char *text, size_t len)
{
	return -EACCES; /* processes are in it already */
}

/* ---- attr ---- */

static int show_attr(struct seq_buf *s, struct proc_node *n)
{
	return -EINVAL; /* no security module has anything to say */
}

static int store_attr(struct proc_node *n, char *text, size_t len)
{
	return -EINVAL;
}

#define ATTR(name_, mode_, store_)                                                           \
	{                                                                                    \
		.name = name_, .mode = S_IFREG | (mode_), .show = show_attr, .store = store_ \
	}

const struct proc_entry g_attr_entries[] = {
	ATTR("current", 0666, store_attr),
	ATTR("exec", 0666, store_attr),
	ATTR("fscreate", 0666, store_attr),
	ATTR("keycreate", 0666, store_attr),
	ATTR("prev", 0444, NULL),
	ATTR("sockcreate", 0666, store_attr),
	{0},
};
