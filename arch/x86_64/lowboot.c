/*
 * The first instructions, in 32-bit protected mode without paging, in RAM below 1 MiB that every
 * machine has and that firmware leaves alone between loading us and the entry (lowboot in
 * kernel.lds). They see whether the CPU has what the kernel cannot do without, and whether its
 * image got into memory whole: on a machine with too little RAM the loader wrote a part of it to
 * nowhere, or the initramfs over it. If not, a message and the panic's exit; else on to pvh_entry
 * (head.S).
 */
#include "lowboot.h"
#include <abi/pvh.h>

#define COM1             0x3f8
#define LSR_THRE         0x20
#define WAIT_ROUNDS      100000
#define DEBUG_EXIT_PORT  0xf4 /* as in power.c */
#define DEBUG_EXIT_PANIC 0x30
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET   0xfe
#define RESET_CONTROL    0xcf9

static inline void port_out(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 port_in(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put(char c)
{
	for (int i = 0; i < WAIT_ROUNDS && !(port_in(COM1 + 5) & LSR_THRE); i++)
		barrier();
	port_out(COM1, (u8)c);
}

static void say(const char *s)
{
	for (; *s; s++)
		put(*s);
}

static void say_kib(u64 bytes)
{
	u32 n = bytes >> 42 ? U32_MAX : (u32)(bytes >> 10);
	char digits[12], *p = digits + sizeof(digits) - 1;

	*p = '\0';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	say(p);
	say(" KiB");
}

static void start_message(void)
{
	static const u8 setup[][2] = {{3, 0x83}, {0, 1}, {1, 0}, {3, 3}, {2, 7}, {4, 0x0b}};

	for (u32 i = 0; i < ARRAY_SIZE(setup); i++)
		port_out((u16)(COM1 + setup[i][0]), setup[i][1]);
	say("\r\n[    0.000000] Kernel panic - not syncing: ");
}

static noreturn void leave(void)
{
	say("\r\n");
	port_out(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
	port_out(RESET_CONTROL, 0x02);
	port_out(RESET_CONTROL, 0x06);
	port_out(KEYBOARD_COMMAND, KEYBOARD_RESET);
	for (;;)
		__asm__ volatile("cli\n\thlt");
}

static noreturn void give_up(u64 ram, const char *why, u64 amount, const char *rest)
{
	start_message();
	say("too little memory: ");
	say_kib(ram);
	say(" of RAM; ");
	say(why);
	say_kib(amount);
	say(rest);
	leave();
}

#define CPUID_STANDARD 1u
#define CPUID_EXTENDED 0x80000001u

/* In the EDX of their leaves. NX and everything else that features.c looks for may be missing. */
static const struct {
	u32 leaf;
	u8 bit;
	char name[31];
} needed[] = {
	{CPUID_EXTENDED, 29, "long mode (lm)"},
	{CPUID_EXTENDED, 11, "SYSCALL (syscall)"},
	{CPUID_STANDARD, 24, "FXSAVE and FXRSTOR (fxsr)"},
	{CPUID_STANDARD, 26, "SSE2 (sse2)"},
	{CPUID_STANDARD, 4, "a time-stamp counter (tsc)"},
	{CPUID_STANDARD, 5, "model-specific registers (msr)"},
	{CPUID_STANDARD, 6, "PAE (pae)"},
	{CPUID_STANDARD, 9, "a local APIC (apic)"},
};

static u32 cpuid_edx(u32 leaf)
{
	u32 max = leaf & 0x80000000, b, c, d;

	__asm__ volatile("cpuid" : "+a"(max), "=b"(b), "=c"(c), "=d"(d));
	if (max < leaf || ((max ^ leaf) & 0x80000000))
		return 0;
	__asm__ volatile("cpuid" : "+a"(leaf), "=b"(b), "=c"(c), "=d"(d));
	return d;
}

static void check_cpu(void)
{
	bool lacks = false;

	for (u32 i = 0; i < ARRAY_SIZE(needed); i++) {
		if (cpuid_edx(needed[i].leaf) >> needed[i].bit & 1)
			continue;
		if (!lacks)
			start_message();
		say(lacks ? ", " : "this CPU lacks ");
		say(needed[i].name);
		lacks = true;
	}
	if (lacks)
		leave();
}

void x86_low_check(const struct pvh_start_info *si, u32 start, u32 end)
{
	const struct pvh_memmap *map = (void *)(uintptr_t)si->memmap_paddr;
	const struct pvh_module *mods = (void *)(uintptr_t)si->modlist_paddr;
	bool whole = false;
	u64 ram = 0;

	check_cpu();
	if (si->magic != PVH_MAGIC || si->version < PVH_MEMMAP_VERSION)
		return; /* take_start_info() says so */
	for (u32 i = 0; i < si->memmap_entries; i++) {
		if (map[i].type != PVH_MEMMAP_RAM)
			continue;
		ram += map[i].size;
		if (map[i].addr <= start && map[i].addr + map[i].size >= end)
			whole = true;
	}
	if (!whole)
		give_up(ram, "the kernel's image ends at ", end, "");
	for (u32 i = 0; i < si->nr_modules; i++)
		if (mods[i].paddr < end && mods[i].paddr + mods[i].size > start)
			give_up(ram, "the initramfs of ", mods[i].size, " lies over the kernel");
}
