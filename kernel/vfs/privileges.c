/*
 * What a file gives to who runs it - set-user-ID, set-group-ID, capabilities - doesn't outlive a
 * change of its content or owner by somebody else (write(2), chown(2), capabilities(7)).
 */
#include <linux/xattr.h>
#include "internal.h"

/* setgid without group execution meant mandatory locking: it gives nothing. */
kmode_t mode_without_set_ids(kmode_t mode)
{
	mode &= ~S_ISUID;
	return mode & S_IXGRP ? mode & ~S_ISGID : mode;
}

int inode_remove_caps(struct inode *i)
{
	int err = 0;

	if (likely(READ_ONCE(i->flags) & INODE_NO_CAPS))
		return 0;
	/* Looking costs less than a change that finds nothing. */
	if (i->ops && i->ops->removexattr && i->ops->getxattr(i, XATTR_NAME_CAPS, NULL, 0) >= 0)
		err = i->ops->removexattr(i, XATTR_NAME_CAPS);
	if (err && err != -ENODATA && err != -EOPNOTSUPP)
		return err;
	__atomic_fetch_or(&i->flags, INODE_NO_CAPS, __ATOMIC_RELAXED);
	return 0;
}

int inode_shed_privileges(struct inode *i, const struct cred *c, struct iattr *a)
{
	kmode_t mode = i->mode;

	if (S_ISDIR(mode))
		return 0;
	if (!(a->valid & ATTR_MODE) && mode != mode_without_set_ids(mode) &&
		!cred_capable(c, CAP_FSETID)) {
		a->valid |= ATTR_MODE | ATTR_KILL_SUID | ATTR_KILL_SGID;
		a->mode = mode_without_set_ids(mode);
	}
	return inode_remove_caps(i);
}

int inode_shed_privileges_now(struct inode *i, const struct cred *c)
{
	struct iattr a = {0};
	int err;

	if (likely((READ_ONCE(i->flags) & INODE_NO_CAPS) &&
		    i->mode == mode_without_set_ids(i->mode)))
		return 0;
	err = inode_shed_privileges(i, c, &a);
	if (err || !a.valid)
		return err;
	spin_lock(&i->spin);
	i->mode = a.mode;
	spin_unlock(&i->spin);
	inode_touch(i, ATTR_CTIME);
	if (i->super->ops->dirty_inode)
		i->super->ops->dirty_inode(i);
	return 0;
}

void inode_get_owner(struct inode *i, kmode_t *mode, kuid_t *uid, kgid_t *gid)
{
	spin_lock(&i->spin);
	*mode = i->mode;
	*uid = i->uid;
	*gid = i->gid;
	spin_unlock(&i->spin);
}
