/*
 * Open files, descriptor tables, readiness.
 */
#ifndef VFS_FILE_H
#define VFS_FILE_H

#include <core/rcu.h>
#include <vfs/vfs.h>
#include <vm/mm.h>
#include <vm/iter.h>
#include <linux/poll.h>
#include <linux/eventpoll.h>

struct fasync_list;

struct dir_context {
	/* One entry; returns false when it didn't fit: then iteration stops and pos stays before
	 * it. */
	bool (*emit)(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type);
	off64_t pos; /* cookie of the next entry; moves only past delivered ones */
};

/*
 * Operations of an open file. pos arguments: the position to use and advance; for files without a
 * position (FMODE_STREAM) it is NULL.
 */
struct file_ops {
	ssize_t (*read)(struct file *f, struct iter *to, off64_t *pos);    /* NULL: -EINVAL */
	ssize_t (*write)(struct file *f, struct iter *from, off64_t *pos); /* NULL: -EINVAL */
	/* file_object_write asks under i_rwsem, with the final position: 0, with from->count
	 * perhaps shortened, or an error. NULL: no rule. */
	int (*check_write)(struct file *f, struct iter *from, off64_t pos);
	off64_t (*seek)(struct file *f, off64_t off, int whence); /* NULL: -ESPIPE */
	int (*iterate)(struct file *f,
		struct dir_context *ctx); /* NULL: -ENOTDIR; inode rwsem held for reading */
	u32 (*poll)(struct file *f,
		struct poll_table *pt); /* NULL: always EPOLLIN|EPOLLOUT|RDNORM|WRNORM */
	long (*ioctl)(struct file *f, u32 cmd,
		unsigned long arg); /* -ENOIOCTLCMD: unknown; NULL: -ENOTTY */
	/* Check and adjust a mapping request: default for regular files is file_mmap_object. NULL:
	 * -ENODEV */
	int (*mmap)(struct file *f, struct map_request *rq);
	int (*open)(struct inode *i, struct file *f); /* NULL: nothing to do */
	void (*release)(struct file *f);              /* last reference; sleeps */
	int (*flush)(struct file *f);                 /* each close(2); NULL: 0 */
	int (*fsync)(struct file *f, u64 start, u64 end, bool datasync); /* NULL: -EINVAL */
	int (*fallocate)(struct file *f, int mode, u64 off, u64 len);    /* NULL: -EOPNOTSUPP */
	ssize_t (*splice_read)(struct file *f, off64_t *pos, struct file *pipe, size_t len,
		u32 flags); /* NULL: by copying */
	ssize_t (*splice_write)(
		struct file *f, off64_t *pos, struct file *pipe, size_t len, u32 flags);
	void (*show_fdinfo)(struct file *f, struct seq_buf *s);
	int (*set_flags)(struct file *f, u32 flags); /* F_SETFL check; NULL: allowed */
	/* O_ASYNC: the list to stand in; lives until release. NULL: the flag has no effect. */
	int (*fasync)(struct file *f, struct fasync_list **l);
	bool direct; /* O_DIRECT is done; false: open and F_SETFL refuse it */
	bool no_splice_read, no_splice_write; /* splice and sendfile from, to it: -EINVAL */
	const char *(*name)(
		struct file *f, char *buf, size_t size); /* for anonymous files: "pipe:[12]" */
};

struct pid;
struct fasync_list {            /* files with O_ASYNC on one pipe, terminal, ... */
	struct spinlock lock;   /* RANK_FASYNC */
	struct list_head files; /* file_owner.link, oldest first, and walkers' marks; lock */
	u64 joined;             /* files that ever joined; lock */
};
struct file_owner {               /* F_SETOWN: who gets SIGIO; file->lock unless said otherwise */
	struct pid *pid;          /* referenced; NULL: nobody */
	int kind;                 /* F_OWNER_* */
	int sig;                  /* F_SETSIG; 0: SIGIO without details; atomic */
	int fd;                   /* that O_ASYNC was set through; list->lock */
	kuid_t uid, euid;         /* of who set it */
	struct file *file;        /* immutable; NULL: a walker's mark in a list, not an owner */
	struct fasync_list *list; /* NULL: not asynchronous; list->lock */
	u64 seq;                  /* list->joined when it joined; list->lock */
	struct list_head link;    /* list->lock */
};

struct file {
	struct refcount refs;
	u32 flags;                  /* O_* that F_GETFL shows; lock */
	u32 mode;                   /* FMODE_*; immutable after open */
	const struct file_ops *ops; /* immutable after open */
	struct path path;           /* referenced; anonymous files have an anon inode's dentry */
	struct inode *inode;        /* path.dentry's inode; immutable */
	off64_t pos;                /* pos_lock */
	struct mutex pos_lock;      /* RANK_FILE_POS: only when seekable and shared */
	struct spinlock lock;       /* RANK_FDTABLE, interrupts off: flags, owner */
	const struct cred *cred;    /* of the opener */
	void *priv;
	struct file_owner *owner;
	struct list_head epoll_links; /* epoll items watching this file; epoll's lock */
	u32 wb_err, super_wb_err;     /* errseq: errors of writing back that were told; atomic */
	struct readahead readahead;   /* unlocked hints; FIFOs keep w_opens in start */
	struct rcu_head rcu;
	struct list_head tty_link;
};
#define FMODE_READ      1u
#define FMODE_WRITE     2u
#define FMODE_EXEC      4u
#define FMODE_PATH      8u  /* O_PATH: only a location */
#define FMODE_STREAM    16u /* no position */
#define FMODE_WRITER    32u /* holds inode write access and mount write count */
#define FMODE_LSEEK     64u
#define FMODE_NOWAIT    128u
#define FMODE_NO_PWRITE 256u /* writes have no position: pwrite is ESPIPE */

/* All the checks of open(2). how_flags: O_*; resolve: LOOKUP_* extra. Error pointer. */
struct file *vfs_open(const struct vfs_env *env, const struct path *base, const char *name,
	u32 o_flags, kmode_t mode, u32 lookup_flags) must_check;
/* Open an already resolved path (no creation). */
struct file *vfs_open_path(const struct vfs_env *env, const struct path *p, u32 o_flags) must_check;
/* The same of what the caller has just made: whatever its mode says. */
struct file *vfs_open_created(
	const struct vfs_env *env, const struct path *p, u32 o_flags) must_check;
/* A file that isn't in any directory: pipes, eventfd, ... name e.g. "[eventfd]". ops->release gets
 * priv. */
struct file *file_anon(
	const char *name, const struct file_ops *ops, void *priv, u32 o_flags) must_check;
/* A fresh inode of the internal anonymous file system, mode with type. NULL: no memory. */
struct inode *inode_alloc_anon(kmode_t mode) must_check;
/* The same with an inode of its own (pipes, memfd). Consumes the inode reference on success. */
struct file *file_from_inode(
	struct inode *i, const char *name, const struct file_ops *ops, u32 o_flags) must_check;
static inline void get_file(struct file *f)
{
	ref_get(&f->refs);
}
void put_file(struct file *f); /* the final release may be deferred to return-to-user (task work) or
				  a worker */
/* Set by process: run fn(file) before the current task returns to user mode. */
void file_set_defer_hook(bool (*fn)(struct file *f));

ssize_t vfs_read(struct file *f, struct iter *to,
	off64_t *pos) must_check; /* mode and size checks; pos NULL: file's own */
ssize_t vfs_write(struct file *f, struct iter *from, off64_t *pos) must_check;
off64_t vfs_seek(struct file *f, off64_t off, int whence) must_check;
int vfs_iterate(struct file *f, struct dir_context *ctx) must_check;
int vfs_fsync(struct file *f, u64 start, u64 end, bool datasync) must_check;
/* syncfs(2): its file system; an error of writing back since f was opened or told, too. Sleeps. */
int vfs_syncfs(struct file *f) must_check;
int vfs_ftruncate(struct file *f, u64 size) must_check;
int vfs_fallocate(struct file *f, int mode, u64 off, u64 len) must_check;
/* Kernel buffer convenience (exec, initramfs): at *pos, whole or short. */
ssize_t kernel_read(struct file *f, void *buf, size_t n, off64_t *pos) must_check;
ssize_t kernel_write(struct file *f, const void *buf, size_t n, off64_t *pos) must_check;

/* Building blocks for file systems whose content is the object. */
ssize_t file_object_read(struct file *f, struct iter *to, off64_t *pos);
ssize_t file_object_write(struct file *f, struct iter *from,
	off64_t *pos); /* takes i_rwsem; RLIMIT_FSIZE, O_APPEND, suid removal */
/*
 * O_DIRECT. io transfers bytes (a multiple of align) at pos between storage and whole pages, and
 * waits; it allocates room for a write and makes the size that storage knows cover it. Position,
 * length and memory that aren't aligned: -EINVAL. The write's caller holds i_rwsem; -ENOTBLK: pages
 * of the range are in use, write through the cache instead (nothing was consumed).
 */
typedef int file_direct_io(struct inode *i, bool write, u64 pos, struct page **pages, size_t bytes);
ssize_t file_direct_read(
	struct file *f, struct iter *to, off64_t *pos, u32 align, file_direct_io *io);
ssize_t file_direct_write(
	struct file *f, struct iter *from, off64_t *pos, u32 align, file_direct_io *io);
int file_object_mmap(struct file *f, struct map_request *rq);
/* For what has no position but does not mind. */
off64_t file_noop_seek(struct file *f, off64_t off, int whence);
off64_t file_generic_seek(struct file *f, off64_t off, int whence);
off64_t file_object_seek(struct file *f, off64_t off, int whence); /* with SEEK_DATA/HOLE */
off64_t file_no_seek(
	struct file *f, off64_t off, int whence); /* 0 always, as for ttys that ignore it */

/* RLIMIT_FSIZE: set by process: current limit, and how to raise SIGXFSZ. */
struct vfs_limits {
	u64 (*fsize)(void);
	void (*fsize_exceeded)(void);
	u64 (*nofile)(void);
	void (*broken_pipe)(void);    /* raise SIGPIPE */
	struct file *(*file)(int fd); /* for commands that name one; NULL: none */
};
/* The caller's open file, referenced; NULL: none (or O_PATH). */
struct file *vfs_current_file(int fd) must_check;
void vfs_broken_pipe(void); /* a write found no reader: SIGPIPE, if there is somebody to get it */
void vfs_set_limits_hook(const struct vfs_limits *l);

void file_release(struct file *f); /* what a deferred put_file ends in; sleeps */
s64 files_open(void);              /* in use now */
extern u64 g_max_files;            /* fs.file-max */
extern u32 g_nr_open_max;          /* fs.nr_open */
/* Set by ipc: how FIFOs are opened. */
void vfs_set_fifo_ops(const struct file_ops *ops);
/* Set by the block layer: how block devices are opened. */
void vfs_set_block_ops(const struct file_ops *ops);

/* ---- readiness ---------------------------------------------------------------------------- */
/* poll ops call poll_wait for each queue that announces changes, then return the current mask. */
struct poll_table {
	/* Queue on q; may be NULL when the caller only wants the mask. */
	void (*queue)(struct poll_table *pt, struct file *f, struct wait_queue *q);
	u32 events; /* interest; a hint */
};
static inline void poll_wait(struct file *f, struct wait_queue *q, struct poll_table *pt)
{
	if (pt && pt->queue) {
		pt->queue(pt, f, q);
		smp_mb(); /* queued before the state is read; pairs with wait_queue_active */
	}
}
static inline u32 vfs_poll(struct file *f, struct poll_table *pt)
{
	return f->ops->poll ? f->ops->poll(f, pt)
			    : (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM);
}
/* Announce readiness: mask of EPOLL* that may have become true. */
static inline void poll_wake(struct wait_queue *q, u32 mask)
{
	if (wait_queue_active(q))
		wake_up_key(q, 1, mask);
}

/* Set by epoll: called (may sleep) before ops->release of a file whose epoll_links isn't empty. */
void file_set_epoll_hook(void (*fn)(struct file *f));

/* ---- descriptor tables ---------------------------------------------------------------------- */
/*
 * A growable array of file pointers, read without locks under RCU, bitmaps for open and
 * close-on-exec, lowest free descriptor in O(log n).
 */
struct fd_table;
struct fd_table *fd_table_create(void) must_check; /* NULL: no memory */
struct fd_table *fd_table_copy(
	struct fd_table *old, u32 max_fds) must_check; /* fork, unshare; error ptr */
void get_fd_table(struct fd_table *t);                 /* one more task uses it */
void put_fd_table(struct fd_table *t);                 /* last: closes everything */
/* For looking into it from outside, which neither shares it nor keeps its files open. */
void fd_table_hold(struct fd_table *t);
void fd_table_unhold(struct fd_table *t);
bool fd_table_shared(const struct fd_table *t); /* by several tasks */
/* Reserve the lowest free descriptor >= min; limit from RLIMIT_NOFILE hook. -EMFILE -ENOMEM. */
int fd_reserve(struct fd_table *t, int min, bool cloexec) must_check;
void fd_unreserve(struct fd_table *t, int fd);
void fd_install(struct fd_table *t, int fd, struct file *f); /* consumes the reference */
/* Reserve + install, consuming f also on failure. */
int fd_open(struct fd_table *t, struct file *f, bool cloexec) must_check;
/* Referenced file or NULL (-EBADF for the caller). fd_get refuses O_PATH files, fd_get_any not. */
struct file *fd_get(struct fd_table *t, int fd);
struct file *fd_get_any(struct fd_table *t, int fd);
/*
 * The same without touching the count when the table has one user: pass *need_put on to
 * fd_put_light. The file stays valid while the caller doesn't change its own table.
 */
struct file *fd_get_light(struct fd_table *t, int fd, bool *need_put);
static inline void fd_put_light(struct file *f, bool need_put)
{
	if (unlikely(need_put))
		put_file(f);
}
int fd_close(struct fd_table *t, int fd) must_check; /* -EBADF; flush result */
int fd_close_range(struct fd_table *t, u32 first, u32 last, bool cloexec_only) must_check;
int fd_dup2(struct fd_table *t, int oldfd, int newfd, bool cloexec) must_check; /* dup2/dup3 */
int fd_get_cloexec(struct fd_table *t, int fd) must_check;                      /* 0/1, -EBADF */
int fd_set_cloexec(struct fd_table *t, int fd, bool on) must_check;
void fd_close_on_exec(struct fd_table *t);
/* Next open descriptor >= from or -1 (procfs). */
int fd_next(struct fd_table *t, int from);
u32 fd_table_size(struct fd_table *t); /* FDSize in /proc/PID/status */

/* ---- file locks (flock, POSIX, OFD) ------------------------------------------------------------ */
struct flock;
/* owner: fd table for POSIX locks, file for flock and OFD. l_pid for F_GETLK from pid. */
int lock_posix(struct file *f, int cmd, struct flock *fl, void *owner, s32 pid) must_check;
int lock_flock(struct file *f, int op, s32 pid) must_check; /* pid: for /proc/locks */
void locks_release_posix(struct file *f, void *owner);      /* on close(2) of any descriptor */
void locks_release_file(struct file *f);
void locks_show(struct seq_buf *s); /* /proc/locks */
/* Those that came by this file: its own and the POSIX locks of the descriptor table. */
void locks_show_fdinfo(struct file *f, void *files, struct seq_buf *s);

/* ---- inotify events ------------------------------------------------------------------------- */
/* mask: IN_*; name NULL for events on the inode itself. Costs one load when nobody watches. */
void notify_inode(struct inode *i, u32 mask);
void notify_child(
	struct dentry *d, u32 mask, u32 cookie); /* event on parent (with name) and on the inode */
/* On the parent alone; mask has IN_ISDIR where it applies. */
void notify_directory(struct dentry *d, u32 mask, u32 cookie);

/* Only to look: a rename may replace the parent, and that one's end take its inode. */
static inline bool file_is_watched(const struct file *f)
{
	const struct dentry *d = f->path.dentry;
	const struct inode *dir;
	bool watched;

	if (!d)
		return false;
	rcu_read_lock();
	dir = READ_ONCE(READ_ONCE(d->parent)->inode);
	watched = READ_ONCE(f->inode->watches) || (dir && READ_ONCE(dir->watches));
	rcu_read_unlock();
	return watched;
}

static inline void notify_access(struct file *f)
{
	if (unlikely(file_is_watched(f)))
		notify_child(f->path.dentry, 0x00000001 /* IN_ACCESS */, 0);
}
static inline void notify_modify(struct file *f)
{
	if (unlikely(file_is_watched(f)))
		notify_child(f->path.dentry, 0x00000002 /* IN_MODIFY */, 0);
}

/* ---- O_ASYNC --------------------------------------------------------------------------------- */
void fasync_list_init(struct fasync_list *l);
void fasync_notify_slow(struct fasync_list *l, int band);
/* Input (POLL_IN), room for output (POLL_OUT): signals the readers, or the writers. Any context
 * that holds no lock of RANK_FASYNC or above; not from an interrupt: there may be many files. */
static inline void fasync_notify(struct fasync_list *l, int band)
{
	if (unlikely(READ_ONCE(l->files.next) != &l->files))
		fasync_notify_slow(l, band);
}
/* Urgent data came: SIGURG to the owner, with O_ASYNC or without. The caller holds no spinlock. */
void file_notify_urgent(struct file *f);
struct file_owner *file_owner(struct file *f); /* made on first use; NULL: no memory */
/* Takes over the reference to pid (NULL: nobody). Without force only where none is set. -ENOMEM. */
int file_set_owner(struct file *f, int kind, struct pid *pid, bool force) must_check;
/* F_SETFL's O_ASYNC, for files with ops->fasync; fd is what signals name. -ENOMEM. */
int file_set_async(struct file *f, int fd, bool on) must_check;
void file_end_async(struct file *f);
void file_free_owner(struct file *f);
/* Set by process: references to struct pid, and sending. Any context without a lock of
 * RANK_TASKLIST or above. */
struct sigio_hooks {
	void (*get)(struct pid *pid);
	void (*put)(struct pid *pid);
	void (*send)(const struct file_owner *o, int band);
	void (*send_urgent)(const struct file_owner *o);
};
void file_set_sigio_hooks(const struct sigio_hooks *h);

/* ---- devices ----------------------------------------------------------------------------------- */
/* Character devices: open of a node with this number uses fops. devtmpfs shows name ("tty",
 * "pts/ptmx") with mode. -EBUSY. minors: count from minor. */
int chrdev_register(
	u32 major, u32 minor, u32 count, const char *name, const struct file_ops *fops) must_check;
int devtmpfs_add(
	const char *name, kmode_t mode, kdev_t dev) must_check; /* mode with S_IFCHR/S_IFBLK */
void devtmpfs_remove(const char *name);
void devices_show(struct seq_buf *s); /* /proc/devices */
/* A major number of block devices, to be shown there. name lives on. At start-up; at most 16. */
void block_major_add(u32 major, const char *name);
const struct file_ops *chrdev_find(kdev_t dev);

#endif
