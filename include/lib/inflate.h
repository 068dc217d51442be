/*
 * Decoder for gzip members (RFC 1952) with deflate data (RFC 1951), from memory, output pushed to a
 * callback. Robust against any input: reads only [data, data+len), never loops without progress.
 */
#ifndef LIB_INFLATE_H
#define LIB_INFLATE_H

#include <lib/crc32.h>

#define INFLATE_WINDOW    32768
#define INFLATE_FAST_BITS 9

struct inflate_huffman {
	u16 fast[1
		<< INFLATE_FAST_BITS]; /* by the next bits: symbol << 4 | code length; 0: longer */
	u16 count[16];                 /* codes of each length */
	u16 symbol[288];               /* in canonical order */
};

struct inflate {
	/* Takes output; 0 to go on, negative to stop with that error. */
	int (*write)(void *ctx, const u8 *data, size_t n);
	void *ctx;
	/* private */
	const u8 *in;
	size_t in_len, in_pos;
	u64 bits; /* bits above nr_bits are 0 or already those of in[in_pos...] */
	u32 nr_bits;
	u32 crc;
	u64 total;
	u32 win_pos, win_flushed;
	int error;
	struct inflate_huffman literals, distances;
	u8 lengths[320];
	u8 window[INFLATE_WINDOW];
};

/*
 * Decode one gzip member at data. write and ctx are set by the caller, the rest is scratch (about
 * 37 KiB: not for a stack). *used_len: bytes of data consumed. 0, -EINVAL (broken: bad header,
 * code, checksum or size, or cut short), or write's error.
 */
int inflate_gzip(struct inflate *s, const u8 *data, size_t len, size_t *used_len) must_check;

#endif
