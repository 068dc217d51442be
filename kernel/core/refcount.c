/* Reference counts that went wrong. */
#include <core/log.h>
#include <core/refcount.h>
#include <core/symbols.h>

#define REF_SATURATED 0xc0000000u /* far from both ends: the object is leaked, never freed */

void ref_broken(struct refcount *r, const char *what)
{
	u32 n = ref_read(r);

	/* A get that found 0, or a put that did: somebody uses a freed object. */
	if (n <= 1 || n == U32_MAX)
		panic("refcount %p: %s of an object that is already freed", r, what);
	__atomic_store_n(&r->n, REF_SATURATED, __ATOMIC_RELAXED);
#if DEBUG
	panic("refcount %p: overflow at %s", r, what);
#else
	log_err("refcount %p: overflow at %s, the object is leaked", r, what);
	log_backtrace_here();
#endif
}
