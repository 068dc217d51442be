/* SipHash-2-4 (Aumasson and Bernstein, 2012). */
#include <lib/hash.h>
#include <lib/string.h>

static u64 rotl(u64 x, int n)
{
	return x << n | x >> (64 - n);
}

static void round_once(u64 v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

u64 siphash(const void *data, size_t len, const struct siphash_key *key)
{
	u64 v[4] = {key->k[0] ^ 0x736f6d6570736575ull, key->k[1] ^ 0x646f72616e646f6dull,
		key->k[0] ^ 0x6c7967656e657261ull, key->k[1] ^ 0x7465646279746573ull};
	u64 last = (u64)len << 56, w;
	const u8 *p = data;

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		v[3] ^= w;
		round_once(v);
		round_once(v);
		v[0] ^= w;
	}
	for (size_t i = 0; i < len; i++)
		last |= (u64)p[i] << (8 * i);
	v[3] ^= last;
	round_once(v);
	round_once(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		round_once(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
