/*
 * POSIX access control lists (acl(5)). File systems keep them as the attributes
 * system.posix_acl_access and system.posix_acl_default; here is what they mean.
 *
 * A file system with ACLs has ops->permission = posix_acl_permission (or something that calls it)
 * and sets INODE_NO_ACL on inodes that have neither list, so that path walks needn't ask.
 */
#ifndef VFS_POSIX_ACL_H
#define VFS_POSIX_ACL_H

#include <vfs/vfs.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/xattr.h>

struct posix_acl_entry {
	u16 tag, perm; /* ACL_* */
	u32 id;        /* of ACL_USER and ACL_GROUP, else ACL_UNDEFINED_ID */
};
struct posix_acl {
	u32 count;
	struct posix_acl_entry entries[]; /* in the order of tags; valid */
};

/* kmalloc'ed; NULL: an empty list, which means none. Error pointer -EINVAL -EOPNOTSUPP (version)
 * -ENOMEM. */
struct posix_acl *posix_acl_from_xattr(const void *value, size_t size) must_check;
/* Bytes; buf NULL: only that. -ERANGE. */
ssize_t posix_acl_to_xattr(const struct posix_acl *a, void *buf, size_t size);
/* Order of tags, permission bits, what must be there: 0, -EINVAL. */
int posix_acl_check(const struct posix_acl *a) must_check;
/* The mode's nine bits as the list has them; true: they say all that the list does. */
bool posix_acl_mode(const struct posix_acl *a, kmode_t *mode);
/* A new file asks for mode, its directory's default list is a: both lose what the other denies.
 * True: the mode says all, the list isn't needed. */
bool posix_acl_create_mode(struct posix_acl *a, kmode_t *mode);
void posix_acl_chmod(struct posix_acl *a, kmode_t mode);
/* The list of an inode through its ops->getxattr; NULL: none. i_rwsem as for getxattr. */
struct posix_acl *posix_acl_get(struct inode *i, const char *name) must_check;
/* ops->permission: list, mode bits and capabilities. */
int posix_acl_permission(struct inode *i, int mask, const struct cred *c) must_check;
/* setxattr of a list: *out is what to store, NULL: nothing (then the attribute goes); *mode what
 * the mode becomes. Error as for setxattr. */
int posix_acl_prepare(struct inode *i, const char *name, const void *value, size_t size,
	const struct cred *c, struct posix_acl **out, kmode_t *mode) must_check;
static inline bool posix_acl_is_access(const char *name)
{
	return __builtin_strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) == 0;
}
static inline bool posix_acl_is_name(const char *name)
{
	return posix_acl_is_access(name) ||
		__builtin_strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT) == 0;
}
/* Has the directory a default list? Then umask doesn't count. i_rwsem held. */
bool posix_acl_has_default(struct inode *dir);

#endif
