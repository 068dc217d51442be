/* Getting memory back: shrinkers, asked by kswapd or by who finds none, and the OOM killer's hook. */
#include "kmem.h"
#include <core/log.h>
#include <core/rcu.h>
#include <kmem/reclaim.h>
#include <lib/atomic.h>

#define SCAN_BATCH   64  /* pages asked for at least */
#define MAX_ATTEMPTS 16  /* rounds of direct reclaim without the OOM killer's help */
#define OOM_PATIENCE 500 /* pauses that one allocation waits for victims to go */

static DEFINE_SPINLOCK(g_lock, RANK_SLAB);
static LIST_HEAD(g_shrinkers); /* g_lock to change; never shrinks, so read freely */
static const struct reclaim_ops *g_ops;
static bool (*g_oom_hook)(u32 gfp);
static u32 g_wanted; /* atomic: kswapd was woken and hasn't looked yet */

void reclaim_set_ops(const struct reclaim_ops *ops)
{
	store_release(&g_ops, ops);
}

void mem_set_oom_hook(bool (*fn)(u32 gfp))
{
	store_release(&g_oom_hook, fn);
}

void shrinker_register(struct shrinker *s)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);

	list_add_tail(&s->link, &g_shrinkers);
	spin_unlock_irqrestore(&g_lock, flags);
}

/* Ask each in proportion to what it has. */
unsigned long shrinkers_scan(unsigned long nr, u32 gfp)
{
	unsigned long total = 0, freed = 0;
	struct shrinker *s;

	list_for_each_entry_rcu(s, &g_shrinkers, link)
		total += s->count();
	if (!total)
		return 0;
	nr = max(nr, (unsigned long)SCAN_BATCH);
	list_for_each_entry_rcu(s, &g_shrinkers, link) {
		unsigned long has = s->count(), part;

		if (!has)
			continue;
		part = nr >= total ? has : has * nr / total + 1;
		freed += s->scan(part, gfp);
	}
	return freed;
}

void mem_drop_caches(u32 what)
{
	struct shrinker *s;

	list_for_each_entry_rcu(s, &g_shrinkers, link)
		if (what & (s->page_cache ? 1 : 2))
			(void)s->scan(s->count(), GFP_NORETRY);
	slab_drain_all();
}

bool mem_below_low(void)
{
	return buddy_free_pages() < page_low_watermark();
}

void reclaim_wake(void)
{
	const struct reclaim_ops *ops = load_acquire(&g_ops);

	if (ops && !READ_ONCE(g_wanted) && !xchg(&g_wanted, 1))
		ops->wake();
}

bool kmem_balance(void)
{
	bool progress = true;

	for (u64 free = buddy_free_pages(); progress && free < page_high_watermark();
		free = buddy_free_pages()) {
		unsigned long freed = shrinkers_scan(page_high_watermark() - free, GFP_KERNEL);

		freed += kstack_trim(SCAN_BATCH);
		progress = freed > 0;
	}
	if (!progress)
		slab_drain_all();
	store_release(&g_wanted, 0);
	return progress;
}

u32 reclaim_scope(void)
{
	const struct reclaim_ops *ops = load_acquire(&g_ops);

	return ops ? ops->scope() : 0;
}

void reclaim_pause(void)
{
	load_acquire(&g_ops)->pause();
}

bool reclaim_doomed(void)
{
	const struct reclaim_ops *ops = load_acquire(&g_ops);

	return ops && ops->doomed();
}

bool reclaim_direct(int order, u32 gfp, int attempt)
{
	const struct reclaim_ops *ops = load_acquire(&g_ops);
	bool (*oom)(u32) = load_acquire(&g_oom_hook);
	unsigned long freed;

	if (!ops || !ops->enter())
		return false;
	gfp |= ops->scope();
	/* A killed task's end is what frees memory: it waits for nobody, except where a file system
	 * must get to the end of a change. */
	if (!(gfp & GFP_NOFS) && ops->doomed()) {
		ops->leave();
		return false;
	}
	freed = shrinkers_scan(1ul << order, gfp) + kstack_trim(SCAN_BATCH);
	if (!freed && attempt == 0) {
		slab_drain_all();
		page_drain_cpu(NULL);
	}
	ops->leave();
	if (freed && attempt < MAX_ATTEMPTS)
		return true;
	if (attempt < 2)
		return true;
	/* Large blocks are missing for want of order, not of memory: killing does not help. */
	if ((gfp & GFP_NORETRY) || order > 3 || attempt >= MAX_ATTEMPTS + OOM_PATIENCE)
		return false;
	if (!oom || !oom(gfp))
		return false;
	ops->pause();
	return true;
}
