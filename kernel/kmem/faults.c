/* DEBUG: mistakes that the shadow must catch, made on purpose for the tests (/proc/aramid/fault). */
#include "kmem.h"
#include <kmem/faults.h>
#include <lib/err.h>
#include <lib/string.h>

#if DEBUG && defined(ARCH_x86_64)
#define SIZE 20 /* of an object: not a multiple of 8, and less than its class */

int kmem_make_fault(const char *kind)
{
	u8 *p = kmalloc(SIZE, GFP_KERNEL);
	struct page *page;

	if (!p)
		return -ENOMEM;
	if (!strcmp(kind, "read-after-free")) {
		kfree(p);
		(void)READ_ONCE(p[1]);
	} else if (!strcmp(kind, "write-behind")) {
		WRITE_ONCE(p[SIZE], 1);
		kfree(p);
	} else if (!strcmp(kind, "copy-behind")) {
		memset(p, 0, SIZE + 1);
		kfree(p);
	} else if (!strcmp(kind, "free-page")) {
		kfree(p);
		page = page_alloc(GFP_KERNEL);
		if (!page)
			return -ENOMEM;
		p = page_address(page);
		put_page(page);
		WRITE_ONCE(p[0], 1);
	} else {
		kfree(p);
		return -EINVAL;
	}
	return 0;
}
#endif
