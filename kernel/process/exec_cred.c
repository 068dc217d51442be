/*
 * Credentials across execve: set-user-ID and set-group-ID bits, file capabilities, the capability
 * transformation of capabilities(7), and whether the program starts in secure mode (AT_SECURE).
 */
#include "exec.h"
#include "ptrace.h"
#include <lib/string.h>

#define XATTR_CAPS "security.capability"

struct file_caps {
	bool present, effective;
	u64 permitted, inheritable;
};

/* The bits count only from a mount that honours them and without no_new_privs. */
static bool may_suid(const struct exec *x)
{
	return !(READ_ONCE(x->file->path.mnt->flags) & MS_NOSUID) && !current_task()->no_new_privs;
}

static int read_file_caps(const struct exec *x, struct file_caps *fc)
{
	struct inode *i = x->file->inode;
	struct vfs_ns_cap_data d;
	ssize_t n;
	u32 magic;

	if (!i->ops->getxattr || (READ_ONCE(x->file->path.mnt->flags) & MS_NOSUID))
		return 0;
	n = i->ops->getxattr(i, XATTR_CAPS, &d, sizeof(d));
	if (n == -ENODATA || n == -EOPNOTSUPP)
		return 0;
	if (n < 0)
		return (int)n;
	magic = n >= (ssize_t)sizeof(u32) ? d.magic_etc : 0;
	switch (magic & VFS_CAP_REVISION_MASK) {
	case VFS_CAP_REVISION_1:
		if (n != XATTR_CAPS_SZ_1)
			return -EINVAL;
		break;
	case VFS_CAP_REVISION_2:
		if (n != XATTR_CAPS_SZ_2)
			return -EINVAL;
		break;
	case VFS_CAP_REVISION_3:
		if (n != XATTR_CAPS_SZ_3)
			return -EINVAL;
		if (d.rootid != 0)
			return 0; /* for another user namespace */
		break;
	default:
		return -EINVAL;
	}
	fc->present = true;
	fc->effective = magic & VFS_CAP_FLAGS_EFFECTIVE;
	fc->permitted = d.data[0].permitted;
	fc->inheritable = d.data[0].inheritable;
	if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_1) {
		fc->permitted |= (u64)d.data[1].permitted << 32;
		fc->inheritable |= (u64)d.data[1].inheritable << 32;
	}
	fc->permitted &= CAP_FULL_SET;
	fc->inheritable &= CAP_FULL_SET;
	return 0;
}

static void apply_set_ids(const struct exec *x, struct cred *c)
{
	struct inode *i = x->file->inode;
	kmode_t mode;
	kuid_t uid;
	kgid_t gid;

	if (!may_suid(x))
		return;
	/* Of one moment: chown and chmod change them together. */
	inode_get_owner(i, &mode, &uid, &gid);
	if (mode & S_ISUID)
		c->euid = uid;
	if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		c->egid = gid;
}

/* Root's program gets everything in the bounding set, as if the file had all capabilities. */
static void root_caps(const struct cred *c, const struct cred *old, struct file_caps *fc)
{
	if (c->securebits & (1u << SECURE_NOROOT))
		return;
	if (fc->present && old->uid != 0 && c->euid == 0)
		return; /* a set-user-ID-root file with capabilities gets only those */
	if (c->euid == 0 || c->uid == 0) {
		fc->permitted = fc->inheritable = CAP_FULL_SET;
		fc->present = true;
	}
	if (c->euid == 0)
		fc->effective = true;
}

/* Nobody joins our root and working directory until fs_exec_end. True: tasks outside our process
 * share them already, and could steer the new program. */
static bool fs_exec_begin(struct exec *x)
{
	struct task *t = current_task(), *other;
	struct fs_context *fs = t->fs;
	s32 ours = 0;
	bool shared;

	spin_lock_irq(&g_tasklist_lock);
	spin_lock(&fs->lock);
	for_each_thread(other, t->process) if (READ_ONCE(other->fs) == fs) ours++;
	shared = fs->users > ours;
	fs->execs++;
	spin_unlock(&fs->lock);
	spin_unlock_irq(&g_tasklist_lock);
	x->fs_held = true;
	return shared;
}

void fs_exec_end(struct fs_context *fs)
{
	spin_lock(&fs->lock);
	fs->execs--;
	spin_unlock(&fs->lock);
}

/* A tracer that may not do everything would get at what the program gains. */
static bool traced_by_the_weak(struct task *t)
{
	bool weak;

	spin_lock_irq(&t->process->siglock);
	weak = t->pt.tracer && !cred_capable(t->pt.tracer_cred, CAP_SYS_PTRACE);
	spin_unlock_irq(&t->process->siglock);
	return weak;
}

int exec_prepare_cred(struct exec *x)
{
	const struct cred *old = current_cred();
	struct cred *c = x->cred = cred_prepare(old);
	struct file_caps fc = {0};
	bool had_file_caps, set_ids, gained, unsafe;
	int err;

	if (!c)
		return -ENOMEM;
	unsafe = fs_exec_begin(x) || traced_by_the_weak(current_task());
	apply_set_ids(x, c);
	set_ids = c->euid != old->uid || c->egid != old->gid;
	err = read_file_caps(x, &fc);
	if (err)
		return err;
	had_file_caps = fc.present;
	if (had_file_caps && (fc.permitted & ~(c->cap_bset & CAP_FULL_SET)) && fc.effective &&
		(fc.permitted &
			~((old->cap_inheritable & fc.inheritable) | (fc.permitted & c->cap_bset))))
		return -EPERM; /* a program that counts on them must not run with fewer */
	root_caps(c, old, &fc);
	c->cap_permitted = fc.present
		? (old->cap_inheritable & fc.inheritable) | (fc.permitted & old->cap_bset)
		: 0;
	gained = c->cap_permitted & ~old->cap_permitted;
	if ((set_ids || gained) && (unsafe || current_task()->no_new_privs)) {
		if (current_task()->no_new_privs || !cred_capable(old, CAP_SETUID)) {
			c->euid = c->uid;
			c->egid = c->gid;
		}
		c->cap_permitted &= old->cap_permitted;
	}
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	if (had_file_caps || set_ids)
		c->cap_ambient = 0;
	c->cap_permitted |= c->cap_ambient;
	c->cap_effective = fc.effective ? c->cap_permitted : c->cap_ambient;
	c->securebits &= ~(1u << SECURE_KEEP_CAPS);
	x->setid = c->euid != old->euid || c->egid != old->egid;
	x->secure = set_ids ||
		(c->uid != 0 && (fc.effective || (c->cap_permitted & ~c->cap_ambient)));
	return 0;
}
