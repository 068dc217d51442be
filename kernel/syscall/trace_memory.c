/* What arguments point to in user memory: strings, buffers, arrays, sets of descriptors, a wait
 * status. Reading has a limit for each call (TRACE_COPY_MAX). */
#include "trace.h"
#include <arch/uaccess.h>

static bool may_copy(struct seq_buf *s, size_t n)
{
	struct trace_line *l = container_of(s, struct trace_line, s);

	if (n > TRACE_COPY_MAX - l->copied)
		return false;
	l->copied += (u32)n;
	return true;
}

bool trace_fetch(struct seq_buf *s, void *dst, unsigned long p, size_t n)
{
	return may_copy(s, n) && !copy_from_user(dst, (const void __user *)p, n);
}

void trace_put_text(struct seq_buf *s, const char *text, size_t n, bool cut)
{
	seq_putc(s, '"');
	for (size_t i = 0; i < n; i++) {
		u8 c = (u8)text[i];

		if (c == '\n')
			seq_puts(s, "\\n");
		else if (c == '\t')
			seq_puts(s, "\\t");
		else if (c == '"' || c == '\\')
			seq_printf(s, "\\%c", c);
		else if (c < 32 || c >= 127)
			seq_printf(s, "\\%o", c);
		else
			seq_putc(s, (char)c);
	}
	seq_puts(s, cut ? "\"..." : "\"");
}

void trace_put_address(struct seq_buf *s, unsigned long p)
{
	if (p)
		seq_printf(s, "%#lx", p);
	else
		seq_puts(s, "NULL");
}

void trace_put_string(struct seq_buf *s, unsigned long p, size_t max)
{
	char text[256];
	ssize_t n = -1;

	max = min(max, sizeof(text));
	if (p && may_copy(s, max))
		n = strncpy_from_user(text, (const char __user *)p, max);
	if (n < 0)
		trace_put_address(s, p);
	else
		trace_put_text(s, text, (size_t)n, n == (ssize_t)max);
}

void trace_put_bytes(struct seq_buf *s, unsigned long p, size_t len)
{
	char text[TRACE_STRING_MAX];
	size_t n = min_t(size_t, len, sizeof(text));

	if (!p || !trace_fetch(s, text, p, n))
		trace_put_address(s, p);
	else
		trace_put_text(s, text, n, len > n);
}

/* The environment: how many variables. */
void trace_put_variables(struct seq_buf *s, unsigned long p)
{
	unsigned long q = 1;
	u32 n = 0;

	trace_put_address(s, p);
	if (!p)
		return;
	while (q && trace_fetch(s, &q, p + 8ul * n, sizeof(q)))
		n += q != 0;
	seq_printf(s, q ? " /* more than %u vars */" : " /* %u vars */", n);
}

void trace_put_strings(struct seq_buf *s, unsigned long p)
{
	for (int i = 0;; i++) {
		unsigned long q;

		if (!p || !trace_fetch(s, &q, p + 8ul * (u32)i, sizeof(q))) {
			trace_put_address(s, p);
			return;
		}
		seq_puts(s, i == 0 ? "[" : q ? ", " : "");
		if (q && i == TRACE_ITEMS_MAX)
			seq_puts(s, "...");
		if (!q || i == TRACE_ITEMS_MAX)
			break;
		trace_put_string(s, q, TRACE_STRING_MAX);
	}
	seq_putc(s, ']');
}

/* Descriptors of select(2) that are in the set. */
void trace_put_fdset(struct seq_buf *s, unsigned long p, u32 n)
{
	const char *sep = "[";
	u64 word = 0;

	for (u32 fd = 0; fd < n && fd < 1024; fd++) {
		if (fd % 64 == 0 && (!p || !trace_fetch(s, &word, p + fd / 8, sizeof(word)))) {
			trace_put_address(s, p);
			return;
		}
		if (word >> fd % 64 & 1) {
			seq_printf(s, "%s%u", sep, fd);
			sep = " ";
		}
	}
	if (p)
		seq_puts(s, *sep == '[' ? "[]" : "]");
	else
		seq_puts(s, "NULL");
}

/* count numbers of 4 or 8 bytes in brackets. */
void trace_put_numbers(struct seq_buf *s, unsigned long p, int count, size_t size)
{
	s64 v[2] = {0};

	if (!p || !trace_fetch(s, v, p, (size_t)count * size)) {
		trace_put_address(s, p);
		return;
	}
	for (int i = 0; i < count; i++)
		seq_printf(s, "%s%lld", i ? ", " : "[", size == 8 ? v[i] : ((const s32 *)v)[i]);
	seq_putc(s, ']');
}

void trace_put_status(struct seq_buf *s, unsigned long p)
{
	u32 v;

	if (!p || !trace_fetch(s, &v, p, sizeof(v))) {
		trace_put_address(s, p);
	} else if (v == 0xffff) {
		seq_puts(s, "[{WIFCONTINUED(s)}]");
	} else if ((v & 0xff) == 0x7f) {
		seq_puts(s, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
		trace_put_scalar(s, v >> 8 & 0xff, ARG_SIG);
		seq_puts(s, "}]");
	} else if (v & 0x7f) {
		seq_puts(s, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
		trace_put_scalar(s, v & 0x7f, ARG_SIG);
		seq_puts(s, v & 0x80 ? " && WCOREDUMP(s)}]" : "}]");
	} else {
		seq_printf(s, "[{WIFEXITED(s) && WEXITSTATUS(s) == %u}]", v >> 8 & 0xff);
	}
}
