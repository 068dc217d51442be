/* Access control lists: their form on the disk, and where a file system has to act on them. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <vfs/posix_acl.h>
#include "ext4.h"

#define DISK_VERSION 1

struct disk_entry {
	u16 tag, perm;
	u32 id; /* only with ACL_USER and ACL_GROUP, else the entry is 4 bytes */
};

static u32 disk_entry_size(u16 tag)
{
	return tag & (ACL_USER | ACL_GROUP) ? sizeof(struct disk_entry) : 2 * sizeof(u16);
}

/* NULL: none. */
static struct posix_acl *from_disk(struct inode *i, const u8 *d, size_t size)
{
	struct posix_acl *a;
	size_t at = sizeof(u32);

	if (size < at || *(const u32 *)d != DISK_VERSION)
		return err_ptr(-EINVAL);
	a = kmalloc(sizeof(*a) + size / 4 * sizeof(a->entries[0]), GFP_NOFS);
	if (!a)
		return err_ptr(-ENOMEM);
	for (a->count = 0; at + 4 <= size; a->count++) {
		const struct disk_entry *e = (const void *)(d + at);
		u32 n = disk_entry_size(e->tag);

		if (n > size - at)
			break;
		a->entries[a->count] = (struct posix_acl_entry){
			e->tag, e->perm, n == sizeof(*e) ? e->id : (u32)ACL_UNDEFINED_ID};
		at += n;
	}
	if (at != size || posix_acl_check(a)) {
		kfree(a);
		return err_ptr(ext4_corrupt(ext4_of(i), i->ino, 0, "access control list"));
	}
	return a;
}

static size_t to_disk(const struct posix_acl *a, u8 *d)
{
	size_t at = sizeof(u32);

	*(u32 *)d = DISK_VERSION;
	for (u32 k = 0; k < a->count; k++) {
		u32 n = disk_entry_size(a->entries[k].tag);
		struct disk_entry e = {a->entries[k].tag, a->entries[k].perm, a->entries[k].id};

		memcpy(d + at, &e, n);
		at += n;
	}
	return at;
}

/* The list of an inode; NULL: none. */
static struct posix_acl *get_acl(struct inode *i, int index)
{
	ssize_t n = READ_ONCE(i->flags) & INODE_NO_ACL ? -ENODATA
						       : ext4_xattr_get(i, index, "", NULL, 0);
	struct posix_acl *a;
	u8 *buf;

	if (n < 0)
		return n == -ENODATA ? NULL : err_ptr(n);
	buf = kmalloc((size_t)n + 1, GFP_NOFS);
	if (!buf)
		return err_ptr(-ENOMEM);
	n = n ? ext4_xattr_get(i, index, "", buf, (size_t)n) : 0;
	a = n < 0 ? err_ptr(n) : from_disk(i, buf, (size_t)n);
	kfree(buf);
	return a;
}

static int put_acl(struct handle *h, struct inode *i, int index, const struct posix_acl *a)
{
	u8 *buf;
	int err;

	if (!a) {
		err = ext4_xattr_set(h, i, index, "", NULL, 0, 0);
		return err == -ENODATA ? 0 : err;
	}
	buf = kmalloc(sizeof(u32) + a->count * sizeof(struct disk_entry), GFP_NOFS);
	if (!buf)
		return -ENOMEM;
	err = ext4_xattr_set(h, i, index, "", buf, to_disk(a, buf), 0);
	kfree(buf);
	return err;
}

ssize_t ext4_get_acl(struct inode *i, int index, void *buf, size_t size)
{
	struct posix_acl *a = get_acl(i, index);
	ssize_t n;

	if (is_err_or_null(a))
		return a ? ptr_err(a) : -ENODATA;
	n = posix_acl_to_xattr(a, size ? buf : NULL, size);
	kfree(a);
	return n;
}

int ext4_set_acl(struct handle *h, struct inode *i, const char *name, int index, const void *val,
	size_t len, int flags)
{
	struct posix_acl *a;
	kmode_t mode;
	int err = posix_acl_prepare(i, name, val, len, current_cred(), &a, &mode);

	if (err)
		return err;
	err = put_acl(h, i, index, a);
	kfree(a);
	if (!err && mode != i->mode) {
		WRITE_ONCE(i->mode, mode);
		inode_touch(i, ATTR_CTIME);
		err = ext4_mark_inode_dirty(h, i);
	}
	return err;
}

static int inherit(struct handle *h, struct inode *i, struct posix_acl *a)
{
	int err = 0;

	if (S_ISDIR(i->mode))
		err = put_acl(h, i, EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT, a);
	if (!err && !posix_acl_create_mode(a, &i->mode))
		err = put_acl(h, i, EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, a);
	return err;
}

int ext4_init_acl(struct handle *h, struct inode *i, struct inode *dir)
{
	struct posix_acl *a = NULL;
	int err;

	if (ext4_of(i)->opt.acl && !S_ISLNK(i->mode))
		a = get_acl(dir, EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT);
	if (is_err(a))
		return ptr_err(a);
	if (!a) {
		__atomic_fetch_or(&i->flags, INODE_NO_ACL, __ATOMIC_RELAXED);
		return 0;
	}
	err = inherit(h, i, a);
	kfree(a);
	return err;
}

int ext4_permission(struct inode *i, int mask, const struct cred *c)
{
	if (ext4_of(i)->opt.acl && !(READ_ONCE(i->flags) & INODE_NO_ACL))
		ext4_note_acl(i);
	if (!ext4_of(i)->opt.acl)
		return inode_generic_permission(i, mask, c);
	return posix_acl_permission(i, mask, c);
}

int ext4_acl_chmod(struct handle *h, struct inode *i)
{
	struct posix_acl *a;
	int err;

	if (!ext4_of(i)->opt.acl || S_ISLNK(i->mode))
		return 0;
	a = get_acl(i, EXT4_XATTR_INDEX_POSIX_ACL_ACCESS);
	if (is_err_or_null(a))
		return a ? ptr_err(a) : 0;
	posix_acl_chmod(a, i->mode);
	err = put_acl(h, i, EXT4_XATTR_INDEX_POSIX_ACL_ACCESS, a);
	kfree(a);
	return err;
}
