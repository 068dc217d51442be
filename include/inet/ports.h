/*
 * Local ports: who may use which, for UDP and TCP alike (one table each per namespace). A port has
 * a use for each local address and device that it is bound with; a use counts its sockets by what
 * matters for conflicts, so a check looks at addresses, never at sockets.
 *
 * Rules, as Linux 6.1 has them: two uses of a port conflict when their addresses and devices
 * overlap, unless both sockets have SO_REUSEADDR (TCP: and none listens), or both have SO_REUSEPORT
 * and the same owner.
 */
#ifndef INET_PORTS_H
#define INET_PORTS_H

#include <inet/sock.h>

struct port_table;
struct port_table *port_table_new(struct net *net, bool tcp) must_check; /* sleeps; NULL */
void port_table_free(struct port_table *t);

/*
 * Bind s to port (host order) with s->local and its device and options; 0: choose an ephemeral one
 * at random (RFC 6056) such that taken(s, port) is false (NULL: not asked). Sets s->lport and
 * s->port. sk.lock held. -EADDRINUSE -ENOMEM.
 */
int port_bind(struct port_table *t, struct inet_sock *s, u16 port,
	bool (*taken)(struct inet_sock *s, u16 port)) must_check;
/*
 * For connect of an unbound TCP socket: an ephemeral port that may be shared with others, as the
 * four-tuple tells connections apart; claim(s, port) takes the four-tuple or says false. Algorithm
 * 3 of RFC 6056, offset by a keyed hash of the addresses. -EADDRNOTAVAIL.
 */
int port_connect(struct port_table *t, struct inet_sock *s,
	bool (*claim)(struct inet_sock *s, u16 port)) must_check;
/* A connection that shares the listener's port. -ENOMEM. */
int port_inherit(struct inet_sock *child, const struct inet_sock *listener) must_check;
/* listen(2): the conflict rules are stricter now. -EADDRINUSE. */
int port_listen(struct inet_sock *s) must_check;
void port_unlisten(struct inet_sock *s);
/* s->local has changed (connect chose a source, disconnect gave it back). -ENOMEM: unchanged. */
int port_move(struct inet_sock *s) must_check;
/* An option that counts (SO_REUSEADDR, SO_REUSEPORT, the device) was changed after bind. */
void port_options(struct inet_sock *s);
void port_release(struct inet_sock *s); /* s->lport stays for the caller to clear */
/* What is left of a socket in TIME_WAIT keeps its count of the port. */
struct port_hold {
	struct port_use *use; /* NULL: none */
	u8 flags;
};
void port_give(struct inet_sock *s, struct port_hold *to); /* s has it no more; sk.lock */
void port_drop(struct port_hold *h);

#endif
