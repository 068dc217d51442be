/* /proc/sys/net/ipv4 and ipv6: the variables of net/inet, by number. */
#include "procfs.h"
#include <inet/inet.h>
#include <lib/string.h>

static enum inet_variable variable(const struct proc_node *n)
{
	return (enum inet_variable)(uintptr_t)n->entry->data;
}

static int show_one(struct seq_buf *s, struct proc_node *n)
{
	seq_printf(s, "%d\n", READ_ONCE(*inet_sysctl(&g_init_net, variable(n))));
	return 0;
}

static int store_one(struct proc_node *n, char *text, size_t len)
{
	s64 v;
	int err = parse_s64(text, 10, &v);

	if (err || v < n->entry->min || v > n->entry->max)
		return -EINVAL;
	WRITE_ONCE(*inet_sysctl(&g_init_net, variable(n)), (s32)v);
	inet_sysctl_changed(&g_init_net, variable(n));
	return 0;
}

/* Two numbers that make a range: variable and the one after it. */
static int show_range(struct seq_buf *s, struct proc_node *n)
{
	s32 *v = inet_sysctl(&g_init_net, variable(n));
	s32 *w = inet_sysctl(&g_init_net, (enum inet_variable)(variable(n) + 1));

	seq_printf(s, "%u\t%u\n", (u32)READ_ONCE(*v), (u32)READ_ONCE(*w));
	return 0;
}

static int store_range(struct proc_node *n, char *text, size_t len)
{
	size_t first = strcspn(text, " \t"), gap;
	s64 lo, hi;

	if (!text[first])
		return -EINVAL;
	text[first] = 0;
	gap = first + 1 + strspn(text + first + 1, " \t");
	if (parse_s64(text, 10, &lo) || parse_s64(text + gap, 10, &hi) || lo < n->entry->min ||
		hi > n->entry->max || (lo > hi && variable(n) == INET_PORT_LO))
		return -EINVAL;
	if (lo > hi) { /* ping_group_range: nobody */
		lo = 1;
		hi = 0;
	}
	WRITE_ONCE(*inet_sysctl(&g_init_net, variable(n)), (s32)lo);
	WRITE_ONCE(*inet_sysctl(&g_init_net, (enum inet_variable)(variable(n) + 1)), (s32)hi);
	return 0;
}

#define ONE(name_, var_, min_, max_)                                                           \
	{                                                                                      \
		.name = (name_), .mode = S_IFREG | 0644, .show = show_one, .store = store_one, \
		.data = (void *)(uintptr_t)(var_), .min = (min_), .max = (max_)                \
	}
#define RANGE(name_, var_, min_, max_)                                                             \
	{                                                                                          \
		.name = (name_), .mode = S_IFREG | 0644, .show = show_range, .store = store_range, \
		.data = (void *)(uintptr_t)(var_), .min = (min_), .max = (max_)                    \
	}

static const struct proc_entry g_route4[] = {
	ONE("min_pmtu", INET_MIN_PMTU, 68, 65535),
	ONE("mtu_expires", INET_MTU_EXPIRES, 1, INT_MAX),
	{0},
};

const struct proc_entry g_sys_ipv4_entries[] = {
	ONE("icmp_echo_ignore_all", INET_ECHO_IGNORE_ALL, 0, 1),
	ONE("icmp_echo_ignore_broadcasts", INET_ECHO_IGNORE_BROADCASTS, 0, 1),
	ONE("icmp_msgs_burst", INET_MSGS_BURST, 0, INT_MAX),
	ONE("icmp_msgs_per_sec", INET_MSGS_PER_SEC, 0, INT_MAX),
	ONE("icmp_ratelimit", INET_RATELIMIT, 0, INT_MAX),
	ONE("icmp_ratemask", INET_RATEMASK, 0, INT_MAX),
	ONE("igmp_max_memberships", INET_IGMP_MAX_MEMBERSHIPS, 0, INT_MAX),
	ONE("igmp_max_msf", INET_IGMP_MAX_MSF, 0, INT_MAX),
	ONE("ip_default_ttl", INET_DEFAULT_TTL, 1, 255),
	ONE("ip_forward", INET_FORWARDING, 0, 1),
	ONE("ip_forward_use_pmtu", INET_FORWARD_USE_PMTU, 0, 1),
	RANGE("ip_local_port_range", INET_PORT_LO, 1, 65535),
	ONE("ip_no_pmtu_disc", INET_NO_PMTU_DISC, 0, 1),
	ONE("ip_nonlocal_bind", INET_NONLOCAL_BIND, 0, 1),
	ONE("ip_unprivileged_port_start", INET_UNPRIVILEGED_PORT, 0, 65535),
	ONE("ipfrag_high_thresh", INET_FRAG_HIGH, 65536, INT_MAX),
	ONE("ipfrag_time", INET_FRAG_TIME, 1, 3600),
	RANGE("ping_group_range", INET_PING_LO, 0, INT_MAX),
	{.name = "route", .mode = S_IFDIR | 0555, .children = g_route4},
	{0},
};

static const struct proc_entry g_conf6_all[] = {
	ONE("forwarding", INET_FORWARDING6, 0, 1),
	{0},
};
static const struct proc_entry g_conf6[] = {
	{.name = "all", .mode = S_IFDIR | 0555, .children = g_conf6_all},
	{0},
};
static const struct proc_entry g_icmp6[] = {
	ONE("echo_ignore_all", INET_ECHO_IGNORE_ALL6, 0, 1),
	ONE("ratelimit", INET_RATELIMIT6, 0, INT_MAX),
	{0},
};

const struct proc_entry g_sys_ipv6_entries[] = {
	ONE("auto_flowlabels", INET_AUTO_FLOWLABELS, 0, 1),
	ONE("bindv6only", INET_BINDV6ONLY, 0, 1),
	{.name = "conf", .mode = S_IFDIR | 0555, .children = g_conf6},
	{.name = "icmp", .mode = S_IFDIR | 0555, .children = g_icmp6},
	ONE("ip6frag_high_thresh", INET_FRAG_HIGH6, 65536, INT_MAX),
	ONE("ip6frag_time", INET_FRAG_TIME6, 1, 3600),
	ONE("ip_nonlocal_bind", INET_NONLOCAL_BIND6, 0, 1),
	ONE("mld_max_msf", INET_MLD_MAX_MSF, 0, INT_MAX),
	{0},
};
