/* /proc/PID/net and /proc/sys/net. */
#include "procfs.h"
#include <inet/inet.h>
#include <lib/seq_buf.h>
#include <netdev/netdev.h>
#include <netlink/netlink.h>
#include <packet/af_packet.h>
#include <raw/raw.h>
#include <socket/socket.h>
#include <tcp/tcp.h>
#include <udp/udp.h>
#include <unix/af_unix.h>

static int show_unix(struct seq_buf *s, struct proc_node *n)
{
	return unix_show(s);
}

static int show_dev(struct seq_buf *s, struct proc_node *n)
{
	return netdev_show(&g_init_net, s);
}

static int show_dev_mcast(struct seq_buf *s, struct proc_node *n)
{
	return netdev_show_mcast(&g_init_net, s);
}

static int show_softnet(struct seq_buf *s, struct proc_node *n)
{
	return softnet_show(s);
}

static int show_sockstat(struct seq_buf *s, struct proc_node *n)
{
	s64 used = 0;

	for (int f = 0; f < AF_MAX; f++)
		used += sockets_in_use(f);
	seq_printf(s, "sockets: used %lld\n", used);
	tcp_show_sockstat(&g_init_net, s, false);
	udp_show_sockstat(&g_init_net, s, false);
	raw_show_sockstat(&g_init_net, s, false);
	inet_show_fragments(&g_init_net, s, false);
	return 0;
}

static int show_sockstat6(struct seq_buf *s, struct proc_node *n)
{
	tcp_show_sockstat(&g_init_net, s, true);
	udp_show_sockstat(&g_init_net, s, true);
	raw_show_sockstat(&g_init_net, s, true);
	inet_show_fragments(&g_init_net, s, true);
	return 0;
}

#define SHOW(name, call)                                               \
	static int show_##name(struct seq_buf *s, struct proc_node *n) \
	{                                                              \
		call;                                                  \
		return 0;                                              \
	}
SHOW(arp, inet_show_arp(&g_init_net, s))
SHOW(icmp, ping_show(&g_init_net, s, false))
SHOW(icmp6, ping_show(&g_init_net, s, true))
SHOW(if_inet6, inet_show_if_inet6(&g_init_net, s))
SHOW(igmp, inet_show_igmp(&g_init_net, s))
SHOW(igmp6, inet_show_igmp6(&g_init_net, s))
SHOW(ipv6_route, inet_show_route6(&g_init_net, s))
SHOW(netlink, netlink_show(&g_init_net, s))
SHOW(netstat, inet_show_netstat(&g_init_net, s))
SHOW(packet, packet_show(&g_init_net, s))
SHOW(raw, raw_show(&g_init_net, s, false))
SHOW(raw6, raw_show(&g_init_net, s, true))
SHOW(route, inet_show_route(&g_init_net, s))
SHOW(snmp, inet_show_snmp(&g_init_net, s))
SHOW(snmp6, inet_show_snmp6(&g_init_net, s))
SHOW(tcp, tcp_show(&g_init_net, s, false))
SHOW(tcp6, tcp_show(&g_init_net, s, true))
SHOW(udp, udp_show(&g_init_net, s, false))
SHOW(udp6, udp_show(&g_init_net, s, true))
SHOW(udplite, udplite_show(&g_init_net, s, false))
SHOW(udplite6, udplite_show(&g_init_net, s, true))
#undef SHOW
#define FILE(name_)                                                          \
	{                                                                    \
		.name = #name_, .mode = S_IFREG | 0444, .show = show_##name_ \
	}

const struct proc_entry g_net_entries[] = {
	FILE(arp),
	{.name = "dev", .mode = S_IFREG | 0444, .show = show_dev},
	{.name = "dev_mcast", .mode = S_IFREG | 0444, .show = show_dev_mcast},
	FILE(icmp),
	FILE(icmp6),
	FILE(if_inet6),
	FILE(igmp),
	FILE(igmp6),
	FILE(ipv6_route),
	FILE(netlink),
	FILE(netstat),
	FILE(packet),
	FILE(raw),
	FILE(raw6),
	FILE(route),
	FILE(snmp),
	FILE(snmp6),
	FILE(sockstat),
	FILE(sockstat6),
	{.name = "softnet_stat", .mode = S_IFREG | 0444, .show = show_softnet},
	FILE(tcp),
	FILE(tcp6),
	FILE(udp),
	FILE(udp6),
	FILE(udplite),
	FILE(udplite6),
	{.name = "unix", .mode = S_IFREG | 0444, .show = show_unix},
	{0},
};

#define INT(name_, var_, min_, max_)                                                   \
	{                                                                              \
		.name = (name_), .mode = S_IFREG | 0644, .show = proc_show_int,        \
		.store = proc_store_int, .data = &(var_), .min = (min_), .max = (max_) \
	}

static const struct proc_entry g_core_entries[] = {
	INT("netdev_budget", g_netdev_budget, 0, INT_MAX),
	INT("netdev_max_backlog", g_netdev_max_backlog, 0, INT_MAX),
	INT("optmem_max", g_net_core.optmem_max, 0, INT_MAX),
	INT("rmem_default", g_net_core.rmem_default, 2304, INT_MAX),
	INT("rmem_max", g_net_core.rmem_max, 2304, INT_MAX),
	INT("somaxconn", g_net_core.somaxconn, 0, INT_MAX),
	INT("wmem_default", g_net_core.wmem_default, 4608, INT_MAX),
	INT("wmem_max", g_net_core.wmem_max, 4608, INT_MAX),
	{0},
};

static const struct proc_entry g_unix_entries[] = {
	INT("max_dgram_qlen", g_unix_max_dgram_qlen, 0, INT_MAX),
	{0},
};

const struct proc_entry g_sys_net_entries[] = {
	{.name = "core", .mode = S_IFDIR | 0555, .children = g_core_entries},
	{.name = "ipv4", .mode = S_IFDIR | 0555, .children = g_sys_ipv4_entries},
	{.name = "ipv6", .mode = S_IFDIR | 0555, .children = g_sys_ipv6_entries},
	{.name = "unix", .mode = S_IFDIR | 0555, .children = g_unix_entries},
	{0},
};
