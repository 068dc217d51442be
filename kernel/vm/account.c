/*
 * Promises and limits: committed memory (vm.overcommit_memory), RLIMIT_AS, RLIMIT_DATA,
 * RLIMIT_MEMLOCK, the number of regions.
 */
#include <core/init.h>
#include <cred/cred.h>
#include "vm.h"

int g_overcommit_memory;
int g_overcommit_ratio = 50;
u64 g_overcommit_kbytes;
u64 g_admin_reserve_kbytes, g_user_reserve_kbytes;

#define ADMIN_RESERVE_MAX (8 << 10) /* KiB: the defaults, unless memory is small */
#define USER_RESERVE_MAX  (128 << 10)
#define RESERVE_SHARE     32 /* of free memory, of a process's size */
int g_max_map_count = 65530;

static atomic64_t g_committed; /* pages */
static u64 (*g_limit)(int resource);

void vm_set_limit_hook(u64 (*limit)(int resource))
{
	g_limit = limit;
}

u64 vm_limit(int resource)
{
	return g_limit ? g_limit(resource) : RLIM_INFINITY;
}

static u64 total_pages(void)
{
	static u64 total; /* immutable once nonzero: memory isn't hot-plugged */
	struct mem_stats s;

	if (unlikely(!READ_ONCE(total))) {
		mem_get_stats(&s);
		WRITE_ONCE(total, s.total);
	}
	return total;
}

u64 vm_committed_pages(void)
{
	s64 n = atomic_read(&g_committed);

	return n > 0 ? n : 0;
}

static u64 kib_to_pages(u64 kib)
{
	return kib >> (PAGE_SHIFT - 10);
}

u64 vm_commit_limit_pages(void)
{
	u64 kib = READ_ONCE(g_overcommit_kbytes);

	return kib ? kib_to_pages(kib) : total_pages() * READ_ONCE(g_overcommit_ratio) / 100;
}

static int account_init(void)
{
	struct mem_stats s;
	u64 share;

	mem_get_stats(&s);
	share = (s.free << (PAGE_SHIFT - 10)) / RESERVE_SHARE;
	g_admin_reserve_kbytes = min_t(u64, share, ADMIN_RESERVE_MAX);
	g_user_reserve_kbytes = min_t(u64, share, USER_RESERVE_MAX);
	return 0;
}
INIT_HOOK(INIT_CORE, account_init);

/* mm: who asks; NULL: the kernel. */
static int commit(const struct mm *mm, s64 pages)
{
	int mode = READ_ONCE(g_overcommit_memory);
	bool ok = true;

	atomic_add(&g_committed, pages);
	if (mode == 0) {
		ok = (u64)pages <= total_pages();
	} else if (mode == 2) {
		u64 limit = vm_commit_limit_pages();

		if (!capable(CAP_SYS_ADMIN))
			limit -= min(limit, kib_to_pages(READ_ONCE(g_admin_reserve_kbytes)));
		limit -= min(limit,
			min(mm ? mm->total_pages / RESERVE_SHARE : 0,
				kib_to_pages(READ_ONCE(g_user_reserve_kbytes))));
		ok = vm_committed_pages() <= limit;
	}
	if (!ok) {
		atomic_sub(&g_committed, pages);
		return -ENOMEM;
	}
	return 0;
}

int vm_commit_pages(s64 pages)
{
	return commit(current_mm(), pages);
}

void vm_uncommit_pages(s64 pages)
{
	atomic_sub(&g_committed, pages);
}

int commit_charge(struct mm *mm, s64 pages)
{
	int err = commit(mm, pages);

	if (!err)
		mm->committed_pages += pages;
	return err;
}

void commit_uncharge(struct mm *mm, s64 pages)
{
	mm->committed_pages -= pages;
	vm_uncommit_pages(pages);
}

bool regions_full(const struct mm *mm, u32 more)
{
	return mm->nr_regions + more > (u32)READ_ONCE(g_max_map_count);
}

int limits_check(struct mm *mm, u64 pages, u32 flags)
{
	if (mm->nr_regions > (u32)READ_ONCE(g_max_map_count))
		return -ENOMEM;
	if (mm->total_pages + pages > vm_limit(RLIMIT_AS) >> PAGE_SHIFT)
		return -ENOMEM;
	if (flags_are_data(flags) && mm->data_pages + pages > vm_limit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	return 0;
}

int memlock_check(struct mm *mm, u64 pages)
{
	u64 limit = vm_limit(RLIMIT_MEMLOCK);

	if (mm->locked_pages + pages <= limit >> PAGE_SHIFT || capable(CAP_IPC_LOCK))
		return 0;
	return limit == 0 ? -EPERM : -ENOMEM;
}

void mm_update_hiwater(struct mm *mm)
{
	u64 rss = mm_rss_pages(mm);

	if (rss > READ_ONCE(mm->hiwater_rss))
		WRITE_ONCE(mm->hiwater_rss, rss);
}

u64 mm_hiwater_rss(struct mm *mm)
{
	mm_update_hiwater(mm);
	return READ_ONCE(mm->hiwater_rss);
}
