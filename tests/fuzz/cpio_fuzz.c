/* Any bytes as an initramfs: no crash, and the same result however they are cut into pieces. */
#include "fuzz.h"
#include <lib/cpio.h>
#include <lib/err.h>
#include <lib/hash.h>
#include <lib/string.h>

struct seen {
	u64 hash; /* of all names and bytes and events */
	u64 left; /* bytes of the entry still to come */
	bool inside;
};

static const struct siphash_key key = {{1, 2}};

static void note(struct seen *s, const void *data, size_t n)
{
	for (const u8 *p = data; n; n--, p++)
		s->hash = hash_u64(s->hash ^ *p);
}

static int on_begin(void *ctx, const struct cpio_entry *e)
{
	struct seen *s = ctx;

	must_hold(!s->inside);
	s->inside = true;
	s->left = e->size;
	s->hash ^= siphash(e->name, strnlen(e->name, CPIO_NAME_MAX), &key) + e->mode + e->ino;
	return 0;
}

static int on_data(void *ctx, const u8 *data, size_t n)
{
	struct seen *s = ctx;

	must_hold(s->inside && n && n <= s->left);
	s->left -= n;
	note(s, data, n);
	return 0;
}

static int on_end(void *ctx)
{
	struct seen *s = ctx;

	must_hold(s->inside && s->left == 0);
	s->inside = false;
	note(s, "e", 1);
	return 0;
}

static int on_archive_end(void *ctx)
{
	struct seen *s = ctx;

	must_hold(!s->inside);
	note(s, "a", 1);
	return 0;
}

static int run(struct seen *s, const u8 *data, size_t n, size_t piece)
{
	static struct cpio c;
	int err = 0;

	c = (struct cpio){on_begin, on_data, on_end, on_archive_end, s};
	for (size_t at = 0; at < n && !err; at += piece)
		err = cpio_push(&c, data + at, min(piece, n - at));
	if (!err)
		err = cpio_finish(&c);
	must_hold(err == 0 || (err == -EINVAL && c.what));
	return err;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct seen whole = {.hash = 0}, pieces = {.hash = 0};
	size_t piece = n ? 1 + data[n - 1] % 32 : 1;

	must_hold(run(&whole, data, n, max(n, (size_t)1)) == run(&pieces, data, n, piece));
	must_hold(whole.hash == pieces.hash);
	return 0;
}
