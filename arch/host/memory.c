/* RAM, kernel mappings, page tables that no hardware walks. */
#include "host.h"
#include <arch/host.h>
#include <arch/mmu.h>
#include <arch/platform.h>
#include <core/log.h>
#include <kmem/page.h>
#include <lib/string.h>

unsigned long host_vmalloc_start;
unsigned long host_arena;
u64 host_ram;

#if defined(__SANITIZE_ADDRESS__)
void __asan_unpoison_memory_region(const void *addr, size_t size);
#else
static void __asan_unpoison_memory_region(const void *addr, size_t size)
{
}
#endif

void host_memory_init(u64 ram)
{
	host_ram = ram;
	host_arena = (unsigned long)os_arena(ram);
	host_vmalloc_start = (unsigned long)os_reserve(VMALLOC_SIZE);
	if (!host_arena || !host_vmalloc_start)
		panic("host: no memory for %llu MiB of RAM", ram >> 20);
}

u64 host_alloc_countdown;
static bool g_alloc_armed;

void host_alloc_fail_at(u64 n)
{
	g_alloc_armed = n != 0;
	host_alloc_countdown = n;
}

bool host_alloc_failed(void)
{
	return g_alloc_armed && !host_alloc_countdown;
}

void clear_page(void *page)
{
	memset(page, 0, PAGE_SIZE);
}

void copy_page(void *dst, const void *src)
{
	memcpy(dst, src, PAGE_SIZE);
}

int arch_kmap_page(unsigned long va, u64 phys, u32 prot)
{
	if (os_map((void *)va, phys, prot & MMU_WRITE))
		return -ENOMEM;
	__asan_unpoison_memory_region((void *)va, PAGE_SIZE);
	return 0;
}

void arch_kunmap_range(unsigned long va, size_t len)
{
	if (os_unmap((void *)va, len))
		panic("host: cannot unmap %#lx", va);
}

void *arch_ioremap(u64 phys, size_t len)
{
	return err_ptr(-EINVAL); /* there are no devices in memory */
}

int arch_mm_init(struct arch_mm *m)
{
	struct page *p = page_alloc(GFP_KERNEL | GFP_ZERO);

	if (!p)
		return -ENOMEM;
	m->root = page_address(p);
	m->root_phys = page_to_phys(p);
	return 0;
}

void arch_mm_free(struct arch_mm *m)
{
	put_page(virt_to_page(m->root));
}

void arch_mm_activate(struct arch_mm *m)
{
}

void arch_mm_leave(struct arch_mm *m)
{
}

void arch_tlb_flush(struct arch_mm *m, unsigned long start, unsigned long end, bool tables)
{
}

void arch_tlb_flush_all(struct arch_mm *m)
{
}

void arch_tlb_flush_local(struct arch_mm *m, unsigned long va)
{
}
