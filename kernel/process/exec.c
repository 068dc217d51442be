/*
 * execve. First everything that may fail with an errno: copy arguments, open, read, check, prepare
 * credentials and an empty address space. Then the point of no return: other threads die, the new
 * address space is taken, handlers and descriptors are reset, the program is mapped. A failure
 * there ends the process with SIGSEGV.
 */
#include "exec.h"
#include "ptrace.h"
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/prctl.h>

#define STACK_LIMIT_SECURE MiB(8) /* for set-user-ID programs: _STK_LIM */
#define ARG_MIN            (128ul << 10)
#define ARG_MAX_TOTAL      (MiB(8) / 4 * 3)

static int (*g_map_vdso)(struct mm *mm);

void process_set_vdso_hook(int (*map)(struct mm *mm))
{
	g_map_vdso = map;
}

/* ---- opening ---- */

/* The program's name as AT_EXECFN shows it. */
static int set_name(struct exec *x, int dirfd, const char *name)
{
	x->filename = name;
	if (dirfd == AT_FDCWD || name[0] == '/')
		return 0;
	x->fd_name = kmalloc(PATH_MAX + 32, GFP_KERNEL);
	if (!x->fd_name)
		return -ENOMEM;
	ksnprintf(x->fd_name, PATH_MAX + 32, name[0] ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, name);
	x->filename = x->fd_name;
	return 0;
}

static int open_at(struct exec *x, int dirfd, const char *name, int at_flags)
{
	u32 flags = (at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
		(at_flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
	struct task *t = current_task();
	struct file *dir, *f;

	if (at_flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (dirfd == AT_FDCWD || name[0] == '/') {
		f = exec_open(NULL, name, flags);
	} else {
		dir = fd_get_any(t->files, dirfd);
		if (!dir)
			return -EBADF;
		x->path_inaccessible = fd_get_cloexec(t->files, dirfd) > 0;
		f = exec_open(&dir->path, name, flags);
		put_file(dir);
	}
	if (is_err(f))
		return ptr_err(f);
	x->file = f;
	return 0;
}

static int read_head(struct exec *x)
{
	off64_t pos = 0;
	ssize_t n;

	memset(x->head, 0, sizeof(x->head));
	n = exec_read(x->file, x->head, sizeof(x->head), &pos);
	return n < 0 ? (int)n : 0;
}

/* ---- #! ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Split "#! name [argument]" in place. -ENOEXEC when the line names nothing or is cut off, -EACCES
 * when the file ends before a name. */
static int parse_script_line(char *head, char **name, char **arg)
{
	char *end = memchr(head, '\n', EXEC_HEAD_SIZE), *s = head + 2;

	if (!end) {
		end = head + EXEC_HEAD_SIZE - 1;
		while (s < end && is_blank(*s))
			s++;
		while (s < end && *s && !is_blank(*s))
			s++;
		if (s >= end)
			return -ENOEXEC; /* the interpreter's name may be incomplete */
		s = head + 2;
	}
	while (s < end && is_blank(*s))
		s++;
	if (s == end)
		return -ENOEXEC;
	if (!*s)
		return -EACCES;
	*end = 0;
	while (end > s && is_blank(end[-1]))
		*--end = 0;
	*name = s;
	while (*s && !is_blank(*s))
		s++;
	*arg = NULL;
	if (*s) {
		*s++ = 0;
		while (is_blank(*s))
			s++;
		if (*s)
			*arg = s;
	}
	return 0;
}

static int enter_script(struct exec *x)
{
	char *name, *arg, *copy;
	struct file *f;
	int err;

	if (x->path_inaccessible)
		return -ENOENT; /* the interpreter could not open /dev/fd/N any more */
	err = parse_script_line(x->head, &name, &arg);
	if (err)
		return err;
	args_drop_first(&x->args);
	err = args_push_string(&x->args, x->interp ? x->interp : x->filename);
	if (!err && arg) {
		err = args_push_string(&x->args, arg);
		x->argc++;
	}
	if (!err) {
		err = args_push_string(&x->args, name);
		x->argc++;
	}
	copy = err ? NULL : kstrdup(name, GFP_KERNEL);
	if (err || !copy)
		return err ? err : -ENOMEM;
	kfree(x->interp);
	x->interp = copy;
	f = exec_open(NULL, name, LOOKUP_FOLLOW);
	if (is_err(f))
		return ptr_err(f);
	exec_close(x->file);
	x->file = f;
	return read_head(x);
}

static int find_format(struct exec *x)
{
	for (int depth = 0;; depth++) {
		int err;

		if (depth > EXEC_MAX_DEPTH)
			return -ELOOP;
		if (x->head[0] != '#' || x->head[1] != '!')
			return elf_prepare(x);
		err = enter_script(x);
		if (err)
			return err;
	}
}

/* ---- arguments ---- */

static int set_arg_limit(struct exec *x)
{
	u64 limit = min((u64)ARG_MAX_TOTAL, x->stack_limit / 4);
	u64 pointers = ((u64)max(x->argc, 1) + (u64)x->envc) * sizeof(u64);

	limit = max(limit, (u64)ARG_MIN);
	if (limit <= pointers)
		return -E2BIG;
	x->args.limit = limit - pointers;
	return 0;
}

static int finish_args(struct exec *x)
{
	if (x->argc)
		return 0;
	log_limited(LOG_INFO, "process '%s' launched '%s' with NULL argv: empty string added",
		current_thread()->name, x->filename);
	x->argc = 1;
	return args_push_string(&x->args, "");
}

static int push_user_args(struct exec *x, const char __user *const __user *argv,
	const char __user *const __user *envp)
{
	int err;

	x->argc = args_count_user(argv);
	if (x->argc < 0)
		return x->argc;
	x->envc = args_count_user(envp);
	if (x->envc < 0)
		return x->envc;
	err = set_arg_limit(x);
	if (!err)
		err = args_push_string(&x->args, x->filename);
	x->execfn_distance = x->args.used;
	if (!err)
		err = args_push_user(&x->args, envp, x->envc);
	if (!err)
		err = args_push_user(&x->args, argv, x->argc);
	return err ? err : finish_args(x);
}

static int push_kernel_strings(struct arg_block *b, const char *const *v, int n)
{
	int err = 0;

	while (n-- && !err)
		err = args_push_string(b, v[n]);
	return err;
}

static int count_strings(const char *const *v)
{
	int n = 0;

	while (v[n])
		n++;
	return n;
}

static int push_kernel_args(struct exec *x, const char *const *argv, const char *const *envp)
{
	int err;

	x->argc = count_strings(argv);
	x->envc = count_strings(envp);
	err = set_arg_limit(x);
	if (!err)
		err = args_push_string(&x->args, x->filename);
	x->execfn_distance = x->args.used;
	if (!err)
		err = push_kernel_strings(&x->args, envp, x->envc);
	if (!err)
		err = push_kernel_strings(&x->args, argv, x->argc);
	return err ? err : finish_args(x);
}

/* ---- the new image ---- */

static int prepare_mm(struct exec *x)
{
	struct process *p = current_process();

	x->mm = mm_create();
	if (is_err(x->mm)) {
		int err = ptr_err(x->mm);

		x->mm = NULL;
		return err;
	}
	if (x->secure)
		x->stack_limit = min(x->stack_limit, STACK_LIMIT_SECURE);
	x->mm->oom_score_adj = p->oom_score_adj;
	if (current_task()->mm) {
		x->mm->no_huge = current_task()->mm->no_huge;
		x->mm->dump_filter = READ_ONCE(current_task()->mm->dump_filter);
	}
	x->mm->dumpable = x->setid || x->secure || x->unreadable ? (u32)g_suid_dumpable : 1;
	return 0;
}

/* A table shared with another process must not lose its descriptors to our close-on-exec. Past the
 * point of no return, when other threads have let go of it, so it may fail: then the process ends. */
static int own_files(struct task *t)
{
	return (int)task_unshare(CLONE_FILES);
}

static void own_sighand(struct exec *x, struct process *p)
{
	struct sighand *new_hand = x->sighand, *old = p->sighand;

	if (ref_read(&old->refs) == 1)
		return;
	x->sighand = NULL;
	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&p->siglock);
	memcpy(new_hand->action, old->action, sizeof(old->action));
	p->sighand = new_hand;
	spin_unlock(&p->siglock);
	spin_unlock_irq(&g_tasklist_lock);
	put_sighand(old);
}

static void reset_handlers(struct process *p)
{
	struct sighand *s = p->sighand;

	spin_lock_irq(&s->lock);
	for (int i = 0; i < NR_SIGNALS; i++)
		s->action[i] = (struct sigaction){
			.sa_handler = s->action[i].sa_handler == SIG_IGN ? SIG_IGN : SIG_DFL};
	spin_unlock_irq(&s->lock);
}

/* The new address space and the credentials that go with it. */
static void take_mm(struct exec *x)
{
	const struct cred *old_cred;
	struct task *t = current_task();
	struct mm *old = t->mm;

	if (inode_deny_write(x->file->inode) == 0) { /* we deny already: it works */
		get_file(x->file);
		x->mm->exe_file = x->file;
	}
	if (old)
		task_mm_release(t, old);
	spin_lock_irq(&t->lock); /* both at once: task_access_begin */
	t->mm = x->mm;
	old_cred = cred_replace(x->cred);
	spin_unlock_irq(&t->lock);
	x->cred = NULL;
	x->mm_taken = true;
	thread_use_mm(&x->mm->arch);
	put_cred(old_cred);
	if (old)
		task_leave_mm(t, old);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void reset_task(struct exec *x)
{
	struct task *t = current_task();
	struct process *p = t->process;

	reset_handlers(p);
	posix_timers_exit(p);
	t->altstack = (stack_t){.ss_flags = SS_DISABLE};
	t->restart.fn = NULL;
	t->robust_list = NULL;
	t->clear_child_tid = t->set_child_tid = NULL;
	t->thread.timer_slack_ns = t->default_slack_ns;
	rseq_exec(t);
	memset(t->logged_calls, 0, sizeof(t->logged_calls));
	WRITE_ONCE(t->personality, x->personality);
	task_set_name(t, base_name(x->filename));
	spin_lock_irq(&g_tasklist_lock);
	p->exec_id++;
	p->did_exec = true;
	p->exit_signal = SIGCHLD;
	spin_unlock_irq(&g_tasklist_lock);
	fd_close_on_exec(t->files); /* last: it is how others learn of the exec */
}

/* What else the credentials that were taken mean for the task. */
static void apply_cred(struct exec *x)
{
	struct task *t = current_task();

	if (x->secure || x->setid)
		WRITE_ONCE(t->pdeath_signal, 0);
	task_charge_user(t, current_cred()->user);
	if (x->secure) {
		struct rlimit64 *lim = &t->process->limits.lim[RLIMIT_STACK];

		spin_lock_irq(&t->process->limits_lock);
		WRITE_ONCE(lim->rlim_cur, min((u64)lim->rlim_cur, STACK_LIMIT_SECURE));
		spin_unlock_irq(&t->process->limits_lock);
	}
}

/* Past the point of no return. */
static int commit(struct exec *x)
{
	unsigned long top, sp;
	long at;
	int err;

	trace_event(TRACE_EXEC, (u64)process_pid(current_task()->process), 0);
	take_mm(x);
	reset_task(x);
	apply_cred(x);
	at = mm_setup_stack(x->mm, layout_stack_top(x), x->exec_stack, &top);
	if (at < 0)
		return (int)at;
	err = elf_load(x);
	if (!err && g_map_vdso)
		err = g_map_vdso(x->mm);
	if (!err)
		err = elf_build_stack(x, top, &sp);
	if (err)
		return err;
	arch_exec_start(arch_user_regs(current_thread()->stack), x->start_ip, sp);
	return 0;
}

static u32 new_personality(const struct exec *x)
{
	u32 p = READ_ONCE(current_task()->personality) & ~(READ_IMPLIES_EXEC | PER_MASK);

	if (x->setid || x->secure)
		p &= ~(u32)PER_CLEAR_ON_SETID;
	return p;
}

/* Then the process must not show its memory to those who may not read the file either. */
static bool may_not_read(const struct file *f)
{
	return inode_permission(f->inode, MAY_READ, current_cred()) != 0;
}

static int run(struct exec *x)
{
	struct task *t = current_task();
	int err = find_format(x);

	if (err)
		return err;
	if (mutex_lock_interruptible(&t->process->exec_lock))
		return -ERESTARTNOINTR;
	x->locked = true;
	err = exec_prepare_cred(x);
	if (err)
		return err;
	x->personality = new_personality(x);
	x->unreadable = may_not_read(x->file) || (x->ldso.file && may_not_read(x->ldso.file));
	err = prepare_mm(x);
	if (err)
		return err;
	layout_choose(x);
	/* Until the other threads have gone, they may make a process that shares it. */
	if (ref_read(&t->process->sighand->refs) > 1 || READ_ONCE(t->process->nr_threads) > 1) {
		x->sighand = sighand_alloc();
		if (!x->sighand)
			return -ENOMEM;
	}
	err = exec_dethread(t);
	if (err)
		return err;
	x->committed = true;
	/* Only now: other threads have let go of the table, and record locks belong to it. */
	err = own_files(t);
	if (err)
		return err;
	own_sighand(x, t->process);
	return commit(x);
}

static int exec_start(struct exec *x)
{
	struct task *t = current_task();

	if (t->nproc_exceeded && task_over_nproc(t->thread.cred))
		return -EAGAIN;
	t->nproc_exceeded = false;
	args_init(&x->args);
	x->stack_limit = rlimit(RLIMIT_STACK);
	return 0;
}

static void exec_free(struct exec *x)
{
	elf_free(x);
	exec_close(x->file);
	args_free(&x->args);
	if (x->mm && !x->mm_taken)
		put_mm_users(x->mm);
	if (x->sighand)
		put_sighand(x->sighand);
	if (x->fs_held)
		fs_exec_end(current_task()->fs);
	if (x->cred)
		cred_abort(x->cred);
	if (x->locked)
		mutex_unlock(&current_process()->exec_lock);
	kfree(x->interp);
	kfree(x->fd_name);
	kfree(x);
}

static int finish(struct exec *x, int err)
{
	bool committed = x->committed;

	exec_free(x);
	if (err && committed && !signal_fatal_pending(current_task()))
		signal_force_fatal(SIGSEGV);
	return err;
}

int process_exec(int dirfd, const char *name, int at_flags, const char __user *const __user *argv,
	const char __user *const __user *envp)
{
	struct exec *x = kzalloc(sizeof(*x), GFP_KERNEL);
	s32 tid = task_tid(current_task());
	int err;

	if (!x)
		return -ENOMEM;
	err = exec_start(x);
	if (!err)
		err = set_name(x, dirfd, name);
	if (!err) /* bad pointers are told before anything about the file */
		err = push_user_args(x, argv, envp);
	if (!err)
		err = open_at(x, dirfd, name, at_flags);
	if (!err)
		err = read_head(x);
	if (!err)
		err = run(x);
	err = finish(x, err);
	if (!err)
		ptrace_exec_event(tid);
	return err;
}

int process_exec_kernel(const char *path, const char *const *argv, const char *const *envp)
{
	struct exec *x = kzalloc(sizeof(*x), GFP_KERNEL);
	int err;

	if (!x)
		return -ENOMEM;
	err = exec_start(x);
	if (!err)
		err = set_name(x, AT_FDCWD, path);
	if (!err)
		err = push_kernel_args(x, argv, envp);
	if (!err)
		err = open_at(x, AT_FDCWD, path, 0);
	if (!err)
		err = read_head(x);
	if (!err)
		err = run(x);
	return finish(x, err);
}
