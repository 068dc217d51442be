/* Opening, reading, writing, seeking, syncing. */
#include <vm/writeback.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <asm/unistd.h>
#include <process/task.h>
#include <syscall/syscall.h>
#include "file.h"
#include "path.h"

#define FAST_IOV 8

/* ---- open
 * ---------------------------------------------------------------------------------------- */

#define VALID_OPEN_FLAGS                                                                        \
	(O_RDONLY | O_WRONLY | O_RDWR | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND |      \
		O_NONBLOCK | O_DSYNC | O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | \
		O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | __O_TMPFILE)

static long do_open(int dirfd, const char __user *name, u32 flags, kmode_t mode, u32 lookup)
{
	struct fd_table *files = current_task()->files;
	struct vfs_env env = current_env();
	struct at_base base;
	struct upath u;
	struct file *f;
	int fd, err;

	if ((flags & (O_TMPFILE | O_PATH)) == O_TMPFILE && !(flags & O_ACCMODE))
		return -EINVAL;
	err = upath_get(&u, name, false);
	if (err)
		return err;
	fd = fd_reserve(files, 0, (flags & O_CLOEXEC) != 0);
	err = fd;
	if (fd < 0)
		goto out;
	/* RESOLVE_IN_ROOT: dirfd is what "/" means, too. */
	err = base_get(&base, dirfd, lookup & LOOKUP_IN_ROOT ? "." : u.text);
	if (err)
		goto out_fd;
	f = vfs_open(&env, base.use, u.text, flags, mode, lookup);
	base_put(&base);
	err = is_err(f) ? ptr_err(f) : 0;
	if (err)
		goto out_fd;
	fd_install(files, fd, f);
	err = fd;
	goto out;
out_fd:
	fd_unreserve(files, fd);
out:
	upath_put(&u);
	return err;
}

/* open and openat ignore what they don't know; openat2 refuses it. */
static long open_lenient(int dirfd, const char __user *name, int flags, kmode_t mode)
{
	u32 f = ((u32)flags & VALID_OPEN_FLAGS) | O_LARGEFILE;

	if (f & O_PATH)
		f &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	return do_open(dirfd, name, f, mode & 07777, 0);
}

long sys_open(const char __user *name, int flags, kmode_t mode)
{
	return open_lenient(AT_FDCWD, name, flags, mode);
}

long sys_openat(int dirfd, const char __user *name, int flags, kmode_t mode)
{
	return open_lenient(dirfd, name, flags, mode);
}

long sys_creat(const char __user *name, kmode_t mode)
{
	return open_lenient(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* A structure that may be longer than ours: what we don't know must be zero. */
static int copy_versioned(
	void *dst, size_t size, const void __user *src, size_t usize, size_t least)
{
	if (usize < least)
		return -EINVAL;
	if (usize > PAGE_SIZE)
		return -E2BIG;
	memset(dst, 0, size);
	for (size_t at = size; at < usize; at++) {
		u8 c;

		if (get_user(c, (const u8 __user *)src + at))
			return -EFAULT;
		if (c)
			return -E2BIG;
	}
	return copy_from_user(dst, src, min(size, usize));
}

static int resolve_flags(u64 resolve, u32 *lookup)
{
	static const struct {
		u64 resolve;
		u32 lookup;
	} map[] = {{RESOLVE_NO_XDEV, LOOKUP_NO_XDEV}, {RESOLVE_NO_MAGICLINKS, LOOKUP_NO_MAGIC},
		{RESOLVE_NO_SYMLINKS, LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGIC},
		{RESOLVE_BENEATH, LOOKUP_BENEATH}, {RESOLVE_IN_ROOT, LOOKUP_IN_ROOT},
		{RESOLVE_CACHED, LOOKUP_CACHED}};

	*lookup = 0;
	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (resolve & map[i].resolve) {
			*lookup |= map[i].lookup;
			resolve &= ~map[i].resolve;
		}
	if (resolve || ((*lookup & LOOKUP_BENEATH) && (*lookup & LOOKUP_IN_ROOT)))
		return -EINVAL;
	return 0;
}

long sys_openat2(int dirfd, const char __user *name, struct open_how __user *uhow, size_t size)
{
	struct open_how how;
	u32 lookup;
	int err = copy_versioned(&how, sizeof(how), uhow, size, sizeof(how));

	if (err)
		return err;
	err = resolve_flags(how.resolve, &lookup);
	if (err)
		return err;
	if (how.flags & ~(u64)VALID_OPEN_FLAGS)
		return -EINVAL;
	if ((how.flags & O_PATH) &&
		(how.flags & ~(u64)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)))
		return -EINVAL;
	if (how.mode && !(how.flags & (O_CREAT | __O_TMPFILE)))
		return -EINVAL;
	if (how.mode & ~07777ull)
		return -EINVAL;
	if ((how.flags & __O_TMPFILE) && ((how.flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE))
		return -EINVAL;
	if (lookup & LOOKUP_CACHED)
		return -EAGAIN; /* always possible: the caller tries again without */
	return do_open(dirfd, name, (u32)how.flags | O_LARGEFILE, (kmode_t)how.mode, lookup);
}

long sys_close(int fd)
{
	int err = fd_close(current_task()->files, fd);

	/* The descriptor is gone: a restart would close somebody else's. */
	if (err == -ERESTARTSYS || err == -ERESTARTNOINTR || err == -ERESTARTNOHAND)
		err = -EINTR;
	return err;
}

/* ---- read and write
 * --------------------------------------------------------------------------------- */

/* Of a file that is open for it: 0, or the answer that even an empty transfer gets. */
static long may_transfer(const struct file *f, bool write)
{
	if (!(f->mode & (write ? FMODE_WRITE : FMODE_READ)))
		return -EBADF;
	if (write)
		return f->ops->write ? 0 : -EINVAL;
	return f->ops->read || f->ops->iterate ? 0 : -EINVAL;
}

/* A plain call that the descriptor refused was no transfer; one that the file refused was. */
static always_inline void account_plain(ssize_t n, bool write)
{
	if (n != -EBADF && n != -EINVAL && n != -ESPIPE)
		task_account_io(n, write);
}

static always_inline long rw_buf(int fd, void __user *buf, size_t count, bool write)
{
	bool need_put;
	struct file *f = fd_get_light(current_task()->files, fd, &need_put);
	struct iter it;
	long n;

	if (!f)
		return -EBADF;
	it = iter_user(buf, count);
	if (unlikely(!user_range_ok((unsigned long)buf, count))) {
		n = may_transfer(f, write) ?: -EFAULT;
	} else {
		n = write ? vfs_write(f, &it, NULL) : vfs_read(f, &it, NULL);
		account_plain(n, write);
	}
	fd_put_light(f, need_put);
	return n;
}

long sys_read(int fd, void __user *buf, size_t count)
{
	return rw_buf(fd, buf, count, false);
}

long sys_write(int fd, const void __user *buf, size_t count)
{
	return rw_buf(fd, (void __user *)buf, count, true);
}

/* Streams have no positions, though some can be told to seek. */
static always_inline bool takes_position(const struct file *f, bool write)
{
	return (f->mode & (FMODE_LSEEK | FMODE_STREAM | (write ? FMODE_NO_PWRITE : 0))) ==
		FMODE_LSEEK;
}

static always_inline long rw_at(struct file *f, struct iter *it, off64_t pos, bool write)
{
	if (!takes_position(f, write))
		return -ESPIPE;
	return write ? vfs_write(f, it, &pos) : vfs_read(f, it, &pos);
}

static always_inline long rw_buf_at(int fd, void __user *buf, size_t count, off64_t pos, bool write)
{
	bool need_put;
	struct file *f;
	struct iter it = iter_user(buf, count);
	long n;

	if (pos < 0)
		return -EINVAL;
	f = fd_get_light(current_task()->files, fd, &need_put);
	if (!f)
		return -EBADF;
	n = (ssize_t)count < 0 ? -EINVAL : rw_at(f, &it, pos, write);
	account_plain(n, write);
	fd_put_light(f, need_put);
	return n;
}

long sys_pread64(int fd, void __user *buf, size_t count, off64_t pos)
{
	return rw_buf_at(fd, buf, count, pos, false);
}

long sys_pwrite64(int fd, const void __user *buf, size_t count, off64_t pos)
{
	return rw_buf_at(fd, (void __user *)buf, count, pos, true);
}

int transfer_flags_check(int flags)
{
	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
		return -EOPNOTSUPP;
	return flags & RWF_NOWAIT ? -EOPNOTSUPP : 0; /* no file here knows what would block */
}

ssize_t transfer(struct file *f, struct iter *it, off64_t *pos, int flags, bool write)
{
	ssize_t n;

	it->append = (flags & RWF_APPEND) != 0;
	n = write ? vfs_write(f, it, pos) : vfs_read(f, it, pos);
	if (n > 0 && write && (flags & (RWF_DSYNC | RWF_SYNC)) && f->ops->fsync) {
		int err = vfs_fsync(f, 0, S64_MAX, !(flags & RWF_SYNC));

		if (err)
			n = err;
	}
	return n;
}

/* The vector calls. pos -1 with at_pos false: the file's own position. flags: RWF_*. */
static long rw_vec(int fd, const struct iovec __user *vec, unsigned long nr, const off64_t *pos,
	int flags, bool write)
{
	struct iovec fast[FAST_IOV], *iov = fast;
	struct iter it;
	bool need_put;
	struct file *f = fd_get_light(current_task()->files, fd, &need_put);
	long n;

	if (!f)
		return -EBADF;
	n = -ESPIPE;
	if (pos && !takes_position(f, write))
		goto out;
	n = iter_import(&it, vec, nr, fast, FAST_IOV, &iov);
	if (n < 0)
		goto out;
	n = may_transfer(f, write);
	if (n || !it.count)
		goto out_iov;
	n = transfer_flags_check(flags);
	if (!n) {
		off64_t at = pos ? *pos : 0;

		n = transfer(f, &it, pos ? &at : NULL, flags, write);
	}
out_iov:
	iov_free(iov, fast);
out:
	task_account_io(n, write);
	fd_put_light(f, need_put);
	return n;
}

long sys_readv(int fd, const struct iovec __user *vec, unsigned long nr)
{
	return rw_vec(fd, vec, nr, NULL, 0, false);
}

long sys_writev(int fd, const struct iovec __user *vec, unsigned long nr)
{
	return rw_vec(fd, vec, nr, NULL, 0, true);
}

static long rw_vec_at(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long low,
	int flags, bool write, bool allow_current)
{
	off64_t pos = (off64_t)low; /* 64-bit callers pass it whole in the low word */

	if (pos == -1 && allow_current)
		return rw_vec(fd, vec, nr, NULL, flags, write);
	if (pos < 0)
		return -EINVAL;
	return rw_vec(fd, vec, nr, &pos, flags, write);
}

long sys_preadv(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long low,
	unsigned long high)
{
	return rw_vec_at(fd, vec, nr, low, 0, false, false);
}

long sys_pwritev(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long low,
	unsigned long high)
{
	return rw_vec_at(fd, vec, nr, low, 0, true, false);
}

long sys_preadv2(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long low,
	unsigned long high, int flags)
{
	return rw_vec_at(fd, vec, nr, low, flags, false, true);
}

long sys_pwritev2(int fd, const struct iovec __user *vec, unsigned long nr, unsigned long low,
	unsigned long high, int flags)
{
	return rw_vec_at(fd, vec, nr, low, flags, true, true);
}

/* ---- position and size
 * --------------------------------------------------------------------------------- */

long sys_lseek(int fd, off64_t offset, int whence)
{
	bool need_put;
	struct file *f = fd_get_light(current_task()->files, fd, &need_put);
	long r;

	if (!f)
		return -EBADF;
	r = vfs_seek(f, offset, whence);
	fd_put_light(f, need_put);
	return r;
}

long sys_truncate(const char __user *name, off64_t length)
{
	struct vfs_env env = current_env();
	struct path p;
	int err;

	if (length < 0)
		return -EINVAL;
	err = user_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	err = vfs_truncate(&env, &p, (u64)length);
	put_path(&p);
	return err;
}

/* Run a simple operation on an open file. */
#define WITH_FILE(fd, f, expr)                                                     \
	({                                                                         \
		bool _put;                                                         \
		struct file *f = fd_get_light(current_task()->files, (fd), &_put); \
		long _r = -EBADF;                                                  \
		if (f) {                                                           \
			_r = (expr);                                               \
			fd_put_light(f, _put);                                     \
		}                                                                  \
		_r;                                                                \
	})

long sys_ftruncate(int fd, off64_t length)
{
	if (length < 0)
		return -EINVAL;
	return WITH_FILE(fd, f, vfs_ftruncate(f, (u64)length));
}

long sys_fallocate(int fd, int mode, off64_t offset, off64_t len)
{
	return WITH_FILE(fd, f, vfs_fallocate(f, mode, (u64)offset, (u64)len));
}

/* ---- syncing, advice
 * -------------------------------------------------------------------------------------- */

long sys_fsync(int fd)
{
	return WITH_FILE(fd, f, vfs_fsync(f, 0, S64_MAX, false));
}

long sys_fdatasync(int fd)
{
	return WITH_FILE(fd, f, vfs_fsync(f, 0, S64_MAX, true));
}

long sys_sync(void)
{
	(void)!vfs_sync_all(true); /* sync(2) has no way to fail; errors stay for fsync */
	return 0;
}

long sys_syncfs(int fd)
{
	return WITH_FILE(fd, f, vfs_syncfs(f));
}

static long sync_range(struct file *f, off64_t off, off64_t n, u32 flags)
{
	struct vm_object *o = &f->inode->object;
	off64_t end;
	u64 last;
	int err = 0;

	if (flags & ~7u || off < 0 || n < 0 || __builtin_add_overflow(off, n, &end))
		return -EINVAL;
	if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode) && !S_ISDIR(f->inode->mode) &&
		!S_ISLNK(f->inode->mode))
		return -ESPIPE;
	last = n ? (u64)(end - 1) : U64_MAX;
	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		err = object_wait_range(o, (u64)off, last);
	if (!err && (flags & SYNC_FILE_RANGE_WRITE))
		err = object_write_range(o, (u64)off, last, false);
	if (!err && (flags & SYNC_FILE_RANGE_WAIT_AFTER))
		err = object_wait_range(o, (u64)off, last);
	if (flags & (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER)) {
		int wb = object_check_wb_error(o, &f->wb_err);

		err = err ? err : wb;
	}
	return err;
}

long sys_sync_file_range(int fd, off64_t offset, off64_t nbytes, unsigned int flags)
{
	return WITH_FILE(fd, f, sync_range(f, offset, nbytes, flags));
}

#define READAHEAD_MAX (8ul << 20) /* bytes that one call brings in at most */

static long fadvise(struct file *f, off64_t off, off64_t len, int advice)
{
	struct vm_object *o = &f->inode->object;
	u64 end = len ? (u64)off + (u64)len : U64_MAX, first, last;

	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (len < 0)
		return -EINVAL;
	if (end < (u64)off)
		end = U64_MAX;
	switch (advice) {
	case 0: /* POSIX_FADV_NORMAL */
		f->readahead.max = 0;
		return 0;
	case 1: /* POSIX_FADV_RANDOM */
		f->readahead.max = 1;
		return 0;
	case 2: /* POSIX_FADV_SEQUENTIAL */
		f->readahead.max = o->wb ? 2 * READ_ONCE(o->wb->ra_pages) : 0;
		return 0;
	case 3: /* POSIX_FADV_WILLNEED */
		first = (u64)off >> PAGE_SHIFT;
		end = min(end, (u64)off + READAHEAD_MAX);
		object_readahead(o, first, div_round_up(end, PAGE_SIZE) - first);
		return 0;
	case 4: /* POSIX_FADV_DONTNEED: whole pages only */
		first = div_round_up((u64)off, PAGE_SIZE);
		last = end >> PAGE_SHIFT;
		if (end >= READ_ONCE(o->size))
			last = U64_MAX >> PAGE_SHIFT;
		if (o->ops)
			(void)!object_write_range(o, (u64)off, end - 1, false);
		if (first < last)
			object_drop_clean(o, first, last - 1);
		return 0;
	case 5: /* POSIX_FADV_NOREUSE */
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_fadvise64(int fd, off64_t offset, size_t len, int advice)
{
	return WITH_FILE(fd, f, fadvise(f, offset, (off64_t)len, advice));
}

static long do_readahead(struct file *f, off64_t off, size_t count)
{
	u64 first = (u64)off >> PAGE_SHIFT;

	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (!S_ISREG(f->inode->mode) && !S_ISBLK(f->inode->mode))
		return -EINVAL;
	count = min(count, READAHEAD_MAX);
	if (off >= 0 && count)
		object_readahead(&f->inode->object, first,
			div_round_up((u64)off + count, PAGE_SIZE) - first);
	return 0;
}

long sys_readahead(int fd, off64_t offset, size_t count)
{
	return WITH_FILE(fd, f, do_readahead(f, offset, count));
}
