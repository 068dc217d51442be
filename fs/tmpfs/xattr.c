/* tmpfs: extended attributes, trusted. and security. only, as on Linux 6.1. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/xattr.h>
#include "tmpfs.h"

static bool supported(const char *name)
{
	return (str_has_prefix(name, XATTR_TRUSTED_PREFIX) && name[XATTR_TRUSTED_PREFIX_LEN]) ||
		(str_has_prefix(name, XATTR_SECURITY_PREFIX) && name[XATTR_SECURITY_PREFIX_LEN]);
}

static struct tmpfs_xattr *find(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x;

	list_for_each_entry(x, &node_of(i)->xattrs, link)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

static void free_xattr(struct tmpfs_xattr *x)
{
	kfree(x->name);
	kvfree(x->value);
	kfree(x);
}

ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct tmpfs_xattr *x;

	if (!supported(name))
		return -EOPNOTSUPP;
	x = find(i, name);
	if (!x)
		return -ENODATA;
	if (size == 0)
		return (ssize_t)x->len;
	if (size < x->len)
		return -ERANGE;
	memcpy(buf, x->value, x->len);
	return (ssize_t)x->len;
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *val, size_t len, int flags)
{
	struct tmpfs_xattr *old, *x;

	if (!supported(name))
		return -EOPNOTSUPP;
	old = find(i, name);
	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	x = kzalloc(sizeof(*x), GFP_KERNEL);
	if (!x)
		return -ENOMEM;
	x->name = kstrdup(name, GFP_KERNEL);
	x->value = kvmalloc(max(len, 1ul), GFP_KERNEL);
	if (!x->name || !x->value) {
		free_xattr(x);
		return -ENOMEM;
	}
	memcpy(x->value, val, len);
	x->len = len;
	if (old) {
		list_add_tail(&x->link, &old->link);
		list_del(&old->link);
		free_xattr(old);
	} else {
		list_add_tail(&x->link, &node_of(i)->xattrs);
	}
	inode_touch(i, ATTR_CTIME);
	return 0;
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
	struct tmpfs_xattr *x;

	if (!supported(name))
		return -EOPNOTSUPP;
	x = find(i, name);
	if (!x)
		return -ENODATA;
	list_del(&x->link);
	free_xattr(x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	bool trusted = capable(CAP_SYS_ADMIN);
	struct tmpfs_xattr *x;
	size_t total = 0;

	list_for_each_entry(x, &node_of(i)->xattrs, link) {
		size_t n = strlen(x->name) + 1;

		if (!trusted && str_has_prefix(x->name, XATTR_TRUSTED_PREFIX))
			continue;
		if (size) {
			if (total + n > size)
				return -ERANGE;
			memcpy(buf + total, x->name, n);
		}
		total += n;
	}
	return (ssize_t)total;
}

void tmpfs_free_xattrs(struct tmpfs_node *n)
{
	while (!list_empty(&n->xattrs)) {
		struct tmpfs_xattr *x = list_first_entry(&n->xattrs, struct tmpfs_xattr, link);

		list_del(&x->link);
		free_xattr(x);
	}
}
