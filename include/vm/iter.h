/*
 * An iterator over the memory of one read or write: user iovecs, one user buffer, kernel memory.
 * Copies advance it. A copy that meets a fault stops short: compare iter->count before and after.
 */
#ifndef VM_ITER_H
#define VM_ITER_H

#include <linux/uio.h>
#include <arch/uaccess.h>

enum iter_kind { ITER_UBUF, ITER_IOVEC, ITER_KBUF };

struct iter {
	enum iter_kind kind;
	bool append;   /* write at the end of the file, whatever the position (RWF_APPEND) */
	size_t count;  /* bytes left */
	size_t offset; /* into the current segment */
	union {
		void __user *ubuf;
		const struct iovec *iov; /* kernel copy of the user's array */
		void *kbuf;
	};
	int nr_segs; /* ITER_IOVEC: segments left */
};

static inline struct iter iter_user(void __user *buf, size_t len)
{
	return (struct iter){.kind = ITER_UBUF, .count = len, .ubuf = buf};
}
static inline struct iter iter_kernel(void *buf, size_t len)
{
	return (struct iter){.kind = ITER_KBUF, .count = len, .kbuf = buf};
}
/* Bytes copied; less than n on a fault. n is limited to iter->count. May sleep. */
size_t iter_put(struct iter *to, const void *src, size_t n) must_check; /* data into the iterator */
size_t iter_get(struct iter *from, void *dst, size_t n) must_check;     /* data out of it */
size_t iter_zero(struct iter *to, size_t n) must_check;
/* The same without sleeping on faults, for use under a page lock; pair with iter_fault_in. */
size_t iter_put_nofault(struct iter *to, const void *src, size_t n) must_check;
size_t iter_get_nofault(struct iter *from, void *dst, size_t n) must_check;
/* Touch the next n bytes so that a nofault copy can go on. -EFAULT when nothing is accessible. */
int iter_fault_in(const struct iter *it, size_t n, bool write) must_check;
void iter_advance(struct iter *it, size_t n);
/* Bytes left in the current segment that isn't empty; all for what isn't a vector. */
size_t iter_segment(struct iter *it);
void iter_revert(
	struct iter *it, size_t n); /* undo the last n advanced bytes (same segment array) */

/*
 * readv and friends: copy in and check a user iovec array (at most 1024, sum at most
 * MAX_RW_COUNT: truncated as Linux does). *out is stack (fast, up to nr_fast) or kmalloc memory, to
 * be released with iov_free. Returns total bytes or -EINVAL -EFAULT -ENOMEM.
 */
#define MAX_RW_COUNT 0x7ffff000ul
ssize_t iter_import(struct iter *it, const struct iovec __user *uvec, unsigned long nr,
	struct iovec *fast, int nr_fast, struct iovec **out) must_check;
void iov_free(struct iovec *vec, struct iovec *fast);

#endif
