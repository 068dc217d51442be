/* Numbers and strings beyond what the C standard names. */
#include <lib/err.h>
#include <lib/string.h>

ssize_t str_copy(char *dst, const char *src, size_t size)
{
	size_t len = strnlen(src, size);

	if (size == 0)
		return -E2BIG;
	if (len == size) {
		memcpy(dst, src, size - 1);
		dst[size - 1] = 0;
		return -E2BIG;
	}
	memcpy(dst, src, len + 1);
	return (ssize_t)len;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

/* Digits of s; returns where they end, NULL when there is none or on overflow (*err says). */
static const char *parse_digits(const char *s, int base, u64 *out, int *err)
{
	u64 v = 0;
	const char *start;

	if (base == 0) {
		base = 10;
		if (s[0] == '0' && (s[1] | 32) == 'x' && digit(s[2]) < 16)
			base = 16;
		else if (s[0] == '0')
			base = 8;
	}
	if (base == 16 && s[0] == '0' && (s[1] | 32) == 'x')
		s += 2;
	for (start = s; digit(*s) < base; s++)
		if (__builtin_mul_overflow(v, (u64)base, &v) ||
			__builtin_add_overflow(v, (u64)digit(*s), &v)) {
			*err = -ERANGE;
			return NULL;
		}
	*err = -EINVAL;
	*out = v;
	return s == start ? NULL : s;
}

int parse_u64(const char *s, int base, u64 *out)
{
	u64 v;
	int err;
	const char *end = parse_digits(*s == '+' ? s + 1 : s, base, &v, &err);

	if (!end)
		return err;
	if (*end == '\n')
		end++;
	if (*end)
		return -EINVAL;
	*out = v;
	return 0;
}

int parse_s64(const char *s, int base, s64 *out)
{
	bool neg = *s == '-';
	u64 v;
	int err = neg && s[1] == '+' ? -EINVAL : parse_u64(neg ? s + 1 : s, base, &v);

	if (err)
		return err;
	if (v > (u64)S64_MAX + neg)
		return -ERANGE;
	*out = neg ? (s64)(0 - v) : (s64)v;
	return 0;
}

int parse_size(const char *s, u64 *out, const char **end)
{
	u64 v;
	int err, shift = 0;
	const char *e = parse_digits(s, 0, &v, &err);

	if (!e)
		return err;
	switch (*e | 32) {
	case 't':
		shift = 40;
		break;
	case 'g':
		shift = 30;
		break;
	case 'm':
		shift = 20;
		break;
	case 'k':
		shift = 10;
		break;
	default:
		break;
	}
	if (shift)
		e++;
	if (shift && v >> (64 - shift))
		return -ERANGE;
	if (end)
		*end = e;
	else if (*e)
		return -EINVAL;
	*out = v << shift;
	return 0;
}
