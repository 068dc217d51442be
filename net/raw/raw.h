/* Inside net/raw: raw and ping sockets share their queue, their send buffer and most calls. */
#ifndef RAW_PRIVATE_H
#define RAW_PRIVATE_H

#include <inet/inet.h>
#include <inet/sock.h>
#include <kmem/slab.h>
#include <lib/string.h>

struct raw_sock {
	struct inet_sock inet;  /* first */
	struct hlist_node link; /* by protocol, or by ident: RCU; table lock */
	/* sk.lock */
	struct packet_queue rx;
	u32 rx_truesize, drops;
	s32 wmem;        /* bytes of packets on their way; atomic */
	u32 filter[8];   /* ICMP types that are not wanted: bit set */
	s32 csum_offset; /* IPV6_CHECKSUM; -1: none */
};
static inline struct raw_sock *raw_sk(struct sock *sk)
{
	return container_of(sk, struct raw_sock, inet.sk);
}

/* queue.c */
/* Queue p for the program, data at what it shall see. Consumes p. */
void raw_enqueue(struct raw_sock *r, struct packet *p);
ssize_t raw_recvmsg(struct sock *sk, struct sock_msg *m);
u32 raw_poll(struct sock *sk);
long raw_ioctl(struct sock *sk, u32 cmd, unsigned long arg);
int raw_shutdown(struct sock *sk, int how);
void raw_error_to(struct raw_sock *r, const struct icmp_event *e, u32 payload_off);
/* A message of a send: destination, options, path (one reference on rt), data behind
 * PACKET_HEADROOM. */
struct raw_message {
	struct inet_addr dst;
	u16 port;
	s32 scope;
	bool connected;
	struct inet_send send;
	struct ip_path path;
};
int raw_prepare(struct raw_sock *r, struct sock_msg *m, struct raw_message *msg) must_check;
void raw_done(struct raw_message *msg);
/* An empty packet, charged to the socket. Waits for room: -EAGAIN and so on as error pointers. */
struct packet *raw_packet(struct raw_sock *r, struct sock_msg *m) must_check;
void raw_charge(struct raw_sock *r, struct packet *p); /* once it has its size */
struct raw_sock *raw_alloc(const struct sock_ops *ops, const struct inet_ops *iops, int family,
	int type, int protocol); /* NULL */
void raw_destroy(struct sock *sk);
void raw_purge(struct raw_sock *r);
int raw_connect(struct sock *sk, struct __kernel_sockaddr_storage *a, u32 len, u32 o_flags);
/* raw.c */
bool raw_input(struct packet *p);
void raw_error(struct net *net, const struct icmp_event *e, u8 proto);
void raw_init(void);
/* ping.c */
void ping_input(struct packet *p);
void ping_error(struct net *net, const struct icmp_event *e);
void ping_init(void);

#endif
