/*
 * N_TTY reading: lines in canonical mode, VMIN and VTIME in raw mode; readiness.
 */
#include <process/signal.h>
#include <sched/timer.h>
#include "n_tty.h"

static bool input_over(struct tty *t, struct file *f)
{
	return tty_hung_up(f) || READ_ONCE(t->other_closed);
}

/* Wait for input; deadline applies in raw mode. 0: look again; 1: time is up. */
static int wait_input(struct tty *t, struct file *f, s64 deadline)
{
	int err = wait_event_deadline(
		&t->read_wait, n_tty_input_available(t, false) || input_over(t, f), deadline);

	return err == -ETIMEDOUT ? 1 : err;
}

static ssize_t read_locked(struct tty *t, struct file *f, struct iter *to)
{
	u8 bytes[256];
	size_t want = to->count;
	ssize_t done = 0;
	u8 vmin = L_FLAG(t, ICANON) ? 1 : CC(t, VMIN);
	u8 vtime = L_FLAG(t, ICANON) ? 0 : CC(t, VTIME);
	s64 tenth = NS_PER_SEC / 10;
	/* VMIN == 0: the timer starts now; VMIN > 0: between bytes, after the first. */
	s64 deadline = vmin == 0 ? deadline_after(vtime * tenth) : TIME_NEVER;
	bool end = false;

	if (tty_hung_up(f) && !n_tty_input_available(t, false))
		return 0;
	while (want && !end) {
		size_t n;
		int r;

		if (!n_tty_input_available(t, false)) {
			bool canon = L_FLAG(t, ICANON);

			if (READ_ONCE(t->other_closed)) /* before the hang-up that follows it */
				return done ? done : -EIO;
			if (tty_hung_up(f))
				return done;
			if (done && (canon || vmin == 0 || done >= vmin))
				break;
			if (!canon && vmin == 0 && vtime == 0)
				break;
			if (f->flags & O_NONBLOCK)
				return done ? done : -EAGAIN;
			r = tty_check_read(t);
			if (r)
				return done ? done : r;
			r = wait_input(t, f, deadline);
			if (r < 0)
				return done ? done : r;
			if (r > 0)
				break;
			continue;
		}
		n = n_tty_take(t, bytes, min_t(size_t, want, sizeof(bytes)), &end);
		if (n && iter_put(to, bytes, n) < n)
			return done ? done : -EFAULT;
		done += (ssize_t)n;
		want -= n;
		n_tty_maybe_unthrottle(t);
		if (vmin && vtime)
			deadline = deadline_after(vtime * tenth);
		if (vmin == 0)
			break;
	}
	return done;
}

ssize_t n_tty_read(struct tty *t, struct file *f, struct iter *to)
{
	ssize_t n;
	int err = tty_check_read(t);

	if (err)
		return err;
	if (to->count == 0)
		return 0;
	err = tty_call_begin(&t->ld->read_lock, f);
	if (err)
		return err;
	n = read_locked(t, f, to);
	mutex_unlock(&t->ld->read_lock);
	if (t->pty && (n >= 0 || n == -EFAULT)) /* ends of file take room, too */
		pty_flushed(t, 0);              /* room for the master's writers */
	return n;
}

u32 n_tty_poll(struct tty *t, struct file *f, struct poll_table *pt)
{
	u32 mask = 0;

	poll_wait(f, &t->read_wait, pt);
	poll_wait(f, &t->write_wait, pt);
	if (n_tty_input_available(t, true))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (READ_ONCE(t->other_closed))
		mask |= EPOLLHUP;
	if (tty_hung_up(f))
		return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLWRNORM;
	if (n_tty_takes_output(t) && t->ops->chars_in_buffer(t) < 256)
		mask |= EPOLLOUT | EPOLLWRNORM;
	return mask;
}
