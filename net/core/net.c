/* Network namespaces and the state that modules keep in them. */
#include "core.h"
#include <core/init.h>
#include <core/log.h>
#include <core/trace.h>
#include <lib/err.h>

#define FIRST_INO 4026531840ull /* of the first network namespace, as /proc/PID/ns/net shows it */

struct net g_init_net = {
	.refs = REFCOUNT_INIT(1),
	.config_lock = MUTEX_INIT(g_init_net.config_lock, RANK_NET_CONFIG),
	.ino = FIRST_INO,
};
struct siphash_key g_net_secret;

void put_net(struct net *net)
{
	BUG_ON(ref_put(&net->refs)); /* the first namespace is for ever */
}

static const struct net_module *g_modules[NET_SLOTS]; /* set at start-up */
static int g_nr_modules;

int net_module_register(const struct net_module *m)
{
	int slot = g_nr_modules, err;

	BUG_ON(slot == NET_SLOTS);
	g_modules[g_nr_modules++] = m;
	err = m->init(&g_init_net, slot);
	if (err)
		panic("net: %s: %s", m->name, errno_name(err));
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
