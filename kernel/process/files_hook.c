/* The last put of a file by a task: its release runs on the task's way back to user mode. */
#include "process.h"
#include <core/init.h>
#include <kmem/slab.h>

struct deferred_put {
	struct task_work work;
	struct file *file;
};

static void run_put(struct task_work *w)
{
	struct deferred_put *d = container_of(w, struct deferred_put, work);
	struct file *f = d->file;

	kfree(d);
	file_release_now(f);
}

static bool defer_put(struct file *f)
{
	struct deferred_put *d;

	if (!thread_is_task(current_thread()))
		return false;
	d = kmalloc(sizeof(*d), GFP_ATOMIC);
	if (!d)
		return false;
	d->work.fn = run_put;
	d->file = f;
	if (task_work_add(current_task(), &d->work) == 0)
		return true;
	kfree(d);
	return false;
}

static int files_hook_init(void)
{
	file_set_defer_hook(defer_put);
	return 0;
}
INIT_HOOK(INIT_CORE, files_hook_init);
