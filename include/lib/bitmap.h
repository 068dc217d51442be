/* Bitmaps in arrays of u64; bit i is bit i%64 of word i/64. The caller's lock guards them. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

static inline void bitmap_set(u64 *map, u64 bit)
{
	map[bit / 64] |= 1ull << (bit % 64);
}
static inline void bitmap_clear(u64 *map, u64 bit)
{
	map[bit / 64] &= ~(1ull << (bit % 64));
}
static inline bool bitmap_test(const u64 *map, u64 bit)
{
	return (map[bit / 64] >> (bit % 64)) & 1;
}
/* First set (clear) bit >= from and < size; size: none. */
u64 bitmap_next_set(const u64 *map, u64 size, u64 from) pure_fn;
u64 bitmap_next_clear(const u64 *map, u64 size, u64 from) pure_fn;
void bitmap_set_range(u64 *map, u64 from, u64 n);
void bitmap_clear_range(u64 *map, u64 from, u64 n);
u64 bitmap_count(const u64 *map, u64 size) pure_fn;
#define bitmap_for_each_set(bit, map, size)                         \
	for (u64 bit = bitmap_next_set(map, size, 0); bit < (size); \
		bit = bitmap_next_set(map, size, bit + 1))

#endif
