/* NETLINK_KOBJECT_UEVENT: what happens to devices, as strings; and those of network interfaces. */
#include "nl.h"
#include <core/init.h>
#include <lib/err.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <net/netif.h>

#define UEVENT_SIZE 2048u

static u64 g_seqnum; /* atomic */

static bool add(struct nl_buf *b, const char *s)
{
	u32 n = (u32)strlen(s) + 1;

	if (b->size - b->len < n)
		return false;
	memcpy(b->data + b->len, s, n);
	b->len += n;
	return true;
}

void uevent_send(const char *action, const char *devpath, const char *const *env, u32 nr_env)
{
	u64 seq = __atomic_add_fetch(&g_seqnum, 1, __ATOMIC_RELAXED);
	struct nl_buf b = nl_alloc(UEVENT_SIZE, GFP_KERNEL);
	bool ok = b.data;

	if (!ok)
		return nl_multicast(&g_init_net, NETLINK_KOBJECT_UEVENT, 1, &b, 0);
	b.len = (u32)kscnprintf((char *)b.data, b.size, "%s@%s", action, devpath) + 1;
	b.len += (u32)kscnprintf((char *)b.data + b.len, b.size - b.len, "ACTION=%s", action) + 1;
	b.len += (u32)kscnprintf((char *)b.data + b.len, b.size - b.len, "DEVPATH=%s", devpath) + 1;
	for (u32 i = 0; i < nr_env; i++)
		ok &= add(&b, env[i]);
	b.len += (u32)kscnprintf((char *)b.data + b.len, b.size - b.len, "SEQNUM=%llu",
			 (unsigned long long)seq) +
		1;
	if (ok)
		nl_multicast(&g_init_net, NETLINK_KOBJECT_UEVENT, 1, &b, 0);
	else
		nl_free(&b);
}

static void tell(struct netif *n, enum netif_event e)
{
	char path[64], interface[32], index[32];
	const char *const env[] = {"SUBSYSTEM=net", interface, index};

	if (e != NETIF_REGISTERED && e != NETIF_GONE)
		return;
	if (!nl_has_listeners(&g_init_net, NETLINK_KOBJECT_UEVENT, 1))
		return;
	ksnprintf(path, sizeof(path), "/devices/virtual/net/%s", n->name);
	ksnprintf(interface, sizeof(interface), "INTERFACE=%s", n->name);
	ksnprintf(index, sizeof(index), "IFINDEX=%d", n->ifindex);
	uevent_send(e == NETIF_GONE ? "remove" : "add", path, env, ARRAY_SIZE(env));
}

static int uevent_init(void)
{
	static struct netif_listener listener = {.fn = tell};

	netif_listen(&listener);
	return 0;
}
INIT_HOOK(INIT_CORE, uevent_init);
