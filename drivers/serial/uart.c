/* One 16550A (National Semiconductor PC16550D data sheet). */
#include "uart.h"
#include <arch/impl/port.h>
#include <arch/uaccess.h>
#include <lib/string.h>
#include <sched/timer.h>
#include <tty/sysrq.h>

#define REG_DATA      0 /* with LCR_DLAB: divisor, low and high */
#define REG_IER       1
#define REG_IIR       2
#define REG_FCR       2
#define REG_LCR       3
#define REG_MCR       4
#define REG_LSR       5
#define REG_MSR       6
#define REG_SCR       7

#define IER_RX        0x01
#define IER_TX        0x02
#define IER_LINE      0x04
#define IIR_NONE      0x01
#define FCR_ENABLE    0xc1 /* FIFOs on, receive trigger at 14 bytes (with the device's timeout) */
#define LCR_DLAB      0x80
#define LCR_PARITY    0x08
#define LCR_EVEN      0x10
#define LCR_STICK     0x20
#define LCR_STOP2     0x04
#define MCR_DTR_RTS   0x03
#define MCR_OUT2      0x08 /* gates the interrupt line on PCs */
#define MCR_LOOP      0x10
#define LSR_READY     0x01
#define LSR_OVERRUN   0x02
#define LSR_PARITY    0x04
#define LSR_FRAME     0x08
#define LSR_BREAK     0x10
#define LSR_RX_ERRORS (LSR_OVERRUN | LSR_PARITY | LSR_FRAME | LSR_BREAK)
#define LSR_THR_FREE  0x20
#define LSR_IDLE      0x40

#define FIFO_BYTES    16
#define BASE_BAUD     115200
#define BURSTS        16     /* FIFO loads sent in one go while the device takes them at once */
#define IRQ_ROUNDS    64     /* causes handled per interrupt */
#define POLL_ROUNDS   100000 /* of waiting for a dead transmitter */
#define LOCK_ROUNDS   1000000
#define SYSRQ_WAIT_NS (5 * NS_PER_SEC) /* behind a break, as Linux waits for the key */

static u8 reg_read(const struct uart *u, int reg)
{
	return inb((u16)(u->port + reg));
}

static void reg_write(const struct uart *u, int reg, u8 v)
{
	outb((u16)(u->port + reg), v);
}

/* The line status. What is wrong with received bytes it says once, so who asks about the
 * transmitter keeps it for take_byte. */
static u8 line_status(struct uart *u)
{
	u8 lsr = reg_read(u, REG_LSR);

	if (unlikely(lsr & LSR_RX_ERRORS))
		__atomic_fetch_or(&u->lsr_kept, lsr & LSR_RX_ERRORS, __ATOMIC_RELAXED);
	return lsr;
}

bool uart_probe(u16 port)
{
	outb((u16)(port + REG_SCR), 0x5a);
	if (inb((u16)(port + REG_SCR)) != 0x5a)
		return false;
	outb((u16)(port + REG_SCR), 0xa5);
	return inb((u16)(port + REG_SCR)) == 0xa5;
}

static void set_ier_locked(struct uart *u)
{
	u8 ier = IER_LINE;

	spin_assert_held(&u->lock);
	if (u->open && !u->throttled)
		ier |= IER_RX;
	if (u->head != u->tail)
		ier |= IER_TX;
	if (ier != u->ier) {
		u->ier = ier;
		reg_write(u, REG_IER, ier);
	}
}

static void set_line_locked(struct uart *u, u32 baud, u8 lcr)
{
	u32 divisor = max(BASE_BAUD / max(baud, 1u), 1u);

	spin_assert_held(&u->lock);
	reg_write(u, REG_LCR, lcr | LCR_DLAB);
	reg_write(u, REG_DATA, (u8)divisor);
	reg_write(u, REG_IER, (u8)(divisor >> 8));
	reg_write(u, REG_LCR, lcr);
}

/* What waits in the receive FIFO stays there: a person may have typed ahead. */
void uart_init(struct uart *u, u16 port, u32 baud)
{
	unsigned long flags;

	u->port = port;
	spin_init(&u->lock, RANK_UART);
	flags = spin_lock_irqsave(&u->lock);
	reg_write(u, REG_IER, 0);
	set_line_locked(u, baud, 3);
	reg_write(u, REG_FCR, FCR_ENABLE);
	reg_write(u, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
	spin_unlock_irqrestore(&u->lock, flags);
}

static void send_locked(struct uart *u)
{
	spin_assert_held(&u->lock);
	for (int burst = 0; burst < BURSTS && u->head != u->tail; burst++) {
		if (!(line_status(u) & LSR_THR_FREE))
			break;
		for (int i = 0; i < FIFO_BYTES && u->head != u->tail; i++)
			reg_write(u, REG_DATA, u->ring[u->tail++ % UART_RING]);
	}
	set_ier_locked(u);
}

static size_t op_write(struct tty *t, const u8 *buf, size_t n)
{
	struct uart *u = t->driver_data;
	unsigned long flags = spin_lock_irqsave(&u->lock);
	u32 room = UART_RING - (u->head - u->tail);

	n = min(n, (size_t)room);
	for (size_t i = 0; i < n; i++)
		u->ring[u->head++ % UART_RING] = buf[i];
	if (!(u->ier & IER_TX)) /* else the transmitter is busy and will ask */
		send_locked(u);
	spin_unlock_irqrestore(&u->lock, flags);
	return n;
}

static size_t op_write_room(struct tty *t)
{
	struct uart *u = t->driver_data;
	unsigned long flags = spin_lock_irqsave(&u->lock);
	size_t room = UART_RING - (u->head - u->tail);

	spin_unlock_irqrestore(&u->lock, flags);
	return room;
}

static size_t op_chars_in_buffer(struct tty *t)
{
	struct uart *u = t->driver_data;
	unsigned long flags = spin_lock_irqsave(&u->lock);
	size_t n = u->head - u->tail;

	spin_unlock_irqrestore(&u->lock, flags);
	return n;
}

static void op_flush(struct tty *t)
{
	struct uart *u = t->driver_data;
	unsigned long flags = spin_lock_irqsave(&u->lock);

	u->tail = u->head;
	set_ier_locked(u);
	spin_unlock_irqrestore(&u->lock, flags);
	tty_wakeup(t);
}

static u32 baud_of(u32 cflag)
{
	static const u32 rates[] = {0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800,
		9600, 19200, 38400};

	if (!(cflag & CBAUDEX))
		return rates[cflag & CBAUD & 15];
	return (cflag & CBAUD) == B57600 ? 57600 : BASE_BAUD;
}

static void op_set_termios(struct tty *t, const struct ktermios *old)
{
	struct uart *u = t->driver_data;
	u32 c = t->termios.c_cflag, baud = baud_of(c);
	u8 lcr = (u8)((c & CSIZE) >> 4); /* CS5..CS8 are 0..3 there */
	unsigned long flags;

	static_assert(CS5 == 0 && CS6 == 0x10 && CS8 == 0x30, "word length bits");
	t->termios.c_cflag &= ~(u32)CRTSCTS;
	if (c & CSTOPB)
		lcr |= LCR_STOP2;
	if (c & PARENB)
		lcr |= LCR_PARITY | (c & PARODD ? 0 : LCR_EVEN) | (c & CMSPAR ? LCR_STICK : 0);
	flags = spin_lock_irqsave(&u->lock);
	if (baud)
		set_line_locked(u, baud, lcr);
	reg_write(u, REG_IER, u->ier); /* shared its address with the divisor */
	reg_write(u, REG_MCR, MCR_OUT2 | (baud ? MCR_DTR_RTS : 0)); /* B0 hangs up */
	spin_unlock_irqrestore(&u->lock, flags);
}

static void set_receive(struct uart *u, bool open, bool throttled)
{
	unsigned long flags = spin_lock_irqsave(&u->lock);

	u->open = open;
	u->throttled = throttled;
	set_ier_locked(u); /* switching on raises the line when bytes wait already */
	spin_unlock_irqrestore(&u->lock, flags);
}

static int op_open(struct tty *t)
{
	set_receive(t->driver_data, true, false);
	return 0;
}

static void op_close(struct tty *t)
{
	set_receive(t->driver_data, false, false);
}

static void op_throttle(struct tty *t)
{
	struct uart *u = t->driver_data;

	set_receive(u, u->open, true);
}

static void op_unthrottle(struct tty *t)
{
	struct uart *u = t->driver_data;

	set_receive(u, u->open, false);
}

static u32 modem_bits(const struct uart *u)
{
	u8 mcr = reg_read(u, REG_MCR), msr = reg_read(u, REG_MSR);

	return (mcr & 1 ? TIOCM_DTR : 0) | (mcr & 2 ? TIOCM_RTS : 0) |
		(mcr & MCR_LOOP ? TIOCM_LOOP : 0) | (msr & 0x80 ? TIOCM_CAR : 0) |
		(msr & 0x40 ? TIOCM_RNG : 0) | (msr & 0x20 ? TIOCM_DSR : 0) |
		(msr & 0x10 ? TIOCM_CTS : 0);
}

static long set_modem(struct uart *u, u32 cmd, u32 bits)
{
	unsigned long flags = spin_lock_irqsave(&u->lock);
	u32 now = modem_bits(u);
	u8 mcr = MCR_OUT2;

	if (cmd == TIOCMBIS)
		bits |= now;
	else if (cmd == TIOCMBIC)
		bits = now & ~bits;
	mcr |= bits & TIOCM_DTR ? 1 : 0;
	mcr |= bits & TIOCM_RTS ? 2 : 0;
	mcr |= bits & TIOCM_LOOP ? MCR_LOOP : 0;
	reg_write(u, REG_MCR, mcr);
	spin_unlock_irqrestore(&u->lock, flags);
	return 0;
}

static long op_ioctl(struct tty *t, u32 cmd, unsigned long arg)
{
	struct uart *u = t->driver_data;
	u32 v;

	switch (cmd) {
	case TIOCMGET:
		return put_user(modem_bits(u), (u32 __user *)arg);
	case TIOCMSET:
	case TIOCMBIS:
	case TIOCMBIC:
		return get_user(v, (const u32 __user *)arg) ? -EFAULT : set_modem(u, cmd, v);
	case TIOCSERGETLSR:
		v = line_status(u) & LSR_IDLE ? TIOCSER_TEMT : 0;
		return put_user(v, (u32 __user *)arg);
	default:
		return -ENOIOCTLCMD;
	}
}

const struct tty_ops g_uart_ops = {
	.write = op_write,
	.write_room = op_write_room,
	.chars_in_buffer = op_chars_in_buffer,
	.set_termios = op_set_termios,
	.open = op_open,
	.close = op_close,
	.throttle = op_throttle,
	.unthrottle = op_unthrottle,
	.flush = op_flush,
	.ioctl = op_ioctl,
};

/* One byte from the FIFO with what the line status said about it. False: nothing there. */
static bool take_byte(struct uart *u, u8 *byte, u8 *flag)
{
	u8 lsr = line_status(u);

	if (!(lsr & LSR_READY))
		return false;
	lsr |= __atomic_exchange_n(&u->lsr_kept, 0, __ATOMIC_RELAXED);
	*byte = reg_read(u, REG_DATA);
	*flag = lsr & LSR_BREAK    ? TTY_BREAK
		: lsr & LSR_PARITY ? TTY_PARITY
		: lsr & LSR_FRAME  ? TTY_FRAME
				   : TTY_NORMAL;
	if (lsr & LSR_OVERRUN)
		u->overruns++;
	return true;
}

/* True when the terminal has room for more. */
static bool deliver_held(struct uart *u)
{
	size_t taken = tty_receive(u->tty, u->held, u->held_flags, u->nr_held);

	u->nr_held -= (u32)taken;
	memmove(u->held, u->held + taken, u->nr_held);
	memmove(u->held_flags, u->held_flags + taken, u->nr_held);
	return u->nr_held == 0;
}

/* On a console's line, a key for emergencies stands behind a break; two breaks are a break. */
static bool is_sysrq(struct uart *u, u8 byte, u8 flag)
{
	s64 until = u->sysrq_until_ns;

	u->sysrq_until_ns = 0;
	if (!u->console.name || !READ_ONCE(g_sysrq))
		return false;
	if (flag == TTY_BREAK && !until) {
		u->sysrq_until_ns = clock_mono_ns() + SYSRQ_WAIT_NS;
		return true;
	}
	if (flag != TTY_NORMAL || clock_mono_ns() >= until)
		return false;
	sysrq_key(byte);
	return true;
}

/* Never takes out of the device more than the terminal has taken from here; without the lock, as
 * the terminal calls back. */
static void receive(struct uart *u)
{
	for (;;) {
		while (u->nr_held < ARRAY_SIZE(u->held) &&
			take_byte(u, &u->held[u->nr_held], &u->held_flags[u->nr_held]))
			u->nr_held += !is_sysrq(u, u->held[u->nr_held], u->held_flags[u->nr_held]);
		if (!u->nr_held || !deliver_held(u))
			return;
	}
}

bool uart_interrupt(int irq, void *arg)
{
	struct uart *u = arg;
	bool mine = false, room = false;
	int rounds = 0;

	for (; rounds < IRQ_ROUNDS; rounds++) {
		unsigned long flags;
		u8 iir = reg_read(u, REG_IIR);
		bool rx;

		if (iir & IIR_NONE)
			break;
		mine = true;
		flags = spin_lock_irqsave(&u->lock);
		rx = u->ier & IER_RX;
		if (u->ier & IER_TX) {
			send_locked(u);
			room = u->head - u->tail < UART_RING / 2;
		}
		spin_unlock_irqrestore(&u->lock, flags);
		if (rx)
			receive(u);
		else
			(void)line_status(u); /* a line error while closed: acknowledged */
		(void)reg_read(u, REG_MSR);
	}
	if (rounds == IRQ_ROUNDS) {
		/* Something is still pending and the line is edge-triggered: make a new edge. */
		unsigned long flags = spin_lock_irqsave(&u->lock);

		reg_write(u, REG_IER, 0);
		reg_write(u, REG_IER, u->ier);
		spin_unlock_irqrestore(&u->lock, flags);
	}
	if (room)
		tty_wakeup(u->tty);
	return mine;
}

static void put_polled(struct uart *u, u8 c)
{
	for (int i = 0; i < POLL_ROUNDS && !(line_status(u) & LSR_THR_FREE); i++)
		cpu_relax();
	reg_write(u, REG_DATA, c);
}

/* The holder may be this very CPU, stopped by a panic: then go on without. */
static bool lock_or_go_on(struct uart *u)
{
	for (int i = 0; i < LOCK_ROUNDS; i++) {
		if (spin_trylock(&u->lock))
			return true;
		cpu_relax();
	}
	return false;
}

static void drain(struct uart *u)
{
	while (u->head != u->tail)
		put_polled(u, u->ring[u->tail++ % UART_RING]);
}

void uart_drain(struct uart *u)
{
	unsigned long flags = irq_save();
	bool locked = lock_or_go_on(u);

	drain(u);
	for (int i = 0; i < POLL_ROUNDS && !(line_status(u) & LSR_IDLE); i++)
		cpu_relax();
	if (locked)
		spin_unlock(&u->lock);
	irq_restore(flags);
}

/* What programs wrote before goes first, so that lines stay in order. */
void uart_console_write(struct console *c, const char *s, size_t n)
{
	struct uart *u = container_of(c, struct uart, console);
	unsigned long flags = irq_save();
	bool locked = lock_or_go_on(u);

	drain(u);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			put_polled(u, '\r');
		put_polled(u, (u8)s[i]);
	}
	if (locked)
		spin_unlock(&u->lock);
	irq_restore(flags);
}
