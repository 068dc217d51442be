/* Leaving the machine. */
#include "x86.h"

#define DEBUG_EXIT_PORT  0xf4 /* QEMU's isa-debug-exit: status (value << 1) | 1 */
#define DEBUG_EXIT_PANIC 0x30
#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET   0xfe
#define RESET_CONTROL    0xcf9

#define MAX_HOOKS        4
static void (*g_hooks[MAX_HOOKS])(
	void); /* set during start-up; may run on several CPUs and twice */

void arch_on_shutdown(void (*fn)(void))
{
	for (int i = 0; i < MAX_HOOKS; i++) {
		if (!g_hooks[i]) {
			g_hooks[i] = fn;
			return;
		}
	}
}

static void leave(void)
{
	irq_disable();
	for (int i = 0; i < MAX_HOOKS && g_hooks[i]; i++)
		g_hooks[i]();
}

noreturn void arch_halt(void)
{
	leave();
	for (;;)
		__asm__ volatile("hlt");
}

noreturn void arch_poweroff(void)
{
	leave();
	x86_acpi_poweroff();
	x86_delay_us(100000);
	arch_halt();
}

noreturn void arch_reboot(void)
{
	static const struct {
		u16 limit;
		u64 base;
	} __packed empty;

	leave();
	x86_acpi_reset();
	x86_delay_us(10000);
	outb(RESET_CONTROL, 0x02);
	outb(RESET_CONTROL, 0x06);
	x86_delay_us(10000);
	outb(KEYBOARD_COMMAND, KEYBOARD_RESET);
	x86_delay_us(10000);
	/* Without an IDT the next exception resets the CPU. */
	__asm__ volatile("lidt %0\n\tint3" : : "m"(empty));
	arch_halt();
}

noreturn void arch_panic_exit(void)
{
	leave();
	outb(DEBUG_EXIT_PORT, DEBUG_EXIT_PANIC);
	arch_reboot();
}
