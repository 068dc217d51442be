/*
 * Small integers: lowest free, or next free after the last one given (cyclic). Three bitmap levels
 * say "all used below", so every operation looks at a handful of words. Up to 262144 ids; memory
 * is one struct of 33 KiB + 520 bytes given by the caller, zeroed.
 */
#ifndef LIB_IDALLOC_H
#define LIB_IDALLOC_H

#define IDALLOC_MAX (64u * 64 * 64)

struct idalloc {
	u64 bottom[64 * 64]; /* bit: id in use */
	u64 middle[64];      /* bit: bottom word full */
	u64 top;             /* bit: middle word full */
	u32 limit;           /* ids are < limit */
	u32 last;            /* for cyclic */
	u32 nr_used;
};

/* limit: 1..IDALLOC_MAX. The structure is zeroed. */
void idalloc_init(struct idalloc *a, u32 limit);
/* Lowest free id in [from, limit), marked used; -ENOSPC. */
int idalloc_lowest(struct idalloc *a, u32 from) must_check;
/* Next free id after the last given, wrapping to from; -ENOSPC. */
int idalloc_cyclic(struct idalloc *a, u32 from) must_check;
/* A certain id; -EBUSY -EINVAL. */
int idalloc_exact(struct idalloc *a, u32 id) must_check;
void idalloc_free(struct idalloc *a, u32 id);
static inline bool idalloc_test(const struct idalloc *a, u32 id)
{
	return id < a->limit && (a->bottom[id / 64] >> (id % 64) & 1);
}
/* First used id >= from, or -1. */
int idalloc_next_used(const struct idalloc *a, u32 from);

#endif
