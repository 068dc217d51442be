/*
 * Checked memory (DEBUG=1 on x86_64): a byte of shadow for every 8 bytes of RAM says how many of
 * them may be touched, and the compiler lets each load and store ask (-fsanitize=kernel-address, by
 * calls). The allocators call what they have not given out poisoned, so a use after free and a step
 * over an object's end panic at the instruction that does it. Seen is the direct map; vmalloc,
 * stacks and the image have guard pages at most. On the host, AddressSanitizer does all of it.
 */
#ifndef LIB_KASAN_H
#define LIB_KASAN_H

enum { /* in the shadow: 0 all 8 bytes, 1 to 7 the first ones, negative none */
	KASAN_FREE_PAGE = -1,
	KASAN_FREE_OBJECT = -2, /* free, or beside an object */
	KASAN_TAIL = -3,        /* behind what was asked for */
};

#if DEBUG && defined(ARCH_x86_64)
/* Start with shadow (bytes / 8 bytes, zero) for [base, base + bytes). */
void kasan_start(u8 *shadow, unsigned long base, unsigned long bytes);
/* [p, p + n) may be touched; p is aligned to 8. The last 8 bytes up to n only. */
void kasan_unpoison(const void *p, size_t n);
/* The 8 bytes that p + n lies in belong to it as a whole. p is aligned to 8. */
void kasan_poison(const void *p, size_t n, int why);
/* For code that the compiler doesn't instrument: panics unless all of [p, p + n) may be touched. */
void kasan_check(const void *p, size_t n, bool write);
/* Why the byte can't be touched, 0 if it can: the shadow's value. */
int kasan_state(unsigned long addr);
/* Panics. caller: the instruction. */
noreturn void kasan_report(unsigned long addr, size_t n, bool write, unsigned long caller);
#else
static inline void kasan_unpoison(const void *p, size_t n)
{
}
static inline void kasan_poison(const void *p, size_t n, int why)
{
}
static inline void kasan_check(const void *p, size_t n, bool write)
{
}
#endif

#endif
