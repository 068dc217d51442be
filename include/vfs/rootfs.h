/* The first root file system: an empty tmpfs with /dev, /dev/console and /root. */
#ifndef VFS_ROOTFS_H
#define VFS_ROOTFS_H

/* Mount it, make it root and working directory of the initial context (g_init_fs). */
int rootfs_mount(void) must_check;
/* Open /dev/console three times as descriptors 0, 1, 2 of the current task. Implemented by
 * kernel/process, which knows its descriptor table. */
int rootfs_open_console(void) must_check;
/* From now on it may take half of the memory that is left. Implemented by fs/tmpfs. */
void rootfs_limit(void);
struct fs_context;
extern struct fs_context *g_init_fs;

#endif
