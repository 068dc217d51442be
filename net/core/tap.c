/*
 * Taps: who sees all packets (AF_PACKET). The lists are read under RCU by every packet, so the
 * common case, nobody, is two loads.
 */
#include "core.h"

static DEFINE_SPINLOCK(g_taps_lock, RANK_SOCKET_LEAF);
static LIST_HEAD(g_taps); /* of all interfaces: RCU; g_taps_lock */

/* Everything that is there is shown to everybody who wants all, or this type. */
static void show_list(struct list_head *list, struct netif *n, struct packet *p, bool outgoing)
{
	u16 type = __builtin_bswap16(p->protocol);
	struct net_tap *t;

	list_for_each_entry_rcu(t, list, link) {
		/* Taps of one protocol are receivers like others: they don't see what leaves. */
		if (t->type == ETH_P_ALL || (t->type == type && !outgoing))
			t->fn(t, p, n, outgoing);
	}
}

void tap_show(struct netif *n, struct packet *p, bool outgoing)
{
	if (unlikely(!list_empty(&n->taps)))
		show_list(&n->taps, n, p, outgoing);
	if (unlikely(!list_empty(&g_taps)))
		show_list(&g_taps, n, p, outgoing);
}

void net_tap_add(struct net *net, struct net_tap *t)
{
	spin_lock(&g_taps_lock);
	list_add_tail(&t->link, t->netif ? &t->netif->taps : &g_taps);
	spin_unlock(&g_taps_lock);
}

void net_tap_remove(struct net_tap *t)
{
	spin_lock(&g_taps_lock);
	list_del_rcu(&t->link);
	spin_unlock(&g_taps_lock);
	net_synchronize();
	list_init(&t->link);
}
