/* /proc/sysvipc, and the limits of System V IPC in /proc/sys/kernel. */
#include "procfs.h"
#include <sysv/sysv.h>

static int show_shm(struct seq_buf *s, struct proc_node *n)
{
	shm_show(s);
	return 0;
}

static int show_sem(struct seq_buf *s, struct proc_node *n)
{
	sem_show(s);
	return 0;
}

static int show_msg(struct seq_buf *s, struct proc_node *n)
{
	msg_show(s);
	return 0;
}

const struct proc_entry g_sysvipc_entries[] = {
	{.name = "msg", .mode = S_IFREG | 0444, .show = show_msg},
	{.name = "sem", .mode = S_IFREG | 0444, .show = show_sem},
	{.name = "shm", .mode = S_IFREG | 0444, .show = show_shm},
	{0},
};

/* ---- limits ---- */

int proc_show_sem_limits(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\t%d\t%d\t%d\n", READ_ONCE(g_sem_limits[0]), READ_ONCE(g_sem_limits[1]),
		READ_ONCE(g_sem_limits[2]), READ_ONCE(g_sem_limits[3]));
	return 0;
}

/* Up to four numbers; those that are not written stay. */
int proc_store_sem_limits(struct proc_node *n, char *text, size_t len)
{
	const char *at = text, *end = text + len;
	s64 v[4];
	u32 nr = 0;

	while (nr < 4 && at != end) {
		if (proc_take_s64(&at, end, &v[nr]) || v[nr] != (int)v[nr])
			return -EINVAL;
		nr++;
	}
	if (nr == 4 && (v[3] < 0 || v[3] > SYSV_IPC_MNI))
		return -ERANGE;
	for (u32 i = 0; i < nr; i++)
		WRITE_ONCE(g_sem_limits[i], (int)v[i]);
	return (int)(at - text);
}

int proc_store_shm_forced(struct proc_node *n, char *text, size_t len)
{
	int used = proc_store_int(n, text, len);

	if (used > 0 && READ_ONCE(g_shm_forced))
		shm_remove_orphans();
	return used;
}
