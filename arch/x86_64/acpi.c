/*
 * ACPI tables: which CPUs and interrupt controllers there are, and how to switch off. Everything
 * is read during boot, while the firmware's memory is mapped; tables that are damaged or missing
 * leave one CPU and no I/O APIC. Where there is no ACPI at all, the older MP table is tried.
 */
#include "x86.h"
#include <abi/acpi.h>
#include <arch/mmu.h>
#include <core/log.h>
#include <lib/string.h>

#define BOOT_MAP_END   GiB(4) /* what the boot page tables reach */
#define BIOS_AREA      0xe0000ul
#define BIOS_AREA_END  0x100000ul
#define LAPIC_DEFAULT  0xfee00000ul
#define IOAPIC_DEFAULT 0xfec00000ul

u32 x86_apic_ids[MAX_CPUS];
struct x86_override x86_isa_overrides[16];
u16 x86_pm_timer_port;
static u64 g_lapic_phys = LAPIC_DEFAULT;

static u16 get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static u32 get32(const u8 *p)
{
	return get16(p) | (u32)get16(p + 2) << 16;
}

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

static bool sum_is_zero(const void *p, size_t n)
{
	u8 sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = (u8)(sum + ((const u8 *)p)[i]);
	return sum == 0;
}

static const void *boot_memory(u64 phys, size_t len)
{
	if (!phys || phys >= BOOT_MAP_END || len > BOOT_MAP_END - phys)
		return NULL;
	return phys_to_virt(phys);
}

static const struct acpi_header *table_at(u64 phys)
{
	const struct acpi_header *h = boot_memory(phys, sizeof(*h));

	if (!h || h->length < sizeof(*h) || !boot_memory(phys, h->length) ||
		!sum_is_zero(h, h->length))
		return NULL;
	return h;
}

static const struct acpi_rsdp *rsdp_at(u64 phys)
{
	const struct acpi_rsdp *r = boot_memory(phys, sizeof(*r));

	if (!r || memcmp(r->signature, "RSD PTR ", 8) || !sum_is_zero(r, 20))
		return NULL;
	return r;
}

static const struct acpi_rsdp *find_rsdp(u64 told)
{
	const struct acpi_rsdp *r = rsdp_at(told);

	for (u64 at = BIOS_AREA; !r && at < BIOS_AREA_END; at += 16)
		r = rsdp_at(at);
	return r;
}

static const struct acpi_header *find_table(const struct acpi_rsdp *rsdp, const char *signature)
{
	bool wide = rsdp->revision >= 2 && rsdp->xsdt;
	const struct acpi_header *root = table_at(wide ? rsdp->xsdt : rsdp->rsdt);
	size_t step = wide ? 8 : 4;

	if (!root)
		return NULL;
	for (size_t at = sizeof(*root); at + step <= root->length; at += step) {
		const u8 *entry = (const u8 *)root + at;
		const struct acpi_header *h = table_at(wide ? get64(entry) : get32(entry));

		if (h && !memcmp(h->signature, signature, 4))
			return h;
	}
	return NULL;
}

static void add_cpu(u32 apic_id)
{
	for (int i = 0; i < g_nr_cpus; i++)
		if (x86_apic_ids[i] == apic_id)
			return; /* the boot CPU, or listed twice */
	if (g_nr_cpus == MAX_CPUS) {
		log_warn("acpi: more than %d CPUs, the rest stays unused", MAX_CPUS);
		return;
	}
	x86_apic_ids[g_nr_cpus++] = apic_id;
}

static void add_override(u8 isa, u32 gsi, u16 flags)
{
	if (isa >= ARRAY_SIZE(x86_isa_overrides))
		return;
	x86_isa_overrides[isa] = (struct x86_override){
		.present = 1,
		.gsi = gsi,
		.low = (flags & 3) == 3,
		.level = (flags >> 2 & 3) == 3,
	};
}

static void madt_entry(const u8 *e, size_t len)
{
	switch (e[0]) {
	case MADT_LAPIC:
		if (len >= 8 && (get32(e + 4) & MADT_CPU_ENABLED))
			add_cpu(e[3]);
		break;
	case MADT_X2APIC:
		if (len >= 16 && (get32(e + 8) & MADT_CPU_ENABLED))
			add_cpu(get32(e + 4));
		break;
	case MADT_IOAPIC:
		if (len >= 12)
			x86_ioapic_add(get32(e + 4), get32(e + 8));
		break;
	case MADT_OVERRIDE:
		if (len >= 10)
			add_override(e[3], get32(e + 4), get16(e + 8));
		break;
	case MADT_LAPIC_ADDRESS:
		if (len >= 12)
			g_lapic_phys = get64(e + 4);
		break;
	}
}

static void read_madt(const struct acpi_madt *m)
{
	const u8 *p = (const u8 *)(m + 1), *end = (const u8 *)m + m->header.length;

	g_lapic_phys = m->lapic;
	while (end - p >= 2 && p[1] >= 2 && p[1] <= end - p) {
		madt_entry(p, p[1]);
		p += p[1];
	}
}

/*
 * Devices "LNRO0005" are virtio-mmio transports (virtio 1.2, 4.2 with ACPI). There is no AML
 * interpreter here: the resource descriptors (ACPI 6.4, 6.4.3: fixed memory 0x86, extended
 * interrupt 0x89) that follow a device's hardware id, as literal bytes in a buffer, are enough for
 * tables that describe fixed devices.
 */
#define MAX_VIRTIO_MMIO 64
static struct arch_mmio_device g_virtio_mmio[MAX_VIRTIO_MMIO]; /* immutable after boot */
static int g_nr_virtio_mmio;

static void find_virtio_mmio(const struct acpi_header *dsdt)
{
	const u8 *p = (const u8 *)dsdt, *end = p + dsdt->length;

	for (; end - p >= 8; p++) {
		struct arch_mmio_device d = {};
		const u8 *q = p + 8, *stop;

		if (memcmp(p, "LNRO0005", 8))
			continue;
		stop = end - q > 128 ? q + 128 : end;
		for (; stop - q >= 12 && !d.base; q++)
			if (q[0] == 0x86 && get16(q + 1) == 9)
				d.base = get32(q + 4);
		for (; stop - q >= 9 && d.base; q++) {
			if (q[0] != 0x89 || get16(q + 1) != 6 || q[4] != 1)
				continue;
			d.level = !(q[3] & 2);
			d.low = q[3] & 4;
			d.irq = (int)get32(q + 5);
			if (g_nr_virtio_mmio < MAX_VIRTIO_MMIO && d.irq < NR_IRQS)
				g_virtio_mmio[g_nr_virtio_mmio++] = d;
			break;
		}
	}
}

const struct arch_mmio_device *arch_virtio_mmio(int *n)
{
	*n = g_nr_virtio_mmio;
	return g_virtio_mmio;
}

static void read_fadt(const struct acpi_header *h)
{
	const u8 *f = (const u8 *)h;
	const struct acpi_header *dsdt = NULL;

	if (h->length < FADT_RESET_REG)
		return;
	if (h->length >= FADT_X_DSDT + 8)
		dsdt = table_at(get64(f + FADT_X_DSDT));
	if (!dsdt)
		dsdt = table_at(get32(f + FADT_DSDT));
	if (dsdt)
		find_virtio_mmio(dsdt);
	if (!(get32(f + FADT_FLAGS) & FADT_FLAG_REDUCED))
		x86_pm_timer_port = (u16)get32(f + FADT_PM_TMR);
	x86_acpi_power_init(f, h->length, (const u8 *)dsdt, dsdt ? dsdt->length : 0);
}

/* Intel MultiProcessor Specification 1.4, chapter 4: "_MP_" points to a "PCMP" table. */
static void read_mp_table(void)
{
	for (u64 at = BIOS_AREA; at < BIOS_AREA_END; at += 16) {
		const u8 *fp = boot_memory(at, 16), *t, *e;
		u32 entries;

		if (!fp || memcmp(fp, "_MP_", 4) || !sum_is_zero(fp, 16))
			continue;
		t = boot_memory(get32(fp + 4), 44);
		if (!t || memcmp(t, "PCMP", 4) || !boot_memory(get32(fp + 4), get16(t + 4)))
			continue;
		g_lapic_phys = get32(t + 36);
		entries = get16(t + 34);
		e = t + 44;
		while (entries-- && e < t + get16(t + 4)) {
			if (e[0] == 0 && (e[3] & 1))
				add_cpu(e[1]);
			else if (e[0] == 2 && (e[3] & 1))
				x86_ioapic_add(get32(e + 4), (u32)x86_ioapic_nr_gsi());
			else if (e[0] == 3 && e[1] == 0 && e[5] < 16)
				add_override(e[5], e[7], get16(e + 2));
			e += e[0] == 0 ? 20 : 8;
		}
		return;
	}
}

void x86_acpi_init(u64 told)
{
	const struct acpi_rsdp *rsdp = find_rsdp(told);
	const struct acpi_header *madt = NULL, *fadt;

	x86_apic_ids[0] = g_x86.max_leaf >= 0xb && g_x86.x2apic && cpuid(0xb, 0).b
		? cpuid(0xb, 0).d
		: cpuid(1, 0).b >> 24;
	if (rsdp) {
		madt = find_table(rsdp, "APIC");
		fadt = find_table(rsdp, "FACP");
		if (fadt)
			read_fadt(fadt);
	}
	if (madt && madt->length >= sizeof(struct acpi_madt))
		read_madt((const struct acpi_madt *)madt);
	else
		read_mp_table();
	if (!rsdp)
		log_info("acpi: no tables; %d CPU", g_nr_cpus);
	if (!x86_ioapic_nr_gsi())
		x86_ioapic_add(IOAPIC_DEFAULT, 0);
	x86_lapic_init_boot(g_lapic_phys);
}
