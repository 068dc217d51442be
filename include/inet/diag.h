/*
 * sock_diag for internet sockets (sock_diag(7)): a protocol shows its sockets one by one, the rest
 * is the same for all.
 */
#ifndef INET_DIAG_H
#define INET_DIAG_H

#include <inet/sock.h>
#include <inet/table.h>
#include <netlink/netlink.h>

/* What is asked of each. A request or TIME_WAIT has no socket. */
struct inet_diag_entry {
	struct inet_sock *s; /* NULL: none */
	u8 family, state, timer, retrans;
	struct inet_addr local, remote;
	u16 lport, rport; /* network byte order */
	u32 ifindex, mark;
	u64 cookie;
	u32 expires_ms, rqueue, wqueue, uid, inode;
	bool port_chosen; /* by bind(2) with a port: INET_DIAG_BC_AUTO is about the others */
};
typedef bool inet_diag_fn(const struct inet_diag_entry *e, void *arg);

struct inet_diag_proto {
	u8 protocol;
	u32 nr_tables;
	/* Each entry of a table under RCU, as inet_table_each; fn may take sk.lock. */
	bool (*each)(struct net *net, u32 table, u32 *pos, inet_diag_fn *fn, void *arg);
	/* The one with these names; false: none. Under RCU. */
	bool (*find)(struct net *net, const struct inet_lookup *l, inet_diag_fn *fn, void *arg);
	/* Attributes of its own: ext has 1 << (INET_DIAG_* - 1). False: no room. NULL: none. */
	bool (*fill)(struct nl_buf *b, const struct inet_diag_entry *e, u8 ext);
	/* SK_MEMINFO_*: what its packets take. */
	void (*memory)(const struct inet_sock *s, u32 *rmem, u32 *wmem, u32 *drops);
};
void inet_diag_register(const struct inet_diag_proto *p); /* at start-up */
/* The fields that every socket has. */
void inet_diag_entry_of(struct inet_sock *s, struct inet_diag_entry *e);

#endif
