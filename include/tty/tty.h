/*
 * Terminals: struct tty is one terminal: a serial line, or the slave side of a pseudo-terminal. The
 * line discipline N_TTY turns the driver's input into lines, echoes and signals, and processes
 * output; the driver moves bytes.
 *
 * Input: a driver in interrupt context calls tty_receive, which queues bytes and lets a worker run
 * the line discipline; one that may sleep (a pty's master side) calls tty_receive_direct.
 * Output: n_tty processes as many bytes as ops->write_room allows under ld->out_lock, so what it
 * hands to ops->write is always taken whole; who waits for room waits without the lock.
 *
 * Locks, in order: tty->lock (termios, open/close) > ld->read_lock (one reader at a time) >
 * ld->in_lock (the line discipline's input side) > ld->out_lock > tty->spin.
 */
#ifndef TTY_TTY_H
#define TTY_TTY_H

#include <vfs/file.h>
#include <sched/work.h>
#include <asm/termbits.h>
#include <asm/ioctls.h>
#include <asm/termios.h>

struct tty;
struct pid;
struct process;
struct session;

struct tty_ops {
	/* Take up to n bytes without sleeping; number taken: at least what write_room promised. */
	size_t (*write)(struct tty *t, const u8 *buf, size_t n);
	size_t (*write_room)(struct tty *t);
	size_t (*chars_in_buffer)(struct tty *t);                       /* not yet sent */
	void (*set_termios)(struct tty *t, const struct ktermios *old); /* NULL: nothing to set */
	int (*open)(struct tty *t);                                     /* first open; NULL: 0 */
	void (*close)(struct tty *t);                                   /* last close; NULL */
	void (*throttle)(struct tty *t), (*unthrottle)(struct tty *t);  /* NULL: none */
	void (*flush)(struct tty *t);                             /* drop unsent output; NULL */
	long (*ioctl)(struct tty *t, u32 cmd, unsigned long arg); /* -ENOIOCTLCMD; NULL: none */
	void (*free)(struct tty *t);                              /* last reference; NULL */
};

struct n_tty;
struct tty {
	struct refcount refs;
	const struct tty_ops *ops; /* immutable */
	void *driver_data;         /* driver's */
	kdev_t dev;                /* immutable */
	char name[16];             /* "ttyS0", "pts/3"; immutable */
	struct mutex lock;         /* RANK_TTY: termios changes, open, close, hang-up */
	/* lock to write, and for ICANON ld->in_lock and spin; others accept a mix of old and new */
	struct ktermios termios;
	struct ktermios locked; /* set bits and bytes: TCSETS leaves those of termios alone; lock */
	struct winsize winsize; /* spin */
	struct spinlock spin;   /* RANK_TTY_SPIN, interrupts off: the fields below */
	struct session *session; /* whose controlling terminal this is, or NULL */
	struct pid *pgrp;        /* foreground group, referenced, or NULL */
	bool stopped;            /* ^S or TCOOFF */
	bool held;               /* TCOOFF: only TCOON restarts */
	bool exclusive;          /* TIOCEXCL */
	u32 hangups;             /* generation: files opened before a hang-up are dead */
	u32 open_count;          /* lock; on a line without the files that a hang-up killed */
	u32 console_count;       /* lock: those of them that were opened as /dev/console */
	struct wait_queue read_wait, write_wait;
	struct fasync_list async;
	bool async_room;  /* a writer found no room: POLL_OUT is due; atomic */
	struct n_tty *ld; /* immutable; line discipline state */
	struct work receive_work;
	bool other_closed;   /* pty: the master is gone; atomic */
	bool no_drain;       /* pty: output has no time of its own to drain */
	struct tty_pty *pty; /* slave of a pseudo-terminal; immutable */
};

/* New terminal, not registered; one reference. Termios as a fresh Linux line has them. NULL: no
 * memory. */
struct tty *tty_create(
	const struct tty_ops *ops, const char *name, kdev_t dev, void *driver_data) must_check;
void get_tty(struct tty *t);
void put_tty(struct tty *t);
/* Make it openable as character device dev with a devtmpfs node. -EBUSY -ENOMEM. */
int tty_register(struct tty *t) must_check;
/* Bytes from the line; flags: NULL all normal, else TTY_* per byte. Any context. Returns how many
 * were taken: the rest finds no room. */
enum tty_flag { TTY_NORMAL, TTY_BREAK, TTY_FRAME, TTY_PARITY, TTY_OVERRUN };
size_t tty_receive(struct tty *t, const u8 *buf, const u8 *flags, size_t n);
/* The same, processed before it returns; sleeps. Takes fewer than n when the reader is behind. */
size_t tty_receive_direct(struct tty *t, const u8 *buf, size_t n);
void tty_wakeup(struct tty *t); /* the driver has room again; any context */
void tty_hangup(struct tty *t); /* carrier lost, vhangup, master closed; sleeps */
bool tty_hung_up(struct file *f);
/* Which terminal /dev/console is: the last one set. */
void tty_set_console(struct tty *t);
struct tty *tty_console(void); /* NULL: none yet; not referenced: consoles live forever */
extern const struct file_ops g_tty_fops;
/* The terminal behind an open file, or NULL if it is something else. */
struct tty *file_tty(struct file *f);

/* ---- controlling terminals (job.c) ---- */
/* The session leader exits or gives up its terminal: SIGHUP and SIGCONT to the foreground. */
void tty_disassociate(struct session *s, bool exiting);
/* For /proc/PID/stat: device number (0: none) and foreground group (-1: none). */
void tty_process_info(struct process *p, u32 *tty_nr, s32 *tpgid);

#endif
