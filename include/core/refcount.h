/*
 * The one reference count type: 32 bits, saturates and panics (DEBUG) or leaks with a log line
 * (release) on overflow, panics on underflow and on 0 -> 1. Verbs: get_x/put_x around it.
 */
#ifndef CORE_REFCOUNT_H
#define CORE_REFCOUNT_H

struct refcount {
	u32 n;
};
#define REFCOUNT_INIT(k) \
	{                \
		(k)      \
	}

static inline void ref_init(struct refcount *r, u32 n)
{
	r->n = n;
}
static inline u32 ref_read(const struct refcount *r)
{
	return __atomic_load_n(&r->n, __ATOMIC_RELAXED);
}
void ref_broken(struct refcount *r, const char *what); /* reports, see above */

static inline void ref_get(struct refcount *r)
{
	u32 old = __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);
	if (unlikely(old == 0 || old >= 0x7fffffff))
		ref_broken(r, "get");
}
/* For lookups under RCU: false when the object is already dying. */
static inline bool must_check ref_get_unless_zero(struct refcount *r)
{
	u32 old = ref_read(r);
	do {
		if (old == 0)
			return false;
	} while (!__atomic_compare_exchange_n(
		&r->n, &old, old + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	if (unlikely(old >= 0x7fffffff))
		ref_broken(r, "get");
	return true;
}
/* True when this was the last reference: the caller frees. */
static inline bool must_check ref_put(struct refcount *r)
{
	u32 old = __atomic_fetch_sub(&r->n, 1, __ATOMIC_ACQ_REL);
	if (unlikely(old == 0 || old > 0x7fffffff))
		ref_broken(r, "put");
	return old == 1;
}
/*
 * True: the count was n, all of them the caller's or known to it, and is 0 now. Nobody else has a
 * reference, ref_get_unless_zero fails; the caller frees the object, or gives it back its count.
 */
static inline bool must_check ref_freeze(struct refcount *r, u32 n)
{
	return __atomic_compare_exchange_n(&r->n, &n, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}
static inline void ref_unfreeze(struct refcount *r, u32 n)
{
	__atomic_store_n(&r->n, n, __ATOMIC_RELEASE);
}

#endif
