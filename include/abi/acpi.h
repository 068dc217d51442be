/*
 * ACPI tables, as far as they are read (ACPI specification 6.4, sections 5.2.5 to 5.2.12). All
 * fields are little-endian and may be unaligned.
 */
#ifndef ABI_ACPI_H
#define ABI_ACPI_H

struct acpi_rsdp {
	char signature[8]; /* "RSD PTR " */
	u8 checksum;
	char oem[6];
	u8 revision; /* 2: xsdt is valid */
	u32 rsdt;
	u32 length;
	u64 xsdt;
	u8 checksum2;
	u8 reserved[3];
} __packed;
static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP");

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem[6], oem_table[8];
	u32 oem_revision, creator, creator_revision;
} __packed;
static_assert(sizeof(struct acpi_header) == 36, "ACPI table header");

struct acpi_address { /* generic address structure */
	u8 space;     /* ACPI_SPACE_* */
	u8 width, offset, access;
	u64 address;
} __packed;
static_assert(sizeof(struct acpi_address) == 12, "GAS");
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

struct acpi_madt {
	struct acpi_header header;
	u32 lapic;
	u32 flags;
} __packed;
#define MADT_LAPIC         0
#define MADT_IOAPIC        1
#define MADT_OVERRIDE      2
#define MADT_LAPIC_ADDRESS 5
#define MADT_X2APIC        9
#define MADT_CPU_ENABLED   1u

/* Fixed ACPI description table: offsets of the fields that are used. */
#define FADT_DSDT         40  /* u32 */
#define FADT_PM1A_CNT     64  /* u32, port */
#define FADT_PM1B_CNT     68  /* u32, port */
#define FADT_PM_TMR       76  /* u32, port */
#define FADT_FLAGS        112 /* u32 */
#define FADT_RESET_REG    116 /* struct acpi_address */
#define FADT_RESET_VALUE  128 /* u8 */
#define FADT_X_DSDT       140 /* u64 */
#define FADT_SLEEP_CNT    244 /* struct acpi_address, hardware-reduced machines */
#define FADT_FLAG_RESET   (1u << 10)
#define FADT_FLAG_REDUCED (1u << 20)

#endif
