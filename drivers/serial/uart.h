/* Private to drivers/serial: one 16550A. */
#ifndef SERIAL_UART_H
#define SERIAL_UART_H

#include <core/log.h>
#include <core/spinlock.h>
#include <tty/tty.h>

#define UART_RING 8192 /* bytes waiting to be sent; a power of two */

struct uart {
	u16 port;        /* immutable */
	int irq;         /* immutable */
	struct tty *tty; /* immutable after registration */
	struct console console;
	struct spinlock lock; /* RANK_UART: all below */
	u8 ier;               /* what the interrupt enable register holds */
	bool open, throttled; /* receive interrupts are on when open and not throttled */
	u32 head, tail;       /* ring: written at head, sent from tail */
	u32 overruns;         /* reported once each */
	u8 lsr_kept;          /* line errors read and not yet given to a byte; atomic */
	u8 ring[UART_RING];
	/* receive handler only, one at a time: bytes that the terminal had no room for */
	u8 held[16], held_flags[16];
	u32 nr_held;
	s64 sysrq_until_ns; /* the same: a byte until then is a key for emergencies; 0: not */
};

extern const struct tty_ops g_uart_ops;

bool uart_probe(u16 port);
void uart_init(struct uart *u, u16 port, u32 baud);
bool uart_interrupt(int irq, void *arg);
/* Everything that waits goes out, polled; for the end of the machine. Any context. */
void uart_drain(struct uart *u);
void uart_console_write(struct console *c, const char *s, size_t n);

#endif
