/* What the files of net/core share. */
#ifndef NET_CORE_PRIVATE_H
#define NET_CORE_PRIVATE_H

#include <net/context.h>
#include <net/netif.h>
#include <net/net.h>
#include <net/packet.h>

/* packet.c, sum.c */
u64 packet_sum_linear(const struct packet *p, u32 from, u64 sum);

/* input.c: one packet of the backlog; network header behind mac_off. Packet context. */
void input_frame(struct packet *p);
/* Give held packets (GRO) to their protocols. Packet context. */
void input_flush(void);

/* tap.c: does anybody listen on n? Then show p. RCU. */
void tap_show(struct netif *n, struct packet *p, bool outgoing);

/* ether.c: false: no frame */
bool ether_input(struct netif *n, struct packet *p);

/* netif.c, netif_config.c */
int netif_table_init(struct net *net);
void netif_table_free(struct net *net);
void netif_tell(struct netif *n, enum netif_event e);        /* config lock */
int netif_pick_name(struct net *net, char *name) must_check; /* fills in %d; config lock */
void netif_hash_name(struct netif *n);
void netif_unhash_name(struct netif *n);
void netif_link_init(struct netif *n);
int netif_open(struct netif *n) must_check; /* config lock, as the next */
void netif_close(struct netif *n);
void netif_free_filters(struct netif *n);

/* transmit.c */
void transmit_init(struct netif *n);
void transmit_purge(struct netif *n); /* drops what waits in the queues */

/* loopback.c */
int loopback_create(struct net *net);

#endif
