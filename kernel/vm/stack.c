/* The main stack: made by exec, grown by faults below it. */
#include "vm.h"

/* Mapped at once: arguments and the first frames; the rest comes by faults. */
#define STACK_INITIAL KiB(132)

long mm_setup_stack(struct mm *mm, unsigned long top, bool exec, unsigned long *stack_top)
{
	struct map_request rq = {
		.addr = top - STACK_INITIAL,
		.len = STACK_INITIAL,
		.fixed = true,
		.flags = REG_READ | REG_WRITE | REG_MAYREAD | REG_MAYWRITE | REG_MAYEXEC |
			REG_GROWSDOWN | REG_STACK | (exec ? REG_EXEC : 0),
	};
	long ret = mm_map(mm, &rq);

	if (ret < 0)
		return ret;
	*stack_top = top;
	return 0;
}

int stack_expand(struct region *r, unsigned long addr)
{
	struct mm *mm = r->mm;
	unsigned long start = round_down(addr, PAGE_SIZE);
	struct region *prev = region_prev(r);
	u64 more = (r->start - start) >> PAGE_SHIFT;
	int err;

	if (!(r->flags & REG_GROWSDOWN) || start < USER_START)
		return -ENOMEM;
	if (prev && !(prev->flags & REG_GROWSDOWN) && (prev->flags & PROT_BITS) &&
		start - prev->end < STACK_GUARD_GAP)
		return -ENOMEM;
	if (prev && start < prev->end)
		return -ENOMEM;
	if (r->end - start > vm_limit(RLIMIT_STACK))
		return -ENOMEM;
	err = limits_check(mm, more, r->flags);
	if (!err && (r->flags & REG_LOCKED))
		err = memlock_check(mm, more);
	if (!err && (r->flags & REG_ACCOUNT))
		err = commit_charge(mm, more);
	if (err)
		return -ENOMEM;
	region_freeze(r);
	region_resize(r, start, r->end);
	return 0;
}
