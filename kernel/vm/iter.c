/* See <vm/iter.h>. */
#include <lib/string.h>
#include <kmem/slab.h>
#include <vm/iter.h>

/* The current segment: its unread part. For ITER_IOVEC empty segments are stepped over. */
static size_t segment(struct iter *it, uintptr_t *addr)
{
	if (it->kind != ITER_IOVEC) {
		*addr = (uintptr_t)it->kbuf + it->offset;
		return it->count;
	}
	while (it->nr_segs && it->offset == it->iov->iov_len) {
		it->iov++;
		it->nr_segs--;
		it->offset = 0;
	}
	if (!it->nr_segs)
		return 0;
	*addr = (uintptr_t)it->iov->iov_base + it->offset;
	return min(it->count, it->iov->iov_len - it->offset);
}

size_t iter_segment(struct iter *it)
{
	uintptr_t addr;

	return segment(it, &addr);
}

enum move { PUT, PUT_NOFAULT, GET, GET_NOFAULT, ZERO };

static always_inline size_t move_user(enum move m, uintptr_t user, void *data, size_t n)
{
	void __user *u = (void __user *)user;

	switch (m) {
	case PUT:
		return copy_to_user_part(u, data, n);
	case PUT_NOFAULT:
		return copy_to_user_nofault(u, data, n);
	case GET:
		return copy_from_user_part(data, u, n);
	case GET_NOFAULT:
		return copy_from_user_nofault(data, u, n);
	default:
		return clear_user_part(u, n);
	}
}

static size_t move_kernel(enum move m, uintptr_t k, void *data, size_t n)
{
	if (m == PUT || m == PUT_NOFAULT)
		memcpy((void *)k, data, n);
	else if (m == ZERO)
		memset((void *)k, 0, n);
	else
		memcpy(data, (void *)k, n);
	return n;
}

static size_t move_segments(struct iter *it, enum move m, void *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		uintptr_t addr = 0;
		size_t part = min(segment(it, &addr), n - done), got;
		void *d = data ? (char *)data + done : NULL;

		if (!part)
			break;
		got = it->kind == ITER_KBUF ? move_kernel(m, addr, d, part)
					    : move_user(m, addr, d, part);
		it->offset += got;
		it->count -= got;
		done += got;
		if (got < part)
			break;
	}
	return done;
}

/* m is constant in every caller: for one user buffer, the usual kind, this is just the copy. */
static always_inline size_t move(struct iter *it, enum move m, void *data, size_t n)
{
	n = min(n, it->count);
	if (unlikely(it->kind != ITER_UBUF))
		return move_segments(it, m, data, n);
	n = move_user(m, (uintptr_t)it->ubuf + it->offset, data, n);
	it->offset += n;
	it->count -= n;
	return n;
}

size_t iter_put(struct iter *to, const void *src, size_t n)
{
	return move(to, PUT, (void *)src, n);
}

size_t iter_get(struct iter *from, void *dst, size_t n)
{
	return move(from, GET, dst, n);
}

size_t iter_zero(struct iter *to, size_t n)
{
	return move(to, ZERO, NULL, n);
}

size_t iter_put_nofault(struct iter *to, const void *src, size_t n)
{
	return move(to, PUT_NOFAULT, (void *)src, n);
}

size_t iter_get_nofault(struct iter *from, void *dst, size_t n)
{
	return move(from, GET_NOFAULT, dst, n);
}

/* Touch each page of the range. True when the first could be touched. */
static bool touch(uintptr_t addr, size_t n, bool write)
{
	uintptr_t end = addr + n;
	bool any = false;

	for (uintptr_t a = addr; a < end; a = round_down(a, PAGE_SIZE) + PAGE_SIZE) {
		u32 prev;
		u8 v maybe_unused;

		/* Writing must not undo what another thread stores: an atomic no-op. */
		if (write && user_cmpxchg32((u32 __user *)round_down(a, 4ul), 0, 0, &prev))
			break;
		if (!write && get_user(v, (u8 __user *)a))
			break;
		any = true;
	}
	return any;
}

int iter_fault_in(const struct iter *it, size_t n, bool write)
{
	struct iter copy = *it;
	uintptr_t addr = 0;
	size_t part;

	if (it->kind == ITER_KBUF || !n || !it->count)
		return 0;
	part = segment(&copy, &addr);
	return !part || touch(addr, min(part, n), write) ? 0 : -EFAULT;
}

void iter_advance(struct iter *it, size_t n)
{
	n = min(n, it->count);
	it->count -= n;
	if (it->kind != ITER_IOVEC) {
		it->offset += n;
		return;
	}
	while (n) {
		size_t part = min(n, it->iov->iov_len - it->offset);

		it->offset += part;
		n -= part;
		if (it->offset == it->iov->iov_len && n) {
			it->iov++;
			it->nr_segs--;
			it->offset = 0;
		}
	}
}

void iter_revert(struct iter *it, size_t n)
{
	it->count += n;
	while (it->kind == ITER_IOVEC && n > it->offset) {
		n -= it->offset;
		it->iov--;
		it->nr_segs++;
		it->offset = it->iov->iov_len;
	}
	it->offset -= n;
}

ssize_t iter_import(struct iter *it, const struct iovec __user *uvec, unsigned long nr,
	struct iovec *fast, int nr_fast, struct iovec **out)
{
	struct iovec *vec = fast;
	size_t total = 0;

	*out = fast;
	if (nr > UIO_MAXIOV)
		return -EINVAL;
	if (nr > (unsigned long)nr_fast) {
		vec = kmalloc(nr * sizeof(*vec), GFP_KERNEL);
		if (!vec)
			return -ENOMEM;
	}
	if (nr && copy_from_user(vec, uvec, nr * sizeof(*vec))) {
		iov_free(vec, fast);
		return -EFAULT;
	}
	for (unsigned long i = 0; i < nr; i++) {
		size_t len = vec[i].iov_len;

		if ((ssize_t)len < 0) {
			iov_free(vec, fast);
			return -EINVAL;
		}
		if (!user_range_ok((uintptr_t)vec[i].iov_base, len)) {
			iov_free(vec, fast);
			return -EFAULT;
		}
		if (len > MAX_RW_COUNT - total) {
			len = MAX_RW_COUNT - total;
			vec[i].iov_len = len;
		}
		total += len;
	}
	*it = (struct iter){.kind = ITER_IOVEC, .count = total, .iov = vec, .nr_segs = (int)nr};
	*out = vec;
	return (ssize_t)total;
}

void iov_free(struct iovec *vec, struct iovec *fast)
{
	if (vec != fast)
		kfree(vec);
}
