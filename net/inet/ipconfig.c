/*
 * ip= on the command line, the static form: ip=CLIENT::GATEWAY:NETMASK:HOSTNAME:DEVICE:off, as
 * Documentation/admin-guide/nfs/nfsroot.rst has it. Automatic configuration (dhcp, bootp) isn't
 * done by the kernel: it is refused with a line in the log.
 */
#include "inet.h"
#include <linux/if_addr.h>

static char g_text[256]; /* set while the command line is read */

static int option(const char *value)
{
	return str_copy(g_text, value, sizeof(g_text)) < 0 ? -EINVAL : 0;
}
INIT_OPTION("ip", option);

/* The next field: ended by a colon, which becomes NUL. */
static char *field(char **at)
{
	char *start = *at, *colon = strchr(start, ':');

	if (colon)
		*colon = 0;
	*at = colon ? colon + 1 : start + strlen(start);
	return start;
}

static struct netif *find_device(struct net *net, const char *name)
{
	struct netif *n;

	if (name[0])
		return netif_by_name(net, name);
	for (n = netif_next(net, 0); n; n = netif_next(net, n->ifindex))
		if (!(n->flags & IFF_LOOPBACK))
			return n;
	return NULL;
}

static int add_address(struct netif *n, const struct inet_addr *client, u8 prefix)
{
	struct ifaddr *ia = ifaddr_new(inet_dev(n), client, prefix);

	if (!ia)
		return -ENOMEM;
	ia->flags = IFA_F_PERMANENT;
	if (prefix < 31)
		ia->broadcast = addr_v4(client->w[3] | ~htonl(U32_MAX << (32 - prefix)));
	memcpy(ia->label, n->name, IFNAMSIZ);
	return ifaddr_add(ia);
}

static int add_gateway(struct net *net, struct netif *n, const struct inet_addr *gateway)
{
	struct fib_spec *s = kmalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	fib_spec_init(s, AF_INET);
	s->nr_hops = 1;
	s->hops[0].ifindex = n->ifindex;
	s->hops[0].gateway = *gateway;
	err = fib_add(inet_net(net), s, NLM_F_CREATE);
	kfree(s);
	return err;
}

/* -EINVAL: it isn't one. None given: by the class of the address. */
static int prefix_of(const char *mask, const struct inet_addr *client)
{
	struct inet_addr m;
	u8 first = client->b[12];
	u32 rest;

	if (mask[0]) {
		if (!addr_parse(mask, &m) || !addr_is_v4(&m))
			return -EINVAL;
		rest = ~ntohl(m.w[3]);
		return rest & (rest + 1) ? -EINVAL : __builtin_popcount(m.w[3]);
	}
	return first < 128 ? 8 : first < 192 ? 16 : 24;
}

static bool is_off(const char *word)
{
	return !strcmp(word, "off") || !strcmp(word, "none");
}

static int configure(void)
{
	struct net *net = &g_init_net;
	bool given = g_text[0];
	char *at = g_text, *client = field(&at), *server, *gateway, *mask, *host, *device,
	     *autoconf;
	struct inet_addr a, gw;
	struct netif *n;
	int err, prefix;

	server = field(&at);
	gateway = field(&at);
	mask = field(&at);
	host = field(&at);
	device = field(&at);
	autoconf = field(&at);
	(void)server;
	(void)host; /* the host's name is set by its init */
	if (!given || is_off(client) || (!client[0] && is_off(autoconf)))
		return 0;
	if (!addr_parse(client, &a) || !addr_is_v4(&a) || (autoconf[0] && !is_off(autoconf))) {
		log_warn(
			"ip=: automatic configuration (%s) isn't done by the kernel; use a DHCP client",
			autoconf[0] ? autoconf : client);
		return 0;
	}
	mutex_lock(&net->config_lock);
	n = find_device(net, device);
	prefix = prefix_of(mask, &a);
	err = prefix < 0 ? prefix : n && inet_dev(n) ? netif_set_flags(n, IFF_UP, IFF_UP) : -ENODEV;
	if (!err)
		err = add_address(n, &a, (u8)prefix);
	if (!err && gateway[0])
		err = addr_parse(gateway, &gw) && addr_is_v4(&gw) ? add_gateway(net, n, &gw)
								  : -EINVAL;
	mutex_unlock(&net->config_lock);
	if (err)
		log_warn("ip=: %s: %s", device[0] ? device : "no interface", errno_name(err));
	return 0;
}
INIT_HOOK(INIT_LATE, configure);
