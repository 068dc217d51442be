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
/*
 * What n (< 2^17) further bytes of zeroes make of a remainder, and back. A remainder is linear:
 * where some bytes inside a longer text change, its remainder changes by (exclusive or)
 * crc32c_shift(crc32c_update(0, old ^ new, their number), number of bytes behind them).
 */
u32 crc32c_shift(u32 crc, size_t n) pure_fn;
u32 crc32c_unshift(u32 crc, size_t n) pure_fn;
/* Start-up, one CPU: from now on it is done by fn, which the CPU has an instruction for. */
void crc32c_use(u32 (*fn)(u32 crc, const u8 *p, size_t n));

#endif
