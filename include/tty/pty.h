/*
 * Pseudo-terminals: a master file and a slave terminal. What the slave's line discipline outputs
 * waits in a ring for the master to read; what the master writes is the slave's input.
 * Names and numbers are devpts' business (fs/devpts), which creates them.
 */
#ifndef TTY_PTY_H
#define TTY_PTY_H

#include <tty/tty.h>

#define PTY_RING 8192 /* bytes from slave to master */

struct tty_pty {
	struct tty *slave;       /* referenced */
	struct spinlock lock;    /* RANK_DEVICE, interrupts off: the ring and the bits */
	struct mutex read_lock;  /* RANK_TTY_READ: one read call of the master at a time */
	struct mutex write_lock; /* RANK_TTY_WRITE: one write call to the master at a time */
	u8 *ring;
	u32 head, tail;
	bool locked;    /* TIOCSPTLCK: the slave can't be opened */
	bool packet;    /* TIOCPKT */
	bool stopped;   /* TCOOFF on the master: its writes wait */
	bool exclusive; /* TIOCEXCL on the master */
	bool slave_opened, slave_closed;
	bool hung;      /* TIOCVHANGUP on the master: its file is dead; set once, atomic */
	u8 packet_bits; /* pending TIOCPKT_* */
	struct wait_queue read_wait, write_wait; /* the master's */
	struct fasync_list async;                /* the master's */
	int index;
	void (*gone)(struct tty_pty *p); /* the master was closed: remove the name. Sleeps. */
	void *owner;                     /* gone's */
	/* Opens the slave for TIOCGPTPEER: file or error pointer. */
	struct file *(*open_peer)(struct tty_pty *p, struct file *master, u32 o_flags);
};

/* Make f (being opened) the master of a new pair. Error pointer -ENOMEM. Locked at first. */
struct tty_pty *pty_open_master(struct file *f, int index, void *owner) must_check;
/* open() of the slave's device inode. -EIO when locked or the master is gone. */
int pty_open_slave(struct tty_pty *p, struct file *f) must_check;
extern const struct file_ops g_pty_master_fops;

#endif
