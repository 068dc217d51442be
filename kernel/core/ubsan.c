/*
 * What -fsanitize=undefined calls in DEBUG builds: names the place and panics. Data layouts are the
 * compilers' (documented with libubsan): a source location comes first in most of them.
 */
#include <core/log.h>

#if DEBUG && !defined(ARCH_host)
struct source_location {
	const char *file;
	u32 line, column;
};

#define UBSAN_HANDLER(name, what, ...)                                                    \
	void __ubsan_handle_##name(struct source_location *where, ##__VA_ARGS__);         \
	void __ubsan_handle_##name(struct source_location *where, ##__VA_ARGS__)          \
	{                                                                                 \
		panic("undefined behaviour at %s:%u:%u: " what, where->file, where->line, \
			where->column);                                                   \
	}

UBSAN_HANDLER(add_overflow, "signed addition overflows", unsigned long a, unsigned long b)
UBSAN_HANDLER(sub_overflow, "signed subtraction overflows", unsigned long a, unsigned long b)
UBSAN_HANDLER(mul_overflow, "signed multiplication overflows", unsigned long a, unsigned long b)
UBSAN_HANDLER(negate_overflow, "negation overflows", unsigned long a)
UBSAN_HANDLER(divrem_overflow, "division overflows or by zero", unsigned long a, unsigned long b)
UBSAN_HANDLER(shift_out_of_bounds, "shift count out of range", unsigned long a, unsigned long b)
UBSAN_HANDLER(out_of_bounds, "array index out of range", unsigned long i)
UBSAN_HANDLER(builtin_unreachable, "unreachable code reached")
UBSAN_HANDLER(missing_return, "function ends without a value")
UBSAN_HANDLER(vla_bound_not_positive, "size of an array is not positive", unsigned long n)
UBSAN_HANDLER(load_invalid_value, "value not valid for its type", unsigned long v)
UBSAN_HANDLER(type_mismatch_v1, "null, misaligned or too small object", unsigned long p)
UBSAN_HANDLER(pointer_overflow, "pointer arithmetic overflows", unsigned long a, unsigned long b)
UBSAN_HANDLER(nonnull_arg, "NULL passed where not allowed")
UBSAN_HANDLER(nonnull_return_v1, "NULL returned where not allowed")
UBSAN_HANDLER(invalid_builtin, "bad argument of a builtin")
#endif
