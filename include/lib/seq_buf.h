/*
 * A growing text buffer for generated files (/proc, /sys, fdinfo): seq_printf appends; when memory
 * runs out the buffer is marked failed and the reader gets -ENOMEM. The buffer itself belongs to
 * who set it up; grow (may be NULL: fixed size, overflow is marked) reallocates.
 *
 * A text that users can make long is made in pieces, so that its reader need not keep it: its maker
 * begins at place "at", 0 for the beginning, and calls seq_pause behind each record. Places are the
 * maker's own numbers; what they lead to may have changed when the next piece is asked for.
 */
#ifndef LIB_SEQ_BUF_H
#define LIB_SEQ_BUF_H

struct seq_buf {
	char *buf;
	size_t len, size;
	bool overflow;
	bool (*grow)(struct seq_buf *s, size_t need); /* makes room for need more bytes */
	u64 at;
	size_t enough; /* bytes in a piece; 0: the whole text */
	bool more;     /* the text goes on at "at" */
};

static inline bool seq_full(const struct seq_buf *s)
{
	return s->overflow || (s->enough && s->len >= s->enough);
}
/* The next record is at place "next". True: return now. */
static inline bool must_check seq_pause(struct seq_buf *s, u64 next)
{
	s->at = next;
	s->more = seq_full(s);
	return s->more;
}

void seq_printf(struct seq_buf *s, const char *fmt, ...) printf_like(2, 3);
void seq_puts(struct seq_buf *s, const char *str);
void seq_putc(struct seq_buf *s, char c);
void seq_write(struct seq_buf *s, const void *data, size_t n);
/* A path or name with each of chars as \ooo. */
void seq_escape(struct seq_buf *s, const char *str, const char *chars);

#endif
