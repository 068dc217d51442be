/*
 * fork, vfork, clone, unshare, process 1. Each clone flag drives exactly one resource: the table
 * g_resources says which. Everything that can fail happens before the child becomes visible.
 */
#include "exec.h"
#include "ptrace.h"
#include <linux/ptrace.h>
#include <core/init.h>
#include <core/trace.h>
#include <kmem/page.h>
#include <lib/string.h>
#include <vfs/rootfs.h>
#include <linux/ioprio.h>

#define THREADS_MIN 64
#define NAMESPACE_FLAGS                                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWTIME)

/* ---- resources ---- */

static int take_mm(struct task *child, struct task *parent, bool share)
{
	struct mm *mm = parent->mm;

	if (share) {
		ref_get(&mm->users);
	} else {
		mm = mm_fork(mm);
		if (is_err(mm))
			return ptr_err(mm);
		mm->exe_file = exec_share_exe(parent->mm);
	}
	child->mm = mm;
	child->thread.mm = &mm->arch;
	return 0;
}

static void drop_mm(struct task *child)
{
	put_mm_users(child->mm);
}

static int take_files(struct task *child, struct task *parent, bool share)
{
	struct fd_table *f = parent->files;

	if (share) {
		get_fd_table(f);
	} else {
		f = fd_table_copy(f, U32_MAX);
		if (is_err(f))
			return ptr_err(f);
	}
	child->files = f;
	return 0;
}

static void drop_files(struct task *child)
{
	put_fd_table(child->files);
}

static int take_fs(struct task *child, struct task *parent, bool share)
{
	if (share) {
		child->fs = parent->fs;
		return fs_context_join(child->fs);
	}
	child->fs = fs_context_copy(parent->fs);
	return child->fs ? 0 : -ENOMEM;
}

static void drop_fs(struct task *child)
{
	task_swap_fs(child, NULL);
}

/* A new process's dispositions; threads have their process's. */
static int take_sighand(struct task *child, struct task *parent, bool share)
{
	struct process *p = child->process;
	struct sighand *from = parent->process->sighand, *to;

	if (p == parent->process)
		return 0;
	if (share) {
		get_sighand(from);
		p->sighand = from;
		return 0;
	}
	to = sighand_alloc();
	if (!to)
		return -ENOMEM;
	spin_lock_irq(&from->lock);
	memcpy(to->action, from->action, sizeof(to->action));
	spin_unlock_irq(&from->lock);
	p->sighand = to;
	return 0;
}

/* An I/O context is its priority here: shared or not, the child starts with the parent's. */
static int take_io(struct task *child, struct task *parent, bool share)
{
	child->ioprio = parent->ioprio;
	return 0;
}

static int take_sysvsem(struct task *child, struct task *parent, bool share)
{
	return share ? g_process_sysv->share_undo(child, parent) : 0;
}

static void drop_sysvsem(struct task *child)
{
	g_process_sysv->drop_undo(child);
}

static const struct clone_resource {
	u64 share_flag;
	int (*take)(struct task *child, struct task *parent, bool share);
	void (*drop)(struct task *child); /* NULL: goes with the task or process */
} g_resources[] = {
	{CLONE_FILES, take_files, drop_files},
	{CLONE_FS, take_fs, drop_fs},
	{CLONE_SIGHAND, take_sighand, NULL},
	{CLONE_IO, take_io, NULL},
	{CLONE_VM, take_mm, drop_mm},
	{CLONE_SYSVSEM, take_sysvsem, drop_sysvsem},
};

static void drop_resources(struct task *child, size_t n)
{
	while (n--)
		if (g_resources[n].drop)
			g_resources[n].drop(child);
}

static int take_resources(struct task *child, struct task *parent, u64 flags)
{
	for (size_t i = 0; i < ARRAY_SIZE(g_resources); i++) {
		const struct clone_resource *r = &g_resources[i];
		int err = r->take(child, parent, flags & r->share_flag);

		if (err) {
			drop_resources(child, i);
			return err;
		}
	}
	return 0;
}

/* ---- checks ---- */

static int check_flags(const struct clone_args_k *a)
{
	u64 f = a->flags;

	if (f & (NAMESPACE_FLAGS | CLONE_INTO_CGROUP))
		return -EINVAL; /* not configured */
	if ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && !(f & CLONE_VM))
		return -EINVAL;
	if ((f & CLONE_SIGHAND) && (f & CLONE_CLEAR_SIGHAND))
		return -EINVAL;
	if ((f & CLONE_PARENT) && (current_process()->flags & PROC_UNKILLABLE))
		return -EINVAL; /* init has no siblings */
	if ((f & CLONE_SETTLS) && a->tls >= USER_END)
		return -EPERM;
	if ((f & CLONE_PIDFD) && (f & (CLONE_THREAD | CLONE_DETACHED)))
		return -EINVAL;
	return 0;
}

static int check_counts(const struct cred *c)
{
	s64 n = __atomic_load_n(&c->user->processes, __ATOMIC_RELAXED);

	if ((u64)n >= rlimit(RLIMIT_NPROC) && c->user->uid != 0 &&
		!cred_capable(c, CAP_SYS_RESOURCE) && !cred_capable(c, CAP_SYS_ADMIN))
		return -EAGAIN;
	if (READ_ONCE(g_nr_tasks) >= READ_ONCE(g_threads_max))
		return -EAGAIN;
	return 0;
}

static int check_set_tid(const struct clone_args_k *a)
{
	if (!a->set_tid_count)
		return 0;
	if (a->set_tid[0] <= 0 || a->set_tid[0] >= READ_ONCE(g_pid_max))
		return -EINVAL;
	if (!capable(CAP_CHECKPOINT_RESTORE) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

/* ---- building the child ---- */

static struct process *new_process(const struct process *parent, u64 flags)
{
	struct process *p = process_alloc();

	if (!p)
		return NULL;
	p->limits = parent->limits;
	p->oom_score_adj = parent->oom_score_adj;
	p->oom_score_adj_min = parent->oom_score_adj_min;
	return p;
}

static void inherit_task(struct task *child, const struct task *parent, u64 flags)
{
	child->blocked = parent->blocked;
	child->personality = READ_ONCE(parent->personality);
	child->no_new_privs = parent->no_new_privs;
	child->default_slack_ns = parent->thread.timer_slack_ns;
	child->thread.timer_slack_ns = parent->thread.timer_slack_ns;
	memcpy(child->thread.name, parent->thread.name, sizeof(child->thread.name));
	child->thread.cred = get_cred(parent->thread.cred);
	if (!(flags & CLONE_VM) || (flags & CLONE_VFORK))
		child->altstack = parent->altstack;
	rseq_fork(child, flags, parent);
}

static void clear_handlers(struct sighand *s)
{
	for (int i = 0; i < NR_SIGNALS; i++)
		if (s->action[i].sa_handler != SIG_IGN)
			s->action[i] = (struct sigaction){.sa_handler = SIG_DFL};
}

static void apply_ids(struct task *child, const struct clone_args_k *a)
{
	if (a->flags & CLONE_CHILD_SETTID)
		child->set_child_tid = a->child_tid;
	if (a->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = a->child_tid;
}

/* Into groups, lists and tables. tasklist lock and the parent's siglock held. */
static void link_process_locked(
	struct process *p, struct task *child, struct process *parent, const struct clone_args_k *a)
{
	struct process *real = a->flags & CLONE_PARENT ? parent->parent : parent;

	p->pid = child->pid;
	get_pid(p->pid);
	p->leader = child;
	p->exit_signal = a->flags & CLONE_PARENT ? parent->exit_signal : a->exit_signal;
	p->parent = real;
	p->parent_task = a->flags & CLONE_PARENT ? parent->parent_task : current_task();
	p->parent_exec_id = a->flags & CLONE_PARENT ? parent->parent_exec_id : parent->exec_id;
	p->exec_id = parent->exec_id;
	p->pgrp = parent->pgrp;
	p->session = parent->session;
	p->tty_binding = parent->tty_binding;
	ref_get(&p->session->refs);
	pid_attach(p->pgrp);
	pid_attach(p->session->sid);
	list_add_tail(&p->pgrp_link, &p->pgrp->group_members);
	list_add_tail(&p->session_link, &p->session->sid->session_members);
	list_add_tail(&p->sibling, &real->children);
	list_add_tail(&p->all_link, &g_processes);
	rcu_publish(child->pid->process, p);
}

/* 0, or -ERESTARTNOINTR when a signal came that the child must not miss. */
static int publish(struct task *child, const struct clone_args_k *a, int event)
{
	struct task *t = current_task();
	struct process *parent = t->process, *p = child->process;

	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&parent->siglock);
	signal_recalc_own();
	if (signal_is_pending()) {
		spin_unlock(&parent->siglock);
		spin_unlock_irq(&g_tasklist_lock);
		return -ERESTARTNOINTR;
	}
	pid_attach(child->pid);
	if (p != parent)
		link_process_locked(p, child, parent, a);
	list_add_tail(&child->thread_link, &p->threads);
	p->nr_threads++;
	p->live_threads++;
	get_task(child); /* the list's */
	if (event || (a->flags & CLONE_PTRACE))
		ptrace_inherit_locked(child, t);
	rcu_publish(child->pid->task, child);
	spin_unlock(&parent->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	if (p != parent && process_limit(p, RLIMIT_CPU) != RLIM64_INFINITY) {
		spin_lock_irq(&p->siglock);
		cpu_timers_update_locked(p);
		spin_unlock_irq(&p->siglock);
	}
	return 0;
}

static struct task *build_child(const struct clone_args_k *a)
{
	struct task *t = current_task(), *child;
	struct process *p = t->process;
	int err = -ENOMEM;

	if (!(a->flags & CLONE_THREAD)) {
		p = new_process(p, a->flags);
		if (!p)
			return err_ptr(-ENOMEM);
	}
	child = task_alloc(p, t, NULL, NULL);
	if (!child)
		goto drop_process;
	inherit_task(child, t, a->flags);
	task_charge_user(child, child->thread.cred->user);
	err = take_resources(child, t, a->flags);
	if (err)
		goto drop_task;
	if (a->flags & CLONE_CLEAR_SIGHAND)
		clear_handlers(p->sighand);
	child->pid = pid_alloc(a->set_tid_count ? a->set_tid[0] : 0);
	if (is_err(child->pid)) {
		err = ptr_err(child->pid);
		child->pid = NULL;
		goto drop_all;
	}
	get_pid(child->pid); /* the task's */
	apply_ids(child, a);
	return child;
drop_all:
	drop_resources(child, ARRAY_SIZE(g_resources));
drop_task:
	task_free_unstarted(child);
drop_process:
	if (p != t->process)
		put_process(p);
	return err_ptr(err);
}

static void undo_child(struct task *child)
{
	struct process *p = child->process;
	bool own = p != current_process();

	drop_resources(child, ARRAY_SIZE(g_resources));
	pid_release_number(child->pid);
	task_free_unstarted(child);
	if (own)
		put_process(p);
}

/* False: killed meanwhile. */
static bool wait_for_vfork(struct task *child, struct completion *done)
{
	if (wait_for_completion_killable(done) == 0)
		return true;
	spin_lock_irq(&child->lock);
	child->vfork_done = NULL; /* it lives on our stack */
	spin_unlock_irq(&child->lock);
	return false;
}

long task_clone(const struct clone_args_k *a)
{
	struct task *t = current_task(), *child;
	struct file *pidfile = NULL;
	struct completion vfork_done;
	int fd = -1, err, event;
	s32 nr;

	err = check_flags(a);
	if (!err)
		err = check_counts(t->thread.cred);
	if (!err)
		err = check_set_tid(a);
	if (err)
		return err;
	child = build_child(a);
	if (is_err(child))
		return ptr_err(child);
	if (a->flags & CLONE_PIDFD) {
		fd = err = pidfd_reserve(child->pid, &pidfile);
		if (err < 0)
			goto undo;
		err = put_user(fd, a->pidfd);
		if (err)
			goto undo_fd;
	}
	arch_thread_fork(&child->thread.arch, child->thread.stack, arch_user_regs(t->thread.stack),
		a->stack ? a->stack + a->stack_size : 0, a->flags & CLONE_SETTLS, a->tls);
	if (t->pt.stepping) /* the tracer's step is not the child's */
		arch_step_end(arch_user_regs(child->thread.stack));
	if (a->flags & CLONE_VFORK) {
		completion_init(&vfork_done);
		child->vfork_done = &vfork_done;
	}
	nr = task_tid(child);
	event = ptrace_clone_event(t, a->flags, a->exit_signal);
	err = publish(child, a, event);
	if (err)
		goto undo_fd;
	trace_event(TRACE_FORK, (u64)nr, (u64)process_pid(child->process));
	if (pidfile)
		fd_install(t->files, fd, pidfile);
	if ((a->flags & CLONE_PARENT_SETTID) && put_user(nr, a->parent_tid))
		nr = task_tid(child); /* Linux ignores the fault */
	if (!(a->flags & CLONE_VFORK)) {
		thread_start(&child->thread);
		if (event)
			ptrace_event(event, (unsigned long)nr);
		return nr;
	}
	get_task(child);
	thread_start(&child->thread);
	if (event)
		ptrace_event(event, (unsigned long)nr);
	if (wait_for_vfork(child, &vfork_done))
		ptrace_event(PTRACE_EVENT_VFORK_DONE, (unsigned long)nr);
	put_task(child);
	return nr;
undo_fd:
	if (pidfile) {
		fd_unreserve(t->files, fd);
		put_file(pidfile);
	}
undo:
	undo_child(child);
	return err;
}

void fork_set_child_tid(struct task *t)
{
	if (t->set_child_tid && put_user(task_tid(t), t->set_child_tid))
		t->set_child_tid = NULL; /* Linux ignores the fault */
}

/* ---- unshare ---- */

static int unshare_files(struct task *t)
{
	struct fd_table *old = t->files, *copy;

	if (!fd_table_shared(old))
		return 0;
	copy = fd_table_copy(old, U32_MAX);
	if (is_err(copy))
		return ptr_err(copy);
	spin_lock_irq(&t->lock);
	t->files = copy;
	spin_unlock_irq(&t->lock);
	put_fd_table(old);
	return 0;
}

static int unshare_fs(struct task *t)
{
	struct fs_context *old = t->fs, *copy;

	if (READ_ONCE(old->users) == 1)
		return 0;
	copy = fs_context_copy(old);
	if (!copy)
		return -ENOMEM;
	task_swap_fs(t, copy);
	return 0;
}

long task_unshare(unsigned long flags)
{
	struct task *t = current_task();
	int err = 0;

	if (flags &
		~(CLONE_FILES | CLONE_FS | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM))
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && t->process->nr_threads > 1)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && ref_read(&t->process->sighand->refs) > 1)
		return -EINVAL;
	if ((flags & CLONE_VM) && ref_read(&t->mm->users) > 1)
		return -EINVAL;
	if (flags & CLONE_FS)
		err = unshare_fs(t);
	if (!err && (flags & CLONE_FILES))
		err = unshare_files(t);
	if (!err && (flags & CLONE_SYSVSEM))
		g_process_sysv->drop_undo(t);
	return err;
}

/* ---- process 1 ---- */

/* Group and session 0: where init is until it calls setsid. */
static struct pid g_pid_zero = {.refs = REFCOUNT_INIT(1), .uses = 1};
static struct session g_session_zero = {.refs = REFCOUNT_INIT(1), .sid = &g_pid_zero};

static noreturn void init_entry(void *arg)
{
	int (*start)(void) = (int (*)(void))arg;
	int err = start();

	if (err)
		panic("init: starting the first program failed: error %s", errno_name(err));
	arch_enter_user(arch_user_regs(current_thread()->stack));
}

/* As many threads as have their stacks in an eighth of memory; half of them for one user. */
static void limit_threads(struct limits *l)
{
	struct mem_stats st;
	u64 half;

	mem_get_stats(&st);
	g_threads_max = (s32)clamp(
		st.total * PAGE_SIZE / (KSTACK_SIZE * 8), (u64)THREADS_MIN, (u64)PROC_NR_MAX_LIMIT);
	half = (u64)g_threads_max / 2;
	l->lim[RLIMIT_NPROC] = l->lim[RLIMIT_SIGPENDING] = (struct rlimit64){half, half};
}

static int init_resources(struct task *t)
{
	struct process *p = t->process;

	p->sighand = sighand_alloc();
	t->files = fd_table_create();
	t->fs = g_init_fs;
	if (!p->sighand || !t->files)
		return -ENOMEM;
	ref_get(&t->fs->refs); /* it is its first user */
	t->thread.cred = get_cred(&g_init_cred);
	task_charge_user(t, g_init_cred.user);
	p->limits = g_default_limits;
	limit_threads(&p->limits);
	p->flags = PROC_UNKILLABLE;
	p->exit_signal = SIGCHLD;
	t->default_slack_ns = t->thread.timer_slack_ns = 50 * NS_PER_US;
	str_copy(t->thread.name, "init", sizeof(t->thread.name));
	return 0;
}

static void link_init(struct task *t)
{
	struct process *p = t->process;

	spin_lock_irq(&g_tasklist_lock);
	list_init(&g_pid_zero.group_members);
	list_init(&g_pid_zero.session_members);
	wait_queue_init(&g_pid_zero.exit_wait);
	p->pid = t->pid;
	get_pid(p->pid);
	p->leader = t;
	p->pgrp = &g_pid_zero;
	p->session = &g_session_zero;
	ref_get(&g_session_zero.refs);
	pid_attach(t->pid);
	pid_attach(&g_pid_zero);
	pid_attach(&g_pid_zero);
	list_add_tail(&p->pgrp_link, &g_pid_zero.group_members);
	list_add_tail(&p->session_link, &g_pid_zero.session_members);
	list_add_tail(&p->all_link, &g_processes);
	list_add_tail(&t->thread_link, &p->threads);
	p->nr_threads = p->live_threads = 1;
	get_task(t);
	rcu_publish(t->pid->process, p);
	rcu_publish(t->pid->task, t);
	spin_unlock_irq(&g_tasklist_lock);
}

int process_start_init(int (*start)(void))
{
	struct process *p = process_alloc();
	struct task *t;

	if (!p)
		return -ENOMEM;
	t = task_alloc(p, NULL, init_entry, (void *)start);
	if (!t)
		return -ENOMEM; /* the machine cannot go on: nothing is given back */
	if (init_resources(t))
		return -ENOMEM;
	t->pid = pid_alloc(1);
	if (is_err(t->pid))
		return ptr_err(t->pid);
	get_pid(t->pid);
	link_init(t);
	thread_start(&t->thread);
	return 0;
}

int rootfs_open_console(void)
{
	struct task *t = current_task();
	struct vfs_env env = current_env();
	struct file *f = vfs_open(&env, NULL, "/dev/console", O_RDWR, 0, 0);

	if (is_err(f))
		return ptr_err(f);
	for (int i = 0; i < 3; i++) {
		int fd;

		if (i)
			get_file(f);
		fd = fd_open(t->files, f, false);
		if (fd < 0)
			return fd;
	}
	return 0;
}
