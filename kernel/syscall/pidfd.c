/* pidfds: open, signal, take a descriptor. */
#include <linux/fcntl.h>
#include <linux/pidfd.h>
#include <process/signal.h>
#include <syscall/syscall.h>

long sys_pidfd_open(int nr, unsigned int flags)
{
	struct fd_table *files = current_task()->files;
	struct file *f;
	struct pid *pid;
	long ret;

	if ((flags & ~PIDFD_NONBLOCK) || nr <= 0)
		return -EINVAL;
	pid = pid_get(nr);
	if (!pid)
		return -ESRCH;
	if (!READ_ONCE(pid->process)) { /* a thread that leads no process */
		ret = READ_ONCE(pid->task) ? -EINVAL : -ESRCH;
	} else {
		f = pidfd_create(pid, flags);
		ret = is_err(f) ? ptr_err(f) : fd_open(files, f, true);
	}
	put_pid(pid);
	return ret;
}

/* The process that descriptor fd names, referenced. Error pointer -EBADF -ESRCH. */
static struct process *process_of(int fd)
{
	struct file *f = fd_get(current_task()->files, fd);
	struct process *p = NULL;
	struct pid *pid;

	if (!f)
		return err_ptr(-EBADF);
	pid = pidfd_pid(f);
	if (!pid) {
		put_file(f);
		return err_ptr(-EBADF);
	}
	rcu_read_lock();
	p = rcu_load(pid->process);
	if (p && !ref_get_unless_zero(&p->refs))
		p = NULL;
	rcu_read_unlock();
	put_file(f);
	return p ? p : err_ptr(-ESRCH);
}

long sys_pidfd_send_signal(int fd, int sig, siginfo_t __user *uinfo, unsigned int flags)
{
	struct process *p;
	siginfo_t info;
	long err = 0;

	if (flags)
		return -EINVAL;
	p = process_of(fd);
	if (is_err(p))
		return ptr_err(p);
	if (uinfo) {
		if (copy_from_user(&info, uinfo, sizeof(info)))
			err = -EFAULT;
		else if (info.si_signo != sig)
			err = -EINVAL;
		else if (process_pid(p) != task_tid(current_task()) &&
			(info.si_code >= 0 || info.si_code == SI_TKILL))
			err = -EPERM;
	} else {
		info = (siginfo_t){.si_signo = sig, .si_code = SI_USER};
		info.si_pid = process_pid(current_process());
		info.si_uid = current_cred()->uid;
	}
	if (!err)
		err = signal_queue_info(p, sig, &info);
	put_process(p);
	return err;
}

static struct file *foreign_file(struct process *p, int fd)
{
	struct task *leader = process_get_leader(p);
	struct file *f;

	if (!leader)
		return err_ptr(-ESRCH);
	f = task_access_file(leader, fd, true);
	put_task(leader);
	return f;
}

long sys_pidfd_getfd(int pidfd, int fd, unsigned int flags)
{
	struct process *p;
	struct file *f;

	if (flags)
		return -EINVAL;
	p = process_of(pidfd);
	if (is_err(p))
		return ptr_err(p);
	f = foreign_file(p, fd);
	put_process(p);
	if (is_err(f))
		return ptr_err(f);
	return fd_open(current_task()->files, f, true);
}
