/* The shadow, and what instrumented code calls. Built without instrumentation. */
#include <lib/kasan.h>
#include <lib/types.h>

#if DEBUG
static s8 *g_shadow;
static unsigned long g_base, g_bytes; /* none before kasan_start() */

void kasan_start(u8 *shadow, unsigned long base, unsigned long bytes)
{
	g_shadow = (s8 *)shadow;
	g_base = base;
	g_bytes = bytes;
}

static void fill(unsigned long offset, size_t granules, s8 v)
{
	s8 *s = g_shadow + offset / 8;
	u64 word = 0x0101010101010101ull * (u8)v;

	for (; granules && (uintptr_t)s % 8; granules--)
		*s++ = v;
	for (; granules >= 8; granules -= 8, s += 8)
		*(u64 __attribute__((may_alias)) *)s = word;
	while (granules--)
		*s++ = v;
}

void kasan_unpoison(const void *p, size_t n)
{
	unsigned long offset = (unsigned long)p - g_base;

	if (offset >= g_bytes)
		return;
	fill(offset, n / 8, 0);
	if (n % 8)
		g_shadow[(offset + n) / 8] = (s8)(n % 8);
}

void kasan_poison(const void *p, size_t n, int why)
{
	unsigned long offset = (unsigned long)p - g_base;

	if (offset < g_bytes)
		fill(offset, (n + 7) / 8, (s8)why);
}

int kasan_state(unsigned long addr)
{
	unsigned long offset = addr - g_base;
	s8 s = offset < g_bytes ? g_shadow[offset / 8] : 0;

	return s > 0 && (s8)(offset % 8) < s ? 0 : s;
}

/* n is 1 at least. Between the ends, a granule is whole or not there. */
static always_inline void check(unsigned long addr, size_t n, bool write, unsigned long caller)
{
	unsigned long offset = addr - g_base, last = offset + n - 1;
	s8 s;

	if (offset >= g_bytes)
		return;
	for (unsigned long g = offset / 8; unlikely(g < last / 8); g++)
		if (unlikely(g_shadow[g]))
			kasan_report(addr, n, write, caller);
	s = g_shadow[last / 8];
	if (unlikely(s) && (s < 0 || (s8)(last % 8) >= s))
		kasan_report(addr, n, write, caller);
}

void kasan_check(const void *p, size_t n, bool write)
{
	if (n)
		check((unsigned long)p, n, write, (unsigned long)__builtin_return_address(0));
}

#define INSTRUMENTED(name, size, write)                                               \
	void __asan_##name##size##_noabort(unsigned long addr);                       \
	void __asan_##name##size##_noabort(unsigned long addr)                        \
	{                                                                             \
		check(addr, size, write, (unsigned long)__builtin_return_address(0)); \
	}                                                                             \
	static_assert(size >= 1, "an access has bytes")
INSTRUMENTED(load, 1, false);
INSTRUMENTED(load, 2, false);
INSTRUMENTED(load, 4, false);
INSTRUMENTED(load, 8, false);
INSTRUMENTED(load, 16, false);
INSTRUMENTED(store, 1, true);
INSTRUMENTED(store, 2, true);
INSTRUMENTED(store, 4, true);
INSTRUMENTED(store, 8, true);
INSTRUMENTED(store, 16, true);

void __asan_loadN_noabort(unsigned long addr, size_t n);
void __asan_storeN_noabort(unsigned long addr, size_t n);
void __asan_handle_no_return(void);

void __asan_loadN_noabort(unsigned long addr, size_t n)
{
	if (n)
		check(addr, n, false, (unsigned long)__builtin_return_address(0));
}

void __asan_storeN_noabort(unsigned long addr, size_t n)
{
	if (n)
		check(addr, n, true, (unsigned long)__builtin_return_address(0));
}

void __asan_handle_no_return(void) /* stacks have no shadow */
{
}
#endif
