/* cpio reader. See lib/cpio.h. */
#include <lib/cpio.h>
#include <lib/err.h>
#include <lib/string.h>

enum { AT_START, IN_HEADER, IN_NAME, IN_DATA };

#define HEADER_SIZE 110u

static int fail(struct cpio *c, const char *what)
{
	c->what = what;
	return -EINVAL;
}

static int parse_header(struct cpio *c)
{
	u32 v[13];

	if (memcmp(c->header, "07070", 5) != 0 || (c->header[5] != '1' && c->header[5] != '2'))
		return fail(c, "no cpio header");
	c->with_sum = c->header[5] == '2';
	for (int f = 0; f < 13; f++) {
		v[f] = 0;
		for (int i = 0; i < 8; i++) {
			u8 ch = c->header[6 + f * 8 + i];
			u32 d = ch >= '0' && ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10u;

			if (d > 15)
				return fail(c, "a header field is not a number");
			v[f] = v[f] << 4 | d;
		}
	}
	c->e = (struct cpio_entry){.ino = v[0],
		.mode = v[1],
		.uid = v[2],
		.gid = v[3],
		.nlink = v[4],
		.mtime = v[5],
		.size = v[6],
		.major = v[7],
		.minor = v[8],
		.rmajor = v[9],
		.rminor = v[10]};
	if (v[11] == 0 || v[11] > CPIO_NAME_MAX)
		return fail(c, "a name is too long or empty");
	c->sum = v[12];
	c->need = v[11];
	c->have = 0;
	c->state = IN_NAME;
	return 0;
}

static u32 padding(u64 offset)
{
	return (u32)(-offset & 3);
}

static int finish_entry(struct cpio *c)
{
	c->skip = padding(c->offset);
	c->state = AT_START;
	if (c->with_sum && c->sum)
		return fail(c, "a file's checksum is wrong");
	return c->end(c->ctx);
}

static int parse_name(struct cpio *c)
{
	int err;

	if (c->name[c->need - 1] != 0)
		return fail(c, "a name has no end");
	c->e.name = c->name;
	c->skip = padding(c->offset);
	if (strcmp(c->name, "TRAILER!!!") == 0) {
		if (c->e.size)
			return fail(c, "a trailer with data");
		c->state = AT_START;
		return c->archive_end(c->ctx);
	}
	c->left = c->e.size;
	c->state = IN_DATA;
	err = c->begin(c->ctx, &c->e);
	if (!err && c->left == 0)
		err = finish_entry(c);
	return err;
}

/* Collect into buf until need bytes are there; bytes taken. */
static size_t collect(struct cpio *c, void *buf, const u8 *data, size_t n)
{
	n = min_t(size_t, n, c->need - c->have);
	memcpy((u8 *)buf + c->have, data, n);
	c->have += (u32)n;
	return n;
}

int cpio_push(struct cpio *c, const u8 *data, size_t n)
{
	int err = 0;

	while (n && !err) {
		size_t took = 1;

		if (c->skip) {
			took = min_t(size_t, n, c->skip);
			c->skip -= (u32)took;
		} else if (c->state == AT_START) {
			took = *data == 0; /* padding between archives */
			if (!took) {
				c->offset = 0; /* names and data are aligned from here */
				c->state = IN_HEADER;
				c->need = HEADER_SIZE;
				c->have = 0;
			}
		} else if (c->state == IN_HEADER) {
			took = collect(c, c->header, data, n);
		} else if (c->state == IN_NAME) {
			took = collect(c, c->name, data, n);
		} else {
			took = min_t(size_t, n, c->left);
			for (size_t i = 0; c->with_sum && i < took; i++)
				c->sum -= data[i];
			err = c->data(c->ctx, data, took);
			c->left -= (u32)took;
		}
		data += took;
		n -= took;
		c->offset += took;
		if (err)
			break;
		if (c->state == IN_HEADER && c->have == c->need)
			err = parse_header(c);
		else if (c->state == IN_NAME && c->have == c->need && took)
			err = parse_name(c);
		else if (c->state == IN_DATA && c->left == 0 && took && !c->skip)
			err = finish_entry(c);
	}
	return err;
}

bool cpio_at_boundary(const struct cpio *c)
{
	return c->state == AT_START;
}

int cpio_finish(struct cpio *c)
{
	return c->state == AT_START ? 0 : fail(c, "it ends inside an entry");
}
