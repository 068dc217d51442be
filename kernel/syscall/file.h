/* What the read and write families share. */
#ifndef KERNEL_SYSCALL_FILE_H
#define KERNEL_SYSCALL_FILE_H

#include <vfs/file.h>

/* 0, -EOPNOTSUPP: flags (RWF_*) that nothing here can do. */
int transfer_flags_check(int flags) must_check;
/* Between the file and the iterator, by flags that were checked. pos NULL: the file's own position.
 * What vfs_read and vfs_write return, or the error of RWF_SYNC's sync. */
ssize_t transfer(struct file *f, struct iter *it, off64_t *pos, int flags, bool write) must_check;

#endif
