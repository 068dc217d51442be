/*
 * Interrupts: vectors for lines and MSIs (the same on every CPU), dispatch, IPIs.
 *
 * irq numbers: 0 .. lines-1 are global system interrupts, the rest up to NR_IRQS are MSIs.
 */
#include "stacks.h"
#include "x86.h"
#include <arch/thread.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <lib/err.h>

#define MSI_ADDRESS 0xfee00000ull

DEFINE_PER_CPU(u8, x86_irq_from_user);
static DEFINE_SPINLOCK(g_lock, RANK_IRQ);
static u16 g_vector_irq[256];      /* irq + 1; 0: unused. g_lock to write */
static u8 g_irq_vector[NR_IRQS];   /* 0: none. g_lock to write */
static bool g_irq_is_msi[NR_IRQS]; /* g_lock */

void x86_irq_init(void)
{
	x86_ioapic_map();
}

static int vector_alloc_locked(int irq)
{
	spin_assert_held(&g_lock);
	for (int v = VEC_DEVICE_FIRST; v <= VEC_DEVICE_LAST; v++) {
		if (!g_vector_irq[v]) {
			WRITE_ONCE(g_vector_irq[v], (u16)(irq + 1));
			g_irq_vector[irq] = (u8)v;
			return v;
		}
	}
	return -ENOSPC;
}

static void vector_free_locked(int irq)
{
	spin_assert_held(&g_lock);
	WRITE_ONCE(g_vector_irq[g_irq_vector[irq]], 0);
	g_irq_vector[irq] = 0;
}

int arch_irq_enable(int irq, bool level, bool active_low)
{
	unsigned long flags;
	int v, err = 0;

	if (irq < 0 || irq >= NR_IRQS)
		return -EINVAL;
	flags = spin_lock_irqsave(&g_lock);
	v = g_irq_vector[irq];
	if (g_irq_is_msi[irq]) {
		spin_unlock_irqrestore(&g_lock, flags);
		return 0; /* the device itself is what turns an MSI on */
	}
	if (irq >= x86_ioapic_nr_gsi())
		err = -EINVAL;
	else if (!v)
		v = vector_alloc_locked(irq);
	if (v < 0)
		err = v;
	spin_unlock_irqrestore(&g_lock, flags);
	return err ? err : x86_ioapic_route((u32)irq, v, x86_apic_ids[0], level, active_low, false);
}

void arch_irq_disable(int irq)
{
	unsigned long flags;

	if (irq < 0 || irq >= NR_IRQS)
		return;
	flags = spin_lock_irqsave(&g_lock);
	if (g_irq_vector[irq] && !g_irq_is_msi[irq])
		vector_free_locked(irq);
	else
		irq = -1;
	spin_unlock_irqrestore(&g_lock, flags);
	if (irq >= 0 && x86_ioapic_route((u32)irq, 0, 0, false, false, true))
		log_warn("irq %d: no such line", irq);
}

int arch_isa_irq(int isa, bool *level, bool *low)
{
	const struct x86_override *o;

	*level = *low = false;
	if (isa < 0 || isa >= 16)
		return -EINVAL;
	o = &x86_isa_overrides[isa];
	if (!o->present)
		return isa;
	*level = o->level;
	*low = o->low;
	return (int)o->gsi;
}

int arch_msi_alloc(int cpu, struct msi_message *msg)
{
	unsigned long flags = spin_lock_irqsave(&g_lock);
	int irq = x86_ioapic_nr_gsi(), v;

	while (irq < NR_IRQS && g_irq_vector[irq])
		irq++;
	v = irq < NR_IRQS && x86_apic_ids[cpu] < 256 ? vector_alloc_locked(irq) : -ENOSPC;
	if (v >= 0) {
		g_irq_is_msi[irq] = true;
		msg->address = MSI_ADDRESS | (u64)x86_apic_ids[cpu] << 12;
		msg->data = (u32)v;
	}
	spin_unlock_irqrestore(&g_lock, flags);
	return v < 0 ? v : irq;
}

void arch_msi_free(int irq)
{
	unsigned long flags;

	if (irq < 0 || irq >= NR_IRQS)
		return;
	flags = spin_lock_irqsave(&g_lock);
	if (g_irq_is_msi[irq]) {
		vector_free_locked(irq);
		g_irq_is_msi[irq] = false;
	}
	spin_unlock_irqrestore(&g_lock, flags);
}

void arch_ipi_send(int cpu, enum ipi_kind kind)
{
	switch (kind) {
	case IPI_RESCHED:
		x86_lapic_ipi(cpu, VEC_RESCHED);
		break;
	case IPI_CALL:
		x86_lapic_ipi(cpu, VEC_CALL);
		break;
	default:
		x86_lapic_nmi(cpu); /* reaches a CPU that has interrupts off */
		break;
	}
}

void arch_ipi_send_others(enum ipi_kind kind)
{
	u64 mask = READ_ONCE(g_cpus_online_mask) & ~(1ull << cpu_id());

	for (; mask; mask &= mask - 1)
		arch_ipi_send(__builtin_ctzll(mask), kind);
}

/* From assembly, interrupts off, on the interrupt stack. */
void x86_interrupt(struct pt_regs *regs, u32 vector)
{
	u16 irq;

	this_cpu_write(x86_irq_from_user, regs_user_mode(regs));
	switch (vector) {
	case VEC_TIMER:
		x86_lapic_eoi();
		arch_upcalls.timer();
		break;
	case VEC_RESCHED:
		x86_lapic_eoi();
		arch_upcalls.ipi(IPI_RESCHED);
		break;
	case VEC_CALL:
		x86_lapic_eoi();
		arch_upcalls.ipi(IPI_CALL);
		break;
	case VEC_TLB:
		x86_lapic_eoi();
		x86_tlb_ipi();
		return; /* nothing there makes work for irq_exit */
	case VEC_ERROR:
		x86_lapic_eoi();
		log_warn("lapic: error interrupt");
		return;
	case VEC_SPURIOUS:
		return; /* has no end of interrupt */
	default:
		irq = READ_ONCE(g_vector_irq[vector]);
		if (irq)
			arch_upcalls.irq(irq - 1);
		else
			log_warn("irq: vector %u has no owner", vector);
		x86_lapic_eoi();
		break;
	}
	arch_upcalls.irq_exit();
}
