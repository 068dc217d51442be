/* Names and directory descriptors of *at calls. */
#ifndef SYSCALL_NAME_H
#define SYSCALL_NAME_H

#include <process/task.h>
#include <linux/limits.h>

/* A user string of at most PATH_MAX - 1 bytes in kernel memory: short ones without allocation. */
struct name_buf {
	char *text;
	char fast[152];
};
int name_get(
	struct name_buf *nb, const char __user *u) must_check; /* -EFAULT -ENAMETOOLONG -ENOMEM */
void name_put(struct name_buf *nb);                            /* also after a failed name_get */

/* Where a relative name starts: path NULL for AT_FDCWD and absolute names. */
struct name_base {
	const struct path *path;
	struct file *file;
	bool need_put;
};
int base_get(struct name_base *b, int dirfd, const char *name) must_check; /* -EBADF */
void base_put(struct name_base *b);

/* All of the above and the lookup: *out is referenced. lookup: LOOKUP_*. */
int path_get_user(int dirfd, const char __user *name, u32 lookup, struct path *out) must_check;
/* The same where a NULL or empty name with LOOKUP_EMPTY means the descriptor itself. */

#endif
