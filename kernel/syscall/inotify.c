/* inotify_init, inotify_add_watch, inotify_rm_watch. */
#include <syscall/syscall.h>
#include <vfs/inotify.h>
#include "path.h"

long sys_inotify_init1(int flags)
{
	struct file *f;

	if (flags & ~(IN_CLOEXEC | IN_NONBLOCK))
		return -EINVAL;
	f = inotify_create((u32)flags & O_NONBLOCK);
	if (is_err(f))
		return ptr_err(f);
	return fd_open(current_task()->files, f, (flags & IN_CLOEXEC) != 0);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

long sys_inotify_add_watch(int fd, const char __user *name, unsigned int mask)
{
	u32 lookup = (mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW) |
		(mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0);
	struct path p;
	struct file *f;
	bool need_put;
	long r;

	if ((mask & ~INOTIFY_MASK_VALID) || !(mask & (IN_ALL_EVENTS | IN_UNMOUNT | IN_IGNORED)))
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	r = -EINVAL;
	if (!inotify_is(f) || ((mask & IN_MASK_ADD) && (mask & IN_MASK_CREATE)))
		goto out;
	r = user_lookup(AT_FDCWD, name, lookup, &p);
	if (r)
		goto out;
	r = inode_permission(p.dentry->inode, MAY_READ, current_cred());
	if (!r)
		r = inotify_watch(f, p.dentry->inode, mask);
	put_path(&p);
out:
	fd_put_light(f, need_put);
	return r;
}

long sys_inotify_rm_watch(int fd, int wd)
{
	struct file *f;
	bool need_put;
	long r;

	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	r = inotify_unwatch(f, wd);
	fd_put_light(f, need_put);
	return r;
}
