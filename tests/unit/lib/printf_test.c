/* Formatted text against the C library's. */
#include "unit.h"
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-extra-args"

#define SAME(...)                                                             \
	do {                                                                  \
		char got[160], want[160];                                     \
		int n = ksnprintf(got, sizeof(got), __VA_ARGS__);             \
		EXPECT_EQ(n, unit_snprintf(want, sizeof(want), __VA_ARGS__)); \
		EXPECT_STR(got, want);                                        \
	} while (0)

UNIT(conversions_look_as_in_c)
{
	SAME("plain");
	SAME("100%% %c|%3c|%-3c|", 'a', 'b', 'c');
	SAME("%s|%10s|%-10s|%.2s|%10.1s|%.*s|%*s", "text", "text", "text", "text", "text", 3,
		"abcdef", -6, "x");
	SAME("%.3s|%.0s|", "ab", "zzz");
	SAME("%d %i %u %x %X %o", -5, 77, 88u, 0xbeefu, 0xbeefu, 8u);
	SAME("%ld %lu %lx %lld %llu %llx %zu %zd", -1l, ~0ul, ~0ul, -1ll, ~0ull, 1ull << 63,
		(size_t)9, (ssize_t)-9);
	SAME("%hhd %hhu %hd %hu", 300, 300, 70000, 70000);
	SAME("%jd %td", -4l, -7l);
	SAME("%p", (void *)0x1234);
	SAME("%d %d %lld", INT_MIN, INT_MAX, S64_MIN);
	SAME("%.0d|%.0x|%#.0o|%#x|%#o|%#.3o|%+.0d", 0, 0, 0, 0, 0, 8, 0);
	SAME("%-+8d|% d|%+d|% +d|%08d|%-08d|%08.3d|%+08d", 5, 5, 5, 5, -5, -5, -5, 5);
	SAME("%#010x|%#-10x|%#10X|%010.5u|%.20llu", 255, 255, 255, 42u, 99ull);
}

/* Every mixture of flags, width, precision, length and conversion. */
UNIT(mixtures_of_flags_look_as_in_c)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j", "t"};

	for (int i = 0; i < 50000; i++) {
		static const char flags[] = "-+ #0", conversions[] = "diuxXosc";
		static const s64 values[] = {0, 1, -1, 7, 8, 255, S64_MIN, S64_MAX, 1ll << 32};
		char fmt[40] = "<%", got[160], want[160];
		char c = conversions[unit_random_below(8)];
		u64 n = 2, l = unit_random_below(8);
		u64 v = unit_random_below(3) ? (u64)values[unit_random_below(9)] : unit_random();
		int r;

		for (u64 k = unit_random_below(4); k; k--)
			fmt[n++] = flags[unit_random_below(5)];
		if (unit_random_below(2))
			n += (u64)unit_snprintf(fmt + n, 8, "%d", 1 + (int)unit_random_below(40));
		if (c != 'c' && unit_random_below(2))
			n += (u64)unit_snprintf(fmt + n, 8, ".%d", (int)unit_random_below(40));
		if (c == 's')
			v = (u64)(uintptr_t)(v & 1 ? "some text" : "");
		else if (c != 'c')
			n += (u64)unit_snprintf(fmt + n, 8, "%s", lengths[l]);
		fmt[n++] = c;
		if (c == 'c')
			v = 'A' + (v & 7);
		if ((c == 's' || c == 'c') && strchr(fmt, '0') &&
			!strchr("123456789", *strchr(fmt, '0')))
			for (u64 k = 1; fmt[k + 1]; k++) /* the flag 0 is undefined for text */
				if (fmt[k] == '0' && strchr("%-+ #0", fmt[k - 1]))
					fmt[k] = '-';
		r = ksnprintf(got, sizeof(got), fmt, v);
		EXPECT_EQ(r, unit_snprintf(want, sizeof(want), fmt, v));
		if (!EXPECT_STR(got, want))
			EXPECT_STR(fmt, "");
	}
}

UNIT(text_that_does_not_fit_is_cut_and_its_length_told)
{
	const char *none = NULL;
	char b[8];

	memset(b, 'x', 8);
	EXPECT_EQ(ksnprintf(b, 4, "%s", "abcdef"), 6);
	EXPECT_MEM(b, "abc\0xxxx", 8);
	EXPECT_EQ(kscnprintf(b, 4, "%d", 123456), 3);
	EXPECT_STR(b, "123");
	EXPECT_EQ(ksnprintf(NULL, 0, "%d", 123456), 6);
	EXPECT_EQ(kscnprintf(b, 1, "abc"), 0);
	EXPECT_STR(b, "");
	EXPECT_EQ(ksnprintf(b, 8, "%s", READ_ONCE(none)), 6);
	EXPECT_STR(b, "(null)");
	EXPECT_EQ(ksnprintf(b, 8, "a%"), 1);
	EXPECT_EQ(ksnprintf(b, 8, "%y"), 2);
	EXPECT_STR(b, "%y");
}

static bool grow(struct seq_buf *s, size_t need)
{
	size_t size = s->size * 2 + need;
	char *more;

	if (size > 300)
		return false;
	more = unit_alloc(size);
	memcpy(more, s->buf, s->len);
	unit_free(s->buf);
	s->buf = more;
	s->size = size;
	return true;
}

UNIT(a_growing_buffer_keeps_every_byte_or_says_so)
{
	struct seq_buf s = {.grow = grow, .buf = unit_alloc(1)};
	char want[256] = "";
	int n = 0;

	for (int i = 0; i < 20; i++) {
		seq_printf(&s, "%d,", i);
		seq_putc(&s, ';');
		seq_puts(&s, "..");
		n += unit_snprintf(want + n, sizeof(want) - (size_t)n, "%d,;..", i);
	}
	EXPECT(!s.overflow);
	EXPECT_EQ(s.len, n);
	EXPECT_MEM(s.buf, want, (size_t)n);
	seq_escape(&s, "a b\tc\nd\\e#", " \t\n\\#");
	EXPECT_MEM(s.buf + n, "a\\040b\\011c\\012d\\134e\\043", 25);
	EXPECT_EQ(s.len, (size_t)n + 25);
	seq_printf(&s, "%300d", 1);
	EXPECT(s.overflow);
	unit_free(s.buf);
}
