/*
 * A growing text buffer for generated files (/proc, /sys, fdinfo): seq_printf appends; when memory
 * runs out the buffer is marked failed and the reader gets -ENOMEM. The buffer itself belongs to
 * who set it up; grow (may be NULL: fixed size, overflow is marked) reallocates.
 */
#ifndef LIB_SEQ_BUF_H
#define LIB_SEQ_BUF_H

struct seq_buf {
	char *buf;
	size_t len, size;
	bool overflow;
	bool (*grow)(struct seq_buf *s, size_t need); /* makes room for need more bytes */
};

void seq_printf(struct seq_buf *s, const char *fmt, ...) printf_like(2, 3);
void seq_puts(struct seq_buf *s, const char *str);
void seq_putc(struct seq_buf *s, char c);
void seq_write(struct seq_buf *s, const void *data, size_t n);
/* A path or name with space, tab, newline, backslash (and chars in "more") as \ooo. */
void seq_escape(struct seq_buf *s, const char *str, const char *more);

#endif
