/*
 * Switching off and resetting by ACPI. The sleep type for "off" stands in the DSDT as a package
 * named _S5_; its first two elements are small integers, so a search for the name and a reader for
 * three opcodes take the place of an AML interpreter (ACPI 6.4, sections 4.8.3, 7.4.2, 20.2).
 */
#include "x86.h"
#include <abi/acpi.h>
#include <arch/mmu.h>
#include <core/log.h>
#include <lib/string.h>

#define PM1_SLP_EN       (1u << 13)
#define PM1_SLP_TYP      10 /* shift */
#define SLEEP_CNT_SLP_EN (1u << 5)
#define SLEEP_CNT_TYP    2 /* shift */

static struct {
	bool have_s5, reduced, have_reset;
	u8 type_a, type_b, reset_value;
	u16 pm1a, pm1b;
	struct acpi_address sleep, reset;
	u8 *sleep_map, *reset_map; /* mapped at boot where they are memory */
} g_power;

/* One integer of an AML package; the position behind it, NULL for anything else. */
static const u8 *aml_small_integer(const u8 *p, const u8 *end, u8 *v)
{
	if (p >= end)
		return NULL;
	switch (*p) {
	case 0x00: /* ZeroOp, OneOp */
	case 0x01:
		*v = *p;
		return p + 1;
	case 0x0a: /* BytePrefix */
		if (end - p < 2)
			return NULL;
		*v = p[1];
		return p + 2;
	default:
		return NULL;
	}
}

/* The first element is PM1a's (or the sleep register's) type, the second PM1b's. */
static bool find_s5(const u8 *dsdt, u32 len)
{
	const u8 *end = dsdt + len;

	for (const u8 *p = dsdt; end - p >= 8; p++) {
		const u8 *at = p + 4;

		if (memcmp(p, "_S5_", 4) || *at != 0x12) /* PackageOp */
			continue;
		at += 1 + (at[1] >> 6) + 1; /* PkgLength: the top two bits count further bytes */
		at++;                       /* number of elements */
		at = at < end ? aml_small_integer(at, end, &g_power.type_a) : NULL;
		if (!at)
			continue;
		if (!aml_small_integer(at, end, &g_power.type_b))
			g_power.type_b = g_power.type_a;
		return true;
	}
	return false;
}

static u8 *map_register(const struct acpi_address *a)
{
	u8 *p;

	if (a->space != ACPI_SPACE_MEMORY || !a->address)
		return NULL;
	p = x86_ioremap_early(a->address, 1);
	return is_err(p) ? NULL : p;
}

/* Called before the kernel's page tables are built: registers in memory are mapped later. */
void x86_acpi_power_init(const u8 *fadt, u32 fadt_len, const u8 *dsdt, u32 dsdt_len)
{
	u32 flags;

	memcpy(&flags, fadt + FADT_FLAGS, 4);
	memcpy(&g_power.pm1a, fadt + FADT_PM1A_CNT, 2);
	memcpy(&g_power.pm1b, fadt + FADT_PM1B_CNT, 2);
	g_power.reduced = flags & FADT_FLAG_REDUCED;
	if (fadt_len > FADT_RESET_VALUE && (flags & FADT_FLAG_RESET)) {
		g_power.have_reset = true;
		memcpy(&g_power.reset, fadt + FADT_RESET_REG, sizeof(g_power.reset));
		g_power.reset_value = fadt[FADT_RESET_VALUE];
	}
	if (g_power.reduced && fadt_len >= FADT_SLEEP_CNT + sizeof(g_power.sleep))
		memcpy(&g_power.sleep, fadt + FADT_SLEEP_CNT, sizeof(g_power.sleep));
	if (dsdt)
		g_power.have_s5 = find_s5(dsdt, dsdt_len);
	if (!g_power.have_s5)
		log_warn("acpi: no _S5 package, power-off may not work");
}

/* With the final page tables in place. */
void x86_acpi_power_map(void)
{
	g_power.sleep_map = map_register(&g_power.sleep);
	g_power.reset_map = map_register(&g_power.reset);
}

static void write_register(const struct acpi_address *a, u8 *map, u8 v)
{
	if (a->space == ACPI_SPACE_IO)
		outb((u16)a->address, v);
	else if (map)
		*(volatile u8 *)map = v;
}

void x86_acpi_poweroff(void)
{
	if (!g_power.have_s5)
		return;
	if (g_power.reduced) {
		write_register(&g_power.sleep, g_power.sleep_map,
			(u8)(g_power.type_a << SLEEP_CNT_TYP | SLEEP_CNT_SLP_EN));
		return;
	}
	if (g_power.pm1a)
		outw(g_power.pm1a, (u16)(g_power.type_a << PM1_SLP_TYP | PM1_SLP_EN));
	if (g_power.pm1b)
		outw(g_power.pm1b, (u16)(g_power.type_b << PM1_SLP_TYP | PM1_SLP_EN));
}

void x86_acpi_reset(void)
{
	if (g_power.have_reset)
		write_register(&g_power.reset, g_power.reset_map, g_power.reset_value);
}
