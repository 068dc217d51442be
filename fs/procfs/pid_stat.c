/* /proc/PID/stat, statm, status. */
#include "procfs.h"
#include <lib/string.h>
#include <process/signal.h>
#include <sched/timer.h>

static const char *state_name(char c)
{
	switch (c) {
	case 'R':
		return "R (running)";
	case 'S':
		return "S (sleeping)";
	case 'D':
		return "D (disk sleep)";
	case 'T':
		return "T (stopped)";
	case 't':
		return "t (tracing stop)";
	case 'Z':
		return "Z (zombie)";
	default:
		return "X (dead)";
	}
}

u64 online_mask(void)
{
	return g_nr_cpus >= 64 ? ~0ull : (1ull << g_nr_cpus) - 1;
}

int pid_show_stat(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct task_info in;
	struct task_access a;
	struct mm *mm;
	bool open;

	if (!t)
		return -ESRCH;
	task_get_info(t, !n->thread, &in);
	open = task_access_begin(&a, t, false); /* covers what is shown of this mm */
	mm = a.mm;
	seq_printf(s, "%d (%s) %c %d %d %d %u %d 4194304 %llu %llu %llu %llu %llu %llu %lld %lld ",
		in.tid, in.name, in.state, in.ppid, in.pgrp, in.sid, in.tty_nr, in.tpgid,
		(unsigned long long)in.minflt, (unsigned long long)in.cminflt,
		(unsigned long long)in.majflt, (unsigned long long)in.cmajflt,
		(unsigned long long)ns_to_ticks(in.utime_ns),
		(unsigned long long)ns_to_ticks(in.stime_ns), (long long)ns_to_ticks(in.cutime_ns),
		(long long)ns_to_ticks(in.cstime_ns));
	seq_printf(s, "%d %d %d 0 %llu %llu %llu %llu ",
		in.eff_priority ? -1 - in.eff_priority : 20 + in.nice, in.nice, in.nr_threads,
		(unsigned long long)ns_to_ticks(in.start_ns),
		mm ? (unsigned long long)mm->total_pages << PAGE_SHIFT : 0ull,
		mm ? (unsigned long long)mm_rss_pages(mm) : 0ull,
		(unsigned long long)process_limit(t->process, RLIMIT_RSS));
	seq_printf(s, "%lu %lu %lu 0 0 %lu %lu %lu %lu 0 0 0 %d %d %d %d 0 0 0 ",
		!mm            ? 0
			: open ? mm->start_code
			       : 1,
		!mm            ? 0
			: open ? mm->end_code
			       : 1,
		mm && open ? mm->start_stack : 0, (in.pending | in.shared_pending) & 0x7fffffff,
		in.blocked & 0x7fffffff, in.ignored & 0x7fffffff, in.caught & 0x7fffffff,
		in.exit_signal, in.cpu, in.rt_priority, in.policy);
	if (mm && open)
		seq_printf(s, "%lu %lu %lu %lu %lu %lu %lu ", mm->start_data, mm->end_data,
			mm->start_brk, mm->arg_start, mm->arg_end, mm->env_start, mm->env_end);
	else
		seq_puts(s, "0 0 0 0 0 0 0 ");
	seq_printf(s, "%d\n", open ? in.exit_code : 0);
	if (mm)
		put_mm(mm);
	put_task(t);
	return 0;
}

int pid_show_statm(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct mm *mm;

	if (!t)
		return -ESRCH;
	mm = task_get_mm(t);
	put_task(t);
	if (!mm) {
		seq_puts(s, "0 0 0 0 0 0 0\n");
		return 0;
	}
	seq_printf(s, "%llu %llu %llu %lu 0 %llu 0\n", (unsigned long long)mm->total_pages,
		(unsigned long long)mm_rss_pages(mm),
		(unsigned long long)(atomic_read(&mm->file_pages) + atomic_read(&mm->shmem_pages)),
		(round_up(mm->end_code, PAGE_SIZE) - round_down(mm->start_code, PAGE_SIZE)) >>
			PAGE_SHIFT,
		(unsigned long long)(mm->data_pages + mm->stack_pages));
	put_mm(mm);
	return 0;
}

/* ---- status ---- */

static void show_kb(struct seq_buf *s, const char *name, u64 pages)
{
	seq_printf(s, "%s:\t%8llu kB\n", name, (unsigned long long)pages << (PAGE_SHIFT - 10));
}

static void show_mm(struct seq_buf *s, struct mm *mm)
{
	u64 anon = (u64)atomic_read(&mm->anon_pages), file = (u64)atomic_read(&mm->file_pages);
	u64 shmem = (u64)atomic_read(&mm->shmem_pages);
	u64 text = (round_up(mm->end_code, PAGE_SIZE) - round_down(mm->start_code, PAGE_SIZE)) >>
		PAGE_SHIFT;

	show_kb(s, "VmPeak", READ_ONCE(mm->peak_pages));
	show_kb(s, "VmSize", mm->total_pages);
	show_kb(s, "VmLck", mm->locked_pages);
	show_kb(s, "VmPin", 0);
	show_kb(s, "VmHWM", max(mm_hiwater_rss(mm), mm_rss_pages(mm)));
	show_kb(s, "VmRSS", mm_rss_pages(mm));
	show_kb(s, "RssAnon", anon);
	show_kb(s, "RssFile", file);
	show_kb(s, "RssShmem", shmem);
	show_kb(s, "VmData", mm->data_pages);
	show_kb(s, "VmStk", mm->stack_pages);
	show_kb(s, "VmExe", text);
	show_kb(s, "VmLib", mm->exec_pages > text ? mm->exec_pages - text : 0);
	show_kb(s, "VmPTE", (u64)atomic_read(&mm->table_pages));
	show_kb(s, "VmSwap", 0);
	seq_printf(s, "HugetlbPages:\t%8d kB\nCoreDumping:\t0\nTHP_enabled:\t%d\n", 0,
		g_huge_policy != 0 && !mm->no_huge);
}

static void show_ids(struct seq_buf *s, struct task *t)
{
	const struct cred *c = task_get_cred(t);

	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid,
		c->fsuid, c->gid, c->egid, c->sgid, c->fsgid);
	put_cred(c);
}

static void show_groups_and_files(struct seq_buf *s, struct task *t)
{
	const struct cred *c = task_get_cred(t);
	struct fd_table *files = task_get_files(t);

	seq_printf(s, "FDSize:\t%u\nGroups:\t", files ? fd_table_size(files) : 0);
	for (int i = 0; c->groups && i < c->groups->count; i++)
		seq_printf(s, "%u ", c->groups->gid[i]);
	seq_putc(s, '\n');
	if (files)
		fd_table_unhold(files);
	put_cred(c);
}

static void show_caps(struct seq_buf *s, struct task *t)
{
	const struct cred *c = task_get_cred(t);

	seq_printf(s,
		"CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		(unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted,
		(unsigned long long)c->cap_effective, (unsigned long long)c->cap_bset,
		(unsigned long long)c->cap_ambient);
	put_cred(c);
}

void show_cpu_list(struct seq_buf *s, u64 mask)
{
	bool first = true;

	for (int i = 0; i < 64; i++) {
		int from = i;

		if (!(mask >> i & 1))
			continue;
		while (i < 63 && (mask >> (i + 1) & 1))
			i++;
		seq_printf(s, first ? "%d" : ",%d", from);
		if (i > from)
			seq_printf(s, "-%d", i);
		first = false;
	}
}

static u32 umask_of(struct task *t, bool *known)
{
	struct fs_context *fs = task_get_fs(t);
	u32 mask = 0;

	*known = fs;
	if (fs) {
		mask = READ_ONCE(fs->umask);
		put_fs_context(fs);
	}
	return mask;
}

/* Newlines and backslashes as C writes them. */
static void show_name(struct seq_buf *s, const char *name)
{
	for (; *name; name++) {
		if (*name == '\n' || *name == '\\')
			seq_putc(s, '\\');
		seq_putc(s, *name == '\n' ? 'n' : *name);
	}
}

int pid_show_status(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct task_info in;
	struct mm *mm;
	bool known;
	u32 mask;

	if (!t)
		return -ESRCH;
	task_get_info(t, false, &in);
	seq_puts(s, "Name:\t");
	show_name(s, in.name);
	seq_putc(s, '\n');
	mask = umask_of(t, &known);
	if (known)
		seq_printf(s, "Umask:\t%04o\n", mask);
	seq_printf(s, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t%d\n",
		state_name(in.state), in.pid, in.tid, in.ppid, task_tracer_tid(t));
	show_ids(s, t);
	show_groups_and_files(s, t);
	seq_printf(s, "NStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", in.pid, in.tid, in.pgrp,
		in.sid);
	mm = task_get_mm(t);
	if (mm) {
		show_mm(s, mm);
		put_mm(mm);
	}
	seq_printf(s, "Threads:\t%d\nSigQ:\t%u/%llu\n", in.nr_threads, in.queued_signals,
		(unsigned long long)process_limit(t->process, RLIMIT_SIGPENDING));
	seq_printf(s,
		"SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n",
		in.pending, in.shared_pending, in.blocked, in.ignored, in.caught);
	show_caps(s, t);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", in.no_new_privs);
	seq_printf(s, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t",
		(unsigned long long)(in.affinity & online_mask()));
	show_cpu_list(s, in.affinity & online_mask());
	seq_printf(s,
		"\nMems_allowed:\t1\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		(unsigned long long)in.nvcsw, (unsigned long long)in.nivcsw);
	put_task(t);
	return 0;
}
