/*
 * Inflate after RFC 1951: canonical Huffman codes decoded bit by bit length by length (counts and
 * sorted symbols), a 32 KiB window that is handed to the caller whenever it fills.
 */
#include <lib/err.h>
#include <lib/inflate.h>
#include <lib/string.h>

u32 crc32_update(u32 crc, const void *data, size_t n)
{
	static const u32 nibble[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190,
		0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	const u8 *p = data;

	for (crc = ~crc; n; n--, p++) {
		crc ^= *p;
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return ~crc;
}

static u32 take_bits(struct inflate *s, u32 n)
{
	u32 v;

	while (s->nr_bits < n) {
		if (s->in_pos == s->in_len) {
			s->error = -EINVAL;
			return 0;
		}
		s->bits |= (u64)s->in[s->in_pos++] << s->nr_bits;
		s->nr_bits += 8;
	}
	v = (u32)(s->bits & ((1ull << n) - 1));
	s->bits >>= n;
	s->nr_bits -= n;
	return v;
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

static void put_byte(struct inflate *s, u8 c)
{
	s->window[s->win_pos++] = c;
	s->total++;
	if (s->win_pos == INFLATE_WINDOW)
		flush_window(s);
}

/* Canonical code from code lengths; -EINVAL when over-subscribed or incomplete beyond one code. */
static int build(struct inflate_huffman *h, const u8 *lengths, u32 n)
{
	u16 offset[16];
	int left = 1;

	memset(h->count, 0, sizeof(h->count));
	for (u32 i = 0; i < n; i++)
		h->count[lengths[i]]++;
	if (h->count[0] == n)
		return 0; /* no codes at all: using one is an error then */
	for (int len = 1; len < 16; len++) {
		left = left * 2 - h->count[len];
		if (left < 0)
			return -EINVAL;
	}
	if (left > 0 && n - h->count[0] != 1)
		return -EINVAL;
	offset[1] = 0;
	for (int len = 1; len < 15; len++)
		offset[len + 1] = (u16)(offset[len] + h->count[len]);
	for (u32 i = 0; i < n; i++)
		if (lengths[i])
			h->symbol[offset[lengths[i]]++] = (u16)i;
	return 0;
}

static int decode(struct inflate *s, const struct inflate_huffman *h)
{
	int code = 0, first = 0, index = 0;

	for (int len = 1; len < 16; len++) {
		code |= (int)take_bits(s, 1);
		if (s->error)
			return 0;
		if (code - h->count[len] < first)
			return h->symbol[index + (code - first)];
		index += h->count[len];
		first = (first + h->count[len]) * 2;
		code *= 2;
	}
	s->error = -EINVAL;
	return 0;
}

static void copy_match(struct inflate *s, u32 dist, u32 len)
{
	if (dist > s->total || dist > INFLATE_WINDOW) {
		s->error = -EINVAL;
		return;
	}
	while (len-- && !s->error)
		put_byte(s, s->window[(s->win_pos - dist) & (INFLATE_WINDOW - 1)]);
}

static void coded_block(struct inflate *s)
{
	static const u16 len_base[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43,
		51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
	static const u8 len_extra[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4,
		4, 4, 5, 5, 5, 5, 0};
	static const u16 dist_base[30] = {1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257,
		385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};

	while (!s->error) {
		int sym = decode(s, &s->literals);
		u32 len, d;

		if (s->error || sym == 256)
			return;
		if (sym < 256) {
			put_byte(s, (u8)sym);
			continue;
		}
		sym -= 257;
		if (sym >= 29) {
			s->error = -EINVAL;
			return;
		}
		len = len_base[sym] + take_bits(s, len_extra[sym]);
		d = (u32)decode(s, &s->distances);
		if (s->error || d >= 30) {
			s->error = -EINVAL;
			return;
		}
		copy_match(s, dist_base[d] + take_bits(s, d < 4 ? 0 : d / 2 - 1), len);
	}
}

static void stored_block(struct inflate *s)
{
	u32 len;

	take_bits(s, s->nr_bits % 8);
	len = take_bits(s, 16);
	if ((len ^ take_bits(s, 16)) != 0xffff)
		s->error = -EINVAL;
	while (len-- && !s->error)
		put_byte(s, (u8)take_bits(s, 8));
}

static void fixed_codes(struct inflate *s)
{
	for (int i = 0; i < 288; i++)
		s->lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
	s->error = build(&s->literals, s->lengths, 288);
	memset(s->lengths, 5, 30);
	if (!s->error)
		(void)build(&s->distances, s->lengths, 30); /* incomplete by definition, all used codes valid */
}

static void dynamic_codes(struct inflate *s)
{
	static const u8 order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
	u32 nlen = take_bits(s, 5) + 257, ndist = take_bits(s, 5) + 1, ncode = take_bits(s, 4) + 4;
	u32 at = 0;

	if (nlen > 286 || ndist > 30)
		s->error = -EINVAL;
	memset(s->lengths, 0, sizeof(s->lengths));
	for (u32 i = 0; i < ncode && !s->error; i++)
		s->lengths[order[i]] = (u8)take_bits(s, 3);
	if (!s->error)
		s->error = build(&s->literals, s->lengths, 19);
	memset(s->lengths, 0, sizeof(s->lengths));
	while (at < nlen + ndist && !s->error) {
		int sym = decode(s, &s->literals);
		u32 repeat = 1;
		u8 value = (u8)sym;

		if (s->error)
			return;
		if (sym == 16) {
			if (at == 0) {
				s->error = -EINVAL;
				return;
			}
			value = s->lengths[at - 1];
			repeat = 3 + take_bits(s, 2);
		} else if (sym > 16) {
			value = 0;
			repeat = sym == 17 ? 3 + take_bits(s, 3) : 11 + take_bits(s, 7);
		}
		if (at + repeat > nlen + ndist) {
			s->error = -EINVAL;
			return;
		}
		memset(s->lengths + at, value, repeat);
		at += repeat;
	}
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

static void gzip_header(struct inflate *s)
{
	u32 flags;

	if (take_bits(s, 8) != 0x1f || take_bits(s, 8) != 0x8b || take_bits(s, 8) != 8)
		s->error = -EINVAL;
	flags = take_bits(s, 8);
	take_bits(s, 32);
	take_bits(s, 16);
	if (flags & 0xe0)
		s->error = -EINVAL;
	if (flags & 4) {
		u32 n = take_bits(s, 16);

		while (n-- && !s->error)
			take_bits(s, 8);
	}
	if (flags & 8)
		skip_string(s);
	if (flags & 16)
		skip_string(s);
	if (flags & 2)
		take_bits(s, 16);
}

int inflate_gzip(struct inflate *s, const u8 *data, size_t len, size_t *used_len)
{
	s->in = data;
	s->in_len = len;
	s->in_pos = 0;
	s->bits = 0;
	s->nr_bits = 0;
	s->crc = s->total = 0;
	s->win_pos = s->win_flushed = 0;
	s->error = 0;
	gzip_header(s);
	if (!s->error)
		inflate_blocks(s);
	if (!s->error) {
		take_bits(s, s->nr_bits % 8);
		if (take_bits(s, 32) != s->crc || take_bits(s, 32) != s->total)
			s->error = -EINVAL;
	}
	*used_len = s->in_pos - s->nr_bits / 8;
	return s->error;
}
