/* May one task look into another (ptrace(2), "Ptrace access mode checking")? */
#include "process.h"

static bool ids_match(const struct cred *c, const struct cred *to, bool real)
{
	kuid_t uid = real ? c->uid : c->fsuid;
	kgid_t gid = real ? c->gid : c->fsgid;

	return uid == to->euid && uid == to->suid && uid == to->uid && gid == to->egid &&
		gid == to->sgid && gid == to->gid;
}

bool task_may_access(struct task *t, bool attach, bool real_creds)
{
	const struct cred *c = current_cred(), *to;
	struct mm *mm;
	u32 dumpable = 1;
	bool ok;

	if (t->process == current_process())
		return true;
	to = task_get_cred(t);
	ok = (ids_match(c, to, real_creds) || cred_capable(c, CAP_SYS_PTRACE)) &&
		(!(to->cap_permitted & ~c->cap_permitted) || cred_capable(c, CAP_SYS_PTRACE));
	put_cred(to);
	mm = task_get_mm(t);
	if (mm) {
		dumpable = READ_ONCE(mm->dumpable);
		put_mm(mm);
	}
	if (dumpable != 1 && !cred_capable(c, CAP_SYS_PTRACE))
		ok = false;
	return ok;
}
