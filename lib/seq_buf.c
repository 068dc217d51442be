/* Growing text buffers. See lib/seq_buf.h. */
#include <lib/printf.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

static bool room(struct seq_buf *s, size_t need)
{
	if (s->overflow)
		return false;
	if (s->size - s->len >= need)
		return true;
	if (s->grow && s->grow(s, need))
		return true;
	s->overflow = true;
	return false;
}

void seq_write(struct seq_buf *s, const void *data, size_t n)
{
	if (!n || !room(s, n)) /* an empty buffer has no memory yet */
		return;
	memcpy(s->buf + s->len, data, n);
	s->len += n;
}

void seq_puts(struct seq_buf *s, const char *str)
{
	seq_write(s, str, strlen(str));
}

void seq_putc(struct seq_buf *s, char c)
{
	seq_write(s, &c, 1);
}

void seq_printf(struct seq_buf *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	/* Text behind %s may grow while it is printed (a process renames itself): try again, not
	 * forever. */
	for (int attempt = 0; attempt < 4 && !s->overflow; attempt++) {
		va_start(ap, fmt);
		n = kvsnprintf(s->buf + s->len, s->size - s->len, fmt, ap);
		va_end(ap);
		if ((size_t)n < s->size - s->len) {
			s->len += (size_t)n;
			return;
		}
		(void)room(s, (size_t)n + 1);
	}
	s->overflow = true;
}

void seq_escape(struct seq_buf *s, const char *str, const char *chars)
{
	for (; *str; str++) {
		u8 c = (u8)*str;

		if (strchr(chars, c))
			seq_printf(s, "\\%03o", c);
		else
			seq_putc(s, (char)c);
	}
}
