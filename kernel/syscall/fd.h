/* What fcntl and ioctl share: who gets a file's signals. Positive: a process, negative: a group. */
#ifndef KERNEL_SYSCALL_FD_H
#define KERNEL_SYSCALL_FD_H

#include <vfs/file.h>

long fd_set_owner(struct file *f, int who) must_check; /* -EINVAL -ESRCH -ENOMEM */
long fd_get_owner(struct file *f);

#endif
