/*
 * Writeback: flusher threads, dirty limits, and the states a page goes through on its way to
 * storage. See <vm/writeback.h>.
 *
 * XA_WRITEBACK marks are set when a page's transfer starts and cleared lazily by who waits for a
 * range: completion runs in interrupts and touches no tree.
 */
#include <core/init.h>
#include <sched/timer.h>
#include <vm/writeback.h>
#include "vm.h"
#include "cache.h"

u32 g_dirty_ratio = 20, g_dirty_background_ratio = 10;
u64 g_dirty_bytes, g_dirty_background_bytes;
u32 g_dirty_expire_centisecs = 3000, g_dirty_writeback_centisecs = 500;

#define WB_ALL        1u /* everything that is dirty now */
#define WB_STOP       2u
#define CHUNK         1024l /* pages of one object before the next has its turn */
#define CENTISEC      (NS_PER_SEC / 100)
#define DIRTIED_CHECK 32              /* pages that a thread dirties between looks at the limits */
#define THROTTLE_NS   (10 * 1000000l) /* one pause of a writer over the limit */

static DEFINE_SPINLOCK(g_lock, RANK_LRU);
static LIST_HEAD(g_all); /* g_lock */

/* ---- limits --------------------------------------------------------------------------------- */

static u64 limit_of(const struct mem_stats *m, u64 bytes, u32 ratio)
{
	u64 usable = m->free + m->cached - min(m->cached, m->shmem);

	return bytes ? max(bytes >> PAGE_SHIFT, 8ul) : usable * ratio / 100;
}

static u64 upper_limit(const struct mem_stats *m)
{
	return limit_of(m, READ_ONCE(g_dirty_bytes), READ_ONCE(g_dirty_ratio));
}

/* Below the other whatever the settings: writers wait for a flusher that has begun. */
static u64 background_limit(const struct mem_stats *m)
{
	u64 n = limit_of(
		m, READ_ONCE(g_dirty_background_bytes), READ_ONCE(g_dirty_background_ratio));

	return min(n, upper_limit(m) / 2);
}

u64 dirty_limit_pages(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	return upper_limit(&m);
}

void balance_dirty_briefly(void)
{
	struct thread *t = current_thread();

	if (likely(t->nr_dirtied < DIRTIED_CHECK) || t->cleans_pages || !dirty_over_limit())
		return;
	t->nr_dirtied = 0;
	writeback_start_all();
	sleep_ns(THROTTLE_NS);
}

bool dirty_over_limit(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	return m.dirty + m.writeback >= upper_limit(&m);
}

static bool over_background(void)
{
	struct mem_stats m;

	mem_get_stats(&m);
	return m.dirty > background_limit(&m);
}

void balance_dirty(struct writeback *wb)
{
	struct thread *t = current_thread();

	if (likely(t->nr_dirtied < DIRTIED_CHECK) || t->cleans_pages)
		return;
	t->nr_dirtied = 0;
	for (;;) {
		struct mem_stats m;
		u64 limit, background, busy;

		mem_get_stats(&m);
		limit = upper_limit(&m);
		background = background_limit(&m);
		busy = m.dirty + m.writeback;
		if (m.dirty > background && wb)
			writeback_start(wb);
		else if (m.dirty > background)
			writeback_start_all();
		if (busy <= max((limit + background) / 2, 1ul))
			return;
		/* The nearer the limit, the longer: a lone writer settles at the device's rate. */
		if (busy < limit) {
			u64 part = (busy - (limit + background) / 2) * 4 /
				max(limit - (limit + background) / 2, 1ul);

			sleep_ns((s64)(part + 1) * 1000000);
			return;
		}
		if (signal_interrupts(current_thread(), THREAD_KILLABLE))
			return;
		sleep_ns(THROTTLE_NS);
	}
}

/* ---- the list of dirty objects ------------------------------------------------------------------
 */

/* o has a dirty page. */
void writeback_note_dirty(struct vm_object *o)
{
	struct writeback *wb = o->wb;

	current_thread()->io_written += PAGE_SIZE;
	if (!wb)
		return;
	current_thread()->nr_dirtied++;
	smp_mb(); /* the page's mark before the look at the lists: pairs with settle_locked */
	if (!list_empty(&o->wb_link) && !READ_ONCE(o->wb_clean))
		return;
	spin_lock_nested(&wb->lock); /* under the lock of the page tree or on its own */
	if (list_empty(&o->wb_link) || o->wb_clean) {
		list_del(&o->wb_link);
		o->wb_clean = false;
		o->dirtied_ns = clock_mono_ns();
		list_add_tail(&o->wb_link, &wb->dirty);
	}
	spin_unlock(&wb->lock);
}

bool object_is_dirty(const struct vm_object *o)
{
	return xa_marked(&o->pages, XA_DIRTY);
}

int object_begin_leaving(struct vm_object *o)
{
	struct writeback *wb = o->wb;
	int token = NOT_LEAVING;

	if (wb) {
		spin_lock(&wb->lock);
		if (!list_empty(&o->wb_link)) {
			list_del(&o->wb_link);
			token = (int)wb->epoch;
			wb->nr_leaving[token]++;
		}
		spin_unlock(&wb->lock);
		wake_up_all(&wb->left);
	}
	object_wait_range(o, 0, U64_MAX);
	return token;
}

void object_end_leaving(struct vm_object *o, int token)
{
	struct writeback *wb = o->wb;

	if (token == NOT_LEAVING)
		return;
	spin_lock(&wb->lock);
	wb->nr_leaving[token]--;
	spin_unlock(&wb->lock);
	wake_up_all(&wb->left);
}

/* For the owners that have begun to leave, or are about to. turn held. */
static void wait_leaving(struct writeback *wb)
{
	u32 epoch = wb->epoch;

	wait_event(&wb->left, list_empty(&wb->unheld));
	spin_lock(&wb->lock);
	wb->epoch = !epoch; /* those that come later don't keep us */
	spin_unlock(&wb->lock);
	wait_event(&wb->left, READ_ONCE(wb->nr_leaving[epoch]) == 0);
}

/*
 * Where o, which was taken off for writing, stands now. rest: the list for it when it has dirty
 * pages. turn and lock held.
 */
static void settle_locked(struct writeback *wb, struct vm_object *o, struct list_head *rest)
{
	list_del(&o->wb_link); /* dirtied meanwhile it may have come back by itself */
	WRITE_ONCE(o->wb_clean, true);
	smp_mb(); /* who dirties a page from here on sees that and waits for the lock */
	if (object_is_dirty(o)) {
		WRITE_ONCE(o->wb_clean, false);
		if (rest == &wb->dirty)
			o->dirtied_ns = clock_mono_ns();
		list_add_tail(&o->wb_link, rest);
	} else if (READ_ONCE(
			   o->nr_writeback)) { /* a transfer is counted before its page is clean */
		list_add_tail(&o->wb_link, &wb->clean);
	} else {
		WRITE_ONCE(o->wb_clean, false);
	}
}

static void settle(struct writeback *wb, struct vm_object *o, struct list_head *rest)
{
	spin_lock(&wb->lock);
	settle_locked(wb, o, rest);
	spin_unlock(&wb->lock);
	if (o->ops->unhold)
		o->ops->unhold(o);
}

/* Takes o off its list and holds it; lock held, dropped. False: its owner is going away and cares
 * for the pages; a sync has to wait for it. */
static bool take_locked(struct writeback *wb, struct vm_object *o)
{
	bool held;

	list_del(&o->wb_link);
	held = !o->ops->hold || o->ops->hold(o);
	if (!held)
		list_add_tail(&o->wb_link, &wb->unheld);
	spin_unlock(&wb->lock);
	return held;
}

/* What is due: old ones by turns with those that have more. lock held. */
static struct vm_object *next_due_locked(struct writeback *wb, s64 dirtied_before)
{
	struct vm_object *o = NULL, *more = NULL;

	if (!list_empty(&wb->dirty))
		o = list_first_entry(&wb->dirty, struct vm_object, wb_link);
	if (o && o->dirtied_ns > dirtied_before)
		o = NULL;
	if (!list_empty(&wb->more))
		more = list_first_entry(&wb->more, struct vm_object, wb_link);
	wb->more_next = !wb->more_next;
	return more && (wb->more_next || !o) ? more : o;
}

/* Write up to CHUNK pages of an object that is due. False: none is. */
static bool write_one(struct writeback *wb, s64 dirtied_before)
{
	struct wb_control wbc = {.end = OBJECT_LAST_INDEX, .nr = CHUNK};
	struct vm_object *o;

	mutex_lock(&wb->turn);
	spin_lock(&wb->lock);
	o = next_due_locked(wb, dirtied_before);
	if (!o) {
		spin_unlock(&wb->lock);
	} else if (take_locked(wb, o)) {
		(void)!o->ops->writeback(o, &wbc);
		__atomic_fetch_add(&wb->written, (u64)(CHUNK - wbc.nr), __ATOMIC_RELAXED);
		/* Unless the chunk was too small, what is dirty now is new or was in use. */
		settle(wb, o, wbc.nr > 0 ? &wb->dirty : &wb->more);
	}
	mutex_unlock(&wb->turn);
	return o != NULL;
}

/* Objects whose transfers have ended leave. The rest goes at a later look. */
static void prune_clean(struct writeback *wb)
{
	mutex_lock(&wb->turn);
	for (bool busy = false; !busy;) {
		struct vm_object *o = NULL;

		spin_lock(&wb->lock);
		if (!list_empty(&wb->clean))
			o = list_first_entry(&wb->clean, struct vm_object, wb_link);
		busy = !o || READ_ONCE(o->nr_writeback);
		if (!busy)
			settle_locked(wb, o, &wb->dirty);
		spin_unlock(&wb->lock);
		cond_resched();
	}
	mutex_unlock(&wb->turn);
}

static void flusher(void *arg)
{
	struct writeback *wb = arg;

	for (;;) {
		u32 period = READ_ONCE(g_dirty_writeback_centisecs);
		s64 deadline = period ? deadline_after(period * CENTISEC) : TIME_NEVER;
		u32 work;
		s64 now;

		(void)!wait_event_full(
			&wb->wait, READ_ONCE(wb->work), THREAD_SLEEPING, deadline, wait_prepare);
		work = __atomic_exchange_n(&wb->work, 0, __ATOMIC_ACQ_REL);
		if (work & WB_STOP)
			break;
		prune_clean(wb);
		now = clock_mono_ns();
		if (work & WB_ALL) {
			while (write_one(wb, now))
				cond_resched();
			continue;
		}
		while (write_one(wb, now - (s64)READ_ONCE(g_dirty_expire_centisecs) * CENTISEC))
			cond_resched();
		while (over_background() && write_one(wb, clock_mono_ns()))
			cond_resched();
	}
	complete(&wb->done);
}

struct writeback *writeback_create(const char *name)
{
	struct writeback *wb = kzalloc(sizeof(*wb), GFP_KERNEL);

	if (!wb)
		return NULL;
	wb->name = name;
	wb->ra_pages = 32;
	spin_init(&wb->lock, RANK_OBJECT);
	list_init(&wb->dirty);
	list_init(&wb->more);
	list_init(&wb->clean);
	list_init(&wb->unheld);
	wait_queue_init(&wb->left);
	mutex_init(&wb->turn, RANK_WRITEBACK);
	wait_queue_init(&wb->wait);
	completion_init(&wb->done);
	spin_lock(&g_lock);
	list_add_tail(&wb->link, &g_all);
	spin_unlock(&g_lock);
	wb->thread = kthread_run(flusher, wb, "flush-%s", name);
	if (is_err(wb->thread)) {
		spin_lock(&g_lock);
		list_del(&wb->link);
		spin_unlock(&g_lock);
		kfree(wb);
		return NULL;
	}
	return wb;
}

void writeback_destroy(struct writeback *wb)
{
	spin_lock(&g_lock);
	list_del(&wb->link);
	spin_unlock(&g_lock);
	__atomic_fetch_or(&wb->work, WB_STOP, __ATOMIC_RELEASE);
	wake_up(&wb->wait);
	wait_for_completion(&wb->done);
	kfree(wb);
}

void writeback_start(struct writeback *wb)
{
	if (READ_ONCE(wb->work) & WB_ALL)
		return;
	__atomic_fetch_or(&wb->work, WB_ALL, __ATOMIC_RELEASE);
	wake_up(&wb->wait);
}

void writeback_start_all(void)
{
	struct writeback *wb;

	spin_lock(&g_lock);
	list_for_each_entry(wb, &g_all, link)
		writeback_start(wb);
	spin_unlock(&g_lock);
}

/* The first of a list, taken; NULL: the list is empty. *held: as take_locked. */
static struct vm_object *take_first(struct writeback *wb, struct list_head *list, bool *held)
{
	struct vm_object *o;

	spin_lock(&wb->lock);
	if (list_empty(list)) {
		spin_unlock(&wb->lock);
		return NULL;
	}
	o = list_first_entry(list, struct vm_object, wb_link);
	*held = take_locked(wb, o);
	return o;
}

int writeback_sync(struct writeback *wb, bool wait)
{
	LIST_HEAD(flying);
	LIST_HEAD(todo);
	LIST_HEAD(begun);
	struct vm_object *o;
	int err = 0, e;
	bool held;

	if (!wait) {
		writeback_start(wb);
		return 0;
	}
	mutex_lock(&wb->turn);
	/* First what only flies: an object of it that is dirtied meanwhile joins the dirty ones. */
	spin_lock(&wb->lock);
	list_splice_tail(&wb->clean, &flying);
	spin_unlock(&wb->lock);
	while ((o = take_first(wb, &flying, &held))) {
		if (!held)
			continue;
		object_wait_range(o, 0, U64_MAX);
		settle(wb, o, &wb->dirty);
	}
	/* All transfers begin before the first is waited for. Objects dirtied from now on stay. */
	spin_lock(&wb->lock);
	list_splice_tail(&wb->more, &todo);
	list_splice_tail(&wb->dirty, &todo);
	spin_unlock(&wb->lock);
	while ((o = take_first(wb, &todo, &held))) {
		if (!held)
			continue;
		(void)!object_write_range(o, 0, U64_MAX, false);
		spin_lock(&wb->lock);
		list_del(&o->wb_link);
		list_add_tail(&o->wb_link, &begun);
		spin_unlock(&wb->lock);
		if (o->ops->unhold)
			o->ops->unhold(o);
	}
	while ((o = take_first(wb, &begun, &held))) {
		if (!held)
			continue;
		e = object_write_range(o, 0, U64_MAX, true);
		err = err ? err : e;
		settle(wb, o, &wb->dirty);
	}
	wait_leaving(wb);
	mutex_unlock(&wb->turn);
	return err;
}

/* ---- pages --------------------------------------------------------------------------------------
 */

struct page *object_next_dirty(struct vm_object *o, u64 *index, struct wb_control *wbc)
{
	while (wbc->nr > 0 && *index <= wbc->end) {
		struct page *p;

		rcu_read_lock();
		p = cache_next_marked(o, index, wbc->end, XA_DIRTY);
		if (p && !page_get_unless_zero(p))
			p = NULL;
		else if (!p)
			*index = U64_MAX;
		rcu_read_unlock();
		if (*index == U64_MAX)
			return NULL;
		if (!p) {
			cpu_relax(); /* being freed: gone from the tree at the next look */
			continue;
		}
		if (wbc->sync) {
			page_lock(p);
		} else if (!page_trylock(p)) {
			put_page(p);
			++*index;
			continue;
		}
		if (p->object == o && p->index == *index && page_test(p, PG_DIRTY)) {
			if (!page_test(p, PG_WRITEBACK))
				return p;
			if (wbc->sync) {
				page_wait_writeback(p);
				return p;
			}
		}
		page_unlock(p);
		put_page(p);
		++*index;
		cond_resched();
	}
	return NULL;
}

void page_clear_dirty(struct page *p)
{
	struct vm_object *o = p->object;

	if (READ_ONCE(p->mapcount))
		object_write_protect(o, p->index);
	spin_lock(&o->lock);
	xa_clear_mark(&o->pages, p->index, XA_DIRTY);
	spin_unlock(&o->lock);
	if (page_test(p, PG_DIRTY)) {
		page_clear(p, PG_DIRTY);
		mem_count(MEM_DIRTY, -1);
	}
}

void page_begin_writeback(struct page *p)
{
	struct vm_object *o = p->object;

	page_set(p, PG_WRITEBACK);
	mem_count(MEM_WRITEBACK, 1);
	__atomic_fetch_add(&o->nr_writeback, 1, __ATOMIC_RELAXED);
	if (READ_ONCE(p->mapcount))
		object_write_protect(o, p->index);
	spin_lock(&o->lock);
	xa_clear_mark(&o->pages, p->index, XA_DIRTY);
	xa_set_mark(&o->pages, p->index, XA_WRITEBACK);
	spin_unlock(&o->lock);
	page_clear(p, PG_DIRTY);
	mem_count(MEM_DIRTY, -1);
}

int object_wait_range(struct vm_object *o, u64 start, u64 end)
{
	u64 index = start >> PAGE_SHIFT, last = min(end >> PAGE_SHIFT, OBJECT_LAST_INDEX);

	for (; index <= last && xa_marked(&o->pages, XA_WRITEBACK); index++) {
		struct page *p;

		rcu_read_lock();
		p = cache_next_marked(o, &index, last, XA_WRITEBACK);
		if (p && !page_get_unless_zero(p)) {
			rcu_read_unlock();
			continue;
		}
		rcu_read_unlock();
		if (!p)
			break;
		if (p->object == o && p->index == index)
			page_wait_writeback(p);
		spin_lock(&o->lock);
		if (p->object == o && p->index == index && !page_test(p, PG_WRITEBACK))
			xa_clear_mark(&o->pages, index, XA_WRITEBACK);
		spin_unlock(&o->lock);
		put_page(p);
		cond_resched();
	}
	return 0;
}

int object_write_range(struct vm_object *o, u64 start, u64 end, bool wait)
{
	struct wb_control wbc = {.start = start >> PAGE_SHIFT,
		.end = min(end >> PAGE_SHIFT, OBJECT_LAST_INDEX),
		.nr = LONG_MAX,
		.sync = wait};
	int err = 0;

	if (!o->ops || !o->ops->writeback)
		return 0;
	if (object_is_dirty(o))
		err = o->ops->writeback(o, &wbc);
	if (wait)
		object_wait_range(o, start, end);
	return err;
}
