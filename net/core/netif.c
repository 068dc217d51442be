/* The table of interfaces: register, look up, let go. See <net/netif.h>. */
#include "core.h"
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/err.h>
#include <lib/string.h>
#include <lib/hash.h>
#include <lib/printf.h>
#include <lib/xarray.h>

#define NAME_BUCKETS 256

struct netif_table {
	struct xarray by_index;                 /* RCU; config lock */
	struct list_head by_name[NAME_BUCKETS]; /* RCU; config lock */
	int next_index;                         /* config lock */
	u64 seed;
};

static LIST_HEAD(g_listeners); /* added at start-up, under the config lock */

int netif_table_init(struct net *net)
{
	struct netif_table *t = kzalloc(sizeof(*t), GFP_KERNEL);

	if (!t)
		return -ENOMEM;
	xa_init(&t->by_index);
	for (int i = 0; i < NAME_BUCKETS; i++)
		list_init(&t->by_name[i]);
	t->next_index = 1;
	t->seed = random_u64();
	net->netifs = t;
	return 0;
}

void netif_table_free(struct net *net)
{
	xa_destroy(&net->netifs->by_index);
	kfree(net->netifs);
}

static struct list_head *bucket(struct netif_table *t, const char *name)
{
	return &t->by_name[hash_name(name, strlen(name), t->seed) % NAME_BUCKETS];
}

struct netif *netif_by_index(struct net *net, int ifindex)
{
	return ifindex > 0 ? xa_load(&net->netifs->by_index, (u64)ifindex) : NULL;
}

struct netif *netif_next(struct net *net, int after_ifindex)
{
	u64 index = (u64)after_ifindex + 1;

	return xa_find(&net->netifs->by_index, &index, INT_MAX);
}

struct netif *netif_by_name(struct net *net, const char *name)
{
	struct netif *n;

	list_for_each_entry_rcu(n, bucket(net->netifs, name), name_link)
		if (strcmp(n->name, name) == 0)
			return n;
	return NULL;
}

void netif_hash_name(struct netif *n)
{
	list_add_tail(&n->name_link, bucket(n->net->netifs, n->name));
}

/* A reader that stands on n goes on in its old bucket, so n may be hashed anew only after a grace
 * period. */
void netif_unhash_name(struct netif *n)
{
	list_del_rcu(&n->name_link);
}

static bool name_valid(const char *name)
{
	size_t len = strlen(name);

	if (!len || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] == '/' || name[i] == ':' || name[i] == ' ' ||
			(name[i] >= '\t' && name[i] <= '\r'))
			return false;
	return true;
}

int netif_pick_name(struct net *net, char *name)
{
	char pattern[IFNAMSIZ], *percent;

	if (!name_valid(name))
		return -EINVAL;
	str_copy(pattern, name, sizeof(pattern));
	percent = strchr(pattern, '%');
	if (!percent)
		return netif_by_name(net, name) ? -EEXIST : 0;
	if (percent[1] != 'd' || strchr(percent + 2, '%'))
		return -EINVAL;
	*percent = 0;
	for (int i = 0; i < INT_MAX; i++) {
		if (ksnprintf(name, IFNAMSIZ, "%s%d%s", pattern, i, percent + 2) >= IFNAMSIZ)
			return -ENFILE;
		if (!netif_by_name(net, name))
			return 0;
	}
	return -ENFILE;
}

struct netif *netif_alloc(const struct netif_ops *ops, const char *name, u32 nr_queues)
{
	struct netif *n = kzalloc(sizeof(*n), GFP_KERNEL);

	if (!n)
		return NULL;
	n->cpu_stats = kcalloc((size_t)g_nr_cpus, sizeof(*n->cpu_stats), GFP_KERNEL | GFP_ZERO);
	if (nr_queues)
		n->queues = kcalloc(nr_queues, sizeof(*n->queues), GFP_KERNEL | GFP_ZERO);
	if (!n->cpu_stats || (nr_queues && !n->queues)) {
		kfree(n->cpu_stats);
		kfree(n->queues);
		kfree(n);
		return NULL;
	}
	n->ops = ops;
	str_copy(n->name, name, sizeof(n->name));
	n->nr_queues = nr_queues;
	n->num_rx_queues = 1;
	n->carrier = true;
	n->operstate = IF_OPER_UNKNOWN;
	n->speed_mbps = U32_MAX; /* not known */
	n->duplex = 0xff;
	ref_init(&n->refs, 1);
	list_init(&n->taps);
	list_init(&n->unicast);
	list_init(&n->multicast);
	netif_link_init(n);
	transmit_init(n);
	return n;
}

void put_netif(struct netif *n)
{
	if (!ref_put(&n->refs))
		return;
	netif_free_filters(n);
	if (n->ops->free)
		n->ops->free(n);
	kfree(n->cpu_stats);
	kfree(n->queues);
	kfree(n);
}

int netif_register(struct net *net, struct netif *n)
{
	struct netif_table *t = net->netifs;
	int err;

	mutex_lock(&net->config_lock);
	err = netif_pick_name(net, n->name);
	if (err)
		goto out;
	n->net = net;
	n->ifindex = t->next_index;
	if (n->carrier_changes) /* the driver knows */
		n->operstate = n->carrier ? IF_OPER_UP : IF_OPER_DOWN;
	err = xa_store(&t->by_index, (u64)n->ifindex, n, GFP_KERNEL);
	if (err)
		goto out;
	t->next_index++;
	netif_hash_name(n);
	n->listed = true;
	netif_tell(n, NETIF_REGISTERED);
out:
	mutex_unlock(&net->config_lock);
	return err;
}

static bool wakes_queued(const struct netif *n)
{
	for (u32 i = 0; i < n->nr_queues; i++)
		if (READ_ONCE(n->queues[i].wake.queued))
			return true;
	return false;
}

void netif_unregister(struct netif *n)
{
	struct net *net = n->net;

	mutex_lock(&net->config_lock);
	if (n->flags & IFF_UP)
		netif_close(n);
	netif_tell(n, NETIF_GONE);
	n->listed = false;
	xa_erase(&net->netifs->by_index, (u64)n->ifindex);
	netif_unhash_name(n);
	mutex_unlock(&net->config_lock);
	net_synchronize(); /* nobody finds it any more */
	net_drain();       /* nor has a packet of it */
	work_cancel_sync(&n->link_work);
	while (wakes_queued(n))
		net_drain();
	transmit_purge(n);
	put_netif(n);
}

void netif_tell(struct netif *n, enum netif_event e)
{
	struct netif_listener *l;

	list_for_each_entry(l, &g_listeners, link)
		l->fn(n, e);
}

void netif_listen(struct netif_listener *l)
{
	struct netif *n;

	mutex_lock(&g_init_net.config_lock);
	list_add_tail(&l->link, &g_listeners);
	for (int i = 0; (n = netif_next(&g_init_net, i)); i = n->ifindex) {
		l->fn(n, NETIF_REGISTERED);
		if (n->flags & IFF_UP)
			l->fn(n, NETIF_UP);
	}
	mutex_unlock(&g_init_net.config_lock);
}

void netif_get_stats(struct netif *n, struct rtnl_link_stats64 *s)
{
	*s = n->totals;
	for_each_cpu(cpu) {
		const struct netif_cpu_stats *c = &n->cpu_stats[cpu];

		s->rx_packets += c->rx_packets;
		s->rx_bytes += c->rx_bytes;
		s->rx_dropped += c->rx_dropped;
		s->rx_nohandler += c->rx_nohandler;
		s->multicast += c->multicast;
		s->tx_packets += c->tx_packets;
		s->tx_bytes += c->tx_bytes;
	}
	for (u32 i = 0; i < n->nr_queues; i++) {
		struct netif_queue *q = &n->queues[i];

		spin_lock(&q->lock);
		s->tx_packets += q->packets;
		s->tx_bytes += q->bytes;
		s->tx_dropped += q->dropped;
		spin_unlock(&q->lock);
	}
	if (n->ops->stats)
		n->ops->stats(n, s);
}
