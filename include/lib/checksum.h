/* The Internet checksum (RFC 1071): ones' complement sum of 16-bit words. */
#ifndef LIB_CHECKSUM_H
#define LIB_CHECKSUM_H

/*
 * Add n bytes to a partial sum (start with 0). Pieces but the last must have an even length. The
 * sum is kept in memory's byte order, so a folded one is stored in a packet as it is.
 */
u64 checksum_add(u64 sum, const void *data, size_t n) pure_fn;

/* The checksum field for a sum: folded to 16 bits, inverted. Over data with a right field it is 0. */
static inline u16 checksum_fold(u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

/* A folded field after a 16-bit word of the data changed from old to new (RFC 1624). */
static inline u16 checksum_replace(u16 field, u16 old, u16 new)
{
	return checksum_fold((u64)(u16)~field + (u16)~old + new);
}

#endif
