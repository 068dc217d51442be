/* The line discipline's private state and interfaces between its files. */
#ifndef TTY_N_TTY_H
#define TTY_N_TTY_H

#include <tty/tty.h>

#define N_TTY_BUF 4096 /* bytes of unread input; the longest line in canonical mode is one less */
#define FLIP_SIZE 4096 /* bytes between interrupt and line discipline */
#define ECHO_SIZE 1024 /* echoes waiting for room */

struct n_tty {
	/* flip buffer: tty->spin */
	u8 flip[FLIP_SIZE], flip_flags[FLIP_SIZE];
	u32 flip_head, flip_tail; /* flip_tail: in_lock besides */

	struct mutex in_lock; /* one byte is processed at a time; the input side below */
	bool lnext;           /* ^V: the next byte is literal */
	bool erasing;         /* ECHOPRT: inside \.../ */
	bool throttled;       /* tty->spin */

	/* Read buffer, indexes grow without bound; tail <= canon_head <= head. tty->spin; head and
	 * canon_head also in_lock, but for a raw reader that takes canon_head along. */
	u8 buf[N_TTY_BUF];
	u64 line_end[N_TTY_BUF / 64]; /* bit: this byte ends a line; with value 0: an end of file */
	u32 head;                     /* where the next byte goes */
	u32 canon_head;               /* end of the last complete line */
	u32 tail;                     /* next byte to read */

	struct mutex read_lock; /* one reader at a time */

	struct mutex write_lock; /* one write call at a time */

	struct mutex out_lock; /* output processing */
	u32 column;            /* of the cursor */
	u32 canon_column;      /* where the line being typed began */
	u8 echo[ECHO_SIZE];    /* raw output bytes; out_lock */
	u32 echo_head, echo_tail;
	bool packet_pending;
};

#define I_FLAG(t, f) ((t)->termios.c_iflag & (f))
#define O_FLAG(t, f) ((t)->termios.c_oflag & (f))
#define L_FLAG(t, f) ((t)->termios.c_lflag & (f))
#define CC(t, i)     ((t)->termios.c_cc[i])
/* Is c the special character i? 0 (_POSIX_VDISABLE) disables. */
static inline bool is_cc(const struct tty *t, int i, u8 c)
{
	return c != 0 && t->termios.c_cc[i] == c;
}

/* input.c: run queued input through the discipline; sleeps. */
void n_tty_receive_queued(struct tty *t);
size_t n_tty_receive(struct tty *t, const u8 *buf, size_t n); /* how many were taken */
void n_tty_set_stopped(struct tty *t, bool on); /* output; TCOOFF outlasts the other reasons */
/* Forget all input, also what the discipline has not seen yet. Takes in_lock. */
void n_tty_flush_input(struct tty *t);
/* The only way to change termios of a terminal in use; tty->lock held. Takes in_lock, wakes
 * readers. */
void n_tty_set_termios(struct tty *t, const struct ktermios *new);
/* Take up to max readable bytes; *end: a line (or end of file) was completed. */
size_t n_tty_take(struct tty *t, u8 *out, size_t max, bool *end);
size_t n_tty_readable(struct tty *t); /* FIONREAD */
bool n_tty_input_available(struct tty *t, bool poll);
void n_tty_maybe_unthrottle(struct tty *t);

/* Would n_tty_receive take a byte? A full buffer with nothing to read in it would, but drops it. */
bool n_tty_takes_input(struct tty *t);

/* output.c */
/* The calls that read from, or write to, one side of a terminal do so one after the other. 0,
 * -EAGAIN, -ERESTARTSYS */
int tty_call_begin(struct mutex *lock, const struct file *f) must_check;
bool n_tty_takes_output(struct tty *t); /* would a write take a byte, whichever it is? */
ssize_t n_tty_write(struct tty *t, struct file *f, struct iter *from);
void n_tty_echo(struct tty *t, const u8 *raw, size_t n); /* in_lock held */
void n_tty_flush_echo(struct tty *t);
void n_tty_announce_room(struct tty *t); /* POLL_OUT to writers with O_ASYNC who found none */
void n_tty_erase_column(struct tty *t, u32 cols);
u32 n_tty_column(struct tty *t);

/* read.c */
ssize_t n_tty_read(struct tty *t, struct file *f, struct iter *to);
u32 n_tty_poll(struct tty *t, struct file *f, struct poll_table *pt);

/* ioctl.c */
long tty_ioctl(struct file *f, u32 cmd, unsigned long arg);
long tty_ioctl_on(struct tty *t, u32 cmd, unsigned long arg); /* both sides of a pty */
int tty_wait_sent(struct tty *t) must_check;                  /* 0, -ERESTARTSYS */

/* job.c */
int tty_check_change(struct tty *t); /* SIGTTOU rule: 0, -EIO, -ERESTARTSYS */
int tty_check_read(struct tty *t);   /* SIGTTIN rule */
long tty_job_ioctl(struct tty *t, struct file *f, u32 cmd, unsigned long arg);
/* A session leader without a terminal that opens one without O_NOCTTY gets it. */
void tty_open_acquire(struct tty *t, struct file *f);
struct tty *tty_of_current(void); /* controlling terminal, referenced, or NULL */
void tty_signal_foreground(struct tty *t, int sig);
void tty_hangup_session(struct tty *t);

/* pty.c */
void pty_flushed(struct tty *slave, u8 packet_bits);

/* tty.c */
extern const struct ktermios g_tty_std_termios;                  /* of a fresh line */
int tty_default_owner(struct tty *t, struct file *f) must_check; /* O_ASYNC without F_SETOWN */
/* Bind an open file to t (its reference is consumed, also on failure). -EBUSY -EIO -ENOMEM.
 * console: by the name that survives hang-ups. */
int tty_file_open(struct file *f, struct tty *t, bool console) must_check;

#endif
