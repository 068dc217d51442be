/*
 * Errors that everybody who looks is told of once (as fsync(2) does): one word has the last errno
 * (low bits), whether anybody has seen it, and a count of errors that were seen. Lock-free.
 */
#ifndef LIB_ERRSEQ_H
#define LIB_ERRSEQ_H

#include <lib/types.h>

#define ERRSEQ_ERRNO 0xfffu
#define ERRSEQ_SEEN  0x1000u
#define ERRSEQ_STEP  0x2000u

static inline bool errseq_swap(u32 *e, u32 *old, u32 new)
{
	return __atomic_compare_exchange_n(e, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

/* An error has happened; 0 and positive: nothing has. */
static inline void errseq_set(u32 *e, int err)
{
	u32 old = __atomic_load_n(e, __ATOMIC_RELAXED), new;

	if (err >= 0)
		return;
	do {
		new = (old & ~(ERRSEQ_ERRNO | ERRSEQ_SEEN)) | (u32)-err;
		if (old & ERRSEQ_SEEN)
			new += ERRSEQ_STEP;
	} while (!errseq_swap(e, &old, new));
}

/* Where someone new begins: an error that nobody has seen yet is still told. */
static inline u32 errseq_sample(const u32 *e)
{
	u32 v = __atomic_load_n(e, __ATOMIC_RELAXED);

	return v & ERRSEQ_SEEN ? v : 0;
}

/* The error since *since, which becomes now. */
static inline int errseq_check(u32 *e, u32 *since)
{
	u32 v = __atomic_load_n(e, __ATOMIC_RELAXED);

	if (v == *since)
		return 0;
	while (!(v & ERRSEQ_SEEN) && !errseq_swap(e, &v, v | ERRSEQ_SEEN))
		;
	*since = v | ERRSEQ_SEEN;
	return -(int)(v & ERRSEQ_ERRNO);
}

#endif
