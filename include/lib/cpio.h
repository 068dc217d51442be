/*
 * Reader for cpio archives in the "newc" and "crc" formats (linux-doc: early-userspace
 * buffer-format), fed in pieces of any size; several archives in a row, zero padding between them.
 */
#ifndef LIB_CPIO_H
#define LIB_CPIO_H

#define CPIO_NAME_MAX 4096

struct cpio_entry {
	u32 ino, mode, uid, gid, nlink, mtime, size, major, minor, rmajor, rminor;
	const char *name; /* NUL-terminated; valid during the callbacks of this entry */
};

struct cpio {
	/* Each returns 0 to go on or a negative error that stops. */
	int (*begin)(void *ctx, const struct cpio_entry *e);
	int (*data)(void *ctx, const u8 *data, size_t n); /* e->size bytes in all */
	int (*end)(void *ctx);
	/* TRAILER!!! seen: hard links do not reach over it. */
	int (*archive_end)(void *ctx);
	void *ctx;
	/* private */
	u32 state;
	u32 need, have; /* bytes of header or name being collected */
	u32 left;       /* of data */
	u32 skip;       /* padding */
	u64 offset;     /* from the header's start: name and data end at multiples of 4 */
	u32 sum;        /* of the file's bytes, what is missing of it; format "crc" only */
	bool with_sum;
	struct cpio_entry e;
	u8 header[110];
	char name[CPIO_NAME_MAX + 1];
	const char *what; /* on error: what was wrong */
};

/* Callbacks and ctx are set; everything else zero. 0, -EINVAL (cpio->what says why), a callback's
 * error. */
int cpio_push(struct cpio *c, const u8 *data, size_t n) must_check;
/* At the end of input: -EINVAL when it stops inside an entry. */
int cpio_finish(struct cpio *c) must_check;
/* Is the reader between archives, where a compressed one may begin? */
bool cpio_at_boundary(const struct cpio *c);

#endif
