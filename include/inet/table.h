/*
 * Tables of sockets that packets look up under RCU: connected ones by all four of addresses and
 * ports, bound ones by local address and port, best match first, with groups of SO_REUSEPORT among
 * which the flow's hash chooses. Sized once by the machine's memory; keyed hashes.
 *
 * A look-up returns without a reference; the socket is freed after a grace period.
 */
#ifndef INET_TABLE_H
#define INET_TABLE_H

#include <inet/sock.h>

struct inet_table;
struct inet_table *inet_table_new(struct net *net) must_check; /* sleeps; NULL */
void inet_table_free(struct inet_table *t);

/* Bound sockets. The caller holds sk.lock; s->local, s->lport and sk.bound_dev are set. Adding a
 * socket with SO_REUSEPORT joins or founds its group: -ENOMEM. Moving: remove and add. */
int inet_table_bind(struct inet_table *t, struct inet_sock *s) must_check;
void inet_table_unbind(struct inet_table *t, struct inet_sock *s);
/* Connected sockets by (local, lport, remote, rport). */
void inet_table_connect(struct inet_table *t, struct inet_sock *s);
void inet_table_disconnect(struct inet_table *t, struct inet_sock *s);
/* Add unless one with the same four is there. */
bool inet_table_connect_unique(struct inet_table *t, struct inet_sock *s) must_check;

struct inet_lookup {
	struct inet_addr local, remote;
	u16 lport, rport; /* network byte order */
	u32 ifindex;
};
struct inet_sock *inet_table_connected(struct inet_table *t, const struct inet_lookup *l);
/* Exact address before wildcard, bound device before none, IPv4 socket before dual-stack. */
struct inet_sock *inet_table_bound(struct inet_table *t, const struct inet_lookup *l);
/* Each socket, bound ones or connected ones, under RCU; for /proc and sock_diag: *pos counts
 * buckets; fn false: stop, *pos stays at that bucket. */
bool inet_table_each(struct inet_table *t, bool connected, u32 *pos,
	bool (*fn)(struct inet_sock *s, void *arg), void *arg);
/* Sockets of a family, bound ones and connected ones; under RCU. */
u32 inet_table_count(struct inet_table *t, int family);
/* Each socket bound to a port (multicast delivery): under RCU. */
void inet_table_each_port(struct inet_table *t, const struct inet_addr *local, u16 lport,
	bool (*fn)(struct inet_sock *s, void *arg), void *arg);

#endif
