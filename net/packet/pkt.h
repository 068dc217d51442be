/*
 * What the files of net/packet share.
 *
 * A packet socket is a tap (net_tap) while it has a protocol. Its hook clones what its filter wants
 * into the receive queue, or copies it into the ring that the program has mapped.
 */
#ifndef NET_PACKET_PRIVATE_H
#define NET_PACKET_PRIVATE_H

#include <linux/if_packet.h>
#include <net/netif.h>
#include <sched/mutex.h>
#include <socket/socket.h>

struct pkt_ring;

struct pkt_member { /* PACKET_ADD_MEMBERSHIP; call_lock */
	struct list_head link;
	int ifindex;
	u16 type, alen;
	u8 addr[NETIF_ADDR_MAX];
	u32 users;
};

struct pkt_sock {
	struct sock sk;
	struct mutex call_lock;   /* RANK_SOCKET_CALL: bind, options */
	struct net_tap tap;       /* call_lock */
	bool tapping;             /* call_lock */
	int ifindex;              /* call_lock: bound to; 0: all, -1: it is gone */
	u16 proto;                /* host order; call_lock */
	struct list_head link;    /* of all: g_lock of socket.c */
	struct list_head members; /* call_lock */
	/* sk.lock */
	struct packet_queue queue;
	u32 queued;                  /* truesize of the queue */
	u64 packets, drops, freezes; /* since PACKET_STATISTICS was read */
	/* options: call_lock to write */
	bool auxdata, ignore_outgoing;
	bool orig_dev;   /* kept only: no interface stands on another, so both are the same */
	bool copy_whole; /* PACKET_COPY_THRESH: what a ring's frame cuts goes into the queue too */
	u32 version, reserve;
	u32 timestamp;         /* PACKET_TIMESTAMP: kept only, no device has a clock */
	struct pkt_ring *ring; /* NULL: none. sk.lock to change */
	u32 sent_bytes;        /* atomic: on their way, against SO_SNDBUF */
};

/* In packet.cb: what recvmsg tells. */
struct pkt_cb {
	u32 orig_len; /* before the filter cut it */
	u16 hatype, protocol;
	u8 pkt_type, halen;
	int ifindex;
	u8 addr[8];
};

static inline struct pkt_sock *pkt_of(struct sock *sk)
{
	return container_of(sk, struct pkt_sock, sk);
}
static inline struct pkt_cb *pkt_cb(struct packet *p)
{
	return (struct pkt_cb *)p->cb;
}
void pkt_to_address(const struct pkt_cb *cb, struct sockaddr_ll *ll);

/* receive.c */
void pkt_tap(struct net_tap *t, struct packet *p, struct netif *n, bool outgoing);
ssize_t pkt_recvmsg(struct sock *sk, struct sock_msg *m);
void pkt_aux(const struct packet *p, struct tpacket_auxdata *aux);
/* send.c */
ssize_t pkt_sendmsg(struct sock *sk, struct sock_msg *m);
/* option.c */
int pkt_setsockopt(struct sock *sk, int level, int name, const void __user *val, u32 len);
int pkt_getsockopt(struct sock *sk, int level, int name, void __user *val, u32 *len);
/* member.c: call_lock */
int pkt_member_add(struct pkt_sock *s, const struct packet_mreq *m) must_check;
int pkt_member_drop(struct pkt_sock *s, const struct packet_mreq *m) must_check;
void pkt_members_forget(struct pkt_sock *s);
/* socket.c */
/* Each socket of the namespace; fn may not sleep on a lock. */
void pkt_each(struct net *net, void (*fn)(struct pkt_sock *s, void *arg), void *arg);
int pkt_retap(struct pkt_sock *s, int ifindex, u16 proto) must_check; /* call_lock */
/* ring.c. set: call_lock */
int pkt_ring_set(struct pkt_sock *s, const void __user *val, u32 len) must_check;
void pkt_ring_free(struct pkt_sock *s);
int pkt_ring_mmap(struct sock *sk, struct map_request *rq);
/* sk.lock. What the ring takes of p (data at what the program sees). False: no room. copied: the
 * whole packet can be read from the queue. */
bool pkt_ring_put(struct pkt_sock *s, struct packet *p, u32 snap, const struct pkt_cb *cb,
	u32 mac_len, bool copied);
bool pkt_ring_cuts(const struct pkt_sock *s, u32 snap, u32 mac_len); /* it has no room for all */
bool pkt_ring_ready(const struct pkt_sock *s);
u32 pkt_ring_header(u32 version); /* PACKET_HDRLEN; 0: no such version */

#endif
