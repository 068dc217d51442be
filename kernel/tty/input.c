/*
 * N_TTY input: from bytes of the line to the read buffer, with echo, editing and signals.
 *
 * The read buffer holds unread bytes between tail and head. In canonical mode bytes become readable
 * when a line ends (canon_head moves up to head); a set line_end bit marks the last byte of a line,
 * and a marked zero byte is an end of file, which a reader consumes without seeing it.
 *
 * tail <= canon_head <= head at all times, in both modes: a raw reader that overtakes canon_head
 * takes it along. head and canon_head are moved by whoever holds in_lock, and so is ICANON
 * switched; a reader moves tail. All of it happens under tty->spin, so that whoever holds that
 * finds the buffer and the mode in step.
 */
#include <core/log.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/major.h>
#include <process/signal.h>
#include "n_tty.h"

static void mark(struct n_tty *n, u32 at, bool on)
{
	u64 bit = 1ull << (at % 64);
	u64 *w = &n->line_end[at % N_TTY_BUF / 64];

	*w = on ? *w | bit : *w & ~bit;
}

static bool is_marked(const struct n_tty *n, u32 at)
{
	return n->line_end[at % N_TTY_BUF / 64] >> (at % 64) & 1;
}

static u32 unread(const struct n_tty *n)
{
	return n->head - n->tail;
}

/* Append one byte; the caller saw room. */
static void put_byte(struct tty *t, u8 c, bool ends_line)
{
	struct n_tty *n = t->ld;
	unsigned long flags = spin_lock_irqsave(&t->spin);

	n->buf[n->head % N_TTY_BUF] = c;
	mark(n, n->head, ends_line);
	n->head++;
	if (ends_line)
		n->canon_head = n->head;
	spin_unlock_irqrestore(&t->spin, flags);
}

static bool has_room(struct tty *t, bool for_line_end)
{
	/* The last place is kept for a line end, so that an overlong line can still be finished. */
	return unread(t->ld) < (L_FLAG(t, ICANON) && !for_line_end ? N_TTY_BUF - 1 : N_TTY_BUF);
}

/* Forget what was processed and not yet read; what is still queued was typed later. in_lock held. */
static void flush_input(struct tty *t)
{
	struct n_tty *n = t->ld;
	unsigned long flags = spin_lock_irqsave(&t->spin);

	n->tail = n->canon_head = n->head;
	memset(n->line_end, 0, sizeof(n->line_end));
	spin_unlock_irqrestore(&t->spin, flags);
	n_tty_maybe_unthrottle(t);
	if (t->pty)
		pty_flushed(t, TIOCPKT_FLUSHREAD); /* and room for the master's writers */
}

void n_tty_flush_input(struct tty *t)
{
	unsigned long flags;

	mutex_lock(&t->ld->in_lock);
	flags = spin_lock_irqsave(&t->spin);
	t->ld->flip_tail = t->ld->flip_head;
	spin_unlock_irqrestore(&t->spin, flags);
	flush_input(t);
	mutex_unlock(&t->ld->in_lock);
}

/* Between lines and raw bytes; what is buffered becomes readable by the new rules. */
static void switch_canon_locked(struct n_tty *n, bool canon)
{
	memset(n->line_end, 0, sizeof(n->line_end));
	if (canon && n->head != n->tail)
		mark(n, n->head - 1, true); /* raw bytes become one line */
	n->canon_head = n->head;
	n->lnext = false;
}

void n_tty_set_termios(struct tty *t, const struct ktermios *new)
{
	struct n_tty *n = t->ld;
	unsigned long flags;

	mutex_lock(&n->in_lock); /* no byte is processed half by the old, half by the new rules */
	flags = spin_lock_irqsave(&t->spin);
	if ((t->termios.c_lflag ^ new->c_lflag) & ICANON)
		switch_canon_locked(n, (new->c_lflag &ICANON) != 0);
	t->termios = *new;
	spin_unlock_irqrestore(&t->spin, flags);
	mutex_unlock(&n->in_lock);
	wake_up_all(&t->read_wait); /* readers look at VMIN, VTIME and ICANON again */
}

size_t n_tty_take(struct tty *t, u8 *out, size_t max, bool *end)
{
	struct n_tty *n = t->ld;
	unsigned long flags = spin_lock_irqsave(&t->spin);
	bool canon = L_FLAG(t, ICANON);
	u32 limit = canon ? n->canon_head : n->head;
	size_t count = 0;

	*end = false;
	while (n->tail != limit && !*end) {
		u8 c = n->buf[n->tail % N_TTY_BUF];
		bool marked = canon && is_marked(n, n->tail);

		if (count == max && !(marked && c == 0))
			break;
		if (!(marked && c == 0)) /* an end of file is consumed, not delivered */
			out[count++] = c;
		mark(n, n->tail++, false);
		*end = marked;
	}
	if (!canon && (s32)(n->tail - n->canon_head) > 0)
		n->canon_head = n->tail;
	ASSERT(n->canon_head - n->tail <= unread(n) && unread(n) <= N_TTY_BUF);
	spin_unlock_irqrestore(&t->spin, flags);
	return count;
}

size_t n_tty_readable(struct tty *t)
{
	struct n_tty *n = t->ld;
	unsigned long flags = spin_lock_irqsave(&t->spin);
	u32 end = L_FLAG(t, ICANON) ? n->canon_head : n->head;
	size_t count = end - n->tail;

	if (L_FLAG(t, ICANON)) /* end-of-file marks are not data */
		for (u32 i = n->tail; i != end; i++)
			if (n->buf[i % N_TTY_BUF] == 0 && is_marked(n, i))
				count--;
	spin_unlock_irqrestore(&t->spin, flags);
	return count;
}

bool n_tty_input_available(struct tty *t, bool poll)
{
	struct n_tty *n = t->ld;
	u32 amount;

	if (L_FLAG(t, ICANON))
		return READ_ONCE(n->canon_head) != READ_ONCE(n->tail);
	amount = poll && !CC(t, VTIME) && CC(t, VMIN) ? CC(t, VMIN) : 1;
	return READ_ONCE(n->head) - READ_ONCE(n->tail) >= amount;
}

/* ---- echo -------------------------------------------------------------------------------- */

static void echo_byte(struct tty *t, u8 c)
{
	u8 out[2] = {'^', c ^ 0100};

	if (L_FLAG(t, ECHOCTL) && (c < 32 || c == 127) && c != '\t' && c != '\n')
		n_tty_echo(t, out, 2);
	else
		n_tty_echo(t, &c, 1);
}

static u32 echo_width(struct tty *t, u8 c, u32 column)
{
	if (c == '\t')
		return 8 - column % 8;
	if (c < 32 || c == 127)
		return L_FLAG(t, ECHOCTL) ? 2 : 0;
	if (I_FLAG(t, IUTF8) && (c & 0xc0) == 0x80)
		return 0; /* a continuation byte */
	return 1;
}

/* Columns that the tab at "at" in the unfinished line takes. The tab before it, if there is one,
 * ended at a multiple of 8. */
static u32 tab_width(struct tty *t, u32 at)
{
	struct n_tty *n = t->ld;
	u32 start = at, col = 0;

	while (start != n->canon_head && n->buf[(start - 1) % N_TTY_BUF] != '\t')
		start--;
	if (start == n->canon_head)
		col = n->canon_column;
	for (; start != at; start++)
		col += echo_width(t, n->buf[start % N_TTY_BUF], col);
	return echo_width(t, '\t', col);
}

/* Remove one character (all bytes of a UTF-8 one) before head; returns false at the line's start. */
static bool erase_one(struct tty *t)
{
	struct n_tty *n = t->ld;
	u32 head = n->head;
	unsigned long flags;
	u8 c;

	if (head == n->canon_head)
		return false;
	do {
		head--;
		c = n->buf[head % N_TTY_BUF];
	} while (I_FLAG(t, IUTF8) && (c & 0xc0) == 0x80 && head != n->canon_head);
	flags = spin_lock_irqsave(&t->spin);
	n->head = head;
	spin_unlock_irqrestore(&t->spin, flags);
	if (!L_FLAG(t, ECHO))
		return true;
	if (L_FLAG(t, ECHOPRT)) {
		if (!n->erasing)
			n_tty_echo(t, (const u8 *)"\\", 1);
		n->erasing = true;
		echo_byte(t, c);
	} else if (L_FLAG(t, ECHOE)) {
		if (c == '\t')
			n_tty_erase_column(t, tab_width(t, head)); /* only moves back */
		else
			for (u32 i = echo_width(t, c, 0); i; i--)
				n_tty_echo(t, (const u8 *)"\b \b", 3);
	} else {
		echo_byte(t, CC(t, VERASE));
	}
	return true;
}

static void finish_erasing(struct tty *t)
{
	if (t->ld->erasing) {
		n_tty_echo(t, (const u8 *)"/", 1);
		t->ld->erasing = false;
	}
}

static bool is_word_byte(u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		c == '_' || c >= 0x80;
}

static void edit_line(struct tty *t, u8 c)
{
	struct n_tty *n = t->ld;

	if (is_cc(t, VERASE, c)) {
		(void)erase_one(t);
		return;
	}
	if (is_cc(t, VWERASE, c)) {
		bool seen = false;

		while (n->head != n->canon_head) {
			bool word = is_word_byte(n->buf[(n->head - 1) % N_TTY_BUF]);

			if (seen && !word)
				break;
			seen |= word;
			if (!erase_one(t))
				break;
		}
		return;
	}
	/* VKILL */
	if (L_FLAG(t, ECHO) && !(L_FLAG(t, ECHOK) && L_FLAG(t, ECHOKE) && L_FLAG(t, ECHOE))) {
		unsigned long flags = spin_lock_irqsave(&t->spin);

		n->head = n->canon_head;
		spin_unlock_irqrestore(&t->spin, flags);
		finish_erasing(t);
		echo_byte(t, c);
		if (L_FLAG(t, ECHOK))
			n_tty_echo(t, (const u8 *)"\n", 1);
		return;
	}
	while (erase_one(t))
		;
}

static void reprint_line(struct tty *t, u8 c)
{
	struct n_tty *n = t->ld;

	finish_erasing(t);
	echo_byte(t, c);
	n_tty_echo(t, (const u8 *)"\n", 1);
	n->canon_column = 0;
	for (u32 i = n->canon_head; i != n->head; i++)
		echo_byte(t, n->buf[i % N_TTY_BUF]);
}

/* ---- one byte ----------------------------------------------------------------------------- */

void n_tty_set_stopped(struct tty *t, bool on)
{
	bool was = t->stopped;
	u8 bits = on ? TIOCPKT_STOP : TIOCPKT_START;

	if (!on && READ_ONCE(t->held))
		return;
	WRITE_ONCE(t->stopped, on);
	if (was != on && t->pty)
		pty_flushed(t, bits);
	if (was && !on)
		tty_wakeup(t);
}

static void signal_byte(struct tty *t, int sig, u8 c)
{
	if (!L_FLAG(t, NOFLSH)) {
		flush_input(t);
		mutex_lock(&t->ld->out_lock);
		t->ld->echo_tail = t->ld->echo_head;
		mutex_unlock(&t->ld->out_lock);
		if (t->ops->flush)
			t->ops->flush(t);
		wake_up_all(&t->write_wait);
	}
	if (I_FLAG(t, IXON))
		n_tty_set_stopped(t, false); /* who interrupts wants to see what comes */
	if (L_FLAG(t, ECHO)) {
		echo_byte(t, c);
		n_tty_flush_echo(t);
	}
	tty_signal_foreground(t, sig);
}

static void end_line(struct tty *t, u8 c)
{
	put_byte(t, c, true);
	t->ld->canon_column = n_tty_column(t);
	poll_wake(&t->read_wait, EPOLLIN | EPOLLRDNORM);
	fasync_notify(&t->async, POLL_IN);
}

/* Canonical mode's special characters; true when c was one. */
static bool canonical_special(struct tty *t, u8 c)
{
	struct n_tty *n = t->ld;

	if (is_cc(t, VERASE, c) || is_cc(t, VKILL, c) ||
		(is_cc(t, VWERASE, c) && L_FLAG(t, IEXTEN))) {
		edit_line(t, c);
		return true;
	}
	if (is_cc(t, VLNEXT, c) && L_FLAG(t, IEXTEN)) {
		n->lnext = true;
		if (L_FLAG(t, ECHO)) {
			finish_erasing(t);
			if (L_FLAG(t, ECHOCTL))
				n_tty_echo(t, (const u8 *)"^\b", 2);
		}
		return true;
	}
	if (is_cc(t, VREPRINT, c) && L_FLAG(t, ECHO) && L_FLAG(t, IEXTEN)) {
		reprint_line(t, c);
		return true;
	}
	if (c == '\n') {
		if (L_FLAG(t, ECHO) || L_FLAG(t, ECHONL))
			n_tty_echo(t, &c, 1);
		end_line(t, c);
		return true;
	}
	if (is_cc(t, VEOF, c)) {
		end_line(t, 0);
		return true;
	}
	if (is_cc(t, VEOL, c) || (is_cc(t, VEOL2, c) && L_FLAG(t, IEXTEN))) {
		if (L_FLAG(t, ECHO))
			echo_byte(t, c);
		if (I_FLAG(t, PARMRK) && c == 0xff)
			put_byte(t, c, false);
		end_line(t, c);
		return true;
	}
	return false;
}

static void store(struct tty *t, u8 c)
{
	if (!has_room(t, false)) {
		if (I_FLAG(t, IMAXBEL))
			n_tty_echo(t, (const u8 *)"\a", 1);
		return;
	}
	if (L_FLAG(t, ECHO)) {
		finish_erasing(t);
		if (t->ld->head == t->ld->canon_head)
			t->ld->canon_column = n_tty_column(t);
		if (c == '\n')
			n_tty_echo(t, &c, 1);
		else
			echo_byte(t, c);
	}
	if (I_FLAG(t, PARMRK) && c == 0xff && has_room(t, false))
		put_byte(t, c, false);
	put_byte(t, c, false);
}

static void receive_byte(struct tty *t, u8 c)
{
	struct n_tty *n = t->ld;

	if (I_FLAG(t, ISTRIP))
		c &= 0x7f;
	if (I_FLAG(t, IUCLC) && L_FLAG(t, IEXTEN) && c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (n->lnext) {
		n->lnext = false;
		store(t, c);
		return;
	}
	if (I_FLAG(t, IXON)) {
		if (is_cc(t, VSTART, c)) {
			n_tty_set_stopped(t, false);
			return;
		}
		if (is_cc(t, VSTOP, c)) {
			n_tty_set_stopped(t, true);
			return;
		}
	}
	if (L_FLAG(t, ISIG)) {
		int sig = is_cc(t, VINTR, c) ? SIGINT
			: is_cc(t, VQUIT, c) ? SIGQUIT
			: is_cc(t, VSUSP, c) ? SIGTSTP
					     : 0;

		if (sig) {
			signal_byte(t, sig, c);
			return;
		}
	}
	if (t->stopped && I_FLAG(t, IXANY) && I_FLAG(t, IXON))
		n_tty_set_stopped(t, false);
	if (c == '\r') {
		if (I_FLAG(t, IGNCR))
			return;
		if (I_FLAG(t, ICRNL))
			c = '\n';
	} else if (c == '\n' && I_FLAG(t, INLCR)) {
		c = '\r';
	}
	if (L_FLAG(t, ICANON) && canonical_special(t, c))
		return;
	store(t, c);
}

static void receive_flagged(struct tty *t, u8 c, u8 flag)
{
	bool mark_errors = I_FLAG(t, PARMRK);

	if (flag == TTY_OVERRUN)
		return; /* counted by the driver */
	if (flag == TTY_BREAK) {
		if (I_FLAG(t, IGNBRK))
			return;
		if (I_FLAG(t, BRKINT)) {
			flush_input(t);
			tty_signal_foreground(t, SIGINT);
			return;
		}
		c = 0;
	} else {
		if (I_FLAG(t, IGNPAR))
			return;
		if (!I_FLAG(t, INPCK)) {
			receive_byte(t, c);
			return;
		}
		if (!mark_errors)
			c = 0;
	}
	if (mark_errors && unread(t->ld) + 3 < N_TTY_BUF) {
		put_byte(t, 0xff, false);
		put_byte(t, 0, false);
	}
	if (has_room(t, false))
		put_byte(t, c, false);
}

/*
 * Raw input waits when the buffer is full. Canonical input without a complete line must go on, or
 * the line could never end; with one, the reader can make room.
 */
/* t->spin held. A full buffer in raw mode has bytes to read, too. */
static bool readable_when_full(const struct tty *t)
{
	return !L_FLAG(t, ICANON) || t->ld->canon_head != t->ld->tail;
}

bool n_tty_takes_input(struct tty *t)
{
	unsigned long flags = spin_lock_irqsave(&t->spin);
	bool takes = unread(t->ld) < N_TTY_BUF - 2 || !readable_when_full(t);

	spin_unlock_irqrestore(&t->spin, flags);
	return takes;
}

/* in_lock held. How many bytes were taken: there is no room for the rest. */
static size_t receive_locked(struct tty *t, const u8 *buf, const u8 *flags, size_t n)
{
	size_t i;

	for (i = 0; i < n && n_tty_takes_input(t); i++) {
		if (flags && flags[i] != TTY_NORMAL)
			receive_flagged(t, buf[i], flags[i]);
		else
			receive_byte(t, buf[i]);
	}
	return i;
}

/* Bytes were taken: send their echoes, wake readers. in_lock not held. */
static void received(struct tty *t)
{
	n_tty_flush_echo(t);
	/* A sleeping read may need less than VMIN, by which poll goes: it has some already, or room
	 * for less. */
	if (n_tty_input_available(t, false)) {
		poll_wake(&t->read_wait, EPOLLIN | EPOLLRDNORM);
		if (!L_FLAG(t, ICANON))
			fasync_notify(&t->async, POLL_IN);
	}
}

size_t n_tty_receive(struct tty *t, const u8 *buf, size_t n)
{
	mutex_lock(&t->ld->in_lock);
	n = receive_locked(t, buf, NULL, n);
	mutex_unlock(&t->ld->in_lock);
	if (n)
		received(t);
	return n;
}

/* A piece of what the driver queued; false when nothing was taken. */
static bool receive_piece(struct tty *t)
{
	struct n_tty *n = t->ld;
	u8 bytes[64], flags[64];
	u32 count, taken;

	mutex_lock(&n->in_lock);
	spin_lock_irq(&t->spin);
	count = min_t(u32, n->flip_head - n->flip_tail, sizeof(bytes));
	for (u32 i = 0; i < count; i++) {
		bytes[i] = n->flip[(n->flip_tail + i) % FLIP_SIZE];
		flags[i] = n->flip_flags[(n->flip_tail + i) % FLIP_SIZE];
	}
	spin_unlock_irq(&t->spin);
	taken = (u32)receive_locked(t, bytes, flags, count);
	spin_lock_irq(&t->spin);
	n->flip_tail += taken;
	spin_unlock_irq(&t->spin);
	mutex_unlock(&n->in_lock);
	if (taken)
		received(t);
	return taken != 0;
}

/* n_tty_maybe_unthrottle queues us again when there is room for what is left. */
void n_tty_receive_queued(struct tty *t)
{
	while (receive_piece(t))
		;
	n_tty_maybe_unthrottle(t);
}

size_t tty_receive(struct tty *t, const u8 *buf, const u8 *flags, size_t count)
{
	struct n_tty *n = t->ld;
	unsigned long irq = spin_lock_irqsave(&t->spin);
	bool throttle = false;
	size_t i;

	for (i = 0; i < count && n->flip_head - n->flip_tail < FLIP_SIZE; i++) {
		n->flip[n->flip_head % FLIP_SIZE] = buf[i];
		n->flip_flags[n->flip_head % FLIP_SIZE] = flags ? flags[i] : TTY_NORMAL;
		n->flip_head++;
	}
	if (n->flip_head - n->flip_tail > FLIP_SIZE * 3 / 4 && !n->throttled)
		throttle = n->throttled = true;
	spin_unlock_irqrestore(&t->spin, irq);
	if (throttle && t->ops->throttle)
		t->ops->throttle(t);
	work_queue(&t->receive_work);
	return i;
}

size_t tty_receive_direct(struct tty *t, const u8 *buf, size_t n)
{
	return n_tty_receive(t, buf, n);
}

/* Readers call this after taking bytes: let queued input go on, and the driver. Not for each byte;
 * but what is queued may be the end of the line that a reader waits for. */
void n_tty_maybe_unthrottle(struct tty *t)
{
	struct n_tty *n = t->ld;
	unsigned long irq = spin_lock_irqsave(&t->spin);
	bool more = n->flip_head != n->flip_tail &&
		(unread(n) < N_TTY_BUF / 2 || !readable_when_full(t));
	bool open_up = n->throttled && n->flip_head - n->flip_tail < FLIP_SIZE / 4;

	if (open_up)
		n->throttled = false;
	spin_unlock_irqrestore(&t->spin, irq);
	if (open_up && t->ops->unthrottle)
		t->ops->unthrottle(t);
	if (more)
		work_queue(&t->receive_work);
}
