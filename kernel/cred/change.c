/*
 * The rules for changing credentials: setuid(2), setreuid(2), setresuid(2), setfsuid(2), their
 * group versions, and capset(2). What execve does stands in process/exec_cred.c.
 */
#include <cred/cred.h>
#include <lib/err.h>

#define CAP_BIT(c) (1ull << (c))
/* Go and come with fsuid 0. */
#define CAP_FS_SET                                                                         \
	(CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |   \
		CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) | \
		CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

static bool any_root(const struct cred *c)
{
	return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

static bool secure(const struct cred *c, int bit)
{
	return c->securebits & (1u << bit);
}

/* What a change of user ids does to capabilities. */
static void fix_caps(struct cred *c, const struct cred *old)
{
	if (secure(c, SECURE_NO_SETUID_FIXUP))
		return;
	if (any_root(old) && !any_root(c)) {
		if (!secure(c, SECURE_KEEP_CAPS))
			c->cap_permitted = c->cap_effective = 0;
		c->cap_ambient = 0;
	}
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
}

static void fix_fs_caps(struct cred *c, const struct cred *old)
{
	if (secure(c, SECURE_NO_SETUID_FIXUP))
		return;
	if (old->fsuid == 0 && c->fsuid != 0)
		c->cap_effective &= ~CAP_FS_SET;
	if (old->fsuid != 0 && c->fsuid == 0)
		c->cap_effective |= c->cap_permitted & CAP_FS_SET;
}

/* Ids were chosen in new: account, capabilities, publication. Consumes new. */
static int commit_uids(struct cred *new)
{
	const struct cred *old = current_cred();

	if (new->uid != old->uid) {
		struct user_account *u = user_find(new->uid);

		if (!u) {
			cred_abort(new);
			return -EAGAIN;
		}
		put_user_account(new->user);
		new->user = u;
	}
	fix_caps(new, old);
	cred_commit(new);
	return 0;
}

static bool is_one_of(u32 id, u32 a, u32 b, u32 c)
{
	return id == ID_KEEP || id == a || id == b || id == c;
}

int cred_set_uid(kuid_t uid)
{
	const struct cred *old = current_cred();
	bool all = cred_capable(old, CAP_SETUID);
	struct cred *new;

	if (uid == ID_KEEP)
		return -EINVAL;
	if (!all && uid != old->uid && uid != old->suid)
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (all)
		new->uid = new->suid = uid;
	new->euid = new->fsuid = uid;
	return commit_uids(new);
}

int cred_set_reuid(kuid_t ruid, kuid_t euid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!cred_capable(old, CAP_SETUID) &&
		(!is_one_of(ruid, old->uid, old->euid, old->euid) ||
			!is_one_of(euid, old->uid, old->euid, old->suid)))
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (ruid != ID_KEEP)
		new->uid = ruid;
	if (euid != ID_KEEP)
		new->euid = euid;
	if (ruid != ID_KEEP || (euid != ID_KEEP && euid != old->uid))
		new->suid = new->euid;
	new->fsuid = new->euid;
	return commit_uids(new);
}

int cred_set_resuid(kuid_t ruid, kuid_t euid, kuid_t suid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!cred_capable(old, CAP_SETUID) &&
		(!is_one_of(ruid, old->uid, old->euid, old->suid) ||
			!is_one_of(euid, old->uid, old->euid, old->suid) ||
			!is_one_of(suid, old->uid, old->euid, old->suid)))
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (ruid != ID_KEEP)
		new->uid = ruid;
	if (euid != ID_KEEP)
		new->euid = euid;
	if (suid != ID_KEEP)
		new->suid = suid;
	new->fsuid = new->euid;
	return commit_uids(new);
}

/* setfsuid(2) has no way to report an error: the old id is the answer in any case. */
kuid_t cred_set_fsuid(kuid_t uid)
{
	const struct cred *old = current_cred();
	kuid_t was = old->fsuid;
	struct cred *new;

	if (uid == ID_KEEP || uid == was ||
		(uid != old->uid && uid != old->euid && uid != old->suid &&
			!cred_capable(old, CAP_SETUID)))
		return was;
	new = cred_prepare(old);
	if (!new)
		return was;
	new->fsuid = uid;
	fix_fs_caps(new, old);
	cred_commit(new);
	return was;
}

int cred_set_gid(kgid_t gid)
{
	const struct cred *old = current_cred();
	bool all = cred_capable(old, CAP_SETGID);
	struct cred *new;

	if (gid == ID_KEEP)
		return -EINVAL;
	if (!all && gid != old->gid && gid != old->sgid)
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (all)
		new->gid = new->sgid = gid;
	new->egid = new->fsgid = gid;
	cred_commit(new);
	return 0;
}

int cred_set_regid(kgid_t rgid, kgid_t egid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!cred_capable(old, CAP_SETGID) &&
		(!is_one_of(rgid, old->gid, old->egid, old->egid) ||
			!is_one_of(egid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (rgid != ID_KEEP)
		new->gid = rgid;
	if (egid != ID_KEEP)
		new->egid = egid;
	if (rgid != ID_KEEP || (egid != ID_KEEP && egid != old->gid))
		new->sgid = new->egid;
	new->fsgid = new->egid;
	cred_commit(new);
	return 0;
}

int cred_set_resgid(kgid_t rgid, kgid_t egid, kgid_t sgid)
{
	const struct cred *old = current_cred();
	struct cred *new;

	if (!cred_capable(old, CAP_SETGID) &&
		(!is_one_of(rgid, old->gid, old->egid, old->sgid) ||
			!is_one_of(egid, old->gid, old->egid, old->sgid) ||
			!is_one_of(sgid, old->gid, old->egid, old->sgid)))
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	if (rgid != ID_KEEP)
		new->gid = rgid;
	if (egid != ID_KEEP)
		new->egid = egid;
	if (sgid != ID_KEEP)
		new->sgid = sgid;
	new->fsgid = new->egid;
	cred_commit(new);
	return 0;
}

kgid_t cred_set_fsgid(kgid_t gid)
{
	const struct cred *old = current_cred();
	kgid_t was = old->fsgid;
	struct cred *new;

	if (gid == ID_KEEP || gid == was ||
		(gid != old->gid && gid != old->egid && gid != old->sgid &&
			!cred_capable(old, CAP_SETGID)))
		return was;
	new = cred_prepare(old);
	if (!new)
		return was;
	new->fsgid = gid;
	cred_commit(new);
	return was;
}

int cred_set_groups(struct group_list *g)
{
	const struct cred *old = current_cred();
	struct cred *new = cred_prepare(old);

	if (!new)
		return -ENOMEM;
	put_groups(new->groups);
	new->groups = g;
	cred_commit(new);
	return 0;
}

int cred_set_caps(u64 effective, u64 permitted, u64 inheritable)
{
	const struct cred *old = current_cred();
	struct cred *new;

	effective &= CAP_FULL_SET;
	permitted &= CAP_FULL_SET;
	inheritable &= CAP_FULL_SET;
	if (!cred_capable(old, CAP_SETPCAP) &&
		(inheritable & ~(old->cap_inheritable | old->cap_permitted)))
		return -EPERM;
	if (inheritable & ~(old->cap_inheritable | old->cap_bset))
		return -EPERM;
	if ((permitted & ~old->cap_permitted) || (effective & ~permitted))
		return -EPERM;
	new = cred_prepare(old);
	if (!new)
		return -ENOMEM;
	new->cap_effective = effective;
	new->cap_permitted = permitted;
	new->cap_inheritable = inheritable;
	new->cap_ambient &= permitted &inheritable;
	cred_commit(new);
	return 0;
}
