/*
 * Reclaim of page-cache pages that storage has a copy of. Two lists: a new page starts on the
 * inactive one; found referenced at its end, it moves to the active one. Dirty pages wait for
 * writeback, which is their file system's work.
 */
#include <core/init.h>
#include <sched/timer.h>
#include <vm/writeback.h>
#include "vm.h"
#include "cache.h"

static DEFINE_SPINLOCK(g_lru_lock, RANK_LRU);
static LIST_HEAD(g_active); /* g_lru_lock, as the rest */
static LIST_HEAD(g_inactive);
static unsigned long g_nr_active, g_nr_inactive;

#define SCAN_BATCH      32ul
#define WRITEBACK_WAITS 500 /* of 2 ms: a slow device is no reason to kill */

void lru_get_stats(u64 *active, u64 *inactive)
{
	spin_lock(&g_lru_lock);
	*active = g_nr_active;
	*inactive = g_nr_inactive;
	spin_unlock(&g_lru_lock);
}

void lru_add(struct page *p)
{
	spin_lock(&g_lru_lock);
	page_set(p, PG_LRU);
	list_add(&p->lru, &g_inactive);
	g_nr_inactive++;
	spin_unlock(&g_lru_lock);
}

void lru_remove(struct page *p)
{
	spin_lock(&g_lru_lock);
	if (page_test(p, PG_LRU)) {
		list_del(&p->lru);
		if (page_test(p, PG_ACTIVE))
			g_nr_active--;
		else
			g_nr_inactive--;
		page_clear(p, PG_LRU);
		page_clear(p, PG_ACTIVE);
	}
	spin_unlock(&g_lru_lock);
}

static void age_active(void)
{
	for (unsigned long n = 0; n < SCAN_BATCH && g_nr_active > g_nr_inactive; n++) {
		struct page *p = list_last_entry(&g_active, struct page, lru);

		if (page_test(p, PG_REFERENCED)) {
			page_clear(p, PG_REFERENCED);
			list_move(&p->lru, &g_active);
			continue;
		}
		page_clear(p, PG_ACTIVE);
		list_move(&p->lru, &g_inactive);
		g_nr_active--;
		g_nr_inactive++;
	}
}

/* The oldest inactive page, referenced and moved to the front, or NULL: it was in use lately. */
static struct page *next_candidate(void)
{
	struct page *p;

	spin_lock(&g_lru_lock);
	age_active();
	if (list_empty(&g_inactive)) {
		spin_unlock(&g_lru_lock);
		return NULL;
	}
	p = list_last_entry(&g_inactive, struct page, lru);
	list_move(&p->lru, &g_inactive);
	if (page_test(p, PG_REFERENCED)) {
		page_clear(p, PG_REFERENCED);
		page_set(p, PG_ACTIVE);
		list_move(&p->lru, &g_active);
		g_nr_active++;
		g_nr_inactive--;
		p = NULL;
	} else if (!page_get_unless_zero(p)) {
		p = NULL;
	}
	spin_unlock(&g_lru_lock);
	return p;
}

/* p is referenced. True when it was freed. */
static bool try_evict(struct page *p)
{
	struct vm_object *o;

	if (page_test(p, PG_DIRTY) || page_test(p, PG_WRITEBACK) || !page_trylock(p))
		return false;
	o = p->object;
	if (!o || (READ_ONCE(p->mapcount) && !object_try_unmap_page(o, p->index))) {
		page_unlock(p);
		return false;
	}
	return object_evict_page(o, p);
}

static unsigned long lru_count(void)
{
	return READ_ONCE(g_nr_inactive) + READ_ONCE(g_nr_active);
}

/* Wait a little for pages under writeback. 1 when some have ended. */
static unsigned long wait_for_writeback(void)
{
	struct mem_stats m;
	u64 before;

	mem_get_stats(&m);
	before = m.dirty + m.writeback;
	for (int i = 0; i < WRITEBACK_WAITS; i++) {
		sleep_ns(2000000);
		mem_get_stats(&m);
		if (m.dirty + m.writeback < before)
			return 1;
	}
	return 0;
}

static unsigned long lru_scan(unsigned long nr, u32 gfp)
{
	unsigned long freed = 0, dirty = 0, busy = 0, scanned = 0, aged = 0;

	if (gfp & GFP_ATOMIC)
		return 0;

	/* Pages that are only made older don't count: all may have been used since the last time. */
	while (scanned < 4 * nr + SCAN_BATCH && freed < nr && aged <= lru_count()) {
		struct page *p;

		if (!lru_count())
			break;
		p = next_candidate();
		if (!p) {
			aged++;
			cond_resched();
			continue;
		}
		scanned++;
		if (page_test(p, PG_DIRTY))
			dirty++;
		else if (page_test(p, PG_WRITEBACK))
			busy++;
		if (try_evict(p))
			freed++;
		put_page(p);
		cond_resched();
	}
	if (dirty && freed < nr)
		writeback_start_all();
	/* What is being written will be free soon: waiting for it is progress, killing is not. */
	if (!freed && (dirty || busy)) {
		freed = wait_for_writeback();
	}
	return freed;
}

static struct shrinker g_lru_shrinker = {
	.name = "pages", .page_cache = true, .count = lru_count, .scan = lru_scan};

static int lru_init(void)
{
	shrinker_register(&g_lru_shrinker);
	return 0;
}
INIT_HOOK(INIT_CORE, lru_init);
