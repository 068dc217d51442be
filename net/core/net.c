/* Network namespaces and the state that modules keep in them. */
#include "core.h"
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <kmem/slab.h>
#include <lib/err.h>

#define FIRST_INO 4026531840ull /* of the first network namespace, as /proc/PID/ns/net shows it */

struct net g_init_net = {
	.refs = REFCOUNT_INIT(1),
	.config_lock = MUTEX_INIT(g_init_net.config_lock, RANK_NET_CONFIG),
	.ino = FIRST_INO,
};
struct siphash_key g_net_secret;

static struct net *g_current = &g_init_net;
static const struct net_module *g_modules[NET_SLOTS]; /* set at start-up */
static int g_nr_modules;

struct net *net_current(void)
{
	return g_current;
}

void net_set_current(struct net *net)
{
	g_current = net;
}

void put_net(struct net *net)
{
	BUG_ON(ref_put(&net->refs)); /* its maker has a reference until net_destroy */
}

struct net *net_create(void)
{
	static u64 g_next_ino = FIRST_INO + 1;
	struct net *net = kzalloc(sizeof(*net), GFP_KERNEL);
	int err;

	if (!net)
		return err_ptr(-ENOMEM);
	ref_init(&net->refs, 1);
	mutex_init(&net->config_lock, RANK_NET_CONFIG);
	net->ino = g_next_ino++;
	err = netif_table_init(net);
	for (int i = 0; !err && i < g_nr_modules; i++)
		err = g_modules[i]->init(net, i);
	if (!err)
		err = loopback_create(net);
	if (err)
		panic("net: no memory for a simulated host");
	return net;
}

void net_destroy(struct net *net)
{
	struct netif *n;

	while ((n = netif_next(net, 0)))
		netif_unregister(n);
	for (int i = g_nr_modules; i--;)
		if (g_modules[i]->exit)
			g_modules[i]->exit(net, i);
	BUG_ON(ref_read(&net->refs) != 1);
	netif_table_free(net);
	kfree(net);
}

int net_module_register(const struct net_module *m)
{
	int slot = g_nr_modules, err;

	BUG_ON(slot == NET_SLOTS);
	g_modules[g_nr_modules++] = m;
	err = m->init(&g_init_net, slot);
	if (err)
		init_failed(m->name, err);
	return slot;
}

static int net_early(void)
{
	random_bytes(&g_net_secret, sizeof(g_net_secret));
	return netif_table_init(&g_init_net);
}
INIT_HOOK(INIT_SCHED, net_early);

static int net_init(void)
{
	return loopback_create(&g_init_net);
}
INIT_HOOK(INIT_SMP, net_init);
