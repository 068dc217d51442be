/* The cpio reader against cpio(5) archives built here, in pieces of every size, and broken ones. */
#include "unit.h"
#include <lib/cpio.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/string.h>

struct archive {
	u8 *data;
	size_t n;
};

static void put(struct archive *a, const void *p, size_t n)
{
	memcpy(a->data + a->n, p, n);
	a->n += n;
}

static void pad(struct archive *a)
{
	while (a->n % 4)
		a->data[a->n++] = 0;
}

static void add(struct archive *a, const char *magic, const char *name, u32 ino, u32 nlink,
	const char *text, u32 sum)
{
	size_t len = strlen(text);
	char h[128];

	ksnprintf(h, sizeof(h), "%s%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", magic,
		ino, 0100644, 1, 2, nlink, 0x5f000000, (u32)len, 8, 1, 5, 6, (u32)strlen(name) + 1,
		sum);
	put(a, h, 110);
	put(a, name, strlen(name) + 1);
	pad(a);
	put(a, text, len);
	pad(a);
}

/* What the callbacks saw, as text: name{data}, and | at the end of an archive. */
struct seen {
	char text[512];
	size_t n;
	int fail_at; /* the call after so many fails */
};

static int note(struct seen *s, const char *text, size_t n)
{
	if (s->fail_at && --s->fail_at == 0)
		return -ENOSPC;
	memcpy(s->text + s->n, text, n);
	s->n += n;
	s->text[s->n] = 0;
	return 0;
}

static int on_begin(void *ctx, const struct cpio_entry *e)
{
	EXPECT_EQ(e->mode, 0100644);
	EXPECT_EQ(e->uid, 1);
	EXPECT_EQ(e->gid, 2);
	EXPECT_EQ(e->mtime, 0x5f000000);
	EXPECT_EQ(e->major, 8);
	EXPECT_EQ(e->rminor, 6);
	return note(ctx, e->name, strlen(e->name)) ?: note(ctx, "{", 1);
}

static int on_data(void *ctx, const u8 *data, size_t n)
{
	return n ? note(ctx, (const char *)data, n) : -EIO;
}

static int on_end(void *ctx)
{
	return note(ctx, "}", 1);
}

static int on_archive_end(void *ctx)
{
	return note(ctx, "|", 1);
}

static int run(struct cpio *c, struct seen *s, const u8 *data, size_t n, size_t piece)
{
	int err = 0;

	*c = (struct cpio){on_begin, on_data, on_end, on_archive_end, s};
	s->n = 0;
	s->text[0] = 0;
	for (size_t at = 0; at < n && !err; at += piece)
		err = cpio_push(c, data + at, min(piece, n - at));
	return err ?: cpio_finish(c);
}

static const char expected[] = "a{}bc/d{12345}hard{}hard2{xyz}|second{Q}|";

static struct archive example(void)
{
	struct archive a = {.data = unit_alloc(8192)};

	add(&a, "070701", "a", 1, 1, "", 0);
	add(&a, "070701", "bc/d", 2, 1, "12345", 0);
	add(&a, "070701", "hard", 3, 2, "", 0);
	add(&a, "070701", "hard2", 3, 2, "xyz", 0);
	add(&a, "070701", "TRAILER!!!", 0, 1, "", 0);
	memset(a.data + a.n, 0, 512 - a.n % 512);
	a.n += 512 - a.n % 512;
	add(&a, "070702", "second", 1, 1, "Q", 'Q');
	add(&a, "070702", "TRAILER!!!", 0, 1, "", 0);
	return a;
}

UNIT(archives_in_a_row_in_pieces_of_any_size)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct seen s = {.fail_at = 0};
	struct archive a = example();

	for (size_t piece = 1; piece < 300; piece++) {
		EXPECT_EQ(run(c, &s, a.data, a.n, piece), 0);
		EXPECT_STR(s.text, expected);
		EXPECT(cpio_at_boundary(c));
	}
	unit_free(a.data);
	unit_free(c);
}

UNIT(an_archive_may_begin_at_any_offset)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct seen s = {.fail_at = 0};
	struct archive a = example();

	for (int shift = 1; shift < 4; shift++) {
		memmove(a.data + 1, a.data, a.n++);
		a.data[0] = 0;
		EXPECT_EQ(run(c, &s, a.data, a.n, 64), 0);
		EXPECT_STR(s.text, expected);
	}
	unit_free(a.data);
	unit_free(c);
}

UNIT(an_archive_that_ends_early_is_an_error)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct seen s = {.fail_at = 0};
	struct archive a = {.data = unit_alloc(1024)};

	add(&a, "070701", "name", 1, 1, "12345678", 0);
	for (size_t cut = 1; cut < a.n; cut++) {
		EXPECT_EQ(run(c, &s, a.data, cut, 16), -EINVAL);
		EXPECT(c->what != NULL);
	}
	EXPECT_EQ(run(c, &s, a.data, 0, 16), 0);
	unit_free(a.data);
	unit_free(c);
}

UNIT(a_wrong_checksum_is_an_error)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct seen s = {.fail_at = 0};
	struct archive a = {.data = unit_alloc(1024)};

	add(&a, "070702", "f", 1, 1, "ab", 'a' + 'b' + 1);
	EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
	EXPECT_STR(s.text, "f{ab");
	unit_free(a.data);
	unit_free(c);
}

UNIT(broken_headers_are_refused)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct seen s = {.fail_at = 0};
	struct archive a = {.data = unit_alloc(1024)};

	add(&a, "070701", "name", 1, 1, "12345678", 0);
	for (int at = 0; at < 110; at++) {
		u8 old = a.data[at];

		a.data[at] = 'g';
		EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
		EXPECT_STR(s.text, "");
		a.data[at] = old;
	}
	memcpy(a.data + 94, "00000000", 8); /* name of no bytes */
	EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
	memcpy(a.data + 94, "00001001", 8); /* too long */
	EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
	memcpy(a.data + 94, "FFFFFFFF", 8);
	EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
	memcpy(a.data + 94, "00000004", 8); /* without its NUL */
	EXPECT_EQ(run(c, &s, a.data, a.n, 1024), -EINVAL);
	EXPECT_STR(s.text, "");
	unit_free(a.data);
	unit_free(c);
}

UNIT(an_error_of_any_callback_stops_it)
{
	struct cpio *c = unit_alloc(sizeof(*c));
	struct archive a = example();

	for (int at = 1; at < 17; at++) {
		struct seen s = {.fail_at = at};

		EXPECT_EQ(run(c, &s, a.data, a.n, 8192), -ENOSPC);
	}
	unit_free(a.data);
	unit_free(c);
}
