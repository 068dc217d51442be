/* Changing the flags of a mount and of its file system. */
#include <core/log.h>
#include "internal.h"

/* New per-mount flags; -EBUSY when it becomes read-only with files open for writing. */
static int set_mount_flags(struct mount *m, u32 flags)
{
	u32 old = m->flags;

	flags &= MOUNT_FLAGS;
	__atomic_store_n(&m->flags, flags, __ATOMIC_SEQ_CST); /* pairs with mount_get_writer */
	if ((flags & MS_RDONLY) && !(old & MS_RDONLY) &&
		__atomic_load_n(&m->writers, __ATOMIC_SEQ_CST) > 0) {
		m->flags = old;
		return -EBUSY;
	}
	return 0;
}

/* What a remount changes of a super block. */
#define REMOUNT_FLAGS (u32)(MS_RDONLY | MS_SYNCHRONOUS | MS_LAZYTIME)

int mount_remount(struct path *at, u32 flags, const char *data, bool only_mount)
{
	struct super *s = at->mnt->super;
	u32 old;
	int err = 0;

	if (at->dentry != at->mnt->root)
		return -EINVAL;
	if (!only_mount && !super_may_remount(s))
		return -EBUSY;
	mutex_lock(&s->remount_lock);
	old = s->flags;
	if (!only_mount) {
		if ((flags & MS_RDONLY) && !(old & MS_RDONLY)) {
			__atomic_store_n(&s->flags, old | MS_RDONLY, __ATOMIC_SEQ_CST);
			if (super_is_written(s))
				err = -EBUSY;
		}
		if (!err && s->ops->remount)
			err = s->ops->remount(s, flags, data);
		if (err)
			s->flags = old;
		else
			s->flags = (old & ~REMOUNT_FLAGS) | (flags & REMOUNT_FLAGS);
	}
	if (!err) {
		rwsem_write_lock(&g_namespace_lock);
		err = set_mount_flags(at->mnt, flags);
		mount_ns_changed(g_init_mount_ns);
		namespace_unlock();
	}
	mutex_unlock(&s->remount_lock);
	if (!only_mount) {
		if ((old & MS_LAZYTIME) && !(s->flags & MS_LAZYTIME))
			super_store_times(s);
		super_end(s, FREEZE_WRITES);
	}
	return err;
}

int super_make_read_only(struct super *s)
{
	u32 old;
	int err = 0;

	if (!super_may_remount(s))
		return -EBUSY;
	mutex_lock(&s->remount_lock);
	rwsem_write_lock(&g_namespace_lock);
	old = s->flags;
	if (!(old & MS_RDONLY)) {
		__atomic_store_n(&s->flags, old | MS_RDONLY, __ATOMIC_SEQ_CST);
		if (super_is_written(s))
			err = -EBUSY;
		else if (s->ops->remount)
			err = s->ops->remount(s, old | MS_RDONLY, NULL);
		if (err)
			s->flags = old;
		mount_ns_changed(g_init_mount_ns);
	}
	namespace_unlock();
	mutex_unlock(&s->remount_lock);
	super_end(s, FREEZE_WRITES);
	return err;
}

static void remount_one(struct super *s)
{
	int err = 0;

	if ((s->type->flags & FS_REQUIRES_DEV) && s->ops->remount)
		err = super_make_read_only(s);
	if (err)
		log_err("%s %u:%u stays writable: %s", s->type->name, dev_major(s->dev),
			dev_minor(s->dev), err == -EBUSY ? "it is in use" : errno_name(err));
}

void vfs_remount_all_read_only(void)
{
	supers_for_each(remount_one);
}
