/* See gather.h. */
#include <kmem/page.h>
#include "gather.h"

void gather_init(struct gather *g, struct mm *mm, bool dead)
{
	g->mm = mm;
	g->dead = dead;
	g->tables = g->changed = false;
	g->start = USER_END;
	g->end = 0;
	g->anon = g->file = g->shmem = 0;
	g->count = 0;
	g->chunks = NULL;
	g->nr_chunks = 0;
}

/* The inline slots are full: move them to a page of slots, or flush when there is no memory,
 * and when much has come together: memory comes back while a large range goes. */
void gather_add_slow(struct gather *g, struct page *p)
{
	struct gather_chunk *c = g->chunks;

	if (!c || c->count + GATHER_INLINE > ARRAY_SIZE(c->pages)) {
		struct page *page = g->nr_chunks < GATHER_CHUNKS ? page_alloc(GFP_NOWAIT) : NULL;

		if (!page) {
			gather_flush(g);
			g->pages[g->count++] = p;
			return;
		}
		c = page_address(page);
		c->next = g->chunks;
		c->count = 0;
		g->chunks = c;
		g->nr_chunks++;
	}
	for (u32 i = 0; i < GATHER_INLINE; i++)
		c->pages[c->count++] = g->pages[i];
	g->pages[0] = p;
	g->count = 1;
}

static void put_counters(struct gather *g)
{
	if (g->anon) {
		atomic_sub(&g->mm->anon_pages, g->anon);
		mem_count(MEM_ANON, -(long)g->anon);
	}
	if (g->file)
		atomic_sub(&g->mm->file_pages, g->file);
	if (g->shmem)
		atomic_sub(&g->mm->shmem_pages, g->shmem);
	g->anon = g->file = g->shmem = 0;
}

void gather_flush(struct gather *g)
{
	if (!g->dead && (g->changed || g->tables) && g->start < g->end)
		arch_tlb_flush(&g->mm->arch, g->start, g->end, g->tables);
	put_counters(g);
	for (u32 i = 0; i < g->count; i++)
		put_page(g->pages[i]);
	while (g->chunks) {
		struct gather_chunk *c = g->chunks;

		g->chunks = c->next;
		for (u32 i = 0; i < c->count; i++)
			put_page(c->pages[i]);
		put_page(virt_to_page(c));
		cond_resched();
	}
	g->nr_chunks = 0;
	g->count = 0;
	g->tables = g->changed = false;
	g->start = USER_END;
	g->end = 0;
}
