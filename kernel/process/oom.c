/*
 * Out of memory: kill the process whose end frees most, as badness says: resident and page-table
 * pages, plus oom_score_adj in thousandths of all memory. Everybody who shares its address space
 * goes with it.
 */
#include "process.h"
#include <core/init.h>

#define ADJ_MIN (-1000)

static u64 g_total_pages; /* immutable after start-up */

static s64 badness(struct process *p, struct mm *mm)
{
	s64 adj = READ_ONCE(p->oom_score_adj);

	if (adj == ADJ_MIN || process_pid(p) == 1)
		return -1;
	return max((s64)(mm_resident(mm) + (u64)atomic_read(&mm->table_pages)) +
			adj * (s64)(g_total_pages / 1000),
		(s64)1);
}

/* A thread of p that still has its address space. siglock held. */
static struct task *with_mm_locked(struct process *p)
{
	struct task *t;

	for_each_thread(t, p) if (READ_ONCE(t->mm)) return t;
	return NULL;
}

struct victim {
	struct process *process;
	struct mm *mm;
	s64 points;
};

/* tasklist lock held. True: somebody is dying already and will free memory. */
static bool choose_locked(struct victim *v)
{
	struct process *p;

	list_for_each_entry(p, &g_processes, all_link) {
		struct task *t;
		s64 points = -1;

		spin_lock(&p->siglock);
		t = with_mm_locked(p);
		if (t && (p->flags & PROC_OOM_VICTIM)) {
			spin_unlock(&p->siglock);
			return true;
		}
		if (t)
			points = badness(p, t->mm);
		if (points > v->points) {
			v->points = points;
			v->process = p;
			v->mm = t->mm;
		}
		spin_unlock(&p->siglock);
	}
	return false;
}

static void kill_sharers_locked(const struct victim *v)
{
	struct process *p;

	list_for_each_entry(p, &g_processes, all_link) {
		struct task *t;

		if (process_pid(p) == 1)
			continue;
		spin_lock(&p->siglock);
		t = with_mm_locked(p);
		if (p == v->process || (t && t->mm == v->mm)) {
			p->flags |= PROC_OOM_VICTIM;
			(void)signal_send_locked(p, NULL, SIGKILL, NULL, true);
		}
		spin_unlock(&p->siglock);
	}
}

static u64 kib(s64 pages)
{
	return (u64)max(pages, (s64)0) * (PAGE_SIZE / 1024);
}

static bool oom_kill(u32 gfp)
{
	struct victim v = {.points = 0};
	char name[16];
	s32 nr = 0, adj = 0;
	kuid_t uid = 0;
	u64 total = 0, anon = 0, file = 0, shmem = 0, tables = 0;

	if (gfp & (GFP_ATOMIC | GFP_NORETRY))
		return false;
	spin_lock_irq(&g_tasklist_lock);
	if (choose_locked(&v)) {
		spin_unlock_irq(&g_tasklist_lock);
		return true;
	}
	if (v.process) {
		nr = process_pid(v.process);
		adj = v.process->oom_score_adj;
		uid = v.process->leader->thread.cred->uid;
		__builtin_memcpy(name, v.process->leader->thread.name, sizeof(name));
		total = kib((s64)v.mm->total_pages);
		anon = kib(atomic_read(&v.mm->anon_pages));
		file = kib(atomic_read(&v.mm->file_pages));
		shmem = kib(atomic_read(&v.mm->shmem_pages));
		tables = kib(atomic_read(&v.mm->table_pages));
		kill_sharers_locked(&v);
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (!nr)
		return false;
	log_err("Out of memory: Killed process %d (%s) total-vm:%llukB, anon-rss:%llukB, file-rss:%llukB, shmem-rss:%llukB, UID:%u pgtables:%llukB oom_score_adj:%d",
		nr, name, total, anon, file, shmem, uid, tables, adj);
	return true;
}

static int oom_init(void)
{
	struct mem_stats st;

	mem_get_stats(&st);
	g_total_pages = st.total;
	mem_set_oom_hook(oom_kill);
	return 0;
}
INIT_HOOK(INIT_CORE, oom_init);
