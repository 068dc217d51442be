/* host: see <arch/platform.h>. */
#ifndef ARCH_IMPL_PLATFORM_H
#define ARCH_IMPL_PLATFORM_H

static inline bool arch_irq_from_user(void)
{
	return false;
}

extern u64 host_alloc_countdown;

static inline bool arch_alloc_fails(void)
{
	return unlikely(host_alloc_countdown) && !--host_alloc_countdown;
}

#endif
