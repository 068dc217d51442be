/* Programs of sock_diag that choose sockets: linux/inet_diag.h, INET_DIAG_REQ_BYTECODE. */
#ifndef NET_INET_DIAG_FILTER_H
#define NET_INET_DIAG_FILTER_H

#include <inet/diag.h>

/* Is it one that runs within its bounds and ends? -EINVAL; -EPERM: it looks at marks, not admin. */
int diag_filter_check(const void *code, u32 len, bool admin) must_check;
bool diag_filter_run(const void *code, u32 len, const struct inet_diag_entry *e);

#endif
