/* Names: link, symlink, readlink, unlink, rename. */
#include <kmem/slab.h>
#include <syscall/syscall.h>
#include "name.h"

long sys_linkat(int olddir, const char __user *old, int newdir, const char __user *new, int flags)
{
	struct vfs_env env = current_env();
	struct name_base obase, nbase;
	struct name_buf oname, nname;
	long r;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	nname.text = nname.fast;
	r = name_get(&oname, old);
	if (!r)
		r = name_get(&nname, new);
	if (r)
		goto out;
	r = base_get(&obase, olddir, oname.text);
	if (r)
		goto out;
	r = base_get(&nbase, newdir, nname.text);
	if (!r) {
		r = vfs_link(&env, obase.path, oname.text, nbase.path, nname.text, flags);
		base_put(&nbase);
	}
	base_put(&obase);
out:
	name_put(&nname);
	name_put(&oname);
	return r;
}

long sys_link(const char __user *old, const char __user *new)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_symlinkat(const char __user *utarget, int dirfd, const char __user *uname)
{
	struct vfs_env env = current_env();
	struct name_buf target, name;
	struct name_base base;
	long r;

	name.text = name.fast;
	r = name_get(&target, utarget);
	if (!r && !target.text[0])
		r = -ENOENT;
	if (!r)
		r = name_get(&name, uname);
	if (!r)
		r = base_get(&base, dirfd, name.text);
	if (!r) {
		r = vfs_symlink(&env, base.path, name.text, target.text);
		base_put(&base);
	}
	name_put(&name);
	name_put(&target);
	return r;
}

long sys_symlink(const char __user *target, const char __user *name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

long sys_readlinkat(int dirfd, const char __user *name, void __user *buf, int size)
{
	struct vfs_env env = current_env();
	struct path p;
	char *text;
	long r;

	if (size <= 0)
		return -EINVAL;
	/* An empty name is the link that dirfd was opened on (O_PATH | O_NOFOLLOW). */
	r = path_get_user(dirfd, name, LOOKUP_EMPTY, &p);
	if (r)
		return r;
	text = kmalloc(PATH_MAX, GFP_KERNEL);
	r = text ? vfs_readlink(&env, &p, text, (size_t)min(size, PATH_MAX)) : -ENOMEM;
	if (r > 0 && copy_to_user(buf, text, (size_t)r))
		r = -EFAULT;
	kfree(text);
	put_path(&p);
	return r;
}

long sys_readlink(const char __user *name, void __user *buf, int size)
{
	return sys_readlinkat(AT_FDCWD, name, buf, size);
}

long sys_unlinkat(int dirfd, const char __user *uname, int flags)
{
	struct vfs_env env = current_env();
	struct name_base base;
	struct name_buf name;
	long r;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	r = name_get(&name, uname);
	if (!r)
		r = base_get(&base, dirfd, name.text);
	if (!r) {
		r = flags & AT_REMOVEDIR ? vfs_rmdir(&env, base.path, name.text)
					 : vfs_unlink(&env, base.path, name.text);
		base_put(&base);
	}
	name_put(&name);
	return r;
}

long sys_unlink(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, 0);
}

long sys_rmdir(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

long sys_renameat2(
	int olddir, const char __user *old, int newdir, const char __user *new, unsigned int flags)
{
	struct vfs_env env = current_env();
	struct name_base obase, nbase;
	struct name_buf oname, nname;
	long r;

	nname.text = nname.fast;
	r = name_get(&oname, old);
	if (!r)
		r = name_get(&nname, new);
	if (r)
		goto out;
	r = base_get(&obase, olddir, oname.text);
	if (r)
		goto out;
	r = base_get(&nbase, newdir, nname.text);
	if (!r) {
		r = vfs_rename(&env, obase.path, oname.text, nbase.path, nname.text, flags);
		base_put(&nbase);
	}
	base_put(&obase);
out:
	name_put(&nname);
	name_put(&oname);
	return r;
}

long sys_renameat(int olddir, const char __user *old, int newdir, const char __user *new)
{
	return sys_renameat2(olddir, old, newdir, new, 0);
}

long sys_rename(const char __user *old, const char __user *new)
{
	return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}
