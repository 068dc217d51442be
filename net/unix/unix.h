/* AF_UNIX, private: see README.md. */
#ifndef NET_UNIX_UNIX_H
#define NET_UNIX_UNIX_H

#include <linux/un.h>
#include <process/task.h>
#include <sched/mutex.h>
#include <socket/socket.h>

#define UNIX_MAX_FDS 253 /* descriptors in one message (unix(7)) */

struct unix_addr { /* immutable; shared by a listener and its connections */
	struct refcount refs;
	u32 len; /* of name, as getsockname gives it */
	struct sockaddr_un name;
};

struct unix_peercred {
	struct pid *pid; /* referenced; NULL: none */
	const struct cred *cred;
};

enum unix_state { UNIX_NEW, UNIX_LISTEN, UNIX_CONNECTED };

struct usock {
	struct sock sk; /* first; sk.lock guards what says nothing else; two: by address */
	enum unix_state ustate;
	struct unix_addr *addr; /* set once under sk.lock, then immutable; NULL: unbound */
	struct path path;       /* of a bound name in the file system; referenced */
	struct inode *inode;    /* path's, which the table is keyed by; NULL: abstract, unbound */
	struct hlist_node name_link; /* table's bucket lock */
	struct list_head all_link;   /* g_all's */
	struct usock *peer;          /* referenced */
	bool dead;                   /* closed */
	struct unix_peercred cred;   /* of the peer; a listener's: its own at listen(2) */
	struct list_head queue;      /* struct umsg: received */
	u32 queued;                  /* messages in it */
	u64 queued_bytes;
	s32 wmem;                      /* atomic: bytes sent and not yet taken */
	struct mutex read_lock;        /* RANK_PIPE: one stream reader at a time */
	struct mutex bind_lock;        /* RANK_PIPE */
	struct list_head blocked;      /* usock.blocked_link: senders that found queue full */
	struct list_head blocked_link; /* lock of blocked_on */
	struct usock *blocked_on;      /* referenced; its lock */
	u32 backlog;
	struct list_head accepts; /* usock.accept_link: connections not yet accepted */
	u32 nr_accepts;
	struct list_head accept_link;
	struct umsg *oob; /* in queue; NULL: none */
	/* collect.c's, under g_gc_lock */
	s32 inflight, gc_count;
	struct list_head inflight_link;
	bool gc_candidate, gc_reachable;
};

struct scm_fds {
	u32 nr;
	struct user_account *user;
	struct file *file[];
};

struct umsg {
	struct list_head link;  /* receiver's lock */
	struct usock *from;     /* charged; referenced */
	struct unix_addr *addr; /* of the sender then; NULL: none */
	struct pid *pid;        /* credentials, if they were asked for; NULL: not */
	kuid_t uid;
	kgid_t gid;
	struct scm_fds *fds;
	s64 real_ns;  /* arrival; 0: nobody wanted it */
	u32 len, off; /* off: taken already (streams); read_lock */
	u32 charge;
	bool oob, eor;
	char *data; /* inline_data or kvmalloc */
	char inline_data[];
};

static inline struct usock *usock_of(struct sock *sk)
{
	return container_of(sk, struct usock, sk);
}

/* unix.c */
struct usock *unix_alloc(int type) must_check;
void unix_lock_two(struct usock *a, struct usock *b);
void unix_unlock_two(struct usock *a, struct usock *b);
struct usock *unix_get_peer(struct usock *u); /* referenced; NULL */
void unix_set_cred(struct unix_peercred *c);  /* to the current task's */
void unix_put_cred(struct unix_peercred *c);
static inline bool unix_writable(const struct usock *u)
{
	return READ_ONCE(u->wmem) * 4l <= READ_ONCE(u->sk.sndbuf);
}
/* Every socket from *bucket on (0: all), referenced meanwhile; fn may sleep. False: stop, *bucket
 * stays at that one. -ENOMEM. */
int unix_for_each(u32 *bucket, bool (*fn)(struct usock *u, void *arg), void *arg) must_check;
int unix_getname(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer);
int unix_pair(struct sock *a, struct sock *b);
int unix_shutdown(struct sock *sk, int how);
u32 unix_poll_common(struct usock *u);
long unix_ioctl(struct sock *sk, u32 cmd, unsigned long arg);
void unix_close(struct sock *sk);
void unix_destroy(struct sock *sk);
int unix_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len);
extern const struct sock_ops g_unix_stream_ops, g_unix_dgram_ops, g_unix_seqpacket_ops;

/* address.c */
/* Check and measure: 0 or -EINVAL; *len becomes the true one. */
int unix_check_addr(struct sockaddr_un *name, u32 *len) must_check;
int unix_bind(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len);
int unix_autobind(struct usock *u) must_check;
void unix_unbind(struct usock *u);
/* The socket of that name, referenced: error pointer -ECONNREFUSED -EPROTOTYPE -EACCES ... */
struct usock *unix_find(struct sockaddr_un *name, u32 len, int type) must_check;
void put_unix_addr(struct unix_addr *a);

/* message.c */
/* A message of n bytes out of m->iter with what m->control says; error pointer. */
struct umsg *umsg_make(
	struct usock *from, struct sock_msg *m, size_t n, bool with_control) must_check;
void umsg_free(struct umsg *msg); /* uncharges the sender and wakes it */
/* Credentials are sent along when one of both wants them. */
void umsg_add_cred(struct umsg *msg, struct usock *from, struct usock *to);
/* Control messages of msg to the receiver; takes the descriptors unless peek. */
void umsg_deliver_control(struct usock *u, struct umsg *msg, struct sock_msg *m, bool peek);
void umsg_copy_addr(const struct unix_addr *a, struct sock_msg *m);

/* collect.c */
/* fds goes into (or comes out of) flight. */
int unix_inflight(struct scm_fds *fds) must_check; /* -ETOOMANYREFS */
void unix_not_inflight(struct scm_fds *fds);
/* For MSG_PEEK: a second reference on each. */
void unix_ref_fds(struct scm_fds *fds);
void unix_collect_soon(void);

/* dgram.c */
void unix_wake_blocked(struct usock *u);

#endif
