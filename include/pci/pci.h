/*
 * PCI: functions found on the buses, their configuration space, memory windows and MSI-X vectors.
 * Windows were placed by the firmware.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <lib/list.h>
#include <core/irq.h>

struct pci_driver;

struct pci_device {
	u8 bus, dev, fn;
	u16 vendor, device, subsys_vendor, subsys; /* immutable, as the rest */
	u32 class_rev;                             /* class << 8 | revision */
	u64 bar[6];                                /* physical address; 0: none or an I/O window */
	u64 bar_len[6];
	int msix_cap; /* offset in configuration space; 0: none */
	u32 msix_count;
	volatile u32 *msix_table; /* mapped by pci_msix_alloc */
	int *msix_irqs;           /* by vector; -1: none */
	const struct pci_driver *driver;
	void *driver_data;
	struct list_head link;
};

struct pci_id {
	u16 vendor, device;
};
struct pci_driver {
	const char *name;
	const struct pci_id *ids;           /* ends with vendor 0 */
	int (*probe)(struct pci_device *p); /* -ENODEV: not mine */
	struct list_head link;
};
/* Before INIT_DEVICE's end: probes what was found already, and what is found later. */
void pci_driver_register(struct pci_driver *d);

/* Configuration space; off aligned to the size. Any context. */
u8 pci_read8(const struct pci_device *p, u32 off);
u16 pci_read16(const struct pci_device *p, u32 off);
u32 pci_read32(const struct pci_device *p, u32 off);
void pci_write16(const struct pci_device *p, u32 off, u16 v);
void pci_write32(const struct pci_device *p, u32 off, u32 v);
/* Next capability of an id behind at (0: first); 0: none. */
u32 pci_capability(const struct pci_device *p, u8 id, u32 at);
/* Memory decoding and bus mastering on. */
void pci_enable(struct pci_device *p);
/* Map len bytes at offset of a memory window. Error pointer -EINVAL -ENOMEM. Sleeps. */
void *pci_map_bar(struct pci_device *p, int bar, u64 offset, u64 len) must_check;
/* A vector delivered to cpu, with its handler. -ENOSPC -ENOMEM -EINVAL. Sleeps. */
int pci_msix_request(struct pci_device *p, u32 vector, int cpu, irq_handler fn, void *arg,
	const char *name) must_check;
void pci_msix_release(struct pci_device *p, u32 vector, void *arg);
void pci_msix_enable(struct pci_device *p); /* once vectors are set up */

#endif
