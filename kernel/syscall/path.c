/* User paths. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include "path.h"

int upath_get(struct upath *u, const char __user *name, bool allow_empty)
{
	ssize_t n = strncpy_from_user(u->small, name, sizeof(u->small));

	u->text = u->small;
	if (n == (ssize_t)sizeof(u->small)) {
		u->text = kmalloc(PATH_MAX, GFP_KERNEL);
		if (!u->text)
			return -ENOMEM;
		n = strncpy_from_user(u->text, name, PATH_MAX);
		if (n == PATH_MAX)
			n = -ENAMETOOLONG;
	}
	if (n == 0 && !allow_empty)
		n = -ENOENT;
	if (n < 0) {
		upath_put(u);
		return (int)n;
	}
	return 0;
}

void upath_put(struct upath *u)
{
	if (u->text != u->small)
		kfree(u->text);
	u->text = u->small; /* put again, e.g. after a failed get, there is nothing to free */
}

int base_get(struct at_base *b, int dirfd, const char *name)
{
	struct file *f;

	b->use = NULL;
	if (dirfd == AT_FDCWD || name[0] == '/')
		return 0;
	f = fd_get_any(current_task()->files, dirfd);
	if (!f)
		return -EBADF;
	if (name[0] && !S_ISDIR(f->inode->mode)) {
		put_file(f);
		return -ENOTDIR;
	}
	b->path = f->path;
	get_path(&b->path);
	b->use = &b->path;
	put_file(f);
	return 0;
}

void base_put(struct at_base *b)
{
	if (b->use)
		put_path(&b->path);
}

int user_lookup(int dirfd, const char __user *name, u32 lookup, struct path *out)
{
	struct vfs_env env = current_env();
	struct at_base base;
	struct upath u;
	int err = upath_get(&u, name, (lookup & LOOKUP_EMPTY) != 0);

	if (err)
		return err;
	err = base_get(&base, dirfd, u.text);
	if (!err) {
		err = vfs_lookup(&env, base.use, u.text, lookup, out);
		base_put(&base);
	}
	upath_put(&u);
	return err;
}
