/*
 * TCP sockets: what joins the state machine of conn.h with addresses, ports, tables and users.
 *
 * Locks: sk.lock serialises all calls on a connection; a listener's guards its requests and its
 * queue of accepted connections (listener before child, _nested). send_lock and recv_lock
 * (RANK_SOCKET_CALL) order the copies from and to user memory, which happen without sk.lock.
 *
 * References of a tcp_sock: the descriptor or the accept queue has one, the table of connections
 * one, an armed timer one, data segments in queues of devices one together, each request one on its
 * listener.
 *
 * Before and after a connection there are "minis": requests between SYN and ACK, and TIME_WAIT.
 * They are found by the four names in a table of their own, looked at after the connections.
 */
#ifndef NET_TCP_SOCK_H
#define NET_TCP_SOCK_H

#include <abi/tcp_fastopen.h>
#include <inet/inet.h>
#include <inet/mem.h>
#include <inet/ports.h>
#include <inet/sock.h>
#include <inet/table.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <net/context.h>
#include <tcp/tcp.h>
#include "conn.h"

#define TCP_HEADER_LEN 20u
#define TCP_GSO_MAX    (65535u - 60 - 60) /* payload of one packet: headers with options fit too */

struct tcp_mini_table;
struct tcp_fo_cache;

struct tcp_net {
	struct net *net;
	struct port_table *ports;
	struct inet_table *table;
	struct tcp_mini_table *minis;
	struct tcp_config config;
	s32 max_orphans, max_tw_buckets, max_syn_backlog, tw_reuse, rfc1337, abort_on_overflow;
	s32 syncookies;             /* 0: never, 1: when a listener's queue is full, 2: always */
	s32 nr_orphans, nr_tw;      /* atomic */
	s64 nr_socks;               /* atomic */
	s32 fastopen;               /* TFO_* */
	struct spinlock fo_lock;    /* RANK_SOCKET_LEAF */
	struct tcp_fo_keys fo_keys; /* fo_lock; nr 0: none made yet */
	struct tcp_fo_cache *fo_cache;
};
extern int g_tcp_slot; /* set at start-up */
static inline struct tcp_net *tcp_net(const struct net *net)
{
	return net->slots[g_tcp_slot];
}

/* As Linux's SS_*: what connect(2) has to say. */
enum tcp_user_state { TCPU_UNCONNECTED, TCPU_CONNECTING, TCPU_CONNECTED };

/* Of a listener that takes data with SYNs (fast open). */
#define TCP_FO_RESET_SLOTS 8
struct tcp_fast {
	u32 backlog;                    /* TCP_FASTOPEN; 0: none are taken. sk.lock */
	u32 nr_pending;                 /* connections without their ACK; atomic */
	u32 resets[TCP_FO_RESET_SLOTS]; /* of nr_pending: reset, by time; atomic */
	s64 forgiven;                   /* the last slot that counts no more; sk.lock */
	struct tcp_fo_keys keys;        /* nr 0: the namespace's. sk.lock */
};

struct tcp_sock {
	struct inet_sock inet; /* first */
	struct tcp_conn c;     /* sk.lock */
	struct net_timer timer;
	u32 new_iss;      /* of a connection whose names were used before; 0: to be chosen */
	s64 armed_ns;     /* when the timer fires at the latest; sk.lock */
	u32 path_mtu;     /* c's segments are made for it; sk.lock */
	u32 charged;      /* bytes of it in INET_MEM_TCP; sk.lock */
	u32 nr_waiting;   /* data segments in queues of devices; atomic */
	u32 left_seq;     /* data before it has left them, while there are any; atomic */
	bool hashed;      /* in the table of connections; sk.lock */
	bool nospace;     /* somebody waits for room to send; atomic */
	bool counted;     /* in CurrEstab; sk.lock */
	bool orphaned;    /* counted in nr_orphans; sk.lock */
	u8 ustate;        /* enum tcp_user_state; sk.lock */
	u32 zerocopy_key; /* sends with MSG_ZEROCOPY so far; send_lock */
	struct mutex send_lock, recv_lock;
	/* options */
	u32 notsent_lowat; /* 0: net.ipv4.tcp_notsent_lowat */
	u32 defer_accept;  /* SYN-ACKs that go out before a bare ACK counts */
	bool recv_inq;
	bool fo_connect;   /* TCP_FASTOPEN_CONNECT */
	bool fo_no_cookie; /* TCP_FASTOPEN_NO_COOKIE */
	/* connect was told to be done, and the SYN goes with the first write; c is closed yet.
	 * sk.lock */
	bool fo_deferred;
	struct tcp_sock *fo_listener; /* opened fast, its ACK has not come: one reference. sk.lock */
	/* listener; sk.lock */
	struct tcp_fast *fast; /* NULL: has not been asked for */
	struct list_head accepts, requests;
	u32 nr_accepts, nr_requests, backlog;
	s64 cookie_ns;                /* the last cookie went out; 0: none yet */
	struct list_head accept_link; /* in the listener's accepts, its lock */
};
static inline struct tcp_sock *tcp_sk(struct sock *sk)
{
	return container_of(sk, struct tcp_sock, inet.sk);
}
static inline struct tcp_sock *tcp_of(struct tcp_conn *c)
{
	return container_of(c, struct tcp_sock, c);
}

/* Before and after. */
enum tcp_mini_kind { TCP_MINI_REQUEST, TCP_MINI_WAIT };
struct tcp_mini {
	struct hlist_node link; /* bucket lock to write, RCU */
	u32 hash;
	u8 kind;
	bool hashed; /* bucket lock */
	struct net *net;
	struct inet_addr local, remote;
	u16 lport, rport;     /* network byte order */
	s32 ifindex;          /* link-local: by which interface; else 0 */
	u8 tos;               /* what its packets carry */
	struct refcount refs; /* the table's, an armed timer's */
	struct net_timer timer;
	struct rcu_head rcu;
};
struct tcp_half {
	struct tcp_mini mini;      /* first */
	struct tcp_request rq;     /* the listener's sk.lock, as all below */
	struct tcp_sock *listener; /* one reference */
	struct list_head link;
	bool acked; /* with TCP_DEFER_ACCEPT: the bare ACK came */
};
struct tcp_wait {
	struct tcp_mini mini; /* first */
	struct spinlock lock; /* RANK_SOCKET */
	struct tcp_tw tw;     /* lock */
	struct port_hold port;
	kuid_t uid;
};

/* A segment on its way through input, with what IP said of it. */
struct tcp_in {
	struct packet *p; /* payload at data; consumed */
	struct tcp_seg seg;
	struct inet_lookup l;
	s64 now;
};

/* sock.c */
struct tcp_sock *tcp_alloc(int family, u32 gfp) must_check; /* NULL: no memory */
void tcp_start(struct tcp_sock *t, s64 now); /* a fresh state machine; options stay */
static inline void tcp_lock(struct tcp_sock *t)
{
	rcu_read_lock();
	spin_lock(&t->inet.sk.lock);
	t->c.mem_level = inet_mem_level(INET_MEM_TCP);
}
/* Does what the calls under the lock left to do: events, timer, wake-ups. The socket may be gone
 * after it unless the caller has a reference. */
void tcp_unlock(struct tcp_sock *t);
#define TCP_TELL_URGENT 0x80000000u            /* in its mask, not of poll: SIGURG is due */
u32 tcp_settle(struct tcp_sock *t) must_check; /* the same with the lock still held; for signal */
void tcp_signal(struct tcp_sock *t, u32 mask); /* SIGIO; no lock held */
void tcp_hash(struct tcp_sock *t);             /* has been put into the table of connections */
void tcp_unhash(struct tcp_sock *t);
int tcp_open_now(struct tcp_sock *t, s64 now) must_check; /* the SYN, all being set; sk.lock, RCU */
void tcp_fit_path(struct tcp_sock *t, s64 now); /* segment size by the path; sk.lock, RCU */
u32 tcp_new_iss(const struct inet_addr *local, u16 lport, const struct inet_addr *remote, u16 rport,
	s64 now);
u32 tcp_new_ts_off(const struct inet_addr *local, const struct inet_addr *remote);
/* Send p (TCP header at data) for something that has no socket. s: whose options apply, or NULL.
 * Consumes p. RCU. */
void tcp_send_bare(struct net *net, struct inet_sock *s, struct packet *p,
	const struct inet_addr *local, const struct inet_addr *remote, s32 oif, u8 tos);
bool tcp_writable(const struct tcp_sock *t); /* poll's rule */
bool tcp_has_room(const struct tcp_sock *t); /* sendmsg's */
bool tcp_readable(const struct tcp_sock *t);

/* sock_conn.c */
int tcp_connect(struct sock *sk, struct __kernel_sockaddr_storage *a, u32 len, u32 o_flags);
int tcp_shutdown(struct sock *sk, int how);
void tcp_close(struct sock *sk);
void tcp_disconnect(struct tcp_sock *t, s64 now); /* sk.lock, RCU */

/* sock_listen.c */
int tcp_listen(struct sock *sk, int backlog);
struct sock *tcp_accept(struct sock *sk, u32 o_flags);
void tcp_unlisten(struct tcp_sock *t, struct list_head *children);     /* sk.lock */
void tcp_drop_children(struct list_head *children);                    /* no lock */
void tcp_listen_input(struct tcp_sock *t, struct tcp_in *in, u32 iss); /* consumes in->p */
/* False: it is no request any more, look again. */
bool tcp_half_input(struct tcp_half *h, struct tcp_in *in) must_check;

/* sock_cookie.c */
/* Make rq's numbers and options such that rq need not be kept. For one SYN-ACK. */
void tcp_cookie_make(struct tcp_request *rq, const struct inet_lookup *l, s64 now);
/* Is in an ACK of a cookie? Then *syn is the SYN that it answered. */
bool tcp_cookie_check(const struct tcp_in *in, struct tcp_seg *syn) must_check;

/* sock_conn.c */
/* The connect of MSG_FASTOPEN. 0: begun, or deferred (fo_deferred) for the data to come, or (again)
 * it was begun before. */
int tcp_fo_connect(
	struct tcp_sock *t, struct __kernel_sockaddr_storage *a, u32 len, bool *again) must_check;
/* 0: connected; -EINPROGRESS (again: -EALREADY): not by the deadline; -EINTR and so on, or the
 * attempt's error. */
int tcp_connect_wait(struct tcp_sock *t, s64 deadline, bool again) must_check;

/* sock_fastopen.c */
/* A SYN for l: may its data be taken? If not, or if the cookie is of an old key, rq gets a cookie
 * to give. sk.lock. */
bool tcp_fo_judge(struct tcp_sock *l, const struct tcp_in *in, struct tcp_request *rq) must_check;
void tcp_fo_begun(struct tcp_sock *t, struct tcp_sock *l); /* both locks */
/* Its ACK has come, or it is over (reset: by the peer); sk.lock. */
void tcp_fo_ended(struct tcp_sock *t, bool reset, s64 now);
void tcp_fo_listen(struct tcp_sock *t);      /* listen(2); sk.lock */
void tcp_fo_keep_cookie(struct tcp_sock *t); /* that the peer gave; sk.lock */
void tcp_fo_prepare(struct tcp_sock *t);     /* what will its SYN carry? sk.lock */
/* The SYN that was deferred, with p's data (NULL: none). Consumes p. sk.lock, RCU. */
int tcp_fo_open(struct tcp_sock *t, struct packet *p, s64 now) must_check;
int tcp_fo_set(struct tcp_sock *t, int name, int v) must_check; /* sk.lock */
int tcp_fo_set_key(struct tcp_sock *t, const void __user *val, u32 len) must_check;
int tcp_fo_get_key(struct tcp_sock *t, void __user *val, u32 *len) must_check;
struct tcp_fo_cache *tcp_fo_cache_new(void) must_check; /* NULL */
void tcp_fo_cache_free(struct tcp_fo_cache *c);         /* NULL allowed */

/* sock_mini.c */
struct tcp_half *tcp_half_alloc(void) must_check; /* zeroed; NULL: no memory */
struct tcp_mini_table *tcp_mini_table_new(void) must_check;
void tcp_mini_table_free(struct tcp_mini_table *t);
struct tcp_mini *tcp_mini_find(struct tcp_mini_table *t, const struct inet_lookup *l);
/* Takes over the caller's reference for the table. */
void tcp_mini_add(struct tcp_mini_table *t, struct tcp_mini *m);
bool tcp_mini_remove(struct tcp_mini_table *t, struct tcp_mini *m); /* false: wasn't there */
void tcp_mini_put(struct tcp_mini *m);
bool tcp_mini_each(
	struct tcp_mini_table *t, u32 *pos, bool (*fn)(struct tcp_mini *m, void *arg), void *arg);
void tcp_wait_make(struct tcp_sock *t, s64 now); /* t's connection is over; sk.lock */
void tcp_wait_input(struct tcp_wait *w, struct tcp_in *in);
void tcp_wait_end(struct tcp_wait *w); /* at once */
/* May a new connection have the names of this one? Then *iss is a number beyond the old ones. */
bool tcp_wait_reuse(struct tcp_wait *w, u32 *iss) must_check;

/* sock_input.c */
void tcp_rx(struct packet *p);
void tcp_error(struct net *net, const struct icmp_event *e);
void tcp_answer_reset(struct net *net, const struct tcp_in *in);

/* sock_gro.c: inet_protocol.gro */
bool tcp_gro(struct packet *held, struct packet *p);

/* sock_send.c, sock_recv.c */
ssize_t tcp_sendmsg(struct sock *sk, struct sock_msg *m);
ssize_t tcp_recvmsg(struct sock *sk, struct sock_msg *m);

/* sock_option.c */
int tcp_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len);
int tcp_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len);
void tcp_option_changed(struct sock *sk, int name);
void tcp_get_info(const struct tcp_sock *t, struct tcp_info *i); /* sk.lock */
long tcp_ioctl(struct sock *sk, u32 cmd, unsigned long arg);

#endif
