/* Numbers in the text that is written to /proc/sys and files of processes. */
#include "procfs.h"
#include <lib/string.h>

#define SPACES  " \t\n"
#define LONGEST 21 /* characters of a number */

/*
 * The number at *at, where white space may stand before it and must stand behind it, or the text's
 * end; decimal, 0x or octal. *at moves behind it and the white space. -EINVAL.
 */
static int take(const char **at, const char *end, bool *negative, u64 *v)
{
	const char *from = *at + strspn(*at, SPACES);
	size_t len = strcspn(from, SPACES);
	char digits[LONGEST + 1];

	*negative = *from == '-';
	if (*negative) {
		from++;
		len--;
	}
	if (len == 0 || len > LONGEST || *from == '+')
		return -EINVAL;
	memcpy(digits, from, len);
	digits[len] = 0;
	from += len;
	if (parse_u64(digits, 0, v) || (!*from && from != end)) /* a NUL inside */
		return -EINVAL;
	*at = from + strspn(from, SPACES);
	return 0;
}

int proc_take_s64(const char **at, const char *end, s64 *v)
{
	bool negative;
	u64 abs;
	int err = take(at, end, &negative, &abs);

	if (err || abs > (u64)S64_MAX)
		return -EINVAL;
	*v = negative ? -(s64)abs : (s64)abs;
	return 0;
}

int proc_one_within(const char *text, size_t len, s64 min, s64 max, s64 *v)
{
	const char *at = text;

	if (len && (proc_take_s64(&at, text + len, v) || *v < min || *v > max))
		return -EINVAL;
	return (int)(at - text);
}

int proc_one_u64(const char *text, size_t len, u64 *v)
{
	const char *at = text;
	bool negative = false;
	int err = len ? take(&at, text + len, &negative, v) : 0;

	return err || negative ? -EINVAL : (int)(at - text);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

char *proc_trim(char *text)
{
	size_t len = strlen(text);

	while (len && is_space(text[len - 1]))
		text[--len] = 0;
	while (is_space(*text))
		text++;
	return text;
}
