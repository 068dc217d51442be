/* Parsers and bounded copies; the kernel's own memory and string functions against the C library's.
 */
#include "unit.h"
#include <lib/err.h>
#include <lib/sort.h>
#include <lib/string.h>

/* The kernel's versions under the names that rules.mk gives them, beside the C library's. */
#define memcpy  own_memcpy
#define memmove own_memmove
#define memset  own_memset
#define memcmp  own_memcmp
#define memchr  own_memchr
#define strlen  own_strlen
#define strnlen own_strnlen
#define strcmp  own_strcmp
#define strncmp own_strncmp
#define strchr  own_strchr
#define strrchr own_strrchr
#define strstr  own_strstr
#define strspn  own_strspn
#define strcspn own_strcspn
#undef LIB_STRING_H
#include <lib/string.h>
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strspn
#undef strcspn

UNIT(memory_functions_touch_exactly_their_bytes)
{
	u8 *a = unit_alloc(700), *b = unit_alloc(700), *c = unit_alloc(700);

	for (int i = 0; i < 20000; i++) {
		u64 from = unit_random_below(300), to = unit_random_below(300);
		u64 n = unit_random_below(i % 2 ? 40 : 300);
		u8 fill = (u8)unit_random();

		unit_random_bytes(a, i % 64 ? 0 : 700);
		memcpy(b, a, 700);
		memcpy(c, a, 700);
		EXPECT(own_memmove(b + to, b + from, n) == b + to);
		memmove(c + to, c + from, n);
		EXPECT_MEM(b, c, 700);
		EXPECT(own_memset(b + to, fill, n) == b + to);
		memset(c + to, fill, n);
		EXPECT_MEM(b, c, 700);
		EXPECT(own_memcpy(b + to, a + from, n) == b + to);
		memcpy(c + to, a + from, n);
		EXPECT_MEM(b, c, 700);
	}
	unit_free(a);
	unit_free(b);
	unit_free(c);
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

/* Short texts of few letters, each in memory of exactly its size, so that a byte too far is seen. */
static char *random_text(u64 max)
{
	u64 n = unit_random_below(max + 1);
	char *s = unit_alloc(n + 1);

	for (u64 i = 0; i < n; i++)
		s[i] = "ab\xff"[unit_random_below(3)];
	return s;
}

UNIT(string_functions_agree_with_c)
{
	for (int i = 0; i < 20000; i++) {
		char *a = random_text(20), *b = random_text(i % 2 ? 4 : 20);
		int c = "ab\xff"[i % 4];
		u64 n = unit_random_below(24), both = min(strlen(a), strlen(b));

		EXPECT_EQ(own_strlen(a), strlen(a));
		EXPECT_EQ(own_strnlen(a, n), strnlen(a, n));
		EXPECT_EQ(sign(own_strcmp(a, b)), sign(strcmp(a, b)));
		EXPECT_EQ(sign(own_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		EXPECT_EQ(sign(own_memcmp(a, b, both)), sign(memcmp(a, b, both)));
		EXPECT_EQ((uintptr_t)own_strchr(a, c), (uintptr_t)strchr(a, c));
		EXPECT_EQ((uintptr_t)own_strrchr(a, c), (uintptr_t)strrchr(a, c));
		EXPECT_EQ((uintptr_t)own_memchr(a, c, both), (uintptr_t)memchr(a, c, both));
		EXPECT_EQ((uintptr_t)own_strstr(a, b), (uintptr_t)strstr(a, b));
		EXPECT_EQ(own_strspn(a, b), strspn(a, b));
		EXPECT_EQ(own_strcspn(a, b), strcspn(a, b));
		unit_free(a);
		unit_free(b);
	}
}

UNIT(a_bounded_copy_is_always_terminated)
{
	char b[4] = "xxx";

	EXPECT_EQ(str_copy(b, "ab", 4), 2);
	EXPECT_STR(b, "ab");
	EXPECT_EQ(str_copy(b, "abc", 4), 3);
	EXPECT_EQ(str_copy(b, "abcd", 4), -E2BIG);
	EXPECT_STR(b, "abc");
	EXPECT_EQ(str_copy(b, "q", 1), -E2BIG);
	EXPECT_STR(b, "");
	EXPECT_EQ(str_copy(b, "q", 0), -E2BIG);
	EXPECT(str_has_prefix("root=x", "root="));
	EXPECT(!str_has_prefix("roo", "root="));
}

static void unsigned_is(const char *s, int base, int err, u64 want)
{
	u64 v = 12345;

	if (!EXPECT_EQ(parse_u64(s, base, &v), err) || !EXPECT_EQ(v, err ? 12345 : want))
		EXPECT_STR(s, "");
}

UNIT(unsigned_numbers)
{
	unsigned_is("0", 0, 0, 0);
	unsigned_is("42\n", 10, 0, 42);
	unsigned_is("+7", 0, 0, 7);
	unsigned_is("0x1F", 0, 0, 31);
	unsigned_is("0x1f", 16, 0, 31);
	unsigned_is("1f", 16, 0, 31);
	unsigned_is("017", 0, 0, 15);
	unsigned_is("017", 10, 0, 17);
	unsigned_is("18446744073709551615", 10, 0, U64_MAX);
	unsigned_is("18446744073709551616", 10, -ERANGE, 0);
	unsigned_is("0x10000000000000000", 0, -ERANGE, 0);
	unsigned_is("", 0, -EINVAL, 0);
	unsigned_is("+", 0, -EINVAL, 0);
	unsigned_is("-1", 0, -EINVAL, 0);
	unsigned_is("0x", 0, -EINVAL, 0);
	unsigned_is("08", 0, -EINVAL, 0);
	unsigned_is("12a", 10, -EINVAL, 0);
	unsigned_is("1\n\n", 10, -EINVAL, 0);
	unsigned_is(" 1", 10, -EINVAL, 0);
	unsigned_is("\n", 10, -EINVAL, 0);
}

UNIT(signed_numbers)
{
	s64 v = 0;

	EXPECT_EQ(parse_s64("-9223372036854775808", 10, &v), 0);
	EXPECT_EQ(v, S64_MIN);
	EXPECT_EQ(parse_s64("9223372036854775807", 10, &v), 0);
	EXPECT_EQ(v, S64_MAX);
	EXPECT_EQ(parse_s64("9223372036854775808", 10, &v), -ERANGE);
	EXPECT_EQ(parse_s64("-9223372036854775809", 10, &v), -ERANGE);
	EXPECT_EQ(parse_s64("-0x10\n", 0, &v), 0);
	EXPECT_EQ(v, -16);
	EXPECT_EQ(parse_s64("-+5", 0, &v), -EINVAL);
	EXPECT_EQ(parse_s64("--5", 0, &v), -EINVAL);
	EXPECT_EQ(parse_s64("-", 0, &v), -EINVAL);
}

UNIT(sizes)
{
	const char *end;
	u64 v = 0;

	EXPECT_EQ(parse_size("64M", &v, NULL), 0);
	EXPECT_EQ(v, 64 << 20);
	EXPECT_EQ(parse_size("0x10k", &v, NULL), 0);
	EXPECT_EQ(v, 16 << 10);
	EXPECT_EQ(parse_size("3G,mode=755", &v, &end), 0);
	EXPECT_EQ(v, 3ull << 30);
	EXPECT_STR(end, ",mode=755");
	EXPECT_EQ(parse_size("50%", &v, &end), 0);
	EXPECT_STR(end, "%");
	EXPECT_EQ(parse_size("512", &v, NULL), 0);
	EXPECT_EQ(v, 512);
	EXPECT_EQ(parse_size("16777216T", &v, NULL), -ERANGE);
	EXPECT_EQ(parse_size("16777215T", &v, NULL), 0);
	EXPECT_EQ(parse_size("64MB", &v, NULL), -EINVAL);
	EXPECT_EQ(parse_size("M", &v, NULL), -EINVAL);
	EXPECT_EQ(parse_size("", &v, NULL), -EINVAL);
}

static int compare(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

UNIT(sorted_arrays_are_sorted_and_lose_nothing)
{
	u32 *v = unit_alloc(400);
	u64 sum, after;

	for (int i = 0; i < 500; i++) {
		u64 n = unit_random_below(101);

		sum = after = 0;
		for (u64 k = 0; k < n; k++)
			sum += v[k] = (u32)unit_random_below(50);
		sort_array(v, n, sizeof(*v), compare);
		for (u64 k = 0; k < n; k++) {
			after += v[k];
			EXPECT(k == 0 || v[k - 1] <= v[k]);
		}
		EXPECT_EQ(after, sum);
	}
	unit_free(v);
}
