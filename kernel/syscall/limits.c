/* Resource limits, resource usage, process times. */
#include <linux/times.h>
#include <process/task.h>
#include <syscall/syscall.h>

#define TICK_NS (NS_PER_SEC / 100) /* USER_HZ */

static bool may_limit(struct process *p)
{
	const struct cred *c = current_cred(), *to;
	struct task *leader;
	bool ok;

	if (p == current_process() || cred_capable(c, CAP_SYS_RESOURCE))
		return true;
	leader = process_get_leader(p);
	if (!leader)
		return false;
	to = task_get_cred(leader);
	ok = c->uid == to->euid && c->uid == to->suid && c->uid == to->uid && c->gid == to->egid &&
		c->gid == to->sgid && c->gid == to->gid;
	put_cred(to);
	put_task(leader);
	return ok;
}

long sys_prlimit64(
	int pid, int resource, const struct rlimit64 __user *unew, struct rlimit64 __user *uold)
{
	struct rlimit64 new_limit, old;
	struct process *p;
	int err;

	if (unew && copy_from_user(&new_limit, unew, sizeof(new_limit)))
		return -EFAULT;
	p = pid ? process_find_of_thread(pid) : current_process();
	if (!p)
		return -ESRCH;
	err = may_limit(p) ? process_set_limit(p, resource, unew ? &new_limit : NULL, &old)
			   : -EPERM;
	if (pid)
		put_process(p);
	if (err)
		return err;
	return uold && copy_to_user(uold, &old, sizeof(old)) ? -EFAULT : 0;
}

static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one layout");

long sys_getrlimit(int resource, struct rlimit __user *rlim)
{
	struct rlimit64 old;
	int err = process_set_limit(current_process(), resource, NULL, &old);

	if (err)
		return err;
	return copy_to_user(rlim, &old, sizeof(old)) ? -EFAULT : 0;
}

long sys_setrlimit(int resource, const struct rlimit __user *rlim)
{
	struct rlimit64 new_limit;

	if (copy_from_user(&new_limit, rlim, sizeof(new_limit)))
		return -EFAULT;
	return process_set_limit(current_process(), resource, &new_limit, NULL);
}

long sys_getrusage(int who, struct rusage __user *uru)
{
	struct rusage ru;

	switch (who) {
	case RUSAGE_SELF:
	case RUSAGE_CHILDREN:
		process_get_rusage(current_process(), who, &ru);
		break;
	case RUSAGE_THREAD:
		task_get_rusage(current_task(), &ru);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(uru, &ru, sizeof(ru)) ? -EFAULT : 0;
}

long sys_times(struct tms __user *buf)
{
	struct process *p = current_process();
	struct tms t;
	u64 u, s;

	if (buf) {
		process_get_times(p, &u, &s);
		t.tms_utime = (long)(u / TICK_NS);
		t.tms_stime = (long)(s / TICK_NS);
		t.tms_cutime = (long)(READ_ONCE(p->cutime_ns) / TICK_NS);
		t.tms_cstime = (long)(READ_ONCE(p->cstime_ns) / TICK_NS);
		if (copy_to_user(buf, &t, sizeof(t)))
			return -EFAULT;
	}
	return (long)(clock_mono_ns() / TICK_NS);
}
