/* Formats made from the input, against the C library's text: the same bytes and length for any
 * size. */
#include "fuzz.h"
#include <lib/printf.h>
#include <lib/string.h>

#pragma clang diagnostic ignored "-Wformat-nonliteral"

struct input {
	const u8 *data;
	size_t n;
};

static u8 next(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->data++;
}

/* "%", flags, width, precision, length and c at f, as C defines the mixture; bytes written. */
static int make_spec(struct input *in, char *f, char c)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j", "t"};
	u8 flags = next(in);
	int n = 0;

	f[n++] = '%';
	for (int i = 0; i < 5; i++)
		if ((flags >> i & 1) && !((c == 's' || c == 'c') && i > 0))
			f[n++] = "-0+ #"[i];
	if (flags & 0x40)
		n += snprintf(f + n, 8, "%d", 1 + next(in) % 90);
	if ((flags & 0x80) && c != 'c')
		n += snprintf(f + n, 8, ".%d", next(in) % 90);
	if (c != 's' && c != 'c')
		n += snprintf(f + n, 8, "%s", lengths[next(in) % 8]);
	f[n++] = c;
	f[n] = 0;
	return n;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct input in = {data, n};
	char fmt[300] = "", text[20], got[256], want[256];
	u64 args[4];
	size_t size = next(&in);
	int at = 0, got_n, want_n;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		text[i] = (char)('a' + i);
	text[next(&in) % sizeof(text)] = 0;
	text[sizeof(text) - 1] = 0;
	for (int i = 0; i < 4; i++) {
		char c = "diuxXosc"[next(&in) % 8];

		at += make_spec(&in, fmt + at, c);
		fmt[at++] = ' ' + next(&in) % 5; /* below '%' */
		args[i] = 0;
		for (int k = next(&in) % 9; k > 0; k--)
			args[i] = args[i] << 8 | next(&in);
		if (c == 's')
			args[i] = (u64)(uintptr_t)text;
		else if (c == 'c')
			args[i] = 'A' + args[i] % 26;
	}
	fmt[at] = 0;
	got_n = ksnprintf(size ? got : NULL, size, fmt, args[0], args[1], args[2], args[3]);
	want_n = snprintf(size ? want : NULL, size, fmt, args[0], args[1], args[2], args[3]);
	must_hold(got_n == want_n);
	must_hold(size == 0 || strcmp(got, want) == 0);
	return 0;
}
