/* The initramfs: cpio archives (newc, plain or gzip, several in a row) from g_boot_info.initrd. */
#ifndef VFS_INITRAMFS_H
#define VFS_INITRAMFS_H

/* Unpack into the root file system and free the boot range. 0 also when there is none; a broken
 * archive is logged with what and where, and gives -EINVAL; -ENOMEM, -ENOSPC. */
int initramfs_unpack(void) must_check;

#endif
