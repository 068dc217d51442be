/* May one task look into another (ptrace(2), "Ptrace access mode checking")? */
#include "process.h"

static bool ids_match(const struct cred *c, const struct cred *to, bool real)
{
	kuid_t uid = real ? c->uid : c->fsuid;
	kgid_t gid = real ? c->gid : c->fsgid;

	return uid == to->euid && uid == to->suid && uid == to->uid && gid == to->egid &&
		gid == to->sgid && gid == to->gid;
}

static bool judge(const struct cred *to, const struct mm *mm, bool real_creds)
{
	const struct cred *c = current_cred();

	if (cred_capable(c, CAP_SYS_PTRACE))
		return true;
	/* dumpable after the ids: who gives up ids takes dumpable away first (creds_will_change) */
	return ids_match(c, to, real_creds) && !(to->cap_permitted & ~c->cap_permitted) &&
		(!mm || __atomic_load_n(&mm->dumpable, __ATOMIC_ACQUIRE) == 1);
}

bool task_access_begin(struct task_access *a, struct task *t, bool real_creds)
{
	const struct cred *to;
	unsigned long flags;

	a->task = t;
	/* exec changes both under this lock: never an old program's ids with a new one's memory. */
	flags = spin_lock_irqsave(&t->lock);
	a->mm = t->mm;
	if (a->mm)
		get_mm(a->mm);
	to = task_get_cred(t);
	spin_unlock_irqrestore(&t->lock, flags);
	a->allowed = t->process == current_process() || judge(to, a->mm, real_creds);
	put_cred(to);
	return a->allowed;
}

bool task_access_end(struct task_access *a)
{
	unsigned long flags = spin_lock_irqsave(&a->task->lock);
	bool same = a->task->mm == a->mm; /* held: the address cannot have come back */

	spin_unlock_irqrestore(&a->task->lock, flags);
	if (a->mm)
		put_mm(a->mm);
	a->mm = NULL;
	return same;
}

struct mm *task_access_mm(struct task *t, bool real_creds)
{
	struct task_access a;

	if (task_access_begin(&a, t, real_creds))
		return a.mm;
	if (a.mm)
		put_mm(a.mm);
	return err_ptr(-EPERM);
}

struct file *task_access_file(struct task *t, int fd, bool real_creds)
{
	struct fd_table *files;
	struct task_access a;
	struct file *f;

	for (;;) {
		f = err_ptr(-EPERM);
		if (task_access_begin(&a, t, real_creds)) {
			files = task_get_files(t);
			f = files ? fd_get_any(files, fd) : err_ptr(-ESRCH);
			if (files)
				fd_table_unhold(files);
			if (!f)
				f = err_ptr(-EBADF);
		}
		if (task_access_end(&a))
			return f;
		if (!is_err(f))
			put_file(f);
		cond_resched();
	}
}
