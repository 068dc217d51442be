/* pidfds: a descriptor that names a process, readable once it has exited. */
#include "process.h"
#include <lib/seq_buf.h>

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct pid *pid = f->priv;
	struct process *p;
	u32 mask = 0;

	poll_wait(f, &pid->exit_wait, pt);
	rcu_read_lock();
	p = rcu_load(pid->process);
	if (!p || (process_is_zombie(p)))
		mask = EPOLLIN | EPOLLRDNORM;
	rcu_read_unlock();
	return mask;
}

static void pidfd_release(struct file *f)
{
	put_pid(f->priv);
}

static void pidfd_show(struct file *f, struct seq_buf *s)
{
	struct pid *pid = f->priv;
	s32 nr = READ_ONCE(pid->process) ? pid->nr : -1;

	seq_printf(s, "Pid:\t%d\nNSpid:\t%d\n", nr, nr);
}

static const struct file_ops g_pidfd_fops = {
	.poll = pidfd_poll,
	.release = pidfd_release,
	.show_fdinfo = pidfd_show,
};

struct file *pidfd_create(struct pid *pid, u32 o_flags)
{
	struct file *f;

	get_pid(pid);
	f = file_anon("[pidfd]", &g_pidfd_fops, pid, O_RDWR | (o_flags & O_NONBLOCK));
	if (is_err(f))
		put_pid(pid);
	return f;
}

struct pid *pidfd_pid(struct file *f)
{
	return f->ops == &g_pidfd_fops ? f->priv : NULL;
}

int pidfd_reserve(struct pid *pid, struct file **out)
{
	struct fd_table *files = current_task()->files;
	int fd = fd_reserve(files, 0, true);
	struct file *f;

	if (fd < 0)
		return fd;
	f = pidfd_create(pid, 0);
	if (is_err(f)) {
		fd_unreserve(files, fd);
		return ptr_err(f);
	}
	*out = f;
	return fd;
}
