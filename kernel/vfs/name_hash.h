/*
 * Hashing and comparing names eight bytes at a time. A word is read behind the end of a name only
 * inside the page that the name's last byte is in, so the memory is there.
 */
#ifndef VFS_NAME_HASH_H
#define VFS_NAME_HASH_H

#include <kmem/page.h>

extern u64 g_name_seed; /* random, so that nobody chooses names that collide; immutable */

#define NAME_BYTES(c) (0x0101010101010101ull * (c))

/* The bytes at p, little end first; what follows the name (or the NUL) may be anything. */
__attribute__((no_sanitize("address"))) static inline u64 name_word(const char *p, size_t len)
{
	u64 w = 0;

	if (likely(((uintptr_t)p & (PAGE_SIZE - 1)) <= PAGE_SIZE - 8)) {
		__builtin_memcpy(&w, p, 8);
		return w;
	}
	for (size_t i = 0; i < len && i < 8 && p[i]; i++)
		w |= (u64)(u8)p[i] << (8 * i);
	return w;
}

static inline u64 name_low_bytes(u64 w, size_t n) /* n < 8 */
{
	return w & ((1ull << (8 * n)) - 1);
}

static inline u64 name_mix(u64 h, u64 w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

static inline u32 name_hash_end(u64 h, u64 rest, size_t len)
{
	h = name_mix(h, rest ^ (u64)len << 56);
	return (u32)(h ^ h >> 32);
}

static inline u32 name_hash(const char *name, size_t len)
{
	u64 h = g_name_seed;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		h = name_mix(h, name_word(name + i, 8));
	return name_hash_end(h, name_low_bytes(name_word(name + i, len - i), len - i), len);
}

/* Length of the path component at p, which ends at a slash or NUL, and its hash. */
static inline size_t name_scan(const char *p, u32 *hash)
{
	u64 h = g_name_seed;

	for (size_t i = 0;; i += 8) {
		u64 w = name_word(p + i, 8), s = w ^ NAME_BYTES('/');
		/* The lowest set bit is exact: borrows only reach bytes above a zero one. */
		u64 end = (((w - NAME_BYTES(1)) & ~w) | ((s - NAME_BYTES(1)) & ~s)) &
			NAME_BYTES(0x80);

		if (end) {
			size_t n = (size_t)__builtin_ctzll(end) / 8;

			*hash = name_hash_end(h, name_low_bytes(w, n), i + n);
			return i + n;
		}
		h = name_mix(h, w);
	}
}

static inline bool name_equal(const char *a, const char *b, size_t len)
{
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		if (name_word(a + i, 8) != name_word(b + i, 8))
			return false;
	return name_low_bytes(name_word(a + i, len - i) ^ name_word(b + i, len - i), len - i) == 0;
}

#endif
