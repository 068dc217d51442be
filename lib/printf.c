/* Formatted text. See lib/printf.h. */
#include <lib/printf.h>
#include <lib/string.h>

struct out {
	char *buf;
	size_t size, len; /* len may exceed size: what the whole text needs */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

struct spec {
	bool left, plus, space, alt, zero;
	int width, precision; /* precision -1: none */
	int length;           /* -2 hh, -1 h, 0, 1 l, 2 ll, 3 z */
};

static void put_text(struct out *o, const struct spec *s, const char *text, size_t len)
{
	int fill = s->width - (int)len;

	if (!s->left)
		pad(o, ' ', fill);
	for (size_t i = 0; i < len; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', fill);
}

static void put_number(
	struct out *o, const struct spec *s, u64 v, bool negative, u32 base, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24], prefix[2];
	int n = 0, np = 0, zeros, fill;

	for (u64 rest = v; rest; rest /= base)
		text[n++] = digits[rest % base];
	if (n == 0 && s->precision != 0)
		text[n++] = '0';
	if (negative)
		prefix[np++] = '-';
	else if (s->plus)
		prefix[np++] = '+';
	else if (s->space)
		prefix[np++] = ' ';
	if (s->alt && base == 16 && v) {
		prefix[0] = '0';
		prefix[1] = upper ? 'X' : 'x';
		np = 2;
	}
	zeros = s->precision - n;
	if (s->precision < 0 && s->zero && !s->left)
		zeros = s->width - n - np;
	if (s->alt && base == 8 && zeros <= 0 && (n == 0 || text[n - 1] != '0'))
		zeros = 1;
	zeros = max(zeros, 0);
	fill = s->width - n - np - zeros;
	if (!s->left)
		pad(o, ' ', fill);
	for (int i = 0; i < np; i++)
		put(o, prefix[i]);
	pad(o, '0', zeros);
	while (n)
		put(o, text[--n]);
	if (s->left)
		pad(o, ' ', fill);
}

static u64 take_unsigned(va_list *ap, int length)
{
	switch (length) {
	case -2:
		return (u8)va_arg(*ap, unsigned int);
	case -1:
		return (u16)va_arg(*ap, unsigned int);
	case 0:
		return va_arg(*ap, unsigned int);
	case 2:
		return va_arg(*ap, unsigned long long);
	default:
		return va_arg(*ap, unsigned long);
	}
}

static s64 take_signed(va_list *ap, int length)
{
	switch (length) {
	case -2:
		return (s8)va_arg(*ap, int);
	case -1:
		return (s16)va_arg(*ap, int);
	case 0:
		return va_arg(*ap, int);
	case 2:
		return va_arg(*ap, long long);
	default:
		return va_arg(*ap, long);
	}
}

static const char *parse_spec(const char *f, struct spec *s, va_list *ap)
{
	*s = (struct spec){.precision = -1};
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '+')
			s->plus = true;
		else if (*f == ' ')
			s->space = true;
		else if (*f == '#')
			s->alt = true;
		else if (*f == '0')
			s->zero = true;
		else
			break;
	}
	if (*f == '*') {
		s->width = va_arg(*ap, int);
		if (s->width < 0) {
			s->left = true;
			s->width = s->width == INT_MIN ? INT_MAX : -s->width;
		}
		f++;
	} else {
		for (; *f >= '0' && *f <= '9'; f++)
			s->width = s->width * 10 + (*f - '0');
	}
	if (*f == '.') {
		s->precision = 0;
		f++;
		if (*f == '*') {
			s->precision = va_arg(*ap, int);
			f++;
		} else {
			for (; *f >= '0' && *f <= '9'; f++)
				s->precision = s->precision * 10 + (*f - '0');
		}
	}
	for (; *f == 'l' || *f == 'h'; f++)
		s->length += *f == 'l' ? 1 : -1;
	if (*f == 'z' || *f == 't' || *f == 'j') {
		s->length = 3;
		f++;
	}
	return f;
}

static void put_conversion(struct out *o, struct spec *s, char c, va_list *ap)
{
	const char *text;
	char one;
	s64 v;

	switch (c) {
	case 'd':
	case 'i':
		v = take_signed(ap, s->length);
		put_number(o, s, v < 0 ? 0 - (u64)v : (u64)v, v < 0, 10, false);
		break;
	case 'u':
		s->plus = s->space = false;
		put_number(o, s, take_unsigned(ap, s->length), false, 10, false);
		break;
	case 'x':
	case 'X':
		s->plus = s->space = false;
		put_number(o, s, take_unsigned(ap, s->length), false, 16, c == 'X');
		break;
	case 'o':
		s->plus = s->space = false;
		put_number(o, s, take_unsigned(ap, s->length), false, 8, false);
		break;
	case 'p':
		s->alt = true;
		put_number(o, s, (u64)(uintptr_t)va_arg(*ap, void *), false, 16, false);
		break;
	case 'c':
		one = (char)va_arg(*ap, int);
		put_text(o, s, &one, 1);
		break;
	case 's':
		text = va_arg(*ap, const char *);
		if (!text)
			text = "(null)";
		put_text(o, s, text,
			s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision));
		break;
	case '%':
		put(o, '%');
		break;
	default: /* not a conversion: shown as it stands */
		put(o, '%');
		put(o, c);
		break;
	}
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};
	va_list args;

	va_copy(args, ap);
	for (; *fmt; fmt++) {
		struct spec s;

		if (*fmt != '%') {
			put(&o, *fmt);
			continue;
		}
		fmt = parse_spec(fmt + 1, &s, &args);
		if (!*fmt)
			break;
		put_conversion(&o, &s, *fmt, &args);
	}
	va_end(args);
	if (size)
		buf[min(o.len, size - 1)] = 0;
	return (int)o.len;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

int kscnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = kvsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return size ? min(n, (int)size - 1) : 0;
}
