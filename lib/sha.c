/*
 * SHA-1 and SHA-256: FIPS 180-4, sections 5 and 6. Both take 64-byte blocks of big-endian words,
 * padded at the end with the length in bits.
 */
#include <lib/sha1.h>
#include <lib/sha256.h>
#include <lib/string.h>

static u32 rotr(u32 x, int n)
{
	return x >> n | x << (32 - n);
}

static u32 get(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static void put(u8 *p, u32 v)
{
	p[0] = (u8)(v >> 24);
	p[1] = (u8)(v >> 16);
	p[2] = (u8)(v >> 8);
	p[3] = (u8)v;
}

typedef void (*block_fn)(u32 *state, const u8 block[64]);

/* Feed n bytes behind *total; block keeps what does not fill one yet. */
static void feed(
	u32 *state, u64 *total, u8 block[64], const void *data, size_t n, block_fn each_block)
{
	u32 have = *total % 64;
	const u8 *p = data;

	*total += n;
	if (have) {
		u32 take = (u32)min(n, (size_t)(64 - have));

		memcpy(block + have, p, take);
		if (have + take < 64)
			return;
		each_block(state, block);
		p += take;
		n -= take;
	}
	for (; n >= 64; n -= 64, p += 64)
		each_block(state, p);
	memcpy(block, p, n);
}

/* Pad, and write the state's first words to out. */
static void finish(u32 *state, u64 total, u8 block[64], u8 *out, u32 words, block_fn each_block)
{
	u32 have = total % 64;

	block[have++] = 0x80;
	if (have > 56) {
		memset(block + have, 0, 64 - have);
		each_block(state, block);
		have = 0;
	}
	memset(block + have, 0, 56 - have);
	put(block + 56, (u32)(total >> 29));
	put(block + 60, (u32)(total << 3));
	each_block(state, block);
	for (u32 i = 0; i < words; i++)
		put(out + 4 * i, state[i]);
}

static void sha256_block(u32 *state, const u8 block[64])
{
	/* First 32 bits of the fractional parts of the cube roots of the first 64 primes. */
	static const u32 k[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
		0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3,
		0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6,
		0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d,
		0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
		0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585,
		0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
		0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa,
		0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
	u32 w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = get(block + 4 * i);
	for (int i = 16; i < 64; i++) {
		u32 a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (rotr(a, 7) ^ rotr(a, 18) ^ a >> 3) + w[i - 7] +
			(rotr(b, 17) ^ rotr(b, 19) ^ b >> 10);
	}
	memcpy(v, state, sizeof(v));
	for (int i = 0; i < 64; i++) {
		u32 a = v[0], e = v[4];
		u32 t1 = v[7] + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) +
			((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
		u32 t2 = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) +
			((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof(*v));
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void sha256_init(struct sha256 *s)
{
	static const u32 start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
		0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(s->state, start, sizeof(start));
	s->total = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t n)
{
	feed(s->state, &s->total, s->block, data, n, sha256_block);
}

void sha256_final(struct sha256 *s, u8 out[SHA256_SIZE])
{
	finish(s->state, s->total, s->block, out, 8, sha256_block);
}

static void sha1_block(u32 *state, const u8 block[64])
{
	static const u32 k[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	u32 w[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];

	for (int i = 0; i < 16; i++)
		w[i] = get(block + 4 * i);
	for (int i = 16; i < 80; i++)
		w[i] = rotr(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 31);
	for (int i = 0; i < 80; i++) {
		u32 f = i < 20              ? (b & c) ^ (~b & d)
			: i >= 40 && i < 60 ? (b & c) ^ (b & d) ^ (c & d)
					    : b ^ c ^ d;
		u32 t = rotr(a, 27) + f + e + k[i / 20] + w[i];

		e = d;
		d = c;
		c = rotr(b, 2);
		b = a;
		a = t;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}

void sha1_init(struct sha1 *s)
{
	static const u32 start[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

	memcpy(s->state, start, sizeof(start));
	s->total = 0;
}

void sha1_update(struct sha1 *s, const void *data, size_t n)
{
	feed(s->state, &s->total, s->block, data, n, sha1_block);
}

void sha1_final(struct sha1 *s, u8 out[SHA1_SIZE])
{
	finish(s->state, s->total, s->block, out, 5, sha1_block);
}
