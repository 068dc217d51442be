/*
 * Function names inside the kernel, from the table that tools/gen/symtab.py makes: addresses as
 * offsets from the image's start, in order, and names one after another, with a mark into the names
 * every SYMTAB_STEP entries.
 */
#include "image.h"
#include <arch/platform.h>

#define SYMTAB_STEP 16 /* as in tools/gen/symtab.py */

bool arch_symbol_is_sched(unsigned long addr)
{
	return addr >= (unsigned long)__sched_start && addr < (unsigned long)__sched_end;
}

bool arch_symbol(
	unsigned long addr, char *name, size_t size, unsigned long *offset, unsigned long *length)
{
	unsigned long at = addr - (unsigned long)__image_start;
	u32 lo = 0, hi = x86_symtab_count;
	const char *p;
	size_t n = 0;

	if (addr < (unsigned long)__text_start || addr >= (unsigned long)__text_end || !hi ||
		at < x86_symtab_offsets[0])
		return false;
	while (hi - lo > 1) { /* offsets[lo] <= at < offsets[hi] */
		u32 mid = lo + (hi - lo) / 2;

		if (x86_symtab_offsets[mid] <= at)
			lo = mid;
		else
			hi = mid;
	}
	p = x86_symtab_names + x86_symtab_marks[lo / SYMTAB_STEP];
	for (u32 skip = lo % SYMTAB_STEP; skip; skip--)
		while (*p++)
			;
	for (; *p && n + 1 < size; p++)
		name[n++] = *p;
	name[n] = '\0';
	*offset = at - x86_symtab_offsets[lo];
	*length = x86_symtab_offsets[lo + 1] - x86_symtab_offsets[lo];
	return true;
}
