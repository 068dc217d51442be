/*
 * Pipes and FIFOs: a ring of page references under pipe->lock; splice moves pages, writes of at
 * most PIPE_BUF bytes are atomic.
 */
#ifndef IPC_PIPE_H
#define IPC_PIPE_H

#include <vfs/file.h>

/* fs.pipe-*, pipe(7): how far F_SETPIPE_SZ goes without privilege, bytes; pages of all pipes of a
 * user from which on new ones are small and none grows, and above which there are no new ones (0:
 * no limit). Atomic. */
extern int g_pipe_max_size, g_pipe_user_pages_soft, g_pipe_user_pages_hard;
#define PIPE_MAX_SIZE_LIMIT (1 << 30)

struct pipe;
int pipe_create(struct file **read_end, struct file **write_end,
	u32 o_flags) must_check;        /* O_CLOEXEC is the caller's; O_NONBLOCK O_DIRECT */
struct pipe *file_pipe(struct file *f); /* NULL: not a pipe */
long pipe_fcntl(struct file *f, u32 cmd, unsigned long arg); /* F_GETPIPE_SZ, F_SETPIPE_SZ */
/* splice(2), tee(2), vmsplice(2) with at least one pipe end; flags SPLICE_F_*. Bytes or error. */
ssize_t pipe_splice_from_file(
	struct file *in, off64_t *pos, struct file *pipe, size_t len, u32 flags) must_check;
ssize_t pipe_splice_to_file(
	struct file *pipe, struct file *out, off64_t *pos, size_t len, u32 flags) must_check;
ssize_t pipe_splice_pipe(struct file *in, struct file *out, size_t len, u32 flags) must_check;
ssize_t pipe_tee(struct file *in, struct file *out, size_t len, u32 flags) must_check;
ssize_t pipe_vmsplice(struct file *pipe, struct iter *it, u32 flags) must_check;

#endif
