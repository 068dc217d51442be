/*
 * The C standard's memory and string functions for the freestanding kernel. Copies and fills go by
 * 64-bit words, eight at a time: string instructions are slow on emulators, and where they are fast
 * arch replaces the page-sized operations by its own.
 */
#include <lib/kasan.h>
#include <lib/string.h>

#undef memcpy
#undef memset
#undef memcmp
#undef strlen

typedef u64 word __attribute__((may_alias, aligned(1)));
typedef u32 half __attribute__((may_alias, aligned(1)));
typedef u16 quarter __attribute__((may_alias, aligned(1)));

/* Fewer than 8 bytes: all are read before any is written, so overlap does not matter. */
static always_inline void copy_few(u8 *d, const u8 *s, size_t n)
{
	if (n >= 4) {
		u32 first = *(const half *)s, last = *(const half *)(s + n - 4);

		*(half *)d = first;
		*(half *)(d + n - 4) = last;
	} else if (n >= 2) {
		u16 first = *(const quarter *)s, last = *(const quarter *)(s + n - 2);

		*(quarter *)d = first;
		*(quarter *)(d + n - 2) = last;
	} else if (n) {
		*d = *s;
	}
}

/*
 * 8 bytes and more, upwards; right for overlap with d below s too: each word is read before
 * anything at or above it is written. The last word may overlap the one before; it is read first.
 */
static always_inline void copy_up(u8 *d, const u8 *s, size_t n)
{
	u64 last = *(const word *)(s + n - 8);

	for (; n >= 64; n -= 64, d += 64, s += 64) {
		((word *)d)[0] = ((const word *)s)[0];
		((word *)d)[1] = ((const word *)s)[1];
		((word *)d)[2] = ((const word *)s)[2];
		((word *)d)[3] = ((const word *)s)[3];
		((word *)d)[4] = ((const word *)s)[4];
		((word *)d)[5] = ((const word *)s)[5];
		((word *)d)[6] = ((const word *)s)[6];
		((word *)d)[7] = ((const word *)s)[7];
	}
	if (n == 0)
		return;
	for (; n > 8; n -= 8, d += 8, s += 8)
		*(word *)d = *(const word *)s;
	*(word *)(d + n - 8) = last;
}

static always_inline void copy_down(u8 *d, const u8 *s, size_t n)
{
	u64 first = *(const word *)s;

	for (; n > 8; n -= 8)
		*(word *)(d + n - 8) = *(const word *)(s + n - 8);
	*(word *)d = first; /* n is 1 to 8: some of it may be written already, with the same */
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	kasan_check(src, n, false);
	kasan_check(dst, n, true);
	if (n < 8)
		copy_few(dst, src, n);
	else
		copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	kasan_check(src, n, false);
	kasan_check(dst, n, true);
	if (n < 8)
		copy_few(dst, src, n);
	else if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	u64 v = 0x0101010101010101ull * (u8)c;

	kasan_check(dst, n, true);
	if (n < 8) {
		for (; n; n--)
			*d++ = (u8)c;
		return dst;
	}
	*(word *)(d + n - 8) = v;
	for (; n >= 64; n -= 64, d += 64) {
		((word *)d)[0] = v;
		((word *)d)[1] = v;
		((word *)d)[2] = v;
		((word *)d)[3] = v;
		((word *)d)[4] = v;
		((word *)d)[5] = v;
		((word *)d)[6] = v;
		((word *)d)[7] = v;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(word *)d = v;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n >= 8; n -= 8, x += 8, y += 8) {
		u64 v = *(const word *)x, w = *(const word *)y;

		if (v != w) /* the first byte decides: it is the highest one then */
			return __builtin_bswap64(v) < __builtin_bswap64(w) ? -1 : 1;
	}
	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	for (const u8 *p = s; n; n--, p++)
		if (*p == (u8)c)
			return (void *)p;
	return NULL;
}

/* Aligned words: the bytes read behind the end are in the same page. */
__attribute__((no_sanitize("address"))) size_t strlen(const char *s)
{
	const char *p = s;
	u64 w, zeros;

	for (; !is_aligned((uintptr_t)p, 8); p++)
		if (!*p)
			return (size_t)(p - s);
	for (;; p += 8) {
		w = *(const word *)p;
		zeros = (w - 0x0101010101010101ull) & ~w & 0x8080808080808080ull;
		if (zeros)
			return (size_t)(p - s) + (size_t)__builtin_ctzll(zeros) / 8;
	}
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}

char *strstr(const char *s, const char *what)
{
	size_t n = strlen(what);

	for (;; s++) {
		if (strncmp(s, what, n) == 0)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}

size_t strspn(const char *s, const char *set)
{
	size_t n = 0;

	while (s[n] && strchr(set, s[n]))
		n++;
	return n;
}

size_t strcspn(const char *s, const char *set)
{
	size_t n = 0;

	while (s[n] && !strchr(set, s[n]))
		n++;
	return n;
}
