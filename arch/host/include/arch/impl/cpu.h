/* host: one CPU, its interrupt flag a variable. See <arch/cpu.h>. */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#define KSTACK_SIZE (256ul << 10) /* sanitizers and the C library need more */

extern bool host_irqs_on;
extern bool host_irq_pending; /* something to deliver when interrupts go on */
void host_irq_deliver(void);  /* interrupts on */

static inline bool irqs_enabled(void)
{
	return host_irqs_on;
}

static inline void irq_enable(void)
{
	barrier();
	host_irqs_on = true;
	if (host_irq_pending)
		host_irq_deliver();
}

static inline void irq_disable(void)
{
	host_irqs_on = false;
	barrier();
}

static inline unsigned long irq_save(void)
{
	bool on = host_irqs_on;

	irq_disable();
	return on;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags)
		irq_enable();
	else
		irq_disable();
}

void cpu_relax(void); /* time passes: who spins waits for it */
void cpu_idle(void);
u64 arch_cycles(void);
u64 arch_random_seed(u64 *ok);
#define io_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)

static inline int cpu_id(void)
{
	return 0;
}

#define DECLARE_PER_CPU(type, name) extern __typeof__(type) name
#define DEFINE_PER_CPU(type, name)  __typeof__(type) name
#define this_cpu_ptr(ptr)           (ptr)
#define per_cpu_ptr(ptr, cpu)       ((void)(cpu), (ptr))
#define this_cpu_read(var)          READ_ONCE(var)
#define this_cpu_write(var, v)      WRITE_ONCE(var, v)
#define this_cpu_add(var, n)        ((void)((var) += (n)))
#define this_cpu_fetch_add(var, n)  __atomic_fetch_add(&(var), n, __ATOMIC_RELAXED)

#endif
