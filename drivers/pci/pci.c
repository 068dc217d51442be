/* Finding PCI functions and matching them with drivers. PCI Local Bus 3.0, PCI-to-PCI Bridge 1.2. */
#include <arch/impl/port.h>
#include <arch/mmu.h>
#include <core/init.h>
#include <core/log.h>
#include <core/spinlock.h>
#include <kmem/slab.h>
#include <linux/pci_regs.h>
#include <pci/pci.h>
#include <sched/mutex.h>

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA    0xcfc
#define MAX_BUSES      256

static DEFINE_SPINLOCK(g_config_lock, RANK_DEVICE);
static struct mutex g_lock = MUTEX_INIT(g_lock, RANK_DRIVER_LIST);
static LIST_HEAD(g_devices); /* g_lock */
static LIST_HEAD(g_drivers); /* g_lock */

static u32 config_read(u8 bus, u8 dev, u8 fn, u32 off)
{
	unsigned long flags = spin_lock_irqsave(&g_config_lock);
	u32 v;

	outl(CONFIG_ADDRESS,
		1u << 31 | (u32)bus << 16 | (u32)dev << 11 | (u32)fn << 8 | (off & 0xfc));
	v = inl(CONFIG_DATA);
	spin_unlock_irqrestore(&g_config_lock, flags);
	return v;
}

static void config_write(u8 bus, u8 dev, u8 fn, u32 off, u32 v)
{
	unsigned long flags = spin_lock_irqsave(&g_config_lock);

	outl(CONFIG_ADDRESS,
		1u << 31 | (u32)bus << 16 | (u32)dev << 11 | (u32)fn << 8 | (off & 0xfc));
	outl(CONFIG_DATA, v);
	spin_unlock_irqrestore(&g_config_lock, flags);
}

u32 pci_read32(const struct pci_device *p, u32 off)
{
	return config_read(p->bus, p->dev, p->fn, off);
}

u16 pci_read16(const struct pci_device *p, u32 off)
{
	return (u16)(pci_read32(p, off) >> (off & 2) * 8);
}

u8 pci_read8(const struct pci_device *p, u32 off)
{
	return (u8)(pci_read32(p, off) >> (off & 3) * 8);
}

void pci_write32(const struct pci_device *p, u32 off, u32 v)
{
	config_write(p->bus, p->dev, p->fn, off, v);
}

void pci_write16(const struct pci_device *p, u32 off, u16 v)
{
	/* By a 16-bit access: the other half may have bits that are cleared by writing ones. */
	unsigned long flags = spin_lock_irqsave(&g_config_lock);

	outl(CONFIG_ADDRESS,
		1u << 31 | (u32)p->bus << 16 | (u32)p->dev << 11 | (u32)p->fn << 8 | (off & 0xfc));
	outw((u16)(CONFIG_DATA + (off & 2)), v);
	spin_unlock_irqrestore(&g_config_lock, flags);
}

u32 pci_capability(const struct pci_device *p, u8 id, u32 at)
{
	u32 next;

	if (!at && !(pci_read16(p, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	next = pci_read8(p, at ? at + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST);
	for (int i = 0; i < 48 && next >= 0x40; i++) { /* at most 48 fit: a loop ends */
		if (pci_read8(p, next & 0xfc) == id)
			return next & 0xfc;
		next = pci_read8(p, (next & 0xfc) + PCI_CAP_LIST_NEXT);
	}
	return 0;
}

void pci_enable(struct pci_device *p)
{
	pci_write16(p, PCI_COMMAND,
		(u16)(pci_read16(p, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER));
}

void *pci_map_bar(struct pci_device *p, int bar, u64 offset, u64 len)
{
	if (bar < 0 || bar >= 6 || !p->bar[bar] || !len || offset > p->bar_len[bar] ||
		len > p->bar_len[bar] - offset)
		return err_ptr(-EINVAL);
	return arch_ioremap(p->bar[bar] + offset, len);
}

/* Size a window by writing ones; decoding is off meanwhile. */
static void read_bars(struct pci_device *p, int count)
{
	u16 command = pci_read16(p, PCI_COMMAND);

	pci_write16(p, PCI_COMMAND, (u16)(command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_IO)));
	for (int i = 0; i < count; i++) {
		u32 reg = PCI_BASE_ADDRESS_0 + 4u * (u32)i, low = pci_read32(p, reg), high = 0;
		bool wide = (low & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
		u64 mask;

		if (low & PCI_BASE_ADDRESS_SPACE_IO)
			continue;
		wide = wide && i + 1 < count;
		pci_write32(p, reg, ~0u);
		mask = pci_read32(p, reg) & ~0xfu;
		pci_write32(p, reg, low);
		if (wide) {
			high = pci_read32(p, reg + 4);
			pci_write32(p, reg + 4, ~0u);
			mask |= (u64)pci_read32(p, reg + 4) << 32;
			pci_write32(p, reg + 4, high);
		} else {
			mask |= mask ? 0xffffffffull << 32 : 0;
		}
		p->bar[i] = ((u64)high << 32) | (low & ~0xfu);
		p->bar_len[i] = mask ? ~mask + 1 : 0;
		if (!p->bar_len[i])
			p->bar[i] = 0;
		i += wide;
	}
	pci_write16(p, PCI_COMMAND, command);
}

static void try_driver(struct pci_device *p, struct pci_driver *d)
{
	int err;

	if (p->driver)
		return;
	for (const struct pci_id *id = d->ids; id->vendor; id++) {
		if (id->vendor != p->vendor || id->device != p->device)
			continue;
		p->driver = d;
		err = d->probe(p);
		if (err)
			p->driver = NULL;
		if (err && err != -ENODEV)
			log_warn("pci %02x:%02x.%x: %s failed: %d", p->bus, p->dev, p->fn, d->name,
				err);
		return;
	}
}

void pci_driver_register(struct pci_driver *d)
{
	struct pci_device *p;

	mutex_lock(&g_lock);
	list_add_tail(&d->link, &g_drivers);
	list_for_each_entry(p, &g_devices, link)
		try_driver(p, d);
	mutex_unlock(&g_lock);
}

static u64 g_bus_seen[MAX_BUSES / 64]; /* start-up only */
static u8 g_buses[MAX_BUSES];          /* still to scan; start-up only */
static int g_nr_buses;

static void add_bus(u8 bus)
{
	if (g_bus_seen[bus / 64] >> (bus % 64) & 1)
		return;
	g_bus_seen[bus / 64] |= 1ull << (bus % 64);
	g_buses[g_nr_buses++] = bus;
}

static void add_function(u8 bus, u8 dev, u8 fn, u32 id, u8 header)
{
	struct pci_device *p = kzalloc(sizeof(*p), GFP_KERNEL);
	struct pci_driver *d;

	if (!p)
		return;
	p->bus = bus;
	p->dev = dev;
	p->fn = fn;
	p->vendor = (u16)id;
	p->device = (u16)(id >> 16);
	p->class_rev = pci_read32(p, PCI_CLASS_REVISION);
	if (header == PCI_HEADER_TYPE_BRIDGE)
		add_bus(pci_read8(p, PCI_SECONDARY_BUS));
	if (header == PCI_HEADER_TYPE_NORMAL) {
		p->subsys_vendor = pci_read16(p, PCI_SUBSYSTEM_VENDOR_ID);
		p->subsys = pci_read16(p, PCI_SUBSYSTEM_ID);
		read_bars(p, 6);
	}
	p->msix_cap = (int)pci_capability(p, PCI_CAP_ID_MSIX, 0);
	if (p->msix_cap)
		p->msix_count = (pci_read16(p, (u32)p->msix_cap + PCI_MSIX_FLAGS) &
					PCI_MSIX_FLAGS_QSIZE) +
			1u;
	mutex_lock(&g_lock);
	list_add_tail(&p->link, &g_devices);
	list_for_each_entry(d, &g_drivers, link)
		try_driver(p, d);
	mutex_unlock(&g_lock);
}

static void scan_bus(u8 bus)
{
	for (u8 dev = 0; dev < 32; dev++) {
		int functions = 1;

		for (u8 fn = 0; fn < functions; fn++) {
			u32 id = config_read(bus, dev, fn, PCI_VENDOR_ID);
			u8 header;

			if ((u16)id == 0xffff || !id)
				continue;
			header = (u8)(config_read(bus, dev, fn, 0x0c) >> 16);
			if (!fn && (header & 0x80))
				functions = 8;
			add_function(bus, dev, fn, id, header & 0x7f);
		}
	}
}

static int pci_init(void)
{
	outl(CONFIG_ADDRESS, 1u << 31);
	if (inl(CONFIG_ADDRESS) != 1u << 31)
		return 0; /* no PCI: a microvm */
	add_bus(0);
	for (int i = 0; i < g_nr_buses; i++)
		scan_bus(g_buses[i]);
	return 0;
}
INIT_HOOK(INIT_DEVICE, pci_init);
