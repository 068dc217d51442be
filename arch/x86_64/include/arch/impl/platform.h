/* x86_64: see <arch/platform.h>. */
#ifndef ARCH_IMPL_PLATFORM_H
#define ARCH_IMPL_PLATFORM_H

#include <arch/cpu.h>

DECLARE_PER_CPU(u8, x86_irq_from_user); /* written at each interrupt; they don't nest */

static inline bool arch_irq_from_user(void)
{
	return this_cpu_read(x86_irq_from_user);
}

static inline bool arch_alloc_fails(void)
{
	return false;
}

#endif
