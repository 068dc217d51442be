/* What net/core's packets need of the kernel, from the C library, so that the sanitizers see more. */
#include <arch/mmu.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <net/packet.h>
#include "fuzz.h"

void *calloc(size_t n, size_t size);
void free(void *p);

#define FRAMES 8192u

struct page *g_pages;
u64 g_nr_frames = FRAMES;
unsigned long host_arena;
static u32 g_free[FRAMES], g_nr_free;
static struct page g_page_table[FRAMES];
static u8 g_arena[FRAMES * PAGE_SIZE] __aligned(4096);
u32 g_fuzz_objects;

void fuzz_memory_start(void)
{
	if (g_pages)
		return;
	g_pages = g_page_table;
	host_arena = (unsigned long)g_arena;
	while (g_nr_free < FRAMES) {
		g_free[g_nr_free] = g_nr_free;
		g_nr_free++;
	}
}

u32 fuzz_frames_used(void)
{
	return FRAMES - g_nr_free;
}

void *slab_alloc(struct slab_cache *c, u32 gfp)
{
	g_fuzz_objects++;
	return calloc(1, c->size);
}

void slab_free(struct slab_cache *c, void *p)
{
	g_fuzz_objects -= p != NULL;
	free(p);
}

void get_page(struct page *p)
{
	p->refs++;
}

void put_page(struct page *p)
{
	must_hold(p->refs);
	if (!--p->refs)
		g_free[g_nr_free++] = (u32)(p - g_pages);
}

/* A frame for each: no two pieces are neighbours by chance. */
struct page *frag_get(struct frag_source *s, u32 min, u32 *offset, u32 *room, u32 gfp)
{
	struct page *p;

	if (!g_nr_free)
		return NULL;
	p = &g_pages[g_free[--g_nr_free]];
	p->refs = 1;
	*offset = 0;
	*room = PAGE_SIZE;
	return p;
}

void frag_used(struct frag_source *s, u32 n)
{
}

size_t iter_get(struct iter *from, void *to, size_t n)
{
	return 0;
}

size_t iter_put(struct iter *to, const void *from, size_t n)
{
	return 0;
}

void iter_revert(struct iter *it, size_t n)
{
}
