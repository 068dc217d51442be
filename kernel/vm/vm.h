/*
 * Shared inside kernel/vm: regions, huge pages, zapping, accounting.
 *
 * Lock order: map_lock, region lock, object->map_lock, page lock; page tables need no lock (see
 * pt.h). "Frozen" region: faults in flight have left it and new ones wait for map_lock, until the
 * writer leaves with mm_write_unlock().
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <kmem/page.h>
#include <kmem/slab.h>
#include <core/rcu.h>
#include <core/log.h>
#include <linux/resource.h>
#include <vm/mm.h>
#include "pt.h"
#include "gather.h"

#define STACK_GUARD_GAP (256ul << PAGE_SHIFT) /* stack_guard_gap of Linux */
#define PROT_BITS       (REG_READ | REG_WRITE | REG_EXEC)

/* ---- region.c: the tree ---------------------------------------------------------------------- */
struct region *region_alloc(struct mm *mm) must_check; /* zeroed; NULL: no memory */
struct region *region_dup(const struct region *r, struct mm *mm) must_check; /* ops->open called */
/* map_lock held for writing. Insert into the tree, the object's mappings and the counters. */
void region_insert(struct region *r);
/* Out of tree, mappings and counters; frozen and detached. The caller zaps, then region_release. */
void region_remove(struct region *r);
void region_release(struct region *r); /* ops->close; memory after a grace period */
/* Change bounds (keeping pgoff right) without crossing a neighbour; frozen. */
void region_resize(struct region *r, unsigned long start, unsigned long end);
/* Make addr (inside r) a region boundary: r keeps the lower part, the upper is returned. */
struct region *region_split(struct region *r, unsigned long addr) must_check; /* -ENOMEM: full */
/* The same on the way to a part's end: vm.max_map_count doesn't hinder it. */
struct region *region_split_always(struct region *r, unsigned long addr) must_check;
/* Join r with equal neighbours; the region that now covers r's range is returned. */
struct region *region_merge(struct region *r);
bool region_is_plain(const struct region *r, u32 flags); /* anonymous with just these flags */
struct region *region_prev(const struct region *r);
struct region *region_next(const struct region *r);
/* First region with end > addr, validated against concurrent changes. RCU held. */
struct region *region_find_rcu(struct mm *mm, unsigned long addr);
/* Free space of len bytes, highest below limit and not under floor; 0: none. */
unsigned long region_find_gap(
	struct mm *mm, size_t len, unsigned long floor, unsigned long limit, unsigned long align);
/* True when [start, end) has no region, guard gaps of stacks above included. */
bool region_range_free(struct mm *mm, unsigned long start, unsigned long end);
/* Wait for faults in flight in r and keep new ones out until mm_write_unlock. */
void region_freeze(struct region *r);
/* flags changed by mprotect, mlock, ...: keeps the mm's page counts right. */
void region_set_flags(struct region *r, u32 flags);

int mm_write_lock(struct mm *mm) must_check; /* -EINTR: a fatal signal */
void mm_write_lock_always(struct mm *mm);
void mm_write_lock_always_nested(struct mm *mm); /* a child's under its parent's */
void mm_write_unlock(struct mm *mm);

static inline u64 region_pages(const struct region *r)
{
	return (r->end - r->start) >> PAGE_SHIFT;
}

/* The lowest address that r claims: a stack keeps a guard gap below itself. */
static inline unsigned long region_low(const struct region *r)
{
	if (unlikely(r->flags & REG_GROWSDOWN))
		return r->start > STACK_GUARD_GAP ? r->start - STACK_GUARD_GAP : 0;
	return r->start;
}

static inline u64 region_index(const struct region *r, unsigned long addr)
{
	return r->pgoff + ((addr - r->start) >> PAGE_SHIFT);
}

/* MMU_* protection of a region's leaves. Any access right implies reading, as on x86. */
static inline u32 region_prot(u32 flags)
{
	u32 prot = MMU_USER;

	if (flags & PROT_BITS)
		prot |= MMU_READ;
	if (flags & REG_WRITE)
		prot |= MMU_WRITE;
	if (flags & REG_EXEC)
		prot |= MMU_EXEC;
	return prot;
}

static inline bool region_shared(const struct region *r)
{
	return r->flags & REG_SHARED;
}

/* ---- zap.c -------------------------------------------------------------------------------- */
/* Take all leaves of [start, end) of r out. The edges don't cut a 2 MiB leaf. */
void zap_range(struct gather *g, struct region *r, unsigned long start, unsigned long end);
/* One leaf that was taken out of r's tables: counters, dirty state, the page into g. */
void zap_leaf(struct gather *g, struct region *r, pte_t e, unsigned long addr);
/* A page-cache page loses, or a mapped one gains, a page-table leaf. */
void page_unmapped(struct page *p);
void page_mapped(struct page *p);

/* ---- mlock.c ------------------------------------------------------------------------------ */
/* A locked region gains, loses a leaf that maps p: a page, or the whole block of 2 MiB. */
void page_mlocked(const struct region *r, struct page *p, long pages);
void page_munlocked(const struct region *r, struct page *p, long pages);
static inline void leaf_comes(const struct region *r, struct page *p)
{
	if (unlikely(r->flags & REG_LOCKED))
		page_mlocked(r, p, 1);
}
static inline void leaf_goes(const struct region *r, struct page *p)
{
	if (unlikely(r->flags & REG_LOCKED))
		page_munlocked(r, p, 1);
}
/* region_set_flags where REG_LOCKED changes; r is frozen, map_lock held for writing. */
void region_set_locked(struct region *r, u32 flags);

/* ---- huge.c ------------------------------------------------------------------------------- */
#define HUGE_ORDER (HUGE_SHIFT - PAGE_SHIFT)
/* Try to map the 2 MiB around addr. 0 done or retry, -EAGAIN: use small pages. */
int huge_fault(struct region *r, unsigned long addr, pte_t *pmd) must_check;
bool huge_eligible(const struct region *r);
/* A write to a 2 MiB leaf that isn't writable. 0 retry, -ENOMEM. */
int huge_cow(struct region *r, unsigned long addr, pte_t *pmd, pte_t e) must_check;
/* Replace a 2 MiB leaf at addr, if there is one, by a table of small leaves. -ENOMEM. */
int huge_split_at(struct mm *mm, unsigned long addr) must_check;
int huge_split(struct mm *mm, pte_t *pmd, unsigned long addr) must_check;
/* References to the page of leaf e, and to the single page at addr of a 2 MiB leaf of anonymous
 * memory (which is divided for it). NULL: the entry has changed. map_lock held. */
struct page *pin_leaf(pte_t *p, pte_t e);
struct page *huge_pin(pte_t *pmd, pte_t e, unsigned long addr);
/* One more, one less 2 MiB leaf that maps p (see huge.c: whole or divided); huge_get is for a leaf
 * of a region that isn't locked. */
void huge_get(struct page *p);
void huge_put(struct gather *g, const struct region *r, struct page *p);
/* r, which maps p with a 2 MiB leaf, becomes locked or is no longer. */
void huge_mlock(const struct region *r, struct page *p, bool lock);
bool huge_wanted(const struct region *r, unsigned long addr);

/* ---- fault.c ------------------------------------------------------------------------------ */
/* map_lock or the region's lock held. As mm_fault; the access was checked. -EAGAIN: try again. */
int fault_in_region(struct region *r, unsigned long addr, u32 access) must_check;
extern struct page *g_zero_page; /* immutable after init */
bool region_allows(const struct region *r, u32 access);
/* A reference to the page at addr of a private region, which only this address space maps, whatever
 * the region allows; NULL: look again. map_lock held. Error pointer. */
struct page *fault_own_page(struct region *r, unsigned long addr) must_check;
/* The stack region just above addr grows down to it; map_lock held for writing. */
int stack_expand(struct region *r, unsigned long addr) must_check;

/* ---- account.c ------------------------------------------------------------------------------ */
int commit_charge(struct mm *mm, s64 pages) must_check; /* -ENOMEM by the overcommit policy */
void commit_uncharge(struct mm *mm, s64 pages);
u64 vm_limit(int resource); /* of the current process */
/* RLIMIT_AS, RLIMIT_DATA, map count for a new region; -ENOMEM. */
bool regions_full(const struct mm *mm, u32 more); /* would more regions be too many? */
int limits_check(struct mm *mm, u64 pages, u32 flags) must_check;
int memlock_check(struct mm *mm, u64 pages) must_check; /* -ENOMEM, -EPERM when the limit is 0 */
static inline bool flags_accountable(u32 flags)
{
	return (flags & (REG_WRITE | REG_SHARED | REG_NORESERVE | REG_SPECIAL)) == REG_WRITE;
}
static inline bool flags_are_data(u32 flags)
{
	return (flags & (REG_WRITE | REG_SHARED | REG_STACK)) == REG_WRITE;
}
void mm_update_hiwater(struct mm *mm);

/* ---- map.c -------------------------------------------------------------------------------- */
/* map_lock held for writing. */
int unmap_locked(struct mm *mm, unsigned long start, unsigned long end) must_check;
/* Make start and end region boundaries where regions cross them, and cut 2 MiB leaves there. first
 * is the region at or behind start. -ENOMEM. */
int cut_edges(
	struct mm *mm, struct region *first, unsigned long start, unsigned long end) must_check;
long map_locked(
	struct mm *mm, const struct map_request *rq, unsigned long addr, size_t len) must_check;
unsigned long choose_address(struct mm *mm, const struct map_request *rq, size_t len);

/* ---- object.c, lru.c --------------------------------------------------------------------------- */
bool page_get_unless_zero(struct page *p) must_check;
void lru_add(struct page *p);
void lru_remove(struct page *p);
/* Take a clean, unused, locked page out of its object. False: it is in use or dirty. */
bool object_evict_page(struct vm_object *o, struct page *p) must_check;
void object_map_region(struct region *r);   /* add to o->mappings */
void object_unmap_region(struct region *r); /* take out */

#endif
