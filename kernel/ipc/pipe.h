/* Pipes' private structure, shared by pipe.c, fifo.c and splice.c. */
#ifndef IPC_PIPE_PRIVATE_H
#define IPC_PIPE_PRIVATE_H

#include <ipc/pipe.h>
#include <linux/limits.h>

#define PIPE_DEF_BUFFERS 16 /* 64 KiB */
#define PIPE_MIN_BUFFERS 2  /* of a user who has too many pages in pipes */

struct pipe_buf {
	struct page *page; /* referenced */
	u32 offset, len;
	bool merge;  /* ours alone: a write may append */
	bool packet; /* O_DIRECT: one read takes at most this buffer */
};

struct pipe {
	struct refcount refs; /* files, and the FIFO's inode while open */
	struct mutex lock;    /* RANK_PIPE: everything below but the waits */
	u32 head, tail;       /* buffers used: [tail, head) modulo ring */
	u32 ring;             /* power of two; charged to user */
	u32 reserved;         /* buffers that a splice into the pipe will fill */
	bool taken; /* a splice uses the tail buffer without the lock: readers wait. rd_wait */
	struct pipe_buf *bufs;
	u32 readers, writers; /* open ends */
	u32 files;            /* open files; inode->spin. The inode holds one reference while > 0 */
	u32 r_opens, w_opens; /* ever; FIFO open waits for a change */
	struct page *spare;   /* an empty page kept for the next write */
	struct wait_queue rd_wait, wr_wait;
	struct fasync_list async;
	struct user_account *user; /* referenced; who made it, immutable */
	u64 ino;
};

static inline u32 pipe_used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}
static inline bool pipe_full(const struct pipe *p)
{
	return pipe_used(p) + READ_ONCE(p->reserved) >= READ_ONCE(p->ring);
}
static inline struct pipe_buf *pipe_at(struct pipe *p, u32 i)
{
	return &p->bufs[i & (p->ring - 1)];
}

/* Charged to the caller's user. Error pointer: -ENOMEM, -ENFILE over fs.pipe-user-pages-hard. */
struct pipe *pipe_alloc(void);
void put_pipe(struct pipe *p);
void pipe_drop_buf(struct pipe *p); /* release the tail buffer; lock held */
void pipe_woke_readers(struct pipe *p);
void pipe_woke_writers(struct pipe *p);
/* Open an end for f (its mode tells which); undone by the files' release. lock held. */
void pipe_count_open(struct pipe *p, struct file *f);
void pipe_forget(struct pipe *p, struct inode *inode); /* a file less; puts its reference */
void pipe_give_back(struct pipe *p);                   /* the end of "taken"; lock held */
/* Wait until data is there and nobody has taken it / until room is there; lock held at entry and
 * exit. 1: go on, 0: no other end (end of file, or the caller raises SIGPIPE), -EAGAIN,
 * -ERESTARTSYS. waited becomes true when the caller slept: a wake-up may have come to it alone, so
 * it wakes others about what it leaves. */
int pipe_wait_data(struct pipe *p, bool nonblock, bool *waited);
int pipe_wait_room(struct pipe *p, bool nonblock, bool *waited);
extern const struct file_ops g_pipe_fops;

#endif
