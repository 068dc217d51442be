/* kcmp(2): do two processes share a resource? The order of different ones is arbitrary but stable. */
#include <core/init.h>
#include <core/trace.h>
#include <linux/kcmp.h>
#include <process/task.h>
#include <syscall/syscall.h>

static u64 g_mask, g_factor; /* hide addresses but keep an order; immutable after start-up */

static int kcmp_init(void)
{
	g_mask = random_u64();
	g_factor = random_u64() | 1;
	return 0;
}
INIT_HOOK(INIT_LATE, kcmp_init);

static long compare(const void *a, const void *b)
{
	u64 x = ((u64)(uintptr_t)a ^ g_mask) * g_factor,
	    y = ((u64)(uintptr_t)b ^ g_mask) * g_factor;

	return x == y ? 0 : x < y ? 1 : 2;
}

static struct file *file_of(struct task *t, unsigned long fd)
{
	struct fd_table *files = task_get_files(t);
	struct file *f = files && fd <= INT_MAX ? fd_get_any(files, (int)fd) : NULL;

	if (files)
		fd_table_unhold(files);
	return f;
}

static long compare_files(struct task *a, struct task *b, unsigned long fd1, unsigned long fd2)
{
	struct file *f = file_of(a, fd1), *g = file_of(b, fd2);
	long r = f && g ? compare(f, g) : -EBADF;

	if (f)
		put_file(f);
	if (g)
		put_file(g);
	return r;
}

/* Only addresses are compared: the objects may go away meanwhile. */
static long compare_resources(struct task *a, struct task *b, int type)
{
	switch (type) {
	case KCMP_VM:
		return compare(READ_ONCE(a->mm), READ_ONCE(b->mm));
	case KCMP_FILES:
		return compare(READ_ONCE(a->files), READ_ONCE(b->files));
	case KCMP_FS:
		return compare(READ_ONCE(a->fs), READ_ONCE(b->fs));
	case KCMP_SIGHAND:
		return compare(READ_ONCE(a->process->sighand), READ_ONCE(b->process->sighand));
	default: /* I/O contexts, System V undo lists, epoll targets: not kept here */
		return -EOPNOTSUPP;
	}
}

static long compare_tasks(
	struct task *a, struct task *b, int type, unsigned long idx1, unsigned long idx2)
{
	if (type < 0 || type >= KCMP_TYPES)
		return -EINVAL;
	if (type == KCMP_FILE)
		return compare_files(a, b, idx1, idx2);
	return compare_resources(a, b, type);
}

long sys_kcmp(int pid1, int pid2, int type, unsigned long idx1, unsigned long idx2)
{
	struct task *a = task_find(pid1), *b = task_find(pid2);
	long r = -ESRCH;

	if (a && b) {
		struct task_access of_a, of_b;
		bool ok, same;

		do {
			ok = task_access_begin(&of_a, a, true);
			ok &= task_access_begin(&of_b, b, true);
			r = ok ? compare_tasks(a, b, type, idx1, idx2) : -EPERM;
			same = task_access_end(&of_a);
			same &= task_access_end(&of_b);
		} while (!same);
	}
	if (a)
		put_task(a);
	if (b)
		put_task(b);
	return r;
}
