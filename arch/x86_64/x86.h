/*
 * Private to arch/x86_64: instructions, registers and CPU features.
 */
#ifndef X86_H
#define X86_H

/* Segment selectors, the values that Linux programs see. */
#define KERNEL_CS 0x10
#define KERNEL_DS 0x18
#define USER32_CS 0x23
#define USER_DS   0x2b
#define USER_CS   0x33
#define TSS_SEL   0x40
#define CPU_SEL   0x7b /* its limit holds the CPU number, for the vDSO's getcpu */

/* Interrupt vectors */
#define VEC_DEVICE_FIRST 0x30
#define VEC_DEVICE_LAST  0xeb
#define VEC_TIMER        0xec
#define VEC_TLB          0xfa
#define VEC_RESCHED      0xfb
#define VEC_CALL         0xfc
#define VEC_ERROR        0xfe
#define VEC_SPURIOUS     0xff

#define IST_FATAL        1 /* double fault and machine check */
#define IST_NMI          2
#define IST_DEBUG        3

#define MSR_APIC_BASE    0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC       0x800
#define MSR_EFER         0xc0000080
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_SFMASK       0xc0000084
#define MSR_FS_BASE      0xc0000100
#define MSR_GS_BASE      0xc0000101
#define MSR_KERNEL_GS    0xc0000102
#define MSR_TSC_AUX      0xc0000103

#define EFER_SCE         0x001
#define EFER_NX          0x800

#define CR0_MP           0x2u
#define CR0_EM           0x4u
#define CR0_TS           0x8u
#define CR0_NE           0x20u
#define CR0_WP           0x10000u
#define CR0_AM           0x40000u

#define CR4_PGE          (1u << 7)
#define CR4_OSFXSR       (1u << 9)
#define CR4_OSXMMEXCPT   (1u << 10)
#define CR4_UMIP         (1u << 11)
#define CR4_FSGSBASE     (1u << 16)
#define CR4_PCIDE        (1u << 17)
#define CR4_OSXSAVE      (1u << 18)
#define CR4_SMEP         (1u << 20)
#define CR4_SMAP         (1u << 21)

#define FLAG_CF          0x1ul
#define FLAG_TF          0x100ul
#define FLAG_IF          0x200ul
#define FLAG_DF          0x400ul
#define FLAG_IOPL        0x3000ul
#define FLAG_NT          0x4000ul
#define FLAG_RF          0x10000ul
#define FLAG_AC          0x40000ul

#ifndef __ASSEMBLY__
#include <arch/cpu.h>
#include <arch/platform.h>
#include <arch/impl/port.h>

struct pt_regs;
struct arch_thread;

/* ptrace.c: debug registers. Interrupts off. */
struct arch_thread;
void x86_debug_switch(const struct arch_thread *prev, const struct arch_thread *next);
u64 x86_debug_take(void); /* DR6_*: what has fired, kept for the debugger */
#define DR6_HITS 0xful
#define DR6_STEP 0x4000ul
void x86_debug_reset(struct arch_thread *t); /* any context: none from now on */

struct cpuid {
	u32 a, b, c, d;
};

static inline struct cpuid cpuid(u32 leaf, u32 sub)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
			 : "a"(leaf), "c"(sub));
	return r;
}

static inline u64 rdmsr(u32 msr)
{
	u32 lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (u64)hi << 32 | lo;
}

static inline void wrmsr(u32 msr, u64 v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)v), "d"((u32)(v >> 32)) : "memory");
}

#define X86_CONTROL_REG(n)                                                     \
	static inline u64 read_cr##n(void)                                     \
	{                                                                      \
		u64 v;                                                         \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory"); \
		return v;                                                      \
	}                                                                      \
	static inline void write_cr##n(u64 v)                                  \
	{                                                                      \
		__asm__ volatile("mov %0, %%cr" #n : : "r"(v) : "memory");     \
	}
X86_CONTROL_REG(0)
X86_CONTROL_REG(2)
X86_CONTROL_REG(3)
X86_CONTROL_REG(4)

/* What CPU 0 can do; all CPUs are taken to be alike. Immutable after x86_features_detect. */
struct x86_features {
	bool nx, smep, smap, umip, fsgsbase, pcid, invpcid, pge, gbpages;
	bool xsave, xsaveopt, x2apic, tsc_deadline, rdtscp, rdpid, erms, fsrm, rdrand, rdseed,
		sse42;
	bool hypervisor, tcg, kvm;
	u32 max_leaf, max_ext_leaf, max_hv_leaf;
	u32 family, model, stepping;
	u64 xcr0;     /* extended state components that are enabled */
	u32 fpu_size; /* bytes of one thread's extended state */
	char vendor[13], brand[49];
};
extern struct x86_features g_x86;
void x86_features_detect(void);
void x86_crc32c_init(void); /* features are known */

/* descriptors.c: control registers, GDT, TSS, IDT, SYSCALL of this CPU */
struct x86_stacks;
void x86_cpu_init(int cpu, struct x86_stacks *stacks);
struct x86_stacks *x86_boot_stacks(void);
DECLARE_PER_CPU(struct arch_thread *, x86_current);
void x86_set_entry_stack(u64 top);

/* early.c: memory before kmem exists; zeroed, never freed. Panics when there is none. */
void *x86_early_alloc(size_t size, size_t align);
void x86_reserve(u64 start, u64 len);
void x86_map_kernel(void); /* builds and loads the final kernel page tables */

/* kmap.c */
extern u64 x86_kernel_root[512];
void x86_map(u64 *root, unsigned long va, u64 phys, size_t len, u32 prot);
void *x86_ioremap_early(u64 phys, size_t len);

/* boot.c, head.S */
extern u8 x86_boot_stack[];
extern u64 x86_boot_root[]; /* identity map of 4 GiB and the image: for APs on their way up */

/* lapic.c */
void x86_lapic_init_boot(u64 phys);
void x86_lapic_init_cpu(void);
u32 x86_lapic_id(void);
void x86_lapic_eoi(void);
void x86_lapic_ipi(int cpu, int vector);
void x86_lapic_ipi_mask(u64 cpus, int vector);
void x86_lapic_nmi(int cpu);
void x86_lapic_init_sipi(u32 apic_id, bool init, u8 page);
void x86_lapic_timer_count(u32 count); /* one shot, LAPIC clock / 1 */
u32 x86_lapic_timer_now(void);
void x86_lapic_timer_setup(bool deadline_mode);
extern u32 x86_apic_ids[]; /* by CPU number; immutable after boot */

/* irq.c */
void x86_irq_init(void);

/* ioapic.c */
void x86_ioapic_add(u64 phys, u32 gsi_base);
int x86_ioapic_route(u32 gsi, int vector, u32 apic_id, bool level, bool low, bool masked);
int x86_ioapic_nr_gsi(void);
void x86_ioapic_map(void); /* with the final page tables; masks every line */
void x86_pic_disable(void);

/* acpi.c, acpi_power.c */
struct x86_override {
	u8 present, level, low;
	u32 gsi;
};
extern struct x86_override x86_isa_overrides[16];
void x86_acpi_init(u64 rsdp);
void x86_acpi_power_init(const u8 *fadt, u32 fadt_len, const u8 *dsdt, u32 dsdt_len);
void x86_acpi_power_map(void);
void x86_acpi_poweroff(void); /* returns where the tables know no way */
void x86_acpi_reset(void);
extern u16 x86_pm_timer_port; /* 0: none */

/* tsc.c, calibrate.c */
void x86_clock_init(void);
void x86_clock_init_cpu(void);
u64 x86_calibrate_tsc(const char **how); /* Hz */
void x86_delay_us(u32 us);
extern u64 x86_tsc_hz;

/* smp.c, tlb.c */
void x86_tlb_ipi(void);
void x86_tlb_init_cpu(void);
void x86_tlb_enter_lazy(void); /* the next thread has no user addresses; interrupts off */
void x86_ap_main(int cpu);

/* fpu.c */
void x86_fpu_init_cpu(void);
void x86_fpu_save(struct arch_thread *t);    /* interrupts off */
void x86_fpu_restore(struct arch_thread *t); /* interrupts off */
void x86_fpu_reset(void);                    /* this thread: initial state; interrupts off */
/* child's state becomes a copy of this thread's registers; interrupts off */
void x86_fpu_copy(struct arch_thread *child, struct arch_thread *self);
/* The state as a signal frame holds it, at a 64-byte aligned user address. -EFAULT. */
size_t x86_fpu_frame_size(void);
int x86_fpu_to_user(void __user *frame) must_check;
int x86_fpu_from_user(const void __user *frame) must_check; /* NULL: initial state */

/* uaccess.c */
void x86_patch_boot(void);
unsigned long x86_extable_find(unsigned long ip); /* fix-up address or 0 */

void x86_serial_early_init(void);
#endif
#endif
