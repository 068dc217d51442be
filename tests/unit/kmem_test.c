/* Pages, slabs, kmalloc, vmalloc: what is taken comes back, and memory never overlaps. */
#include <core/counters.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include "unit.h"

#define MANY 512

static u64 free_pages(void)
{
	struct mem_stats s;

	counters_quiesce();
	mem_get_stats(&s);
	return s.free;
}

/* Which slab a long-lived object lies in may change. */
static u64 free_and_slab_pages(void)
{
	struct mem_stats s;

	counters_quiesce();
	mem_get_stats(&s);
	return s.free + s.slab;
}

UNIT(blocks_of_all_orders_come_back)
{
	u64 before = free_pages();
	struct page *p[MAX_ORDER + 1];

	for (int o = 0; o <= MAX_ORDER; o++) {
		p[o] = pages_alloc(o, GFP_KERNEL);
		EXPECT(p[o]);
		EXPECT(is_aligned(page_to_phys(p[o]), PAGE_SIZE << o));
		EXPECT_EQ(p[o]->refs, 1);
	}
	for (int o = 0; o <= MAX_ORDER; o++)
		put_page(p[o]);
	EXPECT_EQ(free_pages(), before);
	EXPECT(!pages_alloc(MAX_ORDER + 1, GFP_KERNEL));
}

UNIT(random_blocks_do_not_overlap)
{
	static struct {
		struct page *p;
		int order;
	} have[MANY];
	u64 before = free_pages();

	for (int i = 0; i < 20000; i++) {
		u64 k = unit_random_below(MANY);
		u64 *words;

		if (have[k].p) {
			words = page_address(have[k].p);
			EXPECT_EQ(words[0], k);
			EXPECT_EQ(words[(PAGE_SIZE << have[k].order) / 8 - 1], k);
			put_page(have[k].p);
			have[k].p = NULL;
			continue;
		}
		have[k].order = (int)unit_random_below(4);
		have[k].p = pages_alloc(have[k].order, GFP_KERNEL | GFP_NORETRY);
		if (!have[k].p)
			continue;
		words = page_address(have[k].p);
		words[0] = words[(PAGE_SIZE << have[k].order) / 8 - 1] = k;
	}
	for (int k = 0; k < MANY; k++) {
		if (have[k].p)
			put_page(have[k].p);
		have[k].p = NULL;
	}
	EXPECT_EQ(free_pages(), before);
}

UNIT(memory_that_runs_out_is_an_error_and_comes_back)
{
	u64 before = free_pages(), nr = 0;
	struct page *list = NULL, *p;

	while ((p = page_alloc(GFP_KERNEL | GFP_NORETRY))) {
		p->index = (u64)list;
		list = p;
		nr++;
	}
	EXPECT(nr > before / 2 && nr < before);
	while (list) {
		p = list;
		list = (struct page *)p->index;
		p->index = 0;
		put_page(p);
	}
	EXPECT_EQ(free_pages(), before);
}

UNIT(pages_are_zeroed_on_request)
{
	struct page *p = page_alloc(GFP_KERNEL);

	memset(page_address(p), 0xaa, PAGE_SIZE);
	put_page(p);
	p = page_alloc(GFP_KERNEL | GFP_ZERO);
	for (size_t i = 0; i < PAGE_SIZE / 8; i++)
		EXPECT_EQ(((u64 *)page_address(p))[i], 0);
	put_page(p);
}

struct thing {
	u64 a[9];
};
static SLAB_CACHE(g_cache, struct thing);
static SLAB_CACHE_FLAGS(g_rcu_cache, struct thing, SLAB_RCU);

UNIT(slab_objects_are_distinct_and_come_back)
{
	static struct thing *have[MANY];
	struct slab_cache *caches[] = {&g_cache, &g_rcu_cache};
	u64 before;

	slab_free(&g_cache, slab_alloc(&g_cache, GFP_KERNEL)); /* the caches exist */
	slab_free(&g_rcu_cache, slab_alloc(&g_rcu_cache, GFP_KERNEL));
	before = free_pages();
	for (int c = 0; c < 2; c++) {
		for (u64 i = 0; i < MANY; i++) {
			have[i] = slab_alloc(caches[c], GFP_KERNEL);
			memset(have[i], (int)i, sizeof(*have[i]));
		}
		for (u64 i = 0; i < MANY; i++) {
			EXPECT_EQ(have[i]->a[8], 0x0101010101010101ull * (u8)i);
			slab_free(caches[c], have[i]);
		}
	}
	EXPECT_EQ(free_pages(), before);
}

UNIT(kmalloc_gives_room_for_every_size)
{
	u64 before = free_and_slab_pages();

	for (size_t n = 0; n < 20000; n += n < 600 ? 1 : 117) {
		u8 *p = kmalloc(n, GFP_KERNEL);

		EXPECT(p && kmalloc_usable(p) >= n);
		memset(p, 0x5a, n);
		if (is_power_of_2(n))
			EXPECT(is_aligned((u64)p, n));
		kfree(p);
	}
	EXPECT(!kcalloc(1ul << 40, 1ul << 40, GFP_KERNEL));
	EXPECT(!kmalloc(MiB(5), GFP_KERNEL));
	kfree(NULL);
	EXPECT_EQ(free_and_slab_pages(), before);
}

UNIT(krealloc_keeps_the_content)
{
	char *p = NULL;

	for (size_t n = 1; n < 10000; n = n * 3 / 2 + 1) {
		p = krealloc(p, n, GFP_KERNEL);
		if (n > 1)
			EXPECT_EQ(p[n / 3], 'x');
		memset(p, 'x', n);
	}
	kfree(p);
}

UNIT(vmalloc_areas_are_apart_and_come_back)
{
	static u8 *have[64];
	u64 before;

	vfree(vmalloc(1, GFP_KERNEL));
	before = free_and_slab_pages();
	for (int round = 0; round < 300; round++) {
		u64 k = unit_random_below(64);
		size_t n = (1 + unit_random_below(40)) * 1000;

		if (have[k]) {
			EXPECT_EQ(have[k][0], k);
			vfree(have[k]);
			have[k] = NULL;
			continue;
		}
		have[k] = vmalloc(n, GFP_KERNEL);
		memset(have[k], (int)k, n);
		for (int j = 0; j < 64; j++)
			EXPECT(j == (int)k || !have[j] || have[j] + 1 + PAGE_SIZE <= have[k] ||
				have[k] + n <= have[j]);
	}
	for (int k = 0; k < 64; k++) {
		vfree(have[k]);
		have[k] = NULL;
	}
	EXPECT_EQ(free_and_slab_pages(), before);
	EXPECT(!vmalloc(0, GFP_KERNEL));
}

static unsigned long g_asked;

static unsigned long shrink_count(void)
{
	return 10;
}

static unsigned long shrink_scan(unsigned long nr, u32 gfp)
{
	g_asked++;
	return 0;
}

UNIT(shrinkers_are_asked_before_memory_runs_out)
{
	static struct shrinker s = {.name = "test", .count = shrink_count, .scan = shrink_scan};
	struct page *list = NULL, *p;

	shrinker_register(&s);
	g_asked = 0;
	while ((p = page_alloc(GFP_KERNEL | GFP_NORETRY))) {
		p->index = (u64)list;
		list = p;
	}
	EXPECT(g_asked > 0);
	while (list) {
		p = list;
		list = (struct page *)p->index;
		p->index = 0;
		put_page(p);
	}
}
