/* host: user pointers are host pointers. See <arch/uaccess.h>. */
#ifndef ARCH_IMPL_UACCESS_H
#define ARCH_IMPL_UACCESS_H

#include <arch/mmu.h>

static inline bool user_range_ok(unsigned long p, size_t n)
{
	return n <= USER_END && p <= USER_END - n;
}

#define get_user(x, ptr)                                            \
	({                                                          \
		__typeof__(*(ptr)) _gv;                             \
		int _ge = copy_from_user(&_gv, (ptr), sizeof(_gv)); \
		(x) = _gv;                                          \
		_ge;                                                \
	})
#define put_user(x, ptr)                                \
	({                                              \
		__typeof__(*(ptr)) _pv = (x);           \
		copy_to_user((ptr), &_pv, sizeof(_pv)); \
	})

#endif
