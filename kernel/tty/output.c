/*
 * N_TTY output: post-processing (OPOST), echo, waiting for room.
 */
#include <core/log.h>
#include <lib/string.h>
#include <process/signal.h>
#include "n_tty.h"

#define CHUNK         256 /* processed bytes handed to the driver at a time */
#define MOST_PER_BYTE 8   /* what one byte may become: a tab's spaces */

/* What c becomes; at most MOST_PER_BYTE bytes into out. Updates the column. out_lock held. */
static u32 process_byte(struct tty *t, u8 c, u8 *out)
{
	struct n_tty *n = t->ld;
	u32 len = 0;

	if (!O_FLAG(t, OPOST)) {
		out[0] = c;
		return 1;
	}
	switch (c) {
	case '\n':
		if (O_FLAG(t, ONLRET))
			n->column = 0;
		if (O_FLAG(t, ONLCR)) {
			out[len++] = '\r';
			n->column = 0;
		}
		break;
	case '\r':
		if (O_FLAG(t, ONOCR) && n->column == 0)
			return 0;
		if (O_FLAG(t, OCRNL)) {
			c = '\n';
			if (O_FLAG(t, ONLRET))
				n->column = 0;
			break;
		}
		n->column = 0;
		break;
	case '\t': {
		u32 spaces = 8 - n->column % 8;

		n->column += spaces;
		if (O_FLAG(t, TABDLY) == XTABS) {
			memset(out, ' ', spaces);
			return spaces;
		}
		break;
	}
	case '\b':
		if (n->column)
			n->column--;
		break;
	default:
		if (c >= 32 && c != 127) {
			if (O_FLAG(t, OLCUC) && c >= 'a' && c <= 'z')
				c -= 'a' - 'A';
			if (!(I_FLAG(t, IUTF8) && (c & 0xc0) == 0x80))
				n->column++;
		}
		break;
	}
	out[len++] = c;
	return len;
}

u32 n_tty_column(struct tty *t)
{
	return t->ld->column;
}

/* Send waiting echoes as far as there is room. out_lock held. */
static void flush_echo_locked(struct tty *t)
{
	struct n_tty *n = t->ld;
	size_t room = t->stopped ? 0 : t->ops->write_room(t);

	while (n->echo_tail != n->echo_head && room) {
		u32 at = n->echo_tail % ECHO_SIZE;
		size_t len = min_t(size_t, n->echo_head - n->echo_tail, ECHO_SIZE - at);

		len = t->ops->write(t, &n->echo[at], min(len, room));
		if (len == 0)
			break;
		n->echo_tail += len;
		room -= len;
	}
}

void n_tty_flush_echo(struct tty *t)
{
	if (READ_ONCE(t->ld->echo_tail) == READ_ONCE(t->ld->echo_head))
		return;
	mutex_lock(&t->ld->out_lock);
	flush_echo_locked(t);
	mutex_unlock(&t->ld->out_lock);
}

void n_tty_echo(struct tty *t, const u8 *raw, size_t count)
{
	struct n_tty *n = t->ld;
	u8 out[MOST_PER_BYTE];

	mutex_lock(&n->out_lock);
	for (size_t i = 0; i < count; i++) {
		u32 len = process_byte(t, raw[i], out);

		if (n->echo_head - n->echo_tail + len > ECHO_SIZE)
			flush_echo_locked(t);
		if (n->echo_head - n->echo_tail + len > ECHO_SIZE)
			break; /* nobody takes our output: echoes are dropped, as on a stopped line */
		for (u32 k = 0; k < len; k++)
			n->echo[n->echo_head++ % ECHO_SIZE] = out[k];
	}
	mutex_unlock(&n->out_lock);
}

/* A tab was erased: move the cursor back. */
void n_tty_erase_column(struct tty *t, u32 cols)
{
	while (cols--)
		n_tty_echo(t, (const u8 *)"\b", 1);
}

/*
 * Room for what any byte may become, after the echoes that go first: then write takes one at least,
 * and nobody is told that it would, or woken for it, otherwise.
 */
static bool room_for_byte(struct tty *t, size_t room)
{
	return room >= (O_FLAG(t, OPOST) ? MOST_PER_BYTE : 1);
}

bool n_tty_takes_output(struct tty *t)
{
	size_t echoes = READ_ONCE(t->ld->echo_head) - READ_ONCE(t->ld->echo_tail);
	size_t room = READ_ONCE(t->stopped) ? 0 : t->ops->write_room(t);

	return room > echoes && room_for_byte(t, room - echoes);
}

/* Process bytes of src into the driver while they fit; returns how many of src were used. */
static size_t write_some(struct tty *t, const u8 *src, size_t n)
{
	u8 out[CHUNK];
	size_t used_bytes = 0, len = 0, room, sent;

	mutex_lock(&t->ld->out_lock);
	flush_echo_locked(t);
	room = t->stopped || t->ld->echo_tail != t->ld->echo_head ? 0 : t->ops->write_room(t);
	room = min_t(size_t, room, CHUNK);
	while (used_bytes < n && room_for_byte(t, room - len))
		len += process_byte(t, src[used_bytes++], out + len);
	sent = len ? t->ops->write(t, out, len) : 0;
	WARN_ON(sent != len);
	mutex_unlock(&t->ld->out_lock);
	return used_bytes;
}

int tty_call_begin(struct mutex *lock, const struct file *f)
{
	if (f->flags & O_NONBLOCK)
		return mutex_trylock(lock) ? 0 : -EAGAIN;
	return mutex_lock_interruptible(lock);
}

static ssize_t write_locked(struct tty *t, struct file *f, struct iter *from)
{
	ssize_t done = 0;
	int err = 0;

	while (from->count && !err) {
		u8 src[CHUNK];
		size_t want = min_t(size_t, from->count, sizeof(src)), at = 0;
		size_t n = iter_get(from, src, want);

		if (n < want) { /* nothing of a piece that isn't there whole */
			iter_revert(from, n);
			err = -EFAULT;
			break;
		}
		while (at < n) {
			size_t now;

			if (tty_hung_up(f) || READ_ONCE(t->other_closed)) {
				err = -EIO;
				break;
			}
			now = write_some(t, src + at, n - at);
			at += now;
			if (now)
				continue;
			if (f->flags & FASYNC)
				WRITE_ONCE(t->async_room, true);
			if (f->flags & O_NONBLOCK) {
				err = -EAGAIN;
				break;
			}
			err = wait_event_interruptible(&t->write_wait,
				n_tty_takes_output(t) || tty_hung_up(f) ||
					READ_ONCE(t->other_closed));
			if (err)
				break;
		}
		done += (ssize_t)at;
		if (at < n)
			iter_revert(from, n - at);
		cond_resched(); /* somebody may take it out as fast as it comes */
		if (!err && signal_is_pending())
			err = -ERESTARTSYS;
	}
	return done ? done : err;
}

ssize_t n_tty_write(struct tty *t, struct file *f, struct iter *from)
{
	ssize_t ret;
	int err = tty_call_begin(&t->ld->write_lock, f);

	if (err)
		return err;
	err = L_FLAG(t, TOSTOP) ? tty_check_change(t) : 0;
	ret = err ? err : write_locked(t, f, from);
	mutex_unlock(&t->ld->write_lock);
	return ret;
}

void tty_wakeup(struct tty *t)
{
	if (READ_ONCE(t->ld->echo_tail) != READ_ONCE(t->ld->echo_head) || READ_ONCE(t->async_room))
		work_queue(&t->receive_work);
	poll_wake(&t->write_wait, EPOLLOUT | EPOLLWRNORM);
}

void n_tty_announce_room(struct tty *t)
{
	if (READ_ONCE(t->async_room) && n_tty_takes_output(t) && xchg(&t->async_room, false))
		fasync_notify(&t->async, POLL_OUT);
}
