/* rseq(2). */
#ifndef PROCESS_RSEQ_H
#define PROCESS_RSEQ_H

#include <process/task.h>

/* Register or unregister the current thread's area: -EINVAL -EPERM -EBUSY -EFAULT as rseq(2). */
long rseq_register(struct rseq __user *r, u32 len, int flags, u32 sig) must_check;

#endif
