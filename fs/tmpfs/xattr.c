/* tmpfs: extended attributes, trusted., security. and access control lists, as on Linux 6.1. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <vfs/posix_acl.h>
#include "tmpfs.h"

static bool supported(const char *name)
{
	return (str_has_prefix(name, XATTR_TRUSTED_PREFIX) && name[XATTR_TRUSTED_PREFIX_LEN]) ||
		(str_has_prefix(name, XATTR_SECURITY_PREFIX) && name[XATTR_SECURITY_PREFIX_LEN]) ||
		posix_acl_is_name(name);
}

/* Readers lock the list by xattr_lock: permission checks look without the inode's rwsem, which
 * those hold who change it. */
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
	struct tmpfs_node *n = node_of(i);
	struct tmpfs_xattr *x;
	ssize_t r = -ENODATA;

	if (!supported(name))
		return -EOPNOTSUPP;
	spin_lock(&n->xattr_lock);
	x = find(i, name);
	if (x) {
		r = (ssize_t)x->len;
		if (size && size < x->len)
			r = -ERANGE;
		else if (size)
			memcpy(buf, x->value, x->len);
	}
	spin_unlock(&n->xattr_lock);
	return r;
}

static struct tmpfs_xattr *make_xattr(const char *name, const void *val, size_t len)
{
	struct tmpfs_xattr *x = kzalloc(sizeof(*x), GFP_KERNEL);

	if (!x)
		return NULL;
	x->name = kstrdup(name, GFP_KERNEL);
	x->value = kvmalloc(max(len, 1ul), GFP_KERNEL);
	if (!x->name || !x->value) {
		free_xattr(x);
		return NULL;
	}
	memcpy(x->value, val, len);
	x->len = len;
	return x;
}

static u64 xattr_bytes(const struct tmpfs_xattr *x)
{
	return x ? sizeof(*x) + strlen(x->name) + 1 + x->len : 0;
}

/* An inode has room for XATTR_SHARE bytes of attributes; each such amount beyond counts as an
 * inode. */
#define XATTR_SHARE 1024

/* x takes the place of old (either may be NULL). -ENOSPC. */
static int recharge(struct inode *i, const struct tmpfs_xattr *old, const struct tmpfs_xattr *x)
{
	struct tmpfs_node *n = node_of(i);
	u64 bytes = n->xattr_bytes - xattr_bytes(old) + xattr_bytes(x);
	s64 more = (s64)(bytes / XATTR_SHARE) - (s64)(n->xattr_bytes / XATTR_SHARE);

	if (more > 0 && tmpfs_charge_inodes(tmpfs_of(i), more))
		return -ENOSPC;
	if (more < 0)
		tmpfs_uncharge_inodes(tmpfs_of(i), -more);
	n->xattr_bytes = bytes;
	return 0;
}

static int set_value(struct inode *i, const char *name, const void *val, size_t len, int flags)
{
	struct tmpfs_node *n = node_of(i);
	struct tmpfs_xattr *old = find(i, name), *x; /* i_rwsem is held: the list stays */
	int err;

	if (old && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!old && (flags & XATTR_REPLACE))
		return -ENODATA;
	x = make_xattr(name, val, len);
	if (!x)
		return -ENOMEM;
	err = recharge(i, old, x);
	if (err) {
		free_xattr(x);
		return err;
	}
	spin_lock(&n->xattr_lock);
	list_add_tail(&x->link, old ? &old->link : &n->xattrs);
	if (old)
		list_del(&old->link);
	spin_unlock(&n->xattr_lock);
	if (old)
		free_xattr(old);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

static int remove_value(struct inode *i, const char *name)
{
	struct tmpfs_node *n = node_of(i);
	struct tmpfs_xattr *x = find(i, name);

	if (!x)
		return -ENODATA;
	spin_lock(&n->xattr_lock);
	list_del(&x->link);
	spin_unlock(&n->xattr_lock);
	(void)recharge(i, x, NULL); /* less is never refused */
	free_xattr(x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

/* ---- access control lists
 * -------------------------------------------------------------------------- */

/* a NULL: none any more. */
static int put_acl(struct inode *i, const char *name, const struct posix_acl *a)
{
	ssize_t n;
	void *buf;
	int err;

	if (!a) {
		err = remove_value(i, name);
		return err == -ENODATA ? 0 : err;
	}
	n = posix_acl_to_xattr(a, NULL, 0);
	buf = kmalloc((size_t)n, GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	(void)posix_acl_to_xattr(a, buf, (size_t)n);
	__atomic_fetch_and(&i->flags, ~INODE_NO_ACL, __ATOMIC_RELAXED);
	err = set_value(i, name, buf, (size_t)n, 0);
	kfree(buf);
	return err;
}

static int set_acl(struct inode *i, const char *name, const void *val, size_t len)
{
	struct posix_acl *a;
	kmode_t mode;
	int err = posix_acl_prepare(i, name, val, len, current_cred(), &a, &mode);

	if (err)
		return err;
	err = put_acl(i, name, a);
	kfree(a);
	if (!err && mode != i->mode) {
		WRITE_ONCE(i->mode, mode);
		inode_touch(i, ATTR_CTIME);
	}
	return err;
}

int tmpfs_init_acl(struct inode *i, struct inode *dir)
{
	struct posix_acl *a;
	int err = 0;

	__atomic_fetch_or(&i->flags, INODE_NO_ACL, __ATOMIC_RELAXED);
	a = !dir || S_ISLNK(i->mode) ? NULL : posix_acl_get(dir, XATTR_NAME_POSIX_ACL_DEFAULT);
	if (is_err_or_null(a))
		return a ? ptr_err(a) : 0;
	if (S_ISDIR(i->mode))
		err = put_acl(i, XATTR_NAME_POSIX_ACL_DEFAULT, a);
	if (!err && !posix_acl_create_mode(a, &i->mode))
		err = put_acl(i, XATTR_NAME_POSIX_ACL_ACCESS, a);
	kfree(a);
	return err;
}

int tmpfs_acl_chmod(struct inode *i)
{
	struct posix_acl *a = S_ISLNK(i->mode) ? NULL
					       : posix_acl_get(i, XATTR_NAME_POSIX_ACL_ACCESS);
	int err;

	if (is_err_or_null(a))
		return a ? ptr_err(a) : 0;
	posix_acl_chmod(a, i->mode);
	err = put_acl(i, XATTR_NAME_POSIX_ACL_ACCESS, a);
	kfree(a);
	return err;
}

int tmpfs_setxattr(struct inode *i, const char *name, const void *val, size_t len, int flags)
{
	if (!supported(name))
		return -EOPNOTSUPP;
	return posix_acl_is_name(name) ? set_acl(i, name, val, len)
				       : set_value(i, name, val, len, flags);
}

int tmpfs_removexattr(struct inode *i, const char *name)
{
	if (!supported(name))
		return -EOPNOTSUPP;
	return posix_acl_is_name(name) ? set_acl(i, name, NULL, 0) : remove_value(i, name);
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

void tmpfs_free_xattrs(struct inode *i)
{
	struct tmpfs_node *n = node_of(i);

	while (!list_empty(&n->xattrs)) {
		struct tmpfs_xattr *x = list_first_entry(&n->xattrs, struct tmpfs_xattr, link);

		list_del(&x->link);
		(void)recharge(i, x, NULL);
		free_xattr(x);
	}
}
