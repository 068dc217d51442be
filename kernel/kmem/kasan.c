/* What a checked access that must not be says before it stops the machine. */
#include "kmem.h"
#include "slab.h"
#include <core/log.h>
#include <core/symbols.h>
#include <lib/kasan.h>

#if DEBUG
static const char *reason(int state)
{
	switch (state) {
	case KASAN_FREE_PAGE:
		return "a free page";
	case KASAN_FREE_OBJECT:
		return "a free object, or beside one";
	default:
		return "memory behind what was asked for";
	}
}

void kasan_report(unsigned long addr, size_t n, bool write, unsigned long caller)
{
	unsigned long bad = addr;
	struct page *p;
	char name[80];

	while (bad < addr + n - 1 && !kasan_state(bad))
		bad++;
	p = virt_to_page((void *)bad);
	if (p->flags & 1ul << PG_TAIL)
		p = p->head;
	if (p->flags & 1ul << PG_SLAB)
		slab_debug_describe(p, bad);
	panic("kasan: %s of %lu bytes at %#lx by %s: %s", write ? "write" : "read", n, addr,
		sym_format(caller, name, sizeof(name)), reason(kasan_state(bad)));
}
#endif
