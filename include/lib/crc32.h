/* CRC-32 as gzip, Ethernet and PNG use it; CRC-32C (RFC 3720, B.4) as ext4 and jbd2 use it. */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H

/* IEEE: start with 0, feed pieces, the result is final. */
u32 crc32_update(u32 crc, const void *data, size_t n) pure_fn;
/*
 * Castagnoli: the bare remainder, no inversion at either end, as on-disk formats chain it. The
 * usual checksum of data is ~crc32c_update(~0u, data, n).
 */
u32 crc32c_update(u32 crc, const void *data, size_t n) pure_fn;

#endif
