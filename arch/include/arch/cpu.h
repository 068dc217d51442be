/*
 * The arch contract, part 1: this CPU. Implementations in arch/<arch>/include/arch/impl/cpu.h.
 *
 * The kernel is not preemptible: a CPU changes threads only where kernel code sleeps or yields,
 * and on the way back to user mode. So per-CPU data may be used without further protection by
 * code that does not sleep in between, as long as interrupt handlers don't touch it too.
 *
 *   unsigned long irq_save(void)       disable interrupts, return the previous state
 *   void irq_restore(unsigned long)    back to a saved state
 *   void irq_enable(void), irq_disable(void), bool irqs_enabled(void)
 *   void cpu_relax(void)               one round of a spin loop
 *   void cpu_idle(void)                called with interrupts off; waits for an interrupt without
 *                                      losing a wake-up and returns with interrupts on
 *   int  cpu_id(void)                  this CPU, 0..MAX_CPUS-1
 *   u32  arch_irq_depth(void)         interrupts within which this CPU runs; interrupts off
 *   u64  arch_cycles(void)             a fast free-running counter (TSC)
 *   void io_mb(void)                   smp_mb() also against devices that run beside this CPU
 *   u64  arch_random_seed(u64 *ok)     hardware entropy (RDSEED/RDRAND), *ok = 0 where absent
 *
 * Per-CPU variables:
 *   DEFINE_PER_CPU(type, name) = init;  DECLARE_PER_CPU(type, name);
 *   this_cpu_ptr(&name)  per_cpu_ptr(&name, cpu)
 *   this_cpu_read(name)  this_cpu_write(name, v)  this_cpu_add(name, n)   one instruction each,
 *                        safe against interrupts on this CPU; scalar types up to 8 bytes
 *   this_cpu_fetch_add(name, n)   the same for u32; gives the value before
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#define MAX_CPUS   64
#define PAGE_SHIFT 12
#define PAGE_SIZE  (1ul << PAGE_SHIFT)
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#include <arch/impl/cpu.h>

u32 arch_irq_depth(void);

#ifndef KSTACK_SIZE
#define KSTACK_SIZE (16ul << 10) /* below it an unmapped guard page */
#endif

/* CPUs are numbered densely in the order they are found; 0 boots. */
extern int g_nr_cpus;          /* present; set by arch before init level "smp"; then immutable */
extern u64 g_cpus_online_mask; /* bit per CPU that runs the scheduler; atomic */

#define for_each_cpu(cpu) for (int cpu = 0; cpu < g_nr_cpus; cpu++)
#define for_each_online_cpu(cpu)                  \
	for (int cpu = 0; cpu < g_nr_cpus; cpu++) \
		if ((READ_ONCE(g_cpus_online_mask) >> cpu) & 1)

#endif
