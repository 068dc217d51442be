/*
 * What the files of net/netlink share.
 *
 * A socket's address (portid) is unique in its protocol: table.c finds it under RCU. Messages that
 * wait in receive queues share their bytes (struct nl_bytes), so an event costs each listener a
 * small item.
 */
#ifndef NETLINK_PRIVATE_H
#define NETLINK_PRIVATE_H

#include <lib/list.h>
#include <netlink/netlink.h>
#include <sched/mutex.h>
#include <socket/socket.h>

#define NL_GROUPS 256 /* of one protocol; multiple of 64 */

/* Options of SOL_NETLINK, bits of nl_sock.flags. */
enum nl_flag {
	NLF_PKTINFO,
	NLF_BROADCAST_ERROR, /* kernel code that sends could ask; none does */
	NLF_NO_ENOBUFS,
	NLF_ALL_NSID, /* there is one namespace: it is heard anyway */
	NLF_CAP_ACK,
	NLF_EXT_ACK,
	NLF_STRICT,
};

struct nl_bytes {
	struct refcount refs;
	u32 len;
	u8 *data;
};
struct nl_item { /* a message in a receive queue */
	struct list_head link;
	struct nl_bytes *bytes;
	u32 portid, group; /* who sent it; 0: the kernel. to which group; 0: to us */
	u32 pid, uid, gid; /* of the sender, for SCM_CREDENTIALS */
};

struct nl_sock {
	struct sock sk;
	u32 portid;                 /* 0: not bound yet; g_lock of table.c to set, then immutable */
	u32 dst_portid, dst_group;  /* sk.lock: connect */
	u32 flags;                  /* 1 << NLF_*; sk.lock */
	u64 groups[NL_GROUPS / 64]; /* g_lock of table.c; read by senders of events */
	struct list_head listen;    /* of the protocol's listeners while in a group; RCU; g_lock */
	bool listening;             /* g_lock */
	/* receive queue: sk.lock */
	struct list_head queue;
	u32 queued_bytes;
	u32 drops;
	bool congested; /* something was lost: nothing more until the queue is empty */
	u32 max_read; /* the largest buffer a program read with: that much of a dump in one message */
	/* the dump under way: dump_lock */
	struct mutex dump_lock;                /* RANK_SOCKET_CALL */
	const struct nl_handler *dump_handler; /* NULL: none */
	struct nl_dump dump;
	u32 dump_flags; /* NLF_* when it began */
};

struct nl_protocol {
	bool exists;
	bool any_may_listen, any_may_send; /* without CAP_NET_ADMIN */
	/* One request; takes what rq says. 0, -errno, or -EINTR: a dump has begun, no ack. NULL:
	 * the kernel doesn't listen. */
	int (*request)(struct nl_request *rq);
	struct list_head listeners; /* RCU; g_lock of table.c */
};
extern struct nl_protocol g_nl_protocols[MAX_LINKS];

static inline struct nl_sock *nl_of(struct sock *sk)
{
	return container_of(sk, struct nl_sock, sk);
}
u32 nl_self(void);

/* table.c */
/* Each bound socket of the protocol; fn may not sleep on a lock. */
void nl_each(struct net *net, int protocol, void (*fn)(struct nl_sock *s, void *arg), void *arg);
struct nl_sock *nl_find(struct net *net, int protocol, u32 portid); /* referenced, or NULL */
int nl_bind(struct nl_sock *s, u32 portid) must_check; /* -EADDRINUSE -EINVAL: has another */
int nl_autobind(struct nl_sock *s) must_check;
void nl_unbind(struct nl_sock *s);
/* Groups 1..: replace the first 32, or join and leave one. */
void nl_set_groups32(struct nl_sock *s, u32 mask);
int nl_set_group(struct nl_sock *s, u32 group, bool on) must_check; /* -EINVAL */
static inline bool nl_in_group(const struct nl_sock *s, u32 group)
{
	return group && group <= NL_GROUPS &&
		READ_ONCE(s->groups[(group - 1) / 64]) >> (group - 1) % 64 & 1;
}

/* queue.c */
struct nl_bytes *nl_bytes_from(struct nl_buf *b); /* consumes b; NULL: no memory */
void put_nl_bytes(struct nl_bytes *b);
/* Queue for s; takes a reference of its own. -ENOBUFS: full, the program was told. */
int nl_queue(struct nl_sock *s, struct nl_bytes *b, const struct nl_item *from);
void nl_queue_purge(struct nl_sock *s);
ssize_t nl_recvmsg(struct sock *sk, struct sock_msg *m);
/* To all of a group, with the sender's identity. 0, -ESRCH: nobody. */
int nl_broadcast(struct net *net, int protocol, u32 group, struct nl_bytes *b,
	const struct nl_item *from, u32 exclude);

/* request.c: the messages in [data, data + len) for the kernel. */
void nl_requests(struct nl_sock *s, const void *data, u32 len);
bool nl_put_ext_ack(struct nl_buf *b, const struct nl_request *rq, int err);

/* dump.c. Start one: -EINTR when it is under way, -EBUSY, ... */
int nl_dump_start(struct nl_request *rq, const struct nl_handler *h);
void nl_dump_go_on(struct nl_sock *s); /* as far as the receive queue has room */
void nl_dump_end(struct nl_sock *s);   /* the socket is closed */

/* option.c */
int nl_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len);
int nl_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len);

/* The protocols' request functions. */
int rtnl_request(struct nl_request *rq);
int diag_request(struct nl_request *rq);
int genl_request(struct nl_request *rq);

/* link.c, set_link.c */
bool link_fill(struct nl_buf *b, struct netif *n, u16 type, u32 portid, u32 seq, u16 flags,
	u32 change, u32 mask) must_check;
bool link_fill_af(struct nl_buf *b, const struct netif *n, u32 mask) must_check;
int link_set_af(struct netif *n, const struct nlattr *spec, struct nl_ext_ack *ack) must_check;
int link_set(struct nl_request *rq);
int link_new(struct nl_request *rq);
int link_del(struct nl_request *rq);
struct netif *link_named(
	struct nl_request *rq, const struct ifinfomsg *ifi, const struct nlattr **tb, int *err);
extern const struct nl_policy g_link_policy[IFLA_MAX + 1];
#define LINK_BUF_SIZE 4096u /* one link's message, statistics included */

#endif
