/* Addresses as text. RFC 5952 for IPv6, dotted quads for IPv4. */
#include <inet/addr.h>
#include <lib/printf.h>
#include <lib/string.h>

/* The longest run of at least two zero groups: where it starts, -1: none. */
static int longest_zeros(const struct inet_addr *a, int *len)
{
	int best = -1, best_len = 1;

	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && a->h[i + n] == 0)
			n++;
		if (n > best_len) {
			best = i;
			best_len = n;
		}
		if (n)
			i += n - 1;
	}
	*len = best_len;
	return best;
}

char *addr_text(const struct inet_addr *a, char buf[ADDR_TEXT])
{
	int zeros, zeros_len, at = 0;

	if (addr_is_v4(a)) {
		ksnprintf(buf, ADDR_TEXT, "%u.%u.%u.%u", a->b[12], a->b[13], a->b[14], a->b[15]);
		return buf;
	}
	zeros = longest_zeros(a, &zeros_len);
	for (int i = 0; i < 8; i++) {
		if (i == zeros) {
			/* The group before has left one colon already. */
			at += kscnprintf(buf + at, (size_t)(ADDR_TEXT - at), i ? ":" : "::");
			i += zeros_len - 1;
			continue;
		}
		at += kscnprintf(buf + at, (size_t)(ADDR_TEXT - at), "%x%s", ntohs(a->h[i]),
			i < 7 ? ":" : "");
	}
	return buf;
}

static bool parse_v4(const char *s, u8 out[4])
{
	for (int i = 0; i < 4; i++) {
		u32 v = 0, digits = 0;

		while (*s >= '0' && *s <= '9' && digits < 3) {
			v = v * 10 + (u32)(*s++ - '0');
			digits++;
		}
		if (!digits || v > 255 || *s++ != (i < 3 ? '.' : '\0'))
			return false;
		out[i] = (u8)v;
	}
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

static bool parse_v6(const char *s, struct inet_addr *out)
{
	u16 groups[8];
	int n = 0, gap = -1;

	if (s[0] == ':' && s[1] == ':') {
		gap = 0;
		s += 2;
	}
	while (*s) {
		u32 v = 0;
		int digits = 0;
		const char *start = s;

		while (hex_digit(*s) >= 0 && digits < 5) {
			v = v << 4 | (u32)hex_digit(*s++);
			digits++;
		}
		if (*s == '.') {
			u8 q[4];

			if (n > 6 || !parse_v4(start, q))
				return false;
			groups[n++] = (u16)(q[0] << 8 | q[1]);
			groups[n++] = (u16)(q[2] << 8 | q[3]);
			break;
		}
		if (!digits || digits > 4 || n == 8)
			return false;
		groups[n++] = (u16)v;
		if (!*s)
			break;
		if (*s++ != ':')
			return false;
		if (*s == ':') {
			if (gap >= 0)
				return false;
			gap = n;
			s++;
		} else if (!*s) {
			return false;
		}
	}
	if (gap < 0 ? n != 8 : n > 7)
		return false;
	memset(out, 0, sizeof(*out));
	for (int i = 0; i < n; i++)
		out->h[gap >= 0 && i >= gap ? 8 - n + i : i] = htons(groups[i]);
	return true;
}

bool addr_parse(const char *text, struct inet_addr *out)
{
	u8 q[4];
	u32 be;

	if (parse_v4(text, q)) {
		memcpy(&be, q, 4);
		*out = addr_v4(be);
		return true;
	}
	return parse_v6(text, out);
}
