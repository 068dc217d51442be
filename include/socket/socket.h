/*
 * Sockets: what is the same for every address family. A family registers how its sockets are made;
 * each socket carries an ops table. A descriptor holds one reference on the socket, the protocol
 * may hold more, so a socket may live on without a file (a TCP connection that is being closed).
 *
 * Contexts: system calls call the ops in the caller's thread, without a lock, and the ops may
 * sleep. Packets come in the packet context (a thread of its own); it never sleeps. Both take
 * sock->lock, which is a plain spinlock: nothing in an interrupt touches a socket.
 *
 * Waking: sock_wake() may be called with sock->lock held; the SIGIO of O_ASYNC goes out in
 * sock_signal(), which may not (RANK_FASYNC).
 */
#ifndef SOCKET_SOCKET_H
#define SOCKET_SOCKET_H

#include <abi/socket.h>
#include <cred/cred.h>
#include <linux/sockios.h>
#include <sched/timer.h>
#include <sched/wait.h>
#include <vfs/file.h>

struct sock;
struct sock_filter_prog;

/* One message of sendmsg(2) or recvmsg(2). */
struct sock_msg {
	struct iter iter;                       /* the data */
	u32 flags;                              /* MSG_*; MSG_DONTWAIT also for O_NONBLOCK */
	struct __kernel_sockaddr_storage *name; /* send: NULL without address; recv: to be filled */
	u32 name_len;                           /* bytes in it; recv: 0 when there is none */
	/* send: kernel copy of the control messages */
	const void *control;
	size_t control_len;
	/* recv: where control messages go; what is left, and how much was used */
	void __user *out_control;
	size_t out_room, out_used;
	u32 out_flags; /* recv: MSG_TRUNC, MSG_CTRUNC, MSG_EOR, ... */
};

/*
 * What a protocol does. NULL slots answer EOPNOTSUPP unless said otherwise. addr is a kernel copy,
 * len the length that the caller gave (up to sizeof(struct __kernel_sockaddr_storage)).
 */
struct sock_ops {
	int (*bind)(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len);
	int (*connect)(struct sock *sk, struct __kernel_sockaddr_storage *addr, u32 len,
		u32 o_flags); /* sleeps unless O_NONBLOCK */
	int (*pair)(struct sock *a, struct sock *b);
	/* A new connection, referenced, or an error pointer. */
	struct sock *(*accept)(struct sock *sk, u32 o_flags);
	int (*listen)(struct sock *sk, int backlog);
	/* The address's length, or an error. */
	int (*getname)(struct sock *sk, struct __kernel_sockaddr_storage *addr, bool peer);
	ssize_t (*sendmsg)(struct sock *sk, struct sock_msg *m);
	ssize_t (*recvmsg)(struct sock *sk, struct sock_msg *m);
	int (*shutdown)(struct sock *sk, int how);                  /* SHUT_* */
	u32 (*poll)(struct sock *sk);                               /* the present EPOLL* mask */
	long (*ioctl)(struct sock *sk, u32 cmd, unsigned long arg); /* -ENOIOCTLCMD: unknown */
	/* Options of the protocol's own levels, and those of SOL_SOCKET that the generic part does
	 * not know: -ENOPROTOOPT. */
	int (*setsockopt)(struct sock *sk, int level, int name, const void __user *val, u32 len);
	/* len: room in, length out. */
	int (*getsockopt)(struct sock *sk, int level, int name, void __user *val, u32 *len);
	/* A generic option was changed (SO_*): apply it. NULL: nothing to do. */
	void (*option_changed)(struct sock *sk, int name);
	void (*close)(struct sock *sk);   /* the descriptor is gone; sleeps */
	void (*destroy)(struct sock *sk); /* last reference gone: free the memory; any context */
	int (*mmap)(struct sock *sk, struct map_request *rq); /* NULL: ENODEV */
	void (*show_fdinfo)(struct sock *sk, struct seq_buf *s);
};

/* Generic on/off options, bits of sock->options. */
enum sock_option {
	SKO_DEBUG,
	SKO_REUSEADDR,
	SKO_REUSEPORT,
	SKO_DONTROUTE,
	SKO_BROADCAST,
	SKO_KEEPALIVE,
	SKO_OOBINLINE,
	SKO_NO_CHECK,
	SKO_LINGER,
	SKO_PASSCRED,
	SKO_PASSSEC,
	SKO_RCVTSTAMP,   /* SO_TIMESTAMP */
	SKO_RCVTSTAMPNS, /* SO_TIMESTAMPNS: with nanoseconds */
	SKO_TSTAMP_NEW,  /* asked for by the _NEW number */
	SKO_RXQ_OVFL,
	SKO_SELECT_ERR,
	SKO_ZEROCOPY,
	SKO_LOCK_FILTER,
	SKO_RCVMARK,
	SKO_NOFCS,
	SKO_DEAD, /* no descriptor any more */
};

struct net;

struct sock {
	struct refcount refs;
	struct net *net;      /* its network namespace; one reference, immutable */
	struct spinlock lock; /* RANK_SOCKET */
	const struct sock_ops *ops;
	u16 family, type, protocol;
	u8 state;           /* the protocol's */
	u8 shutdown;        /* SHUTDOWN_*; lock to write */
	u32 options;        /* 1 << SKO_*; lock to write */
	int err;            /* pending error, positive; atomic */
	s32 sndbuf, rcvbuf; /* bytes, atomic */
	u8 buf_lock;        /* SOCK_SNDBUF_LOCK...: set by the user */
	s32 rcvlowat;
	s64 rcvtimeo_ns, sndtimeo_ns; /* TIME_NEVER: none; lock */
	s32 linger_s;
	u32 priority, mark;
	s32 bound_dev; /* interface index; 0: any */
	s32 peek_off;  /* -1: off */
	s32 incoming_cpu;
	u64 max_pacing;
	u64 cookie; /* SO_COOKIE; 0: not asked for yet */
	u64 ino;
	kuid_t uid; /* of who made it */
	struct wait_queue wait;
	struct fasync_list async;
	struct sock_filter_prog *filter; /* RCU; lock to change */
	struct file *file;               /* no reference; NULL when none; lock */
	struct rcu_head rcu;
};
#define SHUTDOWN_RCV 1u
#define SHUTDOWN_SND 2u

static inline bool sock_opt(const struct sock *sk, enum sock_option o)
{
	return READ_ONCE(sk->options) >> o & 1;
}
static inline void get_sock(struct sock *sk)
{
	ref_get(&sk->refs);
}
static inline bool sock_wants_stamps(const struct sock *sk)
{
	return READ_ONCE(sk->options) & (1u << SKO_RCVTSTAMP | 1u << SKO_RCVTSTAMPNS);
}
void put_sock(struct sock *sk);

struct net_family {
	int family;
	/* A socket without a descriptor: error pointer -ESOCKTNOSUPPORT -EPROTONOSUPPORT -EPERM
	 * -ENOMEM. type without flags. */
	struct sock *(*create)(int type, int protocol);
};
void net_family_register(const struct net_family *f);

/* For create: common fields of a zeroed sock, one reference. */
void sock_init(struct sock *sk, const struct sock_ops *ops, int family, int type, int protocol);
/* End of a sock's life, from ops->destroy before its memory is freed. */
void sock_deinit(struct sock *sk);

/* ---- for the system calls --------------------------------------------------------------------- */
struct sock *sock_create(int family, int type, int protocol) must_check;
/* A file for sk; consumes the reference, also on failure. */
struct file *sock_file(struct sock *sk, u32 o_flags) must_check;
struct sock *file_sock(struct file *f); /* NULL: not a socket */
ssize_t sock_sendmsg(struct sock *sk, struct sock_msg *m);
ssize_t sock_recvmsg(struct sock *sk, struct sock_msg *m);
int sock_setsockopt(struct sock *sk, int level, int name, const void __user *val, s32 len);
int sock_getsockopt(struct sock *sk, int level, int name, void __user *val, s32 __user *len);
int sock_shutdown(struct sock *sk, int how);
long sock_ioctl(struct sock *sk, u32 cmd, unsigned long arg);

/* ---- for protocols ---------------------------------------------------------------------------- */
/* The mask became true for some: wake who waits. Any lock up to RANK_SOCKET may be held. */
static inline void sock_wake(struct sock *sk, u32 mask)
{
	poll_wake(&sk->wait, mask);
}
static inline void sock_wake_all(struct sock *sk, u32 mask)
{
	if (wait_queue_active(&sk->wait))
		wake_up_key(&sk->wait, INT_MAX, mask);
}
/* SIGIO for those that want it; band POLL_IN or POLL_OUT. No spinlock held. */
static inline void sock_signal(struct sock *sk, int band)
{
	fasync_notify(&sk->async, band);
}
/* Urgent data was announced: SIGURG to the file's owner, and SIGIO as above. No spinlock held. */
void sock_signal_urgent(struct sock *sk);
static inline void sock_set_error(struct sock *sk, int err)
{
	WRITE_ONCE(sk->err, err);
}
/* Take the pending error: 0 or negative. */
static inline int sock_take_error(struct sock *sk)
{
	return READ_ONCE(sk->err) ? -__atomic_exchange_n(&sk->err, 0, __ATOMIC_RELAXED) : 0;
}
/* Deadline of a call that may wait: 0 with MSG_DONTWAIT. */
static inline s64 sock_rcv_deadline(const struct sock *sk, u32 msg_flags)
{
	return msg_flags & MSG_DONTWAIT         ? 0
		: sk->rcvtimeo_ns == TIME_NEVER ? TIME_NEVER
						: deadline_after(sk->rcvtimeo_ns);
}
static inline s64 sock_snd_deadline(const struct sock *sk, u32 msg_flags)
{
	return msg_flags & MSG_DONTWAIT         ? 0
		: sk->sndtimeo_ns == TIME_NEVER ? TIME_NEVER
						: deadline_after(sk->sndtimeo_ns);
}
/*
 * Wait on sk until cond (looked at without the lock): 0; -EAGAIN at the deadline (0: at once);
 * with a signal -ERESTARTSYS, or -EINTR when there is a time limit (signal(7)).
 */
#define sock_wait(sk, cond, deadline)                                          \
	({                                                                     \
		int _e = -EAGAIN;                                              \
		if ((deadline) != 0) {                                         \
			_e = wait_event_deadline(&(sk)->wait, cond, deadline); \
			_e = sock_wait_error(_e, deadline);                    \
		}                                                              \
		_e;                                                            \
	})
static inline int sock_wait_error(int err, s64 deadline)
{
	return err == -ETIMEDOUT                                ? -EAGAIN
		: err == -ERESTARTSYS && deadline != TIME_NEVER ? -EINTR
								: err;
}

/* Control messages to the receiver: sets MSG_CTRUNC when there is no room. */
void cmsg_put(struct sock_msg *m, int level, int type, const void *data, size_t len);
/* SO_TIMESTAMP and relatives, if sk wants them. real_ns: CLOCK_REALTIME of arrival. */
void cmsg_put_timestamp(struct sock *sk, struct sock_msg *m, s64 real_ns);
/* Walk the control messages of a send: next one, NULL at the end or an error pointer -EINVAL. */
const struct cmsghdr *cmsg_first(const struct sock_msg *m);
const struct cmsghdr *cmsg_next(const struct sock_msg *m, const struct cmsghdr *c);
static inline const void *cmsg_data(const struct cmsghdr *c)
{
	return c + 1;
}
static inline size_t cmsg_data_len(const struct cmsghdr *c)
{
	return c->cmsg_len - sizeof(*c);
}

/* An int option value: -EINVAL when len is too short, -EFAULT. */
int sockopt_int(const void __user *val, u32 len, int *out) must_check;
/* Give len bytes, cut to *room, which becomes the length. */
int sockopt_put(void __user *val, u32 *room, const void *data, u32 len) must_check;
static inline int must_check sockopt_put_int(void __user *val, u32 *room, int v)
{
	return sockopt_put(val, room, &v, sizeof(v));
}
u64 sock_cookie(struct sock *sk);

/* net.core.*: bytes; set through /proc/sys. */
struct net_core_limits {
	s32 rmem_default, rmem_max, wmem_default, wmem_max;
	s32 somaxconn, optmem_max;
};
extern struct net_core_limits g_net_core;
s64 sockets_in_use(int family); /* /proc/net/sockstat */
/* Programs that use sockets: the generic ioctls of interfaces (SIOCGIFCONF...), set by link. */
void sock_set_ioctl_hook(long (*fn)(struct sock *sk, u32 cmd, unsigned long arg));

/* ---- socket filters (classic BPF) -------------------------------------------------------------- */
struct sock_filter_prog;
/* Bytes of a packet that a filter may look at. */
struct filter_input {
	const void *pkt; /* for load */
	u32 len;
	/* Copy n bytes at off; false: outside. */
	bool (*load)(const void *pkt, u32 off, void *to, u32 n);
	u32 protocol, pkt_type, ifindex, mark, queue, hatype, hash, cpu; /* SKF_AD_* */
	u32 net_off; /* SKF_NET_OFF counts from there */
};
u32 filter_run(const struct sock_filter_prog *p, const struct filter_input *in); /* bytes to keep */
int sock_attach_filter(struct sock *sk, const void __user *fprog, u32 len) must_check;
/* A connection gets the listener's, whose lock is held. False: no memory. Never sleeps. */
bool sock_inherit_filter(struct sock *sk, const struct sock *from) must_check;
int sock_detach_filter(struct sock *sk) must_check;
int sock_get_filter(struct sock *sk, void __user *val, u32 *len) must_check;

#endif
