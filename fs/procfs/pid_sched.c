/* What /proc/PID tells of a thread's running and waiting: sched, schedstat, timerslack_ns, wchan,
 * stack, syscall. */
#include "procfs.h"
#include <core/symbols.h>
#include <lib/string.h>
#include <sched/thread.h>

#define MAX_FRAMES 32
#define NAME_LEN   96

/* ---- figures ---- */

int pid_show_schedstat(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct thread_run_stats st;

	if (!t)
		return -ESRCH;
	thread_get_run_stats(&t->thread, &st);
	put_task(t);
	seq_printf(s, "%llu %llu %llu\n", (unsigned long long)st.run_ns,
		(unsigned long long)st.wait_ns, (unsigned long long)st.periods);
	return 0;
}

static void row_ms(struct seq_buf *s, const char *name, s64 ns)
{
	seq_printf(s, "%-45s:%14lld.%06lld\n", name, (long long)(ns / NS_PER_MS),
		(long long)(ns < 0 ? -ns : ns) % NS_PER_MS);
}

static void row(struct seq_buf *s, const char *name, s64 v)
{
	seq_printf(s, "%-45s:%21lld\n", name, (long long)v);
}

/* Those of Linux's rows that mean something here. */
int pid_show_sched(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct thread_run_stats st;
	struct task_info in;

	if (!t)
		return -ESRCH;
	thread_get_run_stats(&t->thread, &st);
	task_get_info(t, false, &in);
	put_task(t);
	seq_printf(s, "%s (%d, #threads: %d)\n", in.name, in.tid, in.nr_threads);
	seq_puts(s, "-------------------------------------------------------------------\n");
	row_ms(s, "se.exec_start", (s64)st.exec_start_ns);
	row_ms(s, "se.vruntime", st.vruntime_ns);
	row_ms(s, "se.sum_exec_runtime", (s64)st.run_ns);
	row(s, "nr_switches", (s64)(in.nvcsw + in.nivcsw));
	row(s, "nr_voluntary_switches", (s64)in.nvcsw);
	row(s, "nr_involuntary_switches", (s64)in.nivcsw);
	row(s, "se.load.weight", (s64)st.weight << 10); /* Linux's fixed point */
	row(s, "policy", in.policy);
	row(s, "prio", in.eff_priority ? 99 - in.eff_priority : 120 + in.nice);
	return 0;
}

/* ---- timer slack: as prctl(PR_SET_TIMERSLACK), also for others ---- */

static struct task *slack_task(struct proc_node *n)
{
	struct task *t = node_task(n);

	if (!t)
		return err_ptr(-ESRCH);
	if (t != current_task() && !capable(CAP_SYS_NICE)) {
		put_task(t);
		return err_ptr(-EPERM);
	}
	return t;
}

int pid_show_slack(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = slack_task(n);

	if (is_err(t))
		return ptr_err(t);
	seq_printf(s, "%lld\n", (long long)READ_ONCE(t->thread.timer_slack_ns));
	put_task(t);
	return 0;
}

int pid_store_slack(struct proc_node *n, char *text, size_t len)
{
	struct task *t;
	u64 ns;
	int err = parse_u64(text, 10, &ns);

	if (err)
		return err;
	t = slack_task(n);
	if (is_err(t))
		return ptr_err(t);
	task_set_timer_slack(t, ns);
	put_task(t);
	return 0;
}

/* ---- where it waits ---- */

int pid_show_stack(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	unsigned long at[MAX_FRAMES];
	char name[NAME_LEN];
	int nr;

	if (!t)
		return -ESRCH;
	if (!capable(CAP_SYS_ADMIN))
		nr = -EACCES;
	else if (t == current_task())
		nr = arch_backtrace(0, at, MAX_FRAMES);
	else
		nr = max(thread_blocked_at(&t->thread, at, MAX_FRAMES), 0);
	put_task(t);
	for (int i = 0; i < nr; i++)
		seq_printf(s, "[<0>] %s\n", sym_format(at[i], name, sizeof(name)));
	return min(nr, 0);
}

/* The innermost function that isn't the scheduler's own; "0": none, or nobody's business. Without
 * a newline, as on Linux. */
int pid_show_wchan(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	unsigned long at[MAX_FRAMES], offset, length;
	struct task_access a;
	char name[NAME_LEN];
	int nr = 0, i = 0;

	if (!t)
		return -ESRCH;
	if (task_access_begin(&a, t, false))
		nr = thread_blocked_at(&t->thread, at, MAX_FRAMES);
	if (!task_access_end(&a))
		nr = 0;
	put_task(t);
	while (i < nr && arch_symbol_is_sched(at[i]))
		i++;
	if (i < nr && arch_symbol(at[i], name, sizeof(name), &offset, &length))
		seq_puts(s, name);
	else
		seq_putc(s, '0');
	return 0;
}

/* ---- the system call it is in ---- */

struct call {
	long nr;
	unsigned long arg[6], sp, ip;
};

static void note_call(struct thread *t, void *arg)
{
	const struct pt_regs *r = arch_user_regs(t->stack);
	struct call *c = arg;

	c->nr = regs_syscall_nr(r);
	for (int i = 0; i < 6; i++)
		c->arg[i] = regs_arg(r, i);
	c->sp = regs_sp(r);
	c->ip = regs_ip(r);
}

/* proc(5): "running"; the number, arguments, stack pointer and program counter; or -1 and the last
 * two, when it waits elsewhere. */
int pid_show_syscall(struct seq_buf *s, struct proc_node *n)
{
	struct task *t = node_task(n);
	struct call c;
	bool known = true;

	if (!t)
		return -ESRCH;
	if (t == current_task())
		note_call(&t->thread, &c);
	else
		known = thread_if_blocked(&t->thread, note_call, &c);
	put_task(t);
	if (!known) {
		seq_puts(s, "running\n");
		return 0;
	}
	seq_printf(s, "%ld", c.nr);
	for (int i = 0; c.nr != -1 && i < 6; i++)
		seq_printf(s, " 0x%lx", c.arg[i]);
	seq_printf(s, " 0x%lx 0x%lx\n", c.sp, c.ip);
	return 0;
}
