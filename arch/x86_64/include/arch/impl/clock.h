/* The clock's parameters, for the vDSO: ns since boot = (tsc - base) * mult >> 32. */
#ifndef ARCH_IMPL_CLOCK_H
#define ARCH_IMPL_CLOCK_H

struct x86_clock {
	u64 base, mult;
};
extern struct x86_clock x86_clock; /* immutable after boot */

#endif
