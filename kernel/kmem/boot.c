/*
 * From the boot loader's memory map to the page allocator: the array of struct pages goes into the
 * first range of RAM that has room for it, everything neither reserved nor used by the array
 * becomes free memory.
 */
#include "kmem.h"
#include <arch/platform.h>
#include <core/init.h>
#include <core/log.h>
#include <lib/err.h>
#include <lib/kasan.h>
#include <lib/string.h>

#define MAX_USED (ARRAY_SIZE(g_boot_info.reserved) + 2)

struct page *g_pages;
u64 g_nr_frames;
static u64 g_total_pages; /* frames given to the allocator, ever */

static struct boot_range g_used[MAX_USED]; /* sorted; start-up only */
static int g_nr_used;

static void use(u64 start, u64 len)
{
	int i = g_nr_used++;

	for (; i && g_used[i - 1].start > start; i--)
		g_used[i] = g_used[i - 1];
	g_used[i] = (struct boot_range){start, len};
}

static u64 find_room(u64 bytes)
{
	for (int i = 0; i < g_boot_info.nr_ram; i++) {
		const struct boot_range *r = &g_boot_info.ram[i];
		u64 at = round_up(max(r->start, MiB(1)), PAGE_SIZE);

		for (int u = 0; u < g_nr_used; u++) {
			if (g_used[u].start + g_used[u].len <= at)
				continue;
			if (g_used[u].start >= at + bytes)
				break;
			at = round_up(g_used[u].start + g_used[u].len, PAGE_SIZE);
		}
		if (at + bytes <= r->start + r->len)
			return at;
	}
	init_failed("taking memory for the page array", -ENOMEM);
}

/* Set up the struct pages of all blocks of MAX_ORDER that [start, end) touches, as reserved. Wholly
 * free blocks need not be: buddy.c does that when they are first used. */
static void reserve_blocks(u64 start, u64 end)
{
	u64 size = 1ull << MAX_ORDER;
	u64 last = min(round_up(div_round_up(end, PAGE_SIZE), size), g_nr_frames);

	for (u64 f = round_down(start / PAGE_SIZE, size); f < last; f++) {
		g_pages[f] = (struct page){.flags = 1ul << PG_RESERVED, .refs = 1};
		list_init(&g_pages[f].lru);
	}
}

/* DEBUG: an eighth of RAM. */
static void start_shadow(void)
{
#if DEBUG && defined(ARCH_x86_64)
	u64 bytes = round_up(g_nr_frames * (PAGE_SIZE / 8), PAGE_SIZE), at = find_room(bytes);

	use(at, bytes);
	memset(phys_to_virt(at), 0, bytes);
	kasan_start(phys_to_virt(at), (unsigned long)phys_to_virt(0), g_nr_frames * PAGE_SIZE);
#endif
}

static void add_free(u64 start, u64 end)
{
	u64 first = div_round_up(start, PAGE_SIZE), last = end / PAGE_SIZE;

	if (first >= last)
		return;
	g_total_pages += last - first;
	buddy_add_range(first, last);
}

static void add_free_parts(const struct boot_range *r)
{
	u64 at = r->start, end = r->start + r->len;

	for (int u = 0; u < g_nr_used && at < end; u++) {
		u64 used_end = g_used[u].start + g_used[u].len;

		if (used_end <= at)
			continue;
		if (g_used[u].start >= end)
			break;
		if (g_used[u].start > at)
			add_free(at, g_used[u].start);
		at = used_end;
	}
	if (at < end)
		add_free(at, end);
}

void kmem_boot_init(void)
{
	const struct boot_info *b = &g_boot_info;
	u64 end = 0, bytes, at;

	for (int i = 0; i < b->nr_ram; i++)
		end = max(end, b->ram[i].start + b->ram[i].len);
	if (!end)
		panic("no memory: the loader gave no range of RAM");
	g_nr_frames = end / PAGE_SIZE;
	for (int i = 0; i < b->nr_reserved; i++)
		use(b->reserved[i].start, b->reserved[i].len);
	bytes = round_up(g_nr_frames * sizeof(struct page), PAGE_SIZE);
	at = find_room(bytes);
	use(at, bytes);
	g_pages = phys_to_virt(at);
	start_shadow();
	for (int i = 0; i < b->nr_ram; i++) {
		reserve_blocks(b->ram[i].start, b->ram[i].start + 1);
		reserve_blocks(
			b->ram[i].start + b->ram[i].len - 1, b->ram[i].start + b->ram[i].len);
	}
	for (int i = 0; i < g_nr_used; i++)
		if (g_used[i].start < end)
			reserve_blocks(g_used[i].start, min(g_used[i].start + g_used[i].len, end));
	for (int i = 0; i < b->nr_ram; i++)
		add_free_parts(&b->ram[i]);
	page_set_watermarks(g_total_pages);
	log_info("Memory: %llu KiB available of %llu KiB", buddy_free_pages() * (PAGE_SIZE >> 10),
		g_nr_frames * (PAGE_SIZE >> 10));
}

void kmem_free_boot_range(u64 start, u64 len)
{
	u64 first = div_round_up(start, PAGE_SIZE), last = (start + len) / PAGE_SIZE;

	if (first >= last)
		return;
	__atomic_fetch_add(&g_total_pages, last - first, __ATOMIC_RELAXED);
	buddy_add_range(first, last);
}

u64 mem_total_pages(void)
{
	return READ_ONCE(g_total_pages);
}
