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
