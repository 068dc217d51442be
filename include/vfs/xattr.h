/* Extended attributes with the permission rules of xattr(7). */
#ifndef VFS_XATTR_H
#define VFS_XATTR_H

#include <vfs/vfs.h>
#include <linux/limits.h>
#include <linux/xattr.h>

/* name: 1..XATTR_NAME_MAX bytes; size at most XATTR_SIZE_MAX; flags XATTR_CREATE, XATTR_REPLACE.
 * Sleep; -EPERM -EACCES -EROFS -EOPNOTSUPP -ENODATA -EEXIST -ENOSPC -ENOMEM. */
int vfs_setxattr(const struct vfs_env *env, const struct path *p, const char *name,
	const void *value, size_t size, int flags) must_check;
int vfs_removexattr(const struct vfs_env *env, const struct path *p, const char *name) must_check;
/* Bytes of the value; with size 0 only that. -ERANGE: it is longer than size. */
ssize_t vfs_getxattr(const struct vfs_env *env, const struct path *p, const char *name, void *value,
	size_t size) must_check;
/* Names, each with its NUL, that the caller may know of; as vfs_getxattr. */
ssize_t vfs_listxattr(
	const struct vfs_env *env, const struct path *p, char *list, size_t size) must_check;

#endif
