/* Links: hard and symbolic ones, reading them; removing and renaming names. */
#include <kmem/slab.h>
#include <linux/fcntl.h>
#include <process/task.h>
#include <syscall/syscall.h>
#include "path.h"

/* One user path, one operation. */
#define WITH_PATH(dirfd, name, env, base, text, expr)             \
	({                                                        \
		struct vfs_env env = current_env();               \
		struct at_base _b;                                \
		struct upath _u;                                  \
		long _r = upath_get(&_u, (name), false);          \
		if (!_r) {                                        \
			const char *text = _u.text;               \
			_r = base_get(&_b, (dirfd), text);        \
			if (!_r) {                                \
				const struct path *base = _b.use; \
				_r = (expr);                      \
				base_put(&_b);                    \
			}                                         \
			upath_put(&_u);                           \
		}                                                 \
		_r;                                               \
	})

long sys_unlinkat(int dirfd, const char __user *name, int flags)
{
	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	if (flags & AT_REMOVEDIR)
		return WITH_PATH(dirfd, name, env, base, text, vfs_rmdir(&env, base, text));
	return WITH_PATH(dirfd, name, env, base, text, vfs_unlink(&env, base, text));
}

long sys_unlink(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, 0);
}

long sys_rmdir(const char __user *name)
{
	return sys_unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

long sys_symlinkat(const char __user *target, int dirfd, const char __user *name)
{
	struct upath t;
	long r = upath_get(&t, target, false);

	if (r)
		return r;
	r = WITH_PATH(dirfd, name, env, base, text, vfs_symlink(&env, base, text, t.text));
	upath_put(&t);
	return r;
}

long sys_symlink(const char __user *target, const char __user *name)
{
	return sys_symlinkat(target, AT_FDCWD, name);
}

struct two_paths {
	struct upath o, n;
	struct at_base ob, nb;
};

static int two_get(struct two_paths *t, int odir, const char __user *old, int ndir,
	const char __user *new, bool old_empty)
{
	int err = upath_get(&t->o, old, old_empty);

	if (err)
		return err;
	err = upath_get(&t->n, new, false);
	if (err)
		goto out_o;
	err = base_get(&t->ob, odir, t->o.text);
	if (err)
		goto out_n;
	err = base_get(&t->nb, ndir, t->n.text);
	if (!err)
		return 0;
	base_put(&t->ob);
out_n:
	upath_put(&t->n);
out_o:
	upath_put(&t->o);
	return err;
}

static void two_put(struct two_paths *t)
{
	base_put(&t->ob);
	base_put(&t->nb);
	upath_put(&t->o);
	upath_put(&t->n);
}

long sys_linkat(int odir, const char __user *old, int ndir, const char __user *new, int flags)
{
	struct vfs_env env = current_env();
	struct two_paths t;
	long r;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = two_get(&t, odir, old, ndir, new, (flags & AT_EMPTY_PATH) != 0);
	if (r)
		return r;
	r = vfs_link(&env, t.ob.use, t.o.text, t.nb.use, t.n.text, flags);
	two_put(&t);
	return r;
}

long sys_link(const char __user *old, const char __user *new)
{
	return sys_linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_renameat2(
	int odir, const char __user *old, int ndir, const char __user *new, unsigned int flags)
{
	struct vfs_env env = current_env();
	struct two_paths t;
	long r = vfs_rename_check(flags);

	if (r)
		return r;
	r = two_get(&t, odir, old, ndir, new, false);
	if (r)
		return r;
	r = vfs_rename(&env, t.ob.use, t.o.text, t.nb.use, t.n.text, flags);
	two_put(&t);
	return r;
}

long sys_renameat(int odir, const char __user *old, int ndir, const char __user *new)
{
	return sys_renameat2(odir, old, ndir, new, 0);
}

long sys_rename(const char __user *old, const char __user *new)
{
	return sys_renameat2(AT_FDCWD, old, AT_FDCWD, new, 0);
}

long sys_readlinkat(int dirfd, const char __user *name, void __user *buf, int size)
{
	struct vfs_env env = current_env();
	char *text;
	struct path p;
	long r;

	if (size <= 0)
		return -EINVAL;
	r = user_lookup(dirfd, name, LOOKUP_EMPTY, &p);
	if (r)
		return r;
	text = kmalloc(PATH_MAX, GFP_KERNEL);
	r = text ? vfs_readlink(&env, &p, text, min_t(size_t, (size_t)size, PATH_MAX)) : -ENOMEM;
	if (r == -EINVAL) {
		char c;

		if (!get_user(c, name) && c == 0)
			r = -ENOENT; /* an empty name for something that isn't a link */
	}
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
