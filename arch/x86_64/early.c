/*
 * Memory before the page allocator: reservations inside RAM, pages that are taken for good, and
 * the final page tables of the kernel half:
 *
 *   direct map   every RAM range, largest pages that fit, writable, not executable; the image's
 *                code and constants are read-only there too
 *   vmalloc      its second-level table, so that all roots share it
 *   image        code executable, constants read-only, data writable (W^X)
 */
#include "image.h"
#include "x86.h"
#include <arch/mmu.h>
#include <core/init.h>
#include <core/log.h>
#include <lib/err.h>
#include <lib/string.h>

u64 x86_kernel_root[PT_ENTRIES] __aligned(PAGE_SIZE);

void x86_reserve(u64 start, u64 len)
{
	struct boot_info *b = &g_boot_info;
	u64 end = round_up(start + len, PAGE_SIZE);

	start = round_down(start, PAGE_SIZE);
	for (int i = 0; i < b->nr_reserved; i++) {
		struct boot_range *r = &b->reserved[i];

		if (r->start + r->len == start) {
			r->len += end - start;
			return;
		}
	}
	if (b->nr_reserved == ARRAY_SIZE(b->reserved))
		panic("boot: too many reserved ranges");
	b->reserved[b->nr_reserved++] = (struct boot_range){start, end - start};
}

/* First address >= at that is clear of all reservations for len bytes. */
static u64 skip_reserved(u64 at, u64 len)
{
	struct boot_info *b = &g_boot_info;
	bool moved;

	do {
		moved = false;
		for (int i = 0; i < b->nr_reserved; i++) {
			struct boot_range *r = &b->reserved[i];

			if (at < r->start + r->len && r->start < at + len) {
				at = r->start + r->len;
				moved = true;
			}
		}
	} while (moved);
	return at;
}

/* Small pieces come out of one page after another; the boot page tables reach 4 GiB. */
static u64 g_piece, g_piece_end;

void *x86_early_alloc(size_t size, size_t align)
{
	struct boot_info *b = &g_boot_info;
	u64 at = round_up(g_piece, align), pages = round_up(size, PAGE_SIZE);

	if (at + size <= g_piece_end && g_piece) {
		g_piece = at + size;
		return memset(phys_to_virt(at), 0, size);
	}
	for (int i = 0; i < b->nr_ram; i++) {
		struct boot_range *r = &b->ram[i];

		if (r->start + r->len <= MiB(1))
			continue;
		at = skip_reserved(max(r->start, MiB(1)), pages);
		if (at + pages > r->start + r->len || at + pages > GiB(4))
			continue;
		x86_reserve(at, pages);
		g_piece = at + size;
		g_piece_end = at + pages;
		return memset(phys_to_virt(at), 0, size);
	}
	init_failed("boot: taking memory for tables and the initramfs", -ENOMEM);
}

static void map_direct(u64 start, u64 end)
{
	u32 rw = MMU_READ | MMU_WRITE | MMU_GLOBAL | MMU_DIRTY;
	u64 ro_start = virt_to_phys(__text_start), ro_end = virt_to_phys(__data_start);

	/* Whole 2 MiB blocks: what is beyond RAM at the edges is never touched. */
	start = round_down(start, HUGE_SIZE);
	end = round_up(end, HUGE_SIZE);
	if (start < ro_end && end > ro_start) {
		x86_map(x86_kernel_root, DIRECT_MAP + start, start, ro_start - start, rw);
		x86_map(x86_kernel_root, DIRECT_MAP + ro_start, ro_start, ro_end - ro_start,
			MMU_READ | MMU_GLOBAL);
		start = ro_end;
	}
	x86_map(x86_kernel_root, DIRECT_MAP + start, start, end - start, rw);
}

static void map_image(const u8 *start, const u8 *end, u32 prot)
{
	x86_map(x86_kernel_root, (unsigned long)start, virt_to_phys(start),
		round_up((size_t)(end - start), PAGE_SIZE), prot | MMU_READ | MMU_GLOBAL);
}

void x86_map_kernel(void)
{
	struct boot_info *b = &g_boot_info;
	u64 done = 0;
	u64 *pdpt;

	for (int i = 0; i < b->nr_ram; i++) {
		u64 start = max(done, b->ram[i].start), end = b->ram[i].start + b->ram[i].len;

		/* Neighbours are joined where their blocks touch, so no block is mapped twice. */
		while (i + 1 < b->nr_ram && b->ram[i + 1].start < round_up(end, HUGE_SIZE)) {
			i++;
			end = b->ram[i].start + b->ram[i].len;
		}
		if (end > start)
			map_direct(start, end);
		done = round_up(end, HUGE_SIZE);
	}
	pdpt = x86_early_alloc(PAGE_SIZE, PAGE_SIZE);
	x86_kernel_root[pt_index(VMALLOC_START, 3)] = pte_table(virt_to_phys(pdpt)) & ~PTE_U;
	map_image(__text_start, __rodata_start, MMU_EXEC);
	map_image(__rodata_start, __data_start, 0);
	map_image(__data_start, __image_end, MMU_WRITE | MMU_DIRTY);
	write_cr3(virt_to_phys(x86_kernel_root));
}
