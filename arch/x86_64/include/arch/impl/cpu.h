/*
 * x86_64: interrupt flag, per-CPU data, counters. See <arch/cpu.h> for the contract.
 *
 * A per-CPU variable lives in section .percpu of the image, which is the template. Each CPU has a
 * copy; its GS base while in the kernel is (copy - template), so "%gs:variable" is one instruction.
 */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#define X86_EFLAGS_INTERRUPT 0x200ul

static inline bool irqs_enabled(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq\n\tpopq %0" : "=r"(flags) : : "memory");
	return flags & X86_EFLAGS_INTERRUPT;
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline unsigned long irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq\n\tpopq %0\n\tcli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_INTERRUPT)
		irq_enable();
	else
		irq_disable();
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* sti takes effect after the next instruction: a wake-up cannot slip in before hlt. */
static inline void cpu_idle(void)
{
	__asm__ volatile("sti\n\thlt" : : : "memory");
}

static inline u64 arch_cycles(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

void io_mb(void);
u64 arch_random_seed(u64 *ok);

#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name
#define DEFINE_PER_CPU(type, name)  __section(".percpu") __typeof__(type) name

#define this_cpu_read(var)                                                             \
	({                                                                             \
		__typeof__(var) _tcr;                                                  \
		static_assert(sizeof(_tcr) <= 8, "per-CPU scalar");                    \
		if (sizeof(_tcr) == 1)                                                 \
			__asm__ volatile("movb %%gs:%1, %b0" : "=q"(_tcr) : "m"(var)); \
		else if (sizeof(_tcr) == 2)                                            \
			__asm__ volatile("movw %%gs:%1, %w0" : "=r"(_tcr) : "m"(var)); \
		else if (sizeof(_tcr) == 4)                                            \
			__asm__ volatile("movl %%gs:%1, %k0" : "=r"(_tcr) : "m"(var)); \
		else                                                                   \
			__asm__ volatile("movq %%gs:%1, %q0" : "=r"(_tcr) : "m"(var)); \
		_tcr;                                                                  \
	})

#define X86_PER_CPU_OP(op, var, val)                                                   \
	do {                                                                           \
		__typeof__(var) _tcv = (val);                                          \
		static_assert(sizeof(_tcv) <= 8, "per-CPU scalar");                    \
		if (sizeof(_tcv) == 1)                                                 \
			__asm__ volatile(op "b %b1, %%gs:%0" : "+m"(var) : "q"(_tcv)); \
		else if (sizeof(_tcv) == 2)                                            \
			__asm__ volatile(op "w %w1, %%gs:%0" : "+m"(var) : "r"(_tcv)); \
		else if (sizeof(_tcv) == 4)                                            \
			__asm__ volatile(op "l %k1, %%gs:%0" : "+m"(var) : "r"(_tcv)); \
		else                                                                   \
			__asm__ volatile(op "q %q1, %%gs:%0" : "+m"(var) : "r"(_tcv)); \
	} while (0)

#define this_cpu_write(var, val) X86_PER_CPU_OP("mov", var, val)
#define this_cpu_add(var, n)     X86_PER_CPU_OP("add", var, n)
#define this_cpu_fetch_add(var, n)                                                      \
	({                                                                              \
		u32 _tcf = (n);                                                         \
		static_assert(sizeof(var) == 4, "per-CPU u32");                         \
		__asm__ volatile("xaddl %0, %%gs:%1" : "+r"(_tcf), "+m"(var) : : "cc"); \
		_tcf;                                                                   \
	})

DECLARE_PER_CPU(int, x86_cpu_id);
DECLARE_PER_CPU(unsigned long, x86_percpu_base); /* this CPU's (copy - template) */
extern unsigned long x86_percpu_bases[];         /* the same for every CPU; immutable after boot */

#define per_cpu_ptr(ptr, cpu) ((__typeof__(ptr))((unsigned long)(ptr) + x86_percpu_bases[cpu]))
#define this_cpu_ptr(ptr)     ((__typeof__(ptr))((unsigned long)(ptr) + this_cpu_read(x86_percpu_base)))

static inline int cpu_id(void)
{
	return this_cpu_read(x86_cpu_id);
}

#endif
