/* /proc files of the whole system. */
#include "procfs.h"
#include <block/block.h>
#include <core/counters.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/trace.h>
#include <kmem/faults.h>
#include <kmem/page.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <net/context.h>
#include <process/uts.h>
#include <sched/timer.h>
#include <tty/sysrq.h>

#define LOAD_SHIFT 11 /* sched_stats.load_avg */

static int show_cmdline(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%s\n", g_boot_info.cmdline);
	return 0;
}

static int show_cpuinfo(struct seq_buf *s, struct proc_node *n)
{
	arch_show_cpuinfo(s);
	return 0;
}

static int show_devices(struct seq_buf *s, struct proc_node *n)
{
	devices_show(s);
	return 0;
}

static int show_filesystems(struct seq_buf *s, struct proc_node *n)
{
	fs_types_show(s);
	return 0;
}

static int show_interrupts(struct seq_buf *s, struct proc_node *n)
{
	irq_show(s);
	return 0;
}

static int show_locks(struct seq_buf *s, struct proc_node *n)
{
	locks_show(s);
	return 0;
}

static int show_counters(struct seq_buf *s, struct proc_node *n)
{
	counters_show(s);
	return 0;
}

static int show_spinlocks(struct seq_buf *s, struct proc_node *n)
{
	lock_stats_show(s);
	return 0;
}

static int show_loadavg(struct seq_buf *s, struct proc_node *n)
{
	struct sched_stats st;

	sched_get_stats(&st);
	for (int i = 0; i < 3; i++) {
		u64 v = st.load_avg[i] + (1 << LOAD_SHIFT) / 200; /* rounded to 1/100 */

		seq_printf(s, "%llu.%02llu ", (unsigned long long)(v >> LOAD_SHIFT),
			(unsigned long long)((v & ((1 << LOAD_SHIFT) - 1)) * 100 >> LOAD_SHIFT));
	}
	seq_printf(s, "%u/%u %d\n", max(st.running, 1u), st.threads, READ_ONCE(g_last_pid));
	return 0;
}

static void kb(struct seq_buf *s, const char *name, u64 pages)
{
	size_t begin = s->len;

	seq_printf(s, "%s:", name);
	while (s->len - begin < 16 && !s->overflow)
		seq_putc(s, ' ');
	seq_printf(s, "%8llu kB\n", (unsigned long long)pages << (PAGE_SHIFT - 10));
}

static int show_meminfo(struct seq_buf *s, struct proc_node *n)
{
	struct mem_stats m;
	u64 evictable, active, inactive, unaged;

	mem_get_stats(&m);
	/* tmpfs's and locked pages are cached but cannot be given up */
	evictable = m.cached > m.shmem + m.mlocked_file ? m.cached - m.shmem - m.mlocked_file : 0;
	kb(s, "MemTotal", m.total);
	kb(s, "MemFree", m.free);
	kb(s, "MemAvailable",
		m.free - min(m.free, page_low_watermark()) + evictable + m.slab_reclaimable);
	kb(s, "Buffers", 0);
	kb(s, "Cached", m.cached);
	kb(s, "SwapCached", 0);
	lru_get_stats(&active, &inactive);
	/* Without swap anonymous memory and tmpfs don't age: all of it is as new. Locked pages of
	 * files stay where they are among the others. */
	kb(s, "Active", active);
	unaged = m.anon + m.shmem - min(m.anon + m.shmem, m.mlocked - m.mlocked_file);
	kb(s, "Inactive", unaged + inactive);
	kb(s, "Active(anon)", 0);
	kb(s, "Inactive(anon)", unaged);
	kb(s, "Active(file)", active);
	kb(s, "Inactive(file)", inactive);
	kb(s, "Unevictable", m.mlocked);
	kb(s, "Mlocked", m.mlocked);
	kb(s, "SwapTotal", 0);
	kb(s, "SwapFree", 0);
	kb(s, "Dirty", m.dirty);
	kb(s, "Writeback", m.writeback);
	kb(s, "AnonPages", m.anon);
	kb(s, "Mapped", m.mapped);
	kb(s, "Shmem", m.shmem);
	kb(s, "KReclaimable", m.slab_reclaimable);
	kb(s, "Slab", m.slab + m.slab_reclaimable);
	kb(s, "SReclaimable", m.slab_reclaimable);
	kb(s, "SUnreclaim", m.slab);
	kb(s, "KernelStack", m.kernel_stacks);
	kb(s, "PageTables", m.page_tables);
	kb(s, "NFS_Unstable", 0);
	kb(s, "Bounce", 0);
	kb(s, "WritebackTmp", 0);
	kb(s, "CommitLimit", vm_commit_limit_pages());
	kb(s, "Committed_AS", vm_committed_pages());
	kb(s, "VmallocTotal", (VMALLOC_END - VMALLOC_START) >> PAGE_SHIFT);
	kb(s, "VmallocUsed", m.vmalloc);
	kb(s, "VmallocChunk", 0); /* Linux says 0 always */
	kb(s, "Percpu", m.percpu);
	/* 2 MiB pages are for anonymous memory only. */
	kb(s, "AnonHugePages", m.anon_huge);
	kb(s, "ShmemHugePages", 0);
	kb(s, "ShmemPmdMapped", 0);
	kb(s, "FileHugePages", 0);
	kb(s, "FilePmdMapped", 0);
	arch_show_meminfo(s);
	return 0;
}

static void show_times(struct seq_buf *s, const struct cpu_times *t)
{
	seq_printf(s, " %llu %llu %llu %llu %llu %llu %llu 0 0 0\n",
		(unsigned long long)ns_to_ticks(t->user_ns),
		(unsigned long long)ns_to_ticks(t->nice_ns),
		(unsigned long long)ns_to_ticks(t->system_ns),
		(unsigned long long)ns_to_ticks(t->idle_ns),
		(unsigned long long)ns_to_ticks(t->iowait_ns),
		(unsigned long long)ns_to_ticks(t->irq_ns),
		(unsigned long long)ns_to_ticks(t->softirq_ns));
}

static void sum_times(struct cpu_times *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < g_nr_cpus; cpu++) {
		struct cpu_times t;

		sched_cpu_times(cpu, &t);
		sum->user_ns += t.user_ns;
		sum->nice_ns += t.nice_ns;
		sum->system_ns += t.system_ns;
		sum->idle_ns += t.idle_ns;
		sum->iowait_ns += t.iowait_ns;
		sum->irq_ns += t.irq_ns;
		sum->softirq_ns += t.softirq_ns;
	}
}

/* HI TIMER NET_TX NET_RX BLOCK IRQ_POLL TASKLET SCHED HRTIMER RCU: of these there is the packet
 * context only, what Linux does in the others runs in interrupts and threads. */
static void show_softirqs(struct seq_buf *s)
{
	unsigned long long rounds = 0;

	for_each_online_cpu(cpu)
		rounds += net_cpu_stats(cpu)->rounds;
	seq_printf(s, "softirq %llu 0 0 0 %llu 0 0 0 0 0 0\n", rounds, rounds);
}

static int show_stat(struct seq_buf *s, struct proc_node *n)
{
	struct sched_stats st;
	struct cpu_times t;

	sum_times(&t);
	seq_puts(s, "cpu ");
	show_times(s, &t);
	for (int cpu = 0; cpu < g_nr_cpus; cpu++) {
		sched_cpu_times(cpu, &t);
		seq_printf(s, "cpu%d", cpu);
		show_times(s, &t);
	}
	sched_get_stats(&st);
	seq_printf(s, "intr %llu", (unsigned long long)irq_count());
	irq_show_counts(s);
	seq_printf(s,
		"\nctxt %llu\nbtime %lld\nprocesses %llu\nprocs_running %u\nprocs_blocked %u\n",
		(unsigned long long)st.context_switches,
		(long long)(clock_real_offset_ns() / NS_PER_SEC), (unsigned long long)st.forks,
		max(st.running, 1u), st.blocked);
	show_softirqs(s);
	return 0;
}

static int show_uptime(struct seq_buf *s, struct proc_node *n)
{
	u64 cs = (u64)clock_mono_ns() / (NS_PER_SEC / 100), idle;
	struct cpu_times t;

	sum_times(&t);
	idle = t.idle_ns / (NS_PER_SEC / 100);
	seq_printf(s, "%llu.%02llu %llu.%02llu\n", (unsigned long long)(cs / 100),
		(unsigned long long)(cs % 100), (unsigned long long)(idle / 100),
		(unsigned long long)(idle % 100));
	return 0;
}

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc (GCC) " __VERSION__
#endif

/* Linux's form: release (who@where) (compiler) version. */
static int show_version(struct seq_buf *s, struct proc_node *n)
{
	seq_puts(s,
		"Linux version " UTS_RELEASE " (aramid@aramid) (" COMPILER ") " UTS_VERSION "\n");
	return 0;
}

static void row(struct seq_buf *s, const char *name, u64 v)
{
	seq_printf(s, "%s %llu\n", name, (unsigned long long)v);
}

static int show_vmstat(struct seq_buf *s, struct proc_node *n)
{
	struct mem_stats m;
	u64 read, written;

	mem_get_stats(&m);
	block_sectors(&read, &written);
	row(s, "nr_free_pages", m.free);
	row(s, "nr_unevictable", m.mlocked);
	row(s, "nr_slab_reclaimable", m.slab_reclaimable);
	row(s, "nr_slab_unreclaimable", m.slab);
	row(s, "nr_anon_pages", m.anon);
	row(s, "nr_mapped", m.mapped);
	row(s, "nr_file_pages", m.cached);
	row(s, "nr_dirty", m.dirty);
	row(s, "nr_writeback", m.writeback);
	row(s, "nr_shmem", m.shmem);
	row(s, "nr_anon_transparent_hugepages", m.anon_huge / (HUGE_SIZE >> PAGE_SHIFT));
	row(s, "nr_kernel_stack", m.kernel_stacks << (PAGE_SHIFT - 10)); /* KiB */
	row(s, "nr_page_table_pages", m.page_tables);
	row(s, "nr_mlock", m.mlocked);
	row(s, "pgpgin", read / 2); /* KiB */
	row(s, "pgpgout", written / 2);
	row(s, "pswpin", 0); /* no swap */
	row(s, "pswpout", 0);
	return 0;
}

/* Tables that are empty here but whose heading programs expect. */
static int show_swaps(struct seq_buf *s, struct proc_node *n)
{
	seq_puts(s, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}

static int show_partitions(struct seq_buf *s, struct proc_node *n)
{
	partitions_show(s);
	return 0;
}

static int show_diskstats(struct seq_buf *s, struct proc_node *n)
{
	diskstats_show(s);
	return 0;
}

static int show_tty_drivers(struct seq_buf *s, struct proc_node *n)
{
	seq_puts(s,
		"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
		"/dev/console         /dev/console    5       1 system:console\n"
		"/dev/ptmx            /dev/ptmx       5       2 system\n"
		"serial               /dev/ttyS       4 64-95 serial\n"
		"pty_slave            /dev/pts      136 0-4095 pty:slave\n");
	return 0;
}

/* ---- links ---- */

static int link_self(struct proc_node *n, char *buf, size_t size)
{
	ksnprintf(buf, size, "%d", process_pid(current_process()));
	return 0;
}

static int link_thread_self(struct proc_node *n, char *buf, size_t size)
{
	ksnprintf(
		buf, size, "%d/task/%d", process_pid(current_process()), task_tid(current_task()));
	return 0;
}

static int link_mounts(struct proc_node *n, char *buf, size_t size)
{
	(void)str_copy(buf, "self/mounts", size);
	return 0;
}

static int link_net(struct proc_node *n, char *buf, size_t size)
{
	(void)str_copy(buf, "self/net", size);
	return 0;
}

#define FILE(name_, show_)                                           \
	{                                                            \
		.name = name_, .mode = S_IFREG | 0444, .show = show_ \
	}
#define LINK(name_, text_)                                           \
	{                                                            \
		.name = name_, .mode = S_IFLNK | 0777, .text = text_ \
	}

#if DEBUG
static int store_fault(struct proc_node *n, char *text, size_t len)
{
	return kmem_make_fault(proc_trim(text));
}
#endif

static const struct proc_entry g_aramid_entries[] = {
	{.name = "counters", .mode = S_IFREG | 0400, .show = show_counters},
#if DEBUG
	{.name = "fault", .mode = S_IFREG | 0200, .store = store_fault},
#endif
	{.name = "locks", .mode = S_IFREG | 0444, .show = show_spinlocks}, {0}};
static const struct proc_entry g_tty_entries[] = {FILE("drivers", show_tty_drivers), {0}};

/* ---- kmsg: what syslog(2)'s READ gives, to who may use it when opening ---- */

static int kmsg_open(struct inode *i, struct file *f)
{
	return syslog_may(SYSLOG_OPEN);
}

static ssize_t kmsg_read(struct file *f, struct iter *to, off64_t *pos)
{
	return syslog_read(to, (f->flags & O_NONBLOCK) != 0);
}

static u32 kmsg_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(f, log_wait_queue(), pt);
	return syslog_unread() ? EPOLLIN | EPOLLRDNORM : 0;
}

static const struct file_ops g_kmsg_fops = {
	.open = kmsg_open,
	.read = kmsg_read,
	.poll = kmsg_poll,
};

/* The first byte of each write is a key. */
static int store_sysrq(struct proc_node *n, char *text, size_t len)
{
	if (len)
		sysrq_run((u8)text[0]);
	return 0;
}

const struct proc_entry g_root_entries[] = {
	{.name = "aramid", .mode = S_IFDIR | 0555, .children = g_aramid_entries},
	FILE("cmdline", show_cmdline),
	FILE("cpuinfo", show_cpuinfo),
	FILE("devices", show_devices),
	FILE("diskstats", show_diskstats),
	FILE("filesystems", show_filesystems),
	FILE("interrupts", show_interrupts),
	{.name = "kmsg", .mode = S_IFREG | 0400, .fops = &g_kmsg_fops},
	FILE("loadavg", show_loadavg),
	FILE("locks", show_locks),
	FILE("meminfo", show_meminfo),
	LINK("mounts", link_mounts),
	LINK("net", link_net),
	FILE("partitions", show_partitions),
	LINK("self", link_self),
	FILE("stat", show_stat),
	FILE("swaps", show_swaps),
	{.name = "sys",
		.mode = S_IFDIR | 0555,
		.children = g_sys_entries,
		.flags = PROC_PLAIN | PROC_REFUSE},
	{.name = "sysrq-trigger", .mode = S_IFREG | 0200, .store = store_sysrq},
	{.name = "sysvipc", .mode = S_IFDIR | 0555, .children = g_sysvipc_entries},
	LINK("thread-self", link_thread_self),
	{.name = "tty", .mode = S_IFDIR | 0555, .children = g_tty_entries},
	FILE("uptime", show_uptime),
	FILE("version", show_version),
	FILE("vmstat", show_vmstat),
	{0},
};
