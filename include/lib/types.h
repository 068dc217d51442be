/*
 * Basic types, compiler attributes and small macros. Force-included into every kernel source.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#ifndef __ASSEMBLY__
#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;
typedef __SIZE_TYPE__ size_t;
typedef long ssize_t;
typedef unsigned long uintptr_t;
typedef s64 off64_t; /* a file offset in bytes; negative values are errors or relative moves */
typedef _Bool bool;
#define true 1
#define false 0

/* Numbers of the Linux ABI that have a type of their own only for readability. */
typedef u32 kuid_t; /* user id; UID_INVALID is -1 */
typedef u32 kgid_t;
typedef u32 kmode_t; /* S_IFMT | permission bits */
typedef u64 kdev_t;  /* device number: major in bits 8..19, minor in 0..7 and 20..31 (dev_make) */

#define NULL ((void *)0)

#ifdef __CHECKER__
#define __user  __attribute__((noderef, address_space(1)))
#define __force __attribute__((force))
#else
#define __user
#define __force
#endif

#define must_check                      __attribute__((warn_unused_result))
#define noreturn                        __attribute__((noreturn))
#define noinline                        __attribute__((noinline))
#define always_inline                   inline __attribute__((always_inline))
#define __packed                        __attribute__((packed))
#define __aligned(n)                    __attribute__((aligned(n)))
#define __section(name)                 __attribute__((section(name)))
#define __used                          __attribute__((used))
#define __weak                          __attribute__((weak))
#define pure_fn                         __attribute__((pure))
#define maybe_unused                    __attribute__((unused))
#define printf_like(a, b)               __attribute__((format(printf, a, b)))
#define fallthrough                     __attribute__((fallthrough))
#define cacheline_aligned               __aligned(64)

#define likely(x)                       __builtin_expect(!!(x), 1)
#define unlikely(x)                     __builtin_expect(!!(x), 0)

#define offsetof(t, m)                  __builtin_offsetof(t, m)
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define static_assert _Static_assert

#define min(a, b)                     \
	({                            \
		__auto_type _a = (a); \
		__auto_type _b = (b); \
		_a < _b ? _a : _b;    \
	})
#define max(a, b)                     \
	({                            \
		__auto_type _a = (a); \
		__auto_type _b = (b); \
		_a > _b ? _a : _b;    \
	})
#define min_t(t, a, b)             \
	({                         \
		t _a = (a);        \
		t _b = (b);        \
		_a < _b ? _a : _b; \
	})
#define max_t(t, a, b)             \
	({                         \
		t _a = (a);        \
		t _b = (b);        \
		_a > _b ? _a : _b; \
	})
#define clamp(v, lo, hi) min(max(v, lo), hi)
#define swap(a, b)                    \
	do {                          \
		__auto_type _t = (a); \
		(a) = (b);            \
		(b) = _t;             \
	} while (0)

/* n must be a power of two. */
#define round_up(x, n)     (((x) + ((__typeof__(x))(n)-1)) & ~((__typeof__(x))(n)-1))
#define round_down(x, n)   ((x) & ~((__typeof__(x))(n)-1))
#define is_aligned(x, n)   (((x) & ((__typeof__(x))(n)-1)) == 0)
#define div_round_up(x, n) (((x) + (n)-1) / (n))
#define is_power_of_2(n)   ((n) != 0 && ((n) & ((n)-1)) == 0)

#define U32_MAX            ((u32)~0u)
#define U64_MAX            ((u64)~0ull)
#define S32_MAX            ((s32)(U32_MAX >> 1))
#define S32_MIN            (-S32_MAX - 1)
#define S64_MAX            ((s64)(U64_MAX >> 1))
#define S64_MIN            (-S64_MAX - 1)
#define INT_MAX            S32_MAX
#define INT_MIN            (-INT_MAX - 1)
#define LONG_MAX           S64_MAX
#define LONG_MIN           S64_MIN
#define ULONG_MAX          U64_MAX
#define SIZE_MAX           U64_MAX

#define READ_ONCE(x)       (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)   (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()          __asm__ volatile("" ::: "memory")

#define KiB(n)             ((u64)(n) << 10)
#define MiB(n)             ((u64)(n) << 20)
#define GiB(n)             ((u64)(n) << 30)

#define NS_PER_SEC         1000000000ll
#define NS_PER_MS          1000000ll
#define NS_PER_US          1000ll
#define TIME_NEVER         S64_MAX /* a deadline that never comes (ns, monotonic) */

static inline int ilog2(u64 v) /* v > 0 */
{
	return 63 - __builtin_clzll(v);
}

typedef __builtin_va_list va_list;
#define va_start __builtin_va_start
#define va_end   __builtin_va_end
#define va_arg   __builtin_va_arg
#define va_copy  __builtin_va_copy

#endif /* __ASSEMBLY__ */
#endif
