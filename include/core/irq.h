/*
 * Device interrupts: handlers on lines, counted per CPU for /proc/interrupts; cross-CPU calls.
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

struct seq_buf;

/* Handler: interrupts off, on the interrupt stack. True when the device had asked. */
typedef bool (*irq_handler)(int irq, void *arg);
/* Shared when several handlers register one line. -EBUSY -ENOMEM -EINVAL. May sleep. */
int irq_request(int irq, irq_handler fn, void *arg, const char *name, bool level,
	bool active_low) must_check;
void irq_release(int irq, void *arg);    /* returns after running handlers have ended; sleeps */
void irq_dispatch(int irq);              /* arch upcall */
void irq_show(struct seq_buf *s);        /* /proc/interrupts */
void irq_show_counts(struct seq_buf *s); /* " n" for each line from 0 to the last in use */
u64 irq_count(void);                     /* of all lines and CPUs since boot */

/* Run fn(arg) on the CPUs of mask (this one included if in mask), interrupts off there; returns
 * when all are done. Interrupts on, no spinlock held. */
void smp_call_mask(u64 cpus, void (*fn)(void *), void *arg);
void smp_call_ipi(void); /* upcall for IPI_CALL */
/* Panics (DEBUG only) inside such an fn: there nobody may wait for another CPU, which may be
 * waiting for this one. Whoever waits for CPUs asserts it, also where there is only one. */
#if DEBUG
void smp_assert_may_wait(void);
#else
static inline void smp_assert_may_wait(void)
{
}
#endif

#endif
