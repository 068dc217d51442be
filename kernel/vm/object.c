/*
 * The page cache: membership of pages in objects. See <vm/object.h>.
 *
 * A page in an object carries one reference of the object. Insertion publishes the page locked and
 * not uptodate. Removal (remove_page) holds the page lock, takes the page out of the tree, clears
 * page->object, and only then looks for page-table leaves that a racing fault may have installed.
 */
#include <lib/string.h>
#include <core/log.h>
#include <sched/wait.h>
#include "vm.h"
#include "cache.h"

static atomic64_t g_next_id = ATOMIC_INIT(1);

bool page_get_unless_zero(struct page *p)
{
	u32 old = READ_ONCE(p->refs);

	do {
		if (!old)
			return false;
	} while (!__atomic_compare_exchange_n(
		&p->refs, &old, old + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	return true;
}

void object_init(struct vm_object *o, const struct vm_object_ops *ops, void *owner)
{
	memset(o, 0, sizeof(*o));
	o->ops = ops;
	o->owner = owner;
	spin_init(&o->lock, RANK_OBJECT);
	rwsem_init(&o->map_lock, RANK_OBJECT_RESIZE);
	rwsem_init(&o->invalidate_lock, RANK_OBJECT_INVALIDATE);
	list_init(&o->wb_link);
	cache_init(o);
	o->id = (u64)atomic_add_return(&g_next_id, 1);
}

struct page *object_find(struct vm_object *o, u64 index)
{
	struct page *p;

	rcu_read_lock();
	while ((p = cache_load(o, index))) {
		if (page_get_unless_zero(p)) {
			if (likely(READ_ONCE(p->object) == o && p->index == index))
				break;
			put_page(p); /* it moved on between load and reference */
		}
		cpu_relax();
	}
	rcu_read_unlock();
	return p;
}

static void count_page(struct vm_object *o, long n)
{
	mem_count(MEM_CACHED, n);
	if (o->unevictable)
		mem_count(MEM_SHMEM, n);
}

/* Put a new, locked page in. The caller keeps one reference besides the object's. */
static int insert_page(struct vm_object *o, u64 index, struct page *p)
{
	int err;

	p->object = o;
	p->index = index;
	p->private = 0; /* the owner's from now on */
	p->flags |= 1ul << PG_LOCKED | (o->unevictable ? 1ul << PG_UNEVICTABLE : 0);
	get_page(p);
	err = cache_insert(o, index, p);
	if (err) {
		p->object = NULL;
		p->flags &= ~(1ul << PG_LOCKED | 1ul << PG_UNEVICTABLE);
		put_page(p);
		return err;
	}
	count_page(o, 1);
	if (!o->unevictable)
		lru_add(p);
	return 0;
}

/* p is locked. Its content becomes valid, or the page leaves the object again. */
static int fill_page(struct vm_object *o, struct page *p);

/* What remains to be done for p, locked, which is in no object's tree any more. */
static void page_left(struct vm_object *o, struct page *p)
{
	if (page_test(p, PG_DIRTY)) {
		page_clear(p, PG_DIRTY);
		if (!o->unevictable)
			mem_count(MEM_DIRTY, -1);
	}
	count_page(o, -1);
	if (page_test(p, PG_LRU))
		lru_remove(p);
	page_clear(p, PG_UPTODATE);
	page_clear(p, PG_UNEVICTABLE);
	page_unlock(p);
	put_page(p);
}

/* Take p, locked and of o, out of the object; the object's reference is put. */
static void remove_page(struct vm_object *o, struct page *p)
{
	u64 index = p->index;

	page_wait_writeback(p);
	if (READ_ONCE(p->mapcount))
		object_unmap(o, index, index, false);
	if (o->ops->page_gone)
		o->ops->page_gone(o, p);
	cache_remove(o, index);
	WRITE_ONCE(p->object, NULL);
	smp_mb(); /* pairs with pte_cas in fault.c's install_cached */
	if (READ_ONCE(p->mapcount))
		object_unmap(o, index, index, false);
	page_left(o, p);
}

/*
 * Take p, locked and of o, out of the object if nobody uses it but the caller and the object, and
 * test agrees. Whoever looks the page up meanwhile waits (object_find): so
 * nobody gets a page whose changes would be lost. Unlocks.
 */
static bool remove_unused(struct vm_object *o, struct page *p, bool (*test)(const struct page *p))
{
	u32 users = 2;
	bool unused = try_cmpxchg(&p->refs, &users, 0);

	if (unused) {
		unused = !READ_ONCE(p->mapcount) && test(p);
		if (unused) {
			cache_remove(o, p->index);
			WRITE_ONCE(p->object, NULL);
		}
		store_release(&p->refs, 2);
	}
	if (!unused) {
		page_unlock(p);
		return false;
	}
	if (o->ops->page_gone)
		o->ops->page_gone(o, p);
	page_left(o, p);
	return true;
}

static int fill_page(struct vm_object *o, struct page *p)
{
	int err = 0;

	if (o->ops->fill)
		err = o->ops->fill(o, p);
	else
		clear_page(page_address(p));
	if (!err)
		page_set(p, PG_UPTODATE);
	return err;
}

int object_new_page(struct vm_object *o, u64 index, u32 gfp, struct page **out)
{
	struct page *p = page_alloc(gfp | o->gfp);
	int err;

	if (!p)
		return signal_interrupts(current_thread(), THREAD_KILLABLE) ? -EINTR : -ENOMEM;
	err = insert_page(o, index, p);
	if (err) {
		put_page(p);
		return err;
	}
	*out = p;
	return 0;
}

/* Bring a page in, or find it locked in the meantime; *out is locked unless an error comes. */
static int bring_in(struct vm_object *o, u64 index, u32 flags, struct page **out)
{
	bool fill = !(flags & OBJ_NOFILL);
	struct page *p = *out;
	int err = 0;

	/* Pages of memory-only objects have nothing stale to read. */
	if (o->ops->fill)
		rwsem_read_lock(&o->invalidate_lock);
	if ((flags & OBJ_WITHIN) && index >= div_round_up(READ_ONCE(o->size), PAGE_SIZE))
		err = -ENXIO;
	else if (!p)
		err = object_new_page(o, index, GFP_USER, &p);
	else
		page_lock(p);
	if (!err && p->object == o && fill && !page_test(p, PG_UPTODATE)) {
		err = fill_page(o, p);
		/* It is the only copy: it is charged as one that holds data. */
		if (!err && o->unevictable && o->ops->make_writable) {
			err = o->ops->make_writable(o, p, 0, PAGE_SIZE);
			if (!err)
				page_mark_dirty(p);
		}
		if (err)
			remove_page(o, p); /* unlocks */
	}
	if (o->ops->fill)
		rwsem_read_unlock(&o->invalidate_lock);
	if (err && p)
		put_page(p);
	*out = err ? NULL : p;
	return err;
}

struct page *object_get_page(struct vm_object *o, u64 index, u32 flags)
{
	struct page *p;
	int err;

	if (flags & OBJ_NOFILL)
		flags |= OBJ_LOCK;
	for (;;) {
		p = object_find(o, index);
		if (p && likely(page_test(p, PG_UPTODATE))) {
			if (!o->unevictable && !page_test(p, PG_REFERENCED))
				page_set(p, PG_REFERENCED);
			if (!(flags & OBJ_LOCK))
				return p;
			page_lock(p);
		} else {
			if (!p && (flags & OBJ_EXISTING))
				return NULL;
			err = bring_in(o, index, flags, &p);
			if (err == -EEXIST)
				continue;
			if (err)
				return err_ptr(err);
		}
		if (likely(p->object == o && (page_test(p, PG_UPTODATE) || (flags & OBJ_NOFILL))))
			break;
		page_unlock(p); /* truncated meanwhile */
		put_page(p);
	}
	if (!(flags & OBJ_LOCK))
		page_unlock(p);
	return p;
}

void page_mark_dirty(struct page *p)
{
	struct vm_object *o;

	if (page_test(p, PG_DIRTY) || atomic_test_and_set_bit(PG_DIRTY, &p->flags))
		return;
	o = READ_ONCE(p->object);
	if (o && !o->unevictable) {
		mem_count(MEM_DIRTY, 1);
		cache_mark_dirty(o, p->index);
		writeback_note_dirty(o);
	}
}

/* Drop the pages [first, last] of o, whatever their state. */
void object_drop_pages(struct vm_object *o, u64 first, u64 last)
{
	for (u64 index = first;; index++) {
		struct page *p = object_find_next(o, &index, last);

		if (!p)
			return;
		page_lock(p);
		if (p->object == o)
			remove_page(o, p);
		else
			page_unlock(p);
		put_page(p);
		if (index == last)
			return;
		cond_resched();
	}
}

bool object_has_pages(struct vm_object *o, u64 first, u64 last)
{
	u64 index = first;
	bool any;

	rcu_read_lock();
	any = cache_next(o, &index, last) != NULL;
	rcu_read_unlock();
	return any;
}

void object_drop_clean(struct vm_object *o, u64 first, u64 last)
{
	for (u64 index = first; index <= last; index++) {
		struct page *p = object_find_next(o, &index, last);

		if (!p)
			return;
		if (!o->unevictable && !page_test(p, PG_DIRTY) && page_trylock(p)) {
			if (p->object == o)
				(void)!object_evict_page(o, p); /* unlocks */
			else
				page_unlock(p);
		}
		put_page(p);
		cond_resched();
	}
}

/* First page with index in [*index, last], referenced; *index becomes its index. */
struct page *object_find_next(struct vm_object *o, u64 *index, u64 last)
{
	for (;;) {
		struct page *p;

		rcu_read_lock();
		p = cache_next(o, index, last);
		if (!p) {
			rcu_read_unlock();
			return NULL;
		}
		if (page_get_unless_zero(p)) {
			rcu_read_unlock();
			if (READ_ONCE(p->object) == o && p->index == *index)
				return p;
			put_page(p);
		} else {
			rcu_read_unlock();
		}
		cpu_relax();
	}
}

void object_destroy(struct vm_object *o)
{
	object_drop_pages(o, 0, U64_MAX >> PAGE_SHIFT);
	cache_destroy(o);
}

static bool is_clean(const struct page *p)
{
	return !page_test(p, PG_DIRTY) && !page_test(p, PG_WRITEBACK) && page_test(p, PG_UPTODATE);
}

bool object_evict_page(struct vm_object *o, struct page *p)
{
	return remove_unused(o, p, is_clean);
}

static bool is_zero(const struct page *p)
{
	const u64 *w = page_address(p);

	for (size_t k = 0; k < PAGE_SIZE / sizeof(*w); k++)
		if (w[k])
			return false;
	return true;
}

void object_drop_zero(struct vm_object *o, u64 index)
{
	struct page *p = object_find(o, index);

	if (!p)
		return;
	page_lock(p);
	if (p->object == o)
		(void)!remove_unused(o, p, is_zero);
	else
		page_unlock(p);
	put_page(p);
}

/* ---- errors of writeback ------------------------------------------------------------------------
 */

void object_set_wb_error(struct vm_object *o, int err)
{
	errseq_set(&o->wb_err, err);
}

u32 object_sample_wb_error(struct vm_object *o)
{
	return errseq_sample(&o->wb_err);
}

int object_check_wb_error(struct vm_object *o, u32 *since)
{
	return errseq_check(&o->wb_err, since);
}
