/*
 * Terminals: struct tty is one terminal (a serial line, one side of a pseudo-terminal); its line
 * discipline N_TTY turns driver input into lines, echoes and signals. The driver moves bytes.
 *
 * Input path: the driver calls tty_receive (any context) which puts bytes into the flip buffer;
 * a worker runs the line discipline under tty->ldisc_lock. Output path: tty->ops->write under
 * tty->output_lock after OPOST processing.
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
struct session;

struct tty_ops {
	/* Take up to n bytes without sleeping; number taken (0: full, tty_wakeup follows). */
	size_t (*write)(struct tty *t, const u8 *buf, size_t n);
	size_t (*write_room)(struct tty *t);
	size_t (*chars_in_buffer)(struct tty *t); /* not yet sent */
	void (*set_termios)(struct tty *t, const struct ktermios *old); /* NULL: nothing to set */
	int (*open)(struct tty *t);	/* first open; NULL: 0 */
	void (*close)(struct tty *t);	/* last close */
	void (*throttle)(struct tty *t), (*unthrottle)(struct tty *t); /* NULL: driver may overrun */
	void (*flush)(struct tty *t);	/* drop unsent output */
	int (*ioctl)(struct tty *t, u32 cmd, unsigned long arg); /* -ENOIOCTLCMD; NULL: none */
	void (*hangup)(struct tty *t);
};

struct tty_ldisc_data;
struct tty {
	struct refcount refs;
	const struct tty_ops *ops;	/* immutable */
	void *driver_data;		/* driver's */
	kdev_t dev;			/* immutable */
	char name[16];			/* "ttyS0", "pts/3"; immutable */
	struct mutex lock;		/* RANK_TTY: termios changes, open/close */
	struct ktermios termios;	/* lock; readers tolerate tearing of flags */
	struct winsize winsize;		/* spin */
	struct spinlock spin;		/* RANK_TTY_SPIN: flow, session pointers, flip buffer */
	struct session *session;	/* controlling; tasklist lock (process) */
	struct pid *pgrp;		/* foreground; spin */
	struct wait_queue read_wait, write_wait;
	struct tty_ldisc_data *ld;	/* N_TTY state (private) */
	struct tty *link;		/* pty: other side; immutable while open */
	bool is_ptm, is_pty;
	u32 open_count;			/* lock */
	bool hung_up, stopped, exclusive, packet_mode, other_closed;
	u8 ctrl_status;			/* packet mode TIOCPKT_* */
	struct work receive_work;
	struct list_head files;		/* spin */
};

/* New terminal, not registered: termios defaults as Linux's tty_std_termios. NULL: no memory. */
struct tty *tty_create(const struct tty_ops *ops, const char *name, kdev_t dev, void *driver_data) must_check;
void put_tty(struct tty *t);
/* Make it openable as a character device with a devtmpfs node. */
int tty_register(struct tty *t) must_check;
/* Bytes from the line; flags: NULL all normal, else TTY_NORMAL/BREAK/PARITY/OVERRUN per byte. Any
 * context. Returns how many were taken. */
size_t tty_receive(struct tty *t, const u8 *buf, const u8 *flags, size_t n);
void tty_wakeup(struct tty *t); /* the driver has room again; any context */
void tty_hangup(struct tty *t); /* carrier lost; sleeps */
/* Which terminal /dev/console is: chosen by console= (last one), default ttyS0. */
void tty_set_console(struct tty *t);
extern const struct file_ops g_tty_fops;
/* Called by process at exit of a session leader, and by setsid. */
void tty_disassociate(struct session *s, bool exiting);
/* For /proc/PID/stat: tty_nr and tpgid of a session's terminal. */
void tty_session_info(struct session *s, u32 *tty_nr, s32 *tpgid);

#endif
