/* Bitmaps. */
#include <lib/bitmap.h>

static u64 next(const u64 *map, u64 size, u64 from, u64 flip)
{
	while (from < size) {
		u64 w = (map[from / 64] ^ flip) >> (from % 64);

		if (w) {
			from += (u64)__builtin_ctzll(w);
			return from < size ? from : size;
		}
		from = (from / 64 + 1) * 64;
	}
	return size;
}

u64 bitmap_next_set(const u64 *map, u64 size, u64 from)
{
	return next(map, size, from, 0);
}

u64 bitmap_next_clear(const u64 *map, u64 size, u64 from)
{
	return next(map, size, from, U64_MAX);
}

void bitmap_set_range(u64 *map, u64 from, u64 n)
{
	for (; n && (from % 64 || n < 64); n--, from++)
		bitmap_set(map, from);
	for (; n >= 64; n -= 64, from += 64)
		map[from / 64] = U64_MAX;
	for (; n; n--, from++)
		bitmap_set(map, from);
}

void bitmap_clear_range(u64 *map, u64 from, u64 n)
{
	for (; n && (from % 64 || n < 64); n--, from++)
		bitmap_clear(map, from);
	for (; n >= 64; n -= 64, from += 64)
		map[from / 64] = 0;
	for (; n; n--, from++)
		bitmap_clear(map, from);
}

u64 bitmap_count(const u64 *map, u64 size)
{
	u64 n = 0;

	for (u64 i = 0; i < size / 64; i++)
		n += (u64)__builtin_popcountll(map[i]);
	if (size % 64)
		n += (u64)__builtin_popcountll(map[size / 64] & ((1ull << (size % 64)) - 1));
	return n;
}
