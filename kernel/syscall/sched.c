/* Scheduling: policies, priorities, affinity, I/O priority. */
#include <lib/string.h>
#include <linux/ioprio.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <process/task.h>
#include <sched/thread.h>
#include <syscall/syscall.h>
#include "sched.h"

#define RT_PRIO_MAX    99
#define NICE_MIN       (-20)
#define NICE_MAX       19
#define PRIO_PROCESS   0
#define PRIO_PGRP      1
#define PRIO_USER      2
#define ATTR_SIZE_VER0 48

static struct task *target(int pid)
{
	struct task *t;

	if (pid < 0)
		return err_ptr(-EINVAL);
	if (pid == 0) {
		t = current_task();
		get_task(t);
		return t;
	}
	t = task_find(pid);
	return t ? t : err_ptr(-ESRCH);
}

/* Does the caller own t, as the scheduling calls mean it? */
static bool same_owner(struct task *t)
{
	const struct cred *c = current_cred(), *to = task_get_cred(t);
	bool ok = c->euid == to->euid || c->euid == to->uid;

	put_cred(to);
	return ok;
}

static bool is_rt(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

/* RLIMIT_NICE counts 1..40 for nice 19..-20. */
static bool may_nice(const struct task *t, int nice)
{
	return (u64)(20 - nice) <= process_limit(t->process, RLIMIT_NICE) || capable(CAP_SYS_NICE);
}

/* ---- policy ---- */

struct wish {
	int policy, rt_priority, nice;
	bool reset_on_fork;
};

static int check_wish(const struct wish *w)
{
	switch (w->policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return w->rt_priority >= 1 && w->rt_priority <= RT_PRIO_MAX ? 0 : -EINVAL;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
		return w->rt_priority == 0 ? 0 : -EINVAL;
	default:
		return -EINVAL; /* SCHED_DEADLINE is not there */
	}
}

static int may_change(struct task *t, const struct wish *w)
{
	u64 limit = process_limit(t->process, RLIMIT_RTPRIO);

	if (capable(CAP_SYS_NICE))
		return 0;
	if (!is_rt(w->policy) && w->nice < t->thread.nice && !may_nice(t, w->nice))
		return -EPERM;
	if (is_rt(w->policy)) {
		if (w->policy != t->thread.policy && !limit)
			return -EPERM;
		if (w->rt_priority > t->thread.rt_priority && (u64)w->rt_priority > limit)
			return -EPERM;
	}
	if (t->thread.policy == SCHED_IDLE && w->policy != SCHED_IDLE &&
		!may_nice(t, t->thread.nice))
		return -EPERM;
	if (!same_owner(t) || (t->thread.reset_on_fork && !w->reset_on_fork))
		return -EPERM;
	return 0;
}

static long apply_wish(int pid, const struct wish *w)
{
	struct task *t = target(pid);
	int err;

	if (is_err(t))
		return ptr_err(t);
	err = check_wish(w);
	if (!err)
		err = may_change(t, w);
	if (!err)
		err = thread_set_policy(&t->thread, w->policy, w->rt_priority, w->nice);
	if (!err)
		t->thread.reset_on_fork = w->reset_on_fork;
	put_task(t);
	return err;
}

/* policy -1: leave it. */
static long set_scheduler(int pid, int policy, const struct sched_param __user *uparam)
{
	struct sched_param p;
	struct wish w = {0};
	struct task *t;

	if (!uparam || pid < 0)
		return -EINVAL;
	if (copy_from_user(&p, uparam, sizeof(p)))
		return -EFAULT;
	t = target(pid);
	if (is_err(t))
		return ptr_err(t);
	w.nice = t->thread.nice;
	w.reset_on_fork = t->thread.reset_on_fork;
	w.policy = t->thread.policy;
	put_task(t);
	if (policy != -1) {
		w.reset_on_fork = policy & SCHED_RESET_ON_FORK;
		w.policy = policy & ~SCHED_RESET_ON_FORK;
	}
	w.rt_priority = p.sched_priority;
	return apply_wish(pid, &w);
}

long sys_sched_setscheduler(int pid, int policy, const struct sched_param __user *param)
{
	return policy < 0 ? -EINVAL : set_scheduler(pid, policy, param);
}

long sys_sched_setparam(int pid, const struct sched_param __user *param)
{
	return set_scheduler(pid, -1, param);
}

long sys_sched_getscheduler(int pid)
{
	struct task *t = target(pid);
	long ret;

	if (is_err(t))
		return ptr_err(t);
	ret = t->thread.policy | (t->thread.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	put_task(t);
	return ret;
}

long sys_sched_getparam(int pid, struct sched_param __user *param)
{
	struct task *t;
	int prio;

	if (!param || pid < 0)
		return -EINVAL;
	t = target(pid);
	if (is_err(t))
		return ptr_err(t);
	prio = t->thread.rt_priority;
	put_task(t);
	return put_user(prio, &param->sched_priority);
}

static int import_attr(struct sched_attr *a, struct sched_attr __user *uattr)
{
	u32 size;

	memset(a, 0, sizeof(*a));
	if (get_user(size, &uattr->size))
		return -EFAULT;
	if (!size)
		size = ATTR_SIZE_VER0;
	if (size < ATTR_SIZE_VER0 || size > PAGE_SIZE)
		goto wrong_size;
	if (copy_from_user(a, uattr, min((size_t)size, sizeof(*a))))
		return -EFAULT;
	for (size_t i = sizeof(*a); i < size; i++) {
		u8 b;

		if (get_user(b, (u8 __user *)uattr + i))
			return -EFAULT;
		if (b)
			goto wrong_size;
	}
	a->size = size;
	return 0;
wrong_size:
	return put_user((u32)sizeof(*a), &uattr->size) ? -EFAULT : -E2BIG;
}

long sys_sched_setattr(int pid, struct sched_attr __user *uattr, unsigned int flags)
{
	struct sched_attr a;
	struct wish w;
	struct task *t;
	int err;

	if (!uattr || pid < 0 || flags)
		return -EINVAL;
	err = import_attr(&a, uattr);
	if (err)
		return err;
	if ((s32)a.sched_policy < 0)
		return -EINVAL;
	if (a.sched_flags & ~(u64)SCHED_FLAG_ALL)
		return -EINVAL;
	if ((a.sched_flags & SCHED_FLAG_UTIL_CLAMP) && a.size < SCHED_ATTR_SIZE_VER1)
		return -EINVAL;
	t = target(pid);
	if (is_err(t))
		return ptr_err(t);
	if (a.sched_flags & SCHED_FLAG_UTIL_CLAMP) {
		put_task(t);
		return -EOPNOTSUPP; /* not configured */
	}
	w = (struct wish){
		.policy = (int)a.sched_policy,
		.rt_priority = (int)a.sched_priority,
		.nice = clamp(a.sched_nice, NICE_MIN, NICE_MAX),
		.reset_on_fork = a.sched_flags & SCHED_FLAG_RESET_ON_FORK,
	};
	if (a.sched_flags & SCHED_FLAG_KEEP_POLICY)
		w.policy = t->thread.policy;
	if (a.sched_flags & SCHED_FLAG_KEEP_PARAMS) {
		w.rt_priority = t->thread.rt_priority;
		w.nice = t->thread.nice;
	}
	put_task(t);
	return apply_wish(pid, &w);
}

long sys_sched_getattr(
	int pid, struct sched_attr __user *uattr, unsigned int size, unsigned int flags)
{
	struct sched_attr a = {0};
	struct task *t;

	if (!uattr || pid < 0 || size > PAGE_SIZE || size < ATTR_SIZE_VER0 || flags)
		return -EINVAL;
	t = target(pid);
	if (is_err(t))
		return ptr_err(t);
	a.size = min(size, (u32)sizeof(a));
	a.sched_policy = t->thread.policy;
	a.sched_flags = t->thread.reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_rt((int)a.sched_policy))
		a.sched_priority = t->thread.rt_priority;
	else
		a.sched_nice = t->thread.nice;
	put_task(t);
	return copy_to_user(uattr, &a, a.size) ? -EFAULT : 0;
}

long sys_sched_get_priority_max(int policy)
{
	switch (policy) {
	case SCHED_FIFO:
	case SCHED_RR:
		return RT_PRIO_MAX;
	case SCHED_NORMAL:
	case SCHED_BATCH:
	case SCHED_IDLE:
	case SCHED_DEADLINE:
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_sched_get_priority_min(int policy)
{
	long max_prio = sys_sched_get_priority_max(policy);

	return max_prio > 0 ? 1 : max_prio;
}

long sys_sched_rr_get_interval(int pid, struct __kernel_timespec __user *interval)
{
	struct __kernel_timespec ts;
	struct task *t = target(pid);

	if (is_err(t))
		return ptr_err(t);
	ts = ns_to_timespec(t->thread.policy == SCHED_FIFO ? 0 : sched_rr_interval_ns(&t->thread));
	put_task(t);
	return copy_to_user(interval, &ts, sizeof(ts)) ? -EFAULT : 0;
}

long sys_sched_yield(void)
{
	sched_yield_now();
	return 0;
}

/* ---- affinity ---- */

long sys_sched_setaffinity(int pid, unsigned int len, const void __user *umask)
{
	u64 mask = 0;
	struct task *t;
	int err = 0;

	if (copy_from_user(&mask, umask, min(len, (unsigned int)sizeof(mask))))
		return -EFAULT;
	t = target(pid);
	if (is_err(t))
		return pid < 0 ? -ESRCH : ptr_err(t);
	if (!same_owner(t) && !capable(CAP_SYS_NICE))
		err = -EPERM;
	if (!err)
		err = thread_set_affinity(&t->thread, mask);
	put_task(t);
	return err;
}

long sys_sched_getaffinity(int pid, unsigned int len, void __user *umask)
{
	struct task *t;
	u64 mask;

	if (len * 8 < (unsigned int)g_nr_cpus || (len & (sizeof(long) - 1)))
		return -EINVAL;
	t = target(pid);
	if (is_err(t))
		return pid < 0 ? -ESRCH : ptr_err(t);
	mask = t->thread.affinity & READ_ONCE(g_cpus_online_mask);
	put_task(t);
	len = min(len, (unsigned int)sizeof(mask));
	return copy_to_user(umask, &mask, len) ? -EFAULT : (long)len;
}

long sys_getcpu(u32 __user *cpu, u32 __user *node, void __user *unused)
{
	if (cpu && put_user((u32)cpu_id(), cpu))
		return -EFAULT;
	return node && put_user((u32)0, node) ? -EFAULT : 0;
}

/* ---- nice, and I/O priority: the same three ways to name tasks ---- */

struct who {
	int which, id;
	kuid_t uid;
	struct pid *pgrp;
};

static bool selects(struct who *w, struct process *p)
{
	struct task *leader;
	bool is;

	if (w->which == PRIO_PGRP)
		return p->pgrp == w->pgrp;
	rcu_read_lock();
	leader = rcu_load(p->leader); /* NULL: reaped since */
	is = leader && rcu_load(leader->thread.cred)->uid == w->uid;
	rcu_read_unlock();
	return is;
}

/* Call fn for each thread that w names, until it returns nonzero; -ESRCH when there is none. */
static long for_each_named(struct who *w, long (*fn)(struct task *t, void *arg), void *arg)
{
	long ret = -ESRCH;
	struct process *p;
	struct task *t;
	s32 nr = 0;

	if (w->which == PRIO_PROCESS) {
		t = target(w->id);
		if (is_err(t))
			return -ESRCH;
		ret = fn(t, arg);
		put_task(t);
		return ret;
	}
	w->uid = w->id ? (kuid_t)w->id : current_cred()->uid;
	w->pgrp = w->id ? pid_get(w->id) : pid_get((s32)sys_getpgrp());
	while ((p = process_next(&nr))) {
		if (selects(w, p)) {
			for (s32 tid = 0; (t = process_thread_next(p, tid));) {
				long r = fn(t, arg);

				ret = ret == -ESRCH || r < 0 ? r : ret;
				tid = task_tid(t);
				put_task(t);
				cond_resched();
			}
		}
		put_process(p);
		cond_resched();
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			break;
	}
	put_pid(w->pgrp);
	return ret;
}

static long set_nice(struct task *t, void *arg)
{
	int nice = *(int *)arg;

	if (!same_owner(t) && !capable(CAP_SYS_NICE))
		return -EPERM;
	if (nice < t->thread.nice && !may_nice(t, nice))
		return -EACCES;
	return thread_set_policy(&t->thread, t->thread.policy, t->thread.rt_priority, nice);
}

long sys_setpriority(int which, int who, int prio)
{
	struct who w = {.which = which, .id = who};
	int nice = clamp(prio, NICE_MIN, NICE_MAX);

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	return for_each_named(&w, set_nice, &nice);
}

static long best_nice(struct task *t, void *arg)
{
	int *best = arg;

	*best = max(*best, 20 - t->thread.nice);
	return 0;
}

long sys_getpriority(int which, int who)
{
	struct who w = {.which = which, .id = who};
	int best = 0;
	long err;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	err = for_each_named(&w, best_nice, &best);
	return err ? err : best;
}

int ioprio_check(int ioprio)
{
	/* Of the data only the level is looked at; the rest is kept, as Linux 6.1 does. */
	int class = IOPRIO_PRIO_CLASS(ioprio), level = IOPRIO_PRIO_DATA(ioprio) % IOPRIO_BE_NR;

	switch (class) {
	case IOPRIO_CLASS_RT:
		if (!capable(CAP_SYS_ADMIN) && !capable(CAP_SYS_NICE))
			return -EPERM;
		fallthrough;
	case IOPRIO_CLASS_BE:
	case IOPRIO_CLASS_IDLE:
		return 0;
	case IOPRIO_CLASS_NONE:
		return level ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

static long set_ioprio(struct task *t, void *arg)
{
	const struct cred *c = current_cred(), *to = task_get_cred(t);
	bool ok = to->uid == c->euid || to->uid == c->uid || capable(CAP_SYS_NICE);

	put_cred(to);
	if (!ok)
		return -EPERM;
	WRITE_ONCE(t->ioprio, (u16) * (int *)arg);
	return 0;
}

long sys_ioprio_set(int which, int who, int ioprio)
{
	struct who w = {.id = who};
	int err = ioprio_check(ioprio);

	if (err)
		return err;
	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	w.which = which - IOPRIO_WHO_PROCESS;
	return for_each_named(&w, set_ioprio, &ioprio);
}

static long best_ioprio(struct task *t, void *arg)
{
	int *best = arg, mine = READ_ONCE(t->ioprio);

	if (*best < 0 || mine < *best)
		*best = mine;
	return 0;
}

long sys_ioprio_get(int which, int who)
{
	struct who w = {.id = who};
	int best = -1;
	long err;

	if (which < IOPRIO_WHO_PROCESS || which > IOPRIO_WHO_USER)
		return -EINVAL;
	w.which = which - IOPRIO_WHO_PROCESS;
	err = for_each_named(&w, best_ioprio, &best);
	return err ? err : best;
}
