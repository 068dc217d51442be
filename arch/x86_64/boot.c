/*
 * The first C code: takes over what the PVH loader left, finds the CPUs, gives each its per-CPU
 * area, sets up this CPU and the clocks, and calls arch_upcalls.main. Runs on the boot page tables
 * (4 GiB identity and direct map), so everything that firmware left in low memory can be read here
 * and only here.
 */
#include "image.h"
#include "x86.h"
#include <abi/pvh.h>
#include <arch/mmu.h>
#include <arch/thread.h>
#include <core/init.h>
#include <core/log.h>
#include <lib/string.h>

#define CMDLINE_MAX     4096
#define TRAMPOLINE_PAGE 0x8000u
#define MIN_MEMORY      MiB(8)

struct boot_info g_boot_info;
int g_nr_cpus = 1;
u64 g_cpus_online_mask = 1;
unsigned long x86_percpu_bases[MAX_CPUS];
DEFINE_PER_CPU(int, x86_cpu_id);
DEFINE_PER_CPU(unsigned long, x86_percpu_base);

static char g_cmdline[CMDLINE_MAX];

noreturn void x86_boot(u32 start_info);

static void add_ram(u64 start, u64 len)
{
	struct boot_info *b = &g_boot_info;
	u64 end = round_down(start + len, PAGE_SIZE);
	int i;

	start = round_up(start, PAGE_SIZE);
	if (start >= end)
		return;
	if (b->nr_ram == ARRAY_SIZE(b->ram)) {
		log_warn("boot: memory map has too many ranges, %#llx-%#llx left out", start, end);
		return;
	}
	for (i = b->nr_ram; i > 0 && b->ram[i - 1].start > start; i--)
		b->ram[i] = b->ram[i - 1];
	b->ram[i] = (struct boot_range){start, end - start};
	b->nr_ram++;
}

/* "mem=SIZE": RAM above that is left alone. Needed before options are parsed. */
static u64 mem_limit(const char *cmdline)
{
	const char *p = cmdline;
	u64 limit;

	while (p && !str_has_prefix(p, "mem=")) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return U64_MAX;
	return parse_size(p + 4, &limit, &p) || limit < MIN_MEMORY ? U64_MAX : limit;
}

/* What is wrong with it is said later, with all other options. */
static int option_mem(const char *value)
{
	const char *end;
	u64 limit;

	return parse_size(value, &limit, &end) || *end || limit < MIN_MEMORY ? -EINVAL : 0;
}
INIT_OPTION("mem", option_mem);

/* Loaders put it at the end of RAM; where mem= leaves that out, it moves. */
static void take_initrd(u64 start, u64 len, u64 limit)
{
	struct boot_info *b = &g_boot_info;
	int own = b->nr_reserved;
	u64 from = start;

	x86_reserve(start, len); /* also while its copy is placed */
	if (start + len > limit) {
		start = virt_to_phys(
			memcpy(x86_early_alloc(len, PAGE_SIZE), phys_to_virt(from), len));
		if (b->reserved[own].start == round_down(from, PAGE_SIZE)) /* joined no other */
			b->reserved[own] = b->reserved[--b->nr_reserved];
	}
	b->initrd = (struct boot_range){start, len};
}

static void take_start_info(const struct pvh_start_info *si)
{
	const struct pvh_memmap *map = phys_to_virt(si->memmap_paddr);
	const struct pvh_module *mods = phys_to_virt(si->modlist_paddr);
	u64 limit;

	if (si->magic != PVH_MAGIC || si->version < PVH_MEMMAP_VERSION || !si->memmap_entries)
		panic("boot: the loader gave no PVH start_info with a memory map");
	if (si->cmdline_paddr) {
		const char *src = phys_to_virt(si->cmdline_paddr);
		size_t n = 0;

		while (n < CMDLINE_MAX - 1 && src[n])
			n++;
		memcpy(g_cmdline, src, n);
		if (src[n])
			log_warn("boot: command line cut at %d bytes", CMDLINE_MAX - 1);
	}
	g_boot_info.cmdline = g_cmdline;
	limit = mem_limit(g_cmdline);
	for (u32 i = 0; i < si->memmap_entries; i++) {
		u64 start = map[i].addr, len = map[i].size;

		if (map[i].type != PVH_MEMMAP_RAM || start >= limit)
			continue;
		add_ram(start, min(len, limit - start));
	}
	x86_reserve(0, PAGE_SIZE); /* real-mode vectors; and 0 is no address */
	x86_reserve(TRAMPOLINE_PAGE, PAGE_SIZE);
	x86_reserve(virt_to_phys(__image_start), (u64)(__image_end - __image_start));
	if (si->nr_modules)
		take_initrd(mods[0].paddr, mods[0].size, limit);
}

/* The template is copied before anything wrote to it, for every CPU. Until then CPU 0 runs with GS
 * base 0, on the template itself: only the log does, and what it keeps there is taken over. */
static void percpu_init(void)
{
	size_t size = (size_t)(__percpu_end - __percpu_start);

	for (int cpu = 0; cpu < g_nr_cpus; cpu++) {
		u8 *area = x86_early_alloc(round_up(size, 64), 64);

		memcpy(area, __percpu_start, size);
		x86_percpu_bases[cpu] = (unsigned long)area - (unsigned long)__percpu_start;
		*per_cpu_ptr(&x86_cpu_id, cpu) = cpu;
		*per_cpu_ptr(&x86_percpu_base, cpu) = x86_percpu_bases[cpu];
	}
	wrmsr(MSR_GS_BASE, x86_percpu_bases[0]);
}

static struct arch_thread g_boot_thread;

noreturn void x86_boot(u32 start_info)
{
	const struct pvh_start_info *si = phys_to_virt(start_info);

	/* While its line to the CPU is still open, so that a request of the firmware's timer is
	 * withdrawn and not left pending without a vector. */
	x86_pic_disable();
	x86_serial_early_init();
	x86_features_detect();
	x86_cpu_init(0, x86_boot_stacks());
	x86_patch_boot();
	take_start_info(si);
	x86_acpi_init(si->rsdp_paddr);
	percpu_init();
	x86_cpu_init(0, x86_boot_stacks());
	this_cpu_write(x86_current, &g_boot_thread);
	x86_map_kernel();
	x86_acpi_power_map();
	x86_lapic_init_cpu();
	x86_irq_init();
	x86_clock_init();
	arch_upcalls.main();
}
