/* See name.h. */
#include <kmem/slab.h>
#include "name.h"

int name_get(struct name_buf *nb, const char __user *u)
{
	ssize_t n;

	nb->text = nb->fast;
	n = strncpy_from_user(nb->fast, u, sizeof(nb->fast));
	if (n < 0)
		return (int)n;
	if (likely((size_t)n < sizeof(nb->fast)))
		return 0;
	nb->text = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!nb->text) {
		nb->text = nb->fast;
		return -ENOMEM;
	}
	n = strncpy_from_user(nb->text, u, PATH_MAX);
	if (n < 0)
		return (int)n;
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

void name_put(struct name_buf *nb)
{
	if (nb->text != nb->fast)
		kfree(nb->text);
}

int base_get(struct name_base *b, int dirfd, const char *name)
{
	*b = (struct name_base){0};
	if (dirfd == AT_FDCWD || name[0] == '/')
		return 0;
	b->need_put = true;
	b->file = fd_get_any(current_task()->files, dirfd);
	if (!b->file)
		return -EBADF;
	b->path = &b->file->path;
	return 0;
}

void base_put(struct name_base *b)
{
	if (b->file)
		fd_put_light(b->file, b->need_put);
}

int path_get_user(int dirfd, const char __user *name, u32 lookup, struct path *out)
{
	struct vfs_env env = current_env();
	struct name_base base;
	struct name_buf nb;
	int err = name_get(&nb, name);

	if (err)
		goto out;
	err = base_get(&base, dirfd, nb.text);
	if (err)
		goto out;
	err = vfs_lookup(&env, base.path, nb.text, lookup, out);
	base_put(&base);
out:
	name_put(&nb);
	return err;
}
