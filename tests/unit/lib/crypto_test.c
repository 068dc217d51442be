/* Ciphers, hashes and checksums against published vectors. */
#include "unit.h"
#include <lib/chacha20.h>
#include <lib/hash.h>
#include <lib/crc32.h>
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
