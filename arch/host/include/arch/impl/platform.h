/* host: see <arch/platform.h>. */
#ifndef ARCH_IMPL_PLATFORM_H
#define ARCH_IMPL_PLATFORM_H

static inline bool arch_irq_from_user(void)
{
	return false;
}

#endif
