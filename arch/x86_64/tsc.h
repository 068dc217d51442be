/* The clock's parameters, shared with the vDSO: ns = (tsc - base) * mult >> 32. */
#ifndef X86_TSC_H
#define X86_TSC_H

#include <arch/impl/clock.h>

u64 x86_div_shifted(u64 a, u64 b); /* (a << 32) / b, for a < b << 32 */
u64 x86_calibrate_lapic(void);     /* Hz of the LAPIC timer; the TSC's frequency is known */

#endif
