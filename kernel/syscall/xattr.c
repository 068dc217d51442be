/* Extended attributes of a path, a link itself, an open file. */
#include <kmem/slab.h>
#include <syscall/syscall.h>
#include <vfs/xattr.h>
#include "path.h"

/* What the calls of a family share: the target, or the descriptor. */
struct target {
	struct path path;
	struct file *file; /* NULL: path is referenced */
	bool need_put;
};

static long target_path(struct target *t, const char __user *name, u32 lookup)
{
	t->file = NULL;
	return user_lookup(AT_FDCWD, name, lookup, &t->path);
}

static long target_fd(struct target *t, int fd)
{
	t->file = fd_get_light(current_task()->files, fd, &t->need_put);
	if (!t->file)
		return -EBADF;
	t->path = t->file->path;
	return t->path.mnt ? 0 : -EOPNOTSUPP;
}

static void target_put(struct target *t)
{
	if (t->file)
		fd_put_light(t->file, t->need_put);
	else
		put_path(&t->path);
}

static long get_name(char *name, const char __user *u)
{
	ssize_t n = strncpy_from_user(name, u, XATTR_NAME_MAX + 1);

	if (n < 0)
		return n;
	return n == 0 || n > XATTR_NAME_MAX ? -ERANGE : 0;
}

static long do_set(struct target *t, const char __user *uname, const void __user *uvalue,
	size_t size, int flags)
{
	struct vfs_env env = current_env();
	char name[XATTR_NAME_MAX + 1];
	void *value;
	long r;

	if (flags & ~(XATTR_CREATE | XATTR_REPLACE))
		return -EINVAL;
	r = get_name(name, uname);
	if (r)
		return r;
	if (size > XATTR_SIZE_MAX)
		return -E2BIG;
	value = kvmalloc(size, GFP_KERNEL);
	if (!value)
		return -ENOMEM;
	r = copy_from_user(value, uvalue, size);
	if (!r)
		r = vfs_setxattr(&env, &t->path, name, value, size, flags);
	kvfree(value);
	return r;
}

static long do_get(struct target *t, const char __user *uname, void __user *uvalue, size_t size)
{
	struct vfs_env env = current_env();
	char name[XATTR_NAME_MAX + 1];
	void *value = NULL;
	long r = get_name(name, uname);

	if (r)
		return r;
	size = min(size, (size_t)XATTR_SIZE_MAX);
	if (size) {
		value = kvmalloc(size, GFP_KERNEL);
		if (!value)
			return -ENOMEM;
	}
	r = vfs_getxattr(&env, &t->path, name, value, size);
	if (r > 0 && size && copy_to_user(uvalue, value, (size_t)r))
		r = -EFAULT;
	else if (r == -ERANGE && size >= XATTR_SIZE_MAX)
		r = -E2BIG;
	kvfree(value);
	return r;
}

static long do_list(struct target *t, void __user *ulist, size_t size)
{
	struct vfs_env env = current_env();
	char *list = NULL;
	long r;

	size = min(size, (size_t)XATTR_LIST_MAX);
	if (size) {
		list = kvmalloc(size, GFP_KERNEL);
		if (!list)
			return -ENOMEM;
	}
	r = vfs_listxattr(&env, &t->path, list, size);
	if (r > 0 && size && copy_to_user(ulist, list, (size_t)r))
		r = -EFAULT;
	else if (r == -ERANGE && size >= XATTR_LIST_MAX)
		r = -E2BIG;
	kvfree(list);
	return r;
}

static long do_remove(struct target *t, const char __user *uname)
{
	struct vfs_env env = current_env();
	char name[XATTR_NAME_MAX + 1];
	long r = get_name(name, uname);

	return r ? r : vfs_removexattr(&env, &t->path, name);
}

#define WITH_TARGET(find, call) \
	struct target t;        \
	long r = find;          \
	if (!r)                 \
		r = call;       \
	else                    \
		return r;       \
	target_put(&t);         \
	return r

long sys_setxattr(const char __user *path, const char __user *name, const void __user *value,
	size_t size, int flags)
{
	WITH_TARGET(target_path(&t, path, LOOKUP_FOLLOW), do_set(&t, name, value, size, flags));
}

long sys_lsetxattr(const char __user *path, const char __user *name, const void __user *value,
	size_t size, int flags)
{
	WITH_TARGET(target_path(&t, path, 0), do_set(&t, name, value, size, flags));
}

long sys_fsetxattr(
	int fd, const char __user *name, const void __user *value, size_t size, int flags)
{
	WITH_TARGET(target_fd(&t, fd), do_set(&t, name, value, size, flags));
}

long sys_getxattr(const char __user *path, const char __user *name, void __user *value, size_t size)
{
	WITH_TARGET(target_path(&t, path, LOOKUP_FOLLOW), do_get(&t, name, value, size));
}

long sys_lgetxattr(
	const char __user *path, const char __user *name, void __user *value, size_t size)
{
	WITH_TARGET(target_path(&t, path, 0), do_get(&t, name, value, size));
}

long sys_fgetxattr(int fd, const char __user *name, void __user *value, size_t size)
{
	WITH_TARGET(target_fd(&t, fd), do_get(&t, name, value, size));
}

long sys_listxattr(const char __user *path, void __user *list, size_t size)
{
	WITH_TARGET(target_path(&t, path, LOOKUP_FOLLOW), do_list(&t, list, size));
}

long sys_llistxattr(const char __user *path, void __user *list, size_t size)
{
	WITH_TARGET(target_path(&t, path, 0), do_list(&t, list, size));
}

long sys_flistxattr(int fd, void __user *list, size_t size)
{
	WITH_TARGET(target_fd(&t, fd), do_list(&t, list, size));
}

long sys_removexattr(const char __user *path, const char __user *name)
{
	WITH_TARGET(target_path(&t, path, LOOKUP_FOLLOW), do_remove(&t, name));
}

long sys_lremovexattr(const char __user *path, const char __user *name)
{
	WITH_TARGET(target_path(&t, path, 0), do_remove(&t, name));
}

long sys_fremovexattr(int fd, const char __user *name)
{
	WITH_TARGET(target_fd(&t, fd), do_remove(&t, name));
}
