/*
 * I/O APICs: routes of global system interrupts to vectors (Intel 82093AA). The old 8259 pair is
 * masked for good.
 */
#include "x86.h"
#include <arch/mmu.h>
#include <core/log.h>
#include <core/spinlock.h>

#define MAX_IOAPICS     4
#define REG_VERSION     1u
#define REG_REDIRECT(n) (0x10u + 2 * (n))
#define REDIR_MASKED    0x10000u
#define REDIR_LEVEL     0x8000u
#define REDIR_LOW       0x2000u

#define PIC1_DATA       0x21
#define PIC2_DATA       0xa1

static struct ioapic {
	u64 phys;
	volatile u32 *regs; /* [0]: index, [4]: data; g_lock */
	u32 gsi_base, nr;
} g_ioapics[MAX_IOAPICS];
static int g_nr_ioapics;
static DEFINE_SPINLOCK(g_lock, RANK_IRQ);

static u32 ioapic_read(struct ioapic *io, u32 reg)
{
	io->regs[0] = reg;
	return io->regs[4];
}

static void ioapic_write(struct ioapic *io, u32 reg, u32 v)
{
	io->regs[0] = reg;
	io->regs[4] = v;
}

/* During boot, on the boot page tables. */
void x86_ioapic_add(u64 phys, u32 gsi_base)
{
	struct ioapic *io;

	if (g_nr_ioapics == MAX_IOAPICS) {
		log_warn("ioapic: more than %d, the one at %#llx stays unused", MAX_IOAPICS, phys);
		return;
	}
	io = &g_ioapics[g_nr_ioapics++];
	*io = (struct ioapic){.phys = phys, .gsi_base = gsi_base};
	io->regs = phys_to_virt(phys);
	io->nr = (ioapic_read(io, REG_VERSION) >> 16 & 0xff) + 1;
	if (io->nr > 240) /* nothing answers: all bits set */
		io->nr = 0;
}

void x86_ioapic_map(void)
{
	for (int i = 0; i < g_nr_ioapics; i++) {
		struct ioapic *io = &g_ioapics[i];

		io->regs = x86_ioremap_early(io->phys, PAGE_SIZE);
		BUG_ON(is_err((const void *)io->regs));
		for (u32 n = 0; n < io->nr; n++)
			ioapic_write(io, REG_REDIRECT(n), REDIR_MASKED);
	}
}

int x86_ioapic_nr_gsi(void)
{
	u32 end = 0;

	for (int i = 0; i < g_nr_ioapics; i++)
		end = max(end, g_ioapics[i].gsi_base + g_ioapics[i].nr);
	return (int)end;
}

/* -EINVAL: no such line. */
int x86_ioapic_route(u32 gsi, int vector, u32 apic_id, bool level, bool low, bool masked)
{
	for (int i = 0; i < g_nr_ioapics; i++) {
		struct ioapic *io = &g_ioapics[i];
		unsigned long flags;
		u32 n = gsi - io->gsi_base;

		if (gsi < io->gsi_base || n >= io->nr)
			continue;
		flags = spin_lock_irqsave(&g_lock);
		ioapic_write(io, REG_REDIRECT(n), REDIR_MASKED);
		ioapic_write(io, REG_REDIRECT(n) + 1, apic_id << 24);
		ioapic_write(io, REG_REDIRECT(n),
			(u32)vector | (level ? REDIR_LEVEL : 0) | (low ? REDIR_LOW : 0) |
				(masked ? REDIR_MASKED : 0));
		spin_unlock_irqrestore(&g_lock, flags);
		return 0;
	}
	return -EINVAL;
}

void x86_pic_disable(void)
{
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
}
