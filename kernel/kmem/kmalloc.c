/* Memory of any size: slab caches for small sizes, whole pages above. */
#include "kmem.h"
#include "slab.h"
#include <core/log.h>
#include <lib/kasan.h>
#include <lib/seq_buf.h>
#include <lib/string.h>

#define MAX_SMALL 4096u
#define CLASS(n, name_)                                         \
	{                                                       \
		.name = name_, .size = (n), .align = (n) & -(n) \
	}

/* Powers of two are aligned to their size, the others to their largest power of two. */
static struct slab_cache g_class[] = {
	CLASS(16, "kmalloc-16"),
	CLASS(32, "kmalloc-32"),
	CLASS(48, "kmalloc-48"),
	CLASS(64, "kmalloc-64"),
	CLASS(96, "kmalloc-96"),
	CLASS(128, "kmalloc-128"),
	CLASS(192, "kmalloc-192"),
	CLASS(256, "kmalloc-256"),
	CLASS(384, "kmalloc-384"),
	CLASS(512, "kmalloc-512"),
	CLASS(1024, "kmalloc-1k"),
	CLASS(2048, "kmalloc-2k"),
	CLASS(4096, "kmalloc-4k"),
};

/* Class for sizes up to 192, by (size - 1) / 16. */
static const u8 g_small_class[] = {0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6};

static inline struct slab_cache *class_for(size_t size)
{
	if (size <= 192)
		return &g_class[g_small_class[(size - !!size) / 16]];
	if (size <= 256)
		return &g_class[7];
	if (size <= 384)
		return &g_class[8];
	return &g_class[ilog2(size - 1) + 1];
}
static_assert(ARRAY_SIZE(g_class) == 13, "class_for counts on these");

/* What is behind size is not the caller's, but for kmalloc_usable(). */
static void *sized(void *p, size_t size, size_t have)
{
	if (DEBUG && p) {
		kasan_poison(p, have, KASAN_TAIL);
		kasan_unpoison(p, size);
	}
	return p;
}

void *kmalloc(size_t size, u32 gfp)
{
	struct page *p;

	if (likely(size <= MAX_SMALL)) {
		struct slab_cache *c = class_for(size);

		return sized(slab_alloc(c, gfp), size, c->size);
	}
	if (size > PAGE_SIZE << MAX_ORDER)
		return NULL;
	p = pages_alloc(ilog2(size - 1) + 1 - PAGE_SHIFT, gfp);
	return p ? sized(page_address(p), size, PAGE_SIZE << p->order) : NULL;
}

void kfree(const void *ptr)
{
	struct page *p;

	if (unlikely(!ptr))
		return;
	p = virt_to_page(ptr);
	if (p->flags & 1ul << PG_TAIL)
		p = p->head;
	if (likely(p->flags & 1ul << PG_SLAB)) {
		slab_free(p->cache, (void *)ptr);
		return;
	}
	if (unlikely(!(p->flags & 1ul << PG_HEAD) || page_address(p) != ptr))
		panic("kfree: %p was not allocated", ptr);
	put_page(p);
}

size_t kmalloc_usable(const void *ptr)
{
	struct page *p = virt_to_page(ptr);
	size_t size;

	if (p->flags & 1ul << PG_TAIL)
		p = p->head;
	size = p->flags & 1ul << PG_SLAB ? p->cache->size : PAGE_SIZE << p->order;
	kasan_unpoison(ptr, size);
	return size;
}

void *kcalloc(size_t n, size_t size, u32 gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return kmalloc(bytes, gfp | GFP_ZERO);
}

void *krealloc(void *old, size_t size, u32 gfp)
{
	size_t have = old ? kmalloc_usable(old) : 0;
	void *p;

	if (old && size <= have && size * 2 >= have)
		return sized(old, size, have);
	p = kmalloc(size, gfp & ~GFP_ZERO);
	if (!p)
		return NULL;
	memcpy(p, old ? old : p, min(have, size));
	if ((gfp & GFP_ZERO) && size > have)
		memset((u8 *)p + have, 0, size - have);
	kfree(old);
	return p;
}

char *kstrdup(const char *s, u32 gfp)
{
	return kmemdup(s, strlen(s) + 1, gfp);
}

void *kmemdup(const void *src, size_t n, u32 gfp)
{
	void *p = kmalloc(n, gfp & ~GFP_ZERO);

	return p ? memcpy(p, src, n) : NULL;
}

void *kvmalloc(size_t size, u32 gfp)
{
	void *p = NULL;

	if (size <= 4 * PAGE_SIZE)
		p = kmalloc(size, gfp | (size > PAGE_SIZE ? GFP_NORETRY : 0));
	return p ? p : vmalloc(size, gfp);
}

static bool is_vmalloc(const void *p)
{
	return (unsigned long)p >= VMALLOC_START && (unsigned long)p < VMALLOC_END;
}

void kvfree(const void *p)
{
	if (is_vmalloc(p))
		vfree(p);
	else
		kfree(p);
}

static bool seq_grow(struct seq_buf *s, size_t need)
{
	size_t size = max(s->size * 2, (size_t)PAGE_SIZE);
	char *p;

	while (size < s->len + need)
		size *= 2;
	p = kvmalloc(size, GFP_KERNEL);
	if (!p)
		return false;
	if (s->len)
		memcpy(p, s->buf, s->len);
	kvfree(s->buf);
	s->buf = p;
	s->size = size;
	return true;
}

void seq_kinit(struct seq_buf *s)
{
	*s = (struct seq_buf){.grow = seq_grow};
}

void seq_kfree(struct seq_buf *s)
{
	kvfree(s->buf);
	*s = (struct seq_buf){0};
}
