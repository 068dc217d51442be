/*
 * Atomic integers. Plain add/sub/inc/dec are relaxed; *_return, cmpxchg, xchg and the test forms
 * are full barriers (seq_cst). load_acquire/store_release order as their names say.
 */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

typedef struct {
	int v;
} atomic_t;
typedef struct {
	s64 v;
} atomic64_t;
#define ATOMIC_INIT(n) \
	{              \
		(n)    \
	}

#define atomic_read(a)          (__atomic_load_n(&(a)->v, __ATOMIC_RELAXED))
#define atomic_set(a, n)        (__atomic_store_n(&(a)->v, (n), __ATOMIC_RELAXED))
#define atomic_add(a, n)        ((void)__atomic_fetch_add(&(a)->v, (n), __ATOMIC_RELAXED))
#define atomic_sub(a, n)        ((void)__atomic_fetch_sub(&(a)->v, (n), __ATOMIC_RELAXED))
#define atomic_inc(a)           atomic_add(a, 1)
#define atomic_dec(a)           atomic_sub(a, 1)
#define atomic_add_return(a, n) (__atomic_add_fetch(&(a)->v, (n), __ATOMIC_SEQ_CST))
#define atomic_sub_return(a, n) (__atomic_sub_fetch(&(a)->v, (n), __ATOMIC_SEQ_CST))
#define atomic_dec_and_test(a)  (atomic_sub_return(a, 1) == 0)
#define atomic_xchg(a, n)       (__atomic_exchange_n(&(a)->v, (n), __ATOMIC_SEQ_CST))
/* True when *a was *old and is now new; otherwise *old gets the value found. */
#define atomic_try_cmpxchg(a, old, new) \
	(__atomic_compare_exchange_n(   \
		&(a)->v, (old), (new), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))

#define load_acquire(p)     __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, n) __atomic_store_n((p), (n), __ATOMIC_RELEASE)
#define smp_mb()            __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()           __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()           __atomic_thread_fence(__ATOMIC_RELEASE)
#define xchg(p, n)          __atomic_exchange_n((p), (n), __ATOMIC_SEQ_CST)
#define try_cmpxchg(p, old, new) \
	__atomic_compare_exchange_n((p), (old), (new), false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)

/* Bit operations on an unsigned long; return the old bit; full barriers. */
static inline bool atomic_test_and_set_bit(int bit, unsigned long *p)
{
	return (__atomic_fetch_or(p, 1ul << bit, __ATOMIC_SEQ_CST) >> bit) & 1;
}

static inline bool atomic_test_and_clear_bit(int bit, unsigned long *p)
{
	return (__atomic_fetch_and(p, ~(1ul << bit), __ATOMIC_SEQ_CST) >> bit) & 1;
}

#endif
