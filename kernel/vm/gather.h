/*
 * Collects what an unmap takes out of page tables: pages may only be freed after every CPU has
 * forgotten their translations. Order: entries cleared (published), gather_flush: TLBs, then free.
 *
 * Without other users of the address space (mm->users 0, no CPU has it loaded) dead is set and no
 * flush is needed. Lives on the stack.
 */
#ifndef VM_GATHER_H
#define VM_GATHER_H

#include <vm/mm.h>

#define GATHER_INLINE 40
#define GATHER_CHUNKS 32 /* of 510 pages each */

struct gather_chunk {
	struct gather_chunk *next;
	u32 count;
	struct page *pages[(PAGE_SIZE - 16) / sizeof(struct page *)];
};

struct gather {
	struct mm *mm;
	bool dead;                /* nobody can use a stale translation */
	bool tables;              /* page tables are among the pages */
	bool changed;             /* an entry the hardware may have cached was changed */
	unsigned long start, end; /* what to flush */
	s32 anon, file, shmem;    /* resident counters, given back by gather_flush */
	u32 count;
	struct gather_chunk *chunks;
	u32 nr_chunks;
	struct page *pages[GATHER_INLINE];
};

void gather_init(struct gather *g, struct mm *mm, bool dead);
/* Flush TLBs, free what was collected. Sleeps (IPI wait): no spinlock held. */
void gather_flush(struct gather *g);
void gather_add_slow(struct gather *g, struct page *p);

static inline void gather_range(struct gather *g, unsigned long start, unsigned long end)
{
	g->changed = true;
	if (start < g->start)
		g->start = start;
	if (end > g->end)
		g->end = end;
}

/* One reference to p is put at the flush. May flush. */
static inline void gather_add(struct gather *g, struct page *p)
{
	if (likely(g->count < GATHER_INLINE))
		g->pages[g->count++] = p;
	else
		gather_add_slow(g, p);
}

#endif
