/*
 * Out of memory: kill the process whose end frees most, as badness says: what its memory takes
 * (mm_badness_pages), a page for each descriptor that a large table has room for, plus
 * oom_score_adj in thousandths of all memory; the youngest among equals. Everybody who shares its
 * address space goes with it. One victim at a time, unless it takes long to die.
 */
#include "process.h"
#include <core/init.h>

#define ADJ_MIN     (-1000)
#define FEW_FDS     64         /* the smallest descriptor table */
#define PATIENCE_NS NS_PER_SEC /* then a victim that has not gone is not waited for any more */
#define HURRY       1 /* real-time priority of a victim's threads: before everything ordinary */

static u64 g_total_pages; /* immutable after start-up */
int g_panic_on_oom, g_oom_kill_allocating_task;

/* What t's descriptors may hold in pipes and the like. t->lock held. */
static u64 descriptor_pages_locked(struct task *t)
{
	u32 size = t->files ? fd_table_size(t->files) : 0;

	return size > FEW_FDS ? size : 0;
}

/* mm: p's, held by t->lock of its thread t. */
static s64 badness_locked(struct process *p, struct task *t, struct mm *mm)
{
	s64 adj = READ_ONCE(p->oom_score_adj);

	if (adj == ADJ_MIN || process_pid(p) == 1)
		return -1;
	return max((s64)(mm_badness_pages(mm) + descriptor_pages_locked(t)) +
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
	const struct mm *mm; /* only to compare: it may be gone */
	s64 points;
	u64 total, anon, file, shmem, tables; /* KiB */
};

static u64 kib(s64 pages)
{
	return (u64)max(pages, (s64)0) * (PAGE_SIZE / 1024);
}

static void note_victim(struct victim *v, struct process *p, const struct mm *mm, s64 points)
{
	*v = (struct victim){.process = p,
		.mm = mm,
		.points = points,
		.total = kib((s64)mm->total_pages),
		.anon = kib(atomic_read(&mm->anon_pages)),
		.file = kib(atomic_read(&mm->file_pages)),
		.shmem = kib(atomic_read(&mm->shmem_pages)),
		.tables = kib(atomic_read(&mm->table_pages))};
}

/* tasklist lock held. True: somebody is dying already and will free memory. */
static bool choose_locked(struct victim *v)
{
	struct process *p;

	list_for_each_entry(p, &g_processes, all_link) {
		struct task *t;
		struct mm *mm;
		s64 points = -1;

		spin_lock(&p->siglock);
		t = with_mm_locked(p);
		/* Also when it has given its address space up: taking that apart lasts. */
		if ((p->flags & PROC_OOM_VICTIM) && !process_is_zombie(p)) {
			bool wait = clock_mono_ns() < p->oom_victim_ns + PATIENCE_NS;

			spin_unlock(&p->siglock);
			if (wait)
				return true;
			continue;
		}
		if (t) {
			spin_lock(&t->lock); /* it gives its mm up under it */
			mm = t->mm;
			if (mm)
				points = badness_locked(p, t, mm);
			if (points >= v->points)
				note_victim(v, p, mm, points);
			spin_unlock(&t->lock);
		}
		spin_unlock(&p->siglock);
	}
	return false;
}

/* vm.oom_kill_allocating_task: who asks for memory goes, if it may be killed at all. */
static void choose_current_locked(struct victim *v)
{
	struct task *t = thread_is_task(current_thread()) ? current_task() : NULL;
	s64 points;

	if (!t)
		return;
	spin_lock(&t->process->siglock);
	spin_lock(&t->lock);
	points = t->mm ? badness_locked(t->process, t, t->mm) : -1;
	if (points > 0)
		note_victim(v, t->process, t->mm, points);
	spin_unlock(&t->lock);
	spin_unlock(&t->process->siglock);
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
		if (p == v->process || (t && READ_ONCE(t->mm) == v->mm)) {
			p->flags |= PROC_OOM_VICTIM;
			p->oom_victim_ns = clock_mono_ns();
			(void)signal_send_locked(p, NULL, SIGKILL, NULL, true);
			/* Also who is on the way out already, but stopped there by a tracer. */
			signal_kill_others_locked(p, NULL);
			for_each_thread(t, p) thread_set_inherited(&t->thread, HURRY);
		}
		spin_unlock(&p->siglock);
	}
}

static bool kill_one(u32 gfp, bool by_hand)
{
	struct victim v = {.points = 1};
	char name[16];
	s32 nr = 0, adj = 0;
	kuid_t uid = 0;

	if (gfp & (GFP_ATOMIC | GFP_NORETRY))
		return false;
	if (READ_ONCE(g_panic_on_oom) && !by_hand)
		panic("Out of memory: vm.panic_on_oom is set");
	spin_lock_irq(&g_tasklist_lock);
	if (choose_locked(&v)) {
		spin_unlock_irq(&g_tasklist_lock);
		return true;
	}
	if (READ_ONCE(g_oom_kill_allocating_task) && !by_hand)
		choose_current_locked(&v);
	if (v.process) {
		nr = process_pid(v.process);
		adj = v.process->oom_score_adj;
		uid = v.process->leader->thread.cred->uid;
		__builtin_memcpy(name, v.process->leader->thread.name, sizeof(name));
		kill_sharers_locked(&v);
	}
	spin_unlock_irq(&g_tasklist_lock);
	if (!nr)
		return false;
	log_limited(LOG_ERR,
		"Out of memory: Killed process %d (%s) total-vm:%llukB, anon-rss:%llukB, file-rss:%llukB, shmem-rss:%llukB, UID:%u pgtables:%llukB oom_score_adj:%d",
		nr, name, v.total, v.anon, v.file, v.shmem, uid, v.tables, adj);
	return true;
}

static bool oom_kill(u32 gfp)
{
	return kill_one(gfp, false);
}

bool oom_kill_now(void)
{
	return kill_one(GFP_KERNEL, true);
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
