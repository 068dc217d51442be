/*
 * Hashes of names, as the index of directories uses them. 32 bits order the names over the blocks
 * (major, even), 32 more order those of equal major hash for readers (minor). The older functions
 * take a byte of a name for signed or unsigned, as the machine did that made the file system.
 */
#include <lib/string.h>
#include "ext4.h"

/* The largest hash means "end" to readers of directories. */
#define HASH_END 0xfffffffeu

static u32 byte_of(const char *name, size_t at, bool is_unsigned)
{
	return is_unsigned ? (u32)(u8)name[at] : (u32)(s32)(s8)name[at];
}

static u32 legacy(const char *name, size_t len, bool is_unsigned)
{
	u32 newer = 0x12a3fe2d, older = 0x37abe8f9;

	for (size_t i = 0; i < len; i++) {
		u32 h = older + (newer ^ byte_of(name, i, is_unsigned) * 7152373u);

		if (h & 0x80000000u)
			h -= 0x7fffffff;
		older = newer;
		newer = h;
	}
	return newer << 1;
}

/* n words of the name, padded with its length; the name's bytes are put in from the top. */
static void take_words(const char *name, size_t len, bool is_unsigned, u32 *out, size_t n)
{
	u32 pad = (u32)len | (u32)len << 8;
	size_t at = 0;

	pad |= pad << 16;
	len = min(len, n * 4);
	for (size_t w = 0; w < n; w++) {
		u32 v = pad;

		for (size_t k = 0; k < 4 && at < len; k++, at++)
			v = byte_of(name, at, is_unsigned) + (v << 8);
		out[w] = v;
	}
}

/* Tiny encryption algorithm (Wheeler, Needham), 16 cycles, keyed by the name. */
static void tea(u32 state[4], const u32 key[4])
{
	u32 sum = 0, x = state[0], y = state[1];

	for (int n = 0; n < 16; n++) {
		sum += 0x9e3779b9;
		x += ((y << 4) + key[0]) ^ (y + sum) ^ ((y >> 5) + key[1]);
		y += ((x << 4) + key[2]) ^ (x + sum) ^ ((x >> 5) + key[3]);
	}
	state[0] += x;
	state[1] += y;
}

static u32 rotate(u32 x, u32 n)
{
	return x << n | x >> (32 - n);
}

/* MD4 (RFC 1320) with half of the words: three rounds of eight steps. */
static void half_md4(u32 state[4], const u32 in[8])
{
	static const struct {
		u32 add;
		u8 word[8], shift[4];
	} rounds[3] = {
		{0, {0, 1, 2, 3, 4, 5, 6, 7}, {3, 7, 11, 19}},
		{0x5a827999, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 5, 9, 13}},
		{0x6ed9eba1, {3, 7, 2, 6, 1, 5, 0, 4}, {3, 9, 11, 15}},
	};
	u32 s[4] = {state[0], state[1], state[2], state[3]};

	for (int r = 0; r < 3; r++) {
		for (int k = 0; k < 8; k++) {
			/* The step changes a, then d, c, b, and again. */
			u32 *a = &s[(4 - k) & 3], b = s[(5 - k) & 3], c = s[(6 - k) & 3],
			    d = s[(7 - k) & 3], f;

			if (r == 0)
				f = (b & c) | (~b & d);
			else if (r == 1)
				f = (b & c) | (b & d) | (c & d);
			else
				f = b ^ c ^ d;
			*a = rotate(*a + f + in[rounds[r].word[k]] + rounds[r].add,
				rounds[r].shift[k & 3]);
		}
	}
	for (int k = 0; k < 4; k++)
		state[k] += s[k];
}

int ext4_dir_hash(
	const struct ext4 *fs, u8 version, const char *name, size_t len, u32 *major, u32 *minor)
{
	u32 state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}, in[8];
	const u32 *seed = fs->hash_seed;
	bool is_unsigned = version >= EXT4_HASH_LEGACY_UNSIGNED;

	if (seed[0] | seed[1] | seed[2] | seed[3])
		memcpy(state, seed, sizeof(state));
	switch (version) {
	case EXT4_HASH_LEGACY:
	case EXT4_HASH_LEGACY_UNSIGNED:
		*major = legacy(name, len, is_unsigned);
		*minor = 0;
		break;
	case EXT4_HASH_HALF_MD4:
	case EXT4_HASH_HALF_MD4_UNSIGNED:
		for (size_t at = 0; at < len; at += 32) {
			take_words(name + at, len - at, is_unsigned, in, 8);
			half_md4(state, in);
		}
		*major = state[1];
		*minor = state[2];
		break;
	case EXT4_HASH_TEA:
	case EXT4_HASH_TEA_UNSIGNED:
		for (size_t at = 0; at < len; at += 16) {
			take_words(name + at, len - at, is_unsigned, in, 4);
			tea(state, in);
		}
		*major = state[0];
		*minor = state[1];
		break;
	default:
		return -EINVAL;
	}
	*major &= ~1u;
	if (*major == HASH_END)
		*major -= 2;
	return 0;
}
