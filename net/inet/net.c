/* The state of a namespace, and start-up. */
#include "inet.h"
#include <linux/igmp.h>

int g_inet_slot;

struct inet_limits *inet_limits(struct net *net)
{
	return &inet_net(net)->limits;
}

bool inet_port_reserved(struct net *net, u16 port)
{
	u64 *bits = rcu_load(inet_net(net)->reserved_ports);

	return bits && (READ_ONCE(bits[port / 64]) >> port % 64 & 1);
}

static void set_defaults(struct inet_net *in)
{
	static const struct inet_conf conf = CONF_DEFAULTS;

	in->conf_all = in->conf_default = conf;
	in->limits = (struct inet_limits){.port_lo = 32768,
		.port_hi = 60999,
		.default_ttl = 64,
		.default_hoplimit = 64,
		.unprivileged_port = 1024,
		.auto_flowlabels = 1};
	in->min_pmtu = 552;
	in->pmtu_expires_s = 600;
	in->icmp_echo_ignore_broadcasts = 1;
	in->icmp_ratelimit_ms = in->icmp6_ratelimit_ms = 1000;
	in->icmp_ratemask = 6168;
	in->icmp_msgs_per_sec = 1000;
	in->icmp_msgs_burst = 50;
	in->ping_lo = 1;
	in->ping_hi = 0;
	in->igmp_max_memberships = 20;
	in->igmp_max_msf = 10;
	in->mld_max_msf = 64;
}

static int net_come(struct net *net, int slot)
{
	struct inet_net *in = kzalloc(sizeof(*in), GFP_KERNEL);
	int err = -ENOMEM;

	if (!in)
		return -ENOMEM;
	g_inet_slot = slot;
	net->slots[slot] = in;
	in->net = net;
	set_defaults(in);
	spin_init(&in->pmtu_lock, RANK_SOCKET_LEAF);
	addrconf_init_net(in);
	in->mib = kvmalloc((size_t)g_nr_cpus * sizeof(*in->mib), GFP_KERNEL | GFP_ZERO);
	if (in->mib)
		err = neigh_net_init(in);
	if (!err)
		err = frag_net_init(in);
	if (!err)
		err = fib_net_init(in);
	return err; /* the first namespace can't do without: start-up ends */
}

/* Interfaces and sockets are gone. */
static void net_go(struct net *net, int slot)
{
	struct inet_net *in = net->slots[slot];

	work_drain(); /* of interfaces that are gone, and router advertisements */
	neigh_net_exit(in);
	frag_net_exit(in);
	net_drain(); /* timers that had fired */
	fib_net_exit(in);
	route_pmtu_exit(in);
	rcu_barrier();
	kvfree(in->neigh);
	kfree(in->frag);
	kfree(in->fib);
	kvfree(in->mib);
	kvfree(in->reserved_ports);
	kfree(in);
}

static const struct net_module g_module = {"inet", net_come, net_go};

static int inet_init(void)
{
	static const struct inet_protocol icmp4 = {IPPROTO_ICMP, icmp4_input, NULL, NULL};
	static const struct inet_protocol icmp6 = {IPPROTO_ICMPV6, icmp6_input, NULL, NULL};
	static const struct inet_protocol igmp = {IPPROTO_IGMP, igmp_input, NULL, NULL};

	net_module_register(&g_module);
	packet_set_put_route(put_route);
	inet_protocol_register(&icmp4);
	inet_protocol_register(&icmp6);
	inet_protocol_register(&igmp);
	arp_init();
	ip4_init();
	ip6_init();
	inet_family_init();
	inet_ioctl_init();
	return inet_dev_init();
}
INIT_HOOK(INIT_CORE, inet_init);
