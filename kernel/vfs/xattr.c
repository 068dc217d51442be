/*
 * Extended attributes: who may see and change which (xattr(7)); file systems keep them.
 */
#include <kmem/slab.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/capability.h>
#include <linux/inotify.h>
#include <vfs/posix_acl.h>
#include <vfs/xattr.h>
#include "internal.h"

static const char *const prefixes[] = {
	XATTR_SECURITY_PREFIX, XATTR_TRUSTED_PREFIX, XATTR_USER_PREFIX};

/* A prefix alone names nothing. */
static bool is_bare_prefix(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strcmp(name, prefixes[i]) == 0)
			return true;
	return false;
}

/* -EINVAL where the file system has such names at all. */
static int bare_prefix_error(struct inode *i, const char *name)
{
	char some[sizeof(XATTR_SECURITY_PREFIX) + 1];
	ssize_t n;

	ksnprintf(some, sizeof(some), "%sx", name);
	rwsem_read_lock(&i->rwsem);
	n = i->ops->getxattr ? i->ops->getxattr(i, some, NULL, 0) : -EOPNOTSUPP;
	rwsem_read_unlock(&i->rwsem);
	return n == -EOPNOTSUPP ? -EOPNOTSUPP : -EINVAL;
}

/* capabilities(7), "File capability extended attribute versioning". */
static bool is_file_caps(const void *value, size_t size)
{
	u32 version;

	if (size < sizeof(version))
		return false;
	memcpy(&version, value, sizeof(version)); /* little endian on disk */
	version &= ~(u32)VFS_CAP_FLAGS_EFFECTIVE;
	return (size == XATTR_CAPS_SZ_2 && version == VFS_CAP_REVISION_2) ||
		(size == XATTR_CAPS_SZ_3 && version == VFS_CAP_REVISION_3);
}

static int check_user_attribute(struct inode *i, bool write, const struct cred *c)
{
	if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
		return write ? -EPERM : -ENODATA;
	if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && write && !inode_owner_or_capable(i, c))
		return -EPERM;
	return 0;
}

static int check_access(struct inode *i, const char *name, bool write, const struct cred *c)
{
	int err;

	if (write && (i->flags & (INODE_IMMUTABLE | INODE_APPEND)))
		return -EPERM;
	if (posix_acl_is_name(name)) {
		if (S_ISLNK(i->mode))
			return -EOPNOTSUPP;
		return write && !inode_owner_or_capable(i, c) ? -EPERM : 0;
	}
	if (str_has_prefix(name, XATTR_SECURITY_PREFIX) ||
		str_has_prefix(name, XATTR_SYSTEM_PREFIX))
		return 0; /* reading is free; writing: see check_security */
	if (str_has_prefix(name, XATTR_TRUSTED_PREFIX)) {
		if (cred_capable(c, CAP_SYS_ADMIN))
			return 0;
		return write ? -EPERM : -ENODATA;
	}
	if (str_has_prefix(name, XATTR_USER_PREFIX)) {
		err = check_user_attribute(i, write, c);
		if (err)
			return err;
	}
	return inode_permission(i, write ? MAY_WRITE : MAY_READ, c);
}

/* security.* without a security module: file capabilities need CAP_SETFCAP, the rest is root's. */
static int check_security(const char *name, const struct cred *c)
{
	if (!str_has_prefix(name, XATTR_SECURITY_PREFIX))
		return 0;
	if (strcmp(name, XATTR_NAME_CAPS) == 0)
		return cred_capable(c, CAP_SETFCAP) ? 0 : -EPERM;
	return cred_capable(c, CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static int check_write(const struct vfs_env *env, struct inode *i, const char *name)
{
	int err = check_access(i, name, true, env->cred);

	return err ? err : check_security(name, env->cred);
}

int vfs_setxattr(const struct vfs_env *env, const struct path *p, const char *name,
	const void *value, size_t size, int flags)
{
	struct inode *i = p->dentry->inode;
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	err = check_write(env, i, name);
	if (!err && (!i->ops || !i->ops->setxattr))
		err = -EOPNOTSUPP;
	else if (!err && is_bare_prefix(name))
		err = bare_prefix_error(i, name);
	else if (!err && size && strcmp(name, XATTR_NAME_CAPS) == 0 && !is_file_caps(value, size))
		err = -EINVAL;
	if (!err) {
		rwsem_write_lock(&i->rwsem);
		if (strcmp(name, XATTR_NAME_CAPS) == 0)
			__atomic_fetch_and(&i->flags, ~INODE_NO_CAPS, __ATOMIC_RELAXED);
		err = i->ops->setxattr(i, name, value, size, flags);
		rwsem_write_unlock(&i->rwsem);
	}
	mount_end_write(p->mnt);
	if (!err)
		notify_child(p->dentry, IN_ATTRIB, 0);
	return err;
}

int vfs_removexattr(const struct vfs_env *env, const struct path *p, const char *name)
{
	struct inode *i = p->dentry->inode;
	int err = mount_want_write(p->mnt);

	if (err)
		return err;
	err = check_write(env, i, name);
	if (!err && (!i->ops || !i->ops->removexattr))
		err = -EOPNOTSUPP;
	else if (!err && is_bare_prefix(name))
		err = bare_prefix_error(i, name);
	if (!err) {
		rwsem_write_lock(&i->rwsem);
		err = i->ops->removexattr(i, name);
		rwsem_write_unlock(&i->rwsem);
	}
	mount_end_write(p->mnt);
	if (!err)
		notify_child(p->dentry, IN_ATTRIB, 0);
	return err;
}

ssize_t vfs_getxattr(
	const struct vfs_env *env, const struct path *p, const char *name, void *value, size_t size)
{
	struct inode *i = p->dentry->inode;
	ssize_t n = check_access(i, name, false, env->cred);

	if (n)
		return n;
	if (!i->ops || !i->ops->getxattr)
		return -EOPNOTSUPP;
	if (is_bare_prefix(name))
		return bare_prefix_error(i, name);
	rwsem_read_lock(&i->rwsem);
	n = i->ops->getxattr(i, name, value, size);
	rwsem_read_unlock(&i->rwsem);
	return n;
}

/* Leave only the names that the caller may see: bytes left. */
static size_t filter_names(char *list, size_t len, const struct cred *c)
{
	bool trusted = cred_capable(c, CAP_SYS_ADMIN);
	size_t kept = 0;

	for (size_t at = 0, n; at < len; at += n) {
		n = strnlen(list + at, len - at) + 1;
		if (!trusted && str_has_prefix(list + at, XATTR_TRUSTED_PREFIX))
			continue;
		memmove(list + kept, list + at, n);
		kept += n;
	}
	return kept;
}

ssize_t vfs_listxattr(const struct vfs_env *env, const struct path *p, char *list, size_t size)
{
	struct inode *i = p->dentry->inode;
	char *all;
	ssize_t n;

	if (!i->ops || !i->ops->listxattr)
		return 0;
	/* All of them, then what the caller may see: also the size alone depends on that. */
	rwsem_read_lock(&i->rwsem);
	n = i->ops->listxattr(i, NULL, 0);
	all = n > 0 ? kvmalloc((size_t)n, GFP_KERNEL) : NULL;
	if (all)
		n = i->ops->listxattr(i, all, (size_t)n);
	rwsem_read_unlock(&i->rwsem);
	if (n <= 0)
		goto out;
	if (!all)
		return -ENOMEM;
	n = (ssize_t)filter_names(all, (size_t)n, env->cred);
	if (size && (size_t)n > size)
		n = -ERANGE;
	else if (size)
		memcpy(list, all, (size_t)n);
out:
	kvfree(all);
	return n;
}
