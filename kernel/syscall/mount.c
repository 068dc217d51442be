/* mount, umount2, pivot_root. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <process/task.h>
#include <syscall/syscall.h>
#include "path.h"

/* The option page: a string of at most a page less one; reading stops where user memory does. */
static int get_data(const void __user *data, char **out)
{
	char *page;
	size_t n;

	*out = NULL;
	if (!data)
		return 0;
	page = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	n = copy_from_user_part(page, data, PAGE_SIZE - 1);
	if (n == 0) {
		kfree(page);
		return -EFAULT;
	}
	page[n] = 0;
	*out = page;
	return 0;
}

/* A string or NULL. */
static int get_optional(struct upath *nb, const char __user *u, const char **out)
{
	int err;

	nb->text = nb->small;
	*out = NULL;
	if (!u)
		return 0;
	err = upath_get(nb, u, true);
	if (!err)
		*out = nb->text;
	return err == -ENAMETOOLONG ? -EINVAL : err; /* it isn't a path for every type */
}

long sys_mount(const char __user *usource, const char __user *utarget, const char __user *utype,
	unsigned long flags, const void __user *udata)
{
	struct vfs_env env = current_env();
	struct upath source, target, type;
	const char *s, *ty;
	char *data = NULL;
	long err;

	target.text = target.small;
	err = get_optional(&type, utype, &ty);
	source.text = source.small;
	if (!err)
		err = get_optional(&source, usource, &s);
	if (!err)
		err = get_data(udata, &data);
	if (!err)
		err = upath_get(&target, utarget, false);
	if (!err && !capable(CAP_SYS_ADMIN))
		err = -EPERM;
	if (!err)
		err = vfs_mount(&env, s, target.text, ty, flags, data);
	kfree(data);
	upath_put(&target);
	upath_put(&source);
	upath_put(&type);
	return err;
}

long sys_umount2(const char __user *utarget, int flags)
{
	struct vfs_env env = current_env();
	struct upath target;
	long err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = upath_get(&target, utarget, false);
	if (!err)
		err = vfs_umount(&env, target.text, flags);
	upath_put(&target);
	return err;
}

long sys_pivot_root(const char __user *unew, const char __user *uold)
{
	struct vfs_env env = current_env();
	struct upath new, old;
	long err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	old.text = old.small;
	err = upath_get(&new, unew, false);
	if (!err)
		err = upath_get(&old, uold, false);
	if (!err)
		err = vfs_pivot_root(&env, new.text, old.text);
	upath_put(&old);
	upath_put(&new);
	return err;
}
