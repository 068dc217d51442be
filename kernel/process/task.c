/*
 * Objects: processes, tasks, dispositions, sessions; how others find them and borrow their
 * resources.
 *
 * References: a process is held by its number (until reaped) and by each of its tasks; a task by
 * the running thread itself and by its place in the process's list.
 */
#include "ptrace.h"
#include <core/counters.h>
#include <core/init.h>
#include <core/trace.h>
#include <lib/seq_buf.h>
#include <kmem/slab.h>
#include <lib/string.h>

DEFINE_SPINLOCK(g_tasklist_lock, RANK_TASKLIST);
LIST_HEAD(g_processes);
s32 g_nr_tasks;
s32 g_threads_max; /* from the amount of memory, by process 1's start */

const struct process_tty_ops *g_process_tty;

const struct process_sysv_ops *g_process_sysv;

void process_set_sysv_ops(const struct process_sysv_ops *ops)
{
	g_process_sysv = ops;
}

void process_set_tty_ops(const struct process_tty_ops *ops)
{
	g_process_tty = ops;
}

static SLAB_CACHE(g_task_cache, struct task);
static SLAB_CACHE(g_process_cache, struct process);
static SLAB_CACHE(g_sighand_cache, struct sighand);
static SLAB_CACHE(g_session_cache, struct session);

static void show_counters(struct seq_buf *s)
{
	struct process *p;
	u32 n = 0;

	spin_lock_irq(&g_tasklist_lock);
	list_for_each_entry(p, &g_processes, all_link)
		n++;
	spin_unlock_irq(&g_tasklist_lock);
	seq_printf(s, "processes %u\n", n);
}

static void creds_will_change(const struct cred *old, const struct cred *new_cred);

/* A panic's line about this CPU's task, before the thread's own. */
static void log_current_task(void)
{
	struct thread *th = current_thread();
	struct task *t = th && thread_is_task(th) ? container_of(th, struct task, thread) : NULL;
	long nr = -1;

	if (t && t->mm)
		nr = regs_syscall_nr(arch_user_regs(th->stack));
	if (t && nr >= 0)
		log_err("CPU %d: task %d of process %d, system call %ld %s", cpu_id(), task_tid(t),
			process_pid(t->process), nr, trace_call_name((u32)nr));
	else if (t)
		log_err("CPU %d: task %d of process %d", cpu_id(), task_tid(t),
			process_pid(t->process));
	thread_log_current();
}

static int task_init(void)
{
	panic_set_thread_hook(log_current_task);
	cred_set_commit_hook(creds_will_change);
	return counters_register("process", show_counters);
}
INIT_HOOK(INIT_CORE, task_init);

/* ---- dispositions ---- */

struct sighand *sighand_alloc(void)
{
	struct sighand *s = slab_alloc(&g_sighand_cache, GFP_KERNEL | GFP_ZERO);

	if (!s)
		return NULL;
	ref_init(&s->refs, 1);
	spin_init(&s->lock, RANK_TASK);
	return s;
}

void get_sighand(struct sighand *s)
{
	ref_get(&s->refs);
}

void put_sighand(struct sighand *s)
{
	if (s && ref_put(&s->refs))
		slab_free(&g_sighand_cache, s);
}

/* ---- sessions ---- */

struct session *session_alloc(struct pid *sid)
{
	struct session *s = slab_alloc(&g_session_cache, GFP_KERNEL | GFP_ZERO);

	if (!s)
		return NULL;
	ref_init(&s->refs, 1);
	s->sid = sid;
	get_pid(sid);
	return s;
}

void put_session(struct session *s)
{
	if (!s || !ref_put(&s->refs))
		return;
	put_pid(s->sid);
	slab_free(&g_session_cache, s);
}

/* ---- processes ---- */

struct process *process_alloc(void)
{
	struct process *p = slab_alloc(&g_process_cache, GFP_KERNEL | GFP_ZERO);

	if (!p)
		return NULL;
	ref_init(&p->refs, 1);
	list_init(&p->threads);
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->all_link);
	list_init(&p->pgrp_link);
	list_init(&p->session_link);
	list_init(&p->pending.queue);
	list_init(&p->posix_timers);
	list_init(&p->foreign_due);
	xa_init(&p->posix_timer_ids);
	spin_init(&p->siglock, RANK_SIGHAND);
	spin_init(&p->limits_lock, RANK_TASK);
	wait_queue_init(&p->signalfd_wait);
	wait_queue_init(&p->wait_child);
	wait_queue_init(&p->exec_wait);
	mutex_init(&p->exec_lock, RANK_EXEC);
	timer_init(&p->real_timer, real_timer_fired);
	cpu_timers_init(p);
	p->start_ns = clock_mono_ns();
	return p;
}

static void process_free_rcu(struct rcu_head *h)
{
	struct process *p = container_of(h, struct process, rcu);

	put_sighand(p->sighand);
	put_session(p->session);
	put_pid(p->pid);
	slab_free(&g_process_cache, p);
}

void put_process(struct process *p)
{
	if (!p || !ref_put(&p->refs))
		return;
	wait_queue_retire(&p->signalfd_wait); /* an epoll instance may outlive us */
	rcu_call(&p->rcu, process_free_rcu);
}

/* ---- tasks ---- */

static void task_free_rcu(struct rcu_head *h)
{
	struct task *t = container_of(h, struct task, rcu);

	if (t->thread.cred)
		put_cred(t->thread.cred);
	put_pid(t->pid);
	put_process(t->process);
	slab_free(&g_task_cache, t);
}

/* Last reference of the thread is gone. */
static void task_thread_free(struct thread *th)
{
	struct task *t = container_of(th, struct task, thread);

	arch_thread_user_free(&th->arch);
	__atomic_fetch_sub(&g_nr_tasks, 1, __ATOMIC_RELAXED);
	rcu_call(&t->rcu, task_free_rcu);
}

bool thread_is_task(const struct thread *t)
{
	return t->free == task_thread_free;
}

struct task *task_alloc(
	struct process *p, const struct task *parent, void (*entry)(void *), void *arg)
{
	struct task *t = slab_alloc(&g_task_cache, GFP_KERNEL | GFP_ZERO);

	if (!t)
		return NULL;
	if (thread_init(
		    &t->thread, parent ? &parent->thread : current_thread(), task_thread_free) != 0)
		goto free_task;
	if (entry)
		thread_prepare(&t->thread, entry, arg);
	if (arch_thread_user_init(&t->thread.arch) != 0)
		goto undo_thread;
	t->process = p;
	get_process(p);
	spin_init(&t->lock, RANK_TASK);
	spin_init(&t->work_lock, RANK_TASK);
	list_init(&t->thread_link);
	list_init(&t->pending.queue);
	list_init(&t->work);
	list_init(&t->shm_created);
	ptrace_init_task(t);
	t->altstack.ss_flags = SS_DISABLE;
	__atomic_fetch_add(&g_nr_tasks, 1, __ATOMIC_RELAXED);
	return t;
undo_thread:
	thread_deinit(&t->thread);
free_task:
	slab_free(&g_task_cache, t);
	return NULL;
}

void task_free_unstarted(struct task *t)
{
	task_charge_user(t, NULL);
	arch_thread_user_free(&t->thread.arch);
	thread_deinit(&t->thread);
	__atomic_fetch_sub(&g_nr_tasks, 1, __ATOMIC_RELAXED);
	task_free_rcu(&t->rcu); /* nobody has seen it */
}

void task_charge_user(struct task *t, struct user_account *u)
{
	struct user_account *old = t->charged;

	if (old == u)
		return;
	if (u) {
		ref_get(&u->refs);
		__atomic_fetch_add(&u->processes, 1, __ATOMIC_RELAXED);
	}
	t->charged = u;
	if (old) {
		__atomic_fetch_sub(&old->processes, 1, __ATOMIC_RELAXED);
		put_user_account(old);
	}
}

/* RLIMIT_NPROC: root's own processes are never counted against it. */
bool task_over_nproc(const struct cred *c)
{
	s64 n = __atomic_load_n(&c->user->processes, __ATOMIC_RELAXED);
	u64 limit = rlimit(RLIMIT_NPROC);

	return limit != RLIM64_INFINITY && n > 0 && (u64)n > limit && c->user->uid != 0;
}

/* Before the new ids can be seen: no moment in which a process that gave up rights may be looked
 * into by those it has come down to. The other side: judge. */
static void creds_will_change(const struct cred *old, const struct cred *new_cred)
{
	struct task *t;

	if (!thread_is_task(current_thread()))
		return;
	t = current_task();
	if (old->euid != new_cred->euid || old->egid != new_cred->egid ||
		old->fsuid != new_cred->fsuid || old->fsgid != new_cred->fsgid ||
		(new_cred->cap_permitted & ~old->cap_permitted)) {
		if (t->mm)
			WRITE_ONCE(t->mm->dumpable, (u32)g_suid_dumpable);
		WRITE_ONCE(t->pdeath_signal, 0);
	}
}

void task_creds_changed(const struct cred *new_cred)
{
	struct task *t = current_task();

	task_charge_user(t, new_cred->user);
	t->nproc_exceeded = task_over_nproc(new_cred);
}

bool process_is_child(struct process *p, struct task *of)
{
	bool is;

	spin_lock_irq(&g_tasklist_lock);
	is = p->parent_task == of;
	spin_unlock_irq(&g_tasklist_lock);
	return is;
}

const struct process_trace *g_process_trace;

void task_set_timer_slack(struct task *t, u64 ns)
{
	WRITE_ONCE(t->thread.timer_slack_ns, (s64)ns > 0 ? (s64)ns : t->default_slack_ns);
}

void task_set_name(struct task *t, const char *name)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);

	str_copy(t->thread.name, name, sizeof(t->thread.name));
	spin_unlock_irqrestore(&t->lock, flags);
}

/* ---- lookups ---- */

struct task *task_find(s32 tid)
{
	struct task *t = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(tid);
	if (pid)
		t = rcu_load(pid->task);
	if (t && !ref_get_unless_zero(&t->thread.refs))
		t = NULL;
	rcu_read_unlock();
	return t;
}

struct process *process_find(s32 nr)
{
	struct process *p = NULL;
	struct pid *pid;

	rcu_read_lock();
	pid = pid_find(nr);
	if (pid)
		p = rcu_load(pid->process);
	if (p && !ref_get_unless_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	return p;
}

struct process *process_find_of_thread(s32 nr)
{
	struct task *t = task_find(nr);
	struct process *p = t ? t->process : NULL;

	if (p)
		ref_get(&p->refs);
	if (t)
		put_task(t);
	return p;
}

struct process *process_next(s32 *nr)
{
	struct process *p = NULL;
	struct pid *pid;

	rcu_read_lock();
	while (!p && (pid = pid_find_next(*nr))) {
		*nr = pid->nr;
		p = rcu_load(pid->process);
		if (p && !ref_get_unless_zero(&p->refs))
			p = NULL;
	}
	rcu_read_unlock();
	return p;
}

#define FEW_THREADS 64   /* are looked through each time */
#define NUMBERS     1024 /* looked at in one RCU read section */

/* Through all numbers of tasks: a walk over a process's many threads costs no more than that in
 * all. */
static struct task *thread_by_number(struct process *p, s32 nr)
{
	for (;;) {
		struct task *t = NULL;
		struct pid *pid = NULL;

		rcu_read_lock();
		for (int i = 0; i < NUMBERS && (pid = pid_find_next(nr)); i++) {
			nr = pid->nr;
			t = rcu_load(pid->task);
			if (t && t->process == p && ref_get_unless_zero(&t->thread.refs))
				break;
			t = NULL;
		}
		rcu_read_unlock();
		if (t || !pid)
			return t;
		cond_resched();
	}
}

struct task *process_thread_next(struct process *p, s32 after_tid)
{
	struct task *t, *best = NULL;

	if (READ_ONCE(p->nr_threads) > FEW_THREADS)
		return thread_by_number(p, after_tid);
	spin_lock_irq(&g_tasklist_lock);
	for_each_thread(t,
		p) if (task_tid(t) > after_tid && (!best || task_tid(t) < task_tid(best))) best = t;
	if (best && !ref_get_unless_zero(&best->thread.refs))
		best = NULL;
	spin_unlock_irq(&g_tasklist_lock);
	return best;
}

struct task *process_get_leader(struct process *p)
{
	struct task *t;

	rcu_read_lock();
	t = rcu_load(p->leader);
	if (t && !ref_get_unless_zero(&t->thread.refs))
		t = NULL;
	rcu_read_unlock();
	return t;
}

/* ---- another task's resources ---- */

struct mm *task_get_mm(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	struct mm *mm = t->mm;

	if (mm)
		get_mm(mm);
	spin_unlock_irqrestore(&t->lock, flags);
	return mm;
}

struct fd_table *task_get_files(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	struct fd_table *files = t->files;

	if (files)
		fd_table_hold(files);
	spin_unlock_irqrestore(&t->lock, flags);
	return files;
}

struct fs_context *task_get_fs(struct task *t)
{
	unsigned long flags = spin_lock_irqsave(&t->lock);
	struct fs_context *fs = t->fs;

	if (fs)
		ref_get(&fs->refs);
	spin_unlock_irqrestore(&t->lock, flags);
	return fs;
}

void task_swap_fs(struct task *t, struct fs_context *fs)
{
	struct fs_context *old = t->fs;
	unsigned long flags = spin_lock_irqsave(&t->lock);

	spin_lock(&old->lock); /* for exec: users and the tasks' pointers agree */
	t->fs = fs;
	old->users--;
	spin_unlock(&old->lock);
	spin_unlock_irqrestore(&t->lock, flags);
	put_fs_context(old);
}

const struct cred *task_get_cred(struct task *t)
{
	const struct cred *c;

	rcu_read_lock();
	do
		c = rcu_load(t->thread.cred);
	while (!ref_get_unless_zero(&((struct cred *)c)->refs));
	rcu_read_unlock();
	return c;
}

/* ---- task work ---- */

int task_work_add(struct task *t, struct task_work *w)
{
	unsigned long flags = spin_lock_irqsave(&t->work_lock);
	bool closed = t->work_closed;

	if (!closed)
		list_add_tail(&w->link, &t->work);
	spin_unlock_irqrestore(&t->work_lock, flags);
	if (closed)
		return -ESRCH;
	thread_set_work(&t->thread, WORK_NOTIFY);
	return 0;
}

void task_work_run(struct task *t)
{
	for (;;) {
		struct task_work *w;

		spin_lock_irq(&t->work_lock);
		w = list_first_entry_or_null(&t->work, struct task_work, link);
		if (w)
			list_del(&w->link);
		spin_unlock_irq(&t->work_lock);
		if (!w)
			return;
		w->fn(w);
	}
}

void task_work_close(struct task *t)
{
	do {
		task_work_run(t);
		spin_lock_irq(&t->work_lock);
		t->work_closed = list_empty(&t->work);
		spin_unlock_irq(&t->work_lock);
	} while (!t->work_closed);
}

/* ---- what procfs shows ---- */

static char state_letter(const struct task *t)
{
	u32 s = READ_ONCE(t->thread.state);

	if (t->state_flags & TASK_DEAD)
		return 'X';
	if (t->state_flags & TASK_ZOMBIE)
		return 'Z';
	if (t->stopped)
		return 'T';
	if (t->pt.stopped)
		return 't';
	if (s & THREAD_INTERRUPTIBLE)
		return 'S';
	return s & (THREAD_SLEEPING | THREAD_KILLABLE) ? 'D' : 'R';
}

static void fill_ids_locked(struct task *t, struct task_info *info)
{
	struct process *p = t->process;

	info->tid = task_tid(t);
	info->pid = process_pid(p);
	info->ppid = p->parent ? process_pid(p->parent) : 0;
	info->pgrp = p->pgrp ? p->pgrp->nr : 0;
	info->sid = p->session ? p->session->sid->nr : 0;
	info->nr_threads = p->nr_threads;
	info->exit_signal = t == p->leader ? p->exit_signal : -1;
}

static void fill_times_locked(struct task *t, bool whole, struct task_info *info)
{
	struct process *p = t->process;
	struct task *i;

	info->cminflt = p->cminflt;
	info->cmajflt = p->cmajflt;
	info->cutime_ns = p->cutime_ns;
	info->cstime_ns = p->cstime_ns;
	if (!whole) {
		thread_times(&t->thread, &info->utime_ns, &info->stime_ns);
		info->minflt = t->minflt;
		info->majflt = t->majflt;
		return;
	}
	process_own_times(p, &info->utime_ns, &info->stime_ns);
	info->minflt = p->minflt;
	info->majflt = p->majflt;
	for_each_thread(i, p)
	{
		info->minflt += i->minflt;
		info->majflt += i->majflt;
	}
}

static void fill_signals_locked(struct task *t, struct task_info *info)
{
	struct process *p = t->process;

	info->pending = t->pending.set;
	info->shared_pending = p->pending.set;
	info->blocked = t->blocked;
	for (int sig = 1; p->sighand && sig <= NR_SIGNALS; sig++) {
		__sighandler_t h = p->sighand->action[sig - 1].sa_handler;

		if (h == SIG_IGN)
			info->ignored |= sig_bit(sig);
		else if (h != SIG_DFL)
			info->caught |= sig_bit(sig);
	}
}

void task_get_info(struct task *t, bool whole, struct task_info *info)
{
	struct process *p = t->process;

	memset(info, 0, sizeof(*info));
	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	info->state = state_letter(t);
	fill_ids_locked(t, info);
	fill_times_locked(t, whole, info);
	fill_signals_locked(t, info);
	info->exit_code = p->flags & PROC_GROUP_EXIT ? p->exit_status : t->exit_code;
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	info->tpgid = -1;
	if (g_process_tty)
		g_process_tty->info(p, &info->tty_nr, &info->tpgid);
	memcpy(info->name, t->thread.name, sizeof(info->name));
	info->name[sizeof(info->name) - 1] = 0;
	info->nvcsw = t->thread.nvcsw;
	info->nivcsw = t->thread.nivcsw;
	info->start_ns = whole ? p->start_ns : t->thread.start_ns;
	info->nice = t->thread.nice;
	info->policy = t->thread.policy;
	info->rt_priority = t->thread.rt_priority;
	info->eff_priority = t->thread.eff_priority;
	info->cpu = t->thread.cpu;
	info->affinity = t->thread.affinity;
	info->no_new_privs = t->no_new_privs;
	info->queued_signals = t->charged ? (u32)READ_ONCE(t->charged->sigpending) : 0;
}
