/* The gzip decoder against gzip(1), and against broken input. */
#include "unit.h"
#include <lib/err.h>
#include <lib/inflate.h>
#include <lib/string.h>

struct sink {
	const u8 *want;
	size_t at, size;
	int fail_at_call;
};

static int compare(void *ctx, const u8 *data, size_t n)
{
	struct sink *s = ctx;

	if (s->fail_at_call && --s->fail_at_call == 0)
		return -EIO;
	if (EXPECT(s->at + n <= s->size))
		EXPECT_MEM(data, s->want + s->at, n);
	s->at += n;
	return 0;
}

static int discard(void *ctx, const u8 *data, size_t n)
{
	return 0;
}

/* Data of a kind: 0 random, 1 zeros, 2 few letters, 3 words repeated from far, 4 skewed bytes. */
static void make_data(u8 *p, size_t n, int kind)
{
	for (size_t i = 0; i < n; i++) {
		u64 r = unit_random();

		switch (kind) {
		case 0:
			p[i] = (u8)r;
			break;
		case 1:
			p[i] = 0;
			break;
		case 2:
			p[i] = "abcd"[r & 3];
			break;
		case 3:
			if (i > 40 && r % 20 == 0) {
				size_t dist = 1 + (r >> 8) % min(i, (size_t)32768);
				size_t len = min((size_t)(3 + (r >> 40) % 300), n - i);

				for (size_t k = 0; k < len; k++, i++)
					p[i] = p[i - dist];
				i--;
			} else {
				p[i] = (u8)(r >> 33);
			}
			break;
		default:
			p[i] = (u8)__builtin_ctzll(r | 1ull << 63);
			p[i] += p[i] > 12 ? (u8)(r >> 8) & 63 : 0;
			break;
		}
	}
}

UNIT(what_gzip_wrote_is_read_back)
{
	static const size_t sizes[] = {0, 1, 2, 100, 32767, 32768, 32769, 65536, 300000};
	static const char *const commands[] = {"gzip -1", "gzip -6", "gzip -9"};
	struct inflate *s = unit_alloc(sizeof(*s));
	u8 *data = unit_alloc(300000);

	for (int kind = 0; kind < 5; kind++)
		for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
			struct sink sink = {.want = data, .size = sizes[i]};
			size_t n, used;
			u8 *gz;

			make_data(data, sizes[i], kind);
			gz = unit_filter(commands[(i + (u32)kind) % 3], data, sizes[i], &n);
			s->write = compare;
			s->ctx = &sink;
			EXPECT_EQ(inflate_gzip(s, gz, n, &used), 0);
			EXPECT_EQ(used, n);
			EXPECT_EQ(sink.at, sizes[i]);
			unit_free(gz);
		}
	unit_free(data);
	unit_free(s);
}

UNIT(a_member_with_all_header_fields_ends_where_it_ends)
{
	struct inflate *s = unit_alloc(sizeof(*s));
	struct sink sink = {.want = (const u8 *)"hi", .size = 2};
	/* FEXTRA, FNAME, FCOMMENT, FHCRC; a stored block */
	static const u8 gz[] = {0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3, 3, 0, 'x', 'y', 'z', 'n', 0,
		'c', 0, 0x12, 0x34, 1, 2, 0, 0xfd, 0xff, 'h', 'i', 0xac, 0x2a, 0x93, 0xd8, 2, 0, 0,
		0, 0x55};
	size_t used;

	s->write = compare;
	s->ctx = &sink;
	EXPECT_EQ(inflate_gzip(s, gz, sizeof(gz), &used), 0);
	EXPECT_EQ(used, sizeof(gz) - 1);
	EXPECT_EQ(sink.at, 2);
	unit_free(s);
}

UNIT(input_that_is_cut_short_is_an_error_at_every_length)
{
	struct inflate *s = unit_alloc(sizeof(*s));
	u8 *data = unit_alloc(3000), *gz;
	size_t n, used;

	make_data(data, 3000, 4);
	gz = unit_filter("gzip -9", data, 3000, &n);
	s->write = discard;
	for (size_t cut = 0; cut < n; cut++) {
		u8 *part = unit_alloc(cut); /* of its own: reading behind it is seen */

		memcpy(part, gz, cut);
		EXPECT_EQ(inflate_gzip(s, part, cut, &used), -EINVAL);
		EXPECT(used <= cut);
		unit_free(part);
	}
	unit_free(gz);
	unit_free(data);
	unit_free(s);
}

UNIT(flipped_bits_never_pass_the_checksum)
{
	struct inflate *s = unit_alloc(sizeof(*s));
	u8 *data = unit_alloc(5000), *gz;
	size_t n, used;

	make_data(data, 5000, 3);
	gz = unit_filter("gzip -6", data, 5000, &n);
	s->write = discard;
	for (size_t bit = 80; bit < n * 8; bit += 1 + unit_random_below(3)) {
		if (bit / 8 == n - 9) /* padding between the last code and the trailer, maybe */
			continue;
		gz[bit / 8] ^= (u8)(1 << bit % 8);
		EXPECT_EQ(inflate_gzip(s, gz, n, &used), -EINVAL);
		gz[bit / 8] ^= (u8)(1 << bit % 8);
	}
	unit_free(gz);
	unit_free(data);
	unit_free(s);
}

UNIT(an_error_of_the_receiver_stops_it)
{
	struct inflate *s = unit_alloc(sizeof(*s));
	u8 *data = unit_alloc(200000), *gz;
	struct sink sink = {.want = data, .size = 200000, .fail_at_call = 3};
	size_t n, used;

	gz = unit_filter("gzip -9", data, 200000, &n);
	s->write = compare;
	s->ctx = &sink;
	EXPECT_EQ(inflate_gzip(s, gz, n, &used), -EIO);
	unit_free(gz);
	unit_free(data);
	unit_free(s);
}

UNIT(broken_codes_are_refused)
{
	/* Raw deflate behind a plain header: reserved block type, stored length without its
	 * complement, too many literal codes, a distance before the first byte. */
	static const struct {
		u8 n, data[12];
	} v[] = {{1, {0x07}}, {5, {0x01, 5, 0, 5, 0}}, {4, {0xfd, 0xff, 0xff, 0xff}},
		{3, {0x03, 0x02, 0x00}}};
	struct inflate *s = unit_alloc(sizeof(*s));

	s->write = discard;
	for (u32 i = 0; i < ARRAY_SIZE(v); i++) {
		u8 gz[64] = {0x1f, 0x8b, 8};
		size_t used;

		memcpy(gz + 10, v[i].data, v[i].n);
		EXPECT_EQ(inflate_gzip(s, gz, sizeof(gz), &used), -EINVAL);
	}
	unit_free(s);
}
