/* The ports of a PC and the console= option. */
#include "uart.h"
#include <arch/platform.h>
#include <core/init.h>
#include <core/irq.h>
#include <lib/string.h>
#include <linux/major.h>

#define NR_PORTS     2
#define FIRST_MINOR  64
#define DEFAULT_BAUD 115200u

static const struct {
	u16 port;
	int isa_irq;
	const char *name;
} g_ports[NR_PORTS] = {{0x3f8, 4, "ttyS0"}, {0x2f8, 3, "ttyS1"}};

static struct uart g_uarts[NR_PORTS];
static struct {
	bool wanted;
	u32 baud;
} g_consoles[NR_PORTS] = {{.baud = DEFAULT_BAUD}, {.baud = DEFAULT_BAUD}}; /* start-up only */
static int g_last_console = -1;                                            /* start-up only */

static u32 parse_baud(const char *s)
{
	u32 v = 0;

	while (*s >= '0' && *s <= '9' && v <= DEFAULT_BAUD)
		v = v * 10 + (u32)(*s++ - '0');
	return v;
}

static int option_console(const char *value)
{
	for (int i = 0; i < NR_PORTS; i++) {
		size_t n = strlen(g_ports[i].name);
		u32 baud;

		if (strncmp(value, g_ports[i].name, n) || (value[n] && value[n] != ','))
			continue;
		baud = value[n] ? parse_baud(value + n + 1) : DEFAULT_BAUD;
		if (!baud)
			return -EINVAL;
		g_consoles[i].wanted = true;
		g_consoles[i].baud = baud;
		g_last_console = i;
		return 0;
	}
	return -EINVAL; /* no other driver has a console */
}
INIT_OPTION("console", option_console);

static void drain_all(void)
{
	for (int i = 0; i < NR_PORTS; i++)
		if (g_uarts[i].port)
			uart_drain(&g_uarts[i]);
}

static int port_init(int i)
{
	struct uart *u = &g_uarts[i];
	bool level, low;
	int err;

	if (!uart_probe(g_ports[i].port))
		return 0;
	uart_init(u, g_ports[i].port, g_consoles[i].baud);
	u->tty = tty_create(
		&g_uart_ops, g_ports[i].name, dev_make(TTY_MAJOR, FIRST_MINOR + (u32)i), u);
	if (!u->tty)
		return -ENOMEM;
	if (g_consoles[i].baud == DEFAULT_BAUD) {
		u->tty->termios.c_cflag = (u->tty->termios.c_cflag & ~(u32)CBAUD) | B115200;
		u->tty->termios.c_ispeed = u->tty->termios.c_ospeed = DEFAULT_BAUD;
	}
	u->irq = arch_isa_irq(g_ports[i].isa_irq, &level, &low);
	err = irq_request(u->irq, uart_interrupt, u, g_ports[i].name, level, low);
	if (err)
		return err;
	err = tty_register(u->tty);
	if (err)
		return err;
	log_info("%s at I/O %#x, irq %d", g_ports[i].name, u->port, u->irq);
	return 0;
}

static int serial_init(void)
{
	arch_on_shutdown(drain_all);
	for (int i = 0; i < NR_PORTS; i++) {
		int err = port_init(i);

		if (err)
			return err;
	}
	if (g_last_console < 0 && g_uarts[0].tty) {
		g_consoles[0].wanted = true;
		g_last_console = 0;
	}
	for (int i = 0; i < NR_PORTS; i++) {
		struct uart *u = &g_uarts[i];

		if (!g_consoles[i].wanted || !u->tty)
			continue;
		u->console.name = g_ports[i].name;
		u->console.write = uart_console_write;
		console_register(&u->console);
		if (i == g_last_console)
			tty_set_console(u->tty);
	}
	return 0;
}
INIT_HOOK(INIT_DEVICE, serial_init);
