/* flock(2). Record locks are fcntl's (fd.c). */
#include <process/task.h>
#include <syscall/syscall.h>

long sys_flock(int fd, int operation)
{
	struct file *f;
	bool need_put;
	long r = -EBADF;

	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	if ((operation & ~LOCK_NB) == LOCK_UN || (f->mode & (FMODE_READ | FMODE_WRITE)))
		r = lock_flock(f, operation, process_pid(current_process()));
	fd_put_light(f, need_put);
	return r;
}
