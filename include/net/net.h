/*
 * A network namespace: all state of the network hangs off a struct net. There is one today. Modules
 * keep theirs in slots that they register at start-up; nothing else is global but caches and
 * secrets.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <core/refcount.h>
#include <lib/hash.h>
#include <sched/mutex.h>

#define NET_SLOTS 16

struct netif_table;

struct net {
	struct refcount refs;
	struct mutex
		config_lock; /* RANK_NET_CONFIG: interfaces, addresses, routes change under it */
	struct netif_table *netifs; /* of net/core */
	struct netif *loopback;     /* immutable after init */
	u64 ino;
	void *slots[NET_SLOTS]; /* modules' state */
};
extern struct net g_init_net;
static inline void get_net(struct net *net)
{
	ref_get(&net->refs);
}
void put_net(struct net *net);
/* Another namespace, with an interface lo, one reference: for simulations of several hosts. Error
 * pointer. */
struct net *net_create(void) must_check;
/* Ends one from net_create, whose only reference is the caller's, with the interfaces in it.
 * Sleeps. */
void net_destroy(struct net *net);
/* Sockets that are made belong to this one. */
struct net *net_current(void);
void net_set_current(struct net *net);

struct net_module {
	const char *name;
	int (*init)(struct net *net, int slot); /* fills net->slots[slot] */
	void (*exit)(struct net *net, int slot);
};
/* Returns the slot's number; init is called for namespaces that are there. INIT_CORE to INIT_LATE. */
int net_module_register(const struct net_module *m);

extern struct siphash_key g_net_secret; /* hashes of what strangers choose; set before INIT_CORE */

#endif
