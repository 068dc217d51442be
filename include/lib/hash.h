/* Hashes: a fast mixer for trusted keys, SipHash-2-4 for keys that users choose. */
#ifndef LIB_HASH_H
#define LIB_HASH_H

static inline u64 hash_u64(u64 x) /* every input bit reaches every output bit */
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ull;
	x ^= x >> 32;
	return x;
}
static inline u64 hash_ptr(const void *p)
{
	return hash_u64((u64)(uintptr_t)p);
}
/* Names: fast, seeded against chosen collisions by the secret seed. */
static inline u32 hash_name(const char *s, size_t len, u64 seed)
{
	u64 h = seed ^ len, w = 0;

	for (; len >= 8; len -= 8, s += 8) {
		__builtin_memcpy(&w, s, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	w = 0;
	for (size_t i = 0; i < len; i++)
		w |= (u64)(u8)s[i] << (8 * i);
	h = (h ^ w) * 0x9e3779b97f4a7c15ull;
	h ^= h >> 32;
	return (u32)(h ^ h >> 15);
}
struct siphash_key {
	u64 k[2];
};
u64 siphash(const void *data, size_t len, const struct siphash_key *key) pure_fn;

#endif
