/* POSIX access control lists: what they mean (acl(5)), whoever keeps them. */
#include <kmem/slab.h>
#include <lib/string.h>
#include <vfs/posix_acl.h>

#define MAX_ENTRIES 4096u /* no file system takes as many */

/* ---- form -------------------------------------------------------------------------------------- */

struct posix_acl *posix_acl_from_xattr(const void *value, size_t size)
{
	const struct posix_acl_xattr_header *h = value;
	const struct posix_acl_xattr_entry *e;
	struct posix_acl *a;
	size_t count;
	int err;

	if (size < sizeof(*h))
		return err_ptr(-EINVAL);
	if (h->a_version != POSIX_ACL_XATTR_VERSION)
		return err_ptr(-EOPNOTSUPP);
	count = (size - sizeof(*h)) / sizeof(*e);
	if ((size - sizeof(*h)) % sizeof(*e) || count > MAX_ENTRIES)
		return err_ptr(-EINVAL);
	if (!count)
		return NULL;
	a = kmalloc(sizeof(*a) + count * sizeof(a->entries[0]), GFP_NOFS);
	if (!a)
		return err_ptr(-ENOMEM);
	a->count = (u32)count;
	e = (const void *)(h + 1);
	for (u32 k = 0; k < count; k++, e++)
		a->entries[k] = (struct posix_acl_entry){e->e_tag, e->e_perm,
			e->e_tag & (ACL_USER | ACL_GROUP) ? e->e_id : (u32)ACL_UNDEFINED_ID};
	err = posix_acl_check(a);
	if (err) {
		kfree(a);
		return err_ptr(err);
	}
	return a;
}

ssize_t posix_acl_to_xattr(const struct posix_acl *a, void *buf, size_t size)
{
	struct posix_acl_xattr_header *h = buf;
	struct posix_acl_xattr_entry *e;
	size_t need = sizeof(*h) + a->count * sizeof(*e);

	if (!buf)
		return (ssize_t)need;
	if (size < need)
		return -ERANGE;
	h->a_version = POSIX_ACL_XATTR_VERSION;
	e = (void *)(h + 1);
	for (u32 k = 0; k < a->count; k++, e++) {
		e->e_tag = a->entries[k].tag;
		e->e_perm = a->entries[k].perm;
		e->e_id = a->entries[k].id;
	}
	return (ssize_t)need;
}

/* USER_OBJ, users, GROUP_OBJ, groups, MASK (needed with users or groups), OTHER. */
int posix_acl_check(const struct posix_acl *a)
{
	u32 seen = 0;

	for (u32 k = 0; k < a->count; k++) {
		const struct posix_acl_entry *e = &a->entries[k];
		u32 before;

		if (e->perm & ~7u)
			return -EINVAL;
		switch (e->tag) {
		case ACL_USER_OBJ:
		case ACL_GROUP_OBJ:
		case ACL_MASK:
		case ACL_OTHER:
			if (seen & e->tag)
				return -EINVAL;
			break;
		case ACL_USER:
		case ACL_GROUP:
			if (e->id == (u32)ACL_UNDEFINED_ID)
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
		before = e->tag - 1; /* all smaller tags: they have come already */
		if (seen & ~(before | e->tag))
			return -EINVAL;
		seen |= e->tag;
	}
	if ((seen & (ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER)) !=
		(ACL_USER_OBJ | ACL_GROUP_OBJ | ACL_OTHER))
		return -EINVAL;
	if ((seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK))
		return -EINVAL;
	return 0;
}

static struct posix_acl_entry *find(const struct posix_acl *a, u16 tag)
{
	for (u32 k = 0; k < a->count; k++)
		if (a->entries[k].tag == tag)
			return (struct posix_acl_entry *)&a->entries[k];
	return NULL;
}

/* What the group bits of the mode stand for. */
static struct posix_acl_entry *group_class(const struct posix_acl *a)
{
	struct posix_acl_entry *m = find(a, ACL_MASK);

	return m ? m : find(a, ACL_GROUP_OBJ);
}

bool posix_acl_mode(const struct posix_acl *a, kmode_t *mode)
{
	*mode = (*mode & ~(kmode_t)0777) | (kmode_t)find(a, ACL_USER_OBJ)->perm << 6 |
		(kmode_t)group_class(a)->perm << 3 | find(a, ACL_OTHER)->perm;
	return a->count == 3;
}

static void meet(struct posix_acl_entry *e, kmode_t *mode, u32 shift)
{
	e->perm &= *mode >> shift & 7;
	*mode &= ~((kmode_t)(7 & ~e->perm) << shift);
}

bool posix_acl_create_mode(struct posix_acl *a, kmode_t *mode)
{
	meet(find(a, ACL_USER_OBJ), mode, 6);
	meet(group_class(a), mode, 3);
	meet(find(a, ACL_OTHER), mode, 0);
	return a->count == 3;
}

void posix_acl_chmod(struct posix_acl *a, kmode_t mode)
{
	find(a, ACL_USER_OBJ)->perm = mode >> 6 & 7;
	group_class(a)->perm = mode >> 3 & 7;
	find(a, ACL_OTHER)->perm = mode & 7;
}

/* ---- of inodes --------------------------------------------------------------------------------- */

struct posix_acl *posix_acl_get(struct inode *i, const char *name)
{
	struct posix_acl *a;
	void *buf;
	ssize_t n;

	if ((i->flags & INODE_NO_ACL) || !i->ops || !i->ops->getxattr)
		return NULL;
	n = i->ops->getxattr(i, name, NULL, 0);
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return NULL;
	if (n < 0)
		return err_ptr(n);
	buf = kmalloc((size_t)n, GFP_NOFS);
	if (!buf)
		return err_ptr(-ENOMEM);
	n = i->ops->getxattr(i, name, buf, (size_t)n);
	if (n == -ENODATA)
		a = NULL; /* gone meanwhile */
	else if (n == -ERANGE)
		a = err_ptr(-EACCES); /* it grows meanwhile: denied is the safe answer */
	else
		a = n < 0 ? err_ptr(n) : posix_acl_from_xattr(buf, (size_t)n);
	kfree(buf);
	return a;
}

bool posix_acl_has_default(struct inode *dir)
{
	return dir->ops->permission && !(READ_ONCE(dir->flags) & INODE_NO_ACL) &&
		dir->ops->getxattr &&
		dir->ops->getxattr(dir, XATTR_NAME_POSIX_ACL_DEFAULT, NULL, 0) > 0;
}

static bool in_group(const struct inode *i, const struct posix_acl_entry *e, const struct cred *c)
{
	return cred_in_group(c, e->tag == ACL_GROUP_OBJ ? i->gid : e->id);
}

/* Is want granted? The first entry that is about the caller decides; of several groups any. */
static bool grants(const struct inode *i, const struct posix_acl *a, u16 want, const struct cred *c)
{
	const struct posix_acl_entry *mask = find(a, ACL_MASK);
	u16 limit = mask ? mask->perm : 7;
	bool is_member = false;

	if (c->fsuid == i->uid)
		return !(want & ~find(a, ACL_USER_OBJ)->perm);
	for (u32 k = 0; k < a->count; k++) {
		const struct posix_acl_entry *e = &a->entries[k];

		if (e->tag == ACL_USER && e->id == c->fsuid)
			return !(want & ~(e->perm & limit));
		if (!(e->tag & (ACL_GROUP_OBJ | ACL_GROUP)) || !in_group(i, e, c))
			continue;
		is_member = true;
		if (!(want & ~(e->perm & limit)))
			return true;
	}
	return !is_member && !(want & ~find(a, ACL_OTHER)->perm);
}

static int by_capability(const struct inode *i, int mask, const struct cred *c)
{
	if (S_ISDIR(i->mode)) {
		if (!(mask & MAY_WRITE) && cred_capable(c, CAP_DAC_READ_SEARCH))
			return 0;
		return cred_capable(c, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if ((mask & 7) == MAY_READ && cred_capable(c, CAP_DAC_READ_SEARCH))
		return 0;
	if ((!(mask & MAY_EXEC) || (i->mode & 0111)) && cred_capable(c, CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

int posix_acl_permission(struct inode *i, int mask, const struct cred *c)
{
	struct posix_acl *a;
	bool granted;

	/* The owner's bits are the same in both; without group bits the mask denies all the rest. */
	if ((i->flags & INODE_NO_ACL) || c->fsuid == i->uid || !(i->mode & 070))
		return inode_generic_permission(i, mask, c);
	a = posix_acl_get(i, XATTR_NAME_POSIX_ACL_ACCESS);
	if (is_err(a))
		return ptr_err(a);
	if (!a)
		return inode_generic_permission(i, mask, c);
	granted = grants(i, a, (u16)mask & 7, c);
	kfree(a);
	return granted ? 0 : by_capability(i, mask, c);
}

int posix_acl_prepare(struct inode *i, const char *name, const void *value, size_t size,
	const struct cred *c, struct posix_acl **out, kmode_t *mode)
{
	bool is_access = posix_acl_is_access(name);
	struct posix_acl *a = NULL;

	*mode = i->mode;
	*out = NULL;
	if (S_ISLNK(i->mode))
		return -EOPNOTSUPP;
	if (value && size) {
		a = posix_acl_from_xattr(value, size);
		if (is_err(a))
			return ptr_err(a);
	}
	if (!is_access && !S_ISDIR(i->mode)) {
		int err = a ? -EACCES : 0;

		kfree(a);
		return err;
	}
	if (a && is_access) {
		bool all = posix_acl_mode(a, mode);

		if (!cred_in_group(c, i->gid) && !cred_capable(c, CAP_FSETID))
			*mode &= ~(kmode_t)S_ISGID;
		if (all) {
			kfree(a);
			a = NULL;
		}
	}
	*out = a;
	return 0;
}
