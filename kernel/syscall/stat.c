/* Attributes: stat, access, mode, owner, times, file system figures. */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <lib/string.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <process/task.h>
#include <sched/timer.h>
#include <syscall/syscall.h>
#include "path.h"

/* ---- stat
 * ------------------------------------------------------------------------------------------------ */

/* Device numbers in struct stat: the encoding of kdev_t for all that fit. */
static u64 user_dev(kdev_t d)
{
	return (dev_minor(d) & 0xff) | dev_major(d) << 8 | (u64)(dev_minor(d) & ~0xffu) << 12;
}

static int put_stat(struct stat __user *u, const struct kstat *k)
{
	struct stat st;

	memset(&st, 0, sizeof(st));
	st.st_dev = user_dev(k->dev);
	st.st_ino = k->ino;
	st.st_nlink = k->nlink;
	st.st_mode = k->mode;
	st.st_uid = k->uid;
	st.st_gid = k->gid;
	st.st_rdev = user_dev(k->rdev);
	st.st_size = (long)k->size;
	st.st_blksize = k->blksize;
	st.st_blocks = (long)k->blocks;
	st.st_atime = (unsigned long)k->times.atime.sec;
	st.st_atime_nsec = k->times.atime.nsec;
	st.st_mtime = (unsigned long)k->times.mtime.sec;
	st.st_mtime_nsec = k->times.mtime.nsec;
	st.st_ctime = (unsigned long)k->times.ctime.sec;
	st.st_ctime_nsec = k->times.ctime.nsec;
	return copy_to_user(u, &st, sizeof(st));
}

static long stat_at(int dirfd, const char __user *name, u32 lookup, struct stat __user *buf)
{
	struct kstat k;
	struct path p;
	int err = user_lookup(dirfd, name, lookup, &p);

	if (err)
		return err;
	err = vfs_getattr(&p, &k);
	put_path(&p);
	return err ? err : put_stat(buf, &k);
}

long sys_stat(const char __user *name, struct stat __user *buf)
{
	return stat_at(AT_FDCWD, name, LOOKUP_FOLLOW, buf);
}

long sys_lstat(const char __user *name, struct stat __user *buf)
{
	return stat_at(AT_FDCWD, name, 0, buf);
}

static long stat_fd(int fd, struct kstat *k)
{
	struct file *f = fd_get_any(current_task()->files, fd);
	long err;

	if (!f)
		return -EBADF;
	err = vfs_getattr(&f->path, k);
	put_file(f);
	return err;
}

long sys_fstat(int fd, struct stat __user *buf)
{
	struct kstat k;
	long err = stat_fd(fd, &k);

	return err ? err : put_stat(buf, &k);
}

static bool name_is_empty(const char __user *name)
{
	char c;

	return !name || (!get_user(c, name) && c == 0);
}

/* AT_* of the stat family to lookup flags. */
static u32 lookup_flags(int at)
{
	return (at & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
		(at & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

long sys_newfstatat(int dirfd, const char __user *name, struct stat __user *buf, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && dirfd >= 0 && name && name_is_empty(name))
		return sys_fstat(dirfd, buf);
	return stat_at(dirfd, name, lookup_flags(flags), buf);
}

static struct statx_timestamp statx_time(struct vfs_time t)
{
	return (struct statx_timestamp){.tv_sec = t.sec, .tv_nsec = t.nsec};
}

static int put_statx(struct statx __user *u, const struct kstat *k)
{
	struct statx st;

	memset(&st, 0, sizeof(st));
	st.stx_mask = k->result_mask | STATX_MNT_ID;
	st.stx_blksize = k->blksize;
	st.stx_attributes = k->attributes;
	st.stx_attributes_mask = k->attributes_mask | STATX_ATTR_MOUNT_ROOT;
	st.stx_nlink = (u32)k->nlink;
	st.stx_uid = k->uid;
	st.stx_gid = k->gid;
	st.stx_mode = (u16)k->mode;
	st.stx_ino = k->ino;
	st.stx_size = k->size;
	st.stx_blocks = k->blocks;
	st.stx_atime = statx_time(k->times.atime);
	st.stx_mtime = statx_time(k->times.mtime);
	st.stx_ctime = statx_time(k->times.ctime);
	if (k->result_mask & STATX_BTIME)
		st.stx_btime = statx_time(k->btime);
	st.stx_rdev_major = dev_major(k->rdev);
	st.stx_rdev_minor = dev_minor(k->rdev);
	st.stx_dev_major = dev_major(k->dev);
	st.stx_dev_minor = dev_minor(k->dev);
	st.stx_mnt_id = k->mnt_id;
	return copy_to_user(u, &st, sizeof(st));
}

long sys_statx(
	int dirfd, const char __user *name, int flags, unsigned int mask, struct statx __user *buf)
{
	struct kstat k;
	struct path p;
	long err;

	if ((mask & STATX__RESERVED) ||
		(flags &
			~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT |
				AT_STATX_SYNC_TYPE)) ||
		(flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && dirfd >= 0 && name && name_is_empty(name)) {
		err = stat_fd(dirfd, &k);
	} else {
		err = user_lookup(dirfd, name, lookup_flags(flags), &p);
		if (err)
			return err;
		err = vfs_getattr(&p, &k);
		if (p.dentry == p.mnt->root)
			k.attributes |= STATX_ATTR_MOUNT_ROOT;
		put_path(&p);
	}
	return err ? err : put_statx(buf, &k);
}

/* ---- access
 * ---------------------------------------------------------------------------------------------- */

/* With real ids: a copy of the credentials with fsuid and capabilities as after setuid(getuid()). */
static const struct cred *real_id_cred(void)
{
	const struct cred *c = current_cred();
	struct cred *n;

	if (c->fsuid == c->uid && c->fsgid == c->gid && (c->uid == 0 || c->cap_effective == 0))
		return get_cred(c);
	n = cred_prepare(c);
	if (!n)
		return NULL;
	n->fsuid = n->uid;
	n->fsgid = n->gid;
	if (!(n->securebits & (1u << SECURE_NO_SETUID_FIXUP)))
		n->cap_effective = n->uid == 0 ? n->cap_permitted : 0;
	return n;
}

long sys_faccessat2(int dirfd, const char __user *name, int mode, int flags)
{
	struct vfs_env env = current_env();
	const struct cred *saved = current_thread()->cred;
	struct path p;
	long err;

	if (mode & ~7)
		return -EINVAL;
	if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	env.cred = flags & AT_EACCESS ? get_cred(saved) : real_id_cred();
	if (!env.cred)
		return -ENOMEM;
	/* The whole look-up runs with these credentials. */
	current_thread()->cred = env.cred;
	err = user_lookup(dirfd, name, lookup_flags(flags), &p);
	if (!err) {
		err = vfs_access(&env, &p, mode);
		put_path(&p);
	}
	current_thread()->cred = saved;
	put_cred(env.cred);
	return err;
}

long sys_faccessat(int dirfd, const char __user *name, int mode)
{
	return sys_faccessat2(dirfd, name, mode, 0);
}

long sys_access(const char __user *name, int mode)
{
	return sys_faccessat2(AT_FDCWD, name, mode, 0);
}

/* ---- mode and owner
 * ---------------------------------------------------------------------------------------- */

static long setattr_at(int dirfd, const char __user *name, u32 lookup, struct iattr *a)
{
	struct vfs_env env = current_env();
	struct path p;
	int err = user_lookup(dirfd, name, lookup, &p);

	if (err)
		return err;
	err = vfs_setattr(&env, &p, a);
	put_path(&p);
	return err;
}

static long setattr_fd(int fd, struct iattr *a)
{
	struct vfs_env env = current_env();
	struct file *f = fd_get(current_task()->files, fd);
	int err;

	if (!f)
		return -EBADF;
	err = vfs_setattr(&env, &f->path, a);
	put_file(f);
	return err;
}

static struct iattr mode_attr(kmode_t mode)
{
	return (struct iattr){.valid = ATTR_MODE, .mode = mode & 07777};
}

long sys_fchmodat(int dirfd, const char __user *name, kmode_t mode)
{
	struct iattr a = mode_attr(mode);

	return setattr_at(dirfd, name, LOOKUP_FOLLOW, &a);
}

long sys_chmod(const char __user *name, kmode_t mode)
{
	return sys_fchmodat(AT_FDCWD, name, mode);
}

long sys_fchmod(int fd, kmode_t mode)
{
	struct iattr a = mode_attr(mode);

	return setattr_fd(fd, &a);
}

static struct iattr owner_attr(kuid_t uid, kgid_t gid)
{
	struct iattr a = {.uid = uid, .gid = gid};

	if (uid != (kuid_t)-1)
		a.valid |= ATTR_UID;
	if (gid != (kgid_t)-1)
		a.valid |= ATTR_GID;
	return a;
}

long sys_fchownat(int dirfd, const char __user *name, kuid_t uid, kgid_t gid, int flags)
{
	struct iattr a = owner_attr(uid, gid);

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return setattr_at(dirfd, name, lookup_flags(flags), &a);
}

long sys_chown(const char __user *name, kuid_t uid, kgid_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, 0);
}

long sys_lchown(const char __user *name, kuid_t uid, kgid_t gid)
{
	return sys_fchownat(AT_FDCWD, name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, kuid_t uid, kgid_t gid)
{
	struct iattr a = owner_attr(uid, gid);

	return setattr_fd(fd, &a);
}

/* ---- times
 * ------------------------------------------------------------------------------------------ */

#define UTIME_NOW  ((1l << 30) - 1l) /* utimensat(2) */
#define UTIME_OMIT ((1l << 30) - 2l)

/* times NULL: both now. -EINVAL for bad nanoseconds. *nothing: both UTIME_OMIT. */
static int times_attr(const struct __kernel_timespec *t, struct iattr *a, bool *nothing)
{
	*a = (struct iattr){.valid = ATTR_ATIME | ATTR_MTIME};
	*nothing = false;
	if (!t)
		return 0;
	for (int i = 0; i < 2; i++)
		if (t[i].tv_nsec != UTIME_NOW && t[i].tv_nsec != UTIME_OMIT &&
			(t[i].tv_nsec < 0 || t[i].tv_nsec >= NS_PER_SEC))
			return -EINVAL;
	a->valid = 0;
	*nothing = t[0].tv_nsec == UTIME_OMIT && t[1].tv_nsec == UTIME_OMIT;
	if (t[0].tv_nsec != UTIME_OMIT)
		a->valid |= ATTR_ATIME;
	if (t[1].tv_nsec != UTIME_OMIT)
		a->valid |= ATTR_MTIME;
	/* Only "both now" is allowed to whoever may write; everything else is the owner's. */
	if (t[0].tv_nsec == UTIME_NOW && t[1].tv_nsec == UTIME_NOW)
		return 0;
	for (int i = 0; i < 2; i++) {
		struct vfs_time set = {t[i].tv_sec, (u32)t[i].tv_nsec};

		if (t[i].tv_nsec == UTIME_OMIT)
			continue;
		if (t[i].tv_nsec == UTIME_NOW)
			set = vfs_time_from_ns(clock_coarse_real_ns());
		a->valid |= i ? ATTR_MTIME_SET : ATTR_ATIME_SET;
		if (i)
			a->times.mtime = set;
		else
			a->times.atime = set;
	}
	return 0;
}

static long do_utimes(
	int dirfd, const char __user *name, const struct __kernel_timespec *t, int flags)
{
	struct iattr a;
	bool nothing;
	int err = times_attr(t, &a, &nothing);

	if (!err && nothing)
		return 0;
	if (!name && dirfd != AT_FDCWD) {
		if (flags)
			return -EINVAL;
		return err ? err : setattr_fd(dirfd, &a);
	}
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (err) { /* times out of range: what is wrong with the name comes first */
		struct path p;
		int lookup = user_lookup(dirfd, name, lookup_flags(flags), &p);

		if (lookup)
			return lookup;
		put_path(&p);
		return err;
	}
	return setattr_at(dirfd, name, lookup_flags(flags), &a);
}

long sys_utimensat(
	int dirfd, const char __user *name, const struct __kernel_timespec __user *times, int flags)
{
	struct __kernel_timespec t[2];

	if (times && copy_from_user(t, times, sizeof(t)))
		return -EFAULT;
	return do_utimes(dirfd, name, times ? t : NULL, flags);
}

long sys_futimesat(
	int dirfd, const char __user *name, const struct __kernel_old_timeval __user *times)
{
	struct __kernel_old_timeval tv[2];
	struct __kernel_timespec t[2];

	if (!times)
		return do_utimes(dirfd, name, NULL, 0);
	if (copy_from_user(tv, times, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		t[i] = (struct __kernel_timespec){tv[i].tv_sec, tv[i].tv_usec * NS_PER_US};
	}
	return do_utimes(dirfd, name, t, 0);
}

long sys_utimes(const char __user *name, const struct __kernel_old_timeval __user *times)
{
	return sys_futimesat(AT_FDCWD, name, times);
}

long sys_utime(const char __user *name, void __user *times)
{
	struct {
		long actime, modtime;
	} tb;
	struct __kernel_timespec t[2];

	if (!times)
		return do_utimes(AT_FDCWD, name, NULL, 0);
	if (copy_from_user(&tb, times, sizeof(tb)))
		return -EFAULT;
	t[0] = (struct __kernel_timespec){tb.actime, 0};
	t[1] = (struct __kernel_timespec){tb.modtime, 0};
	return do_utimes(AT_FDCWD, name, t, 0);
}

/* ---- statfs
 * ---------------------------------------------------------------------------------------------------
 */

static long put_statfs(const struct path *p, struct statfs __user *u)
{
	struct kstatfs k;
	struct statfs st;
	int err = vfs_statfs(p, &k);

	if (err)
		return err;
	memset(&st, 0, sizeof(st));
	st.f_type = (long)k.type;
	st.f_bsize = (long)k.bsize;
	st.f_blocks = (long)k.blocks;
	st.f_bfree = (long)k.bfree;
	st.f_bavail = (long)k.bavail;
	st.f_files = (long)k.files;
	st.f_ffree = (long)k.ffree;
	st.f_fsid.val[0] = (int)k.fsid;
	st.f_fsid.val[1] = (int)(k.fsid >> 32);
	st.f_namelen = (long)k.namelen;
	st.f_frsize = (long)k.frsize;
	st.f_flags = (long)k.flags;
	return copy_to_user(u, &st, sizeof(st));
}

long sys_statfs(const char __user *name, struct statfs __user *buf)
{
	struct path p;
	long err = user_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = put_statfs(&p, buf);
	put_path(&p);
	return err;
}

long sys_fstatfs(int fd, struct statfs __user *buf)
{
	struct file *f = fd_get_any(current_task()->files, fd);
	long err;

	if (!f)
		return -EBADF;
	err = put_statfs(&f->path, buf);
	put_file(f);
	return err;
}
