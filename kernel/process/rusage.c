/* Resource usage and limits. */
#include "process.h"
#include <core/init.h>
#include <lib/string.h>

u64 mm_resident(const struct mm *mm)
{
	s64 n = atomic_read(&mm->anon_pages) + atomic_read(&mm->file_pages) +
		atomic_read(&mm->shmem_pages);

	return n > 0 ? (u64)n : 0;
}

static struct __kernel_old_timeval to_timeval(u64 ns)
{
	return (struct __kernel_old_timeval){
		(long)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC / NS_PER_US)};
}

static void set_times(struct rusage *ru, u64 utime, u64 stime)
{
	struct __kernel_old_timeval u = to_timeval(utime), s = to_timeval(stime);

	memcpy(&ru->ru_utime, &u, sizeof(u));
	memcpy(&ru->ru_stime, &s, sizeof(s));
}

static u64 live_rss(struct process *p)
{
	struct mm *mm = p->leader ? READ_ONCE(p->leader->mm) : NULL;

	/* our own mm, or nobody's: others are asked through wait when they have none any more */
	return mm && p == current_process() ? max(mm->hiwater_rss, mm_resident(mm)) : 0;
}

void rusage_fill_locked(struct process *p, int who, struct rusage *ru)
{
	u64 utime = 0, stime = 0, maxrss = 0;
	struct task *t;

	memset(ru, 0, sizeof(*ru));
	if (who != RUSAGE_CHILDREN) {
		process_own_times(p, &utime, &stime);
		ru->ru_minflt = (long)p->minflt;
		ru->ru_majflt = (long)p->majflt;
		ru->ru_nvcsw = (long)p->nvcsw;
		ru->ru_nivcsw = (long)p->nivcsw;
		for_each_thread(t, p)
		{
			ru->ru_minflt += (long)t->minflt;
			ru->ru_majflt += (long)t->majflt;
			ru->ru_nvcsw += (long)t->thread.nvcsw;
			ru->ru_nivcsw += (long)t->thread.nivcsw;
		}
		maxrss = max(p->maxrss_pages, live_rss(p));
	}
	if (who != RUSAGE_SELF) {
		utime += p->cutime_ns;
		stime += p->cstime_ns;
		ru->ru_minflt += (long)p->cminflt;
		ru->ru_majflt += (long)p->cmajflt;
		ru->ru_nvcsw += (long)p->cnvcsw;
		ru->ru_nivcsw += (long)p->cnivcsw;
		maxrss = max(maxrss, p->cmaxrss_pages);
	}
	set_times(ru, utime, stime);
	ru->ru_maxrss = (long)(maxrss * (PAGE_SIZE / 1024));
}

void process_get_rusage(struct process *p, int who, struct rusage *ru)
{
	spin_lock_irq(&g_tasklist_lock);
	rusage_fill_locked(p, who, ru);
	spin_unlock_irq(&g_tasklist_lock);
}

void task_get_rusage(struct task *t, struct rusage *ru)
{
	u64 u, s;

	memset(ru, 0, sizeof(*ru));
	thread_times(&t->thread, &u, &s);
	set_times(ru, u, s);
	ru->ru_minflt = (long)t->minflt;
	ru->ru_majflt = (long)t->majflt;
	ru->ru_nvcsw = (long)t->thread.nvcsw;
	ru->ru_nivcsw = (long)t->thread.nivcsw;
	if (t->mm)
		ru->ru_maxrss =
			(long)(max(t->mm->hiwater_rss, mm_resident(t->mm)) * (PAGE_SIZE / 1024));
}

/* ---- limits ---- */

int process_set_limit(
	struct process *p, int resource, const struct rlimit64 *new_limit, struct rlimit64 *old)
{
	struct rlimit64 *lim;
	int err = 0;

	if (resource < 0 || resource >= RLIM_NLIMITS)
		return -EINVAL;
	if (new_limit && new_limit->rlim_cur > new_limit->rlim_max)
		return -EINVAL;
	if (new_limit && resource == RLIMIT_NOFILE &&
		new_limit->rlim_max > READ_ONCE(g_nr_open_max))
		return -EPERM;
	lim = &p->limits.lim[resource];
	spin_lock_irq(&p->limits_lock);
	if (old)
		*old = *lim;
	if (new_limit && new_limit->rlim_max > lim->rlim_max && !capable(CAP_SYS_RESOURCE))
		err = -EPERM;
	if (new_limit && !err) {
		WRITE_ONCE(lim->rlim_cur, new_limit->rlim_cur);
		WRITE_ONCE(lim->rlim_max, new_limit->rlim_max);
	}
	spin_unlock_irq(&p->limits_lock);
	if (err || !new_limit)
		return err;
	if (resource == RLIMIT_CPU) {
		spin_lock_irq(&p->siglock);
		cpu_timers_update_locked(p);
		spin_unlock_irq(&p->siglock);
	}
	return 0;
}

/* ---- what the VFS asks ---- */

static bool in_task(void)
{
	return thread_is_task(current_thread());
}

static u64 limit_fsize(void)
{
	return in_task() ? rlimit(RLIMIT_FSIZE) : RLIM64_INFINITY;
}

static u64 limit_nofile(void)
{
	return in_task() ? rlimit(RLIMIT_NOFILE) : RLIM64_INFINITY; /* fs.nr_open remains */
}

static void fsize_exceeded(void)
{
	if (in_task())
		(void)signal_send_task(current_task(), SIGXFSZ, NULL);
}

static void broken_pipe(void)
{
	if (in_task())
		(void)signal_send_task(current_task(), SIGPIPE, NULL);
}

static struct file *open_file(int fd)
{
	return in_task() ? fd_get(current_task()->files, fd) : NULL;
}

/* What vm asks: the limits are the caller's, whoever else uses its address space. */
static u64 limit_memory(int resource)
{
	return in_task() ? rlimit(resource) : RLIM64_INFINITY;
}

static const struct vfs_limits g_vfs_limits = {
	limit_fsize, fsize_exceeded, limit_nofile, broken_pipe, open_file};

static int rusage_init(void)
{
	vfs_set_limits_hook(&g_vfs_limits);
	vm_set_limit_hook(limit_memory);
	return 0;
}
INIT_HOOK(INIT_CORE, rusage_init);
