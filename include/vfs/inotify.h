/*
 * inotify(7): instances as files, watches on inodes. The calls that make events (notify_inode,
 * notify_child) are in vfs/file.h.
 */
#ifndef VFS_INOTIFY_H
#define VFS_INOTIFY_H

#include <vfs/file.h>
#include <linux/inotify.h>

/* A fresh instance with O_NONBLOCK from o_flags. -EMFILE: the user has enough; -ENOMEM. */
struct file *inotify_create(u32 o_flags) must_check;
/* Watch descriptor of the new or changed watch on inode. mask was checked against
 * INOTIFY_MASK_VALID. -EEXIST (IN_MASK_CREATE) -ENOSPC (limit) -ENOMEM; -EINVAL: f is no instance. */
int inotify_watch(struct file *f, struct inode *inode, u32 mask) must_check;
int inotify_unwatch(struct file *f, int wd) must_check; /* -EINVAL */
bool inotify_is(struct file *f);

#define INOTIFY_MASK_FLAGS                                                                        \
	(IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_ADD | IN_MASK_CREATE | IN_ISDIR | \
		IN_ONESHOT)
#define INOTIFY_MASK_VALID \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_IGNORED | IN_Q_OVERFLOW | INOTIFY_MASK_FLAGS)

/* The inode's last name and user are gone and it has no links: IN_DELETE_SELF, the watches end. */
void notify_inode_deleted(struct inode *i);
/* The file system goes away: IN_UNMOUNT for every watch in it, the watches end. */
struct super;
void notify_unmount(struct super *s);
/* A cookie that pairs IN_MOVED_FROM with IN_MOVED_TO. */
u32 notify_cookie(void);

/* fs.inotify.* in /proc/sys */
extern int g_inotify_max_instances, g_inotify_max_watches, g_inotify_max_events;

#endif
