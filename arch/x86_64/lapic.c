/*
 * The local APIC of each CPU, through memory (xAPIC) or MSRs (x2APIC): IPIs, end of interrupt, the
 * timer (Intel SDM volume 3, chapter 10).
 */
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>

/* Register offsets; x2APIC's MSR is MSR_X2APIC + offset / 16. */
#define REG_ID           0x020
#define REG_TPR          0x080
#define REG_EOI          0x0b0
#define REG_LDR          0x0d0
#define REG_DFR          0x0e0
#define REG_SVR          0x0f0
#define REG_ESR          0x280
#define REG_ICR          0x300
#define REG_ICR_HIGH     0x310
#define REG_LVT_TIMER    0x320
#define REG_LVT_LINT0    0x350
#define REG_LVT_LINT1    0x360
#define REG_LVT_ERROR    0x370
#define REG_TIMER_INIT   0x380
#define REG_TIMER_NOW    0x390
#define REG_TIMER_DIV    0x3e0

#define SVR_ENABLE       0x100u
#define LVT_MASKED       0x10000u
#define LVT_NMI          0x400u
#define LVT_TSC_DEADLINE 0x40000u
#define ICR_NMI          0x400u
#define ICR_INIT         0x4500u /* with level assert */
#define ICR_STARTUP      0x4600u
#define ICR_PENDING      0x1000u
#define ICR_OTHERS       0xc0000u
#define TIMER_DIV_1      0xbu
#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_X2APIC 0x400u
#define ICR_WAIT_ROUNDS  100000

static u64 g_phys;
static volatile u8 *g_regs; /* xAPIC only */
static bool g_x2apic;

static u32 lapic_read(u32 reg)
{
	if (g_x2apic)
		return (u32)rdmsr(MSR_X2APIC + reg / 16);
	return *(volatile u32 *)(g_regs + reg);
}

static void lapic_write(u32 reg, u32 v)
{
	if (g_x2apic)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		*(volatile u32 *)(g_regs + reg) = v;
}

void x86_lapic_init_boot(u64 phys)
{
	g_phys = phys;
	g_x2apic = g_x86.x2apic;
}

/* This CPU's, after the kernel's page tables are loaded. */
void x86_lapic_init_cpu(void)
{
	u64 base = rdmsr(MSR_APIC_BASE);

	if (g_x2apic) {
		/* Enabled first, then x2APIC: the direct step is not allowed. */
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	} else {
		if (!g_regs) {
			g_regs = x86_ioremap_early(g_phys, PAGE_SIZE);
			BUG_ON(is_err((const void *)g_regs));
		}
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
		lapic_write(REG_DFR, 0xffffffff);
	}
	lapic_write(REG_TPR, 0);
	lapic_write(REG_SVR, SVR_ENABLE | VEC_SPURIOUS);
	lapic_write(REG_LVT_LINT0, LVT_MASKED);
	lapic_write(REG_LVT_LINT1, LVT_NMI);
	lapic_write(REG_LVT_ERROR, VEC_ERROR);
	lapic_write(REG_ESR, 0);
	lapic_write(REG_EOI, 0);
}

u32 x86_lapic_id(void)
{
	return g_x2apic ? lapic_read(REG_ID) : lapic_read(REG_ID) >> 24;
}

void x86_lapic_eoi(void)
{
	lapic_write(REG_EOI, 0);
}

/* Also from NMI context and panic, where another write of ours may be half done: the two-word
 * xAPIC command is written with interrupts off and waits for the last one, but not for ever. */
static void send_command(u32 apic_id, u32 command)
{
	unsigned long flags;

	if (g_x2apic) {
		/* WRMSR to x2APIC registers doesn't order earlier stores by itself. */
		__asm__ volatile("mfence\n\tlfence" : : : "memory");
		wrmsr(MSR_X2APIC + REG_ICR / 16, (u64)apic_id << 32 | command);
		return;
	}
	flags = irq_save();
	for (int i = 0; i < ICR_WAIT_ROUNDS && (lapic_read(REG_ICR) & ICR_PENDING); i++)
		cpu_relax();
	lapic_write(REG_ICR_HIGH, apic_id << 24);
	lapic_write(REG_ICR, command);
	irq_restore(flags);
}

void x86_lapic_ipi(int cpu, int vector)
{
	send_command(x86_apic_ids[cpu], (u32)vector);
}

void x86_lapic_ipi_mask(u64 cpus, int vector)
{
	for (; cpus; cpus &= cpus - 1)
		x86_lapic_ipi(__builtin_ctzll(cpus), vector);
}

void x86_lapic_nmi(int cpu)
{
	send_command(x86_apic_ids[cpu], ICR_NMI);
}

void x86_lapic_init_sipi(u32 apic_id, bool init, u8 page)
{
	send_command(apic_id, init ? ICR_INIT : ICR_STARTUP | page);
}

void x86_lapic_timer_setup(bool deadline_mode)
{
	lapic_write(REG_TIMER_DIV, TIMER_DIV_1);
	lapic_write(REG_LVT_TIMER, VEC_TIMER | (deadline_mode ? LVT_TSC_DEADLINE : 0));
	/* The mode must be set before the first deadline is written (SDM 10.5.4.1). */
	if (deadline_mode)
		__asm__ volatile("mfence" : : : "memory");
}

void x86_lapic_timer_count(u32 count)
{
	lapic_write(REG_TIMER_INIT, count);
}

u32 x86_lapic_timer_now(void)
{
	return lapic_read(REG_TIMER_NOW);
}
