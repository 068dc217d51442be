/* Helpers of the calls that take paths: user strings and directory descriptors. */
#ifndef SYSCALL_PATH_H
#define SYSCALL_PATH_H

#include <process/task.h>
#include <vfs/vfs.h>

/* A user path in kernel memory. */
struct upath {
	char *text;
	char small[120]; /* most paths; text points here then */
};
/* Copy in: 0, -EFAULT -ENAMETOOLONG -ENOMEM; empty needs allow_empty, else -ENOENT. Then upath_put.
 */
int upath_get(struct upath *u, const char __user *name, bool allow_empty) must_check;
void upath_put(struct upath *u);

/* Where a relative name starts: *base gets a referenced path and *use points to it; AT_FDCWD gives
 * NULL. An absolute name doesn't look at dirfd. -EBADF -ENOTDIR. Then base_put(use). */
struct at_base {
	struct path path;
	const struct path *use;
};
int base_get(struct at_base *b, int dirfd, const char *name) must_check;
void base_put(struct at_base *b);

/* All at once: resolve a user path. at_flags: AT_SYMLINK_NOFOLLOW/FOLLOW and AT_EMPTY_PATH are
 * turned into lookup flags by the caller. *out is referenced. */
int user_lookup(int dirfd, const char __user *name, u32 lookup, struct path *out) must_check;

#endif
