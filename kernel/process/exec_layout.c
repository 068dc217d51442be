/*
 * Where a new program's parts go. The order from the top: stack, gap for it to grow, mappings
 * downwards; position-independent programs at two thirds of the address space; brk after the
 * program. Randomisation: stack and mappings with randomize_va_space 1, brk too with 2; none with
 * personality ADDR_NO_RANDOMIZE.
 */
#include "exec.h"
#include <core/init.h>
#include <core/trace.h>

#define STACK_RANDOM_BITS 22 /* pages: 16 GiB */
#define MMAP_RANDOM_BITS  28 /* pages: vm.mmap_rnd_bits */
#define BRK_RANDOM_RANGE  MiB(32)
#define STACK_SUB_RANDOM  8192 /* bytes inside the stack */
#define PIE_BASE          (USER_END / 3 * 2)
#define GAP_MIN           MiB(128)
#define GAP_MAX           (USER_END / 6 * 5)
#define STACK_GUARD_GAP   (256ul << PAGE_SHIFT)

static unsigned long random_pages(const struct exec *x, int bits)
{
	return x->randomize ? (random_u64() & ((1ul << bits) - 1)) << PAGE_SHIFT : 0;
}

/* Decide on randomisation and set where the search for free addresses starts. */
void layout_choose(struct exec *x)
{
	u64 gap = x->stack_limit;
	u64 pad = STACK_GUARD_GAP;

	x->randomize = !(x->personality & ADDR_NO_RANDOMIZE) && READ_ONCE(g_randomize_va_space);
	if (x->randomize)
		pad += 1ul << (STACK_RANDOM_BITS + PAGE_SHIFT);
	if (gap + pad > gap)
		gap += pad;
	gap = clamp(gap, GAP_MIN, GAP_MAX);
	x->mm->mmap_top = round_down(USER_END - gap - random_pages(x, MMAP_RANDOM_BITS), PAGE_SIZE);
}

unsigned long layout_stack_top(const struct exec *x)
{
	return USER_END - random_pages(x, STACK_RANDOM_BITS);
}

unsigned long layout_align_stack(const struct exec *x, unsigned long sp)
{
	if (x->randomize)
		sp -= random_u64() % STACK_SUB_RANDOM;
	return sp & ~15ul;
}

unsigned long layout_pie_base(const struct exec *x, unsigned long align)
{
	unsigned long base = round_down(PIE_BASE, PAGE_SIZE) + random_pages(x, MMAP_RANDOM_BITS);

	return round_down(base, max(align, PAGE_SIZE));
}

unsigned long layout_brk(const struct exec *x, unsigned long brk)
{
	if (!x->randomize || READ_ONCE(g_randomize_va_space) < 2)
		return brk;
	return round_down(brk + random_u64() % BRK_RANDOM_RANGE, PAGE_SIZE);
}

static int option_norandmaps(const char *value)
{
	g_randomize_va_space = 0;
	return 0;
}
INIT_OPTION("norandmaps", option_norandmaps);
