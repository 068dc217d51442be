/* Allocation of small integers. See lib/idalloc.h. */
#include <lib/err.h>
#include <lib/idalloc.h>

void idalloc_init(struct idalloc *a, u32 limit)
{
	a->limit = min(limit, IDALLOC_MAX);
	a->last = U32_MAX;
}

/* First zero bit of w at or above bit b; 64: none. */
static u32 zero_from(u64 w, u32 b)
{
	u64 free;

	if (b >= 64)
		return 64;
	free = ~w >> b;
	return free ? b + (u32)__builtin_ctzll(free) : 64;
}

static u32 find_free(const struct idalloc *a, u32 from)
{
	u32 w = from / 64, b = zero_from(a->bottom[w], from % 64), m;

	if (b < 64)
		return w * 64 + b;
	m = (w + 1) / 64;
	if (w + 1 >= 64 * 64)
		return IDALLOC_MAX;
	b = zero_from(a->middle[m], (w + 1) % 64);
	if (b == 64) {
		m = zero_from(a->top, m + 1);
		if (m == 64)
			return IDALLOC_MAX;
		b = zero_from(a->middle[m], 0);
	}
	w = m * 64 + b;
	return w * 64 + zero_from(a->bottom[w], 0);
}

static void take(struct idalloc *a, u32 id)
{
	u32 w = id / 64;

	a->nr_used++;
	a->bottom[w] |= 1ull << (id % 64);
	if (~a->bottom[w])
		return;
	a->middle[w / 64] |= 1ull << (w % 64);
	if (!~a->middle[w / 64])
		a->top |= 1ull << (w / 64);
}

int idalloc_lowest(struct idalloc *a, u32 from)
{
	u32 id = from < a->limit ? find_free(a, from) : IDALLOC_MAX;

	if (id >= a->limit)
		return -ENOSPC;
	take(a, id);
	return (int)id;
}

int idalloc_cyclic(struct idalloc *a, u32 from)
{
	u32 start = a->last == U32_MAX || a->last + 1 >= a->limit ? from : max(a->last + 1, from);
	int id = idalloc_lowest(a, start);

	if (id < 0 && start > from)
		id = idalloc_lowest(a, from);
	if (id >= 0)
		a->last = (u32)id;
	return id;
}

int idalloc_exact(struct idalloc *a, u32 id)
{
	if (id >= a->limit)
		return -EINVAL;
	if (idalloc_test(a, id))
		return -EBUSY;
	take(a, id);
	return 0;
}

void idalloc_free(struct idalloc *a, u32 id)
{
	u32 w = id / 64;

	a->nr_used--;
	a->bottom[w] &= ~(1ull << (id % 64));
	a->middle[w / 64] &= ~(1ull << (w % 64));
	a->top &= ~(1ull << (w / 64));
}

int idalloc_next_used(const struct idalloc *a, u32 from)
{
	for (u32 w = from / 64; w * 64 < a->limit; w++) {
		u64 bits = a->bottom[w];

		if (w == from / 64)
			bits &= ~0ull << (from % 64);
		if (bits)
			return (int)(w * 64 + (u32)__builtin_ctzll(bits));
	}
	return -1;
}
