/*
 * Inflate after RFC 1951. Bits are kept in a 64-bit word that is refilled eight bytes at a time;
 * codes of up to INFLATE_FAST_BITS bits are one table look-up, longer ones are decoded length by
 * length from the canonical order. Output goes through a 32 KiB window that is handed to the caller
 * whenever it fills.
 *
 * Any step that finds the input broken sets s->error and returns something harmless; loops end on
 * it.
 */
#include <lib/err.h>
#include <lib/inflate.h>
#include <lib/string.h>

#define WINDOW_MASK (INFLATE_WINDOW - 1)
#define FAST_SIZE   (1u << INFLATE_FAST_BITS)

/* At least 56 bits, or all that is left. */
static inline void refill(struct inflate *s)
{
	if (s->in_len - s->in_pos >= 8) {
		u64 w;

		memcpy(&w, s->in + s->in_pos, 8);
		s->bits |= w << s->nr_bits;
		s->in_pos += (63 - s->nr_bits) / 8;
		s->nr_bits |= 56;
		return;
	}
	while (s->nr_bits < 56 && s->in_pos < s->in_len) {
		s->bits |= (u64)s->in[s->in_pos++] << s->nr_bits;
		s->nr_bits += 8;
	}
}

/* n bits, at most 13, that a refill was made for. */
static inline u32 take(struct inflate *s, u32 n)
{
	u32 v = (u32)s->bits & ((1u << n) - 1);

	if (s->nr_bits < n) {
		s->error = -EINVAL;
		return 0;
	}
	s->bits >>= n;
	s->nr_bits -= n;
	return v;
}

static u32 take_bits(struct inflate *s, u32 n)
{
	refill(s);
	return take(s, n);
}

static u32 take_u32(struct inflate *s)
{
	u32 v = take_bits(s, 8);

	v |= take_bits(s, 8) << 8;
	v |= take_bits(s, 8) << 16;
	return v | take_bits(s, 8) << 24;
}

static u32 take_u16(struct inflate *s)
{
	u32 v = take_bits(s, 8);

	return v | take_bits(s, 8) << 8;
}

/* On to the next whole byte, and back to bytes that were not used. */
static void align_to_byte(struct inflate *s)
{
	s->in_pos -= s->nr_bits / 8;
	s->bits = 0;
	s->nr_bits = 0;
}

static void flush_window(struct inflate *s)
{
	u32 n = s->win_pos - s->win_flushed;

	if (!n || s->error)
		return;
	s->crc = crc32_update(s->crc, s->window + s->win_flushed, n);
	s->error = s->write(s->ctx, s->window + s->win_flushed, n);
	if (s->win_pos == INFLATE_WINDOW)
		s->win_pos = 0;
	s->win_flushed = s->win_pos;
}

static inline void put_byte(struct inflate *s, u8 c)
{
	s->window[s->win_pos++] = c;
	s->total++;
	if (s->win_pos == INFLATE_WINDOW)
		flush_window(s);
}

static u32 reverse(u32 code, int len)
{
	u32 r = 0;

	for (; len; len--, code >>= 1)
		r = r << 1 | (code & 1);
	return r;
}

/*
 * Tables for a code given by its lengths. -EINVAL when it is over-subscribed, or incomplete but for
 * the one-symbol code that RFC 1951 allows. A code without symbols decodes nothing.
 */
static int build(struct inflate_huffman *h, const u8 *lengths, u32 n)
{
	u16 offset[16];
	int left = 1;
	u32 code = 0, at = 0;

	memset(h->count, 0, sizeof(h->count));
	memset(h->fast, 0, sizeof(h->fast));
	for (u32 i = 0; i < n; i++)
		h->count[lengths[i]]++;
	for (int len = 1; len < 16; len++) {
		left = left * 2 - h->count[len];
		if (left < 0)
			return -EINVAL;
	}
	if (left > 0 && n - h->count[0] > 1)
		return -EINVAL;
	offset[1] = 0;
	for (int len = 1; len < 15; len++)
		offset[len + 1] = (u16)(offset[len] + h->count[len]);
	for (u32 i = 0; i < n; i++)
		if (lengths[i])
			h->symbol[offset[lengths[i]]++] = (u16)i;
	for (int len = 1; len <= INFLATE_FAST_BITS; len++, code <<= 1)
		for (u32 i = 0; i < h->count[len]; i++, code++) {
			u16 entry = (u16)(h->symbol[at++] << 4 | len);

			for (u32 k = reverse(code, len); k < FAST_SIZE; k += 1u << len)
				h->fast[k] = entry;
		}
	return 0;
}

/* A code longer than the fast table's, bit by bit; a refill was made. */
static u32 decode_long(struct inflate *s, const struct inflate_huffman *h)
{
	int code = 0, first = 0, index = 0;
	u64 bits = s->bits;

	for (u32 len = 1; len < 16 && len <= s->nr_bits; len++, bits >>= 1) {
		code |= (int)(bits & 1);
		if (code - h->count[len] < first) {
			s->bits >>= len;
			s->nr_bits -= len;
			return h->symbol[index + (code - first)];
		}
		index += h->count[len];
		first = (first + h->count[len]) * 2;
		code *= 2;
	}
	s->error = -EINVAL;
	return 0;
}

/* The next symbol; a refill was made. */
static inline u32 decode(struct inflate *s, const struct inflate_huffman *h)
{
	u32 entry = h->fast[s->bits & (FAST_SIZE - 1)], len = entry & 15;

	if (len == 0 || len > s->nr_bits)
		return decode_long(s, h);
	s->bits >>= len;
	s->nr_bits -= len;
	return entry >> 4;
}

static void copy_match(struct inflate *s, u32 dist, u32 len)
{
	u32 from = (s->win_pos - dist) & WINDOW_MASK;

	if (dist > s->total) { /* before the first byte; distances end at the window's size */
		s->error = -EINVAL;
		return;
	}
	if (dist >= len && from + len <= INFLATE_WINDOW && s->win_pos + len < INFLATE_WINDOW &&
		(from + len <= s->win_pos || from >= s->win_pos + len)) {
		memcpy(s->window + s->win_pos, s->window + from, len);
		s->win_pos += len;
		s->total += len;
		return;
	}
	while (len-- && !s->error)
		put_byte(s, s->window[(s->win_pos - dist) & WINDOW_MASK]);
}

/* RFC 1951, 3.2.5. The longest length and distance take 15 + 5 + 15 + 13 bits: one refill. */
static void coded_block(struct inflate *s)
{
	static const u16 len_base[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
		35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
	static const u8 len_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
		4, 4, 4, 4, 5, 5, 5, 5, 0};
	static const u16 dist_base[30] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193,
		257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

	while (!s->error) {
		u32 sym, len, d;

		refill(s);
		sym = decode(s, &s->literals);
		if (sym < 256 && !s->error) {
			put_byte(s, (u8)sym);
			continue;
		}
		if (s->error || sym == 256)
			return;
		sym -= 257;
		if (sym >= ARRAY_SIZE(len_base))
			break;
		len = len_base[sym] + take(s, len_extra[sym]);
		d = decode(s, &s->distances);
		if (s->error || d >= ARRAY_SIZE(dist_base))
			break;
		d = dist_base[d] + take(s, d < 4 ? 0 : d / 2 - 1);
		if (!s->error)
			copy_match(s, d, len);
	}
	s->error = s->error ?: -EINVAL;
}

static void stored_block(struct inflate *s)
{
	u32 len;

	align_to_byte(s);
	len = take_u16(s);
	if ((len ^ take_u16(s)) != 0xffff)
		s->error = -EINVAL;
	align_to_byte(s);
	if (len > s->in_len - s->in_pos)
		s->error = -EINVAL;
	while (len && !s->error) {
		u32 n = min(len, INFLATE_WINDOW - s->win_pos);

		memcpy(s->window + s->win_pos, s->in + s->in_pos, n);
		s->in_pos += n;
		s->win_pos += n;
		s->total += n;
		len -= n;
		if (s->win_pos == INFLATE_WINDOW)
			flush_window(s);
	}
}

static void fixed_codes(struct inflate *s)
{
	for (int i = 0; i < 288; i++)
		s->lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	s->error = build(&s->literals, s->lengths, 288);
	memset(s->lengths, 5, 32); /* the last two are no distances, but complete the code */
	if (!s->error)
		s->error = build(&s->distances, s->lengths, 32);
}

/* One run of code lengths at s->lengths + at, of which room may be filled; how many were. */
static u32 read_lengths(struct inflate *s, u32 at, u32 room)
{
	u32 sym, repeat = 1;
	u8 value;

	refill(s);
	sym = decode(s, &s->literals);
	value = (u8)sym;
	if (sym == 16) {
		value = at ? s->lengths[at - 1] : 0;
		repeat = 3 + take(s, 2);
		if (at == 0)
			s->error = -EINVAL;
	} else if (sym > 16) {
		value = 0;
		repeat = sym == 17 ? 3 + take(s, 3) : 11 + take(s, 7);
	}
	if (repeat > room)
		s->error = -EINVAL;
	else
		memset(s->lengths + at, value, repeat);
	return repeat;
}

static void dynamic_codes(struct inflate *s)
{
	static const u8 order[19] = {
		16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
	u32 nlen = take_bits(s, 5) + 257, ndist = take_bits(s, 5) + 1, ncode = take_bits(s, 4) + 4;

	if (nlen > 286 || ndist > 30)
		s->error = -EINVAL;
	memset(s->lengths, 0, sizeof(s->lengths));
	for (u32 i = 0; i < ncode && !s->error; i++)
		s->lengths[order[i]] = (u8)take_bits(s, 3);
	if (!s->error)
		s->error = build(&s->literals, s->lengths, 19);
	for (u32 at = 0; at < nlen + ndist && !s->error;)
		at += read_lengths(s, at, nlen + ndist - at);
	if (s->error || s->lengths[256] == 0 || build(&s->distances, s->lengths + nlen, ndist) ||
		build(&s->literals, s->lengths, nlen))
		s->error = -EINVAL;
}

static void inflate_blocks(struct inflate *s)
{
	bool last = false;

	while (!last && !s->error) {
		last = take_bits(s, 1);
		switch (take_bits(s, 2)) {
		case 0:
			stored_block(s);
			break;
		case 1:
			fixed_codes(s);
			coded_block(s);
			break;
		case 2:
			dynamic_codes(s);
			coded_block(s);
			break;
		default:
			s->error = -EINVAL;
			break;
		}
	}
	flush_window(s);
}

static void skip_string(struct inflate *s)
{
	while (!s->error && take_bits(s, 8))
		;
}

/* RFC 1952, 2.3. The header's own checksum is not looked at: the data has one. */
static void gzip_header(struct inflate *s)
{
	u32 flags;

	if (take_bits(s, 8) != 0x1f || take_bits(s, 8) != 0x8b || take_bits(s, 8) != 8)
		s->error = -EINVAL;
	flags = take_bits(s, 8);
	take_u32(s); /* time */
	take_u16(s); /* compressor, system */
	if (flags & 0xe0)
		s->error = -EINVAL;
	if (flags & 4)
		for (u32 n = take_u16(s); n && !s->error; n--)
			take_bits(s, 8);
	if (flags & 8)
		skip_string(s);
	if (flags & 16)
		skip_string(s);
	if (flags & 2)
		take_u16(s);
}

int inflate_gzip(struct inflate *s, const u8 *data, size_t len, size_t *used_len)
{
	s->in = data;
	s->in_len = len;
	s->in_pos = 0;
	s->bits = 0;
	s->nr_bits = 0;
	s->crc = 0;
	s->total = 0;
	s->win_pos = s->win_flushed = 0;
	s->error = 0;
	gzip_header(s);
	if (!s->error)
		inflate_blocks(s);
	align_to_byte(s);
	if (!s->error && (take_u32(s) != s->crc || take_u32(s) != (u32)s->total))
		s->error = -EINVAL;
	align_to_byte(s);
	*used_len = s->in_pos;
	return s->error;
}
