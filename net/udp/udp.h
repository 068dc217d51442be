/* Inside net/udp. */
#ifndef UDP_PRIVATE_H
#define UDP_PRIVATE_H

#include <abi/udplite.h>
#include <inet/inet.h>
#include <inet/mem.h>
#include <inet/ports.h>
#include <inet/sock.h>
#include <inet/table.h>
#include <kmem/slab.h>
#include <lib/string.h>
#include <linux/udp.h>

#define UDP_MAX_SEGMENTS 64   /* of one UDP_SEGMENT send */
#define UDP_RMEM_MIN     4096 /* bytes that a socket may have when all have too much */

struct udp_cork { /* a message in the making: MSG_MORE, UDP_CORK */
	struct packet *p;
	struct inet_addr dst;
	u16 port;
	s32 scope;
	struct inet_send send;
};

struct udp_sock {
	struct inet_sock inet; /* first */
	/* sk.lock */
	struct packet_queue rx; /* data at the payload */
	u32 rx_truesize;
	u32 drops; /* for want of room */
	bool corking, gro, no_check6_tx, no_check6_rx;
	u16 gso_size;
	/* UDP-Lite: bytes that the checksum covers, 0: all; as set by the user */
	bool send_cov_set, recv_cov_set;
	u16 send_cov, recv_cov;
	s32 wmem; /* bytes of packets on their way; atomic */
	/* One sender at a time while a message is corked: call_lock, RANK_SOCKET_CALL. */
	struct mutex call_lock;
	struct udp_cork cork;
};
static inline struct udp_sock *udp_sk(struct sock *sk)
{
	return container_of(sk, struct udp_sock, inet.sk);
}

/* UDP and UDP-Lite have ports of their own. */
struct udp_tables {
	struct port_table *ports;
	struct inet_table *table;
};
struct udp_net {
	struct udp_tables udp, lite;
};
extern int g_udp_slot; /* set at start-up */
static inline struct udp_tables *udp_tables(const struct net *net, u16 protocol)
{
	struct udp_net *un = net->slots[g_udp_slot];

	return protocol == IPPROTO_UDPLITE ? &un->lite : &un->udp;
}
static inline struct udp_tables *udp_tables_of(const struct inet_sock *s)
{
	return udp_tables(s->sk.net, s->sk.protocol);
}
static inline bool udp_is_lite(const struct udp_sock *u)
{
	return u->inet.sk.protocol == IPPROTO_UDPLITE;
}
extern u32 g_udp_gro_users; /* sockets with UDP_GRO; atomic */

/* input.c */
void udp_input(struct packet *p);
void udplite_input(struct packet *p);
void udp_error(struct net *net, const struct icmp_event *e);
void udplite_error(struct net *net, const struct icmp_event *e);
bool udp_gro(struct packet *held, struct packet *p);
/* output.c */
ssize_t udp_sendmsg(struct sock *sk, struct sock_msg *m);
int udp_push(struct udp_sock *u); /* send what is corked; call_lock */
void udp_cork_drop(struct udp_sock *u);
s32 udp_writable(const struct udp_sock *u); /* bytes of room; <= 0: none */
/* recv.c */
ssize_t udp_recvmsg(struct sock *sk, struct sock_msg *m);

#endif
