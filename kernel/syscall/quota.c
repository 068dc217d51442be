/* quotactl(2), quotactl_fd(2): the generic commands, and those of the XFS family that quota tools
 * ask every file system for its state with. */
#include <linux/dqblk_xfs.h>
#include <linux/quota.h>
#include <lib/string.h>
#include <process/task.h>
#include <syscall/syscall.h>
#include <vfs/quota.h>
#include "path.h"

#define GRACE_MAX U32_MAX

static void to_user_form(struct if_dqblk *b, const struct quota_values *v)
{
	*b = (struct if_dqblk){
		.dqb_bhardlimit = v->space_hard >> QIF_DQBLKSIZE_BITS,
		.dqb_bsoftlimit = v->space_soft >> QIF_DQBLKSIZE_BITS,
		.dqb_curspace = v->space,
		.dqb_ihardlimit = v->inodes_hard,
		.dqb_isoftlimit = v->inodes_soft,
		.dqb_curinodes = v->inodes,
		.dqb_btime = (u64)v->space_time,
		.dqb_itime = (u64)v->inodes_time,
		.dqb_valid = QIF_ALL,
	};
}

static long get_quota(struct quota *q, u32 type, u32 id, void __user *addr)
{
	struct quota_values v;
	struct if_dqblk b;
	int err = quota_get_values(q, type, id, &v);

	if (err)
		return err;
	to_user_form(&b, &v);
	return copy_to_user(addr, &b, sizeof(b));
}

static long get_next(struct quota *q, u32 type, u32 id, void __user *addr)
{
	struct quota_values v;
	struct if_nextdqblk n = {};
	struct if_dqblk b;
	int err = quota_get_next(q, type, &id, &v);

	if (err)
		return err;
	to_user_form(&b, &v);
	memcpy(&n, &b, offsetof(struct if_nextdqblk, dqb_id));
	n.dqb_id = id;
	return copy_to_user(addr, &n, sizeof(n));
}

static long set_quota(struct quota *q, u32 type, u32 id, const void __user *addr)
{
	static const struct {
		u32 qif, what;
	} fields[] = {{QIF_BLIMITS, QUOTA_SET_SPACE_LIMITS}, {QIF_SPACE, QUOTA_SET_SPACE},
		{QIF_ILIMITS, QUOTA_SET_INODE_LIMITS}, {QIF_INODES, QUOTA_SET_INODES},
		{QIF_BTIME, QUOTA_SET_SPACE_TIME}, {QIF_ITIME, QUOTA_SET_INODE_TIME}};
	struct quota_values v;
	struct if_dqblk b;
	u32 what = 0;

	if (copy_from_user(&b, addr, sizeof(b)))
		return -EFAULT;
	for (u32 k = 0; k < ARRAY_SIZE(fields); k++)
		what |= b.dqb_valid & fields[k].qif ? fields[k].what : 0;
	if ((what & QUOTA_SET_SPACE_LIMITS) &&
		(b.dqb_bhardlimit | b.dqb_bsoftlimit) > S64_MAX >> QIF_DQBLKSIZE_BITS)
		return -ERANGE;
	v = (struct quota_values){
		.space = b.dqb_curspace,
		.space_soft = b.dqb_bsoftlimit << QIF_DQBLKSIZE_BITS,
		.space_hard = b.dqb_bhardlimit << QIF_DQBLKSIZE_BITS,
		.inodes = b.dqb_curinodes,
		.inodes_soft = b.dqb_isoftlimit,
		.inodes_hard = b.dqb_ihardlimit,
		.space_time = (s64)b.dqb_btime,
		.inodes_time = (s64)b.dqb_itime,
	};
	return quota_set_values(q, type, id, &v, what);
}

static long get_info(struct quota *q, u32 type, void __user *addr)
{
	const struct quota_kind *k = &q->kinds[type];
	struct if_dqinfo i = {.dqi_bgrace = READ_ONCE(k->space_grace),
		.dqi_igrace = READ_ONCE(k->inodes_grace),
		.dqi_flags = DQF_SYS_FILE,
		.dqi_valid = IIF_ALL};

	return k->on ? copy_to_user(addr, &i, sizeof(i)) : -ESRCH;
}

static long set_info(struct quota *q, u32 type, const void __user *addr)
{
	struct if_dqinfo i;

	if (copy_from_user(&i, addr, sizeof(i)))
		return -EFAULT;
	if (i.dqi_valid & ~(u32)IIF_ALL)
		return -EINVAL;
	if ((i.dqi_valid & IIF_FLAGS) && (i.dqi_flags & ~(u32)DQF_SYS_FILE))
		return -EINVAL;
	if (((i.dqi_valid & IIF_BGRACE) && i.dqi_bgrace > GRACE_MAX) ||
		((i.dqi_valid & IIF_IGRACE) && i.dqi_igrace > GRACE_MAX))
		return -ERANGE;
	return quota_set_graces(q, type, i.dqi_valid & IIF_BGRACE ? &i.dqi_bgrace : NULL,
		i.dqi_valid & IIF_IGRACE ? &i.dqi_igrace : NULL);
}

static long enforce(struct quota *q, u32 type, bool on)
{
	struct quota_kind *k = &q->kinds[type];

	if (!k->on)
		return on ? -EINVAL : 0;
	if (on && READ_ONCE(k->enforced))
		return -EEXIST;
	WRITE_ONCE(k->enforced, on);
	return 0;
}

/* ---- the state, as XFS tells it ---------------------------------------------------------------- */

static const u16 g_accounted[NR_QUOTAS] = {FS_QUOTA_UDQ_ACCT, FS_QUOTA_GDQ_ACCT, FS_QUOTA_PDQ_ACCT};
static const u16 g_enforced[NR_QUOTAS] = {FS_QUOTA_UDQ_ENFD, FS_QUOTA_GDQ_ENFD, FS_QUOTA_PDQ_ENFD};

static u16 state_flags(const struct quota *q)
{
	u16 flags = 0;

	for (u32 t = 0; t < NR_QUOTAS; t++) {
		flags |= q->kinds[t].on ? g_accounted[t] : 0;
		flags |= READ_ONCE(q->kinds[t].enforced) ? g_enforced[t] : 0;
	}
	return flags;
}

static long get_state(struct quota *q, u32 type, void __user *addr)
{
	struct fs_quota_stat s = {.qs_version = FS_QSTAT_VERSION, .qs_flags = state_flags(q)};

	if (!s.qs_flags)
		return -ENOSYS;
	s.qs_btimelimit = (s32)READ_ONCE(q->kinds[type].space_grace);
	s.qs_itimelimit = (s32)READ_ONCE(q->kinds[type].inodes_grace);
	return copy_to_user(addr, &s, sizeof(s));
}

static long get_state_v(struct quota *q, u32 type, void __user *addr)
{
	struct fs_quota_statv s = {};
	s8 version;

	if (copy_from_user(&version, addr, sizeof(version)))
		return -EFAULT;
	if (version != FS_QSTATV_VERSION1)
		return -EINVAL;
	s.qs_version = version;
	s.qs_flags = state_flags(q);
	if (!s.qs_flags)
		return -ENOSYS;
	s.qs_btimelimit = (s32)READ_ONCE(q->kinds[type].space_grace);
	s.qs_itimelimit = (s32)READ_ONCE(q->kinds[type].inodes_grace);
	return copy_to_user(addr, &s, sizeof(s));
}

/* ---- commands ---------------------------------------------------------------------------------- */

static int check_permission(u32 cmd, u32 type, u32 id)
{
	const struct cred *c = current_cred();

	switch (cmd) {
	case Q_GETFMT:
	case Q_SYNC:
	case Q_GETINFO:
	case Q_XGETQSTAT:
	case Q_XGETQSTATV:
	case Q_XQUOTASYNC:
		return 0;
	case Q_GETQUOTA:
		if ((type == QUOTA_USER && c->euid == id) ||
			(type == QUOTA_GROUP && cred_in_group(c, id)))
			return 0;
	}
	return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
}

static bool writes(u32 cmd)
{
	switch (cmd) {
	case Q_GETFMT:
	case Q_GETINFO:
	case Q_SYNC:
	case Q_XGETQSTAT:
	case Q_XGETQSTATV:
	case Q_XQUOTASYNC:
		return false;
	}
	return true;
}

static long command(struct super *s, u32 cmd, u32 type, u32 id, void __user *addr)
{
	static const u32 format = QFMT_VFS_V1;
	struct quota *q = s->quota;
	int err;

	if (type >= NR_QUOTAS)
		return -EINVAL;
	if (!q)
		return -ENOSYS;
	err = check_permission(cmd, type, id);
	if (err)
		return err;
	switch (cmd) {
	case Q_SYNC:
		__atomic_fetch_add(&g_quota_stats.syncs, 1, __ATOMIC_RELAXED);
		return s->ops->sync ? s->ops->sync(s, true) : 0;
	case Q_XQUOTASYNC:
		return s->flags & MS_RDONLY ? -EROFS : 0;
	case Q_QUOTAON:
		return enforce(q, type, true);
	case Q_QUOTAOFF:
		return enforce(q, type, false);
	case Q_GETFMT:
		return q->kinds[type].on ? copy_to_user(addr, &format, sizeof(format)) : -ESRCH;
	case Q_GETINFO:
		return get_info(q, type, addr);
	case Q_SETINFO:
		return set_info(q, type, addr);
	case Q_GETQUOTA:
		return get_quota(q, type, id, addr);
	case Q_GETNEXTQUOTA:
		return get_next(q, type, id, addr);
	case Q_SETQUOTA:
		return set_quota(q, type, id, addr);
	case Q_XGETQSTAT:
		return get_state(q, type, addr);
	case Q_XGETQSTATV:
		return get_state_v(q, type, addr);
	default:
		return -EINVAL;
	}
}

long sys_quotactl(u32 cmd, const char __user *special, u32 id, void __user *addr)
{
	u32 type = cmd & SUBCMDMASK;
	struct super *s;
	struct path p;
	kdev_t dev = 0;
	long err;

	cmd >>= SUBCMDSHIFT;
	if (type >= NR_QUOTAS)
		return -EINVAL;
	if (!special)
		return cmd == Q_SYNC ? vfs_sync_all(true) : -ENODEV;
	err = user_lookup(AT_FDCWD, special, LOOKUP_FOLLOW, &p);
	if (err)
		return err;
	if (S_ISBLK(p.dentry->inode->mode))
		dev = p.dentry->inode->rdev;
	else
		err = -ENOTBLK;
	put_path(&p);
	if (err)
		return err;
	s = super_find(dev);
	if (!s)
		return -ENODEV;
	err = command(s, cmd, type, id, addr);
	super_unpin(s);
	return err;
}

long sys_quotactl_fd(int fd, u32 cmd, u32 id, void __user *addr)
{
	struct file *f = fd_get_any(current_task()->files, fd);
	u32 type = cmd & SUBCMDMASK;
	long err = 0;

	if (!f)
		return -EBADF;
	cmd >>= SUBCMDSHIFT;
	if (type >= NR_QUOTAS)
		err = -EINVAL;
	if (!err && writes(cmd))
		err = mount_want_write(f->path.mnt);
	if (!err) {
		err = command(f->path.dentry->super, cmd, type, id, addr);
		if (writes(cmd))
			mount_end_write(f->path.mnt);
	}
	put_file(f);
	return err;
}
