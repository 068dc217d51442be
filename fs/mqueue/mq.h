/*
 * A message queue. Messages stand in a tree, highest priority first, then in order of arrival. A
 * message goes straight to a waiting receiver; a receiver that makes room takes in the message of
 * the first waiting sender. So a queue never has waiting receivers and messages, nor waiting
 * senders and room, and nobody who comes later overtakes. Waiters stand by their real-time
 * priority, then in order of arrival.
 */
#ifndef MQUEUE_MQ_H
#define MQUEUE_MQ_H

#include <core/refcount.h>
#include <lib/rbtree.h>
#include <mqueue/mqueue.h>

struct thread;
struct user_account;

struct mq_message {
	struct rb_node node;
	u32 priority;
	u64 arrival;
	size_t len;
	u8 text[];
};

/* Who wants to know of a message that comes into the empty queue. */
struct mq_notification {
	struct pid *owner; /* referenced: a process; NULL: nobody */
	u64 exec_id; /* the owner's program: a new one may have rights that the sender lacks */
	int kind;    /* SIGEV_* */
	int sig;
	sigval_t value;
	struct file *socket; /* SIGEV_THREAD: referenced */
	u8 cookie[NOTIFY_COOKIE_LEN];
};

struct mqueue {                    /* inode->priv */
	struct spinlock lock;      /* RANK_IPC: all that isn't immutable */
	u64 max_messages, max_len; /* immutable */
	u64 count, bytes;          /* messages, and what is in them */
	struct rb_root messages;
	u64 arrivals;
	struct list_head receivers, senders; /* struct mq_waiter */
	struct wait_queue poll;
	struct mq_notification notify;
	struct user_account *user; /* charged, referenced; immutable */
	u64 charged;               /* bytes */
};

struct mq_waiter {
	struct list_head link;
	struct thread *thread;
	u8 priority;                /* real-time priority, 0: none */
	bool waiting;               /* queue's lock */
	struct mq_message *message; /* sender: its own, taken over; receiver: what it was given */
};

extern const struct file_ops g_mq_fops;

/* notify.c */
/* A message came into the empty queue: what is to be told, moved to *out; lock held. */
void mq_notify_take(struct mqueue *q, struct mq_notification *out);
/* Tell, without locks, and drop the references. */
void mq_notify_tell(struct mq_notification *n);
/* The notification is over without a message: the socket is told. */
void mq_notify_end(struct mq_notification *n);
int mq_flush(struct file *f);

static inline struct mqueue *mq_of_inode(const struct inode *i)
{
	return i->priv;
}
/* NULL: not a queue. */
static inline struct mqueue *mq_of(const struct file *f)
{
	return f->ops == &g_mq_fops ? mq_of_inode(f->inode) : NULL;
}

#endif
