/* Address spaces: creation, the last user's departure, the write side of map_lock. */
#include <core/trace.h>
#include <linux/resource.h>
#include "vm.h"

static SLAB_CACHE(g_mm_cache, struct mm);

static void (*g_put_exe)(void *exe_file);

void vm_set_exe_hook(void (*put)(void *exe_file))
{
	g_put_exe = put;
}

struct mm *current_mm(void)
{
	return mm_of(current_thread()->mm);
}

struct mm *mm_create(void)
{
	struct mm *mm = slab_alloc(&g_mm_cache, GFP_KERNEL | GFP_ZERO);
	int err;

	if (!mm)
		return err_ptr(-ENOMEM);
	err = arch_mm_init(&mm->arch);
	if (err) {
		slab_free(&g_mm_cache, mm);
		return err_ptr(err);
	}
	ref_init(&mm->users, 1);
	ref_init(&mm->refs, 1);
	rwsem_init(&mm->map_lock, RANK_MM);
	mm->map_gen = 1; /* regions start with frozen == 0 */
	mm->mmap_top = USER_END;
	mm->dumpable = 1;
	mm->dump_filter = MM_DUMP_DEFAULT;
	return mm;
}

void put_mm(struct mm *mm)
{
	if (!ref_put(&mm->refs))
		return;
	arch_mm_free(&mm->arch);
	slab_free(&g_mm_cache, mm);
}

/*
 * Nobody runs in it any more. Readers through /proc may still hold map_lock or wait for it; once
 * the tree is empty they find nothing.
 */
static void *mm_empty(struct mm *mm)
{
	void *exe;
	struct region *r, *next, *gone = NULL;
	struct gather g;

	arch_mm_leave(&mm->arch);
	mm_write_lock_always(mm);
	mm_update_hiwater(mm);
	gather_init(&g, mm, true);
	for (r = mm_first_region(mm); r; r = next) {
		next = region_next(r);
		region_remove(r); /* first, so that object_unmap doesn't come any more */
		zap_range(&g, r, r->start, r->end);
		/* Nothing is left below: the last region over a table frees it. */
		pt_free_range(&g, r->start, r->end, 0, next ? next->start : USER_END);
		r->next_gone = gone;
		gone = r;
		cond_resched();
	}
	gather_flush(&g);
	exe = mm->exe_file;
	mm->exe_file = NULL;
	mm_write_unlock(mm);
	while (gone) {
		r = gone;
		gone = r->next_gone;
		region_release(r);
		cond_resched();
	}
	return exe;
}

void put_mm_users(struct mm *mm)
{
	void *exe;

	if (!ref_put(&mm->users))
		return;
	exe = mm_empty(mm);
	if (exe)
		g_put_exe(exe);
	put_mm(mm);
}

int mm_write_lock(struct mm *mm)
{
	return rwsem_write_lock_killable(&mm->map_lock) ? -EINTR : 0;
}

void mm_write_lock_always(struct mm *mm)
{
	rwsem_write_lock(&mm->map_lock);
}

void mm_write_lock_always_nested(struct mm *mm)
{
	rwsem_write_lock_nested(&mm->map_lock);
}

/* Thaws every frozen region: faults compare with map_gen. */
void mm_write_unlock(struct mm *mm)
{
	store_release(&mm->map_gen, mm->map_gen + 1);
	rwsem_write_unlock(&mm->map_lock);
}

int g_randomize_va_space = 2;
