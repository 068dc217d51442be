/* Memory for payload: blocks that are carved from front to back. See <net/packet.h>. */
#include <lib/string.h>
#include <net/packet.h>

#define BLOCK_ORDER 3 /* 32 KiB: sixteen frames or half a GSO packet between two allocations */

static DEFINE_PER_CPU(struct frag_source, g_source);

static struct page *block_alloc(u32 *size, u32 gfp)
{
	struct page *page = pages_alloc(BLOCK_ORDER, (gfp & GFP_ATOMIC) | GFP_NOWAIT);

	*size = PAGE_SIZE << BLOCK_ORDER;
	if (!page) {
		page = page_alloc(gfp);
		*size = PAGE_SIZE;
	}
	return page;
}

struct page *frag_get(struct frag_source *own, u32 min, u32 *offset, u32 *room, u32 gfp)
{
	struct frag_source *s = own ? own : this_cpu_ptr(&g_source);

	if (!s->page || s->size - s->offset < min) {
		u32 size;
		struct page *page = block_alloc(&size, gfp);

		if (!page)
			return NULL;
		if (!own)
			s = this_cpu_ptr(&g_source); /* the allocation may have slept */
		frag_source_drop(s);
		*s = (struct frag_source){.page = page, .size = size};
	}
	*offset = s->offset;
	*room = s->size - s->offset;
	get_page(s->page);
	return s->page;
}

void frag_used(struct frag_source *own, u32 n)
{
	struct frag_source *s = own ? own : this_cpu_ptr(&g_source);

	s->offset += n;
}

void frag_source_drop(struct frag_source *s)
{
	if (s->page)
		put_page(s->page);
	*s = (struct frag_source){0};
}
