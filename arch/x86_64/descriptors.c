/*
 * One CPU's control registers, descriptor tables and system call registers. Each CPU has its own
 * GDT and TSS (per-CPU data); the IDT is shared.
 */
#include "stacks.h"
#include "x86.h"
#include <arch/mmu.h>
#include <lib/string.h>

#define GATE_INTERRUPT 0x8e /* present, DPL 0: interrupts off inside */
#define GATE_USER      0xee /* present, DPL 3: INT3 and INTO work in user mode */

struct gate {
	u16 offset_low, selector;
	u8 ist, type;
	u16 offset_mid;
	u32 offset_high, zero;
};
static_assert(sizeof(struct gate) == 16, "IDT gate");

struct tss {
	u32 zero0;
	u64 rsp0; /* assembly: x86_tss + 4 */
	u64 rsp1, rsp2, zero1;
	u64 ist[7]; /* ist[0] is IST 1 */
	u64 zero2;
	u16 zero3, iomap;
} __packed;
static_assert(offsetof(struct tss, rsp0) == 4 && sizeof(struct tss) == 104, "TSS");

struct table_pointer {
	u16 limit;
	u64 base;
} __packed;

struct x86_gdt {
	u64 entry[16];
};

DEFINE_PER_CPU(struct tss, x86_tss);
DEFINE_PER_CPU(u64, x86_user_sp);   /* user stack pointer for a few instructions of SYSCALL entry */
DEFINE_PER_CPU(u64, x86_irq_stack); /* top of this CPU's interrupt stack */
DEFINE_PER_CPU(u32, x86_irq_depth);

u32 arch_irq_depth(void)
{
	return this_cpu_read(x86_irq_depth);
}

DEFINE_PER_CPU(struct arch_thread *, x86_current);
static DEFINE_PER_CPU(struct x86_gdt, g_gdt);

static struct gate g_idt[256]; /* filled once by CPU 0, then read-only */
static struct x86_stacks g_boot_stacks __aligned(PAGE_SIZE);

struct x86_stacks *x86_boot_stacks(void)
{
	return &g_boot_stacks;
}

void x86_set_entry_stack(u64 top)
{
	this_cpu_write(x86_tss.rsp0, top);
}

static void fill_idt(void)
{
	for (int i = 0; i < 256; i++) {
		u64 at = (u64)x86_vectors + 16u * (u32)i;

		g_idt[i] = (struct gate){
			.offset_low = (u16)at,
			.offset_mid = (u16)(at >> 16),
			.offset_high = (u32)(at >> 32),
			.selector = KERNEL_CS,
			.type = i == 3 || i == 4 ? GATE_USER : GATE_INTERRUPT,
			.ist = i == 8 || i == 18 ? IST_FATAL
				: i == 2         ? IST_NMI
				: i == 1         ? IST_DEBUG
						 : 0,
		};
	}
}

static void load_gdt(int cpu)
{
	struct x86_gdt *gdt = this_cpu_ptr(&g_gdt);
	struct tss *tss = this_cpu_ptr(&x86_tss);
	u64 base = (u64)tss;
	struct table_pointer p = {sizeof(*gdt) - 1, (u64)gdt};

	memset(gdt, 0, sizeof(*gdt));
	gdt->entry[KERNEL_CS / 8] = 0x00af9b000000ffff;
	gdt->entry[KERNEL_DS / 8] = 0x00cf93000000ffff;
	/* USER32_CS stays empty: SYSCALL in 32-bit code would enter the kernel through CSTAR. */
	gdt->entry[USER_DS / 8] = 0x00cff3000000ffff;
	gdt->entry[USER_CS / 8] = 0x00affb000000ffff;
	gdt->entry[TSS_SEL / 8] = (sizeof(*tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		(base >> 24 & 0xff) << 56;
	gdt->entry[TSS_SEL / 8 + 1] = base >> 32;
	/* A data segment that is only there for its limit: LSL gives the CPU number. */
	gdt->entry[CPU_SEL / 8] = 0x0040f50000000000ull | (u64)cpu;
	__asm__ volatile("lgdt %0" : : "m"(p) : "memory");
	/* The data segments belong to user mode, see x86_selectors. */
	__asm__ volatile("mov %0, %%ss\n\tmov %2, %%ds\n\tmov %2, %%es\n\t"
			 "pushq %1\n\tleaq 1f(%%rip), %%rax\n\tpushq %%rax\n\tlretq\n1:"
			 :
			 : "r"(KERNEL_DS), "i"(KERNEL_CS), "r"(0)
			 : "rax", "memory");
	__asm__ volatile("ltr %w0" : : "r"(TSS_SEL) : "memory");
	/* There is no local table. After a reset there is one: the first 64 KiB of memory. */
	__asm__ volatile("lldt %w0" : : "r"(0) : "memory");
}

/* The anywhere entries find the per-CPU base in the word above their frame. */
static u64 anywhere_top(u8 *stack, size_t size)
{
	u64 top = (u64)stack + size - 16;

	*(u64 *)top = this_cpu_read(x86_percpu_base);
	return top;
}

static void control_registers(void)
{
	const struct x86_features *x = &g_x86;
	u64 cr4 = read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT;

	write_cr0((read_cr0() & ~(u64)(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE | CR0_WP | CR0_AM);
	if (x->pge)
		cr4 |= CR4_PGE;
	if (x->smep)
		cr4 |= CR4_SMEP;
	if (x->smap)
		cr4 |= CR4_SMAP;
	if (x->umip)
		cr4 |= CR4_UMIP;
	if (x->fsgsbase)
		cr4 |= CR4_FSGSBASE;
	if (x->xsave)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	if (x->nx)
		wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NX);
}

void x86_cpu_init(int cpu, struct x86_stacks *stacks)
{
	struct tss *tss = this_cpu_ptr(&x86_tss);
	struct table_pointer idt = {sizeof(g_idt) - 1, (u64)g_idt};
	u64 gs = rdmsr(MSR_GS_BASE);

	memset(tss, 0, sizeof(*tss));
	tss->ist[IST_FATAL - 1] = anywhere_top(stacks->fatal, sizeof(stacks->fatal));
	tss->ist[IST_NMI - 1] = anywhere_top(stacks->nmi, sizeof(stacks->nmi));
	tss->ist[IST_DEBUG - 1] = anywhere_top(stacks->debug, sizeof(stacks->debug));
	tss->iomap = sizeof(*tss);
	this_cpu_write(x86_irq_stack, (u64)stacks->irq + sizeof(stacks->irq));
	if (cpu == 0)
		fill_idt();
	load_gdt(cpu);
	wrmsr(MSR_GS_BASE, gs); /* loading a GDT leaves it alone; stated for emulators */
	__asm__ volatile("lidt %0" : : "m"(idt) : "memory");
	control_registers();
	wrmsr(MSR_KERNEL_GS, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
	wrmsr(MSR_STAR, (u64)KERNEL_CS << 32 | (u64)USER32_CS << 48);
	wrmsr(MSR_LSTAR, (u64)x86_syscall_entry);
	wrmsr(MSR_SFMASK,
		FLAG_CF | FLAG_TF | FLAG_IF | FLAG_DF | FLAG_IOPL | FLAG_NT | FLAG_RF | FLAG_AC);
	if (g_x86.rdtscp || g_x86.rdpid)
		wrmsr(MSR_TSC_AUX, (u64)cpu);
	x86_fpu_init_cpu();
}
