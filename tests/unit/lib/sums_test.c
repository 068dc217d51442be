/* Ciphers, hashes and checksums against published vectors. */
#include "unit.h"
#include <lib/chacha20.h>
#include <lib/checksum.h>
#include <lib/crc32.h>
#include <lib/hash.h>
#include <lib/sha1.h>
#include <lib/sha256.h>
#include <lib/string.h>

/* RFC 8439, 2.3.2. */
UNIT(chacha20_block_of_the_rfc)
{
	static const u8 want[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f,
		0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03,
		0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f,
		0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
	static const u8 nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
	u8 key[32], out[64];
	u32 state[16];

	for (int i = 0; i < 32; i++)
		key[i] = (u8)i;
	chacha20_init(state, key, 1, nonce);
	chacha20_block(state, out);
	EXPECT_MEM(out, want, 64);
}

/* The vectors of SipHash's authors: key 00..0f, message 00..n-1. */
UNIT(siphash_of_its_authors)
{
	static const struct {
		u32 n;
		u64 want;
	} v[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {7, 0xab0200f58b01d137},
		{8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
	struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	u8 data[64];

	for (int i = 0; i < 64; i++)
		data[i] = (u8)i;
	for (u32 i = 0; i < ARRAY_SIZE(v); i++)
		EXPECT_EQ(siphash(data, v[i].n, &key), v[i].want);
}

UNIT(crc32_check_value)
{
	u32 crc = crc32_update(0, "1234", 4);

	EXPECT_EQ(crc32_update(0, "123456789", 9), 0xcbf43926);
	EXPECT_EQ(crc32_update(crc, "56789", 5), 0xcbf43926);
	EXPECT_EQ(crc32_update(0, "", 0), 0);
}

/* RFC 3720, B.4. */
UNIT(crc32c_of_the_rfc)
{
	u8 data[32] = {0};

	EXPECT_EQ(~crc32c_update(~0u, data, 32), 0x8a9136aa);
	memset(data, 0xff, 32);
	EXPECT_EQ(~crc32c_update(~0u, data, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		data[i] = (u8)i;
	EXPECT_EQ(~crc32c_update(~0u, data, 32), 0x46dd794e);
	EXPECT_EQ(~crc32c_update(crc32c_update(~0u, data, 5), data + 5, 27), 0x46dd794e);
}

UNIT(crc32c_of_a_text_that_changes)
{
	static u8 text[70000], diff[16];
	static const struct {
		u32 at, n;
	} places[] = {{0, 1}, {0, 16}, {4092, 4}, {69999, 1}, {69984, 16}, {12345, 7}};
	u32 crc;

	for (u32 i = 0; i < sizeof(text); i++)
		text[i] = (u8)(i * 7 + i / 251);
	crc = crc32c_update(~0u, text, sizeof(text));
	for (u32 k = 0; k < ARRAY_SIZE(places); k++) {
		for (u32 i = 0; i < places[k].n; i++) {
			diff[i] = (u8)(0x5a + i);
			text[places[k].at + i] ^= diff[i];
		}
		crc ^= crc32c_shift(crc32c_update(0, diff, places[k].n),
			sizeof(text) - places[k].at - places[k].n);
		EXPECT_EQ(crc, crc32c_update(~0u, text, sizeof(text)));
	}
	EXPECT_EQ(crc32c_shift(crc, 0), crc);
	EXPECT_EQ(crc32c_unshift(crc32c_shift(crc, 99999), 99999), crc);
}

static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

static void hex(char *out, const u8 *digest, int n)
{
	for (int i = 0; i < n; i++)
		unit_snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void sha256_is(const void *data, size_t n, const char *want)
{
	u8 digest[SHA256_SIZE];
	char text[65];

	for (size_t piece = 1; piece < 200; piece += 1 + piece / 3) {
		struct sha256 s;

		sha256_init(&s);
		for (size_t at = 0; at < n; at += piece)
			sha256_update(&s, (const u8 *)data + at, min(piece, n - at));
		sha256_final(&s, digest);
		hex(text, digest, SHA256_SIZE);
		EXPECT_STR(text, want);
	}
}

static void sha1_is(const void *data, size_t n, const char *want)
{
	u8 digest[SHA1_SIZE];
	char text[41];

	for (size_t piece = 1; piece < 200; piece += 1 + piece / 3) {
		struct sha1 s;

		sha1_init(&s);
		for (size_t at = 0; at < n; at += piece)
			sha1_update(&s, (const u8 *)data + at, min(piece, n - at));
		sha1_final(&s, digest);
		hex(text, digest, SHA1_SIZE);
		EXPECT_STR(text, want);
	}
}

/* The examples of FIPS 180-4, and every padding against the system's programs. */
UNIT(sha_of_the_standard)
{
	sha256_is("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_is("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	sha256_is(
		two_blocks, 56, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	sha1_is("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	sha1_is("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	sha1_is(two_blocks, 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
}

UNIT(sha_of_any_length_is_what_coreutils_say)
{
	u8 data[130];

	unit_random_bytes(data, sizeof(data));
	for (size_t n = 50; n <= 130; n += 1 + (n > 70) * 7) {
		size_t len;
		u8 *out = unit_filter("sha256sum", data, n, &len);

		if (EXPECT(len > 64)) {
			out[64] = 0;
			sha256_is(data, n, (char *)out);
		}
		unit_free(out);
		out = unit_filter("sha1sum", data, n, &len);
		if (EXPECT(len > 40)) {
			out[40] = 0;
			sha1_is(data, n, (char *)out);
		}
		unit_free(out);
	}
}

/* RFC 1071, 3: the words 0001 f203 f4f5 f6f7 sum to ddf2. */
UNIT(internet_checksum_of_the_rfc)
{
	static const u8 data[8] = {0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7};

	EXPECT_EQ((u16)~checksum_fold(checksum_add(0, data, 8)), 0xf2dd);
	EXPECT_EQ((u16)~checksum_fold(checksum_add(checksum_add(0, data, 2), data + 2, 6)), 0xf2dd);
}

UNIT(internet_checksum_adds_words_and_follows_changes)
{
	u8 data[200];

	for (int i = 0; i < 2000; i++) {
		u64 n = unit_random_below(sizeof(data) + 1), slow = 0;
		u16 word[2], field;

		if (i % 3)
			unit_random_bytes(data, n);
		else
			memset(data, 0xff, n);
		for (u64 k = 0; k < n; k++)
			slow += (u64)data[k] << (k % 2 * 8);
		field = checksum_fold(checksum_add(0, data, n));
		EXPECT_EQ(field, checksum_fold(slow));
		if (n < 4)
			continue;
		memcpy(&word[0], data + 2, 2);
		word[1] = (u16)unit_random();
		memcpy(data + 2, &word[1], 2);
		EXPECT_EQ(checksum_replace(field, word[0], word[1]),
			checksum_fold(checksum_add(0, data, n)));
	}
}
