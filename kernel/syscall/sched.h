/* What a call other than ioprio_set needs of it. */
#ifndef KERNEL_SYSCALL_SCHED_H
#define KERNEL_SYSCALL_SCHED_H

#include <lib/err.h>

int ioprio_check(int ioprio) must_check; /* may the caller use it: -EINVAL -EPERM */

#endif
