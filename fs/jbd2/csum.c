/* Checksums of the journal: crc32c, seeded with its UUID. */
#include "internal.h"

/* Of a whole block, with its own field taken as zero. */
u32 block_csum(const struct journal *j, const void *block, u32 *field)
{
	u32 old = *field, crc;

	*field = 0;
	crc = crc32c_update(j->csum_seed, block, j->c.block_size);
	*field = old;
	return crc;
}

u32 tag_csum(const struct journal *j, u32 sequence, const void *data)
{
	u32 seq = be32(sequence);

	return crc32c_update(crc32c_update(j->csum_seed, &seq, sizeof(seq)), data, j->c.block_size);
}

u32 super_csum(const struct jbd2_super *sb)
{
	struct jbd2_super *s = (struct jbd2_super *)sb;
	u32 old = s->s_checksum, crc;

	s->s_checksum = 0;
	crc = crc32c_update(~0u, s, sizeof(*s));
	s->s_checksum = old;
	return crc;
}

/* Most significant bit first, polynomial 0x04c11db7, no inversion. */
u32 crc32_be(u32 crc, const void *data, size_t n)
{
	static u32 table[256]; /* every writer writes the same */
	const u8 *p = data;

	if (!READ_ONCE(table[255]))
		for (u32 i = 0; i < 256; i++) {
			u32 v = i << 24;

			for (int k = 0; k < 8; k++)
				v = v << 1 ^ (v >> 31 ? 0x04c11db7u : 0);
			WRITE_ONCE(table[i], v);
		}
	while (n--)
		crc = crc << 8 ^ table[crc >> 24 ^ *p++];
	return crc;
}
