/* Directories: reading, moving about, making and removing names. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <process/signal.h>
#include <process/task.h>
#include <syscall/syscall.h>
#include "path.h"

/* ---- reading
 * ------------------------------------------------------------------------------------------- */

struct user_dirent64 { /* getdents64(2) */
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
} __packed;

struct user_dirent { /* getdents(2); the type is the record's last byte */
	unsigned long ino, off;
	u16 reclen;
	char name[];
} __packed;

struct getdents {
	struct dir_context ctx;
	char __user *at; /* next record */
	size_t room;
	char __user *last; /* previous record, or NULL */
	bool old;
	int err;
};

static bool put_old(
	struct getdents *g, const char *name, size_t len, u64 ino, u8 type, size_t reclen)
{
	struct user_dirent d = {ino, 0, (u16)reclen};
	char __user *end = g->at + reclen - 1;
	char zero = 0;

	return copy_to_user(g->at, &d, offsetof(struct user_dirent, name)) ||
		copy_to_user(g->at + offsetof(struct user_dirent, name), name, len) ||
		copy_to_user(g->at + offsetof(struct user_dirent, name) + len, &zero, 1) ||
		copy_to_user(end, &type, 1);
}

static bool put_new(
	struct getdents *g, const char *name, size_t len, u64 ino, u8 type, size_t reclen)
{
	struct {
		struct user_dirent64 d;
		char name[NAME_MAX + 9];
	} __packed rec;

	memset((char *)&rec + reclen - 8, 0, 8);
	rec.d = (struct user_dirent64){ino, 0, (u16)reclen, type};
	memcpy(rec.name, name, len);
	rec.name[len] = 0;
	return copy_to_user(g->at, &rec, reclen);
}

/* d_off of a record is the cursor behind it: known when the next one comes, or at the end. */
static void finish_last(struct getdents *g, off64_t next)
{
	s64 off = next;

	if (g->last && copy_to_user(g->last + 8, &off, sizeof(off)))
		g->err = -EFAULT;
}

static bool emit_user(struct dir_context *ctx, const char *name, size_t len, u64 ino, u8 type)
{
	struct getdents *g = container_of(ctx, struct getdents, ctx);
	size_t head = g->old ? offsetof(struct user_dirent, name)
			     : offsetof(struct user_dirent64, name);
	size_t reclen = round_up(head + len + (g->old ? 2 : 1), 8ul);

	if (len > NAME_MAX) {
		g->err = -EIO;
		return false;
	}
	if (reclen > g->room) {
		if (!g->last)
			g->err = -EINVAL;
		return false;
	}
	if (g->last && signal_is_pending())
		return false; /* what there is, is given */
	cond_resched();
	finish_last(g, ctx->pos);
	if (g->err)
		return false;
	if (g->old ? put_old(g, name, len, ino, type, reclen)
		   : put_new(g, name, len, ino, type, reclen)) {
		g->err = -EFAULT;
		return false;
	}
	g->last = g->at;
	g->at += reclen;
	g->room -= reclen;
	return true;
}

static long getdents(int fd, void __user *buf, unsigned int count, bool old)
{
	struct getdents g = {.ctx.emit = emit_user, .at = buf, .room = count, .old = old};
	bool need_put;
	struct file *f = fd_get_light(current_task()->files, fd, &need_put);
	long r;

	if (!f)
		return -EBADF;
	r = vfs_iterate(f, &g.ctx);
	if (r >= 0)
		r = g.err;
	if (g.last) {
		g.err = 0; /* what was delivered counts; the error comes with the next call */
		finish_last(&g, g.ctx.pos);
		r = g.err ? g.err : g.at - (char __user *)buf;
	}
	fd_put_light(f, need_put);
	return r;
}

long sys_getdents(int fd, void __user *buf, unsigned int count)
{
	return getdents(fd, buf, count, true);
}

long sys_getdents64(int fd, void __user *buf, unsigned int count)
{
	return getdents(fd, buf, count, false);
}

/* ---- where we are
 * ---------------------------------------------------------------------------------------- */

long sys_getcwd(void __user *buf, size_t size)
{
	struct fs_context *fs = current_task()->fs;
	char *page = kmalloc(PATH_MAX, GFP_KERNEL), *text;
	struct path cwd, root;
	long r;

	if (!page)
		return -ENOMEM;
	spin_lock(&fs->lock);
	cwd = fs->cwd;
	root = fs->root;
	get_path(&cwd);
	get_path(&root);
	spin_unlock(&fs->lock);
	r = -ENOENT;
	if (!(cwd.dentry->flags & DENTRY_UNHASHED) || cwd.dentry == cwd.dentry->parent) {
		text = path_format(&cwd, &root, page, PATH_MAX);
		r = is_err(text) ? ptr_err(text) : (long)strlen(text) + 1;
		if (r > (long)size)
			r = -ERANGE;
		else if (r > 0 && copy_to_user(buf, text, (size_t)r))
			r = -EFAULT;
	}
	put_path(&cwd);
	put_path(&root);
	kfree(page);
	return r;
}

static int may_enter(const struct path *p)
{
	if (!S_ISDIR(p->dentry->inode->mode))
		return -ENOTDIR;
	return inode_permission(p->dentry->inode, MAY_EXEC, current_cred());
}

long sys_chdir(const char __user *name)
{
	struct path p;
	int err = user_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = may_enter(&p);
	if (err)
		put_path(&p);
	else
		fs_context_set_cwd(current_task()->fs, p);
	return err;
}

long sys_fchdir(int fd)
{
	struct file *f = fd_get_any(current_task()->files, fd);
	int err;

	if (!f)
		return -EBADF;
	err = may_enter(&f->path);
	if (!err) {
		get_path(&f->path);
		fs_context_set_cwd(current_task()->fs, f->path);
	}
	put_file(f);
	return err;
}

long sys_chroot(const char __user *name)
{
	struct path p;
	int err = user_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (err)
		return err;
	err = may_enter(&p);
	if (!err && !capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (err)
		put_path(&p);
	else
		fs_context_set_root(current_task()->fs, p);
	return err;
}

long sys_umask(kmode_t mask)
{
	struct fs_context *fs = current_task()->fs;

	return (long)xchg(&fs->umask, mask & 0777);
}

/* ---- names
 * -------------------------------------------------------------------------------------------------
 */

/* One user path, one operation. */
#define WITH_PATH(dirfd, name, env, base, text, expr)             \
	({                                                        \
		struct vfs_env env = current_env();               \
		struct at_base _b;                                \
		struct upath _u;                                  \
		long _r = upath_get(&_u, (name), false);          \
		if (!_r) {                                        \
			const char *text = _u.text;               \
			_r = base_get(&_b, (dirfd), text);        \
			if (!_r) {                                \
				const struct path *base = _b.use; \
				_r = (expr);                      \
				base_put(&_b);                    \
			}                                         \
			upath_put(&_u);                           \
		}                                                 \
		_r;                                               \
	})

long sys_mkdirat(int dirfd, const char __user *name, kmode_t mode)
{
	return WITH_PATH(dirfd, name, env, base, text, vfs_mkdir(&env, base, text, mode));
}

long sys_mkdir(const char __user *name, kmode_t mode)
{
	return sys_mkdirat(AT_FDCWD, name, mode);
}

long sys_mknodat(int dirfd, const char __user *name, kmode_t mode, unsigned int dev)
{
	kdev_t d = dev_make((dev >> 8) & 0xfff, (dev & 0xff) | ((dev >> 12) & 0xfff00));
	int err = vfs_mknod_check(mode);

	if (err)
		return err;
	return WITH_PATH(dirfd, name, env, base, text, vfs_mknod(&env, base, text, mode, d));
}

long sys_mknod(const char __user *name, kmode_t mode, unsigned int dev)
{
	return sys_mknodat(AT_FDCWD, name, mode, dev);
}
