/*
 * Message queues. Messages stand in order of arrival and in a tree by type, so that each kind of
 * msgrcv(2) but MSG_EXCEPT finds its message in O(log n). A message that somebody waits for is
 * handed over and never stands in the queue.
 */
#ifndef SYSV_MSG_H
#define SYSV_MSG_H

#include <sysv/sysv.h>
#include "table.h"

struct thread;

struct message {
	struct refcount refs;  /* the queue's or the receiver's; MSG_COPY's while it copies */
	struct list_head link; /* queue->messages */
	struct rb_node node;   /* queue->by_type: by type, then by arrival */
	s64 type;              /* > 0; immutable, as what follows */
	u64 arrival;
	size_t size; /* bytes of text */
	u8 text[];
};

struct msg_queue {
	struct ipc_object ipc;   /* first; its lock guards all of this */
	s64 stime, rtime, ctime; /* seconds since 1970 */
	u64 bytes, count, max_bytes;
	s32 lspid, lrpid;
	struct list_head messages;
	struct rb_root by_type;
	u64 arrivals;
	struct list_head receivers, senders; /* msg_waiter.link, in order of arrival */
};

struct msg_waiter {
	struct list_head link;
	struct thread *thread;
	s32 pid;
	bool waiting; /* false: result or message are final; queue's lock */
	int result;
	size_t size; /* sender: of its message; receiver: of its buffer */
	s64 wanted;  /* receiver: msgrcv's type and flags */
	int flags;
	struct message *message; /* receiver: what it was given; its own from then on */
};

extern struct ipc_table g_msg_table;

static inline struct msg_queue *msg_of(struct ipc_object *o)
{
	return container_of(o, struct msg_queue, ipc);
}
void put_message(struct message *m);
/* Everybody who waits returns err. Lock held. */
void msg_wake_all(struct msg_queue *q, int err);
/* There is room: senders whose messages fit try again. Lock held. */
void msg_wake_senders(struct msg_queue *q);

#endif
