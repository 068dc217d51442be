/* MSI-X: one message, so one interrupt number and CPU, for each vector of a function. */
#include <arch/platform.h>
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <linux/pci_regs.h>
#include <pci/pci.h>

#define ENTRY_WORDS 4 /* address low, high, data, control */
#define ENTRY_CTRL  3
#define CTRL_MASKED 1u

static int map_table(struct pci_device *p)
{
	u32 where, bar;
	void *table;

	if (p->msix_table)
		return 0;
	if (!p->msix_cap)
		return -ENODEV;
	where = pci_read32(p, (u32)p->msix_cap + PCI_MSIX_TABLE);
	bar = where & PCI_MSIX_TABLE_BIR;
	table = pci_map_bar(p, (int)bar, where & ~7u, p->msix_count * 16ull);
	if (is_err(table))
		return (int)ptr_err(table);
	p->msix_irqs = kmalloc(p->msix_count * sizeof(int), GFP_KERNEL);
	if (!p->msix_irqs)
		return -ENOMEM;
	p->msix_table = table;
	for (u32 i = 0; i < p->msix_count; i++) {
		p->msix_irqs[i] = -1;
		p->msix_table[i * ENTRY_WORDS + ENTRY_CTRL] = CTRL_MASKED;
	}
	return 0;
}

int pci_msix_request(
	struct pci_device *p, u32 vector, int cpu, irq_handler fn, void *arg, const char *name)
{
	struct msi_message m;
	volatile u32 *e;
	int irq, err = map_table(p);

	if (err)
		return err;
	if (vector >= p->msix_count || p->msix_irqs[vector] >= 0)
		return -EINVAL;
	irq = arch_msi_alloc(cpu, &m);
	if (irq < 0)
		return irq;
	err = irq_request(irq, fn, arg, name, false, false);
	if (err) {
		arch_msi_free(irq);
		return err;
	}
	p->msix_irqs[vector] = irq;
	e = p->msix_table + vector * ENTRY_WORDS;
	e[0] = (u32)m.address;
	e[1] = (u32)(m.address >> 32);
	e[2] = m.data;
	e[ENTRY_CTRL] = 0;
	return 0;
}

void pci_msix_release(struct pci_device *p, u32 vector, void *arg)
{
	int irq;

	if (!p->msix_irqs || vector >= p->msix_count || p->msix_irqs[vector] < 0)
		return;
	irq = p->msix_irqs[vector];
	p->msix_table[vector * ENTRY_WORDS + ENTRY_CTRL] = CTRL_MASKED;
	irq_release(irq, arg);
	arch_msi_free(irq);
	p->msix_irqs[vector] = -1;
}

void pci_msix_enable(struct pci_device *p)
{
	u32 reg = (u32)p->msix_cap + PCI_MSIX_FLAGS;

	pci_write16(p, reg,
		(u16)((pci_read16(p, reg) | PCI_MSIX_FLAGS_ENABLE) & ~PCI_MSIX_FLAGS_MASKALL));
}
