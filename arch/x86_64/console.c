/* The console of last resort: COM1, polled. The serial driver takes over the same port later. */
#include "x86.h"

#define COM1        0x3f8
#define THR         0
#define IER         1
#define FCR         2
#define LCR         3
#define MCR         4
#define LSR         5
#define LSR_THRE    0x20
#define WAIT_ROUNDS 100000

void x86_serial_early_init(void)
{
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 0x83); /* divisor latch, 8 data bits */
	outb(COM1 + THR, 1);    /* 115200 */
	outb(COM1 + IER, 0);
	outb(COM1 + LCR, 0x03);
	outb(COM1 + FCR, 0x07); /* FIFOs on and empty */
	outb(COM1 + MCR, 0x0b);
}

static void put(char c)
{
	for (int i = 0; i < WAIT_ROUNDS && !(inb(COM1 + LSR) & LSR_THRE); i++)
		cpu_relax();
	outb(COM1 + THR, (u8)c);
}

void arch_early_putc(char c)
{
	if (c == '\n')
		put('\r');
	put(c);
}
