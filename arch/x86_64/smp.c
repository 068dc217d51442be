/* Application processors: woken one after another by INIT and start-up IPIs. */
#include "image.h"
#include "stacks.h"
#include "x86.h"
#include <arch/mmu.h>
#include <arch/thread.h>
#include <core/init.h>
#include <core/log.h>
#include <kmem/page.h>
#include <kmem/slab.h>
#include <lib/atomic.h>
#include <lib/string.h>

#define TRAMPOLINE_PAGE 0x8000u  /* reserved in boot.c */
#define START_WAIT_US   1000000u /* for an AP to come up; emulated ones are slow under load */
#define RETRY_AFTER_US  2000u

struct trampoline_data { /* end of trampoline.S */
	u64 stack;
	u64 cr3;
	u32 cpu;
	u32 nx;
};

static u32 g_started; /* atomic: CPU number of the last AP that reached C code */
static struct x86_stacks *g_next_stacks;
static DEFINE_PER_CPU(struct arch_thread, g_ap_thread);
static int g_max_cpus = MAX_CPUS;

static int option_maxcpus(const char *value)
{
	int n = 0;

	if (!*value)
		return -EINVAL;
	for (; *value; value++) {
		if (*value < '0' || *value > '9' || n > MAX_CPUS)
			return -EINVAL;
		n = n * 10 + (*value - '0');
	}
	g_max_cpus = max(n, 1);
	return 0;
}
INIT_OPTION("maxcpus", option_maxcpus);

/* First C code of an AP, on its idle stack and the kernel's page tables. */
void x86_ap_main(int cpu)
{
	wrmsr(MSR_GS_BASE, x86_percpu_bases[cpu]);
	x86_cpu_init(cpu, g_next_stacks);
	this_cpu_write(x86_current, this_cpu_ptr(&g_ap_thread));
	x86_tlb_init_cpu();
	x86_lapic_init_cpu();
	x86_clock_init_cpu();
	__atomic_fetch_or(&g_cpus_online_mask, 1ull << cpu, __ATOMIC_SEQ_CST);
	store_release(&g_started, (u32)cpu);
	arch_upcalls.secondary_main();
}

static bool wait_started(int cpu, u32 us)
{
	u64 end = arch_clock_ns() + (u64)us * NS_PER_US;

	while (load_acquire(&g_started) != (u32)cpu) {
		if (arch_clock_ns() > end)
			return false;
		cpu_relax();
	}
	return true;
}

static int start_cpu(int cpu)
{
	u8 *page = phys_to_virt(TRAMPOLINE_PAGE);
	struct trampoline_data *data;
	struct page *stacks = pages_alloc(ilog2(sizeof(struct x86_stacks) / PAGE_SIZE), GFP_KERNEL);
	void *stack = kstack_alloc();

	static_assert(is_power_of_2(sizeof(struct x86_stacks)), "one block of pages");
	if (!stacks || !stack) {
		if (stacks)
			put_page(stacks);
		if (stack)
			kstack_free(stack);
		return -ENOMEM;
	}
	g_next_stacks = page_address(stacks);
	memcpy(page, x86_trampoline, (size_t)(x86_trampoline_end - x86_trampoline));
	data = (struct trampoline_data *)(page + (x86_trampoline_data - x86_trampoline));
	*data = (struct trampoline_data){
		.stack = (u64)stack + KSTACK_SIZE,
		.cr3 = virt_to_phys(x86_kernel_root),
		.cpu = (u32)cpu,
		.nx = g_x86.nx,
	};
	x86_lapic_init_sipi(x86_apic_ids[cpu], true, 0);
	x86_delay_us(10);
	x86_lapic_init_sipi(x86_apic_ids[cpu], false, TRAMPOLINE_PAGE >> PAGE_SHIFT);
	if (wait_started(cpu, RETRY_AFTER_US))
		return 0;
	x86_lapic_init_sipi(x86_apic_ids[cpu], false, TRAMPOLINE_PAGE >> PAGE_SHIFT);
	/* One that doesn't answer may still wake up later: its memory stays its own. */
	return wait_started(cpu, START_WAIT_US) ? 0 : -ETIMEDOUT;
}

int arch_cpus_start(void (*prepare)(int cpu))
{
	int nr = 1;

	for (int cpu = 1; cpu < g_nr_cpus && nr < g_max_cpus; cpu++) {
		int err;

		if (prepare)
			prepare(cpu);
		err = start_cpu(cpu);
		if (err) {
			log_err("smp: CPU %d (APIC id %u) did not start: error %s", cpu,
				x86_apic_ids[cpu], errno_name(err));
			break; /* the start-up page may still be in its hands */
		}
		nr++;
	}
	return nr;
}
