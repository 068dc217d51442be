/* exit, exit_group, wait4, waitid. */
#include <linux/wait.h>
#include <process/signal.h>
#include <syscall/syscall.h>

long sys_exit(int status)
{
	task_exit((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_group_exit((status & 0xff) << 8);
}

static struct pid *own_pgrp(void)
{
	struct pid *p;

	spin_lock_irq(&g_tasklist_lock);
	p = current_process()->pgrp;
	get_pid(p);
	spin_unlock_irq(&g_tasklist_lock);
	return p;
}

long sys_wait4(int nr, int __user *status, int options, struct rusage __user *ru)
{
	struct wait_request rq = {.type = P_ALL, .options = options | WEXITED};
	long err;

	if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL))
		return -EINVAL;
	if (nr == INT_MIN)
		return -ESRCH;
	if (nr < -1) {
		rq.type = P_PGID;
		rq.pid = pid_get(-nr);
	} else if (nr == 0) {
		rq.type = P_PGID;
		rq.pid = own_pgrp();
	} else if (nr > 0) {
		rq.type = P_PID;
		rq.pid = pid_get(nr);
	}
	err = process_wait(&rq);
	put_pid(rq.pid);
	if (err)
		return err;
	if (rq.found && status && put_user(rq.status, status))
		return -EFAULT;
	if (rq.found && ru && copy_to_user(ru, &rq.ru, sizeof(rq.ru)))
		return -EFAULT;
	return rq.found;
}

/* The request's subject. -EINVAL -EBADF. */
static int resolve(struct wait_request *rq, int which, int id, bool *nonblock)
{
	struct file *f;

	rq->type = which;
	switch (which) {
	case P_ALL:
		return 0;
	case P_PID:
		if (id <= 0)
			return -EINVAL;
		rq->pid = pid_get(id);
		return 0;
	case P_PGID:
		if (id < 0)
			return -EINVAL;
		rq->pid = id ? pid_get(id) : own_pgrp();
		return 0;
	case P_PIDFD:
		if (id < 0)
			return -EINVAL;
		f = fd_get(current_task()->files, id);
		if (!f)
			return -EBADF;
		rq->type = P_PID;
		rq->pid = pidfd_pid(f);
		if (rq->pid)
			get_pid(rq->pid);
		*nonblock = f->flags & O_NONBLOCK;
		put_file(f);
		return rq->pid ? 0 : -EBADF;
	default:
		return -EINVAL;
	}
}

long sys_waitid(int which, int id, siginfo_t __user *uinfo, int options, struct rusage __user *ru)
{
	struct wait_request rq = {.options = options};
	bool nonblock = false;
	siginfo_t info = {0};
	long err;

	if (options &
		~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE |
			__WALL))
		return -EINVAL;
	if (!(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	err = resolve(&rq, which, id, &nonblock);
	if (err)
		return err;
	if (nonblock)
		rq.options |= WNOHANG;
	err = process_wait(&rq);
	put_pid(rq.pid);
	if (!err && !rq.found && nonblock && !(options & WNOHANG))
		err = -EAGAIN;
	if (err)
		return err;
	if (rq.found && ru && copy_to_user(ru, &rq.ru, sizeof(rq.ru)))
		return -EFAULT;
	if (!uinfo)
		return 0;
	if (rq.found) {
		info.si_signo = SIGCHLD;
		info.si_code = rq.cause;
		info.si_pid = rq.found;
		info.si_uid = rq.uid;
		info.si_status = rq.child_status;
	}
	/* only these fields: the rest of the caller's structure stays */
	if (put_user(info.si_signo, &uinfo->si_signo) || put_user(0, &uinfo->si_errno) ||
		put_user(info.si_code, &uinfo->si_code) || put_user(info.si_pid, &uinfo->si_pid) ||
		put_user(info.si_uid, &uinfo->si_uid) ||
		put_user(info.si_status, &uinfo->si_status))
		return -EFAULT;
	return 0;
}
